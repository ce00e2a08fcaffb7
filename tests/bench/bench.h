/* What the benches share: a clock, medians of interleaved runs, one row of the table, one JSON line.
 *
 * Ours and theirs take turns within one process, so that a slow moment of the machine meets both;
 * the figure of each is the median over the turns, and the ratio is the median of the turns' ratios. */
#ifndef BENCH_H
#define BENCH_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* clock_gettime under -std=c11; include this header first */
#endif

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_TURNS 41

typedef uint64_t (*bench_run_t)(void *data); /* does the work once; the result only keeps it alive */

static volatile uint64_t bench_sink;

static double bench_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double bench_once(bench_run_t run, void *data, double operations)
{
    const double start = bench_ns();
    bench_sink += run(data);
    return (bench_ns() - start) / operations;
}

static int bench_compare(const void *a, const void *b)
{
    const double one = *(const double *)a, other = *(const double *)b;
    return one < other ? -1 : one > other;
}

static double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, bench_compare);
    return values[count / 2];
}

static void bench_row(const char *name, double value, const char *unit, const char *against, double theirs,
                      double ratio)
{
    FILE *out = fopen("build/bench.jsonl", "a");
    printf("%-26s %10.2f %-6s  %-22s %10.2f  %6.3f\n", name, value, unit, against, theirs, ratio);
    if (!out) {
        perror("build/bench.jsonl");
        exit(1);
    }
    fprintf(out, "{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"against\": \"%s\", \"ratio\": %.4g}\n", name,
            value, unit, against, ratio);
    fclose(out);
}

static void bench_head(const char *title)
{
    printf("%s\n%-26s %10s %-6s  %-22s %10s  %6s\n", title, "name", "ours", "unit", "against", "theirs", "ratio");
}

/* Both do the same `operations`; the time of one operation of each is compared. */
static inline void bench_pair(const char *name, const char *against, double operations, bench_run_t ours,
                              void *our_data, bench_run_t theirs, void *their_data)
{
    double one[BENCH_TURNS], other[BENCH_TURNS], ratio[BENCH_TURNS];
    int turn;
    bench_once(ours, our_data, operations);
    bench_once(theirs, their_data, operations);
    for (turn = 0; turn < BENCH_TURNS; turn++) {
        one[turn] = bench_once(ours, our_data, operations);
        other[turn] = bench_once(theirs, their_data, operations);
        ratio[turn] = one[turn] / other[turn];
    }
    bench_row(name, bench_median(one, BENCH_TURNS), "ns", against, bench_median(other, BENCH_TURNS),
              bench_median(ratio, BENCH_TURNS));
}

#endif
