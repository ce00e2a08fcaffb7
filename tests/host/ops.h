/* What the comparison with the host kernel is made of: steps, what is seen after each, and the window in which all of
 * it happens. Addresses in steps and results are bytes from the begin of the window, so both sides have the same. */
#ifndef VMM_TESTS_HOST_OPS_H
#define VMM_TESTS_HOST_OPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

enum {
    PAGE = 4096,
    GUARD_PAGES = 256,  /* that the kernel keeps free below a stack that grows */
    WINDOW_PAGES = 600, /* more than two guard gaps, less than a huge page and its alignment */
    BREAK_PAGE = 40,    /* of the window: where the heap begins */
    FILES = 3,          /* objects 1 to 3 */
    READ_ONLY_FILE = 3, /* opened for reading only */
    FILE_PAGES = 16,    /* most that any of them has at first */
    MOST_STEPS = 256,
    MOST_AREAS = 120,           /* of a process */
    MOST_PROCESSES = 6,         /* born in a sequence */
    MOST_BYTES = 2 * PAGE + 64, /* of a read or a write */
    TEXT_BYTES = 256
};
#define WINDOW_BYTES ((uint64_t)WINDOW_PAGES * PAGE)

/* Where the window begins on both sides: a 2 MiB boundary lies inside, and neither end is one. */
#define WINDOW UINT64_C(0x20000012c000)

typedef enum kind {
    OP_MMAP,
    OP_MUNMAP,
    OP_MPROTECT,
    OP_MREMAP,
    OP_MADVISE,
    OP_MLOCK,
    OP_MUNLOCK,
    OP_MSYNC,
    OP_MINCORE,
    OP_BRK,
    OP_READ,
    OP_WRITE,
    OP_FETCH,
    OP_FORK,
    OP_EXIT,
    OP_TRUNCATE,
    OP_KINDS
} kind_t;

/* What an address is measured from. */
typedef enum base {
    FROM_WINDOW, /* the begin of the window */
    FROM_TOP,    /* the first address that is not the user's */
    FROM_ZERO
} base_t;

typedef struct place {
    int64_t bytes;
    uint8_t base;
} place_t;

typedef struct op {
    uint8_t kind;   /* kind_t */
    uint8_t who;    /* process: 0, and one more with every fork */
    uint8_t object; /* mmap, truncate: number of the file; 0: none */
    uint8_t seed;   /* write: of the bytes */
    uint32_t protection;
    uint32_t flags; /* mmap, mremap, msync; madvise: the advice */
    uint64_t bytes;
    uint64_t bytes_new; /* mremap */
    uint64_t offset;    /* mmap; truncate: the size */
    place_t at;
    place_t to; /* mremap */
} op_t;

/* Figures of smaps, KiB. */
enum detail {
    RSS,
    PSS,
    SHARED_CLEAN,
    SHARED_DIRTY,
    PRIVATE_CLEAN,
    PRIVATE_DIRTY,
    ANONYMOUS,
    SWAP,
    LOCKED,
    DETAILS
};
static const char *const detail_names[DETAILS] = {
    "Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Anonymous", "Swap", "Locked"};

/* What maps and smaps say of an area. */
enum area_flag {
    SEEN_R = 1,
    SEEN_W = 2,
    SEEN_X = 4,
    SEEN_SHARED = 8,
    SEEN_LOCKED = 0x10,
    SEEN_NO_RESERVE = 0x20,
    SEEN_ACCOUNT = 0x40,
    SEEN_GROWS = 0x80,
    SEEN_HUGE = 0x100,
    SEEN_NEVER_HUGE = 0x200,
    SEEN_MERGEABLE = 0x400,
    SEEN_RANDOM = 0x800,
    SEEN_SEQUENTIAL = 0x1000,
    SEEN_MAY_WRITE = 0x2000
};

typedef struct area_seen {
    uint16_t first, end; /* pages of the window */
    uint16_t flags;      /* the first four always, the others with details */
    uint8_t object;      /* 0: none, a file's number, 255: anonymous but shared */
    uint8_t spare;
    uint64_t offset;          /* page of the object */
    uint32_t detail[DETAILS]; /* KiB, as detail_names */
} area_seen_t;

/* What is seen after a step, or at the end. */
typedef struct seen {
    uint8_t done;   /* 0: the step was left out, its process does not live */
    uint8_t signal; /* 0: none */
    uint8_t code;
    uint8_t details; /* areas have those of smaps */
    int32_t error;   /* errno */
    int64_t value;   /* what the call returned, 0 after an error */
    int64_t address; /* of the signal */
    uint64_t hash;   /* of what was read, of mincore's answer */
    uint32_t minor;  /* minor faults of the step */
    uint32_t areas;
    area_seen_t area[MOST_AREAS];
} seen_t;

/* What a process of the sequence looks like at the end, besides its areas: each page's content, read after
 * everything was made readable. */
typedef struct last {
    uint8_t done;
    seen_t seen;
    uint32_t minor;
    uint32_t page[WINDOW_PAGES]; /* hash; 0: no area; 1: bus error; 2: not readable */
} last_t;

typedef struct outcome {
    uint32_t steps;
    uint8_t broken; /* the side itself failed */
    char why[120];
    seen_t seen[MOST_STEPS];
    last_t last[MOST_PROCESSES];
} outcome_t;

/* Bounds that a sequence may run under. */
enum limit {
    LIMIT_SPACE,
    LIMIT_DATA,
    LIMIT_STACK,
    LIMIT_LOCKED,
    LIMITS
};
static const char *const limit_names[LIMITS] = {"RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_MEMLOCK"};

/* What the host's kernel can do, and how it is set. */
typedef struct features {
    bool limits, brk, huge, mergeable, lock, move_many, fetch;
    bool merges;           /* areas, as Linux 6.16 and later */
    uint32_t fault_around; /* pages */
    uint64_t locked;       /* bytes that a process may lock */
} features_t;

typedef struct sequence {
    uint64_t seed, number;
    uint32_t steps;
    uint32_t details_every; /* steps between two looks at smaps; 0: only at the end */
    bool grows;             /* an area of it grows down */
    uint32_t limit[LIMITS]; /* pages beyond what is used at first; 0: none */
    op_t op[MOST_STEPS];
} sequence_t;

/* Whether a step leaves what is around the window alone. */
static inline bool is_inside(const op_t *op)
{
    if (op->at.base != FROM_WINDOW || op->bytes > UINT64_MAX / 2) return true;
    return (op->at.bytes + (int64_t)op->bytes + PAGE - 1) / PAGE <= WINDOW_PAGES;
}

/* -- steps that are left out on both sides, by the areas of the process before them -- */

static inline bool area_grows_near(const seen_t *before, uint32_t i, uint64_t pages)
{
    const uint32_t start = before->area[i].first, below = i ? before->area[i - 1].end : 0;
    return before->area[i].flags & SEEN_GROWS && i && below + GUARD_PAGES > start && start - below >= pages;
}

/* An mremap to a fixed place that no kernel finds fault with. */
static inline bool is_plain_move(const op_t *op, const seen_t *before)
{
    const int64_t from = op->at.bytes, to = op->to.bytes, old = (int64_t)((op->bytes + PAGE - 1) / PAGE * PAGE);
    const int64_t bytes = (int64_t)((op->bytes_new + PAGE - 1) / PAGE * PAGE);
    if (op->flags != 3 || op->at.base != FROM_WINDOW || op->to.base != FROM_WINDOW || from % PAGE || to % PAGE)
        return false;
    if (op->bytes == 0 || op->bytes > WINDOW_BYTES || op->bytes_new == 0 || op->bytes_new > WINDOW_BYTES) return false;
    if (from + old > to && to + bytes > from) return false;
    for (uint32_t i = 0; i < before->areas; i++)
        if (before->area[i].first * (int64_t)PAGE <= from && before->area[i].end * (int64_t)PAGE >= from + old)
            return true;
    return false;
}

/* README.md, "Known differences", says why. */
static inline bool is_left_out(const op_t *op, const seen_t *before, const sequence_t *sequence, const features_t *can)
{
    const bool move = op->kind == OP_MREMAP;
    const uint64_t bytes = move ? op->bytes_new : op->bytes, pages = (bytes + PAGE - 1) / PAGE;
    if (move && !can->move_many && (op->bytes > WINDOW_BYTES || op->bytes_new > WINDOW_BYTES)) return true;
    if (move && !can->move_many && op->flags & 2)
        return !is_plain_move(op, before) || sequence->limit[LIMIT_SPACE] || sequence->limit[LIMIT_DATA];
    if (bytes > WINDOW_BYTES) return false;
    if ((move && !(op->flags & 2)) || (op->kind == OP_MMAP && !(op->flags & 0x100010)))
        for (uint32_t i = 0; i < before->areas; i++)
            if (area_grows_near(before, i, pages)) return true;
    return false;
}

/* Whether areas have to be known for that, and their flags. */
static inline bool may_be_left_out(const op_t *op, const sequence_t *sequence, const features_t *can)
{
    return (sequence->grows && (op->kind == OP_MMAP || op->kind == OP_MREMAP)) ||
           (op->kind == OP_MREMAP && !can->move_many);
}

/* -- bytes: only those that are harmless instructions of one byte, since pages are also executed -- */

static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint8_t byte_of(uint64_t seed, uint64_t i)
{
    static const uint8_t safe[8] = {0x90, 0xc3, 0xf8, 0xf9, 0xf5, 0xfc, 0x98, 0x99};
    return safe[mix(seed * UINT64_C(0x9e3779b97f4a7c15) + i) & 7];
}

/* What a file holds at first. The first pages have content, the others are holes. */
static inline uint64_t file_bytes(unsigned object)
{
    return object == 2 ? 5 * PAGE + 1234 : 12 * PAGE;
}

static inline unsigned file_written_pages(unsigned object)
{
    return object == 2 ? 3 : 6; /* WRITTEN_PAGES at most */
}

enum {
    WRITTEN_PAGES = 6
};
static uint8_t file_content[FILES + 1][WRITTEN_PAGES][PAGE];

static inline void make_files(void)
{
    for (unsigned object = 1; object <= FILES; object++)
        for (unsigned i = 0; i < WRITTEN_PAGES; i++)
            for (unsigned j = 0; j < PAGE; j++) file_content[object][i][j] = byte_of(object * 100 + i, j);
}

static inline uint64_t hash_bytes(const void *from, uint64_t bytes)
{
    const uint8_t *p = (const uint8_t *)from;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) + bytes, i = 0;
    for (; i < bytes; i++) hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint32_t hash_page(const void *from)
{
    const uint64_t *p = (const uint64_t *)from;
    uint64_t hash = 1;
    uint32_t folded;
    for (size_t i = 0; i < PAGE / 8; i++) hash = (hash ^ p[i]) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
    folded = (uint32_t)(hash ^ hash >> 32);
    return folded < 16 ? folded + 16 : folded;
}

#endif
