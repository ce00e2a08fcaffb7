/* The operating system of vmm.h against two others: the kernel that this runs on, doing the same by real system
 * calls, and the hand-written limit, which does nothing but the work itself (clears the page, copies the page, copies
 * the entries). Ours are called as a trap handler or a system call would call them, without the trap; the host's
 * times hold its traps, its hardware walks and its scheduler, as a program sees them.
 *
 * All three take turns on as many pages, in order of address. Rows that end in .over are what ours costs above the
 * limit, in nanoseconds, against the bound that the project sets itself.
 *
 * An argument picks the rows whose names hold it: build/bench/bench_vm fork */
#define _GNU_SOURCE /* memfd_create, sched_setaffinity */
#include "bench.h"
#include "vmm.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

VMM_MMU(rv, VMM_RISCV64)

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x80000000)
#define TOUCHED UINT64_C(1024) /* pages of a turn in which pages are touched: 4 MiB, twice the host's L2 cache */
#define STEP UINT64_C(16)      /* pages from one to the next where faults must not map their neighbours */
#define PASSES 2 /* of ours and the limit in a turn; the last counts: the host's turn leaves caches full of its own */
#define ROUNDS UINT64_C(20000) /* system calls of a turn */
#define RW (VMM_R | VMM_W)
#define ANONYMOUS (VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define OVER_BOUND 60.0 /* nanoseconds a fault may cost above its page */
#define FORK_BOUND 3.0  /* nanoseconds a mapped page */

static void must(int done, const char *what)
{
    if (done) return;
    fprintf(stderr, "bench_vm: %s failed\n", what);
    exit(1);
}

/* Memory as a kernel sees its own: in huge pages where the host has them, and all of it there from the start. */
static uint8_t *memory_new(uint64_t bytes)
{
    const uint64_t huge = UINT64_C(2) << 20;
    uint8_t *at =
        (uint8_t *)mmap(NULL, (size_t)(bytes + huge), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(at != (uint8_t *)MAP_FAILED, "mmap");
    at = (uint8_t *)(((uintptr_t)at + huge - 1) & ~(uintptr_t)(huge - 1));
    (void)madvise(at, (size_t)bytes, MADV_HUGEPAGE);
    memset(at, 0, (size_t)bytes);
    return at;
}

/* -------------------------------------------------------------------------- the host -- */

/* The kernel under us, by real system calls. A process of its own does them, made before anything else is, so that
 * the model's gigabytes are not the ones that its forks copy; no huge pages. It gets an order and sends back the time. */

enum host_work {
    HOST_ZERO,
    HOST_COW,
    HOST_FILE,
    HOST_AROUND,
    HOST_FORK,
    HOST_MMAP,
    HOST_PROTECT,
    HOST_SWITCH
};

typedef struct host_order {
    uint64_t work;  /* enum host_work */
    uint64_t count; /* pages, or rounds */
} host_order_t;

enum {
    HOST_TIME,
    HOST_REUSE,
    HOST_EXITED,
    HOST_TIMES
}; /* what it sends back, nanoseconds of each */

static int host_in = -1, host_out = -1; /* to the process, and from it */

static void host_must(int done)
{
    if (done) return;
    perror("bench_vm: host");
    _exit(1);
}

static uint8_t *host_map(uint64_t bytes, int protection, int flags, int file)
{
    uint8_t *at = (uint8_t *)mmap(NULL, (size_t)bytes, protection, flags, file, 0);
    host_must(at != (uint8_t *)MAP_FAILED);
    return at;
}

static void host_unmap(uint8_t *at, uint64_t bytes)
{
    host_must(!munmap(at, (size_t)bytes));
}

/* Nanoseconds of a write, or a read, to each page that is `step` pages behind the last. */
static double host_touch(volatile uint8_t *at, uint64_t count, uint64_t step, int write)
{
    const double start = bench_ns();
    uint64_t i;
    if (write)
        for (i = 0; i < count; i++) at[i * step * PAGE] = 1;
    else
        for (i = 0; i < count; i++) bench_sink += at[i * step * PAGE];
    return bench_ns() - start;
}

static double host_zero(uint64_t pages)
{
    uint8_t *at = host_map(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    const double time = host_touch(at, pages, 1, 1);
    host_unmap(at, pages * PAGE);
    return time;
}

/* `pages` written pages that stay from turn to turn; 0 drops them. */
static uint8_t *host_written(uint64_t pages)
{
    static uint8_t *at;
    static uint64_t have;
    if (have == pages) return at;
    if (have) host_unmap(at, have * PAGE);
    have = pages;
    if (!pages) return NULL;
    at = host_map(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    host_touch(at, pages, 1, 1);
    return at;
}

/* The child only waits for the end of a pipe, and keeps the pages shared meanwhile. */
static double host_cow(uint64_t pages)
{
    uint8_t *at = host_written(pages);
    double time;
    char byte;
    int ends[2];
    pid_t child;
    host_must(!pipe(ends));
    child = fork();
    host_must(child >= 0);
    if (!child) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    close(ends[0]);
    time = host_touch(at, pages, 1, 1);
    close(ends[1]);
    host_must(waitpid(child, NULL, 0) == child);
    return time;
}

/* A file of which each `step`th page is cached, the others are holes: with step > 1 a fault maps one page, with 1
 * the kernel maps those around it too. */
static double host_file(uint64_t pages, uint64_t step)
{
    const int file = memfd_create("bench_vm", 0);
    const uint64_t bytes = pages * step * PAGE;
    uint8_t *at;
    double time;
    uint64_t i;
    host_must(file >= 0 && !ftruncate(file, (off_t)bytes));
    for (i = 0; i < pages; i++) host_must(pwrite(file, "x", 1, (off_t)(i * step * PAGE)) == 1);
    at = host_map(bytes, PROT_READ, MAP_SHARED, file);
    time = host_touch(at, pages, step, 0);
    host_unmap(at, bytes);
    close(file);
    return time;
}

/* All pages are written again, as the child of the last turn is gone and left them with one owner; then the fork alone;
 * then until the child has exited too. */
static double host_fork(uint64_t pages, double *reuse, double *exited)
{
    uint8_t *at = host_written(pages);
    double start, time;
    pid_t child;
    *reuse = host_touch(at, pages, 1, 1);
    start = bench_ns();
    child = fork();
    if (!child) _exit(0);
    time = bench_ns() - start;
    host_must(child > 0 && waitpid(child, NULL, 0) == child);
    *exited = bench_ns() - start;
    return time;
}

static double host_mmap(uint64_t rounds)
{
    const double start = bench_ns();
    uint64_t i;
    for (i = 0; i < rounds; i++)
        host_unmap(host_map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), PAGE);
    return bench_ns() - start;
}

static double host_protect(uint64_t rounds)
{
    uint8_t *at = host_map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    double start, time;
    uint64_t i;
    start = bench_ns();
    for (i = 0; i < rounds; i++) {
        host_must(!mprotect(at + PAGE, PAGE, PROT_READ));
        host_must(!mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE));
    }
    time = bench_ns() - start;
    host_unmap(at, 3 * PAGE);
    return time;
}

static void host_pass(int from, int to)
{
    char byte = 0;
    host_must((from < 0 || read(from, &byte, 1) == 1) && write(to, &byte, 1) == 1);
}

/* Two processes on one processor hand a byte to and fro through two pipes: a write, a read and a switch each. What a
 * write and a read cost without a switch is taken off; what is left holds the scheduler too. */
static double host_switch(uint64_t rounds)
{
    int there[2], back[2];
    double start, alone;
    uint64_t i;
    cpu_set_t one;
    pid_t child;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    host_must(!sched_setaffinity(0, sizeof one, &one) && !pipe(there) && !pipe(back));
    child = fork();
    host_must(child >= 0);
    if (!child) {
        for (i = 0; i <= rounds; i++) host_pass(there[0], back[1]);
        _exit(0);
    }
    host_pass(-1, there[1]);
    start = bench_ns();
    for (i = 0; i < rounds; i++) host_pass(back[0], there[1]);
    start = bench_ns() - start;
    host_pass(back[0], there[1]);
    host_must(waitpid(child, NULL, 0) == child);
    alone = bench_ns();
    for (i = 0; i < 2 * rounds; i++) host_pass(there[0], there[1]);
    alone = bench_ns() - alone;
    for (i = 0; i < 2; i++) close(there[i]), close(back[i]);
    return (start - alone) / 2;
}

static double host_serve(const host_order_t *order, double *time)
{
    if (order->work != HOST_COW && order->work != HOST_FORK) host_written(0);
    switch (order->work) {
    case HOST_ZERO: return host_zero(order->count);
    case HOST_COW: return host_cow(order->count);
    case HOST_FILE: return host_file(order->count, 16);
    case HOST_AROUND: return host_file(order->count, 1);
    case HOST_FORK: return host_fork(order->count, &time[HOST_REUSE], &time[HOST_EXITED]);
    case HOST_MMAP: return host_mmap(order->count);
    case HOST_PROTECT: return host_protect(order->count);
    default: return host_switch(order->count);
    }
}

static void host_start(void)
{
    int orders[2], times[2], i;
    host_order_t order;
    double time[HOST_TIMES] = {0};
    pid_t child;
    host_must(!pipe(orders) && !pipe(times));
    child = fork();
    host_must(child >= 0);
    host_in = orders[1];
    host_out = times[0];
    if (child) {
        close(orders[0]), close(times[1]);
        return;
    }
    close(orders[1]), close(times[0]);
    host_must(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    while (read(orders[0], &order, sizeof order) == (ssize_t)sizeof order) {
        time[HOST_TIME] = host_serve(&order, time);
        for (i = 0; i < HOST_TIMES; i++) time[i] /= (double)order.count;
        host_must(write(times[1], time, sizeof time) == (ssize_t)sizeof time);
    }
    _exit(0);
}

static double host_time[HOST_TIMES]; /* of the last order */

/* Nanoseconds of each. */
static double host_does(enum host_work work, uint64_t count)
{
    host_order_t order;
    order.work = (uint64_t)work;
    order.count = count;
    must(write(host_in, &order, sizeof order) == (ssize_t)sizeof order &&
             read(host_out, host_time, sizeof host_time) == (ssize_t)sizeof host_time,
         "the host's part");
    return host_time[HOST_TIME];
}

/* -------------------------------------------------------------------------- the rows -- */

static const char *wanted = "";

static int asked_for(const char *name)
{
    return strstr(name, wanted) != NULL;
}

/* What each of the three needed for one, turn by turn; a column that nobody filled stays 0. */
typedef struct turns {
    double ours[BENCH_TURNS], limit[BENCH_TURNS], host[BENCH_TURNS];
    int count;
} turns_t;

static void row_against(const char *name, const char *unit, const turns_t *t, const char *against, const double *theirs)
{
    double one[BENCH_TURNS], other[BENCH_TURNS], ratio[BENCH_TURNS];
    int i;
    if (theirs[0] == 0) return;
    for (i = 0; i < t->count; i++) {
        one[i] = t->ours[i];
        other[i] = theirs[i];
        ratio[i] = one[i] / other[i];
    }
    bench_row(name, bench_median(one, t->count), unit, against, bench_median(other, t->count),
              bench_median(ratio, t->count));
}

static void rows(const char *name, const char *unit, const turns_t *t)
{
    row_against(name, unit, t, "limit", t->limit);
    row_against(name, unit, t, "host kernel", t->host);
}

/* What ours needed above the limit, against a bound of so many nanoseconds. */
static void row_over(const char *name, const turns_t *t, double bound)
{
    double over[BENCH_TURNS], median;
    char against[32];
    int i;
    for (i = 0; i < t->count; i++) over[i] = t->ours[i] - t->limit[i];
    median = bench_median(over, t->count);
    snprintf(against, sizeof against, "bound of %.0f", bound);
    bench_row(name, median, "ns", against, bound, median / bound);
}

/* ------------------------------------------------------------------------ the limits -- */

/* A frame's record as ours is: 20 bytes, of which a count is touched. */
typedef struct hand_frame {
    uint32_t link[2], owner, index;
    uint16_t mappings;
    uint8_t flags, kind;
} hand_frame_t;

/* The tables of two spaces without the levels above, and the records. */
typedef struct hand {
    uint64_t *from, *to;
    hand_frame_t *frame;
    uint64_t pages;
} hand_t;

static uint64_t hand_bytes(uint64_t pages)
{
    return pages * (2 * sizeof(uint64_t) + sizeof(hand_frame_t));
}

static void hand_make(hand_t *h, uint64_t pages)
{
    uint64_t i;
    h->from = (uint64_t *)(void *)memory_new(hand_bytes(pages));
    h->to = h->from + pages;
    h->frame = (hand_frame_t *)(void *)(h->to + pages);
    h->pages = pages;
    for (i = 0; i < pages; i++) h->from[i] = i << 10 | RW | VMM_U | VMM_A | VMM_D | 1;
}

static void hand_drop(hand_t *h)
{
    munmap(h->from, (size_t)hand_bytes(h->pages));
}

static double hand_clear(uint8_t *const *host, uint64_t count)
{
    const double start = bench_ns();
    uint64_t i;
    for (i = 0; i < count; i++) memset(host[i], 0, PAGE);
    return (bench_ns() - start) / (double)count;
}

static double hand_copy(uint8_t *const *to, uint8_t *const *from, uint64_t count)
{
    const double start = bench_ns();
    uint64_t i;
    for (i = 0; i < count; i++) memcpy(to[i], from[i], PAGE);
    return (bench_ns() - start) / (double)count;
}

/* An entry is written and a reference counted, for a page that is known. */
static double hand_enter(hand_t *h, uint64_t count)
{
    double start = bench_ns();
    uint64_t i;
    for (i = 0; i < count; i++) {
        h->to[i] = h->from[i];
        h->frame[h->from[i] >> 10].mappings++;
    }
    start = bench_ns() - start;
    for (i = 0; i < count; i++) h->frame[i].mappings = 0;
    return start / (double)count;
}

/* Entries are copied, write-protected in both, and each page gets a reference. */
static double hand_fork(hand_t *h)
{
    double start;
    uint64_t i;
    for (i = 0; i < h->pages; i++) {
        h->from[i] |= VMM_W;
        h->frame[i].mappings = 1;
    }
    start = bench_ns();
    for (i = 0; i < h->pages; i++) {
        const uint64_t entry = h->from[i] & ~(uint64_t)VMM_W;
        h->from[i] = h->to[i] = entry;
        h->frame[entry >> 10].mappings++;
    }
    return (bench_ns() - start) / (double)h->pages;
}

/* Areas in a sorted array: what a system call on them cannot do without. */
#define HAND_AREAS 16
typedef struct hand_areas {
    vmm_area_t area[HAND_AREAS];
    unsigned count;
} hand_areas_t;

static __attribute__((noinline)) unsigned hand_find(const hand_areas_t *h, uint64_t at)
{
    unsigned low = 0, high = h->count;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (h->area[middle].end <= at) low = middle + 1;
        else high = middle;
    }
    return low;
}

static __attribute__((noinline)) void hand_insert(hand_areas_t *h, unsigned at, const vmm_area_t *area)
{
    memmove(&h->area[at + 1], &h->area[at], (h->count - at) * sizeof h->area[0]);
    h->area[at] = *area;
    h->count++;
}

static __attribute__((noinline)) void hand_remove(hand_areas_t *h, unsigned at)
{
    h->count--;
    memmove(&h->area[at], &h->area[at + 1], (h->count - at) * sizeof h->area[0]);
}

static void hand_areas_make(hand_areas_t *h, uint64_t pages)
{
    memset(h, 0, sizeof *h);
    h->area[0].start = UINT64_C(1) << 30;
    h->area[0].end = h->area[0].start + pages * PAGE;
    h->area[0].flags = RW;
    h->count = 1;
}

/* An area of one page below the first comes and goes. */
static double hand_mmap(uint64_t rounds)
{
    hand_areas_t h;
    double start;
    uint64_t i;
    hand_areas_make(&h, 1);
    start = bench_ns();
    for (i = 0; i < rounds; i++) {
        vmm_area_t area = h.area[0];
        area.end = area.start - PAGE;
        area.start = area.end - PAGE;
        hand_insert(&h, hand_find(&h, area.start), &area);
        hand_remove(&h, hand_find(&h, area.start));
    }
    start = bench_ns() - start;
    bench_sink += h.count;
    return start / (double)rounds;
}

/* The middle page of three is cut out and put back. */
static double hand_protect(uint64_t rounds)
{
    hand_areas_t h;
    double start;
    uint64_t i;
    hand_areas_make(&h, 3);
    start = bench_ns();
    for (i = 0; i < rounds; i++) {
        const uint64_t at = h.area[0].start + PAGE;
        unsigned first = hand_find(&h, at);
        vmm_area_t middle = h.area[first], last = middle;
        h.area[first].end = middle.start = at;
        middle.end = last.start = at + PAGE;
        middle.flags = VMM_R;
        hand_insert(&h, first + 1, &middle);
        hand_insert(&h, first + 2, &last);
        first = hand_find(&h, at);
        h.area[first - 1].end = h.area[first + 1].end;
        hand_remove(&h, first);
        hand_remove(&h, first);
    }
    start = bench_ns() - start;
    bench_sink += h.count;
    return start / (double)rounds;
}

/* ------------------------------------------------------------------------- the model -- */

typedef struct model {
    vmm_machine_t *m;
    vmm_space_t *s;
    uint8_t *ram, *block;
    uint64_t ram_bytes, block_bytes;
} model_t;

/* A machine with RAM for `pages`, their tables and what is kept free, and a first space. */
static void model_make(model_t *b, uint64_t pages, vmm_machine_options_t *options)
{
    static vmm_memory_t memory;
    b->ram_bytes = (pages + pages / 64 + 1024) * PAGE;
    b->ram = memory_new(b->ram_bytes);
    memory.ram = b->ram;
    memory.base = BASE;
    memory.size = b->ram_bytes;
    options->memory = &memory;
    options->paging = &vmm_sv39;
    options->layout = &vmm_layout_39;
    options->overcommit = VMM_OVERCOMMIT_ALWAYS;
    options->watermark_min = 64;
    b->block_bytes = vmm_machine_bytes(options);
    b->block = memory_new(b->block_bytes);
    must(!vmm_machine_create(b->block, b->block_bytes, options, &b->m), "vmm_machine_create");
    must(!vmm_space_create(b->m, &b->s), "vmm_space_create");
}

/* The 2 MiB that memory_new asked for to align stay behind: nothing touched them. */
static void model_drop(model_t *b)
{
    munmap(b->ram, (size_t)b->ram_bytes);
    munmap(b->block, (size_t)b->block_bytes);
}

static vmm_vaddr_t model_map(model_t *b, uint64_t pages, unsigned protection, unsigned flags, uint32_t object)
{
    vmm_vaddr_t at = 0;
    must(!vmm_mmap(b->s, 0, pages * PAGE, protection, flags, object, 0, &at), "vmm_mmap");
    return at;
}

/* Nanoseconds of a fault on each of `count` pages, which are `step` pages apart. */
static double model_touch(model_t *b, vmm_vaddr_t at, uint64_t count, uint64_t step, unsigned access)
{
    unsigned failed = 0;
    const double start = bench_ns();
    double time;
    uint64_t i;
    for (i = 0; i < count; i++) failed |= (unsigned)vmm_fault_serve(b->s, at + i * step * PAGE, access);
    time = bench_ns() - start;
    must(!failed, "vmm_fault_serve");
    return time / (double)count;
}

/* Where the pages are in our memory. */
static void model_hosts(const model_t *b, vmm_vaddr_t at, uint64_t count, uint8_t **host)
{
    vmm_judge_t judge;
    vmm_translation_t t;
    vmm_fault_t fault;
    uint64_t i;
    memset(&judge, 0, sizeof judge);
    judge.user = 1;
    judge.marking = VMM_MARK_PEEK;
    for (i = 0; i < count; i++) {
        must(!vmm_walk(&vmm_sv39, &b->m->memory, b->s->root, &judge, VMM_READ, at + i * PAGE, &t, &fault, NULL, NULL),
             "vmm_walk");
        host[i] = b->ram + (t.paddr - BASE);
    }
}

/* ----------------------------------------------------------------------- the benches -- */

static uint8_t *page_at[2][TOUCHED]; /* in our memory: before a turn and after it */

static void bench_zero(void)
{
    vmm_machine_options_t options;
    model_t b;
    turns_t t;
    int turn;
    memset(&options, 0, sizeof options);
    memset(&t, 0, sizeof t);
    model_make(&b, TOUCHED, &options);
    for (turn = 0; turn < BENCH_TURNS * PASSES; turn++) {
        const int at = turn / PASSES;
        const uint64_t before = b.m->stats.zero_filled;
        const vmm_vaddr_t pages = model_map(&b, TOUCHED, RW, ANONYMOUS, 0);
        t.ours[at] = model_touch(&b, pages, TOUCHED, 1, VMM_WRITE);
        must(b.m->stats.zero_filled - before == TOUCHED, "counting zero-filled pages");
        model_hosts(&b, pages, TOUCHED, page_at[0]);
        must(!vmm_munmap(b.s, pages, TOUCHED * PAGE), "vmm_munmap");
        t.limit[at] = hand_clear(page_at[0], TOUCHED);
        if (turn % PASSES == PASSES - 1) t.host[at] = host_does(HOST_ZERO, TOUCHED);
    }
    t.count = BENCH_TURNS;
    rows("vm.fault.zero", "ns", &t);
    row_over("vm.fault.zero.over", &t, OVER_BOUND);
    model_drop(&b);
}

/* The parent writes what it shares with a child, page after page: all of it is copied. */
static void bench_cow(void)
{
    vmm_machine_options_t options;
    model_t b;
    turns_t t;
    vmm_vaddr_t pages;
    int turn;
    memset(&options, 0, sizeof options);
    memset(&t, 0, sizeof t);
    model_make(&b, 2 * TOUCHED, &options);
    pages = model_map(&b, TOUCHED, RW, ANONYMOUS, 0);
    model_touch(&b, pages, TOUCHED, 1, VMM_WRITE);
    for (turn = 0; turn < BENCH_TURNS * PASSES; turn++) {
        const int at = turn / PASSES;
        const uint64_t before = b.m->stats.copied;
        vmm_space_t *child;
        must(!vmm_fork(b.s, &child), "vmm_fork");
        model_hosts(&b, pages, TOUCHED, page_at[0]);
        t.ours[at] = model_touch(&b, pages, TOUCHED, 1, VMM_WRITE);
        must(b.m->stats.copied - before == TOUCHED, "counting copied pages");
        model_hosts(&b, pages, TOUCHED, page_at[1]);
        t.limit[at] = hand_copy(page_at[1], page_at[0], TOUCHED);
        vmm_exit(child);
        if (turn % PASSES == PASSES - 1) t.host[at] = host_does(HOST_COW, TOUCHED);
    }
    t.count = BENCH_TURNS;
    rows("vm.fault.cow", "ns", &t);
    row_over("vm.fault.cow.over", &t, OVER_BOUND);
    model_drop(&b);
}

static int read_page(void *user, uint64_t page, void *to)
{
    (void)user, (void)page;
    memset(to, 1, PAGE);
    return 0;
}

/* A read of each `step`th page of a file whose pages are cached; each fault maps `around` pages. Nanoseconds a page. */
static void bench_file(const char *name, enum host_work work, uint64_t step, uint32_t around)
{
    vmm_machine_options_t options;
    vmm_object_options_t file;
    uint64_t touched = TOUCHED / around;
    model_t b;
    hand_t h;
    turns_t t;
    uint32_t object;
    int turn;
    memset(&options, 0, sizeof options);
    memset(&file, 0, sizeof file);
    memset(&t, 0, sizeof t);
    options.fault_around = around;
    options.nodes = (uint32_t)(2 * TOUCHED); /* with holes each page has a node of its own */
    file.kind = VMM_OBJECT_FILE;
    file.size = TOUCHED * step * PAGE;
    file.read_page = read_page;
    model_make(&b, 2 * TOUCHED, &options);
    hand_make(&h, TOUCHED);
    must(!vmm_object_create(b.m, &file, &object), "vmm_object_create");
    for (turn = -1; turn < BENCH_TURNS * PASSES; turn++) { /* the very first reads the file */
        const int at = turn < 0 ? 0 : turn / PASSES;
        const uint64_t before = b.m->stats.minor;
        const vmm_vaddr_t pages = model_map(&b, TOUCHED * step, VMM_R, VMM_MAP_SHARED, object);
        if (turn < 0) model_touch(&b, pages, TOUCHED, step, VMM_READ);
        else {
            t.ours[at] = model_touch(&b, pages, touched, step * around, VMM_READ) / around;
            must(b.m->stats.minor - before == touched, "counting minor faults");
        }
        must(!vmm_munmap(b.s, pages, TOUCHED * step * PAGE), "vmm_munmap");
        t.limit[at] = hand_enter(&h, TOUCHED);
        if (turn % PASSES == PASSES - 1) t.host[at] = host_does(work, TOUCHED);
    }
    t.count = BENCH_TURNS;
    rows(name, "ns", &t);
    hand_drop(&h);
    model_drop(&b);
}

static int memory_enough(const char *name, uint64_t pages)
{
    const uint64_t need = 2 * pages * PAGE + pages * 256, have = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * PAGE;
    if (need <= have) return 1;
    printf("%-26s left out: it needs %.1f GiB of memory, %.1f are there\n", name, (double)need / 0x1p30,
           (double)have / 0x1p30);
    return 0;
}

/* A space of so many written anonymous pages is forked, and the child exits; before that the parent writes all pages
 * again, which were left to it by the last child. */
static void bench_fork(const char *size, uint64_t pages, int turns)
{
    static turns_t fork_time, both_time, reuse_time;
    vmm_machine_options_t options;
    vmm_vaddr_t at;
    char name[32];
    double median;
    model_t b;
    hand_t h;
    int turn;
    snprintf(name, sizeof name, "vm.fork.%s", size);
    if (!asked_for(name) || !memory_enough(name, pages)) return;
    memset(&options, 0, sizeof options);
    model_make(&b, pages, &options);
    hand_make(&h, pages);
    at = model_map(&b, pages, RW, ANONYMOUS, 0);
    model_touch(&b, at, pages, 1, VMM_WRITE);
    for (turn = -1; turn < turns; turn++) {
        const int i = turn < 0 ? 0 : turn;
        vmm_space_t *child;
        double start;
        reuse_time.ours[i] = model_touch(&b, at, pages, 1, VMM_WRITE);
        start = bench_ns();
        must(!vmm_fork(b.s, &child), "vmm_fork");
        fork_time.ours[i] = (bench_ns() - start) / (double)pages;
        vmm_exit(child);
        both_time.ours[i] = (bench_ns() - start) / (double)pages;
        fork_time.limit[i] = hand_fork(&h);
        fork_time.host[i] = host_does(HOST_FORK, pages);
        both_time.host[i] = host_time[HOST_EXITED];
        reuse_time.host[i] = host_time[HOST_REUSE];
    }
    fork_time.count = both_time.count = reuse_time.count = turns;
    rows(name, "ns/pg", &fork_time);
    median = bench_median(fork_time.ours, turns);
    bench_row(name, median, "ns/pg", "bound of 3", FORK_BOUND, median / FORK_BOUND);
    snprintf(name, sizeof name, "vm.fork_exit.%s", size);
    rows(name, "ns/pg", &both_time);
    if (pages == UINT64_C(64) << 8) rows("vm.fault.reuse", "ns", &reuse_time);
    model_drop(&b);
    hand_drop(&h);
    host_does(HOST_ZERO, 1); /* it gives its pages back */
}

/* One page is mapped and unmapped, untouched; the middle page of three is protected and unprotected. Both hold two
 * system calls each round. */
static void bench_calls(void)
{
    static turns_t map_time, protect_time;
    vmm_machine_options_t options;
    vmm_vaddr_t at;
    model_t b;
    int turn;
    memset(&options, 0, sizeof options);
    model_make(&b, TOUCHED, &options);
    at = model_map(&b, 3, RW, ANONYMOUS, 0);
    for (turn = -1; turn < BENCH_TURNS; turn++) {
        const int i = turn < 0 ? 0 : turn;
        double start = bench_ns();
        unsigned failed = 0;
        vmm_vaddr_t page;
        uint64_t round;
        for (round = 0; round < ROUNDS; round++) {
            failed |= (unsigned)vmm_mmap(b.s, 0, PAGE, RW, ANONYMOUS, 0, 0, &page);
            failed |= (unsigned)vmm_munmap(b.s, page, PAGE);
        }
        map_time.ours[i] = (bench_ns() - start) / (double)ROUNDS;
        start = bench_ns();
        for (round = 0; round < ROUNDS; round++) {
            failed |= (unsigned)vmm_mprotect(b.s, at + PAGE, PAGE, VMM_R);
            failed |= (unsigned)vmm_mprotect(b.s, at + PAGE, PAGE, RW);
        }
        protect_time.ours[i] = (bench_ns() - start) / (double)ROUNDS;
        must(!failed, "vmm_mmap, vmm_munmap or vmm_mprotect");
        map_time.limit[i] = hand_mmap(ROUNDS);
        map_time.host[i] = host_does(HOST_MMAP, ROUNDS);
        protect_time.limit[i] = hand_protect(ROUNDS);
        protect_time.host[i] = host_does(HOST_PROTECT, ROUNDS);
    }
    map_time.count = protect_time.count = BENCH_TURNS;
    rows("vm.mmap_munmap", "ns", &map_time);
    rows("vm.mprotect_split", "ns", &protect_time);
    model_drop(&b);
}

/* Two processes take turns on one processor that has an MMU, with ASIDs. The limit writes the root register. */
static rv_mmu_t mmu;

static uint64_t satp_of(const vmm_space_t *s)
{
    return UINT64_C(8) << 60 | (uint64_t)s->asid << 44 | s->root >> 12;
}

static void bench_switch(void)
{
    static turns_t t;
    vmm_machine_options_t options;
    vmm_space_t *other;
    uint32_t cpu;
    model_t b;
    int turn;
    memset(&options, 0, sizeof options);
    options.asid_bits = 16;
    model_make(&b, TOUCHED, &options);
    must(!vmm_space_create(b.m, &other), "vmm_space_create");
    must(!rv_init(&mmu, &b.m->memory) && !rv_attach(&mmu, b.m, &cpu), "rv_attach");
    for (turn = -1; turn < BENCH_TURNS; turn++) {
        const int i = turn < 0 ? 0 : turn;
        double start = bench_ns();
        unsigned failed = 0;
        uint64_t round;
        for (round = 0; round < ROUNDS; round++) {
            failed |= (unsigned)vmm_space_switch(other, cpu);
            failed |= (unsigned)vmm_space_switch(b.s, cpu);
        }
        t.ours[i] = (bench_ns() - start) / (2.0 * (double)ROUNDS);
        must(!failed, "vmm_space_switch");
        start = bench_ns();
        for (round = 0; round < ROUNDS; round++) {
            failed |= (unsigned)rv_set_satp(&mmu, satp_of(other));
            failed |= (unsigned)rv_set_satp(&mmu, satp_of(b.s));
        }
        t.limit[i] = (bench_ns() - start) / (2.0 * (double)ROUNDS);
        must(!failed, "rv_set_satp");
        t.host[i] = host_does(HOST_SWITCH, ROUNDS);
    }
    t.count = BENCH_TURNS;
    row_against("vm.switch", "ns", &t, "limit (root register)", t.limit);
    row_against("vm.switch", "ns", &t, "host, with scheduling", t.host);
    model_drop(&b);
}

/* Finds areas of one page, each apart from its neighbours by another, at random. The limit is a search by halves in
 * a sorted array of starts. */
#define FINDS UINT64_C(200000)
#define SIZES 4

static uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double find_ours(vmm_space_t *s, vmm_vaddr_t at, uint64_t areas)
{
    const double start = bench_ns();
    uint64_t state = 88172645463325252, i, found = 0;
    for (i = 0; i < FINDS; i++)
        found += vmm_area_after(s, at + (((bench_random(&state) >> 32) * areas) >> 32) * 2 * PAGE) != 0;
    must(found == FINDS, "vmm_area_after");
    return (bench_ns() - start) / (double)FINDS;
}

static double find_limit(const uint64_t *starts, vmm_vaddr_t at, uint64_t areas)
{
    const double start = bench_ns();
    uint64_t state = 88172645463325252, i, found = 0;
    for (i = 0; i < FINDS; i++) {
        const uint64_t va = at + (((bench_random(&state) >> 32) * areas) >> 32) * 2 * PAGE;
        const uint64_t *low = starts;
        uint64_t left = areas;
        for (; left > 1; left -= left / 2) low = low[left / 2] <= va ? low + left / 2 : low;
        found += *low == va;
    }
    must(found == FINDS, "searching by halves");
    return (bench_ns() - start) / (double)FINDS;
}

static void bench_areas(void)
{
    static const uint64_t count[SIZES] = {10, 1000, 100000, 1000000};
    static const char *const size[SIZES] = {"10", "1k", "100k", "1M"};
    static turns_t t[SIZES];
    model_t b[SIZES];
    uint64_t *starts[SIZES], i;
    const vmm_vaddr_t low = UINT64_C(1) << 32;
    char name[32];
    int turn, n;
    for (n = 0; n < SIZES; n++) {
        vmm_machine_options_t options;
        memset(&options, 0, sizeof options);
        options.areas = options.areas_of_space = (uint32_t)count[n] + 16;
        model_make(&b[n], 64, &options);
        starts[n] = (uint64_t *)(void *)memory_new(count[n] * sizeof(uint64_t));
        for (i = 0; i < count[n]; i++) {
            vmm_vaddr_t at = starts[n][i] = low + i * 2 * PAGE;
            must(!vmm_mmap(b[n].s, at, PAGE, RW, ANONYMOUS | VMM_MAP_FIXED, 0, 0, &at), "vmm_mmap");
        }
    }
    for (turn = -1; turn < BENCH_TURNS; turn++)
        for (n = 0; n < SIZES; n++) {
            t[n].ours[turn < 0 ? 0 : turn] = find_ours(b[n].s, low, count[n]);
            t[n].limit[turn < 0 ? 0 : turn] = find_limit(starts[n], low, count[n]);
        }
    for (n = 0; n < SIZES; n++) {
        snprintf(name, sizeof name, "vm.areas.find.%s", size[n]);
        t[n].count = BENCH_TURNS;
        row_against(name, "ns", &t[n], "search by halves", t[n].limit);
        if (n != 1) row_against(name, "ns", &t[n], "1k areas", t[1].ours);
        model_drop(&b[n]);
        munmap(starts[n], (size_t)(count[n] * sizeof(uint64_t)));
    }
}

/* Half as many pages again as there are frames are written over and over: each fault writes one page to a slot and
 * reads another. The limit copies as many pages to and fro between as many frames and slots. */
#define SWAPPED (3 * TOUCHED)
static uint8_t *frames;
static uint8_t *slots;

static int write_slot(void *user, uint32_t slot, const void *page)
{
    (void)user;
    memcpy(slots + slot * PAGE, page, PAGE);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    (void)user;
    memcpy(page, slots + slot * PAGE, PAGE);
    return 0;
}

static void bench_swap(void)
{
    static turns_t t;
    vmm_machine_options_t options;
    vmm_swap_area_t area;
    vmm_vaddr_t pages;
    double moved, ours, theirs;
    model_t b;
    int turn;
    memset(&options, 0, sizeof options);
    memset(&area, 0, sizeof area);
    slots = memory_new(4 * TOUCHED * PAGE);
    frames = memory_new(2 * TOUCHED * PAGE);
    options.slots = area.slots = (uint32_t)(4 * TOUCHED);
    area.write_slot = write_slot;
    area.read_slot = read_slot;
    model_make(&b, TOUCHED, &options);
    must(!vmm_swap_add(b.m, &area), "vmm_swap_add");
    pages = model_map(&b, SWAPPED, RW, ANONYMOUS, 0);
    for (turn = -2; turn < BENCH_TURNS; turn++) {
        const int i = turn < 0 ? 0 : turn;
        const uint64_t before = b.m->stats.swapped_in + b.m->stats.swapped_out;
        double start;
        uint64_t page;
        t.ours[i] = model_touch(&b, pages, SWAPPED, 1, VMM_WRITE) * (double)SWAPPED;
        moved = (double)(b.m->stats.swapped_in + b.m->stats.swapped_out - before);
        t.ours[i] /= moved;
        start = bench_ns();
        for (page = 0; page < SWAPPED; page++) {
            uint8_t *frame = frames + page % (2 * TOUCHED) * PAGE;
            memcpy(slots + page * PAGE, frame, PAGE);
            memcpy(frame, slots + (page + 2 * TOUCHED) % SWAPPED * PAGE, PAGE);
        }
        t.limit[i] = (bench_ns() - start) / (2.0 * (double)SWAPPED);
    }
    t.count = BENCH_TURNS;
    row_against("vm.swap", "ns/pg", &t, "memcpy of a page", t.limit);
    ours = bench_median(t.ours, BENCH_TURNS);
    theirs = bench_median(t.limit, BENCH_TURNS);
    bench_row("vm.swap.pages", 1e6 / ours, "k pg/s", "memcpy of a page", 1e6 / theirs, theirs / ours);
    model_drop(&b);
}

int main(int count, char **words)
{
    if (count > 1) wanted = words[1];
    host_start();
    bench_head("Operating system: Sv39, pages of 4 KiB; without the trap, the host with it");
    if (asked_for("vm.fault.zero")) bench_zero();
    if (asked_for("vm.fault.cow")) bench_cow();
    if (asked_for("vm.fault.file")) bench_file("vm.fault.file", HOST_FILE, STEP, 1);
    if (asked_for("vm.fault.around")) bench_file("vm.fault.around", HOST_AROUND, 1, 16);
    bench_fork("64M", UINT64_C(64) << 8, BENCH_TURNS);
    bench_fork("256M", UINT64_C(256) << 8, 15);
    bench_fork("1G", UINT64_C(1024) << 8, 7);
    bench_fork("4G", UINT64_C(4096) << 8, 5);
    if (asked_for("vm.mmap_munmap") || asked_for("vm.mprotect_split")) bench_calls();
    if (asked_for("vm.switch")) bench_switch();
    if (asked_for("vm.areas.find")) bench_areas();
    if (asked_for("vm.swap")) bench_swap();
    return 0;
}
