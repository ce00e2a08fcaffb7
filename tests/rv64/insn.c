/* insn.c - each instruction of RV64IM, on operands at the edges, against values that the compiler computed. What it
 * leaves out (the compressed ones, every other encoding) random.c compares with another machine. With EXACT minstret is
 * held to its count, which is the host's time in QEMU. */
#include "rv64.h"

__extension__ typedef __int128 wide_t;
__extension__ typedef unsigned __int128 uwide_t;
#define S(value) ((int64_t)(value))
#define W(value) ((int64_t)(int32_t)(value))
#define U32(value) ((uint32_t)(value))
#define MIN64 UINT64_C(0x8000000000000000)

/* Division as the manual has it, in words of which the compiler may make a constant. */
#define SAFE(a, b, min) ((b) == 0 || ((b) == -1 && (a) == (min)) ? 1 : (b))
#define DIV(a, b, min) ((b) == 0 ? -1 : (a) / SAFE(a, b, min))
#define REM(a, b, min) ((b) == 0 ? (a) : (b) == -1 ? 0 : (a) % SAFE(a, b, min))
#define DIVU(a, b, ones) ((b) == 0 ? (ones) : (a) / ((b) == 0 ? 1 : (b)))
#define REMU(a, b) ((b) == 0 ? (a) : (a) % ((b) == 0 ? 1 : (b)))

#define PAIRS(X, f)                                                                                                    \
    X(f, 0, 0)                                                                                                         \
    X(f, 1, UINT64_MAX)                                                                                                \
    X(f, UINT64_MAX, 1)                                                                                                \
    X(f, UINT64_MAX, UINT64_MAX)                                                                                       \
    X(f, MIN64, UINT64_MAX)                                                                                            \
    X(f, MIN64, 0)                                                                                                     \
    X(f, MIN64, MIN64)                                                                                                 \
    X(f, UINT64_C(0x80000000), UINT64_C(0xffffffff))                                                                   \
    X(f, UINT64_C(0xffffffff80000000), UINT64_MAX)                                                                     \
    X(f, UINT64_C(0x7fffffff), 1)                                                                                      \
    X(f, UINT64_C(0x7fffffffffffffff), UINT64_C(0x7fffffffffffffff))                                                   \
    X(f, UINT64_C(0x123456789abcdef0), 63)                                                                             \
    X(f, UINT64_C(0xfedcba9876543210), 32)                                                                             \
    X(f, UINT64_C(0xfedcba9876543210), 31)                                                                             \
    X(f, UINT64_C(0x89abcdef01234567), UINT64_C(0x0000000100000007))                                                   \
    X(f, 100, UINT64_C(0xfffffffffffffff9))                                                                            \
    X(f, UINT64_C(0xffffffffffffff9c), 7)
#define ROW(f, a, b) {a, b, (uint64_t)(f(UINT64_C(0) + (a), UINT64_C(0) + (b)))},

#define F_add(a, b) ((a) + (b))
#define F_sub(a, b) ((a) - (b))
#define F_sll(a, b) ((a) << ((b)&63))
#define F_slt(a, b) (S(a) < S(b))
#define F_sltu(a, b) ((a) < (b))
#define F_xor(a, b) ((a) ^ (b))
#define F_srl(a, b) ((a) >> ((b)&63))
#define F_sra(a, b) (S(a) >> ((b)&63))
#define F_or(a, b) ((a) | (b))
#define F_and(a, b) ((a) & (b))
#define F_addw(a, b) W((a) + (b))
#define F_subw(a, b) W((a) - (b))
#define F_sllw(a, b) W((a) << ((b)&31))
#define F_srlw(a, b) W(U32(a) >> ((b)&31))
#define F_sraw(a, b) (W(a) >> ((b)&31))
#define F_mul(a, b) ((a) * (b))
#define F_mulh(a, b) ((wide_t)S(a) * S(b) >> 64)
#define F_mulhsu(a, b) ((wide_t)S(a) * (wide_t)(b) >> 64)
#define F_mulhu(a, b) ((uwide_t)(a) * (b) >> 64)
#define F_mulw(a, b) W((a) * (b))
#define F_div(a, b) DIV(S(a), S(b), INT64_MIN)
#define F_divu(a, b) DIVU(a, b, UINT64_MAX)
#define F_rem(a, b) REM(S(a), S(b), INT64_MIN)
#define F_remu(a, b) REMU(a, b)
#define F_divw(a, b) W(DIV((int32_t)(a), (int32_t)(b), INT32_MIN))
#define F_divuw(a, b) W(DIVU(U32(a), U32(b), UINT32_MAX))
#define F_remw(a, b) W(REM((int32_t)(a), (int32_t)(b), INT32_MIN))
#define F_remuw(a, b) W(REMU(U32(a), U32(b)))
/* clang-format off */
#define REGISTER_OPS(X)                                                                                                \
    X(add) X(sub) X(sll) X(slt) X(sltu) X(xor) X(srl) X(sra) X(or) X(and) X(addw) X(subw) X(sllw) X(srlw) X(sraw)      \
    X(mul) X(mulh) X(mulhsu) X(mulhu) X(mulw) X(div) X(divu) X(rem) X(remu) X(divw) X(divuw) X(remw) X(remuw)
/* clang-format on */

/* A value that the compiler does not know. */
#define HIDE(value) __asm__ volatile("" : "+r"(value))

static void register_operations(void)
{
    size_t i;
#define RUN(name)                                                                                                      \
    {                                                                                                                  \
        static const struct {                                                                                          \
            uint64_t a, b, wanted;                                                                                     \
        } rows[] = {PAIRS(ROW, F_##name)};                                                                             \
        for (i = 0; i < sizeof rows / sizeof *rows; i++) {                                                             \
            uint64_t name##_;                                                                                          \
            __asm__ volatile(#name " %0, %1, %2" : "=r"(name##_) : "r"(rows[i].a), "r"(rows[i].b));                    \
            expect(name##_, rows[i].wanted);                                                                           \
        }                                                                                                              \
    }
    REGISTER_OPS(RUN)
#undef RUN
}

/* The same with an immediate: f(a, b) of the compiler's, folded with constants. */
#define IMMEDIATES(X, name, f)                                                                                         \
    X(name, f, 0) X(name, f, 1) X(name, f, -1) X(name, f, 2047) X(name, f, -2048) X(name, f, 99)
#define SHIFTS(X, name, f) X(name, f, 0) X(name, f, 1) X(name, f, 31) X(name, f, 13)
/* clang-format on */
#define ONE_IMMEDIATE(name, f, b)                                                                                      \
    {                                                                                                                  \
        static const uint64_t name##_a[] = {                                                                           \
            0, 1, UINT64_MAX, MIN64, UINT64_C(0x80000000), UINT64_C(0x7fffffff), UINT64_C(0xfedcba9876543210)};        \
        for (i = 0; i < sizeof name##_a / sizeof *name##_a; i++) {                                                     \
            uint64_t name##_, a = name##_a[i];                                                                         \
            const uint64_t wanted = (uint64_t)(f(a, (uint64_t)(int64_t)(b)));                                          \
            __asm__ volatile(#name " %0, %1, %2" : "=r"(name##_) : "r"(a), "i"(b));                                    \
            expect(name##_, wanted);                                                                                   \
        }                                                                                                              \
    }

static void immediate_operations(void)
{
    size_t i;
    uint64_t is;
    IMMEDIATES(ONE_IMMEDIATE, addi, F_add)
    IMMEDIATES(ONE_IMMEDIATE, slti, F_slt)
    IMMEDIATES(ONE_IMMEDIATE, sltiu, F_sltu)
    IMMEDIATES(ONE_IMMEDIATE, xori, F_xor)
    IMMEDIATES(ONE_IMMEDIATE, ori, F_or)
    IMMEDIATES(ONE_IMMEDIATE, andi, F_and)
    IMMEDIATES(ONE_IMMEDIATE, addiw, F_addw)
    SHIFTS(ONE_IMMEDIATE, slli, F_sll)
    SHIFTS(ONE_IMMEDIATE, srli, F_srl)
    SHIFTS(ONE_IMMEDIATE, srai, F_sra)
    ONE_IMMEDIATE(slli, F_sll, 63)
    ONE_IMMEDIATE(srli, F_srl, 63)
    ONE_IMMEDIATE(srai, F_sra, 63)
    SHIFTS(ONE_IMMEDIATE, slliw, F_sllw)
    SHIFTS(ONE_IMMEDIATE, srliw, F_srlw)
    SHIFTS(ONE_IMMEDIATE, sraiw, F_sraw)
    __asm__ volatile("lui %0, 0x80000" : "=r"(is));
    expect(is, UINT64_C(0xffffffff80000000));
    __asm__ volatile("lui %0, 0x7ffff" : "=r"(is));
    expect(is, 0x7ffff000);
    __asm__ volatile("1: auipc %0, 0xfffff\n\tla t0, 1b\n\tsub %0, %0, t0" : "=r"(is)::"t0");
    expect(is, UINT64_C(0xfffffffffffff000));
    __asm__ volatile("li %0, 7\n\tadd x0, %0, %0\n\tmv %0, x0" : "=r"(is));
    expect(is, 0);
}

/* Loads and stores of every width at every alignment, across a page too. */
static uint8_t two_pages[8192] __attribute__((aligned(4096)));

#define ONE_LOAD(name, type, at, bytes)                                                                                \
    {                                                                                                                  \
        uint64_t name##_, wanted = 0;                                                                                  \
        unsigned byte_;                                                                                                \
        for (byte_ = 0; byte_ < (bytes); byte_++) wanted |= (uint64_t)(at)[byte_] << (8 * byte_);                      \
        wanted = (uint64_t)(int64_t)(type)wanted;                                                                      \
        __asm__ volatile(#name " %0, 0(%1)" : "=r"(name##_) : "r"(at) : "memory");                                     \
        expect(name##_, wanted);                                                                                       \
    }

static void loads_and_stores(void)
{
    uint64_t i, seed = 77;
    for (i = 0; i < sizeof two_pages; i++) two_pages[i] = (uint8_t)next_random(&seed);
    for (i = 4080; i < 4104; i++) {
        const uint8_t *const at = two_pages + i;
        ONE_LOAD(lb, int8_t, at, 1)
        ONE_LOAD(lh, int16_t, at, 2)
        ONE_LOAD(lw, int32_t, at, 4)
        ONE_LOAD(ld, int64_t, at, 8)
        ONE_LOAD(lbu, uint8_t, at, 1)
        ONE_LOAD(lhu, uint16_t, at, 2)
        ONE_LOAD(lwu, uint32_t, at, 4)
    }
    for (i = 4080; i < 4104; i++) {
        uint8_t *const at = two_pages + i;
        const uint64_t value = next_random(&seed), before = at[-1], b1 = at[1], b2 = at[2], b4 = at[4], b8 = at[8];
        __asm__ volatile("sb %0, 0(%1)" ::"r"(value), "r"(at) : "memory");
        expect(at[0] | at[1] << 8, (value & 0xff) | b1 << 8);
        __asm__ volatile("sh %0, 0(%1)" ::"r"(value), "r"(at) : "memory");
        expect(at[0] | at[1] << 8 | at[2] << 16, (value & 0xffff) | b2 << 16);
        __asm__ volatile("sw %0, 0(%1)" ::"r"(value), "r"(at) : "memory");
        ONE_LOAD(lwu, uint32_t, at, 4)
        expect(at[3], value >> 24 & 0xff);
        expect(at[4], b4);
        __asm__ volatile("sd %0, 0(%1)" ::"r"(value), "r"(at) : "memory");
        ONE_LOAD(ld, int64_t, at, 8)
        expect(at[7], value >> 56);
        expect(at[8], b8);
        expect(at[-1], before);
    }
}

/* Each kind of branch, taken and not. */
#define ONE_BRANCH(name, condition)                                                                                    \
    {                                                                                                                  \
        uint64_t name##_taken = 1;                                                                                     \
        __asm__ volatile(#name " %1, %2, 1f\n\tli %0, 0\n1:" : "+r"(name##_taken) : "r"(a), "r"(b));                   \
        expect(name##_taken, condition);                                                                               \
    }

static void branches_and_jumps(void)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX, MIN64, MIN64 - 1, UINT64_C(0xffffffff), 42};
    const size_t count = sizeof values / sizeof *values;
    size_t i, j;
    uint64_t is, link;
    for (i = 0; i < count; i++)
        for (j = 0; j < count; j++) {
            uint64_t a = values[i], b = values[j];
            HIDE(a);
            HIDE(b);
            ONE_BRANCH(beq, a == b)
            ONE_BRANCH(bne, a != b)
            ONE_BRANCH(blt, S(a) < S(b))
            ONE_BRANCH(bge, S(a) >= S(b))
            ONE_BRANCH(bltu, a < b)
            ONE_BRANCH(bgeu, a >= b)
        }
    __asm__ volatile(".option push\n\t.option norvc\n\tla %0, 1f\n\tjal %1, 2f\n1:\tli %0, 0\n2:\t.option pop"
                     : "=r"(is), "=r"(link));
    expect(link, is);
    __asm__ volatile(".option push\n\t.option norvc\n\tla t0, 2f\n\tla %0, 1f\n\tjalr %1, 1(t0)\n1:\tli %0, 0\n"
                     "2:\t.option pop" /* the lowest bit is dropped */
                     : "=r"(is), "=r"(link)::"t0");
    expect(link, is);
    __asm__ volatile(".option push\n\t.option norvc\n\tla t0, 2f\n\tla %0, 1f\n\tjalr t0, 0(t0)\n1:\tli %0, 0\n"
                     "2:\tmv %1, t0\n\t.option pop" /* the same register for both */
                     : "=r"(is), "=r"(link)::"t0");
    expect(link, is);
}

static void counters(void)
{
    uint64_t before, after;
    __asm__ volatile("csrr %0, minstret\n\tnop\n\tnop\n\tnop\n\tcsrr %1, minstret" : "=r"(before), "=r"(after));
    expect(after > before, true);
    before = csr_read(mcycle);
    expect(csr_read(mcycle) > before, true);
#ifdef EXACT
    __asm__ volatile("csrw minstret, %1\n\tcsrr %0, minstret" : "=r"(after) : "r"(UINT64_C(1000)));
    expect(after, 1000);
    __asm__ volatile("csrw minstret, %1\n\tnop\n\tnop\n\tcsrr %0, minstret" : "=r"(after) : "r"(UINT64_C(1000)));
    expect(after, 1002);
#endif
    expect(csr_read(mhartid), 0);
    expect(csr_read(misa) >> 62, 2);
    expect((csr_read(misa) & 0x141105), 0x141105);
}

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    (void)mode;
    expect(cause, ~UINT64_C(0));
    expect(tval, frame->x[0]);
}

int main(void)
{
    register_operations();
    immediate_operations();
    loads_and_stores();
    branches_and_jumps();
    counters();
    return passed("insn");
}
