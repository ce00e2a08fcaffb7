/* test_looking.c - looking without touching: the example memory system of CS:APP (section 9.6.4)
 * field by field, the printed text, the names of numbers.
 *
 * The system: virtual addresses of 14 bits, physical of 12, pages of 64 bytes, a TLB of 4 sets x 4
 * ways. Its page table says nothing of VPNs from 10 up, its TLB does: so the TLB is filled by touching
 * pages of a table made for that, before the published table takes its place. */
#define VMM_PAGE_SHIFT 6
#define VMM_VADDR_BITS 14
#define VMM_PADDR_BITS 12
#define VMM_LEVELS 1
#define VMM_PTE_BYTES 2
#define VMM_TLB_SETS 4
#define VMM_TLB_WAYS 4
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define ROOT 0xe00u /* 512 bytes of table, in frames that no published entry names */
#define MARKS 0x1bu /* valid, writable, accessed, dirty */
#define NONE 0xffu  /* "not valid" in the published tables */

VMM_TABLES(deep, vmm_sv39)

/* 16 pages of 64 bytes, and a TLB of 64 sets: most of them have nothing to hold. */
static const vmm_paging_t few_pages = {"few",
                                       VMM_RULES_GENERIC,
                                       VMM_RIGHTS_LEAF,
                                       VMM_VADDR_ZERO,
                                       10,
                                       12,
                                       6,
                                       1,
                                       {4},
                                       1,
                                       2,
                                       10,
                                       6,
                                       1,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0};
static const vmm_arch_t few_arch = VMM_ARCH_OF(few_pages);
VMM_MMU(few, VMM_ARCH_PLAIN(few_arch), VMM_STAGES_TLB(64, 1, VMM_LRU))

static uint8_t ram[4096] __attribute__((aligned(8)));
static vmm_memory_t memory = {ram, 0, sizeof ram, {NULL, NULL, NULL}, 0};
static vmm_mmu_t mmu;

/* -- the published system -- */

typedef struct {
    uint8_t tag, ppn; /* ppn NONE: the entry is not valid */
} tlb_cell_t;

/* Figure 9.20 (a): the TLB, sets down, ways across. */
static const tlb_cell_t book_tlb[4][4] = {
    {{0x03, NONE}, {0x09, 0x0d}, {0x00, NONE}, {0x07, 0x02}},
    {{0x03, 0x2d}, {0x02, NONE}, {0x04, NONE}, {0x0a, NONE}},
    {{0x02, NONE}, {0x08, NONE}, {0x06, NONE}, {0x03, NONE}},
    {{0x07, NONE}, {0x03, 0x0d}, {0x0a, 0x34}, {0x02, NONE}},
};

/* The same in a course of Wroclaw: set 1 knows VPN 09 too. */
static const tlb_cell_t wroclaw_tlb[4][4] = {
    {{0x03, NONE}, {0x09, 0x0d}, {0x00, NONE}, {0x07, 0x02}},
    {{0x03, 0x2d}, {0x02, 0x17}, {0x04, NONE}, {0x0a, NONE}},
    {{0x02, NONE}, {0x08, NONE}, {0x06, NONE}, {0x03, NONE}},
    {{0x07, NONE}, {0x03, 0x0d}, {0x0a, 0x34}, {0x02, NONE}},
};

/* Figure 9.20 (b): the page table, VPN 00 to 0f; all others are not valid. */
static const uint8_t book_pages[16] = {0x28, NONE, 0x33, 0x02, NONE, 0x16, NONE, NONE,
                                       0x13, 0x17, 0x09, NONE, NONE, 0x2d, 0x11, 0x0d};

typedef struct {
    const char *source;
    uint16_t va;
    uint8_t vpn, vpo, tlbi, tlbt, tlb_hit, page_fault, ppn;
    uint16_t pa;
} case_t;

static const case_t book_cases[] = {
    {"book example", 0x03d4, 0x0f, 0x14, 3, 0x03, 1, 0, 0x0d, 0x354},
    {"practice 9.4", 0x03d7, 0x0f, 0x17, 3, 0x03, 1, 0, 0x0d, 0x357},
    {"homework 9.11", 0x027c, 0x09, 0x3c, 1, 0x02, 0, 0, 0x17, 0x5fc},
    {"homework 9.12", 0x03a9, 0x0e, 0x29, 2, 0x03, 0, 0, 0x11, 0x469},
    {"homework 9.13", 0x0040, 0x01, 0x00, 1, 0x00, 0, 1, 0, 0},
    {"15-213 slides", 0x0b8f, 0x2e, 0x0f, 2, 0x0b, 0, 1, 0, 0},
    {"15-213 slides", 0x0020, 0x00, 0x20, 0, 0x00, 0, 0, 0x28, 0xa20},
};

static const case_t wroclaw_cases[] = {
    {"Wroclaw", 0x027c, 0x09, 0x3c, 1, 0x02, 1, 0, 0x17, 0x5fc},
    {"Wroclaw", 0x03a9, 0x0e, 0x29, 2, 0x03, 0, 0, 0x11, 0x469},
    {"Wroclaw", 0x0040, 0x01, 0x00, 1, 0x00, 0, 1, 0, 0},
};

static void put_pte(unsigned vpn, unsigned ppn, unsigned marks)
{
    const unsigned pte = ppn == NONE ? 0 : ppn << 10 | marks;
    ram[ROOT + 2 * vpn] = (uint8_t)pte;
    ram[ROOT + 2 * vpn + 1] = (uint8_t)(pte >> 8);
}

/* The snapshot: every entry of the TLB in its own way, then the published page table. */
static void set_up(const tlb_cell_t tlb[4][4])
{
    unsigned set, way, vpn;
    uint8_t byte;
    memset(ram, 0, sizeof ram);
    assert_int_equal(vmm_init(&mmu, &memory), VMM_OK);
    assert_int_equal(vmm_set_root(&mmu, ROOT, 0), VMM_OK);
    for (way = 0; way < 4; way++)
        for (set = 0; set < 4; set++) {
            vpn = (unsigned)tlb[set][way].tag << 2 | set;
            put_pte(vpn, tlb[set][way].ppn == NONE ? 0x3f : tlb[set][way].ppn, MARKS);
            assert_int_equal(vmm_load8(&mmu, (vmm_vaddr_t)vpn << 6, &byte), VMM_OK);
        }
    for (set = 0; set < 4; set++)
        for (way = 0; way < 4; way++)
            if (tlb[set][way].ppn == NONE) vmm_flush_page(&mmu, ((vmm_vaddr_t)tlb[set][way].tag << 2 | set) << 6);
    for (vpn = 0; vpn < 256; vpn++) put_pte(vpn, vpn < 16 ? book_pages[vpn] : NONE, MARKS);
}

static void check_case(const case_t *c, unsigned access)
{
    vmm_examination_t x;
    vmm_examine(&mmu, c->va, access, &x);
    assert_int_equal(x.vaddr, c->va);
    assert_int_equal(x.access, access);
    assert_int_equal(x.vpn, c->vpn);
    assert_int_equal(x.vpo, c->vpo);
    assert_int_equal(x.has_tlb, 1);
    assert_int_equal(x.tlbi_bits, 2);
    assert_int_equal(x.tlbi, c->tlbi);
    assert_int_equal(x.tlbt, c->tlbt);
    assert_int_equal(x.tlb_hit, c->tlb_hit);
    assert_int_equal(x.steps, c->tlb_hit ? 0 : 1);
    assert_int_equal(x.status, c->page_fault ? VMM_FAULT : VMM_OK);
    if (!c->tlb_hit) {
        assert_int_equal(x.step[0].index, c->vpn);
        assert_int_equal(x.step[0].pte_addr, ROOT + 2u * c->vpn);
        assert_int_equal(x.step[0].level, 0);
        assert_int_equal(x.step[0].pte, c->page_fault ? 0 : (unsigned)c->ppn << 10 | MARKS);
    }
    if (c->page_fault) {
        assert_int_equal(x.fault.kind, VMM_PAGE_FAULT);
        assert_int_equal(x.fault.rule, VMM_RULE_VALID);
        assert_int_equal(x.fault.vaddr, c->va);
    } else {
        assert_int_equal(x.ppn, c->ppn);
        assert_int_equal(x.ppo, c->vpo);
        assert_int_equal(x.translation.paddr, c->pa);
    }
}

static void check_cases(const tlb_cell_t tlb[4][4], const case_t *cases, size_t count)
{
    static vmm_mmu_t before;
    static uint8_t ram_before[sizeof ram];
    size_t i;
    unsigned access;
    set_up(tlb);
    memcpy(&before, &mmu, sizeof mmu);
    memcpy(ram_before, ram, sizeof ram);
    for (i = 0; i < count; i++)
        for (access = VMM_READ; access <= VMM_FETCH; access++) check_case(&cases[i], access);
    assert_memory_equal(&before, &mmu, sizeof mmu);
    assert_memory_equal(ram_before, ram, sizeof ram);
}

static void the_book_s_accesses_have_the_published_fields_and_looking_changes_nothing(void **state)
{
    (void)state;
    check_cases(book_tlb, book_cases, sizeof book_cases / sizeof *book_cases);
}

static void the_wroclaw_accesses_have_the_published_fields_and_looking_changes_nothing(void **state)
{
    (void)state;
    check_cases(wroclaw_tlb, wroclaw_cases, sizeof wroclaw_cases / sizeof *wroclaw_cases);
}

static void the_accesses_themselves_lead_where_looking_said(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < sizeof book_cases / sizeof *book_cases; i++) {
        const case_t *c = &book_cases[i];
        vmm_stats_t before;
        uint8_t byte = 0;
        set_up(book_tlb);
        before = mmu.stats;
        ram[c->pa] = (uint8_t)(0xa0 + i);
        assert_int_equal(vmm_load8(&mmu, c->va, &byte), c->page_fault ? VMM_FAULT : VMM_OK);
        if (!c->page_fault) assert_int_equal(byte, 0xa0 + i);
        assert_int_equal(mmu.stats.tlb_hits - before.tlb_hits, c->tlb_hit);
        assert_int_equal(mmu.stats.tlb_misses - before.tlb_misses, !c->tlb_hit);
        assert_int_equal(mmu.stats.faults - before.faults, c->page_fault);
    }
}

static void looking_leaves_no_mark_where_the_access_would(void **state)
{
    static uint8_t ram_before[sizeof ram];
    vmm_examination_t x;
    uint8_t byte;
    (void)state;
    set_up(book_tlb);
    put_pte(0x0e, 0x11, 0x03); /* valid and writable, no marks */
    memcpy(ram_before, ram, sizeof ram);
    vmm_examine(&mmu, 0x03a9, VMM_WRITE, &x);
    assert_int_equal(x.status, VMM_OK);
    assert_int_equal(x.translation.paddr, 0x469);
    assert_memory_equal(ram_before, ram, sizeof ram);
    assert_int_equal(vmm_load8(&mmu, 0x03a9, &byte), VMM_OK);
    assert_int_equal(ram[ROOT + 2 * 0x0e], 0x0b);
    assert_int_equal(vmm_store8(&mmu, 0x03a9, 1), VMM_OK);
    assert_int_equal(ram[ROOT + 2 * 0x0e], 0x1b);
}

static void an_unknown_access_is_looked_at_as_a_read(void **state)
{
    vmm_examination_t x;
    (void)state;
    set_up(book_tlb);
    vmm_examine(&mmu, 0x03d4, VMM_FETCH + 1, &x);
    assert_int_equal(x.access, VMM_READ);
    assert_int_equal(x.translation.paddr, 0x354);
}

/* -- text -- */

static char text[4096];

static FILE *text_begin(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    return file;
}

static const char *text_end(FILE *file)
{
    size_t length;
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void explain_prints_a_line_for_each_stage_of_a_hit_a_miss_and_a_fault(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned access;
        vmm_status_t status;
        const char *text;
    } cases[] = {
        {0x03d4, VMM_READ, VMM_OK,
         "VA     0x03d4  read  (as configured)\n"
         "VPN    0x0f  VPO 0x14\n"
         "TLBI   0x3  TLBT 0x03  TLB hit\n"
         "PPN    0x0d  PPO 0x14  PA 0x354\n"},
        {0x03a9, VMM_WRITE, VMM_OK,
         "VA     0x03a9  write  (as configured)\n"
         "VPN    0x0e  VPO 0x29\n"
         "TLBI   0x2  TLBT 0x03  TLB miss\n"
         "walk   level 0  index 0x0e  PTE at 0xe1c = 0x441b  leaf\n"
         "PPN    0x11  PPO 0x29  PA 0x469\n"},
        {0x0040, VMM_FETCH, VMM_FAULT,
         "VA     0x0040  fetch  (as configured)\n"
         "VPN    0x01  VPO 0x00\n"
         "TLBI   0x1  TLBT 0x00  TLB miss\n"
         "walk   level 0  index 0x01  PTE at 0xe02 = 0x0000  not valid\n"
         "fault  page fault: the entry is not valid (level 0, cause 12)\n"},
    };
    size_t i;
    (void)state;
    set_up(book_tlb);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *file = text_begin();
        assert_int_equal(vmm_explain_access(&mmu, cases[i].va, cases[i].access, file), cases[i].status);
        assert_string_equal(text_end(file), cases[i].text);
    }
}

static void explain_alone_means_a_read(void **state)
{
    FILE *file = text_begin();
    (void)state;
    set_up(book_tlb);
    assert_int_equal(vmm_explain(&mmu, 0x0020, file), VMM_OK);
    assert_non_null(strstr(text_end(file), "VA     0x0020  read  (as configured)\n"));
    assert_non_null(strstr(text, "PA 0xa20\n"));
}

static void a_dump_of_one_level_joins_neighbours_with_the_same_rights(void **state)
{
    vmm_tables_t tables;
    FILE *file;
    (void)state;
    set_up(book_tlb);
    memset(ram, 0, sizeof ram);
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    tables.root = ROOT;
    put_pte(1, 0x10, 0x03);
    put_pte(2, 0x11, 0x03);
    put_pte(3, 0x12, 0x05);
    put_pte(4, 0x20, 0x05);
    put_pte(255, 0x3f, 0x1b);
    file = text_begin();
    assert_int_equal(vmm_dump(&tables, file), VMM_OK);
    assert_string_equal(text_end(file), "as configured, root at 0xe00\n"
                                        "  0x0040-0x00bf -> 0x400  rwxu---  2 x 0x40\n"
                                        "  0x00c0-0x00ff -> 0x480  r-x----  1 x 0x40\n"
                                        "  0x0100-0x013f -> 0x800  r-x----  1 x 0x40\n"
                                        "  0x3fc0-0x3fff -> 0xfc0  rwxu-ad  1 x 0x40\n");
}

static void a_dump_of_a_tree_shows_every_pointer_above_its_leaves(void **state)
{
    static uint8_t big[5 * 4096] __attribute__((aligned(8)));
    static const vmm_memory_t big_memory = {big, 0x80000000u, sizeof big, {NULL, NULL, NULL}, 0};
    static const struct {
        unsigned table, index;
        vmm_pte_t pte;
    } entries[] = {
        {0, 0, UINT64_C(0x80001) << 10 | 0x01},   {1, 0, UINT64_C(0x80002) << 10 | 0x01},
        {2, 1, UINT64_C(0x80004) << 10 | 0xc7},   {2, 2, UINT64_C(0x80005) << 10 | 0xc7},
        {1, 1, UINT64_C(0x80200) << 10 | 0x3b},   {1, 2, UINT64_C(0x80400) << 10 | 0x3b},
        {0, 511, UINT64_C(0x7ffff) << 10 | 0x01}, /* a pointer out of RAM */
    };
    vmm_tables_t tables;
    FILE *file;
    size_t i;
    (void)state;
    memset(&tables, 0, sizeof tables);
    tables.memory = &big_memory;
    tables.root = 0x80000000u;
    for (i = 0; i < sizeof entries / sizeof *entries; i++)
        vmm_put(big + 4096 * entries[i].table + 8 * entries[i].index, entries[i].pte, 8);
    file = text_begin();
    assert_int_equal(deep_dump(&tables, file), VMM_OK);
    assert_string_equal(text_end(file),
                        "Sv39, root at 0x00000080000000\n"
                        "  level 2 [0x0] table at 0x00000080001000\n"
                        "    level 1 [0x0] table at 0x00000080002000\n"
                        "      0x0000001000-0x0000002fff -> 0x00000080004000  rw---ad  2 x 0x1000\n"
                        "    0x0000200000-0x00005fffff -> 0x00000080200000  r-xug--  2 x 0x200000\n"
                        "  level 2 [0x1ff] table at 0x0000007ffff000  (outside RAM, or back up the tree)\n");
    tables.root = 0x1000;
    file = text_begin();
    assert_int_equal(deep_dump(&tables, file), VMM_E_TABLE);
    assert_string_equal(text_end(file), "Sv39, root at 0x00000000001000\n");
}

static void every_number_has_a_text_of_its_own_and_one_beyond_is_unknown(void **state)
{
    static const struct {
        const char *(*text)(unsigned number);
        unsigned last;
    } lists[] = {
        {vmm_status_text, VMM_E_LONG},
        {vmm_rule_text, VMM_RULE_NO_ENTRY},
        {vmm_fault_text, VMM_GUEST_PAGE_FAULT},
        {vmm_access_text, VMM_FETCH},
    };
    size_t list;
    unsigned number, other;
    (void)state;
    for (list = 0; list < sizeof lists / sizeof *lists; list++) {
        for (number = 0; number <= lists[list].last; number++) {
            assert_true(lists[list].text(number)[0] != '\0');
            assert_string_not_equal(lists[list].text(number), "unknown");
            for (other = 0; other < number; other++)
                assert_string_not_equal(lists[list].text(number), lists[list].text(other));
        }
        assert_string_equal(lists[list].text(lists[list].last + 1), "unknown");
        assert_string_equal(lists[list].text(~0u), "unknown");
    }
}

static void some_texts_are_the_words_of_the_manual(void **state)
{
    (void)state;
    assert_string_equal(vmm_status_text(VMM_OK), "done");
    assert_string_equal(vmm_status_text(VMM_E_STOPPED), "a callback asked to stop");
    assert_string_equal(vmm_rule_text(VMM_RULE_VALID), "the entry is not valid");
    assert_string_equal(vmm_rule_text(VMM_RULE_ALIGN), "the address is not aligned to its size");
    assert_string_equal(vmm_fault_text(VMM_NO_FAULT), "no fault");
    assert_string_equal(vmm_fault_text(VMM_PAGE_FAULT), "page fault");
    assert_string_equal(vmm_fault_text(VMM_ACCESS_FAULT), "access fault");
    assert_string_equal(vmm_fault_text(VMM_ALIGN_FAULT), "alignment fault");
    assert_string_equal(vmm_access_text(VMM_READ), "read");
    assert_string_equal(vmm_access_text(VMM_WRITE), "write");
    assert_string_equal(vmm_access_text(VMM_FETCH), "fetch");
}

static void a_tlb_with_more_sets_than_there_are_pages_has_no_tag(void **unused)
{
    static few_mmu_t few;
    vmm_examination_t x;
    (void)unused;
    assert_int_equal(few_init(&few, &memory), VMM_OK);
    assert_int_equal(few_set_root(&few, ROOT, 0), VMM_OK);
    few_examine(&few, 0x3c0, VMM_READ, &x);
    assert_int_equal(x.tlbi_bits, 4);
    assert_int_equal(x.tlbi, 15);
    assert_int_equal(x.tlbt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_book_s_accesses_have_the_published_fields_and_looking_changes_nothing),
        cmocka_unit_test(the_wroclaw_accesses_have_the_published_fields_and_looking_changes_nothing),
        cmocka_unit_test(the_accesses_themselves_lead_where_looking_said),
        cmocka_unit_test(looking_leaves_no_mark_where_the_access_would),
        cmocka_unit_test(an_unknown_access_is_looked_at_as_a_read),
        cmocka_unit_test(explain_prints_a_line_for_each_stage_of_a_hit_a_miss_and_a_fault),
        cmocka_unit_test(explain_alone_means_a_read),
        cmocka_unit_test(a_dump_of_one_level_joins_neighbours_with_the_same_rights),
        cmocka_unit_test(a_dump_of_a_tree_shows_every_pointer_above_its_leaves),
        cmocka_unit_test(every_number_has_a_text_of_its_own_and_one_beyond_is_unknown),
        cmocka_unit_test(some_texts_are_the_words_of_the_manual),
        cmocka_unit_test(a_tlb_with_more_sets_than_there_are_pages_has_no_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
