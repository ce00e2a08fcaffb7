/* engine.h - what the files of the engine share: the machine of a configuration, as it lies in its one block.
 *
 *     sim_t | touched | hints | frames | free | TLB | records | caches | tables ... | (frozen: all of that once more)
 *
 * Everything up to the tables has its size when the machine is made. The window of the tables is behind all else, its
 * tables are taken one after the other and never given back, so that what is in use is the front part of the block.
 *
 * The entry of a page says where the page is:
 *     0                       it was never used
 *     valid                   in a frame
 *     number << 12 | 0x200    it was in a frame, or waits on disk: its number, as a system writes its place in swap
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "sim.h"

#define SIM_LEVELS 6
#define SIM_HINTS 256              /* guesses where a page's entry is in the TLB, for data and for fetches */
#define SIM_ABSENT UINT64_C(0x200) /* an entry that is not valid and has a number */
#define SIM_NUMBER_SHIFT 12        /* of that number */
#define SIM_FRAMES_MAX (UINT32_C(1) << 28)
#define SIM_FRAMES_VARY (UINT32_C(1) << 20) /* frames = 0 and a policy that gives frames back: most there can be */
#define SIM_RIGHTS (VMM_R | VMM_W | VMM_X | VMM_U)

/* A policy by the name that it has on the command line. */
typedef struct sim_policy {
    const char *name;
    const vmm_replacement_t *policy;
    bool front;        /* a use of the page at the front of list 0 changes nothing: touch may be left out */
    const char *shown; /* what a line about it begins with: the order of its frames, and what is told of each */
    char with;         /* ':' the reference bit; '/' the byte a frame has; '#' its word; '*' bit and byte; 0 nothing */
    const char *list[2]; /* names of its lists, where there are two */
} sim_policy_t;

extern const sim_policy_t sim_policy_table[];
extern const vmm_replacement_t sim_policy_opt;

/* What OPT knows; its machine's options.user points to it. */
typedef struct sim_opt {
    const uint32_t *next;  /* of each access: the access that uses the page next; SIM_NEVER: none */
    uint64_t count;        /* how many */
    const uint64_t *kinds; /* accesses so far, by kind */
    uint32_t *most;        /* latest next use of each SIM_OPT_BLOCK frames */
    uint32_t frames;
    uint8_t tie;
} sim_opt_t;

#define SIM_NEVER UINT32_MAX
#define SIM_OPT_BLOCK 64u

struct sim_future {
    uint64_t count;
    uint32_t *next;
};

/* The frames that compete: all of them, or with config.local one process's. */
typedef struct sim_share {
    vmm_machine_t *machine; /* null: frames never run out */
    uint64_t first;         /* number of its first frame (PPN) */
    uint32_t frames;        /* 0 as well then */
    uint32_t fresh;         /* all frames from this one on are free, but for presets' */
    uint32_t free_count;    /* free frames below it */
    uint32_t *free;         /* SIM_SLOT_LAST: a stack; else a heap, the lowest on top */
    uint64_t *va;           /* of each frame: its page, plus 1; 0: none */
    uint8_t *owner;         /* and the process */
} sim_share_t;

struct sim {
    /* -- how it was made -- */
    sim_config_t config;
    const sim_policy_t *policy;
    size_t mapped;       /* bytes of the mapping */
    size_t window;       /* offset of the tables' window */
    size_t window_bytes; /* its size */
    size_t image;        /* frozen: offset of the copy that every reference begins with; 0: none */
    size_t parts;        /* of this block: what changes begins here again, behind what never goes back */
    size_t image_bytes;  /* of the block when the copy was made */
    uint64_t top;        /* highest virtual address */
    uint64_t page_mask;
    uint32_t most_pages;
    uint32_t shares;
    uint32_t cache_levels;
    bool strict; /* pages without a line PTE or DISK are not mapped */
    bool front;  /* as of the policy */
    bool extra;  /* caches, or a policy that gives frames back: there is more to an access */
    uint8_t tlb_policy;
    vmm_paging_t paging;
    vmm_arch_t arch;
    vmm_model_t model;
    sim_opt_t opt;
    /* -- what is counted: frozen or not. What caches count is added to these when a frozen machine goes back -- */
    vmm_stats_t stats;
    uint64_t references, kinds[3], walk_steps, faults, invalid, evictions, dirty_evictions, stale, pages;
    uint64_t resident_sum, settled; /* settled: accesses that resident_sum has */
    uint64_t cache_hits[SIM_CACHES], cache_misses[SIM_CACHES], cache_writebacks[SIM_CACHES];
    uint64_t had[SIM_CACHES + 1]; /* blocks by the level that had them, memory behind the last */
    uint8_t *touched;             /* a byte for each preset: its page was used */
    const char *error;            /* why the last access could not be made */
    uint64_t victim;              /* VPN of the page that left last */
    bool victim_dirty;
    sim_step_t *step; /* being explained; null */
    /* -- state: a frozen machine goes back to its image from here on -- */
    vmm_ref_t ref;
    vmm_state_t state;
    vmm_fault_t fault;
    vmm_memory_t memory;
    vmm_tables_t tables[SIM_PROCESSES]; /* root 0: not yet made */
    sim_share_t share[SIM_PROCESSES];
    uint64_t window_used, table_bytes;
    uint64_t until;    /* accesses before the next tick */
    uint64_t resident; /* pages in frames */
    uint32_t numbers;  /* page numbers given out */
    uint32_t scope;    /* as the TLB knows the process */
    uint32_t process;
    sim_share_t *mine; /* the frames of the process */
    uint32_t *hint;    /* SIM_HINTS for data, as many for fetches; the number of entries: none */
    vmm_caches_t *caches;
};

/* Copies the state: the end of sim_t, and the parts from s->parts on. */
static inline void sim_copy_state(uint8_t *to, const uint8_t *from, const sim_t *s)
{
    memcpy(to + offsetof(sim_t, ref), from + offsetof(sim_t, ref), sizeof(sim_t) - offsetof(sim_t, ref));
    memcpy(to + s->parts, from + s->parts, s->image_bytes - s->parts);
}

/* setup.c */
bool sim_switch(sim_t *s, unsigned process);

/* A preset's frame that is no frame of the machine's: its page never leaves. */
bool sim_is_pinned(const sim_t *s, uint64_t ppn);

/* engine.c */
bool sim_enter(sim_t *s, unsigned process, uint64_t va, uint32_t slot, uint32_t number, bool write);
uint8_t *sim_entry(const sim_t *s, unsigned process, uint64_t va);
void sim_settle(sim_t *s, uint64_t accesses);

#endif
