/* arm32_cases.h - the accesses that an ARMv7-A processor and our model both make, through short descriptors.
 *
 * Each case writes one entry of the first level and one of the second, sets registers, and makes an access.
 *
 * Physical memory
 *   0x40100000  code and data of the machine's program
 *   0x40300000  a page that user mode comes back through
 *   0x40400000  first-level table of TTBR0, 0x40404000 that of TTBR1, 0x40408000 tables of the second level
 *   0x40500000  the zone, 4 MiB that accesses may reach
 *   0x80000000  nothing, and all above; RAM ends at 0x41000000
 *
 * The program's own memory is mapped as it lies, in sections of domain 15, of which it is always a client. The zone
 * holds units of 16 bytes: an instruction that loads the number of the page, one that returns, and eight bytes of
 * data. */
#ifndef ARM32_CASES_H
#define ARM32_CASES_H

#include "machine.h"

#define ARM32_RAM UINT32_C(0x40000000)
#define ARM32_RAM_BYTES UINT32_C(0x01000000)
#define ARM32_STUB UINT32_C(0x40300000)
#define ARM32_FIRST UINT32_C(0x40400000)
#define ARM32_OTHER UINT32_C(0x40404000)
#define ARM32_SECOND UINT32_C(0x40408000)
#define ARM32_ZONE UINT32_C(0x40500000)
#define ARM32_ZONE_BYTES UINT32_C(0x00400000)
#define ARM32_NOWHERE UINT32_C(0x80000000)
#define ARM32_AFE (UINT32_C(1) << 29)

enum arm32_kind {
    ARM32_READ,
    ARM32_WRITE,
    ARM32_FETCH
};

/* What is forgotten: everything, the page, the address space, the page in every space. */
enum arm32_forget {
    ARM32_ALL,
    ARM32_MVA,
    ARM32_ASID,
    ARM32_MVAA
};
#define ARM32_SPACE 5u /* CONTEXTIDR, always */

enum arm32_leaf {
    ARM32_SECTION,
    ARM32_SUPER,
    ARM32_SMALL,
    ARM32_LARGE,
    ARM32_LEAVES
};

typedef struct arm32_case {
    uint32_t va, value;
    uint32_t one, two;    /* entries for va, of the first level and the second */
    uint32_t after;       /* the entry of the page behind it, in the same table */
    uint32_t dacr, ttbcr; /* DACR without domain 15 */
    uint32_t sctlr;       /* AFE */
    uint8_t kind, user;
    uint8_t forget; /* enum arm32_forget: how the entries come into force */
    bool kept;      /* the entries are those of the case before, and nothing is flushed */
} arm32_case_t;

typedef struct arm32_list {
    uint64_t seed;
    machine_scene_t scene;
} arm32_list_t;

/* Each program's own. */
static void arm32_make(arm32_list_t *l, const arm32_case_t *c);
static void arm32_group(arm32_list_t *l, const char *name);
static void arm32_sum(arm32_list_t *l, uint32_t sum);

/* ---- memory -------------------------------------------------------------------------------- */

static inline void arm32_poke(arm32_list_t *l, uint32_t paddr, uint32_t value)
{
    machine_poke(&l->scene, paddr, 4, value);
}

/* Where the access is made: code lies at the beginning of a unit, data behind it. */
static inline uint32_t arm32_va(const arm32_case_t *c)
{
    if (c->va & 3) return c->va;
    return (c->va & ~15u) | (c->kind == ARM32_FETCH ? 0 : 8);
}

/* The program is a client of its own domain. */
static inline uint32_t arm32_dacr(const arm32_case_t *c)
{
    return c->dacr | UINT32_C(1) << 30;
}

/* The first-level table that an address goes through. */
static inline uint32_t arm32_table(const arm32_case_t *c)
{
    const unsigned n = c->ttbcr & 7;
    return n && c->va >> (32 - n) ? ARM32_OTHER : ARM32_FIRST;
}

static inline void arm32_fill_zone(arm32_list_t *l)
{
    uint32_t i;
    for (i = 0; i < ARM32_ZONE_BYTES; i += 16) {
        arm32_poke(l, ARM32_ZONE + i, 0xe3a00000 | ((i >> 12) & 0xff)); /* mov r0, #page */
        arm32_poke(l, ARM32_ZONE + i + 4, 0xe12fff1e);                  /* bx lr */
        arm32_poke(l, ARM32_ZONE + i + 8, i * 2654435761u);
        arm32_poke(l, ARM32_ZONE + i + 12, ~i);
    }
}

static inline void arm32_start_memory(arm32_list_t *l)
{
    uint32_t i;
    for (i = 0; i < 0x10000; i += 4) arm32_poke(l, ARM32_FIRST + i, 0);
    for (i = 0; i < 12; i++) { /* PL1 alone, but for the section of the stub; AP[0] is set, with AFE too */
        const uint32_t section = (ARM32_RAM + (i << 20)) | 15u << 5 | (i == 3 ? 3u : 1u) << 10 | 2;
        arm32_poke(l, ARM32_FIRST + (0x400 + i) * 4, section);
        arm32_poke(l, ARM32_OTHER + (0x400 + i) * 4, section);
    }
    arm32_fill_zone(l);
    arm32_poke(l, ARM32_STUB, 0xef000000); /* svc #0 */
}

/* Writes the entries of a case. */
static inline void arm32_lay(arm32_list_t *l, const arm32_case_t *c)
{
    const uint32_t second = (c->one & 3) == 1 ? c->one & 0xfffffc00 : 0;
    arm32_poke(l, arm32_table(c) + (c->va >> 20) * 4, c->one);
    if (second < ARM32_SECOND || second >= ARM32_SECOND + 0x4000) return;
    arm32_poke(l, second + ((c->va >> 12) & 255) * 4, c->two);
    if (((c->va >> 12) & 255) < 255) arm32_poke(l, second + ((c->va >> 12) & 255) * 4 + 4, c->after);
}

static inline void arm32_clear(arm32_list_t *l, const arm32_case_t *c)
{
    arm32_case_t none = *c;
    none.two = none.after = 0;
    arm32_lay(l, &none);
    arm32_poke(l, arm32_table(c) + (c->va >> 20) * 4, 0);
}

/* ---- the list ------------------------------------------------------------------------------ */

/* A client of every domain. */
static inline arm32_case_t arm32_new(uint32_t va)
{
    arm32_case_t c = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false};
    c.va = va;
    c.value = va ^ 0x5a5a5a5a;
    c.dacr = 0x15555555;
    return c;
}

/* The entries that map an address into the zone, as normal memory, by a leaf of a kind, with AP, XN and the domain
 * where each has them. */
static inline void arm32_map(arm32_case_t *c, unsigned leaf, unsigned ap, bool xn, bool pxn, unsigned domain)
{
    const uint32_t high = (ap & 3u) << 10 | (ap >> 2) << 15, low = (ap & 3u) << 4 | (ap >> 2) << 9;
    c->one = ARM32_SECOND | domain << 5 | (pxn ? 4u : 0u) | 1;
    c->two = 0;
    switch (leaf) {
    case ARM32_SECTION: c->one = (ARM32_ZONE + 0x100000) | high | domain << 5 | (xn ? 0x1eu : 0xeu) | pxn; break;
    case ARM32_SUPER: c->one = ARM32_RAM | 1u << 18 | high | (xn ? 0x1eu : 0xeu) | pxn; break;
    case ARM32_SMALL: c->two = (ARM32_ZONE + 0x30000) | low | 0xe | xn; break;
    default: c->two = (ARM32_ZONE + 0x20000) | low | (xn ? 0x8000u : 0u) | 0xd; break;
    }
}

static inline void arm32_rights(arm32_list_t *l)
{
    unsigned leaf, bits, state, access;
    arm32_group(l, "rights by privilege, AFE, domain, access and leaf");
    for (leaf = 0; leaf < ARM32_LEAVES; leaf++)
        for (bits = 0; bits < 32; bits++)
            for (state = 0; state < 16; state++)
                for (access = 0; access < 3; access++) {
                    arm32_case_t c = arm32_new(0x00600000 + (leaf << 16) * 3);
                    arm32_map(&c, leaf, bits & 7, bits >> 3 & 1, bits >> 4 & 1, leaf == ARM32_SUPER ? 0 : 6);
                    if (leaf == ARM32_SUPER) c.dacr = (c.dacr & ~3u) | (state & 3);
                    else c.dacr = (c.dacr & ~(3u << 12)) | (state & 3) << 12;
                    c.sctlr = state & 4 ? ARM32_AFE : 0;
                    c.user = state >= 8;
                    c.kind = (uint8_t)access;
                    c.kept = state || access; /* registers change without a flush */
                    arm32_make(l, &c);
                    if (state == 15 && access == 2) arm32_clear(l, &c);
                }
}

static inline void arm32_domains(arm32_list_t *l)
{
    unsigned domain, field, leaf, access;
    arm32_group(l, "sixteen domains");
    for (domain = 0; domain < 15; domain++)
        for (field = 0; field < 8; field++)
            for (leaf = 0; leaf < ARM32_LEAVES; leaf++)
                for (access = 0; access < 3; access++) {
                    arm32_case_t c = arm32_new(0x00600000);
                    arm32_map(&c, leaf, 5, true, false, leaf == ARM32_SUPER ? 0 : domain);
                    c.dacr = (field & 4 ? 0 : 0x3fffffff) & ~(3u << 2 * domain);
                    c.dacr |= (field & 3) << 2 * domain;
                    c.kind = (uint8_t)access;
                    arm32_make(l, &c);
                    arm32_clear(l, &c);
                }
}

static inline void arm32_order(arm32_list_t *l)
{
    unsigned what, field, state, access;
    arm32_group(l, "faults that could be told instead of each other");
    for (what = 0; what < 8; what++)
        for (field = 0; field < 4; field++)
            for (state = 0; state < 4; state++)
                for (access = 0; access < 3; access++) {
                    arm32_case_t c = arm32_new(0x00600000);
                    arm32_map(&c, what < 4 ? ARM32_SMALL : ARM32_SECTION, what & 1 ? 0 : 3, false, false, 3);
                    if (what == 2) c.two = 0;
                    if (what == 3) c.one = ARM32_NOWHERE | 3u << 5 | 1;
                    if (what == 6) c.one &= ~3u;
                    if (what == 7) c.one = (c.one & 0xfffff) | ARM32_NOWHERE;
                    c.dacr = (c.dacr & ~(3u << 6)) | field << 6;
                    c.sctlr = state & 1 ? ARM32_AFE : 0;
                    c.user = state >= 2;
                    c.kind = (uint8_t)access;
                    arm32_make(l, &c);
                    arm32_clear(l, &c);
                }
}

static inline void arm32_missing(arm32_list_t *l)
{
    unsigned bit, leaf, access;
    arm32_group(l, "memory that is missing");
    for (leaf = 0; leaf < ARM32_LEAVES; leaf++)
        for (bit = 24; bit < 40; bit++)
            for (access = 0; access < 3; access++) {
                arm32_case_t c = arm32_new(0x00600000);
                if (bit >= 32 && leaf != ARM32_SUPER) continue;
                arm32_map(&c, leaf, 3, false, false, 0);
                if (bit == 30) continue; /* is set in all that is there */
                if (bit >= 36) c.one |= 1u << (bit - 36 + 5);
                else if (bit >= 32) c.one |= 1u << (bit - 32 + 20);
                else if (leaf == ARM32_SECTION || leaf == ARM32_SUPER) c.one |= 1u << bit;
                else c.two |= 1u << bit;
                c.kind = (uint8_t)access;
                arm32_make(l, &c);
                arm32_clear(l, &c);
                if (leaf < ARM32_SMALL) continue;
                c.one ^= 1u << bit; /* the table, too */
                arm32_make(l, &c);
                arm32_clear(l, &c);
            }
}

static inline void arm32_bases(arm32_list_t *l)
{
    unsigned n, edge, off, access;
    arm32_group(l, "two bases");
    for (n = 0; n < 8; n++)
        for (edge = 0; edge < 32; edge++)
            for (off = 0; off < 4; off++)
                for (access = 0; access < 3; access++) {
                    const uint32_t around = edge < 16 ? UINT32_C(1) << (31 - edge % 8) : (uint32_t)edge * 0x08100000;
                    arm32_case_t c = arm32_new(edge & 8 ? around - 0x1000 : around);
                    if (c.va >> 24 == 0x40) continue; /* the program's own */
                    arm32_map(&c, edge & 1 ? ARM32_SMALL : ARM32_SECTION, 3, false, false, 0);
                    c.ttbcr = n;
                    /* Never that through which the program goes. */
                    if (off & 1) c.ttbcr |= n >= 2 ? 0x10 : n == 1 ? 0x20 : 0;
                    if ((off & 2) && n == 0) c.ttbcr |= 0x20;
                    c.kind = (uint8_t)access;
                    arm32_make(l, &c);
                    arm32_clear(l, &c);
                }
}

static inline void arm32_bits(arm32_list_t *l)
{
    unsigned leaf, bit, access;
    arm32_group(l, "each bit of each entry");
    for (leaf = 0; leaf < ARM32_LEAVES; leaf++)
        for (bit = 0; bit < 64; bit++)
            for (access = 0; access < 6; access++) {
                arm32_case_t c = arm32_new(0x00600010);
                arm32_map(&c, leaf, 3, false, false, 2);
                if (bit < 32) c.one ^= UINT32_C(1) << bit;
                else c.two ^= UINT32_C(1) << (bit - 32);
                /* Not into the program, tables or devices. */
                if (bit % 32 == 30 || bit == 22 || (bit == 1 && leaf >= ARM32_SMALL)) continue;
                if (leaf < ARM32_SMALL && ((bit >= 20 && bit < 24) || (bit == 18 && leaf == ARM32_SUPER))) continue;
                if (bit == 52 || bit == 54 || bit == 55) continue;
                c.user = access >= 3;
                c.kind = (uint8_t)(access % 3);
                arm32_make(l, &c);
                arm32_clear(l, &c);
            }
}

/* Entries of any kind give place to others, and no more is forgotten than has to be. */
static inline void arm32_changes(arm32_list_t *l)
{
    unsigned from, to, how, access;
    arm32_group(l, "forgetting after a change");
    for (from = 0; from < ARM32_LEAVES * 2; from++)
        for (to = 0; to < ARM32_LEAVES * 2; to++)
            for (how = ARM32_ALL; how <= ARM32_MVAA; how++)
                for (access = 0; access < 3; access++) {
                    arm32_case_t c = arm32_new(0x00612340);
                    arm32_map(&c, from / 2, from & 1 ? 3 : 5, false, false, 0);
                    if (c.two) c.two |= 0x800; /* nG: pages of this space alone */
                    else c.one |= 0x20000;
                    c.kind = (uint8_t)access;
                    arm32_make(l, &c);
                    arm32_map(&c, to / 2, to & 1 ? 7 : 1, false, false, 0);
                    if (c.two) c.two |= 0x800;
                    else c.one |= 0x20000;
                    c.forget = (uint8_t)how;
                    arm32_make(l, &c);
                    c.user = 1;
                    c.kept = true;
                    arm32_make(l, &c);
                    arm32_clear(l, &c);
                }
}

static inline void arm32_across(arm32_list_t *l)
{
    unsigned one, two, access, byte;
    arm32_group(l, "accesses across two pages");
    for (one = 0; one < 8; one++)
        for (two = 0; two < 8; two++)
            for (access = 0; access < 4; access++)
                for (byte = 1; byte < 4; byte++) {
                    arm32_case_t c = arm32_new(0x00601000 - byte), behind;
                    arm32_map(&c, ARM32_SMALL, one, false, false, 0);
                    behind = c;
                    arm32_map(&behind, ARM32_SMALL, two, false, false, 0);
                    c.after = behind.two + 0x3000;
                    c.user = access & 1;
                    c.kind = access >= 2;
                    arm32_make(l, &c);
                    arm32_clear(l, &c);
                }
    arm32_fill_zone(l); /* code was stored to */
}

/* An entry that is mostly good. */
static inline uint32_t arm32_any_first(arm32_list_t *l)
{
    const uint32_t bits = (uint32_t)machine_random(&l->seed);
    switch (machine_below(&l->seed, 8)) {
    case 0: return (bits & 0xf00fffff) | ARM32_NOWHERE;
    case 1: return ARM32_RAM | (bits & 0x0003fe1f) | 1u << 18 | 2;
    case 2: return (ARM32_ZONE + (bits & 0x00300000)) | (bits & 0x0003ffff) | 2;
    case 3: return (ARM32_ZONE + (bits & 0x00300000)) | (bits & 0x0003fdef) | 2;
    default: return ARM32_SECOND | (bits & 0x3fc) | 1;
    }
}

static inline void arm32_chance(arm32_list_t *l)
{
    unsigned i, again;
    arm32_group(l, "random entries");
    for (i = 0; i < 6000; i++) {
        arm32_case_t c = arm32_new(machine_below(&l->seed, 0x40000000) & 0xfffffffc);
        c.one = arm32_any_first(l);
        c.two = (uint32_t)machine_random(&l->seed);
        if (machine_chance(&l->seed, 10)) c.two |= ARM32_NOWHERE;
        else c.two = (ARM32_ZONE + (c.two & 0x00300000)) | (c.two & 0xfffff);
        if ((c.one & 0x40002) == 0x40002) c.va = (c.va & 0xff0ffffc) | 0x00600000; /* into the zone */
        c.dacr = (uint32_t)machine_random(&l->seed);
        if (machine_chance(&l->seed, 60)) c.dacr |= 0x15555555;
        if (machine_chance(&l->seed, 60)) c.dacr &= 0x15555555;
        c.dacr &= 0x3fffffff;
        for (again = 0; again < 3; again++) {
            c.sctlr = machine_chance(&l->seed, 40) ? ARM32_AFE : 0;
            c.user = machine_chance(&l->seed, 40);
            c.kind = (uint8_t)machine_below(&l->seed, 3);
            c.kept = again != 0;
            arm32_make(l, &c);
        }
        arm32_clear(l, &c);
    }
}

/* What stores have made of the zone. */
static inline void arm32_told(arm32_list_t *l)
{
    arm32_sum(l, machine_sum(&l->scene, ARM32_ZONE, ARM32_ZONE_BYTES));
}

static inline void arm32_all(arm32_list_t *l)
{
    l->seed = 7;
    arm32_rights(l);
    arm32_told(l);
    arm32_domains(l);
    arm32_told(l);
    arm32_order(l);
    arm32_told(l);
    arm32_missing(l);
    arm32_told(l);
    arm32_bases(l);
    arm32_told(l);
    arm32_bits(l);
    arm32_told(l);
    arm32_changes(l);
    arm32_told(l);
    arm32_across(l);
    arm32_chance(l);
    arm32_told(l);
}

#endif /* ARM32_CASES_H */
