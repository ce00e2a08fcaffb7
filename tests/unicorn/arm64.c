/* arm64.c - random AArch64 stage 1 tables of every granule, registers and accesses, by vmm and by Unicorn: whether an
 * access is done and with what value, all of RAM, and by AT the physical address or the fault status code. (Of a
 * fault that an access takes Unicorn tells only whether it is a fetch's or another's.)
 *
 * The tables under test are those of one half of the address space; the other half maps Unicorn's code. Hardware
 * update of marks, TxSZ outside 16 to 39 and 52-bit addresses are not in Unicorn 2.1. */
#define RAM_WORDS (12u * 8192u) /* 12 pages of 64 KiB, or more that are smaller: always a multiple of 64 KiB */

#include "oracle.h"

#define BASE UINT64_C(0x80000000)
#define CASES 12000u
#define HOT 8u /* entries of each table that most addresses lead through: four at either end */

#define CHAIN UINT64_C(0x20000000) /* the tables of the code */
#define CODE_TXSZ 25u              /* 39 bits: it lies at either end of the address space */

#define TCR_IPS_48 (UINT64_C(5) << 32)
#define SCTLR_SET UINT64_C(0x30d00801) /* the bits that are 1, and M */
#define SCTLR_WXN UINT64_C(0x80000)
#define DESCRIPTOR_AF UINT64_C(0x400)

VMM_MMU(arm, VMM_ARM64)
ORACLE_ACCESS(arm)

/* x1: TTBR0, x2: TTBR1, x3: TCR, x9: MAIR, x4: SCTLR, x6: PAN, x5: where the access is, x0: its address, x7: data. */
static const uint32_t code[] = {
    0xd5182001, /* msr ttbr0_el1, x1 */
    0xd5182022, /* msr ttbr1_el1, x2 */
    0xd5182043, /* msr tcr_el1, x3 */
    0xd518a209, /* msr mair_el1, x9 */
    0xd5181004, /* msr sctlr_el1, x4; the first run ends here */
    0xd5033fdf, /* isb */
    0xd508871f, /* tlbi vmalle1 */
    0xd5033f9f, /* dsb sy */
    0xd5033fdf, /* isb */
    0xd5184266, /* msr pan, x6 */
    0xd61f00a0, /* br x5 */
};
#define PAGING_ON 20u

#define STUB_BYTES 16u
#define STUBS 128u /* where they begin in the page of the code */
enum stub {
    STUB_LOAD = 0,
    STUB_STORE = 4,
    STUB_LOAD_EL0 = 8,
    STUB_STORE_EL0 = 12,
    STUB_FETCH = 16,
    STUB_FETCH_EL0,
    STUB_AT
};
static const uint32_t accesses[][STUB_BYTES / 4] = {
    {0x39400007},
    {0x79400007},
    {0xb9400007},
    {0xf9400007}, /* ldrb, ldrh, ldr, ldr, of x7 at x0 */
    {0x39000007},
    {0x79000007},
    {0xb9000007},
    {0xf9000007}, /* str */
    {0x38400807},
    {0x78400807},
    {0xb8400807},
    {0xf8400807}, /* ldtr */
    {0x38000807},
    {0x78000807},
    {0xb8000807},
    {0xf8000807},                         /* sttr */
    {0xd65f0000},                         /* ret x0, which may go into a guarded page */
    {0xd5184008, 0xd5184020, 0xd69f03e0}, /* msr spsr_el1, x8; msr elr_el1, x0; eret */
    {0xd5087800, 0xd5033fdf, 0xd5387407}, /* at s1e1r, x0; isb; mrs x7, par_el1 */
    {0xd5087820, 0xd5033fdf, 0xd5387407}, /* at s1e1w */
    {0xd5087840, 0xd5033fdf, 0xd5387407}, /* at s1e0r */
    {0xd5087860, 0xd5033fdf, 0xd5387407}, /* at s1e0w */
};
#define NOWHERE (UINT64_C(1) << 52) /* where a run never ends; in neither half, whatever the tag */
#define VECTOR_BRK 7u
#define VECTOR_FETCH 3u
#define VECTOR_DATA 4u

enum wrong {
    WRONG_TABLE_MEMORY,
    WRONG_BLOCK,
    WRONG_BLOCK_BITS,
    WRONG_ORDER,
    WRONGS
};
static reason_t reasons[WRONGS] = {
    {"a table outside memory reads as 0: a translation fault", 0},
    {"a block is taken at levels where none may stand", 0},
    {"bits of a block's address below its size, RES0, are or-ed with the offset", 0},
    {"not wrong, free: of a crossing access nothing is at one page; told when the other was used already", 0},
};

typedef struct granule {
    const char *name;
    unsigned shift, tg0, tg1; /* log2 of its bytes; the values of TCR.TG0 and TG1 */
    unsigned tables, pages;   /* of RAM, in granules */
} granule_t;

static const granule_t granules[] = {
    {"AArch64 4K", 12, 0, 2, 20, 32}, {"AArch64 16K", 14, 2, 1, 16, 24}, {"AArch64 64K", 16, 1, 3, 9, 12}};

/* A case: an access, or the address translated by AT as if for it. */
typedef struct act {
    access_t access;
    bool el0, unprivileged, at; /* unprivileged: made by LDTR or STTR at EL1 */
} act_t;

static const granule_t *granule;
static unsigned txsz, levels; /* of the half under test */
static unsigned half;
static arm_mmu_t mmu;
static uint64_t ttbr, tcr, sctlr;
static bool pan;

/* ---- tables and data --------------------------------------------------------------------- */

static uint64_t granule_words(void)
{
    return UINT64_C(1) << (granule->shift - 3);
}

/* Index bits of a level, which counts from the leaf. */
static unsigned index_bits(unsigned level)
{
    const unsigned stride = granule->shift - 3, all = 64 - txsz - granule->shift;
    return level + 1 < levels ? stride : all - level * stride;
}

/* A cell of data, which is also what a fetch runs: mov w10, NUMBER; brk 0. */
static uint64_t cell_of(uint64_t number)
{
    return UINT64_C(0xd4200000) << 32 | 0x52800000 | (number & 0xffff) << 5 | 10;
}

static bool is_cell(uint64_t word)
{
    return (word & ~(UINT64_C(0xffff) << 5)) == cell_of(0);
}

static void fill_data(void)
{
    const size_t first = (size_t)(granule->tables * granule_words());
    size_t i;
    for (i = first; i < ram_words; i++) ours[i] = theirs[i] = cell_of(i - first);
}

static uint64_t some_index(unsigned level)
{
    const uint64_t i = below(HOT), entries = UINT64_C(1) << index_bits(level);
    if (entries <= HOT || chance(1)) return below(entries);
    return i < HOT / 2 ? i : entries - HOT + i;
}

/* Whether the manual lets a block stand at a level, counted from the leaf. */
static bool blocks(unsigned level)
{
    return level == 1 || (level == 2 && granule->shift == 12);
}

static uint64_t some_frame(unsigned level)
{
    const uint64_t pages = granule->pages - granule->tables;
    if (chance(3)) return BASE + ((granule->pages + below(100)) << granule->shift);
    if (chance(level ? 8 : 95)) return BASE + ((granule->tables - below(2) + below(pages)) << granule->shift);
    return level > 1 || granule->shift > 12 ? 0x80000000 : BASE;
}

/* A descriptor for a table that is meant for `level`; other levels may come to read it as well. The contiguous hint
 * is left out: random neighbours break what it promises. */
static uint64_t some_entry(unsigned level)
{
    const uint64_t some = noise() & ~VMM_ARM64_CONTIGUOUS;
    uint64_t pte = some & UINT64_C(0x0788000000000bdc); /* software's bits, DBM; SH, AP, NS, attribute, nG */
    if (chance(2)) return some;
    if (chance(3)) return some & ~UINT64_C(1);
    if (level > 0 && chance(blocks(level) ? 85 : 99)) {
        const uint64_t page = level - 1 + levels * below(granule->tables / levels);
        pte = (some & UINT64_C(0x07f8000000000ffc)) | 3;
        if (chance(25)) pte |= some & UINT64_C(0xf800000000000000); /* NS, APTable, UXNTable, PXNTable */
        return pte | (BASE + ((chance(97) ? page : granule->pages + page) << granule->shift));
    }
    if (chance(92)) pte |= DESCRIPTOR_AF;
    if (chance(15)) pte |= VMM_ARM64_PXN;
    if (chance(15)) pte |= VMM_ARM64_UXN;
    return pte | some_frame(level) | (chance(96) == (level == 0) ? 3 : 1);
}

static void change_entry(unsigned page, uint64_t index)
{
    const size_t i = (size_t)(page * granule_words() + index);
    ours[i] = theirs[i] = some_entry(page % levels);
}

static void fill_tables(void)
{
    unsigned page, i;
    memset(ours, 0, (size_t)(8 * granule->tables * granule_words()));
    memset(theirs, 0, (size_t)(8 * granule->tables * granule_words()));
    for (page = 0; page < granule->tables; page++)
        for (i = 0; i < 4 * HOT; i++) change_entry(page, some_index(page % levels));
}

/* ---- registers --------------------------------------------------------------------------- */

/* A field of TCR that each half has. */
static uint64_t of_half(unsigned which, unsigned value, unsigned bit0, unsigned bit1)
{
    return (uint64_t)value << (which ? bit1 : bit0);
}

static void choose_size(void)
{
    txsz = 16 + (unsigned)below(24);
    levels = (64 - txsz - granule->shift + granule->shift - 4) / (granule->shift - 3);
    half = (unsigned)below(2);
}

static void choose_registers(void)
{
    const unsigned other = 1 - half;
    tcr = TCR_IPS_48 | of_half(other, CODE_TXSZ, 0, 16) | of_half(other, other ? 2 : 0, 14, 30);
    tcr |= of_half(half, txsz, 0, 16) | of_half(half, half ? granule->tg1 : granule->tg0, 14, 30);
    tcr |= of_half(half, chance(30), 37, 38) | of_half(half, chance(30), 41, 42); /* TBI, HPD */
    tcr |= of_half(half, chance(3), 7, 23) | (uint64_t)below(2) << 36;            /* EPD; AS */
    ttbr = below(3) << 48 | (BASE + ((levels - 1 + levels * below(granule->tables / levels)) << granule->shift));
    sctlr = SCTLR_SET | (chance(20) ? SCTLR_WXN : 0);
}

static void must_take(vmm_status_t status, const char *what)
{
    if (status == VMM_OK) return;
    printf("Bail out! vmm does not take %s\n", what);
    exit(1);
}

static void write_registers(void)
{
    arm_set_ttbr0(&mmu, half ? 0 : ttbr);
    arm_set_ttbr1(&mmu, half ? ttbr : 0);
    arm_set_tcr(&mmu, tcr);
    arm_set_sctlr(&mmu, sctlr);
    arm_flush_all(&mmu); /* the manual asks for it: TCR, WXN and a table under the same ASID may be remembered */
}

/* ---- Unicorn ----------------------------------------------------------------------------- */

static uint64_t code_address(void)
{
    return half ? 0 : ~UINT64_C(0) << (64 - CODE_TXSZ);
}

static void set_system_register(uint32_t op1, uint32_t crn, uint32_t crm, uint64_t value)
{
    uc_arm64_cp_reg reg;
    memset(&reg, 0, sizeof reg);
    reg.op0 = 3;
    reg.op1 = op1;
    reg.crn = crn;
    reg.crm = crm;
    reg.val = value;
    must(uc_reg_write(uc, UC_ARM64_REG_CP_REG, &reg), "a system register");
}

/* A processor at EL1 with the MMU on, both halves of which lead to the code. */
static void start_unicorn(void)
{
    uint64_t chain[3 * 512];
    open_unicorn(UC_ARCH_ARM64, UC_MODE_ARM, UC_CPU_ARM64_MAX, BASE, code, sizeof code);
    must(uc_mem_write(uc, CODE + STUBS, accesses, sizeof accesses), "code");
    memset(chain, 0, sizeof chain);
    chain[0] = (CHAIN + PAGE) | 3;
    chain[512] = (CHAIN + 2 * PAGE) | 3;
    chain[1024] = CODE | VMM_ARM64_UXN | 0x783; /* AF, SH inner, read-only to EL1 alone */
    must(uc_mem_map(uc, CHAIN, sizeof chain, UC_PROT_ALL), "the code's tables");
    must(uc_mem_write(uc, CHAIN, chain, sizeof chain), "the code's tables");
    set_system_register(6, 1, 1, 0x431);             /* SCR_EL3: EL1 is AArch64, not secure */
    set_system_register(4, 1, 1, UINT64_C(1) << 31); /* HCR_EL2: the same */
    set_register(UC_ARM64_REG_X1, CHAIN);
    set_register(UC_ARM64_REG_X2, CHAIN);
    set_register(UC_ARM64_REG_X3, TCR_IPS_48 | CODE_TXSZ | CODE_TXSZ << 16 | UINT64_C(2) << 30);
    set_register(UC_ARM64_REG_X4, SCTLR_SET);
    set_register(UC_ARM64_REG_X9, ~UINT64_C(0));
    must(uc_emu_start(uc, CODE, CODE + PAGING_ON, 0, 0), "paging on");
    must(uc_context_save(uc, fresh), "the context");
}

static unsigned stub_of(const act_t *act)
{
    const access_t *a = &act->access;
    if (act->at) return STUB_AT + (act->el0 ? 2u : 0u) + (a->kind == VMM_WRITE ? 1u : 0u);
    if (a->kind == VMM_FETCH) return act->el0 ? STUB_FETCH_EL0 : STUB_FETCH;
    return log2_of(a->bytes) + (a->kind == VMM_WRITE ? STUB_STORE : STUB_LOAD) + (act->el0 ? STUB_LOAD_EL0 : 0u);
}

/* What the Arm ARM and vmm agree to compare of PAR_EL1: F with FST; or the attributes, the physical address, SH. */
static uint64_t par_of(uint64_t par)
{
    return par & 1 ? par & 0x7f : par & UINT64_C(0xff00fffffffff180);
}

static outcome_t by_unicorn(const act_t *act)
{
    const access_t *a = &act->access;
    const uint64_t start = code_address(), stub = start + STUBS + stub_of(act) * STUB_BYTES;
    const bool fetch = a->kind == VMM_FETCH && !act->at;
    outcome_t o;
    must(uc_context_restore(uc, fresh), "the context");
    set_register(UC_ARM64_REG_X1, half ? CHAIN : ttbr);
    set_register(UC_ARM64_REG_X2, half ? ttbr : CHAIN);
    set_register(UC_ARM64_REG_X3, tcr);
    set_register(UC_ARM64_REG_X4, sctlr);
    set_register(UC_ARM64_REG_X5, stub);
    set_register(UC_ARM64_REG_X6, pan ? 1u << 22 : 0);
    set_register(UC_ARM64_REG_X0, a->va);
    set_register(UC_ARM64_REG_X7, a->kind == VMM_WRITE ? a->value : 0);
    set_register(UC_ARM64_REG_X8, 0);
    o = run_unicorn(start, fetch ? NOWHERE : stub + (act->at ? 12 : 4));
    if (o.ending == ENDED_DONE && act->at) o.value = par_of(get_register(UC_ARM64_REG_X7));
    else if (o.ending == ENDED_DONE && a->kind == VMM_READ) o.value = get_register(UC_ARM64_REG_X7);
    if (fetch && o.ending == ENDED_FAULT && o.cause == VECTOR_BRK) { /* that of a cell */
        const outcome_t fetched = {ENDED_DONE, 0, cell_of(get_register(UC_ARM64_REG_X10))};
        o = fetched;
    }
    return o;
}

/* ---- vmm --------------------------------------------------------------------------------- */

static outcome_t by_vmm(const act_t *act)
{
    const access_t *a = &act->access;
    outcome_t o = {ENDED_DONE, 0, 0};
    must_take(arm_set_el(&mmu, act->el0 && !act->unprivileged && !act->at ? 0 : 1), "EL");
    arm_set_unprivileged(&mmu, act->unprivileged && !act->at);
    if (act->at) {
        o.value = par_of(arm_at(&mmu, a->kind, act->el0, a->va));
        return o;
    }
    if (arm_access(&mmu, a, &o.value) == VMM_OK) return o;
    o.value = 0;
    if (mmu.fault.kind == VMM_ACCESS_FAULT && mmu.fault.rule == VMM_RULE_BUS) {
        o.ending = ENDED_ABSENT;
    } else {
        o.ending = ENDED_FAULT;
        o.cause = mmu.fault.cause == 0x20 || mmu.fault.cause == 0x21 ? VECTOR_FETCH : VECTOR_DATA;
    }
    return o;
}

/* The reason that the walk of one byte gives, or null. */
static reason_t *wrong_walk(const act_t *act, vmm_vaddr_t va)
{
    vmm_examination_t x;
    must_take(arm_set_el(&mmu, act->el0 ? 0 : 1), "EL");
    arm_set_unprivileged(&mmu, false);
    arm_set_pan(&mmu, pan && !act->at); /* AT S1E1R and W do as if it was clear */
    arm_examine(&mmu, va, act->access.kind, &x);
    arm_set_pan(&mmu, pan);
    if (x.status == VMM_OK || x.fault.rule == VMM_RULE_BUS) {
        const unsigned level = x.status == VMM_OK ? x.translation.level : x.fault.level;
        const vmm_pte_t pte = x.status == VMM_OK ? x.translation.pte : x.fault.pte;
        const uint64_t low = vmm_low_mask(granule->shift + level * (granule->shift - 3));
        return level > 0 && (pte & low & ~vmm_low_mask(granule->shift)) ? &reasons[WRONG_BLOCK_BITS] : NULL;
    }
    if (x.fault.rule == VMM_RULE_TABLE_MEMORY) return &reasons[WRONG_TABLE_MEMORY];
    return x.fault.rule == VMM_RULE_NO_LEAF && x.fault.level > 0 ? &reasons[WRONG_BLOCK] : NULL;
}

/* Which of the known wrongs explains a difference. */
static reason_t *known_wrong(const act_t *act, const outcome_t *vmm, const outcome_t *unicorn)
{
    const access_t *a = &act->access;
    const bool two = !act->at && crosses(a, UINT64_C(1) << granule->shift);
    reason_t *why = wrong_walk(act, a->va);
    if (!why && two) why = wrong_walk(act, a->va + a->bytes - 1);
    if (!why && two && vmm->ending != ENDED_DONE && unicorn->ending == ENDED_ABSENT) why = &reasons[WRONG_ORDER];
    return why;
}

/* ------------------------------------------------------------------------------------------ */

static act_t some_act(void)
{
    act_t act;
    access_t *a = &act.access;
    const uint64_t bytes = UINT64_C(1) << granule->shift;
    unsigned level;
    act.el0 = chance(50);
    act.unprivileged = act.el0 && chance(50);
    act.at = chance(30);
    a->kind = (unsigned)below(act.at ? 2 : 3);
    if (a->kind == VMM_FETCH) act.unprivileged = false;
    a->bytes = a->kind == VMM_FETCH ? 8 : 1u << below(4);
    a->value = noise();
    a->va = chance(70) ? below(bytes / a->bytes) * a->bytes : chance(50) ? below(bytes) : bytes - below(8);
    if (a->kind == VMM_FETCH) a->va &= ~UINT64_C(7);
    for (level = 0; level < levels; level++)
        a->va |= some_index(level) << (granule->shift + level * (granule->shift - 3));
    if (half) a->va |= ~UINT64_C(0) << (64 - txsz);
    if (chance(10)) a->va ^= noise() & UINT64_C(0xff00000000000000); /* a tag */
    if (chance(2)) a->va ^= UINT64_C(1) << (12 + below(43));
    return act;
}

static void one_case(void)
{
    const act_t act = some_act();
    const bool fetch = act.access.kind == VMM_FETCH;
    outcome_t vmm, unicorn;
    if (fetch) fill_data();
    vmm = by_vmm(&act);
    if (fetch && vmm.ending == ENDED_DONE && !is_cell(vmm.value)) return; /* not for running */
    if (act.access.kind == VMM_WRITE && !act.at) arm_flush_all(&mmu);     /* it may have changed a table */
    unicorn = by_unicorn(&act);
    judge(BASE, &act.access, &vmm, &unicorn, known_wrong(&act, &vmm, &unicorn));
}

static void one_mode(const granule_t *g)
{
    vmm_memory_t memory = {ours, BASE, 0, {NULL, NULL, NULL}, 0};
    unsigned round;
    granule = g;
    ram_words = (size_t)(granule->pages * granule_words());
    memory.size = 8 * ram_words;
    must_take(arm_init(&mmu, &memory), "its memory");
    must_take(arm_set_features(&mmu, VMM_ARM64_PAN), "the features");
    fill_data();
    start_unicorn();
    for (round = 0; cases < CASES; round++) {
        if (round % 200 == 0) {
            choose_size();
            fill_tables();
            fill_data();
        }
        if (round % 8 == 0) {
            const unsigned page = (unsigned)below(granule->tables);
            change_entry(page, some_index(page % levels));
            arm_flush_all(&mmu);
        }
        if (round % 20 == 0) {
            choose_registers();
            write_registers();
        }
        pan = chance(30);
        arm_set_pan(&mmu, pan);
        one_case();
    }
    tell_mode(granule->name, 5000, reasons, WRONGS);
    must(uc_close(uc), "close");
}

int main(int argc, char **argv)
{
    size_t i;
    take_seed(argc, argv);
    for (i = 0; i < sizeof granules / sizeof granules[0]; i++) one_mode(&granules[i]);
    printf("1..%u\n", tests);
    return failures != 0;
}
