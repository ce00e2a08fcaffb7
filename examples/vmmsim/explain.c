/* explain.c - a trace step by step: as text, as JSON, or in a dialogue that also goes back.
 *
 * Text: one block for each access (explain_text.c), then what was counted and, of a short trace on few frames, the
 * table in which reference strings are solved.
 *
 * JSON: one object in a line for each access. Numbers are integers; null is said below.
 *
 *   access          number of the access, from 1
 *   reference       {"number", "kind": "fetch"|"load"|"store"|"modify", "address", "size"}: the trace's, from 1; a
 *                   modify and a reference that crosses pages are several accesses
 *   process         0 or more
 *   kind            "read", "write" or "fetch"
 *   va, vpn, vpo    the address and its page
 *   tlb             null without a TLB; else {"tlbi", "tlbi_bits", "tlbt", "hit", "set"}; set: [[tag, PPN], ...] as it
 *                   was found, most recently used first, or null in the second access of one reference to the same set
 *   walk            [{"level", "bits", "table", "index", "pte_addr", "pte", "valid"}, ...] from the top; empty after a
 *                   TLB hit, unless the dirty bit had to be set; bits: of the index; table: its address
 *   found           what the tables said before anything was served: "done" or the rule that failed
 *   fault, invalid  true or false: a page was brought in; the access was given up
 *   victim          null or {"vpn", "dirty"}: the page that left for it
 *   ppn, pa         where the address led; null when invalid
 *   caches          [{"co", "ci", "ct", "hit", "filled", "evicted", "written_back", "passed", "synonym", "way",
 *                   "victim"}, ...] nearest first, those that were asked; victim: null or its physical address
 *   byte            what the first cache holds there; null: not known
 *   cycles          by the cost model
 *   frames          [VPN or null, ...] after the access: of frame first-frame, the next ...
 *   processes       [process, ...] of the same frames, only when there are several
 *   policy          the policy's state in words after the whole reference, "" where it has none to show
 *
 * Dialogue: commands are read from standard input, a line each: n or nothing (next), b (back), g N (to reference N; 0
 * is the beginning), p (print again), q. vmm_history keeps what each reference changed in the engine's one block. What
 * lies further back than KEPT references is reached by running again from the beginning. */
#include "explain.h"
#include "input.h"

#include <inttypes.h>
#include <unistd.h>

#define KEPT 1000                       /* references that can be gone back over at once */
#define CHANGES ((uint64_t)1 << 19)     /* bytes for what they changed */
#define MOST (2 * (TRACE_SIZE_MAX + 1)) /* accesses of one reference */

typedef struct explain {
    explain_view_t view;
    sim_t *sim;
    sim_source_t *source;
    bool json;
    trace_list_t refs; /* all that were read so far, but for those dropped */
    uint8_t *process;  /* whose they are */
    size_t process_room;
    uint64_t here;             /* references that are behind us */
    uint64_t dropped;          /* of them, those that are not in refs any more: nobody goes back there */
    explain_column_t *columns; /* the table; null: it would be too large */
    unsigned column_count;
    vmm_history_t *history; /* of the dialogue */
    uint64_t base;          /* references before its mark 0 */
    uint64_t watched;       /* bytes of the engine that it watches: more when there are more page tables */
    void *beginning;        /* the engine before the first reference */
    size_t beginning_bytes;
    char error[SIM_ERROR];
} explain_t;

/* -- what is there -- */

static bool no_memory(explain_t *e)
{
    (void)snprintf(e->error, SIM_ERROR, "there is no memory for the explanation");
    return false;
}

static bool make_room(explain_t *e, explain_frames_t *f, size_t room)
{
    uint64_t *vpn = (uint64_t *)realloc(f->vpn, room * sizeof *vpn);
    uint8_t *process = (uint8_t *)realloc(f->process, room);
    if (vpn) f->vpn = vpn;
    if (process) f->process = process;
    if (!vpn || !process) return no_memory(e);
    f->room = room;
    return true;
}

/* Notes which page each frame holds. */
static bool note_frames(explain_t *e, explain_frames_t *f)
{
    for (;;) {
        f->count = sim_frames(e->sim, f->vpn, f->process, f->room);
        if (f->count <= f->room) return true;
        if (!make_room(e, f, f->count)) return false;
    }
}

/* Notes the set of the TLB that an address will be looked for in. */
static void note_set(explain_t *e, uint64_t va)
{
    const sim_config_t *c = e->view.config;
    explain_set_t *set = &e->view.set[e->view.sets];
    set->vpn = va >> c->page_shift;
    set->fetches = c->tlb_split && e->view.ref.kind == TRACE_FETCH;
    set->count = sim_tlb_set(e->sim, set->fetches, (unsigned)(set->vpn & (c->tlb_sets - 1)), set->tag, set->ppn, 64);
    e->view.sets++;
}

static bool note_before(explain_t *e)
{
    explain_view_t *v = &e->view;
    const uint64_t last = v->ref.address + (v->ref.size ? v->ref.size - 1 : 0);
    v->sets = 0;
    if (v->config->tlb_sets) note_set(e, v->ref.address);
    if (v->config->tlb_sets && last >> v->config->page_shift != v->ref.address >> v->config->page_shift)
        note_set(e, last);
    sim_policy_text(e->sim, v->policy_before, sizeof v->policy_before);
    return note_frames(e, &v->now);
}

/* The frames as an access left them that is not the last of its reference: its page came, the victim went. */
static bool apply_step(explain_t *e, const sim_step_t *step)
{
    explain_frames_t *now = &e->view.now;
    const uint64_t i = step->ppn - e->view.config->first_frame;
    if (!step->fault || step->invalid) return true;
    if (i >= now->room && !make_room(e, now, (size_t)i + 1)) return false;
    for (; now->count <= i; now->count++) {
        now->vpn[now->count] = UINT64_MAX;
        now->process[now->count] = 0;
    }
    now->vpn[i] = step->before.vpn;
    now->process[i] = step->process;
    return true;
}

static bool copy_frames(explain_t *e)
{
    explain_view_t *v = &e->view;
    const explain_frames_t *from = &v->now;
    explain_frames_t *to = &v->before;
    if (to->room < from->count && !make_room(e, to, from->count)) return false;
    to->count = from->count;
    if (!from->count) return true;
    memcpy(to->vpn, from->vpn, from->count * sizeof *to->vpn);
    memcpy(to->process, from->process, from->count);
    return true;
}

/* -- JSON -- */

static void json_flag(const char *name, bool value)
{
    printf(",\"%s\":%s", name, value ? "true" : "false");
}

static void json_tlb(const explain_view_t *v, int i)
{
    const vmm_examination_t *x = &v->steps[i].before;
    const explain_set_t *set = explain_set_of(v, i);
    unsigned way;
    if (!x->has_tlb) {
        fputs(",\"tlb\":null", stdout);
        return;
    }
    printf(",\"tlb\":{\"tlbi\":%" PRIu64 ",\"tlbi_bits\":%u,\"tlbt\":%" PRIu64 ",\"hit\":%s,\"set\":", x->tlbi,
           (unsigned)x->tlbi_bits, x->tlbt, x->tlb_hit ? "true" : "false");
    if (!set) {
        fputs("null}", stdout);
        return;
    }
    putchar('[');
    for (way = 0; way < set->count; way++)
        printf("%s[%" PRIu64 ",%" PRIu64 "]", way ? "," : "", set->tag[way], set->ppn[way]);
    fputs("]}", stdout);
}

static void json_walk(const vmm_examination_t *x)
{
    unsigned i;
    fputs(",\"walk\":[", stdout);
    for (i = 0; i < x->steps; i++) {
        const vmm_step_t *step = &x->step[i];
        printf("%s{\"level\":%u,\"bits\":%u,\"table\":%" PRIu64 ",\"index\":%" PRIu32 ",\"pte_addr\":%" PRIu64
               ",\"pte\":%" PRIu64 ",\"valid\":%s}",
               i ? "," : "", (unsigned)step->level, (unsigned)x->paging->index_bits[step->level],
               step->pte_addr - (uint64_t)step->index * x->paging->pte_bytes, step->index, step->pte_addr, step->pte,
               step->pte & x->paging->valid ? "true" : "false");
    }
    printf("],\"found\":\"%s\"", x->status == VMM_OK ? vmm_status_text(VMM_OK) : vmm_rule_text(x->fault.rule));
}

static void json_caches(const sim_step_t *s)
{
    unsigned i;
    fputs(",\"caches\":[", stdout);
    for (i = 0; i < SIM_CACHES && s->cache[i].asked; i++) {
        const vmm_cache_step_t *c = &s->cache[i];
        printf("%s{\"co\":%" PRIu64 ",\"ci\":%" PRIu64 ",\"ct\":%" PRIu64 ",\"way\":%u", i ? "," : "", c->co, c->ci,
               c->ct, (unsigned)c->way);
        json_flag("hit", c->hit);
        json_flag("filled", c->filled);
        json_flag("evicted", c->evicted);
        json_flag("written_back", c->written_back);
        json_flag("passed", c->passed);
        json_flag("synonym", c->synonym);
        if (c->evicted) printf(",\"victim\":%" PRIu64 "}", c->victim);
        else fputs(",\"victim\":null}", stdout);
    }
    putchar(']');
}

static void json_frames(const explain_view_t *v)
{
    size_t i;
    fputs(",\"frames\":[", stdout);
    for (i = 0; i < v->now.count; i++) {
        if (i) putchar(',');
        if (v->now.vpn[i] == UINT64_MAX) fputs("null", stdout);
        else printf("%" PRIu64, v->now.vpn[i]);
    }
    putchar(']');
    if (!v->processes) return;
    fputs(",\"processes\":[", stdout);
    for (i = 0; i < v->now.count; i++) printf("%s%u", i ? "," : "", (unsigned)v->now.process[i]);
    putchar(']');
}

static void json_policy(const char *text)
{
    fputs(",\"policy\":\"", stdout);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    puts("\"}");
}

static void show_json(const explain_view_t *v, int i)
{
    static const char *const kinds[] = {"fetch", "load", "store", "modify"};
    const sim_step_t *s = &v->steps[i];
    printf("{\"access\":%" PRIu64 ",\"reference\":{\"number\":%" PRIu64 ",\"kind\":\"%s\",\"address\":%" PRIu64
           ",\"size\":%" PRIu32 "},\"process\":%u,\"kind\":\"%s\",\"va\":%" PRIu64 ",\"vpn\":%" PRIu64
           ",\"vpo\":%" PRIu64,
           s->access, v->number, kinds[v->ref.kind & 3], v->ref.address, v->ref.size, (unsigned)s->process,
           vmm_access_text(s->kind), s->va, s->before.vpn, s->before.vpo);
    json_tlb(v, i);
    json_walk(&s->before);
    json_flag("fault", s->fault);
    json_flag("invalid", s->invalid);
    if (s->evicted)
        printf(",\"victim\":{\"vpn\":%" PRIu64 ",\"dirty\":%s}", s->victim, s->victim_dirty ? "true" : "false");
    else fputs(",\"victim\":null", stdout);
    if (s->invalid) fputs(",\"ppn\":null,\"pa\":null", stdout);
    else printf(",\"ppn\":%" PRIu64 ",\"pa\":%" PRIu64, s->ppn, s->pa);
    json_caches(s);
    if (s->byte >= 0) printf(",\"byte\":%d", s->byte);
    else fputs(",\"byte\":null", stdout);
    printf(",\"cycles\":%" PRIu64, s->cycles);
    json_frames(v);
    json_policy(v->policy);
}

/* -- one reference -- */

/* The next one, read when it is needed. False: the end, or an error. */
static bool read_next(explain_t *e)
{
    trace_ref_t ref;
    const size_t n = (size_t)(e->here - e->dropped);
    if (n < e->refs.count) return true;
    if (source_next(e->source, &ref, e->error) <= 0) return false;
    if (n == e->process_room) {
        const size_t room = n ? 2 * n : 1024;
        uint8_t *more = (uint8_t *)realloc(e->process, room);
        if (!more) return no_memory(e);
        e->process = more;
        e->process_room = room;
    }
    e->process[n] = (uint8_t)source_process(e->source);
    if (e->process[n]) e->view.processes = true;
    return trace_list_add(&e->refs, ref) ? true : no_memory(e);
}

static bool reference_failed(explain_t *e, const char *why)
{
    (void)snprintf(e->error, SIM_ERROR, "reference %" PRIu64 " of the trace: %.200s", e->here + 1, why);
    return false;
}

/* Makes the next reference without a word. */
static bool run_quietly(explain_t *e)
{
    char why[SIM_ERROR];
    const size_t n = (size_t)(e->here - e->dropped);
    if (!sim_reference(e->sim, &e->refs.refs[n], e->process[n], why)) return reference_failed(e, why);
    e->here++;
    return true;
}

static void add_column(explain_t *e, const sim_step_t *s)
{
    const explain_frames_t *now = &e->view.now;
    explain_column_t *c;
    size_t i;
    if (!e->columns) return;
    if (e->column_count == EXPLAIN_COLUMNS || now->count > EXPLAIN_ROWS) { /* not a short one */
        free(e->columns);
        e->columns = NULL;
        return;
    }
    c = &e->columns[e->column_count++];
    c->page = s->before.vpn;
    c->process = s->process;
    c->fault = s->fault;
    c->invalid = s->invalid;
    for (i = 0; i < now->count; i++) {
        c->frame[i] = now->vpn[i];
        c->owner[i] = now->process[i];
    }
}

/* Makes the next reference and shows each of its accesses. */
static bool show_next(explain_t *e)
{
    explain_view_t *v = &e->view;
    const size_t n = (size_t)(e->here - e->dropped);
    char why[SIM_ERROR];
    int i;
    v->ref = e->refs.refs[n];
    v->number = e->here + 1;
    if (!note_before(e)) return false;
    v->count = sim_explain(e->sim, &v->ref, e->process[n], v->steps, MOST, why);
    if (v->count < 0) return reference_failed(e, why);
    sim_policy_text(e->sim, v->policy, sizeof v->policy);
    for (i = 0; i < v->count; i++) {
        if (!copy_frames(e)) return false;
        if (!(i + 1 < v->count ? apply_step(e, &v->steps[i]) : note_frames(e, &v->now))) return false;
        if (e->json) show_json(v, i);
        else explain_text(v, i);
        add_column(e, &v->steps[i]);
    }
    e->here++;
    return true;
}

/* -- from beginning to end -- */

static void summary(const explain_t *e)
{
    const sim_config_t *c = e->view.config;
    sim_counts_t n;
    unsigned i;
    if (e->columns && e->column_count && e->view.now.count)
        explain_table(e->columns, e->column_count, e->view.now.count, (unsigned)(c->vaddr_bits - c->page_shift),
                      e->view.processes);
    sim_count(e->sim, &n);
    printf("%" PRIu64 " references, %" PRIu64 " accesses (%" PRIu64 " fetches, %" PRIu64 " reads, %" PRIu64
           " writes) to %" PRIu64 " pages\n",
           n.references, n.accesses, n.fetches, n.reads, n.writes, n.pages);
    printf("%s: %" PRIu64 " faults, %" PRIu64 " evictions, %" PRIu64 " of them of dirty pages\n", c->policy, n.faults,
           n.evictions, n.dirty_evictions);
    if (n.invalid) printf("%" PRIu64 " accesses were given up\n", n.invalid);
    if (c->tlb_sets)
        printf("TLB: %" PRIu64 " hits, %" PRIu64 " misses; %" PRIu64 " entries read by walks\n", n.tlb_hits,
               n.tlb_misses, n.walk_steps);
    for (i = 0; i < SIM_CACHES && c->cache[i].sets; i++)
        printf("L%u: %" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64 " blocks written back\n", i + 1, n.cache_hits[i],
               n.cache_misses[i], n.cache_writebacks[i]);
    printf("%" PRIu64 " cycles\n", n.cycles);
}

static bool run_through(explain_t *e)
{
    while (!ferror(stdout) && read_next(e)) { /* when nobody listens, the caller says so */
        if (!show_next(e)) return false;
        if (e->here - e->dropped < e->refs.count) continue; /* the rest is there already */
        e->dropped = e->here;
        e->refs.count = 0;
    }
    if (e->error[0]) return false;
    if (!e->json) summary(e);
    return true;
}

/* -- the dialogue -- */

/* A history that begins at what the engine is now. */
static bool begin_here(explain_t *e)
{
    const uint64_t engine = sim_bytes(e->sim), bytes = vmm_history_bytes(engine, 1, engine / 8 * 9 + CHANGES);
    void *block;
    e->base = e->here;
    if (e->history && engine == e->watched) {
        vmm_history_begin(e->history);
        return true;
    }
    block = malloc((size_t)bytes);
    if (!block) return no_memory(e);
    free(e->history);
    e->watched = engine;
    return vmm_history_create(block, bytes, &e->history) == VMM_OK &&
           vmm_history_watch(e->history, e->sim, engine) == VMM_OK;
}

/* Ends a step of the history, which has room for it even if all changed. When page tables were added, one begins. */
static bool mark(explain_t *e)
{
    return sim_bytes(e->sim) == e->watched ? vmm_history_mark(e->history) == VMM_OK : begin_here(e);
}

/* Puts the engine to the state after reference `to`, or after the last one, if the trace ends before. */
static bool go(explain_t *e, uint64_t to)
{
    if (to < e->base + e->history->forgotten) {
        memcpy(e->sim, e->beginning, e->beginning_bytes);
        e->here = 0;
        if (!begin_here(e)) return false;
    } else {
        const uint64_t newest = e->base + e->history->last;
        e->here = to < newest ? to : newest;
        (void)vmm_history_go(e->history, e->here - e->base);
    }
    if (to - e->here > KEPT) {
        while (to - e->here > KEPT && read_next(e))
            if (!run_quietly(e)) return false;
        if (!begin_here(e)) return false;
    }
    while (e->here < to && read_next(e))
        if (!run_quietly(e) || !mark(e)) return false;
    return e->error[0] == '\0';
}

/* Shows reference `to` as it is made. The history still stands before it, and what follows in it stays there: the next
 * command takes up from that. */
static bool show(explain_t *e, uint64_t to)
{
    if (to == 0) {
        if (!go(e, 0)) return false;
        if (!e->json) puts("at the beginning");
        return true;
    }
    if (!go(e, to - 1)) return false;
    if (!read_next(e)) {
        if (!e->json && !e->error[0]) printf("the trace ends after reference %" PRIu64 "\n", e->here);
        return e->error[0] == '\0';
    }
    return show_next(e);
}

/* One command. False: no more of them. */
static bool command(explain_t *e, const char *line)
{
    char word = 'n', number[20], more = '\0';
    const int got = sscanf(line, " %c %19[0-9] %c", &word, number, &more);
    if (word == 'g' && got == 2) return show(e, strtoull(number, NULL, 10));
    if (got < 2 && word == 'n') return show(e, e->here + 1);
    if (got < 2 && word == 'p') return show(e, e->here);
    if (got < 2 && word == 'b' && e->here) return show(e, e->here - 1);
    if (got < 2 && word == 'b') return show(e, 0);
    if (got < 2 && word == 'q') return false;
    fputs("n or an empty line: next reference; b: back; g N: to reference N; p: print again; q: quit\n", stderr);
    return true;
}

static bool dialogue(explain_t *e)
{
    const bool prompt = isatty(STDIN_FILENO) != 0;
    char line[256];
    e->beginning_bytes = sim_bytes(e->sim);
    e->beginning = malloc(e->beginning_bytes);
    if (!e->beginning) return no_memory(e);
    memcpy(e->beginning, e->sim, e->beginning_bytes);
    if (!begin_here(e)) return false;
    free(e->columns);
    e->columns = NULL;
    do {
        if (prompt) printf("%" PRIu64 "> ", e->here);
        (void)fflush(stdout);
    } while (fgets(line, (int)sizeof line, stdin) && command(e, line));
    return e->error[0] == '\0';
}

/* -- the whole -- */

static unsigned width_of_paddr(explain_t *e)
{
    const sim_config_t *c = e->view.config;
    const uint64_t last = c->first_frame + (c->frames ? c->frames : 1) - 1;
    unsigned bits = c->page_shift + 1u;
    if (c->paddr_bits) return c->paddr_bits;
    while (bits < 64 && last >> (bits - c->page_shift)) bits++;
    return bits;
}

/* OPT must know what comes: the whole trace is read first. */
static sim_future_t *read_future(explain_t *e)
{
    sim_future_t *future;
    while (read_next(e)) e->here++;
    e->here = 0;
    if (e->error[0]) return NULL;
    future = sim_future(e->view.config, &e->refs);
    if (!future) (void)no_memory(e);
    return future;
}

int explain_run(const sim_config_t *config, sim_source_t *source, bool json, bool interactive)
{
    explain_t *e = (explain_t *)calloc(1, sizeof *e);
    sim_future_t *future = NULL;
    bool done = false;
    int status;
    if (!e) return 1;
    e->view.config = config;
    e->source = source;
    e->json = json;
    e->view.paddr_bits = width_of_paddr(e);
    e->view.steps = (sim_step_t *)calloc(MOST, sizeof *e->view.steps);
    e->columns = (explain_column_t *)calloc(EXPLAIN_COLUMNS, sizeof *e->columns);
    if (!e->view.steps || !e->columns) (void)no_memory(e);
    else if (strcmp(config->policy, "opt") == 0) future = read_future(e);
    status = e->error[0] ? 1 : 2; /* the trace, or the configuration */
    if (!e->error[0]) e->sim = sim_open(config, future, e->error);
    if (e->sim) done = interactive ? dialogue(e) : run_through(e);
    (void)fflush(stdout);
    if (!done) fprintf(stderr, "vmmsim: %s\n", e->error[0] ? e->error : "it cannot be explained");
    if (e->sim) status = done ? 0 : 1;
    if (e->sim) sim_close(e->sim);
    sim_future_free(future);
    free(e->history);
    free(e->beginning);
    free(e->columns);
    free(e->process);
    free(e->refs.refs);
    free(e->view.steps);
    free(e->view.before.vpn);
    free(e->view.before.process);
    free(e->view.now.vpn);
    free(e->view.now.process);
    free(e);
    return status;
}
