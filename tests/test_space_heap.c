/* test_space_heap.c - malloc in a space: the far heap over the break and the mappings of a space. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

VMM_FAR_HEAP(heap, 0)
VMM_FAR_HEAP(sealed, 1)

#define FRAMES 1500u
#define KIB ((size_t)1024)
#define BLOCKS 40

static const vmm_layout_t narrow = {"3G/1G",    0x08048000, 0xc0000000, 0x08048000, 0x40000000, 0xb7000000,
                                    0xc0000000, 0,          8 << 20,    256,        false};
static const vmm_layout_t wide = {"wide",
                                  0x10000,
                                  UINT64_C(1) << 38,
                                  UINT64_C(1) << 34,
                                  (UINT64_C(1) << 34) + 0x40000000,
                                  (UINT64_C(1) << 34) + 0xf0000000,
                                  UINT64_C(1) << 38,
                                  0,
                                  8 << 20,
                                  256,
                                  true};
/* A page of 64 bytes, two levels of 2-byte entries: 20-bit addresses. */
static const vmm_paging_t tiny = {"tiny",
                                  VMM_RULES_GENERIC,
                                  VMM_RIGHTS_LEAF,
                                  VMM_VADDR_ZERO,
                                  20,
                                  17,
                                  6,
                                  2,
                                  {7, 7},
                                  1,
                                  2,
                                  5,
                                  11,
                                  1,
                                  0,
                                  2,
                                  0,
                                  0,
                                  0,
                                  8,
                                  16,
                                  0,
                                  0,
                                  0,
                                  0};
static const vmm_layout_t tiny_layout = {"tiny",   0x1000, 0x100000, 0x1000, 0x80000, 0xf0000,
                                         0x100000, 0,      0x4000,   1,      false};

static uint64_t ram[FRAMES * 512];
static void *block;
static vmm_machine_t *m;
static vmm_space_t *space;
static vmm_memory_t memory;
static vmm_machine_options_t options;
static vmm_heap_options_t how;
static heap_t heap;
static unsigned misuses;

static void misuse(void *user, vmm_misuse_t why, const void *at)
{
    (void)user;
    (void)why;
    (void)at;
    misuses++;
}

static void make(const vmm_paging_t *paging, const vmm_layout_t *layout)
{
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.base = paging == &tiny ? 0 : 0x80000000;
    memory.size = paging == &tiny ? 1 << 17 : sizeof ram;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = paging;
    options.layout = layout;
    block = malloc((size_t)vmm_machine_bytes(&options));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&options), &options, &m), VMM_OK);
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
    space->oom_score_adj = -1000;
    vmm_heap_in_space(space, &how);
    how.hooks.misuse = misuse;
    misuses = 0;
}

static void start(const vmm_paging_t *paging, const vmm_layout_t *layout)
{
    make(paging, layout);
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
}

static void finish(void)
{
    const uint32_t number = space->number;
    assert_true(vmm_check(m));
    vmm_exit(space);
    (void)number;
    assert_true(vmm_check(m));
    free(block);
}

static uint64_t resident(void)
{
    vmm_usage_t usage;
    vmm_smaps(space, 0, &usage);
    return usage.rss;
}

static void fill(vmm_space_t *s, vmm_vaddr_t at, size_t bytes, uint64_t seed)
{
    size_t i;
    for (i = 0; i + 8 <= bytes; i += 8) {
        const uint64_t word = seed * 31 + i;
        assert_int_equal(vmm_space_write(s, at + i, &word, 8), VMM_OK);
    }
}

static void assert_filled(vmm_space_t *s, vmm_vaddr_t at, size_t bytes, uint64_t seed)
{
    size_t i;
    for (i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word = 0;
        assert_int_equal(vmm_space_read(s, at + i, &word, 8), VMM_OK);
        assert_true(word == seed * 31 + i);
    }
}

static void allocation_maps_nothing_until_it_is_touched(void **state)
{
    vmm_vaddr_t at = 0;
    uint64_t before;
    (void)state;
    start(&vmm_sv39, &wide);
    before = resident();
    assert_true(before <= 3 * 4096); /* the first header and the last */
    assert_int_equal(heap_malloc(&heap, 100 * KIB, 1, &at), VMM_OK);
    assert_true(resident() <= before + 4096);
    assert_int_equal(heap_malloc(&heap, 4000 * KIB, 1, &at), VMM_OK);
    assert_true(resident() <= before + 2 * 4096);
    fill(space, at, 40 * KIB, 1);
    assert_true(resident() <= before + 12 * 4096 && resident() >= before + 10 * 4096);
    finish();
}

/* The textbooks' walk: 30K, 40K, 200K, 100K; the 200K are a mapping; a hole stays until the end of the heap is free. */
static void the_textbooks_walk_goes_as_they_say(void **state)
{
    vmm_vaddr_t a = 0, b = 0, c = 0, d = 0, up;
    uint64_t full;
    uint32_t areas;
    (void)state;
    make(&vmm_two_level, &narrow);
    how.mmap_threshold = how.trim_threshold = how.top_pad = 128 * KIB;
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
    assert_true(space->brk == space->brk_start + 132 * KIB);
    assert_int_equal(heap_malloc(&heap, 30 * KIB, 1, &a), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 40 * KIB, 1, &b), VMM_OK);
    assert_true(space->brk == space->brk_start + 132 * KIB);
    assert_true(a >= space->brk_start && b == a + 30 * KIB + 2 * sizeof(size_t));
    areas = space->areas;
    assert_int_equal(heap_malloc(&heap, 200 * KIB, 1, &c), VMM_OK);
    assert_true(space->brk == space->brk_start + 132 * KIB);
    assert_int_equal(space->areas, areas + 1);
    assert_true(c == narrow.mmap_high - 204 * KIB + 4 * sizeof(size_t));
    assert_int_equal(heap_malloc(&heap, 100 * KIB, 1, &d), VMM_OK);
    up = space->brk;
    assert_true(d == b + 40 * KIB + 2 * sizeof(size_t));
    assert_true(up >= d + 100 * KIB + 128 * KIB - 62 * KIB && up % 4096 == 0);
    fill(space, a, 30 * KIB, 1);
    fill(space, b, 40 * KIB, 2);
    fill(space, c, 200 * KIB, 3);
    fill(space, d, 100 * KIB, 4);
    full = resident();
    assert_int_equal(heap_free(&heap, c), VMM_OK);
    assert_int_equal(space->areas, areas);
    assert_true(resident() == full - 204 * KIB);
    assert_int_equal(heap_free(&heap, b), VMM_OK);
    assert_true(space->brk == up && resident() == full - 204 * KIB); /* a hole */
    assert_int_equal(heap_free(&heap, d), VMM_OK);
    assert_true(space->brk < up && space->brk <= a + 30 * KIB + 128 * KIB + 8192);
    assert_true(resident() < full - 204 * KIB);
    assert_filled(space, a, 30 * KIB, 1);
    assert_int_equal(heap_free(&heap, a), VMM_OK);
    assert_true(heap_check(&heap));
    assert_int_equal(misuses, 0);
    finish();
}

static void thresholds_follow_what_is_freed_unless_they_are_set(void **state)
{
    vmm_vaddr_t at = 0, kept = 0;
    (void)state;
    start(&vmm_two_level, &narrow);
    assert_int_equal(heap_malloc(&heap, 80 * KIB, 1, &kept), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 200 * KIB, 1, &at), VMM_OK);
    assert_true(at > space->brk);
    assert_int_equal(heap_free(&heap, at), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 200 * KIB, 1, &at), VMM_OK);
    assert_true(at < space->brk);
    assert_int_equal(heap_free(&heap, at), VMM_OK);
    assert_true(space->brk > space->brk_start + 200 * KIB); /* not trimmed: 400K are kept now */
    finish();
}

typedef struct live {
    vmm_vaddr_t at;
    size_t bytes;
    uint64_t seed;
} live_t;

static size_t random_bytes(uint64_t *random)
{
    const size_t n = (size_t)helper_random(random);
    if (n % 12 == 0) return n / 12 % (250 * KIB);
    return n % 3 == 0 ? n / 12 % (20 * KIB) : n / 12 % 500;
}

/* Blocks of all sizes come, change and go in two spaces, one a fork of the other, and keep what they hold. */
static void random_blocks_keep_what_they_hold_through_fork(void **state)
{
    static live_t live[2][BLOCKS];
    static heap_t heaps[2];
    vmm_space_t *spaces[2] = {NULL, NULL};
    uint64_t random = 0x1234567;
    unsigned round, who, forked = 0, mapped = 0;
    size_t i;
    (void)state;
    make(&vmm_sv39, &wide);
    how.mmap_threshold = 128 * KIB;
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
    memset(live, 0, sizeof live);
    spaces[0] = space;
    heaps[0] = heap;
    for (round = 0; round < 2000; round++) {
        live_t *l;
        size_t bytes;
        if (round == 1000) {
            assert_int_equal(vmm_fork(space, &spaces[1]), VMM_OK);
            spaces[1]->oom_score_adj = -1000;
            heaps[1] = heaps[0];
            heaps[1].core.hooks.user = spaces[1];
            memcpy(live[1], live[0], sizeof live[1]);
            forked = 1;
        }
        who = forked ? (unsigned)(helper_random(&random) & 1) : 0;
        l = &live[who][helper_random(&random) % BLOCKS];
        bytes = random_bytes(&random);
        if (l->at && helper_random(&random) % 3) {
            vmm_vaddr_t now = 0;
            assert_int_equal(heap_realloc(&heaps[who], l->at, bytes, &now), VMM_OK);
            assert_filled(spaces[who], now, (bytes < l->bytes ? bytes : l->bytes) & ~(size_t)7, l->seed);
            l->at = now;
        } else if (l->at) {
            assert_filled(spaces[who], l->at, l->bytes, l->seed);
            assert_int_equal(heap_free(&heaps[who], l->at), VMM_OK);
            l->at = 0;
        } else {
            assert_int_equal(heap_malloc(&heaps[who], bytes, 1, &l->at), VMM_OK);
        }
        if (!l->at) continue;
        mapped += l->at > spaces[who]->brk;
        l->bytes = bytes;
        l->seed = round + 1;
        fill(spaces[who], l->at, l->bytes, l->seed);
        if (round % 100 == 0) assert_true(heap_check(&heaps[who]));
    }
    assert_true(mapped > 20);
    for (who = 0; who < 2; who++) {
        for (i = 0; i < BLOCKS; i++) {
            if (!live[who][i].at) continue;
            assert_filled(spaces[who], live[who][i].at, live[who][i].bytes, live[who][i].seed);
            assert_int_equal(heap_free(&heaps[who], live[who][i].at), VMM_OK);
        }
        assert_true(heap_check(&heaps[who]));
        assert_int_equal(spaces[who]->areas, 1);
    }
    assert_int_equal(misuses, 0);
    vmm_exit(spaces[1]);
    finish();
}

static void a_large_block_moves_by_its_tables(void **state)
{
    vmm_vaddr_t a = 0, b = 0, now = 0;
    uint64_t minor;
    (void)state;
    start(&vmm_sv39, &wide);
    assert_int_equal(heap_malloc(&heap, 300 * KIB, 1, &a), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 300 * KIB, 1, &b), VMM_OK); /* right behind it, bottom up */
    fill(space, a, 300 * KIB, 5);
    minor = space->stats.minor;
    assert_int_equal(heap_realloc(&heap, a, 900 * KIB, &now), VMM_OK);
    assert_true(now != a);
    assert_int_equal(space->stats.minor, minor);
    assert_filled(space, now, 300 * KIB, 5);
    minor = space->stats.minor;
    assert_int_equal(heap_realloc(&heap, now, 200 * KIB, &a), VMM_OK);
    assert_true(a == now);
    assert_int_equal(space->stats.minor, minor);
    assert_true(heap.core.footprint == 132 * KIB + 304 * KIB + 204 * KIB);
    assert_int_equal(heap_realloc(&heap, a, 50 * KIB, &now), VMM_OK); /* into the heap */
    assert_true(now < space->brk);
    assert_filled(space, now, 50 * KIB, 5);
    assert_int_equal(heap_free(&heap, b), VMM_OK);
    assert_int_equal(heap_free(&heap, now), VMM_OK);
    assert_int_equal(space->areas, 1);
    assert_int_equal(misuses, 0);
    finish();
}

static void wrong_pointers_are_told_or_fault(void **state)
{
    vmm_vaddr_t a = 0, b = 0, odd = 0;
    (void)state;
    start(&vmm_sv39, &wide);
    assert_int_equal(heap_malloc(&heap, 100, 1, &a), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 300 * KIB, 1, &b), VMM_OK);
    assert_int_equal(heap_free(&heap, a + 8), VMM_E_NOT_MAPPED);
    assert_int_equal(heap_free(&heap, b + 4096), VMM_E_NOT_MAPPED); /* a page of zeros is no block */
    assert_int_equal(heap_free(&heap, b + 16), VMM_E_NOT_MAPPED);
    assert_int_equal(misuses, 3);
    assert_int_equal(heap_free(&heap, b), VMM_OK);
    memset(&space->signal, 0, sizeof space->signal);
    assert_int_equal(heap_free(&heap, b), VMM_FAULT); /* as a program's free would: the page is gone */
    assert_int_equal(space->signal.number, VMM_SIGSEGV);
    assert_int_equal(heap_realloc(&heap, b, 10, &odd), VMM_FAULT);
    assert_int_equal(heap_free(&heap, a), VMM_OK);
    assert_int_equal(heap_free(&heap, a), VMM_E_NOT_MAPPED);
    assert_true(heap_check(&heap));
    finish();
}

static void somebody_else_may_move_the_break(void **state)
{
    vmm_vaddr_t a = 0, b = 0, c = 0, before = 0;
    (void)state;
    make(&vmm_sv39, &wide);
    how.mmap_threshold = 1 << 30;
    how.trim_threshold = how.top_pad = 16 * KIB;
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 60 * KIB, 1, &a), VMM_OK);
    assert_int_equal(vmm_sbrk(space, 5000, &before), VMM_OK);
    fill(space, before, 4992, 9);
    assert_int_equal(heap_malloc(&heap, 60 * KIB, 1, &b), VMM_OK); /* a region of its own, behind */
    assert_true(b > before + 4992);
    assert_int_equal(heap_malloc(&heap, 60 * KIB, 1, &c), VMM_OK);
    assert_int_equal(heap_free(&heap, a), VMM_OK); /* its end is not the break: nothing goes back */
    assert_int_equal(heap_free(&heap, b), VMM_OK);
    assert_int_equal(heap_free(&heap, c), VMM_OK);
    assert_true(heap_check(&heap));
    assert_filled(space, before, 4992, 9);
    finish();
}

/* -- failures: an access fails at each place in turn, and all is as it was -- */

static unsigned accesses, fail_at;

static int failing_load(void *user, vmm_vaddr_t at, size_t *word)
{
    return ++accesses == fail_at || vmm_heap_load(user, at, word);
}
static int failing_store(void *user, vmm_vaddr_t at, size_t word)
{
    return ++accesses == fail_at || vmm_heap_store(user, at, word);
}

static sealed_t sealed_heap;

typedef struct shape {
    vmm_heap_core_t core;
    vmm_vaddr_t brk;
    uint64_t total;
    uint32_t areas;
} shape_t;

static shape_t shape_now(bool seals)
{
    shape_t now;
    memset(&now, 0, sizeof now);
    now.core = seals ? sealed_heap.core : heap.core;
    now.brk = space->brk;
    now.total = space->stats.total;
    now.areas = space->areas;
    return now;
}

static vmm_status_t call(bool seals, unsigned what, vmm_vaddr_t *at)
{
    static const size_t sizes[] = {100, 40 * KIB, 100 * KIB, 200 * KIB, 500 * KIB, 150 * KIB};
    const size_t bytes = sizes[what % 6];
    if (what % 2 && *at)
        return seals ? sealed_realloc(&sealed_heap, *at, bytes, at) : heap_realloc(&heap, *at, bytes, at);
    if (!*at) return seals ? sealed_malloc(&sealed_heap, bytes, 1, at) : heap_malloc(&heap, bytes, 1, at);
    if ((seals ? sealed_free(&sealed_heap, *at) : heap_free(&heap, *at)) != VMM_OK) return VMM_FAULT;
    *at = 0;
    return VMM_OK;
}

static void a_call_whose_access_fails_changes_nothing(void **state)
{
    unsigned seals, step, fails = 0, grown = 0, shrunk = 0;
    (void)state;
    for (seals = 0; seals < 2; seals++) {
        vmm_vaddr_t at[5] = {0, 0, 0, 0, 0};
        uint64_t random = 77;
        make(&vmm_two_level, &narrow);
        how.mmap_threshold = 128 * KIB;
        how.trim_threshold = how.top_pad = 32 * KIB;
        how.hooks.load = failing_load;
        how.hooks.store = failing_store;
        fail_at = 0;
        assert_int_equal(seals ? sealed_init(&sealed_heap, &how) : heap_init(&heap, &how), VMM_OK);
        for (step = 0; step < 200; step++) {
            const unsigned slot = (unsigned)helper_random(&random) % 5, what = (unsigned)helper_random(&random) % 6;
            const shape_t before = shape_now(seals != 0);
            vmm_status_t status;
            for (fail_at = 1;; fail_at++) {
                const vmm_vaddr_t was = at[slot];
                shape_t now;
                accesses = 0;
                status = call(seals != 0, what, &at[slot]);
                if (status == VMM_OK) break;
                assert_int_equal(status, VMM_FAULT);
                fails++;
                now = shape_now(seals != 0);
                assert_true(at[slot] == was);
                assert_memory_equal(&now.core, &before.core, sizeof now.core);
                assert_true(now.brk == before.brk && now.total == before.total && now.areas == before.areas);
                if (fail_at > 300) fail_at += fail_at / 2; /* a copy of a large block */
            }
            fail_at = 0;
            grown += space->brk > before.brk;
            shrunk += space->brk < before.brk;
            assert_true(seals ? sealed_check(&sealed_heap) : heap_check(&heap));
        }
        finish();
    }
    assert_true(fails > 2000 && grown > 10 && shrunk > 10);
}

/* A block moves over the old end of the heap, and the access that fails comes after that was overwritten. */
static void a_move_that_fails_late_puts_the_old_end_back(void **state)
{
    vmm_vaddr_t a = 0, b = 0, now = 0;
    unsigned fails = 0;
    (void)state;
    make(&vmm_two_level, &narrow);
    how.mmap_threshold = 1 << 30;
    how.trim_threshold = how.top_pad = 4 * KIB;
    how.hooks.load = failing_load;
    how.hooks.store = failing_store;
    fail_at = 0;
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 60 * KIB, 1, &a), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 16, 1, &b), VMM_OK);
    fill(space, a, 60 * KIB, 1);
    for (fail_at = 100;; fail_at += 97) {
        const vmm_vaddr_t brk = space->brk;
        vmm_status_t status;
        accesses = 0;
        status = heap_realloc(&heap, a, 61 * KIB, &now);
        if (status == VMM_OK) break;
        fails++;
        assert_int_equal(status, VMM_FAULT);
        assert_true(space->brk == brk);
        assert_true(accesses >= fail_at && heap_check(&heap));
    }
    fail_at = 0;
    assert_true(fails > 100 && now > b);
    assert_filled(space, now, 60 * KIB, 1);
    assert_true(heap_check(&heap));
    finish();
}

static void without_memory_a_call_fails_and_changes_nothing(void **state)
{
    vmm_vaddr_t at = 0, kept = 0;
    (void)state;
    start(&vmm_sv39, &wide);
    assert_int_equal(heap_malloc(&heap, 1000, 1, &kept), VMM_OK);
    fill(space, kept, 1000, 8);
    assert_int_equal(heap_malloc(&heap, 100000 * KIB, 1, &at), VMM_E_NO_FRAME); /* never promised */
    assert_true(at == 0 && heap_check(&heap));
    space->limits.space = 300 * KIB;
    assert_int_equal(heap_malloc(&heap, 200 * KIB, 1, &at), VMM_E_NO_FRAME);
    assert_true(space->brk == space->brk_start + 132 * KIB && space->areas == 1);
    space->limits.space = 0;
    assert_int_equal(heap_malloc(&heap, 200 * KIB, 1, &at), VMM_OK);
    assert_filled(space, kept, 1000, 8);
    finish();
}

/* Frames run out while the heap writes a header: the call fails, and goes when there are some again. */
static void without_frames_a_call_faults_and_goes_later(void **state)
{
    vmm_space_t *hog;
    vmm_vaddr_t at = 0, brk, pages = 0;
    const uint8_t byte = 1;
    (void)state;
    start(&vmm_sv39, &wide);
    assert_int_equal(vmm_space_create(m, &hog), VMM_OK);
    hog->oom_score_adj = -1000;
    assert_int_equal(vmm_mmap(hog, 0, FRAMES * 4096u, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &pages),
                     VMM_OK);
    for (; m->frames.free_frames > m->options.watermark_min; pages += 4096)
        assert_int_equal(vmm_space_write(hog, pages, &byte, 1), VMM_OK);
    brk = space->brk;
    assert_int_equal(heap_malloc(&heap, 127 * KIB, 1, &at), VMM_FAULT);
    assert_int_equal(space->signal.status, VMM_E_NO_FRAME);
    assert_int_equal(heap_malloc(&heap, 1000 * KIB, 1, &at), VMM_FAULT);
    assert_true(space->brk == brk && space->areas == 1);
    vmm_exit(hog);
    assert_true(heap_check(&heap));
    assert_int_equal(heap_malloc(&heap, 127 * KIB, 1, &at), VMM_OK);
    finish();
}

static void small_pages_do_as_well(void **state)
{
    vmm_vaddr_t a = 0, b = 0, now = 0;
    (void)state;
    make(&tiny, &tiny_layout);
    how.mmap_threshold = 6000;
    how.trim_threshold = how.top_pad = 1000;
    assert_null(how.hooks.remap);
    assert_int_equal(heap_init(&heap, &how), VMM_OK);
    assert_int_equal(heap_malloc(&heap, 300, 1, &a), VMM_OK);
    fill(space, a, 296, 1);
    assert_int_equal(heap_malloc(&heap, 7000, 1, &b), VMM_OK);
    assert_true(b >= tiny_layout.mmap_low && b % 4096 == 4 * sizeof(size_t));
    fill(space, b, 7000, 2);
    assert_int_equal(heap_realloc(&heap, b, 10000, &now), VMM_OK);
    assert_filled(space, now, 7000, 2);
    assert_int_equal(heap_free(&heap, now), VMM_OK);
    assert_filled(space, a, 296, 1);
    assert_int_equal(heap_free(&heap, a), VMM_OK);
    assert_int_equal(space->areas, 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_maps_nothing_until_it_is_touched),
        cmocka_unit_test(the_textbooks_walk_goes_as_they_say),
        cmocka_unit_test(thresholds_follow_what_is_freed_unless_they_are_set),
        cmocka_unit_test(random_blocks_keep_what_they_hold_through_fork),
        cmocka_unit_test(a_large_block_moves_by_its_tables),
        cmocka_unit_test(wrong_pointers_are_told_or_fault),
        cmocka_unit_test(somebody_else_may_move_the_break),
        cmocka_unit_test(a_call_whose_access_fails_changes_nothing),
        cmocka_unit_test(a_move_that_fails_late_puts_the_old_end_back),
        cmocka_unit_test(without_memory_a_call_fails_and_changes_nothing),
        cmocka_unit_test(without_frames_a_call_faults_and_goes_later),
        cmocka_unit_test(small_pages_do_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
