/* vmm_alloc.h, section 2: slab caches and magazines, against a plain list of who has which object. */
#define VMM_MAGAZINE_ITEMS 125 /* so that magazines run over soon */
#include "helper.h"

static unsigned long steps;
#define VMM_ALLOC_STEP() ((void)steps++)
#include "vmm_alloc.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define MOST 4096
#define BITS (8 * sizeof(size_t))
#define ALL_FLAGS (VMM_CACHE_POISON | VMM_CACHE_REDZONE | VMM_CACHE_OWNER | VMM_CACHE_SCRAMBLE)

/* Where slabs come from: one host allocation each, so that the address sanitizer sees every access
 * outside of a slab and after its end. */
static struct {
    unsigned long takes, gives;
    long budget; /* how many more may be taken; -1: as many as there are */
    size_t skew; /* added to each address: misaligned memory */
} source;

static void *take(void *user, size_t bytes)
{
    uint8_t *pages;
    assert_ptr_equal(user, &source);
    if (source.budget == 0) return NULL;
    if (source.budget > 0) source.budget--;
    pages = (uint8_t *)aligned_alloc(bytes, source.skew ? 2 * bytes : bytes);
    assert_non_null(pages);
    memset(pages, 0xa5, bytes);
    source.takes++;
    return pages + source.skew;
}

static void give(void *user, void *pages, size_t bytes)
{
    assert_ptr_equal(user, &source);
    assert_int_equal(((uintptr_t)pages - source.skew) & (bytes - 1), 0);
    free((uint8_t *)pages - source.skew);
    source.gives++;
}

static const vmm_pages_t pages_of_source = {take, give, &source, NULL, 0};

/* What the hooks saw. */
static struct {
    long constructed, destroyed; /* calls, refused ones left out */
    long refuse;                 /* how many constructors more until one refuses; -1: none does */
    unsigned misuses;
    vmm_misuse_t reason; /* the last */
    const void *object;  /* the last */
    int held;            /* the lock: 0 or 1 */
    unsigned long locked;
    size_t bytes; /* of an object */
} seen;

static int construct(void *user, void *object)
{
    assert_ptr_equal(user, &seen);
    memset(object, 0x11, seen.bytes); /* even one that refuses has written */
    if (seen.refuse == 0) {
        seen.refuse = -1;
        return 7;
    }
    if (seen.refuse > 0) seen.refuse--;
    seen.constructed++;
    return 0;
}

static void destroy(void *user, void *object)
{
    assert_ptr_equal(user, &seen);
    ((uint8_t *)object)[0] = 0x22;
    seen.destroyed++;
}

static void misuse(void *user, vmm_misuse_t reason, const void *object)
{
    assert_ptr_equal(user, &seen);
    seen.misuses++;
    seen.reason = reason;
    seen.object = object;
}

static void acquire(void *user)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.held++, 0);
    seen.locked++;
}

static void release(void *user)
{
    assert_ptr_equal(user, &seen);
    assert_int_equal(seen.held--, 1);
}

/* Options for objects of so many bytes; source and hooks start anew. */
static vmm_cache_options_t options_for(size_t size)
{
    vmm_cache_options_t options;
    memset(&options, 0, sizeof options);
    memset(&source, 0, sizeof source);
    memset(&seen, 0, sizeof seen);
    source.budget = -1;
    seen.refuse = -1;
    seen.bytes = size;
    options.name = "things";
    options.size = size;
    options.misuse = misuse;
    options.user = &seen;
    return options;
}

static vmm_cache_options_t constructed_for(size_t size)
{
    vmm_cache_options_t options = options_for(size);
    options.construct = construct;
    options.destroy = destroy;
    return options;
}

static void make(vmm_cache_t *c, const vmm_cache_options_t *options)
{
    assert_int_equal(vmm_cache_init(c, options, &pages_of_source), VMM_OK);
    assert_true(vmm_cache_check(c));
}

/* Every slab went back, and what was constructed was destroyed. */
static void finish(vmm_cache_t *c)
{
    assert_true(vmm_cache_check(c));
    assert_int_equal(vmm_cache_destroy(c), VMM_OK);
    assert_int_equal(source.takes, source.gives);
    assert_int_equal(seen.constructed, seen.destroyed);
}

static void *one(vmm_cache_t *c)
{
    void *const object = vmm_cache_alloc(c);
    assert_non_null(object);
    return object;
}

static void back(vmm_cache_t *c, void *object)
{
    assert_int_equal(vmm_cache_free(c, object), VMM_MISUSE_NONE);
}

/* ------------------------------------------------------------------------ making -- */

static void zero_means_the_default_that_is_documented(void **state)
{
    static const struct {
        size_t size, align;
        unsigned shift;
    } cases[] = {{1, 1, 12},     {2, 2, 12},     {3, 1, 12},     {8, 8, 12},    {12, 4, 12},    {16, 16, 12},
                 {24, 8, 12},    {48, 16, 12},   {100, 4, 12},   {500, 4, 12},  {512, 16, 13},  {1000, 8, 13},
                 {2000, 16, 14}, {4096, 16, 16}, {8000, 16, 16}, {9000, 8, 16}, {32768, 16, 16}};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) {
        const vmm_cache_options_t options = options_for(cases[i].size);
        vmm_cache_t c;
        make(&c, &options);
        assert_int_equal(c.is.align, cases[i].align);
        assert_int_equal(c.is.slab_shift, cases[i].shift);
        assert_int_equal(source.takes, 0);
        back(&c, one(&c));
        assert_int_equal(source.takes, 1);
        assert_int_equal(c.slabs, 0); /* an empty slab goes back at once */
        finish(&c);
    }
}

static void every_bad_option_is_refused(void **state)
{
    static const struct {
        size_t size, align;
        unsigned shift, flags;
        vmm_status_t status;
    } cases[] = {{0, 0, 0, 0, VMM_E_RANGE},
                 {32769, 0, 0, 0, VMM_E_RANGE},
                 {SIZE_MAX, 0, 0, 0, VMM_E_RANGE},
                 {SIZE_MAX - 7, 0, 0, 15, VMM_E_RANGE},
                 {64, 3, 0, 0, VMM_E_ALIGN},
                 {64, 4097, 0, 0, VMM_E_ALIGN},
                 {64, 8192, 0, 0, VMM_E_ALIGN},
                 {64, SIZE_MAX / 2 + 1, 0, 0, VMM_E_ALIGN},
                 {64, 0, 7, 0, VMM_E_RANGE},
                 {64, 0, 17, 0, VMM_E_RANGE},
                 {64, 0, UINT32_MAX, 0, VMM_E_RANGE},
                 {64, 0, 0, 16, VMM_E_ARGUMENT},
                 {64, 0, 0, UINT32_MAX, VMM_E_ARGUMENT},
                 {256, 0, 8, 0, VMM_E_RANGE}, /* not one fits */
                 {32768, 0, 15, 0, VMM_E_RANGE},
                 {8, 256, 8, 0, VMM_E_RANGE},
                 {32768, 4096, 0, 15, VMM_OK},
                 {1, 1, 8, 15, VMM_OK}};
    vmm_pages_t pages = pages_of_source;
    vmm_cache_options_t options;
    vmm_cache_t c;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) {
        options = options_for(cases[i].size);
        options.align = cases[i].align;
        options.slab_shift = cases[i].shift;
        options.flags = cases[i].flags;
        assert_int_equal(vmm_cache_init(&c, &options, &pages), cases[i].status);
    }
    options = options_for(64);
    assert_int_equal(vmm_cache_init(NULL, &options, &pages), VMM_E_ARGUMENT);
    assert_int_equal(vmm_cache_init(&c, NULL, &pages), VMM_E_ARGUMENT);
    assert_int_equal(vmm_cache_init(&c, &options, NULL), VMM_E_ARGUMENT);
    pages.take = NULL;
    assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_E_ARGUMENT);
    pages = pages_of_source;
    pages.give = NULL;
    assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_E_ARGUMENT);
}

/* Fills two slabs with objects and empties them again. */
static void fill_two_slabs(const vmm_cache_options_t *options)
{
    static uint8_t *objects[2 * VMM_SLAB_MOST];
    vmm_cache_t c;
    unsigned i, count;
    if (vmm_cache_init(&c, options, &pages_of_source) != VMM_OK) return;
    count = 2 * c.count;
    for (i = 0; i < count; i++) {
        objects[i] = (uint8_t *)vmm_cache_alloc(&c);
        if (!objects[i] || ((uintptr_t)objects[i] & (c.is.align - 1))) fail();
        memset(objects[i], (int)(i & 0xff), options->size);
    }
    assert_int_equal(c.slabs, 2);
    assert_true(vmm_cache_check(&c));
    for (i = 0; i < count; i++) {
        if (!vmm_is_filled(objects[i], options->size, (uint8_t)i)) fail();
        if (vmm_cache_free(&c, objects[i]) != VMM_MISUSE_NONE) fail();
    }
    finish(&c);
}

static void objects_of_every_size_alignment_and_slab_are_apart_and_aligned(void **state)
{
    static const size_t sizes[] = {1,    2,    3,    5,    7,    8,    9,     15,    16,    17,   24,
                                   31,   32,   33,   48,   63,   64,   65,    100,   127,   128,  129,
                                   200,  255,  256,  257,  500,  512,  513,   777,   999,   1024, 1025,
                                   2047, 2048, 4095, 4096, 8191, 8192, 10000, 16384, 32767, 32768};
    size_t i, align;
    unsigned shift, flags;
    (void)state;
    for (i = 0; i < COUNT_OF(sizes); i++)
        for (align = 0; align <= 4096; align = align ? 2 * align : 1)
            for (shift = 7; shift <= 16; shift++) {
                vmm_cache_options_t options = options_for(sizes[i]);
                options.align = align;
                options.slab_shift = shift == 7 ? 0 : shift;
                fill_two_slabs(&options);
            }
    for (i = 0; i < COUNT_OF(sizes); i++)
        for (flags = 1; flags <= ALL_FLAGS; flags++) {
            vmm_cache_options_t options = options_for(sizes[i]);
            options.flags = flags;
            fill_two_slabs(&options);
        }
}

/* By the slowest way there is: for every size, and the alignment and slab that follow from it. */
static void a_slab_has_as_many_objects_as_fit_and_each_is_found_again(void **state)
{
    size_t size;
    (void)state;
    for (size = 1; size <= 32768; size += size < 5000 ? 1 : 13) {
        const vmm_cache_options_t options = options_for(size);
        vmm_cache_t c;
        uint8_t *low, *high;
        unsigned i;
        size_t more;
        assert_int_equal(vmm_cache_init(&c, &options, &pages_of_source), VMM_OK);
        more = sizeof(vmm_slab_t) + (c.count + BITS) / BITS * sizeof(size_t);
        more = (more + c.is.align - 1) / c.is.align * c.is.align + (c.count + 1) * (size_t)c.stride;
        assert_true(c.count == VMM_SLAB_MOST || more > c.slab_bytes);
        assert_true(c.count >= 8 || c.is.slab_shift == 16);
        low = (uint8_t *)vmm_cache_alloc(&c);
        for (high = low, i = 1; i < c.count; i++) high = (uint8_t *)vmm_cache_alloc(&c);
        assert_int_equal(high - low, (c.count - 1) * c.stride);
        assert_true(vmm_cache_free(&c, high + 1) == VMM_MISUSE_INTERIOR || c.stride == 1);
        assert_int_equal(vmm_cache_free(&c, low - 1), VMM_MISUSE_INTERIOR);
        for (i = 0; i < c.count; i++) back(&c, low + i * c.stride);
        finish(&c);
    }
}

/* ------------------------------------------------------- constructors and their refusals -- */

static void an_object_is_constructed_once_and_destroyed_when_its_slab_goes(void **state)
{
    static const unsigned all_flags[] = {0, VMM_CACHE_SCRAMBLE, VMM_CACHE_REDZONE | VMM_CACHE_OWNER};
    size_t f;
    (void)state;
    for (f = 0; f < COUNT_OF(all_flags); f++) {
        vmm_cache_options_t options = constructed_for(48);
        uint8_t *objects[MOST];
        vmm_cache_t c;
        unsigned i, count, turn;
        options.flags = all_flags[f];
        options.keep_empty = 2;
        make(&c, &options);
        count = c.count;
        objects[0] = (uint8_t *)one(&c);
        assert_int_equal(seen.constructed, options.flags & VMM_CACHE_SCRAMBLE ? count : 1); /* lazily but then */
        back(&c, objects[0]);
        for (turn = 0; turn < 3; turn++) {
            for (i = 0; i < 2 * count; i++) {
                objects[i] = (uint8_t *)one(&c);
                assert_int_equal(objects[i][47], turn || i == 0 ? objects[i][47] : 0x11);
                objects[i][47] = 0x33;
            }
            assert_int_equal(seen.constructed, 2 * count);
            for (i = 0; i < 2 * count; i++) {
                assert_int_equal(objects[i][47], 0x33); /* the user's work is kept from free to alloc */
                back(&c, objects[i]);
            }
            assert_int_equal(seen.destroyed, 0);
        }
        assert_int_equal(vmm_cache_shrink(&c), 2);
        assert_int_equal(seen.destroyed, 2 * count);
        finish(&c);
    }
}

static void with_poison_constructors_run_at_every_alloc_and_destructors_at_every_free(void **state)
{
    unsigned flags;
    (void)state;
    for (flags = VMM_CACHE_POISON; flags <= ALL_FLAGS; flags += 2) {
        vmm_cache_options_t options = constructed_for(40);
        vmm_cache_t c;
        int i;
        options.flags = flags;
        options.keep_empty = 1;
        make(&c, &options);
        for (i = 0; i < 10; i++) {
            uint8_t *const object = (uint8_t *)one(&c);
            assert_int_equal(object[0], 0x11);
            assert_int_equal(seen.constructed, i + 1);
            back(&c, object);
            assert_int_equal(seen.destroyed, i + 1);
            assert_true(vmm_is_filled(object, 40, VMM_POISON_BYTE));
        }
        finish(&c);
        assert_int_equal(seen.misuses, 0);
    }
}

static void a_constructor_that_refuses_at_any_place_leaves_nothing_behind(void **state)
{
    unsigned flags, keep, bulk;
    long place;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags++)
        for (keep = 0; keep <= 1; keep++)
            for (bulk = 0; bulk <= 1; bulk++)
                for (place = 0; place < 20; place++) {
                    vmm_cache_options_t options = constructed_for(200);
                    void *objects[64];
                    unsigned got, all;
                    uint32_t slabs;
                    vmm_cache_t c;
                    options.slab_shift = 11; /* 9 objects or fewer */
                    options.flags = flags;
                    options.keep_empty = keep;
                    make(&c, &options);
                    seen.refuse = place;
                    if (bulk) got = vmm_cache_alloc_bulk(&c, 40, objects);
                    else
                        for (got = 0; got < 40; got++)
                            if ((objects[got] = vmm_cache_alloc(&c)) == NULL) break;
                    if (!(flags & VMM_CACHE_SCRAMBLE) || (flags & VMM_CACHE_POISON)) assert_int_equal(got, place);
                    else assert_int_equal(got, place / (long)c.count * (long)c.count);
                    assert_int_equal(seen.refuse, -1);
                    assert_int_equal(c.live, got);
                    slabs = (got + c.count - 1) / c.count;
                    assert_in_range(c.slabs, slabs, slabs + keep);
                    assert_true(vmm_cache_check(&c));
                    all = got + vmm_cache_alloc_bulk(&c, 20, objects + got);
                    assert_int_equal(all, got + 20);
                    assert_int_equal(vmm_cache_free_bulk(&c, all, objects), VMM_MISUSE_NONE);
                    seen.refuse = 0; /* and an object that was out before */
                    if (keep && (flags & VMM_CACHE_POISON)) assert_null(vmm_cache_alloc(&c));
                    seen.refuse = -1;
                    back(&c, one(&c));
                    finish(&c);
                    assert_int_equal(seen.misuses, 0);
                }
}

static void a_page_source_that_fails_at_any_call_leaves_everything_as_it_was(void **state)
{
    unsigned flags;
    long fails;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags += 5)
        for (fails = 0; fails < 6; fails++) {
            vmm_cache_options_t options = constructed_for(64);
            vmm_magazine_t m;
            void *objects[MOST];
            unsigned got;
            vmm_cache_t c;
            options.flags = flags;
            make(&c, &options);
            vmm_magazine_init(&m, &c, 20);
            source.budget = fails;
            got = vmm_cache_alloc_bulk(&c, MOST, objects);
            assert_int_equal(got, (unsigned)fails * c.count);
            assert_null(vmm_cache_alloc(&c));
            assert_null(vmm_magazine_alloc(&m, &c));
            assert_int_equal(vmm_cache_alloc_bulk(&c, 3, objects + got), 0);
            assert_int_equal(c.slabs, fails);
            assert_true(vmm_cache_check(&c));
            if (got) {
                back(&c, objects[0]);
                objects[0] = vmm_magazine_alloc(&m, &c);
                assert_non_null(objects[0]);
            }
            assert_int_equal(vmm_cache_free_bulk(&c, got, objects), VMM_MISUSE_NONE);
            finish(&c);
        }
}

static void misaligned_memory_is_given_back_and_not_used(void **state)
{
    const vmm_cache_options_t options = constructed_for(64);
    void *objects[2];
    vmm_cache_t c;
    (void)state;
    for (make(&c, &options), source.skew = 2048; source.skew >= 1; source.skew /= 2) {
        assert_null(vmm_cache_alloc(&c));
        assert_int_equal(vmm_cache_alloc_bulk(&c, 2, objects), 0);
        assert_true(vmm_cache_check(&c));
        assert_int_equal(c.slabs, 0);
    }
    assert_int_equal(source.takes, 24);
    finish(&c);
}

/* ------------------------------------------------------------------------- slabs -- */

static uint8_t side[VMM_FRAMES_BYTES(64)];

static void slabs_come_from_the_buddy_and_return_to_it(void **state)
{
    static const struct {
        size_t size;
        unsigned shift;
    } cases[] = {{64, 0}, {64, 8}, {100, 9}, {1000, 0}, {3000, 0}, {8000, 16}};
    uint8_t *const memory = (uint8_t *)aligned_alloc(65536, 64 * 4096);
    size_t i;
    (void)state;
    assert_non_null(memory);
    for (i = 0; i < COUNT_OF(cases); i++) {
        vmm_cache_options_t options = options_for(cases[i].size);
        const vmm_pages_t pages = {vmm_frames_take_pages, vmm_frames_give_pages, &options, memory, 64 * 4096};
        vmm_pages_t buddy = pages;
        static void *objects[MOST];
        vmm_frames_t frames;
        vmm_cache_t c;
        unsigned got;
        options.slab_shift = cases[i].shift;
        buddy.user = &frames;
        assert_int_equal(vmm_frames_init(&frames, (uintptr_t)memory, 12, 64, side, sizeof side), VMM_OK);
        assert_int_equal(vmm_cache_init(&c, &options, &buddy), VMM_OK);
        got = vmm_cache_alloc_bulk(&c, MOST, objects);
        assert_true(got == MOST || frames.free_frames == 0);
        assert_true(got == MOST || got == 64 * 4096 / (c.slab_bytes < 4096 ? 4096 : c.slab_bytes) * c.count);
        assert_true(vmm_cache_check(&c));
        assert_true(vmm_frames_check(&frames));
        assert_int_equal(vmm_cache_free_bulk(&c, got, objects), VMM_MISUSE_NONE);
        assert_int_equal(vmm_cache_destroy(&c), VMM_OK);
        assert_int_equal(frames.free_frames, 64);
    }
    free(memory);
}

static void empty_slabs_are_kept_up_to_the_number_asked_for(void **state)
{
    unsigned keep;
    (void)state;
    for (keep = 0; keep < 6; keep++) {
        vmm_cache_options_t options = constructed_for(512);
        static void *objects[MOST];
        unsigned all;
        vmm_cache_t c;
        options.keep_empty = keep;
        make(&c, &options);
        all = vmm_cache_alloc_bulk(&c, 5 * c.count, objects);
        assert_int_equal(c.slabs, 5);
        assert_int_equal(vmm_cache_shrink(&c), 0);
        assert_int_equal(vmm_cache_destroy(&c), VMM_E_BUSY);
        assert_int_equal(vmm_cache_free_bulk(&c, all - 1, objects), VMM_MISUSE_NONE);
        assert_int_equal(c.slabs, 1 + (keep < 4 ? keep : 4));
        assert_int_equal(vmm_cache_destroy(&c), VMM_E_BUSY); /* but what is empty goes */
        assert_int_equal(c.slabs, 1);
        back(&c, objects[all - 1]);
        assert_int_equal(c.slabs, keep ? 1 : 0);
        assert_int_equal(c.live_most, all);
        assert_int_equal(vmm_cache_shrink(&c), keep ? 1 : 0);
        finish(&c);
    }
}

static void slabs_that_are_little_used_empty_and_go_back(void **state)
{
    const vmm_cache_options_t options = options_for(64);
    static void *objects[100 * 64];
    uint64_t seed = 42;
    unsigned all, left, i, turn;
    vmm_cache_t c;
    (void)state;
    make(&c, &options);
    all = left = vmm_cache_alloc_bulk(&c, 100 * c.count, objects);
    assert_int_equal(c.slabs, 100);
    while (left > all / 10) {
        i = (unsigned)(helper_random(&seed) % left);
        back(&c, objects[i]);
        objects[i] = objects[--left];
    }
    assert_true(vmm_cache_check(&c));
    assert_in_range(c.slabs, 90, 100); /* nearly each holds one still */
    for (turn = 0; turn < 1000; turn++) {
        const unsigned some = 1 + (unsigned)(helper_random(&seed) % 64);
        for (i = 0; i < some; i++) {
            const unsigned which = (unsigned)(helper_random(&seed) % left);
            back(&c, objects[which]);
            objects[which] = objects[--left];
        }
        for (i = 0; i < some; i++) objects[left++] = one(&c);
    }
    assert_in_range(c.slabs, 10, 15); /* 10 is the least that holds them */
    while (left) back(&c, objects[--left]);
    finish(&c);
}

static void the_slab_that_was_full_last_serves_next_so_that_the_others_empty(void **state)
{
    static const unsigned freed[] = {1, 6, 7, 2, 9, 10, 11, 12, 13, 14};
    static void *objects[10 * 64];
    const vmm_cache_options_t options = options_for(64);
    unsigned slab, i;
    vmm_cache_t c;
    (void)state;
    make(&c, &options);
    assert_int_equal(vmm_cache_alloc_bulk(&c, 10 * c.count, objects), 10 * c.count);
    for (slab = 0; slab < 10; slab++) /* slab 9 becomes the first of the list, slab 0 the last */
        for (i = 0; i < freed[slab]; i++) back(&c, objects[slab * c.count + i]);
    for (slab = 10; slab-- > 0;)
        for (i = 0; i < freed[slab]; i++) assert_ptr_equal(vmm_cache_alloc(&c), objects[slab * c.count + i]);
    assert_int_equal(vmm_cache_free_bulk(&c, 10 * c.count, objects), VMM_MISUSE_NONE);
    finish(&c);
}

static void objects_of_successive_slabs_begin_at_different_offsets_when_there_is_room(void **state)
{
    static const size_t sizes[] = {64, 1000, 700, 3000, 30000};
    size_t s;
    (void)state;
    for (s = 0; s < COUNT_OF(sizes); s++) {
        const vmm_cache_options_t options = options_for(sizes[s]);
        static void *objects[64 * 70];
        static size_t offset[64];
        unsigned colours, slab, i;
        vmm_cache_t c;
        make(&c, &options);
        assert_int_equal(vmm_cache_alloc_bulk(&c, 64 * c.count, objects), 64 * c.count);
        for (colours = 1; c.first + c.count * (size_t)c.stride + colours * c.is.align <= c.slab_bytes;) colours++;
        for (slab = 0; slab < 64; slab++) {
            offset[slab] = (uintptr_t)objects[slab * c.count] & (c.slab_bytes - 1);
            for (i = 0; i < slab && i < colours; i++)
                if (slab < colours) assert_int_not_equal(offset[slab], offset[i]);
                else assert_int_equal(offset[slab], offset[slab % colours]);
        }
        assert_int_equal(vmm_cache_free_bulk(&c, 64 * c.count, objects), VMM_MISUSE_NONE);
        finish(&c);
    }
}

/* ---------------------------------------------------------------------- the checks -- */

static void a_write_after_free_is_found_at_every_byte(void **state)
{
    unsigned flags;
    size_t byte;
    (void)state;
    for (flags = VMM_CACHE_POISON; flags <= ALL_FLAGS; flags += 2)
        for (byte = 0; byte < 37; byte++) {
            vmm_cache_options_t options = options_for(37);
            void *objects[MOST];
            uint8_t *object;
            vmm_cache_t c;
            unsigned i;
            options.flags = flags;
            options.keep_empty = 1;
            make(&c, &options);
            object = (uint8_t *)one(&c);
            back(&c, object);
            object[byte] ^= 1;
            assert_false(vmm_cache_check(&c));
            assert_int_equal(vmm_cache_alloc_bulk(&c, c.count, objects), c.count);
            assert_int_equal(seen.misuses, 1);
            assert_int_equal(seen.reason, VMM_MISUSE_USED_AFTER_FREE);
            assert_ptr_equal(seen.object, object);
            assert_true(vmm_cache_check(&c)); /* it went out all the same */
            for (i = 0; i < c.count; i++) back(&c, objects[i]);
            assert_int_equal(seen.misuses, 1);
            finish(&c);
        }
}

static void an_overrun_by_one_byte_is_found(void **state)
{
    size_t size;
    unsigned flags, far;
    (void)state;
    for (size = 1; size <= 40; size++)
        for (flags = VMM_CACHE_REDZONE; flags <= ALL_FLAGS; flags++)
            for (far = 0; far < sizeof(size_t); far++) {
                vmm_cache_options_t options = options_for(size);
                uint8_t *first, *object, kept;
                vmm_cache_t c;
                options.flags = flags | VMM_CACHE_REDZONE;
                make(&c, &options);
                first = (uint8_t *)one(&c);
                object = (uint8_t *)one(&c);
                memset(object, 0, size);
                assert_true(vmm_cache_check(&c));
                kept = object[size + far];
                object[size + far] ^= 0x80;
                assert_false(vmm_cache_check(&c));
                assert_int_equal(vmm_cache_free(&c, object), VMM_MISUSE_OVERRUN);
                assert_int_equal(seen.reason, VMM_MISUSE_OVERRUN);
                assert_ptr_equal(seen.object, object);
                assert_int_equal(seen.misuses, 1);
                assert_int_equal(c.live, 2);
                assert_true(vmm_is_filled(object, size, 0)); /* nothing was changed */
                object[size + far] = kept;
                assert_true(vmm_cache_check(&c));
                back(&c, object);
                back(&c, first);
                finish(&c);
            }
}

static void the_site_that_had_an_object_last_is_known(void **state)
{
    static const char *const here = VMM_HERE; /* the line is part of it */
    static const char *const there = VMM_HERE;
    unsigned flags;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags++) {
        vmm_cache_options_t options = options_for(20);
        void *first, *second;
        vmm_cache_t c;
        options.flags = flags;
        make(&c, &options);
        first = vmm_cache_alloc_at(&c, here);
        second = vmm_cache_alloc_at(&c, there);
        assert_ptr_equal(vmm_cache_owner(&c, first), flags & VMM_CACHE_OWNER ? here : NULL);
        assert_ptr_equal(vmm_cache_owner(&c, second), flags & VMM_CACHE_OWNER ? there : NULL);
        assert_int_equal(vmm_cache_free_at(&c, first, there), VMM_MISUSE_NONE);
        assert_int_equal(vmm_cache_free_at(&c, first, here), VMM_MISUSE_DOUBLE_FREE); /* it names who was first */
        assert_ptr_equal(vmm_cache_owner(&c, first), flags & VMM_CACHE_OWNER ? there : NULL);
        back(&c, second);
        finish(&c);
    }
    assert_non_null(strstr(here, "test_objects.c:"));
}

static int by_address(const void *a, const void *b)
{
    const uintptr_t left = (uintptr_t) * (void *const *)a, right = (uintptr_t) * (void *const *)b;
    return left < right ? -1 : left > right;
}

static void scrambled_objects_go_out_in_another_order_but_each_once(void **state)
{
    unsigned flags, i, ascending, turn;
    (void)state;
    for (flags = VMM_CACHE_SCRAMBLE; flags <= ALL_FLAGS; flags++)
        for (turn = 0; turn < 10; turn++) {
            vmm_cache_options_t options = options_for(24);
            void *objects[MOST], *sorted[MOST];
            vmm_cache_t c;
            options.flags = flags;
            make(&c, &options);
            for (i = 0; i < c.count; i++) objects[i] = sorted[i] = one(&c);
            assert_int_equal(c.slabs, 1);
            for (ascending = 0, i = 1; i < c.count; i++) ascending += (uintptr_t)objects[i] > (uintptr_t)objects[i - 1];
            assert_in_range(ascending, c.count / 4, c.count * 3 / 4);
            qsort(sorted, c.count, sizeof *sorted, by_address);
            for (i = 1; i < c.count; i++) assert_int_equal((uintptr_t)sorted[i] - (uintptr_t)sorted[i - 1], c.stride);
            assert_int_equal(vmm_cache_free_bulk(&c, c.count, objects), VMM_MISUSE_NONE);
            finish(&c);
        }
}

/* -------------------------------------------------------------------- wrong frees -- */

/* Frees what must not be freed: the reason comes back and to the hook, and the cache is as it was. */
static void refuse(vmm_cache_t *c, void *object, vmm_misuse_t reason)
{
    const vmm_cache_t before = *c;
    seen.misuses = 0;
    assert_int_equal(vmm_cache_free(c, object), reason);
    assert_int_equal(seen.misuses, 1);
    assert_int_equal(seen.reason, reason);
    assert_ptr_equal(seen.object, object);
    assert_memory_equal(c, &before, sizeof before);
    assert_true(vmm_cache_check(c));
}

static void every_address_of_a_slab_is_judged_as_it_deserves(void **state)
{
    static const size_t sizes[] = {1, 3, 16, 40, 100, 1500};
    unsigned flags;
    size_t s;
    (void)state;
    for (s = 0; s < COUNT_OF(sizes); s++)
        for (flags = 0; flags <= ALL_FLAGS; flags += ALL_FLAGS) {
            vmm_cache_options_t options = options_for(sizes[s]);
            uint8_t *objects[MOST], *slab;
            vmm_cache_t c;
            unsigned i;
            size_t byte;
            options.slab_shift = 11;
            options.flags = flags;
            make(&c, &options);
            for (slab = NULL, i = 0; i < c.count; i++) slab = objects[i] = (uint8_t *)one(&c);
            slab = (uint8_t *)((uintptr_t)slab & ~(uintptr_t)2047);
            for (i = 0; i + 1 < c.count; i += 2) back(&c, objects[i]); /* some are free */
            for (byte = 0; byte < 2048; byte++) {
                vmm_misuse_t reason = VMM_MISUSE_INTERIOR;
                for (i = 0; i < c.count; i++)
                    if (slab + byte == objects[i])
                        reason = i + 1 < c.count && i % 2 == 0 ? VMM_MISUSE_DOUBLE_FREE : VMM_MISUSE_NONE;
                if (reason != VMM_MISUSE_NONE) refuse(&c, slab + byte, reason);
            }
            for (i = 0; i < c.count; i++)
                if (i % 2 || i + 1 == c.count) back(&c, objects[i]);
            finish(&c);
        }
}

static void foreign_addresses_are_told_within_the_window_and_outside(void **state)
{
    uint8_t *const memory = (uint8_t *)aligned_alloc(65536, 65536);
    uint8_t *const slab = memory + 3 * 4096;
    vmm_cache_options_t options = options_for(64);
    int local = 0;
    vmm_pages_t pages;
    vmm_frames_t frames;
    vmm_magazine_t m;
    vmm_cache_t c;
    uint8_t *object;
    size_t i;
    (void)state;
    assert_non_null(memory);
    memset(memory, 0x77, 65536);
    assert_int_equal(vmm_frames_init(&frames, (uintptr_t)memory, 12, 16, side, sizeof side), VMM_OK);
    assert_int_equal(vmm_frames_reserve(&frames, (uintptr_t)memory, 3 * 4096), VMM_OK);
    assert_int_equal(vmm_frames_reserve(&frames, (uintptr_t)memory + 4 * 4096, 12 * 4096), VMM_OK);
    pages.take = vmm_frames_take_pages;
    pages.give = vmm_frames_give_pages;
    pages.user = &frames;
    pages.window = memory;
    pages.bytes = 65536;
    assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_OK);
    object = (uint8_t *)one(&c);
    assert_ptr_equal((void *)((uintptr_t)object & ~(uintptr_t)4095), slab);
    for (i = 0; i < 65536; i += 16)
        if (memory + i < slab || memory + i >= slab + 4096) refuse(&c, memory + i, VMM_MISUSE_FOREIGN);
    refuse(&c, NULL, VMM_MISUSE_FOREIGN);
    refuse(&c, (void *)(uintptr_t)1, VMM_MISUSE_FOREIGN); /* no memory: it must not be looked at */
    refuse(&c, (void *)(UINTPTR_MAX - 15), VMM_MISUSE_FOREIGN);
    refuse(&c, (void *)((uintptr_t)memory - 1), VMM_MISUSE_FOREIGN);
    refuse(&c, memory + 65536, VMM_MISUSE_FOREIGN);
    refuse(&c, &local, VMM_MISUSE_FOREIGN);
    vmm_magazine_init(&m, &c, 4);
    seen.misuses = 0;
    assert_int_equal(vmm_magazine_free(&m, &c, (void *)UINTPTR_MAX), VMM_MISUSE_NONE); /* it cannot know */
    vmm_magazine_flush(&m, &c);
    assert_int_equal(seen.misuses, 1);
    assert_int_equal(seen.reason, VMM_MISUSE_FOREIGN);
    back(&c, object);
    refuse(&c, object, VMM_MISUSE_FOREIGN); /* its slab is no longer the cache's */
    assert_int_equal(vmm_cache_destroy(&c), VMM_OK);
    assert_int_equal(frames.free_frames, 1);

    pages.bytes = 0; /* not known: judged as far as it may be read */
    assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_OK);
    object = (uint8_t *)one(&c);
    refuse(&c, memory + 4096 + 64, VMM_MISUSE_FOREIGN);
    refuse(&c, NULL, VMM_MISUSE_FOREIGN);
    back(&c, object);
    assert_int_equal(vmm_cache_destroy(&c), VMM_OK);
    free(memory);
}

static void a_slab_that_is_not_wholly_within_the_window_is_never_looked_at(void **state)
{
    static const struct {
        size_t from, bytes; /* the window, in a block of two slabs of which the second would be handed out */
        bool within;
    } cases[] = {{0, 8192, true},     {4096, 4096, true},   {4095, 4097, true},  {0, SIZE_MAX / 2, true},
                 {4097, 4096, false}, {4097, 65536, false}, {0, 8191, false},    {0, 4096, false},
                 {1, 4096, false},    {8191, 4096, false},  {8192, 4096, false}, {0, 0, true}};
    uint8_t *const memory = (uint8_t *)aligned_alloc(8192, 8192);
    const vmm_cache_options_t options = options_for(64);
    vmm_pages_t pages;
    vmm_cache_t unusable;
    size_t i;
    (void)state;
    assert_non_null(memory);
    for (i = 0; i < COUNT_OF(cases); i++) {
        vmm_frames_t frames;
        vmm_cache_t c;
        void *object;
        assert_int_equal(vmm_frames_init(&frames, (uintptr_t)memory, 12, 2, side, sizeof side), VMM_OK);
        assert_int_equal(vmm_frames_reserve(&frames, (uintptr_t)memory, 4096), VMM_OK);
        pages.take = vmm_frames_take_pages;
        pages.give = vmm_frames_give_pages;
        pages.user = &frames;
        pages.window = memory + cases[i].from;
        pages.bytes = cases[i].bytes;
        assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_OK);
        object = vmm_cache_alloc(&c);
        assert_int_equal(object != NULL, cases[i].within);
        assert_int_equal(frames.free_frames, cases[i].within ? 0 : 1); /* what cannot be used went back */
        if (object) back(&c, object);
        assert_true(vmm_cache_check(&c));
        refuse(&c, memory + 4096 + 128, VMM_MISUSE_FOREIGN);
        if (!cases[i].within) refuse(&c, memory + 128, VMM_MISUSE_FOREIGN);
        assert_int_equal(vmm_cache_destroy(&c), VMM_OK);
    }
    pages = pages_of_source;
    for (pages.bytes = 1; pages.bytes < 4096; pages.bytes++) /* not one slab lies in it */
        assert_int_equal(vmm_cache_init(&unusable, &options, &pages), VMM_E_RANGE);
    free(memory);
}

static void a_bulk_free_tells_the_first_misuse_and_frees_the_rest_with_or_without_a_hook(void **state)
{
    vmm_cache_options_t options = options_for(64);
    unsigned hooked;
    (void)state;
    for (hooked = 0; hooked < 2; hooked++) {
        void *objects[6];
        vmm_cache_t c;
        options = options_for(64);
        if (!hooked) options.misuse = NULL;
        make(&c, &options);
        assert_int_equal(vmm_cache_alloc_bulk(&c, 4, objects), 4);
        objects[4] = objects[3];
        objects[3] = (uint8_t *)objects[0] + 1;
        objects[5] = one(&c);
        assert_int_equal(vmm_cache_free_bulk(&c, 0, NULL), VMM_MISUSE_NONE);
        assert_int_equal(vmm_cache_alloc_bulk(&c, 0, NULL), 0);
        objects[1] = objects[0];
        assert_int_equal(vmm_cache_free_bulk(&c, 5, objects), VMM_MISUSE_DOUBLE_FREE);
        assert_int_equal(seen.misuses, hooked ? 2 : 0);
        assert_int_equal(c.live, 2);
        back(&c, (uint8_t *)objects[0] + c.stride); /* what was in objects[1] */
        back(&c, objects[5]);
        finish(&c);
    }
}

static void an_object_of_another_cache_is_foreign_even_if_the_sizes_agree(void **state)
{
    vmm_cache_options_t options = options_for(64);
    vmm_cache_t first, second;
    void *mine, *yours;
    (void)state;
    make(&first, &options);
    make(&second, &options);
    mine = one(&first);
    yours = one(&second);
    refuse(&first, yours, VMM_MISUSE_FOREIGN);
    refuse(&second, mine, VMM_MISUSE_FOREIGN);
    back(&first, mine);
    back(&second, yours);
    assert_int_equal(vmm_cache_destroy(&first), VMM_OK);
    finish(&second);
}

/* ---------------------------------------------------------------------- magazines -- */

static void a_magazine_is_a_stack_that_keeps_no_more_than_its_capacity(void **state)
{
    static const unsigned capacities[] = {
        1, 2, 3, 4, 5, 31, 64, VMM_MAGAZINE_ITEMS - 1, VMM_MAGAZINE_ITEMS, VMM_MAGAZINE_ITEMS + 1, UINT32_MAX};
    size_t k;
    (void)state;
    for (k = 0; k < COUNT_OF(capacities); k++) {
        const vmm_cache_options_t options = options_for(32);
        const unsigned most = capacities[k] < VMM_MAGAZINE_ITEMS ? capacities[k] : VMM_MAGAZINE_ITEMS;
        void *objects[1000];
        vmm_magazine_t m;
        vmm_cache_t c;
        unsigned i;
        make(&c, &options);
        vmm_magazine_init(&m, &c, capacities[k]);
        assert_int_equal(m.capacity, most);
        for (i = 0; i < 1000; i++) {
            objects[i] = vmm_magazine_alloc(&m, &c);
            assert_non_null(objects[i]);
            assert_true(m.count < most);
            assert_int_equal(c.live, i + 1 + m.count); /* what is at hand counts as out */
        }
        vmm_magazine_flush(&m, &c);
        assert_int_equal(c.live, 1000);
        for (i = 0; i < most; i++) assert_int_equal(vmm_magazine_free(&m, &c, objects[i]), VMM_MISUSE_NONE);
        assert_int_equal(m.count, most);
        assert_int_equal(c.live, 1000); /* full: the cache has not seen one of them */
        for (; i; i--) assert_ptr_equal(vmm_magazine_alloc(&m, &c), objects[i - 1]);
        for (i = 0; i < 1000; i++) {
            assert_int_equal(vmm_magazine_free(&m, &c, objects[i]), VMM_MISUSE_NONE);
            assert_in_range(m.count, 1, most);
            assert_int_equal(c.live, 1000 - (i + 1) + m.count);
            assert_int_equal(vmm_magazine_free(&m, &c, objects[i]), VMM_MISUSE_DOUBLE_FREE);
            assert_ptr_equal(seen.object, objects[i]);
        }
        assert_int_equal(seen.misuses, 1000);
        vmm_magazine_flush(&m, &c);
        assert_int_equal(m.count, 0);
        assert_int_equal(c.live, 0);
        vmm_magazine_flush(&m, &c);
        finish(&c);
    }
}

static void a_magazine_of_capacity_0_or_of_a_checked_cache_holds_nothing(void **state)
{
    unsigned flags;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags++) {
        vmm_cache_options_t options = options_for(32);
        vmm_magazine_t m;
        vmm_cache_t c;
        void *object;
        options.flags = flags;
        make(&c, &options);
        vmm_magazine_init(&m, &c, flags ? 50 : 0);
        object = vmm_magazine_alloc(&m, &c);
        assert_int_equal(c.live, 1);
        assert_int_equal(vmm_magazine_free(&m, &c, (uint8_t *)object + 1), VMM_MISUSE_INTERIOR);
        assert_int_equal(vmm_magazine_free(&m, &c, object), VMM_MISUSE_NONE);
        assert_int_equal(c.live, 0);
        assert_int_equal(m.count, 0);
        vmm_magazine_flush(&m, &c);
        finish(&c);
    }
}

static void what_a_magazine_cannot_see_the_cache_tells_when_it_gets_it(void **state)
{
    const vmm_cache_options_t options = options_for(32);
    vmm_magazine_t m, other;
    vmm_cache_t c;
    void *first, *second;
    (void)state;
    make(&c, &options);
    vmm_magazine_init(&m, &c, 8);
    vmm_magazine_init(&other, &c, 8);
    first = one(&c);
    second = one(&c);
    assert_int_equal(vmm_magazine_free(&m, &c, first), VMM_MISUSE_NONE);
    assert_int_equal(vmm_magazine_free(&m, &c, second), VMM_MISUSE_NONE);
    assert_int_equal(vmm_magazine_free(&m, &c, first), VMM_MISUSE_NONE);
    assert_int_equal(vmm_magazine_free(&other, &c, (uint8_t *)second + 1), VMM_MISUSE_NONE);
    vmm_magazine_flush(&other, &c);
    assert_int_equal(seen.reason, VMM_MISUSE_INTERIOR);
    assert_ptr_equal(seen.object, (uint8_t *)second + 1);
    (void)one(&c); /* keeps the slab */
    vmm_magazine_flush(&m, &c);
    assert_int_equal(seen.misuses, 2);
    assert_int_equal(seen.reason, VMM_MISUSE_DOUBLE_FREE);
    assert_ptr_equal(seen.object, first);
    assert_true(vmm_cache_check(&c));
    assert_int_equal(c.live, 1);
    back(&c, (uint8_t *)first + 2 * (size_t)c.stride);
    finish(&c);
}

/* ------------------------------------------------------------------ random sequences -- */

typedef struct live {
    uint8_t *at;
    uint8_t value; /* every byte of it */
} live_t;

static struct {
    live_t live[MOST];
    unsigned count;
    size_t bytes;
    vmm_cache_t c;
    vmm_magazine_t magazine[2];
} model;

static void model_enter(void *object, uint64_t random)
{
    uint8_t *const at = (uint8_t *)object;
    unsigned i;
    if (!at || ((uintptr_t)at & (model.c.is.align - 1)) || model.count == MOST) fail();
    for (i = 0; i < model.count; i++)
        if (at < model.live[i].at + model.bytes && model.live[i].at < at + model.bytes) fail();
    model.live[model.count].at = at;
    model.live[model.count++].value = (uint8_t)random;
    memset(at, (int)(random & 0xff), model.bytes);
}

static void *model_leave(unsigned which)
{
    uint8_t *const at = model.live[which].at;
    if (!vmm_is_filled(at, model.bytes, model.live[which].value)) fail();
    model.live[which] = model.live[--model.count];
    return at;
}

static int model_visit(void *user, void *object)
{
    unsigned i;
    ++*(unsigned *)user;
    for (i = 0; i < model.count; i++)
        if (model.live[i].at == object) return 0;
    for (i = 0; i < 2 * VMM_MAGAZINE_ITEMS; i++) { /* or it is at hand */
        const vmm_magazine_t *const m = &model.magazine[i / VMM_MAGAZINE_ITEMS];
        const unsigned item = i % VMM_MAGAZINE_ITEMS;
        if (item < m->count && (uint8_t *)(model.c.base + m->item[item + 1]) == object) return 0;
    }
    fail();
    return 1;
}

static void model_step(uint64_t random)
{
    vmm_magazine_t *const m = &model.magazine[random >> 8 & 1];
    void *objects[50];
    unsigned i, some = (unsigned)(random >> 16 & 0xff) % 50, wanted = (unsigned)(random >> 24 & 3);
    const unsigned which = model.count ? (unsigned)(random >> 32) % model.count : 0;
    if (random >> 26 & 1) wanted = 4 * wanted + 1; /* sometimes few, mostly more */
    switch (random & 15) {
    case 0:
    case 1:
    case 2: model_enter(vmm_cache_alloc(&model.c), random >> 40); break;
    case 3:
    case 4:
    case 5: model_enter(vmm_magazine_alloc(m, &model.c), random >> 40); break;
    case 6:
    case 7:
    case 8:
        if (model.count) back(&model.c, model_leave(which));
        break;
    case 9:
    case 10:
    case 11:
        if (model.count) assert_int_equal(vmm_magazine_free(m, &model.c, model_leave(which)), VMM_MISUSE_NONE);
        break;
    case 12:
        assert_int_equal(vmm_cache_alloc_bulk(&model.c, some, objects), some);
        for (i = 0; i < some; i++) model_enter(objects[i], random >> 40);
        break;
    case 13:
        some = some < model.count ? some : model.count;
        for (i = 0; i < some; i++) objects[i] = model_leave((which + 7 * i) % model.count);
        assert_int_equal(vmm_cache_free_bulk(&model.c, some, objects), VMM_MISUSE_NONE);
        break;
    case 14:
        if ((random >> 20 & 7) == 0) vmm_cache_shrink(&model.c);
        break;
    default:
        if ((random >> 20 & 7) == 0) vmm_magazine_flush(m, &model.c);
    }
    if (model.count + 60 > 700) /* not too many */
        for (i = 0; i < 500; i++) back(&model.c, model_leave(model.count - 1));
}

static void random_calls_agree_with_the_list(void **state)
{
    static const struct {
        size_t size, align;
        unsigned shift, flags, keep, capacity, constructed;
    } cases[] = {{1, 0, 8, 0, 0, 5, 0},     {64, 0, 0, 0, 0, 0, 1},       {64, 64, 0, 0, 1, 128, 0},
                 {40, 0, 10, 15, 0, 20, 1}, {100, 0, 9, 8, 2, 3, 1},      {100, 0, 9, 2, 0, 30, 0},
                 {24, 32, 8, 1, 1, 0, 1},   {3, 1, 16, 4, 0, 0, 0},       {7, 2, 8, 6, 3, 0, 1},
                 {500, 0, 0, 0, 0, 64, 1},  {3000, 4096, 16, 9, 1, 0, 1}, {16, 0, 12, 10, 0, 0, 0},
                 {9000, 0, 0, 0, 0, 17, 1}, {2, 0, 0, 0, 9, 100, 0}};
    uint64_t seed = 20261120;
    size_t k;
    unsigned turn, visited;
    (void)state;
    for (k = 0; k < COUNT_OF(cases); k++) {
        vmm_cache_options_t options =
            cases[k].constructed ? constructed_for(cases[k].size) : options_for(cases[k].size);
        options.align = cases[k].align;
        options.slab_shift = cases[k].shift;
        options.flags = cases[k].flags;
        options.keep_empty = cases[k].keep;
        model.count = 0;
        model.bytes = cases[k].size;
        make(&model.c, &options);
        vmm_magazine_init(&model.magazine[0], &model.c, cases[k].capacity);
        vmm_magazine_init(&model.magazine[1], &model.c, cases[k].capacity);
        for (turn = 0; turn < 1000; turn++) {
            model_step(helper_random(&seed));
            if (!vmm_cache_check(&model.c)) fail();
            assert_int_equal(model.c.live, model.count + model.magazine[0].count + model.magazine[1].count);
            assert_int_equal(model.c.slabs, source.takes - source.gives);
            if (turn % 50) continue;
            visited = 0;
            assert_int_equal(vmm_cache_walk(&model.c, model_visit, &visited), VMM_OK);
            assert_int_equal(visited, model.c.live);
        }
        while (model.count) back(&model.c, model_leave(0));
        vmm_magazine_flush(&model.magazine[0], &model.c);
        vmm_magazine_flush(&model.magazine[1], &model.c);
        assert_int_equal(seen.misuses, 0);
        finish(&model.c);
    }
}

static int collect(void *user, void *object)
{
    void ***next = (void ***)user;
    *(*next)++ = object;
    return 0;
}

static void no_call_takes_more_steps_than_promised(void **state)
{
    static const struct {
        size_t size;
        unsigned shift, flags;
    } cases[] = {{64, 12, 0}, {1, 8, 0}, {1, 16, 0}, {24, 10, 8}, {16, 16, 0}, {16, 16, 8}, {4, 11, 0}};
    static void *objects[20000];
    uint64_t seed = 7;
    size_t k;
    unsigned i, count, turn;
    (void)state;
    for (k = 0; k < COUNT_OF(cases); k++) {
        vmm_cache_options_t options = options_for(cases[k].size);
        unsigned long words, most_alloc = 0, most_free = 0;
        vmm_cache_t c;
        options.slab_shift = cases[k].shift;
        options.flags = cases[k].flags;
        make(&c, &options);
        /* A scrambled search begins in the middle of a word, and so may see that word twice. */
        words = (c.count + BITS - 1) / BITS + (cases[k].flags ? 1 : 0);
        count = 0;
        for (turn = 0; turn < 60000; turn++) {
            const bool grow = helper_random(&seed) % 1000 < (turn / 6000 % 2 ? 300 : 700);
            steps = 0;
            if (grow && count < COUNT_OF(objects)) {
                objects[count++] = one(&c);
                if (steps > most_alloc) most_alloc = steps;
            } else if (count) {
                i = (unsigned)(helper_random(&seed) % count);
                back(&c, objects[i]);
                objects[i] = objects[--count];
                if (steps > most_free) most_free = steps;
            }
        }
        assert_in_range(most_alloc, 1, words);
        assert_int_equal(most_free, 0);
        while (count) back(&c, objects[--count]);
        finish(&c);
    }
}

static void the_worst_allocation_looks_through_one_bitmap(void **state)
{
    static void *objects[10 * VMM_SLAB_MOST], **next;
    vmm_cache_options_t options = options_for(1);
    unsigned slab, all;
    vmm_cache_t c;
    (void)state;
    options.slab_shift = 16;
    make(&c, &options);
    assert_int_equal(c.count, VMM_SLAB_MOST);
    steps = 0;
    for (all = 0; all < c.count; all++) objects[all] = one(&c);
    assert_in_range(steps, c.count, c.count + c.count / BITS); /* a bitmap used up so far is not searched again */
    all += vmm_cache_alloc_bulk(&c, 9 * c.count, objects + all);
    for (slab = 0; slab < 10; slab++) { /* in each, the first and the last are free */
        back(&c, objects[slab * c.count]);
        back(&c, objects[(slab + 1) * c.count - 1]);
    }
    assert_ptr_equal(vmm_cache_alloc(&c), objects[9 * c.count]);
    steps = 0;
    assert_ptr_equal(vmm_cache_alloc(&c), objects[all - 1]); /* its slab is full now, nine are not */
    assert_in_range(steps, c.count / BITS - 1, c.count / BITS);
    assert_int_equal(vmm_cache_alloc_bulk(&c, 18, objects), 18);
    assert_int_equal(c.slabs, 10);
    assert_int_equal(c.live, all);
    next = objects;
    assert_int_equal(vmm_cache_walk(&c, collect, &next), VMM_OK);
    assert_int_equal(vmm_cache_free_bulk(&c, all, objects), VMM_MISUSE_NONE);
    finish(&c);
}

/* ------------------------------------------------------------------------ looking -- */

static int stop_at_third(void *user, void *object)
{
    (void)object;
    return ++*(unsigned *)user == 3;
}

static void a_walk_meets_exactly_the_live_ones_and_stops_when_told(void **state)
{
    unsigned flags, i, all, left;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags++) {
        vmm_cache_options_t options = options_for(50);
        static void *objects[MOST], *met[MOST], **next;
        vmm_cache_t c;
        options.flags = flags;
        options.keep_empty = 3;
        make(&c, &options);
        next = met;
        assert_int_equal(vmm_cache_walk(&c, collect, &next), VMM_OK);
        assert_ptr_equal(next, met);
        all = vmm_cache_alloc_bulk(&c, 5 * c.count - 3, objects);
        for (left = 0, i = 0; i < all; i++)
            if (i % 3 == 0 || i < 2 * c.count) back(&c, objects[i]);
            else objects[left++] = objects[i];
        next = met;
        assert_int_equal(vmm_cache_walk(&c, collect, &next), VMM_OK);
        assert_int_equal(next - met, left);
        qsort(objects, left, sizeof *objects, by_address);
        qsort(met, left, sizeof *met, by_address);
        assert_memory_equal(objects, met, left * sizeof *met);
        i = 0;
        assert_int_equal(vmm_cache_walk(&c, stop_at_third, &i), VMM_E_STOPPED);
        assert_int_equal(i, 3);
        assert_int_equal(vmm_cache_free_bulk(&c, left, objects), VMM_MISUSE_NONE);
        finish(&c);
    }
}

static void the_printed_table_has_a_line_with_the_figures_of_each_cache(void **state)
{
    static const char expected[] = "name                 active    objects     size per slab    slabs    bytes\n"
                                   "things                   70        126       64       63        2     4096\n"
                                   "-                         0          0     1000        8        0     8192\n";
    vmm_cache_options_t options = options_for(64);
    vmm_cache_t first, second;
    const vmm_cache_t *const both[2] = {&first, &second};
    void *objects[70];
    char line[sizeof expected + 80];
    size_t length;
    FILE *const out = tmpfile();
    (void)state;
    assert_non_null(out);
    make(&first, &options);
    assert_int_equal(first.count, 63);
    options.name = NULL;
    options.size = 1000;
    make(&second, &options);
    assert_int_equal(vmm_cache_alloc_bulk(&first, 70, objects), 70);
    vmm_cache_print(out, both, 2);
    rewind(out);
    length = fread(line, 1, sizeof line - 1, out);
    line[length] = 0;
    fclose(out);
    assert_string_equal(line, expected);
    assert_int_equal(vmm_cache_free_bulk(&first, 70, objects), VMM_MISUSE_NONE);
    finish(&first);
}

/* Sixteen pages at a place; plain data but for that place, so that a copy works as well. */
typedef struct arena {
    uint8_t *memory;
    uint8_t used[16];
} arena_t;

static void *arena_take(void *user, size_t bytes)
{
    arena_t *const arena = (arena_t *)user;
    unsigned i;
    assert_int_equal(bytes, 4096);
    for (i = 0; i < 16 && arena->used[i]; i++) {}
    if (i == 16) return NULL;
    arena->used[i] = 1;
    return arena->memory + i * bytes;
}

static void arena_give(void *user, void *pages, size_t bytes)
{
    arena_t *const arena = (arena_t *)user;
    const size_t i = (size_t)((uint8_t *)pages - arena->memory) / bytes;
    assert_true(i < 16 && arena->used[i]);
    arena->used[i] = 0;
}

static void a_copy_of_a_cache_and_its_slabs_works_elsewhere(void **state)
{
    unsigned flags;
    (void)state;
    for (flags = 0; flags <= ALL_FLAGS; flags++) {
        arena_t here, there;
        vmm_cache_options_t options = options_for(100);
        vmm_cache_t c, copy;
        vmm_pages_t pages = {arena_take, arena_give, NULL, NULL, 65536};
        uint8_t *objects[300], *more[200];
        unsigned i;
        memset(&here, 0, sizeof here);
        here.memory = (uint8_t *)aligned_alloc(65536, 65536);
        assert_non_null(here.memory);
        memset(here.memory, 0, 65536);
        options.flags = flags;
        pages.user = &here;
        pages.window = here.memory;
        assert_int_equal(vmm_cache_init(&c, &options, &pages), VMM_OK);
        for (i = 0; i < 300; i++) memset(objects[i] = (uint8_t *)one(&c), (int)(i & 0xff), 100);
        for (i = 200; i < 300; i++) back(&c, objects[i]);

        there = here;
        there.memory = (uint8_t *)aligned_alloc(65536, 65536);
        assert_non_null(there.memory);
        memcpy(there.memory, here.memory, 65536);
        copy = c;
        copy.base += (uintptr_t)there.memory - (uintptr_t)here.memory;
        copy.pages.user = &there;
        copy.pages.window = there.memory;
        memset(here.memory, 0xee, 65536); /* whatever the copy does, it does there */
        assert_true(vmm_cache_check(&copy));
        for (i = 0; i < 200; i++) more[i] = (uint8_t *)one(&copy);
        refuse(&copy, objects[0], VMM_MISUSE_FOREIGN);
        for (i = 0; i < 200; i++) {
            uint8_t *const object = there.memory + (objects[i] - here.memory);
            assert_true(vmm_is_filled(object, 100, (uint8_t)i));
            back(&copy, object);
            assert_in_range((uintptr_t)more[i], (uintptr_t)there.memory, (uintptr_t)there.memory + 65535);
            back(&copy, more[i]);
        }
        assert_true(vmm_cache_check(&copy));
        assert_int_equal(vmm_cache_destroy(&copy), VMM_OK);
        assert_true(vmm_is_filled(there.used, sizeof there.used, 0));
        assert_true(vmm_is_filled(here.memory, 65536, 0xee));
        free(here.memory);
        free(there.memory);
    }
}

static void the_lock_is_taken_and_let_go_in_pairs_whatever_happens(void **state)
{
    vmm_cache_options_t options = constructed_for(64);
    void *objects[500];
    vmm_magazine_t m;
    unsigned long before;
    vmm_cache_t c;
    unsigned got;
    (void)state;
    options.lock.acquire = acquire;
    options.lock.release = release;
    options.lock.user = &seen;
    make(&c, &options);
    vmm_magazine_init(&m, &c, 10);
#define LOCKS(times, call)                                                                                             \
    do {                                                                                                               \
        before = seen.locked;                                                                                          \
        call;                                                                                                          \
        assert_int_equal(seen.locked - before, times);                                                                 \
        assert_int_equal(seen.held, 0);                                                                                \
    } while (0)
    LOCKS(1, objects[0] = one(&c));
    LOCKS(1, back(&c, objects[0]));
    seen.refuse = 0;
    LOCKS(1, assert_null(vmm_cache_alloc(&c)));
    LOCKS(1, vmm_cache_shrink(&c));
    source.budget = 1;
    LOCKS(1, got = vmm_cache_alloc_bulk(&c, 500, objects));
    assert_int_equal(got, c.count);
    LOCKS(1, assert_null(vmm_cache_alloc(&c)));
    LOCKS(1, assert_null(vmm_magazine_alloc(&m, &c)));
    LOCKS(1, assert_int_equal(vmm_cache_free(&c, (uint8_t *)objects[0] + 1), VMM_MISUSE_INTERIOR));
    LOCKS(1, assert_int_equal(vmm_cache_free(&c, NULL), VMM_MISUSE_FOREIGN));
    LOCKS(1, assert_int_equal(vmm_cache_free_bulk(&c, got, objects), VMM_MISUSE_NONE));
    source.budget = -1;
    LOCKS(1, objects[0] = vmm_magazine_alloc(&m, &c));
    LOCKS(0, objects[1] = vmm_magazine_alloc(&m, &c));
    LOCKS(0, assert_int_equal(vmm_magazine_free(&m, &c, objects[0]), VMM_MISUSE_NONE));
    LOCKS(0, assert_int_equal(vmm_magazine_free(&m, &c, objects[0]), VMM_MISUSE_DOUBLE_FREE));
    LOCKS(0, assert_int_equal(vmm_magazine_free(&m, &c, objects[1]), VMM_MISUSE_NONE));
    LOCKS(1, vmm_magazine_flush(&m, &c));
    LOCKS(1, vmm_magazine_flush(&m, &c));
    LOCKS(1, finish(&c));
#undef LOCKS
}

/* ------------------------------------------------------------------------- damage -- */

static void a_damaged_cache_is_found(void **state)
{
    vmm_cache_options_t options = options_for(64);
    static void *objects[MOST];
    vmm_cache_t c;
    vmm_slab_t *slab, *full;
    unsigned all, i;
    uint16_t first;
    (void)state;
    options.keep_empty = 1;
    make(&c, &options);
    all = vmm_cache_alloc_bulk(&c, 3 * c.count, objects);
    for (i = 0; i < c.count; i++) back(&c, objects[i]);
    for (i = c.count; i < 2 * c.count; i += 2) back(&c, objects[i]);
    slab = vmm_slab_at(&c, c.list[VMM_SLAB_SOME]);
    full = vmm_slab_at(&c, c.list[VMM_SLAB_NONE]);
    assert_true(vmm_cache_check(&c));
#define DAMAGE(what)                                                                                                   \
    do {                                                                                                               \
        (what)++;                                                                                                      \
        assert_false(vmm_cache_check(&c));                                                                             \
        (what)--;                                                                                                      \
        (what)--;                                                                                                      \
        assert_false(vmm_cache_check(&c));                                                                             \
        (what)++;                                                                                                      \
        assert_true(vmm_cache_check(&c));                                                                              \
    } while (0)
    DAMAGE(c.slabs);
    DAMAGE(c.live);
    DAMAGE(c.empty);
    DAMAGE(slab->owner);
    DAMAGE(slab->previous);
    DAMAGE(slab->free);
    DAMAGE(slab->list);
    DAMAGE(slab->first);
    DAMAGE(full->carved);
    DAMAGE(full->free);
#undef DAMAGE
    for (i = 0; i < 64; i++) { /* of the last one there is no object */
        vmm_slab_bits(slab)[i / BITS] ^= (size_t)1 << i % BITS;
        assert_false(vmm_cache_check(&c));
        vmm_slab_bits(slab)[i / BITS] ^= (size_t)1 << i % BITS;
    }
    slab->next = c.list[VMM_SLAB_SOME]; /* a ring */
    assert_false(vmm_cache_check(&c));
    slab->next = VMM_NOWHERE;
    c.list[VMM_SLAB_SOME] += 64;
    assert_false(vmm_cache_check(&c));
    c.list[VMM_SLAB_SOME] -= 64;
    first = slab->first;
    slab->first = (uint16_t)(c.first - c.is.align); /* no colour begins there */
    assert_false(vmm_cache_check(&c));
    slab->first = (uint16_t)(c.first + c.colours * c.is.align);
    assert_false(vmm_cache_check(&c));
    slab->first = (uint16_t)(c.first + 1);
    assert_false(vmm_cache_check(&c));
    slab->first = first;
    slab->word = (uint8_t)((c.count - 1) / BITS + 1);
    assert_false(vmm_cache_check(&c));
    slab->word = 0;
    assert_true(vmm_cache_check(&c));
    vmm_slab_move(&c, (uintptr_t)slab - c.base, VMM_SLAB_ALL); /* each list by its right name, but not the right one */
    assert_false(vmm_cache_check(&c));
    vmm_slab_move(&c, (uintptr_t)slab - c.base, VMM_SLAB_NONE);
    assert_false(vmm_cache_check(&c));
    vmm_slab_move(&c, (uintptr_t)slab - c.base, VMM_SLAB_SOME);
    c.is.keep_empty = 0;
    assert_false(vmm_cache_check(&c));
    c.is.keep_empty = 1;
    c.live_most = c.live - 1;
    assert_false(vmm_cache_check(&c));
    c.live_most = all;
    for (i = c.count + 1; i < 2 * c.count; i += 2) back(&c, objects[i]);
    for (i = 2 * c.count; i < all; i++) back(&c, objects[i]);
    finish(&c);

    options = options_for(8); /* a bitmap of several words */
    make(&c, &options);
    objects[0] = one(&c);
    slab = vmm_slab_at(&c, c.list[VMM_SLAB_SOME]);
    assert_true(c.count > BITS);
    slab->word = 1;
    assert_false(vmm_cache_check(&c)); /* there are free ones before it */
    slab->word = 0;
    back(&c, objects[0]);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_means_the_default_that_is_documented),
        cmocka_unit_test(every_bad_option_is_refused),
        cmocka_unit_test(objects_of_every_size_alignment_and_slab_are_apart_and_aligned),
        cmocka_unit_test(a_slab_has_as_many_objects_as_fit_and_each_is_found_again),
        cmocka_unit_test(an_object_is_constructed_once_and_destroyed_when_its_slab_goes),
        cmocka_unit_test(with_poison_constructors_run_at_every_alloc_and_destructors_at_every_free),
        cmocka_unit_test(a_constructor_that_refuses_at_any_place_leaves_nothing_behind),
        cmocka_unit_test(a_page_source_that_fails_at_any_call_leaves_everything_as_it_was),
        cmocka_unit_test(misaligned_memory_is_given_back_and_not_used),
        cmocka_unit_test(slabs_come_from_the_buddy_and_return_to_it),
        cmocka_unit_test(empty_slabs_are_kept_up_to_the_number_asked_for),
        cmocka_unit_test(slabs_that_are_little_used_empty_and_go_back),
        cmocka_unit_test(the_slab_that_was_full_last_serves_next_so_that_the_others_empty),
        cmocka_unit_test(objects_of_successive_slabs_begin_at_different_offsets_when_there_is_room),
        cmocka_unit_test(a_write_after_free_is_found_at_every_byte),
        cmocka_unit_test(an_overrun_by_one_byte_is_found),
        cmocka_unit_test(the_site_that_had_an_object_last_is_known),
        cmocka_unit_test(scrambled_objects_go_out_in_another_order_but_each_once),
        cmocka_unit_test(every_address_of_a_slab_is_judged_as_it_deserves),
        cmocka_unit_test(foreign_addresses_are_told_within_the_window_and_outside),
        cmocka_unit_test(a_slab_that_is_not_wholly_within_the_window_is_never_looked_at),
        cmocka_unit_test(a_bulk_free_tells_the_first_misuse_and_frees_the_rest_with_or_without_a_hook),
        cmocka_unit_test(an_object_of_another_cache_is_foreign_even_if_the_sizes_agree),
        cmocka_unit_test(a_magazine_is_a_stack_that_keeps_no_more_than_its_capacity),
        cmocka_unit_test(a_magazine_of_capacity_0_or_of_a_checked_cache_holds_nothing),
        cmocka_unit_test(what_a_magazine_cannot_see_the_cache_tells_when_it_gets_it),
        cmocka_unit_test(random_calls_agree_with_the_list),
        cmocka_unit_test(no_call_takes_more_steps_than_promised),
        cmocka_unit_test(the_worst_allocation_looks_through_one_bitmap),
        cmocka_unit_test(a_walk_meets_exactly_the_live_ones_and_stops_when_told),
        cmocka_unit_test(the_printed_table_has_a_line_with_the_figures_of_each_cache),
        cmocka_unit_test(a_copy_of_a_cache_and_its_slabs_works_elsewhere),
        cmocka_unit_test(the_lock_is_taken_and_let_go_in_pairs_whatever_happens),
        cmocka_unit_test(a_damaged_cache_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
