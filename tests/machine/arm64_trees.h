/*
 * arm64_trees.h - page tables that vmm.h itself makes, for the real MMU and for ours.
 *
 * A tree of each granule maps the zone once for every combination of flags and every size of page. Its cases
 * come first; then a part of every page is protected otherwise or unmapped, which splits the large ones, and
 * its cases come again.
 */
#ifndef ARM64_TREES_H
#define ARM64_TREES_H

#include "vmm.h"

#include "arm64_cases.h"

VMM_TABLES(arm64_4k, vmm_arm64_4k)
VMM_TABLES(arm64_16k, vmm_arm64_16k)
VMM_TABLES(arm64_64k, vmm_arm64_64k)

#define ARM64_COMBINATIONS 64u /* of W, X, U, G, A, D */

typedef struct arm64_tree {
    vmm_memory_t memory;
    vmm_tables_t tables;
    uint64_t next; /* first byte not yet handed out */
    unsigned list;
    unsigned failures; /* edits that did not succeed */
} arm64_tree_t;

static inline int arm64_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    arm64_tree_t *tree = (arm64_tree_t *)user;
    const uint64_t at = (tree->next + bytes - 1) & ~(bytes - 1);
    if (at + bytes > ARM64_PLAIN + ARM64_PLAIN_BYTES) return -1;
    tree->next = at + bytes;
    *table = at;
    return 0;
}

static inline uint32_t arm64_flags(unsigned combination)
{
    static const uint16_t flag[6] = {VMM_W, VMM_X, VMM_U, VMM_G, VMM_A, VMM_D};
    uint32_t flags = VMM_R;
    unsigned k;
    for (k = 0; k < 6; k++)
        if (combination >> k & 1) flags |= flag[k];
    return flags;
}

/* The largest pages: level 1 with 4 KiB, level 2 with the others. */
static inline unsigned arm64_top_leaf(unsigned list)
{
    return list / 2 == 0 ? 1 : 2;
}

/* Where a combination is mapped by pages of a level, and what of the zone is looked at there. */
static inline uint64_t arm64_home(unsigned list, unsigned level, unsigned combination, uint64_t *pa)
{
    const uint64_t inside = arm64_low(arm64_shift(list, level));
    uint64_t va = (uint64_t)(level + 1) << 44 | (uint64_t)combination << arm64_shift(list, level);
    *pa = ARM64_ZONE + ((uint64_t)combination * 0x10040 & (ARM64_ZONE_BYTES - 1));
    va |= *pa & inside;
    return list & 1 ? va | ~arm64_low(48) : va;
}

static inline vmm_status_t arm64_map(arm64_tree_t *t, uint64_t va, uint64_t pa, uint64_t bytes, uint32_t flags)
{
    switch (t->list / 2) {
    case 0: return arm64_4k_map(&t->tables, va, pa, bytes, flags);
    case 1: return arm64_16k_map(&t->tables, va, pa, bytes, flags);
    default: return arm64_64k_map(&t->tables, va, pa, bytes, flags);
    }
}

static inline vmm_status_t arm64_protect(arm64_tree_t *t, uint64_t va, uint64_t bytes, uint32_t flags)
{
    switch (t->list / 2) {
    case 0: return arm64_4k_protect(&t->tables, va, bytes, flags);
    case 1: return arm64_16k_protect(&t->tables, va, bytes, flags);
    default: return arm64_64k_protect(&t->tables, va, bytes, flags);
    }
}

static inline vmm_status_t arm64_unmap(arm64_tree_t *t, uint64_t va, uint64_t bytes)
{
    switch (t->list / 2) {
    case 0: return arm64_4k_unmap(&t->tables, va, bytes);
    case 1: return arm64_16k_unmap(&t->tables, va, bytes);
    default: return arm64_64k_unmap(&t->tables, va, bytes);
    }
}

static inline vmm_status_t arm64_query(const arm64_tree_t *t, uint64_t va, vmm_mapping_t *mapping)
{
    switch (t->list / 2) {
    case 0: return arm64_4k_query(&t->tables, va, mapping);
    case 1: return arm64_16k_query(&t->tables, va, mapping);
    default: return arm64_64k_query(&t->tables, va, mapping);
    }
}

static inline vmm_status_t arm64_create(arm64_tree_t *t)
{
    switch (t->list / 2) {
    case 0: return arm64_4k_create(&t->tables);
    case 1: return arm64_16k_create(&t->tables);
    default: return arm64_64k_create(&t->tables);
    }
}

/* Makes the tree of a list. ram: where this program sees physical ARM64_RAM. */
static inline void arm64_plant(arm64_tree_t *t, unsigned list, void *ram)
{
    unsigned level, k;
    memset(t, 0, sizeof *t);
    t->list = list;
    t->next = ARM64_PLAIN;
    t->memory.ram = ram;
    t->memory.base = ARM64_RAM;
    t->memory.size = ARM64_RAM_BYTES;
    t->tables.memory = &t->memory;
    t->tables.take = arm64_take;
    t->tables.user = t;
    t->failures += arm64_create(t) != VMM_OK;
    for (level = arm64_top_leaf(list); level < 4; level++)
        for (k = 0; k < ARM64_COMBINATIONS; k++) {
            const uint64_t inside = arm64_low(arm64_shift(list, level));
            uint64_t pa;
            const uint64_t va = arm64_home(list, level, k, &pa);
            t->failures += arm64_map(t, va & ~inside, pa & ~inside, inside + 1, arm64_flags(k)) != VMM_OK;
        }
}

/* Of each page the smallest part that is looked at, or for every second combination the one beside it, gets the
 * rights of another combination; some lose it. */
static inline void arm64_graft(arm64_tree_t *t)
{
    const uint64_t page = UINT64_C(1) << arm64_granule(t->list);
    const uint32_t rights = VMM_R | VMM_W | VMM_X | VMM_U | VMM_G;
    unsigned level, k;
    for (level = arm64_top_leaf(t->list); level < 4; level++)
        for (k = 0; k < ARM64_COMBINATIONS; k++) {
            uint64_t pa, va = arm64_home(t->list, level, k, &pa) & ~(page - 1);
            if (level < 3 && (k & 1)) va ^= page;
            if (k % 8 == 5) t->failures += arm64_unmap(t, va, page) != VMM_OK;
            else t->failures += arm64_protect(t, va, page, arm64_flags(k * 37 % ARM64_COMBINATIONS) & rights) != VMM_OK;
        }
}

/* Rights in the smallest pages that the library would not put together. */
static inline void arm64_roughen(arm64_tree_t *t, machine_scene_t *s)
{
    uint64_t seed = t->list;
    unsigned k;
    for (k = 0; k < ARM64_COMBINATIONS; k++) {
        vmm_mapping_t mapping;
        uint64_t pa;
        const uint64_t va = arm64_home(t->list, 3, k, &pa);
        if (arm64_query(t, va, &mapping) != VMM_OK) continue;
        machine_poke(s, mapping.pte_addr, 8,
                     mapping.pte ^ (machine_random(&seed) & (ARM64_PXN | ARM64_UXN | ARM64_DBM | ARM64_AP | ARM64_NG)));
    }
}

/* Passes over a tree: as it was made; edited; and then, roughened, accesses that follow each other with nothing
 * forgotten between them, while the processor sets marks, also with WXN, and while it does not. */
enum arm64_pass {
    ARM64_MADE,
    ARM64_EDITED,
    ARM64_MARKING,
    ARM64_MARKING_WXN,
    ARM64_NOT_MARKING,
    ARM64_PASSES
};

static inline void arm64_name_pass(char *name, unsigned pass)
{
    static const char names[ARM64_PASSES][64] = {
        "tables that vmm.h made", "tables that vmm.h made and then edited", "one access after the other, HA and HD set",
        "one access after the other, HA, HD and WXN set", "one access after the other, HA and HD clear"};
    memcpy(name, names[pass], 64);
}

static inline unsigned arm64_pass_cases(unsigned list)
{
    return (4 - arm64_top_leaf(list)) * ARM64_COMBINATIONS * ARM64_KINDS;
}

/* Case n of a pass. Those of the first two go through all pages and kinds of access; others draw both, and most of
 * them stay in a few pages. */
static inline void arm64_make_plain(arm64_case_t *c, const arm64_tree_t *t, unsigned pass, unsigned n)
{
    vmm_mapping_t mapping;
    unsigned which = n;
    memset(c, 0, sizeof *c);
    c->seed = UINT64_C(0x9e6c63d0876a9a47) * (n + 1) + pass;
    arm64_begin(c, t->list, 16);
    arm64_set_ips(c, 5);
    c->running = pass >= ARM64_MARKING;
    if (c->running) which = arm64_below(c, arm64_pass_cases(t->list));
    if (c->running && arm64_chance(c, 70)) which = which % 64 + n / 256 * 512 % arm64_pass_cases(t->list);
    c->first = n == 0;
    c->leaf = (uint8_t)(3 - which / (ARM64_COMBINATIONS * ARM64_KINDS));
    c->kind = (uint8_t)(which % ARM64_KINDS);
    if (arm64_is_fetch(c->kind)) c->bytes = 4;
    c->pan = arm64_chance(c, 20);
    c->wxn = c->running ? pass == ARM64_MARKING_WXN : arm64_chance(c, 20);
    arm64_marking(c, c->running ? (pass == ARM64_NOT_MARKING ? 0 : 2) : arm64_below(c, 4));
    c->ttbr = t->tables.root;
    c->va = arm64_home(t->list, c->leaf, which / ARM64_KINDS % ARM64_COMBINATIONS, &c->pa);
    if (c->bytes < 4 && arm64_chance(c, 50)) {
        c->va += c->bytes;
        c->pa += c->bytes;
    }
    c->manual = ARM64_ANY;
    if (arm64_query(t, c->va, &mapping) != VMM_OK) return;
    c->leaf_at = mapping.pte_addr;
    c->leaf = (uint8_t)(3 - mapping.level);
    if (arm64_fetches_clean(c, mapping.pte)) c->manual = (uint8_t)(12 | c->leaf);
}

#endif /* ARM64_TREES_H */
