/* rtos_tables.c - the RTOS porter's program: a kernel's own page tables, for the processor to walk.
 *
 * Freestanding, for a RISC-V hart in supervisor mode, call kernel_tables_init() with paging off and
 * then kernel_paging_on(). Hosted, on any machine, main() builds the same tables and prints them. */
#if __STDC_HOSTED__
#define VMM_IMPLEMENTATION /* the printers; a kernel leaves them out */
#endif
#include "vmm.h"

VMM_TABLES(kernel, vmm_sv39) /* kernel_create, kernel_map, kernel_unmap ...: no TLB, no MMU of ours */

/* Tables come from a pool of 8 frames, 32 KiB. What is mapped may lie anywhere. */
#define POOL_FRAMES 8
static uint64_t pool[POOL_FRAMES * 512] __attribute__((aligned(4096)));
static uint8_t side[VMM_FRAMES_BYTES(POOL_FRAMES)];

static vmm_memory_t memory = {pool, 0, sizeof pool, {0, 0, 0}, 0};
static vmm_frames_t frames;
static vmm_tables_t tables;

/* What an edit wants flushed. VMM_FLUSH_MADE counts: a RISC-V hart may remember that an entry was
 * not valid. More than one hart: the others have to be told here too, and to have answered. */
static void flush(void *user, const vmm_flush_t *what)
{
#ifdef __riscv
    vmm_vaddr_t va = what->vaddr;
    uint64_t pages = what->bytes >> what->page_shift;
    (void)user;
    if (what->kind == VMM_FLUSH_TABLE || what->bytes == 0 || pages > 32) {
        __asm__ volatile("sfence.vma" ::: "memory"); /* pointers too */
        return;
    }
    for (; pages; pages--, va += UINT64_C(1) << what->page_shift)
        __asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
#elif __STDC_HOSTED__
    static const char *const kinds[] = {"made", "changed", "table"};
    (void)user;
    printf("  flush %-7s 0x%08llx, %llu x 0x%llx\n", kinds[what->kind], (unsigned long long)what->vaddr,
           (unsigned long long)(what->bytes >> what->page_shift), 1ULL << what->page_shift);
#else
    (void)user, (void)what; /* the processor's own instruction goes here */
#endif
}

/* The kernel's map, one line for each range; virtual = physical. A and D are set at once, because
 * many harts raise a page fault where they are clear. */
static const struct {
    uint64_t at, bytes;
    uint32_t flags;
} ranges[] = {
    {0x10000000, 0x1000, VMM_R | VMM_W | VMM_G | VMM_A | VMM_D},   /* UART */
    {0x80000000, 0x20000, VMM_R | VMM_X | VMM_G | VMM_A},          /* code */
    {0x80020000, 0x10000, VMM_R | VMM_G | VMM_A},                  /* constants */
    {0x80200000, 0x400000, VMM_R | VMM_W | VMM_G | VMM_A | VMM_D}, /* data: two pages of 2 MiB */
};

vmm_status_t kernel_tables_init(vmm_paddr_t pool_at);
vmm_status_t kernel_tables_init(vmm_paddr_t pool_at)
{
    vmm_status_t status;
    size_t i;
    memory.base = pool_at;
    tables.memory = &memory;
    tables.take = vmm_frames_take;
    tables.give = vmm_frames_give;
    tables.user = &frames;
    tables.flush = flush;
    status = vmm_frames_init(&frames, pool_at, 12, POOL_FRAMES, side, sizeof side);
    if (status == VMM_OK) status = kernel_create(&tables);
    for (i = 0; status == VMM_OK && i < sizeof ranges / sizeof *ranges; i++)
        status = kernel_map(&tables, ranges[i].at, ranges[i].at, ranges[i].bytes, ranges[i].flags);
    return status;
}

/* A page below a task's stack that faults when the stack grows into it. */
vmm_status_t kernel_guard(vmm_vaddr_t page);
vmm_status_t kernel_guard(vmm_vaddr_t page)
{
    return kernel_unmap(&tables, page, 4096);
}

#ifdef __riscv
void kernel_paging_on(void);
void kernel_paging_on(void)
{
    const uint64_t satp = UINT64_C(8) << 60 | tables.root >> 12; /* Sv39, ASID 0 */
    __asm__ volatile("csrw satp, %0\n\tsfence.vma" ::"r"(satp) : "memory");
}
#endif

#if __STDC_HOSTED__
int main(void)
{
    vmm_mapping_t mapping;
    printf("init:\n");
    if (kernel_tables_init(0x80300000)) return 1;
    printf("guard:\n");
    if (kernel_guard(0x80210000)) return 1; /* splits a page of 2 MiB */
    if (kernel_query(&tables, 0x80210000, &mapping) != VMM_E_NOT_MAPPED) return 1;
    if (kernel_query(&tables, 0x80211000, &mapping) || mapping.level != 0) return 1;
    printf("frames left: %u of %u\n", (unsigned)frames.free_frames, POOL_FRAMES);
    return kernel_dump(&tables, stdout) != VMM_OK;
}
#endif
