/* mmu_limit.h - the hand-written limit that an MMU is held against, and the loops that both run: the direct-mapped
 * {tag, addend} table of 256 slots, with a walk cache of 64 slots behind it, written for one format, one mode and these
 * loops. Same data, same program, same flags. A bench defines, before it includes this:
 *
 *   OUR(name)                        the instance's name_...: rv_##name
 *   ROW(name)                        a row's name: "mmu." name
 *   LIMIT_LEVELS                     levels of the format, 9 index bits each, entries of 8 bytes
 *   LIMIT_IS_POINTER(pte)            a pointer that takes no right away
 *   LIMIT_ADDRESS(pte)               the physical address in an entry
 *   LIMIT_LOAD_MASK, LIMIT_LOAD_WANT what an entry must look like for a load ...
 *   LIMIT_STORE_MASK, ..._WANT       ... and for a store
 *   LIMIT_CODE(pte, write)           what a fault is called, in 32 bits */
#ifndef MMU_LIMIT_H
#define MMU_LIMIT_H

#include "bench.h"
#include "vmm.h"

#include <string.h>

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x80000000)
#define RAM_BYTES (UINT64_C(96) << 20)
#define MAPPED UINT64_C(0x1000000000) /* where the tested pages begin */
#define PAGES UINT64_C(8192)          /* how many: all but the last 64 are mapped */
#define RIGHTS (VMM_R | VMM_W | VMM_X | VMM_A | VMM_D)

/* ------------------------------------------------------------------------ the limit -- */

typedef struct hand_slot {
    uint64_t tag, addend;
} hand_slot_t;

typedef struct hand_walk {
    uint64_t tag;
    const uint64_t *table;
} hand_walk_t;

typedef struct hand {
    hand_slot_t load[256];
    hand_slot_t store[256];
    hand_walk_t walk[64];
    uint8_t *ram;
    uint64_t base, size, root;
    uint64_t fault_va, fault_pte;
    uint32_t fault_cause;
} hand_t;

#define HAND_INLINE static inline __attribute__((always_inline))

static __attribute__((noinline)) const uint64_t *hand_table(hand_t *m, uint64_t va)
{
    uint64_t table = m->root;
    int level;
    for (level = LIMIT_LEVELS - 1; level > 0; level--) {
        uint64_t offset = table + ((va >> (12 + 9 * level)) & 511) * 8 - m->base, pte;
        if (offset >= m->size) return NULL;
        memcpy(&pte, m->ram + offset, 8);
        if (!LIMIT_IS_POINTER(pte)) return NULL;
        table = LIMIT_ADDRESS(pte);
    }
    if (table - m->base >= m->size) return NULL;
    return (const uint64_t *)(const void *)(m->ram + (table - m->base));
}

HAND_INLINE int hand_miss(hand_t *m, uint64_t va, hand_slot_t *front, uint64_t mask, uint64_t want, int write)
{
    hand_walk_t *walk = &m->walk[(va >> 21) & 63];
    uint64_t pte, offset;
    hand_slot_t *slot = &front[(va >> 12) & 255];
    if (__builtin_expect((va & 7) != 0, 0)) return 1; /* a real one would go and load it in two parts */
    if (__builtin_expect(walk->tag != va >> 21, 0)) {
        const uint64_t *table = hand_table(m, va);
        if (!table) return 1;
        walk->tag = va >> 21;
        walk->table = table;
    }
    pte = walk->table[(va >> 12) & 511];
    if (__builtin_expect((pte & mask) != want, 0)) {
        m->fault_va = va;
        m->fault_pte = pte;
        m->fault_cause = LIMIT_CODE(pte, write);
        return 1;
    }
    offset = LIMIT_ADDRESS(pte) - m->base;
    if (__builtin_expect(offset >= m->size, 0)) return 1;
    slot->tag = va & ~UINT64_C(4095);
    slot->addend = (uint64_t)(uintptr_t)(m->ram + offset) - slot->tag;
    return 0;
}

static __attribute__((noinline)) int hand_miss_load(hand_t *m, uint64_t va)
{
    return hand_miss(m, va, m->load, LIMIT_LOAD_MASK, LIMIT_LOAD_WANT, 0);
}

static __attribute__((noinline)) int hand_miss_store(hand_t *m, uint64_t va)
{
    return hand_miss(m, va, m->store, LIMIT_STORE_MASK, LIMIT_STORE_WANT, 1);
}

HAND_INLINE int hand_load64(hand_t *m, uint64_t va, uint64_t *value)
{
    hand_slot_t *slot = &m->load[(va >> 12) & 255];
    if (__builtin_expect(slot->tag != (va & (~UINT64_C(4095) | 7)), 0) && hand_miss_load(m, va)) return 1;
    memcpy(value, (const void *)(uintptr_t)(va + slot->addend), 8);
    return 0;
}

HAND_INLINE int hand_store64(hand_t *m, uint64_t va, uint64_t value)
{
    hand_slot_t *slot = &m->store[(va >> 12) & 255];
    if (__builtin_expect(slot->tag != (va & (~UINT64_C(4095) | 7)), 0) && hand_miss_store(m, va)) return 1;
    memcpy((void *)(uintptr_t)(va + slot->addend), &value, 8);
    return 0;
}

static __attribute__((noinline)) void hand_flush_all(hand_t *m)
{
    int i;
    for (i = 0; i < 256; i++) m->load[i].tag = 1;
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void hand_flush_page(hand_t *m, uint64_t va)
{
    m->load[(va >> 12) & 255].tag = 1;
    m->store[(va >> 12) & 255].tag = 1;
    __asm__ volatile("" ::: "memory");
}

/* ------------------------------------------------------------------------- the loops -- */

/* One loop serves both: LOAD and STORE are inlined, as a user's would be. */
#define HIT_PAGES 64
#define ROUNDS 2000
#define LOOP_HIT(NAME, TYPE, LOAD)                                                                                     \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t sum = 0, va, word;                                                                                    \
        int round;                                                                                                     \
        for (round = 0; round < ROUNDS; round++)                                                                       \
            for (va = MAPPED; va < MAPPED + HIT_PAGES * (PAGE + 64); va += PAGE + 64) {                                \
                if (LOAD(m, va, &word)) abort();                                                                       \
                sum += word;                                                                                           \
            }                                                                                                          \
        return sum;                                                                                                    \
    }
#define LOOP_STORE(NAME, TYPE, STORE)                                                                                  \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t va;                                                                                                   \
        int round;                                                                                                     \
        for (round = 0; round < ROUNDS; round++)                                                                       \
            for (va = MAPPED; va < MAPPED + HIT_PAGES * (PAGE + 64); va += PAGE + 64)                                  \
                if (STORE(m, va, 0)) abort();                                                                          \
        return va;                                                                                                     \
    }
#define CHASE_STEPS 100000
#define LOOP_CHASE(NAME, TYPE, LOAD)                                                                                   \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t va = MAPPED + 2048;                                                                                   \
        int step;                                                                                                      \
        for (step = 0; step < CHASE_STEPS; step++)                                                                     \
            if (LOAD(m, va, &va)) abort();                                                                             \
        return va;                                                                                                     \
    }
#define CONFLICT_ROUNDS 50000
#define LOOP_CONFLICT(NAME, TYPE, LOAD)                                                                                \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t sum = 0, word;                                                                                        \
        int round;                                                                                                     \
        for (round = 0; round < CONFLICT_ROUNDS; round++) {                                                            \
            if (LOAD(m, MAPPED, &word)) abort();                                                                       \
            sum += word;                                                                                               \
            if (LOAD(m, MAPPED + 256 * PAGE, &word)) abort();                                                          \
            sum += word;                                                                                               \
        }                                                                                                              \
        return sum;                                                                                                    \
    }
#define MISS_ROUNDS 80
#define MISS_PAGES 1024 /* four times the front, yet few enough for the host's own TLB */
#define LOOP_MISS(NAME, TYPE, LOAD)                                                                                    \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t sum = 0, va, word;                                                                                    \
        int round;                                                                                                     \
        for (round = 0; round < MISS_ROUNDS; round++)                                                                  \
            for (va = MAPPED; va < MAPPED + MISS_PAGES * (PAGE + 64); va += PAGE + 64) {                               \
                if (LOAD(m, va, &word)) abort();                                                                       \
                sum += word;                                                                                           \
            }                                                                                                          \
        return sum;                                                                                                    \
    }
#define FAULT_ROUNDS 100000
#define LOOP_FAULT(NAME, TYPE, LOAD)                                                                                   \
    static __attribute__((noinline)) uint64_t NAME(void *data)                                                         \
    {                                                                                                                  \
        TYPE *m = (TYPE *)data;                                                                                        \
        uint64_t sum = 0, word = 0;                                                                                    \
        int round;                                                                                                     \
        for (round = 0; round < FAULT_ROUNDS; round++)                                                                 \
            if (LOAD(m, MAPPED + (PAGES - 64 + (unsigned)(round & 63)) * PAGE, &word)) sum++;                          \
        return sum;                                                                                                    \
    }

LOOP_HIT(our_hit, OUR(mmu_t), OUR(load64))
LOOP_HIT(hand_hit, hand_t, hand_load64)
LOOP_STORE(our_store, OUR(mmu_t), OUR(store64))
LOOP_STORE(hand_store, hand_t, hand_store64)
LOOP_CHASE(our_chase, OUR(mmu_t), OUR(load64))
LOOP_CHASE(hand_chase, hand_t, hand_load64)
LOOP_CONFLICT(our_conflict, OUR(mmu_t), OUR(load64))
LOOP_CONFLICT(hand_conflict, hand_t, hand_load64)
LOOP_MISS(our_miss, OUR(mmu_t), OUR(load64))
LOOP_MISS(hand_missing, hand_t, hand_load64)
LOOP_FAULT(our_fault, OUR(mmu_t), OUR(load64))
LOOP_FAULT(hand_fault, hand_t, hand_load64)

/* A flat pointer: what no translation at all costs. */
typedef struct flat {
    uint8_t *memory;
} flat_t;

HAND_INLINE int flat_load64(flat_t *m, uint64_t va, uint64_t *value)
{
    memcpy(value, m->memory + (va - MAPPED), 8);
    return 0;
}

LOOP_HIT(flat_hit, flat_t, flat_load64)
LOOP_CHASE(flat_chase, flat_t, flat_load64)

#define FLUSHES 20000
static __attribute__((noinline)) void our_flush(OUR(mmu_t) * m)
{
    OUR(flush_all)(m);
}

static __attribute__((noinline)) void our_flush_one(OUR(mmu_t) * m, uint64_t va)
{
    OUR(flush_page)(m, va);
}

static uint64_t our_flush_all(void *data)
{
    int i;
    for (i = 0; i < FLUSHES; i++) our_flush((OUR(mmu_t) *)data);
    return 0;
}

static uint64_t hand_flushes(void *data)
{
    int i;
    for (i = 0; i < FLUSHES; i++) hand_flush_all((hand_t *)data);
    return 0;
}

static uint64_t our_flush_page(void *data)
{
    int i;
    for (i = 0; i < FLUSHES; i++) our_flush_one((OUR(mmu_t) *)data, MAPPED + (unsigned)(i & 255) * PAGE);
    return 0;
}

static uint64_t hand_flush_pages(void *data)
{
    int i;
    for (i = 0; i < FLUSHES; i++) hand_flush_page((hand_t *)data, MAPPED + (unsigned)(i & 255) * PAGE);
    return 0;
}

/* ------------------------------------------------------------------------- the rows -- */

static uint8_t *ram;
static vmm_memory_t memory;
static uint64_t frames, free_frames[4096], free_count;

static int take_frame(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    (void)user;
    *table = free_count ? free_frames[--free_count] : BASE + bytes * frames++;
    return *table + bytes > BASE + RAM_BYTES;
}

static void give_frame(void *user, vmm_paddr_t table, uint64_t bytes)
{
    (void)user, (void)bytes;
    free_frames[free_count++] = table;
}

static OUR(mmu_t) mmu;
static hand_t hand;
static flat_t flat;

/* Makes RAM, tables that map the tested pages, and an MMU that nothing is set in yet. */
static void limit_set_up(vmm_tables_t *tables, uint32_t rights)
{
    uint64_t i;
    ram = (uint8_t *)aligned_alloc(PAGE, RAM_BYTES);
    if (!ram) abort();
    memset(ram, 0, RAM_BYTES);
    memory.ram = ram;
    memory.base = BASE;
    memory.size = RAM_BYTES;
    memset(tables, 0, sizeof *tables);
    tables->memory = &memory;
    tables->take = take_frame;
    tables->give = give_frame;
    if (OUR(create)(tables) || OUR(map)(tables, MAPPED, BASE + (UINT64_C(32) << 20), (PAGES - 64) * PAGE, rights))
        abort();
    if (OUR(init)(&mmu, &memory)) abort();
    hand.ram = ram;
    hand.base = BASE;
    hand.size = RAM_BYTES;
    hand.root = tables->root;
    for (i = 0; i < 256; i++) hand.load[i].tag = hand.store[i].tag = 1;
    for (i = 0; i < 64; i++) hand.walk[i].tag = ~UINT64_C(0);
    flat.memory = ram + (UINT64_C(32) << 20);
    for (i = 0; i < 512; i++) { /* a ring through 512 words on 64 pages, never two in a row on one page */
        const uint64_t here = (i % 64) * PAGE + 2048 + (i / 64) * 64, next = (i + 37) % 512;
        const uint64_t to = MAPPED + (next % 64) * PAGE + 2048 + (next / 64) * 64;
        memcpy(flat.memory + here, &to, 8);
    }
}

/* What an emulator does all day. */
static void limit_rows(void)
{
    bench_pair(ROW("load.hit"), "limit", (double)ROUNDS * HIT_PAGES, our_hit, &mmu, hand_hit, &hand);
    bench_pair(ROW("load.hit"), "flat pointer", (double)ROUNDS * HIT_PAGES, our_hit, &mmu, flat_hit, &flat);
    bench_pair(ROW("load.chase"), "limit", CHASE_STEPS, our_chase, &mmu, hand_chase, &hand);
    bench_pair(ROW("load.chase"), "flat pointer", CHASE_STEPS, our_chase, &mmu, flat_chase, &flat);
    bench_pair(ROW("store.hit"), "limit", (double)ROUNDS * HIT_PAGES, our_store, &mmu, hand_store, &hand);
    bench_pair(ROW("conflict"), "limit", 2.0 * CONFLICT_ROUNDS, our_conflict, &mmu, hand_conflict, &hand);
    bench_pair(ROW("miss"), "limit", (double)MISS_ROUNDS * MISS_PAGES, our_miss, &mmu, hand_missing, &hand);
    bench_pair(ROW("fault"), "limit", FAULT_ROUNDS, our_fault, &mmu, hand_fault, &hand);
    bench_pair(ROW("flush_all"), "limit", FLUSHES, our_flush_all, &mmu, hand_flushes, &hand);
    bench_pair(ROW("flush_page"), "limit", FLUSHES, our_flush_page, &mmu, hand_flush_pages, &hand);
}

#endif /* MMU_LIMIT_H */
