/* libvmmalloc.so: the heap of vmm_alloc.h in place of the C library's, for any dynamically linked program.
 *
 *     make preload
 *     LD_PRELOAD=$PWD/build/libvmmalloc.so python3 ...
 *
 * README.md beside this file tells the build options and the environment variables. One heap grows inside one
 * reserved stretch of addresses; large blocks are mapped by themselves. One mutex guards it, taken only while the
 * process has threads; on level 0 each thread then has magazines of small blocks, which need none. For glibc on 64-bit
 * Linux. */
#define _GNU_SOURCE /* mremap, secure_getenv, program_invocation_short_name */

#define VMM_MAGAZINE_ITEMS 512 /* of 16 bytes each: all that a thread keeps */
#include "vmm_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <unistd.h>

/** Hardening level of the heap, 0 to 3; see VMM_HEAP_FAST in vmm_alloc.h for what each finds. */
#ifndef VMM_PRELOAD_LEVEL
#define VMM_PRELOAD_LEVEL 0
#endif
/** Most bytes of addresses that are reserved, a power of two, at most 64 GiB; small blocks live there. */
#ifndef VMM_PRELOAD_RESERVE
#define VMM_PRELOAD_RESERVE ((size_t)64 << 30)
#endif

/* Counting looks at every call, so level 0 goes without. */
#define COUNTS (VMM_PRELOAD_LEVEL > 0 ? VMM_HEAP_STATS : 0)
#define PAGE ((size_t)4096)
/* Reserved addresses are opened for use by so much at a time. */
#define OPEN_STEP ((size_t)4 << 20)
/* What glibc calls too large is larger than any block of ours can be. */
#define MOST (SIZE_MAX / 4)
/* Most bytes of one size that a thread keeps. */
#define OWN_MOST 8192u
#define RECORD_SLOTS (UINT32_C(1) << 21)
#define EXPORT __attribute__((visibility("default")))

VMM_STATIC_ASSERT(sizeof(size_t) == 8, "libvmmalloc.so is for 64-bit hosts");
VMM_STATIC_ASSERT(VMM_PRELOAD_LEVEL >= 0 && VMM_PRELOAD_LEVEL <= 3, "VMM_PRELOAD_LEVEL must be 0 to 3");

VMM_HEAP(heap, 12, VMM_GOOD_FIT, VMM_PRELOAD_LEVEL, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS | COUNTS)

/* Of C23, not in every <stdlib.h>. */
void free_sized(void *block, size_t bytes);
void free_aligned_sized(void *block, size_t align, size_t bytes);

static struct {
    unsigned char *at;     /* the reserved stretch */
    size_t reserved, open; /* bytes reserved, and of these readable and writable */
    size_t used;           /* given to the heap */
} stretch;

static heap_t heap;
static bool started;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool fork_locked; /* between the handlers of fork */

static vmm_recorder_t recorder; /* records while recorder.out is not null */
static char record_buffer[1 << 16];
static int stats_fd = -1;
static char stats_buffer[1 << 12];

/* ------------------------------------------------------------- memory for the heap ---- */
/* Makes the first `wanted` bytes of the stretch usable. */
static bool open_to(size_t wanted)
{
    const int error = errno;
    size_t end = (wanted + OPEN_STEP - 1) & ~(OPEN_STEP - 1);
    if (wanted <= stretch.open) return true;
    if (end > stretch.reserved) end = stretch.reserved;
    if (mprotect(stretch.at + stretch.open, end - stretch.open, PROT_READ | PROT_WRITE) != 0) {
        end = wanted;
        if (mprotect(stretch.at + stretch.open, end - stretch.open, PROT_READ | PROT_WRITE) != 0) end = stretch.open;
    }
    errno = error;
    stretch.open = end;
    return wanted <= end;
}

static int grow(void *user, size_t bytes, void **at)
{
    (void)user;
    if (bytes > stretch.reserved - stretch.used || !open_to(stretch.used + bytes)) return 1;
    *at = stretch.at + stretch.used;
    stretch.used += bytes;
    return 0;
}

/* The pages go, the addresses stay open. */
static int shrink(void *user, void *at, size_t bytes)
{
    const int error = errno;
    int failed;
    (void)user;
    if ((unsigned char *)at + bytes != stretch.at + stretch.used) return 1;
    failed = madvise(at, bytes, MADV_DONTNEED);
    errno = error;
    if (!failed) stretch.used -= bytes;
    return failed;
}

static void *map(void *user, size_t bytes)
{
    const int error = errno;
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)user;
    errno = error;
    return at == MAP_FAILED ? NULL : at;
}

static int unmap(void *user, void *at, size_t bytes)
{
    const int error = errno, failed = munmap(at, bytes);
    (void)user;
    errno = error;
    return failed;
}

static void *remap(void *user, void *at, size_t bytes, size_t wanted)
{
    const int error = errno;
    void *const now = mremap(at, bytes, wanted, MREMAP_MAYMOVE);
    (void)user;
    errno = error;
    return now == MAP_FAILED ? NULL : now;
}

/* ------------------------------------------------------------------------- misuse ---- */
static void say(const char *text)
{
    size_t left = strlen(text);
    while (left) {
        const ssize_t wrote = write(STDERR_FILENO, text, left);
        if (wrote <= 0) return;
        text += wrote;
        left -= (size_t)wrote;
    }
}

/* Ends the process, as glibc does. The lock is let go first: a handler of SIGABRT may allocate. */
static void misuse(void *user, vmm_misuse_t reason, const void *at)
{
    char line[160], *end = line;
    const char *const parts[] = {"libvmmalloc: ", vmm_misuse_text(reason), ": 0x"};
    unsigned shift = 64, i;
    (void)user;
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) end = stpcpy(end, parts[i]);
    while (shift > 4 && !((uintptr_t)at >> (shift - 4))) shift -= 4;
    for (; shift; shift -= 4) *end++ = "0123456789abcdef"[(uintptr_t)at >> (shift - 4) & 15];
    stpcpy(end, "\n");
    say(line);
    if (!__libc_single_threaded) pthread_mutex_unlock(&lock);
    abort();
}

/* ------------------------------------------------------------------------ starting ---- */
/* Reserves addresses: all that are allowed, or as many as there are. Under `ulimit -v` half of the limit is left to
 * the rest of the process. */
static bool reserve(void)
{
    struct rlimit limit;
    size_t bytes = VMM_PRELOAD_RESERVE;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        while (bytes > limit.rlim_cur / 2) bytes /= 2;
    for (; bytes >= OPEN_STEP; bytes /= 2) {
        const size_t map_bytes = (VMM_HEAP_MAP_BYTES(bytes, 12) + PAGE - 1) & ~(PAGE - 1);
        void *const at = mmap(NULL, bytes + map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) continue;
        if (mprotect((unsigned char *)at + bytes, map_bytes, PROT_READ | PROT_WRITE) != 0) {
            munmap(at, bytes + map_bytes);
            continue;
        }
        stretch.at = (unsigned char *)at;
        stretch.reserved = bytes;
        return true;
    }
    return false;
}

/* The first call of the process, perhaps before any constructor. */
static void start(void)
{
    const int error = errno;
    const void *const random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    vmm_heap_options_t options;
    memset(&options, 0, sizeof options);
    if (!stretch.at && !reserve()) return;
    options.hooks.grow = grow;
    options.hooks.shrink = shrink;
    options.hooks.map = map;
    options.hooks.unmap = unmap;
    options.hooks.remap = remap;
    options.hooks.misuse = misuse;
    options.window = stretch.reserved;
    options.page_map = stretch.at + stretch.reserved;
    if (random) memcpy(&options.secret, random, sizeof options.secret);
    started = heap_init(&heap, &options) == VMM_OK;
    errno = error;
}

/* ------------------------------------------------------------------------- locking ---- */
/* Takes the lock if there is anyone to keep out; whether it did. Nobody starts or joins a thread from within a call,
 * so the answer holds until leave. */
static bool enter(void)
{
    const bool locks = !__libc_single_threaded;
    if (locks) pthread_mutex_lock(&lock);
    if (VMM_UNLIKELY(!started)) start();
    return locks;
}

static void leave(bool locked)
{
    if (locked) pthread_mutex_unlock(&lock);
}

/* May a call go straight to the heap? */
static inline bool is_plain(void)
{
    return VMM_LIKELY(__libc_single_threaded && started) && VMM_LIKELY(!recorder.out);
}

/* ------------------------------------------------------- small blocks of a thread ---- */
/* While the process has threads, each takes small blocks from magazines of its own and gives them back there, and needs
 * the lock only to fill or to empty one. For the heap, what lies in them is live. Blocks may pass between threads: what
 * a thread frees goes into its own. Other levels look at every call, so they do without. */
typedef struct own {
    vmm_magazine_t magazine[VMM_SMALL_CLASSES];
} own_t;

#define THREADS_OWN __attribute__((tls_model("initial-exec")))
static _Thread_local own_t *own THREADS_OWN;
static _Thread_local bool goes_without THREADS_OWN; /* while they are made, and when the thread is ending */
static pthread_key_t own_key;                       /* its destructor gives them up */
static bool own_key_made;

static vmm_cache_t *cache_of(unsigned index)
{
    return &vmm_heap_small_of(&heap.core, &heap_kind)->cache[index];
}

/* The class of a small block plus one, else 0: as vmm_call_free finds it. No other thread writes the entry of a live
 * block in the page map, so this needs no lock. */
static inline unsigned class_of(size_t at)
{
    return at < heap.core.window ? vmm_heap_page_map(&heap.core)[at >> 12] & 31u : 0;
}

static void give_up_own(void *argument)
{
    own_t *const gone = (own_t *)argument;
    unsigned i;
    bool locked;
    goes_without = true;
    own = NULL;
    locked = enter();
    for (i = 0; i < VMM_SMALL_CLASSES; i++) vmm_magazine_flush(&gone->magazine[i], cache_of(i));
    (void)heap_free(&heap, gone);
    leave(locked);
}

/* The calling thread's magazines; null when it goes without. pthread_setspecific may allocate, and comes back here. */
static own_t *own_or_new(void)
{
    own_t *made;
    bool locked;
    unsigned i;
    if (own || goes_without || !own_key_made) return own;
    goes_without = true;
    locked = enter();
    made = started ? (own_t *)heap_malloc(&heap, sizeof *made) : NULL;
    for (i = 0; made && i < VMM_SMALL_CLASSES; i++)
        vmm_magazine_init(&made->magazine[i], cache_of(i), OWN_MOST / (unsigned)vmm_small_size(i));
    leave(locked);
    if (!made) return NULL;
    if (pthread_setspecific(own_key, made) != 0) {
        give_up_own(made);
        return NULL;
    }
    goes_without = false;
    own = made;
    return own;
}

/* May the calling thread use magazines of its own now? */
static inline bool has_own(void)
{
    return VMM_PRELOAD_LEVEL == 0 && !__libc_single_threaded && !recorder.out && own_or_new();
}

/* A small block, or null: not from here. */
static inline void *own_malloc(size_t bytes)
{
    const unsigned index = bytes <= VMM_SMALL_MOST(12) ? vmm_small_class[(bytes + 15) / 16] : VMM_SMALL_CLASSES;
    vmm_magazine_t *m;
    void *block;
    bool locked;
    if (index == VMM_SMALL_CLASSES || !has_own()) return NULL;
    m = &own->magazine[index];
    if (VMM_LIKELY(m->count != 0)) return (void *)(heap.core.origin + m->item[m->count--]);
    locked = enter();
    block = vmm_magazine_alloc(m, cache_of(index));
    leave(locked);
    return block;
}

/* Whether it was a small block, which is free now. */
static inline bool own_free(void *block)
{
    const size_t at = (uintptr_t)block - heap.core.origin;
    vmm_misuse_t why;
    vmm_magazine_t *m;
    unsigned index;
    bool locked;
    if (!has_own() || (index = class_of(at)) == 0) return false;
    m = &own->magazine[index - 1];
    if (VMM_LIKELY(m->count < m->capacity && m->item[m->count] != at)) {
        m->item[++m->count] = at;
        return true;
    }
    locked = enter();
    why = vmm_magazine_free(m, cache_of(index - 1), block);
    if (why != VMM_MISUSE_NONE) misuse(NULL, why, block);
    leave(locked);
    return true;
}

/* ---------------------------------------------------------------------- recording ---- */
/* Called with the lock taken. The stream has its buffer, and printing whole numbers allocates nothing, so this does not
 * come back here. It may write, where a thread can be cancelled, which must not happen with the lock taken. */
static void record(char operation, const void *old, const void *now, size_t bytes)
{
    const int error = errno;
    int state;
    if (VMM_LIKELY(!recorder.out)) return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    (void)vmm_record(&recorder, operation, old, now, bytes);
    pthread_setcancelstate(state, NULL);
    errno = error;
}

/* Puts a descriptor where programs do not expect one, and keeps it from those that they start. */
static int out_of_the_way(int fd)
{
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    return high >= 0 ? high : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* VMMALLOC_RECORD=file: the first process takes it out of the environment, so that those it starts do not write over
 * the file. With %p, which becomes the process id, each has its own. */
static void start_recording(void)
{
    const char *const name = secure_getenv("VMMALLOC_RECORD");
    const char *const mark = name ? strstr(name, "%p") : NULL;
    char path[4096];
    void *table;
    FILE *out;
    int fd, high;
    if (!name || !*name || strlen(name) > sizeof path - 32) return;
    if (mark) sprintf(path, "%.*s%ld%s", (int)(mark - name), name, (long)getpid(), mark + 2);
    else strcpy(path, name);
    if (!mark) unsetenv("VMMALLOC_RECORD");
    table = map(NULL, RECORD_SLOTS * sizeof(vmm_recorded_t));
    fd = table ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    high = fd >= 0 ? out_of_the_way(fd) : -1;
    if (fd >= 0) close(fd);
    out = high >= 0 ? fdopen(high, "w") : NULL;
    if (!out) {
        say("libvmmalloc: VMMALLOC_RECORD names a file that cannot be written\n");
        return;
    }
    setvbuf(out, record_buffer, _IOFBF, sizeof record_buffer);
    fprintf(out, "# %s\n", program_invocation_short_name);
    (void)vmm_recorder_init(&recorder, out, (vmm_recorded_t *)table, RECORD_SLOTS);
}

/* ----------------------------------------------------------------------- the family ---- */
static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *allocate(size_t bytes, size_t align)
{
    void *block = NULL;
    bool locked;
    if (bytes > MOST || align > MOST) return out_of_memory();
    locked = enter();
    if (VMM_LIKELY(started)) block = align <= 16 ? heap_malloc(&heap, bytes) : heap_aligned_alloc(&heap, align, bytes);
    if (block) record('a', NULL, block, bytes);
    leave(locked);
    return block ? block : out_of_memory();
}

/** As malloc(3). A block of 0 bytes is a block. */
EXPORT void *malloc(size_t bytes)
{
    void *block;
    if (!is_plain() || bytes > MOST) {
        block = own_malloc(bytes);
        return block ? block : allocate(bytes, 1);
    }
    block = heap_malloc(&heap, bytes);
    return VMM_LIKELY(block != NULL) ? block : out_of_memory();
}

/** As free(3): errno stays. */
EXPORT void free(void *block)
{
    bool locked;
    if (is_plain()) {
        (void)heap_free(&heap, block);
        return;
    }
    if (!block || own_free(block)) return;
    locked = enter();
    record('f', block, NULL, 0);
    (void)heap_free(&heap, block);
    leave(locked);
}

/** As calloc(3). */
EXPORT void *calloc(size_t count, size_t bytes)
{
    void *block = NULL;
    size_t all;
    bool locked;
    if (__builtin_mul_overflow(count, bytes, &all) || all > MOST) return out_of_memory();
    if ((block = own_malloc(all)) != NULL) return memset(block, 0, all);
    locked = enter();
    if (all <= VMM_SMALL_MOST(12)) {
        if (VMM_LIKELY(started)) block = heap_malloc(&heap, all);
        if (block) memset(block, 0, all);
    } else if (started) {
        block = heap_calloc(&heap, 1, all);
    }
    if (block) record('a', NULL, block, all);
    leave(locked);
    return block ? block : out_of_memory();
}

/** As realloc(3) of glibc: realloc(block, 0) frees and returns null. */
EXPORT void *realloc(void *block, size_t bytes)
{
    void *now;
    bool locked;
    if (!block) return malloc(bytes);
    if (!bytes) {
        free(block);
        return NULL;
    }
    if (bytes > MOST) return out_of_memory();
    locked = enter();
    now = heap_realloc(&heap, block, bytes);
    if (now) record('r', block, now, bytes);
    leave(locked);
    return now ? now : out_of_memory();
}

/** As reallocarray(3). */
EXPORT void *reallocarray(void *block, size_t count, size_t bytes)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all)) return out_of_memory();
    return realloc(block, all);
}

/** As aligned_alloc(3) of glibc 2.38: EINVAL for an alignment that is no power of two; any size. */
EXPORT void *aligned_alloc(size_t align, size_t bytes)
{
    if (!VMM_IS_POWER(align)) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(bytes, align);
}

/** As posix_memalign(3): the error is returned, errno and on failure *block stay. */
EXPORT int posix_memalign(void **block, size_t align, size_t bytes)
{
    const int error = errno;
    void *at;
    if (!VMM_IS_POWER(align) || align % sizeof(void *)) return EINVAL;
    at = allocate(bytes, align);
    errno = error;
    if (!at) return ENOMEM;
    *block = at;
    return 0;
}

/** As memalign(3) of glibc: an alignment that is no power of two is rounded up to one. */
EXPORT void *memalign(size_t align, size_t bytes)
{
    size_t power = 16;
    if (align > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    while (power < align) power *= 2;
    return allocate(bytes, power);
}

/** As valloc(3): aligned to a page. */
EXPORT void *valloc(size_t bytes)
{
    return allocate(bytes, PAGE);
}

/** As pvalloc(3): aligned to a page, and whole pages. */
EXPORT void *pvalloc(size_t bytes)
{
    if (bytes > MOST) return out_of_memory();
    return allocate((bytes + PAGE - 1) & ~(PAGE - 1), PAGE);
}

/** As free_sized of C23; a size that is not the block's is misuse. */
EXPORT void free_sized(void *block, size_t bytes)
{
    bool locked;
    if (!block) return;
    locked = enter();
    record('f', block, NULL, 0);
    (void)heap_free_sized(&heap, block, bytes);
    leave(locked);
}

/** As free_aligned_sized of C23. */
EXPORT void free_aligned_sized(void *block, size_t align, size_t bytes)
{
    (void)align;
    free_sized(block, bytes);
}

/** As malloc_usable_size(3). */
EXPORT size_t malloc_usable_size(void *block)
{
    size_t bytes;
    bool locked;
    if (!block) return 0;
    locked = enter();
    bytes = heap_usable_size(&heap, block);
    leave(locked);
    return bytes;
}

/** As malloc_trim(3): 1 when memory went back. */
EXPORT int malloc_trim(size_t pad)
{
    const bool locked = enter();
    const size_t gone = started ? heap_trim(&heap, pad) : 0;
    leave(locked);
    return gone != 0;
}

/** As mallopt(3): M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD do what they say, the others are accepted. */
EXPORT int mallopt(int parameter, int value)
{
    const bool locked = enter();
    if (started && parameter <= VMM_M_TRIM_THRESHOLD && parameter >= VMM_M_MMAP_THRESHOLD)
        (void)heap_mallopt(&heap, parameter, (size_t)value);
    leave(locked);
    return 1;
}

/* ------------------------------------------------------------------------- reports ---- */
static bool report_now(vmm_heap_report_t *report)
{
    const bool locked = enter();
    const bool done = started && heap_report(&heap, report) == VMM_OK;
    leave(locked);
    if (!done) memset(report, 0, sizeof *report);
    return done;
}

/** As mallinfo2(3), as far as the members have a meaning here. */
EXPORT struct mallinfo2 mallinfo2(void)
{
    vmm_heap_report_t report;
    struct mallinfo2 info;
    memset(&info, 0, sizeof info);
    (void)report_now(&report);
    info.arena = report.footprint - report.mapped_bytes;
    info.ordblks = report.free_chunks;
    info.hblkhd = report.mapped_bytes;
    info.fordblks = report.free_bytes + report.slab_free;
    info.uordblks = info.arena - info.fordblks;
    return info;
}

/** As mallinfo(3): the same, cut to int. */
EXPORT struct mallinfo mallinfo(void)
{
    const struct mallinfo2 wide = mallinfo2();
    struct mallinfo info;
    memset(&info, 0, sizeof info);
    info.arena = (int)wide.arena;
    info.ordblks = (int)wide.ordblks;
    info.hblkhd = (int)wide.hblkhd;
    info.fordblks = (int)wide.fordblks;
    info.uordblks = (int)wide.uordblks;
    return info;
}

static void print_report(FILE *out)
{
    vmm_heap_report_t report;
    if (!report_now(&report)) return;
    fprintf(out, "libvmmalloc: level %d, %s, process %ld\n", VMM_PRELOAD_LEVEL, program_invocation_short_name,
            (long)getpid());
    vmm_heap_print(out, &report);
#if VMM_PRELOAD_LEVEL > 0
    vmm_heap_stats_print(out, &heap.stats[0]);
#endif
}

/** As malloc_stats(3): on stderr. */
EXPORT void malloc_stats(void)
{
    print_report(stderr);
}

/* ---------------------------------------------------------------- the process's life ---- */
/* The lock is held over fork, so the child's copy of the heap is whole; what is recorded so far is written, so the
 * child has nothing of it to write. */
static void before_fork(void)
{
    fork_locked = enter();
    if (recorder.out) fflush(recorder.out);
}

static void after_fork_parent(void)
{
    leave(fork_locked);
}

/* Those who waited for the lock are not here. */
static void after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
    recorder.out = NULL;
}

__attribute__((constructor)) static void begin(void)
{
    const char *const stats = secure_getenv("VMMALLOC_STATS");
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    own_key_made = pthread_key_create(&own_key, give_up_own) == 0;
    if (stats && *stats && strcmp(stats, "0") != 0) stats_fd = out_of_the_way(STDERR_FILENO);
    start_recording();
}

/* stdio writes what is left of the recording when the process ends. */
__attribute__((destructor)) static void end(void)
{
    FILE *out;
    if (recorder.out && recorder.lost)
        fprintf(recorder.out, "# %lu operations are missing\n", (unsigned long)recorder.lost);
    out = stats_fd >= 0 ? fdopen(stats_fd, "w") : NULL;
    if (!out) return;
    setvbuf(out, stats_buffer, _IOFBF, sizeof stats_buffer);
    print_report(out);
    fflush(out);
}
