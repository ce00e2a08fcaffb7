/* csapp.c - the student's program: the memory system of CS:APP 3e, section 9.6.4: its TLB, its page table and its L1
 * cache (Figure 9.20). Each address is looked up in the figure as it is printed: nothing is kept between two.
 *
 * The exercise sheet becomes options: 14-bit virtual addresses, 12-bit physical addresses, pages of 64 bytes, one table
 * of 256 entries, a TLB of 4 sets with 4 ways. The cache is direct-mapped: 16 sets, blocks of 4 bytes. */
#define VMM_PAGE_SHIFT 6
#define VMM_VADDR_BITS 14
#define VMM_PADDR_BITS 12
#define VMM_LEVELS 1
#define VMM_PTE_BYTES 2
#define VMM_PTE_WRITE 0 /* the exercise knows no rights, only "valid" */
#define VMM_PTE_SUPERVISOR 0
#define VMM_PTE_ACCESSED 0
#define VMM_PTE_DIRTY 0
#define VMM_TLB_SETS 4
#define VMM_TLB_WAYS 4
#define VMM_IMPLEMENTATION
#include "vmm.h"

#define TABLE 0x200 /* where the page table lies in the 4 KiB of physical memory */

static const struct {
    uint8_t vpn, ppn;
} pages[] = {{0x00, 0x28}, {0x02, 0x33}, {0x03, 0x02}, {0x05, 0x16}, {0x08, 0x13},
             {0x09, 0x17}, {0x0a, 0x09}, {0x0d, 0x2d}, {0x0e, 0x11}, {0x0f, 0x0d}};

static const struct {
    uint8_t tlbi, tlbt, ppn;
} tlb[] = {{0, 0x09, 0x0d}, {0, 0x07, 0x02}, {1, 0x03, 0x2d}, {3, 0x03, 0x0d}, {3, 0x0a, 0x34}};

static const struct {
    uint8_t ci, ct, block[4];
} l1_lines[] = {{0x0, 0x19, {0x99, 0x11, 0x23, 0x11}}, {0x2, 0x1b, {0x00, 0x02, 0x04, 0x08}},
                {0x4, 0x32, {0x43, 0x6d, 0x8f, 0x09}}, {0x5, 0x0d, {0x36, 0x72, 0xf0, 0x1d}},
                {0x7, 0x16, {0x11, 0xc2, 0xdf, 0x03}}, {0x8, 0x24, {0x3a, 0x00, 0x51, 0x89}},
                {0xa, 0x2d, {0x93, 0x15, 0xda, 0x3b}}, {0xd, 0x16, {0x04, 0x96, 0x34, 0x15}},
                {0xe, 0x13, {0x83, 0x77, 0x1b, 0xd3}}};

VMM_CACHE(l1, 16, 1, 4, VMM_LRU, false, false)

static uint64_t ram[4096 / 8];
static vmm_mmu_t mmu;
static l1_cache_t cache;

/* Maps a page: the exercise's entries hold a frame number and "valid", so every right is there. */
static void set_page(vmm_tables_t *tables, unsigned vpn, unsigned ppn)
{
    vmm_map(tables, (vmm_vaddr_t)vpn << 6, (vmm_paddr_t)ppn << 6, 64, VMM_R | VMM_W | VMM_X | VMM_U);
}

int main(void)
{
    static const vmm_vaddr_t addresses[] = {0x03d4, 0x03d7, 0x027c, 0x03a9, 0x0040, 0x0b8f, 0x0020};
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    vmm_tables_t tables = {&memory, TABLE, 0, 0, 0, 0, 0, 0}; /* one level: no further tables to take */
    uint8_t byte;
    size_t i;

    if (vmm_init(&mmu, &memory) || vmm_set_root(&mmu, TABLE, 0)) return 1;

    /* The published TLB holds pages that the published table does not: fill it by touching its pages
     * while the table maps them, then take them out of the table, and flush nothing. */
    for (i = 0; i < sizeof tlb / sizeof *tlb; i++) {
        const unsigned vpn = (unsigned)tlb[i].tlbt << 2 | tlb[i].tlbi;
        set_page(&tables, vpn, tlb[i].ppn);
        if (vmm_load8(&mmu, (vmm_vaddr_t)vpn << 6, &byte)) return 1;
    }
    vmm_unmap(&tables, 0, 1 << 14);
    for (i = 0; i < sizeof pages / sizeof *pages; i++) set_page(&tables, pages[i].vpn, pages[i].ppn);

    l1_init(&cache);
    for (i = 0; i < sizeof l1_lines / sizeof *l1_lines; i++)
        vmm_caches_put(&cache.caches, 0, l1_lines[i].ci, l1_lines[i].ct, l1_lines[i].block);

    for (i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        vmm_examination_t x;
        vmm_cache_step_t step;
        if (vmm_explain(&mmu, addresses[i], stdout) == VMM_OK) {
            vmm_examine(&mmu, addresses[i], VMM_READ, &x);
            vmm_caches_examine(&cache.caches, addresses[i], x.translation.paddr, &step);
            vmm_print_caches(stdout, &cache.caches, &step, VMM_PADDR_BITS);
        }
        printf("\n");
    }
    return 0;
}
