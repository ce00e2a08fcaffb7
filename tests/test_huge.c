/* test_huge.c - huge pages: made by faults, out of small ones and in the background, split by whatever cuts them.
 * What a space should hold is kept in a plain copy; every frame is accounted for at the end. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define HUGES 4u /* huge pages of the stretch that the tests use */
#define RW ((uint32_t)VMM_R | VMM_W)
#define ANON ((uint32_t)VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define SLOTS 1000u

VMM_MMU(rv, VMM_RISCV64)

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
/* And one whose leaves are all small. */
static const vmm_paging_t flat = {"flat",
                                  VMM_RULES_GENERIC,
                                  VMM_RIGHTS_LEAF,
                                  VMM_VADDR_ZERO,
                                  16,
                                  14,
                                  6,
                                  2,
                                  {5, 5},
                                  0x01,
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

static const vmm_paging_t *format;
static vmm_memory_t memory;
static vmm_machine_options_t options;
static vmm_layout_t layout;
static vmm_machine_t *m;
static vmm_space_t *space, *child;
static uint64_t page, huge;
static vmm_vaddr_t base;
static uint32_t huge_pages, free_at_start;
static uint8_t *disk, *wanted[2]; /* wanted: of space and child, HUGES huge pages from base on */
static rv_mmu_t mmu;

static int write_slot(void *user, uint32_t slot, const void *from)
{
    (void)user;
    memcpy(disk + slot * page, from, (size_t)page);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *to)
{
    (void)user;
    memcpy(to, disk + slot * page, (size_t)page);
    return 0;
}

static bool spare(void *user, vmm_space_t *s)
{
    (void)user;
    (void)s;
    return false;
}

/* A machine with one space, and its options as `options` has them beside what is set here. */
static void begin(const vmm_paging_t *paging, uint32_t frames)
{
    static const vmm_swap_area_t swap = {write_slot, read_slot, NULL, SLOTS, 0};
    vmm_machine_options_t o = options;
    uint64_t bytes;
    format = paging;
    page = UINT64_C(1) << paging->page_shift;
    huge_pages = 1u << paging->index_bits[0];
    huge = page * huge_pages;
    base = 4 * huge;
    memset(&layout, 0, sizeof layout);
    layout.name = "test";
    layout.lowest = layout.text = layout.mmap_low = huge;
    layout.top = layout.stack_top = layout.mmap_high = 32 * huge;
    layout.stack_limit = huge;
    if (!memory.base && paging->pte_bytes > 2) memory.base = 16 * huge;
    memory.size = frames * page;
    memory.ram = (uint8_t *)calloc(1, (size_t)memory.size);
    o.memory = &memory;
    o.paging = paging;
    o.layout = &layout;
    o.kill = spare;
    o.slots = SLOTS;
    bytes = vmm_machine_bytes(&o);
    assert_true(bytes > 0);
    assert_int_equal(vmm_machine_create(calloc(1, (size_t)bytes), bytes, &o, &m), VMM_OK);
    disk = (uint8_t *)calloc(SLOTS, (size_t)page);
    wanted[0] = (uint8_t *)calloc(HUGES, (size_t)huge);
    wanted[1] = (uint8_t *)calloc(HUGES, (size_t)huge);
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    free_at_start = m->frames.free_frames;
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
    child = NULL;
    if (paging == &vmm_sv39) {
        uint32_t cpu;
        rv_init(&mmu, &memory);
        assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
        assert_int_equal(vmm_space_switch(space, cpu), VMM_OK);
    }
}

static int begin_test(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memory.base = 0;
    return 0;
}

static void end(void)
{
    assert_true(vmm_check(m));
    if (child) vmm_exit(child);
    if (space) vmm_exit(space);
    assert_true(vmm_check(m));
    assert_int_equal(m->frames.free_frames, free_at_start);
    assert_int_equal(m->slots_used, 0);
    assert_int_equal(m->pages_anon + m->pages_tables + m->committed, 0);
    free(memory.ram);
    free(m);
    free(disk);
    free(wanted[0]);
    free(wanted[1]);
    (void)begin_test(NULL);
}

/* What a page of a space holds, wherever it is, without a fault; null: nothing yet. */
static const uint8_t *content(vmm_space_t *s, vmm_vaddr_t va)
{
    unsigned level = 0;
    uint32_t number = 0;
    const uint8_t *entry = vmm_entry_find(m, s, va, &level);
    if (!entry) return NULL;
    switch (vmm_entry_read(m, vmm_pte_load(format, entry), &number)) {
    case VMM_ENTRY_NONE: return NULL;
    case VMM_ENTRY_SLOT:
        return vmm_slot_at(m, number)->frame == VMM_NO_FRAME ? disk + number * page
                                                             : vmm_frame_host(m, vmm_slot_at(m, number)->frame);
    default: return vmm_frame_host(m, number) + (va & vmm_low_mask(vmm_level_shift(format, level)));
    }
}

static uint32_t frame_at(vmm_space_t *s, vmm_vaddr_t va)
{
    const uint8_t *at = content(s, va);
    assert_non_null(at);
    return (uint32_t)((size_t)(at - (const uint8_t *)memory.ram) / page);
}

/* Whether the pages of a space, and all that is kept of the machine, are as they should be. */
static void check(vmm_space_t *s)
{
    uint64_t i;
    size_t k;
    assert_true(vmm_check(m));
    for (i = 0; i < HUGES * huge_pages; i++) {
        const uint8_t *at = content(s, base + i * page), *want = wanted[s == child] + i * page;
        if (at) assert_memory_equal(at, want, (size_t)page);
        else
            for (k = 0; k < page; k++) assert_int_equal(want[k], 0);
    }
}

static vmm_status_t map(uint64_t at, uint64_t bytes, uint32_t flags)
{
    vmm_vaddr_t va;
    return vmm_mmap(space, base + at, bytes, RW, ANON | VMM_MAP_FIXED | flags, 0, 0, &va);
}

/* Writes pages in full, with bytes that say where they are. */
static vmm_status_t fill(vmm_space_t *s, uint64_t at, uint64_t bytes, unsigned seed)
{
    uint64_t i;
    for (i = at; i < at + bytes; i += page) {
        uint8_t *to = wanted[s == child] + i;
        uint64_t k;
        vmm_status_t status;
        uint8_t *was = (uint8_t *)malloc((size_t)page);
        memcpy(was, to, (size_t)page);
        for (k = 0; k < page; k++) to[k] = (uint8_t)(seed + i / page * 7 + k);
        status = vmm_space_write(s, base + i, to, page);
        if (status) memcpy(to, was, (size_t)page);
        free(was);
        if (status) return status;
    }
    return VMM_OK;
}

static void forget(vmm_space_t *s, uint64_t at, uint64_t bytes)
{
    memset(wanted[s == child] + at, 0, (size_t)bytes);
}

static void fork_space(void)
{
    assert_int_equal(vmm_fork(space, &child), VMM_OK);
    memcpy(wanted[1], wanted[0], (size_t)(HUGES * huge));
}

/* Takes free frames until `left` are left, from both ends and the middle: none lie together. Ends with give_back. */
static uint32_t hoard[8192], hoarded;
static void take_frames(uint32_t left)
{
    for (hoarded = 0; m->frames.free_frames > left; hoarded++) hoard[hoarded] = vmm_frame_alloc(m, 0, VMM_FRAME_FIXED);
}

/* Gives every other frame back: many are free, but no two together. */
static void give_alternate(void)
{
    uint32_t i, kept = 0;
    for (i = 0; i < hoarded; i++) {
        if (hoard[i] % 2) vmm_frame_give(m, hoard[i], 0);
        else hoard[kept++] = hoard[i];
    }
    hoarded = kept;
}

static void give_back(void)
{
    while (hoarded) vmm_frame_give(m, hoard[--hoarded], 0);
}

static const struct {
    const vmm_paging_t *paging;
    uint32_t frames;
} formats[] = {{&tiny, 240}, {&plain, 240}, {&vmm_sv39, 4000}};
#define EACH(i) for (i = 0; i < sizeof formats / sizeof *formats; i++)
#define BEGIN(i) (options.huge = VMM_HUGE_ALWAYS, begin(formats[i].paging, formats[i].frames))

static void test_a_touch_makes_a_huge_page_where_the_area_holds_all_of_it(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        BEGIN(i);
        assert_int_equal(map(huge / 2, 2 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 3 * huge / 2, page, 1), VMM_OK);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(space->stats.minor, 1);
        assert_int_equal(space->stats.anon, huge_pages);
        assert_int_equal(m->stats.huge_faults, 1);
        assert_int_equal(m->stats.zero_filled, huge_pages);
        assert_int_equal(frame_at(space, base + huge) % huge_pages, 0);
        assert_int_equal(fill(space, huge, huge, 2), VMM_OK); /* served already */
        assert_int_equal(space->stats.minor, 1);
        assert_int_equal(fill(space, huge / 2, page, 3), VMM_OK); /* the parts outside are small */
        assert_int_equal(fill(space, 2 * huge, page, 4), VMM_OK);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(space->stats.anon, huge_pages + 2);
        check(space);
        end();
    }
}

static void test_no_huge_page_is_made_without_leave_frames_or_a_format_for_it(void **state)
{
    vmm_vaddr_t va;
    uint64_t made;
    (void)state;
    begin(&tiny, 240); /* never */
    assert_int_equal(map(0, huge, 0), VMM_OK);
    assert_int_equal(fill(space, 0, page, 1), VMM_OK);
    assert_int_equal(space->stats.huge, 0);
    end();
    options.huge = VMM_HUGE_ADVISED;
    begin(&tiny, 240);
    assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
    assert_int_equal(vmm_madvise(space, base + huge, huge, VMM_MADV_HUGEPAGE), VMM_OK);
    assert_int_equal(fill(space, 0, 2 * huge, 1), VMM_OK);
    assert_int_equal(space->stats.huge, 1);
    check(space);
    end();
    options.huge = VMM_HUGE_ALWAYS;
    begin(&tiny, 240);
    assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
    assert_int_equal(vmm_madvise(space, base + huge, huge, VMM_MADV_NOHUGEPAGE), VMM_OK);
    assert_int_equal(fill(space, huge, huge, 1), VMM_OK);
    assert_int_equal(space->stats.huge, 0);
    assert_int_equal(vmm_collapse(space, base + huge, huge, &made), VMM_E_ARGUMENT);
    take_frames(0); /* enough, but none together */
    give_alternate();
    assert_int_equal(fill(space, 0, page, 2), VMM_OK);
    assert_int_equal(space->stats.huge, 0);
    check(space);
    give_back();
    end();
    options.huge = VMM_HUGE_ALWAYS;
    begin(&flat, 240);
    assert_int_equal(vmm_mmap(space, 0, huge, RW, ANON | VMM_MAP_HUGETLB, 0, 0, &va), VMM_E_ARGUMENT);
    assert_int_equal(map(0, huge, 0), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_huge_scan(m, 1000), 0);
    assert_int_equal(space->stats.huge, 0);
    check(space);
    end();
    options.huge = VMM_HUGE_ALWAYS;
    memory.base = 0x40; /* RAM that does not begin at a multiple of a huge page */
    begin(&tiny, 200);
    assert_int_equal(vmm_mmap(space, 0, huge, RW, ANON | VMM_MAP_HUGETLB, 0, 0, &va), VMM_E_ARGUMENT);
    assert_int_equal(map(0, huge, 0), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    assert_int_equal(space->stats.huge, 0);
    check(space);
    end();
}

static void test_unmapping_a_part_splits_and_the_whole_does_not(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint32_t before;
        BEGIN(i);
        assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, 2 * huge, 1), VMM_OK);
        before = m->frames.free_frames;
        assert_int_equal(vmm_munmap(space, base + 3 * page, page), VMM_OK);
        forget(space, 3 * page, page);
        assert_int_equal(m->stats.huge_split, 1);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(m->frames.free_frames, before); /* a table came, a page went */
        check(space);
        assert_int_equal(vmm_munmap(space, base + huge, huge), VMM_OK);
        forget(space, huge, huge);
        assert_int_equal(m->stats.huge_split, 1);
        assert_int_equal(space->stats.huge, 0);
        assert_int_equal(space->stats.anon, huge_pages - 1);
        check(space);
        end();
    }
}

static void test_protecting_keeps_contents_and_splits_only_what_it_cuts(void **state)
{
    size_t i;
    uint8_t byte = 9;
    (void)state;
    EACH(i)
    {
        BEGIN(i);
        assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, 2 * huge, 1), VMM_OK);
        assert_int_equal(vmm_mprotect(space, base, huge, VMM_R), VMM_OK);
        assert_int_equal(m->stats.huge_split, 0);
        assert_int_equal(vmm_space_write(space, base + 5, &byte, 1), VMM_FAULT);
        check(space);
        assert_int_equal(vmm_mprotect(space, base, huge, RW), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
        assert_int_equal(m->stats.huge_split, 0);
        assert_int_equal(m->stats.reused, 0);
        assert_int_equal(vmm_mprotect(space, base + page, page, VMM_R), VMM_OK);
        assert_int_equal(m->stats.huge_split, 1);
        assert_int_equal(fill(space, 0, page, 3), VMM_OK);
        assert_int_equal(vmm_space_write(space, base + page, &byte, 1), VMM_FAULT);
        check(space);
        assert_int_equal(vmm_mprotect(space, base + huge, huge, 0), VMM_OK); /* what allows nothing is small */
        assert_int_equal(m->stats.huge_split, 2);
        assert_int_equal(vmm_space_read(space, base + huge, &byte, 1), VMM_FAULT);
        check(space);
        assert_int_equal(vmm_mprotect(space, base, 2 * huge, RW), VMM_OK);
        assert_int_equal(fill(space, huge, huge, 4), VMM_OK);
        assert_int_equal(m->stats.copied, 0);
        check(space);
        end();
    }
}

static void test_after_a_fork_a_write_on_either_side_copies_one_small_page(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        BEGIN(i);
        assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, 2 * huge, 1), VMM_OK);
        fork_space();
        assert_int_equal(child->stats.huge, 2);
        assert_int_equal(child->stats.anon, 2 * huge_pages);
        assert_int_equal(fill(child, 5 * page, page, 50), VMM_OK);
        assert_int_equal(m->stats.copied, 1);
        assert_int_equal(child->stats.huge, 1);
        assert_int_equal(space->stats.huge, 2);
        check(space);
        check(child);
        assert_int_equal(fill(space, huge + 6 * page, page, 60), VMM_OK);
        assert_int_equal(m->stats.copied, 2);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(child->stats.huge, 1);
        check(space);
        check(child);
        assert_int_equal(fill(child, huge, 2 * page, 70), VMM_OK);
        assert_int_equal(fill(space, 5 * page, page, 80), VMM_OK); /* its page alone by now */
        check(space);
        check(child);
        end();
    }
}

static void test_the_last_owner_writes_a_huge_page_without_splitting_it(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        fork_space();
        vmm_exit(child);
        child = NULL;
        assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
        assert_int_equal(m->stats.copied, 0);
        assert_int_equal(m->stats.reused, 1);
        assert_int_equal(m->stats.huge_split, 0);
        assert_int_equal(vmm_mprotect(space, base, huge, VMM_R), VMM_OK);
        assert_int_equal(vmm_mprotect(space, base, huge, RW), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 3), VMM_OK);
        assert_int_equal(m->stats.reused, 1); /* writable at once */
        check(space);
        end();
    }
}

static void test_a_fork_is_refused_when_tables_lack_and_leaves_nothing(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint32_t left;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(map(2 * huge, page, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        assert_int_equal(fill(space, 2 * huge, page, 1), VMM_OK);
        for (left = 0; left < 3; left++) {
            m->slot_count = 0; /* nothing can be taken */
            take_frames(m->options.watermark_min + left);
            if (vmm_fork(space, &child) == VMM_OK) {
                memcpy(wanted[1], wanted[0], (size_t)(HUGES * huge));
                check(child);
                vmm_exit(child);
            }
            child = NULL;
            give_back();
            m->slot_count = m->options.slots;
            check(space);
        }
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(fill(space, 0, huge, 3), VMM_OK);
        check(space);
        end();
    }
}

static void test_a_huge_page_moves_whole_where_it_stays_aligned(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        vmm_vaddr_t va;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        assert_int_equal(
            vmm_mremap(space, base, huge, huge, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + 2 * huge, &va), VMM_OK);
        memcpy(wanted[0] + 2 * huge, wanted[0], (size_t)huge);
        forget(space, 0, huge);
        assert_int_equal(m->stats.huge_split, 0);
        assert_int_equal(space->stats.huge, 1);
        check(space);
        fork_space(); /* pages are known by other numbers now */
        assert_int_equal(fill(child, 2 * huge + page, page, 9), VMM_OK);
        check(space);
        check(child);
        vmm_exit(child);
        child = NULL;
        assert_int_equal(
            vmm_mremap(space, base + 2 * huge, huge, huge, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + page, &va),
            VMM_OK);
        memcpy(wanted[0] + page, wanted[0] + 2 * huge, (size_t)huge);
        forget(space, 2 * huge, huge);
        assert_int_equal(space->stats.huge, 0);
        check(space);
        end();
    }
}

static void test_a_move_without_frames_for_tables_leaves_all_where_it_was(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    options.huge = VMM_HUGE_ALWAYS;
    begin(&vmm_sv39, 2000);
    assert_int_equal(map(0, huge, 0), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    m->slot_count = 0;
    take_frames(0);
    assert_int_equal(
        vmm_mremap(space, base, huge, huge, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + 2 * huge + page, &va),
        VMM_E_NO_FRAME);
    m->slot_count = m->options.slots;
    check(space);
    assert_int_equal(space->stats.huge, 1);
    give_back();
    end();
}

static void test_dontneed_and_free_of_parts_split(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        BEGIN(i);
        assert_int_equal(map(0, 3 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, 3 * huge, 1), VMM_OK);
        assert_int_equal(vmm_madvise(space, base + 2 * page, 2 * page, VMM_MADV_DONTNEED), VMM_OK);
        forget(space, 2 * page, 2 * page);
        assert_int_equal(space->stats.huge, 2);
        assert_int_equal(space->stats.anon, 3 * huge_pages - 2);
        check(space);
        assert_int_equal(vmm_madvise(space, base + huge, huge, VMM_MADV_DONTNEED), VMM_OK);
        forget(space, huge, huge);
        assert_int_equal(m->stats.huge_split, 1);
        check(space);
        assert_int_equal(vmm_madvise(space, base + 2 * huge, page, VMM_MADV_FREE), VMM_OK);
        assert_int_equal(m->stats.huge_split, 2);
        check(space);
        assert_int_equal(fill(space, huge, page, 3), VMM_OK);
        assert_int_equal(space->stats.huge, 1);
        check(space);
        end();
    }
}

static void test_a_lock_holds_every_frame_of_a_huge_page_and_an_unlock_frees_them(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint64_t k;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        assert_int_equal(vmm_mlock(space, base, huge), VMM_OK);
        for (k = 0; k < huge; k += page)
            assert_true(vmm_frame_at(m, frame_at(space, base + k))->flags & VMM_FRAME_LOCKED);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(vmm_reclaim(m, huge_pages), 0);
        check(space);
        assert_int_equal(vmm_munlock(space, base, huge), VMM_OK);
        for (k = 0; k < huge; k += page)
            assert_false(vmm_frame_at(m, frame_at(space, base + k))->flags & VMM_FRAME_LOCKED);
        check(space);
        assert_true(vmm_reclaim(m, 3) >= 3);
        assert_int_equal(space->stats.huge, 0);
        check(space);
        end();
    }
}

static void test_reclaim_takes_one_frame_of_a_huge_page_out_of_every_space(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint32_t frame;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        fork_space();
        frame = frame_at(space, base + 7 * page);
        take_frames(1); /* one table, but two are needed */
        assert_int_equal(vmm_evict(m, frame), VMM_E_BUSY);
        give_back();
        check(space);
        check(child);
        assert_int_equal(vmm_evict(m, frame), VMM_OK);
        assert_int_equal(space->stats.huge + child->stats.huge, 0);
        assert_int_equal(m->stats.huge_split, 2);
        assert_int_equal(space->stats.swapped, 1);
        assert_int_equal(child->stats.swapped, 1);
        check(space);
        check(child);
        assert_int_equal(fill(child, 7 * page, page, 3), VMM_OK);
        assert_int_equal(fill(space, 6 * page, 2 * page, 4), VMM_OK);
        check(space);
        check(child);
        end();
    }
}

static void test_the_accessed_mark_of_a_huge_page_is_that_of_all_its_frames(void **state)
{
    uint32_t frame, i;
    uint8_t byte;
    (void)state;
    options.huge = VMM_HUGE_ALWAYS;
    begin(&tiny, 240);
    assert_int_equal(map(0, huge, 0), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    frame = frame_at(space, base);
    for (i = 0; i < huge_pages; i++) assert_true(vmm_frame_referenced(m, frame + i));
    for (i = 0; i < huge_pages; i++) assert_false(vmm_frame_referenced(m, frame + i));
    assert_int_equal(vmm_space_read(space, base + 3 * page, &byte, 1), VMM_OK);
    for (i = huge_pages; i > 0; i--) assert_true(vmm_frame_referenced(m, frame + i - 1));
    for (i = 0; i < huge_pages; i++) assert_false(vmm_frame_referenced(m, frame + i));
    for (i = 0; i < huge_pages; i++) assert_true(vmm_frame_dirty(m, frame + i));
    check(space);
    end();
}

static void test_a_split_without_a_frame_is_an_error_that_changes_nothing(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint8_t byte = 1;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        fork_space();
        m->slot_count = 0; /* nothing can be taken */
        take_frames(0);
        assert_int_equal(vmm_munmap(space, base + page, page), VMM_E_NO_FRAME);
        assert_int_equal(vmm_mprotect(space, base + page, page, VMM_R), VMM_E_NO_FRAME);
        assert_int_equal(vmm_mprotect(space, base, huge, 0), VMM_E_NO_FRAME);
        assert_int_equal(vmm_madvise(space, base + page, page, VMM_MADV_DONTNEED), VMM_E_NO_FRAME);
        assert_int_equal(vmm_madvise(space, base + page, page, VMM_MADV_FREE), VMM_E_NO_FRAME);
        assert_int_equal(vmm_space_write(space, base, &byte, 1), VMM_FAULT);
        assert_int_equal(space->signal.number, VMM_SIGBUS);
        assert_int_equal(space->signal.status, VMM_E_NO_FRAME);
        assert_int_equal(space->areas, 1);
        assert_int_equal(space->stats.huge, 1);
        check(space);
        check(child);
        assert_int_equal(vmm_space_read(space, base + page, &byte, 1), VMM_OK); /* as it was */
        give_back();
        m->slot_count = m->options.slots;
        assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
        check(space);
        check(child);
        end();
    }
}

static void test_explicit_areas_keep_to_linux_rules_of_alignment(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    begin(&tiny, 240);
    assert_int_equal(vmm_mmap(space, base + page, huge, RW, ANON | VMM_MAP_FIXED | VMM_MAP_HUGETLB, 0, 0, &va),
                     VMM_E_ALIGN);
    assert_int_equal(map(0, 2 * huge + 1, VMM_MAP_HUGETLB), VMM_OK);
    assert_int_equal(space->stats.total, 3 * huge_pages);
    assert_int_equal(vmm_munmap(space, base + page, page), VMM_E_ALIGN);
    assert_int_equal(vmm_munmap(space, base, page), VMM_E_ALIGN);
    assert_int_equal(vmm_mprotect(space, base, page, VMM_R), VMM_E_ALIGN);
    assert_int_equal(map(page, page, 0), VMM_E_ALIGN);
    assert_int_equal(vmm_madvise(space, base, page, VMM_MADV_FREE), VMM_E_ARGUMENT);
    assert_int_equal(vmm_madvise(space, base + page, huge, VMM_MADV_DONTNEED), VMM_E_ARGUMENT);
    assert_int_equal(
        vmm_mremap(space, base + page, huge, huge, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + 6 * huge, &va),
        VMM_E_ALIGN);
    assert_int_equal(
        vmm_mremap(space, base, huge, huge, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + 6 * huge + page, &va),
        VMM_E_ALIGN);
    assert_int_equal(vmm_mremap(space, base, 3 * huge, 4 * huge, VMM_MREMAP_MAYMOVE, 0, &va), VMM_E_ARGUMENT);
    assert_int_equal(vmm_status_errno(VMM_E_ALIGN), 22);
    assert_int_equal(space->areas, 1);
    assert_int_equal(fill(space, 0, 3 * huge, 1), VMM_OK);
    assert_int_equal(space->stats.huge, 3);
    assert_int_equal(vmm_madvise(space, base, page, VMM_MADV_DONTNEED), VMM_OK); /* rounded down to nothing */
    check(space);
    assert_int_equal(vmm_madvise(space, base, huge + page, VMM_MADV_DONTNEED), VMM_OK);
    forget(space, 0, huge);
    assert_int_equal(space->stats.huge, 2);
    check(space);
    assert_int_equal(
        vmm_mremap(space, base + huge, huge, page, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + 3 * huge, &va),
        VMM_OK);
    memcpy(wanted[0] + 3 * huge, wanted[0] + huge, (size_t)huge);
    forget(space, huge, huge);
    assert_int_equal(space->stats.huge, 2);
    assert_int_equal(m->stats.huge_split, 0);
    check(space);
    assert_int_equal(vmm_mremap(space, base + 2 * huge, 2 * huge, huge, 0, 0, &va),
                     VMM_OK); /* two areas: the tail goes */
    forget(space, 3 * huge, huge);
    assert_int_equal(space->stats.huge, 1);
    check(space);
    end();
}

static void test_explicit_pages_are_never_taken_and_copied_whole(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint64_t k;
        begin(formats[i].paging, formats[i].frames);
        assert_int_equal(map(0, huge, VMM_MAP_HUGETLB | VMM_MAP_LOCKED), VMM_OK);
        assert_int_equal(space->stats.huge, 1); /* populated */
        assert_int_equal(space->stats.locked, 0);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        fork_space();
        for (k = 0; k < huge; k += page) assert_int_equal(vmm_evict(m, frame_at(space, base + k)), VMM_E_BUSY);
        assert_int_equal(vmm_reclaim(m, 10), 0);
        check(space);
        assert_int_equal(fill(child, 5 * page, page, 2), VMM_OK);
        assert_int_equal(m->stats.copied, huge_pages);
        assert_int_equal(m->stats.huge_split, 0);
        assert_int_equal(child->stats.huge, 1);
        assert_int_equal(space->stats.huge, 1);
        check(space);
        check(child);
        assert_int_equal(fill(space, 5 * page, page, 3), VMM_OK);
        assert_int_equal(m->stats.reused, 1);
        assert_int_equal(m->stats.copied, huge_pages);
        check(space);
        check(child);
        assert_int_equal(vmm_reclaim(m, 10), 0);
        assert_int_equal(vmm_mlock(space, base, huge), VMM_OK);
        assert_int_equal(vmm_munlock(space, base, huge), VMM_OK);
        assert_int_equal(vmm_reclaim(m, 10), 0);
        vmm_exit(child);
        child = NULL;
        assert_int_equal(vmm_reclaim(m, 10), 0);
        check(space);
        end();
    }
}

static void test_an_explicit_page_without_frames_is_a_bus_error(void **state)
{
    uint8_t byte = 1;
    (void)state;
    begin(&tiny, 240);
    assert_int_equal(map(0, 2 * huge, VMM_MAP_HUGETLB), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    fork_space();
    take_frames(0);
    give_alternate();
    assert_int_equal(vmm_space_write(space, base + huge, &byte, 1), VMM_FAULT);
    assert_int_equal(space->signal.number, VMM_SIGBUS);
    assert_int_equal(vmm_space_write(child, base, &byte, 1), VMM_FAULT);
    assert_int_equal(child->signal.number, VMM_SIGBUS);
    check(space);
    check(child);
    give_back();
    end();
}

static void test_an_explicit_page_that_allowed_nothing_is_put_together_again(void **state)
{
    uint64_t made;
    (void)state;
    begin(&tiny, 240);
    assert_int_equal(map(0, huge, VMM_MAP_HUGETLB), VMM_OK);
    assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
    assert_int_equal(vmm_mprotect(space, base, huge, 0), VMM_OK);
    assert_int_equal(vmm_reclaim(m, 10), 0);
    check(space);
    assert_int_equal(vmm_mprotect(space, base, huge, RW), VMM_OK);
    assert_int_equal(space->stats.huge, 0);
    assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
    take_frames(0); /* in place: nothing is needed */
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_OK);
    assert_int_equal(made, 1);
    assert_int_equal(space->stats.huge, 1);
    give_back();
    check(space);
    assert_int_equal(vmm_reclaim(m, 10), 0);
    end();
}

static void test_collapse_copies_what_is_there_and_clears_what_is_not(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint64_t made, zeroed;
        uint8_t byte;
        uint32_t before;
        begin(formats[i].paging, formats[i].frames); /* never: but asked for is asked for */
        assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
        assert_int_equal(fill(space, 2 * page, 3 * page, 1), VMM_OK);
        assert_int_equal(fill(space, huge - page, page, 1), VMM_OK);
        assert_int_equal(vmm_space_read(space, base + 9 * page, &byte, 1), VMM_OK); /* shared zeros */
        before = m->frames.free_frames;
        zeroed = m->stats.zero_filled;
        assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_OK);
        assert_int_equal(made, 1);
        assert_int_equal(space->stats.huge, 1);
        assert_int_equal(space->stats.anon, huge_pages);
        assert_int_equal(m->stats.huge_collapsed, 1);
        assert_int_equal(m->stats.zero_filled - zeroed, huge_pages - 4);
        assert_int_equal(m->frames.free_frames, before + 4 + 1 - huge_pages); /* pages and a table came back */
        check(space);
        assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_OK); /* is one already */
        assert_int_equal(made, 0);
        assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
        assert_int_equal(m->stats.copied, 0);
        check(space);
        fork_space();
        assert_int_equal(fill(child, 0, page, 3), VMM_OK);
        check(space);
        check(child);
        end();
    }
}

static void test_collapse_in_place_moves_nothing(void **state)
{
    size_t i;
    (void)state;
    EACH(i)
    {
        uint64_t made;
        uint32_t frame;
        BEGIN(i);
        assert_int_equal(map(0, huge, 0), VMM_OK);
        assert_int_equal(fill(space, 0, huge, 1), VMM_OK);
        frame = frame_at(space, base);
        assert_int_equal(vmm_huge_split(m, space, base), VMM_OK);
        take_frames(0);
        assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_OK);
        give_back();
        assert_int_equal(made, 1);
        assert_int_equal(frame_at(space, base), frame);
        assert_int_equal(space->stats.anon, huge_pages);
        check(space);
        assert_int_equal(fill(space, 0, huge, 2), VMM_OK);
        check(space);
        assert_int_equal(vmm_evict(m, frame + 1), VMM_OK);
        check(space);
        end();
    }
}

static void test_collapse_refuses_what_others_hold_and_leaves_it(void **state)
{
    uint64_t made;
    vmm_paddr_t paddr;
    vmm_vaddr_t va;
    uint32_t frame;
    uint8_t byte;
    (void)state;
    begin(&tiny, 240);
    assert_int_equal(vmm_collapse(space, base + 1, huge, &made), VMM_E_ALIGN);
    assert_int_equal(vmm_collapse(space, base, UINT64_MAX - base, &made), VMM_E_RANGE);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_collapse(space, base + page, huge, &made), VMM_OK); /* no whole stretch in it */
    assert_int_equal(map(0, 2 * huge, 0), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_ARGUMENT); /* nothing is there */
    assert_int_equal(vmm_space_read(space, base, &byte, 1), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_ARGUMENT); /* zeros alone */
    assert_int_equal(fill(space, 0, 2 * huge, 1), VMM_OK);
    assert_int_equal(vmm_pin(space, base + page, VMM_READ, &paddr), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, 2 * huge, &made), VMM_E_AGAIN);
    assert_int_equal(made, 1); /* the other one */
    check(space);
    assert_int_equal(vmm_unpin(m, paddr), VMM_OK);
    assert_int_equal(vmm_mlock(space, base, page), VMM_OK); /* an area of its own */
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_mlock(space, base, 2 * huge), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_AGAIN);
    assert_int_equal(vmm_munlock(space, base, 2 * huge), VMM_OK);
    frame = frame_at(space, base + 4 * page);
    assert_int_equal(vmm_evict(m, frame), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_AGAIN); /* in a slot */
    assert_int_equal(vmm_space_read(space, base + 4 * page, &byte, 1), VMM_OK);
    fork_space();
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_AGAIN); /* shared */
    check(space);
    vmm_exit(child);
    child = NULL;
    assert_int_equal(vmm_mprotect(space, base, huge, 0), VMM_OK);
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_mprotect(space, base, huge, RW), VMM_OK);
    take_frames(0);
    give_alternate();
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_E_NO_FRAME);
    assert_int_equal(made, 0);
    check(space);
    give_back();
    assert_int_equal(vmm_collapse(space, base, huge, &made), VMM_OK); /* out of the swap cache too */
    assert_int_equal(made, 1);
    check(space);
    assert_int_equal(
        vmm_mmap(space, base + 2 * huge, huge, RW, VMM_MAP_SHARED | VMM_MAP_ANONYMOUS | VMM_MAP_FIXED, 0, 0, &va),
        VMM_OK);
    assert_int_equal(fill(space, 2 * huge, huge, 4), VMM_OK);
    assert_int_equal(vmm_collapse(space, base + 2 * huge, huge, &made), VMM_E_ARGUMENT);
    check(space);
    end();
}

static void test_the_scan_promotes_what_may_be_huge_and_goes_on_where_it_was(void **state)
{
    uint32_t i;
    (void)state;
    options.huge = VMM_HUGE_ADVISED;
    begin(&tiny, 240);
    assert_int_equal(map(0, 4 * huge, 0), VMM_OK);
    for (i = 0; i < 4; i++) assert_int_equal(fill(space, i * huge + i * page, page, i), VMM_OK);
    assert_int_equal(vmm_huge_scan(m, 10000), 0); /* not advised */
    assert_int_equal(vmm_madvise(space, base, 3 * huge, VMM_MADV_HUGEPAGE), VMM_OK);
    assert_int_equal(vmm_huge_scan(m, 0), 0);
    assert_int_equal(vmm_huge_scan(m, 1), 1); /* finishes the stretch */
    assert_int_equal(space->stats.huge, 1);
    check(space);
    assert_int_equal(vmm_huge_scan(m, 1), 1); /* the next one */
    assert_int_equal(vmm_huge_scan(m, 1), 1);
    assert_int_equal(vmm_huge_scan(m, 10000), 0);
    assert_int_equal(vmm_huge_scan(m, 10000), 0);
    assert_int_equal(space->stats.huge, 3);
    assert_int_equal(m->stats.huge_collapsed, 3);
    check(space);
    assert_int_equal(vmm_munmap(space, base + page, page), VMM_OK);
    forget(space, page, page);
    assert_int_equal(vmm_huge_scan(m, 10000), 0); /* two areas now */
    check(space);
    end();
}

static bool in_one_area(vmm_space_t *s, uint64_t at, uint64_t bytes)
{
    const uint32_t number = vmm_area_with(s, base + at);
    return number && vmm_area_at(m, number)->end >= base + at + bytes;
}

static bool is_explicit(vmm_space_t *s, uint64_t at)
{
    const uint32_t number = vmm_area_with(s, base + at);
    return number && vmm_area_at(m, number)->flags & VMM_AREA_HUGE;
}

/* Whatever can be done, at random, against the plain copies. */
static void do_something(uint64_t *random, uint32_t huge_areas)
{
    vmm_space_t *s = child && helper_random(random) % 2 ? child : space;
    const uint32_t pages = HUGES * huge_pages;
    uint64_t at = helper_random(random) % pages * page, bytes = (1 + helper_random(random) % huge_pages) * page, made;
    const unsigned what = (unsigned)(helper_random(random) % 14), seed = (unsigned)helper_random(random);
    vmm_vaddr_t va;
    if (helper_random(random) % 2) {
        at &= ~(huge - 1);
        bytes = huge;
    }
    if (at + bytes > HUGES * huge) bytes = HUGES * huge - at;
    switch (what) {
    case 0:
    case 1: (void)fill(s, at, bytes, seed); break;
    case 2: (void)fill(s, at, page, seed); break;
    case 3:
        if (vmm_munmap(s, base + at, bytes) == VMM_OK) forget(s, at, bytes);
        break;
    case 4:
        if (vmm_mmap(s, base + at, bytes, RW, ANON | VMM_MAP_FIXED, 0, 0, &va) == VMM_OK) forget(s, at, bytes);
        break;
    case 5: (void)vmm_mprotect(s, base + at, bytes, seed % 3 == 0 ? 0 : seed % 3 == 1 ? (uint32_t)VMM_R : RW); break;
    case 6:
        if (!in_one_area(s, at, bytes)) break; /* only where it is sure to work */
        if (vmm_madvise(s, base + at, bytes, VMM_MADV_DONTNEED) != VMM_OK) break;
        forget(s, at, is_explicit(s, at) ? bytes & ~(huge - 1) : bytes);
        break;
    case 7:
        if (child) {
            vmm_exit(child);
            child = NULL;
        } else if (vmm_fork(space, &child) == VMM_OK) {
            memcpy(wanted[1], wanted[0], (size_t)(HUGES * huge));
        } else {
            child = NULL;
        }
        break;
    case 8: {
        const uint64_t to =
            helper_random(random) % 2 ? helper_random(random) % pages * page : helper_random(random) % HUGES * huge;
        if (is_explicit(s, at)) bytes = (bytes + huge - 1) & ~(huge - 1); /* as mremap rounds it */
        if (!in_one_area(s, at, bytes) || to + bytes > HUGES * huge) break;
        if (at + bytes > to && to + bytes > at) break;
        if (vmm_mremap(s, base + at, bytes, bytes, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, base + to, &va) == VMM_OK) {
            memcpy(wanted[s == child] + to, wanted[s == child] + at, (size_t)bytes);
            forget(s, at, bytes);
        } else { /* it may fail after it made room */
            for (made = to; made < to + bytes; made += page)
                if (!in_one_area(s, made, page)) forget(s, made, page);
        }
        break;
    }
    case 9:
    case 10: (void)vmm_collapse(s, base, HUGES * huge, &made); break;
    case 11: (void)vmm_huge_scan(m, huge_pages); break;
    case 12: (void)vmm_reclaim(m, 1 + seed % 8); break;
    default:
        if (seed % 2) (void)vmm_mlock(s, base + at, bytes);
        else (void)vmm_munlock(s, base + at, bytes);
        if (huge_areas && vmm_mmap(s, base + (at & ~(huge - 1)), huge, RW, ANON | VMM_MAP_FIXED | VMM_MAP_HUGETLB, 0, 0,
                                   &va) == VMM_OK)
            forget(s, at & ~(huge - 1), huge);
        break;
    }
}

static void test_whatever_is_done_no_byte_is_lost(void **state)
{
    static const vmm_paging_t *const two[] = {&tiny, &plain};
    uint64_t random = 88172645463325252u, faults = 0, collapsed = 0, split = 0, victims = 0;
    uint32_t run, step;
    (void)state;
    for (run = 0; run < 24; run++) {
        options.huge = (uint8_t)(run % 3);
        options.local = run % 4 == 3;
        begin(two[run % 2], 90 + run * 6); /* from far too few on */
        assert_int_equal(map(0, HUGES * huge, 0), VMM_OK);
        for (step = 0; step < 300; step++) {
            do_something(&random, run % 2);
            check(space);
            if (child) check(child);
        }
        faults += m->stats.huge_faults;
        collapsed += m->stats.huge_collapsed;
        split += m->stats.huge_split;
        victims += m->stats.victims;
        end();
    }
    assert_true(faults > 50 && collapsed > 50 && split > 50 && victims > 50); /* it did happen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_touch_makes_a_huge_page_where_the_area_holds_all_of_it, begin_test),
        cmocka_unit_test_setup(test_no_huge_page_is_made_without_leave_frames_or_a_format_for_it, begin_test),
        cmocka_unit_test_setup(test_unmapping_a_part_splits_and_the_whole_does_not, begin_test),
        cmocka_unit_test_setup(test_protecting_keeps_contents_and_splits_only_what_it_cuts, begin_test),
        cmocka_unit_test_setup(test_after_a_fork_a_write_on_either_side_copies_one_small_page, begin_test),
        cmocka_unit_test_setup(test_the_last_owner_writes_a_huge_page_without_splitting_it, begin_test),
        cmocka_unit_test_setup(test_a_fork_is_refused_when_tables_lack_and_leaves_nothing, begin_test),
        cmocka_unit_test_setup(test_a_huge_page_moves_whole_where_it_stays_aligned, begin_test),
        cmocka_unit_test_setup(test_a_move_without_frames_for_tables_leaves_all_where_it_was, begin_test),
        cmocka_unit_test_setup(test_dontneed_and_free_of_parts_split, begin_test),
        cmocka_unit_test_setup(test_a_lock_holds_every_frame_of_a_huge_page_and_an_unlock_frees_them, begin_test),
        cmocka_unit_test_setup(test_reclaim_takes_one_frame_of_a_huge_page_out_of_every_space, begin_test),
        cmocka_unit_test_setup(test_the_accessed_mark_of_a_huge_page_is_that_of_all_its_frames, begin_test),
        cmocka_unit_test_setup(test_a_split_without_a_frame_is_an_error_that_changes_nothing, begin_test),
        cmocka_unit_test_setup(test_explicit_areas_keep_to_linux_rules_of_alignment, begin_test),
        cmocka_unit_test_setup(test_explicit_pages_are_never_taken_and_copied_whole, begin_test),
        cmocka_unit_test_setup(test_an_explicit_page_without_frames_is_a_bus_error, begin_test),
        cmocka_unit_test_setup(test_an_explicit_page_that_allowed_nothing_is_put_together_again, begin_test),
        cmocka_unit_test_setup(test_collapse_copies_what_is_there_and_clears_what_is_not, begin_test),
        cmocka_unit_test_setup(test_collapse_in_place_moves_nothing, begin_test),
        cmocka_unit_test_setup(test_collapse_refuses_what_others_hold_and_leaves_it, begin_test),
        cmocka_unit_test_setup(test_the_scan_promotes_what_may_be_huge_and_goes_on_where_it_was, begin_test),
        cmocka_unit_test_setup(test_whatever_is_done_no_byte_is_lost, begin_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
