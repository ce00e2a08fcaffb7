/* bench_sim.c - vmmsim on the bundled trace: a TLB of 16 sets with 4 ways, page tables, 98 frames for 392 pages. The
 * limit decodes each reference of the packed trace and counts it in an array by page number, which is about the least
 * that anybody can do with it; we decode too, each time. A sweep is 20 numbers of frames under LRU in one pass, against
 * one run of one of them. */
#include "bench.h"

#include "../../examples/vmmsim/sim.h"

#define FRAMES 98
#define SIZES 20

static FILE *packed;
static trace_reader_t reader;
static uint32_t counted[1 << 20];
static uint64_t references;
static char error[SIM_ERROR];

static void stop(const char *why)
{
    (void)fprintf(stderr, "bench_sim: %s\n", why);
    exit(1);
}

static void begin(void)
{
    rewind(packed);
    if (!trace_open(&reader, packed)) stop(reader.error);
}

static void end(int got)
{
    if (got < 0) stop(reader.error);
    trace_close(&reader);
}

static uint64_t limit(void *data)
{
    trace_ref_t ref;
    int got;
    (void)data;
    begin();
    references = 0;
    while ((got = trace_next(&reader, &ref)) > 0) {
        counted[ref.address >> 12 & 0xfffff]++;
        references++;
    }
    end(got);
    return counted[0] + references;
}

static uint64_t run_policy(void *data)
{
    sim_config_t config;
    sim_counts_t counts;
    sim_t *s;
    trace_ref_t ref;
    int got;
    sim_config_init(&config);
    config.frames = FRAMES;
    config.policy = (const char *)data;
    s = sim_open(&config, NULL, error);
    if (!s) stop(error);
    begin();
    while ((got = trace_next(&reader, &ref)) > 0)
        if (!sim_reference(s, &ref, 0, error)) stop(error);
    end(got);
    sim_count(s, &counts);
    sim_close(s);
    return counts.faults;
}

/* The whole trace in memory, for those who must know what comes or go over it themselves. */
static void decode(trace_list_t *list)
{
    trace_ref_t ref;
    int got;
    list->count = 0;
    begin();
    while ((got = trace_next(&reader, &ref)) > 0)
        if (!trace_list_add(list, ref)) stop("no memory");
    end(got);
}

static uint64_t run_opt(void *data)
{
    trace_list_t *list = (trace_list_t *)data;
    sim_config_t config;
    sim_counts_t counts;
    sim_future_t *future;
    sim_t *s;
    size_t i;
    sim_config_init(&config);
    config.frames = FRAMES;
    config.policy = "opt";
    decode(list);
    future = sim_future(&config, list);
    if (!future) stop("no memory");
    s = sim_open(&config, future, error);
    if (!s) stop(error);
    for (i = 0; i < list->count; i++)
        if (!sim_reference(s, &list->refs[i], 0, error)) stop(error);
    sim_count(s, &counts);
    sim_close(s);
    sim_future_free(future);
    return counts.faults;
}

static uint64_t run_sweep(void *data)
{
    trace_list_t *list = (trace_list_t *)data;
    uint64_t frames[SIZES], faults[SIZES], dirty[SIZES];
    sim_config_t config;
    int i;
    for (i = 0; i < SIZES; i++) frames[i] = (uint64_t)(i + 1) * 20;
    sim_config_init(&config);
    decode(list);
    if (!stack_run(&config, list, frames, SIZES, faults, dirty, error)) stop(error);
    return faults[0] + dirty[0];
}

int main(void)
{
    static char lru[] = "lru", clock_policy[] = "clock", trace[] = "gzip -dc examples/traces/sqlite3.trace.gz";
    static trace_list_t list;
    FILE *in = popen(trace, "r");
    char block[65536];
    size_t got;
    packed = tmpfile();
    if (!in || !packed) stop("the bundled trace cannot be read");
    while ((got = fread(block, 1, sizeof block, in)) > 0)
        if (fwrite(block, 1, got, packed) != got) stop("no room for the trace");
    if (pclose(in)) stop("the bundled trace cannot be read");
    (void)limit(NULL);
    bench_head("vmmsim: bundled trace, TLB 16 x 4, 98 frames; nanoseconds a reference");
    bench_pair("sim.lru", "limit", (double)references, run_policy, lru, limit, NULL);
    bench_pair("sim.clock", "limit", (double)references, run_policy, clock_policy, limit, NULL);
    bench_pair("sim.opt", "limit", (double)references, run_opt, &list, limit, NULL);
    bench_pair("sim.sweep", "one run", (double)references, run_sweep, &list, run_policy, lru);
    return 0;
}
