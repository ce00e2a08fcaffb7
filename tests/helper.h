/* helper.h - what the tests share: cmocka, random numbers, and frames for page tables. */
#ifndef HELPER_H
#define HELPER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#endif

/* xorshift64: the same numbers in every run. The state must not be 0. */
static inline uint64_t helper_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#define HELPER_FREED 512

/* Hands out physical memory for tables: from the lowest up, and what was given back first. As user
 * of a vmm_tables_t it counts what is out and can run dry on demand.
 * Invariant: base <= next <= end; freed <= HELPER_FREED. */
typedef struct helper_frames {
    uint64_t base;  /* first byte, a multiple of the largest table */
    uint64_t next;  /* lowest byte that was never handed out */
    uint64_t end;   /* first byte behind */
    int64_t budget; /* how many more may be taken; -1: as many as there are */
    int64_t live;   /* taken and not given back */
    size_t freed;   /* how many of the following */
    struct {
        uint64_t table, bytes;
    } free[HELPER_FREED];
} helper_frames_t;

static inline int helper_take(void *user, uint64_t bytes, uint64_t *table)
{
    helper_frames_t *f = (helper_frames_t *)user;
    size_t i;
    if (f->budget == 0) return -1;
    for (i = 0; i < f->freed && f->free[i].bytes != bytes; i++) {}
    if (i < f->freed) {
        *table = f->free[i].table;
        f->free[i] = f->free[--f->freed];
    } else {
        const uint64_t at = (f->next + bytes - 1) & ~(bytes - 1);
        if (at > f->end || bytes > f->end - at) return -1;
        *table = at;
        f->next = at + bytes;
    }
    if (f->budget > 0) f->budget--;
    f->live++;
    return 0;
}

static inline void helper_give(void *user, uint64_t table, uint64_t bytes)
{
    helper_frames_t *f = (helper_frames_t *)user;
    assert_true(f->freed < HELPER_FREED);
    assert_true(table >= f->base && table < f->next);
    f->free[f->freed].table = table;
    f->free[f->freed++].bytes = bytes;
    f->live--;
}

#endif /* HELPER_H */
