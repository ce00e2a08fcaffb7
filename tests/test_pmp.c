/* RISC-V physical memory protection: what an entry matches, who is bound by it, how its registers are written, and that
 * accesses and walks ask it. Rules are those of the privileged manual, "Physical Memory Protection". */
#define VMM_IMPLEMENTATION
#include "vmm.h"
#include "helper.h"

VMM_MMU(rv, VMM_RISCV64)
VMM_TABLES(sv39, vmm_sv39)

#define BASE UINT64_C(0x80000000)
#define SIZE UINT64_C(0x100000)
#define RWX (VMM_PMP_R | VMM_PMP_W | VMM_PMP_X)

static vmm_pmp_t pmp;
static uint64_t ram[SIZE / 8];
static rv_mmu_t hart;

static void reset(unsigned xlen, unsigned entries)
{
    assert_int_equal(vmm_pmp_init(&pmp, xlen, entries), VMM_OK);
}

/* Writes the configuration of one entry of RV64 and leaves the others of its register alone. */
static void set_entry(unsigned i, uint64_t addr, unsigned cfg)
{
    const unsigned number = i / 8 * 2, shift = i % 8 * 8;
    const uint64_t value = vmm_pmp_get_cfg(&pmp, number) & ~(UINT64_C(0xff) << shift);
    assert_int_equal(vmm_pmp_set_addr(&pmp, i, addr), VMM_OK);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, number, value | (uint64_t)cfg << shift), VMM_OK);
}

static bool allowed(uint64_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    return vmm_pmp_check(&pmp, paddr, bytes, access, privilege) == 0;
}

/* Which of the addresses around a range user mode may read, one byte each. */
static void assert_readable_are(uint64_t first, uint64_t last)
{
    assert_true(allowed(first, 1, VMM_READ, 0));
    assert_true(allowed(last, 1, VMM_READ, 0));
    assert_true(allowed(first + (last - first) / 2, 1, VMM_READ, 0));
    if (first) assert_false(allowed(first - 1, 1, VMM_READ, 0));
    assert_false(allowed(last + 1, 1, VMM_READ, 0));
}

/* ---- what an entry matches --------------------------------------------------------------- */

static void test_na4_matches_four_bytes(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(0, 0x80001234 >> 2, VMM_PMP_R | VMM_PMP_NA4);
    assert_readable_are(0x80001234, 0x80001237);
}

static void test_napot_matches_as_many_bytes_as_its_low_ones_say(void **state)
{
    unsigned ones;
    (void)state;
    for (ones = 0; ones < 53; ones++) {
        const uint64_t bytes = UINT64_C(8) << ones, base = bytes * 2;
        reset(64, 16);
        set_entry(0, (base >> 2 | ((UINT64_C(1) << ones) - 1)) & vmm_low_mask(54), VMM_PMP_R | VMM_PMP_NAPOT);
        if (base >> 56) assert_true(allowed(0, 1, VMM_READ, 0)); /* the base does not fit in the register */
        else assert_readable_are(base, base + bytes - 1);
    }
}

static void test_napot_of_all_ones_matches_everything(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(0, ~UINT64_C(0), VMM_PMP_R | VMM_PMP_NAPOT);
    assert_true(allowed(0, 8, VMM_READ, 0));
    assert_true(allowed((UINT64_C(1) << 56) - 8, 8, VMM_READ, 0));
    reset(32, 16);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 0, ~UINT64_C(0)), VMM_OK);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, 0, VMM_PMP_R | VMM_PMP_NAPOT), VMM_OK);
    assert_true(allowed(UINT64_C(0x3fffffff8), 8, VMM_READ, 0));
}

static void test_tor_matches_from_the_address_of_the_entry_before(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(3, 0x80001000 >> 2, 0);
    set_entry(4, 0x80002004 >> 2, VMM_PMP_R | VMM_PMP_TOR);
    assert_readable_are(0x80001000, 0x80002003);
}

static void test_tor_of_the_first_entry_begins_at_0(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(0, 0x80001000 >> 2, VMM_PMP_R | VMM_PMP_TOR);
    assert_readable_are(0, 0x80000fff);
}

static void test_tor_that_ends_at_or_before_its_beginning_matches_nothing(void **state)
{
    unsigned step;
    (void)state;
    for (step = 0; step < 2; step++) {
        reset(64, 16);
        set_entry(0, 0x80001000 >> 2, 0);
        set_entry(1, (0x80001000 >> 2) - step, VMM_PMP_R | VMM_PMP_TOR);
        assert_false(allowed(0x80001000, 1, VMM_READ, 0));
        assert_false(allowed(0x80000fff, 1, VMM_READ, 0));
        assert_false(allowed(0, 1, VMM_READ, 0));
    }
    reset(64, 16);
    set_entry(0, 0, VMM_PMP_R | VMM_PMP_TOR | VMM_PMP_L);
    assert_true(allowed(0, 4, VMM_WRITE, 3)); /* the empty range at 0 */
}

static void test_entries_that_are_off_match_nothing(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(0, ~UINT64_C(0), RWX | VMM_PMP_OFF);
    assert_false(allowed(BASE, 1, VMM_READ, 1));
    set_entry(5, ~UINT64_C(0), VMM_PMP_R | VMM_PMP_NAPOT);
    assert_true(allowed(BASE, 1, VMM_READ, 1));
}

/* ---- who may do what --------------------------------------------------------------------- */

static void test_rights_are_judged_one_by_one_below_machine_mode(void **state)
{
    unsigned cfg, access, privilege;
    (void)state;
    for (cfg = 0; cfg < 8; cfg++)
        for (access = VMM_READ; access <= VMM_FETCH; access++)
            for (privilege = 0; privilege < 2; privilege++) {
                if ((cfg & (VMM_PMP_R | VMM_PMP_W)) == VMM_PMP_W) continue;
                reset(64, 16);
                set_entry(0, ~UINT64_C(0), cfg | VMM_PMP_NAPOT);
                assert_int_equal(allowed(BASE, 4, access, privilege), (cfg >> access) & 1);
            }
}

static void test_machine_mode_is_bound_by_locked_entries_alone(void **state)
{
    unsigned access;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        reset(64, 16);
        set_entry(0, ~UINT64_C(0), VMM_PMP_NAPOT);
        assert_true(allowed(BASE, 4, access, 3));
        set_entry(0, ~UINT64_C(0), VMM_PMP_NAPOT | VMM_PMP_L);
        assert_false(allowed(BASE, 4, access, 3));
        reset(64, 16);
        set_entry(0, ~UINT64_C(0), VMM_PMP_NAPOT | VMM_PMP_L | RWX);
        assert_true(allowed(BASE, 4, access, 3));
    }
}

static void test_where_nothing_matches_machine_mode_may_do_everything_and_others_nothing(void **state)
{
    (void)state;
    reset(64, 16);
    assert_true(allowed(BASE, 8, VMM_WRITE, 3));
    assert_false(allowed(BASE, 8, VMM_READ, 1));
    assert_false(allowed(BASE, 8, VMM_READ, 0));
}

static void test_without_entries_everybody_may_do_everything(void **state)
{
    unsigned access;
    (void)state;
    reset(64, 0);
    for (access = VMM_READ; access <= VMM_FETCH; access++) assert_true(allowed(BASE, 8, access, 0));
}

static void test_the_first_entry_that_matches_decides(void **state)
{
    (void)state;
    reset(64, 16);
    set_entry(0, 0x80001000 >> 2 | 0x1ff, VMM_PMP_NAPOT); /* 4 KiB, nothing */
    set_entry(1, ~UINT64_C(0), RWX | VMM_PMP_NAPOT);
    assert_false(allowed(0x80001000, 8, VMM_READ, 0));
    assert_true(allowed(0x80002000, 8, VMM_READ, 0));
    reset(64, 16);
    set_entry(0, ~UINT64_C(0), RWX | VMM_PMP_NAPOT);
    set_entry(1, 0x80001000 >> 2 | 0x1ff, VMM_PMP_NAPOT);
    assert_true(allowed(0x80001000, 8, VMM_READ, 0));
}

static void test_an_access_must_lie_wholly_in_the_entry_that_decides(void **state)
{
    unsigned privilege;
    (void)state;
    reset(64, 16);
    set_entry(0, 0x80001004 >> 2, RWX | VMM_PMP_NA4);
    set_entry(1, ~UINT64_C(0), RWX | VMM_PMP_NAPOT);
    for (privilege = 0; privilege < 4; privilege += privilege ? 2 : 1) { /* machine mode and unlocked entries too */
        assert_true(allowed(0x80001004, 4, VMM_READ, privilege));
        assert_false(allowed(0x80001000, 8, VMM_READ, privilege));
        assert_false(allowed(0x80001006, 4, VMM_READ, privilege));
        assert_true(allowed(0x80001000, 4, VMM_READ, privilege));
        assert_true(allowed(0x80001008, 8, VMM_READ, privilege));
    }
}

/* ---- registers --------------------------------------------------------------------------- */

static void test_rv32_has_four_entries_a_register_and_rv64_eight_in_even_ones(void **state)
{
    unsigned i;
    (void)state;
    reset(32, 64);
    for (i = 0; i < 16; i++) assert_int_equal(vmm_pmp_set_cfg(&pmp, i, 0x01010101u), VMM_OK);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, 16, 0), VMM_E_ARGUMENT);
    reset(32, 64);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, 15, 0x0f01000fu), VMM_OK);
    assert_int_equal(pmp.cfg[60], 0x0f);
    assert_int_equal(pmp.cfg[61], 0);
    assert_int_equal(pmp.cfg[62], 0x01);
    assert_int_equal(pmp.cfg[63], 0x0f);
    assert_int_equal(vmm_pmp_get_cfg(&pmp, 15), 0x0f01000fu);
    reset(64, 64);
    for (i = 0; i < 16; i++) assert_int_equal(vmm_pmp_set_cfg(&pmp, i, 0), i & 1 ? VMM_E_ARGUMENT : VMM_OK);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, 14, UINT64_C(0x0f0000000000001b)), VMM_OK);
    assert_int_equal(pmp.cfg[56], 0x1b);
    assert_int_equal(pmp.cfg[63], 0x0f);
    assert_int_equal(vmm_pmp_get_cfg(&pmp, 14), UINT64_C(0x0f0000000000001b));
    assert_int_equal(vmm_pmp_get_cfg(&pmp, 13), 0);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 64, 0), VMM_E_ARGUMENT);
}

static void test_an_address_register_has_32_bits_on_rv32_and_54_on_rv64(void **state)
{
    (void)state;
    reset(32, 16);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 15, ~UINT64_C(0)), VMM_OK);
    assert_int_equal(pmp.addr[15], 0xffffffffu);
    reset(64, 16);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 15, ~UINT64_C(0)), VMM_OK);
    assert_int_equal(pmp.addr[15], (UINT64_C(1) << 54) - 1);
}

static void test_bits_6_and_5_and_w_without_r_read_as_0(void **state)
{
    unsigned value;
    (void)state;
    for (value = 0; value < 256; value++) {
        unsigned legal = value & 0x9fu;
        if (!(legal & VMM_PMP_R)) legal &= ~(unsigned)VMM_PMP_W;
        reset(64, 16);
        set_entry(9, 0, value);
        assert_int_equal(pmp.cfg[9], legal);
    }
}

static void test_entries_that_are_not_implemented_read_as_0(void **state)
{
    (void)state;
    reset(64, 16);
    assert_int_equal(vmm_pmp_set_cfg(&pmp, 4, ~UINT64_C(0)), VMM_OK);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 16, 5), VMM_OK);
    assert_int_equal(vmm_pmp_get_cfg(&pmp, 4), 0);
    assert_int_equal(pmp.addr[16], 0);
    assert_int_equal(vmm_pmp_init(&pmp, 64, 65), VMM_E_ARGUMENT);
    assert_int_equal(vmm_pmp_init(&pmp, 16, 16), VMM_E_ARGUMENT);
}

static void test_a_locked_entry_is_not_written(void **state)
{
    unsigned a;
    (void)state;
    for (a = 0; a < 4; a++) { /* off too */
        reset(64, 16);
        set_entry(2, 0x1000, VMM_PMP_R | VMM_PMP_L | a << 3);
        assert_int_equal(vmm_pmp_set_addr(&pmp, 2, 0x2000), VMM_OK);
        assert_int_equal(vmm_pmp_set_cfg(&pmp, 0, UINT64_C(0x0f0f0f0f)), VMM_OK);
        assert_int_equal(pmp.addr[2], 0x1000);
        assert_int_equal(pmp.cfg[2], VMM_PMP_R | VMM_PMP_L | a << 3);
        assert_int_equal(pmp.cfg[1], 0x0f); /* the others of the register are */
        assert_int_equal(pmp.cfg[3], 0x0f);
    }
}

static void test_the_address_before_a_locked_tor_entry_is_not_written(void **state)
{
    unsigned a;
    (void)state;
    for (a = 0; a < 4; a++) {
        reset(64, 16);
        set_entry(1, 0x1000, 0);
        set_entry(2, 0x2000, VMM_PMP_R | VMM_PMP_L | a << 3);
        assert_int_equal(vmm_pmp_set_addr(&pmp, 1, 0x1800), VMM_OK);
        assert_int_equal(pmp.addr[1], a << 3 == VMM_PMP_TOR ? 0x1000 : 0x1800);
        assert_int_equal(vmm_pmp_set_cfg(&pmp, 0, (uint64_t)RWX << 8), VMM_OK); /* its configuration is */
        assert_int_equal(pmp.cfg[1], RWX);
    }
    reset(64, 16);
    set_entry(2, 0x2000, VMM_PMP_TOR);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 1, 0x1800), VMM_OK);
    assert_int_equal(pmp.addr[1], 0x1800); /* not locked */
    set_entry(15, 0x2000, VMM_PMP_TOR);
    assert_int_equal(vmm_pmp_set_addr(&pmp, 15, 0x1800), VMM_OK);
    assert_int_equal(pmp.addr[15], 0x1800); /* no entry behind it */
}

/* ---- random registers against byte by byte ------------------------------------------------ */

/* The lowest entry that matches one byte, or 64: read from the manual's table of the address field. */
static unsigned entry_of(uint64_t byte, const uint8_t *cfg, const uint64_t *addr, unsigned entries)
{
    unsigned i;
    for (i = 0; i < entries; i++) {
        uint64_t from = addr[i] * 4, bytes = 4, low;
        if ((cfg[i] >> 3 & 3) == 0) continue;
        if ((cfg[i] >> 3 & 3) == 1) {
            from = i ? addr[i - 1] * 4 : 0;
            if (byte >= from && byte < addr[i] * 4) return i;
            continue;
        }
        if ((cfg[i] >> 3 & 3) == 3) {
            for (low = addr[i], bytes = 8; low & 1; low /= 2) bytes *= 2;
            from = from / bytes * bytes;
        }
        if (byte >= from && byte - from < bytes) return i;
    }
    return 64;
}

static bool manual_allows(uint64_t paddr, unsigned bytes, unsigned access, unsigned privilege, const uint8_t *cfg,
                          const uint64_t *addr, unsigned entries)
{
    unsigned first = 64, i, least = 64;
    for (i = 0; i < bytes; i++) {
        first = entry_of(paddr + i, cfg, addr, entries);
        if (first < least) least = first;
    }
    for (i = 0; i < bytes; i++)
        if (entry_of(paddr + i, cfg, addr, entries) != least && least < 64) {
            /* the byte may be matched by the deciding entry all the same, behind no other */
            uint8_t only[64] = {0};
            only[least] = cfg[least];
            if (entry_of(paddr + i, only, addr, entries) != least) return false;
        }
    if (least == 64) return privilege == 3 || entries == 0;
    if (privilege == 3 && !(cfg[least] & 0x80)) return true;
    return cfg[least] >> access & 1;
}

static void test_random_registers_agree_with_a_check_byte_by_byte(void **state)
{
    uint64_t seed = 1;
    unsigned round, i, probe;
    (void)state;
    for (round = 0; round < 3000; round++) {
        uint8_t cfg[64] = {0};
        uint64_t addr[64] = {0};
        const unsigned xlen = helper_random(&seed) & 1 ? 32 : 64, entries = round % 50 == 0 ? 0 : 16;
        reset(xlen, entries);
        for (i = 0; i < 20; i++) { /* the state of locks is the test's own */
            const unsigned at = (unsigned)(helper_random(&seed) % 16), packed = xlen == 32 ? 4 : 8;
            const unsigned number = at / packed * (packed / 4);
            const uint64_t low = vmm_low_mask((unsigned)(helper_random(&seed) % 6));
            const uint64_t value = (helper_random(&seed) & 0x3f) | low, noise = helper_random(&seed);
            const uint64_t written = noise & (helper_random(&seed) % 8 ? UINT64_C(0x7f7f7f7f7f7f7f7f) : ~UINT64_C(0));
            unsigned k;
            vmm_pmp_set_addr(&pmp, at, value);
            if (at < entries && !(cfg[at] & 0x80) && !(at < 15 && (cfg[at + 1] & 0x98) == 0x88)) addr[at] = value;
            vmm_pmp_set_cfg(&pmp, number, written);
            for (k = 0; k < packed && entries; k++) {
                uint8_t *const was = &cfg[number * 4 + k];
                const unsigned byte = (unsigned)(written >> 8 * k) & 0x9f;
                if (!(*was & 0x80)) *was = (uint8_t)((byte & 3) == 2 ? byte - 2 : byte);
            }
        }
        for (i = 0; i < 64; i++) {
            assert_int_equal(pmp.addr[i], addr[i]);
            assert_int_equal(pmp.cfg[i], cfg[i]);
        }
        for (probe = 0; probe < 100; probe++) {
            const uint64_t paddr = helper_random(&seed) % 0x140;
            const unsigned bytes = 1u << helper_random(&seed) % 4, access = (unsigned)(helper_random(&seed) % 3);
            const unsigned privilege = (unsigned)(helper_random(&seed) % 3);
            const unsigned mode = privilege == 2 ? 3 : privilege;
            assert_int_equal(allowed(paddr, bytes, access, mode),
                             manual_allows(paddr, bytes, access, mode, cfg, addr, entries));
        }
    }
}

/* ---- as the check of an MMU -------------------------------------------------------------- */

static helper_frames_t frames;
static vmm_tables_t tables;

/* A hart in supervisor mode with its check set: at 0x1000 a page of data at BASE + 0x80000, tables below it. */
static void start(void)
{
    const vmm_memory_t memory = {ram, BASE, SIZE, {NULL, NULL, NULL}, 0};
    memset(ram, 0, sizeof ram);
    reset(64, 16);
    set_entry(15, ~UINT64_C(0), RWX | VMM_PMP_NAPOT);
    assert_int_equal(rv_init(&hart, &memory), VMM_OK);
    memset(&frames, 0, sizeof frames);
    frames.base = frames.next = BASE;
    frames.end = BASE + 0x80000;
    frames.budget = -1;
    memset(&tables, 0, sizeof tables);
    tables.memory = &hart.state.memory;
    tables.take = helper_take;
    tables.give = helper_give;
    tables.user = &frames;
    assert_int_equal(sv39_create(&tables), VMM_OK);
    assert_int_equal(sv39_map(&tables, 0x1000, BASE + 0x80000, 0x2000, VMM_R | VMM_W), VMM_OK);
    rv_set_check(&hart, vmm_pmp_check, &pmp);
    assert_int_equal(rv_set_satp(&hart, UINT64_C(8) << 60 | tables.root >> 12), VMM_OK);
}

/* Entry 0 decides about some bytes from now on. */
static void protect(uint64_t paddr, uint64_t bytes, unsigned cfg)
{
    set_entry(0, paddr >> 2 | (bytes / 8 - 1), cfg | VMM_PMP_NAPOT);
    rv_flush_all(&hart);
}

static void assert_refused(uint8_t cause)
{
    assert_int_equal(hart.fault.kind, VMM_ACCESS_FAULT);
    assert_int_equal(hart.fault.rule, VMM_RULE_CHECK);
    assert_int_equal(hart.fault.cause, cause);
    assert_int_equal(hart.fault.vaddr, 0x1008);
}

static void test_an_access_that_is_refused_is_an_access_fault(void **state)
{
    uint64_t value;
    (void)state;
    start();
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_OK);
    protect(BASE + 0x80000, 4096, VMM_PMP_R);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_OK);
    assert_int_equal(rv_store64(&hart, 0x1008, 1), VMM_FAULT);
    assert_refused(7);
    protect(BASE + 0x80000, 4096, 0);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_FAULT);
    assert_refused(5);
}

static void test_a_page_that_is_only_partly_allowed_is_asked_about_each_time(void **state)
{
    uint64_t value;
    (void)state;
    start();
    protect(BASE + 0x80008, 8, 0);
    assert_int_equal(rv_load64(&hart, 0x1000, &value), VMM_OK);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_FAULT);
    assert_refused(5);
    assert_int_equal(rv_load64(&hart, 0x1010, &value), VMM_OK);
}

static void test_reading_a_table_is_a_read_by_the_supervisor(void **state)
{
    uint64_t value;
    (void)state;
    start();
    protect(tables.root, 4096, VMM_PMP_W | VMM_PMP_X); /* W without R is nothing */
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_FAULT);
    assert_refused(5);
    assert_int_equal(rv_store64(&hart, 0x1008, 1), VMM_FAULT);
    assert_refused(7); /* told of the access itself */
    protect(tables.root, 4096, VMM_PMP_R);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_OK);
}

static void test_marking_an_entry_is_a_write_by_the_supervisor(void **state)
{
    uint64_t value;
    (void)state;
    start();
    protect(BASE, 0x80000, VMM_PMP_R); /* all tables */
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_FAULT);
    assert_refused(5);
    protect(BASE, 0x80000, VMM_PMP_R | VMM_PMP_W);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_OK); /* sets A */
    protect(BASE, 0x80000, VMM_PMP_R);
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_OK);
    assert_int_equal(rv_store64(&hart, 0x1008, 1), VMM_FAULT); /* D is missing */
    assert_refused(7);
}

static void test_machine_mode_goes_by_its_own_rules(void **state)
{
    uint64_t value;
    (void)state;
    start();
    protect(BASE + 0x80000, 4096, 0);
    assert_int_equal(rv_set_privilege(&hart, 3), VMM_OK);
    assert_int_equal(rv_load64(&hart, BASE + 0x80008, &value), VMM_OK);
    assert_int_equal(rv_set_mstatus(&hart, UINT64_C(1) << 17 | UINT64_C(1) << 11), VMM_OK); /* MPRV, as supervisor */
    assert_int_equal(rv_load64(&hart, 0x1008, &value), VMM_FAULT);
    assert_refused(5);
    assert_int_equal(rv_set_mstatus(&hart, 0), VMM_OK);
    protect(BASE + 0x80000, 4096, VMM_PMP_L);
    assert_int_equal(rv_load64(&hart, BASE + 0x80008, &value), VMM_FAULT);
    assert_int_equal(hart.fault.cause, 5);
}

static void test_an_access_across_two_pages_is_asked_about_in_its_two_parts(void **state)
{
    uint64_t value;
    (void)state;
    start();
    set_entry(0, (BASE + 0x80000) >> 2 | 0x1ff, RWX | VMM_PMP_NAPOT);
    set_entry(1, (BASE + 0x81000) >> 2 | 0x1ff, RWX | VMM_PMP_NAPOT);
    assert_int_equal(rv_load64(&hart, 0x1ffc, &value), VMM_OK);
    set_entry(1, (BASE + 0x81000) >> 2 | 0x1ff, VMM_PMP_NAPOT);
    rv_flush_all(&hart);
    assert_int_equal(rv_load64(&hart, 0x1ffc, &value), VMM_FAULT);
    assert_int_equal(hart.fault.vaddr, 0x2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_na4_matches_four_bytes),
        cmocka_unit_test(test_napot_matches_as_many_bytes_as_its_low_ones_say),
        cmocka_unit_test(test_napot_of_all_ones_matches_everything),
        cmocka_unit_test(test_tor_matches_from_the_address_of_the_entry_before),
        cmocka_unit_test(test_tor_of_the_first_entry_begins_at_0),
        cmocka_unit_test(test_tor_that_ends_at_or_before_its_beginning_matches_nothing),
        cmocka_unit_test(test_entries_that_are_off_match_nothing),
        cmocka_unit_test(test_rights_are_judged_one_by_one_below_machine_mode),
        cmocka_unit_test(test_machine_mode_is_bound_by_locked_entries_alone),
        cmocka_unit_test(test_where_nothing_matches_machine_mode_may_do_everything_and_others_nothing),
        cmocka_unit_test(test_without_entries_everybody_may_do_everything),
        cmocka_unit_test(test_the_first_entry_that_matches_decides),
        cmocka_unit_test(test_an_access_must_lie_wholly_in_the_entry_that_decides),
        cmocka_unit_test(test_rv32_has_four_entries_a_register_and_rv64_eight_in_even_ones),
        cmocka_unit_test(test_an_address_register_has_32_bits_on_rv32_and_54_on_rv64),
        cmocka_unit_test(test_bits_6_and_5_and_w_without_r_read_as_0),
        cmocka_unit_test(test_entries_that_are_not_implemented_read_as_0),
        cmocka_unit_test(test_a_locked_entry_is_not_written),
        cmocka_unit_test(test_the_address_before_a_locked_tor_entry_is_not_written),
        cmocka_unit_test(test_random_registers_agree_with_a_check_byte_by_byte),
        cmocka_unit_test(test_an_access_that_is_refused_is_an_access_fault),
        cmocka_unit_test(test_a_page_that_is_only_partly_allowed_is_asked_about_each_time),
        cmocka_unit_test(test_reading_a_table_is_a_read_by_the_supervisor),
        cmocka_unit_test(test_marking_an_entry_is_a_write_by_the_supervisor),
        cmocka_unit_test(test_machine_mode_goes_by_its_own_rules),
        cmocka_unit_test(test_an_access_across_two_pages_is_asked_about_in_its_two_parts),
    };
    return cmocka_run_group_tests_name("physical memory protection", tests, NULL, NULL);
}
