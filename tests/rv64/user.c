/* user.c - a kernel with two processes in user mode under Sv39. They have the same addresses in tables and ASIDs of
 * their own, get stack and heap page by page as they touch them, and take turns; one ends well, one is killed. */
#include "kernel.h"

VMM_TABLES(pt, vmm_sv39)

#define TEXT UINT64_C(0x10000)
#define HEAP UINT64_C(0x20000000)
#define STACK_TOP UINT64_C(0x40000000)
#define STACK_BYTES UINT64_C(0x40000)
#define USER_CODE __attribute__((section(".user")))
enum call {
    CALL_WRITE = 1,
    CALL_EXIT,
    CALL_YIELD,
    CALL_BREAK
};

/* ---- the process: position-independent, calls nothing of the kernel's ---- */

USER_CODE static uint64_t call(uint64_t number, uint64_t one, uint64_t two)
{
    register uint64_t a0 __asm__("a0") = one;
    register uint64_t a1 __asm__("a1") = two;
    register uint64_t a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return a0;
}

USER_CODE static uint64_t primes(uint8_t *sieve, uint64_t limit)
{
    uint64_t count = 0, i, j;
    for (i = 2; i < limit; i++) {
        if (i % 64 == 0) call(CALL_YIELD, 0, 0);
        if (sieve[i]) continue;
        count++;
        for (j = i * i; j < limit; j += i) sieve[j] = 1;
    }
    return count;
}

/* Uses a page of stack at every level. */
USER_CODE static uint64_t __attribute__((noinline)) deep(uint64_t levels)
{
    volatile uint64_t page[500];
    page[0] = levels;
    if (levels) page[1] = deep(levels - 1);
    else page[1] = 0;
    return page[0] + page[1];
}

USER_CODE static void process(uint64_t number, void (*kernel_code)(void))
{
    uint8_t *const heap = (uint8_t *)call(CALL_BREAK, 20000, 0);
    const uint64_t found = primes(heap, 10000 + 10000 * number), sum = deep(30);
    volatile uint8_t text[8];
    text[0] = (uint8_t)('0' + number);
    text[1] = ':';
    text[2] = ' ';
    text[3] = (uint8_t)('0' + found / 1000);
    text[4] = (uint8_t)('0' + found / 100 % 10);
    text[5] = (uint8_t)('0' + found / 10 % 10);
    text[6] = (uint8_t)('0' + found % 10);
    text[7] = '\n';
    call(CALL_WRITE, (uint64_t)text, sizeof text);
    kernel_code(); /* not the user's: the kernel sends it back */
    if (number == 1) *(volatile uint64_t *)0x80000000 = 1;
    call(CALL_EXIT, sum, 0);
}

/* ---- the kernel ---- */

static struct {
    vmm_tables_t tables;
    frame_t frame;
    uint64_t satp, heap_end, faults, yields, strays, exit_value, killed_by, killed_at;
    bool ended;
} processes[2];
static unsigned current;
static uint8_t lower_stack[8192] __attribute__((aligned(16))), trap_stack[8192] __attribute__((aligned(16)));

static bool page_in(uint64_t va)
{
    const bool heap = va >= HEAP && va < processes[current].heap_end;
    const bool stack = va >= STACK_TOP - STACK_BYTES && va < STACK_TOP;
    vmm_paddr_t frame;
    uint64_t i;
    if (!heap && !stack) return false;
    frame = frame_new();
    for (i = 0; i < 4096; i += 8) *(uint64_t *)(uintptr_t)(frame + i) = 0;
    expect(pt_map(&processes[current].tables, va & ~UINT64_C(4095), frame, 4096, DATA_FLAGS | VMM_U), VMM_OK);
    processes[current].faults++;
    return true;
}

/* Goes on with the other process, if it has not ended; back to machine mode when both have. */
static void switch_process(frame_t *frame)
{
    processes[current].frame = *frame;
    if (!processes[!current].ended) current = !current;
    if (processes[current].ended) __asm__ volatile("li a7, %0\n\tecall" ::"i"(RUN_IN_BACK) : "a7", "memory");
    *frame = processes[current].frame;
    csr_write(satp, processes[current].satp);
}

static void kernel_call(frame_t *frame)
{
    uint64_t i;
    frame->x[0] += 4;
    switch (frame->x[17]) {
    case CALL_WRITE:
        csr_set(sstatus, MSTATUS_SUM);
        for (i = 0; i < frame->x[11]; i++) *UART = ((uint8_t *)frame->x[10])[i];
        csr_clear(sstatus, MSTATUS_SUM);
        break;
    case CALL_EXIT:
        processes[current].exit_value = frame->x[10];
        processes[current].ended = true;
        switch_process(frame);
        break;
    case CALL_YIELD:
        processes[current].yields++;
        switch_process(frame);
        break;
    default:
        processes[current].heap_end = HEAP + frame->x[10];
        frame->x[10] = HEAP;
        break;
    }
}

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    if (mode == MACHINE) {
        expect(is_run_in_end(frame, cause), true);
        run_in_end(frame);
    } else if (cause == ECALL_U) {
        kernel_call(frame);
    } else if (cause == FETCH_PAGE && tval == (uint64_t)supervisor_trap) {
        processes[current].strays++;
        frame->x[0] = frame->x[1];
    } else if (!((cause == LOAD_PAGE || cause == STORE_PAGE) && page_in(tval))) {
        expect(csr_read(sstatus) & MSTATUS_SPP, 0); /* the kernel itself makes no mistakes */
        processes[current].killed_by = cause;
        processes[current].killed_at = tval;
        processes[current].ended = true;
        switch_process(frame);
    }
}

extern uint8_t user_start[], user_end[];

static void process_new(unsigned number)
{
    vmm_tables_t *const tables = &processes[number].tables;
    const uint64_t bytes = (uint64_t)(user_end - user_start);
    kernel_tables(tables);
    expect(pt_create(tables), VMM_OK);
    KERNEL_MAP(pt_map, tables);
    expect(pt_map(tables, TEXT, (uint64_t)user_start, bytes, VMM_R | VMM_X | VMM_U | VMM_A), VMM_OK);
    processes[number].satp = UINT64_C(8) << 60 | (uint64_t)(number + 1) << 44 | tables->root >> 12;
    processes[number].frame.x[0] = TEXT + ((uint64_t)process - (uint64_t)user_start);
    processes[number].frame.x[2] = STACK_TOP;
    processes[number].frame.x[10] = number;
    processes[number].frame.x[11] = (uint64_t)supervisor_trap;
    processes[number].frame.x[32] = (uint64_t)(trap_stack + sizeof trap_stack);
}

/* Into user mode as if from a trap: the stack of traps is sscratch's. */
static uint64_t supervise(uint64_t unused)
{
    const frame_t *const f = &processes[0].frame;
    (void)unused;
    csr_write(stvec, supervisor_trap);
    csr_write(sscratch, f->x[32]);
    csr_write(satp, processes[0].satp);
    csr_clear(sstatus, MSTATUS_SPP);
    csr_write(sepc, f->x[0]);
    __asm__ volatile("mv a0, %0\n\tmv a1, %1\n\tmv sp, %2\n\tsret" ::"r"(f->x[10]), "r"(f->x[11]), "r"(f->x[2])
                     : "a0", "a1", "memory");
    return 0;
}

int main(void)
{
    kernel_frames();
    process_new(0);
    process_new(1);
    csr_write(medeleg, 1 << FETCH_PAGE | 1 << LOAD_PAGE | 1 << STORE_PAGE | 1 << ECALL_U | 1 << ILLEGAL);
    run_in(SUPERVISOR, supervise, 0, lower_stack + sizeof lower_stack);
    csr_write(satp, 0);
    expect(processes[0].exit_value, 30 * 31 / 2);
    expect(processes[0].faults, 3 + 31); /* 10,000 bytes of heap, and a page of stack for each level */
    expect(processes[0].yields, 156);
    expect(processes[1].killed_by, STORE_PAGE);
    expect(processes[1].killed_at, 0x80000000);
    expect(processes[1].faults, 5 + 31);
    expect(processes[1].yields, 312);
    expect(processes[0].strays, 1);
    expect(processes[1].strays, 1);
    return passed("user");
}
