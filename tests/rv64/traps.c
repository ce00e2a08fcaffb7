/* traps.c - traps of machine, supervisor and user mode: cause, tval, pc, what goes on the stack of modes, delegation,
 * vectored mode, what mstatus forbids to lower modes, and fields that take only legal values. With EXACT also that mret
 * to a lower mode clears MPRV, which QEMU 7.2 does not do. */
#include "rv64.h"

static struct {
    uint64_t cause, before, tval, pc, mode, status, count;
} seen;
static uint64_t resume; /* where a trap goes on; 0: behind the instruction */
static uint8_t lower_stack[4096] __attribute__((aligned(16))), supervisor_stack[4096] __attribute__((aligned(16)));

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    if (is_run_in_end(frame, cause)) {
        if (mode == MACHINE) run_in_end(frame);
        else __asm__ volatile("mv a0, %0\n\tli a7, %1\n\tecall" ::"r"(frame->x[10]), "i"(RUN_IN_BACK) : "a0", "a7");
        return;
    }
    seen.before = seen.cause;
    seen.cause = cause;
    seen.tval = tval;
    seen.pc = frame->x[0];
    seen.mode = mode;
    seen.status = mode == MACHINE ? csr_read(mstatus) : csr_read(sstatus);
    seen.count++;
    if (cause & INTERRUPT) {
        if (mode == MACHINE) csr_clear(mie, UINT64_C(1) << (cause & 63));
        else csr_clear(sie, UINT64_C(1) << (cause & 63));
        return;
    }
    frame->x[0] = resume ? resume : frame->x[0] + ((*(uint16_t *)frame->x[0] & 3) == 3 ? 4 : 2);
    resume = 0;
}

/* Runs one instruction that traps, and says where it stood. */
#define TRAPS(text)                                                                                                    \
    __extension__({                                                                                                    \
        uint64_t at_;                                                                                                  \
        seen.cause = ~UINT64_C(0);                                                                                     \
        __asm__ volatile("li a7, 0\n\tla %0, 1f\n1:\t" text : "=&r"(at_)::"a0", "a1", "a7", "memory");                 \
        at_;                                                                                                           \
    })
#define EXPECT_TRAP(text, cause_, tval_, mode_)                                                                        \
    {                                                                                                                  \
        const uint64_t where_ = TRAPS(text);                                                                           \
        expect(seen.cause, cause_);                                                                                    \
        expect(seen.tval, tval_);                                                                                      \
        expect(seen.pc, where_);                                                                                       \
        expect(seen.mode, mode_);                                                                                      \
    }
#define EXPECT_ILLEGAL(text, mode_)                                                                                    \
    {                                                                                                                  \
        const uint64_t where_ = TRAPS(text);                                                                           \
        expect(seen.cause, ILLEGAL);                                                                                   \
        expect(seen.pc, where_);                                                                                       \
        expect(seen.mode, mode_);                                                                                      \
    }

static void in_machine_mode(void)
{
    uint64_t at;
    EXPECT_TRAP("ecall", ECALL_M, 0, MACHINE)
    EXPECT_TRAP(".word 0xffffffff", ILLEGAL, 0xffffffff, MACHINE)
    EXPECT_TRAP(".half 0", ILLEGAL, 0, MACHINE)
    TRAPS("li a1, 0x8000000\n\tlw a0, 0(a1)");
    expect(seen.cause, LOAD_ACCESS);
    expect(seen.tval, 0x8000000);
    TRAPS("li a1, 0x8000000\n\tsd a0, 8(a1)");
    expect(seen.cause, STORE_ACCESS);
    expect(seen.tval, 0x8000008);
    at = TRAPS("c.ebreak");
    expect(seen.cause, BREAKPOINT);
    expect(seen.pc, at);
    EXPECT_ILLEGAL("csrw mhartid, a0", MACHINE)
    EXPECT_ILLEGAL("csrr a0, 0x5c0", MACHINE)
    __asm__ volatile("la %0, 1f\n\tsd %0, %1\n\tli a1, 0x8000000\n\tjr a1\n1:" : "=&r"(at), "=m"(resume)::"a1");
    expect(seen.cause, FETCH_ACCESS);
    expect(seen.tval, 0x8000000);
    expect(seen.pc, 0x8000000);
    expect((seen.status & MSTATUS_MPP) >> 11, MACHINE);
    csr_clear(mstatus, MSTATUS_MIE);
    TRAPS("ecall");
    expect(seen.status & 0x88, 0);
    csr_set(mstatus, MSTATUS_MIE);
    TRAPS("ecall");
    expect(seen.status & 0x88, 0x80); /* MPIE is what MIE was, MIE is clear */
    expect(csr_read(mstatus) & 0x88, 0x88);
    csr_clear(mstatus, MSTATUS_MIE);
}

static void legal_values(void)
{
    csr_write(medeleg, ~UINT64_C(0));
    expect(csr_read(medeleg) & 0xb3ff, 0xb3ff);
    csr_write(medeleg, 0);
    csr_write(mideleg, ~UINT64_C(0));
    expect(csr_read(mideleg) & 0xaaa, 0x222);
    csr_write(mideleg, 0);
    csr_write(mie, ~UINT64_C(0));
    expect(csr_read(mie) & 0xaaa, 0xaaa);
    expect(csr_read(sie), 0); /* nothing is delegated */
    csr_write(mie, 0);
    csr_clear(mstatus, MSTATUS_MPP);
    csr_set(mstatus, UINT64_C(1) << 11);
    expect((csr_read(mstatus) & MSTATUS_MPP) >> 11, SUPERVISOR);
    expect(csr_read(mstatus) >> 32 & 15, 10); /* UXL and SXL: 64 bits */
    expect(csr_read(sstatus) & (MSTATUS_MPP | MSTATUS_MIE | MSTATUS_MPRV), 0);
    csr_write(satp, UINT64_C(8) << 60 | 0x81234);
    csr_write(satp, UINT64_C(5) << 60 | 0x99999); /* no such mode: nothing is written */
    expect(csr_read(satp), UINT64_C(8) << 60 | 0x81234);
    csr_write(satp, 0);
    csr_write(mscratch, 5);
    expect(csr_read(mscratch), 5);
    csr_write(mscratch, 0);
}

static uint64_t in_supervisor_mode(uint64_t delegated)
{
    const unsigned mode = delegated ? SUPERVISOR : MACHINE;
    EXPECT_ILLEGAL("csrr a0, mstatus", mode)
    EXPECT_ILLEGAL("mret", mode)
    EXPECT_TRAP(".word 0xffffffff", ILLEGAL, 0xffffffff, mode)
    expect(delegated ? (seen.status & MSTATUS_SPP) >> 8 : (seen.status & MSTATUS_MPP) >> 11, SUPERVISOR);
    EXPECT_TRAP("ecall", ECALL_S, 0, MACHINE)
    __asm__ volatile("sfence.vma\n\tcsrr a0, satp" ::: "a0");
    return 1;
}

static uint64_t in_user_mode(uint64_t delegated)
{
    const unsigned mode = delegated ? SUPERVISOR : MACHINE;
    EXPECT_ILLEGAL("csrr a0, sstatus", mode)
    expect(delegated ? (seen.status & MSTATUS_SPP) >> 8 : (seen.status & MSTATUS_MPP) >> 11, USER);
    EXPECT_ILLEGAL("sret", mode)
    EXPECT_ILLEGAL("wfi", mode)
    EXPECT_ILLEGAL("sfence.vma", mode)
    EXPECT_TRAP("ecall", ECALL_U, 0, mode)
    return 2;
}

static uint64_t forbidden(uint64_t which)
{
    const uint64_t count = seen.count;
    switch (which) {
    case MSTATUS_TVM: EXPECT_ILLEGAL("csrr a0, satp", MACHINE) EXPECT_ILLEGAL("sfence.vma", MACHINE) break;
    case MSTATUS_TSR: EXPECT_ILLEGAL("sret", MACHINE) break;
    default: EXPECT_ILLEGAL("wfi", MACHINE) break;
    }
    return seen.count - count;
}

/* Counters are for lower modes when mcounteren and scounteren say so. */
static uint64_t reads_counters(uint64_t allowed)
{
    const uint64_t count = seen.count;
    TRAPS("csrr a0, cycle");
    TRAPS("csrr a0, time");
    TRAPS("csrr a0, instret");
    return seen.count - count == (allowed ? 0 : 3);
}

static uint64_t waits(uint64_t unused)
{
    (void)unused;
    csr_set(sip, 2);
    csr_set(sie, 2);
    csr_set(sstatus, MSTATUS_SIE);
    return csr_read(sie) & 2;
}

static uint64_t nothing(uint64_t value)
{
    return value;
}

static void interrupts(void)
{
    csr_clear(mstatus, MSTATUS_MIE); /* set by the mret of run_in() */
    seen.cause = 0;
    csr_set(mie, 2); /* the supervisor's software interrupt, not delegated: machine mode's */
    csr_set(mip, 2);
    expect(seen.cause == (INTERRUPT | 1), false);
    csr_set(mstatus, MSTATUS_MIE);
    expect(seen.cause, INTERRUPT | 1);
    expect(seen.mode, MACHINE);
    csr_clear(mstatus, MSTATUS_MIE);
    csr_clear(mip, 2);
    csr_write(mideleg, 0x222);
    seen.cause = 0;
    expect(run_in(SUPERVISOR, waits, 0, lower_stack + sizeof lower_stack), 0); /* its handler cleared sie */
    expect(seen.cause, INTERRUPT | 1);
    expect(seen.mode, SUPERVISOR);
    csr_clear(mip, 2);
    /* Machine mode's come first, whatever their number. */
    csr_write(mideleg, 0x200);
    csr_set(mie, 0x220);
    csr_set(mip, 0x220);
    csr_set(mstatus, MSTATUS_SIE);
    run_in(SUPERVISOR, nothing, 0, lower_stack + sizeof lower_stack);
    expect(seen.before, INTERRUPT | 5);
    expect(seen.cause, INTERRUPT | 9);
    csr_clear(mip, 0x220);
    csr_clear(mstatus, MSTATUS_SIE);
    csr_write(mideleg, 0);
}

/* Vectored: interrupts begin at 4 x cause behind the base, exceptions at the base. */
void vectors(void);
__asm__(".text\n.align 8\n.globl vectors\nvectors:\n"
        ".option push\n.option norvc\n"
        "j machine_trap\nj 2f\nj 2f\nj 3f\n.option pop\n"
        "2: j 2b\n"
        "3: csrw mie, zero\n csrw mscratch, a0\n li a0, 33\n mret\n");

static void vectored(void)
{
    register uint64_t a0 __asm__("a0") = 0;
    csr_write(mtvec, (uint64_t)vectors | 1);
    expect(csr_read(mtvec), (uint64_t)vectors | 1);
    EXPECT_TRAP("ecall", ECALL_M, 0, MACHINE)
    csr_clear(mstatus, MSTATUS_MIE);
    *CLINT_MSIP = 1;
    csr_write(mie, 8);
    __asm__ volatile("li a0, 0\n\tcsrsi mstatus, 8\n\tnop\n\tcsrci mstatus, 8" : "=r"(a0)::"memory");
    expect(a0, 33);
    *CLINT_MSIP = 0;
    csr_write(mscratch, 0);
    csr_write(mtvec, machine_trap);
}

int main(void)
{
    void *const stack = lower_stack + sizeof lower_stack;
    csr_write(stvec, supervisor_trap);
    csr_write(sscratch, 0);
    in_machine_mode();
    legal_values();
    expect(run_in(SUPERVISOR, in_supervisor_mode, 0, stack), 1);
    expect(run_in(USER, in_user_mode, 0, stack), 2);
    csr_write(medeleg, 1 << ILLEGAL | 1 << ECALL_U);
    EXPECT_TRAP(".word 0xffffffff", ILLEGAL, 0xffffffff, MACHINE) /* machine mode's own stay with it */
    expect(run_in(SUPERVISOR, in_supervisor_mode, 1, stack), 1);
    csr_write(sscratch, supervisor_stack + sizeof supervisor_stack);
    expect(run_in(USER, in_user_mode, 1, stack), 2);
    csr_write(sscratch, 0);
    csr_write(medeleg, 0);
    csr_set(mstatus, MSTATUS_TVM);
    expect(run_in(SUPERVISOR, forbidden, MSTATUS_TVM, stack), 2);
    csr_clear(mstatus, MSTATUS_TVM);
    csr_set(mstatus, MSTATUS_TSR);
    expect(run_in(SUPERVISOR, forbidden, MSTATUS_TSR, stack), 1);
    csr_clear(mstatus, MSTATUS_TSR);
    csr_set(mstatus, MSTATUS_TW);
    expect(run_in(SUPERVISOR, forbidden, MSTATUS_TW, stack), 1);
    csr_clear(mstatus, MSTATUS_TW);
    csr_write(mcounteren, 0);
    csr_write(scounteren, 7);
    expect(run_in(SUPERVISOR, reads_counters, 0, stack), 1);
    csr_write(mcounteren, 7);
    csr_write(scounteren, 0);
    expect(run_in(SUPERVISOR, reads_counters, 1, stack), 1);
    expect(run_in(USER, reads_counters, 0, stack), 1);
    csr_write(scounteren, 7);
    expect(run_in(USER, reads_counters, 1, stack), 1);
    csr_write(sscratch, 0);
    interrupts();
    vectored();
#ifdef EXACT
    csr_set(mstatus, MSTATUS_MPRV); /* ends with the mret to a lower mode */
    expect(run_in(SUPERVISOR, nothing, 3, stack), 3);
    expect(csr_read(mstatus) & MSTATUS_MPRV, 0);
#endif
    return passed("traps");
}
