/* The buddy against hand-written ones: lists of frame numbers in a side array, a byte for each frame and a mask of
 * the orders that have a block, for one region whose size is a constant, without checks of order, address or owner.
 * The limit keeps doubly linked lists as anybody would write them, and counts the free frames. The bare limit
 * counts nothing, keeps no previous of a first block, and lists what a split leaves without asking what is there:
 * the tricks of ours without any of its services.
 * Same sequence, same program, same flags; all are called, as a program calls an allocator from its many
 * places. Frames are freed in bursts, so that an allocation does not get just the frame freed before it. */
#include "bench.h"
#include "vmm_alloc.h"

#include <string.h>

#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS
#define ROW(name) name
#else
#define ROW(name) name ".bitmaps"
#endif

#define FRAMES (UINT32_C(1) << 16)
#define BASE UINT64_C(0x80000000)
#define LIVE 512    /* blocks that are taken between two bursts; a power of two */
#define BURST 8     /* so many random ones are freed, then so many taken */
#define STEPS 20000 /* pairs of one turn, a multiple of BURST */
#define ORDERS_OF 6 /* mixed: 0 to 5 */
#define MANY 256    /* frames taken at once */

/* ------------------------------------------------------------------------ the limit -- */

#define HAND_ORDERS 17
#define HAND_NONE UINT32_MAX
#define HAND_INLINE static inline __attribute__((always_inline))

typedef struct hand {
    uint32_t first[HAND_ORDERS];
    uint32_t orders; /* bit o: list o is not empty */
    uint32_t free_frames;
    struct {
        uint32_t next, previous;
    } link[FRAMES];
    uint8_t state[FRAMES]; /* order + 1 where a free block begins, else 0 */
} hand_t;

HAND_INLINE void hand_link(hand_t *h, uint32_t block, unsigned order, int bare)
{
    const uint32_t next = h->first[order];
    h->link[block].next = next;
    if (!bare) h->link[block].previous = HAND_NONE;
    if (next != HAND_NONE) h->link[next].previous = block;
    else h->orders |= 1u << order;
    h->first[order] = block;
    h->state[block] = (uint8_t)(order + 1);
}

HAND_INLINE uint64_t hand_alloc(hand_t *h, unsigned order, int bare)
{
    const uint32_t large = h->orders & ~0u << order;
    uint32_t block, next;
    unsigned have;
    if (!large) return UINT64_MAX;
    have = (unsigned)__builtin_ctz(large);
    block = h->first[have];
    next = h->link[block].next;
    h->first[have] = next;
    if (next == HAND_NONE) h->orders &= ~(1u << have);
    else if (!bare) h->link[next].previous = HAND_NONE;
    h->state[block] = 0;
    while (__builtin_expect(have > order, 0)) {
        uint32_t upper;
        have--;
        upper = block + (1u << have);
        if (!bare) {
            hand_link(h, upper, have, bare);
            continue;
        }
        h->first[have] = upper;
        h->orders |= 1u << have;
        h->state[upper] = (uint8_t)(have + 1);
        h->link[upper].next = HAND_NONE;
    }
    if (!bare) h->free_frames -= 1u << order;
    return BASE + ((uint64_t)block << 12);
}

HAND_INLINE void hand_free(hand_t *h, uint64_t paddr, unsigned order, int bare)
{
    uint32_t block = (uint32_t)((paddr - BASE) >> 12);
    if (!bare) h->free_frames += 1u << order;
    for (; order < HAND_ORDERS - 1; order++) {
        const uint32_t buddy = block ^ 1u << order;
        uint32_t next, previous;
        if (__builtin_expect(h->state[buddy] != order + 1, 1)) break;
        next = h->link[buddy].next;
        if (h->first[order] == buddy) {
            if ((h->first[order] = next) == HAND_NONE) h->orders &= ~(1u << order);
        } else {
            previous = h->link[buddy].previous;
            h->link[previous].next = next;
            if (next != HAND_NONE) h->link[next].previous = previous;
        }
        h->state[buddy] = 0;
        block &= buddy;
    }
    hand_link(h, block, order, bare);
}

/* ------------------------------------------------------------------------- the loops -- */

typedef struct job {
    vmm_frames_t frames;
    hand_t hand;
    uint64_t random;
    unsigned orders; /* orders asked for: 0 to orders - 1 */
    struct {
        uint64_t paddr;
        unsigned order;
    } live[LIVE];
    uint64_t many[MANY];
} job_t;

static uint8_t side[VMM_FRAMES_BYTES(FRAMES)];
static job_t ours, theirs;

static __attribute__((noinline)) uint64_t our_alloc(job_t *j, unsigned order)
{
    vmm_paddr_t paddr;
    if (vmm_frames_alloc(&j->frames, order, &paddr) != VMM_OK) abort();
    return paddr;
}

static __attribute__((noinline)) void our_free(job_t *j, uint64_t paddr, unsigned order)
{
    if (vmm_frames_free(&j->frames, paddr, order) != VMM_OK) abort();
}

#define HAND(NAME, bare)                                                                                               \
    static __attribute__((noinline)) uint64_t NAME##_alloc(job_t *j, unsigned order)                                   \
    {                                                                                                                  \
        const uint64_t paddr = hand_alloc(&j->hand, order, bare);                                                      \
        if (paddr == UINT64_MAX) abort();                                                                              \
        return paddr;                                                                                                  \
    }                                                                                                                  \
    static __attribute__((noinline)) void NAME##_free(job_t *j, uint64_t paddr, unsigned order)                        \
    {                                                                                                                  \
        hand_free(&j->hand, paddr, order, bare);                                                                       \
    }
HAND(their, 0)
HAND(bare, 1)

#define LOOP_PAIRS(NAME, ALLOC, FREE)                                                                                  \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        job_t *j = (job_t *)data;                                                                                      \
        uint64_t random = j->random;                                                                                   \
        const unsigned orders = j->orders;                                                                             \
        int step, i;                                                                                                   \
        for (step = 0; step < STEPS; step += BURST) {                                                                  \
            unsigned at;                                                                                               \
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;                                    \
            at = (unsigned)(random >> 40);                                                                             \
            for (i = 0; i < BURST; i++, at += 101) FREE(j, j->live[at % LIVE].paddr, j->live[at % LIVE].order);        \
            at = (unsigned)(random >> 40);                                                                             \
            for (i = 0; i < BURST; i++, at += 101) {                                                                   \
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;                                \
                j->live[at % LIVE].order = (unsigned)((random >> 49) * orders >> 15);                                  \
                j->live[at % LIVE].paddr = ALLOC(j, j->live[at % LIVE].order);                                         \
            }                                                                                                          \
        }                                                                                                              \
        j->random = random;                                                                                            \
        return random;                                                                                                 \
    }
LOOP_PAIRS(our_pairs, our_alloc, our_free)
LOOP_PAIRS(their_pairs, their_alloc, their_free)
LOOP_PAIRS(bare_pairs, bare_alloc, bare_free)

#define BATCHES 100

static __attribute__((noinline)) uint64_t our_batches(void *data)
{
    job_t *j = (job_t *)data;
    int batch;
    for (batch = 0; batch < BATCHES; batch++) {
        if (vmm_frames_alloc_many(&j->frames, j->many, MANY) != MANY) abort();
        if (vmm_frames_free_many(&j->frames, j->many, MANY) != MANY) abort();
    }
    return j->many[0];
}

static __attribute__((noinline)) uint64_t their_batches(void *data)
{
    job_t *j = (job_t *)data;
    int batch, i;
    for (batch = 0; batch < BATCHES; batch++) {
        for (i = 0; i < MANY; i++) j->many[i] = their_alloc(j, 0);
        for (i = 0; i < MANY; i++) their_free(j, j->many[i], 0);
    }
    return j->many[0];
}

static void begin(unsigned orders)
{
    unsigned i;
    if (vmm_frames_init(&ours.frames, BASE, 12, FRAMES, side, sizeof side) != VMM_OK) abort();
    memset(&theirs.hand, 0, sizeof theirs.hand);
    for (i = 0; i < HAND_ORDERS; i++) theirs.hand.first[i] = HAND_NONE;
    theirs.hand.free_frames = FRAMES;
    hand_link(&theirs.hand, 0, HAND_ORDERS - 1, 0);
    ours.random = theirs.random = 1;
    ours.orders = theirs.orders = orders;
    for (i = 0; i < LIVE; i++) {
        ours.live[i].order = theirs.live[i].order = i % orders;
        ours.live[i].paddr = our_alloc(&ours, i % orders);
        theirs.live[i].paddr = their_alloc(&theirs, i % orders);
    }
}

static void pairs(const char *name, unsigned orders)
{
    begin(orders);
    bench_pair(name, "limit", STEPS, our_pairs, &ours, their_pairs, &theirs);
    begin(orders);
    bench_pair(name, "bare limit", STEPS, our_pairs, &ours, bare_pairs, &theirs);
}

int main(void)
{
    bench_head("Buddy: one region of 65536 frames, 512 live blocks; nanoseconds for a free and an allocate");
    pairs(ROW("alloc.buddy.mixed"), ORDERS_OF);
    pairs(ROW("alloc.buddy.order0"), 1);
    begin(1);
    bench_pair(ROW("alloc.buddy.many"), "limit one by one", BATCHES * MANY, our_batches, &ours, their_batches, &theirs);
    return 0;
}
