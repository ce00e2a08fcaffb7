/* sweep.c - many configurations over one trace.
 *
 * A point is one value for each swept key, the last key's values fastest. The traces are loaded once; threads take the
 * points one after the other, each with a machine of its own, and the results are printed in the order of the points
 * as soon as all before them are there. Points that differ in `frames` alone, with policy=lru, are one pass over the
 * trace (stack_run) when nothing else is shown than what that pass knows. */
#define _POSIX_C_SOURCE 200809L
#include "sweep.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define AXES_MOST 8
#define VALUES_MOST 65000
#define POINTS_MOST 100000
#define SPAN 65536 /* references between two looks at whether to stop */

/* --------------------------------------------------------------------------- stopping -- */

static atomic_int stop_signal;

static void on_stop(int number)
{
    atomic_store(&stop_signal, number);
}

void stop_install(bool reading)
{
    struct sigaction action;
    if (stopped()) return; /* the next signal ends the program */
    memset(&action, 0, sizeof action);
    action.sa_handler = on_stop;
    action.sa_flags = (int)SA_RESETHAND | (reading ? 0 : SA_RESTART);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool stopped(void)
{
    return atomic_load_explicit(&stop_signal, memory_order_relaxed) != 0;
}

int stop_status(void)
{
    return 128 + atomic_load(&stop_signal);
}

/* ------------------------------------------------------------------------- one point -- */

int lists_load(const settings_t *s, trace_list_t lists[SIM_PROCESSES], char error[SIM_ERROR])
{
    const source_rules_t rules = settings_rules(s);
    unsigned i;
    memset(lists, 0, SIM_PROCESSES * sizeof *lists);
    stop_install(true);
    for (i = 0; i < s->trace_count && !stopped(); i++)
        if (!source_load_as(s->traces[i], &rules, &lists[i], stopped, error) && !stopped()) return RUN_FAILED;
    stop_install(false);
    if (!stopped()) return RUN_DONE;
    (void)snprintf(error, SIM_ERROR, "interrupted while the trace was read");
    return stop_status();
}

void lists_free(trace_list_t lists[SIM_PROCESSES])
{
    unsigned i;
    for (i = 0; i < SIM_PROCESSES; i++) free(lists[i].refs);
}

/* References made by all threads: for the progress. */
static atomic_ullong made;

/* Makes references until `look` is due, or there are no more. */
static int run_span(sim_t *machine, turns_t *turns, uint64_t most, uint64_t *number, char error[SIM_ERROR])
{
    char why[SIM_ERROR];
    const trace_ref_t *refs;
    unsigned process;
    size_t got, i;
    while (most != 0 && !stopped() && (got = turns_next(turns, most < SPAN ? most : SPAN, &refs, &process)) != 0) {
        for (i = 0; i < got; i++)
            if (!sim_reference(machine, &refs[i], process, why)) {
                (void)snprintf(error, SIM_ERROR, "reference %llu of the trace: %.200s",
                               (unsigned long long)(*number + i + 1), why);
                return RUN_FAILED;
            }
        *number += got;
        most -= got;
        atomic_fetch_add_explicit(&made, got, memory_order_relaxed);
    }
    return RUN_DONE;
}

int run_lists(const settings_t *s, const trace_list_t *lists, const sim_future_t *future, uint64_t every,
              sweep_look_t *look, void *user, result_t *r, char error[SIM_ERROR])
{
    turns_t turns;
    uint64_t total = 0, number = 0;
    unsigned i;
    int status = RUN_DONE;
    sim_t *machine = sim_open(&s->sim, future, error);
    if (!machine) return RUN_CONTRADICTED;
    memset(&turns, 0, sizeof turns);
    turns.lists = lists;
    turns.count = s->trace_count;
    turns.quantum = s->quantum;
    for (i = 0; i < s->trace_count; i++) total += lists[i].count;
    while (status == RUN_DONE && number < total && !stopped()) {
        status = run_span(machine, &turns, every, &number, error);
        if (look && status == RUN_DONE) look(user, machine);
    }
    sim_count(machine, &r->counts);
    r->done = number == total;
    r->partial = number != total;
    sim_close(machine);
    return status;
}

/* --------------------------------------------------------------------- what is swept -- */

typedef struct axis {
    const option_t *option;
    char **values; /* count of them */
    size_t count;
} axis_t;

/* OPT's future, for all points whose keys with OPTION_FUTURE have these texts. */
typedef struct future {
    struct future *next;
    sim_future_t *future;
    const char *text[OPTIONS_MOST];
} future_t;

/* Threads take one after the other: a point, or points that differ in the number of frames alone. */
typedef struct job {
    size_t point;
    bool stack;
} job_t;

typedef struct sweep {
    const settings_t *base;
    axis_t axes[AXES_MOST];
    unsigned axis_count;
    size_t points;
    int frames;          /* the axis of frames; -1: none */
    bool several_frames; /* it has more than one value, and none of them is 0 */
    trace_list_t lists[SIM_PROCESSES];
    uint64_t references; /* of all points */
    result_t *results;   /* one for each point */
    bool *ready;         /* one for each point, under the lock: its result is there */
    job_t *jobs;
    size_t job_count;
    /* what the threads share, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t change;
    size_t next;     /* job */
    size_t finished; /* points */
    unsigned running;
    int status;
    char error[SIM_ERROR];
    pthread_mutex_t future_lock;
    future_t *futures;
} sweep_t;

static bool axis_add(axis_t *axis, const settings_t *base, const char *text, size_t length, char error[SIM_ERROR])
{
    settings_t scratch = *base;
    char **more, *value;
    if (axis->count == VALUES_MOST) {
        (void)snprintf(error, SIM_ERROR, "sweep: %s has more than %d values", axis->option->name, VALUES_MOST);
        return false;
    }
    value = (char *)malloc(length + 1);
    more = (char **)realloc(axis->values, (axis->count + 1) * sizeof *more);
    if (more) axis->values = more;
    if (!value || !more) {
        free(value);
        (void)snprintf(error, SIM_ERROR, "no memory for a sweep");
        return false;
    }
    memcpy(value, text, length);
    value[length] = '\0';
    axis->values[axis->count++] = value;
    return option_set(&scratch, axis->option, value, error);
}

/* "a..b": a, 2a, 4a ...; "a..b+s": a, a + s ...; never more than b. */
static bool axis_range(axis_t *axis, const settings_t *base, const char *text, size_t length, char error[SIM_ERROR])
{
    char copy[100], number[32], *to, *step;
    uint64_t first, last, by = 0, value;
    (void)snprintf(copy, sizeof copy, "%.*s", length < 99 ? (int)length : 99, text);
    to = strstr(copy, "..");
    *to = '\0';
    to += 2;
    step = strchr(to, '+');
    if (step) *step++ = '\0';
    if (!number_read(copy, &first) || !number_read(to, &last) || (step && !number_read(step, &by))) {
        (void)snprintf(error, SIM_ERROR, "sweep: %s=%.*s is not a range a..b or a..b+s", axis->option->name,
                       length < 60 ? (int)length : 60, text);
        return false;
    }
    if (first > last || (step && by == 0) || (!step && first == 0)) {
        (void)snprintf(error, SIM_ERROR, "sweep: %s=%.*s has no end: %s", axis->option->name,
                       length < 60 ? (int)length : 60, text,
                       first > last ? "it must go up"
                       : step       ? "the step is 0"
                                    : "0 doubled is 0");
        return false;
    }
    for (value = first; value <= last; value = step ? value + by : 2 * value) {
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)value);
        if (!axis_add(axis, base, number, strlen(number), error)) return false;
        if (step ? value > UINT64_MAX - by : value > UINT64_MAX / 2) break;
    }
    return true;
}

/* One of "a|b|c": a range, policy=all, or a value. */
static bool axis_item(axis_t *axis, const settings_t *base, const char *text, size_t length, char error[SIM_ERROR])
{
    const uint8_t type = axis->option->type;
    unsigned i;
    if (type == OPTION_POLICY && length == 3 && strncmp(text, "all", 3) == 0) {
        for (i = 0; sim_policies[i]; i++)
            if (strcmp(sim_policies[i], "opt") != 0 &&
                !axis_add(axis, base, sim_policies[i], strlen(sim_policies[i]), error))
                return false;
        return true;
    }
    if ((type == OPTION_NUMBER || type == OPTION_POWER) && length > 2) {
        for (i = 0; i + 1 < length; i++)
            if (text[i] == '.' && text[i + 1] == '.') return axis_range(axis, base, text, length, error);
    }
    return axis_add(axis, base, text, length, error);
}

/* Where "KEY=VALUES" ends: a comma begins the next key only where a name and "=" follow, as index-bits has commas. */
static size_t axis_length(const char *text)
{
    size_t at = 0;
    for (;;) {
        at += strcspn(text + at, ",");
        if (text[at] == '\0') return at;
        if (text[at + 1 + strspn(text + at + 1, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '=') return at;
        at++;
    }
}

static bool axis_parse(sweep_t *w, const char *text, size_t length, char error[SIM_ERROR])
{
    axis_t *axis = &w->axes[w->axis_count];
    const size_t name = strcspn(text, "=,");
    size_t at = name + 1, i;
    if (name >= length || text[name] != '=') {
        (void)snprintf(error, SIM_ERROR, "sweep: \"%.*s\" is not KEY=VALUES", length < 60 ? (int)length : 60, text);
        return false;
    }
    axis->option = option_find(text, name, error);
    if (!axis->option) return false;
    if (!(axis->option->flags & OPTION_MACHINE)) {
        (void)snprintf(error, SIM_ERROR, "sweep: %s cannot be swept", axis->option->name);
        return false;
    }
    if (w->base->unit && strcmp(axis->option->name, "page") == 0) {
        (void)snprintf(error, SIM_ERROR, "sweep: page cannot be swept with unit=page, as its numbers are pages");
        return false;
    }
    for (i = 0; i < w->axis_count; i++)
        if (w->axes[i].option == axis->option) {
            (void)snprintf(error, SIM_ERROR, "sweep: %s stands there twice", axis->option->name);
            return false;
        }
    w->axis_count++;
    for (; at <= length; at++) {
        const size_t left = length - at, item = strcspn(text + at, "|");
        if (!axis_item(axis, w->base, text + at, item < left ? item : left, error)) return false;
        at += item < left ? item : left;
    }
    if (strcmp(axis->option->name, "frames") == 0) w->frames = (int)w->axis_count - 1;
    return true;
}

static bool sweep_parse(sweep_t *w, char error[SIM_ERROR])
{
    const char *text = w->base->sweep;
    w->points = 1;
    w->frames = -1;
    for (;;) {
        const size_t length = axis_length(text);
        if (w->axis_count == AXES_MOST) {
            (void)snprintf(error, SIM_ERROR, "sweep: there are more than %d keys", AXES_MOST);
            return false;
        }
        if (!axis_parse(w, text, length, error)) return false;
        w->points *= w->axes[w->axis_count - 1].count;
        if (w->points > POINTS_MOST) {
            (void)snprintf(error, SIM_ERROR, "sweep: there are more than %d points", POINTS_MOST);
            return false;
        }
        if (text[length] == '\0') return true;
        text += length + 1;
    }
}

/* How many points lie between two values of an axis. */
static size_t stride(const sweep_t *w, unsigned axis)
{
    size_t n = 1;
    while (++axis < w->axis_count) n *= w->axes[axis].count;
    return n;
}

/* The settings of a point. */
static bool point_settings(const sweep_t *w, size_t point, settings_t *s, char error[SIM_ERROR])
{
    char why[SIM_ERROR];
    unsigned i;
    *s = *w->base;
    for (i = 0; i < w->axis_count; i++) {
        const axis_t *axis = &w->axes[i];
        if (!option_set(s, axis->option, axis->values[point / stride(w, i) % axis->count], error)) return false;
    }
    s->sweep = NULL;
    s->commands = false;
    if (settings_check(s, why)) return true;
    (void)snprintf(error, SIM_ERROR, "point %zu of the sweep: %.200s", point + 1, why);
    return false;
}

/* ---------------------------------------------------------------------------- commands -- */

/* As a shell takes it for one word. */
static void print_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        (void)fputs(text, stdout);
        return;
    }
    (void)putchar('\'');
    for (; *text != '\0'; text++)
        if (*text == '\'') (void)fputs("'\\''", stdout);
        else (void)putchar(*text);
    (void)putchar('\'');
}

/* The command that runs one point and prints a line of JSON. */
static void print_command(const settings_t *s, const char *program)
{
    bool plain = false; /* a trace's name would be taken for an option */
    unsigned i;
    print_word(program);
    (void)fputs(" json=yes", stdout);
    for (i = 0; i < s->config_count && s->preset_count != 0; i++) {
        (void)fputs(i ? " --config " : " csv=no commands=no sweep=none --config ", stdout);
        print_word(s->configs[i]);
    }
    for (i = 0; i < option_count; i++) {
        const option_t *o = &options[i];
        if (!s->text[i] || !option_is_command(o)) continue;
        printf(" %s=", o->name);
        print_word(s->text[i]);
    }
    for (i = 0; i < s->trace_count; i++) plain = plain || s->traces[i][0] == '-' || strchr(s->traces[i], '=');
    if (plain) (void)fputs(" --", stdout);
    for (i = 0; i < s->trace_count; i++) {
        (void)putchar(' ');
        print_word(s->traces[i]);
    }
    (void)putchar('\n');
}

static int sweep_commands(const sweep_t *w, const char *program, char error[SIM_ERROR])
{
    settings_t s;
    size_t point;
    for (point = 0; point < w->base->trace_count; point++)
        if (strcmp(w->base->traces[point], "-") == 0) {
            (void)snprintf(error, SIM_ERROR, "commands: each point reads the trace, so standard input cannot be it");
            return RUN_CONTRADICTED;
        }
    for (point = 0; point < w->points; point++) {
        if (!point_settings(w, point, &s, error)) return RUN_CONTRADICTED;
        print_command(&s, program);
    }
    return RUN_DONE;
}

/* ------------------------------------------------------------------------------- jobs -- */

/* Can one pass answer for all numbers of frames at this point? */
static bool is_stack(const sweep_t *w, const settings_t *s)
{
    unsigned i;
    if (!w->several_frames || s->trace_count != 1 || s->sample != 0 || s->preset_count != 0 || s->sim.no_faults ||
        s->sim.frozen || !s->show || strcmp(s->sim.policy, "lru") != 0)
        return false;
    for (i = 0; i < count_count; i++)
        if ((s->show >> i & 1) && !counts[i].stack) return false;
    return true;
}

/* Does the axis of frames have values that one pass can answer for? */
static bool has_several_frames(const sweep_t *w)
{
    const axis_t *axis;
    uint64_t frames;
    size_t v;
    if (w->frames < 0) return false;
    axis = &w->axes[w->frames];
    for (v = 0; v < axis->count; v++)
        if (!number_read(axis->values[v], &frames) || frames == 0) return false;
    return axis->count > 1;
}

/* The jobs; fewer than all of them when stopped(), as then none will run. */
static bool sweep_plan(sweep_t *w, char error[SIM_ERROR])
{
    settings_t s;
    size_t point;
    unsigned i;
    w->results = (result_t *)calloc(w->points, sizeof *w->results);
    w->jobs = (job_t *)calloc(w->points, sizeof *w->jobs);
    w->ready = (bool *)calloc(w->points, sizeof *w->ready);
    if (!w->results || !w->jobs || !w->ready) {
        (void)snprintf(error, SIM_ERROR, "no memory for %zu points", w->points);
        return false;
    }
    w->several_frames = has_several_frames(w);
    for (point = 0; point < w->points && !stopped(); point++) {
        job_t job = {point, false};
        if (!point_settings(w, point, &s, error)) return false;
        job.stack = is_stack(w, &s);
        if (job.stack && point / stride(w, (unsigned)w->frames) % w->axes[w->frames].count != 0) continue;
        w->jobs[w->job_count++] = job;
        for (i = 0; i < s.trace_count; i++) w->references += w->lists[i].count;
    }
    return true;
}

/* The future for a point, built by the first that needs it. Null: no memory. */
static const sim_future_t *find_future(sweep_t *w, const settings_t *s)
{
    future_t *f;
    (void)pthread_mutex_lock(&w->future_lock);
    for (f = w->futures; f; f = f->next) {
        bool same = true;
        unsigned i;
        for (i = 0; i < option_count; i++)
            if ((options[i].flags & OPTION_FUTURE) && s->text[i] != f->text[i] &&
                (!s->text[i] || !f->text[i] || strcmp(s->text[i], f->text[i]) != 0))
                same = false;
        if (same) break;
    }
    if (!f && (f = (future_t *)calloc(1, sizeof *f)) != NULL) {
        memcpy(f->text, s->text, sizeof f->text);
        f->future = sim_future(&s->sim, &w->lists[0]);
        f->next = w->futures;
        w->futures = f;
    }
    (void)pthread_mutex_unlock(&w->future_lock);
    return f ? f->future : NULL;
}

static int run_point(sweep_t *w, size_t point, char error[SIM_ERROR])
{
    const sim_future_t *future = NULL;
    result_t *r = &w->results[point];
    char why[SIM_ERROR];
    settings_t s;
    int status;
    if (!point_settings(w, point, &s, error)) return RUN_CONTRADICTED;
    if (s.sample != 0) {
        r->done = sample_run(&s.sim, &w->lists[0], s.sample, stopped, &r->estimate, error);
        atomic_fetch_add_explicit(&made, w->lists[0].count, memory_order_relaxed);
        return r->done || stopped() ? RUN_DONE : RUN_FAILED;
    }
    if (strcmp(s.sim.policy, "opt") == 0 && !(future = find_future(w, &s))) {
        (void)snprintf(error, SIM_ERROR, "no memory for what OPT must know of the trace");
        return RUN_FAILED;
    }
    status = run_lists(&s, w->lists, future, UINT64_MAX, NULL, NULL, r, why);
    if (status != RUN_DONE) (void)snprintf(error, SIM_ERROR, "point %zu of the sweep: %.200s", point + 1, why);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* What one pass knows, as counts of that many frames. */
static void stack_result(result_t *r, uint64_t references, uint64_t frames, uint64_t pages, uint64_t faults,
                         uint64_t dirty)
{
    r->counts.references = references;
    r->counts.faults = faults;
    r->counts.dirty_evictions = dirty;
    r->counts.pages = pages;
    r->counts.resident = frames < pages ? frames : pages;
    r->counts.evictions = faults - r->counts.resident;
    r->done = true;
}

/* All numbers of frames in one pass; one more that is as large as can be tells how many pages there are. */
static int run_stack(sweep_t *w, size_t point, char error[SIM_ERROR])
{
    const size_t step = stride(w, (unsigned)w->frames), count = w->axes[w->frames].count;
    uint64_t *frames = (uint64_t *)malloc(3 * (count + 1) * sizeof *frames);
    uint64_t *faults = frames + count + 1, *dirty = faults + count + 1;
    settings_t s;
    size_t i, n = 0;
    bool done = false;
    if (!frames) (void)snprintf(error, SIM_ERROR, "no memory for a sweep");
    else {
        for (i = 0; i < count && point_settings(w, point + i * step, &s, error); i++) frames[i] = s.sim.frames;
        frames[count] = UINT64_C(1) << 40;
        qsort(frames, count + 1, sizeof *frames, by_value);
        for (i = 0; i <= count; i++)
            if (i == 0 || frames[i] != frames[i - 1]) frames[n++] = frames[i];
        done = stack_run(&s.sim, &w->lists[0], frames, n, faults, dirty, error);
    }
    for (i = 0; done && i < count && point_settings(w, point + i * step, &s, error); i++) {
        const uint64_t *at = (const uint64_t *)bsearch(&s.sim.frames, frames, n, sizeof *frames, by_value);
        stack_result(&w->results[point + i * step], w->lists[0].count, s.sim.frames, faults[n - 1], faults[at - frames],
                     dirty[at - frames]);
    }
    free(frames);
    atomic_fetch_add_explicit(&made, w->lists[0].count, memory_order_relaxed);
    return done ? RUN_DONE : RUN_FAILED;
}

/* The points of a job may be printed; under the lock. */
static void work_done(sweep_t *w, job_t job)
{
    const size_t count = job.stack ? w->axes[w->frames].count : 1;
    const size_t step = job.stack ? stride(w, (unsigned)w->frames) : 0;
    size_t i;
    for (i = 0; i < count; i++) {
        const result_t *r = &w->results[job.point + i * step];
        w->ready[job.point + i * step] = r->done && !r->partial;
    }
    w->finished += count;
}

static void *work(void *user)
{
    sweep_t *w = (sweep_t *)user;
    char error[SIM_ERROR];
    (void)pthread_mutex_lock(&w->lock);
    while (w->next < w->job_count && w->status == RUN_DONE && !stopped()) {
        const job_t job = w->jobs[w->next++];
        int status;
        (void)pthread_mutex_unlock(&w->lock);
        status = job.stack ? run_stack(w, job.point, error) : run_point(w, job.point, error);
        (void)pthread_mutex_lock(&w->lock);
        work_done(w, job);
        if (status != RUN_DONE && w->status == RUN_DONE) {
            w->status = status;
            memcpy(w->error, error, SIM_ERROR);
        }
        (void)pthread_cond_signal(&w->change);
    }
    w->running--;
    (void)pthread_cond_signal(&w->change);
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* -------------------------------------------------------------------------- the output -- */

static void print_head(const sweep_t *w)
{
    const option_t *swept[AXES_MOST];
    settings_t s;
    char error[SIM_ERROR];
    unsigned i;
    for (i = 0; i < w->axis_count; i++) swept[i] = w->axes[i].option;
    if (w->base->json || !point_settings(w, 0, &s, error)) return;
    if (w->base->csv) result_csv_head(stdout, &s);
    else result_row_head(stdout, &s, swept, w->axis_count);
}

static void print_point(const sweep_t *w, size_t point)
{
    const option_t *swept[AXES_MOST];
    const result_t *r = &w->results[point];
    settings_t s;
    char error[SIM_ERROR];
    unsigned i;
    for (i = 0; i < w->axis_count; i++) swept[i] = w->axes[i].option;
    if (!point_settings(w, point, &s, error)) return;
    if (s.json) result_json(stdout, &s, r);
    else if (s.csv) result_csv(stdout, &s, r);
    else result_row(stdout, &s, swept, w->axis_count, r);
    (void)fflush(stdout);
}

/* A stopped sweep says so in its output, too: what is there must not look whole. */
static void print_partial(const sweep_t *w, size_t done)
{
    if (w->base->json) printf("{\"partial\":true,\"done\":%zu,\"points\":%zu}\n", done, w->points);
    else printf("%spartial: %zu of %zu points\n", w->base->csv ? "# " : "", done, w->points);
}

/* Prints what is there, in order, while the threads run. Returns how many points were printed. */
static size_t print_results(sweep_t *w)
{
    char what[60];
    size_t next = 0, printed = 0;
    (void)pthread_mutex_lock(&w->lock);
    while (next < w->points) {
        struct timespec until;
        if (w->ready[next]) {
            (void)pthread_mutex_unlock(&w->lock);
            progress_end();
            print_point(w, next);
            printed++;
            next++;
            (void)pthread_mutex_lock(&w->lock);
            continue;
        }
        if (w->running == 0) {
            next++; /* it will not come any more, but later ones may have */
            continue;
        }
        (void)snprintf(what, sizeof what, "%zu of %zu points", w->finished, w->points);
        progress_show(w->base, what, (double)atomic_load(&made) / (double)w->references);
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&w->change, &w->lock, &until);
    }
    (void)pthread_mutex_unlock(&w->lock);
    progress_end();
    return printed;
}

/* Starts the threads, prints, and joins them. Returns how many points were printed. */
static size_t sweep_work(sweep_t *w)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = w->base->jobs ? (size_t)w->base->jobs : processors > 0 ? (size_t)processors : 1, i, printed;
    pthread_t threads[64];
    size_t started = 0;
    if (wanted > w->job_count) wanted = w->job_count;
    if (wanted > 64) wanted = 64;
    (void)pthread_mutex_lock(&w->lock);
    for (i = 0; i < wanted; i++) {
        w->running++;
        if (pthread_create(&threads[started], NULL, work, w) == 0) started++;
        else w->running--;
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (started == 0) {
        w->running = 1;
        (void)work(w);
    }
    printed = print_results(w);
    for (i = 0; i < started; i++) (void)pthread_join(threads[i], NULL);
    return printed;
}

static void sweep_free(sweep_t *w)
{
    unsigned i;
    size_t v;
    for (i = 0; i < AXES_MOST; i++) {
        for (v = 0; v < w->axes[i].count; v++) free(w->axes[i].values[v]);
        free(w->axes[i].values);
    }
    while (w->futures) {
        future_t *f = w->futures;
        w->futures = f->next;
        sim_future_free(f->future);
        free(f);
    }
    lists_free(w->lists);
    free(w->results);
    free(w->ready);
    free(w->jobs);
}

/* Loads, plans, runs and prints. */
static int sweep_all(sweep_t *w, char error[SIM_ERROR])
{
    int status = lists_load(w->base, w->lists, error);
    size_t printed;
    if (status != RUN_DONE) return status;
    if (!sweep_plan(w, error)) return RUN_CONTRADICTED;
    print_head(w);
    printed = sweep_work(w);
    if (w->status != RUN_DONE) memcpy(error, w->error, SIM_ERROR);
    if (w->status != RUN_DONE || printed == w->points) return w->status;
    print_partial(w, printed);
    (void)snprintf(error, SIM_ERROR, "interrupted: %zu of %zu points are done", printed, w->points);
    return stop_status();
}

int sweep_run(const settings_t *s, const char *program, char error[SIM_ERROR])
{
    static sweep_t w;
    int status;
    memset(&w, 0, sizeof w);
    w.base = s;
    (void)pthread_mutex_init(&w.lock, NULL);
    (void)pthread_mutex_init(&w.future_lock, NULL);
    (void)pthread_cond_init(&w.change, NULL);
    if (!sweep_parse(&w, error)) status = RUN_CONTRADICTED;
    else if (s->commands) status = sweep_commands(&w, program, error);
    else status = sweep_all(&w, error);
    sweep_free(&w);
    return status;
}
