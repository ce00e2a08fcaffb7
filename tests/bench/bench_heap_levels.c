/* What every option of a heap and of a cache costs, in ns of one operation.
 *
 * The heaps replay two traces of real programs in this process, taking turns; each block's first and last byte are
 * written when it is allocated or reallocated. A heap's figure is the mean of the two traces' ns per operation, its
 * ratio the median of the turns' ratios to level 0 without any extra. The first replay, in which memory comes from
 * the kernel, does not count. The textbooks' fits walk their chunks, so they and level 0 once more replay only the
 * beginning of the traces. The caches allocate 1024 objects of 64 bytes and free them in a shuffled order.
 */
#define _GNU_SOURCE /* mremap, MAP_ANONYMOUS, sched_setaffinity */
#include "bench.h"
#include "rep.h"
#include "vmm_alloc.h"

#include <sched.h>
#include <sys/mman.h>

#define TURNS 15
#define TRACES 2
#define BEGINNING 5000 /* operations that the textbooks' fits replay */
#define RESERVED ((size_t)1 << 30)
#define ARENA ((size_t)64 << 20) /* of heaps that do not grow */
#define GRANULE 64
#define GROWS (VMM_HEAP_GROWS | VMM_HEAP_MAPS)

#define CORE static inline __attribute__((always_inline))

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "bench_heap_levels: %s\n", what);
    exit(1);
}

/* Time of this process alone: a replay is longer than the turn that a busy machine gives it. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static unsigned char *reserve(size_t bytes)
{
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) fail("no memory");
    return (unsigned char *)at;
}

/* ---- what a heap calls ---- */

typedef struct {
    unsigned char *base;
    size_t used;
} area_t;

static int area_grow(void *user, size_t bytes, void **at)
{
    area_t *const area = (area_t *)user;
    if (bytes > RESERVED - area->used) return 1;
    *at = area->base + area->used;
    area->used += bytes;
    return 0;
}

static int area_shrink(void *user, void *at, size_t bytes)
{
    area_t *const area = (area_t *)user;
    if ((unsigned char *)at + bytes != area->base + area->used) return 1;
    area->used -= bytes;
    return madvise(at, bytes, MADV_DONTNEED);
}

static void *area_map(void *user, size_t bytes)
{
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)user;
    return at == MAP_FAILED ? NULL : at;
}

static int area_unmap(void *user, void *at, size_t bytes)
{
    (void)user;
    return munmap(at, bytes);
}

static void *area_remap(void *user, void *at, size_t bytes, size_t wanted)
{
    void *const now = mremap(at, bytes, wanted, MREMAP_MAYMOVE);
    (void)user;
    return now == MAP_FAILED ? NULL : now;
}

static void no_lock(void *user)
{
    (void)user;
}

static void no_event(void *user, char operation, const void *old, const void *now, size_t bytes)
{
    (void)user;
    (void)operation;
    (void)old;
    (void)now;
    (void)bytes;
}

/* Options for any kind; what a kind does not use does no harm. */
static vmm_heap_options_t options_of(const vmm_heap_kind_t *kind)
{
    vmm_heap_options_t options;
    area_t *const area = (area_t *)calloc(1, sizeof *area);
    if (!area) fail("no memory");
    memset(&options, 0, sizeof options);
    area->base = reserve(RESERVED + VMM_HEAP_MAP_BYTES(RESERVED, 12));
    options.hooks.user = area;
    if (kind->extras & VMM_HEAP_GROWS) {
        options.hooks.grow = area_grow;
        options.hooks.shrink = area_shrink;
    } else {
        options.arena = area->base;
        options.bytes = ARENA;
    }
    options.hooks.map = area_map;
    options.hooks.unmap = area_unmap;
    options.hooks.remap = area_remap;
    options.hooks.lock.acquire = no_lock;
    options.hooks.lock.release = no_lock;
    options.hooks.event = no_event;
    options.window = RESERVED;
    options.page_map = area->base + RESERVED;
    if (kind->reach == VMM_OUTSIDE) {
        options.granule = GRANULE;
        options.side_bytes = VMM_HEAP_SIDE_BYTES(ARENA, GRANULE);
        options.side = reserve(options.side_bytes);
    }
    return options;
}

/* ---- the replay ---- */

typedef struct {
    void *(*allocate)(size_t bytes);
    void *(*reallocate)(void *block, size_t bytes);
    void (*release)(void *block);
} calls_t;

static unsigned char **block_of; /* the live blocks by ID */

CORE double replay(const calls_t *calls, const rep_trace_t *trace)
{
    const rep_op_t *op = trace->op, *const end = op + trace->facts.count;
    const double start = cpu_ns();
    for (; op != end; op++) {
        unsigned char **const block = &block_of[op->id];
        if (op->kind == REP_FREE) {
            calls->release(*block);
            continue;
        }
        *block = (unsigned char *)(op->kind == REP_ALLOCATE ? calls->allocate(op->size)
                                                            : calls->reallocate(*block, op->size));
        if (!*block) fail("a heap has no memory");
        if (op->size) (*block)[0] = (*block)[op->size - 1] = (unsigned char)op->size;
    }
    return (cpu_ns() - start) / (double)trace->facts.count;
}

/* A heap, and a copy of the replay that calls it as a program would. */
#define HEAP(NAME, ...)                                                                                                \
    VMM_HEAP(NAME, __VA_ARGS__)                                                                                        \
    static NAME##_t NAME##_heap;                                                                                       \
    static int NAME##_start(void)                                                                                      \
    {                                                                                                                  \
        const vmm_heap_options_t options = options_of(&NAME##_kind);                                                   \
        return NAME##_init(&NAME##_heap, &options) == VMM_OK;                                                          \
    }                                                                                                                  \
    CORE void *NAME##_allocate(size_t bytes)                                                                           \
    {                                                                                                                  \
        return NAME##_malloc(&NAME##_heap, bytes);                                                                     \
    }                                                                                                                  \
    CORE void *NAME##_reallocate(void *block, size_t bytes)                                                            \
    {                                                                                                                  \
        return NAME##_realloc(&NAME##_heap, block, bytes);                                                             \
    }                                                                                                                  \
    CORE void NAME##_release(void *block)                                                                              \
    {                                                                                                                  \
        (void)NAME##_free(&NAME##_heap, block);                                                                        \
    }                                                                                                                  \
    static const calls_t NAME##_calls = {NAME##_allocate, NAME##_reallocate, NAME##_release};                          \
    static double NAME##_replay(const rep_trace_t *trace)                                                              \
    {                                                                                                                  \
        return replay(&NAME##_calls, trace);                                                                           \
    }

HEAP(level0, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS)
HEAP(level1, 12, VMM_GOOD_FIT, 1, VMM_BY_POINTER, GROWS)
HEAP(level2, 12, VMM_GOOD_FIT, 2, VMM_BY_POINTER, GROWS)
HEAP(level3, 12, VMM_GOOD_FIT, 3, VMM_BY_POINTER, GROWS)
HEAP(stats, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS | VMM_HEAP_STATS)
HEAP(tags, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS | VMM_HEAP_TAGS)
HEAP(locks, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS | VMM_HEAP_LOCKS)
HEAP(events, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS | VMM_HEAP_EVENTS)
HEAP(bounded, VMM_HEAP_BOUNDED)
HEAP(outside, 0, VMM_GOOD_FIT, 0, VMM_OUTSIDE, 0)
HEAP(beginning0, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, GROWS)
HEAP(first_fit, VMM_HEAP_TEXTBOOK(VMM_FIRST_FIT))
HEAP(best_fit, VMM_HEAP_TEXTBOOK(VMM_BEST_FIT))
HEAP(next_fit, VMM_HEAP_TEXTBOOK(VMM_NEXT_FIT))

typedef struct {
    const char *name;
    int (*start)(void);
    double (*replay)(const rep_trace_t *trace);
} heap_t;

#define ENTRY(NAME) #NAME, NAME##_start, NAME##_replay
#define WHOLE 10 /* the first so many replay whole traces */
#define HEAPS 14
#define MOST 16 /* things that are compared with each other */
static const heap_t heaps[HEAPS] = {
    {ENTRY(level0)},     {ENTRY(level1)},    {ENTRY(level2)},   {ENTRY(level3)},   {ENTRY(stats)},
    {ENTRY(tags)},       {ENTRY(locks)},     {ENTRY(events)},   {ENTRY(bounded)},  {ENTRY(outside)},
    {ENTRY(beginning0)}, {ENTRY(first_fit)}, {ENTRY(best_fit)}, {ENTRY(next_fit)},
};

/* The first operations of a trace, and frees of what is live then. */
static rep_trace_t beginning_of(const rep_trace_t *trace)
{
    rep_trace_t beginning = *trace;
    unsigned char *live = (unsigned char *)calloc(trace->facts.ids, 1);
    uint64_t i, count = trace->facts.count < BEGINNING ? trace->facts.count : BEGINNING;
    beginning.op = (rep_op_t *)malloc((count + trace->facts.ids) * sizeof *beginning.op);
    if (!live || !beginning.op) fail("no memory");
    for (i = 0; i < count; i++) {
        beginning.op[i] = trace->op[i];
        live[trace->op[i].id] = trace->op[i].kind != REP_FREE;
    }
    for (i = 0; i < trace->facts.ids; i++)
        if (live[i]) beginning.op[count++] = (rep_op_t){REP_FREE, (uint32_t)i, 0, 0};
    beginning.facts.count = count;
    free(live);
    return beginning;
}

/* One row for each measured thing but the first, against which they are. Sorts what was measured. */
static void rows(const char *group, const char *const *name, double (*value)[TURNS], int count, const char *against)
{
    double ratio[MOST][TURNS];
    char row[64];
    int i, turn;
    for (i = 0; i < count; i++)
        for (turn = 0; turn < TURNS; turn++) ratio[i][turn] = value[i][turn] / value[0][turn];
    for (i = 0; i < count; i++) bench_median(value[i], TURNS);
    for (i = 1; i < count; i++) {
        snprintf(row, sizeof row, "alloc.%s.option.%s", group, name[i]);
        bench_row(row, value[i][TURNS / 2], "ns", against, value[0][TURNS / 2], bench_median(ratio[i], TURNS));
    }
}

static void compare_heaps(const heap_t *heap, int count, const rep_trace_t *trace, const char *against)
{
    static double value[MOST][TURNS];
    const char *name[MOST];
    int turn, i, which;
    for (i = 0; i < count; i++) {
        name[i] = heap[i].name;
        if (!heap[i].start()) fail("a heap does not start");
    }
    for (turn = -1; turn < TURNS; turn++) {
        for (i = 0; i < count; i++) {
            double sum = 0;
            for (which = 0; which < TRACES; which++) sum += heap[i].replay(&trace[which]);
            value[i][turn < 0 ? 0 : turn] = sum / TRACES;
        }
    }
    rows("heap", name, value, count, against);
}

/* ---- caches ---- */

#define OBJECTS 1024
#define REPEATS 20
#define FRAMES 1024

typedef struct {
    const char *name;
    unsigned flags, magazine;
    bool locks;
} cache_case_t;

static const cache_case_t cache_cases[] = {
    {"none", 0, 0, false},
    {"poison", VMM_CACHE_POISON, 0, false},
    {"redzone", VMM_CACHE_REDZONE, 0, false},
    {"owner", VMM_CACHE_OWNER, 0, false},
    {"scramble", VMM_CACHE_SCRAMBLE, 0, false},
    {"lock", 0, 0, true},
    {"magazine", 0, VMM_MAGAZINE_ITEMS, false},
    {"magazine_lock", 0, VMM_MAGAZINE_ITEMS, true},
};
#define CACHES ((int)(sizeof cache_cases / sizeof *cache_cases))

typedef struct {
    vmm_frames_t frames;
    vmm_cache_t cache;
    vmm_magazine_t magazine;
    uint8_t side[VMM_FRAMES_BYTES(FRAMES)];
} cached_t;

static uint16_t shuffled[OBJECTS];

static void cache_start(cached_t *c, const cache_case_t *as)
{
    const uintptr_t memory = ((uintptr_t)reserve((FRAMES << 12) + 65536) + 65535) & ~(uintptr_t)65535;
    const vmm_pages_t pages = {vmm_frames_take_pages, vmm_frames_give_pages, &c->frames, (void *)memory, FRAMES << 12};
    vmm_cache_options_t options;
    memset(&options, 0, sizeof options);
    options.size = 64;
    options.flags = as->flags;
    if (as->locks) options.lock.acquire = options.lock.release = no_lock;
    if (vmm_frames_init(&c->frames, memory, 12, FRAMES, c->side, sizeof c->side) != VMM_OK) fail("no buddy");
    if (vmm_cache_init(&c->cache, &options, &pages) != VMM_OK) fail("no cache");
    vmm_magazine_init(&c->magazine, &c->cache, as->magazine);
}

/* ns of one allocation and one free. */
static double cache_run(cached_t *c, const cache_case_t *as)
{
    static size_t *live[OBJECTS];
    const double start = cpu_ns();
    size_t repeat, i;
    for (repeat = 0; repeat < REPEATS; repeat++) {
        for (i = 0; i < OBJECTS; i++) {
            live[i] =
                (size_t *)(as->magazine ? vmm_magazine_alloc(&c->magazine, &c->cache) : vmm_cache_alloc(&c->cache));
            if (!live[i]) fail("no object");
            *live[i] = i;
        }
        for (i = 0; i < OBJECTS; i++) {
            size_t *const object = live[shuffled[i]];
            if (as->magazine) (void)vmm_magazine_free(&c->magazine, &c->cache, object);
            else (void)vmm_cache_free(&c->cache, object);
        }
    }
    return (cpu_ns() - start) / REPEATS / OBJECTS;
}

static void compare_caches(void)
{
    static cached_t cached[CACHES];
    static double value[MOST][TURNS];
    const char *name[MOST];
    uint32_t state = 5;
    int turn, i;
    for (i = 0; i < OBJECTS; i++) { /* the shuffle of Fisher and Yates, inside out */
        int other;
        state = state * 1664525u + 1013904223u;
        other = (int)((state >> 8) % ((uint32_t)i + 1));
        shuffled[i] = shuffled[other];
        shuffled[other] = (uint16_t)i;
    }
    for (i = 0; i < CACHES; i++) {
        name[i] = cache_cases[i].name;
        cache_start(&cached[i], &cache_cases[i]);
    }
    for (turn = -1; turn < TURNS; turn++)
        for (i = 0; i < CACHES; i++) value[i][turn < 0 ? 0 : turn] = cache_run(&cached[i], &cache_cases[i]);
    rows("slab", name, value, CACHES, "no option");
}

/* To the last core this process may use: the first one serves most interrupts. */
static void pin(void)
{
    cpu_set_t cores;
    size_t core = CPU_SETSIZE - 1;
    if (sched_getaffinity(0, sizeof cores, &cores)) return;
    while (core > 0 && !CPU_ISSET(core, &cores)) core--;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

int main(void)
{
    static const char *const path[TRACES] = {"examples/traces/alloc/python3.rep.gz",
                                             "examples/traces/alloc/sqlite3.rep.gz"};
    rep_trace_t whole[TRACES], beginning[TRACES];
    uint64_t ids = 0;
    int i;
    pin();
    for (i = 0; i < TRACES; i++) {
        if (!rep_read_gzip(path[i], &whole[i])) fail("a trace cannot be read");
        beginning[i] = beginning_of(&whole[i]);
        if (whole[i].facts.ids > ids) ids = whole[i].facts.ids;
    }
    block_of = (unsigned char **)calloc(ids, sizeof *block_of);
    if (!block_of) fail("no memory");
    bench_head("what options cost");
    compare_heaps(heaps, WHOLE, whole, "level 0");
    compare_heaps(heaps + WHOLE, HEAPS - WHOLE, beginning, "level 0, first 5000");
    compare_caches();
    return 0;
}
