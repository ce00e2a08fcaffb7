/* arch_arm64.c - tables of 4 KiB in the lower half, and accesses that end in each way: shown on the page "AArch64". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(a, VMM_ARM64)

static uint64_t ram[1 << 17];               /* 1 MiB of guest physical memory, from 0x40000000 */
static uint8_t side[VMM_FRAMES_BYTES(256)]; /* which of its 256 frames are free */
static a_mmu_t cpu;

static void tell(const char *what, vmm_status_t status)
{
    const vmm_fault_t *f = &cpu.fault;
    if (status == VMM_OK) printf("%-26s done\n", what);
    else
        printf("%-26s ESR 0x%08x, FAR 0x%llx: %s\n", what, (unsigned)f->cause << 26 | 1u << 25 | (unsigned)f->code,
               (unsigned long long)f->vaddr, vmm_rule_text(f->rule));
}

static unsigned marks(const vmm_tables_t *tables, vmm_vaddr_t va)
{
    vmm_mapping_t mapping;
    return a_query(tables, va, &mapping) ? 0 : mapping.flags & (VMM_A | VMM_D);
}

int main(void)
{
    const uint64_t tcr = 16 | UINT64_C(1) << 23 /* T0SZ 16, TG0 4 KiB; EPD1 */ | UINT64_C(2) << 32 /* IPS: 40 bits */;
    vmm_memory_t memory = {ram, 0x40000000, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, a_flush_told, &cpu};
    vmm_paddr_t code = 0, data = 0;
    uint32_t word = 0;

    vmm_frames_init(&frames, 0x40000000, 12, 256, side, sizeof side);
    vmm_frames_alloc(&frames, 0, &code);
    vmm_frames_alloc(&frames, 0, &data);
    a_init(&cpu, &memory);
    a_create(&tables); /* format 0: 4 KiB, 48 bits */
    a_map(&tables, 0x400000, code, 4096, VMM_R | VMM_X | VMM_U | VMM_A);
    a_map(&tables, 0x600000, data, 4096, VMM_R | VMM_W | VMM_U); /* writable, not accessed, not dirty */
    a_set_ttbr0(&cpu, tables.root);
    a_set_tcr(&cpu, tcr);
    a_set_sctlr(&cpu, 1); /* M */
    a_set_el(&cpu, 0);

    tell("EL0 fetches", a_fetch32(&cpu, 0x400000, &word));
    tell("EL0 stores to code", a_store32(&cpu, 0x400000, 1));
    tell("fetch from data, AF clear", a_fetch32(&cpu, 0x600000, &word));
    tell("load, AF clear", a_load32(&cpu, 0x600000, &word));
    tell("nothing mapped", a_load32(&cpu, 0x601000, &word));
    tell("the upper half is off", a_load32(&cpu, 0xffff000000000000, &word));

    a_set_tcr(&cpu, tcr | UINT64_C(3) << 39); /* HA, HD: hardware marks */
    tell("load, with HA and HD", a_load32(&cpu, 0x600000, &word));
    printf("marks of data: %s\n", marks(&tables, 0x600000) & VMM_D ? "accessed, dirty" : "accessed");
    tell("store, with HA and HD", a_store32(&cpu, 0x600000, 42));
    printf("marks of data: %s\n", marks(&tables, 0x600000) & VMM_D ? "accessed, dirty" : "accessed");

    a_set_el(&cpu, 1);
    a_set_pan(&cpu, true);
    tell("EL1 loads, with PAN", a_load32(&cpu, 0x600000, &word));
    a_set_pan(&cpu, false);
    printf("AT S1E0W, data: PAR_EL1 0x%016llx\n", (unsigned long long)a_at(&cpu, VMM_WRITE, true, 0x600010));
    printf("AT S1E0W, code: PAR_EL1 0x%016llx\n", (unsigned long long)a_at(&cpu, VMM_WRITE, true, 0x400010));
    return 0;
}
