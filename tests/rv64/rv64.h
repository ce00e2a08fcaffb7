/* rv64.h - what the programs for examples/rv64.c share. They run alike in QEMU: -M virt -bios none.
 *
 * Each is one C file, with start.S and link.ld. main() runs in machine mode; expect() ends the program at the first
 * value that is not what it must be. */
#ifndef RV64_H
#define RV64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- registers ---- */

#define csr_read(name)                                                                                                 \
    __extension__({                                                                                                    \
        uint64_t value_;                                                                                               \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory");                                                  \
        value_;                                                                                                        \
    })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(name, value) __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_clear(name, value) __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

#define MSTATUS_SIE (UINT64_C(1) << 1)
#define MSTATUS_MIE (UINT64_C(1) << 3)
#define MSTATUS_SPP (UINT64_C(1) << 8)
#define MSTATUS_MPP (UINT64_C(3) << 11)
#define MSTATUS_MPRV (UINT64_C(1) << 17)
#define MSTATUS_SUM (UINT64_C(1) << 18)
#define MSTATUS_MXR (UINT64_C(1) << 19)
#define MSTATUS_TVM (UINT64_C(1) << 20)
#define MSTATUS_TW (UINT64_C(1) << 21)
#define MSTATUS_TSR (UINT64_C(1) << 22)

#define INTERRUPT (UINT64_C(1) << 63)
enum cause {
    FETCH_ACCESS = 1,
    ILLEGAL = 2,
    BREAKPOINT = 3,
    LOAD_ALIGN = 4,
    LOAD_ACCESS = 5,
    STORE_ALIGN = 6,
    STORE_ACCESS = 7,
    ECALL_U = 8,
    ECALL_S = 9,
    ECALL_M = 11,
    FETCH_PAGE = 12,
    LOAD_PAGE = 13,
    STORE_PAGE = 15
};

/* ---- traps ---- */

/* Registers of what was interrupted: x[0] is its pc. x[32] is the mode's scratch register when it goes on: 0 when that
 * is the mode itself, else the stack for the next trap. */
typedef struct frame {
    uint64_t x[34];
} frame_t;

/* The program's own; mode is the one that took the trap. */
void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode);

void machine_trap(void);
void supervisor_trap(void);
int main(void);

extern uint8_t stack_top[], program_end[];
extern volatile uint64_t tohost, fromhost;

enum mode {
    USER = 0,
    SUPERVISOR = 1,
    MACHINE = 3
};

/* From machine mode: calls function(argument) in a lower mode on a stack of its own. */
uint64_t run_in(unsigned mode, uint64_t (*function)(uint64_t), uint64_t argument, void *stack);
extern const uint8_t run_in_back[];
extern uint64_t run_in_sp;
#define RUN_IN_BACK 0x42

/* In trap(), of machine mode: the end of run_in(). */
static inline __attribute__((unused)) void run_in_end(frame_t *frame)
{
    frame->x[0] = (uint64_t)run_in_back;
    frame->x[2] = run_in_sp;
    frame->x[32] = 0;
    csr_set(mstatus, MSTATUS_MPP);
}

static inline __attribute__((unused)) bool is_run_in_end(const frame_t *frame, uint64_t cause)
{
    return (cause == ECALL_U || cause == ECALL_S) && frame->x[17] == RUN_IN_BACK;
}

/* ---- devices ---- */

#define CLINT_MSIP ((volatile uint32_t *)0x2000000)
#define CLINT_MTIMECMP ((volatile uint64_t *)0x2004000)
#define CLINT_MTIME ((volatile uint64_t *)0x200bff8)
#define UART ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x100000)

static inline void put(const char *text)
{
    while (*text) *UART = (uint8_t)*text++;
}

static inline void put_number(uint64_t value, unsigned base)
{
    char digits[32];
    char *at = &digits[sizeof digits - 1];
    *at = 0;
    do *--at = "0123456789abcdef"[value % base];
    while (value /= base);
    put(at);
}

/* Ends the program: rv64 sees `tohost`, QEMU the finisher. From user and supervisor mode both must be mapped. */
static inline __attribute__((noreturn, unused)) void finish_with(int status)
{
    tohost = (uint64_t)status << 1 | 1;
    *FINISHER = status ? (uint32_t)status << 16 | 0x3333 : 0x5555;
    for (;;) continue;
}

void finish(int status);

/* ---- checks ---- */

static uint64_t expectations __attribute__((unused));

static inline void expect_at(unsigned line, const char *what, uint64_t is, uint64_t wanted)
{
    expectations++;
    if (is == wanted) return;
    put("line ");
    put_number(line, 10);
    put(": ");
    put(what);
    put(" is 0x");
    put_number(is, 16);
    put(", wanted 0x");
    put_number(wanted, 16);
    put("\n");
    finish_with(1);
}
#define expect(what, wanted) expect_at(__LINE__, #what, (uint64_t)(what), (uint64_t)(wanted))

/* Says what was proved: "NAME: N checks". */
static inline __attribute__((unused)) int passed(const char *name)
{
    put(name);
    put(": ");
    put_number(expectations, 10);
    put(" checks\n");
    return 0;
}

/* xorshift64: the same numbers in every run. */
static inline __attribute__((unused)) uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* FNV-1a over 64-bit words. */
static inline __attribute__((unused)) uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(0x100000001b3);
}

#endif
