/* A cache of 64-byte objects behind a magazine against a hand-written limit and glibc's, mimalloc's, jemalloc's and
 * tcmalloc's malloc, in three orders:
 *
 *   lifo      allocate N, free them in reverse
 *   random    of N live objects free any one and allocate one, again and again
 *   shuffled  allocate N, free them in a shuffled order that was fixed beforehand
 *
 * N is 1024, 64 KiB of objects: more than a magazine holds, and more than fits into most first-level caches. Everybody
 * writes the first word of what it allocates. A figure is the ns of one allocation and one free.
 *
 * As in bench_heap_replay.c every figure is taken in a fresh process, pinned to the one core that all share: this
 * program runs itself again, ours and the limit called (and inlined, as a header is), the peers preloaded under
 * malloc and free. The allocators take turns. A process gives the median of many short samples, so that being
 * interrupted does not count; a row's ratio is the median of the turns' ratios. The least samples are printed too.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "bench.h"
#include "vmm_alloc.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef OBJECTS
#define OBJECTS 1024 /* N; a power of two up to 16384 */
#endif
#define BYTES 64
#define SLAB 4096
#define TURNS 15
#define SAMPLES 400
#define REPEATS 8 /* of the N pairs, in one sample */

#define CORE static inline __attribute__((always_inline))
#define RARELY static __attribute__((noinline))

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "bench_slab: %s\n", what);
    exit(1);
}

/* `bytes` of memory, aligned to 64 KiB and touched. */
static char *aligned_memory(size_t bytes)
{
    char *at = (char *)mmap(NULL, bytes + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) fail("no memory");
    at += -(uintptr_t)at & 65535;
    memset(at, 0, bytes);
    return at;
}

/* ---- ours ---- */

#define FRAMES 1024

static vmm_frames_t frames;
static vmm_cache_t cache;
static vmm_magazine_t magazine;
static uint8_t side[VMM_FRAMES_BYTES(FRAMES)];

static void ours_start(void)
{
    char *const memory = aligned_memory((size_t)FRAMES << 12);
    const vmm_pages_t pages = {vmm_frames_take_pages, vmm_frames_give_pages, &frames, memory, (size_t)FRAMES << 12};
    vmm_cache_options_t options;
    memset(&options, 0, sizeof options);
    options.size = BYTES;
    if (vmm_frames_init(&frames, (uintptr_t)memory, 12, FRAMES, side, sizeof side) != VMM_OK) fail("no buddy");
    if (vmm_cache_init(&cache, &options, &pages) != VMM_OK) fail("no cache");
    vmm_magazine_init(&magazine, &cache, VMM_MAGAZINE_ITEMS);
}

CORE void *ours_alloc(void)
{
    return vmm_magazine_alloc(&magazine, &cache);
}

CORE void ours_free(void *object)
{
    (void)vmm_magazine_free(&magazine, &cache, object);
}

/* ---- the limit ----
 *
 * Slabs of 4096 bytes, found by masking; the header takes the place of object 0, and one word has a bit for each of
 * the other 63, set while it is free: the bits are the count too, so that an empty slab goes back at once, as ours
 * does by default, to a stack of pages. In front of that a short stack of pointers. When it is full an object goes
 * straight into its slab, when it is empty one comes straight from there. Of what was tried (ns lifo, random, shuffled
 * on one machine) this was the fastest at 4.2, 2.5, 4.8; without the stack 4.2, 6.0, 4.9; filling and emptying half
 * of the stack at once 5.5, 2.8, 6.3; filling it at once 5.1, 2.5, 5.5; free objects linked in their slabs 5.6, 5.8,
 * 7.4, and behind a stack 7.5, 2.8, 9.9. A stack that holds all N would leave nothing of the slabs to measure.
 *
 * It does without sizes, checks, misuse, statistics, constructors, colours, lazy carving and locks. */

#define LIMIT_SLABS 512
#define LIMIT_STACK 125
#define LIMIT_ALL (~(uint64_t)1)

typedef struct hand {
    struct hand *next, *previous; /* in the list of those that have a free object */
    uint64_t bits;
} hand_t;

static hand_t *hand_some, *hand_pages[LIMIT_SLABS];
static unsigned hand_pages_left;
static void *hand_stack[LIMIT_STACK], **hand_top = hand_stack;

static void limit_start(void)
{
    char *const memory = aligned_memory((size_t)LIMIT_SLABS * SLAB);
    while (hand_pages_left < LIMIT_SLABS) {
        hand_pages[hand_pages_left] = (hand_t *)(void *)(memory + SLAB * (size_t)(LIMIT_SLABS - 1 - hand_pages_left));
        hand_pages_left++;
    }
}

CORE void hand_list(hand_t *slab)
{
    slab->next = hand_some;
    slab->previous = NULL;
    if (hand_some) hand_some->previous = slab;
    hand_some = slab;
}

CORE void hand_unlist(hand_t *slab)
{
    if (slab->next) slab->next->previous = slab->previous;
    if (slab->previous) slab->previous->next = slab->next;
    else hand_some = slab->next;
}

RARELY hand_t *hand_new(void)
{
    hand_t *const slab = hand_pages_left ? hand_pages[--hand_pages_left] : NULL;
    if (!slab) return NULL;
    slab->bits = LIMIT_ALL;
    hand_list(slab);
    return slab;
}

CORE void *limit_alloc(void)
{
    hand_t *slab;
    uint64_t bits;
    if (__builtin_expect(hand_top != hand_stack, 1)) return *--hand_top;
    slab = hand_some;
    if (__builtin_expect(!slab, 0) && !(slab = hand_new())) return NULL;
    bits = slab->bits;
    slab->bits = bits & (bits - 1);
    if (__builtin_expect(!slab->bits, 0)) hand_unlist(slab);
    return (char *)slab + (size_t)__builtin_ctzll(bits) * BYTES;
}

RARELY void hand_relist(hand_t *slab, uint64_t before)
{
    if (!before) {
        hand_list(slab);
        return;
    }
    hand_unlist(slab);
    hand_pages[hand_pages_left++] = slab;
}

CORE void limit_free(void *object)
{
    hand_t *const slab = (hand_t *)((uintptr_t)object & ~(uintptr_t)(SLAB - 1));
    uint64_t before;
    if (__builtin_expect(hand_top != hand_stack + LIMIT_STACK, 1)) {
        *hand_top++ = object;
        return;
    }
    before = slab->bits;
    slab->bits = before | (uint64_t)1 << ((uintptr_t)object / BYTES % 64);
    if (__builtin_expect(!before | (slab->bits == LIMIT_ALL), 0)) hand_relist(slab, before);
}

/* ---- the measured process ---- */

typedef struct {
    void *(*allocate)(void);
    void (*release)(void *);
} slab_t;

CORE void *peer_alloc(void)
{
    return malloc(BYTES);
}

static const slab_t ours = {ours_alloc, ours_free}, limit = {limit_alloc, limit_free}, preloaded = {peer_alloc, free};
static size_t *live[OBJECTS];
static uint16_t shuffled[OBJECTS];

CORE size_t *taken(const slab_t *slab, size_t content)
{
    size_t *const object = (size_t *)slab->allocate();
    if (__builtin_expect(!object, 0)) fail("no object");
    *object = content;
    return object;
}

/* One turn of a loop is N pairs. */
CORE void run(const slab_t *slab, const char *order, uint64_t *random)
{
    uint64_t state = *random;
    size_t i;
    if (order[0] == 'r') {
        for (i = 0; i < OBJECTS; i++) {
            size_t **at;
            state = state * UINT64_C(6364136223846793005) + 1;
            at = &live[state >> 32 & (OBJECTS - 1)];
            slab->release(*at);
            *at = taken(slab, i);
        }
        *random = state;
        return;
    }
    for (i = 0; i < OBJECTS; i++) live[i] = taken(slab, i);
    if (order[0] == 'l')
        for (i = OBJECTS; i > 0; i--) slab->release(live[i - 1]);
    else
        for (i = 0; i < OBJECTS; i++) slab->release(live[shuffled[i]]);
}

/* The median and the least of the samples. */
CORE void measure(const slab_t *slab, const char *order, double result[2])
{
    static double sample[SAMPLES];
    uint64_t random = 1;
    int i, repeat;
    if (order[0] == 'r')
        for (i = 0; i < OBJECTS; i++) live[i] = taken(slab, 0);
    for (i = -SAMPLES / 20; i < SAMPLES; i++) {
        const double start = bench_ns();
        for (repeat = 0; repeat < REPEATS; repeat++) run(slab, order, &random);
        sample[i < 0 ? 0 : i] = (bench_ns() - start) / REPEATS / OBJECTS;
    }
    result[0] = bench_median(sample, SAMPLES);
    result[1] = sample[0];
}

/* For each order its own copy of the loop. */
CORE void measure_order(const slab_t *slab, const char *order, double result[2])
{
    if (order[0] == 'l') measure(slab, "lifo", result);
    else if (order[0] == 'r') measure(slab, "random", result);
    else measure(slab, "shuffled", result);
}

/* The dynamic linker goes on without a library that it does not find: look. */
static int is_loaded(const char *library)
{
    static char text[65536];
    const int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t more;
    while (file >= 0 && (more = read(file, text + length, sizeof text - 1 - length)) > 0) length += (size_t)more;
    close(file);
    return strstr(text, library) != NULL;
}

/* bench_slab ORDER HEAP LIBRARY: prints two numbers. */
static int measured_process(char **argument)
{
    double result[2];
    uint32_t state = 5;
    size_t i;
    if (!is_loaded(argument[3])) return 2;
    for (i = 0; i < OBJECTS; i++) { /* the shuffle of Fisher and Yates, inside out */
        size_t other;
        state = state * 1664525u + 1013904223u;
        other = (state >> 8) % (i + 1);
        shuffled[i] = shuffled[other];
        shuffled[other] = (uint16_t)i;
    }
    if (!strcmp(argument[2], "ours")) {
        ours_start();
        measure_order(&ours, argument[1], result);
    } else if (!strcmp(argument[2], "limit")) {
        limit_start();
        measure_order(&limit, argument[1], result);
    } else {
        measure_order(&preloaded, argument[1], result);
    }
    printf("%.17g %.17g\n", result[0], result[1]);
    return 0;
}

/* ---- the driver ---- */

typedef struct {
    const char *name, *library, *package;
    char label[64];
    int present;
} heap_t;

#define PEERS 5
#define HEAPS (PEERS + 1) /* ours is the last one */
#define PRELOADED(heap) ((heap) > 1 && (heap) < PEERS)

static heap_t heaps[HEAPS] = {
    {"limit", "", "", "hand-written limit", 1},
    {"glibc", "libc.so.6", "libc6", "", 1},
    {"mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0", "", 1},
    {"jemalloc", "libjemalloc.so.2", "libjemalloc2", "", 1},
    {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "", 1},
    {"ours", "", "", "", 1},
};

/* 1: measured; 0: that peer is not on this machine. */
static int measure_in_process(const char *order, int heap, double result[2])
{
    char text[128];
    int ends[2], status;
    ssize_t length;
    pid_t child;
    fflush(stdout);
    if (pipe(ends) || (child = fork()) < 0) fail("no process");
    if (!child) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (PRELOADED(heap)) setenv("LD_PRELOAD", heaps[heap].library, 1);
        execl("/proc/self/exe", "bench_slab", order, heaps[heap].name, heaps[heap].library, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) fail("a measured process crashed");
    if (WEXITSTATUS(status) == 2) return 0;
    text[length > 0 ? length : 0] = 0;
    if (WEXITSTATUS(status) || sscanf(text, "%lf %lf", &result[0], &result[1]) != 2) fail("a measured process failed");
    return 1;
}

static void compare(const char *order)
{
    double value[HEAPS][TURNS] = {{0}}, ratio[TURNS], least[HEAPS] = {0}, middle[HEAPS] = {0}, of_ratios[HEAPS] = {0};
    char name[64];
    int turn, heap;
    for (turn = 0; turn < TURNS; turn++) {
        for (heap = 0; heap < HEAPS; heap++) {
            double result[2] = {0, 0};
            if (heaps[heap].present) heaps[heap].present = measure_in_process(order, heap, result);
            value[heap][turn] = result[0];
            if (turn == 0 || result[1] < least[heap]) least[heap] = result[1];
        }
    }
    for (heap = 0; heap < HEAPS; heap++) {
        if (!heaps[heap].present) continue;
        for (turn = 0; turn < TURNS; turn++) ratio[turn] = value[PEERS][turn] / value[heap][turn];
        of_ratios[heap] = bench_median(ratio, TURNS);
    }
    for (heap = 0; heap < HEAPS; heap++) middle[heap] = bench_median(value[heap], TURNS);
    snprintf(name, sizeof name, "alloc.slab.%s", order);
    for (heap = 0; heap < PEERS; heap++)
        if (heaps[heap].present) bench_row(name, middle[PEERS], "ns", heaps[heap].label, middle[heap], of_ratios[heap]);
    printf("  least, ns:");
    for (heap = 0; heap < HEAPS; heap++)
        if (heaps[heap].present) printf("  %s %.2f", heaps[heap].name, least[heap]);
    printf("\n");
}

/* "mimalloc 2.0.9": the upstream version of Debian's package, where dpkg knows one. */
static void label_peer(heap_t *heap)
{
    char command[128], version[64] = "";
    FILE *in;
    snprintf(command, sizeof command, "dpkg-query -W -f '${Version}\\n' %s 2>/dev/null", heap->package);
    in = popen(command, "r");
    if (in) {
        if (!fgets(version, sizeof version, in)) version[0] = 0;
        pclose(in);
    }
    version[strcspn(version, "+-\n")] = 0;
    snprintf(heap->label, sizeof heap->label, "%s%s%s", heap->name, version[0] ? " " : "", version);
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

int main(int count, char **argument)
{
    int heap;
    if (count == 4) return measured_process(argument);
    pin();
    for (heap = 1; heap < PEERS; heap++) label_peer(&heaps[heap]);
    bench_head("slab: 64-byte objects, N = " VMM_TEXT(OBJECTS));
    compare("lifo");
    compare("random");
    compare("shuffled");
    for (heap = 1; heap < PEERS; heap++)
        if (!heaps[heap].present) printf("no %s here: Debian has it in %s\n", heaps[heap].name, heaps[heap].package);
    return 0;
}
