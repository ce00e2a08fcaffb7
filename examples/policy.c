/* policy.c - a replacement policy of one's own, in twenty lines, against two of ours: a program goes round and round a
 * stretch that is a little longer than memory. Whoever keeps what was used last gives up each page just before it is
 * needed; whoever gives up what came last keeps the rest for good. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#define FRAMES 64
#define PAGES 80
#define ROUNDS 10
#define PAGE 4096u

/* -- the policy: last in, first out -- */

static void came(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
}

static uint32_t last_that_came(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    while (frame != VMM_NO_FRAME && !vmm_frame_takeable(m, frame)) frame = vmm_frame_at(m, frame)->next;
    return frame;
}

static const vmm_replacement_t last_in_first_out = {
    "last in, first out", came, vmm_list_remove, last_that_came, 0, 0, false, 0, 0};

/* -- a machine with a swap area in memory -- */

static uint64_t ram[FRAMES * PAGE / 8], block[1 << 16];
static uint8_t device[PAGES][PAGE];

static int write_slot(void *user, uint32_t slot, const void *page)
{
    (void)user;
    memcpy(device[slot], page, PAGE);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    (void)user;
    memcpy(page, device[slot], PAGE);
    return 0;
}

static int failed(const char *what, vmm_status_t status)
{
    if (status) printf("%s: %s\n", what, vmm_status_text(status));
    return status != VMM_OK;
}

/* How many pages were read from swap on the way; -1: something went wrong. */
static int go_round(const vmm_replacement_t *policy)
{
    static const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    static const vmm_layout_t layout = {"plain",    0x1000, 0x40000000, 0x10000, 0x20000000, 0x30000000,
                                        0x3ffff000, 0,      1 << 20,    1,       true};
    static const vmm_swap_area_t area = {write_slot, read_slot, 0, PAGES, 0};
    vmm_machine_options_t options;
    vmm_machine_t *m;
    vmm_space_t *space;
    vmm_vaddr_t start;
    uint32_t i, value;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.layout = &layout;
    options.replacement = policy;
    options.spaces = options.objects = 1;
    options.slots = PAGES;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    if (failed("machine", vmm_machine_create(block, sizeof block, &options, &m)) ||
        failed("swap", vmm_swap_add(m, &area)) || failed("space", vmm_space_create(m, &space)) ||
        failed("mmap",
               vmm_mmap(space, 0, PAGES * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &start)))
        return -1;
    for (i = 0; i < ROUNDS * PAGES; i++) {
        const vmm_vaddr_t va = start + i % PAGES * PAGE;
        value = 0;
        if (failed("read", vmm_space_read(space, va, &value, sizeof value))) return -1;
        if (value != i / PAGES) return -1; /* what the last round wrote */
        value++;
        if (failed("write", vmm_space_write(space, va, &value, sizeof value))) return -1;
    }
    return (int)m->stats.swapped_in;
}

int main(void)
{
    const vmm_replacement_t *const policy[] = {&vmm_replace_lru, &vmm_replace_two_lists, &last_in_first_out};
    int reads[3], i;
    printf("%d rounds through %d pages, %d frames\n", ROUNDS, PAGES, FRAMES);
    for (i = 0; i < 3; i++) {
        reads[i] = go_round(policy[i]);
        if (reads[i] < 0) return 1;
        printf("%-20s %4d pages read from swap\n", policy[i]->name, reads[i]);
    }
    return reads[2] < reads[0] && reads[2] < reads[1] ? 0 : 1;
}
