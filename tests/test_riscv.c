/* test_riscv.c - the RISC-V rules of address translation, one test each, on instances with every
 * stage ("rv", "rv32") and with a TLB alone ("tlb", "tlb32").
 *
 * RAM is 1 MiB at 2 GiB. VA is mapped to the same PA by a page of any size: a frame of 2 GiB fits
 * pages up to 1 GiB, frame 0 the larger ones. Tables of level i stand at TABLE + i x 4 KiB. */
#include <stdint.h>
static void another_hart(void *at);
#define VMM_ATOMIC_CAS(at, expected, desired)                                                                          \
    (another_hart(at), __atomic_compare_exchange_n((at), (expected), (desired), 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
#define VMM_IMPLEMENTATION
#include "helper_riscv.h"

#define BASE UINT64_C(0x80000000)
#define VA (BASE + 0x3008)
#define TABLE (BASE + 0x10000)
#define OUTSIDE (BASE + 0x100000)
#define V 0x01u
#define R 0x02u
#define W 0x04u
#define X 0x08u
#define U 0x10u
#define G 0x20u
#define A 0x40u
#define D 0x80u
#define ALL (V | R | W | X | A | D)
#define N UINT64_C(0x8000000000000000)
#define PBMT(type) ((uint64_t)(type) << 61)
#define MPP(privilege) ((uint64_t)(privilege) << 11)
#define MPRV (UINT64_C(1) << 17)
#define SUM (UINT64_C(1) << 18)
#define MXR (UINT64_C(1) << 19)
#define ADUE (UINT64_C(1) << 61)
#define PBMTE (UINT64_C(1) << 62)
#define OK VMM_RULE_NONE

HELPER_RISCV(rv, VMM_RISCV64)
HELPER_RISCV(rv32, VMM_RISCV32)
HELPER_RISCV(tlb, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 2, VMM_LRU))
HELPER_RISCV(tlb32, VMM_ARCH_RISCV32, VMM_STAGES_TLB(4, 2, VMM_LRU))

static const struct setup {
    const helper_riscv_t *hart;
    const vmm_paging_t *p;
    unsigned mode;
} setups[] = {{&rv_riscv, &vmm_sv39, 8},   {&rv_riscv, &vmm_sv48, 9},   {&rv_riscv, &vmm_sv57, 10},
              {&tlb_riscv, &vmm_sv39, 8},  {&tlb_riscv, &vmm_sv48, 9},  {&tlb_riscv, &vmm_sv57, 10},
              {&rv32_riscv, &vmm_sv32, 1}, {&tlb32_riscv, &vmm_sv32, 1}};

static uint64_t ram[0x100000 / 8];
static vmm_memory_t memory;
static const helper_riscv_t *hart;
static const vmm_paging_t *p;
static unsigned mode;
static uint64_t race_becomes; /* what another hart writes over the entry before the next compare-and-swap */
static unsigned swaps;

static uint64_t get(uint64_t pa)
{
    const uint8_t *host = vmm_mem_host(&memory, pa, p->pte_bytes);
    return host ? vmm_get(host, p->pte_bytes) : 0;
}

static void put(uint64_t pa, uint64_t value)
{
    vmm_put(vmm_mem_host(&memory, pa, p->pte_bytes), value, p->pte_bytes);
}

static void another_hart(void *at)
{
    swaps++;
    if (race_becomes) vmm_put(at, race_becomes, p->pte_bytes);
    race_becomes = 0;
}

static bool is_64(void)
{
    return p->pte_bytes == 8;
}

static uint64_t pte(uint64_t pa, uint64_t bits)
{
    return (pa >> 12) << 10 | bits;
}

static uint64_t table_of(unsigned level, unsigned space)
{
    return TABLE + space * 0x8000u + level * 0x1000u;
}

static uint64_t entry_in(unsigned level, vmm_vaddr_t va, unsigned space)
{
    return table_of(level, space) + (uint64_t)vmm_level_index(p, level, va) * p->pte_bytes;
}

/* Puts a leaf (or what is to be judged) at a level, with pointers down to it; tells where. */
static uint64_t put_at(unsigned level, vmm_vaddr_t va, uint64_t value, unsigned space)
{
    unsigned i;
    for (i = p->levels - 1u; i > level; i--) put(entry_in(i, va, space), pte(table_of(i - 1, space), V));
    put(entry_in(level, va, space), value);
    return entry_in(level, va, space);
}

static uint64_t frame_at(unsigned level)
{
    return (BASE + 0x3000) & ~vmm_low_mask(vmm_level_shift(p, level));
}

/* Maps VA to the same PA by a page of a level. */
static uint64_t map_at(unsigned level, uint64_t bits)
{
    return put_at(level, VA, pte(frame_at(level), bits), 0);
}

static void set_satp(unsigned asid, unsigned space)
{
    const uint64_t ppn = table_of(p->levels - 1u, space) >> 12;
    const uint64_t satp =
        is_64() ? (uint64_t)mode << 60 | (uint64_t)asid << 44 | ppn : (uint64_t)mode << 31 | (uint64_t)asid << 22 | ppn;
    assert_int_equal(hart->set_satp(satp), VMM_OK);
}

static void set_mode(unsigned privilege, uint64_t mstatus)
{
    assert_int_equal(hart->set_privilege(privilege), VMM_OK);
    assert_int_equal(hart->set_mstatus(mstatus), VMM_OK);
}

static void begin(const struct setup *setup)
{
    const vmm_memory_t all = {ram, BASE, sizeof ram, {NULL, NULL, NULL}, 0};
    hart = setup->hart;
    p = setup->p;
    mode = setup->mode;
    memory = all;
    memset(ram, 0, sizeof ram);
    assert_int_equal(hart->init(&memory), VMM_OK);
    set_satp(0, 0);
    swaps = 0;
}

static void begin_with(uint8_t paddr_bits, vmm_bus_t bus)
{
    memory.paddr_bits = paddr_bits;
    memory.bus = bus;
    assert_int_equal(hart->init(&memory), VMM_OK);
    set_satp(0, 0);
}

/* Runs a test on every hart in every mode. */
static void each(void (*body)(void))
{
    size_t i;
    for (i = 0; i < sizeof setups / sizeof setups[0]; i++) {
        begin(&setups[i]);
        body();
    }
}

static bool is_access_fault(unsigned rule)
{
    return rule == VMM_RULE_TABLE_MEMORY || rule == VMM_RULE_PADDR_WIDTH || rule == VMM_RULE_BUS;
}

/* An access of one byte ends by a rule, OK for success; a fault tells all there is to tell, and
 * leaves its entry as it was unless the entry had passed every check. */
static void expect(unsigned access, vmm_vaddr_t va, unsigned rule, unsigned level, uint64_t at)
{
    static const uint8_t causes[2][3] = {{13, 15, 12}, {5, 7, 1}};
    const uint64_t before = get(at);
    const vmm_fault_t *fault = hart->fault;
    uint64_t value = 0x5a;
    const vmm_status_t status = hart->access(access, va, 1, &value);
    if (status != (rule ? VMM_FAULT : VMM_OK) || (rule && fault->rule != rule))
        print_error("%s %s: access %u, rule %u wanted, %u told\n", hart->name, p->name, access, rule, fault->rule);
    assert_int_equal(status, rule ? VMM_FAULT : VMM_OK);
    if (!rule) return;
    assert_int_equal(fault->rule, rule);
    assert_int_equal(fault->kind, is_access_fault(rule) ? VMM_ACCESS_FAULT : VMM_PAGE_FAULT);
    assert_int_equal(fault->cause, causes[is_access_fault(rule)][access]);
    assert_int_equal(fault->access, access);
    assert_int_equal(fault->vaddr, va); /* never the entry's address */
    assert_int_equal(fault->level, level);
    assert_int_equal(fault->pte_addr, at);
    assert_int_equal(fault->pte, before);
    if (rule != VMM_RULE_PADDR_WIDTH && rule != VMM_RULE_BUS) assert_int_equal(get(at), before);
}

static void expect_each(vmm_vaddr_t va, unsigned rule, unsigned level, uint64_t at)
{
    unsigned access;
    for (access = VMM_READ; access <= VMM_FETCH; access++) expect(access, va, rule, level, at);
}

/* Without a look at the fields. */
static void expect_rule(unsigned access, vmm_vaddr_t va, unsigned rule)
{
    uint64_t value = 0;
    assert_int_equal(hart->access(access, va, 1, &value), rule ? VMM_FAULT : VMM_OK);
    if (rule) assert_int_equal(hart->fault->rule, rule);
}

/* ---- geometry ---------------------------------------------------------------------------- */

static void the_formats_have_the_sizes_of_the_manual(void **state)
{
    static const struct {
        const vmm_paging_t *p;
        unsigned mode, va_bits, pa_bits, levels, index_bits, pte_bytes, ppn_bits, rule;
    } c[] = {{&vmm_sv32, 1, 32, 34, 2, 10, 4, 22, VMM_VADDR_WRAP},
             {&vmm_sv39, 8, 39, 56, 3, 9, 8, 44, VMM_VADDR_SIGN},
             {&vmm_sv48, 9, 48, 56, 4, 9, 8, 44, VMM_VADDR_SIGN},
             {&vmm_sv57, 10, 57, 56, 5, 9, 8, 44, VMM_VADDR_SIGN}};
    unsigned i, level;
    (void)state;
    for (i = 0; i < 4; i++) {
        const vmm_arch_t *arch = i ? &vmm_arch_riscv64 : &vmm_arch_riscv32;
        p = c[i].p;
        assert_ptr_equal(arch->format[i ? i - 1 : 0], p);
        assert_int_equal(arch->mode[i ? i - 1 : 0], c[i].mode);
        assert_int_equal(p->vaddr_bits, c[i].va_bits);
        assert_int_equal(p->paddr_bits, c[i].pa_bits);
        assert_int_equal(p->page_shift, 12);
        assert_int_equal(p->levels, c[i].levels);
        assert_int_equal(p->pte_bytes, c[i].pte_bytes);
        assert_int_equal(p->ppn_lsb, 10);
        assert_int_equal(p->ppn_bits, c[i].ppn_bits);
        assert_int_equal(p->vaddr_rule, c[i].rule);
        assert_int_equal(p->leaf_levels, (1u << c[i].levels) - 1);
        for (level = 0; level < c[i].levels; level++) {
            assert_int_equal(vmm_level_shift(p, level), 12 + level * c[i].index_bits);
            assert_int_equal(vmm_table_bytes(p, level), 4096);
        }
        assert_int_equal(p->valid | p->read | p->write | p->execute, V | R | W | X);
        assert_int_equal(p->user | p->global | p->accessed | p->dirty, U | G | A | D);
    }
}

/* ---- reserved encodings ------------------------------------------------------------------ */

static void judge_reserved(void)
{
    static const unsigned all = VMM_SVNAPOT | VMM_SVPBMT | VMM_SVADU;
    static const struct {
        uint64_t bits; /* of a leaf or a pointer to the frame of VA, which ends in 8 x 4 KiB for N */
        unsigned features;
        uint64_t menvcfg;
        int level; /* -1: every level; 1: every level from 1 up */
        unsigned rule, wide;
    } c[] = {
        {~UINT64_C(1) & 0x3ff, all, ADUE | PBMTE, -1, VMM_RULE_VALID, 0}, /* the rest does not matter */
        {~UINT64_C(0) - 1, all, ADUE | PBMTE, -1, VMM_RULE_VALID, 1},
        {V | W | A | D, all, ADUE, -1, VMM_RULE_WRITE_ONLY, 0},
        {V | W | X | A | D, all, ADUE, -1, VMM_RULE_WRITE_ONLY, 0},
        {V | R | W | X | UINT64_C(1) << 54, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | R | W | X | UINT64_C(1) << 57, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | R | W | X | UINT64_C(1) << 59, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | R | W | X | UINT64_C(1) << 60, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | UINT64_C(1) << 54, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | UINT64_C(1) << 60, all, ADUE, -1, VMM_RULE_RESERVED, 1},
        {V | R | W | X | N, VMM_SVPBMT | VMM_SVADU, ADUE | PBMTE, 0, VMM_RULE_NAPOT, 1},
        {V | R | W | X | N, all, ADUE, 1, VMM_RULE_NAPOT, 1},
        {V | R | W | X | PBMT(1), VMM_SVNAPOT | VMM_SVADU, ADUE | PBMTE, -1, VMM_RULE_MEMORY_TYPE, 1},
        {V | R | W | X | PBMT(2), VMM_SVNAPOT | VMM_SVADU, ADUE | PBMTE, -1, VMM_RULE_MEMORY_TYPE, 1},
        {V | R | W | X | PBMT(1), all, ADUE, -1, VMM_RULE_MEMORY_TYPE, 1},
        {V | R | W | X | PBMT(2), all, ADUE, -1, VMM_RULE_MEMORY_TYPE, 1},
        {V | R | W | X | PBMT(3), all, ADUE | PBMTE, -1, VMM_RULE_MEMORY_TYPE, 1},
        {V | D, all, ADUE | PBMTE, -1, VMM_RULE_RESERVED_TABLE, 0},
        {V | A, all, ADUE | PBMTE, -1, VMM_RULE_RESERVED_TABLE, 0},
        {V | U, all, ADUE | PBMTE, -1, VMM_RULE_RESERVED_TABLE, 0},
        {V | N, all, ADUE | PBMTE, -1, VMM_RULE_RESERVED_TABLE, 1},
        {V | PBMT(1), all, ADUE | PBMTE, -1, VMM_RULE_RESERVED_TABLE, 1},
        {V, all, ADUE | PBMTE, 0, VMM_RULE_NO_LEAF, 0},
        {V | G | 0x300, all, ADUE | PBMTE, 0, VMM_RULE_NO_LEAF, 0},
        {V | R | W | X | G | 0x300, all, ADUE | PBMTE, -1, OK, 0}, /* software's bits are free */
        {V | R | W | X | PBMT(1), all, ADUE | PBMTE, -1, OK, 1},
        {V | R | W | X | PBMT(2), all, ADUE | PBMTE, -1, OK, 1},
    };
    size_t i;
    unsigned level;
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        if (c[i].wide && !is_64()) continue;
        assert_int_equal(hart->set_features(c[i].features), VMM_OK);
        hart->set_menvcfg(c[i].menvcfg);
        for (level = 0; level < p->levels; level++) {
            const uint64_t bits = is_64() ? c[i].bits : c[i].bits & 0x3ff;
            if ((c[i].level == 0 && level > 0) || (c[i].level == 1 && level == 0)) continue;
            hart->flush_all();
            expect_each(VA, c[i].rule, level, put_at(level, VA, pte(frame_at(level), 0) | bits, 0));
        }
    }
}

static void reserved_encodings_are_page_faults_before_anything_is_marked(void **state)
{
    (void)state;
    each(judge_reserved);
}

static void judge_napot_sizes(void)
{
    unsigned low;
    for (low = 0; is_64() && low < 16; low++) {
        const uint64_t frame = BASE + low * 0x1000u;
        hart->flush_all();
        expect_each(VA, low == 8 ? OK : VMM_RULE_NAPOT, 0, put_at(0, VA, pte(frame, V | R | W | X | N), 0));
    }
}

static void a_contiguous_page_is_64_kib_and_nothing_else(void **state)
{
    (void)state;
    each(judge_napot_sizes);
}

static void judge_misaligned(void)
{
    unsigned level, bit;
    for (level = 1; level < p->levels; level++)
        for (bit = 12; bit < vmm_level_shift(p, level); bit++) {
            const uint64_t frame = frame_at(level) | UINT64_C(1) << bit;
            expect_each(VA, VMM_RULE_HUGE_ALIGN, level, put_at(level, VA, pte(frame, V | R | W | X), 0));
        }
}

static void a_huge_page_is_aligned_to_its_size_at_every_level(void **state)
{
    (void)state;
    each(judge_misaligned);
}

/* ---- which fault ------------------------------------------------------------------------- */

static void judge_tables_outside(void)
{
    const uint64_t widest = is_64() ? UINT64_C(1) << 55 : UINT64_C(1) << 33;
    unsigned level;
    for (level = 1; level < p->levels; level++) {
        const uint64_t index = (uint64_t)vmm_level_index(p, level - 1, VA) * p->pte_bytes;
        put_at(level, VA, pte(OUTSIDE, V), 0);
        expect_each(VA, VMM_RULE_TABLE_MEMORY, level - 1, OUTSIDE + index);
        put_at(level, VA, pte(widest | BASE, V), 0); /* its low bits alone would be RAM */
        expect_each(VA, VMM_RULE_TABLE_MEMORY, level - 1, (widest | BASE) + index);
    }
}

static void a_table_outside_ram_is_an_access_fault_of_the_original_kind(void **state)
{
    (void)state;
    each(judge_tables_outside);
}

static void judge_width(void)
{
    const vmm_bus_t nothing = {NULL, NULL, NULL};
    const unsigned top = is_64() ? 55 : 33;
    unsigned bit, access;
    begin_with(32, nothing);
    for (bit = 32; bit <= top; bit++)
        for (access = VMM_READ; access <= VMM_FETCH; access++) {
            hart->flush_all();
            expect(access, VA, VMM_RULE_PADDR_WIDTH, 0,
                   put_at(0, VA, pte(UINT64_C(1) << bit | (BASE + 0x3000), ALL), 0));
        }
    /* the page is judged first */
    expect(VMM_WRITE, VA, VMM_RULE_WRITE, 0, put_at(0, VA, pte(UINT64_C(1) << 32, V | R | A), 0));
}

static void frames_beyond_the_implemented_width_are_never_masked(void **state)
{
    (void)state;
    each(judge_width);
}

static int bus_read(void *user, vmm_paddr_t pa, uint64_t *value, unsigned bytes)
{
    (void)bytes;
    *(vmm_paddr_t *)user = pa;
    *value = 0;
    return 0;
}

static void judge_width_of_huge(void)
{
    vmm_paddr_t asked = 0;
    const vmm_bus_t bus = {bus_read, NULL, &asked};
    const unsigned level = p->levels - 1u;
    if (p->levels < 4) return;
    begin_with(32, bus);
    put_at(level, VA, pte(0, ALL), 0);
    expect_rule(VMM_READ, VA, OK); /* caches the page of 512 GiB or more */
    expect_rule(VMM_READ, UINT64_C(1) << 32, VMM_RULE_PADDR_WIDTH);
    assert_int_equal(asked, 0);
}

static void a_cached_huge_page_is_cut_off_at_the_implemented_width(void **state)
{
    (void)state;
    each(judge_width_of_huge);
}

static void judge_pa_outside(void)
{
    unsigned access;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        const uint64_t at = put_at(0, VA, pte(OUTSIDE, V | R | W | X), 0);
        hart->flush_all();
        expect_rule(access, VA, VMM_RULE_BUS);
        assert_int_equal(hart->fault->cause, access == VMM_FETCH ? 1 : access == VMM_WRITE ? 7 : 5);
        assert_int_equal(hart->fault->vaddr, VA);
        assert_int_equal(get(at) & (A | D), access == VMM_WRITE ? A | D : A); /* step 9 is before step 11 */
        put(at, pte(OUTSIDE, V | X));
        hart->flush_all();
        if (access != VMM_FETCH) expect(access, VA, access == VMM_WRITE ? VMM_RULE_WRITE : VMM_RULE_READ, 0, at);
    }
}

static void a_page_outside_ram_is_an_access_fault_after_the_rights_are_judged(void **state)
{
    (void)state;
    each(judge_pa_outside);
}

static void judge_told_entry(void)
{
    const vmm_bus_t nothing = {NULL, NULL, NULL};
    begin_with(32, nothing);
    expect(VMM_WRITE, VA, VMM_RULE_PADDR_WIDTH, 0, put_at(0, VA, pte(UINT64_C(1) << 32, V | R | W), 0));
    expect(VMM_WRITE, VA, VMM_RULE_BUS, 0, put_at(0, VA, pte(BASE + 0x100000, V | R | W), 0));
}

static void the_entry_told_with_an_access_fault_is_the_one_that_was_read(void **state)
{
    (void)state;
    each(judge_told_entry);
}

/* ---- addresses --------------------------------------------------------------------------- */

static void judge_canonical(void)
{
    const uint64_t half = UINT64_C(1) << (p->vaddr_bits - 1);
    const uint64_t inside[] = {0, half - 1, ~half + 1, ~UINT64_C(0)};
    const uint64_t outside[] = {half, ~half, half << 1, ~UINT64_C(0) >> 1, UINT64_C(1) << 63};
    size_t i;
    if (!is_64()) return;
    for (i = 0; i < 4; i++) {
        put_at(0, inside[i], pte(BASE, V | R | W | X), 0);
        expect_each(inside[i], OK, 0, 0);
    }
    for (i = 0; i < 5; i++) expect_each(outside[i], VMM_RULE_CANONICAL, p->levels, 0);
}

static void an_address_that_is_not_sign_extended_is_a_page_fault(void **state)
{
    (void)state;
    each(judge_canonical);
}

static void judge_wrap(void)
{
    uint64_t value = UINT64_C(0x1122334455667788);
    const uint64_t at = put_at(0, 0, 0, 0);
    if (is_64()) return;
    put_at(0, 0xfffffff8, pte(BASE + 0x4000, ALL), 0);
    assert_int_equal(hart->access(VMM_WRITE, 0xfffffffc, 8, &value), VMM_FAULT);
    assert_int_equal(hart->fault->rule, VMM_RULE_VALID);
    assert_int_equal(hart->fault->vaddr, 0);
    put(at, pte(BASE + 0x5000, ALL));
    assert_int_equal(hart->access(VMM_WRITE, 0xfffffffc, 8, &value), VMM_OK);
    assert_int_equal(get(BASE + 0x4ffc), 0x55667788);
    assert_int_equal(get(BASE + 0x5000), 0x11223344);
}

static void rv32_addresses_wrap_around(void **state)
{
    (void)state;
    each(judge_wrap);
}

static void judge_wrapped_block(void)
{
    uint8_t data[0x1010];
    if (is_64()) return;
    put_at(0, 0xfffff000, pte(BASE, ALL), 0);
    put_at(1, 0, pte(BASE, ALL), 0); /* 4 MiB at 0 */
    assert_int_equal(hart->block(VMM_READ, 0xfffffff0, data, sizeof data), VMM_OK);
    put(entry_in(1, 0, 0), 0);
    hart->flush_page(0x5000);
    assert_int_equal(hart->block(VMM_READ, 0xfffffff0, data, sizeof data), VMM_FAULT);
}

static void a_page_reached_by_wrapping_around_is_flushed_by_its_own_address(void **state)
{
    (void)state;
    each(judge_wrapped_block);
}

static void judge_crossing(void)
{
    const vmm_vaddr_t second = (VA | 0xfff) + 1;
    const vmm_bus_t nothing = {NULL, NULL, NULL};
    static const struct {
        uint64_t frame, bits;
        unsigned rule;
    } c[] = {{BASE, 0, VMM_RULE_VALID},
             {BASE, V | A, VMM_RULE_RESERVED_TABLE},
             {UINT64_C(1) << 32, ALL, VMM_RULE_PADDR_WIDTH},
             {OUTSIDE, ALL, VMM_RULE_BUS}};
    uint64_t before, value = ~UINT64_C(0);
    unsigned access, i, bytes;
    begin_with(32, nothing);
    for (i = 0; i < 4; i++)
        for (access = VMM_READ; access <= VMM_FETCH; access++)
            for (bytes = 2; bytes <= 8; bytes *= 2) {
                map_at(0, ALL);
                put_at(0, second, pte(c[i].frame, c[i].bits), 0);
                hart->flush_all();
                before = get(BASE + 0x3ff8);
                assert_int_equal(hart->access(access, second - 1, bytes, &value), VMM_FAULT);
                assert_int_equal(hart->fault->rule, c[i].rule);
                assert_int_equal(hart->fault->vaddr, second);
                assert_int_equal(hart->fault->pte_addr, entry_in(0, second, 0));
                assert_int_equal(get(BASE + 0x3ff8), before);
                assert_true(value == ~UINT64_C(0));
                put_at(0, VA, 0, 0); /* the first page is told before the second */
                hart->flush_all();
                assert_int_equal(hart->access(access, second - 1, bytes, &value), VMM_FAULT);
                assert_int_equal(hart->fault->vaddr, second - 1);
            }
}

static void a_crossing_access_tells_the_second_page_and_has_moved_nothing(void **state)
{
    (void)state;
    each(judge_crossing);
}

static void judge_block(void)
{
    const vmm_vaddr_t second = (VA | 0xfff) + 1;
    uint8_t data[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    map_at(0, ALL);
    expect_rule(VMM_READ, VA, OK);
    assert_int_equal(hart->block(VMM_WRITE, second - 8, data, 16), VMM_FAULT);
    assert_int_equal(hart->fault->vaddr, second);
    assert_int_equal(get(BASE + 0x3ff8), 0);
    put_at(0, second, pte(OUTSIDE, ALL), 0);
    assert_int_equal(hart->block(VMM_WRITE, second - 8, data, 16), VMM_FAULT);
    assert_int_equal(hart->fault->vaddr, second);
    assert_int_equal(get(BASE + 0x3ff8), 0); /* no callback refused: there is none */
}

static void a_block_that_faults_has_moved_nothing(void **state)
{
    (void)state;
    each(judge_block);
}

/* ---- accessed and dirty ------------------------------------------------------------------ */

static void judge_marks(void)
{
    static const uint64_t marks[] = {A, A | D, A};
    unsigned access, level;
    for (level = 0; level < p->levels; level++)
        for (access = VMM_READ; access <= VMM_FETCH; access++) {
            const uint64_t at = map_at(level, V | R | W | X);
            hart->flush_all();
            expect(access, VA, OK, 0, 0);
            assert_int_equal(get(at), pte(frame_at(level), V | R | W | X | marks[access]));
            expect(VMM_WRITE, VA, OK, 0, 0); /* through what is cached now */
            assert_int_equal(get(at), pte(frame_at(level), ALL));
            swaps = 0;
            expect_each(VA, OK, 0, 0);
            assert_int_equal(swaps, 0);
        }
}

static void every_access_sets_accessed_and_stores_alone_set_dirty(void **state)
{
    (void)state;
    each(judge_marks);
}

static void judge_live_entry(void)
{
    const uint64_t at = map_at(0, V | R | W);
    expect(VMM_READ, VA, OK, 0, 0);
    put(at, get(at) | 0x300); /* software's bits, changed in memory and in no cache */
    expect(VMM_WRITE, VA, OK, 0, 0);
    assert_int_equal(get(at), pte(frame_at(0), V | R | W | A | D | 0x300));

    put(at, pte(frame_at(0), V | R | W));
    hart->flush_all();
    race_becomes = pte(frame_at(0), V | R | W | D); /* lost the race: step 2 again */
    expect(VMM_READ, VA, OK, 0, 0);
    assert_int_equal(get(at), pte(frame_at(0), V | R | W | A | D));

    put(at, pte(frame_at(0), V | R | W));
    hart->flush_all();
    race_becomes = pte(frame_at(0), V | R | A);
    expect_rule(VMM_WRITE, VA, VMM_RULE_WRITE);
    assert_int_equal(hart->fault->pte, pte(frame_at(0), V | R | A));
    assert_int_equal(get(at), pte(frame_at(0), V | R | A));
}

static void marks_are_swapped_into_the_live_entry_never_written_from_a_cache(void **state)
{
    (void)state;
    each(judge_live_entry);
}

static void judge_ad_scheme(void)
{
    static const struct {
        unsigned features;
        uint64_t menvcfg;
        bool hardware;
    } c[] = {{0, 0, true},
             {0, ADUE, true},
             {VMM_SVADE, 0, false},
             {VMM_SVADE, ADUE, false},
             {VMM_SVADU, 0, false},
             {VMM_SVADU, ADUE, true},
             {VMM_SVADE | VMM_SVADU, 0, false},
             {VMM_SVADE | VMM_SVADU, ADUE, true}};
    size_t i;
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        const uint64_t at = map_at(0, V | R | W | X);
        hart->flush_all();
        assert_int_equal(hart->set_features(c[i].features), VMM_OK);
        hart->set_menvcfg(c[i].menvcfg);
        expect_each(VA, c[i].hardware ? OK : VMM_RULE_ACCESSED, 0, at);
        put(at, pte(frame_at(0), V | R | W | X | A));
        hart->flush_all();
        expect(VMM_READ, VA, OK, 0, 0);
        expect(VMM_WRITE, VA, c[i].hardware ? OK : VMM_RULE_DIRTY, 0, at);
    }
}

static void svade_svadu_and_adue_say_who_sets_the_marks(void **state)
{
    (void)state;
    each(judge_ad_scheme);
}

/* ---- privilege --------------------------------------------------------------------------- */

static void judge_privilege(void)
{
    enum {
        SUP = VMM_RULE_SUPERVISOR_PAGE,
        USR = VMM_RULE_USER_PAGE,
        NR = VMM_RULE_READ,
        NW = VMM_RULE_WRITE,
        NX = VMM_RULE_EXECUTE
    };
    static const struct {
        unsigned bits, privilege;
        uint64_t mstatus;
        unsigned rule[3]; /* read, write, fetch */
    } c[] = {
        {R | W | X, 1, 0, {OK, OK, OK}},
        {R | W | X, 0, SUM | MXR, {SUP, SUP, SUP}},
        {R | W | X | U, 0, 0, {OK, OK, OK}},
        {R | W | X | U, 1, 0, {USR, USR, USR}},
        {R | W | X | U, 1, SUM, {OK, OK, USR}}, /* never fetched by the supervisor */
        {X | U, 1, SUM | MXR, {OK, NW, USR}},
        {X, 1, 0, {NR, NW, OK}},
        {X, 1, MXR, {OK, NW, OK}},
        {X | U, 0, MXR, {OK, NW, OK}},
        {R, 1, MXR, {OK, NW, NX}},
        {R | W, 1, 0, {OK, OK, NX}},
        {R | X, 1, 0, {OK, NW, OK}},
        {0, 3, 0, {OK, OK, OK}}, /* machine mode: the invalid entry is not asked */
        {0, 3, MPP(1), {OK, OK, OK}},
        {R, 3, MPRV | MPP(1), {OK, NW, OK}},
        {X, 3, MPRV | MPP(1) | MXR, {OK, NW, OK}},
        {R | W | X, 3, MPRV | MPP(0), {SUP, SUP, OK}},
        {R | W | X | U, 3, MPRV | MPP(0), {OK, OK, OK}},
        {R | W | X | U, 3, MPRV | MPP(1), {USR, USR, OK}},
        {R | W | X | U, 3, MPRV | MPP(1) | SUM, {OK, OK, OK}},
        {R | W | X, 1, MPRV | MPP(0), {SUP, SUP, OK}},
        {R, 1, MPRV | MPP(3), {OK, OK, NX}},
    };
    size_t i;
    unsigned access, round;
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        const uint64_t at = map_at(0, c[i].bits ? V | c[i].bits : 0);
        hart->flush_all();
        for (round = 0; round < 2; round++) /* walked, then from the caches */
            for (access = VMM_READ; access <= VMM_FETCH; access++) {
                set_mode(c[i].privilege, c[i].mstatus);
                expect(access, VA, c[i].rule[access], 0, at);
                set_mode(3, 0); /* the same address as physical leaves nothing behind */
                expect(access, VA, OK, 0, 0);
            }
    }
}

static void privilege_mprv_sum_and_mxr_decide_as_the_manual_says(void **state)
{
    (void)state;
    each(judge_privilege);
}

static void judge_mprv_trap(void)
{
    const uint64_t at = map_at(0, 0);
    set_mode(3, 0);
    expect_each(VA, OK, 0, 0); /* machine mode fetches, loads and stores there */
    set_mode(3, MPRV | MPP(1));
    expect(VMM_READ, VA, VMM_RULE_VALID, 0, at);
    expect(VMM_WRITE, VA, VMM_RULE_VALID, 0, at);
    expect(VMM_FETCH, VA, OK, 0, 0);
    set_mode(1, MPRV | MPP(3));
    expect(VMM_READ, VA, OK, 0, 0);
    expect(VMM_FETCH, VA, VMM_RULE_VALID, 0, at);
}

static void a_load_under_mprv_is_not_served_from_a_machine_mode_entry(void **state)
{
    (void)state;
    each(judge_mprv_trap);
}

static void judge_at_once(void)
{
    static const struct {
        unsigned bits, access, allowed_in;
        uint64_t allowed;
        unsigned refused_in;
        uint64_t refused;
        unsigned rule;
    } c[] = {{ALL | U, VMM_READ, 1, SUM, 1, 0, VMM_RULE_USER_PAGE},
             {ALL | U, VMM_WRITE, 1, SUM, 1, 0, VMM_RULE_USER_PAGE},
             {V | X | A, VMM_READ, 1, MXR, 1, 0, VMM_RULE_READ},
             {ALL, VMM_FETCH, 1, 0, 0, 0, VMM_RULE_SUPERVISOR_PAGE},
             {ALL | U, VMM_FETCH, 0, 0, 1, SUM, VMM_RULE_USER_PAGE},
             {ALL, VMM_READ, 3, MPRV | MPP(1), 3, MPRV | MPP(0), VMM_RULE_SUPERVISOR_PAGE}};
    uint64_t walks;
    size_t i;
    unsigned round;
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        const uint64_t at = map_at(0, c[i].bits);
        hart->flush_all();
        for (round = 0; round < 3; round++) {
            set_mode(c[i].allowed_in, c[i].allowed);
            walks = hart->stats->walks;
            expect(c[i].access, VA, OK, 0, 0);
            if (round) assert_int_equal(hart->stats->walks, walks); /* kept over the change and back */
            set_mode(c[i].refused_in, c[i].refused);
            expect(c[i].access, VA, c[i].rule, 0, at);
        }
    }
}

static void modes_change_at_once_and_forget_nothing(void **state)
{
    (void)state;
    each(judge_at_once);
}

static void judge_extensions_at_once(void)
{
    const uint64_t at = map_at(0, ALL | PBMT(1));
    if (!is_64()) return;
    hart->set_menvcfg(PBMTE);
    expect_each(VA, OK, 0, 0);
    hart->set_menvcfg(0);
    expect_each(VA, VMM_RULE_MEMORY_TYPE, 0, at);
    hart->set_menvcfg(PBMTE);
    expect_each(VA, OK, 0, 0);
    assert_int_equal(hart->set_features(0), VMM_OK);
    expect_each(VA, VMM_RULE_MEMORY_TYPE, 0, at);
}

/* The manual asks for a fence here; NAME_set_menvcfg promises more. */
static void pbmte_takes_effect_at_once(void **state)
{
    (void)state;
    each(judge_extensions_at_once);
}

/* ---- satp and fences --------------------------------------------------------------------- */

static void judge_satp(void)
{
    const uint64_t old = hart->registers->satp;
    unsigned m;
    map_at(0, ALL);
    for (m = 1; is_64() && m < 16; m++) {
        if (m >= 8 && m <= 10) continue;
        assert_int_equal(hart->set_satp((uint64_t)m << 60 | UINT64_C(7) << 44 | 1), VMM_E_ARGUMENT);
        assert_int_equal(hart->registers->satp, old);
        expect(VMM_READ, VA, OK, 0, 0);
    }
    expect(VMM_READ, VA + 0x1000, VMM_RULE_VALID, 0, entry_in(0, VA + 0x1000, 0));
    assert_int_equal(hart->set_satp(0), VMM_OK);
    expect(VMM_READ, VA + 0x1000, OK, 0, 0); /* bare at once ... */
    assert_int_equal(hart->set_satp(old), VMM_OK);
    expect(VMM_READ, VA + 0x1000, VMM_RULE_VALID, 0, entry_in(0, VA + 0x1000, 0)); /* ... and back */
}

static void satp_ignores_a_mode_that_does_not_exist(void **state)
{
    (void)state;
    each(judge_satp);
}

/* What a load of VA + offset finds: the page it was led to holds its own number. */
static uint64_t page_seen(uint64_t offset)
{
    uint64_t value = 99;
    assert_int_equal(hart->access(VMM_READ, ((VA >> 12) << 12) + offset, 1, &value), VMM_OK);
    return value;
}

static void number_pages(void)
{
    uint8_t page;
    for (page = 0; page < 16; page++) ((uint8_t *)ram)[page * 0x1000u] = page;
}

static void judge_asids(void)
{
    const unsigned spaces[] = {1, 2, 1, 2};
    size_t i;
    number_pages();
    put_at(0, VA, pte(BASE + 0x1000, ALL), 1);
    put_at(0, VA, pte(BASE + 0x2000, ALL), 2);
    put_at(0, VA + 0x1000, pte(BASE + 0x5000, ALL | G), 1);
    put_at(0, VA + 0x1000, pte(BASE + 0x5000, ALL | G), 2);
    for (i = 0; i < 4; i++) {
        set_satp(spaces[i], spaces[i]);
        assert_int_equal(page_seen(0), spaces[i]);
        assert_int_equal(page_seen(0x1000), 5);
    }
    if (hart == &tlb_riscv || hart == &tlb32_riscv) assert_int_equal(hart->stats->walks, 3); /* the global page once */
}

static void asids_keep_spaces_apart_without_a_fence_and_share_global_pages(void **state)
{
    (void)state;
    each(judge_asids);
}

enum fence {
    FENCE_ALL,
    FENCE_ASID,
    FENCE_PAGE,
    FENCE_BOTH
};

static void fence(enum fence kind, vmm_vaddr_t va, uint16_t asid)
{
    switch (kind) {
    case FENCE_ALL: hart->flush_all(); break;
    case FENCE_ASID: hart->flush_asid(asid); break;
    case FENCE_PAGE: hart->flush_page(va); break;
    default: hart->flush_page_asid(va, asid); break;
    }
}

/* A pointer at a level above the leaf's that is global, in the tables that two spaces share. */
static void judge_global_pointer(void)
{
    unsigned level, of_leaf, access;
    if (hart != &tlb_riscv && hart != &tlb32_riscv) return;
    for (of_leaf = 0; of_leaf + 1u < p->levels; of_leaf++)
        for (level = of_leaf; level < p->levels; level++) {
            uint64_t hits, walks;
            hart->flush_all();
            map_at(of_leaf, ALL);
            if (level > of_leaf) put(entry_in(level, VA, 0), get(entry_in(level, VA, 0)) | G); /* else none is */
            set_satp(1, 0);
            expect_rule(VMM_READ, VA, OK);
            hits = hart->stats->tlb_hits;
            walks = hart->stats->walks;
            set_satp(2, 0);
            for (access = VMM_READ; access <= VMM_FETCH; access++) expect_rule(access, VA, OK);
            if (level == of_leaf) assert_int_equal(hart->stats->walks, walks + 1); /* not ours */
            if (level == of_leaf) continue;
            fence(FENCE_ASID, 0, 1);
            fence(FENCE_ASID, 0, 2);
            fence(FENCE_BOTH, VA, 2);
            expect_rule(VMM_READ, VA, OK);
            assert_int_equal(hart->stats->tlb_hits, hits + 4);
            assert_int_equal(hart->stats->walks, walks);
            fence(FENCE_PAGE, VA, 0);
            expect_rule(VMM_READ, VA, OK);
            assert_int_equal(hart->stats->walks, walks + 1);
        }
}

static void a_global_pointer_makes_every_page_below_it_global(void **state)
{
    (void)state;
    each(judge_global_pointer);
}

static void a_cached_global_page_is_no_way_around_the_sign_extension_of_a_narrower_mode(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < sizeof setups / sizeof setups[0]; i++) {
        const vmm_vaddr_t va = ~vmm_low_mask(setups[i].p->vaddr_bits - 1u);
        unsigned access;
        if (setups[i].p->levels < 4) continue;
        begin(&setups[i]);
        put_at(0, va, pte(BASE + 0x3000, ALL | G), 0);
        set_satp(1, 0);
        for (access = VMM_READ; access <= VMM_FETCH; access++) expect_rule(access, va, OK);
        p = setups[i - 1].p; /* Sv57 becomes Sv48, and Sv48 becomes Sv39 */
        mode = setups[i - 1].mode;
        set_satp(2, 1);
        for (access = VMM_READ; access <= VMM_FETCH; access++) {
            expect_rule(access, va, VMM_RULE_CANONICAL);
            assert_int_equal(hart->fault->kind, VMM_PAGE_FAULT);
            assert_int_equal(hart->fault->vaddr, va);
        }
    }
}

/* Whether a fence must make a changed leaf visible; a TLB alone may keep what it need not forget. */
static void judge_fences(void)
{
    static const struct {
        enum fence kind;
        uint64_t offset;
        uint16_t asid;
        bool global, seen;
    } c[] = {
        {FENCE_ALL, 0, 0, false, true},  {FENCE_ALL, 0, 0, true, true},         {FENCE_ASID, 0, 1, false, true},
        {FENCE_ASID, 0, 1, true, false}, {FENCE_ASID, 0, 2, false, false},      {FENCE_PAGE, 0xff8, 0, false, true},
        {FENCE_PAGE, 0, 0, true, true},  {FENCE_PAGE, 0x1000, 0, false, false}, {FENCE_BOTH, 8, 1, false, true},
        {FENCE_BOTH, 0, 1, true, false}, {FENCE_BOTH, 0, 2, false, false},      {FENCE_BOTH, 0x1000, 1, false, false}};
    size_t i;
    number_pages();
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        const uint64_t bits = ALL | (c[i].global ? G : 0);
        uint64_t seen;
        hart->flush_all();
        set_satp(1, 0);
        put_at(0, VA, pte(BASE + 0x1000, bits), 0);
        assert_int_equal(page_seen(0), 1);
        put_at(0, VA, pte(BASE + 0x2000, bits), 0);
        assert_int_equal(page_seen(0), 1);
        fence(c[i].kind, ((VA >> 12) << 12) + c[i].offset, c[i].asid);
        seen = page_seen(0);
        if (c[i].seen) assert_int_equal(seen, 2);
        else if (hart == &tlb_riscv || hart == &tlb32_riscv) assert_int_equal(seen, 1);
    }
    hart->flush_page(UINT64_C(1) << 62); /* no address of ours: no effect, no fault */
}

static void a_fence_covers_what_its_operands_name(void **state)
{
    (void)state;
    each(judge_fences);
}

static void judge_whole_page(void)
{
    static const uint64_t from[] = {0, 0x5000, 0xffff}, fenced[] = {0, 0x1000, 0x7ff8, 0xf000};
    unsigned level, i, j, by_asid;
    for (level = 0; level < p->levels; level++)
        for (by_asid = 0; by_asid < 2; by_asid++)
            for (i = 0; i < 3; i++)
                for (j = 0; j < 4; j++) {
                    const uint64_t bits = level ? ALL : ALL | N;
                    const uint64_t frame = level ? BASE & ~vmm_low_mask(vmm_level_shift(p, level)) : BASE + 0x8000;
                    unsigned k;
                    if (!level && !is_64()) continue;
                    hart->flush_all();
                    for (k = 0; k < 16; k++) put_at(level, BASE + k * 0x1000u, pte(frame, bits), 0);
                    expect(VMM_READ, BASE + from[i], OK, 0, 0);
                    for (k = 0; k < 16; k++) put(entry_in(level, BASE + k * 0x1000u, 0), 0);
                    fence(by_asid ? FENCE_BOTH : FENCE_PAGE, BASE + fenced[j], 0);
                    expect(VMM_READ, BASE + from[i], VMM_RULE_VALID, level, entry_in(level, BASE + from[i], 0));
                }
}

static void a_fence_of_any_address_covers_the_whole_huge_or_contiguous_page(void **state)
{
    (void)state;
    each(judge_whole_page);
}

/* ---- an MMU's own promises --------------------------------------------------------------- */

static void judge_counts(void)
{
    vmm_paddr_t asked = 0;
    const vmm_bus_t bus = {bus_read, NULL, &asked};
    if (hart != &tlb_riscv && hart != &tlb32_riscv) return;
    begin_with(0, bus);
    put_at(0, VA, pte(OUTSIDE, ALL), 0);
    expect_rule(VMM_READ, VA, OK);
    assert_int_equal(asked, OUTSIDE + (VA & 0xfff));
    assert_int_equal(hart->stats->tlb_misses, 1);
    assert_int_equal(hart->stats->tlb_hits, 0);
}

static void an_access_to_a_device_is_looked_up_once(void **state)
{
    (void)state;
    each(judge_counts);
}

/* Looking says what the access itself does next. */
static void expect_seen(unsigned access, vmm_vaddr_t va, unsigned rule)
{
    vmm_examination_t x;
    const vmm_stats_t before = *hart->stats;
    hart->examine(va, access, &x);
    assert_int_equal(x.status, rule ? VMM_FAULT : VMM_OK);
    if (rule) assert_int_equal(x.fault.rule, rule);
    if (rule) assert_int_equal(x.fault.kind, is_access_fault(rule) ? VMM_ACCESS_FAULT : VMM_PAGE_FAULT);
    assert_memory_equal(hart->stats, &before, sizeof before);
    expect_rule(access, va, rule);
    if (rule) assert_int_equal(hart->fault->cause, x.fault.cause);
}

static void judge_look_at_dirty(void)
{
    map_at(0, V | R | W | A);
    assert_int_equal(hart->set_features(VMM_SVADE), VMM_OK);
    expect_seen(VMM_WRITE, VA, VMM_RULE_DIRTY);
    expect_seen(VMM_READ, VA, OK);
    expect_seen(VMM_WRITE, VA, VMM_RULE_DIRTY); /* now the TLB knows the page */
    assert_int_equal(hart->set_features(0), VMM_OK);
    expect_seen(VMM_READ, VA, OK);
    expect_seen(VMM_WRITE, VA, OK);
}

static void looking_at_a_write_under_svade_tells_that_the_dirty_bit_is_clear(void **state)
{
    (void)state;
    each(judge_look_at_dirty);
}

static void judge_look_at_bus(void)
{
    vmm_paddr_t asked = 0;
    const vmm_bus_t reads = {bus_read, NULL, &asked};
    vmm_examination_t x;
    unsigned access, again;
    put_at(0, VA, pte(OUTSIDE, ALL), 0);
    for (access = VMM_READ; access <= VMM_FETCH; access++)
        for (again = 0; again < 2; again++) expect_seen(access, VA, VMM_RULE_BUS);
    begin_with(0, reads);
    hart->examine(VA, VMM_READ, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.translation.paddr, OUTSIDE + (VA & 0xfff));
    assert_int_equal(asked, 0); /* no device is asked by looking */
    for (again = 0; again < 2; again++) {
        expect_seen(VMM_READ, VA, OK);
        expect_seen(VMM_WRITE, VA, VMM_RULE_BUS);
        expect_seen(VMM_FETCH, VA, OK);
    }
}

static void looking_at_a_page_outside_ram_tells_whether_a_callback_would_answer(void **state)
{
    (void)state;
    each(judge_look_at_bus);
}

static void machine_mode_fetches_past_two_million_changes_of_space_under_mprv(void **state)
{
    const vmm_vaddr_t shared = BASE + 0x3000;
    uint32_t value = 0, i;
    (void)state;
    begin(&setups[0]);
    number_pages();
    put_at(0, shared, pte(BASE + 0x5000, ALL), 0);
    assert_int_equal(hart->set_satp(0), VMM_OK);
    set_mode(3, MPRV | MPP(1));
    for (i = 0; i < (1u << 21) + 8; i++) {
        if (rv_set_satp(&rv_hart, UINT64_C(8) << 60 | (uint64_t)(i & 0xffff) << 44 | ((TABLE + 0x2000) >> 12))) fail();
        if (i < (1u << 21) - 16) continue;
        assert_int_equal(rv_load32(&rv_hart, shared, &value), VMM_OK);
        assert_int_equal(value & 0xff, 5);
        assert_int_equal(rv_fetch32(&rv_hart, shared, &value), VMM_OK);
        assert_int_equal(value & 0xff, 3);
        rv_flush_page(&rv_hart, shared); /* the next round asks the walk cache, not the front */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formats_have_the_sizes_of_the_manual),
        cmocka_unit_test(reserved_encodings_are_page_faults_before_anything_is_marked),
        cmocka_unit_test(a_contiguous_page_is_64_kib_and_nothing_else),
        cmocka_unit_test(a_huge_page_is_aligned_to_its_size_at_every_level),
        cmocka_unit_test(a_table_outside_ram_is_an_access_fault_of_the_original_kind),
        cmocka_unit_test(frames_beyond_the_implemented_width_are_never_masked),
        cmocka_unit_test(a_cached_huge_page_is_cut_off_at_the_implemented_width),
        cmocka_unit_test(a_page_outside_ram_is_an_access_fault_after_the_rights_are_judged),
        cmocka_unit_test(the_entry_told_with_an_access_fault_is_the_one_that_was_read),
        cmocka_unit_test(an_address_that_is_not_sign_extended_is_a_page_fault),
        cmocka_unit_test(rv32_addresses_wrap_around),
        cmocka_unit_test(a_page_reached_by_wrapping_around_is_flushed_by_its_own_address),
        cmocka_unit_test(a_crossing_access_tells_the_second_page_and_has_moved_nothing),
        cmocka_unit_test(a_block_that_faults_has_moved_nothing),
        cmocka_unit_test(every_access_sets_accessed_and_stores_alone_set_dirty),
        cmocka_unit_test(marks_are_swapped_into_the_live_entry_never_written_from_a_cache),
        cmocka_unit_test(svade_svadu_and_adue_say_who_sets_the_marks),
        cmocka_unit_test(privilege_mprv_sum_and_mxr_decide_as_the_manual_says),
        cmocka_unit_test(a_load_under_mprv_is_not_served_from_a_machine_mode_entry),
        cmocka_unit_test(modes_change_at_once_and_forget_nothing),
        cmocka_unit_test(pbmte_takes_effect_at_once),
        cmocka_unit_test(satp_ignores_a_mode_that_does_not_exist),
        cmocka_unit_test(asids_keep_spaces_apart_without_a_fence_and_share_global_pages),
        cmocka_unit_test(a_global_pointer_makes_every_page_below_it_global),
        cmocka_unit_test(a_cached_global_page_is_no_way_around_the_sign_extension_of_a_narrower_mode),
        cmocka_unit_test(a_fence_covers_what_its_operands_name),
        cmocka_unit_test(a_fence_of_any_address_covers_the_whole_huge_or_contiguous_page),
        cmocka_unit_test(an_access_to_a_device_is_looked_up_once),
        cmocka_unit_test(looking_at_a_write_under_svade_tells_that_the_dirty_bit_is_clear),
        cmocka_unit_test(looking_at_a_page_outside_ram_tells_whether_a_callback_would_answer),
        cmocka_unit_test(machine_mode_fetches_past_two_million_changes_of_space_under_mprv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
