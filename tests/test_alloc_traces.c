/* vmm_alloc.h, section 3: the allocations of real programs (examples/traces/alloc), replayed on two kinds of heap. Each
 * block keeps what was written to it; the heap is whole on the way, and empty at the end. */
#if !defined(_POSIX_C_SOURCE) && !defined(__cplusplus)
#define _POSIX_C_SOURCE 200809L /* popen */
#endif
#include "helper.h"

#include <stdlib.h>
#include <string.h>

#include "rep.h"
#include "vmm_alloc.h"

#define ARENA ((size_t)48 << 20)
#define CHECKS 8 /* in one replay */

VMM_HEAP(plain, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, 0)
VMM_HEAP(guarded, 12, VMM_GOOD_FIT, 2, VMM_BY_POINTER, VMM_HEAP_STATS)

static plain_t plain;
static guarded_t guarded;

static void *plain_of(void *block, size_t bytes)
{
    return block ? plain_realloc(&plain, block, bytes) : plain_malloc(&plain, bytes);
}
static vmm_misuse_t plain_back(void *block)
{
    return plain_free(&plain, block);
}
static bool plain_whole(void)
{
    return plain_check(&plain);
}
static void *guarded_of(void *block, size_t bytes)
{
    return block ? guarded_realloc(&guarded, block, bytes) : guarded_malloc(&guarded, bytes);
}
static vmm_misuse_t guarded_back(void *block)
{
    return guarded_free(&guarded, block);
}
static bool guarded_whole(void)
{
    return guarded_check(&guarded);
}

typedef struct calls {
    void *(*of)(void *block, size_t bytes);
    vmm_misuse_t (*back)(void *block);
    bool (*whole)(void);
} calls_t;

/* The first and the last byte of a block tell whose it is. */
static void replay(const rep_trace_t *trace, const calls_t *calls)
{
    unsigned char **const block = (unsigned char **)calloc((size_t)trace->facts.ids, sizeof *block);
    uint64_t i;
    assert_non_null(block);
    for (i = 0; i < trace->facts.count; i++) {
        const rep_op_t op = trace->op[i];
        unsigned char **const own = &block[op.id];
        const unsigned char mark = (unsigned char)(op.id * 31u + 7u);
        if (op.kind != REP_ALLOCATE && op.old && ((*own)[0] != mark || (*own)[op.old - 1] != mark)) break;
        if (op.kind == REP_FREE) {
            if (calls->back(*own) != VMM_MISUSE_NONE) break;
            *own = NULL;
        } else if (op.kind == REP_REALLOCATE && op.size == 0) {
            break; /* in none of the traces */
        } else {
            *own = (unsigned char *)calls->of(*own, op.size);
            if (!*own) break;
            if (op.kind == REP_REALLOCATE && op.old && (*own)[0] != mark) break;
            if (op.size) (*own)[0] = (*own)[op.size - 1] = mark;
        }
        if (i % (trace->facts.count / CHECKS + 1) == 0) assert_true(calls->whole());
    }
    assert_int_equal(i, trace->facts.count);
    assert_true(calls->whole());
    free(block);
}

static void the_allocations_of_real_programs_are_served(void **state)
{
    static const char *const names[] = {"cc1", "clang", "git", "perl", "python3", "sqlite3"};
    static const calls_t kinds[] = {{plain_of, plain_back, plain_whole}, {guarded_of, guarded_back, guarded_whole}};
    void *const arena = malloc(ARENA);
    vmm_heap_options_t options;
    vmm_heap_report_t report;
    size_t n;
    (void)state;
    assert_non_null(arena);
    memset(&options, 0, sizeof options);
    options.arena = arena;
    options.bytes = ARENA;
    for (n = 0; n < sizeof names / sizeof *names; n++) {
        char path[80];
        rep_trace_t trace = {{0, 0, 0, 0, 0}, NULL};
        snprintf(path, sizeof path, "examples/traces/alloc/%s.rep.gz", names[n]);
        assert_true(rep_read_gzip(path, &trace));
        assert_int_equal(plain_init(&plain, &options), VMM_OK);
        replay(&trace, &kinds[0]);
        assert_int_equal(plain_report(&plain, &report), VMM_OK);
        assert_int_equal(report.live_blocks, 0);
        assert_int_equal(guarded_init(&guarded, &options), VMM_OK);
        replay(&trace, &kinds[1]);
        assert_int_equal(guarded.stats[0].blocks, 0);
        assert_int_equal(guarded.stats[0].bytes, 0);
        free(trace.op);
    }
    free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_allocations_of_real_programs_are_served)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
