/* cases.c - answers exercises that tests/cases.py reads from files, a line for each: how addresses split into indices,
 * what a buddy does, how long the chunks of a heap are.
 *
 *     cases split 48|32   addresses on standard input: canonical, user, the indices from the top, the offset
 *     cases buddy         "a BYTES" and "f OFFSET ORDER": offset, order; then offset and order of each free block
 *     cases chunks        requests: what each takes, and the header of a textbook's implicit list, in hexadecimal */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include <inttypes.h>
#include <stdlib.h>

VMM_MMU(pc, VMM_X86)
VMM_TABLES(four, vmm_x86_four_level) /* 48 bits: 9 + 9 + 9 + 9 + 12 */
VMM_TABLES(two, vmm_two_level)       /* 32 bits: 10 + 10 + 12 */
VMM_HEAP(outside, 0, VMM_FIRST_FIT, 0, VMM_OUTSIDE, 0)

#define RAM_BYTES (1u << 20)
#define PG (UINT64_C(1) << 31)
#define PE UINT64_C(1)
#define PAE (UINT64_C(1) << 5)
#define LME (UINT64_C(1) << 8)

static uint64_t ram[RAM_BYTES / 8];
static uint8_t side[VMM_FRAMES_BYTES(RAM_BYTES >> 12)];
static const vmm_memory_t memory = {ram, 0, RAM_BYTES, {0, 0, 0}, 0};
static vmm_frames_t frames;
static pc_mmu_t mmu;

/* -- addresses -- */

/* Whether the walk of a mapped address reads just these entries. Asked before the first use: no entry is cached. */
static bool walked(const vmm_paging_t *p, vmm_vaddr_t va)
{
    vmm_examination_t x;
    unsigned i;
    pc_examine(&mmu, va, VMM_READ, &x);
    if (x.status != VMM_OK || x.steps != p->levels) return false;
    for (i = 0; i < p->levels; i++) {
        const unsigned level = p->levels - 1u - i;
        if (x.step[i].index != (va >> vmm_level_shift(p, level) & vmm_low_mask(p->index_bits[level]))) return false;
    }
    return true;
}

static int split_all(bool wide)
{
    const vmm_paging_t *p = wide ? &vmm_x86_four_level : &vmm_two_level;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, 0, 0};
    char line[64];
    if (vmm_frames_init(&frames, 0, 12, RAM_BYTES >> 12, side, sizeof side) || vmm_frames_reserve(&frames, 0, 4096) ||
        (wide ? four_create(&tables) : two_create(&tables)) || pc_init(&mmu, &memory) || pc_set_cr3(&mmu, tables.root))
        return 1;
    if (wide && (pc_set_cr4(&mmu, PAE) || pc_set_efer(&mmu, LME))) return 1;
    if (pc_set_cr0(&mmu, PG | PE)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        const vmm_vaddr_t va = strtoull(line, NULL, 16), page = va & ~UINT64_C(4095);
        const vmm_status_t status = wide ? four_map(&tables, page, 0x5000, 4096, VMM_R | VMM_W | VMM_X | VMM_U)
                                         : two_map(&tables, page, 0x5000, 4096, VMM_R | VMM_W | VMM_X | VMM_U);
        uint8_t byte;
        bool canonical;
        unsigned level;
        if (status != VMM_OK && status != VMM_E_RANGE && status != VMM_E_MAPPED) return 1;
        if (status == VMM_OK && !walked(p, va)) return 1;
        canonical = pc_load8(&mmu, va, &byte) == VMM_OK;
        if (!canonical && mmu.fault.kind != VMM_PROTECTION_FAULT) return 1;
        if (canonical != (status != VMM_E_RANGE)) return 1;
        printf("%d %d", canonical, va < vmm_layout_of(p)->top);
        for (level = p->levels; level-- > 0;)
            printf(" %" PRIu64, va >> vmm_level_shift(p, level) & vmm_low_mask(p->index_bits[level]));
        printf(" %" PRIu64 "\n", va & vmm_low_mask(p->page_shift));
    }
    return 0;
}

/* -- the buddy: 1024 KiB, 64 KiB the smallest block -- */

#define UNIT_SHIFT 16
#define UNITS 16u

static int buddy_all(void)
{
    char line[64], what;
    uint64_t number;
    unsigned order, unit;
    if (vmm_frames_init(&frames, 0, UNIT_SHIFT, UNITS, side, sizeof side)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        vmm_paddr_t at = 0;
        if (sscanf(line, "%c %" SCNu64 " %u", &what, &number, &order) < 2) return 1;
        if (what == 'a') {
            if (vmm_frames_take(&frames, number, &at) || vmm_frames_order(&frames, at, &order)) return 1;
        } else if (vmm_frames_free(&frames, at = number, order)) {
            return 1;
        }
        if (!vmm_frames_check(&frames)) return 1;
        printf("%" PRIu64 " %u", at >> 10, order);
        for (unit = 0; unit < UNITS; unit++)
            if (frames.state[unit] >= 1 && frames.state[unit] <= VMM_FRAMES_ORDERS)
                printf(" %u %u", unit << (UNIT_SHIFT - 10), frames.state[unit] - 1u);
        printf("\n");
    }
    return 0;
}

/* -- the heap: its own words lie outside, so that the header of the exercise is part of what is asked for -- */

#define HEADER 4u
#define GRANULE 8u

static int chunks_all(void)
{
    static uint64_t arena[512];
    static size_t words[VMM_HEAP_SIDE_BYTES(sizeof arena, GRANULE) / sizeof(size_t)];
    static outside_t heap;
    vmm_heap_options_t options;
    char line[64];
    memset(&options, 0, sizeof options);
    options.arena = arena;
    options.bytes = sizeof arena;
    options.side = words;
    options.side_bytes = sizeof words;
    options.granule = GRANULE;
    if (outside_init(&heap, &options)) return 1;
    while (fgets(line, sizeof line, stdin)) {
        uint32_t *header = (uint32_t *)outside_malloc(&heap, strtoul(line, NULL, 10) + HEADER);
        if (header == NULL) return 1;
        *header = (uint32_t)outside_usable_size(&heap, header) | 1;
        printf("%u 0x%x\n", (unsigned)(*header & ~UINT32_C(7)), (unsigned)*header);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "split") == 0) return split_all(atoi(arguments[2]) == 48);
    if (count == 2 && strcmp(arguments[1], "buddy") == 0) return buddy_all();
    if (count == 2 && strcmp(arguments[1], "chunks") == 0) return chunks_all();
    return 2;
}
