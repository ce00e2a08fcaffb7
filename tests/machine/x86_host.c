/* x86_host.c - the list of x86_cases.h on an MMU of ours, compared with what the guest told.
 *
 *     x86_host MODE FILE NUMBER      MODE: enum x86_mode; NUMBER: of the line of TAP
 *
 * X86_STAGES and X86_STAGES_NAME choose the stages of the MMU and what they are called.
 *
 * Where QEMU is known to be wrong, what it does instead is predicted as well: an outcome passes when it is the
 * manual's, or exactly what the known wrongs make of it. */
#define VMM_IMPLEMENTATION
#include "x86_cases.h"

#ifndef X86_STAGES
#define X86_STAGES VMM_STAGES_FAST
#define X86_STAGES_NAME "front"
#endif
VMM_MMU(pc, VMM_ARCH_X86, X86_STAGES)

static const char *const names[] = {"x86 two-level, " X86_STAGES_NAME, "x86 two-level with PSE, " X86_STAGES_NAME,
                                    "x86 PAE, " X86_STAGES_NAME, "x86 four-level, " X86_STAGES_NAME,
                                    "x86 five-level, " X86_STAGES_NAME};
static pc_mmu_t cpu;
static machine_totals_t totals;
static uint64_t low[0x4000000 / 8], high[X86_ZONE_BYTES / 8];

/* ---- memory ------------------------------------------------------------------------------ */

static uint8_t *x86_zone(x86_list_t *l, uint64_t paddr)
{
    (void)l;
    return paddr >= X86_HIGH ? (uint8_t *)high + (paddr - X86_HIGH) : (uint8_t *)low + paddr;
}

/* The high zone; elsewhere reads give zeros and writes are lost, as on the machine. */
static int bus_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    (void)user;
    *value = 0;
    if (paddr - X86_HIGH < sizeof high) memcpy(value, (uint8_t *)high + (paddr - X86_HIGH), bytes);
    return 0;
}

static int bus_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    (void)user;
    if (paddr - X86_HIGH < sizeof high) memcpy((uint8_t *)high + (paddr - X86_HIGH), &value, bytes);
    return 0;
}

/* ---- one access -------------------------------------------------------------------------- */

/* The first register that refuses its value ends it. */
static vmm_status_t set_registers(const x86_list_t *l, const x86_case_t *c)
{
    const uint32_t s = c->switches;
    const uint64_t fixed = l->mode == X86_FIVE ? 0x1020 : l->mode >= X86_PAE ? 0x20 : 0;
    const uint64_t cr4 = fixed | (s & X86_PSE ? 0x10 : 0) | (s & X86_PGE ? 0x80 : 0) | (s & X86_SMEP ? 0x100000 : 0) |
                         (s & X86_SMAP ? 0x200000 : 0) | (s & X86_PKE ? 0x400000 : 0) | (s & X86_PKS ? 0x1000000 : 0);
    const uint64_t cr0 = 0x80000011 | (s & X86_WP ? 0x10000 : 0);
    const uint64_t efer = (x86_is_long(l) ? 0x100 : 0) | (s & X86_NXE ? 0x800 : 0);
    vmm_status_t status = pc_set_cr4(&cpu, cr4);
    if (status == VMM_OK) status = pc_set_efer(&cpu, efer);
    if (status == VMM_OK) status = pc_set_cr0(&cpu, cr0);
    pc_set_pkru(&cpu, c->pkru);
    pc_set_pkrs(&cpu, c->pkrs);
    pc_set_ac(&cpu, (s & X86_AC) != 0);
    pc_set_implicit(&cpu, c->kind == X86_IMPLICIT);
    return status == VMM_OK ? pc_set_cpl(&cpu, c->cpl) : status;
}

static vmm_status_t load(const x86_case_t *c, uint64_t *value)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    vmm_status_t status;
    switch (c->bytes) {
    case 1:
        status = pc_load8(&cpu, c->va, &v8);
        *value = v8;
        return status;
    case 2:
        status = pc_load16(&cpu, c->va, &v16);
        *value = v16;
        return status;
    case 4:
        status = pc_load32(&cpu, c->va, &v32);
        *value = v32;
        return status;
    default: return pc_load64(&cpu, c->va, value);
    }
}

static vmm_status_t store(const x86_case_t *c)
{
    switch (c->bytes) {
    case 1: return pc_store8(&cpu, c->va, (uint8_t)c->value);
    case 2: return pc_store16(&cpu, c->va, (uint16_t)c->value);
    case 4: return pc_store32(&cpu, c->va, (uint32_t)c->value);
    default: return pc_store64(&cpu, c->va, c->value);
    }
}

/* The instruction at the address, and what it makes of EAX. */
static vmm_status_t fetch(const x86_case_t *c, uint64_t *eax)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint64_t v64 = 0;
    vmm_status_t status;
    switch (c->bytes) {
    case 1: return pc_fetch8(&cpu, c->va, &v8);
    case 2:
        status = pc_fetch16(&cpu, c->va, &v16);
        *eax = v16 >> 8;
        return status;
    default:
        status = pc_fetch64(&cpu, c->va, &v64);
        *eax = (v64 >> 8) & 0xffffffff;
        return status;
    }
}

static machine_outcome_t fault_of_cpu(void)
{
    machine_outcome_t o = {0, 0, 0};
    o.code = (uint32_t)cpu.fault.cause << 8 | cpu.fault.code;
    o.address = cpu.fault.cause == 14 ? cpu.fault.vaddr : 0;
    return o;
}

static void x86_forget(x86_list_t *l)
{
    const uint64_t cr4 = cpu.registers.cr4;
    (void)l;
    pc_set_cr4(&cpu, cr4 ^ 0x80);
    pc_set_cr4(&cpu, cr4);
}

/* Brings the entries in memory into force. */
static vmm_status_t flush(x86_list_t *l, const x86_case_t *c)
{
    if (c->scene == X86_STEP) return VMM_OK;
    if (c->flush == X86_BY_CR3) return pc_set_cr3(&cpu, x86_cr3(l));
    if (c->flush == X86_BY_PGE) x86_forget(l);
    else pc_invlpg(&cpu, c->flush == X86_BY_OTHER ? x86_other(c) : c->va);
    return VMM_OK;
}

/* The case as our model sees it. */
static machine_outcome_t model(x86_list_t *l, const x86_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    uint32_t found = 0;
    vmm_status_t status;
    if (flush(l, c) != VMM_OK) return fault_of_cpu();
    switch (c->kind) {
    case X86_WRITE: status = store(c); break;
    case X86_FETCH: status = fetch(c, &o.value); break;
    case X86_RMW: status = pc_cas32(&cpu, c->va, (uint32_t)c->expected, (uint32_t)c->value, &found); break;
    default: status = load(c, &o.value); break;
    }
    if (status != VMM_OK) return fault_of_cpu();
    if (c->kind == X86_WRITE || c->kind == X86_RMW) o.value = x86_landed(l, c);
    if (c->kind == X86_IMPLICIT) o.value = 0;
    return o;
}

/* ---- what is known to be wrong ----------------------------------------------------------- */

enum wrong {
    WRONG_PRESENT,
    WRONG_PDPTE,
    WRONG_KEY,
    WRONG_AC,
    WRONG_CANONICAL,
    WRONG_TABLE,
    WRONGS
};

static machine_known_t known[WRONGS] = {
    {"a fault on a reserved bit lacks the present bit; the manual: RSVD only together with P (SDM 4.7)", 0},
    {"PAE's PDPTEs are not checked by the load of CR3, which should raise #GP(0) (SDM 4.4.1)", 0},
    {"PK is not told of ring 3 and a supervisor page; the manual: whenever a key refuses (SDM, interrupt 14)", 0},
    {"EFLAGS.AC lets an implicit supervisor access use a user page; the manual: explicit ones alone (SDM 4.6.1)", 0},
    {"the first page's fault is told before #GP of a second one that is not canonical (SDM 3.3.7.1)", 0},
    {"a table out of memory reads as zeros, so that its entries are not present; ours is an access fault", 0},
};

/* Marks in which the manual leaves a choice, or QEMU takes one. */
static unsigned long marks_in_huge, marks_in_pdpte;

/* The words as they were before, so that another outcome can be tried. */
static void rewind_words(x86_list_t *l)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++)
        machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, l->scene.word[i].before);
    pc_flush_all(&cpu);
}

/* Level of the table that a word lies in. */
static unsigned level_of(const x86_list_t *l, uint64_t paddr)
{
    return paddr < X86_TABLES + 4096 ? l->top : (unsigned)((paddr - X86_TABLES) / 4096 - 1) / 2;
}

/* Whether the machine told the outcome o and left the words as they are now. Two liberties with the accessed bit are
 * taken: QEMU sets it in PDPTEs; and in a leaf of 1 GiB that refuses the access, which the manual leaves open (SDM,
 * interrupt 14, on page-level protection). */
static bool same(const x86_list_t *l, const machine_outcome_t *o, const machine_outcome_t *machine,
                 const uint64_t *told)
{
    bool huge = false, pdpte = false;
    unsigned i;
    if (o->code != machine->code || o->address != machine->address || o->value != machine->value) return false;
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        const uint64_t now = machine_peek(&l->scene, w->paddr, w->bytes);
        const unsigned level = level_of(l, w->paddr);
        if (now == told[i]) continue;
        if (told[i] != (now | X86_A)) return false;
        if (l->mode == X86_PAE && level == 2) pdpte = true;
        else if (o->code >> 8 == 14 && level == 2 && cpu.fault.level == 2) huge = true;
        else return false;
    }
    marks_in_huge += huge;
    marks_in_pdpte += pdpte;
    return true;
}

/* What the error code says of the access alone. */
static uint32_t access_bits(const x86_list_t *l, const x86_case_t *c)
{
    const bool telling = (c->switches & X86_SMEP) || (l->mode >= X86_PAE && (c->switches & X86_NXE));
    return (c->kind == X86_WRITE || c->kind == X86_RMW ? 2u : 0u) | (c->cpl == 3 && c->kind != X86_IMPLICIT ? 4u : 0u) |
           (c->kind == X86_FETCH && telling ? 16u : 0u);
}

/* PDPTEs that the manual refuses to load: QEMU walks through them. It looks at bits from the physical width up alone,
 * when it gets there. Returns whether there was such an entry; *refused is the page whose walk ends there, or 2. */
static bool strip_pdptes(x86_list_t *l, unsigned *refused)
{
    const uint64_t checked = ~x86_low(X86_PADDR_BITS), ignored = 0x1e6;
    bool found = false;
    unsigned i, page = 0;
    *refused = 2;
    for (i = 0; l->mode == X86_PAE && i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (level_of(l, w->paddr) != 2) continue;
        if ((w->before & X86_P) && (w->before & (checked | ignored))) {
            machine_poke(&l->scene, w->paddr, 8, w->before & ~(checked | ignored));
            if (*refused == 2 && (w->before & checked)) *refused = page;
            found = true;
        }
        page++;
    }
    return found;
}

/* The PDPTEs are loaded: back to what they were. */
static void restore_pdptes(x86_list_t *l)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++)
        if (level_of(l, l->scene.word[i].paddr) == 2)
            machine_poke(&l->scene, l->scene.word[i].paddr, 8, l->scene.word[i].before);
}

/* The access to the first page alone, and where that succeeds `otherwise`. */
static machine_outcome_t first_page(x86_list_t *l, const x86_case_t *c, machine_outcome_t otherwise)
{
    x86_case_t first = *c;
    machine_outcome_t o;
    const unsigned level = cpu.fault.level;
    unsigned page;
    first.bytes = 1;
    rewind_words(l);
    strip_pdptes(l, &page);
    o = model(l, &first);
    if (o.code) return o;
    cpu.fault.level = (uint8_t)level;
    return otherwise;
}

/* What QEMU makes of a case, by all that is known to be wrong with it; *wrong is the foremost reason, if any. */
static machine_outcome_t predict(x86_list_t *l, const x86_case_t *c, unsigned *wrong)
{
    machine_outcome_t o, refusal = {0, 0, 0};
    x86_case_t other = *c;
    unsigned refused;
    *wrong = strip_pdptes(l, &refused) ? WRONG_PDPTE : WRONGS;
    if (c->kind == X86_IMPLICIT && c->cpl < 3 && (c->switches & X86_AC)) {
        other.switches &= ~(uint32_t)X86_SMAP;
        *wrong = WRONG_AC;
    }
    set_registers(l, &other);
    o = model(l, &other);
    refusal.code = 0xe09 | access_bits(l, c);
    refusal.address = refused ? x86_next(l, c->va) : c->va;
    if (refused < 2) cpu.fault.level = 2;
    if (refused == 0) {
        rewind_words(l);
        o = refusal;
    } else if (refused == 1) {
        o = first_page(l, &other, refusal);
    } else if (o.code >> 8 == 13 && x86_crosses(c) && x86_canonical(l, c->va) == c->va) {
        o = first_page(l, &other, o);
        *wrong = WRONG_CANONICAL;
    }
    if (*wrong == WRONG_PDPTE) restore_pdptes(l);
    if (o.code && cpu.fault.rule == VMM_RULE_TABLE_MEMORY) {
        o.code = 0xe00 | access_bits(l, c);
        o.address = cpu.fault.vaddr;
        *wrong = WRONG_TABLE;
    }
    if ((o.code & 0xf25) == 0xe25 && cpu.fault.rule == VMM_RULE_SUPERVISOR_PAGE) {
        o.code &= ~UINT32_C(0x20);
        *wrong = WRONG_KEY;
    }
    if ((o.code & 0xf08) == 0xe08) {
        o.code &= ~1u;
        if (*wrong == WRONGS) *wrong = WRONG_PRESENT;
    }
    return o;
}

/* Which wrong explains what the machine told, or WRONGS. Our outcome must be what a fresh walk makes of the case, too:
 * otherwise a wrong of QEMU's would excuse any of ours. */
static unsigned explained(x86_list_t *l, const x86_case_t *c, const machine_outcome_t *ours,
                          const machine_outcome_t *machine, const uint64_t *told)
{
    machine_outcome_t o;
    unsigned i, wrong;
    rewind_words(l);
    o = model(l, c);
    if (o.code != ours->code || o.address != ours->address || o.value != ours->value) return WRONGS;
    for (i = 0; i < l->scene.words; i++)
        if (machine_peek(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes) != l->scene.word[i].after)
            return WRONGS;
    rewind_words(l);
    o = predict(l, c, &wrong);
    return same(l, &o, machine, told) ? wrong : WRONGS;
}

/* The manual's word where QEMU goes against it, so that a model with the same wrong does not pass. */
static bool keeps_manual(const x86_list_t *l, const x86_case_t *c, const machine_outcome_t *ours)
{
    const uint64_t last = c->va + c->bytes - 1;
    uint64_t all = X86_US;
    unsigned i;
    if ((ours->code & 0xf09) == 0xe08) return false;
    for (i = 0; c->scene == X86_CHAIN && l->mode == X86_PAE && i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (level_of(l, w->paddr) == 2 && (w->before & X86_P) && (w->before & (0x1e6 | ~x86_low(X86_PADDR_BITS))))
            return ours->code == 0xd00;
    }
    if (x86_is_long(l) && c->kind != X86_FETCH && x86_canonical(l, last) != last) return ours->code == 0xd00;
    for (i = c->leaf[0]; i <= l->top; i++) all &= l->mode == X86_PAE && i == 2 ? all : c->entry[0][i];
    return c->kind != X86_IMPLICIT || !(c->switches & X86_SMAP) || !all || ours->code;
}

/* ---- the list's own ---------------------------------------------------------------------- */

static void print_case(const x86_list_t *l, const x86_case_t *c, const machine_outcome_t *ours,
                       const machine_outcome_t *machine, const uint64_t *told)
{
    static const char *const kinds[] = {"read", "write", "fetch", "cmpxchg", "implicit read"};
    static const char *const switches[] = {"WP", "SMEP", "SMAP", "AC", "NXE", "PKE", "PKS", "PGE", "PSE"};
    unsigned i;
    printf("# case %lu of \"%s\": %s of %u at %" PRIx64 ", ring %u, PKRU %" PRIx32 ", PKRS %" PRIx32, totals.cases,
           totals.group, kinds[c->kind], c->bytes, c->va, c->cpl, c->pkru, c->pkrs);
    for (i = 0; i < sizeof switches / sizeof *switches; i++)
        if ((c->switches >> i) & 1) printf(" %s", switches[i]);
    printf("\n#   vmm:     code %x at %" PRIx64 ", value %" PRIx64 ", rule %u, level %u, entry %" PRIx64 "\n",
           ours->code, ours->address, ours->value, ours->code ? cpu.fault.rule : 0u, ours->code ? cpu.fault.level : 0u,
           ours->code ? cpu.fault.pte : 0);
    printf("#   machine: code %x at %" PRIx64 ", value %" PRIx64 "\n", machine->code, machine->address, machine->value);
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (l->scene.words < 12 || w->before != w->after || w->before != told[i])
            printf("#   %10" PRIx64 ": %" PRIx64 ", vmm leaves %" PRIx64 ", the machine %" PRIx64 "\n", w->paddr,
                   w->before, w->after, told[i]);
    }
}

/* Compares the case with the line that the guest told. */
static void compare(x86_list_t *l, const x86_case_t *c, const machine_outcome_t *ours)
{
    uint64_t told[MACHINE_WORDS];
    const machine_outcome_t machine = machine_told(&totals, &l->scene);
    const vmm_fault_t fault = cpu.fault;
    unsigned i, wrong;
    for (i = 0; i < l->scene.words; i++) told[i] = l->scene.word[i].after;
    totals.cases++;
    if (!keeps_manual(l, c, ours)) {
        if (totals.wrong++ < 10) print_case(l, c, ours, &machine, told);
    } else if (same(l, ours, &machine, told)) {
        totals.agree++;
    } else {
        machine_after(&l->scene);
        wrong = explained(l, c, ours, &machine, told);
        cpu.fault = fault;
        if (wrong < WRONGS) {
            known[wrong].cases++;
            totals.known++;
        } else if (totals.wrong++ < 10) {
            print_case(l, c, ours, &machine, told);
        }
    }
    /* Go on from where the machine is, but for what would not load. */
    for (i = 0; c->scene != X86_CHAIN && i < l->scene.words; i++) {
        const bool pdpte = l->mode == X86_PAE && level_of(l, l->scene.word[i].paddr) == 2;
        if (!pdpte) machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, told[i]);
    }
}

static void x86_make(x86_list_t *l, const x86_case_t *c)
{
    machine_outcome_t ours;
    if (set_registers(l, c) != VMM_OK) {
        printf("not ok 1 - the model takes the registers of a case\n# case %lu of \"%s\"\n1..1\n", totals.cases,
               totals.group);
        exit(1);
    }
    if (c->scene == X86_CHAIN) x86_lay(l, c);
    machine_before(&l->scene);
    ours = model(l, c);
    compare(l, c, &ours);
    x86_repair(l, c);
    if (!c->keep) x86_clear(l);
}

static void x86_group(x86_list_t *l, const char *name)
{
    (void)l;
    machine_expect_group(&totals, name);
}

static void x86_sum(x86_list_t *l, uint32_t sum)
{
    (void)l;
    machine_expect_sum(&totals, sum);
}

/* Paging on, in the order that the manual asks for. */
static bool start(const x86_list_t *l)
{
    const uint64_t cr4 = l->mode == X86_FIVE ? 0x1020 : l->mode >= X86_PAE ? 0x20 : 0;
    return pc_set_cr4(&cpu, cr4) == VMM_OK && pc_set_efer(&cpu, x86_is_long(l) ? 0x100 : 0) == VMM_OK &&
           pc_set_cr3(&cpu, x86_cr3(l)) == VMM_OK && pc_set_cr0(&cpu, 0x80000011) == VMM_OK;
}

int main(int count, char **arguments)
{
    static x86_list_t list;
    const vmm_memory_t memory = {low, 0, sizeof low, {bus_read, bus_write, NULL}, X86_PADDR_BITS};
    const unsigned mode = count == 4 ? (unsigned)strtoul(arguments[1], NULL, 0) : X86_MODES;
    int status;
    if (mode >= X86_MODES) return 2;
    totals.file = fopen(arguments[2], "r");
    x86_open(&list, mode);
    list.scene.ram = (uint8_t *)low + X86_TABLES;
    if (!totals.file || pc_init(&cpu, &memory) != VMM_OK || !start(&list)) return 2;
    x86_fill_zone(&list, X86_LOW);
    x86_fill_zone(&list, X86_HIGH);
    x86_all(&list);
    machine_expect_sum(&totals, x86_zone_sum(&list, X86_LOW));
    if (mode != X86_TWO) machine_expect_sum(&totals, x86_zone_sum(&list, X86_HIGH));
    machine_expect(&totals, "#end", "");
    if (cpu.stats.stale) {
        printf("# the missing-flush detector saw %" PRIu64 " stale hits\n", cpu.stats.stale);
        totals.wrong++;
    }
    status = machine_conclude(&totals, (unsigned)strtoul(arguments[3], NULL, 0), names[mode], known, WRONGS);
    if (x86_is_long(&list))
        printf("# %6lu  1 GiB leaves with an accessed bit though they refuse: left open (SDM, interrupt 14)\n",
               marks_in_huge);
    if (mode == X86_PAE) printf("# %6lu  PDPTEs with an accessed bit written into them (SDM 4.4.1)\n", marks_in_pdpte);
    return status;
}
