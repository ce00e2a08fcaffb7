/* test_tlb.c - the modelled TLB against a plain slow one, and the stream of Patterson and Hennessy.
 *
 * The reference below keeps a list of entries for each set and searches all of it. It is told of
 * every access and flush that the MMU is, and must count the same at every step. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

/* -- the machines -- */

/* A machine under test: its sizes, and its parts when a stamp made them. */
typedef struct {
    unsigned tlbs, sets, ways, policy;
    vmm_ref_t (*stamped)(void); /* null: the largest machine with its model computed */
} machine_t;

enum {
    FLUSH_ALL,
    FLUSH_ASID,
    FLUSH_PAGE,
    FLUSH_PAGE_ASID,
    FLUSH_KINDS
};

/* The largest: two TLBs of 64 sets x 4 ways, which is room for every other. */
VMM_MMU(big, VMM_ARCH_RISCV64, 0, 1, 0, 2, 64, 4, VMM_LRU, 0)
static big_mmu_t big;

/* Three as VMM_MMU makes them. */
#define STAMPED(NAME, ...)                                                                                             \
    VMM_MMU(NAME, VMM_ARCH_RISCV64, 0, 1, 0, __VA_ARGS__, 0)                                                           \
    static NAME##_mmu_t NAME##_object;                                                                                 \
    static vmm_ref_t NAME##_stamped(void)                                                                              \
    {                                                                                                                  \
        return NAME##_parts(&NAME##_object);                                                                           \
    }
STAMPED(lru, 2, 4, 2, VMM_LRU)
STAMPED(plru, 1, 16, 4, VMM_PLRU)
STAMPED(fifo, 1, 1, 4, VMM_FIFO)

#define SHAPES(policy)                                                                                                 \
    {1, 1, 1, policy, NULL}, {2, 1, 4, policy, NULL}, {1, 1, 4, policy, NULL}, {2, 4, 2, policy, NULL},                \
        {1, 4, 2, policy, NULL}, {2, 16, 4, policy, NULL}, {1, 16, 4, policy, NULL},                                   \
    {                                                                                                                  \
        2, 64, 1, policy, NULL                                                                                         \
    }

static const machine_t machines[] = {
    {2, 4, 2, VMM_LRU, lru_stamped},
    {1, 16, 4, VMM_PLRU, plru_stamped},
    {1, 1, 4, VMM_FIFO, fifo_stamped},
    SHAPES(VMM_LRU),
    SHAPES(VMM_PLRU),
    SHAPES(VMM_FIFO),
    SHAPES(VMM_RANDOM),
};

/* The machine that is being tested. */
static vmm_model_t model;
static vmm_riscv_t registers;
static vmm_ref_t now;

static void machine_begin(const machine_t *m, const vmm_memory_t *memory)
{
    now = m->stamped ? m->stamped() : big_parts(&big);
    if (!m->stamped) {
        model = *now.model;
        model.tlb_count = m->tlbs;
        model.tlb_sets = m->sets;
        model.tlb_ways = m->ways;
        model.tlb_policy = m->policy;
        now.model = &model;
    }
    assert_int_equal(now.model->tlb_count, m->tlbs);
    assert_int_equal(now.model->tlb_sets, m->sets);
    assert_int_equal(now.model->tlb_ways, m->ways);
    assert_int_equal(now.model->tlb_policy, m->policy);
    assert_int_equal(vmm_riscv_init(now, &registers, memory, true), VMM_OK);
}

static void set_satp(uint64_t satp)
{
    assert_int_equal(vmm_riscv_set_satp(now, &registers, satp), VMM_OK);
}

static vmm_status_t translate(vmm_vaddr_t va, unsigned access, vmm_translation_t *t)
{
    return vmm_mmu_translate(now, access, va, t);
}

static bool holds(vmm_vaddr_t va, unsigned access)
{
    vmm_examination_t x;
    vmm_mmu_examine(now, access, va, &x);
    return x.tlb_hit != 0;
}

static void flush(unsigned kind, vmm_vaddr_t va, uint16_t asid)
{
    switch (kind) {
    case FLUSH_ALL: vmm_mmu_flush_all(now); break;
    case FLUSH_ASID: vmm_mmu_flush_asid(now, asid); break;
    case FLUSH_PAGE: vmm_mmu_flush_page(now, va, VMM_TAKE_ANY, 0); break;
    default: vmm_mmu_flush_page(now, va, VMM_TAKE_ASID, asid); break;
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* -- the world: two address spaces -- */

#define BASE 0x80000000u
#define RW (VMM_R | VMM_W | VMM_X | VMM_A)

static uint8_t ram[64 * 4096] __attribute__((aligned(8)));
static const vmm_memory_t physical = {ram, BASE, sizeof ram, {NULL, NULL, NULL}, 0};
VMM_TABLES(tree, vmm_sv39)

/* Stretches of pages of one level. What is global is mapped alike in both spaces. */
typedef struct {
    vmm_vaddr_t va;
    vmm_paddr_t pa[2]; /* in space 0 and 1 */
    unsigned level, pages;
    uint32_t flags;
} stretch_t;

static const stretch_t stretches[] = {
    {0x0000000000, {0x0100000000, 0x0200000000}, 0, 24, RW | VMM_D},
    {0x0000100000, {0x0110000000, 0x0210000000}, 0, 12, RW}, /* dirty on a write */
    {0x0000180000, {0x0118000000, 0x0118000000}, 0, 8, RW | VMM_D | VMM_G},
    {0x00001c0000, {0x0140000000, 0x0240000000}, 0, 6, VMM_R | VMM_A | VMM_D}, /* writes fault */
    {0x0000400000, {0x0300000000, 0x0400000000}, 1, 6, RW | VMM_D},
    {0x0010000000, {0x0310000000, 0x0410000000}, 1, 3, RW},
    {0x0020000000, {0x0320000000, 0x0320000000}, 1, 3, RW | VMM_D | VMM_G},
    {0x0080000000, {0x0500000000, 0x0600000000}, 2, 3, RW | VMM_D},
    {0x0200000000, {0x0700000000, 0x0700000000}, 2, 1, RW | VMM_D | VMM_G},
    {0xffffffffffe00000, {0x0800000000, 0x0900000000}, 1, 1, RW | VMM_D},
};

#define MAX_PAGES 80

typedef struct {
    vmm_vaddr_t va;
    vmm_paddr_t pa[2];
    unsigned level;
    uint32_t flags;
    bool dirty[2];
} page_t;

static page_t pages[MAX_PAGES];
static unsigned page_count;
static vmm_paddr_t roots[2];
static helper_frames_t frames;

static unsigned shift_of(unsigned level)
{
    return 12 + 9 * level;
}

static void build_world(void)
{
    unsigned space, s, i;
    memset(ram, 0, sizeof ram);
    memset(&frames, 0, sizeof frames);
    frames.base = frames.next = BASE;
    frames.end = BASE + sizeof ram;
    frames.budget = -1;
    for (space = 0; space < 2; space++) {
        vmm_tables_t tables;
        memset(&tables, 0, sizeof tables);
        tables.memory = &physical;
        tables.take = helper_take;
        tables.user = &frames;
        assert_int_equal(tree_create(&tables), VMM_OK);
        roots[space] = tables.root;
        for (s = 0; s < COUNT(stretches); s++) {
            const stretch_t *st = &stretches[s];
            assert_int_equal(
                tree_map(&tables, st->va, st->pa[space], (uint64_t)st->pages << shift_of(st->level), st->flags),
                VMM_OK);
        }
    }
    page_count = 0;
    for (s = 0; s < COUNT(stretches); s++)
        for (i = 0; i < stretches[s].pages; i++) {
            page_t *page = &pages[page_count++];
            const uint64_t offset = (uint64_t)i << shift_of(stretches[s].level);
            assert_true(page_count <= MAX_PAGES);
            page->va = stretches[s].va + offset;
            page->pa[0] = stretches[s].pa[0] + offset;
            page->pa[1] = stretches[s].pa[1] + offset;
            page->level = stretches[s].level;
            page->flags = stretches[s].flags;
            page->dirty[0] = page->dirty[1] = (page->flags & VMM_D) != 0;
        }
}

static page_t *page_of(vmm_vaddr_t va)
{
    unsigned i;
    for (i = 0; i < page_count; i++)
        if (va >> shift_of(pages[i].level) == pages[i].va >> shift_of(pages[i].level)) return &pages[i];
    return NULL;
}

static uint64_t satp_of(unsigned space)
{
    return UINT64_C(8) << 60 | (uint64_t)(space + 1) << 44 | roots[space] >> 12;
}

/* -- the reference -- */

typedef struct {
    bool valid, dirty;
    const page_t *page;
    unsigned space;
    uint64_t used, filled;
} entry_t;

typedef struct {
    unsigned tlbs, sets, ways, policy;
    entry_t entry[2][64][4];
    bool right_is_older[2][64][4]; /* pseudo-LRU: inner nodes of a tree, 1 the root, children 2n and 2n+1 */
    uint64_t now;
    vmm_stats_t stats;
} reference_t;

static reference_t reference;

static unsigned set_of(const page_t *page)
{
    return (unsigned)((page->va >> shift_of(page->level)) % reference.sets);
}

static bool is_for(const entry_t *entry, const page_t *page, unsigned space)
{
    return entry->valid && entry->page == page && (entry->space == space || (page->flags & VMM_G));
}

static entry_t *find(unsigned tlb, const page_t *page, unsigned space)
{
    unsigned set, way;
    for (set = 0; set < reference.sets; set++)
        for (way = 0; way < reference.ways; way++)
            if (is_for(&reference.entry[tlb][set][way], page, space)) return &reference.entry[tlb][set][way];
    return NULL;
}

/* The tree's walk from the root to a way; every node on it learns that the other half is older. */
static void tree_used(bool *right_is_older, unsigned ways, unsigned way)
{
    unsigned low = 0, size = ways, node = 1;
    for (; size > 1; size /= 2) {
        const bool right = way >= low + size / 2;
        right_is_older[node] = !right;
        if (right) low += size / 2;
        node = 2 * node + right;
    }
}

static unsigned tree_oldest(const bool *right_is_older, unsigned ways)
{
    unsigned low = 0, size = ways, node = 1;
    for (; size > 1; size /= 2) {
        const bool right = right_is_older[node];
        if (right) low += size / 2;
        node = 2 * node + right;
    }
    return low;
}

static void used(unsigned tlb, unsigned set, entry_t *entry)
{
    entry->used = ++reference.now;
    tree_used(reference.right_is_older[tlb][set], reference.ways, (unsigned)(entry - reference.entry[tlb][set]));
}

static unsigned victim(unsigned tlb, unsigned set)
{
    const entry_t *entry = reference.entry[tlb][set];
    unsigned way, chosen = 0;
    for (way = 0; way < reference.ways; way++)
        if (!entry[way].valid) return way;
    if (reference.policy == VMM_PLRU) return tree_oldest(reference.right_is_older[tlb][set], reference.ways);
    for (way = 1; way < reference.ways; way++)
        if (reference.policy == VMM_FIFO ? entry[way].filled < entry[chosen].filled
                                         : entry[way].used < entry[chosen].used)
            chosen = way;
    return chosen;
}

static vmm_status_t reference_access(vmm_vaddr_t va, unsigned access, unsigned space)
{
    const unsigned tlb = reference.tlbs == 2 && access == VMM_FETCH;
    page_t *page = page_of(va);
    entry_t *entry = page ? find(tlb, page, space) : NULL;
    const bool refused =
        !page || (access == VMM_WRITE && !(page->flags & VMM_W)) || (access == VMM_FETCH && !(page->flags & VMM_X));
    const bool marks = !refused && access == VMM_WRITE && entry && !entry->dirty;
    if (entry) {
        reference.stats.tlb_hits++;
        used(tlb, set_of(page), entry);
        if (!refused && !marks) return VMM_OK;
    } else {
        reference.stats.tlb_misses++;
    }
    reference.stats.walks++;
    if (refused) {
        reference.stats.faults++;
        return VMM_FAULT;
    }
    if (access == VMM_WRITE) page->dirty[space] = true;
    if (!entry) entry = &reference.entry[tlb][set_of(page)][victim(tlb, set_of(page))];
    entry->valid = true;
    entry->page = page;
    entry->space = space;
    entry->dirty = page->dirty[space];
    used(tlb, set_of(page), entry);
    if (!marks) entry->filled = reference.now; /* else it was there: FIFO goes by when it came */
    return VMM_OK;
}

static void reference_flush(unsigned kind, vmm_vaddr_t va, unsigned space)
{
    unsigned tlb, set, way;
    for (tlb = 0; tlb < 2; tlb++)
        for (set = 0; set < reference.sets; set++)
            for (way = 0; way < reference.ways; way++) {
                entry_t *entry = &reference.entry[tlb][set][way];
                const bool here = entry->valid && entry->page == page_of(va);
                const bool mine = entry->valid && entry->space == space && !(entry->page->flags & VMM_G);
                if (kind == FLUSH_ALL || (kind == FLUSH_ASID && mine) || (kind == FLUSH_PAGE && here) ||
                    (kind == FLUSH_PAGE_ASID && here && mine))
                    entry->valid = false;
            }
}

static void same_counts(void)
{
    assert_int_equal(now.stats->tlb_hits, reference.stats.tlb_hits);
    assert_int_equal(now.stats->tlb_misses, reference.stats.tlb_misses);
    assert_int_equal(now.stats->walks, reference.stats.walks);
    assert_int_equal(now.stats->faults, reference.stats.faults);
}

static void same_pages(const machine_t *m, unsigned space)
{
    unsigned i;
    for (i = 0; i < page_count; i++) {
        assert_int_equal(holds(pages[i].va, VMM_READ), find(0, &pages[i], space) != NULL);
        if (pages[i].flags & VMM_X)
            assert_int_equal(holds(pages[i].va, VMM_FETCH), find(m->tlbs - 1, &pages[i], space) != NULL);
    }
}

/* An address: mostly of few pages, so that sets are hit as well as filled; sometimes of none. */
static vmm_vaddr_t any_address(uint64_t *seed)
{
    const uint64_t r = helper_random(seed);
    const page_t *page;
    if (r % 64 == 0) return helper_random(seed);
    page = &pages[(r & 128 ? r >> 20 : (r >> 20) % 10 * 7) % page_count];
    return page->va + (helper_random(seed) & vmm_low_mask(shift_of(page->level)));
}

static void start(const machine_t *m)
{
    build_world();
    memset(&reference, 0, sizeof reference);
    reference.tlbs = m->tlbs;
    reference.sets = m->sets;
    reference.ways = m->ways;
    reference.policy = m->policy;
    machine_begin(m, &physical);
    set_satp(satp_of(0));
}

static void hits_and_misses_are_those_of_the_plain_tlb_at_every_step(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(machines); i++) {
        const machine_t *m = &machines[i];
        uint64_t seed = 0x1234567 + i;
        unsigned step, space = 0;
        if (m->policy == VMM_RANDOM) continue;
        start(m);
        for (step = 0; step < 6000; step++) {
            const uint64_t r = helper_random(&seed);
            const vmm_vaddr_t va = any_address(&seed);
            vmm_translation_t t;
            if (r % 50 == 0) {
                const unsigned kind = (unsigned)(r >> 8) % (r >> 16 & 7 ? FLUSH_KINDS : 1);
                const unsigned asid = (unsigned)(r >> 32) & 1;
                flush(kind, va, (uint16_t)(asid + 1));
                reference_flush(kind, va, asid);
                same_pages(m, space);
            } else if (r % 50 == 1) {
                space ^= 1;
                set_satp(satp_of(space));
            } else {
                const unsigned access = (unsigned)(r >> 8) % 3;
                const vmm_status_t status = translate(va, access, &t);
                assert_int_equal(status, reference_access(va, access, space));
                if (status == VMM_OK) {
                    const page_t *page = page_of(va);
                    assert_true(t.paddr == page->pa[space] + (va - page->va));
                    assert_int_equal(t.level, page->level);
                    assert_int_equal(t.page_shift, shift_of(page->level));
                }
            }
            same_counts();
            if (step % 16 == 0) same_pages(m, space);
        }
    }
}

/* Element i: page i is in the TLB of the access. */
static void residents(unsigned access, bool *resident)
{
    unsigned i;
    for (i = 0; i < page_count; i++) resident[i] = holds(pages[i].va, access);
}

static void a_random_victim_is_a_way_of_the_set_that_is_full(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(machines); i++) {
        const machine_t *m = &machines[i];
        uint64_t seed = 0x7654321;
        unsigned step, j;
        if (m->policy != VMM_RANDOM) continue;
        start(m);
        for (step = 0; step < 1500; step++) {
            bool before[MAX_PAGES], after[MAX_PAGES];
            const unsigned number = (unsigned)(helper_random(&seed) >> 7) % page_count;
            const page_t *page = &pages[number];
            unsigned in_set = 0, gone = 0;
            vmm_translation_t t;
            residents(VMM_READ, before);
            assert_int_equal(translate(page->va, VMM_READ, &t), VMM_OK);
            residents(VMM_READ, after);
            assert_true(after[number]);
            for (j = 0; j < page_count; j++) {
                in_set += before[j] && set_of(&pages[j]) == set_of(page);
                if (before[j] && !after[j]) {
                    gone++;
                    assert_int_equal(set_of(&pages[j]), set_of(page));
                }
                if (j != number) assert_true(before[j] || !after[j]);
            }
            assert_int_equal(gone, !before[number] && in_set == m->ways);
        }
    }
}

static void a_run_with_random_victims_repeats(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(machines); i++) {
        const machine_t *m = &machines[i];
        static bool hit[2][3000];
        unsigned run, step;
        if (m->policy != VMM_RANDOM) continue;
        for (run = 0; run < 2; run++) {
            uint64_t seed = 99;
            start(m);
            for (step = 0; step < 3000; step++) {
                const uint64_t hits = now.stats->tlb_hits;
                const vmm_vaddr_t va = any_address(&seed);
                vmm_translation_t t;
                (void)translate(va, VMM_READ, &t);
                hit[run][step] = now.stats->tlb_hits != hits;
            }
        }
        assert_memory_equal(hit[0], hit[1], sizeof hit[0]);
    }
}

static void more_flushes_than_the_tlb_has_generations_leave_nothing_old(void **state)
{
    const machine_t *m = &machines[3];
    unsigned times;
    vmm_translation_t t;
    (void)state;
    start(m);
    assert_int_equal(translate(pages[0].va, VMM_READ, &t), VMM_OK);
    for (times = 0; times < 140000; times++) {
        flush(FLUSH_ALL, 0, 0);
        if (holds(pages[0].va, VMM_READ)) fail_msg("it holds a page after flush %u", times);
        if (times % 1000 == 7) {
            assert_int_equal(translate(pages[0].va, VMM_READ, &t), VMM_OK);
            assert_true(holds(pages[0].va, VMM_READ));
        }
    }
}

/* -- Patterson and Hennessy, exercise 5.11 -- */

static const vmm_paging_t ph_paging = {"16 pages of 4 KiB",
                                       VMM_RULES_GENERIC,
                                       VMM_RIGHTS_LEAF,
                                       VMM_VADDR_ZERO,
                                       16,
                                       32,
                                       12,
                                       1,
                                       {4},
                                       1,
                                       4,
                                       12,
                                       20,
                                       /* valid */ 0x01,
                                       /* read */ 0,
                                       /* write */ 0x02,
                                       /* execute */ 0,
                                       /* user */ 0,
                                       /* global */ 0,
                                       /* accessed */ 0x20,
                                       /* dirty */ 0x40,
                                       /* huge */ 0,
                                       /* inverted */ 0,
                                       0,
                                       0};
static const vmm_arch_t ph_arch = VMM_ARCH_OF(ph_paging);
VMM_MMU(ph, VMM_ARCH_PLAIN(ph_arch), VMM_STAGES_TLB(1, 4, VMM_LRU))

enum {
    HIT,
    MISS,
    SWAPPED_IN,
    NOT_MAPPED
};

#define NO_VPN 0xff

/* What the machine that simulates the exercise has on disk. */
static const uint8_t on_disk[] = {0x01, 0x02, 0x06, 0x08, 0x09};

static const struct {
    uint32_t va;
    uint8_t vpn, event, ppn, evicted;
} ph_steps[] = {
    {4669, 0x1, SWAPPED_IN, 0xd, NO_VPN}, {2227, 0x0, MISS, 0x5, 0x3},  {13916, 0x3, MISS, 0x6, 0x7},
    {34587, 0x8, SWAPPED_IN, 0xe, 0xb},   {48870, 0xb, MISS, 0xc, 0x1}, {12608, 0x3, HIT, 0x6, NO_VPN},
    {49225, 0xc, NOT_MAPPED, 0, NO_VPN},
};

/* VPN to PPN, NO_VPN: not valid. Before, and as it must be at the end. */
static const uint8_t ph_table[2][16] = {
    {0x5, 0xff, 0xff, 0x6, 0x9, 0xb, 0xff, 0x4, 0xff, 0xff, 0x3, 0xc, 0xff, 0xff, 0xff, 0xff},
    {0x5, 0xd, 0xff, 0x6, 0x9, 0xb, 0xff, 0x4, 0xe, 0xff, 0x3, 0xc, 0xff, 0xff, 0xff, 0xff},
};
static uint8_t ph_now[16];

static ph_mmu_t ph;

static void set_frame(unsigned vpn, uint8_t ppn)
{
    ph_now[vpn] = ppn;
    vmm_put(ram + 4 * vpn, ppn == 0xff ? 0 : (uint64_t)ppn << 12 | 0x61, 4);
}

static bool is_resident(unsigned vpn)
{
    vmm_examination_t x;
    ph_examine(&ph, (vmm_vaddr_t)vpn << 12, VMM_READ, &x);
    return x.tlb_hit != 0;
}

static bool is_on_disk(unsigned vpn)
{
    size_t i;
    for (i = 0; i < sizeof on_disk; i++)
        if (on_disk[i] == vpn) return true;
    return false;
}

/* The operating system of the exercise: a page from disk goes to the frame behind the last. */
static void swap_in(unsigned vpn)
{
    uint8_t last = 0;
    unsigned i;
    for (i = 0; i < 16; i++)
        if (ph_now[i] != 0xff && ph_now[i] > last) last = ph_now[i];
    set_frame(vpn, (uint8_t)(last + 1));
}

static void the_stream_of_patterson_and_hennessy_goes_step_by_step_as_published(void **state)
{
    static const uint8_t touched_first[] = {0x03, 0x07, 0x0b}; /* least recently used first */
    static const uint8_t at_the_end[] = {0x0, 0x8, 0xb, 0x3};  /* the same */
    vmm_translation_t t;
    unsigned vpn;
    size_t i;
    (void)state;
    memset(ram, 0, sizeof ram);
    assert_int_equal(ph_init(&ph, &physical), VMM_OK);
    assert_int_equal(ph_set_root(&ph, BASE, 0), VMM_OK);
    for (vpn = 0; vpn < 16; vpn++) set_frame(vpn, ph_table[0][vpn]);
    for (i = 0; i < sizeof touched_first; i++)
        assert_int_equal(ph_translate(&ph, (vmm_vaddr_t)touched_first[i] << 12, VMM_READ, &t), VMM_OK);
    for (i = 0; i < COUNT(ph_steps); i++) {
        const vmm_stats_t was = ph.stats;
        const bool held = ph_steps[i].evicted == NO_VPN || is_resident(ph_steps[i].evicted);
        vmm_status_t status = ph_translate(&ph, ph_steps[i].va, VMM_READ, &t);
        assert_int_equal(ph_steps[i].va >> 12, ph_steps[i].vpn);
        assert_true(held);
        assert_int_equal(ph.stats.tlb_hits - was.tlb_hits, ph_steps[i].event == HIT);
        assert_int_equal(ph.stats.tlb_misses - was.tlb_misses, ph_steps[i].event != HIT);
        assert_int_equal(status, ph_steps[i].event >= SWAPPED_IN ? VMM_FAULT : VMM_OK);
        if (status) {
            assert_int_equal(ph.fault.kind, VMM_PAGE_FAULT);
            assert_int_equal(ph.fault.rule, VMM_RULE_VALID);
            assert_int_equal(is_on_disk(ph_steps[i].vpn), ph_steps[i].event == SWAPPED_IN);
        }
        if (ph_steps[i].event == SWAPPED_IN) {
            swap_in(ph_steps[i].vpn);
            status = ph_translate(&ph, ph_steps[i].va, VMM_READ, &t);
            assert_int_equal(status, VMM_OK);
        }
        if (status == VMM_OK) assert_int_equal(t.paddr >> 12, ph_steps[i].ppn);
        if (ph_steps[i].evicted != NO_VPN) assert_false(is_resident(ph_steps[i].evicted));
    }
    assert_memory_equal(ph_now, ph_table[1], sizeof ph_now);
    for (vpn = 0; vpn < 16; vpn++)
        assert_int_equal(is_resident(vpn), memchr(at_the_end, (int)vpn, sizeof at_the_end) != NULL);
    /* New pages push the residents out in their published order. */
    for (i = 0; i < sizeof at_the_end; i++) {
        static const uint8_t fresh[] = {0x4, 0x5, 0x7, 0xa};
        assert_true(is_resident(at_the_end[i]));
        assert_int_equal(ph_translate(&ph, (vmm_vaddr_t)fresh[i] << 12, VMM_READ, &t), VMM_OK);
        assert_false(is_resident(at_the_end[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hits_and_misses_are_those_of_the_plain_tlb_at_every_step),
        cmocka_unit_test(a_random_victim_is_a_way_of_the_set_that_is_full),
        cmocka_unit_test(a_run_with_random_victims_repeats),
        cmocka_unit_test(more_flushes_than_the_tlb_has_generations_leave_nothing_old),
        cmocka_unit_test(the_stream_of_patterson_and_hennessy_goes_step_by_step_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
