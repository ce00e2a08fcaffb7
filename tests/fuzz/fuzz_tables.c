/* fuzz_tables.c - edits of page tables in every format out of a stream of bytes, against a model that is one array:
 * what each page leads to and with which rights. Tables can run out at any time; an edit that fails changes nothing. */
#define VMM_IMPLEMENTATION
#include "../helper.h"
#include "vmm.h"

#define TABLE_BYTES (UINT64_C(1) << 20)
#define MOST_PAGES 0x4000u
#define RIGHTS (VMM_R | VMM_W | VMM_X | VMM_U | VMM_G)
#define FUZZ_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

typedef struct format {
    const vmm_paging_t *paging;
    vmm_status_t (*create)(vmm_tables_t *tables);
    vmm_status_t (*destroy)(vmm_tables_t *tables);
    vmm_status_t (*map)(vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes, uint32_t flags);
    vmm_status_t (*unmap)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes);
    vmm_status_t (*protect)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint32_t flags);
    vmm_status_t (*query)(const vmm_tables_t *tables, vmm_vaddr_t va, vmm_mapping_t *mapping);
    vmm_status_t (*merge)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint64_t *merged);
} format_t;

#define FORMATS(each)                                                                                                  \
    each(vmm_sv32) each(vmm_sv39) each(vmm_sv48) each(vmm_sv57) each(vmm_x86_two_level) each(vmm_x86_pae)              \
        each(vmm_x86_four_level) each(vmm_x86_five_level) each(vmm_arm64_4k) each(vmm_arm64_16k) each(vmm_arm64_64k)   \
            each(vmm_arm64_64k_52) each(vmm_two_level)
#define STAMP(paging) VMM_TABLES(of_##paging, paging)
FORMATS(STAMP)
#define ROW(paging)                                                                                                    \
    {&paging,                                                                                                          \
     of_##paging##_create,                                                                                             \
     of_##paging##_destroy,                                                                                            \
     of_##paging##_map,                                                                                                \
     of_##paging##_unmap,                                                                                              \
     of_##paging##_protect,                                                                                            \
     of_##paging##_query,                                                                                              \
     of_##paging##_merge},
static const format_t formats[] = {FORMATS(ROW)};

static struct {
    const uint8_t *at;
    size_t left;
    const format_t *f;
    vmm_memory_t memory;
    helper_frames_t frames;
    vmm_tables_t tables;
    vmm_vaddr_t va; /* of the first page ... */
    uint64_t pages; /* ... of so many */
    uint64_t page;  /* bytes */
    uint64_t paddr[MOST_PAGES];
    uint8_t flags[MOST_PAGES]; /* rights; 0xff: absent */
} z;

static uint64_t take(unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- && z.left) {
        value = value << 8 | *z.at++;
        z.left--;
    }
    return value;
}

static void look_at(uint64_t page)
{
    vmm_mapping_t m;
    const vmm_vaddr_t va = z.va + page * z.page;
    const vmm_status_t status = z.f->query(&z.tables, va, &m);
    FUZZ_ASSERT(status == (z.flags[page] == 0xff ? VMM_E_NOT_MAPPED : VMM_OK));
    if (status) return;
    FUZZ_ASSERT(m.leaf && m.paddr + (va - m.vaddr) == z.paddr[page] && (m.flags & RIGHTS) == z.flags[page]);
}

/* A run of pages: short, or up to the end of a huge page. */
static void take_run(uint64_t *first, uint64_t *count)
{
    const uint64_t huge = UINT64_C(1) << z.f->paging->index_bits[0], how = take(1);
    *first = take(2) % z.pages;
    if (how & 1) *first &= ~(huge - 1);
    *count = how & 2 ? huge : how & 4 ? 1 + take(2) % (2 * huge) : 1 + (how >> 3);
    if (*count > z.pages - *first) *count = z.pages - *first;
}

static bool any_page(uint64_t first, uint64_t count, bool mapped)
{
    for (; count; first++, count--)
        if ((z.flags[first] != 0xff) == mapped) return true;
    return false;
}

static void map(uint64_t first, uint64_t count)
{
    const vmm_paging_t *p = z.f->paging;
    const uint32_t flags = (uint32_t)take(1) | ((uint32_t)take(1) & 3) << 8; /* REPLACE, NO_HUGE */
    const uint64_t how = take(1), huge = vmm_low_mask(vmm_level_shift(p, 1));
    vmm_paddr_t pa =
        (how & 1 ? (z.va + first * z.page) & huge : 0) + (take(2) << 20) + (how & 2 ? 0 : take(1) * z.page);
    vmm_status_t status, expected = VMM_OK;
    uint64_t i;
    pa &= vmm_low_mask(31) & ~(z.page - 1);
    if (!vmm_flags_fit(p, flags & ~1u)) expected = VMM_E_RIGHTS;
    else if (!(flags & VMM_REPLACE) && any_page(first, count, true)) expected = VMM_E_MAPPED;
    status = z.f->map(&z.tables, z.va + first * z.page, pa, count * z.page, flags & ~1u);
    FUZZ_ASSERT(status == expected || (expected == VMM_OK && status == VMM_E_NO_FRAME));
    for (i = 0; status == VMM_OK && i < count; i++) {
        z.paddr[first + i] = pa + i * z.page;
        z.flags[first + i] = (uint8_t)(flags & RIGHTS);
    }
}

static void unmap(uint64_t first, uint64_t count)
{
    const vmm_status_t status = z.f->unmap(&z.tables, z.va + first * z.page, count * z.page);
    FUZZ_ASSERT(status == VMM_OK || status == VMM_E_NO_FRAME);
    if (status == VMM_OK) memset(z.flags + first, 0xff, (size_t)count);
}

static void protect(uint64_t first, uint64_t count)
{
    const uint32_t flags = (uint32_t)take(1) & RIGHTS;
    vmm_status_t status, expected = VMM_OK;
    if (!vmm_flags_fit(z.f->paging, flags)) expected = VMM_E_RIGHTS;
    else if (any_page(first, count, false)) expected = VMM_E_NOT_MAPPED;
    status = z.f->protect(&z.tables, z.va + first * z.page, count * z.page, flags);
    FUZZ_ASSERT(status == expected || (expected == VMM_OK && status == VMM_E_NO_FRAME));
    if (status == VMM_OK) memset(z.flags + first, (int)flags, (size_t)count);
}

static void step(void)
{
    const uint64_t kind = take(1);
    uint64_t first, count, merged, i;
    take_run(&first, &count);
    z.frames.budget = kind & 0xc0 ? -1 : (int64_t)(kind >> 3 & 7);
    switch (kind & 7) {
    case 0:
    case 1:
    case 2: map(first, count); break;
    case 3:
    case 4: unmap(first, count); break;
    case 5: protect(first, count); break;
    default: FUZZ_ASSERT(z.f->merge(&z.tables, z.va + first * z.page, count * z.page, &merged) == VMM_OK); break;
    }
    look_at(first);
    look_at(first + count - 1);
    if (first) look_at(first - 1);
    if (first + count < z.pages) look_at(first + count);
    for (i = 0; i < 4; i++) look_at(take(2) % z.pages);
}

static void begin(void)
{
    const vmm_paging_t *p;
    const uint64_t where = take(1);
    static void *block;
    if (!block) block = malloc(TABLE_BYTES);
    z.f = &formats[take(1) % (sizeof formats / sizeof formats[0])];
    p = z.f->paging;
    z.page = UINT64_C(1) << p->page_shift;
    z.pages = UINT64_C(4) << p->index_bits[0];
    if (z.pages > MOST_PAGES) z.pages = MOST_PAGES;
    z.va = (where & vmm_low_mask(p->index_bits[1])) << vmm_level_shift(p, 1);
    if (z.va > vmm_low_mask(p->vaddr_bits) - z.pages * z.page) z.va = 0;
    if (p->vaddr_rule == VMM_VADDR_HALF && (where & 128)) z.va = ~vmm_low_mask(p->vaddr_bits);
    z.memory.ram = block;
    z.memory.base = UINT64_C(0x40000000);
    z.memory.size = TABLE_BYTES;
    z.frames.base = z.frames.next = z.memory.base;
    z.frames.end = z.memory.base + z.memory.size;
    z.frames.budget = -1;
    z.tables.memory = &z.memory;
    z.tables.take = helper_take;
    z.tables.give = helper_give;
    z.tables.user = &z.frames;
    memset(z.flags, 0xff, sizeof z.flags);
    FUZZ_ASSERT(z.f->create(&z.tables) == VMM_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned n;
    uint64_t page;
    memset(&z, 0, sizeof z);
    z.at = data;
    z.left = size;
    begin();
    for (n = 0; z.left && n < 300; n++) step();
    for (page = 0; page < z.pages; page += 1 + z.pages / 256) look_at(page);
    z.frames.budget = -1;
    FUZZ_ASSERT(z.f->destroy(&z.tables) == VMM_OK);
    FUZZ_ASSERT(z.frames.live == 0);
    return 0;
}
