/* timer.c - the machine's timer interrupt, handed to supervisor mode as its own; wfi; mtime and the time register. */
#include "rv64.h"

#define MTIE (UINT64_C(1) << 7)
#define STIE (UINT64_C(1) << 5)

static volatile uint64_t machine_ticks, supervisor_ticks, last_time;
static uint8_t lower_stack[4096] __attribute__((aligned(16)));

/* Machine mode takes the timer's interrupt, sets the next, and makes it the supervisor's; the supervisor counts. */
void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    (void)tval;
    if (is_run_in_end(frame, cause)) {
        run_in_end(frame);
    } else if (mode == MACHINE && cause == ECALL_S) { /* the supervisor has seen it: the next, please */
        csr_clear(mip, STIE);
        *CLINT_MTIMECMP = *CLINT_MTIME + 1000;
        csr_set(mie, MTIE);
        frame->x[0] += 4;
    } else if (mode == MACHINE) {
        expect(cause, INTERRUPT | 7);
        expect(*CLINT_MTIME >= *CLINT_MTIMECMP, true);
        machine_ticks++;
        csr_clear(mie, MTIE);
        csr_set(mip, STIE);
    } else {
        uint64_t now;
        expect(cause, INTERRUPT | 5);
        expect(csr_read(sip) & STIE, STIE);
        now = csr_read(time);
        expect(now > last_time, true);
        last_time = now;
        supervisor_ticks++;
        __asm__ volatile("li a7, 0\n\t.option push\n\t.option norvc\n\tecall\n\t.option pop" ::: "a7", "memory");
    }
}

static uint64_t supervise(uint64_t ticks)
{
    uint64_t busy = 0;
    csr_set(sie, STIE);
    csr_set(sstatus, MSTATUS_SIE);
    while (supervisor_ticks < ticks) __asm__ volatile("wfi" ::: "memory");
    while (supervisor_ticks < 2 * ticks) busy++;
    csr_clear(sstatus, MSTATUS_SIE);
    return busy > 0;
}

int main(void)
{
    const uint64_t start = *CLINT_MTIME;
    csr_write(stvec, supervisor_trap);
    csr_write(sscratch, 0);
    csr_write(mideleg, STIE);
    csr_write(mcounteren, 7);
    /* wfi goes on when the interrupt is pending and enabled in mie, whether it can be taken or not. */
    *CLINT_MTIMECMP = start + 100;
    csr_write(mie, MTIE);
    __asm__ volatile("wfi" ::: "memory");
    expect(*CLINT_MTIME >= start + 100, true);
    expect(csr_read(mip) & MTIE, MTIE);
    expect(machine_ticks, 0);
    *CLINT_MTIMECMP = ~UINT64_C(0);
    expect(csr_read(mip) & MTIE, 0);
    /* Halves of 32 bits are registers too. */
    ((volatile uint32_t *)CLINT_MTIMECMP)[1] = 0;
    ((volatile uint32_t *)CLINT_MTIMECMP)[0] = 0;
    expect(csr_read(mip) & MTIE, MTIE);
    *CLINT_MTIMECMP = UINT64_C(0x1111111122222222);
    ((volatile uint32_t *)CLINT_MTIMECMP)[1] = 0x33333333;
    expect(*CLINT_MTIMECMP, UINT64_C(0x3333333322222222));
    *CLINT_MTIMECMP = *CLINT_MTIME + 1000;
    expect(run_in(SUPERVISOR, supervise, 5, lower_stack + sizeof lower_stack), 1);
    expect(supervisor_ticks >= 10, true);
    expect(machine_ticks >= supervisor_ticks, true);
    expectations = 0; /* how many there were is a matter of time */
    return passed("timer");
}
