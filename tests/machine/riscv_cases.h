/* riscv_cases.h - the list of cases for RISC-V, compiled into the guest and into the host alike.
 *
 * A case is a state of the tables, a state of the hart (satp, privilege, SUM, MXR, PBMTE), and one access. Includers
 * define riscv_attempt(), which makes the access and tells or compares its outcome, and riscv_group(), riscv_sum().
 *
 * Physical memory, the same for both:
 *
 *     80000000  the guest's own code and data; no table of the list ever leads here
 *     80400000  tables
 *     80800000  data, every word of it with a value that says where it lies, and that can be executed
 *     81000000  end of RAM: nothing is there, up to where an address ends
 *
 * Below RAM, and in 400000000 to 7ffffffff, the board has devices; the list keeps away from both. */
#ifndef RISCV_CASES_H
#define RISCV_CASES_H

#include "machine.h"

#define VMM_STDIO 0
#include "vmm.h"

#define RISCV_RAM UINT64_C(0x80000000)
#define RISCV_RUN UINT64_C(0x80300000) /* here the guest finds which run this is */
#define RISCV_TABLES UINT64_C(0x80400000)
#define RISCV_DATA UINT64_C(0x80800000)
#define RISCV_END UINT64_C(0x81000000)

/* ---- schemes ----------------------------------------------------------------------------- */

VMM_TABLES(sv32, vmm_sv32)
VMM_TABLES(sv39, vmm_sv39)
VMM_TABLES(sv48, vmm_sv48)
VMM_TABLES(sv57, vmm_sv57)

typedef struct riscv_scheme {
    const char *name;
    unsigned mode, levels, index_bits, pte_bytes, va_bits; /* mode: satp.MODE */
    vmm_status_t (*create)(vmm_tables_t *);
    vmm_status_t (*map)(vmm_tables_t *, vmm_vaddr_t, vmm_paddr_t, uint64_t, uint32_t);
    vmm_status_t (*protect)(vmm_tables_t *, vmm_vaddr_t, uint64_t, uint32_t);
    vmm_status_t (*unmap)(vmm_tables_t *, vmm_vaddr_t, uint64_t);
} riscv_scheme_t;

static const riscv_scheme_t riscv_schemes[] = {
    {"Sv32", 1, 2, 10, 4, 32, sv32_create, sv32_map, sv32_protect, sv32_unmap},
    {"Sv39", 8, 3, 9, 8, 39, sv39_create, sv39_map, sv39_protect, sv39_unmap},
    {"Sv48", 9, 4, 9, 8, 48, sv48_create, sv48_map, sv48_protect, sv48_unmap},
    {"Sv57", 10, 5, 9, 8, 57, sv57_create, sv57_map, sv57_protect, sv57_unmap},
};

/* ---- list -------------------------------------------------------------------------------- */

enum riscv_access {
    RISCV_LOAD,
    RISCV_STORE,
    RISCV_FETCH,
    RISCV_AMO, /* AMOSWAP */
    RISCV_LRSC /* LR, and when it is done SC to the same place */
};

/* What may be asked for. */
enum riscv_asked {
    RISCV_ANYTHING,
    RISCV_PAGE_FAULT,
    RISCV_ACCESS_FAULT
};

/* Bits of a run's number, above satp.MODE. */
#define RISCV_PLAIN 0x100u /* a hart without Svnapot and Svpbmt: the groups that these change */

#define RISCV_V 0x01u
#define RISCV_R 0x02u
#define RISCV_W 0x04u
#define RISCV_X 0x08u
#define RISCV_U 0x10u
#define RISCV_G 0x20u
#define RISCV_A 0x40u
#define RISCV_D 0x80u
#define RISCV_ALL (RISCV_V | RISCV_R | RISCV_W | RISCV_X | RISCV_A | RISCV_D)
#define RISCV_N_BIT (UINT64_C(1) << 63)
#define RISCV_PBMT(type) ((uint64_t)(type) << 61)

typedef struct riscv_list {
    machine_scene_t scene;
    const riscv_scheme_t *scheme;
    bool plain;
    uint64_t seed;
    /* The hart. */
    uint64_t satp;
    unsigned privilege; /* 0 U, 1 S, 3 M */
    bool sum, mxr, pbmte;
    bool fence; /* tables were changed: an SFENCE.VMA comes first */
    /* The access. */
    unsigned access, bytes;
    uint64_t va, data;
    unsigned salt;
    /* What the manual asks for in user and in supervisor mode, where a machine is known to do something else. */
    unsigned asked[2];
    /* Tables made by vmm itself. */
    vmm_memory_t memory;
    vmm_tables_t tables;
    uint64_t next_table;
} riscv_list_t;

static void riscv_attempt(riscv_list_t *l);
static void riscv_group(riscv_list_t *l, const char *name);
static void riscv_sum(riscv_list_t *l, uint64_t paddr, uint64_t bytes);

/* ---- data -------------------------------------------------------------------------------- */

/* A word of data at an offset in its page. Fetched, it loads `tag` and its own offset into a0 and ends in a trap:
 *
 *     000        lui a0, high half 9002
 *     008..ff0   lui a0, high half 4000 | tag | offset / 8
 *     ..4, ff8   ecall
 *     ffc        c.ebreak
 *     ffe        first half of a lui a0, whose second half is the first half at 000 of the next page,
 *     002        where the 9002 is c.ebreak
 *
 * Read as an entry of a table it has no X, or is not valid, or leads to where there is nothing. `tag` has 9 bits. */
static inline uint32_t riscv_word(unsigned offset, unsigned tag)
{
    const uint32_t lui = 0x537u | (tag & 15u) << 12;
    if ((offset & ~3u) == 0xffc) return 0x9002u | lui << 16;
    if ((offset & 4u) || offset >= 0xff8) return 0x73;
    if (offset < 4) return 0x90020000u | lui;
    return (0x4000u | (tag >> 4 & 31u) << 9 | offset >> 3) << 16 | lui;
}

/* What a store of the list writes: what data looks like there, so that it can be executed still, but of another tag. */
static inline uint64_t riscv_store_value(uint64_t va, unsigned bytes, unsigned tag)
{
    uint64_t value = 0;
    unsigned i;
    for (i = 0; i < bytes; i++) {
        const unsigned offset = (unsigned)(va + i) & 4095u;
        value |= (uint64_t)(riscv_word(offset, tag & 15u) >> (offset & 3u) * 8 & 255u) << i * 8;
    }
    return value;
}

static inline void riscv_fill(riscv_list_t *l)
{
    uint64_t at;
    for (at = RISCV_TABLES; at < RISCV_DATA; at += 4) machine_poke(&l->scene, at, 4, 0);
    for (; at < RISCV_END; at += 4)
        machine_poke(&l->scene, at, 4, riscv_word((unsigned)at & 4095u, (unsigned)(at >> 12) & 511u));
}

/* ---- tables ------------------------------------------------------------------------------ */

static inline unsigned riscv_shift(const riscv_list_t *l, unsigned level)
{
    return 12 + level * l->scheme->index_bits;
}

/* The table of a path at a level. Two paths (0 and 1) share all tables but those of level 0. */
static inline uint64_t riscv_table(unsigned level, unsigned path)
{
    return RISCV_TABLES + (level + (level == 0 ? path * 8u : 0)) * 4096u;
}

static inline uint64_t riscv_entry_at(const riscv_list_t *l, uint64_t table, unsigned level, uint64_t va)
{
    return table + ((va >> riscv_shift(l, level)) & ((1u << l->scheme->index_bits) - 1u)) * l->scheme->pte_bytes;
}

static inline uint64_t riscv_pte(uint64_t paddr, uint64_t bits)
{
    return paddr >> 12 << 10 | bits;
}

/* Writes an entry, and looks at it after the next accesses. */
static inline void riscv_put(riscv_list_t *l, uint64_t at, uint64_t pte)
{
    machine_poke(&l->scene, at, l->scheme->pte_bytes, pte);
    machine_watch(&l->scene, at, l->scheme->pte_bytes);
    l->fence = true;
}

static inline uint64_t riscv_satp(const riscv_list_t *l, uint64_t root, unsigned asid)
{
    if (l->scheme->pte_bytes == 4) return UINT64_C(1) << 31 | (uint64_t)asid << 22 | root >> 12;
    return (uint64_t)l->scheme->mode << 60 | (uint64_t)asid << 44 | root >> 12;
}

/* Writes the pointers of va down to `level`. Returns where the entry of that level stands. */
static inline uint64_t riscv_path(riscv_list_t *l, uint64_t va, unsigned level, unsigned path)
{
    unsigned i;
    for (i = l->scheme->levels - 1; i > level; i--)
        riscv_put(l, riscv_entry_at(l, riscv_table(i, path), i, va), riscv_pte(riscv_table(i - 1, path), RISCV_V));
    l->satp = riscv_satp(l, riscv_table(l->scheme->levels - 1, 0), 0);
    return riscv_entry_at(l, riscv_table(level, path), level, va);
}

/* An address whose bits above the VA continue its highest. */
static inline uint64_t riscv_canonical(const riscv_list_t *l, uint64_t va)
{
    const unsigned unused = 64 - l->scheme->va_bits;
    if (l->scheme->pte_bytes == 4) return va & 0xffffffffu;
    return (uint64_t)((int64_t)(va << unused) >> unused);
}

/* An address that a leaf at `level` can take to `target`: below the leaf's size the bits are the target's, above each
 * level has an index of its own. */
static inline uint64_t riscv_va(const riscv_list_t *l, uint64_t target, unsigned level, bool upper_half)
{
    const unsigned size = riscv_shift(l, level), top = l->scheme->va_bits - 1;
    uint64_t va = 0;
    unsigned i;
    for (i = level; i < l->scheme->levels; i++) va |= (uint64_t)(5 + i * 3) << riscv_shift(l, i);
    va = (va & ~(UINT64_C(1) << top)) | (uint64_t)upper_half << top;
    return riscv_canonical(l, va | (target & ((UINT64_C(1) << size) - 1)));
}

/* The frame that such a leaf has. */
static inline uint64_t riscv_frame(const riscv_list_t *l, uint64_t target, unsigned level)
{
    return target >> riscv_shift(l, level) << riscv_shift(l, level);
}

/* ---- one access -------------------------------------------------------------------------- */

static inline void riscv_ask(riscv_list_t *l, enum riscv_asked user, enum riscv_asked supervisor)
{
    l->asked[0] = user;
    l->asked[1] = supervisor;
}

static inline void riscv_hart(riscv_list_t *l, unsigned privilege, bool sum, bool mxr)
{
    l->privilege = privilege;
    l->sum = sum;
    l->mxr = mxr;
}

static inline void riscv_go(riscv_list_t *l, unsigned access, uint64_t va, unsigned bytes)
{
    l->access = access;
    l->va = l->scheme->pte_bytes == 4 ? va & 0xffffffffu : va;
    l->bytes = access == RISCV_FETCH ? 4 : bytes;
    l->data = riscv_store_value(va, bytes, ++l->salt);
    riscv_attempt(l);
    l->fence = false;
}

/* User or supervisor mode, with SUM and MXR as they come. */
static inline void riscv_any_hart(riscv_list_t *l)
{
    const uint64_t bits = machine_random(&l->seed);
    riscv_hart(l, bits & 1, bits >> 1 & 1, bits >> 2 & 1);
}

/* Writes `pte` at `at`, and tries what it lets through: three accesses to va in four states of the hart. */
static inline void riscv_try(riscv_list_t *l, uint64_t at, uint64_t pte, uint64_t va)
{
    unsigned access, state;
    for (access = RISCV_LOAD; access <= RISCV_FETCH; access++)
        for (state = 0; state < 3; state++) {
            riscv_put(l, at, pte);
            riscv_hart(l, state > 0, state > 1, (pte >> 1 & 1) != 0);
            riscv_go(l, access, va, 4);
        }
}

/* A new scene: the entries of a path for a leaf that would lead to `target`, which is looked at as well. Returns
 * where the entry of `level` stands. */
static inline uint64_t riscv_scene(riscv_list_t *l, uint64_t target, uint64_t va, unsigned level)
{
    uint64_t at;
    l->scene.words = 0;
    at = riscv_path(l, va, level, 0);
    machine_watch(&l->scene, target & ~UINT64_C(7), 8);
    return at;
}

/* ---- groups: one rule after the other ---------------------------------------------------- */

#define RISCV_TARGET (RISCV_DATA + 0x5238)

/* V R W X U G A D by privilege, SUM, MXR, access and level. */
static inline void riscv_rights(riscv_list_t *l)
{
    unsigned level, flags, state, access;
    riscv_group(l, "rights by privilege, modifiers, access and level");
    for (level = 0; level < l->scheme->levels; level++)
        for (flags = 0; flags < 256; flags++) {
            const uint64_t va = riscv_va(l, RISCV_TARGET, level, flags & 1);
            const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
            for (state = flags & RISCV_V ? 0 : 6; state < 8; state++)
                for (access = RISCV_LOAD; access <= RISCV_FETCH; access++) {
                    riscv_put(l, at, riscv_pte(riscv_frame(l, RISCV_TARGET, level), flags));
                    riscv_hart(l, state & 1, state >> 1 & 1, state >> 2 & 1);
                    riscv_go(l, access, va, 4);
                }
        }
}

/* One entry is made at A and D set; then what a second and third access find must be the same with no fence between. */
static inline void riscv_remembered(riscv_list_t *l)
{
    unsigned level, flags, state, access;
    riscv_group(l, "modifiers change without a fence");
    for (level = 0; level < l->scheme->levels; level++)
        for (flags = RISCV_V | RISCV_A; flags < 256; flags += 2) {
            const uint64_t va = riscv_va(l, RISCV_TARGET, level, true);
            const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
            if (!(flags & RISCV_A)) continue;
            riscv_put(l, at, riscv_pte(riscv_frame(l, RISCV_TARGET, level), flags));
            for (state = 0; state < 8; state++)
                for (access = RISCV_LOAD; access <= RISCV_STORE; access++) {
                    riscv_hart(l, state & 1, state >> 1 & 1, state >> 2 & 1);
                    riscv_go(l, access, va, 1u << state % (l->scheme->pte_bytes == 8 ? 4 : 3));
                }
        }
}

/* N, PBMT and the reserved bits of a leaf, with and without PBMTE, and with A and D set or clear. */
static inline void riscv_leaf_bits(riscv_list_t *l)
{
    unsigned level, bit, i, marks;
    if (l->scheme->pte_bytes == 4) return;
    riscv_group(l, "high bits of a leaf");
    for (level = 0; level < l->scheme->levels; level++)
        for (marks = 0; marks < 3; marks++) {
            const uint64_t flags = marks == 2 ? RISCV_ALL | RISCV_U : RISCV_ALL ^ (marks ? RISCV_D : RISCV_A | RISCV_D);
            const uint64_t va = riscv_va(l, RISCV_TARGET, level, true);
            const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
            const uint64_t pte = riscv_pte(riscv_frame(l, RISCV_TARGET, level), flags);
            for (l->pbmte = 0;; l->pbmte = 1) {
                riscv_ask(l, RISCV_PAGE_FAULT, RISCV_PAGE_FAULT);
                for (bit = 54; bit < 61; bit++) riscv_try(l, at, pte | UINT64_C(1) << bit, va);
                riscv_try(l, at, pte | RISCV_PBMT(3), va);
                for (i = 0; i < 16; i++)
                    if (i != 8) riscv_try(l, at, (pte & ~UINT64_C(0x3c00)) | i << 10 | RISCV_N_BIT, va);
                riscv_try(l, at, (pte & ~UINT64_C(0x3c00)) | 8u << 10 | RISCV_N_BIT | RISCV_PBMT(3), va);
                if (l->pbmte && !l->plain) riscv_ask(l, RISCV_ANYTHING, RISCV_ANYTHING);
                for (i = 1; i < 3; i++) riscv_try(l, at, pte | RISCV_PBMT(i), va);
                riscv_ask(l, RISCV_ANYTHING, RISCV_ANYTHING);
                for (i = 0; i < 3; i++)
                    riscv_try(l, at, (pte & ~UINT64_C(0x3c00)) | 8u << 10 | RISCV_N_BIT | RISCV_PBMT(i), va);
                riscv_try(l, at, pte | 3u << 8, va); /* RSW is software's */
                if (l->pbmte) break;
            }
        }
}

/* The 16 pages of one contiguous group, through its entries one after the other. */
static inline void riscv_napot(riscv_list_t *l)
{
    unsigned page, access;
    if (l->scheme->pte_bytes == 4) return;
    riscv_group(l, "pages of a contiguous group");
    for (page = 0; page < 16; page++)
        for (access = RISCV_LOAD; access <= RISCV_FETCH; access++) {
            const uint64_t target = (RISCV_TARGET & ~UINT64_C(0xffff)) + page * 4096u + 0x238;
            const uint64_t va = (riscv_va(l, target, 0, false) & ~UINT64_C(0xf000)) | page << 12;
            const uint64_t at = riscv_scene(l, target, va, 0);
            riscv_put(l, at, riscv_pte(target & ~UINT64_C(0xffff), RISCV_ALL ^ RISCV_D) | 8u << 10 | RISCV_N_BIT);
            riscv_hart(l, 1, false, false);
            riscv_go(l, access, va, 8);
        }
}

/* Flags and high bits of an entry that points to a table, whose leaf is one level below. */
static inline void riscv_pointer_bits(riscv_list_t *l)
{
    unsigned level, flags, bit;
    riscv_group(l, "bits of a pointer");
    for (level = 0; level < l->scheme->levels; level++) {
        const unsigned below = level ? level - 1 : 0;
        const uint64_t va = riscv_va(l, RISCV_TARGET, below, false);
        const uint64_t leaf = riscv_scene(l, RISCV_TARGET, va, below);
        const uint64_t at = riscv_entry_at(l, riscv_table(level, 0), level, va);
        const uint64_t pte = riscv_pte(riscv_table(below, 0), 0);
        if (level) riscv_put(l, leaf, riscv_pte(riscv_frame(l, RISCV_TARGET, below), RISCV_ALL | RISCV_U));
        for (flags = 0; flags < 1024; flags++) /* U G A D and RSW; sometimes not valid */
            if (!(flags & 0xe) && ((flags & 1) || flags % 0x50 == 0)) riscv_try(l, at, pte | flags, va);
        riscv_ask(l, RISCV_PAGE_FAULT, RISCV_PAGE_FAULT);
        for (bit = 54; bit < 64 && l->scheme->pte_bytes == 8; bit++)
            riscv_try(l, at, pte | RISCV_V | UINT64_C(1) << bit, va);
        riscv_ask(l, RISCV_ANYTHING, RISCV_ANYTHING);
    }
}

/* Each bit of the frame that must be clear in a huge page. */
static inline void riscv_alignment(riscv_list_t *l)
{
    unsigned level, bit, marks;
    riscv_group(l, "huge pages that are not aligned");
    for (level = 1; level < l->scheme->levels; level++)
        for (marks = 0; marks < 2; marks++) {
            const uint64_t va = riscv_va(l, RISCV_TARGET, level, marks);
            const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
            const uint64_t pte =
                riscv_pte(riscv_frame(l, RISCV_TARGET, level), RISCV_ALL ^ (marks ? RISCV_A | RISCV_D : 0));
            for (bit = 12; bit < riscv_shift(l, level); bit++)
                riscv_try(l, at, pte ^ riscv_pte(UINT64_C(1) << bit, 0), va);
        }
}

/* Where nothing is: just behind RAM, and with each of the higher address bits. */
static inline uint64_t riscv_nowhere(const riscv_list_t *l, unsigned i)
{
    static const unsigned bits32[] = {24, 25, 26, 27, 28, 29, 30, 32, 33};
    const uint64_t from = RISCV_DATA & ~UINT64_C(0xfff);
    if (i == 0) return RISCV_END;
    if (l->scheme->pte_bytes == 4) return i <= 9 ? from | UINT64_C(1) << bits32[i - 1] : 0;
    if (i < 8) return from | UINT64_C(1) << (23 + i);
    if (i < 32) return from | UINT64_C(1) << (i == 10 ? 35 : 24 + i); /* of 34: devices */
    return i == 32 ? UINT64_C(0xfffffffffff000) : 0;
}

/* Memory that is missing behind a leaf, behind a pointer, behind satp. The leaf is supervisor mode's. */
static inline void riscv_missing(riscv_list_t *l)
{
    unsigned level, i, marks;
    uint64_t paddr;
    riscv_group(l, "memory that is missing");
    for (level = 0; level < l->scheme->levels; level++)
        for (marks = 0; marks < 2; marks++)
            for (i = 0; (paddr = riscv_nowhere(l, i)) != 0; i++) {
                const uint64_t va = riscv_va(l, paddr, level, marks);
                const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
                const uint64_t flags = RISCV_ALL ^ (marks ? RISCV_A | RISCV_D : 0);
                riscv_ask(l, RISCV_PAGE_FAULT, RISCV_ACCESS_FAULT);
                riscv_try(l, at, riscv_pte(riscv_frame(l, paddr, level), flags), va);
                riscv_ask(l, RISCV_ACCESS_FAULT, RISCV_ACCESS_FAULT);
                if (level && marks) riscv_try(l, at, riscv_pte(paddr, RISCV_V), va);
            }
    for (i = 0; (paddr = riscv_nowhere(l, i)) != 0; i++) {
        const uint64_t va = riscv_va(l, RISCV_TARGET, 0, i & 1);
        const uint64_t at = riscv_scene(l, RISCV_TARGET, va, 0);
        l->satp = riscv_satp(l, paddr, 0);
        riscv_try(l, at, riscv_pte(riscv_frame(l, RISCV_TARGET, 0), RISCV_ALL), va);
    }
    riscv_ask(l, RISCV_ANYTHING, RISCV_ANYTHING);
}

/* The edges of the address space, and each bit above it turned over. */
static inline void riscv_edges(riscv_list_t *l)
{
    unsigned half, bit;
    if (l->scheme->pte_bytes == 4) return;
    riscv_group(l, "addresses that are not canonical");
    for (half = 0; half < 2; half++) {
        const uint64_t va = riscv_va(l, RISCV_TARGET, 0, half);
        const uint64_t at = riscv_scene(l, RISCV_TARGET, va, 0);
        const uint64_t pte = riscv_pte(riscv_frame(l, RISCV_TARGET, 0), RISCV_ALL | (half ? RISCV_U : 0));
        for (bit = l->scheme->va_bits - 1; bit < 64; bit++) {
            riscv_try(l, at, pte, va ^ UINT64_C(1) << bit);
            riscv_try(l, at, pte, va ^ ~UINT64_C(0) << bit);
            if (bit < 63) riscv_try(l, at, pte, va ^ (UINT64_C(1) << bit | UINT64_C(1) << 63));
        }
    }
}

/* The last address below `edge` and the first from it on, and accesses that lie on both sides. */
static inline void riscv_edge(riscv_list_t *l, uint64_t edge)
{
    unsigned flags, access, back, state;
    for (flags = 0; flags < 4; flags++)
        for (access = RISCV_LOAD; access <= RISCV_FETCH; access++)
            for (back = 0; back <= 8; back += access == RISCV_FETCH ? 2 : 1)
                for (state = 0; state < 2; state++) {
                    const uint64_t low = riscv_canonical(l, edge - 4096), high = riscv_canonical(l, edge);
                    const uint64_t rights = RISCV_ALL | (state ? 0 : RISCV_U);
                    l->scene.words = 0;
                    riscv_put(l, riscv_path(l, low, 0, 0), riscv_pte(RISCV_DATA + 0x3000, flags & 1 ? rights : 0));
                    riscv_put(l, riscv_path(l, high, 0, 1), riscv_pte(RISCV_DATA + 0x9000, flags & 2 ? rights : 0));
                    machine_watch(&l->scene, RISCV_DATA + 0x3ff8, 8);
                    machine_watch(&l->scene, RISCV_DATA + 0x9000, 8);
                    riscv_hart(l, state, false, false);
                    if (access == RISCV_FETCH && back == 6) continue; /* no instruction begins there */
                    riscv_go(l, access, edge - back, l->scheme->pte_bytes);
                }
}

/* From the highest address to 0, and for 64 bits the two ends of what is not canonical. */
static inline void riscv_wraps(riscv_list_t *l)
{
    riscv_group(l, "edges of the address space");
    riscv_edge(l, 0);
    if (l->scheme->pte_bytes == 4) return;
    riscv_edge(l, UINT64_C(1) << (l->scheme->va_bits - 1));
    riscv_edge(l, ~UINT64_C(0) << (l->scheme->va_bits - 1));
}

/* Accesses across two pages, each with rights of its own, of 4 KiB or huge. */
static inline void riscv_crossing(riscv_list_t *l)
{
    static const unsigned rights[] = {
        0,
        RISCV_ALL,
        RISCV_ALL | RISCV_U,
        RISCV_ALL ^ RISCV_A,
        RISCV_ALL ^ RISCV_D,
        RISCV_ALL ^ RISCV_X,
        RISCV_ALL ^ RISCV_W,
        RISCV_V | RISCV_X,
        RISCV_ALL ^ RISCV_R,
        RISCV_V | RISCV_R | RISCV_U,
    };
    const unsigned kinds = sizeof rights / sizeof *rights;
    const uint64_t pages[2][2] = {{RISCV_DATA + 0x7000, RISCV_DATA + 0x2000},
                                  {RISCV_DATA, RISCV_DATA + ((RISCV_END - RISCV_DATA) >> 1)}};
    unsigned i, levels, access, turn;
    riscv_group(l, "accesses across two pages");
    for (levels = 0; levels < 4; levels++)
        for (i = 0; i < kinds * kinds; i++)
            for (access = RISCV_LOAD; access <= RISCV_FETCH; access++)
                for (turn = 0; turn < 2; turn++) {
                    const unsigned first = levels & 1, second = levels >> 1;
                    const uint64_t edge =
                        riscv_canonical(l, riscv_va(l, 0, 1, true) + (UINT64_C(1) << riscv_shift(l, 1)));
                    const uint64_t end = pages[first][0] + (UINT64_C(1) << riscv_shift(l, first));
                    const unsigned bytes = 2u << machine_below(&l->seed, l->scheme->pte_bytes == 8 ? 3 : 2);
                    const unsigned back = access == RISCV_FETCH ? 2 : 1 + machine_below(&l->seed, bytes - 1);
                    l->scene.words = 0;
                    riscv_put(l, riscv_path(l, edge - 4096, first, 0), riscv_pte(pages[first][0], rights[i % kinds]));
                    riscv_put(l, riscv_path(l, edge, second, 1), riscv_pte(pages[second][1], rights[i / kinds]));
                    machine_watch(&l->scene, end - 8, 8);
                    machine_watch(&l->scene, pages[second][1], 8);
                    riscv_hart(l, turn, i >> 1 & 1, i >> 2 & 1);
                    riscv_go(l, access, edge - back, bytes);
                }
}

/* AMOSWAP, and LR with SC, by rights and level; behind some leaves memory is missing. */
static inline void riscv_atomics(riscv_list_t *l)
{
    unsigned level, flags, state, access;
    riscv_group(l, "atomic accesses");
    for (level = 0; level < l->scheme->levels; level++)
        for (flags = RISCV_V; flags < 256; flags += 2)
            for (access = RISCV_AMO; access <= RISCV_LRSC; access++)
                for (state = 0; state < 3; state++) {
                    const uint64_t va = riscv_va(l, RISCV_TARGET, level, flags & 2);
                    const uint64_t at = riscv_scene(l, RISCV_TARGET, va, level);
                    riscv_put(l, at, riscv_pte(riscv_frame(l, RISCV_TARGET, level), flags));
                    riscv_hart(l, state & 1, state == 1, state == 2);
                    riscv_go(l, access, va, l->scheme->pte_bytes == 8 && (flags & 0x40) ? 8 : 4);
                }
}

/* Addresses without translation: satp is Bare, or loads and stores are machine mode's. */
static inline void riscv_bare(riscv_list_t *l)
{
    unsigned page, access, privilege, bare;
    riscv_group(l, "no translation");
    for (page = 0; page < 24; page++)
        for (access = RISCV_LOAD; access <= RISCV_FETCH; access++)
            for (privilege = 0; privilege < 4; privilege++)
                for (bare = 0; bare < 2; bare++) {
                    const uint64_t target = RISCV_DATA + (uint64_t)page * 0x5b000 % (RISCV_END - RISCV_DATA) + page * 8;
                    const uint64_t va = page < 20 ? target : target + (RISCV_END - RISCV_DATA);
                    const uint64_t at = riscv_scene(l, target, riscv_va(l, RISCV_TARGET, 0, false), 0);
                    if (privilege == 2 || (privilege == 3 && access == RISCV_FETCH)) continue;
                    if (!bare && privilege < 3) continue;
                    riscv_put(l, at, riscv_pte(RISCV_TARGET, RISCV_ALL | RISCV_U));
                    if (bare) l->satp = 0;
                    riscv_hart(l, privilege, page & 1, page >> 1 & 1);
                    riscv_go(l, access, va, 4);
                }
}

/* Two spaces, gone to and fro between with no fence: a page that they share, and an address where each has its own,
 * one a small page and the other the largest. */
static inline void riscv_spaces(riscv_list_t *l)
{
    const unsigned top = l->scheme->levels - 1;
    const uint64_t other = RISCV_TABLES + 16 * 4096;
    const uint64_t shared = riscv_va(l, RISCV_TARGET, 0, true), own = riscv_va(l, RISCV_TARGET, top, false);
    unsigned i;
    riscv_group(l, "address spaces change without a fence");
    l->scene.words = 0;
    riscv_put(l, riscv_path(l, shared, 0, 0), riscv_pte(RISCV_TARGET, RISCV_ALL | RISCV_G));
    riscv_put(l, riscv_entry_at(l, other, top, shared),
              machine_peek(&l->scene, riscv_entry_at(l, riscv_table(top, 0), top, shared), l->scheme->pte_bytes));
    riscv_put(l, riscv_path(l, own, 0, 1), riscv_pte(RISCV_DATA + 0x9000, RISCV_ALL));
    riscv_put(l, riscv_entry_at(l, other, top, own),
              riscv_pte(riscv_frame(l, RISCV_TARGET, top), RISCV_V | RISCV_R | RISCV_A | RISCV_U));
    machine_watch(&l->scene, RISCV_TARGET & ~UINT64_C(7), 8);
    for (i = 0; i < 600; i++) {
        const unsigned any = machine_below(&l->seed, 12);
        l->satp = riscv_satp(l, any & 1 ? other : riscv_table(top, 0), any & 1 ? 2 : 1);
        riscv_any_hart(l);
        riscv_go(l, any >> 2, any & 2 ? shared : own, 4);
    }
}

/* ---- tables that vmm made ---------------------------------------------------------------- */

/* Frames for tables, one after the other; none is given back. */
static inline int riscv_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    riscv_list_t *l = (riscv_list_t *)user;
    if (l->next_table + bytes > RISCV_DATA) return -1;
    *table = l->next_table;
    l->next_table += bytes;
    return 0;
}

/* Maps, protects and unmaps at random, and goes to addresses in and around the ranges. The sums of the tables prove
 * that vmm.h writes the same entries on both processors. */
static inline void riscv_made(riscv_list_t *l)
{
    const uint64_t base = riscv_canonical(l, (UINT64_C(1) << l->scheme->va_bits) - (UINT64_C(96) << 20));
    static const uint32_t rights[] = {VMM_R, VMM_R | VMM_W, VMM_R | VMM_X, VMM_X, VMM_R | VMM_W | VMM_X};
    unsigned i, k;
    riscv_group(l, "tables made by vmm");
    l->scene.words = 0;
    l->next_table = RISCV_TABLES + 64 * 4096;
    l->memory.ram = l->scene.ram;
    l->memory.base = RISCV_RAM;
    l->memory.size = RISCV_END - RISCV_RAM;
    l->tables.memory = &l->memory;
    l->tables.take = riscv_take;
    l->tables.user = l;
    if (l->scheme->create(&l->tables) != VMM_OK) __builtin_trap();
    l->satp = riscv_satp(l, l->tables.root, 0);
    for (i = 0; i < 250; i++) {
        const bool huge = machine_chance(&l->seed, 30);
        const uint64_t from = huge ? (uint64_t)machine_below(&l->seed, 4) << 21 : machine_below(&l->seed, 2000) * 4096u;
        const uint64_t va = base + from + ((uint64_t)machine_below(&l->seed, 3) << 22);
        const uint64_t left = RISCV_END - RISCV_DATA - from;
        const uint64_t bytes = huge ? left & ~UINT64_C(0x1fffff) : 4096u * (1 + machine_below(&l->seed, 40));
        const uint64_t length = bytes < left ? bytes : left;
        const uint32_t marks = machine_random(&l->seed) & (VMM_U | VMM_G | VMM_A | VMM_D);
        const uint32_t flags = rights[machine_below(&l->seed, 5)] | marks;
        const unsigned what = machine_below(&l->seed, 10);
        vmm_status_t status;
        if (what < 6) status = l->scheme->map(&l->tables, va, RISCV_DATA + from, length, flags | VMM_REPLACE);
        else if (what < 8) status = l->scheme->protect(&l->tables, va, length, flags & ~(uint32_t)(VMM_A | VMM_D));
        else status = l->scheme->unmap(&l->tables, va, length);
        (void)status; /* what it did is in the sum */
        l->fence = true;
        riscv_sum(l, RISCV_TABLES + 64 * 4096, l->next_table - (RISCV_TABLES + 64 * 4096));
        for (k = 0; k < 10; k++) {
            const uint64_t page = va + (uint64_t)machine_below(&l->seed, length >> 12) * 4096u;
            const unsigned access = machine_below(&l->seed, 3);
            riscv_any_hart(l);
            riscv_go(l, access, page + machine_below(&l->seed, 510) * 8u, 4);
        }
    }
}

/* ---- random tables ----------------------------------------------------------------------- */

#define RISCV_RANDOM_TABLES 12u
#define RISCV_HOT 8u

/* The entries that addresses lead through. A huge page leads to where the indices below it say, which is why those of
 * each level are such that this is data, or nowhere: never the guest, never a device. */
static inline unsigned riscv_index(const riscv_list_t *l, unsigned level, unsigned hot)
{
    static const uint16_t sv32[2][RISCV_HOT] = {{0, 1, 7, 8, 511, 1021, 1022, 1023},
                                                {0, 1, 2, 511, 516, 1021, 1022, 1023}};
    static const uint16_t rv64[5][RISCV_HOT] = {
        {0, 1, 7, 8, 255, 509, 510, 511},   {4, 5, 6, 7, 8, 9, 300, 511}, /* 2 MiB: 4 to 7 are data */
        {2, 3, 33, 64, 255, 256, 510, 511},                               /* 1 GiB: 2 is RAM */
        {0, 1, 2, 255, 256, 509, 510, 511},                               /* 512 GiB: RAM is in 0 */
        {0, 1, 2, 255, 256, 509, 510, 511},
    };
    return l->scheme->pte_bytes == 4 ? sv32[level][hot] : rv64[level][hot];
}

/* A pointer for a level: mostly to a table meant for the level below, sometimes to one that leaves of small pages lie
 * in (a larger page's frame, read as a smaller one's, could lead to a device), or out of RAM. */
static inline uint64_t riscv_random_pointer(riscv_list_t *l, unsigned level)
{
    const unsigned levels = l->scheme->levels;
    const uint64_t noise = machine_random(&l->seed);
    const unsigned kind = machine_chance(&l->seed, 5) ? (unsigned)noise >> 31 : level - 1;
    const unsigned table = kind + levels * machine_below(&l->seed, RISCV_RANDOM_TABLES / levels);
    uint64_t pte = riscv_pte(RISCV_TABLES + table * 4096u, (noise & 0x320) | RISCV_V); /* G and RSW as they come */
    if (machine_chance(&l->seed, 2)) pte = riscv_pte(RISCV_END + table * 4096u, RISCV_V);
    if (machine_chance(&l->seed, 2)) pte |= noise & 0xd0;
    return pte;
}

/* The frame of a leaf: data, seldom just not aligned, or out of RAM. */
static inline uint64_t riscv_random_frame(riscv_list_t *l, unsigned level)
{
    const unsigned shift = riscv_shift(l, level);
    uint64_t frame = riscv_frame(l, RISCV_DATA, level);
    if (level < 2)
        frame += (uint64_t)machine_below(&l->seed, level == 0 ? 16 : (RISCV_END - RISCV_DATA) >> shift) << shift;
    if (machine_chance(&l->seed, 2)) frame += RISCV_END - RISCV_DATA;
    if (machine_chance(&l->seed, 2)) frame ^= UINT64_C(1) << (12 + machine_below(&l->seed, 11));
    return frame;
}

/* An entry meant for a level, though others may come to read it. */
static inline uint64_t riscv_random_entry(riscv_list_t *l, unsigned level)
{
    static const uint8_t rights[] = {0x2, 0x6, 0x8, 0xa, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0xc};
    const bool rv32 = l->scheme->pte_bytes == 4;
    const uint64_t noise = machine_random(&l->seed);
    uint64_t pte;
    if (machine_chance(&l->seed, 3)) /* anything, leading to nowhere */
        return rv32 ? (noise & 0x7fffffffu) | 0x70000000u : noise | UINT64_C(1) << 53;
    if (level > 0 && machine_chance(&l->seed, 85)) return riscv_random_pointer(l, level);
    if (level == 0 && machine_chance(&l->seed, 4)) /* the tables themselves, to read only */
        return riscv_pte(RISCV_TABLES + machine_below(&l->seed, RISCV_RANDOM_TABLES) * 4096u,
                         (noise & 0x3f0) | RISCV_V | RISCV_R);
    pte = riscv_pte(riscv_random_frame(l, level), noise & 0x3f0);
    pte |= rights[machine_below(&l->seed, 12)];
    if (machine_chance(&l->seed, 96)) pte |= RISCV_V;
    if (machine_chance(&l->seed, 40)) pte |= RISCV_A | RISCV_D;
    if (!rv32 && machine_chance(&l->seed, level ? 1 : 10)) pte = (pte & ~(UINT64_C(15) << 10)) | 8u << 10 | RISCV_N_BIT;
    if (!rv32 && machine_chance(&l->seed, 8)) pte |= RISCV_PBMT(machine_below(&l->seed, 4));
    return pte;
}

static inline void riscv_random_put(riscv_list_t *l, unsigned table, unsigned hot)
{
    const unsigned level = table % l->scheme->levels;
    const uint64_t at = RISCV_TABLES + table * 4096u + riscv_index(l, level, hot) * l->scheme->pte_bytes;
    riscv_put(l, at, riscv_random_entry(l, level));
}

static inline uint64_t riscv_random_va(riscv_list_t *l, unsigned access)
{
    uint64_t va = 0;
    unsigned level, offset;
    for (level = 0; level < l->scheme->levels; level++)
        va |= (uint64_t)riscv_index(l, level, machine_below(&l->seed, RISCV_HOT)) << riscv_shift(l, level);
    va = riscv_canonical(l, va);
    if (l->scheme->pte_bytes == 8 && machine_chance(&l->seed, 2))
        va ^= UINT64_C(1) << (l->scheme->va_bits - 1 + machine_below(&l->seed, 65 - l->scheme->va_bits));
    offset = machine_chance(&l->seed, 25) ? 4095 - machine_below(&l->seed, 8) : machine_below(&l->seed, 4088);
    if (access == RISCV_FETCH) offset &= ~7u; /* QEMU 7.2 gives up when the second half of one lies out of RAM */
    if (access >= RISCV_AMO) offset &= ~7u;
    return va + offset;
}

static inline void riscv_random_tables(riscv_list_t *l, unsigned cases)
{
    unsigned i, k, accesses[8];
    uint64_t at, recent[8];
    riscv_group(l, "random tables");
    l->scene.words = 0;
    for (at = RISCV_TABLES; at < RISCV_TABLES + 64 * 4096; at += 4) machine_poke(&l->scene, at, 4, 0);
    for (i = 0; i < RISCV_RANDOM_TABLES; i++)
        for (k = 0; k < RISCV_HOT; k++) riscv_random_put(l, i, k);
    for (i = 0; i < 8; i++) recent[i] = riscv_random_va(l, accesses[i] = machine_below(&l->seed, 3));
    for (i = 0; i < cases; i++) {
        const unsigned slot = machine_below(&l->seed, 8);
        if (machine_chance(&l->seed, 20)) {
            const unsigned any = machine_below(&l->seed, RISCV_RANDOM_TABLES * RISCV_HOT);
            riscv_random_put(l, any / RISCV_HOT, any % RISCV_HOT);
        }
        if (machine_chance(&l->seed, 3)) l->pbmte = machine_chance(&l->seed, 90), l->fence = true;
        if (i == 0 || machine_chance(&l->seed, 5))
            l->satp = riscv_satp(l, RISCV_TABLES + (l->scheme->levels - 1u) * 4096u, machine_below(&l->seed, 3));
        riscv_any_hart(l);
        riscv_go(l, accesses[slot], recent[slot], 1u << machine_below(&l->seed, l->scheme->pte_bytes == 8 ? 4 : 3));
        if (machine_chance(&l->seed, 70))
            recent[slot] = riscv_random_va(l, accesses[slot] = machine_below(&l->seed, 3));
    }
    riscv_sum(l, RISCV_TABLES, 64 * 4096);
}

/* ---- the list ---------------------------------------------------------------------------- */

/* Goes through the list of a run: satp.MODE and perhaps RISCV_PLAIN. */
static inline void riscv_list(riscv_list_t *l, unsigned run)
{
    unsigned i;
    for (i = 0; i < 4; i++)
        if (riscv_schemes[i].mode == (run & 0xff)) l->scheme = &riscv_schemes[i];
    l->plain = (run & RISCV_PLAIN) != 0;
    l->pbmte = true;
    l->seed = run;
    riscv_fill(l);
    riscv_leaf_bits(l);
    riscv_napot(l);
    riscv_pointer_bits(l);
    if (!l->plain) {
        riscv_rights(l);
        riscv_remembered(l);
        riscv_alignment(l);
        riscv_missing(l);
        riscv_edges(l);
        riscv_wraps(l);
        riscv_crossing(l);
        riscv_atomics(l);
        riscv_bare(l);
        riscv_spaces(l);
        riscv_made(l);
        riscv_random_tables(l, 10000);
    }
    riscv_sum(l, RISCV_DATA, RISCV_END - RISCV_DATA);
}

#endif /* RISCV_CASES_H */
