/* buddy_exercise.c - the classic buddy exercise: 1024 KiB in blocks of 64 KiB, requests of 34, 66, 35 and 67 KiB, then
 * the blocks are freed in another order. After each step: every block, free ones by their size, taken ones by name. */
#include "vmm_alloc.h"

#define UNIT 64u /* KiB of the smallest block: a frame, to the buddy */
#define UNITS 16u

static const struct {
    char name;
    unsigned kib; /* 0: it is freed */
    unsigned offset;
    unsigned waste; /* KiB of internal fragmentation; both are the exercise's answers */
} steps[] = {{'A', 34, 0, 30}, {'B', 66, 128, 62}, {'C', 35, 64, 29}, {'D', 67, 256, 61},
             {'B', 0, 128, 0}, {'D', 0, 256, 0},   {'A', 0, 0, 0},    {'C', 0, 64, 0}};

static uint8_t side[VMM_FRAMES_BYTES(UNITS)];
static vmm_frames_t memory;
static char owner[UNITS]; /* of the first unit of a taken block */

static vmm_paddr_t address(unsigned kib)
{
    return (vmm_paddr_t)kib << 10;
}

static void draw(void)
{
    unsigned unit, order = 0;
    for (unit = 0; unit < UNITS; unit += 1u << order) {
        const unsigned kib = unit * UNIT;
        if (owner[unit]) {
            vmm_frames_order(&memory, address(kib), &order);
            printf("| %c%*s", owner[unit], (int)(6 * (1u << order)) - 3, "");
            continue;
        }
        for (order = 4; unit % (1u << order) != 0 || vmm_frames_alloc_at(&memory, order, address(kib)) != VMM_OK;)
            order--; /* a free block is the largest that can be had here */
        vmm_frames_free(&memory, address(kib), order);
        printf("| %-*u", (int)(6 * (1u << order)) - 2, UNIT << order);
    }
    printf("|\n");
}

int main(void)
{
    size_t i;
    if (vmm_frames_init(&memory, 0, 16, UNITS, side, sizeof side) != VMM_OK) return 1;
    printf("%-40s", "all free");
    draw();
    for (i = 0; i < sizeof steps / sizeof *steps; i++) {
        const vmm_paddr_t answer = address(steps[i].offset);
        char text[64];
        if (steps[i].kib) {
            const unsigned order = steps[i].kib <= UNIT ? 0 : 1;
            const unsigned waste = (UNIT << order) - steps[i].kib;
            vmm_paddr_t at;
            if (vmm_frames_alloc(&memory, order, &at) != VMM_OK || at != answer || waste != steps[i].waste) return 1;
            owner[steps[i].offset / UNIT] = steps[i].name;
            (void)snprintf(text, sizeof text, "%c: %u KiB, order %u at %3u, wastes %u", steps[i].name, steps[i].kib,
                           order, steps[i].offset, waste);
        } else {
            if (vmm_frames_free_any(&memory, answer) != VMM_OK) return 1;
            owner[steps[i].offset / UNIT] = 0;
            (void)snprintf(text, sizeof text, "%c freed", steps[i].name);
        }
        printf("%-40s", text);
        draw();
    }
    return vmm_frames_largest(&memory) == 4 && vmm_frames_check(&memory) ? 0 : 1;
}
