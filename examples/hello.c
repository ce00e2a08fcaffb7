/* hello.c - the README's program: an MMU, a page table, a store, a load, a fault. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(rv, VMM_RISCV64)

static uint64_t ram[1 << 17];               /* 1 MiB of guest physical memory */
static uint8_t side[VMM_FRAMES_BYTES(256)]; /* which of its 256 frames are free */
static rv_mmu_t mmu;

int main(void)
{
    vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, rv_flush_told, &mmu};
    vmm_paddr_t frame = 0;
    uint32_t word = 0;

    vmm_frames_init(&frames, 0x80000000, 12, 256, side, sizeof side);
    rv_init(&mmu, &memory);
    rv_create(&tables); /* an Sv39 root table */
    vmm_frames_alloc(&frames, 0, &frame);
    rv_map(&tables, 0x10000, frame, 4096, VMM_R | VMM_W);
    rv_set_satp(&mmu, UINT64_C(8) << 60 | tables.root >> 12); /* translation on */

    rv_store32(&mmu, 0x10ffc, 42);
    rv_load32(&mmu, 0x10ffc, &word);
    printf("loaded %u\n", (unsigned)word);
    if (rv_load32(&mmu, 0x10ffe, &word) == VMM_FAULT) /* reaches into the next page */
        printf("fault at 0x%llx, cause %d: %s\n", (unsigned long long)mmu.fault.vaddr, mmu.fault.cause,
               vmm_rule_text(mmu.fault.rule));
    rv_explain(&mmu, 0x10ffc, stdout);
    rv_dump(&tables, stdout);
    return 0;
}
