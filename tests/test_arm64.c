/* The AArch64 front end: halves, granules and start levels, what TLBI keeps and drops, modifiers at once, fault status
 * codes with levels, AT. Translation itself is held against QEMU in tests/machine. Names are those of the Arm ARM, D8. */
#define VMM_IMPLEMENTATION
#include "helper.h"
#include "vmm.h"

VMM_MMU(fast, VMM_ARM64)
VMM_MMU(slow, VMM_ARCH_ARM64, VMM_STAGES_TLB(16, 4, VMM_LRU))

#define M UINT64_C(1)
#define WXN (UINT64_C(1) << 19)
#define EPD0 (UINT64_C(1) << 7)
#define A1 (UINT64_C(1) << 22)
#define EPD1 (UINT64_C(1) << 23)
#define AS16 (UINT64_C(1) << 36)
#define TBI0 (UINT64_C(1) << 37)
#define HA (UINT64_C(1) << 39)
#define HD (UINT64_C(1) << 40)
#define HPD0 (UINT64_C(1) << 41)
#define E0PD0 (UINT64_C(1) << 55)
#define IPS(code) ((uint64_t)(code) << 32)
#define T0SZ(n) ((uint64_t)(n))
#define T1SZ(n) ((uint64_t)(n) << 16)
#define TG0(n) ((uint64_t)(n) << 14)
#define TG1(n) ((uint64_t)(n) << 30)
#define TG1_4K TG1(2)
#define PLAIN (T0SZ(16) | T1SZ(16) | TG1_4K | IPS(2)) /* 48 bits in both halves, 4 KiB, 40-bit PA */

#define PAGE UINT64_C(3)
#define BLOCK UINT64_C(1)
#define TABLE UINT64_C(3)
#define AP_EL0 UINT64_C(0x40)
#define AP_RO UINT64_C(0x80)
#define AF UINT64_C(0x400)
#define NG UINT64_C(0x800)
#define DBM (UINT64_C(1) << 51)
#define CONTIGUOUS (UINT64_C(1) << 52)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)

static uint64_t ram[1 << 16]; /* 512 KiB from physical 0 */
static fast_mmu_t fast;
static slow_mmu_t slow;

/* Four levels of 4 KiB at fixed places, levels 0 to 3 at 0x1000 to 0x4000; page n is frame 0x10 + n. */
static void tables(uint64_t leaf)
{
    unsigned i;
    memset(ram, 0, sizeof ram);
    for (i = 1; i < 4; i++) ram[0x1000 * i / 8] = 0x1000 * (i + 1) | TABLE;
    for (i = 0; i < 16; i++) ram[0x4000 / 8 + i] = ((uint64_t)(0x10 + i) << 12) | leaf;
}

static void begin(uint64_t leaf, uint64_t tcr)
{
    vmm_memory_t memory;
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.size = sizeof ram;
    tables(leaf);
    assert_int_equal(fast_init(&fast, &memory), VMM_OK);
    assert_int_equal(slow_init(&slow, &memory), VMM_OK);
    fast_set_ttbr0(&fast, 0x1000);
    fast_set_ttbr1(&fast, 0x1000);
    fast_set_tcr(&fast, tcr);
    fast_set_sctlr(&fast, M);
    slow_set_ttbr0(&slow, 0x1000);
    slow_set_ttbr1(&slow, 0x1000);
    slow_set_tcr(&slow, tcr);
    slow_set_sctlr(&slow, M);
}

/* One access of the fast instance: 0, or the exception class << 8 with ISS. */
static unsigned fails(unsigned access, vmm_vaddr_t va)
{
    uint8_t value = 0;
    const vmm_status_t status = access == VMM_WRITE   ? fast_store8(&fast, va, 1)
                                : access == VMM_FETCH ? fast_fetch8(&fast, va, &value)
                                                      : fast_load8(&fast, va, &value);
    return status == VMM_OK ? 0 : (unsigned)fast.fault.cause << 8 | fast.fault.code;
}

#define DATA 0x2500 /* data abort from EL1 */
#define FETCH 0x2100
#define UPPER UINT64_C(0xffff000000000000)

static void granule_and_txsz_choose_format_and_start_level(void **state)
{
    static const struct {
        uint64_t tcr;
        const char *name;
        unsigned levels;
    } cases[] = {
        {T0SZ(16) | TG0(0), "AArch64 4K", 4},          {T0SZ(24) | TG0(0), "AArch64 4K", 4},
        {T0SZ(25) | TG0(0), "AArch64 4K", 3},          {T0SZ(33) | TG0(0), "AArch64 4K", 3},
        {T0SZ(34) | TG0(0), "AArch64 4K", 2},          {T0SZ(42) | TG0(0), "AArch64 4K", 2},
        {T0SZ(43) | TG0(0), "AArch64 4K", 1},          {T0SZ(48) | TG0(0), "AArch64 4K", 1},
        {T0SZ(16) | TG0(2), "AArch64 16K", 4},         {T0SZ(17) | TG0(2), "AArch64 16K", 3},
        {T0SZ(27) | TG0(2), "AArch64 16K", 3},         {T0SZ(28) | TG0(2), "AArch64 16K", 2},
        {T0SZ(39) | TG0(2), "AArch64 16K", 1},         {T0SZ(16) | TG0(1), "AArch64 64K, 52-bit", 3},
        {T0SZ(21) | TG0(1), "AArch64 64K, 52-bit", 3}, {T0SZ(22) | TG0(1), "AArch64 64K, 52-bit", 2},
        {T0SZ(35) | TG0(1), "AArch64 64K, 52-bit", 1}, {T0SZ(12) | TG0(1), "AArch64 64K, 52-bit", 3},
        {T0SZ(16) | TG0(3), "AArch64 4K", 4},
    };
    vmm_examination_t x;
    size_t i;
    (void)state;
    begin(PAGE, PLAIN);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        fast_set_tcr(&fast, cases[i].tcr | IPS(2));
        fast_examine(&fast, 0, VMM_READ, &x);
        assert_string_equal(x.paging->name, cases[i].name);
        assert_int_equal(x.step[0].level, cases[i].levels - 1);
    }
    assert_int_equal(fast_set_features(&fast, 0), VMM_OK); /* without FEAT_LPA */
    fast_set_tcr(&fast, T0SZ(16) | TG0(1) | IPS(2));
    fast_examine(&fast, 0, VMM_READ, &x);
    assert_string_equal(x.paging->name, "AArch64 64K");
}

static void bit_55_chooses_the_half_and_bits_above_must_be_like_it(void **state)
{
    (void)state;
    begin(PAGE | AF, PLAIN);
    fast_set_ttbr1(&fast, 0x6000);
    ram[0x6000 / 8] = 0x7000 | TABLE;
    ram[0x7000 / 8] = 0x8000 | TABLE;
    ram[0x8000 / 8] = 0x9000 | TABLE;
    ram[0x9000 / 8 + 1] = 0x20000 | PAGE | AF;
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(fails(VMM_READ, UPPER), DATA | 0x07);
    assert_int_equal(fails(VMM_READ, UPPER | 0x1000), 0);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 48), DATA | 0x04);
    assert_int_equal(fails(VMM_READ, UPPER & ~(UINT64_C(1) << 48)), DATA | 0x04);
    assert_int_equal(fails(VMM_READ, UINT64_C(0xaa) << 56), DATA | 0x04); /* a tag without TBI */
    assert_int_equal(fast.fault.vaddr, UINT64_C(0xaa) << 56);
    fast_set_tcr(&fast, PLAIN | TBI0);
    assert_int_equal(fails(VMM_READ, UINT64_C(0xaa) << 56), 0);
    assert_int_equal(fails(VMM_READ, (UINT64_C(0xaa) << 56) | UINT64_C(1) << 48), DATA | 0x04);
    assert_int_equal(fails(VMM_READ, UINT64_C(0x00ff000000001000)), DATA | 0x04); /* TBI1 is clear */
    fast_set_tcr(&fast, (PLAIN & ~T0SZ(63)) | T0SZ(25));                          /* 39 bits below, 48 above */
    fast_set_ttbr0(&fast, 0x2000);
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 39), DATA | 0x04);
    assert_int_equal(fails(VMM_READ, UPPER | 0x1000), 0);
}

static void a_half_that_is_switched_off_or_out_of_bounds_faults_at_level_0(void **state)
{
    (void)state;
    begin(PAGE | AF | AP_EL0, PLAIN);
    assert_int_equal(fails(VMM_READ, 0), 0);
    fast_set_tcr(&fast, PLAIN | EPD0);
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x04);
    assert_int_equal(fails(VMM_READ, UPPER), 0);
    fast_set_tcr(&fast, PLAIN | EPD1);
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(fails(VMM_READ, UPPER), DATA | 0x04);
    fast_set_tcr(&fast, PLAIN | E0PD0);
    assert_int_equal(fails(VMM_READ, 0), 0);
    fast_set_el(&fast, 0);
    assert_int_equal(fails(VMM_READ, 0), 0x2404);
    assert_int_equal(fails(VMM_READ, UPPER), 0);
    fast_set_el(&fast, 1);
    fast_set_tcr(&fast, (PLAIN & ~T0SZ(63)) | T0SZ(15));
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x04);
    fast_set_tcr(&fast, (PLAIN & ~T0SZ(63)) | T0SZ(49));
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x04);
    assert_int_equal(fast_set_features(&fast, 0), VMM_OK); /* without FEAT_TTST at most 39 */
    fast_set_tcr(&fast, (PLAIN & ~T0SZ(63)) | T0SZ(40));
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x04);
    assert_int_equal(fast_set_features(&fast, 1u << 5), VMM_E_ARGUMENT);
    assert_int_equal(fast_set_el(&fast, 2), VMM_E_ARGUMENT);
    fast_set_tcr(&fast, PLAIN);
    fast_set_ttbr0(&fast, UINT64_C(1) << 41); /* beyond IPS: address size fault, level 0 */
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x00);
}

static void faults_tell_the_level_as_the_architecture_counts_it(void **state)
{
    unsigned level;
    (void)state;
    for (level = 0; level < 4; level++) {
        const size_t entry = 0x1000 * (level + 1) / 8;
        begin(PAGE | AF, PLAIN);
        ram[entry] &= ~UINT64_C(1);
        assert_int_equal(fails(VMM_READ, 0), DATA | 0x04 | level);
        assert_int_equal(fails(VMM_WRITE, 0), DATA | 0x44 | level);
        assert_int_equal(fails(VMM_FETCH, 0), FETCH | 0x04 | level);
        begin(PAGE | AF, PLAIN);
        ram[entry] |= UINT64_C(1) << 40;
        assert_int_equal(fails(VMM_READ, 0), DATA | 0x00 | level); /* beyond the PA size */
        begin(PAGE | AF, PLAIN);
        if (level < 3) ram[entry] = (UINT64_C(1) << 39) | TABLE;
        assert_int_equal(fails(VMM_READ, 0), level < 3 ? DATA | (0x15u + level) : 0); /* abort on the walk */
    }
    begin(BLOCK | AF, PLAIN); /* 01 is no page */
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x07);
    ram[0x1000 / 8] = BLOCK | AF; /* nor a block at level 0 */
    fast_flush_all(&fast);
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x04);
    begin(PAGE | AF, PLAIN);
    ram[0x3000 / 8] = 0x10000 | BLOCK | AF; /* low bits of a block's address are ignored */
    assert_int_equal(fails(VMM_READ, 0x2000), 0);
    ram[0x2000 / 8] = BLOCK | AP_RO | AF;
    fast_flush_all(&fast);
    assert_int_equal(fails(VMM_WRITE, 0x2000), DATA | 0x4d); /* permission, level 1 */
    begin(PAGE | AF, PLAIN);
    ram[0x4000 / 8] |= UINT64_C(1) << 39;
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x10); /* nothing at the address */
}

static void the_access_flag_is_told_before_rights_unless_hardware_sets_it(void **state)
{
    (void)state;
    begin(PAGE | AP_RO, PLAIN);
    assert_int_equal(fails(VMM_WRITE, 0), DATA | 0x4b);
    assert_int_equal(ram[0x4000 / 8] & AF, 0);
    fast_set_tcr(&fast, PLAIN | HA);
    assert_int_equal(fails(VMM_WRITE, 0), DATA | 0x4f);
    assert_int_equal(ram[0x4000 / 8] & AF, 0); /* a fault marks nothing */
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(ram[0x4000 / 8] & AF, AF);
    assert_int_equal(ram[0x3000 / 8] & AF, 0); /* tables have none */
    ram[0x4000 / 8] |= DBM;
    fast_flush_page(&fast, 0);
    assert_int_equal(fails(VMM_WRITE, 0), DATA | 0x4f); /* HD is clear */
    fast_set_tcr(&fast, PLAIN | HA | HD);
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(ram[0x4000 / 8] & AP_RO, AP_RO);
    assert_int_equal(fails(VMM_WRITE, 0), 0);
    assert_int_equal(ram[0x4000 / 8] & AP_RO, 0); /* now dirty */
    assert_int_equal(fast_set_features(&fast, 0), VMM_OK);
    ram[0x4000 / 8] &= ~AF;
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x0b); /* a model without the extension */
}

static void modifiers_take_effect_at_once_on_pages_that_are_remembered(void **state)
{
    (void)state;
    begin(PAGE | AF | AP_EL0, PLAIN);
    assert_int_equal(fails(VMM_WRITE, 0), 0);
    assert_int_equal(fails(VMM_FETCH, 0), FETCH | 0x0f); /* EL0 may write to it */
    fast_set_pan(&fast, true);
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x0f);
    assert_int_equal(fast_set_el(&fast, 0), VMM_OK);
    assert_int_equal(fails(VMM_READ, 0), 0);
    assert_int_equal(fails(VMM_FETCH, 0), 0);
    fast_set_sctlr(&fast, M | WXN);
    assert_int_equal(fails(VMM_FETCH, 0), 0x200f);
    assert_int_equal(fast_set_el(&fast, 1), VMM_OK);
    fast_set_pan(&fast, false);
    fast_set_sctlr(&fast, M);
    ram[0x4000 / 8] &= ~AP_EL0;
    fast_flush_page(&fast, 0);
    assert_int_equal(fails(VMM_READ, 0), 0);
    fast_set_unprivileged(&fast, true); /* LDTR: judged as EL0's, told as EL1's */
    assert_int_equal(fails(VMM_READ, 0), DATA | 0x0f);
    assert_int_equal(fails(VMM_FETCH, 0), 0);
    fast_set_unprivileged(&fast, false);
    fast_set_sctlr(&fast, 0); /* translation off */
    assert_int_equal(fails(VMM_WRITE, 0x10000), 0);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 52), DATA | 0x00);
}

static void table_attributes_take_rights_away_unless_disabled(void **state)
{
    unsigned level;
    (void)state;
    for (level = 0; level < 3; level++) {
        const size_t entry = 0x1000 * (level + 1) / 8;
        begin(PAGE | AF | AP_EL0, PLAIN);
        ram[entry] |= UINT64_C(1) << 62; /* APTable[1]: no writing */
        assert_int_equal(fails(VMM_READ, 0), 0);
        assert_int_equal(fails(VMM_WRITE, 0), DATA | 0x4f);
        assert_int_equal(fails(VMM_WRITE, 0x1000), DATA | 0x4f); /* by the walk cache */
        fast_set_tcr(&fast, PLAIN | HPD0);
        assert_int_equal(fails(VMM_WRITE, 0), 0);
        begin(PAGE | AF | AP_EL0, PLAIN);
        ram[entry] |= UINT64_C(1) << 61; /* APTable[0]: not EL0's */
        assert_int_equal(fails(VMM_READ, 0), 0);
        assert_int_equal(fails(VMM_FETCH, 0), 0); /* EL0 may not write to it any more */
        fast_set_el(&fast, 0);
        assert_int_equal(fails(VMM_READ, 0x1000), 0x240f);
        begin(PAGE | AF, PLAIN);
        ram[entry] |= UINT64_C(1) << 59; /* PXNTable */
        assert_int_equal(fails(VMM_FETCH, 0), FETCH | 0x0f);
        assert_int_equal(fails(VMM_FETCH, UPPER), FETCH | 0x0f);
        fast_set_tcr(&fast, PLAIN | HPD0);
        assert_int_equal(fails(VMM_FETCH, 0), 0);
        assert_int_equal(fails(VMM_FETCH, UPPER), FETCH | 0x0f); /* HPD1 is clear */
        begin(PAGE | AF | AP_EL0, PLAIN);
        ram[entry] |= UINT64_C(1) << 60; /* UXNTable */
        fast_set_el(&fast, 0);
        assert_int_equal(fails(VMM_FETCH, 0), 0x200f);
    }
}

static void device_memory_wants_aligned_accesses(void **state)
{
    uint32_t value;
    (void)state;
    begin(PAGE | AF | 1 << 2, PLAIN); /* AttrIndx 1 */
    assert_int_equal(fast_load32(&fast, 2, &value), VMM_OK);
    fast_set_mair(&fast, 0x04ff); /* index 1: Device-nGnRE; the others are Device-nGnRnE */
    assert_int_equal(fast_load32(&fast, 2, &value), VMM_FAULT);
    assert_int_equal(fast.fault.code, 0x21);
    assert_int_equal(fast_load32(&fast, 4, &value), VMM_OK);
    assert_int_equal(fast_load32(&fast, 6, &value), VMM_FAULT); /* the front does not keep it */
    ram[0x4000 / 8] |= AP_RO;
    fast_flush_page(&fast, 0);
    assert_int_equal(fast_store32(&fast, 2, 0), VMM_FAULT);
    assert_int_equal(fast.fault.code, 0x61); /* before rights */
    ram[0x4000 / 8] &= ~AF;
    fast_flush_page(&fast, 0);
    assert_int_equal(fast_store32(&fast, 2, 0), VMM_FAULT);
    assert_int_equal(fast.fault.code, 0x4b); /* after the access flag */
}

/* Has the modelled TLB a page? Then the access does not see that its entry is gone. */
static bool kept(vmm_vaddr_t va)
{
    uint8_t value;
    vmm_status_t status;
    const size_t entry = 0x4000 / 8 + (va >> 12 & 511);
    const uint64_t was = ram[entry];
    ram[entry] = 0;
    status = slow_load8(&slow, va, &value);
    ram[entry] = was;
    return status == VMM_OK;
}

/* Pages 0, 2, 3 are ASID 5's, page 1 is global; all are remembered, for ASID 6 too. */
static void begin_flush(void)
{
    uint8_t value;
    unsigned asid;
    vmm_vaddr_t page;
    begin(PAGE | AF | NG, PLAIN);
    ram[0x4000 / 8 + 1] &= ~NG;
    for (asid = 6; asid >= 5; asid--) {
        slow_set_ttbr0(&slow, (uint64_t)asid << 48 | 0x1000);
        for (page = 0; page < 4; page++) assert_int_equal(slow_load8(&slow, page << 12, &value), VMM_OK);
    }
}

#define XT(asid, va) ((uint64_t)(asid) << 48 | (va) >> 12)

static void tlbi_forgets_what_each_form_names(void **state)
{
    (void)state;
    begin_flush();
    assert_true(kept(0) && kept(0x1000));
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VAE1, XT(5, 0)), VMM_OK);
    assert_false(kept(0));
    assert_true(kept(0x2000));
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VALE1, XT(9, 0x1000)), VMM_OK); /* global: any ASID names it */
    assert_false(kept(0x1000));
    slow_set_ttbr0(&slow, (UINT64_C(6) << 48) | 0x1000);
    assert_true(kept(0));
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_ASIDE1, XT(6, 0)), VMM_OK);
    assert_false(kept(0) || kept(0x2000));
    begin_flush();
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_ASIDE1, XT(5, 0)), VMM_OK);
    assert_false(kept(0));
    assert_true(kept(0x1000)); /* global */
    slow_set_ttbr0(&slow, (UINT64_C(6) << 48) | 0x1000);
    assert_true(kept(0x2000));
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VAAE1, XT(0, 0x2000)), VMM_OK);
    assert_false(kept(0x2000));
    assert_true(kept(0x3000));
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VMALLE1, 0), VMM_OK);
    assert_false(kept(0x3000) || kept(0x1000));
    assert_int_equal(slow_tlbi(&slow, 6, 0), VMM_E_ARGUMENT);
}

static void tlbi_tells_the_halves_apart(void **state)
{
    uint8_t value;
    (void)state;
    begin(PAGE | AF, PLAIN);
    assert_int_equal(slow_load8(&slow, 0x2000, &value), VMM_OK);
    assert_int_equal(slow_load8(&slow, UPPER | 0x2000, &value), VMM_OK);
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VAAE1, (UPPER | 0x2000) >> 12 & UINT64_C(0xfffffffffff)), VMM_OK);
    assert_true(kept(0x2000));
    assert_false(kept(UPPER | 0x2000));
}

static void the_asid_comes_from_the_register_and_the_width_that_tcr_says(void **state)
{
    (void)state;
    begin_flush();
    slow_set_ttbr0(&slow, (UINT64_C(0x105) << 48) | 0x1000); /* AS clear: 8 bits */
    assert_true(kept(0));
    slow_set_tcr(&slow, PLAIN | AS16);
    assert_false(kept(0));
    slow_set_ttbr1(&slow, (UINT64_C(6) << 48) | 0x1000);
    slow_set_tcr(&slow, PLAIN | A1);
    assert_true(kept(0));
}

static void a_flush_of_any_page_forgets_a_contiguous_group(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF | CONTIGUOUS, PLAIN);
    assert_int_equal(fast_load64(&fast, 0x3000, &value), VMM_OK);
    ram[0x4000 / 8 + 3] = 0;
    assert_int_equal(fast_load64(&fast, 0x3000, &value), VMM_OK);
    fast_flush_page(&fast, 0x5000);
    assert_int_equal(fast_load64(&fast, 0x3000, &value), VMM_FAULT);
}

static void at_tells_par_and_leaves_no_trace(void **state)
{
    (void)state;
    begin(PAGE | AP_RO | 0x300 | 1 << 2, PLAIN | HA);
    fast_set_mair(&fast, 0x44ff);
    assert_true(fast_at(&fast, VMM_READ, false, 0x2345) ==
                (UINT64_C(0x44) << 56 | 0x12000 | 0x100 | 0x800)); /* ATTR, PA, SH: of what no cache holds 2 */
    fast_set_mair(&fast, 0xffff);
    assert_true(fast_at(&fast, VMM_READ, false, 0x2345) == (UINT64_C(0xff) << 56 | 0x12000 | 0x180 | 0x800));
    fast_set_mair(&fast, 0x04ff);
    assert_true(fast_at(&fast, VMM_READ, false, 0x2345) == (UINT64_C(0x04) << 56 | 0x12000 | 0x100 | 0x800));
    fast_set_sctlr(&fast, 0);
    assert_true(fast_at(&fast, VMM_READ, false, 0x2345) == (0x2000 | 0x100 | 0x800)); /* Device-nGnRnE */
    assert_true(fast_at(&fast, VMM_READ, false, UINT64_C(1) << 52) == 0x801);
    fast_set_sctlr(&fast, M);
    assert_int_equal(ram[0x4000 / 8 + 2] & AF, 0);
    assert_true(fast_at(&fast, VMM_WRITE, false, 0x2345) == (0x801 | 0x0f << 1));
    assert_true(fast_at(&fast, VMM_READ, true, 0x2345) == (0x801 | 0x0f << 1));
    assert_true(fast_at(&fast, VMM_READ, false, 0x200000) == (0x801 | 0x06 << 1));
    fast_set_tcr(&fast, PLAIN);
    assert_true(fast_at(&fast, VMM_READ, false, 0x2345) == (0x801 | 0x0b << 1));
}

static void pages_of_52_bits_have_their_high_bits_in_15_to_12(void **state)
{
    vmm_examination_t x;
    (void)state;
    begin(PAGE | AF, PLAIN);
    memset(ram, 0, sizeof ram);
    ram[0x10000 / 8] = UINT64_C(0x0000123456780000) | 0xa000 | PAGE | AF;
    fast_set_ttbr0(&fast, 0x10000);
    fast_set_tcr(&fast, T0SZ(40) | TG0(1) | IPS(6) | EPD1); /* one level of 64 KiB pages */
    fast_examine(&fast, 0x1234, VMM_READ, &x);
    assert_true(x.translation.paddr == UINT64_C(0x000a123456781234));
}

/* RAM that is reached through 64 KiB pages: VA n x 64 KiB leads to frame n x 64 KiB through one table at 0x40000. */
static void tables_64k(void)
{
    unsigned i;
    memset(ram, 0, sizeof ram);
    for (i = 0; i < 8; i++) ram[0x40000 / 8 + i] = (uint64_t)i << 16 | PAGE | AF;
    for (i = 0; i < 0x80; i++) ram[0x1000 * i / 8] = 0x1000 * i | 0x5a;
    ram[0x40000 / 8] = PAGE | AF;
}

#define GRANULE_64K (T0SZ(40) | TG0(1) | IPS(2) | EPD1)

static void a_tlb_forgets_when_the_granule_changes_because_entries_are_found_by_it(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF, PLAIN);
    assert_int_equal(slow_load64(&slow, 0x2000, &value), VMM_OK); /* page 2 of 4 KiB */
    tables_64k();
    slow_set_ttbr0(&slow, 0x40000);
    slow_set_tcr(&slow, GRANULE_64K);
    assert_int_equal(slow_load64(&slow, 0x21000, &value), VMM_OK); /* page 2 of 64 KiB */
    assert_true(value == (0x21000 | 0x5a));
}

static void tlbi_while_translation_is_off_forgets_pages_of_every_granule(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF, PLAIN);
    tables_64k();
    slow_set_ttbr0(&slow, 0x40000);
    slow_set_tcr(&slow, GRANULE_64K);
    assert_int_equal(slow_load64(&slow, 0x21000, &value), VMM_OK);
    slow_set_sctlr(&slow, 0);
    ram[0x40000 / 8 + 2] = 0;
    assert_int_equal(slow_tlbi(&slow, VMM_TLBI_VAAE1, 0x21), VMM_OK);
    slow_set_sctlr(&slow, M);
    assert_int_equal(slow_load64(&slow, 0x21000, &value), VMM_FAULT);
    assert_int_equal(slow.fault.rule, VMM_RULE_VALID);
}

static void an_address_out_of_range_is_told_before_a_root_that_is(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF, PLAIN);
    fast_set_ttbr0(&fast, UINT64_C(1) << 41); /* IPS says 40 bits */
    assert_int_equal(fails(VMM_READ, 0x2000), DATA);
    assert_int_equal(fast.fault.rule, VMM_RULE_PADDR_WIDTH);
    assert_int_equal(fast_load64(&fast, UINT64_C(1) << 50, &value), VMM_FAULT);
    assert_int_equal(fast.fault.rule, VMM_RULE_CANONICAL);
    assert_int_equal(fast.fault.code, 4);
}

static void bits_5_to_2_of_a_root_are_an_address_with_64_kib_pages_alone(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF, T0SZ(16) | T1SZ(16) | TG1_4K | IPS(6));
    fast_set_ttbr0(&fast, 0x1000 | 0x3c);
    assert_int_equal(fast_load64(&fast, 0x2000, &value), VMM_OK);
    fast_set_tcr(&fast, T0SZ(40) | TG0(1) | IPS(6) | EPD1);
    assert_int_equal(fast_load64(&fast, 0x2000, &value), VMM_FAULT);
    assert_int_equal(fast.fault.kind, VMM_ACCESS_FAULT); /* there is no RAM at 15 x 2^48 */
}

static void without_translation_a_tag_is_no_address_and_what_is_too_wide_is_an_address_size_fault(void **state)
{
    uint64_t value = 0;
    (void)state;
    begin(PAGE | AF, PLAIN | TBI0);
    fast_set_sctlr(&fast, 0);
    ram[0x5000 / 8] = 77;
    assert_int_equal(fast_load64(&fast, UINT64_C(0xaa00000000005000), &value), VMM_OK);
    assert_int_equal(value, 77);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 52), DATA);
    assert_int_equal(fast.fault.rule, VMM_RULE_PADDR_WIDTH);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 48), DATA | 0x10); /* 52 bits of PA, and nothing there */
    assert_int_equal(fast_set_features(&fast, 0), VMM_OK);
    assert_int_equal(fails(VMM_READ, UINT64_C(1) << 48), DATA);
    fast_set_tcr(&fast, PLAIN);
    assert_int_equal(fails(VMM_READ, UINT64_C(0xaa00000000005000)), DATA);
}

static void a_short_top_table_is_not_remembered_and_still_read_within_its_bounds(void **state)
{
    uint64_t value = 0;
    unsigned i;
    (void)state;
    begin(PAGE | AF, T0SZ(48) | TG0(0) | IPS(2) | EPD1); /* 16 bits: sixteen pages, a table of 128 bytes */
    fast_set_ttbr0(&fast, 0x4000);
    for (i = 0; i < 2; i++) {
        assert_int_equal(fast_load64(&fast, 0xf000, &value), VMM_OK);
        assert_int_equal(fails(VMM_READ, 0x10000), DATA | 4);
    }
    ram[0x4000 / 8] = 0; /* an entry that is not valid is told from the table itself, every time */
    assert_int_equal(fails(VMM_READ, 0), DATA | 7);
    assert_int_equal(fails(VMM_READ, 0), DATA | 7);
}

static int refuse_tables(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    (void)user, (void)access, (void)privilege;
    return bytes == 8 && paddr >= 0x3000 && paddr < 0x4000;
}

static void a_check_that_refuses_an_entry_is_an_external_abort_on_the_walk(void **state)
{
    (void)state;
    begin(PAGE | AF, PLAIN);
    fast_set_check(&fast, refuse_tables, NULL);
    assert_int_equal(fails(VMM_READ, 0x2000), DATA | 0x16); /* level 2 */
    assert_int_equal(fast.fault.kind, VMM_ACCESS_FAULT);
}

static void a_walk_without_registers_takes_addresses_of_either_half_and_no_other(void **state)
{
    vmm_memory_t memory;
    vmm_translation_t t;
    vmm_judge_t judge;
    vmm_fault_t fault;
    (void)state;
    tables(PAGE | AF);
    ram[0x1000 / 8 + 511] = ram[0x1000 / 8];
    memset(&memory, 0, sizeof memory);
    memset(&judge, 0, sizeof judge);
    memory.ram = ram;
    memory.size = sizeof ram;
    assert_int_equal(vmm_walk(&vmm_arm64_4k, &memory, 0x1000, &judge, VMM_READ, 0x2008, &t, &fault, NULL, NULL),
                     VMM_OK);
    assert_true(t.paddr == 0x12008);
    assert_int_equal(vmm_walk(&vmm_arm64_4k, &memory, 0x1000, &judge, VMM_READ, UINT64_C(0xffffff8000002008), &t,
                              &fault, NULL, NULL),
                     VMM_OK);
    assert_true(t.paddr == 0x12008);
    assert_int_equal(
        vmm_walk(&vmm_arm64_4k, &memory, 0x1000, &judge, VMM_READ, UINT64_C(1) << 48, &t, &fault, NULL, NULL),
        VMM_FAULT);
    assert_int_equal(fault.rule, VMM_RULE_CANONICAL);
    assert_int_equal(fault.code, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(granule_and_txsz_choose_format_and_start_level),
        cmocka_unit_test(bit_55_chooses_the_half_and_bits_above_must_be_like_it),
        cmocka_unit_test(a_half_that_is_switched_off_or_out_of_bounds_faults_at_level_0),
        cmocka_unit_test(faults_tell_the_level_as_the_architecture_counts_it),
        cmocka_unit_test(the_access_flag_is_told_before_rights_unless_hardware_sets_it),
        cmocka_unit_test(modifiers_take_effect_at_once_on_pages_that_are_remembered),
        cmocka_unit_test(table_attributes_take_rights_away_unless_disabled),
        cmocka_unit_test(device_memory_wants_aligned_accesses),
        cmocka_unit_test(tlbi_forgets_what_each_form_names),
        cmocka_unit_test(tlbi_tells_the_halves_apart),
        cmocka_unit_test(the_asid_comes_from_the_register_and_the_width_that_tcr_says),
        cmocka_unit_test(a_flush_of_any_page_forgets_a_contiguous_group),
        cmocka_unit_test(at_tells_par_and_leaves_no_trace),
        cmocka_unit_test(pages_of_52_bits_have_their_high_bits_in_15_to_12),
        cmocka_unit_test(a_tlb_forgets_when_the_granule_changes_because_entries_are_found_by_it),
        cmocka_unit_test(tlbi_while_translation_is_off_forgets_pages_of_every_granule),
        cmocka_unit_test(an_address_out_of_range_is_told_before_a_root_that_is),
        cmocka_unit_test(bits_5_to_2_of_a_root_are_an_address_with_64_kib_pages_alone),
        cmocka_unit_test(without_translation_a_tag_is_no_address_and_what_is_too_wide_is_an_address_size_fault),
        cmocka_unit_test(a_short_top_table_is_not_remembered_and_still_read_within_its_bounds),
        cmocka_unit_test(a_check_that_refuses_an_entry_is_an_external_abort_on_the_walk),
        cmocka_unit_test(a_walk_without_registers_takes_addresses_of_either_half_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
