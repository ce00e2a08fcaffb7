/* start.c - what a freestanding program needs to run under QEMU: a start, output, an end, and the two functions that
 * compilers call. Cortex-M (any board, with semihosting) and RISC-V (the board virt). With ram.ld. */
#include <stddef.h>
#include <stdint.h>

int main(void);
void rtos_start(void);
void rtos_write(const char *text);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

extern uint8_t ram_bss[], ram_bss_end[], ram_stack_top[];

#ifdef __arm__
extern const struct vectors {
    const void *stack_top;
    void (*start)(void);
} rtos_reset;
__attribute__((section(".start"))) const struct vectors rtos_reset = {ram_stack_top, rtos_start};

static void semihosting(uintptr_t operation, uintptr_t argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
void rtos_write(const char *text)
{
    semihosting(0x04, (uintptr_t)text); /* SYS_WRITE0 */
}
static void end(int status)
{
    semihosting(0x18, status ? 0x20023 : 0x20026); /* SYS_EXIT: a run-time error, or the program's own end */
}
#else
__asm__(".section .start, \"ax\"\n.globl rtos_reset\nrtos_reset: la sp, ram_stack_top\n tail rtos_start\n.text");

void rtos_write(const char *text)
{
    volatile uint8_t *const uart = (volatile uint8_t *)0x10000000;
    while (*text) *uart = (uint8_t)*text++;
}
static void end(int status)
{
    volatile uint32_t *const test = (volatile uint32_t *)0x100000;
    *test = status ? 0x13333 : 0x5555; /* fail with status 1, or pass */
}
#endif

void rtos_start(void)
{
    memset(ram_bss, 0, (size_t)(ram_bss_end - ram_bss));
    end(main());
    for (;;) continue;
}

/* The empty statements keep compilers from making calls of these loops to the very functions they are in. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
        __asm__ volatile("");
    }
    return to;
}
void *memset(void *to, int value, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = (uint8_t)value;
        __asm__ volatile("");
    }
    return to;
}
