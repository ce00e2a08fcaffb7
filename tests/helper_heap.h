/* helper_heap.h - what the heap's tests share: a host that gives memory and can be made to fail, and every kind of
 * heap behind one table of functions. Include it before anything else. */
#ifndef HELPER_HEAP_H
#define HELPER_HEAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap */
#endif
#include "helper.h"

#include <sys/mman.h>

#include "../vmm_alloc.h"

#define HOST_MOST ((size_t)32 << 20) /* what grow can give */
#define HOST_BLOCKS 64
#define HOST_EVENTS 16384

typedef struct host_told {
    char operation;
    const void *old, *now;
    size_t bytes;
} host_told_t;

/* What hooks are served by, and what they saw. Memory that was given back cannot be touched. */
typedef struct host {
    uint8_t *area;           /* HOST_MOST bytes */
    size_t at;               /* of these, given by grow */
    size_t gap;              /* left out before each grow */
    unsigned calls, fail_at; /* the call that fails, counted from 1 over all five hooks; 0: none */
    bool fails;              /* every call */
    unsigned grows, shrinks, maps, unmaps, remaps;
    size_t mapped; /* bytes out */
    struct {
        uint8_t *at;
        size_t bytes;
    } block[HOST_BLOCKS];
    unsigned misuses;
    vmm_misuse_t reason;
    const void *where;
    int locked;
    unsigned locks;
    size_t events;
    host_told_t *event; /* HOST_EVENTS of them, or null */
} host_t;

static host_t host;

static inline bool host_refuses(host_t *h)
{
    h->calls++;
    return h->fails || h->calls == h->fail_at;
}
static inline int host_grow(void *user, size_t bytes, void **at)
{
    host_t *h = (host_t *)user;
    assert_true(bytes % 4096 == 0 && bytes != 0);
    if (host_refuses(h) || bytes > HOST_MOST - h->at || h->gap > HOST_MOST - h->at - bytes) return 1;
    h->at += h->gap;
    *at = h->area + h->at;
    assert_int_equal(mprotect(*at, bytes, PROT_READ | PROT_WRITE), 0);
    h->at += bytes;
    h->grows++;
    return 0;
}
static inline int host_shrink(void *user, void *at, size_t bytes)
{
    host_t *h = (host_t *)user;
    const size_t first = (size_t)((uint8_t *)at - h->area);
    assert_true(bytes % 4096 == 0 && bytes != 0 && first % 4096 == 0 && first + bytes <= h->at);
    if (host_refuses(h)) return 1;
    assert_int_equal(mprotect(at, bytes, PROT_NONE), 0);
    if (first + bytes == h->at) h->at = first;
    h->shrinks++;
    return 0;
}
static inline size_t host_find(const host_t *h, const void *at)
{
    size_t i;
    for (i = 0; i < HOST_BLOCKS && h->block[i].at != at; i++) {}
    assert_true(i < HOST_BLOCKS);
    return i;
}
static inline void *host_map(void *user, size_t bytes)
{
    host_t *h = (host_t *)user;
    void *at;
    size_t i;
    assert_true(bytes % 4096 == 0 && bytes != 0);
    if (host_refuses(h) || bytes > 3 * HOST_MOST) return NULL;
    i = host_find(h, NULL);
    at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    h->block[i].at = (uint8_t *)at;
    h->block[i].bytes = bytes;
    h->mapped += bytes;
    h->maps++;
    return at;
}
static inline int host_unmap(void *user, void *at, size_t bytes)
{
    host_t *h = (host_t *)user;
    const size_t i = host_find(h, at);
    assert_int_equal(h->block[i].bytes, bytes);
    if (host_refuses(h)) return 1;
    assert_int_equal(munmap(at, bytes), 0);
    h->block[i].at = NULL;
    h->mapped -= bytes;
    h->unmaps++;
    return 0;
}
static inline void *host_remap(void *user, void *at, size_t bytes, size_t wanted)
{
    host_t *h = (host_t *)user;
    const size_t i = host_find(h, at);
    assert_true(wanted % 4096 == 0 && wanted != 0);
    assert_int_equal(h->block[i].bytes, bytes);
    if (host_refuses(h)) return NULL;
    at = mremap(at, bytes, wanted, MREMAP_MAYMOVE);
    assert_true(at != MAP_FAILED);
    h->block[i].at = (uint8_t *)at;
    h->block[i].bytes = wanted;
    h->mapped += wanted - bytes;
    h->remaps++;
    return at;
}
static inline void host_misuse(void *user, vmm_misuse_t reason, const void *at)
{
    host_t *h = (host_t *)user;
    h->misuses++;
    h->reason = reason;
    h->where = at;
}
static inline void host_event(void *user, char operation, const void *old, const void *now, size_t bytes)
{
    host_t *h = (host_t *)user;
    if (!h->event) return;
    assert_true(h->events < HOST_EVENTS);
    h->event[h->events].operation = operation;
    h->event[h->events].old = old;
    h->event[h->events].now = now;
    h->event[h->events++].bytes = bytes;
}
static inline void host_acquire(void *user)
{
    host_t *h = (host_t *)user;
    assert_int_equal(h->locked++, 0);
    h->locks++;
}
static inline void host_release(void *user)
{
    assert_int_equal(--((host_t *)user)->locked, 0);
}

/* As if nothing had ever been asked of it. */
static inline void host_reset(void)
{
    uint8_t *area = host.area;
    size_t i;
    for (i = 0; i < HOST_BLOCKS; i++)
        if (host.block[i].at) munmap(host.block[i].at, host.block[i].bytes);
    memset(&host, 0, sizeof host);
    host.area = (uint8_t *)mmap(area, HOST_MOST, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (area ? MAP_FIXED : 0), -1, 0);
    assert_true(host.area != MAP_FAILED);
}

/* Does [at, at + bytes) lie in memory that the host has given and not had back? */
static inline bool host_gave(const uint8_t *at, size_t bytes)
{
    size_t i;
    if (at >= host.area && at < host.area + host.at) return bytes <= (size_t)(host.area + host.at - at);
    for (i = 0; i < HOST_BLOCKS; i++)
        if (host.block[i].at && at >= host.block[i].at && at < host.block[i].at + host.block[i].bytes)
            return bytes <= (size_t)(host.block[i].at + host.block[i].bytes - at);
    return false;
}

static inline vmm_heap_options_t host_options(void)
{
    vmm_heap_options_t o;
    memset(&o, 0, sizeof o);
    o.hooks.grow = host_grow;
    o.hooks.shrink = host_shrink;
    o.hooks.map = host_map;
    o.hooks.unmap = host_unmap;
    o.hooks.remap = host_remap;
    o.hooks.misuse = host_misuse;
    o.hooks.event = host_event;
    o.hooks.lock.acquire = host_acquire;
    o.hooks.lock.release = host_release;
    o.hooks.lock.user = &host;
    o.hooks.user = &host;
    return o;
}

/* A kind of heap and its one instance. */
typedef struct heap_api {
    const char *name;
    const vmm_heap_kind_t *kind;
    vmm_heap_core_t *core;
    vmm_heap_stats_t *counters; /* of kinds that count */
    size_t bytes;               /* of the instance, which begins with its core */
    vmm_status_t (*init)(const vmm_heap_options_t *options);
    bool (*check)(void);
    void *(*alloc)(size_t bytes);
    void *(*alloc_at)(size_t bytes, const void *site);
    void *(*zeroed)(size_t count, size_t bytes);
    void *(*change)(void *block, size_t bytes);
    void *(*change_at)(void *block, size_t bytes, const void *site);
    bool (*resize)(void *block, size_t bytes);
    void *(*aligned)(size_t align, size_t bytes);
    vmm_misuse_t (*give)(void *block);
    vmm_misuse_t (*give_sized)(void *block, size_t bytes);
    size_t (*usable)(const void *block);
    vmm_status_t (*add)(void *region, size_t bytes);
    vmm_status_t (*mallopt)(int parameter, size_t value);
    size_t (*trim)(size_t keep);
    vmm_status_t (*walk)(vmm_live_visit_t visit, void *user);
    vmm_status_t (*report)(vmm_heap_report_t *report);
} heap_api_t;

/* Stamps a heap of a kind and its table, NAME_api. */
#define HEAP_API(NAME, ...)                                                                                            \
    VMM_HEAP(NAME, __VA_ARGS__)                                                                                        \
    static NAME##_t NAME##_one;                                                                                        \
    static vmm_status_t NAME##_1(const vmm_heap_options_t *o)                                                          \
    {                                                                                                                  \
        return NAME##_init(&NAME##_one, o);                                                                            \
    }                                                                                                                  \
    static bool NAME##_2(void)                                                                                         \
    {                                                                                                                  \
        return NAME##_check(&NAME##_one);                                                                              \
    }                                                                                                                  \
    static void *NAME##_3(size_t n)                                                                                    \
    {                                                                                                                  \
        return NAME##_malloc(&NAME##_one, n);                                                                          \
    }                                                                                                                  \
    static void *NAME##_4(size_t n, const void *s)                                                                     \
    {                                                                                                                  \
        return NAME##_malloc_at(&NAME##_one, n, s);                                                                    \
    }                                                                                                                  \
    static void *NAME##_5(size_t c, size_t n)                                                                          \
    {                                                                                                                  \
        return NAME##_calloc(&NAME##_one, c, n);                                                                       \
    }                                                                                                                  \
    static void *NAME##_6(void *p, size_t n)                                                                           \
    {                                                                                                                  \
        return NAME##_realloc(&NAME##_one, p, n);                                                                      \
    }                                                                                                                  \
    static void *NAME##_7(void *p, size_t n, const void *s)                                                            \
    {                                                                                                                  \
        return NAME##_realloc_at(&NAME##_one, p, n, s);                                                                \
    }                                                                                                                  \
    static bool NAME##_8(void *p, size_t n)                                                                            \
    {                                                                                                                  \
        return NAME##_resize(&NAME##_one, p, n);                                                                       \
    }                                                                                                                  \
    static void *NAME##_9(size_t a, size_t n)                                                                          \
    {                                                                                                                  \
        return NAME##_aligned_alloc(&NAME##_one, a, n);                                                                \
    }                                                                                                                  \
    static vmm_misuse_t NAME##_10(void *p)                                                                             \
    {                                                                                                                  \
        return NAME##_free(&NAME##_one, p);                                                                            \
    }                                                                                                                  \
    static vmm_misuse_t NAME##_11(void *p, size_t n)                                                                   \
    {                                                                                                                  \
        return NAME##_free_sized(&NAME##_one, p, n);                                                                   \
    }                                                                                                                  \
    static size_t NAME##_12(const void *p)                                                                             \
    {                                                                                                                  \
        return NAME##_usable_size(&NAME##_one, p);                                                                     \
    }                                                                                                                  \
    static vmm_status_t NAME##_13(void *p, size_t n)                                                                   \
    {                                                                                                                  \
        return NAME##_add(&NAME##_one, p, n);                                                                          \
    }                                                                                                                  \
    static vmm_status_t NAME##_14(int p, size_t n)                                                                     \
    {                                                                                                                  \
        return NAME##_mallopt(&NAME##_one, p, n);                                                                      \
    }                                                                                                                  \
    static size_t NAME##_15(size_t n)                                                                                  \
    {                                                                                                                  \
        return NAME##_trim(&NAME##_one, n);                                                                            \
    }                                                                                                                  \
    static vmm_status_t NAME##_16(vmm_live_visit_t v, void *u)                                                         \
    {                                                                                                                  \
        return NAME##_walk(&NAME##_one, v, u);                                                                         \
    }                                                                                                                  \
    static vmm_status_t NAME##_17(vmm_heap_report_t *r)                                                                \
    {                                                                                                                  \
        return NAME##_report(&NAME##_one, r);                                                                          \
    }                                                                                                                  \
    static const heap_api_t NAME##_api = {                                                                             \
        #NAME,     &NAME##_kind, &NAME##_one.core, NAME##_one.stats, sizeof(NAME##_t), NAME##_1, NAME##_2,  NAME##_3,  \
        NAME##_4,  NAME##_5,     NAME##_6,         NAME##_7,         NAME##_8,         NAME##_9, NAME##_10, NAME##_11, \
        NAME##_12, NAME##_13,    NAME##_14,        NAME##_15,        NAME##_16,        NAME##_17};

HEAP_API(fast, VMM_HEAP_FAST)
HEAP_API(safe, VMM_HEAP_SAFE)
HEAP_API(hard, VMM_HEAP_HARD)
HEAP_API(bounded, VMM_HEAP_BOUNDED)
HEAP_API(guarded, 12, VMM_GOOD_FIT, 2, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS | VMM_HEAP_STATS)
HEAP_API(nine, 9, VMM_GOOD_FIT, 1, VMM_BY_POINTER, VMM_HEAP_STATS | VMM_HEAP_TAGS | VMM_HEAP_LOCKS | VMM_HEAP_EVENTS)
HEAP_API(ten, 10, VMM_GOOD_FIT, 0, VMM_BY_POINTER, VMM_HEAP_STATS | VMM_HEAP_EVENTS)
HEAP_API(eleven, 11, VMM_GOOD_FIT, 2, VMM_BY_POINTER, VMM_HEAP_LOCKS)
HEAP_API(first, VMM_HEAP_TEXTBOOK(VMM_FIRST_FIT))
HEAP_API(best, VMM_HEAP_TEXTBOOK(VMM_BEST_FIT))
HEAP_API(next, VMM_HEAP_TEXTBOOK(VMM_NEXT_FIT))
HEAP_API(outside, 0, VMM_GOOD_FIT, 1, VMM_OUTSIDE, VMM_HEAP_STATS | VMM_HEAP_EVENTS)
HEAP_API(apart, 0, VMM_BEST_FIT, 0, VMM_OUTSIDE, VMM_HEAP_LOCKS)
HEAP_API(tagged, 0, VMM_GOOD_FIT, 0, VMM_BY_POINTER, VMM_HEAP_TAGS | VMM_HEAP_GROWS | VMM_HEAP_EVENTS)

static const heap_api_t *const heap_kinds[] = {&fast_api, &safe_api,    &hard_api,   &bounded_api, &guarded_api,
                                               &nine_api, &ten_api,     &eleven_api, &first_api,   &best_api,
                                               &next_api, &outside_api, &apart_api,  &tagged_api};
#define HEAP_KINDS (sizeof heap_kinds / sizeof heap_kinds[0])

#define HEAP_ARENA ((size_t)1 << 20)
static union {
    uint64_t align;
    uint8_t byte[HEAP_ARENA];
} heap_arena __attribute__((aligned(16384))); /* so that offsets are the same everywhere */
static uint64_t heap_side[VMM_HEAP_SIDE_BYTES(HEAP_ARENA, 16) / 8 + 1];
static uint8_t heap_page_map[VMM_HEAP_MAP_BYTES(HOST_MOST, 9)];

static inline bool heap_has(const heap_api_t *a, unsigned extra)
{
    return (a->kind->extras & extra) != 0;
}
/* The counters of a kind that counts, else null. */
static inline vmm_heap_stats_t *heap_stats(const heap_api_t *a)
{
    return heap_has(a, VMM_HEAP_STATS) ? a->counters : NULL;
}

/* Options for a kind: over grow if it can, else over `bytes` of the arena. */
static inline vmm_heap_options_t heap_options(const heap_api_t *a, size_t bytes)
{
    vmm_heap_options_t o = host_options();
    if (heap_has(a, VMM_HEAP_GROWS)) {
        memset(heap_page_map, 0, sizeof heap_page_map);
        o.window = HOST_MOST;
        o.page_map = heap_page_map;
    } else {
        o.arena = &heap_arena;
        o.bytes = bytes;
    }
    if (a->kind->reach == VMM_OUTSIDE) {
        o.side = heap_side;
        o.side_bytes = sizeof heap_side;
    }
    return o;
}
/* A new heap of a kind over a new host. */
static inline void heap_start(const heap_api_t *a, size_t bytes)
{
    vmm_heap_options_t o;
    host_reset();
    o = heap_options(a, bytes);
    memset(&heap_arena, 0xa7, sizeof heap_arena);
    assert_int_equal(a->init(&o), VMM_OK);
    assert_true(a->check());
}

/* What malloc promises: as aligned as two words are. */
#define HEAP_ALIGN (2 * sizeof(size_t))

/* Content that tells one block from another. */
static inline void heap_fill(uint8_t *at, size_t bytes, unsigned seed)
{
    size_t i;
    for (i = 0; i < bytes; i++) at[i] = (uint8_t)(seed + i * 7);
}
static inline bool heap_is(const uint8_t *at, size_t bytes, unsigned seed)
{
    size_t i;
    for (i = 0; i < bytes && at[i] == (uint8_t)(seed + i * 7); i++) {}
    return i == bytes;
}
static inline bool heap_is_all(const uint8_t *at, size_t bytes, uint8_t value)
{
    size_t i;
    for (i = 0; i < bytes && at[i] == value; i++) {}
    return i == bytes;
}

#endif /* HELPER_HEAP_H */
