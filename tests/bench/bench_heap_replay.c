/* Our heap against glibc's, mimalloc, jemalloc and tcmalloc on the allocation traces of real programs.
 *
 * Every figure is taken in a fresh process, pinned to the one core all of them share: this program runs itself
 * again, our heap by calling it (heap_ours.h), the peers by calling malloc, realloc and free, with the peer
 * preloaded. The traces are read once, here; a measured process maps them, and keeps what it needs itself in
 * mappings of its own that are touched beforehand, so that the heap under test serves the trace and nothing else.
 * The allocators take turns, one process each, and the ratio of a row is the median over the turns' ratios.
 *
 *   speed  Each block's first and last byte are written when it is allocated or reallocated. The first replay
 *          is timed apart: in it the memory comes from the kernel; the rows tell of the ones after it.
 *   peak   Every byte of a block is written as soon as it is there. Pages resident at most while one replay
 *          runs, less those resident before it, over the largest sum of live sizes. All have set themselves
 *          up by then.
 *   worst  Cycles of each single malloc and free; of five replays the least, which drops what interrupts did.
 *
 *     build/bench/bench_heap_replay [TRACE.rep.gz ...]
 */
#define _GNU_SOURCE /* memfd_create, sched_setaffinity */
#include "bench.h"
#include "rep.h"
#include "heap_ours.h"

#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#define WORST_UNIT "cycles"
#else
#define WORST_UNIT "ns"
#endif

#define SPEED_TURNS 7
#define PEAK_TURNS 3
#define WORST_TURNS 3
#define WORST_REPLAYS 5
#define SPEED_NS 60e6    /* about how long one process replays */
#define GUESS_NS 20.0    /* about what one operation takes */
#define PEAK_SAMPLES 500 /* looks at the resident memory, beside those after large blocks */
#define LARGE (64u << 10)
#define MAX_TRACES 16

/* ---- the measured process ---- */

/* What is replayed: 8 bytes an operation. */
typedef struct {
    uint32_t id_kind; /* the ID times 4, plus the kind */
    uint32_t size;
} op_t;

typedef struct {
    rep_facts_t facts;
    op_t op[];
} trace_t;

typedef struct {
    void *(*allocate)(size_t);
    void *(*reallocate)(void *, size_t);
    void (*release)(void *);
} heap_t;

static const heap_t ours = {bench_malloc, bench_realloc, bench_free};
static const heap_t preloaded = {malloc, realloc, free};

#define CORE static inline __attribute__((always_inline))

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "bench_heap_replay: %s\n", what);
    exit(1);
}

/* Memory of the harness's own, resident from the start. */
static void *own_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) fail("no memory for the harness");
    return at;
}

/* What a replay keeps: the blocks by ID. */
typedef struct {
    const trace_t *trace;
    unsigned char **block;
} replay_t;

CORE unsigned char *apply(const heap_t *heap, replay_t *replay, const op_t *op)
{
    unsigned char **block = &replay->block[op->id_kind >> 2];
    switch (op->id_kind & 3) {
    case REP_ALLOCATE: *block = (unsigned char *)heap->allocate(op->size); break;
    case REP_REALLOCATE: *block = (unsigned char *)heap->reallocate(*block, op->size); break;
    default: heap->release(*block); return NULL;
    }
    if (!*block) fail("the heap has no memory");
    return *block;
}

CORE void replay_once(const heap_t *heap, replay_t *replay)
{
    const op_t *op = replay->trace->op, *end = op + replay->trace->facts.count;
    for (; op != end; op++) {
        unsigned char *block = apply(heap, replay, op);
        if (block && op->size) block[0] = block[op->size - 1] = (unsigned char)op->size;
    }
}

/* ns per operation of the first replay, and of the ones after it. */
CORE void measure_speed(const heap_t *heap, replay_t *replay, double result[2])
{
    const double count = (double)replay->trace->facts.count;
    const int times = 1 + (int)(SPEED_NS / GUESS_NS / count);
    double start = bench_ns();
    int i;
    replay_once(heap, replay);
    result[0] = (bench_ns() - start) / count;
    start = bench_ns();
    for (i = 0; i < times; i++) replay_once(heap, replay);
    result[1] = (bench_ns() - start) / count / times;
}

/* Resident bytes of anonymous memory (a library's own code is not the heap's doing), counted page by page: the
 * kernel's running counters behind VmHWM were seen to be 300 KiB off, which is much beside a peak of 4 MB. */
static double resident(void)
{
    static char text[4096];
    const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    const char *field;
    if (length < 0) fail("/proc/self/smaps_rollup cannot be read");
    close(file);
    text[length] = 0;
    field = strstr(text, "\nAnonymous:");
    if (!field) fail("/proc/self/smaps_rollup has no line Anonymous");
    return strtod(field + 11, NULL) * 1024;
}

/* Peak of resident growth over peak payload, and the growth in bytes. */
CORE void measure_peak(const heap_t *heap, replay_t *replay, double result[2])
{
    const trace_t *trace = replay->trace;
    const uint64_t step = trace->facts.count / PEAK_SAMPLES + 1;
    uint32_t *size = (uint32_t *)own_memory(trace->facts.ids * sizeof *size);
    double before, now, peak = 0;
    uint64_t i;
    if (heap == &ours && !bench_start()) fail("our heap does not start");
    heap->release(heap->allocate(16)); /* the peers were set up, and used, when the process began */
    resident();
    before = resident();
    for (i = 0; i < trace->facts.count; i++) {
        const op_t *op = &trace->op[i];
        const uint32_t id = op->id_kind >> 2, old = (op->id_kind & 3) == REP_REALLOCATE ? size[id] : 0;
        unsigned char *block = apply(heap, replay, op);
        if (block && op->size > old) memset(block + old, (int)op->size | 1, op->size - old);
        size[id] = op->size;
        if (i % step && i != trace->facts.at_peak && op->size < LARGE) continue;
        now = resident() - before;
        if (now > peak) peak = now;
    }
    result[0] = peak / (double)trace->facts.peak;
    result[1] = peak;
}

#if defined(__x86_64__) || defined(__i386__)
CORE uint64_t ticks(void)
{
    uint64_t now;
    _mm_lfence();
    now = __rdtsc();
    _mm_lfence();
    return now;
}
#else
CORE uint64_t ticks(void)
{
    return (uint64_t)bench_ns();
}
#endif

static uint32_t ticks_of_nothing(void)
{
    uint64_t least = UINT64_MAX;
    int i;
    for (i = 0; i < 1000; i++) {
        const uint64_t start = ticks(), passed = ticks() - start;
        if (passed < least) least = passed;
    }
    return (uint32_t)least;
}

static int compare_ticks(const void *a, const void *b)
{
    const uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

/* p99.99 and maximum of the ticks of single mallocs and frees; a realloc may have to copy. */
CORE void measure_worst(const heap_t *heap, replay_t *replay, double result[2])
{
    const trace_t *trace = replay->trace;
    const uint32_t nothing = ticks_of_nothing();
    uint32_t *least = (uint32_t *)own_memory(trace->facts.count * sizeof *least);
    uint64_t i, single = 0;
    int turn;
    memset(least, 0xff, trace->facts.count * sizeof *least);
    replay_once(heap, replay);
    for (turn = 0; turn < WORST_REPLAYS; turn++) {
        for (i = 0; i < trace->facts.count; i++) {
            const op_t *op = &trace->op[i];
            const uint64_t start = ticks();
            unsigned char *block = apply(heap, replay, op);
            const uint64_t passed = ticks() - start;
            if (passed < least[i]) least[i] = (uint32_t)passed;
            if (block && op->size) block[0] = block[op->size - 1] = (unsigned char)op->size;
        }
    }
    for (i = 0; i < trace->facts.count; i++)
        if ((trace->op[i].id_kind & 3) != REP_REALLOCATE) least[single++] = least[i] > nothing ? least[i] - nothing : 0;
    qsort(least, single, sizeof *least, compare_ticks);
    result[0] = least[single - 1 - single / 10000];
    result[1] = least[single - 1];
}

/* One copy of the measuring code for each heap, so that each is called as a program would call it. */
CORE void measure(const heap_t *heap, const char *what, replay_t *replay, double result[2])
{
    if (!strcmp(what, "peak")) {
        measure_peak(heap, replay, result);
        return;
    }
    if (heap == &ours && !bench_start()) fail("our heap does not start");
    if (!strcmp(what, "speed")) measure_speed(heap, replay, result);
    else measure_worst(heap, replay, result);
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

/* bench_heap_replay speed|peak|worst OURS LIBRARY DESCRIPTOR BYTES: prints two numbers. */
static int measured_process(char **argument)
{
    const size_t bytes = (size_t)strtoull(argument[5], NULL, 10);
    replay_t replay;
    double result[2];
    replay.trace = (const trace_t *)mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, atoi(argument[4]), 0);
    if (replay.trace == MAP_FAILED) fail("the trace cannot be mapped");
    if (!is_loaded(argument[3])) return 2;
    replay.block = (unsigned char **)own_memory(replay.trace->facts.ids * sizeof *replay.block);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (!strcmp(argument[2], "ours")) measure(&ours, argument[1], &replay, result);
    else measure(&preloaded, argument[1], &replay, result);
    printf("%.17g %.17g\n", result[0], result[1]);
    return 0;
}

/* ---- the driver ---- */

typedef struct {
    const char *name, *library, *package;
    char label[64];
    int present;
} peer_t;

#define PEERS 4
#define HEAPS (PEERS + 1) /* ours is the last one */

static peer_t peers[HEAPS] = {
    {"glibc", "libc.so.6", "libc6", "", 1},
    {"mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0", "", 1},
    {"jemalloc", "libjemalloc.so.2", "libjemalloc2", "", 1},
    {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "", 1},
    {"ours", "", "", "", 1},
};

/* A trace as the measured processes map it. */
typedef struct {
    char name[48];
    int descriptor;
    size_t bytes;
    rep_facts_t facts;
} input_t;

static void load(const char *path, input_t *input)
{
    const char *base = strrchr(path, '/');
    rep_trace_t text;
    trace_t *trace;
    uint64_t i;
    base = base ? base + 1 : path;
    snprintf(input->name, sizeof input->name, "%.*s", (int)strcspn(base, "."), base);
    if (!rep_read_gzip(path, &text) || text.facts.peak == 0) fail("a trace cannot be read");
    input->facts = text.facts;
    input->bytes = sizeof *trace + text.facts.count * sizeof *trace->op;
    input->descriptor = memfd_create(input->name, 0);
    if (input->descriptor < 0 || ftruncate(input->descriptor, (off_t)input->bytes)) fail("no memory for a trace");
    trace = (trace_t *)mmap(NULL, input->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, input->descriptor, 0);
    if (trace == MAP_FAILED) fail("no memory for a trace");
    trace->facts = text.facts;
    for (i = 0; i < text.facts.count; i++) {
        trace->op[i].id_kind = text.op[i].id << 2 | text.op[i].kind;
        trace->op[i].size = text.op[i].size;
    }
    munmap(trace, input->bytes);
    free(text.op);
}

/* Becomes a measured process; does not return. */
static void become(const char *what, const peer_t *heap, const input_t *input)
{
    char descriptor[16], bytes[32];
    snprintf(descriptor, sizeof descriptor, "%d", input->descriptor);
    snprintf(bytes, sizeof bytes, "%zu", input->bytes);
    if (heap < peers + PEERS && heap != peers) setenv("LD_PRELOAD", heap->library, 1);
    execl("/proc/self/exe", "bench_heap_replay", what, heap->name, heap->library, descriptor, bytes, (char *)NULL);
    _exit(1);
}

/* 1: measured; 0: that peer is not on this machine. */
static int measure_in_process(const char *what, const peer_t *heap, const input_t *input, double result[2])
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
        become(what, heap, input);
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

#define MAX_TURNS SPEED_TURNS

typedef struct {
    double value[2][HEAPS]; /* medians, of the two results */
    double ratio[2][HEAPS]; /* medians of ours over theirs */
} figures_t;

/* The heaps in turns; those of `heaps` that are not 0. */
static figures_t measure_turns(const char *what, const input_t *input, int turns, const int *heaps)
{
    double value[2][HEAPS][MAX_TURNS] = {{{0}}}, ratio[MAX_TURNS];
    figures_t figures = {{{0}}, {{0}}};
    int turn, heap, which;
    for (turn = 0; turn < turns; turn++) {
        for (heap = 0; heap < HEAPS; heap++) {
            double result[2] = {0, 0};
            if (!heaps[heap] || !peers[heap].present) continue;
            peers[heap].present = measure_in_process(what, &peers[heap], input, result);
            value[0][heap][turn] = result[0];
            value[1][heap][turn] = result[1];
        }
    }
    for (which = 0; which < 2; which++) {
        for (heap = 0; heap < HEAPS; heap++) {
            if (!heaps[heap] || !peers[heap].present) continue;
            for (turn = 0; turn < turns; turn++) ratio[turn] = value[which][PEERS][turn] / value[which][heap][turn];
            figures.ratio[which][heap] = bench_median(ratio, turns);
        }
        for (heap = 0; heap < HEAPS; heap++) figures.value[which][heap] = bench_median(value[which][heap], turns);
    }
    return figures;
}

static void rows(const char *name, const char *unit, const double value[HEAPS], const double ratio[HEAPS])
{
    int peer;
    for (peer = 0; peer < PEERS; peer++)
        if (ratio[peer] > 0) bench_row(name, value[PEERS], unit, peers[peer].label, value[peer], ratio[peer]);
}

/* The n-th root of x > 0 by Newton's method: without libm, which the other benches do not need. */
static double root(double x, int n)
{
    double guess = x > 1 ? x : 1, last = 0;
    int step, factor;
    for (step = 0; step < 1000 && guess != last; step++) {
        double power = 1;
        for (factor = 1; factor < n; factor++) power *= guess;
        last = guess;
        guess += (x / power - guess) / n;
    }
    return guess;
}

/* One kind of measurement over all traces: rows for each and for their geometric mean. */
static void compare(const char *what, const char *name, const char *unit, int turns, int which, const input_t *input,
                    int traces)
{
    static const int all[HEAPS] = {1, 1, 1, 1, 1};
    double value[HEAPS] = {1, 1, 1, 1, 1}, ratio[HEAPS] = {1, 1, 1, 1, 1};
    char row[128];
    int trace, heap;
    for (trace = 0; trace < traces; trace++) {
        const figures_t figures = measure_turns(what, &input[trace], turns, all);
        snprintf(row, sizeof row, "%s.%.47s", name, input[trace].name);
        rows(row, unit, figures.value[which], figures.ratio[which]);
        if (which) {
            printf("  first replay, ns:");
            for (heap = 0; heap < HEAPS; heap++) printf("  %s %.2f", peers[heap].name, figures.value[0][heap]);
            printf("\n");
        }
        for (heap = 0; heap < HEAPS; heap++) {
            value[heap] *= figures.value[which][heap];
            ratio[heap] *= figures.ratio[which][heap];
        }
    }
    for (heap = 0; heap < HEAPS; heap++) {
        value[heap] = peers[heap].present ? root(value[heap], traces) : 0;
        ratio[heap] = peers[heap].present ? root(ratio[heap], traces) : 0;
    }
    snprintf(row, sizeof row, "%s.geomean", name);
    rows(row, unit, value, ratio);
}

/* The worst trace counts, ours against glibc. */
static void compare_worst(const input_t *input, int traces)
{
    static const int two[HEAPS] = {1, 0, 0, 0, 1};
    double worst[2][HEAPS] = {{0}};
    int trace, heap, which;
    for (trace = 0; trace < traces; trace++) {
        const figures_t figures = measure_turns("worst", &input[trace], WORST_TURNS, two);
        for (which = 0; which < 2; which++)
            for (heap = 0; heap < HEAPS; heap++)
                if (figures.value[which][heap] > worst[which][heap]) worst[which][heap] = figures.value[which][heap];
        printf("  %s: p99.99 %s %.0f, glibc %.0f; maximum %.0f, glibc %.0f\n", input[trace].name, WORST_UNIT,
               figures.value[0][PEERS], figures.value[0][0], figures.value[1][PEERS], figures.value[1][0]);
    }
    bench_row("alloc.heap.worst.p99.99", worst[0][PEERS], WORST_UNIT, peers[0].label, worst[0][0],
              worst[0][PEERS] / worst[0][0]);
    bench_row("alloc.heap.worst.maximum", worst[1][PEERS], WORST_UNIT, peers[0].label, worst[1][0],
              worst[1][PEERS] / worst[1][0]);
}

/* "mimalloc 2.0.9": the upstream version of Debian's package, where dpkg knows one. */
static void label_peer(peer_t *peer)
{
    char command[128], version[64] = "";
    FILE *in;
    snprintf(command, sizeof command, "dpkg-query -W -f '${Version}\\n' %s 2>/dev/null", peer->package);
    in = popen(command, "r");
    if (in) {
        if (!fgets(version, sizeof version, in)) version[0] = 0;
        pclose(in);
    }
    version[strcspn(version, "+-\n")] = 0;
    snprintf(peer->label, sizeof peer->label, "%s%s%s", peer->name, version[0] ? " " : "", version);
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

static int find_traces(int count, char **path, input_t *input)
{
    glob_t found;
    int i;
    if (count == 0) {
        if (glob("examples/traces/alloc/*.rep.gz", 0, NULL, &found)) fail("no trace in examples/traces/alloc");
        count = (int)found.gl_pathc;
        path = found.gl_pathv;
    }
    if (count > MAX_TRACES) fail("too many traces");
    for (i = 0; i < count; i++) load(path[i], &input[i]);
    return count;
}

int main(int count, char **argument)
{
    static input_t input[MAX_TRACES];
    int traces, peer;
    if (count == 6 && (!strcmp(argument[1], "speed") || !strcmp(argument[1], "peak") || !strcmp(argument[1], "worst")))
        return measured_process(argument);
    pin();
    traces = find_traces(count - 1, argument + 1, input);
    for (peer = 0; peer < PEERS; peer++) label_peer(&peers[peer]);
    bench_head("heap: replayed traces of allocations");
    compare("speed", "alloc.heap.replay", "ns", SPEED_TURNS, 1, input, traces);
    compare("peak", "alloc.heap.peak", "ratio", PEAK_TURNS, 0, input, traces);
    compare_worst(input, traces);
    for (peer = 0; peer < PEERS; peer++)
        if (!peers[peer].present) printf("no %s here: Debian has it in %s\n", peers[peer].name, peers[peer].package);
    return 0;
}
