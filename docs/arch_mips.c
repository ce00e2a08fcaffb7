/* arch_mips.c - a guest's refill handler, and what it cannot serve: shown on the page "MIPS". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(m, VMM_MIPS32)

enum {
    ENTRYLO0 = 2, /* numbers of registers of coprocessor 0 */
    ENTRYLO1 = 3
};

static uint64_t ram[1 << 15]; /* 256 KiB, from 0 */
static uint32_t table[16];    /* the guest's own page table, of EntryLo values: V 2, D 4, frame number from bit 6 up */
static m_mmu_t cpu;

/* What a guest's handler does. EntryHi and BadVAddr were set by the exception. */
static void refill(void)
{
    const uint32_t pair = cpu.registers.badvaddr >> 13 << 1;
    m_mtc0(&cpu, ENTRYLO0, 0, pair < 16 ? table[pair] : 0);
    m_mtc0(&cpu, ENTRYLO1, 0, pair < 16 ? table[pair + 1] : 0);
    m_tlbwr(&cpu);
}

/* After VMM_FAULT: true when the instruction is to be run again. */
static bool exception(const char *what)
{
    const vmm_fault_t *f = &cpu.fault;
    printf("%-22s ExcCode %d%s, BadVAddr 0x%llx: %s\n", what, f->cause, f->code ? " at the refill vector" : "",
           (unsigned long long)f->vaddr, vmm_rule_text(f->rule));
    if (!f->code) return false;
    refill();
    return true;
}

static void load(const char *what, vmm_vaddr_t va)
{
    uint32_t word = 0;
    while (m_load32(&cpu, va, &word))
        if (!exception(what)) return;
    printf("%-22s done\n", what);
}

int main(void)
{
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    m_init(&cpu, &memory);
    table[4] = 8 << 6 | 4 | 2; /* page 4: frame 8, may be written */
    table[5] = 9 << 6 | 2;     /* page 5: frame 9, may not */

    load("kernel, kseg0", 0x80004000); /* not mapped: physical 0x4000 */
    m_set_mode(&cpu, 2, false);        /* user mode, ERL clear */
    load("user, kseg0", 0x80004000);
    load("page 4", 0x4000);
    load("page 5", 0x5000); /* the same entry */
    if (m_store32(&cpu, 0x5000, 1)) (void)exception("store to page 5");
    load("page 6", 0x6000); /* refilled with entries that are not valid */
    return 0;
}
