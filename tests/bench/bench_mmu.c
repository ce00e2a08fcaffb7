/* The MMU on RISC-V tables against the hand-written limit, and the editor against a bare loop. */
#define OUR(name) rv_##name
#define ROW(name) "mmu." name
#define LIMIT_LEVELS 3
#define LIMIT_IS_POINTER(pte) (((pte)&0xf) == 1)
#define LIMIT_ADDRESS(pte) ((((pte) >> 10) & ((UINT64_C(1) << 44) - 1)) << 12)
#define LIMIT_LOAD_MASK 0x53
#define LIMIT_LOAD_WANT 0x43
#define LIMIT_STORE_MASK 0xd7
#define LIMIT_STORE_WANT 0xc7
#define LIMIT_CODE(pte, write) ((write) ? 15 : 13)
#include "bench.h"
#include "vmm.h"
VMM_MMU(rv, VMM_RISCV64)
#include "mmu_limit.h"

/* ------------------------------------------------------------------------ the editor -- */

#define GIB (UINT64_C(1) << 30)

static uint64_t our_map(void *data)
{
    return (uint64_t)rv_map((vmm_tables_t *)data, 0, BASE, GIB, RIGHTS | VMM_NO_HUGE);
}

static uint64_t our_unmap(void *data)
{
    return (uint64_t)rv_unmap((vmm_tables_t *)data, 0, GIB);
}

/* The bare loop: 512 tables that are there already, 512 entries each. */
static uint64_t hand_map(void *data)
{
    uint64_t *entry = (uint64_t *)data, i;
    for (i = 0; i < GIB / PAGE; i++) entry[i] = ((BASE / PAGE + i) << 10) | RIGHTS | 1;
    __asm__ volatile("" ::: "memory");
    return 0;
}

/* Maps and unmaps take turns; each is timed for itself. */
static void bench_editor(vmm_tables_t *tables)
{
    uint64_t *entries = (uint64_t *)(void *)(ram + RAM_BYTES - (UINT64_C(4) << 20));
    double map[BENCH_TURNS], unmap[BENCH_TURNS], fill[BENCH_TURNS], ratio[2][BENCH_TURNS];
    const double pages = (double)(GIB / PAGE);
    int turn;
    for (turn = -1; turn < BENCH_TURNS; turn++) {
        const int at = turn < 0 ? 0 : turn;
        fill[at] = bench_once(hand_map, entries, pages);
        map[at] = bench_once(our_map, tables, pages);
        unmap[at] = bench_once(our_unmap, tables, pages);
        ratio[0][at] = map[at] / fill[at];
        ratio[1][at] = unmap[at] / fill[at];
    }
    bench_row("mmu.map_range", bench_median(map, BENCH_TURNS), "ns/pg", "fill loop", bench_median(fill, BENCH_TURNS),
              bench_median(ratio[0], BENCH_TURNS));
    bench_row("mmu.unmap_range", bench_median(unmap, BENCH_TURNS), "ns/pg", "fill loop",
              bench_median(fill, BENCH_TURNS), bench_median(ratio[1], BENCH_TURNS));
}

int main(void)
{
    vmm_tables_t tables;
    limit_set_up(&tables, RIGHTS | VMM_NO_HUGE);
    if (rv_set_satp(&mmu, UINT64_C(8) << 60 | tables.root >> 12)) return 1;
    bench_head("MMU: RV64 Sv39, front of 256 slots, walk cache of 64; nanoseconds an operation");
    limit_rows();
    bench_editor(&tables);
    return 0;
}
