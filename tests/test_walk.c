/* test_walk.c - generic formats: any levels, widths and bits, against a second walk that is written
 * here from what vmm_paging_t says of its fields. */
#define VMM_IMPLEMENTATION
#include "helper.h"
#include "vmm.h"

#define RAM_BYTES 32768u
#define WALKS 3000

/* name; rules, rights, addresses; VA, PA and page bits; levels, index bits, leaf levels; entry bytes,
 * frame; valid, read, write, execute, user, global, accessed, dirty, huge; inverted; reserved */
static const vmm_paging_t textbook = {"one level, SUP READ WRITE",
                                      VMM_RULES_GENERIC,
                                      VMM_RIGHTS_LEAF,
                                      VMM_VADDR_ZERO,
                                      14,
                                      12,
                                      6,
                                      1,
                                      {8},
                                      0x1,
                                      2,
                                      10,
                                      6,
                                      0x1,
                                      0x2,
                                      0x4,
                                      0,
                                      0x8,
                                      0,
                                      0x10,
                                      0x20,
                                      0,
                                      /* SUP keeps user mode out */ 0x8,
                                      0,
                                      0};
static const vmm_paging_t unequal = {"two levels of 32 and 8",
                                     VMM_RULES_GENERIC,
                                     VMM_RIGHTS_LEAF,
                                     VMM_VADDR_WRAP,
                                     13,
                                     13,
                                     5,
                                     2,
                                     {5, 3},
                                     0x3,
                                     2,
                                     8,
                                     8,
                                     0x1,
                                     0,
                                     0x2,
                                     0x4,
                                     0x8,
                                     0x10,
                                     0x20,
                                     0x40,
                                     0x80,
                                     /* write-protect, no-execute, clean, not huge */ 0xc6,
                                     0,
                                     0};
static const vmm_paging_t every = {"three levels that all grant",
                                   VMM_RULES_GENERIC,
                                   VMM_RIGHTS_EVERY,
                                   VMM_VADDR_ZERO,
                                   20,
                                   20,
                                   7,
                                   3,
                                   {4, 6, 3},
                                   0x7,
                                   4,
                                   12,
                                   13,
                                   0x1,
                                   0x200,
                                   0x2,
                                   0x400,
                                   0x4,
                                   0x100,
                                   0x20,
                                   0x40,
                                   0x80,
                                   0x400,
                                   0x800,
                                   0x10};
static const vmm_paging_t x86_like = {"four levels, no-execute at the top",
                                      VMM_RULES_GENERIC,
                                      VMM_RIGHTS_EVERY,
                                      VMM_VADDR_SIGN,
                                      22,
                                      40,
                                      8,
                                      4,
                                      {2, 3, 4, 5},
                                      0x7,
                                      8,
                                      12,
                                      32,
                                      0x1,
                                      0,
                                      0x2,
                                      UINT64_C(1) << 63,
                                      0x4,
                                      0x100,
                                      0x20,
                                      0x40,
                                      0x80,
                                      UINT64_C(1) << 63,
                                      UINT64_C(1) << 52,
                                      0x8};
static const vmm_paging_t no_rights = {"five levels of bare frames",
                                       VMM_RULES_GENERIC,
                                       VMM_RIGHTS_LEAF,
                                       VMM_VADDR_WRAP,
                                       21,
                                       32,
                                       6,
                                       5,
                                       {3, 3, 3, 3, 3},
                                       0x1,
                                       4,
                                       6,
                                       26,
                                       0x1,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0};
static const vmm_paging_t six = {"six levels, huge pages at two",
                                 VMM_RULES_GENERIC,
                                 VMM_RIGHTS_EVERY,
                                 VMM_VADDR_ZERO,
                                 17,
                                 24,
                                 6,
                                 6,
                                 {1, 2, 3, 1, 2, 2},
                                 0x15,
                                 8,
                                 16,
                                 18,
                                 0x1,
                                 0x2,
                                 0x4,
                                 0x8,
                                 0x10,
                                 0x20,
                                 0x40,
                                 0x80,
                                 0x100,
                                 0xe,
                                 0x8000,
                                 0x4000};

static const vmm_paging_t *const formats[] = {&textbook, &unequal, &every, &x86_like, &no_rights, &six, &vmm_two_level};
#define FORMATS (sizeof formats / sizeof formats[0])

static uint64_t ours[RAM_BYTES / 8], theirs[RAM_BYTES / 8];
static const vmm_paging_t *p;
static vmm_memory_t window; /* RAM as the MMU sees it */
static uint64_t seed;

/* ---- the second walk --------------------------------------------------------------------- */

typedef struct outcome {
    unsigned rule, level, flags;
    uint64_t pte_addr, pte, paddr;
} outcome_t;

static bool yes(uint64_t pte, uint64_t bit)
{
    return ((p->inverted & bit) != 0) != ((pte & bit) != 0);
}

static unsigned rights_in(uint64_t pte)
{
    return (p->read == 0 || yes(pte, p->read) ? (unsigned)VMM_R : 0u) |
           (p->write == 0 || yes(pte, p->write) ? (unsigned)VMM_W : 0u) |
           (p->execute == 0 || yes(pte, p->execute) ? (unsigned)VMM_X : 0u) |
           (p->user == 0 || yes(pte, p->user) ? (unsigned)VMM_U : 0u);
}

static uint64_t page_bits(unsigned level)
{
    uint64_t bits = p->page_shift;
    while (level > 0) bits += p->index_bits[--level];
    return bits;
}

static uint64_t read_theirs(uint64_t at)
{
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < p->pte_bytes; i++) value |= (uint64_t)((uint8_t *)theirs)[at + i] << (8 * i);
    return value;
}

static void write_both(uint64_t at, uint64_t value, bool both)
{
    unsigned i;
    for (i = 0; i < p->pte_bytes; i++) {
        ((uint8_t *)theirs)[at + i] = (uint8_t)(value >> (8 * i));
        if (both) ((uint8_t *)ours)[at + i] = (uint8_t)(value >> (8 * i));
    }
}

static bool is_canonical(uint64_t va)
{
    unsigned bit;
    if (p->vaddr_rule == VMM_VADDR_WRAP) return true;
    for (bit = p->vaddr_bits; bit < 64; bit++) {
        const uint64_t must = p->vaddr_rule == VMM_VADDR_SIGN ? (va >> (p->vaddr_bits - 1)) & 1 : 0;
        if (((va >> bit) & 1) != must) return false;
    }
    return true;
}

static unsigned judge_entry(uint64_t pte, unsigned level, bool leaf, uint64_t frame)
{
    if ((pte & p->valid) == 0) return VMM_RULE_VALID;
    if (pte & p->reserved) return VMM_RULE_RESERVED;
    if (!leaf) return pte & p->reserved_table ? VMM_RULE_RESERVED_TABLE : VMM_RULE_NONE;
    if (((p->leaf_levels >> level) & 1) == 0) return VMM_RULE_NO_LEAF;
    return frame % (UINT64_C(1) << page_bits(level)) ? VMM_RULE_HUGE_ALIGN : VMM_RULE_NONE;
}

static unsigned judge_rights(unsigned rights, bool user, unsigned access)
{
    if (user && !(rights & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (access == VMM_READ) return rights & VMM_R ? VMM_RULE_NONE : VMM_RULE_READ;
    if (access == VMM_WRITE) return rights & VMM_W ? VMM_RULE_NONE : VMM_RULE_WRITE;
    return rights & VMM_X ? VMM_RULE_NONE : VMM_RULE_EXECUTE;
}

static outcome_t reference(uint64_t root, bool user, unsigned access, unsigned marking, uint64_t va)
{
    outcome_t o = {VMM_RULE_NONE, p->levels, 0, 0, 0, 0};
    unsigned all = VMM_R | VMM_W | VMM_X | VMM_U;
    uint64_t table = root, frame = 0, marked;
    bool leaf = false;
    if (!is_canonical(va)) o.rule = VMM_RULE_CANONICAL;
    while (!leaf && o.rule == VMM_RULE_NONE) {
        o.level--;
        o.pte_addr = table + (va >> page_bits(o.level)) % (UINT64_C(1) << p->index_bits[o.level]) * p->pte_bytes;
        o.pte = 0;
        if (o.pte_addr + p->pte_bytes > window.size) o.rule = VMM_RULE_TABLE_MEMORY;
        if (o.rule) return o;
        o.pte = read_theirs(o.pte_addr);
        leaf = o.level == 0 || (p->huge != 0 && yes(o.pte, p->huge));
        frame = ((o.pte >> p->ppn_lsb) % (UINT64_C(1) << p->ppn_bits)) << p->page_shift;
        o.rule = judge_entry(o.pte, o.level, leaf, frame);
        o.flags = p->rights == VMM_RIGHTS_EVERY ? all & rights_in(o.pte) : rights_in(o.pte);
        all = o.flags;
        table = frame;
    }
    if (o.rule == VMM_RULE_NONE) o.rule = judge_rights(o.flags, user, access);
    if (o.rule) return o;
    marked = o.pte;
    if (p->accessed && !yes(o.pte, p->accessed)) marked ^= p->accessed;
    if (access == VMM_WRITE && p->dirty && !yes(o.pte, p->dirty)) marked ^= p->dirty;
    if (marked != o.pte && marking == VMM_MARK_FAULT) {
        o.rule = p->accessed && !yes(o.pte, p->accessed) ? VMM_RULE_ACCESSED : VMM_RULE_DIRTY;
        return o;
    }
    if (marking == VMM_MARK_UPDATE) write_both(o.pte_addr, o.pte = marked, false);
    if (p->global && yes(o.pte, p->global)) o.flags |= VMM_G;
    if (p->accessed == 0 || yes(o.pte, p->accessed)) o.flags |= VMM_A;
    if (p->dirty == 0 || yes(o.pte, p->dirty)) o.flags |= VMM_D;
    o.paddr = frame + va % (UINT64_C(1) << page_bits(o.level));
    if (o.paddr >> p->paddr_bits) o.rule = VMM_RULE_PADDR_WIDTH;
    return o;
}

/* ---- tables ------------------------------------------------------------------------------ */

static bool chance(unsigned percent)
{
    return helper_random(&seed) % 100 < percent;
}

static uint64_t granted(uint64_t bit, unsigned percent)
{
    return chance(percent) != ((p->inverted & bit) != 0) ? bit : 0;
}

static uint64_t some_entry(void)
{
    const uint64_t frames = window.size >> p->page_shift;
    uint64_t ppn = chance(97) ? helper_random(&seed) % frames : helper_random(&seed);
    if (chance(60))
        ppn &= ~vmm_low_mask((unsigned)(page_bits((unsigned)(helper_random(&seed) % p->levels)) - p->page_shift));
    return (ppn & vmm_low_mask(p->ppn_bits)) << p->ppn_lsb | (chance(97) ? p->valid : 0) | granted(p->read, 90) |
           granted(p->write, 90) | granted(p->execute, 90) | granted(p->user, 90) | granted(p->global, 50) |
           granted(p->accessed, 50) | granted(p->dirty, 50) | granted(p->huge, 15) | (chance(1) ? p->reserved : 0) |
           (chance(2) ? p->reserved_table : 0);
}

static void begin(const vmm_paging_t *format)
{
    const vmm_memory_t half = {ours, 0, 0, {NULL, NULL, NULL}, 0};
    uint64_t at;
    p = format;
    window = half;
    window.size = (UINT64_C(1) << p->paddr_bits) / 2 < RAM_BYTES ? (UINT64_C(1) << p->paddr_bits) / 2 : RAM_BYTES;
    seed = 12345 + p->levels;
    memset(ours, 0, sizeof ours);
    memset(theirs, 0, sizeof theirs);
    for (at = 0; at < window.size; at += p->pte_bytes) write_both(at, some_entry(), true);
}

static uint64_t some_address(void)
{
    uint64_t va = helper_random(&seed) & vmm_low_mask(p->vaddr_bits);
    if (p->vaddr_rule == VMM_VADDR_SIGN && (va >> (p->vaddr_bits - 1)) & 1) va |= ~vmm_low_mask(p->vaddr_bits);
    return chance(3) ? va ^ UINT64_C(1) << (p->vaddr_bits + helper_random(&seed) % (64u - p->vaddr_bits)) : va;
}

static vmm_judge_t judge_of(bool user, unsigned marking)
{
    vmm_judge_t judge;
    memset(&judge, 0, sizeof judge);
    judge.user = user;
    judge.marking = (uint8_t)marking;
    return judge;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void compare_walk(void)
{
    const unsigned access = (unsigned)(helper_random(&seed) % 3), marking = (unsigned)(helper_random(&seed) % 3);
    const bool user = chance(50);
    const uint64_t root = (helper_random(&seed) % (window.size >> p->page_shift)) << p->page_shift;
    const uint64_t va = some_address();
    const vmm_judge_t judge = judge_of(user, marking);
    const outcome_t want = reference(root, user, access, marking, va);
    vmm_translation_t t;
    vmm_fault_t fault;
    vmm_step_t steps[VMM_MAX_LEVELS];
    unsigned count = 0;
    const vmm_status_t status = vmm_walk(p, &window, root, &judge, access, va, &t, &fault, steps, &count);
    assert_int_equal(status, want.rule ? VMM_FAULT : VMM_OK);
    assert_memory_equal(ours, theirs, sizeof ours);
    assert_int_equal(count, want.rule == VMM_RULE_CANONICAL      ? 0
                            : want.rule == VMM_RULE_TABLE_MEMORY ? p->levels - want.level - 1u
                                                                 : p->levels - want.level);
    if (count) assert_int_equal(steps[0].pte_addr, root + steps[0].index * (uint64_t)p->pte_bytes);
    if (status == VMM_OK) {
        assert_int_equal(t.paddr, want.paddr);
        assert_int_equal(t.level, want.level);
        assert_int_equal(t.page_shift, page_bits(want.level));
        assert_int_equal(t.flags, want.flags);
        assert_int_equal(t.pte_addr, want.pte_addr);
        assert_int_equal(t.pte, steps[count - 1].pte); /* as it was read, before it was marked */
        assert_int_equal(steps[count - 1].pte_addr, want.pte_addr);
    } else {
        const bool no_memory = want.rule == VMM_RULE_TABLE_MEMORY || want.rule == VMM_RULE_PADDR_WIDTH;
        assert_int_equal(fault.rule, want.rule);
        assert_int_equal(fault.kind, no_memory ? VMM_ACCESS_FAULT : VMM_PAGE_FAULT);
        assert_int_equal(fault.level, want.level);
        assert_int_equal(fault.vaddr, p->vaddr_rule == VMM_VADDR_WRAP ? va % (UINT64_C(1) << p->vaddr_bits) : va);
        assert_int_equal(fault.pte_addr, want.pte_addr);
        if (want.rule != VMM_RULE_PADDR_WIDTH) assert_int_equal(fault.pte, want.pte);
    }
}

static void every_format_walks_as_its_descriptor_says(void **state)
{
    size_t f;
    unsigned i;
    (void)state;
    for (f = 0; f < FORMATS; f++) {
        begin(formats[f]);
        for (i = 0; i < WALKS; i++) {
            const uint64_t at = helper_random(&seed) % (window.size / p->pte_bytes) * p->pte_bytes;
            compare_walk();
            write_both(at, some_entry(), true);
        }
    }
}

/* The same through stamped instances and their caches, flushed only after window has changed. */
#define PLAIN(NAME, format, ...)                                                                                       \
    static const vmm_arch_t NAME##_arch = VMM_ARCH_OF(format);                                                         \
    VMM_MMU(NAME, VMM_ARCH_PLAIN(NAME##_arch), __VA_ARGS__)                                                            \
    static NAME##_mmu_t NAME##_it;                                                                                     \
    static void NAME##_begin(void)                                                                                     \
    {                                                                                                                  \
        begin(&(format));                                                                                              \
        assert_int_equal(NAME##_init(&NAME##_it, &window), VMM_OK);                                                    \
    }                                                                                                                  \
    static void NAME##_flush(void)                                                                                     \
    {                                                                                                                  \
        NAME##_flush_all(&NAME##_it);                                                                                  \
    }                                                                                                                  \
    static void NAME##_user(bool user)                                                                                 \
    {                                                                                                                  \
        NAME##_set_user(&NAME##_it, user);                                                                             \
    }                                                                                                                  \
    static vmm_status_t NAME##_go(unsigned access, uint64_t va, uint8_t *v)                                            \
    {                                                                                                                  \
        return access == VMM_WRITE   ? NAME##_store8(&NAME##_it, va, *v)                                               \
               : access == VMM_FETCH ? NAME##_fetch8(&NAME##_it, va, v)                                                \
                                     : NAME##_load8(&NAME##_it, va, v);                                                \
    }
#define PLAIN_ROW(NAME)                                                                                                \
    {                                                                                                                  \
        NAME##_begin, NAME##_flush, NAME##_user, NAME##_go, &NAME##_it.fault                                           \
    }

PLAIN(textbook_tlb, textbook, VMM_STAGES_TLB(4, 4, VMM_LRU))
PLAIN(unequal_fast, unequal, VMM_STAGES(16, 2, 4, 0, 0, VMM_LRU))
PLAIN(unequal_both, unequal, VMM_STAGES(4, 1, 2, 2, 2, VMM_FIFO))
PLAIN(every_fast, every, VMM_STAGES_FAST)
PLAIN(every_tlb, every, VMM_STAGES_TLB(4, 2, VMM_PLRU))
PLAIN(x86_like_fast, x86_like, VMM_STAGES_FAST)
PLAIN(six_tlb, six, VMM_STAGES_TLB(2, 2, VMM_RANDOM))

static const struct {
    void (*begin)(void);
    void (*flush)(void);
    void (*user)(bool user);
    vmm_status_t (*access)(unsigned access, uint64_t va, uint8_t *value);
    const vmm_fault_t *fault;
} stamped[] = {PLAIN_ROW(textbook_tlb), PLAIN_ROW(unequal_fast),  PLAIN_ROW(unequal_both), PLAIN_ROW(every_fast),
               PLAIN_ROW(every_tlb),    PLAIN_ROW(x86_like_fast), PLAIN_ROW(six_tlb)};

static void caches_change_nothing_that_an_access_does(void **state)
{
    uint64_t recent[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t s;
    unsigned i;
    bool user = false;
    (void)state;
    for (s = 0; s < sizeof stamped / sizeof stamped[0]; s++) {
        stamped[s].begin();
        user = false;
        for (i = 0; i < WALKS; i++) {
            const unsigned access = (unsigned)(helper_random(&seed) % 16 % 3);
            uint64_t *va = &recent[helper_random(&seed) % 8];
            outcome_t want;
            uint8_t value = (uint8_t)helper_random(&seed), got = value;
            vmm_status_t status;
            if (chance(10)) stamped[s].user(user = !user);
            want = reference(0, user, access, VMM_MARK_UPDATE, *va);
            if (!want.rule && want.paddr >= window.size) want.rule = VMM_RULE_BUS;
            if (!want.rule && access == VMM_WRITE) ((uint8_t *)theirs)[want.paddr] = value;
            if (!want.rule && access != VMM_WRITE) value = ((uint8_t *)theirs)[want.paddr];
            status = stamped[s].access(access, *va, &got);
            assert_int_equal(status, want.rule ? VMM_FAULT : VMM_OK);
            if (want.rule) assert_int_equal(stamped[s].fault->rule, want.rule);
            assert_int_equal(got, value);
            assert_memory_equal(ours, theirs, sizeof ours);
            if (access == VMM_WRITE && !want.rule) stamped[s].flush(); /* any byte of RAM may be a table's */
            if (chance(want.rule ? 90 : 10)) *va = some_address();
        }
    }
}

/* A tree whose entries grant everything, but one level's that lacks one right. */
static void rights_add_up_over_the_levels_only_where_every_level_grants(void **state)
{
    static const vmm_paging_t *const kinds[] = {&every, &x86_like, &unequal, &vmm_two_level};
    size_t k;
    unsigned lacking, level, which;
    (void)state;
    for (k = 0; k < 4; k++)
        for (which = 0; which < 3; which++) {
            const unsigned shift = kinds[k]->page_shift > 10 ? kinds[k]->page_shift : 10; /* of what a table gets */
            begin(kinds[k]);
            for (lacking = 0; lacking < p->levels; lacking++) {
                const uint64_t rights[3] = {p->write, p->execute, p->user};
                static const unsigned access[3] = {VMM_WRITE, VMM_FETCH, VMM_READ};
                static const unsigned rules[3] = {VMM_RULE_WRITE, VMM_RULE_EXECUTE, VMM_RULE_SUPERVISOR_PAGE};
                const vmm_judge_t judge = judge_of(true, VMM_MARK_UPDATE);
                const bool refused = lacking == 0 || p->rights == VMM_RIGHTS_EVERY;
                vmm_translation_t t;
                vmm_fault_t fault;
                for (level = 0; level < p->levels; level++) {
                    const uint64_t all = p->read | p->write | p->execute | p->user;
                    uint64_t bits = (all ^ p->inverted) & (all | p->huge);
                    if (level == lacking) bits ^= rights[which];
                    write_both(level << shift,
                               p->valid | bits |
                                   (uint64_t)(level ? (level - 1u) << shift >> p->page_shift : 1u) << p->ppn_lsb,
                               true);
                }
                assert_int_equal(vmm_walk(p, &window, (uint64_t)(p->levels - 1u) << shift, &judge, access[which], 0, &t,
                                          &fault, NULL, NULL),
                                 refused ? VMM_FAULT : VMM_OK);
                if (refused) assert_int_equal(fault.rule, rules[which]);
                if (refused) assert_int_equal(fault.level, 0);
            }
        }
}

static void a_canonical_address_obeys_the_rule_of_its_format(void **state)
{
    static const vmm_paging_t whole = {"64 bits",
                                       VMM_RULES_GENERIC,
                                       VMM_RIGHTS_LEAF,
                                       VMM_VADDR_SIGN,
                                       64,
                                       32,
                                       30,
                                       2,
                                       {20, 14},
                                       0x1,
                                       8,
                                       12,
                                       2,
                                       0x1,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0,
                                       0};
    static const struct {
        const vmm_paging_t *p;
        uint64_t va, made;
        bool canonical;
    } c[] = {
        {&textbook, 0x3fff, 0x3fff, true},
        {&textbook, 0x4000, 0, false},
        {&textbook, UINT64_C(1) << 63 | 5, 5, false},
        {&unequal, 0x2000, 0, true}, /* counts modulo 8 KiB: fine as it is, and shorter */
        {&x86_like, 0x1fffff, 0x1fffff, true},
        {&x86_like, 0x200000, ~UINT64_C(0x1fffff), false},
        {&x86_like, ~UINT64_C(0x1fffff), ~UINT64_C(0x1fffff), true},
        {&x86_like, ~UINT64_C(0x3fffff), 0, false},
        {&whole, UINT64_C(1) << 63, UINT64_C(1) << 63, true},
        {&whole, ~UINT64_C(0), ~UINT64_C(0), true},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof c / sizeof c[0]; i++) {
        assert_int_equal(vmm_canonical(c[i].p, c[i].va), c[i].canonical);
        assert_true(vmm_make_canonical(c[i].p, c[i].va) == c[i].made);
        assert_true(vmm_canonical(c[i].p, c[i].made));
    }
}

static void huge_pages_stand_where_leaf_levels_says_and_nowhere_else(void **state)
{
    const vmm_judge_t judge = judge_of(false, VMM_MARK_PEEK);
    size_t f;
    unsigned level;
    (void)state;
    for (f = 0; f < FORMATS; f++)
        for (begin(formats[f]), level = 1; level < p->levels && p->huge; level++) {
            const uint64_t all = p->read | p->write | p->execute | p->user;
            const uint64_t leaf = p->valid | ((all ^ p->inverted) & all) | ((p->huge ^ p->inverted) & p->huge);
            const uint64_t pointer = p->valid | ((all ^ p->inverted) & all) | (p->inverted & p->huge);
            const uint64_t va = page_bits(level) > 12 ? 0x9a5 : 5;
            const bool may = (p->leaf_levels >> level) & 1;
            vmm_translation_t t;
            vmm_fault_t fault;
            uint64_t at;
            unsigned above = p->levels - 1u - level;
            for (at = 0; at < window.size; at += p->pte_bytes) write_both(at, above ? pointer : leaf, true);
            if (above) { /* pointers to page 0, and there the leaf as its table's only entry that is read */
                for (at = 0; at < window.size; at += p->pte_bytes) write_both(at, leaf, true);
                for (; above; above--) { /* tables of the levels above at the end, one page each */
                    const uint64_t table = window.size - above * UINT64_C(0x400);
                    const uint64_t next = above == 1 ? 0 : window.size - (above - 1u) * UINT64_C(0x400);
                    write_both(table, pointer | (next >> p->page_shift) << p->ppn_lsb, true);
                }
            }
            above = p->levels - 1u - level;
            at = above ? window.size - above * UINT64_C(0x400) : 0;
            assert_int_equal(vmm_walk(p, &window, at, &judge, VMM_READ, va, &t, &fault, NULL, NULL),
                             may ? VMM_OK : VMM_FAULT);
            if (may) assert_int_equal(t.paddr, va);
            if (may) assert_int_equal(t.page_shift, page_bits(level));
            if (!may) assert_int_equal(fault.rule, VMM_RULE_NO_LEAF);
            if (!may) assert_int_equal(fault.level, level);
        }
}

static void peeking_writes_nothing_and_tells_what_an_access_would_meet(void **state)
{
    size_t f;
    unsigned i;
    (void)state;
    for (f = 0; f < FORMATS; f++)
        for (begin(formats[f]), i = 0; i < 500; i++) {
            const vmm_judge_t peek = judge_of(i & 1, VMM_MARK_PEEK), update = judge_of(i & 1, VMM_MARK_UPDATE);
            const uint64_t va = some_address();
            vmm_translation_t seen, met;
            vmm_fault_t fault;
            vmm_status_t status;
            memset(&met, 0, sizeof met);
            status = vmm_walk(p, &window, 0, &peek, i % 3, va, &seen, &fault, NULL, NULL);
            assert_memory_equal(ours, theirs, sizeof ours);
            assert_int_equal(vmm_walk(p, &window, 0, &update, i % 3, va, &met, &fault, NULL, NULL), status);
            if (status == VMM_OK) assert_true(seen.paddr == met.paddr && seen.pte_addr == met.pte_addr);
            memcpy(theirs, ours, sizeof ours);
        }
}

/* A format of which a test breaks one field at a time. */
static vmm_paging_t broken;
static const vmm_arch_t broken_arch = VMM_ARCH_OF(broken);
VMM_MMU(broken_one, VMM_ARCH_PLAIN(broken_arch), VMM_STAGES_TLB(2, 2, VMM_LRU))
VMM_TABLES(broken_tree, broken)
static unsigned calls;

static int take_none(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    (void)user;
    (void)bytes;
    (void)table;
    calls++;
    return -1;
}

static int visit_none(void *user, const vmm_mapping_t *mapping)
{
    (void)user;
    (void)mapping;
    calls++;
    return 0;
}

static const struct {
    const char *what;
    size_t field;
    uint8_t value;
} breaks[] = {
    {"no level", offsetof(vmm_paging_t, levels), 0},
    {"seven levels", offsetof(vmm_paging_t, levels), 7},
    {"the last level not counted", offsetof(vmm_paging_t, levels), 2},
    {"level 0 without an index", offsetof(vmm_paging_t, index_bits), 0},
    {"29 index bits at level 0", offsetof(vmm_paging_t, index_bits), 29},
    {"29 index bits at level 2", offsetof(vmm_paging_t, index_bits) + 2, 29},
    {"index bits above the levels", offsetof(vmm_paging_t, index_bits) + 3, 1},
    {"a VA wider than its parts", offsetof(vmm_paging_t, vaddr_bits), 21},
    {"a VA narrower than its parts", offsetof(vmm_paging_t, vaddr_bits), 19},
    {"a VA of no bits", offsetof(vmm_paging_t, vaddr_bits), 0},
    {"a VA of 65 bits", offsetof(vmm_paging_t, vaddr_bits), 65},
    {"pages of 4 bytes", offsetof(vmm_paging_t, page_shift), 2},
    {"pages of 2 GiB", offsetof(vmm_paging_t, page_shift), 31},
    {"a frame number above the entry", offsetof(vmm_paging_t, ppn_lsb), 20},
    {"a frame number wider than the entry", offsetof(vmm_paging_t, ppn_bits), 21},
    {"entries of 3 bytes", offsetof(vmm_paging_t, pte_bytes), 3},
    {"entries of 16 bytes", offsetof(vmm_paging_t, pte_bytes), 16},
};
#define BREAKS (sizeof breaks / sizeof breaks[0])

/* Breaks a good format in one way; the last two are of the valid bit. */
static void break_format(size_t way)
{
    broken = every;
    if (way < BREAKS) memcpy((uint8_t *)&broken + breaks[way].field, &breaks[way].value, 1);
    if (way == BREAKS) broken.valid = 0;
    if (way == BREAKS + 1) broken.inverted |= broken.valid;
}

static void a_format_that_breaks_an_invariant_is_refused_by_init_and_every_edit(void **state)
{
    static broken_one_mmu_t it;
    vmm_tables_t tables;
    vmm_mapping_t mapping;
    uint64_t merged = 99;
    size_t way;
    (void)state;
    begin(&every);
    memset(&tables, 0, sizeof tables);
    tables.memory = &window;
    tables.take = take_none;
    calls = 0;
    for (way = 0; way < BREAKS + 2; way++) {
        break_format(way);
        if (!vmm_paging_check(&broken))
            fail_msg("not refused: %s", way < BREAKS ? breaks[way].what : "a wrong valid bit");
        assert_int_equal(vmm_paging_check(&broken), VMM_E_ARGUMENT);
        assert_int_equal(broken_one_init(&it, &window), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_create(&tables), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_map(&tables, 0, 0, 128, VMM_R | VMM_W | VMM_X | VMM_U), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_unmap(&tables, 0, 128), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_protect(&tables, 0, 128, VMM_R | VMM_W | VMM_X | VMM_U), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_query(&tables, 0, &mapping), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_visit(&tables, visit_none, NULL), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_merge(&tables, 0, 128, &merged), VMM_E_ARGUMENT);
        assert_int_equal(broken_tree_destroy(&tables), VMM_E_ARGUMENT);
    }
    assert_int_equal(calls, 0);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void every_format_that_walks_passes_the_check(void **state)
{
    static const vmm_paging_t *const riscv[] = {&vmm_sv32, &vmm_sv39, &vmm_sv48, &vmm_sv57, &vmm_paging_of_options};
    size_t f;
    (void)state;
    for (f = 0; f < FORMATS; f++) assert_int_equal(vmm_paging_check(formats[f]), VMM_OK);
    for (f = 0; f < sizeof riscv / sizeof riscv[0]; f++) assert_int_equal(vmm_paging_check(riscv[f]), VMM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_walks_as_its_descriptor_says),
        cmocka_unit_test(caches_change_nothing_that_an_access_does),
        cmocka_unit_test(rights_add_up_over_the_levels_only_where_every_level_grants),
        cmocka_unit_test(a_canonical_address_obeys_the_rule_of_its_format),
        cmocka_unit_test(huge_pages_stand_where_leaf_levels_says_and_nowhere_else),
        cmocka_unit_test(peeking_writes_nothing_and_tells_what_an_access_would_meet),
        cmocka_unit_test(every_format_that_walks_passes_the_check),
        cmocka_unit_test(a_format_that_breaks_an_invariant_is_refused_by_init_and_every_edit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
