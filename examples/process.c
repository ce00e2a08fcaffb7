/* Two processes on a machine of 64 frames: pages that appear when they are touched, a file that both map, fork with
 * copy-on-write, swap, three ways to fault for good, and a process that eats memory until it is killed. Every step of
 * the first faults is printed; the numbers in brackets are the textbooks' steps of a page fault. */
#define VMM_EVENTS 1
#define VMM_IMPLEMENTATION
#include "vmm.h"
#include <stdlib.h>

VMM_MMU(rv, VMM_RISCV64)

#define PAGE 4096
#define FRAMES 64
#define SLOTS 128
#define FILE_PAGES 3

static uint64_t ram[FRAMES * PAGE / 8];
static uint64_t block[1 << 17]; /* all records of the machine */
static uint8_t disk[SLOTS * PAGE], file[FILE_PAGES * PAGE];
static rv_mmu_t mmu;
static vmm_machine_t *machine;
static uint32_t cpu;
static bool loud; /* print events */

/* Both devices are memory here: `user` is where it begins. */
static int write_slot(void *user, uint32_t slot, const void *page)
{
    return !memcpy((char *)user + slot * PAGE, page, PAGE);
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    return !memcpy(page, (char *)user + slot * PAGE, PAGE);
}

static int write_page(void *user, uint64_t page, const void *from)
{
    return write_slot(user, (uint32_t)page, from);
}
static int read_page(void *user, uint64_t page, void *to)
{
    return read_slot(user, (uint32_t)page, to);
}

static void tell(void *user, const vmm_event_t *event)
{
    (void)user;
    if (loud || event->kind == VMM_EVENT_KILL) vmm_print_event(stdout, event);
}

static void check(bool holds, const char *what)
{
    if (!holds) exit(printf("WRONG: %s\n", what));
}

static uint32_t load(vmm_space_t *s, vmm_vaddr_t va) /* what the process s reads at va; ~0: it got a signal */
{
    uint32_t word = 0;
    vmm_space_switch(s, cpu);
    return rv_load32(&mmu, va, &word) == VMM_OK ? word : ~0u;
}

static bool store(vmm_space_t *s, vmm_vaddr_t va, uint32_t word)
{
    return vmm_space_switch(s, cpu) == VMM_OK && rv_store32(&mmu, va, word) == VMM_OK;
}

static vmm_vaddr_t map(vmm_space_t *s, uint64_t pages, uint32_t flags, uint32_t object)
{
    vmm_vaddr_t va = 0;
    check(vmm_mmap(s, 0, pages * PAGE, VMM_R | VMM_W, flags, object, 0, &va) == VMM_OK, "mmap");
    return va;
}

static void signalled(const vmm_space_t *s, unsigned number, unsigned code)
{
    printf("-> signal %u, code %u\n", (unsigned)s->signal.number, (unsigned)s->signal.code);
    check(s->signal.number == number && s->signal.code == code, "signal");
}

int main(void)
{
    vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
    vmm_swap_area_t swap = {write_slot, read_slot, disk, SLOTS, 0};
    vmm_machine_options_t options = {0};
    vmm_object_options_t poem = {VMM_OBJECT_FILE, false, sizeof file - 100, read_page, write_page, 0, file, "poem.txt"};
    vmm_space_t *a = NULL, *b = NULL, *glutton = NULL;
    vmm_vaddr_t heap, shared_a, shared_b, copy;
    uint32_t object = 0, i;

    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.slots = SLOTS;
    options.asid_bits = 16;
    options.event = tell;
    check(vmm_machine_create(block, sizeof block, &options, &machine) == VMM_OK, "machine");
    check(rv_init(&mmu, &memory) == VMM_OK && rv_attach(&mmu, machine, &cpu) == VMM_OK, "processor");
    check(vmm_swap_add(machine, &swap) == VMM_OK && vmm_object_create(machine, &poem, &object) == VMM_OK, "devices");
    check(vmm_space_create(machine, &a) == VMM_OK && vmm_space_create(machine, &b) == VMM_OK, "processes");
    loud = true;
    puts("== demand zero: a reads, then writes a page that was never touched");
    heap = map(a, 90, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0);
    check(load(a, heap) == 0, "zero");
    check(store(a, heap, 42), "first write");
    puts("== a file, shared by a and b, and private to b");
    shared_a = map(a, FILE_PAGES, VMM_MAP_SHARED, object);
    shared_b = map(b, FILE_PAGES, VMM_MAP_SHARED, object);
    copy = map(b, FILE_PAGES, VMM_MAP_PRIVATE, object);
    check(store(a, shared_a, 7) && load(b, shared_b) == 7, "shared");
    check(load(b, copy) == 7 && store(b, copy, 8) && load(a, shared_a) == 7, "private");
    puts("== three faults that cannot be served: no area, no right, behind the end of the file");
    check(load(a, 0x1000) == ~0u, "no area");
    signalled(a, VMM_SIGSEGV, VMM_SEGV_MAPERR);
    check(vmm_mprotect(b, copy, PAGE, VMM_R) == VMM_OK && !store(b, copy, 9), "no right");
    signalled(b, VMM_SIGSEGV, VMM_SEGV_ACCERR);
    check(vmm_object_truncate(machine, object, 2 * PAGE) == VMM_OK && load(b, shared_b + 2 * PAGE) == ~0u,
          "end of file");
    signalled(b, VMM_SIGBUS, VMM_BUS_ADRERR);
    vmm_exit(b);
    puts("== fork: b is a's child now; the first write copies, the last owner's does not");
    check(vmm_fork(a, &b) == VMM_OK && load(b, heap) == 42, "fork");
    check(store(b, heap, 43) && load(a, heap) == 42 && store(a, heap, 44) && load(b, heap) == 43, "copy-on-write");
    check(vmm_msync(a, shared_a, PAGE, VMM_MS_SYNC) == VMM_OK && file[0] == 7, "msync");
    loud = false;

    for (i = 1; i < 90; i++) check(store(a, heap + i * PAGE, i), "write 90 pages on 64 frames");
    loud = true;
    puts("== swap: page 1 of a was taken for others; reading it brings it back");
    check(load(a, heap + PAGE) == 1, "swapped in");
    loud = false;
    for (i = 1; i < 90; i++) check(load(a, heap + i * PAGE) == i, "read them all back");
    check(load(b, heap) == 43 && vmm_check(machine), "nothing was lost");
    vmm_print_maps(stdout, a);
    vmm_print_ps(stdout, machine);
    vmm_print_meminfo(stdout, machine);

    puts("== a process that eats memory; swap fills up; it is the worst, and killed");
    check(vmm_space_create(machine, &glutton) == VMM_OK, "one more process");
    glutton->oom_score_adj = 500;
    heap = map(glutton, 500, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_NORESERVE, 0);
    for (i = 0; i < 500 && store(glutton, heap + i * PAGE, i); i++) continue;
    signalled(glutton, VMM_SIGKILL, 0);
    check(!a->killed && !b->killed && vmm_check(machine), "the others live");
    vmm_print_ps(stdout, machine);
    vmm_exit(glutton);
    vmm_exit(a);
    vmm_exit(b);
    check(vmm_check(machine) && machine->pages_anon == 0 && machine->slots_used == 0, "every frame came back");
    return 0;
}
