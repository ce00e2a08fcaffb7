/* space_malloc.c - what malloc and free do to a process's address space: the textbooks' walk. Small blocks come from
 * the heap, whose end is the program break; a block from 128 KiB on gets a mapping of its own. Nothing is resident
 * before it is touched. Memory goes back when its mapping is freed, or when more than 128 KiB at the end of the heap
 * are free: a hole below a live block stays. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_FAR_HEAP(heap, 0) /* heap_t, heap_malloc(), heap_free(): blocks are addresses */

#define KIB 1024u

static uint64_t ram[1 << 20]; /* 8 MiB */
static uint64_t records[1 << 17];
static const vmm_layout_t layout = {"3G/1G",    0x08048000, 0xc0000000, 0x08048000, 0x40000000, 0xb7000000,
                                    0xc0000000, 0,          8 << 20,    256,        false};
static vmm_space_t *space;
static heap_t heap;

static void show(const char *step)
{
    vmm_usage_t usage;
    vmm_smaps(space, 0, &usage);
    printf("%-22s break +%4u KiB  areas %u  faults %3u  resident %4u KiB\n", step,
           (unsigned)((space->brk - space->brk_start) / KIB), (unsigned)space->areas, (unsigned)space->stats.minor,
           (unsigned)(usage.rss / KIB));
}

/* A block that is written to, page by page, as a program would. */
static vmm_vaddr_t take(const char *name, size_t kib)
{
    char step[40];
    vmm_vaddr_t at = 0, va;
    const uint8_t byte = 1;
    if (heap_malloc(&heap, kib * KIB, 1, &at) != VMM_OK) return 0;
    snprintf(step, sizeof step, "%s = malloc(%uK)", name, (unsigned)kib);
    show(step);
    for (va = at; va < at + kib * KIB; va += 4 * KIB)
        if (vmm_space_write(space, va, &byte, 1) != VMM_OK) return 0;
    show("  written to");
    return at;
}

static bool give(const char *name, vmm_vaddr_t at)
{
    char step[40];
    if (heap_free(&heap, at) != VMM_OK) return false;
    snprintf(step, sizeof step, "free(%s)", name);
    show(step);
    return true;
}

int main(void)
{
    static const vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
    vmm_machine_options_t options;
    vmm_heap_options_t how;
    vmm_machine_t *machine;
    vmm_vaddr_t a, b, c, d;
    VMM_SET(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_two_level;
    options.layout = &layout;
    if (vmm_machine_create(records, sizeof records, &options, &machine) != VMM_OK) return 1;
    if (vmm_space_create(machine, &space) != VMM_OK) return 1;
    show("a new process");

    vmm_heap_in_space(space, &how);
    how.mmap_threshold = how.trim_threshold = how.top_pad = 128 * KIB; /* as given: else they follow what is freed */
    if (heap_init(&heap, &how) != VMM_OK) return 1;
    show("a heap in it");

    a = take("A", 30);
    b = take("B", 40);
    c = take("C", 200); /* from 128K on: mmap, and the break stays */
    d = take("D", 100);
    if (!a || !b || !c || !d) return 1;
    printf("\n");
    vmm_print_maps(stdout, space);
    printf("\n");
    if (!give("C", c)) return 1; /* munmap: gone at once */
    if (!give("B", b)) return 1; /* below D: a hole, its pages stay */
    if (!give("D", d)) return 1; /* with B and the rest more than 128K at the end: the break goes down */
    if (!give("A", a)) return 1;
    vmm_exit(space);
    return 0;
}
