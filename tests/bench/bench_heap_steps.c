/* The most steps that one call of a bounded heap took in the allocation traces, against what NAME_malloc and NAME_free
 * state as their worst case. A step is a turn of a loop: VMM_ALLOC_STEP. */
#define _GNU_SOURCE
static unsigned long steps;
#define VMM_ALLOC_STEP() (void)steps++
#include "bench.h"
#include "rep.h"
#include "vmm_alloc.h"

#include <glob.h>
#include <sys/mman.h>

#define ARENA ((size_t)64 << 20)
#define MALLOC_MOST (2 * 8 + VMM_HEAP_BINS / (8 * sizeof(size_t))) /* two bins of eight chunks, the words of the map */
#define FREE_MOST VMM_HEAP_REGIONS
#define REALLOC_MOST (MALLOC_MOST + 3 * FREE_MOST)

VMM_HEAP(bounded, VMM_HEAP_BOUNDED)

static unsigned long most[3]; /* by REP_ALLOCATE and so on */

static void replay(const rep_trace_t *trace, unsigned char *arena)
{
    static bounded_t heap;
    static const vmm_heap_options_t none;
    vmm_heap_options_t options = none;
    void **const block = (void **)calloc(trace->facts.ids, sizeof *block);
    uint64_t i;
    options.arena = arena;
    options.bytes = ARENA;
    if (!block || bounded_init(&heap, &options) != VMM_OK) exit(1);
    for (i = 0; i < trace->facts.count; i++) {
        const rep_op_t op = trace->op[i];
        steps = 0;
        if (op.kind == REP_ALLOCATE) block[op.id] = bounded_malloc(&heap, op.size);
        else if (op.kind == REP_REALLOCATE) block[op.id] = bounded_realloc(&heap, block[op.id], op.size);
        else (void)bounded_free(&heap, block[op.id]);
        if (op.kind != REP_FREE && !block[op.id]) exit(1);
        if (steps > most[op.kind]) most[op.kind] = steps;
    }
    free(block);
}

static void row(const char *name, unsigned long value, size_t bound)
{
    bench_row(name, (double)value, "steps", "stated bound", (double)bound, (double)value / (double)bound);
}

int main(void)
{
    unsigned char *const arena =
        (unsigned char *)mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    glob_t found;
    size_t i;
    if (arena == MAP_FAILED || glob("examples/traces/alloc/*.rep.gz", 0, NULL, &found)) return 1;
    for (i = 0; i < found.gl_pathc; i++) {
        rep_trace_t trace;
        if (!rep_read_gzip(found.gl_pathv[i], &trace)) return 1;
        replay(&trace, arena);
        free(trace.op);
    }
    bench_head("heap: the most steps of one call of a bounded heap over all traces");
    row("alloc.heap.worst.malloc", most[REP_ALLOCATE], MALLOC_MOST);
    row("alloc.heap.worst.realloc", most[REP_REALLOCATE], REALLOC_MOST);
    row("alloc.heap.worst.free", most[REP_FREE], FREE_MOST);
    return 0;
}
