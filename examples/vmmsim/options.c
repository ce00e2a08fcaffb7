/* options.c - the table of keys, and what is made of it: the command line, config files, --help. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "options.h"

#include "output.h"

#include <errno.h>
#include <stdarg.h>

/* ------------------------------------------------------------------------- the table -- */

enum {
    GROUP_ADDRESSES,
    GROUP_MEMORY,
    GROUP_TLB,
    GROUP_CACHES,
    GROUP_COSTS,
    GROUP_TRACE,
    GROUP_WHAT,
    GROUP_OUTPUT,
    GROUPS
};

static const char *const groups[GROUPS] = {"Addresses and page tables",
                                           "Memory and replacement",
                                           "TLB",
                                           "Data caches",
                                           "Costs, in cycles",
                                           "The trace",
                                           "What is done",
                                           "What is printed"};

#define AT(member) offsetof(settings_t, member), sizeof(((settings_t *)0)->member)
#define NONE 0, 0
#define SWEPT OPTION_MACHINE
#define FUTURE (OPTION_MACHINE | OPTION_FUTURE)
#define MOST32 UINT64_C(0xffffffff)
#define LARGE (UINT64_C(1) << 62)
#define COSTLY (UINT64_C(1) << 40) /* cycles: so that a sum of many stays below 2^64 */

const option_t options[] = {
    {"va-bits", GROUP_ADDRESSES, OPTION_NUMBER, FUTURE, AT(sim.vaddr_bits), 1, 64, NULL, "bits of a virtual address"},
    {"pa-bits", GROUP_ADDRESSES, OPTION_NUMBER, SWEPT, AT(sim.paddr_bits), 0, 56, NULL,
     "bits of a physical address; 0: as many as are needed"},
    {"page", GROUP_ADDRESSES, OPTION_POWER, FUTURE, AT(sim.page_shift), 8, UINT64_C(1) << 30, NULL,
     "bytes of a page, 8 to 1G"},
    {"levels", GROUP_ADDRESSES, OPTION_NUMBER, FUTURE, AT(sim.levels), 0, 6, NULL,
     "levels of page tables; 0: as few as do with tables of at most 4 KiB"},
    {"index-bits", GROUP_ADDRESSES, OPTION_BITS, FUTURE, AT(sim.index_bits), 0, 0, "BITS,BITS,...",
     "bits of the index into each level's table, the root's first; none: evenly"},

    {"frames", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.frames), 0, UINT64_C(1) << 28, NULL,
     "page frames; 0: as many as there are pages"},
    {"first-frame", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.first_frame), 0, UINT64_C(1) << 44, NULL,
     "number of the first frame (PPN)"},
    {"policy", GROUP_MEMORY, OPTION_POLICY, SWEPT, AT(sim.policy), 0, 0, "NAME",
     "how a victim is chosen; the names stand below"},
    {"tick", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.tick), 0, LARGE, NULL,
     "accesses between two ticks of the policy's clock (nru, aging, wsclock); 0: never"},
    {"window", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.window), 1, MOST32, NULL,
     "accesses: of ws the window, of pff the threshold"},
    {"ghosts", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.ghosts), 0, UINT64_C(1) << 28, NULL,
     "pages remembered after they left (2q, arc, lirs, s3fifo); 0: as the paper says"},
    {"seed", GROUP_MEMORY, OPTION_NUMBER, SWEPT, AT(sim.seed), 0, MOST32, NULL, "of random choices"},
    {"modify", GROUP_MEMORY, OPTION_WORD, FUTURE, AT(sim.modify), 0, 0, "both|store",
     "what a modify is: a load and then a store, or one store"},
    {"slot", GROUP_MEMORY, OPTION_WORD, SWEPT, AT(sim.slot), 0, 0, "lowest|last",
     "which free frame is taken: the lowest, or the one that was given back last"},
    {"tie", GROUP_MEMORY, OPTION_WORD, SWEPT, AT(sim.tie), 0, 0, "lowest|oldest",
     "opt, among pages not used again: the one in the lowest frame, or that came first"},
    {"local", GROUP_MEMORY, OPTION_YES, SWEPT, AT(sim.local), 0, 0, NULL,
     "each process has its own share of the frames"},
    {"no-faults", GROUP_MEMORY, OPTION_YES, SWEPT, AT(sim.no_faults), 0, 0, NULL,
     "a page that is not there is told, and left so"},
    {"frozen", GROUP_MEMORY, OPTION_YES, SWEPT, AT(sim.frozen), 0, 0, NULL,
     "every reference meets the state that the config file gives"},

    {"tlb", GROUP_TLB, OPTION_TLB, SWEPT, AT(sim.tlb_sets), 0, 1 << 20, "SETSxWAYS|none",
     "sets and ways; 1x8 is fully associative, 8x1 direct-mapped"},
    {"tlb-policy", GROUP_TLB, OPTION_WORD, SWEPT, AT(sim.tlb_policy), 0, 0, "lru|plru|fifo|random",
     "which entry of a full set goes"},
    {"tlb-split", GROUP_TLB, OPTION_YES, SWEPT, AT(sim.tlb_split), 0, 0, NULL,
     "instruction fetches have a TLB of their own"},
    {"tlb-keeps", GROUP_TLB, OPTION_YES, SWEPT, AT(sim.tlb_keeps), 0, 0, NULL,
     "the entry of an evicted page stays: what a missing flush does"},

    {"cache", GROUP_CACHES, OPTION_CACHE, SWEPT, AT(sim.cache[0]), 0, 1 << 20, "SETSxWAYSxBYTES|none",
     "first level: sets, ways, bytes of a block"},
    {"cache2", GROUP_CACHES, OPTION_CACHE, SWEPT, AT(sim.cache[1]), 0, 1 << 20, "SETSxWAYSxBYTES|none", "second level"},
    {"cache3", GROUP_CACHES, OPTION_CACHE, SWEPT, AT(sim.cache[2]), 0, 1 << 20, "SETSxWAYSxBYTES|none", "third level"},
    {"cache-policy", GROUP_CACHES, OPTION_WORD, SWEPT, AT(cache_policy), 0, 0, "lru|plru|fifo|random",
     "which block of a full set goes, at all levels"},
    {"write-through", GROUP_CACHES, OPTION_YES, SWEPT, AT(write_through), 0, 0, NULL,
     "writes go on to the next level; else write-back"},
    {"no-write-allocate", GROUP_CACHES, OPTION_YES, SWEPT, AT(no_write_allocate), 0, 0, NULL,
     "a write that misses brings no block in"},
    {"virtual-index", GROUP_CACHES, OPTION_YES, SWEPT, AT(virtual_index), 0, 0, NULL,
     "the first level's set is picked by the virtual address"},

    {"cost-tlb-hit", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.tlb_hit), 0, MOST32, NULL,
     "a lookup in the TLB, whether it hits or not"},
    {"cost-walk-step", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.walk_step), 0, MOST32, NULL,
     "reading one entry of a page table"},
    {"cost-cache", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.cache_hit[0]), 0, MOST32, NULL,
     "looking into the first level, whether it hits or not"},
    {"cost-cache2", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.cache_hit[1]), 0, MOST32, NULL,
     "into the second level, in addition"},
    {"cost-cache3", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.cache_hit[2]), 0, MOST32, NULL,
     "into the third level, in addition"},
    {"cost-dram", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.dram), 0, MOST32, NULL,
     "memory, after every cache was asked"},
    {"cost-minor-fault", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.minor_fault), 0, COSTLY, NULL,
     "a fault, without its transfers"},
    {"cost-disk-read", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.disk_read), 0, COSTLY, NULL, "a page from disk"},
    {"cost-disk-write", GROUP_COSTS, OPTION_NUMBER, SWEPT, AT(sim.costs.disk_write), 0, COSTLY, NULL, "a page to disk"},

    {"trace", GROUP_TRACE, OPTION_TRACE, 0, NONE, 0, 0, "FILE",
     "a trace, as a name alone is; several are processes that run in turn"},
    {"format", GROUP_TRACE, OPTION_WORD, 0, AT(format), 0, 0, "auto|lackey|packed|rw|ls|addresses|din",
     "told by the first line, unless it is said here"},
    {"base", GROUP_TRACE, OPTION_WORD, 0, AT(base), 0, 0, "16|10",
     "of numbers without 0x in the trace (not in lackey's)"},
    {"unit", GROUP_TRACE, OPTION_WORD, 0, AT(unit), 0, 0, "byte|page",
     "page: the numbers are page numbers, not addresses (not in lackey's)"},
    {"quantum", GROUP_TRACE, OPTION_NUMBER, SWEPT, AT(quantum), 0, LARGE, NULL,
     "references until the next trace's turn; 0: when a trace ends"},

    {"config", GROUP_WHAT, OPTION_CONFIG, 0, NONE, 0, 0, "FILE",
     "reads keys and an initial state from a file; the command line wins"},
    {"explain", GROUP_WHAT, OPTION_YES, 0, AT(explain), 0, 0, NULL, "shows every field of every access"},
    {"interactive", GROUP_WHAT, OPTION_YES, 0, AT(interactive), 0, 0, NULL,
     "the same on a terminal, forwards and back"},
    {"sweep", GROUP_WHAT, OPTION_TEXT, 0, AT(sweep), 0, 0, "KEY=VALUES,...",
     "runs every combination of values: a..b doubles, a..b+s steps, a|b|c lists, policy=all"},
    {"commands", GROUP_WHAT, OPTION_YES, 0, AT(commands), 0, 0, NULL,
     "prints a sweep's points as commands, one a line, and runs nothing"},
    {"jobs", GROUP_WHAT, OPTION_NUMBER, 0, AT(jobs), 0, 64, NULL,
     "points of a sweep that run at once; 0: one for each processor"},
    {"sample", GROUP_WHAT, OPTION_RATE, 0, AT(sample), 0, 0, "RATE",
     "simulates this part of the pages, and estimates; 0: all of them, exactly"},
    {"timeline", GROUP_WHAT, OPTION_NUMBER, 0, AT(timeline), 0, 1000000, NULL,
     "so many looks at the counts over the run, as CSV or JSON"},
    {"map", GROUP_WHAT, OPTION_NUMBER, 0, AT(map), 0, 1000000, NULL,
     "so many looks at what is in the frames, and then all pages"},
    {"report", GROUP_WHAT, OPTION_TEXT, 0, AT(report), 0, 0, "DIRECTORY",
     "writes pictures and report.html there (report.py does it)"},
    {"help", GROUP_WHAT, OPTION_WORD, 0, AT(help), 0, 0, "no|yes|rst",
     "prints this list; rst: the tables of docs/vmmsim.rst"},

    {"json", GROUP_OUTPUT, OPTION_YES, 0, AT(json), 0, 0, NULL, "one line of JSON for each run"},
    {"csv", GROUP_OUTPUT, OPTION_YES, 0, AT(csv), 0, 0, NULL, "one line of CSV for each run, below a line of names"},
    {"show", GROUP_OUTPUT, OPTION_SHOW, 0, AT(show), 0, 0, "COUNT,...", "the counts to print; the names stand below"},
    {"quiet", GROUP_OUTPUT, OPTION_YES, 0, AT(quiet), 0, 0, NULL, "no progress on standard error"},
};

const unsigned option_count = sizeof options / sizeof *options;
_Static_assert(sizeof options / sizeof *options <= OPTIONS_MOST, "settings_t.text has room for every option");

/* ------------------------------------------------------------------ finding by name -- */

/* Letters to change, insert or leave out to make b of a: at most 40 letters are looked at. */
static unsigned distance(const char *a, size_t length, const char *b)
{
    unsigned row[41], i, j;
    const unsigned n = (unsigned)strlen(b);
    if (length > 40 || n > 40) return 99;
    for (j = 0; j <= n; j++) row[j] = j;
    for (i = 0; i < length; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (j = 0; j < n; j++) {
            unsigned least = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (diagonal + 1 < least) least = diagonal + 1;
            if (row[j] + 1 < least) least = row[j] + 1;
            row[j + 1] = least;
        }
    }
    return row[n];
}

/* "there is no WHAT "NAME"", and the nearest of the names that `name_of` gives, if one is near. */
static void suggest(const char *what, const char *name, size_t length, const char *(*name_of)(unsigned),
                    char error[SIM_ERROR])
{
    const char *best = NULL, *other;
    unsigned least = length < 3 ? 2 : length < 5 ? 3 : 4, i;
    for (i = 0; (other = name_of(i)) != NULL; i++) {
        const unsigned far = distance(name, length, other);
        if (far < least) {
            least = far;
            best = other;
        }
    }
    for (i = 0; !best && length > 2 && (other = name_of(i)) != NULL; i++)
        if (strncmp(name, other, length) == 0) best = other;
    (void)snprintf(error, SIM_ERROR, "there is no %s \"%.*s\"%s%s%s", what, length < 60 ? (int)length : 60, name,
                   best ? "; did you mean " : "", best ? best : "", best ? "?" : "");
}

static const char *option_name(unsigned i)
{
    return i < option_count ? options[i].name : NULL;
}

static const char *policy_name(unsigned i)
{
    return sim_policies[i];
}

bool option_is_command(const option_t *o)
{
    return o->type != OPTION_TRACE && (o->group != GROUP_WHAT || o->type == OPTION_RATE) &&
           (o->group != GROUP_OUTPUT || o->type == OPTION_SHOW);
}

const option_t *option_find(const char *name, size_t length, char error[SIM_ERROR])
{
    unsigned i;
    for (i = 0; i < option_count; i++)
        if (strncmp(options[i].name, name, length) == 0 && options[i].name[length] == '\0') return &options[i];
    suggest("option", name, length, option_name, error);
    return NULL;
}

/* --------------------------------------------------------------------------- values -- */

/* Is not a name followed by "=": a value in an error. */
static bool bad_value(const option_t *o, const char *text, const char *what, char error[SIM_ERROR])
{
    (void)snprintf(error, SIM_ERROR, "%s=%.60s%s: %s", o->name, text, strlen(text) > 60 ? "..." : "", what);
    return false;
}

/* Decimal, or hexadecimal with 0x; then K, M, G or k, m, g. Returns the end; null: it is no number, or too large. */
static const char *read_number(const char *text, uint64_t *value)
{
    static const char units[] = "KkMmGg";
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *unit;
    char *end;
    unsigned shift = 0;
    if (text[0] < '0' || text[0] > '9' || (hex && trace_hex((unsigned char)text[2]) < 0)) return NULL;
    errno = 0;
    *value = strtoull(text, &end, hex ? 16 : 10);
    if (errno) return NULL;
    unit = *end != '\0' ? strchr(units, *end) : NULL;
    if (unit) {
        shift = 10 * ((unsigned)(unit - units) / 2 + 1);
        end++;
    }
    if (*value << shift >> shift != *value) return NULL;
    *value <<= shift;
    return end;
}

static void store(settings_t *s, const option_t *o, uint64_t value)
{
    uint8_t *field = (uint8_t *)s + o->offset;
    const uint8_t byte = (uint8_t)value;
    const uint32_t word = (uint32_t)value;
    if (o->bytes == 1) memcpy(field, &byte, 1);
    else if (o->bytes == 4) memcpy(field, &word, 4);
    else memcpy(field, &value, 8);
}

static uint64_t fetch(const settings_t *s, const option_t *o)
{
    const uint8_t *field = (const uint8_t *)s + o->offset;
    uint8_t byte;
    uint32_t word;
    uint64_t value;
    if (o->bytes == 1) return memcpy(&byte, field, 1), byte;
    if (o->bytes == 4) return memcpy(&word, field, 4), word;
    return memcpy(&value, field, 8), value;
}

bool number_read(const char *text, uint64_t *value)
{
    const char *end = read_number(text, value);
    return end && *end == '\0';
}

static bool set_number(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    char what[80];
    uint64_t value, logarithm = 0;
    const char *end = read_number(text, &value);
    if (!end || *end != '\0') return bad_value(o, text, "this is no whole number from 0 to 2^64 - 1", error);
    if (value < o->least || value > o->most) {
        (void)snprintf(what, sizeof what, "it must be within %llu to %llu", (unsigned long long)o->least,
                       (unsigned long long)o->most);
        return bad_value(o, text, what, error);
    }
    if (o->type == OPTION_POWER) {
        if ((value & (value - 1)) != 0) return bad_value(o, text, "it must be a power of two", error);
        while (value >> logarithm != 1) logarithm++;
        value = logarithm;
    }
    store(s, o, value);
    return true;
}

/* The place of text in "a|b|c"; -1: it is none of them. */
static int word_at(const char *words, const char *text)
{
    const size_t length = strlen(text);
    int at = 0;
    for (;; at++) {
        const size_t n = strcspn(words, "|");
        if (n == length && strncmp(words, text, n) == 0) return at;
        if (words[n] == '\0') return -1;
        words += n + 1;
    }
}

static bool set_word(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    const int at = word_at(o->type == OPTION_YES ? "no|yes|0|1|false|true|off|on" : o->words, text);
    char what[100];
    if (at >= 0) {
        store(s, o, o->type == OPTION_YES ? (uint64_t)at & 1 : (uint64_t)at);
        return true;
    }
    (void)snprintf(what, sizeof what, "it must be one of %s", o->type == OPTION_YES ? "yes|no" : o->words);
    return bad_value(o, text, what, error);
}

static bool set_policy(settings_t *s, const char *text, char error[SIM_ERROR])
{
    unsigned i;
    for (i = 0; sim_policies[i]; i++)
        if (strcmp(sim_policies[i], text) == 0) {
            s->sim.policy = sim_policies[i];
            return true;
        }
    suggest("policy", text, strlen(text), policy_name, error);
    return false;
}

/* "4x2x64" as `count` numbers; or "none": all 0. */
static bool read_sizes(const option_t *o, const char *text, uint32_t *sizes, unsigned count)
{
    unsigned i;
    memset(sizes, 0, count * sizeof *sizes);
    if (strcmp(text, "none") == 0) return true;
    for (i = 0; i < count; i++) {
        uint64_t value;
        text = read_number(text, &value);
        if (!text || value == 0 || value > o->most || *text != (i + 1 < count ? 'x' : '\0')) return false;
        sizes[i] = (uint32_t)value;
        text++;
    }
    return true;
}

static bool set_sizes(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    const bool tlb = o->type == OPTION_TLB;
    vmm_cache_geometry_t *cache = (vmm_cache_geometry_t *)(void *)((uint8_t *)s + o->offset);
    uint32_t sizes[3];
    if (!read_sizes(o, text, sizes, tlb ? 2 : 3))
        return bad_value(o, text, tlb ? "it must be SETSxWAYS, or none" : "it must be SETSxWAYSxBYTES, or none", error);
    if ((sizes[0] & (sizes[0] - 1)) != 0) return bad_value(o, text, "the sets must be a power of two", error);
    if (tlb) {
        s->sim.tlb_sets = sizes[0];
        s->sim.tlb_ways = sizes[1];
        return true;
    }
    if ((sizes[2] & (sizes[2] - 1)) != 0) return bad_value(o, text, "a block must be a power of two bytes", error);
    cache->sets = sizes[0];
    cache->ways = sizes[1];
    cache->block = sizes[2];
    return true;
}

static bool set_bits(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    uint8_t bits[6] = {0};
    const char *c = text;
    unsigned count = 0, i;
    while (strcmp(text, "none") != 0) {
        uint64_t value;
        const char *end = read_number(c, &value);
        if (!end || (*end != ',' && *end != '\0') || value == 0 || value > 28 || count == 6)
            return bad_value(o, text, "it must be 1 to 6 numbers, each within 1 to 28, with commas", error);
        bits[count++] = (uint8_t)value;
        if (*end == '\0') break;
        c = end + 1;
    }
    memset(s->sim.index_bits, 0, sizeof s->sim.index_bits);
    for (i = 0; i < count; i++) s->sim.index_bits[i] = bits[count - 1 - i];
    return true;
}

static bool set_rate(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    char *end;
    const double rate = strtod(text, &end);
    if (end == text || *end != '\0' || !(rate >= 0 && rate <= 1))
        return bad_value(o, text, "it must be a number within 0 to 1", error);
    s->sample = rate;
    return true;
}

bool option_set(settings_t *s, const option_t *o, const char *text, char error[SIM_ERROR])
{
    bool good = true;
    switch (o->type) {
    case OPTION_NUMBER:
    case OPTION_POWER: good = set_number(s, o, text, error); break;
    case OPTION_YES:
    case OPTION_WORD: good = set_word(s, o, text, error); break;
    case OPTION_POLICY: good = set_policy(s, text, error); break;
    case OPTION_TLB:
    case OPTION_CACHE: good = set_sizes(s, o, text, error); break;
    case OPTION_BITS: good = set_bits(s, o, text, error); break;
    case OPTION_SHOW: good = (s->show = counts_find(text, error)) != 0; break;
    case OPTION_RATE: good = set_rate(s, o, text, error); break;
    case OPTION_TEXT:
        good = text[0] != '\0' || bad_value(o, text, "it needs a value", error);
        if (strcmp(text, "none") == 0) text = NULL;
        memcpy((uint8_t *)s + o->offset, &text, sizeof text);
        break;
    case OPTION_TRACE:
        if (s->trace_count == SIM_PROCESSES) {
            (void)snprintf(error, SIM_ERROR, "there are more than %d traces", SIM_PROCESSES);
            return false;
        }
        s->traces[s->trace_count++] = text;
        break;
    default: break;
    }
    if (good) s->text[o - options] = text;
    return good;
}

static void print_sizes(FILE *out, const settings_t *s, const option_t *o)
{
    const vmm_cache_geometry_t *cache = (const vmm_cache_geometry_t *)(const void *)((const uint8_t *)s + o->offset);
    const bool tlb = o->type == OPTION_TLB;
    const uint32_t sets = tlb ? s->sim.tlb_sets : cache->sets;
    if (sets == 0) (void)fputs("none", out);
    else if (tlb) (void)fprintf(out, "%ux%u", sets, s->sim.tlb_ways);
    else (void)fprintf(out, "%ux%ux%u", sets, cache->ways, cache->block);
}

static void print_bits(FILE *out, const settings_t *s)
{
    unsigned i, printed = 0;
    for (i = 6; i-- > 0;)
        if (s->sim.index_bits[i]) (void)fprintf(out, "%s%u", printed++ ? "," : "", s->sim.index_bits[i]);
    if (!printed) (void)fputs("none", out);
}

static void print_word(FILE *out, const char *words, uint64_t at)
{
    for (; at > 0; at--) words += strcspn(words, "|") + 1;
    (void)fprintf(out, "%.*s", (int)strcspn(words, "|"), words);
}

void option_print(FILE *out, const settings_t *s, const option_t *o, bool json)
{
    const char *quote = json ? "\"" : "";
    switch (o->type) {
    case OPTION_NUMBER: (void)fprintf(out, "%llu", (unsigned long long)fetch(s, o)); return;
    case OPTION_POWER: (void)fprintf(out, "%llu", 1ull << fetch(s, o)); return;
    case OPTION_YES: (void)fputs(json ? (fetch(s, o) ? "true" : "false") : (fetch(s, o) ? "yes" : "no"), out); return;
    case OPTION_RATE: (void)fprintf(out, "%g", s->sample); return;
    default: break;
    }
    (void)fputs(quote, out);
    switch (o->type) {
    case OPTION_WORD: print_word(out, o->words, fetch(s, o)); break;
    case OPTION_POLICY: (void)fputs(s->sim.policy, out); break;
    case OPTION_TLB:
    case OPTION_CACHE: print_sizes(out, s, o); break;
    case OPTION_BITS: print_bits(out, s); break;
    default: break;
    }
    (void)fputs(quote, out);
}

/* ---------------------------------------------------------------------- config files -- */

/* The presets and how many numbers each has; a cache line has its block's bytes behind them. */
static const struct preset_kind {
    const char *name, *form;
    uint8_t what, numbers;
} preset_kinds[] = {{"pte", "pte VPN PPN", SIM_PRESET_PTE, 2},
                    {"disk", "disk VPN", SIM_PRESET_DISK, 1},
                    {"tlb-entry", "tlb-entry TLBI TLBT PPN", SIM_PRESET_TLB, 3},
                    {"cache-line", "cache-line CI CT BYTES...", SIM_PRESET_CACHE, 2}};
#define PRESET_KINDS (sizeof preset_kinds / sizeof *preset_kinds)

static const char *skip_space(const char *c)
{
    while (*c == ' ' || *c == '\t') c++;
    return c;
}

/* A number of a preset: always hexadecimal. Null: there is none. */
static const char *read_hex(const char *c, uint64_t *value)
{
    const char *start;
    *value = 0;
    c = skip_space(c);
    if (c[0] == '0' && (c[1] == 'x' || c[1] == 'X')) c += 2;
    for (start = c; trace_hex((unsigned char)*c) >= 0; c++) {
        if (*value >> 60) return NULL;
        *value = *value << 4 | (unsigned)trace_hex((unsigned char)*c);
    }
    return c == start || (*c != '\0' && *c != ' ' && *c != '\t') ? NULL : c;
}

static bool preset_add(settings_t *s, const sim_preset_t *preset, char error[SIM_ERROR])
{
    if (s->preset_count == s->preset_room) {
        const size_t room = s->preset_room ? 2 * s->preset_room : 64;
        sim_preset_t *more = (sim_preset_t *)realloc(s->presets, room * sizeof *more);
        if (!more) {
            (void)snprintf(error, SIM_ERROR, "no memory for a config file");
            return false;
        }
        s->presets = more;
        s->preset_room = room;
    }
    s->presets[s->preset_count++] = *preset;
    return true;
}

/* Remembers how many bytes a cache line had in c, which it does not use. */
static bool preset_read(settings_t *s, const struct preset_kind *kind, const char *c, char error[SIM_ERROR])
{
    sim_preset_t p;
    uint64_t numbers[3] = {0, 0, 0}, byte;
    unsigned i;
    memset(&p, 0, sizeof p);
    p.what = kind->what;
    for (i = 0; c && i < kind->numbers; i++) c = read_hex(c, &numbers[i]);
    p.a = numbers[0];
    p.b = numbers[1];
    p.c = numbers[2];
    while (c && kind->what == SIM_PRESET_CACHE && *skip_space(c) != '\0') {
        c = read_hex(c, &byte);
        if (!c || byte > 0xff || p.c == sizeof p.bytes) {
            c = NULL;
            break;
        }
        p.bytes[p.c++] = (uint8_t)byte;
    }
    if (!c || *skip_space(c) != '\0') {
        (void)snprintf(error, SIM_ERROR, "it must be \"%s\", in hexadecimal", kind->form);
        return false;
    }
    return preset_add(s, &p, error);
}

/* The key alone means yes. */
static bool is_yes_alone(const option_t *o)
{
    return o->type == OPTION_YES || (o->words && strncmp(o->words, "no|yes", 6) == 0);
}

/* One line, without its newline and comment. It is changed, and kept. */
static bool config_line(settings_t *s, char *line, char error[SIM_ERROR])
{
    const option_t *option;
    size_t length, i;
    char *value, *end = line + strlen(line);
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) *--end = '\0';
    line += skip_space(line) - line;
    if (*line == '\0') return true;
    if (strncmp(line, "--", 2) == 0) line += 2;
    length = strcspn(line, "= \t");
    for (i = 0; i < PRESET_KINDS; i++)
        if (strlen(preset_kinds[i].name) == length && strncmp(line, preset_kinds[i].name, length) == 0)
            return preset_read(s, &preset_kinds[i], line + length, error);
    option = option_find(line, length, error);
    if (!option) return false;
    value = line + length;
    value += skip_space(value) - value;
    if (*value == '=') value++;
    value += skip_space(value) - value;
    if (option->type == OPTION_CONFIG) {
        (void)snprintf(error, SIM_ERROR, "a config file cannot name another");
        return false;
    }
    if (*value == '\0' && is_yes_alone(option)) return option_set(s, option, "yes", error);
    if (*value == '\0') return bad_value(option, "", "it needs a value", error);
    return option_set(s, option, value, error);
}

/* A byte 0 would hide the rest of its line. */
static bool is_text(const char *name, const char *text, size_t size, char error[SIM_ERROR])
{
    const char *zero = (const char *)memchr(text, '\0', size), *c;
    unsigned line = 1;
    if (!zero) return true;
    for (c = text; c < zero; c++) line += *c == '\n';
    (void)snprintf(error, SIM_ERROR, "%.80s: line %u: there is a byte 0, which is no text", name, line);
    return false;
}

/* The file's bytes with a 0 behind them. */
static char *config_load(const char *name, char error[SIM_ERROR])
{
    FILE *in = fopen(name, "rb");
    size_t size = 0, room = 4096, got;
    char *text = (char *)malloc(room);
    if (!in) (void)snprintf(error, SIM_ERROR, "%.120s cannot be opened: %s", name, strerror(errno));
    while (in && text && (got = fread(text + size, 1, room - size - 1, in)) != 0) {
        char *more;
        size += got;
        if (room - size > 1) continue;
        more = (char *)realloc(text, room *= 2);
        if (!more) free(text);
        text = more;
    }
    if (in && !text) (void)snprintf(error, SIM_ERROR, "no memory for a config file");
    if (in && text && ferror(in)) (void)snprintf(error, SIM_ERROR, "%.120s could not be read", name);
    else if (in && text && is_text(name, text, size, error)) {
        (void)fclose(in);
        text[size] = '\0';
        return text;
    }
    if (in) (void)fclose(in);
    free(text);
    return NULL;
}

static bool config_read(settings_t *s, const char *name, char error[SIM_ERROR])
{
    char why[SIM_ERROR], *line = config_load(name, error), *next;
    unsigned number = 1;
    s->config_texts[s->config_count - 1] = line;
    for (; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        line[strcspn(line, "#")] = '\0';
        if (config_line(s, line, why)) continue;
        (void)snprintf(error, SIM_ERROR, "%.80s: line %u: %.150s", name, number, why);
        return false;
    }
    return error[0] == '\0';
}

/* -------------------------------------------------------------------- the command line -- */

/* An argument that sets an option: its name's length in *length, and where its value is (null: in the next argument).
 * False: it is the name of a trace. */
static bool is_option(const char **argument, size_t *length, const char **value)
{
    const char *c = *argument;
    const bool dashes = c[0] == '-' && c[1] != '\0';
    if (dashes) c += c[1] == '-' ? 2 : 1;
    *argument = c;
    *length = strspn(c, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (dashes && c[*length] != '=') *length = strlen(c);
    *value = c[*length] == '=' ? c + *length + 1 : NULL;
    return dashes || (*length != 0 && *value);
}

/* Goes over the command line; configs: only the config files are wanted, else all but them. */
static bool read_arguments(settings_t *s, int argc, char **argv, bool configs, char error[SIM_ERROR])
{
    const option_t *const trace = option_find("trace", 5, error);
    bool plain = false, named = false;
    int i;
    for (i = 1; i < argc; i++) {
        const char *argument = argv[i], *value;
        const option_t *option = trace;
        size_t length;
        if (!plain && strcmp(argument, "--") == 0) {
            plain = true;
            continue;
        }
        if (plain || !is_option(&argument, &length, &value)) value = argv[i];
        else if (strcmp(argument, "h") == 0) option = option_find("help", 4, error);
        else option = option_find(argument, length, error);
        if (!option) return false;
        if (!value && is_yes_alone(option)) value = "yes";
        if (!value && i + 1 < argc) value = argv[++i];
        if (!value) {
            (void)snprintf(error, SIM_ERROR, "--%s needs a value", option->name);
            return false;
        }
        if ((option->type == OPTION_CONFIG) != configs) continue;
        if (option->type == OPTION_TRACE && !named) {
            s->trace_count = 0; /* those of config files do not count then */
            named = true;
        }
        if (configs) {
            if (s->config_count == CONFIGS_MOST) {
                (void)snprintf(error, SIM_ERROR, "there are more than %d config files", CONFIGS_MOST);
                return false;
            }
            s->configs[s->config_count++] = value;
            if (!config_read(s, value, error)) return false;
        } else if (!option_set(s, option, value, error)) return false;
    }
    return true;
}

/* The order of presets that may stand there once only: a frame's page, an entry of the TLB. Others are all alike. */
static int compare_presets(const void *a, const void *b)
{
    const sim_preset_t *const x = *(const sim_preset_t *const *)a, *const y = *(const sim_preset_t *const *)b;
    const bool tlb = x->what == SIM_PRESET_TLB;
    if (x->what != y->what) return x->what < y->what ? -1 : 1;
    if (!tlb && x->what != SIM_PRESET_PTE) return 0;
    if (tlb && x->a != y->a) return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

/* The initial state says nothing twice. */
static bool presets_differ(const settings_t *s, char error[SIM_ERROR])
{
    const sim_preset_t **sorted = (const sim_preset_t **)malloc((s->preset_count + 1) * sizeof *sorted);
    bool differ = sorted != NULL;
    size_t i;
    if (!sorted) (void)snprintf(error, SIM_ERROR, "no memory for a config file");
    for (i = 0; sorted && i < s->preset_count; i++) sorted[i] = &s->presets[i];
    if (sorted) qsort(sorted, s->preset_count, sizeof *sorted, compare_presets);
    for (i = 1; differ && i < s->preset_count; i++) {
        const sim_preset_t *const p = sorted[i];
        differ = (p->what != SIM_PRESET_PTE && p->what != SIM_PRESET_TLB) || compare_presets(&sorted[i - 1], &p) != 0;
        if (!differ && p->what == SIM_PRESET_PTE)
            (void)snprintf(error, SIM_ERROR, "frame %llx of the config file holds two pages", (unsigned long long)p->b);
        else if (!differ)
            (void)snprintf(error, SIM_ERROR, "tlb-entry %llx %llx of the config file is there twice",
                           (unsigned long long)p->a, (unsigned long long)p->b);
    }
    free(sorted);
    return differ;
}

static void settings_init(settings_t *s)
{
    memset(s, 0, sizeof *s);
    sim_config_init(&s->sim);
    s->quantum = 10000;
}

bool settings_read(settings_t *s, int argc, char **argv, char error[SIM_ERROR])
{
    error[0] = '\0';
    settings_init(s);
    return read_arguments(s, argc, argv, true, error) && read_arguments(s, argc, argv, false, error) &&
           presets_differ(s, error);
}

/* ---------------------------------------------------------------------- contradictions -- */

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
contradict(char error[SIM_ERROR], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, SIM_ERROR, format, arguments);
    va_end(arguments);
    return false;
}

static unsigned log2_of(uint64_t value)
{
    unsigned n = 0;
    while (value >> n > 1) n++;
    return n;
}

static bool check_addresses(const sim_config_t *c, char error[SIM_ERROR])
{
    const unsigned va = c->vaddr_bits, shift = c->page_shift, pa = c->paddr_bits;
    const unsigned long long page = 1ull << shift, highest = (unsigned long long)(c->first_frame + c->frames);
    unsigned sum = 0, count = 0, i;
    for (i = 0; i < 6; i++) {
        sum += c->index_bits[i];
        count += c->index_bits[i] != 0;
    }
    if (va <= shift)
        return contradict(error, "va-bits=%u leaves no page number: page=%llu takes %u bits for the offset", va, page,
                          shift);
    if (count != 0 && sum != va - shift)
        return contradict(error, "index-bits has %u bits in all, but page numbers have %u (va-bits=%u, page=%llu)", sum,
                          va - shift, va, page);
    if (count != 0 && c->levels != 0 && c->levels != count)
        return contradict(error, "levels=%u contradicts index-bits, which names %u", c->levels, count);
    if (c->levels > va - shift)
        return contradict(error, "levels=%u are more than the %u bits of page numbers (va-bits=%u, page=%llu)",
                          c->levels, va - shift, va, page);
    if (pa != 0 && pa <= shift)
        return contradict(error, "pa-bits=%u leaves no frame number: page=%llu takes %u bits for the offset", pa, page,
                          shift);
    if (pa != 0 && highest > 1ull << (pa - shift))
        return contradict(error, "frames=%llu and first-frame=%llu need %llu frames, but pa-bits=%u has %llu",
                          (unsigned long long)c->frames, (unsigned long long)c->first_frame, highest, pa,
                          1ull << (pa - shift));
    return true;
}

static bool check_plru(const char *key, unsigned policy, uint32_t ways, char error[SIM_ERROR])
{
    if (policy != VMM_PLRU || (ways <= 64 && (ways & (ways - 1)) == 0)) return true;
    return contradict(error, "%s-policy=plru needs a power of two of ways, at most 64, and %s has %u", key, key, ways);
}

static bool check_tlb(const sim_config_t *c, char error[SIM_ERROR])
{
    const unsigned bits = log2_of(c->tlb_sets), page_bits = (unsigned)c->vaddr_bits - c->page_shift;
    if (c->tlb_sets == 0) return true;
    if (bits > page_bits)
        return contradict(
            error, "tlb=%ux%u takes %u bits for the index, but page numbers have %u: take fewer sets, or tlb=none",
            c->tlb_sets, c->tlb_ways, bits, page_bits);
    return check_plru("tlb", c->tlb_policy, c->tlb_ways, error);
}

static bool check_caches(const sim_config_t *c, char error[SIM_ERROR])
{
    unsigned i;
    for (i = 0; i < SIM_CACHES; i++) {
        const vmm_cache_geometry_t *g = &c->cache[i];
        if (g->sets == 0) continue;
        if (i > 0 && c->cache[i - 1].sets == 0)
            return contradict(error, "cache%u needs cache%s before it", i + 1, i == 1 ? "" : "2");
        if (i > 0 && g->block < c->cache[i - 1].block)
            return contradict(error, "cache%u has blocks of %u bytes, and the level before it has larger ones: %u",
                              i + 1, g->block, c->cache[i - 1].block);
        if (!check_plru("cache", g->policy, g->ways, error)) return false;
    }
    return true;
}

static bool check_preset(const sim_config_t *c, const sim_preset_t *p, char error[SIM_ERROR])
{
    const unsigned shift = c->page_shift, page_bits = (unsigned)c->vaddr_bits - shift;
    const unsigned set_bits_ = log2_of(c->tlb_sets), pa = c->paddr_bits ? c->paddr_bits : 64;
    const unsigned long long a = p->a, b = p->b;
    const uint64_t ppn = p->what == SIM_PRESET_TLB ? p->c : p->what == SIM_PRESET_PTE ? p->b : 0;
    if ((p->what == SIM_PRESET_PTE || p->what == SIM_PRESET_DISK) && page_bits < 64 && a >> page_bits != 0)
        return contradict(error, "page %llx of the config file does not fit: page numbers have %u bits", a, page_bits);
    if (pa - shift < 64 && ppn >> (pa - shift) != 0)
        return contradict(error, "frame %llx of the config file does not fit into pa-bits=%u", (unsigned long long)ppn,
                          pa);
    if (p->what == SIM_PRESET_TLB && a >= c->tlb_sets)
        return contradict(error, "tlb-entry %llx of the config file: the TLB has %u sets", a, c->tlb_sets);
    if (p->what == SIM_PRESET_TLB && page_bits - set_bits_ < 64 && b >> (page_bits - set_bits_) != 0)
        return contradict(error, "tlb-entry %llx %llx of the config file: the tag has %u bits", a, b,
                          page_bits - set_bits_);
    if (p->what == SIM_PRESET_CACHE && a >= c->cache[0].sets)
        return contradict(error, "cache-line %llx of the config file: the cache has %u sets", a, c->cache[0].sets);
    if (p->what == SIM_PRESET_CACHE && p->c != c->cache[0].block)
        return contradict(error, "cache-line %llx of the config file has %llu bytes, but a block has %u", a,
                          (unsigned long long)p->c, c->cache[0].block);
    return true;
}

/* What is done is one thing. */
static bool check_what(const settings_t *s, char error[SIM_ERROR])
{
    const struct {
        const char *name;
        bool asked;
    } what[] = {{"explain", s->explain || s->interactive},
                {"sweep", s->sweep != NULL},
                {"timeline", s->timeline != 0},
                {"map", s->map != 0},
                {"report", s->report != NULL}};
    const size_t count = sizeof what / sizeof *what;
    size_t i, first = count;
    for (i = 0; i < count; i++) {
        if (!what[i].asked) continue;
        if (first < i) return contradict(error, "%s and %s cannot be done at once", what[first].name, what[i].name);
        first = i;
    }
    if (first < count && first != 1 && s->sample != 0)
        return contradict(error, "sample only estimates counts, and %s needs a whole run", what[first].name);
    if (s->commands && !s->sweep) return contradict(error, "commands prints the points of a sweep, and there is none");
    if (s->json && s->csv) return contradict(error, "the output is json or csv, not both");
    if (s->sample != 0 && s->show != 0) return contradict(error, "sample and show cannot be combined");
    if (s->report && s->show != 0) return contradict(error, "report needs all counts, and show names some");
    if (s->map != 0 && strcmp(s->sim.policy, "opt") == 0)
        return contradict(error, "map reads the trace once, and policy=opt must know all of it");
    if (s->report && strcmp(s->sim.policy, "opt") == 0)
        return contradict(error, "report draws maps, which read the trace once, and policy=opt must know all of it");
    return true;
}

/* A sample of the pages has as large a part of the frames. */
static bool check_sample(const settings_t *s, char error[SIM_ERROR])
{
    if (s->sample == 0) return true;
    if (s->trace_count > 1) return contradict(error, "sample works on one trace, and here are %u", s->trace_count);
    if (s->preset_count != 0)
        return contradict(error, "sample begins with nothing in memory, and the config file has an initial state");
    if (s->sweep) return true; /* its points are asked */
    if (s->sim.frames == 0) return contradict(error, "sample needs frames: with frames=0 each page faults once");
    if ((uint64_t)((double)s->sim.frames * s->sample + 0.5) < SIM_SAMPLE_FRAMES)
        return contradict(error, "a sample of %g of %llu frames has less than %d frames: take a larger rate", s->sample,
                          (unsigned long long)s->sim.frames, SIM_SAMPLE_FRAMES);
    return true;
}

bool settings_check(settings_t *s, char error[SIM_ERROR])
{
    size_t i;
    for (i = 0; i < SIM_CACHES; i++) {
        vmm_cache_geometry_t *g = &s->sim.cache[i];
        if (g->sets == 0) continue;
        g->policy = s->cache_policy;
        g->write_through = s->write_through;
        g->no_write_allocate = s->no_write_allocate;
        g->virtual_index = i == 0 && s->virtual_index;
        g->page_shift = g->virtual_index ? s->sim.page_shift : 0;
    }
    s->sim.processes = (uint8_t)(s->trace_count > 1 ? s->trace_count : 1);
    s->sim.presets = s->presets;
    s->sim.preset_count = s->preset_count;
    if (!check_what(s, error) || !check_addresses(&s->sim, error) || !check_tlb(&s->sim, error) ||
        !check_caches(&s->sim, error))
        return false;
    for (i = 0; i < s->preset_count; i++)
        if (!check_preset(&s->sim, &s->presets[i], error)) return false;
    if (!check_sample(s, error)) return false;
    if (strcmp(s->sim.policy, "opt") == 0 && s->trace_count > 1)
        return contradict(error, "policy=opt looks ahead in one trace, and here are %u", s->trace_count);
    return s->sweep || sim_check(&s->sim, error); /* of a sweep the points are asked */
}

source_rules_t settings_rules(const settings_t *s)
{
    static const char *const formats[] = {"auto", "lackey", "packed", "rw", "ls", "addresses", "din"};
    source_rules_t rules;
    rules.format = formats[s->format];
    rules.base = s->base ? 10 : 16;
    rules.shift = s->unit ? s->sim.page_shift : 0;
    rules.quantum = s->quantum;
    return rules;
}

/* ------------------------------------------------------------------------------- help -- */

static const char usage[] =
    "vmmsim runs a trace of memory references through a machine with page tables, a TLB, page frames and caches.\n"
    "\n"
    "    vmmsim [KEY=VALUE ...] [TRACE ...]          also --KEY=VALUE, --KEY VALUE; --KEY alone: yes\n"
    "    vmmsim [KEY=VALUE ...] --sweep KEY=VALUES,... [TRACE ...]\n"
    "\n"
    "A trace is a file or - (standard input, also when no trace is named), plain or packed by gzip or zstd.\n"
    "Its format is told by its first line. # begins a comment (not in lackey's), and numbers are hexadecimal unless\n"
    "base=10 is given:\n"
    "    lackey     what valgrind --tool=lackey --trace-mem=yes prints\n"
    "    packed     the same in less space, by examples/pack_trace.c\n"
    "    rw         ADDRESS R|W (or L, S, I: fetch, M: modify; small letters too)\n"
    "    ls         l|s ADDRESS (or the letters above)\n"
    "    addresses  ADDRESS ..., as many on a line as you like, also with commas: loads\n"
    "    din        0|1|2 ADDRESS ...: read, write, fetch; the rest of a line is ignored\n";

static const char examples[] =
    "Belady's anomaly: more frames, more faults\n"
    "    echo 1 2 3 4 1 2 5 1 2 3 4 5 | vmmsim unit=page policy=fifo --sweep 'frames=3|4'\n"
    "A reference string step by step, with decimal page numbers\n"
    "    echo 7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1 | vmmsim unit=page base=10 frames=3 policy=lru --explain\n"
    "A textbook's memory system: page table, TLB and cache as they are printed\n"
    "    echo 03d4 | vmmsim --config examples/vmmsim/csapp.conf --explain\n"
    "All policies over sizes of memory, on all processors, as CSV\n"
    "    vmmsim --csv --sweep 'frames=4..512,policy=all|opt' examples/traces/sqlite3.trace.gz\n"
    "LRU for a hundred sizes in one pass\n"
    "    vmmsim show=faults,dirty_evictions --sweep frames=4..400+4 examples/traces/sqlite3.trace.gz\n"
    "Geometries of a TLB\n"
    "    vmmsim --sweep 'tlb=none|1x16|4x4|16x1|1x64|16x4|64x1' examples/traces/sqlite3.trace.gz\n"
    "Your own program\n"
    "    valgrind --tool=lackey --trace-mem=yes --log-fd=9 PROGRAM 9>&1 >/dev/null | vmmsim frames=64\n";

static const char config_help[] =
    "A config file has one KEY=VALUE a line, and lines that say what is there before the first reference, all in\n"
    "hexadecimal. When it has pte or disk lines, other pages are not mapped.\n"
    "    pte VPN PPN                the page is in this frame\n"
    "    disk VPN                   the page is on disk: the first access faults\n"
    "    tlb-entry TLBI TLBT PPN    an entry of the TLB; of a set, the most recently used first\n"
    "    cache-line CI CT BYTES     a line of the first cache, and its bytes\n";

static const char status_help[] =
    "\nExit status\n"
    "  0: done; 1: the trace is bad or cannot be read, results cannot be written; 2: options are wrong or contradict\n"
    "  each other; 128 + signal: interrupted, with partial results. Errors are one sentence on standard error.\n";

/* What may stand behind "KEY=", where the default does not show it; "" else. */
static void value_text(const option_t *o, char *text, size_t bytes)
{
    text[0] = '\0';
    if (o->words) (void)snprintf(text, bytes, "%s", o->words);
    else if (o->type == OPTION_NUMBER && o->most < MOST32 && o->most < UINT64_C(1) << 28)
        (void)snprintf(text, bytes, "%u to %u", (unsigned)o->least, (unsigned)o->most);
}

/* "KEY=DEFAULT" */
static void default_text(const settings_t *s, const option_t *o, char *text, size_t bytes)
{
    char *value = NULL;
    size_t size;
    FILE *out = open_memstream(&value, &size);
    if (out) {
        if (o->type < OPTION_SHOW || o->type == OPTION_RATE) option_print(out, s, o, false);
        (void)fclose(out);
    }
    (void)snprintf(text, bytes, "%s=%s", o->name, value ? value : "");
    free(value);
}

/* Words from column `from` to 112, where the cursor stands already. */
static void print_wrapped(const char *text, int from)
{
    int at = from;
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        if (at > from && at + 1 + length > 112) at = printf("\n%*s", from, "") - 1;
        else if (at > from) at += printf(" ");
        at += printf("%.*s", length, text);
        text += length;
        while (*text == ' ') text++;
    }
    printf("\n");
}

static void help_option(const settings_t *s, const option_t *o, bool rst)
{
    char key[80], values[80], text[200];
    value_text(o, values, sizeof values);
    default_text(s, o, key, sizeof key);
    if (rst) {
        printf("   * - ``%s``\n     - %s%s%s%s\n", key, o->help, values[0] ? " (``" : "", values,
               values[0] ? "``)" : "");
        return;
    }
    (void)snprintf(text, sizeof text, "%s%s%s%s", o->help, values[0] ? " (" : "", values, values[0] ? ")" : "");
    printf("  %-26s%s", key, strlen(key) < 26 ? "" : " ");
    print_wrapped(text, strlen(key) < 26 ? 28 : 3 + (int)strlen(key));
}

/* The names of the policies with blanks between them. */
static void help_policies(void)
{
    char text[1000] = "";
    size_t at = 0;
    unsigned i;
    for (i = 0; sim_policies[i] && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "", sim_policies[i]);
    printf("\nPolicies\n  ");
    print_wrapped(text, 2);
}

static void help_counts(bool rst)
{
    unsigned i;
    for (i = 0; i < count_count; i++)
        if (rst) printf("   * - ``%s``\n     - %s\n", counts[i].name, counts[i].help);
        else printf("  %-20s%s\n", counts[i].name, counts[i].help);
}

static void help_title(const char *title, bool rst)
{
    static const char line[] = "----------------------------------------";
    if (!rst) printf("\n%s\n", title);
    else printf("%s\n%.*s\n\n.. list-table::\n   :widths: 30 70\n\n", title, (int)strlen(title), line);
}

void options_help(bool rst)
{
    static settings_t s;
    unsigned group, i;
    settings_init(&s);
    if (!rst) printf("%s", usage);
    for (group = 0; group < GROUPS; group++) {
        help_title(groups[group], rst);
        for (i = 0; i < option_count; i++)
            if (options[i].group == group) help_option(&s, &options[i], rst);
        if (rst) printf("\n");
    }
    help_title("Counts", rst);
    help_counts(rst);
    if (rst) return;
    help_policies();
    printf("\nConfig files\n%s%s\nExamples\n%s", config_help, status_help, examples);
}
