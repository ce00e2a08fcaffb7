/* test_cpus_threads.c - several virtual CPUs, each a thread with an MMU of its own, over one RAM and one tree of
 * tables. The first edits the tables while all of them load and store, and asks the others for flushes before a frame
 * is used again. The thread sanitizer watches in a configuration of its own.
 *
 * Guest data is shared as a guest would have to: plain accesses go to a slice that one CPU has to itself, what several
 * CPUs write is changed by compare-and-swap or by reservations. */
#include "helper_cpus.h"

#include <pthread.h>
#include <sched.h>

#define VMM_IMPLEMENTATION
#include "vmm.h"

#define MOST 8u /* CPUs */

HELPER_CPU(rv, MOST, HELPER_ENTER_RISCV, VMM_RISCV64)
HELPER_CPU(x86, MOST, HELPER_ENTER_X86, VMM_X86)
HELPER_CPU(arm, MOST, HELPER_ENTER_ARM64, VMM_ARM64)
HELPER_CPU(rvd, MOST, HELPER_ENTER_RISCV, VMM_ARCH_RISCV64, VMM_STAGES_DETECT)

#ifndef EDITS
#define EDITS 150u /* of each machine */
#endif

#define BASE UINT64_C(0x80000000)
#define RAM_BYTES 0x80000u
#define TABLES (BASE + 0x40000)
#define PAGE 0x1000u
#define FRAMES 40u                     /* that shared pages move about in ... */
#define SHARED 12u                     /* ... of which so many are mapped at a time, at most */
#define SHARED_VA UINT64_C(0x00400000) /* three in a table of level 0, so that tables come and go */
#define STRIDE UINT64_C(0x00200000)
#define OWN_VA UINT64_C(0x10010000) /* a page for each CPU, in slots of the front that others leave alone */
#define OWN_FRAME (FRAMES + 1)
#define COUNTERS_VA UINT64_C(0x20040000) /* one page of counters */
#define COUNTERS_FRAME FRAMES
#define RIGHTS (VMM_R | VMM_W)

static uint64_t ram[RAM_BYTES / 8];

typedef struct cpu {
    pthread_t thread;
    void *mmu;
    uint64_t random;
    uint64_t added[4];  /* to each counter */
    uint64_t own[8];    /* what its page holds */
    uint64_t stores;    /* to shared pages, done */
    uint64_t faults;    /* of them */
    uint64_t wrong;     /* what must not happen */
    uint64_t stale;     /* hits that were stale while no edit was under way */
    uint64_t stale_any; /* and at any time */
    unsigned number;
} cpu_t;

static struct {
    const helper_cpu_t *c;
    unsigned cpus;
    cpu_t cpu[MOST];
    vmm_memory_t memory;
    helper_frames_t frames;
    vmm_tables_t tables;
    uint8_t marks[RAM_BYTES / PAGE];
    vmm_track_t track;
    bool detects;
    unsigned shared; /* pages that CPUs use */
    bool silent;     /* nobody is asked for a flush */
    uint32_t edit;   /* odd: tables differ from what MMUs remember */
    uint32_t stop;
    uint8_t frame_of[SHARED]; /* plus 1; 0: absent */
    uint8_t used[FRAMES];
} w;

static uint8_t *host_of(unsigned frame)
{
    return (uint8_t *)ram + (size_t)frame * PAGE;
}

static vmm_paddr_t paddr_of(unsigned frame)
{
    return BASE + (vmm_paddr_t)frame * PAGE;
}

static vmm_vaddr_t vaddr_of(unsigned page)
{
    return SHARED_VA + page / 3 * STRIDE + page % 3 * PAGE;
}

/* ---- what every CPU does ---- */

/* A hit that a walk does not confirm is one that a flush is missing for, unless the edit is not finished yet. */
static void note_stale(void *user, const vmm_stale_t *stale)
{
    cpu_t *cpu = (cpu_t *)user;
    (void)stale;
    cpu->stale_any++;
}

/* A plain store to this CPU's slice of a shared page, and a load of it: what is there is what this CPU put there, or
 * what the frame was filled with. */
static void use_shared(cpu_t *cpu)
{
    const uint64_t random = helper_random(&cpu->random);
    const vmm_vaddr_t va = vaddr_of((unsigned)(random % w.shared)) + cpu->number * 64 + (random >> 32 & 0x38);
    const uint64_t tag = (uint64_t)(cpu->number + 1) << 56;
    uint64_t value = 0;
    if (random >> 40 & 1) {
        if (w.c->store(cpu->mmu, va, 8, tag | (random & 0xffffff)) == VMM_OK) cpu->stores++;
        else cpu->faults++;
    } else if (w.c->load(cpu->mmu, VMM_READ, va, 8, &value) == VMM_OK) {
        cpu->wrong += value && value >> 56 != cpu->number + 1;
    }
}

/* Its own page, of which nobody else knows, holds what it should. */
static void use_own(cpu_t *cpu)
{
    const uint64_t random = helper_random(&cpu->random);
    const unsigned i = (unsigned)(random & 7);
    const vmm_vaddr_t va = OWN_VA + cpu->number * PAGE + i * 520;
    uint64_t value = 0;
    if (random & 8) {
        cpu->own[i] = random;
        cpu->wrong += w.c->store(cpu->mmu, va, 8, random) != VMM_OK;
    } else {
        cpu->wrong += w.c->load(cpu->mmu, VMM_READ, va, 8, &value) != VMM_OK || value != cpu->own[i];
    }
}

/* Adds 1 to a counter of 4 or 8 bytes, by compare-and-swap or by a reservation. */
static void count(cpu_t *cpu)
{
    const unsigned i = (unsigned)(helper_random(&cpu->random) >> 20 & 3), bytes = i & 1 ? 8 : 4;
    const vmm_vaddr_t va = COUNTERS_VA + i * 16;
    uint64_t value = 0, found = 0;
    bool done = false;
    while (!done && !cpu->wrong) {
        if (i & 2) {
            cpu->wrong += w.c->lr(cpu->mmu, va, bytes, &value) != VMM_OK;
            cpu->wrong += w.c->sc(cpu->mmu, va, bytes, value + 1, &done) != VMM_OK;
        } else {
            cpu->wrong += w.c->cas(cpu->mmu, va, bytes, value, value + 1, &found) != VMM_OK;
            done = found == value;
            value = found;
        }
    }
    cpu->added[i] += done;
}

/* Where edits stand. Read by detectors alone: for the others this would put their accesses in order with the edits,
 * which only entries and requests are to do. */
static uint32_t edit_seen(void)
{
    return w.detects ? VMM_ATOMIC_ACQUIRE(&w.edit) : 0;
}

/* One turn: a safe point, then something. */
static void turn(cpu_t *cpu)
{
    const uint64_t seen = cpu->stale_any;
    const uint32_t before = edit_seen();
    w.c->answer(cpu->mmu);
    switch (helper_random(&cpu->random) >> 30 & 3) {
    case 0: use_own(cpu); break;
    case 1: count(cpu); break;
    default: use_shared(cpu); break;
    }
    if (cpu->stale_any != seen && !(before & 1) && edit_seen() == before) cpu->stale++;
}

static void *run(void *data)
{
    cpu_t *cpu = (cpu_t *)data;
    while (!VMM_ATOMIC_ACQUIRE(&w.stop)) {
        turn(cpu);
        if ((helper_random(&cpu->random) & 15) == 0) sched_yield();
    }
    w.c->answer(cpu->mmu);
    return NULL;
}

/* ---- what the first one does besides ---- */

/* Has every MMU forget something, and waits until all have. */
static void ask_all(const vmm_request_t *what)
{
    uint32_t ticket[MOST];
    unsigned i;
    if (w.silent) return;
    for (i = 0; i < w.cpus; i++) ticket[i] = w.c->ask(w.cpu[i].mmu, what);
    for (i = 0; i < w.cpus; i++)
        while (!w.c->answered(w.cpu[i].mmu, ticket[i])) {
            w.c->answer(w.cpu[0].mmu);
            sched_yield();
        }
}

/* What an edit asks for becomes requests: page by page, or everything. */
static void flush_everywhere(void *user, const vmm_flush_t *what)
{
    vmm_request_t request = {what->vaddr, 0, VMM_ASK_PAGE};
    (void)user;
    if (what->kind == VMM_FLUSH_MADE) return;
    if (what->kind == VMM_FLUSH_TABLE || what->bytes != PAGE) request.kind = VMM_ASK_ALL;
    ask_all(&request);
}

/* Is a frame that nobody maps as it was left? */
static void look_at_free_frame(unsigned frame)
{
    const uint64_t *at = (const uint64_t *)(const void *)host_of(frame);
    unsigned i;
    for (i = 0; i < PAGE / 8; i++) w.cpu[0].wrong += at[i] != 0;
}

static uint64_t sum_of(unsigned frame)
{
    const uint64_t *at = (const uint64_t *)(const void *)host_of(frame);
    uint64_t sum = 0;
    unsigned i;
    for (i = 0; i < PAGE / 8; i++) sum = (sum ^ at[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum;
}

/* Time for the other CPUs. */
static void wait_a_little(unsigned turns)
{
    for (; turns; turns--) {
        turn(&w.cpu[0]);
        sched_yield();
    }
}

/* Nobody may store to a frame any more. */
static void look_at_quiet_frame(unsigned frame, const vmm_mapping_t *m)
{
    const uint64_t sum = sum_of(frame);
    wait_a_little(4);
    w.cpu[0].wrong += sum_of(frame) != sum;
    w.cpu[0].wrong += sum != 0 && !(m->flags & VMM_D);
}

/* A shared page that is mapped: nobody may store to it any more, and then it is unmapped. If somebody did store, the
 * hardware marked it. Its frame is clean afterwards, and stays so until it is mapped again. */
static void take_away(unsigned page)
{
    const vmm_vaddr_t va = vaddr_of(page);
    const unsigned frame = w.frame_of[page] - 1u;
    vmm_mapping_t m;
    w.cpu[0].wrong += w.c->protect(&w.tables, va, PAGE, VMM_R) != VMM_OK;
    w.cpu[0].wrong += w.c->query(&w.tables, va, &m) != VMM_OK || m.paddr != paddr_of(frame);
    if (!w.silent) look_at_quiet_frame(frame, &m);
    w.cpu[0].wrong += w.c->unmap(&w.tables, va, PAGE) != VMM_OK;
    if (!w.silent) memset(host_of(frame), 0, PAGE);
    w.frame_of[page] = 0;
    w.used[frame] = 0;
}

/* A shared page that is absent gets a frame, clean and without marks. */
static void bring(unsigned page, uint64_t random)
{
    unsigned frame = (unsigned)(random % FRAMES);
    while (w.used[frame]) frame = (frame + 1) % FRAMES;
    if (!w.silent) look_at_free_frame(frame);
    w.cpu[0].wrong += w.c->map(&w.tables, vaddr_of(page), paddr_of(frame), PAGE, RIGHTS) != VMM_OK;
    w.frame_of[page] = (uint8_t)(frame + 1);
    w.used[frame] = 1;
}

/* Takes the dirty mark of the page of counters away. What is counted after all MMUs heard of it marks it again. */
static void look_at_counters(void)
{
    const vmm_request_t stores = {0, 0, VMM_ASK_STORES};
    const vmm_any64_t *counter = (const vmm_any64_t *)(const void *)host_of(COUNTERS_FRAME) + 2;
    vmm_paddr_t page = paddr_of(COUNTERS_FRAME);
    uint64_t was;
    wait_a_little(40); /* until the fronts have the page */
    (void)vmm_track_next_dirty(&w.track, &w.memory, &page);
    ask_all(&stores);
    was = VMM_ATOMIC_ACQUIRE(counter);
    wait_a_little(20);
    if (VMM_ATOMIC_ACQUIRE(counter) != was)
        w.cpu[0].wrong += !(VMM_ATOMIC_LOAD(&w.marks[COUNTERS_FRAME]) & VMM_TRACK_DIRTY);
}

static void edit(void)
{
    const uint64_t random = helper_random(&w.cpu[0].random);
    const unsigned page = (unsigned)(random >> 20) % SHARED;
    VMM_ATOMIC_RELEASE(&w.edit, w.edit + 1);
    if (w.frame_of[page]) take_away(page);
    if (random & 3) bring(page, random >> 30);
    VMM_ATOMIC_RELEASE(&w.edit, w.edit + 1);
}

/* ---- a machine ---- */

static void begin(const helper_cpu_t *c, unsigned cpus)
{
    unsigned i;
    memset(&w, 0, sizeof w);
    memset(ram, 0, sizeof ram);
    w.c = c;
    w.detects = c == &rvd_cpu;
    w.cpus = cpus;
    w.shared = SHARED;
    w.memory.ram = ram;
    w.memory.base = BASE;
    w.memory.size = RAM_BYTES;
    w.frames.base = w.frames.next = TABLES;
    w.frames.end = BASE + RAM_BYTES;
    w.frames.budget = -1;
    w.tables.memory = &w.memory;
    w.tables.take = helper_take;
    w.tables.give = helper_give;
    w.tables.user = &w.frames;
    w.tables.flush = flush_everywhere;
    w.track.page = w.marks;
    assert_int_equal(c->create(&w.tables), VMM_OK);
    assert_int_equal(c->map(&w.tables, COUNTERS_VA, paddr_of(COUNTERS_FRAME), PAGE, RIGHTS), VMM_OK);
    assert_int_equal(c->map(&w.tables, OWN_VA, paddr_of(OWN_FRAME), MOST * PAGE, RIGHTS), VMM_OK);
    for (i = 0; i < cpus; i++) {
        cpu_t *cpu = &w.cpu[i];
        cpu->mmu = c->at(i);
        cpu->number = i;
        cpu->random = i + 77;
        assert_int_equal(c->init(cpu->mmu, &w.memory), VMM_OK);
        c->enter(cpu->mmu, w.tables.root);
        c->set_track(cpu->mmu, &w.track);
        c->set_stale_hook(cpu->mmu, note_stale, cpu);
    }
}

/* Runs all CPUs until the first has made its edits. */
static void run_all(unsigned edits)
{
    unsigned i, n;
    for (i = 1; i < w.cpus; i++) assert_int_equal(pthread_create(&w.cpu[i].thread, NULL, run, &w.cpu[i]), 0);
    for (n = 0; n < edits; n++) {
        edit();
        for (i = 0; i < 8; i++) turn(&w.cpu[0]);
        if (n % 16 == 0 && !w.silent) look_at_counters();
    }
    VMM_ATOMIC_RELEASE(&w.stop, UINT32_C(1));
    for (i = 1; i < w.cpus; i++) assert_int_equal(pthread_join(w.cpu[i].thread, NULL), 0);
}

static void assert_all_is_well(void)
{
    uint64_t added[4] = {0, 0, 0, 0}, stores = 0, faults = 0;
    unsigned i, n;
    for (i = 0; i < w.cpus; i++) {
        assert_int_equal(w.cpu[i].wrong, 0);
        assert_int_equal(w.cpu[i].stale, 0);
        stores += w.cpu[i].stores;
        faults += w.cpu[i].faults;
        for (n = 0; n < 4; n++) added[n] += w.cpu[i].added[n];
    }
    for (n = 0; n < 4; n++)
        assert_int_equal(vmm_get(host_of(COUNTERS_FRAME) + n * 16, n & 1 ? 8 : 4),
                         added[n] & (n & 1 ? ~UINT64_C(0) : 0xffffffff));
    assert_true(stores > 0 && faults > 0);
    for (i = 0; i < FRAMES; i++)
        if (!w.used[i]) look_at_free_frame(i);
    assert_int_equal(w.cpu[0].wrong, 0);
}

static void run_two_to_eight(const helper_cpu_t *c)
{
    unsigned cpus;
    for (cpus = 2; cpus <= MOST; cpus *= 2) {
        begin(c, cpus);
        run_all(EDITS);
        assert_all_is_well();
    }
}

static void after_all_have_answered_nobody_stores_to_the_old_frame_on_riscv(void **state)
{
    (void)state;
    run_two_to_eight(&rv_cpu);
}

static void after_all_have_answered_nobody_stores_to_the_old_frame_on_x86(void **state)
{
    (void)state;
    run_two_to_eight(&x86_cpu);
}

static void after_all_have_answered_nobody_stores_to_the_old_frame_on_aarch64(void **state)
{
    (void)state;
    run_two_to_eight(&arm_cpu);
}

static void the_detector_sees_no_stale_hit_where_flushes_are_asked_for(void **state)
{
    unsigned i;
    (void)state;
    run_two_to_eight(&rvd_cpu);
    for (i = 0; i < w.cpus; i++) assert_int_equal(w.c->stats(w.cpu[i].mmu)->stale, w.cpu[i].stale_any);
}

/* Rights are changed again and again, without a flush, while the page's dirty bit is being set for the first time. */
static void change_rights_of_a_clean_page(void)
{
    const vmm_vaddr_t va = vaddr_of(0);
    const unsigned frame = w.frame_of[0] - 1u;
    vmm_mapping_t m;
    uint64_t sum;
    unsigned n;
    w.cpu[0].wrong += w.c->protect(&w.tables, va, PAGE, VMM_R) != VMM_OK; /* and nobody stores */
    sum = sum_of(frame);
    w.cpu[0].wrong += w.c->map(&w.tables, va, paddr_of(frame), PAGE, RIGHTS | VMM_A | VMM_REPLACE) != VMM_OK;
    w.tables.flush = NULL;
    for (n = 0; n < 200; n++)
        w.cpu[0].wrong += w.c->protect(&w.tables, va, PAGE, n & 1 ? RIGHTS : RIGHTS | VMM_X) != VMM_OK;
    w.tables.flush = flush_everywhere;
    w.cpu[0].wrong += w.c->protect(&w.tables, va, PAGE, VMM_R) != VMM_OK;
    w.cpu[0].wrong += w.c->query(&w.tables, va, &m) != VMM_OK;
    w.cpu[0].wrong += sum_of(frame) != sum && !(m.flags & VMM_D);
}

static void an_edit_loses_no_mark_that_hardware_sets_meanwhile(void **state)
{
    const helper_cpu_t *const all[] = {&rv_cpu, &x86_cpu, &arm_cpu};
    unsigned i, n;
    (void)state;
    for (i = 0; i < 3; i++) {
        begin(all[i], 3);
        w.shared = 1;
        bring(0, 0);
        for (n = 1; n < w.cpus; n++) assert_int_equal(pthread_create(&w.cpu[n].thread, NULL, run, &w.cpu[n]), 0);
        for (n = 0; n < 2 * EDITS; n++) change_rights_of_a_clean_page();
        VMM_ATOMIC_RELEASE(&w.stop, UINT32_C(1));
        for (n = 1; n < w.cpus; n++) assert_int_equal(pthread_join(w.cpu[n].thread, NULL), 0);
        assert_int_equal(w.cpu[0].wrong, 0);
        assert_true(w.cpu[1].stores > 0);
    }
}

/* One after another, because the stores that this is about would be a race. */
static void the_detector_sees_stale_hits_where_nobody_asks(void **state)
{
    uint64_t stale = 0;
    unsigned i, n;
    (void)state;
    begin(&rvd_cpu, 4);
    w.silent = true;
    for (n = 0; n < EDITS; n++) {
        edit();
        for (i = 0; i < 32; i++) turn(&w.cpu[i % w.cpus]);
    }
    for (i = 0; i < w.cpus; i++) stale += w.cpu[i].stale;
    assert_true(stale > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_all_have_answered_nobody_stores_to_the_old_frame_on_riscv),
        cmocka_unit_test(after_all_have_answered_nobody_stores_to_the_old_frame_on_x86),
        cmocka_unit_test(after_all_have_answered_nobody_stores_to_the_old_frame_on_aarch64),
        cmocka_unit_test(an_edit_loses_no_mark_that_hardware_sets_meanwhile),
        cmocka_unit_test(the_detector_sees_no_stale_hit_where_flushes_are_asked_for),
        cmocka_unit_test(the_detector_sees_stale_hits_where_nobody_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
