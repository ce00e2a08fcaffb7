/* test_segments.c - vmm.h, section 7: segmented translation by published cases, partitions of physical memory against a
 * map of their bytes, and x86's segment registers against the rules of the SDM written down straight. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

VMM_MMU(tb, VMM_ARCH_PLAIN(vmm_arch_of_options), VMM_STAGES_TLB(16, 4, VMM_LRU))
VMM_MMU(x, VMM_X86)

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define FAULTS UINT64_MAX /* in a table of addresses: this one does */

/* ---- segmented translation ----------------------------------------------------------------- */

static vmm_descriptor_t segment_of(vmm_paddr_t base, uint64_t limit, unsigned rights, bool down)
{
    vmm_descriptor_t d;
    memset(&d, 0, sizeof d);
    d.base = base;
    d.limit = limit;
    d.rights = (uint8_t)rights;
    d.down = down;
    d.present = true;
    return d;
}

typedef struct address_case {
    vmm_vaddr_t va;
    vmm_paddr_t pa;
} address_case_t;

static void assert_addresses(const vmm_segmentation_t *g, vmm_descriptor_t *segment, uint32_t count,
                             const address_case_t *cases, size_t n)
{
    vmm_segment_table_t table;
    vmm_segment_fault_t fault;
    size_t i;
    table.segment = segment;
    table.count = count;
    assert_true(vmm_segment_table_check(g, &table, UINT64_C(1) << 40));
    for (i = 0; i < n; i++) {
        vmm_paddr_t pa = 0;
        const vmm_status_t status = vmm_segment_translate(g, &table, cases[i].va, 1, VMM_READ, &pa, &fault);
        assert_int_equal(status, cases[i].pa == FAULTS ? VMM_FAULT : VMM_OK);
        if (status) assert_int_equal(fault.rule, VMM_SEGMENT_LIMIT);
        else assert_true(pa == cases[i].pa);
    }
}

/* OSTEP, chapter 15: a space of 4 KB at 16 KB; a process at 32 KB whose first instruction is at 128. Its homework's
 * simulator with seed 1: base 0x363c, limit 290. */
static void test_base_and_bounds_answer_ostep(void **state)
{
    static const vmm_segmentation_t bits12 = {0, 12}, bits14 = {0, 14}, bits10 = {0, 10};
    static const address_case_t small[] = {{0, 16 * KIB}, {KIB, 17 * KIB}, {3000, 19384}};
    static const address_case_t process[] = {{128, 32896}, {16 * KIB - 1, 48 * KIB - 1}};
    static const address_case_t seed1[] = {{782, FAULTS}, {261, 14145}, {507, FAULTS}, {460, FAULTS}, {667, FAULTS}};
    static const vmm_segmentation_t bits13 = {0, 13};
    static const address_case_t beyond[] = {{4400, FAULTS}, {4096, FAULTS}, {4095, 20479}};
    vmm_descriptor_t d = segment_of(16 * KIB, 4 * KIB, VMM_R, false);
    (void)state;
    assert_addresses(&bits12, &d, 1, small, 3);
    assert_addresses(&bits13, &d, 1, beyond, 3);
    d = segment_of(32 * KIB, 16 * KIB, VMM_R, false);
    assert_addresses(&bits14, &d, 1, process, 2);
    d = segment_of(0x363c, 290, VMM_R, false);
    assert_addresses(&bits10, &d, 1, seed1, 5);
}

/* OSTEP, chapter 16: code at 32 KB of 2 KB, heap at 34 KB of 3 KB, stack at 28 KB of 2 KB growing down, in 16 KB named
 * by two bits. Heap begins at 4 KB, the stack ends at 16 KB. */
static void test_top_bits_answer_ostep(void **state)
{
    static const vmm_segmentation_t g = {2, 12};
    static const address_case_t cases[] = {
        {0, 32 * KIB},        {100, 32868},         {2 * KIB - 1, 34 * KIB - 1}, {2 * KIB, FAULTS},
        {4 * KIB, 34 * KIB},  {4200, 34920},        {7 * KIB - 1, 37 * KIB - 1}, {7 * KIB, FAULTS},
        {15 * KIB, 27 * KIB}, {14 * KIB, 26 * KIB}, {14 * KIB - 1, FAULTS},      {16 * KIB - 1, 28 * KIB - 1},
        {12 * KIB, FAULTS},
    };
    vmm_descriptor_t d[4];
    (void)state;
    d[0] = segment_of(32 * KIB, 2 * KIB, VMM_R | VMM_X, false);
    d[1] = segment_of(34 * KIB, 3 * KIB, VMM_R | VMM_W, false);
    memset(&d[2], 0, sizeof d[2]);
    d[3] = segment_of(28 * KIB, 2 * KIB, VMM_R | VMM_W, true);
    assert_addresses(&g, d, 4, cases, sizeof cases / sizeof *cases);
}

/* The homework of chapter 16 with seed 0: 128 bytes, segment 0 at 0, segment 1 down from 512, limits 20. Its second
 * question: the highest legal address of segment 0 is 19, the lowest of segment 1 is 108. */
static void test_top_bits_answer_ostep_homework(void **state)
{
    static const vmm_segmentation_t g = {1, 6};
    static const address_case_t cases[] = {{108, 492}, {97, FAULTS}, {53, FAULTS},  {33, FAULTS}, {65, FAULTS},
                                           {19, 19},   {20, FAULTS}, {107, FAULTS}, {127, 511},   {0, 0}};
    vmm_descriptor_t d[2];
    (void)state;
    d[0] = segment_of(0, 20, VMM_R, false);
    d[1] = segment_of(512, 20, VMM_R, true);
    assert_addresses(&g, d, 2, cases, sizeof cases / sizeof *cases);
}

typedef struct selector_case {
    uint32_t segment;
    uint64_t offset;
    vmm_paddr_t pa;
} selector_case_t;

static void assert_selectors(vmm_descriptor_t *segment, const selector_case_t *cases)
{
    static const vmm_segmentation_t g = {0, 16};
    vmm_segment_table_t table;
    vmm_segment_fault_t fault;
    size_t i;
    table.segment = segment;
    table.count = 5;
    for (i = 0; i < 5; i++) {
        vmm_paddr_t pa = 0;
        const vmm_status_t status =
            vmm_segment_lookup(&g, &table, cases[i].segment, cases[i].offset, 1, VMM_READ, &pa, &fault);
        assert_int_equal(status, cases[i].pa == FAULTS ? VMM_FAULT : VMM_OK);
        if (status == VMM_OK) assert_true(pa == cases[i].pa);
    }
}

/* Silberschatz, Galvin, Gagne, Operating System Concepts: the example of the chapter on main memory, and the exercise
 * with five segments. */
static void test_selectors_answer_silberschatz(void **state)
{
    static const selector_case_t example[5] = {
        {2, 53, 4353}, {3, 852, 4052}, {0, 1222, FAULTS}, {4, 999, 5699}, {4, 1000, FAULTS}};
    static const selector_case_t exercise[5] = {
        {0, 430, 649}, {1, 10, 2310}, {2, 500, FAULTS}, {3, 400, 1727}, {4, 112, FAULTS}};
    vmm_descriptor_t d[5];
    (void)state;
    d[0] = segment_of(1400, 1000, VMM_R, false);
    d[1] = segment_of(6300, 400, VMM_R, false);
    d[2] = segment_of(4300, 400, VMM_R, false);
    d[3] = segment_of(3200, 1100, VMM_R, false);
    d[4] = segment_of(4700, 1000, VMM_R, false);
    assert_selectors(d, example);
    d[0] = segment_of(219, 600, VMM_R, false);
    d[1] = segment_of(2300, 14, VMM_R, false);
    d[2] = segment_of(90, 100, VMM_R, false);
    d[3] = segment_of(1327, 580, VMM_R, false);
    d[4] = segment_of(1952, 96, VMM_R, false);
    assert_selectors(d, exercise);
}

/* Every geometry of 6 bits, every direction and limit, every offset and length: a byte at a time. */
static void test_a_segment_holds_just_its_bytes(void **state)
{
    vmm_segmentation_t g = {0, 6};
    vmm_segment_table_t table;
    vmm_descriptor_t d;
    vmm_segment_fault_t fault;
    uint64_t limit, offset, bytes;
    unsigned down;
    (void)state;
    table.segment = &d;
    table.count = 1;
    for (down = 0; down < 2; down++)
        for (limit = 0; limit <= 64; limit++) {
            d = segment_of(1000, limit, VMM_R, down != 0);
            assert_true(vmm_segment_table_check(&g, &table, 1064));
            for (offset = 0; offset < 64; offset++)
                for (bytes = 1; bytes <= 66; bytes++) {
                    const uint64_t from = down ? 64 - limit : 0, to = down ? 64 : limit;
                    const bool inside = offset >= from && offset + bytes <= to;
                    vmm_paddr_t pa = 0;
                    assert_int_equal(vmm_segment_translate(&g, &table, offset, bytes, VMM_READ, &pa, &fault),
                                     inside ? VMM_OK : VMM_FAULT);
                    if (inside) assert_true(pa == (down ? 1000 - 64 + offset : 1000 + offset));
                }
        }
}

static void test_a_fault_names_the_first_rule_that_failed(void **state)
{
    static const vmm_segmentation_t g = {2, 8};
    static const struct {
        vmm_vaddr_t va;
        unsigned access, rule;
    } cases[] = {
        {0x400, VMM_READ, VMM_SEGMENT_WIDTH},    {0x300, VMM_READ, VMM_SEGMENT_NUMBER},
        {0x2ff, VMM_WRITE, VMM_SEGMENT_PRESENT}, {0x111, VMM_FETCH, VMM_SEGMENT_LIMIT},
        {0x110, VMM_READ, VMM_SEGMENT_LIMIT},    {0x10f, VMM_READ, VMM_SEGMENT_READ},
        {0x00f, VMM_WRITE, VMM_SEGMENT_WRITE},   {0x10f, VMM_FETCH, VMM_SEGMENT_EXECUTE},
    };
    vmm_descriptor_t d[3];
    vmm_segment_table_t table;
    vmm_segment_fault_t fault;
    vmm_paddr_t pa = 77;
    size_t i;
    (void)state;
    d[0] = segment_of(0, 16, VMM_R | VMM_X, false);
    d[1] = segment_of(16, 16, VMM_W, false);
    d[2] = segment_of(32, 16, VMM_R, false);
    d[2].present = false;
    table.segment = d;
    table.count = 3;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(vmm_segment_translate(&g, &table, cases[i].va, 1, cases[i].access, &pa, &fault), VMM_FAULT);
        assert_int_equal(fault.rule, cases[i].rule);
        assert_int_equal(fault.access, cases[i].access);
        assert_int_equal(fault.segment, cases[i].rule == VMM_SEGMENT_WIDTH ? 0 : cases[i].va >> 8);
        assert_true(fault.offset == (cases[i].rule == VMM_SEGMENT_WIDTH ? cases[i].va : (cases[i].va & 0xff)));
        assert_true(pa == 77 && fault.cause == 0 && fault.code == 0);
    }
    assert_int_equal(vmm_segment_translate(&g, &table, 0x10f, 1, VMM_WRITE, &pa, &fault), VMM_OK);
    assert_true(pa == 31);
    assert_int_equal(vmm_segment_translate(&g, &table, 0x00f, 1, VMM_FETCH, &pa, &fault), VMM_OK);
    assert_int_equal(vmm_segment_lookup(&g, &table, 7, 0x100, 1, VMM_READ, &pa, &fault), VMM_FAULT);
    assert_true(fault.rule == VMM_SEGMENT_WIDTH && fault.segment == 7 && fault.offset == 0x100);
}

static void test_segments_refuse_arguments_that_mean_nothing(void **state)
{
    static const vmm_segmentation_t good = {0, 64}, broken[] = {{33, 8}, {0, 0}, {32, 33}};
    vmm_descriptor_t d = segment_of(1, UINT64_MAX, VMM_R, false);
    vmm_segment_table_t table;
    vmm_segment_fault_t fault;
    vmm_paddr_t pa = 0;
    uint64_t offset;
    uint32_t number;
    size_t i;
    (void)state;
    table.segment = &d;
    table.count = 1;
    assert_int_equal(vmm_segment_translate(&good, &table, UINT64_MAX, 1, VMM_READ, &pa, &fault), VMM_FAULT);
    assert_int_equal(vmm_segment_translate(&good, &table, UINT64_MAX - 2, 1, VMM_READ, &pa, &fault), VMM_OK);
    assert_true(pa == UINT64_MAX - 1);
    assert_int_equal(vmm_segment_translate(&good, &table, 0, 0, VMM_READ, &pa, &fault), VMM_E_ARGUMENT);
    assert_int_equal(vmm_segment_translate(&good, &table, 0, 1, 3, &pa, &fault), VMM_E_ARGUMENT);
    for (i = 0; i < 3; i++) {
        assert_int_equal(vmm_segment_translate(&broken[i], &table, 0, 1, VMM_READ, &pa, &fault), VMM_E_ARGUMENT);
        assert_int_equal(vmm_segment_lookup(&broken[i], &table, 0, 0, 1, VMM_READ, &pa, &fault), VMM_E_ARGUMENT);
        assert_int_equal(vmm_segment_split(&broken[i], 0, &number, &offset), VMM_E_ARGUMENT);
        assert_false(vmm_segment_table_check(&broken[i], &table, 1));
    }
}

static void test_the_check_finds_each_broken_descriptor(void **state)
{
    static const vmm_segmentation_t g = {0, 12};
    const vmm_descriptor_t broken[] = {segment_of(0, 16, 1, false),
                                       segment_of(0, 4097, VMM_R, false),
                                       segment_of(0, 16, VMM_R, true),
                                       segment_of(60000, 8192 / 2, VMM_R, false),
                                       segment_of(UINT64_MAX, 2, VMM_R, false),
                                       segment_of(65537, 16, VMM_R, true)};
    vmm_descriptor_t d = segment_of(61440, 4096, VMM_R, false);
    vmm_segment_table_t table;
    size_t i;
    (void)state;
    table.segment = &d;
    table.count = 1;
    assert_true(vmm_segment_table_check(&g, &table, 64 * KIB));
    d = segment_of(65536, 4096, VMM_R, true);
    assert_true(vmm_segment_table_check(&g, &table, 64 * KIB));
    for (i = 0; i < sizeof broken / sizeof *broken; i++) {
        if (i == 3) continue; /* lies in 64 KiB, but not in 64000 bytes */
        d = broken[i];
        assert_false(vmm_segment_table_check(&g, &table, 64 * KIB));
    }
    d = broken[3];
    assert_true(vmm_segment_table_check(&g, &table, 64 * KIB));
    assert_false(vmm_segment_table_check(&g, &table, 64000));
}

/* Segment, then page: the linear address is the one that the page tables translate. */
static void test_a_linear_address_goes_through_page_tables(void **state)
{
    static const vmm_segmentation_t g = {2, 28};
    static uint64_t ram[64 * 1024 / 8];
    static tb_mmu_t mmu;
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    vmm_tables_t tables = {&memory, 0x1000, 0, helper_take, helper_give, NULL, NULL, NULL};
    helper_frames_t frames;
    vmm_descriptor_t d[2];
    vmm_segment_table_t table;
    vmm_segment_fault_t fault;
    vmm_vaddr_t linear = 0;
    uint32_t word = 0;
    (void)state;
    memset(&frames, 0, sizeof frames);
    frames.base = frames.next = 0x2000;
    frames.end = 0x8000;
    frames.budget = -1;
    tables.user = &frames;
    table.segment = d;
    table.count = 2;
    d[0] = segment_of(0x400000, 0x2000, VMM_R | VMM_X, false);
    d[1] = segment_of(0x800800, 0x1000, VMM_R | VMM_W, false);
    assert_int_equal(tb_init(&mmu, &memory), VMM_OK);
    assert_int_equal(tb_set_root(&mmu, 0x1000, 0), VMM_OK);
    assert_int_equal(tb_map(&tables, 0x800000, 0xa000, 0x1000, VMM_R | VMM_W | VMM_X), VMM_OK);
    assert_int_equal(vmm_segment_translate(&g, &table, 0x10000010, 4, VMM_WRITE, &linear, &fault), VMM_OK);
    assert_true(linear == 0x800810);
    assert_int_equal(tb_store32(&mmu, linear, 42), VMM_OK);
    assert_int_equal(vmm_get((uint8_t *)ram + 0xa810, 4), 42);
    assert_int_equal(vmm_segment_translate(&g, &table, 0x10000800, 4, VMM_READ, &linear, &fault), VMM_OK);
    assert_int_equal(tb_load32(&mmu, linear, &word), VMM_FAULT); /* in the segment, but not in the page */
    assert_int_equal(mmu.fault.kind, VMM_PAGE_FAULT);
    assert_int_equal(vmm_segment_translate(&g, &table, 0x10000ffd, 4, VMM_READ, &linear, &fault), VMM_FAULT);
}

/* ---- partitions ---------------------------------------------------------------------------- */

#define MOST 12
#define MEMORY 400 /* bytes that are managed, from BASE */
#define BASE 64

static uint64_t block[(sizeof(vmm_partitions_t) + (2 * MOST + 2) * sizeof(vmm_partition_t)) / 8];
static uint64_t ram_words[(BASE + MEMORY) / 8 + 1];
static uint8_t *const ram = (uint8_t *)ram_words;
static const vmm_memory_t window = {ram_words, 0, sizeof ram_words, {0, 0, 0}, 0};
static vmm_partitions_t *p;

static void open_partitions(uint64_t base, uint64_t bytes)
{
    assert_true(sizeof block == vmm_partitions_bytes(MOST));
    assert_int_equal(vmm_partitions_create(block, sizeof block, base, bytes, MOST, &p), VMM_OK);
    assert_true(vmm_partitions_check(p));
}

static uint32_t alloc(unsigned fit, uint64_t bytes)
{
    uint32_t partition = VMM_NO_PARTITION;
    if (vmm_partition_alloc(p, fit, bytes, 0, &partition)) return VMM_NO_PARTITION;
    return partition;
}

static vmm_paddr_t start_of(uint32_t partition)
{
    return vmm_partition_at(p, partition)->start;
}

/* Holes of 100, 500, 200, 300 and 600 K in this order, apart by 1 K. */
static void make_silberschatz_holes(uint64_t *hole)
{
    static const uint64_t size[5] = {100, 500, 200, 300, 600};
    uint32_t partition[5];
    unsigned i;
    open_partitions(0, (1700 + 4) * KIB);
    for (i = 0; i < 5; i++) {
        partition[i] = alloc(VMM_FIRST_FIT, size[i] * KIB);
        hole[i] = start_of(partition[i]);
        if (i < 4) alloc(VMM_FIRST_FIT, KIB);
    }
    for (i = 0; i < 5; i++) assert_int_equal(vmm_partition_free(p, partition[i]), VMM_OK);
    assert_true(vmm_partitions_check(p));
}

/* Silberschatz, exercise: processes of 212, 417, 112 and 426 K. Where each goes: number of the hole, -1: it waits. */
static void test_fits_answer_silberschatz(void **state)
{
    static const uint64_t process[4] = {212, 417, 112, 426};
    static const struct {
        unsigned fit;
        int hole[4];
        uint64_t into[4]; /* K from the hole's start */
    } cases[] = {{VMM_FIRST_FIT, {1, 4, 1, -1}, {0, 0, 212, 0}},
                 {VMM_BEST_FIT, {3, 1, 2, 4}, {0, 0, 0, 0}},
                 {VMM_WORST_FIT, {4, 1, 4, -1}, {0, 0, 212, 0}},
                 {VMM_NEXT_FIT, {1, 4, 4, -1}, {0, 0, 417, 0}}};
    uint64_t hole[5];
    unsigned c, i;
    (void)state;
    for (c = 0; c < 4; c++) {
        make_silberschatz_holes(hole);
        for (i = 0; i < 4; i++) {
            const uint32_t partition = alloc(cases[c].fit, process[i] * KIB);
            assert_true(vmm_partitions_check(p));
            assert_int_equal(partition == VMM_NO_PARTITION, cases[c].hole[i] < 0);
            if (cases[c].hole[i] >= 0)
                assert_true(start_of(partition) == hole[cases[c].hole[i]] + cases[c].into[i] * KIB);
        }
    }
}

static void test_200_mb_do_not_fit_into_two_holes_of_128(void **state)
{
    uint64_t before[sizeof block / 8];
    uint32_t part[4], partition = 7;
    vmm_fragmentation_t f;
    unsigned fit, i;
    (void)state;
    open_partitions(0, 512 * MIB);
    for (i = 0; i < 4; i++) part[i] = alloc(VMM_FIRST_FIT, 128 * MIB);
    vmm_partition_free(p, part[0]);
    vmm_partition_free(p, part[2]);
    memcpy(before, block, sizeof block);
    for (fit = VMM_FIRST_FIT; fit <= VMM_WORST_FIT; fit++) {
        assert_int_equal(vmm_partition_alloc(p, fit, 200 * MIB, 0, &partition), VMM_E_NO_FRAME);
        assert_memory_equal(before, block, sizeof block);
        assert_int_equal(partition, 7);
    }
    vmm_partitions_measure(p, &f);
    assert_int_equal(f.holes, 2);
    assert_int_equal(f.permille, 500);
    assert_true(f.largest == 128 * MIB && f.free == 256 * MIB && f.held == 256 * MIB);
}

static void test_fragmentation_of_any_size_is_measured(void **state)
{
    vmm_fragmentation_t f;
    uint32_t low;
    (void)state;
    open_partitions(0, UINT64_MAX);
    low = alloc(VMM_FIRST_FIT, UINT64_C(1) << 62);
    alloc(VMM_FIRST_FIT, UINT64_MAX - (UINT64_C(1) << 62) - (UINT64_C(3) << 60));
    vmm_partition_free(p, low);
    vmm_partitions_measure(p, &f);
    assert_int_equal(f.holes, 2);
    assert_int_equal(f.permille, 428); /* 3 / 7 */
}

/* Tanenbaum, Modern Operating Systems: 16 GB at 8 bytes in 8 ns take about 16 s. */
static int move_nothing(void *user, uint32_t partition, vmm_paddr_t to, vmm_paddr_t from, uint64_t bytes)
{
    (void)user, (void)partition, (void)to, (void)from, (void)bytes;
    return 0;
}

static int swap_nothing(void *user, uint32_t partition, vmm_paddr_t at, uint64_t bytes)
{
    (void)user, (void)partition, (void)at, (void)bytes;
    return 0;
}

static void test_compaction_of_16_gib_takes_about_16_seconds(void **state)
{
    vmm_mover_t mover;
    vmm_moves_t moves;
    uint32_t low;
    (void)state;
    memset(&mover, 0, sizeof mover);
    memset(&moves, 0, sizeof moves);
    mover.move = move_nothing;
    mover.cycles_per_byte = 1; /* a cycle is 1 ns */
    open_partitions(0, 16 * KIB * MIB);
    low = alloc(VMM_FIRST_FIT, 1);
    alloc(VMM_FIRST_FIT, 16 * KIB * MIB - 1);
    vmm_partition_free(p, low);
    assert_int_equal(vmm_partitions_compact(p, 0, &mover, &moves), VMM_OK);
    assert_true(moves.bytes == 16 * KIB * MIB - 1 && moves.cycles / 1000000000 == 17);
    mover.cycles_per_byte = UINT64_MAX / 2;
    vmm_partition_free(p, p->first);
    alloc(VMM_FIRST_FIT, 1);
    alloc(VMM_FIRST_FIT, 5);
    vmm_partition_free(p, p->first);
    assert_int_equal(vmm_partitions_compact(p, 0, &mover, &moves), VMM_OK);
    assert_true(moves.cycles == UINT64_MAX);
    moves.cycles = UINT64_MAX - 5;
    mover.cycles_per_byte = 2;
    vmm_partition_free(p, p->first);
    alloc(VMM_FIRST_FIT, 2);
    alloc(VMM_FIRST_FIT, 3);
    vmm_partition_free(p, p->first);
    assert_int_equal(vmm_partitions_compact(p, 0, &mover, &moves), VMM_OK);
    assert_true(moves.cycles == UINT64_MAX);
}

static void test_partitions_refuse_arguments_that_mean_nothing(void **state)
{
    vmm_mover_t none;
    vmm_moves_t moves;
    uint32_t partition;
    (void)state;
    memset(&none, 0, sizeof none);
    memset(&moves, 0, sizeof moves);
    assert_int_equal(vmm_partitions_create(NULL, sizeof block, 0, 1, 1, &p), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partitions_create(block, sizeof block, 0, 1, 1, NULL), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partitions_create(block, sizeof block, 0, 1, 0, &p), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partitions_create((uint8_t *)block + 4, sizeof block - 4, 0, 1, 1, &p), VMM_E_ALIGN);
    assert_int_equal(vmm_partitions_create(block, sizeof block, 0, 0, 1, &p), VMM_E_RANGE);
    assert_int_equal(vmm_partitions_create(block, sizeof block, 2, UINT64_MAX, 1, &p), VMM_E_RANGE);
    assert_int_equal(vmm_partitions_create(block, sizeof block - 1, 0, 1, MOST, &p), VMM_E_NO_FRAME);
    assert_true(vmm_partitions_bytes(0) == 0 && vmm_partitions_bytes(UINT32_MAX) == 0);
    open_partitions(0, 1000);
    assert_int_equal(vmm_partition_alloc(p, VMM_FIRST_FIT, 0, 0, &partition), VMM_E_RANGE);
    assert_int_equal(vmm_partition_alloc(p, 0, 1, 0, &partition), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partition_alloc(p, 5, 1, 0, &partition), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partition_free(p, p->first), VMM_E_NOT_MAPPED); /* a hole */
    assert_int_equal(vmm_partition_free(p, p->spare), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_partition_free(p, 2 * MOST + 2), VMM_E_NOT_MAPPED);
    assert_null(vmm_partition_at(p, 2 * MOST + 2));
    partition = alloc(VMM_FIRST_FIT, 10);
    none.out = none.in = swap_nothing;
    assert_int_equal(vmm_partition_swap_in(p, VMM_FIRST_FIT, partition, &none, &moves), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_partition_swap_in(p, 0, partition, &none, &moves), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partition_swap_out(p, partition, &none, &moves), VMM_OK);
    assert_int_equal(vmm_partition_swap_out(p, partition, &none, &moves), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_partition_swap_in(p, VMM_FIRST_FIT, partition, &none, &moves), VMM_OK);
    assert_true(moves.moves == 2 && moves.bytes == 20 && moves.cycles == 0);
    none.out = none.in = NULL;
    moves.bytes = 0;
    assert_int_equal(vmm_partition_swap_out(p, partition, &none, &moves), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partition_swap_in(p, VMM_FIRST_FIT, partition, &none, &moves), VMM_E_ARGUMENT);
    assert_int_equal(vmm_partitions_compact_by_swap(p, 0, &none, &moves), VMM_E_ARGUMENT);
    alloc(VMM_FIRST_FIT, 10);
    vmm_partition_free(p, partition);
    assert_int_equal(vmm_partitions_compact(p, 0, &none, &moves), VMM_E_RANGE); /* neither move nor memory */
    assert_true(vmm_partitions_check(p) && moves.bytes == 0);
}

/* Partitions with a hole between any two need the most records, and giving one back needs one more. */
static void test_no_more_partitions_than_were_asked_for(void **state)
{
    uint32_t kept[MOST], gap, partition = 0;
    vmm_fragmentation_t f;
    unsigned i;
    (void)state;
    open_partitions(0, 1000);
    for (i = 0; i < MOST; i++) {
        gap = alloc(VMM_NEXT_FIT, 2);
        kept[i] = i + 1 < MOST ? alloc(VMM_NEXT_FIT, 3) : VMM_NO_PARTITION;
        vmm_partition_free(p, gap);
    }
    kept[MOST - 1] = alloc(VMM_NEXT_FIT, 3);
    assert_int_equal(vmm_partition_alloc(p, VMM_FIRST_FIT, 1, 0, &partition), VMM_E_LIMIT);
    vmm_partitions_measure(p, &f);
    assert_int_equal(f.holes, MOST);
    assert_true(vmm_partitions_check(p));
    for (i = 0; i < MOST; i++) {
        assert_int_equal(vmm_partition_free(p, kept[(i * 5) % MOST]), VMM_OK);
        assert_true(vmm_partitions_check(p));
    }
    vmm_partitions_measure(p, &f);
    assert_true(f.holes == 1 && f.largest == 1000 && f.permille == 0);
}

/* A copy is broken in each way; the check must find every one. */
static void test_the_check_finds_each_broken_record(void **state)
{
    uint64_t good[sizeof block / 8];
    vmm_partition_t *record = (vmm_partition_t *)(void *)(block + sizeof(vmm_partitions_t) / 8);
    uint32_t first, second;
    unsigned i;
    (void)state;
    open_partitions(BASE, MEMORY);
    first = alloc(VMM_FIRST_FIT, 10);
    second = alloc(VMM_FIRST_FIT, 20);
    memcpy(good, block, sizeof block);
    for (i = 0; i < 14; i++) {
        switch (i) {
        case 0: record[first].bytes++; break;
        case 1: record[second].start++; break;
        case 2: record[second].previous = VMM_NO_PARTITION; break;
        case 3: record[first].state = VMM_PARTITION_OUT; break;
        case 4: p->held++; break;
        case 5: p->out++; break;
        case 6: record[second].next = first; break;
        case 7: p->spare = first; break;
        case 8: record[second].next = 1000; break;
        case 9: p->rover = BASE + MEMORY; break;
        case 10: p->most--; break;
        case 12: p->spare = record[p->spare].next; break; /* one is lost */
        case 11: record[second].bytes = UINT64_MAX; break;
        default: record[second].next = VMM_NO_PARTITION; break;
        }
        assert_false(vmm_partitions_check(p));
        memcpy(block, good, sizeof block);
        assert_true(vmm_partitions_check(p));
    }
}

/* -- against a map of bytes -- */

#define RECORDS (2 * MOST + 2)

/* Who has each byte: number of a partition, or FREE. The slow and plain way of everything. */
#define FREE 0xff
static uint8_t map[MEMORY];
static uint64_t map_rover;
static uint64_t size_of[RECORDS]; /* 0: no partition */
static uint32_t owner_of[RECORDS];
static bool is_out[RECORDS];
static uint8_t disk[RECORDS][MEMORY];
static uint64_t told_start[RECORDS];
static bool told_present[RECORDS];
static unsigned fuse; /* calls until one fails; 0: none does */
static unsigned calls;

static int blow(void)
{
    calls++;
    return fuse && --fuse == 0;
}

static int model_move(void *user, uint32_t partition, vmm_paddr_t to, vmm_paddr_t from, uint64_t bytes)
{
    (void)user, (void)partition;
    if (blow()) return 1;
    memmove(ram + to, ram + from, (size_t)bytes);
    return 0;
}

static int model_out(void *user, uint32_t partition, vmm_paddr_t from, uint64_t bytes)
{
    (void)user;
    if (blow()) return 1;
    memcpy(disk[partition], ram + from, (size_t)bytes);
    memset(ram + from, 0xee, (size_t)bytes);
    return 0;
}

static int model_in(void *user, uint32_t partition, vmm_paddr_t to, uint64_t bytes)
{
    (void)user;
    if (blow()) return 1;
    memcpy(ram + to, disk[partition], (size_t)bytes);
    return 0;
}

static void model_moved(void *user, uint32_t partition, vmm_paddr_t start, bool present)
{
    (void)user;
    told_start[partition] = start;
    told_present[partition] = present;
}

/* The hole that a fit takes: its first byte, or MEMORY. */
static uint64_t map_find(unsigned fit, uint64_t bytes)
{
    uint64_t at = 0, end, best = MEMORY, best_size = 0, again = MEMORY;
    for (; at < MEMORY; at = end) {
        for (end = at + 1; end < MEMORY && map[end] == map[at] && map[at] == FREE;) end++;
        if (map[at] != FREE || end - at < bytes) continue;
        if (again == MEMORY) again = at;
        if (fit == VMM_NEXT_FIT && end <= map_rover) continue;
        if (best == MEMORY || (fit == VMM_BEST_FIT && end - at < best_size) ||
            (fit == VMM_WORST_FIT && end - at > best_size)) {
            best = at;
            best_size = end - at;
        }
    }
    return fit == VMM_NEXT_FIT && best == MEMORY ? again : best;
}

static void map_put(uint64_t at, uint32_t partition, unsigned fit)
{
    memset(map + at, (int)partition, (size_t)size_of[partition]);
    if (fit == VMM_NEXT_FIT) map_rover = (at + size_of[partition]) % MEMORY;
}

static void map_drop(uint32_t partition)
{
    unsigned i;
    for (i = 0; i < MEMORY; i++)
        if (map[i] == partition) map[i] = FREE;
}

static uint8_t content(uint32_t partition, uint64_t i)
{
    return (uint8_t)(partition * 29 + i * 7 + size_of[partition]);
}

/* Everything that can be asked for must be as the map says. */
static void assert_is_as_the_map(void)
{
    vmm_fragmentation_t f;
    uint64_t at, free_bytes = 0, largest = 0, run = 0;
    uint32_t i, holes = 0, held = 0, out = 0;
    assert_true(vmm_partitions_check(p));
    for (at = 0; at < MEMORY; at++) {
        run = map[at] == FREE ? run + 1 : 0;
        free_bytes += map[at] == FREE;
        holes += run == 1;
        if (run > largest) largest = run;
    }
    vmm_partitions_measure(p, &f);
    assert_true(f.holes == holes && f.largest == largest && f.free == free_bytes && f.held == MEMORY - free_bytes);
    assert_int_equal(f.permille, free_bytes ? 1000 * (free_bytes - largest) / free_bytes : 0);
    for (i = 0; i < RECORDS; i++) {
        const vmm_partition_t *r = vmm_partition_at(p, i);
        if (!size_of[i]) continue;
        assert_true(r->bytes == size_of[i] && r->owner == owner_of[i]);
        assert_int_equal(r->state, is_out[i] ? VMM_PARTITION_OUT : VMM_PARTITION_HELD);
        out += is_out[i];
        held += !is_out[i];
        for (at = 0; at < size_of[i]; at++) {
            const uint8_t *byte = is_out[i] ? &disk[i][at] : &ram[r->start + at];
            if (!is_out[i]) assert_int_equal(map[r->start - BASE + at], i);
            assert_int_equal(*byte, content(i, at));
        }
    }
    assert_true(held == p->held && out == p->out && p->rover == BASE + map_rover);
}

static void random_alloc(uint64_t *seed, unsigned fit)
{
    const uint64_t bytes = 1 + helper_random(seed) % (helper_random(seed) % 4 ? 40 : 200), at = map_find(fit, bytes);
    uint32_t partition = VMM_NO_PARTITION;
    const uint32_t owner = (uint32_t)helper_random(seed);
    const vmm_status_t status = vmm_partition_alloc(p, fit, bytes, owner, &partition);
    uint64_t i;
    if (p->held + p->out == MOST && status == VMM_E_LIMIT) return;
    assert_int_equal(status, at == MEMORY ? VMM_E_NO_FRAME : VMM_OK);
    if (status) return;
    assert_true(start_of(partition) == BASE + at && !size_of[partition]);
    owner_of[partition] = owner;
    size_of[partition] = bytes;
    is_out[partition] = false;
    map_put(at, partition, fit);
    for (i = 0; i < bytes; i++) ram[BASE + at + i] = content(partition, i);
}

/* A partition that is there, of those that are out or not; RECORDS: none. */
static uint32_t random_partition(uint64_t *seed, bool out)
{
    const uint32_t from = (uint32_t)(helper_random(seed) % RECORDS);
    uint32_t i;
    for (i = 0; i < RECORDS; i++)
        if (size_of[(from + i) % RECORDS] && is_out[(from + i) % RECORDS] == out) return (from + i) % RECORDS;
    return RECORDS;
}

static void random_swap(uint64_t *seed, unsigned fit, const vmm_mover_t *mover, bool fails)
{
    vmm_moves_t moves = {0, 0, 0};
    const bool in = helper_random(seed) % 2;
    const uint32_t i = random_partition(seed, in);
    uint64_t at = 0;
    vmm_status_t status;
    if (i == RECORDS) return;
    if (in) at = map_find(fit, size_of[i]);
    fuse = fails;
    status = in ? vmm_partition_swap_in(p, fit, i, mover, &moves) : vmm_partition_swap_out(p, i, mover, &moves);
    fuse = 0;
    assert_int_equal(status, at == MEMORY ? VMM_E_NO_FRAME : fails ? VMM_E_IO : VMM_OK);
    assert_true(moves.bytes == (status ? 0 : size_of[i]) && moves.cycles == 3 * moves.bytes);
    if (status) return;
    is_out[i] = !in;
    if (in) map_put(at, i, fit);
    else map_drop(i);
    assert_int_equal(told_present[i], in);
    if (in) assert_true(told_start[i] == BASE + at);
}

/* What compaction does, one partition at a time: the lowest that has a free byte right below goes down, until enough is
 * free in one piece. Of those, so many are done. Returns how many calls that takes in all. */
static unsigned map_compact(uint64_t enough, unsigned done, unsigned calls_each, uint64_t *bytes)
{
    unsigned steps = 0;
    *bytes = 0;
    for (;;) {
        uint64_t at = 0, run = 0, largest = 0, to;
        uint32_t i;
        for (to = 0; to < MEMORY; to++) {
            run = map[to] == FREE ? run + 1 : 0;
            if (run > largest) largest = run;
        }
        if (enough && largest >= enough) return steps * calls_each;
        while (at < MEMORY && map[at] != FREE) at++;
        to = at;
        while (at < MEMORY && map[at] == FREE) at++;
        if (at == MEMORY || steps == done) return steps * calls_each;
        i = map[at];
        map_drop(i);
        memset(map + to, (int)i, (size_t)size_of[i]);
        *bytes += size_of[i];
        steps++;
    }
}

/* The call that fails is one of out, in, or move; what was done before it must stay. */
static void random_compaction(uint64_t *seed, const vmm_mover_t *mover, bool by_swap, bool fails)
{
    const uint64_t enough = helper_random(seed) % 2 ? helper_random(seed) % 150 : 0;
    const unsigned each = by_swap ? 2 : 1, fuse_set = fails ? 1 + (unsigned)(helper_random(seed) % 6) : 0;
    vmm_moves_t moves = {0, 0, 0};
    uint64_t bytes, lost = 0;
    vmm_status_t status;
    uint32_t i;
    calls = 0;
    fuse = fuse_set;
    status = by_swap ? vmm_partitions_compact_by_swap(p, enough, mover, &moves)
                     : vmm_partitions_compact(p, enough, mover, &moves);
    fuse = 0;
    assert_true(status == VMM_OK || (status == VMM_E_IO && calls == fuse_set));
    map_compact(enough, status ? (calls - 1) / each : MOST, each, &bytes);
    if (status && by_swap && calls % 2 == 0) { /* in failed: one is out that was held */
        for (i = 0; i < RECORDS; i++) {
            if (!size_of[i] || is_out[i] || vmm_partition_at(p, i)->state != VMM_PARTITION_OUT) continue;
            lost += size_of[i];
            is_out[i] = true;
            map_drop(i);
        }
        assert_true(lost);
    }
    assert_true(moves.bytes == each * bytes + lost && moves.cycles == 3 * moves.bytes);
}

static void random_step(uint64_t *seed, const vmm_mover_t *mover)
{
    const unsigned fit = VMM_FIRST_FIT + (unsigned)(helper_random(seed) % 4);
    const bool fails = helper_random(seed) % 4 == 0;
    uint32_t i;
    switch (helper_random(seed) % 16) {
    case 0: random_compaction(seed, mover, false, fails && mover->move); break;
    case 1: random_compaction(seed, mover, true, fails); break;
    case 2:
    case 3: random_swap(seed, fit, mover, fails); break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        i = random_partition(seed, helper_random(seed) % 8 == 0);
        if (i == RECORDS) break;
        assert_int_equal(vmm_partition_free(p, i), VMM_OK);
        size_of[i] = 0;
        map_drop(i);
        break;
    default: random_alloc(seed, fit); break;
    }
}

/* With the default move, and with one that may fail. */
static void test_random_partitions_are_as_a_map_of_bytes(void **state)
{
    uint64_t seed = 7;
    vmm_mover_t mover;
    unsigned round, step;
    (void)state;
    memset(&mover, 0, sizeof mover);
    mover.out = model_out;
    mover.in = model_in;
    mover.moved = model_moved;
    mover.memory = &window;
    mover.cycles_per_byte = 3;
    for (round = 0; round < 60; round++) {
        open_partitions(BASE, MEMORY);
        memset(map, FREE, sizeof map);
        memset(size_of, 0, sizeof size_of);
        memset(is_out, 0, sizeof is_out);
        map_rover = 0;
        mover.move = round % 2 ? model_move : NULL;
        for (step = 0; step < 300; step++) {
            random_step(&seed, &mover);
            assert_is_as_the_map();
        }
    }
}

/* The copy is longer than one of its pieces, and overlaps. */
static void test_the_default_move_copies_any_distance(void **state)
{
    vmm_mover_t mover;
    vmm_moves_t moves;
    uint32_t low, high;
    unsigned distance, i;
    (void)state;
    memset(&mover, 0, sizeof mover);
    mover.memory = &window;
    for (distance = 1; distance < 90; distance++) {
        open_partitions(BASE, MEMORY);
        memset(&moves, 0, sizeof moves);
        low = alloc(VMM_FIRST_FIT, distance);
        high = alloc(VMM_FIRST_FIT, 310);
        for (i = 0; i < 310; i++) ram[start_of(high) + i] = (uint8_t)(i * 31 + i / 256);
        vmm_partition_free(p, low);
        assert_int_equal(vmm_partitions_compact(p, 0, &mover, &moves), VMM_OK);
        assert_true(start_of(high) == BASE && moves.bytes == 310 && moves.moves == 1);
        for (i = 0; i < 310; i++) assert_int_equal(ram[BASE + i], (uint8_t)(i * 31 + i / 256));
    }
}

/* ---- x86: descriptors ---------------------------------------------------------------------- */

/* Known descriptors, by the SDM's figures: flat code and data of 32 bits, 64-bit code, a task state of Linux 0.01's
 * form, the reset value of real mode. */
static void test_known_descriptors_are_unpacked(void **state)
{
    static const struct {
        uint64_t raw, base;
        uint32_t limit;
        unsigned type, dpl;
        bool code_or_data, present, long_code, big, granular;
    } cases[] = {
        {UINT64_C(0x00cf9b000000ffff), 0, 0xffffffff, 11, 0, true, true, false, true, true},
        {UINT64_C(0x00cff3000000ffff), 0, 0xffffffff, 3, 3, true, true, false, true, true},
        {UINT64_C(0x00af9b000000ffff), 0, 0xffffffff, 11, 0, true, true, true, false, true},
        {UINT64_C(0x000093000000ffff), 0, 0xffff, 3, 0, true, true, false, false, false},
        {UINT64_C(0x12408934567800ab), 0x12345678, 0xab, 9, 0, false, true, false, true, false},
        {UINT64_C(0xff0f02ffffff1234), 0xffffffff, 0xf1234, 2, 0, false, false, false, false, false},
    };
    vmm_x86_descriptor_t d;
    uint64_t raw = 0;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        d = vmm_x86_unpack(cases[i].raw);
        assert_true(d.base == cases[i].base && d.limit == cases[i].limit);
        assert_true(d.type == cases[i].type && d.dpl == cases[i].dpl && d.code_or_data == cases[i].code_or_data);
        assert_true(d.present == cases[i].present && d.long_code == cases[i].long_code);
        assert_true(d.big == cases[i].big && d.granular == cases[i].granular && !d.available);
        assert_int_equal(vmm_x86_pack(&d, &raw), VMM_OK);
        assert_true(raw == cases[i].raw);
    }
}

static void test_any_8_bytes_are_packed_as_they_were_unpacked(void **state)
{
    uint64_t seed = 3, raw, again = 0;
    vmm_x86_descriptor_t d;
    unsigned i;
    (void)state;
    for (i = 0; i < 100000; i++) {
        raw = helper_random(&seed);
        d = vmm_x86_unpack(raw);
        assert_int_equal(vmm_x86_pack(&d, &again), VMM_OK);
        assert_true(raw == again);
    }
    d = vmm_x86_unpack(0);
    d.limit = 0x100000;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_E_RANGE);
    d.granular = true;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_E_ALIGN);
    d.limit = 0x100fff;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_OK);
    d.base = UINT64_C(1) << 32;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_E_RANGE);
    d.base = 0;
    d.dpl = 4;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_E_ARGUMENT);
    d.dpl = 0;
    d.type = 16;
    assert_int_equal(vmm_x86_pack(&d, &again), VMM_E_ARGUMENT);
    assert_int_equal(vmm_x86_selector(5, true, 3), 0x2f);
}

/* ---- x86: loads ---------------------------------------------------------------------------- */

#define GDT 0x100
#define LDT 0x300
#define SLOT 4 /* the descriptor under test: index in either table */
#define FLAT_CODE UINT64_C(0x00cf9b000000ffff)
#define LONG_CODE UINT64_C(0x00af9b000000ffff)
#define FLAT_DATA UINT64_C(0x00cf93000000ffff)

static uint64_t x86_ram[0x1000 / 8];
static const vmm_memory_t x86_window = {x86_ram, 0, sizeof x86_ram, {0, 0, 0}, 0};
static vmm_x86_segments_t s;

static uint64_t x86_peek(uint64_t at)
{
    return vmm_get((uint8_t *)x86_ram + at, 8);
}

static void x86_poke(uint64_t at, uint64_t raw)
{
    vmm_put((uint8_t *)x86_ram + at, raw, 8);
}

static uint64_t with_dpl(uint64_t raw, unsigned dpl)
{
    return (raw & ~(UINT64_C(3) << 45)) | (uint64_t)dpl << 45;
}

/* Registers in a mode at a CPL; both tables have five descriptors. The LDT is that of descriptor 2, of 16 bytes. */
static void x86_open(unsigned mode, bool is_64, unsigned cpl)
{
    memset(x86_ram, 0, sizeof x86_ram);
    vmm_x86_segments_init(&s, &x86_window);
    s.mode = (uint8_t)mode;
    s.gdt_base = GDT;
    s.gdt_limit = 8 * 5 - 1;
    x86_poke(GDT + 16, UINT64_C(0x0000820003000027)); /* base LDT, limit 39 */
    assert_int_equal(vmm_x86_load_local(&s, 0x10), VMM_OK);
    assert_true(s.ldtr.descriptor.base == LDT && s.ldtr.descriptor.limit == 39);
    s.cpl = (uint8_t)cpl;
    s.segment[VMM_X86_CS].selector = (uint16_t)(8 | cpl);
    s.segment[VMM_X86_CS].descriptor = vmm_x86_unpack(with_dpl(is_64 ? LONG_CODE : FLAT_CODE, cpl));
}

/* What a load should come to: vector and error code, 0: done. */
typedef struct outcome {
    unsigned vector, code;
} outcome_t;

static outcome_t comes_to(unsigned vector, unsigned code)
{
    outcome_t o;
    o.vector = vector;
    o.code = code;
    return o;
}

/* Everything that a load of one descriptor depends on. */
typedef struct load_case {
    unsigned type, code_or_data, dpl, cpl, rpl, present, local, inside;
    unsigned long_code, big; /* of code that is jumped to */
    unsigned lma, ip_inside;
} load_case_t;

/* The SDM's text of MOV to a segment register, line by line, selector not null. */
static outcome_t manual_of_mov(const load_case_t *c, unsigned number)
{
    const unsigned code = SLOT << 3 | c->local << 2;
    const bool is_data = c->code_or_data && c->type < 8;
    const bool is_writable_data = is_data && (c->type & 2);
    const bool is_readable_code = c->code_or_data && c->type >= 8 && (c->type & 2);
    const bool is_nonconforming_code = c->code_or_data && c->type >= 8 && !(c->type & 4);
    if (number == VMM_X86_SS) {
        if (!c->inside || c->rpl != c->cpl || !is_writable_data || c->dpl != c->cpl) return comes_to(13, code);
        if (!c->present) return comes_to(12, code);
        return comes_to(0, 0);
    }
    if (!c->inside || !(is_data || is_readable_code) ||
        ((is_data || is_nonconforming_code) && (c->rpl > c->dpl || c->cpl > c->dpl)))
        return comes_to(13, code);
    return c->present ? comes_to(0, 0) : comes_to(11, code);
}

/* And of JMP to a far pointer; vector 255: a gate or a task state. */
static outcome_t manual_of_jmp(const load_case_t *c)
{
    const unsigned code = SLOT << 3 | c->local << 2;
    if (!c->inside) return comes_to(13, code);
    if (!c->code_or_data) {
        switch (c->type) {
        case 12: return comes_to(255, 0);
        case 1:
        case 3:
        case 4:
        case 5:
        case 9:
        case 11: return c->lma ? comes_to(13, code) : comes_to(255, 0);
        default: return comes_to(13, code);
        }
    }
    if (c->type < 8) return comes_to(13, code);
    if (c->lma && c->long_code && c->big) return comes_to(13, code);
    if (c->type & 4) {
        if (c->dpl > c->cpl) return comes_to(13, code);
    } else if (c->rpl > c->cpl || c->dpl != c->cpl) return comes_to(13, code);
    if (!c->present) return comes_to(11, code);
    return c->ip_inside ? comes_to(0, 0) : comes_to(13, 0);
}

/* And of RET far, the code segment's part; the stack is good. */
static outcome_t manual_of_ret(const load_case_t *c)
{
    const unsigned code = SLOT << 3 | c->local << 2;
    if (!c->inside || !c->code_or_data || c->type < 8) return comes_to(13, code);
    if (c->lma && c->long_code && c->big) return comes_to(13, code);
    if (c->rpl < c->cpl) return comes_to(13, code);
    if ((c->type & 4) && c->dpl > c->rpl) return comes_to(13, code);
    if (!(c->type & 4) && c->dpl != c->rpl) return comes_to(13, code);
    if (!c->present) return comes_to(11, code);
    return c->ip_inside ? comes_to(0, 0) : comes_to(13, 0);
}

/* Puts the descriptor of a case into its table and returns its selector. */
static uint16_t make_case(const load_case_t *c, uint64_t *at)
{
    vmm_x86_descriptor_t d;
    uint64_t raw = 0;
    memset(&d, 0, sizeof d);
    d.base = 0x12345678;
    d.limit = 0xabcd;
    d.type = (uint8_t)c->type;
    d.dpl = (uint8_t)c->dpl;
    d.code_or_data = c->code_or_data != 0;
    d.present = c->present != 0;
    d.long_code = c->long_code != 0;
    d.big = c->big != 0;
    assert_int_equal(vmm_x86_pack(&d, &raw), VMM_OK);
    *at = (c->local ? LDT : GDT) + 8 * SLOT;
    x86_poke(*at, raw);
    if (!c->inside) {
        s.gdt_limit = 8 * SLOT + 6;
        s.ldtr.descriptor.limit = 8 * SLOT + 6;
    }
    return vmm_x86_selector(SLOT, c->local != 0, c->rpl);
}

/* The n-th case: types, S, DPL, CPL, RPL, P, table, inside; of jumps also L, D and the instruction pointer. */
static load_case_t nth_case(unsigned n)
{
    load_case_t c;
    c.type = n & 15;
    c.code_or_data = n >> 4 & 1;
    c.dpl = n >> 5 & 3;
    c.cpl = n >> 7 & 3;
    c.rpl = n >> 9 & 3;
    c.present = n >> 11 & 1;
    c.local = n >> 12 & 1;
    c.inside = n >> 13 & 1;
    c.lma = n >> 14 & 1;
    c.long_code = n >> 15 & 1;
    c.big = n >> 16 & 1;
    c.ip_inside = n >> 17 & 1;
    return c;
}

static void assert_comes_to(vmm_status_t status, outcome_t o, uint64_t at, uint64_t before, uint16_t selector)
{
    const uint64_t accessed = UINT64_C(1) << 40;
    assert_int_equal(status, o.vector == 255 ? VMM_E_STOPPED : o.vector ? VMM_FAULT : VMM_OK);
    assert_true(x86_peek(at) == (o.vector ? before : before | accessed));
    if (!o.vector) return;
    assert_int_equal(s.fault.segment, selector);
    if (o.vector == 255) {
        assert_int_equal(s.fault.rule, VMM_SEGMENT_GATE);
        return;
    }
    assert_int_equal(s.fault.cause, o.vector);
    assert_int_equal(s.fault.code, o.code);
    assert_true(s.fault.rule != VMM_SEGMENT_NO_RULE);
}

static void test_loads_of_data_registers_and_ss_follow_the_manual(void **state)
{
    static const unsigned numbers[] = {VMM_X86_DS, VMM_X86_SS, VMM_X86_ES, VMM_X86_FS, VMM_X86_GS};
    unsigned n, i;
    (void)state;
    for (n = 0; n < 1 << 15; n++) {
        const load_case_t c = nth_case(n);
        for (i = 0; i < (n % 16 ? 2u : 5u); i++) {
            const unsigned number = numbers[i];
            vmm_x86_segment_t was;
            uint64_t at, before;
            uint16_t selector;
            vmm_status_t status;
            x86_open(c.lma ? VMM_X86_LONG : VMM_X86_PROTECTED, (n & 1) != 0, c.cpl);
            selector = make_case(&c, &at);
            before = x86_peek(at);
            memcpy(&was, &s.segment[number], sizeof was);
            status = vmm_x86_load_segment(&s, number, selector);
            assert_comes_to(status, manual_of_mov(&c, number), at, before, selector);
            if (status) assert_memory_equal(&was, &s.segment[number], sizeof was);
            else {
                assert_true(s.segment[number].selector == selector && !s.segment[number].null);
                assert_true(s.segment[number].descriptor.base == 0x12345678);
                assert_true(s.segment[number].descriptor.limit == 0xabcd);
            }
            assert_int_equal(s.cpl, c.cpl);
        }
    }
}

static void test_far_jumps_follow_the_manual(void **state)
{
    unsigned n;
    (void)state;
    for (n = 0; n < 1 << 18; n++) {
        const load_case_t c = nth_case(n);
        const bool canonical = c.lma && c.long_code;
        const uint64_t limit = canonical ? UINT64_C(0x7fffffffffff) : 0xabcd;
        const vmm_x86_segment_t *cs = &s.segment[VMM_X86_CS];
        uint64_t at, before;
        uint16_t selector;
        vmm_status_t status;
        x86_open(c.lma ? VMM_X86_LONG : VMM_X86_PROTECTED, false, c.cpl);
        selector = make_case(&c, &at);
        before = x86_peek(at);
        status = vmm_x86_far_jump(&s, selector, limit + !c.ip_inside);
        assert_comes_to(status, manual_of_jmp(&c), at, before, selector);
        assert_int_equal(s.cpl, c.cpl);
        if (status) assert_int_equal(cs->selector, 8 | c.cpl);
        else {
            assert_int_equal(cs->selector, (selector & 0xfffc) | c.cpl);
            assert_true(cs->descriptor.base == 0x12345678 && cs->descriptor.long_code == (c.long_code != 0));
        }
    }
}

static void test_far_returns_follow_the_manual(void **state)
{
    unsigned n;
    (void)state;
    for (n = 0; n < 1 << 18; n++) {
        const load_case_t c = nth_case(n);
        const bool canonical = c.lma && c.long_code;
        const uint64_t limit = canonical ? UINT64_C(0x7fffffffffff) : 0xabcd;
        const vmm_x86_segment_t *cs = &s.segment[VMM_X86_CS];
        uint64_t at, before;
        uint16_t selector;
        vmm_status_t status;
        x86_open(c.lma ? VMM_X86_LONG : VMM_X86_PROTECTED, false, c.cpl);
        selector = make_case(&c, &at);
        before = x86_peek(at);
        x86_poke(GDT + 24, with_dpl(FLAT_DATA, c.rpl));
        status = vmm_x86_far_return(&s, selector, limit + !c.ip_inside, (uint16_t)(24 | c.rpl));
        assert_comes_to(status, manual_of_ret(&c), at, before, selector);
        assert_int_equal(s.cpl, status ? c.cpl : c.rpl);
        if (status) assert_int_equal(cs->selector, 8 | c.cpl);
        else {
            assert_int_equal(cs->selector, selector);
            assert_int_equal(s.segment[VMM_X86_SS].selector, c.rpl > c.cpl ? 24 | c.rpl : 0);
        }
    }
}

/* The stack of a return is judged as SS is for the CPL that comes, and nothing is loaded when it is wrong. */
static void test_the_stack_of_a_return_follows_the_manual(void **state)
{
    unsigned n, cpl;
    (void)state;
    for (n = 0; n < 1 << 14; n++)
        for (cpl = 0; cpl < 3; cpl++) {
            load_case_t c = nth_case(n);
            uint64_t at, before;
            uint16_t selector;
            vmm_status_t status;
            x86_open(VMM_X86_PROTECTED, false, cpl);
            if (c.cpl <= cpl) continue;
            selector = make_case(&c, &at);
            before = x86_peek(at);
            x86_poke(GDT + 24, with_dpl(FLAT_CODE, c.cpl) & ~(UINT64_C(1) << 40));
            status = vmm_x86_far_return(&s, (uint16_t)(24 | c.cpl), 0, selector);
            assert_comes_to(status, manual_of_mov(&c, VMM_X86_SS), at, before, selector);
            assert_int_equal(s.cpl, status ? cpl : c.cpl);
            assert_int_equal(s.segment[VMM_X86_CS].selector, status ? 8 | cpl : 24 | c.cpl);
            if (c.inside) assert_true((x86_peek(GDT + 24) >> 40 & 1) == (status == VMM_OK));
        }
}

static void test_null_selectors(void **state)
{
    vmm_vaddr_t linear;
    unsigned rpl, cpl, lma, is_64;
    (void)state;
    for (lma = 0; lma < 2; lma++)
        for (is_64 = 0; is_64 <= lma; is_64++)
            for (cpl = 0; cpl < 4; cpl++)
                for (rpl = 0; rpl < 4; rpl++) {
                    const bool stack = is_64 && cpl < 3 && rpl == cpl;
                    x86_open(lma ? VMM_X86_LONG : VMM_X86_PROTECTED, is_64 != 0, cpl);
                    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, (uint16_t)rpl), VMM_OK);
                    assert_true(s.segment[VMM_X86_DS].null && s.segment[VMM_X86_DS].selector == rpl);
                    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 5, 1, &linear),
                                     is_64 ? VMM_OK : VMM_FAULT);
                    if (!is_64) assert_true(s.fault.cause == 13 && s.fault.code == 0);
                    if (!is_64) assert_int_equal(s.fault.rule, VMM_SEGMENT_NULL);
                    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_SS, (uint16_t)rpl), stack ? VMM_OK : VMM_FAULT);
                    if (!stack) assert_true(s.fault.cause == 13 && s.fault.code == 0);
                    assert_int_equal(vmm_x86_far_jump(&s, (uint16_t)rpl, 0), VMM_FAULT);
                    assert_true(s.fault.cause == 13 && s.fault.code == 0);
                    assert_int_equal(vmm_x86_far_return(&s, (uint16_t)rpl, 0, 0), VMM_FAULT);
                    assert_true(s.fault.cause == 13 && s.fault.code == 0);
                }
}

/* A null stack goes with 64-bit code of ring 0 to 2 alone. */
static void test_a_return_takes_a_null_stack_to_64_bit_code_alone(void **state)
{
    unsigned rpl, long_code, ss;
    (void)state;
    for (rpl = 1; rpl < 4; rpl++)
        for (long_code = 0; long_code < 2; long_code++)
            for (ss = 0; ss < 4; ss++) {
                const bool taken = long_code && rpl < 3 && ss == rpl;
                x86_open(VMM_X86_LONG, true, 0);
                x86_poke(GDT + 24, with_dpl(long_code ? LONG_CODE : FLAT_CODE, rpl));
                assert_int_equal(vmm_x86_far_return(&s, (uint16_t)(24 | rpl), 0, (uint16_t)ss),
                                 taken ? VMM_OK : VMM_FAULT);
                if (taken) assert_true(s.segment[VMM_X86_SS].null && s.cpl == rpl);
                else assert_true(s.fault.cause == 13 && s.fault.code == 0 && s.cpl == 0);
            }
}

static void test_a_return_outward_takes_away_what_is_too_privileged(void **state)
{
    static const struct {
        uint64_t raw;
        bool stays;
    } cases[] = {{FLAT_DATA, false},
                 {UINT64_C(0x00cff3000000ffff), true},
                 {FLAT_CODE, false},
                 {UINT64_C(0x00cf9f000000ffff), true}}; /* conforming */
    vmm_vaddr_t linear;
    unsigned i;
    (void)state;
    for (i = 0; i < 4; i++) {
        x86_open(VMM_X86_PROTECTED, false, 0);
        x86_poke(GDT + 8 * SLOT, cases[i].raw);
        x86_poke(GDT + 8, with_dpl(FLAT_CODE, 3));
        x86_poke(GDT + 24, with_dpl(FLAT_DATA, 3));
        assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_GS, SLOT << 3), VMM_OK);
        assert_int_equal(vmm_x86_far_return(&s, 8 | 3, 0, 24 | 3), VMM_OK);
        assert_int_equal(s.segment[VMM_X86_GS].null, !cases[i].stays);
        assert_int_equal(s.segment[VMM_X86_GS].selector, cases[i].stays ? SLOT << 3 : 0);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_GS, VMM_READ, 0, 1, &linear), cases[i].stays ? VMM_OK : VMM_FAULT);
    }
}

static void test_lldt_follows_the_manual(void **state)
{
    unsigned type, i;
    (void)state;
    for (i = 0; i < 2; i++)
        for (type = 0; type < 32; type++) { /* S is bit 4 */
            const unsigned mode = i ? VMM_X86_LONG : VMM_X86_PROTECTED;
            x86_open(mode, i != 0, 0);
            x86_poke(GDT + 24, UINT64_C(0x0000800008000027) | (uint64_t)type << 40);
            assert_int_equal(vmm_x86_load_local(&s, 24), type == 2 ? VMM_OK : VMM_FAULT);
            if (type == 2) continue;
            assert_true(s.fault.cause == 13 && s.fault.code == 24 && s.ldtr.selector == 16);
        }
    x86_open(VMM_X86_LONG, true, 0);
    x86_poke(GDT + 24, UINT64_C(0x0000820008000027));
    x86_poke(GDT + 32, 0xffff8000);
    assert_int_equal(vmm_x86_load_local(&s, 24), VMM_OK);
    assert_true(s.ldtr.descriptor.base == UINT64_C(0xffff800000000800));
    x86_poke(GDT + 32, 0x8000);
    assert_int_equal(vmm_x86_load_local(&s, 24), VMM_FAULT); /* not canonical */
    assert_true(s.fault.cause == 13 && s.fault.code == 24 && s.fault.rule == VMM_SEGMENT_WIDTH);
    x86_poke(GDT + 32, UINT64_C(1) << 44);
    assert_int_equal(vmm_x86_load_local(&s, 24), VMM_FAULT); /* the upper half has a type */
    assert_int_equal(vmm_x86_load_local(&s, 32), VMM_FAULT); /* no room for an upper half */
    assert_true(s.fault.rule == VMM_SEGMENT_NUMBER && s.fault.code == 32);
    x86_poke(GDT + 24, UINT64_C(0x0000020008000027));
    x86_poke(GDT + 32, 0);
    assert_int_equal(vmm_x86_load_local(&s, 24), VMM_FAULT);
    assert_true(s.fault.cause == 11 && s.fault.code == 24);
    assert_int_equal(vmm_x86_load_local(&s, 16 | 4), VMM_FAULT);
    assert_true(s.fault.cause == 13 && s.fault.code == 20);
    assert_int_equal(vmm_x86_load_local(&s, 3), VMM_OK);
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 4), VMM_FAULT); /* there is no local table now */
    assert_true(s.fault.cause == 13 && s.fault.code == 4);
    s.ldtr.descriptor.limit = 39; /* which does not count now */
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 4), VMM_FAULT);
    assert_true(s.fault.rule == VMM_SEGMENT_NUMBER);
    s.cpl = 1;
    assert_int_equal(vmm_x86_load_local(&s, 16), VMM_FAULT);
    assert_true(s.fault.cause == 13 && s.fault.code == 0);
    s.mode = VMM_X86_REAL;
    assert_int_equal(vmm_x86_load_local(&s, 16), VMM_E_ARGUMENT);
}

/* ---- x86: descriptors come through callbacks, or from a window ------------------------------ */

static unsigned refuse_read, refuse_mark, reads, marks;
static uint64_t asked, marked;

static int read_by_callback(void *user, vmm_vaddr_t linear, uint64_t *raw)
{
    asked = linear;
    if (++reads == refuse_read) return 1;
    *raw = *(const uint64_t *)user;
    return 0;
}

/* Code at 8, data of ring 3 elsewhere. */
static int read_code_then_stack(void *user, vmm_vaddr_t linear, uint64_t *raw)
{
    const int refused = read_by_callback(user, linear, raw);
    if (linear != GDT + 8) *raw = with_dpl(FLAT_DATA, 3) & ~(UINT64_C(1) << 40);
    return refused;
}

static int mark_by_callback(void *user, vmm_vaddr_t linear)
{
    (void)user;
    marked = linear;
    return ++marks == refuse_mark;
}

static void test_callbacks_are_asked_and_their_refusal_is_passed_on(void **state)
{
    uint64_t raw = FLAT_DATA & ~(UINT64_C(1) << 40);
    vmm_x86_segments_t before;
    unsigned what;
    (void)state;
    for (what = 0; what < 3; what++) {
        x86_open(VMM_X86_PROTECTED, false, 0);
        s.read = read_by_callback;
        s.mark = mark_by_callback;
        s.user = &raw;
        s.gdt_base = 0xfffffff0; /* the table goes on at 0 */
        reads = marks = 0;
        refuse_read = what == 1;
        refuse_mark = what == 2;
        memcpy(&before, &s, sizeof s);
        assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, SLOT << 3), what ? VMM_FAULT : VMM_OK);
        assert_true(asked == 0x10 && reads == 1 && marks == (what != 1));
        if (what != 1) assert_true(marked == 0x15);
        if (!what) continue;
        assert_true(s.fault.rule == VMM_SEGMENT_TABLE_MEMORY && s.fault.cause == 0);
        assert_memory_equal(&s.segment, &before.segment, sizeof s.segment);
    }
    reads = marks = refuse_read = refuse_mark = 0;
    s.gdt_base = 0xfffffffc - (SLOT << 3); /* the descriptor goes on at 0 */
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, SLOT << 3), VMM_OK);
    assert_true(asked == 0xfffffffc && marked == 1);
    s.gdt_base = 0xfffffff0;
    reads = marks = 0;
    raw |= UINT64_C(1) << 40;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, SLOT << 3), VMM_OK);
    assert_true(marks == 0); /* it is set already */
    s.mode = VMM_X86_LONG;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, SLOT << 3), VMM_OK);
    assert_true(asked == UINT64_C(0x100000010));
}

static void test_in_long_mode_descriptors_lie_at_canonical_addresses(void **state)
{
    uint64_t raw = FLAT_DATA;
    unsigned i;
    (void)state;
    for (i = 0; i < 16; i++) {
        x86_open(VMM_X86_LONG, true, 0);
        s.read = read_by_callback;
        s.user = &raw;
        reads = refuse_read = 0;
        s.gdt_base = UINT64_C(0x800000000000) - 24 + i; /* of which selector 16 is the last that fits */
        assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 16), i ? VMM_FAULT : VMM_OK);
        assert_int_equal(reads, !i);
        if (i) assert_true(s.fault.cause == 13 && s.fault.code == 16 && s.fault.rule == VMM_SEGMENT_WIDTH);
    }
    s.gdt_base = UINT64_C(0xffff800000000000) - 17;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 16), VMM_FAULT);
    s.gdt_base++;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 16), VMM_OK);
}

/* A jump marks one descriptor, a return outward two, LLDT reads two halves. Whichever is refused, nothing is loaded. */
static void test_a_refusal_anywhere_loads_nothing(void **state)
{
    static const struct {
        unsigned load, read, mark; /* 0 jump, 1 return, 2 LLDT; which call is refused */
    } cases[] = {{0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, 2, 0}, {1, 0, 1}, {1, 0, 2}, {2, 1, 0}, {2, 2, 0}};
    uint64_t code = with_dpl(FLAT_CODE, 3) & ~(UINT64_C(1) << 40), table = UINT64_C(0x0000820008000027);
    unsigned i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vmm_x86_segments_t before;
        vmm_status_t status;
        x86_open(VMM_X86_LONG, true, cases[i].load ? 0 : 3);
        s.read = read_by_callback;
        s.mark = mark_by_callback;
        s.user = cases[i].load == 2 ? &table : &code;
        reads = marks = 0;
        refuse_read = cases[i].read;
        refuse_mark = cases[i].mark;
        if (cases[i].load == 1) s.read = read_code_then_stack;
        memcpy(&before, &s, sizeof s);
        status = cases[i].load == 0   ? vmm_x86_far_jump(&s, 8 | 3, 0)
                 : cases[i].load == 1 ? vmm_x86_far_return(&s, 8 | 3, 0, 24 | 3)
                                      : vmm_x86_load_local(&s, 8);
        assert_int_equal(status, VMM_FAULT);
        assert_true(s.fault.rule == VMM_SEGMENT_TABLE_MEMORY && s.fault.cause == 0 && s.cpl == before.cpl);
        assert_memory_equal(&s.segment, &before.segment, sizeof s.segment);
        assert_memory_equal(&s.ldtr, &before.ldtr, sizeof s.ldtr);
        assert_true(reads == (cases[i].read ? cases[i].read : cases[i].load + 1) && marks == cases[i].mark);
    }
    refuse_read = refuse_mark = 0;
    s.read = read_by_callback;
    s.mark = NULL;
    s.memory = NULL; /* nobody can mark */
    s.user = &code;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 8 | 3), VMM_FAULT);
    assert_true(s.fault.rule == VMM_SEGMENT_TABLE_MEMORY && s.fault.cause == 18);
}

/* RAM ends where the allocation ends, so that a sanitizer sees a byte beyond it. */
static void test_hostile_tables_never_reach_outside_ram(void **state)
{
    uint64_t seed = 5;
    unsigned i;
    uint64_t *own = (uint64_t *)malloc(4096 + 32);
    vmm_memory_t memory = {own, 0x10000, 4096, {0, 0, 0}, 0};
    (void)state;
    assert_non_null(own);
    memset(own, 0xa5, 4096 + 32);
    for (i = 0; i < 400000; i++) {
        const uint64_t r = helper_random(&seed);
        const uint16_t selector = (uint16_t)helper_random(&seed);
        if (i % 64 == 0) {
            vmm_x86_segments_init(&s, &memory);
            s.mode = (uint8_t)(helper_random(&seed) & 3);
            s.gdt_base = (i & 64 ? 0x10000 : i & 128 ? 0x10ff8 : UINT64_C(0) - 16) + (r >> 60);
            if (i % 5 == 0) s.gdt_base = helper_random(&seed);
            s.gdt_limit = (uint16_t)helper_random(&seed);
            s.cpl = (uint8_t)(helper_random(&seed) & 3);
            vmm_put((uint8_t *)own + (r & 0xff8), helper_random(&seed), 8);
            vmm_x86_load_local(&s, selector);
        }
        own[(r >> 12) & 511] = helper_random(&seed);
        vmm_x86_load_segment(&s, i % 6, selector);
        vmm_x86_far_jump(&s, selector, r & 0xffff);
        vmm_x86_far_return(&s, selector, r & 0xffff, (uint16_t)(r >> 20));
        assert_true(s.cpl <= 3);
    }
    for (i = 512; i < 516; i++) assert_true(own[i] == UINT64_C(0xa5a5a5a5a5a5a5a5));
    vmm_x86_segments_init(&s, &memory);
    s.mode = VMM_X86_PROTECTED;
    for (i = 0; i < 16; i++) { /* the last descriptor lies in RAM, in part, or behind it */
        vmm_put((uint8_t *)own + 4096 - 8 + i, FLAT_DATA, 8);
        s.gdt_base = 0x11000 - 16 + i;
        assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 8), i ? VMM_FAULT : VMM_OK);
        if (i) assert_true(s.fault.cause == 18 && s.fault.rule == VMM_SEGMENT_TABLE_MEMORY);
    }
    s.memory = NULL;
    s.mode = VMM_X86_PROTECTED;
    s.gdt_limit = 0xffff;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 8), VMM_FAULT);
    assert_true(s.fault.cause == 18 && s.fault.rule == VMM_SEGMENT_TABLE_MEMORY);
    free(own);
}

/* ---- x86: accesses ------------------------------------------------------------------------- */

static bool offset_is_valid(const vmm_x86_descriptor_t *d, uint64_t offset)
{
    const bool down = d->type < 8 && (d->type & 4);
    if (offset > UINT32_MAX) return false;
    if (!down) return offset <= d->limit;
    return offset > d->limit && offset <= (d->big ? UINT32_MAX : UINT16_MAX);
}

/* Every byte of an access must be valid by itself, for every kind of segment, limit, offset and length at the edges. */
static void test_limits_hold_for_every_byte_of_an_access(void **state)
{
    static const uint32_t edges[] = {0,        1,      2,          3,          7,          0xffe,      0xfff,
                                     0x1000,   0xfffe, 0xffff,     0x10000,    0x10001,    0xffffe,    0xfffff,
                                     0x100000, 0xabcd, 0xfffffffe, 0xffffffff, 0xfffffff0, 0x7fffffff, 0x80000000};
    static const unsigned lengths[] = {1, 2, 3, 4, 6, 8, 10, 16, 32, 64};
    const size_t n = sizeof edges / sizeof *edges;
    vmm_x86_descriptor_t d;
    size_t limit, at, length, kind;
    (void)state;
    x86_open(VMM_X86_PROTECTED, false, 0);
    for (kind = 0; kind < 8; kind++)
        for (limit = 0; limit < n; limit++)
            for (at = 0; at < n; at++)
                for (length = 0; length < sizeof lengths / sizeof *lengths; length++) {
                    const unsigned number = kind & 4 ? VMM_X86_SS : VMM_X86_ES, bytes = lengths[length];
                    vmm_vaddr_t linear = 0;
                    bool valid = true;
                    unsigned i;
                    d = vmm_x86_unpack(FLAT_DATA);
                    d.base = 0xfff01234;
                    d.limit = edges[limit];
                    d.type = kind & 1 ? 7 : 3;
                    d.big = (kind & 2) != 0;
                    s.segment[number].null = false;
                    s.segment[number].descriptor = d;
                    for (i = 0; i < bytes; i++) valid = valid && offset_is_valid(&d, (uint64_t)edges[at] + i);
                    assert_int_equal(vmm_x86_linear(&s, number, VMM_WRITE, edges[at], bytes, &linear),
                                     valid ? VMM_OK : VMM_FAULT);
                    if (valid) assert_true(linear == (uint32_t)(0xfff01234u + edges[at]));
                    else {
                        assert_true(s.fault.rule == VMM_SEGMENT_LIMIT && s.fault.code == 0);
                        assert_true(s.fault.cause == (kind & 4 ? 12 : 13) && s.fault.segment == number);
                        assert_true(s.fault.access == VMM_WRITE && s.fault.offset == edges[at]);
                    }
                }
}

static void test_types_allow_what_the_manual_says(void **state)
{
    unsigned type;
    (void)state;
    for (type = 0; type < 16; type++) {
        const bool code = type >= 8, readable = !code || (type & 2), writable = !code && (type & 2);
        vmm_vaddr_t linear;
        x86_open(VMM_X86_PROTECTED, false, 0);
        s.segment[VMM_X86_FS].descriptor = vmm_x86_unpack(FLAT_DATA);
        s.segment[VMM_X86_FS].descriptor.type = (uint8_t)type;
        if (type < 8 && (type & 4)) s.segment[VMM_X86_FS].descriptor.limit = 0;
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_FS, VMM_READ, 16, 4, &linear), readable ? VMM_OK : VMM_FAULT);
        if (!readable) assert_true(s.fault.rule == VMM_SEGMENT_READ && s.fault.cause == 13);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_FS, VMM_WRITE, 16, 4, &linear), writable ? VMM_OK : VMM_FAULT);
        if (!writable) assert_true(s.fault.rule == VMM_SEGMENT_WRITE && s.fault.cause == 13);
        s.segment[VMM_X86_CS].descriptor.type = (uint8_t)(type | 8);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_CS, VMM_FETCH, 16, 4, &linear), VMM_OK);
        s.mode = VMM_X86_REAL; /* nobody asks for the type */
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_CS, VMM_WRITE, 16, 4, &linear), VMM_OK);
        s.mode = VMM_X86_PROTECTED;
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_FS, VMM_FETCH, 16, 4, &linear), VMM_E_ARGUMENT);
        assert_int_equal(vmm_x86_linear(&s, 6, VMM_READ, 16, 4, &linear), VMM_E_ARGUMENT);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, 3, 16, 4, &linear), VMM_E_ARGUMENT);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 16, 0, &linear), VMM_E_ARGUMENT);
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 16, 4097, &linear), VMM_E_ARGUMENT);
    }
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_CS, 8), VMM_E_ARGUMENT);
    assert_int_equal(vmm_x86_load_segment(&s, 6, 8), VMM_E_ARGUMENT);
}

/* 64-bit mode: FS and GS have bases, limits and types do not count, addresses are canonical. */
static void test_in_64_bit_mode_only_the_bases_of_fs_and_gs_count(void **state)
{
    static const struct {
        uint64_t base, offset;
        unsigned bytes;
        bool good;
    } cases[] = {{0, UINT64_C(0x7fffffffffff), 1, true},
                 {0, UINT64_C(0x7fffffffffff), 2, false},
                 {0, UINT64_C(0x800000000000), 1, false},
                 {0, UINT64_C(0xffff7fffffffffff), 1, false},
                 {0, UINT64_C(0xffff7fffffffffff), 2, false},
                 {0, UINT64_C(0xffff800000000000), 8, true},
                 {UINT64_C(0xffff800000000000), 0x10, 8, true},
                 {UINT64_C(0xffffffff80000000), 0x80000000, 8, true}, /* wraps to 0 */
                 {0x1000, UINT64_C(0x7fffffffffff), 1, false}};
    unsigned number, i;
    (void)state;
    for (number = 0; number < 6; number++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            const bool based = number >= VMM_X86_FS;
            vmm_vaddr_t linear = 0;
            x86_open(VMM_X86_LONG, true, 3);
            s.segment[number].descriptor.base = cases[i].base;
            s.segment[number].descriptor.limit = 0;
            if (number != VMM_X86_CS) s.segment[number].descriptor.type = 1;
            if (!based && cases[i].base) continue;
            assert_int_equal(vmm_x86_linear(&s, number, VMM_WRITE, cases[i].offset, cases[i].bytes, &linear),
                             cases[i].good ? VMM_OK : VMM_FAULT);
            if (cases[i].good) assert_true(linear == cases[i].base + cases[i].offset);
            else {
                assert_int_equal(s.fault.cause, number == VMM_X86_SS ? 12 : 13);
                assert_true(s.fault.rule == VMM_SEGMENT_WIDTH && s.fault.code == 0);
                assert_true(s.fault.offset == cases[i].base + cases[i].offset);
            }
            s.vaddr_bits = 57;
            assert_int_equal(vmm_x86_linear(&s, number, VMM_WRITE, UINT64_C(0x800000000000), 1, &linear), VMM_OK);
        }
    x86_open(VMM_X86_LONG, true, 0);
    s.segment[VMM_X86_DS].descriptor.base = 0x1000; /* ignored */
    {
        vmm_vaddr_t linear = 0;
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 5, 1, &linear), VMM_OK);
        assert_true(linear == 5);
        s.segment[VMM_X86_CS].descriptor.long_code = false; /* compatibility mode */
        assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, UINT64_C(0x700000005), 1, &linear), VMM_OK);
        assert_true(linear == 0x1005);
    }
}

static void test_real_and_virtual_8086_mode_shift_the_selector(void **state)
{
    vmm_vaddr_t linear = 0;
    (void)state;
    vmm_x86_segments_init(&s, NULL);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_CS, VMM_FETCH, 0xfff0, 1, &linear), VMM_OK);
    assert_true(linear == 0xfffffff0); /* the reset vector */
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, 0xffff), VMM_OK);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_WRITE, 0xffff, 1, &linear), VMM_OK);
    assert_true(linear == 0x10ffef);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_WRITE, 0xffff, 2, &linear), VMM_FAULT);
    assert_true(s.fault.cause == 13);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_SS, VMM_WRITE, 0xffff, 2, &linear), VMM_FAULT);
    assert_true(s.fault.cause == 12);
    assert_int_equal(vmm_x86_far_jump(&s, 0x1234, 0x10000), VMM_FAULT);
    assert_true(s.fault.cause == 13 && s.fault.code == 0 && s.segment[VMM_X86_CS].selector == 0xf000);
    assert_int_equal(vmm_x86_far_jump(&s, 0x1234, 0xffff), VMM_OK);
    assert_true(s.segment[VMM_X86_CS].descriptor.base == 0x12340);
    s.segment[VMM_X86_ES].descriptor.limit = 0xffffffff; /* as protected mode left it */
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_ES, 1), VMM_OK);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_ES, VMM_READ, 0x12345678, 4, &linear), VMM_OK);
    assert_true(linear == 0x12345688);
    s.mode = VMM_X86_VIRTUAL;
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_ES, 1), VMM_OK);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_ES, VMM_READ, 0x12345678, 4, &linear), VMM_FAULT);
    assert_true(s.segment[VMM_X86_ES].descriptor.dpl == 3);
    assert_int_equal(vmm_x86_far_return(&s, 8, 0, 0), VMM_E_ARGUMENT);
}

/* The linear address is what the x86 MMU takes. */
static void test_a_segment_lies_over_the_x86_mmu(void **state)
{
    static x_mmu_t mmu;
    vmm_vaddr_t linear = 0;
    uint32_t word = 0;
    (void)state;
    x86_open(VMM_X86_PROTECTED, false, 0);
    assert_int_equal(x_init(&mmu, &x86_window), VMM_OK);
    x86_poke(GDT + 8 * SLOT, UINT64_C(0x0040920008000fff)); /* at 0x800, 4 KiB */
    assert_int_equal(vmm_x86_load_segment(&s, VMM_X86_DS, SLOT << 3), VMM_OK);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_WRITE, 0x10, 4, &linear), VMM_OK);
    assert_int_equal(x_store32(&mmu, linear, 42), VMM_OK);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 0x10, 4, &linear), VMM_OK);
    assert_int_equal(x_load32(&mmu, linear, &word), VMM_OK);
    assert_true(word == 42 && vmm_get((uint8_t *)x86_ram + 0x810, 4) == 42);
    assert_int_equal(vmm_x86_linear(&s, VMM_X86_DS, VMM_READ, 0xffd, 4, &linear), VMM_FAULT);
}

static void test_every_rule_has_a_text_of_its_own(void **state)
{
    unsigned i, j;
    (void)state;
    for (i = 0; i <= VMM_SEGMENT_EXECUTE; i++)
        for (j = 0; j < i; j++) assert_string_not_equal(vmm_segment_rule_text(i), vmm_segment_rule_text(j));
    assert_string_equal(vmm_segment_rule_text(VMM_SEGMENT_EXECUTE + 1), "unknown");
    assert_string_equal(vmm_segment_rule_text(VMM_SEGMENT_LIMIT), "the access goes beyond the segment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_and_bounds_answer_ostep),
        cmocka_unit_test(test_top_bits_answer_ostep),
        cmocka_unit_test(test_top_bits_answer_ostep_homework),
        cmocka_unit_test(test_selectors_answer_silberschatz),
        cmocka_unit_test(test_a_segment_holds_just_its_bytes),
        cmocka_unit_test(test_a_fault_names_the_first_rule_that_failed),
        cmocka_unit_test(test_segments_refuse_arguments_that_mean_nothing),
        cmocka_unit_test(test_the_check_finds_each_broken_descriptor),
        cmocka_unit_test(test_a_linear_address_goes_through_page_tables),
        cmocka_unit_test(test_fits_answer_silberschatz),
        cmocka_unit_test(test_200_mb_do_not_fit_into_two_holes_of_128),
        cmocka_unit_test(test_fragmentation_of_any_size_is_measured),
        cmocka_unit_test(test_compaction_of_16_gib_takes_about_16_seconds),
        cmocka_unit_test(test_partitions_refuse_arguments_that_mean_nothing),
        cmocka_unit_test(test_no_more_partitions_than_were_asked_for),
        cmocka_unit_test(test_the_check_finds_each_broken_record),
        cmocka_unit_test(test_random_partitions_are_as_a_map_of_bytes),
        cmocka_unit_test(test_the_default_move_copies_any_distance),
        cmocka_unit_test(test_known_descriptors_are_unpacked),
        cmocka_unit_test(test_any_8_bytes_are_packed_as_they_were_unpacked),
        cmocka_unit_test(test_loads_of_data_registers_and_ss_follow_the_manual),
        cmocka_unit_test(test_far_jumps_follow_the_manual),
        cmocka_unit_test(test_far_returns_follow_the_manual),
        cmocka_unit_test(test_the_stack_of_a_return_follows_the_manual),
        cmocka_unit_test(test_null_selectors),
        cmocka_unit_test(test_a_return_takes_a_null_stack_to_64_bit_code_alone),
        cmocka_unit_test(test_a_return_outward_takes_away_what_is_too_privileged),
        cmocka_unit_test(test_lldt_follows_the_manual),
        cmocka_unit_test(test_callbacks_are_asked_and_their_refusal_is_passed_on),
        cmocka_unit_test(test_in_long_mode_descriptors_lie_at_canonical_addresses),
        cmocka_unit_test(test_a_refusal_anywhere_loads_nothing),
        cmocka_unit_test(test_hostile_tables_never_reach_outside_ram),
        cmocka_unit_test(test_limits_hold_for_every_byte_of_an_access),
        cmocka_unit_test(test_types_allow_what_the_manual_says),
        cmocka_unit_test(test_in_64_bit_mode_only_the_bases_of_fs_and_gs_count),
        cmocka_unit_test(test_real_and_virtual_8086_mode_shift_the_selector),
        cmocka_unit_test(test_a_segment_lies_over_the_x86_mmu),
        cmocka_unit_test(test_every_rule_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
