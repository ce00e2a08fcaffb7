/* x86_32.c - as x86.c, for the modes of 32 bits: two levels without and with 4 MiB pages, and PAE.
 *
 * Unicorn enters user mode by SYSEXIT. It reads the four top entries of PAE at every walk, as if CR3 had just been
 * written: so CR3 is written before every case, and those entries are kept free of reserved bits. */
#define TABLES 20u /* pages of RAM that hold tables; the others hold data alone */
#define PAGES 28u
#define RAM_WORDS (PAGES * 512)

#include "oracle.h"

#define BASE UINT64_C(0x80000000)
#define CASES 20000u
#define HOT 8u /* entries of each table that most addresses lead through: four at either end */

#define CHAIN UINT64_C(0x20000000) /* the tables of the code */
#define CODE_SLOT 100u             /* of every table of level 1 */

#define CR0_SET UINT64_C(0x80000013) /* PG, ET, MP, PE */
#define CR0_WP UINT64_C(0x10000)
#define CR4_SET UINT64_C(0x200) /* OSFXSR */
#define CR4_PSE UINT64_C(0x10)
#define CR4_PAE UINT64_C(0x20)
#define CR4_SMEP UINT64_C(0x100000)
#define CR4_SMAP UINT64_C(0x200000)
#define EFER_NXE UINT64_C(0x800)
#define FLAGS_AC UINT64_C(0x40000)

/* What Icelake-Server of Unicorn 2.1 says by CPUID. */
#define FEATURES (VMM_X86_NX | VMM_X86_PSE36 | VMM_X86_SMEP | VMM_X86_SMAP)
#define PADDR_BITS 40
#define PDPTE_RESERVED UINT64_C(0xffffff00000001e6) /* 63:40, 8:5, 2:1 */

VMM_MMU(pc, VMM_X86)
ORACLE_ACCESS(pc)

/* eax: CR4, ebx: CR3, ecx: CR0, ebp: EFER, bit 31 of it: user mode, esp: where the access is, esi: data. */
static const uint8_t code[] = {
    0x0f, 0x22, 0xe0,             /* mov cr4, eax */
    0x0f, 0x22, 0xdb,             /* mov cr3, ebx */
    0x0f, 0x22, 0xc1,             /* mov cr0, ecx; the first run ends here */
    0xb9, 0x80, 0x00, 0x00, 0xc0, /* mov ecx, 0xc0000080 */
    0x31, 0xd2,                   /* xor edx, edx */
    0x89, 0xe8,                   /* mov eax, ebp */
    0x0f, 0x30,                   /* wrmsr: EFER */
    0xb9, 0x74, 0x01, 0x00, 0x00, /* mov ecx, 0x174 */
    0xb8, 0x08, 0x00, 0x00, 0x00, /* mov eax, 8 */
    0x0f, 0x30,                   /* wrmsr: IA32_SYSENTER_CS, without which there is no SYSEXIT */
    0x89, 0xf1,                   /* mov ecx, esi */
    0x89, 0xe2,                   /* mov edx, esp */
    0x85, 0xed,                   /* test ebp, ebp */
    0x79, 0x02,                   /* jns over the next */
    0x0f, 0x35,                   /* sysexit, to edx */
    0xff, 0xe2,                   /* jmp edx */
};
#define PAGING_ON 9u /* bytes of the above until CR0 is written */

/* The accesses: to or from ecx, at edi. */
static const struct {
    uint8_t code[3], bytes;
} accesses[] = {
    {{0x8a, 0x0f, 0x90}, 2}, {{0x66, 0x8b, 0x0f}, 3}, {{0x8b, 0x0f, 0x90}, 2}, /* loads */
    {{0x88, 0x0f, 0x90}, 2}, {{0x66, 0x89, 0x0f}, 3}, {{0x89, 0x0f, 0x90}, 2}, /* stores */
    {{0xff, 0xe7, 0x90}, 2},                                                   /* jmp edi */
};
#define FETCH_STUB 6u
#define STUBS 128u     /* where they begin in the page, 8 bytes each */
#define NOWHERE 0xf00u /* of the same page, where a run of fetches never ends */
#define VECTOR_INT3 3u
#define VECTOR_PF 14u

enum wrong {
    WRONG_TABLE_MEMORY,
    WRONG_ORDER,
    WRONGS
};
static reason_t reasons[WRONGS] = {
    {"a table outside memory reads as 0: not present", 0},
    {"not wrong, free: of a crossing access nothing is at one page; told when the other was used already", 0},
};

typedef struct form {
    const char *name;
    unsigned levels, index_bits, pte_bytes;
    uint64_t cr4;
} form_t;

static const form_t forms[] = {
    {"x86 two-level, no PSE", 2, 10, 4, 0}, {"x86 two-level", 2, 10, 4, CR4_PSE}, {"x86 PAE", 3, 9, 8, CR4_PAE}};

static const form_t *mode; /* the one at hand */
static pc_mmu_t mmu;
static uint64_t cr0, cr3, cr4, efer;
static bool user, ac;

/* ---- tables and data --------------------------------------------------------------------- */

/* A cell of data, which is also what a fetch runs: mov edx, NUMBER; int3. */
static uint64_t cell_of(uint64_t number)
{
    return UINT64_C(0x9090cc) << 40 | (number & 0xffffffff) << 8 | 0xba;
}

static bool is_cell(uint64_t word)
{
    return (word & UINT64_C(0xffffff00000000ff)) == cell_of(0);
}

static void fill_data(void)
{
    unsigned i;
    for (i = TABLES * 512; i < PAGES * 512; i++) ours[i] = theirs[i] = cell_of(i);
}

static void put_entry(unsigned page, uint64_t index, uint64_t pte)
{
    const size_t at = page * PAGE + (size_t)index * mode->pte_bytes;
    vmm_put((uint8_t *)ours + at, pte, mode->pte_bytes);
    vmm_put((uint8_t *)theirs + at, pte, mode->pte_bytes);
}

/* The top table of PAE has four entries. */
static uint64_t some_index(unsigned level)
{
    const uint64_t i = below(HOT), entries = UINT64_C(1) << mode->index_bits, any = below(entries);
    if (level == 2) return below(4);
    if (chance(1)) return level == 1 && any == CODE_SLOT ? 0 : any;
    return i < HOT / 2 ? i : entries - HOT + i;
}

static uint64_t table_of(unsigned level)
{
    return BASE + (level + mode->levels * below(TABLES / mode->levels)) * PAGE;
}

/* The frame of a leaf: in RAM, or large enough that RAM lies in it; now and then where nothing is. */
static uint64_t some_frame(unsigned level)
{
    if (chance(3)) return BASE + (PAGES + below(100)) * PAGE;
    if (chance(level ? 8 : 95)) return BASE + (TABLES - below(2) + below(PAGES - TABLES)) * PAGE;
    return BASE;
}

static uint64_t some_top_entry(void)
{
    if (chance(5)) return noise() & ~UINT64_C(1);
    return (noise() & 0xe18) | 1 | (chance(98) ? table_of(1) : BASE + PAGES * PAGE);
}

/* An entry for a table that is meant for `level`; other levels may come to read it as well. */
static uint64_t some_entry(unsigned level)
{
    const uint64_t some = noise();
    const bool wide = mode->pte_bytes == 8;
    uint64_t pte = (some & 0xf38) | (chance(98) ? 1 : 0) | (chance(85) ? 2 : 0) | (chance(80) ? 4 : 0);
    if (level == 2) return some_top_entry();
    if (chance(50)) pte |= 0x60; /* A, D */
    if (wide && chance(6)) pte |= VMM_X86_XD;
    if (wide && chance(2)) pte |= UINT64_C(1) << (PADDR_BITS + below(63 - PADDR_BITS));
    if (chance(1)) return some;
    if (level > 0 && chance(90)) return pte | (chance(98) ? table_of(0) : BASE + PAGES * PAGE) | (chance(2) ? 0x80 : 0);
    pte |= some_frame(level) | (level > 0 || chance(10) ? 0x80 : 0);
    if (level > 0 && chance(10)) pte |= UINT64_C(1) << (12 + below(10)); /* PAT, and PSE-36 or reserved */
    return pte;
}

static void change_entry(unsigned page, uint64_t index)
{
    put_entry(page, index, some_entry(page % mode->levels));
}

static void fill_tables(void)
{
    unsigned page, i;
    memset(ours, 0, TABLES * PAGE);
    memset(theirs, 0, TABLES * PAGE);
    for (page = 0; page < TABLES; page++)
        for (i = 0; i < 3 * HOT; i++) change_entry(page, some_index(page % mode->levels));
}

/* The way to the code, in every table of level 1, and of PAE the first top entry; a store may have hit it. */
static void keep_code(void)
{
    unsigned page, i;
    for (page = 0; page < TABLES; page++) {
        if (page % mode->levels == 1) put_entry(page, CODE_SLOT, (CHAIN + PAGE * (mode->levels - 1)) | 0x27);
        if (page % mode->levels != 2) continue;
        for (i = 0; i < 4; i++) put_entry(page, i, ours[page * 512 + i] & ~PDPTE_RESERVED);
        put_entry(page, 0, (BASE + (page - 1) * PAGE) | 1);
    }
}

/* ---- registers --------------------------------------------------------------------------- */

static void must_take(vmm_status_t status, const char *what)
{
    if (status == VMM_OK) return;
    printf("Bail out! vmm does not take %s\n", what);
    exit(1);
}

static void choose_registers(void)
{
    const uint64_t some = noise();
    cr0 = CR0_SET | (chance(70) ? CR0_WP : 0);
    cr3 = table_of(mode->levels - 1);
    cr4 = CR4_SET | mode->cr4 | (some & (CR4_SMEP | CR4_SMAP));
    efer = chance(80) ? EFER_NXE : 0;
    user = chance(50);
    ac = chance(50);
}

static void write_registers(void)
{
    must_take(pc_set_cr3(&mmu, cr3), "CR3");
    must_take(pc_set_cr4(&mmu, cr4), "CR4");
    must_take(pc_set_efer(&mmu, efer), "EFER");
    must_take(pc_set_cr0(&mmu, cr0), "CR0");
    must_take(pc_set_cpl(&mmu, user ? 3 : 0), "CPL");
    pc_set_ac(&mmu, ac);
}

static uint64_t code_address(void)
{
    return (uint64_t)CODE_SLOT << (12 + mode->index_bits);
}

static void give_registers(void)
{
    set_register(UC_X86_REG_EAX, cr4);
    set_register(UC_X86_REG_EBX, cr3);
    set_register(UC_X86_REG_ECX, cr0);
    set_register(UC_X86_REG_EBP, efer | (user ? UINT64_C(0x80000000) : 0));
}

static void put_chain(unsigned table, uint64_t index, uint64_t pte)
{
    uint8_t bytes[8];
    vmm_put(bytes, pte, mode->pte_bytes);
    must(uc_mem_write(uc, CHAIN + table * PAGE + index * mode->pte_bytes, bytes, mode->pte_bytes), "the code's tables");
}

/* The tables of the code: its page is there twice, for the supervisor and for the user; and to begin with at its
 * physical address too: see x86.c. */
static void make_chain(void)
{
    const unsigned lowest = mode->levels - 1, middle = lowest - 1;
    must(uc_mem_map(uc, CHAIN, 4 * PAGE, UC_PROT_ALL), "the code's tables");
    if (mode->levels == 3) put_chain(0, 0, (CHAIN + PAGE) | 1);
    put_chain(middle, CODE_SLOT, (CHAIN + lowest * PAGE) | 0x27);
    put_chain(middle, CODE >> (12 + mode->index_bits), (CHAIN + lowest * PAGE) | 0x27);
    put_chain(lowest, 0, CODE | 0x21);
    put_chain(lowest, 1, CODE | 0x25);
}

static void start_unicorn(void)
{
    unsigned i;
    open_unicorn(UC_ARCH_X86, UC_MODE_32, UC_CPU_X86_ICELAKE_SERVER, BASE, code, sizeof code);
    for (i = 0; i < sizeof accesses / sizeof accesses[0]; i++)
        must(uc_mem_write(uc, CODE + STUBS + 8 * i, accesses[i].code, sizeof accesses[i].code), "code");
    make_chain();
    choose_registers();
    cr3 = CHAIN;
    cr4 &= ~(CR4_SMEP | CR4_SMAP);
    give_registers();
    must(uc_emu_start(uc, CODE, CODE + PAGING_ON, 0, 0), "paging on");
    must(uc_context_save(uc, fresh), "the context");
    choose_registers();
}

/* ---- the two machines -------------------------------------------------------------------- */

static outcome_t by_vmm(const access_t *a)
{
    outcome_t o = {ENDED_DONE, 0, 0};
    if (mode->levels == 3) must_take(pc_set_cr3(&mmu, cr3), "CR3");
    if (pc_access(&mmu, a, &o.value) == VMM_OK) return o;
    o.value = 0;
    if (mmu.fault.kind == VMM_ACCESS_FAULT && mmu.fault.rule == VMM_RULE_BUS) {
        o.ending = ENDED_ABSENT;
    } else {
        o.ending = ENDED_FAULT;
        o.cause = mmu.fault.cause;
        if (o.cause == VECTOR_PF) o.value = mmu.fault.vaddr;
    }
    return o;
}

static outcome_t by_unicorn(const access_t *a)
{
    const unsigned stub = a->kind == VMM_FETCH ? FETCH_STUB : log2_of(a->bytes) + (a->kind == VMM_WRITE ? 3 : 0);
    const uint64_t setup = code_address(), page = setup + (user ? PAGE : 0), access = page + STUBS + 8 * stub;
    outcome_t o;
    must(uc_context_restore(uc, fresh), "the context");
    give_registers();
    set_register(UC_X86_REG_EFLAGS, 2 | (ac ? FLAGS_AC : 0));
    set_register(UC_X86_REG_ESP, access);
    set_register(UC_X86_REG_EDI, a->va);
    set_register(UC_X86_REG_ESI, a->kind == VMM_WRITE ? a->value & 0xffffffff : 0);
    o = run_unicorn(setup, a->kind == VMM_FETCH ? page + NOWHERE : access + accesses[stub].bytes);
    if (a->kind == VMM_READ && o.ending == ENDED_DONE) o.value = get_register(UC_X86_REG_ECX) & 0xffffffff;
    if (o.ending == ENDED_FAULT && o.cause == VECTOR_PF) o.value = get_register(UC_X86_REG_CR2);
    if (a->kind == VMM_FETCH && o.ending == ENDED_FAULT && o.cause == VECTOR_INT3) { /* that of a cell */
        const outcome_t fetched = {ENDED_DONE, 0, cell_of(get_register(UC_X86_REG_EDX))};
        o = fetched;
    }
    return o;
}

/* Which of the known wrongs explains a difference. */
static reason_t *known_wrong(const access_t *a, const outcome_t *vmm, const outcome_t *unicorn)
{
    if (vmm->ending == ENDED_DONE) return NULL;
    if (mmu.fault.rule == VMM_RULE_TABLE_MEMORY && unicorn->cause == VECTOR_PF && unicorn->value == mmu.fault.vaddr)
        return &reasons[WRONG_TABLE_MEMORY];
    if (crosses(a, PAGE) && unicorn->ending == ENDED_ABSENT) return &reasons[WRONG_ORDER];
    return NULL;
}

/* ------------------------------------------------------------------------------------------ */

static access_t some_access(void)
{
    access_t a;
    unsigned level;
    a.kind = (unsigned)below(3);
    a.bytes = a.kind == VMM_FETCH ? 8 : 1u << below(3);
    a.value = noise();
    a.va = chance(70) ? below(PAGE / a.bytes) * a.bytes : chance(50) ? below(PAGE) : PAGE - below(8);
    if (a.kind == VMM_FETCH) a.va &= ~UINT64_C(7);
    for (level = 0; level < mode->levels; level++) a.va |= some_index(level) << (12 + level * mode->index_bits);
    return a;
}

static void one_case(void)
{
    const access_t a = some_access();
    outcome_t vmm, unicorn;
    keep_code();
    if (a.kind == VMM_FETCH) fill_data();
    vmm = by_vmm(&a);
    if (a.kind == VMM_FETCH && vmm.ending == ENDED_DONE && !is_cell(vmm.value)) { /* not for running */
        memcpy(theirs, ours, sizeof ours);
        return;
    }
    if (a.kind == VMM_WRITE) pc_flush_all(&mmu); /* it may have changed a table; Unicorn remembers nothing */
    unicorn = by_unicorn(&a);
    judge(BASE, &a, &vmm, &unicorn, known_wrong(&a, &vmm, &unicorn));
}

static void one_mode(const form_t *of)
{
    const vmm_memory_t memory = {ours, BASE, sizeof ours, {NULL, NULL, NULL}, PADDR_BITS};
    unsigned round;
    mode = of;
    must_take(pc_init(&mmu, &memory), "its memory");
    must_take(pc_set_features(&mmu, FEATURES), "the features");
    fill_tables();
    fill_data();
    start_unicorn();
    keep_code();
    write_registers();
    for (round = 0; cases < CASES; round++) {
        const unsigned page = (unsigned)below(TABLES);
        if (round % 500 == 499) fill_tables();
        if (round % 8 == 0) change_entry(page, some_index(page % mode->levels));
        if (round % 8 == 0 || round % 500 == 499) pc_flush_all(&mmu);
        if (chance(20)) {
            choose_registers();
            keep_code();
            write_registers();
        }
        one_case();
    }
    tell_mode(mode->name, 5000, reasons, WRONGS);
    must(uc_close(uc), "close");
}

int main(int argc, char **argv)
{
    size_t i;
    take_seed(argc, argv);
    for (i = 0; i < sizeof forms / sizeof forms[0]; i++) one_mode(&forms[i]);
    printf("1..%u\n", tests);
    return failures != 0;
}
