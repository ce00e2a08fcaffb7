/*
 * test_riscv_manual.c - the oracle on trial: hand-made cases for riscv_manual.h.
 *
 * Expected values are written out from the rules of the privileged manual, not computed by the
 * oracle. The page tables of most cases stand at fixed places: the table of level i is the page
 * RAM_BASE + i * 0x1000, and DATA is the frame a 4 KiB leaf points to.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#endif
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "riscv_manual.h"

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE 0x20000u
#define DATA UINT64_C(0x80010000)

#define V 0x01u
#define R 0x02u
#define W 0x04u
#define X 0x08u
#define U 0x10u
#define G 0x20u
#define A 0x40u
#define D 0x80u
#define RSW 0x300u
#define ALL (V | R | W | X | A | D) /* a leaf that lets S-mode do everything */

#define N (UINT64_C(1) << 63)
#define PBMT(n) ((uint64_t)(n) << 61)
#define FRAME(pa) (((uint64_t)(pa) >> 12) << 10) /* the PPN field of a page-table entry */

#define LOAD_PF 13u
#define STORE_PF 15u
#define FETCH_PF 12u
#define LOAD_AF 5u
#define STORE_AF 7u
#define FETCH_AF 1u

enum {
    SV32 = 1,
    SV39 = 8,
    SV48 = 9,
    SV57 = 10
};

static uint8_t ram[RAM_SIZE];

static const unsigned accesses[3] = {RVM_READ, RVM_WRITE, RVM_FETCH};
static const unsigned page_fault_of[3] = {LOAD_PF, STORE_PF, FETCH_PF};
static const unsigned access_fault_of[3] = {LOAD_AF, STORE_AF, FETCH_AF};

/* ---- helpers ----------------------------------------------------------------------------- */

static unsigned levels_of(unsigned mode)
{
    return mode == SV32 ? 2 : mode == SV39 ? 3 : mode == SV48 ? 4 : 5;
}

/* S-mode, hardware A/D, no extension, zeroed RAM, the root table being that of the top level. */
static rvm_machine_t machine_at(unsigned mode, uint64_t base)
{
    rvm_machine_t m;
    uint64_t root = base + (levels_of(mode) - 1) * UINT64_C(0x1000);

    memset(ram, 0, sizeof ram);
    memset(&m, 0, sizeof m);
    m.ram = ram;
    m.base = base;
    m.size = RAM_SIZE;
    m.rv32 = mode == SV32;
    m.satp = ((uint64_t)mode << (m.rv32 ? 31 : 60)) | (root >> 12);
    m.priv = 1;
    m.hardware_ad = true;
    m.paddr_bits = m.rv32 ? 34 : 56;
    return m;
}

static rvm_machine_t machine(unsigned mode)
{
    return machine_at(mode, RAM_BASE);
}

static uint64_t peek(const rvm_machine_t *m, uint64_t pa, unsigned n)
{
    uint64_t value = 0;

    assert_true(pa >= m->base && pa - m->base + n <= RAM_SIZE);
    for (unsigned k = 0; k < n; k++) value |= (uint64_t)ram[(size_t)(pa - m->base) + k] << (8 * k);
    return value;
}

static void poke(const rvm_machine_t *m, uint64_t pa, unsigned n, uint64_t value)
{
    assert_true(pa >= m->base && pa - m->base + n <= RAM_SIZE);
    if (pa < m->base || pa - m->base + n > RAM_SIZE)
        return; /* for gcc, which does not know that a failed assertion never comes back */
    for (unsigned k = 0; k < n; k++) ram[(size_t)(pa - m->base) + k] = (uint8_t)(value >> (8 * k) & 0xff);
}

/* Where the entry of `level` for va stands in the tables at their fixed places. */
static uint64_t pte_at(const rvm_machine_t *m, unsigned level, uint64_t va)
{
    uint64_t table = m->base + level * UINT64_C(0x1000);

    if (m->rv32) return table + ((va >> (12 + 10 * level)) & 0x3ff) * 4;
    return table + ((va >> (12 + 9 * level)) & 0x1ff) * 8;
}

static void set_pte(const rvm_machine_t *m, unsigned level, uint64_t va, uint64_t pte)
{
    poke(m, pte_at(m, level, va), m->rv32 ? 4 : 8, pte);
}

static uint64_t get_pte(const rvm_machine_t *m, unsigned level, uint64_t va)
{
    return peek(m, pte_at(m, level, va), m->rv32 ? 4 : 8);
}

/* Pointers from the root down to the table of `level`, and `leaf` in it. */
static void map(const rvm_machine_t *m, unsigned mode, unsigned level, uint64_t va, uint64_t leaf)
{
    for (unsigned i = levels_of(mode) - 1; i > level; i--)
        set_pte(m, i, va, FRAME(m->base + (i - 1) * UINT64_C(0x1000)) | V);
    set_pte(m, level, va, leaf);
}

static void check(rvm_result_t got, uint64_t va, unsigned access, rvm_result_t want)
{
    if (got.ok != want.ok || got.cause != want.cause || got.tval != want.tval || got.pa != want.pa)
        fail_msg("va %" PRIx64 " access %u: got ok %d cause %u tval %" PRIx64 " pa %" PRIx64
                 ", want ok %d cause %u tval %" PRIx64 " pa %" PRIx64,
                 va, access, got.ok, got.cause, got.tval, got.pa, want.ok, want.cause, want.tval, want.pa);
}

static rvm_result_t outcome(bool ok, unsigned cause, uint64_t tval, uint64_t pa)
{
    rvm_result_t r;

    memset(&r, 0, sizeof r);
    r.ok = ok;
    r.cause = cause;
    r.tval = tval;
    r.pa = pa;
    return r;
}

static void expect_pa(rvm_machine_t *m, uint64_t va, unsigned access, uint64_t pa)
{
    check(rvm_translate(m, va, access), va, access, outcome(true, 0, 0, pa));
}

static void expect_fault(rvm_machine_t *m, uint64_t va, unsigned access, unsigned cause)
{
    check(rvm_translate(m, va, access), va, access, outcome(false, cause, va, 0));
}

static void expect_all_pa(rvm_machine_t *m, uint64_t va, uint64_t pa)
{
    for (unsigned k = 0; k < 3; k++) expect_pa(m, va, accesses[k], pa);
}

/* The fault of each access type, and no byte of RAM changed by any. */
static void expect_all_fault(rvm_machine_t *m, uint64_t va, const unsigned cause_of[3])
{
    static uint8_t before[RAM_SIZE];

    memcpy(before, ram, sizeof ram);
    for (unsigned k = 0; k < 3; k++) expect_fault(m, va, accesses[k], cause_of[k]);
    assert_memory_equal(before, ram, sizeof ram);
}

static void expect_access_fault_at(rvm_machine_t *m, uint64_t va, unsigned access, unsigned size, unsigned cause,
                                   uint64_t tval)
{
    uint64_t value = UINT64_C(0x5a5a5a5a5a5a5a5a);

    check(rvm_access(m, va, access, size, &value), va, access, outcome(false, cause, tval, 0));
    assert_true(value == UINT64_C(0x5a5a5a5a5a5a5a5a));
}

/* ---- geometry ---------------------------------------------------------------------------- */

static void test_an_sv39_walk_reads_the_entries_a_person_computes(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    /* va 0xc0805abc = vpn[2] 3, vpn[1] 4, vpn[0] 5, offset 0xabc */
    m.satp = UINT64_C(0x8000000000080007); /* root table at 0x80007000 */
    poke(&m, 0x80007018, 8, 0x20002001);   /* -> 0x80008000 */
    poke(&m, 0x80008020, 8, 0x20002401);   /* -> 0x80009000 */
    poke(&m, 0x80009028, 8, 0x200040cf);   /* leaf 0x80010000, D A X W R V */
    expect_all_pa(&m, 0xc0805abc, 0x80010abc);
}

static void test_an_sv48_walk_reads_the_entries_a_person_computes(void **state)
{
    rvm_machine_t m = machine(SV48);

    (void)state;
    /* va 0x0100c0805abc = vpn[3] 2, vpn[2] 3, vpn[1] 4, vpn[0] 5 */
    m.satp = UINT64_C(0x9000000000080007);
    poke(&m, 0x80007010, 8, 0x20002001);
    poke(&m, 0x80008018, 8, 0x20002401);
    poke(&m, 0x80009020, 8, 0x20002801);
    poke(&m, 0x8000a028, 8, 0x200040cf);
    expect_all_pa(&m, UINT64_C(0x0100c0805abc), 0x80010abc);
}

static void test_an_sv57_walk_reads_the_entries_a_person_computes(void **state)
{
    rvm_machine_t m = machine(SV57);

    (void)state;
    /* va 0xff0100c0805abc = vpn[4] 0xff, vpn[3] 2, vpn[2] 3, vpn[1] 4, vpn[0] 5 */
    m.satp = UINT64_C(0xa000000000080007);
    poke(&m, 0x800077f8, 8, 0x20002001);
    poke(&m, 0x80008010, 8, 0x20002401);
    poke(&m, 0x80009018, 8, 0x20002801);
    poke(&m, 0x8000a020, 8, 0x20002c01);
    poke(&m, 0x8000b028, 8, 0x200040cf);
    expect_all_pa(&m, UINT64_C(0xff0100c0805abc), 0x80010abc);
}

static void test_an_sv32_walk_reads_the_entries_a_person_computes(void **state)
{
    rvm_machine_t m = machine(SV32);

    (void)state;
    /* va 0x00c05abc = vpn[1] 3, vpn[0] 5, offset 0xabc */
    m.satp = 0x80080007;                 /* root table at 0x80007000 */
    poke(&m, 0x8000700c, 4, 0x20002001); /* -> 0x80008000 */
    poke(&m, 0x80008014, 4, 0x200040cf); /* leaf 0x80010000 */
    expect_all_pa(&m, 0x00c05abc, 0x80010abc);
}

static void test_the_asid_in_satp_does_not_change_the_translation(void **state)
{
    rvm_machine_t m64 = machine(SV39), m32;

    (void)state;
    m64.satp |= UINT64_C(0xffff) << 44;
    map(&m64, SV39, 0, 0x5000, FRAME(DATA) | ALL);
    expect_all_pa(&m64, 0x5123, DATA + 0x123);

    m32 = machine(SV32);
    m32.satp |= UINT64_C(0x1ff) << 22;
    map(&m32, SV32, 0, 0x5000, FRAME(DATA) | ALL);
    expect_all_pa(&m32, 0x5123, DATA + 0x123);
}

static void test_a_leaf_may_stand_at_any_level(void **state)
{
    /* The frame is the aligned one that holds RAM_BASE, so the page reaches RAM at
     * RAM_BASE + 0x10123 through va bits below the page size. */
    static const struct {
        unsigned mode, level;
        uint64_t va, frame, pa;
    } cases[] = {
        {SV32, 0, 0x12345123, 0x80010000, 0x80010123},
        {SV32, 1, 0x12410123, 0x80000000, 0x80010123},
        {SV39, 0, 0x12345123, 0x80010000, 0x80010123},
        {SV39, 1, 0x12410123, 0x80000000, 0x80010123},
        {SV39, 2, UINT64_C(0x2040010123), 0x80000000, 0x80010123},
        {SV48, 0, UINT64_C(0x7fffffffe123), 0x80010000, 0x80010123},
        {SV48, 1, UINT64_C(0x7fffffe10123), 0x80000000, 0x80010123},
        {SV48, 2, UINT64_C(0x7fffc0010123), 0x80000000, 0x80010123},
        {SV48, 3, UINT64_C(0x7f8080010123), 0, 0x80010123},
        {SV57, 0, UINT64_C(0xff12345678a123), 0x80010000, 0x80010123},
        {SV57, 1, UINT64_C(0xff123456610123), 0x80000000, 0x80010123},
        {SV57, 2, UINT64_C(0xff123440010123), 0x80000000, 0x80010123},
        {SV57, 3, UINT64_C(0xff128080010123), 0, 0x80010123},
        {SV57, 4, UINT64_C(0xff000080010123), 0, 0x80010123},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        rvm_machine_t m = machine(cases[k].mode);

        map(&m, cases[k].mode, cases[k].level, cases[k].va, FRAME(cases[k].frame) | ALL);
        expect_all_pa(&m, cases[k].va, cases[k].pa);
    }
}

static void test_sv32_reaches_34_bits_of_physical_address(void **state)
{
    rvm_machine_t m = machine_at(SV32, UINT64_C(0x3fff00000));

    (void)state;
    map(&m, SV32, 0, 0xfffff000, FRAME(UINT64_C(0x3fff10000)) | ALL);
    expect_all_pa(&m, 0xffffffff, UINT64_C(0x3fff10fff));
    map(&m, SV32, 1, 0xff310000, FRAME(UINT64_C(0x3ffc00000)) | ALL);
    expect_all_pa(&m, 0xff310456, UINT64_C(0x3fff10456));
}

static void test_sv39_reaches_56_bits_of_physical_address(void **state)
{
    rvm_machine_t m = machine_at(SV39, UINT64_C(0xfffffffff00000));

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(UINT64_C(0xfffffffff1f000)) | ALL);
    expect_all_pa(&m, 0x5fff, UINT64_C(0xfffffffff1ffff));
}

/* ---- step 0: canonical addresses; when satp counts --------------------------------------- */

static void test_a_va_that_is_not_sign_extended_is_a_page_fault(void **state)
{
    static const struct {
        unsigned mode;
        uint64_t va;
        bool canonical;
    } cases[] = {
        {SV39, UINT64_C(0x0000003fffffffff), true},  {SV39, UINT64_C(0x0000004000000000), false},
        {SV39, UINT64_C(0xffffffc000000000), true},  {SV39, UINT64_C(0xffffffbfffffffff), false},
        {SV39, UINT64_C(0x8000000000000000), false}, {SV39, UINT64_C(0x7fffffc000000000), false},
        {SV39, UINT64_C(0x0000008000000000), false}, {SV39, UINT64_C(0xffffff8000000000), false},
        {SV48, UINT64_C(0x00007fffffffffff), true},  {SV48, UINT64_C(0x0000800000000000), false},
        {SV48, UINT64_C(0xffff800000000000), true},  {SV48, UINT64_C(0xffff7fffffffffff), false},
        {SV48, UINT64_C(0x0001000000000000), false}, {SV48, UINT64_C(0x7fff800000000000), false},
        {SV57, UINT64_C(0x00ffffffffffffff), true},  {SV57, UINT64_C(0x0100000000000000), false},
        {SV57, UINT64_C(0xff00000000000000), true},  {SV57, UINT64_C(0xfeffffffffffffff), false},
        {SV57, UINT64_C(0x8000000000000000), false}, {SV57, UINT64_C(0x7f00000000000000), false},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        rvm_machine_t m = machine(cases[k].mode);

        map(&m, cases[k].mode, 0, cases[k].va, FRAME(DATA) | ALL);
        if (cases[k].canonical) expect_all_pa(&m, cases[k].va, DATA + (cases[k].va & 0xfff));
        else expect_all_fault(&m, cases[k].va, page_fault_of);
    }
}

static void test_a_non_canonical_va_is_a_page_fault_even_when_the_root_table_is_missing(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.satp = UINT64_C(0x8000000000000000);
    expect_all_fault(&m, UINT64_C(0x0000004000000000), page_fault_of);
}

static void test_machine_mode_ignores_satp(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.priv = 3;
    expect_all_pa(&m, RAM_BASE + 0x777, RAM_BASE + 0x777);
    expect_all_fault(&m, UINT64_C(0x0000004000000000), access_fault_of);
}

static void test_bare_is_the_identity_and_its_high_bits_reach_no_memory(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.satp = 0;
    for (m.priv = 0; m.priv <= 1; m.priv++) {
        expect_all_pa(&m, RAM_BASE, RAM_BASE);
        expect_all_pa(&m, RAM_BASE + RAM_SIZE - 1, RAM_BASE + RAM_SIZE - 1);
        expect_all_fault(&m, RAM_BASE - 1, access_fault_of);
        expect_all_fault(&m, RAM_BASE + RAM_SIZE, access_fault_of);
        expect_all_fault(&m, RAM_BASE | UINT64_C(1) << 56, access_fault_of);
        expect_all_fault(&m, RAM_BASE | UINT64_C(1) << 63, access_fault_of);
        expect_all_fault(&m, UINT64_MAX, access_fault_of);
    }
}

static void test_bare_on_rv32_has_32_bit_addresses(void **state)
{
    rvm_machine_t m = machine(SV32);

    (void)state;
    m.satp = 0;
    expect_all_pa(&m, RAM_BASE + 4, RAM_BASE + 4);
    check(rvm_translate(&m, UINT64_C(0xabcd00000000) | RAM_BASE, RVM_READ), RAM_BASE, RVM_READ,
          outcome(true, 0, 0, RAM_BASE));
}

static void test_mprv_moves_loads_and_stores_to_mpp_and_leaves_fetches(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL | U);
    m.priv = 3;
    m.mprv = true;

    m.mpp = 0;
    expect_pa(&m, 0x5008, RVM_READ, DATA + 8);
    expect_pa(&m, 0x5008, RVM_WRITE, DATA + 8);
    expect_fault(&m, 0x5008, RVM_FETCH, FETCH_AF); /* still M: physical 0x5008, where nothing is */
    expect_pa(&m, RAM_BASE, RVM_FETCH, RAM_BASE);
    expect_fault(&m, RAM_BASE, RVM_READ, LOAD_PF);

    m.mpp = 1;
    expect_fault(&m, 0x5008, RVM_READ, LOAD_PF);
    m.sum = true;
    expect_pa(&m, 0x5008, RVM_READ, DATA + 8);

    m.mpp = 3;
    expect_fault(&m, 0x5008, RVM_READ, LOAD_AF);
    expect_pa(&m, RAM_BASE, RVM_WRITE, RAM_BASE);

    m.mprv = false;
    m.mpp = 0;
    expect_fault(&m, 0x5008, RVM_READ, LOAD_AF);
}

static void test_mprv_gives_mxr_its_effect(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | V | X | A | D);
    m.priv = 3;
    m.mprv = true;
    m.mpp = 1;
    expect_fault(&m, 0x5000, RVM_READ, LOAD_PF);
    m.mxr = true;
    expect_pa(&m, 0x5000, RVM_READ, DATA);
}

/* ---- steps 3 and 4: the entry ------------------------------------------------------------ */

static void test_an_invalid_entry_is_a_page_fault_whatever_its_other_bits(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    for (unsigned level = 0; level < 3; level++) {
        map(&m, SV39, level, 0x5000, 0);
        expect_all_fault(&m, 0x5000, page_fault_of);
        map(&m, SV39, level, 0x5000, UINT64_MAX - 1);
        expect_all_fault(&m, 0x5000, page_fault_of);
        map(&m, SV39, level, 0x5000, FRAME(DATA) | (ALL & ~V));
        expect_all_fault(&m, 0x5000, page_fault_of);
    }
}

static void test_the_xwr_encodings_give_the_rights_of_the_manual(void **state)
{
    /* per access: read, write, fetch; without and with MXR */
    static const struct {
        unsigned xwr;
        const char *plain, *mxr;
    } cases[] = {
        {R, "r--", "r--"},         {R | W, "rw-", "rw-"}, {X, "--x", "r-x"},     {R | X, "r-x", "r-x"},
        {R | W | X, "rwx", "rwx"}, {W, "---", "---"},     {W | X, "---", "---"}, {0, "---", "---"},
    };
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
            for (unsigned which = 0; which < 4; which++) {
                rvm_machine_t m = machine(modes[n]);
                const char *rights = which & 1 ? cases[k].mxr : cases[k].plain;
                bool user = (which & 2) != 0;

                m.mxr = (which & 1) != 0;
                m.priv = user ? 0 : 1;
                map(&m, modes[n], 0, 0x5000, FRAME(DATA) | V | A | D | (user ? U : 0u) | cases[k].xwr);
                for (unsigned j = 0; j < 3; j++)
                    if (rights[j] != '-') expect_pa(&m, 0x5010, accesses[j], DATA + 0x10);
                    else expect_fault(&m, 0x5010, accesses[j], page_fault_of[j]);
            }
}

static void test_w_without_r_is_reserved_above_level_0_too(void **state)
{
    static const unsigned xwr[] = {W, W | X};
    rvm_machine_t m = machine(SV39);

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (unsigned level = 1; level < 3; level++) {
            map(&m, SV39, level, 0x5000, FRAME(RAM_BASE) | V | xwr[k]);
            expect_all_fault(&m, 0x5000, page_fault_of);
        }
}

static void test_each_of_bits_60_to_54_is_reserved_in_leaf_and_pointer(void **state)
{
    static const unsigned modes[] = {SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 3; n++)
        for (unsigned bit = 54; bit <= 60; bit++)
            for (unsigned level = 0; level < levels_of(modes[n]); level++) {
                rvm_machine_t m = machine(modes[n]);

                m.svnapot = m.svpbmt = m.pbmte = true;
                map(&m, modes[n], 0, 0x5000, FRAME(DATA) | ALL);
                expect_pa(&m, 0x5000, RVM_READ, DATA);
                set_pte(&m, level, 0x5000, get_pte(&m, level, 0x5000) | UINT64_C(1) << bit);
                expect_all_fault(&m, 0x5000, page_fault_of);
            }
}

static void test_bit_53_is_the_top_of_the_ppn_and_not_reserved(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL | UINT64_C(1) << 53);
    expect_all_fault(&m, 0x5000, access_fault_of);
}

static void test_a_pointer_with_d_a_u_n_or_pbmt_is_reserved(void **state)
{
    static const uint64_t bits[] = {D, A, U, D | A, N, PBMT(1), PBMT(2), PBMT(3)};
    static const unsigned modes[] = {SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 3; n++)
        for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++)
            for (unsigned level = 1; level < levels_of(modes[n]); level++) {
                rvm_machine_t m = machine(modes[n]);

                m.svnapot = m.svpbmt = m.pbmte = m.sum = true;
                map(&m, modes[n], 0, 0x5000, FRAME(DATA) | ALL);
                set_pte(&m, level, 0x5000, get_pte(&m, level, 0x5000) | bits[k]);
                expect_all_fault(&m, 0x5000, page_fault_of);
                set_pte(&m, level, 0x5000, get_pte(&m, level, 0x5000) | G | RSW);
                expect_all_fault(&m, 0x5000, page_fault_of);
            }
}

static void test_an_sv32_pointer_with_d_a_or_u_is_reserved(void **state)
{
    static const unsigned bits[] = {D, A, U, D | A};

    (void)state;
    for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++) {
        rvm_machine_t m = machine(SV32);

        m.sum = true;
        map(&m, SV32, 0, 0x5000, FRAME(DATA) | ALL);
        set_pte(&m, 1, 0x5000, get_pte(&m, 1, 0x5000) | bits[k]);
        expect_all_fault(&m, 0x5000, page_fault_of);
        set_pte(&m, 1, 0x5000, get_pte(&m, 1, 0x5000) | G | RSW);
        expect_all_fault(&m, 0x5000, page_fault_of);
    }
}

static void test_g_and_rsw_are_free_in_leaf_and_pointer(void **state)
{
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (unsigned level = 0; level < levels_of(modes[n]); level++) {
            rvm_machine_t m = machine(modes[n]);

            map(&m, modes[n], 0, 0x5000, FRAME(DATA) | ALL);
            set_pte(&m, level, 0x5000, get_pte(&m, level, 0x5000) | G | RSW);
            expect_all_pa(&m, 0x5000, DATA);
        }
}

static void test_a_pointer_at_level_0_is_a_page_fault(void **state)
{
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++) {
        rvm_machine_t m = machine(modes[n]);

        map(&m, modes[n], 0, 0x5000, FRAME(DATA) | V);
        expect_all_fault(&m, 0x5000, page_fault_of);
        /* not even an attempt to follow it */
        map(&m, modes[n], 0, 0x5000, FRAME(0) | V);
        expect_all_fault(&m, 0x5000, page_fault_of);
    }
}

static void test_sv32_has_no_bits_above_its_ppn(void **state)
{
    rvm_machine_t m = machine_at(SV32, UINT64_C(0x3fff00000));

    (void)state;
    /* the top bits of the entry are PPN, whatever extensions RV64 would read into them */
    m.svnapot = m.svpbmt = m.pbmte = true;
    map(&m, SV32, 0, 0x5000, FRAME(UINT64_C(0x3fff11000)) | ALL);
    expect_all_pa(&m, 0x5000, UINT64_C(0x3fff11000));
}

/* ---- Svnapot ----------------------------------------------------------------------------- */

static void test_n_without_svnapot_is_a_page_fault(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA | 0x8000) | ALL | N);
    expect_all_fault(&m, 0x5000, page_fault_of);
    m.svnapot = true;
    expect_all_pa(&m, 0x5000, DATA + 0x5000);
}

static void test_a_napot_page_takes_the_low_four_page_bits_from_the_va(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.svnapot = true;
    for (uint64_t va = 0x50000; va < 0x60000; va += 0x1000) {
        map(&m, SV39, 0, va, FRAME(DATA | 0x8000) | ALL | N);
        expect_all_pa(&m, va + 0x321, DATA + (va & 0xf000) + 0x321);
    }
}

static void test_every_napot_size_but_64_kib_is_reserved_and_leaves_a_clear(void **state)
{
    (void)state;
    for (uint64_t low = 0; low < 16; low++) {
        rvm_machine_t m = machine(SV39);

        m.svnapot = true;
        map(&m, SV39, 0, 0x5000, FRAME(DATA | low << 12) | V | R | W | X | N);
        if (low == 8) expect_all_pa(&m, 0x5000, DATA + 0x5000);
        else expect_all_fault(&m, 0x5000, page_fault_of);
    }
}

static void test_n_in_a_superpage_is_reserved(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.svnapot = true;
    for (unsigned level = 1; level < 3; level++) {
        map(&m, SV39, level, 0x10000, FRAME(RAM_BASE) | ALL);
        expect_all_pa(&m, 0x10000, DATA);
        map(&m, SV39, level, 0x10000, FRAME(RAM_BASE) | V | R | W | X | N);
        expect_all_fault(&m, 0x10000, page_fault_of);
        map(&m, SV39, level, 0x10000, FRAME(RAM_BASE | 0x8000) | V | R | W | X | N);
        expect_all_fault(&m, 0x10000, page_fault_of);
    }
}

static void test_a_and_d_of_a_napot_page_go_into_the_entry_of_the_va_only(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.svnapot = true;
    map(&m, SV39, 0, 0x5000, FRAME(DATA | 0x8000) | V | R | W | N);
    map(&m, SV39, 0, 0x6000, FRAME(DATA | 0x8000) | V | R | W | N);
    expect_pa(&m, 0x5000, RVM_WRITE, DATA + 0x5000);
    assert_true(get_pte(&m, 0, 0x5000) == (FRAME(DATA | 0x8000) | V | R | W | A | D | N));
    assert_true(get_pte(&m, 0, 0x6000) == (FRAME(DATA | 0x8000) | V | R | W | N));
}

/* ---- Svpbmt ------------------------------------------------------------------------------ */

static void test_pbmt_needs_svpbmt_and_pbmte(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 4; type++)
        for (unsigned level = 0; level < 3; level++)
            for (unsigned k = 0; k < 4; k++) {
                rvm_machine_t m = machine(SV39);

                m.svpbmt = (k & 1) != 0;
                m.pbmte = (k & 2) != 0;
                map(&m, SV39, level, 0x10000, FRAME(level ? RAM_BASE : DATA) | V | R | W | X | PBMT(type));
                if (type == 0 || (type < 3 && k == 3)) expect_all_pa(&m, 0x10000, DATA);
                else expect_all_fault(&m, 0x10000, page_fault_of);
            }
}

static void test_pbmt_and_n_go_together(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.svnapot = m.svpbmt = m.pbmte = true;
    map(&m, SV39, 0, 0x5000, FRAME(DATA | 0x8000) | ALL | N | PBMT(1));
    expect_all_pa(&m, 0x5000, DATA + 0x5000);
    map(&m, SV39, 0, 0x5000, FRAME(DATA | 0x8000) | V | R | W | X | N | PBMT(3));
    expect_all_fault(&m, 0x5000, page_fault_of);
}

/* ---- step 2: reading the entry ----------------------------------------------------------- */

static void test_an_entry_outside_ram_is_an_access_fault_at_every_level(void **state)
{
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (unsigned level = 1; level < levels_of(modes[n]); level++) {
            rvm_machine_t m = machine(modes[n]);

            map(&m, modes[n], level, 0x5000, FRAME(RAM_BASE + RAM_SIZE) | V);
            expect_all_fault(&m, 0x5000, access_fault_of);
            map(&m, modes[n], level, 0x5000, FRAME(RAM_BASE - 0x1000) | V);
            expect_all_fault(&m, 0x5000, access_fault_of);
        }
}

static void test_a_root_table_outside_ram_is_an_access_fault(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.satp = UINT64_C(0x8000000000000000) | (RAM_BASE + RAM_SIZE) >> 12;
    expect_all_fault(&m, 0x5000, access_fault_of);
}

static void test_an_entry_partly_outside_ram_is_an_access_fault(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    /* the root table is the last page of RAM, which ends in the middle of its entry 511 */
    m.satp = UINT64_C(0x800000000008001f);
    poke(&m, 0x8001fff0, 8, FRAME(RAM_BASE) | ALL);
    poke(&m, 0x8001fff8, 8, FRAME(RAM_BASE) | ALL);
    m.size = RAM_SIZE - 4;
    expect_all_pa(&m, UINT64_C(0xffffffff80000123), RAM_BASE + 0x123);
    expect_all_fault(&m, UINT64_C(0xffffffffc0000123), access_fault_of);

    /* RAM begins in the middle of its entry 510 */
    m.size = 12;
    m.base = UINT64_C(0x8001fff4);
    m.ram = ram + 0x1fff4;
    expect_fault(&m, UINT64_C(0xffffffff80000123), RVM_READ, LOAD_AF);
    poke(&m, 0x8001fff8, 8, FRAME(0x80000000) | ALL);
    expect_pa(&m, UINT64_C(0xffffffffc001fff8), RVM_READ, 0x8001fff8);
}

static void test_ppn_bits_beyond_the_physical_width_fault_and_are_never_masked(void **state)
{
    (void)state;
    for (unsigned bit = 32; bit < 56; bit++) {
        rvm_machine_t m = machine(SV39);

        m.paddr_bits = 32;
        map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL);
        expect_all_pa(&m, 0x5000, DATA);
        for (unsigned level = 0; level < 3; level++) {
            uint64_t pte = get_pte(&m, level, 0x5000);

            set_pte(&m, level, 0x5000, pte | UINT64_C(1) << (bit - 2));
            expect_all_fault(&m, 0x5000, access_fault_of);
            set_pte(&m, level, 0x5000, pte);
        }
        m.satp |= UINT64_C(1) << (bit - 12);
        expect_all_fault(&m, 0x5000, access_fault_of);
    }
}

static void test_sv32_ppn_bits_beyond_the_physical_width_fault_and_are_never_masked(void **state)
{
    (void)state;
    for (unsigned bit = 32; bit < 34; bit++) {
        rvm_machine_t m = machine(SV32);

        m.paddr_bits = 32;
        map(&m, SV32, 0, 0x5000, FRAME(DATA) | ALL);
        expect_all_pa(&m, 0x5000, DATA);
        for (unsigned level = 0; level < 2; level++) {
            uint64_t pte = get_pte(&m, level, 0x5000);

            set_pte(&m, level, 0x5000, pte | UINT64_C(1) << (bit - 2));
            expect_all_fault(&m, 0x5000, access_fault_of);
            set_pte(&m, level, 0x5000, pte);
        }
        m.satp |= UINT64_C(1) << (bit - 12);
        expect_all_fault(&m, 0x5000, access_fault_of);
    }
}

static void test_ram_above_the_physical_width_does_not_exist(void **state)
{
    rvm_machine_t m = machine_at(SV39, UINT64_C(1) << 40);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(m.base + 0x10000) | ALL);
    m.paddr_bits = 41;
    expect_all_pa(&m, 0x5000, m.base + 0x10000);
    m.paddr_bits = 40;
    expect_all_fault(&m, 0x5000, access_fault_of);
    m.priv = 3;
    expect_all_fault(&m, m.base, access_fault_of);

    m = machine_at(SV39, UINT64_C(0) - RAM_SIZE); /* the last RAM_SIZE bytes of 64 bits */
    m.priv = 3;
    m.paddr_bits = 64;
    expect_all_pa(&m, UINT64_MAX, UINT64_MAX);
    m.paddr_bits = 63;
    expect_all_fault(&m, UINT64_MAX, access_fault_of);
}

/* ---- steps 5, 6, 8 ----------------------------------------------------------------------- */

static void test_each_low_ppn_bit_of_a_superpage_makes_it_misaligned(void **state)
{
    static const struct {
        unsigned mode, vpn_bits;
    } cases[] = {{SV32, 10}, {SV39, 9}, {SV48, 9}, {SV57, 9}};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (unsigned level = 1; level < levels_of(cases[n].mode); level++)
            for (unsigned bit = 0; bit < level * cases[n].vpn_bits; bit++) {
                rvm_machine_t m = machine(cases[n].mode);

                map(&m, cases[n].mode, level, 0x5000, V | R | W | X | UINT64_C(1) << (10 + bit));
                expect_all_fault(&m, 0x5000, page_fault_of);
            }
}

static void test_the_lowest_aligned_ppn_bit_of_a_superpage_is_no_misalignment(void **state)
{
    static const struct {
        unsigned mode, vpn_bits;
    } cases[] = {{SV32, 10}, {SV39, 9}, {SV48, 9}, {SV57, 9}};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (unsigned level = 1; level < levels_of(cases[n].mode); level++) {
            rvm_machine_t m = machine(cases[n].mode);

            /* well aligned, but outside RAM */
            map(&m, cases[n].mode, level, 0x5000, ALL | UINT64_C(1) << (10 + level * cases[n].vpn_bits));
            expect_all_fault(&m, 0x5000, access_fault_of);
        }
}

static void test_the_u_bit_with_sum_gives_the_rights_of_the_manual(void **state)
{
    static const struct {
        unsigned priv, sum, u;
        const char *rights; /* read, write, fetch */
    } cases[] = {
        {0, 0, 0, "---"}, {0, 0, U, "rwx"}, {0, 1, 0, "---"}, {0, 1, U, "rwx"},
        {1, 0, 0, "rwx"}, {1, 0, U, "---"}, {1, 1, 0, "rwx"}, {1, 1, U, "rw-"},
    };
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (size_t k = 0; k < 2 * (sizeof cases / sizeof cases[0]); k++) {
            rvm_machine_t m = machine(modes[n]);
            size_t c = k / 2;

            m.priv = cases[c].priv;
            m.sum = cases[c].sum != 0;
            m.mxr = true; /* must not stand in for a missing U or SUM */
            map(&m, modes[n], 0, 0x5000, FRAME(DATA) | ALL | cases[c].u | (k % 2 ? G : 0u));
            for (unsigned j = 0; j < 3; j++)
                if (cases[c].rights[j] != '-') expect_pa(&m, 0x5000, accesses[j], DATA);
                else expect_fault(&m, 0x5000, accesses[j], page_fault_of[j]);
        }
}

static void test_a_page_without_rights_and_without_memory_is_a_page_fault(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(RAM_BASE + RAM_SIZE) | ALL | U);
    expect_all_fault(&m, 0x5000, page_fault_of);
}

/* ---- step 9: A and D --------------------------------------------------------------------- */

static void test_hardware_sets_a_on_every_access_and_d_on_a_write_only(void **state)
{
    static const unsigned before[] = {0, A, D, A | D};
    static const unsigned after[4][3] = {
        /* read, write, fetch */
        {A, A | D, A},
        {A, A | D, A},
        {A | D, A | D, A | D},
        {A | D, A | D, A | D},
    };
    static const unsigned modes[] = {SV32, SV39, SV48, SV57};

    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (unsigned level = 0; level < 2; level++)
            for (size_t k = 0; k < 4; k++)
                for (unsigned j = 0; j < 3; j++) {
                    rvm_machine_t m = machine(modes[n]);
                    uint64_t frame = level ? RAM_BASE : DATA;
                    uint64_t rest = FRAME(frame) | V | R | W | X | G | RSW;

                    map(&m, modes[n], level, 0x10000, rest | before[k]);
                    expect_pa(&m, 0x10000, accesses[j], DATA);
                    assert_true(get_pte(&m, level, 0x10000) == (rest | after[k][j]));
                }
}

static void test_hardware_a_and_d_leave_every_other_byte_of_ram_alone(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint8_t before[64];
    uint64_t pte = FRAME(DATA) | V | R | W;

    (void)state;
    memset(ram, 0x3a, sizeof ram);
    map(&m, SV39, 0, 0x5000, pte);
    memcpy(before, ram + 8, sizeof before);
    expect_pa(&m, 0x5000, RVM_WRITE, DATA);
    assert_true(get_pte(&m, 0, 0x5000) == (pte | A | D));
    set_pte(&m, 0, 0x5000, pte);
    assert_memory_equal(before, ram + 8, sizeof before);
    assert_true(get_pte(&m, 1, 0x5000) == (FRAME(RAM_BASE) | V));
    assert_true(get_pte(&m, 2, 0x5000) == (FRAME(RAM_BASE + 0x1000) | V));
}

static void test_svade_faults_where_hardware_would_set_a_or_d(void **state)
{
    static const struct {
        unsigned ad;
        const char *allowed; /* read, write, fetch */
    } cases[] = {{0, "---"}, {A, "r-x"}, {D, "---"}, {A | D, "rwx"}};

    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (unsigned j = 0; j < 3; j++) {
            rvm_machine_t m = machine(SV39);
            uint64_t pte = FRAME(DATA) | V | R | W | X | cases[k].ad;

            m.hardware_ad = false;
            map(&m, SV39, 0, 0x5000, pte);
            if (cases[k].allowed[j] != '-') expect_pa(&m, 0x5000, accesses[j], DATA);
            else expect_fault(&m, 0x5000, accesses[j], page_fault_of[j]);
            assert_true(get_pte(&m, 0, 0x5000) == pte);
        }
}

static void test_an_access_that_page_faults_sets_neither_a_nor_d(void **state)
{
    static const uint64_t leaves[] = {
        V,                       /* level-0 pointer */
        V | W,                   /* reserved XWR */
        V | U | R | W | X,       /* user page, S-mode, SUM clear */
        V | R | W | X | N,       /* no Svnapot */
        V | R | W | X | PBMT(1), /* no Svpbmt */
        V | R | W | X | UINT64_C(1) << 60,
    };
    rvm_machine_t m = machine(SV39);

    (void)state;
    for (size_t k = 0; k < sizeof leaves / sizeof leaves[0]; k++) {
        map(&m, SV39, 0, 0x5000, FRAME(DATA) | leaves[k]);
        expect_all_fault(&m, 0x5000, page_fault_of);
    }
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | V | X);
    expect_fault(&m, 0x5000, RVM_WRITE, STORE_PF);
    expect_fault(&m, 0x5000, RVM_READ, LOAD_PF);
    assert_true(get_pte(&m, 0, 0x5000) == (FRAME(DATA) | V | X));
}

static void test_svade_comes_before_the_access_fault_of_the_frame(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.hardware_ad = false;
    map(&m, SV39, 0, 0x5000, FRAME(RAM_BASE + RAM_SIZE) | V | R | W | X);
    expect_all_fault(&m, 0x5000, page_fault_of);
}

static void test_a_and_d_stay_set_when_the_frame_is_outside_ram(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t pte = FRAME(RAM_BASE + RAM_SIZE) | V | R | W | X;

    (void)state;
    map(&m, SV39, 0, 0x5000, pte);
    expect_fault(&m, 0x5000, RVM_FETCH, FETCH_AF);
    assert_true(get_pte(&m, 0, 0x5000) == (pte | A));
    expect_fault(&m, 0x5000, RVM_WRITE, STORE_AF);
    assert_true(get_pte(&m, 0, 0x5000) == (pte | A | D));
}

/* ---- rvm_access -------------------------------------------------------------------------- */

static void test_loads_and_stores_are_little_endian_and_of_their_size(void **state)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    static const uint64_t cut[] = {0x88, 0x7788, 0x55667788, UINT64_C(0x1122334455667788)};
    static const uint8_t bytes[] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};

    (void)state;
    for (unsigned k = 0; k < 4; k++)
        for (uint64_t offset = 0; offset < 9; offset++) { /* misaligned too */
            rvm_machine_t m = machine(SV39);
            uint64_t value = UINT64_C(0x1122334455667788), va = 0x5000 + offset, pa = DATA + offset;
            uint8_t want[32];

            map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL);
            memset(ram + 0x10000, 0xee, sizeof want);
            memset(want, 0xee, sizeof want);
            memcpy(want + offset, bytes, sizes[k]);
            check(rvm_access(&m, va, RVM_WRITE, sizes[k], &value), va, RVM_WRITE, outcome(true, 0, 0, pa));
            assert_memory_equal(ram + 0x10000, want, sizeof want);
            for (unsigned j = 0; j < 3; j += 2) { /* read, fetch */
                value = UINT64_MAX;
                check(rvm_access(&m, va, accesses[j], sizes[k], &value), va, accesses[j], outcome(true, 0, 0, pa));
                assert_true(value == cut[k]);
            }
        }
}

static void test_a_crossing_access_joins_two_frames_that_are_far_apart(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t value;

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA + 0x3000) | V | R | W);
    map(&m, SV39, 0, 0x6000, FRAME(DATA) | V | R | W);
    for (unsigned first = 1; first < 8; first++) {
        uint64_t va = 0x6000 - first, pa = DATA + 0x4000 - first;

        memset(ram + 0x10000, 0, 0x4000);
        value = UINT64_C(0x8877665544332211);
        check(rvm_access(&m, va, RVM_WRITE, 8, &value), va, RVM_WRITE, outcome(true, 0, 0, pa));
        for (unsigned k = 0; k < 8; k++)
            assert_int_equal(ram[k < first ? 0x14000 - first + k : 0x10000 + k - first], 0x11 * (k + 1));
        assert_int_equal(ram[0x10000 + 8 - first], 0);
        assert_int_equal(ram[0x14000 - first - 1], 0);
        value = 0;
        check(rvm_access(&m, va, RVM_READ, 8, &value), va, RVM_READ, outcome(true, 0, 0, pa));
        assert_true(value == UINT64_C(0x8877665544332211));
    }
    assert_true((get_pte(&m, 0, 0x5000) & (A | D)) == (A | D));
    assert_true((get_pte(&m, 0, 0x6000) & (A | D)) == (A | D));
}

static void test_an_access_that_ends_at_the_page_end_needs_one_page(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t value = 0;

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL);
    check(rvm_access(&m, 0x5ff8, RVM_READ, 8, &value), 0x5ff8, RVM_READ, outcome(true, 0, 0, DATA + 0xff8));
    expect_access_fault_at(&m, 0x5ff9, RVM_READ, 8, LOAD_PF, 0x6000);
}

static void test_the_tval_of_a_crossing_access_is_the_start_of_the_portion_that_faulted(void **state)
{
    (void)state;
    for (unsigned j = 0; j < 3; j++) {
        rvm_machine_t m = machine(SV39);

        /* second page invalid, then without memory */
        map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL);
        expect_access_fault_at(&m, 0x5ffd, accesses[j], 4, page_fault_of[j], 0x6000);
        map(&m, SV39, 0, 0x6000, FRAME(RAM_BASE + RAM_SIZE) | ALL);
        expect_access_fault_at(&m, 0x5ffd, accesses[j], 4, access_fault_of[j], 0x6000);
        /* first page invalid, second good */
        map(&m, SV39, 0, 0x6000, FRAME(DATA) | ALL);
        map(&m, SV39, 0, 0x5000, 0);
        expect_access_fault_at(&m, 0x5ffd, accesses[j], 4, page_fault_of[j], 0x5ffd);
        /* both bad: the first is reported */
        map(&m, SV39, 0, 0x5000, FRAME(RAM_BASE + RAM_SIZE) | ALL);
        map(&m, SV39, 0, 0x6000, 0);
        expect_access_fault_at(&m, 0x5ffd, accesses[j], 4, access_fault_of[j], 0x5ffd);
    }
}

static void test_a_first_page_that_faults_leaves_a_and_d_of_the_second_clear(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, 0);
    map(&m, SV39, 0, 0x6000, FRAME(DATA) | V | R | W);
    expect_access_fault_at(&m, 0x5fff, RVM_WRITE, 2, STORE_PF, 0x5fff);
    assert_true(get_pte(&m, 0, 0x6000) == (FRAME(DATA) | V | R | W));
}

static void test_a_second_page_that_faults_leaves_the_data_alone_and_a_and_d_of_the_first_set(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | V | R | W);
    map(&m, SV39, 0, 0x6000, FRAME(DATA) | V | R | A);
    expect_access_fault_at(&m, 0x5ffc, RVM_WRITE, 8, STORE_PF, 0x6000);
    assert_true(peek(&m, DATA + 0xff8, 8) == 0);
    assert_true(get_pte(&m, 0, 0x5000) == (FRAME(DATA) | V | R | W | A | D));
    assert_true(get_pte(&m, 0, 0x6000) == (FRAME(DATA) | V | R | A));
}

static void test_a_single_byte_of_an_access_outside_ram_is_enough_for_an_access_fault(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t value = 0;

    (void)state;
    m.size = 0x10802; /* RAM ends in the middle of a page */
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL);
    check(rvm_access(&m, 0x57fe, RVM_READ, 4, &value), 0x57fe, RVM_READ, outcome(true, 0, 0, DATA + 0x7fe));
    expect_access_fault_at(&m, 0x57ff, RVM_READ, 4, LOAD_AF, 0x57ff);
    expect_access_fault_at(&m, 0x57ff, RVM_WRITE, 4, STORE_AF, 0x57ff);
    expect_access_fault_at(&m, 0x57ff, RVM_FETCH, 4, FETCH_AF, 0x57ff);
    assert_true(peek(&m, DATA + 0x7fc, 8) == 0);
    expect_pa(&m, 0x5801, RVM_READ, DATA + 0x801);
    expect_fault(&m, 0x5802, RVM_READ, LOAD_AF);
    /* a first portion that reaches outside RAM is reported before the second page */
    expect_access_fault_at(&m, 0x5ffe, RVM_READ, 4, LOAD_AF, 0x5ffe);
}

static void test_an_access_into_the_non_canonical_hole_faults_at_the_edge(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t edge = UINT64_C(0x4000000000), other = UINT64_C(0xffffffc000000000);

    (void)state;
    map(&m, SV39, 0, edge - 1, FRAME(DATA) | ALL);
    map(&m, SV39, 0, other, FRAME(DATA) | ALL);
    expect_access_fault_at(&m, edge - 4, RVM_READ, 8, LOAD_PF, edge);
    expect_access_fault_at(&m, other - 4, RVM_READ, 8, LOAD_PF, other - 4);
}

static void test_an_rv32_access_across_the_top_wraps_to_0(void **state)
{
    rvm_machine_t m = machine(SV32);
    uint64_t value = 0x44332211;

    (void)state;
    map(&m, SV32, 0, 0xfffff000, FRAME(DATA) | ALL);
    expect_access_fault_at(&m, 0xfffffffe, RVM_WRITE, 4, STORE_PF, 0);
    set_pte(&m, 1, 0, FRAME(RAM_BASE) | V); /* both ends share the table of level 0 */
    set_pte(&m, 0, 0, FRAME(DATA + 0x2000) | ALL);
    check(rvm_access(&m, 0xfffffffe, RVM_WRITE, 4, &value), 0xfffffffe, RVM_WRITE, outcome(true, 0, 0, DATA + 0xffe));
    assert_true(peek(&m, DATA + 0xffe, 2) == 0x2211);
    assert_true(peek(&m, DATA + 0x2000, 2) == 0x4433);
}

static void test_an_rv64_access_across_the_top_wraps_to_0(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t value = 0x44332211, top = UINT64_C(0xfffffffffffffffe);

    (void)state;
    map(&m, SV39, 0, top, FRAME(DATA) | ALL);
    expect_access_fault_at(&m, top, RVM_WRITE, 4, STORE_PF, 0);
    map(&m, SV39, 0, 0, FRAME(DATA + 0x2000) | ALL);
    check(rvm_access(&m, top, RVM_WRITE, 4, &value), top, RVM_WRITE, outcome(true, 0, 0, DATA + 0xffe));
    assert_true(peek(&m, DATA + 0xffe, 2) == 0x2211);
    assert_true(peek(&m, DATA + 0x2000, 2) == 0x4433);
}

static void test_rv32_ignores_the_bits_above_its_addresses(void **state)
{
    rvm_machine_t m = machine(SV32);

    (void)state;
    map(&m, SV32, 0, 0x5000, FRAME(DATA) | ALL);
    check(rvm_translate(&m, UINT64_C(0xffffffff00005004), RVM_READ), 0x5004, RVM_READ, outcome(true, 0, 0, DATA + 4));
    check(rvm_translate(&m, UINT64_C(0x100006004), RVM_READ), 0x6004, RVM_READ, outcome(false, LOAD_PF, 0x6004, 0));
    expect_access_fault_at(&m, UINT64_C(0x100005ffe), RVM_READ, 4, LOAD_PF, 0x6000);
    expect_access_fault_at(&m, UINT64_C(0x100006ffe), RVM_READ, 4, LOAD_PF, 0x6ffe);
    m.satp = 0;
    expect_access_fault_at(&m, UINT64_C(0x100006ffe), RVM_READ, 4, LOAD_AF, 0x6ffe);
}

static void test_a_bare_access_across_the_end_of_ram_faults_at_the_page_boundary(void **state)
{
    rvm_machine_t m = machine(SV39);

    (void)state;
    m.satp = 0;
    expect_access_fault_at(&m, RAM_BASE + RAM_SIZE - 4, RVM_WRITE, 8, STORE_AF, RAM_BASE + RAM_SIZE);
    expect_access_fault_at(&m, RAM_BASE - 4, RVM_WRITE, 8, STORE_AF, RAM_BASE - 4);
    expect_access_fault_at(&m, UINT64_MAX - 3, RVM_FETCH, 8, FETCH_AF, UINT64_MAX - 3);
    assert_true(peek(&m, RAM_BASE + RAM_SIZE - 8, 8) == 0);
}

static void test_mprv_applies_to_both_portions_of_a_crossing_load(void **state)
{
    rvm_machine_t m = machine(SV39);
    uint64_t value = 0;

    (void)state;
    map(&m, SV39, 0, 0x5000, FRAME(DATA) | ALL | U);
    map(&m, SV39, 0, 0x6000, FRAME(DATA + 0x1000) | ALL);
    m.priv = 3;
    m.mprv = true;
    m.mpp = 1;
    m.sum = true;
    check(rvm_access(&m, 0x5ffc, RVM_READ, 8, &value), 0x5ffc, RVM_READ, outcome(true, 0, 0, DATA + 0xffc));
    m.sum = false;
    expect_access_fault_at(&m, 0x5ffc, RVM_READ, 8, LOAD_PF, 0x5ffc);
    m.mpp = 0;
    expect_access_fault_at(&m, 0x5ffc, RVM_READ, 8, LOAD_PF, 0x6000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_sv39_walk_reads_the_entries_a_person_computes),
        cmocka_unit_test(test_an_sv48_walk_reads_the_entries_a_person_computes),
        cmocka_unit_test(test_an_sv57_walk_reads_the_entries_a_person_computes),
        cmocka_unit_test(test_an_sv32_walk_reads_the_entries_a_person_computes),
        cmocka_unit_test(test_the_asid_in_satp_does_not_change_the_translation),
        cmocka_unit_test(test_a_leaf_may_stand_at_any_level),
        cmocka_unit_test(test_sv32_reaches_34_bits_of_physical_address),
        cmocka_unit_test(test_sv39_reaches_56_bits_of_physical_address),
        cmocka_unit_test(test_a_va_that_is_not_sign_extended_is_a_page_fault),
        cmocka_unit_test(test_a_non_canonical_va_is_a_page_fault_even_when_the_root_table_is_missing),
        cmocka_unit_test(test_machine_mode_ignores_satp),
        cmocka_unit_test(test_bare_is_the_identity_and_its_high_bits_reach_no_memory),
        cmocka_unit_test(test_bare_on_rv32_has_32_bit_addresses),
        cmocka_unit_test(test_mprv_moves_loads_and_stores_to_mpp_and_leaves_fetches),
        cmocka_unit_test(test_mprv_gives_mxr_its_effect),
        cmocka_unit_test(test_an_invalid_entry_is_a_page_fault_whatever_its_other_bits),
        cmocka_unit_test(test_the_xwr_encodings_give_the_rights_of_the_manual),
        cmocka_unit_test(test_w_without_r_is_reserved_above_level_0_too),
        cmocka_unit_test(test_each_of_bits_60_to_54_is_reserved_in_leaf_and_pointer),
        cmocka_unit_test(test_bit_53_is_the_top_of_the_ppn_and_not_reserved),
        cmocka_unit_test(test_a_pointer_with_d_a_u_n_or_pbmt_is_reserved),
        cmocka_unit_test(test_an_sv32_pointer_with_d_a_or_u_is_reserved),
        cmocka_unit_test(test_g_and_rsw_are_free_in_leaf_and_pointer),
        cmocka_unit_test(test_a_pointer_at_level_0_is_a_page_fault),
        cmocka_unit_test(test_sv32_has_no_bits_above_its_ppn),
        cmocka_unit_test(test_n_without_svnapot_is_a_page_fault),
        cmocka_unit_test(test_a_napot_page_takes_the_low_four_page_bits_from_the_va),
        cmocka_unit_test(test_every_napot_size_but_64_kib_is_reserved_and_leaves_a_clear),
        cmocka_unit_test(test_n_in_a_superpage_is_reserved),
        cmocka_unit_test(test_a_and_d_of_a_napot_page_go_into_the_entry_of_the_va_only),
        cmocka_unit_test(test_pbmt_needs_svpbmt_and_pbmte),
        cmocka_unit_test(test_pbmt_and_n_go_together),
        cmocka_unit_test(test_an_entry_outside_ram_is_an_access_fault_at_every_level),
        cmocka_unit_test(test_a_root_table_outside_ram_is_an_access_fault),
        cmocka_unit_test(test_an_entry_partly_outside_ram_is_an_access_fault),
        cmocka_unit_test(test_ppn_bits_beyond_the_physical_width_fault_and_are_never_masked),
        cmocka_unit_test(test_sv32_ppn_bits_beyond_the_physical_width_fault_and_are_never_masked),
        cmocka_unit_test(test_ram_above_the_physical_width_does_not_exist),
        cmocka_unit_test(test_each_low_ppn_bit_of_a_superpage_makes_it_misaligned),
        cmocka_unit_test(test_the_lowest_aligned_ppn_bit_of_a_superpage_is_no_misalignment),
        cmocka_unit_test(test_the_u_bit_with_sum_gives_the_rights_of_the_manual),
        cmocka_unit_test(test_a_page_without_rights_and_without_memory_is_a_page_fault),
        cmocka_unit_test(test_hardware_sets_a_on_every_access_and_d_on_a_write_only),
        cmocka_unit_test(test_hardware_a_and_d_leave_every_other_byte_of_ram_alone),
        cmocka_unit_test(test_svade_faults_where_hardware_would_set_a_or_d),
        cmocka_unit_test(test_an_access_that_page_faults_sets_neither_a_nor_d),
        cmocka_unit_test(test_svade_comes_before_the_access_fault_of_the_frame),
        cmocka_unit_test(test_a_and_d_stay_set_when_the_frame_is_outside_ram),
        cmocka_unit_test(test_loads_and_stores_are_little_endian_and_of_their_size),
        cmocka_unit_test(test_a_crossing_access_joins_two_frames_that_are_far_apart),
        cmocka_unit_test(test_an_access_that_ends_at_the_page_end_needs_one_page),
        cmocka_unit_test(test_the_tval_of_a_crossing_access_is_the_start_of_the_portion_that_faulted),
        cmocka_unit_test(test_a_first_page_that_faults_leaves_a_and_d_of_the_second_clear),
        cmocka_unit_test(test_a_second_page_that_faults_leaves_the_data_alone_and_a_and_d_of_the_first_set),
        cmocka_unit_test(test_a_single_byte_of_an_access_outside_ram_is_enough_for_an_access_fault),
        cmocka_unit_test(test_an_access_into_the_non_canonical_hole_faults_at_the_edge),
        cmocka_unit_test(test_an_rv32_access_across_the_top_wraps_to_0),
        cmocka_unit_test(test_an_rv64_access_across_the_top_wraps_to_0),
        cmocka_unit_test(test_rv32_ignores_the_bits_above_its_addresses),
        cmocka_unit_test(test_a_bare_access_across_the_end_of_ram_faults_at_the_page_boundary),
        cmocka_unit_test(test_mprv_applies_to_both_portions_of_a_crossing_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
