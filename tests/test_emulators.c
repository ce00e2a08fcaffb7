/* test_emulators.c - what emulators need besides loads and stores: pages that were written, pages that hold decoded
 * code, watchpoints, reservations, compare-and-swap, snapshots, the physical check, flush requests, and the detector
 * of missing flushes. On every architecture, with and without stages that model hardware. */
#include "helper_cpus.h"

#define VMM_IMPLEMENTATION
#include "vmm.h"

HELPER_CPU(rv, 2, HELPER_ENTER_RISCV, VMM_RISCV64)
HELPER_CPU(rvtlb, 2, HELPER_ENTER_RISCV, VMM_ARCH_RISCV64, VMM_STAGES(16, 4, 8, 4, 2, VMM_LRU))
HELPER_CPU(x86, 2, HELPER_ENTER_X86, VMM_X86)
HELPER_CPU(arm, 2, HELPER_ENTER_ARM64, VMM_ARM64)
HELPER_CPU(rvd, 2, HELPER_ENTER_RISCV, VMM_ARCH_RISCV64, 16, 4, 8, 1, 4, 2, VMM_LRU, 1)
HELPER_CPU(x86d, 2, HELPER_ENTER_X86, VMM_ARCH_X86, VMM_STAGES_DETECT)
HELPER_CPU(armd, 2, HELPER_ENTER_ARM64, VMM_ARCH_ARM64, VMM_STAGES_DETECT)

static const helper_cpu_t *const cpus[] = {&rv_cpu, &rvtlb_cpu, &x86_cpu, &arm_cpu, &rvd_cpu, &x86d_cpu, &armd_cpu};
#define CPUS (sizeof cpus / sizeof cpus[0])

#define BASE UINT64_C(0x80000000)
#define RAM_BYTES 0x80000u
#define PAGE 0x1000u
#define PAGES 32u                  /* mapped */
#define VA UINT64_C(0x400000)      /* of frame 0 ... */
#define ALIAS UINT64_C(0x10008000) /* ... and once more, in another table of level 0 and other slots of the front */
#define ABSENT UINT64_C(0x420000)  /* nothing is mapped there, and the table of level 0 exists */
#define DEVICE UINT64_C(0x430000)  /* mapped to where there is no RAM */
#define TABLES (BASE + 0x40000)    /* tables lie from here up */
#define ALL (VMM_R | VMM_W | VMM_X | VMM_A | VMM_D)

static uint64_t ram[2][RAM_BYTES / 8];

static struct {
    const helper_cpu_t *c;
    void *mmu, *other;
    vmm_memory_t memory;
    helper_frames_t frames;
    vmm_tables_t tables;
    uint8_t marks[RAM_BYTES / PAGE];
    vmm_track_t track;
} w;

static uint8_t *host(vmm_vaddr_t va)
{
    return (uint8_t *)ram[0] + (va - VA);
}

static uint64_t peek(vmm_vaddr_t va, unsigned bytes)
{
    return vmm_get(host(va), bytes);
}

/* Both MMUs over RAM number 0, with every page mapped twice. */
static void begin(const helper_cpu_t *c)
{
    size_t i;
    memset(&w, 0, sizeof w);
    for (i = 0; i < RAM_BYTES / 8; i++) ram[0][i] = i | (i * UINT64_C(0x01010101)) << 32;
    w.c = c;
    w.mmu = c->at(0);
    w.other = c->at(1);
    w.memory.ram = ram[0];
    w.memory.base = BASE;
    w.memory.size = RAM_BYTES;
    w.frames.base = w.frames.next = TABLES;
    w.frames.end = BASE + RAM_BYTES;
    w.frames.budget = -1;
    w.tables.memory = &w.memory;
    w.tables.take = helper_take;
    w.tables.give = helper_give;
    w.tables.user = &w.frames;
    w.track.page = w.marks;
    assert_int_equal(c->create(&w.tables), VMM_OK);
    assert_int_equal(c->map(&w.tables, VA, BASE, PAGES * PAGE, ALL | VMM_NO_HUGE), VMM_OK);
    assert_int_equal(c->map(&w.tables, ALIAS, BASE, PAGES * PAGE, ALL | VMM_NO_HUGE), VMM_OK);
    assert_int_equal(c->map(&w.tables, DEVICE, UINT64_C(0x40000000), PAGE, ALL), VMM_OK);
    for (i = 0; i < 2; i++) {
        assert_int_equal(c->init(c->at((unsigned)i), &w.memory), VMM_OK);
        c->enter(c->at((unsigned)i), w.tables.root);
    }
}

static void on_every_cpu(void (*body)(void))
{
    size_t i;
    for (i = 0; i < CPUS; i++) {
        begin(cpus[i]);
        body();
    }
}

#define ON_EVERY_CPU(sentence)                                                                                         \
    static void sentence##_body(void);                                                                                 \
    static void sentence(void **state)                                                                                 \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        on_every_cpu(sentence##_body);                                                                                 \
    }                                                                                                                  \
    static void sentence##_body(void)

static uint64_t load(vmm_vaddr_t va, unsigned bytes)
{
    uint64_t value = 0;
    assert_int_equal(w.c->load(w.mmu, VMM_READ, va, bytes, &value), VMM_OK);
    return value;
}

/* A store of any kind that changes every byte. A reservation is made before, by the MMU's other name of the page. */
static vmm_status_t store(enum helper_how how, vmm_vaddr_t va, unsigned bytes)
{
    uint8_t block[3 * PAGE];
    uint64_t value = 0, found;
    bool done = false;
    vmm_status_t status;
    size_t i;
    if (how == HELPER_BLOCK) {
        for (i = 0; i < bytes; i++) block[i] = (uint8_t)~host(va)[i];
        return w.c->block(w.mmu, VMM_WRITE, va, block, bytes);
    }
    value = ~peek(va, bytes);
    switch (how) {
    case HELPER_STORE: return w.c->store(w.mmu, va, bytes, value);
    case HELPER_BIG_ENDIAN: return w.c->store_be(w.mmu, va, bytes, vmm_swap(value, bytes));
    case HELPER_CAS: return w.c->cas(w.mmu, va, bytes, peek(va, bytes), value, &found);
    default:
        assert_int_equal(w.c->lr(w.mmu, va - VA + ALIAS, bytes, &found), VMM_OK);
        status = w.c->sc(w.mmu, va, bytes, value, &done);
        assert_true(done == (status == VMM_OK));
        return status;
    }
}

/* Kinds of store: how, how wide, where in the third page. Those that cross go into the fourth. */
typedef struct shape {
    enum helper_how how;
    unsigned bytes, offset;
} shape_t;

static const shape_t shapes[] = {
    {HELPER_STORE, 1, 0},
    {HELPER_STORE, 2, 2},
    {HELPER_STORE, 4, 0xffc},
    {HELPER_STORE, 8, 0x800},
    {HELPER_STORE, 8, 0x123},
    {HELPER_STORE, 2, 0xfff},
    {HELPER_STORE, 4, 0xffd},
    {HELPER_STORE, 8, 0xff9},
    {HELPER_STORE, 8, 0xfff},
    {HELPER_BIG_ENDIAN, 2, 0x10},
    {HELPER_BIG_ENDIAN, 4, 16},
    {HELPER_BIG_ENDIAN, 8, 0xff8},
    {HELPER_BIG_ENDIAN, 8, 0xffc},
    {HELPER_CAS, 1, 3},
    {HELPER_CAS, 2, 6},
    {HELPER_CAS, 4, 0xffc},
    {HELPER_CAS, 8, 0x18},
    {HELPER_SC, 1, 5},
    {HELPER_SC, 2, 4},
    {HELPER_SC, 4, 8},
    {HELPER_SC, 8, 0xff8},
    {HELPER_BLOCK, 1, 0x77},
    {HELPER_BLOCK, 100, 0x20},
    {HELPER_BLOCK, PAGE, 0},
    {HELPER_BLOCK, PAGE + 5, 0x11},
    {HELPER_BLOCK, 200, 0xfa0},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])
#define THIRD (VA + 2 * PAGE)

static bool crosses(const shape_t *s)
{
    return s->offset + s->bytes > PAGE;
}

/* Did every byte of the store land, or none? */
static void assert_landed(const shape_t *s, const uint8_t *before, bool landed)
{
    const uint8_t *at = host(THIRD + s->offset);
    unsigned i;
    for (i = 0; i < s->bytes; i++) assert_int_equal(at[i], landed ? (uint8_t)~before[i] : before[i]);
}

/* ---- pages that were written ---- */

/* Takes the marks of dirty pages: bit i is frame i. Tables are left out: walks that mark entries store to them. */
static uint64_t taken_dirty(void)
{
    vmm_paddr_t page = BASE, last = 0;
    uint64_t pages = 0;
    while (vmm_track_next_dirty(&w.track, &w.memory, &page)) {
        assert_true(page > last);
        last = page;
        if (page < TABLES) pages |= UINT64_C(1) << ((page - BASE) / PAGE);
        page += PAGE;
    }
    return pages;
}

ON_EVERY_CPU(every_kind_of_store_marks_the_pages_that_it_touches_and_no_other)
{
    size_t i;
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.track.page_shift, 12);
    for (i = 0; i < SHAPES; i++) {
        assert_int_equal(store(shapes[i].how, THIRD + shapes[i].offset, shapes[i].bytes), VMM_OK);
        assert_int_equal(taken_dirty(), crosses(&shapes[i]) ? 0xc : 0x4);
        assert_int_equal(taken_dirty(), 0);
        w.c->flush_stores(w.mmu);
    }
}

ON_EVERY_CPU(loads_fetches_and_failed_stores_mark_nothing)
{
    uint8_t block[2 * PAGE];
    uint64_t value;
    bool done = true;
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA + 0xffd, 8, &value), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_FETCH, VA + PAGE, 4, &value), VMM_OK);
    assert_int_equal(w.c->lr(w.mmu, VA, 8, &value), VMM_OK);
    assert_int_equal(w.c->block(w.mmu, VMM_READ, VA, block, sizeof block), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, ABSENT, 8, 1), VMM_FAULT);
    assert_int_equal(w.c->store(w.mmu, VA + PAGES * PAGE - 4, 8, 1), VMM_FAULT); /* its second page is absent */
    assert_int_equal(w.c->store(w.mmu, DEVICE, 8, 1), VMM_FAULT);
    assert_int_equal(w.c->cas(w.mmu, VA + 1, 8, 0, 0, &value), VMM_FAULT);
    assert_int_equal(w.c->sc(w.mmu, ABSENT, 8, 0, &done), VMM_FAULT);
    assert_int_equal(taken_dirty(), 0);
}

ON_EVERY_CPU(a_page_whose_mark_was_taken_is_marked_again_by_the_next_store)
{
    unsigned i;
    w.c->set_track(w.mmu, &w.track);
    for (i = 0; i < PAGES; i += 3) assert_int_equal(w.c->store(w.mmu, VA + i * PAGE, 4, i), VMM_OK);
    assert_int_equal(taken_dirty(), 0x49249249);
    w.c->flush_stores(w.mmu);
    assert_int_equal(w.c->store(w.mmu, ALIAS + 9 * PAGE, 1, 1), VMM_OK); /* it is frames that are marked */
    assert_int_equal(w.c->store(w.mmu, VA + 6 * PAGE, 1, 1), VMM_OK);
    assert_int_equal(taken_dirty(), 0x240);
    w.c->set_track(w.mmu, NULL);
    assert_int_equal(w.c->store(w.mmu, VA + 12 * PAGE, 1, 1), VMM_OK);
    assert_int_equal(taken_dirty(), 0);
}

ON_EVERY_CPU(a_page_that_is_marked_already_is_stored_to_through_the_front)
{
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.c->store(w.mmu, VA, 8, 1), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA));
    (void)taken_dirty();
    assert_int_equal(load(VA, 8), 1);
    w.c->flush_stores(w.mmu);
    assert_false(w.c->kept(w.mmu, VMM_WRITE, VA));
    assert_true(w.c->kept(w.mmu, VMM_READ, VA)); /* loads need not be looked at anew */
}

ON_EVERY_CPU(mmus_that_share_ram_share_the_marks)
{
    w.c->set_track(w.mmu, &w.track);
    w.c->set_track(w.other, &w.track);
    assert_int_equal(w.c->store(w.mmu, VA + PAGE, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.other, VA + 3 * PAGE, 8, 1), VMM_OK);
    assert_int_equal(taken_dirty(), 0xa);
}

/* ---- pages that hold decoded code ---- */

/* What the callback saw, and what it is to do. */
static struct {
    unsigned calls;
    vmm_paddr_t paddr[4];
    unsigned bytes[4];
    uint8_t before[4]; /* the first byte at that time */
    bool clears;
    int refuses;              /* returned ... */
    vmm_paddr_t refuses_from; /* ... from this address on */
} code;

static int note_code(void *user, vmm_paddr_t paddr, unsigned bytes)
{
    assert_ptr_equal(user, &code);
    assert_true(code.calls < 4);
    assert_true(bytes > 0 && (paddr & (PAGE - 1)) + bytes <= PAGE);
    code.paddr[code.calls] = paddr;
    code.bytes[code.calls] = bytes;
    code.before[code.calls] = ((uint8_t *)ram[0])[paddr - BASE];
    code.calls++;
    if (code.refuses && paddr >= code.refuses_from) return code.refuses;
    if (code.clears) vmm_track_clear_code(&w.track, &w.memory, paddr);
    return 0;
}

static void track_code_of(vmm_paddr_t paddr, bool clears, int refuses)
{
    memset(&code, 0, sizeof code);
    code.clears = clears;
    code.refuses = refuses;
    w.track.code = note_code;
    w.track.user = &code;
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.c->track_code(w.mmu, paddr), VMM_OK);
}

ON_EVERY_CPU(a_store_of_any_kind_to_code_calls_back_before_it_lands)
{
    uint8_t before[2 * PAGE];
    size_t i;
    for (i = 0; i < SHAPES; i++) {
        const shape_t *s = &shapes[i];
        const unsigned room = crosses(s) ? PAGE - s->offset : s->bytes;
        track_code_of(BASE + 2 * PAGE + 0x234, true, 0);
        assert_int_equal(w.c->track_code(w.mmu, BASE + 3 * PAGE), VMM_OK);
        memcpy(before, host(THIRD + s->offset), s->bytes);
        assert_int_equal(store(s->how, THIRD + s->offset, s->bytes), VMM_OK);
        assert_int_equal(code.calls, crosses(s) ? 2 : 1);
        assert_int_equal(code.paddr[0], BASE + 2 * PAGE + s->offset);
        assert_int_equal(code.bytes[0], room);
        assert_int_equal(code.before[0], before[0]);
        if (crosses(s)) {
            assert_int_equal(code.paddr[1], BASE + 3 * PAGE);
            assert_int_equal(code.bytes[1], s->bytes - room);
            assert_int_equal(code.before[1], before[room]);
        }
        assert_landed(s, before, true);
        assert_int_equal(store(s->how, THIRD + s->offset, s->bytes), VMM_OK); /* the marks were cleared */
        assert_int_equal(code.calls, crosses(s) ? 2 : 1);
    }
}

ON_EVERY_CPU(a_callback_that_refuses_makes_an_access_fault_and_nothing_lands)
{
    uint8_t before[2 * PAGE];
    size_t i;
    for (i = 0; i < SHAPES; i++) {
        const shape_t *s = &shapes[i];
        const unsigned second = crosses(s);
        track_code_of(BASE + (2 + second) * PAGE, false, -1);
        memcpy(before, host(THIRD + s->offset), s->bytes);
        assert_int_equal(store(s->how, THIRD + s->offset, s->bytes), VMM_FAULT);
        assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ACCESS_FAULT);
        assert_int_equal(w.c->fault(w.mmu)->rule, VMM_RULE_BUS);
        assert_int_equal(w.c->fault(w.mmu)->access, VMM_WRITE);
        assert_int_equal(w.c->fault(w.mmu)->vaddr, second ? THIRD + PAGE : THIRD + s->offset);
        assert_int_equal(code.calls, 1);
        assert_landed(s, before, false);
        vmm_track_clear_code(&w.track, &w.memory, BASE + (2 + second) * PAGE);
    }
}

ON_EVERY_CPU(stores_to_other_pages_stay_in_the_front_and_call_nobody)
{
    track_code_of(BASE + PAGE, false, 0);
    assert_int_equal(w.c->store(w.mmu, VA, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, VA + 2 * PAGE, 8, 1), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA));
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA + 2 * PAGE));
    assert_int_equal(code.calls, 0);
    assert_int_equal(load(VA + PAGE, 8), peek(VA + PAGE, 8)); /* nor do loads of the page itself */
    assert_true(w.c->kept(w.mmu, VMM_READ, VA + PAGE));
    assert_int_equal(w.c->store(w.mmu, VA + PAGE, 8, 1), VMM_OK);
    assert_false(w.c->kept(w.mmu, VMM_WRITE, VA + PAGE));
    assert_int_equal(w.c->store(w.mmu, VA + PAGE, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, ALIAS + PAGE + 8, 8, 1), VMM_OK);
    assert_int_equal(code.calls, 3);
    vmm_track_clear_code(&w.track, &w.memory, BASE + PAGE);
    assert_int_equal(w.c->store(w.mmu, VA + PAGE, 8, 1), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA + PAGE)); /* an ordinary page again */
    assert_int_equal(code.calls, 3);
}

ON_EVERY_CPU(a_page_that_becomes_code_leaves_the_front_by_every_name_and_other_pages_stay)
{
    unsigned i;
    w.c->set_track(w.mmu, &w.track);
    for (i = 0; i < 4; i++) assert_int_equal(w.c->store(w.mmu, VA + i * PAGE, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, ALIAS + 12 * PAGE, 8, 1), VMM_OK);
    track_code_of(BASE, true, 0); /* clears the front: it sets the marks anew */
    for (i = 1; i < 4; i++) assert_int_equal(w.c->store(w.mmu, VA + i * PAGE, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, ALIAS + 12 * PAGE, 8, 1), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, VA + 12 * PAGE, 8, 1), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA + 12 * PAGE) && w.c->kept(w.mmu, VMM_WRITE, ALIAS + 12 * PAGE));
    assert_int_equal(w.c->track_code(w.mmu, BASE + 2 * PAGE + 0xfff), VMM_OK);
    assert_int_equal(w.c->track_code(w.mmu, BASE + 12 * PAGE), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA + PAGE));
    assert_false(w.c->kept(w.mmu, VMM_WRITE, VA + 2 * PAGE));
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA + 3 * PAGE));
    assert_false(w.c->kept(w.mmu, VMM_WRITE, VA + 12 * PAGE));
    assert_false(w.c->kept(w.mmu, VMM_WRITE, ALIAS + 12 * PAGE));
    assert_int_equal(w.c->store(w.mmu, ALIAS + 12 * PAGE + 8, 8, 1), VMM_OK);
    assert_int_equal(code.calls, 1);
}

ON_EVERY_CPU(a_page_that_another_mmu_marked_as_code_is_tracked_by_this_one_once_it_says_so)
{
    track_code_of(BASE + 9 * PAGE, true, 0);
    w.c->set_track(w.other, &w.track);
    assert_int_equal(w.c->store(w.other, VA, 8, 1), VMM_OK); /* its front has the page */
    assert_int_equal(w.c->track_code(w.mmu, BASE), VMM_OK);
    assert_int_equal(w.c->track_code(w.other, BASE), VMM_OK);
    assert_int_equal(w.c->store(w.other, VA, 8, 1), VMM_OK);
    assert_int_equal(code.calls, 1);
}

ON_EVERY_CPU(what_cannot_be_tracked_is_an_error)
{
    assert_int_equal(w.c->track_code(w.mmu, BASE), VMM_E_ARGUMENT); /* no marks are set */
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.c->track_code(w.mmu, BASE - 1), VMM_E_RANGE);
    assert_int_equal(w.c->track_code(w.mmu, BASE + RAM_BYTES), VMM_E_RANGE);
    assert_int_equal(w.c->track_code(w.mmu, BASE + RAM_BYTES - 1), VMM_OK);
    vmm_track_clear_code(&w.track, &w.memory, BASE - 1);
    vmm_track_clear_code(&w.track, &w.memory, BASE + RAM_BYTES - 1);
    assert_int_equal(w.marks[RAM_BYTES / PAGE - 1], 0);
}

/* ---- watchpoints ---- */

static void assert_watched(vmm_status_t status, unsigned access, vmm_vaddr_t va)
{
    const vmm_fault_t *fault = w.c->fault(w.mmu);
    assert_int_equal(status, VMM_FAULT);
    assert_int_equal(fault->kind, VMM_WATCH_FAULT);
    assert_int_equal(fault->rule, VMM_RULE_WATCH);
    assert_int_equal(fault->access, access);
    assert_int_equal(fault->vaddr, va);
}

ON_EVERY_CPU(a_watched_access_of_any_kind_faults_before_it_lands)
{
    uint8_t before[2 * PAGE];
    size_t i;
    for (i = 0; i < SHAPES; i++) {
        const shape_t *s = &shapes[i];
        const vmm_vaddr_t watched = THIRD + s->offset + s->bytes - 1;
        store(s->how, THIRD + s->offset, s->bytes); /* so that the front has the page */
        assert_int_equal(w.c->watch(w.mmu, watched, 1, 1u << VMM_WRITE), VMM_OK);
        memcpy(before, host(THIRD + s->offset), s->bytes);
        assert_watched(store(s->how, THIRD + s->offset, s->bytes), VMM_WRITE,
                       crosses(s) ? THIRD + PAGE : THIRD + s->offset);
        assert_landed(s, before, false);
        (void)load(watched, 1);
        assert_int_equal(w.c->unwatch(w.mmu, watched, 1), VMM_OK);
        assert_int_equal(store(s->how, THIRD + s->offset, s->bytes), VMM_OK);
    }
}

ON_EVERY_CPU(loads_fetches_reservations_and_blocks_are_watched_by_what_they_do)
{
    uint8_t block[PAGE + 64];
    uint64_t value = 77;
    (void)load(THIRD, 8);
    assert_int_equal(w.c->watch(w.mmu, THIRD + 4, 1, 1u << VMM_READ), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_READ, THIRD, 8, &value), VMM_READ, THIRD);
    assert_int_equal(value, 77);
    assert_watched(w.c->load_be(w.mmu, THIRD + 4, 4, &value), VMM_READ, THIRD + 4);
    assert_watched(w.c->lr(w.mmu, THIRD, 8, &value), VMM_READ, THIRD);
    assert_watched(w.c->block(w.mmu, VMM_READ, THIRD - PAGE, block, sizeof block), VMM_READ, THIRD);
    assert_int_equal(w.c->load(w.mmu, VMM_FETCH, THIRD + 4, 4, &value), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, THIRD + 4, 1, 1), VMM_OK);
    assert_int_equal(w.c->watch(w.mmu, THIRD + 4, 1, 1u << VMM_FETCH), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_FETCH, THIRD + 4, 2, &value), VMM_FETCH, THIRD + 4);
    assert_watched(w.c->load(w.mmu, VMM_FETCH, THIRD + 1, 4, &value), VMM_FETCH, THIRD + 1);
    assert_int_equal(w.c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_OK);
    assert_int_equal(w.c->store(w.mmu, THIRD + 4, 1, 1), VMM_OK);
}

ON_EVERY_CPU(exactly_the_accesses_that_overlap_a_watchpoint_fault)
{
    const vmm_vaddr_t first = THIRD + 0x7fd, last = first + 4; /* 5 bytes */
    unsigned bytes, back;
    uint64_t value;
    assert_int_equal(w.c->watch(w.mmu, first, 5, 1u << VMM_READ | 1u << VMM_WRITE), VMM_OK);
    for (bytes = 1; bytes <= 8; bytes *= 2)
        for (back = 0; back < 24; back++) {
            const vmm_vaddr_t va = first - 12 + back;
            const bool overlaps = va <= last && va + bytes - 1 >= first;
            assert_int_equal(w.c->load(w.mmu, VMM_READ, va, bytes, &value), overlaps ? VMM_FAULT : VMM_OK);
            assert_int_equal(w.c->store(w.mmu, va, bytes, 0), overlaps ? VMM_FAULT : VMM_OK);
            assert_int_equal(w.c->load(w.mmu, VMM_FETCH, va, bytes, &value), VMM_OK);
        }
}

ON_EVERY_CPU(a_watchpoint_of_several_pages_covers_each_of_them)
{
    unsigned page;
    uint64_t value;
    assert_int_equal(w.c->watch(w.mmu, VA + 2 * PAGE - 1, 2 * PAGE + 2, 1u << VMM_READ), VMM_OK);
    for (page = 0; page < 6; page++) {
        const bool inside = page >= 2 && page < 4;
        assert_int_equal(w.c->load(w.mmu, VMM_READ, VA + page * PAGE + 8, 8, &value), inside ? VMM_FAULT : VMM_OK);
    }
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA + 2 * PAGE - 2, 1, &value), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_READ, VA + 2 * PAGE - 1, 1, &value), VMM_READ, VA + 2 * PAGE - 1);
    assert_watched(w.c->load(w.mmu, VMM_READ, VA + 4 * PAGE, 1, &value), VMM_READ, VA + 4 * PAGE);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA + 4 * PAGE + 1, 1, &value), VMM_OK);
}

ON_EVERY_CPU(a_page_without_a_watchpoint_is_kept_in_the_front_and_so_is_one_that_lost_it)
{
    assert_int_equal(w.c->watch(w.mmu, THIRD, 8, 1u << VMM_READ), VMM_OK);
    (void)load(VA, 8);
    (void)load(THIRD + 64, 8);
    assert_int_equal(w.c->store(w.mmu, THIRD, 8, 5), VMM_OK);
    assert_true(w.c->kept(w.mmu, VMM_READ, VA));
    assert_true(w.c->kept(w.mmu, VMM_WRITE, THIRD)); /* stores are not watched */
    assert_false(w.c->kept(w.mmu, VMM_READ, THIRD + 64));
    assert_int_equal(w.c->unwatch(w.mmu, THIRD, 8), VMM_OK);
    (void)load(THIRD + 64, 8);
    assert_true(w.c->kept(w.mmu, VMM_READ, THIRD));
}

ON_EVERY_CPU(watchpoints_are_limited_and_wrong_ones_are_errors)
{
    uint64_t value;
    unsigned i;
    assert_int_equal(w.c->watch(w.mmu, VA, 0, 1), VMM_E_ARGUMENT);
    assert_int_equal(w.c->watch(w.mmu, VA, 8, 0), VMM_E_ARGUMENT);
    assert_int_equal(w.c->watch(w.mmu, VA, 8, 8), VMM_E_ARGUMENT);
    assert_int_equal(w.c->unwatch(w.mmu, VA, 8), VMM_E_NOT_MAPPED);
    for (i = 0; i < VMM_WATCHES; i++) assert_int_equal(w.c->watch(w.mmu, VA + i * PAGE, 8, 7), VMM_OK);
    assert_int_equal(w.c->watch(w.mmu, VA + 9 * PAGE, 8, 7), VMM_E_LIMIT);
    assert_int_equal(w.c->unwatch(w.mmu, VA, 4), VMM_E_NOT_MAPPED);
    assert_int_equal(w.c->unwatch(w.mmu, VA, 8), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    for (i = 1; i < VMM_WATCHES; i++)
        assert_watched(w.c->load(w.mmu, VMM_READ, VA + i * PAGE, 8, &value), VMM_READ, VA + i * PAGE);
    assert_int_equal(w.c->watch(w.mmu, VA + 9 * PAGE, 8, 7), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_READ, VA + 9 * PAGE + 7, 1, &value), VMM_READ, VA + 9 * PAGE + 7);
}

ON_EVERY_CPU(a_page_fault_comes_before_a_watchpoint)
{
    uint64_t value;
    assert_int_equal(w.c->watch(w.mmu, ABSENT, 8, 7), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, ABSENT, 8, &value), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_PAGE_FAULT);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, ABSENT - 2, 4, &value), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_PAGE_FAULT);
}

static void a_watch_fault_has_the_code_of_its_processor(void **state)
{
    (void)state;
    begin(&rv_cpu);
    assert_int_equal(w.c->watch(w.mmu, VA, 8, 7), VMM_OK);
    assert_watched(w.c->store(w.mmu, VA, 8, 1), VMM_WRITE, VA);
    assert_int_equal(w.c->fault(w.mmu)->cause, 3); /* breakpoint */
    begin(&x86_cpu);
    assert_int_equal(w.c->watch(w.mmu, VA, 8, 7), VMM_OK);
    assert_watched(w.c->store(w.mmu, VA, 8, 1), VMM_WRITE, VA);
    assert_int_equal(w.c->fault(w.mmu)->cause, 1); /* #DB */
    begin(&arm_cpu);
    assert_int_equal(w.c->watch(w.mmu, VA, 8, 7), VMM_OK);
    assert_watched(w.c->store(w.mmu, VA, 8, 1), VMM_WRITE, VA);
    assert_int_equal(w.c->fault(w.mmu)->cause, 0x35); /* EC: watchpoint, same level */
    assert_int_equal(w.c->fault(w.mmu)->code & 0x7f, 0x62);
}

static void a_tag_does_not_hide_an_address_from_a_watchpoint(void **state)
{
    const vmm_vaddr_t tagged = VA | UINT64_C(0xa5) << 56;
    uint64_t value;
    (void)state;
    begin(&arm_cpu);
    arm_set_tcr(&arm_mmus[0], arm_mmus[0].registers.tcr | UINT64_C(1) << 37); /* TBI0 */
    assert_int_equal(w.c->load(w.mmu, VMM_READ, tagged, 8, &value), VMM_OK);
    assert_int_equal(w.c->watch(w.mmu, VA + 4, 1, 1u << VMM_READ), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_READ, tagged, 8, &value), VMM_READ, tagged);
    assert_int_equal(w.c->unwatch(w.mmu, VA + 4, 1), VMM_OK);
    assert_int_equal(w.c->watch(w.mmu, tagged + 4, 1, 1u << VMM_READ), VMM_OK);
    assert_watched(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_READ, VA);
}

/* ---- compare-and-swap, reservations ---- */

ON_EVERY_CPU(compare_and_swap_of_every_width_changes_its_bytes_alone_and_only_if_they_are_as_expected)
{
    unsigned bytes;
    for (bytes = 1; bytes <= 8; bytes *= 2) {
        const vmm_vaddr_t va = VA + 0x100 + bytes;
        const uint64_t mask = vmm_low_mask(8 * bytes), was = peek(va, bytes);
        const uint64_t around = peek(va - bytes, bytes), behind = peek(va + bytes, bytes);
        uint64_t found = 0;
        assert_int_equal(w.c->cas(w.mmu, va, bytes, was ^ 1, 5, &found), VMM_OK);
        assert_int_equal(found, was);
        assert_int_equal(peek(va, bytes), was);
        assert_int_equal(w.c->cas(w.mmu, va, bytes, was, ~was & mask, &found), VMM_OK);
        assert_int_equal(found, was);
        assert_int_equal(peek(va, bytes), ~was & mask);
        assert_int_equal(peek(va - bytes, bytes), around);
        assert_int_equal(peek(va + bytes, bytes), behind);
        if (bytes > 1) {
            assert_int_equal(w.c->cas(w.mmu, va + 1, bytes, 0, 0, &found), VMM_FAULT);
            assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ALIGN_FAULT);
            assert_int_equal(w.c->fault(w.mmu)->access, VMM_WRITE);
        }
        assert_int_equal(w.c->cas(w.mmu, DEVICE, bytes, 0, 0, &found), VMM_FAULT);
        assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ACCESS_FAULT);
    }
}

ON_EVERY_CPU(a_reservation_of_every_width_serves_one_store)
{
    unsigned bytes;
    for (bytes = 1; bytes <= 8; bytes *= 2) {
        const vmm_vaddr_t va = VA + 0x200 + bytes;
        const uint64_t mask = vmm_low_mask(8 * bytes);
        uint64_t value = 0;
        bool done = false;
        assert_int_equal(w.c->lr(w.mmu, va, bytes, &value), VMM_OK);
        assert_int_equal(value, peek(va, bytes));
        assert_int_equal(w.c->sc(w.mmu, va, bytes, UINT64_C(0x1122334455667788) & mask, &done), VMM_OK);
        assert_true(done);
        assert_int_equal(peek(va, bytes), UINT64_C(0x1122334455667788) & mask);
        assert_int_equal(w.c->sc(w.mmu, va, bytes, 1, &done), VMM_OK);
        assert_false(done);
        assert_int_equal(peek(va, bytes), UINT64_C(0x1122334455667788) & mask);
    }
}

/* What may come between a reservation and its store. */
enum between {
    NOTHING,
    OTHER_MMU_STORES,
    OWN_STORE,
    OWN_SC,
    OTHER_RESERVATION,
    FAULTING_RESERVATION,
    MISALIGNED_RESERVATION,
    RESERVATION_OUTSIDE,
    PAGE_MOVES,
    LOADS,
    STORE_BESIDE,
    FLUSH,
    BETWEENS
};

static void happens(enum between what, vmm_vaddr_t va, unsigned bytes)
{
    const uint64_t was = peek(va, bytes);
    uint64_t value;
    bool done;
    switch (what) {
    case OTHER_MMU_STORES: assert_int_equal(w.c->store(w.other, va, bytes, was ^ 1), VMM_OK); break;
    case OWN_STORE: assert_int_equal(w.c->store(w.mmu, va - VA + ALIAS, bytes, was ^ 1), VMM_OK); break;
    case OWN_SC: assert_int_equal(w.c->sc(w.mmu, va + 64, bytes, 1, &done), VMM_OK); break;
    case OTHER_RESERVATION: assert_int_equal(w.c->lr(w.mmu, va + 64, bytes, &value), VMM_OK); break;
    case FAULTING_RESERVATION: assert_int_equal(w.c->lr(w.mmu, ABSENT, bytes, &value), VMM_FAULT); break;
    case MISALIGNED_RESERVATION: assert_int_equal(w.c->lr(w.mmu, va + 1, 8, &value), VMM_FAULT); break;
    case RESERVATION_OUTSIDE: assert_int_equal(w.c->lr(w.mmu, DEVICE, bytes, &value), VMM_FAULT); break;
    case PAGE_MOVES: /* the same address, another frame with the same contents */
        memcpy(host(VA + 9 * PAGE), host(VA), PAGE);
        assert_int_equal(w.c->map(&w.tables, VA, BASE + 9 * PAGE, PAGE, ALL | VMM_NO_HUGE | VMM_REPLACE), VMM_OK);
        w.c->flush_page(w.mmu, VA);
        break;
    case LOADS: (void)load(va, bytes); break;
    case STORE_BESIDE: assert_int_equal(w.c->store(w.mmu, va + 8, 1, 1), VMM_OK); break;
    case FLUSH: w.c->flush_all(w.mmu); break;
    default: break;
    }
}

ON_EVERY_CPU(a_reservation_is_lost_by_every_way_that_is_promised_and_by_no_other)
{
    static const bool lost[BETWEENS] = {false, true, true, true, true, true, true, true, true, false, false, false};
    unsigned bytes, what;
    for (bytes = 1; bytes <= 8; bytes *= 2)
        for (what = 0; what < BETWEENS; what++) {
            const vmm_vaddr_t va = VA + 0x300;
            uint64_t value = 0;
            bool done = false;
            begin(w.c);
            assert_int_equal(w.c->lr(w.mmu, va, bytes, &value), VMM_OK);
            happens((enum between)what, va, bytes);
            value = peek(what == PAGE_MOVES ? va + 9 * PAGE : va, bytes);
            assert_int_equal(w.c->sc(w.mmu, va, bytes, 0x5a, &done), VMM_OK);
            assert_int_equal(done, !lost[what]);
            assert_int_equal(peek(what == PAGE_MOVES ? va + 9 * PAGE : va, bytes), lost[what] ? value : 0x5a);
        }
}

ON_EVERY_CPU(a_reservation_is_for_its_width_and_its_location_by_any_name)
{
    const vmm_vaddr_t va = VA + 0x400;
    uint64_t value;
    bool done = true;
    vmm_put(host(va), 0x1234, 8); /* so that both widths read the same */
    assert_int_equal(w.c->lr(w.mmu, va, 8, &value), VMM_OK);
    assert_int_equal(w.c->sc(w.mmu, va, 4, 1, &done), VMM_OK);
    assert_false(done);
    assert_int_equal(peek(va, 8), 0x1234);
    assert_int_equal(w.c->sc(w.mmu, va, 8, 1, &done), VMM_OK); /* the first one used it up */
    assert_false(done);
    assert_int_equal(w.c->lr(w.mmu, va, 4, &value), VMM_OK);
    assert_int_equal(w.c->sc(w.mmu, va + 4, 4, 1, &done), VMM_OK);
    assert_false(done);
    assert_int_equal(w.c->lr(w.mmu, va, 4, &value), VMM_OK);
    assert_int_equal(w.c->sc(w.mmu, va - VA + ALIAS, 4, 0x77, &done), VMM_OK);
    assert_true(done);
    assert_int_equal(peek(va, 4), 0x77);
}

ON_EVERY_CPU(reservations_are_judged_as_loads_and_their_stores_as_stores)
{
    uint64_t value;
    bool done = true;
    assert_int_equal(w.c->protect(&w.tables, VA, PAGE, VMM_R | VMM_X), VMM_OK);
    assert_int_equal(w.c->lr(w.mmu, VA, 8, &value), VMM_OK);
    assert_int_equal(w.c->sc(w.mmu, VA, 8, 1, &done), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_PAGE_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->access, VMM_WRITE);
    assert_int_equal(w.c->sc(w.mmu, ABSENT, 8, 1, &done), VMM_FAULT); /* without a reservation too */
    assert_int_equal(w.c->lr(w.mmu, VA + PAGE + 2, 4, &value), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ALIGN_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->access, VMM_READ);
    assert_int_equal(w.c->sc(w.mmu, VA + PAGE + 2, 4, 1, &done), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ALIGN_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->access, VMM_WRITE);
    assert_int_equal(w.c->lr(w.mmu, DEVICE, 4, &value), VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ACCESS_FAULT);
}

/* ---- the physical check ---- */

static struct {
    vmm_paddr_t first, last; /* denied, inclusive ... */
    uint32_t accesses;       /* ... for these */
    unsigned asked;
    unsigned privilege; /* of the last question about an access inside the mapped frames */
} guard;

static int check(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    assert_ptr_equal(user, &guard);
    assert_true(access <= VMM_FETCH && bytes > 0);
    guard.asked++;
    if (paddr < TABLES) guard.privilege = privilege;
    return (guard.accesses >> access & 1) && paddr <= guard.last && paddr + bytes - 1 >= guard.first;
}

static void deny(vmm_paddr_t first, uint64_t bytes, uint32_t accesses)
{
    memset(&guard, 0, sizeof guard);
    guard.first = first;
    guard.last = first + bytes - 1;
    guard.accesses = accesses;
    w.c->set_check(w.mmu, check, &guard);
}

static void assert_denied(vmm_status_t status, unsigned access)
{
    assert_int_equal(status, VMM_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->kind, VMM_ACCESS_FAULT);
    assert_int_equal(w.c->fault(w.mmu)->rule, VMM_RULE_CHECK);
    assert_int_equal(w.c->fault(w.mmu)->access, access);
}

ON_EVERY_CPU(a_page_that_the_check_denies_whole_takes_no_access_and_an_allowed_one_is_kept)
{
    uint8_t before[2 * PAGE];
    uint64_t value;
    unsigned asked;
    size_t i;
    deny(BASE, 1, 0);
    (void)load(THIRD, 8);
    deny(BASE + 2 * PAGE, PAGE, 7); /* the same hook says otherwise: what the front has is asked for again */
    assert_denied(w.c->load(w.mmu, VMM_READ, THIRD, 8, &value), VMM_READ);
    assert_denied(w.c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_FETCH);
    assert_denied(w.c->load(w.mmu, VMM_READ, THIRD - 1, 2, &value), VMM_READ);
    for (i = 0; i < SHAPES; i++) {
        if (shapes[i].how == HELPER_SC) continue; /* its reservation is refused already */
        memcpy(before, host(THIRD + shapes[i].offset), shapes[i].bytes);
        assert_denied(store(shapes[i].how, THIRD + shapes[i].offset, shapes[i].bytes), VMM_WRITE);
        assert_landed(&shapes[i], before, false);
    }
    assert_int_equal(w.c->store(w.mmu, VA, 8, 1), VMM_OK);
    asked = guard.asked;
    assert_true(w.c->kept(w.mmu, VMM_WRITE, VA));
    if (w.c != &rvd_cpu && w.c != &x86d_cpu && w.c != &armd_cpu) {
        assert_int_equal(w.c->store(w.mmu, VA + 8, 8, 1), VMM_OK);
        assert_int_equal(guard.asked, asked);
    }
    w.c->set_check(w.mmu, NULL, NULL);
    (void)load(THIRD, 8);
}

ON_EVERY_CPU(a_page_that_the_check_denies_in_part_is_asked_about_on_every_access)
{
    unsigned bytes, offset;
    uint64_t value;
    deny(BASE + 2 * PAGE + 0x123, 3, 1u << VMM_READ);
    for (bytes = 1; bytes <= 8; bytes *= 2)
        for (offset = 0x110; offset < 0x130; offset++) {
            const bool denied = offset <= 0x125 && offset + bytes > 0x123;
            assert_int_equal(w.c->load(w.mmu, VMM_READ, THIRD + offset, bytes, &value), denied ? VMM_FAULT : VMM_OK);
            assert_int_equal(w.c->store(w.mmu, THIRD + offset, bytes, 0), VMM_OK);
        }
    assert_false(w.c->kept(w.mmu, VMM_READ, THIRD));
    assert_true(w.c->kept(w.mmu, VMM_WRITE, THIRD)); /* stores are denied nowhere in it */
}

ON_EVERY_CPU(the_check_is_asked_for_the_entries_that_a_walk_reads_and_marks)
{
    vmm_mapping_t m;
    uint64_t value;
    deny(TABLES, RAM_BYTES - 0x40000, 1u << VMM_READ);
    assert_denied(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_READ);
    assert_int_equal(w.c->map(&w.tables, VA, BASE, PAGE, VMM_R | VMM_W | VMM_A | VMM_NO_HUGE | VMM_REPLACE), VMM_OK);
    w.c->flush_all(w.mmu);
    deny(TABLES, RAM_BYTES - 0x40000, 1u << VMM_WRITE);
    if (w.c != &x86_cpu && w.c != &x86d_cpu) /* x86 marks pointers too, which are not marked yet */
        assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    assert_denied(w.c->store(w.mmu, VA, 8, 1), VMM_WRITE); /* its dirty bit cannot be set */
    assert_int_equal(w.c->query(&w.tables, VA, &m), VMM_OK);
    assert_false(m.flags & VMM_D);
    deny(BASE, 1, 0);
    assert_int_equal(w.c->store(w.mmu, VA, 8, 1), VMM_OK);
    assert_int_equal(guard.privilege, 1);
    assert_int_equal(w.c->query(&w.tables, VA, &m), VMM_OK);
    assert_true(m.flags & VMM_D);
}

static void the_check_is_told_whose_access_it_is(void **state)
{
    uint64_t value;
    (void)state;
    begin(&rv_cpu);
    deny(BASE, 1, 0);
    assert_int_equal(rv_set_privilege(&rv_mmus[0], 3), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, BASE, 8, &value), VMM_OK);
    assert_int_equal(guard.privilege, 3);
    assert_int_equal(rv_set_privilege(&rv_mmus[0], 0), VMM_OK);
    assert_int_equal(rv_set_satp(&rv_mmus[0], 0), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, BASE, 8, &value), VMM_OK);
    assert_int_equal(guard.privilege, 0);
    begin(&x86_cpu);
    assert_int_equal(w.c->map(&w.tables, VA, BASE, PAGE, ALL | VMM_U | VMM_NO_HUGE | VMM_REPLACE), VMM_OK);
    deny(BASE, 1, 0);
    assert_int_equal(x86_set_cpl(&x86_mmus[0], 3), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(guard.privilege, 0);
    assert_int_equal(x86_set_cpl(&x86_mmus[0], 0), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(guard.privilege, 1);
}

/* ---- snapshots ---- */

/* One of many things that a guest does, the same for the same random number; returns all that it saw. */
static uint64_t step(void *mmu, uint64_t random)
{
    static const vmm_vaddr_t region[4] = {VA, ALIAS, VA + (PAGES - 1) * PAGE, DEVICE};
    const vmm_vaddr_t va = region[random >> 8 & 3] + (random >> 16 & (random >> 40 & 1 ? 0xfff : 0x1ffff));
    const unsigned bytes = 1u << (random >> 10 & 3);
    uint64_t value = 0;
    bool done = false;
    vmm_status_t status;
    switch (random & 15) {
    case 0:
    case 1:
    case 2:
    case 3: status = w.c->load(mmu, VMM_READ, va, bytes, &value); break;
    case 4:
    case 5:
    case 6:
    case 7: status = w.c->store(mmu, va, bytes, random >> 5); break;
    case 8: status = w.c->load(mmu, VMM_FETCH, va, bytes, &value); break;
    case 9: status = w.c->cas(mmu, va & ~UINT64_C(7), bytes, 0, random, &value); break;
    case 10:
    case 11: status = w.c->lr(mmu, VA + (random >> 16 & 0x18), bytes, &value); break;
    case 12:
    case 13: status = w.c->sc(mmu, VA + (random >> 16 & 0x18), bytes, random, &done); break;
    case 14:
        w.c->flush_page(mmu, va);
        status = VMM_OK;
        break;
    default: status = w.c->load_be(mmu, va, bytes, &value); break;
    }
    if (status == VMM_FAULT) value = w.c->fault(mmu)->vaddr ^ (uint64_t)w.c->fault(mmu)->rule << 60;
    return value ^ (uint64_t)status << 32 ^ (uint64_t)done << 33;
}

static void assert_same_counts(const vmm_stats_t *one, const vmm_stats_t *other)
{
    assert_int_equal(one->tlb_hits, other->tlb_hits);
    assert_int_equal(one->tlb_misses, other->tlb_misses);
    assert_int_equal(one->faults, other->faults);
    assert_int_equal(one->stale, other->stale);
}

ON_EVERY_CPU(a_snapshot_restored_over_other_ram_goes_on_as_the_original_does)
{
    vmm_memory_t elsewhere = w.memory;
    void *saved = malloc(w.c->bytes);
    uint64_t state = 5;
    unsigned i;
    assert_non_null(saved);
    assert_int_equal(w.c->watch(w.mmu, VA + 0x80, 4, 1u << VMM_WRITE), VMM_OK);
    for (i = 0; i < 3000; i++) (void)step(w.mmu, helper_random(&state));
    memcpy(ram[1], ram[0], sizeof ram[0]);
    w.c->snapshot(w.mmu, saved);
    elsewhere.ram = ram[1];
    assert_int_equal(w.c->init(w.other, &elsewhere), VMM_OK);
    w.c->restore(w.other, saved);
    w.c->flush_all(w.mmu); /* a restored MMU begins with nothing in the front, and a TLB as it was */
    w.c->flush_all(w.other);
    assert_same_counts(w.c->stats(w.mmu), w.c->stats(w.other));
    for (i = 0; i < 3000; i++) {
        const uint64_t random = helper_random(&state);
        assert_int_equal(step(w.mmu, random), step(w.other, random));
    }
    assert_memory_equal(ram[0], ram[1], sizeof ram[0]);
    assert_same_counts(w.c->stats(w.mmu), w.c->stats(w.other));
    free(saved);
}

ON_EVERY_CPU(an_mmu_that_is_restored_repeats_what_it_did)
{
    static uint64_t kept[RAM_BYTES / 8], outcome[2000];
    void *saved = malloc(w.c->bytes);
    uint64_t state = 77, again;
    unsigned i;
    assert_non_null(saved);
    for (i = 0; i < 500; i++) (void)step(w.mmu, helper_random(&state));
    memcpy(kept, ram[0], sizeof kept);
    w.c->snapshot(w.mmu, saved);
    again = state;
    for (i = 0; i < 2000; i++) outcome[i] = step(w.mmu, helper_random(&state));
    memcpy(ram[0], kept, sizeof kept);
    w.c->restore(w.mmu, saved);
    for (i = 0; i < 2000; i++) assert_int_equal(step(w.mmu, helper_random(&again)), outcome[i]);
    free(saved);
}

ON_EVERY_CPU(a_restored_mmu_keeps_its_own_memory_hooks_and_requests)
{
    vmm_memory_t elsewhere = w.memory;
    vmm_request_t what = {0, 0, VMM_ASK_ALL};
    void *saved = malloc(w.c->bytes);
    uint32_t ticket, theirs;
    assert_non_null(saved);
    assert_int_equal(w.c->store(w.mmu, VA, 8, 0), VMM_OK); /* its front holds addresses of its RAM */
    theirs = w.c->ask(w.mmu, &what);                       /* the snapshot is made while a request waits there */
    w.c->snapshot(w.mmu, saved);
    elsewhere.ram = ram[1];
    memcpy(ram[1], ram[0], sizeof ram[0]);
    assert_int_equal(w.c->init(w.other, &elsewhere), VMM_OK);
    track_code_of(BASE, false, 0);
    w.c->set_track(w.mmu, NULL);
    w.c->set_track(w.other, &w.track);
    (void)w.c->ask(w.other, &what);
    (void)w.c->ask(w.other, &what);
    ticket = w.c->ask(w.other, &what);
    w.c->restore(w.other, saved);
    assert_false(w.c->answered(w.other, ticket));
    w.c->answer(w.other);
    assert_true(w.c->answered(w.other, ticket));
    assert_false(w.c->answered(w.mmu, theirs));
    assert_int_equal(w.c->store(w.other, VA, 8, 0x1234), VMM_OK);
    assert_int_equal(code.calls, 1);
    assert_int_equal(ram[1][0], 0x1234);
    assert_int_equal(ram[0][0], 0);
    free(saved);
}

static void a_snapshot_holds_the_registers_that_are_a_table_of_pae(void **state)
{
    x86_mmu_t *saved = (x86_mmu_t *)malloc(sizeof(x86_mmu_t));
    uint64_t value = 0;
    (void)state;
    assert_non_null(saved);
    begin(&x86_cpu);
    w.tables.format = 1;
    assert_int_equal(w.c->create(&w.tables), VMM_OK);
    assert_int_equal(w.c->map(&w.tables, VA, BASE, PAGE, ALL | VMM_NO_HUGE), VMM_OK);
    assert_int_equal(x86_init(&x86_mmus[0], &w.memory), VMM_OK);
    assert_int_equal(x86_set_cr4(&x86_mmus[0], 0x20), VMM_OK);
    assert_int_equal(x86_set_efer(&x86_mmus[0], 0x800), VMM_OK);
    assert_int_equal(x86_set_cr3(&x86_mmus[0], w.tables.root), VMM_OK);
    assert_int_equal(x86_set_cr0(&x86_mmus[0], 0x80010001), VMM_OK);
    ram[0][0] = 4711;
    assert_int_equal(w.c->load(w.mmu, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(value, 4711);
    x86_snapshot(&x86_mmus[0], saved);
    memset((uint8_t *)ram[0] + (w.tables.root - BASE), 0, 32); /* nobody reads them again */
    x86_restore(&x86_mmus[1], saved);
    assert_int_equal(w.c->load(w.other, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(value, 4711);
    free(saved);
}

/* ---- flush requests, in one thread ---- */

/* Page `page` leads to another frame from now on, and nobody is told. */
static void move_silently(unsigned page, unsigned frame)
{
    assert_int_equal(
        w.c->map(&w.tables, VA + page * PAGE, BASE + (vmm_paddr_t)frame * PAGE, PAGE, ALL | VMM_NO_HUGE | VMM_REPLACE),
        VMM_OK);
}

static uint64_t frame_of(unsigned page)
{
    return load(VA + page * PAGE, 4) * 8 / PAGE;
}

ON_EVERY_CPU(a_request_is_done_when_it_is_answered_and_not_before)
{
    static const uint8_t kinds[] = {VMM_ASK_ALL, VMM_ASK_ASID, VMM_ASK_PAGE, VMM_ASK_PAGE_ASID};
    vmm_request_t what = {VA + 3 * PAGE + 5, 0, 0};
    uint32_t ticket;
    size_t i;
    for (i = 0; i < sizeof kinds; i++) {
        begin(w.c);
        what.kind = kinds[i];
        assert_int_equal(frame_of(3), 3);
        move_silently(3, 7);
        assert_int_equal(frame_of(3), 3); /* the front has it */
        ticket = w.c->ask(w.mmu, &what);
        assert_false(w.c->answered(w.mmu, ticket));
        assert_int_equal(frame_of(3), 3);
        w.c->answer(w.mmu);
        assert_true(w.c->answered(w.mmu, ticket));
        assert_int_equal(frame_of(3), 7);
    }
}

ON_EVERY_CPU(a_request_for_one_page_leaves_others_alone)
{
    vmm_request_t what = {VA + 3 * PAGE, 0, VMM_ASK_PAGE};
    unsigned page;
    for (page = 3; page < 6; page++) assert_int_equal(frame_of(page), page);
    (void)w.c->ask(w.mmu, &what);
    what.va = VA + 5 * PAGE;
    for (page = 0; page < 3 * VMM_REQUESTS; page++) { /* one at a time: they do not add up */
        (void)w.c->ask(w.mmu, &what);
        w.c->answer(w.mmu);
    }
    assert_false(w.c->kept(w.mmu, VMM_READ, VA + 3 * PAGE));
    assert_true(w.c->kept(w.mmu, VMM_READ, VA + 4 * PAGE));
    assert_false(w.c->kept(w.mmu, VMM_READ, VA + 5 * PAGE));
}

ON_EVERY_CPU(more_requests_than_are_listed_become_one_that_forgets_everything)
{
    vmm_request_t what = {0, 0, VMM_ASK_PAGE};
    uint32_t ticket[2 * VMM_REQUESTS];
    unsigned i, many;
    for (many = VMM_REQUESTS - 1; many <= 2 * VMM_REQUESTS; many++) {
        begin(w.c);
        (void)load(VA + 12 * PAGE, 8);
        for (i = 0; i < many; i++) {
            what.va = VA + (16 + i) % PAGES * PAGE; /* 12 is never among them */
            ticket[i % (2 * VMM_REQUESTS)] = w.c->ask(w.mmu, &what);
            assert_false(w.c->answered(w.mmu, ticket[0]));
        }
        w.c->answer(w.mmu);
        for (i = 0; i < many; i++) assert_true(w.c->answered(w.mmu, ticket[i]));
        assert_int_equal(w.c->kept(w.mmu, VMM_READ, VA + 12 * PAGE), many <= VMM_REQUESTS);
        (void)load(VA + 12 * PAGE, 8);
        w.c->answer(w.mmu); /* nothing waits any more */
        assert_true(w.c->kept(w.mmu, VMM_READ, VA + 12 * PAGE));
        what.va = VA + 12 * PAGE;
        (void)w.c->ask(w.mmu, &what); /* and the list works as before */
        w.c->answer(w.mmu);
        assert_false(w.c->kept(w.mmu, VMM_READ, VA + 12 * PAGE));
    }
}

ON_EVERY_CPU(a_request_about_stores_makes_another_mmu_tell_of_code_and_dirty_pages_again)
{
    const vmm_request_t what = {0, 0, VMM_ASK_STORES};
    uint64_t value;
    track_code_of(BASE + 9 * PAGE, true, 0);
    w.c->set_track(w.other, &w.track);
    assert_int_equal(w.c->store(w.other, VA, 8, 1), VMM_OK);
    assert_int_equal(w.c->load(w.other, VMM_READ, VA, 8, &value), VMM_OK);
    assert_int_equal(w.c->track_code(w.mmu, BASE), VMM_OK);
    assert_int_equal(taken_dirty(), 1);
    (void)w.c->ask(w.other, &what);
    w.c->answer(w.other);
    assert_true(w.c->kept(w.other, VMM_READ, VA));
    assert_int_equal(w.c->store(w.other, VA, 8, 1), VMM_OK);
    assert_int_equal(code.calls, 1);
    assert_int_equal(taken_dirty(), 1);
}

/* ---- missing flushes ---- */

static struct {
    unsigned calls;
    vmm_stale_t last;
} stale;

static void note_stale(void *user, const vmm_stale_t *what)
{
    assert_ptr_equal(user, &stale);
    stale.calls++;
    stale.last = *what;
}

static const helper_cpu_t *const detectors[] = {&rvd_cpu, &x86d_cpu, &armd_cpu};
#define DETECTORS (sizeof detectors / sizeof detectors[0])

/* A detector whose front holds the third page for loads, stores and fetches. */
static vmm_mapping_t watch_over(const helper_cpu_t *c)
{
    vmm_mapping_t m;
    uint64_t value;
    begin(c);
    memset(&stale, 0, sizeof stale);
    c->set_stale_hook(w.mmu, note_stale, &stale);
    (void)load(THIRD, 8);
    assert_int_equal(c->store(w.mmu, THIRD, 8, 0x55), VMM_OK);
    assert_int_equal(c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_OK);
    (void)load(THIRD, 8);
    assert_int_equal(stale.calls, 0);
    assert_int_equal(c->query(&w.tables, THIRD, &m), VMM_OK);
    return m;
}

/* One access of one kind, hit by what the front has: reported once, as an access of this kind. */
static void assert_reported(unsigned access, const vmm_mapping_t *was, unsigned rule)
{
    const unsigned calls = stale.calls;
    const uint64_t counted = w.c->stats(w.mmu)->stale;
    uint64_t value = 0;
    if (access == VMM_WRITE)
        assert_int_equal(w.c->store(w.mmu, THIRD + 8, 8, 0x66), VMM_OK); /* the hit is served all the same */
    else assert_int_equal(w.c->load(w.mmu, access, THIRD, 4, &value), VMM_OK);
    assert_int_equal(stale.calls, calls + 1);
    assert_int_equal(w.c->stats(w.mmu)->stale, counted + 1);
    assert_int_equal(stale.last.vaddr, access == VMM_WRITE ? THIRD + 8 : THIRD);
    assert_int_equal(stale.last.access, access);
    assert_int_equal(stale.last.rule, rule);
    assert_int_equal(stale.last.pte_addr, was->pte_addr);
    assert_int_equal(stale.last.pte, was->pte);
    assert_int_equal(stale.last.paddr, BASE + 2 * PAGE + (access == VMM_WRITE ? 8 : 0));
    assert_true(stale.last.when < stale.last.now);
}

static void a_page_that_was_unmapped_without_a_flush_is_reported(void **state)
{
    size_t i;
    unsigned access;
    (void)state;
    for (i = 0; i < DETECTORS; i++)
        for (access = VMM_READ; access <= VMM_FETCH; access++) {
            const vmm_mapping_t was = watch_over(detectors[i]);
            assert_int_equal(w.c->unmap(&w.tables, THIRD, PAGE), VMM_OK);
            assert_reported(access, &was, VMM_RULE_VALID);
            assert_int_equal(stale.last.pte_now, 0);
            (void)load(THIRD + PAGE, 8); /* its neighbour is as it was */
            assert_int_equal(stale.calls, 1);
        }
}

static void a_page_that_leads_elsewhere_without_a_flush_is_reported(void **state)
{
    size_t i;
    unsigned access;
    (void)state;
    for (i = 0; i < DETECTORS; i++)
        for (access = VMM_READ; access <= VMM_FETCH; access++) {
            const vmm_mapping_t was = watch_over(detectors[i]);
            vmm_mapping_t now;
            move_silently(2, 11);
            assert_int_equal(w.c->query(&w.tables, THIRD, &now), VMM_OK);
            assert_reported(access, &was, VMM_RULE_NONE);
            assert_int_equal(stale.last.pte_now, now.pte);
            assert_int_equal(stale.last.paddr_now, stale.last.paddr + 9 * PAGE);
        }
}

static void a_right_that_was_taken_away_without_a_flush_is_reported_where_it_matters(void **state)
{
    size_t i;
    uint64_t value;
    (void)state;
    for (i = 0; i < DETECTORS; i++) {
        const vmm_mapping_t was = watch_over(detectors[i]);
        assert_int_equal(w.c->protect(&w.tables, THIRD, PAGE, VMM_R | VMM_X), VMM_OK);
        (void)load(THIRD, 4);
        assert_int_equal(w.c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_OK);
        assert_int_equal(stale.calls, 0);
        assert_reported(VMM_WRITE, &was, VMM_RULE_WRITE);
        assert_int_equal(w.c->protect(&w.tables, THIRD, PAGE, VMM_R | VMM_W), VMM_OK);
        assert_int_equal(w.c->store(w.mmu, THIRD, 8, 1), VMM_OK);
        assert_int_equal(stale.calls, 1);
        assert_reported(VMM_FETCH, &was, VMM_RULE_EXECUTE);
    }
}

/* Clears marks of an entry as a kernel does. */
static void clear_marks(const vmm_mapping_t *m, bool accessed, bool dirty)
{
    uint8_t *at = (uint8_t *)ram[0] + (m->pte_addr - BASE);
    const bool arm = w.c == &armd_cpu;
    vmm_pte_t pte = vmm_get(at, 8);
    if (accessed) pte &= ~(vmm_pte_t)(w.c == &x86d_cpu ? 0x20 : arm ? 0x400 : 0x40);
    if (dirty) pte = arm ? pte | VMM_ARM64_AP2 : pte & ~(vmm_pte_t)(w.c == &x86d_cpu ? 0x40 : 0x80);
    vmm_put(at, pte, 8);
}

static void a_dirty_bit_that_was_cleared_without_a_flush_is_reported_and_an_accessed_bit_is_no_matter(void **state)
{
    size_t i;
    uint64_t value;
    (void)state;
    for (i = 0; i < DETECTORS; i++) {
        const vmm_mapping_t was = watch_over(detectors[i]);
        clear_marks(&was, true, false);
        (void)load(THIRD, 4);
        assert_int_equal(w.c->store(w.mmu, THIRD, 8, 1), VMM_OK);
        assert_int_equal(w.c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_OK);
        assert_int_equal(stale.calls, 0);
        clear_marks(&was, true, true);
        (void)load(THIRD, 4);
        assert_int_equal(stale.calls, 0); /* a load sets no dirty bit */
        assert_reported(VMM_WRITE, &was, VMM_RULE_DIRTY);
    }
}

static void a_table_that_was_replaced_without_a_flush_is_reported_at_the_first_access_through_it(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < DETECTORS; i++) {
        vmm_mapping_t m;
        uint8_t *pointer;
        vmm_paddr_t table, second = 0;
        (void)watch_over(detectors[i]);
        assert_int_equal(w.c->query(&w.tables, THIRD, &m), VMM_OK);
        table = m.pte_addr & ~UINT64_C(0xfff);
        assert_int_equal(helper_take(&w.frames, PAGE, &second), 0);
        memset((uint8_t *)ram[0] + (second - BASE), 0, PAGE);
        for (pointer = (uint8_t *)ram[0]; pointer < (uint8_t *)ram[0] + RAM_BYTES; pointer += 8) {
            const uint64_t entry = vmm_get(pointer, 8), unit = w.c == &rvd_cpu ? 2 : 0;
            if ((entry & 1) && pointer >= (uint8_t *)ram[0] + (TABLES - BASE) &&
                (entry << unit & 0xfffffff000) == table)
                vmm_put(pointer, (entry & ~(UINT64_C(0xfffffff000) >> unit)) | second >> unit, 8);
        }
        assert_int_equal(load(THIRD + 2 * PAGE, 4), peek(THIRD + 2 * PAGE, 4)); /* never touched: the table's cache */
        assert_int_equal(stale.calls, 1);
        assert_int_equal(stale.last.vaddr, THIRD + 2 * PAGE);
        assert_int_equal(stale.last.rule, VMM_RULE_VALID);
    }
}

static void a_stale_entry_of_the_tlb_is_reported_where_the_front_has_nothing(void **state)
{
    vmm_mapping_t was;
    uint64_t value;
    (void)state;
    begin(&rvd_cpu);
    memset(&stale, 0, sizeof stale);
    w.c->set_stale_hook(w.mmu, note_stale, &stale);
    assert_int_equal(w.c->query(&w.tables, THIRD, &was), VMM_OK);
    (void)load(THIRD, 8);
    move_silently(2, 11);
    assert_int_equal(w.c->load(w.mmu, VMM_FETCH, THIRD, 4, &value), VMM_OK);
    assert_int_equal(value, peek(THIRD, 4));
    assert_int_equal(stale.calls, 1);
    assert_int_equal(stale.last.access, VMM_FETCH);
    assert_int_equal(stale.last.pte, was.pte);
    assert_int_equal(stale.last.pte_addr, was.pte_addr);
    assert_int_equal(stale.last.paddr_now, BASE + 11 * PAGE);
    assert_true(stale.last.when < stale.last.now);
}

static void when_an_entry_was_remembered_does_not_change_with_its_hits(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < DETECTORS; i++) {
        uint64_t first;
        unsigned n;
        (void)watch_over(detectors[i]);
        assert_int_equal(w.c->unmap(&w.tables, THIRD, PAGE), VMM_OK);
        (void)load(THIRD, 8);
        first = stale.last.when;
        for (n = 0; n < 5; n++) {
            const uint64_t now = stale.last.now;
            (void)load(THIRD, 8);
            assert_int_equal(stale.last.when, first);
            assert_true(stale.last.now > now);
        }
    }
}

/* Edits that tell the MMU, and what follows. */
static void edits_that_flush_are_never_reported(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < DETECTORS; i++) {
        vmm_mapping_t m = watch_over(detectors[i]);
        uint64_t state64 = 9, value;
        unsigned n;
        w.tables.flush = w.c->flush_told;
        w.tables.flush_user = w.mmu;
        for (n = 0; n < 4000; n++) {
            const uint64_t random = helper_random(&state64);
            const vmm_vaddr_t va = VA + (random >> 8 & 31) * PAGE;
            switch (random & 7) {
            case 0: assert_int_equal(w.c->unmap(&w.tables, va, PAGE), VMM_OK); break;
            case 1:
            case 2:
                assert_int_equal(
                    w.c->map(&w.tables, va, BASE + (random >> 16 & 31) * PAGE, PAGE, ALL | VMM_NO_HUGE | VMM_REPLACE),
                    VMM_OK);
                break;
            case 3: (void)w.c->protect(&w.tables, va, PAGE, random >> 16 & 1 ? VMM_R : VMM_R | VMM_W); break;
            case 4:
                if (w.c->query(&w.tables, va, &m) != VMM_OK) break;
                clear_marks(&m, true, true);
                w.c->flush_page(w.mmu, va);
                break;
            case 5: (void)w.c->store(w.mmu, va + (random >> 16 & 0xfff), 8, random); break;
            case 6: (void)w.c->load(w.mmu, VMM_FETCH, va + (random >> 16 & 0xfff), 4, &value); break;
            default: (void)w.c->load(w.mmu, VMM_READ, va + (random >> 16 & 0xfff), 8, &value); break;
            }
        }
        assert_int_equal(stale.calls, 0);
        assert_int_equal(w.c->stats(w.mmu)->stale, 0);
    }
}

static void without_a_hook_stale_hits_are_counted(void **state)
{
    uint64_t value;
    (void)state;
    (void)watch_over(&rvd_cpu);
    w.c->set_stale_hook(w.mmu, NULL, NULL);
    assert_int_equal(w.c->unmap(&w.tables, THIRD, PAGE), VMM_OK);
    (void)load(THIRD, 8);
    (void)load(THIRD + 0xffc, 8); /* crosses: one of its two pages is stale */
    assert_int_equal(w.c->stats(w.mmu)->stale, 2);
    assert_int_equal(stale.calls, 0);
    w.c->flush_page(w.mmu, THIRD);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, THIRD, 8, &value), VMM_FAULT);
    assert_int_equal(w.c->stats(w.mmu)->stale, 2);
}

/* Tables are pages too: an access that sets a mark in an entry stores to them. */
ON_EVERY_CPU(a_page_of_tables_is_marked_when_a_walk_marks_an_entry_in_it)
{
    const vmm_vaddr_t va = UINT64_C(0x600000);
    vmm_mapping_t m;
    uint8_t *mark;
    uint64_t value = 0;
    assert_int_equal(w.c->map(&w.tables, va, BASE, PAGE, VMM_R | VMM_W), VMM_OK);
    assert_int_equal(w.c->query(&w.tables, va, &m), VMM_OK);
    mark = &w.marks[(m.pte_addr - BASE) / PAGE];
    w.c->set_track(w.mmu, &w.track);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, va, 8, &value), VMM_OK);
    assert_int_equal(*mark, VMM_TRACK_DIRTY); /* accessed */
    assert_int_equal(w.marks[0], 0);
    *mark = 0;
    w.c->flush_all(w.mmu);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, va, 8, &value), VMM_OK);
    assert_int_equal(*mark, 0);
    assert_int_equal(w.c->store(w.mmu, va, 8, value), VMM_OK);
    assert_int_equal(*mark, VMM_TRACK_DIRTY); /* dirty */
    *mark = 0;
    w.c->set_track(w.mmu, NULL);
    assert_int_equal(w.c->map(&w.tables, va + PAGE, BASE, PAGE, VMM_R | VMM_W), VMM_OK);
    assert_int_equal(w.c->load(w.mmu, VMM_READ, va + PAGE, 8, &value), VMM_OK);
    assert_int_equal(*mark, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_store_marks_the_pages_that_it_touches_and_no_other),
        cmocka_unit_test(loads_fetches_and_failed_stores_mark_nothing),
        cmocka_unit_test(a_page_whose_mark_was_taken_is_marked_again_by_the_next_store),
        cmocka_unit_test(a_page_that_is_marked_already_is_stored_to_through_the_front),
        cmocka_unit_test(mmus_that_share_ram_share_the_marks),
        cmocka_unit_test(a_store_of_any_kind_to_code_calls_back_before_it_lands),
        cmocka_unit_test(a_callback_that_refuses_makes_an_access_fault_and_nothing_lands),
        cmocka_unit_test(stores_to_other_pages_stay_in_the_front_and_call_nobody),
        cmocka_unit_test(a_page_that_becomes_code_leaves_the_front_by_every_name_and_other_pages_stay),
        cmocka_unit_test(a_page_that_another_mmu_marked_as_code_is_tracked_by_this_one_once_it_says_so),
        cmocka_unit_test(what_cannot_be_tracked_is_an_error),
        cmocka_unit_test(a_watched_access_of_any_kind_faults_before_it_lands),
        cmocka_unit_test(loads_fetches_reservations_and_blocks_are_watched_by_what_they_do),
        cmocka_unit_test(exactly_the_accesses_that_overlap_a_watchpoint_fault),
        cmocka_unit_test(a_watchpoint_of_several_pages_covers_each_of_them),
        cmocka_unit_test(a_page_without_a_watchpoint_is_kept_in_the_front_and_so_is_one_that_lost_it),
        cmocka_unit_test(watchpoints_are_limited_and_wrong_ones_are_errors),
        cmocka_unit_test(a_page_fault_comes_before_a_watchpoint),
        cmocka_unit_test(a_watch_fault_has_the_code_of_its_processor),
        cmocka_unit_test(a_tag_does_not_hide_an_address_from_a_watchpoint),
        cmocka_unit_test(compare_and_swap_of_every_width_changes_its_bytes_alone_and_only_if_they_are_as_expected),
        cmocka_unit_test(a_reservation_of_every_width_serves_one_store),
        cmocka_unit_test(a_reservation_is_lost_by_every_way_that_is_promised_and_by_no_other),
        cmocka_unit_test(a_reservation_is_for_its_width_and_its_location_by_any_name),
        cmocka_unit_test(reservations_are_judged_as_loads_and_their_stores_as_stores),
        cmocka_unit_test(a_page_that_the_check_denies_whole_takes_no_access_and_an_allowed_one_is_kept),
        cmocka_unit_test(a_page_that_the_check_denies_in_part_is_asked_about_on_every_access),
        cmocka_unit_test(the_check_is_asked_for_the_entries_that_a_walk_reads_and_marks),
        cmocka_unit_test(the_check_is_told_whose_access_it_is),
        cmocka_unit_test(a_snapshot_restored_over_other_ram_goes_on_as_the_original_does),
        cmocka_unit_test(an_mmu_that_is_restored_repeats_what_it_did),
        cmocka_unit_test(a_restored_mmu_keeps_its_own_memory_hooks_and_requests),
        cmocka_unit_test(a_snapshot_holds_the_registers_that_are_a_table_of_pae),
        cmocka_unit_test(a_request_is_done_when_it_is_answered_and_not_before),
        cmocka_unit_test(a_request_for_one_page_leaves_others_alone),
        cmocka_unit_test(more_requests_than_are_listed_become_one_that_forgets_everything),
        cmocka_unit_test(a_request_about_stores_makes_another_mmu_tell_of_code_and_dirty_pages_again),
        cmocka_unit_test(a_page_that_was_unmapped_without_a_flush_is_reported),
        cmocka_unit_test(a_page_that_leads_elsewhere_without_a_flush_is_reported),
        cmocka_unit_test(a_right_that_was_taken_away_without_a_flush_is_reported_where_it_matters),
        cmocka_unit_test(a_dirty_bit_that_was_cleared_without_a_flush_is_reported_and_an_accessed_bit_is_no_matter),
        cmocka_unit_test(a_table_that_was_replaced_without_a_flush_is_reported_at_the_first_access_through_it),
        cmocka_unit_test(a_stale_entry_of_the_tlb_is_reported_where_the_front_has_nothing),
        cmocka_unit_test(when_an_entry_was_remembered_does_not_change_with_its_hits),
        cmocka_unit_test(edits_that_flush_are_never_reported),
        cmocka_unit_test(without_a_hook_stale_hits_are_counted),
        cmocka_unit_test(a_page_of_tables_is_marked_when_a_walk_marks_an_entry_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
