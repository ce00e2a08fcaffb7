/* The generator of sequences: everything follows from a seed and a number. It does not know what happens; it guesses
 * which pages are mapped, and keeps the places where something was done lately and goes back to them, so that areas
 * meet, overlap and are split. */
#ifndef VMM_TESTS_HOST_GENERATE_H
#define VMM_TESTS_HOST_GENERATE_H

#include "ops.h"

#include <stdio.h>
#include <string.h>

enum {
    RECENT = 10,
    PROT_R = 1,
    PROT_W = 2,
    PROT_X = 4
};
enum {
    FLAG_SHARED = 1,
    FLAG_PRIVATE = 2,
    FLAG_FIXED = 0x10,
    FLAG_ANONYMOUS = 0x20,
    FLAG_GROWSDOWN = 0x100,
    FLAG_LOCKED = 0x2000,
    FLAG_NORESERVE = 0x4000,
    FLAG_POPULATE = 0x8000,
    FLAG_NOREPLACE = 0x100000,
    FLAG_MAYMOVE = 1,
    FLAG_MOVE_FIXED = 2
};

typedef struct generator {
    uint64_t state;
    const features_t *can;
    int recent[RECENT];
    unsigned recents;
    uint32_t living;
    unsigned born;
    bool used[WINDOW_PAGES]; /* a guess */
    bool heap;               /* nothing is put in its way on purpose */
    bool forks;              /* more of them */
    bool dense;   /* nearly everything happens on a few pages, in small pieces: areas meet, split and merge */
    bool locks;   /* more of them, under a limit */
    bool bounded; /* by a limit of the address space or data */
} generator_t;

static uint64_t generate(generator_t *g)
{
    g->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(g->state);
}

/* One of 0 to below - 1. */
static unsigned pick(generator_t *g, unsigned below)
{
    return (unsigned)(generate(g) >> 33) % below;
}

static bool chance(generator_t *g, unsigned percent)
{
    return pick(g, 100) < percent;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* A page that seems to be mapped: the first, or the last, or another of its neighbours. */
static int pick_used(generator_t *g)
{
    int page = (int)pick(g, WINDOW_PAGES), tries = WINDOW_PAGES, want = (int)pick(g, 4);
    while (tries-- && !g->used[page]) page = page ? page - 1 : WINDOW_PAGES - 1;
    if (!want)
        while (page && g->used[page - 1]) page--;
    else page -= (int)pick(g, 9) * (want > 1);
    return page;
}

static void guess(generator_t *g, int page, int pages, bool used)
{
    for (int i = page; i < page + pages && i < WINDOW_PAGES; i++)
        if (i >= 0) g->used[i] = used;
}

/* Where the kernel would place so many pages. */
static int guess_place(const generator_t *g, int pages)
{
    int found = 0;
    for (int page = WINDOW_PAGES - 1; page >= 0; page--) {
        found = g->used[page] ? 0 : found + 1;
        if (found == pages) return page;
    }
    return -1;
}

static int pick_page(generator_t *g)
{
    const unsigned way = pick(g, 100);
    int page;
    if (g->dense && chance(g, 85)) return 540 + (int)pick(g, 24);
    if (way < 40 && g->recents)
        page = g->recent[pick(g, g->recents < RECENT ? g->recents : RECENT)] + (int)pick(g, 7) - 3;
    else if (way < 78) page = pick_used(g);
    else if (way < 84 && !g->heap) page = BREAK_PAGE + (int)pick(g, 12) - 2;
    else if (way < 90) page = 300 + (int)pick(g, 20);
    else if (way < 95) page = (int)pick(g, WINDOW_PAGES);
    else page = chance(g, 50) ? (int)pick(g, 3) : WINDOW_PAGES - 1 - (int)pick(g, 3);
    return clamp(page, 0, WINDOW_PAGES - 1);
}

static void remember(generator_t *g, int page)
{
    g->recent[g->recents++ % RECENT] = page;
}

static int pick_pages(generator_t *g)
{
    const unsigned way = pick(g, 100);
    if (g->dense && chance(g, 85)) return 1 + (int)pick(g, 4);
    if (way < 30) return 1;
    if (way < 72) return 2 + (int)pick(g, 4);
    if (way < 90) return 5 + (int)pick(g, 9);
    if (way < 98) return 13 + (int)pick(g, 28);
    return 1 + (int)pick(g, 400);
}

/* A length of so many pages, as a program might say it. */
static uint64_t pick_bytes(generator_t *g, int pages)
{
    if (chance(g, 20) && pages > 0) return (uint64_t)pages * PAGE - pick(g, PAGE);
    return (uint64_t)pages * PAGE;
}

/* A stretch inside the window: address and bytes; sometimes one that no call accepts. */
static void pick_stretch(generator_t *g, op_t *op)
{
    const unsigned odd = pick(g, 100);
    int page = pick_page(g), pages = clamp(pick_pages(g), 1, WINDOW_PAGES);
    if (page + pages > WINDOW_PAGES) {
        if (chance(g, 50)) page = WINDOW_PAGES - pages;
        else pages = WINDOW_PAGES - page;
    }
    op->at.base = FROM_WINDOW;
    op->at.bytes = (int64_t)page * PAGE;
    op->bytes = pick_bytes(g, pages);
    if (odd < 2) op->at.bytes += 1 + (int)pick(g, PAGE - 1), op->bytes = op->bytes > PAGE ? op->bytes - PAGE : 1;
    else if (odd == 2) op->bytes = 0;
    else if (odd == 3) op->bytes = UINT64_MAX - pick(g, 3 * PAGE);
    else if (odd == 4) op->at.base = FROM_TOP, op->at.bytes = (int64_t)pick(g, 3) * PAGE;
    else if (odd == 5) op->at.base = FROM_ZERO, op->at.bytes = -(int64_t)PAGE * (1 + (int)pick(g, 3));
}

/* What is around the window is not to be touched. */
static void keep_inside(op_t *op)
{
    if (op->at.base != FROM_WINDOW || op->bytes > UINT64_MAX / 2) return;
    if (op->at.bytes + (int64_t)op->bytes > (int64_t)WINDOW_BYTES) op->bytes = WINDOW_BYTES - (uint64_t)op->at.bytes;
}

/* Likewise, and mostly one that seems to be mapped all over. */
static void pick_mapped(generator_t *g, op_t *op)
{
    int page = (int)pick(g, WINDOW_PAGES), tries = WINDOW_PAGES, run = 0;
    pick_stretch(g, op);
    if (chance(g, 35) || op->at.base != FROM_WINDOW || op->bytes == 0 || op->bytes > WINDOW_BYTES) return;
    while (tries-- && !g->used[page]) page = page ? page - 1 : WINDOW_PAGES - 1;
    while (page && g->used[page - 1] && chance(g, 70)) page--;
    while (page + run < WINDOW_PAGES && g->used[page + run] && run < 40) run++;
    if (!run) return;
    op->at.bytes = (int64_t)page * PAGE + op->at.bytes % PAGE;
    op->bytes = pick_bytes(g, 1 + (int)pick(g, (unsigned)run));
    keep_inside(op);
}

static uint32_t pick_protection(generator_t *g)
{
    static const uint8_t some[] = {PROT_R | PROT_W,
                                   PROT_R | PROT_W,
                                   PROT_R | PROT_W,
                                   PROT_R | PROT_W,
                                   PROT_R | PROT_W,
                                   PROT_R | PROT_W,
                                   PROT_R,
                                   PROT_R,
                                   PROT_R,
                                   0,
                                   0,
                                   PROT_R | PROT_X,
                                   PROT_R | PROT_W | PROT_X,
                                   PROT_W,
                                   PROT_X,
                                   PROT_W | PROT_X};
    return some[pick(g, sizeof some)];
}

static void generate_mmap(generator_t *g, op_t *op)
{
    const unsigned what = pick(g, 100), where = pick(g, 100), odd = pick(g, 100);
    int pages, page;
    pick_stretch(g, op);
    pages = (int)((op->bytes + PAGE - 1) / PAGE);
    op->protection = pick_protection(g);
    if (what < 50) {
        op->flags = FLAG_PRIVATE | FLAG_ANONYMOUS;
        if (chance(g, 7)) op->flags |= FLAG_GROWSDOWN;
    } else if (what < 65) {
        op->flags = FLAG_SHARED | FLAG_ANONYMOUS;
    } else {
        op->flags = what < 82 ? FLAG_PRIVATE : FLAG_SHARED;
        op->object = (uint8_t)(1 + pick(g, 9) / 4);
        op->offset = (uint64_t)pick(g, chance(g, 80) ? 4 : FILE_PAGES) * PAGE;
        if (pages > 20) op->bytes = PAGE * (uint64_t)(1 + pick(g, 20));
        if (odd == 0) op->offset += 1 + pick(g, PAGE - 1);
    }
    if (g->dense && chance(g, 60) && !g->bounded && op->at.base == FROM_WINDOW) {
        op->flags = FLAG_PRIVATE | FLAG_ANONYMOUS | FLAG_FIXED;
        op->protection = PROT_R | PROT_W;
        op->object = 0, op->offset = 0;
    }
    if (g->heap && chance(g, 4) && pages < BREAK_PAGE && pages > 0) { /* it ends where the heap begins */
        op->at.base = FROM_WINDOW, op->at.bytes = (int64_t)(BREAK_PAGE - pages) * PAGE;
        op->protection = PROT_R | PROT_W;
    }
    if (chance(g, 6)) op->flags |= FLAG_NORESERVE;
    if (chance(g, 8)) op->flags |= FLAG_POPULATE;
    if (chance(g, 3) && g->can->lock) op->flags |= FLAG_LOCKED;
    if (odd == 1) op->flags &= ~3u;
    if (where < 35 && !g->bounded) op->flags |= FLAG_FIXED;
    else if (where < 45) op->flags |= FLAG_NOREPLACE;
    else if (where < 85 && op->at.base == FROM_WINDOW) op->at.base = FROM_ZERO, op->at.bytes = 0;
    if (op->at.base == FROM_ZERO) op->at.bytes = 0, op->flags &= ~(uint32_t)(FLAG_FIXED | FLAG_NOREPLACE);
    if (op->at.base == FROM_WINDOW && op->flags & (FLAG_FIXED | FLAG_NOREPLACE) && op->bytes < UINT64_MAX / 2 &&
        op->at.bytes + (int64_t)op->bytes > (int64_t)WINDOW_BYTES)
        op->bytes = WINDOW_BYTES - (uint64_t)op->at.bytes;    /* what is around the window is not to be replaced */
    if (op->bytes == 512 * (uint64_t)PAGE) op->bytes -= PAGE; /* the kernel would align it to a huge page */
    if (op->bytes == 0 || op->bytes > WINDOW_BYTES) return;
    if (op->at.base == FROM_WINDOW && op->at.bytes % PAGE &&
        op->at.bytes / PAGE + 1 + (int64_t)((op->bytes + PAGE - 1) / PAGE) > WINDOW_PAGES)
        op->at.bytes -= op->at.bytes % PAGE; /* the end of the window is not that of the host's addresses */
    pages = (int)((op->bytes + PAGE - 1) / PAGE);
    page = op->at.base == FROM_WINDOW ? (int)(op->at.bytes / PAGE) : guess_place(g, pages);
    guess(g, page, pages, true);
    remember(g, page);
    if (chance(g, 50)) remember(g, page + pages);
}

static void generate_mremap(generator_t *g, op_t *op)
{
    const unsigned way = pick(g, 100);
    const int pages = pick_pages(g);
    int to;
    pick_mapped(g, op);
    if (op->bytes > 12 * PAGE && op->bytes < UINT64_MAX / 2 && chance(g, 80))
        op->bytes = (1 + pick(g, 6)) * (uint64_t)PAGE;
    if (chance(g, 6)) op->bytes = 0;
    op->bytes_new = chance(g, 30) ? op->bytes : chance(g, 2) ? 0 : pick_bytes(g, pages);
    if (chance(g, 1)) op->bytes_new = UINT64_MAX - pick(g, 2 * PAGE);
    op->flags = way < 25   ? 0
                : way < 60 ? FLAG_MAYMOVE
                : way < 96 ? FLAG_MAYMOVE | FLAG_MOVE_FIXED
                : way < 98 ? FLAG_MOVE_FIXED
                           : 8;
    if (!(op->flags & FLAG_MOVE_FIXED)) return;
    to = pick_page(g);
    guess(g, to, pages, true);
    if (op->bytes_new < WINDOW_BYTES && to + (int)((op->bytes_new + PAGE - 1) / PAGE) > WINDOW_PAGES)
        to = WINDOW_PAGES - (int)((op->bytes_new + PAGE - 1) / PAGE);
    op->to.base = FROM_WINDOW;
    op->to.bytes = (int64_t)to * PAGE;
    remember(g, to);
    if (chance(g, 2))
        op->to.bytes += 1 + (int)pick(g, PAGE - 1), op->bytes_new = op->bytes_new > PAGE ? op->bytes_new - PAGE : 1;
    if (chance(g, 2)) op->to.base = FROM_TOP, op->to.bytes = (int64_t)pick(g, 2) * PAGE;
}

static void generate_madvise(generator_t *g, op_t *op)
{
    static const uint8_t known[] = {4, 4, 4, 4, 4, 8, 8, 8, 3, 0, 1, 2, 14, 15, 12, 13, 99};
    pick_mapped(g, op);
    do op->flags = known[pick(g, sizeof known)];
    while (((op->flags == 14 || op->flags == 15) && !g->can->huge) ||
           ((op->flags == 12 || op->flags == 13) && !g->can->mergeable));
}

static void generate_access(generator_t *g, op_t *op)
{
    const unsigned where = pick(g, 10);
    int page = (int)pick(g, WINDOW_PAGES);
    int64_t at;
    op->bytes = chance(g, 85) ? 1 + pick(g, 8) : chance(g, 80) ? 1 + pick(g, PAGE) : 1 + pick(g, 2 * PAGE);
    op->seed = (uint8_t)generate(g);
    for (int tries = WINDOW_PAGES; tries && !g->used[page]; tries--) page = page ? page - 1 : WINDOW_PAGES - 1;
    if (chance(g, 35)) page = pick_page(g);
    else page -= (int)pick(g, 2) * (int)pick(g, 6);
    at = page < 0 ? 0 : (int64_t)page * PAGE;
    if (chance(g, 30)) remember(g, page); /* it will be written again, perhaps in another process */
    if (where < 3) at += (int)pick(g, PAGE);
    else if (where == 3) at -= (int)pick(g, 9);
    else if (where == 4) at += 1234 - 4;
    if (op->kind == OP_FETCH) at = at / PAGE * PAGE + (int)pick(g, 64), op->bytes = 1;
    if (at < 0) at = 0;
    if (at + (int64_t)op->bytes > (int64_t)WINDOW_BYTES) at = (int64_t)(WINDOW_BYTES - op->bytes);
    op->at.base = FROM_WINDOW;
    op->at.bytes = at;
}

static void generate_op(generator_t *g, op_t *op, bool early)
{
    /* In a hundred: */
    static const struct {
        uint8_t kind, weight;
    } weights[] = {{OP_MMAP, 24},   {OP_MUNMAP, 7}, {OP_MPROTECT, 9}, {OP_MREMAP, 8},  {OP_MADVISE, 7}, {OP_MLOCK, 2},
                   {OP_MUNLOCK, 1}, {OP_MSYNC, 2},  {OP_MINCORE, 2},  {OP_BRK, 4},     {OP_READ, 11},   {OP_WRITE, 17},
                   {OP_FETCH, 2},   {OP_FORK, 2},   {OP_EXIT, 1},     {OP_TRUNCATE, 1}};
    unsigned way = pick(g, early ? 40 : 100), i = 0;
    memset(op, 0, sizeof *op);
    while (way >= weights[i].weight) way -= weights[i++].weight;
    op->kind = weights[i].kind;
    if (g->forks && !early && chance(g, 5)) op->kind = OP_FORK;
    if (g->heap && chance(g, 5)) op->kind = OP_BRK;
    if (g->locks && chance(g, 15)) op->kind = chance(g, 80) ? OP_MLOCK : OP_MUNLOCK;
    do op->who = (uint8_t)pick(g, g->born);
    while (!(g->living >> op->who & 1));
    switch (op->kind) {
    case OP_MMAP: generate_mmap(g, op); break;
    case OP_MREMAP: generate_mremap(g, op); break;
    case OP_MADVISE: generate_madvise(g, op); break;
    case OP_MPROTECT: pick_mapped(g, op), op->protection = pick_protection(g); break;
    case OP_MSYNC: pick_mapped(g, op), op->flags = pick(g, 8); break;
    case OP_READ:
    case OP_WRITE:
    case OP_FETCH: generate_access(g, op); break;
    case OP_BRK:
        op->at.base = chance(g, 95) ? FROM_WINDOW : FROM_ZERO;
        op->at.bytes = op->at.base == FROM_ZERO ? 0 : (int64_t)PAGE * BREAK_PAGE - 2 * PAGE + (int)pick(g, 24) * PAGE;
        if (op->at.base == FROM_WINDOW && chance(g, 40)) op->at.bytes += (int)pick(g, PAGE);
        if (chance(g, 3)) op->at.bytes += 300 * PAGE;
        if (chance(g, 20)) remember(g, BREAK_PAGE + 4);
        if (op->at.base == FROM_WINDOW) guess(g, BREAK_PAGE, (int)(op->at.bytes / PAGE) - BREAK_PAGE, true);
        break;
    case OP_TRUNCATE:
        op->object = (uint8_t)(1 + pick(g, 2));
        op->offset = (uint64_t)pick(g, FILE_PAGES) * PAGE + (chance(g, 50) ? pick(g, PAGE) : 0);
        break;
    case OP_FORK:
        if (g->born == MOST_PROCESSES) op->kind = OP_READ, generate_access(g, op);
        else g->living |= 1u << g->born++;
        break;
    case OP_EXIT:
        if (!(g->living & (g->living - 1))) op->kind = OP_WRITE, generate_access(g, op);
        else g->living &= ~(1u << op->who);
        break;
    case OP_MUNMAP:
        pick_mapped(g, op);
        if (op->bytes > 40 * PAGE && op->bytes < WINDOW_BYTES && chance(g, 70)) op->bytes = PAGE * (1 + pick(g, 8));
        if (op->at.base == FROM_WINDOW && op->bytes < WINDOW_BYTES)
            guess(g, (int)(op->at.bytes / PAGE), (int)(op->bytes / PAGE), false);
        break;
    default: pick_mapped(g, op);
    }
}

static void generate_sequence(sequence_t *to, uint64_t seed, uint64_t number, uint32_t steps, const features_t *can)
{
    generator_t g;
    memset(&g, 0, sizeof g);
    g.state = mix(seed) ^ mix(number * 2 + 1);
    g.can = can;
    g.living = 1, g.born = 1;
    g.heap = chance(&g, 40);
    g.forks = chance(&g, 40);
    g.dense = chance(&g, 40);
    to->seed = seed, to->number = number, to->steps = steps;
    memset(to->limit, 0, sizeof to->limit);
    if (can->limits && chance(&g, 20)) {
        const unsigned which = pick(&g, LIMITS);
        to->limit[which] = 4 + pick(&g, which == LIMIT_SPACE ? 120 : which == LIMIT_LOCKED ? 16 : 60);
    }
    g.bounded = to->limit[LIMIT_SPACE] || to->limit[LIMIT_DATA];
    g.locks = to->limit[LIMIT_LOCKED] && can->lock;
    to->grows = false;
    for (uint32_t i = 0; i < steps; i++) {
        do generate_op(&g, &to->op[i], i < 5);
        while ((to->op[i].kind == OP_MREMAP && !can->merges) || (to->op[i].kind == OP_BRK && !can->brk) ||
               (to->op[i].kind == OP_FETCH && !can->fetch) ||
               ((to->op[i].kind == OP_MLOCK || to->op[i].kind == OP_MUNLOCK) && !can->lock));
        if (to->op[i].kind == OP_MMAP && to->op[i].flags & FLAG_GROWSDOWN) to->grows = true;
    }
}

/* -- words -- */

static const char *const kind_names[OP_KINDS] = {"mmap",    "munmap", "mprotect", "mremap",   "madvise", "mlock",
                                                 "munlock", "msync",  "mincore",  "brk",      "read",    "write",
                                                 "fetch",   "fork",   "exit",     "ftruncate"};

static const char *place_text(char *to, size_t bytes, place_t at)
{
    const long long pages = at.bytes / PAGE, rest = at.bytes % PAGE;
    if (at.base == FROM_ZERO) snprintf(to, bytes, "%#llx", (unsigned long long)at.bytes);
    else snprintf(to, bytes, rest ? "%s%lld+%lld" : "%s%lld", at.base == FROM_TOP ? "top+" : "p", pages, rest);
    return to;
}

static const char *bytes_text(char *to, size_t bytes, uint64_t value)
{
    if (value % PAGE == 0 && value < 1u << 30) snprintf(to, bytes, "%llu pages", (unsigned long long)value / PAGE);
    else snprintf(to, bytes, value < 1u << 30 ? "%llu" : "%#llx", (unsigned long long)value);
    return to;
}

static const char *protection_text(char *to, uint32_t protection)
{
    to[0] = protection & PROT_R ? 'r' : '-';
    to[1] = protection & PROT_W ? 'w' : '-';
    to[2] = protection & PROT_X ? 'x' : '-';
    to[3] = 0;
    return to;
}

static void mmap_flags_text(char *to, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{FLAG_SHARED, "shared"}, {FLAG_PRIVATE, "private"},     {FLAG_ANONYMOUS, "anonymous"},
                 {FLAG_FIXED, "fixed"},   {FLAG_NOREPLACE, "noreplace"}, {FLAG_GROWSDOWN, "growsdown"},
                 {FLAG_LOCKED, "locked"}, {FLAG_NORESERVE, "noreserve"}, {FLAG_POPULATE, "populate"}};
    to[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(flags & names[i].flag)) continue;
        if (to[0]) strcat(to, "|");
        strcat(to, names[i].name);
    }
}

static const char *op_text(char *to, const op_t *op)
{
    char at[40], place[40], size[40], size_new[40], rights[4], flags[120];
    int n = snprintf(to, TEXT_BYTES, "%u: %s", op->who, kind_names[op->kind]);
    char *rest = to + n;
    const size_t left = (size_t)(TEXT_BYTES - n);
    place_text(at, sizeof at, op->at);
    bytes_text(size, sizeof size, op->bytes);
    protection_text(rights, op->protection);
    switch (op->kind) {
    case OP_MMAP:
        mmap_flags_text(flags, op->flags);
        n = snprintf(rest, left, "(%s, %s, %s, %s", at, size, rights, flags);
        if (op->object)
            snprintf(rest + n, left - (size_t)n, ", file %u, %s)", op->object,
                     bytes_text(size_new, sizeof size_new, op->offset));
        else snprintf(rest + n, left - (size_t)n, ")");
        break;
    case OP_MREMAP:
        bytes_text(size_new, sizeof size_new, op->bytes_new);
        place_text(place, sizeof place, op->to);
        snprintf(rest, left, "(%s, %s, %s, %s%s%s, %s)", at, size, size_new, op->flags & 1 ? "maymove" : "",
                 op->flags & 2 ? "|fixed" : "", op->flags & ~3u ? "|odd" : "", place);
        break;
    case OP_MPROTECT: snprintf(rest, left, "(%s, %s, %s)", at, size, rights); break;
    case OP_MADVISE:
    case OP_MSYNC: snprintf(rest, left, "(%s, %s, %u)", at, size, op->flags); break;
    case OP_BRK: snprintf(rest, left, "(%s)", at); break;
    case OP_FORK:
    case OP_EXIT: break;
    case OP_TRUNCATE:
        snprintf(rest, left, "(file %u, %s)", op->object, bytes_text(size, sizeof size, op->offset));
        break;
    default: snprintf(rest, left, "(%s, %s)", at, size);
    }
    return to;
}

#endif
