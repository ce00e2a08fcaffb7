/* missing.c - a kernel that forgets an sfence.vma: it maps a page elsewhere and reads it through the old translation.
 * The manual lets a processor use either, so the program passes on any; rv64 --detect tells what is missing. */
#include "kernel.h"

VMM_TABLES(pt, vmm_sv39)

#define PAGE ((UINT64_C(1) << 36) + 0xab000)

static vmm_tables_t tables;
static uint8_t lower_stack[8192] __attribute__((aligned(16)));

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    expect(is_run_in_end(frame, cause), true);
    expect(mode, MACHINE);
    (void)tval;
    run_in_end(frame);
}

static uint64_t supervise(uint64_t satp)
{
    const vmm_paddr_t one = frame_new(), two = frame_new();
    uint64_t seen;
    *(volatile uint64_t *)(uintptr_t)one = 1;
    *(volatile uint64_t *)(uintptr_t)two = 2;
    expect(pt_map(&tables, PAGE, one, 4096, DATA_FLAGS), VMM_OK);
    csr_write(satp, satp);
    __asm__ volatile("sfence.vma" ::: "memory");
    expect(*(volatile uint64_t *)PAGE, 1);
    tables.flush = NULL; /* nobody is told any more: the mistake */
    expect(pt_map(&tables, PAGE, two, 4096, DATA_FLAGS | VMM_REPLACE), VMM_OK);
    seen = *(volatile uint64_t *)PAGE;
    expect(seen == 1 || seen == 2, true);
    __asm__ volatile("sfence.vma" ::: "memory");
    expect(*(volatile uint64_t *)PAGE, 2);
    return 1;
}

int main(void)
{
    kernel_frames();
    kernel_tables(&tables);
    expect(pt_create(&tables), VMM_OK);
    KERNEL_MAP(pt_map, &tables);
    expect(run_in(SUPERVISOR, supervise, UINT64_C(8) << 60 | tables.root >> 12, lower_stack + sizeof lower_stack), 1);
    csr_write(satp, 0);
    return passed("missing");
}
