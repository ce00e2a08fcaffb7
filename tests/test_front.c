/* test_front.c - what is remembered is never wrong: front, banks, walk cache and TLB in every
 * combination must answer as a machine that remembers nothing.
 *
 * The tables are written by hand here, entry by entry, so that nothing but the MMU is tested. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* -- the machines -- */

/* A machine with its type taken off. */
typedef struct {
    const char *name;
    vmm_fault_t *fault;
    vmm_status_t (*init)(const vmm_memory_t *physical);
    vmm_status_t (*access)(unsigned access, vmm_vaddr_t va, uint64_t *value, unsigned bytes);
    void (*flush)(unsigned kind, vmm_vaddr_t va, uint16_t asid);
    void (*registers)(uint64_t satp, unsigned privilege, uint64_t mstatus);
    size_t size, front, walk, tlb, slots;
} machine_t;

enum {
    FLUSH_ALL,
    FLUSH_ASID,
    FLUSH_PAGE,
    FLUSH_PAGE_ASID,
    FLUSH_KINDS
};

#define WIDTH(NAME, bits)                                                                                              \
    {                                                                                                                  \
        uint##bits##_t narrow = (uint##bits##_t) * value;                                                              \
        const vmm_status_t status = access == VMM_READ    ? NAME##_load##bits(&NAME, va, &narrow)                      \
                                    : access == VMM_FETCH ? NAME##_fetch##bits(&NAME, va, &narrow)                     \
                                                          : NAME##_store##bits(&NAME, va, narrow);                     \
        *value = narrow;                                                                                               \
        return status;                                                                                                 \
    }
#define MACHINE(NAME, front_slots, banks, walk_slots, sets, ways)                                                      \
    VMM_MMU(NAME, VMM_ARCH_RISCV64, VMM_STAGES(front_slots, banks, walk_slots, sets, ways, VMM_LRU))                   \
    static NAME##_mmu_t NAME;                                                                                          \
    static vmm_status_t NAME##_do_init(const vmm_memory_t *physical)                                                   \
    {                                                                                                                  \
        return NAME##_init(&NAME, physical);                                                                           \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_access(unsigned access, vmm_vaddr_t va, uint64_t *value, unsigned bytes)             \
    {                                                                                                                  \
        switch (bytes) {                                                                                               \
        case 1: WIDTH(NAME, 8)                                                                                         \
        case 2: WIDTH(NAME, 16)                                                                                        \
        case 4: WIDTH(NAME, 32)                                                                                        \
        default: WIDTH(NAME, 64)                                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_do_flush(unsigned kind, vmm_vaddr_t va, uint16_t asid)                                          \
    {                                                                                                                  \
        switch (kind) {                                                                                                \
        case FLUSH_ALL: NAME##_flush_all(&NAME); break;                                                                \
        case FLUSH_ASID: NAME##_flush_asid(&NAME, asid); break;                                                        \
        case FLUSH_PAGE: NAME##_flush_page(&NAME, va); break;                                                          \
        default: NAME##_flush_page_asid(&NAME, va, asid); break;                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_do_registers(uint64_t satp, unsigned privilege, uint64_t mstatus)                               \
    {                                                                                                                  \
        assert_int_equal(NAME##_set_satp(&NAME, satp), VMM_OK);                                                        \
        assert_int_equal(NAME##_set_privilege(&NAME, privilege), VMM_OK);                                              \
        assert_int_equal(NAME##_set_mstatus(&NAME, mstatus), VMM_OK);                                                  \
    }
#define ROW(NAME, front_slots, banks, walk_slots, sets, ways)                                                          \
    {#NAME,                                                                                                            \
     &NAME.fault,                                                                                                      \
     NAME##_do_init,                                                                                                   \
     NAME##_do_access,                                                                                                 \
     NAME##_do_flush,                                                                                                  \
     NAME##_do_registers,                                                                                              \
     sizeof(NAME##_mmu_t),                                                                                             \
     3 * (front_slots) * (banks) * sizeof(vmm_front_slot_t),                                                           \
     (walk_slots) * sizeof(vmm_walk_slot_t),                                                                           \
     (sets) * ((ways) * (sizeof(vmm_tlb_key_t) + sizeof(vmm_tlb_entry_t)) + sizeof(uint64_t)),                         \
     front_slots},

/* Every combination of stages, and the sizes at the ends; the first one remembers nothing. */
#define MACHINES(EACH)                                                                                                 \
    EACH(none, 0, 1, 0, 0, 0)                                                                                          \
    EACH(front, 8, 2, 0, 0, 0)                                                                                         \
    EACH(walk, 0, 2, 4, 0, 0)                                                                                          \
    EACH(tlb, 0, 1, 0, 4, 2)                                                                                           \
    EACH(front_walk, 4, 2, 4, 0, 0)                                                                                    \
    EACH(front_tlb, 4, 3, 0, 2, 2)                                                                                     \
    EACH(walk_tlb, 0, 2, 2, 2, 4)                                                                                      \
    EACH(all, 8, 2, 4, 4, 2)                                                                                           \
    EACH(fast, 256, 4, 64, 0, 0)                                                                                       \
    EACH(banks, 4, 8, 1, 0, 0)
MACHINES(MACHINE)
static const machine_t machines[] = {MACHINES(ROW)};

#define FOR_EACH_MACHINE(m) for (m = machines; m < machines + COUNT(machines); m++)

/* -- the world -- */

#define BASE UINT64_C(0x80000000)
#define BIG (UINT64_C(1) << 21)

/* RAM: tables in the first 512 KiB, small frames to 2 MiB, three huge frames. */
static uint8_t ram[4u << 21] __attribute__((aligned(4096)));
static const vmm_memory_t world_memory = {ram, BASE, sizeof ram, {NULL, NULL, NULL}, 0};
static uint64_t next_table, seed;
static uint64_t roots[2];

#define V 0x01u
#define R 0x02u
#define W 0x04u
#define X 0x08u
#define U 0x10u
#define AD 0xc0u

static uint64_t random_below(uint64_t limit)
{
    return (helper_random(&seed) >> 8) % limit;
}

static uint64_t new_table(void)
{
    const uint64_t table = BASE + next_table;
    memset(ram + next_table, 0, 4096);
    next_table += 4096;
    assert_true(next_table <= 1u << 19);
    return table;
}

/* Writes the Sv39 entry of a level, with the tables above it. */
static void set_entry(uint64_t root, vmm_vaddr_t va, unsigned level, uint64_t pte)
{
    uint64_t table = root;
    unsigned l;
    for (l = 2;; l--) {
        uint8_t *at = ram + (table - BASE) + 8 * ((va >> (12 + 9 * l)) & 511);
        const uint64_t found = vmm_get(at, 8);
        if (l == level) {
            vmm_put(at, pte, 8);
            return;
        }
        if (found & V) {
            table = found >> 10 << 12;
        } else {
            table = new_table();
            vmm_put(at, table >> 12 << 10 | V, 8);
        }
    }
}

static uint64_t leaf(uint64_t paddr, uint64_t bits)
{
    return paddr >> 12 << 10 | bits;
}

static uint64_t small_frame(unsigned number)
{
    return BASE + (1u << 19) + (uint64_t)(number % 384) * 4096;
}

static uint64_t satp_of(unsigned space)
{
    return UINT64_C(8) << 60 | (uint64_t)(space + 1) << 44 | roots[space] >> 12;
}

static void begin(void)
{
    const machine_t *m;
    size_t i;
    seed = 0x123456789;
    for (i = 0; i < sizeof ram; i += 8) vmm_put(ram + i, helper_random(&seed), 8);
    next_table = 0;
    roots[0] = new_table();
    roots[1] = new_table();
    FOR_EACH_MACHINE(m)
    {
        assert_int_equal(m->init(&world_memory), VMM_OK);
        m->registers(satp_of(0), 1, 0);
    }
}

static void check_same(const machine_t *m, unsigned access, vmm_vaddr_t va, unsigned bytes)
{
    const machine_t *plain = &machines[0];
    uint64_t value = 0, expected = 0;
    const vmm_status_t status = plain->access(access, va, &expected, bytes);
    if (m->access(access, va, &value, bytes) != status || (status == VMM_OK && value != expected))
        fail_msg("%s: access %u of %u bytes at %#llx gives %#llx, not %#llx", m->name, access, bytes,
                 (unsigned long long)va, (unsigned long long)value, (unsigned long long)expected);
    if (status == VMM_OK) return;
    assert_int_equal(m->fault->kind, plain->fault->kind);
    assert_int_equal(m->fault->access, plain->fault->access);
    assert_int_equal(m->fault->cause, plain->fault->cause);
    assert_int_equal(m->fault->rule, plain->fault->rule);
    assert_int_equal(m->fault->vaddr, plain->fault->vaddr);
    if (m->fault->rule == VMM_RULE_BUS) return; /* a TLB does not say which entry it had */
    assert_int_equal(m->fault->level, plain->fault->level);
    assert_int_equal(m->fault->pte_addr, plain->fault->pte_addr);
    assert_int_equal(m->fault->pte, plain->fault->pte);
}

/* Every machine stores a value of its own, which must be found where the tables lead. */
static void check_store(const machine_t *m, vmm_vaddr_t va, unsigned bytes)
{
    const machine_t *plain = &machines[0];
    uint64_t value = helper_random(&seed), was = 0, found = 0;
    const bool readable = plain->access(VMM_READ, va, &was, bytes) == VMM_OK;
    const vmm_status_t status = m->access(VMM_WRITE, va, &value, bytes);
    uint64_t again = value;
    if (readable) {
        assert_int_equal(plain->access(VMM_READ, va, &found, bytes), VMM_OK);
        assert_true(found == (status == VMM_OK ? value : was));
    }
    assert_int_equal(plain->access(VMM_WRITE, va, &again, bytes), status);
    if (status != VMM_OK) {
        assert_int_equal(m->fault->rule, plain->fault->rule);
        assert_int_equal(m->fault->vaddr, plain->fault->vaddr);
    }
}

/* Pages that meet in the slots of fronts of 4, 8 and 256, at the edges of the address space and of its
 * halves, and next to each other. */
static const vmm_vaddr_t places[] = {
    0x0000,
    0x1000,
    0x4000,
    0x5000,
    0x8000,
    0x9000,
    0x100000,
    0x101000,
    0x3fffffe000,
    0x3ffffff000,
    0x4000000000, /* the first that is not canonical */
    0x8000000000000000,
    0xffffffbffffff000, /* the last that is not */
    0xffffffc000000000,
    0xffffffc000001000,
    0xfffffffffffe0000,
    0xffffffffffffe000,
    0xfffffffffffff000,
};

static bool is_canonical(vmm_vaddr_t va)
{
    return va < 0x4000000000 || va >= 0xffffffc000000000;
}

static void set_place(unsigned space, size_t place, uint64_t pte)
{
    if (is_canonical(places[place])) set_entry(roots[space], places[place], 0, pte);
}

static vmm_vaddr_t near_an_edge(vmm_vaddr_t page)
{
    static const uint16_t offsets[] = {0, 1, 2, 3, 4, 7, 8, 0x7f8, 0xff8, 0xff9, 0xffc, 0xffd, 0xffe, 0xfff};
    return page + offsets[random_below(COUNT(offsets))];
}

/* -- generations -- */

static void after_a_flush_of_all_nothing_old_hits_through_many_more_flushes_than_generations(void **state)
{
    static const vmm_vaddr_t pages[] = {0x0000, 0x3000, 0x4000, 0x107000, 0xfffffffffffff000};
    const machine_t *m;
    (void)state;
    begin();
    FOR_EACH_MACHINE(m)
    {
        unsigned times, i;
        for (times = 0; times < 20000; times++) {
            for (i = 0; i < COUNT(pages); i++)
                set_entry(roots[0], pages[i], 0, leaf(small_frame(times + 7 * i), V | R | W | AD));
            m->flush(FLUSH_ALL, 0, 0);
            for (i = 0; i < COUNT(pages); i++) {
                uint64_t value = 0;
                if (i > 1 && times % (5 + i) != 0) continue; /* some are used now and then */
                assert_int_equal(m->access(VMM_READ, pages[i] + 16, &value, 8), VMM_OK);
                if (value != vmm_get(ram + (small_frame(times + 7 * i) - BASE) + 16, 8))
                    fail_msg("%s: page %u is old after flush %u", m->name, i, times);
            }
        }
    }
}

static void a_small_front_answers_every_access_as_a_walk_does(void **state)
{
    static const uint16_t offsets[] = {0, 1, 3, 7, 8, 0xff7, 0xff8, 0xff9, 0xffc, 0xffd, 0xffe, 0xfff};
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned round;
        if (m->slots == 0 || m->slots > 8) continue;
        begin();
        for (round = 0; round < 120; round++) {
            size_t place, o;
            unsigned bytes, fills = (unsigned)random_below(12), access;
            for (place = 0; place < COUNT(places); place++)
                if (random_below(3) == 0)
                    set_place(0, place,
                              random_below(3) ? leaf(small_frame((unsigned)random_below(384)), V | R | W | X | AD) : 0);
            m->flush(FLUSH_ALL, 0, 0);
            while (fills--) {
                uint64_t value = 0;
                const vmm_vaddr_t va = places[random_below(COUNT(places))] + random_below(4096);
                (void)m->access(random_below(2) ? VMM_READ : VMM_FETCH, va, &value, 1);
                if (random_below(6) == 0) m->flush(FLUSH_ALL, 0, 0);
            }
            access = random_below(4) ? VMM_READ : VMM_FETCH;
            for (place = 0; place < COUNT(places); place++)
                for (o = 0; o < COUNT(offsets); o++)
                    for (bytes = 1; bytes <= 8; bytes *= 2) {
                        check_same(m, access, places[place] + offsets[o], bytes);
                        if (random_below(40) == 0) m->flush(FLUSH_ALL, 0, 0);
                    }
        }
    }
}

/* -- everything together -- */

/* Pages of three sizes that change, besides the places above. */
#define HUGE UINT64_C(0x40200000)
#define GROUP UINT64_C(0x00230000)
#define GIGA UINT64_C(0x100000000)

static unsigned random_rights(void)
{
    static const uint8_t rights[] = {R | W | X, R | W, R, X, R | X, R | W | U, R | W | X | U, X | U, R | U};
    static const uint8_t marks[] = {AD, AD, AD, 0x40, 0};
    return V | rights[random_below(COUNT(rights))] | marks[random_below(COUNT(marks))];
}

/* Changes one page of one space; returns any address in it. */
static vmm_vaddr_t change_page(unsigned space)
{
    const unsigned bits = random_below(5) ? random_rights() : 0;
    unsigned i;
    uint64_t frame;
    size_t place;
    switch (random_below(6)) {
    case 0:
        set_entry(roots[space], HUGE, 1, leaf(BASE + BIG * (1 + random_below(3)), bits));
        return HUGE + random_below(BIG);
    case 1: /* 64 KiB: sixteen entries, all alike */
        frame = BASE + (1u << 19) + 65536 * random_below(16);
        for (i = 0; i < 16; i++)
            set_entry(roots[space], GROUP + 4096 * i, 0, bits ? leaf(frame | 0x8000, bits) | UINT64_C(1) << 63 : 0);
        return GROUP + random_below(65536);
    default:
        place = (size_t)random_below(COUNT(places));
        set_place(space, place, bits ? leaf(small_frame((unsigned)random_below(384)), bits) : 0);
        return places[place];
    }
}

static vmm_vaddr_t random_address(void)
{
    switch (random_below(8)) {
    case 0: return near_an_edge(HUGE + 4096 * random_below(512));
    case 1: return near_an_edge(GROUP + 4096 * random_below(16));
    case 2: return near_an_edge(GIGA + 4096 * random_below(64) + (random_below(2) ? sizeof ram : 0));
    case 3: return near_an_edge(places[random_below(COUNT(places))]) - 4096;
    default: return near_an_edge(places[random_below(COUNT(places))]);
    }
}

typedef struct {
    unsigned space, privilege;
    uint64_t mstatus;
} registers_t;

static registers_t random_registers(registers_t r)
{
    static const uint8_t privileges[] = {0, 1, 3}, mpp[] = {0, 1, 3};
    switch (random_below(6)) {
    case 0: r.space ^= 1; break;
    case 1: r.privilege = privileges[random_below(3)]; break;
    case 2: r.mstatus ^= 1u << 18; break;
    case 3: r.mstatus ^= 1u << 19; break;
    case 4: r.mstatus ^= 1u << 17; break;
    default: r.mstatus = (r.mstatus & ~UINT64_C(0x1800)) | (uint64_t)mpp[random_below(3)] << 11; break;
    }
    return r;
}

/* Random changes, flushes, registers and accesses. `changes`: one step in so many changes a page. */
static void check_stream(unsigned steps, unsigned changes, unsigned switches)
{
    const machine_t *m;
    registers_t r = {0, 1, 0};
    unsigned space;
    begin();
    for (space = 0; space < 2; space++) {
        unsigned i;
        for (i = 0; i < 40; i++) (void)change_page(space);
        set_entry(roots[space], GIGA, 2, leaf(BASE, V | R | X | AD));
    }
    FOR_EACH_MACHINE(m) m->flush(FLUSH_ALL, 0, 0);
    while (steps--) {
        if (random_below(changes) == 0) {
            const unsigned where = (unsigned)random_below(2);
            const vmm_vaddr_t va = change_page(where);
            const unsigned kind = (unsigned)random_below(FLUSH_KINDS);
            FOR_EACH_MACHINE(m) m->flush(kind, va, (uint16_t)(where + 1));
        } else if (random_below(switches) == 0) {
            r = random_registers(r);
            FOR_EACH_MACHINE(m) m->registers(satp_of(r.space), r.privilege, r.mstatus);
        } else {
            const vmm_vaddr_t va = random_address();
            const unsigned bytes = 1u << random_below(4), access = (unsigned)random_below(3);
            FOR_EACH_MACHINE(m)
            {
                if (access == VMM_WRITE && r.privilege != 3 && !(r.mstatus & 1u << 17)) check_store(m, va, bytes);
                else if (access != VMM_WRITE) check_same(m, access, va, bytes);
            }
        }
    }
}

static void every_combination_of_stages_answers_as_none_does(void **state)
{
    (void)state;
    check_stream(30000, 8, 40);
}

static void contexts_that_come_and_go_among_few_banks_answer_as_a_walk_does(void **state)
{
    (void)state;
    check_stream(30000, 200, 2);
}

static void a_machine_that_is_flushed_before_each_access_agrees_with_one_that_is_not(void **state)
{
    static all_mmu_t fresh;
    registers_t r = {0, 1, 0};
    unsigned step, space;
    (void)state;
    begin();
    for (space = 0; space < 2; space++) {
        unsigned i;
        for (i = 0; i < 60; i++) (void)change_page(space);
    }
    assert_int_equal(all_init(&fresh, &world_memory), VMM_OK);
    for (step = 0; step < 40000; step++) {
        const vmm_vaddr_t va = random_address();
        uint64_t one = 0, other = 0;
        vmm_status_t status;
        r = random_registers(r);
        all_do_registers(satp_of(r.space), r.privilege, r.mstatus);
        assert_int_equal(all_set_satp(&fresh, satp_of(r.space)), VMM_OK);
        assert_int_equal(all_set_privilege(&fresh, r.privilege), VMM_OK);
        assert_int_equal(all_set_mstatus(&fresh, r.mstatus), VMM_OK);
        all_flush_all(&fresh);
        status = all_load64(&fresh, va, &one);
        assert_int_equal(all_load64(&all, va, &other), status);
        if (status == VMM_OK) assert_true(one == other);
        else {
            assert_int_equal(all.fault.rule, fresh.fault.rule);
            assert_int_equal(all.fault.vaddr, fresh.fault.vaddr);
        }
    }
}

/* -- pages in pieces -- */

static void flushing_any_address_of_a_huge_page_or_group_drops_all_of_its_pieces(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        uint64_t bytes;
        unsigned level;
    } kinds[] = {{HUGE, BIG, 1}, {GROUP, 65536, 0}};
    const machine_t *m;
    (void)state;
    begin();
    FOR_EACH_MACHINE(m)
    {
        size_t k;
        unsigned times, i;
        for (k = 0; k < COUNT(kinds); k++)
            for (times = 0; times < 300; times++) {
                const uint64_t stride = kinds[k].bytes / 16;
                const uint64_t frame =
                    kinds[k].level ? BASE + BIG * (1 + times % 3) : BASE + (1u << 19) + 65536 * (times % 16);
                const unsigned kind = times % 4 == 3 ? FLUSH_PAGE_ASID : FLUSH_PAGE;
                for (i = 0; i < (kinds[k].level ? 1 : 16); i++)
                    set_entry(roots[0], kinds[k].va + 4096 * i, kinds[k].level,
                              kinds[k].level ? leaf(frame, V | R | AD)
                                             : leaf(frame | 0x8000, V | R | AD) | UINT64_C(1) << 63);
                m->flush(kind, kinds[k].va + random_below(kinds[k].bytes), 1);
                for (i = 0; i < 16; i++) {
                    const vmm_vaddr_t va = kinds[k].va + stride * i + 8 * random_below(stride / 8);
                    uint64_t value = 0;
                    assert_int_equal(m->access(VMM_READ, va, &value, 8), VMM_OK);
                    if (value != vmm_get(ram + (frame - BASE) + (va - kinds[k].va), 8))
                        fail_msg("%s: %#llx is old", m->name, (unsigned long long)va);
                }
            }
    }
}

static void a_group_is_dropped_whole_also_when_the_front_got_it_from_the_tlb(void **state)
{
    const uint64_t contiguous = UINT64_C(1) << 63 | V | R | AD;
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        uint64_t value = 0, frame = BASE + (1u << 19);
        unsigned i;
        begin();
        set_entry(roots[0], HUGE, 1, leaf(BASE + BIG, V | R | AD));
        for (i = 0; i < 16; i++) set_entry(roots[0], GROUP + 4096 * i, 0, leaf(frame | 0x8000, contiguous));
        assert_int_equal(m->access(VMM_READ, GROUP, &value, 8), VMM_OK);
        assert_int_equal(m->access(VMM_READ, HUGE, &value, 8), VMM_OK);
        m->flush(FLUSH_PAGE, HUGE, 0); /* the front forgets all, the TLB only this */
        assert_int_equal(m->access(VMM_READ, GROUP, &value, 8), VMM_OK);
        assert_true(value == vmm_get(ram + (frame - BASE), 8));
        frame += 65536;
        for (i = 0; i < 16; i++) set_entry(roots[0], GROUP + 4096 * i, 0, leaf(frame | 0x8000, contiguous));
        m->flush(FLUSH_PAGE, GROUP + 0x5000, 0);
        assert_int_equal(m->access(VMM_READ, GROUP, &value, 8), VMM_OK);
        if (value != vmm_get(ram + (frame - BASE), 8)) fail_msg("%s: the group is old", m->name);
    }
}

/* -- addresses that wrap -- */

VMM_MMU(rv32, VMM_ARCH_RISCV32, VMM_STAGES(8, 2, 4, 0, 0, VMM_LRU))
static rv32_mmu_t rv32;

static void a_huge_page_is_dropped_by_any_of_the_addresses_that_wrap_to_it(void **state)
{
    const vmm_vaddr_t turn = UINT64_C(1) << 32;
    vmm_vaddr_t one, other;
    (void)state;
    for (one = 0; one <= turn; one += turn)
        for (other = 0; other <= turn; other += turn) {
            uint32_t value = 0;
            begin();
            assert_int_equal(rv32_init(&rv32, &world_memory), VMM_OK);
            assert_int_equal(rv32_set_satp(&rv32, UINT64_C(1) << 31 | roots[0] >> 12), VMM_OK);
            vmm_put(ram + (roots[0] - BASE) + 4, leaf(BASE, V | R | AD), 4);
            assert_int_equal(rv32_load32(&rv32, one + 0x403000, &value), VMM_OK);
            assert_true(value == vmm_get(ram + 0x3000, 4));
            vmm_put(ram + (roots[0] - BASE) + 4, leaf(BASE + 2 * BIG, V | R | AD), 4);
            rv32_flush_page(&rv32, other + 0x400000);
            assert_int_equal(rv32_load32(&rv32, one + 0x403000, &value), VMM_OK);
            if (value != vmm_get(ram + 2 * BIG + 0x3000, 4))
                fail_msg("used at %#llx, flushed at %#llx: it is old", (unsigned long long)(one + 0x403000),
                         (unsigned long long)(other + 0x400000));
        }
}

/* 256 pages of 64 bytes behind a front of 1024 slots: an address and one that wraps to it share a slot. */
static const vmm_paging_t narrow_paging = {"narrow",
                                           VMM_RULES_GENERIC,
                                           VMM_RIGHTS_LEAF,
                                           VMM_VADDR_WRAP,
                                           14,
                                           32,
                                           6,
                                           1,
                                           {8},
                                           0x1,
                                           8,
                                           12,
                                           26,
                                           /* valid */ 1,
                                           /* read */ 0,
                                           /* write */ 2,
                                           /* execute */ 0,
                                           /* user */ 0,
                                           /* global */ 0,
                                           /* accessed */ 0,
                                           /* dirty */ 0,
                                           /* huge */ 0,
                                           /* inverted */ 0,
                                           0,
                                           0};
static const vmm_arch_t narrow_arch = VMM_ARCH_OF(narrow_paging);
VMM_MMU(narrow, VMM_ARCH_PLAIN(narrow_arch), VMM_STAGES(1024, 1, 0, 0, 0, VMM_LRU))
static narrow_mmu_t narrow;

static void a_front_larger_than_the_address_space_forgets_a_page_at_all_its_addresses(void **state)
{
    const vmm_vaddr_t turn = 1u << 14;
    const uint64_t frames[] = {BASE + (1u << 19), BASE + (1u << 20)};
    unsigned one, other, i;
    (void)state;
    begin();
    assert_int_equal(narrow_init(&narrow, &world_memory), VMM_OK);
    assert_int_equal(narrow_set_root(&narrow, roots[0], 0), VMM_OK);
    for (one = 0; one < 6; one++)
        for (other = 0; other < 6; other++)
            for (i = 0; i < 2; i++) {
                uint64_t value = 0;
                vmm_put(ram + (roots[0] - BASE) + 8, frames[i] >> 6 << 12 | V | 2, 8);
                narrow_flush_page(&narrow, other * turn + 0x40);
                assert_int_equal(narrow_load64(&narrow, one * turn + 0x48, &value), VMM_OK);
                if (value != vmm_get(ram + (frames[i] - BASE) + 8, 8))
                    fail_msg("used in turn %u, flushed in turn %u: it is old", one, other);
            }
}

/* -- counters of a TLB with a walk cache -- */

static void a_tlb_with_a_walk_cache_and_no_front_counts_every_access(void **state)
{
    uint64_t value = 0;
    unsigned i;
    (void)state;
    begin();
    set_entry(roots[0], 0x5000, 0, leaf(small_frame(1), V | R | W | X | AD));
    for (i = 0; i < 10; i++) assert_int_equal(walk_tlb_load64(&walk_tlb, 0x5000, &value), VMM_OK);
    assert_int_equal(walk_tlb.stats.tlb_misses, 1);
    assert_int_equal(walk_tlb.stats.tlb_hits, 9);
    assert_int_equal(walk_tlb_store64(&walk_tlb, 0x5000, 1), VMM_OK);
    assert_int_equal(walk_tlb_fetch64(&walk_tlb, 0x5000, &value), VMM_OK);
    assert_int_equal(walk_tlb.stats.tlb_misses, 1);
    assert_int_equal(walk_tlb.stats.tlb_hits, 11);
    assert_int_equal(walk_tlb.stats.walks, 1);
}

static void a_tlb_miss_whose_last_table_is_known_counts_no_full_walk(void **state)
{
    uint64_t value = 0;
    unsigned i;
    (void)state;
    begin();
    for (i = 0; i < 8; i++) set_entry(roots[0], 0x5000 + 4096 * i, 0, leaf(small_frame(i), V | R | AD));
    for (i = 0; i < 8; i++) {
        assert_int_equal(walk_tlb_load64(&walk_tlb, 0x5000 + 4096 * i, &value), VMM_OK);
        assert_true(value == vmm_get(ram + (small_frame(i) - BASE), 8));
        assert_int_equal(walk_tlb.stats.tlb_misses, i + 1);
        assert_int_equal(walk_tlb.stats.walks, 1);
    }
    assert_int_equal(walk_tlb.stats.tlb_hits, 0);
    walk_tlb_flush_all(&walk_tlb);
    assert_int_equal(walk_tlb_load64(&walk_tlb, 0x5000, &value), VMM_OK);
    assert_int_equal(walk_tlb.stats.walks, 2);
}

/* The walk cache knows the last table, but not that a pointer to it was global. */
static void pages_below_a_global_pointer_are_global_also_behind_a_walk_cache(void **state)
{
    uint64_t value = 0, *const misses = &walk_tlb.stats.tlb_misses;
    unsigned i;
    (void)state;
    begin();
    for (i = 0; i < 4; i++) set_entry(roots[0], 0x5000 + 4096 * i, 0, leaf(small_frame(i), V | R | AD));
    vmm_put(ram + (roots[0] - BASE), vmm_get(ram + (roots[0] - BASE), 8) | 0x20, 8);
    for (i = 0; i < 4; i++) assert_int_equal(walk_tlb_load64(&walk_tlb, 0x5000 + 4096 * i, &value), VMM_OK);
    assert_int_equal(*misses, 4);
    assert_int_equal(walk_tlb_set_satp(&walk_tlb, satp_of(0) + (UINT64_C(5) << 44)), VMM_OK);
    for (i = 0; i < 4; i++) assert_int_equal(walk_tlb_load64(&walk_tlb, 0x5000 + 4096 * i, &value), VMM_OK);
    assert_int_equal(*misses, 4);
}

/* -- keys of the walk cache that run out -- */

/* Pages of 16 bytes and tables of 8 entries: 127 keys, after which they begin again. */
static const vmm_paging_t tiny_paging = {"tiny",
                                         VMM_RULES_RISCV,
                                         VMM_RIGHTS_LEAF,
                                         VMM_VADDR_ZERO,
                                         10,
                                         40,
                                         4,
                                         2,
                                         {3, 3},
                                         0x3,
                                         8,
                                         10,
                                         36,
                                         VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};
static const vmm_arch_t tiny_arch = {0, 1, {8, 0, 0}, {&tiny_paging, 0, 0}};
VMM_MMU(tiny, RISCV, tiny_arch, VMM_STAGES(4, 2, 8, 0, 0, VMM_LRU))
static tiny_mmu_t tiny;

static const vmm_paging_t keys_paging = {"few keys",
                                         VMM_RULES_GENERIC,
                                         VMM_RIGHTS_LEAF,
                                         VMM_VADDR_ZERO,
                                         10,
                                         32,
                                         4,
                                         2,
                                         {3, 3},
                                         0x1,
                                         4,
                                         4,
                                         28,
                                         /* valid */ 1,
                                         /* read */ 0,
                                         /* write */ 2,
                                         /* execute */ 0,
                                         /* user */ 0,
                                         /* global */ 0,
                                         /* accessed */ 0,
                                         /* dirty */ 0,
                                         /* huge */ 0,
                                         /* inverted */ 0,
                                         0,
                                         0};
static const vmm_arch_t keys_arch = VMM_ARCH_OF(keys_paging);
VMM_MMU(keys, VMM_ARCH_PLAIN(keys_arch), VMM_STAGES(4, 1, 8, 0, 0, VMM_LRU))
VMM_MMU(keys_many, VMM_ARCH_PLAIN(keys_arch), VMM_STAGES(4, 3, 4, 0, 0, VMM_LRU))
static keys_mmu_t keys;
static keys_many_mmu_t keys_many;

/* Root at 4096 x (1 + space), level-0 tables behind it, pages of data behind those. */
static void tiny_world(unsigned spaces, unsigned pte_bytes)
{
    unsigned space, i, j;
    for (space = 0; space < spaces; space++) {
        const unsigned root = 4096 * (1 + space);
        for (i = 0; i < 8; i++) {
            const unsigned table = root + 256 + 64 * i, pages = root + 1024 + 128 * i;
            vmm_put(ram + root + pte_bytes * i,
                    pte_bytes == 8 ? (BASE + table) >> 4 << 10 | V : (BASE + table) >> 4 << 4 | V, pte_bytes);
            for (j = 0; j < 8; j++)
                vmm_put(ram + table + pte_bytes * j,
                        pte_bytes == 8 ? (BASE + pages + 16 * j) >> 4 << 10 | V | R | W | X | AD
                                       : (BASE + pages + 16 * j) >> 4 << 4 | V | 2,
                        pte_bytes);
        }
    }
}

static uint8_t tiny_byte(unsigned space, vmm_vaddr_t va)
{
    return ram[4096 * (1 + space) + 1024 + va];
}

static void walk_cache_keys_that_run_out_leave_nothing_of_their_first_use(void **state)
{
    unsigned step, spaces = 40, space = 0;
    (void)state;
    begin();
    tiny_world(spaces, 4);
    assert_int_equal(keys_init(&keys, &world_memory), VMM_OK);
    assert_int_equal(keys_many_init(&keys_many, &world_memory), VMM_OK);
    for (step = 0; step < 60000; step++) {
        const vmm_vaddr_t va = random_below(1024);
        uint8_t value = 0;
        if (random_below(3) == 0) {
            space = (unsigned)random_below(spaces);
            assert_int_equal(keys_set_root(&keys, BASE + 4096 * (1 + space), (uint16_t)random_below(4)), VMM_OK);
            assert_int_equal(keys_many_set_root(&keys_many, BASE + 4096 * (1 + space), (uint16_t)random_below(4)),
                             VMM_OK);
        }
        if (random_below(50) == 0) {
            keys_flush_all(&keys);
            keys_many_flush_all(&keys_many);
        }
        if (step == 0) continue;
        assert_int_equal(keys_load8(&keys, va, &value), keys.registers.root ? VMM_OK : VMM_FAULT);
        if (keys.registers.root) assert_int_equal(value, tiny_byte(space, va));
        assert_int_equal(keys_many_load8(&keys_many, va, &value), keys.registers.root ? VMM_OK : VMM_FAULT);
        if (keys.registers.root) assert_int_equal(value, tiny_byte(space, va));
    }
}

/* Supervisor mode whose loads are machine mode's: two contexts at a time, of which one may take the
 * last key and the other the first. */
static void keys_that_run_out_between_fetches_and_loads_leave_nothing_either(void **state)
{
    const uint64_t mode = UINT64_C(8) << 60, loads_by_machine = UINT64_C(1) << 17 | UINT64_C(3) << 11;
    unsigned before, after, i, old = 0;
    (void)state;
    begin();
    tiny_world(2, 8);
    for (before = 100; before < 130; before++)
        for (after = 0; after < 130; after++) {
            const vmm_vaddr_t va = 16 * 5 + 3;
            uint8_t value = 0;
            assert_int_equal(tiny_init(&tiny, &world_memory), VMM_OK);
            assert_int_equal(tiny_set_satp(&tiny, mode | UINT64_C(1) << 44 | (BASE + 4096) >> 12), VMM_OK);
            for (i = 0; i < before; i++) tiny_flush_all(&tiny);
            assert_int_equal(tiny_set_mstatus(&tiny, loads_by_machine), VMM_OK);
            assert_int_equal(tiny_fetch8(&tiny, va, &value), VMM_OK);
            assert_int_equal(value, tiny_byte(0, va));
            assert_int_equal(tiny_set_mstatus(&tiny, 0), VMM_OK);
            for (i = 0; i < after; i++) tiny_flush_all(&tiny);
            assert_int_equal(tiny_set_satp(&tiny, mode | UINT64_C(2) << 44 | (BASE + 8192) >> 12), VMM_OK);
            assert_int_equal(tiny_fetch8(&tiny, va, &value), VMM_OK);
            old += value != tiny_byte(1, va);
        }
    if (old) fail_msg("%u times of 3900 another space's table was used", old);
}

/* -- copies -- */

static void a_copy_that_is_flushed_has_a_front_of_its_own(void **state)
{
    static front_mmu_t copy;
    uint64_t value = 0;
    (void)state;
    begin();
    set_entry(roots[0], 0x5000, 0, leaf(small_frame(1), V | R | AD));
    set_entry(roots[1], 0x5000, 0, leaf(small_frame(2), V | R | AD));
    assert_int_equal(front_load64(&front, 0x5000, &value), VMM_OK);
    memcpy(&copy, &front, sizeof copy);
    front_flush_all(&copy);
    front_flush_all(&front);
    assert_int_equal(front_set_satp(&front, satp_of(1)), VMM_OK);
    front_flush_all(&front);
    assert_int_equal(front_load64(&front, 0x5000, &value), VMM_OK);
    assert_true(value == vmm_get(ram + (small_frame(2) - BASE), 8));
    assert_int_equal(front_load64(&copy, 0x5000, &value), VMM_OK);
    assert_true(value == vmm_get(ram + (small_frame(1) - BASE), 8));
}

/* -- sizes -- */

static void a_stage_of_no_size_takes_no_bytes(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m) assert_int_equal(m->size - m->front - m->walk - m->tlb, machines[0].size);
    assert_int_equal(machines[0].size, offsetof(none_mmu_t, front));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_flush_of_all_nothing_old_hits_through_many_more_flushes_than_generations),
        cmocka_unit_test(a_small_front_answers_every_access_as_a_walk_does),
        cmocka_unit_test(every_combination_of_stages_answers_as_none_does),
        cmocka_unit_test(contexts_that_come_and_go_among_few_banks_answer_as_a_walk_does),
        cmocka_unit_test(a_machine_that_is_flushed_before_each_access_agrees_with_one_that_is_not),
        cmocka_unit_test(flushing_any_address_of_a_huge_page_or_group_drops_all_of_its_pieces),
        cmocka_unit_test(a_group_is_dropped_whole_also_when_the_front_got_it_from_the_tlb),
        cmocka_unit_test(a_huge_page_is_dropped_by_any_of_the_addresses_that_wrap_to_it),
        cmocka_unit_test(a_front_larger_than_the_address_space_forgets_a_page_at_all_its_addresses),
        cmocka_unit_test(a_tlb_with_a_walk_cache_and_no_front_counts_every_access),
        cmocka_unit_test(a_tlb_miss_whose_last_table_is_known_counts_no_full_walk),
        cmocka_unit_test(pages_below_a_global_pointer_are_global_also_behind_a_walk_cache),
        cmocka_unit_test(walk_cache_keys_that_run_out_leave_nothing_of_their_first_use),
        cmocka_unit_test(keys_that_run_out_between_fetches_and_loads_leave_nothing_either),
        cmocka_unit_test(a_copy_that_is_flushed_has_a_front_of_its_own),
        cmocka_unit_test(a_stage_of_no_size_takes_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
