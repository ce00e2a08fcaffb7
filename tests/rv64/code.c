/* code.c - programs that change their code: behind fence.i; without it, where the manual lets a processor run either
 * (rv64 and QEMU run what was stored); and instructions across pages. With EXACT also one that changes the very next
 * instruction, which rv64 sees and QEMU does not. */
#include "rv64.h"

typedef uint64_t (*function_t)(void);

/* In two pages, of which nothing else lies in. */
static uint8_t area[3 * 4096] __attribute__((aligned(4096)));

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    (void)frame;
    expect(cause, tval);
    expect(mode, 99);
}

static uint32_t load_immediate(uint64_t value)
{
    return (uint32_t)value << 20 | 10 << 7 | 0x13; /* addi a0, zero, value */
}

static void put_instruction(uint8_t *at, uint32_t w)
{
    unsigned i;
    for (i = 0; i < 4; i++) at[i] = (uint8_t)(w >> (8 * i));
}

/* "return value;", at any even address */
static function_t make(uint8_t *at, uint64_t value)
{
    put_instruction(at, load_immediate(value));
    put_instruction(at + 4, 0x00008067); /* ret */
    return (function_t)(uintptr_t)at;
}

static void again_and_again(uint8_t *at, bool fenced)
{
    uint64_t i;
    for (i = 1; i < 500; i++) {
        const function_t f = make(at, i);
        if (fenced) __asm__ volatile("fence.i" ::: "memory");
        expect(f(), i);
        expect(f(), i);
    }
}

/* Stores 64 bits, 8 bits and by AMO over an instruction that has run. */
static void every_store(void)
{
    function_t f = make(area, 100);
    expect(f(), 100);
    *(volatile uint64_t *)(void *)area = UINT64_C(0x00008067) << 32 | load_immediate(101);
    expect(f(), 101);
    ((volatile uint8_t *)area)[2] = (uint8_t)(load_immediate(102) >> 16);
    ((volatile uint8_t *)area)[3] = (uint8_t)(load_immediate(102) >> 24);
    expect(f(), 102);
    __asm__ volatile("amoswap.w zero, %0, (%1)" ::"r"(load_immediate(103)), "r"(area) : "memory");
    expect(f(), 103);
    __asm__ volatile("1: lr.w t0, (%1)\n\tsc.w t0, %0, (%1)\n\tbnez t0, 1b" ::"r"(load_immediate(104)), "r"(area)
                     : "t0", "memory");
    expect(f(), 104);
    f = make(area + 4094, 200);
    expect(f(), 200);
    area[4096] = (uint8_t)(load_immediate(201) >> 16); /* its second half, in the next page */
    area[4097] = (uint8_t)(load_immediate(201) >> 24);
    expect(f(), 201);
    f = make(area, 104);
    __asm__ volatile("sd %0, -6(%1)" ::"r"((uint64_t)load_immediate(105) << 48), "r"(area + 4096) : "memory");
    __asm__ volatile("sd %0, -4(%1)" ::"r"((uint64_t)load_immediate(106) << 32), "r"(area) : "memory");
    expect(*(volatile uint32_t *)(void *)area, load_immediate(106));
    expect(f(), 106);
}

#ifdef EXACT
/* The store stands right before the instruction that it changes. */
static void next_instruction(void)
{
    uint64_t i;
    put_instruction(area, 0x00b52023);     /* sw a1, 0(a0) */
    put_instruction(area + 4, 0x00000013); /* nop */
    put_instruction(area + 8, load_immediate(0));
    put_instruction(area + 12, 0x00008067);
    for (i = 1; i < 100; i++) {
        register uint64_t a0 __asm__("a0") = (uint64_t)area + 8;
        register uint64_t a1 __asm__("a1") = load_immediate(i);
        __asm__ volatile("jalr %2" : "+r"(a0) : "r"(a1), "r"(area) : "ra", "memory");
        expect(a0, i);
    }
}
#endif

int main(void)
{
    again_and_again(area, true);
    again_and_again(area, false);
    again_and_again(area + 4094, true); /* the first instruction crosses into the next page */
    again_and_again(area + 4094, false);
    again_and_again(area + 4092, false);
    again_and_again(area + 4090, false); /* the second does */
    area[0] = 0;
    every_store();
#ifdef EXACT
    next_instruction();
#endif
    return passed("code");
}
