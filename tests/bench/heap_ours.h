/* Our heap as bench_heap_replay.c sees it: three functions, and one that is called before the first of them.
 * It grows within a reserved stretch of addresses, as a program's heap does, and maps large blocks by themselves. */
#ifndef HEAP_OURS_H
#define HEAP_OURS_H

#include "vmm_alloc.h"

#include <sys/mman.h>

#define RESERVED ((size_t)1 << 32)

VMM_HEAP(ours, VMM_HEAP_FAST)

static ours_t ours_heap;
static unsigned char *ours_area;
static size_t ours_used;

static int ours_grow(void *user, size_t bytes, void **at)
{
    (void)user;
    if (bytes > RESERVED - ours_used) return 1;
    *at = ours_area + ours_used;
    ours_used += bytes;
    return 0;
}

static int ours_shrink(void *user, void *at, size_t bytes)
{
    (void)user;
    if ((unsigned char *)at + bytes != ours_area + ours_used) return 1;
    ours_used -= bytes;
    return madvise(at, bytes, MADV_DONTNEED);
}

static void *ours_map(void *user, size_t bytes)
{
    void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)user;
    return at == MAP_FAILED ? NULL : at;
}

static int ours_unmap(void *user, void *at, size_t bytes)
{
    (void)user;
    return munmap(at, bytes);
}

static void *ours_remap(void *user, void *at, size_t bytes, size_t wanted)
{
    void *const now = mremap(at, bytes, wanted, MREMAP_MAYMOVE);
    (void)user;
    return now == MAP_FAILED ? NULL : now;
}

static inline int bench_start(void)
{
    vmm_heap_options_t options;
    VMM_SET(&options, 0, sizeof options);
    ours_area = (unsigned char *)mmap(NULL, RESERVED + VMM_HEAP_MAP_BYTES(RESERVED, 12), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ours_area == MAP_FAILED) return 0;
    options.hooks.grow = ours_grow;
    options.hooks.shrink = ours_shrink;
    options.hooks.map = ours_map;
    options.hooks.unmap = ours_unmap;
    options.hooks.remap = ours_remap;
    options.window = RESERVED;
    options.page_map = ours_area + RESERVED;
    return ours_init(&ours_heap, &options) == VMM_OK;
}

static inline void *bench_malloc(size_t size)
{
    return ours_malloc(&ours_heap, size);
}

static inline void bench_free(void *block)
{
    (void)ours_free(&ours_heap, block);
}

static inline void *bench_realloc(void *block, size_t size)
{
    return ours_realloc(&ours_heap, block, size);
}

#endif
