/* vmm_alloc.h, section 2, by several threads at once: a cache under a mutex, a magazine for each thread, and objects
 * that one thread allocates and another one frees. The thread sanitizer watches in a configuration of its own. */
#include "helper.h"

#include <pthread.h>

#include "vmm_alloc.h"

#define THREADS 4
#define TURNS 4000
#define BOX 32

typedef struct thing {
    uint64_t seed;
    uint64_t word[7]; /* all equal to seed */
} thing_t;

/* Where threads leave objects for each other. */
static struct {
    pthread_mutex_t mutex;
    thing_t *thing[BOX];
} box;

static struct {
    pthread_mutex_t mutex;
    vmm_cache_t cache;
    unsigned long takes, gives; /* of the page source, which the cache's lock guards as well */
    long constructed, destroyed;
    unsigned misuses;
} shared;

typedef struct worker {
    pthread_t thread;
    uint64_t seed;
    unsigned capacity; /* of its magazine */
    unsigned wrong;    /* objects with the wrong content, calls that failed */
} worker_t;

static void *take(void *user, size_t bytes)
{
    (void)user;
    shared.takes++;
    return aligned_alloc(bytes, bytes);
}

static void give(void *user, void *pages, size_t bytes)
{
    (void)user;
    (void)bytes;
    shared.gives++;
    free(pages);
}

static int construct(void *user, void *object)
{
    (void)user;
    (void)object;
    shared.constructed++;
    return 0;
}

static void destroy(void *user, void *object)
{
    (void)user;
    (void)object;
    shared.destroyed++;
}

static void misuse(void *user, vmm_misuse_t reason, const void *object)
{
    (void)user;
    (void)reason;
    (void)object;
    shared.misuses++;
}

static void acquire(void *user)
{
    (void)pthread_mutex_lock((pthread_mutex_t *)user);
}

static void release(void *user)
{
    (void)pthread_mutex_unlock((pthread_mutex_t *)user);
}

static void *thing_new(worker_t *w, vmm_magazine_t *m)
{
    thing_t *const thing = (thing_t *)vmm_magazine_alloc(m, &shared.cache);
    unsigned i;
    if (!thing) {
        w->wrong++;
        return NULL;
    }
    thing->seed = helper_random(&w->seed);
    for (i = 0; i < 7; i++) thing->word[i] = thing->seed;
    return thing;
}

static void thing_done(worker_t *w, vmm_magazine_t *m, thing_t *thing)
{
    unsigned i;
    if (!thing) return;
    for (i = 0; i < 7; i++) w->wrong += thing->word[i] != thing->seed; /* somebody else had it too */
    if (vmm_magazine_free(m, &shared.cache, thing) != VMM_MISUSE_NONE) w->wrong++;
}

static thing_t *exchange(size_t where, thing_t *thing)
{
    thing_t *other;
    (void)pthread_mutex_lock(&box.mutex);
    other = box.thing[where];
    box.thing[where] = thing;
    (void)pthread_mutex_unlock(&box.mutex);
    return other;
}

/* Keeps a few things, and most of the time swaps one of them for what another thread has left. */
static void *work(void *user)
{
    worker_t *const w = (worker_t *)user;
    thing_t *mine[20];
    vmm_magazine_t m;
    void *bulk[10];
    unsigned turn, i, got;
    vmm_magazine_init(&m, &shared.cache, w->capacity);
    memset(mine, 0, sizeof mine);
    for (turn = 0; turn < TURNS; turn++) {
        const uint64_t random = helper_random(&w->seed);
        i = (unsigned)(random >> 8) % 20;
        thing_done(w, &m, mine[i]);
        mine[i] = (thing_t *)thing_new(w, &m);
        if (random & 3) mine[i] = exchange((random >> 32) % BOX, mine[i]);
        if (turn % 8 == 0) {
            got = vmm_cache_alloc_bulk(&shared.cache, 10, bulk);
            w->wrong += got != 10;
            w->wrong += vmm_cache_free_bulk(&shared.cache, got, bulk) != VMM_MISUSE_NONE;
        }
        if (turn % 512 == 0) vmm_magazine_flush(&m, &shared.cache);
        if (turn % 1024 == 0) vmm_cache_shrink(&shared.cache);
    }
    for (i = 0; i < 20; i++) thing_done(w, &m, mine[i]);
    vmm_magazine_flush(&m, &shared.cache);
    return NULL;
}

static void threads_with_a_magazine_each_share_a_cache(void **state)
{
    static const struct {
        unsigned capacity[THREADS], flags, keep_empty;
    } cases[] = {{{128, 128, 128, 128}, 0, 0}, {{1, 2, 30, 0}, 0, 1}, {{0, 0, 0, 0}, 15, 0}};
    const vmm_pages_t pages = {take, give, NULL, NULL, 0};
    size_t k;
    unsigned i;
    (void)state;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        worker_t workers[THREADS];
        vmm_cache_options_t options;
        memset(&options, 0, sizeof options);
        memset(&shared, 0, sizeof shared);
        assert_int_equal(pthread_mutex_init(&shared.mutex, NULL), 0);
        assert_int_equal(pthread_mutex_init(&box.mutex, NULL), 0);
        options.size = sizeof(thing_t);
        options.construct = construct;
        options.destroy = destroy;
        options.misuse = misuse;
        options.lock.acquire = acquire;
        options.lock.release = release;
        options.lock.user = &shared.mutex;
        options.flags = cases[k].flags;
        options.keep_empty = cases[k].keep_empty;
        assert_int_equal(vmm_cache_init(&shared.cache, &options, &pages), VMM_OK);
        memset(workers, 0, sizeof workers);
        for (i = 0; i < THREADS; i++) {
            workers[i].seed = 1000 + i;
            workers[i].capacity = cases[k].capacity[i];
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
            assert_int_equal(workers[i].wrong, 0);
        }
        for (i = 0; i < BOX; i++) {
            if (box.thing[i]) assert_int_equal(vmm_cache_free(&shared.cache, box.thing[i]), VMM_MISUSE_NONE);
            box.thing[i] = NULL;
        }
        assert_true(vmm_cache_check(&shared.cache));
        assert_int_equal(shared.cache.live, 0);
        assert_int_equal(vmm_cache_destroy(&shared.cache), VMM_OK);
        assert_true(shared.takes > 0);
        assert_int_equal(shared.takes, shared.gives);
        assert_int_equal(shared.constructed, shared.destroyed);
        assert_int_equal(shared.misuses, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_with_a_magazine_each_share_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
