/* The MMU against Unicorn: what one more guest access costs. Unicorn is QEMU's translator to host
 * code (TCG) with a software TLB: a table of {tags, addend} that generated code asks inline.
 *
 * Both run on the same RAM and the same Sv39 tables, over the same addresses in the same order.
 *
 * Theirs: S-mode code, unrolled 64 times, runs once with `ld` or `sd` and once with an `addi` in its
 * place whose result is used; the figure is the difference of the two times by the number of
 * accesses. So the loop, the sum and the call of Unicorn cancel out; what TCG must do around an
 * access that it need not around an `addi` (guest registers put back into memory) stays in. No hook
 * is set.
 * Ours: the whole time of a C loop with the access inlined; nothing is taken off. That favours
 * Unicorn; the line under a row gives the whole loops of both.
 * Both figures are throughput: accesses that do not wait for each other.
 *
 * hit   64 pages, one word of each in turn: all fit in either table.
 * miss  1024 pages in turn, no flush in between. Ours has 256 slots. TCG's table begins with 256 and
 *       changes its size only at a flush, depending on its use; so this bench never flushes, and
 *       each access of either side takes the place of one that is wanted later. A miss counts from
 *       the failed compare to the word in the register. Ours finds the last table in its walk
 *       cache; Unicorn has none, reads three levels and looks the address up in its own list of
 *       memory blocks: that is part of the comparison.
 *
 * That they are hits and misses is not assumed: before and after the timed turns the accessed bits
 * are cleared behind Unicorn's back and one more round runs; the entries marked are the walks it
 * took. A row stands only when that is 0 of 64 for hits and 1024 of 1024 for misses, the sum of
 * every run was right, and the words stored before and after the turns lay where they should.
 *
 * A store that hits is no store that hits in Unicorn 2.0.1: every store, even without translation and
 * wherever code lies, leaves the generated code to look for translated code that it may overwrite
 * (pull request 1839 and issue 1970 of unicorn-engine/unicorn). That is no cost of an MMU, so
 * there is no row while a store hit takes more than SLOW load hits; the line says what it took.
 *
 * Unicorn 2.0.1 wants a virtual address to be mapped by uc_mem_map as if it were physical, too. What is
 * mapped there is a buffer of its own with other words: whoever reads it gets the sum wrong. */
#ifndef HAVE_UNICORN

#include <stdio.h>

int main(void)
{
    printf("Unicorn is not installed: no comparison\n");
    return 0;
}

#else

#include "bench.h"
#include "vmm.h"

#include <string.h>
#include <unicorn/unicorn.h>

VMM_MMU(rv, VMM_RISCV64)

#define PAGE UINT64_C(4096)
#define BASE UINT64_C(0x80000000)
#define RAM_BYTES (UINT64_C(32) << 20)
/* Page 0 enters S-mode, one more for each kind of loop. Code and data share TCG's table, so these lie 128
 * pages off the slots of the 64 data pages that are to hit. */
#define CODE (BASE + (UINT64_C(8) << 20) + 128 * PAGE)
#define DATA (BASE + (UINT64_C(16) << 20))
#define MAPPED UINT64_C(0x1000000000)
#define STRIDE (PAGE + 64) /* the next page, another line of the cache */
#define UNROLLED 64
#define HIT_PAGES 64
#define MISS_PAGES 1024
#define SPAN (UINT64_C(5) << 20) /* MISS_PAGES * STRIDE, rounded up */
#define MARKS (VMM_A | VMM_D)
#define SLOW 10.0
#define STORED UINT64_C(0x0123456789abcdef)

enum kind {
    LOAD,
    LOAD_LESS,
    STORE,
    STORE_LESS,
    KINDS
};

/* One loop: `rounds` times over `pages` pages. */
typedef struct work {
    enum kind kind;
    uint64_t pages, rounds;
    uint64_t sum;  /* what a2 must hold in the end */
    rv_mmu_t *mmu; /* ours; by pointer, as an emulator holds it */
} work_t;

static vmm_memory_t memory;
static vmm_tables_t tables;
static rv_mmu_t mmu;
static uc_engine *uc;
static uint64_t loop_end[KINDS];
static const char *trouble; /* the first thing that went wrong; then there is no row */

/* ----------------------------------------------------------------------- guest code -- */

enum {
    ZERO = 0,
    T0 = 5,
    T1 = 6,
    S0 = 8,
    S1 = 9,
    A0 = 10,
    A1 = 11,
    A2 = 12,
    A3 = 13,
    S2 = 18
};

static uint32_t addi(uint32_t rd, uint32_t rs1, int32_t value)
{
    return (uint32_t)value << 20 | rs1 << 15 | rd << 7 | 0x13;
}

static uint32_t add(uint32_t rd, uint32_t rs1, uint32_t rs2)
{
    return rs2 << 20 | rs1 << 15 | rd << 7 | 0x33;
}

static uint32_t ld(uint32_t rd, uint32_t rs1)
{
    return rs1 << 15 | 3u << 12 | rd << 7 | 0x03;
}

static uint32_t sd(uint32_t rs2, uint32_t rs1)
{
    return rs2 << 20 | rs1 << 15 | 3u << 12 | 0x23;
}

static uint32_t csrw(uint32_t csr, uint32_t rs1)
{
    return csr << 20 | rs1 << 15 | 1u << 12 | 0x73;
}

static uint32_t bnez(uint32_t rs1, int32_t offset)
{
    const uint32_t o = (uint32_t)offset;
    return (o >> 12 & 1) << 31 | (o >> 5 & 63) << 25 | rs1 << 15 | 1u << 12 | (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 |
           0x63;
}

static uint64_t emit(uint64_t at, uint32_t instruction)
{
    memcpy(vmm_mem_host(&memory, at, 4), &instruction, 4);
    return at + 4;
}

static uint64_t loop_start(enum kind kind)
{
    return CODE + (1 + (uint64_t)kind) * PAGE;
}

/* s1 first address, s0 stride, s2 turns of the inner loop, t0 rounds, a3 what is stored, a2 the sum. */
static void emit_loop(enum kind kind)
{
    uint64_t at = loop_start(kind), outer, inner;
    int i;
    outer = at;
    at = emit(at, addi(A0, S1, 0));
    at = emit(at, addi(T1, S2, 0));
    inner = at;
    for (i = 0; i < UNROLLED; i++) {
        switch (kind) {
        case LOAD: at = emit(at, ld(A1, A0)); break;
        case LOAD_LESS: at = emit(at, addi(A1, A0, 1)); break;
        case STORE: at = emit(at, sd(A3, A0)); break;
        default: at = emit(at, addi(A2, A2, 1)); break;
        }
        if (kind == LOAD || kind == LOAD_LESS) at = emit(at, add(A2, A2, A1));
        at = emit(at, add(A0, A0, S0));
    }
    at = emit(at, addi(T1, T1, -1));
    at = emit(at, bnez(T1, (int32_t)(inner - at)));
    at = emit(at, addi(T0, T0, -1));
    at = emit(at, bnez(T0, (int32_t)(outer - at)));
    loop_end[kind] = at;
    emit(at, addi(ZERO, ZERO, 0));
}

static void set(int reg, uint64_t value)
{
    if (uc_reg_write(uc, UC_RISCV_REG_X0 + reg, &value)) trouble = "a register cannot be written";
}

static void run_until(uint64_t from, uint64_t until)
{
    uint64_t pc = 0;
    const uc_err error = uc_emu_start(uc, from, until, 0, 0);
    if (error) trouble = uc_strerror(error);
    else if (uc_reg_read(uc, UC_RISCV_REG_PC, &pc) || pc != until) trouble = "the guest did not arrive at its end";
}

/* From M-mode to S-mode under Sv39, by the guest's own instructions. */
static void enter_supervisor(void)
{
    uint64_t at = CODE;
    at = emit(at, csrw(0x341, A0)); /* mepc */
    at = emit(at, csrw(0x300, A1)); /* mstatus */
    at = emit(at, csrw(0x180, A2)); /* satp */
    at = emit(at, 0x12000073);      /* sfence.vma */
    at = emit(at, 0x30200073);      /* mret */
    emit(at, addi(ZERO, ZERO, 0));
    set(A0, at);
    set(A1, UINT64_C(1) << 11); /* MPP: supervisor */
    set(A2, UINT64_C(8) << 60 | tables.root >> 12);
    run_until(CODE, at);
}

/* ------------------------------------------------------------------------- the runs -- */

static uint64_t their_run(void *data)
{
    const work_t *w = (const work_t *)data;
    uint64_t sum = 0;
    set(S1, MAPPED);
    set(S0, STRIDE);
    set(S2, w->pages / UNROLLED);
    set(T0, w->rounds);
    set(A2, 0);
    set(A3, STORED);
    run_until(loop_start(w->kind), loop_end[w->kind]);
    if (uc_reg_read(uc, UC_RISCV_REG_X0 + A2, &sum) || sum != w->sum) trouble = "the guest's sum is wrong";
    return sum;
}

/* With constant bounds, as the loops of bench_mmu.c. */
static inline __attribute__((always_inline)) uint64_t our_loads(const work_t *w, uint64_t pages)
{
    rv_mmu_t *m = w->mmu;
    uint64_t sum = 0, round, va, word;
    for (round = 0; round < w->rounds; round++)
        for (va = MAPPED; va < MAPPED + pages * STRIDE; va += STRIDE) {
            if (rv_load64(m, va, &word)) abort();
            sum += word;
        }
    if (sum != w->sum) abort();
    return sum;
}

static uint64_t our_hit(void *data)
{
    return our_loads((const work_t *)data, HIT_PAGES);
}

static uint64_t our_miss(void *data)
{
    return our_loads((const work_t *)data, MISS_PAGES);
}

static uint64_t our_store(void *data)
{
    const work_t *w = (const work_t *)data;
    rv_mmu_t *m = w->mmu;
    uint64_t round, va;
    for (round = 0; round < w->rounds; round++)
        for (va = MAPPED; va < MAPPED + HIT_PAGES * STRIDE; va += STRIDE)
            if (rv_store64(m, va, STORED)) abort();
    return 0;
}

/* --------------------------------------------------------------------------- proofs -- */

static uint8_t *word_of(uint64_t page)
{
    return vmm_mem_host(&memory, DATA + page * STRIDE, 8);
}

static uint8_t *entry_of(uint64_t page)
{
    vmm_mapping_t mapping;
    if (rv_query(&tables, MAPPED + page * STRIDE, &mapping)) abort();
    return vmm_mem_host(&memory, mapping.pte_addr, 8);
}

/* Ends with all marks set, as they were. */
static uint64_t walks_of(const work_t *w)
{
    work_t one = *w;
    uint64_t page, pte, walks = 0;
    one.rounds = 1;
    one.sum = w->sum / w->rounds; /* loads add up to the same in each round; stores to 0 */
    for (page = 0; page < w->pages; page++) {
        memcpy(&pte, entry_of(page), 8);
        pte &= ~(uint64_t)VMM_A;
        memcpy(entry_of(page), &pte, 8);
    }
    their_run(&one);
    for (page = 0; page < w->pages; page++) {
        memcpy(&pte, entry_of(page), 8);
        walks += (pte & VMM_A) != 0;
        pte |= MARKS;
        memcpy(entry_of(page), &pte, 8);
    }
    return walks;
}

/* What is left of a store: the words of the pages, and none beside them. */
static void check_stored(uint64_t pages)
{
    uint64_t page, word;
    for (page = 0; page < MISS_PAGES; page++) {
        memcpy(&word, word_of(page), 8);
        if ((word == STORED) != (page < pages)) trouble = "the guest stored elsewhere";
    }
}

/* Small enough that a million of them do not wrap: walks_of divides the sum. */
static uint64_t fill_words(uint64_t pages)
{
    uint64_t page, sum = 0;
    for (page = 0; page < MISS_PAGES; page++) {
        const uint64_t word = (page * UINT64_C(0x9e3779b97f4a7c15)) >> 24 | 1;
        memcpy(word_of(page), &word, 8);
        sum += page < pages ? word : 0;
    }
    return sum;
}

/* --------------------------------------------------------------------------- a row -- */

static int prepare(work_t *with, work_t *without, enum kind kind, uint64_t pages, uint64_t rounds)
{
    const uint64_t words = fill_words(pages), addresses = pages * (MAPPED + 1) + STRIDE * (pages * (pages - 1) / 2);
    with->mmu = without->mmu = &mmu;
    with->kind = kind;
    without->kind = kind == LOAD ? LOAD_LESS : STORE_LESS;
    with->pages = without->pages = pages;
    with->rounds = without->rounds = rounds;
    with->sum = kind == LOAD ? rounds * words : 0;
    without->sum = rounds * (kind == LOAD ? addresses : pages);
    their_run(with);
    their_run(without);
    if (kind == STORE) check_stored(pages);
    return trouble != NULL;
}

/* `walks`: how many of the pages a round of Unicorn's must walk for. `limit`: with more nanoseconds than
 * this there is no row; 0: any. Returns what an access took Unicorn, 0 when that is not known. */
static double compare(const char *name, enum kind kind, uint64_t pages, uint64_t rounds, uint64_t walks, double limit)
{
    double one[BENCH_TURNS], other[BENCH_TURNS], ratio[BENCH_TURNS], whole[BENCH_TURNS], rest[BENCH_TURNS];
    const double accesses = (double)pages * (double)rounds;
    const bench_run_t ours = kind == STORE ? our_store : pages == HIT_PAGES ? our_hit : our_miss;
    uint64_t before = 0, after = 0;
    work_t with, without;
    double theirs;
    int turn;
    trouble = NULL;
    if (!prepare(&with, &without, kind, pages, rounds)) before = walks_of(&with);
    bench_once(ours, &with, accesses);
    for (turn = 0; turn < BENCH_TURNS && !trouble; turn++) {
        one[turn] = bench_once(ours, &with, accesses);
        whole[turn] = bench_once(their_run, &with, accesses);
        rest[turn] = bench_once(their_run, &without, accesses);
        other[turn] = whole[turn] - rest[turn];
        ratio[turn] = one[turn] / other[turn];
    }
    if (kind == STORE) fill_words(pages); /* ours stored the same words */
    if (!trouble) after = walks_of(&with);
    if (kind == STORE && !trouble) check_stored(pages);
    if (trouble) {
        printf("%-18s no row: %s\n", name, trouble);
        return 0;
    }
    if (before != walks || after != walks) {
        printf("%-18s no row: Unicorn walked for %u, then %u of %u pages\n", name, (unsigned)before, (unsigned)after,
               (unsigned)pages);
        return 0;
    }
    theirs = bench_median(other, BENCH_TURNS);
    if (limit > 0 && theirs > limit) {
        printf("%-18s no row: this Unicorn leaves its generated code at every store (%.2f ns; ours "
               "%.2f)\n",
               name, theirs, bench_median(one, BENCH_TURNS));
        return theirs;
    }
    bench_row(name, bench_median(one, BENCH_TURNS), "ns", "unicorn", theirs, bench_median(ratio, BENCH_TURNS));
    printf("%18s whole loops: ours %.2f, theirs %.2f (%.2f with addi)\n", "", bench_median(one, BENCH_TURNS),
           bench_median(whole, BENCH_TURNS), bench_median(rest, BENCH_TURNS));
    return theirs;
}

static uint64_t frames;

static int take_frame(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    (void)user;
    *table = BASE + bytes * frames++;
    return *table + bytes > CODE;
}

static int set_up(void)
{
    int kind;
    uint8_t *ram = (uint8_t *)aligned_alloc(PAGE, RAM_BYTES);
    if (!ram) return 1;
    memset(ram, 0, RAM_BYTES);
    memory.ram = ram;
    memory.base = BASE;
    memory.size = RAM_BYTES;
    tables.memory = &memory;
    tables.take = take_frame;
    for (kind = 0; kind < KINDS; kind++) emit_loop((enum kind)kind);
    return rv_create(&tables) || rv_map(&tables, MAPPED, DATA, SPAN, VMM_R | VMM_W | MARKS | VMM_NO_HUGE) ||
           rv_map(&tables, CODE, CODE, (1 + KINDS) * PAGE, VMM_R | VMM_X | MARKS | VMM_NO_HUGE) ||
           rv_init(&mmu, &memory) || rv_set_satp(&mmu, UINT64_C(8) << 60 | tables.root >> 12);
}

static void set_up_unicorn(void)
{
    uint8_t *beside = (uint8_t *)aligned_alloc(PAGE, SPAN); /* see the head of this file */
    uc_err error = UC_ERR_NOMEM;
    if (beside) {
        memset(beside, 0x5a, SPAN);
        error = uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &uc);
    }
    if (!error) error = uc_ctl_set_cpu_model(uc, UC_CPU_RISCV64_SIFIVE_U54); /* has S-mode */
    if (!error) error = uc_mem_map_ptr(uc, BASE, RAM_BYTES, UC_PROT_ALL, memory.ram);
    if (!error) error = uc_mem_map_ptr(uc, MAPPED, SPAN, UC_PROT_ALL, beside);
    if (error) trouble = uc_strerror(error);
    else enter_supervisor();
}

int main(void)
{
    unsigned major, minor;
    double hit;
    if (set_up()) return 1;
    set_up_unicorn();
    uc_version(&major, &minor);
    if (trouble) {
        printf("Unicorn %u.%u cannot be set up (%s): no comparison\n", major, minor, trouble);
        return 0;
    }
    bench_head("MMU against Unicorn: RV64 Sv39; nanoseconds an access; ours with its loop, theirs "
               "without");
    hit = compare("mmu.load.hit", LOAD, HIT_PAGES, 2000, 0, 0);
    if (hit > 0) compare("mmu.store.hit", STORE, HIT_PAGES, 2000, 0, SLOW * hit);
    else printf("%-18s no row: no load hit to judge it by\n", "mmu.store.hit");
    compare("mmu.miss", LOAD, MISS_PAGES, 80, MISS_PAGES, 0);
    uc_close(uc);
    return 0;
}

#endif
