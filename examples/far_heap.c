/* far_heap.c - a heap inside a modelled address space. Its headers are words of virtual memory, read and written
 * through the MMU; a page gets a frame when the heap first touches it, and not before. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(rv, VMM_RISCV64)
VMM_FAR_HEAP(guest, 0) /* guest_t, guest_malloc(), guest_realloc(), guest_free(): blocks are addresses */

#define HEAP_AT UINT64_C(0x40000000)
#define HEAP_BYTES ((size_t)1 << 20)

static uint64_t ram[1 << 17]; /* 1 MiB of guest physical memory */
static uint8_t side[VMM_FRAMES_BYTES(256)];
static vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
static vmm_frames_t frames;
static rv_mmu_t mmu;
static vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, rv_flush_told, &mmu};
static unsigned faults;

/* What a kernel does on a page fault: the page gets a frame. Then the access is made again. */
static bool serve_fault(void)
{
    const vmm_vaddr_t page = mmu.fault.vaddr & ~(vmm_vaddr_t)4095;
    vmm_paddr_t frame;
    if (page < HEAP_AT || page - HEAP_AT >= HEAP_BYTES || vmm_frames_alloc(&frames, 0, &frame) != VMM_OK) return false;
    VMM_SET((uint8_t *)ram + (frame - memory.base), 0, 4096);
    faults++;
    return rv_map(&tables, page, frame, 4096, VMM_R | VMM_W | VMM_A | VMM_D) == VMM_OK;
}

/* A word of the heap is a size_t of this host. */
static int load(void *user, vmm_vaddr_t at, size_t *word)
{
    (void)user;
    while (rv_read(&mmu, at, word, sizeof *word) != VMM_OK)
        if (!serve_fault()) return 1;
    return 0;
}

static int store(void *user, vmm_vaddr_t at, size_t word)
{
    (void)user;
    while (rv_write(&mmu, at, &word, sizeof word) != VMM_OK)
        if (!serve_fault()) return 1;
    return 0;
}

static void show(const char *what, vmm_status_t status, const vmm_vaddr_t *at)
{
    printf("%-30s", what);
    if (status != VMM_OK) printf("status %d    ", (int)status);
    else if (at) printf("0x%08llx  ", (unsigned long long)*at);
    else printf("%12s", "");
    printf("page faults so far: %u\n", faults);
}

int main(void)
{
    static guest_t heap;
    vmm_heap_options_t options;
    vmm_vaddr_t a = 0, b = 0, c = 0;
    size_t header = 0;
    VMM_SET(&options, 0, sizeof options);
    options.far_arena = HEAP_AT;
    options.bytes = HEAP_BYTES;
    options.hooks.load = load;
    options.hooks.store = store;
    if (vmm_frames_init(&frames, 0x80000000, 12, 256, side, sizeof side) != VMM_OK) return 1;
    if (rv_init(&mmu, &memory) != VMM_OK || rv_create(&tables) != VMM_OK) return 1;
    rv_set_satp(&mmu, UINT64_C(8) << 60 | tables.root >> 12);

    show("init, 1 MiB", guest_init(&heap, &options), NULL); /* its first page and its last */
    show("malloc a, 100", guest_malloc(&heap, 100, 1, &a), &a);
    show("malloc b, 20000", guest_malloc(&heap, 20000, 1, &b), &b);
    show("malloc c, 64, aligned to 4096", guest_malloc(&heap, 64, 4096, &c), &c);
    rv_read(&mmu, a - sizeof header, &header, sizeof header);
    printf("the word before a: %u bytes, flags %u\n", (unsigned)(header & ~7u), (unsigned)(header & 7));
    show("free b", guest_free(&heap, b), NULL);
    show("free b again", guest_free(&heap, b), NULL);
    show("realloc a, 5000", guest_realloc(&heap, a, 5000, &a), &a);
    show("malloc, 2 MiB", guest_malloc(&heap, 2 << 20, 1, &b), NULL);
    printf("sound: %s\n", guest_check(&heap) ? "yes" : "no");
    return 0;
}
