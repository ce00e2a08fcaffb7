/* test_mips.c - a TLB that software fills: each rule and each trap, and random entries against a checker that was
 * written from the manual (MIPS32 privileged resource architecture) alone. */
#define VMM_IMPLEMENTATION
#include "helper.h"
#include "vmm.h"

#define SIZE (UINT32_C(4) << 20)

/* Registers by number, as MTC0 takes them. */
enum {
    INDEX = 0,
    RANDOM = 1,
    ENTRYLO0 = 2,
    ENTRYLO1 = 3,
    CONTEXT = 4,
    PAGEMASK = 5,
    WIRED = 6,
    BADVADDR = 8,
    ENTRYHI = 10
};
enum {
    KERNEL,
    SUPERVISOR,
    USER
};

#define G 1u
#define V 2u
#define D 4u
#define XI (UINT32_C(1) << 30)
#define RI (UINT32_C(1) << 31)
#define EHINV 0x400u
#define LO(paddr) ((uint32_t)(paddr) >> 6)
#define IEC (UINT32_C(1) << 27)

typedef struct machine {
    const char *name;
    vmm_status_t (*init)(const vmm_memory_t *memory);
    vmm_status_t (*mtc0)(unsigned number, unsigned select, uint32_t value);
    vmm_status_t (*mfc0)(unsigned number, unsigned select, uint32_t *value);
    vmm_status_t (*mode)(unsigned mode, bool erl);
    vmm_status_t (*entries)(unsigned entries);
    void (*tlbp)(void);
    vmm_status_t (*tlbr)(void);
    vmm_status_t (*tlbwi)(void);
    void (*tlbwr)(void);
    vmm_status_t (*access)(unsigned access, vmm_vaddr_t va, uint32_t *value);
    vmm_status_t (*translate)(unsigned access, vmm_vaddr_t va, vmm_translation_t *t);
    const vmm_fault_t *fault;
    vmm_stats_t *stats;
    const vmm_mips_t *registers;
} machine_t;

#define MACHINE(NAME, ...)                                                                                             \
    VMM_MMU(NAME, __VA_ARGS__)                                                                                         \
    static NAME##_mmu_t NAME##_mmu_;                                                                                   \
    static vmm_status_t NAME##_of_init(const vmm_memory_t *memory)                                                     \
    {                                                                                                                  \
        return NAME##_init(&NAME##_mmu_, memory);                                                                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_mtc0(unsigned number, unsigned select, uint32_t value)                               \
    {                                                                                                                  \
        return NAME##_mtc0(&NAME##_mmu_, number, select, value);                                                       \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_mfc0(unsigned number, unsigned select, uint32_t *value)                              \
    {                                                                                                                  \
        return NAME##_mfc0(&NAME##_mmu_, number, select, value);                                                       \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_mode(unsigned mode, bool erl)                                                        \
    {                                                                                                                  \
        return NAME##_set_mode(&NAME##_mmu_, mode, erl);                                                               \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_entries(unsigned entries)                                                            \
    {                                                                                                                  \
        return NAME##_set_entries(&NAME##_mmu_, entries);                                                              \
    }                                                                                                                  \
    static void NAME##_of_tlbp(void)                                                                                   \
    {                                                                                                                  \
        NAME##_tlbp(&NAME##_mmu_);                                                                                     \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_tlbr(void)                                                                           \
    {                                                                                                                  \
        return NAME##_tlbr(&NAME##_mmu_);                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_tlbwi(void)                                                                          \
    {                                                                                                                  \
        return NAME##_tlbwi(&NAME##_mmu_);                                                                             \
    }                                                                                                                  \
    static void NAME##_of_tlbwr(void)                                                                                  \
    {                                                                                                                  \
        NAME##_tlbwr(&NAME##_mmu_);                                                                                    \
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
    static const machine_t NAME##_machine = {#NAME,                                                                    \
                                             NAME##_of_init,                                                           \
                                             NAME##_of_mtc0,                                                           \
                                             NAME##_of_mfc0,                                                           \
                                             NAME##_of_mode,                                                           \
                                             NAME##_of_entries,                                                        \
                                             NAME##_of_tlbp,                                                           \
                                             NAME##_of_tlbr,                                                           \
                                             NAME##_of_tlbwi,                                                          \
                                             NAME##_of_tlbwr,                                                          \
                                             NAME##_of_access,                                                         \
                                             NAME##_of_translate,                                                      \
                                             &NAME##_mmu_.fault,                                                       \
                                             &NAME##_mmu_.stats,                                                       \
                                             &NAME##_mmu_.registers};

MACHINE(fast, VMM_MIPS32)
MACHINE(tlb, VMM_ARCH_MIPS32, VMM_STAGES_TLB(8, 4, VMM_LRU))
MACHINE(bare, VMM_ARCH_MIPS32, VMM_STAGES(0, 1, 0, 0, 0, VMM_LRU))
MACHINE(detect, VMM_ARCH_MIPS32, VMM_STAGES_DETECT)

static const machine_t *const machines[] = {&fast_machine, &tlb_machine, &bare_machine, &detect_machine};
#define MACHINES (sizeof machines / sizeof *machines)

static uint64_t ram[SIZE / 8];
static const vmm_memory_t memory = {ram, 0, SIZE, {0, 0, 0}, 0};
static const machine_t *m; /* the machine under test */

static uint32_t get(uint32_t paddr)
{
    return (uint32_t)vmm_get(vmm_mem_host(&memory, paddr, 4), 4);
}

static uint32_t cp0(unsigned number)
{
    uint32_t value = 0;
    assert_int_equal(m->mfc0(number, 0, &value), VMM_OK);
    return value;
}

static void set(unsigned number, uint32_t value)
{
    assert_int_equal(m->mtc0(number, 0, value), VMM_OK);
}

static void begin(const machine_t *machine)
{
    uint32_t i;
    m = machine;
    for (i = 0; i < SIZE / 8; i++) ram[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    assert_int_equal(m->init(&memory), VMM_OK);
    assert_int_equal(m->mtc0(PAGEMASK, 1, RI | XI), VMM_OK); /* PageGrain: RIE, XIE */
}

/* Writes an entry where Index says, and goes back to the address space that was. */
static void entry(unsigned index, uint32_t hi, uint32_t mask, uint32_t even, uint32_t odd)
{
    const uint32_t was = cp0(ENTRYHI);
    set(INDEX, index);
    set(ENTRYHI, hi);
    set(PAGEMASK, mask);
    set(ENTRYLO0, even);
    set(ENTRYLO1, odd);
    assert_int_equal(m->tlbwi(), VMM_OK);
    set(ENTRYHI, was);
}

static void reaches(unsigned access, vmm_vaddr_t va, uint32_t paddr)
{
    vmm_translation_t t;
    uint32_t value = get(paddr);
    const uint32_t was = value;
    unsigned i;
    for (i = 0; i < 2; i++) { /* the second time from what is remembered */
        assert_int_equal(m->access(access, va, &value), VMM_OK);
        assert_int_equal(value, was);
        assert_int_equal(m->translate(access, va, &t), VMM_OK);
        assert_int_equal(t.paddr, paddr);
    }
}

/* An exception of the TLB: what it leaves in registers besides the code. */
static void refuses(unsigned access, vmm_vaddr_t va, unsigned code, unsigned rule)
{
    const uint32_t context = cp0(CONTEXT), asid = cp0(ENTRYHI) & 0xff;
    uint32_t value = 0;
    assert_int_equal(m->access(access, va, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, code);
    assert_int_equal(m->fault->rule, rule);
    assert_int_equal(m->fault->kind, VMM_PAGE_FAULT);
    assert_int_equal(m->fault->code, rule == VMM_RULE_NO_ENTRY);
    assert_int_equal(m->fault->vaddr, va & 0xffffffff);
    assert_int_equal(cp0(BADVADDR), va & 0xffffffff);
    assert_int_equal(cp0(CONTEXT), (context & 0xff800000) | ((va & 0xffffffff) >> 13 << 4));
    assert_int_equal(cp0(ENTRYHI), (va & 0xffffe000) | asid);
}

/* An address error: BadVAddr alone. */
static void errs(unsigned access, vmm_vaddr_t va)
{
    const uint32_t context = cp0(CONTEXT), hi = cp0(ENTRYHI);
    uint32_t value = 0;
    assert_int_equal(m->access(access, va, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, access == VMM_WRITE ? 5 : 4);
    assert_int_equal(m->fault->kind, VMM_PROTECTION_FAULT);
    assert_int_equal(cp0(BADVADDR), va & 0xffffffff);
    assert_int_equal(cp0(CONTEXT), context);
    assert_int_equal(cp0(ENTRYHI), hi);
}

#define TEST(name)                                                                                                     \
    static void name##_body(void);                                                                                     \
    static void name(void **state)                                                                                     \
    {                                                                                                                  \
        size_t machine;                                                                                                \
        (void)state;                                                                                                   \
        for (machine = 0; machine < MACHINES; machine++) {                                                             \
            begin(machines[machine]);                                                                                  \
            name##_body();                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_body(void)

/* -- segments -- */

TEST(kseg0_and_kseg1_are_the_first_512_megabytes_unmapped)
{
    reaches(VMM_READ, 0x80001000, 0x1000);
    reaches(VMM_WRITE, 0xa0002000, 0x2000);
    reaches(VMM_FETCH, 0x803ffffc, 0x3ffffc);
    reaches(VMM_READ, UINT64_C(0xffffffff80001000), 0x1000); /* sign-extended, as a 64-bit processor has it */
    {
        uint32_t value = 0;
        assert_int_equal(m->access(VMM_READ, 0xbfc00000, &value), VMM_FAULT); /* nothing is there */
        assert_int_equal(m->fault->cause, 7);
        assert_int_equal(m->access(VMM_FETCH, 0xbfc00000, &value), VMM_FAULT);
        assert_int_equal(m->fault->cause, 6);
        assert_int_equal(m->fault->rule, VMM_RULE_BUS);
    }
}

TEST(entries_do_not_matter_in_unmapped_segments)
{
    entry(0, 0x80002000, 0, LO(0x5000) | V | D | G, LO(0x6000) | V | D | G);
    reaches(VMM_READ, 0x80002000, 0x2000);
}

TEST(user_mode_has_the_lower_half_alone)
{
    entry(0, 0x7fffe000, 0, LO(0x5000) | V | D | G, LO(0x6000) | V | D | G);
    entry(1, 0xc0000000, 0, LO(0x5000) | V | D | G, LO(0x6000) | V | D | G);
    reaches(VMM_READ, 0x80001000, 0x1000);
    reaches(VMM_READ, 0xc0001000, 0x6000);
    assert_int_equal(m->mode(USER, false), VMM_OK);
    reaches(VMM_WRITE, 0x7ffffffc, 0x6ffc);
    errs(VMM_READ, 0x80001000);
    errs(VMM_WRITE, 0x80001000);
    errs(VMM_FETCH, 0xa0001000);
    errs(VMM_READ, 0xc0001000);
    errs(VMM_WRITE, 0xe0000000);
    assert_int_equal(m->mode(KERNEL, false), VMM_OK);
    reaches(VMM_READ, 0x80001000, 0x1000);
}

TEST(supervisor_mode_has_the_lower_half_and_ksseg)
{
    entry(0, 0x00000000, 0, LO(0x5000) | V | D | G, LO(0x6000) | V | D | G);
    entry(1, 0xc0000000, 0, LO(0x5000) | V | D | G, LO(0x7000) | V | D | G);
    entry(2, 0xe0000000, 0, LO(0x5000) | V | D | G, LO(0x8000) | V | D | G);
    reaches(VMM_READ, 0xe0001000, 0x8000);
    assert_int_equal(m->mode(SUPERVISOR, false), VMM_OK);
    reaches(VMM_READ, 0x00001000, 0x6000);
    reaches(VMM_READ, 0xc0001000, 0x7000);
    errs(VMM_READ, 0x80001000);
    errs(VMM_WRITE, 0xa0001000);
    errs(VMM_READ, 0xe0001000);
    refuses(VMM_READ, 0xdfffe000, 2, VMM_RULE_NO_ENTRY);
    assert_int_equal(m->mode(3, false), VMM_E_ARGUMENT);
}

TEST(erl_is_kernel_mode_and_unmaps_kuseg)
{
    entry(0, 0x00002000, 0, LO(0x5000) | V | D | G, LO(0x6000) | V | D | G);
    assert_int_equal(m->mode(USER, false), VMM_OK);
    reaches(VMM_READ, 0x00002000, 0x5000);
    assert_int_equal(m->mode(USER, true), VMM_OK);
    reaches(VMM_READ, 0x00002000, 0x2000);
    reaches(VMM_READ, 0x80003000, 0x3000);
    assert_int_equal(m->mode(USER, false), VMM_OK);
    reaches(VMM_READ, 0x00002000, 0x5000);
    errs(VMM_READ, 0x80003000);
}

TEST(the_segment_is_asked_before_the_tlb)
{
    assert_int_equal(m->mode(USER, false), VMM_OK);
    errs(VMM_READ, 0xc0000000); /* no entry matches, and that is not told */
}

/* -- a match -- */

TEST(what_no_entry_matches_is_a_refill)
{
    refuses(VMM_READ, 0x00001000, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_FETCH, 0x12345678, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_WRITE, 0xfffffffc, 3, VMM_RULE_NO_ENTRY);
    assert_int_equal(m->fault->level, 1);
    assert_int_equal(m->fault->pte, 0);
}

TEST(an_entry_maps_two_neighbouring_pages)
{
    entry(5, 0x00402000, 0, LO(0x5000) | V | D | G, LO(0x9000) | V | D | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    reaches(VMM_WRITE, 0x00402ffc, 0x5ffc);
    reaches(VMM_FETCH, 0x00403000, 0x9000);
    refuses(VMM_READ, 0x00404000, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_READ, 0x00401ffc, 2, VMM_RULE_NO_ENTRY);
}

TEST(every_page_size_has_its_own_bit_that_chooses_even_or_odd)
{
    static const uint32_t masks[9] = {0,        0x6000,    0x1e000,   0x7e000,   0x1fe000,
                                      0x7fe000, 0x1ffe000, 0x7ffe000, 0x1fffe000};
    unsigned i;
    for (i = 0; i < 9; i++) {
        const uint32_t page = UINT32_C(0x1000) << 2 * i;
        const uint32_t va = 0x40000000;
        /* Frames are given with ones in the bits below their size, which are not looked at. */
        entry(0, va, masks[i], LO(0x3000 & (page - 1)) | V | D | G, LO(page | (0x1000 & (page - 1))) | V | D | G);
        if (page < SIZE) {
            reaches(VMM_READ, va + 0x10, 0x10);
            reaches(VMM_READ, va + page - 4, page - 4);
            reaches(VMM_WRITE, va + page + 8, page + 8);
        } else {
            reaches(VMM_READ, va + 0x3ffffc, 0x3ffffc);
        }
        if (i < 8) refuses(VMM_READ, va + 2 * page, 2, VMM_RULE_NO_ENTRY);
        refuses(VMM_READ, va - 4, 2, VMM_RULE_NO_ENTRY);
        entry(0, EHINV, 0, 0, 0);
    }
}

TEST(vpn2_bits_that_the_mask_covers_are_not_compared)
{
    entry(0, 0x0040e000, 0x1e000, LO(0x10000) | V | D | G, LO(0x20000) | V | D | G);
    reaches(VMM_READ, 0x00400010, 0x10010);
    reaches(VMM_READ, 0x00410010, 0x20010);
}

TEST(an_entry_is_of_its_asid_unless_both_halves_are_global)
{
    entry(0, 0x00402000 | 7, 0, LO(0x5000) | V, LO(0x6000) | V);
    entry(1, 0x00404000 | 7, 0, LO(0x5000) | V | G, LO(0x6000) | V);
    entry(2, 0x00406000 | 7, 0, LO(0x5000) | V | G, LO(0x6000) | V | G);
    set(ENTRYHI, 7);
    reaches(VMM_READ, 0x00402000, 0x5000);
    reaches(VMM_READ, 0x00404000, 0x5000);
    reaches(VMM_READ, 0x00407000, 0x6000);
    set(ENTRYHI, 8);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_READ, 0x00404000, 2, VMM_RULE_NO_ENTRY);
    reaches(VMM_READ, 0x00407000, 0x6000);
    set(ENTRYHI, 7);
    reaches(VMM_READ, 0x00402000, 0x5000);
}

TEST(ehinv_makes_an_entry_that_matches_nothing)
{
    entry(0, 0x00402000, 0, LO(0x5000) | V | G, LO(0x6000) | V | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    entry(0, 0x00402000 | EHINV, 0, LO(0x5000) | V | G, LO(0x6000) | V | G);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_READ, 0, 2, VMM_RULE_NO_ENTRY);
}

TEST(the_lowest_of_two_entries_that_match_serves)
{
    entry(9, 0x00402000, 0, LO(0x5000) | V | G, LO(0x6000) | V | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    entry(3, 0x00400000, 0x1e000, LO(0x30000) | V | G, LO(0x40000) | V | G); /* covers it, and more */
    reaches(VMM_READ, 0x00402000, 0x32000);
    reaches(VMM_READ, 0x00403000, 0x33000);
    entry(3, EHINV, 0, 0, 0);
    reaches(VMM_READ, 0x00402000, 0x5000);
    refuses(VMM_READ, 0x00404000, 2, VMM_RULE_NO_ENTRY);
}

/* -- rights, and their order -- */

TEST(an_entry_that_is_not_valid_is_no_refill)
{
    entry(0, 0x00402000, 0, LO(0x5000) | D | G, LO(0x6000) | V | D | G);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_VALID);
    assert_int_equal(m->fault->level, 0);
    assert_int_equal(m->fault->pte, LO(0x5000) | D | G);
    refuses(VMM_WRITE, 0x00402000, 3, VMM_RULE_VALID);
    reaches(VMM_WRITE, 0x00403000, 0x6000);
}

TEST(a_store_without_d_is_modified_and_never_sets_it)
{
    entry(0, 0x00402000, 0, LO(0x5000) | V | G, LO(0x6000) | V | D | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    reaches(VMM_FETCH, 0x00402000, 0x5000);
    refuses(VMM_WRITE, 0x00402000, 1, VMM_RULE_WRITE);
    refuses(VMM_WRITE, 0x00402000, 1, VMM_RULE_WRITE);
    reaches(VMM_WRITE, 0x00403000, 0x6000);
}

TEST(xi_and_ri_have_exceptions_of_their_own_while_iec_is_set)
{
    entry(0, 0x00402000, 0, LO(0x5000) | V | D | G | XI, LO(0x6000) | V | D | G | RI);
    reaches(VMM_READ, 0x00402000, 0x5000);
    reaches(VMM_FETCH, 0x00403000, 0x6000);
    reaches(VMM_WRITE, 0x00403000, 0x6000);
    refuses(VMM_FETCH, 0x00402000, 2, VMM_RULE_EXECUTE);
    refuses(VMM_READ, 0x00403000, 2, VMM_RULE_READ);
    assert_int_equal(m->mtc0(PAGEMASK, 1, RI | XI | IEC), VMM_OK);
    refuses(VMM_FETCH, 0x00402000, 20, VMM_RULE_EXECUTE);
    refuses(VMM_READ, 0x00403000, 19, VMM_RULE_READ);
    assert_int_equal(m->mtc0(PAGEMASK, 1, RI | XI), VMM_OK);
    refuses(VMM_READ, 0x00403000, 2, VMM_RULE_READ);
}

TEST(xi_and_ri_are_no_bits_of_entrylo_unless_pagegrain_has_them)
{
    assert_int_equal(m->mtc0(PAGEMASK, 1, XI), VMM_OK);
    entry(0, 0x00402000, 0, LO(0x5000) | V | G | XI | RI, LO(0x6000) | V | G);
    assert_int_equal(cp0(ENTRYLO0), LO(0x5000) | V | G | XI);
    reaches(VMM_READ, 0x00402000, 0x5000);
    assert_int_equal(m->mtc0(PAGEMASK, 1, 0), VMM_OK);
    entry(0, 0x00402000, 0, LO(0x5000) | V | G | XI | RI, LO(0x6000) | V | G);
    reaches(VMM_FETCH, 0x00402000, 0x5000);
}

TEST(validity_is_asked_before_xi_ri_and_d_and_those_before_memory)
{
    assert_int_equal(m->mtc0(PAGEMASK, 1, RI | XI | IEC), VMM_OK);
    entry(0, 0x00402000, 0, LO(0x5000) | G | XI | RI, LO(0x10000000) | V | G | XI | RI);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_VALID);
    refuses(VMM_FETCH, 0x00402000, 2, VMM_RULE_VALID);
    refuses(VMM_WRITE, 0x00402000, 3, VMM_RULE_VALID);
    refuses(VMM_READ, 0x00403000, 19, VMM_RULE_READ);
    refuses(VMM_FETCH, 0x00403000, 20, VMM_RULE_EXECUTE);
    refuses(VMM_WRITE, 0x00403000, 1, VMM_RULE_WRITE);
}

TEST(a_frame_outside_memory_is_a_bus_error_that_leaves_badvaddr_alone)
{
    uint32_t value = 0;
    entry(0, 0x00402000, 0, LO(0x10000000) | V | D | G, 0x3fffffc0 | V | D | G);
    refuses(VMM_READ, 0x00800000, 2, VMM_RULE_NO_ENTRY);
    assert_int_equal(m->access(VMM_READ, 0x00402000, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, 7);
    assert_int_equal(m->access(VMM_WRITE, 0x00402000, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, 7);
    assert_int_equal(m->access(VMM_FETCH, 0x00403000, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, 6);
    assert_int_equal(m->fault->kind, VMM_ACCESS_FAULT);
    assert_int_equal(cp0(BADVADDR), 0x00800000);
}

static void frame_numbers_have_24_bits(void **state)
{
    const uint64_t base = UINT64_C(0xffffff000) - SIZE + 0x1000;
    const vmm_memory_t high = {ram, base, SIZE, {0, 0, 0}, 0};
    vmm_memory_t narrow = memory;
    uint32_t value = 0;
    (void)state;
    begin(&fast_machine);
    assert_int_equal(m->init(&high), VMM_OK);
    entry(0, 0x00402000, 0, 0x3fffffc0 | V | D | G, V | G);
    assert_int_equal(m->access(VMM_READ, 0x00402004, &value), VMM_OK);
    assert_int_equal(value, get(SIZE - 0xffc));
    narrow.paddr_bits = 30;
    assert_int_equal(m->init(&narrow), VMM_OK);
    entry(0, 0x00402000, 0, 0x3fffffc0 | V | D | G, V | G);
    assert_int_equal(m->access(VMM_READ, 0x00402004, &value), VMM_FAULT);
    assert_int_equal(m->fault->rule, VMM_RULE_PADDR_WIDTH);
    assert_int_equal(m->fault->cause, 7);
    assert_int_equal(cp0(BADVADDR), 0);
}

static void an_atomic_access_that_is_not_aligned_is_an_address_error(void **state)
{
    uint32_t value = 0;
    (void)state;
    begin(&fast_machine);
    assert_int_equal(fast_lr32(&fast_mmu_, 0x80000002, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, 4);
    assert_int_equal(cp0(BADVADDR), 0x80000002);
    assert_int_equal(fast_cas32(&fast_mmu_, 0x80000006, 0, 0, &value), VMM_FAULT);
    assert_int_equal(m->fault->cause, 5);
    assert_int_equal(cp0(BADVADDR), 0x80000006);
}

/* -- registers and instructions -- */

TEST(at_reset_nothing_matches_and_random_is_the_last_entry)
{
    assert_int_equal(m->init(&memory), VMM_OK);
    assert_int_equal(m->registers->entries, 48);
    assert_int_equal(cp0(RANDOM), 47);
    refuses(VMM_READ, 0, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_READ, 0x7ffffffc, 2, VMM_RULE_NO_ENTRY);
    m->tlbp();
    assert_int_equal(cp0(INDEX), 0x80000000);
}

TEST(tlbp_finds_the_entry_of_entryhi_or_sets_the_highest_bit_of_index)
{
    entry(11, 0x00402000 | 7, 0, LO(0x5000), LO(0x6000)); /* valid or not */
    entry(12, 0x00480000, 0x1e000, G, G);
    set(ENTRYHI, 0x00402000 | 7);
    m->tlbp();
    assert_int_equal(cp0(INDEX), 11);
    set(ENTRYHI, 0x00402000 | 8);
    m->tlbp();
    assert_int_equal(cp0(INDEX), 0x80000000);
    set(ENTRYHI, 0x0049e000 | 8);
    m->tlbp();
    assert_int_equal(cp0(INDEX), 12);
}

TEST(tlbr_reads_back_what_was_written_with_the_common_g)
{
    entry(11, 0x00412000 | 7, 0x6000, LO(0x5000) | V | D | G | 3 << 3, LO(0x6000) | V | XI);
    entry(12, 0x00482000 | 9, 0, LO(0x5000) | V | G, RI | G);
    set(ENTRYHI, 3);
    set(INDEX, 11);
    assert_int_equal(m->tlbr(), VMM_OK);
    assert_int_equal(cp0(ENTRYHI), 0x00412000 | 7);
    assert_int_equal(cp0(PAGEMASK), 0x6000);
    assert_int_equal(cp0(ENTRYLO0), LO(0x5000) | V | D | 3 << 3);
    assert_int_equal(cp0(ENTRYLO1), LO(0x6000) | V | XI);
    reaches(VMM_READ, 0x00410010, 0x4010); /* the address space is the entry's now */
    set(ENTRYHI, 3);
    refuses(VMM_READ, 0x00410010, 2, VMM_RULE_NO_ENTRY);
    set(INDEX, 12);
    assert_int_equal(m->tlbr(), VMM_OK);
    assert_int_equal(cp0(ENTRYLO0), LO(0x5000) | V | G);
    assert_int_equal(cp0(ENTRYLO1), RI | G);
    set(INDEX, 13);
    assert_int_equal(m->tlbr(), VMM_OK);
    assert_int_equal(cp0(ENTRYHI), EHINV);
    assert_int_equal(cp0(ENTRYLO0) | cp0(ENTRYLO1) | cp0(PAGEMASK), 0);
}

TEST(tlbwr_goes_from_the_last_entry_down_to_wired_and_around)
{
    unsigned i;
    set(WIRED, 45);
    assert_int_equal(cp0(RANDOM), 47);
    entry(44, 0x00100000, 0, LO(0x5000) | V | G, V | G);
    for (i = 0; i < 5; i++) {
        set(ENTRYHI, 0x00400000 + 0x2000 * i);
        set(ENTRYLO0, LO(0x1000 * i) | V | G);
        set(ENTRYLO1, V | G);
        m->tlbwr();
        assert_int_equal(cp0(RANDOM), i % 3 == 0 ? 46 : i % 3 == 1 ? 45 : 47);
    }
    set(ENTRYHI, 0);
    reaches(VMM_READ, 0x00100000, 0x5000); /* a wired one */
    refuses(VMM_READ, 0x00400000, 2, VMM_RULE_NO_ENTRY);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_NO_ENTRY);
    reaches(VMM_READ, 0x00404000, 0x2000);
    reaches(VMM_READ, 0x00406000, 0x3000);
    reaches(VMM_READ, 0x00408000, 0x4000);
    set(WIRED, 0); /* and begins anew */
    assert_int_equal(cp0(RANDOM), 47);
}

TEST(registers_keep_the_bits_that_they_have)
{
    uint32_t value = 0;
    set(CONTEXT, 0xffffffff);
    assert_int_equal(cp0(CONTEXT), 0xff800000);
    set(ENTRYHI, 0xffffffff);
    assert_int_equal(cp0(ENTRYHI), 0xffffe4ff);
    set(ENTRYHI, 0x42);
    refuses(VMM_READ, 0x12345678, 2, VMM_RULE_NO_ENTRY); /* PTEBase and ASID stay */
    assert_int_equal(cp0(CONTEXT), 0xff800000 | 0x12345678 >> 13 << 4);
    set(BADVADDR, 1);
    assert_int_equal(cp0(BADVADDR), 0x12345678);
    set(RANDOM, 1);
    assert_int_equal(cp0(RANDOM), 47);
    assert_int_equal(m->mtc0(PAGEMASK, 1, 0xffffffff), VMM_OK);
    assert_int_equal(m->mfc0(PAGEMASK, 1, &value), VMM_OK);
    assert_int_equal(value, RI | XI | IEC);
    set(ENTRYLO1, 0xffffffff);
    assert_int_equal(cp0(ENTRYLO1), 0xffffffff);
}

TEST(values_that_the_manual_leaves_undefined_are_refused)
{
    static const uint32_t masks[] = {0x2000, 0x4000, 0xe000, 0x18000, 0x7ffe000 << 1, 0x7fffe000, 0x1000, 0xffffffff};
    uint32_t value;
    size_t i;
    for (i = 0; i < sizeof masks / sizeof *masks; i++) assert_int_equal(m->mtc0(PAGEMASK, 0, masks[i]), VMM_E_RANGE);
    assert_int_equal(cp0(PAGEMASK), 0);
    assert_int_equal(m->mtc0(INDEX, 0, 48), VMM_E_RANGE);
    assert_int_equal(m->mtc0(WIRED, 0, 48), VMM_E_RANGE);
    assert_int_equal(m->mtc0(12, 0, 0), VMM_E_ARGUMENT);
    assert_int_equal(m->mtc0(INDEX, 1, 0), VMM_E_ARGUMENT);
    assert_int_equal(m->mtc0(PAGEMASK, 2, 0), VMM_E_ARGUMENT);
    assert_int_equal(m->mfc0(12, 0, &value), VMM_E_ARGUMENT);
    assert_int_equal(m->mfc0(PAGEMASK, 2, &value), VMM_E_ARGUMENT);
    assert_int_equal(m->mfc0(ENTRYHI, 1, &value), VMM_E_ARGUMENT);
    assert_int_equal(m->entries(0), VMM_E_ARGUMENT);
    assert_int_equal(m->entries(65), VMM_E_ARGUMENT);
}

TEST(the_tlb_may_have_1_to_64_entries)
{
    assert_int_equal(m->entries(64), VMM_OK);
    entry(63, 0x00402000, 0, LO(0x5000) | V | G, V | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    assert_int_equal(m->entries(1), VMM_OK);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_NO_ENTRY);
    assert_int_equal(m->mtc0(INDEX, 0, 1), VMM_E_RANGE);
    m->tlbwr();
    m->tlbwr();
    assert_int_equal(cp0(RANDOM), 0);
}

/* -- what is remembered -- */

TEST(an_entry_that_is_overwritten_is_forgotten_in_every_mode_and_address_space)
{
    unsigned mode;
    entry(0, 0x00402000 | 7, 0, LO(0x5000) | V | D, LO(0x6000) | V | D);
    set(ENTRYHI, 7);
    for (mode = KERNEL; mode <= USER; mode++) {
        assert_int_equal(m->mode(mode, false), VMM_OK);
        reaches(VMM_WRITE, 0x00402000, 0x5000);
        reaches(VMM_READ, 0x00403000, 0x6000);
        reaches(VMM_FETCH, 0x00403000, 0x6000);
    }
    set(ENTRYHI, 8); /* another one writes it */
    entry(0, 0x00402000 | 7, 0, LO(0x8000) | V, LO(0x9000) | V);
    set(ENTRYHI, 7);
    for (mode = KERNEL; mode <= USER; mode++) {
        assert_int_equal(m->mode(mode, false), VMM_OK);
        reaches(VMM_READ, 0x00402000, 0x8000);
        refuses(VMM_WRITE, 0x00402000, 1, VMM_RULE_WRITE);
        reaches(VMM_FETCH, 0x00403000, 0x9000);
    }
}

TEST(a_huge_page_that_is_overwritten_is_forgotten_whole)
{
    entry(0, 0x00400000, 0x1fe000, LO(0) | V | G, LO(0x100000) | V | G);
    reaches(VMM_READ, 0x00400000, 0);
    reaches(VMM_READ, 0x00477000, 0x77000);
    reaches(VMM_READ, 0x005ff000, 0x1ff000);
    entry(0, 0x00400000, 0x1fe000, LO(0x200000) | V | G, G);
    reaches(VMM_READ, 0x00477000, 0x277000);
    refuses(VMM_READ, 0x005ff000, 2, VMM_RULE_VALID);
}

static void other_pages_are_still_remembered_when_an_entry_is_written(void **state)
{
    unsigned long long walks;
    uint32_t value;
    (void)state;
    begin(&fast_machine);
    entry(0, 0x00402000, 0, LO(0x5000) | V | G, LO(0x6000) | V | G);
    entry(1, 0x00404000, 0, LO(0x7000) | V | G, LO(0x8000) | V | G);
    reaches(VMM_READ, 0x00402000, 0x5000);
    reaches(VMM_READ, 0x00403000, 0x6000);
    reaches(VMM_READ, 0x00405000, 0x8000);
    entry(1, 0x00484000, 0, LO(0x7000) | V | G, LO(0x8000) | V | G);
    entry(2, 0x00502000, 0, LO(0x7000) | V | G, LO(0x8000) | V | G);
    walks = m->stats->walks;
    assert_int_equal(m->access(VMM_READ, 0x00402010, &value), VMM_OK);
    assert_int_equal(m->access(VMM_READ, 0x00403010, &value), VMM_OK);
    assert_int_equal(m->stats->walks, walks);
    refuses(VMM_READ, 0x00405000, 2, VMM_RULE_NO_ENTRY);
}

static void an_address_space_that_returns_finds_its_pages_remembered(void **state)
{
    unsigned long long walks;
    uint32_t value;
    (void)state;
    begin(&fast_machine);
    entry(0, 0x00402000 | 1, 0, LO(0x5000) | V, LO(0x6000) | V);
    entry(1, 0x00402000 | 2, 0, LO(0x7000) | V, LO(0x8000) | V);
    set(ENTRYHI, 1);
    reaches(VMM_READ, 0x00402000, 0x5000);
    set(ENTRYHI, 2);
    reaches(VMM_READ, 0x00402000, 0x7000);
    set(ENTRYHI, 1);
    walks = m->stats->walks;
    assert_int_equal(m->access(VMM_READ, 0x00402000, &value), VMM_OK);
    assert_int_equal(value, get(0x5000));
    assert_int_equal(m->stats->walks, walks);
}

TEST(a_crossing_access_faults_on_the_page_that_is_missing)
{
    uint32_t value = 0;
    entry(0, 0x00402000, 0, LO(0x5000) | V | D | G, LO(0x9000) | V | D | G);
    assert_int_equal(m->access(VMM_READ, 0x00402ffe, &value), VMM_OK);
    assert_int_equal(value, (get(0x5ffc) >> 16) | get(0x9000) << 16);
    assert_int_equal(m->access(VMM_READ, 0x00403ffe, &value), VMM_FAULT);
    assert_int_equal(m->fault->vaddr, 0x00404000);
    assert_int_equal(cp0(BADVADDR), 0x00404000);
}

/* A handler as a guest has it: from Context to a pair of a linear table, and TLBWR. */
static unsigned refills;

static vmm_status_t refill(void *user, const vmm_fault_t *fault)
{
    (void)user;
    if (fault->rule != VMM_RULE_NO_ENTRY || cp0(CONTEXT) >= 0x00100000) return VMM_FAULT;
    refills++;
    set(ENTRYLO0, LO((cp0(CONTEXT) >> 4 << 13) & (SIZE - 1)) | V | D);
    set(ENTRYLO1, LO(((cp0(CONTEXT) >> 4 << 13) + 0x1000) & (SIZE - 1)) | V | D);
    m->tlbwr();
    return VMM_OK;
}

static void a_fault_hook_refills_and_the_access_is_made_again(void **state)
{
    uint32_t va;
    uint32_t value = 0;
    (void)state;
    begin(&fast_machine);
    refills = 0;
    fast_set_fault_hook(&fast_mmu_, refill, NULL);
    for (va = 0; va < 0x200000; va += 0x1000) reaches(VMM_READ, va, va);
    assert_int_equal(refills, 0x200000 / 0x2000);
    reaches(VMM_WRITE, 0x1ff000, 0x1ff000);
    assert_int_equal(refills, 0x200000 / 0x2000);
    reaches(VMM_WRITE, 0, 0); /* was thrown out by TLBWR */
    assert_int_equal(refills, 0x200000 / 0x2000 + 1);
    assert_int_equal(m->access(VMM_READ, 0x7ffff000, &value), VMM_FAULT);
    fast_set_fault_hook(&fast_mmu_, NULL, NULL);
}

/* -- looking -- */

static void looking_leaves_no_trace_in_registers(void **state)
{
    vmm_examination_t x;
    vmm_tables_t tables;
    (void)state;
    begin(&fast_machine);
    entry(4, 0x00402000, 0, LO(0x5000) | V | D | G, LO(0x9000) | D | G);
    fast_examine(&fast_mmu_, 0x12345678, VMM_READ, &x);
    assert_int_equal(x.status, VMM_FAULT);
    assert_int_equal(x.fault.rule, VMM_RULE_NO_ENTRY);
    assert_int_equal(cp0(BADVADDR) | cp0(CONTEXT) | cp0(ENTRYHI), 0);
    fast_examine(&fast_mmu_, 0x00402010, VMM_READ, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.translation.paddr, 0x5010);
    assert_int_equal(x.steps, 1);
    assert_int_equal(x.step[0].index, 4);
    fast_examine(&fast_mmu_, 0x00403010, VMM_READ, &x);
    assert_int_equal(x.fault.rule, VMM_RULE_VALID);
    fast_examine(&fast_mmu_, 0x80001010, VMM_READ, &x);
    assert_int_equal(x.translation.paddr, 0x1010);
    assert_null(x.paging);
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    assert_int_equal(fast_map(&tables, 0, 0, 0x1000, VMM_R | VMM_W | VMM_X | VMM_U), VMM_E_ARGUMENT);
}

static void a_snapshot_takes_the_entries_along(void **state)
{
    static fast_mmu_t saved;
    (void)state;
    begin(&fast_machine);
    entry(0, 0x00402000 | 5, 0, LO(0x5000) | V | D, LO(0x9000) | V | D);
    set(ENTRYHI, 5);
    reaches(VMM_READ, 0x00402000, 0x5000);
    fast_snapshot(&fast_mmu_, &saved);
    entry(0, EHINV, 0, 0, 0);
    set(ENTRYHI, 6);
    refuses(VMM_READ, 0x00402000, 2, VMM_RULE_NO_ENTRY);
    fast_restore(&fast_mmu_, &saved);
    reaches(VMM_READ, 0x00402000, 0x5000);
}

/* -- random entries, against the manual -- */

typedef struct pair {
    uint32_t vpn2, pages, asid; /* in units of 8 KiB; size of one page in bytes */
    uint32_t lo[2];
    bool used;
} pair_t;

static struct {
    pair_t pair[64];
    unsigned entries, mode, asid, random, wired;
    bool erl, iec;
} book;

typedef struct told {
    bool ok;
    uint64_t paddr;
    unsigned code;
    bool refill;
} told_t;

static told_t tell(unsigned code, bool refilled)
{
    told_t told = {false, 0, 0, false};
    told.code = code;
    told.refill = refilled;
    return told;
}

static told_t tell_paddr(uint64_t paddr, unsigned access)
{
    told_t told = {true, 0, 0, false};
    if (paddr >= SIZE) return tell(access == VMM_FETCH ? 6 : 7, false);
    told.paddr = paddr;
    return told;
}

static told_t manual(unsigned access, uint32_t va)
{
    const unsigned store = access == VMM_WRITE ? 1 : 0, mode = book.erl ? 0 : book.mode;
    unsigned i;
    if (va >= 0x80000000) {
        const bool sseg = va >= 0xc0000000 && va < 0xe0000000;
        if (mode == USER || (mode == SUPERVISOR && !sseg)) return tell(4 + store, false);
        if (va < 0xc0000000) return tell_paddr(va % 0x20000000, access);
    } else if (book.erl) {
        return tell_paddr(va, access);
    }
    for (i = 0; i < book.entries; i++) {
        const pair_t *p = &book.pair[i];
        const uint64_t begin_ = p->pages ? (uint64_t)p->vpn2 * 0x2000 / (2 * p->pages) * (2 * p->pages) : 0;
        const bool global = (p->lo[0] & 1) && (p->lo[1] & 1);
        uint32_t lo;
        if (!p->used || va < begin_ || va - begin_ >= 2 * (uint64_t)p->pages) continue;
        if (!global && p->asid != book.asid) continue;
        lo = p->lo[va - begin_ >= p->pages];
        if (!(lo & V)) return tell(2 + store, false);
        if (access == VMM_FETCH && (lo & XI)) return tell(book.iec ? 20 : 2, false);
        if (access == VMM_READ && (lo & RI)) return tell(book.iec ? 19 : 2, false);
        if (access == VMM_WRITE && !(lo & D)) return tell(1, false);
        return tell_paddr((uint64_t)(lo << 2 >> 8) * 0x1000 / p->pages * p->pages + va % p->pages, access);
    }
    return tell(2 + store, true);
}

/* The same write on every machine and in the book. */
static void write_random(uint64_t *seed, bool tlbwr)
{
    const uint64_t r = helper_random(seed), s = helper_random(seed);
    const unsigned size = (r & 3) ? 0 : (unsigned)(r >> 2 & 7),
                   index = tlbwr ? book.random : (unsigned)((r >> 5 & 63) % book.entries);
    const uint32_t mask = ((UINT32_C(0x1000) << 2 * size) - 0x1000) * 2;
    const uint32_t vpn2 = (uint32_t)(r >> 11) & (r >> 40 & 7 ? 0x7 : 0x7ffff);
    const uint32_t hi = ((r >> 43 & 3) ? 0 : UINT32_C(0xc0000000)) | vpn2 << 13 | (uint32_t)(r >> 45 & 3);
    const bool invalid = (r >> 50 & 15) == 0;
    uint32_t lo[2];
    pair_t *p = &book.pair[index];
    size_t i;
    for (i = 0; i < 2; i++) {
        const uint32_t bits = (uint32_t)(s >> 32 * i);
        lo[i] = LO(bits & (SIZE - 1)) << 6 >> 6 | (bits >> 22 & 7 ? V : 0) | (bits >> 25 & 1 ? D : 0);
        lo[i] |= (bits >> 26 & 3 ? 0 : G) | (bits >> 28 & 3 ? 0 : XI) | (bits >> 30 ? 0 : RI);
        if ((bits & 0xf0) == 0) lo[i] |= 0x20000000;
    }
    if (r >> 54 & 1) lo[1] |= lo[0] & G;
    for (i = 0; i < MACHINES; i++) {
        m = machines[i];
        set(ENTRYHI, hi | (invalid ? EHINV : 0));
        set(PAGEMASK, mask);
        set(ENTRYLO0, lo[0]);
        set(ENTRYLO1, lo[1]);
        set(INDEX, index);
        if (tlbwr) m->tlbwr();
        else assert_int_equal(m->tlbwi(), VMM_OK);
        set(ENTRYHI, book.asid);
    }
    p->used = !invalid;
    p->vpn2 = hi >> 13;
    p->pages = UINT32_C(0x1000) << 2 * size;
    p->asid = hi & 0xff;
    p->lo[0] = lo[0];
    p->lo[1] = lo[1];
    if (tlbwr) book.random = book.random == book.wired ? book.entries - 1 : book.random - 1;
}

static void random_mode(uint64_t *seed)
{
    const uint64_t r = helper_random(seed);
    size_t i;
    book.mode = (unsigned)(r % 3);
    book.erl = (r >> 8 & 7) == 0;
    book.iec = r >> 11 & 1;
    book.asid = (unsigned)(r >> 12 & 3);
    for (i = 0; i < MACHINES; i++) {
        m = machines[i];
        assert_int_equal(m->mode(book.mode, book.erl), VMM_OK);
        assert_int_equal(m->mtc0(PAGEMASK, 1, RI | XI | (book.iec ? IEC : 0)), VMM_OK);
        set(ENTRYHI, book.asid);
    }
}

static bool compare(unsigned access, uint32_t va)
{
    const told_t told = manual(access, va);
    size_t i;
    for (i = 0; i < MACHINES; i++) {
        uint32_t value = told.ok ? get((uint32_t)told.paddr) : 0;
        const uint32_t expected = value;
        vmm_status_t status;
        m = machines[i];
        status = m->access(access, va, &value);
        if (status != (told.ok ? VMM_OK : VMM_FAULT) || (told.ok && value != expected) ||
            (!told.ok && (m->fault->cause != told.code || m->fault->vaddr != va || m->fault->code != told.refill)))
            fail_msg("%s: access %u of 0x%08x, mode %u, erl %d, asid %u: %d, code %u for %u, rule %u", m->name, access,
                     (unsigned)va, book.mode, book.erl, book.asid, (int)status, (unsigned)m->fault->cause, told.code,
                     (unsigned)m->fault->rule);
    }
    return told.ok;
}

static void random_entries_agree_with_the_manual(void **state)
{
    static const unsigned sizes[4] = {48, 64, 16, 5};
    uint64_t seed = 19880101, reached = 0, round, i;
    size_t k;
    (void)state;
    for (k = 0; k < MACHINES; k++) begin(machines[k]);
    for (round = 0; round < 200; round++) {
        memset(&book, 0, sizeof book);
        book.entries = sizes[round & 3];
        book.wired = (unsigned)(round % 5);
        for (k = 0; k < MACHINES; k++) {
            m = machines[k];
            assert_int_equal(m->entries(book.entries), VMM_OK);
            set(WIRED, book.wired >= book.entries ? 0 : book.wired);
        }
        book.random = book.entries - 1;
        random_mode(&seed);
        for (i = 0; i < 600; i++) {
            const uint64_t r = helper_random(&seed);
            uint32_t va = (uint32_t)(r >> 32) & 0x1fffc;
            if ((r & 0x3f) == 0) va = (uint32_t)(r >> 32) & 0xfffffffc;
            else if ((r & 0x30) == 0) va |= UINT32_C(0xc0000000);
            else if ((r & 0x38) == 0x10) va |= UINT32_C(0x80000000) | (uint32_t)(r >> 9 & 1) << 29;
            if (r >> 16 & 1) write_random(&seed, r >> 17 & 1);
            if ((r >> 18 & 15) == 0) random_mode(&seed);
            reached += compare((unsigned)(r >> 24) % 3, va);
        }
        for (k = 0; k < MACHINES; k++) assert_int_equal(machines[k]->stats->stale, 0);
    }
    assert_true(reached > 200 * 600 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kseg0_and_kseg1_are_the_first_512_megabytes_unmapped),
        cmocka_unit_test(entries_do_not_matter_in_unmapped_segments),
        cmocka_unit_test(user_mode_has_the_lower_half_alone),
        cmocka_unit_test(supervisor_mode_has_the_lower_half_and_ksseg),
        cmocka_unit_test(erl_is_kernel_mode_and_unmaps_kuseg),
        cmocka_unit_test(the_segment_is_asked_before_the_tlb),
        cmocka_unit_test(what_no_entry_matches_is_a_refill),
        cmocka_unit_test(an_entry_maps_two_neighbouring_pages),
        cmocka_unit_test(every_page_size_has_its_own_bit_that_chooses_even_or_odd),
        cmocka_unit_test(vpn2_bits_that_the_mask_covers_are_not_compared),
        cmocka_unit_test(an_entry_is_of_its_asid_unless_both_halves_are_global),
        cmocka_unit_test(ehinv_makes_an_entry_that_matches_nothing),
        cmocka_unit_test(the_lowest_of_two_entries_that_match_serves),
        cmocka_unit_test(an_entry_that_is_not_valid_is_no_refill),
        cmocka_unit_test(a_store_without_d_is_modified_and_never_sets_it),
        cmocka_unit_test(xi_and_ri_have_exceptions_of_their_own_while_iec_is_set),
        cmocka_unit_test(xi_and_ri_are_no_bits_of_entrylo_unless_pagegrain_has_them),
        cmocka_unit_test(validity_is_asked_before_xi_ri_and_d_and_those_before_memory),
        cmocka_unit_test(a_frame_outside_memory_is_a_bus_error_that_leaves_badvaddr_alone),
        cmocka_unit_test(frame_numbers_have_24_bits),
        cmocka_unit_test(an_atomic_access_that_is_not_aligned_is_an_address_error),
        cmocka_unit_test(at_reset_nothing_matches_and_random_is_the_last_entry),
        cmocka_unit_test(tlbp_finds_the_entry_of_entryhi_or_sets_the_highest_bit_of_index),
        cmocka_unit_test(tlbr_reads_back_what_was_written_with_the_common_g),
        cmocka_unit_test(tlbwr_goes_from_the_last_entry_down_to_wired_and_around),
        cmocka_unit_test(registers_keep_the_bits_that_they_have),
        cmocka_unit_test(values_that_the_manual_leaves_undefined_are_refused),
        cmocka_unit_test(the_tlb_may_have_1_to_64_entries),
        cmocka_unit_test(an_entry_that_is_overwritten_is_forgotten_in_every_mode_and_address_space),
        cmocka_unit_test(a_huge_page_that_is_overwritten_is_forgotten_whole),
        cmocka_unit_test(other_pages_are_still_remembered_when_an_entry_is_written),
        cmocka_unit_test(an_address_space_that_returns_finds_its_pages_remembered),
        cmocka_unit_test(a_crossing_access_faults_on_the_page_that_is_missing),
        cmocka_unit_test(a_fault_hook_refills_and_the_access_is_made_again),
        cmocka_unit_test(looking_leaves_no_trace_in_registers),
        cmocka_unit_test(a_snapshot_takes_the_entries_along),
        cmocka_unit_test(random_entries_agree_with_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
