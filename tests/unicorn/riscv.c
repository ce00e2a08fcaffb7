/* riscv.c - random Sv39, Sv48 and Sv57 tables and random accesses, by vmm and by Unicorn: outcome, cause, value, and
 * all of RAM with the marks in its tables.
 *
 * Loads and stores are made in machine mode with mstatus.MPRV set; a fetch by mret. */
#define TABLES 20u /* pages of RAM that hold tables; the others hold data alone */
#define PAGES 28u
#define RAM_WORDS (PAGES * 512)

#include "oracle.h"

#define BASE UINT64_C(0x80000000)
#define CASES 20000u
#define HOT 8u /* entries of each table that most addresses lead through: four at either end */

VMM_MMU(rv, VMM_RISCV64)
ORACLE_ACCESS(rv)

typedef struct scheme {
    const char *name;
    unsigned satp_mode, levels;
} scheme_t;

static const scheme_t schemes[] = {{"Sv39", 8, 3}, {"Sv48", 9, 4}, {"Sv57", 10, 5}};

/* csrw satp, a0; csrw mstatus, a2; sfence.vma; then the access, or csrw mepc, a1; mret. */
#define PROLOGUE 0x18051073, 0x30061073, 0x12000073
#define STUB_BYTES 32u
#define FETCH_STUB 8u
#define ECALL 8u                    /* the cause, as Unicorn tells it, in every mode */
#define NOWHERE (UINT64_C(1) << 60) /* where a run never ends; not canonical, as Unicorn translates it */
static const uint32_t code[][STUB_BYTES / 4] = {
    {PROLOGUE, 0x0005c683}, /* lbu a3, 0(a1) */
    {PROLOGUE, 0x0005d683}, /* lhu */
    {PROLOGUE, 0x0005e683}, /* lwu */
    {PROLOGUE, 0x0005b683}, /* ld */
    {PROLOGUE, 0x00d58023}, /* sb a3, 0(a1) */
    {PROLOGUE, 0x00d59023}, /* sh */
    {PROLOGUE, 0x00d5a023}, /* sw */
    {PROLOGUE, 0x00d5b023}, /* sd */
    {PROLOGUE, 0x34159073, 0x30200073},
};

enum wrong {
    WRONG_TABLE_MEMORY,
    WRONG_RESERVED,
    WRONG_RESERVED_TABLE,
    WRONG_NAPOT,
    WRONG_MEMORY_TYPE,
    WRONG_ORDER,
    WRONGS
};
static reason_t reasons[WRONGS] = {
    {"a table outside memory: a page fault, the manual asks for an access fault (step 2)", 0},
    {"bits 60:54 are not checked, they become part of the frame (step 3)", 0},
    {"D, A, U, N and PBMT in a pointer are not checked (step 3)", 0},
    {"N without Svnapot is not checked (step 3)", 0},
    {"PBMT without Svpbmt is not checked (step 3)", 0},
    {"not wrong, free: of a crossing access nothing is at one page; told when the other was used already", 0},
};

static const scheme_t *mode;
static rv_mmu_t mmu;
static uint64_t satp, status;
static unsigned privilege;

/* ---- tables and data --------------------------------------------------------------------- */

/* A cell of data, which is also what a fetch runs: lui a3, NUMBER; ecall. */
static uint64_t cell_of(uint64_t number)
{
    return UINT64_C(0x73) << 32 | (number & 0xfffff) << 12 | 0x6b7;
}

static bool is_cell(uint64_t word)
{
    return (word & UINT64_C(0xffffffff00000fff)) == cell_of(0);
}

static void fill_data(void)
{
    unsigned i;
    for (i = TABLES * 512; i < PAGES * 512; i++) ours[i] = theirs[i] = cell_of(i);
}

static uint64_t some_index(void)
{
    const uint64_t i = below(HOT);
    if (chance(1)) return below(512);
    return i < HOT / 2 ? i : 512 - HOT + i;
}

/* The frame of a leaf: in RAM, or large enough that RAM lies in it; now and then where nothing is. */
static uint64_t some_frame(unsigned level)
{
    if (chance(3)) return (BASE >> 12) + PAGES + below(100);
    if (chance(level ? 8 : 95)) return (BASE >> 12) + TABLES - below(2) + below(PAGES - TABLES);
    return level > 2 ? 0 : BASE >> 12;
}

/* An entry for a table that is meant for `level`; other levels may come to read it as well. */
static uint64_t some_entry(unsigned level)
{
    static const unsigned rights[] = {0x2, 0x6, 0x8, 0xa, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0x4};
    const uint64_t some = noise();
    uint64_t pte;
    if (chance(1)) return some;
    if (level > 0 && chance(92)) {
        const uint64_t page = level - 1 + mode->levels * below(TABLES / mode->levels);
        pte = ((BASE >> 12) + (chance(99) ? page : PAGES + page)) << 10 | (some & 0x320) | 1;
        if (chance(2)) pte |= some & UINT64_C(0xe0000000000000d0);
        return pte;
    }
    pte = some_frame(level) << 10 | (some & 0x3f0) | rights[below(12)] | (chance(97) ? 1 : 0);
    if (chance(40)) pte |= 0xc0; /* A, D */
    if (chance(2)) pte |= some & UINT64_C(0xffc0000000000000);
    return pte;
}

static void change_entry(unsigned page, uint64_t index)
{
    ours[page * 512 + index] = theirs[page * 512 + index] = some_entry(page % mode->levels);
}

static void fill_tables(void)
{
    unsigned page, i;
    memset(ours, 0, TABLES * PAGE);
    memset(theirs, 0, TABLES * PAGE);
    for (page = 0; page < TABLES; page++)
        for (i = 0; i < HOT; i++) change_entry(page, i < HOT / 2 ? i : 512 - HOT + i);
}

/* ---- the two machines -------------------------------------------------------------------- */

/* Another table under an ASID that was used already asks for a fence. */
static void set_root(void)
{
    satp = (uint64_t)mode->satp_mode << 60 | below(3) << 44 |
           ((BASE >> 12) + mode->levels - 1 + mode->levels * below(TABLES / mode->levels));
    rv_set_satp(&mmu, satp);
    rv_flush_all(&mmu);
}

/* These ask for none. */
static void set_status(void)
{
    status = (noise() & 0xc0000) | (chance(50) ? 0x40000u : 0);
    privilege = (unsigned)below(2);
    rv_set_privilege(&mmu, privilege);
    rv_set_mstatus(&mmu, status);
}

static vmm_vaddr_t some_address(unsigned bytes)
{
    const uint64_t sign = UINT64_C(1) << (12 + 9 * mode->levels - 1);
    vmm_vaddr_t va = chance(70) ? below(PAGE / bytes) * bytes : chance(50) ? below(PAGE) : PAGE - below(8);
    unsigned level;
    for (level = 0; level < mode->levels; level++) va |= some_index() << (12 + level * 9);
    va = (va ^ sign) - sign;
    if (chance(3)) va ^= UINT64_C(1) << (12 + below(52));
    return va;
}

static access_t some_access(void)
{
    access_t a;
    a.kind = (unsigned)below(3);
    a.bytes = a.kind == VMM_FETCH ? 8 : 1u << below(4);
    a.va = some_address(a.bytes);
    if (a.kind == VMM_FETCH) a.va &= ~UINT64_C(7);
    a.value = noise();
    return a;
}

static outcome_t by_vmm(const access_t *a)
{
    outcome_t o = {ENDED_DONE, 0, 0};
    uint64_t value = 0;
    const vmm_status_t result = rv_access(&mmu, a, &value);
    if (result == VMM_OK) {
        o.value = value;
    } else if (mmu.fault.kind == VMM_ACCESS_FAULT && mmu.fault.rule == VMM_RULE_BUS) {
        o.ending = ENDED_ABSENT;
    } else {
        o.ending = ENDED_FAULT;
        o.cause = mmu.fault.cause;
    }
    return o;
}

static outcome_t by_unicorn(const access_t *a)
{
    const unsigned stub = a->kind == VMM_FETCH ? FETCH_STUB : log2_of(a->bytes) + (a->kind == VMM_WRITE ? 4 : 0);
    const uint64_t start = CODE + stub * STUB_BYTES;
    outcome_t o;
    must(uc_context_restore(uc, fresh), "the context");
    set_register(UC_RISCV_REG_A0, satp);
    set_register(UC_RISCV_REG_A1, a->va);
    set_register(UC_RISCV_REG_A2, status | (uint64_t)privilege << 11 | (a->kind == VMM_FETCH ? 0 : 1u << 17));
    set_register(UC_RISCV_REG_A3, a->value);
    o = run_unicorn(start, a->kind == VMM_FETCH ? NOWHERE : start + 16);
    if (a->kind == VMM_READ && o.ending == ENDED_DONE) o.value = get_register(UC_RISCV_REG_A3);
    if (a->kind == VMM_FETCH && o.ending == ENDED_FAULT && o.cause == ECALL) { /* that of a cell */
        const outcome_t fetched = {ENDED_DONE, 0, cell_of(get_register(UC_RISCV_REG_A3) >> 12)};
        o = fetched;
    }
    return o;
}

/* Which of the known wrongs explains a difference, by the rule of the manual that Unicorn lacks. */
static reason_t *known_wrong(const access_t *a, const outcome_t *vmm, const outcome_t *unicorn)
{
    static const unsigned page_faults[] = {13, 15, 12};
    if (vmm->ending == ENDED_DONE) return NULL;
    if (crosses(a, PAGE) && unicorn->ending == ENDED_ABSENT) return &reasons[WRONG_ORDER];
    switch (mmu.fault.rule) {
    case VMM_RULE_TABLE_MEMORY:
        if (unicorn->ending != ENDED_FAULT || unicorn->cause != page_faults[mmu.fault.access]) return NULL;
        return &reasons[WRONG_TABLE_MEMORY];
    case VMM_RULE_RESERVED: return &reasons[WRONG_RESERVED];
    case VMM_RULE_RESERVED_TABLE: return &reasons[WRONG_RESERVED_TABLE];
    case VMM_RULE_NAPOT: return &reasons[WRONG_NAPOT];
    case VMM_RULE_MEMORY_TYPE: return &reasons[WRONG_MEMORY_TYPE];
    default: return NULL;
    }
}

static void one_case(void)
{
    const access_t a = some_access();
    outcome_t vmm, unicorn;
    if (a.kind == VMM_FETCH) fill_data();
    vmm = by_vmm(&a);
    if (a.kind == VMM_FETCH && vmm.ending == ENDED_DONE && !is_cell(vmm.value)) { /* not for running */
        memcpy(theirs, ours, sizeof ours);
        return;
    }
    if (a.kind == VMM_WRITE) rv_flush_all(&mmu); /* it may have changed a table; Unicorn remembers nothing */
    unicorn = by_unicorn(&a);
    judge(BASE, &a, &vmm, &unicorn, known_wrong(&a, &vmm, &unicorn));
}

static void one_mode(const scheme_t *scheme)
{
    const vmm_memory_t memory = {ours, BASE, sizeof ours, {NULL, NULL, NULL}, 0};
    unsigned round;
    mode = scheme;
    if (rv_init(&mmu, &memory) || rv_set_features(&mmu, 0)) exit(1);
    for (round = 0; cases < CASES; round++) {
        if (round % 500 == 0) fill_tables();
        if (round % 500 == 0) fill_data();
        if (round % 8 == 0) {
            change_entry((unsigned)below(TABLES), some_index());
            rv_flush_all(&mmu);
        }
        if (round % 100 == 0) set_root();
        if (chance(20) || round == 0) set_status();
        one_case();
    }
    tell_mode(mode->name, 5000, reasons, WRONGS);
}

int main(int argc, char **argv)
{
    size_t i;
    take_seed(argc, argv);
    open_unicorn(UC_ARCH_RISCV, UC_MODE_RISCV64, -1, BASE, code, sizeof code);
    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) one_mode(&schemes[i]);
    printf("1..%u\n", tests);
    return failures != 0;
}
