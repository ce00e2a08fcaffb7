/* main.c - vmmsim: a trace of memory references, through a machine that options describe.
 *
 *     cc -O2 -std=c11 -I. -o build/vmmsim examples/vmmsim/(all).c -lz -lzstd -pthread -lm
 *     build/vmmsim --help
 *
 * Exit status: 0; 1: a trace is bad, or something could not be done; 2: options are, or contradict each other;
 * 128 + signal: interrupted, with partial results. Errors are one sentence on standard error. */
#define _POSIX_C_SOURCE 200809L
#include "map.h"
#include "sweep.h"

#include <inttypes.h>
#include <unistd.h>

#define BATCH 4096

/* ------------------------------------------------------------------------ one machine -- */

static void result_print(const settings_t *s, const result_t *r)
{
    if (s->json) result_json(stdout, s, r);
    else if (s->csv) {
        result_csv_head(stdout, s);
        result_csv(stdout, s, r);
    } else result_table(stdout, s, r);
}

/* "NAME: reference N: why", for one trace or several. */
static int reference_failed(const settings_t *s, uint64_t number, const char *why, char error[SIM_ERROR])
{
    const char *name = strcmp(s->traces[0], "-") == 0 ? "standard input" : s->traces[0];
    (void)snprintf(error, SIM_ERROR, "%.80s: reference %" PRIu64 ": %.120s", s->trace_count > 1 ? "the traces" : name,
                   number, why);
    return RUN_FAILED;
}

/* All references of the source, as they are read. */
static int stream(const settings_t *s, sim_t *machine, sim_source_t *source, result_t *r, char error[SIM_ERROR])
{
    static trace_ref_t refs[BATCH];
    char why[SIM_ERROR], what[60];
    uint64_t number = 0;
    unsigned process, batches = 0;
    size_t got, i;
    error[0] = '\0';
    while (!stopped() && (got = source_read(source, refs, BATCH, &process, error)) != 0) {
        for (i = 0; i < got; i++)
            if (!sim_reference(machine, &refs[i], process, why)) return reference_failed(s, number + i + 1, why, error);
        number += got;
        if (++batches % 64 != 0) continue;
        (void)snprintf(what, sizeof what, "%" PRIu64 " references", number);
        progress_show(s, what, source_part(source));
    }
    progress_end();
    if (error[0] != '\0' && !stopped()) return RUN_FAILED;
    r->done = !stopped();
    r->partial = !r->done;
    return RUN_DONE;
}

static int run_stream(const settings_t *s, char error[SIM_ERROR])
{
    const source_rules_t rules = settings_rules(s);
    sim_source_t *source;
    sim_t *machine = sim_open(&s->sim, NULL, error);
    result_t r;
    int status;
    if (!machine) return RUN_CONTRADICTED;
    memset(&r, 0, sizeof r);
    source = source_open_turns(s->traces, s->trace_count, &rules, error);
    status = source ? stream(s, machine, source, &r, error) : RUN_FAILED;
    if (status == RUN_DONE) {
        sim_count(machine, &r.counts);
        result_print(s, &r);
    }
    source_close(source);
    sim_close(machine);
    return status;
}

/* One look of --timeline, as a line. */
static void look(void *user, const sim_t *machine)
{
    const settings_t *s = (const settings_t *)user;
    sim_counts_t c;
    sim_count(machine, &c);
    printf(s->json ? "{\"access\":%" PRIu64 ",\"resident\":%" PRIu64 ",\"faults\":%" PRIu64 ",\"tlb_hits\":%" PRIu64
                     ",\"accesses\":%" PRIu64 ",\"dirty_evictions\":%" PRIu64 ",\"references\":%" PRIu64 "}\n"
                   : "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
           c.accesses, c.resident, c.faults, c.tlb_hits, c.accesses, c.dirty_evictions, c.references);
}

/* With the whole trace in memory: for OPT, a sample, a timeline. */
static int run_loaded(settings_t *s, char error[SIM_ERROR])
{
    static trace_list_t lists[SIM_PROCESSES];
    sim_future_t *future = NULL;
    uint64_t total = 0, every = UINT64_MAX;
    result_t r;
    unsigned i;
    int status = lists_load(s, lists, error);
    memset(&r, 0, sizeof r);
    for (i = 0; i < s->trace_count; i++) total += lists[i].count;
    if (status == RUN_DONE && strcmp(s->sim.policy, "opt") == 0 && s->sample == 0 &&
        !(future = sim_future(&s->sim, &lists[0]))) {
        (void)snprintf(error, SIM_ERROR, "no memory for what OPT must know of the trace");
        status = RUN_FAILED;
    }
    if (status == RUN_DONE && s->timeline != 0) {
        every = (total + s->timeline - 1) / s->timeline;
        if (!s->json) printf("access,resident,faults,tlb_hits,accesses,dirty_evictions,references\n");
    }
    if (status == RUN_DONE && s->sample != 0) {
        r.done = sample_run(&s->sim, &lists[0], s->sample, stopped, &r.estimate, error);
        status = r.done ? RUN_DONE : RUN_FAILED;
    } else if (status == RUN_DONE) status = run_lists(s, lists, future, every, s->timeline ? look : NULL, s, &r, error);
    if (status == RUN_DONE && s->timeline == 0) result_print(s, &r);
    else if (status == RUN_DONE && r.partial) printf(s->json ? "{\"partial\":true}\n" : "# partial\n");
    sim_future_free(future);
    lists_free(lists);
    return status;
}

static int run_one(settings_t *s, char error[SIM_ERROR])
{
    int status;
    stop_install(true);
    if (s->sample != 0 || s->timeline != 0 || strcmp(s->sim.policy, "opt") == 0) status = run_loaded(s, error);
    else status = run_stream(s, error);
    if (!stopped()) return status;
    (void)snprintf(error, SIM_ERROR, status == RUN_DONE ? "interrupted: the results are partial" : "interrupted");
    return stop_status();
}

/* ------------------------------------------------------------------- looking at steps -- */

static int run_looking(const settings_t *s, char error[SIM_ERROR])
{
    const source_rules_t rules = settings_rules(s);
    sim_source_t *source = source_open_turns(s->traces, s->trace_count, &rules, error);
    int status;
    if (!source) return RUN_FAILED;
    if (s->map != 0) status = map_run(&s->sim, source, (unsigned)s->map, s->json);
    else status = explain_run(&s->sim, source, s->json, s->interactive);
    source_close(source);
    return status;
}

/* -------------------------------------------------------------------------- the report -- */

/* A file that comes with the program: beside it, or in the sources as seen from their build/. */
static bool find_beside(const char *program, const char *const places[2], char *path, size_t bytes)
{
    char self[1024];
    const ssize_t got = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *slash;
    int directory;
    size_t i;
    if (got > 0) self[got] = '\0';
    else (void)snprintf(self, sizeof self, "%s", program);
    slash = strrchr(self, '/');
    directory = slash ? (int)(slash - self) + 1 : 0;
    for (i = 0; i < 2; i++)
        if ((size_t)snprintf(path, bytes, "%.*s%s", directory, self, places[i]) < bytes && access(path, R_OK) == 0)
            return true;
    return false;
}

/* The arguments of report.py. */
typedef struct arguments {
    const char *at[4 * OPTIONS_MOST];
    unsigned count;
    char frames[24];
    bool no_memory;
} arguments_t;

static void argument(arguments_t *a, const char *name, const char *value)
{
    a->at[a->count++] = name;
    a->at[a->count++] = value;
}

/* Three texts as one word. */
static const char *joined(arguments_t *a, const char *first, const char *second, const char *third)
{
    const size_t bytes = strlen(first) + strlen(second) + strlen(third) + 1;
    char *word = (char *)malloc(bytes); /* it goes with this program, which becomes another */
    a->no_memory = a->no_memory || !word;
    if (!word) return "";
    (void)snprintf(word, bytes, "%s%s%s", first, second, third);
    return word;
}

/* A file's name that does not look like an option. */
static const char *file_name(arguments_t *a, const char *name)
{
    return name[0] == '-' ? joined(a, "./", name, "") : name;
}

/* "--set KEY=VALUE": the machine and the trace are as they were asked for here. */
static void argument_set(arguments_t *a, const char *key, const char *value)
{
    argument(a, "--set", joined(a, key, "=", value));
}

static void report_arguments(arguments_t *a, const settings_t *s, const char *program)
{
    unsigned i;
    argument(a, "--vmmsim", program);
    argument(a, "--out", file_name(a, s->report));
    for (i = 0; i < s->config_count && s->preset_count != 0; i++) argument_set(a, "config", s->configs[i]);
    for (i = 0; i < option_count; i++) {
        const char *const name = options[i].name, *const value = s->text[i];
        if (!value || !option_is_command(&options[i])) continue;
        if (strcmp(name, "frames") == 0) {
            (void)snprintf(a->frames, sizeof a->frames, "%" PRIu64, s->sim.frames);
            argument(a, "--frames", a->frames);
        } else if (strcmp(name, "policy") == 0) argument(a, "--policy", value);
        else argument_set(a, name, value);
    }
}

static int run_report(const settings_t *s, const char *program, char error[SIM_ERROR])
{
    static const char *const reports[2] = {"report.py", "../examples/vmmsim/report.py"};
    static const char *const fragmentations[2] = {"fragmentation", "../build/fragmentation"};
    static arguments_t a;
    static char path[1200], fragmentation[1200];
    const char *named = getenv("VMMSIM_REPORT");
    char *copies[4 * OPTIONS_MOST];
    if (s->trace_count != 1 || strcmp(s->traces[0], "-") == 0) {
        (void)snprintf(error, SIM_ERROR, "report: one trace in a file is needed, as it is read several times");
        return RUN_CONTRADICTED;
    }
    if (named && named[0] != '\0') (void)snprintf(path, sizeof path, "%s", named);
    else if (!find_beside(program, reports, path, sizeof path)) {
        (void)snprintf(error, SIM_ERROR, "report.py is not beside the program: name it in VMMSIM_REPORT");
        return RUN_FAILED;
    }
    argument(&a, "python3", path);
    report_arguments(&a, s, program);
    if (find_beside(program, fragmentations, fragmentation, sizeof fragmentation))
        argument(&a, "--fragmentation", fragmentation);
    argument(&a, "--", file_name(&a, s->traces[0]));
    if (a.no_memory) {
        (void)snprintf(error, SIM_ERROR, "report: no memory for the arguments of report.py");
        return RUN_FAILED;
    }
    memset(copies, 0, sizeof copies);
    memcpy(copies, a.at, a.count * sizeof *copies); /* execvp changes none of them */
    (void)execvp("python3", copies);
    (void)snprintf(error, SIM_ERROR, "report: python3 cannot be run");
    return RUN_FAILED;
}

/* ------------------------------------------------------------------------------- main -- */

/* No trace: standard input, unless somebody sits there. */
static bool default_trace(settings_t *s, char error[SIM_ERROR])
{
    unsigned i, standard = 0;
    if (s->trace_count == 0 && (isatty(STDIN_FILENO) || s->interactive)) {
        (void)snprintf(error, SIM_ERROR, "no trace is named (vmmsim --help tells more)");
        return false;
    }
    if (s->trace_count == 0) s->traces[s->trace_count++] = "-";
    for (i = 0; i < s->trace_count; i++) standard += strcmp(s->traces[i], "-") == 0;
    if (standard > 1 || (standard == 1 && s->interactive)) {
        (void)snprintf(error, SIM_ERROR, "standard input cannot be %s",
                       s->interactive ? "the trace, as interactive reads commands from it" : "two traces");
        return false;
    }
    return true;
}

static int run(settings_t *s, int argc, char **argv, char error[SIM_ERROR])
{
    if (!settings_read(s, argc, argv, error)) return RUN_CONTRADICTED;
    if (s->help) {
        options_help(s->help == 2);
        return RUN_DONE;
    }
    if (!default_trace(s, error) || !settings_check(s, error)) return RUN_CONTRADICTED;
    if (s->report) return run_report(s, argv[0], error);
    if (s->sweep) return sweep_run(s, argv[0], error);
    if (s->explain || s->interactive || s->map != 0) return run_looking(s, error);
    return run_one(s, error);
}

int main(int argc, char **argv)
{
    static settings_t settings;
    char error[SIM_ERROR] = "";
    unsigned i;
    int status = run(&settings, argc, argv, error);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)snprintf(error, SIM_ERROR, "the results could not be written");
        if (status == RUN_DONE) status = RUN_FAILED;
    } else if (status == RUN_DONE) error[0] = '\0';
    if (error[0] != '\0') (void)fprintf(stderr, "vmmsim: %s\n", error);
    for (i = 0; i < CONFIGS_MOST; i++) free(settings.config_texts[i]);
    free(settings.presets);
    return status;
}
