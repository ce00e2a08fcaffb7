/* test_stress.c - eight spaces over 200 frames with swap do anything at random, against a model that is as dumb as
 * possible: bytes of every page of every space, copied wholesale at a fork; objects as arrays of bytes.
 *
 *     test_stress [STEPS]    in all; also by VMM_STRESS_STEPS */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define MOST_PAGE 4096u
#define FRAMES 200u
#define SLOTS 500u
#define SPACES 8u
#define PAGES 128u /* of a space: heap, mappings, stack */
#define HEAP 16u   /* pages of the heap, at most */
#define STACK_LOW 112u
#define OBJECTS 14u
#define NAMED 6u /* objects that stay; the others are shared anonymous areas */
#define OBJECT_PAGES 24u

VMM_MMU(rv, VMM_RISCV64)

/* 64-byte pages, 2-byte entries, tables of one page: 8 bits of flags, 8 of frame number. Huge pages are 32 pages. */
static const vmm_paging_t tiny = {"tiny",
                                  VMM_RULES_GENERIC,
                                  VMM_RIGHTS_LEAF,
                                  VMM_VADDR_ZERO,
                                  16,
                                  14,
                                  6,
                                  2,
                                  {5, 5},
                                  0x03,
                                  2,
                                  8,
                                  8,
                                  0x01,
                                  0x80,
                                  0x02,
                                  0x04,
                                  0x08,
                                  0,
                                  0x10,
                                  0x20,
                                  0x40,
                                  0,
                                  0,
                                  0};
/* The same without accessed and dirty bits: the first write is a fault. */
static const vmm_paging_t plain = {"plain",
                                   VMM_RULES_GENERIC,
                                   VMM_RIGHTS_LEAF,
                                   VMM_VADDR_ZERO,
                                   16,
                                   14,
                                   6,
                                   2,
                                   {5, 5},
                                   0x01,
                                   2,
                                   8,
                                   8,
                                   0x01,
                                   0x80,
                                   0x02,
                                   0x04,
                                   0x08,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0,
                                   0};

typedef struct run {
    const char *name;
    const vmm_paging_t *paging;
    const vmm_replacement_t *policy;
    bool local, errors, huge, mmu, scarce; /* scarce: next to no swap */
    uint32_t around, ahead, cluster;
} run_t;

/* -- the model -- */

typedef struct page {
    bool mapped, shared, own, lazy, locked; /* own: a private page with bytes apart from its object's */
    uint8_t rights;
    int object;  /* -1: none */
    uint32_t at; /* page of the object */
} page_t;

typedef struct space {
    vmm_space_t *s; /* null: there is none */
    page_t page[PAGES];
    uint8_t bytes[PAGES][MOST_PAGE];
} space_t;

typedef struct object {
    bool used, file, read_only;
    uint32_t number;
    uint64_t size;
    uint8_t bytes[OBJECT_PAGES][MOST_PAGE];
    uint8_t disk[OBJECT_PAGES][MOST_PAGE]; /* of a file: what was written back */
} object_t;

static space_t space[SPACES];
static object_t object[OBJECTS];
static uint8_t device[SLOTS][MOST_PAGE];
static uint64_t ram[FRAMES * MOST_PAGE / 8 + 512];
static void *block;
static vmm_machine_t *m;
static const run_t *now;
static uint64_t seed, step, page_bytes, base;
static uint32_t last_what;
static uint64_t refused, failed_io, killed, forks, checks;
static bool quiet; /* no errors of devices for now */
static rv_mmu_t mmu;
static uint32_t cpu;

static uint32_t any(uint32_t below)
{
    return (uint32_t)((helper_random(&seed) >> 20) % below);
}

static int trouble(void)
{
    return now->errors && !quiet && any(40) == 0;
}

static int write_slot(void *user, uint32_t slot, const void *from)
{
    (void)user;
    if (trouble()) {
        memset(device[slot], 0xdd, (size_t)page_bytes / 2); /* nothing is known of the slot */
        return 1;
    }
    memcpy(device[slot], from, (size_t)page_bytes);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *to)
{
    (void)user;
    memset(to, 0xee, (size_t)page_bytes / 2);
    if (trouble()) return 1;
    memcpy(to, device[slot], (size_t)page_bytes);
    return 0;
}

static int read_page(void *user, uint64_t page, void *to)
{
    const object_t *o = (const object_t *)user;
    memset(to, 0xee, (size_t)page_bytes);
    if (trouble()) return 1;
    assert_true(page < OBJECT_PAGES && page * page_bytes < o->size);
    memcpy(to, o->disk[page], (size_t)page_bytes);
    return 0;
}

static int write_page(void *user, uint64_t page, const void *from)
{
    object_t *o = (object_t *)user;
    if (trouble()) return 1;
    assert_true(page < OBJECT_PAGES);
    memcpy(o->disk[page], from, (size_t)page_bytes);
    return 0;
}

static bool may_kill(void *user, vmm_space_t *s)
{
    (void)user;
    (void)s;
    return any(4) != 0;
}

static uint64_t object_pages(const object_t *o)
{
    return (o->size + page_bytes - 1) / page_bytes;
}

/* The bytes that a page should have. */
static uint8_t *content(space_t *x, uint32_t p)
{
    page_t *page = &x->page[p];
    if (page->object < 0 || page->own) return x->bytes[p];
    return object[page->object].bytes[page->at];
}

static bool beyond(const space_t *x, uint32_t p)
{
    const page_t *page = &x->page[p];
    return page->object >= 0 && !page->own && page->at >= object_pages(&object[page->object]);
}

static vmm_vaddr_t va_of(uint32_t p)
{
    return base + p * page_bytes;
}

/* A range of pages from `low` on, most of the time short. */
static uint32_t range(uint32_t low, uint32_t high, uint32_t *count)
{
    const uint32_t first = low + any(high - low), most = high - first;
    *count = 1 + any(any(4) ? 6 : 40);
    if (*count > most) *count = most;
    return first;
}

static void clear(space_t *x, uint32_t p)
{
    memset(&x->page[p], 0, sizeof x->page[p]);
    x->page[p].object = -1;
    memset(x->bytes[p], 0, (size_t)page_bytes);
}

static void clear_all(space_t *x)
{
    uint32_t p;
    for (p = 0; p < PAGES; p++) clear(x, p);
}

/* After a call that failed half way: what the areas are now. Contents did not change where an area stayed. */
static void follow(space_t *x)
{
    uint32_t p;
    for (p = 0; p < PAGES; p++) {
        const uint32_t number = vmm_area_with(x->s, va_of(p));
        if (!number) {
            clear(x, p);
            continue;
        }
        assert_true(x->page[p].mapped);
        x->page[p].rights = (uint8_t)(vmm_area_at(m, number)->flags & (VMM_R | VMM_W | VMM_X));
        x->page[p].locked = (vmm_area_at(m, number)->flags & VMM_AREA_LOCKED) != 0;
    }
}

/* -- comparison -- */

static void compare_areas(space_t *x)
{
    uint32_t p;
    for (p = 0; p < PAGES; p++) {
        const page_t *page = &x->page[p];
        const uint32_t number = vmm_area_with(x->s, va_of(p));
        const vmm_area_t *a = number ? vmm_area_at(m, number) : NULL;
        if ((number != 0) != page->mapped)
            fail_msg("%s: page %u of space %u is %smapped at step %llu (%u)", now->name, p, x->s->number,
                     number ? "" : "not ", (unsigned long long)step, last_what);
        if (!a) continue;
        assert_int_equal(a->flags & (VMM_R | VMM_W | VMM_X), page->rights);
        assert_int_equal((a->flags & VMM_AREA_SHARED) != 0, page->shared);
        assert_int_equal((a->flags & VMM_AREA_LOCKED) != 0, page->locked);
        assert_int_equal(a->object, page->object < 0 ? 0 : object[page->object].number);
        if (a->object) assert_int_equal(a->offset + (va_of(p) - a->start) / page_bytes, page->at);
    }
}

/* What a page that may have been dropped holds: as before, or zeros. */
static void settle_lazy(space_t *x, uint32_t p, const uint8_t *seen, uint32_t from, uint32_t bytes)
{
    uint32_t i;
    if (!x->page[p].lazy || memcmp(seen, content(x, p), (size_t)page_bytes) == 0) return;
    for (i = 0; i < page_bytes; i++) assert_true(seen[i] == 0 || (i >= from && i < from + bytes));
    memcpy(x->bytes[p], seen, (size_t)page_bytes);
}

/* A private page of an object that was made present for writing is a copy from then on. */
static void follow_copies(space_t *x)
{
    uint32_t p;
    for (p = 0; p < PAGES && !x->s->killed; p++) {
        page_t *page = &x->page[p];
        uint32_t number = 0;
        unsigned level;
        const uint8_t *entry;
        if (!page->mapped || page->shared || page->own || page->object < 0) continue;
        entry = vmm_entry_find(m, x->s, va_of(p), &level);
        if (!entry) continue;
        switch (vmm_entry_read(m, vmm_pte_load(m->paging, entry), &number)) {
        case VMM_ENTRY_NONE: continue;
        case VMM_ENTRY_SLOT: break;
        default:
            if (vmm_frame_kind(vmm_frame_at(m, number)) != VMM_FRAME_ANON) continue;
        }
        memcpy(x->bytes[p], content(x, p), (size_t)page_bytes);
        page->own = true;
    }
}

static void check(void)
{
    uint32_t i;
    checks++;
    for (i = 0; i < SPACES; i++)
        if (space[i].s) compare_areas(&space[i]);
    if (!vmm_check(m)) fail_msg("%s: vmm_check fails at step %llu", now->name, (unsigned long long)step);
}

/* The signal that an access should get; 0: none. */
static unsigned expected(const space_t *x, uint32_t p, unsigned access)
{
    const page_t *page = &x->page[p];
    const unsigned rights = page->rights | (page->rights & VMM_W ? (unsigned)VMM_R : 0u);
    if (!page->mapped) return VMM_SIGSEGV;
    if (!(rights & (access == VMM_WRITE ? VMM_W : VMM_R))) return VMM_SIGSEGV;
    return beyond(x, p) ? VMM_SIGBUS : 0;
}

/* An access failed: rightly? */
static void judge_fault(const space_t *x, uint32_t p, unsigned access)
{
    const vmm_siginfo_t *signal = &x->s->signal;
    if (x->s->killed) return;
    if (signal->status == VMM_E_NO_FRAME && signal->number == VMM_SIGBUS) {
        refused++;
        return;
    }
    if (signal->status == VMM_E_IO && signal->number == VMM_SIGBUS) {
        assert_true(now->errors && !quiet);
        failed_io++;
        return;
    }
    assert_int_equal(signal->number, expected(x, p, access));
    if (signal->number == VMM_SIGSEGV)
        assert_int_equal(signal->code, x->page[p].mapped ? VMM_SEGV_ACCERR : VMM_SEGV_MAPERR);
}

/* Moves bytes, sometimes by the processor. */
static vmm_status_t reach(space_t *x, vmm_vaddr_t va, uint8_t *data, uint32_t bytes, unsigned access)
{
    uint32_t i;
    if (!now->mmu || any(2)) {
        if (access == VMM_WRITE) return vmm_space_write(x->s, va, data, bytes);
        return vmm_space_read(x->s, va, data, bytes);
    }
    assert_int_equal(vmm_space_switch(x->s, cpu), VMM_OK);
    for (i = 0; i < bytes; i++) {
        const vmm_status_t status =
            access == VMM_WRITE ? rv_store8(&mmu, va + i, data[i]) : rv_load8(&mmu, va + i, &data[i]);
        if (status) {
            assert_true(i == 0); /* once there, it stays within a step */
            return status;
        }
    }
    return VMM_OK;
}

/* A stack may have grown. */
static void follow_growth(space_t *x, uint32_t p)
{
    uint32_t above = p, i;
    if (x->page[p].mapped || !vmm_area_with(x->s, va_of(p))) return;
    while (!x->page[above].mapped) above++;
    assert_true(vmm_area_at(m, vmm_area_with(x->s, va_of(p)))->flags & VMM_AREA_GROWS);
    for (i = p; i < above; i++) {
        clear(x, i);
        x->page[i].mapped = true;
        x->page[i].rights = x->page[above].rights;
        x->page[i].locked = x->page[above].locked;
    }
}

static void read_some(space_t *x, uint32_t p)
{
    static uint8_t seen[MOST_PAGE];
    const vmm_status_t status = reach(x, va_of(p), seen, (uint32_t)page_bytes, VMM_READ);
    follow_growth(x, p);
    if (status) {
        judge_fault(x, p, VMM_READ);
        return;
    }
    assert_int_equal(expected(x, p, VMM_READ), 0);
    settle_lazy(x, p, seen, 0, 0);
    if (memcmp(seen, content(x, p), (size_t)page_bytes)) {
        uint32_t i = 0;
        while (seen[i] == content(x, p)[i]) i++;
        fail_msg(
            "%s: step %llu (%u): byte %u of page %u of space %u is %02x, not %02x; rights %u%s%s%s%s, object %d at %u",
            now->name, (unsigned long long)step, last_what, i, p, x->s->number, seen[i], content(x, p)[i],
            x->page[p].rights, x->page[p].shared ? ", shared" : "", x->page[p].own ? ", own" : "",
            x->page[p].lazy ? ", lazy" : "", x->page[p].locked ? ", locked" : "", x->page[p].object, x->page[p].at);
    }
}

static void write_some(space_t *x, uint32_t p)
{
    static uint8_t data[MOST_PAGE], seen[MOST_PAGE];
    page_t *page = &x->page[p];
    uint64_t room = page_bytes;
    uint32_t from, bytes, i;
    vmm_status_t status;
    if (page->mapped && page->object >= 0 && !page->own && page->shared && !beyond(x, p)) { /* not behind the end */
        const uint64_t left = object[page->object].size - page->at * page_bytes;
        if (left < room) room = left;
    }
    from = any((uint32_t)room);
    bytes = 1 + any(any(8) ? 8 : 512);
    if (bytes > room - from) bytes = (uint32_t)room - from;
    for (i = 0; i < bytes; i++) data[i] = (uint8_t)(1 + any(255));
    status = reach(x, va_of(p) + from, data, bytes, VMM_WRITE);
    follow_growth(x, p);
    if (status) {
        judge_fault(x, p, VMM_WRITE);
        return;
    }
    assert_int_equal(expected(x, p, VMM_WRITE), 0);
    if (page->object >= 0 && !page->shared && !page->own) {
        memcpy(x->bytes[p], content(x, p), (size_t)page_bytes);
        page->own = true;
    }
    memcpy(content(x, p) + from, data, bytes);
    if (!page->lazy) return;
    assert_int_equal(vmm_space_read(x->s, va_of(p), seen, page_bytes), VMM_OK);
    settle_lazy(x, p, seen, from, bytes);
    page->lazy = false;
}

/* Page after page, as programs do. */
static void write_many(space_t *x, uint32_t p)
{
    const uint32_t end = p + 1 + any(30);
    for (; p < end && p < PAGES && !x->s->killed; p++)
        if (x->page[p].mapped) write_some(x, p);
}

/* -- calls -- */

static void do_mmap(space_t *x)
{
    static const uint8_t rights_of[] = {VMM_R | VMM_W,         VMM_R | VMM_W, VMM_R | VMM_W, VMM_R, 0,
                                        VMM_R | VMM_W | VMM_X, VMM_W};
    uint32_t count, first = range(HEAP, STACK_LOW, &count), flags = 0, i, at = 0, number;
    const uint32_t huge = (uint32_t)((UINT64_C(1) << vmm_level_shift(now->paging, 1)) / page_bytes);
    const uint8_t rights = rights_of[any(sizeof rights_of)];
    const bool shared = any(3) == 0;
    int which = any(2) ? (int)any(NAMED) : -1;
    vmm_vaddr_t got = 0;
    vmm_status_t status;
    if (now->huge && any(3) == 0) {
        first = 40 + huge * any(2);
        count = huge + any(8);
    }
    if (which >= 0 && object[which].read_only && shared && rights & VMM_W) which = -1;
    if (which < 0 && shared) { /* a model of the object that will be made */
        for (which = NAMED; which < (int)OBJECTS && object[which].used; which++) {}
        if (which == (int)OBJECTS || count > OBJECT_PAGES) return;
    }
    if (which >= 0 && which < (int)NAMED) at = any(OBJECT_PAGES);
    flags |= shared ? VMM_MAP_SHARED : VMM_MAP_PRIVATE;
    if (which < 0 || which >= (int)NAMED) flags |= VMM_MAP_ANONYMOUS;
    if (any(4)) flags |= VMM_MAP_FIXED;
    if (any(10) == 0) flags |= VMM_MAP_POPULATE;
    if (any(10) == 0) flags |= VMM_MAP_NORESERVE;
    status = vmm_mmap(x->s, va_of(first), count * page_bytes, rights, flags,
                      flags & VMM_MAP_ANONYMOUS ? 0 : object[which].number, at * page_bytes, &got);
    if (status) return;
    first = (uint32_t)((got - base) / page_bytes);
    number = vmm_area_at(m, vmm_area_with(x->s, got))->object;
    if (which >= (int)NAMED) {
        memset(&object[which], 0, sizeof object[which]);
        object[which].used = true;
        object[which].number = number;
        object[which].size = count * page_bytes;
    }
    for (i = 0; i < count; i++) {
        page_t *page = &x->page[first + i];
        if (!(flags & VMM_MAP_FIXED)) assert_false(page->mapped);
        clear(x, first + i);
        page->mapped = true;
        page->shared = shared;
        page->rights = rights;
        page->object = which;
        page->at = which < 0 ? 0 : at + i;
    }
}

static void do_munmap(space_t *x)
{
    uint32_t count, first = range(0, PAGES, &count), i;
    if (vmm_munmap(x->s, va_of(first), count * page_bytes)) return;
    for (i = 0; i < count; i++) clear(x, first + i);
}

static void do_mprotect(space_t *x)
{
    static const uint8_t rights_of[] = {VMM_R | VMM_W, VMM_R, 0, VMM_R | VMM_X, VMM_R | VMM_W, VMM_W};
    const uint8_t rights = rights_of[any(sizeof rights_of)];
    uint32_t count, first = range(0, PAGES, &count), i;
    const vmm_status_t status = vmm_mprotect(x->s, va_of(first), count * page_bytes, rights);
    vmm_status_t should = VMM_OK;
    if (status == VMM_E_NO_FRAME || status == VMM_E_LIMIT) {
        follow(x);
        return;
    }
    for (i = first; i < first + count && should == VMM_OK; i++) {
        const page_t *page = &x->page[i];
        if (!page->mapped) should = VMM_E_NOT_MAPPED;
        else if (page->shared && rights & VMM_W && object[page->object].read_only) should = VMM_E_ACCESS;
        else x->page[i].rights = rights;
    }
    if (status != should)
        fail_msg("%s: mprotect tells %d, not %d, at step %llu: %u+%u", now->name, (int)status, (int)should,
                 (unsigned long long)step, first, count);
}

static void do_mremap(space_t *x)
{
    static space_t old;
    uint32_t count, first = range(HEAP, STACK_LOW, &count), length = any(8) ? 1 + any(12) : count, i, to;
    uint32_t flags = any(4) ? VMM_MREMAP_MAYMOVE : 0;
    const uint32_t wish = HEAP + any(STACK_LOW - HEAP);
    const bool again = any(10) == 0; /* the same pages a second time */
    vmm_vaddr_t got = 0;
    vmm_status_t status;
    if (flags && any(3) == 0) flags |= VMM_MREMAP_FIXED;
    if (again) count = 0;
    memcpy(old.page, x->page, sizeof old.page);
    memcpy(old.bytes, x->bytes, sizeof old.bytes);
    status = vmm_mremap(x->s, va_of(first), count * page_bytes, length * page_bytes, flags, va_of(wish), &got);
    if (count == length && flags & VMM_MREMAP_FIXED) { /* area by area, holes left out */
        for (i = 0; i < count; i++) {
            if (!old.page[first + i].mapped || (status && vmm_area_with(x->s, va_of(first + i)))) continue;
            clear(x, first + i);
            x->page[wish + i] = old.page[first + i];
            memcpy(x->bytes[wish + i], old.bytes[first + i], (size_t)page_bytes);
        }
        if (status) follow(x);
        return;
    }
    if (status) {
        follow(x);
        return;
    }
    to = (uint32_t)((got - base) / page_bytes);
    for (i = 0; i < count; i++) clear(x, first + i);
    for (i = 0; i < length; i++) {
        page_t *page = &x->page[to + i];
        if (flags & VMM_MREMAP_FIXED) clear(x, to + i);
        else assert_false(page->mapped);
        *page = old.page[i < count ? first + i : first];
        if (i >= count) page->own = page->lazy = false;
        if (i >= count && page->object >= 0) page->at = old.page[first].at + i;
        if (i < count) memcpy(x->bytes[to + i], old.bytes[first + i], (size_t)page_bytes);
        else memset(x->bytes[to + i], 0, (size_t)page_bytes);
    }
}

static void do_madvise(space_t *x)
{
    static const uint8_t kinds[] = {VMM_MADV_DONTNEED, VMM_MADV_DONTNEED, VMM_MADV_FREE,
                                    VMM_MADV_FREE,     VMM_MADV_WILLNEED, VMM_MADV_RANDOM,
                                    VMM_MADV_HUGEPAGE, VMM_MADV_NORMAL,   VMM_MADV_SEQUENTIAL};
    const unsigned advice = kinds[any(sizeof kinds)];
    uint32_t count, first = range(0, PAGES, &count), i;
    const vmm_status_t status = vmm_madvise(x->s, va_of(first), count * page_bytes, advice);
    if (status == VMM_E_NO_FRAME || status == VMM_E_LIMIT) {
        follow(x);
        for (i = first; i < first + count; i++) x->page[i].lazy = x->page[i].mapped && x->page[i].object < 0;
        return; /* what was let go shows zeros, and so may the rest */
    }
    for (i = first; i < first + count; i++) {
        page_t *page = &x->page[i];
        if (!page->mapped) continue;
        if (advice == VMM_MADV_DONTNEED) {
            if (page->locked) return;
            page->own = page->lazy = false;
            if (page->object < 0) memset(x->bytes[i], 0, (size_t)page_bytes);
        } else if (advice == VMM_MADV_FREE) {
            if (page->object >= 0) return;
            page->lazy = true;
        }
    }
}

static void do_lock(space_t *x)
{
    uint32_t count, first = range(0, PAGES, &count);
    if (count > 4) count = 4;
    (void)(any(3) ? vmm_munlock(x->s, va_of(first), count * page_bytes)
                  : vmm_mlock(x->s, va_of(first), count * page_bytes));
    follow(x);
}

static void do_brk(space_t *x)
{
    const uint32_t was = (uint32_t)((x->s->brk - base + page_bytes - 1) / page_bytes);
    const vmm_vaddr_t to = base + any((uint32_t)(HEAP * page_bytes));
    const uint32_t pages = (uint32_t)((to - base + page_bytes - 1) / page_bytes);
    vmm_vaddr_t at;
    uint32_t i;
    if (vmm_brk(x->s, to, &at)) return;
    assert_int_equal(at, to);
    for (i = pages; i < was; i++) clear(x, i);
    for (i = was; i < pages; i++) {
        assert_false(x->page[i].mapped);
        clear(x, i);
        x->page[i].mapped = true;
        x->page[i].rights = VMM_R | VMM_W;
    }
}

static void do_msync(space_t *x)
{
    uint32_t count, first = range(0, PAGES, &count), i;
    const vmm_status_t status = vmm_msync(x->s, va_of(first), count * page_bytes, VMM_MS_SYNC);
    if (status == VMM_E_IO) {
        assert_true(now->errors);
        return;
    }
    for (i = first; i < first + count; i++) {
        const page_t *page = &x->page[i];
        if (!page->mapped || !page->shared || !object[page->object].file || beyond(x, i)) continue;
        assert_memory_equal(object[page->object].disk[page->at], content(x, i), (size_t)page_bytes);
    }
}

static void do_truncate(void)
{
    object_t *o = &object[any(NAMED)];
    uint64_t size = any((uint32_t)(OBJECT_PAGES * page_bytes) + 1), i;
    uint32_t x, p;
    const uint64_t was = o->size;
    if (any(2)) size -= size % page_bytes;
    o->size = size; /* read_page looks at it */
    if (vmm_object_truncate(m, o->number, size)) {
        o->size = was;
        return;
    }
    for (i = size; i < OBJECT_PAGES * page_bytes; i++)
        o->bytes[i / page_bytes][i % page_bytes] = o->disk[i / page_bytes][i % page_bytes] = 0;
    for (x = 0; x < SPACES; x++)
        for (p = 0; p < PAGES && space[x].s; p++) {
            page_t *page = &space[x].page[p];
            if (page->object < 0 || &object[page->object] != o || page->at < object_pages(o)) continue;
            page->own = false;
        }
}

/* Objects of shared anonymous areas go with the last page that shows them. */
static void sweep_objects(void)
{
    uint32_t i, x, p;
    for (i = NAMED; i < OBJECTS; i++) {
        bool found = false;
        for (x = 0; x < SPACES && !found; x++)
            for (p = 0; p < PAGES && space[x].s && !found; p++) found = space[x].page[p].object == (int)i;
        object[i].used = found;
    }
}

static void begin_space(space_t *x)
{
    vmm_vaddr_t got;
    uint32_t p;
    clear_all(x);
    if (vmm_space_create(m, &x->s)) {
        x->s = NULL;
        return;
    }
    x->s->limits.locked = 8 * page_bytes;
    if (now->local) x->s->resident.most = 20 + any(40);
    if (vmm_mmap(x->s, va_of(PAGES - 2), 2 * page_bytes, VMM_R | VMM_W,
                 VMM_MAP_FIXED | VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_GROWSDOWN, 0, 0, &got))
        return;
    for (p = PAGES - 2; p < PAGES; p++) {
        x->page[p].mapped = true;
        x->page[p].rights = VMM_R | VMM_W;
    }
}

static void end_space(space_t *x)
{
    vmm_exit(x->s);
    x->s = NULL;
    clear_all(x);
}

static void do_fork(space_t *x)
{
    space_t *child = &space[any(SPACES)];
    uint32_t p;
    if (child == x) return;
    if (child->s) end_space(child);
    if (vmm_fork(x->s, &child->s)) {
        child->s = NULL;
        return;
    }
    forks++;
    if (now->local) child->s->resident.most = 20 + any(40);
    memcpy(child->page, x->page, sizeof x->page);
    memcpy(child->bytes, x->bytes, sizeof x->bytes);
    for (p = 0; p < PAGES; p++) child->page[p].locked = false;
}

/* Every page of every space. */
static void compare_all(void)
{
    uint32_t i, p;
    quiet = true;
    for (i = 0; i < SPACES; i++) {
        if (!space[i].s) continue;
        compare_areas(&space[i]);
        for (p = 0; p < PAGES && !space[i].s->killed; p++)
            if (space[i].page[p].mapped) read_some(&space[i], p);
    }
    quiet = false;
}

static void bury(void)
{
    uint32_t i;
    for (i = 0; i < SPACES; i++) {
        if (!space[i].s || !space[i].s->killed) continue;
        end_space(&space[i]);
        killed++;
    }
}

static void one_step(void)
{
    space_t *x = &space[any(SPACES)];
    const uint32_t what = last_what = any(400) / 2 + (any(400) ? 0 : 400);
    uint32_t p = any(PAGES), tries;
    if (!x->s) begin_space(x);
    if (!x->s) return;
    for (tries = 0; tries < 8 && !x->page[p].mapped; tries++) p = any(PAGES);
    if (what < 60) write_some(x, p);
    else if (what < 74) write_many(x, p);
    else if (what < 130) read_some(x, p);
    else if (what < 148) do_mmap(x);
    else if (what < 152) do_munmap(x);
    else if (what < 162) do_mprotect(x);
    else if (what < 172) do_mremap(x);
    else if (what < 180) do_madvise(x);
    else if (what < 184) do_lock(x);
    else if (what < 188) do_brk(x);
    else if (what < 191) do_msync(x);
    else if (what < 192) do_truncate();
    else if (what < 194) (void)vmm_background(m);
    else if (what < 196) do_fork(x);
    else if (what >= 400) end_space(x);
    else vmm_touch(x->s, va_of(p));
    if (x->s) follow_copies(x); /* mmap, mlock, mprotect and mremap populate at times */
    bury();
    if (any(8) == 0) sweep_objects();
}

/* -- a run -- */

static void begin(const run_t *run)
{
    static vmm_layout_t layout;
    static vmm_memory_t memory;
    vmm_machine_options_t o;
    vmm_swap_area_t swap;
    uint32_t i;
    now = run;
    page_bytes = UINT64_C(1) << run->paging->page_shift;
    base = 4 * (UINT64_C(1) << vmm_level_shift(run->paging, 1)) - 40 * page_bytes;
    memset(&layout, 0, sizeof layout);
    layout.name = "stress";
    layout.lowest = layout.text = layout.mmap_low = base;
    layout.top = layout.stack_top = layout.mmap_high = base + PAGES * page_bytes;
    layout.stack_limit = 12 * page_bytes;
    layout.guard_pages = 2;
    memset(&memory, 0, sizeof memory);
    memory.ram = (void *)(((uintptr_t)ram + 4095) & ~(uintptr_t)4095);
    memory.base = run->paging->paddr_bits > 32 ? 0x80000000 : 0;
    memory.size = FRAMES * page_bytes;
    memset(&o, 0, sizeof o);
    o.memory = &memory;
    o.paging = run->paging;
    o.layout = &layout;
    o.replacement = run->policy;
    o.window = run->policy == &vmm_replace_pff ? 3 : 30; /* few enough for pages to leave */
    o.local = run->local;
    o.slots = SLOTS;
    o.huge = run->huge ? VMM_HUGE_ALWAYS : VMM_HUGE_NEVER;
    o.fault_around = run->around;
    o.read_ahead = run->ahead;
    o.swap_cluster = run->cluster;
    o.asid_bits = run->mmu ? 4 : 0;
    o.kill = may_kill;
    o.spaces = SPACES + 1;
    block = malloc((size_t)vmm_machine_bytes(&o));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&o), &o, &m), VMM_OK);
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    swap.slots = run->scarce ? 20 : SLOTS / 2;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    if (run->mmu) {
        assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
        assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    }
    for (i = 0; i < NAMED; i++) {
        vmm_object_options_t file;
        memset(&object[i], 0, sizeof object[i]);
        memset(&file, 0, sizeof file);
        object[i].used = true;
        object[i].file = i >= 2;
        object[i].read_only = i == 5;
        object[i].size = any((uint32_t)(OBJECT_PAGES * page_bytes));
        file.kind = i >= 2 ? VMM_OBJECT_FILE : VMM_OBJECT_SHARED;
        file.size = object[i].size;
        file.user = &object[i];
        if (i >= 2) file.read_page = read_page;
        if (i >= 2 && i != 5) file.write_page = write_page;
        if (i >= 2) {
            uint64_t at;
            for (at = 0; at < object[i].size; at++)
                object[i].bytes[at / page_bytes][at % page_bytes] = object[i].disk[at / page_bytes][at % page_bytes] =
                    (uint8_t)any(256);
        }
        assert_int_equal(vmm_object_create(m, &file, &object[i].number), VMM_OK);
    }
    for (i = NAMED; i < OBJECTS; i++) object[i].used = false;
    for (i = 0; i < SPACES; i++) {
        space[i].s = NULL;
        clear_all(&space[i]);
    }
}

/* The second half of swap comes when the machine runs already, and takes other slots. */
static int write_upper(void *user, uint32_t slot, const void *from)
{
    return write_slot(user, slot + SLOTS / 2, from);
}

static int read_upper(void *user, uint32_t slot, void *to)
{
    return read_slot(user, slot + SLOTS / 2, to);
}

static void add_swap(void)
{
    vmm_swap_area_t swap;
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_upper;
    swap.read_slot = read_upper;
    swap.slots = now->scarce ? 20 : SLOTS / 2;
    swap.priority = 1;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
}

static void end(void)
{
    uint32_t i;
    quiet = true;
    compare_all();
    for (i = 0; i < SPACES; i++)
        if (space[i].s) end_space(&space[i]);
    check();
    for (i = 0; i < NAMED; i++) {
        assert_int_equal(vmm_object_close(m, object[i].number), VMM_OK);
        if (object[i].file) assert_memory_equal(object[i].disk, object[i].bytes, sizeof object[i].bytes);
    }
    check();
    assert_int_equal(m->pages_anon + m->pages_cache + m->pages_tables, 0);
    assert_int_equal(m->slots_used, 0);
    assert_int_equal(m->committed, 0);
    assert_int_equal(m->areas.used + m->objects.used + m->spaces.used, 0);
    quiet = false;
    free(block);
}

static uint64_t run_number;

static void go(const run_t *run, uint64_t steps)
{
    const uint64_t often = steps > 100000 ? 500 : 50;
    seed = UINT64_C(0x123456789abcdef) + ++run_number * UINT64_C(0x9e3779b97f4a7c15);
    refused = failed_io = killed = forks = checks = 0;
    begin(run);
    for (step = 0; step < steps; step++) {
        one_step();
        if (step == steps / 4) add_swap();
        if (step < 300 || step % often == 0 || getenv("VMM_STRESS_EACH")) check();
        if (step % (often * 8) == often) {
            compare_all();
            bury();
        }
    }
    if (getenv("VMM_STRESS_VERBOSE"))
        printf("# %-10s %-8s local %d: %llu steps, %llu checks, %llu out, %llu in, %llu written, %llu copied, %llu "
               "reused, "
               "%llu kills, %llu forks, %llu refused, %llu io errors (%llu seen), huge %llu/%llu\n",
               run->name, m->options.replacement->name, run->local, (unsigned long long)steps,
               (unsigned long long)checks, (unsigned long long)m->stats.swapped_out,
               (unsigned long long)m->stats.swapped_in, (unsigned long long)m->stats.file_writes,
               (unsigned long long)m->stats.copied, (unsigned long long)m->stats.reused, (unsigned long long)killed,
               (unsigned long long)forks, (unsigned long long)refused, (unsigned long long)m->stats.io_errors,
               (unsigned long long)failed_io, (unsigned long long)m->stats.huge_faults,
               (unsigned long long)m->stats.huge_split);
    end();
}

static uint64_t steps_in_all = 0;

static uint64_t share(unsigned of)
{
#if defined(VMM_DEBUG) && VMM_DEBUG
    const uint64_t usual = 60000; /* assertions and sanitizers */
#else
    const uint64_t usual = 250000;
#endif
    return (steps_in_all ? steps_in_all : usual) / of;
}

static void test_no_byte_is_lost_with_each_format(void **state)
{
    static const run_t runs[] = {
        {"sv39", &vmm_sv39, NULL, false, false, false, true, false, 0, 0, 0},
        {"sv39", &vmm_sv39, NULL, false, false, false, true, false, 8, 4, 8},
        {"sv32", &vmm_sv32, NULL, false, false, false, false, false, 4, 2, 2},
        {"two-level", &vmm_two_level, NULL, false, false, false, false, false, 4, 2, 2},
        {"x86 PAE", &vmm_x86_pae, NULL, false, false, false, false, false, 4, 2, 2},
        {"x86 four-level", &vmm_x86_four_level, NULL, false, false, false, false, false, 4, 2, 2},
        {"tiny", &tiny, NULL, false, false, false, false, false, 4, 4, 4},
        {"tiny huge", &tiny, NULL, false, false, true, false, false, 4, 4, 4},
        {"plain", &plain, NULL, false, false, false, false, false, 4, 4, 4},
    };
    unsigned i;
    (void)state;
    for (i = 0; i < sizeof runs / sizeof *runs; i++) go(&runs[i], share(20));
}

static void test_no_byte_is_lost_when_devices_fail_now_and_then(void **state)
{
    static const run_t runs[] = {
        {"sv39", &vmm_sv39, NULL, false, true, false, true, false, 8, 4, 8},
        {"tiny", &tiny, NULL, true, true, false, false, false, 0, 4, 4},
        {"tiny huge", &tiny, NULL, false, true, true, false, false, 4, 4, 4},
        {"plain", &plain, NULL, false, true, false, false, false, 4, 4, 4},
        {"scarce", &vmm_sv39, NULL, false, true, false, true, true, 4, 4, 4},
        {"scarce", &tiny, NULL, true, true, false, false, true, 4, 4, 4},
        {"scarce", &tiny, NULL, false, true, true, false, true, 4, 4, 4},
    };
    unsigned i;
    (void)state;
    for (i = 0; i < sizeof runs / sizeof *runs; i++) go(&runs[i], share(20));
}

static void test_no_byte_is_lost_with_each_policy_global_and_local(void **state)
{
    static const vmm_replacement_t *const policies[] = {
        &vmm_replace_fifo,     &vmm_replace_clock,       &vmm_replace_clock_set, &vmm_replace_lru,
        &vmm_replace_nru,      &vmm_replace_aging,       &vmm_replace_lfu,       &vmm_replace_random,
        &vmm_replace_wsclock,  &vmm_replace_two_lists,   &vmm_replace_2q,        &vmm_replace_arc,
        &vmm_replace_sieve,    &vmm_replace_s3fifo,      &vmm_replace_mru,       &vmm_replace_mfu,
        &vmm_replace_enhanced, &vmm_replace_working_set, &vmm_replace_pff,       &vmm_replace_lirs};
    unsigned i;
    (void)state;
    for (i = 0; i < 2 * sizeof policies / sizeof *policies; i++) {
        run_t run;
        memset(&run, 0, sizeof run);
        run.name = i % 4 < 2 ? "tiny" : "sv39";
        run.paging = i % 4 < 2 ? &tiny : &vmm_sv39;
        run.policy = policies[i / 2];
        run.local = i % 2;
        run.cluster = 4;
        go(&run, share(80));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_byte_is_lost_with_each_format),
        cmocka_unit_test(test_no_byte_is_lost_when_devices_fail_now_and_then),
        cmocka_unit_test(test_no_byte_is_lost_with_each_policy_global_and_local),
    };
    const char *given = argc > 1 ? argv[1] : getenv("VMM_STRESS_STEPS");
    if (given) steps_in_all = strtoull(given, NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
