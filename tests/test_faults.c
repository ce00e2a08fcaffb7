/* test_faults.c - every way that a page fault, an eviction or a call around them can go, one by one. */
#define VMM_EVENTS 1
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define PAGE UINT64_C(4096)
#define FRAMES 96u
#define SLOTS 128u
#define FILE_PAGES 40u
#define ANON (VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define RW (VMM_R | VMM_W)

VMM_MMU(rv, VMM_RISCV64)

static uint64_t ram[(FRAMES + 1) * PAGE / 8];
static void *block;
static vmm_machine_t *m;
static vmm_space_t *a, *b;
static vmm_memory_t memory;
static vmm_layout_t layout;
static vmm_machine_options_t options;
static uint8_t device[2][SLOTS][PAGE], disk[FILE_PAGES][PAGE];
static unsigned fail_write_slot, fail_read_slot, fail_read_page, fail_write_page; /* how many times, from now on */
static unsigned good_reads; /* of a file, before those that fail */
static unsigned reads, writes, kills, lacks;
static bool kill_refused;
static uint32_t kill_asked;
static vmm_event_t events[4096];
static size_t event_count;
static rv_mmu_t mmu, mmu2;

static void on_event(void *user, const vmm_event_t *event)
{
    (void)user;
    if (event_count < sizeof events / sizeof *events) events[event_count++] = *event;
}

static bool on_kill(void *user, vmm_space_t *s)
{
    (void)user;
    kills++;
    kill_asked = s->number;
    return !kill_refused;
}

static void on_lack(void *user, uint32_t free_frames)
{
    (void)user;
    assert_int_equal(free_frames, m->frames.free_frames);
    lacks++;
}

static bool fails(unsigned *times)
{
    if (*times == 0) return false;
    --*times;
    return true;
}

static int write_slot(void *user, uint32_t slot, const void *from)
{
    const bool failed = fails(&fail_write_slot);
    memcpy(device[user != NULL][slot], from, PAGE);
    if (failed) memset(device[user != NULL][slot], 0xdd, PAGE / 2);
    return failed;
}

static int read_slot(void *user, uint32_t slot, void *to)
{
    memcpy(to, device[user != NULL][slot], PAGE);
    return fails(&fail_read_slot);
}

static int read_page(void *user, uint64_t page, void *to)
{
    (void)user;
    assert_true(page < FILE_PAGES);
    reads++;
    memcpy(to, disk[page], PAGE);
    if (good_reads) return good_reads--, 0;
    return fails(&fail_read_page);
}

static int write_page(void *user, uint64_t page, const void *from)
{
    (void)user;
    if (fails(&fail_write_page)) return 1;
    writes++;
    memcpy(disk[page], from, PAGE);
    return 0;
}

/* -- a machine for each test: options() first, changed by the test, then start() -- */

static void prepare(void)
{
    unsigned i;
    memset(&memory, 0, sizeof memory);
    memory.ram = (void *)(((uintptr_t)ram + 4095) & ~(uintptr_t)4095);
    memory.base = 0x80000000;
    memory.size = FRAMES * PAGE;
    memset(&layout, 0, sizeof layout);
    layout.name = "test";
    layout.lowest = layout.text = 0x10000;
    layout.top = layout.stack_top = UINT64_C(1) << 38;
    layout.mmap_low = 0x10000000;
    layout.mmap_high = UINT64_C(0x3fff000000);
    layout.stack_limit = 16 * PAGE;
    layout.guard_pages = 4;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.layout = &layout;
    options.slots = SLOTS;
    options.event = on_event;
    options.kill = on_kill;
    good_reads = fail_write_slot = fail_read_slot = fail_read_page = fail_write_page = 0;
    reads = writes = kills = lacks = 0;
    kill_refused = false;
    event_count = 0;
    for (i = 0; i < FILE_PAGES; i++) memset(disk[i], (int)(i + 1), PAGE);
}

static void add_swap(uint32_t slots, int32_t priority, void *user)
{
    vmm_swap_area_t swap;
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    swap.user = user;
    swap.slots = slots;
    swap.priority = priority;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
}

static vmm_space_t *new_space(void)
{
    vmm_space_t *s = NULL;
    assert_int_equal(vmm_space_create(m, &s), VMM_OK);
    return s;
}

static void start(void)
{
    block = malloc((size_t)vmm_machine_bytes(&options));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&options), &options, &m), VMM_OK);
    if (options.slots == SLOTS) add_swap(SLOTS, 0, NULL);
    a = new_space();
    b = NULL;
}

static void start_usual(void)
{
    prepare();
    start();
}

static void check(void)
{
    assert_true(vmm_check(m));
}

/* All spaces end, and every frame is free again but that of zeros. */
static void finish(void)
{
    uint32_t i;
    check();
    for (i = 1; i <= m->spaces.fresh; i++)
        if (vmm_space_at(m, i)->number == i) vmm_exit(vmm_space_at(m, i));
    check();
    for (i = 1; i <= m->objects.fresh; i++)
        if (vmm_object_at(m, i)->references) assert_int_equal(vmm_object_close(m, i), VMM_OK);
    check();
    assert_int_equal(m->frames.free_frames, m->frame_count - 1);
    assert_int_equal(m->slots_used, 0);
    assert_int_equal(m->committed, 0);
    free(block);
}

static vmm_vaddr_t map(vmm_space_t *s, uint64_t pages, uint32_t rights, uint32_t flags, uint32_t object, uint64_t page)
{
    vmm_vaddr_t va = 0;
    assert_int_equal(vmm_mmap(s, 0, pages * PAGE, rights, flags, object, page * PAGE, &va), VMM_OK);
    return va;
}

static uint32_t open_file(uint64_t size)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_FILE;
    o.size = size;
    o.read_page = read_page;
    o.write_page = write_page;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

static uint32_t open_shared(uint64_t size)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_SHARED;
    o.size = size;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

static vmm_status_t put(vmm_space_t *s, vmm_vaddr_t va, unsigned byte)
{
    const uint8_t value = (uint8_t)byte;
    return vmm_space_write(s, va, &value, 1);
}

static void set(vmm_space_t *s, vmm_vaddr_t va, unsigned byte)
{
    assert_int_equal(put(s, va, byte), VMM_OK);
}

static unsigned get(vmm_space_t *s, vmm_vaddr_t va)
{
    uint8_t value = 0;
    assert_int_equal(vmm_space_read(s, va, &value, 1), VMM_OK);
    return value;
}

static void refuses(vmm_space_t *s, vmm_vaddr_t va, unsigned access, unsigned number, unsigned code,
                    vmm_status_t status)
{
    memset(&s->signal, 0, sizeof s->signal);
    assert_int_equal(vmm_fault_serve(s, va, access), VMM_FAULT);
    assert_int_equal(s->signal.number, number);
    assert_int_equal(s->signal.code, code);
    assert_int_equal(s->signal.status, status);
    assert_int_equal(s->signal.access, access);
    assert_true(s->signal.address == va);
    check();
}

/* What stands in the entry of an address, and the frame or slot. */
static unsigned entry(vmm_space_t *s, vmm_vaddr_t va, uint32_t *number)
{
    unsigned level;
    const uint8_t *e = vmm_entry_find(m, s, va, &level);
    *number = VMM_NO_FRAME;
    return e ? vmm_entry_read(m, vmm_pte_load(m->paging, e), number) : (unsigned)VMM_ENTRY_NONE;
}

static uint32_t frame_of(vmm_space_t *s, vmm_vaddr_t va)
{
    uint32_t number;
    assert_int_equal(entry(s, va, &number), VMM_ENTRY_PAGE);
    return number;
}

static unsigned kind_at(vmm_space_t *s, vmm_vaddr_t va)
{
    uint32_t number;
    return entry(s, va, &number);
}

/* Takes every frame that can be taken. */
static void evict_all(void)
{
    while (vmm_reclaim(m, 1)) {}
    check();
}

static uint64_t majors(vmm_space_t *s)
{
    return s->stats.major;
}

/* Takes frames for nothing until so many are left. */
static uint32_t hoarded[FRAMES], hoard_count;

static void hoard(uint32_t left)
{
    while (m->frames.free_frames > left) hoarded[hoard_count++] = vmm_frame_alloc(m, 0, VMM_FRAME_FIXED);
}

static void unhoard(void)
{
    while (hoard_count) vmm_frame_give(m, hoarded[--hoard_count], 0);
}

/* -- anonymous pages -- */

static void test_a_read_of_untouched_memory_shows_the_page_of_zeros_and_the_write_after_it_takes_a_frame(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 2, RW, ANON, 0, 0);
    assert_int_equal(kind_at(a, va), VMM_ENTRY_NONE);
    assert_int_equal(get(a, va + 9), 0);
    assert_int_equal(frame_of(a, va), m->zero_frame);
    assert_int_equal(a->stats.anon, 0);
    set(a, va + 9, 7);
    assert_true(frame_of(a, va) != m->zero_frame);
    assert_int_equal(a->stats.anon, 1);
    assert_int_equal(get(a, va + 8), 0);
    assert_int_equal(get(a, va + 9), 7);
    assert_int_equal(m->stats.zero_filled, 1);
    assert_int_equal(a->stats.minor, 2);
    set(a, va + PAGE, 1);
    assert_int_equal(a->stats.minor, 3);
    assert_int_equal(a->stats.major, 0);
    finish();
}

static void test_a_write_after_a_fork_copies_and_the_last_owner_writes_without_a_copy(void **state)
{
    vmm_vaddr_t va;
    uint32_t frame;
    (void)state;
    start_usual();
    va = map(a, 1, RW, ANON, 0, 0);
    set(a, va, 1);
    frame = frame_of(a, va);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    assert_int_equal(frame_of(b, va), frame);
    assert_int_equal(vmm_frame_at(m, frame)->mappings, 2);
    check();
    set(b, va, 2);
    assert_int_equal(m->stats.copied, 1);
    assert_true(frame_of(b, va) != frame);
    assert_int_equal(get(a, va), 1);
    assert_int_equal(get(b, va), 2);
    set(a, va, 3);
    assert_int_equal(m->stats.copied, 1);
    assert_int_equal(m->stats.reused, 1);
    assert_int_equal(frame_of(a, va), frame);
    assert_int_equal(get(b, va), 2);
    finish();
}

static void test_pages_survive_an_exit_in_either_order(void **state)
{
    int parent_first;
    (void)state;
    for (parent_first = 0; parent_first < 2; parent_first++) {
        vmm_vaddr_t va;
        vmm_space_t *left;
        start_usual();
        va = map(a, 3, RW, ANON, 0, 0);
        set(a, va, 1);
        set(a, va + PAGE, 2);
        assert_int_equal(vmm_fork(a, &b), VMM_OK);
        set(a, va, 11);
        set(b, va + PAGE, 22);
        left = parent_first ? b : a;
        vmm_exit(parent_first ? a : b);
        check();
        assert_int_equal(get(left, va), parent_first ? 1 : 11);
        assert_int_equal(get(left, va + PAGE), parent_first ? 22 : 2);
        evict_all();
        assert_int_equal(get(left, va), parent_first ? 1 : 11);
        finish();
    }
}

static void test_a_fork_of_a_fork_of_a_fork_shares_and_parts(void **state)
{
    vmm_space_t *s[5];
    vmm_vaddr_t va;
    unsigned i, j;
    (void)state;
    start_usual();
    va = map(a, 6, RW, ANON, 0, 0);
    for (i = 0; i < 6; i++) set(a, va + i * PAGE, i);
    s[0] = a;
    for (i = 1; i < 5; i++) {
        assert_int_equal(vmm_fork(s[i - 1], &s[i]), VMM_OK);
        set(s[i], va + i * PAGE, 100 + i);
    }
    assert_int_equal(vmm_frame_at(m, frame_of(a, va))->mappings, 5);
    check();
    evict_all();
    for (i = 0; i < 5; i++)
        for (j = 0; j < 6; j++) assert_int_equal(get(s[i], va + j * PAGE), j >= 1 && j <= i ? 100 + j : j);
    vmm_exit(s[2]);
    check();
    vmm_exit(s[0]);
    check();
    for (j = 0; j < 6; j++) assert_int_equal(get(s[4], va + j * PAGE), j >= 1 && j <= 4 ? 100 + j : j);
    finish();
}

static void test_pages_of_an_area_that_allows_nothing_are_parked_and_come_back(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 2, RW, ANON, 0, 0);
    set(a, va, 1);
    set(a, va + PAGE, 2);
    assert_int_equal(vmm_mprotect(a, va, 2 * PAGE, 0), VMM_OK);
    assert_int_equal(kind_at(a, va), VMM_ENTRY_PARKED);
    refuses(a, va, VMM_READ, VMM_SIGSEGV, VMM_SEGV_ACCERR, VMM_E_ACCESS);
    evict_all();
    assert_int_equal(kind_at(a, va), VMM_ENTRY_SLOT);
    assert_int_equal(vmm_mprotect(a, va, 2 * PAGE, RW), VMM_OK);
    assert_int_equal(get(a, va), 1);
    assert_int_equal(get(a, va + PAGE), 2);
    finish();
}

static void test_giving_back_the_right_to_write_does_not_undo_copy_on_write(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 1, RW, ANON, 0, 0);
    set(a, va, 1);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    assert_int_equal(vmm_mprotect(a, va, PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_mprotect(a, va, PAGE, RW), VMM_OK);
    check();
    set(a, va, 2);
    assert_int_equal(get(b, va), 1);
    /* nor where the page was in the swap cache at the fork: its write failed */
    vmm_exit(b);
    set(a, va, 3);
    fail_write_slot = 1000;
    (void)vmm_reclaim(m, 1);
    assert_int_equal(kind_at(a, va), VMM_ENTRY_SLOT);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    fail_write_slot = 0;
    assert_int_equal(get(a, va), 3);
    assert_int_equal(vmm_mprotect(a, va, PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_mprotect(a, va, PAGE, RW), VMM_OK);
    check();
    set(a, va, 4);
    assert_int_equal(get(b, va), 3);
    finish();
}

/* -- no area, no right -- */

static void test_an_access_outside_of_areas_or_rights_is_a_segmentation_fault_with_its_code(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 1, VMM_R, ANON, 0, 0);
    refuses(a, va + PAGE + 5, VMM_READ, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    refuses(a, layout.top, VMM_READ, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    refuses(a, UINT64_MAX, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    refuses(a, va + 3, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_ACCERR, VMM_E_ACCESS);
    refuses(a, va, VMM_FETCH, VMM_SIGSEGV, VMM_SEGV_ACCERR, VMM_E_ACCESS);
    assert_int_equal(vmm_fault_serve(a, va, VMM_FETCH + 1), VMM_E_ARGUMENT);
    va = map(a, 1, VMM_X, ANON, 0, 0);
    refuses(a, va, VMM_READ, VMM_SIGSEGV, VMM_SEGV_ACCERR, VMM_E_ACCESS);
    assert_int_equal(vmm_fault_serve(a, va, VMM_FETCH), VMM_OK);
    va = map(a, 1, VMM_W, ANON, 0, 0);
    assert_int_equal(get(a, va), 0); /* writing means reading too */
    assert_int_equal(a->stats.minor, 2);
    finish();
}

/* -- stacks -- */

static void test_a_stack_grows_down_to_its_limit_and_keeps_its_guard_gap(void **state)
{
    const vmm_vaddr_t top = 0x20000000;
    vmm_vaddr_t at, low;
    (void)state;
    start_usual();
    assert_int_equal(vmm_mmap(a, top - PAGE, PAGE, RW, ANON | VMM_MAP_FIXED | VMM_MAP_GROWSDOWN, 0, 0, &at), VMM_OK);
    set(a, top - 3 * PAGE + 5, 1);
    assert_int_equal(a->stats.stack, 3);
    assert_int_equal(get(a, top - 2 * PAGE), 0);
    assert_int_equal(a->areas, 1);
    check();
    set(a, top - 16 * PAGE, 2); /* the limit */
    refuses(a, top - 16 * PAGE - 1, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    a->limits.stack = 20 * PAGE;
    low = top - 24 * PAGE;
    assert_int_equal(vmm_mmap(a, low, PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &at), VMM_OK);
    set(a, low + PAGE + 4 * PAGE, 3); /* four pages of guard are left */
    refuses(a, low + PAGE + 4 * PAGE - 1, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    a->limits.stack = 30 * PAGE;
    refuses(a, low + PAGE + 4 * PAGE - 1, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_mprotect(a, low, PAGE, 0), VMM_OK); /* what allows nothing needs no guard */
    a->limits.space = 20 * PAGE;
    refuses(a, low + PAGE + 4 * PAGE - 1, VMM_WRITE, VMM_SIGSEGV, VMM_SEGV_MAPERR, VMM_E_NOT_MAPPED);
    a->limits.space = 0;
    set(a, low + PAGE + 4 * PAGE - 1, 4);
    assert_int_equal(get(a, top - 16 * PAGE), 2);
    finish();
}

static void test_a_stack_that_grew_keeps_its_pages_through_swap_and_fork(void **state)
{
    const vmm_vaddr_t top = 0x20000000;
    vmm_vaddr_t at;
    unsigned i;
    (void)state;
    start_usual();
    assert_int_equal(vmm_mmap(a, top - PAGE, PAGE, RW, ANON | VMM_MAP_FIXED | VMM_MAP_GROWSDOWN, 0, 0, &at), VMM_OK);
    for (i = 1; i <= 10; i++) set(a, top - i * PAGE, i);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    set(b, top - 12 * PAGE, 12);
    evict_all();
    for (i = 1; i <= 10; i++) assert_int_equal(get(i & 1 ? a : b, top - i * PAGE), i);
    assert_int_equal(get(b, top - 12 * PAGE), 12);
    finish();
}

/* -- swap -- */

static void test_a_page_goes_to_swap_and_comes_back_by_a_major_fault(void **state)
{
    vmm_vaddr_t va;
    uint32_t slot;
    (void)state;
    start_usual();
    va = map(a, 1, RW, ANON, 0, 0);
    set(a, va + 1, 77);
    evict_all();
    assert_int_equal(entry(a, va, &slot), VMM_ENTRY_SLOT);
    assert_int_equal(device[0][slot][1], 77);
    assert_int_equal(a->stats.swapped, 1);
    assert_int_equal(a->stats.anon, 0);
    assert_int_equal(m->slots_used, 1);
    assert_int_equal(get(a, va + 1), 77);
    assert_int_equal(majors(a), 1);
    assert_int_equal(m->stats.swapped_in, 1);
    /* clean: it leaves again without being written */
    evict_all();
    assert_int_equal(m->stats.swapped_out, 1);
    assert_int_equal(m->stats.dropped, 1);
    /* written at once: its slot is let go */
    set(a, va + 1, 78);
    assert_int_equal(m->slots_used, 0);
    assert_int_equal(majors(a), 2);
    evict_all();
    assert_int_equal(m->stats.swapped_out, 2);
    assert_int_equal(get(a, va + 1), 78);
    finish();
}

static void test_a_page_in_a_slot_is_shared_after_a_fork_and_copied_on_a_write(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 1, RW, ANON, 0, 0);
    set(a, va, 5);
    evict_all();
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    check();
    set(a, va, 6); /* a major fault, and a copy: the slot is the other's still */
    assert_int_equal(m->stats.copied, 1);
    assert_int_equal(m->slots_used, 1);
    check();
    assert_int_equal(majors(b), 0);
    assert_int_equal(get(b, va), 5); /* out of the swap cache */
    assert_int_equal(majors(b), 0);
    assert_int_equal(b->stats.minor, 1);
    assert_int_equal(get(a, va), 6);
    finish();
}

static void test_slots_around_are_read_too_and_found_by_minor_faults(void **state)
{
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    prepare();
    options.swap_cluster = 8;
    start();
    va = map(a, 12, RW, ANON, 0, 0);
    for (i = 0; i < 12; i++) set(a, va + i * PAGE, i + 1);
    evict_all();
    assert_int_equal(get(a, va), 1);
    assert_int_equal(m->stats.swapped_in, 8);
    check();
    for (i = 0; i < 12; i++) assert_int_equal(get(a, va + i * PAGE), i + 1);
    assert_int_equal(majors(a), 2);
    finish();
}

static void test_a_failed_write_to_swap_keeps_the_page(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 2, RW, ANON, 0, 0);
    set(a, va, 1);
    set(a, va + PAGE, 2);
    fail_write_slot = 1000;
    assert_int_equal(vmm_reclaim(m, 2), 0);
    assert_true(m->stats.io_errors > 0);
    check();
    fail_write_slot = 0;
    assert_int_equal(get(a, va), 1);
    assert_int_equal(get(a, va + PAGE), 2);
    assert_int_equal(majors(a), 0);
    /* nothing is known of its slot: a child must not find it there when the parent writes */
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    fail_write_slot = 1000;
    assert_int_equal(vmm_reclaim(m, 2), 0);
    fail_write_slot = 0;
    assert_int_equal(get(a, va), 1);
    set(a, va, 3);
    check();
    assert_int_equal(get(b, va), 1);
    evict_all();
    assert_int_equal(get(a, va), 3);
    assert_int_equal(get(b, va), 1);
    assert_int_equal(get(a, va + PAGE), 2);
    finish();
}

static void test_a_failed_read_from_swap_is_a_bus_error_of_that_page_alone(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 2, RW, ANON, 0, 0);
    set(a, va, 1);
    set(a, va + PAGE, 2);
    evict_all();
    fail_read_slot = 1;
    refuses(a, va + 3, VMM_WRITE, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_IO);
    assert_int_equal(get(a, va + PAGE), 2);
    assert_int_equal(get(a, va), 1);
    finish();
}

static void test_when_swap_is_full_pages_stay_and_the_one_who_asks_gets_the_error(void **state)
{
    vmm_vaddr_t va;
    unsigned i, done;
    (void)state;
    prepare();
    options.slots = 8;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    add_swap(8, 0, NULL);
    kill_refused = true;
    va = map(a, 200, RW, ANON, 0, 0);
    for (done = 0; put(a, va + done * PAGE, done) == VMM_OK; done++) {}
    assert_int_equal(a->signal.number, VMM_SIGBUS);
    assert_int_equal(a->signal.status, VMM_E_NO_FRAME);
    assert_int_equal(m->slots_used, 8);
    assert_true(kills > 0);
    assert_int_equal(m->stats.kills, 0);
    assert_true(m->frames.free_frames >= m->options.watermark_min);
    assert_true(done > 80 && done < 110);
    for (i = 0; i < done; i++)
        if (kind_at(a, va + i * PAGE) == VMM_ENTRY_PAGE) assert_int_equal(get(a, va + i * PAGE), i);
    assert_int_equal(vmm_munmap(a, va, 10 * PAGE), VMM_OK); /* room, and all is well again */
    for (i = 10; i < done; i++) assert_int_equal(get(a, va + i * PAGE), i);
    finish();
}

static void test_swap_areas_are_filled_by_priority_and_equal_ones_in_turn(void **state)
{
    vmm_swap_area_t swap;
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    prepare();
    options.slots = 24;
    start();
    add_swap(8, 1, NULL);
    add_swap(8, 5, (void *)device);
    add_swap(8, 1, (void *)device);
    memset(&swap, 0, sizeof swap);
    swap.slots = 1;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_ARGUMENT);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_RANGE); /* beyond options.slots */
    va = map(a, 14, RW, ANON, 0, 0);
    for (i = 0; i < 14; i++) set(a, va + i * PAGE, i);
    evict_all();
    assert_int_equal(m->swap[0].area.priority, 5);
    assert_int_equal(m->swap[0].used, 8);
    assert_int_equal(m->swap[1].used, 3);
    assert_int_equal(m->swap[2].used, 3);
    finish();
}

/* -- objects -- */

static void test_a_private_page_of_a_file_is_the_files_until_it_is_written(void **state)
{
    vmm_vaddr_t va, other;
    uint32_t file;
    (void)state;
    start_usual();
    file = open_file(4 * PAGE);
    va = map(a, 2, RW, VMM_MAP_PRIVATE, file, 1);
    b = new_space();
    other = map(b, 2, VMM_R, VMM_MAP_PRIVATE, file, 1);
    assert_int_equal(get(a, va), 2);
    assert_int_equal(majors(a), 1);
    assert_int_equal(get(b, other), 2);
    assert_int_equal(majors(b), 0);
    assert_int_equal(frame_of(a, va), frame_of(b, other));
    set(a, va, 99);
    assert_int_equal(get(b, other), 2);
    assert_int_equal(a->stats.anon, 1);
    assert_int_equal(a->stats.file, 0);
    set(a, va + PAGE, 98); /* the first touch is the write */
    evict_all();
    assert_int_equal(get(a, va), 99);
    assert_int_equal(get(a, va + PAGE), 98);
    assert_int_equal(get(b, other + PAGE), 3);
    assert_int_equal(disk[1][0], 2);
    assert_int_equal(writes, 0);
    assert_int_equal(vmm_madvise(a, va, 2 * PAGE, VMM_MADV_DONTNEED), VMM_OK);
    assert_int_equal(get(a, va), 2);
    finish();
}

static void test_a_shared_page_of_a_file_is_written_back_by_msync_munmap_and_eviction(void **state)
{
    vmm_vaddr_t va;
    uint32_t file;
    (void)state;
    start_usual();
    file = open_file(4 * PAGE);
    va = map(a, 4, RW, VMM_MAP_SHARED, file, 0);
    set(a, va, 101);
    assert_int_equal(disk[0][0], 1);
    assert_int_equal(vmm_msync(a, va, 4 * PAGE, VMM_MS_ASYNC), VMM_OK);
    assert_int_equal(disk[0][0], 1);
    assert_int_equal(vmm_msync(a, va, 4 * PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(disk[0][0], 101);
    assert_int_equal(vmm_msync(a, va, 4 * PAGE, VMM_MS_SYNC), VMM_OK); /* clean now */
    assert_int_equal(writes, 1);
    set(a, va, 102);
    evict_all();
    assert_int_equal(disk[0][0], 102);
    assert_int_equal(get(a, va), 102);
    set(a, va + PAGE, 103);
    assert_int_equal(vmm_munmap(a, va, 4 * PAGE), VMM_OK);
    assert_int_equal(disk[1][0], 103);
    finish();
}

static void test_without_a_dirty_bit_the_first_write_after_a_write_back_is_seen(void **state)
{
    vmm_vaddr_t va;
    vmm_paging_t plain = vmm_two_level;
    uint32_t file;
    (void)state;
    prepare();
    plain.dirty = plain.accessed = 0;
    layout.top = layout.stack_top = UINT64_C(0xc0000000);
    layout.mmap_high = UINT64_C(0xb0000000);
    memory.base = 0;
    options.paging = &plain;
    start();
    file = open_file(4 * PAGE);
    va = map(a, 4, RW, VMM_MAP_SHARED, file, 0);
    assert_int_equal(get(a, va), 1);
    set(a, va, 101);
    assert_int_equal(a->stats.minor, 1);
    assert_int_equal(vmm_msync(a, va, PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(disk[0][0], 101);
    set(a, va, 102);
    assert_int_equal(a->stats.minor, 2);
    assert_int_equal(vmm_msync(a, va, PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(disk[0][0], 102);
    finish();
}

static void test_a_failed_write_of_a_file_keeps_the_page_dirty_and_msync_tells_once(void **state)
{
    vmm_vaddr_t va;
    uint32_t file;
    (void)state;
    start_usual();
    file = open_file(4 * PAGE);
    va = map(a, 4, RW, VMM_MAP_SHARED, file, 0);
    set(a, va, 101);
    fail_write_page = 1000;
    assert_int_equal(vmm_reclaim(m, 4), 0);
    check();
    fail_write_page = 0;
    assert_int_equal(vmm_msync(a, va, PAGE, VMM_MS_SYNC), VMM_E_IO); /* it went wrong since it was last told */
    assert_int_equal(disk[0][0], 101);                               /* but is well now */
    assert_int_equal(vmm_msync(a, va, PAGE, VMM_MS_SYNC), VMM_OK);
    set(a, va, 100);
    fail_write_page = 1;
    assert_int_equal(vmm_msync(a, va, 8 * PAGE, VMM_MS_SYNC), VMM_E_IO); /* not the hole behind it */
    assert_int_equal(vmm_msync(a, va, 8 * PAGE, VMM_MS_SYNC), VMM_E_NOT_MAPPED);
    set(a, va, 101);
    assert_int_equal(vmm_msync(a, va, PAGE, VMM_MS_SYNC), VMM_OK);
    set(a, va, 102);
    fail_write_page = 1;
    assert_int_equal(vmm_munmap(a, va, 4 * PAGE), VMM_OK);
    assert_int_equal(disk[0][0], 101);
    check();
    va = map(a, 4, RW, VMM_MAP_SHARED, file, 0);
    assert_int_equal(get(a, va), 102);
    assert_int_equal(majors(a), 1);
    finish();
    assert_int_equal(disk[0][0], 102);
}

static void test_a_failed_read_of_a_file_is_a_bus_error_and_may_go_well_later(void **state)
{
    vmm_vaddr_t va;
    uint32_t file, frames;
    (void)state;
    start_usual();
    file = open_file(4 * PAGE);
    va = map(a, 4, VMM_R, VMM_MAP_PRIVATE, file, 0);
    assert_int_equal(get(a, va), 1);
    frames = m->frames.free_frames;
    fail_read_page = 1;
    refuses(a, va + PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_IO);
    assert_int_equal(m->frames.free_frames, frames);
    assert_int_equal(get(a, va + PAGE), 2);
    finish();
}

static void test_behind_the_end_of_a_file_is_a_bus_error_and_its_last_page_ends_in_zeros(void **state)
{
    vmm_vaddr_t va;
    uint32_t file;
    (void)state;
    start_usual();
    file = open_file(PAGE + 100);
    va = map(a, 4, RW, VMM_MAP_PRIVATE, file, 0);
    assert_int_equal(get(a, va + PAGE + 99), 2);
    assert_int_equal(get(a, va + PAGE + 100), 0);
    assert_int_equal(get(a, va + 2 * PAGE - 1), 0);
    refuses(a, va + 2 * PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_RANGE);
    refuses(a, va + 3 * PAGE, VMM_WRITE, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_RANGE);
    finish();
}

static void test_truncation_takes_pages_out_of_every_space_and_clears_the_tail(void **state)
{
    vmm_vaddr_t va, mine;
    uint32_t file;
    (void)state;
    start_usual();
    file = open_file(4 * PAGE);
    va = map(a, 4, RW, VMM_MAP_SHARED, file, 0);
    b = new_space();
    mine = map(b, 4, RW, VMM_MAP_PRIVATE, file, 0);
    set(a, va + 3 * PAGE, 50);
    assert_int_equal(get(b, mine + PAGE), 2);
    set(b, mine + 2 * PAGE, 60);
    set(b, mine, 61);
    assert_int_equal(vmm_object_truncate(m, file, PAGE + 10), VMM_OK);
    check();
    refuses(a, va + 3 * PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_RANGE);
    refuses(b, mine + 2 * PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_RANGE);
    assert_int_equal(get(b, mine), 61);
    assert_int_equal(get(b, mine + PAGE + 9), 2);
    assert_int_equal(get(b, mine + PAGE + 10), 0);
    finish();
}

static void test_shared_memory_goes_to_one_slot_and_truncation_reaches_it_there(void **state)
{
    vmm_vaddr_t va, other;
    uint32_t object;
    (void)state;
    start_usual();
    object = open_shared(3 * PAGE);
    va = map(a, 3, RW, VMM_MAP_SHARED, object, 0);
    b = new_space();
    other = map(b, 3, RW, VMM_MAP_SHARED, object, 0);
    set(a, va + PAGE + 5, 5);
    set(b, other + PAGE + 50, 50);
    set(b, other, 1);
    assert_int_equal(frame_of(a, va + PAGE), frame_of(b, other + PAGE));
    fail_write_slot = 1000;
    assert_int_equal(vmm_reclaim(m, 3), 0);
    check();
    fail_write_slot = 0;
    assert_int_equal(get(a, va + PAGE + 50), 50);
    evict_all();
    assert_int_equal(m->slots_used, 2);
    fail_read_slot = 1;
    refuses(b, other + PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_IO);
    fail_read_slot = 1;
    assert_int_equal(vmm_object_truncate(m, object, PAGE + 10), VMM_E_IO);
    check();
    assert_int_equal(vmm_object_truncate(m, object, PAGE + 10), VMM_OK);
    assert_int_equal(vmm_object_truncate(m, object, 3 * PAGE), VMM_OK);
    assert_int_equal(get(b, other + PAGE + 5), 5);
    assert_int_equal(get(b, other + PAGE + 50), 0);
    assert_int_equal(get(a, va), 1);
    finish();
}

static void test_faults_around_map_what_is_cached_within_window_area_file_and_table(void **state)
{
    vmm_vaddr_t va, at;
    uint32_t file;
    unsigned i;
    (void)state;
    prepare();
    options.fault_around = 8;
    start();
    file = open_file(20 * PAGE + 1);
    b = new_space();
    va = map(b, 24, VMM_R, VMM_MAP_PRIVATE, file, 0);
    for (i = 0; i < 21; i++) assert_int_equal(vmm_fault_serve(b, va + i * PAGE, VMM_READ), VMM_OK);
    /* 8 pages, from the window's begin or the area's if that is higher, as on Linux */
    assert_int_equal(vmm_mmap(a, 0x10001000, 23 * PAGE, VMM_R, VMM_MAP_PRIVATE | VMM_MAP_FIXED, file, PAGE, &at),
                     VMM_OK);
    assert_int_equal(get(a, at + 3 * PAGE), 5);
    for (i = 0; i < 8; i++) assert_int_equal(kind_at(a, at + i * PAGE), VMM_ENTRY_PAGE);
    assert_int_equal(kind_at(a, at + 8 * PAGE), VMM_ENTRY_NONE);
    assert_int_equal(m->stats.around, 7);
    assert_int_equal(a->stats.file, 8);
    assert_int_equal(a->stats.minor, 1);
    check();
    /* the file ends in the window */
    assert_int_equal(get(a, at + 19 * PAGE), 21);
    assert_int_equal(kind_at(a, at + 15 * PAGE), VMM_ENTRY_PAGE);
    assert_int_equal(kind_at(a, at + 20 * PAGE), VMM_ENTRY_NONE);
    /* a write maps its page alone */
    assert_int_equal(vmm_mmap(a, 0x10080000, 16 * PAGE, RW, VMM_MAP_PRIVATE | VMM_MAP_FIXED, file, 0, &at), VMM_OK);
    set(a, at + 8 * PAGE, 1);
    assert_int_equal(kind_at(a, at + 9 * PAGE), VMM_ENTRY_NONE);
    /* and an entry that stands for something stays */
    evict_all();
    assert_int_equal(kind_at(a, at + 8 * PAGE), VMM_ENTRY_SLOT);
    assert_int_equal(get(b, va + 9 * PAGE), 10);
    assert_int_equal(get(a, at + 9 * PAGE), 10);
    assert_int_equal(get(a, at + 8 * PAGE), 1);
    finish();
}

static void test_faults_around_stop_at_the_end_of_the_table(void **state)
{
    vmm_vaddr_t va, at;
    uint32_t file;
    unsigned i;
    (void)state;
    prepare();
    options.fault_around = 1024; /* more than a table has */
    start();
    file = open_file(8 * PAGE);
    b = new_space();
    va = map(b, 8, VMM_R, VMM_MAP_PRIVATE, file, 0);
    for (i = 0; i < 8; i++) assert_int_equal(vmm_fault_serve(b, va + i * PAGE, VMM_READ), VMM_OK);
    assert_int_equal(vmm_mmap(a, 0x101fc000, 8 * PAGE, VMM_R, VMM_MAP_PRIVATE | VMM_MAP_FIXED, file, 0, &at), VMM_OK);
    assert_int_equal(get(a, at + 2 * PAGE), 3);
    for (i = 0; i < 8; i++) assert_int_equal(kind_at(a, at + i * PAGE), i < 4 ? VMM_ENTRY_PAGE : VMM_ENTRY_NONE);
    assert_int_equal(get(a, at + 5 * PAGE), 6);
    for (i = 0; i < 8; i++) assert_int_equal(kind_at(a, at + i * PAGE), VMM_ENTRY_PAGE);
    finish();
}

static void test_read_ahead_reads_what_is_left_of_the_window_as_advised(void **state)
{
    vmm_vaddr_t va;
    uint32_t file;
    (void)state;
    prepare();
    options.read_ahead = 4;
    start();
    file = open_file(22 * PAGE);
    va = map(a, 22, VMM_R, VMM_MAP_PRIVATE, file, 0);
    assert_int_equal(get(a, va + PAGE), 2);
    assert_int_equal(reads, 3); /* 1, 2, 3 */
    assert_int_equal(get(a, va + 2 * PAGE), 3);
    assert_int_equal(majors(a), 1);
    assert_int_equal(get(a, va + 20 * PAGE), 21);
    assert_int_equal(reads, 5); /* 20 and 21, where the file ends */
    assert_int_equal(vmm_madvise(a, va, 22 * PAGE, VMM_MADV_RANDOM), VMM_OK);
    assert_int_equal(get(a, va + 4 * PAGE), 5);
    assert_int_equal(reads, 6);
    assert_int_equal(vmm_madvise(a, va, 22 * PAGE, VMM_MADV_SEQUENTIAL), VMM_OK);
    assert_int_equal(get(a, va + 8 * PAGE), 9);
    assert_int_equal(reads, 14);
    assert_int_equal(vmm_madvise(a, va, 22 * PAGE, VMM_MADV_NORMAL), VMM_OK);
    assert_int_equal(get(a, va + 19 * PAGE), 20); /* the last of its window: nothing ahead */
    assert_int_equal(reads, 15);
    good_reads = 1;
    fail_read_page = 1; /* of a page that nobody asked for */
    assert_int_equal(get(a, va + 16 * PAGE), 17);
    assert_int_equal(reads, 17);
    assert_int_equal(get(a, va + 17 * PAGE), 18);
    assert_int_equal(majors(a), 7);
    finish();
}

/* -- pages that stay -- */

static void test_locked_pages_are_never_taken_and_may_be_after_munlock(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 4, RW, ANON, 0, 0);
    set(a, va, 1);
    assert_int_equal(vmm_mlock(a, va, 2 * PAGE), VMM_OK);
    assert_int_equal(kind_at(a, va + PAGE), VMM_ENTRY_PAGE);
    set(a, va + 2 * PAGE, 3);
    check();
    evict_all();
    assert_int_equal(kind_at(a, va), VMM_ENTRY_PAGE);
    assert_int_equal(kind_at(a, va + PAGE), VMM_ENTRY_PAGE);
    assert_int_equal(kind_at(a, va + 2 * PAGE), VMM_ENTRY_SLOT);
    /* a child does not inherit the lock, but its parent's still holds; and what is copied from it is let go */
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    evict_all();
    assert_int_equal(kind_at(b, va), VMM_ENTRY_PAGE);
    set(a, va, 2);
    check();
    evict_all();
    assert_int_equal(kind_at(b, va), VMM_ENTRY_SLOT);
    assert_int_equal(kind_at(a, va), VMM_ENTRY_PAGE);
    assert_int_equal(vmm_munlock(a, va, 2 * PAGE), VMM_OK);
    evict_all();
    assert_int_equal(kind_at(a, va), VMM_ENTRY_SLOT);
    assert_int_equal(get(a, va), 2);
    assert_int_equal(get(b, va), 1);
    a->limits.locked = PAGE;
    assert_int_equal(vmm_mlock(a, va, 2 * PAGE), VMM_E_LIMIT);
    finish();
}

static void test_a_page_that_two_areas_lock_is_let_go_by_the_second(void **state)
{
    vmm_vaddr_t va, other;
    uint32_t object;
    (void)state;
    start_usual();
    object = open_shared(PAGE);
    va = map(a, 1, RW, VMM_MAP_SHARED | VMM_MAP_LOCKED, object, 0);
    other = map(a, 1, RW, VMM_MAP_SHARED | VMM_MAP_LOCKED, object, 0);
    set(a, va, 9);
    assert_int_equal(vmm_munlock(a, va, PAGE), VMM_OK);
    evict_all();
    assert_int_equal(get(a, other), 9);
    assert_int_equal(kind_at(a, other), VMM_ENTRY_PAGE);
    assert_int_equal(m->slots_used, 0);
    assert_int_equal(vmm_munmap(a, other, PAGE), VMM_OK);
    check();
    evict_all();
    assert_int_equal(m->slots_used, 1);
    assert_int_equal(get(a, va), 9);
    finish();
}

static void test_a_pinned_page_stays_in_its_frame_even_after_its_space(void **state)
{
    vmm_vaddr_t va;
    vmm_paddr_t paddr, again;
    uint32_t frame;
    (void)state;
    start_usual();
    va = map(a, 2, RW, ANON, 0, 0);
    set(a, va, 1);
    assert_int_equal(vmm_pin(a, va + 5, VMM_WRITE, &paddr), VMM_OK);
    frame = frame_of(a, va);
    assert_true(paddr == vmm_frame_paddr(m, frame) + 5);
    assert_int_equal(vmm_pin(a, va, VMM_READ, &again), VMM_E_BUSY);
    assert_int_equal(vmm_pin(a, va + PAGE, VMM_READ, &again), VMM_E_BUSY); /* shared zeros */
    assert_int_equal(vmm_pin(a, va + 2 * PAGE, VMM_READ, &again), VMM_FAULT);
    evict_all();
    assert_int_equal(frame_of(a, va), frame);
    b = new_space();
    vmm_exit(a);
    check();
    evict_all();
    assert_int_equal(vmm_frame_kind(vmm_frame_at(m, frame)), VMM_FRAME_ANON);
    vmm_exit(b); /* the records of its kin are gone too */
    assert_int_equal(vmm_background(m), 0);
    (void)vmm_reclaim(m, 10);
    check();
    assert_int_equal(vmm_unpin(m, paddr), VMM_OK);
    assert_int_equal(vmm_unpin(m, paddr), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_unpin(m, 0), VMM_E_NOT_MAPPED);
    finish();
}

static void test_a_page_that_may_be_freed_is_dropped_while_clean_and_kept_when_written(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    va = map(a, 4, RW, ANON, 0, 0);
    set(a, va, 1);
    set(a, va + PAGE, 2);
    set(a, va + 2 * PAGE, 3);
    assert_int_equal(vmm_madvise(a, va, 3 * PAGE, VMM_MADV_FREE), VMM_OK);
    assert_int_equal(get(a, va), 1); /* still there */
    set(a, va + PAGE, 20);
    check();
    evict_all();
    assert_int_equal(kind_at(a, va), VMM_ENTRY_NONE);
    assert_int_equal(m->stats.dropped, 2);
    assert_int_equal(get(a, va), 0);
    assert_int_equal(get(a, va + PAGE), 20);
    assert_int_equal(get(a, va + 2 * PAGE), 0);
    /* what is in a slot goes at once */
    evict_all();
    assert_int_equal(kind_at(a, va + PAGE), VMM_ENTRY_SLOT);
    assert_int_equal(vmm_madvise(a, va, 3 * PAGE, VMM_MADV_FREE), VMM_OK);
    assert_int_equal(m->slots_used, 0);
    /* a page that a child has too is not let go in both */
    set(a, va, 7);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    assert_int_equal(vmm_madvise(a, va, PAGE, VMM_MADV_FREE), VMM_OK);
    evict_all();
    assert_int_equal(get(b, va), 7);
    finish();
}

/* -- few frames -- */

static void test_memory_is_taken_from_the_worst_space_and_its_next_access_ends_it(void **state)
{
    vmm_vaddr_t small_va, large_va;
    unsigned i;
    (void)state;
    prepare();
    options.slots = 0;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    small_va = map(a, 100, RW, ANON, 0, 0);
    b = new_space();
    large_va = map(b, 100, RW, ANON, 0, 0);
    for (i = 0; i < 10; i++) set(a, small_va + i * PAGE, i);
    for (i = 0; i < 50; i++) set(b, large_va + i * PAGE, i);
    assert_true(vmm_oom_badness(b) > vmm_oom_badness(a));
    for (; !b->killed; i++) set(a, small_va + (i - 40) * PAGE, i);
    assert_int_equal(kill_asked, b->number);
    assert_int_equal(m->stats.kills, 1);
    assert_int_equal(b->stats.anon, 0);
    refuses(b, large_va, VMM_READ, VMM_SIGKILL, 0, VMM_E_NO_FRAME);
    assert_true(vmm_oom_badness(b) == INT64_MIN);
    assert_int_equal(get(a, small_va + PAGE), 1);
    finish();
}

static void test_badness_is_pages_and_what_the_score_adds(void **state)
{
    vmm_vaddr_t va;
    int64_t plain;
    (void)state;
    start_usual();
    va = map(a, 10, RW, ANON, 0, 0);
    set(a, va, 1);
    set(a, va + PAGE, 1);
    evict_all();
    assert_int_equal(get(a, va), 1);
    plain = vmm_oom_badness(a);
    assert_int_equal(plain, 2 + a->stats.tables / PAGE);
    a->oom_score_adj = 500;
    assert_int_equal(vmm_oom_badness(a), plain + 500 * (int64_t)(FRAMES + SLOTS) / 1000);
    a->oom_score_adj = -1000;
    assert_true(vmm_oom_badness(a) == INT64_MIN);
    assert_int_equal(vmm_set_oom_adj(a, 16), VMM_E_ARGUMENT);
    assert_int_equal(vmm_set_oom_adj(a, -18), VMM_E_ARGUMENT);
    assert_int_equal(vmm_set_oom_adj(a, 15), VMM_OK);
    assert_int_equal(a->oom_score_adj, 1000);
    assert_int_equal(vmm_set_oom_adj(a, -17), VMM_OK);
    assert_int_equal(a->oom_score_adj, -1000);
    assert_int_equal(vmm_set_oom_adj(a, 3), VMM_OK);
    assert_int_equal(a->oom_score_adj, 176);
    finish();
}

static void test_who_asks_may_be_the_worst_itself_and_a_protected_space_is_spared(void **state)
{
    vmm_vaddr_t va, other;
    unsigned i;
    (void)state;
    prepare();
    options.slots = 0;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    va = map(a, 100, RW, ANON, 0, 0);
    b = new_space();
    other = map(b, 100, RW, ANON, 0, 0);
    for (i = 0; i < 50; i++) set(b, other + i * PAGE, i);
    b->oom_score_adj = -1000;
    for (i = 0; i < 100 && put(a, va + i * PAGE, i) == VMM_OK; i++) {}
    assert_true(a->killed);
    assert_int_equal(a->signal.number, VMM_SIGKILL);
    assert_int_equal(a->stats.anon, 0);
    check();
    for (i = 0; i < 50; i++) assert_int_equal(get(b, other + i * PAGE), i);
    finish();
}

static void test_a_space_that_dies_while_its_page_is_copied_leaves_nothing(void **state)
{
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    prepare();
    options.slots = 0;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    va = map(a, 60, RW, ANON, 0, 0);
    for (i = 0; i < 60; i++) set(a, va + i * PAGE, i);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    b->oom_score_adj = -1000;
    for (i = 0; i < 60 && put(a, va + i * PAGE, 100 + i) == VMM_OK; i++) {}
    assert_true(a->killed);
    check();
    for (i = 0; i < 60; i++) assert_int_equal(get(b, va + i * PAGE), i);
    vmm_exit(b);
    check();
    finish();
}

static void test_a_space_that_dies_while_it_writes_a_merged_page_leaves_nothing(void **state)
{
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    prepare();
    options.slots = 0;
    options.merging = true;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    va = map(a, 100, RW, ANON, 0, 0);
    set(a, va, 5);
    set(a, va + PAGE, 5);
    assert_int_equal(vmm_madvise(a, va, 2 * PAGE, VMM_MADV_MERGEABLE), VMM_OK);
    for (i = 0; i < 10 && m->stats.merged == 0; i++) (void)vmm_merge_scan(m, 10);
    assert_int_equal(m->stats.merged, 1);
    assert_int_equal(vmm_munmap(a, va + PAGE, PAGE), VMM_OK); /* one has it still, and must copy it all the same */
    for (i = 2; m->frames.free_frames > m->options.watermark_min; i++) set(a, va + i * PAGE, i);
    assert_int_equal(put(a, va, 6), VMM_FAULT);
    assert_true(a->killed);
    finish();
}

static void test_below_the_low_mark_the_background_works_and_at_the_least_who_asks(void **state)
{
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    start_usual();
    va = map(a, 150, RW, ANON, 0, 0);
    for (i = 0; i < 120; i++) {
        set(a, va + i * PAGE, i);
        assert_true(m->frames.free_frames >= m->options.watermark_min);
    }
    assert_true(m->stats.background > 0);
    assert_int_equal(m->stats.direct, 0);
    check();
    finish();
    prepare();
    options.lack = on_lack; /* nobody does the work that it is told of */
    start();
    va = map(a, 150, RW, ANON, 0, 0);
    for (i = 0; i < 120; i++) set(a, va + i * PAGE, i);
    assert_true(lacks > 0);
    assert_int_equal(m->stats.background, 0);
    assert_true(m->stats.direct > 0);
    assert_true(vmm_background(m) <= m->options.watermark_high);
    assert_true(m->frames.free_frames >= m->options.watermark_high);
    assert_int_equal(vmm_background(m), 0);
    finish();
}

static void test_a_space_with_a_bound_replaces_its_own_pages_and_leaves_them_at_its_end(void **state)
{
    vmm_vaddr_t va;
    unsigned i;
    (void)state;
    prepare();
    options.local = true;
    start();
    va = map(a, 40, RW, ANON, 0, 0);
    a->resident.most = 10;
    for (i = 0; i < 40; i++) {
        set(a, va + i * PAGE, i);
        assert_true(a->stats.anon <= 10);
    }
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    for (i = 0; i < 40; i++) assert_int_equal(get(b, va + i * PAGE), i);
    vmm_exit(a); /* frames that both had are in its set */
    check();
    a = new_space();
    check();
    for (i = 0; i < 40; i++) assert_int_equal(get(b, va + i * PAGE), i);
    evict_all();
    finish();
}

static void test_promises_are_kept_to_what_the_mode_allows(void **state)
{
    vmm_vaddr_t va;
    (void)state;
    start_usual();
    assert_int_equal(vmm_mmap(a, 0, 1000 * PAGE, RW, ANON, 0, 0, &va), VMM_E_NO_FRAME);
    assert_int_equal(vmm_mmap(a, 0, 1000 * PAGE, RW, ANON | VMM_MAP_NORESERVE, 0, 0, &va), VMM_OK);
    finish();
    prepare();
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    assert_int_equal(vmm_mmap(a, 0, 1000 * PAGE, RW, ANON, 0, 0, &va), VMM_OK);
    finish();
    prepare();
    options.overcommit = VMM_OVERCOMMIT_NEVER;
    start();
    assert_int_equal(vmm_mmap(a, 0, (FRAMES / 2 + SLOTS) * PAGE, RW, ANON | VMM_MAP_NORESERVE, 0, 0, &va), VMM_OK);
    assert_int_equal(vmm_mmap(a, 0, PAGE, RW, ANON, 0, 0, &va), VMM_E_NO_FRAME);
    assert_int_equal(vmm_fork(a, &b), VMM_E_NO_FRAME);
    check();
    assert_int_equal(vmm_mmap(a, 0, PAGE, VMM_R, ANON, 0, 0, &va), VMM_OK); /* promises nothing ... */
    assert_int_equal(vmm_mprotect(a, va, PAGE, RW), VMM_E_NO_FRAME);        /* ... until it may be written */
    finish();
}

/* -- whatever can lack, lacks -- */

static void test_every_frame_that_a_fault_needs_may_lack(void **state)
{
    unsigned what, left;
    (void)state;
    for (what = 0; what < 6; what++) {
        for (left = 0;; left++) {
            vmm_vaddr_t va;
            vmm_status_t status;
            uint32_t file;
            prepare();
            options.slots = 0;
            start();
            kill_refused = true;
            file = open_file(4 * PAGE);
            va = map(a, 4, RW, what < 2 || what > 3 ? ANON : (unsigned)VMM_MAP_PRIVATE, what < 2 || what > 3 ? 0 : file,
                     0);
            if (what == 1) assert_int_equal(get(a, va), 0);
            if (what == 4) set(a, va, 1);
            if (what == 4) assert_int_equal(vmm_fork(a, &b), VMM_OK);
            hoard(m->options.watermark_min + left);
            if (what == 5) status = vmm_fork(a, &b);
            else status = what == 3 ? vmm_space_read(a, va, &file, 1) : put(a, va, 9);
            check();
            unhoard();
            check();
            if (status == VMM_FAULT) assert_int_equal(a->signal.status, VMM_E_NO_FRAME);
            else if (status) assert_int_equal(status, VMM_E_NO_FRAME);
            if (what != 3 && what != 5) set(a, va, 10);
            if (what == 4) assert_int_equal(get(b, va), 1);
            finish();
            if (status == VMM_OK) break;
            assert_true(left < 6);
        }
        assert_true(left >= (what == 1 || what == 4 ? 1 : what == 5 ? 1 : 3));
    }
}

static void test_records_of_every_kind_may_lack(void **state)
{
    vmm_object_options_t o;
    vmm_vaddr_t va, at;
    vmm_space_t *s;
    uint32_t file, object;
    (void)state;
    prepare();
    options.areas = 3;
    options.objects = 1;
    options.spaces = 2;
    options.nodes = 1;
    start();
    file = open_file(FILE_PAGES * PAGE);
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_SHARED;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_E_NO_FRAME);
    assert_int_equal(vmm_mmap(a, 0, PAGE, RW, VMM_MAP_SHARED | VMM_MAP_ANONYMOUS, 0, 0, &va), VMM_E_NO_FRAME);
    check();
    va = map(a, 20, VMM_R, VMM_MAP_PRIVATE, file, 0);
    assert_int_equal(get(a, va + 15 * PAGE), 16);
    refuses(a, va + 16 * PAGE, VMM_READ, VMM_SIGBUS, VMM_BUS_ADRERR, VMM_E_NO_FRAME); /* no node for its index */
    at = map(a, 5, RW, ANON, 0, 0);
    set(a, at, 1);
    assert_int_equal(vmm_munmap(a, at + 2 * PAGE, PAGE), VMM_OK);
    assert_int_equal(vmm_munmap(a, at + 3 * PAGE, PAGE), VMM_OK);
    assert_int_equal(vmm_mprotect(a, va + PAGE, PAGE, 0), VMM_E_LIMIT); /* two more areas */
    assert_int_equal(vmm_fork(a, &b), VMM_E_LIMIT);
    check();
    assert_int_equal(m->spaces.used, 1);
    assert_int_equal(vmm_space_create(m, &b), VMM_OK);
    assert_int_equal(vmm_space_create(m, &s), VMM_E_NO_FRAME);
    assert_int_equal(vmm_fork(a, &s), VMM_E_NO_FRAME);
    assert_int_equal(get(a, at), 1);
    finish();
}

/* -- processors -- */

static void test_an_attached_mmu_serves_its_own_faults(void **state)
{
    vmm_vaddr_t va;
    uint32_t cpu, word = 0;
    (void)state;
    prepare();
    options.asid_bits = 2;
    start();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    assert_int_equal(vmm_space_switch(a, cpu + 1), VMM_E_RANGE);
    assert_int_equal(vmm_space_switch(a, cpu), VMM_OK);
    va = map(a, 4, RW, ANON, 0, 0);
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
    assert_int_equal(rv_store32(&mmu, va, 0x12345678), VMM_OK);
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
    assert_int_equal(word, 0x12345678);
    assert_int_equal(rv_load32(&mmu, va + 4 * PAGE, &word), VMM_FAULT);
    assert_int_equal(a->signal.number, VMM_SIGSEGV);
    finish();
}

static void test_an_attached_mmu_that_is_restored_stays_a_processor_of_its_machine(void **state)
{
    static rv_mmu_t alone;
    vmm_vaddr_t va;
    uint32_t cpu, word = 0;
    (void)state;
    prepare();
    options.paging = &vmm_sv48;
    options.layout = NULL;
    start();
    assert_int_equal(rv_init(&mmu2, &memory), VMM_OK);
    rv_snapshot(&mmu2, &alone);
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    rv_restore(&mmu, &alone);
    assert_int_equal(rv_set_privilege(&mmu, 0), VMM_OK);
    assert_int_equal(vmm_space_switch(a, cpu), VMM_OK);
    va = map(a, 1, RW, ANON, 0, 0);
    assert_int_equal(rv_store32(&mmu, va, 0x12345678), VMM_OK);
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
    assert_int_equal(word, 0x12345678);
    check();
    free(block);
}

static void test_a_fault_that_the_tables_cannot_mend_is_returned(void **state)
{
    vmm_vaddr_t va;
    uint32_t cpu, word = 0;
    (void)state;
    prepare();
    start();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    assert_int_equal(vmm_space_switch(a, cpu), VMM_OK);
    va = map(a, 1, RW, ANON, 0, 0);
    assert_int_equal(rv_store32(&mmu, va, 0x12345678), VMM_OK);
    assert_int_equal(rv_set_privilege(&mmu, 1), VMM_OK); /* supervisor mode without SUM */
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_FAULT);
    assert_int_equal(mmu.fault.rule, VMM_RULE_USER_PAGE);
    assert_int_equal(rv_set_privilege(&mmu, 0), VMM_OK);
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
    assert_int_equal(word, 0x12345678);
    finish();
}

static void test_switches_flush_only_when_address_space_numbers_run_out(void **state)
{
    vmm_space_t *s[4];
    vmm_vaddr_t va[4];
    uint32_t cpu, other, word = 0, generation, i, round;
    (void)state;
    prepare();
    options.asid_bits = 2; /* 1, 2, 3 */
    start();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_init(&mmu2, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    assert_int_equal(rv_attach(&mmu2, m, &other), VMM_OK);
    for (i = 0; i < 4; i++) {
        s[i] = i ? new_space() : a;
        assert_int_equal(vmm_mmap(s[i], 0x20000000, PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &va[i]), VMM_OK);
        set(s[i], va[i], i + 1);
    }
    for (round = 0; round < 5; round++)
        for (i = 0; i < 3; i++) {
            assert_int_equal(vmm_space_switch(s[i], cpu), VMM_OK);
            assert_int_equal(rv_load32(&mmu, va[i], &word), VMM_OK);
            assert_int_equal(word, i + 1);
        }
    assert_int_equal(m->stats.switches, 15);
    assert_int_equal(m->stats.switch_flushes, 1); /* the first */
    assert_int_equal(vmm_space_switch(s[2], cpu), VMM_OK);
    assert_int_equal(m->stats.switches, 15); /* it ran already */
    assert_int_equal(vmm_space_switch(s[1], other), VMM_OK);
    generation = m->asid_generation;
    assert_int_equal(vmm_space_switch(s[3], cpu), VMM_OK);
    assert_int_equal(m->asid_generation, generation + 1);
    assert_int_equal(rv_load32(&mmu, va[3], &word), VMM_OK);
    assert_int_equal(word, 4);
    for (round = 0; round < 20; round++)
        for (i = 0; i < 4; i++) {
            assert_int_equal(vmm_space_switch(s[i], cpu), VMM_OK);
            assert_int_equal(rv_load32(&mmu, va[i], &word), VMM_OK);
            assert_int_equal(word, i + 1);
            assert_int_equal(rv_load32(&mmu2, va[1], &word), VMM_OK); /* runs on with its old number */
            assert_int_equal(word, 2);
        }
    assert_true(m->stats.switch_flushes > 10 && m->stats.switch_flushes < 60);
    check();
    finish();
}

static void test_without_address_space_numbers_every_switch_flushes(void **state)
{
    vmm_vaddr_t va, other;
    uint32_t cpu, word = 0, i;
    (void)state;
    start_usual();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    b = new_space();
    assert_int_equal(vmm_mmap(a, 0x20000000, PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &va), VMM_OK);
    assert_int_equal(vmm_mmap(b, 0x20000000, PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &other), VMM_OK);
    set(a, va, 1);
    set(b, va, 2);
    for (i = 0; i < 6; i++) {
        assert_int_equal(vmm_space_switch(i & 1 ? b : a, cpu), VMM_OK);
        assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
        assert_int_equal(word, 1 + (i & 1));
    }
    assert_int_equal(m->stats.switches, 6);
    assert_int_equal(m->stats.switch_flushes, 6);
    finish();
}

/* A page is loaded by two processors, taken, and its frame given to another. Returns what a load sees then. */
static uint32_t load_after_eviction(bool lazily, uint32_t object_kind)
{
    vmm_vaddr_t va, more;
    uint32_t cpu, second, word = 0, i;
    prepare();
    options.asid_bits = 4;
    options.eager_flush_off = lazily;
    options.replacement = &vmm_replace_fifo;
    start();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_init(&mmu2, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    assert_int_equal(rv_attach(&mmu2, m, &second), VMM_OK);
    assert_int_equal(vmm_space_switch(a, cpu), VMM_OK);
    assert_int_equal(vmm_space_switch(a, second), VMM_OK);
    if (object_kind == VMM_OBJECT_FILE) va = map(a, 1, VMM_R, VMM_MAP_SHARED, open_file(PAGE), 0);
    else if (object_kind) va = map(a, 1, RW, VMM_MAP_SHARED, open_shared(PAGE), 0);
    else va = map(a, 1, RW, ANON, 0, 0);
    memset(disk[0], 0x11, PAGE);
    if (object_kind != VMM_OBJECT_FILE) assert_int_equal(rv_store32(&mmu, va, 0x11111111), VMM_OK);
    assert_int_equal(rv_load32(&mmu2, va, &word), VMM_OK);
    evict_all();
    assert_int_not_equal(kind_at(a, va), VMM_ENTRY_PAGE);
    b = new_space();
    more = map(b, 60, RW, ANON, 0, 0);
    for (i = 0; i < 60; i++) {
        word = 0x2222;
        assert_int_equal(vmm_space_write(b, more + i * PAGE, &word, sizeof word), VMM_OK);
    }
    assert_int_equal(rv_load32(&mmu2, va, &word), VMM_OK);
    if (!lazily) finish();
    else free(block);
    return word;
}

static void test_translations_of_victims_are_forgotten_by_every_processor(void **state)
{
    (void)state;
    assert_int_equal(load_after_eviction(false, 0), 0x11111111);
    assert_int_equal(load_after_eviction(false, VMM_OBJECT_SHARED), 0x11111111);
    assert_int_equal(load_after_eviction(false, VMM_OBJECT_FILE), 0x11111111);
}

static void test_the_option_without_flushes_shows_a_processor_reading_a_frame_that_is_anothers(void **state)
{
    (void)state;
    assert_int_not_equal(load_after_eviction(true, 0), 0x11111111);
}

/* -- events -- */

static void forget_events(void)
{
    event_count = 0;
}

/* The kinds of the events so far, in order, without those of the walk. */
static void told(const unsigned *kinds, size_t count)
{
    size_t i, at = 0;
    for (i = 0; i < event_count; i++) {
        if (events[i].kind == VMM_EVENT_WALK || events[i].kind == VMM_EVENT_ENTRY) continue;
        assert_true(at < count);
        assert_int_equal(events[i].kind, kinds[at]);
        at++;
    }
    assert_int_equal(at, count);
}

#define TOLD(...)                                                                                                      \
    do {                                                                                                               \
        static const unsigned kinds[] = {__VA_ARGS__};                                                                 \
        told(kinds, sizeof kinds / sizeof *kinds);                                                                     \
        forget_events();                                                                                               \
    } while (0)

static void test_every_step_is_told_in_order(void **state)
{
    vmm_vaddr_t va;
    uint32_t cpu, word = 0, file;
    (void)state;
    start_usual();
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    forget_events();
    assert_int_equal(vmm_space_switch(a, cpu), VMM_OK);
    TOLD(VMM_EVENT_SWITCH);
    va = map(a, 2, RW, ANON, 0, 0);
    TOLD(VMM_EVENT_MMAP);
    assert_int_equal(rv_store32(&mmu, va, 1), VMM_OK);
    assert_int_equal(events[0].vaddr, va);
    TOLD(VMM_EVENT_ACCESS, VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_FRAME, VMM_EVENT_ZERO, VMM_EVENT_MAP,
         VMM_EVENT_RETRY);
    assert_int_equal(vmm_fork(a, &b), VMM_OK);
    TOLD(VMM_EVENT_FLUSH, VMM_EVENT_FORK);
    set(b, va, 2);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_FRAME, VMM_EVENT_COPY, VMM_EVENT_MAP, VMM_EVENT_RETRY);
    set(a, va, 3);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_REUSE, VMM_EVENT_FLUSH, VMM_EVENT_MAP, VMM_EVENT_RETRY);
    vmm_exit(b);
    TOLD(VMM_EVENT_EXIT);
    (void)vmm_reclaim(m, 1);
    TOLD(VMM_EVENT_RECLAIM, VMM_EVENT_FLUSH, VMM_EVENT_VICTIM, VMM_EVENT_FLUSH, VMM_EVENT_SWAP_OUT);
    assert_int_equal(rv_load32(&mmu, va, &word), VMM_OK);
    TOLD(VMM_EVENT_ACCESS, VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_FRAME, VMM_EVENT_SWAP_IN, VMM_EVENT_MAP,
         VMM_EVENT_RETRY);
    assert_int_equal(put(a, va + 2 * PAGE, 1), VMM_FAULT);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_NO_AREA, VMM_EVENT_SIGNAL);
    file = open_file(PAGE);
    va = map(a, 2, VMM_R, VMM_MAP_PRIVATE, file, 0);
    forget_events();
    assert_int_equal(get(a, va), 1);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_FRAME, VMM_EVENT_READ, VMM_EVENT_MAP, VMM_EVENT_RETRY);
    assert_int_equal(put(a, va, 1), VMM_FAULT);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_NO_RIGHT, VMM_EVENT_SIGNAL);
    assert_int_equal(vmm_fault_serve(a, va + PAGE, VMM_READ), VMM_FAULT);
    TOLD(VMM_EVENT_FAULT, VMM_EVENT_AREA, VMM_EVENT_BEYOND, VMM_EVENT_SIGNAL);
    finish();
}

/* -- the check itself -- */

static void test_the_check_finds_each_kind_of_damage(void **state)
{
    vmm_vaddr_t va;
    vmm_frame_t *f;
    uint32_t file, next;
    (void)state;
    start_usual();
    va = map(a, 4, RW, ANON, 0, 0);
    set(a, va, 1);
    file = open_file(PAGE);
    assert_int_equal(get(a, map(a, 1, VMM_R, VMM_MAP_PRIVATE, file, 0)), 1);
    set(a, va + PAGE, 1);
    evict_all();
    assert_int_equal(get(a, va), 1);
    check();
    f = vmm_frame_at(m, frame_of(a, va)); /* in the swap cache */
    next = f->next;
#define DAMAGE(what, repair)                                                                                           \
    do {                                                                                                               \
        what;                                                                                                          \
        assert_false(vmm_check(m));                                                                                    \
        repair;                                                                                                        \
        assert_true(vmm_check(m));                                                                                     \
    } while (0)
    DAMAGE(f->mappings++, f->mappings--);
    DAMAGE(f->flags |= VMM_FRAME_BUSY, f->flags &= (uint8_t)~VMM_FRAME_BUSY);
    DAMAGE(f->flags |= VMM_FRAME_LOCKED, f->flags &= (uint8_t)~VMM_FRAME_LOCKED);
    DAMAGE(f->index++, f->index--);
    DAMAGE(vmm_slot_at(m, f->index)->index++, vmm_slot_at(m, f->index)->index--);
    DAMAGE(f->next = 3, f->next = next);
    DAMAGE(a->stats.anon++, a->stats.anon--);
    DAMAGE(a->stats.swapped++, a->stats.swapped--);
    DAMAGE(a->stats.tables++, a->stats.tables--);
    DAMAGE(a->stats.total++, a->stats.total--);
    DAMAGE(a->stats.data++, a->stats.data--);
    DAMAGE(a->stats.locked++, a->stats.locked--);
    DAMAGE(a->stats.huge++, a->stats.huge--);
    DAMAGE(m->committed++, m->committed--);
    DAMAGE(m->pages_anon++, m->pages_anon--);
    DAMAGE(m->pages_cache++, m->pages_cache--);
    DAMAGE(m->pages_tables++, m->pages_tables--);
    DAMAGE(m->slots_used++, m->slots_used--);
    DAMAGE(m->swap[0].used--, m->swap[0].used++);
    DAMAGE(m->resident.list[0].count++, m->resident.list[0].count--);
    DAMAGE(m->spaces.used++, m->spaces.used--);
    DAMAGE(m->objects.used++, m->objects.used--);
    DAMAGE(m->index_nodes.used++, m->index_nodes.used--);
    DAMAGE(m->tree_nodes.used++, m->tree_nodes.used--);
    DAMAGE(vmm_frame_host(m, m->zero_frame)[77] = 1, vmm_frame_host(m, m->zero_frame)[77] = 0);
    DAMAGE(vmm_object_at(m, file)->references++, vmm_object_at(m, file)->references--);
    DAMAGE(vmm_slot_at(m, 0)->count++, vmm_slot_at(m, 0)->count--);
    DAMAGE(vmm_kin_at(m, a->kin)->count++, vmm_kin_at(m, a->kin)->count--);
    {
        unsigned level;
        uint8_t *e = vmm_entry_find(m, a, va, &level);
        const vmm_pte_t pte = vmm_pte_load(m->paging, e);
        DAMAGE(vmm_pte_store(m->paging, e, 0), vmm_pte_store(m->paging, e, pte));
        DAMAGE(vmm_pte_store(m->paging, e, pte | m->paging->execute), vmm_pte_store(m->paging, e, pte));
        DAMAGE(vmm_pte_store(m->paging, e + 16, pte), vmm_pte_store(m->paging, e + 16, 0));
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_of_untouched_memory_shows_the_page_of_zeros_and_the_write_after_it_takes_a_frame),
        cmocka_unit_test(test_a_write_after_a_fork_copies_and_the_last_owner_writes_without_a_copy),
        cmocka_unit_test(test_pages_survive_an_exit_in_either_order),
        cmocka_unit_test(test_a_fork_of_a_fork_of_a_fork_shares_and_parts),
        cmocka_unit_test(test_pages_of_an_area_that_allows_nothing_are_parked_and_come_back),
        cmocka_unit_test(test_giving_back_the_right_to_write_does_not_undo_copy_on_write),
        cmocka_unit_test(test_an_access_outside_of_areas_or_rights_is_a_segmentation_fault_with_its_code),
        cmocka_unit_test(test_a_stack_grows_down_to_its_limit_and_keeps_its_guard_gap),
        cmocka_unit_test(test_a_stack_that_grew_keeps_its_pages_through_swap_and_fork),
        cmocka_unit_test(test_a_page_goes_to_swap_and_comes_back_by_a_major_fault),
        cmocka_unit_test(test_a_page_in_a_slot_is_shared_after_a_fork_and_copied_on_a_write),
        cmocka_unit_test(test_slots_around_are_read_too_and_found_by_minor_faults),
        cmocka_unit_test(test_a_failed_write_to_swap_keeps_the_page),
        cmocka_unit_test(test_a_failed_read_from_swap_is_a_bus_error_of_that_page_alone),
        cmocka_unit_test(test_when_swap_is_full_pages_stay_and_the_one_who_asks_gets_the_error),
        cmocka_unit_test(test_swap_areas_are_filled_by_priority_and_equal_ones_in_turn),
        cmocka_unit_test(test_a_private_page_of_a_file_is_the_files_until_it_is_written),
        cmocka_unit_test(test_a_shared_page_of_a_file_is_written_back_by_msync_munmap_and_eviction),
        cmocka_unit_test(test_without_a_dirty_bit_the_first_write_after_a_write_back_is_seen),
        cmocka_unit_test(test_a_failed_write_of_a_file_keeps_the_page_dirty_and_msync_tells_once),
        cmocka_unit_test(test_a_failed_read_of_a_file_is_a_bus_error_and_may_go_well_later),
        cmocka_unit_test(test_behind_the_end_of_a_file_is_a_bus_error_and_its_last_page_ends_in_zeros),
        cmocka_unit_test(test_truncation_takes_pages_out_of_every_space_and_clears_the_tail),
        cmocka_unit_test(test_shared_memory_goes_to_one_slot_and_truncation_reaches_it_there),
        cmocka_unit_test(test_faults_around_map_what_is_cached_within_window_area_file_and_table),
        cmocka_unit_test(test_faults_around_stop_at_the_end_of_the_table),
        cmocka_unit_test(test_read_ahead_reads_what_is_left_of_the_window_as_advised),
        cmocka_unit_test(test_locked_pages_are_never_taken_and_may_be_after_munlock),
        cmocka_unit_test(test_a_page_that_two_areas_lock_is_let_go_by_the_second),
        cmocka_unit_test(test_a_pinned_page_stays_in_its_frame_even_after_its_space),
        cmocka_unit_test(test_a_page_that_may_be_freed_is_dropped_while_clean_and_kept_when_written),
        cmocka_unit_test(test_memory_is_taken_from_the_worst_space_and_its_next_access_ends_it),
        cmocka_unit_test(test_badness_is_pages_and_what_the_score_adds),
        cmocka_unit_test(test_who_asks_may_be_the_worst_itself_and_a_protected_space_is_spared),
        cmocka_unit_test(test_a_space_that_dies_while_its_page_is_copied_leaves_nothing),
        cmocka_unit_test(test_a_space_that_dies_while_it_writes_a_merged_page_leaves_nothing),
        cmocka_unit_test(test_below_the_low_mark_the_background_works_and_at_the_least_who_asks),
        cmocka_unit_test(test_a_space_with_a_bound_replaces_its_own_pages_and_leaves_them_at_its_end),
        cmocka_unit_test(test_promises_are_kept_to_what_the_mode_allows),
        cmocka_unit_test(test_every_frame_that_a_fault_needs_may_lack),
        cmocka_unit_test(test_records_of_every_kind_may_lack),
        cmocka_unit_test(test_an_attached_mmu_serves_its_own_faults),
        cmocka_unit_test(test_an_attached_mmu_that_is_restored_stays_a_processor_of_its_machine),
        cmocka_unit_test(test_a_fault_that_the_tables_cannot_mend_is_returned),
        cmocka_unit_test(test_switches_flush_only_when_address_space_numbers_run_out),
        cmocka_unit_test(test_without_address_space_numbers_every_switch_flushes),
        cmocka_unit_test(test_translations_of_victims_are_forgotten_by_every_processor),
        cmocka_unit_test(test_the_option_without_flushes_shows_a_processor_reading_a_frame_that_is_anothers),
        cmocka_unit_test(test_every_step_is_told_in_order),
        cmocka_unit_test(test_the_check_finds_each_kind_of_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
