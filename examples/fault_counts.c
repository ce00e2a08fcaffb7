/* fault_counts.c - how many page faults does it take? A program asks for pages, reads them, writes them, forks, gives
 * them back: once on the model, and once on the host's own kernel, whose getrusage counts for comparison. */
#define _GNU_SOURCE
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 256u
#define LENGTH ((size_t)PAGES * PAGE)

/* The stations; each is counted by itself. */
static const struct {
    const char *what;
    unsigned faults;
    const char *why;
} stations[] = {{"mmap", 0, "only an area is made"},
                {"read every page", PAGES, "each gets the one frame of zeros"},
                {"write every page", PAGES, "each gets a frame of its own"},
                {"write again", 0, "the entries allow it now"},
                {"fork, the child writes", PAGES, "copy on write: a frame for the child"},
                {"the parent writes", PAGES, "nobody shares any more: reused, not copied"},
                {"give back, read", PAGES, "MADV_DONTNEED: zeros again"}};
#define STATIONS (sizeof stations / sizeof *stations)

/* -- the model -- */

static uint64_t ram[1 << 20], block[1 << 19]; /* 8 MiB of RAM, 4 MiB for records */
static const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};

static bool touch_model(vmm_space_t *space, vmm_vaddr_t at, bool write)
{
    unsigned i;
    uint8_t byte = 1;
    for (i = 0; i < PAGES; i++, at += PAGE)
        if (write ? vmm_space_write(space, at, &byte, 1) : vmm_space_read(space, at, &byte, 1)) return false;
    return true;
}

static bool run_model(uint64_t count[STATIONS])
{
    vmm_machine_options_t options;
    vmm_machine_t *m;
    vmm_space_t *space, *child;
    vmm_vaddr_t at = 0;
    uint64_t before = 0;
    size_t i;
    bool done = true;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.spaces = options.objects = 2;
    if (vmm_machine_create(block, sizeof block, &options, &m) || vmm_space_create(m, &space)) return false;
    for (i = 0; done && i < STATIONS; i++) {
        switch (i) {
        case 0:
            done = !vmm_mmap(space, 0, LENGTH, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &at);
            break;
        case 1: done = touch_model(space, at, false); break;
        case 4:
            done = !vmm_fork(space, &child) && touch_model(child, at, true);
            if (done) vmm_exit(child);
            break;
        case 6: done = !vmm_madvise(space, at, LENGTH, VMM_MADV_DONTNEED) && touch_model(space, at, false); break;
        default: done = touch_model(space, at, true); break;
        }
        count[i] = m->stats.minor + m->stats.major - before;
        before = m->stats.minor + m->stats.major;
    }
    return done;
}

/* -- the host -- */

static uint64_t faults_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

static void touch_host(volatile uint8_t *at, bool write)
{
    unsigned i;
    for (i = 0; i < PAGES; i++, at += PAGE) {
        if (write) *at = 1;
        else (void)*at;
    }
}

/* The child's count comes back through a pipe; the faults of its own coming to life are not among them. */
static uint64_t child_writes(uint8_t *at)
{
    uint64_t count = 0;
    int ends[2];
    pid_t child;
    if (pipe(ends)) return 0;
    child = fork();
    if (child == 0) {
        const uint64_t before = (faults_so_far(), faults_so_far());
        touch_host(at, true);
        count = faults_so_far() - before;
        _exit(write(ends[1], &count, sizeof count) != sizeof count);
    }
    if (child > 0 && read(ends[0], &count, sizeof count) != sizeof count) count = 0;
    close(ends[0]);
    close(ends[1]);
    if (child > 0) waitpid(child, NULL, 0);
    return count;
}

static bool run_host(uint64_t count[STATIONS])
{
    uint8_t *at = NULL;
    uint64_t before;
    size_t i;
    for (i = 0; i < STATIONS; i++) {
        before = (faults_so_far(), faults_so_far());
        switch (i) {
        case 0:
            at = (uint8_t *)mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (at == MAP_FAILED) return false;
            madvise(at, LENGTH, MADV_NOHUGEPAGE);
            break;
        case 1: touch_host(at, false); break;
        case 4: count[i] = child_writes(at); continue;
        case 6:
            madvise(at, LENGTH, MADV_DONTNEED);
            touch_host(at, false);
            break;
        default: touch_host(at, true); break;
        }
        count[i] = faults_so_far() - before;
    }
    return true;
}

int main(void)
{
    uint64_t model[STATIONS], host[STATIONS];
    size_t i;
    if (!run_model(model) || !run_host(host)) return 1;
    printf("%u pages%20s %6s %6s\n", PAGES, "", "model", "host");
    for (i = 0; i < STATIONS; i++) {
        printf("%-29s %6u %6u  %s\n", stations[i].what, (unsigned)model[i], (unsigned)host[i], stations[i].why);
        if (model[i] != stations[i].faults) return 1;
    }
    return 0;
}
