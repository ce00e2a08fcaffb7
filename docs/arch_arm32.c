/* arch_arm32.c - short descriptors, and accesses that end in each way: shown on the page "ARMv7-A". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(t, VMM_ARM32)

#define BASE UINT32_C(0x80000000)
static uint32_t ram[1 << 18] __attribute__((aligned(8))); /* 1 MiB; the second level is at 0x80004000 */
static t_mmu_t cpu;

static void tell(const char *what, vmm_status_t status)
{
    const vmm_fault_t *f = &cpu.fault;
    if (status == VMM_OK) printf("%-24s done\n", what);
    else
        printf("%-24s FSR 0x%03x, FAR 0x%08llx: %s\n", what, (unsigned)f->code, (unsigned long long)f->vaddr,
               vmm_rule_text(f->rule));
}

int main(void)
{
    vmm_memory_t memory = {ram, BASE, sizeof ram, {0, 0, 0}, 0};
    uint32_t word = 0;

    ram[0x800] = BASE | 1 << 10 | 2;                 /* section at 0x80000000, domain 0, PL1 alone */
    ram[0x001] = (BASE + 0x4000) | 1 << 5 | 1;       /* 0x00100000: a table, domain 1 */
    ram[0x1000] = (BASE + 0x80000) | 3 << 4 | 2;     /* small page, everybody may write */
    ram[0x1001] = (BASE + 0x81000) | 2 << 4 | 2 | 1; /* small page, PL0 may read, nobody fetches */

    t_init(&cpu, &memory);
    t_set_ttbr0(&cpu, BASE);
    t_set_dacr(&cpu, 1 | 1 << 2); /* domains 0 and 1: clients */
    t_set_sctlr(&cpu, 1);         /* M */
    tell("PL1 loads its section", t_load32(&cpu, BASE + 0x8000, &word));
    t_set_pl(&cpu, 0);
    tell("PL0 loads it", t_load32(&cpu, BASE + 0x8000, &word));
    tell("PL0 stores", t_store32(&cpu, 0x00100000, 42));
    tell("PL0 stores, read-only", t_store32(&cpu, 0x00101000, 42));
    tell("PL0 fetches, XN", t_fetch32(&cpu, 0x00101000, &word));
    tell("nothing mapped", t_load32(&cpu, 0x00102000, &word));
    t_set_dacr(&cpu, 1); /* domain 1: no access */
    tell("domain switched off", t_load32(&cpu, 0x00100000, &word));
    t_set_dacr(&cpu, 1 | 3 << 2); /* domain 1: manager */
    tell("domain's manager stores", t_store32(&cpu, 0x00101000, 42));
    return 0;
}
