/* opt.c - Belady's policy, which knows the future: built from a trace in memory, followed by a vmm_replacement_t.
 *
 * Belady, "A study of replacement algorithms for a virtual-storage computer", 1966: of the pages in frames the one that
 * is not used for the longest time goes. */
#include "engine.h"

/* ---------------------------------------------------------------------------- the future -- */

/* Pages get dense numbers by hashing: open addressing, at most half full. A slot holds number + 1; 0 is free. */
typedef struct numbering {
    uint64_t *vpn; /* by number */
    uint32_t *slot;
    uint32_t *last; /* by number, later: the next access of the page */
    uint32_t count, room, mask;
} numbering_t;

static uint32_t home_of(const numbering_t *n, uint64_t vpn)
{
    return (uint32_t)(vpn * UINT64_C(0x9e3779b97f4a7c15) >> 32) & n->mask;
}

static bool numbering_grow(numbering_t *n)
{
    const uint32_t room = n->room ? 2 * n->room : 4096, slots = 2 * room;
    uint64_t *vpn = (uint64_t *)realloc(n->vpn, room * sizeof *vpn);
    uint32_t *slot = (uint32_t *)calloc(slots, sizeof *slot), i, at;
    if (vpn) n->vpn = vpn;
    if (!vpn || !slot || room > UINT32_MAX / 4) {
        free(slot);
        return false;
    }
    free(n->slot);
    n->slot = slot;
    n->room = room;
    n->mask = slots - 1;
    for (i = 0; i < n->count; i++) {
        for (at = home_of(n, n->vpn[i]); slot[at]; at = (at + 1) & n->mask) {}
        slot[at] = i + 1;
    }
    return true;
}

/* The number of a page; UINT32_MAX: no memory. */
static inline uint32_t number_of(numbering_t *n, uint64_t vpn)
{
    uint32_t at;
    for (at = home_of(n, vpn); n->slot[at]; at = (at + 1) & n->mask)
        if (n->vpn[n->slot[at] - 1] == vpn) return n->slot[at] - 1;
    if (n->count == n->room) return numbering_grow(n) ? number_of(n, vpn) : UINT32_MAX;
    n->vpn[n->count] = vpn;
    n->slot[at] = ++n->count;
    return n->count - 1;
}

typedef struct builder {
    numbering_t pages;
    uint32_t *next; /* first the page of each access, then the access that uses it next */
    uint64_t count, room;
    uint64_t vpn[2]; /* the last page of fetches, of data */
    uint32_t number[2];
} builder_t;

static bool builder_room(builder_t *b, uint64_t more)
{
    uint64_t room = b->room;
    uint32_t *next;
    if (b->count + more <= b->room) return true;
    while (room < b->count + more) room *= 2;
    if (room > SIZE_MAX / sizeof *next || room > SIM_NEVER) return false;
    next = (uint32_t *)realloc(b->next, (size_t)room * sizeof *next);
    if (!next) return false;
    b->next = next;
    b->room = room;
    return true;
}

/* The accesses of one kind that a reference makes: one a page. */
static inline bool builder_pages(builder_t *b, uint64_t first, uint64_t last, unsigned fetch)
{
    uint64_t vpn;
    if (!builder_room(b, last - first + 1)) return false;
    for (vpn = first;; vpn++) {
        if (b->vpn[fetch] != vpn) {
            b->number[fetch] = number_of(&b->pages, vpn);
            b->vpn[fetch] = vpn;
            if (b->number[fetch] == UINT32_MAX) return false;
        }
        b->next[b->count++] = b->number[fetch];
        if (vpn == last) return true;
    }
}

static bool build(builder_t *b, const sim_config_t *config, const trace_list_t *list)
{
    uint64_t at;
    size_t i;
    b->room = list->count + 4096;
    b->vpn[0] = b->vpn[1] = ~UINT64_C(0); /* no page has this number: a page has more than one byte */
    b->next = (uint32_t *)malloc((size_t)b->room * sizeof *b->next);
    if (!b->next || !numbering_grow(&b->pages)) return false;
    for (i = 0; i < list->count; i++) {
        const trace_ref_t *ref = &list->refs[i];
        const uint64_t first = ref->address >> config->page_shift;
        const uint64_t last = (ref->address + (ref->size ? ref->size - 1u : 0u)) >> config->page_shift;
        const bool twice = ref->kind == TRACE_MODIFY && config->modify == SIM_MODIFY_BOTH;
        if (!builder_pages(b, first, last, ref->kind == TRACE_FETCH)) return false;
        if (twice && !builder_pages(b, first, last, 0)) return false;
    }
    b->pages.last = (uint32_t *)malloc(((size_t)b->pages.count + 1) * sizeof *b->pages.last);
    if (!b->pages.last) return false;
    for (i = 0; i < b->pages.count; i++) b->pages.last[i] = SIM_NEVER;
    for (at = b->count; at-- > 0;) {
        const uint32_t page = b->next[at];
        b->next[at] = b->pages.last[page];
        b->pages.last[page] = (uint32_t)at;
    }
    return true;
}

sim_future_t *sim_future(const sim_config_t *config, const trace_list_t *list)
{
    sim_future_t *future = (sim_future_t *)calloc(1, sizeof *future);
    builder_t b;
    memset(&b, 0, sizeof b);
    if (future && build(&b, config, list)) {
        future->next = b.next;
        future->count = b.count;
    } else {
        free(b.next);
        free(future);
        future = NULL;
    }
    free(b.pages.vpn);
    free(b.pages.slot);
    free(b.pages.last);
    return future;
}

void sim_future_free(sim_future_t *future)
{
    if (future) free(future->next);
    free(future);
}

/* ---------------------------------------------------------------------------- the policy -- */

static sim_opt_t *opt_of(const vmm_machine_t *m)
{
    return (sim_opt_t *)m->options.user;
}

/* A page is used now, which was the earliest next use of all: so what is noted only rises, but for a page that
 * leaves, whose block is looked through again. */
static void opt_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const sim_opt_t *opt = opt_of(m);
    const uint64_t now = opt->kinds[0] + opt->kinds[1] + opt->kinds[2] - 1;
    const uint32_t next = now < opt->count ? opt->next[now] : SIM_NEVER;
    uint32_t *most = &opt->most[frame / SIM_OPT_BLOCK];
    (void)set;
    *vmm_words_of(m, frame) = next;
    if (next > *most) *most = next;
}

static void opt_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
    opt_touch(m, set, frame);
}

static void opt_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const sim_opt_t *opt = opt_of(m);
    const uint32_t block = frame / SIM_OPT_BLOCK, *word = vmm_words_of(m, block * SIM_OPT_BLOCK);
    uint32_t i, most = 0;
    *vmm_words_of(m, frame) = 0;
    for (i = 0; i < SIM_OPT_BLOCK && block * SIM_OPT_BLOCK + i < opt->frames; i++)
        most = word[i] > most ? word[i] : most;
    opt->most[block] = most;
    vmm_list_remove(m, set, frame);
}

static uint32_t opt_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    const sim_opt_t *opt = opt_of(m);
    const uint32_t blocks = (opt->frames + SIM_OPT_BLOCK - 1) / SIM_OPT_BLOCK;
    uint32_t block = 0, i, frame;
    for (i = 1; i < blocks; i++)
        if (opt->most[i] > opt->most[block]) block = i;
    if (opt->tie == SIM_TIE_OLDEST && opt->most[block] == SIM_NEVER) {
        for (frame = set->list[0].last; *vmm_words_of(m, frame) != SIM_NEVER;
             frame = vmm_frame_at(m, frame)->previous) {}
        return frame;
    }
    for (frame = block * SIM_OPT_BLOCK; *vmm_words_of(m, frame) != opt->most[block]; frame++) {}
    return frame;
}

const vmm_replacement_t sim_policy_opt = {"OPT", opt_enter, opt_leave, opt_victim, opt_touch, NULL, false, 1, NULL};
