/* Two stages of translation, RISC-V's hypervisor extension: one test for each rule, then random tables against a walk
 * read straight from the manual. Rules are those of the privileged manual, "Two-Stage Address Translation". */
#define VMM_IMPLEMENTATION
#include "vmm.h"
#include "helper.h"

VMM_MMU(rh, VMM_RISCV64H)
VMM_MMU(narrow, VMM_RISCV32H)
VMM_MMU(student, VMM_ARCH_RISCV64H, VMM_STAGES_TLB(16, 4, VMM_LRU))
VMM_MMU(watching, VMM_ARCH_RISCV64H, VMM_STAGES_DETECT)
VMM_TABLES(sv32, vmm_sv32)
VMM_TABLES(sv39, vmm_sv39)
VMM_TABLES(sv48, vmm_sv48)
VMM_TABLES(sv57, vmm_sv57)
VMM_TABLES(sv32x4, vmm_sv32x4)
VMM_TABLES(sv39x4, vmm_sv39x4)
VMM_TABLES(sv48x4, vmm_sv48x4)
VMM_TABLES(sv57x4, vmm_sv57x4)

#define BASE UINT64_C(0x80000000)
#define SIZE UINT64_C(0x400000)
#define GUEST_BASE UINT64_C(0x40000000) /* the guest's RAM, which lies ... */
#define GUEST_SIZE UINT64_C(0x100000)
#define GUEST_AT (BASE + UINT64_C(0x200000)) /* ... here */
#define DATA (GUEST_BASE + UINT64_C(0x80000))
#define VA UINT64_C(0x10000) /* mapped to DATA */
#define ALL (VMM_R | VMM_W | VMM_X)
#define FLAGS (ALL | VMM_U | VMM_A | VMM_D)
#define BIT(n) (UINT64_C(1) << (n))
#define MXR BIT(19)
#define SUM BIT(18)
#define SPVP BIT(8)

enum {
    V = 1,
    R = 2,
    W = 4,
    X = 8,
    U = 16,
    G = 32,
    A = 64,
    D = 128
};

static uint64_t ram[SIZE / 8];
static rh_mmu_t hart;

typedef struct stage {
    unsigned mode;
    const vmm_paging_t *paging;
    vmm_status_t (*create)(vmm_tables_t *);
    vmm_status_t (*map)(vmm_tables_t *, vmm_vaddr_t, vmm_paddr_t, uint64_t, uint32_t);
    vmm_status_t (*query)(const vmm_tables_t *, vmm_vaddr_t, vmm_mapping_t *);
} stage_t;

static const stage_t first_stages[] = {
    {8, &vmm_sv39, sv39_create, sv39_map, sv39_query},
    {9, &vmm_sv48, sv48_create, sv48_map, sv48_query},
    {10, &vmm_sv57, sv57_create, sv57_map, sv57_query},
};

static const stage_t second_stages[] = {
    {8, &vmm_sv39x4, sv39x4_create, sv39x4_map, sv39x4_query},
    {9, &vmm_sv48x4, sv48x4_create, sv48x4_map, sv48x4_query},
    {10, &vmm_sv57x4, sv57x4_create, sv57x4_map, sv57x4_query},
};

/* ---- a guest ----------------------------------------------------------------------------- */

static const stage_t *first, *second;
static vmm_memory_t machine_memory, guest_memory;
static helper_frames_t machine_frames, guest_frames;
static vmm_tables_t machine_tables, guest_tables;

static void frames_of(helper_frames_t *f, vmm_tables_t *t, const vmm_memory_t *memory, uint64_t base, uint64_t end)
{
    memset(f, 0, sizeof *f);
    f->base = f->next = base;
    f->end = end;
    f->budget = -1;
    memset(t, 0, sizeof *t);
    t->memory = memory;
    t->take = helper_take;
    t->give = helper_give;
    t->user = f;
}

static uint64_t satp_of(unsigned mode, unsigned id, uint64_t root)
{
    return (uint64_t)mode << 60 | (uint64_t)id << 44 | root >> 12;
}

/* A guest with its RAM mapped, page by page, and its tables there; at VA two pages of DATA. VMID 5, ASID 7. */
static void start_as(unsigned first_mode, unsigned second_mode, uint32_t second_flags, uint32_t first_flags)
{
    const vmm_memory_t memory = {ram, BASE, SIZE, {NULL, NULL, NULL}, 0};
    const vmm_memory_t guest = {ram + (GUEST_AT - BASE) / 8, GUEST_BASE, GUEST_SIZE, {NULL, NULL, NULL}, 0};
    memset(ram, 0, sizeof ram);
    machine_memory = memory;
    guest_memory = guest;
    first = &first_stages[first_mode];
    second = &second_stages[second_mode];
    frames_of(&machine_frames, &machine_tables, &machine_memory, BASE, BASE + 0x100000);
    frames_of(&guest_frames, &guest_tables, &guest_memory, GUEST_BASE, DATA);
    assert_int_equal(second->create(&machine_tables), VMM_OK);
    assert_int_equal(
        second->map(&machine_tables, GUEST_BASE, GUEST_AT, GUEST_SIZE, (second_flags & 0xffu) | VMM_NO_HUGE), VMM_OK);
    assert_int_equal(first->create(&guest_tables), VMM_OK);
    assert_int_equal(first->map(&guest_tables, VA, DATA, 0x2000, first_flags), VMM_OK);
    assert_int_equal(rh_init(&hart, &memory), VMM_OK);
    rh_set_virtual(&hart, true);
    assert_int_equal(rh_set_privilege(&hart, 0), VMM_OK);
    assert_int_equal(rh_set_vsatp(&hart, satp_of(first->mode, 7, guest_tables.root)), VMM_OK);
    assert_int_equal(rh_set_hgatp(&hart, satp_of(second->mode, 5, machine_tables.root)), VMM_OK);
}

static void start(void)
{
    start_as(0, 0, FLAGS, FLAGS);
}

/* Where the leaf of an address stands, in the second stage or the first. */
static uint64_t *second_leaf(uint64_t gpa)
{
    vmm_mapping_t m;
    assert_int_equal(second->query(&machine_tables, gpa, &m), VMM_OK);
    return &ram[(m.pte_addr - BASE) / 8];
}

static uint64_t *first_leaf(uint64_t va, uint64_t *gpa)
{
    vmm_mapping_t m;
    assert_int_equal(first->query(&guest_tables, va, &m), VMM_OK);
    if (gpa) *gpa = m.pte_addr;
    return &ram[(m.pte_addr - GUEST_BASE + GUEST_AT - BASE) / 8];
}

/* A new entry, known at once. */
static void put(uint64_t *entry, uint64_t flags)
{
    *entry = (*entry & ~UINT64_C(0xff)) | flags;
    rh_flush_all(&hart);
}

static vmm_status_t go(unsigned access, uint64_t va)
{
    uint64_t value = 0;
    return access == VMM_WRITE   ? rh_store64(&hart, va, 1)
           : access == VMM_FETCH ? rh_fetch64(&hart, va, &value)
                                 : rh_load64(&hart, va, &value);
}

static const uint8_t page_cause[3] = {13, 15, 12}, guest_cause[3] = {21, 23, 20}, access_cause[3] = {5, 7, 1};

static void assert_guest_fault(unsigned access, uint64_t va, uint64_t gpa, unsigned rule, uint32_t code)
{
    assert_int_equal(go(access, va), VMM_FAULT);
    assert_int_equal(hart.fault.kind, VMM_GUEST_PAGE_FAULT);
    assert_int_equal(hart.fault.cause, guest_cause[access]);
    assert_int_equal(hart.fault.access, access);
    assert_int_equal(hart.fault.vaddr, va);
    assert_int_equal(hart.fault.guest_paddr, gpa);
    assert_int_equal(hart.fault.rule, rule);
    assert_int_equal(hart.fault.code, code);
}

static void assert_fault(unsigned access, uint64_t va, unsigned kind, unsigned rule)
{
    assert_int_equal(go(access, va), VMM_FAULT);
    assert_int_equal(hart.fault.kind, kind);
    assert_int_equal(hart.fault.cause, kind == VMM_PAGE_FAULT ? page_cause[access] : access_cause[access]);
    assert_int_equal(hart.fault.vaddr, va);
    assert_int_equal(hart.fault.rule, rule);
}

/* ---- two stages -------------------------------------------------------------------------- */

static void test_an_address_goes_through_both_stages(void **state)
{
    unsigned i, k;
    uint64_t value;
    (void)state;
    for (i = 0; i < 3; i++)
        for (k = 0; k < 3; k++) {
            start_as(i, k, FLAGS, FLAGS);
            ram[(GUEST_AT + 0x81238 - BASE) / 8] = 0x1234;
            assert_int_equal(rh_load64(&hart, VA + 0x1238, &value), VMM_OK);
            assert_int_equal(value, 0x1234);
            assert_int_equal(rh_store64(&hart, VA + 0x1240, 0x5678), VMM_OK);
            assert_int_equal(ram[(GUEST_AT + 0x81240 - BASE) / 8], 0x5678);
            assert_int_equal(rh_fetch64(&hart, VA + 0x1240, &value), VMM_OK);
            assert_int_equal(value, 0x5678);
        }
}

static void test_with_vsatp_bare_the_second_stage_alone_translates(void **state)
{
    vmm_translation_t t;
    (void)state;
    start();
    assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
    assert_int_equal(rh_translate(&hart, DATA + 8, VMM_READ, &t), VMM_OK);
    assert_int_equal(t.paddr, GUEST_AT + 0x80008);
    assert_int_equal(t.page_shift, 12);
    put(second_leaf(DATA), V | R | A);
    assert_guest_fault(VMM_READ, DATA, DATA, VMM_RULE_SUPERVISOR_PAGE, 0);
}

static void test_with_hgatp_bare_guest_addresses_are_physical(void **state)
{
    vmm_translation_t t;
    (void)state;
    start();
    assert_int_equal(rh_set_hgatp(&hart, 0), VMM_OK);
    assert_fault(VMM_READ, VA, VMM_ACCESS_FAULT, VMM_RULE_TABLE_MEMORY); /* the guest's table is not there */
    assert_int_equal(rh_set_vsatp(&hart, satp_of(8, 7, GUEST_AT)), VMM_OK);
    assert_fault(VMM_READ, VA, VMM_ACCESS_FAULT, VMM_RULE_TABLE_MEMORY); /* nor those below it */
    assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
    assert_int_equal(rh_translate(&hart, BASE + 0x1238, VMM_WRITE, &t), VMM_OK);
    assert_int_equal(t.paddr, BASE + 0x1238);
    assert_int_equal(t.page_shift, 12);
    assert_fault(VMM_WRITE, BIT(56) | BASE, VMM_ACCESS_FAULT, VMM_RULE_PADDR_WIDTH);
}

static void test_guest_addresses_wider_than_the_second_stage_are_guest_page_faults(void **state)
{
    unsigned mode, bit, access;
    (void)state;
    for (mode = 0; mode < 3; mode++)
        for (bit = 41 + 9 * mode; bit < 64; bit++)
            for (access = VMM_READ; access <= VMM_FETCH; access++) {
                start_as(0, mode, FLAGS, FLAGS);
                assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
                assert_guest_fault(access, DATA | BIT(bit), DATA | BIT(bit), VMM_RULE_CANONICAL, 0);
                assert_guest_fault(access, DATA | ~UINT64_C(0) << bit, DATA | ~UINT64_C(0) << bit, VMM_RULE_CANONICAL,
                                   0);
                if (bit > 55) continue;
                start_as(0, mode, FLAGS, FLAGS);
                *first_leaf(VA, NULL) |= BIT(bit) >> 2; /* the frame begins at bit 10 */
                assert_guest_fault(access, VA, DATA | BIT(bit), VMM_RULE_CANONICAL, 0);
            }
}

static void test_the_root_of_the_second_stage_has_two_index_bits_more(void **state)
{
    unsigned mode, quarter;
    (void)state;
    for (mode = 0; mode < 3; mode++)
        for (quarter = 1; quarter < 4; quarter++) {
            const uint64_t gpa = (uint64_t)quarter << (39 + 9 * mode) | 0x3000;
            vmm_translation_t t;
            start_as(0, mode, FLAGS, FLAGS);
            assert_int_equal(second->map(&machine_tables, gpa, GUEST_AT + 0x5000, 0x1000, FLAGS), VMM_OK);
            assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
            assert_int_equal(rh_translate(&hart, gpa | 8, VMM_WRITE, &t), VMM_OK);
            assert_int_equal(t.paddr, GUEST_AT + 0x5008);
        }
    assert_int_equal(vmm_table_bytes(&vmm_sv32x4, 1), 16384);
    assert_int_equal(vmm_table_bytes(&vmm_sv39x4, 2), 16384);
    assert_int_equal(vmm_table_bytes(&vmm_sv48x4, 3), 16384);
    assert_int_equal(vmm_table_bytes(&vmm_sv57x4, 4), 16384);
}

static void test_the_root_of_the_second_stage_is_aligned_to_16_kib(void **state)
{
    (void)state;
    start();
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 5, machine_tables.root) | 3), VMM_OK);
    assert_int_equal(hart.registers.hgatp, satp_of(8, 5, machine_tables.root));
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
}

static void test_an_unknown_mode_leaves_hgatps_mode_and_all_of_vsatp(void **state)
{
    (void)state;
    start();
    assert_int_equal(rh_set_vsatp(&hart, satp_of(11, 1, 0)), VMM_E_ARGUMENT);
    assert_int_equal(hart.registers.vsatp, satp_of(8, 7, guest_tables.root));
    assert_int_equal(rh_set_hgatp(&hart, satp_of(3, 9, BASE + 0x8000)), VMM_E_ARGUMENT);
    assert_int_equal(hart.registers.hgatp, satp_of(8, 9, BASE + 0x8000));
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 0x3fff, 0) | UINT64_C(3) << 58), VMM_OK);
    assert_int_equal(hart.registers.hgatp, satp_of(8, 0x3fff, 0)); /* bits 59:58 are nobody's */
}

static void test_a_combined_translation_covers_the_smaller_page(void **state)
{
    vmm_translation_t t;
    (void)state;
    start();
    assert_int_equal(first->map(&guest_tables, 0x200000, 0, 0x200000, FLAGS), VMM_OK);
    assert_int_equal(second->map(&machine_tables, 0, BASE, 0x1000, FLAGS), VMM_OK);
    assert_int_equal(rh_translate(&hart, 0x200000, VMM_READ, &t), VMM_OK);
    assert_int_equal(t.page_shift, 12);
    assert_int_equal(second->map(&machine_tables, 0x80000000, BASE, 0x200000, FLAGS), VMM_OK);
    assert_int_equal(first->map(&guest_tables, 0x1000, 0x80001000, 0x1000, FLAGS), VMM_OK);
    assert_int_equal(rh_translate(&hart, 0x1000, VMM_READ, &t), VMM_OK);
    assert_int_equal(t.page_shift, 12);
    assert_int_equal(t.paddr, BASE + 0x1000);
    assert_int_equal(first->map(&guest_tables, 0x400000, 0x80000000, 0x200000, FLAGS), VMM_OK);
    assert_int_equal(rh_translate(&hart, 0x400000, VMM_READ, &t), VMM_OK);
    assert_int_equal(t.page_shift, 21);
}

/* ---- rights of the second stage ---------------------------------------------------------- */

static void test_every_access_is_judged_as_user_modes_by_the_second_stage(void **state)
{
    unsigned access, privilege;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++)
        for (privilege = 0; privilege < 2; privilege++) {
            start_as(0, 0, FLAGS, privilege ? FLAGS & ~(uint32_t)VMM_U : FLAGS);
            assert_int_equal(rh_set_privilege(&hart, privilege), VMM_OK);
            assert_int_equal(go(access, VA), VMM_OK);
            put(second_leaf(DATA), V | R | W | X | A | D);
            assert_guest_fault(access, VA, DATA, VMM_RULE_SUPERVISOR_PAGE, 0);
        }
}

static void test_rights_of_the_second_stage_are_judged_for_the_access_itself(void **state)
{
    static const uint64_t lacks[3] = {V | W | R | X | U | A | D, V | R | X | U | A | D, V | R | W | U | A | D};
    static const unsigned rules[3] = {VMM_RULE_READ, VMM_RULE_WRITE, VMM_RULE_EXECUTE};
    unsigned access;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        start();
        put(second_leaf(DATA), access == VMM_READ ? (uint64_t)(V | X | U | A | D) : lacks[access]);
        assert_guest_fault(access, VA + 0x18, DATA + 0x18, rules[access], 0);
        put(second_leaf(DATA), 0);
        assert_guest_fault(access, VA + 0x18, DATA + 0x18, VMM_RULE_VALID, 0);
    }
}

static void test_a_fault_of_the_first_stage_is_a_page_fault_still(void **state)
{
    unsigned access;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        start();
        put(first_leaf(VA, NULL), V | R | W | X | A | D);
        assert_fault(access, VA, VMM_PAGE_FAULT, VMM_RULE_SUPERVISOR_PAGE);
        assert_fault(access, VA + BIT(40), VMM_PAGE_FAULT, VMM_RULE_CANONICAL);
    }
}

static void test_a_page_out_of_memory_is_an_access_fault(void **state)
{
    unsigned access;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        start();
        *second_leaf(DATA) = (BASE + SIZE) >> 2 | V | R | W | X | U | A | D;
        assert_fault(access, VA, VMM_ACCESS_FAULT, VMM_RULE_BUS);
    }
    start();
    ram[(machine_tables.root - BASE) / 8 + (GUEST_BASE >> 30)] = (BASE + SIZE) >> 2 | V;
    assert_fault(VMM_WRITE, VA, VMM_ACCESS_FAULT, VMM_RULE_TABLE_MEMORY); /* a table of the second stage */
}

static void test_the_g_bit_of_the_second_stage_means_nothing(void **state)
{
    vmm_translation_t t;
    (void)state;
    start();
    put(second_leaf(DATA), V | R | W | X | U | G | A | D);
    assert_int_equal(rh_translate(&hart, VA, VMM_READ, &t), VMM_OK);
    assert_int_equal(t.flags & VMM_G, 0);
}

/* ---- accesses that the first stage makes ------------------------------------------------- */

static void test_reading_an_entry_is_a_load_to_the_second_stage_and_told_of_the_access(void **state)
{
    unsigned access;
    uint64_t gpa;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        start();
        first_leaf(VA, &gpa);
        put(second_leaf(gpa), V | R | U | A);
        assert_int_equal(go(access, VA), VMM_OK); /* its right alone, whatever the access is */
        put(second_leaf(gpa), V | X | U | A | D);
        assert_guest_fault(access, VA, gpa, VMM_RULE_READ, 0x3000);
        put(second_leaf(gpa), V | R | W | X | A | D);
        assert_guest_fault(access, VA, gpa, VMM_RULE_SUPERVISOR_PAGE, 0x3000);
        put(second_leaf(gpa), 0);
        assert_guest_fault(access, VA, gpa, VMM_RULE_VALID, 0x3000);
        put(second_leaf(guest_tables.root), 0);
        assert_guest_fault(access, VA, guest_tables.root, VMM_RULE_VALID, 0x3000);
    }
}

static void test_marking_an_entry_is_a_store_to_the_second_stage(void **state)
{
    unsigned access;
    uint64_t gpa, *leaf;
    (void)state;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        start();
        leaf = first_leaf(VA, &gpa);
        put(second_leaf(gpa), V | R | X | U | A | D);
        put(leaf, V | R | W | X | U | (access == VMM_WRITE ? A : 0));
        assert_guest_fault(access, VA, gpa, VMM_RULE_WRITE, 0x3020);
        assert_int_equal(*leaf & (A | D), access == VMM_WRITE ? A : 0);
        put(second_leaf(gpa), V | R | W | U);
        assert_int_equal(go(access, VA), VMM_OK);
        assert_int_equal(*leaf & (A | D), access == VMM_WRITE ? A | D : A);
        assert_int_equal(*second_leaf(gpa) & (A | D), A | D); /* written to */
    }
}

static void test_the_first_stage_marks_before_the_second_judges_the_access(void **state)
{
    uint64_t *leaf;
    (void)state;
    start();
    leaf = first_leaf(VA, NULL);
    put(leaf, V | R | W | X | U);
    put(second_leaf(DATA), V | R | U);
    assert_guest_fault(VMM_WRITE, VA, DATA, VMM_RULE_WRITE, 0);
    assert_int_equal(*leaf & (A | D), A | D);
    assert_int_equal(*second_leaf(DATA) & (A | D), 0);
}

static void test_tables_that_are_read_are_accessed_pages_and_not_dirty_ones(void **state)
{
    uint64_t gpa;
    (void)state;
    start_as(0, 0, FLAGS & ~(uint32_t)(VMM_A | VMM_D), FLAGS);
    first_leaf(VA, &gpa);
    assert_int_equal(go(VMM_WRITE, VA), VMM_OK);
    assert_int_equal(*second_leaf(guest_tables.root) & (A | D), A);
    assert_int_equal(*second_leaf(gpa) & (A | D), A);
    assert_int_equal(*second_leaf(DATA) & (A | D), A | D);
}

static void test_a_table_out_of_memory_is_an_access_fault(void **state)
{
    uint64_t gpa;
    (void)state;
    start();
    first_leaf(VA, &gpa);
    *second_leaf(gpa) = (BASE + SIZE) >> 2 | V | R | W | X | U | A | D;
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_TABLE_MEMORY);
}

/* ---- modifiers --------------------------------------------------------------------------- */

static void test_mxr_of_vsstatus_holds_for_the_first_stage_alone(void **state)
{
    (void)state;
    start();
    put(first_leaf(VA, NULL), V | X | U | A);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_READ);
    rh_set_vsstatus(&hart, MXR);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    put(second_leaf(DATA), V | X | U | A);
    assert_guest_fault(VMM_READ, VA, DATA, VMM_RULE_READ, 0);
}

static void test_mxr_of_mstatus_holds_for_both_stages_but_not_for_tables(void **state)
{
    uint64_t gpa;
    (void)state;
    start();
    put(first_leaf(VA, &gpa), V | X | U | A);
    put(second_leaf(DATA), V | X | U | A);
    assert_int_equal(rh_set_mstatus(&hart, MXR), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    put(second_leaf(gpa), V | X | U | A); /* entries are not read by explicit loads */
    assert_guest_fault(VMM_READ, VA, gpa, VMM_RULE_READ, 0x3000);
    put(second_leaf(gpa), V | R | U | A);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    assert_int_equal(rh_set_mstatus(&hart, 0), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_FAULT);
}

static void test_sum_of_vsstatus_is_obeyed_and_that_of_mstatus_is_not(void **state)
{
    (void)state;
    start();
    assert_int_equal(rh_set_privilege(&hart, 1), VMM_OK);
    assert_int_equal(rh_set_mstatus(&hart, SUM), VMM_OK);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
    rh_set_vsstatus(&hart, SUM);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    assert_fault(VMM_FETCH, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
}

static void test_mprv_with_mpv_makes_loads_and_stores_a_guests(void **state)
{
    const uint64_t mprv = BIT(17), mpv = BIT(39), supervisor = BIT(11);
    uint64_t value;
    (void)state;
    start();
    assert_int_equal(rh_set_privilege(&hart, 3), VMM_OK);
    assert_int_equal(rh_set_mstatus(&hart, mprv | mpv), VMM_OK);
    assert_int_equal(rh_store64(&hart, VA, 3), VMM_OK);
    assert_int_equal(rh_fetch64(&hart, GUEST_AT + 0x80000, &value), VMM_OK); /* fetches are machine mode's */
    assert_int_equal(value, 3);
    assert_int_equal(rh_set_mstatus(&hart, mprv | mpv | supervisor), VMM_OK);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
    assert_int_equal(rh_set_mstatus(&hart, mprv | supervisor), VMM_OK);
    assert_int_equal(rh_load64(&hart, GUEST_AT + 0x80000, &value), VMM_OK); /* satp is bare */
    assert_int_equal(rh_set_mstatus(&hart, mprv | mpv | 3 * supervisor), VMM_OK);
    assert_int_equal(rh_load64(&hart, GUEST_AT + 0x80000, &value), VMM_OK); /* MPP machine: MPV is not looked at */
}

static void test_machine_mode_and_the_hosts_modes_are_no_guests(void **state)
{
    uint64_t value;
    (void)state;
    start();
    assert_int_equal(rh_set_privilege(&hart, 3), VMM_OK); /* V is ignored */
    assert_int_equal(rh_load64(&hart, GUEST_AT, &value), VMM_OK);
    assert_int_equal(rh_set_privilege(&hart, 1), VMM_OK);
    rh_set_virtual(&hart, false);
    assert_int_equal(rh_load64(&hart, GUEST_AT, &value), VMM_OK);
    rh_set_virtual(&hart, true);
    assert_fault(VMM_READ, GUEST_AT, VMM_PAGE_FAULT, VMM_RULE_VALID);
}

/* ---- HLV, HSV, HLVX ---------------------------------------------------------------------- */

static void test_hlv_and_hsv_are_judged_with_the_privilege_of_spvp(void **state)
{
    uint64_t value;
    (void)state;
    start();
    rh_set_virtual(&hart, false);
    assert_int_equal(rh_set_privilege(&hart, 1), VMM_OK);
    assert_int_equal(rh_set_hlv(&hart, VMM_HLV), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    assert_int_equal(go(VMM_WRITE, VA), VMM_OK);
    rh_set_hstatus(&hart, SPVP);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
    assert_fault(VMM_WRITE, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
    rh_set_vsstatus(&hart, SUM);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    assert_int_equal(rh_fetch64(&hart, GUEST_AT, &value), VMM_OK); /* fetches are not */
    assert_int_equal(rh_set_mstatus(&hart, BIT(17) | UINT64_C(3) << 11), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK); /* nor does MPRV matter */
    assert_int_equal(rh_set_hlv(&hart, VMM_HLV_NONE), VMM_OK);
    assert_int_equal(go(VMM_READ, GUEST_AT), VMM_OK);
    assert_int_equal(rh_set_hlv(&hart, 3), VMM_E_ARGUMENT);
}

static void test_hlvx_reads_what_is_executable_in_both_stages(void **state)
{
    unsigned i, k;
    (void)state;
    for (i = 0; i < 4; i++)
        for (k = 0; k < 4; k++) {
            const uint64_t rights[4] = {R, X, R | X, R | W};
            start();
            rh_set_virtual(&hart, false);
            assert_int_equal(rh_set_hlv(&hart, VMM_HLVX), VMM_OK);
            put(first_leaf(VA, NULL), V | U | A | rights[i]);
            put(second_leaf(DATA), V | U | A | rights[k]);
            if (!(rights[i] & X)) {
                assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_READ);
            } else if (!(rights[k] & X)) {
                assert_guest_fault(VMM_READ, VA, DATA, VMM_RULE_EXECUTE, 0); /* told of a load */
            } else {
                assert_int_equal(go(VMM_READ, VA), VMM_OK);
            }
        }
}

static void test_hlvx_is_data_to_sum(void **state)
{
    (void)state;
    start();
    rh_set_virtual(&hart, false);
    rh_set_hstatus(&hart, SPVP);
    assert_int_equal(rh_set_hlv(&hart, VMM_HLVX), VMM_OK);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_USER_PAGE);
    rh_set_vsstatus(&hart, SUM);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
}

/* ---- extensions -------------------------------------------------------------------------- */

static void test_each_stage_has_its_own_adue(void **state)
{
    uint64_t *leaf;
    unsigned h, m;
    (void)state;
    for (m = 0; m < 2; m++)
        for (h = 0; h < 2; h++) {
            start();
            leaf = first_leaf(VA, NULL);
            rh_set_menvcfg(&hart, (uint64_t)m << 61);
            rh_set_henvcfg(&hart, (uint64_t)h << 61);
            put(leaf, V | R | W | X | U);
            if (m && h) assert_int_equal(go(VMM_READ, VA), VMM_OK);
            else assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_ACCESSED);
            put(leaf, V | R | W | X | U | A | D);
            put(second_leaf(DATA), V | R | W | X | U);
            if (m) assert_int_equal(go(VMM_READ, VA), VMM_OK);
            else assert_guest_fault(VMM_READ, VA, DATA, VMM_RULE_ACCESSED, 0);
        }
}

static void test_each_stage_has_its_own_pbmte(void **state)
{
    unsigned h, m;
    (void)state;
    for (m = 0; m < 2; m++)
        for (h = 0; h < 2; h++) {
            start();
            rh_set_menvcfg(&hart, (uint64_t)m << 62 | BIT(61));
            rh_set_henvcfg(&hart, (uint64_t)h << 62 | BIT(61));
            *first_leaf(VA, NULL) |= BIT(61);
            if (m && h) assert_int_equal(go(VMM_READ, VA), VMM_OK);
            else assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_MEMORY_TYPE);
            start();
            rh_set_menvcfg(&hart, (uint64_t)m << 62 | BIT(61));
            *second_leaf(DATA) |= BIT(61);
            if (m) assert_int_equal(go(VMM_READ, VA), VMM_OK);
            else assert_guest_fault(VMM_READ, VA, DATA, VMM_RULE_MEMORY_TYPE, 0);
        }
}

/* Sixteen pages that lie together: each leads to its own, in one stage or the other. */
static void test_contiguous_pages_work_in_both_stages(void **state)
{
    unsigned stage, i;
    vmm_translation_t t;
    (void)state;
    for (stage = 0; stage < 2; stage++) {
        start();
        for (i = 0; i < 16; i++) {
            const uint64_t napot = (UINT64_C(0x8000) >> 2 | BIT(63)) | V | R | U | A;
            if (stage) *second_leaf(DATA + i * 4096u) = (GUEST_AT + 0x80000) >> 2 | napot;
            else assert_int_equal(first->map(&guest_tables, VA + 0x100000 + i * 4096u, DATA, 4096, FLAGS), VMM_OK);
            if (!stage) *first_leaf(VA + 0x100000 + i * 4096u, NULL) = DATA >> 2 | napot;
        }
        if (stage) assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
        for (i = 0; i < 16; i++) {
            const uint64_t va = stage ? DATA : VA + 0x100000;
            assert_int_equal(rh_translate(&hart, va + i * 4096u, VMM_READ, &t), VMM_OK);
            assert_int_equal(t.paddr, GUEST_AT + 0x80000 + i * 4096u);
        }
    }
}

/* ---- several pages, physical check ------------------------------------------------------- */

static void test_across_two_pages_the_fault_tells_the_addresses_of_the_second(void **state)
{
    uint64_t value;
    (void)state;
    start();
    put(second_leaf(DATA + 0x1000), 0);
    assert_int_equal(rh_load64(&hart, VA + 0xffc, &value), VMM_FAULT);
    assert_int_equal(hart.fault.cause, 21);
    assert_int_equal(hart.fault.vaddr, VA + 0x1000);
    assert_int_equal(hart.fault.guest_paddr, DATA + 0x1000);
}

static int refuse(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    const uint64_t *what = (const uint64_t *)user; /* a page, and the accesses that it refuses */
    (void)privilege;
    return paddr <= what[0] + 4095 && paddr + bytes > what[0] && (what[1] >> access & 1);
}

static void test_the_physical_check_is_asked_about_every_access_of_both_walks(void **state)
{
    uint64_t what[2], gpa;
    (void)state;
    start();
    first_leaf(VA, &gpa);
    rh_set_check(&hart, refuse, what);
    what[1] = 1u << VMM_READ;
    what[0] = machine_tables.root;
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    what[0] = gpa - GUEST_BASE + GUEST_AT;
    what[0] &= ~UINT64_C(0xfff);
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    what[1] = 1u << VMM_WRITE;
    assert_int_equal(go(VMM_FETCH, VA), VMM_OK);
    put(first_leaf(VA, NULL), V | R | W | X | U);
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    put(first_leaf(VA, NULL), V | R | W | X | U | A | D);
    put(second_leaf(DATA), V | R | W | X | U);
    what[0] = ((uint64_t)((uint8_t *)second_leaf(DATA) - (uint8_t *)ram) + BASE) & ~UINT64_C(0xfff);
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    what[0] = GUEST_AT + 0x80000;
    what[1] = 1u << VMM_FETCH;
    assert_fault(VMM_FETCH, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    assert_int_equal(rh_set_hlv(&hart, VMM_HLVX), VMM_OK); /* both are asked for */
    assert_int_equal(go(VMM_WRITE, VA), VMM_OK);           /* of a load */
    assert_fault(VMM_READ, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
    what[1] = 1u << VMM_READ;
    assert_fault(VMM_READ, VA, VMM_ACCESS_FAULT, VMM_RULE_CHECK);
}

/* Another hart rewrites an entry between its reading and its marking: user is the entry, and what it becomes. */
static int rewrite(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    uint64_t **what = (uint64_t **)user;
    (void)bytes, (void)privilege;
    if (access == VMM_WRITE && what[0] == &ram[(paddr - BASE) / 8]) *what[0] = *what[1];
    return 0;
}

static void test_an_entry_that_changes_before_it_is_marked_is_read_again(void **state)
{
    uint64_t becomes, *what[2];
    vmm_translation_t t;
    unsigned stage;
    (void)state;
    for (stage = 0; stage < 2; stage++) {
        start();
        what[0] = stage ? second_leaf(DATA) : first_leaf(VA, NULL);
        what[1] = &becomes;
        becomes = ((stage ? GUEST_AT : GUEST_BASE) + 0x90000) >> 2 | V | R | U | A;
        put(what[0], V | R | U);
        rh_set_check(&hart, rewrite, what);
        assert_int_equal(rh_translate(&hart, VA, VMM_READ, &t), VMM_OK);
        assert_int_equal(t.paddr, GUEST_AT + 0x90000);
        put(what[0], V | R | U);
        becomes = 0;
        assert_int_equal(go(VMM_READ, VA), VMM_FAULT);
        assert_int_equal(hart.fault.cause, stage ? 21 : 13);
    }
}

/* ---- remembering and forgetting ---------------------------------------------------------- */

static void test_hfence_vvma_forgets_the_first_stage(void **state)
{
    const uint16_t asid = 7, other = 8;
    const vmm_vaddr_t va = VA + 8;
    unsigned how;
    (void)state;
    for (how = 0; how < 4; how++) {
        start();
        assert_int_equal(go(VMM_READ, VA), VMM_OK);
        *first_leaf(VA, NULL) = 0;
        assert_int_equal(go(VMM_READ, VA), VMM_OK); /* remembered */
        rh_hfence_vvma(&hart, NULL, &other);
        assert_int_equal(go(VMM_READ, VA), VMM_OK); /* of another space */
        rh_hfence_vvma(&hart, how & 1 ? &va : NULL, how & 2 ? &asid : NULL);
        assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_VALID);
    }
}

static void test_hfence_gvma_forgets_the_second_stage(void **state)
{
    const uint16_t vmid = 5, other = 6;
    const vmm_paddr_t gpa = DATA;
    unsigned how;
    (void)state;
    for (how = 0; how < 4; how++) {
        start();
        assert_int_equal(go(VMM_READ, VA), VMM_OK);
        *second_leaf(DATA) = 0;
        rh_hfence_gvma(&hart, NULL, &other);
        assert_int_equal(go(VMM_READ, VA), VMM_OK); /* of another machine */
        rh_hfence_gvma(&hart, how & 1 ? &gpa : NULL, how & 2 ? &vmid : NULL);
        assert_int_equal(go(VMM_READ, VA), VMM_FAULT);
        assert_int_equal(hart.fault.cause, 21);
    }
}

static void test_hfence_vvma_is_for_the_virtual_machine_that_hgatp_names(void **state)
{
    uint64_t kept, *leaf;
    (void)state;
    start();
    leaf = first_leaf(VA, NULL);
    kept = *leaf;
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    *leaf = 0;
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 6, machine_tables.root)), VMM_OK);
    rh_hfence_vvma(&hart, NULL, NULL);
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 5, machine_tables.root)), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
    *leaf = kept;
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 6, machine_tables.root)), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK); /* now the other machine knows it too */
    *leaf = 0;
    rh_hfence_vvma(&hart, NULL, NULL);
    assert_fault(VMM_READ, VA, VMM_PAGE_FAULT, VMM_RULE_VALID);
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 5, machine_tables.root)), VMM_OK);
    assert_int_equal(go(VMM_READ, VA), VMM_OK);
}

static void test_one_page_of_a_guests_huge_page_forgets_all_its_pieces(void **state)
{
    const vmm_vaddr_t va = 0x200000;
    uint64_t value;
    unsigned how;
    (void)state;
    for (how = 0; how < 2; how++) {
        start();
        assert_int_equal(first->map(&guest_tables, 0x200000, 0x40000000, 0x200000, FLAGS), VMM_OK);
        assert_int_equal(rh_load64(&hart, 0x205000, &value), VMM_OK);
        *first_leaf(0x200000, NULL) = 0;
        assert_int_equal(rh_load64(&hart, 0x205000, &value), VMM_OK);
        if (how) rh_flush_page(&hart, va);
        else rh_hfence_vvma(&hart, &va, NULL);
        assert_int_equal(rh_load64(&hart, 0x205000, &value), VMM_FAULT);
    }
}

static void test_guests_and_hosts_do_not_see_each_others_translations(void **state)
{
    uint64_t value;
    unsigned round;
    (void)state;
    start();
    ram[(GUEST_AT + 0x80000 - BASE) / 8] = 1;
    ram[(BASE + 0x10000) / 8 % (SIZE / 8)] = 0;
    assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK); /* all three bare or nearly so: the roots are alike */
    assert_int_equal(second->map(&machine_tables, BASE, GUEST_AT + 0x80000, 0x1000, FLAGS), VMM_OK);
    ram[0] = 2;
    for (round = 0; round < 4; round++) {
        rh_set_virtual(&hart, true);
        assert_int_equal(rh_load64(&hart, BASE, &value), VMM_OK);
        assert_int_equal(value, 1);
        rh_set_virtual(&hart, false);
        assert_int_equal(rh_load64(&hart, BASE, &value), VMM_OK);
        assert_int_equal(value, 2);
    }
}

/* A host whose satp is the guest's vsatp number for number, walked first so that a walk cache knows it. */
static void test_the_walk_cache_of_a_host_is_not_a_guests(void **state)
{
    uint64_t value;
    (void)state;
    start();
    assert_int_equal(rh_set_hgatp(&hart, satp_of(8, 0, BASE + 0x180000)), VMM_OK);
    memset(&ram[0x180000 / 8], 0, 0x4000);
    ram[0x180000 / 8 + 2] = BASE >> 2 | V | R | W | U | A | D; /* 1 GiB from BASE, to itself */
    assert_int_equal(rh_set_vsatp(&hart, satp_of(8, 0, machine_tables.root)), VMM_OK);
    assert_int_equal(rh_set_satp(&hart, satp_of(8, 0, machine_tables.root)), VMM_OK);
    rh_set_virtual(&hart, false);
    assert_int_equal(rh_load64(&hart, DATA, &value), VMM_OK);
    assert_int_equal(rh_load64(&hart, DATA + 0x1000, &value), VMM_OK);
    put(second_leaf(DATA + 0x1000), V | R | U | A);
    ram[0x180000 / 8 + 2] = 0;
    rh_flush_all(&hart);
    assert_int_equal(rh_load64(&hart, DATA, &value), VMM_OK);
    rh_set_virtual(&hart, true);
    assert_int_equal(rh_load64(&hart, DATA + 0x1000, &value), VMM_FAULT);
    assert_int_equal(hart.fault.cause, 21);
}

static void test_a_modelled_tlb_is_left_out_for_guests(void **state)
{
    static student_mmu_t mmu;
    uint64_t value;
    (void)state;
    start();
    assert_int_equal(student_init(&mmu, &machine_memory), VMM_OK);
    student_set_virtual(&mmu, true);
    assert_int_equal(student_set_privilege(&mmu, 0), VMM_OK);
    assert_int_equal(student_set_vsatp(&mmu, hart.registers.vsatp), VMM_OK);
    assert_int_equal(student_set_hgatp(&mmu, hart.registers.hgatp), VMM_OK);
    assert_int_equal(student_load64(&mmu, VA, &value), VMM_OK);
    assert_int_equal(student_load64(&mmu, VA, &value), VMM_OK);
    assert_int_equal(mmu.stats.tlb_hits + mmu.stats.tlb_misses, 0);
    assert_int_equal(mmu.stats.walks, 2);
}

static void test_the_detector_sees_a_missing_fence_of_either_stage(void **state)
{
    static watching_mmu_t mmu;
    uint64_t value;
    unsigned stage;
    (void)state;
    for (stage = 0; stage < 2; stage++) {
        start();
        assert_int_equal(watching_init(&mmu, &machine_memory), VMM_OK);
        watching_set_virtual(&mmu, true);
        assert_int_equal(watching_set_privilege(&mmu, 0), VMM_OK);
        assert_int_equal(watching_set_vsatp(&mmu, hart.registers.vsatp), VMM_OK);
        assert_int_equal(watching_set_hgatp(&mmu, hart.registers.hgatp), VMM_OK);
        assert_int_equal(watching_load64(&mmu, VA, &value), VMM_OK);
        assert_int_equal(watching_load64(&mmu, VA, &value), VMM_OK);
        assert_int_equal(mmu.stats.stale, 0);
        *(stage ? second_leaf(DATA) : first_leaf(VA, NULL)) = 0;
        assert_int_equal(watching_load64(&mmu, VA, &value), VMM_OK);
        assert_int_equal(mmu.stats.stale, 1);
    }
}

static void test_looking_leaves_no_traces_in_either_stage(void **state)
{
    static uint64_t before[SIZE / 8];
    vmm_examination_t x;
    (void)state;
    start_as(0, 0, ALL | VMM_U, ALL | VMM_U);
    memcpy(before, ram, sizeof ram);
    rh_examine(&hart, VA + 8, VMM_WRITE, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.steps, 3);
    assert_ptr_equal(x.paging, &vmm_sv39);
    assert_int_equal(x.translation.paddr, GUEST_AT + 0x80008);
    rh_set_henvcfg(&hart, 0); /* then the second stage alone would mark */
    rh_examine(&hart, VA + 8, VMM_WRITE, &x);
    assert_int_equal(x.fault.cause, 15);
    assert_int_equal(rh_set_vsatp(&hart, 0), VMM_OK);
    rh_examine(&hart, DATA + 8, VMM_WRITE, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.translation.paddr, GUEST_AT + 0x80008);
    assert_memory_equal(before, ram, sizeof ram);
    assert_int_equal(hart.stats.walks, 0);
    assert_string_equal(vmm_fault_text(VMM_GUEST_PAGE_FAULT), "guest-page fault");
}

/* ---- RV32 -------------------------------------------------------------------------------- */

static void test_rv32_has_sv32_behind_sv32x4(void **state)
{
    const vmm_memory_t memory = {ram, BASE, SIZE, {NULL, NULL, NULL}, 0};
    const vmm_memory_t guest = {ram + (GUEST_AT - BASE) / 8, UINT64_C(0x340000000), GUEST_SIZE, {NULL, NULL, NULL}, 0};
    static narrow_mmu_t mmu;
    uint32_t value;
    (void)state;
    memset(ram, 0, sizeof ram);
    frames_of(&machine_frames, &machine_tables, &memory, BASE, BASE + 0x100000);
    frames_of(&guest_frames, &guest_tables, &guest, UINT64_C(0x340000000), UINT64_C(0x340080000));
    assert_int_equal(sv32x4_create(&machine_tables), VMM_OK);
    assert_int_equal(sv32x4_map(&machine_tables, UINT64_C(0x340000000), GUEST_AT, GUEST_SIZE, FLAGS), VMM_OK);
    assert_int_equal(sv32_create(&guest_tables), VMM_OK);
    assert_int_equal(sv32_map(&guest_tables, 0xfffff000, UINT64_C(0x340080000), 0x1000, FLAGS), VMM_OK);
    ram[(GUEST_AT + 0x80008 - BASE) / 8] = 0x1234;
    assert_int_equal(narrow_init(&mmu, &memory), VMM_OK);
    narrow_set_virtual(&mmu, true);
    assert_int_equal(narrow_set_privilege(&mmu, 0), VMM_OK);
    assert_int_equal(narrow_set_vsatp(&mmu, BIT(31) | UINT64_C(9) << 22 | guest_tables.root >> 12), VMM_OK);
    assert_int_equal(narrow_set_hgatp(&mmu, BIT(31) | UINT64_C(0x55) << 22 | machine_tables.root >> 12 | 3), VMM_OK);
    assert_int_equal(mmu.registers.hgatp, BIT(31) | UINT64_C(0x55) << 22 | machine_tables.root >> 12);
    assert_int_equal(mmu.state.view[VMM_READ].context.vmid, 0x55);
    assert_int_equal(narrow_load32(&mmu, 0xfffff008, &value), VMM_OK);
    assert_int_equal(value, 0x1234);
    assert_int_equal(sv32_map(&guest_tables, 0, UINT64_C(0x3f0000000), 0x1000, FLAGS), VMM_OK);
    assert_int_equal(narrow_load32(&mmu, 8, &value), VMM_FAULT);
    assert_int_equal(mmu.fault.cause, 21);
    assert_int_equal(mmu.fault.guest_paddr, UINT64_C(0x3f0000008));
    assert_int_equal(narrow_set_vsatp(&mmu, BIT(31) | 5), VMM_OK); /* the guest's table is nowhere */
    assert_int_equal(narrow_load32(&mmu, 8, &value), VMM_FAULT);
    assert_int_equal(mmu.fault.guest_paddr, 0x5000);
    assert_int_equal(mmu.fault.code, 0x2000);
    assert_int_equal(narrow_set_hgatp(&mmu, 0), VMM_OK);
    assert_int_equal(narrow_set_vsatp(&mmu, 0), VMM_OK);
    assert_int_equal(narrow_load32(&mmu, (vmm_vaddr_t)BASE, &value), VMM_OK);
}

/* ---- random tables against the manual ---------------------------------------------------- */

/* "Virtual Address Translation Process" and "Two-Stage Address Translation", step by step, on a RAM of its own. */
typedef struct manual {
    uint64_t vsatp, hgatp, va;
    unsigned privilege, access;
    bool hlvx, sum, vs_mxr, hs_mxr, m_pbmte, h_pbmte, m_adue, h_adue;
    uint64_t gpa, paddr; /* answers: of a guest-page fault; of an access that is done */
    uint32_t tinst;
} manual_t;

static uint64_t manual_ram[SIZE / 8];

enum {
    LOAD,
    STORE,
    EXECUTE,
    LOAD_EXECUTABLE
};

static uint64_t *manual_at(uint64_t paddr)
{
    return paddr >= BASE && paddr < BASE + SIZE ? &manual_ram[(paddr - BASE) / 8] : NULL;
}

/* Steps 3 and 4: 'p' a page fault, 't' a pointer, 'l' a leaf. */
static char manual_entry(uint64_t pte, unsigned i)
{
    const bool leaf = (pte & (R | X)) != 0;
    if (!(pte & V) || (pte & (R | W)) == W || (pte >> 54 & 0x7f)) return 'p';
    if (leaf) return 'l';
    return i == 0 || (pte & (D | A | U)) || pte >> 61 ? 'p' : 't';
}

/* What is wrong with the high bits of a leaf, or with its alignment (steps 3 and 5). */
static bool manual_leaf_bad(uint64_t pte, unsigned i, bool pbmte)
{
    const uint64_t ppn = pte >> 10 & ((UINT64_C(1) << 44) - 1);
    const unsigned pbmt = (unsigned)(pte >> 61) & 3;
    if (pbmt == 3 || (pbmt != 0 && !pbmte)) return true;
    if (pte >> 63 && (i > 0 || (ppn & 15) != 8)) return true;
    return (ppn & ((UINT64_C(1) << 9 * i) - 1)) != 0;
}

static bool manual_right(uint64_t pte, unsigned kind, bool mxr)
{
    if (kind == STORE) return (pte & W) != 0;
    if (kind != LOAD) return (pte & X) != 0;
    return (pte & R) || (mxr && (pte & X));
}

static uint64_t manual_reach(uint64_t pte, unsigned i, uint64_t from)
{
    const unsigned bits = 12 + 9 * i + (pte >> 63 ? 4 : 0);
    const uint64_t offset = from & ((UINT64_C(1) << bits) - 1);
    return (pte >> 10 & ((UINT64_C(1) << 44) - 1)) << 12 >> bits << bits | offset;
}

/* The second stage for a guest physical address: 0, 'g' a guest-page fault, 'a' an access fault. */
static char manual_second(manual_t *m, uint64_t gpa, unsigned kind, uint32_t tinst, uint64_t *paddr)
{
    const unsigned mode = (unsigned)(m->hgatp >> 60), levels = mode - 5;
    uint64_t a = (m->hgatp & ((UINT64_C(1) << 44) - 1)) << 12, *at, marks = A | (kind == STORE ? D : 0);
    unsigned i;
    *paddr = gpa;
    if (mode == 0) return gpa >> 56 ? 'a' : 0;
    m->gpa = gpa;
    m->tinst = tinst;
    if (gpa >> (14 + 9 * levels)) return 'g';
    for (i = levels - 1;; i--) {
        const uint64_t index = gpa >> (12 + 9 * i) & (i == levels - 1 ? 0x7ff : 0x1ff);
        at = manual_at(a + 8 * index);
        if (!at) return 'a';
        if (manual_entry(*at, i) == 'p') return 'g';
        if (manual_entry(*at, i) == 'l') break;
        a = (*at >> 10 & ((UINT64_C(1) << 44) - 1)) << 12;
    }
    if (manual_leaf_bad(*at, i, m->m_pbmte) || !(*at & U)) return 'g';
    if (!manual_right(*at, kind, m->hs_mxr && !tinst)) return 'g';
    if (!m->m_adue && (*at & marks) != marks) return 'g';
    *at |= marks;
    *paddr = manual_reach(*at, i, gpa);
    return 0;
}

/* Steps 6 and 8 of the first stage. */
static bool manual_first_allows(const manual_t *m, uint64_t pte, unsigned kind)
{
    if (m->privilege == 0 && !(pte & U)) return false;
    if (m->privilege == 1 && (pte & U) && (kind == EXECUTE || !m->sum)) return false;
    return manual_right(pte, kind, m->vs_mxr || m->hs_mxr);
}

/* Both stages: 0, 'p', 'g' or 'a'. */
static char manual_access(manual_t *m)
{
    const unsigned mode = (unsigned)(m->vsatp >> 60), levels = mode - 5, va_bits = 12 + 9 * levels;
    const unsigned kind = m->hlvx && m->access == LOAD ? (unsigned)LOAD_EXECUTABLE : m->access;
    uint64_t a = (m->vsatp & ((UINT64_C(1) << 44) - 1)) << 12, *at, where, marks = A | (kind == STORE ? D : 0);
    unsigned i;
    char bad;
    if (mode == 0) return manual_second(m, m->va, kind, 0, &m->paddr);
    if ((uint64_t)((int64_t)(m->va << (64 - va_bits)) >> (64 - va_bits)) != m->va) return 'p';
    for (i = levels - 1;; i--) {
        const uint64_t gpa = a + 8 * (m->va >> (12 + 9 * i) & 0x1ff);
        bad = manual_second(m, gpa, LOAD, 0x3000, &where);
        if (bad) return bad;
        at = manual_at(where);
        if (!at) return 'a';
        if (manual_entry(*at, i) == 'p') return 'p';
        if (manual_entry(*at, i) == 'l') {
            if (manual_leaf_bad(*at, i, m->m_pbmte && m->h_pbmte) || !manual_first_allows(m, *at, kind)) return 'p';
            if ((*at & marks) == marks) break;
            if (!m->m_adue || !m->h_adue) return 'p';
            bad = manual_second(m, gpa, STORE, 0x3020, &where);
            if (bad) return bad;
            *at |= marks;
            break;
        }
        a = (*at >> 10 & ((UINT64_C(1) << 44) - 1)) << 12;
    }
    return manual_second(m, manual_reach(*at, i, m->va), kind, 0, &m->paddr);
}

/* The random machine. Frames of RAM: 0 to 3 and 4 to 7 roots of the second stage, 8 to 11 its tables above the lowest
 * (level 1, 2, 3, 1), 12 to 15 its lowest, which map guest pages 0 to 63; 32 to 63 tables of the first stage, which are
 * guest pages 0 to 31, that of number n being meant for level n % 5; 64 on data. */
static uint64_t seed = 88172645463325252u;

static unsigned below(unsigned n)
{
    return (unsigned)(helper_random(&seed) % n);
}

static void set_both(unsigned frame, unsigned index, uint64_t pte)
{
    ram[frame * 512 + index] = manual_ram[frame * 512 + index] = pte;
}

static uint64_t entry_to(uint64_t page, uint64_t flags)
{
    uint64_t pte = page << 10 | flags;
    if (below(40) == 0) pte ^= BIT(below(64));
    if (below(20) == 0) pte ^= BIT(below(8));
    if (below(30) == 0) pte |= (uint64_t)below(4) << 61;
    if (below(40) == 0) pte = (pte & ~UINT64_C(0x3c00)) | 8u << 10 | BIT(63);
    return pte;
}

static uint64_t some_flags(void)
{
    const unsigned marks = below(3);
    return V |
           (below(4)   ? R | W | X
            : below(3) ? R | W
                       : X) |
           (below(6) ? U : 0) | (marks ? A : 0) | (marks > 1 ? D : 0) | (below(6) ? 0 : G);
}

static void mutate_second(void)
{
    const uint64_t host = BASE >> 12, leaf = V | R | W | X | U | A | D;
    const unsigned frame = below(16);
    if (frame >= 12) {
        const unsigned i = below(64);
        set_both(frame, i, entry_to(host + (below(8) ? 32 + i : below(128)), below(3) ? leaf : some_flags() | U));
    } else if (frame >= 8) {
        const unsigned to = frame == 9 ? (below(2) ? 8 : 11) : frame == 10 ? 9 : 12 + below(4);
        set_both(frame, 0, entry_to(host + to, V));
        set_both(frame, 1, entry_to(host + (frame == 9 ? 0 : below(2) * 512), some_flags() | U));
    } else {
        const unsigned mode = below(4), to = mode == 0 ? 10u : mode == 1 ? 9u : 8u;
        set_both(frame & 4, 0, entry_to(host + to, V));
        set_both(frame & 4, 1, entry_to(host, some_flags() | U));
        set_both((frame & 4) + 3, 0, entry_to(host + (below(2) ? to : 0), below(2) ? (uint64_t)V : some_flags() | U));
    }
}

static void mutate_first(void)
{
    const unsigned table = below(32), level = table % 5, hot = below(5), index = hot == 4 ? 511 : hot;
    const unsigned below_it = (level ? level - 1 : 0) + 5 * below(6);
    const uint64_t small = below(64), huge = level == 1 ? below(3) * 512 : level == 2 ? below(3) * 0x40000 : 0;
    const uint64_t wide = below(30) ? 0 : UINT64_C(3) << 27; /* index 0x600 of a root of Sv39x4 */
    if (level && below(5)) set_both(32 + table, index, entry_to(below_it, V | (below(4) ? 0 : G)));
    else set_both(32 + table, index, entry_to((level ? huge : small) | wide, some_flags()));
}

static uint64_t some_address(const manual_t *m)
{
    const unsigned mode = (unsigned)(m->vsatp >> 60), levels = mode ? mode - 5 : 5;
    uint64_t va = below(512) * 8u;
    unsigned i;
    if (mode == 0) {
        va |= (uint64_t)below(64) << 12 | (uint64_t)below(2) << 21 | (below(20) ? 0 : BIT(30 + below(34)));
        return below(3) ? va : va | BIT(30);
    }
    for (i = 0; i < levels; i++) va |= (uint64_t)(below(8) ? below(4) : 511) << (12 + 9 * i);
    va = vmm_make_canonical(first_stages[mode - 8].paging, va);
    return below(30) ? va : va ^ BIT(11 + 9 * levels + below(52 - 9 * levels));
}

static void change_registers(manual_t *m)
{
    const unsigned vm = below(2), root = below(5), mode = 8 + below(3);
    const unsigned bits = below(512);
    uint64_t menvcfg, henvcfg;
    m->hgatp = below(8) ? satp_of(8 + below(below(3) ? 1 : 3), vm + 1, BASE + vm * 0x4000) : 0;
    m->vsatp = below(8) ? satp_of(mode, below(3), (uint64_t)((mode - 6) + 5 * root) << 12) : 0;
    if (m->hgatp == 0 && m->vsatp) m->vsatp += (BASE + 0x20000) >> 12; /* where the tables then are, but not for long */
    m->vs_mxr = bits & 1;
    m->hs_mxr = (bits & 6) == 6;
    m->sum = (bits & 8) != 0;
    m->privilege = bits >> 4 & 1;
    m->hlvx = (bits & 0x60) == 0x60;
    assert_int_equal(rh_set_hgatp(&hart, m->hgatp), VMM_OK);
    assert_int_equal(rh_set_vsatp(&hart, m->vsatp), VMM_OK);
    rh_set_vsstatus(&hart, (m->vs_mxr ? MXR : 0) | (m->sum ? SUM : 0));
    assert_int_equal(rh_set_mstatus(&hart, (m->hs_mxr ? MXR : 0) | (bits & 0x100 ? SUM : 0)), VMM_OK);
    rh_set_hstatus(&hart, m->privilege ? SPVP : 0);
    if (below(8)) return;
    m->m_adue = below(4) != 0;
    m->h_adue = below(4) != 0;
    m->m_pbmte = below(2) != 0;
    m->h_pbmte = below(2) != 0;
    menvcfg = (m->m_adue ? BIT(61) : 0) | (m->m_pbmte ? BIT(62) : 0);
    henvcfg = (m->h_adue ? BIT(61) : 0) | (m->h_pbmte ? BIT(62) : 0);
    rh_set_menvcfg(&hart, menvcfg);
    rh_set_henvcfg(&hart, henvcfg);
}

/* Fences as the manual asks for them: after tables of the first stage have changed, one for each machine. */
static void fence(const manual_t *m, bool second_changed)
{
    unsigned vm;
    if (second_changed) {
        rh_hfence_gvma(&hart, NULL, NULL);
        return;
    }
    for (vm = 0; vm < 3; vm++) {
        assert_int_equal(rh_set_hgatp(&hart, satp_of(8, vm, BASE)), VMM_OK);
        rh_hfence_vvma(&hart, NULL, NULL);
    }
    assert_int_equal(rh_set_hgatp(&hart, m->hgatp), VMM_OK);
}

/* The guest's own mode, or HLV and the like. */
static void enter(const manual_t *m)
{
    const bool hlv = m->hlvx || (m->access != EXECUTE && below(4) == 0);
    rh_set_virtual(&hart, !hlv);
    assert_int_equal(rh_set_privilege(&hart, hlv ? 1 : m->privilege), VMM_OK);
    assert_int_equal(rh_set_hlv(&hart, m->hlvx ? VMM_HLVX : hlv ? VMM_HLV : VMM_HLV_NONE), VMM_OK);
}

static uint64_t outcomes[256];

static uint64_t *counted(char what)
{
    return &outcomes[(unsigned char)what];
}

static void assert_same_access(manual_t *m)
{
    const uint64_t data = helper_random(&seed);
    uint64_t value = data, *at;
    vmm_status_t status;
    char bad = manual_access(m);
    at = manual_at(m->paddr);
    if (!bad && !at) bad = 'a';
    status = m->access == STORE     ? rh_store64(&hart, m->va, data)
             : m->access == EXECUTE ? rh_fetch64(&hart, m->va, &value)
                                    : rh_load64(&hart, m->va, &value);
    ++*counted(bad);
    assert_int_equal(status, bad ? VMM_FAULT : VMM_OK);
    if (bad) {
        const uint8_t *causes = bad == 'p' ? page_cause : bad == 'g' ? guest_cause : access_cause;
        assert_int_equal(hart.fault.cause, causes[m->access]);
        assert_int_equal(hart.fault.vaddr, m->va);
        if (bad == 'g') assert_int_equal(hart.fault.guest_paddr, m->gpa);
        if (bad == 'g') assert_int_equal(hart.fault.code, m->tinst);
    } else if (m->access == STORE) {
        *at = data;
        assert_int_equal(ram[at - manual_ram], data);
        if (m->paddr < BASE + 64 * 4096) rh_flush_all(&hart); /* it may have been a table */
    } else {
        assert_int_equal(value, *at);
    }
    assert_int_equal(memcmp(ram, manual_ram, 64 * 4096), 0);
}

static void test_random_tables_agree_with_the_manual(void **state)
{
    const vmm_memory_t memory = {ram, BASE, SIZE, {NULL, NULL, NULL}, 0};
    manual_t m;
    unsigned round, i;
    (void)state;
    memset(&m, 0, sizeof m);
    memset(outcomes, 0, sizeof outcomes);
    for (i = 0; i < SIZE / 8; i++) ram[i] = manual_ram[i] = i < 64 * 512 ? 0 : i * 8;
    for (i = 0; i < 2000; i++) mutate_second(), mutate_first();
    for (i = 0; i < 256; i++) set_both(12 + i % 4, i / 4, (BASE >> 12 | (32 + i / 4)) << 10 | V | R | W | X | U);
    assert_int_equal(rh_init(&hart, &memory), VMM_OK);
    m.m_adue = m.h_adue = true;
    for (round = 0; round < 60000; round++) {
        if (round % 40 == 0) change_registers(&m);
        if (below(5) == 0) m.privilege = hart.registers.hstatus & SPVP ? 1 : 0;
        if (below(20) == 0) {
            const bool which = below(2) != 0;
            if (which) mutate_second();
            else mutate_first();
            fence(&m, which);
        }
        m.va = some_address(&m);
        m.access = m.hlvx ? (unsigned)LOAD : below(3);
        enter(&m);
        for (i = 0; i < 2; i++) assert_same_access(&m); /* the second finds the first's marks and what was remembered */
    }
    assert_true(*counted(0) > 10000 && *counted('p') > 10000 && *counted('g') > 10000 && *counted('a') > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_goes_through_both_stages),
        cmocka_unit_test(test_with_vsatp_bare_the_second_stage_alone_translates),
        cmocka_unit_test(test_with_hgatp_bare_guest_addresses_are_physical),
        cmocka_unit_test(test_guest_addresses_wider_than_the_second_stage_are_guest_page_faults),
        cmocka_unit_test(test_the_root_of_the_second_stage_has_two_index_bits_more),
        cmocka_unit_test(test_the_root_of_the_second_stage_is_aligned_to_16_kib),
        cmocka_unit_test(test_an_unknown_mode_leaves_hgatps_mode_and_all_of_vsatp),
        cmocka_unit_test(test_a_combined_translation_covers_the_smaller_page),
        cmocka_unit_test(test_every_access_is_judged_as_user_modes_by_the_second_stage),
        cmocka_unit_test(test_rights_of_the_second_stage_are_judged_for_the_access_itself),
        cmocka_unit_test(test_a_fault_of_the_first_stage_is_a_page_fault_still),
        cmocka_unit_test(test_a_page_out_of_memory_is_an_access_fault),
        cmocka_unit_test(test_the_g_bit_of_the_second_stage_means_nothing),
        cmocka_unit_test(test_reading_an_entry_is_a_load_to_the_second_stage_and_told_of_the_access),
        cmocka_unit_test(test_marking_an_entry_is_a_store_to_the_second_stage),
        cmocka_unit_test(test_the_first_stage_marks_before_the_second_judges_the_access),
        cmocka_unit_test(test_tables_that_are_read_are_accessed_pages_and_not_dirty_ones),
        cmocka_unit_test(test_a_table_out_of_memory_is_an_access_fault),
        cmocka_unit_test(test_mxr_of_vsstatus_holds_for_the_first_stage_alone),
        cmocka_unit_test(test_mxr_of_mstatus_holds_for_both_stages_but_not_for_tables),
        cmocka_unit_test(test_sum_of_vsstatus_is_obeyed_and_that_of_mstatus_is_not),
        cmocka_unit_test(test_mprv_with_mpv_makes_loads_and_stores_a_guests),
        cmocka_unit_test(test_machine_mode_and_the_hosts_modes_are_no_guests),
        cmocka_unit_test(test_hlv_and_hsv_are_judged_with_the_privilege_of_spvp),
        cmocka_unit_test(test_hlvx_reads_what_is_executable_in_both_stages),
        cmocka_unit_test(test_hlvx_is_data_to_sum),
        cmocka_unit_test(test_each_stage_has_its_own_adue),
        cmocka_unit_test(test_each_stage_has_its_own_pbmte),
        cmocka_unit_test(test_contiguous_pages_work_in_both_stages),
        cmocka_unit_test(test_across_two_pages_the_fault_tells_the_addresses_of_the_second),
        cmocka_unit_test(test_the_physical_check_is_asked_about_every_access_of_both_walks),
        cmocka_unit_test(test_an_entry_that_changes_before_it_is_marked_is_read_again),
        cmocka_unit_test(test_hfence_vvma_forgets_the_first_stage),
        cmocka_unit_test(test_hfence_gvma_forgets_the_second_stage),
        cmocka_unit_test(test_hfence_vvma_is_for_the_virtual_machine_that_hgatp_names),
        cmocka_unit_test(test_one_page_of_a_guests_huge_page_forgets_all_its_pieces),
        cmocka_unit_test(test_guests_and_hosts_do_not_see_each_others_translations),
        cmocka_unit_test(test_the_walk_cache_of_a_host_is_not_a_guests),
        cmocka_unit_test(test_a_modelled_tlb_is_left_out_for_guests),
        cmocka_unit_test(test_the_detector_sees_a_missing_fence_of_either_stage),
        cmocka_unit_test(test_looking_leaves_no_traces_in_either_stage),
        cmocka_unit_test(test_rv32_has_sv32_behind_sv32x4),
        cmocka_unit_test(test_random_tables_agree_with_the_manual),
    };
    return cmocka_run_group_tests_name("two stages", tests, NULL, NULL);
}
