/* test_heap.c - what a heap promises, for every kind: sizes, wrong frees, overruns, hooks, bounds, statistics. */
static unsigned long steps;
#define VMM_ALLOC_STEP() ((void)steps++)
#include "helper_heap.h"

#define FOR_EACH(a)                                                                                                    \
    for (kind = 0; kind < HEAP_KINDS; kind++)                                                                          \
        if ((a = heap_kinds[kind]) != NULL)

static const size_t huge_sizes[] = {SIZE_MAX,         SIZE_MAX - 1,      SIZE_MAX - 7,       SIZE_MAX - 8,
                                    SIZE_MAX - 15,    SIZE_MAX - 16,     SIZE_MAX - 4095,    SIZE_MAX - 4096,
                                    SIZE_MAX / 2 + 1, SIZE_MAX / 2,      SIZE_MAX / 2 - 64,  SIZE_MAX / 4 + 1,
                                    SIZE_MAX / 4,     SIZE_MAX / 4 - 32, SIZE_MAX / 4 - 5000};
#define HUGE_SIZES (sizeof huge_sizes / sizeof huge_sizes[0])

/* The call was refused for a reason, the hook was told, and the heap is unharmed. */
static void assert_refused_at(const heap_api_t *a, unsigned before, vmm_misuse_t why, const void *at)
{
    assert_int_not_equal(why, VMM_MISUSE_NONE);
    assert_int_equal(host.misuses, before + 1);
    assert_int_equal(host.reason, why);
    assert_ptr_equal(host.where, at);
    assert_true(a->check());
}
static vmm_misuse_t refused_free(const heap_api_t *a, void *at)
{
    const unsigned before = host.misuses;
    const uint64_t counted = heap_stats(a) ? heap_stats(a)->misuses : 0;
    const vmm_misuse_t why = a->give(at);
    assert_refused_at(a, before, why, at);
    if (heap_stats(a)) assert_true(heap_stats(a)->misuses == counted + 1);
    /* and so say the other calls that take a block */
    assert_int_equal(a->usable(at), 0);
    assert_int_equal(host.reason, why);
    assert_null(a->change(at, 100));
    assert_int_equal(host.reason, why);
    assert_false(a->resize(at, 100));
    assert_int_equal(a->give_sized(at, 1), why);
    assert_true(a->check());
    return why;
}
static int count_live(void *user, const vmm_live_t *live)
{
    (void)live;
    ++*(size_t *)user;
    return 0;
}
static size_t live_blocks(const heap_api_t *a)
{
    size_t live = 0;
    assert_int_equal(a->walk(count_live, &live), VMM_OK);
    return live;
}
/* More than slabs serve, in every kind. */
#define MEDIUM 3000

/* ---- making a heap ---- */
static void options_that_cannot_be_are_refused(void **unused)
{
    const heap_api_t *a;
    vmm_heap_options_t o;
    size_t kind;
    (void)unused;
    host_reset();
    FOR_EACH(a)
    {
        assert_int_equal(a->init(NULL), VMM_E_ARGUMENT);
        o = heap_options(a, 65536);
        o.arena = NULL;
        o.bytes = 65536;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
        o.bytes = 0;
        o.hooks.grow = NULL;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
        o.arena = &heap_arena;
        o.window = 0;
        o.bytes = SIZE_MAX;
        assert_int_equal(a->init(&o), VMM_E_RANGE);
        o.bytes = 0 - (uintptr_t)&heap_arena + 1;
        assert_int_equal(a->init(&o), VMM_E_RANGE);
        o.bytes = 65536;
        o.granule = 48;
        assert_int_equal(a->init(&o), VMM_E_ALIGN);
        o.granule = 0;
        o.window = 65535;
        o.page_map = heap_page_map;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
        o.window = 65536;
        o.page_map = NULL;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
    }
    FOR_EACH(a)
    {
        if (a->kind->reach != VMM_OUTSIDE) continue;
        o = heap_options(a, 65536);
        o.side = NULL;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
        o.side = (uint8_t *)heap_side + 1;
        assert_int_equal(a->init(&o), VMM_E_ARGUMENT);
        o.side = heap_side;
        o.side_bytes = 65536 / 64 * 4 * sizeof(size_t);
        assert_int_equal(a->init(&o), VMM_E_RANGE);
        o.side_bytes = VMM_HEAP_SIDE_BYTES(65536, 64);
        assert_int_equal(a->init(&o), VMM_OK);
        o.side_bytes = sizeof heap_side;
        for (o.granule = 1; o.granule < 8; o.granule *= 2) assert_int_not_equal(a->init(&o), VMM_OK);
    }
}

static void a_grow_that_fails_at_first_is_told(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        vmm_heap_options_t o;
        if (!heap_has(a, VMM_HEAP_GROWS)) continue;
        host_reset();
        o = heap_options(a, 0);
        host.fail_at = 1;
        assert_int_equal(a->init(&o), VMM_E_NO_FRAME);
    }
}

/* Any size and any address: refused, or a heap that works and stays in its arena. */
static void arenas_of_every_size_and_alignment_are_refused_or_work(void **unused)
{
    const heap_api_t *a;
    size_t kind, bytes, off;
    (void)unused;
    FOR_EACH(a)
    {
        size_t least = 0;
        if (heap_has(a, VMM_HEAP_GROWS)) continue;
        for (bytes = 0; bytes < 700; bytes += bytes < 200 ? 1 : 37)
            for (off = 0; off < 18; off += bytes % 8 == 0 ? 1 : 8) {
                vmm_heap_options_t o = heap_options(a, bytes);
                uint8_t *const first = heap_arena.byte + 64 + off;
                void *p;
                vmm_status_t status;
                memset(&heap_arena, 0xa7, 1024);
                o.arena = first;
                status = a->init(&o);
                assert_true(status == VMM_OK || (status == VMM_E_RANGE && bytes < 600));
                if (status == VMM_OK) {
                    if (!least) least = bytes;
                    assert_true(a->check());
                    while ((p = a->alloc(1)) != NULL) {
                        assert_true((uint8_t *)p >= first && (uint8_t *)p < first + bytes);
                        *(uint8_t *)p = 1;
                    }
                    assert_true(a->check());
                }
                assert_true(heap_is_all(heap_arena.byte, 64 + off, 0xa7));
                assert_true(heap_is_all(first + bytes, 100, 0xa7));
            }
        assert_true(least > 0 && least < 600);
    }
}

static void regions_that_cannot_be_added_are_refused(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *const at = heap_arena.byte + 32768;
        size_t footprint, regions;
        if (heap_has(a, VMM_HEAP_GROWS)) continue;
        host_reset();
        {
            vmm_heap_options_t o = heap_options(a, 16384);
            o.arena = at;
            assert_int_equal(a->init(&o), VMM_OK);
        }
        footprint = a->core->footprint;
        regions = a->core->regions;
        assert_int_equal(a->add(NULL, 4096), VMM_E_ARGUMENT);
        assert_int_equal(a->add(at + 4096, 4096), VMM_E_MAPPED);
        assert_int_equal(a->add(at - 4096, 8192), VMM_E_MAPPED);
        assert_int_equal(a->add(at - 4096, 65536), VMM_E_MAPPED);
        assert_int_equal(a->add(at + 16384 - 64, 4096), VMM_E_MAPPED);
        assert_int_equal(a->add(at, 256), VMM_E_MAPPED);
        assert_int_equal(a->add(at + 65536, 0), VMM_E_RANGE);
        assert_int_equal(a->add(at + 65536, 8), VMM_E_RANGE);
        assert_int_equal(a->add(at + 65536, SIZE_MAX), VMM_E_RANGE);
        assert_int_equal(a->add(at + 65536, SIZE_MAX / 2 + 1), VMM_E_RANGE);
        assert_int_equal(a->add(at + 65536, 0 - (uintptr_t)(at + 65536) + 4096), VMM_E_RANGE);
        assert_int_equal(a->core->footprint, footprint);
        assert_int_equal(a->core->regions, regions);
        assert_true(a->check());
        for (i = 1; i < VMM_HEAP_REGIONS; i++) {
            assert_int_equal(a->add(at + 32768 + i * 16384, 8192), VMM_OK);
            assert_true(a->check());
        }
        assert_int_equal(a->add(at + 32768 + i * 16384, 8192), VMM_E_NO_FRAME);
        assert_int_equal(a->add(at + 32768 + 16384 + 4096, 8192), VMM_E_MAPPED);
        /* behind one that is there it does not count as another */
        assert_int_equal(a->add(at + 32768 + 16384 + 8192, 4096), VMM_OK);
        assert_int_equal(a->core->regions, VMM_HEAP_REGIONS);
        assert_true(a->check());
        /* and all of it is used, each byte once */
        for (i = 0; a->alloc(4000); i++) {}
        assert_true(i >= 3 + 7 + 1);
        assert_true(a->check());
    }
}

/* ---- sizes and alignments ---- */
static void sizes_near_SIZE_MAX_fail_cleanly(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *small, *medium;
        heap_start(a, 65536);
        small = (uint8_t *)a->alloc(50);
        medium = (uint8_t *)a->alloc(MEDIUM);
        assert_true(small && medium);
        heap_fill(small, 50, 1);
        heap_fill(medium, MEDIUM, 2);
        for (i = 0; i < HUGE_SIZES; i++) {
            const size_t n = huge_sizes[i];
            const unsigned before = host.misuses;
            const unsigned told = n > SIZE_MAX / 4 ? 1 : 0;
            assert_null(a->alloc(n));
            assert_int_equal(host.misuses, before + told);
            assert_null(a->zeroed(1, n));
            assert_null(a->aligned(64, n));
            assert_null(a->change(NULL, n));
            assert_int_equal(host.misuses, before + 4 * told);
            assert_null(a->change(small, n));
            assert_null(a->change(medium, n));
            assert_false(a->resize(small, n));
            assert_false(a->resize(medium, n));
            assert_int_equal(host.misuses, before + 8 * told);
            if (told) assert_int_equal(host.reason, VMM_MISUSE_SIZE);
            assert_true(a->check());
        }
        host.misuses = 0;
        assert_null(a->zeroed(SIZE_MAX, 2));
        assert_null(a->zeroed(2, SIZE_MAX));
        assert_null(a->zeroed(SIZE_MAX / 2 + 1, 2)); /* the product is 0, modulo */
        assert_null(a->zeroed((size_t)1 << sizeof(size_t) * 4, (size_t)1 << sizeof(size_t) * 4));
        assert_null(a->zeroed(SIZE_MAX, SIZE_MAX));
        assert_int_equal(host.misuses, 5);
        if (heap_stats(a)) assert_int_equal(heap_stats(a)->blocks, 2);
        assert_true(heap_is(small, 50, 1) && heap_is(medium, MEDIUM, 2));
        assert_int_equal(a->give_sized(small, 50), VMM_MISUSE_NONE);
        assert_int_equal(a->give_sized(medium, MEDIUM), VMM_MISUSE_NONE);
        assert_true(a->check());
    }
}

static void zero_sizes_and_null_pointers_are_what_the_C_standard_says(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        void *p, *q, *r;
        heap_start(a, 65536);
        p = a->alloc(0);
        q = a->alloc(0);
        r = a->zeroed(0, 100);
        assert_true(p && q && r && p != q && q != r && p != r);
        assert_null(a->change(p, 0)); /* frees */
        assert_int_equal(live_blocks(a), 2);
        assert_int_equal(a->give_sized(q, 0), VMM_MISUSE_NONE);
        assert_int_equal(a->give(r), VMM_MISUSE_NONE);
        assert_int_equal(a->give(NULL), VMM_MISUSE_NONE);
        assert_int_equal(a->give_sized(NULL, 7), VMM_MISUSE_NONE);
        assert_int_equal(a->usable(NULL), 0);
        assert_false(a->resize(NULL, 10));
        p = a->change(NULL, 30);
        assert_non_null(p);
        assert_int_equal(a->give_sized(p, 30), VMM_MISUSE_NONE);
        p = a->aligned(64, 0);
        assert_non_null(p);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        assert_int_equal(live_blocks(a), 0);
        assert_int_equal(host.misuses, 0);
    }
}

static void alignments_are_kept_and_wrong_ones_refused(void **unused)
{
    static const size_t wrong[] = {0, 3, 6, 24, 48, 4095, SIZE_MAX, SIZE_MAX / 2};
    const heap_api_t *a;
    size_t kind, align, bytes, i;
    (void)unused;
    FOR_EACH(a)
    {
        heap_start(a, 524288);
        for (align = 1; align <= 65536; align *= 2)
            for (bytes = 1; bytes <= 10000; bytes *= 10) {
                uint8_t *p = (uint8_t *)a->aligned(align, bytes), *q = (uint8_t *)a->alloc(bytes);
                assert_true(p && q);
                assert_int_equal((uintptr_t)p & (align - 1), 0);
                assert_int_equal((uintptr_t)p & (HEAP_ALIGN - 1), 0);
                assert_int_equal((uintptr_t)q & (HEAP_ALIGN - 1), 0);
                heap_fill(p, bytes, 3);
                heap_fill(q, bytes, 4);
                assert_true(a->check());
                assert_true(heap_is(p, bytes, 3));
                assert_int_equal(a->give_sized(p, bytes), VMM_MISUSE_NONE);
                assert_int_equal(a->give(q), VMM_MISUSE_NONE);
            }
        for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            const unsigned before = host.misuses;
            assert_null(a->aligned(wrong[i], 100));
            assert_int_equal(host.misuses, before + 1);
            assert_int_equal(host.reason, VMM_MISUSE_ALIGN);
        }
        assert_null(a->aligned(SIZE_MAX / 2 + 1, 1));
        assert_null(a->aligned(SIZE_MAX / 4 + 1, 1));
        assert_true(a->check());
    }
}

/* ---- frees of every wrong kind ---- */
static uint64_t somewhere[64];

/* What each level finds: foreign and misaligned pointers, and frees of a free chunk. */
static void every_level_refuses_foreign_and_misaligned_pointers(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        uint64_t local[16];
        uint8_t *small, *medium, *between, *host_block = (uint8_t *)malloc(5000);
        bounded_t other;
        vmm_heap_options_t o;
        memset(local, 0, sizeof local);
        memset(&o, 0, sizeof o);
        o.arena = host_block;
        o.bytes = 5000;
        assert_int_equal(bounded_init(&other, &o), VMM_OK);
        heap_start(a, 65536);
        small = (uint8_t *)a->alloc(48);
        medium = (uint8_t *)a->alloc(MEDIUM);
        between = (uint8_t *)a->alloc(MEDIUM);
        assert_true(small && medium && between && a->alloc(MEDIUM));
        memset(small, 0, 48);
        memset(medium, 0, MEDIUM);
        memset(between, 0, MEDIUM);
        assert_int_equal(refused_free(a, local + 4), VMM_MISUSE_FOREIGN);
        assert_int_equal(refused_free(a, somewhere + 8), VMM_MISUSE_FOREIGN);
        assert_int_equal(refused_free(a, bounded_malloc(&other, 100)), VMM_MISUSE_FOREIGN);
        assert_int_equal(refused_free(a, small + 1), VMM_MISUSE_INTERIOR);
        assert_int_equal(refused_free(a, small + 4), VMM_MISUSE_INTERIOR);
        assert_int_equal(refused_free(a, medium + 1), VMM_MISUSE_INTERIOR);
        assert_int_equal(refused_free(a, medium + 4), VMM_MISUSE_INTERIOR);
        refused_free(a, medium + 64); /* zeroes are no header */
        assert_int_equal(a->give(between), VMM_MISUSE_NONE);
        assert_int_equal(refused_free(a, between), VMM_MISUSE_DOUBLE_FREE);
        assert_int_equal(a->give(medium), VMM_MISUSE_NONE); /* merges with the one behind */
        assert_int_equal(refused_free(a, medium), VMM_MISUSE_DOUBLE_FREE);
        assert_int_equal(a->give(small), VMM_MISUSE_NONE);
        assert_int_equal(live_blocks(a), 1);
        free(host_block);
    }
}

static void from_level_1_on_every_wrong_free_is_refused(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *small, *twin, *medium, *middle;
        if (a->kind->level < 1) continue;
        heap_start(a, 65536);
        small = (uint8_t *)a->alloc(48);
        twin = (uint8_t *)a->alloc(48);
        medium = (uint8_t *)a->alloc(MEDIUM);
        middle = (uint8_t *)a->alloc(MEDIUM);
        assert_true(small && twin && medium && middle && a->alloc(MEDIUM));
        /* words that look like headers of small chunks in use, all over */
        for (i = 0; i < MEDIUM / sizeof(size_t); i++) ((size_t *)(void *)medium)[i] = 32 | 3;
        for (i = 16; i < MEDIUM; i += 16) refused_free(a, medium + i);
        if (a->kind->page) {
            assert_int_equal(refused_free(a, small + 16), VMM_MISUSE_INTERIOR);
            assert_int_equal(refused_free(a, small + 32), VMM_MISUSE_INTERIOR);
            /* the front of the slab, and its end */
            /* and everything else in that page: objects that are free, the slab's front or its end */
            uint8_t *const page = small - (uintptr_t)small % 512;
            for (i = 0; i < 512; i += 16)
                if (page + i != small && page + i != twin) refused_free(a, page + i);
        }
        assert_int_equal(a->give(small), VMM_MISUSE_NONE);
        assert_int_equal(refused_free(a, small), VMM_MISUSE_DOUBLE_FREE);
        assert_int_equal(a->give(twin), VMM_MISUSE_NONE); /* its slab goes back */
        refused_free(a, twin);
        refused_free(a, small);
        assert_int_equal(a->give(middle), VMM_MISUSE_NONE);
        refused_free(a, middle);
        assert_int_equal(a->give(medium), VMM_MISUSE_NONE);
        refused_free(a, medium);
        refused_free(a, middle); /* inside a free chunk now */
        medium = (uint8_t *)a->alloc(2 * MEDIUM);
        assert_non_null(medium);
        if (medium + 1 != middle) refused_free(a, middle); /* and inside a live one */
        assert_int_equal(live_blocks(a), 2);
    }
}

static void frees_of_blocks_that_are_unmapped_are_refused(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *p;
        if (!heap_has(a, VMM_HEAP_MAPS) || a->kind->level < 1) continue;
        heap_start(a, 0);
        p = (uint8_t *)a->alloc(300000);
        assert_true(p && host.maps == 1);
        assert_int_not_equal(refused_free(a, p + 16), VMM_MISUSE_NONE);
        assert_int_not_equal(refused_free(a, p + 4096), VMM_MISUSE_NONE);
        assert_int_not_equal(refused_free(a, p + 1), VMM_MISUSE_NONE);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        if (a->kind->level == 3) assert_int_equal(refused_free(a, p), VMM_MISUSE_DOUBLE_FREE);
        for (i = 0; a->kind->level == 3 && i <= VMM_HEAP_QUARANTINE; i++) a->give(a->alloc(1));
        assert_int_equal(host.mapped, 0);
        refused_free(a, p);
        refused_free(a, (void *)(uintptr_t)32);
    }
}

/* ---- overruns, stray writes ---- */
static void from_level_2_on_an_overrun_by_one_byte_is_found_at_every_size(void **unused)
{
    const heap_api_t *a;
    size_t kind, n;
    (void)unused;
    FOR_EACH(a)
    {
        if (a->kind->level < 2) continue;
        heap_start(a, 65536);
        assert_non_null(a->alloc(16)); /* keeps a slab */
        for (n = 0; n < 5000; n += n < 70 ? 1 : n / 9) {
            uint8_t *p = (uint8_t *)a->alloc(n);
            assert_non_null(p);
            assert_int_equal(a->usable(p), n);
            memset(p, 0x31, n);
            p[n] ^= 0x10;
            assert_int_equal(a->give(p), VMM_MISUSE_OVERRUN);
            assert_ptr_equal(host.where, p);
            assert_int_equal(a->give_sized(p, n), VMM_MISUSE_OVERRUN);
            assert_null(a->change(p, n + 1));
            p[n] ^= 0x10;
            p = (uint8_t *)a->change(p, n + 1); /* the guard moves along */
            assert_true(p && heap_is_all(p, n, 0x31));
            p[n + 1] ^= 1;
            assert_int_equal(a->give(p), VMM_MISUSE_OVERRUN);
            p[n + 1] ^= 1;
            assert_int_equal(a->give(p), VMM_MISUSE_NONE);
            assert_true(a->check());
        }
        if (heap_has(a, VMM_HEAP_MAPS)) {
            uint8_t *p = (uint8_t *)a->alloc(200001);
            assert_true(p && host.maps == 1);
            p[200001] ^= 1;
            assert_int_equal(a->give(p), VMM_MISUSE_OVERRUN);
            p[200001] ^= 1;
            assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        }
    }
}

static void at_level_1_the_word_behind_a_chunk_is_sealed(void **unused)
{
    size_t n;
    (void)unused;
    heap_start(&safe_api, 0);
    for (n = 2100; n < 2200; n += 8) {
        uint8_t *p = (uint8_t *)safe_api.alloc(n), *q = (uint8_t *)safe_api.alloc(n);
        size_t *end = (size_t *)(void *)(p + safe_api.usable(p));
        assert_true(p && q);
        ++*end;
        assert_int_equal(safe_api.give(p), VMM_MISUSE_OVERRUN);
        assert_ptr_equal(host.where, p);
        assert_false(safe_api.check());
        --*end;
        assert_int_equal(safe_api.give(p), VMM_MISUSE_NONE);
        assert_int_equal(safe_api.give(q), VMM_MISUSE_NONE);
        assert_true(safe_api.check());
    }
}

static void from_level_1_on_a_header_that_was_overwritten_is_found(void **unused)
{
    static const size_t garbage[] = {0, SIZE_MAX, 3, 32 | 3, 4096 | 3, 0x4141, SIZE_MAX / 2, SIZE_MAX - 7};
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        if (a->kind->level < 1 || a->kind->reach == VMM_OUTSIDE) continue;
        heap_start(a, 65536);
        for (i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
            size_t *p = (size_t *)a->alloc(MEDIUM), word;
            assert_true(p && a->alloc(MEDIUM) != NULL);
            word = p[-1];
            p[-1] = garbage[i];
            host.misuses = 0;
            assert_int_not_equal(a->give(p), VMM_MISUSE_NONE);
            assert_int_equal(host.misuses, 1);
            assert_ptr_equal(host.where, p);
            assert_null(a->change(p, 5000));
            assert_false(a->check());
            p[-1] = word;
            assert_true(a->check());
            assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        }
    }
}

/* One word of a free chunk is overwritten; whatever is called then, nothing outside is touched. */
static void stray_write(const heap_api_t *a, unsigned word, size_t garbage, unsigned call)
{
    size_t *before, *hole, *behind, *other;
    bool told;
    heap_start(a, 65536);
    other = (size_t *)a->alloc(2200);
    assert_true(other && a->alloc(8));
    before = (size_t *)a->alloc(MEDIUM);
    hole = (size_t *)a->alloc(2100);
    behind = (size_t *)a->alloc(MEDIUM);
    assert_true(before && hole && behind && a->alloc(MEDIUM));
    memset(before, 0, MEDIUM);
    assert_int_equal(a->give(other), VMM_MISUSE_NONE);
    assert_int_equal(a->give(hole), VMM_MISUSE_NONE);
    assert_true(a->check());
    if (word == 3) behind[-2] = garbage; /* the size at its end */
    else if (word == 0) hole[-1] = garbage & ~(size_t)1;
    else hole[word - 1] = garbage;
    assert_false(a->check());
    host.misuses = 0;
    switch (call) {
    case 0: (void)a->alloc(2100); break;
    case 1: (void)a->alloc(2190); break;
    case 2: (void)a->give(before); break;
    case 3: (void)a->give(behind); break;
    case 4: (void)a->change(before, 4000); break;
    case 5: (void)a->change(before, (size_t)1 << 29); break;
    case 6: (void)a->aligned(512, 1800); break;
    default: (void)a->change(behind, 100); break;
    }
    told = host.misuses != 0;
    if (told) assert_true(host.reason == VMM_MISUSE_CORRUPTED || host.reason == VMM_MISUSE_DOUBLE_FREE);
    if ((call == 0 && word != 3) || (call == 2 && word == 0)) assert_true(told);
    if (call == 3 && word == 3) assert_true(told);
}
static void at_level_2_stray_writes_into_free_chunks_do_no_harm(void **unused)
{
    static const size_t garbage[] = {
        0, SIZE_MAX / 3, 0x40, (size_t)1 << 29 | 2, SIZE_MAX & ~(size_t)15, 4096, 0x4141, SIZE_MAX / 2 & ~(size_t)15};
    unsigned word, call;
    size_t i;
    (void)unused;
    for (word = 0; word < 4; word++)
        for (call = 0; call < 8; call++)
            for (i = 0; i < sizeof garbage / sizeof garbage[0]; i++) stray_write(&eleven_api, word, garbage[i], call);
}

static void at_level_3_a_write_after_free_is_found_when_the_block_leaves_the_quarantine(void **unused)
{
    static const size_t size[] = {1, 40, 700, 5000, 200000};
    const heap_api_t *a = &hard_api;
    size_t i, j;
    (void)unused;
    for (i = 0; i < sizeof size / sizeof size[0]; i++) {
        uint8_t *p;
        heap_start(a, 0);
        p = (uint8_t *)a->alloc(size[i]);
        assert_non_null(p);
        memset(p, 0x77, size[i]);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        assert_true(heap_is_all(p, size[i], 0)); /* zeroed, and nobody else's yet */
        assert_int_equal(live_blocks(a), 0);
        p[size[i] - 1] = 1;
        for (j = 0; j < VMM_HEAP_QUARANTINE - 1; j++) {
            void *q = a->alloc(size[i]);
            assert_true(q && q != p);
            assert_int_equal(a->give(q), VMM_MISUSE_NONE);
            assert_int_equal(host.misuses, 0);
        }
        a->give(a->alloc(1));
        assert_int_equal(host.misuses, 1);
        assert_int_equal(host.reason, VMM_MISUSE_USED_AFTER_FREE);
        assert_ptr_equal(host.where, p);
        assert_true(a->check());
        assert_int_equal(heap_stats(a)->blocks, 0);
    }
}

/* ---- realloc, calloc ---- */
static void realloc_shrinks_and_grows_in_place_where_it_can(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *p, *q, *end;
        size_t free_bytes;
        heap_start(a, 65536);
        p = (uint8_t *)a->alloc(MEDIUM);
        q = (uint8_t *)a->alloc(MEDIUM);
        end = (uint8_t *)a->alloc(MEDIUM);
        assert_true(p && q && end);
        heap_fill(p, MEDIUM, 9);
        assert_false(a->resize(p, 5000)); /* no room */
        assert_int_equal(a->give(q), VMM_MISUSE_NONE);
        if (a->kind->level == 3) continue; /* it is in the quarantine */
        free_bytes = a->core->free_bytes;
        assert_true(a->resize(p, 5000)); /* into the hole */
        assert_true(a->core->free_bytes < free_bytes);
        assert_true(heap_is(p, MEDIUM, 9));
        heap_fill(p, 5000, 10);
        assert_ptr_equal(a->change(p, 2000), p);
        assert_true(a->core->free_bytes > free_bytes);
        assert_ptr_equal(a->change(p, 2000), p);
        assert_true(heap_is(p, 2000, 10));
        assert_ptr_equal(a->change(p, 4000), p);
        assert_true(a->check());
        q = (uint8_t *)a->change(p, 9000); /* has to move */
        assert_true(q && q != p && heap_is(q, 2000, 10));
        assert_true(a->check());
        assert_int_equal(a->give_sized(q, 9000), VMM_MISUSE_NONE);
        assert_int_equal(a->give_sized(end, MEDIUM), VMM_MISUSE_NONE);
    }
}

static void realloc_of_the_last_block_grows_the_heap_under_it(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *p;
        if (!heap_has(a, VMM_HEAP_GROWS)) continue;
        heap_start(a, 0);
        a->mallopt(VMM_M_MMAP_THRESHOLD, SIZE_MAX);
        p = (uint8_t *)a->alloc(100000);
        assert_non_null(p);
        heap_fill(p, 100000, 3);
        assert_ptr_equal(a->change(p, 900000), p);
        assert_true(host.grows >= 2);
        assert_true(heap_is(p, 100000, 3));
        host.fails = true;
        assert_null(a->change(p, 3000000)); /* the block stays */
        assert_true(heap_is(p, 100000, 3));
        host.fails = false;
        assert_true(a->check());
        assert_int_equal(a->give_sized(p, 900000), VMM_MISUSE_NONE);
    }
}

static void realloc_of_a_mapped_block_remaps(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *p, *q;
        if (!heap_has(a, VMM_HEAP_MAPS)) continue;
        heap_start(a, 0);
        p = (uint8_t *)a->alloc(200000);
        assert_true(p && host.maps == 1);
        heap_fill(p, 200000, 3);
        p = (uint8_t *)a->change(p, 2000000);
        assert_true(p && host.remaps == 1 && host.maps == 1 && heap_is(p, 200000, 3));
        assert_true(a->usable(p) >= 2000000);
        host.fails = true;
        assert_null(a->change(p, 4000000));
        assert_true(heap_is(p, 200000, 3));
        host.fails = false;
        assert_true(a->check());
        p = (uint8_t *)a->change(p, 150000);
        assert_true(p && host.remaps == 2 && heap_is(p, 150000, 3));
        q = (uint8_t *)a->change(p, 5000); /* below the threshold: into the heap */
        assert_true(q && heap_is(q, 5000, 3));
        assert_true(a->check());
        if (a->kind->level < 3) assert_int_equal(host.mapped, 0);
        assert_int_equal(a->give_sized(q, 5000), VMM_MISUSE_NONE);
    }
}

static void a_block_that_realloc_left_in_place_is_freed_by_its_new_size(void **unused)
{
    const heap_api_t *a;
    size_t kind, n, m;
    (void)unused;
    FOR_EACH(a)
    {
        heap_start(a, 524288);
        for (n = 1; n < 1300; n += 1 + n / 5)
            for (m = 1; m < 1300; m += 1 + m / 4) {
                void *p = a->alloc(n);
                assert_non_null(p);
                p = a->change(p, m);
                assert_non_null(p);
                assert_int_equal(a->give_sized(p, m), VMM_MISUSE_NONE);
            }
    }
}

static void free_sized_refuses_sizes_that_cannot_be(void **unused)
{
    const heap_api_t *a;
    size_t kind, n;
    (void)unused;
    FOR_EACH(a)
    {
        heap_start(a, 65536);
        for (n = 1; n < 9000; n = n * 3 + 1) {
            void *p = a->alloc(n);
            assert_non_null(p);
            host.misuses = 0;
            assert_int_equal(a->give_sized(p, a->usable(p) + 1), VMM_MISUSE_SIZE);
            assert_ptr_equal(host.where, p);
            assert_int_equal(a->give_sized(p, SIZE_MAX), VMM_MISUSE_SIZE);
            assert_int_equal(a->give_sized(p, 20000), VMM_MISUSE_SIZE);
            assert_int_equal(host.misuses, 3);
            if (a->kind->level >= 2 || heap_has(a, VMM_HEAP_TAGS))
                assert_int_equal(a->give_sized(p, n - 1), VMM_MISUSE_SIZE);
            assert_int_equal(a->give_sized(p, n), VMM_MISUSE_NONE);
        }
    }
}

static void calloc_gives_zeroes_where_others_wrote(void **unused)
{
    static const size_t size[] = {1, 17, 100, 128, 600, 1025, 4000, 12000, 40000};
    const heap_api_t *a;
    size_t kind, i, round;
    (void)unused;
    FOR_EACH(a)
    {
        heap_start(a, 262144);
        for (round = 0; round < 3; round++)
            for (i = 0; i < sizeof size / sizeof size[0]; i++) {
                uint8_t *p = (uint8_t *)a->alloc(size[i]), *q;
                assert_non_null(p);
                memset(p, 0xff, size[i]);
                assert_int_equal(a->give(p), VMM_MISUSE_NONE);
                p = (uint8_t *)a->zeroed(1, size[i]);
                q = (uint8_t *)a->zeroed(size[i], 1);
                assert_true(p && q && heap_is_all(p, size[i], 0) && heap_is_all(q, size[i], 0));
                memset(p, 0xff, size[i]);
                memset(q, 0xff, size[i]);
                a->give(p);
                a->give(q);
            }
        if (!heap_has(a, VMM_HEAP_MAPS)) continue;
        {
            uint8_t *p = (uint8_t *)a->zeroed(1000, 300);
            assert_true(p && host.maps >= 1 && heap_is_all(p, 300000, 0));
            host.fails = true; /* then from what there is */
            assert_int_equal(a->give(a->zeroed(500, 300)), VMM_MISUSE_NONE);
            host.fails = false;
        }
    }
}

static void all_of_a_fixed_arena_serves_again_when_all_is_freed(void **unused)
{
    const heap_api_t *a;
    size_t kind, n;
    (void)unused;
    FOR_EACH(a)
    {
        void *p;
        if (heap_has(a, VMM_HEAP_GROWS)) continue;
        heap_start(a, 65536);
        for (n = 1; n < 2000; n += 11) {
            p = a->alloc(n);
            assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        }
        p = a->alloc(60000);
        assert_non_null(p);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    }
}

/* ---- thresholds, trimming, hooks ---- */
static void mallopt_knows_the_names_of_mallopt_3(void **unused)
{
    const heap_api_t *a = &fast_api;
    void *p;
    (void)unused;
    heap_start(a, 0);
    assert_int_equal(a->core->mmap_threshold, 128 * 1024);
    assert_int_equal(a->core->trim_threshold, 128 * 1024);
    assert_int_equal(a->core->top_pad, 128 * 1024);
    assert_int_equal(a->mallopt(0, 1), VMM_E_ARGUMENT);
    assert_int_equal(a->mallopt(-4, 1), VMM_E_ARGUMENT);
    assert_int_equal(a->mallopt(1, 1), VMM_E_ARGUMENT);
    assert_true(a->core->adapts);
    assert_int_equal(a->mallopt(VMM_M_MMAP_THRESHOLD, 5000), VMM_OK);
    p = a->alloc(5000);
    assert_true(p && host.maps == 1);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    assert_int_equal(a->core->mmap_threshold, 5000); /* once set, it stays */
    p = a->alloc(4999);
    assert_true(p && host.maps == 1);
    assert_int_equal(a->mallopt(VMM_M_MMAP_THRESHOLD, SIZE_MAX), VMM_OK);
    assert_true(a->alloc(200000) && host.maps == 1);
    /* any pad: what is needed is asked for at least */
    assert_int_equal(a->mallopt(VMM_M_TOP_PAD, SIZE_MAX), VMM_OK);
    assert_non_null(a->alloc(300000));
    assert_int_equal(a->mallopt(VMM_M_TOP_PAD, SIZE_MAX - 200000), VMM_OK);
    assert_non_null(a->alloc(300000));
    assert_non_null(a->alloc(300000));
    assert_int_equal(a->mallopt(VMM_M_TOP_PAD, SIZE_MAX / 4), VMM_OK);
    assert_non_null(a->alloc(300000));
    assert_true(host.at < (2u << 20));
    assert_true(a->check());
}

static void the_mmap_threshold_follows_what_is_freed_as_mallopt_3_says(void **unused)
{
    const heap_api_t *a = &fast_api;
    void *p;
    size_t threshold;
    (void)unused;
    heap_start(a, 0);
    p = a->alloc(128 * 1024);
    assert_true(p && host.maps == 1);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    threshold = a->core->mmap_threshold;
    assert_true(threshold >= 128 * 1024 && threshold <= 136 * 1024);
    p = a->alloc(200000);
    assert_true(p && host.maps == 2);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    threshold = a->core->mmap_threshold;
    assert_true(threshold >= 200000 && threshold <= 200000 + 8192);
    assert_int_equal(a->core->trim_threshold, 2 * threshold);
    p = a->alloc(180000);
    assert_true(p && host.maps == 2); /* from the heap now */
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    p = a->alloc(400000);
    assert_true(p && host.maps == 3);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    threshold = a->core->mmap_threshold;
    p = a->alloc((size_t)40 << 20); /* above the most that it goes to */
    assert_true(p && host.maps == 4);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    assert_int_equal(a->core->mmap_threshold, threshold);
    assert_int_equal(host.mapped, 0);
    assert_int_equal(a->mallopt(VMM_M_TRIM_THRESHOLD, 70000), VMM_OK); /* setting any ends it */
    p = a->alloc(600000);
    assert_true(p && host.maps == 5);
    assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    assert_int_equal(a->core->mmap_threshold, threshold);
    assert_int_equal(a->core->trim_threshold, 70000);
}

static void a_free_end_longer_than_the_trim_threshold_goes_back(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        void *p[40];
        size_t high;
        if (!heap_has(a, VMM_HEAP_GROWS) || a->kind->level == 3) continue;
        heap_start(a, 0);
        a->mallopt(VMM_M_TRIM_THRESHOLD, 65536);
        a->mallopt(VMM_M_TOP_PAD, 8192);
        for (i = 0; i < 40; i++) assert_non_null(p[i] = a->alloc(20000));
        high = host.at;
        assert_true(high >= 40 * 20000);
        for (i = 40; i-- > 1;) {
            assert_int_equal(a->give(p[i]), VMM_MISUSE_NONE);
            assert_true(host.at <= high - (39 - i) * 20000 + 65536 + 8192 + 4096);
            assert_true(a->check());
        }
        assert_true(host.shrinks >= 5 && host.shrinks < 39);
        assert_true(a->trim(0) <= 65536 + 12288);
        assert_true(host.at <= 20000 + 8192);
        assert_int_equal(a->core->footprint, host.at);
        assert_true(a->core->footprint_most >= high);
        assert_int_equal(a->trim(0), 0);
        host.fails = true;
        assert_int_equal(a->give(p[0]), VMM_MISUSE_NONE);
        assert_int_equal(a->trim(0), 0);
        assert_true(a->check());
        host.fails = false;
        assert_true(a->trim(0) > 0);
        assert_int_equal(host.at, 4096);
        /* keep: so many bytes stay free */
        a->mallopt(VMM_M_TRIM_THRESHOLD, SIZE_MAX);
        a->give(a->alloc(100000));
        a->trim(50000);
        assert_true(a->core->free_bytes >= 50000 && host.at <= 50000 + 8192);
        a->trim(SIZE_MAX);
        assert_true(a->core->free_bytes >= 50000);
    }
}

static void trim_gives_nothing_back_that_grow_did_not_give(void **unused)
{
    vmm_heap_options_t o;
    uint8_t *behind;
    void *p;
    (void)unused;
    /* an arena first, and grow right behind it */
    host_reset();
    o = heap_options(&tagged_api, 0);
    assert_int_equal(host_grow(&host, 65536, &o.arena), 0);
    o.bytes = 65536;
    o.window = 0;
    o.page_map = NULL;
    assert_int_equal(tagged_api.init(&o), VMM_OK);
    p = tagged_api.alloc(200000);
    assert_non_null(p);
    assert_int_equal(tagged_api.give(p), VMM_MISUSE_NONE);
    tagged_api.trim(0);
    assert_true(host.at >= 65536 && host.at <= 65536 + 4096);
    assert_true(tagged_api.check());
    /* grow first, and the caller's memory right behind that */
    heap_start(&tagged_api, 0);
    behind = host.area + host.at;
    assert_non_null(tagged_api.alloc(100000));
    assert_int_equal(host_grow(&host, 65536, &o.arena), 0);
    assert_int_equal(tagged_api.add(behind, 65536), VMM_OK);
    assert_int_equal(tagged_api.trim(0), 0);
    assert_int_equal(host.shrinks, 0);
    assert_true(tagged_api.check());
}

static void without_its_hooks_a_kind_serves_what_it_can(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        vmm_heap_options_t o;
        void *p;
        if (!heap_has(a, VMM_HEAP_GROWS)) continue;
        host_reset();
        o = heap_options(a, 0);
        memset(&o.hooks, 0, sizeof o.hooks);
        o.window = 0;
        o.page_map = NULL;
        o.arena = &heap_arena;
        o.bytes = HEAP_ARENA;
        assert_int_equal(a->init(&o), VMM_OK);
        p = a->alloc(300000);
        assert_non_null(p);
        p = a->change(p, 600000);
        assert_non_null(p);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        assert_null(a->alloc(2 * HEAP_ARENA));
        assert_int_equal(a->give(&o), VMM_MISUSE_FOREIGN); /* there is no hook to tell */
        assert_true(a->check());
        a->trim(0);
    }
}

static void an_unmap_that_refuses_leaves_walk_and_counters_agreeing(void **unused)
{
    vmm_heap_report_t r;
    void *p;
    (void)unused;
    heap_start(&safe_api, 0);
    p = safe_api.alloc(200000);
    assert_true(p && host.maps == 1);
    host.fails = true;
    (void)safe_api.give(p);
    host.fails = false;
    assert_true(safe_api.check());
    assert_int_equal(safe_api.report(&r), VMM_OK);
    assert_int_equal(r.live_blocks, heap_stats(&safe_api)->blocks);
    (void)safe_api.give(p);
    assert_int_equal(safe_api.report(&r), VMM_OK);
    assert_int_equal(r.live_blocks, heap_stats(&safe_api)->blocks);
    assert_true(heap_stats(&safe_api)->bytes < 400000);
    assert_true(safe_api.check());
}

static void slabs_lie_in_the_window_and_small_blocks_anywhere(void **unused)
{
    vmm_heap_options_t o;
    uint8_t *p;
    size_t i, outside = 0;
    (void)unused;
    host_reset();
    memset(heap_page_map, 0, sizeof heap_page_map);
    o = host_options();
    o.page_map = heap_page_map;
    o.window = 262144;
    assert_int_equal(safe_api.init(&o), VMM_OK);
    for (i = 0; i < 6000; i++) {
        p = (uint8_t *)safe_api.alloc(100);
        assert_non_null(p);
        memset(p, 0x11, 100);
        outside += p >= host.area + 262144;
    }
    assert_true(outside > 1000);
    assert_true(safe_api.check());
    for (i = 0; i < VMM_HEAP_MAP_BYTES((size_t)262144, 12); i++) /* nothing behind the map was marked */
        assert_true(heap_page_map[i] <= VMM_SMALL_CLASSES);
    assert_true(heap_is_all(heap_page_map + i, 1000, 0));
    assert_int_equal(live_blocks(&safe_api), 6000);
}

/* ---- walks ---- */
static const heap_api_t *walked;
static int try_everything(void *user, const vmm_live_t *live)
{
    vmm_heap_report_t r;
    size_t seen = 0;
    const unsigned before = host.misuses;
    (void)user;
    assert_null(walked->alloc(16));
    assert_null(walked->alloc(MEDIUM));
    assert_int_equal(host.reason, VMM_MISUSE_WALKING);
    assert_null(walked->zeroed(1, 16));
    assert_null(walked->aligned(64, 16));
    assert_null(walked->change(NULL, 16));
    assert_null(walked->change(live->at, 64));
    assert_null(walked->change(live->at, 0));
    assert_false(walked->resize(live->at, 20));
    assert_int_equal(walked->give(live->at), VMM_MISUSE_WALKING);
    assert_int_equal(walked->give_sized(live->at, 16), VMM_MISUSE_WALKING);
    assert_int_equal(host.misuses, before + 10);
    assert_int_equal(walked->walk(count_live, &seen), VMM_E_BUSY);
    assert_int_equal(walked->report(&r), VMM_E_BUSY);
    assert_int_equal(walked->add(heap_arena.byte + 700000, 4096), VMM_E_BUSY);
    assert_int_equal(walked->trim(0), 0);
    assert_int_equal(seen, 0);
    return 0;
}
static int stop_at_once(void *user, const vmm_live_t *live)
{
    (void)live;
    ++*(size_t *)user;
    return 7;
}
static void a_walk_allows_nothing_and_can_be_stopped(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        size_t seen = 0;
        void *p, *q;
        if (heap_has(a, VMM_HEAP_LOCKS)) continue; /* such a lock cannot be taken twice */
        walked = a;
        heap_start(a, 65536);
        assert_int_equal(a->walk(try_everything, NULL), VMM_OK);
        p = a->alloc(16);
        q = a->alloc(MEDIUM);
        assert_true(p && q);
        assert_int_equal(a->walk(try_everything, NULL), VMM_OK);
        assert_int_equal(a->walk(NULL, NULL), VMM_E_ARGUMENT);
        assert_int_equal(a->walk(stop_at_once, &seen), VMM_E_STOPPED);
        assert_int_equal(seen, 1);
        assert_int_equal(live_blocks(a), 2);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        assert_int_equal(a->give(q), VMM_MISUSE_NONE);
        assert_true(a->check());
    }
}

/* ---- statistics, tags, locks ---- */
static void counters_count_what_was_done(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        void *p, *q;
        uint64_t sum = 0;
        const bool exact = a->kind->level >= 2 || heap_has(a, VMM_HEAP_TAGS);
        if (!heap_stats(a)) continue;
        heap_start(a, 65536);
        p = a->alloc(100);
        q = a->zeroed(10, 300);
        assert_true(p && q);
        assert_int_equal(heap_stats(a)->blocks, 2);
        assert_int_equal(heap_stats(a)->bytes, exact ? 3100 : a->usable(p) + a->usable(q));
        p = a->change(p, 5000);
        assert_non_null(p);
        assert_int_equal(heap_stats(a)->bytes, exact ? 8000 : a->usable(p) + a->usable(q));
        assert_null(a->alloc(SIZE_MAX));
        assert_null(a->alloc((size_t)200 << 20));
        assert_null(a->change(p, SIZE_MAX));
        assert_null(a->change(p, (size_t)200 << 20));
        (void)a->give(somewhere);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
        assert_int_equal(a->give(q), VMM_MISUSE_NONE);
        assert_true(heap_stats(a)->allocs == 2 && heap_stats(a)->reallocs == 1 && heap_stats(a)->frees == 2);
        assert_true(heap_stats(a)->failures == 4 && heap_stats(a)->misuses == 3);
        assert_true(heap_stats(a)->blocks == 0 && heap_stats(a)->blocks_most == 2 && heap_stats(a)->bytes == 0);
        assert_true(heap_stats(a)->bytes_most >= 8000);
        assert_true(heap_stats(a)->histogram[6] == 1 && heap_stats(a)->histogram[11] == 1); /* 100 and 3000 */
        for (i = 0; i < 3; i++) a->give(a->alloc(i));                                       /* 0, 1, 2 */
        assert_true(heap_stats(a)->histogram[0] == 2 && heap_stats(a)->histogram[1] == 1);
        for (i = 0; i < 8 * sizeof(size_t); i++) sum += heap_stats(a)->histogram[i];
        assert_true(sum == heap_stats(a)->allocs);
    }
}

static void the_footprint_is_what_was_given(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        vmm_heap_report_t r;
        heap_start(a, 65536);
        assert_int_equal(a->report(&r), VMM_OK);
        assert_int_equal(r.footprint, heap_has(a, VMM_HEAP_GROWS) ? host.at : 65536);
        assert_int_equal(r.footprint_most, r.footprint);
        assert_int_equal(r.free_chunks, 1);
        assert_int_equal(r.largest_free, r.free_bytes);
        assert_true(r.free_bytes <= r.footprint);
        assert_true(r.footprint - r.free_bytes <= 256 + (a->kind->page && !heap_has(a, VMM_HEAP_GROWS)
                                                             ? VMM_HEAP_MAP_BYTES((size_t)65536, a->kind->page)
                                                             : 0));
        assert_int_equal(r.live_blocks + r.live_bytes + r.taken_bytes + r.slab_bytes + r.mapped_bytes, 0);
        assert_int_equal(r.internal + r.external, 0);
    }
}

static int one_site(void *user, const vmm_live_t *live)
{
    *(const void **)user = live->site;
    return 0;
}
static void tags_tell_where_a_block_came_from(void **unused)
{
    const heap_api_t *a;
    size_t kind, n;
    (void)unused;
    FOR_EACH(a)
    for (n = 10; n < 400000; n *= 7) {
        const char *here = VMM_HERE, *there = VMM_HERE;
        const void *site = a;
        void *p;
        heap_start(a, HEAP_ARENA);
        p = a->alloc_at(n, here);
        assert_non_null(p);
        assert_int_equal(a->walk(one_site, &site), VMM_OK);
        assert_ptr_equal(site, heap_has(a, VMM_HEAP_TAGS) ? here : NULL);
        p = a->change_at(p, n + n / 2, there);
        assert_non_null(p);
        assert_int_equal(a->walk(one_site, &site), VMM_OK);
        assert_ptr_equal(site, heap_has(a, VMM_HEAP_TAGS) ? there : NULL);
        assert_int_equal(a->give(p), VMM_MISUSE_NONE);
    }
    assert_non_null(strstr(VMM_HERE, "test_heap.c:"));
}

static void a_lock_is_taken_and_let_go_around_every_call(void **unused)
{
    const heap_api_t *a;
    size_t kind;
    (void)unused;
    FOR_EACH(a)
    {
        const unsigned with = heap_has(a, VMM_HEAP_LOCKS) ? 1 : 0;
        vmm_heap_report_t r;
        unsigned locks;
        void *p;
#define LOCKED(call)                                                                                                   \
    do {                                                                                                               \
        locks = host.locks;                                                                                            \
        call;                                                                                                          \
        assert_int_equal(host.locked, 0);                                                                              \
        assert_true(with ? host.locks > locks : host.locks == 0);                                                      \
    } while (0)
        heap_start(a, 65536);
        LOCKED(p = a->alloc(10));
        LOCKED(p = a->change(p, 200));
        LOCKED((void)a->resize(p, 300));
        LOCKED((void)a->usable(p));
        LOCKED((void)a->give(p));
        LOCKED((void)a->give(somewhere));
        LOCKED(p = a->zeroed(3, 700));
        LOCKED((void)a->give_sized(p, 2100));
        LOCKED(p = a->aligned(64, 64));
        LOCKED((void)a->give(p));
        LOCKED((void)a->alloc(SIZE_MAX));
        LOCKED((void)a->trim(0));
        LOCKED((void)a->mallopt(VMM_M_TOP_PAD, 4096));
        LOCKED((void)a->add(heap_arena.byte + 300000, 8192));
        LOCKED((void)live_blocks(a));
        LOCKED((void)a->report(&r));
    }
}

/* ---- bounds ---- */
/* From reading: malloc looks at two bins, eight chunks each at most, and passes from one word of the map to the next
 * once for each; free finds its region; realloc does both. Where an alignment is asked for, the bins between that of
 * the size and the one that is sure to do, five of them at most, are looked at too. */
#define MALLOC_STEPS (2 * 8 + 2)
#define FREE_STEPS VMM_HEAP_REGIONS
#define REALLOC_STEPS (FREE_STEPS + MALLOC_STEPS)
#define ALIGNED_STEPS (7 * 8 + 7)

static void assert_steps(unsigned long most)
{
    assert_true(steps <= most);
    steps = 0;
}
static void every_call_of_the_bounded_kind_takes_few_steps(void **unused)
{
    const heap_api_t *a = &bounded_api;
    static uint8_t *block[4000];
    const size_t blocks = sizeof block / sizeof block[0];
    uint64_t state = 11;
    size_t i;
    (void)unused;
    heap_start(a, 262144);
    for (i = 1; i < VMM_HEAP_REGIONS; i++)
        assert_int_equal(a->add(heap_arena.byte + 262144 + i * 90000, 65536), VMM_OK);
    memset(block, 0, sizeof block);
    steps = 0;
    for (i = 0; i < 60000; i++) {
        uint8_t **b = &block[helper_random(&state) % blocks];
        const uint64_t r = helper_random(&state);
        const size_t low = (size_t)(r % 5040);
        /* sizes that crowd a few bins, then many, then all at once */
        const size_t n = i < 20000 ? 600 + low % 90 : i < 40000 ? low % 420 : (size_t)1 << low % 12;
        steps = 0;
        if (!*b && r >> 40 & 7) {
            *b = (uint8_t *)a->alloc(n);
            assert_steps(MALLOC_STEPS);
        } else if (!*b) {
            *b = (uint8_t *)a->aligned((size_t)1 << (r >> 32) % 13, n);
            assert_steps(ALIGNED_STEPS);
        } else if (r >> 40 & 1) {
            uint8_t *now = (uint8_t *)a->change(*b, n + 1);
            assert_steps(REALLOC_STEPS);
            if (now) *b = now;
        } else {
            assert_int_equal(a->give(*b), VMM_MISUSE_NONE);
            assert_steps(FREE_STEPS);
            *b = NULL;
        }
        if (i % 1000 == 0) assert_true(a->check());
    }
    for (i = 0; i < blocks; i += 2) /* a comb: every other one free */
        if (block[i]) {
            assert_int_equal(a->give(block[i]), VMM_MISUSE_NONE);
            block[i] = NULL;
        }
    for (i = 1; i < 300000; i = i * 9 / 8 + 1) {
        steps = 0;
        (void)a->alloc(i);
        assert_steps(MALLOC_STEPS);
    }
    (void)a->give(somewhere);
    assert_steps(FREE_STEPS);
    assert_true(a->check());
}

/* ---- snapshots ---- */
static uint8_t arena_copy[HEAP_ARENA + 4096], instance_copy[262144];
static uint64_t side_copy[sizeof heap_side / 8];

static void a_copy_of_instance_and_arena_brings_a_heap_back(void **unused)
{
    const heap_api_t *a;
    size_t kind, i;
    (void)unused;
    FOR_EACH(a)
    {
        uint8_t *p[40], *q;
        uint64_t state = 3;
        if (heap_has(a, VMM_HEAP_GROWS)) continue;
        heap_start(a, 131072);
        for (i = 0; i < 40; i++) {
            const size_t n = (size_t)helper_random(&state) % 2500;
            p[i] = (uint8_t *)a->alloc(n);
            assert_non_null(p[i]);
            heap_fill(p[i], n < 64 ? n : 64, (unsigned)i);
        }
        for (i = 0; i < 40; i += 3) assert_int_equal(a->give(p[i]), VMM_MISUSE_NONE);
        assert_true(a->bytes <= sizeof instance_copy);
        memcpy(instance_copy, a->core, a->bytes);
        memcpy(arena_copy, &heap_arena, 131072);
        memcpy(side_copy, heap_side, sizeof side_copy);
        for (i = 1; i < 40; i++)
            if (i % 3) assert_int_equal(a->give(p[i]), VMM_MISUSE_NONE);
        while ((q = (uint8_t *)a->alloc(700)) != NULL) memset(q, 0x99, 700);
        memcpy(a->core, instance_copy, a->bytes);
        memcpy(&heap_arena, arena_copy, 131072);
        memcpy(heap_side, side_copy, sizeof side_copy);
        assert_true(a->check());
        assert_int_equal(live_blocks(a), 26);
        assert_non_null(a->alloc(500));
        for (i = 1; i < 40; i++)
            if (i % 3) assert_int_equal(a->give(p[i]), VMM_MISUSE_NONE);
        assert_int_equal(live_blocks(a), 1);
        assert_true(a->check());
    }
}

/* Offsets count from core.origin: a heap without slabs can go elsewhere with its arena. */
static void an_arena_of_a_heap_without_slabs_may_be_moved(void **unused)
{
    const heap_api_t *a = &bounded_api;
    uint8_t *p[30], *to = arena_copy;
    size_t i;
    (void)unused;
    heap_start(a, 65536);
    for (i = 0; i < 30; i++) {
        p[i] = (uint8_t *)a->alloc(i * 40 + 30);
        assert_non_null(p[i]);
        heap_fill(p[i], 30, (unsigned)i);
    }
    for (i = 0; i < 30; i += 2) assert_int_equal(a->give(p[i]), VMM_MISUSE_NONE);
    while (((uintptr_t)to ^ (uintptr_t)&heap_arena) & 4095) to++;
    memcpy(to, &heap_arena, 65536);
    memset(&heap_arena, 0x31, 65536);
    a->core->origin += (uintptr_t)to - (uintptr_t)&heap_arena;
    assert_true(a->check());
    for (i = 1; i < 30; i += 2) {
        uint8_t *moved = to + (p[i] - heap_arena.byte);
        assert_true(heap_is(moved, 30, (unsigned)i));
        assert_int_equal(a->give(moved), VMM_MISUSE_NONE);
        assert_true(a->check());
    }
    assert_true(a->alloc(60000) != NULL);
    assert_true(heap_is_all(heap_arena.byte, 65536, 0x31));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(a_grow_that_fails_at_first_is_told),
        cmocka_unit_test(arenas_of_every_size_and_alignment_are_refused_or_work),
        cmocka_unit_test(regions_that_cannot_be_added_are_refused),
        cmocka_unit_test(sizes_near_SIZE_MAX_fail_cleanly),
        cmocka_unit_test(zero_sizes_and_null_pointers_are_what_the_C_standard_says),
        cmocka_unit_test(alignments_are_kept_and_wrong_ones_refused),
        cmocka_unit_test(every_level_refuses_foreign_and_misaligned_pointers),
        cmocka_unit_test(from_level_1_on_every_wrong_free_is_refused),
        cmocka_unit_test(frees_of_blocks_that_are_unmapped_are_refused),
        cmocka_unit_test(from_level_2_on_an_overrun_by_one_byte_is_found_at_every_size),
        cmocka_unit_test(at_level_1_the_word_behind_a_chunk_is_sealed),
        cmocka_unit_test(from_level_1_on_a_header_that_was_overwritten_is_found),
        cmocka_unit_test(at_level_2_stray_writes_into_free_chunks_do_no_harm),
        cmocka_unit_test(at_level_3_a_write_after_free_is_found_when_the_block_leaves_the_quarantine),
        cmocka_unit_test(realloc_shrinks_and_grows_in_place_where_it_can),
        cmocka_unit_test(realloc_of_the_last_block_grows_the_heap_under_it),
        cmocka_unit_test(realloc_of_a_mapped_block_remaps),
        cmocka_unit_test(a_block_that_realloc_left_in_place_is_freed_by_its_new_size),
        cmocka_unit_test(free_sized_refuses_sizes_that_cannot_be),
        cmocka_unit_test(calloc_gives_zeroes_where_others_wrote),
        cmocka_unit_test(all_of_a_fixed_arena_serves_again_when_all_is_freed),
        cmocka_unit_test(mallopt_knows_the_names_of_mallopt_3),
        cmocka_unit_test(the_mmap_threshold_follows_what_is_freed_as_mallopt_3_says),
        cmocka_unit_test(a_free_end_longer_than_the_trim_threshold_goes_back),
        cmocka_unit_test(trim_gives_nothing_back_that_grow_did_not_give),
        cmocka_unit_test(without_its_hooks_a_kind_serves_what_it_can),
        cmocka_unit_test(an_unmap_that_refuses_leaves_walk_and_counters_agreeing),
        cmocka_unit_test(slabs_lie_in_the_window_and_small_blocks_anywhere),
        cmocka_unit_test(a_walk_allows_nothing_and_can_be_stopped),
        cmocka_unit_test(counters_count_what_was_done),
        cmocka_unit_test(the_footprint_is_what_was_given),
        cmocka_unit_test(tags_tell_where_a_block_came_from),
        cmocka_unit_test(a_lock_is_taken_and_let_go_around_every_call),
        cmocka_unit_test(every_call_of_the_bounded_kind_takes_few_steps),
        cmocka_unit_test(a_copy_of_instance_and_arena_brings_a_heap_back),
        cmocka_unit_test(an_arena_of_a_heap_without_slabs_may_be_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
