/*
 * vmm_alloc.h - first floor of vmm: memory handed out.
 *
 * So far it hands out frames, by a buddy system. The managed memory is never touched: it may be
 * guest RAM, or not mapped at all; everything the buddy knows is in a side array that the caller
 * gives. Usable alone:
 *
 *     #include "vmm_alloc.h"
 *
 *     static uint8_t side[VMM_FRAMES_BYTES(1024)];      // metadata for 1024 frames
 *
 *     int main(void)
 *     {
 *         vmm_frames_t frames;
 *         vmm_paddr_t table;
 *         vmm_frames_init(&frames, 0x80000000, 12, 1024, side, sizeof side);
 *         vmm_frames_reserve(&frames, 0x80000000, 0x10000);     // firmware lives there
 *         if (vmm_frames_alloc(&frames, 2, &table) != VMM_OK)   // 2^2 frames, aligned to 4 frames
 *             return 1;
 *         vmm_frames_free(&frames, table, 2);
 *         return 0;
 *     }
 *
 * vmm_frames_take and vmm_frames_give have the shape that page-table editing asks for, so a
 * vmm_frames_t feeds a vmm_tables_t directly.
 *
 * How it works. A block is 2^order frames, aligned to its size. Free blocks of one order form a
 * doubly linked list, by frame number, in the side array; one byte for each frame says whether a
 * block begins there, of which order, and whether it is free; one bit for each order says whether its list is
 * empty. Allocating takes the lowest order that has a block, by counting trailing zeros, and
 * splits it down; freeing looks at the buddy's byte and merges up. No list is ever searched.
 *
 * Sections
 *   1 frames
 *
 * One thread at a time for each vmm_frames_t. MIT licence; see LICENSE.
 */
#ifndef VMM_ALLOC_H
#define VMM_ALLOC_H

#include "vmm_config.h"

/* ========================================================================= 1. frames == */
/** @defgroup vmm_frames 1. Frames
 *  A buddy system over one region of physical memory.
 *  @{ */

/** Orders that a region may have: blocks of 2^0 to 2^31 frames. */
#define VMM_FRAMES_ORDERS 32

/** Bytes of side array for so many frames: 9 for each, and 4 for alignment. */
#define VMM_FRAMES_BYTES(frames) ((frames)*UINT64_C(9) + 4)

/** A region of frames. Offsets and indexes, but for the two addresses of the side array.
 *  Invariants: free_frames is the sum of 2^order over all listed blocks; bit o of orders is set
 *  exactly when list o is not empty; two free buddies of one order never exist. */
typedef struct vmm_frames {
    vmm_paddr_t base;                  /**< Physical address of frame 0, bytes. */
    uint32_t count;                    /**< Frames in the region. */
    uint32_t free_frames;              /**< Frames that are free now. */
    uint32_t lowest_free;              /**< Fewest that were ever free: the high-water mark of use. */
    uint32_t orders;                   /**< Bit o: a block of order o is free. */
    uint32_t first[VMM_FRAMES_ORDERS]; /**< First free block of each order, by frame number. */
    vmm_any32_t *link;                 /**< next, previous: two for each frame. */
    uint8_t *state;                    /**< Order + 1 where a free block begins, 0x80 + order where an
                                        *   allocated one does, else 0. */
    uint8_t page_shift;                /**< log2 of the bytes of a frame. */
} vmm_frames_t;

/** @cond internal */
#define VMM_NO_FRAME UINT32_C(0xffffffff)
#define VMM_FRAMES_TAKEN 0x80u

VMM_INLINE void vmm_frames_link(vmm_frames_t *f, uint32_t block, unsigned order)
{
    const uint32_t next = f->first[order];
    f->link[2 * (size_t)block] = next;
    f->link[2 * (size_t)block + 1] = VMM_NO_FRAME;
    if (next != VMM_NO_FRAME) f->link[2 * (size_t)next + 1] = block;
    f->first[order] = block;
    f->state[block] = (uint8_t)(order + 1);
    f->orders |= UINT32_C(1) << order;
}

VMM_INLINE void vmm_frames_unlink(vmm_frames_t *f, uint32_t block, unsigned order)
{
    const uint32_t next = f->link[2 * (size_t)block], previous = f->link[2 * (size_t)block + 1];
    if (next != VMM_NO_FRAME) f->link[2 * (size_t)next + 1] = previous;
    if (previous != VMM_NO_FRAME) f->link[2 * (size_t)previous] = next;
    else f->first[order] = next;
    if (f->first[order] == VMM_NO_FRAME) f->orders &= ~(UINT32_C(1) << order);
    f->state[block] = 0;
}

/* Lists a block, merged with its buddy as far as buddies are free. */
VMM_INLINE void vmm_frames_merge(vmm_frames_t *f, uint32_t block, unsigned order)
{
    f->free_frames += UINT32_C(1) << order;
    for (; order + 1 < VMM_FRAMES_ORDERS; order++) {
        const uint32_t buddy = block ^ UINT32_C(1) << order;
        if (buddy >= f->count || f->state[buddy] != order + 1) break;
        vmm_frames_unlink(f, buddy, order);
        block &= buddy;
    }
    vmm_frames_link(f, block, order);
}

/* The free block that holds a frame, or VMM_NO_FRAME. */
VMM_INLINE uint32_t vmm_frames_find(const vmm_frames_t *f, uint32_t frame)
{
    unsigned order;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) {
        const uint32_t block = frame & ~((UINT32_C(1) << order) - 1u);
        if (f->state[block] > order && f->state[block] < VMM_FRAMES_TAKEN) return block;
    }
    return VMM_NO_FRAME;
}

/* Lists the frames [first, end) as the largest aligned blocks. */
VMM_INLINE void vmm_frames_add(vmm_frames_t *f, uint32_t first, uint32_t end)
{
    while (first < end) {
        unsigned order = first ? (unsigned)__builtin_ctz(first) : VMM_FRAMES_ORDERS - 1u;
        while ((UINT32_C(1) << order) > end - first) order--;
        vmm_frames_merge(f, first, order);
        first += UINT32_C(1) << order;
    }
}
/** @endcond */

/** Makes a region of which every frame is free.
 *  @param f           the region, any content
 *  @param base        physical address of its first frame, bytes
 *  @param page_shift  log2 of the bytes of a frame, 3 to 30
 *  @param count       frames, 1 to 2^31
 *  @param side        memory for the metadata; stays the caller's
 *  @param bytes       its size, at least VMM_FRAMES_BYTES(count)
 *  @return VMM_OK; VMM_E_ARGUMENT when side is null, too small, or page_shift is out of range;
 *  VMM_E_ALIGN when base is not a multiple of the frame size; VMM_E_RANGE when count is 0 or too
 *  large or the region wraps. O(count). */
VMM_INLINE vmm_status_t vmm_frames_init(vmm_frames_t *f, vmm_paddr_t base, unsigned page_shift, uint64_t count,
                                        void *side, uint64_t bytes)
{
    unsigned order;
    if (!side || page_shift < 3 || page_shift > 30) return VMM_E_ARGUMENT;
    if (base & ((UINT64_C(1) << page_shift) - 1)) return VMM_E_ALIGN;
    if (count == 0 || count > UINT64_C(1) << 31) return VMM_E_RANGE;
    if (base + (count << page_shift) - 1 < base) return VMM_E_RANGE;
    if (bytes < VMM_FRAMES_BYTES(count)) return VMM_E_ARGUMENT;
    f->base = base;
    f->count = (uint32_t)count;
    f->free_frames = 0;
    f->orders = 0;
    f->page_shift = (uint8_t)page_shift;
    f->link = (vmm_any32_t *)(((uintptr_t)side + 3) & ~(uintptr_t)3);
    f->state = (uint8_t *)(f->link + 2 * (size_t)count);
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) f->first[order] = VMM_NO_FRAME;
    VMM_SET(f->state, 0, (size_t)count);
    vmm_frames_add(f, 0, f->count);
    f->lowest_free = f->free_frames;
    return VMM_OK;
}

/** Allocates a block of 2^order frames, aligned to its size within the region.
 *  @param f      the region
 *  @param order  log2 of the frames
 *  @param paddr  receives the physical address of the block, bytes
 *  @return VMM_OK; VMM_E_NO_FRAME when no block is large enough; VMM_E_ARGUMENT for an order that is
 *  none. At most VMM_FRAMES_ORDERS steps. */
VMM_INLINE vmm_status_t vmm_frames_alloc(vmm_frames_t *f, unsigned order, vmm_paddr_t *paddr)
{
    uint32_t block, large;
    unsigned have;
    if (order >= VMM_FRAMES_ORDERS) return VMM_E_ARGUMENT;
    large = f->orders & ~((UINT32_C(1) << order) - 1u);
    if (!large) return VMM_E_NO_FRAME;
    have = (unsigned)__builtin_ctz(large);
    block = f->first[have];
    vmm_frames_unlink(f, block, have);
    while (have > order) {
        have--;
        vmm_frames_link(f, block + (UINT32_C(1) << have), have);
    }
    f->state[block] = (uint8_t)(VMM_FRAMES_TAKEN + order);
    f->free_frames -= UINT32_C(1) << order;
    if (f->free_frames < f->lowest_free) f->lowest_free = f->free_frames;
    *paddr = f->base + ((vmm_paddr_t)block << f->page_shift);
    return VMM_OK;
}

/** Gives a block back.
 *  @param f      the region
 *  @param paddr  physical address of its first byte
 *  @param order  the order it was allocated with
 *  @return VMM_OK; VMM_E_ALIGN when the address is not that of a block of this order; VMM_E_RANGE when
 *  it lies outside; VMM_E_NOT_MAPPED when no block of this order is allocated there (a double free, a
 *  wrong order): nothing is changed. At most VMM_FRAMES_ORDERS steps. */
VMM_INLINE vmm_status_t vmm_frames_free(vmm_frames_t *f, vmm_paddr_t paddr, unsigned order)
{
    const uint64_t offset = paddr - f->base, block = offset >> f->page_shift;
    if (order >= VMM_FRAMES_ORDERS) return VMM_E_ARGUMENT;
    if (block >= f->count || (UINT64_C(1) << order) > f->count - block) return VMM_E_RANGE;
    if (offset & (((UINT64_C(1) << order) << f->page_shift) - 1)) return VMM_E_ALIGN;
    if (f->state[block] != VMM_FRAMES_TAKEN + order) return VMM_E_NOT_MAPPED;
    f->state[block] = 0;
    vmm_frames_merge(f, (uint32_t)block, order);
    return VMM_OK;
}

/** Takes a range of free frames away for good: holes, firmware, devices.
 *  @param f      the region
 *  @param paddr  first byte, a multiple of the frame size
 *  @param bytes  length, a multiple of the frame size, not 0
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE; VMM_E_MAPPED when one of them is not free: nothing is
 *  changed. O(frames x orders). */
VMM_INLINE vmm_status_t vmm_frames_reserve(vmm_frames_t *f, vmm_paddr_t paddr, uint64_t bytes)
{
    const uint64_t first = (paddr - f->base) >> f->page_shift, frames = bytes >> f->page_shift;
    uint64_t frame;
    if ((paddr | bytes) & ((UINT64_C(1) << f->page_shift) - 1)) return VMM_E_ALIGN;
    if (frames == 0 || first >= f->count || frames > f->count - first) return VMM_E_RANGE;
    for (frame = first; frame < first + frames; frame++)
        if (vmm_frames_find(f, (uint32_t)frame) == VMM_NO_FRAME) return VMM_E_MAPPED;
    for (frame = first; frame < first + frames;) {
        const uint32_t block = vmm_frames_find(f, (uint32_t)frame);
        const unsigned order = f->state[block] - 1u;
        const uint64_t block_end = (uint64_t)block + (UINT64_C(1) << order);
        const uint64_t end = block_end < first + frames ? block_end : first + frames;
        vmm_frames_unlink(f, block, order);
        f->free_frames -= UINT32_C(1) << order;
        vmm_frames_add(f, block, (uint32_t)frame);
        vmm_frames_add(f, (uint32_t)end, (uint32_t)block_end);
        frame = end;
    }
    if (f->free_frames < f->lowest_free) f->lowest_free = f->free_frames;
    return VMM_OK;
}

/** Verifies every invariant: lists and bytes agree, blocks are aligned, inside, and disjoint, no two
 *  free buddies stand apart, the counts add up.
 *  @param f  the region
 *  @return whether all hold. O(count). */
VMM_INLINE bool vmm_frames_check(const vmm_frames_t *f)
{
    uint64_t listed = 0, marked = 0, frames = 0;
    uint32_t frame, block;
    unsigned order;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) {
        uint32_t previous = VMM_NO_FRAME;
        if (((f->orders >> order) & 1) != (f->first[order] != VMM_NO_FRAME)) return false;
        for (block = f->first[order]; block != VMM_NO_FRAME; block = f->link[2 * (size_t)block]) {
            if (block >= f->count || f->state[block] != order + 1) return false;
            if (f->link[2 * (size_t)block + 1] != previous || listed++ > f->count) return false;
            previous = block;
        }
    }
    for (frame = 0; frame < f->count; frame++) {
        uint32_t size, buddy;
        if (!f->state[frame] || f->state[frame] >= VMM_FRAMES_TAKEN) continue;
        size = UINT32_C(1) << (f->state[frame] - 1u);
        buddy = frame ^ size;
        if ((frame & (size - 1u)) || size > f->count - frame) return false;
        if (buddy < f->count && f->state[buddy] == f->state[frame]) return false;
        if (frame < frames) return false;
        frames = (uint64_t)frame + size;
        marked++;
    }
    for (frames = 0, order = 0; order < VMM_FRAMES_ORDERS; order++)
        for (block = f->first[order]; block != VMM_NO_FRAME; block = f->link[2 * (size_t)block])
            frames += UINT64_C(1) << order;
    return listed == marked && frames == f->free_frames && f->lowest_free <= f->free_frames;
}

/** vmm_frames_alloc in the shape that vmm_tables_t asks for.
 *  @param user   a vmm_frames_t
 *  @param bytes  a power of two, at least a frame is taken
 *  @param table  receives the physical address
 *  @return 0, or 1 when there is none. */
VMM_OUTLINE int vmm_frames_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    vmm_frames_t *f = (vmm_frames_t *)user;
    unsigned order = 0;
    while ((UINT64_C(1) << f->page_shift << order) < bytes) order++;
    return vmm_frames_alloc(f, order, table) != VMM_OK;
}

/** vmm_frames_free in the shape that vmm_tables_t asks for.
 *  @param user   a vmm_frames_t
 *  @param table  physical address
 *  @param bytes  as taken */
VMM_OUTLINE void vmm_frames_give(void *user, vmm_paddr_t table, uint64_t bytes)
{
    vmm_frames_t *f = (vmm_frames_t *)user;
    unsigned order = 0;
    while ((UINT64_C(1) << f->page_shift << order) < bytes) order++;
    (void)vmm_frames_free(f, table, order);
}
/** @} */

#endif /* VMM_ALLOC_H */
