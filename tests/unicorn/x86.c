/* x86.c - random four-level and five-level tables, registers and accesses, by vmm and by Unicorn: outcome, CR2,
 * value, and all of RAM with the marks in its tables. (Unicorn does not tell the error code.)
 *
 * Unicorn's code runs under the tables too: entry CODE_SLOT of each top table leads to pages that Unicorn alone has.
 * It writes the control registers as a guest does, enters user mode by SYSRET if asked to, and makes the access. */
#define TABLES 20u /* pages of RAM that hold tables; the others hold data alone */
#define PAGES 28u
#define RAM_WORDS (PAGES * 512)

#include "oracle.h"

#define BASE UINT64_C(0x80000000)
#define CASES 20000u
#define HOT 8u /* entries of each table that most addresses lead through: four at either end */

#define CHAIN UINT64_C(0x20000000) /* the tables of the code */
#define CODE_SLOT 100u

#define CR0_SET UINT64_C(0x80000013) /* PG, ET, MP, PE */
#define CR0_WP UINT64_C(0x10000)
#define CR4_SET UINT64_C(0x220) /* OSFXSR, PAE */
#define CR4_LA57 UINT64_C(0x1000)
#define CR4_SMEP UINT64_C(0x100000)
#define CR4_SMAP UINT64_C(0x200000)
#define CR4_PKE UINT64_C(0x400000)
#define EFER_SET UINT64_C(0x501) /* LMA, LME, SCE */
#define EFER_NXE UINT64_C(0x800)
#define FLAGS_AC UINT64_C(0x40000)

/* What Icelake-Server of Unicorn 2.1 says by CPUID. */
#define FEATURES (VMM_X86_NX | VMM_X86_1G | VMM_X86_SMEP | VMM_X86_SMAP | VMM_X86_PKU | VMM_X86_LA57)
#define PADDR_BITS 40

VMM_MMU(pc, VMM_X86)
ORACLE_ACCESS(pc)

/* r9: CR4, rbx: CR3, r8: CR0, r10: EFER, r12: PKRU, r13: user mode, r14: where the access is, r11: its flags. */
static const uint8_t code[] = {
    0x41, 0x0f, 0x22, 0xe1,                   /* mov cr4, r9 */
    0x0f, 0x22, 0xdb,                         /* mov cr3, rbx */
    0xb9, 0x80, 0x00, 0x00, 0xc0,             /* mov ecx, 0xc0000080 */
    0x31, 0xd2,                               /* xor edx, edx */
    0x44, 0x89, 0xd0,                         /* mov eax, r10d */
    0x0f, 0x30,                               /* wrmsr */
    0x41, 0x0f, 0x22, 0xc0,                   /* mov cr0, r8; the first run ends here */
    0x41, 0xf7, 0xc1, 0x00, 0x00, 0x40, 0x00, /* test r9d, CR4_PKE */
    0x74, 0x08,                               /* jz over the next three */
    0x31, 0xc9,                               /* xor ecx, ecx */
    0x44, 0x89, 0xe0,                         /* mov eax, r12d */
    0x0f, 0x01, 0xef,                         /* wrpkru */
    0x45, 0x85, 0xed,                         /* test r13d, r13d */
    0x74, 0x06,                               /* jz over the next two */
    0x4c, 0x89, 0xf1,                         /* mov rcx, r14 */
    0x48, 0x0f, 0x07,                         /* sysretq */
    0x41, 0xff, 0xe6,                         /* jmp r14 */
};
#define PAGING_ON 23u /* bytes of the above until CR0 is written */

/* The accesses: to or from rsi, at rdi. */
static const struct {
    uint8_t code[3], bytes;
} accesses[] = {
    {{0x40, 0x8a, 0x37}, 3}, {{0x66, 0x8b, 0x37}, 3}, {{0x8b, 0x37, 0x90}, 2}, {{0x48, 0x8b, 0x37}, 3}, /* loads */
    {{0x40, 0x88, 0x37}, 3}, {{0x66, 0x89, 0x37}, 3}, {{0x89, 0x37, 0x90}, 2}, {{0x48, 0x89, 0x37}, 3}, /* stores */
    {{0xff, 0xe7, 0x90}, 2},                                                                            /* jmp rdi */
};
#define FETCH_STUB 8u
#define STUBS 128u     /* where they begin in the page, 8 bytes each */
#define NOWHERE 0xf00u /* of the same page, where a run of fetches never ends */
#define VECTOR_INT3 3u
#define VECTOR_GP 13u
#define VECTOR_PF 14u

enum wrong {
    WRONG_TABLE_MEMORY,
    WRONG_EARLY,
    WRONG_ORDER,
    WRONGS
};
static reason_t reasons[WRONGS] = {
    {"a table outside memory reads as 0: not present", 0},
    {"A is set in a 1 GiB leaf before it is judged", 0},
    {"not wrong, free: of a crossing access nothing is at one page; told when the other was used already", 0},
};

static unsigned levels;
static pc_mmu_t mmu;
static uint64_t cr0, cr3, cr4, efer;
static uint32_t pkru;
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

static uint64_t some_index(void)
{
    const uint64_t i = below(HOT), any = below(512);
    if (chance(1)) return any == CODE_SLOT ? 0 : any;
    return i < HOT / 2 ? i : 512 - HOT + i;
}

/* The frame of a leaf: in RAM, or large enough that RAM lies in it; now and then where nothing is. */
static uint64_t some_frame(unsigned level)
{
    if (chance(3)) return BASE + (PAGES + below(100)) * PAGE;
    if (chance(level ? 8 : 95)) return BASE + (TABLES - below(2) + below(PAGES - TABLES)) * PAGE;
    return level > 2 ? 0 : BASE;
}

/* An entry for a table that is meant for `level`; other levels may come to read it as well. */
static uint64_t some_entry(unsigned level)
{
    const uint64_t some = noise();
    uint64_t pte = (some & 0xf38) | (chance(98) ? 1 : 0) | (chance(85) ? 2 : 0) | (chance(80) ? 4 : 0);
    if (chance(50)) pte |= 0x60; /* A, D */
    if (chance(6)) pte |= VMM_X86_XD;
    if (chance(30)) pte |= (some >> 32) << 52 & UINT64_C(0x7ff0000000000000); /* ignored, and the key */
    if (chance(1)) return some;
    if (chance(1)) pte |= UINT64_C(1) << (PADDR_BITS + below(52 - PADDR_BITS));
    if (level > 0 && chance(92)) {
        const uint64_t page = level - 1 + levels * below(TABLES / levels);
        return pte | (BASE + (chance(99) ? page : PAGES + page) * PAGE);
    }
    pte |= some_frame(level) | (level > 0 || chance(10) ? 0x80 : 0);
    if (level > 0 && chance(10)) pte |= 0x1000; /* PAT of a huge page */
    return pte;
}

static void change_entry(unsigned page, uint64_t index)
{
    ours[page * 512 + index] = theirs[page * 512 + index] = some_entry(page % levels);
}

static void fill_tables(void)
{
    unsigned page, i;
    memset(ours, 0, TABLES * PAGE);
    memset(theirs, 0, TABLES * PAGE);
    for (page = 0; page < TABLES; page++)
        for (i = 0; i < HOT; i++) change_entry(page, i < HOT / 2 ? i : 512 - HOT + i);
}

/* The way to the code, in every page that may be a top table; a store may have hit it. It is accessed already. */
static void keep_code(void)
{
    unsigned page;
    for (page = 0; page < TABLES; page++)
        ours[page * 512 + CODE_SLOT] = theirs[page * 512 + CODE_SLOT] = (CHAIN + PAGE) | 0x27;
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
    cr3 = BASE + (levels - 1 + levels * below(TABLES / levels)) * PAGE;
    cr4 = CR4_SET | (levels == 5 ? CR4_LA57 : 0) | (some & (CR4_SMEP | CR4_SMAP | CR4_PKE));
    efer = EFER_SET | (chance(80) ? EFER_NXE : 0);
    pkru = (uint32_t)noise() & (uint32_t)noise();
    user = chance(50);
    ac = chance(50);
}

static void write_registers(void)
{
    must_take(pc_set_cr4(&mmu, cr4), "CR4");
    must_take(pc_set_efer(&mmu, efer), "EFER");
    must_take(pc_set_cr0(&mmu, cr0), "CR0");
    must_take(pc_set_cr3(&mmu, cr3), "CR3");
    must_take(pc_set_cpl(&mmu, user ? 3 : 0), "CPL");
    pc_set_pkru(&mmu, pkru);
    pc_set_ac(&mmu, ac);
}

static uint64_t code_address(void)
{
    const uint64_t sign = UINT64_C(1) << (12 + 9 * levels - 1), va = (uint64_t)CODE_SLOT << (12 + 9 * (levels - 1));
    return (va ^ sign) - sign;
}

static void give_registers(void)
{
    set_register(UC_X86_REG_R8, cr0);
    set_register(UC_X86_REG_RBX, cr3);
    set_register(UC_X86_REG_R9, cr4);
    set_register(UC_X86_REG_R10, efer);
    set_register(UC_X86_REG_R12, pkru);
    set_register(UC_X86_REG_R13, user);
}

/* The tables of the code: its page is there twice, for the supervisor and for the user. The first of them is a top
 * table to begin with, which has the code at its physical address too: Unicorn translates the address where a run
 * ends, and an exception that comes of it would stay and make a double fault of the next. */
static void make_chain(void)
{
    uint64_t chain[6 * 512];
    unsigned i;
    memset(chain, 0, sizeof chain);
    chain[0] = chain[CODE_SLOT] = (CHAIN + PAGE) | 0x27;
    for (i = 1; i + 1 < levels; i++) chain[512 * i] = (CHAIN + PAGE * (i + 1)) | 0x27;
    chain[512 * (levels - 2) + (CODE >> 21)] = chain[512 * (levels - 2)];
    chain[512 * (levels - 1)] = CODE | 0x21;
    chain[512 * (levels - 1) + 1] = CODE | 0x25;
    must(uc_mem_map(uc, CHAIN, sizeof chain, UC_PROT_ALL), "the code's tables");
    must(uc_mem_write(uc, CHAIN, chain, sizeof chain), "the code's tables");
}

static void start_unicorn(void)
{
    unsigned i;
    open_unicorn(UC_ARCH_X86, UC_MODE_64, UC_CPU_X86_ICELAKE_SERVER, BASE, code, sizeof code);
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
    const unsigned stub = a->kind == VMM_FETCH ? FETCH_STUB : log2_of(a->bytes) + (a->kind == VMM_WRITE ? 4 : 0);
    const uint64_t setup = code_address(), access = setup + (user ? PAGE : 0) + STUBS + 8 * stub;
    outcome_t o;
    must(uc_context_restore(uc, fresh), "the context");
    give_registers();
    set_register(UC_X86_REG_R11, 2 | (ac ? FLAGS_AC : 0));
    set_register(UC_X86_REG_EFLAGS, 2 | (ac ? FLAGS_AC : 0));
    set_register(UC_X86_REG_R14, access);
    set_register(UC_X86_REG_RDI, a->va);
    set_register(UC_X86_REG_RSI, a->kind == VMM_WRITE ? a->value : 0);
    o = run_unicorn(setup,
                    a->kind == VMM_FETCH ? (access & ~UINT64_C(0xfff)) + NOWHERE : access + accesses[stub].bytes);
    if (a->kind == VMM_READ && o.ending == ENDED_DONE) o.value = get_register(UC_X86_REG_RSI);
    if (o.ending == ENDED_FAULT && o.cause == VECTOR_PF) o.value = get_register(UC_X86_REG_CR2);
    if (a->kind == VMM_FETCH && o.ending == ENDED_FAULT && o.cause == VECTOR_INT3) { /* that of a cell */
        const outcome_t fetched = {ENDED_DONE, 0, cell_of(get_register(UC_X86_REG_RDX))};
        o = fetched;
    }
    return o;
}

/* Whether all that differs in RAM is the accessed bit of the 1 GiB leaf that made vmm fault. */
static bool marked_early(void)
{
    const size_t at = (size_t)(mmu.fault.pte_addr - BASE) / 8;
    uint64_t was;
    bool same;
    if (mmu.fault.level != 2 || !(mmu.fault.pte & 0x80) || at >= TABLES * 512 || theirs[at] != (ours[at] | 0x20))
        return false;
    was = theirs[at];
    theirs[at] = ours[at];
    same = !memcmp(ours, theirs, sizeof ours);
    theirs[at] = was;
    return same;
}

/* Which of the known wrongs explains a difference. */
static reason_t *known_wrong(const access_t *a, const outcome_t *vmm, const outcome_t *unicorn)
{
    if (vmm->ending == ENDED_DONE) return NULL;
    if (mmu.fault.rule == VMM_RULE_TABLE_MEMORY && unicorn->cause == VECTOR_PF && unicorn->value == mmu.fault.vaddr)
        return &reasons[WRONG_TABLE_MEMORY];
    if (crosses(a, PAGE) && unicorn->ending == ENDED_ABSENT) return &reasons[WRONG_ORDER];
    if (vmm->ending == unicorn->ending && vmm->cause == unicorn->cause && vmm->value == unicorn->value &&
        marked_early())
        return &reasons[WRONG_EARLY];
    return NULL;
}

/* ------------------------------------------------------------------------------------------ */

static access_t some_access(void)
{
    const uint64_t sign = UINT64_C(1) << (12 + 9 * levels - 1);
    access_t a;
    unsigned level;
    a.kind = (unsigned)below(3);
    a.bytes = a.kind == VMM_FETCH ? 8 : 1u << below(4);
    a.value = noise();
    a.va = chance(70) ? below(PAGE / a.bytes) * a.bytes : chance(50) ? below(PAGE) : PAGE - below(8);
    if (a.kind == VMM_FETCH) a.va &= ~UINT64_C(7);
    for (level = 0; level < levels; level++) a.va |= some_index() << (12 + level * 9);
    a.va = (a.va ^ sign) - sign;
    if (chance(2)) a.va ^= UINT64_C(1) << (12 + below(52));
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

static void one_mode(const char *name, unsigned of_levels)
{
    const vmm_memory_t memory = {ours, BASE, sizeof ours, {NULL, NULL, NULL}, PADDR_BITS};
    unsigned round;
    levels = of_levels;
    must_take(pc_init(&mmu, &memory), "its memory");
    must_take(pc_set_features(&mmu, FEATURES), "the features");
    fill_tables();
    fill_data();
    start_unicorn();
    write_registers();
    for (round = 0; cases < CASES; round++) {
        if (round % 500 == 499) fill_tables();
        if (round % 8 == 0) change_entry((unsigned)below(TABLES), some_index());
        if (round % 8 == 0 || round % 500 == 499) pc_flush_all(&mmu);
        if (chance(20)) {
            choose_registers();
            write_registers();
        }
        one_case();
    }
    tell_mode(name, 5000, reasons, WRONGS);
    must(uc_close(uc), "close");
}

int main(int argc, char **argv)
{
    take_seed(argc, argv);
    one_mode("x86 four-level", 4);
    one_mode("x86 five-level", 5);
    printf("1..%u\n", tests);
    return failures != 0;
}
