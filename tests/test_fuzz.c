/* test_fuzz.c - a hostile guest. RAM holds random bytes or bent page tables, registers and addresses
 * are random, and edits work on such tables too. Nothing is asserted but that every status and rule
 * is one, and that no byte outside RAM is touched: RAM is a block of malloc of exactly its size, which
 * the address sanitizer guards on both sides. */
#include "helper.h"

#define VMM_IMPLEMENTATION
#include "../vmm.h"

/* 3 unequal levels in pages of 256 bytes, every level grants. */
static const vmm_paging_t small_format = {"small",
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
                                          16,
                                          0x01,
                                          0x02,
                                          0x04,
                                          0x08,
                                          0x10,
                                          0x20,
                                          0x40,
                                          0x80,
                                          0x100,
                                          0x08 | 0x10 | 0x40 | 0x100,
                                          0x200,
                                          0x400};

static const vmm_arch_t two_level_arch = VMM_ARCH_OF(vmm_two_level);
static const vmm_arch_t small_arch = VMM_ARCH_OF(small_format);

VMM_MMU(rv64, VMM_ARCH_RISCV64, VMM_STAGES(16, 3, 8, 4, 2, VMM_PLRU))
VMM_MMU(rv64_fast, VMM_RISCV64)
VMM_MMU(rv32, VMM_RISCV32)
VMM_MMU(two, VMM_ARCH_PLAIN(two_level_arch), VMM_STAGES(8, 1, 4, 2, 3, VMM_RANDOM))
VMM_MMU(small, VMM_ARCH_PLAIN(small_arch), VMM_STAGES(8, 2, 0, 2, 2, VMM_LRU))

#define KINDS 26
#define BLOCK 700

/* ---- the guests: one line of calls for each instance ---- */

#define GUEST(NAME)                                                                                                    \
    static NAME##_mmu_t NAME##_guest;                                                                                  \
    static vmm_status_t NAME##_open(const vmm_memory_t *memory)                                                        \
    {                                                                                                                  \
        return NAME##_init(&NAME##_guest, memory);                                                                     \
    }                                                                                                                  \
    static const vmm_fault_t *NAME##_fault(void)                                                                       \
    {                                                                                                                  \
        return &NAME##_guest.fault;                                                                                    \
    }                                                                                                                  \
    static vmm_status_t NAME##_access(unsigned kind, vmm_vaddr_t va, uint64_t value, uint8_t *block, size_t size)      \
    {                                                                                                                  \
        NAME##_mmu_t *mmu = &NAME##_guest;                                                                             \
        uint8_t v8 = (uint8_t)value;                                                                                   \
        uint16_t v16 = (uint16_t)value;                                                                                \
        uint32_t v32 = (uint32_t)value;                                                                                \
        vmm_translation_t t;                                                                                           \
        vmm_examination_t x;                                                                                           \
        switch (kind) {                                                                                                \
        case 0: return NAME##_load8(mmu, va, &v8);                                                                     \
        case 1: return NAME##_load16(mmu, va, &v16);                                                                   \
        case 2: return NAME##_load32(mmu, va, &v32);                                                                   \
        case 3: return NAME##_load64(mmu, va, &value);                                                                 \
        case 4: return NAME##_load16_be(mmu, va, &v16);                                                                \
        case 5: return NAME##_load32_be(mmu, va, &v32);                                                                \
        case 6: return NAME##_load64_be(mmu, va, &value);                                                              \
        case 7: return NAME##_store8(mmu, va, v8);                                                                     \
        case 8: return NAME##_store16(mmu, va, v16);                                                                   \
        case 9: return NAME##_store32(mmu, va, v32);                                                                   \
        case 10: return NAME##_store64(mmu, va, value);                                                                \
        case 11: return NAME##_store16_be(mmu, va, v16);                                                               \
        case 12: return NAME##_store32_be(mmu, va, v32);                                                               \
        case 13: return NAME##_store64_be(mmu, va, value);                                                             \
        case 14: return NAME##_fetch8(mmu, va, &v8);                                                                   \
        case 15: return NAME##_fetch16(mmu, va, &v16);                                                                 \
        case 16: return NAME##_fetch32(mmu, va, &v32);                                                                 \
        case 17: return NAME##_fetch64(mmu, va, &value);                                                               \
        case 18: return NAME##_cas8(mmu, va, v8, 1, &v8);                                                              \
        case 19: return NAME##_cas16(mmu, va, v16, 2, &v16);                                                           \
        case 20: return NAME##_cas32(mmu, va, v32, 3, &v32);                                                           \
        case 21: return NAME##_cas64(mmu, va, value, 4, &value);                                                       \
        case 22: return NAME##_read(mmu, va, block, size);                                                             \
        case 23: return NAME##_write(mmu, va, block, size);                                                            \
        case 24: return NAME##_translate(mmu, va, (unsigned)value & 3u, &t);                                           \
        default: NAME##_examine(mmu, va, (unsigned)value & 3u, &x); return (vmm_status_t)x.status;                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_forget(unsigned kind, vmm_vaddr_t va, uint16_t asid)                                            \
    {                                                                                                                  \
        switch (kind) {                                                                                                \
        case 0: NAME##_flush_all(&NAME##_guest); break;                                                                \
        case 1: NAME##_flush_asid(&NAME##_guest, asid); break;                                                         \
        case 2: NAME##_flush_page(&NAME##_guest, va); break;                                                           \
        default: NAME##_flush_page_asid(&NAME##_guest, va, asid); break;                                               \
        }                                                                                                              \
    }                                                                                                                  \
    static vmm_status_t NAME##_edit(unsigned kind, vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa,               \
                                    uint64_t bytes, uint32_t flags, vmm_visitor_t visitor, void *user)                 \
    {                                                                                                                  \
        vmm_mapping_t m;                                                                                               \
        uint64_t merged;                                                                                               \
        tables->flush = NAME##_flush_told;                                                                             \
        tables->flush_user = &NAME##_guest;                                                                            \
        switch (kind) {                                                                                                \
        case 0: return NAME##_map(tables, va, pa, bytes, flags);                                                       \
        case 1: return NAME##_unmap(tables, va, bytes);                                                                \
        case 2: return NAME##_protect(tables, va, bytes, flags);                                                       \
        case 3: return NAME##_merge(tables, va, bytes, &merged);                                                       \
        case 4: return NAME##_query(tables, va, &m);                                                                   \
        case 5: return NAME##_visit(tables, visitor, user);                                                            \
        case 6: return NAME##_create(tables);                                                                          \
        default: return NAME##_destroy(tables);                                                                        \
        }                                                                                                              \
    }
#define GUEST_RISCV(NAME)                                                                                              \
    GUEST(NAME)                                                                                                        \
    static vmm_status_t NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                   \
    {                                                                                                                  \
        switch (which) {                                                                                               \
        case 0: return NAME##_set_privilege(&NAME##_guest, (unsigned)value & 3u);                                      \
        case 1: return NAME##_set_mstatus(&NAME##_guest, value);                                                       \
        case 2: NAME##_set_menvcfg(&NAME##_guest, value); return VMM_OK;                                               \
        case 3: return NAME##_set_features(&NAME##_guest, (unsigned)value & 31u);                                      \
        default: return NAME##_set_satp(&NAME##_guest, riscv_satp(NAME##_model.arch, value, root));                    \
        }                                                                                                              \
    }
#define GUEST_PLAIN(NAME)                                                                                              \
    GUEST(NAME)                                                                                                        \
    static vmm_status_t NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                   \
    {                                                                                                                  \
        if (which > 0) return NAME##_set_root(&NAME##_guest, value & 64 ? value : root, (uint16_t)(value & 3));        \
        NAME##_set_user(&NAME##_guest, value & 1);                                                                     \
        return VMM_OK;                                                                                                 \
    }

/* A mode that exists, mostly; few ASIDs. */
static uint64_t riscv_satp(const vmm_arch_t *arch, uint64_t value, vmm_paddr_t root)
{
    const uint64_t mode = (value & 7) == 0 ? value >> 8 & 15 : arch->mode[(value >> 8) % arch->formats];
    if (arch->format[0]->pte_bytes == 4)
        return (mode & 1) << 31 | (value >> 12 & 3) << 22 | (root >> 12 & vmm_low_mask(22));
    return mode << 60 | (value >> 12 & 3) << 44 | (root >> 12 & vmm_low_mask(44));
}

GUEST_RISCV(rv64)
GUEST_RISCV(rv64_fast)
GUEST_RISCV(rv32)
GUEST_PLAIN(two)
GUEST_PLAIN(small)

typedef struct guest {
    const char *name;
    const vmm_arch_t *arch;
    vmm_status_t (*open)(const vmm_memory_t *memory);
    const vmm_fault_t *(*fault)(void);
    vmm_status_t (*access)(unsigned kind, vmm_vaddr_t va, uint64_t value, uint8_t *block, size_t size);
    void (*forget)(unsigned kind, vmm_vaddr_t va, uint16_t asid);
    vmm_status_t (*edit)(unsigned kind, vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes,
                         uint32_t flags, vmm_visitor_t visitor, void *user);
    vmm_status_t (*set)(unsigned which, uint64_t value, vmm_paddr_t root);
} guest_t;

#define CALLS(NAME) NAME##_open, NAME##_fault, NAME##_access, NAME##_forget, NAME##_edit, NAME##_set
static const guest_t guests[] = {
    {"RV64 with every stage", &vmm_arch_riscv64, CALLS(rv64)},
    {"RV64, fast", &vmm_arch_riscv64, CALLS(rv64_fast)},
    {"RV32", &vmm_arch_riscv32, CALLS(rv32)},
    {"two-level", &two_level_arch, CALLS(two)},
    {"small", &small_arch, CALLS(small)},
};

/* ---- its world ---- */

static struct {
    const guest_t *guest;
    const vmm_paging_t *p; /* the format whose entries are made */
    vmm_memory_t memory;
    uint64_t state;
    uint64_t pages;
    vmm_vaddr_t favourite[8]; /* addresses that are used again and again */
} w;

static uint64_t any(void)
{
    return helper_random(&w.state);
}

static uint64_t below(uint64_t n)
{
    return any() % n;
}

/* Mostly a page of RAM; sometimes one just outside, or anything. */
static vmm_paddr_t any_frame(void)
{
    const uint64_t chance = below(32);
    if (chance == 0) return any() & ~vmm_low_mask(w.p->page_shift);
    if (chance == 1) return w.memory.base + w.memory.size;
    if (chance == 2) return w.memory.base - (UINT64_C(1) << w.p->page_shift);
    return w.memory.base + (below(w.pages) << w.p->page_shift);
}

static vmm_pte_t any_pte(void)
{
    const vmm_pte_t flags = any() & vmm_low_mask(w.p->ppn_lsb);
    vmm_pte_t pte = vmm_pte_frame(w.p, any_frame()) | flags | w.p->valid;
    const uint64_t chance = below(16);
    if (chance < 6) pte = vmm_pte_pointer(w.p, any_frame(), 1);
    if (chance == 6) pte &= ~w.p->valid;
    if (chance == 7) pte = any();
    if (chance == 8 && w.p->pte_bytes == 8) pte |= any() & UINT64_C(0xe000000000000000);
    return pte;
}

static void any_entry_written(void)
{
    const uint64_t at = below(w.memory.size / w.p->pte_bytes) * w.p->pte_bytes;
    vmm_pte_store(w.p, (uint8_t *)w.memory.ram + at, any_pte());
}

static vmm_vaddr_t any_va(void)
{
    const uint64_t chance = below(16);
    vmm_vaddr_t va = w.favourite[below(8)];
    if (chance == 0) w.favourite[below(8)] = vmm_make_canonical(w.p, any());
    if (chance == 1) return any();
    if (chance < 4) va = (va | vmm_low_mask(w.p->page_shift)) - below(9);
    if (chance == 4) va = w.memory.base + w.memory.size - below(16);
    if (chance == 5) va = w.memory.base + below(16) - 8;
    return va ^ below(64);
}

static int any_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    (void)user, (void)paddr;
    assert_true(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
    *value = any();
    return below(4) == 0;
}

static int any_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    (void)user, (void)paddr, (void)value;
    assert_true(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
    return below(4) == 0;
}

static int any_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    (void)user;
    *table = any_frame() & ~(bytes - 1);
    return below(16) == 0;
}

static int stop_after(void *user, const vmm_mapping_t *m)
{
    assert_true(m->status == VMM_OK || m->status == VMM_E_TABLE);
    return --*(int *)user <= 0;
}

static void world_open(const guest_t *guest, uint64_t seed)
{
    uint64_t i;
    memset(&w, 0, sizeof w);
    w.guest = guest;
    w.state = seed;
    w.p = guest->arch->format[0];
    w.pages = 16 + below(49);
    w.memory.size = w.pages << w.p->page_shift;
    w.memory.base = below(3) ? UINT64_C(0x8000000) : 0;
    w.memory.ram = malloc((size_t)w.memory.size);
    assert_non_null(w.memory.ram);
    if (below(2)) {
        w.memory.bus.read = any_read;
        w.memory.bus.write = any_write;
    }
    if (below(4) == 0) w.memory.paddr_bits = 28;
    for (i = 0; i < 8; i++) w.favourite[i] = vmm_make_canonical(w.p, any());
    switch (below(3)) {
    case 0: /* random bytes */
        for (i = 0; i < w.memory.size / 8; i++) ((uint64_t *)w.memory.ram)[i] = any();
        break;
    case 1: /* tables, full */
        for (i = 0; i < w.memory.size; i += w.p->pte_bytes) vmm_pte_store(w.p, (uint8_t *)w.memory.ram + i, any_pte());
        break;
    default: /* tables, sparse */
        memset(w.memory.ram, 0, (size_t)w.memory.size);
        for (i = 0; i < w.pages * 8; i++) any_entry_written();
        break;
    }
    assert_int_equal(guest->open(&w.memory), VMM_OK);
}

/* Flags that get past the first checks, mostly. */
static uint32_t any_flags(unsigned kind)
{
    const uint32_t rights = VMM_R | VMM_W | VMM_X | VMM_U | VMM_G;
    const uint32_t options = VMM_REPLACE | VMM_NO_HUGE | VMM_A | VMM_D;
    if (below(16) == 0) return (uint32_t)any();
    return ((uint32_t)any() & rights) | VMM_R | (kind == 0 ? ((uint32_t)any() & options) : 0u) |
           (kind == 0 && below(3) ? (uint32_t)VMM_REPLACE : 0u);
}

static void step_edit(void)
{
    vmm_tables_t tables;
    const uint64_t huge = UINT64_C(1) << vmm_level_shift(w.p, 1);
    uint64_t bytes = below(65) << w.p->page_shift;
    vmm_vaddr_t va = any_va() & ~vmm_low_mask(w.p->page_shift);
    unsigned kind = (unsigned)below(8);
    int left = 40;
    memset(&tables, 0, sizeof tables);
    tables.memory = &w.memory;
    tables.root = any_frame();
    tables.format = (uint32_t)below(4);
    tables.take = any_take;
    if (below(8) == 0) {
        va &= ~(huge - 1);
        bytes = huge;
    }
    if (below(32) == 0) va += below(16), bytes += below(16);
    /* A tree that points across itself can have 512^4 tables. Only one that a visit sees the end of
     * is taken down. */
    if (kind == 7 && w.guest->edit(5, &tables, 0, 0, 0, 0, stop_after, &left) != VMM_OK) return;
    left = 40;
    assert_true(w.guest->edit(kind, &tables, va, any_frame(), bytes, any_flags(kind), stop_after, &left) <=
                VMM_E_STOPPED);
}

static void step(bool edits)
{
    static uint8_t block[BLOCK];
    const uint64_t chance = below(64);
    vmm_status_t status;
    if (chance < 4) {
        any_entry_written();
    } else if (chance < 8) {
        w.guest->forget((unsigned)below(4), any_va(), (uint16_t)below(5));
    } else if (chance < 12) {
        status = w.guest->set((unsigned)below(8), any(), any_frame());
        assert_true(status <= VMM_E_STOPPED);
    } else if (chance < 20 && edits) {
        step_edit();
    } else {
        status = w.guest->access((unsigned)below(KINDS), any_va(), any(), block, (size_t)below(BLOCK));
        assert_true(status == VMM_OK || status == VMM_FAULT || status == VMM_E_ARGUMENT);
        assert_true(w.guest->fault()->rule <= VMM_RULE_ALIGN && w.guest->fault()->kind <= VMM_ALIGN_FAULT);
        assert_true(w.guest->fault()->level <= VMM_MAX_LEVELS);
    }
}

static void run_guests(bool edits, unsigned worlds, unsigned steps)
{
    size_t g;
    unsigned world, i;
    for (g = 0; g < sizeof guests / sizeof *guests; g++)
        for (world = 0; world < worlds; world++) {
            world_open(&guests[g], UINT64_C(0x9e3779b97f4a7c15) + 1000 * g + world);
            for (i = 0; i < steps; i++) step(edits);
            free(w.memory.ram);
        }
}

static void no_guest_reaches_a_byte_outside_its_ram(void **state)
{
    (void)state;
    run_guests(false, 20, 1000);
}

static void no_edit_of_hostile_tables_reaches_a_byte_outside_ram(void **state)
{
    (void)state;
    run_guests(true, 20, 1000);
}

/* One frame is the level-0 table of one page range and the level-1 table of the next, so that what an
 * edit writes into the first changes the way to the second: no table was reserved for that. */
static void a_table_that_serves_two_levels_does_not_lead_an_edit_out_of_ram(void **state)
{
    static const uint64_t base = UINT64_C(0x80000000), page = 4096, two_mib = UINT64_C(0x200000),
                          gib = UINT64_C(0x40000000);
    static const struct {
        unsigned kind;
        vmm_vaddr_t va;
        uint64_t bytes;
    } cases[] = {{0, gib - two_mib, two_mib + page}, {0, gib - page, 2 * page}, {1, gib - two_mib + page, two_mib},
                 {1, gib - page, 2 * page},          {2, gib - page, 2 * page}, {3, gib - two_mib, 2 * two_mib}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vmm_tables_t tables;
        vmm_status_t status;
        int left = 40;
        uint64_t *ram;
        memset(&w, 0, sizeof w);
        w.guest = &guests[0];
        w.p = &vmm_sv39;
        w.state = 1;
        w.pages = 8;
        w.memory.base = base;
        w.memory.size = w.pages * page;
        ram = (uint64_t *)calloc(1, (size_t)w.memory.size);
        assert_non_null(ram);
        w.memory.ram = ram;
        ram[0] = vmm_pte_pointer(w.p, base + page, 2);             /* root: the first GiB by frame 1, */
        ram[1] = vmm_pte_pointer(w.p, base + 2 * page, 2);         /* the second by frame 2, */
        ram[512 + 511] = vmm_pte_pointer(w.p, base + 2 * page, 2); /* where frame 1 ends, too */
        ram[1024] = vmm_pte_pointer(w.p, base + 3 * page, 1);
        memset(&tables, 0, sizeof tables);
        tables.memory = &w.memory;
        tables.root = base;
        tables.take = any_take;
        assert_int_equal(w.guest->open(&w.memory), VMM_OK);
        status =
            w.guest->edit(cases[i].kind, &tables, cases[i].va, 0, cases[i].bytes,
                          VMM_R | (cases[i].kind == 0 ? (uint32_t)VMM_REPLACE | VMM_NO_HUGE : 0u), stop_after, &left);
        assert_true(status <= VMM_E_STOPPED);
        free(ram);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_guest_reaches_a_byte_outside_its_ram),
        cmocka_unit_test(a_table_that_serves_two_levels_does_not_lead_an_edit_out_of_ram),
        cmocka_unit_test(no_edit_of_hostile_tables_reaches_a_byte_outside_ram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
