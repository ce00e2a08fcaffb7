/* test_editing.c - NAME_create ... NAME_destroy over six formats, against a model that is an array of
 * pages. What an edit promises when it fails, what it tells to flush, which page sizes it takes. */
#include "helper.h"

#define VMM_IMPLEMENTATION
#include "../vmm.h"

/* One level, entries of 2 bytes, a bit that keeps user mode out; frames of 64 bytes. */
static const vmm_paging_t tiny_format = {"tiny",
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
                                         /* valid */ 0x01,
                                         /* read */ 0,
                                         /* write */ 0x02,
                                         /* execute */ 0,
                                         /* user */ 0x04,
                                         /* global */ 0,
                                         /* accessed */ 0x08,
                                         /* dirty */ 0x10,
                                         /* huge */ 0,
                                         /* inverted */ 0x04,
                                         0,
                                         0};

/* Three unequal levels, rights granted by every level, half of the bits mean yes when 0. */
static const vmm_paging_t every_format = {"every",
                                          VMM_RULES_GENERIC,
                                          VMM_RIGHTS_EVERY,
                                          VMM_VADDR_ZERO,
                                          17,
                                          28,
                                          8,
                                          3,
                                          {3, 2, 4},
                                          0x7,
                                          4,
                                          12,
                                          20,
                                          /* valid */ 0x01,
                                          /* read */ 0x02,
                                          /* write */ 0x04,
                                          /* execute */ 0x08,
                                          /* user */ 0x10,
                                          /* global */ 0x20,
                                          /* accessed */ 0x40,
                                          /* dirty */ 0x80,
                                          /* huge */ 0x100,
                                          /* inverted */ 0x08 | 0x10 | 0x40 | 0x100,
                                          0,
                                          0};

VMM_TABLES(sv32, vmm_sv32)
VMM_TABLES(sv39, vmm_sv39)
VMM_TABLES(sv48, vmm_sv48)
VMM_TABLES(sv57, vmm_sv57)
VMM_TABLES(two, vmm_two_level)
VMM_TABLES(x86two, vmm_x86_two_level)
VMM_TABLES(pae, vmm_x86_pae)
VMM_TABLES(x86four, vmm_x86_four_level)
VMM_TABLES(x86five, vmm_x86_five_level)
VMM_TABLES(arm4k, vmm_arm64_4k)
VMM_TABLES(arm16k, vmm_arm64_16k)
VMM_TABLES(tiny, tiny_format)
VMM_TABLES(every, every_format)

#define MOST_PAGES 4096
#define MOST_FLUSHES 16384
#define RAM_BYTES (192 * 1024)
#define MARKS (VMM_A | VMM_D)
#define TYPES (VMM_NONCACHED | VMM_IO)

/* A format with its functions, and a window of its address space that the tests live in: around a
 * border of as many levels as possible, or at the end. */
typedef struct subject {
    const char *name;
    const vmm_paging_t *p;
    vmm_vaddr_t start; /* of the window */
    uint32_t pages;    /* of the window */
    uint32_t frames;   /* how many frames may be mapped, from physical 0 */
    vmm_paddr_t ram_base;
    uint64_t ram_bytes;
    vmm_status_t (*create)(vmm_tables_t *tables);
    vmm_status_t (*destroy)(vmm_tables_t *tables);
    vmm_status_t (*map)(vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes, uint32_t flags);
    vmm_status_t (*unmap)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes);
    vmm_status_t (*protect)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint32_t flags);
    vmm_status_t (*query)(const vmm_tables_t *tables, vmm_vaddr_t va, vmm_mapping_t *mapping);
    vmm_status_t (*visit)(const vmm_tables_t *tables, vmm_visitor_t visitor, void *user);
    vmm_status_t (*merge)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint64_t *merged);
} subject_t;

#define FUNCTIONS(NAME)                                                                                                \
    NAME##_create, NAME##_destroy, NAME##_map, NAME##_unmap, NAME##_protect, NAME##_query, NAME##_visit, NAME##_merge

static const subject_t subjects[] = {
    {"Sv32", &vmm_sv32, 0x3f800000, 4096, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv32)},
    {"Sv32, end", &vmm_sv32, 0xff000000, 4096, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv32)},
    {"Sv39", &vmm_sv39, UINT64_C(0x3fc00000), 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv39)},
    {"Sv39, end", &vmm_sv39, UINT64_C(0xffffffffff800000), 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv39)},
    {"Sv48", &vmm_sv48, UINT64_C(0x7fffc00000), 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv48)},
    {"Sv57", &vmm_sv57, UINT64_C(0xffffffc00000), 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(sv57)},
    {"Sv57, upper half", &vmm_sv57, UINT64_C(0xff00000000000000), 2048, 1 << 14, 0, RAM_BYTES, FUNCTIONS(sv57)},
    {"two-level", &vmm_two_level, 0x3f800000, 4096, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(two)},
    {"x86 two-level", &vmm_x86_two_level, 0x3f800000, 4096, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(x86two)},
    {"x86 PAE", &vmm_x86_pae, 0x3fc00000, 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(pae)},
    {"x86 four-level", &vmm_x86_four_level, UINT64_C(0x7fffc00000), 2048, 1 << 14, 0x80000000, RAM_BYTES,
     FUNCTIONS(x86four)},
    {"x86 five-level", &vmm_x86_five_level, UINT64_C(0xff00000000000000), 2048, 1 << 14, 0, RAM_BYTES,
     FUNCTIONS(x86five)},
    {"AArch64 4K", &vmm_arm64_4k, UINT64_C(0x7fffc00000), 2048, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(arm4k)},
    {"AArch64 16K", &vmm_arm64_16k, UINT64_C(0x1ffe000000), 4096, 1 << 14, 0x80000000, RAM_BYTES, FUNCTIONS(arm16k)},
    {"tiny", &tiny_format, 0, 256, 64, 0, 4096, FUNCTIONS(tiny)},
    {"every", &every_format, 0, 512, 1 << 12, 0x10000, 128 * 256, FUNCTIONS(every)},
};
#define SUBJECTS (sizeof subjects / sizeof *subjects)

/* ---- the world: RAM, tables in it, what was told ---- */

enum wrong {
    NO_FRAME,
    OUTSIDE_RAM,
    MISALIGNED,
    HIGH,
    WRONGS
};

static uint64_t ram[RAM_BYTES / 8], before[RAM_BYTES / 8];

static struct {
    const subject_t *s;
    vmm_memory_t memory;
    vmm_tables_t tables;
    helper_frames_t frames;
    long wrong_in; /* how many good tables are handed out before a wrong one; -1: all are good */
    enum wrong wrong;
    vmm_paddr_t taken;   /* the wrong one, */
    vmm_paddr_t instead; /* and the good one in its place; its return is awaited */
    unsigned untold;     /* tables given back without a VMM_FLUSH_TABLE before */
    bool told;
    vmm_flush_t flush[MOST_FLUSHES];
    unsigned flushes;
} w;

/* Tables smaller than a page take a whole one, because entries name pages. */
static uint64_t room_of(uint64_t bytes)
{
    const uint64_t page = UINT64_C(1) << w.s->p->page_shift;
    return bytes > page ? bytes : page;
}

static int world_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    (void)user;
    assert_true(bytes != 0 && (bytes & (bytes - 1)) == 0);
    if (w.wrong_in == 0 && w.wrong == NO_FRAME) return -1;
    if (helper_take(&w.frames, room_of(bytes), table)) return -1;
    if (w.wrong_in == 0) {
        w.instead = *table;
        if (w.wrong == OUTSIDE_RAM) *table = w.s->ram_base + w.s->ram_bytes;
        if (w.wrong == MISALIGNED) *table += bytes / 2;
        if (w.wrong == HIGH) *table = UINT64_MAX & ~(bytes - 1);
        w.taken = *table;
    }
    if (w.wrong_in >= 0) w.wrong_in--;
    return 0;
}

static void world_give(void *user, vmm_paddr_t table, uint64_t bytes)
{
    size_t i;
    (void)user;
    if (w.instead && table == w.taken) {
        table = w.instead;
        w.instead = 0;
    }
    for (i = 0; i < w.frames.freed; i++)
        if (w.frames.free[i].table == table) fail_msg("%s: a table is given back twice", w.s->name);
    if (!w.told) w.untold++;
    w.told = false;
    helper_give(&w.frames, table, room_of(bytes));
}

static void world_flush(void *user, const vmm_flush_t *what)
{
    assert_ptr_equal(user, &w);
    assert_true(what->kind <= VMM_FLUSH_TABLE);
    assert_true(what->page_shift >= w.s->p->page_shift);
    assert_true(((what->vaddr | what->bytes) & vmm_low_mask(w.s->p->page_shift)) == 0);
    if (what->kind == VMM_FLUSH_TABLE) w.told = true;
    assert_true(w.flushes < MOST_FLUSHES);
    w.flush[w.flushes++] = *what;
}

static void world_open(const subject_t *s)
{
    const vmm_memory_t memory = {ram, s->ram_base, s->ram_bytes, {NULL, NULL, NULL}, 0};
    memset(&w, 0, sizeof w);
    memset(ram, 0xa5, sizeof ram); /* take may hand out any content */
    w.s = s;
    w.memory = memory;
    w.wrong_in = -1;
    w.frames.base = w.frames.next = s->ram_base;
    w.frames.end = s->ram_base + s->ram_bytes;
    w.frames.budget = -1;
    w.tables.memory = &w.memory;
    w.tables.take = world_take;
    w.tables.give = world_give;
    w.tables.user = &w;
    w.tables.flush = world_flush;
    w.tables.flush_user = &w;
    assert_int_equal(vmm_mem_check(&w.memory, s->p), VMM_OK);
    assert_int_equal(s->create(&w.tables), VMM_OK);
    assert_int_equal(w.frames.live, 1);
}

static void world_close(void)
{
    assert_int_equal(w.s->destroy(&w.tables), VMM_OK);
    assert_int_equal(w.frames.live, 0);
}

static vmm_vaddr_t page_va(uint64_t page)
{
    return w.s->start + (page << w.s->p->page_shift);
}

static uint64_t page_bytes(uint64_t pages)
{
    return pages << w.s->p->page_shift;
}

/* Pages that an entry of a level covers. */
static uint64_t level_pages(const vmm_paging_t *p, unsigned level)
{
    return UINT64_C(1) << (vmm_level_shift(p, level) - p->page_shift);
}

/* A number of a page in the whole address space, so that blocks of any level begin at multiples. */
static uint64_t page_number(uint64_t page)
{
    return (page_va(page) & vmm_low_mask(w.s->p->vaddr_bits)) >> w.s->p->page_shift;
}

static bool riscv64(const vmm_paging_t *p)
{
    return p->rules == VMM_RULES_RISCV && p->pte_bytes == 8;
}

/* What an entry made with these flags says: what the format has no bit for is always, or never, there. */
static uint32_t said(const vmm_paging_t *p, uint32_t flags)
{
    flags &= VMM_R | VMM_W | VMM_X | VMM_U | VMM_G | VMM_A | VMM_D;
    return (flags & ~(p->global ? 0u : (unsigned)VMM_G)) | (p->read ? 0u : (unsigned)VMM_R) |
           (p->write ? 0u : (unsigned)VMM_W) | (p->execute ? 0u : (unsigned)VMM_X) | (p->user ? 0u : (unsigned)VMM_U) |
           (p->accessed ? 0u : (unsigned)VMM_A) | (p->dirty ? 0u : (unsigned)VMM_D);
}

/* Every right the format can say together. */
static uint32_t all_rights(const vmm_paging_t *p)
{
    return (uint32_t)(VMM_R | VMM_W | VMM_X | VMM_U) | (p->global ? (uint32_t)VMM_G : 0u);
}

/* Read rights alone, or what is closest. */
static uint32_t read_rights(const vmm_paging_t *p)
{
    return VMM_R | (p->execute ? 0u : (uint32_t)VMM_X) | (p->user ? 0u : (uint32_t)VMM_U);
}

static unsigned pbmt(vmm_pte_t pte)
{
    return riscv64(w.s->p) ? (unsigned)(pte >> 61) & 3u : 0u;
}

/* A walk that leaves no trace, by an access that the flags allow. */
static vmm_status_t peek_as(vmm_vaddr_t va, uint32_t flags, vmm_translation_t *t, vmm_fault_t *fault)
{
    vmm_judge_t judge;
    memset(&judge, 0, sizeof judge);
    judge.user = (flags & VMM_U) != 0;
    judge.marking = VMM_MARK_PEEK;
    judge.features = w.s->p->rules == VMM_RULES_X86 ? (uint16_t)VMM_X86_PGE : (uint16_t)(VMM_SVNAPOT | VMM_SVPBMT);
    memset(t, 0, sizeof *t);
    return vmm_walk(w.s->p, &w.memory, w.tables.root, &judge,
                    (flags & VMM_R)   ? (unsigned)VMM_READ
                    : (flags & VMM_W) ? (unsigned)VMM_WRITE
                                      : (unsigned)VMM_FETCH,
                    va, t, fault, NULL, NULL);
}

static void world_remember(void)
{
    memcpy(before, ram, sizeof ram);
    w.flushes = 0;
    w.untold = 0;
    w.told = false;
}

static void assert_world_unchanged(const char *what, int64_t live)
{
    if (memcmp(before, ram, sizeof ram)) fail_msg("%s: %s changed RAM", w.s->name, what);
    if (w.frames.live != live) fail_msg("%s: %s leaked", w.s->name, what);
    if (w.flushes) fail_msg("%s: %s told a flush", w.s->name, what);
}

/* ---- the model ---- */

typedef struct page {
    vmm_paddr_t pa;
    uint32_t flags; /* as said by the format */
    uint8_t type;   /* bits 62:61 */
    uint8_t level;  /* of the leaf */
    bool mapped;
} page_t;

static page_t model[MOST_PAGES], was[MOST_PAGES];

enum kind {
    MAP,
    UNMAP,
    PROTECT,
    MERGE
};

typedef struct op {
    enum kind kind;
    uint32_t first, count;
    vmm_paddr_t pa;
    uint32_t flags;
    uint64_t merged;
} op_t;

static vmm_status_t op_do(op_t *op)
{
    const vmm_vaddr_t va = page_va(op->first);
    const uint64_t bytes = page_bytes(op->count);
    switch (op->kind) {
    case MAP: return w.s->map(&w.tables, va, op->pa, bytes, op->flags);
    case UNMAP: return w.s->unmap(&w.tables, va, bytes);
    case PROTECT: return w.s->protect(&w.tables, va, bytes, op->flags);
    default: return w.s->merge(&w.tables, va, bytes, &op->merged);
    }
}

/* Whether the pages of a block are pieces of one page of its level. Gathers the marks. */
static bool model_mergeable(uint64_t first, uint64_t pages, unsigned level, uint32_t *marks)
{
    uint64_t i;
    *marks = 0;
    for (i = 0; i < pages; i++) {
        const page_t *m = &model[first + i];
        if (!m->mapped || m->level != level - 1 || m->type != model[first].type) return false;
        if ((m->flags ^ model[first].flags) & ~(uint32_t)MARKS) return false;
        if (m->pa != model[first].pa + page_bytes(i)) return false;
        *marks |= m->flags & MARKS;
    }
    return (model[first].pa & (page_bytes(pages) - 1)) == 0;
}

static uint64_t model_merge(const op_t *op)
{
    const vmm_paging_t *p = w.s->p;
    uint64_t merged = 0, i;
    unsigned level;
    for (level = 1; level < p->levels; level++) {
        const uint64_t pages = level_pages(p, level);
        uint64_t first;
        if (!((p->leaf_levels >> level) & 1)) continue;
        for (first = 0; first + pages <= w.s->pages; first++) {
            uint32_t marks;
            if (page_number(first) % pages || first + pages <= op->first || first >= op->first + op->count) continue;
            if (!model_mergeable(first, pages, level, &marks)) continue;
            merged++;
            for (i = first; i < first + pages; i++) {
                model[i].level = (uint8_t)level;
                model[i].flags |= marks;
            }
        }
    }
    return merged;
}

/* What the operation should return; the model changes when it is VMM_OK. Levels are not foretold,
 * but by a merge. */
static vmm_status_t model_do(const op_t *op, uint64_t *merged)
{
    const vmm_paging_t *p = w.s->p;
    uint32_t i;
    for (i = op->first; i < op->first + op->count; i++) {
        if (op->kind == MAP && !(op->flags & VMM_REPLACE) && model[i].mapped) return VMM_E_MAPPED;
        if (op->kind == PROTECT && !model[i].mapped) return VMM_E_NOT_MAPPED;
    }
    if (op->kind == MERGE) *merged = model_merge(op);
    for (i = op->first; i < op->first + op->count; i++) {
        page_t *m = &model[i];
        if (op->kind == UNMAP) memset(m, 0, sizeof *m);
        if (op->kind == PROTECT) m->flags = (m->flags & MARKS) | (said(p, op->flags) & ~(uint32_t)MARKS);
        if (op->kind != MAP) continue;
        m->mapped = true;
        m->pa = op->pa + page_bytes(i - op->first);
        m->flags = said(p, op->flags);
        m->type = op->flags & VMM_NONCACHED ? 1 : op->flags & VMM_IO ? 2 : 0;
    }
    return VMM_OK;
}

/* Visitor: leaves agree with the model and ascend; pointers are counted. */
static struct {
    uint64_t next; /* page that the next leaf may begin at */
    uint64_t leaf_pages;
    long pointers;
    bool table[RAM_BYTES / 64]; /* by frame: reachable */
} seen;

static int see(void *user, const vmm_mapping_t *m)
{
    const uint64_t page = (m->vaddr - w.s->start) >> w.s->p->page_shift;
    const uint64_t pages = m->bytes >> w.s->p->page_shift;
    (void)user;
    assert_int_equal(m->status, VMM_OK);
    if (!m->leaf) {
        seen.pointers++;
        seen.table[(m->paddr - w.s->ram_base) >> w.s->p->page_shift] = true;
        return 0;
    }
    assert_true(page >= seen.next && page + pages <= w.s->pages);
    assert_true(m->bytes == UINT64_C(1) << vmm_level_shift(w.s->p, m->level));
    assert_true(model[page].mapped && m->paddr == model[page].pa && m->flags == model[page].flags);
    seen.next = page + pages;
    seen.leaf_pages += pages;
    return 0;
}

static void see_all(void)
{
    memset(&seen, 0, sizeof seen);
    seen.table[(w.tables.root - w.s->ram_base) >> w.s->p->page_shift] = true;
    assert_int_equal(w.s->visit(&w.tables, see, NULL), VMM_OK);
}

/* Tables that the model's leaves need: none that is empty may be there. */
static long model_tables(void)
{
    const vmm_paging_t *p = w.s->p;
    long tables = 1;
    unsigned level;
    for (level = 1; level < p->levels; level++) {
        uint64_t last = UINT64_MAX;
        uint32_t i;
        for (i = 0; i < w.s->pages; i++) {
            const uint64_t block = page_number(i) / level_pages(p, level);
            if (!model[i].mapped || model[i].level >= level || block == last) continue;
            last = block;
            tables++;
        }
    }
    return tables;
}

/* Every page by query and by a walk, all leaves by visit, all tables by count. */
static void assert_as_model(bool levels_known)
{
    uint64_t mapped = 0;
    uint32_t i;
    for (i = 0; i < w.s->pages; i++) {
        const vmm_vaddr_t va = page_va(i);
        page_t *e = &model[i];
        vmm_mapping_t m;
        vmm_translation_t t;
        vmm_fault_t fault;
        const vmm_status_t status = w.s->query(&w.tables, va + 5, &m);
        const vmm_status_t walked = peek_as(va + 5, e->flags, &t, &fault);
        if (!e->mapped) {
            assert_int_equal(status, VMM_E_NOT_MAPPED);
            assert_int_equal(walked, VMM_FAULT);
            assert_int_equal(fault.rule, VMM_RULE_VALID);
            continue;
        }
        mapped++;
        assert_int_equal(status, VMM_OK);
        assert_int_equal(walked, VMM_OK);
        assert_true(m.leaf && m.status == VMM_OK && va - m.vaddr < m.bytes);
        assert_true(m.paddr + (va - m.vaddr) == e->pa && t.paddr == e->pa + 5);
        assert_int_equal(m.flags, e->flags);
        assert_int_equal(w.s->p->rules == VMM_RULES_ARM64 ? vmm_pte_flags(w.s->p, t.pte) : t.flags, e->flags);
        assert_int_equal(pbmt(m.pte), e->type);
        assert_true(m.level == t.level && m.pte == t.pte && m.pte_addr == t.pte_addr);
        if (levels_known) assert_int_equal(m.level, e->level);
        e->level = m.level;
    }
    see_all();
    assert_true(seen.leaf_pages == mapped);
    assert_int_equal(w.frames.live, seen.pointers + 1);
    assert_int_equal(w.frames.live, model_tables());
}

/* ---- random operations ---- */

static uint64_t state;

static uint32_t below(uint64_t n)
{
    return (uint32_t)(helper_random(&state) % n);
}

static uint32_t random_flags(const vmm_paging_t *p, enum kind kind)
{
    uint32_t flags;
    do {
        flags = (uint32_t)helper_random(&state) & (VMM_R | VMM_W | VMM_X | VMM_U | VMM_G);
        if (kind != MAP) continue;
        flags |= (uint32_t)helper_random(&state) & (VMM_A | VMM_D | VMM_REPLACE);
        if (below(3) == 0) flags |= VMM_NO_HUGE;
        if (riscv64(p) && below(4) == 0) flags |= below(2) ? VMM_NONCACHED : VMM_IO;
    } while (!vmm_flags_fit(p, flags) || !(flags & (VMM_R | VMM_W | VMM_X)));
    return flags;
}

static op_t random_op(void)
{
    static const enum kind kinds[] = {MAP, MAP, MAP, MAP, UNMAP, UNMAP, PROTECT, PROTECT, MERGE, MERGE};
    const vmm_paging_t *p = w.s->p;
    const uint32_t pages = w.s->pages, block = (uint32_t)level_pages(p, p->levels > 1 ? 1 : 0);
    const uint32_t blocks = pages / block;
    op_t op;
    uint32_t most, room;
    memset(&op, 0, sizeof op);
    op.kind = kinds[below(sizeof kinds / sizeof *kinds)];
    switch (below(4)) {
    case 0: op.first = below(pages), op.count = 1 + below(9); break;
    case 1: op.first = below(blocks) * block, op.count = block * (1 + below(blocks)); break;
    case 2: op.first = below(pages), op.count = 1 + below(pages); break;
    default:
        op.first = below(blocks) * block, op.count = 1 + below(2 * block), op.first -= op.first ? below(3) : 0;
        break;
    }
    most = pages - op.first;
    if (op.kind == MAP && most > w.s->frames) most = w.s->frames;
    if (op.count > most) op.count = most;
    room = w.s->frames - op.count + 1;
    op.pa = below(room);
    if (p->levels > 1 && below(3)) { /* so that huge pages fit, of all levels when they are small */
        const uint32_t size = (uint32_t)level_pages(p, p->levels > 2 && p->index_bits[1] < 4 ? 2 : 1);
        op.pa = page_number(op.first) % size + (uint64_t)size * below(3);
    }
    if (op.pa + op.count > w.s->frames) op.pa = 0;
    op.pa = page_bytes(op.pa);
    op.flags = random_flags(p, op.kind);
    return op;
}

/* A TLB that never forgets of itself: what a walk said of a page when it was touched. */
static struct {
    bool filled;
    vmm_status_t status;
    vmm_translation_t t;
    vmm_fault_t fault;
} tlb[MOST_PAGES];

static void tlb_touch(unsigned pages)
{
    for (; pages; pages--) {
        const uint32_t i = below(w.s->pages);
        tlb[i].status = peek_as(page_va(i), model[i].flags, &tlb[i].t, &tlb[i].fault);
        tlb[i].filled = true;
    }
}

static void tlb_do_what_was_told(void)
{
    unsigned f;
    uint32_t i;
    for (f = 0; f < w.flushes; f++)
        for (i = 0; w.flush[f].kind != VMM_FLUSH_MADE && i < w.s->pages; i++)
            if (w.flush[f].bytes == 0 || page_va(i) - w.flush[f].vaddr < w.flush[f].bytes) tlb[i].filled = false;
}

/* A valid entry must be as a fresh walk would find it. Of an invalid one the processor may remember
 * the table, which must still be the one of that level. */
static void assert_nothing_stale(void)
{
    uint32_t i;
    for (i = 0; i < w.s->pages; i++) {
        vmm_translation_t t;
        vmm_fault_t fault;
        vmm_status_t status;
        if (!tlb[i].filled) continue;
        status = peek_as(page_va(i), model[i].flags, &t, &fault);
        if (tlb[i].status == VMM_OK) {
            assert_int_equal(status, VMM_OK);
            assert_true(t.paddr == tlb[i].t.paddr && t.pte == tlb[i].t.pte && t.pte_addr == tlb[i].t.pte_addr);
            assert_true(t.table == tlb[i].t.table && t.level == tlb[i].t.level);
        } else if (tlb[i].fault.level == 0) {
            assert_true(t.table == tlb[i].t.table);
        }
    }
}

/* CHANGED is told only of pages in the range, and of the rest of leaves that the range cuts, and only
 * of pages that are mapped or were. MADE is told of each new page of a plain map once, and then
 * nothing else is. */
static void assert_told_exactly(const op_t *op)
{
    static uint8_t made[MOST_PAGES];
    const bool plain = op->kind == MAP && !(op->flags & VMM_REPLACE);
    unsigned f;
    uint32_t i;
    memset(made, 0, sizeof made);
    for (f = 0; f < w.flushes; f++) {
        const vmm_flush_t *told = &w.flush[f];
        const uint64_t first = (told->vaddr - w.s->start) >> w.s->p->page_shift;
        const uint64_t pages = told->bytes >> w.s->p->page_shift;
        if (plain) assert_int_equal(told->kind, VMM_FLUSH_MADE);
        if (told->kind == VMM_FLUSH_TABLE) continue;
        assert_true(first < w.s->pages && pages <= w.s->pages - first);
        for (i = (uint32_t)first; i < first + pages; i++) {
            const uint64_t leaf = was[i].mapped ? level_pages(w.s->p, was[i].level) : 1;
            const uint64_t begins = i - page_number(i) % leaf;
            if (!(begins < op->first + op->count && begins + leaf > op->first) || !(was[i].mapped || model[i].mapped))
                fail_msg("%s: %s of pages %u+%u told that page %u changed", w.s->name,
                         op->kind == MAP     ? "map"
                         : op->kind == UNMAP ? "unmap"
                                             : "protect",
                         op->first, op->count, i);
            if (told->kind == VMM_FLUSH_MADE) made[i]++;
        }
    }
    for (i = 0; plain && i < w.s->pages; i++) assert_int_equal(made[i], i >= op->first && i < op->first + op->count);
}

static void assert_tables_as_before(void)
{
    const uint8_t *now = (const uint8_t *)ram, *then = (const uint8_t *)before;
    const size_t page = (size_t)1 << w.s->p->page_shift;
    size_t f, i;
    for (f = 0; f < w.s->ram_bytes / page; f++) {
        const vmm_paddr_t frame = w.s->ram_base + f * page;
        bool free_now = frame >= w.frames.next;
        for (i = 0; i < w.frames.freed && !free_now; i++)
            free_now = frame - w.frames.free[i].table < w.frames.free[i].bytes;
        if (!free_now) assert_memory_equal(now + f * page, then + f * page, page);
    }
}

/* Makes every taking of a table fail once, in each way; leaves the operation undone. */
static unsigned op_fail_everywhere(const op_t *op)
{
    unsigned wrong, failures = 0;
    for (wrong = 0; wrong < WRONGS; wrong++) {
        long call;
        for (call = 0;; call++) {
            static uint64_t keep[RAM_BYTES / 8];
            helper_frames_t frames = w.frames;
            const int64_t live = w.frames.live;
            op_t copy = *op;
            vmm_status_t status;
            memcpy(keep, ram, sizeof ram);
            world_remember();
            w.wrong_in = call;
            w.wrong = (enum wrong)wrong;
            status = op_do(&copy);
            if (w.wrong_in >= 0) { /* needed no more tables than were handed out */
                w.wrong_in = -1;
                w.frames = frames;
                memcpy(ram, keep, sizeof ram);
                break;
            }
            failures++;
            assert_int_equal(status, wrong == NO_FRAME ? VMM_E_NO_FRAME : VMM_E_TABLE);
            assert_int_equal(w.frames.live, live);
            assert_true(w.instead == 0);
            assert_int_equal(w.flushes, 0);
            assert_tables_as_before();
        }
    }
    return failures;
}

enum checks {
    BY_MODEL = 1,
    BY_TLB = 2,
    EXACT = 4,
    FAILING = 8
};

static void random_edits(unsigned checks, unsigned steps, uint64_t seed)
{
    uint64_t merges = 0, failures = 0;
    size_t n;
    for (n = 0; n < SUBJECTS; n++) {
        unsigned step;
        state = seed + n;
        world_open(&subjects[n]);
        memset(model, 0, sizeof model);
        memset(tlb, 0, sizeof tlb);
        for (step = 0; step < steps; step++) {
            op_t op = random_op();
            uint64_t merged = 0;
            vmm_status_t expected;
            if (checks & BY_TLB) tlb_touch(w.s->pages / 8);
            if (checks & FAILING) failures += op_fail_everywhere(&op);
            memcpy(was, model, sizeof model);
            world_remember();
            expected = model_do(&op, &merged);
            assert_int_equal(op_do(&op), expected);
            if (expected) assert_world_unchanged("an edit that failed", w.frames.live);
            assert_int_equal(w.untold, 0);
            if (op.kind == MERGE) assert_true(op.merged == merged);
            merges += merged;
            assert_as_model(op.kind == MERGE || expected);
            if (checks & BY_TLB) {
                tlb_do_what_was_told();
                assert_nothing_stale();
            }
            if ((checks & EXACT) && expected == VMM_OK) assert_told_exactly(&op);
        }
        world_close();
    }
    assert_true(merges > 0);
    if (checks & FAILING) assert_true(failures > 100);
}

static void random_edits_do_to_every_page_what_the_model_says(void **unused)
{
    (void)unused;
    random_edits(BY_MODEL, 120, UINT64_C(0x1234567));
}

static void a_tlb_that_flushes_what_it_is_told_never_holds_a_stale_translation(void **unused)
{
    (void)unused;
    random_edits(BY_TLB, 60, UINT64_C(0x7654321));
}

static void nothing_is_flushed_that_did_not_change(void **unused)
{
    (void)unused;
    random_edits(EXACT, 60, UINT64_C(0xabcdef));
}

static void an_edit_that_gets_no_good_table_leaves_everything_as_it_was(void **unused)
{
    (void)unused;
    random_edits(FAILING, 40, UINT64_C(0xfedcba));
}

/* ---- errors ---- */

/* Pages 4 to 7 of the window are mapped; the rest is not. */
static void every_error_of_a_contract_changes_nothing(void **unused)
{
    size_t n, i;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        const subject_t *s = &subjects[n];
        const vmm_paging_t *p = s->p;
        const uint64_t page = UINT64_C(1) << p->page_shift;
        const vmm_vaddr_t at = s->start + 16 * page, mapped = s->start + 4 * page;
        const vmm_vaddr_t beyond = UINT64_C(1) << (p->vaddr_rule == VMM_VADDR_SIGN ? p->vaddr_bits - 1 : p->vaddr_bits);
        const vmm_paddr_t wide = UINT64_C(1) << p->paddr_bits;
        const uint32_t good = all_rights(p);
        const bool riscv = p->rules == VMM_RULES_RISCV;
        const struct {
            const char *what;
            enum kind kind;
            vmm_vaddr_t va;
            vmm_paddr_t pa;
            uint64_t bytes;
            uint32_t flags;
            vmm_status_t status;
            bool not_here;
        } cases[] = {
            {"map of nothing", MAP, at, 0, 0, good, VMM_E_RANGE, false},
            {"unmap of nothing", UNMAP, mapped, 0, 0, 0, VMM_E_RANGE, false},
            {"protect of nothing", PROTECT, mapped, 0, 0, good, VMM_E_RANGE, false},
            {"merge of nothing", MERGE, mapped, 0, 0, 0, VMM_E_RANGE, false},
            {"map at half a page", MAP, at + page / 2, 0, page, good, VMM_E_ALIGN, false},
            {"map to half a page", MAP, at, page / 2, page, good, VMM_E_ALIGN, false},
            {"map of half a page", MAP, at, 0, page / 2, good, VMM_E_ALIGN, false},
            {"map at one byte", MAP, at + 1, 0, page, good, VMM_E_ALIGN, false},
            {"unmap at half a page", UNMAP, mapped + page / 2, 0, page, 0, VMM_E_ALIGN, false},
            {"unmap of a page and a byte", UNMAP, mapped, 0, page + 1, 0, VMM_E_ALIGN, false},
            {"protect at half a page", PROTECT, mapped + page / 2, 0, page, good, VMM_E_ALIGN, false},
            {"protect of half a page", PROTECT, mapped, 0, page / 2, good, VMM_E_ALIGN, false},
            {"merge at half a page", MERGE, mapped + page / 2, 0, page, 0, VMM_E_ALIGN, false},
            {"merge of half a page", MERGE, mapped, 0, page / 2, 0, VMM_E_ALIGN, false},
            {"map that wraps", MAP, UINT64_C(0) - page, 0, 2 * page, good, VMM_E_RANGE, false},
            {"unmap that wraps", UNMAP, mapped, 0, UINT64_C(0) - page, 0, VMM_E_RANGE, false},
            {"protect that wraps", PROTECT, UINT64_C(0) - page, 0, 2 * page, good, VMM_E_RANGE, false},
            {"merge that wraps", MERGE, UINT64_C(0) - page, 0, 2 * page, 0, VMM_E_RANGE, false},
            {"map beyond the address space", MAP, beyond, 0, page, good, VMM_E_RANGE, false},
            {"unmap beyond the address space", UNMAP, beyond, 0, page, 0, VMM_E_RANGE, false},
            {"protect beyond the address space", PROTECT, beyond, 0, page, good, VMM_E_RANGE, false},
            {"merge beyond the address space", MERGE, beyond, 0, page, 0, VMM_E_RANGE, false},
            {"map out of the address space", MAP, beyond - page, 0, 2 * page, good, VMM_E_RANGE, false},
            {"unmap out of the address space", UNMAP, beyond - page, 0, 2 * page, 0, VMM_E_RANGE, false},
            {"protect out of the address space", PROTECT, beyond - page, 0, 2 * page, good, VMM_E_RANGE, false},
            {"merge out of the address space", MERGE, beyond - page, 0, 2 * page, 0, VMM_E_RANGE, false},
            {"unmap from one half into the other", UNMAP, beyond - page, 0, UINT64_C(0) - 2 * beyond + 2 * page, 0,
             VMM_E_RANGE, p->vaddr_rule != VMM_VADDR_SIGN},
            {"map to a frame too high", MAP, at, wide, page, good, VMM_E_RANGE, false},
            {"map to frames that become too high", MAP, at, wide - page, 2 * page, good, VMM_E_RANGE, false},
            {"map to frames that wrap", MAP, at, UINT64_C(0) - page, 2 * page, good, VMM_E_RANGE, false},
            {"map without rights", MAP, at, 0, page, 0, VMM_E_RIGHTS, p == &every_format},
            {"map of write without read", MAP, at, 0, page, VMM_W, VMM_E_RIGHTS, !riscv},
            {"map of write and execute without read", MAP, at, 0, page, VMM_W | VMM_X, VMM_E_RIGHTS, !riscv},
            {"protect without rights", PROTECT, mapped, 0, page, 0, VMM_E_RIGHTS, p == &every_format},
            {"protect of write without read", PROTECT, mapped, 0, page, VMM_W, VMM_E_RIGHTS, !riscv},
            {"map of what is always readable, unreadable", MAP, at, 0, page, good & ~(uint32_t)VMM_R, VMM_E_RIGHTS,
             p->read != 0},
            {"map of what is always executable, not so", MAP, at, 0, page, good & ~(uint32_t)VMM_X, VMM_E_RIGHTS,
             p->execute != 0},
            {"map of a global page", MAP, at, 0, page, good | VMM_G, VMM_E_RIGHTS, p->global != 0},
            {"protect to a global page", PROTECT, mapped, 0, page, good | VMM_G, VMM_E_RIGHTS, p->global != 0},
            {"map of memory type NC", MAP, at, 0, page, good | VMM_NONCACHED, VMM_E_RIGHTS, riscv64(p)},
            {"map of memory type IO", MAP, at, 0, page, good | VMM_IO, VMM_E_RIGHTS, riscv64(p)},
            {"map of two memory types", MAP, at, 0, page, good | TYPES, VMM_E_RIGHTS, false},
            {"map with a flag that is none", MAP, at, 0, page, good | 1u, VMM_E_ARGUMENT, false},
            {"map with a high flag that is none", MAP, at, 0, page, good | UINT32_C(0x80000000), VMM_E_ARGUMENT, false},
            {"protect with a mark", PROTECT, mapped, 0, page, good | VMM_D, VMM_E_ARGUMENT, false},
            {"protect with an option of map", PROTECT, mapped, 0, page, good | VMM_REPLACE, VMM_E_ARGUMENT, false},
            {"protect with a memory type", PROTECT, mapped, 0, page, good | VMM_IO, VMM_E_ARGUMENT, false},
            {"map of what is mapped", MAP, mapped, 0, 4 * page, good, VMM_E_MAPPED, false},
            {"map into what is mapped", MAP, mapped - 2 * page, 0, 3 * page, good, VMM_E_MAPPED, false},
            {"map out of what is mapped", MAP, mapped + 3 * page, 0, 9 * page, good, VMM_E_MAPPED, false},
            {"map around what is mapped", MAP, s->start, 0, 64 * page, good, VMM_E_MAPPED, false},
            {"protect of nothing mapped", PROTECT, at, 0, page, good, VMM_E_NOT_MAPPED, false},
            {"protect with a hole at the end", PROTECT, mapped + 2 * page, 0, 3 * page, good, VMM_E_NOT_MAPPED, false},
            {"protect with a hole at the beginning", PROTECT, mapped - page, 0, 3 * page, good, VMM_E_NOT_MAPPED,
             false},
        };
        vmm_mapping_t m;
        int64_t live;
        world_open(s);
        assert_int_equal(s->map(&w.tables, mapped, 4 * page, 4 * page, good), VMM_OK);
        live = w.frames.live;
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            vmm_status_t status;
            uint64_t merged = 99;
            if (cases[i].not_here) continue;
            world_remember();
            switch (cases[i].kind) {
            case MAP: status = s->map(&w.tables, cases[i].va, cases[i].pa, cases[i].bytes, cases[i].flags); break;
            case UNMAP: status = s->unmap(&w.tables, cases[i].va, cases[i].bytes); break;
            case PROTECT: status = s->protect(&w.tables, cases[i].va, cases[i].bytes, cases[i].flags); break;
            default: status = s->merge(&w.tables, cases[i].va, cases[i].bytes, &merged); break;
            }
            if (status != cases[i].status)
                fail_msg("%s: %s returned %d, not %d", s->name, cases[i].what, (int)status, (int)cases[i].status);
            assert_world_unchanged(cases[i].what, live);
        }
        assert_int_equal(s->query(&w.tables, at, &m), VMM_E_NOT_MAPPED);
        assert_int_equal(s->query(&w.tables, mapped - 1, &m), VMM_E_NOT_MAPPED);
        if (p->vaddr_rule != VMM_VADDR_WRAP) assert_int_equal(s->query(&w.tables, beyond, &m), VMM_E_RANGE);
        world_close();
    }
}

static void a_frame_above_what_the_format_can_name_is_not_mapped_whatever_width_memory_has(void **unused)
{
    static const uint8_t widths[] = {60, 64, 40};
    size_t n, i;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++)
        for (i = 0; i < sizeof widths; i++) {
            const vmm_paging_t *p = subjects[n].p;
            const unsigned named = (unsigned)p->ppn_bits + p->page_shift; /* fewer than PSE-36 can read */
            const unsigned most = p->paddr_bits < named ? p->paddr_bits : named;
            const unsigned width = widths[i] < most ? widths[i] : most;
            const uint32_t flags = all_rights(p);
            world_open(&subjects[n]);
            w.memory.paddr_bits = widths[i];
            if (w.s->map(&w.tables, page_va(0), UINT64_C(1) << width, page_bytes(1), flags) != VMM_E_RANGE)
                fail_msg("%s: physical address 2^%u with memory.paddr_bits %u", w.s->name, width, widths[i]);
            assert_int_equal(
                w.s->map(&w.tables, page_va(0), (UINT64_C(1) << width) - page_bytes(1), page_bytes(1), flags), VMM_OK);
            world_close();
        }
}

static void create_needs_memory_and_a_good_table(void **unused)
{
    static const struct {
        enum wrong wrong;
        vmm_status_t status;
    } cases[] = {
        {NO_FRAME, VMM_E_NO_FRAME}, {OUTSIDE_RAM, VMM_E_TABLE}, {MISALIGNED, VMM_E_TABLE}, {HIGH, VMM_E_TABLE}};
    size_t n, i;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        vmm_tables_t tables;
        world_open(&subjects[n]);
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            world_remember();
            tables = w.tables;
            w.wrong_in = 0;
            w.wrong = cases[i].wrong;
            assert_int_equal(w.s->create(&tables), cases[i].status);
            w.wrong_in = -1;
            assert_world_unchanged("a create that failed", 1);
        }
        tables = w.tables;
        tables.take = NULL;
        assert_int_equal(w.s->create(&tables), VMM_E_ARGUMENT);
        assert_int_equal(w.s->map(&tables, page_va(0), 0, page_bytes(1), all_rights(w.s->p)),
                         w.s->p->levels > 1 ? VMM_E_NO_FRAME : VMM_OK);
        tables = w.tables;
        tables.memory = NULL;
        assert_int_equal(w.s->create(&tables), VMM_E_ARGUMENT);
        world_close();
    }
}

static int count_bad(void *user, const vmm_mapping_t *m)
{
    if (m->status == VMM_E_TABLE) ++*(unsigned *)user;
    return 0;
}

static void a_table_out_of_ram_or_back_up_the_tree_is_told_before_anything_changes(void **unused)
{
    size_t n;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        const vmm_paging_t *p = subjects[n].p;
        unsigned broken, target;
        if (p->levels < 2) continue;
        for (broken = 1; broken < p->levels; broken++)                  /* level of the pointer that is bent */
            for (target = broken; target <= p->levels + 1u; target++) { /* to which level; above: out of RAM */
                const uint64_t page = UINT64_C(1) << p->page_shift;
                const uint32_t flags = all_rights(p);
                vmm_step_t step[VMM_MAX_LEVELS];
                vmm_translation_t t;
                vmm_fault_t fault;
                vmm_judge_t judge;
                vmm_mapping_t m;
                vmm_paddr_t to;
                vmm_pte_t good;
                uint64_t merged;
                uint8_t *entry;
                unsigned count = 0, bad = 0;
                int64_t live;
                world_open(&subjects[n]);
                assert_int_equal(w.s->map(&w.tables, page_va(1), page, 2 * page, flags), VMM_OK);
                live = w.frames.live;
                memset(&judge, 0, sizeof judge);
                judge.marking = VMM_MARK_PEEK;
                judge.user = 1;
                assert_int_equal(
                    vmm_walk(p, &w.memory, w.tables.root, &judge, VMM_READ, page_va(1), &t, &fault, step, &count),
                    VMM_OK);
                assert_int_equal(count, p->levels);
                entry = vmm_mem_host(&w.memory, step[p->levels - 1u - broken].pte_addr, p->pte_bytes);
                good = vmm_pte_load(p, entry);
                if (target < p->levels) {
                    const vmm_step_t *above = &step[p->levels - 1u - target];
                    to = above->pte_addr - (uint64_t)above->index * p->pte_bytes;
                } else
                    to = target == p->levels ? w.s->ram_base + w.s->ram_bytes
                                             : page_bytes(1) + w.s->ram_base + 2 * w.s->ram_bytes;
                vmm_pte_store(p, entry, (good & ~(vmm_low_mask(p->ppn_bits) << p->ppn_lsb)) | vmm_pte_frame(p, to));
                world_remember();
                assert_int_equal(w.s->map(&w.tables, page_va(1), 0, page, flags), VMM_E_TABLE);
                assert_int_equal(w.s->map(&w.tables, page_va(0), 0, 8 * page, flags | VMM_REPLACE), VMM_E_TABLE);
                assert_int_equal(w.s->unmap(&w.tables, page_va(1), page), VMM_E_TABLE);
                assert_int_equal(w.s->unmap(&w.tables, page_va(0), 64 * page), VMM_E_TABLE);
                assert_int_equal(w.s->protect(&w.tables, page_va(1), page, flags), VMM_E_TABLE);
                assert_int_equal(w.s->merge(&w.tables, page_va(1), page, &merged), VMM_E_TABLE);
                assert_int_equal(w.s->query(&w.tables, page_va(1), &m), VMM_E_TABLE);
                assert_int_equal(w.s->destroy(&w.tables), VMM_E_TABLE);
                assert_int_equal(w.s->visit(&w.tables, count_bad, &bad), VMM_OK);
                assert_int_equal(bad, 1);
                assert_world_unchanged("an edit of a bent tree", live);
                vmm_pte_store(p, entry, good);
                world_close();
            }
    }
}

static void a_root_that_is_not_ram_is_told_by_everything(void **unused)
{
    size_t n;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        vmm_tables_t tables;
        vmm_mapping_t m;
        uint64_t merged;
        uint32_t flags;
        unsigned bad = 0;
        world_open(&subjects[n]);
        flags = all_rights(w.s->p);
        tables = w.tables;
        tables.root = w.s->ram_base + w.s->ram_bytes;
        world_remember();
        assert_int_equal(w.s->map(&tables, page_va(1), 0, page_bytes(1), flags), VMM_E_TABLE);
        assert_int_equal(w.s->unmap(&tables, page_va(1), page_bytes(1)), VMM_E_TABLE);
        assert_int_equal(w.s->protect(&tables, page_va(1), page_bytes(1), flags), VMM_E_TABLE);
        assert_int_equal(w.s->merge(&tables, page_va(1), page_bytes(1), &merged), VMM_E_TABLE);
        assert_int_equal(w.s->query(&tables, page_va(1), &m), VMM_E_TABLE);
        assert_int_equal(w.s->visit(&tables, count_bad, &bad), VMM_E_TABLE);
        assert_int_equal(w.s->destroy(&tables), VMM_E_TABLE);
        assert_world_unchanged("an edit without a root", 1);
        world_close();
    }
}

static int stop_at(void *user, const vmm_mapping_t *m)
{
    (void)m;
    return --*(int *)user == 0;
}

static void a_visitor_may_stop_the_visit(void **unused)
{
    size_t n;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        int left = 2, more = 1000;
        world_open(&subjects[n]);
        assert_int_equal(w.s->map(&w.tables, page_va(1), 0, page_bytes(3), all_rights(w.s->p) | VMM_NO_HUGE), VMM_OK);
        assert_int_equal(w.s->visit(&w.tables, stop_at, &left), VMM_E_STOPPED);
        assert_int_equal(left, 0);
        assert_int_equal(w.s->visit(&w.tables, stop_at, &more), VMM_OK);
        world_close();
    }
}

/* ---- page sizes ---- */

/* Leaves by level, as visit tells them. */
static int count_leaves(void *user, const vmm_mapping_t *m)
{
    if (m->leaf) ((unsigned *)user)[m->level]++;
    return 0;
}

static void assert_leaves(unsigned l0, unsigned l1, unsigned l2, unsigned l3, unsigned l4)
{
    const unsigned expected[VMM_MAX_LEVELS] = {l0, l1, l2, l3, l4, 0};
    unsigned leaves[VMM_MAX_LEVELS] = {0, 0, 0, 0, 0, 0}, level;
    assert_int_equal(w.s->visit(&w.tables, count_leaves, leaves), VMM_OK);
    for (level = 0; level < VMM_MAX_LEVELS; level++)
        if (leaves[level] != expected[level])
            fail_msg("%s: %u leaves of level %u, not %u", w.s->name, leaves[level], level, expected[level]);
}

static const subject_t *subject_of(const vmm_paging_t *p)
{
    size_t n;
    for (n = 0; n < SUBJECTS; n++)
        if (subjects[n].p == p) return &subjects[n];
    return NULL;
}

#define K UINT64_C(0x1000)
#define M2 UINT64_C(0x200000)
#define G1 UINT64_C(0x40000000)
#define G512 UINT64_C(0x8000000000)
#define M4 UINT64_C(0x400000)

static void map_takes_the_largest_pages_that_alignment_and_length_allow(void **unused)
{
    static const struct {
        const vmm_paging_t *p;
        vmm_vaddr_t va;
        vmm_paddr_t pa;
        uint64_t bytes;
        uint32_t options;
        unsigned leaves[5];
    } cases[] = {
        {&vmm_sv39, 0, 0, K, 0, {1, 0, 0, 0, 0}},
        {&vmm_sv39, M2, M2, M2, 0, {0, 1, 0, 0, 0}},
        {&vmm_sv39, M2, 0, M2 - K, 0, {511, 0, 0, 0, 0}},
        {&vmm_sv39, M2 + K, K, M2 + M2 - K, 0, {511, 1, 0, 0, 0}},
        {&vmm_sv39, M2, K, M2, 0, {512, 0, 0, 0, 0}},
        {&vmm_sv39, M2, 0, M2, VMM_NO_HUGE, {512, 0, 0, 0, 0}},
        {&vmm_sv39, G1, G1, G1, 0, {0, 0, 1, 0, 0}},
        {&vmm_sv39, G1, M2, G1, 0, {0, 512, 0, 0, 0}},
        {&vmm_sv39, G1 - K, G1 - K, G1 + 2 * K, 0, {2, 0, 1, 0, 0}},
        {&vmm_sv39, UINT64_C(0) - G1, G1, G1, 0, {0, 0, 1, 0, 0}},
        {&vmm_sv48, G512, G512, G512 + G1 + M2 + K, 0, {1, 1, 1, 1, 0}},
        {&vmm_sv57, UINT64_C(1) << 48, UINT64_C(1) << 48, (UINT64_C(1) << 48) + G512, 0, {0, 0, 0, 1, 1}},
        {&vmm_sv57, UINT64_C(0xff00000000000000), 0, UINT64_C(1) << 55, 0, {0, 0, 0, 0, 128}},
        {&vmm_sv32, M4, M4, M4 + K, 0, {1, 1, 0, 0, 0}},
        {&vmm_sv32, M4, M2, M4, 0, {1024, 0, 0, 0, 0}},
        {&vmm_sv32, 0, 0, UINT64_C(1) << 32, 0, {0, 1024, 0, 0, 0}},
        {&vmm_two_level, M4 - K, M4 - K, M4 + K, 0, {1, 1, 0, 0, 0}},
        {&tiny_format, 0, 0, 0x1000, 0, {64, 0, 0, 0, 0}},
        {&every_format, 0x2000, 0x2000, 0x2000 + 0x800 + 0x100, 0, {1, 1, 1, 0, 0}},
        {&every_format, 0x2000, 0x2800, 0x2000, 0, {0, 4, 0, 0, 0}},
    };
    size_t i;
    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned *l = cases[i].leaves;
        world_open(subject_of(cases[i].p));
        assert_int_equal(
            w.s->map(&w.tables, cases[i].va, cases[i].pa, cases[i].bytes, all_rights(w.s->p) | cases[i].options),
            VMM_OK);
        assert_leaves(l[0], l[1], l[2], l[3], l[4]);
        world_close();
    }
}

/* A table of level 0 stands under one of the 512 entries of level 1: only that one keeps it. */
static void a_table_in_the_way_costs_only_its_own_entry_the_huge_page(void **unused)
{
    (void)unused;
    world_open(subject_of(&vmm_sv39));
    assert_int_equal(w.s->map(&w.tables, G1 + 256 * M2, 0, K, all_rights(w.s->p)), VMM_OK);
    assert_int_equal(w.s->map(&w.tables, G1, 0, G1, all_rights(w.s->p) | VMM_REPLACE), VMM_OK);
    assert_leaves(512, 511, 0, 0, 0);
    world_close();
}

static void an_edit_in_the_middle_breaks_huge_pages_only_as_far_as_it_must(void **unused)
{
    static const struct {
        enum kind kind;
        uint64_t offset, bytes;
        unsigned leaves[3];
    } cases[] = {
        {UNMAP, 5 * K, K, {511, 511, 0}},
        {UNMAP, 0, K, {511, 511, 0}},
        {UNMAP, G1 - K, K, {511, 511, 0}},
        {UNMAP, M2, M2, {0, 511, 0}},
        {UNMAP, M2 - K, 2 * K, {1022, 510, 0}},
        {UNMAP, M2 + K, G1 - 2 * M2 - K, {1, 2, 0}},
        {PROTECT, 5 * K, K, {512, 511, 0}},
        {PROTECT, 0, G1, {0, 0, 1}},
        {PROTECT, 0, M2, {0, 512, 0}},
        {PROTECT, M2 + K, G1 - 2 * M2, {1024, 510, 0}},
        {MAP, 5 * K, K, {512, 511, 0}},
        {MAP, M2, M2, {0, 512, 0}},
        {MAP, 0, G1, {0, 0, 1}},
    };
    size_t i;
    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t flags = VMM_R | VMM_W | VMM_A | VMM_IO;
        const vmm_vaddr_t va = G1 + cases[i].offset;
        uint64_t offset;
        world_open(subject_of(&vmm_sv39));
        assert_int_equal(w.s->map(&w.tables, G1, 0, G1, flags), VMM_OK);
        world_remember();
        switch (cases[i].kind) {
        case UNMAP: assert_int_equal(w.s->unmap(&w.tables, va, cases[i].bytes), VMM_OK); break;
        case PROTECT: assert_int_equal(w.s->protect(&w.tables, va, cases[i].bytes, VMM_R), VMM_OK); break;
        default:
            assert_int_equal(w.s->map(&w.tables, va, G1 + cases[i].offset, cases[i].bytes, VMM_X | VMM_REPLACE),
                             VMM_OK);
            break;
        }
        assert_int_equal(w.untold, 0);
        assert_leaves(cases[i].leaves[0], cases[i].leaves[1], cases[i].leaves[2], 0, 0);
        for (offset = 0; offset < G1; offset += offset % M2 < 8 * K || offset % M2 >= M2 - 2 * K ? K : M2 - 10 * K) {
            const bool inside = offset >= cases[i].offset && offset - cases[i].offset < cases[i].bytes;
            vmm_mapping_t m;
            const vmm_status_t status = w.s->query(&w.tables, G1 + offset, &m);
            if (inside && cases[i].kind == UNMAP) {
                assert_int_equal(status, VMM_E_NOT_MAPPED);
                continue;
            }
            assert_int_equal(status, VMM_OK);
            assert_true(m.paddr + (G1 + offset - m.vaddr) == (inside && cases[i].kind == MAP ? G1 : 0) + offset);
            assert_int_equal(m.flags, !inside                    ? VMM_R | VMM_W | VMM_A
                                      : cases[i].kind == PROTECT ? VMM_R | VMM_A
                                                                 : VMM_X);
            assert_int_equal(pbmt(m.pte), inside && cases[i].kind == MAP ? 0 : 2);
        }
        world_close();
    }
}

static void a_page_of_the_highest_level_is_broken_to_single_pages_and_merged_back_with_its_marks(void **unused)
{
    static const vmm_paging_t *const formats[] = {&vmm_sv32, &vmm_sv39,      &vmm_sv48,
                                                  &vmm_sv57, &vmm_two_level, &every_format};
    size_t n;
    (void)unused;
    for (n = 0; n < sizeof formats / sizeof *formats; n++) {
        const vmm_paging_t *p = formats[n];
        const unsigned top = p->levels - 1u;
        const uint64_t bytes = UINT64_C(1) << vmm_level_shift(p, top), page = UINT64_C(1) << p->page_shift;
        const vmm_vaddr_t va = bytes, middle = va + bytes / 2 + 3 * page;
        const uint32_t rights = read_rights(p) | VMM_W;
        vmm_mapping_t m;
        uint64_t merged;
        world_open(subject_of(p));
        assert_int_equal(w.s->map(&w.tables, va, bytes, bytes, rights), VMM_OK);
        assert_int_equal(w.frames.live, 1);
        assert_int_equal(w.s->query(&w.tables, middle, &m), VMM_OK);
        assert_int_equal(m.level, top);
        assert_true(m.vaddr == va && m.paddr == bytes && m.bytes == bytes);
        assert_int_equal(w.s->unmap(&w.tables, middle, page), VMM_OK);
        assert_int_equal(w.frames.live, p->levels);
        assert_int_equal(w.s->query(&w.tables, middle, &m), VMM_E_NOT_MAPPED);
        assert_int_equal(w.s->query(&w.tables, middle - page, &m), VMM_OK);
        assert_int_equal(m.level, 0);
        assert_true(m.paddr == middle - page);
        assert_int_equal(w.s->merge(&w.tables, va, bytes, &merged), VMM_OK);
        assert_true(merged == 0);
        assert_int_equal(w.s->map(&w.tables, middle, middle, page, rights | VMM_A | VMM_D), VMM_OK);
        world_remember();
        assert_int_equal(w.s->merge(&w.tables, middle, page, &merged), VMM_OK); /* around the range */
        assert_true(merged == top);
        assert_int_equal(w.untold, 0);
        assert_int_equal(w.frames.live, 1);
        assert_int_equal(w.s->query(&w.tables, va, &m), VMM_OK);
        assert_int_equal(m.level, top);
        assert_true(m.paddr == bytes);
        assert_int_equal(m.flags, said(p, rights | VMM_A | VMM_D));
        world_close();
    }
}

static void merge_leaves_alone_what_is_not_one_stretch_with_the_same_rights(void **unused)
{
    static const struct {
        const char *what;
        vmm_paddr_t pa;
        uint32_t flags;
        uint64_t merged;
    } cases[] = {
        {"the same", 7 * K, VMM_R | VMM_W, 1},
        {"marked", 7 * K, VMM_R | VMM_W | VMM_A, 1},
        {"another frame", 8 * K, VMM_R | VMM_W, 0},
        {"another right", 7 * K, VMM_R, 0},
        {"user's", 7 * K, VMM_R | VMM_W | VMM_U, 0},
        {"global", 7 * K, VMM_R | VMM_W | VMM_G, 0},
        {"another memory type", 7 * K, VMM_R | VMM_W | VMM_IO, 0},
    };
    size_t i;
    (void)unused;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t merged = 99;
        world_open(subject_of(&vmm_sv39));
        assert_int_equal(w.s->map(&w.tables, M2, M2, M2, VMM_R | VMM_W | VMM_NO_HUGE), VMM_OK);
        assert_int_equal(w.s->map(&w.tables, M2 + 7 * K, M2 + cases[i].pa, K, cases[i].flags | VMM_REPLACE), VMM_OK);
        assert_int_equal(w.s->merge(&w.tables, 0, G1, &merged), VMM_OK);
        if (merged != cases[i].merged) fail_msg("one page %s", cases[i].what);
        world_close();
    }
}

static void protect_keeps_the_marks_and_the_memory_type(void **unused)
{
    size_t n;
    (void)unused;
    for (n = 0; n < SUBJECTS; n++) {
        const vmm_paging_t *p = subjects[n].p;
        const uint32_t types[] = {0, VMM_NONCACHED, VMM_IO};
        uint32_t i, marks;
        for (i = 0; i < (riscv64(p) ? 3u : 1u); i++)
            for (marks = 0; marks <= MARKS; marks += VMM_A) {
                vmm_mapping_t m;
                world_open(&subjects[n]);
                assert_int_equal(w.s->map(&w.tables, page_va(0), 0, page_bytes(3), all_rights(p) | marks | types[i]),
                                 VMM_OK);
                assert_int_equal(w.s->protect(&w.tables, page_va(1), page_bytes(1), read_rights(p)), VMM_OK);
                assert_int_equal(w.s->query(&w.tables, page_va(1), &m), VMM_OK);
                assert_int_equal(m.flags, said(p, read_rights(p) | marks));
                assert_int_equal(pbmt(m.pte), i);
                assert_int_equal(w.s->query(&w.tables, page_va(2), &m), VMM_OK);
                assert_int_equal(m.flags, said(p, all_rights(p) | marks));
                world_close();
            }
    }
}

static void memory_types_stand_in_bits_62_and_61(void **unused)
{
    static const struct {
        uint32_t flag;
        uint64_t bytes;
        vmm_pte_t bits;
    } cases[] = {{0, K, 0},
                 {VMM_NONCACHED, K, UINT64_C(1) << 61},
                 {VMM_IO, K, UINT64_C(2) << 61},
                 {VMM_IO, M2, UINT64_C(2) << 61},
                 {VMM_NONCACHED, G1, UINT64_C(1) << 61}};
    static const vmm_paging_t *const formats[] = {&vmm_sv39, &vmm_sv48, &vmm_sv57};
    size_t i, n;
    (void)unused;
    for (n = 0; n < 3; n++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            vmm_mapping_t m;
            world_open(subject_of(formats[n]));
            assert_int_equal(w.s->map(&w.tables, G1, G1, cases[i].bytes, VMM_R | cases[i].flag), VMM_OK);
            assert_int_equal(w.s->query(&w.tables, G1, &m), VMM_OK);
            assert_true(m.pte == (cases[i].bits | G1 >> 2 | VMM_R | 1));
            assert_true(m.bytes == cases[i].bytes);
            world_close();
        }
}

/* ---- contiguous groups ---- */

#define GROUP (16 * K)

/* 32 pages from va 0x10000, in two groups of 16 that are made by hand. */
static void napot_open(const vmm_paging_t *p)
{
    uint32_t i;
    world_open(subject_of(p));
    assert_int_equal(w.s->map(&w.tables, GROUP, GROUP, 2 * GROUP, VMM_R | VMM_W | VMM_A | VMM_NO_HUGE), VMM_OK);
    for (i = 0; i < 32; i++) {
        vmm_mapping_t m;
        uint8_t *entry;
        assert_int_equal(w.s->query(&w.tables, GROUP + i * K, &m), VMM_OK);
        entry = vmm_mem_host(&w.memory, m.pte_addr, 8);
        vmm_pte_store(p, entry, (m.pte & ~(UINT64_C(15) << 10)) | UINT64_C(8) << 10 | UINT64_C(1) << 63);
        assert_int_equal(w.s->query(&w.tables, GROUP + i * K, &m), VMM_OK);
        assert_true(m.paddr == GROUP + i * K && m.bytes == K);
    }
}

static void an_edit_that_cuts_a_contiguous_group_makes_single_pages_of_it_alone(void **unused)
{
    static const vmm_paging_t *const formats[] = {&vmm_sv39, &vmm_sv48, &vmm_sv57};
    static const struct {
        enum kind kind;
        uint32_t first, count;
        bool group[2]; /* is it still one? */
    } cases[] = {
        {PROTECT, 3, 2, {false, true}},   {PROTECT, 0, 16, {true, true}},  {PROTECT, 0, 32, {true, true}},
        {PROTECT, 0, 1, {false, true}},   {PROTECT, 15, 1, {false, true}}, {PROTECT, 15, 2, {false, false}},
        {PROTECT, 16, 15, {true, false}}, {PROTECT, 8, 24, {false, true}}, {UNMAP, 3, 2, {false, true}},
        {UNMAP, 0, 17, {false, false}},   {UNMAP, 16, 16, {true, false}},  {UNMAP, 31, 1, {true, false}},
        {MAP, 3, 2, {false, true}},       {MAP, 0, 16, {false, true}},     {MAP, 12, 8, {false, false}},
        {MAP, 31, 1, {true, false}},
    };
    size_t n, i;
    (void)unused;
    for (n = 0; n < 3; n++)
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            const vmm_vaddr_t va = GROUP + cases[i].first * K;
            const uint64_t bytes = cases[i].count * K;
            uint32_t page;
            unsigned f;
            napot_open(formats[n]);
            world_remember();
            switch (cases[i].kind) {
            case PROTECT: assert_int_equal(w.s->protect(&w.tables, va, bytes, VMM_R), VMM_OK); break;
            case UNMAP: assert_int_equal(w.s->unmap(&w.tables, va, bytes), VMM_OK); break;
            default: assert_int_equal(w.s->map(&w.tables, va, G1 + va, bytes, VMM_X | VMM_REPLACE), VMM_OK); break;
            }
            for (page = 0; page < 32; page++) {
                const bool inside = page >= cases[i].first && page - cases[i].first < cases[i].count;
                const bool group = cases[i].group[page / 16] && !(inside && cases[i].kind != PROTECT);
                const vmm_vaddr_t at = GROUP + page * K;
                const uint32_t flags = !inside                    ? VMM_R | VMM_W | VMM_A
                                       : cases[i].kind == PROTECT ? VMM_R | VMM_A
                                                                  : VMM_X;
                vmm_translation_t t;
                vmm_fault_t fault;
                bool told = false;
                for (f = 0; f < w.flushes; f++)
                    told |= w.flush[f].kind != VMM_FLUSH_MADE && at - w.flush[f].vaddr < w.flush[f].bytes;
                if (inside || !cases[i].group[page / 16]) assert_true(told); /* whoever holds 64 KiB forgets it */
                if (inside && cases[i].kind == UNMAP) {
                    assert_int_equal(peek_as(at, flags, &t, &fault), VMM_FAULT);
                    continue;
                }
                assert_int_equal(peek_as(at + 9, flags, &t, &fault), VMM_OK);
                assert_int_equal(t.page_shift, group ? 16 : 12);
                assert_int_equal(t.flags, flags);
                assert_true(t.paddr == at + 9 + (inside && cases[i].kind == MAP ? G1 : 0));
            }
            world_close();
        }
}

static void a_group_whose_edit_fails_stays_a_group(void **unused)
{
    (void)unused;
    napot_open(&vmm_sv39);
    assert_int_equal(w.s->map(&w.tables, M2, M2, M2, VMM_R), VMM_OK);
    world_remember();
    w.frames.budget = 0;
    assert_int_equal(w.s->unmap(&w.tables, GROUP + 3 * K, M2), VMM_E_NO_FRAME); /* cuts the huge page too */
    assert_int_equal(w.s->map(&w.tables, GROUP + 3 * K, 0, M2, VMM_R | VMM_REPLACE), VMM_E_NO_FRAME);
    assert_int_equal(w.s->protect(&w.tables, GROUP + 3 * K, M2, VMM_R), VMM_E_NOT_MAPPED);
    assert_int_equal(w.s->map(&w.tables, GROUP + 3 * K, 0, K, VMM_R), VMM_E_MAPPED);
    w.frames.budget = -1;
    assert_world_unchanged("an edit of a group", w.frames.live);
    world_close();
}

static void a_pointer_where_only_a_leaf_may_stand_is_told_and_stays(void **unused)
{
    static const vmm_paging_t *const formats[] = {&vmm_sv32, &vmm_sv39, &vmm_sv48, &vmm_sv57};
    size_t f;
    (void)unused;
    for (f = 0; f < 4; f++) {
        vmm_mapping_t m;
        vmm_translation_t t;
        vmm_fault_t fault;
        uint8_t *entry;
        vmm_pte_t leaf;
        world_open(subject_of(formats[f]));
        assert_int_equal(w.s->map(&w.tables, K, 0, 3 * K, VMM_R | VMM_W), VMM_OK);
        assert_int_equal(peek_as(2 * K, VMM_R, &t, &fault), VMM_OK);
        assert_int_equal(t.level, 0);
        entry = vmm_mem_host(&w.memory, t.pte_addr, w.s->p->pte_bytes);
        leaf = vmm_get(entry, w.s->p->pte_bytes);
        vmm_put(entry, w.tables.root >> 12 << 10 | 1, w.s->p->pte_bytes);
        world_remember();
        assert_int_equal(w.s->query(&w.tables, 2 * K, &m), VMM_E_TABLE);
        assert_int_equal(w.s->query(&w.tables, 2 * K + 5, &m), VMM_E_TABLE);
        assert_int_equal(w.s->protect(&w.tables, 2 * K, K, VMM_R), VMM_E_TABLE);
        assert_int_equal(w.s->protect(&w.tables, K, 3 * K, VMM_R), VMM_E_TABLE); /* its neighbours are leaves */
        assert_world_unchanged("an edit of a pointer at level 0", w.frames.live);
        vmm_put(entry, leaf, w.s->p->pte_bytes);
        assert_int_equal(w.s->query(&w.tables, 2 * K, &m), VMM_OK);
        world_close();
    }
}

static void a_stretch_of_contiguous_groups_is_not_merged_wrongly(void **unused)
{
    vmm_mapping_t m;
    uint64_t merged;
    (void)unused;
    napot_open(&vmm_sv39);
    assert_int_equal(w.s->map(&w.tables, 0, 0, M2, VMM_R | VMM_W | VMM_A | VMM_NO_HUGE), VMM_E_MAPPED);
    assert_int_equal(w.s->map(&w.tables, 3 * GROUP, 3 * GROUP, M2 - 3 * GROUP, VMM_R | VMM_W | VMM_A), VMM_OK);
    assert_int_equal(w.s->map(&w.tables, 0, 0, GROUP, VMM_R | VMM_W | VMM_A), VMM_OK);
    assert_int_equal(w.s->merge(&w.tables, 0, M2, &merged), VMM_OK);
    assert_int_equal(w.s->query(&w.tables, GROUP + 5 * K, &m), VMM_OK);
    assert_true(m.paddr + (GROUP + 5 * K - m.vaddr) == GROUP + 5 * K);
    world_close();
}

/* A root, one and the same frame for the three tables of level 0, and one of level 1. */
static int take_the_same(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    static const vmm_paddr_t frames[] = {0x1000, 0x2000, 0x2000, 0x2000, 0x3000};
    unsigned *taken = (unsigned *)user;
    (void)bytes;
    *table = frames[(*taken)++ % 5];
    return 0;
}

static void a_table_that_is_handed_out_twice_is_told_and_not_written_through(void **unused)
{
    static uint64_t few[0x8000 / 8];
    const vmm_memory_t memory = {few, 0, sizeof few, {0, 0, 0}, 0};
    unsigned taken = 0;
    vmm_tables_t tables = {&memory, 0, 0, take_the_same, 0, &taken, 0, 0};
    (void)unused;
    assert_int_equal(sv39_create(&tables), VMM_OK);
    /* The list of those that were taken runs through their first bytes, which the first one's leaves fill. */
    assert_int_equal(sv39_map(&tables, 0, 0, 3 << 21, VMM_R | VMM_NO_HUGE), VMM_E_TABLE);
    assert_int_equal(few[0x4000 / 8], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_of_a_contract_changes_nothing),
        cmocka_unit_test(a_frame_above_what_the_format_can_name_is_not_mapped_whatever_width_memory_has),
        cmocka_unit_test(create_needs_memory_and_a_good_table),
        cmocka_unit_test(a_table_out_of_ram_or_back_up_the_tree_is_told_before_anything_changes),
        cmocka_unit_test(a_root_that_is_not_ram_is_told_by_everything),
        cmocka_unit_test(a_table_that_is_handed_out_twice_is_told_and_not_written_through),
        cmocka_unit_test(a_visitor_may_stop_the_visit),
        cmocka_unit_test(map_takes_the_largest_pages_that_alignment_and_length_allow),
        cmocka_unit_test(a_table_in_the_way_costs_only_its_own_entry_the_huge_page),
        cmocka_unit_test(an_edit_in_the_middle_breaks_huge_pages_only_as_far_as_it_must),
        cmocka_unit_test(a_page_of_the_highest_level_is_broken_to_single_pages_and_merged_back_with_its_marks),
        cmocka_unit_test(merge_leaves_alone_what_is_not_one_stretch_with_the_same_rights),
        cmocka_unit_test(protect_keeps_the_marks_and_the_memory_type),
        cmocka_unit_test(memory_types_stand_in_bits_62_and_61),
        cmocka_unit_test(an_edit_that_cuts_a_contiguous_group_makes_single_pages_of_it_alone),
        cmocka_unit_test(a_group_whose_edit_fails_stays_a_group),
        cmocka_unit_test(a_stretch_of_contiguous_groups_is_not_merged_wrongly),
        cmocka_unit_test(a_pointer_where_only_a_leaf_may_stand_is_told_and_stays),
        cmocka_unit_test(random_edits_do_to_every_page_what_the_model_says),
        cmocka_unit_test(a_tlb_that_flushes_what_it_is_told_never_holds_a_stale_translation),
        cmocka_unit_test(nothing_is_flushed_that_did_not_change),
        cmocka_unit_test(an_edit_that_gets_no_good_table_leaves_everything_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
