/* sim.h - what the parts of vmmsim share: a configuration, one machine that it describes, what a step did.
 *
 *     trace -> input.c -> a reference -> engine.c: TLB, page table, policy, caches (all of vmm.h) -> counts, steps
 *                                        stack.c:  LRU for every number of frames in one pass, and sampling
 *     options.c reads options and config files; sweep.c runs many configurations; output.c writes tables, CSV and
 *     JSON; explain.c shows one step after the other; report.py draws.
 */
#ifndef SIM_H
#define SIM_H

#include "../trace.h"
#include "vmm.h"

#define SIM_CACHES 3    /* levels of data caches, at most */
#define SIM_ERROR 256   /* bytes of an error: one sentence, without a newline */
#define SIM_PROCESSES 8 /* traces that run in turn, at most */

/* How a modify counts. */
enum {
    SIM_MODIFY_BOTH, /* a load, and then a store */
    SIM_MODIFY_STORE /* one store */
};

/* Which of several free frames a page gets. */
enum {
    SIM_SLOT_LOWEST, /* the one with the lowest number */
    SIM_SLOT_LAST    /* the one that was given back last */
};

/* Which page OPT gives up, of several that are not used again. */
enum {
    SIM_TIE_LOWEST, /* the one in the frame with the lowest number */
    SIM_TIE_OLDEST  /* the one that came first */
};

/* What is there before the first reference. Numbers as exercise sheets print them. */
enum {
    SIM_PRESET_PTE,  /* a: VPN, b: PPN. Of a frame of the machine's: the page competes with all others, and came in the
                      * order of the lines. Of any other: it stays for good */
    SIM_PRESET_DISK, /* a: VPN; its page is on disk: a fault brings it in. When there is any PTE or DISK line, a page
                      * that has none is not mapped, and an access to it is an error of the program (counts.invalid) */
    SIM_PRESET_TLB,  /* a: TLBI, b: TLBT, c: PPN; the lines of a set from the most recently used on */
    SIM_PRESET_CACHE /* a: CI, b: CT, bytes: the block, of the first cache; the lines of a set like those of the TLB */
};

typedef struct sim_preset {
    uint8_t what;
    uint64_t a, b, c;
    uint8_t bytes[64];
} sim_preset_t;

/* Everything that changes an answer. sim_config_init gives the defaults that are named here. */
typedef struct sim_config {
    /* addresses */
    uint8_t vaddr_bits;    /* 48; 1 to 64. A wider address in the trace is an error */
    uint8_t paddr_bits;    /* 0: as many as are needed. Only what is shown depends on it */
    uint8_t page_shift;    /* 12 */
    uint8_t levels;        /* 0: as few as there can be when no table is larger than 4 KiB; else 1 to 6 */
    uint8_t index_bits[6]; /* level 0 first; all 0: evenly */
    /* memory */
    uint64_t frames;      /* 0: as many as there are pages (each page faults once) */
    uint64_t first_frame; /* 0: number of the first frame (PPN) */
    const char *policy;   /* "lru"; a name of sim_policies */
    uint64_t tick;        /* references between two ticks of the policy: 1000; 0: never */
    uint64_t window;      /* working set: references; page-fault frequency: the threshold. 10000 */
    uint64_t ghosts;      /* pages remembered after they left; 0: what the policy's paper says */
    uint32_t seed;        /* of random choices: 1 */
    uint8_t modify;       /* SIM_MODIFY_BOTH */
    uint8_t slot;         /* SIM_SLOT_LOWEST */
    uint8_t tie;          /* SIM_TIE_LOWEST */
    bool local;           /* each process has its own share of the frames; false: all compete */
    uint8_t processes;    /* 1; with local: how many share the frames */
    bool no_faults;       /* a page that is not there is told and left so */
    bool frozen;          /* every reference meets the presets: nothing is kept between two */
    /* TLB */
    uint32_t tlb_sets;  /* 16; 0: no TLB */
    uint32_t tlb_ways;  /* 4 */
    uint8_t tlb_policy; /* VMM_LRU */
    bool tlb_split;     /* fetches have a TLB of their own, of the same size */
    bool tlb_keeps;     /* an evicted page's entry stays in the TLB: shows what a missing flush does */
    /* data caches: geometry of vmm.h, section 8; sets 0: there is none from here on */
    vmm_cache_geometry_t cache[SIM_CACHES];
    vmm_costs_t costs; /* vmm_costs_default */
    /* before the first reference */
    const sim_preset_t *presets;
    size_t preset_count;
} sim_config_t;

typedef struct sim_counts {
    uint64_t references;             /* lines of the trace */
    uint64_t accesses;               /* what the machine made of them: a crossing reference is two, a modify may be */
    uint64_t fetches, reads, writes; /* of the accesses */
    uint64_t tlb_hits, tlb_misses;   /* one of them for each access, where there is a TLB */
    uint64_t walk_steps;             /* entries read by walks of misses; not by the walk again after a fault */
    uint64_t faults;                 /* pages brought into a frame */
    uint64_t invalid;                /* accesses to pages that are not mapped, or faulted with no_faults */
    uint64_t evictions, dirty_evictions; /* pages that left; of them, those that had to be written */
    uint64_t stale;                      /* TLB hits that led to another page's frame (tlb_keeps) */
    uint64_t pages;                      /* different pages touched */
    uint64_t resident;                   /* pages in frames now */
    uint64_t resident_sum;               /* resident pages, summed over accesses: divided by accesses, the mean */
    uint64_t table_bytes;                /* page tables now */
    uint64_t cache_hits[SIM_CACHES], cache_misses[SIM_CACHES], cache_writebacks[SIM_CACHES];
    uint64_t cycles; /* by the cost model: a fault reads from disk, a dirty page that leaves is written there */
} sim_counts_t;

/* All that one access did, for whoever looks on. */
typedef struct sim_step {
    uint64_t access; /* its number, from 1 */
    trace_ref_t ref; /* as the trace has it */
    uint8_t process;
    uint8_t kind;             /* VMM_READ, VMM_WRITE, VMM_FETCH */
    uint64_t va;              /* of this part of the reference */
    vmm_examination_t before; /* VPN VPO TLBI TLBT hit, walk with indices and entries: before anything was served */
    bool fault, invalid, evicted, victim_dirty;
    uint64_t victim;       /* VPN of the page that left */
    uint64_t ppn, pa;      /* where it led in the end, unless invalid */
    unsigned cache_levels; /* how many were asked */
    vmm_cache_step_t cache[SIM_CACHES];
    int byte; /* what the first level holds there, where presets gave bytes; -1: not known */
    uint64_t cycles;
} sim_step_t;

typedef struct sim sim_t;

/* The names of all policies, null at the end. */
extern const char *const sim_policies[];

void sim_config_init(sim_config_t *config);

/* Does the configuration contradict itself? False: error says how. What only the presets together could contradict
 * (two pages in a frame, a set that is too full), sim_open finds. */
bool sim_check(const sim_config_t *config, char error[SIM_ERROR]);

/* What a page will be used for next, which OPT alone needs: made of the whole trace before. */
typedef struct sim_future sim_future_t;

/* Makes a machine: one allocation, plain data, so that a copy of sim_bytes(s) bytes from s back to the same place
 * brings it back to where it was. Null: error says why (a contradiction in the configuration, memory). */
sim_t *sim_open(const sim_config_t *config, const sim_future_t *future, char error[SIM_ERROR]);
size_t sim_bytes(const sim_t *s); /* grows with the page tables; a copy from before they grew is as good */
void sim_close(sim_t *s);

/* Makes one reference. False: error says why (an address that is too wide); nothing was counted then. */
bool sim_reference(sim_t *s, const trace_ref_t *ref, unsigned process, char error[SIM_ERROR]);
/* The same, and tells each access it made (at most most of them); returns how many, -1: an error. */
int sim_explain(sim_t *s, const trace_ref_t *ref, unsigned process, sim_step_t *steps, int most, char error[SIM_ERROR]);
/* Says which byte of a reference is none of the address space; false. */
bool sim_too_wide(const trace_ref_t *ref, unsigned vaddr_bits, char error[SIM_ERROR]);

/* Counts so far. table_bytes and pages are counted when this is called. */
void sim_count(const sim_t *s, sim_counts_t *counts);

/* Which page each frame holds: vpn[i] of frame first_frame + i, ~0: none. Returns the number of frames. */
size_t sim_frames(const sim_t *s, uint64_t *vpn, uint8_t *process, size_t most);
/* The state of the policy as one line of text ("hand at frame 2; bits 1 0 1"), where it has one to show. */
void sim_policy_text(const sim_t *s, char *text, size_t bytes);
/* Entries of one set of the TLB, most recently used first: tag and PPN. Returns how many are valid. */
unsigned sim_tlb_set(const sim_t *s, bool fetches, unsigned set, uint64_t *tag, uint64_t *ppn, unsigned most);

/* The future of a trace that is in memory, under a configuration. Null: no memory. */
sim_future_t *sim_future(const sim_config_t *config, const trace_list_t *list);
void sim_future_free(sim_future_t *future);

/* ---- input.c ------------------------------------------------------------------------------------ */

typedef struct sim_source sim_source_t;

/* Opens a trace: a file name, or "-" for standard input; gzip and zstd are told by their first bytes. format: "auto"
 * (told by the first line that is no comment), "lackey", "packed", "rw" (address R|W), "ls" (l|s address),
 * "addresses", "din". */
sim_source_t *source_open(const char *name, const char *format, char error[SIM_ERROR]);
/* 1: a reference; 0: the end; -1: error says what and in which line. */
int source_next(sim_source_t *source, trace_ref_t *ref, char error[SIM_ERROR]);
void source_close(sim_source_t *source);
/* All of it into memory. False: error says why. */
bool source_load(const char *name, const char *format, trace_list_t *list, char error[SIM_ERROR]);

/* ---- stack.c ------------------------------------------------------------------------------------ */

/* LRU for all of these numbers of frames (ascending) in one pass: faults and dirty evictions of each. */
bool stack_run(const sim_config_t *config, const trace_list_t *list, const uint64_t *frames, size_t count,
               uint64_t *faults, uint64_t *dirty_evictions, char error[SIM_ERROR]);

/* An estimate from a sample of the pages, and its standard error: the spread of several samples. */
typedef struct sim_estimate {
    double faults, faults_error;
    double dirty_evictions, dirty_evictions_error;
    uint64_t references; /* those that were simulated, of all samples */
    unsigned samples;
} sim_estimate_t;

#define SIM_SAMPLE_FRAMES 8 /* of a sample, at least: fewer say nothing about the policy */

/* The fast mode: simulates some pages (rate, more than 0 and at most 1, of all) with as large a part of the frames, a
 * few times with other pages. Any policy; faults and dirty evictions only. ghosts, window and tick shrink as the frames
 * do. stop, unless null, is asked now and then: true ends it. False: error says why (too few frames, interrupted), and
 * there is no estimate. */
bool sample_run(const sim_config_t *config, const trace_list_t *list, double rate, bool (*stop)(void),
                sim_estimate_t *estimate, char error[SIM_ERROR]);

/* ---- explain.c ---------------------------------------------------------------------------------- */

/* Shows step after step on standard output; with interactive, commands are read from the terminal: forward, back,
 * to a number. Returns the program's exit status. */
int explain_run(const sim_config_t *config, sim_source_t *source, bool json, bool interactive);

#endif
