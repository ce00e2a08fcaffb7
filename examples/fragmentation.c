/* fragmentation.c - the same requests for memory served by the heap and by the buddy, and what each has left free.
 *
 *     gzip -dc examples/traces/alloc/python3.rep.gz | build/fragmentation - 200
 *
 * Reads an allocation trace (.rep text) from the file that is named, or from standard input for "-"; "random", or no
 * name, makes one up. The second argument is how many lines to print. Heap and buddy have a region of the same size,
 * the smallest power of two in which neither refuses a request. The buddy's frames have 64 bytes here, so that it can
 * serve bytes at all; a request gets a power of two of them. A line of the CSV: requests so far, bytes that the program
 * has, bytes of a region; of the heap bytes in blocks (headers and all), bytes free, bytes of the largest hole;
 * of the buddy free frames, and log2 of the frames of the largest free block (-1: none). */
#include "vmm_alloc.h"

#include <stdlib.h>
#define UNIT_SHIFT 6 /* log2 of the bytes of a frame */
#define LARGEST ((size_t)1 << 28)
#define RANDOM_STEPS 40000u
#define RANDOM_BLOCKS 2048u

VMM_HEAP(heap, 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, 0) /* bins, slabs for small blocks; one region */

/* A block under both allocators. */
typedef struct block {
    void *at;
    vmm_paddr_t frames;
    uint64_t bytes;
} block_t;

static vmm_rep_t *steps;
static size_t step_count, id_count;
static heap_t heap;
static vmm_frames_t buddy;

static void *need(void *memory)
{
    if (memory) return memory;
    fprintf(stderr, "fragmentation: no memory\n");
    exit(1);
}

static void add_step(char operation, uint32_t id, uint64_t bytes)
{
    static size_t room;
    if (step_count == room) steps = (vmm_rep_t *)need(realloc(steps, (room += 65536) * sizeof *steps));
    steps[step_count].operation = operation;
    steps[step_count].id = id;
    steps[step_count++].bytes = bytes;
    if (id >= id_count) id_count = (size_t)id + 1;
}

static bool read_steps(const char *name)
{
    FILE *const in = strcmp(name, "-") ? fopen(name, "r") : stdin;
    vmm_status_t status = VMM_OK;
    vmm_rep_t rep;
    while (in && (status = vmm_rep_read(in, &rep)) == VMM_OK) add_step(rep.operation, rep.id, rep.bytes);
    if (in && in != stdin) fclose(in);
    return status == VMM_E_STOPPED;
}

/* Each step frees or fills a slot; most blocks are small, and all sizes up to 16 KiB come. */
static void make_steps(void)
{
    static bool held[RANDOM_BLOCKS];
    uint32_t x = 1, i;
    for (i = 0; i < RANDOM_STEPS; i++) {
        uint32_t id;
        x ^= x << 13, x ^= x >> 17, x ^= x << 5; /* xorshift, G. Marsaglia 2003 */
        id = x % RANDOM_BLOCKS;
        held[id] = !held[id];
        add_step(held[id] ? 'a' : 'f', id, held[id] ? 16 + ((x >> 11) & ((UINT32_C(64) << (x >> 28) % 9) - 1)) : 0);
    }
}

static unsigned order_of(uint64_t bytes)
{
    return bytes <= 1 << UNIT_SHIFT ? 0 : 64 - UNIT_SHIFT - (unsigned)__builtin_clzll(bytes - 1);
}

/* Makes one request of both. False: one refused. */
static bool serve(block_t *b, const vmm_rep_t *step)
{
    const bool had = b->at != NULL;
    if (step->operation == 'a' ? had : !had) return false;
    if (had) vmm_frames_free(&buddy, b->frames, order_of(b->bytes));
    b->bytes = step->bytes;
    if (step->operation == 'f') {
        heap_free(&heap, b->at);
        b->at = NULL;
        return true;
    }
    b->at = had ? heap_realloc(&heap, b->at, step->bytes) : heap_malloc(&heap, step->bytes);
    return b->at && vmm_frames_alloc(&buddy, order_of(step->bytes), &b->frames) == VMM_OK;
}

static void print_line(size_t done, uint64_t asked, size_t bytes)
{
    vmm_heap_report_t report;
    vmm_frames_usage_t usage;
    heap_report(&heap, &report);
    vmm_frames_measure(&buddy, &usage);
    printf("%zu,%llu,%zu,%zu,%zu,%zu,%llu,%d\n", done, (unsigned long long)asked, bytes, report.taken_bytes,
           report.free_bytes + report.slab_free, report.largest_free, (unsigned long long)usage.free_frames,
           vmm_frames_largest(&buddy));
}

/* Serves everything in regions of so many bytes; the last time (lines not 0) it prints. */
static bool replay(size_t bytes, size_t lines)
{
    block_t *const blocks = (block_t *)need(calloc(id_count ? id_count : 1, sizeof *blocks));
    const size_t units = bytes >> UNIT_SHIFT;
    void *const arena = need(aligned_alloc(4096, bytes)), *const side = need(malloc(VMM_FRAMES_BYTES(units)));
    static vmm_heap_options_t options;
    uint64_t asked = 0;
    size_t i = 0, line = 0;
    options.arena = arena;
    options.bytes = bytes;
    if (heap_init(&heap, &options) || vmm_frames_init(&buddy, 0, UNIT_SHIFT, units, side, VMM_FRAMES_BYTES(units)))
        return false;
    for (; i < step_count; i++) {
        block_t *const b = &blocks[steps[i].id];
        asked -= b->bytes;
        if (!serve(b, &steps[i])) break;
        asked += b->bytes;
        if ((i + 1) * lines < (line + 1) * step_count) continue;
        print_line(i + 1, asked, bytes);
        line = (i + 1) * lines / step_count;
    }
    free(side);
    free(arena);
    free(blocks);
    return i == step_count;
}

int main(int argc, char **argv)
{
    const long lines = argc > 2 ? atol(argv[2]) : 100;
    const char *const name = argc > 1 ? argv[1] : "random";
    size_t bytes = 1 << 16;
    if (argc > 3 || lines < 1) {
        fprintf(stderr, "usage: fragmentation [FILE.rep, or - for standard input, or random] [LINES]\n");
        return 2;
    }
    if (strcmp(name, "random") == 0) make_steps();
    else if (!read_steps(name)) return (fprintf(stderr, "fragmentation: %s is no allocation trace\n", name), 1);
    while (bytes < LARGEST && !replay(bytes, 0)) bytes *= 2;
    printf("operation,asked,region,heap_used,heap_free,heap_largest,buddy_free_frames,buddy_largest_order\n");
    if (replay(bytes, (size_t)lines)) return 0;
    fprintf(stderr, "fragmentation: a request frees what is not there, or 256 MiB do not suffice\n");
    return 1;
}
