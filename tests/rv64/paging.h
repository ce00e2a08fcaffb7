/* paging.h - the program of sv39.c, sv48.c and sv57.c, which define FORMAT, MODE (of satp) and NAME.
 *
 * Supervisor mode switches paging on with tables that vmm.h built, serves its own page faults on demand, and meets
 * every kind of fault there is. */
#include "kernel.h"

VMM_TABLES(pt, FORMAT)

#define VA_BITS (FORMAT.vaddr_bits)
#define LOW (UINT64_C(1) << (VA_BITS - 2))              /* a region in the lower half */
#define HIGH (~UINT64_C(0) << (VA_BITS - 1))            /* the first addresses of the upper half */
#define STRIDE ((UINT64_C(1) << (VA_BITS - 12)) + 4096) /* tables of every level are needed */
#define TOUCHED 60
#define ASIDE (LOW / 2 + 0x5d000) /* where single pages are mapped for a check each */

static vmm_tables_t tables;
static bool on_demand;
static uint64_t served;
static struct {
    uint64_t cause, tval, pc;
} seen;
static uint64_t resume; /* where a fault that is not served goes on; 0: behind the instruction, of 4 bytes */
static uint8_t lower_stack[8192] __attribute__((aligned(16)));

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    if (mode == MACHINE) {
        expect(is_run_in_end(frame, cause), true);
        run_in_end(frame);
        return;
    }
    if (on_demand && (cause == LOAD_PAGE || cause == STORE_PAGE)) {
        expect(pt_map(&tables, tval & ~UINT64_C(4095), frame_new(), 4096, VMM_R | VMM_W), VMM_OK);
        served++;
        return;
    }
    seen.cause = cause;
    seen.tval = tval;
    seen.pc = frame->x[0];
    frame->x[0] = resume ? resume : frame->x[0] + 4;
    resume = 0;
}

static uint64_t load_at(uint64_t va)
{
    uint64_t value = 0;
    seen.cause = 0;
    __asm__ volatile(".option push\n\t.option norvc\n\tld %0, 0(%1)\n\t.option pop" : "+r"(value) : "r"(va) : "memory");
    return value;
}

static void store_at(uint64_t va, uint64_t value)
{
    seen.cause = 0;
    __asm__ volatile(".option push\n\t.option norvc\n\tsd %0, 0(%1)\n\t.option pop" ::"r"(value), "r"(va) : "memory");
}

/* Jumps to va; comes back from there, or from the fault. */
static void fetch_at(uint64_t va)
{
    seen.cause = 0;
    __asm__ volatile("la ra, 1f\n\tsd ra, %0\n\tjr %1\n1:" : "=m"(resume) : "r"(va) : "ra", "memory");
    resume = 0;
}

static void expect_fault_at(unsigned line, uint64_t cause, uint64_t tval)
{
    expect_at(line, "cause", seen.cause, cause);
    expect_at(line, "tval", seen.tval, tval);
}
#define expect_fault(cause, tval) expect_fault_at(__LINE__, cause, tval)

static void demand(void)
{
    uint64_t i;
    on_demand = true;
    served = 0;
    for (i = 0; i < TOUCHED; i++) {
        store_at(LOW + i * STRIDE, i);
        store_at(HIGH + i * STRIDE, ~i);
    }
    expect(served, 2 * TOUCHED);
    for (i = 0; i < TOUCHED; i++) {
        expect(load_at(LOW + i * STRIDE), i);
        expect(load_at(HIGH + i * STRIDE), ~i);
    }
    expect(served, 2 * TOUCHED);
    store_at(LOW + 4096 - 3, UINT64_C(0x1122334455667788)); /* half of it in a page that is not there yet */
    expect(served, 2 * TOUCHED + 1);
    expect(load_at(LOW + 4096 - 3), UINT64_C(0x1122334455667788));
    expect(load_at(LOW + 8192 - 5) >> 40, 0); /* and here */
    expect(served, 2 * TOUCHED + 2);
    on_demand = false;
}

static void refusals(void)
{
    const uint64_t page = LOW;
    store_at(page, 5);
    expect(pt_protect(&tables, page, 4096, VMM_R), VMM_OK);
    store_at(page + 8, 6);
    expect_fault(STORE_PAGE, page + 8);
    expect(load_at(page), 5);
    expect(pt_unmap(&tables, page, 4096), VMM_OK);
    load_at(page);
    expect_fault(LOAD_PAGE, page);
    store_at(page, 1);
    expect_fault(STORE_PAGE, page);
    fetch_at(page);
    expect_fault(FETCH_PAGE, page);
    expect(seen.pc, page);
    load_at(page + 4096 - 4); /* the part in the next page is there, this one is not */
    expect_fault(LOAD_PAGE, page + 4096 - 4);
    store_at(LOW - 4, 1);
    expect_fault(STORE_PAGE, LOW - 4);
    if (VA_BITS < 64) {
        load_at(UINT64_C(1) << VA_BITS);
        expect_fault(LOAD_PAGE, UINT64_C(1) << VA_BITS);
        store_at(~UINT64_C(0) << VA_BITS, 1);
        expect_fault(STORE_PAGE, ~UINT64_C(0) << VA_BITS);
        fetch_at(UINT64_C(1) << (VA_BITS - 1));
        expect_fault(FETCH_PAGE, UINT64_C(1) << (VA_BITS - 1));
    }
    expect(pt_map(&tables, ASIDE, 0x40000000000, 4096, DATA_FLAGS), VMM_OK); /* nothing is there */
    load_at(ASIDE + 16);
    expect_fault(LOAD_ACCESS, ASIDE + 16);
    expect(pt_unmap(&tables, ASIDE, 4096), VMM_OK);
}

static void execution(void)
{
    const vmm_paddr_t frame = frame_new(), other = frame_new();
    uint16_t *const code = (uint16_t *)(uintptr_t)frame;
    const uint64_t edge = ASIDE + 4094;
    expect(pt_map(&tables, ASIDE, frame, 4096, VMM_R | VMM_X | VMM_A), VMM_OK);
    code[0] = 0x8082;    /* c.ret */
    code[2047] = 0x0013; /* the first half of a nop */
    __asm__ volatile("fence.i" ::: "memory");
    fetch_at(ASIDE);
    expect(seen.cause, 0);
    fetch_at(edge); /* the second half cannot be fetched: tval is where it would be */
    expect_fault(FETCH_PAGE, ASIDE + 4096);
    expect(seen.pc, edge);
    *(uint16_t *)(uintptr_t)other = 0x9002; /* c.ebreak: after a change of the page it is this that runs */
    expect(pt_map(&tables, ASIDE, other, 4096, VMM_R | VMM_X | VMM_A | VMM_REPLACE), VMM_OK);
    fetch_at(ASIDE);
    expect(seen.cause, BREAKPOINT);
    expect(pt_map(&tables, ASIDE, frame, 4096, VMM_R | VMM_X | VMM_A | VMM_REPLACE), VMM_OK);
    fetch_at(ASIDE);
    expect(seen.cause, 0);
    expect(pt_protect(&tables, ASIDE, 4096, VMM_R), VMM_OK);
    fetch_at(ASIDE);
    expect_fault(FETCH_PAGE, ASIDE);
    expect(pt_protect(&tables, ASIDE, 4096, VMM_X), VMM_OK); /* may only be executed */
    fetch_at(ASIDE);
    expect(seen.cause, 0);
    load_at(ASIDE);
    expect_fault(LOAD_PAGE, ASIDE);
    csr_set(sstatus, MSTATUS_MXR);
    load_at(ASIDE);
    expect(seen.cause, 0);
    csr_clear(sstatus, MSTATUS_MXR);
    load_at(ASIDE);
    expect_fault(LOAD_PAGE, ASIDE);
    expect(pt_protect(&tables, ASIDE, 4096, VMM_R | VMM_X | VMM_U), VMM_OK); /* now the user's */
    load_at(ASIDE);
    expect_fault(LOAD_PAGE, ASIDE);
    fetch_at(ASIDE);
    expect_fault(FETCH_PAGE, ASIDE);
    csr_set(sstatus, MSTATUS_SUM);
    load_at(ASIDE);
    expect(seen.cause, 0);
    __asm__ volatile("sfence.vma" ::: "memory"); /* QEMU remembers from the load that it may be executed */
    fetch_at(ASIDE);                             /* never */
    expect_fault(FETCH_PAGE, ASIDE);
    csr_clear(sstatus, MSTATUS_SUM);
    expect(pt_unmap(&tables, ASIDE, 4096), VMM_OK);
}

static unsigned marks(uint64_t va)
{
    vmm_mapping_t m;
    expect(pt_query(&tables, va, &m), VMM_OK);
    return m.flags & (VMM_A | VMM_D);
}

static void marking(void)
{
    expect(pt_map(&tables, ASIDE, frame_new(), 4096, VMM_R | VMM_W), VMM_OK);
    expect(marks(ASIDE), 0);
    load_at(ASIDE);
    expect(marks(ASIDE), VMM_A);
    store_at(ASIDE, 1);
    expect(marks(ASIDE), VMM_A | VMM_D);
    expect(pt_unmap(&tables, ASIDE, 4096), VMM_OK);
}

static void huge_pages(void)
{
    const uint64_t bytes = UINT64_C(2) << 20, va = LOW / 2 + (UINT64_C(1) << 30);
    vmm_mapping_t m;
    expect(pt_map(&tables, va, 0x83000000, bytes, DATA_FLAGS), VMM_OK);
    expect(pt_query(&tables, va, &m), VMM_OK);
    expect(m.level, 1);
    store_at(va + bytes - 8, 77);
    expect(*(volatile uint64_t *)(0x83000000 + bytes - 8), 77);
    expect(pt_protect(&tables, va + 0x5000, 4096, VMM_R), VMM_OK); /* splits it */
    store_at(va + 0x5008, 1);
    expect_fault(STORE_PAGE, va + 0x5008);
    store_at(va + 0x6008, 1);
    expect(seen.cause, 0);
    expect(load_at(va + bytes - 8), 77);
    expect(pt_unmap(&tables, va, bytes), VMM_OK);
}

/* Two address spaces in turn, without a fence between them: ASIDs keep them apart. */
static void address_spaces(void)
{
    const uint64_t mode = (uint64_t)MODE << 60, was = csr_read(satp);
    const vmm_paddr_t one = frame_new(), two = frame_new();
    vmm_tables_t other = tables;
    uint64_t i;
    expect(pt_create(&other), VMM_OK);
    KERNEL_MAP(pt_map, &other);
    expect(pt_map(&tables, ASIDE, one, 4096, DATA_FLAGS), VMM_OK);
    expect(pt_map(&other, ASIDE, two, 4096, DATA_FLAGS), VMM_OK);
    for (i = 0; i < 20; i++) {
        csr_write(satp, mode | UINT64_C(1) << 44 | other.root >> 12);
        store_at(ASIDE, i + 1000);
        csr_write(satp, was);
        store_at(ASIDE, i + 2000);
        expect(*(volatile uint64_t *)(uintptr_t)one, i + 2000);
        expect(*(volatile uint64_t *)(uintptr_t)two, i + 1000);
    }
    expect(pt_unmap(&tables, ASIDE, 4096), VMM_OK);
    expect(pt_destroy(&other), VMM_OK);
}

static uint64_t supervise(uint64_t satp)
{
    csr_write(stvec, supervisor_trap);
    csr_write(sscratch, 0);
    csr_write(satp, satp);
    __asm__ volatile("sfence.vma" ::: "memory");
    expect(csr_read(satp), satp);
    demand();
    refusals();
    execution();
    marking();
    huge_pages();
    address_spaces();
    return 1;
}

/* Machine mode under the supervisor's tables, by MPRV: loads and stores, no fetches. */
static void modified_privilege(void)
{
    uint64_t value = 0;
    expect(pt_map(&tables, ASIDE, 0x83000000, 4096, DATA_FLAGS), VMM_OK);
    *(volatile uint64_t *)0x83000000 = 4711;
    csr_clear(mstatus, MSTATUS_MPP);
    csr_set(mstatus, UINT64_C(1) << 11);
    __asm__ volatile("csrs mstatus, %1\n\tld %0, 0(%2)\n\tcsrc mstatus, %1"
                     : "=&r"(value)
                     : "r"(MSTATUS_MPRV), "r"(ASIDE)
                     : "memory");
    expect(value, 4711);
}

int main(void)
{
    uint64_t before;
    kernel_frames();
    kernel_tables(&tables);
    before = frames.free_frames;
    expect(pt_create(&tables), VMM_OK);
    KERNEL_MAP(pt_map, &tables);
    csr_write(medeleg, 1 << FETCH_PAGE | 1 << LOAD_PAGE | 1 << STORE_PAGE | 1 << LOAD_ACCESS | 1 << STORE_ACCESS |
                           1 << BREAKPOINT);
    expect(run_in(SUPERVISOR, supervise, (uint64_t)MODE << 60 | tables.root >> 12, lower_stack + sizeof lower_stack),
           1);
    modified_privilege();
    csr_write(satp, 0);
    expect(pt_destroy(&tables), VMM_OK);
    expect(before - frames.free_frames, 2 * TOUCHED + 2 + 5); /* pages that were handed out; every table came back */
    return passed(NAME);
}
