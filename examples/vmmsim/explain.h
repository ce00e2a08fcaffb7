/* explain.h - what explain.c and explain_text.c share: one reference as it is shown. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "sim.h"

#define EXPLAIN_POLICY 512  /* bytes of a policy's state as text */
#define EXPLAIN_COLUMNS 200 /* accesses in the table at the end, at most */
#define EXPLAIN_ROWS 16     /* frames in it, at most */
#define EXPLAIN_SETS 2      /* sets of the TLB that are noted before a reference: those of its first and last page */

/* Which page each frame holds, at one moment. */
typedef struct explain_frames {
    uint64_t *vpn;    /* ~0: none */
    uint8_t *process; /* whose it is */
    size_t count, room;
} explain_frames_t;

/* One set of the TLB, most recently used first. */
typedef struct explain_set {
    uint64_t vpn; /* a page that it is for */
    bool fetches;
    unsigned count;
    uint64_t tag[64], ppn[64];
} explain_set_t;

/* A column of the table that reference strings are solved in. */
typedef struct explain_column {
    uint64_t page;
    uint8_t process;
    bool fault, invalid;
    uint64_t frame[EXPLAIN_ROWS];
    uint8_t owner[EXPLAIN_ROWS];
} explain_column_t;

/* One reference: what was there before, what each of its accesses did, what is there now. */
typedef struct explain_view {
    const sim_config_t *config;
    unsigned paddr_bits; /* width of the PAs that are shown */
    uint64_t number;     /* of the reference, from 1 */
    trace_ref_t ref;
    explain_set_t set[EXPLAIN_SETS];
    unsigned sets;
    char policy_before[EXPLAIN_POLICY], policy[EXPLAIN_POLICY];
    sim_step_t *steps;
    int count;
    explain_frames_t before; /* each access: the frames as it found them ... */
    explain_frames_t now;    /* ... and as it left them */
    bool processes;          /* there are more than one */
} explain_view_t;

/* The blackboard: one block for access i of the view. */
void explain_text(const explain_view_t *view, int i);
/* The table of a whole reference string. */
void explain_table(const explain_column_t *columns, unsigned count, size_t frames, unsigned vpn_bits, bool processes);

/* The set of the TLB that access i found, unless an access before it in the same reference changed it. */
const explain_set_t *explain_set_of(const explain_view_t *view, int i);

#endif
