/*
 * x86_cases.h - the accesses that an x86 processor and our model both make.
 *
 * One list for each way of paging. The same code, compiled for the machine and for the host, goes
 * through a list, writes the table entries of each case and calls x86_make(), which sets the
 * registers, makes the access and tells or compares what came of it.
 *
 * Physical memory
 *   0x00100000  code and data of the machine's program; the code of rings 1 to 3 has pages of its own
 *   0x00800000  tables under test: the top one, and for each level below one for either page of an access
 *   0x00900000  tables under test that vmm.h makes
 *   0x00c00000  tables of the machine's own mapping, made by vmm.h
 *   0x02000000  the low zone, 4 MiB that accesses may reach
 *   0x10000000  nothing, up to 0x80000000; and again from 0x200000000 up
 *   0x100000000 the high zone, 4 MiB
 *
 * Both zones hold units of 16 bytes: an instruction that loads the unit's number, a breakpoint, and
 * eight bytes of data. So a fetch tells where it came from, as a read does.
 */
#ifndef X86_CASES_H
#define X86_CASES_H

#include "machine.h"
#include "vmm.h"

#if __STDC_HOSTED__ || defined(__x86_64__)
VMM_TABLES(four, vmm_x86_four_level)
VMM_TABLES(five, vmm_x86_five_level)
#endif
#if __STDC_HOSTED__ || !defined(__x86_64__)
VMM_TABLES(small, vmm_x86_two_level_4k)
VMM_TABLES(two, vmm_x86_two_level)
VMM_TABLES(pae, vmm_x86_pae)
#endif

#define X86_TABLES UINT64_C(0x00800000)
#define X86_POOL UINT64_C(0x00900000)
#define X86_POOL_BYTES UINT64_C(0x00100000)
#define X86_LOW UINT64_C(0x02000000)
#define X86_HIGH UINT64_C(0x100000000)
#define X86_ZONE_BYTES UINT64_C(0x400000)
#define X86_PDPT UINT64_C(0x008007e0) /* PAE's top table: four entries, aligned to their size */
#define X86_PADDR_BITS 40u            /* what QEMU's processors say */
#define X86_LEVELS 5u

enum x86_mode {
    X86_TWO,
    X86_TWO_PSE,
    X86_PAE,
    X86_FOUR,
    X86_FIVE,
    X86_MODES
};

/* Bits of an entry. */
#define X86_P UINT64_C(0x01)
#define X86_RW UINT64_C(0x02)
#define X86_US UINT64_C(0x04)
#define X86_A UINT64_C(0x20)
#define X86_D UINT64_C(0x40)
#define X86_PS UINT64_C(0x80)
#define X86_G UINT64_C(0x100)
#define X86_NX (UINT64_C(1) << 63)

enum x86_kind {
    X86_READ,
    X86_WRITE,
    X86_FETCH,
    X86_RMW,     /* lock cmpxchg of 4 bytes */
    X86_IMPLICIT /* the processor reads a descriptor, by LAR from a local descriptor table at the address */
};

/* What an access is judged by, apart from the ring. */
enum x86_switch {
    X86_WP = 1,
    X86_SMEP = 2,
    X86_SMAP = 4,
    X86_AC = 8,
    X86_NXE = 16,
    X86_PKE = 32,
    X86_PKS = 64,
    X86_PGE = 128,
    X86_PSE = 256
};

enum x86_scene {
    X86_CHAIN, /* one entry a level, a CR3 load, the access */
    X86_TREE,  /* tables of many entries, a CR3 load, the access */
    X86_STEP   /* another access through the same tables, nothing flushed */
};

/* How the entries that were just written come into force. INVLPG of any address drops all that is remembered of
 * pointers (SDM 4.10.4.1): X86_BY_OTHER, whose access is to a page that was not used before. */
enum x86_flush {
    X86_BY_CR3,
    X86_BY_INVLPG,
    X86_BY_OTHER,
    X86_BY_PGE
};

typedef struct x86_case {
    uint64_t va;
    uint64_t value;                /* that is stored */
    uint64_t expected;             /* by cmpxchg */
    uint64_t entry[2][X86_LEVELS]; /* of the first and the second page, by level */
    uint8_t leaf[2];               /* the level that each walk is meant to end at */
    uint8_t kind, bytes, cpl, scene, flush;
    bool keep; /* leave the entries for the next case, which changes them */
    uint32_t switches;
    uint32_t pkru, pkrs;
} x86_case_t;

/* What X86_BY_OTHER invalidates. */
static inline uint64_t x86_other(const x86_case_t *c)
{
    return c->va ^ 0x4000000;
}

typedef struct x86_list {
    unsigned mode, top; /* top: level of the top table */
    uint64_t seed;
    x86_case_t last; /* the last access to a tree */
    machine_scene_t scene;
} x86_list_t;

/* Each program's own. */
static void x86_make(x86_list_t *l, const x86_case_t *c);
static void x86_group(x86_list_t *l, const char *name);
static void x86_sum(x86_list_t *l, uint32_t sum);
static void x86_forget(x86_list_t *l);                   /* global pages, too, by CR4.PGE */
static uint8_t *x86_zone(x86_list_t *l, uint64_t paddr); /* a byte of a zone */

/* ---- geometry ------------------------------------------------------------------------------ */

static inline bool x86_is_long(const x86_list_t *l)
{
    return l->mode >= X86_FOUR;
}

static inline unsigned x86_entry_bytes(const x86_list_t *l)
{
    return l->mode < X86_PAE ? 4 : 8;
}

static inline unsigned x86_index_bits(const x86_list_t *l)
{
    return l->mode < X86_PAE ? 10 : 9;
}

static inline unsigned x86_shift(const x86_list_t *l, unsigned level)
{
    return 12 + level * x86_index_bits(l);
}

static inline uint64_t x86_low(unsigned bits)
{
    return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

static inline unsigned x86_va_bits(const x86_list_t *l)
{
    return l->mode == X86_FIVE ? 57 : l->mode == X86_FOUR ? 48 : 32;
}

static inline unsigned x86_index(const x86_list_t *l, unsigned level, uint64_t va)
{
    const uint64_t index = (va & x86_low(x86_va_bits(l))) >> x86_shift(l, level);
    return (unsigned)(index & x86_low(x86_index_bits(l)));
}

static inline bool x86_may_be_leaf(const x86_list_t *l, unsigned level)
{
    return level == 0 || (level == 1 && l->mode != X86_TWO) || (level == 2 && x86_is_long(l));
}

/* The address that the top bits of a number leave canonical, or 32 bits of it. */
static inline uint64_t x86_canonical(const x86_list_t *l, uint64_t va)
{
    const unsigned bits = x86_va_bits(l);
    va &= x86_low(bits);
    return x86_is_long(l) && (va >> (bits - 1)) ? va | ~x86_low(bits) : va;
}

/* The first byte of the next page. */
static inline uint64_t x86_next(const x86_list_t *l, uint64_t va)
{
    return ((va | 0xfff) + 1) & (x86_is_long(l) ? ~UINT64_C(0) : 0xffffffff);
}

/* The table of a level; two of each below the top. */
static inline uint64_t x86_table(const x86_list_t *l, unsigned level, unsigned which)
{
    if (level == l->top) return l->mode == X86_PAE ? X86_PDPT : X86_TABLES;
    return X86_TABLES + (1 + level * 2 + which) * UINT64_C(0x1000);
}

/* CR3, with PCD and PWT, which say nothing of where the table is. */
static inline uint64_t x86_cr3(const x86_list_t *l)
{
    return x86_table(l, l->top, 0) | 0x18;
}

/* Whether the walks for two addresses read the same table at a level. */
static inline bool x86_same_table(const x86_list_t *l, unsigned level, uint64_t va, uint64_t other)
{
    return level == l->top || ((va ^ other) & x86_low(x86_va_bits(l))) >> x86_shift(l, level + 1) == 0;
}

static inline uint64_t x86_slot(const x86_list_t *l, unsigned level, uint64_t va, uint64_t first)
{
    const unsigned which = !x86_same_table(l, level, va, first);
    return x86_table(l, level, which) + (uint64_t)x86_index(l, level, va) * x86_entry_bytes(l);
}

static inline bool x86_crosses(const x86_case_t *c)
{
    return (c->va & 0xfff) + c->bytes > 4096;
}

/* ---- memory -------------------------------------------------------------------------------- */

static inline bool x86_in_zone(uint64_t paddr)
{
    return paddr - X86_LOW < X86_ZONE_BYTES || paddr - X86_HIGH < X86_ZONE_BYTES;
}

static inline bool x86_is_nothing(uint64_t paddr)
{
    return (paddr >= 0x10000000 && paddr < 0x80000000) ||
           (paddr >= UINT64_C(0x200000000) && !(paddr >> X86_PADDR_BITS));
}

/* Eight bytes of a zone: `mov $number, %eax; int3` or data. A page's last byte begins `mov $imm, %al`, whose second
 * byte is the first of the next page, before a breakpoint: the fetch that crosses. */
static inline uint64_t x86_content(uint64_t paddr)
{
    const uint32_t noise = (uint32_t)(paddr >> 3) * 0x9e3779b1u;
    const uint64_t data = (uint64_t)noise << 32 | (noise ^ 0x5a5a5a5a);
    if ((paddr & 0xfff) == 0) return UINT64_C(0xcccccccccccccc00) | ((paddr >> 12) & 0xff);
    if ((paddr & 0xfff) == 0xff8) return (data & ~(UINT64_C(0xff) << 56)) | UINT64_C(0xb0) << 56;
    return paddr & 8 ? data : UINT64_C(0xcccccc0000000000) | (paddr >> 4) << 8 | 0xb8;
}

static inline void x86_fill_zone(x86_list_t *l, uint64_t zone)
{
    uint64_t *at = (uint64_t *)(void *)x86_zone(l, zone);
    uint32_t i;
    for (i = 0; i < X86_ZONE_BYTES / 8; i++) at[i] = x86_content(zone + i * 8);
}

static inline uint32_t x86_zone_sum(x86_list_t *l, uint64_t zone)
{
    machine_scene_t s;
    s.ram = x86_zone(l, zone);
    s.base = zone;
    return machine_sum(&s, zone, X86_ZONE_BYTES);
}

/* Where an address leads by a leaf entry, whatever else the entry says. */
static inline uint64_t x86_paddr(const x86_list_t *l, unsigned level, uint64_t entry, uint64_t va)
{
    const uint64_t offset = x86_low(x86_shift(l, level));
    uint64_t frame = entry & UINT64_C(0x000ffffffffff000) & ~offset;
    if (l->mode < X86_PAE && level == 1) frame = (entry & 0xffc00000) | ((entry >> 13) & 0xff) << 32;
    return frame | (va & offset);
}

/* Where one byte of an access leads. */
static inline uint64_t x86_byte(const x86_list_t *l, const x86_case_t *c, unsigned i)
{
    const uint64_t va = x86_canonical(l, c->va + i);
    const unsigned page = (c->va & 0xfff) + i > 0xfff;
    return x86_paddr(l, c->leaf[page], c->entry[page][c->leaf[page]], va);
}

/* What lies where the access was meant to go. */
static inline uint64_t x86_landed(x86_list_t *l, const x86_case_t *c)
{
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < c->bytes; i++) {
        const uint64_t paddr = x86_byte(l, c, i);
        if (x86_in_zone(paddr)) value |= (uint64_t) * (volatile uint8_t *)x86_zone(l, paddr) << (8 * i);
    }
    return value;
}

static inline void x86_repair(x86_list_t *l, const x86_case_t *c)
{
    unsigned i;
    for (i = 0; i < c->bytes; i++) {
        const uint64_t paddr = x86_byte(l, c, i);
        if (x86_in_zone(paddr))
            *(volatile uint8_t *)x86_zone(l, paddr) = (uint8_t)(x86_content(paddr & ~UINT64_C(7)) >> (paddr & 7) * 8);
    }
}

/* ---- entries ------------------------------------------------------------------------------- */

static inline uint64_t x86_leaf(const x86_list_t *l, unsigned level, uint64_t paddr)
{
    uint64_t frame = paddr & ~x86_low(x86_shift(l, level));
    if (l->mode < X86_PAE && level == 1) frame = (frame & 0xffc00000) | ((frame >> 32) & 0xff) << 13;
    return frame | (level ? X86_PS : 0) | X86_P;
}

static inline uint64_t x86_pointer(const x86_list_t *l, unsigned level, unsigned which)
{
    return x86_table(l, level - 1, which) | X86_P | (l->mode == X86_PAE && level == 2 ? 0 : X86_RW | X86_US);
}

/* Whether the machine's own program lives below an entry of the top table. */
static inline bool x86_is_taken(const x86_list_t *l, uint64_t va)
{
    return x86_index(l, l->top, va) < (l->mode < X86_PAE ? 16u : 1u);
}

/* Whether an access may be made: it reaches a zone, or nothing, or faults before. A fetch of nothing
 * would run away, and a locked access of it is not the memory's business. */
static inline bool x86_is_safe(const x86_list_t *l, const x86_case_t *c, unsigned page, uint64_t va)
{
    unsigned level = l->top;
    if (x86_is_taken(l, va)) return false;
    for (;; level--) {
        const uint64_t entry = c->entry[page][level];
        const uint64_t table = entry & (l->mode < X86_PAE ? 0xfffff000 : UINT64_C(0x000ffffffffff000));
        uint64_t paddr;
        if (!(entry & X86_P)) return true;
        if (level == 0 || ((entry & X86_PS) && x86_may_be_leaf(l, level))) {
            paddr = x86_paddr(l, level, entry, va);
            return x86_in_zone(paddr) || paddr >> X86_PADDR_BITS ||
                   (x86_is_nothing(paddr) && c->kind != X86_FETCH && c->kind != X86_RMW);
        }
        if (x86_is_nothing(table) || table >> X86_PADDR_BITS) return true;
        if (table != x86_table(l, level - 1, !x86_same_table(l, level - 1, va, c->va))) return false;
    }
}

/* Takes all entries under test out again. */
static inline void x86_clear(x86_list_t *l)
{
    unsigned i;
    for (i = 0; i < l->scene.words; i++) machine_poke(&l->scene, l->scene.word[i].paddr, l->scene.word[i].bytes, 0);
}

/* Writes the entries of a chain, and looks at them. */
static inline void x86_lay(x86_list_t *l, const x86_case_t *c)
{
    unsigned page, level;
    x86_clear(l);
    l->scene.words = 0;
    for (page = 0; page < 1u + x86_crosses(c); page++) {
        const uint64_t va = page ? x86_next(l, c->va) : c->va;
        for (level = l->top + 1; level-- > c->leaf[page];) {
            const uint64_t slot = x86_slot(l, level, va, c->va);
            machine_poke(&l->scene, slot, x86_entry_bytes(l), c->entry[page][level]);
            machine_watch(&l->scene, slot, x86_entry_bytes(l));
        }
    }
}

/* Whether a load of CR3 may leave translations of the case in use. */
static inline bool x86_is_global(const x86_case_t *c)
{
    return (c->switches & X86_PGE) && ((c->entry[0][c->leaf[0]] | c->entry[1][c->leaf[1]]) & X86_G);
}

/* Finishes a case and has it made, unless it would lead astray. Returns whether it was. */
static inline bool x86_emit(x86_list_t *l, x86_case_t *c)
{
    const uint64_t second = x86_next(l, c->va);
    unsigned level;
    if (!x86_is_safe(l, c, 0, c->va)) return false;
    if (x86_crosses(c)) {
        for (level = 0; level <= l->top; level++)
            if (level >= c->leaf[0] && x86_slot(l, level, second, c->va) == x86_slot(l, level, c->va, c->va)) {
                c->entry[1][level] = c->entry[0][level];
                if (level == c->leaf[0]) c->leaf[1] = c->leaf[0];
            }
        if (!x86_is_safe(l, c, 1, second)) return false;
    }
    if (l->mode == X86_TWO) c->switches &= ~(uint32_t)X86_PSE;
    if (l->mode == X86_TWO_PSE) c->switches |= X86_PSE;
    c->scene = X86_CHAIN;
    x86_make(l, c);
    if (!c->keep && x86_is_global(c)) x86_forget(l);
    return true;
}

/* ---- plain cases --------------------------------------------------------------------------- */

static inline uint32_t x86_digit(uint32_t *n, uint32_t radix)
{
    const uint32_t digit = *n % radix;
    *n /= radix;
    return digit;
}

/* An entry of the top table that a test may use; the edges of the address space often. */
static inline uint64_t x86_any_top(x86_list_t *l)
{
    static const uint16_t edges[] = {1, 255, 256, 511};
    if (l->mode < X86_PAE) return 16 + machine_below(&l->seed, 1008);
    if (l->mode == X86_PAE) return 1 + machine_below(&l->seed, 3);
    return machine_chance(&l->seed, 20) ? edges[machine_below(&l->seed, 4)] : 1 + machine_below(&l->seed, 511);
}

static inline unsigned x86_any_leaf(x86_list_t *l)
{
    return l->mode == X86_TWO ? 0 : machine_below(&l->seed, x86_is_long(l) ? 3 : 2);
}

static inline uint64_t x86_any_marks(x86_list_t *l)
{
    return machine_random(&l->seed) & (X86_A | X86_D);
}

/* Where in a page an access may begin: at an instruction, or so that it stays in a unit's data. */
static inline unsigned x86_any_offset(x86_list_t *l, const x86_case_t *c)
{
    const unsigned unit = (1 + machine_below(&l->seed, 254)) * 16;
    if (c->kind == X86_FETCH) return unit;
    if (c->kind == X86_RMW || c->kind == X86_IMPLICIT) return unit + 8;
    return unit + 8 + machine_below(&l->seed, 9 - c->bytes);
}

/* A page of a zone that a leaf of this level can lead to. */
static inline uint64_t x86_any_page(x86_list_t *l, const x86_case_t *c, unsigned leaf)
{
    const bool reach = l->mode >= X86_PAE || leaf == 1;
    const bool high = reach && c->kind != X86_RMW && machine_chance(&l->seed, 40);
    return (high ? X86_HIGH : X86_LOW) + machine_below(&l->seed, 1024) * UINT64_C(0x1000);
}

/* Entries that lead the page of va to a page of a zone and allow everything. */
static inline void x86_lead(x86_list_t *l, x86_case_t *c, unsigned page, uint64_t paddr)
{
    const unsigned leaf = c->leaf[page];
    const uint64_t va = page ? x86_next(l, c->va) : c->va;
    unsigned level;
    for (level = leaf + 1; level <= l->top; level++) {
        const unsigned which = !x86_same_table(l, level - 1, va, c->va);
        c->entry[page][level] = x86_pointer(l, level, which) | (machine_random(&l->seed) & X86_A);
        if (l->mode == X86_PAE && level == 2) c->entry[page][level] &= ~X86_A;
    }
    c->entry[page][leaf] = x86_leaf(l, leaf, paddr) | X86_RW | X86_US | x86_any_marks(l);
}

/* An access of a kind through a leaf of a level, that would succeed. */
static inline void x86_begin(x86_list_t *l, x86_case_t *c, unsigned kind, unsigned leaf)
{
    static const x86_case_t nothing;
    uint64_t page;
    unsigned level;
    *c = nothing;
    c->kind = (uint8_t)kind;
    c->bytes = (uint8_t)(1u << machine_below(&l->seed, x86_is_long(l) ? 4 : 3));
    if (kind == X86_IMPLICIT || kind == X86_FETCH) c->bytes = 8;
    if (kind == X86_RMW) c->bytes = 4;
    c->switches = X86_WP | X86_NXE | (machine_random(&l->seed) & (X86_PGE | X86_PSE));
    c->value = machine_random(&l->seed);
    c->leaf[0] = c->leaf[1] = (uint8_t)leaf;
    page = x86_any_page(l, c, leaf);
    c->va = page & x86_low(x86_shift(l, leaf));
    for (level = leaf; level <= l->top; level++) {
        const uint64_t index = level == l->top ? x86_any_top(l) : machine_below(&l->seed, 1u << x86_index_bits(l));
        c->va |= index << x86_shift(l, level);
    }
    c->va = x86_canonical(l, c->va) | x86_any_offset(l, c);
    x86_lead(l, c, 0, page);
    c->expected = machine_chance(&l->seed, 50) ? (uint32_t)x86_content(page + (c->va & 0xff8)) : c->value;
}

static inline uint32_t x86_any_switches(x86_list_t *l)
{
    return (uint32_t)machine_random(&l->seed) & 0x1ff;
}

/* ---- the list ------------------------------------------------------------------------------ */

/* All rights of a leaf by all switches. */
static inline void x86_rights(x86_list_t *l)
{
    unsigned leaf, n;
    x86_group(l, "rights of a leaf");
    for (leaf = 0; x86_may_be_leaf(l, leaf); leaf++)
        for (n = 0; n < 4 * 512; n++) {
            x86_case_t c;
            uint32_t d = n;
            x86_begin(l, &c, x86_digit(&d, 4), leaf);
            c.cpl = x86_digit(&d, 2) ? 3 : 0;
            c.switches = (c.switches & (X86_PGE | X86_PSE)) | x86_digit(&d, 32);
            if (x86_digit(&d, 2)) c.entry[0][leaf] &= ~X86_RW;
            if (x86_digit(&d, 2)) c.entry[0][leaf] &= ~X86_US;
            if (x86_digit(&d, 2) && l->mode >= X86_PAE) c.entry[0][leaf] |= X86_NX;
            x86_emit(l, &c);
        }
}

/* Rights that an entry above the leaf takes away. */
static inline void x86_rights_above(x86_list_t *l)
{
    unsigned leaf, level, n;
    x86_group(l, "rights above a leaf");
    for (leaf = 0; x86_may_be_leaf(l, leaf); leaf++)
        for (level = leaf + 1; level <= l->top; level++)
            for (n = 0; n < 8 * 3 * 2 * 4; n++) {
                x86_case_t c;
                uint32_t d = n;
                if (l->mode == X86_PAE && level == 2) break; /* has none */
                x86_begin(l, &c, x86_digit(&d, 3), leaf);
                c.cpl = x86_digit(&d, 2) ? 3 : 0;
                if (x86_digit(&d, 2)) c.entry[0][level] &= ~X86_RW;
                if (x86_digit(&d, 2)) c.entry[0][level] &= ~X86_US;
                if (x86_digit(&d, 2) && l->mode >= X86_PAE) c.entry[0][level] |= X86_NX;
                c.switches = x86_any_switches(l);
                x86_emit(l, &c);
            }
}

/* Each bit of each entry turned over. */
static inline void x86_bits(x86_list_t *l)
{
    unsigned leaf, level, bit, n;
    x86_group(l, "single bits");
    for (leaf = 0; x86_may_be_leaf(l, leaf); leaf++)
        for (level = leaf; level <= l->top; level++)
            for (bit = 0; bit < 8 * x86_entry_bytes(l); bit++)
                for (n = 0; n < 3 * 2; n++) {
                    x86_case_t c;
                    x86_begin(l, &c, n % 3, leaf);
                    c.cpl = n / 3 ? 3 : 0;
                    c.switches = x86_any_switches(l);
                    c.entry[0][level] ^= UINT64_C(1) << bit;
                    x86_emit(l, &c);
                }
}

/* Entries that are not present, with any other bits. */
static inline void x86_absent(x86_list_t *l)
{
    unsigned leaf, level, n;
    x86_group(l, "not present");
    for (leaf = 0; x86_may_be_leaf(l, leaf); leaf++)
        for (level = leaf; level <= l->top; level++)
            for (n = 0; n < 4 * 2 * 8; n++) {
                x86_case_t c;
                uint32_t d = n;
                x86_begin(l, &c, x86_digit(&d, 4), leaf);
                c.cpl = x86_digit(&d, 2) ? 3 : 0;
                c.switches = x86_any_switches(l);
                c.entry[0][level] = machine_random(&l->seed) & ~X86_P & x86_low(8 * x86_entry_bytes(l));
                x86_emit(l, &c);
            }
}

/* Protection keys; the ways of paging of 32 bits have none, whatever CR4 says. Key 0 of supervisor pages stays
 * allowed, for the machine's own program lives there. */
static inline void x86_keys(x86_list_t *l)
{
    const unsigned rounds = x86_is_long(l) ? 16 * 4 * 2 * 4 * 2 * 2 : 256;
    unsigned n;
    x86_group(l, "protection keys");
    for (n = 0; n < rounds; n++) {
        x86_case_t c;
        uint32_t d = n, key, rights;
        unsigned leaf = x86_any_leaf(l);
        x86_begin(l, &c, x86_digit(&d, 4), leaf);
        key = x86_digit(&d, 16);
        rights = x86_digit(&d, 4);
        if (x86_digit(&d, 2)) c.entry[0][leaf] &= ~X86_US;
        c.cpl = x86_digit(&d, 2) ? 3 : 0;
        c.switches = (x86_any_switches(l) & ~(uint32_t)X86_WP) | (x86_digit(&d, 2) ? X86_WP : 0);
        if (machine_chance(&l->seed, 70)) c.switches |= X86_PKE | X86_PKS;
        if (machine_chance(&l->seed, 70)) c.switches &= ~(uint32_t)X86_SMAP;
        if (machine_chance(&l->seed, 25)) c.entry[0][leaf] &= ~X86_RW;
        if (x86_is_long(l)) c.entry[0][leaf] |= (uint64_t)key << 59;
        c.pkru = (uint32_t)machine_random(&l->seed) & ~(3u << key * 2);
        c.pkrs = (uint32_t)machine_random(&l->seed) & ~(3u << key * 2);
        c.pkru |= rights << key * 2;
        c.pkrs = (c.pkrs | rights << key * 2) & ~3u;
        x86_emit(l, &c);
    }
}

/* One access near the end of what is canonical. The entries are there, so that only the address is wrong. */
static inline void x86_edge(x86_list_t *l, uint64_t va, uint32_t n)
{
    x86_case_t c;
    x86_begin(l, &c, x86_digit(&n, 3), 0);
    c.cpl = x86_digit(&n, 2) ? 3 : 0;
    c.va = va;
    if (c.kind == X86_FETCH) c.va = (c.va & ~UINT64_C(0xfff)) | 0x10;
    c.leaf[1] = 0;
    x86_lead(l, &c, 0, x86_any_page(l, &c, 0));
    x86_lead(l, &c, 1, x86_any_page(l, &c, 0));
    c.switches = x86_any_switches(l);
    if (machine_chance(&l->seed, 20)) c.entry[0][0] &= ~X86_P;
    if (machine_chance(&l->seed, 20)) c.entry[1][0] &= ~X86_P;
    x86_emit(l, &c);
}

static inline void x86_edges(x86_list_t *l)
{
    static const int near[] = {-4096, -8, -7, -4, -3, -2, -1, 0, 1, 8, 4096};
    const uint64_t half = UINT64_C(1) << (x86_va_bits(l) - 1);
    unsigned i, n, bit;
    if (!x86_is_long(l)) return;
    x86_group(l, "canonical edges");
    for (n = 0; n < 3 * 2 * 4; n++) {
        for (i = 0; i < sizeof near / sizeof *near; i++) {
            x86_edge(l, half + (uint64_t)(int64_t)near[i], n);
            x86_edge(l, (uint64_t)0 - half + (uint64_t)(int64_t)near[i], n);
        }
        for (bit = 46; bit < 64; bit++) {
            const uint64_t inside = (uint64_t)machine_below(&l->seed, 1u << 31) << 14;
            x86_edge(l, (half / 2 + inside + 0x108) ^ UINT64_C(1) << bit, n);
            x86_edge(l, (~half + 1 + inside + 0x108) ^ UINT64_C(1) << bit, n);
        }
    }
}

/* Takes away from, or adds to an entry. */
static inline void x86_spoil(x86_list_t *l, x86_case_t *c, unsigned page, unsigned level)
{
    const bool pdpte = l->mode == X86_PAE && level == 2;
    uint64_t *entry = &c->entry[page][level];
    if (machine_chance(&l->seed, 3)) *entry &= ~X86_P;
    if (machine_chance(&l->seed, 1)) *entry ^= UINT64_C(1) << machine_below(&l->seed, 8 * x86_entry_bytes(l));
    if (machine_chance(&l->seed, 30)) *entry ^= machine_random(&l->seed) & 0x600; /* ignored */
    if (pdpte) return;
    if (machine_chance(&l->seed, 10)) *entry &= ~X86_RW;
    if (machine_chance(&l->seed, 15)) *entry &= ~X86_US;
    if (machine_chance(&l->seed, 10) && l->mode >= X86_PAE) *entry |= X86_NX;
    if (machine_chance(&l->seed, 20)) *entry ^= X86_G;
    if (x86_is_long(l) && machine_chance(&l->seed, 20)) *entry |= (machine_random(&l->seed) >> 52) << 52 & ~X86_NX;
}

/* An access to two pages, whose walks part at a level from 0 up. */
static inline void x86_cross(x86_list_t *l, x86_case_t *c, unsigned kind, unsigned leaf)
{
    const unsigned part = machine_below(&l->seed, l->top + 1);
    unsigned level;
    x86_begin(l, c, kind == X86_RMW || kind == X86_IMPLICIT ? X86_READ : kind, leaf);
    if (c->bytes == 1) c->bytes = 4;
    if (c->kind == X86_FETCH) c->bytes = 2;
    c->va =
        (c->va & ~UINT64_C(0xfff)) | (4096 - (c->kind == X86_FETCH ? 1 : 1 + machine_below(&l->seed, c->bytes - 1u)));
    for (level = 0; level < part; level++)
        c->va |= x86_low(x86_index_bits(l)) << x86_shift(l, level) & (level ? ~UINT64_C(0) : 0x3ff000);
    c->leaf[1] = (uint8_t)x86_any_leaf(l);
    if (x86_slot(l, c->leaf[1], x86_next(l, c->va), c->va) == x86_slot(l, c->leaf[1], c->va, c->va)) c->leaf[1] = 0;
    x86_lead(l, c, 1, x86_any_page(l, c, c->leaf[1]));
}

static inline void x86_crossing(x86_list_t *l)
{
    unsigned n, level;
    x86_group(l, "page crossing");
    for (n = 0; n < 2400; n++) {
        const unsigned page = n / 3 % 3; /* 2: both */
        x86_case_t c;
        x86_cross(l, &c, n % 3, x86_any_leaf(l));
        c.cpl = machine_chance(&l->seed, 50) ? 3 : 0;
        c.switches = x86_any_switches(l);
        for (level = 0; level <= l->top; level++) {
            if (page != 1) x86_spoil(l, &c, 0, level);
            if (page != 0) x86_spoil(l, &c, 1, level);
        }
        x86_emit(l, &c);
    }
}

/* What the processor reads for itself is judged as a supervisor's, in ring 3 too, and AC does not help it. */
static inline void x86_implicit(x86_list_t *l)
{
    unsigned n;
    x86_group(l, "implicit supervisor accesses");
    for (n = 0; n < 3 * 256; n++) {
        const unsigned leaf = x86_any_leaf(l);
        uint32_t d = n;
        x86_case_t c;
        x86_begin(l, &c, X86_IMPLICIT, leaf);
        c.cpl = x86_digit(&d, 2) ? 3 : (uint8_t)machine_below(&l->seed, 4);
        c.switches = x86_digit(&d, 64);
        if (x86_digit(&d, 2)) c.entry[0][leaf] &= ~X86_US;
        if (machine_chance(&l->seed, 15)) c.entry[0][machine_below(&l->seed, l->top + 1)] &= ~X86_P;
        if (machine_chance(&l->seed, 50)) c.pkru = (uint32_t)machine_random(&l->seed);
        if (machine_chance(&l->seed, 50)) c.pkrs = (uint32_t)machine_random(&l->seed) & ~3u;
        x86_emit(l, &c);
    }
}

/* Entries that change under an address in use, and come into force by each way of flushing. */
static inline void x86_changes(x86_list_t *l)
{
    unsigned n, i;
    x86_group(l, "changed entries");
    for (n = 0; n < 400; n++) {
        bool global = false;
        x86_case_t c;
        x86_begin(l, &c, n % 4, x86_any_leaf(l));
        c.switches = x86_any_switches(l);
        for (i = 0; i < 4; i++) {
            const unsigned level = machine_below(&l->seed, l->mode == X86_PAE ? 2 : l->top + 1);
            c.cpl = machine_chance(&l->seed, 50) ? 3 : 0;
            c.keep = i < 3;
            c.flush = (uint8_t)(i == 0 || machine_chance(&l->seed, 33) ? X86_BY_PGE : machine_below(&l->seed, 2));
            if (global && c.flush == X86_BY_CR3) c.flush = X86_BY_INVLPG;
            if (i > 0 && c.leaf[0] == 0 && machine_chance(&l->seed, 40)) {
                c.flush = X86_BY_OTHER;
                c.va = (c.va & ~UINT64_C(0x1ff000)) | ((c.va + 0x1000) & 0x1ff000);
            }
            if (i > 0 && machine_chance(&l->seed, 50))
                c.leaf[0] = (uint8_t)machine_below(&l->seed, l->mode == X86_TWO ? 1 : 2);
            if (i > 0) x86_lead(l, &c, 0, x86_any_page(l, &c, c.leaf[0]));
            if (c.flush != X86_BY_CR3) c.entry[0][c.leaf[0]] |= machine_random(&l->seed) & X86_G;
            if (machine_chance(&l->seed, 60)) x86_spoil(l, &c, 0, level);
            global = x86_is_global(&c);
            if (!x86_emit(l, &c)) break;
        }
        x86_clear(l);
        x86_forget(l);
    }
}

/* Tables and pages where no memory is. */
static inline void x86_missing(x86_list_t *l)
{
    unsigned leaf, level, n;
    x86_group(l, "missing memory");
    for (leaf = 0; x86_may_be_leaf(l, leaf); leaf++)
        for (level = leaf; level <= l->top; level++)
            for (n = 0; n < 2 * 2 * 8; n++) {
                const uint64_t beyond = (machine_random(&l->seed) & x86_low(X86_PADDR_BITS)) | UINT64_C(0x200000000);
                uint64_t where = l->mode < X86_PAE ? 0x10000000 + (beyond & 0x3fffffff) : beyond;
                x86_case_t c;
                x86_begin(l, &c, n % 2, leaf);
                c.cpl = n / 2 % 2 ? 3 : 0;
                where &= level == leaf ? ~x86_low(x86_shift(l, leaf)) : ~UINT64_C(0xfff);
                c.entry[0][level] = (c.entry[0][level] & (level == leaf ? 0xfff : 0xff)) | where;
                if (l->mode < X86_PAE && where >> 32) continue;
                x86_emit(l, &c);
            }
}

/* PS in entries that are never leaves, and whose address would do for one. */
static inline void x86_no_leaf(x86_list_t *l)
{
    unsigned level, n;
    x86_group(l, "PS where no leaf may be");
    for (level = 3; level <= l->top; level++)
        for (n = 0; n < 24; n++) {
            x86_case_t c;
            x86_begin(l, &c, n % 2, x86_any_leaf(l));
            c.cpl = n / 2 % 2 ? 3 : 0;
            c.entry[0][level] = UINT64_C(0x8000000000) | X86_PS | (c.entry[0][level] & 0xfff);
            x86_emit(l, &c);
        }
}

/* Everything at once. */
static inline void x86_mixture(x86_list_t *l)
{
    unsigned n, level;
    x86_group(l, "mixture");
    for (n = 0; n < 4000; n++) {
        const unsigned leaf = x86_any_leaf(l), kind = machine_below(&l->seed, 5);
        x86_case_t c;
        if (machine_chance(&l->seed, 20)) x86_cross(l, &c, kind, leaf);
        else x86_begin(l, &c, kind, leaf);
        c.cpl = (uint8_t)machine_below(&l->seed, 4);
        c.switches = x86_any_switches(l);
        if (machine_chance(&l->seed, 50)) c.pkru = (uint32_t)machine_random(&l->seed);
        if (machine_chance(&l->seed, 50)) c.pkrs = (uint32_t)machine_random(&l->seed) & ~3u;
        for (level = 0; level <= l->top; level++) {
            x86_spoil(l, &c, 0, level);
            x86_spoil(l, &c, 1, level);
        }
        x86_emit(l, &c);
    }
}

/* ---- trees --------------------------------------------------------------------------------- */

#define X86_HOT 8u /* entries of a table that addresses lead through: four at either end */

static inline uint64_t x86_hot(const x86_list_t *l, unsigned level, unsigned i)
{
    const unsigned n = l->mode == X86_PAE && level == 2 ? 4 : 1u << x86_index_bits(l);
    if (l->mode == X86_PAE && level == 2) return 1 + i % 3;
    if (level == l->top && i < 4) return i + (l->mode < X86_PAE ? 16 : 1);
    return i < 4 ? i : n - X86_HOT + i;
}

/* An entry for a table of a level. Accessed is set in pointers, since a processor may set it there before it knows
 * that an access will fault. */
static inline uint64_t x86_any_entry(x86_list_t *l, unsigned level)
{
    const bool pdpte = l->mode == X86_PAE && level == 2;
    static const x86_case_t nothing;
    x86_case_t c = nothing; /* a read */
    if (level == 0 || (x86_may_be_leaf(l, level) && machine_chance(&l->seed, 15))) {
        const uint64_t page = level == 2 ? X86_HIGH : x86_any_page(l, &c, level);
        c.entry[0][level] = x86_leaf(l, level, page) | X86_RW | X86_US | x86_any_marks(l);
    } else {
        c.entry[0][level] = x86_pointer(l, level, machine_below(&l->seed, 2)) | (pdpte ? 0 : X86_A);
        if (pdpte) return c.entry[0][level];
    }
    if (machine_chance(&l->seed, 50)) x86_spoil(l, &c, 0, level);
    if (l->mode == X86_PAE) c.entry[0][level] &= x86_low(X86_PADDR_BITS) | X86_NX;
    if (l->mode >= X86_PAE && machine_chance(&l->seed, 8))
        c.entry[0][level] |= UINT64_C(1) << (X86_PADDR_BITS + machine_below(&l->seed, l->mode == X86_PAE ? 23 : 12));
    return c.entry[0][level];
}

static inline void x86_fill_tree(x86_list_t *l)
{
    unsigned level, which, i;
    l->scene.words = 0;
    for (level = 0; level <= l->top; level++)
        for (which = 0; which < (level == l->top ? 1u : 2u); which++)
            for (i = 0; i < X86_HOT; i++) {
                const uint64_t at = x86_table(l, level, which) + x86_hot(l, level, i) * x86_entry_bytes(l);
                machine_poke(&l->scene, at, x86_entry_bytes(l), x86_any_entry(l, level));
                machine_watch(&l->scene, at, x86_entry_bytes(l));
            }
}

/* Whether an access through the tree may be made; the entries on its way become the case's. */
static inline bool x86_is_safe_in_tree(x86_list_t *l, x86_case_t *c)
{
    uint64_t table = x86_table(l, l->top, 0);
    unsigned level;
    for (level = l->top;; level--) {
        const uint64_t at = table + (uint64_t)x86_index(l, level, c->va) * x86_entry_bytes(l);
        const uint64_t entry = machine_peek(&l->scene, at, x86_entry_bytes(l));
        c->entry[0][level] = entry;
        c->leaf[0] = (uint8_t)level;
        if (!(entry & X86_P)) return true;
        if (level == 0 || ((entry & X86_PS) && x86_may_be_leaf(l, level)))
            return x86_in_zone(x86_paddr(l, level, entry, c->va)) ||
                   x86_paddr(l, level, entry, c->va) >> X86_PADDR_BITS;
        table = entry & (l->mode < X86_PAE ? 0xfffff000 : UINT64_C(0x000ffffffffff000));
        if (table >> X86_PADDR_BITS) return true;
        if (table - X86_TABLES >= 0x10000 && table - X86_POOL >= X86_POOL_BYTES) return false;
    }
}

/* Has an access through tables of many entries made, unless it would lead astray. Returns whether it was. */
static inline bool x86_reach(x86_list_t *l, x86_case_t *c)
{
    if (!x86_is_safe_in_tree(l, c)) return false;
    if (c->kind == X86_RMW && (c->entry[0][c->leaf[0]] & X86_P) &&
        x86_paddr(l, c->leaf[0], c->entry[0][c->leaf[0]], c->va) >= X86_HIGH)
        c->kind = X86_WRITE;
    l->last = *c;
    x86_make(l, c);
    return true;
}

static inline bool x86_step(x86_list_t *l, uint32_t switches, unsigned scene)
{
    static const x86_case_t nothing;
    x86_case_t c = nothing;
    const unsigned near = scene == X86_STEP ? machine_below(&l->seed, 4) : 0; /* 1: the last page; above: its table */
    unsigned level;
    c.kind = (uint8_t)machine_below(&l->seed, 4);
    c.bytes = c.kind == X86_FETCH ? 8 : c.kind == X86_RMW ? 4 : (uint8_t)(1u << machine_below(&l->seed, 3));
    c.cpl = machine_chance(&l->seed, 50) ? 3 : 0;
    c.scene = (uint8_t)scene;
    c.keep = true;
    c.switches = switches ^ (x86_any_switches(l) & (X86_WP | X86_SMEP | X86_SMAP | X86_AC | X86_PKE | X86_PKS));
    c.pkru = machine_chance(&l->seed, 50) ? (uint32_t)machine_random(&l->seed) : 0;
    c.pkrs = machine_chance(&l->seed, 50) ? (uint32_t)machine_random(&l->seed) & ~3u : 0;
    if (scene == X86_STEP && machine_chance(&l->seed, 60)) { /* in the same state of the processor */
        c.cpl = l->last.cpl;
        c.switches = l->last.switches;
        c.pkru = l->last.pkru;
        c.pkrs = l->last.pkrs;
    }
    c.value = machine_random(&l->seed);
    c.expected = c.value ^ machine_below(&l->seed, 2);
    c.va = x86_any_offset(l, &c);
    for (level = 0; level <= l->top; level++) {
        const bool again = near == 1 || (near > 1 && level > 0);
        const uint64_t index =
            again ? x86_index(l, level, l->last.va) : x86_hot(l, level, machine_below(&l->seed, X86_HOT));
        c.va |= index << x86_shift(l, level);
    }
    c.va = x86_canonical(l, c.va);
    return x86_reach(l, &c);
}

/* Random tables, and many accesses to each without a flush. */
static inline void x86_trees(x86_list_t *l)
{
    unsigned tree, i, made;
    x86_group(l, "random tables");
    for (tree = 0; tree < 200; tree++) {
        uint32_t switches = x86_any_switches(l) | (machine_chance(&l->seed, 80) ? X86_NXE : 0);
        if (l->mode == X86_TWO) switches &= ~(uint32_t)X86_PSE;
        if (l->mode == X86_TWO_PSE) switches |= X86_PSE;
        x86_fill_tree(l);
        for (i = made = 0; i < 30; i++) made += x86_step(l, switches, made ? X86_STEP : X86_TREE);
        x86_clear(l);
        x86_forget(l);
    }
}

/* ---- tables made by vmm.h ------------------------------------------------------------------ */

typedef struct x86_editor {
    vmm_status_t (*map)(vmm_tables_t *t, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes, uint32_t flags);
    vmm_status_t (*unmap)(vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes);
    vmm_status_t (*protect)(vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes, uint32_t flags);
} x86_editor_t;

static inline x86_editor_t x86_editor(unsigned mode)
{
    x86_editor_t e = {0, 0, 0};
    switch (mode) {
#if __STDC_HOSTED__ || defined(__x86_64__)
    case X86_FOUR: e.map = four_map, e.unmap = four_unmap, e.protect = four_protect; break;
    case X86_FIVE: e.map = five_map, e.unmap = five_unmap, e.protect = five_protect; break;
#endif
#if __STDC_HOSTED__ || !defined(__x86_64__)
    case X86_TWO: e.map = small_map, e.unmap = small_unmap, e.protect = small_protect; break;
    case X86_TWO_PSE: e.map = two_map, e.unmap = two_unmap, e.protect = two_protect; break;
    case X86_PAE: e.map = pae_map, e.unmap = pae_unmap, e.protect = pae_protect; break;
#endif
    default: break;
    }
    return e;
}

static inline int x86_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    uint64_t *next = (uint64_t *)user;
    if (*next + bytes > X86_POOL + X86_POOL_BYTES) return 1;
    *table = *next;
    *next += 4096;
    return 0;
}

/* One edit of 16 MiB from base, of some pages or of 4 MiB. Returns where it was. */
static inline uint64_t x86_edit(x86_list_t *l, const x86_editor_t *e, vmm_tables_t *t, uint64_t base)
{
    const bool huge = machine_chance(&l->seed, 30);
    const unsigned pages = huge ? 1024 : 1 + machine_below(&l->seed, 64), what = machine_below(&l->seed, 5);
    const uint64_t bytes = pages * UINT64_C(4096);
    const uint64_t va =
        base + (huge ? machine_below(&l->seed, 4) * bytes : machine_below(&l->seed, 4032) * UINT64_C(4096));
    const uint64_t zone = machine_chance(&l->seed, 40) ? X86_HIGH : X86_LOW;
    const uint64_t pa = zone + (huge ? 0 : machine_below(&l->seed, 960) * UINT64_C(4096));
    uint32_t flags = VMM_R | ((uint32_t)machine_random(&l->seed) & (VMM_W | VMM_X | VMM_U | VMM_G | VMM_A | VMM_D));
    vmm_status_t status;
    if (l->mode < X86_PAE) flags |= VMM_X;
    if (what == 0) status = e->unmap(t, va, bytes);
    else if (what == 1) status = e->protect(t, va, bytes, flags & ~(uint32_t)(VMM_A | VMM_D));
    else {
        flags |= (machine_chance(&l->seed, 80) ? VMM_REPLACE : 0u) | (machine_chance(&l->seed, 25) ? VMM_NO_HUGE : 0u);
        status = e->map(t, va, pa, bytes, flags);
    }
    x86_sum(l, (uint32_t)status);
    return va + machine_below(&l->seed, pages) * UINT64_C(4096);
}

/* An access to a page, after a flush of everything. */
static inline void x86_use(x86_list_t *l, uint64_t page)
{
    static const x86_case_t nothing;
    x86_case_t c = nothing;
    c.kind = (uint8_t)machine_below(&l->seed, 4);
    c.bytes = c.kind == X86_FETCH ? 8 : c.kind == X86_RMW ? 4 : (uint8_t)(1u << machine_below(&l->seed, 3));
    c.cpl = machine_chance(&l->seed, 50) ? 3 : 0;
    c.scene = X86_TREE;
    c.flush = X86_BY_PGE;
    c.keep = true;
    c.switches = x86_any_switches(l) | X86_NXE;
    if (l->mode == X86_TWO) c.switches &= ~(uint32_t)X86_PSE;
    if (l->mode == X86_TWO_PSE) c.switches |= X86_PSE;
    c.value = machine_random(&l->seed);
    c.expected = c.value ^ machine_below(&l->seed, 2);
    c.va = page | x86_any_offset(l, &c);
    x86_reach(l, &c);
}

/* Edits at random, and accesses through what they made. The tables come out the same in both programs. */
static inline void x86_edits(x86_list_t *l)
{
    const x86_editor_t e = x86_editor(l->mode);
    const vmm_memory_t memory = {l->scene.ram, X86_TABLES, 0x400000, {0, 0, 0}, 0};
    uint64_t next = X86_POOL;
    vmm_tables_t t;
    unsigned round, n, i;
    x86_group(l, "tables made by vmm");
    __builtin_memset(&t, 0, sizeof t);
    t.memory = &memory;
    t.root = x86_table(l, l->top, 0);
    t.take = x86_take;
    t.user = &next;
    for (round = 0; round < 12; round++) {
        uint64_t base = x86_any_top(l) << x86_shift(l, l->top);
        if (l->mode >= X86_PAE) base |= machine_random(&l->seed) & x86_low(x86_shift(l, l->top));
        base = x86_canonical(l, base) & ~UINT64_C(0xffffff);
        next = X86_POOL;
        l->scene.words = 0;
        for (n = 0; n < 40; n++) {
            const uint64_t edited = x86_edit(l, &e, &t, base);
            x86_sum(l, machine_sum(&l->scene, X86_POOL, next - X86_POOL));
            for (i = 0; i < 6; i++) x86_use(l, i % 2 ? edited : base + machine_below(&l->seed, 4096) * UINT64_C(4096));
        }
        for (n = 0; n < 4; n++)
            machine_poke(&l->scene, x86_slot(l, l->top, base + n * UINT64_C(0x400000), base), x86_entry_bytes(l), 0);
        x86_forget(l);
    }
}

static inline void x86_open(x86_list_t *l, unsigned mode)
{
    l->mode = mode;
    l->top = mode == X86_FIVE ? 4 : mode == X86_FOUR ? 3 : mode == X86_PAE ? 2 : 1;
    l->seed = mode;
    l->scene.base = X86_TABLES;
    l->scene.words = 0;
}

static inline void x86_all(x86_list_t *l)
{
    x86_rights(l);
    x86_rights_above(l);
    x86_bits(l);
    x86_absent(l);
    x86_keys(l);
    x86_edges(l);
    x86_crossing(l);
    x86_implicit(l);
    x86_changes(l);
    x86_missing(l);
    x86_no_leaf(l);
    x86_mixture(l);
    x86_edits(l);
    x86_trees(l);
}
#endif
