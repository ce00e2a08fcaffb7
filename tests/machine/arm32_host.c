/* arm32_host.c - the list of arm32_cases.h on an MMU of ours, compared with what the guest told.
 *
 *     arm32_host FILE NUMBER      NUMBER: of the line of TAP
 *
 * ARM32_STAGES and ARM32_STAGES_NAME choose the stages of the MMU and what they are called.
 *
 * Where QEMU is known to be wrong, what it does instead is predicted as well: an outcome passes when it is the
 * manual's, or exactly what the known wrongs make of it. IFSR has no domain: its bits 7:4 are not looked at. */
#define VMM_IMPLEMENTATION
#include "arm32_cases.h"
#include "vmm.h"

#ifndef ARM32_STAGES
#define ARM32_STAGES VMM_STAGES_FAST
#define ARM32_STAGES_NAME "fast stages"
#endif
VMM_MMU(arm, VMM_ARCH_ARM32, ARM32_STAGES)

static arm_mmu_t cpu;
static machine_totals_t totals;
static uint64_t ram[ARM32_RAM_BYTES / 8];

enum wrong {
    WRONG_DOMAIN,
    WRONG_MANAGER,
    WRONG_FLAG,
    WRONG_NEVER,
    WRONGS
};

static machine_known_t known[WRONGS] = {
    {"the domain is asked before the entry of the second level is read; the manual: after (DDI 0406, B3.12)", 0},
    {"a manager does not meet the access flag; the manual: whatever the domain is (B3.7.2, B3.19.5)", 0},
    {"the domain is asked before the access flag; the manual: after (B3.12)", 0},
    {"XN is asked before the access flag; the manual: rights come last (B3.12)", 0},
};

/* ---- one access -------------------------------------------------------------------------- */

static void set_registers(const arm32_case_t *c, uint32_t sctlr)
{
    arm_set_dacr(&cpu, arm32_dacr(c));
    (void)arm_set_ttbcr(&cpu, c->ttbcr);
    arm_set_sctlr(&cpu, sctlr | 1);
    (void)arm_set_pl(&cpu, c->user && c->kind == ARM32_FETCH ? 0 : 1);
    arm_set_unprivileged(&cpu, c->user && c->kind != ARM32_FETCH);
}

/* What brings the entries of a case into force. */
static void forget(const arm32_case_t *c)
{
    static const unsigned ops[] = {VMM_TLBIALL, VMM_TLBIMVA, VMM_TLBIASID, VMM_TLBIMVAA};
    const uint32_t page = arm32_va(c) & 0xfffff000;
    (void)arm_tlbi(&cpu, ops[c->forget], c->forget == ARM32_MVAA ? page : page | ARM32_SPACE);
}

static machine_outcome_t model(const arm32_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    uint32_t value = 0;
    vmm_status_t status;
    switch (c->kind) {
    case ARM32_WRITE: status = arm_store32(&cpu, arm32_va(c), c->value); break;
    case ARM32_FETCH:
        status = arm_fetch32(&cpu, arm32_va(c), &value);
        value &= 0xff; /* what the instruction loads */
        break;
    default: status = arm_load32(&cpu, arm32_va(c), &value); break;
    }
    o.value = value;
    if (status == VMM_OK) return o;
    o.code = cpu.fault.code;
    o.address = cpu.fault.vaddr;
    o.value = 0;
    return o;
}

static bool same(const machine_outcome_t *one, const machine_outcome_t *other)
{
    return one->code == other->code && one->address == other->address && one->value == other->value;
}

/* ---- what is known to be wrong ----------------------------------------------------------- */

/* What QEMU makes of a case, whose outcome by the manual is *ours; *wrong is the reason. */
static machine_outcome_t predict(const arm32_case_t *c, const machine_outcome_t *ours, unsigned *wrong)
{
    const unsigned status = ours->code & 0xf;
    const bool second = (c->one & 3) == 1, flag = status == 0x3 || status == 0x6;
    const unsigned domain = !second && (c->one & 0x40000) ? 0 : c->one >> 5 & 15,
                   field = arm32_dacr(c) >> 2 * domain & 3;
    const bool never = second ? (c->two & 2 ? c->two & 1 : c->two >> 15 & 1) : c->one >> 4 & 1;
    const bool pxn = c->one >> (second ? 2 : 0) & 1;
    machine_outcome_t o = *ours;
    *wrong = WRONGS;
    if (!ours->code || (!flag && status != 0x7 && status != 0xe)) return o;
    if (field == 0 || field == 2) {
        *wrong = flag ? WRONG_FLAG : WRONG_DOMAIN;
        o.code = (ours->code & ~0xfu) | (second ? 0xb : 0x9);
    } else if (flag && field == 3) {
        *wrong = WRONG_MANAGER;
        set_registers(c, c->sctlr & ~ARM32_AFE);
        o = model(c);
        set_registers(c, c->sctlr);
    } else if (flag && c->kind == ARM32_FETCH && (never || (pxn && !c->user))) {
        *wrong = WRONG_NEVER;
        o.code = second ? 0xf : 0xd;
    }
    return o;
}

/* The manual's word where QEMU goes against it, so that a model with the same wrong does not pass. */
static bool keeps_manual(const arm32_case_t *c, const machine_outcome_t *ours)
{
    const bool table = (c->one & 3) == 1, inside = (c->one & 0xffffc000) == ARM32_SECOND;
    const uint32_t flag = table ? c->two & 0x10 : c->one & 0x400;
    if ((c->ttbcr & 0x30) || (c->one & 3) == 0 || (c->va & 3) || (table && !inside)) return true;
    if (table && (c->two & 3) == 0) return (ours->code & 0xf) == 0x7;
    if ((c->sctlr & ARM32_AFE) && !flag) return (ours->code & 0xf) == (table ? 0x6 : 0x3);
    return (ours->code & 0xf) != 0x3 && (ours->code & 0xf) != 0x6;
}

/* ---- the list's own ---------------------------------------------------------------------- */

static void print_case(const arm32_case_t *c, const machine_outcome_t *ours, const machine_outcome_t *machine)
{
    static const char *const kinds[] = {"read", "write", "fetch"};
    printf("# case %lu of \"%s\": %s at %08" PRIx32 ", %s, first %08" PRIx32 ", second %08" PRIx32 ", DACR %08" PRIx32
           ", TTBCR %" PRIx32 ", SCTLR %08" PRIx32 "\n",
           totals.cases, totals.group, kinds[c->kind], arm32_va(c), c->user ? "user" : "PL1", c->one, c->two,
           arm32_dacr(c), c->ttbcr, c->sctlr);
    printf("#   vmm:     code %x at %" PRIx64 ", value %" PRIx64 ", rule %u\n", ours->code, ours->address, ours->value,
           ours->code ? cpu.fault.rule : 0u);
    printf("#   machine: code %x at %" PRIx64 ", value %" PRIx64 "\n", machine->code, machine->address, machine->value);
}

static void arm32_make(arm32_list_t *l, const arm32_case_t *c)
{
    machine_outcome_t ours, other, machine;
    unsigned wrong;
    if (!c->kept) arm32_lay(l, c);
    set_registers(c, c->sctlr);
    if (!c->kept) forget(c);
    ours = model(c);
    machine = machine_told(&totals, &l->scene);
    if (c->kind == ARM32_FETCH) machine.code &= ~0xf0u;
    totals.cases++;
    if (!keeps_manual(c, &ours)) {
        if (totals.wrong++ < 10) print_case(c, &ours, &machine);
        return;
    }
    if (same(&ours, &machine)) {
        totals.agree++;
        return;
    }
    other = predict(c, &ours, &wrong);
    if (wrong < WRONGS && same(&other, &machine)) {
        known[wrong].cases++;
        totals.known++;
    } else if (totals.wrong++ < 10) {
        print_case(c, &ours, &machine);
    }
}

static void arm32_group(arm32_list_t *l, const char *name)
{
    (void)l;
    machine_expect_group(&totals, name);
}

static void arm32_sum(arm32_list_t *l, uint32_t sum)
{
    (void)l;
    machine_expect_sum(&totals, sum);
}

int main(int count, char **arguments)
{
    static arm32_list_t list;
    const vmm_memory_t memory = {ram, ARM32_RAM, sizeof ram, {0, 0, 0}, 0};
    totals.file = count == 3 ? fopen(arguments[1], "r") : NULL;
    if (!totals.file || arm_init(&cpu, &memory) != VMM_OK) return 2;
    totals.number = (unsigned)strtoul(arguments[2], NULL, 0);
    list.scene.ram = (uint8_t *)ram;
    list.scene.base = ARM32_RAM;
    arm32_start_memory(&list);
    arm_set_ttbr0(&cpu, ARM32_FIRST);
    arm_set_ttbr1(&cpu, ARM32_OTHER);
    arm_set_contextidr(&cpu, ARM32_SPACE);
    arm32_all(&list);
    machine_expect(&totals, "#end", "");
    if (cpu.stats.stale) {
        printf("# the missing-flush detector saw %" PRIu64 " stale hits\n", cpu.stats.stale);
        totals.wrong++;
    }
    return machine_conclude(&totals, totals.number, "ARMv7-A short descriptors, " ARM32_STAGES_NAME, known, WRONGS);
}
