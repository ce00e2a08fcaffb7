/* test_arm32.c - ARMv7-A short descriptors: each rule and each trap, and random trees against a checker that was
 * written from the manual (DDI 0406, B3) alone. Every test runs through four arrangements of stages. */
#define VMM_IMPLEMENTATION
#include "helper.h"
#include "vmm.h"

#define BASE UINT32_C(0x80000000)
#define SIZE (UINT32_C(8) << 20)
#define FIRST BASE                   /* first-level table of TTBR0 */
#define SECOND (BASE + 0x8000)       /* second-level tables, 1 KiB each */
#define OTHER (BASE + 0x4000)        /* first-level table of TTBR1 */
#define DATA (BASE + 0x100000)       /* what is mapped */
#define NOWHERE UINT32_C(0x10000000) /* no memory is there */

/* Bits of a section and of a small page. */
#define SECTION UINT32_C(2)
#define TABLE UINT32_C(1)
#define SMALL UINT32_C(2)
#define LARGE UINT32_C(1)
#define SUPER (UINT32_C(1) << 18)
#define DOMAIN(n) ((uint32_t)(n) << 5)
#define AP1(ap) (((uint32_t)(ap)&3) << 10 | ((uint32_t)(ap) >> 2) << 15)
#define AP2(ap) (((uint32_t)(ap)&3) << 4 | ((uint32_t)(ap) >> 2) << 9)
#define AFE (UINT32_C(1) << 29)
#define WXN (UINT32_C(1) << 19)
#define UWXN (UINT32_C(1) << 20)
#define CLIENTS UINT32_C(0x55555555)

typedef struct registers {
    uint32_t ttbr0, ttbr1, ttbcr, dacr, sctlr, contextidr;
    unsigned pl;
} registers_t;

typedef struct machine {
    const char *name;
    vmm_status_t (*init)(const vmm_memory_t *memory);
    void (*set)(const registers_t *r);
    vmm_status_t (*access)(unsigned access, vmm_vaddr_t va, uint32_t *value);
    vmm_status_t (*translate)(unsigned access, vmm_vaddr_t va, vmm_translation_t *t);
    vmm_status_t (*tlbi)(unsigned op, uint64_t xt);
    vmm_status_t (*features)(unsigned features);
    void (*unprivileged)(bool unprivileged);
    void (*check)(vmm_check_t check, void *user);
    const vmm_fault_t *fault;
    vmm_stats_t *stats;
} machine_t;

#define MACHINE(NAME, ...)                                                                                             \
    VMM_MMU(NAME, __VA_ARGS__)                                                                                         \
    static NAME##_mmu_t NAME##_mmu_;                                                                                   \
    static vmm_status_t NAME##_of_init(const vmm_memory_t *memory)                                                     \
    {                                                                                                                  \
        return NAME##_init(&NAME##_mmu_, memory);                                                                      \
    }                                                                                                                  \
    static void NAME##_of_set(const registers_t *r)                                                                    \
    {                                                                                                                  \
        NAME##_set_ttbr0(&NAME##_mmu_, r->ttbr0);                                                                      \
        NAME##_set_ttbr1(&NAME##_mmu_, r->ttbr1);                                                                      \
        assert_int_equal(NAME##_set_ttbcr(&NAME##_mmu_, r->ttbcr), VMM_OK);                                            \
        NAME##_set_dacr(&NAME##_mmu_, r->dacr);                                                                        \
        NAME##_set_contextidr(&NAME##_mmu_, r->contextidr);                                                            \
        assert_int_equal(NAME##_set_pl(&NAME##_mmu_, r->pl), VMM_OK);                                                  \
        NAME##_set_sctlr(&NAME##_mmu_, r->sctlr);                                                                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_access(unsigned access, vmm_vaddr_t va, uint32_t *value)                             \
    {                                                                                                                  \
        if (access == VMM_WRITE) return NAME##_store32(&NAME##_mmu_, va, *value);                                      \
        if (access == VMM_FETCH) return NAME##_fetch32(&NAME##_mmu_, va, value);                                       \
        return NAME##_load32(&NAME##_mmu_, va, value);                                                                 \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_translate(unsigned access, vmm_vaddr_t va, vmm_translation_t *t)                     \
    {                                                                                                                  \
        return NAME##_translate(&NAME##_mmu_, va, access, t);                                                          \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_tlbi(unsigned op, uint64_t xt)                                                       \
    {                                                                                                                  \
        return NAME##_tlbi(&NAME##_mmu_, op, xt);                                                                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_features(unsigned features)                                                          \
    {                                                                                                                  \
        return NAME##_set_features(&NAME##_mmu_, features);                                                            \
    }                                                                                                                  \
    static void NAME##_of_unprivileged(bool unprivileged)                                                              \
    {                                                                                                                  \
        NAME##_set_unprivileged(&NAME##_mmu_, unprivileged);                                                           \
    }                                                                                                                  \
    static void NAME##_of_check(vmm_check_t check, void *user)                                                         \
    {                                                                                                                  \
        NAME##_set_check(&NAME##_mmu_, check, user);                                                                   \
    }                                                                                                                  \
    static const machine_t NAME##_machine = {#NAME,                                                                    \
                                             NAME##_of_init,                                                           \
                                             NAME##_of_set,                                                            \
                                             NAME##_of_access,                                                         \
                                             NAME##_of_translate,                                                      \
                                             NAME##_of_tlbi,                                                           \
                                             NAME##_of_features,                                                       \
                                             NAME##_of_unprivileged,                                                   \
                                             NAME##_of_check,                                                          \
                                             &NAME##_mmu_.fault,                                                       \
                                             &NAME##_mmu_.stats};

MACHINE(fast, VMM_ARM32)
MACHINE(tlb, VMM_ARCH_ARM32, VMM_STAGES_TLB(8, 4, VMM_LRU))
MACHINE(bare, VMM_ARCH_ARM32, VMM_STAGES(0, 1, 0, 0, 0, VMM_LRU))
MACHINE(detect, VMM_ARCH_ARM32, VMM_STAGES_DETECT)

static const machine_t *const machines[] = {&fast_machine, &tlb_machine, &bare_machine, &detect_machine};
#define MACHINES (sizeof machines / sizeof *machines)

static uint64_t ram[SIZE / 8];
static const vmm_memory_t memory = {ram, BASE, SIZE, {0, 0, 0}, 0};
static const machine_t *m; /* the machine under test */
static registers_t regs;

static void put(uint32_t paddr, uint32_t value)
{
    vmm_put(vmm_mem_host(&memory, paddr, 4), value, 4);
}

static uint32_t get(uint32_t paddr)
{
    return (uint32_t)vmm_get(vmm_mem_host(&memory, paddr, 4), 4);
}

static void first(uint32_t va, uint32_t entry)
{
    put(FIRST + (va >> 20) * 4, entry);
}

static void second(uint32_t va, uint32_t entry)
{
    put(SECOND + ((va >> 12) & 0xff) * 4, entry);
}

static void apply(void)
{
    m->set(&regs);
}

static void begin(const machine_t *machine)
{
    uint32_t i;
    m = machine;
    for (i = 0; i < 0x100000 / 8; i++) ram[i] = 0;
    for (i = 0x100000; i < SIZE; i += 4) put(BASE + i, i * 2654435761u);
    assert_int_equal(m->init(&memory), VMM_OK);
    memset(&regs, 0, sizeof regs);
    regs.ttbr0 = FIRST;
    regs.ttbr1 = OTHER;
    regs.dacr = CLIENTS;
    regs.sctlr = 1;
    regs.pl = 1;
    apply();
}

/* The access is done, at this physical address. */
static void reaches(unsigned access, vmm_vaddr_t va, uint64_t paddr)
{
    vmm_translation_t t;
    uint32_t value = get((uint32_t)paddr);
    const uint32_t was = value;
    unsigned i;
    for (i = 0; i < 2; i++) { /* the second time from what is remembered */
        assert_int_equal(m->translate(access, va, &t), VMM_OK);
        assert_int_equal(t.paddr, paddr);
        assert_int_equal(m->access(access, va, &value), VMM_OK);
        assert_int_equal(value, was);
    }
}

/* The access is refused, with this fault status. */
static void refuses(unsigned access, vmm_vaddr_t va, uint32_t code, unsigned rule)
{
    uint32_t value = 0;
    unsigned i;
    for (i = 0; i < 2; i++) {
        assert_int_equal(m->access(access, va, &value), VMM_FAULT);
        assert_int_equal(m->fault->code, code | (access == VMM_WRITE ? 0x800u : 0u));
        assert_int_equal(m->fault->rule, rule);
        assert_int_equal(m->fault->access, access);
        assert_int_equal(m->fault->cause, access == VMM_FETCH ? 0x0c : 0x10);
        assert_int_equal(m->fault->vaddr, va & 0xffffffff);
    }
}

#define EVERY_MACHINE(body)                                                                                            \
    size_t machine;                                                                                                    \
    (void)state;                                                                                                       \
    for (machine = 0; machine < MACHINES; machine++) {                                                                 \
        begin(machines[machine]);                                                                                      \
        body();                                                                                                        \
    }
#define TEST(name)                                                                                                     \
    static void name##_body(void);                                                                                     \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        EVERY_MACHINE(name##_body)                                                                                     \
    }                                                                                                                  \
    static void name##_body(void)

/* -- where addresses lead -- */

TEST(a_section_maps_a_megabyte)
{
    first(0x00300000, DATA | SECTION | AP1(3));
    reaches(VMM_READ, 0x00300000, DATA);
    reaches(VMM_WRITE, 0x003ffffc, DATA + 0xffffc);
    reaches(VMM_FETCH, 0x00345678, DATA + 0x45678);
    refuses(VMM_READ, 0x00400000, 0x5, VMM_RULE_VALID);
    refuses(VMM_READ, 0x002ffffc, 0x5, VMM_RULE_VALID);
}

TEST(a_small_page_maps_four_kilobytes)
{
    first(0x00300000, SECOND | TABLE);
    second(0x00345000, (DATA + 0x5000) | SMALL | AP2(3));
    reaches(VMM_READ, 0x00345000, DATA + 0x5000);
    reaches(VMM_WRITE, 0x00345ffc, DATA + 0x5ffc);
    reaches(VMM_FETCH, 0x00345124, DATA + 0x5124);
    refuses(VMM_READ, 0x00346000, 0x7, VMM_RULE_VALID);
    refuses(VMM_READ, 0x00344ffc, 0x7, VMM_RULE_VALID);
}

TEST(a_large_page_maps_64_kilobytes_through_each_of_its_sixteen_entries)
{
    uint32_t i;
    first(0x00300000, SECOND | TABLE);
    for (i = 0; i < 16; i++) second(0x00310000 + i * 0x1000, (DATA + 0x20000) | LARGE | AP2(3));
    for (i = 0; i < 16; i++) reaches(VMM_READ, 0x00310008 + i * 0x1000, DATA + 0x20008 + i * 0x1000);
    second(0x00315000, 0);
    assert_int_equal(m->tlbi(VMM_TLBIMVA, 0x00310000), VMM_OK);
    refuses(VMM_READ, 0x00315000, 0x7, VMM_RULE_VALID);
    reaches(VMM_WRITE, 0x00316000, DATA + 0x26000);
}

TEST(tables_of_the_second_level_are_aligned_to_1_kilobyte)
{
    first(0x00300000, (SECOND + 0xc00) | TABLE);
    put(SECOND + 0xc00 + 0xff * 4, DATA | SMALL | AP2(1));
    reaches(VMM_READ, 0x003ff010, DATA + 0x10);
    refuses(VMM_READ, 0x00300010, 0x7, VMM_RULE_VALID);
}

static void a_supersection_maps_16_megabytes_of_a_40_bit_space(void **state)
{
    const uint64_t far = UINT64_C(0xa3) << 32 | 0x40000000;
    vmm_translation_t t;
    uint32_t i, value = 0;
    (void)state;
    begin(&fast_machine);
    for (i = 0; i < 16; i++)
        first(0x05000000 + (i << 20), 0x40000000 | UINT32_C(3) << 20 | DOMAIN(0xa) | SUPER | SECTION | AP1(3));
    for (i = 0; i < 16; i++) {
        assert_int_equal(m->translate(VMM_READ, 0x05012340 + (i << 20), &t), VMM_OK);
        assert_int_equal(t.paddr, far + 0x12340 + (i << 20));
        assert_int_equal(t.page_shift, 24);
        assert_int_equal(t.level, 1);
    }
    assert_int_equal(m->access(VMM_READ, 0x05000000, &value), VMM_FAULT); /* nothing is there */
    assert_int_equal(m->fault->code, 0x8);
    assert_int_equal(m->fault->rule, VMM_RULE_BUS);
}

TEST(the_domain_of_a_supersection_is_0)
{
    uint32_t i;
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), BASE | SUPER | SECTION | AP1(3));
    regs.dacr = 1;
    apply();
    reaches(VMM_READ, 0x05100000, BASE + 0x100000);
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), BASE | SUPER | SECTION | DOMAIN(5));
    assert_int_equal(m->tlbi(VMM_TLBIALL, 0), VMM_OK);
    regs.dacr = 3; /* bits 8:5 are address bits: nothing is at 5 << 36 */
    apply();
    refuses(VMM_READ, 0x05100000, 0x8, VMM_RULE_BUS);
    regs.dacr = ~UINT32_C(3);
    apply();
    refuses(VMM_READ, 0x05100000, 0x9, VMM_RULE_DOMAIN);
}

TEST(addresses_wrap_at_4_gigabytes)
{
    first(0xfff00000, DATA | SECTION | AP1(3));
    first(0x00000000, (DATA + 0x100000) | SECTION | AP1(3));
    reaches(VMM_READ, UINT64_C(0x1fff00010), DATA + 0x10);
    reaches(VMM_READ, UINT64_C(0xffffffff00000010), DATA + 0x100010);
    put(DATA + 0xffffc, 0x44332211);
    put(DATA + 0x100000, 0x88776655);
    {
        uint32_t value = 0;
        assert_int_equal(m->access(VMM_READ, 0xfffffffe, &value), VMM_OK);
        assert_int_equal(value, 0x66554433);
    }
}

TEST(without_sctlr_m_addresses_are_physical)
{
    regs.sctlr = AFE | WXN;
    apply();
    reaches(VMM_READ, DATA, DATA);
    regs.pl = 0;
    apply();
    reaches(VMM_WRITE, DATA + 8, DATA + 8);
    reaches(VMM_FETCH, DATA + 8, DATA + 8);
    refuses(VMM_READ, NOWHERE, 0x8, VMM_RULE_BUS);
}

/* -- two bases -- */

TEST(the_highest_n_bits_choose_the_base)
{
    uint32_t n, i;
    for (n = 1; n < 8; n++) {
        const uint32_t edge = UINT32_C(1) << (32 - n);
        for (i = 0; i < 0x8000 / 8; i++) ram[i] = 0;
        put(FIRST + ((edge - 1) >> 20) * 4, DATA | SECTION | AP1(3));
        put(OTHER + (edge >> 20) * 4, (DATA + 0x100000) | SECTION | AP1(3));
        put(OTHER + (UINT32_C(0xffffffff) >> 20) * 4, (DATA + 0x200000) | SECTION | AP1(3));
        regs.ttbcr = n;
        apply();
        m->tlbi(VMM_TLBIALL, 0);
        reaches(VMM_READ, edge - 4, DATA + 0xffffc);
        reaches(VMM_READ, edge, DATA + 0x100000);
        reaches(VMM_READ, 0xfffffffc, DATA + 0x2ffffc);
    }
}

TEST(with_n_0_every_address_goes_through_ttbr0)
{
    put(FIRST + 0xfff * 4, DATA | SECTION | AP1(3));
    put(OTHER + 0xfff * 4, (DATA + 0x100000) | SECTION | AP1(3));
    reaches(VMM_READ, 0xfff00000, DATA);
    regs.ttbcr = 0x20; /* PD1 is of no concern */
    apply();
    reaches(VMM_READ, 0xfff00000, DATA);
}

TEST(a_shorter_table_of_ttbr0_may_stand_at_a_finer_alignment)
{
    regs.ttbcr = 7;
    regs.ttbr0 = FIRST + 0x80 + 0x5b; /* the low 7 bits are attributes */
    put(FIRST + 0x80, DATA | SECTION | AP1(3));
    apply();
    reaches(VMM_READ, 0x00000000, DATA);
    regs.ttbcr = 0; /* bits 13:0 */
    regs.ttbr0 = FIRST + 0x3fff;
    put(FIRST, (DATA + 0x100000) | SECTION | AP1(3));
    apply();
    m->tlbi(VMM_TLBIALL, 0);
    reaches(VMM_READ, 0x00000000, DATA + 0x100000);
    regs.ttbcr = 1;
    regs.ttbr1 = OTHER + 0x3fff; /* TTBR1's always */
    put(OTHER + 0xc00 * 4, (DATA + 0x200000) | SECTION | AP1(3));
    apply();
    reaches(VMM_READ, 0xc0000000, DATA + 0x200000);
}

TEST(pd0_and_pd1_switch_walks_off)
{
    regs.ttbcr = 1;
    first(0x00000000, DATA | SECTION | AP1(3));
    put(OTHER + 0x800 * 4, (DATA + 0x100000) | SECTION | AP1(3));
    regs.ttbcr = 1 | 1 << 4;
    apply();
    refuses(VMM_WRITE, 0x00000000, 0x5, VMM_RULE_HALF);
    reaches(VMM_READ, 0x80000000, DATA + 0x100000);
    regs.ttbcr = 1 | 1 << 5;
    apply();
    m->tlbi(VMM_TLBIALL, 0);
    reaches(VMM_READ, 0x00000000, DATA);
    refuses(VMM_FETCH, 0x80000000, 0x5, VMM_RULE_HALF);
}

static void long_descriptors_are_refused(void **state)
{
    (void)state;
    begin(&fast_machine);
    assert_int_equal(fast_set_ttbcr(&fast_mmu_, UINT32_C(1) << 31), VMM_E_ARGUMENT);
    assert_int_equal(fast_mmu_.registers.ttbcr, 0);
    assert_int_equal(fast_set_pl(&fast_mmu_, 2), VMM_E_ARGUMENT);
    assert_int_equal(m->tlbi(4, 0), VMM_E_ARGUMENT);
    assert_int_equal(m->features(2), VMM_E_ARGUMENT);
}

/* -- rights -- */

/* May PL1, then PL0 read, write, fetch what AP says? */
static const char *const full_model[8] = {"---"
                                          "---",
                                          "rwx"
                                          "---",
                                          "rwx"
                                          "r-x",
                                          "rwx"
                                          "rwx",
                                          "---"
                                          "---",
                                          "r-x"
                                          "---",
                                          "r-x"
                                          "r-x",
                                          "r-x"
                                          "r-x"};
static const char *const simple_model[8] = {"a",
                                            "rwx"
                                            "---",
                                            "a",
                                            "rwx"
                                            "rwx",
                                            "a",
                                            "r-x"
                                            "---",
                                            "a",
                                            "r-x"
                                            "r-x"};

/* What AP allows, of a section or a page. */
static void judges(const char *const model[8], bool page, uint32_t va)
{
    static const unsigned refusal[3] = {VMM_RULE_READ, VMM_RULE_WRITE, VMM_RULE_EXECUTE};
    unsigned ap, access;
    for (ap = 0; ap < 8; ap++) {
        if (page) second(va, DATA | SMALL | AP2(ap));
        else first(va, DATA | SECTION | AP1(ap));
        m->tlbi(VMM_TLBIMVAA, va);
        for (regs.pl = 0; regs.pl < 2; regs.pl++) {
            const char *may = model[ap] + (regs.pl ? 0 : 3);
            apply();
            for (access = VMM_READ; access <= VMM_FETCH; access++) {
                if (model[ap][0] == 'a') refuses(access, va, page ? 0x6 : 0x3, VMM_RULE_ACCESSED);
                else if (may[access] != '-') reaches(access, va, DATA);
                else if (!regs.pl && may[0] == '-') refuses(access, va, page ? 0xf : 0xd, VMM_RULE_SUPERVISOR_PAGE);
                else refuses(access, va, page ? 0xf : 0xd, refusal[access]);
            }
        }
    }
}

TEST(ap_says_who_may_read_write_and_fetch)
{
    judges(full_model, false, 0x00100000);
    first(0x00200000, SECOND | TABLE);
    judges(full_model, true, 0x00201000);
}

TEST(with_afe_ap0_is_the_access_flag_and_ap2_and_ap1_are_rights)
{
    regs.sctlr |= AFE;
    apply();
    judges(simple_model, false, 0x00100000);
    first(0x00200000, SECOND | TABLE);
    judges(simple_model, true, 0x00201000);
}

TEST(xn_stands_elsewhere_in_each_kind_of_leaf)
{
    uint32_t i;
    first(0x00100000, DATA | SECTION | AP1(3) | 1 << 4);
    first(0x00200000, SECOND | TABLE);
    second(0x00201000, DATA | SMALL | AP2(3) | 1);
    for (i = 0; i < 16; i++) second(0x00210000 + i * 0x1000, DATA | LARGE | AP2(3) | 1 << 15);
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), BASE | SUPER | SECTION | AP1(3) | 1 << 4);
    for (regs.pl = 0; regs.pl < 2; regs.pl++) {
        apply();
        refuses(VMM_FETCH, 0x00100000, 0xd, VMM_RULE_EXECUTE);
        refuses(VMM_FETCH, 0x00201000, 0xf, VMM_RULE_EXECUTE);
        refuses(VMM_FETCH, 0x00213000, 0xf, VMM_RULE_EXECUTE);
        refuses(VMM_FETCH, 0x05100000, 0xd, VMM_RULE_EXECUTE);
        reaches(VMM_READ, 0x00100000, DATA);
        reaches(VMM_WRITE, 0x00201000, DATA);
        reaches(VMM_READ, 0x00213000, DATA + 0x3000);
        reaches(VMM_READ, 0x05100000, BASE + 0x100000);
    }
}

TEST(pxn_of_a_section_or_of_a_table_binds_pl1_alone)
{
    first(0x00100000, DATA | SECTION | AP1(3) | 1);
    first(0x00200000, SECOND | TABLE | 1 << 2);
    second(0x00201000, DATA | SMALL | AP2(3));
    refuses(VMM_FETCH, 0x00100000, 0xd, VMM_RULE_EXECUTE);
    refuses(VMM_FETCH, 0x00201000, 0xf, VMM_RULE_EXECUTE);
    reaches(VMM_WRITE, 0x00201000, DATA);
    regs.pl = 0;
    apply();
    reaches(VMM_FETCH, 0x00100000, DATA);
    reaches(VMM_FETCH, 0x00201000, DATA);
    regs.pl = 1;
    apply();
    refuses(VMM_FETCH, 0x00201000, 0xf, VMM_RULE_EXECUTE);
}

TEST(without_pxn_such_a_section_is_not_valid_and_such_a_table_grants)
{
    assert_int_equal(m->features(0), VMM_OK);
    first(0x00100000, DATA | SECTION | AP1(3) | 1);
    first(0x00200000, SECOND | TABLE | 1 << 2);
    second(0x00201000, DATA | SMALL | AP2(3));
    refuses(VMM_READ, 0x00100000, 0x5, VMM_RULE_RESERVED);
    reaches(VMM_FETCH, 0x00201000, DATA);
}

TEST(wxn_forbids_to_fetch_what_may_be_written_by_the_same_level)
{
    first(0x00100000, DATA | SECTION | AP1(1));
    first(0x00200000, DATA | SECTION | AP1(2));
    first(0x00300000, DATA | SECTION | AP1(3));
    first(0x00400000, DATA | SECTION | AP1(7));
    regs.sctlr |= WXN;
    apply();
    refuses(VMM_FETCH, 0x00100000, 0xd, VMM_RULE_EXECUTE);
    refuses(VMM_FETCH, 0x00200000, 0xd, VMM_RULE_EXECUTE);
    refuses(VMM_FETCH, 0x00300000, 0xd, VMM_RULE_EXECUTE);
    reaches(VMM_FETCH, 0x00400000, DATA);
    regs.pl = 0;
    apply();
    reaches(VMM_FETCH, 0x00200000, DATA);
    refuses(VMM_FETCH, 0x00300000, 0xd, VMM_RULE_EXECUTE);
}

TEST(uwxn_forbids_pl1_to_fetch_what_pl0_may_write)
{
    first(0x00100000, DATA | SECTION | AP1(1));
    first(0x00300000, DATA | SECTION | AP1(3));
    first(0x00200000, SECOND | TABLE);
    second(0x00201000, DATA | SMALL | AP2(3));
    second(0x00202000, DATA | SMALL | AP2(2));
    regs.sctlr |= UWXN;
    apply();
    reaches(VMM_FETCH, 0x00100000, DATA);
    refuses(VMM_FETCH, 0x00300000, 0xd, VMM_RULE_EXECUTE);
    refuses(VMM_FETCH, 0x00201000, 0xf, VMM_RULE_EXECUTE);
    reaches(VMM_FETCH, 0x00202000, DATA);
    regs.pl = 0;
    apply();
    reaches(VMM_FETCH, 0x00300000, DATA);
    reaches(VMM_FETCH, 0x00201000, DATA);
}

TEST(ldrt_and_strt_are_judged_as_pl0s_and_fetches_are_not)
{
    first(0x00100000, DATA | SECTION | AP1(1));
    reaches(VMM_READ, 0x00100000, DATA);
    m->unprivileged(true);
    refuses(VMM_READ, 0x00100000, 0xd, VMM_RULE_SUPERVISOR_PAGE);
    refuses(VMM_WRITE, 0x00100000, 0xd, VMM_RULE_SUPERVISOR_PAGE);
    reaches(VMM_FETCH, 0x00100000, DATA);
    m->unprivileged(false);
    reaches(VMM_WRITE, 0x00100000, DATA);
}

/* -- domains -- */

TEST(a_domain_is_shut_a_client_reserved_or_a_manager)
{
    unsigned domain, field;
    for (domain = 0; domain < 16; domain++) {
        first(0x00100000, DATA | SECTION | DOMAIN(domain) | AP1(5) | 1 << 4);
        first(0x00200000, SECOND | TABLE | DOMAIN(domain));
        second(0x00201000, DATA | SMALL | AP2(5) | 1);
        m->tlbi(VMM_TLBIALL, 0);
        for (field = 0; field < 4; field++) { /* all others as far from it as can be */
            regs.dacr = (field == 3 ? 0 : ~UINT32_C(0)) & ~(UINT32_C(3) << 2 * domain);
            regs.dacr |= (uint32_t)field << 2 * domain;
            apply();
            if (field == 0 || field == 2) {
                refuses(VMM_READ, 0x00100000, 0x9 | domain << 4, VMM_RULE_DOMAIN);
                refuses(VMM_WRITE, 0x00201000, 0xb | domain << 4, VMM_RULE_DOMAIN);
                refuses(VMM_FETCH, 0x00201000, 0xb, VMM_RULE_DOMAIN); /* IFSR has no domain */
            } else if (field == 1) {
                reaches(VMM_READ, 0x00100000, DATA);
                refuses(VMM_WRITE, 0x00100000, 0xd | domain << 4, VMM_RULE_WRITE);
                refuses(VMM_WRITE, 0x00201000, 0xf | domain << 4, VMM_RULE_WRITE);
                refuses(VMM_FETCH, 0x00201000, 0xf, VMM_RULE_EXECUTE);
            } else {
                reaches(VMM_WRITE, 0x00100000, DATA);
                reaches(VMM_FETCH, 0x00100000, DATA);
                reaches(VMM_WRITE, 0x00201000, DATA);
                reaches(VMM_FETCH, 0x00201000, DATA);
            }
        }
    }
}

TEST(a_manager_is_not_asked_for_ap_xn_pxn_or_wxn)
{
    first(0x00200000, SECOND | TABLE | DOMAIN(2) | 1 << 2);
    second(0x00201000, DATA | SMALL | AP2(0) | 1);
    second(0x00202000, DATA | SMALL | AP2(3) | 1);
    regs.dacr = 3 << 4;
    regs.sctlr |= WXN | UWXN;
    for (regs.pl = 0; regs.pl < 2; regs.pl++) {
        apply();
        reaches(VMM_READ, 0x00201000, DATA);
        reaches(VMM_WRITE, 0x00201000, DATA);
        reaches(VMM_FETCH, 0x00201000, DATA);
        reaches(VMM_FETCH, 0x00202000, DATA);
    }
}

TEST(a_manager_still_meets_the_access_flag)
{
    first(0x00100000, DATA | SECTION | AP1(2));
    first(0x00200000, SECOND | TABLE);
    second(0x00201000, DATA | SMALL | AP2(2));
    regs.dacr = 3;
    regs.sctlr |= AFE;
    apply();
    refuses(VMM_READ, 0x00100000, 0x3, VMM_RULE_ACCESSED);
    refuses(VMM_READ, 0x00201000, 0x6, VMM_RULE_ACCESSED);
}

TEST(two_first_level_entries_lend_one_table_two_domains)
{
    first(0x00200000, SECOND | TABLE | DOMAIN(1));
    first(0x00300000, SECOND | TABLE | DOMAIN(2) | 1 << 2);
    second(0x00001000, DATA | SMALL | AP2(3));
    regs.dacr = 1 << 2 | 1 << 4;
    apply();
    reaches(VMM_FETCH, 0x00201000, DATA);
    refuses(VMM_FETCH, 0x00301000, 0xf, VMM_RULE_EXECUTE);
    reaches(VMM_READ, 0x00301000, DATA);
    regs.dacr = 1 << 4;
    apply();
    refuses(VMM_READ, 0x00201000, 0xb | 1 << 4, VMM_RULE_DOMAIN);
    reaches(VMM_READ, 0x00301000, DATA);
}

TEST(registers_take_effect_at_once)
{
    first(0x00200000, SECOND | TABLE | DOMAIN(4));
    second(0x00201000, DATA | SMALL | AP2(2));
    second(0x00202000, DATA | SMALL | AP2(7));
    reaches(VMM_WRITE, 0x00201000, DATA);
    reaches(VMM_READ, 0x00202000, DATA);
    regs.dacr = CLIENTS & ~(UINT32_C(3) << 8);
    apply();
    refuses(VMM_WRITE, 0x00201000, 0xb | 4 << 4, VMM_RULE_DOMAIN);
    refuses(VMM_READ, 0x00202000, 0xb | 4 << 4, VMM_RULE_DOMAIN);
    regs.dacr = CLIENTS;
    regs.sctlr |= AFE;
    apply();
    refuses(VMM_WRITE, 0x00201000, 0x6 | 4 << 4, VMM_RULE_ACCESSED);
    reaches(VMM_READ, 0x00202000, DATA);
    regs.sctlr = 1;
    regs.pl = 0;
    apply();
    refuses(VMM_WRITE, 0x00201000, 0xf | 4 << 4, VMM_RULE_WRITE);
    reaches(VMM_READ, 0x00201000, DATA);
}

/* -- the order of checks -- */

TEST(a_page_that_is_not_valid_is_told_before_its_domain)
{
    first(0x00200000, SECOND | TABLE | DOMAIN(3));
    regs.dacr = 0;
    apply();
    refuses(VMM_READ, 0x00201000, 0x7 | 3 << 4, VMM_RULE_VALID);
    first(0x00300000, NOWHERE | TABLE | DOMAIN(3));
    refuses(VMM_READ, 0x00301000, 0xe | 3 << 4, VMM_RULE_TABLE_MEMORY);
}

TEST(the_access_flag_is_told_before_the_domain)
{
    first(0x00100000, DATA | SECTION | AP1(0) | DOMAIN(3));
    first(0x00200000, SECOND | TABLE | DOMAIN(3));
    second(0x00201000, DATA | SMALL | AP2(2));
    regs.dacr = 0;
    regs.sctlr |= AFE;
    apply();
    refuses(VMM_READ, 0x00100000, 0x3 | 3 << 4, VMM_RULE_ACCESSED);
    refuses(VMM_WRITE, 0x00201000, 0x6 | 3 << 4, VMM_RULE_ACCESSED);
}

TEST(the_domain_is_told_before_rights_and_rights_before_memory)
{
    first(0x00100000, NOWHERE | SECTION | AP1(0) | DOMAIN(3));
    regs.dacr = 0;
    apply();
    refuses(VMM_READ, 0x00100000, 0x9 | 3 << 4, VMM_RULE_DOMAIN);
    regs.dacr = CLIENTS;
    apply();
    refuses(VMM_READ, 0x00100000, 0xd | 3 << 4, VMM_RULE_READ);
    first(0x00100000, NOWHERE | SECTION | AP1(3) | DOMAIN(3));
    refuses(VMM_READ, 0x00100000, 0x8, VMM_RULE_BUS);
}

TEST(an_entry_outside_memory_is_an_external_abort_on_the_walk)
{
    first(0x00200000, NOWHERE | TABLE);
    refuses(VMM_FETCH, 0x00200000, 0xe, VMM_RULE_TABLE_MEMORY);
    assert_int_equal(m->fault->kind, VMM_ACCESS_FAULT);
    assert_int_equal(m->fault->level, 0);
    assert_int_equal(m->fault->pte_addr, NOWHERE);
    regs.ttbr0 = NOWHERE;
    apply();
    refuses(VMM_WRITE, 0x00300000, 0xc, VMM_RULE_TABLE_MEMORY);
    assert_int_equal(m->fault->level, 1);
    assert_int_equal(m->fault->pte_addr, NOWHERE + 12);
}

static int refuse_tables(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    (void)bytes;
    (void)access;
    (void)privilege;
    return paddr >= *(const uint32_t *)user && paddr < *(const uint32_t *)user + 0x400;
}

TEST(a_physical_check_that_refuses_is_an_external_abort_too)
{
    uint32_t where = SECOND;
    first(0x00200000, SECOND | TABLE | DOMAIN(6));
    second(0x00201000, DATA | SMALL | AP2(3));
    m->check(refuse_tables, &where);
    refuses(VMM_READ, 0x00201000, 0xe | 6 << 4, VMM_RULE_CHECK);
    where = FIRST;
    refuses(VMM_READ, 0x00201000, 0xc, VMM_RULE_CHECK);
    where = DATA;
    refuses(VMM_READ, 0x00201000, 0x8, VMM_RULE_CHECK);
    m->check(NULL, NULL);
    reaches(VMM_READ, 0x00201000, DATA);
}

static void an_address_wider_than_memory_can_be_is_an_external_abort(void **state)
{
    vmm_memory_t narrow = memory;
    (void)state;
    begin(&fast_machine);
    narrow.paddr_bits = 32;
    assert_int_equal(m->init(&narrow), VMM_OK);
    apply();
    first(0x05000000, BASE | DOMAIN(1) | SUPER | SECTION | AP1(3));
    refuses(VMM_READ, 0x05000000, 0x8, VMM_RULE_PADDR_WIDTH);
    assert_int_equal(m->fault->kind, VMM_ACCESS_FAULT);
}

static void alignment_and_watchpoints_have_codes_of_their_own(void **state)
{
    uint32_t value = 0;
    (void)state;
    begin(&fast_machine);
    first(0x00100000, DATA | SECTION | AP1(3));
    assert_int_equal(fast_lr32(&fast_mmu_, 0x00100002, &value), VMM_FAULT);
    assert_int_equal(m->fault->code, 0x1);
    assert_int_equal(fast_cas32(&fast_mmu_, 0x00100002, 0, 0, &value), VMM_FAULT);
    assert_int_equal(m->fault->code, 0x801);
    assert_int_equal(fast_watch(&fast_mmu_, 0x00100100, 4, 1u << VMM_WRITE), VMM_OK);
    refuses(VMM_WRITE, 0x00100100, 0x2, VMM_RULE_WATCH);
    reaches(VMM_READ, 0x00100100, DATA + 0x100);
}

TEST(bits_for_memory_types_and_software_say_nothing)
{
    const uint32_t of_section = 7u << 12 | 1u << 16 | 1u << 19 | 1u << 9 | 3u << 2;
    const uint32_t of_table = 1u << 3 | 1u << 4 | 1u << 9;
    first(0x00100000, DATA | SECTION | AP1(3) | of_section);
    first(0x00200000, SECOND | TABLE | of_table);
    second(0x00201000, DATA | SMALL | AP2(3) | 7u << 6 | 1u << 10 | 3u << 2);
    reaches(VMM_FETCH, 0x00100000, DATA);
    reaches(VMM_FETCH, 0x00201000, DATA);
}

TEST(a_crossing_access_faults_on_the_page_that_is_missing)
{
    uint32_t value = 0x04030201;
    first(0x00200000, SECOND | TABLE);
    second(0x00201000, DATA | SMALL | AP2(3));
    assert_int_equal(m->access(VMM_WRITE, 0x00201ffe, &value), VMM_FAULT);
    assert_int_equal(m->fault->vaddr, 0x00202000);
    assert_int_equal(m->fault->code, 0x807);
    second(0x00202000, (DATA + 0x5000) | SMALL | AP2(3));
    assert_int_equal(m->access(VMM_WRITE, 0x00201ffe, &value), VMM_OK);
    assert_int_equal(get(DATA + 0xffc) >> 16, 0x0201);
    assert_int_equal(get(DATA + 0x5000) & 0xffff, 0x0403);
}

/* -- what is remembered -- */

static unsigned long long walks_of(unsigned access, uint32_t va, uint64_t paddr)
{
    const unsigned long long before = m->stats->walks;
    reaches(access, va, paddr);
    return m->stats->walks - before;
}

static void an_asid_has_its_own_pages_and_shares_global_ones(void **state)
{
    (void)state;
    begin(&tlb_machine);
    first(0x00100000, DATA | SECTION | AP1(3));                     /* global */
    first(0x00200000, DATA | SECTION | AP1(3) | UINT32_C(1) << 17); /* not */
    first(0x00300000, SECOND | TABLE);
    second(0x00301000, DATA | SMALL | AP2(3));
    second(0x00302000, DATA | SMALL | AP2(3) | 1 << 11);
    regs.contextidr = 0x1207;
    apply();
    assert_int_equal(walks_of(VMM_READ, 0x00100000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00200000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 1);
    regs.contextidr = 0x3408;
    apply();
    assert_int_equal(walks_of(VMM_READ, 0x00100000, DATA), 0);
    assert_int_equal(walks_of(VMM_READ, 0x00200000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 0);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 1);
    regs.contextidr = 0x9907; /* PROCID is not part of it */
    apply();
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 0);
}

static void tlbi_takes_what_it_names(void **state)
{
    (void)state;
    begin(&tlb_machine);
    first(0x00300000, SECOND | TABLE);
    second(0x00301000, DATA | SMALL | AP2(3));
    second(0x00302000, DATA | SMALL | AP2(3) | 1 << 11);
    regs.contextidr = 7;
    apply();
    reaches(VMM_READ, 0x00301000, DATA);
    reaches(VMM_READ, 0x00302000, DATA);
    m->tlbi(VMM_TLBIASID, 8);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 0);
    m->tlbi(VMM_TLBIASID, 7);
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 0);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 1);
    m->tlbi(VMM_TLBIMVA, 0x00302000 | 8);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 0);
    m->tlbi(VMM_TLBIMVA, 0x00302000 | 7);
    m->tlbi(VMM_TLBIMVA, 0x00301000 | 9); /* a global page */
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 1);
    m->tlbi(VMM_TLBIMVAA, 0x00302000);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA), 1);
    m->tlbi(VMM_TLBIALL, 0);
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 1);
}

TEST(after_tlbimva_the_new_entry_counts_whatever_its_size)
{
    uint32_t i;
    first(0x00300000, SECOND | TABLE);
    second(0x00301000, DATA | SMALL | AP2(3));
    reaches(VMM_WRITE, 0x00301000, DATA);
    second(0x00301000, (DATA + 0x3000) | SMALL | AP2(3));
    m->tlbi(VMM_TLBIMVA, 0x00301000);
    reaches(VMM_WRITE, 0x00301000, DATA + 0x3000);
    first(0x00300000, (DATA + 0x100000) | SECTION | AP1(3));
    m->tlbi(VMM_TLBIMVA, 0x00301000);
    reaches(VMM_WRITE, 0x00301000, DATA + 0x101000);
    reaches(VMM_READ, 0x00377000, DATA + 0x177000);
    first(0x00300000, SECOND | TABLE);
    m->tlbi(VMM_TLBIMVA, 0x003ff000); /* any address of the section takes all of it */
    reaches(VMM_WRITE, 0x00301000, DATA + 0x3000);
    refuses(VMM_READ, 0x00377000, 0x7, VMM_RULE_VALID);
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), BASE | SUPER | SECTION | AP1(3));
    reaches(VMM_READ, 0x05100000, DATA);
    reaches(VMM_READ, 0x05201000, DATA + 0x101000);
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), 0);
    m->tlbi(VMM_TLBIMVA, 0x05f00000);
    refuses(VMM_READ, 0x05100000, 0x5, VMM_RULE_VALID);
    refuses(VMM_READ, 0x05201000, 0x5, VMM_RULE_VALID);
}

static void a_hit_reads_no_entry(void **state)
{
    uint32_t value = 0;
    (void)state;
    begin(&fast_machine);
    first(0x00300000, SECOND | TABLE);
    second(0x00301000, DATA | SMALL | AP2(3));
    second(0x00302000, (DATA + 0x1000) | SMALL | AP2(3));
    assert_int_equal(walks_of(VMM_READ, 0x00301000, DATA), 1);
    assert_int_equal(walks_of(VMM_READ, 0x00302000, DATA + 0x1000), 0); /* the walk cache knows the table */
    second(0x00301000, 0);
    assert_int_equal(m->access(VMM_READ, 0x00301000, &value), VMM_OK);
    assert_int_equal(value, get(DATA));
}

static void the_detector_tells_a_missing_flush(void **state)
{
    (void)state;
    begin(&detect_machine);
    first(0x00300000, SECOND | TABLE);
    second(0x00301000, DATA | SMALL | AP2(3));
    reaches(VMM_READ, 0x00301000, DATA);
    assert_int_equal(m->stats->stale, 0);
    second(0x00301000, 0);
    reaches(VMM_READ, 0x00301000, DATA);
    assert_true(m->stats->stale > 0);
}

/* -- looking -- */

static int count_leaves(void *user, const vmm_mapping_t *mapping)
{
    *(unsigned *)user += mapping->leaf;
    return 0;
}

static void trees_are_looked_at_and_not_edited(void **state)
{
    vmm_tables_t tables;
    vmm_mapping_t mapping;
    vmm_examination_t x;
    unsigned leaves = 0;
    uint32_t i;
    uint64_t merged;
    (void)state;
    begin(&fast_machine);
    first(0x00100000, DATA | SECTION | AP1(5) | 1 << 4);
    first(0x00200000, SECOND | TABLE);
    second(0x00201000, (DATA + 0x3000) | SMALL | AP2(3));
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    tables.root = FIRST;
    assert_int_equal(fast_query(&tables, 0x00112340, &mapping), VMM_OK);
    assert_int_equal(mapping.paddr, DATA);
    assert_int_equal(mapping.bytes, 0x100000);
    assert_int_equal(mapping.flags & (VMM_R | VMM_W | VMM_X | VMM_U | VMM_G), VMM_R | VMM_G);
    assert_int_equal(fast_query(&tables, 0x00201000, &mapping), VMM_OK);
    assert_int_equal(mapping.paddr, DATA + 0x3000);
    assert_int_equal(mapping.flags & (VMM_R | VMM_W | VMM_X | VMM_U), VMM_R | VMM_W | VMM_X | VMM_U);
    for (i = 0; i < 16; i++) second(0x00210000 + i * 0x1000, (DATA + 0x20000) | LARGE | AP2(3));
    for (i = 0; i < 16; i++) first(0x05000000 + (i << 20), 0x90000000 | SUPER | SECTION | AP1(3));
    assert_int_equal(fast_query(&tables, 0x00213000, &mapping), VMM_OK); /* an entry's own share of a group */
    assert_int_equal(mapping.paddr, DATA + 0x23000);
    assert_int_equal(mapping.bytes, 0x1000);
    assert_int_equal(fast_query(&tables, 0x05500000, &mapping), VMM_OK);
    assert_int_equal(mapping.paddr, 0x90500000);
    assert_int_equal(mapping.bytes, 0x100000);
    assert_int_equal(fast_visit(&tables, count_leaves, &leaves), VMM_OK);
    assert_int_equal(leaves, 34);
    assert_int_equal(fast_map(&tables, 0x00400000, DATA, 0x1000, VMM_R | VMM_W | VMM_X | VMM_U), VMM_E_ARGUMENT);
    assert_int_equal(fast_unmap(&tables, 0x00201000, 0x1000), VMM_E_ARGUMENT);
    assert_int_equal(fast_protect(&tables, 0x00201000, 0x1000, VMM_R), VMM_E_ARGUMENT);
    assert_int_equal(fast_merge(&tables, 0x00200000, 0x100000, &merged), VMM_E_ARGUMENT);
    fast_examine(&fast_mmu_, 0x00201004, VMM_READ, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.steps, 2);
    assert_int_equal(x.step[0].pte_addr, FIRST + 8);
    assert_int_equal(x.step[1].index, 1);
    assert_int_equal(x.translation.paddr, DATA + 0x3004);
}

static void a_snapshot_restores_registers_and_forgets_host_addresses(void **state)
{
    static fast_mmu_t saved;
    (void)state;
    begin(&fast_machine);
    first(0x00100000, DATA | SECTION | AP1(3));
    reaches(VMM_READ, 0x00100000, DATA);
    fast_snapshot(&fast_mmu_, &saved);
    regs.dacr = 0;
    apply();
    refuses(VMM_READ, 0x00100000, 0x9, VMM_RULE_DOMAIN);
    fast_restore(&fast_mmu_, &saved);
    reaches(VMM_READ, 0x00100000, DATA);
}

/* -- random trees, against the manual -- */

typedef struct told {
    bool ok;
    uint64_t paddr;
    uint32_t code;
} told_t;

static told_t tell_fault(uint32_t status, unsigned access, unsigned domain)
{
    told_t told = {false, 0, 0};
    told.code = status | (access == VMM_FETCH ? 0 : (uint32_t)domain << 4) | (access == VMM_WRITE ? 0x800 : 0);
    return told;
}

static bool present(uint64_t paddr)
{
    return paddr >= BASE && paddr - BASE < SIZE;
}

/* What a leaf allows, of which the bits have been taken apart. */
static told_t tell_leaf(uint64_t paddr, unsigned ap, bool xn, bool pxn, unsigned domain, unsigned level,
                        unsigned access)
{
    const char *const model = ((regs.sctlr & AFE) ? simple_model : full_model)[ap];
    const unsigned field = regs.dacr >> (domain * 2) & 3, two = level == 2 ? 2 : 0;
    const char *const mine = regs.pl ? model : model + 3;
    bool never = xn || (pxn && regs.pl);
    if (model[0] == 'a') return tell_fault(two ? 0x6 : 0x3, access, domain);
    if (field == 0 || field == 2) return tell_fault(0x9 + two, access, domain);
    if (field == 1) {
        if ((regs.sctlr & WXN) && mine[1] == 'w') never = true;
        if ((regs.sctlr & UWXN) && regs.pl && model[4] == 'w') never = true;
        if (mine[access] == '-' || (access == VMM_FETCH && never)) return tell_fault(0xd + two, access, domain);
    }
    if (!present(paddr)) return tell_fault(0x8, access, 0);
    {
        const told_t told = {true, paddr, 0};
        return told;
    }
}

static told_t manual(unsigned access, uint32_t va, bool has_pxn)
{
    const unsigned n = regs.ttbcr & 7;
    const bool upper = n && (va >> (32 - n)) != 0;
    const uint32_t base = upper ? regs.ttbr1 >> 14 << 14 : regs.ttbr0 >> (14 - n) << (14 - n);
    const uint32_t at = base + (va >> 20) * 4;
    uint32_t one, two;
    unsigned domain;
    bool pxn;
    if (regs.ttbcr >> (upper ? 5 : 4) & 1) return tell_fault(0x5, access, 0);
    if (!present(at)) return tell_fault(0xc, access, 0);
    one = get(at);
    domain = one >> 5 & 15;
    if ((one & 3) == 0 || ((one & 3) == 3 && !has_pxn)) return tell_fault(0x5, access, 0);
    if (one & 2) {
        const unsigned ap = (one >> 10 & 3) + (one >> 15 & 1) * 4;
        uint64_t paddr = (one >> 20 << 20) + (va & 0xfffff);
        if (one >> 18 & 1) {
            paddr = (uint64_t)(one >> 5 & 15) << 36 | (uint64_t)(one >> 20 & 15) << 32 | (one >> 24 << 24);
            paddr += va & 0xffffff;
            domain = 0;
        }
        return tell_leaf(paddr, ap, one >> 4 & 1, one & 1, domain, 1, access);
    }
    pxn = has_pxn && (one >> 2 & 1);
    if (!present((one >> 10 << 10) + (va >> 12 & 255) * 4)) return tell_fault(0xe, access, domain);
    two = get((one >> 10 << 10) + (va >> 12 & 255) * 4);
    if ((two & 3) == 0) return tell_fault(0x7, access, domain);
    {
        const unsigned ap = (two >> 4 & 3) + (two >> 9 & 1) * 4;
        if (two & 2) return tell_leaf((two >> 12 << 12) + (va & 0xfff), ap, two & 1, pxn, domain, 2, access);
        return tell_leaf((two >> 16 << 16) + (va & 0xffff), ap, two >> 15 & 1, pxn, domain, 2, access);
    }
}

/* An entry of which everything but the address is random, and that often points into memory. */
static uint32_t random_first(uint64_t *seed)
{
    const uint32_t bits = (uint32_t)helper_random(seed), choice = (uint32_t)helper_random(seed) & 15;
    if (choice == 0) return bits;
    if (choice < 8) return (SECOND + (bits >> 28) * 0x400) | (bits & 0x3fc) | TABLE;
    if (choice < 11) return BASE | (bits & 0x0003ffff) | (choice & 1) | SUPER | SECTION; /* 40-bit address, mostly */
    if (choice < 12) return BASE | (bits & 0x0003fe1f) | SUPER | SECTION;
    return (BASE + (bits & 0x00700000)) | (bits & 0x000bffff) | SECTION;
}

static uint32_t random_second(uint64_t *seed)
{
    const uint32_t bits = (uint32_t)helper_random(seed), choice = (uint32_t)helper_random(seed) & 15;
    if (choice == 0) return bits;
    return (BASE + 0x100000 + (bits & 0x00300000)) | (bits & 0x000fffff);
}

static void random_registers(uint64_t *seed)
{
    const uint64_t r = helper_random(seed);
    regs.ttbcr = (r & 3) ? 0 : (uint32_t)(r >> 2 & 7);
    if ((r >> 5 & 15) == 0) regs.ttbcr |= (uint32_t)(r >> 9 & 3) << 4;
    regs.dacr = (uint32_t)helper_random(seed);
    regs.dacr |= (r >> 11 & 3) ? CLIENTS : 0;
    regs.dacr &= (r >> 13 & 1) ? CLIENTS : ~UINT32_C(0);
    regs.sctlr = 1 | (r >> 14 & 1 ? AFE : 0) | ((r >> 15 & 3) == 0 ? WXN : 0) | ((r >> 17 & 3) == 0 ? UWXN : 0);
    regs.pl = (unsigned)(r >> 19 & 1);
    regs.contextidr = (uint32_t)(r >> 20 & 3);
    regs.ttbr0 = FIRST + (uint32_t)(r >> 24 & 0x7f);
    regs.ttbr1 = OTHER + (uint32_t)(r >> 24 & 0x7f);
}

/* One access on every machine, and in the manual. */
static void compare(unsigned access, uint32_t va, bool has_pxn)
{
    const told_t told = manual(access, va, has_pxn);
    size_t i;
    for (i = 0; i < MACHINES; i++) {
        uint32_t value = told.ok ? get((uint32_t)told.paddr) : 0;
        const uint32_t expected = value;
        vmm_status_t status;
        m = machines[i];
        status = m->access(access, va, &value);
        if (status != (told.ok ? VMM_OK : VMM_FAULT) || (told.ok && value != expected) ||
            (!told.ok && (m->fault->code != told.code || m->fault->vaddr != va)))
            fail_msg(
                "%s: access %u of 0x%08x, pl %u, sctlr 0x%x, dacr 0x%08x, ttbcr %u: %d, 0x%03x for 0x%03x, rule %u",
                m->name, access, (unsigned)va, regs.pl, (unsigned)regs.sctlr, (unsigned)regs.dacr, (unsigned)regs.ttbcr,
                (int)status, (unsigned)m->fault->code, (unsigned)told.code, (unsigned)m->fault->rule);
    }
}

static void random_trees_agree_with_the_manual(void **state)
{
    uint64_t seed = 20240607, reached = 0, round, i;
    uint32_t pages[16];
    bool split = false;
    size_t k;
    (void)state;
    for (k = 0; k < MACHINES; k++) begin(machines[k]);
    for (round = 0; round < 400; round++) {
        const bool has_pxn = (round & 7) != 0;
        for (i = 0; i < 0x8000; i += 4) put(FIRST + (uint32_t)i, random_first(&seed));
        for (i = 0; i < 0x4000; i += 4) put(SECOND + (uint32_t)i, random_second(&seed));
        for (k = 0; k < MACHINES; k++) {
            assert_int_equal(machines[k]->features(has_pxn ? VMM_ARM32_PXN : 0), VMM_OK);
            machines[k]->tlbi(VMM_TLBIALL, 0);
        }
        for (i = 0; i < 16; i++) /* few, so that they are come back to */
            pages[i] = (uint32_t)helper_random(&seed) & (i & 1 ? 0x003ff000 : 0xfffff000);
        for (i = 0; i < 240; i++) {
            const uint64_t r = helper_random(&seed);
            const uint32_t va = pages[r >> 60] | (uint32_t)(r >> 32 & 0xffc);
            if (i % 12 == 0) random_registers(&seed);
            for (k = 0; k < MACHINES && i % 12 == 0; k++) {
                m = machines[k];
                if (regs.ttbcr || split) m->tlbi(VMM_TLBIALL, 0); /* what global entries mean depends on N */
                apply();
                m->tlbi(VMM_TLBIASID, regs.contextidr);
            }
            split = regs.ttbcr != 0;
            compare((unsigned)(r >> 1) % 3, va, has_pxn);
            reached += manual((unsigned)(r >> 1) % 3, va, has_pxn).ok;
        }
        for (k = 0; k < MACHINES; k++) assert_int_equal(machines[k]->stats->stale, 0);
    }
    assert_true(reached > 400 * 240 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_maps_a_megabyte),
        cmocka_unit_test(a_small_page_maps_four_kilobytes),
        cmocka_unit_test(a_large_page_maps_64_kilobytes_through_each_of_its_sixteen_entries),
        cmocka_unit_test(tables_of_the_second_level_are_aligned_to_1_kilobyte),
        cmocka_unit_test(a_supersection_maps_16_megabytes_of_a_40_bit_space),
        cmocka_unit_test(the_domain_of_a_supersection_is_0),
        cmocka_unit_test(addresses_wrap_at_4_gigabytes),
        cmocka_unit_test(without_sctlr_m_addresses_are_physical),
        cmocka_unit_test(the_highest_n_bits_choose_the_base),
        cmocka_unit_test(with_n_0_every_address_goes_through_ttbr0),
        cmocka_unit_test(a_shorter_table_of_ttbr0_may_stand_at_a_finer_alignment),
        cmocka_unit_test(pd0_and_pd1_switch_walks_off),
        cmocka_unit_test(long_descriptors_are_refused),
        cmocka_unit_test(ap_says_who_may_read_write_and_fetch),
        cmocka_unit_test(with_afe_ap0_is_the_access_flag_and_ap2_and_ap1_are_rights),
        cmocka_unit_test(xn_stands_elsewhere_in_each_kind_of_leaf),
        cmocka_unit_test(pxn_of_a_section_or_of_a_table_binds_pl1_alone),
        cmocka_unit_test(without_pxn_such_a_section_is_not_valid_and_such_a_table_grants),
        cmocka_unit_test(wxn_forbids_to_fetch_what_may_be_written_by_the_same_level),
        cmocka_unit_test(uwxn_forbids_pl1_to_fetch_what_pl0_may_write),
        cmocka_unit_test(ldrt_and_strt_are_judged_as_pl0s_and_fetches_are_not),
        cmocka_unit_test(a_domain_is_shut_a_client_reserved_or_a_manager),
        cmocka_unit_test(a_manager_is_not_asked_for_ap_xn_pxn_or_wxn),
        cmocka_unit_test(a_manager_still_meets_the_access_flag),
        cmocka_unit_test(two_first_level_entries_lend_one_table_two_domains),
        cmocka_unit_test(registers_take_effect_at_once),
        cmocka_unit_test(a_page_that_is_not_valid_is_told_before_its_domain),
        cmocka_unit_test(the_access_flag_is_told_before_the_domain),
        cmocka_unit_test(the_domain_is_told_before_rights_and_rights_before_memory),
        cmocka_unit_test(an_entry_outside_memory_is_an_external_abort_on_the_walk),
        cmocka_unit_test(a_physical_check_that_refuses_is_an_external_abort_too),
        cmocka_unit_test(an_address_wider_than_memory_can_be_is_an_external_abort),
        cmocka_unit_test(alignment_and_watchpoints_have_codes_of_their_own),
        cmocka_unit_test(bits_for_memory_types_and_software_say_nothing),
        cmocka_unit_test(a_crossing_access_faults_on_the_page_that_is_missing),
        cmocka_unit_test(an_asid_has_its_own_pages_and_shares_global_ones),
        cmocka_unit_test(tlbi_takes_what_it_names),
        cmocka_unit_test(after_tlbimva_the_new_entry_counts_whatever_its_size),
        cmocka_unit_test(a_hit_reads_no_entry),
        cmocka_unit_test(the_detector_tells_a_missing_flush),
        cmocka_unit_test(trees_are_looked_at_and_not_edited),
        cmocka_unit_test(a_snapshot_restores_registers_and_forgets_host_addresses),
        cmocka_unit_test(random_trees_agree_with_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
