/* seg_host.c - the lists of seg_cases.h on the segment registers of vmm.h, compared with what the guest told.
 *
 *     seg_host MACHINE BITS FILE NUMBER      MACHINE: QEMU or Bochs; BITS: 32 or 64; NUMBER: of the line of TAP
 *
 * Where a machine is known to be wrong, what it does instead is predicted as well: an outcome passes when it is the
 * manual's, or exactly what the known wrong makes of it. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "seg_cases.h"

#define GDT 0x100
#define LDT 0x200

typedef struct outcome {
    unsigned vector, code, cs, es, accessed;
} outcome_t;

static uint64_t ram[0x1000 / 8];
static const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
static vmm_x86_segments_t s;
static machine_totals_t totals;
static bool on_qemu;
enum known {
    SS_NULL,
    NOT_ACCESSED,
    L_AND_D,
    STACK_NULL,
    NO_LIMIT,
    STACK_ABSENT
};
static machine_known_t known[] = {
    {"64-bit mode: SS takes a null selector whose RPL is not CPL", 0},
    {"far jumps and returns do not set the accessed bit", 0},
    {"64-bit mode: CS takes a descriptor with both L and D", 0},
    {"a far return takes a null stack whose RPL is not that of the code", 0},
    {"far returns do not look whether the segment holds the instruction pointer", 0},
    {"a far return with a stack that is not present is #NP, not #SS", 0},
};

static uint64_t flat(unsigned ring, bool code, bool is_64)
{
    const uint64_t raw = !code   ? UINT64_C(0x00cf93000000ffff)
                         : is_64 ? UINT64_C(0x00af9b000000ffff)
                                 : UINT64_C(0x00cf9b000000ffff);
    return raw + ((uint64_t)ring << 45);
}

/* The processor as seg_go() leaves it to the load. */
static void prepare(const seg_case_t *c, bool is_64)
{
    unsigned ring;
    vmm_x86_segments_init(&s, &memory);
    s.mode = is_64 ? VMM_X86_LONG : VMM_X86_PROTECTED;
    s.gdt_base = GDT;
    s.gdt_limit = SEG_GDT_LIMIT;
    s.cpl = (uint8_t)c->cpl;
    s.segment[VMM_X86_CS].selector = (uint16_t)((8 + 16 * c->cpl) | c->cpl);
    s.segment[VMM_X86_CS].descriptor = vmm_x86_unpack(flat(c->cpl, true, is_64));
    s.ldtr.null = false;
    s.ldtr.descriptor.base = LDT;
    s.ldtr.descriptor.limit = SEG_LDT_LIMIT;
    for (ring = 0; ring < 4; ring++) {
        vmm_put((uint8_t *)ram + GDT + 8 + 16 * ring, flat(ring, true, is_64), 8);
        vmm_put((uint8_t *)ram + GDT + 16 + 16 * ring, flat(ring, false, is_64), 8);
    }
    if (vmm_x86_load_segment(&s, VMM_X86_ES, (uint16_t)seg_es_of(c)) != VMM_OK) exit(2);
}

static outcome_t make(const seg_case_t *c, bool is_64)
{
    static const unsigned number[] = {VMM_X86_DS, VMM_X86_ES, VMM_X86_SS, VMM_X86_FS, VMM_X86_GS};
    const uint16_t selector = (uint16_t)seg_selector_of(c);
    uint8_t *at = (uint8_t *)ram + (c->local ? LDT : GDT) + 8 * (SEG_INDEX + (c->place == SEG_OUTSIDE ? 1 : 0));
    vmm_status_t status;
    outcome_t o;
    prepare(c, is_64);
    vmm_put(at, seg_descriptor(c, is_64), 8);
    if (c->load == SEG_JUMP) status = vmm_x86_far_jump(&s, selector, 0x100000);
    else if (c->load == SEG_RETURN) status = vmm_x86_far_return(&s, selector, 0x100000, (uint16_t)seg_data_of(c->rpl));
    else if (c->load == SEG_STACK)
        status = vmm_x86_far_return(&s, (uint16_t)(seg_data_of(seg_ring_of(c)) - 8), 0x100000, selector);
    else status = vmm_x86_load_segment(&s, number[c->load], selector);
    o.vector = status ? s.fault.cause : 0x80;
    o.code = status ? s.fault.code : 0;
    o.cs = s.segment[VMM_X86_CS].selector;
    o.es = s.segment[VMM_X86_ES].selector;
    o.accessed = vmm_get(at, 8) >> 40 & 1;
    return o;
}

/* A null selector where only its RPL is wrong. */
static bool null_of_wrong_rpl(const seg_case_t *c, bool is_64)
{
    const unsigned ring = c->load == SEG_STACK ? seg_ring_of(c) : c->cpl;
    return is_64 && c->place == SEG_NULL && ring < 3 && c->rpl != ring;
}

/* What the machine makes of a case by its known wrongs. Number of the reason, -1: none applies. */
static int predict(const seg_case_t *c, bool is_64, outcome_t *o)
{
    seg_case_t other = *c;
    int reason = -1;
    if (null_of_wrong_rpl(c, is_64) && (c->load == SEG_STACK || (c->load == SEG_SS && on_qemu))) {
        other.rpl = c->load == SEG_STACK ? seg_ring_of(c) : c->cpl;
        *o = make(&other, is_64);
        return c->load == SEG_STACK ? STACK_NULL : SS_NULL;
    }
    if (!on_qemu) return -1;
    if (c->load == SEG_STACK && o->vector == 12) {
        o->vector = 11;
        return STACK_ABSENT;
    }
    if (c->load >= SEG_JUMP && c->form != SEG_32 && c->load != SEG_STACK && !(c->load == SEG_JUMP && !is_64)) {
        other.form = is_64 ? SEG_64 : SEG_32;
        *o = make(&other, is_64);
        if (c->form != other.form) reason = is_64 ? L_AND_D : NO_LIMIT;
    }
    if (c->load >= SEG_JUMP && o->vector == 0x80 && !(c->type & 1)) {
        o->accessed = 0;
        if (reason < 0) reason = NOT_ACCESSED;
    }
    return reason;
}

static bool same(const outcome_t *a, const outcome_t *b)
{
    return a->vector == b->vector && a->code == b->code && a->cs == b->cs && a->es == b->es &&
           a->accessed == b->accessed;
}

static void compare(const seg_case_t *c, bool is_64)
{
    outcome_t ours = make(c, is_64), told;
    const outcome_t right = ours;
    const unsigned rule = s.fault.rule;
    int reason;
    if (sscanf(machine_line(&totals), "%x %x %x %x %x", &told.vector, &told.code, &told.cs, &told.es, &told.accessed) !=
        5)
        exit(2);
    totals.cases++;
    if (same(&ours, &told)) {
        totals.agree++;
        return;
    }
    reason = predict(c, is_64, &ours);
    if (reason >= 0 && same(&ours, &told)) {
        totals.known++;
        known[reason].cases++;
        return;
    }
    if (totals.wrong++ >= 10) return;
    printf("# load %u place %u form %u: type %u S %u DPL %u P %u RPL %u TI %u CPL %u\n", c->load, c->place, c->form,
           c->type, c->s, c->dpl, c->present, c->rpl, c->local, c->cpl);
    printf("#   ours %x(%x) cs %x es %x accessed %u (%s), the machine's %x(%x) cs %x es %x accessed %u\n", right.vector,
           right.code, right.cs, right.es, right.accessed, vmm_segment_rule_text(rule), told.vector, told.code, told.cs,
           told.es, told.accessed);
}

/* Accesses of ring 3 through a register that was loaded there. */
static void compare_access(const seg_access_t *a)
{
    const unsigned number = a->stack ? VMM_X86_SS : VMM_X86_FS;
    const seg_case_t ring3 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
    unsigned vector, code;
    vmm_vaddr_t linear;
    vmm_status_t status;
    prepare(&ring3, false);
    vmm_put((uint8_t *)ram + GDT + 8 * SEG_INDEX, seg_access_descriptor(a), 8);
    if (vmm_x86_load_segment(&s, number, SEG_INDEX << 3 | 3) != VMM_OK) exit(2);
    status = vmm_x86_linear(&s, number, a->write ? VMM_WRITE : VMM_READ, a->offset, a->bytes, &linear);
    if (sscanf(machine_line(&totals), "%x %x", &vector, &code) != 2) exit(2);
    totals.cases++;
    if (vector == (status ? s.fault.cause : 0x80) && code == (status ? s.fault.code : 0) &&
        (status || linear == SEG_DATA)) {
        totals.agree++;
        return;
    }
    if (totals.wrong++ >= 10) return;
    printf("# %s of %u at %x through %s: type %u G %u B %u limit %x: ours %x(%x), the machine's %x(%x)\n",
           a->write ? "write" : "read", a->bytes, a->offset, a->stack ? "SS" : "FS", a->type, a->granular, a->big,
           a->limit, status ? s.fault.cause : 0x80, status ? s.fault.code : 0, vector, code);
}

static void compare_long_access(const seg_long_access_t *a)
{
    static const unsigned number[] = {VMM_X86_DS, VMM_X86_SS, VMM_X86_FS, VMM_X86_GS};
    const seg_case_t ring0 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    unsigned vector, code;
    vmm_vaddr_t linear;
    vmm_status_t status;
    prepare(&ring0, true);
    s.segment[number[a->way]].descriptor.base = a->base;
    status = vmm_x86_linear(&s, number[a->way], a->write ? VMM_WRITE : VMM_READ, a->offset, a->bytes, &linear);
    if (sscanf(machine_line(&totals), "%x %x", &vector, &code) != 2) exit(2);
    totals.cases++;
    if (vector == (status ? s.fault.cause : 0x80) && code == 0) {
        totals.agree++;
        return;
    }
    if (totals.wrong++ >= 10) return;
    printf("# %s of %u at %" PRIx64 " with base %" PRIx64 " through register %u: ours %x, the machine's %x(%x)\n",
           a->write ? "write" : "read", a->bytes, a->offset, a->base, number[a->way], status ? s.fault.cause : 0x80,
           vector, code);
}

/* The line of TAP, and the table of what is known to be wrong. */
static int conclude(const char *machine, bool is_64)
{
    const bool good = totals.wrong == 0 && totals.cases >= MACHINE_LEAST;
    unsigned i;
    printf("%s %u - x86 segments on %s, %s mode: %lu cases, %lu agree, %lu known to be wrong in %s",
           good ? "ok" : "not ok", totals.number, machine, is_64 ? "64-bit" : "protected", totals.cases, totals.agree,
           totals.known, machine);
    if (totals.wrong) printf(", %lu differ", totals.wrong);
    printf("\n");
    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].cases) printf("# %6lu  %s\n", known[i].cases, known[i].reason);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    seg_long_access_t far;
    seg_access_t a;
    seg_case_t c;
    bool is_64;
    uint32_t n;
    if (argc != 5) return 2;
    on_qemu = strcmp(argv[1], "QEMU") == 0;
    is_64 = strcmp(argv[2], "64") == 0;
    totals.number = (unsigned)atoi(argv[4]);
    totals.file = fopen(argv[3], "r");
    if (!totals.file) return 2;
    totals.group = "loads";
    for (n = 0; n < SEG_NUMBERS; n++)
        if (seg_number(n, is_64, &c)) compare(&c, is_64);
    machine_expect(&totals, "#accesses", "");
    totals.group = "accesses";
    for (n = 0; n < SEG_NUMBERS && !on_qemu && !is_64; n++)
        if (seg_access_number(n, &a)) compare_access(&a);
    for (n = 0; n < SEG_LONG_NUMBERS && !on_qemu && is_64; n++) {
        seg_long_number(n, &far);
        compare_long_access(&far);
    }
    machine_expect(&totals, "#end", "");
    return conclude(argv[1], is_64);
}
