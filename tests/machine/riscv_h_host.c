/* riscv_h_host.c - the list of riscv_h_cases.h on an MMU of ours, compared with what the guest told.
 *
 *     riscv_h_host RUN FILE NUMBER    RUN: MODE of vsatp and 256 times that of hgatp, or HYP_PMP;
 *                                     NUMBER: of the line of TAP
 *
 * Where QEMU is known to be wrong, what it does instead is predicted as well: an outcome passes when it is the
 * manual's, or exactly what a known wrong makes of it. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "riscv_h_cases.h"

VMM_MMU(rh, VMM_RISCV64H)

static rh_mmu_t hart;
static vmm_pmp_t pmp;
static machine_totals_t totals;
static vmm_fault_t reason; /* of what is printed */

enum wrong {
    WRONG_SUM,
    WRONG_MXR,
    WRONG_HLVX,
    WRONG_MPRV,
    WRONG_INDIRECT,
    WRONG_SIGN,
    WRONG_MARK,
    WRONG_FIRST_TABLE,
    WRONG_SECOND_TABLE,
    WRONG_RESERVED,
    WRONG_TYPE,
    WRONG_PBMTE,
    WRONG_NAPOT,
    WRONG_UNCHECKED,
    WRONG_MIDDLE,
    WRONG_SEVERAL,
    WRONGS
};

static machine_known_t known[WRONGS] = {
    {"vsstatus.SUM is taken to be set by HLV, HSV, and by MPRV with MPV", 0},
    {"MXR of mstatus holds for the first stage alone, that of vsstatus for the second, even where it reads tables", 0},
    {"HLVX is judged as HLV: by the right to read", 0},
    {"a guest-page fault by MPRV with MPV is told as a page fault", 0},
    {"a guest-page fault on a table of the first stage is told as a load's, whatever the access is", 0},
    {"guest physical addresses are to be sign-extended: the upper half of what the second stage translates faults", 0},
    {"marking an entry of the first stage is no store to the second: W is not asked for, D is not set", 0},
    {"a table of the first stage out of memory is told as a page fault, not as an access fault", 0},
    {"a table of the second stage out of memory is told as a guest-page fault, not as an access fault", 0},
    {"the reserved bits 60:54 of an entry are not looked at", 0},
    {"the reserved memory type 3 is taken (Svpbmt)", 0},
    {"memory types are taken though menvcfg.PBMTE or henvcfg.PBMTE is clear", 0},
    {"a leaf with a reserved N is marked before it faults (Svnapot)", 0},
    {"physical memory protection is not asked before an entry is marked", 0},
    {"an entry that matches bytes in the middle of an access alone is not seen (physical memory protection)", 0},
    {"several of these at once", 0},
};

/* ---- one access -------------------------------------------------------------------------- */

static void set_registers(const hyp_list_t *l, unsigned wrongs)
{
    const bool data = l->access != HYP_FETCH;
    const bool sum = l->sum || (data && (wrongs & 1u << WRONG_SUM));
    const unsigned hlvx = wrongs & 1u << WRONG_HLVX ? VMM_HLV : VMM_HLVX;
    const bool swapped = data && (wrongs & 1u << WRONG_MXR), mxr = swapped ? l->both : l->mxr;
    const uint64_t both = (uint64_t)(l->both && !swapped) << 19, mprv = UINT64_C(1) << 17 | UINT64_C(1) << 39;
    const uint64_t menvcfg = (uint64_t)l->pbmte << 62 | UINT64_C(1) << 61;
    const uint64_t henvcfg = (uint64_t)l->hpbmte << 62 | UINT64_C(1) << 61;
    rh_set_hgatp(&hart, l->hgatp);
    rh_set_vsatp(&hart, l->vsatp);
    rh_set_vsstatus(&hart, (uint64_t)sum << 18 | (uint64_t)mxr << 19);
    rh_set_hstatus(&hart, (uint64_t)l->privilege << 8);
    rh_set_mstatus(&hart, l->access <= HYP_STORE ? both | mprv | (uint64_t)l->privilege << 11 : both);
    rh_set_virtual(&hart, l->access == HYP_FETCH);
    rh_set_privilege(&hart, l->access == HYP_FETCH ? l->privilege : 3);
    rh_set_hlv(&hart, l->access == HYP_HLVX ? hlvx : l->access > HYP_FETCH ? (unsigned)VMM_HLV : VMM_HLV_NONE);
    if (hart.registers.menvcfg != menvcfg) rh_set_menvcfg(&hart, menvcfg);
    if (hart.registers.henvcfg != henvcfg) rh_set_henvcfg(&hart, henvcfg);
}

/* A hart without a virtual machine: loads and stores by MPRV. */
static void set_plain_registers(const hyp_list_t *l)
{
    rh_set_satp(&hart, l->satp);
    rh_set_mstatus(&hart, l->access <= HYP_STORE ? UINT64_C(1) << 17 | (uint64_t)l->privilege << 11 : 0);
    rh_set_privilege(&hart, l->access == HYP_FETCH ? l->privilege : 3);
}

static vmm_status_t narrow(const hyp_list_t *l, uint64_t *value)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    vmm_status_t status;
    if (l->access == HYP_STORE)
        return l->bytes == 1   ? rh_store8(&hart, l->va, (uint8_t)l->data)
               : l->bytes == 2 ? rh_store16(&hart, l->va, (uint16_t)l->data)
                               : rh_store32(&hart, l->va, (uint32_t)l->data);
    status = l->bytes == 1   ? rh_load8(&hart, l->va, &v8)
             : l->bytes == 2 ? rh_load16(&hart, l->va, &v16)
                             : rh_load32(&hart, l->va, &v32);
    *value = l->bytes == 1 ? v8 : l->bytes == 2 ? v16 : v32;
    return status;
}

/* The access that the list is at, as a machine with some wrongs judges it. */
static machine_outcome_t model(hyp_list_t *l, unsigned wrongs)
{
    machine_outcome_t o = {0, 0, 0};
    vmm_status_t status;
    uint32_t word = 0;
    if (l->pmp) set_plain_registers(l);
    else set_registers(l, wrongs);
    if (l->fence) rh_flush_all(&hart);
    switch (l->pmp && l->bytes < 8 && l->access <= HYP_STORE ? (unsigned)HYP_ACCESSES : l->access) {
    case HYP_ACCESSES: status = narrow(l, &o.value); break;
    case HYP_STORE:
    case HYP_HSV: status = rh_store64(&hart, l->va, l->data); break;
    case HYP_FETCH:
        status = rh_fetch32(&hart, l->va, &word);
        if ((word & 0xfffu) == 0x537u) o.value = (uint64_t)(int64_t)(int32_t)(word & 0xfffff000u);
        break;
    case HYP_HLVX:
        status = rh_load32(&hart, l->va, &word);
        o.value = word;
        break;
    default: status = rh_load64(&hart, l->va, &o.value); break;
    }
    machine_poke(&l->scene, HYP_TOLD, 8, 0);
    if (status == VMM_OK) return o;
    if (hart.fault.kind == VMM_GUEST_PAGE_FAULT)
        machine_poke(&l->scene, HYP_TOLD, 8, hart.fault.guest_paddr & ~UINT64_C(3));
    o.code = hart.fault.cause;
    o.address = hart.fault.vaddr;
    o.value = 0;
    return o;
}

/* ---- what is known to be wrong ----------------------------------------------------------- */

/* What lay where a store that was tried has gone: the 16 bytes around its first and its last byte. */
static struct {
    uint64_t paddr[2], bytes[2][2];
} undo;

/* Called before a store is tried. Where it cannot go there is nothing to undo. */
static void remember(const hyp_list_t *l)
{
    vmm_translation_t t;
    unsigned i;
    for (i = 0; i < 2; i++) {
        undo.paddr[i] = 0;
        if (rh_translate(&hart, l->va + i * 7u, VMM_WRITE, &t)) return;
        if (t.paddr < HYP_RAM || t.paddr >= HYP_END) continue;
        undo.paddr[i] = t.paddr & ~UINT64_C(15);
        undo.bytes[i][0] = machine_peek(&l->scene, undo.paddr[i], 8);
        undo.bytes[i][1] = machine_peek(&l->scene, undo.paddr[i] + 8, 8);
    }
}

static void take_back(hyp_list_t *l)
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
static void rewind_words(hyp_list_t *l)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++)
        machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, l->scene.word[i].before);
    rh_flush_all(&hart);
}

static bool is_first(uint64_t paddr)
{
    return paddr >= HYP_FIRST && paddr < HYP_DATA;
}

/* Is it the leaf of the second stage for a table of the first? */
static bool maps_table(uint64_t paddr)
{
    return paddr >= hyp_map_leaf(HYP_FIRST) && paddr < hyp_map_leaf(HYP_FIRST) + 32 * 8;
}

/* A reserved N, in the groups of one rule, where a table's place says its level. */
static bool reserved_n(uint64_t paddr, uint64_t pte)
{
    const unsigned row = (unsigned)(paddr >> 12) & 0xf, level = is_first(paddr) ? row % 6 : row & 7;
    const bool root = paddr >= HYP_SECOND && paddr < HYP_SECOND + 0x4000;
    return (pte & HYP_N) && (root || level > 0 || (pte >> 10 & 15) != 8);
}

/* The bits of an entry that a machine with these wrongs does not see, or sees set. */
static uint64_t unseen(const hyp_list_t *l, const machine_word_t *w, unsigned wrongs)
{
    const uint64_t pte = w->before, type = UINT64_C(3) << 61;
    const bool leaf = (pte & (HYP_R | HYP_X)) != 0, first = is_first(w->paddr);
    const bool pbmte = l->pbmte && (l->hpbmte || !first);
    uint64_t bits = 0;
    if (w->paddr < HYP_SECOND || w->paddr >= HYP_DATA || !(pte & HYP_V)) return 0;
    if (wrongs & 1u << WRONG_SIGN && w->paddr >= HYP_SECOND + 0x2000 && w->paddr < HYP_SECOND + 0x4000) bits |= HYP_V;
    if (wrongs & 1u << WRONG_RESERVED) bits |= pte & UINT64_C(0x1fc0000000000000);
    if (wrongs & 1u << WRONG_TYPE && leaf && pbmte && (pte & type) == type) bits |= type;
    if (wrongs & 1u << WRONG_PBMTE && leaf && !pbmte) bits |= pte & type;
    if (wrongs & 1u << WRONG_NAPOT && leaf && reserved_n(w->paddr, pte)) bits |= HYP_N;
    if (wrongs & 1u << WRONG_MXR && l->mxr && !first && (pte & (HYP_R | HYP_W | HYP_X)) == HYP_X) bits |= HYP_R;
    if (wrongs & 1u << WRONG_MARK && maps_table(w->paddr)) bits |= ~pte & (HYP_W | HYP_D);
    return bits;
}

/* Turns those bits over, or back. Returns where a reserved N was among them: 1 the first stage, 2 the second. */
static unsigned toggle_unseen(hyp_list_t *l, unsigned wrongs)
{
    unsigned i, stages = 0;
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        const uint64_t bits = unseen(l, w, wrongs);
        if (bits) machine_poke(&l->scene, w->paddr, 8, machine_peek(&l->scene, w->paddr, 8) ^ bits);
        if (bits & HYP_N) stages |= is_first(w->paddr) ? 1u : 2u;
    }
    rh_flush_all(&hart);
    return stages;
}

static uint32_t page_fault_of(unsigned access, bool guest)
{
    static const uint8_t codes[HYP_ACCESSES] = {13, 15, 12, 13, 15, 13};
    return codes[access] + (guest ? 8u : 0u);
}

/* Makes a page fault of an outcome, or a guest-page fault with the address that the machine told. */
static void becomes_fault(hyp_list_t *l, machine_outcome_t *o, bool guest, uint64_t told)
{
    o->code = page_fault_of(l->access, guest);
    o->address = l->va;
    o->value = 0;
    machine_poke(&l->scene, HYP_TOLD, 8, guest ? told : 0);
}

/* The check of a machine that sees the first and the last byte of an access alone. */
static int check_ends(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    vmm_pmp_t seen = *(const vmm_pmp_t *)user;
    unsigned i;
    for (i = 0; i < seen.used; i++)
        if (seen.first[i] > paddr && seen.last[i] < paddr + bytes - 1) seen.first[i] = ~UINT64_C(0), seen.last[i] = 0;
    return vmm_pmp_check(&seen, paddr, bytes, access, privilege);
}

/* What a machine with these wrongs would do. */
static machine_outcome_t mistaken(hyp_list_t *l, unsigned wrongs, uint64_t told)
{
    const bool table = (wrongs & (1u << WRONG_FIRST_TABLE | 1u << WRONG_SECOND_TABLE)) != 0;
    machine_outcome_t o;
    unsigned stages;
    uint8_t config;
    take_back(l);
    rewind_words(l);
    stages = toggle_unseen(l, wrongs);
    if (l->pmp) set_plain_registers(l);
    else set_registers(l, wrongs);
    if (l->access == HYP_STORE || l->access == HYP_HSV) remember(l);
    config = pmp.cfg[0];
    if (l->pmp && (wrongs & 1u << WRONG_UNCHECKED))
        pmp.cfg[0] |= VMM_PMP_W; /* of the table's page, see hyp_pmp_tables */
    if (l->pmp) rh_set_check(&hart, wrongs & 1u << WRONG_MIDDLE ? check_ends : vmm_pmp_check, &pmp);
    o = model(l, wrongs);
    if (l->pmp) rh_set_check(&hart, vmm_pmp_check, &pmp);
    pmp.cfg[0] = config;
    if (table && o.code && hart.fault.rule == VMM_RULE_TABLE_MEMORY) {
        const uint64_t at = o.address;
        becomes_fault(l, &o, (wrongs & 1u << WRONG_SECOND_TABLE) != 0, told);
        o.address = at;
    }
    if (stages && (o.code == 0 || hart.fault.rule == VMM_RULE_BUS || (stages == 1 && o.code >= 20))) {
        becomes_fault(l, &o, !(stages & 1), told);
        take_back(l);
    }
    if (wrongs & 1u << WRONG_INDIRECT && o.code >= 20 && (table || hart.fault.code)) o.code = 21;
    if (wrongs & 1u << WRONG_MPRV && l->access <= HYP_STORE && o.code >= 20) {
        o.code = page_fault_of(o.code == 21 ? HYP_LOAD : l->access, false);
        machine_poke(&l->scene, HYP_TOLD, 8, 0);
    }
    toggle_unseen(l, wrongs);
    return o;
}

/* What the machine told: its outcome, and its words in `told`. */
static bool same(const hyp_list_t *l, const machine_outcome_t *a, const machine_outcome_t *b, const uint64_t *told)
{
    unsigned i;
    if (a->code != b->code || a->address != b->address || a->value != b->value) return false;
    for (i = 0; i < l->scene.words; i++)
        if (machine_peek(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes) != told[i]) return false;
    return true;
}

/* Which wrong explains it, or WRONGS: one alone, or all together with this or that. None does when the tables alone,
 * walked once more, give what the machine told: then ours had remembered something that it should not. */
static unsigned explained(hyp_list_t *l, const machine_outcome_t *machine, const uint64_t *told)
{
    const unsigned all = (1u << WRONG_SEVERAL) - 1u, second = 1u << WRONG_SECOND_TABLE, napot = 1u << WRONG_NAPOT;
    const unsigned first = 1u << WRONG_FIRST_TABLE, indirect = 1u << WRONG_INDIRECT;
    const unsigned together[] = {all - second - napot, all - first - napot, all - first - napot - indirect,
                                 all - second};
    machine_outcome_t o = mistaken(l, 0, told[0]);
    unsigned i;
    if (same(l, &o, machine, told)) return WRONGS;
    for (i = 0; i < WRONG_SEVERAL; i++) {
        o = mistaken(l, 1u << i, told[0]);
        if (same(l, &o, machine, told)) return i;
    }
    for (i = 0; i < sizeof together / sizeof *together; i++) {
        o = mistaken(l, together[i], told[0]);
        if (same(l, &o, machine, told)) return WRONG_SEVERAL;
    }
    take_back(l);
    return WRONGS;
}

/* ---- the list's own ---------------------------------------------------------------------- */

static void print_case(const hyp_list_t *l, const machine_outcome_t *ours, const machine_outcome_t *machine,
                       const uint64_t *told)
{
    static const char *const names[] = {"load", "store", "fetch", "hlv.d", "hsv.d", "hlvx.wu"};
    unsigned i;
    printf("# case %lu of \"%s\": %s at %" PRIx64 ", privilege %u%s%s%s%s%s, vsatp %" PRIx64 ", hgatp %" PRIx64 "\n",
           totals.cases, totals.group, names[l->access], l->va, l->privilege, l->sum ? " SUM" : "",
           l->mxr ? " vsstatus.MXR" : "", l->both ? " mstatus.MXR" : "", l->pbmte ? " PBMTE" : "",
           l->hpbmte ? " henvcfg.PBMTE" : "", l->vsatp, l->hgatp);
    printf("#   vmm:     code %u at %" PRIx64 ", value %" PRIx64 ", rule %u, entry %" PRIx64 "\n", ours->code,
           ours->address, ours->value, ours->code ? reason.rule : 0, ours->code ? reason.pte : 0);
    printf("#   machine: code %u at %" PRIx64 ", value %" PRIx64 "\n", machine->code, machine->address, machine->value);
    for (i = 0; i < l->scene.words; i++) {
        const machine_word_t *w = &l->scene.word[i];
        if (l->scene.words < 24 || w->before != w->after || w->before != told[i])
            printf("#   %10" PRIx64 ": %" PRIx64 ", vmm leaves %" PRIx64 ", the machine %" PRIx64 "\n", w->paddr,
                   w->before, w->after, told[i]);
    }
}

static void hyp_attempt(hyp_list_t *l)
{
    uint64_t told[MACHINE_WORDS];
    machine_outcome_t ours, machine;
    unsigned i, wrong;
    machine_before(&l->scene);
    machine = machine_told(&totals, &l->scene);
    for (i = 0; i < l->scene.words; i++) told[i] = l->scene.word[i].after;
    totals.cases++;
    ours = model(l, 0);
    if (machine.code == 0 && (l->access == HYP_STORE || l->access == HYP_HSV)) machine.value = ours.value;
    if (same(l, &ours, &machine, told)) {
        totals.agree++;
        return;
    }
    machine_after(&l->scene);
    reason = hart.fault;
    undo.paddr[0] = undo.paddr[1] = 0;
    wrong = explained(l, &machine, told);
    if (wrong < WRONGS) {
        known[wrong].cases++;
        totals.known++;
    } else if (totals.wrong++ < 10) {
        print_case(l, &ours, &machine, told);
    }
    for (i = 0; i < l->scene.words; i++)
        machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, told[i]);
    rh_flush_all(&hart);
}

static void hyp_group(hyp_list_t *l, const char *name)
{
    (void)l;
    machine_expect_group(&totals, name);
}

static void hyp_write_pmp(hyp_list_t *l)
{
    uint64_t low = 0, high = 0, sum = 1;
    unsigned i;
    for (i = 8; i-- > 0;) low = low << 8 | l->config[i], high = high << 8 | l->config[8 + i];
    for (i = 0; i < 16; i++) vmm_pmp_set_addr(&pmp, i, l->address[i]);
    vmm_pmp_set_cfg(&pmp, 0, low);
    vmm_pmp_set_cfg(&pmp, 2, high);
    rh_flush_all(&hart);
    sum = (sum ^ vmm_pmp_get_cfg(&pmp, 0)) * UINT64_C(1099511628211); /* the FNV prime */
    sum = (sum ^ vmm_pmp_get_cfg(&pmp, 2)) * UINT64_C(1099511628211);
    for (i = 0; i < 16; i++) sum = (sum ^ pmp.addr[i]) * UINT64_C(1099511628211);
    machine_expect_sum(&totals, (uint32_t)(sum >> 32));
}

static void hyp_sum(hyp_list_t *l, uint64_t paddr, uint64_t bytes)
{
    machine_expect_sum(&totals, machine_sum(&l->scene, paddr, bytes));
}

int main(int count, char **arguments)
{
    static hyp_list_t list;
    static uint64_t ram[(HYP_END - HYP_RAM) / 8];
    const vmm_memory_t memory = {ram, HYP_RAM, sizeof ram, {NULL, NULL, NULL}, 0};
    const unsigned run = count == 4 ? (unsigned)strtoul(arguments[1], NULL, 0) : 0;
    char name[64];
    if (run == 0) return 2;
    totals.number = (unsigned)strtoul(arguments[3], NULL, 0);
    totals.file = fopen(arguments[2], "r");
    if (!totals.file || rh_init(&hart, &memory)) return 2;
    /* Neither Svade nor Svadu: hardware sets A and D, which is all that QEMU 7.2 can. */
    rh_set_features(&hart, VMM_SVNAPOT | VMM_SVPBMT);
    if (run == HYP_PMP) {
        if (vmm_pmp_init(&pmp, 64, 16)) return 2;
        rh_set_check(&hart, vmm_pmp_check, &pmp);
    }
    list.scene.ram = (uint8_t *)ram;
    list.scene.base = HYP_RAM;
    hyp_list(&list, run);
    machine_expect(&totals, "#end", "");
    if (list.pmp) snprintf(name, sizeof name, "physical memory protection");
    else snprintf(name, sizeof name, "Sv%u behind Sv%ux4", 12 + 9 * list.first, 12 + 9 * list.second);
    return machine_conclude(&totals, totals.number, name, known, WRONGS);
}
