/*
 * arm64_cases.h - the accesses that an AArch64 machine and our model both make.
 *
 * One list for each granule and each half of the address space. The same code, compiled for the
 * machine and for the host, makes case number n of a list from nothing but the list and n: registers,
 * table entries, and one access. Each case is made twice: first the instruction AT that asks for its
 * translation, whose answer is PAR_EL1, then the access. Each of the two is a line of the output.
 *
 * Physical memory
 *   0x40000000  RAM of QEMU's board virt, 1.5 GiB
 *   0x40200000  code, read-only   0x40400000  data   0x40600000  code of EL0
 *   0x42000000  tables of the plain cases, which the library's own editing makes
 *   0x44000000  tables of all the others: one for each level and each of the two pages of a crossing
 *   0x48000000  the zone: what accesses may reach; each word of it is an instruction `svc` whose
 *               number tells the word, so that a fetch says where it came from
 *   0xc0000000  nothing, up to 0x4000000000
 *
 * Each half under test is governed by its own TTBR and fields of TCR; the machine's program lives in the
 * other half, which is the same in every case.
 */
#ifndef ARM64_CASES_H
#define ARM64_CASES_H

#include "machine.h"

#define ARM64_RAM UINT64_C(0x40000000)
#define ARM64_RAM_BYTES UINT64_C(0x60000000)
#define ARM64_PLAIN UINT64_C(0x42000000)
#define ARM64_PLAIN_BYTES UINT64_C(0x1000000)
#define ARM64_TABLES UINT64_C(0x44000000)
#define ARM64_TABLE_BYTES UINT64_C(0x20000)
#define ARM64_ZONE UINT64_C(0x48000000)
#define ARM64_ZONE_BYTES UINT64_C(0x100000)
#define ARM64_NOTHING UINT64_C(0x80000000) /* added to an address of the zone: no memory there */

#define ARM64_LISTS 6u /* granule times 2, plus 1 for the half of TTBR1 */

/* What makes the access. Loads and stores by LDTR and STTR are judged as EL0's. */
enum arm64_kind {
    ARM64_LOAD1,
    ARM64_STORE1,
    ARM64_LOAD0T,
    ARM64_STORE0T,
    ARM64_LOAD0,
    ARM64_STORE0,
    ARM64_FETCH1,
    ARM64_FETCH0,
    ARM64_KINDS
};

/* How a processor is told to forget a translation that it may have. */
enum arm64_forget {
    ARM64_VMALLE1,
    ARM64_VAE1,
    ARM64_VAAE1,
    ARM64_ASIDE1,
    ARM64_VALE1,
    ARM64_VAALE1,
    ARM64_OTHER_ASID, /* not at all: it goes on under another ASID */
    ARM64_FORGETS,
    ARM64_KEEP = ARM64_FORGETS /* not at all, because nothing has changed */
};

#define ARM64_ANY 0xff

typedef struct arm64_case {
    uint64_t seed; /* of what is still to be drawn */
    uint64_t tcr, ttbr, mair;
    bool wxn, pan;
    uint8_t kind, bytes;
    uint8_t entries;     /* how many of the following, each written before the access */
    uint64_t at[9];      /* physical addresses of entries */
    uint64_t entry[9];   /* what they hold */
    uint64_t va, pa;     /* pa: where va leads if nothing is in the way */
    uint64_t leaf_at;    /* where the leaf stands in a tree that was made before; 0: in none */
    uint64_t next;       /* where the second page of a crossing begins; 0: it has none */
    uint8_t list, start; /* start: level of the top table, as the manual counts */
    uint8_t leaf;        /* level of the leaf */
    uint8_t input;       /* width of an address */
    bool running, first; /* the case goes on from the one before it, except the first, without AT; marks stay */
    bool swap;           /* the store is a compare-and-swap that finds what it compares with */
    uint8_t manual;      /* the fault status that the manual asks for where QEMU is known to be wrong, or ARM64_ANY */
    uint8_t forget;      /* enum arm64_forget, before the access */
    bool warm;           /* before the case there is another access, with other entries */
    uint8_t warm_kind;
    uint64_t warm_va, warm_ttbr, warm_entry[9];
} arm64_case_t;

/* ---- numbers ------------------------------------------------------------------------------- */

static inline uint64_t arm64_draw(arm64_case_t *c)
{
    return machine_random(&c->seed);
}

static inline unsigned arm64_below(arm64_case_t *c, unsigned n)
{
    return machine_below(&c->seed, n);
}

static inline bool arm64_chance(arm64_case_t *c, unsigned percent)
{
    return machine_chance(&c->seed, percent);
}

static inline uint64_t arm64_low(unsigned bits)
{
    return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

/* The word that the zone holds at a physical address. */
static inline uint32_t arm64_word(uint64_t pa)
{
    return UINT32_C(0xd4000001) | (uint32_t)(((pa >> 2) * 40503u) & 0xffff) << 5;
}

/* ---- geometry ------------------------------------------------------------------------------ */

static inline unsigned arm64_granule(unsigned list)
{
    return 12 + list / 2 * 2;
}

static inline unsigned arm64_stride(unsigned list)
{
    return arm64_granule(list) - 3;
}

/* log2 of what an entry of a level covers. */
static inline unsigned arm64_shift(unsigned list, unsigned level)
{
    return arm64_granule(list) + (3 - level) * arm64_stride(list);
}

/* Whether a block may stand at a level: 1 GiB and 2 MiB; 32 MiB; 512 MiB and, with 52-bit physical addresses, 4 TiB. */
static inline bool arm64_block(unsigned list, unsigned level)
{
    return list / 2 == 0 ? level == 1 || level == 2 : list / 2 == 1 ? level == 2 : level == 1 || level == 2;
}

static inline uint64_t arm64_table(unsigned chain, unsigned level)
{
    return ARM64_TABLES + (chain * 4 + level) * ARM64_TABLE_BYTES;
}

static inline bool arm64_is_store(unsigned kind)
{
    return kind < ARM64_FETCH1 && (kind & 1);
}

static inline bool arm64_is_fetch(unsigned kind)
{
    return kind >= ARM64_FETCH1;
}

static inline bool arm64_is_el0(unsigned kind)
{
    return kind != ARM64_LOAD1 && kind != ARM64_STORE1 && kind != ARM64_FETCH1;
}

/* ---- registers ----------------------------------------------------------------------------- */

enum arm64_tcr { /* bits of TCR_EL1 that have one value for each half: that of TTBR0, and how far off TTBR1's is */
    ARM64_EPD = 7,
    ARM64_EPD_NEXT = 16,
    ARM64_TBI = 37,
    ARM64_HA = 39,
    ARM64_HD = 40,
    ARM64_HPD = 41,
    ARM64_E0PD = 55,
    ARM64_A1 = 22, /* and two that have one: whose ASID counts, and whether it has 16 bits */
    ARM64_AS = 36
};

#define ARM64_TCR_SAFE                                                                                                 \
    (UINT64_C(25) | UINT64_C(25) << 16 | UINT64_C(2) << 30 | UINT64_C(0x3500) | UINT64_C(0x35000000) |                 \
     UINT64_C(5) << 32) /* both halves 39 bits wide, 4 KiB granule, tables cacheable; 48-bit physical addresses */

/* Memory types by AttrIndx: normal, normal non-cacheable, four of device, normal, and the machine's own. */
#define ARM64_MAIR UINT64_C(0xffbb0c08040044ff)

static inline void arm64_set_txsz(arm64_case_t *c, unsigned txsz)
{
    const unsigned half = c->list & 1;
    const unsigned granule = c->list / 2;
    static const uint8_t tg[2][3] = {{0, 2, 1}, {2, 1, 3}};
    const unsigned input = 64 - (txsz < 12 ? 12 : txsz > 48 ? 48 : txsz);
    c->tcr &= ~(UINT64_C(0xc03f) << (half * 16));
    c->tcr |= ((uint64_t)txsz | (uint64_t)tg[half][granule] << 14) << (half * 16);
    c->input = (uint8_t)input;
    c->start = (uint8_t)(4 - (input - 4) / arm64_stride(c->list));
}

static inline void arm64_set_ips(arm64_case_t *c, unsigned ips)
{
    c->tcr = (c->tcr & ~(UINT64_C(7) << 32)) | (uint64_t)ips << 32;
}

static inline void arm64_set_bit(arm64_case_t *c, unsigned bit)
{
    c->tcr |= UINT64_C(1) << bit;
}

/* A width at random: all start levels alike often. */
static inline unsigned arm64_any_txsz(arm64_case_t *c)
{
    static const uint8_t first[3][5] = {{16, 25, 34, 43, 49}, {16, 17, 28, 39, 49}, {12, 16, 22, 35, 48}};
    const unsigned granule = c->list / 2;
    const unsigned k = arm64_below(c, 4);
    const unsigned from = first[granule][k], end = first[granule][k + 1];
    return arm64_chance(c, 30) ? from : from + arm64_below(c, end - from);
}

/* ---- making a case ------------------------------------------------------------------------- */

#define ARM64_VALID UINT64_C(1)
#define ARM64_TABLE UINT64_C(3) /* of level 3: a page */
#define ARM64_AP UINT64_C(0xc0)
#define ARM64_AP_EL0 UINT64_C(0x40)
#define ARM64_SH UINT64_C(0x300)
#define ARM64_AF UINT64_C(0x400)
#define ARM64_NG UINT64_C(0x800)
#define ARM64_DBM (UINT64_C(1) << 51)
#define ARM64_PXN (UINT64_C(1) << 53)
#define ARM64_UXN (UINT64_C(1) << 54)

/* Bits of a leaf that may be anything and change nothing but rights: not the output address, not nT. */
#define ARM64_LEAF_ANY UINT64_C(0xfffc000000000fe0)
#define ARM64_TABLE_ANY UINT64_C(0xfff8000000000ffc)

/* An output address as an entry holds it: bits 51:48 in 15:12 with the 64 KiB granule. */
static inline uint64_t arm64_output(const arm64_case_t *c, uint64_t pa)
{
    const uint64_t field = arm64_low(48) & ~arm64_low(arm64_granule(c->list));
    return (pa & field) | (c->list / 2 == 2 ? (pa >> 48 & 15) << 12 : 0);
}

/* Index of a virtual address in a table of a level; the top table may be shorter. */
static inline uint64_t arm64_index(const arm64_case_t *c, unsigned level, uint64_t va)
{
    const unsigned shift = arm64_shift(c->list, level);
    const unsigned bits = level == c->start ? c->input - shift : arm64_stride(c->list);
    return va >> shift & arm64_low(bits);
}

/* The leaf of a page or block that holds pa. */
static inline uint64_t arm64_leaf(const arm64_case_t *c, unsigned level, uint64_t pa)
{
    return arm64_output(c, pa & ~arm64_low(arm64_shift(c->list, level))) | (level == 3 ? ARM64_TABLE : ARM64_VALID);
}

/* Puts an entry down; one that is there already stays. Returns which it is. */
static inline unsigned arm64_poke(arm64_case_t *c, uint64_t at, uint64_t entry)
{
    unsigned k;
    for (k = 0; k < c->entries; k++)
        if (c->at[k] == at) return k;
    c->at[k] = at;
    c->entry[k] = entry;
    c->entries++;
    return k;
}

/* Entries that lead va to pa by a leaf of a level. Returns which is the leaf. */
static inline unsigned arm64_lead(arm64_case_t *c, unsigned chain, uint64_t va, uint64_t pa, unsigned leaf,
                                  uint64_t attributes)
{
    uint64_t table = c->ttbr & arm64_low(48);
    unsigned level, k = 0;
    for (level = c->start; level < leaf; level++) {
        k = arm64_poke(c, table + arm64_index(c, level, va) * 8, arm64_table(chain, level + 1) | ARM64_TABLE);
        table = c->entry[k] & ~UINT64_C(0xffff);
    }
    return arm64_poke(c, table + arm64_index(c, leaf, va) * 8, arm64_leaf(c, leaf, pa) | attributes);
}

/* A level that a leaf may have under the width that is set. */
static inline unsigned arm64_any_leaf(arm64_case_t *c)
{
    unsigned level = 3;
    if (arm64_chance(c, 50)) level = c->start + arm64_below(c, 4u - c->start);
    return level == 3 || arm64_block(c->list, level) ? level : 3;
}

/* Registers of a case before it says what it is about: any width, any kind of access, all else off. */
static inline void arm64_begin(arm64_case_t *c, unsigned list, unsigned txsz)
{
    unsigned bits;
    c->list = (uint8_t)list;
    c->manual = ARM64_ANY;
    c->tcr = ARM64_TCR_SAFE;
    c->mair = ARM64_MAIR;
    arm64_set_txsz(c, txsz);
    c->kind = (uint8_t)arm64_below(c, ARM64_KINDS);
    c->bytes = (uint8_t)(1u << arm64_below(c, 4));
    if (arm64_is_fetch(c->kind)) c->bytes = 4;
    if (list / 2 == 2 && arm64_chance(c, 50)) arm64_set_ips(c, 6);
    bits = c->input - arm64_shift(list, c->start) + 3; /* log2 of the top table's bytes; it is aligned to that, or 64 */
    if (bits < 6) bits = 6;
    c->ttbr = arm64_table(0, c->start);
    if (bits < 16) c->ttbr += (uint64_t)arm64_below(c, 4) << bits;
}

/* An address for a leaf of a level: pa in the zone, and va with pa's bits where the leaf leaves them alone.
 * A multiple of bytes. */
static inline void arm64_aim(arm64_case_t *c, unsigned leaf)
{
    const uint64_t inside = arm64_low(arm64_shift(c->list, leaf));
    c->leaf = (uint8_t)leaf;
    c->pa = ARM64_ZONE + (arm64_draw(c) & (ARM64_ZONE_BYTES - 1) & ~(uint64_t)(c->bytes - 1u));
    c->va = ((arm64_draw(c) & ~inside) | (c->pa & inside)) & arm64_low(c->input);
    if (c->list & 1) c->va |= ~arm64_low(c->input);
}

/* Who sets marks: nobody; the accessed flag (HA); both (HA, HD); nobody again, because HD alone does nothing. */
static inline void arm64_marking(arm64_case_t *c, unsigned how)
{
    if (how == 1 || how == 2) arm64_set_bit(c, ARM64_HA);
    if (how >= 2) arm64_set_bit(c, ARM64_HD);
}

static inline uint64_t arm64_rights(unsigned n)
{
    return (n & 3) * UINT64_C(0x40) | (n & 4 ? ARM64_PXN : 0) | (n & 8 ? ARM64_UXN : 0) | (n & 16 ? ARM64_AF : 0) |
           (n & 32 ? ARM64_DBM : 0);
}

/* With HA and HD set, DBM makes a page writable though AP[2] says that it is clean (Arm ARM, S1ApplyOutputPerms): EL1
 * does not execute it when EL0 may write it, nor anybody who may write it under WXN. Is this such a fetch? */
static inline bool arm64_fetches_clean(const arm64_case_t *c, uint64_t leaf)
{
    const uint64_t clean = ARM64_DBM | UINT64_C(0x80);
    const bool user = (leaf & ARM64_AP_EL0) != 0;
    if (!arm64_is_fetch(c->kind) || (c->tcr >> ARM64_HA & 3) != 3 || (leaf & clean) != clean) return false;
    return c->kind == ARM64_FETCH0 ? c->wxn && user : c->wxn || user;
}

/* Every combination of the leaf's rights and marks, who asks, PAN, WXN, HA and HD. */
static inline void arm64_case_rights(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    c->kind = (uint8_t)(n >> 6 & 7);
    if (arm64_is_fetch(c->kind)) c->bytes = 4;
    c->pan = n >> 9 & 1;
    c->wxn = n >> 10 & 1;
    arm64_marking(c, n >> 11);
    arm64_aim(c, leaf);
    if (arm64_fetches_clean(c, arm64_rights(n & 63))) c->manual = (uint8_t)(12 | leaf);
    (void)arm64_lead(c, 0, c->va, c->pa, leaf, arm64_rights(n & 63) | ARM64_SH);
}

/* Rights that tables take away, and HPD, which gives them back. */
static inline void arm64_case_tables(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    unsigned k, last;
    c->pan = arm64_chance(c, 20);
    c->wxn = arm64_chance(c, 20);
    arm64_marking(c, arm64_below(c, 4));
    if (n & 1 && arm64_chance(c, 50)) arm64_set_bit(c, ARM64_HPD + (c->list & 1));
    arm64_aim(c, leaf);
    last = arm64_lead(c, 0, c->va, c->pa, leaf, arm64_rights(arm64_below(c, 64)) | ARM64_AF | ARM64_SH);
    for (k = 0; k < last; k++)
        if (arm64_chance(c, 60)) c->entry[k] |= (arm64_draw(c) & 15) << 59;
}

/* A type of entry that says nothing, at every level, and blocks where none may stand. */
static inline void arm64_case_types(arm64_case_t *c, unsigned n)
{
    unsigned k, level, type;
    arm64_aim(c, 3);
    (void)arm64_lead(c, 0, c->va, c->pa, 3, ARM64_AF | ARM64_AP_EL0 | ARM64_SH);
    level = c->start + arm64_below(c, 4u - c->start);
    k = level - c->start;
    type = n % 3; /* 00, 01, 10 */
    if (type == 1 && level < 3 && arm64_block(c->list, level)) type = 0;
    if (type == 1 && level < 3) { /* a machine that takes it for a block comes out in the zone */
        const uint64_t inside = arm64_low(arm64_shift(c->list, level));
        c->manual = (uint8_t)(4 | level);
        c->entries = 0;
        c->va = ((c->va & ~inside) | (c->pa & inside));
        (void)arm64_lead(c, 0, c->va, c->pa, level, ARM64_AF | ARM64_AP_EL0 | ARM64_SH);
    } else {
        c->entry[k] = (c->entry[k] & ~UINT64_C(3)) | type;
        if (arm64_chance(c, 50)) c->entry[k] |= arm64_draw(c) << 2;
    }
    arm64_marking(c, arm64_below(c, 4));
}

/* Output addresses wider than IPS says: of TTBR, a table, a leaf. Those that are not too wide lead to nothing. */
static inline void arm64_case_sizes(arm64_case_t *c, unsigned n)
{
    static const uint8_t width[7] = {32, 36, 40, 42, 44, 48, 52};
    const unsigned ips = n % (c->list / 2 == 2 ? 7 : 6);
    const unsigned leaf = arm64_any_leaf(c);
    unsigned bit = 32 + arm64_below(c, c->list / 2 == 2 ? 20 : 16), k, last;
    if (arm64_chance(c, 60) && ips < 5) bit = width[ips] - 1u + arm64_below(c, 2);
    if (bit == 38 || bit == 39) bit = 40; /* where the board has its PCI Express */
    if (bit == 31) bit = 32;
    arm64_set_ips(c, ips);
    arm64_marking(c, arm64_below(c, 4));
    arm64_aim(c, leaf);
    last = arm64_lead(c, 0, c->va, c->pa, leaf, arm64_rights(arm64_below(c, 64)) | ARM64_SH);
    k = arm64_below(c, last + 2);
    if (k == last && bit < arm64_shift(c->list, leaf)) bit = arm64_shift(c->list, leaf); /* below it, bits are RES0 */
    /* Bits 5:2 of TTBR are bits 51:48 of the address when IPS is 6, and else nothing, where the table is large enough
     * not to have them in its place. */
    if (k > last && bit >= 48 && c->input - arm64_shift(c->list, c->start) < 3) bit = 47;
    if (k > last) c->ttbr |= UINT64_C(1) << (bit < 48 ? bit : bit - 46);
    else c->entry[k] |= arm64_output(c, UINT64_C(1) << bit);
    if (k <= last && bit >= 48 && ips < 6) c->manual = (uint8_t)(c->start + k);
}

/* Addresses outside of the half: width, top byte, EPD, E0PD. */
static inline void arm64_case_addresses(arm64_case_t *c, unsigned n)
{
    const unsigned half = c->list & 1;
    const unsigned leaf = arm64_any_leaf(c);
    const uint64_t side = UINT64_C(1) << 55;
    arm64_aim(c, leaf);
    (void)arm64_lead(c, 0, c->va, c->pa, leaf, ARM64_AF | arm64_rights(arm64_below(c, 64)) | ARM64_SH);
    if (arm64_chance(c, 5)) { /* a width that no granule has: it is as if nothing were mapped */
        const unsigned wrong = arm64_below(c, 27);
        c->tcr &= ~(UINT64_C(0x3f) << (16 * half));
        c->tcr |= (uint64_t)(wrong < 12 ? wrong : wrong + 37) << (16 * half);
    }
    if (n & 1) arm64_set_bit(c, ARM64_TBI + half);
    if (n & 2) c->va ^= arm64_draw(c) << 56;
    if (n & 4) c->va ^= UINT64_C(1) << (c->input + arm64_below(c, 64u - c->input));
    if (n & 8) c->va ^= arm64_draw(c) & ~arm64_low(c->input);
    if (arm64_chance(c, 15)) arm64_set_bit(c, half ? ARM64_EPD + ARM64_EPD_NEXT : ARM64_EPD);
    if (arm64_chance(c, 30)) arm64_set_bit(c, ARM64_E0PD + half);
    c->va = half ? c->va | side : c->va & ~side;
}

/* Takes the memory away behind an entry, or behind TTBR when k is none. A block of 4 TiB moves as a whole. */
static inline void arm64_lose(arm64_case_t *c, unsigned k, unsigned last)
{
    const unsigned shift = arm64_shift(c->list, c->leaf);
    if (k > last) c->ttbr += ARM64_NOTHING;
    else c->entry[k] += k == last && shift > 31 ? UINT64_C(1) << shift : ARM64_NOTHING;
}

/* No memory behind TTBR, a table or the leaf. */
static inline void arm64_case_nothing(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    unsigned last;
    arm64_marking(c, n % 4);
    arm64_aim(c, leaf);
    last = arm64_lead(c, 0, c->va, c->pa, leaf, arm64_rights(arm64_below(c, 64)) | ARM64_SH);
    arm64_lose(c, arm64_chance(c, 40) ? last : arm64_below(c, last + 2), last);
}

/* An access in two pages, each with its own rights. */
static inline void arm64_case_crossing(arm64_case_t *c, unsigned n)
{
    const uint64_t inside = arm64_low(arm64_granule(c->list));
    uint64_t next;
    if (arm64_is_fetch(c->kind)) c->kind = ARM64_STORE1;
    c->bytes = (uint8_t)(2u << n % 3);
    c->pan = arm64_chance(c, 20);
    arm64_marking(c, arm64_below(c, 4));
    arm64_aim(c, 3);
    if (arm64_chance(c, 20)) c->va |= arm64_low(c->input - arm64_below(c, 4)); /* the end of a table, or of the half */
    c->va = (c->va | inside) - arm64_below(c, c->bytes - 1u);
    if (c->va > ~(inside + 1)) c->va -= inside + 1; /* what follows the end of the upper half is the program's */
    c->pa = (c->pa & ~inside) | (c->va & inside);
    next = (c->va | inside) + 1;
    (void)arm64_lead(c, 0, c->va, c->pa, 3, arm64_rights(arm64_below(c, 64)) | ARM64_SH | (n & 4 ? ARM64_AF : 0));
    if ((next ^ c->va) >> c->input) return;
    c->next = ARM64_ZONE + (arm64_draw(c) & (ARM64_ZONE_BYTES - 1) & ~inside);
    (void)arm64_lead(c, 1, next, c->next, 3, arm64_rights(arm64_below(c, 64)) | ARM64_SH | (n & 8 ? ARM64_AF : 0));
}

/* Memory types, and accesses that are not aligned. */
static inline void arm64_case_types_of_memory(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    const bool device = !(c->mair >> (n & 7) * 8 & 0xf0);
    uint64_t rights;
    if (arm64_is_fetch(c->kind)) c->kind &= 3;
    arm64_marking(c, arm64_below(c, 4));
    arm64_aim(c, leaf);
    c->va &= ~UINT64_C(15);
    c->pa &= ~UINT64_C(15);
    if (c->bytes > 1 && arm64_chance(c, 70)) c->pa += arm64_below(c, 8);
    c->va |= c->pa & 15;
    rights = arm64_rights(arm64_below(c, 64));
    if (device && (c->va & (c->bytes - 1u)) && ((rights & ARM64_AF) || (c->tcr >> ARM64_HA & 1))) c->manual = 0x21;
    (void)arm64_lead(c, 0, c->va, c->pa, leaf, rights | (uint64_t)(n & 7) << 2);
}

/* Everything at random. */
static inline void arm64_case_random(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c), half = c->list & 1;
    unsigned k, last;
    c->pan = arm64_chance(c, 25);
    c->wxn = arm64_chance(c, 25);
    arm64_marking(c, arm64_below(c, 4));
    if (arm64_chance(c, 30)) arm64_set_bit(c, ARM64_TBI + half);
    if (arm64_chance(c, 30)) arm64_set_bit(c, ARM64_HPD + half);
    if (arm64_chance(c, 10)) arm64_set_bit(c, ARM64_E0PD + half);
    if (arm64_chance(c, 30)) arm64_set_ips(c, arm64_below(c, c->list / 2 == 2 ? 7 : 6));
    arm64_aim(c, leaf);
    last = arm64_lead(c, 0, c->va, c->pa, leaf,
                      (arm64_draw(c) & ARM64_LEAF_ANY & ~UINT64_C(0x1c)) | (n & 1 ? ARM64_AF : 0));
    for (k = 0; k < last; k++) c->entry[k] |= arm64_draw(c) & arm64_draw(c) & ARM64_TABLE_ANY & ~UINT64_C(0xf000);
    if (arm64_chance(c, 8)) c->entry[arm64_below(c, last + 1)] ^= ARM64_VALID;
    if (arm64_chance(c, 5)) arm64_lose(c, arm64_below(c, last + 1), last);
    if (arm64_chance(c, 20)) c->va ^= (arm64_draw(c) & 0xff) << 56;
    k = arm64_below(c, 55);
    if (k >= arm64_shift(c->list, leaf) && arm64_chance(c, 8)) c->va ^= UINT64_C(1) << k;
    c->ttbr |= arm64_draw(c) << 48; /* the ASID */
}

/* Another entry in the place of one: invalid, or with other rights, or leading elsewhere. */
static inline uint64_t arm64_other(arm64_case_t *c, unsigned k, unsigned last)
{
    const unsigned how = arm64_below(c, 4);
    const uint64_t inside = arm64_low(arm64_shift(c->list, c->leaf));
    if (how == 0) return arm64_draw(c) & ~ARM64_VALID;
    if (k < last)
        return how == 1 ? arm64_table(1, c->start + k + 1) | ARM64_TABLE : c->entry[k] ^ (arm64_draw(c) & 15) << 59;
    if (how == 1) return (c->entry[k] & ~UINT64_C(0x00780000000007c0)) | arm64_rights(arm64_below(c, 64)) | ARM64_SH;
    if (inside >= ARM64_ZONE_BYTES) return c->entry[k] ^ ARM64_AF;
    c->next = ((ARM64_ZONE + (arm64_draw(c) & (ARM64_ZONE_BYTES - 1))) & ~inside) | (c->pa & inside);
    return arm64_leaf(c, c->leaf, c->next) | (c->entry[k] & UINT64_C(0x0078000000000fc0));
}

/* An access before that of the case, at the same place and by the same entries. */
static inline void arm64_warm(arm64_case_t *c)
{
    c->warm = true;
    c->warm_kind = (uint8_t)arm64_below(c, c->bytes == 4 ? ARM64_KINDS : ARM64_FETCH1);
    c->warm_va = c->va;
    memcpy(c->warm_entry, c->entry, sizeof c->entry);
}

/* An access, then a change of an entry, then just as much forgetting as the change needs. */
static inline void arm64_case_forgetting(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    unsigned last, k;
    uint64_t rights = arm64_rights(arm64_below(c, 64)) | ARM64_SH | (arm64_chance(c, 70) ? ARM64_AF : 0);
    c->forget = (uint8_t)(n % ARM64_FORGETS);
    if (c->forget == ARM64_ASIDE1 || c->forget == ARM64_OTHER_ASID || (n & 8)) rights |= ARM64_NG;
    if (c->list & 1) arm64_set_bit(c, ARM64_A1);
    if (arm64_chance(c, 50)) arm64_set_bit(c, ARM64_AS);
    arm64_marking(c, arm64_below(c, 4));
    arm64_aim(c, leaf);
    last = arm64_lead(c, 0, c->va, c->pa, leaf, rights);
    arm64_warm(c);
    k = arm64_chance(c, 60) ? last : arm64_below(c, last + 1);
    if (c->forget == ARM64_VALE1 || c->forget == ARM64_VAALE1) k = last;
    if (k < last || arm64_chance(c, 80)) c->warm_entry[k] = arm64_other(c, k, last);
    c->ttbr |= (arm64_draw(c) & 0xff) << 48;
    c->warm_ttbr = c->forget == ARM64_OTHER_ASID ? c->ttbr ^ UINT64_C(1) << 50 : c->ttbr;
}

/* Two pages of one contiguous group, whose translation may be remembered as one. The first is used, then both change or
 * do not, then what is known of the second is forgotten, and the second is used. No marks: any of the group may get
 * them. */
static inline void arm64_case_contiguous(arm64_case_t *c, unsigned n)
{
    const unsigned granule = c->list / 2, pages = granule == 1 ? 64 : 16; /* at most, so that all lie in the zone */
    const uint64_t one = UINT64_C(1) << arm64_granule(c->list), group = one * (granule == 0   ? 16
                                                                               : granule == 1 ? 128
                                                                                              : 32);
    const uint64_t bits = UINT64_C(1) << 52 | ARM64_AF | ARM64_SH | (n & 8 ? ARM64_NG : 0);
    const uint64_t rights = arm64_rights(arm64_below(c, 16)) | bits;
    unsigned k, last, first;
    if (64u - c->input > 39) arm64_set_txsz(c, 25);
    c->ttbr = arm64_table(0, c->start);
    c->forget = (uint8_t)(n % (ARM64_FORGETS + 1));
    if (c->list & 1) arm64_set_bit(c, ARM64_A1);
    arm64_aim(c, 3);
    c->va = (c->va & ~(group - 1)) | (c->va & (one - 1)) | one * arm64_below(c, pages);
    c->pa = ARM64_ZONE + (c->va & (group - 1));
    last = arm64_lead(c, 0, c->va, c->pa, 3, rights);
    arm64_warm(c);
    c->warm_va = c->va ^ one * (1 + arm64_below(c, pages - 1));
    first = arm64_lead(c, 0, c->warm_va, ARM64_ZONE + (c->warm_va & (group - 1)), 3, rights);
    if (c->forget == ARM64_ASIDE1 || c->forget == ARM64_OTHER_ASID) {
        c->entry[first] |= ARM64_NG;
        c->entry[last] |= ARM64_NG;
    }
    memcpy(c->warm_entry, c->entry, sizeof c->entry);
    for (k = last; c->forget != ARM64_KEEP && k <= first; k++)
        c->warm_entry[k] = (c->entry[k] & ~(ARM64_AP | ARM64_PXN | ARM64_UXN)) | arm64_rights(n >> 4 & 15);
    c->next = ARM64_ZONE + (c->warm_va & (group - 1));
    c->ttbr |= (arm64_draw(c) & 0xff) << 48;
    c->warm_ttbr = c->forget == ARM64_OTHER_ASID ? c->ttbr ^ UINT64_C(1) << 50 : c->ttbr;
}

/* Atomic accesses, which need both rights. The accessed flag is set: a read before the write may set it or not. */
static inline void arm64_case_swap(arm64_case_t *c, unsigned n)
{
    const unsigned leaf = arm64_any_leaf(c);
    unsigned last, k;
    c->kind = ARM64_STORE1;
    c->swap = true;
    arm64_marking(c, n & 3);
    arm64_aim(c, leaf);
    if (c->bytes > 1 && arm64_chance(c, 15) && (c->pa & 15) < 8) {
        c->va++;
        c->pa++;
    }
    last = arm64_lead(c, 0, c->va, c->pa, leaf, arm64_rights(arm64_below(c, 64)) | ARM64_AF | ARM64_SH);
    k = arm64_below(c, last + 1);
    if (arm64_chance(c, 10)) c->entry[k] ^= ARM64_VALID;
    else if (arm64_chance(c, 10)) arm64_lose(c, k == last ? last + 1 : k, last); /* not the leaf's: QEMU reads first */
}

/* What the swap of a case finds, and compares with. */
static inline uint64_t arm64_found(const arm64_case_t *c)
{
    const uint64_t low = c->pa & ~UINT64_C(7);
    const uint64_t word = arm64_word(low) | (uint64_t)arm64_word(low + 4) << 32;
    return word >> (c->pa & 7) * 8 & arm64_low(c->bytes * 8u);
}

typedef struct arm64_family {
    char name[64]; /* no pointer: the program runs in either half */
    unsigned cases;
} arm64_family_t;

enum {
    ARM64_FAMILIES = 12
};

static const arm64_family_t arm64_families[ARM64_FAMILIES] = {
    {"rights and marks of a leaf, by who asks, PAN, WXN, HA and HD", 8192},
    {"rights that tables take away, and HPD", 3000},
    {"types of entries", 1200},
    {"addresses wider than IPS", 1500},
    {"addresses outside of the half, TBI, EPD, E0PD", 2000},
    {"no memory behind TTBR, a table or a leaf", 800},
    {"accesses in two pages", 1200},
    {"memory types and alignment", 800},
    {"forgetting after a change", 2800},
    {"two pages of a contiguous group", 1600},
    {"compare and swap", 1200},
    {"everything at random", 4000},
};

/* Makes case n of a family of a list. */
static inline void arm64_make(arm64_case_t *c, unsigned list, unsigned family, unsigned n)
{
    memset(c, 0, sizeof *c);
    c->list = (uint8_t)list;
    c->seed = ((uint64_t)list << 40 | (uint64_t)family << 32 | n) * UINT64_C(0x2545f4914f6cdd1d);
    arm64_begin(c, list, arm64_any_txsz(c));
    switch (family) {
    case 0: arm64_case_rights(c, n); break;
    case 1: arm64_case_tables(c, n); break;
    case 2: arm64_case_types(c, n); break;
    case 3: arm64_case_sizes(c, n); break;
    case 4: arm64_case_addresses(c, n); break;
    case 5: arm64_case_nothing(c, n); break;
    case 6: arm64_case_crossing(c, n); break;
    case 7: arm64_case_types_of_memory(c, n); break;
    case 8: arm64_case_forgetting(c, n); break;
    case 9: arm64_case_contiguous(c, n); break;
    case 10: arm64_case_swap(c, n); break;
    default: arm64_case_random(c, n); break;
    }
    if (!c->warm) c->warm_ttbr = c->ttbr;
    if (arm64_is_fetch(c->kind) && (c->tcr >> (ARM64_TBI + (list & 1)) & 1)) /* what a branch leaves in PC */
        c->va = list & 1 ? c->va | UINT64_C(0xff) << 56 : c->va & arm64_low(56);
}

/* Puts the entries of a case down and looks at them, and at what the access may store to, from now on. */
static inline void arm64_set_scene(machine_scene_t *s, const arm64_case_t *c)
{
    const uint64_t last = c->pa + c->bytes - 1u;
    unsigned k;
    s->words = 0;
    for (k = 0; k < c->entries; k++) {
        machine_watch(s, c->at[k], 8);
        machine_poke(s, c->at[k], 8, c->entry[k]);
    }
    if (c->leaf_at) machine_watch(s, c->leaf_at, 8);
    machine_watch(s, c->pa & ~UINT64_C(7), 8);
    if (((c->va ^ (c->va + c->bytes - 1u)) >> arm64_granule(c->list)) == 0) machine_watch(s, last & ~UINT64_C(7), 8);
    if (c->next) machine_watch(s, c->next & ~UINT64_C(7), 8);
    machine_before(s);
}

/* Takes back what AT may have left in the entries: it may set the access flag, and need not. */
static inline void arm64_restore(machine_scene_t *s)
{
    unsigned k;
    for (k = 0; k < s->words; k++) machine_poke(s, s->word[k].paddr, 8, s->word[k].before);
}

/* The operand of the TLB invalidations by address and by ASID. */
static inline uint64_t arm64_operand(const arm64_case_t *c)
{
    return (c->va >> 12 & arm64_low(44)) | (c->ttbr & UINT64_C(0xffff) << 48);
}

/* Leaves empty tables, and the zone and the tree as they were. */
static inline void arm64_clear_scene(machine_scene_t *s, const arm64_case_t *c)
{
    unsigned k;
    for (k = 0; k < s->words; k++) {
        if (c->running && s->word[k].paddr == c->leaf_at) continue;
        machine_poke(s, s->word[k].paddr, 8, k < c->entries ? 0 : s->word[k].before);
    }
}

/* The value that a store stores: one that the zone does not hold. */
#define ARM64_STORED UINT64_C(0x0123456789abcdef)

#endif /* ARM64_CASES_H */
