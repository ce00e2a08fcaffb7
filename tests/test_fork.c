/* test_fork.c - whole tables copied by a fork: of which nothing was cleared before, and in which something lacks. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define RW (VMM_R | VMM_W)
#define ANON (VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define RAM_BYTES (UINT64_C(1400) << 12)
#define WHERE UINT64_C(0x400000) /* a table begins here */

/* Tables of 64 entries for pages of 64 bytes, with entries of eight bytes; of eight by the RISC-V rules; of four; and
 * with a bit that forbids writing. */
/* clang-format off */
static const vmm_paging_t tiny[] = {
    {"eight", VMM_RULES_GENERIC, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 24, 32, 6, 3, {6, 6, 6}, 1, 8, 12, 26,
     1, 0, 2, 0, 4, 0, 8, 16, 0, 0, 0, 0},
    {"riscv", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 24, 50, 6, 3, {6, 6, 6}, 1, 8, 10, 44,
     VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)},
    {"four", VMM_RULES_GENERIC, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 24, 26, 6, 3, {6, 6, 6}, 1, 4, 12, 20,
     1, 0, 2, 0, 4, 0, 8, 16, 0, 0, 0, 0},
    {"read-only bit", VMM_RULES_GENERIC, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 24, 32, 6, 3, {6, 6, 6}, 1, 8, 12, 26,
     1, 0, 2, 0, 4, 0, 8, 16, 0, 2, 0, 0}};
/* clang-format on */
static const vmm_paging_t *const formats[] = {&tiny[0], &tiny[1], &tiny[2], &tiny[3], &vmm_sv39};
static uint64_t page_bytes, entries; /* of a page; of a table */
static uint64_t ram[(RAM_BYTES + 4096) / 8];
static vmm_memory_t memory;
static vmm_layout_t layout;
static void *block;
static vmm_machine_t *m;
static vmm_space_t *parent, *child;

/* RAM is full of ones: an entry that is forgotten looks like one that maps a page. */
static void start(const vmm_paging_t *paging)
{
    vmm_machine_options_t options;
    uint64_t bytes;
    vmm_vaddr_t at;
    memset(ram, 0xff, sizeof ram);
    memset(&memory, 0, sizeof memory);
    page_bytes = UINT64_C(1) << paging->page_shift;
    entries = UINT64_C(1) << paging->index_bits[0];
    memory.ram = (void *)(((uintptr_t)ram + 4095) & ~(uintptr_t)4095);
    memory.base = 0x10000;
    memory.size = page_bytes == 64 ? 400 * page_bytes : RAM_BYTES;
    memset(&layout, 0, sizeof layout);
    layout.lowest = layout.text = 0x1000;
    layout.mmap_low = 0x10000;
    layout.mmap_high = layout.top = layout.stack_top = 0x800000;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = paging;
    options.layout = &layout;
    bytes = vmm_machine_bytes(&options);
    assert_true(bytes > 0);
    block = malloc((size_t)bytes);
    assert_int_equal(vmm_machine_create(block, bytes, &options, &m), VMM_OK);
    assert_int_equal(vmm_space_create(m, &parent), VMM_OK);
    assert_int_equal(vmm_mmap(parent, WHERE, (entries + 1) * page_bytes, RW, ANON | VMM_MAP_FIXED, 0, 0, &at), VMM_OK);
}

static void write_at(vmm_space_t *s, uint64_t page, uint8_t value)
{
    assert_int_equal(vmm_space_write(s, WHERE + page * page_bytes, &value, 1), VMM_OK);
}

static uint8_t read_at(vmm_space_t *s, uint64_t page)
{
    uint8_t value = 0xee;
    assert_int_equal(vmm_space_read(s, WHERE + page * page_bytes, &value, 1), VMM_OK);
    return value;
}

static uint8_t value_at(uint64_t page, uint64_t unused)
{
    return page == unused || page == unused + 1 ? 0 : (uint8_t)(page + 1);
}

/* One page is not touched, the next one only read, and there are so many in all. */
static void forks(const vmm_paging_t *paging, uint64_t unused, uint64_t pages)
{
    uint64_t page;
    start(paging);
    assert_int_equal(vmm_munmap(parent, WHERE + pages * page_bytes, (entries - pages + 1) * page_bytes), VMM_OK);
    for (page = 0; page < pages; page++) {
        if (page == unused + 1) assert_int_equal(read_at(parent, page), 0);
        else if (page != unused) write_at(parent, page, value_at(page, unused));
    }
    assert_int_equal(vmm_fork(parent, &child), VMM_OK);
    assert_true(vmm_check(m));
    assert_int_equal(child->stats.anon, parent->stats.anon);
    write_at(parent, 5, 0x77);
    write_at(child, 6, 0x88);
    for (page = 0; page < pages; page++) {
        assert_int_equal(read_at(parent, page), page == 5 ? 0x77 : value_at(page, unused));
        assert_int_equal(read_at(child, page), page == 6 ? 0x88 : value_at(page, unused));
    }
    assert_true(vmm_check(m));
    vmm_exit(child);
    assert_true(vmm_check(m));
    vmm_exit(parent);
    free(block);
}

static void the_child_has_every_page_of_a_table_and_no_other(void **state)
{
    size_t f;
    (void)state;
    for (f = 0; f < sizeof formats / sizeof *formats; f++) {
        const uint64_t all = UINT64_C(1) << formats[f]->index_bits[0];
        uint64_t unused;
        for (unused = 0; unused < all; unused += all / 7) forks(formats[f], unused, all);
        forks(formats[f], 9, all - 1);
        forks(formats[f], 9, all - all / 4);
    }
}

/* Whether a fork fails that finds this page mapped as often as can be counted, without a trace. */
static void fails_at(uint64_t page)
{
    unsigned level;
    const uint8_t *entry = vmm_entry_find(m, parent, WHERE + page * page_bytes, &level);
    const uint32_t free_frames = m->frames.free_frames;
    vmm_frame_t *frame;
    uint32_t number = 0;
    assert_int_not_equal(vmm_entry_read(m, vmm_pte_load(m->paging, entry), &number), VMM_ENTRY_NONE);
    frame = vmm_frame_at(m, number);
    frame->mappings = UINT16_MAX;
    assert_int_equal(vmm_fork(parent, &child), VMM_E_LIMIT);
    frame->mappings = 1;
    assert_true(vmm_check(m));
    assert_int_equal(m->frames.free_frames, free_frames);
}

static void a_fork_that_fails_in_a_table_leaves_all_as_it_was(void **state)
{
    size_t f;
    (void)state;
    for (f = 0; f < sizeof formats / sizeof *formats; f++) {
        uint64_t page;
        start(formats[f]);
        for (page = 0; page < entries; page++) write_at(parent, page, (uint8_t)(page + 1));
        for (page = 0; page < entries; page += entries / 9) fails_at(page);
        fails_at(entries - 1);
        for (page = 0; page < entries; page++) {
            assert_int_equal(read_at(parent, page), (uint8_t)(page + 1));
            write_at(parent, page, (uint8_t)page);
        }
        assert_int_equal(m->stats.copied, 0);
        assert_true(vmm_check(m));
        vmm_exit(parent);
        free(block);
    }
}

static void a_table_of_pages_that_nobody_may_use_is_forked_too(void **state)
{
    size_t f;
    (void)state;
    for (f = 0; f < sizeof formats / sizeof *formats; f++) {
        uint64_t page;
        start(formats[f]);
        for (page = 0; page < entries; page++) write_at(parent, page, (uint8_t)(page + 1));
        assert_int_equal(vmm_mprotect(parent, WHERE, entries * page_bytes, 0), VMM_OK);
        fails_at(11);
        assert_int_equal(vmm_fork(parent, &child), VMM_OK);
        assert_true(vmm_check(m));
        assert_int_equal(vmm_mprotect(child, WHERE, entries * page_bytes, RW), VMM_OK);
        write_at(child, 3, 0x99);
        for (page = 0; page < entries; page++)
            assert_int_equal(read_at(child, page), page == 3 ? 0x99 : (uint8_t)(page + 1));
        assert_true(vmm_check(m));
        vmm_exit(child);
        vmm_exit(parent);
        assert_true(vmm_check(m));
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_has_every_page_of_a_table_and_no_other),
        cmocka_unit_test(a_fork_that_fails_in_a_table_leaves_all_as_it_was),
        cmocka_unit_test(a_table_of_pages_that_nobody_may_use_is_forked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
