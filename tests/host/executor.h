/* The host's side: runs the steps of a sequence by real system calls, in processes made for it.
 *
 * A template process fills its address space with areas that allow nothing, all but the window, so that the kernel has
 * only the window to place things in. For every sequence it makes a process, and that one makes others; all are
 * children of the template (CLONE_PARENT), and one at a time has its turn. A process needs no new memory after its
 * start and touches all of what it has before a step is measured, so the faults counted are those of the step.
 * Everything goes through raw system calls: the C library would write errno to memory of its own. */
#ifndef VMM_TESTS_HOST_EXECUTOR_H
#define VMM_TESTS_HOST_EXECUTOR_H

#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if !defined(__x86_64__) || !defined(__linux__)
#error "the comparison with the host kernel is written for Linux on x86-64"
#endif

#define HOST_TOP UINT64_C(0x7ffffffff000) /* TASK_SIZE */
#define POISON "$0x4141414100000000"      /* no canonical address, nor with 32 bits added */

enum {
    NOBODY = -1,
    TEXT_OF_MAPS = 1 << 17,
    SIGNAL_STACK = 1 << 15,
    FLUSH_PAGES = 64
};

/* Ways to distort the host's side, to see that the comparison sees it. */
enum mutation {
    MUTATE_NOTHING,
    MUTATE_DONTNEED,   /* madvise(DONTNEED) does nothing */
    MUTATE_PROTECT,    /* mprotect leaves out the last page */
    MUTATE_POPULATE,   /* MAP_POPULATE is ignored */
    MUTATE_SHARED,     /* anonymous memory is never shared */
    MUTATE_NO_REPLACE, /* MAP_FIXED_NOREPLACE replaces */
    MUTATE_WRITE,      /* every write of the page before the last byte of a write is lost */
    MUTATE_READ_FIRST, /* a write reads first: one more fault, nothing else */
    MUTATE_SHRINK,     /* mremap that would shrink unmaps a page less */
    MUTATE_RESERVE,    /* MAP_NORESERVE is ignored: only a flag of an area differs */
    MUTATE_KINDS
};

/* Memory that the tester, the template and all processes see. */
typedef struct shared {
    int32_t turn;   /* futex: the process whose turn it is, or NOBODY: the template's */
    int32_t ready;  /* futex: the process that has started */
    int32_t exited; /* process that is about to exit, or NOBODY */
    uint32_t step;
    int32_t born;
    uint32_t living; /* a bit a process */
    int32_t pid[MOST_PROCESSES];
    ino_t inode[FILES];
    int mutation;
    bool has_break;
    bool has_limits;
    uint64_t used[LIMITS]; /* pages of the template */
    char why[120];
    features_t can;
    seen_t before;
    sequence_t sequence;
    outcome_t outcome;
    char text[TEXT_OF_MAPS];
} shared_t;

/* A process's own memory, written again after each fork before anything is counted. */
typedef struct own {
    struct rusage before, after;
    sigjmp_buf back;
    volatile sig_atomic_t armed; /* 0: a fault is the executor's own; 1: of an access; 2: of a fetch */
    volatile int signal, code;
    volatile uint64_t address, target;
    int me;
    int maps, smaps;
    uint8_t bytes[MOST_BYTES];
    uint8_t vector[WINDOW_PAGES + 8];
    uint8_t page[PAGE];
    op_t op;
} own_t;

static own_t own __attribute__((aligned(4096)));
static uint8_t signal_stack[SIGNAL_STACK] __attribute__((aligned(4096)));
static uint8_t *flush_area; /* FLUSH_PAGES present pages */

extern char __executable_start, etext; /* of the linker */

static inline long raw(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define RAW0(number) raw(number, 0, 0, 0, 0, 0, 0)
#define RAW1(number, a) raw(number, (uint64_t)(a), 0, 0, 0, 0, 0)
#define RAW2(number, a, b) raw(number, (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define RAW3(number, a, b, c) raw(number, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)

static inline void read_usage(struct rusage *usage)
{
    RAW2(SYS_getrusage, RUSAGE_SELF, usage);
}

/* -- turns -- */

static void futex_wait(int32_t *word, int32_t value, long nanoseconds)
{
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    raw(SYS_futex, (uint64_t)(uintptr_t)word, FUTEX_WAIT, (uint32_t)value, (uint64_t)(uintptr_t)&limit, 0, 0);
}

static void set_word(int32_t *word, int32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    raw(SYS_futex, (uint64_t)(uintptr_t)word, FUTEX_WAKE, 64, 0, 0, 0);
}

static void wait_word(int32_t *word, int32_t value)
{
    int32_t seen;
    while ((seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != value) futex_wait(word, seen, 1000000000);
}

/* Whose turn it is: that of the next step's process, then of each that has not told what it looks like at the end. */
static int host_next(shared_t *sh)
{
    for (; sh->step < sh->sequence.steps; sh->step++) {
        const unsigned who = sh->sequence.op[sh->step].who;
        if (sh->living >> who & 1) return (int)who;
    }
    for (int who = 0; who < MOST_PROCESSES; who++)
        if (sh->living >> who & 1 && !sh->outcome.last[who].done) return who;
    return NOBODY;
}

/* -- looking -- */

static const char *read_hex(const char *p, uint64_t *value)
{
    for (*value = 0;; p++) {
        const unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                               : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
                                                        : 16;
        if (digit == 16) return p;
        *value = *value << 4 | digit;
    }
}

static const char *read_decimal(const char *p, uint64_t *value)
{
    while (*p == ' ') p++;
    for (*value = 0; *p >= '0' && *p <= '9'; p++) *value = *value * 10 + (uint64_t)(*p - '0');
    return p;
}

/* A line of maps: false when it is none. "start-end rwxp offset device inode name" */
static bool read_map_line(const char *p, uint64_t *start, uint64_t *stop, area_seen_t *area, uint64_t *inode)
{
    uint64_t ignored;
    p = read_hex(p, start);
    if (*p++ != '-') return false;
    p = read_hex(p, stop) + 1;
    memset(area, 0, sizeof *area);
    area->flags = (uint16_t)((p[0] == 'r' ? SEEN_R : 0) | (p[1] == 'w' ? SEEN_W : 0) | (p[2] == 'x' ? SEEN_X : 0) |
                             (p[3] == 's' ? SEEN_SHARED : 0));
    p = read_hex(p + 5, &area->offset) + 1;
    area->offset /= PAGE;
    p = read_hex(p, &ignored) + 1;
    p = read_hex(p, &ignored) + 1;
    read_decimal(p, inode);
    return true;
}

static uint16_t flags_of_smaps(const char *p)
{
    static const struct {
        char name[3];
        uint16_t flag;
    } known[] = {{"lo", SEEN_LOCKED},     {"nr", SEEN_NO_RESERVE}, {"ac", SEEN_ACCOUNT},   {"gd", SEEN_GROWS},
                 {"hg", SEEN_HUGE},       {"nh", SEEN_NEVER_HUGE}, {"mg", SEEN_MERGEABLE}, {"rr", SEEN_RANDOM},
                 {"sr", SEEN_SEQUENTIAL}, {"mw", SEEN_MAY_WRITE}};
    unsigned flags = 0;
    for (; *p && *p != '\n'; p++)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (p[-1] == ' ' && p[0] == known[i].name[0] && p[1] == known[i].name[1]) flags |= known[i].flag;
    return (uint16_t)flags;
}

static void read_detail(const char *line, area_seen_t *area)
{
    uint64_t value;
    const char *colon = line;
    while (*colon != ':' && *colon != '\n') colon++;
    if (*colon != ':') return;
    read_decimal(colon + 1, &value);
    for (int i = 0; i < DETAILS; i++) {
        const size_t length = strlen(detail_names[i]);
        if (strncmp(line, detail_names[i], length) == 0 && line[length] == ':') area->detail[i] = (uint32_t)value;
    }
    if (strncmp(line, "VmFlags:", 8) == 0) area->flags = (uint16_t)(area->flags | flags_of_smaps(colon + 2));
}

/* The areas of the window, from the text of maps or of smaps. */
static void host_look(shared_t *sh, seen_t *seen, bool details)
{
    const int file = details ? own.smaps : own.maps;
    char *const text = sh->text;
    uint64_t used = 0, start, stop, inode;
    bool inside = false, beyond = false;
    char *line = text, *newline;
    seen->areas = 0;
    seen->details = details;
    RAW3(SYS_lseek, file, 0, SEEK_SET);
    while (!beyond && used < TEXT_OF_MAPS - PAGE - 1) {
        const long got = RAW3(SYS_read, file, text + used, TEXT_OF_MAPS - 1 - used);
        if (got <= 0) break;
        used += (uint64_t)got;
        text[used] = 0;
        for (; !beyond && (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
            area_seen_t area;
            if (!read_map_line(line, &start, &stop, &area, &inode)) {
                if (inside) read_detail(line, &seen->area[seen->areas - 1]);
                continue;
            }
            inside = start >= WINDOW && start < WINDOW + WINDOW_BYTES;
            beyond = start >= WINDOW + WINDOW_BYTES;
            if (!inside || seen->areas >= MOST_AREAS) {
                inside = false;
                continue;
            }
            area.first = (uint16_t)((start - WINDOW) / PAGE);
            area.end = (uint16_t)((stop - WINDOW) / PAGE);
            if (inode) {
                area.object = 255;
                for (int i = 0; i < FILES; i++)
                    if (inode == sh->inode[i]) area.object = (uint8_t)(i + 1);
            }
            seen->area[seen->areas++] = area;
        }
    }
}

/* -- faults -- */

static void on_signal(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = (const ucontext_t *)context;
    if (own.armed == 2 && number == SIGTRAP && (uint64_t)at->uc_mcontext.gregs[REG_RIP] == own.target) return;
    if (own.armed == 2 && (number == SIGTRAP || info->si_code == SI_KERNEL || number == SIGILL))
        siglongjmp(own.back, 2);
    if (!own.armed || number == SIGTRAP || number == SIGILL) {
        RAW1(SYS_exit_group, 99);
    }
    own.signal = number;
    own.code = info->si_code;
    own.address = (uint64_t)(uintptr_t)info->si_addr;
    siglongjmp(own.back, 1);
}

/* Jumps to the target and lets the processor run one instruction there (trap flag); it is left by a signal. No
 * register holds an address that the instruction could use. */
__attribute__((noinline)) static void host_fetch(uint64_t target)
{
    register uint64_t where __asm__("r11") = target;
    __asm__ volatile("sub $256, %%rsp\n\t"
                     "movabs " POISON ", %%rax\n\t"
                     "mov %%rax, %%rbx\n\tmov %%rax, %%rcx\n\tmov %%rax, %%rdx\n\tmov %%rax, %%rsi\n\t"
                     "mov %%rax, %%rdi\n\tmov %%rax, %%rbp\n\t"
                     "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                     "jmp *%%r11"
                     :
                     : "r"(where)
                     : "memory");
    __builtin_unreachable();
}

/* A page that a call made writable may still be read-only in the TLB: the kernel leaves that to one more fault. More
 * pages than it flushes one by one make it forget everything. */
static void flush_translations(void)
{
    RAW3(SYS_mprotect, flush_area, FLUSH_PAGES * PAGE, PROT_NONE);
    RAW3(SYS_mprotect, flush_area, FLUSH_PAGES * PAGE, PROT_READ | PROT_WRITE); /* as limits of data know it */
}

static void touch_signal_stack(void)
{
    for (size_t i = 0; i < sizeof signal_stack; i += PAGE) *(volatile uint8_t *)(signal_stack + i) = 1;
}

/* Makes everything present and writable that a step may need. */
__attribute__((noinline)) static void touch_everything(void)
{
    volatile char stack[3 * PAGE];
    volatile const char *text;
    volatile char *data;
    for (text = &__executable_start; text < &etext; text += PAGE) (void)*text;
    for (data = (char *)((uintptr_t)&own / PAGE * PAGE); data < (char *)(&own + 1); data += PAGE) *data = *data;
    for (size_t i = 0; i < sizeof stack; i += PAGE) stack[i] = 0;
    touch_signal_stack();
    own.armed = 1; /* a fault, as rehearsal */
    if (sigsetjmp(own.back, 0) == 0) (void)*(volatile char *)(uintptr_t)(WINDOW - 1);
    own.armed = 0;
    read_usage(&own.before);
    read_usage(&own.after);
}

/* -- steps -- */

static uint64_t host_address(place_t place)
{
    const uint64_t bytes = (uint64_t)place.bytes;
    return place.base == FROM_WINDOW ? WINDOW + bytes : place.base == FROM_TOP ? HOST_TOP + bytes : bytes;
}

/* An access, byte by byte, until one fails. */
static void host_access(const op_t *op, seen_t *seen, int mutation)
{
    volatile uint8_t *const at = (volatile uint8_t *)(uintptr_t)host_address(op->at);
    const uint64_t bytes = op->bytes;
    uint64_t i;
    const int kind = op->kind;
    if (kind == OP_WRITE)
        for (i = 0; i < bytes; i++) own.bytes[i] = byte_of(op->seed, i);
    touch_signal_stack();
    own.signal = own.code = 0;
    own.target = (uint64_t)(uintptr_t)at;
    read_usage(&own.before);
    read_usage(&own.before);
    own.armed = kind == OP_FETCH ? 2 : 1;
    if (sigsetjmp(own.back, 0) == 0) {
        if (kind == OP_FETCH) {
            host_fetch(own.target);
        } else if (kind == OP_READ) {
            for (i = 0; i < bytes; i++) own.bytes[i] = at[i];
        } else {
            if (mutation == MUTATE_READ_FIRST) (void)at[0];
            for (i = 0; i < bytes; i++)
                if (mutation != MUTATE_WRITE || i + 1 != bytes || bytes < 5) at[i] = own.bytes[i];
        }
    }
    own.armed = 0;
    read_usage(&own.after);
    seen->signal = (uint8_t)own.signal;
    seen->code = (uint8_t)own.code;
    if (own.signal) seen->address = (int64_t)(own.address - WINDOW);
    else if (kind == OP_READ) seen->hash = hash_bytes(own.bytes, bytes);
}

static long host_call(const op_t *op, int mutation, shared_t *sh)
{
    const uint64_t at = host_address(op->at), to = host_address(op->to);
    uint64_t file = (uint64_t)-1, flags = op->flags, bytes = op->bytes;
    long number = 0;
    uint64_t a = at, b = bytes, c = 0, d = 0, e = 0;
    (void)sh;
    if (op->object) file = (uint64_t)(9 + op->object);
    switch (op->kind) {
    case OP_MMAP:
        number = SYS_mmap;
        if (mutation == MUTATE_POPULATE) flags &= ~(uint64_t)MAP_POPULATE;
        if (mutation == MUTATE_RESERVE) flags &= ~(uint64_t)MAP_NORESERVE;
        if (mutation == MUTATE_SHARED && flags & MAP_ANONYMOUS && (flags & 3) == MAP_SHARED) flags ^= 3;
        if (mutation == MUTATE_NO_REPLACE && flags & 0x100000) flags ^= 0x100000 | MAP_FIXED;
        c = op->protection, d = flags, e = file;
        break;
    case OP_MUNMAP: number = SYS_munmap; break;
    case OP_MPROTECT:
        number = SYS_mprotect;
        if (mutation == MUTATE_PROTECT && b > PAGE) b -= PAGE;
        c = op->protection;
        break;
    case OP_MREMAP:
        number = SYS_mremap;
        c = op->bytes_new, d = flags, e = to;
        if (mutation == MUTATE_SHRINK && c && c + PAGE < b) c += PAGE;
        break;
    case OP_MADVISE:
        number = SYS_madvise;
        c = flags;
        if (mutation == MUTATE_DONTNEED && c == MADV_DONTNEED) c = MADV_NORMAL;
        break;
    case OP_MLOCK: number = SYS_mlock; break;
    case OP_MUNLOCK: number = SYS_munlock; break;
    case OP_MSYNC: number = SYS_msync, c = flags; break;
    case OP_MINCORE:
        number = SYS_mincore;
        c = (uint64_t)(uintptr_t)own.vector;
        for (size_t i = 0; i < sizeof own.vector; i++) own.vector[i] = 0;
        break;
    case OP_BRK: number = SYS_brk; break;
    case OP_FORK: number = SYS_clone, a = CLONE_PARENT | SIGCHLD, b = 0; break;
    case OP_TRUNCATE: number = SYS_ftruncate, a = file, b = op->offset; break;
    default: return -ENOSYS;
    }
    {
        const uint64_t f = op->kind == OP_MMAP ? op->offset : 0;
        long result;
        read_usage(&own.before);
        read_usage(&own.before);
        result = raw(number, a, b, c, d, e, f);
        if (result == 0 && op->kind == OP_FORK) return -1; /* the child */
        read_usage(&own.after);
        return result;
    }
}

static void host_process(shared_t *sh, int me);

static void host_fork(const op_t *op, seen_t *seen, shared_t *sh)
{
    const int child = sh->born;
    long pid;
    pid = host_call(op, 0, sh);
    if (pid == -1) host_process(sh, child);
    sh->born++;
    sh->pid[child] = (int32_t)pid;
    wait_word(&sh->ready, child);
    sh->living |= 1u << child;
    touch_everything();
    if (pid < 0) seen->error = (int32_t)-pid;
}

static void host_step(shared_t *sh, const op_t *op, seen_t *seen)
{
    long result = 0;
    if (op->kind == OP_READ || op->kind == OP_WRITE || op->kind == OP_FETCH) {
        host_access(op, seen, sh->mutation);
    } else if (op->kind == OP_FORK) {
        host_fork(op, seen, sh);
    } else {
        result = host_call(op, sh->mutation, sh);
        if (result < 0 && result >= -4095) {
            seen->error = (int32_t)-result;
            /* Without the right to map below mmap_min_addr the hole there is found and then refused. */
            if (op->kind == OP_MMAP && seen->error == EPERM && !(op->flags & MAP_FIXED)) seen->error = ENOMEM;
        } else if (op->kind == OP_MMAP || op->kind == OP_MREMAP || op->kind == OP_BRK) {
            seen->value = (int64_t)((uint64_t)result - WINDOW);
        } else {
            seen->value = result;
        }
        if (op->kind == OP_MINCORE && !seen->error) seen->hash = hash_bytes(own.vector, (op->bytes + PAGE - 1) / PAGE);
    }
    seen->minor = (uint32_t)(own.after.ru_minflt - own.before.ru_minflt);
    if (seen->minor && (op->kind == OP_MPROTECT || op->kind == OP_MLOCK || op->kind == OP_MREMAP)) flush_translations();
}

/* Everything is made readable and read. */
static void host_last(shared_t *sh, last_t *last)
{
    struct rusage begin, stop;
    memset(last->page, 0, sizeof last->page);
    host_look(sh, &last->seen, true);
    read_usage(&begin);
    read_usage(&begin);
    touch_signal_stack();
    for (uint32_t i = 0; i < last->seen.areas; i++) {
        const area_seen_t *area = &last->seen.area[i];
        RAW3(SYS_mprotect, WINDOW + (uint64_t)area->first * PAGE, (uint64_t)(area->end - area->first) * PAGE,
             PROT_READ);
        for (uint32_t page = area->first; page < area->end; page++) {
            uint32_t hash;
            own.signal = 0;
            own.armed = 1;
            if (sigsetjmp(own.back, 0) == 0) {
                memcpy(own.page, (const void *)(uintptr_t)(WINDOW + (uint64_t)page * PAGE), PAGE);
                hash = hash_page(own.page);
            } else {
                hash = own.signal == SIGBUS ? 1 : 2;
            }
            own.armed = 0;
            last->page[page] = hash;
        }
    }
    read_usage(&stop);
    last->minor = (uint32_t)(stop.ru_minflt - begin.ru_minflt);
}

static void host_limit(const shared_t *sh)
{
    static const int resources[LIMITS] = {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK};
    for (int i = 0; i < LIMITS; i++) {
        const uint64_t most = (sh->used[i] + sh->sequence.limit[i]) * PAGE;
        const struct rlimit limit = {most, most};
        if (sh->sequence.limit[i]) RAW2(SYS_setrlimit, resources[i], &limit);
    }
}

static void host_process(shared_t *sh, int me)
{
    RAW2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    own.me = me;
    if (me == 0) host_limit(sh);
    if (own.maps) RAW1(SYS_close, own.maps), RAW1(SYS_close, own.smaps);
    own.maps = (int)RAW3(SYS_open, "/proc/self/maps", O_RDONLY, 0);
    own.smaps = (int)RAW3(SYS_open, "/proc/self/smaps", O_RDONLY, 0);
    touch_everything();
    set_word(&sh->ready, me);
    for (;;) {
        int next;
        wait_word(&sh->turn, me);
        if (sh->step < sh->sequence.steps) {
            const uint32_t step = sh->step;
            seen_t *seen = &sh->outcome.seen[step];
            const uint32_t every = sh->sequence.details_every;
            memcpy(&own.op, &sh->sequence.op[step], sizeof own.op);
            if (own.op.kind == OP_EXIT) {
                seen->done = 1;
                sh->living &= ~(1u << me);
                sh->step = step + 1;
                sh->exited = me;
                set_word(&sh->turn, NOBODY);
                RAW1(SYS_exit_group, 0);
            }
            if (may_be_left_out(&own.op, &sh->sequence, &sh->can)) {
                host_look(sh, &sh->before, true);
                if (is_left_out(&own.op, &sh->before, &sh->sequence, &sh->can)) own.op.kind = OP_KINDS;
            }
            if (own.op.kind != OP_KINDS && (own.op.kind != OP_FORK || sh->born < MOST_PROCESSES)) {
                host_step(sh, &own.op, seen);
                host_look(sh, seen, every && step % every == every - 1);
                seen->done = 1;
            }
            sh->step = step + 1;
        } else {
            host_last(sh, &sh->outcome.last[me]);
            sh->outcome.last[me].done = 1;
        }
        next = host_next(sh);
        if (next != me) set_word(&sh->turn, next);
    }
}

/* -- the template -- */

static void template_fails(shared_t *sh, const char *what)
{
    snprintf(sh->why, sizeof sh->why, "%s: %s", what, strerror(errno));
}

/* Fills what is free, apart from the window. The fillers are marked "not in core dumps", so none of them ever becomes
 * one with an area of the window. */
static bool template_fill(shared_t *sh)
{
    enum {
        MOST = 256
    };
    static uint64_t start[MOST], stop[MOST];
    uint64_t from = PAGE;
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps) return template_fails(sh, "/proc/self/maps"), false;
    while (count < MOST - 2) {
        unsigned long long first = HOST_TOP, last = HOST_TOP;
        const bool more = fgets(line, sizeof line, maps) && sscanf(line, "%llx-%llx", &first, &last) == 2;
        if (first > HOST_TOP) first = HOST_TOP;
        if (from < WINDOW && first > WINDOW) {
            if (first < WINDOW + WINDOW_BYTES) break;
            start[count] = from, stop[count++] = WINDOW;
            from = WINDOW + WINDOW_BYTES;
        }
        if (first > from) start[count] = from, stop[count++] = first;
        if (last > from) from = last;
        if (!more || from >= HOST_TOP) break;
    }
    fclose(maps);
    for (int i = 0; i < count; i++) {
        void *at = mmap((void *)(uintptr_t)start[i], stop[i] - start[i], PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        if (at == MAP_FAILED && start[i] == PAGE && stop[i] > 1 << 16) { /* below mmap_min_addr only root may */
            start[i--] = 1 << 16;
            continue;
        }
        if (at == MAP_FAILED) return template_fails(sh, "filling the address space"), false;
        madvise(at, stop[i] - start[i], MADV_DONTDUMP);
    }
    return true;
}

/* What is used before a sequence begins counts in its limits. Locked memory has a limit only for those who have no
 * privilege: it is given up. */
static bool template_measure(shared_t *sh)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    char line[200];
    int found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        unsigned long long kib;
        if (sscanf(line, "VmSize: %llu", &kib) == 1) sh->used[LIMIT_SPACE] = kib * 1024 / PAGE, found++;
        if (sscanf(line, "VmData: %llu", &kib) == 1) sh->used[LIMIT_DATA] = kib * 1024 / PAGE, found++;
    }
    if (status) fclose(status);
    if (found != 2 || syscall(SYS_capget, &header, data)) return false;
    data[CAP_IPC_LOCK / 32].effective &= ~(1u << CAP_IPC_LOCK % 32);
    return syscall(SYS_capset, &header, data) == 0;
}

/* Moves the program break into the window. The kernel adds the size of initialised data to that of the heap before it
 * looks at RLIMIT_DATA: it is told the size that counts as data anyhow. */
static bool template_move_break(uint64_t data_pages)
{
    struct {
        uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start,
            env_end, auxv;
        uint32_t auxv_size, exe_fd;
    } map;
    char text[2048], *p;
    unsigned long long field[60];
    int fields = 2;
    FILE *file = fopen("/proc/self/stat", "r");
    const size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[got] = 0;
    p = strrchr(text, ')');
    if (!p) return false;
    for (p = strtok(p + 1, " "); p && fields < 59; p = strtok(NULL, " ")) field[++fields] = strtoull(p, NULL, 10);
    if (fields < 51) return false;
    memset(&map, 0, sizeof map);
    map.start_code = field[26], map.end_code = field[27], map.start_stack = field[28];
    map.start_data = field[45], map.end_data = data_pages ? field[45] + data_pages * PAGE : field[46];
    map.start_brk = map.brk = WINDOW + (uint64_t)BREAK_PAGE * PAGE;
    map.arg_start = field[48], map.arg_end = field[49], map.env_start = field[50], map.env_end = field[51];
    map.exe_fd = (uint32_t)-1;
    if (prctl(PR_SET_MM, 14 /* PR_SET_MM_MAP */, &map, sizeof map, 0) != 0) return false;
    return (uint64_t)RAW1(SYS_brk, 0) == map.brk;
}

static void template_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGTRAP, SIGILL};
    stack_t stack;
    struct sigaction action;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = signal_stack;
    stack.ss_size = sizeof signal_stack;
    sigaltstack(&stack, NULL);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
}

/* One processor for all: their turns are handed over without waiting for another one to wake. */
static void template_settle(void)
{
    cpu_set_t set;
    int last = -1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set)) last = i;
        CPU_ZERO(&set);
        if (last >= 0) CPU_SET(last, &set), sched_setaffinity(0, sizeof set, &set);
    }
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (syscall(SYS_pkey_alloc, 0, 0) > 0) {} /* else execute-only areas are not readable, on processors with keys */
}

/* Files in memory at descriptors 10, 11 and 12. */
static bool template_files(shared_t *sh)
{
    char name[40];
    struct stat about;
    for (unsigned object = 1; object <= FILES; object++) {
        const int want = 9 + (int)object;
        int file;
        file = memfd_create("vmm", 0);
        for (unsigned i = 0; i < file_written_pages(object); i++)
            if (pwrite(file, file_content[object][i], PAGE, i * PAGE) != PAGE)
                return template_fails(sh, "pwrite"), false;
        if (ftruncate(file, (off_t)file_bytes(object))) return template_fails(sh, "ftruncate"), false;
        if (object == READ_ONLY_FILE) {
            const int writable = file;
            snprintf(name, sizeof name, "/proc/self/fd/%d", file);
            file = open(name, O_RDONLY);
            close(writable);
        }
        if (file < 0 || dup2(file, want) < 0) return template_fails(sh, "memfd_create"), false;
        close(file);
        fstat(want, &about);
        sh->inode[object - 1] = about.st_ino;
    }
    return true;
}

static void template_sequence(shared_t *sh)
{
    int patience = 500, status, child;
    outcome_t *out = &sh->outcome;
    for (uint32_t i = 0; i < sh->sequence.steps; i++) memset(&out->seen[i], 0, offsetof(seen_t, area));
    memset(out->last, 0, sizeof out->last);
    out->broken = 0;
    out->steps = sh->sequence.steps;
    sh->step = 0, sh->born = 1, sh->living = 1, sh->exited = NOBODY;
    sh->turn = host_next(sh), sh->ready = NOBODY;
    if (!template_files(sh)) {
        out->broken = 1;
        snprintf(out->why, sizeof out->why, "%s", sh->why);
        return;
    }
    child = (int)RAW2(SYS_clone, SIGCHLD, 0);
    if (child == 0) host_process(sh, 0);
    sh->pid[0] = child;
    for (;;) {
        const int turn = __atomic_load_n(&sh->turn, __ATOMIC_SEQ_CST);
        if (turn == NOBODY) {
            if (sh->exited == NOBODY) break;
            waitpid(sh->pid[sh->exited], &status, 0);
            sh->exited = NOBODY;
            if (host_next(sh) == NOBODY) break;
            set_word(&sh->turn, host_next(sh));
            continue;
        }
        futex_wait(&sh->turn, turn, 20000000);
        child = sh->turn == NOBODY ? 0 : waitpid(-1, &status, WNOHANG);
        if (child > 0 && sh->exited != NOBODY && child == sh->pid[sh->exited]) {
            sh->exited = NOBODY;
            if (host_next(sh) == NOBODY) break;
            set_word(&sh->turn, host_next(sh));
        } else if (child > 0 || --patience == 0) {
            out->broken = 1;
            snprintf(out->why, sizeof out->why, "process %d of the host's side %s at step %u, status %x", (int)sh->turn,
                     child > 0 ? "died" : "hangs", sh->step, child > 0 ? (unsigned)status : 0u);
            if (child > 0) sh->living &= ~(1u << sh->turn);
            break;
        }
    }
    for (int i = 0; i < MOST_PROCESSES; i++) {
        if (!(sh->living >> i & 1)) continue;
        kill(sh->pid[i], SIGKILL);
        waitpid(sh->pid[i], &status, 0);
    }
    for (int i = 0; i < FILES; i++) close(10 + i);
}

/* Later there is no room to grow. */
__attribute__((noinline)) static void template_grow_stack(void)
{
    volatile char stack[1 << 18];
    for (size_t i = 0; i < sizeof stack; i += PAGE) stack[i] = 0;
}

__attribute__((noreturn)) static void template_main(shared_t *sh, int from, int to)
{
    char letter = 0;
    template_grow_stack();
    template_settle();
    flush_area = (uint8_t *)mmap(NULL, FLUSH_PAGES * PAGE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    template_signals();
    sh->has_break = template_move_break(0);
    letter = template_fill(sh) ? 'y' : 'n';
    sh->has_limits = template_measure(sh);
    if (sh->has_break && sh->has_limits) sh->has_limits = template_move_break(sh->used[LIMIT_DATA]);
    RAW3(SYS_write, to, &letter, 1);
    while (RAW3(SYS_read, from, &letter, 1) == 1) {
        template_sequence(sh);
        RAW3(SYS_write, to, &letter, 1);
    }
    _exit(0);
}

/* -- what the tester sees of it -- */

typedef struct host {
    shared_t *shared;
    int to, from;
    pid_t pid;
} host_t;

static bool host_open(host_t *host)
{
    int there[2], back[2];
    char letter = 0;
    void *memory = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe(there) || pipe(back)) return perror("host_open"), false;
    host->shared = (shared_t *)memory;
    fflush(stdout);
    host->pid = fork();
    if (host->pid < 0) return perror("fork"), false;
    if (host->pid == 0) {
        close(there[1]);
        close(back[0]);
        template_main(host->shared, there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    host->to = there[1];
    host->from = back[0];
    if (read(host->from, &letter, 1) != 1 || letter != 'y') {
        fprintf(stderr, "the host's side cannot be made: %s\n", host->shared->why);
        return false;
    }
    return true;
}

/* Between the two the host's side runs by itself. */
static void host_begin(host_t *host, const sequence_t *sequence, int mutation)
{
    memcpy(&host->shared->sequence, sequence, offsetof(sequence_t, op) + sequence->steps * sizeof(op_t));
    host->shared->mutation = mutation;
    if (write(host->to, "g", 1) != 1) abort();
}

static const outcome_t *host_end(host_t *host)
{
    char letter;
    if (read(host->from, &letter, 1) != 1) {
        fprintf(stderr, "the host's side is gone\n");
        exit(2);
    }
    return &host->shared->outcome;
}

static void host_close(host_t *host)
{
    int status;
    close(host->to);
    close(host->from);
    waitpid(host->pid, &status, 0);
}

#endif
