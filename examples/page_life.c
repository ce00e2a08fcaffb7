/* page_life.c - one page from mmap to munmap: demand zero, fork, copy-on-write, swap, swap cache, locks, advice, huge
 * pages; then one page of a file. After each station it prints the steps that were told, the entry, the record of the
 * frame or slot, and counters. The numbers in brackets are the textbooks' steps of a page fault. */
#define VMM_EVENTS 1
#define VMM_IMPLEMENTATION
#include "vmm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

VMM_MMU(rv, VMM_RISCV64)

enum {
    PAGE = 4096,
    FRAMES = 64,
    SLOTS = 512,
    FILE_PAGES = 8,
    CROWD = 200,
    HUGE = 512
};

static uint64_t ram[3 * HUGE * PAGE / 8];
static uint64_t block[100000];
static uint8_t disk[SLOTS * PAGE], file[FILE_PAGES * PAGE];
static rv_mmu_t mmu;
static vmm_machine_t *m;
static uint32_t cpu;
static vmm_space_t *crowd; /* the others, who need frames too */
static vmm_vaddr_t crowd_va;
static enum {
    QUIET,
    ALL,
    WATCHED
} telling;
static vmm_vaddr_t watched;    /* a page */
static vmm_paddr_t watched_in; /* its frame */

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
    if (telling == QUIET || event->kind == VMM_EVENT_SWITCH) return;
    if (telling == WATCHED && (event->space == crowd->number || event->kind == VMM_EVENT_FRAME)) return;
    if (telling == WATCHED && event->kind == VMM_EVENT_SWAP_IN) return; /* somebody else's, into the same frame */
    if (telling == WATCHED && event->vaddr != watched && (event->vaddr || event->paddr != watched_in)) return;
    vmm_print_event(stdout, event);
}

static void check(bool holds, const char *what)
{
    if (holds) return;
    printf("WRONG: %s\n", what);
    exit(1);
}

static uint32_t load(vmm_space_t *s, vmm_vaddr_t va) /* what s reads; ~0: it got a signal */
{
    uint32_t word = 0;
    vmm_space_switch(s, cpu);
    return rv_load32(&mmu, va, &word) == VMM_OK ? word : ~0u;
}

static bool store(vmm_space_t *s, vmm_vaddr_t va, uint32_t word)
{
    vmm_space_switch(s, cpu);
    return rv_store32(&mmu, va, word) == VMM_OK;
}

/* The entry of a page, and what it names. */
static unsigned entry_of(vmm_space_t *s, vmm_vaddr_t va, vmm_pte_t *pte, uint32_t *number, unsigned *level)
{
    const uint8_t *entry = vmm_entry_find(m, s, va, level);
    unsigned kind;
    *pte = 0;
    if (!entry) return VMM_ENTRY_NONE;
    memcpy(pte, entry, 8);
    kind = vmm_entry_read(m, *pte, number);
    if (kind == VMM_ENTRY_PAGE) *number += (uint32_t)(va >> 12 & ((1u << 9 * *level) - 1));
    return kind;
}

static void show_frame(uint32_t frame)
{
    static const char *const kind[] = {"free", "fixed", "table", "anonymous", "cache", "merged"};
    static const char *const flag[] = {"dirty", "referenced", "swap", "busy", "locked", "lazy", "pinned", "exclusive"};
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    const unsigned list = vmm_list_of(m, frame);
    unsigned i;
    printf("    frame %u: %s, mappings %u, ", (unsigned)frame, kind[f->kind & 15u], (unsigned)f->mappings);
    if (list < VMM_RESIDENT_LISTS) printf("list %u\n", list);
    else puts("no list");
    if (!f->flags) return;
    printf("    flags");
    for (i = 0; i < 8; i++)
        if (f->flags & 1u << i) printf(" %s", flag[i]);
    puts("");
}

static void show(const char *name, vmm_space_t *s, vmm_vaddr_t va)
{
    static const char *const state[] = {"unallocated", "uncached", "cached"};
    static const char letters[] = "vrwxugad";
    const vmm_space_stats_t *n = &s->stats;
    uint32_t number = 0;
    vmm_pte_t pte;
    unsigned level = 0, kind = entry_of(s, va, &pte, &number, &level), i;
    printf("  %s: page %s, entry 0x%llx", name, state[vmm_page_state(s, va)], (unsigned long long)pte);
    if (kind == VMM_ENTRY_PAGE) putchar(' ');
    for (i = 0; i < 8 && kind == VMM_ENTRY_PAGE; i++) putchar(pte >> i & 1 ? letters[i] : '-');
    if (kind == VMM_ENTRY_PAGE && level) printf(" level %u", level);
    printf("\n    minor %u major %u anon %u file %u swapped %u\n", (unsigned)n->minor, (unsigned)n->major,
           (unsigned)n->anon, (unsigned)n->file, (unsigned)n->swapped);
    printf("    free frames %u\n", (unsigned)m->frames.free_frames);
    if (kind == VMM_ENTRY_PAGE || kind == VMM_ENTRY_PARKED) show_frame(number);
    if (kind == VMM_ENTRY_SLOT) {
        const vmm_slot_t *slot = vmm_slot_at(m, number);
        printf("    slot %u: count %u, %s\n", (unsigned)number, (unsigned)slot->count,
               slot->frame == VMM_NO_FRAME ? "no frame" : "in the swap cache");
        if (slot->frame != VMM_NO_FRAME) show_frame(slot->frame);
    }
}

static void station(const char *text)
{
    printf("-- %s\n", text);
    telling = ALL;
}

/* Others touch pages until that of s is taken, or their whole stretch was touched. */
static void press(vmm_space_t *s, vmm_vaddr_t va)
{
    uint32_t number = 0, i;
    vmm_pte_t pte;
    unsigned level;
    if (entry_of(s, va, &pte, &number, &level) == VMM_ENTRY_PAGE) watched_in = vmm_frame_paddr(m, number);
    watched = va;
    telling = WATCHED;
    for (i = 0; i < CROWD && entry_of(s, va, &pte, &number, &level) == VMM_ENTRY_PAGE; i++)
        check(store(crowd, crowd_va + i * PAGE, i), "the others' pages");
    telling = QUIET;
}

static void machine(uint32_t frames, uint8_t huge)
{
    static vmm_memory_t memory;
    static const vmm_swap_area_t swap = {write_slot, read_slot, disk, SLOTS, 0};
    vmm_machine_options_t options;
    memory.ram = ram;
    memory.base = 0x80000000;
    memory.size = (uint64_t)frames * PAGE;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.replacement = &vmm_replace_clock;
    options.spaces = 4;
    options.areas = 64;
    options.slots = SLOTS;
    options.asid_bits = 16;
    options.fault_around = options.read_ahead = 4;
    options.huge = huge;
    options.merging = true;
    options.event = tell;
    telling = QUIET;
    check(vmm_machine_create(block, sizeof block, &options, &m) == VMM_OK, "machine");
    check(rv_init(&mmu, &memory) == VMM_OK && rv_attach(&mmu, m, &cpu) == VMM_OK, "processor");
    check(vmm_swap_add(m, &swap) == VMM_OK && vmm_space_create(m, &crowd) == VMM_OK, "swap");
    check(vmm_mmap(crowd, 0, CROWD * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &crowd_va) ==
              VMM_OK,
          "the others");
}

static void anonymous_page(void)
{
    vmm_space_t *a = NULL, *b = NULL, *c = NULL;
    vmm_vaddr_t va = 0;
    uint32_t frame = 0;
    vmm_pte_t pte;
    unsigned level;
    machine(FRAMES, VMM_HUGE_NEVER);
    check(vmm_space_create(m, &a) == VMM_OK, "a");

    station("asked for");
    check(vmm_mmap(a, 0, PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &va) == VMM_OK, "mmap");
    show("a", a, va);
    station("first read");
    check(load(a, va) == 0, "zero");
    show("a", a, va);
    station("first write");
    check(store(a, va, 42), "first write");
    show("a", a, va);
    station("looked at by the policy");
    entry_of(a, va, &pte, &frame, &level);
    check(vmm_frame_referenced(m, frame), "it was used");
    show("a", a, va);
    station("used again");
    check(load(a, va) == 42, "load");
    show("a", a, va);
    station("fork");
    check(vmm_fork(a, &b) == VMM_OK, "fork");
    show("a", a, va);
    show("b", b, va);
    station("the child writes: copy");
    check(store(b, va, 43), "copy");
    show("a", a, va);
    show("b", b, va);
    station("the parent writes: reuse");
    check(store(a, va, 44) && load(b, va) == 43, "reuse");
    show("a", a, va);
    telling = QUIET;
    vmm_exit(b);
    station("a second fork, and memory runs short");
    check(vmm_fork(a, &c) == VMM_OK, "fork");
    press(a, va);
    show("a", a, va);
    show("c", c, va);
    station("read back");
    check(load(a, va) == 44, "swapped in");
    show("a", a, va);
    show("c", c, va);
    station("the other finds it in the swap cache");
    check(load(c, va) == 44, "swap cache");
    show("c", c, va);
    station("dropped while clean");
    press(a, va);
    show("a", a, va);
    telling = QUIET;
    vmm_exit(c);
    station("locked");
    check(vmm_mlock(a, va, PAGE) == VMM_OK, "mlock");
    press(a, va);
    show("a", a, va);
    station("unlocked, and let go by MADV_FREE");
    check(vmm_munlock(a, va, PAGE) == VMM_OK && vmm_madvise(a, va, PAGE, VMM_MADV_FREE) == VMM_OK, "free");
    show("a", a, va);
    puts("  ... and memory runs short");
    press(a, va);
    show("a", a, va);
    station("written anew, and let go by MADV_DONTNEED");
    telling = QUIET;
    check(store(a, va, 45), "write");
    telling = ALL;
    check(vmm_madvise(a, va, PAGE, VMM_MADV_DONTNEED) == VMM_OK && vmm_page_state(a, va) == VMM_PAGE_UNCACHED, "gone");
    show("a", a, va);
    station("unmapped");
    telling = QUIET;
    check(store(a, va, 46), "write");
    entry_of(a, va, &pte, &frame, &level);
    telling = ALL;
    check(vmm_munmap(a, va, PAGE) == VMM_OK, "munmap");
    show("a", a, va);
    show_frame(frame);
}

static void merged_page(void)
{
    vmm_space_t *a = NULL;
    vmm_vaddr_t va = 0;
    machine(FRAMES, VMM_HUGE_NEVER);
    check(vmm_space_create(m, &a) == VMM_OK, "a");
    check(vmm_mmap(a, 0, 2 * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &va) == VMM_OK, "mmap");
    check(vmm_madvise(a, va, 2 * PAGE, VMM_MADV_MERGEABLE) == VMM_OK, "advice");
    check(store(a, va, 7) && store(a, va + PAGE, 7), "two pages of the same content");
    station("merged");
    while (!m->stats.merged && m->merge_rounds < 4) vmm_merge_scan(m, 100);
    show("a", a, va);
    show("the other", a, va + PAGE);
    station("one of the merged pages is written");
    check(store(a, va, 8) && load(a, va + PAGE) == 7, "copy");
    show("a", a, va);
}

static void huge_page(void)
{
    vmm_space_t *a = NULL;
    vmm_vaddr_t va = 0;
    uint64_t made = 0;
    const uint32_t flags = VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS;
    machine(3 * HUGE, VMM_HUGE_ADVISED);
    check(vmm_space_create(m, &a) == VMM_OK, "a");
    station("part of a huge page");
    check(vmm_mmap(a, 0, 2 * HUGE * PAGE, VMM_R | VMM_W, flags, 0, 0, &va) == VMM_OK, "mmap");
    check(vmm_madvise(a, va, 2 * HUGE * PAGE, VMM_MADV_HUGEPAGE) == VMM_OK, "advice");
    va = ((va + HUGE * PAGE - 1) & ~(vmm_vaddr_t)(HUGE * PAGE - 1)) + 5 * PAGE;
    check(store(a, va, 7), "store");
    show("a", a, va);
    station("split, because one of its pages goes");
    check(vmm_madvise(a, va + PAGE, PAGE, VMM_MADV_DONTNEED) == VMM_OK && load(a, va) == 7, "split");
    show("a", a, va);
    station("collapsed again");
    check(vmm_collapse(a, va - 5 * PAGE, HUGE * PAGE, &made) == VMM_OK && load(a, va) == 7, "collapse");
    show("a", a, va);
}

static void file_page(void)
{
    static const vmm_object_options_t poem = {VMM_OBJECT_FILE, false, FILE_PAGES * PAGE, read_page, write_page, 0, file,
                                              "poem"};
    vmm_space_t *a = NULL, *b = NULL;
    vmm_vaddr_t shared_a = 0, shared_b = 0, private_b = 0;
    uint32_t object = 0;
    machine(FRAMES, VMM_HUGE_NEVER);
    check(vmm_space_create(m, &a) == VMM_OK && vmm_space_create(m, &b) == VMM_OK, "processes");
    check(vmm_object_create(m, &poem, &object) == VMM_OK, "file");

    station("a file is mapped");
    check(vmm_mmap(a, 0, FILE_PAGES * PAGE, VMM_R | VMM_W, VMM_MAP_SHARED, object, 0, &shared_a) == VMM_OK &&
              vmm_mmap(b, 0, FILE_PAGES * PAGE, VMM_R | VMM_W, VMM_MAP_SHARED, object, 0, &shared_b) == VMM_OK &&
              vmm_mmap(b, 0, FILE_PAGES * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE, object, 0, &private_b) == VMM_OK,
          "mmap");
    station("first read: read-ahead and fault-around");
    check(load(a, shared_a) == 0, "read");
    show("a", a, shared_a);
    check(load(a, shared_a + PAGE) == 0, "the next page");
    printf("  next pages: file_reads %u, around %u, minor %u\n", (unsigned)m->stats.file_reads,
           (unsigned)m->stats.around, (unsigned)a->stats.minor);
    check(load(b, shared_b + PAGE) == 0, "by the other process");
    station("written through the shared mapping");
    check(store(a, shared_a, 7) && load(b, shared_b) == 7, "shared");
    show("a", a, shared_a);
    station("written through the private mapping: copy");
    check(store(b, private_b, 8) && load(a, shared_a) == 7, "private");
    show("b", b, private_b);
    station("msync");
    check(vmm_msync(a, shared_a, PAGE, VMM_MS_SYNC) == VMM_OK && file[0] == 7, "msync");
    show("a", a, shared_a);
    station("memory runs short");
    press(a, shared_a);
    show("a", a, shared_a);
    station("written again, and memory runs short");
    telling = QUIET;
    check(store(a, shared_a, 9), "write");
    press(a, shared_a);
    check(file[0] == 9, "written back");
    show("a", a, shared_a);
    station("the file is cut off");
    check(vmm_object_truncate(m, object, 0) == VMM_OK && load(a, shared_a) == ~0u, "bus error");
    check(a->signal.number == VMM_SIGBUS, "bus error");
}

/* -- what the records of a machine cost: by how much its block grows -- */

static double more_bytes(vmm_machine_options_t smaller, vmm_machine_options_t larger, double by)
{
    return ((double)vmm_machine_bytes(&larger) - (double)vmm_machine_bytes(&smaller)) / by;
}

static void costs(void)
{
    const double many = 1 << 16;
    const vmm_memory_t memory = {ram, 0, (uint64_t)1 << 28, {0, 0, 0}, 0},
                       twice = {ram, 0, (uint64_t)1 << 29, {0, 0, 0}, 0};
    vmm_machine_options_t base, more;
    memset(&base, 0, sizeof base);
    base.memory = &memory;
    base.paging = &vmm_sv39;
    base.spaces = base.objects = base.nodes = base.slots = 1000;
    base.areas = 10000;
    puts("-- bytes of the block");
    printf("  the machine itself              %6u\n", (unsigned)sizeof(vmm_machine_t));
    more = base;
    more.memory = &twice;
    printf("  a frame                         %6.1f\n", more_bytes(base, more, many));
    base.local = more.local = true;
    printf("  a frame, local replacement      %6.1f\n", more_bytes(base, more, many));
    base.local = more.local = false;
    base.merging = more.merging = true;
    printf("  a frame, merging                %6.1f\n", more_bytes(base, more, many));
    base.merging = more.merging = false;
    base.nodes = more.nodes = 0;
    printf("  a frame, nodes by default       %6.1f\n", more_bytes(base, more, many));
    base.nodes = 1000;
    more = base;
    more.areas += 1 << 16;
    printf("  an area                         %6.1f\n", more_bytes(base, more, many));
    more = base;
    more.spaces += 1 << 14;
    printf("  a space                         %6.1f\n", more_bytes(base, more, many / 4));
    more = base;
    more.objects += 1 << 16;
    printf("  a file or shared memory         %6.1f\n", more_bytes(base, more, many));
    more = base;
    more.nodes += 1 << 16;
    printf("  a node, 16 pages of a file      %6.1f\n", more_bytes(base, more, many));
    more = base;
    more.slots += 1 << 16;
    printf("  a slot                          %6.1f\n", more_bytes(base, more, many));
    base.replacement = &vmm_replace_arc;
    base.ghosts = 1000;
    more = base;
    more.ghosts += 1 << 16;
    printf("  a ghost (2Q, ARC, S3-FIFO)      %6.1f\n", more_bytes(base, more, many));
}

int main(void)
{
    anonymous_page();
    merged_page();
    huge_page();
    file_page();
    costs();
    return 0;
}
