/* translation.c - the classic translation exercises: how an address splits into indices, which addresses are canonical,
 * and what one linear table costs against a tree of small ones. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(pc, VMM_X86)
VMM_TABLES(two, vmm_two_level)       /* 32 bits: 10 + 10 + 12 */
VMM_TABLES(four, vmm_x86_four_level) /* 48 bits: 9 + 9 + 9 + 9 + 12 */

#define RAM_BYTES (1u << 20)

static uint64_t ram[RAM_BYTES / 8];
static uint8_t side[VMM_FRAMES_BYTES(RAM_BYTES >> 12)];
static const vmm_memory_t memory = {ram, 0, RAM_BYTES, {0, 0, 0}, 0};
static vmm_frames_t frames;
static pc_mmu_t mmu;

/* -- an address, from its highest bits to its lowest -- */

static const vmm_vaddr_t in_32_bits[] = {0x00000000, 0x08048000, 0xbffffffc, 0xc0000000, 0xc0100000, 0xffffffff};
static const vmm_vaddr_t in_48_bits[] = {0,
                                         0x400000,
                                         UINT64_C(0x7fffffffe000),
                                         UINT64_C(0x7fffffffffff),
                                         UINT64_C(0x800000000000),
                                         UINT64_C(0xffff7fffffffffff),
                                         UINT64_C(0xffff800000000000),
                                         UINT64_C(0xffffffff81000000),
                                         UINT64_C(0xffffffffffffffff),
                                         UINT64_C(0x5555deadbeef)};

static void split(const vmm_paging_t *p, vmm_vaddr_t va)
{
    unsigned level;
    printf("0x%0*llx ", p->vaddr_bits > 32 ? 16 : 8, (unsigned long long)va);
    for (level = p->levels; level-- > 0;)
        printf(" %4llu", (unsigned long long)(va >> vmm_level_shift(p, level) & vmm_low_mask(p->index_bits[level])));
    printf("  offset %4llu", (unsigned long long)(va & vmm_low_mask(p->page_shift)));
}

/* The processor itself is asked: an address that is not canonical is a protection fault, before any table is read. */
static bool is_canonical(vmm_vaddr_t va)
{
    uint8_t byte;
    return pc_load8(&mmu, va, &byte) == VMM_OK || mmu.fault.kind != VMM_PROTECTION_FAULT;
}

static void split_all(void)
{
    size_t i;
    printf("32 bits, 10 + 10 + 12: directory, table, offset\n");
    for (i = 0; i < sizeof in_32_bits / sizeof *in_32_bits; i++) {
        split(&vmm_two_level, in_32_bits[i]);
        printf("  %s\n", in_32_bits[i] < 0xc0000000 ? "user's 3 GiB" : "kernel's 1 GiB");
    }
    printf("\n48 bits, 9 + 9 + 9 + 9 + 12: PML4, PDPT, PD, PT, offset\n");
    for (i = 0; i < sizeof in_48_bits / sizeof *in_48_bits; i++) {
        split(&vmm_x86_four_level, in_48_bits[i]);
        printf("  %s\n", is_canonical(in_48_bits[i]) ? "canonical" : "not canonical");
    }
}

/* -- what tables cost -- */

static const struct {
    const char *what;
    vmm_vaddr_t start;
    unsigned pages;
} process[] = {{"text and data", 0x08048000, 40},
               {"heap", 0x09000000, 300},
               {"libraries", 0xb7c00000, 500},
               {"stack", 0xbffde000, 34}};

/* The pages of a process are mapped in a tree; all its frames are tables, for data frames are never taken. */
static int cost(const char *name, const vmm_paging_t *p,
                vmm_status_t (*map)(vmm_tables_t *, vmm_vaddr_t, vmm_paddr_t, uint64_t, unsigned), vmm_tables_t *tables)
{
    const uint32_t before = frames.free_frames;
    size_t i;
    for (i = 0; i < sizeof process / sizeof *process; i++)
        if (map(tables, process[i].start, UINT64_C(0x10000000) + process[i].start, (uint64_t)process[i].pages << 12,
                VMM_R | VMM_W | VMM_U) != VMM_OK)
            return 1;
    printf("%-12s %4u KiB in tables; one linear table would be 2^%u entries of %u bytes\n", name,
           (unsigned)(before - frames.free_frames + 1) * 4, p->vaddr_bits - p->page_shift, p->pte_bytes);
    return 0;
}

int main(void)
{
    vmm_tables_t small = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, 0, 0}, large = small;
    size_t i;
    if (vmm_frames_init(&frames, 0, 12, RAM_BYTES >> 12, side, sizeof side) || two_create(&small) ||
        four_create(&large) || pc_init(&mmu, &memory) || pc_set_cr4(&mmu, 1 << 5) || pc_set_efer(&mmu, 1 << 8) ||
        pc_set_cr3(&mmu, large.root) || pc_set_cr0(&mmu, UINT64_C(1) << 31 | 1))
        return 1;
    split_all();
    printf("\na process:");
    for (i = 0; i < sizeof process / sizeof *process; i++) printf(" %s %u pages;", process[i].what, process[i].pages);
    printf("\n");
    return cost("two levels", &vmm_two_level, two_map, &small) ||
           cost("four levels", &vmm_x86_four_level, four_map, &large);
}
