/* engine.c - the machine at work: a reference, its accesses, TLB and walk, fault and victim; and what it shows. */
#define VMM_IMPLEMENTATION
#include "engine.h"

#define SIM_COLD __attribute__((noinline))

/* ---------------------------------------------------------------------------- counting -- */

static inline uint64_t accesses(const sim_t *s)
{
    return s->kinds[0] + s->kinds[1] + s->kinds[2];
}

/* Brings resident_sum up to the first so many accesses: called before the number of resident pages changes. */
void sim_settle(sim_t *s, uint64_t up_to)
{
    s->resident_sum += s->resident * (up_to - s->settled);
    s->settled = up_to;
}

/* The access that is being made counts with what it leaves. */
static inline void settle_before(sim_t *s)
{
    const uint64_t now = accesses(s);
    if (now > s->settled) sim_settle(s, now - 1);
}

/* ------------------------------------------------------------------------- free frames -- */

/* A heap of numbers, the lowest at [0]. */
static void heap_push(uint32_t *heap, uint32_t count, uint32_t number)
{
    uint32_t at = count;
    for (; at > 0 && heap[(at - 1) / 2] > number; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = number;
}

/* Takes out heap[0] of count numbers. */
static void heap_pop(uint32_t *heap, uint32_t count)
{
    const uint32_t number = heap[--count];
    uint32_t at = 0, child;
    for (; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= number) break;
        heap[at] = heap[child];
    }
    heap[at] = number;
}

/* Frames below `fresh` that are free are listed; all from `fresh` on are free too. */
static uint32_t take_slot(sim_t *s, sim_share_t *share)
{
    uint32_t slot;
    if (share->free_count == 0) {
        while (share->fresh < share->frames && share->va[share->fresh]) share->fresh++; /* presets are there */
        return share->fresh < share->frames ? share->fresh++ : VMM_NO_FRAME;
    }
    if (s->config.slot == SIM_SLOT_LAST) return share->free[--share->free_count];
    slot = share->free[0];
    heap_pop(share->free, share->free_count--);
    return slot;
}

static void give_slot(sim_t *s, sim_share_t *share, uint32_t slot)
{
    if (slot >= share->fresh) return;
    if (s->config.slot == SIM_SLOT_LAST) share->free[share->free_count++] = slot;
    else heap_push(share->free, share->free_count++, slot);
}

/* ------------------------------------------------------------------ pages come and go -- */

/* The entry of a page whose tables are there, else null. */
uint8_t *sim_entry(const sim_t *s, unsigned process, uint64_t va)
{
    uint64_t table = s->tables[process].root;
    unsigned level = s->paging.levels;
    while (table) {
        uint8_t *entry = vmm_mem_host(&s->memory, table, 8) + (size_t)vmm_level_index(&s->paging, --level, va) * 8;
        const vmm_pte_t pte = vmm_pte_load(&s->paging, entry);
        if (level == 0) return entry;
        table = pte & s->paging.valid ? vmm_pte_paddr(&s->paging, pte) : 0;
    }
    return NULL;
}

/* The page in a frame leaves: its entry keeps its number. */
static void leave(sim_t *s, sim_share_t *share, uint32_t slot)
{
    const uint64_t va = share->va[slot] - 1;
    const unsigned process = share->owner[slot];
    uint8_t *entry = sim_entry(s, process, va);
    settle_before(s);
    s->victim = va >> s->config.page_shift;
    s->victim_dirty = vmm_records_dirty(share->machine, slot);
    s->evictions++;
    s->dirty_evictions += s->victim_dirty;
    s->resident--;
    if (entry) {
        const uint64_t number = vmm_frame_at(share->machine, slot)->index;
        vmm_pte_store(&s->paging, entry, number << SIM_NUMBER_SHIFT | SIM_ABSENT);
    }
    if (!s->config.tlb_keeps) vmm_tlb_flush_page(s->ref, va, VMM_TAKE_ASID, (uint16_t)process);
    if (s->caches) (void)vmm_caches_flush(s->caches, (share->first + slot) << s->config.page_shift, s->page_mask + 1);
    vmm_records_leave(share->machine, slot);
    share->va[slot] = 0;
}

/* A page comes into a frame and is mapped there. False: no memory for its tables. */
bool sim_enter(sim_t *s, unsigned process, uint64_t va, uint32_t slot, uint32_t number, bool write)
{
    sim_share_t *share = &s->share[s->shares > 1 ? process : 0];
    const uint64_t ppn = share->first + slot;
    uint8_t *entry = sim_entry(s, process, va);
    settle_before(s);
    if (entry) vmm_pte_store(&s->paging, entry, vmm_pte_leaf(&s->paging, ppn << s->config.page_shift, SIM_RIGHTS, 0));
    else if (vmm_pt_map(&s->paging, &s->tables[process], va, ppn << s->config.page_shift, s->page_mask + 1,
                        SIM_RIGHTS)) {
        s->error = "the page tables need more memory than there is";
        return false;
    }
    s->resident++;
    if (!share->machine) return true;
    share->va[slot] = va + 1;
    share->owner[slot] = (uint8_t)process;
    vmm_records_enter(share->machine, slot, process, number, write);
    return true;
}

/* Where a page may come to: a free frame, else a victim's. */
static uint32_t make_room(sim_t *s, uint32_t number)
{
    sim_share_t *share = s->mine;
    uint32_t slot;
    if (!share->machine) {
        while (sim_is_pinned(s, share->first + share->fresh)) share->fresh++;
        if (share->fresh < s->most_pages) return share->fresh++;
        s->error = "there are more pages than the simulator can hold";
        return VMM_NO_FRAME;
    }
    slot = take_slot(s, share);
    if (slot != VMM_NO_FRAME) return slot;
    slot = vmm_records_victim(share->machine, s->process, number);
    if (slot == VMM_NO_FRAME) s->error = "the policy found no victim";
    else leave(s, share, slot);
    return slot;
}

enum {
    SERVED_ERROR = -1,
    SERVED_NOT,
    SERVED
};

/* A page fault: its page comes in, if there is one. */
static int serve(sim_t *s, unsigned kind, uint64_t va)
{
    const uint64_t pte = s->fault.level == 0 ? s->fault.pte : 0;
    uint32_t number = (uint32_t)(pte >> SIM_NUMBER_SHIFT), slot;
    if (s->config.no_faults || (s->strict && pte == 0)) {
        s->invalid++;
        return SERVED_NOT;
    }
    if (pte == 0) {
        if (s->numbers + 1 >= s->most_pages) {
            s->error = "there are more pages than the simulator can hold";
            return SERVED_ERROR;
        }
        number = ++s->numbers;
        if (!s->config.preset_count) s->pages++;
    }
    slot = make_room(s, number);
    if (slot == VMM_NO_FRAME || !sim_enter(s, s->process, va & ~s->page_mask, slot, number, kind == VMM_WRITE))
        return SERVED_ERROR;
    s->faults++;
    return SERVED;
}

/* ------------------------------------------------------------------------- one access -- */

/* What the policy is told of an access that hit. */
static inline void use(const sim_t *s, uint64_t paddr, bool write)
{
    const sim_share_t *share = s->mine;
    const uint64_t slot = (paddr >> s->config.page_shift) - share->first;
    if (slot >= share->frames) return; /* frames never run out, or a preset's that stays */
    if (s->front && share->machine->resident.list[0].first == (uint32_t)slot) {
        if (write) vmm_frame_at(share->machine, (uint32_t)slot)->flags |= VMM_FRAME_DIRTY;
        return;
    }
    vmm_records_touch(share->machine, (uint32_t)slot, write);
}

static inline uint32_t *hint_of(const sim_t *s, unsigned kind, uint64_t vpn)
{
    return &s->hint[(kind == VMM_FETCH ? SIM_HINTS : 0u) + (size_t)(vpn & (SIM_HINTS - 1u))];
}

/* Did a lookup lead to another page's frame? */
static bool is_stale(const sim_t *s, uint64_t va, uint64_t paddr)
{
    const sim_share_t *share = s->mine;
    const uint64_t slot = (paddr >> s->config.page_shift) - share->first;
    if (slot >= share->frames) return false;
    return share->va[slot] != (va & ~s->page_mask) + 1 || share->owner[slot] != s->process;
}

static void mark_preset(sim_t *s, uint64_t va)
{
    const uint64_t vpn = va >> s->config.page_shift;
    size_t i;
    for (i = 0; i < s->config.preset_count; i++) {
        const sim_preset_t *preset = &s->config.presets[i];
        if (preset->what != SIM_PRESET_PTE && preset->what != SIM_PRESET_DISK) continue;
        if (preset->a != vpn || s->process != 0) continue;
        s->pages += !s->touched[i];
        s->touched[i] = 1;
        return;
    }
}

enum {
    LED_ERROR = -1,
    LED_NOWHERE,
    LED_STALE,
    LED
};

/* An access whose entry in the TLB was not guessed. *paddr is where it leads. */
static SIM_COLD int lookup(sim_t *s, unsigned kind, uint64_t va, uint64_t *paddr)
{
    const vmm_ref_t u = s->ref;
    const vmm_context_t *context = &s->state.view[kind].context;
    const vmm_stats_t before = s->stats;
    vmm_translation_t t;
    long at = -1;
    bool missed;
    if (s->model.tlb_sets) at = vmm_tlb_find(u, kind, context, va);
    if (s->config.tlb_keeps && at >= 0 && is_stale(s, va, u.tlb_entry[at].paddr)) {
        s->stale++;
        vmm_tlb_touch(u, (size_t)at, false);
        *paddr = u.tlb_entry[at].paddr | (va & s->page_mask);
        return LED_STALE;
    }
    const vmm_status_t status = vmm_mmu_translate(u, kind, va, &t);
    missed = s->stats.tlb_hits == before.tlb_hits;
    if (status != VMM_OK) {
        const vmm_stats_t counted = s->stats;
        int served;
        s->walk_steps += s->paging.levels - (unsigned)s->fault.level;
        served = serve(s, kind, va);
        if (served != SERVED) return served == SERVED_ERROR ? LED_ERROR : LED_NOWHERE;
        if (vmm_mmu_translate(u, kind, va, &t)) { /* again, as the instruction is; that is not counted */
            s->error = "a page that was just mapped is not there";
            return LED_ERROR;
        }
        s->stats = counted;
    } else {
        if (missed) s->walk_steps += s->paging.levels;
        use(s, t.paddr, kind == VMM_WRITE);
    }
    *paddr = t.paddr;
    if (s->config.preset_count) mark_preset(s, va);
    if (s->model.tlb_sets && !s->config.tlb_keeps)
        *hint_of(s, kind, va >> s->config.page_shift) = (uint32_t)vmm_tlb_find(u, kind, context, va);
    return LED;
}

static SIM_COLD void tick(sim_t *s)
{
    uint32_t i;
    for (i = 0; i < s->shares; i++)
        if (s->share[i].machine) vmm_records_tick(s->share[i].machine);
    s->until = s->config.tick - 1;
}

/* The data caches' part of an access: each block that it touches. The step tells of the first. */
static void access_caches(sim_t *s, unsigned kind, uint64_t va, uint64_t paddr, uint32_t bytes)
{
    const uint32_t block = s->config.cache[0].block;
    vmm_cache_step_t *step = s->step ? s->step->cache : NULL;
    do {
        const uint32_t room = block - (uint32_t)(paddr & (block - 1u)), part = bytes < room ? bytes : room;
        s->had[vmm_caches_access(s->caches, va, paddr, kind, step)]++;
        step = NULL;
        va += part;
        paddr += part;
        bytes -= part;
    } while (bytes > 0);
}

/* What comes behind translation, where there is more: data caches, and pages that the policy wants to leave. */
static SIM_COLD void access_extra(sim_t *s, unsigned kind, uint64_t va, uint64_t paddr, uint32_t bytes)
{
    uint32_t i, slot;
    if (s->caches) access_caches(s, kind, va, paddr, bytes);
    if (!s->policy->policy->surplus) return;
    for (i = 0; i < s->shares; i++)
        while (s->share[i].machine && (slot = vmm_records_surplus(s->share[i].machine)) != VMM_NO_FRAME) {
            leave(s, &s->share[i], slot);
            give_slot(s, &s->share[i], slot);
        }
}

/* One access, inside one page. The entry that it needs is nearly always where the same page's was the last time: then
 * no set of the TLB is searched, and all is as if it had been. */
VMM_INLINE bool access_page(sim_t *s, unsigned kind, uint64_t va, uint32_t bytes)
{
    const uint64_t vpn = va >> s->config.page_shift;
    const size_t at = *hint_of(s, kind, vpn);
    const vmm_tlb_key_t *key = &s->ref.tlb_key[at];
    vmm_tlb_entry_t *entry = &s->ref.tlb_entry[at];
    uint64_t paddr;
    int led = LED;
    if (VMM_UNLIKELY(s->until-- == 0)) tick(s);
    s->kinds[kind]++;
    if (VMM_LIKELY(key->tag == (vpn << 3 | 1) && key->scope == s->scope &&
                   (kind != VMM_WRITE || (entry->flags & VMM_D)))) {
        if (s->tlb_policy == VMM_LRU) entry->stamp = ++s->state.clock;
        else vmm_tlb_touch(s->ref, at, false);
        paddr = entry->paddr | (va & s->page_mask);
        use(s, paddr, kind == VMM_WRITE);
    } else {
        led = lookup(s, kind, va, &paddr);
        if (led == LED_ERROR) return false;
    }
    if (VMM_UNLIKELY(s->extra) && led != LED_NOWHERE) access_extra(s, kind, va, paddr, bytes);
    return true;
}

/* --------------------------------------------------------------------- one reference -- */

static const uint8_t kind_of[4] = {VMM_FETCH, VMM_READ, VMM_WRITE, VMM_READ};

/* Any access: a part for each page that it touches. */
static SIM_COLD bool access_bytes(sim_t *s, unsigned kind, uint64_t va, uint32_t bytes)
{
    for (;;) {
        const uint64_t room = s->page_mask + 1 - (va & s->page_mask);
        const uint32_t part = bytes < room ? bytes : (uint32_t)room;
        if (!access_page(s, kind, va, part)) return false;
        if (part == bytes) return true;
        va += part;
        bytes -= part;
    }
}

static bool refuse(char error[SIM_ERROR], const char *why)
{
    (void)snprintf(error, SIM_ERROR, "%s", why);
    return false;
}

bool sim_too_wide(const trace_ref_t *ref, unsigned vaddr_bits, char error[SIM_ERROR])
{
    const unsigned long long address = ref->address;
    if (address > vmm_low_mask(vaddr_bits))
        (void)snprintf(error, SIM_ERROR, "address 0x%llx has more than %u bits", address, vaddr_bits);
    else
        (void)snprintf(error, SIM_ERROR,
                       "the access of %lu bytes at 0x%llx does not end in %u bits of virtual addresses",
                       (unsigned long)ref->size, address, vaddr_bits);
    return false;
}

/* What need not be looked at before every reference: another process, a bad address, OPT's end. */
static SIM_COLD bool begin(sim_t *s, const trace_ref_t *ref, unsigned process, char error[SIM_ERROR])
{
    const uint64_t last = ref->address + (ref->size - 1u);
    if (ref->address > s->top || last > s->top) return sim_too_wide(ref, s->config.vaddr_bits, error);
    if (process >= SIM_PROCESSES || (s->shares > 1 && process >= s->shares))
        return refuse(error, "there are more processes than the configuration has");
    if (s->opt.next && process > 0) return refuse(error, "opt knows the future of one process only");
    if (process != s->process && !sim_switch(s, process)) return refuse(error, s->error);
    return true;
}

static SIM_COLD void rewind_state(sim_t *s)
{
    unsigned level;
    sim_settle(s, accesses(s));
    for (level = 0; level < s->cache_levels; level++) {
        s->cache_hits[level] += vmm_caches_stats(s->caches, level)->hits;
        s->cache_misses[level] += vmm_caches_stats(s->caches, level)->misses;
        s->cache_writebacks[level] += vmm_caches_stats(s->caches, level)->writebacks;
    }
    sim_copy_state((uint8_t *)s, (const uint8_t *)s + s->image, s);
}

bool sim_reference(sim_t *s, const trace_ref_t *ref, unsigned process, char error[SIM_ERROR])
{
    const uint64_t va = ref->address;
    const unsigned kind = ref->kind & 3u;
    bool good;
    if (VMM_UNLIKELY(process != s->process || va + (ref->size - 1u) > s->top || va > s->top) &&
        !begin(s, ref, process, error))
        return false;
    if (VMM_LIKELY(kind != TRACE_MODIFY && (va & s->page_mask) + ref->size <= s->page_mask + 1))
        good = access_page(s, kind_of[kind], va, ref->size);
    else if (kind == TRACE_MODIFY)
        good = (s->config.modify == SIM_MODIFY_STORE || access_bytes(s, VMM_READ, va, ref->size)) &&
               access_bytes(s, VMM_WRITE, va, ref->size);
    else good = access_bytes(s, kind_of[kind], va, ref->size);
    if (VMM_UNLIKELY(!good)) return refuse(error, s->error);
    s->references++;
    if (VMM_UNLIKELY(s->image)) rewind_state(s);
    return true;
}

/* ------------------------------------------------------------------------ step by step -- */

/* One access with all that it did. */
static bool explain_page(sim_t *s, unsigned kind, uint64_t va, uint32_t bytes, sim_step_t *step)
{
    vmm_examination_t after;
    sim_counts_t was, now;
    unsigned i;
    bool good;
    step->kind = (uint8_t)kind;
    step->process = (uint8_t)s->process;
    step->va = va;
    step->byte = -1;
    vmm_mmu_examine(s->ref, kind, va, &step->before);
    sim_count(s, &was);
    s->step = step;
    good = access_page(s, kind, va, bytes);
    s->step = NULL;
    sim_count(s, &now);
    step->access = now.accesses;
    step->before.tlb_hit = now.tlb_hits > was.tlb_hits; /* though a write has a walk set the dirty bit */
    step->fault = now.faults > was.faults;
    step->invalid = now.invalid > was.invalid;
    step->evicted = now.evictions > was.evictions;
    if (step->evicted) step->victim = s->victim;
    step->victim_dirty = now.dirty_evictions > was.dirty_evictions;
    step->cycles = now.cycles - was.cycles;
    if (!good || step->invalid) return good;
    vmm_mmu_examine(s->ref, kind, va, &after);
    step->ppn = after.ppn;
    step->pa = after.translation.paddr;
    for (i = 0; i < s->cache_levels; i++) step->cache_levels += step->cache[i].asked;
    if (s->cache_levels) step->byte = step->cache[0].byte;
    return true;
}

typedef struct {
    sim_step_t *steps;
    const trace_ref_t *ref;
    int most, made;
} telling_t;

static bool explain_bytes(sim_t *s, unsigned kind, telling_t *telling)
{
    uint64_t va = telling->ref->address;
    uint32_t left = telling->ref->size;
    while (left > 0) {
        const uint64_t room = s->page_mask + 1 - (va & s->page_mask);
        const uint32_t part = left < room ? left : (uint32_t)room;
        sim_step_t spare, *step = telling->made < telling->most ? &telling->steps[telling->made] : &spare;
        memset(step, 0, sizeof *step);
        step->ref = *telling->ref;
        if (!explain_page(s, kind, va, part, step)) return false;
        telling->made++;
        va += part;
        left -= part;
    }
    return true;
}

int sim_explain(sim_t *s, const trace_ref_t *ref, unsigned process, sim_step_t *steps, int most, char error[SIM_ERROR])
{
    telling_t telling = {steps, ref, most, 0};
    const bool modify = (ref->kind & 3u) == TRACE_MODIFY;
    bool good;
    if (!begin(s, ref, process, error)) return -1;
    if (!modify) good = explain_bytes(s, kind_of[ref->kind & 3u], &telling);
    else
        good = (s->config.modify == SIM_MODIFY_STORE || explain_bytes(s, VMM_READ, &telling)) &&
               explain_bytes(s, VMM_WRITE, &telling);
    if (!good) {
        (void)refuse(error, s->error);
        return -1;
    }
    s->references++;
    if (s->image) rewind_state(s);
    return telling.made < most ? telling.made : most;
}

/* ------------------------------------------------------------------------------ looks -- */

static void count_caches(const sim_t *s, sim_counts_t *counts)
{
    unsigned level;
    for (level = 0; level < s->cache_levels; level++) {
        const vmm_cache_stats_t *stats = vmm_caches_stats(s->caches, level);
        counts->cache_hits[level] = s->cache_hits[level] + stats->hits;
        counts->cache_misses[level] = s->cache_misses[level] + stats->misses;
        counts->cache_writebacks[level] = s->cache_writebacks[level] + stats->writebacks;
    }
}

/* Every fault reads its page from disk, every dirty page that leaves is written. A level of cache is paid for each
 * block that was looked for in it. */
static uint64_t count_cycles(const sim_t *s, const sim_counts_t *counts)
{
    vmm_cost_counts_t n;
    unsigned level, upto;
    memset(&n, 0, sizeof n);
    n.tlb_lookups = counts->tlb_hits + counts->tlb_misses;
    n.walk_steps = counts->walk_steps;
    for (level = 0; level < s->cache_levels; level++)
        for (upto = level; upto <= s->cache_levels; upto++) n.cache_lookups[level] += s->had[upto];
    n.dram = s->cache_levels ? s->had[s->cache_levels] : counts->accesses - counts->invalid;
    n.faults = n.disk_reads = counts->faults;
    n.disk_writes = counts->dirty_evictions;
    return vmm_cost_total(&s->config.costs, &n);
}

void sim_count(const sim_t *s, sim_counts_t *counts)
{
    memset(counts, 0, sizeof *counts);
    counts->references = s->references;
    counts->accesses = accesses(s);
    counts->fetches = s->kinds[VMM_FETCH];
    counts->reads = s->kinds[VMM_READ];
    counts->writes = s->kinds[VMM_WRITE];
    counts->tlb_misses = s->stats.tlb_misses;
    counts->tlb_hits =
        s->model.tlb_sets ? counts->accesses - counts->tlb_misses : 0; /* those are not counted one by one */
    counts->walk_steps = s->walk_steps;
    counts->faults = s->faults;
    counts->invalid = s->invalid;
    counts->evictions = s->evictions;
    counts->dirty_evictions = s->dirty_evictions;
    counts->stale = s->stale;
    counts->pages = s->pages;
    counts->resident = s->resident;
    counts->resident_sum = s->resident_sum + s->resident * (counts->accesses - s->settled);
    counts->table_bytes = s->table_bytes;
    count_caches(s, counts);
    counts->cycles = count_cycles(s, counts);
}

typedef struct {
    const sim_t *s;
    uint64_t *vpn;
    uint8_t *process;
    size_t most;
    unsigned now;
} frame_list_t;

static int list_frame(void *user, const vmm_mapping_t *mapping)
{
    const frame_list_t *list = (const frame_list_t *)user;
    const uint64_t slot = (mapping->paddr >> list->s->config.page_shift) - list->s->config.first_frame;
    if (!mapping->leaf || slot >= list->most || slot >= list->s->share[0].fresh) return 0;
    list->vpn[slot] = mapping->vaddr >> list->s->config.page_shift;
    if (list->process) list->process[slot] = (uint8_t)list->now;
    return 0;
}

size_t sim_frames(const sim_t *s, uint64_t *vpn, uint8_t *process, size_t most)
{
    const bool bounded = s->share[0].machine != NULL;
    size_t i, count = bounded ? 0 : s->share[0].fresh;
    uint32_t share, slot;
    for (share = 0; bounded && share < s->shares; share++)
        for (slot = 0; slot < s->share[share].frames; slot++, count++) {
            if (count >= most) continue;
            vpn[count] = s->share[share].va[slot] ? s->share[share].va[slot] >> s->config.page_shift : ~UINT64_C(0);
            if (process) process[count] = s->share[share].owner[slot];
        }
    if (!bounded) {
        frame_list_t list = {s, vpn, process, most, 0};
        for (i = 0; i < most && i < count; i++) vpn[i] = ~UINT64_C(0);
        for (list.now = 0; list.now < SIM_PROCESSES; list.now++)
            if (s->tables[list.now].root) (void)vmm_pt_visit(&s->paging, &s->tables[list.now], list_frame, &list);
    }
    return count;
}

unsigned sim_tlb_set(const sim_t *s, bool fetches, unsigned set, uint64_t *tag, uint64_t *ppn, unsigned most)
{
    const unsigned ways = s->model.tlb_ways, bits = (unsigned)__builtin_ctz(s->model.tlb_sets | 0x80000000u);
    size_t first;
    unsigned way, count = 0, told, best;
    uint64_t done = 0;
    if (!s->model.tlb_sets || set >= s->model.tlb_sets) return 0;
    first = ((size_t)(fetches && s->model.tlb_count == 2 ? s->model.tlb_sets : 0u) + set) * ways;
    for (way = 0; way < ways; way++) {
        if (s->ref.tlb_key[first + way].tag) count++;
        else done |= UINT64_C(1) << way;
    }
    for (told = 0; told < count; told++) {
        for (way = 0, best = ways; way < ways; way++)
            if (!(done >> way & 1) &&
                (best == ways || s->ref.tlb_entry[first + way].stamp > s->ref.tlb_entry[first + best].stamp))
                best = way;
        done |= UINT64_C(1) << best;
        if (told >= most) continue;
        tag[told] = s->ref.tlb_key[first + best].tag >> 3 >> bits;
        ppn[told] = s->ref.tlb_entry[first + best].paddr >> s->config.page_shift;
    }
    return count;
}

/* As snprintf at text[at]: where the text ends, or would. */
static size_t append(char *text, size_t bytes, size_t at, const char *format, unsigned long long number)
{
    const int got = snprintf(at < bytes ? text + at : NULL, at < bytes ? bytes - at : 0, format, number);
    return at + (got > 0 ? (size_t)got : 0);
}

/* The frames of one list, with what the policy goes by. */
static size_t list_text(const sim_t *s, const sim_share_t *share, unsigned number, char *text, size_t bytes, size_t at)
{
    const char with = s->policy->with;
    uint32_t frame = share->machine->resident.list[number].first;
    for (; frame != VMM_NO_FRAME && at < bytes; frame = vmm_frame_at(share->machine, frame)->next) {
        const bool bit = (vmm_frame_at(share->machine, frame)->flags & VMM_FRAME_REFERENCED) != 0;
        at = append(text, bytes, at, " %llx", share->first + frame);
        if (with == ':' || with == '*') at = append(text, bytes, at, ":%llu", bit);
        if (with == '/' || with == '*') at = append(text, bytes, at, "/%llu", *vmm_age_of(share->machine, frame));
        if (with == '#' && s->opt.next && *vmm_words_of(share->machine, frame) == SIM_NEVER)
            at = append(text, bytes, at, "/-", 0);
        else if (with == '#') at = append(text, bytes, at, "/%llu", *vmm_words_of(share->machine, frame));
    }
    return at;
}

void sim_policy_text(const sim_t *s, char *text, size_t bytes)
{
    const sim_share_t *share = s->mine;
    size_t at;
    unsigned number;
    if (bytes == 0) return;
    text[0] = '\0';
    if (!share->machine) return;
    at = (size_t)snprintf(text, bytes, "%s%s", s->policy->shown, s->policy->list[0] ? ";" : ":");
    for (number = 0; number < (s->policy->list[0] ? 2u : 1u); number++) {
        if (s->policy->list[0] && at < bytes)
            at += (size_t)snprintf(text + at, bytes - at, "%s %s:", number ? ";" : "", s->policy->list[number]);
        at = list_text(s, share, number, text, bytes, at);
    }
    if (strcmp(s->policy->name, "sieve") == 0 && share->machine->resident.hand != VMM_NO_FRAME)
        (void)append(text, bytes, at, "; the hand at %llx", share->first + share->machine->resident.hand);
}
