/* kernel.h - what the programs with paging share: frames, tables built by vmm.h itself, the kernel's own map. */
#ifndef KERNEL_H
#define KERNEL_H

#include "rv64.h"
#include "vmm.h"

#define POOL UINT64_C(0x82000000)
#define POOL_FRAMES 4096
#define KERNEL_FLAGS (VMM_R | VMM_W | VMM_X | VMM_G | VMM_A | VMM_D)
#define DATA_FLAGS (VMM_R | VMM_W | VMM_A | VMM_D)

static uint8_t frames_side[VMM_FRAMES_BYTES(POOL_FRAMES)];
static vmm_frames_t frames;
static vmm_memory_t memory;

/* What is mapped and unmapped reaches this hart's TLB. */
static void fence_told(void *user, const vmm_flush_t *what)
{
    (void)user;
    if (what->kind == VMM_FLUSH_TABLE || what->bytes >> what->page_shift != 1)
        __asm__ volatile("sfence.vma" ::: "memory");
    else __asm__ volatile("sfence.vma %0" ::"r"(what->vaddr) : "memory");
}

static void kernel_frames(void)
{
    memory.ram = (void *)(uintptr_t)0x80000000;
    memory.base = 0x80000000;
    memory.size = UINT64_C(128) << 20;
    expect(vmm_frames_init(&frames, POOL, 12, POOL_FRAMES, frames_side, sizeof frames_side), VMM_OK);
}

static inline void kernel_tables(vmm_tables_t *tables)
{
    tables->memory = &memory;
    tables->take = vmm_frames_take;
    tables->give = vmm_frames_give;
    tables->user = &frames;
    tables->flush = fence_told;
}

/* The kernel's own map, virtual = physical: RAM by huge pages, and devices. MAP is a stamped NAME_map. */
#define KERNEL_MAP(MAP, tables)                                                                                        \
    do {                                                                                                               \
        expect(MAP(tables, 0x80000000, 0x80000000, UINT64_C(128) << 20, KERNEL_FLAGS), VMM_OK);                        \
        expect(MAP(tables, 0x10000000, 0x10000000, 4096, DATA_FLAGS), VMM_OK);                                         \
        expect(MAP(tables, 0x00100000, 0x00100000, 4096, DATA_FLAGS), VMM_OK);                                         \
    } while (0)

static inline vmm_paddr_t frame_new(void)
{
    vmm_paddr_t frame = 0;
    expect(vmm_frames_alloc(&frames, 0, &frame), VMM_OK);
    return frame;
}

#endif
