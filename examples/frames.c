/* frames.c - the buddy: two regions, a hole, a device that reaches no further than 16 MiB, a shared frame.
 *
 * The addresses are those of a machine that is not this one: nothing of the managed memory is ever touched. */
#include "vmm_alloc.h"

#define RAM_FRAMES 512 /* 2 MiB at 0x80000000 */
#define LOW_FRAMES 256 /* 1 MiB at 0x00800000, which the device can reach */

static uint8_t ram_side[VMM_FRAMES_BYTES(RAM_FRAMES)], low_side[VMM_FRAMES_BYTES(LOW_FRAMES)];
static vmm_frames_t ram, low;

static void show(const char *when)
{
    vmm_frames_usage_t usage;
    unsigned order;
    vmm_frames_measure(&ram, &usage);
    printf("%-26s %u free:", when, (unsigned)usage.free_frames);
    for (order = 0; order < VMM_FRAMES_ORDERS; order++)
        if (usage.blocks[order]) printf(" %u*%u", (unsigned)usage.blocks[order], 1u << order);
    printf("\n");
}

static void say(const char *what, vmm_status_t status, const vmm_paddr_t *at)
{
    if (status == VMM_OK) printf("%-26s 0x%08llx\n", what, (unsigned long long)*at);
    else printf("%-26s status %d\n", what, (int)status);
}

int main(void)
{
    vmm_paddr_t table = 0, buffer = 0, shared = 0x80005000, at;
    vmm_frames_usage_t usage;
    if (vmm_frames_init(&ram, 0x80000000, 12, RAM_FRAMES, ram_side, sizeof ram_side) != VMM_OK ||
        vmm_frames_init(&low, 0x00800000, 12, LOW_FRAMES, low_side, sizeof low_side) != VMM_OK ||
        vmm_frames_join(&ram, &low) != VMM_OK)
        return 1;
    show("two regions");
    vmm_frames_reserve(&ram, 0x80000000, 0x5000); /* firmware lives there */
    show("five frames reserved");

    say("a table, 4 frames", vmm_frames_alloc(&ram, 2, &table), &table);
    show("its block was split");
    say("a buffer below 16 MiB", vmm_frames_alloc_below(&ram, 0, 0x01000000, &buffer), &buffer);
    say("the frame at an address", vmm_frames_alloc_at(&ram, 0, shared), &shared);

    vmm_frames_share(&ram, shared); /* two page tables map it now */
    printf("owners %u; freed while shared: status %d\n", (unsigned)vmm_frames_owners(&ram, shared),
           (int)vmm_frames_free(&ram, shared, 0));
    vmm_frames_unshare(&ram, shared);
    vmm_frames_unshare(&ram, shared); /* the last one frees it */
    printf("freed again: status %d\n", (int)vmm_frames_free(&ram, shared, 0));

    vmm_frames_free(&ram, table, 2);
    vmm_frames_free(&ram, buffer, 0);
    vmm_frames_release(&ram, 0x80000000, 0x5000);
    show("all given back, and merged");

    for (at = 0x80000000; at < 0x80000000 + RAM_FRAMES * UINT64_C(4096); at += 8192)
        vmm_frames_alloc_at(&ram, 0, at); /* every other frame */
    vmm_frames_measure(&ram, &usage);
    printf("every other frame taken: largest order %d; of no use for 8 frames: %u per thousand\n",
           vmm_frames_largest(&ram), vmm_frames_unusable(&usage, 3));
    return vmm_frames_check(&ram) ? 0 : 1;
}
