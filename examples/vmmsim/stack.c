/* stack.c - LRU for many numbers of frames in one pass, and estimates from a part of the pages.
 *
 * LRU is a stack algorithm: what n frames hold is what n + 1 frames hold but for one page (Mattson, Gecsei, Slutz,
 * Traiger, "Evaluation techniques for storage hierarchies", 1970). So one list, the most recently used page first,
 * answers for every n: a page at depth d is a hit for n >= d. Only some n are asked for, and they cut the list into
 * groups: group i are the depths that fit into frames[i] but not into frames[i - 1]. Each page knows its group; when a
 * page goes to the front, the last page of every group before its own sinks into the next one, and no depth is ever
 * counted.
 *
 * Whether an evicted page was dirty follows from one more number. With n frames a page is dirty when it was not
 * evicted since it was last written, that is when no use since then found it deeper than n: `clean` is the first
 * group that is deep enough. Used again at group g it was evicted dirty by all n of the groups clean .. g - 1.
 */
#include "sim.h"

#include <math.h>

#define NONE UINT32_MAX

typedef struct stack_page {
    uint32_t next, previous; /* in order of use; NONE: no more */
    uint16_t group;          /* index of the first of frames[] that has it; count: none */
    uint16_t clean;          /* with frames[clean] and more it is dirty; count: with none */
} stack_page_t;

typedef struct stack {
    const uint64_t *frames;
    uint32_t count;       /* of frames[] */
    uint64_t *faults;     /* at first by the group that a page was found in; count + 1 of them */
    uint64_t *dirty;      /* at first as differences between neighbours; count + 1 of them */
    uint32_t *border;     /* the page at depth frames[i]; NONE: there are fewer pages */
    stack_page_t *page;   /* by number, in order of first use */
    uint32_t pages, room; /* invariant: pages <= room */
    uint32_t first, last; /* the most and the least recently used */
    uint64_t *key;        /* hash table: VPN + 1; 0: free */
    uint32_t *number;     /* its page */
    uint32_t mask;        /* slots - 1; at most three quarters are used */
} stack_t;

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static bool stack_grow(stack_t *s)
{
    const uint32_t room = s->room ? 2 * s->room : 4096, slots = 2 * room;
    stack_page_t *page = (stack_page_t *)realloc(s->page, (size_t)room * sizeof *page);
    uint64_t *key = (uint64_t *)calloc(slots, sizeof *key);
    uint32_t *number = (uint32_t *)malloc((size_t)slots * sizeof *number), i;
    if (page) s->page = page;
    if (!page || !key || !number || room > NONE / 4) {
        free(key);
        free(number);
        return false;
    }
    for (i = 0; s->key && i <= s->mask; i++) {
        uint32_t at = (uint32_t)mix(s->key[i]) & (slots - 1);
        if (!s->key[i]) continue;
        while (key[at]) at = (at + 1) & (slots - 1);
        key[at] = s->key[i];
        number[at] = s->number[i];
    }
    free(s->key);
    free(s->number);
    s->key = key;
    s->number = number;
    s->mask = slots - 1;
    s->room = room;
    return true;
}

/* The number of a page, s->pages if it is new; NONE: no memory. */
static uint32_t stack_find(stack_t *s, uint64_t vpn)
{
    uint32_t at;
    if (s->pages == s->room && !stack_grow(s)) return NONE;
    for (at = (uint32_t)mix(vpn + 1) & s->mask; s->key[at]; at = (at + 1) & s->mask)
        if (s->key[at] == vpn + 1) return s->number[at];
    s->key[at] = vpn + 1;
    return s->number[at] = s->pages;
}

static void stack_push(stack_t *s, uint32_t number)
{
    s->page[number].previous = NONE;
    s->page[number].next = s->first;
    if (s->first == NONE) s->last = number;
    else s->page[s->first].previous = number;
    s->first = number;
}

/* The pages at the borders of the groups before this one are one deeper than they were. */
static void stack_sink(stack_t *s, uint32_t group)
{
    uint32_t i;
    for (i = 0; i < group && s->border[i] != NONE; i++) {
        stack_page_t *p = &s->page[s->border[i]];
        p->group = (uint16_t)(i + 1);
        s->border[i] = p->previous;
    }
    if (i < group && s->pages == s->frames[i]) s->border[i] = s->last;
}

static void stack_enter(stack_t *s)
{
    const uint32_t number = s->pages++;
    s->page[number].clean = (uint16_t)s->count;
    stack_push(s, number);
    stack_sink(s, s->count);
}

static void stack_raise(stack_t *s, uint32_t number)
{
    stack_page_t *p = &s->page[number];
    const uint32_t before = p->previous;
    if (before == NONE) return; /* it is the first */
    s->page[before].next = p->next;
    if (p->next == NONE) s->last = before;
    else s->page[p->next].previous = before;
    stack_push(s, number);
    stack_sink(s, p->group);
    if (p->group < s->count && s->border[p->group] == number) s->border[p->group] = before;
}

/* What the page's stay below the front cost, with each number of frames. */
static void stack_score(stack_t *s, const stack_page_t *p)
{
    if (p->clean >= p->group) return;
    s->dirty[p->clean]++;
    s->dirty[p->group]--;
}

static bool stack_use(stack_t *s, uint64_t vpn, bool write)
{
    const uint32_t number = stack_find(s, vpn);
    stack_page_t *p;
    if (number == NONE) return false;
    p = &s->page[number];
    if (number == s->pages) {
        s->faults[s->count]++;
        stack_enter(s);
    } else {
        s->faults[p->group]++;
        stack_score(s, p);
        if (p->clean < p->group) p->clean = p->group;
        stack_raise(s, number);
    }
    p->group = 0;
    if (write) p->clean = 0;
    return true;
}

/* From counts by group to counts by number of frames. */
static void stack_finish(stack_t *s, uint64_t *faults, uint64_t *dirty_evictions)
{
    uint32_t i;
    uint64_t sum = 0;
    for (i = 0; i < s->pages; i++) stack_score(s, &s->page[i]);
    for (i = 0; i < s->count; i++) {
        sum += s->dirty[i];
        dirty_evictions[i] = sum;
    }
    sum = 0;
    for (i = s->count; i-- > 0;) {
        sum += s->faults[i + 1];
        faults[i] = sum;
    }
}

static bool stack_open(stack_t *s, const uint64_t *frames, size_t count, char error[SIM_ERROR])
{
    size_t i;
    memset(s, 0, sizeof *s);
    for (i = 0; i < count; i++)
        if (frames[i] == 0 || (i > 0 && frames[i] <= frames[i - 1]) || count > 65534) {
            (void)snprintf(error, SIM_ERROR, "numbers of frames must ascend from 1, and be 65534 at most");
            return false;
        }
    s->frames = frames;
    s->count = (uint32_t)count;
    s->first = s->last = NONE;
    s->faults = (uint64_t *)calloc(2 * (count + 1), sizeof *s->faults);
    s->border = (uint32_t *)malloc((count + 1) * sizeof *s->border);
    if (!s->faults || !s->border) {
        (void)snprintf(error, SIM_ERROR, "no memory for %zu numbers of frames", count);
        return false;
    }
    s->dirty = s->faults + count + 1;
    memset(s->border, 0xff, (count + 1) * sizeof *s->border);
    return true;
}

static void stack_close(stack_t *s)
{
    free(s->faults);
    free(s->border);
    free(s->page);
    free(s->key);
    free(s->number);
}

/* The first and last page of a reference. False: it does not lie in the address space. */
static bool pages_of(const sim_config_t *config, const trace_ref_t *ref, uint64_t *first, uint64_t *last)
{
    const uint64_t end = ref->address + ref->size - 1;
    *first = ref->address >> config->page_shift;
    *last = end >> config->page_shift;
    return end >= ref->address && (config->vaddr_bits >= 64 || end >> config->vaddr_bits == 0);
}

static bool too_wide(const sim_config_t *config, const trace_list_t *list, size_t at, char error[SIM_ERROR])
{
    char why[SIM_ERROR];
    (void)sim_too_wide(&list->refs[at], config->vaddr_bits, why);
    (void)snprintf(error, SIM_ERROR, "reference %zu of the trace: %.200s", at + 1, why);
    return false;
}

static bool stack_uses(stack_t *s, uint64_t vpn, uint64_t last, bool write, char error[SIM_ERROR])
{
    for (; vpn <= last; vpn++) {
        if (stack_use(s, vpn, write)) continue;
        (void)snprintf(error, SIM_ERROR, "no memory for more than %u pages", s->pages);
        return false;
    }
    return true;
}

static bool stack_trace(stack_t *s, const sim_config_t *config, const trace_list_t *list, char error[SIM_ERROR])
{
    size_t i;
    for (i = 0; i < list->count; i++) {
        const trace_ref_t *ref = &list->refs[i];
        const bool twice = ref->kind == TRACE_MODIFY && config->modify == SIM_MODIFY_BOTH;
        uint64_t vpn, last;
        if (!pages_of(config, ref, &vpn, &last)) return too_wide(config, list, i, error);
        /* All of it is read before any of it is written. In one page the store follows its load, and is a hit. */
        if (twice && vpn != last && !stack_uses(s, vpn, last, false, error)) return false;
        if (!stack_uses(s, vpn, last, ref->kind >= TRACE_STORE, error)) return false;
    }
    return true;
}

bool stack_run(const sim_config_t *config, const trace_list_t *list, const uint64_t *frames, size_t count,
               uint64_t *faults, uint64_t *dirty_evictions, char error[SIM_ERROR])
{
    stack_t s;
    const bool done = stack_open(&s, frames, count, error) && stack_trace(&s, config, list, error);
    if (done) stack_finish(&s, faults, dirty_evictions);
    stack_close(&s);
    return done;
}

/* ---- a part of the pages ------------------------------------------------------------------------ */

/* Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC construction with SHARDS", 2015; and, for other policies than
 * LRU, Waldspurger, Saemundsson, Ahmad, Park, "Cache modeling and optimization using miniature simulations", 2017: a
 * page is in the sample by its number alone, so all of its uses are, and frames shrink as pages do. Each sample takes
 * other pages; how far their answers lie apart is the error that is told. */
#define SAMPLES 5
#define SPAN 65536 /* references between two looks at whether to stop */

static bool sampled(uint64_t vpn, unsigned sample, double rate)
{
    uint64_t x = vpn + (uint64_t)(sample + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) < rate * 9007199254740992.0; /* of 53 bits */
}

/* So much of a number of pages or accesses as a sample has of them; never none of some. */
static uint64_t part_of(uint64_t number, double rate)
{
    const uint64_t part = (uint64_t)((double)number * rate + 0.5);
    return part || !number ? part : 1;
}

/* The references to pages of a sample; one that crosses pages becomes one for each. */
static bool sample_take(const sim_config_t *config, const trace_list_t *list, unsigned sample, double rate,
                        trace_list_t *taken, char error[SIM_ERROR])
{
    size_t i;
    for (i = 0; i < list->count; i++) {
        trace_ref_t ref = list->refs[i];
        uint64_t vpn, last;
        if (!pages_of(config, &ref, &vpn, &last)) return too_wide(config, list, i, error);
        for (; vpn <= last; vpn++) {
            if (!sampled(vpn, sample, rate)) continue;
            ref.address = vpn << config->page_shift;
            ref.size = 1;
            if (trace_list_add(taken, ref)) continue;
            (void)snprintf(error, SIM_ERROR, "no memory for a sample of %zu references", taken->count);
            return false;
        }
    }
    return true;
}

static bool sample_one(const sim_config_t *config, const trace_list_t *taken, bool (*stop)(void), sim_counts_t *counts,
                       char error[SIM_ERROR])
{
    sim_future_t *future = strcmp(config->policy, "opt") == 0 ? sim_future(config, taken) : NULL;
    sim_t *s = sim_open(config, future, error);
    size_t i;
    bool done = s != NULL;
    for (i = 0; done && i < taken->count && (i % SPAN != 0 || !stop || !stop()); i++)
        done = sim_reference(s, &taken->refs[i], 0, error);
    if (done) sim_count(s, counts);
    if (s) sim_close(s);
    sim_future_free(future);
    return done;
}

/* Mean and its standard error. */
static void average(const double *value, unsigned count, double *mean, double *error)
{
    double sum = 0, squares = 0;
    unsigned i;
    for (i = 0; i < count; i++) sum += value[i];
    *mean = sum / count;
    for (i = 0; i < count; i++) squares += (value[i] - *mean) * (value[i] - *mean);
    *error = sqrt(squares / (count - 1) / count);
}

bool sample_run(const sim_config_t *config, const trace_list_t *list, double rate, bool (*stop)(void),
                sim_estimate_t *estimate, char error[SIM_ERROR])
{
    sim_config_t small = *config;
    double faults[SAMPLES], dirty[SAMPLES];
    bool done = true;
    unsigned i;
    memset(estimate, 0, sizeof *estimate);
    small.frames = part_of(config->frames, rate);
    small.ghosts = part_of(config->ghosts, rate);
    small.window = part_of(config->window, rate);
    small.tick = part_of(config->tick, rate);
    if (!(rate > 0 && rate <= 1) || small.frames < SIM_SAMPLE_FRAMES) {
        (void)snprintf(error, SIM_ERROR, "a sample of %g of %llu frames has less than %d frames: take a larger rate",
                       rate, (unsigned long long)config->frames, SIM_SAMPLE_FRAMES);
        return false;
    }
    for (i = 0; done && i < SAMPLES; i++) {
        trace_list_t taken;
        sim_counts_t counts;
        memset(&taken, 0, sizeof taken);
        done = sample_take(config, list, i, rate, &taken, error) && sample_one(&small, &taken, stop, &counts, error);
        if (done && stop && stop()) {
            (void)snprintf(error, SIM_ERROR, "interrupted before sample %u of %u was done", i + 1, SAMPLES);
            done = false;
        }
        if (done) {
            faults[i] = (double)counts.faults / rate;
            dirty[i] = (double)counts.dirty_evictions / rate;
            estimate->references += taken.count;
        }
        free(taken.refs);
    }
    if (!done) return false;
    average(faults, SAMPLES, &estimate->faults, &estimate->faults_error);
    average(dirty, SAMPLES, &estimate->dirty_evictions, &estimate->dirty_evictions_error);
    estimate->samples = SAMPLES;
    return true;
}
