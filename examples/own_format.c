/* own_format.c - page tables of a format that vmm does not bring, described by its bits.
 *
 * Three levels of unequal width, entries of 8 bytes, pages of 4 KiB and 2 MiB. Rights must be granted at
 * every level, and execution by a bit that means yes when it is 0: both as on x86. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

static const vmm_paging_t own_paging = {
    .name = "own",
    .rules = VMM_RULES_GENERIC,
    .rights = VMM_RIGHTS_EVERY,   /* the pointers' rights count as well */
    .vaddr_rule = VMM_VADDR_SIGN, /* bits 63:36 repeat bit 35 */
    .vaddr_bits = 36,             /* 12 + 9 + 9 + 6 */
    .paddr_bits = 40,
    .page_shift = 12,
    .levels = 3,
    .index_bits = {9, 9, 6}, /* level 0 first */
    .leaf_levels = 0x3,      /* leaves at levels 0 and 1 */
    .pte_bytes = 8,
    .ppn_lsb = 12,
    .ppn_bits = 28,
    .valid = 1 << 0,
    .read = 0, /* no bit: what is valid may be read */
    .write = 1 << 1,
    .execute = UINT64_C(1) << 63,
    .user = 1 << 2,
    .global = 1 << 8,
    .accessed = 1 << 5,
    .dirty = 1 << 6,
    .huge = 1 << 7,                /* at level 1: a page of 2 MiB */
    .inverted = UINT64_C(1) << 63, /* bit 63 set: no execution */
    .reserved = UINT64_C(0x7ff) << 52,
};
static const vmm_arch_t own_arch = VMM_ARCH_OF(own_paging);

VMM_MMU(own, VMM_ARCH_PLAIN(own_arch), VMM_STAGES_TLB(16, 4, VMM_LRU))

static uint64_t ram[1 << 16]; /* 512 KiB, from physical 0 */
static uint8_t side[VMM_FRAMES_BYTES(128)];
static own_mmu_t mmu;

int main(void)
{
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, own_flush_told, &mmu};
    vmm_examination_t x;
    vmm_paddr_t frame = 0;

    if (vmm_frames_init(&frames, 0, 12, 128, side, sizeof side) || own_init(&mmu, &memory) || own_create(&tables) ||
        vmm_frames_alloc(&frames, 0, &frame) || own_map(&tables, 0x400000, frame, 4096, VMM_R | VMM_W | VMM_U) ||
        own_map(&tables, 0x600000, 0x600000, 2 << 20, VMM_R | VMM_X) || own_set_root(&mmu, tables.root, 0))
        return 1;
    own_dump(&tables, stdout);
    own_explain_access(&mmu, 0x400010, VMM_FETCH, stdout); /* bit 63 of the leaf is set */

    own_examine(&mmu, 0x400010, VMM_WRITE, &x); /* every entry that a walk reads */
    if (x.steps != 3 || own_store32(&mmu, 0x400010, 1)) return 1;
    ram[x.step[1].pte_addr / 8] &= ~own_paging.write; /* the pointer at level 1 forbids writing */
    own_flush_all(&mmu);
    if (own_store32(&mmu, 0x400010, 2) != VMM_FAULT) return 1;
    printf("store: %s\n", vmm_rule_text(mmu.fault.rule));
    return 0;
}
