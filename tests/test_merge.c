/* test_merge.c - pages of the same content share a frame until one of them is written. What every space should hold is
 * kept in plain copies; every frame is accounted for at the end. */
#define VMM_MERGE_MOST 6 /* so that a test sees the bound */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define PAGES 96u
#define HUGE_PAGES 32u
#define PAGE 64u
#define SLOTS 1000u
#define SPACES 3u
#define RW ((uint32_t)VMM_R | VMM_W)
#define ANON ((uint32_t)VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define BASE ((vmm_vaddr_t)0x2000)
#define ALL UINT32_C(100000)

/* 64-byte pages, 2-byte entries, tables of one page: 8 bits of flags, 8 of frame number. Huge pages are 32 pages. */
static const vmm_paging_t tiny = {"tiny",
                                  VMM_RULES_GENERIC,
                                  VMM_RIGHTS_LEAF,
                                  VMM_VADDR_ZERO,
                                  16,
                                  14,
                                  6,
                                  2,
                                  {5, 5},
                                  0x03,
                                  2,
                                  8,
                                  8,
                                  0x01,
                                  0x80,
                                  0x02,
                                  0x04,
                                  0x08,
                                  0,
                                  0x10,
                                  0x20,
                                  0x40,
                                  0,
                                  0,
                                  0};
/* The same without accessed and dirty bits. */
static const vmm_paging_t plain = {"plain",
                                   VMM_RULES_GENERIC,
                                   VMM_RIGHTS_LEAF,
                                   VMM_VADDR_ZERO,
                                   16,
                                   14,
                                   6,
                                   2,
                                   {5, 5},
                                   0x03,
                                   2,
                                   8,
                                   8,
                                   0x01,
                                   0x80,
                                   0x02,
                                   0x04,
                                   0x08,
                                   0,
                                   0,
                                   0,
                                   0x40,
                                   0,
                                   0,
                                   0};

static uint8_t ram[250 * PAGE + 64], disk[SLOTS][PAGE];
static vmm_memory_t memory;
static vmm_machine_options_t options;
static vmm_machine_t *m;
static vmm_space_t *space[SPACES];
static uint8_t wanted[SPACES][PAGES * PAGE];
static uint32_t free_at_start;

static int write_slot(void *user, uint32_t slot, const void *from)
{
    (void)user;
    memcpy(disk[slot], from, PAGE);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *to)
{
    (void)user;
    memcpy(to, disk[slot], PAGE);
    return 0;
}

static bool spare(void *user, vmm_space_t *s)
{
    (void)user;
    (void)s;
    return false;
}

static int begin_test(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(wanted, 0, sizeof wanted);
    memset(space, 0, sizeof space);
    options.merging = true;
    return 0;
}

static void begin(const vmm_paging_t *paging, uint32_t frames)
{
    static const vmm_swap_area_t swap = {write_slot, read_slot, NULL, SLOTS, 0};
    static vmm_layout_t layout;
    uint64_t bytes;
    memset(&layout, 0, sizeof layout);
    layout.name = "test";
    layout.lowest = layout.text = layout.mmap_low = 0x1000;
    layout.top = layout.stack_top = layout.mmap_high = 0xf000;
    layout.stack_limit = 0x400;
    memory.ram = (uint8_t *)(((uintptr_t)ram + 63) & ~(uintptr_t)63);
    memory.size = frames * (uint64_t)PAGE;
    options.memory = &memory;
    options.paging = paging;
    options.layout = &layout;
    options.slots = SLOTS;
    options.kill = spare;
    bytes = vmm_machine_bytes(&options);
    assert_true(bytes > 0);
    assert_int_equal(vmm_machine_create(calloc(1, (size_t)bytes), bytes, &options, &m), VMM_OK);
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    free_at_start = m->frames.free_frames;
    assert_int_equal(vmm_space_create(m, &space[0]), VMM_OK);
}

static void leave(uint32_t which)
{
    vmm_exit(space[which]);
    space[which] = NULL;
}

static void end(void)
{
    uint64_t shared, sharing;
    uint32_t i;
    assert_true(vmm_check(m));
    for (i = 0; i < SPACES; i++)
        if (space[i]) leave(i);
    assert_true(vmm_check(m));
    vmm_merge_count(m, &shared, &sharing);
    assert_int_equal(shared + sharing, 0);
    assert_int_equal(m->frames.free_frames, free_at_start);
    assert_int_equal(m->slots_used + m->pages_anon + m->pages_tables + m->committed, 0);
    free(m);
    (void)begin_test(NULL);
}

/* What a page of a space holds, wherever it is, without a fault; null: nothing yet. */
static const uint8_t *content(uint32_t which, uint32_t page)
{
    const vmm_vaddr_t va = BASE + page * PAGE;
    unsigned level = 0;
    uint32_t number = 0;
    const uint8_t *entry = vmm_entry_find(m, space[which], va, &level);
    if (!entry) return NULL;
    switch (vmm_entry_read(m, vmm_pte_load(m->paging, entry), &number)) {
    case VMM_ENTRY_NONE: return NULL;
    case VMM_ENTRY_SLOT:
        return vmm_slot_at(m, number)->frame == VMM_NO_FRAME ? disk[number]
                                                             : vmm_frame_host(m, vmm_slot_at(m, number)->frame);
    default: return vmm_frame_host(m, number) + (va & vmm_low_mask(vmm_level_shift(m->paging, level)));
    }
}

static uint32_t frame_of(uint32_t which, uint32_t page)
{
    return (uint32_t)((size_t)(content(which, page) - (const uint8_t *)memory.ram) / PAGE);
}

static void check(void)
{
    static const uint8_t zeros[PAGE] = {0};
    uint32_t i, page;
    assert_true(vmm_check(m));
    for (i = 0; i < SPACES; i++)
        for (page = 0; space[i] && page < PAGES; page++) {
            const uint8_t *at = content(i, page);
            assert_memory_equal(at ? at : zeros, wanted[i] + page * PAGE, PAGE);
        }
}

static void map(uint32_t which, uint32_t page, uint32_t count)
{
    vmm_vaddr_t va;
    assert_int_equal(vmm_mmap(space[which], BASE + page * PAGE, count * PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &va),
                     VMM_OK);
    memset(wanted[which] + page * PAGE, 0, count * PAGE);
}

static vmm_status_t advise(uint32_t which, uint32_t page, uint32_t count, unsigned advice)
{
    return vmm_madvise(space[which], BASE + page * PAGE, count * PAGE, advice);
}

/* Fills a page with one byte, and the number of the kind at its end. */
static vmm_status_t put(uint32_t which, uint32_t page, unsigned kind)
{
    uint8_t bytes[PAGE];
    vmm_status_t status;
    memset(bytes, (int)(kind * 3), PAGE);
    bytes[PAGE - 1] = (uint8_t)(kind + (kind != 0));
    status = vmm_space_write(space[which], BASE + page * PAGE, bytes, PAGE);
    if (status == VMM_OK) memcpy(wanted[which] + page * PAGE, bytes, PAGE);
    return status;
}

static void assert_counts(uint64_t shared, uint64_t sharing)
{
    uint64_t is_shared, is_sharing;
    vmm_merge_count(m, &is_shared, &is_sharing);
    assert_int_equal(is_shared, shared);
    assert_int_equal(is_sharing, sharing);
}

static void fork_into(uint32_t from, uint32_t to)
{
    assert_int_equal(vmm_fork(space[from], &space[to]), VMM_OK);
    memcpy(wanted[to], wanted[from], sizeof wanted[to]);
}

static uint32_t hoard[256], hoarded;
static void take_frames(uint32_t left)
{
    for (hoarded = 0; m->frames.free_frames > left; hoarded++) hoard[hoarded] = vmm_frame_alloc(m, 0, VMM_FRAME_FIXED);
}

static void give_back(void)
{
    while (hoarded) vmm_frame_give(m, hoard[--hoarded], 0);
}

static void test_equal_pages_share_a_frame_after_two_rounds(void **state)
{
    static const vmm_paging_t *const both[] = {&tiny, &plain};
    uint32_t i, before;
    (void)state;
    for (i = 0; i < 2; i++) {
        (void)begin_test(NULL);
        begin(both[i], 200);
        map(0, 0, 8);
        assert_int_equal(advise(0, 0, 8, VMM_MADV_MERGEABLE), VMM_OK);
        assert_int_equal(put(0, 0, 1) | put(0, 1, 1) | put(0, 2, 2) | put(0, 3, 1) | put(0, 4, 2), 0);
        before = m->frames.free_frames;
        assert_int_equal(vmm_merge_scan(m, ALL), 0); /* checksums are learnt */
        assert_int_equal(m->merge_rounds, 1);
        assert_int_equal(vmm_merge_scan(m, ALL), 3);
        assert_int_equal(m->merge_rounds, 2);
        assert_int_equal(m->stats.merged, 3);
        assert_int_equal(m->frames.free_frames, before + 3);
        assert_counts(2, 3);
        assert_int_equal(frame_of(0, 0), frame_of(0, 1));
        assert_int_equal(frame_of(0, 0), frame_of(0, 3));
        assert_int_equal(frame_of(0, 2), frame_of(0, 4));
        assert_int_equal(space[0]->stats.anon, 5);
        check();
        assert_int_equal(vmm_merge_scan(m, ALL), 0);
        check();
        end();
    }
}

static void test_a_write_separates_and_the_last_one_gives_the_frame_back(void **state)
{
    uint32_t merged, i;
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 8);
    assert_int_equal(advise(0, 0, 8, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 4; i++) assert_int_equal(put(0, i, 1), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 3);
    merged = frame_of(0, 0);
    assert_int_equal(put(0, 2, 5), VMM_OK);
    assert_int_equal(m->stats.copied, 1);
    assert_true(frame_of(0, 2) != merged);
    assert_counts(1, 2);
    check();
    assert_int_equal(put(0, 0, 6) | put(0, 1, 7), 0);
    assert_counts(1, 0);
    assert_int_equal(put(0, 3, 8), VMM_OK); /* also the last: it cannot be taken over */
    assert_int_equal(m->stats.copied, 4);
    assert_counts(0, 0);
    assert_int_equal(vmm_frame_kind(vmm_frame_at(m, merged)), VMM_FRAME_FREE);
    assert_int_equal(put(0, 3, 9), VMM_OK);
    assert_int_equal(m->stats.copied, 4);
    check();
    end();
}

static void test_only_mergeable_areas_and_quiet_pages_are_merged(void **state)
{
    vmm_vaddr_t va;
    vmm_paddr_t paddr;
    uint32_t i;
    (void)state;
    options.merging = false;
    begin(&tiny, 200);
    map(0, 0, 4);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_MERGEABLE), VMM_E_ARGUMENT);
    assert_int_equal(vmm_merge_scan(m, ALL), 0);
    end();
    begin(&tiny, 200);
    map(0, 0, 8);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_MERGEABLE), VMM_OK);
    assert_int_equal(
        vmm_mmap(space[0], BASE + 16 * PAGE, PAGE, RW, VMM_MAP_SHARED | VMM_MAP_ANONYMOUS | VMM_MAP_FIXED, 0, 0, &va),
        VMM_OK);
    assert_int_equal(advise(0, 16, 1, VMM_MADV_MERGEABLE), VMM_OK); /* says yes and does nothing, as Linux */
    assert_int_equal(put(0, 16, 1), VMM_OK);
    for (i = 3; i < 8; i++) assert_int_equal(put(0, i, 1), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 0); /* one alone may */
    assert_int_equal(advise(0, 4, 4, VMM_MADV_MERGEABLE), VMM_OK);
    assert_int_equal(vmm_pin(space[0], BASE + 4 * PAGE, VMM_READ, &paddr), VMM_OK);
    assert_int_equal(advise(0, 5, 1, VMM_MADV_FREE), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    for (i = 0; i < 4; i++) { /* page 6 changes all the time */
        assert_int_equal(put(0, 6, 20 + i), VMM_OK);
        assert_int_equal(vmm_merge_scan(m, ALL), i == 0 ? 1 : 0);
        check();
    }
    assert_int_equal(frame_of(0, 3), frame_of(0, 7));
    assert_counts(1, 1);
    assert_int_equal(vmm_unpin(m, paddr), VMM_OK);
    assert_int_equal(put(0, 5, 1), VMM_OK); /* not to be dropped any more */
    (void)vmm_merge_scan(m, ALL);
    check();
    end();
}

static void test_spaces_share_and_a_fork_shares_too(void **state)
{
    uint32_t i;
    (void)state;
    begin(&tiny, 200);
    assert_int_equal(vmm_space_create(m, &space[1]), VMM_OK); /* no kin of the first */
    for (i = 0; i < 2; i++) {
        map(i, 0, 4);
        assert_int_equal(advise(i, 0, 4, VMM_MADV_MERGEABLE), VMM_OK);
        assert_int_equal(put(i, i, 1) | put(i, 3, 2), 0);
    }
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 2);
    assert_int_equal(frame_of(0, 0), frame_of(1, 1));
    fork_into(1, 2);
    assert_int_equal(space[2]->stats.anon, 2);
    assert_counts(2, 4);
    check();
    assert_int_equal(put(2, 1, 3), VMM_OK);
    assert_int_equal(put(0, 0, 4), VMM_OK);
    check();
    leave(1);
    check();
    assert_counts(1, 1);
    assert_int_equal(vmm_munmap(space[0], BASE, 4 * PAGE), VMM_OK);
    memset(wanted[0], 0, 4 * PAGE);
    assert_counts(1, 0);
    check();
    end();
}

static void test_a_page_shared_by_fork_is_merged_with_all_its_entries(void **state)
{
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 4);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_MERGEABLE), VMM_OK);
    assert_int_equal(put(0, 0, 1), VMM_OK);
    fork_into(0, 1);
    assert_int_equal(put(1, 2, 1), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 1); /* the shared one stays, for both */
    assert_int_equal(frame_of(0, 0), frame_of(1, 2));
    assert_int_equal(frame_of(1, 0), frame_of(1, 2));
    assert_counts(1, 2);
    check();
    assert_int_equal(put(0, 0, 2), VMM_OK);
    check();
    leave(0);
    assert_counts(1, 1);
    check();
    end();
}

static void test_one_that_does_not_agree_keeps_a_shared_page_from_merging(void **state)
{
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 4);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_MERGEABLE), VMM_OK);
    assert_int_equal(put(0, 0, 1), VMM_OK);
    fork_into(0, 1);
    assert_int_equal(advise(1, 0, 1, VMM_MADV_UNMERGEABLE), VMM_OK);
    assert_int_equal(put(1, 2, 1), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 0); /* what would stay is not all mergeable */
    check();
    assert_int_equal(vmm_merge_scan(m, ALL), 1); /* the other way round it goes: one entry leaves the shared frame */
    assert_int_equal(frame_of(0, 0), frame_of(1, 2));
    assert_true(frame_of(1, 0) != frame_of(1, 2));
    check();
    end();
}

static void test_unmergeable_separates_or_says_that_frames_lack(void **state)
{
    uint32_t i, reads;
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 8);
    assert_int_equal(advise(0, 0, 8, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 6; i++) assert_int_equal(put(0, i, 1), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 5);
    assert_int_equal(vmm_mprotect(space[0], BASE + 4 * PAGE, PAGE, 0), VMM_OK); /* one is parked */
    m->slot_count = 0;                                                          /* nothing can be taken */
    take_frames(m->options.watermark_min + 2);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_UNMERGEABLE), VMM_E_NO_FRAME);
    assert_int_equal(vmm_status_errno(VMM_E_NO_FRAME), 12);
    check();
    assert_counts(1, 3);
    give_back();
    m->slot_count = m->options.slots;
    assert_int_equal(advise(0, 0, 8, VMM_MADV_UNMERGEABLE), VMM_OK);
    assert_counts(0, 0);
    check();
    reads = (uint32_t)m->stats.copied;
    assert_int_equal(vmm_mprotect(space[0], BASE + 4 * PAGE, PAGE, RW), VMM_OK);
    for (i = 0; i < 6; i++) assert_int_equal(put(0, i, 30 + i), VMM_OK);
    assert_int_equal(m->stats.copied, reads); /* each is its own */
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 0);
    check();
    end();
}

static void test_merged_frames_are_never_taken_and_other_pages_are(void **state)
{
    uint32_t i, taken;
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 16);
    assert_int_equal(advise(0, 0, 16, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 16; i++) assert_int_equal(put(0, i, i < 8 ? i / 4 : i), VMM_OK);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 6); /* pages of zeros merge like others */
    taken = vmm_reclaim(m, 100);
    assert_int_equal(taken, 8);
    assert_counts(2, 6);
    check();
    (void)vmm_merge_scan(m, ALL); /* passes slots by */
    for (i = 0; i < 16; i++) assert_int_equal(put(0, i, i < 8 ? 40 + i : i), VMM_OK);
    check();
    assert_counts(0, 0);
    end();
}

static void test_a_locked_merged_page_never_enters_the_lists(void **state)
{
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 4);
    assert_int_equal(advise(0, 0, 4, VMM_MADV_MERGEABLE), VMM_OK);
    assert_int_equal(put(0, 0, 1) | put(0, 1, 1), 0);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 1);
    assert_int_equal(vmm_mprotect(space[0], BASE, 2 * PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_mlock(space[0], BASE, 2 * PAGE), VMM_OK);
    assert_counts(1, 1);
    check();
    assert_int_equal(vmm_munlock(space[0], BASE, 2 * PAGE), VMM_OK);
    check();
    assert_int_equal(vmm_mprotect(space[0], BASE, 2 * PAGE, RW), VMM_OK);
    assert_int_equal(vmm_mlock(space[0], BASE, 2 * PAGE), VMM_OK); /* to be written: separated at once */
    assert_counts(0, 0);
    check();
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 1); /* locked pages merge too: they stay resident */
    check();
    assert_int_equal(vmm_munlock(space[0], BASE, 2 * PAGE), VMM_OK);
    check();
    assert_int_equal(put(0, 0, 2), VMM_OK);
    check();
    end();
}

static void test_a_huge_page_is_split_for_a_page_that_merges(void **state)
{
    uint32_t i, left;
    (void)state;
    options.huge = VMM_HUGE_ALWAYS;
    begin(&tiny, 240);
    map(0, 0, 3 * HUGE_PAGES);
    assert_int_equal(advise(0, 0, 3 * HUGE_PAGES, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 2 * HUGE_PAGES; i++) assert_int_equal(put(0, i, i + 1), VMM_OK);
    assert_int_equal(space[0]->stats.huge, 2);
    (void)vmm_merge_scan(m, ALL);
    assert_int_equal(vmm_merge_scan(m, ALL), 0);
    assert_int_equal(m->stats.huge_split, 0);
    assert_int_equal(put(0, 5, 9) | put(0, HUGE_PAGES + 7, 9), 0); /* as page 8 */
    assert_int_equal(vmm_merge_scan(m, ALL), 0);
    for (left = 0; left < 2; left++) {
        take_frames(left); /* not even one table, or one */
        (void)vmm_merge_scan(m, ALL);
        check();
        give_back();
    }
    while (vmm_merge_scan(m, ALL)) {}
    assert_int_equal(m->stats.huge_split, 2);
    assert_counts(1, 2);
    assert_int_equal(frame_of(0, 5), frame_of(0, 8));
    assert_int_equal(frame_of(0, 5), frame_of(0, HUGE_PAGES + 7));
    check();
    end();
}

static void test_a_scan_looks_at_so_many_pages_and_goes_on(void **state)
{
    uint32_t i, merged = 0, calls = 0;
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 10);
    map(0, 20, 10);
    assert_int_equal(advise(0, 0, 10, VMM_MADV_MERGEABLE) | advise(0, 20, 10, VMM_MADV_MERGEABLE), 0);
    for (i = 0; i < 10; i += 2) assert_int_equal(put(0, i, 1) | put(0, 20 + i, i + 2), 0);
    assert_int_equal(vmm_merge_scan(m, 0), 0);
    while (m->merge_rounds == 0) calls += 1 + 0 * vmm_merge_scan(m, 3);
    assert_int_equal(calls, 4); /* ten pages */
    while (m->merge_rounds == 1) merged += vmm_merge_scan(m, 1);
    assert_int_equal(merged, 4);
    check();
    end();
}

static void test_a_merged_frame_has_a_bound_and_then_another_is_begun(void **state)
{
    uint32_t i, frame, merged = 0;
    (void)state;
    begin(&tiny, 200);
    map(0, 0, 20);
    assert_int_equal(advise(0, 0, 20, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 20; i++) assert_int_equal(put(0, i, 1), VMM_OK);
    for (i = 0; i < 6; i++) merged += vmm_merge_scan(m, ALL);
    assert_int_equal(merged, 16);
    assert_counts(4, 16);
    for (frame = 0; frame < m->frame_count; frame++)
        if (vmm_frame_kind(vmm_frame_at(m, frame)) == VMM_FRAME_MERGED)
            assert_true(vmm_frame_at(m, frame)->mappings <= VMM_MERGE_MOST);
    check();
    for (i = 0; i < 20; i += 3) assert_int_equal(put(0, i, 50 + i), VMM_OK); /* chains lose members anywhere */
    check();
    end();
}

static void test_whatever_is_done_no_byte_is_lost(void **state)
{
    static const vmm_paging_t *const both[] = {&tiny, &plain};
    uint64_t random = 0x9e3779b97f4a7c15u, merged = 0, victims = 0, made;
    uint32_t run, step;
    (void)state;
    for (run = 0; run < 16; run++) {
        options.merging = true;
        options.huge = (uint8_t)(run % 3);
        begin(both[run % 2], 100 + run * 8);
        map(0, 0, PAGES);
        (void)advise(0, 0, PAGES, VMM_MADV_MERGEABLE);
        for (step = 0; step < 400; step++) {
            const uint32_t which = (uint32_t)(helper_random(&random) % SPACES),
                           page = (uint32_t)(helper_random(&random) % PAGES);
            uint32_t count = 1 + (uint32_t)(helper_random(&random) % 12), i;
            const unsigned kind = (unsigned)(helper_random(&random) % 4);
            if (count > PAGES - page) count = PAGES - page;
            if (!space[which]) {
                if (space[(which + 1) % SPACES] && vmm_fork(space[(which + 1) % SPACES], &space[which]) == VMM_OK)
                    memcpy(wanted[which], wanted[(which + 1) % SPACES], sizeof wanted[which]);
                else space[which] = NULL;
                continue;
            }
            switch (helper_random(&random) % 12) {
            case 0:
            case 1:
            case 2:
                for (i = 0; i < count; i++)
                    if (put(which, page + i, kind)) break;
                break;
            case 3:
            case 4:
            case 5: (void)vmm_merge_scan(m, (uint32_t)(helper_random(&random) % 200)); break;
            case 6: (void)advise(which, page, count, kind ? VMM_MADV_MERGEABLE : VMM_MADV_UNMERGEABLE); break;
            case 7:
                if (advise(which, page, count, VMM_MADV_DONTNEED) == VMM_OK)
                    memset(wanted[which] + page * PAGE, 0, count * PAGE);
                break;
            case 8: (void)vmm_reclaim(m, count); break;
            case 9: (void)vmm_mprotect(space[which], BASE + page * PAGE, count * PAGE, kind ? RW : 0); break;
            case 10: (void)vmm_collapse(space[which], BASE, PAGES * PAGE, &made); break;
            default:
                if (kind == 0 && which) leave(which);
                break;
            }
            check();
        }
        merged += m->stats.merged;
        victims += m->stats.victims;
        end();
    }
    assert_true(merged > 500 && victims > 100); /* it did happen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_equal_pages_share_a_frame_after_two_rounds, begin_test),
        cmocka_unit_test_setup(test_a_write_separates_and_the_last_one_gives_the_frame_back, begin_test),
        cmocka_unit_test_setup(test_only_mergeable_areas_and_quiet_pages_are_merged, begin_test),
        cmocka_unit_test_setup(test_spaces_share_and_a_fork_shares_too, begin_test),
        cmocka_unit_test_setup(test_a_page_shared_by_fork_is_merged_with_all_its_entries, begin_test),
        cmocka_unit_test_setup(test_one_that_does_not_agree_keeps_a_shared_page_from_merging, begin_test),
        cmocka_unit_test_setup(test_unmergeable_separates_or_says_that_frames_lack, begin_test),
        cmocka_unit_test_setup(test_merged_frames_are_never_taken_and_other_pages_are, begin_test),
        cmocka_unit_test_setup(test_a_locked_merged_page_never_enters_the_lists, begin_test),
        cmocka_unit_test_setup(test_a_huge_page_is_split_for_a_page_that_merges, begin_test),
        cmocka_unit_test_setup(test_a_scan_looks_at_so_many_pages_and_goes_on, begin_test),
        cmocka_unit_test_setup(test_a_merged_frame_has_a_bound_and_then_another_is_begun, begin_test),
        cmocka_unit_test_setup(test_whatever_is_done_no_byte_is_lost, begin_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
