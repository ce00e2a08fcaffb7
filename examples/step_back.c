/* step_back.c - a process, its child, and a page that is copied when it is written; then back in time, step by step, a
 * look around, forward again, and another way. A history watches the machine's records, RAM and the MMU. */
#define VMM_EVENTS 1
#define VMM_IMPLEMENTATION
#include "vmm.h"
#include <stdlib.h>

VMM_MMU(rv, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 2, VMM_LRU))

#define PAGE 4096
#define FRAMES 64

static uint64_t ram[FRAMES * PAGE / 8];
static uint64_t records[1 << 16], kept[1 << 18];
static rv_mmu_t mmu;
static vmm_machine_t *machine;
static vmm_space_t *parent, *child;
static vmm_vaddr_t va;
static uint32_t cpu;
static vmm_history_t *history;
static bool loud = true;

static void tell(void *user, const vmm_event_t *event)
{
    (void)user;
    if (loud) vmm_print_event(stdout, event);
}

static void check(bool holds, const char *what)
{
    if (!holds) exit(printf("WRONG: %s\n", what));
}

static uint32_t load(vmm_space_t *s)
{
    uint32_t word = 0;
    check(vmm_space_switch(s, cpu) == VMM_OK && rv_load32(&mmu, va, &word) == VMM_OK, "load");
    return word;
}

static void store(vmm_space_t *s, uint32_t word)
{
    check(vmm_space_switch(s, cpu) == VMM_OK && rv_store32(&mmu, va, word) == VMM_OK, "store");
}

/* Looks by real accesses; they fill the TLB and count, so the state of the mark is put back after them. */
static void look(const char *how)
{
    loud = false;
    printf("%-8s step %u: parent reads %u, ", how, (unsigned)history->step, (unsigned)load(parent));
    if (child->number) printf("child reads %u, ", (unsigned)load(child));
    vmm_history_restore(history);
    printf("%u frames free, %u faults, %u copies\n", (unsigned)machine->frames.free_frames,
           (unsigned)machine->stats.minor, (unsigned)machine->stats.copied);
    loud = true;
}

static void done(const char *what)
{
    printf("-- %s\n", what);
    check(vmm_history_mark(history) == VMM_OK, "room for what changed");
}

static void set_up(void)
{
    static const vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
    vmm_machine_options_t options = {0};
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.spaces = 4;
    options.areas = 16;
    options.event = tell;
    check(vmm_machine_create(records, sizeof records, &options, &machine) == VMM_OK, "machine");
    check(rv_init(&mmu, &memory) == VMM_OK && rv_attach(&mmu, machine, &cpu) == VMM_OK, "processor");
    check(vmm_space_create(machine, &parent) == VMM_OK, "process");
    child = vmm_space_at(machine, 2); /* the record that a fork will fill */
    check(vmm_mmap(parent, 0, PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &va) == VMM_OK, "mmap");
    check(vmm_history_create(kept, sizeof kept, &history) == VMM_OK, "history");
    check(vmm_history_watch(history, records, sizeof records) == VMM_OK, "records");
    check(vmm_history_watch(history, ram, sizeof ram) == VMM_OK, "RAM");
    check(vmm_history_watch(history, &mmu, sizeof mmu) == VMM_OK, "MMU");
}

int main(void)
{
    vmm_examination_t x;
    vmm_symbol_t symbols[VMM_SYMBOLS];
    set_up();
    store(parent, 41);
    done("step 1: the parent wrote 41; the page appeared");
    check(vmm_fork(parent, &child) == VMM_OK, "fork");
    done("step 2: fork");
    store(child, 42);
    done("step 3: the child wrote 42; the page was copied");
    store(parent, 43);
    done("step 4: the parent wrote 43; nobody shares the page any more");
    look("now");

    check(vmm_history_back(history) == VMM_OK, "back");
    look("back");
    check(vmm_history_back(history) == VMM_OK, "back");
    look("back");
    rv_examine(&mmu, va, VMM_WRITE, &x); /* why will the write of step 3 fault? */
    vmm_print_examination(stdout, &x);
    vmm_symbols(&x, symbols);
    vmm_print_symbols(stdout, symbols, VMM_SYMBOLS);
    check(vmm_history_back(history) == VMM_OK, "back");
    look("back");
    check(vmm_history_forward(history) == VMM_OK, "forward");
    look("forward");

    store(parent, 50);
    done("step 3 anew: the parent writes first, and gets the copy");
    look("now");
    check(vmm_history_forward(history) == VMM_E_LIMIT, "the steps that lay ahead are gone");
    check(vmm_history_go(history, 0) == VMM_OK && machine->stats.minor == 0, "the beginning");
    check(vmm_check(machine) && vmm_history_check(history), "everything is whole");
    return 0;
}
