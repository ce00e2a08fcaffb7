/* input.h - traces, beyond what sim.h says of them: numbers as the exercise prints them, many references at a time,
 * several traces in turn. */
#ifndef INPUT_H
#define INPUT_H

#include "sim.h"

/* How the text formats but lackey are read. */
typedef struct source_rules {
    const char *format; /* as source_open has it */
    unsigned base;      /* of a number without 0x: 16 or 10 */
    unsigned shift;     /* addresses are shifted left by this: for traces of page numbers */
    uint64_t quantum;   /* references until it is the next trace's turn; 0: when the trace ends */
} source_rules_t;

/* Opens traces that run in turn, each a process, in the order of their names. At most SIM_PROCESSES. */
sim_source_t *source_open_turns(const char *const *names, unsigned count, const source_rules_t *rules,
                                char error[SIM_ERROR]);
/* Up to `most` references at a time, all of one process. 0: the end, or an error when error[0] is not '\0'. */
size_t source_read(sim_source_t *source, trace_ref_t *refs, size_t most, unsigned *process, char error[SIM_ERROR]);
/* The process whose reference source_next gave last, from 0. */
unsigned source_process(const sim_source_t *source);
/* How much of the files was read, 0 to 1; negative: that cannot be known. */
double source_part(const sim_source_t *source);

/* All of one trace into memory. stop, unless null, is asked now and then: true ends it as if the trace ended. */
bool source_load_as(const char *name, const source_rules_t *rules, trace_list_t *list, bool (*stop)(void),
                    char error[SIM_ERROR]);

/* Traces in memory that run in turn. All 0 but the first three: at their beginning. */
typedef struct turns {
    const trace_list_t *lists;
    unsigned count;
    uint64_t quantum;
    unsigned current;
    uint64_t used; /* of the quantum */
    size_t at[SIM_PROCESSES];
} turns_t;

/* The next references, at most `most` of them, all of one process. 0: the end. */
size_t turns_next(turns_t *turns, size_t most, const trace_ref_t **refs, unsigned *process);

#endif
