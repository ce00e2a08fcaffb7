/* arch_riscv.c - one Sv39 table, and accesses that end in each way: shown on the page "RISC-V". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(rv, VMM_RISCV64)

static uint64_t ram[1 << 17];               /* 1 MiB of guest physical memory, from 0x80000000 */
static uint8_t side[VMM_FRAMES_BYTES(256)]; /* which of its 256 frames are free */
static rv_mmu_t hart;

static void tell(const char *what, vmm_status_t status)
{
    const vmm_fault_t *f = &hart.fault;
    if (status == VMM_OK) printf("%-26s done\n", what);
    else
        printf("%-26s cause %d, stval 0x%llx, level %d: %s\n", what, f->cause, (unsigned long long)f->vaddr, f->level,
               vmm_rule_text(f->rule));
}

int main(void)
{
    vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, rv_flush_told, &hart};
    vmm_paddr_t code = 0, data = 0;
    vmm_mapping_t mapping;
    uint32_t word = 0;

    vmm_frames_init(&frames, 0x80000000, 12, 256, side, sizeof side);
    vmm_frames_alloc(&frames, 0, &code);
    vmm_frames_alloc(&frames, 0, &data);
    rv_init(&hart, &memory);
    rv_create(&tables);
    rv_map(&tables, 0x10000, code, 4096, VMM_R | VMM_X | VMM_U);
    rv_map(&tables, 0x20000, data, 4096, VMM_R | VMM_W | VMM_U);
    rv_map(&tables, 0x30000, 0x40000000, 4096, VMM_R | VMM_W | VMM_U); /* nothing is there */
    rv_set_satp(&hart, UINT64_C(8) << 60 | tables.root >> 12);         /* Sv39, ASID 0 */
    rv_set_privilege(&hart, 0);                                        /* user mode */

    tell("fetch from code", rv_fetch32(&hart, 0x10000, &word));
    tell("store to code", rv_store32(&hart, 0x10000, 1));
    tell("fetch from data", rv_fetch32(&hart, 0x20000, &word));
    tell("load across the end", rv_load32(&hart, 0x20ffe, &word));
    tell("load from nowhere", rv_load32(&hart, 0x30000, &word));
    tell("load, not canonical", rv_load32(&hart, UINT64_C(1) << 38, &word));

    rv_set_privilege(&hart, 1); /* a trap: supervisor mode, SUM clear */
    tell("supervisor loads data", rv_load32(&hart, 0x20000, &word));
    rv_set_mstatus(&hart, 1 << 18); /* SUM */
    tell("again, with SUM", rv_load32(&hart, 0x20000, &word));

    rv_query(&tables, 0x20000, &mapping);
    printf("marks of data: %s%s\n", mapping.flags & VMM_A ? "A" : "-", mapping.flags & VMM_D ? "D" : "-");
    rv_store32(&hart, 0x20000, 42);
    rv_query(&tables, 0x20000, &mapping);
    printf("after a store: %s%s\n", mapping.flags & VMM_A ? "A" : "-", mapping.flags & VMM_D ? "D" : "-");

    rv_set_menvcfg(&hart, 0); /* ADUE clear: marks are software's, as with Svade */
    rv_map(&tables, 0x20000, data, 4096, VMM_R | VMM_W | VMM_U | VMM_A | VMM_REPLACE);
    tell("store, D clear, no ADUE", rv_store32(&hart, 0x20000, 43));
    return 0;
}
