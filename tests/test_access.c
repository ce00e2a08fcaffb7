/* test_access.c - loads, stores, fetches, copies and compare-and-swap.
 *
 * Everything is done by three machines: one with all stages, one with a TLB alone, one with none. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

VMM_MMU(full, VMM_ARCH_RISCV64, VMM_STAGES(256, 4, 64, 16, 4, VMM_LRU))
VMM_MMU(tlb, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 4, VMM_LRU))
VMM_MMU(none, VMM_ARCH_RISCV64, VMM_STAGES(0, 1, 0, 0, 0, VMM_LRU))

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BASE UINT64_C(0x80000000)
#define PAGE UINT64_C(4096)
#define FRAMES 64u
#define FRAME(number) (BASE + (number)*PAGE)
#define TABLES 48u /* frames from here on are for tables; the last is data */
#define DEVICE UINT64_C(0x10000000)
#define RWX (VMM_R | VMM_W | VMM_X | VMM_A | VMM_D)

static uint8_t ram[FRAMES * 4096] __attribute__((aligned(4096)));
static vmm_memory_t physical = {ram, BASE, sizeof ram, {NULL, NULL, NULL}, 0};
static helper_frames_t frames;
static vmm_tables_t tables;

/* -- the machines, with their type taken off -- */

typedef struct {
    const char *name;
    vmm_fault_t *fault;
    vmm_status_t (*init)(void);
    vmm_status_t (*satp)(uint64_t satp);
    vmm_status_t (*load)(vmm_vaddr_t va, uint64_t *value, unsigned bytes, bool big_endian);
    vmm_status_t (*fetch)(vmm_vaddr_t va, uint64_t *value, unsigned bytes);
    vmm_status_t (*store)(vmm_vaddr_t va, uint64_t value, unsigned bytes, bool big_endian);
    vmm_status_t (*cas)(vmm_vaddr_t va, uint64_t expected, uint64_t desired, uint64_t *found, unsigned bytes);
    vmm_status_t (*read)(vmm_vaddr_t va, void *to, size_t bytes);
    vmm_status_t (*write)(vmm_vaddr_t va, const void *from, size_t bytes);
    vmm_status_t (*translate)(vmm_vaddr_t va, unsigned access, vmm_translation_t *t);
    void (*flush)(void);
} machine_t;

/* One width of a load: what the function left in its variable comes back whatever it returned. */
#define LOAD(NAME, verb, bits, order)                                                                                  \
    {                                                                                                                  \
        uint##bits##_t narrow = (uint##bits##_t) * value;                                                              \
        const vmm_status_t status = NAME##_##verb##bits##order(&NAME, va, &narrow);                                    \
        *value = narrow;                                                                                               \
        return status;                                                                                                 \
    }
#define CAS(NAME, bits)                                                                                                \
    {                                                                                                                  \
        uint##bits##_t narrow = (uint##bits##_t) * found;                                                              \
        const vmm_status_t status =                                                                                    \
            NAME##_cas##bits(&NAME, va, (uint##bits##_t)expected, (uint##bits##_t)desired, &narrow);                   \
        *found = narrow;                                                                                               \
        return status;                                                                                                 \
    }
#define MACHINE(NAME)                                                                                                  \
    static NAME##_mmu_t NAME;                                                                                          \
    static vmm_status_t NAME##_do_init(void)                                                                           \
    {                                                                                                                  \
        return NAME##_init(&NAME, &physical);                                                                          \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_satp(uint64_t satp)                                                                  \
    {                                                                                                                  \
        return NAME##_set_satp(&NAME, satp);                                                                           \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_load(vmm_vaddr_t va, uint64_t *value, unsigned bytes, bool big_endian)               \
    {                                                                                                                  \
        switch (bytes | (big_endian ? 16u : 0u)) {                                                                     \
        case 1:                                                                                                        \
        case 17: LOAD(NAME, load, 8, )                                                                                 \
        case 2: LOAD(NAME, load, 16, )                                                                                 \
        case 4: LOAD(NAME, load, 32, )                                                                                 \
        case 8: LOAD(NAME, load, 64, )                                                                                 \
        case 18: LOAD(NAME, load, 16, _be)                                                                             \
        case 20: LOAD(NAME, load, 32, _be)                                                                             \
        default: LOAD(NAME, load, 64, _be)                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_fetch(vmm_vaddr_t va, uint64_t *value, unsigned bytes)                               \
    {                                                                                                                  \
        switch (bytes) {                                                                                               \
        case 1: LOAD(NAME, fetch, 8, )                                                                                 \
        case 2: LOAD(NAME, fetch, 16, )                                                                                \
        case 4: LOAD(NAME, fetch, 32, )                                                                                \
        default: LOAD(NAME, fetch, 64, )                                                                               \
        }                                                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_store(vmm_vaddr_t va, uint64_t value, unsigned bytes, bool big_endian)               \
    {                                                                                                                  \
        switch (bytes | (big_endian ? 16u : 0u)) {                                                                     \
        case 1:                                                                                                        \
        case 17: return NAME##_store8(&NAME, va, (uint8_t)value);                                                      \
        case 2: return NAME##_store16(&NAME, va, (uint16_t)value);                                                     \
        case 4: return NAME##_store32(&NAME, va, (uint32_t)value);                                                     \
        case 8: return NAME##_store64(&NAME, va, value);                                                               \
        case 18: return NAME##_store16_be(&NAME, va, (uint16_t)value);                                                 \
        case 20: return NAME##_store32_be(&NAME, va, (uint32_t)value);                                                 \
        default: return NAME##_store64_be(&NAME, va, value);                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_cas(vmm_vaddr_t va, uint64_t expected, uint64_t desired, uint64_t *found,            \
                                      unsigned bytes)                                                                  \
    {                                                                                                                  \
        switch (bytes) {                                                                                               \
        case 1: CAS(NAME, 8)                                                                                           \
        case 2: CAS(NAME, 16)                                                                                          \
        case 4: CAS(NAME, 32)                                                                                          \
        default: CAS(NAME, 64)                                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_read(vmm_vaddr_t va, void *to, size_t bytes)                                         \
    {                                                                                                                  \
        return NAME##_read(&NAME, va, to, bytes);                                                                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_write(vmm_vaddr_t va, const void *from, size_t bytes)                                \
    {                                                                                                                  \
        return NAME##_write(&NAME, va, from, bytes);                                                                   \
    }                                                                                                                  \
    static vmm_status_t NAME##_do_translate(vmm_vaddr_t va, unsigned access, vmm_translation_t *t)                     \
    {                                                                                                                  \
        return NAME##_translate(&NAME, va, access, t);                                                                 \
    }                                                                                                                  \
    static void NAME##_do_flush(void)                                                                                  \
    {                                                                                                                  \
        NAME##_flush_all(&NAME);                                                                                       \
    }
#define ROW(NAME)                                                                                                      \
    {                                                                                                                  \
#NAME, &NAME.fault, NAME##_do_init, NAME##_do_satp, NAME##_do_load, NAME##_do_fetch, NAME##_do_store,          \
            NAME##_do_cas, NAME##_do_read, NAME##_do_write, NAME##_do_translate, NAME##_do_flush                       \
    }

MACHINE(full)
MACHINE(tlb)
MACHINE(none)
static const machine_t machines[] = {ROW(full), ROW(tlb), ROW(none)};

/* -- the world -- */

/* Neighbours in virtual memory are not neighbours in physical memory. */
static const struct {
    vmm_vaddr_t va;
    vmm_paddr_t pa;
    uint32_t flags;
} world[] = {
    {0x1000, FRAME(3), RWX},
    {0x2000, FRAME(1), RWX},
    {0x3000, FRAME(7), RWX},
    {0x4000, FRAME(5), RWX},
    /* 0x5000 is a hole */
    {0x6000, FRAME(2), RWX},
    {0x7000, FRAME(9), VMM_R | VMM_A | VMM_D}, /* read-only */
    {0x8000, FRAME(10), RWX},
    {0x9000, DEVICE, RWX}, /* not RAM */
    {0xa000, FRAME(11), RWX},
    {0xb000, FRAME(FRAMES - 1), RWX}, /* the last of the window */
    {0xc000, FRAME(3), RWX},          /* alias of 0x1000 */
    {0xd000, FRAME(12), VMM_X | VMM_A | VMM_D},
    {0xe000, FRAME(13), VMM_R | VMM_W | VMM_A | VMM_D},
};

static void fill_ram(void)
{
    uint64_t seed = 42;
    size_t i;
    for (i = 0; i < sizeof ram; i++)
        if (i / PAGE < TABLES || i / PAGE == FRAMES - 1) ram[i] = (uint8_t)helper_random(&seed);
}

static void begin(const machine_t *m)
{
    size_t i;
    fill_ram();
    memset(&frames, 0, sizeof frames);
    frames.base = frames.next = FRAME(TABLES);
    frames.end = FRAME(FRAMES - 1);
    frames.budget = -1;
    memset(&tables, 0, sizeof tables);
    tables.memory = &physical;
    tables.take = helper_take;
    tables.user = &frames;
    assert_int_equal(full_create(&tables), VMM_OK);
    for (i = 0; i < COUNT(world); i++)
        assert_int_equal(full_map(&tables, world[i].va, world[i].pa, PAGE, world[i].flags), VMM_OK);
    assert_int_equal(m->init(), VMM_OK);
    assert_int_equal(m->satp(UINT64_C(8) << 60 | tables.root >> 12), VMM_OK);
}

/* Where a byte lies, by the table above: null when there is no RAM. */
static uint8_t *byte_of(vmm_vaddr_t va)
{
    size_t i;
    for (i = 0; i < COUNT(world); i++)
        if (va / PAGE == world[i].va / PAGE && world[i].pa >= BASE) return ram + (world[i].pa - BASE) + va % PAGE;
    return NULL;
}

static uint64_t bytes_as_number(vmm_vaddr_t va, unsigned bytes, bool big_endian)
{
    uint64_t number = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) number |= (uint64_t)*byte_of(va + i) << 8 * (big_endian ? bytes - 1 - i : i);
    return number;
}

static void check_fault(const machine_t *m, unsigned kind, unsigned access, unsigned rule, vmm_vaddr_t va)
{
    assert_int_equal(m->fault->kind, kind);
    assert_int_equal(m->fault->access, access);
    assert_int_equal(m->fault->rule, rule);
    assert_int_equal(m->fault->vaddr, va);
}

#define FOR_EACH_MACHINE(m) for (m = machines; m < machines + COUNT(machines); m++)

/* -- loads, stores, fetches -- */

static void every_width_at_every_offset_moves_the_bytes_it_should(void **state)
{
    static uint8_t before[sizeof ram];
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes, order;
        vmm_vaddr_t va;
        begin(m);
        for (bytes = 1; bytes <= 8; bytes *= 2)
            for (order = 0; order < 2; order++)
                for (va = 0x1ff0; va < 0x2010; va++) { /* 0x2000 is crossed at every offset */
                    const uint64_t number = UINT64_C(0xf1e2d3c4b5a69788) + va * UINT64_C(0x0101010101010101);
                    uint64_t value = 0;
                    unsigned i;
                    assert_int_equal(m->load(va, &value, bytes, order), VMM_OK);
                    assert_true(value == bytes_as_number(va, bytes, order));
                    assert_int_equal(m->fetch(va, &value, bytes), VMM_OK);
                    assert_true(value == bytes_as_number(va, bytes, false));
                    memcpy(before, ram, sizeof ram);
                    assert_int_equal(m->store(va, number, bytes, order), VMM_OK);
                    assert_true(bytes_as_number(va, bytes, order) == (number & vmm_low_mask(8 * bytes)));
                    for (i = 0; i < bytes; i++) before[byte_of(va + i) - ram] = *byte_of(va + i);
                    assert_memory_equal(before, ram, sizeof ram); /* and no other byte */
                }
    }
}

static void check_crossings(unsigned kind)
{
    static const struct {
        vmm_vaddr_t edge, fault; /* where the pages meet; which of them cannot be used */
        unsigned access, rule, kind;
    } cases[] = {
        {0x5000, 0x5000, VMM_READ, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x5000, 0x5000, VMM_WRITE, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x5000, 0x5000, VMM_FETCH, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x6000, 0, VMM_READ, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x6000, 0, VMM_WRITE, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x6000, 0, VMM_FETCH, VMM_RULE_VALID, VMM_PAGE_FAULT},
        {0x7000, 0x7000, VMM_WRITE, VMM_RULE_WRITE, VMM_PAGE_FAULT},
        {0x8000, 0, VMM_WRITE, VMM_RULE_WRITE, VMM_PAGE_FAULT},
        {0xd000, 0xd000, VMM_READ, VMM_RULE_READ, VMM_PAGE_FAULT},
        {0xe000, 0xe000, VMM_FETCH, VMM_RULE_EXECUTE, VMM_PAGE_FAULT},
        {0x9000, 0x9000, VMM_READ, VMM_RULE_BUS, VMM_ACCESS_FAULT},
        {0x9000, 0x9000, VMM_WRITE, VMM_RULE_BUS, VMM_ACCESS_FAULT},
        {0x9000, 0x9000, VMM_FETCH, VMM_RULE_BUS, VMM_ACCESS_FAULT},
        {0xa000, 0, VMM_READ, VMM_RULE_BUS, VMM_ACCESS_FAULT},
        {0xa000, 0, VMM_WRITE, VMM_RULE_BUS, VMM_ACCESS_FAULT},
        {0x4000000000, 0x4000000000, VMM_READ, VMM_RULE_CANONICAL, VMM_PAGE_FAULT},
    };
    static uint8_t before[sizeof ram];
    const machine_t *m;
    FOR_EACH_MACHINE(m)
    {
        size_t i;
        unsigned bytes, order, in_first;
        begin(m);
        assert_int_equal(full_map(&tables, 0x3ffffff000, FRAME(14), PAGE, RWX), VMM_OK);
        memcpy(before, ram, sizeof ram);
        for (i = 0; i < COUNT(cases); i++)
            for (bytes = 2; bytes <= 8; bytes *= 2)
                for (order = 0; cases[i].kind == kind && order < 2; order++)
                    for (in_first = 1; in_first < bytes; in_first++) {
                        const vmm_vaddr_t va = cases[i].edge - in_first;
                        const uint64_t pattern = UINT64_C(0x5aa5c33c96690ff0) & vmm_low_mask(8 * bytes);
                        uint64_t value = pattern;
                        vmm_status_t status;
                        if (cases[i].access == VMM_READ) status = m->load(va, &value, bytes, order);
                        else if (cases[i].access == VMM_WRITE) status = m->store(va, ~pattern, bytes, order);
                        else status = m->fetch(va, &value, bytes);
                        assert_int_equal(status, VMM_FAULT);
                        check_fault(m, cases[i].kind, cases[i].access, cases[i].rule,
                                    cases[i].fault ? cases[i].fault : va);
                        if (value != pattern)
                            fail_msg("%s: the value was touched by a faulting access %u of %u bytes at %#llx", m->name,
                                     cases[i].access, bytes, (unsigned long long)va);
                    }
        assert_memory_equal(before, ram, sizeof ram);
    }
}

static void both_pages_of_a_crossing_are_translated_before_either_is_touched(void **state)
{
    (void)state;
    check_crossings(VMM_PAGE_FAULT);
}

static void a_crossing_into_nothing_touches_neither_memory_nor_the_value(void **state)
{
    (void)state;
    check_crossings(VMM_ACCESS_FAULT);
}

static void an_access_at_the_very_end_of_the_window_stays_in_it(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes;
        uint64_t value = 0;
        begin(m);
        for (bytes = 1; bytes <= 8; bytes *= 2) {
            const vmm_vaddr_t va = 0xc000 - bytes;
            assert_int_equal(m->store(va, 0x8877665544332211, bytes, false), VMM_OK);
            assert_int_equal(ram[sizeof ram - bytes], 0x11);
            assert_int_equal(m->load(va, &value, bytes, false), VMM_OK);
            assert_true(value == (0x8877665544332211 & vmm_low_mask(8 * bytes)));
        }
        /* The same with translation off, where the next byte is nothing. */
        assert_int_equal(m->satp(0), VMM_OK);
        for (bytes = 1; bytes <= 8; bytes *= 2) {
            const vmm_vaddr_t va = BASE + sizeof ram - bytes;
            assert_int_equal(m->store(va, 0x8877665544332211, bytes, false), VMM_OK);
            assert_int_equal(m->load(va, &value, bytes, false), VMM_OK);
            assert_true(value == (0x8877665544332211 & vmm_low_mask(8 * bytes)));
            assert_int_equal(m->load(va + 1, &value, bytes, false), VMM_FAULT);
            check_fault(m, VMM_ACCESS_FAULT, VMM_READ, VMM_RULE_BUS, BASE + sizeof ram);
        }
    }
}

static void a_store_is_seen_through_every_alias(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        uint64_t seed = 7, value = 0;
        unsigned i;
        begin(m);
        for (i = 0; i < 2000; i++) {
            const uint64_t r = helper_random(&seed), offset = (r >> 8) % (PAGE - 8);
            const unsigned bytes = 1u << (r & 3);
            const vmm_vaddr_t one = r & 4 ? 0x1000 : 0xc000, other = one ^ 0xd000;
            assert_int_equal(m->store(one + offset, r, bytes, r & 8), VMM_OK);
            assert_int_equal(m->load(other + offset, &value, bytes, r & 8), VMM_OK);
            assert_true(value == (r & vmm_low_mask(8 * bytes)));
        }
    }
}

static void translate_tells_where_an_address_leads_and_touches_nothing_there(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned access;
        vmm_status_t status;
        vmm_paddr_t pa;
    } cases[] = {
        {0x1234, VMM_READ, VMM_OK, FRAME(3) + 0x234},
        {0x2fff, VMM_WRITE, VMM_OK, FRAME(1) + 0xfff},
        {0x3000, VMM_FETCH, VMM_OK, FRAME(7)},
        {0x9876, VMM_READ, VMM_OK, DEVICE + 0x876},
        {0x5000, VMM_READ, VMM_FAULT, 0},
        {0x7000, VMM_WRITE, VMM_FAULT, 0},
        {0xd000, VMM_READ, VMM_FAULT, 0},
        {0xd010, VMM_FETCH, VMM_OK, FRAME(12) + 0x10},
        {0x1234, VMM_FETCH + 1, VMM_E_ARGUMENT, 0},
    };
    static uint8_t before[sizeof ram];
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        size_t i;
        begin(m);
        memcpy(before, ram, sizeof ram);
        for (i = 0; i < 2 * COUNT(cases); i++) { /* twice: the second time what is remembered */
            const size_t c = i % COUNT(cases);
            vmm_translation_t t;
            memset(&t, 0, sizeof t);
            assert_int_equal(m->translate(cases[c].va, cases[c].access, &t), cases[c].status);
            if (cases[c].status == VMM_OK) {
                assert_true(t.paddr == cases[c].pa);
                assert_int_equal(t.level, 0);
                assert_int_equal(t.page_shift, 12);
            }
        }
        assert_memory_equal(before, ram, sizeof ram);
    }
}

/* -- blocks -- */

static void a_block_is_the_bytes_of_its_pages_in_order(void **state)
{
    static uint8_t block[4 * 4096];
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        uint64_t seed = 5;
        unsigned i;
        begin(m);
        for (i = 0; i < 400; i++) {
            const vmm_vaddr_t va = 0x1000 + helper_random(&seed) % (4 * PAGE);
            const size_t room = (size_t)(0x5000 - va);
            const size_t bytes = i % 4 ? (size_t)(helper_random(&seed) % (room + 1)) : room;
            size_t j;
            memset(block, 0, sizeof block);
            assert_int_equal(m->read(va, block, bytes), VMM_OK);
            for (j = 0; j < bytes; j++)
                if (block[j] != *byte_of(va + j)) fail_msg("%s: byte %u of the block", m->name, (unsigned)j);
            for (j = bytes; j < sizeof block && j < bytes + 16; j++) assert_int_equal(block[j], 0);
            for (j = 0; j < bytes; j++) block[j] = (uint8_t)helper_random(&seed);
            assert_int_equal(m->write(va, block, bytes), VMM_OK);
            for (j = 0; j < bytes; j++)
                if (block[j] != *byte_of(va + j)) fail_msg("%s: byte %u in memory", m->name, (unsigned)j);
        }
    }
}

static void check_blocks(bool is_bus)
{
    static const struct {
        vmm_vaddr_t va;
        size_t bytes;
        unsigned access;
        vmm_vaddr_t fault;
        unsigned rule;
    } cases[] = {
        {0x1800, 0x4000, VMM_READ, 0x5000, VMM_RULE_VALID},  {0x1800, 0x4000, VMM_WRITE, 0x5000, VMM_RULE_VALID},
        {0x4fff, 2, VMM_READ, 0x5000, VMM_RULE_VALID},       {0x5fff, 2, VMM_WRITE, 0x5fff, VMM_RULE_VALID},
        {0x6000, 0x1001, VMM_WRITE, 0x7000, VMM_RULE_WRITE}, {0x7000, 1, VMM_WRITE, 0x7000, VMM_RULE_WRITE},
        {0xc000, 0x1008, VMM_READ, 0xd000, VMM_RULE_READ},   {0xd000, 0x1008, VMM_READ, 0xd000, VMM_RULE_READ},
        {0x9008, 8, VMM_READ, 0x9008, VMM_RULE_BUS},         {0x8ff8, 16, VMM_READ, 0x9000, VMM_RULE_BUS},
        {0x8ff8, 16, VMM_WRITE, 0x9000, VMM_RULE_BUS},       {0x6000, 0x4800, VMM_READ, 0x9000, VMM_RULE_BUS},
    };
    static uint8_t before[sizeof ram], block[5 * 4096];
    const machine_t *m;
    FOR_EACH_MACHINE(m)
    {
        size_t i, j;
        begin(m);
        memcpy(before, ram, sizeof ram);
        for (i = 0; i < COUNT(cases); i++) {
            if ((cases[i].rule == VMM_RULE_BUS) != is_bus) continue;
            memset(block, 0xcd, sizeof block);
            if (cases[i].access == VMM_READ) assert_int_equal(m->read(cases[i].va, block, cases[i].bytes), VMM_FAULT);
            else assert_int_equal(m->write(cases[i].va, block, cases[i].bytes), VMM_FAULT);
            assert_int_equal(m->fault->rule, cases[i].rule);
            assert_int_equal(m->fault->access, cases[i].access);
            assert_int_equal(m->fault->vaddr, cases[i].fault);
            for (j = 0; j < sizeof block; j++)
                if (block[j] != 0xcd) fail_msg("%s, case %u: byte %u was copied", m->name, (unsigned)i, (unsigned)j);
            if (memcmp(before, ram, sizeof ram) != 0) fail_msg("%s, case %u: memory was written", m->name, (unsigned)i);
        }
    }
}

static void a_block_with_a_page_that_faults_copies_nothing(void **state)
{
    (void)state;
    check_blocks(false);
}

static void a_block_that_reaches_into_nothing_copies_nothing(void **state)
{
    (void)state;
    check_blocks(true);
}

static void a_block_of_no_bytes_asks_nobody(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        begin(m);
        assert_int_equal(m->read(0x5000, ram, 0), VMM_OK);
        assert_int_equal(m->write(0x5000, ram, 0), VMM_OK);
        assert_int_equal(m->read(~UINT64_C(0), ram, 0), VMM_OK);
        assert_int_equal(m->read(0x2000, ram, 0), VMM_OK);
        assert_int_equal(m->fault->kind, VMM_NO_FAULT);
    }
}

/* A device that counts: reading gives the low bits of the address, from `refuse_at` on nothing. */
static vmm_paddr_t refuse_at;
static uint8_t device[4096];

static int device_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    unsigned i;
    if (user != device || paddr < DEVICE || paddr + bytes > DEVICE + sizeof device) return -1;
    if (paddr + bytes > refuse_at) return 1;
    for (*value = 0, i = 0; i < bytes; i++) *value |= (uint64_t)device[paddr - DEVICE + i] << 8 * i;
    return 0;
}

static int device_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    unsigned i;
    if (user != device || paddr < DEVICE || paddr + bytes > DEVICE + sizeof device) return -1;
    if (paddr + bytes > refuse_at) return 1;
    for (i = 0; i < bytes; i++) device[paddr - DEVICE + i] = (uint8_t)(value >> 8 * i);
    return 0;
}

static uint8_t *byte_or_device(vmm_vaddr_t va)
{
    return va / PAGE == 9 ? device + va % PAGE : byte_of(va);
}

static void a_device_answers_accesses_crossings_and_blocks(void **state)
{
    static uint8_t block[3 * 4096];
    const machine_t *m;
    physical.bus.read = device_read;
    physical.bus.write = device_write;
    physical.bus.user = device;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes, i, order;
        vmm_vaddr_t va;
        size_t j;
        refuse_at = ~UINT64_C(0);
        for (i = 0; i < sizeof device; i++) device[i] = (uint8_t)(i * 7 + 1);
        begin(m);
        for (bytes = 1; bytes <= 8; bytes *= 2)
            for (order = 0; order < 2; order++)
                for (va = 0x8ff8; va < 0xa004; va += va == 0x9008 ? 0xff0 : 1) {
                    const uint64_t number = UINT64_C(0x0123456789abcdef) * (va | 1);
                    uint64_t value = 0;
                    for (i = 0; i < bytes; i++)
                        value |= (uint64_t)*byte_or_device(va + i) << 8 * (order ? bytes - 1 - i : i);
                    {
                        uint64_t got = 0;
                        assert_int_equal(m->load(va, &got, bytes, order), VMM_OK);
                        assert_true(got == value);
                    }
                    assert_int_equal(m->store(va, number, bytes, order), VMM_OK);
                    for (i = 0; i < bytes; i++)
                        assert_int_equal(*byte_or_device(va + i), (uint8_t)(number >> 8 * (order ? bytes - 1 - i : i)));
                }
        assert_int_equal(m->read(0x8123, block, 0x2000), VMM_OK);
        for (j = 0; j < 0x2000; j++) assert_int_equal(block[j], *byte_or_device(0x8123 + j));
        for (j = 0; j < 0x2000; j++) block[j] = (uint8_t)(j * 13);
        assert_int_equal(m->write(0x8123, block, 0x2000), VMM_OK);
        for (j = 0; j < 0x2000; j++) assert_int_equal(*byte_or_device(0x8123 + j), block[j]);
    }
}

static void a_device_that_refuses_a_crossing_leaves_the_value_and_ram_as_they_were(void **state)
{
    const machine_t *m;
    physical.bus.read = device_read;
    physical.bus.write = device_write;
    physical.bus.user = device;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes, i;
        begin(m);
        refuse_at = DEVICE;
        for (bytes = 2; bytes <= 8; bytes *= 2)
            for (i = 1; i < bytes; i++) {
                uint64_t value = 0x55;
                uint8_t was[8];
                memcpy(was, byte_of(0x8ff8), 8);
                assert_int_equal(m->store(0x9000 - i, ~UINT64_C(0), bytes, false), VMM_FAULT);
                check_fault(m, VMM_ACCESS_FAULT, VMM_WRITE, VMM_RULE_BUS, 0x9000);
                assert_memory_equal(was, byte_of(0x8ff8), 8);
                assert_int_equal(m->load(0x9000 - i, &value, bytes, false), VMM_FAULT);
                check_fault(m, VMM_ACCESS_FAULT, VMM_READ, VMM_RULE_BUS, 0x9000);
                if (value != 0x55) fail_msg("%s: a refused load of %u bytes touched the value", m->name, bytes);
            }
    }
}

static int without_device(void **state)
{
    (void)state;
    memset(&physical.bus, 0, sizeof physical.bus);
    return 0;
}

/* -- compare-and-swap -- */

static void compare_and_swap_swaps_what_is_equal_and_tells_what_was_there(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes;
        vmm_vaddr_t va;
        begin(m);
        for (bytes = 1; bytes <= 8; bytes *= 2)
            for (va = 0x2fe0; va < 0x3020; va += bytes) {
                const uint64_t mask = vmm_low_mask(8 * bytes), was = bytes_as_number(va, bytes, false);
                uint64_t found = ~was;
                assert_int_equal(m->cas(va, was ^ 1, 0x1122334455667788, &found, bytes), VMM_OK);
                assert_true(found == was);
                assert_true(bytes_as_number(va, bytes, false) == was);
                found = ~was;
                assert_int_equal(m->cas(va, was, 0x1122334455667788, &found, bytes), VMM_OK);
                assert_true(found == was);
                assert_true(bytes_as_number(va, bytes, false) == (0x1122334455667788 & mask));
            }
    }
}

static void compare_and_swap_faults_without_touching_anything(void **state)
{
    static const struct {
        vmm_vaddr_t va;
        unsigned bytes, kind, rule, cause;
    } cases[] = {
        {0x1001, 2, VMM_ALIGN_FAULT, VMM_RULE_ALIGN, 6}, {0x1002, 4, VMM_ALIGN_FAULT, VMM_RULE_ALIGN, 6},
        {0x1004, 8, VMM_ALIGN_FAULT, VMM_RULE_ALIGN, 6}, {0x1ffc, 8, VMM_ALIGN_FAULT, VMM_RULE_ALIGN, 6},
        {0x5001, 8, VMM_ALIGN_FAULT, VMM_RULE_ALIGN, 6}, {0x9000, 1, VMM_ACCESS_FAULT, VMM_RULE_BUS, 7},
        {0x9008, 8, VMM_ACCESS_FAULT, VMM_RULE_BUS, 7},  {0x7000, 1, VMM_PAGE_FAULT, VMM_RULE_WRITE, 15},
        {0x7010, 4, VMM_PAGE_FAULT, VMM_RULE_WRITE, 15}, {0x5000, 2, VMM_PAGE_FAULT, VMM_RULE_VALID, 15},
        {0xd000, 8, VMM_PAGE_FAULT, VMM_RULE_WRITE, 15},
    };
    static uint8_t before[sizeof ram];
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        size_t i;
        begin(m);
        memcpy(before, ram, sizeof ram);
        for (i = 0; i < COUNT(cases); i++) {
            uint64_t found = 0x33, seen = 0;
            (void)m->load(cases[i].va & ~UINT64_C(7), &seen, cases[i].bytes, false); /* a read may be remembered */
            assert_int_equal(m->cas(cases[i].va, seen, 0x77, &found, cases[i].bytes), VMM_FAULT);
            check_fault(m, cases[i].kind, VMM_WRITE, cases[i].rule, cases[i].va);
            assert_int_equal(m->fault->cause, cases[i].cause);
            assert_int_equal(found, 0x33);
        }
        assert_memory_equal(before, ram, sizeof ram);
    }
}

static void a_fetch_is_judged_by_the_right_to_execute_and_a_load_by_that_to_read(void **state)
{
    const machine_t *m;
    (void)state;
    FOR_EACH_MACHINE(m)
    {
        unsigned bytes;
        begin(m);
        for (bytes = 1; bytes <= 8; bytes *= 2) {
            uint64_t value = 0x99;
            assert_int_equal(m->fetch(0xe000, &value, bytes), VMM_FAULT);
            check_fault(m, VMM_PAGE_FAULT, VMM_FETCH, VMM_RULE_EXECUTE, 0xe000);
            assert_int_equal(m->load(0xd000, &value, bytes, false), VMM_FAULT);
            check_fault(m, VMM_PAGE_FAULT, VMM_READ, VMM_RULE_READ, 0xd000);
            assert_int_equal(value, 0x99);
            assert_int_equal(m->fetch(0xd003, &value, bytes), VMM_OK);
            assert_true(value == bytes_as_number(0xd003, bytes, false));
            assert_int_equal(m->load(0xe003, &value, bytes, false), VMM_OK);
            assert_true(value == bytes_as_number(0xe003, bytes, false));
        }
        m->flush();
    }
}

/* One level, pages of 64 bytes, and rights to read and to write apart. */
static const vmm_paging_t apart_paging = {"apart",
                                          VMM_RULES_GENERIC,
                                          VMM_RIGHTS_LEAF,
                                          VMM_VADDR_ZERO,
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
                                          /* read */ 2,
                                          /* write */ 4,
                                          /* execute */ 0,
                                          /* user */ 0,
                                          /* global */ 0,
                                          /* accessed */ 0,
                                          /* dirty */ 0,
                                          /* huge */ 0,
                                          /* inverted */ 0,
                                          0,
                                          0};
static const vmm_arch_t apart_arch = VMM_ARCH_OF(apart_paging);
VMM_MMU(apart, VMM_ARCH_PLAIN(apart_arch), VMM_STAGES(4, 1, 2, 2, 2, VMM_LRU))
static apart_mmu_t apart;

static void a_swap_on_a_page_that_may_be_written_but_not_read_faults_as_a_store(void **state)
{
    uint32_t found = 7;
    unsigned again;
    (void)state;
    memset(ram, 0, sizeof ram);
    vmm_put(ram + 8, FRAME(2) >> 6 << 12 | 1 | 4, 8);
    vmm_put(ram + 16, FRAME(2) >> 6 << 12 | 1 | 2, 8);
    vmm_put(ram + 24, FRAME(2) >> 6 << 12 | 1 | 2 | 4, 8);
    assert_int_equal(apart_init(&apart, &physical), VMM_OK);
    assert_int_equal(apart_set_root(&apart, BASE, 0), VMM_OK);
    for (again = 0; again < 2; again++) {
        assert_int_equal(apart_cas32(&apart, 0x40, again, 9, &found), VMM_FAULT);
        assert_int_equal(apart.fault.kind, VMM_PAGE_FAULT);
        assert_int_equal(apart.fault.access, VMM_WRITE);
        assert_int_equal(apart.fault.cause, 15);
        assert_int_equal(apart.fault.rule, VMM_RULE_READ);
        assert_int_equal(apart.fault.vaddr, 0x40);
        assert_int_equal(apart_cas32(&apart, 0x80, again, 9, &found), VMM_FAULT);
        assert_int_equal(apart.fault.cause, 15);
        assert_int_equal(apart.fault.rule, VMM_RULE_WRITE);
        assert_int_equal(found, 7);
        assert_int_equal(vmm_get(ram + 2 * PAGE, 4), again);
        assert_int_equal(apart_store32(&apart, 0x40, again + 1), VMM_OK); /* which the caches then know */
    }
    assert_int_equal(apart_load32(&apart, 0x40, &found), VMM_FAULT);
    assert_int_equal(apart.fault.cause, 13);
    assert_int_equal(apart_cas32(&apart, 0xc0, 2, 9, &found), VMM_OK);
    assert_int_equal(found, 2);
    assert_int_equal(vmm_get(ram + 2 * PAGE, 4), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_at_every_offset_moves_the_bytes_it_should),
        cmocka_unit_test(both_pages_of_a_crossing_are_translated_before_either_is_touched),
        cmocka_unit_test(a_crossing_into_nothing_touches_neither_memory_nor_the_value),
        cmocka_unit_test(an_access_at_the_very_end_of_the_window_stays_in_it),
        cmocka_unit_test(a_store_is_seen_through_every_alias),
        cmocka_unit_test(translate_tells_where_an_address_leads_and_touches_nothing_there),
        cmocka_unit_test(a_block_is_the_bytes_of_its_pages_in_order),
        cmocka_unit_test(a_block_with_a_page_that_faults_copies_nothing),
        cmocka_unit_test(a_block_that_reaches_into_nothing_copies_nothing),
        cmocka_unit_test(a_block_of_no_bytes_asks_nobody),
        cmocka_unit_test_teardown(a_device_answers_accesses_crossings_and_blocks, without_device),
        cmocka_unit_test_teardown(a_device_that_refuses_a_crossing_leaves_the_value_and_ram_as_they_were,
                                  without_device),
        cmocka_unit_test(compare_and_swap_swaps_what_is_equal_and_tells_what_was_there),
        cmocka_unit_test(compare_and_swap_faults_without_touching_anything),
        cmocka_unit_test(a_fetch_is_judged_by_the_right_to_execute_and_a_load_by_that_to_read),
        cmocka_unit_test(a_swap_on_a_page_that_may_be_written_but_not_read_faults_as_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
