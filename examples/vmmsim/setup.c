/* setup.c - from a configuration to a machine: checks, formats, one block laid out, presets. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include "engine.h"

#include <sys/mman.h>

/* clang-format off */
#define NEWEST "frames, newest first"
#define USED "frames, last used first"
#define RING "frames in a ring, the hand at the last"
#define ONE {NULL, NULL}
const sim_policy_t sim_policy_table[] = {
    {"fifo",       &vmm_replace_fifo,         false, NEWEST, 0, ONE},
    {"clock",      &vmm_replace_clock,        false, RING " (frame:bit)", ':', ONE},
    {"clock-set",  &vmm_replace_clock_set,    false, RING " (frame:bit)", ':', ONE},
    {"esc",        &vmm_replace_enhanced,     false, RING " (frame:bit)", ':', ONE},
    {"lru",        &vmm_replace_lru,          true,  USED, 0, ONE},
    {"nru",        &vmm_replace_nru,          false, NEWEST " (frame:bit)", ':', ONE},
    {"aging",      &vmm_replace_aging,        false, NEWEST " (frame:bit/register)", '*', ONE},
    {"lfu",        &vmm_replace_lfu,          false, NEWEST " (frame/uses)", '#', ONE},
    {"mfu",        &vmm_replace_mfu,          false, NEWEST " (frame/uses)", '#', ONE},
    {"mru",        &vmm_replace_mru,          true,  USED, 0, ONE},
    {"random",     &vmm_replace_random,       false, NEWEST, 0, ONE},
    {"ws",         &vmm_replace_working_set,  false, USED " (frame/time of the use)", '#', ONE},
    {"wsclock",    &vmm_replace_wsclock,      false, RING " (frame:bit/ticks unused)", '*', ONE},
    {"pff",        &vmm_replace_pff,          false, USED " (frame/faults before the use)", '#', ONE},
    {"two-lists",  &vmm_replace_two_lists,    false, NEWEST " (frame:bit)", ':', {"inactive", "active"}},
    {"2q",         &vmm_replace_2q,           false, NEWEST, 0, {"A1in", "Am"}},
    {"arc",        &vmm_replace_arc,          false, NEWEST, 0, {"T1", "T2"}},
    {"lirs",       &vmm_replace_lirs,         false, NEWEST, 0, {"LIR", "HIR"}},
    {"sieve",      &vmm_replace_sieve,        false, NEWEST " (frame:bit)", ':', ONE},
    {"s3fifo",     &vmm_replace_s3fifo,       false, NEWEST " (frame/uses)", '/', {"small", "main"}},
    {"opt",        &sim_policy_opt,           false, "frames (frame/next use)", '#', ONE},
    {NULL, NULL, false, NULL, 0, ONE}};

const char *const sim_policies[] = {"fifo", "clock", "clock-set", "esc", "lru", "nru", "aging", "lfu", "mfu", "mru",
                                    "random", "ws", "wsclock", "pff", "two-lists", "2q", "arc", "lirs", "sieve",
                                    "s3fifo", "opt", NULL};
/* clang-format on */

void sim_config_init(sim_config_t *config)
{
    memset(config, 0, sizeof *config);
    config->vaddr_bits = 48;
    config->page_shift = 12;
    config->policy = "lru";
    config->tick = 1000;
    config->window = 10000;
    config->seed = 1;
    config->processes = 1;
    config->tlb_sets = 16;
    config->tlb_ways = 4;
    config->tlb_policy = VMM_LRU;
    config->costs = vmm_costs_default;
}

static bool refuse(char error[SIM_ERROR], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(char error[SIM_ERROR], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, SIM_ERROR, format, arguments);
    va_end(arguments);
    return false;
}

/* -------------------------------------------------------------------------- the format -- */

#define TABLE_BITS 9u  /* entries of 8 bytes in 4 KiB */
#define PPN_BITS 52u   /* in an entry, where an address has so many */
#define FRAME_BITS 32u /* of a frame number, where no width of physical addresses is asked for */

/* Index bits of each level: as given, or so that all levels are alike as far as they can be. */
static bool choose_levels(const sim_config_t *config, vmm_paging_t *p, char error[SIM_ERROR])
{
    const unsigned bits = (unsigned)config->vaddr_bits - config->page_shift;
    unsigned given = 0, sum = 0, level, levels = config->levels;
    for (level = 0; level < SIM_LEVELS; level++) {
        sum += config->index_bits[level];
        if (config->index_bits[level]) given = level + 1;
    }
    if (!levels) levels = given ? given : (bits + TABLE_BITS - 1) / TABLE_BITS;
    if (!config->levels && levels > SIM_LEVELS) levels = SIM_LEVELS;
    if (levels > SIM_LEVELS) return refuse(error, "a page table has at most %d levels, not %u", SIM_LEVELS, levels);
    if (given && given != levels)
        return refuse(error, "there are index bits of %u level%s, but %u level%s", given, given == 1 ? "" : "s", levels,
                      levels == 1 ? "" : "s");
    if (given && sum != bits)
        return refuse(error,
                      "index bits (%u together) and page offset (%u bits) do not make a virtual address of %u bits",
                      sum, config->page_shift, config->vaddr_bits);
    if (levels > bits) return refuse(error, "%u bits of page number are too few for %u levels", bits, levels);
    p->levels = (uint8_t)levels;
    for (level = 0; level < levels; level++) {
        const unsigned own = given ? config->index_bits[level] : bits / levels + (level < bits % levels);
        if (own < 1 || own > 28)
            return refuse(error, "level %u has %u index bits, which is not within 1 to 28", level, own);
        p->index_bits[level] = (uint8_t)own;
    }
    return true;
}

static bool make_paging(const sim_config_t *config, vmm_paging_t *p, char error[SIM_ERROR])
{
    memset(p, 0, sizeof *p);
    if (config->vaddr_bits < 1 || config->vaddr_bits > 64)
        return refuse(error, "a virtual address has 1 to 64 bits, not %u", config->vaddr_bits);
    if (config->page_shift < 3 || config->page_shift > 30)
        return refuse(error, "a page has 8 bytes to 1 GiB (2^3 to 2^30), not 2^%u", config->page_shift);
    if (config->page_shift >= config->vaddr_bits)
        return refuse(error, "a page of 2^%u bytes leaves no page number in a virtual address of %u bits",
                      config->page_shift, config->vaddr_bits);
    if (!choose_levels(config, p, error)) return false;
    p->name = "as configured";
    p->vaddr_bits = config->vaddr_bits;
    p->page_shift = config->page_shift;
    p->leaf_levels = 1;
    p->pte_bytes = 8;
    p->ppn_lsb = SIM_NUMBER_SHIFT;
    p->ppn_bits = (uint8_t)(64u - config->page_shift < PPN_BITS ? 64u - config->page_shift : PPN_BITS);
    p->paddr_bits = (uint8_t)(p->ppn_bits + config->page_shift);
    p->valid = 0x01;
    p->write = 0x02;
    p->user = 0x04;
    p->accessed = 0x20;
    p->dirty = 0x40;
    if (vmm_paging_check(p)) return refuse(error, "the page tables cannot be made: their geometry contradicts itself");
    return true;
}

/* ------------------------------------------------------------------------------ checks -- */

static bool power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

static bool check_tlb(const sim_config_t *config, char error[SIM_ERROR])
{
    const unsigned vpn_bits = (unsigned)config->vaddr_bits - config->page_shift;
    if (!config->tlb_sets) return true;
    if (!power_of_two(config->tlb_sets) || config->tlb_sets > 65536)
        return refuse(error, "a TLB has a power of two of sets, up to 65536, not %u", config->tlb_sets);
    if (config->tlb_ways < 1 || config->tlb_ways > 64)
        return refuse(error, "a TLB has 1 to 64 ways, not %u", config->tlb_ways);
    if (config->tlb_policy > VMM_RANDOM) return refuse(error, "the TLB's policy is not known");
    if (config->tlb_policy == VMM_PLRU && !power_of_two(config->tlb_ways))
        return refuse(error, "a pseudo-LRU TLB has a power of two of ways, not %u", config->tlb_ways);
    if (vpn_bits < 32 && (config->tlb_sets - 1) >> vpn_bits)
        return refuse(error, "a TLB of %u sets needs %d bits of the page number, which has only %u", config->tlb_sets,
                      __builtin_ctz(config->tlb_sets), vpn_bits);
    return true;
}

static bool check_frames(const sim_config_t *config, char error[SIM_ERROR])
{
    const unsigned ppn_bits = config->paddr_bits ? config->paddr_bits - (unsigned)config->page_shift : FRAME_BITS;
    const uint64_t last = vmm_low_mask(ppn_bits);
    if (config->paddr_bits > 64)
        return refuse(error, "a physical address has at most 64 bits, not %u", config->paddr_bits);
    if (config->paddr_bits && config->paddr_bits <= config->page_shift)
        return refuse(error, "a page of 2^%u bytes leaves no frame number in a physical address of %u bits",
                      config->page_shift, config->paddr_bits);
    if (config->frames > SIM_FRAMES_MAX)
        return refuse(error, "there can be %lu frames at most", (unsigned long)SIM_FRAMES_MAX);
    if (config->first_frame > last)
        return refuse(error, "the first frame, %llx, has more than %u bits", (unsigned long long)config->first_frame,
                      ppn_bits);
    if (config->frames && config->frames - 1 > last - config->first_frame)
        return refuse(error, "%llu frames from frame %llx on do not fit frame numbers of %u bits",
                      (unsigned long long)config->frames, (unsigned long long)config->first_frame, ppn_bits);
    if (config->local && (config->processes < 1 || config->processes > SIM_PROCESSES))
        return refuse(error, "there are 1 to %d processes, not %u", SIM_PROCESSES, config->processes);
    if (config->local && config->frames && config->frames < config->processes)
        return refuse(error, "%llu frames are too few for %u processes that have frames of their own",
                      (unsigned long long)config->frames, config->processes);
    return true;
}

static bool check_cache(const sim_config_t *config, unsigned level, char error[SIM_ERROR])
{
    const vmm_cache_geometry_t *g = &config->cache[level];
    const unsigned name = level + 1;
    if (!power_of_two(g->sets) || g->sets > VMM_MAX_CACHE_SETS)
        return refuse(error, "cache %u has a power of two of sets, up to %d, not %u", name, VMM_MAX_CACHE_SETS,
                      g->sets);
    if (g->ways < 1 || g->ways > VMM_MAX_CACHE_WAYS)
        return refuse(error, "cache %u has 1 to %d ways, not %u", name, VMM_MAX_CACHE_WAYS, g->ways);
    if (!power_of_two(g->block) || g->block > VMM_MAX_CACHE_BLOCK)
        return refuse(error, "a block of cache %u has a power of two of bytes, up to %d, not %u", name,
                      VMM_MAX_CACHE_BLOCK, g->block);
    if (level && g->block < g[-1].block)
        return refuse(error, "a block of cache %u (%u bytes) is smaller than one of cache %u (%u bytes)", name,
                      g->block, level, g[-1].block);
    if (g->policy > VMM_RANDOM) return refuse(error, "the policy of cache %u is not known", name);
    if (g->policy == VMM_PLRU && (!power_of_two(g->ways) || g->ways > 64))
        return refuse(error, "pseudo-LRU needs a power of two of ways up to 64, and cache %u has %u", name, g->ways);
    if (level && g->virtual_index) return refuse(error, "only the first cache can have a virtual index");
    return true;
}

static unsigned count_caches(const sim_config_t *config)
{
    unsigned levels = 0;
    while (levels < SIM_CACHES && config->cache[levels].sets) levels++;
    return levels;
}

static bool check_preset(const sim_config_t *config, const sim_preset_t *preset, char error[SIM_ERROR])
{
    const unsigned vpn_bits = (unsigned)config->vaddr_bits - config->page_shift;
    const unsigned ppn_bits = config->paddr_bits ? config->paddr_bits - (unsigned)config->page_shift : FRAME_BITS;
    const bool entry = preset->what == SIM_PRESET_PTE, tlb = preset->what == SIM_PRESET_TLB;
    const uint64_t ppn = entry ? preset->b : preset->c;
    if ((entry || preset->what == SIM_PRESET_DISK) && preset->a > vmm_low_mask(vpn_bits))
        return refuse(error, "VPN %llx of the initial state has more than %u bits", (unsigned long long)preset->a,
                      vpn_bits);
    if ((entry || tlb) && ppn > vmm_low_mask(ppn_bits))
        return refuse(error, "PPN %llx of the initial state has more than %u bits", (unsigned long long)ppn, ppn_bits);
    if (preset->what == SIM_PRESET_CACHE && !config->cache[0].sets)
        return refuse(error, "the initial state has lines of a cache, but there is no cache");
    if (preset->what == SIM_PRESET_CACHE && config->cache[0].block > sizeof preset->bytes)
        return refuse(error, "the initial state has lines of a cache whose block is larger than %u bytes",
                      (unsigned)sizeof preset->bytes);
    if (!tlb) return true;
    if (preset->a >= config->tlb_sets)
        return refuse(error, "TLBI %llx of the initial state is none of the %u sets of the TLB",
                      (unsigned long long)preset->a, config->tlb_sets);
    if (preset->b > vmm_low_mask(vpn_bits) / config->tlb_sets)
        return refuse(error, "TLBT %llx of the initial state has too many bits", (unsigned long long)preset->b);
    return true;
}

static bool check(const sim_config_t *config, char error[SIM_ERROR])
{
    const unsigned caches = count_caches(config);
    unsigned level;
    size_t i;
    if (!check_tlb(config, error) || !check_frames(config, error)) return false;
    for (level = 0; level < SIM_CACHES; level++)
        if (config->cache[level].sets && level >= caches)
            return refuse(error, "there is a cache %u but no cache %u", level + 1, caches + 1);
    for (level = 0; level < caches; level++)
        if (!check_cache(config, level, error)) return false;
    for (i = 0; i < config->preset_count; i++)
        if (!check_preset(config, &config->presets[i], error)) return false;
    return true;
}

bool sim_check(const sim_config_t *config, char error[SIM_ERROR])
{
    vmm_paging_t paging;
    return make_paging(config, &paging, error) && check(config, error);
}

static const sim_policy_t *find_policy(const char *name)
{
    const sim_policy_t *p = sim_policy_table;
    while (p->name && strcmp(p->name, name ? name : "") != 0) p++;
    return p->name ? p : NULL;
}

/* ---------------------------------------------------------------------------- the block -- */

/* Where the parts lie, in bytes from the start. */
typedef struct layout {
    size_t presets, touched, hint, key, entry, tree, opt, caches, machine[SIM_PROCESSES], va[SIM_PROCESSES],
        owner[SIM_PROCESSES], free[SIM_PROCESSES], window, end;
} layout_t;

#define WINDOW_MOST (UINT64_C(1) << (sizeof(size_t) > 4 ? 36 : 28)) /* address space, of which little is used */

static size_t place(size_t *at, size_t bytes)
{
    const size_t here = *at;
    *at = (here + bytes + 63) & ~(size_t)63;
    return here;
}

/* What a table of a level takes of the window: it begins on a page. */
static uint64_t table_room(const vmm_paging_t *p, unsigned level)
{
    const uint64_t bytes = vmm_table_bytes(p, level), page = UINT64_C(1) << p->page_shift;
    return bytes < page ? page : bytes;
}

/* Bytes for all tables that there can be, as far as that is within bounds. */
static uint64_t window_size(const vmm_paging_t *p)
{
    uint64_t bytes = 0, tables = SIM_PROCESSES;
    unsigned level = p->levels;
    while (level-- > 0) {
        if (tables > WINDOW_MOST / table_room(p, level)) return WINDOW_MOST;
        bytes += tables * table_room(p, level);
        if (bytes > WINDOW_MOST) return WINDOW_MOST;
        tables <<= p->index_bits[level];
    }
    return bytes;
}

/* Frames of each share; 0: they never run out. */
static uint32_t share_frames(const sim_t *s, uint32_t share)
{
    const unsigned vpn_bits = (unsigned)s->config.vaddr_bits - s->config.page_shift;
    uint64_t most = s->config.window + 2;
    if (s->config.frames) return (uint32_t)(s->config.frames / s->shares + (share < s->config.frames % s->shares));
    if (!s->policy->policy->surplus) return 0;
    if (most > SIM_FRAMES_VARY || strcmp(s->policy->name, "ws") != 0) most = SIM_FRAMES_VARY;
    if (vpn_bits < 20 && most > UINT64_C(8) << vpn_bits) most = UINT64_C(8) << vpn_bits;
    return (uint32_t)most;
}

#define LIRS_GHOSTS 65536u /* the paper has no bound */

static uint32_t share_ghosts(const sim_t *s, uint32_t frames)
{
    if (s->config.ghosts) return s->config.ghosts > SIM_FRAMES_MAX ? SIM_FRAMES_MAX : (uint32_t)s->config.ghosts;
    return strcmp(s->policy->name, "lirs") == 0 ? frames + LIRS_GHOSTS : 0;
}

/* Bytes of cache lines are kept where an exercise gives some. */
static bool has_contents(const sim_t *s)
{
    size_t i;
    for (i = 0; i < s->config.preset_count; i++)
        if (s->config.presets[i].what == SIM_PRESET_CACHE) return true;
    return false;
}

static void plan(const sim_t *s, layout_t *l)
{
    const size_t sets = (size_t)s->model.tlb_sets * s->model.tlb_count, entries = sets * s->model.tlb_ways + 1;
    size_t at = sizeof(sim_t);
    uint32_t i;
    at = (at + 63) & ~(size_t)63;
    l->presets = place(&at, s->config.preset_count * sizeof *s->config.presets);
    l->touched = place(&at, s->config.preset_count + 1);
    l->hint = place(&at, 2 * SIM_HINTS * sizeof *s->hint);
    l->key = place(&at, entries * sizeof(vmm_tlb_key_t));
    l->entry = place(&at, entries * sizeof(vmm_tlb_entry_t));
    l->tree = place(&at, (sets + 1) * sizeof(uint64_t));
    l->opt = place(&at, ((size_t)share_frames(s, 0) / SIM_OPT_BLOCK + 1) * sizeof(uint32_t));
    l->caches = place(&at, (size_t)vmm_caches_bytes(s->config.cache, s->cache_levels, has_contents(s)));
    for (i = 0; i < s->shares; i++) {
        const uint32_t frames = share_frames(s, i);
        const uint64_t records = frames ? vmm_records_bytes(frames, share_ghosts(s, frames), s->policy->policy) : 0;
        l->machine[i] = place(&at, (size_t)records);
        l->va[i] = place(&at, frames * sizeof(uint64_t));
        l->owner[i] = place(&at, frames);
        l->free[i] = place(&at, frames * sizeof(uint32_t));
    }
    l->window = (at + 4095) & ~(size_t)4095;
    l->end = l->window + s->window_bytes;
}

static int take_table(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    sim_t *s = (sim_t *)user;
    const uint64_t align = bytes < s->page_mask + 1 ? s->page_mask + 1 : bytes;
    const uint64_t at = (s->window_used + align - 1) & ~(align - 1);
    if (at > s->window_bytes || bytes > s->window_bytes - at) return 1;
    s->window_used = at + bytes;
    s->table_bytes += bytes;
    *table = s->memory.base + at;
    return 0;
}

/* A device that is never asked: behind the frames there is no memory of the host's. */
static int no_read(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes)
{
    (void)user;
    (void)paddr;
    (void)bytes;
    *value = 0;
    return 0;
}

static int no_write(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes)
{
    (void)user;
    (void)paddr;
    (void)value;
    (void)bytes;
    return 0;
}

/* The lowest address, on a table's boundary, that is behind every frame; 0: there is none. */
static uint64_t window_base(const sim_t *s, uint64_t align)
{
    uint64_t behind = s->config.first_frame + (s->config.frames ? s->config.frames : s->most_pages);
    size_t i;
    for (i = 0; i < s->config.preset_count; i++) {
        const sim_preset_t *preset = &s->config.presets[i];
        if (preset->what == SIM_PRESET_PTE && preset->b >= behind) behind = preset->b + 1;
        if (preset->what == SIM_PRESET_TLB && preset->c >= behind) behind = preset->c + 1;
    }
    if (behind > (~UINT64_C(0) - align) >> s->config.page_shift) return 0;
    return ((behind << s->config.page_shift) + align - 1) & ~(align - 1);
}

/* Maps the block. When there is no room for the window as planned, for a smaller one. */
static sim_t *map_block(sim_t *plan_of, layout_t *l, char error[SIM_ERROR])
{
    uint64_t least = 0;
    unsigned level;
    for (level = 0; level < plan_of->paging.levels; level++) least += 2 * table_room(&plan_of->paging, level);
    for (plan_of->window_bytes = (size_t)window_size(&plan_of->paging);; plan_of->window_bytes /= 2) {
        void *block;
        size_t bytes;
        plan_of->window_bytes = (plan_of->window_bytes + (size_t)plan_of->page_mask) & ~(size_t)plan_of->page_mask;
        plan(plan_of, l);
        bytes = l->end + (plan_of->config.frozen ? l->end : 0);
        block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (block != MAP_FAILED) {
            memcpy(block, plan_of, sizeof *plan_of);
            ((sim_t *)block)->mapped = bytes;
            return (sim_t *)block;
        }
        if (plan_of->window_bytes / 2 < least) break;
    }
    (void)refuse(error, "there is no memory for a machine of this size");
    return NULL;
}

static bool make_share(sim_t *s, const layout_t *l, uint32_t number, uint64_t first)
{
    uint8_t *block = (uint8_t *)s;
    sim_share_t *share = &s->share[number];
    const uint32_t frames = share_frames(s, number), ghosts = share_ghosts(s, frames);
    share->first = first;
    share->frames = frames;
    share->va = (uint64_t *)(void *)(block + l->va[number]);
    share->owner = block + l->owner[number];
    share->free = (uint32_t *)(void *)(block + l->free[number]);
    if (!frames) return true;
    if (vmm_records_create(block + l->machine[number], vmm_records_bytes(frames, ghosts, s->policy->policy), frames,
                           ghosts, s->policy->policy, &share->machine))
        return false;
    share->machine->options.window = s->config.window > UINT32_MAX ? UINT32_MAX : (uint32_t)s->config.window;
    share->machine->options.user = &s->opt;
    if (strcmp(s->policy->name, "random") == 0) share->machine->resident.word[0] = s->config.seed;
    return true;
}

/* All processes' tables lie in one window of memory, which begins on a boundary of the largest table. */
static bool make_memory(sim_t *s, const layout_t *l, char error[SIM_ERROR])
{
    uint64_t align = s->page_mask + 1;
    unsigned level;
    for (level = 0; level < s->paging.levels; level++)
        if (vmm_table_bytes(&s->paging, level) > align) align = vmm_table_bytes(&s->paging, level);
    s->memory.ram = (uint8_t *)s + l->window;
    s->memory.base = window_base(s, align);
    if (!s->memory.base) return refuse(error, "the frame numbers leave no room for page tables");
    s->memory.size = s->window_bytes;
    s->memory.bus.read = no_read;
    s->memory.bus.write = no_write;
    if (vmm_mmu_init(s->ref, &s->memory)) return refuse(error, "the frame numbers leave no room for page tables");
    s->state.random *= s->config.seed;
    if (!s->state.random) s->state.random = 1;
    return true;
}

static bool lay_out(sim_t *s, const layout_t *l, char error[SIM_ERROR])
{
    uint8_t *block = (uint8_t *)s;
    uint64_t first = s->config.first_frame;
    uint32_t i;
    s->window = l->window;
    s->parts = l->hint;
    if (s->config.preset_count)
        memcpy(block + l->presets, s->config.presets, s->config.preset_count * sizeof *s->config.presets);
    s->config.presets = (const sim_preset_t *)(void *)(block + l->presets);
    s->touched = block + l->touched;
    s->hint = (uint32_t *)(void *)(block + l->hint);
    s->arch.formats = 1;
    s->arch.format[0] = &s->paging;
    s->model.arch = &s->arch;
    s->ref.model = &s->model;
    s->ref.state = &s->state;
    s->ref.fault = &s->fault;
    s->ref.stats = &s->stats;
    s->ref.tlb_key = (vmm_tlb_key_t *)(void *)(block + l->key);
    s->ref.tlb_entry = (vmm_tlb_entry_t *)(void *)(block + l->entry);
    s->ref.tlb_tree = (uint64_t *)(void *)(block + l->tree);
    s->opt.kinds = s->kinds;
    s->opt.most = (uint32_t *)(void *)(block + l->opt);
    s->opt.frames = share_frames(s, 0);
    s->opt.tie = s->config.tie;
    for (i = 0; i < 2 * SIM_HINTS; i++) s->hint[i] = s->model.tlb_sets * s->model.tlb_count * s->model.tlb_ways;
    for (i = 0; i < s->shares; first += s->share[i++].frames)
        if (!make_share(s, l, i, first)) return refuse(error, "the policy's memory cannot be made");
    if (s->cache_levels &&
        vmm_caches_create(block + l->caches, vmm_caches_bytes(s->config.cache, s->cache_levels, has_contents(s)),
                          s->config.cache, s->cache_levels, has_contents(s), &s->caches))
        return refuse(error, "the caches cannot be made: their geometry contradicts itself");
    return make_memory(s, l, error);
}

/* Makes a process the one that runs; the first time with an empty tree. False: error says why. */
bool sim_switch(sim_t *s, unsigned process)
{
    vmm_tables_t *t = &s->tables[process];
    vmm_context_t context;
    if (!t->root) {
        t->memory = &s->memory;
        t->take = take_table;
        t->user = s;
        if (vmm_pt_create(&s->paging, t)) {
            s->error = "the page tables need more memory than there is";
            return false;
        }
    }
    memset(&context, 0, sizeof context);
    context.half[0].root = t->root;
    context.judge.user = 1;
    context.judge.marking = VMM_MARK_UPDATE;
    context.asid = (uint16_t)process;
    vmm_views_set(s->ref, &context, &context);
    s->process = process;
    s->scope = vmm_tlb_scope(s->ref, process);
    s->mine = &s->share[s->shares > 1 ? process : 0];
    return true;
}

/* ----------------------------------------------------------------------------- presets -- */

bool sim_is_pinned(const sim_t *s, uint64_t ppn)
{
    size_t i;
    for (i = 0; i < s->config.preset_count; i++)
        if (s->config.presets[i].what == SIM_PRESET_PTE && s->config.presets[i].b == ppn) return true;
    return false;
}

/* A page that is in a frame, or has a number and waits on disk. */
static bool preset_page(sim_t *s, const sim_preset_t *preset, char error[SIM_ERROR])
{
    const uint64_t va = preset->a << s->config.page_shift, page = s->page_mask + 1;
    const bool resident = preset->what == SIM_PRESET_PTE;
    const uint64_t slot = preset->b - s->share[0].first;
    const uint8_t *entry = sim_entry(s, 0, va);
    if (entry && vmm_pte_load(&s->paging, entry))
        return refuse(error, "VPN %llx is twice in the initial state", (unsigned long long)preset->a);
    s->numbers++;
    if (resident && slot < s->share[0].frames) {
        if (s->share[0].va[slot])
            return refuse(error, "PPN %llx holds two pages in the initial state", (unsigned long long)preset->b);
        if (sim_enter(s, 0, va, (uint32_t)slot, s->numbers, false)) return true;
        return refuse(error, "%s", s->error);
    }
    if (vmm_pt_map(&s->paging, &s->tables[0], va, resident ? preset->b * page : 0, page, SIM_RIGHTS))
        return refuse(error, "the page tables of the initial state need more memory than there is");
    if (resident) s->resident++;
    else vmm_pte_store(&s->paging, sim_entry(s, 0, va), (uint64_t)s->numbers << SIM_NUMBER_SHIFT | SIM_ABSENT);
    return true;
}

/* An entry of the TLB: the first line of a set goes to way 0 and is the most recently used. */
static bool preset_tlb(sim_t *s, size_t number, char error[SIM_ERROR])
{
    const sim_preset_t *preset = &s->config.presets[number];
    const uint64_t vpn = preset->b * s->model.tlb_sets + preset->a;
    const size_t set = (size_t)preset->a * s->model.tlb_ways;
    unsigned way = 0;
    while (way < s->model.tlb_ways && s->ref.tlb_key[set + way].tag) way++;
    if (way == s->model.tlb_ways)
        return refuse(error, "set %llx of the TLB has more entries in the initial state than ways",
                      (unsigned long long)preset->a);
    s->ref.tlb_key[set + way].tag = vpn << 3 | 1;
    s->ref.tlb_key[set + way].scope = s->scope;
    s->ref.tlb_key[set + way].care = 0xffffffffu;
    s->ref.tlb_entry[set + way].paddr = preset->c << s->config.page_shift;
    s->ref.tlb_entry[set + way].flags = SIM_RIGHTS | VMM_A | VMM_D;
    s->ref.tlb_entry[set + way].page_shift = s->config.page_shift;
    s->ref.tlb_entry[set + way].stamp = s->config.preset_count - number;
    s->state.tlb_levels |= 1;
    return true;
}

static bool preset_cache(sim_t *s, const sim_preset_t *preset, char error[SIM_ERROR])
{
    const vmm_status_t status = vmm_caches_put(s->caches, 0, preset->a, preset->b, preset->bytes);
    if (status == VMM_E_LIMIT)
        return refuse(error, "set %llx of the cache has more lines in the initial state than ways",
                      (unsigned long long)preset->a);
    if (status)
        return refuse(error, "the cache has no line of CI %llx and CT %llx", (unsigned long long)preset->a,
                      (unsigned long long)preset->b);
    return true;
}

static bool apply_presets(sim_t *s, char error[SIM_ERROR])
{
    size_t i;
    for (i = s->config.preset_count; i-- > 0;) /* what is put last is the most recently used */
        if (s->config.presets[i].what == SIM_PRESET_CACHE && !preset_cache(s, &s->config.presets[i], error))
            return false;
    for (i = 0; i < s->config.preset_count; i++) {
        const sim_preset_t *preset = &s->config.presets[i];
        const bool page = preset->what == SIM_PRESET_PTE || preset->what == SIM_PRESET_DISK;
        if (page && !preset_page(s, preset, error)) return false;
        if (preset->what == SIM_PRESET_TLB && !preset_tlb(s, i, error)) return false;
        s->strict |= page;
    }
    s->state.clock = s->config.preset_count;
    for (i = (size_t)s->model.tlb_sets * s->model.tlb_ways; s->tlb_policy == VMM_PLRU && i-- > 0;)
        if (s->ref.tlb_key[i].tag) vmm_tlb_touch(s->ref, i, false);
    return true;
}

/* ------------------------------------------------------------------------- open, close -- */

static bool fill_plan(sim_t *s, const sim_config_t *config, const sim_future_t *future, char error[SIM_ERROR])
{
    const unsigned vpn_bits = (unsigned)config->vaddr_bits - config->page_shift;
    memset(s, 0, sizeof *s);
    s->config = *config;
    s->policy = find_policy(config->policy);
    if (!s->policy) return refuse(error, "there is no policy \"%.40s\"", config->policy ? config->policy : "");
    if (!make_paging(config, &s->paging, error) || !check(config, error)) return false;
    if (s->policy->policy == &sim_policy_opt && config->frames) {
        if (!future) return refuse(error, "opt needs the whole trace before it begins");
        s->opt.next = future->next;
        s->opt.count = future->count;
    }
    s->top = vmm_low_mask(config->vaddr_bits);
    s->page_mask = vmm_low_mask(config->page_shift);
    s->most_pages = vpn_bits < 29 ? (UINT32_C(8) << vpn_bits) + 2 : UINT32_MAX;
    s->shares = config->local && config->frames ? config->processes : 1;
    s->tlb_policy = config->tlb_policy;
    s->model.front_banks = 1;
    s->model.tlb_count = config->tlb_split ? 2 : 1;
    s->model.tlb_sets = config->tlb_sets;
    s->model.tlb_ways = config->tlb_sets ? config->tlb_ways : 0;
    s->model.tlb_policy = config->tlb_policy;
    s->until = s->policy->policy->tick && config->tick ? config->tick : UINT64_MAX;
    s->cache_levels = count_caches(config);
    s->front = s->policy->front;
    s->extra = s->policy->policy->surplus || s->cache_levels;
    if (s->cache_levels && config->cache[0].virtual_index && !config->cache[0].page_shift &&
        config->cache[0].block <= UINT64_C(1) << config->page_shift)
        s->config.cache[0].page_shift = config->page_shift;
    return true;
}

sim_t *sim_open(const sim_config_t *config, const sim_future_t *future, char error[SIM_ERROR])
{
    sim_t planned, *s;
    layout_t l;
    memset(&l, 0, sizeof l);
    if (!fill_plan(&planned, config, future, error)) return NULL;
    s = map_block(&planned, &l, error);
    if (!s) return NULL;
    if (!lay_out(s, &l, error) || !sim_switch(s, 0) || !apply_presets(s, error)) {
        if (s->error) (void)refuse(error, "%s", s->error);
        sim_close(s);
        return NULL;
    }
    sim_settle(s, 0);
    if (config->frozen) {
        s->image = l.end;
        s->image_bytes = sim_bytes(s);
        sim_copy_state((uint8_t *)s + s->image, (const uint8_t *)s, s);
    }
    return s;
}

size_t sim_bytes(const sim_t *s)
{
    return s->window + (size_t)s->window_used;
}

void sim_close(sim_t *s)
{
    if (s) (void)munmap(s, s->mapped);
}
