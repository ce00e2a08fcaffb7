/* caches.c - small caches, and accesses that show what each choice does: shown on the page "Data caches". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

static uint64_t block[1 << 14];

/* Levels from the list, empty. */
static vmm_caches_t *caches(const vmm_cache_geometry_t *geometry, unsigned levels)
{
    vmm_caches_t *c = 0;
    if (vmm_caches_create(block, sizeof block, geometry, levels, false, &c)) puts("refused");
    return c;
}

static unsigned long long count(uint64_t n)
{
    return (unsigned long long)n;
}

/* The same 8 blocks of 16 bytes, arranged in four ways. */
static const vmm_cache_geometry_t shapes[] = {{8, 1, 16, VMM_LRU, false, false, false, 0},
                                              {4, 2, 16, VMM_LRU, false, false, false, 0},
                                              {2, 4, 16, VMM_LRU, false, false, false, 0},
                                              {1, 8, 16, VMM_LRU, false, false, false, 0}};

static void show_address(void)
{
    unsigned i;
    puts("-- one address, four shapes");
    for (i = 0; i < 4; i++) {
        vmm_cache_step_t step;
        vmm_caches_examine(caches(&shapes[i], 1), 0x1234, 0x1234, &step);
        printf("%u sets, %u ways:  CT 0x%03llx  CI 0x%llx  CO 0x%llx\n", shapes[i].sets, shapes[i].ways, count(step.ct),
               count(step.ci), count(step.co));
    }
}

/* sum += a[i] * b[i], with 4-byte elements; the arrays lie a multiple of the cache's size apart. */
static void show_conflicts(void)
{
    unsigned i, k;
    puts("-- 64 elements of two arrays, in turn");
    for (i = 0; i < 4; i++) {
        vmm_caches_t *c = caches(&shapes[i], 1);
        for (k = 0; k < 64; k++) {
            vmm_caches_access(c, 0, 0x1000 + 4 * k, VMM_READ, 0);
            vmm_caches_access(c, 0, 0x2000 + 4 * k, VMM_READ, 0);
        }
        printf("%u ways:  %3llu misses of 128\n", shapes[i].ways, count(vmm_caches_stats(c, 0)->misses));
    }
}

static void show_policies(void)
{
    static const char *const name[] = {"LRU", "pseudo-LRU", "FIFO", "random"};
    unsigned i, k;
    puts("-- 5 blocks round and round, 20 times, in one set of 4 ways");
    for (i = 0; i < 4; i++) {
        const vmm_cache_geometry_t g = {1, 4, 16, (uint8_t)i, false, false, false, 0};
        vmm_caches_t *c = caches(&g, 1);
        for (k = 0; k < 100; k++) vmm_caches_access(c, 0, k % 5 * 16, VMM_READ, 0);
        printf("%-11s %2llu hits\n", name[i], count(vmm_caches_stats(c, 0)->hits));
    }
}

/* 16 words in 4 blocks, each stored to 8 times, in turn; at the end everything is flushed. */
static void show_writes(void)
{
    unsigned i, k;
    puts("-- 128 stores to 16 words: what memory sees");
    for (i = 0; i < 4; i++) {
        const vmm_cache_geometry_t g = {4, 1, 16, VMM_LRU, (i & 1) != 0, (i & 2) != 0, false, 0};
        vmm_caches_t *c = caches(&g, 1);
        const vmm_cache_stats_t *memory = vmm_caches_stats(c, 1);
        for (k = 0; k < 128; k++) vmm_caches_access(c, 0, k % 16 * 4, VMM_WRITE, 0);
        vmm_caches_flush(c, 0, 0);
        printf("%-13s %-17s %3llu blocks read, %3llu words and %llu blocks written\n",
               g.write_through ? "write-through" : "write-back",
               g.no_write_allocate ? "no-write-allocate" : "write-allocate", count(memory->hits - memory->write_hits),
               count(memory->write_hits), count(memory->victim_writes));
    }
}

static void show_levels(void)
{
    static const vmm_cache_geometry_t g[] = {{2, 1, 16, VMM_LRU, false, false, false, 0},
                                             {1, 2, 16, VMM_LRU, false, false, false, 0}};
    static const unsigned pa[] = {0x000, 0x040, 0x080, 0x000};
    vmm_caches_t *c = caches(g, 2);
    vmm_cache_step_t step[2];
    unsigned i;
    puts("-- two levels: a store to 0x000, loads of 0x040, 0x080 and 0x000");
    for (i = 0; i < 4; i++) {
        vmm_caches_access(c, pa[i], pa[i], i == 0 ? VMM_WRITE : VMM_READ, step);
        vmm_print_caches(stdout, c, step, 12);
    }
}

/* 8 KiB, direct-mapped: with pages of 4 KiB, CI has one bit that is not in the page offset. */
static void show_synonyms(void)
{
    static const vmm_cache_geometry_t g = {128, 1, 64, VMM_LRU, false, false, true, 12};
    vmm_caches_t *c = caches(&g, 1);
    vmm_cache_step_t step;
    puts("-- one frame, mapped at two addresses");
    vmm_caches_access(c, 0x10040, 0x5040, VMM_WRITE, &step);
    vmm_print_caches(stdout, c, &step, 20);
    vmm_caches_access(c, 0x21040, 0x5040, VMM_READ, &step);
    vmm_print_caches(stdout, c, &step, 20);
}

/* A textbook's time, and that of 4000 accesses, 24 bytes apart, round and round 12 KiB. */
static void show_time(void)
{
    static const vmm_cache_geometry_t g[] = {{64, 1, 64, VMM_LRU, false, false, false, 0},
                                             {64, 4, 64, VMM_LRU, false, false, false, 0}};
    static const vmm_ratio_t one_in_1000 = {1, 1000};
    const vmm_costs_t *costs = &vmm_costs_default;
    vmm_caches_t *c = caches(g, 2);
    vmm_rates_t rates = {{0, 0}, 0, 2, {{0, 1}, {0, 1}, {0, 0}, {0, 0}}, {0, 0}, {0, 0}, {0, 0}};
    uint64_t cycles = 0, time;
    unsigned i, pa = 0;
    puts("-- effective access time");
    time = vmm_effective_time(200 * 1000, UINT64_C(8000000) * 1000, one_in_1000);
    printf("200 ns, faults of 8 ms, one in 1000: %llu.%03llu ns\n", count(time / 1000), count(time % 1000));
    for (i = 0; i < 4000; i++, pa = (pa + 24) % 12288) {
        const unsigned level = vmm_caches_access(c, pa, pa, VMM_READ, 0);
        cycles += vmm_cost_access(costs, false, 0, level, 2);
    }
    for (i = 0; i < 2; i++) {
        const vmm_cache_stats_t *s = vmm_caches_stats(c, i);
        rates.cache_miss[i].part = s->misses;
        rates.cache_miss[i].whole = s->hits + s->misses;
        printf("L%u: %llu misses of %llu\n", i + 1, count(s->misses), count(s->hits + s->misses));
    }
    time = vmm_effective_time_of(costs, &rates);
    printf("computed %llu.%03llu cycles", count(time / 1000), count(time % 1000));
    time = vmm_effective_time_measured(cycles, 4000);
    printf(", measured %llu.%03llu\n", count(time / 1000), count(time % 1000));
}

int main(void)
{
    show_address();
    show_conflicts();
    show_policies();
    show_writes();
    show_levels();
    show_synonyms();
    show_time();
    puts("--");
    return 0;
}
