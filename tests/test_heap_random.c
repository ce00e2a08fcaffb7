/* test_heap_random.c - random operations on heaps of every kind against a list of live blocks and contents. */
#include "helper_heap.h"

#define BLOCKS 96
#define STEPS 2500

typedef struct block {
    uint8_t *at;
    size_t bytes, align;
    unsigned seed;
    const char *site;
    bool shown;
} block_t;

static block_t block[BLOCKS];
static const heap_api_t *api;
static uint64_t state;
static size_t largest; /* most that is asked for at once */
static host_told_t event[HOST_EVENTS];
static const char site_a[] = "a.c:1", site_b[] = "b.c:2";

static size_t random_size(void)
{
    const uint64_t r = helper_random(&state);
    size_t most = 200;
    if (r % 8 == 4 || r % 8 == 5) most = 1200;
    if (r % 8 == 6) most = 5000;
    if (r % 8 == 7) most = (r >> 8) % 6 == 0 ? largest : 16000;
    return (size_t)(r >> 20) % (most < largest ? most : largest);
}

/* Where a block may lie. */
static void assert_inside(const uint8_t *at, size_t bytes)
{
    const bool in_arena = at >= heap_arena.byte && at < heap_arena.byte + HEAP_ARENA;
    if (heap_has(api, VMM_HEAP_GROWS)) assert_true(host_gave(at, bytes));
    else assert_true(in_arena && bytes <= (size_t)(heap_arena.byte + HEAP_ARENA - at));
}
static void assert_apart(const block_t *b)
{
    size_t i;
    for (i = 0; i < BLOCKS; i++) {
        const block_t *o = &block[i];
        if (o == b || !o->at) continue;
        assert_true(b->at != o->at);
        assert_true(b->at < o->at ? b->bytes <= (size_t)(o->at - b->at) : o->bytes <= (size_t)(b->at - o->at));
    }
}
static void assert_block(block_t *b, size_t bytes, size_t align)
{
    b->bytes = bytes;
    b->align = align;
    assert_true(((uintptr_t)b->at & (align - 1)) == 0);
    assert_true(api->usable(b->at) >= bytes);
    assert_inside(b->at, bytes);
    assert_apart(b);
    b->seed = (unsigned)helper_random(&state);
    heap_fill(b->at, bytes, b->seed);
}
static void assert_contents(void)
{
    size_t i;
    for (i = 0; i < BLOCKS; i++)
        if (block[i].at) assert_true(heap_is(block[i].at, block[i].bytes, block[i].seed));
}

static void allocate(block_t *b)
{
    const size_t bytes = random_size();
    const size_t how = (size_t)(helper_random(&state) % 10);
    const size_t align = how == 0 ? (size_t)1 << helper_random(&state) % 14 : HEAP_ALIGN;
    b->site = how & 1 ? site_a : site_b;
    if (how == 0) b->at = (uint8_t *)api->aligned(align, bytes);
    else if (how <= 2) b->at = (uint8_t *)api->zeroed(how, bytes / how);
    else b->at = (uint8_t *)api->alloc_at(bytes, b->site);
    if (!b->at) return;
    if (how <= 2) b->site = NULL;
    if (how == 1 || how == 2) assert_true(heap_is_all(b->at, bytes / how * how, 0));
    assert_block(b, how == 1 || how == 2 ? bytes / how * how : bytes, align);
}
static void change(block_t *b)
{
    const size_t bytes = random_size() + 1, common = bytes < b->bytes ? bytes : b->bytes;
    const bool in_place = helper_random(&state) % 4 == 0;
    uint8_t *now =
        in_place ? (api->resize(b->at, bytes) ? b->at : NULL) : (uint8_t *)api->change_at(b->at, bytes, b->site);
    if (!now) {
        assert_true(heap_is(b->at, b->bytes, b->seed));
        return;
    }
    if (in_place && heap_has(api, VMM_HEAP_TAGS)) b->site = NULL; /* not told */
    b->at = now;
    assert_true(heap_is(now, common, b->seed));
    assert_block(b, bytes, 1);
}
static void give(block_t *b)
{
    assert_true(heap_is(b->at, b->bytes, b->seed));
    assert_int_equal(helper_random(&state) % 4 == 0 ? api->give_sized(b->at, b->bytes) : api->give(b->at),
                     VMM_MISUSE_NONE);
    b->at = NULL;
}
static void step(void)
{
    block_t *b = &block[helper_random(&state) % BLOCKS];
    if (!b->at) allocate(b);
    else if (helper_random(&state) % 3 == 0) change(b);
    else give(b);
}

static int shown(void *user, const vmm_live_t *live)
{
    size_t i;
    for (i = 0; i < BLOCKS && block[i].at != live->at; i++) {}
    assert_true(i < BLOCKS);
    assert_false(block[i].shown);
    block[i].shown = true;
    if (api->kind->level >= 2 || heap_has(api, VMM_HEAP_TAGS)) assert_int_equal(live->bytes, block[i].bytes);
    else assert_true(live->bytes >= block[i].bytes);
    assert_true(live->takes >= live->bytes);
    if (heap_has(api, VMM_HEAP_TAGS)) assert_ptr_equal(live->site, block[i].site);
    else assert_null(live->site);
    ++*(size_t *)user;
    return 0;
}
/* A walk shows the live blocks, each once; the report agrees. */
static void assert_walk(void)
{
    vmm_heap_report_t r;
    size_t i, live = 0, seen = 0;
    for (i = 0; i < BLOCKS; i++) {
        live += block[i].at != NULL;
        block[i].shown = false;
    }
    assert_int_equal(api->walk(shown, &seen), VMM_OK);
    assert_int_equal(seen, live);
    assert_int_equal(api->report(&r), VMM_OK);
    assert_int_equal(r.live_blocks, live);
    assert_true(r.taken_bytes >= r.live_bytes && r.footprint >= r.free_bytes + r.mapped_bytes);
    assert_true(r.largest_free <= r.free_bytes && r.footprint <= r.footprint_most);
    assert_int_equal(r.mapped_bytes, host.mapped);
    if (!heap_stats(api)) return;
    assert_int_equal(heap_stats(api)->blocks, live);
    assert_int_equal(heap_stats(api)->bytes, r.live_bytes);
    assert_true(heap_stats(api)->blocks_most >= live && heap_stats(api)->bytes_most >= r.live_bytes);
}

/* The live blocks as the events alone tell them. */
static void assert_events(void)
{
    size_t i, j, live = 0, left = 0;
    for (i = 0; i < host.events; i++) {
        const host_told_t *e = &event[i];
        if (e->operation != 'a') { /* the last event that made this block */
            for (j = i; j-- && !(event[j].operation != 'x' && event[j].now == e->old);) {}
            assert_true(j < i);
            event[j].operation = 'x';
        }
        if (e->operation == 'f') event[i].operation = 'x';
    }
    for (i = 0; i < host.events; i++) {
        if (event[i].operation == 'x') continue;
        for (j = 0; j < BLOCKS && block[j].at != event[i].now; j++) {}
        assert_true(j < BLOCKS);
        assert_int_equal(event[i].bytes, block[j].bytes);
        live++;
    }
    for (j = 0; j < BLOCKS; j++) left += block[j].at != NULL;
    assert_int_equal(live, left);
    host.events = 0;
}

static void finish(void)
{
    vmm_heap_report_t r;
    size_t i;
    for (i = 0; i < BLOCKS; i++)
        if (block[i].at) give(&block[i]);
    if (heap_has(api, VMM_HEAP_EVENTS)) host.events = 0;
    api->trim(0);
    assert_true(api->check());
    assert_walk();
    assert_int_equal(api->report(&r), VMM_OK);
    assert_int_equal(r.live_blocks, 0);
    assert_int_equal(r.live_bytes, 0);
    if (api->kind->level == 3) return; /* the quarantine keeps some */
    assert_int_equal(host.mapped, 0);
    assert_int_equal(r.slab_bytes, 0);
    assert_int_equal(r.free_chunks, api->core->regions);
    assert_int_equal(r.external, api->core->regions > 1 ? r.external : 0);
    if (heap_has(api, VMM_HEAP_GROWS)) assert_int_equal(r.footprint, 4096 * api->core->regions);
}

static void run(const heap_api_t *a, size_t bytes, size_t gap, uint64_t seed, size_t steps)
{
    size_t i;
    api = a;
    state = seed;
    largest = heap_has(a, VMM_HEAP_GROWS) ? 300000 : bytes / 3;
    memset(block, 0, sizeof block);
    heap_start(a, bytes);
    host.event = event;
    host.gap = gap;
    for (i = 0; i < steps; i++) {
        step();
        assert_true(a->check());
        assert_int_equal(host.misuses, 0);
        if (i % 100 == 0) {
            assert_contents();
            assert_walk();
        }
        if (i % 500 == 499) a->trim(i % 1000);
        if (heap_has(a, VMM_HEAP_EVENTS) && i == steps / 2) assert_events();
        if (heap_has(a, VMM_HEAP_EVENTS) && i == steps / 2) host.event = NULL;
    }
    assert_contents();
    finish();
    assert_int_equal(host.locked, 0);
    assert_true(!heap_has(a, VMM_HEAP_LOCKS) || host.locks > steps);
}

static void every_kind_agrees_with_a_list_of_live_blocks(void **unused)
{
    size_t i;
    (void)unused;
    for (i = 0; i < HEAP_KINDS; i++) run(heap_kinds[i], HEAP_ARENA, 0, 7 + i, STEPS);
}

static void so_do_small_arenas_that_run_out(void **unused)
{
    size_t i, bytes;
    (void)unused;
    for (i = 0; i < HEAP_KINDS; i++)
        for (bytes = 6000; !heap_has(heap_kinds[i], VMM_HEAP_GROWS) && bytes < 100000; bytes *= 3)
            run(heap_kinds[i], bytes, 0, bytes + i, STEPS / 2);
}

static void so_do_heaps_that_grow_with_gaps_into_several_regions(void **unused)
{
    size_t i;
    (void)unused;
    for (i = 0; i < HEAP_KINDS; i++)
        if (heap_has(heap_kinds[i], VMM_HEAP_GROWS)) run(heap_kinds[i], 0, 4096, 99 + i, STEPS / 2);
}

/* Each call of a hook fails once, and then from each call on all of them. */
static void hooks_that_fail_at_any_call_lose_nothing(void **unused)
{
    size_t i, n, j;
    (void)unused;
    for (i = 0; i < HEAP_KINDS; i++) {
        bool reached = heap_has(heap_kinds[i], VMM_HEAP_GROWS);
        for (n = 1; reached; n++) {
            api = heap_kinds[i];
            state = 5;
            largest = 200000;
            memset(block, 0, sizeof block);
            heap_start(api, 0);
            api->mallopt(VMM_M_TRIM_THRESHOLD, 8192);
            api->mallopt(VMM_M_TOP_PAD, 4096);
            api->mallopt(VMM_M_MMAP_THRESHOLD, 30000);
            host.calls = 0;
            host.fail_at = (unsigned)n;
            for (j = 0; j < 150; j++) {
                step();
                if (j % 8 == 0 || host.calls >= n) assert_true(api->check());
                if (j == 75) api->trim(0);
                host.fails = n % 2 == 0 && host.calls >= n && host.calls < n + 3;
            }
            assert_contents();
            reached = host.calls >= n && n < 60;
            host.fails = false;
            for (j = 0; j < BLOCKS; j++)
                if (block[j].at) give(&block[j]);
            assert_true(api->check());
            assert_int_equal(host.misuses, 0);
        }
    }
}

static void magazines_keep_to_their_capacity_while_the_heap_shrinks_and_grows(void **unused)
{
    static void *many[12000];
    const heap_api_t *a = &fast_api;
    uint64_t seed = 1;
    size_t count = 0, round;
    (void)unused;
    heap_start(a, 0);
    for (round = 0; round < 6; round++) {
        const size_t most = round % 2 ? 500 : 6000 + 1000 * round;
        while (count < most) {
            many[count] = a->alloc((size_t)(helper_random(&seed) % 1300));
            assert_non_null(many[count++]);
            if (count % 499 == 0) assert_true(a->check());
        }
        while (count > most) {
            const size_t which = (size_t)(helper_random(&seed) % count);
            assert_int_equal(a->give(many[which]), VMM_MISUSE_NONE);
            many[which] = many[--count];
        }
        assert_true(a->check());
    }
    while (count) assert_int_equal(a->give(many[--count]), VMM_MISUSE_NONE);
    assert_true(a->check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_agrees_with_a_list_of_live_blocks),
        cmocka_unit_test(so_do_small_arenas_that_run_out),
        cmocka_unit_test(so_do_heaps_that_grow_with_gaps_into_several_regions),
        cmocka_unit_test(hooks_that_fail_at_any_call_lose_nothing),
        cmocka_unit_test(magazines_keep_to_their_capacity_while_the_heap_shrinks_and_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
