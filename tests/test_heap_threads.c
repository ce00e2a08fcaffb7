/* vmm_alloc.h, section 3, by several threads at once: a heap with a mutex as its lock, and blocks that one thread
 * allocates and another one frees. The thread sanitizer watches in a configuration of its own. */
#include "helper.h"

#include <pthread.h>
#include <string.h>

#include "vmm_alloc.h"

#define THREADS 4
#define TURNS 3000
#define BOX 64
#define ARENA (8u << 20)

VMM_HEAP(locked, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, VMM_HEAP_LOCKS | VMM_HEAP_STATS)
VMM_HEAP(hard, 12, VMM_GOOD_FIT, 3, VMM_BY_POINTER, VMM_HEAP_LOCKS | VMM_HEAP_TAGS)

typedef struct block {
    unsigned char *at;
    size_t bytes;
} block_t;

/* Where threads leave blocks for each other. */
static struct {
    pthread_mutex_t mutex;
    block_t block[BOX];
} box = {PTHREAD_MUTEX_INITIALIZER, {{0, 0}}};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned misuses;
static locked_t locked;
static hard_t hard;
static union {
    uint64_t align;
    unsigned char bytes[ARENA];
} arena;

typedef struct worker {
    pthread_t thread;
    uint64_t seed;
    unsigned wrong;
    void *(*resize)(void *block, size_t bytes, bool zero); /* realloc; of null malloc, or calloc */
    vmm_misuse_t (*give)(void *block);
    size_t (*look)(void); /* at the whole heap */
} worker_t;

static void acquire(void *user)
{
    pthread_mutex_lock((pthread_mutex_t *)user);
}
static void release(void *user)
{
    pthread_mutex_unlock((pthread_mutex_t *)user);
}
static void misuse(void *user, vmm_misuse_t reason, const void *at)
{
    (void)user;
    (void)reason;
    (void)at;
    misuses++; /* under the lock */
}

#define HEAP(NAME)                                                                                                     \
    static void *NAME##_of(void *block, size_t bytes, bool zero)                                                       \
    {                                                                                                                  \
        return !block && zero ? NAME##_calloc(&NAME, 1, bytes) : NAME##_realloc(&NAME, block, bytes);                  \
    }                                                                                                                  \
    static vmm_misuse_t NAME##_back(void *block)                                                                       \
    {                                                                                                                  \
        return NAME##_free(&NAME, block);                                                                              \
    }                                                                                                                  \
    static size_t NAME##_look(void)                                                                                    \
    {                                                                                                                  \
        vmm_heap_report_t report;                                                                                      \
        if (!NAME##_check(&NAME)) return SIZE_MAX;                                                                     \
        (void)NAME##_trim(&NAME, 0);                                                                                   \
        return NAME##_report(&NAME, &report) == VMM_OK ? report.live_blocks : SIZE_MAX;                                \
    }
HEAP(locked)
HEAP(hard)

static bool is_filled(const block_t *b)
{
    size_t i;
    for (i = 0; i < b->bytes; i++)
        if (b->at[i] != (unsigned char)b->bytes) return false;
    return true;
}

/* Swaps a block of its own with what lies in the box, looks at that, and frees it, or makes it longer. */
static void *work(void *data)
{
    worker_t *const w = (worker_t *)data;
    unsigned turn;
    for (turn = 0; turn < TURNS; turn++) {
        const size_t place = (size_t)(helper_random(&w->seed) % BOX);
        const size_t bytes = (size_t)(helper_random(&w->seed) % (turn % 8 ? 300 : 9000)) + 1;
        block_t mine, other;
        mine.bytes = bytes;
        mine.at = (unsigned char *)w->resize(NULL, bytes, turn % 3 == 0);
        if (!mine.at) {
            w->wrong++;
            continue;
        }
        memset(mine.at, (int)(unsigned char)bytes, bytes);
        pthread_mutex_lock(&box.mutex);
        other = box.block[place];
        box.block[place] = mine;
        pthread_mutex_unlock(&box.mutex);
        if (!other.at) continue;
        w->wrong += !is_filled(&other);
        if (turn % 5 == 0) {
            other.at = (unsigned char *)w->resize(other.at, other.bytes + bytes, false);
            w->wrong += !other.at || !is_filled(&other);
        }
        w->wrong += w->give(other.at) != VMM_MISUSE_NONE;
        if (turn % 500 == 0) w->wrong += w->look() == SIZE_MAX;
    }
    return NULL;
}

static void run(const worker_t *like)
{
    static worker_t worker[THREADS];
    size_t i;
    for (i = 0; i < THREADS; i++) {
        worker[i] = *like;
        worker[i].seed = i + 1;
        assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(worker[i].thread, NULL), 0);
        assert_int_equal(worker[i].wrong, 0);
    }
    for (i = 0; i < BOX; i++) {
        if (box.block[i].at) assert_int_equal(like->give(box.block[i].at), VMM_MISUSE_NONE);
        box.block[i].at = NULL;
    }
    assert_int_equal(like->look(), 0);
    assert_int_equal(misuses, 0);
}

static vmm_heap_options_t options_here(void)
{
    vmm_heap_options_t options;
    memset(&options, 0, sizeof options);
    options.arena = arena.bytes;
    options.bytes = sizeof arena.bytes;
    options.hooks.lock.acquire = acquire;
    options.hooks.lock.release = release;
    options.hooks.lock.user = &lock;
    options.hooks.misuse = misuse;
    return options;
}

static void threads_share_a_heap_under_a_lock(void **state)
{
    const vmm_heap_options_t options = options_here();
    const worker_t like = {0, 0, 0, locked_of, locked_back, locked_look};
    (void)state;
    assert_int_equal(locked_init(&locked, &options), VMM_OK);
    run(&like);
    assert_int_equal(locked.stats[0].blocks, 0);
    assert_int_equal(locked.stats[0].allocs, locked.stats[0].frees);
}

static void they_share_one_that_checks_everything(void **state)
{
    const vmm_heap_options_t options = options_here();
    const worker_t like = {0, 0, 0, hard_of, hard_back, hard_look};
    (void)state;
    assert_int_equal(hard_init(&hard, &options), VMM_OK);
    run(&like);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_heap_under_a_lock),
        cmocka_unit_test(they_share_one_that_checks_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
