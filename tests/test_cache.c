/* test_cache.c - vmm.h, section 8: data caches against published tables, sequences worked by hand, and a slow model;
 * what accesses cost, against the numbers of the textbooks. */
#define VMM_PAGE_SHIFT 6
#define VMM_VADDR_BITS 14
#define VMM_PADDR_BITS 12
#define VMM_LEVELS 1
#define VMM_PTE_BYTES 2
#define VMM_PTE_WRITE 0
#define VMM_PTE_SUPERVISOR 0
#define VMM_PTE_ACCESSED 0
#define VMM_PTE_DIRTY 0
#define VMM_TLB_SETS 4
#define VMM_TLB_WAYS 4
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

VMM_CACHE(l1, 16, 1, 4, VMM_LRU, false, false)

static uint64_t block[1 << 15], other_block[1 << 15];
static vmm_caches_t *c;

static vmm_cache_geometry_t level(uint32_t sets, uint32_t ways, uint32_t bytes, uint8_t policy)
{
    vmm_cache_geometry_t g;
    memset(&g, 0, sizeof g);
    g.sets = sets;
    g.ways = ways;
    g.block = bytes;
    g.policy = policy;
    return g;
}

static void open_caches(const vmm_cache_geometry_t *geometry, unsigned levels)
{
    assert_int_equal(vmm_caches_create(block, sizeof block, geometry, levels, true, &c), VMM_OK);
}

static void open_one(uint32_t sets, uint32_t ways, uint32_t bytes, uint8_t policy)
{
    const vmm_cache_geometry_t g = level(sets, ways, bytes, policy);
    open_caches(&g, 1);
}

/* One access when virtual and physical addresses are alike. */
static unsigned use(vmm_paddr_t pa, unsigned access, vmm_cache_step_t *step)
{
    const unsigned had = vmm_caches_access(c, pa, pa, access, step);
    assert_true(vmm_caches_check(c));
    return had;
}

/* -- the memory system of CS:APP 3e, section 9.6.4 -- */

static uint64_t ram[4096 / 8];
static vmm_mmu_t mmu;
static vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
static l1_cache_t cache;

#define TABLE 0x200

static void set_page(vmm_tables_t *tables, unsigned vpn, unsigned ppn)
{
    const uint32_t flags = VMM_R | VMM_W | VMM_X | VMM_U;
    assert_int_equal(vmm_map(tables, (vmm_vaddr_t)vpn << 6, (vmm_paddr_t)ppn << 6, 64, flags), VMM_OK);
}

static const struct {
    uint8_t ci, ct, bytes[4];
} figure_cache[] = {{0x0, 0x19, {0x99, 0x11, 0x23, 0x11}}, {0x2, 0x1b, {0x00, 0x02, 0x04, 0x08}},
                    {0x4, 0x32, {0x43, 0x6d, 0x8f, 0x09}}, {0x5, 0x0d, {0x36, 0x72, 0xf0, 0x1d}},
                    {0x7, 0x16, {0x11, 0xc2, 0xdf, 0x03}}, {0x8, 0x24, {0x3a, 0x00, 0x51, 0x89}},
                    {0xa, 0x2d, {0x93, 0x15, 0xda, 0x3b}}, {0xd, 0x16, {0x04, 0x96, 0x34, 0x15}},
                    {0xe, 0x13, {0x83, 0x77, 0x1b, 0xd3}}};

/* Figure 9.20; with variant, as the Wroclaw exercise changes it. */
static void open_figure(bool variant)
{
    static const uint8_t tlb[][2] = {{0x24, 0x0d}, {0x1c, 0x02}, {0x0d, 0x2d},
                                     {0x0f, 0x0d}, {0x2b, 0x34}, {0x09, 0x17}};
    static const uint8_t pages[][2] = {{0x00, 0x28}, {0x02, 0x33}, {0x03, 0x02}, {0x05, 0x16}, {0x08, 0x13},
                                       {0x09, 0x17}, {0x0a, 0x09}, {0x0d, 0x2d}, {0x0e, 0x11}, {0x0f, 0x0d}};
    static const uint8_t extra[] = {0xde, 0x01, 0xc4, 0x32};
    vmm_tables_t tables = {&memory, TABLE, 0, 0, 0, 0, 0, 0};
    uint8_t byte;
    size_t i;
    memset(ram, 0, sizeof ram);
    assert_int_equal(vmm_init(&mmu, &memory), VMM_OK);
    assert_int_equal(vmm_set_root(&mmu, TABLE, 0), VMM_OK);
    for (i = 0; i < sizeof tlb / sizeof *tlb - !variant; i++) {
        set_page(&tables, tlb[i][0], tlb[i][1]);
        assert_int_equal(vmm_load8(&mmu, (vmm_vaddr_t)tlb[i][0] << 6, &byte), VMM_OK);
    }
    assert_int_equal(vmm_unmap(&tables, 0, 1 << 14), VMM_OK);
    for (i = 0; i < sizeof pages / sizeof *pages; i++) set_page(&tables, pages[i][0], pages[i][1]);
    l1_init(&cache);
    for (i = 0; i < sizeof figure_cache / sizeof *figure_cache; i++)
        assert_int_equal(
            vmm_caches_put(&cache.caches, 0, figure_cache[i].ci, figure_cache[i].ct, figure_cache[i].bytes), VMM_OK);
    if (variant) assert_int_equal(vmm_caches_put(&cache.caches, 0, 0xf, 0x09, extra), VMM_OK);
}

typedef struct {
    uint32_t va, vpn, vpo, tlbi, tlbt;
    bool tlb_hit, fault;
    uint32_t ppn, pa, co, ci, ct;
    bool hit;
    int byte;
} sheet_t;

static const sheet_t figure_sheet[] = {
    {0x03d4, 0x0f, 0x14, 0x3, 0x03, true, false, 0x0d, 0x354, 0x0, 0x5, 0x0d, true, 0x36},
    {0x03d7, 0x0f, 0x17, 0x3, 0x03, true, false, 0x0d, 0x357, 0x3, 0x5, 0x0d, true, 0x1d},
    {0x027c, 0x09, 0x3c, 0x1, 0x02, false, false, 0x17, 0x5fc, 0x0, 0xf, 0x17, false, -1},
    {0x03a9, 0x0e, 0x29, 0x2, 0x03, false, false, 0x11, 0x469, 0x1, 0xa, 0x11, false, -1},
    {0x0040, 0x01, 0x00, 0x1, 0x00, false, true, 0, 0, 0, 0, 0, false, -1},
    {0x0b8f, 0x2e, 0x0f, 0x2, 0x0b, false, true, 0, 0, 0, 0, 0, false, -1},
    {0x0020, 0x00, 0x20, 0x0, 0x00, false, false, 0x28, 0xa20, 0x0, 0x8, 0x28, false, -1},
};
static const sheet_t variant_sheet[] = {
    {0x027c, 0x09, 0x3c, 0x1, 0x02, true, false, 0x17, 0x5fc, 0x0, 0xf, 0x17, false, -1},
    {0x03a9, 0x0e, 0x29, 0x2, 0x03, false, false, 0x11, 0x469, 0x1, 0xa, 0x11, false, -1},
    {0x0040, 0x01, 0x00, 0x1, 0x00, false, true, 0, 0, 0, 0, 0, false, -1},
};

/* Each access meets the figure as it is printed. */
static void check_sheet(const sheet_t *sheet, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        const sheet_t *s = &sheet[i];
        vmm_examination_t x;
        vmm_cache_step_t step;
        vmm_examine(&mmu, s->va, VMM_READ, &x);
        assert_int_equal(x.vpn, s->vpn);
        assert_int_equal(x.vpo, s->vpo);
        assert_int_equal(x.tlbi, s->tlbi);
        assert_int_equal(x.tlbt, s->tlbt);
        assert_int_equal(x.tlb_hit, s->tlb_hit);
        assert_int_equal(x.status, s->fault ? VMM_FAULT : VMM_OK);
        if (s->fault) continue;
        assert_int_equal(x.ppn, s->ppn);
        assert_int_equal(x.translation.paddr, s->pa);
        vmm_caches_examine(&cache.caches, s->va, s->pa, &step);
        assert_int_equal(step.co, s->co);
        assert_int_equal(step.ci, s->ci);
        assert_int_equal(step.ct, s->ct);
        assert_int_equal(step.hit, s->hit);
        assert_int_equal(step.byte, s->byte);
        assert_int_equal(vmm_caches_byte(&cache.caches, 0, s->va, s->pa), s->byte);
    }
}

static void test_every_field_of_the_memory_system_of_csapp(void **state)
{
    (void)state;
    open_figure(false);
    check_sheet(figure_sheet, sizeof figure_sheet / sizeof *figure_sheet);
}

static void test_every_field_of_its_variant_of_wroclaw(void **state)
{
    (void)state;
    open_figure(true);
    check_sheet(variant_sheet, sizeof variant_sheet / sizeof *variant_sheet);
}

/* CS:APP 3e, practice problems 6.12 to 6.15: 13-bit addresses, 8 sets of 2 ways, blocks of 4 bytes. */
static void test_practice_problems_of_a_two_way_cache(void **state)
{
    static const struct {
        uint8_t ci, ct, bytes[4];
    } lines[] = {
        {0, 0x09, {0x86, 0x30, 0x3f, 0x10}}, {1, 0x45, {0x60, 0x4f, 0xe0, 0x23}}, {1, 0x38, {0x00, 0xbc, 0x0b, 0x37}},
        {3, 0x32, {0x12, 0x08, 0x7b, 0xad}}, {4, 0xc7, {0x06, 0x78, 0x07, 0xc5}}, {4, 0x05, {0x40, 0x67, 0xc2, 0x3b}},
        {5, 0x71, {0x0b, 0xde, 0x18, 0x4b}}, {6, 0x91, {0xa0, 0xb7, 0x26, 0x2d}}, {7, 0xde, {0x12, 0xc0, 0x88, 0x37}}};
    static const struct {
        uint32_t pa, co, ci, ct;
        bool hit;
        int byte;
    } asked[] = {{0x0e34, 0, 5, 0x71, true, 0x0b}, {0x0dd5, 1, 5, 0x6e, false, -1}, {0x1fe4, 0, 1, 0xff, false, -1}};
    vmm_cache_step_t step;
    size_t i;
    (void)state;
    open_one(8, 2, 4, VMM_LRU);
    for (i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(vmm_caches_put(c, 0, lines[i].ci, lines[i].ct, lines[i].bytes), VMM_OK);
    assert_true(vmm_caches_check(c));
    for (i = 0; i < sizeof asked / sizeof *asked; i++) {
        vmm_caches_examine(c, 0, asked[i].pa, &step);
        assert_int_equal(step.co, asked[i].co);
        assert_int_equal(step.ci, asked[i].ci);
        assert_int_equal(step.ct, asked[i].ct);
        assert_int_equal(step.hit, asked[i].hit);
        assert_int_equal(step.byte, asked[i].byte);
    }
}

/* -- sequences worked by hand -- */

/* Addresses, and for each h: hit, m: miss. A negative address is a write (of ~a). writebacks: at the end. */
typedef struct {
    const char *source;
    vmm_cache_geometry_t geometry;
    int address[20], count;
    const char *answer;
    int writebacks;
} worked_t;

static const worked_t worked[] = {
    {"Patterson and Hennessy, direct-mapped, 8 blocks of one word",
     {8, 1, 1, VMM_LRU, false, false, false, 0},
     {22, 26, 22, 26, 16, 3, 16, 18, 16},
     9,
     "mmhhmmhmh",
     0},
    {"Patterson and Hennessy, 4 blocks, direct-mapped",
     {4, 1, 1, VMM_LRU, false, false, false, 0},
     {0, 8, 0, 6, 8},
     5,
     "mmmmm",
     0},
    {"Patterson and Hennessy, 4 blocks, two ways",
     {2, 2, 1, VMM_LRU, false, false, false, 0},
     {0, 8, 0, 6, 8},
     5,
     "mmhmm",
     0},
    {"Patterson and Hennessy, 4 blocks, fully associative",
     {1, 4, 1, VMM_LRU, false, false, false, 0},
     {0, 8, 0, 6, 8},
     5,
     "mmhmh",
     0},
    {"CS:APP 6.4.2, direct-mapped, (S, E, B, m) = (4, 1, 2, 4)",
     {4, 1, 2, VMM_LRU, false, false, false, 0},
     {0, 1, 13, 8, 0},
     5,
     "mhmmm",
     0},
    {"CS:APP, two ways, (2, 2, 2, 4)", {2, 2, 2, VMM_LRU, false, false, false, 0}, {0, 1, 7, 8, 0}, 5, "mhmmh", 0},
    {"FIFO forgets the first that came, used or not",
     {1, 2, 1, VMM_FIFO, false, false, false, 0},
     {0, 1, 0, 2, 0, 1},
     6,
     "mmhmmm",
     0},
    {"LRU keeps what was used", {1, 2, 1, VMM_LRU, false, false, false, 0}, {0, 1, 0, 2, 0, 1}, 6, "mmhmhm", 0},
    {"tree pseudo-LRU: after 0 1 2 3 0 the victim is 2, where LRU takes 1",
     {1, 4, 1, VMM_PLRU, false, false, false, 0},
     {0, 1, 2, 3, 0, 4, 1, 2},
     8,
     "mmmmhmhm",
     0},
    {"LRU takes 1 there", {1, 4, 1, VMM_LRU, false, false, false, 0}, {0, 1, 2, 3, 0, 4, 2, 1}, 8, "mmmmhmhm", 0},
    {"write-back: a block written twice is written once, when it leaves",
     {1, 1, 4, VMM_LRU, false, false, false, 0},
     {~0, ~1, 4, 0, 4},
     5,
     "mhmmm",
     1},
    {"write-through leaves nothing to write back",
     {1, 1, 4, VMM_LRU, true, false, false, 0},
     {~0, ~1, 4, 0, 4},
     5,
     "mhmmm",
     0},
    {"a write that misses gets no line", {1, 1, 4, VMM_LRU, false, true, false, 0}, {~0, 0, ~1, 4}, 4, "mmhm", 1},
};

static void test_sequences_worked_by_hand(void **state)
{
    size_t i;
    int k;
    (void)state;
    for (i = 0; i < sizeof worked / sizeof *worked; i++) {
        const worked_t *w = &worked[i];
        open_caches(&w->geometry, 1);
        for (k = 0; k < w->count; k++) {
            const bool write = w->address[k] < 0;
            const vmm_paddr_t pa = (vmm_paddr_t)(write ? ~w->address[k] : w->address[k]);
            const unsigned had = use(pa, write ? VMM_WRITE : k & 1 ? VMM_READ : VMM_FETCH, NULL);
            if ((had == 0) != (w->answer[k] == 'h')) fail_msg("%s: access %d", w->source, k + 1);
        }
        if (vmm_caches_stats(c, 0)->writebacks != (uint64_t)w->writebacks) fail_msg("%s: writebacks", w->source);
    }
}

static void test_one_set_of_many_ways_is_fully_associative(void **state)
{
    vmm_paddr_t i;
    (void)state;
    open_one(1, 1000, 64, VMM_LRU);
    for (i = 0; i < 1000; i++) assert_int_equal(vmm_caches_access(c, 0, i * 64 + 7, VMM_READ, NULL), 1);
    for (i = 0; i < 1000; i++) assert_int_equal(vmm_caches_access(c, 0, i * 64, VMM_READ, NULL), 0);
    assert_int_equal(use(64000, VMM_READ, NULL), 1);
    assert_int_equal(use(64, VMM_READ, NULL), 0);
    assert_int_equal(use(0, VMM_READ, NULL), 1); /* the one that left */
}

/* -- several levels -- */

static void test_a_dirty_victim_goes_to_the_next_level_and_may_push_another_one_out(void **state)
{
    vmm_cache_geometry_t g[2];
    vmm_cache_step_t step[2];
    (void)state;
    g[0] = level(1, 1, 4, VMM_LRU);
    g[1] = level(1, 2, 4, VMM_LRU);
    open_caches(g, 2);
    assert_int_equal(use(0x00, VMM_WRITE, step), 2); /* level 0: 00 dirty; level 1: 00 */
    assert_true(step[0].filled && step[1].filled && !step[0].evicted && !step[1].passed);
    assert_int_equal(vmm_caches_invalidate(c, 0x100, 4), 0);
    assert_int_equal(use(0x10, VMM_WRITE, step), 2); /* 00 is written to level 1, which has it; then 10 is read */
    assert_true(step[0].evicted && step[0].written_back && !step[1].evicted);
    assert_int_equal(step[0].victim, 0x00);
    assert_int_equal(vmm_caches_stats(c, 1)->victim_hits, 1);
    assert_int_equal(use(0x20, VMM_READ, step), 2); /* 10 to level 1; 20 pushes the dirty 00 out of it */
    assert_true(step[0].written_back && step[1].evicted && step[1].written_back);
    assert_int_equal(step[0].victim, 0x10);
    assert_int_equal(step[1].victim, 0x00);
    assert_int_equal(vmm_caches_stats(c, 2)->victim_hits, 1); /* memory took 00 */
    assert_int_equal(vmm_caches_stats(c, 2)->hits, 3);
    assert_int_equal(use(0x10, VMM_READ, step), 1);
}

static void test_a_victim_that_the_next_level_lost_gets_a_line_there_again(void **state)
{
    vmm_cache_geometry_t g[2];
    (void)state;
    g[0] = level(1, 2, 4, VMM_LRU);
    g[1] = level(1, 1, 4, VMM_LRU);
    open_caches(g, 2);
    use(0x00, VMM_WRITE, NULL);
    use(0x10, VMM_WRITE, NULL); /* level 1 holds 10 now */
    use(0x20, VMM_READ, NULL);  /* 00 leaves level 0, finds no line, gets one without a read; then 20 is read */
    assert_int_equal(vmm_caches_stats(c, 1)->victim_misses, 1);
    assert_int_equal(vmm_caches_stats(c, 1)->evictions, 3);
    assert_int_equal(vmm_caches_stats(c, 1)->writebacks, 1);
    assert_int_equal(vmm_caches_stats(c, 2)->hits, 3);
    assert_int_equal(vmm_caches_stats(c, 2)->victim_hits, 1);
}

static void test_a_smaller_victim_has_the_rest_of_its_block_read(void **state)
{
    vmm_cache_geometry_t g[2];
    (void)state;
    g[0] = level(1, 2, 4, VMM_LRU);
    g[1] = level(1, 1, 8, VMM_LRU);
    open_caches(g, 2);
    use(0x00, VMM_WRITE, NULL);
    use(0x10, VMM_READ, NULL);
    use(0x20, VMM_READ, NULL);
    assert_int_equal(vmm_caches_stats(c, 1)->victim_misses, 1);
    assert_int_equal(vmm_caches_stats(c, 2)->victim_hits, 2); /* 00 read for the victim, and written when it left */
    assert_int_equal(use(0x24, VMM_READ, NULL), 1);           /* the other half came along */
}

static void test_write_through_reaches_memory_at_once(void **state)
{
    vmm_cache_geometry_t g[2];
    vmm_cache_step_t step[2];
    (void)state;
    g[0] = level(4, 1, 4, VMM_LRU);
    g[1] = level(4, 1, 4, VMM_LRU);
    g[0].write_through = g[1].write_through = true;
    open_caches(g, 2);
    use(0, VMM_READ, NULL);
    assert_int_equal(use(0, VMM_WRITE, step), 0);
    assert_true(step[0].hit && step[0].passed && step[1].asked && step[1].hit && step[1].passed);
    assert_int_equal(vmm_caches_stats(c, 2)->write_hits, 1);
    assert_int_equal(use(0x100, VMM_WRITE, step), 2); /* read into both, then written through both */
    assert_int_equal(vmm_caches_stats(c, 1)->hits, 2);
    assert_int_equal(vmm_caches_stats(c, 2)->write_hits, 2);
    assert_int_equal(vmm_caches_flush(c, 0, 0), 0);
}

/* -- a virtual index -- */

/* 16 sets of 64 bytes on pages of 512 bytes: CI bit 3 is not part of the page offset. */
static void test_a_block_reached_through_two_pages_is_told_as_a_synonym(void **state)
{
    vmm_cache_geometry_t g = level(16, 1, 64, VMM_LRU);
    vmm_cache_step_t step;
    (void)state;
    g.virtual_index = true;
    g.page_shift = 9;
    open_caches(&g, 1);
    assert_int_equal(vmm_caches_access(c, 0x0040, 0x8040, VMM_WRITE, &step), 1);
    assert_int_equal(step.ci, 0x1);
    assert_int_equal(step.ct, 0x8040 >> 9); /* as much as CI does not tell for sure */
    assert_false(step.synonym);
    vmm_caches_examine(c, 0x0040, 0x8040, &step);
    assert_true(step.hit && !step.synonym);
    assert_int_equal(vmm_caches_access(c, 0x0240, 0x8040, VMM_READ, &step), 1); /* another page, the same frame */
    assert_int_equal(step.ci, 0x9);
    assert_true(step.synonym);
    assert_int_equal(vmm_caches_stats(c, 0)->synonyms, 1);
    assert_int_equal(vmm_caches_access(c, 0x0040, 0x8040, VMM_READ, &step), 0); /* both are there */
    assert_int_equal(vmm_caches_access(c, 0x0240, 0x8040, VMM_READ, &step), 0);
    assert_false(step.synonym);
    vmm_caches_examine(c, 0x0240, 0x8040, &step);
    assert_true(step.hit && step.synonym);
    assert_true(vmm_caches_check(c));
    assert_int_equal(vmm_caches_flush(c, 0x8000, 512), 1); /* a frame leaves: every line of it, wherever it is */
    vmm_caches_examine(c, 0x0040, 0x8040, &step);
    assert_false(step.hit);
    vmm_caches_examine(c, 0x0240, 0x8040, &step);
    assert_false(step.hit || step.synonym);
}

static void test_an_index_inside_the_page_offset_has_no_synonyms(void **state)
{
    vmm_cache_geometry_t g = level(8, 2, 64, VMM_LRU);
    vmm_cache_step_t step;
    (void)state;
    g.virtual_index = true;
    g.page_shift = 9; /* 8 x 64 */
    open_caches(&g, 1);
    assert_int_equal(vmm_caches_access(c, 0x0040, 0x8040, VMM_READ, &step), 1);
    assert_int_equal(vmm_caches_access(c, 0x0240, 0x8040, VMM_READ, &step), 0);
    assert_int_equal(step.ct, 0x8040 >> 9);
    assert_int_equal(vmm_caches_put(c, 0, 3, 0x77, NULL), VMM_OK);
    assert_int_equal(vmm_caches_access(c, 0x10c0, (0x77 << 9) + 0xc0, VMM_READ, &step), 0);
}

static void test_without_a_page_size_the_tag_is_the_whole_block_number(void **state)
{
    vmm_cache_geometry_t g = level(8, 1, 64, VMM_LRU);
    vmm_cache_step_t step;
    (void)state;
    g.virtual_index = true;
    open_caches(&g, 1);
    assert_int_equal(vmm_caches_access(c, 0x0040, 0x8040, VMM_READ, &step), 1);
    assert_int_equal(step.ct, 0x8040 >> 6);
    assert_int_equal(vmm_caches_access(c, 0x0080, 0x8040, VMM_READ, &step), 1);
    assert_true(step.synonym);
    assert_true(vmm_caches_check(c));
}

/* -- putting, flushing, copying -- */

static void test_contents_stay_until_the_line_is_written_or_leaves(void **state)
{
    static const uint8_t bytes[4] = {1, 2, 3, 4};
    vmm_cache_step_t step;
    (void)state;
    open_one(2, 2, 4, VMM_LRU);
    assert_int_equal(vmm_caches_put(c, 0, 1, 0x10, bytes), VMM_OK); /* address 0x84 */
    assert_int_equal(use(0x86, VMM_READ, &step), 0);
    assert_int_equal(step.byte, 3);
    assert_int_equal(use(0x86, VMM_READ, NULL), 0);
    assert_int_equal(vmm_caches_byte(c, 0, 0, 0x87), 4);
    assert_int_equal(use(0x86, VMM_WRITE, NULL), 0);
    assert_int_equal(vmm_caches_byte(c, 0, 0, 0x87), -1);
    assert_int_equal(vmm_caches_put(c, 0, 1, 0x10, bytes), VMM_OK); /* known again */
    assert_int_equal(vmm_caches_byte(c, 0, 0, 0x84), 1);
    assert_int_equal(vmm_caches_byte(c, 1, 0, 0x84), -1); /* no such level */
    assert_int_equal(vmm_caches_put(c, 0, 1, 0x10, NULL), VMM_OK);
    assert_int_equal(vmm_caches_byte(c, 0, 0, 0x84), -1);
}

static void test_a_block_put_twice_keeps_its_place_and_its_mark(void **state)
{
    (void)state;
    open_one(1, 2, 4, VMM_FIFO);
    assert_int_equal(vmm_caches_put(c, 0, 0, 1, NULL), VMM_OK);
    assert_int_equal(vmm_caches_put(c, 0, 0, 2, NULL), VMM_OK);
    use(4, VMM_WRITE, NULL);
    assert_int_equal(vmm_caches_put(c, 0, 0, 1, (const uint8_t *)"abcd"), VMM_OK);
    assert_int_equal(vmm_caches_byte(c, 0, 0, 6), 'c');
    use(12, VMM_READ, NULL); /* 1 came first, and is dirty still */
    assert_int_equal(use(8, VMM_READ, NULL), 0);
    assert_int_equal(vmm_caches_stats(c, 0)->writebacks, 1);
}

static void test_bad_requests_change_nothing(void **state)
{
    const vmm_cache_geometry_t good = level(4, 2, 16, VMM_LRU);
    static const uint8_t bytes[16] = {0};
    static uint64_t before[sizeof block / 8];
    vmm_cache_geometry_t g[2];
    vmm_caches_t *none = NULL;
    unsigned i;
    static const vmm_cache_geometry_t bad[] = {
        {0, 1, 4, VMM_LRU, false, false, false, 0},         {3, 1, 4, VMM_LRU, false, false, false, 0},
        {0x2000000, 1, 4, VMM_LRU, false, false, false, 0}, {4, 0, 4, VMM_LRU, false, false, false, 0},
        {4, 65537, 4, VMM_LRU, false, false, false, 0},     {4, 1, 0, VMM_LRU, false, false, false, 0},
        {4, 1, 24, VMM_LRU, false, false, false, 0},        {4, 1, 0x20000, VMM_LRU, false, false, false, 0},
        {4, 1, 4, VMM_RANDOM + 1, false, false, false, 0},  {4, 3, 4, VMM_PLRU, false, false, false, 0},
        {4, 128, 4, VMM_PLRU, false, false, false, 0},      {4, 1, 64, VMM_LRU, false, false, true, 5},
        {4, 1, 4, VMM_LRU, false, false, true, 64},
    };
    (void)state;
    open_caches(&good, 1);
    memcpy(before, block, sizeof block);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vmm_caches_bytes(&bad[i], 1, false), 0);
        assert_int_equal(vmm_caches_create(block, sizeof block, &bad[i], 1, false, &none), VMM_E_ARGUMENT);
    }
    g[0] = level(4, 1, 16, VMM_LRU);
    g[1] = level(4, 1, 8, VMM_LRU); /* blocks shrink */
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 2, false, &none), VMM_E_ARGUMENT);
    g[1].block = 16;
    g[1].virtual_index = true; /* not level 0 */
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 2, false, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 0, false, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 5, false, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create(NULL, sizeof block, g, 1, false, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create(block, sizeof block, NULL, 1, false, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 1, false, NULL), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_create((char *)block + 4, 8192, g, 1, false, &none), VMM_E_ALIGN);
    assert_int_equal(vmm_caches_create(block, vmm_caches_bytes(g, 1, true) - 1, g, 1, true, &none), VMM_E_ARGUMENT);
    assert_null(none);
    assert_int_equal(vmm_caches_put(c, 1, 0, 0, NULL), VMM_E_ARGUMENT);
    assert_int_equal(vmm_caches_put(c, 0, 4, 0, NULL), VMM_E_RANGE);
    assert_int_equal(vmm_caches_put(c, 0, 0, UINT64_C(1) << 58, NULL), VMM_E_RANGE);
    assert_null(vmm_caches_stats(c, 2));
    assert_memory_equal(before, block, sizeof block);
    assert_int_equal(vmm_caches_put(c, 0, 0, (UINT64_C(1) << 58) - 1, NULL), VMM_OK);
    assert_int_equal(vmm_caches_put(c, 0, 0, 5, NULL), VMM_OK);
    memcpy(before, block, sizeof block);
    assert_int_equal(vmm_caches_put(c, 0, 0, 6, NULL), VMM_E_LIMIT);
    assert_memory_equal(before, block, sizeof block);
    assert_int_equal(vmm_caches_create(block, sizeof block, &good, 1, false, &c), VMM_OK);
    assert_int_equal(vmm_caches_put(c, 0, 0, 6, bytes), VMM_E_ARGUMENT); /* no room for contents */
}

static void test_flushing_a_range_writes_its_dirty_blocks_to_memory_once(void **state)
{
    vmm_cache_geometry_t g[3];
    vmm_paddr_t pa;
    (void)state;
    g[0] = level(4, 2, 16, VMM_PLRU);
    g[1] = level(8, 2, 16, VMM_FIFO);
    g[2] = level(4, 16, 32, VMM_LRU);
    open_caches(g, 3);
    for (pa = 0; pa < 1024; pa += 16) use(pa, VMM_WRITE, NULL);
    assert_int_equal(vmm_caches_flush(c, 0x108, 0x70), 4); /* 100 to 17f, in blocks of the last level */
    assert_true(vmm_caches_check(c));
    for (pa = 0; pa < 1024; pa += 16) {
        vmm_cache_step_t step[3];
        vmm_caches_examine(c, pa, pa, step);
        assert_int_equal(step[0].hit || step[1].hit || step[2].hit, pa < 0x100 || pa >= 0x180);
    }
    assert_int_equal(vmm_caches_flush(c, 0x100, 0x80), 0);
    assert_int_equal(vmm_caches_flush(c, 99, 0), 28);
    assert_int_equal(vmm_caches_flush(c, 0, 0), 0);
    assert_int_equal(vmm_caches_stats(c, 3)->victim_writes, 32);
    assert_int_equal(use(0, VMM_READ, NULL), 3);
}

static void test_invalidating_loses_what_was_dirty(void **state)
{
    (void)state;
    open_one(4, 2, 16, VMM_LRU);
    use(0x00, VMM_WRITE, NULL);
    use(0x10, VMM_WRITE, NULL);
    use(0x20, VMM_READ, NULL);
    assert_int_equal(vmm_caches_invalidate(c, 0x1f, 2), 1);
    assert_int_equal(use(0x00, VMM_READ, NULL), 0);
    assert_int_equal(use(0x20, VMM_READ, NULL), 1);
    assert_int_equal(vmm_caches_invalidate(c, 0, 0), 1);
    assert_int_equal(use(0x20, VMM_READ, NULL), 1);
    assert_int_equal(vmm_caches_stats(c, 0)->writebacks, 0);
    assert_int_equal(vmm_caches_stats(c, 1)->victim_hits, 0);
    assert_int_equal(vmm_caches_invalidate(c, UINT64_MAX - 5, 100), 0); /* up to the end of memory */
}

static void test_a_copy_elsewhere_goes_on_in_the_same_way(void **state)
{
    vmm_cache_geometry_t g[2];
    vmm_caches_t *copy = (vmm_caches_t *)(void *)other_block;
    uint64_t random = 99;
    int i;
    (void)state;
    g[0] = level(4, 2, 16, VMM_RANDOM);
    g[1] = level(8, 3, 32, VMM_RANDOM);
    open_caches(g, 2);
    for (i = 0; i < 500; i++) use(helper_random(&random) & 0x3ff, i & 1, NULL);
    memcpy(other_block, block, (size_t)c->bytes);
    for (i = 0; i < 500; i++) {
        const vmm_paddr_t pa = helper_random(&random) & 0x3ff;
        assert_int_equal(vmm_caches_access(copy, pa, pa, i & 1, NULL), use(pa, i & 1, NULL));
    }
    assert_memory_equal(other_block, block, (size_t)c->bytes);
}

static void test_looking_changes_nothing(void **state)
{
    vmm_cache_step_t step[2];
    vmm_cache_geometry_t g[2];
    vmm_paddr_t pa;
    (void)state;
    g[0] = level(4, 2, 16, VMM_LRU);
    g[1] = level(8, 2, 16, VMM_LRU);
    open_caches(g, 2);
    for (pa = 0; pa < 512; pa += 8) use(pa * 5, VMM_WRITE, NULL);
    memcpy(other_block, block, sizeof block);
    for (pa = 0; pa < 4096; pa += 4) {
        vmm_caches_examine(c, pa, pa, step);
        assert_true(step[0].asked && step[1].asked == !step[0].hit);
        assert_int_equal(step[0].ct << 6 | step[0].ci << 4 | step[0].co, pa);
        assert_int_equal(step[1].ct << 7 | step[1].ci << 4 | step[1].co, pa);
        vmm_caches_byte(c, 0, pa, pa);
    }
    assert_memory_equal(other_block, block, sizeof block);
}

static void test_an_access_of_many_bytes_asks_for_each_block(void **state)
{
    (void)state;
    open_one(4, 1, 4, VMM_LRU);
    assert_int_equal(vmm_caches_access_bytes(c, 2, 2, 4, VMM_READ), 1); /* 0 and 4 */
    assert_int_equal(vmm_caches_stats(c, 0)->misses, 2);
    assert_int_equal(vmm_caches_access_bytes(c, 0, 0, 8, VMM_WRITE), 0);
    assert_int_equal(vmm_caches_access_bytes(c, 0, 0, 0, VMM_WRITE), 0);
    assert_int_equal(vmm_caches_access_bytes(c, 7, 7, 1, VMM_READ), 0);
    assert_int_equal(vmm_caches_stats(c, 0)->hits, 3);
    assert_int_equal(vmm_caches_access_bytes(c, 7, 7, 2, VMM_READ), 1); /* the farther part counts */
}

/* -- the check -- */

static void test_the_check_sees_whatever_is_broken(void **state)
{
    vmm_cache_geometry_t g[2];
    vmm_caches_ref_t u;
    vmm_cache_line_t *line, *lower;
    (void)state;
    g[0] = level(2, 4, 16, VMM_LRU);
    g[1] = level(2, 4, 16, VMM_PLRU);
    g[1].write_through = true;
    open_caches(g, 2);
    use(0x00, VMM_READ, NULL);
    use(0x40, VMM_WRITE, NULL);
    u = vmm_caches_parts(c);
    line = vmm_caches_lines(u, 0, 0);
    lower = vmm_caches_lines(u, 1, 0);
    memcpy(other_block, block, sizeof block);
#define SEEN(breaking)                                                                                                 \
    assert_true(vmm_caches_check(c));                                                                                  \
    breaking;                                                                                                          \
    assert_false(vmm_caches_check(c));                                                                                 \
    memcpy(block, other_block, sizeof block)
    SEEN(line[1].block = line[0].block);       /* twice in a set */
    SEEN(line[1].stamp = line[0].stamp);       /* no order */
    SEEN(line[0].block++);                     /* in a wrong set */
    SEEN(line[2].block = 2);                   /* invalid, but not empty */
    SEEN(line[0].stamp = 1);                   /* marked, but never used */
    SEEN(line[0].stamp = (c->clock + 1) << 2); /* used in the future */
    SEEN(lower[0].stamp |= 1);                 /* dirty with write-through */
    SEEN(vmm_caches_set(u, 0, 0)->recent = 0); /* not the newest */
    SEEN(vmm_caches_set(u, 0, 0)->recent = 4); /* no way */
    SEEN(vmm_caches_set(u, 0, 0)->tree = 2);   /* no tree with LRU */
    SEEN(vmm_caches_set(u, 1, 0)->tree |= 1);  /* no such node */
    SEEN(vmm_caches_set(u, 1, 1)->tree |= 16); /* likewise */
    SEEN(vmm_caches_set(u, 0, 1)->spare = 1);
    SEEN(c->geometry[0].ways = 3);
    SEEN(c->levels = 0);
    SEEN(c->bytes = 0);
    assert_true(vmm_caches_check(c));
#undef SEEN
    assert_int_equal(vmm_caches_create(block, sizeof block, g, 1, false, &c), VMM_OK);
    use(0x00, VMM_READ, NULL);
    vmm_caches_lines(vmm_caches_parts(c), 0, 0)->stamp |= 2; /* contents without room for them */
    assert_false(vmm_caches_check(c));
}

/* -- against a slow model: a record for each line, every rule as its sentence says it -- */

#define SETS 8
#define WAYS 16

typedef struct {
    bool valid, dirty, known;
    uint64_t number; /* of its block */
    unsigned used, came;
} slow_line_t;

static struct {
    vmm_cache_geometry_t geometry[VMM_CACHE_LEVELS];
    unsigned levels;
    slow_line_t line[VMM_CACHE_LEVELS][SETS][WAYS];
    unsigned half_used[VMM_CACHE_LEVELS][SETS][WAYS][WAYS + 1]; /* pseudo-LRU: when ways first to end - 1 were used */
    uint32_t random[VMM_CACHE_LEVELS];
    unsigned now;
    vmm_cache_stats_t stats[VMM_CACHE_LEVELS + 1];
    vmm_cache_step_t step[VMM_CACHE_LEVELS];
    unsigned had;
    vmm_vaddr_t va;
} slow;

static unsigned slow_set(unsigned number, vmm_paddr_t pa)
{
    const vmm_cache_geometry_t *g = &slow.geometry[number];
    return (unsigned)((g->virtual_index ? slow.va : pa) / g->block % g->sets);
}

static void slow_use(unsigned number, unsigned set, unsigned way)
{
    unsigned first = 0, end = slow.geometry[number].ways;
    slow.line[number][set][way].used = ++slow.now;
    while (end - first > 1) { /* every half that the way lies in was used */
        const unsigned middle = first + (end - first) / 2;
        if (way < middle) end = middle;
        else first = middle;
        slow.half_used[number][set][first][end] = slow.now;
    }
}

static unsigned slow_victim(unsigned number, unsigned set)
{
    const vmm_cache_geometry_t *g = &slow.geometry[number];
    slow_line_t *line = slow.line[number][set];
    unsigned way, best = 0, first = 0, end = g->ways;
    for (way = 0; way < g->ways; way++)
        if (!line[way].valid) return way;
    for (way = 1; way < g->ways; way++)
        if (g->policy == VMM_LRU ? line[way].used < line[best].used : line[way].came < line[best].came) best = way;
    if (g->policy == VMM_RANDOM) {
        uint32_t *x = &slow.random[number];
        *x ^= *x << 13;
        *x ^= *x >> 17;
        *x ^= *x << 5;
        return *x % g->ways;
    }
    if (g->policy != VMM_PLRU) return best;
    while (end - first > 1) { /* the half that was not the one used last */
        const unsigned middle = first + (end - first) / 2;
        if (slow.half_used[number][set][first][middle] > slow.half_used[number][set][middle][end]) first = middle;
        else end = middle;
    }
    return first;
}

static bool slow_elsewhere(unsigned set, uint64_t block_number)
{
    unsigned other, way;
    for (other = 0; other < slow.geometry[0].sets; other++)
        for (way = 0; other != set && way < slow.geometry[0].ways; way++)
            if (slow.line[0][other][way].valid && slow.line[0][other][way].number == block_number) return true;
    return false;
}

/* bytes: what a victim writes; 0: an access or what it led to. */
static void slow_request(unsigned number, vmm_paddr_t pa, bool write, uint32_t bytes, bool demand);

static unsigned slow_fill(unsigned number, vmm_paddr_t pa, bool write, uint32_t bytes, bool demand,
                          vmm_cache_step_t *step)
{
    const vmm_cache_geometry_t *g = &slow.geometry[number];
    const unsigned set = slow_set(number, pa), way = slow_victim(number, set);
    slow_line_t *line = &slow.line[number][set][way];
    const slow_line_t out = *line;
    step->filled = true;
    step->evicted = out.valid;
    step->written_back = out.valid && out.dirty;
    step->victim = out.valid ? out.number * g->block : 0;
    step->synonym = g->virtual_index && slow_elsewhere(set, pa / g->block);
    slow.stats[number].evictions += step->evicted;
    slow.stats[number].writebacks += step->written_back;
    slow.stats[number].synonyms += step->synonym;
    memset(line, 0, sizeof *line);
    if (step->written_back) slow_request(number + 1, out.number * g->block, true, g->block, false);
    if (!(write && bytes == g->block)) slow_request(number + 1, pa, false, 0, demand);
    line->valid = true;
    line->number = pa / g->block;
    line->came = ++slow.now;
    return way;
}

static void slow_request(unsigned number, vmm_paddr_t pa, bool write, uint32_t bytes, bool demand)
{
    const vmm_cache_geometry_t *g = &slow.geometry[number];
    vmm_cache_stats_t *stats = &slow.stats[number];
    vmm_cache_step_t unseen, *step = &unseen;
    unsigned set, way;
    bool hit;
    memset(&unseen, 0, sizeof unseen);
    set = number < slow.levels ? slow_set(number, pa) : 0;
    for (way = 0; number < slow.levels && way < g->ways; way++)
        if (slow.line[number][set][way].valid && slow.line[number][set][way].number == pa / g->block) break;
    hit = number == slow.levels || way < g->ways;
    *(demand ? hit ? &stats->hits : &stats->misses : hit ? &stats->victim_hits : &stats->victim_misses) += 1;
    if (demand && write) *(hit ? &stats->write_hits : &stats->write_misses) += 1;
    if (!demand && write) stats->victim_writes++;
    if (number == slow.levels) return;
    if (demand && !slow.step[number].asked) {
        step = &slow.step[number];
        if (hit && slow.had > number) slow.had = number;
    }
    step->asked = true;
    step->hit = hit;
    if (!hit && !(write && g->no_write_allocate)) way = slow_fill(number, pa, write, bytes, demand, step);
    if (way < g->ways) {
        slow_use(number, set, way);
        step->way = way;
        if (write) slow.line[number][set][way].known = false;
        if (write && !g->write_through) slow.line[number][set][way].dirty = true;
        step->byte = slow.line[number][set][way].known ? (int16_t)(pa & 0xff) : (int16_t)-1;
    }
    step->passed = write && (g->write_through || way >= g->ways);
    if (step->passed) {
        stats->passed++;
        slow_request(number + 1, pa, true, bytes, demand);
    }
}

static void slow_access(vmm_vaddr_t va, vmm_paddr_t pa, bool write)
{
    unsigned i;
    memset(slow.step, 0, sizeof slow.step);
    for (i = 0; i < slow.levels; i++) {
        const vmm_cache_geometry_t *g = &slow.geometry[i];
        slow.va = va;
        slow.step[i].co = pa % g->block;
        slow.step[i].ci = slow_set(i, pa);
        slow.step[i].ct = pa / g->block / g->sets;
        if (g->virtual_index && (1u << g->page_shift) < g->block * g->sets) slow.step[i].ct = pa >> g->page_shift;
        slow.step[i].byte = -1;
    }
    slow.had = slow.levels;
    slow_request(0, pa, write, 0, true);
}

/* Drops a range, set by set from that of its first block on. */
static uint64_t slow_drop(vmm_paddr_t first, vmm_paddr_t last, bool write_back)
{
    uint64_t dirty = 0;
    unsigned number, k, way;
    for (number = 0; number < slow.levels; number++) {
        const vmm_cache_geometry_t *g = &slow.geometry[number];
        for (k = 0; k < g->sets; k++)
            for (way = 0; way < g->ways; way++) {
                slow_line_t *line = &slow.line[number][(first / g->block + k) % g->sets][way];
                const slow_line_t out = *line;
                if (!out.valid || out.number < first / g->block || out.number > last / g->block) continue;
                memset(line, 0, sizeof *line);
                dirty += out.dirty;
                if (!out.dirty || !write_back) continue;
                slow.stats[number].writebacks++;
                slow_request(number + 1, out.number * g->block, true, g->block, false);
            }
    }
    return dirty;
}

/* Nothing differs: counters, and every line. */
static void compare_caches(void)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    unsigned i, set, way;
    assert_memory_equal(c->stats, slow.stats, sizeof slow.stats);
    for (i = 0; i < slow.levels; i++)
        for (set = 0; set < slow.geometry[i].sets; set++)
            for (way = 0; way < slow.geometry[i].ways; way++) {
                const vmm_cache_line_t *line = &vmm_caches_lines(u, i, set)[way];
                const slow_line_t *s = &slow.line[i][set][way];
                assert_int_equal(line->stamp != 0, s->valid);
                if (!s->valid) continue;
                assert_int_equal(line->block, s->number);
                assert_int_equal((line->stamp & 1) != 0, s->dirty);
                assert_int_equal((line->stamp & 2) != 0, s->known);
            }
}

static void compare_steps(const vmm_cache_step_t *step)
{
    unsigned i;
    for (i = 0; i < slow.levels; i++) {
        const vmm_cache_step_t *s = &slow.step[i], *t = &step[i];
        assert_int_equal(t->co, s->co);
        assert_int_equal(t->ci, s->ci);
        assert_int_equal(t->ct, s->ct);
        assert_int_equal(t->asked, s->asked);
        assert_int_equal(t->hit, s->hit);
        assert_int_equal(t->filled, s->filled);
        assert_int_equal(t->evicted, s->evicted);
        assert_int_equal(t->written_back, s->written_back);
        assert_int_equal(t->passed, s->passed);
        assert_int_equal(t->synonym, s->synonym);
        assert_int_equal(t->victim, s->victim);
        assert_int_equal(t->way, s->way);
        assert_int_equal(t->byte, s->byte);
    }
}

/* A random number of random levels. Pages are of 64 bytes. */
static void random_caches(uint64_t *random)
{
    uint32_t bytes = 1;
    unsigned i;
    memset(&slow, 0, sizeof slow);
    slow.levels = 1 + (unsigned)(helper_random(random) % VMM_CACHE_LEVELS);
    for (i = 0; i < slow.levels; i++) {
        vmm_cache_geometry_t *g = &slow.geometry[i];
        const uint64_t r = helper_random(random);
        bytes = bytes << (r & 3) > 64 ? 64 : bytes << (r & 3);
        *g = level(1u << (r >> 2 & 3), 1 + (uint32_t)(r >> 4 & (WAYS - 1)), bytes, (uint8_t)(r >> 8 & 3));
        if (g->policy == VMM_PLRU) g->ways = 1u << (r >> 4) % 5;
        g->write_through = (r >> 16 & 3) == 0;
        g->no_write_allocate = (r >> 18 & 3) == 0;
        g->virtual_index = i == 0 && (r >> 20 & 1);
        if (g->virtual_index) g->page_shift = 6;
        slow.random[i] = 0x9e3779b9u + i;
    }
    open_caches(slow.geometry, slow.levels);
}

/* Some lines as an exercise sheet gives them: each byte is the low part of its address. */
static void random_lines(uint64_t *random)
{
    unsigned k, i;
    for (k = 0; k < 20; k++) {
        const unsigned number = (unsigned)(helper_random(random) % slow.levels);
        const vmm_cache_geometry_t *g = &slow.geometry[number];
        const vmm_paddr_t pa = (helper_random(random) & 0x3ff) / g->block * g->block;
        const unsigned set = (unsigned)(pa / g->block % g->sets);
        slow_line_t *line = slow.line[number][set];
        unsigned way;
        uint8_t bytes[64];
        for (way = 0; way < g->ways && line[way].valid && line[way].number != pa / g->block; way++) {}
        if (g->virtual_index || way == g->ways || line[way].valid) continue;
        for (i = 0; i < g->block; i++) bytes[i] = (uint8_t)(pa + i);
        assert_int_equal(vmm_caches_put(c, number, set, pa / g->block / g->sets, bytes), VMM_OK);
        line[way].valid = line[way].known = true;
        line[way].number = pa / g->block;
        line[way].came = ++slow.now;
        slow_use(number, set, way);
    }
}

static void random_drop(uint64_t *random)
{
    const uint64_t r = helper_random(random), before = slow.stats[slow.levels].victim_writes;
    const vmm_paddr_t first = r & 0x1ff, last = first + (r >> 12 & 0xff);
    if (r >> 32 & 1) {
        slow_drop(first, last, true);
        assert_int_equal(vmm_caches_flush(c, first, last - first + 1), slow.stats[slow.levels].victim_writes - before);
    } else assert_int_equal(vmm_caches_invalidate(c, first, last - first + 1), slow_drop(first, last, false));
    compare_caches();
    assert_true(vmm_caches_check(c));
}

static void test_every_step_is_that_of_a_slow_model(void **state)
{
    uint64_t random = 20261;
    unsigned run, k;
    (void)state;
    for (run = 0; run < 200; run++) {
        const uint64_t mask = run & 1 ? 0xff : 0x3ff;
        random_caches(&random);
        random_lines(&random);
        for (k = 0; k < 300; k++) {
            const uint64_t r = helper_random(&random);
            const vmm_vaddr_t va = r & mask;
            const vmm_paddr_t pa = va % 64 + 64 * (va / 64 * 5 % ((mask + 1) / 128)); /* two pages to a frame */
            const unsigned access = (unsigned)(r >> 32) % 3;
            vmm_cache_step_t step[VMM_CACHE_LEVELS];
            unsigned had;
            slow_access(va, pa, access == VMM_WRITE);
            had = vmm_caches_access(c, va, pa, access, r >> 40 & 1 ? step : NULL);
            assert_int_equal(had, slow.had);
            if (r >> 40 & 1) compare_steps(step);
            compare_caches();
            assert_true(vmm_caches_check(c));
            if (k % 50 == 49) random_drop(&random);
        }
    }
}

static void test_a_stamped_cache_does_what_one_made_at_run_time_does(void **state)
{
    uint64_t random = 7;
    int i;
    (void)state;
    open_one(16, 1, 4, VMM_LRU);
    l1_init(&cache);
    for (i = 0; i < 2000; i++) {
        const uint64_t r = helper_random(&random);
        vmm_cache_step_t one, other;
        memset(&one, 0, sizeof one);
        memset(&other, 0, sizeof other);
        assert_int_equal(l1_access(&cache, r & 0x7f, r >> 32 & 1, r >> 33 & 1 ? &one : NULL),
                         use(r & 0x7f, r >> 32 & 1, r >> 33 & 1 ? &other : NULL) == 0);
        assert_memory_equal(&one, &other, sizeof one);
    }
    assert_int_equal(cache.caches.bytes, c->bytes);
    assert_memory_equal(&cache, block, (size_t)c->bytes);
    assert_true(vmm_caches_check(&cache.caches));
}

/* -- what it costs -- */

static vmm_ratio_t ratio(uint64_t part, uint64_t whole)
{
    vmm_ratio_t r;
    r.part = part;
    r.whole = whole;
    return r;
}

/* Times in thousandths. */
static void test_effective_access_times_of_the_textbooks(void **state)
{
    static const struct {
        const char *source;
        uint64_t hit, miss, part, whole, answer;
    } sheet[] = {
        {"Silberschatz, demand paging: 200 ns, 8 ms, p = 1/1000", 200000, UINT64_C(8000000000), 1, 1000, 8199800},
        {"its limit for 10 % slower: one in 399,990", 200000, UINT64_C(8000000000), 1, 399990, 220000},
        {"no faults", 200000, UINT64_C(8000000000), 0, 1000, 200000},
        {"nothing but faults", 200000, UINT64_C(8000000000), 1000, 1000, UINT64_C(8000000000)},
        {"Silberschatz, TLB 20 ns, memory 100 ns, 80 %", 120000, 220000, 20, 100, 140000},
        {"the same, 98 %", 120000, 220000, 2, 100, 122000},
        {"Silberschatz, 9th edition: 100 ns, 80 %", 100000, 200000, 20, 100, 120000},
        {"the same, 99 %", 100000, 200000, 1, 100, 101000},
        {"Silberschatz, 10th edition: 10 ns, 80 %", 10000, 20000, 20, 100, 12000},
        {"the same, 99 %", 10000, 20000, 1, 100, 10100},
        {"Patterson and Hennessy: 1 cycle, penalty 20, miss rate 5 %", 1000, 21000, 5, 100, 2000},
        {"a miss that is faster", 5000, 2000, 1, 3, 4000},
        {"rounded up", 0, 1, 1, 2, 1},
        {"rounded down", 0, 1, 49, 100, 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof sheet / sizeof *sheet; i++)
        if (vmm_effective_time(sheet[i].hit, sheet[i].miss, ratio(sheet[i].part, sheet[i].whole)) != sheet[i].answer)
            fail_msg("%s", sheet[i].source);
}

static void test_parts_are_exact_whatever_their_width(void **state)
{
    const uint64_t most = UINT64_MAX;
    uint64_t random = 5;
    int i;
    (void)state;
    assert_int_equal(vmm_scale(most, ratio(1, 1)), most);
    assert_int_equal(vmm_scale(most, ratio(most, most)), most);
    assert_int_equal(vmm_scale(most, ratio(most - 1, most)), most - 1);
    assert_int_equal(vmm_scale(most, ratio(1, 2)), UINT64_C(1) << 63);
    assert_int_equal(vmm_scale(most, ratio(1, most)), 1);
    assert_int_equal(vmm_scale(most, ratio(0, most)), 0);
    assert_int_equal(vmm_scale(0, ratio(3, 7)), 0);
    for (i = 0; i < 2000; i++) {
        const uint64_t value = helper_random(&random) >> 32, whole = (helper_random(&random) >> 34) + 1;
        const uint64_t part = helper_random(&random) % (whole + 1);
        assert_int_equal(vmm_scale(value, ratio(part, whole)), (2 * value * part + whole) / (2 * whole));
    }
    assert_int_equal(vmm_effective_time_measured(10, 4), 2500);
    assert_int_equal(vmm_effective_time_measured(2, 3), 667);
    assert_int_equal(vmm_effective_time_measured(5, 0), 0);
}

static void test_the_cost_of_one_access_adds_up(void **state)
{
    static const vmm_costs_t k = {1, 10, {4, 6, 40, 30}, 150, 1000, 20000, 30000};
    static const struct {
        bool tlb;
        unsigned steps, had, levels;
        uint64_t cycles;
    } sheet[] = {{true, 0, 0, 3, 5},   {true, 4, 0, 3, 45},   {false, 2, 1, 3, 30}, {true, 0, 2, 3, 51},
                 {true, 0, 3, 3, 201}, {false, 0, 4, 4, 230}, {true, 1, 0, 0, 161}, {false, 0, 1, 1, 154}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof sheet / sizeof *sheet; i++)
        assert_int_equal(vmm_cost_access(&k, sheet[i].tlb, sheet[i].steps, sheet[i].had, sheet[i].levels),
                         sheet[i].cycles);
    assert_int_equal(vmm_cost_fault(&k, 0, 0), 1000);
    assert_int_equal(vmm_cost_fault(&k, 1, 0), 21000);
    assert_int_equal(vmm_cost_fault(&k, 1, 2), 81000);
}

/* Patterson and Hennessy: memory of 400 cycles, 2 % misses; a second level of 20 cycles that leaves 0.5 %. */
static void test_two_levels_of_cache_as_patterson_and_hennessy_count_them(void **state)
{
    static const vmm_costs_t k = {0, 0, {1, 20, 0, 0}, 400, 0, 0, 0};
    vmm_rates_t r;
    (void)state;
    memset(&r, 0, sizeof r);
    r.cache_levels = 1;
    r.cache_miss[0] = ratio(2, 100);
    assert_int_equal(1000 + 8000, vmm_effective_time_of(&k, &r) + 0); /* 1 + 2 % x 400 */
    r.cache_levels = 2;
    r.cache_miss[1] = ratio(25, 100);
    assert_int_equal(vmm_effective_time_of(&k, &r), 3400); /* 1 + 2 % x 20 + 0.5 % x 400 */
    r.cache_miss[0] = ratio(0, 100);
    r.cache_miss[1] = ratio(0, 0); /* the first level had everything: the second was never asked */
    assert_int_equal(vmm_effective_time_of(&k, &r), 1000);
}

/* Two levels, a TLB of three misses in eight, a fault now and then: each access priced, all priced together, and the
 * mean computed from the rates that were counted. */
static void test_computed_and_measured_times_agree(void **state)
{
    const vmm_costs_t *k = &vmm_costs_default;
    vmm_cache_geometry_t g[2];
    vmm_cost_counts_t n;
    vmm_rates_t r;
    uint64_t random = 3, cycles = 0, misses = 0, computed, measured;
    unsigned i;
    (void)state;
    memset(&n, 0, sizeof n);
    memset(&r, 0, sizeof r);
    g[0] = level(8, 2, 16, VMM_LRU);
    g[1] = level(16, 4, 32, VMM_PLRU);
    open_caches(g, 2);
    for (i = 0; i < 5000; i++) {
        const uint64_t x = helper_random(&random);
        const bool tlb_miss = (x >> 40) % 8 < 3, fault = i % 1000 == 7;
        const unsigned had = vmm_caches_access(c, x & 0xfff, x & 0xfff, VMM_READ, NULL);
        cycles += vmm_cost_access(k, true, tlb_miss ? 4 : 0, had, 2) + (fault ? vmm_cost_fault(k, 1, i == 7) : 0);
        misses += tlb_miss;
        n.faults += fault;
        n.dram += had == 2;
    }
    n.tlb_lookups = 5000;
    n.walk_steps = 4 * misses;
    n.disk_reads = n.faults;
    n.disk_writes = 1;
    for (i = 0; i < 2; i++) {
        const vmm_cache_stats_t *s = vmm_caches_stats(c, i);
        n.cache_lookups[i] = s->hits + s->misses;
        r.cache_miss[i] = ratio(s->misses, s->hits + s->misses);
    }
    assert_int_equal(vmm_cost_total(k, &n), cycles);
    r.tlb_miss = ratio(misses, 5000);
    r.walk_steps = 4;
    r.cache_levels = 2;
    r.fault = r.disk_read = ratio(n.faults, 5000);
    r.disk_write = ratio(1, 5000);
    computed = vmm_effective_time_of(k, &r);
    measured = vmm_effective_time_measured(cycles, 5000);
    assert_in_range(computed, measured - 4, measured + 4);
    r.tlb_miss = ratio(0, 0); /* no TLB: every access walks */
    assert_in_range(vmm_effective_time_of(k, &r), computed - 1000 + 40000 - 15500, computed - 1000 + 40000 - 14500);
}

/* -- as text -- */
#if VMM_STDIO
static void print_into(char *text, size_t bytes, const vmm_cache_step_t *step, unsigned pa_bits)
{
    FILE *out = tmpfile();
    size_t got;
    assert_non_null(out);
    vmm_print_caches(out, c, step, pa_bits);
    rewind(out);
    got = fread(text, 1, bytes - 1, out);
    text[got] = 0;
    fclose(out);
}

static void test_a_step_is_printed_as_the_exercise_sheet_has_it(void **state)
{
    vmm_cache_step_t step[2];
    vmm_cache_geometry_t g[2];
    char text[300];
    (void)state;
    open_figure(false);
    c = &cache.caches;
    vmm_caches_examine(c, 0x03d4, 0x354, step);
    print_into(text, sizeof text, step, 12);
    assert_string_equal(text, "CO     0x0  CI 0x5  CT 0x0d  cache hit  byte 0x36\n");
    vmm_caches_examine(c, 0x03a9, 0x469, step);
    print_into(text, sizeof text, step, 12);
    assert_string_equal(text, "CO     0x1  CI 0xa  CT 0x11  cache miss\n");
    g[0] = level(1, 1, 4, VMM_LRU);
    g[1] = level(1, 2, 64, VMM_LRU);
    open_caches(g, 2);
    use(0x040, VMM_WRITE, NULL);
    use(0x123, VMM_READ, step);
    print_into(text, sizeof text, step, 12);
    assert_string_equal(text, "CO     0x3  CI 0x0  CT 0x048  L1 miss  out 0x040 (dirty)\n"
                              "CO     0x23  CI 0x0  CT 0x04  L2 miss\n");
    use(0x123, VMM_READ, step);
    print_into(text, sizeof text, step, 12);
    assert_string_equal(text, "CO     0x3  CI 0x0  CT 0x048  L1 hit\n");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_the_memory_system_of_csapp),
        cmocka_unit_test(test_every_field_of_its_variant_of_wroclaw),
        cmocka_unit_test(test_practice_problems_of_a_two_way_cache),
        cmocka_unit_test(test_sequences_worked_by_hand),
        cmocka_unit_test(test_one_set_of_many_ways_is_fully_associative),
        cmocka_unit_test(test_a_dirty_victim_goes_to_the_next_level_and_may_push_another_one_out),
        cmocka_unit_test(test_a_victim_that_the_next_level_lost_gets_a_line_there_again),
        cmocka_unit_test(test_a_smaller_victim_has_the_rest_of_its_block_read),
        cmocka_unit_test(test_write_through_reaches_memory_at_once),
        cmocka_unit_test(test_a_block_reached_through_two_pages_is_told_as_a_synonym),
        cmocka_unit_test(test_an_index_inside_the_page_offset_has_no_synonyms),
        cmocka_unit_test(test_without_a_page_size_the_tag_is_the_whole_block_number),
        cmocka_unit_test(test_contents_stay_until_the_line_is_written_or_leaves),
        cmocka_unit_test(test_a_block_put_twice_keeps_its_place_and_its_mark),
        cmocka_unit_test(test_bad_requests_change_nothing),
        cmocka_unit_test(test_flushing_a_range_writes_its_dirty_blocks_to_memory_once),
        cmocka_unit_test(test_invalidating_loses_what_was_dirty),
        cmocka_unit_test(test_a_copy_elsewhere_goes_on_in_the_same_way),
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_an_access_of_many_bytes_asks_for_each_block),
        cmocka_unit_test(test_the_check_sees_whatever_is_broken),
        cmocka_unit_test(test_every_step_is_that_of_a_slow_model),
        cmocka_unit_test(test_a_stamped_cache_does_what_one_made_at_run_time_does),
        cmocka_unit_test(test_effective_access_times_of_the_textbooks),
        cmocka_unit_test(test_parts_are_exact_whatever_their_width),
        cmocka_unit_test(test_the_cost_of_one_access_adds_up),
        cmocka_unit_test(test_two_levels_of_cache_as_patterson_and_hennessy_count_them),
        cmocka_unit_test(test_computed_and_measured_times_agree),
#if VMM_STDIO
        cmocka_unit_test(test_a_step_is_printed_as_the_exercise_sheet_has_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
