/* output.h - results as tables, CSV and JSON; progress. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "options.h"

/* One of sim_counts_t's numbers. */
typedef struct count {
    const char *name;
    size_t offset;
    uint8_t level; /* 1 to SIM_CACHES: of that cache; 0: of none */
    bool stack;    /* one pass for all numbers of frames knows it too */
    const char *help;
} count_t;

extern const count_t counts[];
extern const unsigned count_count;

/* Bits of counts[] for names with commas; 0: error. */
uint64_t counts_find(const char *names, char error[SIM_ERROR]);

/* What came of one configuration. */
typedef struct result {
    sim_counts_t counts;
    sim_estimate_t estimate; /* instead, with sample */
    bool done, partial;      /* partial: interrupted; counts is what was so far */
} result_t;

void result_json(FILE *out, const settings_t *s, const result_t *r);
/* What JSON says, as CSV: also the keys that a sweep sets, so that each line has the same columns. */
void result_csv_head(FILE *out, const settings_t *s);
void result_csv(FILE *out, const settings_t *s, const result_t *r);
void result_table(FILE *out, const settings_t *s, const result_t *r);
/* One line of a sweep's table; swept: its options. */
void result_row_head(FILE *out, const settings_t *s, const option_t *const *swept, unsigned count);
void result_row(FILE *out, const settings_t *s, const option_t *const *swept, unsigned count, const result_t *r);

/* What is shown: the bits of counts[] that were asked for, or that this configuration has. */
uint64_t settings_shown(const settings_t *s);

double seconds_now(void);
/* A line on standard error now and then: on a terminal at once and in place, elsewhere after 2 s, 4 s, 8 s ... .
 * part: 0 to 1, negative: not known. */
void progress_show(const settings_t *s, const char *what, double part);
/* Takes the line off a terminal. */
void progress_end(void);

#endif
