/* test_heap_far.c - a heap whose memory is reached by hooks alone, at an address that no host pointer has. */
#include "helper.h"

#include "../vmm_alloc.h"

VMM_FAR_HEAP(bare, 0)
VMM_FAR_HEAP(sealed, 1)

#define WORD sizeof(size_t)
#define WORDS 1600
#define BASE (UINT64_C(0x7edc) << 32 | 0x40000000)
#define BLOCKS 24

typedef struct far_api {
    const char *name;
    vmm_heap_core_t *core;
    vmm_status_t (*init)(const vmm_heap_options_t *options);
    bool (*check)(void);
    vmm_status_t (*alloc)(size_t bytes, size_t align, vmm_vaddr_t *at);
    vmm_status_t (*change)(vmm_vaddr_t block, size_t bytes, vmm_vaddr_t *at);
    vmm_status_t (*give)(vmm_vaddr_t block);
} far_api_t;

#define FAR_API(NAME)                                                                                                  \
    static NAME##_t NAME##_one;                                                                                        \
    static vmm_status_t NAME##_1(const vmm_heap_options_t *o)                                                          \
    {                                                                                                                  \
        return NAME##_init(&NAME##_one, o);                                                                            \
    }                                                                                                                  \
    static bool NAME##_2(void)                                                                                         \
    {                                                                                                                  \
        return NAME##_check(&NAME##_one);                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_3(size_t n, size_t a, vmm_vaddr_t *p)                                                   \
    {                                                                                                                  \
        return NAME##_malloc(&NAME##_one, n, a, p);                                                                    \
    }                                                                                                                  \
    static vmm_status_t NAME##_4(vmm_vaddr_t b, size_t n, vmm_vaddr_t *p)                                              \
    {                                                                                                                  \
        return NAME##_realloc(&NAME##_one, b, n, p);                                                                   \
    }                                                                                                                  \
    static vmm_status_t NAME##_5(vmm_vaddr_t b)                                                                        \
    {                                                                                                                  \
        return NAME##_free(&NAME##_one, b);                                                                            \
    }                                                                                                                  \
    static const far_api_t NAME##_api = {#NAME, &NAME##_one.core, NAME##_1, NAME##_2, NAME##_3, NAME##_4, NAME##_5};
FAR_API(bare)
FAR_API(sealed)
static const far_api_t *const kinds[] = {&bare_api, &sealed_api};

typedef struct block {
    vmm_vaddr_t at;
    size_t bytes, seed;
} block_t;

static size_t memory[WORDS], memory_before[WORDS];
static vmm_vaddr_t base;
static unsigned accesses, fail_at, misuses;
static vmm_misuse_t reason;
static vmm_heap_core_t core_before;
static block_t block[BLOCKS];
static const far_api_t *api;
static uint64_t state;

static size_t *word_at(vmm_vaddr_t at)
{
    assert_true(at >= base && at % WORD == 0 && (at - base) / WORD < WORDS);
    return &memory[(at - base) / WORD];
}
static int load(void *user, vmm_vaddr_t at, size_t *word)
{
    assert_ptr_equal(user, memory);
    if (++accesses == fail_at) return 1;
    *word = *word_at(at);
    return 0;
}
static int store(void *user, vmm_vaddr_t at, size_t word)
{
    assert_ptr_equal(user, memory);
    if (++accesses == fail_at) return 1;
    *word_at(at) = word;
    return 0;
}
static void misuse(void *user, vmm_misuse_t why, const void *at)
{
    (void)user;
    (void)at;
    misuses++;
    reason = why;
}
static vmm_heap_options_t far_options(vmm_vaddr_t at)
{
    vmm_heap_options_t o;
    memset(&o, 0, sizeof o);
    o.far_arena = base = at;
    o.bytes = sizeof memory;
    o.hooks.load = load;
    o.hooks.store = store;
    o.hooks.misuse = misuse;
    o.hooks.user = memory;
    return o;
}
static void start(const far_api_t *a, vmm_vaddr_t at)
{
    const vmm_heap_options_t o = far_options(at);
    api = a;
    fail_at = misuses = 0;
    memset(memory, 0x5b, sizeof memory);
    memset(block, 0, sizeof block);
    assert_int_equal(a->init(&o), VMM_OK);
    assert_true(a->check());
}

static void fill(const block_t *b)
{
    size_t i;
    for (i = 0; i < b->bytes / WORD; i++) *word_at(b->at + i * WORD) = b->seed * 31 + i;
}
static void assert_is(const block_t *b, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes / WORD; i++) assert_int_equal(*word_at(b->at + i * WORD), b->seed * 31 + i);
}
static void assert_contents(void)
{
    size_t i;
    for (i = 0; i < BLOCKS; i++)
        if (block[i].at) assert_is(&block[i], block[i].bytes);
}

/* The same operation for the same number, so that it can be tried over and over: what becomes of a block. */
typedef struct operation {
    size_t index, bytes, align;
    bool changes;
} operation_t;

static operation_t random_operation(void)
{
    operation_t o;
    o.index = (size_t)helper_random(&state) % BLOCKS;
    o.bytes = (size_t)helper_random(&state) % (helper_random(&state) % 4 ? 120 : 1200) + 1;
    o.align = helper_random(&state) % 6 ? 1 : (size_t)1 << helper_random(&state) % 9;
    o.changes = helper_random(&state) % 2;
    return o;
}
static vmm_status_t perform(const operation_t *o, vmm_vaddr_t *now)
{
    const block_t *b = &block[o->index];
    *now = 0;
    if (!b->at) return api->alloc(o->bytes, o->align, now);
    return o->changes ? api->change(b->at, o->bytes, now) : api->give(b->at);
}
/* The model's part of it. */
static void follow(const operation_t *o, vmm_vaddr_t now)
{
    block_t *b = &block[o->index];
    const block_t old = *b;
    size_t i;
    b->at = now;
    if (!now) return;
    b->bytes = o->bytes;
    assert_true(now % (old.at ? 1 : o->align) == 0 && now % (2 * WORD) == 0);
    assert_true(now >= base && now + o->bytes <= base + sizeof memory);
    b->seed = old.seed;
    if (old.at) assert_is(b, old.bytes < b->bytes ? old.bytes : b->bytes);
    for (i = 0; i < BLOCKS; i++)
        if (i != o->index && block[i].at)
            assert_true(block[i].at + block[i].bytes <= now || now + b->bytes <= block[i].at);
    b->seed = (size_t)helper_random(&state);
    fill(b);
}

/* Is all as before? Free memory behind a free chunk's links carries nothing, and may have been copied to. */
static void assert_as_before(void)
{
    const size_t first = (size_t)(base & 4095);
    size_t at = core_before.start[0];
    const size_t end = at + core_before.length[0];
    assert_memory_equal(&core_before, api->core, sizeof core_before);
    while (at < end) {
        const size_t *was = &memory_before[(at - first) / WORD], size = was[1] & ~(size_t)7;
        const size_t same = was[1] & 1 ? size / WORD : 4;
        assert_true(size != 0);
        assert_memory_equal(&memory[(at - first) / WORD], was, same * WORD);
        at += size;
    }
    assert_memory_equal(&memory[(at - first) / WORD], &memory_before[(at - first) / WORD], 2 * WORD);
}
/* The operation fails at each of its accesses in turn, until it has as many as it needs. */
static void perform_through_faults(const operation_t *o)
{
    vmm_vaddr_t now;
    vmm_status_t status;
    unsigned n;
    memcpy(memory_before, memory, sizeof memory);
    memcpy(&core_before, api->core, sizeof core_before);
    for (n = 1;; n++) {
        accesses = 0;
        fail_at = n;
        status = perform(o, &now);
        if (accesses < n) break;
        assert_int_equal(status, VMM_FAULT);
        assert_int_equal(now, 0);
        assert_as_before();
        fail_at = 0;
        assert_true(api->check());
        assert_contents();
    }
    fail_at = 0;
    assert_true(status == VMM_OK || status == VMM_E_NO_FRAME);
    if (status == VMM_OK) follow(o, now);
    assert_int_equal(misuses, 0);
}

static void an_access_that_fails_at_any_place_changes_nothing(void **unused)
{
    size_t i, step;
    (void)unused;
    for (i = 0; i < 2; i++) {
        start(kinds[i], BASE + i * 272);
        state = 77;
        for (step = 0; step < 150; step++) {
            const operation_t o = random_operation();
            perform_through_faults(&o);
            assert_true(api->check());
        }
        assert_contents();
    }
}

static void random_operations_agree_with_a_list_of_live_blocks(void **unused)
{
    size_t i, step;
    (void)unused;
    for (i = 0; i < 2; i++) {
        start(kinds[i], BASE);
        state = 3;
        for (step = 0; step < 3000; step++) {
            const operation_t o = random_operation();
            const bool gives = block[o.index].at && !o.changes;
            vmm_vaddr_t now;
            const vmm_status_t status = perform(&o, &now);
            assert_true(status == VMM_OK || (status == VMM_E_NO_FRAME && !gives));
            if (status == VMM_OK) follow(&o, now);
            assert_true(api->check());
            assert_contents();
        }
        for (step = 0; step < BLOCKS; step++)
            if (block[step].at) assert_int_equal(api->give(block[step].at), VMM_OK);
        assert_true(api->check());
        assert_int_equal(api->core->free_bytes, api->core->length[0]);
        assert_int_equal(misuses, 0);
    }
}

static void an_access_that_fails_while_a_heap_is_made_is_told(void **unused)
{
    const vmm_heap_options_t o = far_options(BASE);
    unsigned n;
    (void)unused;
    for (n = 1; n < 100; n++) {
        vmm_status_t status;
        accesses = 0;
        fail_at = n;
        status = kinds[n & 1]->init(&o);
        if (accesses < n) break;
        assert_int_equal(status, VMM_FAULT);
    }
    assert_true(n > 2 && n < 100);
    fail_at = 0;
}

static void an_access_that_fails_while_a_heap_is_checked_harms_only_the_check(void **unused)
{
    vmm_vaddr_t a, b, c;
    unsigned n;
    (void)unused;
    start(&bare_api, BASE);
    assert_int_equal(api->alloc(100, 1, &a), VMM_OK);
    assert_int_equal(api->alloc(100, 1, &b), VMM_OK);
    assert_int_equal(api->give(a), VMM_OK);
    for (n = 1; n < 100; n++) {
        bool holds;
        accesses = 0;
        fail_at = n;
        holds = api->check();
        if (accesses < n) break;
        assert_false(holds);
        fail_at = 0;
        assert_int_equal(api->alloc(8, 1, &c), VMM_OK);
        assert_int_equal(api->give(c), VMM_OK);
    }
    assert_true(n > 2 && n < 100);
}

static void bad_arguments_are_answered_and_change_nothing(void **unused)
{
    vmm_heap_options_t o = far_options(BASE);
    vmm_vaddr_t a, b;
    size_t i, k;
    (void)unused;
    o.hooks.load = NULL;
    assert_int_equal(bare_api.init(&o), VMM_E_ARGUMENT);
    o = far_options(BASE);
    o.hooks.store = NULL;
    assert_int_equal(bare_api.init(&o), VMM_E_ARGUMENT);
    o = far_options(BASE);
    o.bytes = 0;
    assert_int_equal(bare_api.init(&o), VMM_E_ARGUMENT);
    o.bytes = 2 * WORD;
    assert_int_equal(bare_api.init(&o), VMM_E_RANGE);
    o.bytes = SIZE_MAX;
    assert_int_equal(bare_api.init(&o), VMM_E_RANGE);
    assert_int_equal(bare_api.init(NULL), VMM_E_ARGUMENT);
    for (k = 0; k < 2; k++) {
        static const size_t size[] = {SIZE_MAX,         SIZE_MAX - 1,      SIZE_MAX - 15, SIZE_MAX / 2,
                                      SIZE_MAX / 4 + 1, SIZE_MAX / 4 - 64, sizeof memory};
        start(kinds[k], BASE);
        assert_int_equal(api->alloc(8, 1, NULL), VMM_E_ARGUMENT);
        assert_int_equal(api->alloc(200, 1, &a), VMM_OK);
        assert_int_equal(api->change(a, 8, NULL), VMM_E_ARGUMENT);
        memcpy(memory_before, memory, sizeof memory);
        for (i = 0; i < sizeof size / sizeof size[0]; i++) {
            b = 1;
            assert_int_equal(api->alloc(size[i], 1, &b), VMM_E_NO_FRAME);
            assert_int_equal(api->change(a, size[i], &b), VMM_E_NO_FRAME);
            assert_int_equal(b, 1);
        }
        assert_true(api->alloc(8, 24, &b) != VMM_OK);
        assert_true(api->alloc(8, SIZE_MAX / 2 + 1, &b) != VMM_OK);
        assert_int_equal(api->give(0), VMM_OK);
        assert_int_equal(api->give(a + 2 * WORD), VMM_E_NOT_MAPPED);
        assert_int_equal(api->give(a + 1), VMM_E_NOT_MAPPED);
        assert_int_equal(api->give(base - 4096), VMM_E_NOT_MAPPED);
        assert_int_equal(api->give(base + sizeof memory), VMM_E_NOT_MAPPED);
        assert_int_equal(api->give(~(vmm_vaddr_t)0), VMM_E_NOT_MAPPED);
        assert_int_equal(api->give(a + (UINT64_C(1) << 32)), VMM_E_NOT_MAPPED);
        assert_true(api->change(a + 2 * WORD, 8, &b) != VMM_OK);
        assert_memory_equal(memory, memory_before, sizeof memory);
        assert_true(api->check());
        assert_int_equal(api->give(a), VMM_OK);
        misuses = 0;
        assert_int_equal(api->give(a), VMM_E_NOT_MAPPED);
        assert_int_equal(misuses, 1);
        assert_int_equal(reason, VMM_MISUSE_DOUBLE_FREE);
        assert_true(api->check());
    }
}

static void an_overrun_is_found_by_the_seal_at_level_1(void **unused)
{
    vmm_vaddr_t a, b;
    (void)unused;
    start(&sealed_api, BASE);
    assert_int_equal(api->alloc(8 * WORD, 1, &a), VMM_OK);
    assert_int_equal(api->alloc(8 * WORD, 1, &b), VMM_OK);
    *word_at(a + 8 * WORD) ^= 1;
    assert_int_equal(api->give(a), VMM_E_NOT_MAPPED);
    assert_int_equal(reason, VMM_MISUSE_OVERRUN);
    assert_false(api->check());
    *word_at(a + 8 * WORD) ^= 1;
    assert_int_equal(api->give(a), VMM_OK);
    assert_true(api->check());
}

static void an_arena_may_cross_any_power_of_two(void **unused)
{
    vmm_vaddr_t a;
    (void)unused;
    start(&bare_api, (UINT64_C(1) << 32) - 4096);
    assert_int_equal(api->alloc(1000, 4096, &a), VMM_OK);
    assert_true(a % 4096 == 0);
    start(&bare_api, (UINT64_C(1) << 40) - 2048);
    assert_int_equal(api->alloc(1000, 1, &a), VMM_OK);
    assert_int_equal(api->give(a), VMM_OK);
    assert_true(api->check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_access_that_fails_at_any_place_changes_nothing),
        cmocka_unit_test(random_operations_agree_with_a_list_of_live_blocks),
        cmocka_unit_test(an_access_that_fails_while_a_heap_is_made_is_told),
        cmocka_unit_test(an_access_that_fails_while_a_heap_is_checked_harms_only_the_check),
        cmocka_unit_test(bad_arguments_are_answered_and_change_nothing),
        cmocka_unit_test(an_overrun_is_found_by_the_seal_at_level_1),
        cmocka_unit_test(an_arena_may_cross_any_power_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
