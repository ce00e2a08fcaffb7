/* riscv_host.c - the list of riscv_cases.h on an MMU of ours, compared with what the guest told.
 *
 *     riscv_host RUN FILE NUMBER      RUN: satp.MODE and RISCV_PLAIN; NUMBER: of the line of TAP
 *
 * Compiled with RISCV_XLEN 32 or 64, and RISCV_STAGES for other stages than the fast ones. Where QEMU is known to be wrong, what it does instead is predicted as well: an
 * outcome passes when it is the manual's, or exactly what a known wrong makes of it. */
#define VMM_IMPLEMENTATION
#include "riscv_cases.h"

#ifndef RISCV_STAGES
#define RISCV_STAGES VMM_STAGES_FAST
#endif
#if RISCV_XLEN == 32
VMM_MMU(rv, VMM_ARCH_RISCV32, RISCV_STAGES)
#else
VMM_MMU(rv, VMM_ARCH_RISCV64, RISCV_STAGES)
#endif

static rv_mmu_t hart;
static machine_totals_t totals;
static vmm_fault_t reason; /* of what is printed */

/* ---- one access -------------------------------------------------------------------------- */

static vmm_status_t load(uint64_t va, unsigned bytes, uint64_t *value)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    vmm_status_t status;
    switch (bytes) {
    case 1:
        status = rv_load8(&hart, va, &v8);
        *value = v8;
        return status;
    case 2:
        status = rv_load16(&hart, va, &v16);
        *value = v16;
        return status;
    case 4:
        status = rv_load32(&hart, va, &v32);
        *value = v32;
        return status;
    default: return rv_load64(&hart, va, value);
    }
}

static vmm_status_t store(uint64_t va, unsigned bytes, uint64_t data)
{
    switch (bytes) {
    case 1: return rv_store8(&hart, va, (uint8_t)data);
    case 2: return rv_store16(&hart, va, (uint16_t)data);
    case 4: return rv_store32(&hart, va, (uint32_t)data);
    default: return rv_store64(&hart, va, data);
    }
}

/* The first exchange reads, and changes nothing. */
static vmm_status_t swap(uint64_t va, unsigned bytes, uint64_t data, uint64_t *value)
{
    uint32_t v32 = 0;
    vmm_status_t status;
    if (bytes == 4) {
        status = rv_cas32(&hart, va, 0, 0, &v32);
        if (status == VMM_OK) status = rv_cas32(&hart, va, v32, (uint32_t)data, &v32);
        *value = v32;
        return status;
    }
    status = rv_cas64(&hart, va, 0, 0, value);
    return status == VMM_OK ? rv_cas64(&hart, va, *value, data, value) : status;
}

/* That SC was done shows in memory. */
static vmm_status_t pair(uint64_t va, unsigned bytes, uint64_t data, uint64_t *value)
{
    uint32_t v32 = 0;
    bool done;
    vmm_status_t status;
    if (bytes == 4) {
        status = rv_lr32(&hart, va, &v32);
        *value = v32;
        return status == VMM_OK ? rv_sc32(&hart, va, (uint32_t)data, &done) : status;
    }
    status = rv_lr64(&hart, va, value);
    return status == VMM_OK ? rv_sc64(&hart, va, data, &done) : status;
}

/* The instruction at va, and what it makes of a0. */
static vmm_status_t fetch(uint64_t va, uint64_t *a0)
{
    uint32_t word = 0;
    const vmm_status_t status = rv_fetch32(&hart, va, &word);
    *a0 = (word & 0xfffu) == 0x537u ? word & 0xfffff000u : 0;
    return status;
}

static void set_registers(const riscv_list_t *l)
{
    rv_set_satp(&hart, l->satp);
    rv_set_privilege(&hart, l->access == RISCV_FETCH ? l->privilege : 3);
    rv_set_mstatus(&hart, (uint64_t)l->privilege << 11 | (uint64_t)(l->access != RISCV_FETCH) << 17 |
                              (uint64_t)l->sum << 18 | (uint64_t)l->mxr << 19);
    if (hart.registers.menvcfg != (uint64_t)l->pbmte << 62) rv_set_menvcfg(&hart, (uint64_t)l->pbmte << 62);
}

/* The access that the list is at. */
static machine_outcome_t model(riscv_list_t *l)
{
    machine_outcome_t o = {0, 0, 0};
    vmm_status_t status;
    set_registers(l);
    if (l->fence) rv_flush_all(&hart);
    switch (l->access) {
    case RISCV_LOAD: status = load(l->va, l->bytes, &o.value); break;
    case RISCV_STORE: status = store(l->va, l->bytes, l->data); break;
    case RISCV_FETCH: status = fetch(l->va, &o.value); break;
    case RISCV_AMO: status = swap(l->va, l->bytes, l->data, &o.value); break;
    default: status = pair(l->va, l->bytes, l->data, &o.value); break;
    }
    if (status == VMM_OK) return o;
    o.code = hart.fault.cause;
    o.address = hart.fault.vaddr;
    o.value = 0;
    return o;
}

/* ---- what is known to be wrong ----------------------------------------------------------- */

enum wrong {
    WRONG_TABLE,
    WRONG_RESERVED,
    WRONG_TYPE,
    WRONG_PBMTE,
    WRONG_CUT,
    WRONG_NAPOT,
    WRONG_AMO,
    WRONG_ROUNDED,
    WRONG_SEVERAL,
    WRONGS
};

static machine_known_t known[WRONGS] = {
    {"a table out of memory is told as a page fault, not as an access fault (translation process, step 2)", 0},
    {"the reserved bits 60:54 of an entry are not looked at (step 3)", 0},
    {"the reserved memory type 3 is taken (Svpbmt)", 0},
    {"memory types are taken though menvcfg.PBMTE is clear", 0},
    {"bits 33:32 of a physical address are dropped where a leaf of Sv32 has them", 0},
    {"a leaf with a reserved N is marked before it faults (Svnapot; step 3 is before step 9)", 0},
    {"an AMO is first judged as a load: it tells 13 or 5, never to be told of an AMO, or leaves an A (15, 7)", 0},
    {"a misaligned load from where nothing is tells its address rounded down, not that of its first byte", 0},
    {"several of these at once", 0},
};

/* What lay where a store that was tried has gone: the 16 bytes around its first and its last byte. */
static struct {
    uint64_t paddr[2], bytes[2][2];
} undo;

/* Called before a store is tried. Where it cannot go there is nothing to undo. */
static void remember(const riscv_list_t *l)
{
    vmm_translation_t t;
    unsigned i;
    for (i = 0; i < 2; i++) {
        undo.paddr[i] = 0;
        if (rv_translate(&hart, l->va + i * (l->bytes - 1u), VMM_WRITE, &t)) return;
        if (t.paddr < RISCV_RAM || t.paddr >= RISCV_END) continue;
        undo.paddr[i] = t.paddr & ~UINT64_C(15);
        undo.bytes[i][0] = machine_peek(&l->scene, undo.paddr[i], 8);
        undo.bytes[i][1] = machine_peek(&l->scene, undo.paddr[i] + 8, 8);
    }
}

static void take_back(riscv_list_t *l)
{
    unsigned i;
    for (i = 0; i < 2; i++) {
        if (!undo.paddr[i]) continue;
        machine_poke(&l->scene, undo.paddr[i], 8, undo.bytes[i][0]);
        machine_poke(&l->scene, undo.paddr[i] + 8, 8, undo.bytes[i][1]);
        undo.paddr[i] = 0;
    }
}

/* The words as they were before, so that another outcome can be tried. */
static void rewind_words(riscv_list_t *l)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++)
        machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, l->scene.word[i].before);
    rv_flush_all(&hart);
}

/* The bits of an entry that a machine with these wrongs does not see. */
static uint64_t unseen(uint64_t pte, bool pbmte, unsigned wrongs)
{
    const bool leaf = (pte & (RISCV_R | RISCV_X)) != 0;
    uint64_t bits = 0;
    if (!(pte & RISCV_V)) return 0;
    if (RISCV_XLEN == 32) return wrongs & 1u << WRONG_CUT && leaf ? pte & 0xc0000000u : 0;
    if (wrongs & 1u << WRONG_RESERVED) bits |= pte & VMM_RISCV_RESERVED;
    if (wrongs & 1u << WRONG_TYPE && leaf && pbmte && (pte & VMM_RISCV_PBMT) == VMM_RISCV_PBMT) bits |= VMM_RISCV_PBMT;
    if (wrongs & 1u << WRONG_PBMTE && leaf && !pbmte) bits |= pte & VMM_RISCV_PBMT;
    if (wrongs & 1u << WRONG_NAPOT && leaf && (pte >> 10 & 15) != 8) bits |= pte & VMM_RISCV_N;
    return bits;
}

/* Takes those bits out of the entries, or puts them back. */
static void toggle_unseen(riscv_list_t *l, unsigned wrongs)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (w->paddr < RISCV_DATA)
            machine_poke(&l->scene, w->paddr, w->bytes,
                         machine_peek(&l->scene, w->paddr, w->bytes) ^ unseen(w->before, l->pbmte, wrongs));
    }
    rv_flush_all(&hart);
}

static bool fault_here(const machine_outcome_t *o, unsigned rule)
{
    return o->code && hart.fault.rule == rule;
}

static uint32_t page_fault_of(unsigned access)
{
    return access == RISCV_FETCH ? 12 : access == RISCV_LOAD || access == RISCV_LRSC ? 13 : 15;
}

/* The load of the list, as wide, or of its first byte: how a machine may begin another access. */
static machine_outcome_t first_load(riscv_list_t *l, bool whole)
{
    const unsigned access = l->access, bytes = l->bytes;
    machine_outcome_t o;
    l->access = RISCV_LOAD;
    l->bytes = whole ? bytes : 1;
    o = model(l);
    l->access = access;
    l->bytes = bytes;
    return o;
}

/* What a machine with these wrongs would do. A load across two pages it does page by page, so that nothing behind the
 * first is told before the second is translated: the manual leaves that order open. */
static machine_outcome_t mistaken(riscv_list_t *l, unsigned wrongs)
{
    machine_outcome_t o = {0, 0, 0};
    take_back(l);
    rewind_words(l);
    toggle_unseen(l, wrongs);
    set_registers(l);
    if (l->access == RISCV_STORE) remember(l);
    if (wrongs & 1u << WRONG_AMO && l->access == RISCV_AMO) o = first_load(l, true);
    if (wrongs & 1u << WRONG_ROUNDED && l->access == RISCV_LOAD) o = first_load(l, false);
    if (o.code == 0) o = model(l);
    if (wrongs & 1u << WRONG_TABLE && fault_here(&o, VMM_RULE_TABLE_MEMORY)) o.code = o.code == 1 ? 12 : o.code + 8;
    if (wrongs & 1u << WRONG_ROUNDED && l->access == RISCV_LOAD && o.address == l->va && fault_here(&o, VMM_RULE_BUS))
        o.address &= ~(uint64_t)(l->bytes - 1);
    if (wrongs & 1u << WRONG_NAPOT && (o.code == 0 || fault_here(&o, VMM_RULE_BUS))) {
        o.code = page_fault_of(l->access);
        o.address = l->va;
        o.value = 0;
        take_back(l);
    }
    toggle_unseen(l, wrongs);
    return o;
}

/* What the machine told: its outcome, and its words in `told`. */
static bool same(const riscv_list_t *l, const machine_outcome_t *a, const machine_outcome_t *b, const uint64_t *told)
{
    unsigned i;
    if (a->code != b->code || a->address != b->address || a->value != b->value) return false;
    for (i = 0; i < l->scene.words; i++)
        if (machine_peek(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes) != told[i]) return false;
    return true;
}

/* Which wrong explains it, or WRONGS: one alone, or all together, with a reserved N and without, for what is overlooked
 * there is a page fault anyway, as it must be with us. None does when the tables alone, walked once more, give what
 * the machine told: then ours had remembered something that it should not. */
static unsigned explained(riscv_list_t *l, const machine_outcome_t *ours, const machine_outcome_t *machine,
                          const uint64_t *told)
{
    const unsigned napot = 1u << WRONG_NAPOT, all = (1u << WRONG_SEVERAL) - 1u;
    const bool page_fault = ours->code == page_fault_of(l->access);
    machine_outcome_t o = mistaken(l, 0);
    unsigned wrong;
    if (same(l, &o, machine, told)) return WRONGS;
    for (wrong = 0; wrong < WRONGS + 1u; wrong++) {
        const unsigned wrongs = wrong < WRONG_SEVERAL ? 1u << wrong : wrong == WRONG_SEVERAL ? all - napot : all;
        if (wrongs & napot && !page_fault) continue;
        o = mistaken(l, wrongs);
        if (same(l, &o, machine, told)) return wrong < WRONG_SEVERAL ? wrong : WRONG_SEVERAL;
    }
    take_back(l);
    return WRONGS;
}

/* What the list asks for, because the machine is known to be wrong there: ours must not agree with that. */
static bool as_asked(const riscv_list_t *l, const machine_outcome_t *ours)
{
    static const uint32_t codes[3][3] = {{0, 0, 0}, {13, 15, 12}, {5, 7, 1}};
    const unsigned asked = l->privilege < 2 ? l->asked[l->privilege] : RISCV_ANYTHING;
    if (l->access == RISCV_AMO) return ours->code == 0 || ours->code == 7 || ours->code == 15;
    return asked == RISCV_ANYTHING || ours->code == codes[asked][l->access];
}

/* ---- the list's own ---------------------------------------------------------------------- */

static void print_case(const riscv_list_t *l, const machine_outcome_t *ours, const machine_outcome_t *machine,
                       const uint64_t *told)
{
    static const char *const names[] = {"load", "store", "fetch", "amoswap", "lr/sc"};
    unsigned i;
    printf("# case %lu of \"%s\": %s of %u at %" PRIx64 ", privilege %u%s%s%s, satp %" PRIx64 "\n", totals.cases,
           totals.group, names[l->access], l->bytes, l->va, l->privilege, l->sum ? " SUM" : "", l->mxr ? " MXR" : "",
           l->pbmte ? " PBMTE" : "", l->satp);
    printf("#   vmm:     code %x at %" PRIx64 ", value %" PRIx64 ", rule %u, entry %" PRIx64 "\n", ours->code,
           ours->address, ours->value, ours->code ? reason.rule : 0, ours->code ? reason.pte : 0);
    printf("#   machine: code %x at %" PRIx64 ", value %" PRIx64 "\n", machine->code, machine->address, machine->value);
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (l->scene.words < 12 || w->before != w->after || w->before != told[i])
            printf("#   %10" PRIx64 ": %" PRIx64 ", vmm leaves %" PRIx64 ", the machine %" PRIx64 "\n", w->paddr,
                   w->before, w->after, told[i]);
    }
}

static void riscv_attempt(riscv_list_t *l)
{
    uint64_t told[MACHINE_WORDS];
    machine_outcome_t ours, machine;
    unsigned i, wrong;
    bool asked;
    machine_before(&l->scene);
    machine = machine_told(&totals, &l->scene);
    for (i = 0; i < l->scene.words; i++) told[i] = l->scene.word[i].after;
    totals.cases++;
    ours = model(l);
    asked = as_asked(l, &ours);
    if (asked && same(l, &ours, &machine, told)) {
        totals.agree++;
        return;
    }
    machine_after(&l->scene);
    reason = hart.fault;
    undo.paddr[0] = undo.paddr[1] = 0;
    wrong = asked ? explained(l, &ours, &machine, told) : WRONGS;
    if (wrong < WRONGS) {
        known[wrong].cases++;
        totals.known++;
    } else if (totals.wrong++ < 10) {
        print_case(l, &ours, &machine, told);
    }
    for (i = 0; i < l->scene.words; i++)
        machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, told[i]);
    rv_flush_all(&hart);
}

static void riscv_group(riscv_list_t *l, const char *name)
{
    (void)l;
    machine_expect_group(&totals, name);
}

static void riscv_sum(riscv_list_t *l, uint64_t paddr, uint64_t bytes)
{
    machine_expect_sum(&totals, machine_sum(&l->scene, paddr, bytes));
}

int main(int count, char **arguments)
{
    static riscv_list_t list;
    static uint64_t ram[(RISCV_END - RISCV_RAM) / 8];
    const vmm_memory_t memory = {ram, RISCV_RAM, sizeof ram, {NULL, NULL, NULL}, 0};
    const unsigned run = count == 4 ? (unsigned)strtoul(arguments[1], NULL, 0) : 0;
    char name[64];
    if (run == 0) return 2;
    totals.number = (unsigned)strtoul(arguments[3], NULL, 0);
    totals.file = fopen(arguments[2], "r");
    if (!totals.file || rv_init(&hart, &memory)) return 2;
    /* Neither Svade nor Svadu: hardware sets A and D, which is all that QEMU 7.2 can. */
    rv_set_features(&hart, run & RISCV_PLAIN || RISCV_XLEN == 32 ? 0 : VMM_SVNAPOT | VMM_SVPBMT);
    list.scene.ram = (uint8_t *)ram;
    list.scene.base = RISCV_RAM;
    riscv_list(&list, run);
    machine_expect(&totals, "#end", "");
    snprintf(name, sizeof name, "%s%s%s", list.scheme->name, list.plain ? " without Svnapot and Svpbmt" : "",
             rv_model.tlb_sets ? ", with a modelled TLB" : "");
    return machine_conclude(&totals, totals.number, name, known, WRONGS);
}
