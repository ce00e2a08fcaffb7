/* output.c - results as tables for people, CSV and JSON; progress on standard error. */
#define _POSIX_C_SOURCE 200809L
#include "output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------------- the counts -- */

#define COUNT(name, stack, help)                                                                                       \
    {                                                                                                                  \
#name, offsetof(sim_counts_t, name), 0, stack, help                                                            \
    }
#define CACHE(name, field, level, help)                                                                                \
    {                                                                                                                  \
        name, offsetof(sim_counts_t, field[(level)-1]), level, false, help                                             \
    }

const count_t counts[] = {
    COUNT(references, true, "references of the trace"),
    COUNT(accesses, false, "what the machine made of them: a reference that crosses into another page is two"),
    COUNT(fetches, false, "instruction fetches, of the accesses"),
    COUNT(reads, false, "reads, of the accesses"),
    COUNT(writes, false, "writes, of the accesses"),
    COUNT(tlb_hits, false, "translations that the TLB had"),
    COUNT(tlb_misses, false, "translations that it did not have"),
    COUNT(walk_steps, false, "entries of page tables that walks read"),
    COUNT(faults, true, "pages brought into a frame"),
    COUNT(invalid, false, "accesses to pages that are not mapped, or with no-faults not there"),
    COUNT(evictions, true, "pages that left their frame"),
    COUNT(dirty_evictions, true, "of them, those that had to be written to disk"),
    COUNT(stale, false, "TLB hits that led to another page's frame (tlb-keeps)"),
    COUNT(pages, true, "different pages touched"),
    COUNT(resident, true, "pages in frames at the end"),
    COUNT(resident_sum, false, "resident pages, summed over accesses"),
    COUNT(table_bytes, false, "bytes of page tables at the end"),
    CACHE("cache_hits", cache_hits, 1, "blocks that the first level of cache had"),
    CACHE("cache_misses", cache_misses, 1, "blocks that it did not have"),
    CACHE("cache_writebacks", cache_writebacks, 1, "dirty blocks that it gave to the next level"),
    CACHE("cache2_hits", cache_hits, 2, "of the second level"),
    CACHE("cache2_misses", cache_misses, 2, "of the second level"),
    CACHE("cache2_writebacks", cache_writebacks, 2, "of the second level"),
    CACHE("cache3_hits", cache_hits, 3, "of the third level"),
    CACHE("cache3_misses", cache_misses, 3, "of the third level"),
    CACHE("cache3_writebacks", cache_writebacks, 3, "of the third level"),
    COUNT(cycles, false, "cycles by the cost model"),
};
const unsigned count_count = sizeof counts / sizeof *counts;

static uint64_t value_of(const sim_counts_t *c, const count_t *count)
{
    uint64_t value;
    memcpy(&value, (const uint8_t *)c + count->offset, sizeof value);
    return value;
}

uint64_t counts_find(const char *names, char error[SIM_ERROR])
{
    uint64_t found = 0;
    for (;;) {
        const size_t length = strcspn(names, ",");
        unsigned i;
        for (i = 0; i < count_count; i++)
            if (strncmp(counts[i].name, names, length) == 0 && counts[i].name[length] == '\0') break;
        if (i == count_count) {
            (void)snprintf(error, SIM_ERROR, "show: there is no count \"%.*s\" (vmmsim --help lists them)",
                           length < 60 ? (int)length : 60, names);
            return 0;
        }
        found |= UINT64_C(1) << i;
        if (names[length] == '\0') return found;
        names += length + 1;
    }
}

uint64_t settings_shown(const settings_t *s)
{
    uint64_t shown = 0;
    unsigned i;
    if (s->show) return s->show;
    for (i = 0; i < count_count; i++)
        if (counts[i].level == 0 || s->sim.cache[counts[i].level - 1].sets != 0 ||
            s->text[option_find("cache", 5, NULL) - options + counts[i].level - 1])
            shown |= UINT64_C(1) << i;
    return shown;
}

/* ---------------------------------------------------------------------- JSON and CSV -- */

static void json_string(FILE *out, const char *text)
{
    (void)putc('"', out);
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') (void)fprintf(out, "\\%c", c);
        else if (c < ' ') (void)fprintf(out, "\\u%04x", c);
        else (void)putc(c, out);
    }
    (void)putc('"', out);
}

/* Keys whose value stands beside the counts: those of the machine that were set, and always policy and frames. */
static bool is_told(const settings_t *s, const option_t *o)
{
    if (strcmp(o->name, "policy") == 0 || strcmp(o->name, "frames") == 0) return true;
    return s->text[o - options] && ((o->flags & OPTION_MACHINE) || strcmp(o->name, "unit") == 0 ||
                                    strcmp(o->name, "base") == 0 || strcmp(o->name, "sample") == 0);
}

static void json_trace(FILE *out, const settings_t *s)
{
    unsigned i;
    (void)fputs(s->trace_count > 1 ? "{\"trace\":[" : "{\"trace\":", out);
    for (i = 0; i < s->trace_count; i++) {
        if (i) (void)putc(',', out);
        json_string(out, s->traces[i]);
    }
    if (s->trace_count > 1) (void)putc(']', out);
}

void result_json(FILE *out, const settings_t *s, const result_t *r)
{
    const uint64_t shown = settings_shown(s);
    const sim_estimate_t *e = &r->estimate;
    unsigned i;
    json_trace(out, s);
    for (i = 0; i < option_count; i++)
        if (is_told(s, &options[i])) {
            (void)fprintf(out, ",\"%s\":", options[i].name);
            option_print(out, s, &options[i], true);
        }
    if (s->sample != 0)
        (void)fprintf(out,
                      ",\"faults\":%.1f,\"faults_error\":%.1f,\"dirty_evictions\":%.1f,\"dirty_evictions_error\":%.1f,"
                      "\"samples\":%u,\"simulated\":%" PRIu64,
                      e->faults, e->faults_error, e->dirty_evictions, e->dirty_evictions_error, e->samples,
                      e->references);
    else
        for (i = 0; i < count_count; i++)
            if (shown >> i & 1)
                (void)fprintf(out, ",\"%s\":%" PRIu64, counts[i].name, value_of(&r->counts, &counts[i]));
    (void)fputs(r->partial ? ",\"partial\":true}\n" : "}\n", out);
}

/* The names of the traces with blanks between them: one field. */
static void csv_traces(FILE *out, const settings_t *s)
{
    bool quote = false;
    unsigned i;
    for (i = 0; i < s->trace_count; i++) quote = quote || strpbrk(s->traces[i], ",\"\n");
    if (quote) (void)putc('"', out);
    for (i = 0; i < s->trace_count; i++) {
        const char *c;
        if (i) (void)putc(' ', out);
        for (c = s->traces[i]; *c != '\0'; c++) {
            if (*c == '"') (void)putc('"', out);
            (void)putc(*c, out);
        }
    }
    if (quote) (void)putc('"', out);
}

void result_csv_head(FILE *out, const settings_t *s)
{
    const uint64_t shown = settings_shown(s);
    unsigned i;
    (void)fputs("trace", out);
    for (i = 0; i < option_count; i++)
        if (is_told(s, &options[i])) (void)fprintf(out, ",%s", options[i].name);
    if (s->sample != 0)
        (void)fputs(",faults,faults_error,dirty_evictions,dirty_evictions_error,samples,simulated", out);
    else
        for (i = 0; i < count_count; i++)
            if (shown >> i & 1) (void)fprintf(out, ",%s", counts[i].name);
    (void)fputs(",partial\n", out);
}

/* An option's value, between quotes when it has commas. */
static void csv_option(FILE *out, const settings_t *s, const option_t *o)
{
    const char *quote = o->type == OPTION_BITS ? "\"" : "";
    (void)fputs(quote, out);
    option_print(out, s, o, false);
    (void)fputs(quote, out);
}

void result_csv(FILE *out, const settings_t *s, const result_t *r)
{
    const uint64_t shown = settings_shown(s);
    const sim_estimate_t *e = &r->estimate;
    unsigned i;
    csv_traces(out, s);
    for (i = 0; i < option_count; i++)
        if (is_told(s, &options[i])) {
            (void)putc(',', out);
            csv_option(out, s, &options[i]);
        }
    if (s->sample != 0)
        (void)fprintf(out, ",%.1f,%.1f,%.1f,%.1f,%u,%" PRIu64, e->faults, e->faults_error, e->dirty_evictions,
                      e->dirty_evictions_error, e->samples, e->references);
    else
        for (i = 0; i < count_count; i++)
            if (shown >> i & 1) (void)fprintf(out, ",%" PRIu64, value_of(&r->counts, &counts[i]));
    (void)fputs(r->partial ? ",yes\n" : ",no\n", out);
}

/* ---------------------------------------------------------------------------- tables -- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

/* "name   value   note" */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static void
line(FILE *out, const char *name, uint64_t value, const char *note, ...)
{
    va_list arguments;
    (void)fprintf(out, "%-18s%16" PRIu64, name, value);
    if (note) {
        (void)fputs("   ", out);
        va_start(arguments, note);
        (void)vfprintf(out, note, arguments);
        va_end(arguments);
    }
    (void)putc('\n', out);
}

static void table_machine(FILE *out, const settings_t *s)
{
    static const char *const keys[] = {"va-bits", "page", "frames", "policy", "tlb", "cache", "cache2", "cache3"};
    unsigned i;
    (void)fputs("trace   ", out);
    for (i = 0; i < s->trace_count; i++)
        (void)fprintf(out, "%s%s", i ? ", " : "", strcmp(s->traces[i], "-") == 0 ? "standard input" : s->traces[i]);
    (void)fputs("\nmachine ", out);
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        const option_t *o = option_find(keys[i], strlen(keys[i]), NULL);
        if (strncmp(keys[i], "cache", 5) == 0 && !s->text[o - options]) continue;
        (void)fprintf(out, "%s%s=", i ? " " : "", keys[i]);
        option_print(out, s, o, false);
    }
    for (i = 0; i < option_count; i++) {
        const option_t *o = &options[i];
        unsigned k = 0;
        while (k < sizeof keys / sizeof *keys && strcmp(keys[k], o->name) != 0) k++;
        if (k < sizeof keys / sizeof *keys || !is_told(s, o)) continue;
        (void)fprintf(out, " %s=", o->name);
        option_print(out, s, o, false);
    }
    (void)fputs("\n\n", out);
}

static void table_caches(FILE *out, const settings_t *s, const sim_counts_t *c)
{
    char name[32];
    unsigned i;
    for (i = 0; i < SIM_CACHES && s->sim.cache[i].sets != 0; i++) {
        const uint64_t hits = c->cache_hits[i], misses = c->cache_misses[i];
        (void)snprintf(name, sizeof name, "cache %u hits", i + 1);
        line(out, name, hits, "%.3f %%", percent(hits, hits + misses));
        (void)snprintf(name, sizeof name, "cache %u misses", i + 1);
        line(out, name, misses, "%" PRIu64 " dirty blocks written", c->cache_writebacks[i]);
    }
}

static void table_counts(FILE *out, const settings_t *s, const sim_counts_t *c)
{
    const double accesses = c->accesses ? (double)c->accesses : 1;
    line(out, "references", c->references, NULL);
    line(out, "accesses", c->accesses, "%" PRIu64 " fetches, %" PRIu64 " reads, %" PRIu64 " writes", c->fetches,
         c->reads, c->writes);
    if (s->sim.tlb_sets != 0) {
        line(out, "TLB hits", c->tlb_hits, "%.3f %%", percent(c->tlb_hits, c->tlb_hits + c->tlb_misses));
        line(out, "TLB misses", c->tlb_misses, "%.3f %%", percent(c->tlb_misses, c->tlb_hits + c->tlb_misses));
        if (s->sim.tlb_keeps) line(out, "stale TLB hits", c->stale, "that led to another page's frame");
    }
    line(out, "walk steps", c->walk_steps, "entries of page tables read");
    line(out, "page faults", c->faults, "%.4f %% of accesses", percent(c->faults, c->accesses));
    if (c->invalid != 0) line(out, "invalid accesses", c->invalid, "to pages that are not there");
    line(out, "evictions", c->evictions, "%" PRIu64 " of them dirty", c->dirty_evictions);
    line(out, "pages", c->pages, "%" PRIu64 " resident at the end, %.1f on average", c->resident,
         (double)c->resident_sum / accesses);
    line(out, "page tables", c->table_bytes, "bytes");
    table_caches(out, s, c);
    line(out, "cycles", c->cycles, "%.2f for an access", (double)c->cycles / accesses);
}

void result_table(FILE *out, const settings_t *s, const result_t *r)
{
    const sim_estimate_t *e = &r->estimate;
    unsigned i;
    table_machine(out, s);
    if (s->sample != 0) {
        (void)fprintf(out, "%-18s%16.0f   +- %.0f\n%-18s%16.0f   +- %.0f\n", "page faults", e->faults, e->faults_error,
                      "dirty evictions", e->dirty_evictions, e->dirty_evictions_error);
        (void)fprintf(out, "estimated from %g of the pages, %u samples; +- is the standard error\n", s->sample,
                      e->samples);
    } else if (s->show) {
        for (i = 0; i < count_count; i++)
            if (s->show >> i & 1) line(out, counts[i].name, value_of(&r->counts, &counts[i]), NULL);
    } else table_counts(out, s, &r->counts);
    if (r->partial) (void)fputs("partial: interrupted before the end of the trace\n", out);
}

/* ------------------------------------------------------------------ the table of a sweep -- */

/* Columns of the swept keys: as wide as most values are. */
static int column(const option_t *o)
{
    const int length = (int)strlen(o->name);
    const int least = o->type == OPTION_CACHE ? 12 : o->type == OPTION_POLICY ? 10 : 8;
    return length > least ? length : least;
}

void result_row_head(FILE *out, const settings_t *s, const option_t *const *swept, unsigned count)
{
    unsigned i;
    for (i = 0; i < count; i++) (void)fprintf(out, "%*s  ", column(swept[i]), swept[i]->name);
    if (s->sample != 0) (void)fprintf(out, "%12s %10s %12s %10s\n", "faults", "+-", "dirty", "+-");
    else if (s->show) {
        for (i = 0; i < count_count; i++)
            if (s->show >> i & 1) (void)fprintf(out, " %15s", counts[i].name);
        (void)putc('\n', out);
    } else
        (void)fprintf(out, "%12s %12s %12s %11s %11s %14s\n", "faults", "% of acc.", "dirty evict.", "TLB hit %",
                      "cache hit %", "cycles/access");
}

/* A value in a column, flushed right. */
static void row_option(FILE *out, const settings_t *s, const option_t *o)
{
    char text[64] = "";
    FILE *memory = fmemopen(text, sizeof text, "w");
    if (memory) {
        option_print(memory, s, o, false);
        (void)fclose(memory);
    }
    (void)fprintf(out, "%*s  ", column(o), text);
}

void result_row(FILE *out, const settings_t *s, const option_t *const *swept, unsigned count, const result_t *r)
{
    const sim_counts_t *c = &r->counts;
    const sim_estimate_t *e = &r->estimate;
    unsigned i;
    for (i = 0; i < count; i++) row_option(out, s, swept[i]);
    if (s->sample != 0)
        (void)fprintf(out, "%12.0f %10.0f %12.0f %10.0f\n", e->faults, e->faults_error, e->dirty_evictions,
                      e->dirty_evictions_error);
    else if (s->show) {
        for (i = 0; i < count_count; i++)
            if (s->show >> i & 1) (void)fprintf(out, " %15" PRIu64, value_of(c, &counts[i]));
        (void)putc('\n', out);
    } else {
        (void)fprintf(out, "%12" PRIu64 " %12.4f %12" PRIu64, c->faults, percent(c->faults, c->accesses),
                      c->dirty_evictions);
        if (s->sim.tlb_sets) (void)fprintf(out, " %11.3f", percent(c->tlb_hits, c->tlb_hits + c->tlb_misses));
        else (void)fprintf(out, " %11s", "-");
        if (s->sim.cache[0].sets)
            (void)fprintf(out, " %11.3f", percent(c->cache_hits[0], c->cache_hits[0] + c->cache_misses[0]));
        else (void)fprintf(out, " %11s", "-");
        (void)fprintf(out, " %14.2f\n", c->accesses ? (double)c->cycles / (double)c->accesses : 0);
    }
}

/* -------------------------------------------------------------------------- progress -- */

static struct progress {
    double started, next; /* next: when the next line is due */
    bool on_line;         /* the terminal's line is ours */
} progress;

double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_show(const settings_t *s, const char *what, double part)
{
    const double now = seconds_now();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    char rest[60] = "";
    double passed;
    if (progress.started == 0) {
        progress.started = now;
        progress.next = now + (terminal ? 0.3 : 2);
    }
    if (s->quiet || now < progress.next) return;
    passed = now - progress.started;
    progress.next = terminal ? now + 0.2 : now + passed;
    if (part > 0) (void)snprintf(rest, sizeof rest, ", %.0f %%, %.0f s to go", 100 * part, passed / part - passed);
    (void)fprintf(stderr, terminal ? "\r\033[Kvmmsim: %s%s" : "vmmsim: %s%s\n", what, rest);
    (void)fflush(stderr);
    progress.on_line = terminal;
}

void progress_end(void)
{
    if (progress.on_line) (void)fputs("\r\033[K", stderr);
    progress.on_line = false;
}
