/* reference_strings.c - the exercise that every operating-systems course has: a string of pages, a few frames, and how
 * many faults? Under FIFO, LRU, both kinds of clock, and OPT, which knows the future. The answers are published:
 * Silberschatz, Galvin, Gagne, "Operating System Concepts"; Belady's anomaly; Arpaci-Dusseau, "Operating Systems: Three
 * Easy Pieces". */
#include "vmm.h"

#include <stdio.h>
#include <string.h>

#define MOST_FRAMES 4u
#define LONGEST 20u

static const uint32_t osc[] = {7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1};
static const uint32_t belady[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
static const uint32_t ostep[] = {0, 1, 2, 0, 1, 3, 0, 3, 1, 2, 1};

/* -- OPT: a policy of one's own that looks ahead in the string -- */

static const uint32_t *string;
static unsigned length, now;

static unsigned next_use(uint32_t page)
{
    unsigned at = now + 1;
    while (at < length && string[at] != page) at++;
    return at;
}

static void enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
}

static uint32_t farthest(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame, best = set->list[0].last;
    for (frame = best; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->previous)
        if (next_use(vmm_frame_at(m, frame)->index) > next_use(vmm_frame_at(m, best)->index)) best = frame;
    return best;
}

static const vmm_replacement_t opt = {"OPT", enter, vmm_list_remove, farthest, 0, 0, false, 0, 0};

/* -- one exercise: the pages in each frame after each reference, and where it faulted -- */

static const struct {
    const char *name;
    const uint32_t *string;
    unsigned length, frames;
    const vmm_replacement_t *policy;
    unsigned faults; /* as published; the clocks' follow from their rule */
    bool shown;
} exercises[] = {
    {"OSC", osc, 20, 3, &vmm_replace_fifo, 15, true},       {"OSC", osc, 20, 3, &opt, 9, true},
    {"OSC", osc, 20, 3, &vmm_replace_lru, 12, true},        {"OSC", osc, 20, 3, &vmm_replace_clock, 11, false},
    {"OSC", osc, 20, 3, &vmm_replace_clock_set, 14, false}, {"Belady", belady, 12, 3, &vmm_replace_fifo, 9, true},
    {"Belady", belady, 12, 4, &vmm_replace_fifo, 10, true}, {"OSTEP", ostep, 11, 3, &opt, 5, false},
    {"OSTEP", ostep, 11, 3, &vmm_replace_fifo, 7, false},   {"OSTEP", ostep, 11, 3, &vmm_replace_lru, 5, false}};

static uint64_t block[1024];

static uint32_t find(const uint32_t *page, uint32_t used, uint32_t wanted)
{
    uint32_t frame = 0;
    while (frame < used && page[frame] != wanted) frame++;
    return frame;
}

static void draw(uint32_t history[LONGEST][MOST_FRAMES], const bool *fault, unsigned frames)
{
    unsigned frame;
    for (now = 0; now < length; now++) printf(" %u", (unsigned)string[now]);
    for (frame = 0; frame < frames; frame++) {
        printf("\n  frame %u   ", frame);
        for (now = 0; now < length; now++)
            if (history[now][frame] == VMM_NO_FRAME) printf("  ");
            else printf(" %u", (unsigned)history[now][frame]);
    }
    printf("\n  fault     ");
    for (now = 0; now < length; now++) printf(fault[now] ? " *" : "  ");
    printf("\n\n");
}

static unsigned run(size_t which)
{
    const unsigned frames = exercises[which].frames;
    uint32_t page[MOST_FRAMES], history[LONGEST][MOST_FRAMES], used = 0;
    bool fault[LONGEST];
    unsigned faults = 0;
    vmm_machine_t *m;
    string = exercises[which].string;
    length = exercises[which].length;
    memset(page, 0xff, sizeof page);
    if (vmm_records_create(block, sizeof block, frames, 0, exercises[which].policy, &m)) return 0;
    for (now = 0; now < length; now++) {
        uint32_t frame = find(page, used, string[now]);
        fault[now] = frame == used;
        if (!fault[now]) {
            vmm_records_touch(m, frame, false);
        } else {
            if (used == frames) vmm_records_leave(m, frame = vmm_records_victim(m, 0, string[now]));
            else used++;
            page[frame] = string[now];
            vmm_records_enter(m, frame, 0, string[now], false);
            faults++;
        }
        memcpy(history[now], page, sizeof page);
    }
    printf("%-7s %-10s %u frames: %2u faults\n", exercises[which].name, exercises[which].policy->name, frames, faults);
    if (exercises[which].shown) {
        printf("  page      ");
        draw(history, fault, frames);
    }
    return faults;
}

int main(void)
{
    size_t i;
    for (i = 0; i < sizeof exercises / sizeof *exercises; i++)
        if (run(i) != exercises[i].faults) return 1;
    return 0;
}
