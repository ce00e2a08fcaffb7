/* sweep.h - runs of configurations over traces in memory: one, or many on all processors. */
#ifndef SWEEP_H
#define SWEEP_H

#include "output.h"

/* How a run ended: the program's exit status. */
enum {
    RUN_DONE = 0,
    RUN_FAILED = 1,      /* a trace or a run: error says why */
    RUN_CONTRADICTED = 2 /* the configuration; error says why. 128 + signal: interrupted */
};

/* From now on SIGINT and SIGTERM only make stopped() true; the second one ends the program. reading: a signal ends a
 * read that waits, which is an error then; else reads and writes go on. */
void stop_install(bool reading);
bool stopped(void);
int stop_status(void);

/* All traces of the settings, each as a list. A run that is interrupted here has RUN_FAILED's lists: none. */
int lists_load(const settings_t *s, trace_list_t lists[SIM_PROCESSES], char error[SIM_ERROR]);
void lists_free(trace_list_t lists[SIM_PROCESSES]);

/* Runs one configuration over lists, from the beginning to the end, or until stopped() (r->partial). Calls look, unless
 * null, after each `every` references and at the end. */
typedef void sweep_look_t(void *user, const sim_t *machine);
int run_lists(const settings_t *s, const trace_list_t *lists, const sim_future_t *future, uint64_t every,
              sweep_look_t *look, void *user, result_t *r, char error[SIM_ERROR]);

/* Runs, or with commands prints, the points of s->sweep, and prints the results in the order of the points. Returns the
 * exit status; program is how it was called. */
int sweep_run(const settings_t *s, const char *program, char error[SIM_ERROR]);

#endif
