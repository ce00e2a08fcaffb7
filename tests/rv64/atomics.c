/* atomics.c - every AMO, load-reserved and store-conditional with their failures, and how they fault. */
#include "rv64.h"

static uint64_t cell[2] __attribute__((aligned(16)));
static volatile uint64_t seen_cause, seen_tval;

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    (void)mode;
    seen_cause = cause;
    seen_tval = tval;
    frame->x[0] += 4;
}

/* name, what is left in memory of old (o) and operand (b), as 64-bit numbers or words extended by their sign */
#define AMOS(X)                                                                                                        \
    X(amoswap, b)                                                                                                      \
    X(amoadd, o + b)                                                                                                   \
    X(amoxor, o ^ b)                                                                                                   \
    X(amoand, (o) & (b))                                                                                               \
    X(amoor, o | b)                                                                                                    \
    X(amomin, (int64_t)o < (int64_t)b ? o : b)                                                                         \
    X(amomax, (int64_t)o > (int64_t)b ? o : b)                                                                         \
    X(amominu, o < b ? o : b)                                                                                          \
    X(amomaxu, o > b ? o : b)

static uint64_t word(uint64_t value)
{
    return (uint64_t)(int64_t)(int32_t)value;
}

static void amos(uint64_t old, uint64_t operand)
{
    uint64_t o = old, b = operand, is;
#define DOUBLE(name, result)                                                                                           \
    cell[0] = old;                                                                                                     \
    cell[1] = 0x1111;                                                                                                  \
    __asm__ volatile(#name ".d.aqrl %0, %1, (%2)" : "=r"(is) : "r"(operand), "r"(cell) : "memory");                    \
    expect(is, old);                                                                                                   \
    expect(cell[0], result);                                                                                           \
    expect(cell[1], 0x1111);
    AMOS(DOUBLE)
#undef DOUBLE
    o = word(old);
    b = word(operand);
#define SINGLE(name, result)                                                                                           \
    cell[0] = old;                                                                                                     \
    __asm__ volatile(#name ".w %0, %1, (%2)" : "=r"(is) : "r"(operand), "r"(cell) : "memory");                         \
    expect(is, word(old));                                                                                             \
    expect(cell[0], (old & 0xffffffff00000000) | (uint32_t)(result));
    AMOS(SINGLE)
#undef SINGLE
    cell[0] = old; /* one register for all three */
    __asm__ volatile("mv t0, %0\n\tamoadd.d t0, t0, (t0)\n\tmv %0, t0" : "=&r"(is) : "0"(cell) : "t0", "memory");
    expect(is, old);
    expect(cell[0], old + (uint64_t)cell);
}

#define LR(width, value, at) __asm__ volatile("lr." #width " %0, (%1)" : "=r"(value) : "r"(at) : "memory")
#define SC(width, failed, value, at)                                                                                   \
    __asm__ volatile("sc." #width " %0, %1, (%2)" : "=r"(failed) : "r"(value), "r"(at) : "memory")

static void reservations(void)
{
    uint64_t is, failed;
    cell[0] = 5;
    cell[1] = 6;
    LR(d, is, &cell[0]);
    SC(d, failed, UINT64_C(7), &cell[0]);
    expect(is, 5);
    expect(failed, 0);
    expect(cell[0], 7);
    SC(d, failed, UINT64_C(8), &cell[0]); /* the reservation is used up */
    expect(failed, 1);
    expect(cell[0], 7);
    LR(d, is, &cell[0]);
    SC(d, failed, UINT64_C(9), &cell[1]); /* another address */
    expect(failed, 1);
    expect(cell[1], 6);
    SC(d, failed, UINT64_C(9), &cell[0]); /* that failure used it up as well */
    expect(failed, 1);
    expect(cell[0], 7);
    cell[0] = UINT64_C(0x8000000080000000);
    LR(w, is, &cell[0]);
    expect(is, UINT64_C(0xffffffff80000000));
    SC(w, failed, UINT64_C(0x123456789), &cell[0]);
    expect(failed, 0);
    expect(cell[0], UINT64_C(0x8000000023456789));
    LR(d, is, &cell[0]);
    LR(d, is, &cell[1]); /* the newer one counts */
    SC(d, failed, UINT64_C(1), &cell[0]);
    expect(failed, 1);
    /* A counter as spin locks make it. */
    cell[0] = 0;
    for (is = 0; is < 1000; is++)
        __asm__ volatile("1: lr.d t0, (%0)\n\taddi t0, t0, 1\n\tsc.d t1, t0, (%0)\n\tbnez t1, 1b" ::"r"(cell)
                         : "t0", "t1", "memory");
    expect(cell[0], 1000);
}

static void faults(void)
{
    const uint64_t odd = (uint64_t)cell + 4;
    uint64_t is = 0;
    __asm__ volatile(".option push\n\t.option norvc\n\tamoadd.d %0, %0, (%1)\n\t.option pop" : "+r"(is) : "r"(odd));
    expect(seen_cause | 2, STORE_ALIGN); /* QEMU 7.2 tells a load's */
    expect(seen_tval, odd);
    LR(d, is, odd);
    expect(seen_cause, LOAD_ALIGN);
    expect(seen_tval, odd);
}

int main(void)
{
    static const uint64_t values[] = {0,
                                      1,
                                      UINT64_MAX,
                                      UINT64_C(0x8000000000000000),
                                      UINT64_C(0x7fffffff80000000),
                                      UINT64_C(0x800000007fffffff),
                                      UINT64_C(0x0123456789abcdef)};
    const size_t count = sizeof values / sizeof *values;
    size_t i, j;
    for (i = 0; i < count; i++)
        for (j = 0; j < count; j++) amos(values[i], values[j]);
    reservations();
    faults();
    return passed("atomics");
}
