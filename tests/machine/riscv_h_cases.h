/* riscv_h_cases.h - the lists of cases for two stages of RISC-V and for physical memory protection, compiled into the
 * guest and into the host alike.
 *
 * A case is a state of the tables of both stages, a state of the hart, and one access of a virtual machine. Includers
 * define hyp_attempt(), which makes the access and tells or compares its outcome, hyp_group(), hyp_sum(), and
 * hyp_write_pmp(), which writes registers of physical memory protection.
 *
 * Physical memory, the same for both, and where the second stage has it:
 *
 *     80000000                            the program's own code and data; no table of the list ever leads here
 *     80400000                            tables of the second stage, the root first
 *     80500000  guest physical 40100000   tables of the first stage
 *     80800000  guest physical 40400000   data, every word of it with a value that says where it lies
 *     81000000                            end of RAM: nothing is there
 *
 * The second stage maps those by pages of 4 KiB. A page under test has a path of its own, at any level. */
#ifndef RISCV_H_CASES_H
#define RISCV_H_CASES_H

#include "machine.h"

#define HYP_RAM UINT64_C(0x80000000)
#define HYP_RUN UINT64_C(0x80300000)  /* here the guest finds which run this is */
#define HYP_TOLD UINT64_C(0x80300008) /* and tells the guest physical address of a guest-page fault */
#define HYP_SECOND UINT64_C(0x80400000)
#define HYP_MAP UINT64_C(0x80410000)  /* tables that map RAM: by level, and one more of level 0 */
#define HYP_PATH UINT64_C(0x80420000) /* tables of the path of a page under test, by level */
#define HYP_FIRST UINT64_C(0x80500000)
#define HYP_DATA UINT64_C(0x80800000)
#define HYP_END UINT64_C(0x81000000)
#define HYP_GUEST UINT64_C(0x40000000) /* guest physical address of HYP_SECOND */

enum hyp_access {
    HYP_LOAD,  /* by MPRV and MPV */
    HYP_STORE, /* likewise */
    HYP_FETCH, /* by MRET into the virtual machine */
    HYP_HLV,
    HYP_HSV,
    HYP_HLVX,
    HYP_ACCESSES
};

enum {
    HYP_V = 1,
    HYP_R = 2,
    HYP_W = 4,
    HYP_X = 8,
    HYP_U = 16,
    HYP_G = 32,
    HYP_A = 64,
    HYP_D = 128,
    HYP_FULL = 0xdf
};

#define HYP_N (UINT64_C(1) << 63)

typedef struct hyp_list {
    machine_scene_t scene;
    unsigned first, second; /* levels of the two stages */
    uint64_t seed;
    /* The hart. */
    uint64_t vsatp, hgatp;
    unsigned privilege;  /* 0 VU, 1 VS */
    bool sum, mxr, both; /* vsstatus.SUM and MXR, mstatus.MXR */
    bool pbmte, hpbmte;  /* of menvcfg and henvcfg */
    bool fence;          /* tables or registers were changed since the last case */
    /* The access: 8 bytes, but 4 for HYP_FETCH and HYP_HLVX. */
    unsigned access;
    uint64_t va, data;
    /* Physical memory protection: a list of its own, without a virtual machine. */
    bool pmp;
    uint64_t satp;
    unsigned bytes; /* of HYP_LOAD and HYP_STORE, by MPRV, in mode `privilege`: 0, 1 or 3 */
    uint64_t address[16];
    uint8_t config[16];
} hyp_list_t;

static void hyp_attempt(hyp_list_t *l);
static void hyp_group(hyp_list_t *l, const char *name);
static void hyp_sum(hyp_list_t *l, uint64_t paddr, uint64_t bytes);
static void hyp_write_pmp(hyp_list_t *l);

/* ---- data, tables ------------------------------------------------------------------------ */

/* Eight bytes of data: executed, lui a0 with the place where they lie, and ecall. As an entry they lead nowhere. */
static inline uint64_t hyp_word(uint64_t paddr)
{
    return UINT64_C(0x73) << 32 | (paddr >> 3 & 0xfffff) << 12 | 0x537;
}

static inline unsigned hyp_shift(unsigned level)
{
    return 12 + 9 * level;
}

static inline uint64_t hyp_pte(uint64_t paddr, uint64_t bits)
{
    return paddr >> 12 << 10 | bits;
}

static inline uint64_t hyp_gpa(uint64_t paddr)
{
    return paddr - HYP_SECOND + HYP_GUEST;
}

/* Writes an entry, and looks at it after the next accesses. */
static inline void hyp_put(hyp_list_t *l, uint64_t at, uint64_t pte)
{
    machine_poke(&l->scene, at, 8, pte);
    machine_watch(&l->scene, at, 8);
    l->fence = true;
}

/* The entry of an address in a table; roots of the second stage have two bits more. */
static inline uint64_t hyp_entry(const hyp_list_t *l, uint64_t table, unsigned level, uint64_t va)
{
    const uint64_t mask = table == HYP_SECOND && level == l->second - 1u ? 0x7ff : 0x1ff;
    return table + (va >> hyp_shift(level) & mask) * 8;
}

/* Pointers of the second stage down to a level, through tables of one row. Returns where that level's entry stands. */
static inline uint64_t hyp_second_path(hyp_list_t *l, uint64_t gpa, unsigned level, uint64_t tables)
{
    uint64_t table = HYP_SECOND;
    unsigned i;
    for (i = l->second - 1; i > level; i--) {
        hyp_put(l, hyp_entry(l, table, i, gpa), hyp_pte(tables + (i - 1) * 4096u, HYP_V));
        table = tables + (i - 1) * 4096u;
    }
    return hyp_entry(l, table, level, gpa);
}

/* Pointers of the first stage, through tables of path 0 or 1, which share all but those of level 0. */
static inline uint64_t hyp_first_table(unsigned level, unsigned path)
{
    return HYP_FIRST + (level + (level == 0 ? path * 6u : 0)) * 4096u;
}

static inline uint64_t hyp_first_path(hyp_list_t *l, uint64_t va, unsigned level, unsigned path)
{
    unsigned i;
    for (i = l->first - 1; i > level; i--)
        hyp_put(l, hyp_entry(l, hyp_first_table(i, path), i, va),
                hyp_pte(hyp_gpa(hyp_first_table(i - 1, path)), HYP_V));
    return hyp_entry(l, hyp_first_table(level, path), level, va);
}

/* The leaf by which the second stage maps a page of RAM. */
static inline uint64_t hyp_map_leaf(uint64_t paddr)
{
    const uint64_t table = paddr < HYP_DATA ? HYP_MAP : HYP_MAP + 8 * 4096;
    return table + (paddr >> 12 & 0x1ff) * 8;
}

static inline void hyp_registers(hyp_list_t *l)
{
    l->vsatp = (uint64_t)(l->first + 5) << 60 | UINT64_C(3) << 44 | hyp_gpa(hyp_first_table(l->first - 1, 0)) >> 12;
    l->hgatp = (uint64_t)(l->second + 5) << 60 | UINT64_C(5) << 44 | HYP_SECOND >> 12;
    l->pbmte = l->hpbmte = true;
}

/* Clears all tables and maps RAM anew. */
static inline void hyp_reset(hyp_list_t *l)
{
    uint64_t at;
    l->scene.words = 0;
    for (at = HYP_SECOND; at < HYP_SECOND + 0x40000; at += 8) machine_poke(&l->scene, at, 8, 0);
    for (at = HYP_FIRST; at < HYP_FIRST + 0x20000; at += 8) machine_poke(&l->scene, at, 8, 0);
    (void)hyp_second_path(l, HYP_GUEST, 0, HYP_MAP);
    machine_poke(&l->scene, hyp_entry(l, l->second == 2 ? HYP_SECOND : HYP_MAP + 4096, 1, hyp_gpa(HYP_DATA)), 8,
                 hyp_pte(HYP_MAP + 8 * 4096, HYP_V));
    for (at = 0; at < 0x200000; at += 4096) {
        machine_poke(&l->scene, hyp_map_leaf(HYP_SECOND + at), 8, hyp_pte(HYP_SECOND + at, HYP_FULL));
        machine_poke(&l->scene, hyp_map_leaf(HYP_DATA + at), 8, hyp_pte(HYP_DATA + at, HYP_FULL));
    }
    l->scene.words = 0;
    machine_watch(&l->scene, HYP_TOLD, 8);
    hyp_registers(l);
    l->fence = true;
}

/* An address whose bits below a level's size are the target's, and whose indices are such as no other path has. */
static inline uint64_t hyp_address(uint64_t target, unsigned level, unsigned levels)
{
    uint64_t va = target & ((UINT64_C(1) << hyp_shift(level)) - 1);
    unsigned i;
    for (i = level; i < levels; i++) va |= (uint64_t)(5 + 3 * i) << hyp_shift(i);
    return va;
}

/* ---- one access -------------------------------------------------------------------------- */

static inline void hyp_hart(hyp_list_t *l, unsigned privilege, unsigned modifiers)
{
    l->privilege = privilege;
    l->sum = modifiers & 1;
    l->mxr = modifiers >> 1 & 1;
    l->both = modifiers >> 2 & 1;
}

static inline void hyp_go(hyp_list_t *l, unsigned access, uint64_t va)
{
    l->access = access;
    l->va = va;
    l->data = hyp_word(machine_random(&l->seed));
    hyp_attempt(l);
    l->fence = false;
}

#define HYP_TARGET (HYP_DATA + 0x5238)

/* A page under test: its first-stage leaf at level `first`, whose guest physical address the second stage maps by a
 * leaf at level `second` in a quarter of its space. Returns where both leaves stand; both are full. */
typedef struct hyp_page {
    uint64_t va, gpa, first, second, first_pte, second_pte;
} hyp_page_t;

static inline hyp_page_t hyp_page(hyp_list_t *l, unsigned first, unsigned second, unsigned quarter)
{
    hyp_page_t p;
    const uint64_t mask = (UINT64_C(1) << hyp_shift(second)) - 1;
    l->scene.words = 1;
    if (l->second == 5) quarter = 0; /* an entry of the first stage has no such address */
    p.gpa = hyp_address(HYP_TARGET, second, l->second) | (uint64_t)quarter << hyp_shift(l->second);
    p.va = hyp_address(p.gpa, first, l->first);
    p.first = hyp_first_path(l, p.va, first, 0);
    p.second = hyp_second_path(l, p.gpa, second, HYP_PATH);
    p.first_pte = hyp_pte(p.gpa >> hyp_shift(first) << hyp_shift(first), HYP_FULL);
    p.second_pte = hyp_pte(HYP_TARGET & ~mask, HYP_FULL);
    hyp_put(l, p.first, p.first_pte);
    hyp_put(l, p.second, p.second_pte);
    machine_watch(&l->scene, HYP_TARGET & ~UINT64_C(7), 8);
    return p;
}

/* Every kind of access in every mode, the two leaves as given. */
static inline void hyp_try(hyp_list_t *l, const hyp_page_t *p, uint64_t first, uint64_t second, unsigned modifiers)
{
    unsigned access, privilege;
    for (access = HYP_LOAD; access < HYP_ACCESSES; access++)
        for (privilege = 0; privilege < 2; privilege++) {
            hyp_put(l, p->first, first);
            hyp_put(l, p->second, second);
            hyp_hart(l, privilege, modifiers);
            hyp_go(l, access, p->va);
        }
}

/* ---- groups: one rule after the other ---------------------------------------------------- */

/* V R W X U G A D of the second stage's leaf, at each level. */
static inline void hyp_second_rights(hyp_list_t *l)
{
    unsigned level, flags;
    hyp_group(l, "rights of the second stage");
    for (level = 0; level < l->second; level++)
        for (flags = 0; flags < 256; flags++) {
            const hyp_page_t p = hyp_page(l, 0, level, flags >> 3 & 1);
            if (!(flags & HYP_V) && flags % 0x12) continue;
            hyp_try(l, &p, p.first_pte ^ (flags & HYP_G ? HYP_U : 0), (p.second_pte & ~UINT64_C(0xff)) | flags,
                    flags >> 5);
        }
}

/* Those of the first stage's leaf, at each level, with SUM and both MXR as they come. */
static inline void hyp_first_rights(hyp_list_t *l)
{
    unsigned level, flags;
    hyp_group(l, "rights of the first stage");
    for (level = 0; level < l->first; level++)
        for (flags = 0; flags < 256; flags++) {
            const hyp_page_t p = hyp_page(l, level, machine_below(&l->seed, 2), flags >> 6 & 1);
            const uint64_t second = flags & HYP_G ? p.second_pte : p.second_pte & ~(uint64_t)HYP_R;
            if (!(flags & HYP_V) && flags % 0x12) continue;
            hyp_try(l, &p, (p.first_pte & ~UINT64_C(0xff)) | flags, second, machine_below(&l->seed, 8));
        }
}

/* Those of the page that a table of the first stage lies in; its leaf is marked already, or is to be. */
static inline void hyp_table_rights(hyp_list_t *l)
{
    unsigned level, flags, marks;
    hyp_group(l, "rights of a table's page");
    for (level = 0; level < l->first; level++)
        for (marks = 0; marks < 3; marks++)
            for (flags = 0; flags < 256; flags++) {
                const hyp_page_t p = hyp_page(l, 0, 0, 0);
                const uint64_t at = hyp_map_leaf(hyp_first_table(level, 0));
                const uint64_t first = p.first_pte ^ (marks == 1 ? HYP_D : marks ? HYP_A | HYP_D : 0);
                if (!(flags & HYP_V) && flags % 0x12) continue;
                if (level && marks) continue;
                hyp_put(l, at, hyp_pte(hyp_first_table(level, 0), flags));
                hyp_try(l, &p, first, p.second_pte, 1 | (flags & HYP_G ? 4 : 0));
                machine_poke(&l->scene, at, 8, hyp_pte(hyp_first_table(level, 0), HYP_FULL));
            }
}

/* N, PBMT and the reserved bits, and bits that only leaves may have, in entries of either stage. */
static inline void hyp_high_bits(hyp_list_t *l)
{
    unsigned stage, level, bit, i;
    hyp_group(l, "high bits");
    for (stage = 0; stage < 2; stage++)
        for (level = 0; level < (stage ? l->second : l->first); level++)
            for (bit = 54; bit < 64 + 16; bit++) {
                const hyp_page_t p = hyp_page(l, stage ? 0 : level, stage ? level : 0, 1);
                const uint64_t high = bit < 64   ? UINT64_C(1) << bit
                                      : bit < 68 ? (uint64_t)(bit - 64) << 61
                                                 : HYP_N | (uint64_t)(bit - 68) << 10 | (bit == 76 ? 8u << 10 : 0);
                for (i = 0; i < 4; i++) {
                    l->pbmte = i != 3;
                    l->hpbmte = i < 2;
                    hyp_try(l, &p, (stage ? p.first_pte : p.first_pte | high) ^ (i == 1 ? HYP_A | HYP_D : 0),
                            (stage ? p.second_pte | high : p.second_pte), 1);
                }
            }
    l->pbmte = l->hpbmte = true;
}

static inline void hyp_pointer_bits(hyp_list_t *l)
{
    unsigned stage, level, bit;
    hyp_group(l, "bits of a pointer");
    for (stage = 0; stage < 2; stage++)
        for (level = 1; level < (stage ? l->second : l->first); level++)
            for (bit = 0; bit < 64; bit++) {
                const hyp_page_t p = hyp_page(l, 0, 0, 1);
                const uint64_t at = stage ? hyp_second_path(l, p.gpa, level, HYP_PATH)
                                          : hyp_entry(l, hyp_first_table(level, 0), level, p.va);
                const uint64_t pte = machine_peek(&l->scene, at, 8);
                if (bit >= 1 && bit < 54 && (bit < 4 || bit > 9)) continue;
                if (bit >= 1 && bit < 4) continue;
                hyp_put(l, at, pte ^ UINT64_C(1) << bit);
                hyp_try(l, &p, p.first_pte, p.second_pte, 1);
            }
}

/* Huge pages not aligned, addresses wider than the second stage or not canonical. */
static inline void hyp_wide(hyp_list_t *l)
{
    unsigned level, bit;
    hyp_group(l, "frames that are not aligned");
    for (level = 1; level < l->first; level++)
        for (bit = 12; bit < hyp_shift(level); bit++) {
            const hyp_page_t p = hyp_page(l, level, 0, 0);
            hyp_try(l, &p, p.first_pte ^ hyp_pte(UINT64_C(1) << bit, 0), p.second_pte, 1);
        }
    for (level = 1; level < l->second; level++)
        for (bit = 12; bit < hyp_shift(level); bit++) {
            const hyp_page_t p = hyp_page(l, 0, level, 0);
            hyp_try(l, &p, p.first_pte, p.second_pte ^ hyp_pte(UINT64_C(1) << bit, 0), 1);
        }
    hyp_group(l, "quarters of the second stage");
    for (level = 0; level < l->second * 4; level++) {
        const hyp_page_t p = hyp_page(l, 0, level / 4, level & 3);
        hyp_try(l, &p, p.first_pte, p.second_pte, 1);
    }
    hyp_group(l, "addresses that are too wide");
    hyp_reset(l);
    for (bit = hyp_shift(l->second); bit < 64; bit++) {
        hyp_page_t p = hyp_page(l, 0, 0, 0);
        if (bit < 56) hyp_try(l, &p, p.first_pte | hyp_pte(UINT64_C(1) << bit, 0), p.second_pte, 1);
        l->vsatp = 0;
        p.va = p.gpa | UINT64_C(1) << bit;
        hyp_try(l, &p, p.first_pte, p.second_pte, 1);
        hyp_registers(l);
    }
    for (bit = hyp_shift(l->first) - 1; bit < 64; bit++) {
        hyp_page_t p = hyp_page(l, 0, 0, 0);
        p.va ^= UINT64_C(1) << bit;
        hyp_try(l, &p, p.first_pte, p.second_pte, 1);
    }
}

/* One stage Bare, or both. */
static inline void hyp_bare(hyp_list_t *l)
{
    unsigned i;
    hyp_group(l, "stages that are Bare");
    for (i = 0; i < 60; i++) {
        hyp_page_t p = hyp_page(l, 0, i % l->second, i >> 2 & 1);
        l->vsatp = 0;
        if (i % 3 == 0) l->hgatp = 0;
        p.va = i % 3 ? p.gpa : i % 2 ? HYP_TARGET : HYP_TARGET + (HYP_END - HYP_DATA);
        hyp_try(l, &p, p.first_pte, p.second_pte ^ (i % 7 ? 0 : HYP_U), i);
        hyp_registers(l);
    }
}

/* Memory that is missing behind entries of both stages and behind both roots, and guest memory that is not mapped. */
static inline void hyp_missing(hyp_list_t *l)
{
    static const unsigned bits[] = {24, 25, 30, 31, 35, 38, 40, 47, 55};
    unsigned i, level;
    hyp_group(l, "memory that is missing");
    for (i = 0; i < 9; i++) {
        const uint64_t nowhere = UINT64_C(1) << bits[i] | HYP_DATA;
        hyp_page_t p = hyp_page(l, 0, 0, 0);
        hyp_try(l, &p, p.first_pte, hyp_pte(nowhere, HYP_FULL), 1);
        for (level = 1; level < l->second; level++) {
            const uint64_t at = (p = hyp_page(l, 0, 0, 0), hyp_second_path(l, p.gpa, level, HYP_PATH));
            hyp_put(l, at, hyp_pte(nowhere, HYP_V));
            hyp_try(l, &p, p.first_pte, p.second_pte, 1);
        }
        for (level = 0; level < l->first; level++) {
            const uint64_t at = (p = hyp_page(l, 0, 0, 0), hyp_map_leaf(hyp_first_table(level, 0)));
            hyp_put(l, at, hyp_pte(nowhere, HYP_FULL));
            hyp_try(l, &p, p.first_pte, p.second_pte, 1);
            machine_poke(&l->scene, at, 8, hyp_pte(hyp_first_table(level, 0), HYP_FULL));
            if (level == 0) continue;
            p = hyp_page(l, 0, 0, 0);
            hyp_put(l, hyp_entry(l, hyp_first_table(level, 0), level, p.va), hyp_pte(nowhere, HYP_V));
            hyp_try(l, &p, p.first_pte, p.second_pte, 1);
        }
        p = hyp_page(l, 0, 0, 0);
        l->vsatp = (l->vsatp >> 44 << 44) | nowhere >> 12;
        hyp_try(l, &p, p.first_pte, p.second_pte, 1);
        hyp_registers(l);
        l->hgatp = (l->hgatp >> 44 << 44) | nowhere >> 12;
        hyp_try(l, &p, p.first_pte, p.second_pte, 1);
        hyp_registers(l);
    }
}

/* Accesses across two pages, each with rights of its own in both stages. */
static inline void hyp_crossing(hyp_list_t *l)
{
    static const unsigned rights[] = {
        0, HYP_FULL, HYP_FULL ^ HYP_R ^ HYP_W, HYP_FULL ^ HYP_W, HYP_FULL ^ HYP_U, HYP_FULL ^ HYP_A ^ HYP_D};
    const uint64_t one = HYP_DATA + 0x7000, other = HYP_DATA + 0x2000, edge = hyp_address(0, 1, l->first);
    unsigned i, access;
    hyp_group(l, "accesses across two pages");
    for (i = 0; i < 6 * 6 * 6; i++)
        for (access = HYP_LOAD; access <= HYP_HSV; access++) {
            const unsigned back = 1 + machine_below(&l->seed, 7);
            if (access == HYP_FETCH) continue;
            l->scene.words = 1;
            hyp_put(l, hyp_first_path(l, edge - 4096, 0, 1), hyp_pte(hyp_gpa(one), rights[i % 6]));
            hyp_put(l, hyp_first_path(l, edge, 0, 0), hyp_pte(hyp_gpa(other), rights[i / 6 % 6]));
            hyp_put(l, hyp_map_leaf(one), hyp_pte(one, i & 1 ? HYP_FULL : rights[i / 36]));
            hyp_put(l, hyp_map_leaf(other), hyp_pte(other, i & 1 ? rights[i / 36] : HYP_FULL));
            machine_watch(&l->scene, one + 4088, 8);
            machine_watch(&l->scene, other, 8);
            hyp_hart(l, machine_below(&l->seed, 2), 1);
            hyp_go(l, access, edge - back);
        }
    hyp_reset(l);
}

/* ---- random tables ----------------------------------------------------------------------- */

#define HYP_TABLES 12u
#define HYP_PAGES 16u

static inline uint64_t hyp_noisy(hyp_list_t *l, unsigned level, uint64_t pte)
{
    if (machine_chance(&l->seed, 4)) pte ^= UINT64_C(1) << machine_below(&l->seed, 8);
    if (machine_chance(&l->seed, 1)) pte ^= UINT64_C(1) << (54 + machine_below(&l->seed, 7));
    if (machine_chance(&l->seed, 2)) pte |= (uint64_t)machine_below(&l->seed, 4) << 61;
    if (level == 0 && machine_chance(&l->seed, 2)) pte = (pte & ~UINT64_C(0x3c00)) | 8u << 10 | HYP_N;
    return pte;
}

static inline uint64_t hyp_random_flags(hyp_list_t *l)
{
    static const uint8_t rights[] = {0xe, 0xe, 0xe, 0xe, 0x6, 0x2, 0x8, 0xa};
    const uint64_t marks = machine_random(&l->seed) & (HYP_A | HYP_D | HYP_G);
    const uint64_t user = machine_chance(&l->seed, 60) ? HYP_U : 0;
    return HYP_V | rights[machine_below(&l->seed, 8)] | user | marks;
}

static inline void hyp_random_second(hyp_list_t *l)
{
    const unsigned i = machine_below(&l->seed, HYP_TABLES + HYP_PAGES + 1);
    const bool table = i < HYP_TABLES;
    const uint64_t paddr = table ? HYP_FIRST + i * 4096u : HYP_DATA + (i - HYP_TABLES) * 4096u;
    const uint64_t lies =
        table || machine_chance(&l->seed, 80) ? paddr : HYP_DATA + (uint64_t)machine_below(&l->seed, HYP_PAGES) * 4096u;
    uint64_t flags = machine_chance(&l->seed, table ? 90 : 50) ? HYP_FULL : hyp_random_flags(l) | HYP_U;
    if (i == HYP_TABLES + HYP_PAGES) { /* 2 MiB of data at once, or by pages */
        const uint64_t at = hyp_entry(l, HYP_MAP + 4096, 1, hyp_gpa(HYP_DATA));
        const bool huge = machine_chance(&l->seed, 40);
        hyp_put(l, at, huge ? hyp_noisy(l, 1, hyp_pte(HYP_DATA, flags)) : hyp_pte(HYP_MAP + 8 * 4096, HYP_V));
        return;
    }
    if (machine_chance(&l->seed, 2)) flags = 0;
    hyp_put(l, hyp_map_leaf(paddr), hyp_noisy(l, 0, hyp_pte(lies, flags)));
}

static inline uint64_t hyp_hot_index(unsigned level, unsigned hot)
{
    static const uint16_t index[4] = {0, 1, 7, 511};
    return level == 1 ? (hot < 2 ? 2u : 2u + hot)
                      : index[hot]; /* of 1 GiB: that of data, and two that are not mapped */
}

static inline void hyp_random_first(hyp_list_t *l)
{
    const unsigned table = machine_below(&l->seed, HYP_TABLES), level = table % l->first;
    const unsigned rows = HYP_TABLES / l->first;
    const uint64_t at = HYP_FIRST + table * 4096u + hyp_hot_index(level, machine_below(&l->seed, 4)) * 8;
    uint64_t gpa = hyp_gpa(HYP_DATA) + (uint64_t)machine_below(&l->seed, HYP_PAGES) * 4096u;
    uint64_t flags = hyp_random_flags(l);
    if (level && machine_chance(&l->seed, 85)) {
        const uint64_t to = HYP_FIRST + (level - 1 + l->first * machine_below(&l->seed, rows)) * 4096u;
        gpa = hyp_gpa(to);
        flags = HYP_V | (flags & HYP_G);
        if (machine_chance(&l->seed, 3)) flags |= HYP_D >> machine_below(&l->seed, 4) & 0xd0;
        hyp_put(l, at, hyp_pte(gpa, flags));
        return;
    }
    if (level) gpa = gpa >> hyp_shift(level) << hyp_shift(level);
    if (level == 0 && machine_chance(&l->seed, 5)) { /* a table, to read only */
        gpa = hyp_gpa(HYP_FIRST) + (uint64_t)machine_below(&l->seed, HYP_TABLES) * 4096u;
        hyp_put(l, at, hyp_pte(gpa, (flags & ~(uint64_t)(HYP_W | HYP_X)) | HYP_R));
        return;
    }
    if (machine_chance(&l->seed, 2)) gpa |= UINT64_C(1) << (32 + machine_below(&l->seed, 24));
    hyp_put(l, at, hyp_noisy(l, level, hyp_pte(gpa, flags)));
}

static inline void hyp_random(hyp_list_t *l, unsigned cases)
{
    unsigned i, k;
    hyp_group(l, "random tables");
    hyp_reset(l);
    for (i = 0; i < 400; i++) hyp_random_first(l);
    for (i = 0; i < cases; i++) {
        const unsigned modifiers = machine_below(&l->seed, 8), privilege = machine_below(&l->seed, 2);
        const unsigned access = machine_below(&l->seed, HYP_ACCESSES);
        uint64_t va = machine_below(&l->seed, 512) * 8u;
        if (machine_chance(&l->seed, 30)) hyp_random_first(l);
        if (machine_chance(&l->seed, 15)) hyp_random_second(l);
        for (k = 0; k < l->first; k++) va |= hyp_hot_index(k, machine_below(&l->seed, 4)) << hyp_shift(k);
        va = (uint64_t)((int64_t)(va << (64 - hyp_shift(l->first))) >> (64 - hyp_shift(l->first)));
        if (machine_chance(&l->seed, 5)) {
            l->vsatp = 0;
            va = hyp_gpa(HYP_DATA) + (va & 0xfff) + (uint64_t)machine_below(&l->seed, HYP_PAGES + 4) * 4096u;
        }
        if (machine_chance(&l->seed, 3)) l->pbmte = !l->pbmte, l->fence = true;
        if (machine_chance(&l->seed, 3)) l->hpbmte = !l->hpbmte, l->fence = true;
        hyp_hart(l, privilege, modifiers);
        hyp_go(l, access, va);
        if (machine_chance(&l->seed, 50)) hyp_go(l, access, va);
        l->vsatp = (uint64_t)(l->first + 5) << 60 | UINT64_C(3) << 44 | hyp_gpa(hyp_first_table(l->first - 1, 0)) >> 12;
    }
    hyp_sum(l, HYP_SECOND, 0x40000);
    hyp_sum(l, HYP_FIRST, 0x20000);
}

/* ---- physical memory protection ---------------------------------------------------------- */

/* A random entry over 256 bytes of data, or of pages around it. */
static inline void hyp_pmp_entry(hyp_list_t *l, unsigned i, bool pages, bool lock)
{
    static const uint8_t rights[] = {0, 1, 3, 4, 5, 7};
    const unsigned shift = pages ? 12 : 2, ones = machine_below(&l->seed, pages ? 2 : 5);
    const uint64_t at = (HYP_DATA >> 2) + ((uint64_t)machine_below(&l->seed, pages ? 8 : 64) << (shift - 2));
    const unsigned any = machine_below(&l->seed, 4), mode = lock && any == 0 ? 1 : any;
    l->config[i] = (uint8_t)(rights[machine_below(&l->seed, 6)] | mode << 3 | (lock ? 0x80u : 0u));
    l->address[i] = mode == 3 ? at | ((UINT64_C(1) << (ones + (pages ? 9 : 0))) - 1) : at;
    if (pages && mode == 2) l->config[i] &= 0xe7; /* no four bytes among pages */
    if (pages && mode == 3) l->address[i] &= ~(UINT64_C(1) << (ones + 9));
}

/* One access without translation. What it may change is looked at, in words of four bytes, which no entry cuts: even
 * machine mode may not read what an entry matches in part. Nor what a locked entry keeps from it: then loads tell. */
static inline void hyp_pmp_go(hyp_list_t *l, unsigned access, uint64_t paddr, unsigned bytes, unsigned privilege,
                              bool look)
{
    unsigned i;
    l->scene.words = 1;
    for (i = 0; i < 3 && look; i++) machine_watch(&l->scene, (paddr & ~UINT64_C(3)) + i * 4u, 4);
    l->bytes = bytes;
    l->privilege = privilege;
    hyp_go(l, access, paddr);
}

static inline void hyp_pmp_random(hyp_list_t *l, unsigned rounds, bool lock)
{
    static const unsigned modes[] = {0, 1, 3};
    unsigned round, i;
    for (round = 0; round < rounds; round++) {
        const bool pages = machine_chance(&l->seed, 30), open = machine_chance(&l->seed, 50);
        for (i = 0; i < 14; i++) hyp_pmp_entry(l, i, pages, lock && machine_below(&l->seed, 400) == 0);
        for (i = 0; i < 14; i++)
            if (machine_chance(&l->seed, 50) && !(l->config[i] & 0x80)) l->config[i] &= 0x87; /* off */
        l->address[14] = 0; /* with none in use QEMU 7.2 refuses MRET itself */
        l->config[14] = 0x10;
        l->address[15] = ~UINT64_C(0) >> 10;
        l->config[15] = open ? 0x1f : 0;
        hyp_write_pmp(l);
        for (i = 0; i < 20; i++) {
            const unsigned access = machine_below(&l->seed, pages ? 3 : 2), mode = modes[machine_below(&l->seed, 3)];
            const unsigned narrow = 1u << machine_below(&l->seed, 4);
            const unsigned bytes = access == HYP_FETCH ? 4u : pages && access == HYP_STORE ? 8u : narrow;
            uint64_t at = HYP_DATA + (pages ? 0x1000 : 0) + machine_below(&l->seed, pages ? 0x7800 : 0x130);
            if (access == HYP_FETCH && mode == 3) continue;
            if (pages) at &= ~UINT64_C(7); /* what is there stays code */
            else if (machine_chance(&l->seed, 80)) at &= ~(uint64_t)(bytes - 1);
            hyp_pmp_go(l, access, at, bytes, mode, !lock);
        }
    }
}

/* Pages of the three tables of one address and its data, each with every right or none. */
static inline void hyp_pmp_tables(hyp_list_t *l)
{
    static const uint8_t rights[] = {0, 1, 3, 4, 5, 7};
    const uint64_t va = hyp_address(HYP_TARGET, 0, 3);
    unsigned page, right, marks, access, privilege, i;
    hyp_group(l, "tables and data behind physical memory protection");
    for (i = 0; i < 16; i++) l->config[i] = 0, l->address[i] = 0;
    l->address[15] = ~UINT64_C(0) >> 10;
    l->config[15] = 0x1f;
    for (page = 0; page < 4; page++)
        for (right = 0; right < 6; right++)
            for (marks = 0; marks < 3; marks++) {
                const uint64_t flags = HYP_FULL ^ (marks == 1 ? HYP_D : marks ? HYP_A | HYP_D : 0);
                const uint64_t paddr = page < 3 ? HYP_FIRST + page * 4096u : HYP_TARGET & ~UINT64_C(4095);
                l->address[0] = paddr >> 2 | 0x1ff;
                l->config[0] = (uint8_t)(rights[right] | 0x18);
                hyp_write_pmp(l);
                for (access = HYP_LOAD; access <= HYP_FETCH; access++)
                    for (privilege = 0; privilege < 2; privilege++) {
                        l->scene.words = 1;
                        for (i = 2; i > 0; i--)
                            hyp_put(l, hyp_entry(l, HYP_FIRST + i * 4096u, i, va),
                                    hyp_pte(HYP_FIRST + (i - 1) * 4096u, HYP_V));
                        hyp_put(l, hyp_entry(l, HYP_FIRST, 0, va),
                                hyp_pte(HYP_TARGET, privilege ? flags ^ HYP_U : flags));
                        machine_watch(&l->scene, HYP_TARGET & ~UINT64_C(7), 8);
                        l->satp = UINT64_C(8) << 60 | (HYP_FIRST + 0x2000) >> 12;
                        l->bytes = access == HYP_FETCH ? 4 : 8;
                        l->privilege = privilege;
                        hyp_go(l, access, va);
                    }
            }
    l->satp = 0;
}

static inline void hyp_pmp_list(hyp_list_t *l)
{
    unsigned i;
    l->pmp = true;
    l->pbmte = true;
    hyp_pmp_tables(l);
    hyp_group(l, "random entries");
    hyp_pmp_random(l, 500, false);
    for (i = 0; i < 16; i++) l->config[i] = 0;
    hyp_write_pmp(l);
    hyp_sum(l, HYP_DATA, HYP_END - HYP_DATA);
    hyp_group(l, "random entries that are locked one by one");
    hyp_pmp_random(l, 500, true);
}

/* ---- the list ---------------------------------------------------------------------------- */

#define HYP_PMP 0x10000u /* the run with the list of physical memory protection */

/* Goes through the list of a run: MODE of vsatp, and 256 times that of hgatp; or HYP_PMP. */
static inline void hyp_list(hyp_list_t *l, unsigned run)
{
    uint64_t at;
    l->first = (run & 0xff) - 5;
    l->second = (run >> 8) - 5;
    l->seed = run;
    for (at = HYP_DATA; at < HYP_END; at += 8) machine_poke(&l->scene, at, 8, hyp_word(at));
    machine_poke(&l->scene, HYP_TOLD, 8, 0);
    if (run == HYP_PMP) {
        l->first = l->second = 3;
        hyp_reset(l);
        hyp_pmp_list(l);
        return;
    }
    hyp_reset(l);
    hyp_second_rights(l);
    hyp_first_rights(l);
    hyp_table_rights(l);
    hyp_high_bits(l);
    hyp_pointer_bits(l);
    hyp_wide(l);
    hyp_bare(l);
    hyp_missing(l);
    hyp_crossing(l);
    hyp_random(l, 6000);
    hyp_sum(l, HYP_DATA, HYP_END - HYP_DATA);
}

#endif /* RISCV_H_CASES_H */
