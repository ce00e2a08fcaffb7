/* fuzz.h - a hostile guest out of a stream of bytes: it writes entries, sets registers, edits tables, flushes or does
 * not, and makes every kind of access, on three MMUs over one RAM that differ in their stages.
 *
 * RAM and the marks of its pages are blocks of malloc of exactly their size, so that the address sanitizer sees every
 * byte outside. Besides that, three things are asserted: every status and rule is one; without anything remembered all
 * stages do the same to the same access, and so does the second access that meets what the first left; and what
 * NAME_examine tells is what the access does. */
#ifndef FUZZ_H
#define FUZZ_H

#include "../helper_cpus.h"

#define FUZZ_CPUS 3u
#define FUZZ_STEPS 400u /* of one input, at most */
#define FUZZ_BLOCK 9000u

typedef struct fuzz_target {
    const helper_cpu_t *cpu[FUZZ_CPUS];
    const vmm_arch_t *arch;
    uint64_t ram_bytes;
    void (*set)(unsigned cpu, unsigned which, uint64_t value, vmm_paddr_t root); /* a register */
    void (*forget)(unsigned cpu, unsigned which, uint64_t a, uint64_t b);        /* the architecture's own flushes */
    void (*copy)(unsigned to, unsigned from);                                    /* all registers */
    void (*put)(unsigned cpu);      /* an entry, for formats whose entries are not written alike; or null */
    uint64_t (*left)(unsigned cpu); /* what accesses leave in registers; or null: nothing */
    bool exact;                     /* what is remembered never differs from what there is, without any flush */
} fuzz_target_t;

static const fuzz_target_t fuzz_target;

static struct {
    const uint8_t *at; /* the input that is left */
    size_t left;
    vmm_memory_t memory;
    vmm_track_t track;
    uint64_t pages;
    vmm_vaddr_t favourite[8];
    uint8_t *saved[2]; /* copies of RAM */
    uint8_t block[FUZZ_BLOCK];
    uint64_t visited;
    bool refuses; /* the callbacks do */
} z;

#define FUZZ_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

/* ---- the input ---- */

static uint64_t take(unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- && z.left) {
        value = value << 8 | *z.at++;
        z.left--;
    }
    return value;
}

static const vmm_paging_t *take_format(void)
{
    return fuzz_target.arch->format[take(1) % fuzz_target.arch->formats];
}

/* A frame, mostly of RAM. */
static vmm_paddr_t take_paddr(void)
{
    const uint64_t how = take(1);
    if (how == 255) return take(8);
    if (how == 254) return z.memory.base + z.memory.size + take(2) * 0x1000;
    if (how == 253) return (z.memory.base + take(1) % z.pages * 0x1000) ^ UINT64_C(1) << 32;
    return z.memory.base + how % z.pages * 0x1000;
}

/* One of the addresses used again and again, or one near it; or any. */
static vmm_vaddr_t take_vaddr(void)
{
    const uint64_t how = take(1), offset = take(2);
    if (how == 255) return take(8);
    return z.favourite[how & 7] + (how & 8 ? 0x1000 * (how >> 4) : 0) +
           (offset & 0x8000 ? 0xff0 + (offset & 31) : offset);
}

/* An address whose indexes are small, so that few tables make many translations. */
static vmm_vaddr_t make_favourite(uint64_t bits)
{
    const vmm_paging_t *p = fuzz_target.arch->format[bits % fuzz_target.arch->formats];
    vmm_vaddr_t va = 0;
    unsigned level;
    bits /= fuzz_target.arch->formats;
    for (level = 0; level < p->levels; level++, bits >>= 3)
        va |= ((bits & 7) == 7 ? vmm_low_mask(p->index_bits[level]) : bits & 3) << vmm_level_shift(p, level);
    if (p->levels == 1) va ^= bits << 20; /* the segments of an address space without tables */
    if (p->vaddr_rule == VMM_VADDR_HALF) return bits & 1 ? va | ~vmm_low_mask(p->vaddr_bits) : va;
    return vmm_make_canonical(p, va);
}

/* ---- tables ---- */

/* A pointer or a leaf that may stand at some level, with some bits turned over; or any number. */
static vmm_pte_t take_pte(const vmm_paging_t *p)
{
    const uint64_t how = take(1), turned = take(1);
    const unsigned level = (unsigned)(how >> 4) % p->levels;
    vmm_paddr_t paddr = take_paddr();
    vmm_pte_t pte;
    if ((how & 15) == 0) return take(8);
    if ((how & 15) < 8) {
        pte = vmm_pte_pointer(p, paddr, level);
    } else {
        if (how & 1) paddr &= ~vmm_low_mask(vmm_level_shift(p, level));
        pte = vmm_pte_leaf(p, paddr, (uint32_t)take(2) & 0xffff, level);
    }
    if (turned < 64) pte ^= UINT64_C(1) << turned;
    return pte;
}

static void put_pte(void)
{
    const vmm_paging_t *p = take_format();
    const uint64_t page = take(1) % z.pages, how = take(1);
    uint64_t index = how == 255 ? take(2) : how & 7 ? how & 3 : vmm_low_mask(p->index_bits[(how >> 3) % p->levels]);
    index &= 0x1000 / p->pte_bytes - 1;
    vmm_put((uint8_t *)z.memory.ram + page * 0x1000 + index * p->pte_bytes, take_pte(p), p->pte_bytes);
}

/* Tables out of RAM, whatever lies there; at times none, or something that is no table. */
static int hostile_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    const uint64_t how = take(1);
    (void)user;
    *table = z.memory.base + (how % z.pages * 0x1000 & ~(bytes - 1));
    if (how > 250) *table += 8;
    return how > 245 && how <= 250;
}

static void hostile_give(void *user, vmm_paddr_t table, uint64_t bytes)
{
    (void)user;
    (void)table;
    (void)bytes;
}

static int few(void *user, const vmm_mapping_t *m)
{
    (void)user;
    FUZZ_ASSERT(m->level < VMM_MAX_LEVELS && (m->status == VMM_OK || m->status == VMM_E_TABLE));
    return ++z.visited > 3000;
}

static void edit_tables(unsigned number)
{
    const helper_cpu_t *c = fuzz_target.cpu[number];
    const uint64_t kind = take(1), size = take(1);
    const vmm_vaddr_t va = take_vaddr() & ~UINT64_C(0xfff);
    const uint64_t bytes = size > 250 ? UINT64_C(1) << (12 + take(1) % 19) : (size % 40) << 12;
    vmm_mapping_t m;
    uint64_t merged;
    vmm_tables_t t;
    memset(&t, 0, sizeof t);
    t.memory = &z.memory;
    t.root = take_paddr();
    t.format = (uint32_t)(take(1) % (fuzz_target.arch->formats + 1u));
    t.take = hostile_take;
    t.give = kind & 64 ? NULL : hostile_give;
    t.flush = kind & 128 ? NULL : c->flush_told;
    t.flush_user = c->at(0);
    switch (kind & 7) {
    case 0: (void)c->create(&t); break;
    case 1:
    case 2: (void)c->map(&t, va, take_paddr() & ~UINT64_C(0xfff), bytes, (uint32_t)take(2) & 0x1fff); break;
    case 3: (void)c->unmap(&t, va, bytes); break;
    case 4: (void)c->protect(&t, va, bytes, (uint32_t)take(1)); break;
    case 5: (void)c->query(&t, va, &m); break;
    case 6:
        z.visited = 0;
        (void)c->visit(&t, few, NULL);
        break;
    default: (void)c->merge(&t, va, bytes, &merged); break;
    }
}

/* ---- accesses ---- */

/* What came of one, as far as it may be compared between stages. */
typedef struct outcome {
    vmm_status_t status;
    uint64_t value;
    bool done;
    vmm_fault_t fault;
} outcome_t;

static void check_status(const helper_cpu_t *c, vmm_status_t status)
{
    const vmm_fault_t *fault = c->fault(c->at(0));
    FUZZ_ASSERT(status == VMM_OK || status == VMM_FAULT || status == VMM_E_ARGUMENT);
    if (status == VMM_FAULT)
        FUZZ_ASSERT(fault->kind <= VMM_GUEST_PAGE_FAULT && fault->access <= VMM_FETCH && fault->rule);
}

typedef struct request {
    unsigned kind, bytes;
    vmm_vaddr_t va;
    uint64_t value, expected;
    size_t length;
} request_t;

static request_t take_request(void)
{
    request_t r;
    memset(&r, 0, sizeof r);
    r.kind = (unsigned)take(1);
    r.bytes = 1u << (r.kind >> 4 & 3);
    r.kind = (r.kind & 15) % 11;
    r.va = take_vaddr();
    r.value = take(2);
    if (r.kind >= 3 && r.kind <= 4) r.length = r.value % FUZZ_BLOCK;
    if (r.kind == 5) r.expected = take(1);
    if (r.kind == 5 || r.kind == 6 || r.kind == 7)
        if (r.value & 7) r.va &= ~(vmm_vaddr_t)(r.bytes - 1);
    return r;
}

static outcome_t access_of(const helper_cpu_t *c, const request_t *r)
{
    void *mmu = c->at(0);
    vmm_translation_t t;
    outcome_t o;
    memset(&o, 0, sizeof o);
    memset(&t, 0, sizeof t);
    switch (r->kind) {
    case 0: o.status = c->load(mmu, VMM_READ, r->va, r->bytes, &o.value); break;
    case 1: o.status = c->load(mmu, VMM_FETCH, r->va, r->bytes, &o.value); break;
    case 2: o.status = c->store(mmu, r->va, r->bytes, r->value); break;
    case 3: o.status = c->block(mmu, VMM_READ, r->va, z.block, r->length); break;
    case 4: o.status = c->block(mmu, VMM_WRITE, r->va, z.block, r->length); break;
    case 5: o.status = c->cas(mmu, r->va, r->bytes, r->expected, r->value, &o.value); break;
    case 6: o.status = c->lr(mmu, r->va, r->bytes, &o.value); break;
    case 7: o.status = c->sc(mmu, r->va, r->bytes, r->value, &o.done); break;
    case 8: o.status = c->load_be(mmu, r->va, r->bytes, &o.value); break;
    case 9: o.status = c->store_be(mmu, r->va, r->bytes, r->value); break;
    default:
        o.status = c->translate(mmu, r->va, (unsigned)r->value & 3, &t);
        o.value = o.status == VMM_OK ? t.paddr : 0;
        break;
    }
    check_status(c, o.status);
    if (o.status == VMM_FAULT) {
        o.fault = *c->fault(mmu);
        o.value = 0;
        o.done = false;
    }
    return o;
}

static void assert_same_outcome(const outcome_t *one, const outcome_t *other)
{
    const vmm_fault_t *f = &one->fault, *g = &other->fault;
    FUZZ_ASSERT(one->status == other->status && one->value == other->value && one->done == other->done);
    FUZZ_ASSERT(f->kind == g->kind && f->access == g->access && f->cause == g->cause && f->rule == g->rule);
    FUZZ_ASSERT(f->code == g->code && f->vaddr == g->vaddr && f->guest_paddr == g->guest_paddr);
    if (f->kind != VMM_PAGE_FAULT) return; /* of others it is not promised where the entry was: a TLB does not know */
    FUZZ_ASSERT(f->level == g->level && f->pte == g->pte && f->pte_addr == g->pte_addr);
}

/* Nothing is remembered, nobody looks on: the registers of the first CPU in the others. */
static void make_alike(unsigned cpu)
{
    const helper_cpu_t *c = fuzz_target.cpu[cpu];
    void *mmu = c->at(0);
    vmm_state_t *s = (vmm_state_t *)mmu;
    c->set_track(mmu, NULL);
    c->set_check(mmu, NULL, NULL);
    while (s->watches) FUZZ_ASSERT(c->unwatch(mmu, s->watch[0].va, s->watch[0].bytes) == VMM_OK);
    if (cpu) fuzz_target.copy(cpu, 0);
    s->reserved_bytes = 0;
    c->flush_all(mmu);
}

static bool writes(const request_t *r)
{
    return r->kind == 2 || r->kind == 4 || r->kind == 5 || r->kind == 7 || r->kind == 9;
}

/* The same accesses by every CPU find and leave the same. A store may land in a table, and what follows without a flush
 * is then up to the stages. */
static void compare(void)
{
    request_t r[3] = {take_request(), take_request(), take_request()};
    const size_t bytes = (size_t)z.memory.size;
    const uint64_t near = take(1); /* of the first: the same page, or one that the same table maps */
    outcome_t first[3], o;
    unsigned cpu, i;
    for (i = 1; i < 3; i++)
        if (near >> i & 1) r[i].va = (r[0].va ^ (near >> (2 + 2 * i) & 1) << 12) + (near >> (3 + 2 * i) & 1);
    memcpy(z.saved[0], z.memory.ram, bytes);
    for (cpu = 0; cpu < FUZZ_CPUS; cpu++) make_alike(cpu); /* before any access leaves something in registers */
    for (cpu = 0; cpu < FUZZ_CPUS; cpu++) {
        memset(z.block, 0x5a, sizeof z.block);
        if (cpu) memcpy(z.memory.ram, z.saved[0], bytes);
        for (i = 0; i < 3; i++) {
            o = access_of(fuzz_target.cpu[cpu], &r[i]);
            if (writes(&r[i])) fuzz_target.cpu[cpu]->flush_all(fuzz_target.cpu[cpu]->at(0));
            if (cpu == 0) first[i] = o;
            else assert_same_outcome(&first[i], &o);
        }
        if (cpu && fuzz_target.left) FUZZ_ASSERT(fuzz_target.left(cpu) == fuzz_target.left(0));
        if (cpu == 0) memcpy(z.saved[1], z.memory.ram, bytes);
        else FUZZ_ASSERT(memcmp(z.saved[1], z.memory.ram, bytes) == 0);
    }
}

/* A byte as an examination told beforehand, by whatever is remembered. */
static void access_as_told(const helper_cpu_t *c, vmm_vaddr_t va, unsigned access, const vmm_examination_t *x)
{
    const uint8_t *host = x->status == VMM_OK ? vmm_mem_host(&z.memory, x->translation.paddr, 1) : NULL;
    const uint64_t stored = 0xa5;
    uint64_t value = 0;
    const vmm_status_t status =
        access == VMM_WRITE ? c->store(c->at(0), va, 1, stored) : c->load(c->at(0), access, va, 1, &value);
    FUZZ_ASSERT(status == x->status);
    if (status == VMM_OK) FUZZ_ASSERT(host && *host == (access == VMM_WRITE ? stored : value));
    else FUZZ_ASSERT(c->fault(c->at(0))->rule == x->fault.rule);
}

/* What an examination tells beforehand is what happens; and it leaves nothing. */
static void examine_first(unsigned cpu, vmm_vaddr_t va, unsigned access)
{
    const helper_cpu_t *c = fuzz_target.cpu[cpu];
    vmm_examination_t x;
    const vmm_state_t *s = (const vmm_state_t *)c->at(0);
    const bool remembers = fuzz_target.exact && !s->watches && !s->check && !s->track;
    uint64_t left;
    vmm_translation_t t;
    vmm_status_t status;
    memset(&t, 0, sizeof t);
    if (!remembers) make_alike(cpu);
    left = fuzz_target.left ? fuzz_target.left(cpu) : 0;
    c->examine(c->at(0), va, access, &x);
    FUZZ_ASSERT(!fuzz_target.left || fuzz_target.left(cpu) == left);
    if (remembers) access_as_told(c, va, access, &x);
    status = c->translate(c->at(0), va, access, &t);
    if (x.status == VMM_FAULT && x.fault.rule == VMM_RULE_BUS) /* nothing is there: a translation does not mind */
        FUZZ_ASSERT(status == VMM_OK);
    else FUZZ_ASSERT(x.status == status);
    if (status == VMM_OK) FUZZ_ASSERT(x.translation.paddr == t.paddr);
    if (status == VMM_FAULT) FUZZ_ASSERT(x.fault.rule == c->fault(c->at(0))->rule);
}

/* An entry; where what is remembered must follow it without a flush, that is looked at, at every favourite address. */
static void put(unsigned cpu)
{
    const unsigned access = (unsigned)z.left % 4; /* mostly reading, which keeps most */
    unsigned i;
    if (fuzz_target.put) fuzz_target.put(cpu);
    else put_pte();
    for (i = 0; i < 8 && fuzz_target.exact; i++) examine_first(cpu, z.favourite[i], access % 3);
}

/* ---- who looks on ---- */

static int store_to_code(void *user, vmm_paddr_t paddr, unsigned bytes)
{
    (void)user;
    FUZZ_ASSERT(bytes > 0 && paddr - z.memory.base < z.memory.size && bytes <= z.memory.size - (paddr - z.memory.base));
    if (!z.refuses) vmm_track_clear_code(&z.track, &z.memory, paddr);
    return z.refuses;
}

static int check(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    (void)user;
    FUZZ_ASSERT(bytes > 0 && access <= VMM_FETCH && privilege <= 3);
    return (paddr >> 12 & 7) == access && (paddr & 0xff0) + bytes > 0x800;
}

static void look_on(unsigned cpu)
{
    const helper_cpu_t *c = fuzz_target.cpu[cpu];
    void *mmu = c->at(0);
    const uint64_t kind = take(1);
    vmm_paddr_t page = take_paddr();
    switch (kind & 7) {
    case 0: c->set_track(mmu, kind & 8 ? NULL : &z.track); break;
    case 1:
    case 2: (void)c->track_code(mmu, page); break;
    case 3: z.refuses = !z.refuses; break;
    case 4:
        while (vmm_track_next_dirty(&z.track, &z.memory, &page)) page += 0x1000;
        c->flush_stores(mmu);
        break;
    case 5: (void)c->watch(mmu, take_vaddr(), take(1), (uint32_t)take(1) & 15); break;
    case 6: c->set_check(mmu, kind & 8 ? NULL : check, NULL); break;
    default: vmm_track_clear_code(&z.track, &z.memory, page); break;
    }
}

static void ask(unsigned cpu)
{
    const helper_cpu_t *c = fuzz_target.cpu[cpu];
    vmm_request_t what;
    uint32_t ticket;
    memset(&what, 0, sizeof what);
    what.kind = (uint8_t)(take(1) % 6);
    what.asid = (uint16_t)(take(1) & 3);
    what.va = take_vaddr();
    ticket = c->ask(c->at(0), &what);
    FUZZ_ASSERT(!c->answered(c->at(0), ticket));
    if (what.asid == 3) return;
    c->answer(c->at(0));
    FUZZ_ASSERT(c->answered(c->at(0), ticket));
}

static void flush(unsigned cpu)
{
    const helper_cpu_t *c = fuzz_target.cpu[cpu];
    const uint64_t kind = take(1);
    switch (kind & 3) {
    case 0: c->flush_all(c->at(0)); break;
    case 1: c->flush_page(c->at(0), take_vaddr()); break;
    default: {
        const uint64_t a = take_vaddr();
        fuzz_target.forget(cpu, (unsigned)(kind >> 2), a, take(2));
        break;
    }
    }
}

/* ---- one input ---- */

static void step(void)
{
    const uint64_t kind = take(1);
    const unsigned cpu = (unsigned)(kind >> 5) % FUZZ_CPUS;
    request_t r;
    switch (kind & 31) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: put(cpu); break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10: {
        const unsigned which = (unsigned)take(1);
        const uint64_t value = take(1 + (which >> 4 & 7));
        fuzz_target.set(cpu, which & 15, value, take_paddr());
        break;
    }
    case 11:
    case 12: edit_tables(cpu); break;
    case 13: flush(cpu); break;
    case 14: look_on(cpu); break;
    case 15: ask(cpu); break;
    case 16:
    case 17:
    case 18: compare(); break;
    case 19: {
        const vmm_vaddr_t va = take_vaddr();
        examine_first(cpu, va, (unsigned)(take(1) % 3));
        break;
    }
    case 20: fuzz_target.cpu[cpu]->snapshot(fuzz_target.cpu[cpu]->at(0), fuzz_target.cpu[cpu]->at(1)); break;
    case 21: fuzz_target.cpu[cpu]->restore(fuzz_target.cpu[cpu]->at(0), fuzz_target.cpu[cpu]->at(1)); break;
    case 22: z.favourite[cpu] = make_favourite(take(8)); break;
    default:
        r = take_request();
        (void)access_of(fuzz_target.cpu[cpu], &r);
        break;
    }
}

/* RAM at one of several places, by the first byte: low, usual, at the top of what entries can name, on both sides of
 * 4 GiB. */
static bool begin(void)
{
    const uint64_t how = take(1);
    const vmm_paging_t *p = fuzz_target.arch->format[0];
    static uint8_t *blocks[4]; /* the same for every input: malloc would take longer than the guest */
    const uint64_t four_gib = UINT64_C(1) << 32;
    unsigned i;
    z.memory.size = fuzz_target.ram_bytes;
    z.pages = z.memory.size / 0x1000;
    for (i = 0; i < 4; i++)
        if (!blocks[i]) blocks[i] = (uint8_t *)malloc((size_t)(i < 3 ? z.memory.size : z.pages));
    z.memory.paddr_bits = how & 8 ? (uint8_t)(32 + how / 16) : 0;
    z.memory.base = (how & 3) == 0   ? 0
                    : (how & 3) == 1 ? vmm_low_mask(vmm_mem_width(&z.memory, p) > 40 ? 40 : 32) + 1 - z.memory.size
                    : (how & 3) == 3 && vmm_mem_width(&z.memory, p) > 32 ? four_gib - z.memory.size / 2
                                                                         : UINT64_C(0x80000000);
    z.memory.ram = memset(blocks[0], 0, (size_t)z.memory.size);
    z.saved[0] = blocks[1];
    z.saved[1] = blocks[2];
    z.track.page = (uint8_t *)memset(blocks[3], 0, (size_t)z.pages);
    z.track.code = store_to_code;
    z.track.page_shift = 12; /* marks are taken before any MMU was told of them, too */
    for (i = 0; i < 8; i++) z.favourite[i] = make_favourite(take(4));
    for (i = 0; i < 2 * FUZZ_CPUS; i++) {
        const helper_cpu_t *c = fuzz_target.cpu[i / 2];
        if (c->init(c->at(i & 1), &z.memory)) return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned n;
    memset(&z, 0, sizeof z);
    z.at = data;
    z.left = size;
    if (begin())
        for (n = 0; z.left && n < FUZZ_STEPS; n++) step();
    return 0;
}

#endif /* FUZZ_H */
