/*
 * vmm_alloc.h - first floor of vmm: memory handed out in frames, objects and bytes.
 *
 * Three allocators, each usable without the others, over memory that the caller gives:
 *
 *     #include "vmm_alloc.h"
 *     VMM_HEAP(heap, VMM_HEAP_BOUNDED)                     // heap_t, heap_malloc(), heap_free() ...
 *
 *     #define FRAMES 16                                    // of 4 KiB, aligned to them all
 *     static uint8_t pool[FRAMES << 12] __attribute__((aligned(FRAMES << 12)));
 *     static uint8_t side[VMM_FRAMES_BYTES(FRAMES)];       // what is known of them
 *     static uint64_t arena[2048];                         // 16 KiB of bytes
 *     static vmm_frames_t frames;
 *     static vmm_cache_t cache;
 *     static heap_t heap;
 *
 *     int main(void)
 *     {
 *         vmm_pages_t pages = {vmm_frames_take_pages, vmm_frames_give_pages, &frames, pool, sizeof pool};
 *         static vmm_cache_options_t of_cache;             // all zero: the defaults
 *         static vmm_heap_options_t of_heap;
 *         void *object, *block;
 *         of_cache.size = 48;
 *         of_heap.arena = arena;
 *         of_heap.bytes = sizeof arena;
 *         vmm_frames_init(&frames, (uintptr_t)pool, 12, FRAMES, side, sizeof side);
 *         vmm_cache_init(&cache, &of_cache, &pages);       // slabs come out of the frames
 *         heap_init(&heap, &of_heap);
 *         object = vmm_cache_alloc(&cache);
 *         block = heap_malloc(&heap, 100);
 *         if (!object || !block) return 1;
 *         heap_free(&heap, block);
 *         return vmm_cache_free(&cache, object) != VMM_MISUSE_NONE;
 *     }
 *
 * Frames are blocks of 2^order pages, by a buddy; the managed memory is never touched, and may be guest RAM or not
 * mapped at all. Objects have one size, and come headerless out of slabs. A heap is malloc and its family: small
 * blocks from slabs where it has them, others from chunks with one word before them, large ones mapped by
 * themselves where it has a hook for that. A heap's kind is constant, so that what it does without is not compiled.
 *
 * A wrong call (a double free, a pointer that is none, a size near SIZE_MAX) is refused: the reason comes back by
 * value and goes to a hook, and nothing was changed. How much is seen is chosen: flags of a cache, levels of a heap.
 *
 * Options, to be defined before the include
 *     VMM_FRAMES_LAYOUT        VMM_FRAMES_LISTS, 9 bytes a frame, or VMM_FRAMES_BITMAPS, 1.26 and slower
 *     VMM_MAGAZINE_ITEMS       1021; most objects that a magazine can hold
 *     VMM_HEAP_MAGAZINE_ITEMS  93; most objects of each small size that a heap keeps at hand
 *     VMM_HEAP_BINS            128, or 96 where size_t has 32 bits; bins of free chunks
 *     VMM_HEAP_REGIONS         8; regions that a heap can have
 *     VMM_HEAP_QUARANTINE      64; blocks that wait there on level 3
 *     VMM_ALLOC_STEP()         nothing; called in every loop whose turns are bounded
 * Those of a heap are arguments of VMM_HEAP: the presets VMM_HEAP_FAST, SAFE, HARD, BOUNDED and TEXTBOOK(fit).
 *
 * Sections
 *   1 frames     vmm_frames_t: regions, reserve, alloc, free, split, share, measure
 *   2 objects    vmm_cache_t, a slab allocator; vmm_magazine_t, objects at hand
 *   3 bytes      VMM_HEAP, VMM_FAR_HEAP
 *   4 reports    what a reason means, printers, recording and reading .rep texts
 *
 * One thread at a time for each instance, unless it is given a lock. MIT licence; see LICENSE.
 */
#ifndef VMM_ALLOC_H
#define VMM_ALLOC_H

#include "vmm_config.h"

#if VMM_STDIO
#include <stdio.h>
#include <string.h>
#endif

/* What the sections share. */
/** @defgroup vmm_alloc_common Common to all sections
 *  Reasons, locks, call sites.
 *  @{ */

/** What is wrong with a call, told by value and to the misuse hook; nothing was changed. */
typedef enum vmm_misuse {
    VMM_MISUSE_NONE = 0,        /**< Nothing. */
    VMM_MISUSE_DOUBLE_FREE,     /**< The block is free already. */
    VMM_MISUSE_INTERIOR,        /**< The address lies inside a block or is misaligned: no block begins there. */
    VMM_MISUSE_FOREIGN,         /**< The address was never this allocator's. */
    VMM_MISUSE_OVERRUN,         /**< Something was written behind the end of the block. */
    VMM_MISUSE_CORRUPTED,       /**< The allocator's own words around or inside the block were overwritten. */
    VMM_MISUSE_USED_AFTER_FREE, /**< A free block was written to. */
    VMM_MISUSE_SIZE,            /**< A size near SIZE_MAX, or a product that overflows; or a wrong size on free. */
    VMM_MISUSE_ALIGN,           /**< An alignment that is no power of two. */
    VMM_MISUSE_WALKING          /**< Called from within a walk, which allows nothing. */
} vmm_misuse_t;

/** A lock of the program's; zero for none. */
typedef struct vmm_lock {
    void (*acquire)(void *user); /**< Takes it. */
    void (*release)(void *user); /**< Lets it go. */
    void *user;                  /**< Handed to both. */
} vmm_lock_t;

/** The place of a call, as a constant string: `file.c:12`. */
#define VMM_HERE __FILE__ ":" VMM_TEXT(__LINE__)

/** Called once for each turn of every loop that the stated bounds speak of; a test counts with it. */
#ifndef VMM_ALLOC_STEP
#define VMM_ALLOC_STEP() ((void)0)
#endif

/** @cond internal */
#define VMM_TEXT(number) VMM_TEXT_(number)
#define VMM_TEXT_(number) #number
typedef size_t VMM_MAY_ALIAS vmm_word_t;
/** @endcond */
/** @} */

/* ========================================================================= 1. frames == */
/** @defgroup vmm_frames 1. Frames
 *  A buddy system over any number of regions of physical memory.
 *
 *  A block is 2^order frames, aligned to its size within its region. One byte for each frame, its
 *  state, says what begins there. Free blocks are found through an index, of which there are two
 *  kinds, chosen by VMM_FRAMES_LAYOUT:
 *
 *  | layout | index | bytes a frame | a step costs |
 *  |---|---|---|---|
 *  | VMM_FRAMES_LISTS | a doubly linked list for each order | 9 | a few instructions |
 *  | VMM_FRAMES_BITMAPS | a bit for each block that could be, under a tree of summaries | 1.26 | up to 7 words |
 *
 *  Every function that takes a vmm_frames_t works on that region and on those joined behind it.
 *  Complexities are told for one region; finding the region adds one step for each.
 *  @{ */

/** A value of VMM_FRAMES_LAYOUT: the faster. */
#define VMM_FRAMES_LISTS 1
/** A value of VMM_FRAMES_LAYOUT: the smaller, and it hands out the lowest block of an order first. */
#define VMM_FRAMES_BITMAPS 2

/** How free blocks are indexed. Part of the struct's tag, so that C++ files that differ do not link. */
#ifndef VMM_FRAMES_LAYOUT
#define VMM_FRAMES_LAYOUT VMM_FRAMES_LISTS
#endif
VMM_STATIC_ASSERT(VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS || VMM_FRAMES_LAYOUT == VMM_FRAMES_BITMAPS,
                  "VMM_FRAMES_LAYOUT must be VMM_FRAMES_LISTS or VMM_FRAMES_BITMAPS");

/** Orders that a region may have: blocks of 2^0 to 2^31 frames. */
#define VMM_FRAMES_ORDERS 32

#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS
/** Bytes of side array for so many frames: 9 for each, and 4 for alignment. With bitmaps 1 + 8/31 for
 *  each, and 32: at most 1.5 for each from 133 frames on. */
#define VMM_FRAMES_BYTES(frames) ((frames)*UINT64_C(9) + 4)
/** Most owners of one block; with bitmaps 64. */
#define VMM_FRAMES_MOST_OWNERS UINT32_C(0xffffffff)
/** @cond internal */
#define VMM_FRAMES_TAG vmm_frames_lists
/** @endcond */
#else
#define VMM_FRAMES_BYTES(frames) ((frames) + (frames)*UINT64_C(8) / 31 + 32)
#define VMM_FRAMES_MOST_OWNERS UINT32_C(64)
#define VMM_FRAMES_TAG vmm_frames_bitmaps
#define VMM_FRAMES_LEVELS 7 /* 32^7 > 2^32 bits */
#endif

/** A region of frames. Offsets and indexes, but for the addresses of the side array and the next region.
 *  Invariants: every frame belongs to exactly one free block, taken block or reservation; free_frames
 *  is the sum of 2^order over all indexed blocks; bit o of orders is set exactly when a block of order
 *  o is indexed; two free buddies of one order never exist. */
typedef struct VMM_FRAMES_TAG {
    vmm_paddr_t base;            /**< Physical address of frame 0, bytes. */
    uint32_t count;              /**< Frames in the region. */
    uint32_t free_frames;        /**< Frames that are free now. */
    uint32_t lowest_free;        /**< Fewest that were ever free: the high-water mark of use. */
    uint32_t orders;             /**< Bit o: a block of order o is free. */
    uint8_t page_shift;          /**< log2 of the bytes of a frame. */
    uint8_t *state;              /**< What begins at each frame: a free or taken block, a reserved frame, nothing. */
    struct VMM_FRAMES_TAG *next; /**< The region joined behind this one, or null. */
    vmm_any32_t *index;          /**< Lists: next, previous for each frame. Bitmaps: words, level 0 first. */
#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS
    uint32_t first[VMM_FRAMES_ORDERS]; /**< First free block of each order, by frame number. */
#else
    uint32_t blocks[VMM_FRAMES_ORDERS]; /**< Free blocks of each order. */
    uint32_t start[VMM_FRAMES_ORDERS];  /**< Bit of level 0 that stands for block 0 of each order. */
    uint32_t level[VMM_FRAMES_LEVELS];  /**< First word of each level. */
    uint8_t levels;                     /**< How many there are; the last is one word. */
#endif
} vmm_frames_t;

/** What vmm_frames_measure counts, over all regions. */
typedef struct vmm_frames_usage {
    uint64_t frames;                    /**< Frames there are. */
    uint64_t free_frames;               /**< Free now. */
    uint64_t lowest_free;               /**< Sum of the regions' lowest_free: at most the fewest ever free. */
    uint64_t reserved;                  /**< Frames taken away by vmm_frames_reserve. */
    uint64_t shared;                    /**< Frames of blocks that have more than one owner. */
    uint64_t blocks[VMM_FRAMES_ORDERS]; /**< Free blocks of each order. */
} vmm_frames_usage_t;

/** @cond internal */
#define VMM_NO_FRAME UINT32_C(0xffffffff)
/* Values of a state byte:
 *   0x00           nothing begins here: inside a block
 *   order + 1      a free block
 *   0x40           a reserved frame
 *   0x41 to 0x7f   bitmaps: 0x40 + owners - 1 of the shared block, not of order 0, that begins one frame before
 *   0x80 + order   a taken block of one owner
 *   0xa0 + order   a taken block of several: lists count them in the block's unused links
 *   0xc1 to 0xff   bitmaps: 0xc0 + owners - 1 of a shared block of order 0 */
#define VMM_FRAMES_RESERVED 0x40u
#define VMM_FRAMES_TAKEN 0x80u
#define VMM_FRAMES_SHARED 0xa0u
#define VMM_FRAMES_COUNTED 0xc0u

/* The bits from `order` up: of orders, those that are large enough; of a frame, the block that holds it. */
VMM_INLINE uint32_t vmm_frames_mask(unsigned order)
{
    return 0u - (UINT32_C(1) << order);
}

VMM_INLINE bool vmm_frames_is_free(const vmm_frames_t *f, uint32_t frame)
{
    return f->state[frame] - 1u < VMM_FRAMES_ORDERS;
}

/* The order of what begins at a frame: 0 for a reserved one. */
VMM_INLINE unsigned vmm_frames_order_at(const vmm_frames_t *f, uint32_t frame)
{
    const unsigned state = f->state[frame];
    if (state <= VMM_FRAMES_ORDERS) return state - 1u;
    return state >= VMM_FRAMES_COUNTED ? 0 : state % VMM_FRAMES_ORDERS;
}

/* The layout: an index of free blocks, and where the owners of a taken one are counted. All that
 * follows it is the same for both.
 *   index_init       lays an empty index of f->count frames at f->index; words it takes
 *   link, unlink     a block becomes free, or ceases to be
 *   link_only        links a block of an order that has none
 *   pop              unlinks a block of an order that has one
 *   lowest           a free block, of this order at least, whose first 2^order frames end by `end`
 *   owners           of a taken block; set_owners makes it one of so many
 *   index_check      whether index, marks and masks agree */
#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS

VMM_INLINE size_t vmm_frames_index_init(vmm_frames_t *f)
{
    unsigned order;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) f->first[order] = VMM_NO_FRAME;
    return 2 * (size_t)f->count;
}

/* The first of a list has no previous worth reading, so that to pop it touches no other block. */
VMM_INLINE void vmm_frames_link(vmm_frames_t *f, uint32_t block, unsigned order)
{
    const uint32_t next = f->first[order];
    f->first[order] = block;
    f->state[block] = (uint8_t)(order + 1);
    f->index[2 * (size_t)block] = next;
    if (next != VMM_NO_FRAME) f->index[2 * (size_t)next + 1] = block;
    else f->orders |= UINT32_C(1) << order;
}

VMM_INLINE void vmm_frames_link_only(vmm_frames_t *f, uint32_t block, unsigned order)
{
    f->first[order] = block;
    f->orders |= UINT32_C(1) << order;
    f->state[block] = (uint8_t)(order + 1);
    f->index[2 * (size_t)block] = VMM_NO_FRAME;
}

VMM_INLINE uint32_t vmm_frames_pop(vmm_frames_t *f, unsigned order)
{
    const uint32_t block = f->first[order], next = f->index[2 * (size_t)block];
    f->first[order] = next;
    if (next == VMM_NO_FRAME) f->orders &= ~(UINT32_C(1) << order);
    return block;
}

VMM_INLINE void vmm_frames_unlink(vmm_frames_t *f, uint32_t block, unsigned order)
{
    uint32_t next, previous;
    if (f->first[order] == block) {
        vmm_frames_pop(f, order);
        return;
    }
    next = f->index[2 * (size_t)block];
    previous = f->index[2 * (size_t)block + 1];
    f->index[2 * (size_t)previous] = next;
    if (next != VMM_NO_FRAME) f->index[2 * (size_t)next + 1] = previous;
}

VMM_OUTLINE uint32_t vmm_frames_lowest(const vmm_frames_t *f, unsigned order, uint64_t end)
{
    uint64_t block;
    for (block = 0; block + (UINT64_C(1) << order) <= end;) {
        const unsigned have = vmm_frames_order_at(f, (uint32_t)block);
        VMM_ALLOC_STEP();
        if (vmm_frames_is_free(f, (uint32_t)block) && have >= order) return (uint32_t)block;
        block += UINT64_C(1) << have;
    }
    return VMM_NO_FRAME;
}

VMM_INLINE uint32_t vmm_frames_owners_at(const vmm_frames_t *f, uint32_t block)
{
    return f->state[block] >= VMM_FRAMES_SHARED ? f->index[2 * (size_t)block] : 1;
}

VMM_INLINE void vmm_frames_set_owners(vmm_frames_t *f, uint32_t block, unsigned order, uint32_t owners)
{
    f->state[block] = (uint8_t)((owners > 1 ? VMM_FRAMES_SHARED : VMM_FRAMES_TAKEN) + order);
    f->index[2 * (size_t)block] = owners;
}

VMM_OUTLINE bool vmm_frames_index_check(const vmm_frames_t *f)
{
    uint64_t listed = 0, marked = 0;
    uint32_t block;
    unsigned order;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) {
        uint32_t previous = VMM_NO_FRAME;
        if (((f->orders >> order) & 1) != (f->first[order] != VMM_NO_FRAME)) return false;
        for (block = f->first[order]; block != VMM_NO_FRAME; block = f->index[2 * (size_t)block]) {
            if (block >= f->count || f->state[block] != order + 1) return false;
            if (previous != VMM_NO_FRAME && f->index[2 * (size_t)block + 1] != previous) return false;
            if (listed++ > f->count) return false;
            previous = block;
        }
    }
    for (block = 0; block < f->count; block++) marked += vmm_frames_is_free(f, block);
    return listed == marked;
}

#else /* VMM_FRAMES_BITMAPS */

/* Level 0 has a bit for each block that could be free, the orders one behind the other. A bit of each
 * level above says that a word of the level below is not 0. */
VMM_INLINE size_t vmm_frames_index_init(vmm_frames_t *f)
{
    uint32_t bits = 0, words = 0;
    unsigned order;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) {
        f->blocks[order] = 0;
        f->start[order] = bits;
        bits += f->count >> order;
    }
    for (f->levels = 0; f->levels == 0 || bits > 1; f->levels++) {
        f->level[f->levels] = words;
        bits = bits / 32 + (bits % 32 != 0);
        words += bits;
    }
    VMM_SET(f->index, 0, words * sizeof *f->index);
    return words;
}

VMM_INLINE void vmm_frames_link(vmm_frames_t *f, uint32_t block, unsigned order)
{
    uint32_t bit = f->start[order] + (block >> order);
    unsigned level;
    for (level = 0; level < f->levels; level++, bit >>= 5) {
        vmm_any32_t *word = &f->index[f->level[level] + (bit >> 5)];
        const uint32_t before = *word;
        VMM_ALLOC_STEP();
        *word = before | UINT32_C(1) << (bit & 31);
        if (before) break;
    }
    f->blocks[order]++;
    f->state[block] = (uint8_t)(order + 1);
    f->orders |= UINT32_C(1) << order;
}

VMM_INLINE void vmm_frames_link_only(vmm_frames_t *f, uint32_t block, unsigned order)
{
    vmm_frames_link(f, block, order);
}

VMM_INLINE void vmm_frames_unlink(vmm_frames_t *f, uint32_t block, unsigned order)
{
    uint32_t bit = f->start[order] + (block >> order);
    unsigned level;
    for (level = 0; level < f->levels; level++, bit >>= 5) {
        vmm_any32_t *word = &f->index[f->level[level] + (bit >> 5)];
        VMM_ALLOC_STEP();
        *word &= ~(UINT32_C(1) << (bit & 31));
        if (*word) break;
    }
    if (--f->blocks[order] == 0) f->orders &= ~(UINT32_C(1) << order);
}

/* The lowest block of an order that has one: up from where its bits start to the first summary that is not
 * 0 from there on, and down again. */
VMM_INLINE uint32_t vmm_frames_first(const vmm_frames_t *f, unsigned order)
{
    uint32_t bit = f->start[order], word;
    unsigned level = 0;
    while (!(word = f->index[f->level[level] + (bit >> 5)] & ~UINT32_C(0) << (bit & 31))) {
        VMM_ALLOC_STEP();
        bit = (bit >> 5) + 1;
        level++;
    }
    bit = (bit & ~UINT32_C(31)) + (uint32_t)__builtin_ctz(word);
    while (level--) {
        VMM_ALLOC_STEP();
        bit = bit * 32 + (uint32_t)__builtin_ctz(f->index[f->level[level] + bit]);
    }
    return (bit - f->start[order]) << order;
}

VMM_INLINE uint32_t vmm_frames_pop(vmm_frames_t *f, unsigned order)
{
    const uint32_t block = vmm_frames_first(f, order);
    vmm_frames_unlink(f, block, order);
    return block;
}

VMM_OUTLINE uint32_t vmm_frames_lowest(const vmm_frames_t *f, unsigned order, uint64_t end)
{
    unsigned have;
    for (have = order; have < VMM_FRAMES_ORDERS; have++) {
        uint32_t block;
        VMM_ALLOC_STEP();
        if (!f->blocks[have]) continue;
        block = vmm_frames_first(f, have);
        if (block + (UINT64_C(1) << order) <= end) return block;
    }
    return VMM_NO_FRAME;
}

VMM_INLINE uint32_t vmm_frames_owners_at(const vmm_frames_t *f, uint32_t block)
{
    if (f->state[block] < VMM_FRAMES_SHARED) return 1;
    return f->state[f->state[block] < VMM_FRAMES_COUNTED ? block + 1 : block] % 64u + 1;
}

VMM_INLINE void vmm_frames_set_owners(vmm_frames_t *f, uint32_t block, unsigned order, uint32_t owners)
{
    if (owners > 1 && order == 0) {
        f->state[block] = (uint8_t)(VMM_FRAMES_COUNTED + owners - 1);
        return;
    }
    f->state[block] = (uint8_t)((owners > 1 ? VMM_FRAMES_SHARED : VMM_FRAMES_TAKEN) + order);
    if (order) f->state[block + 1] = (uint8_t)(owners > 1 ? VMM_FRAMES_RESERVED + owners - 1 : 0);
}

VMM_OUTLINE bool vmm_frames_index_check(const vmm_frames_t *f)
{
    uint32_t at;
    unsigned order, level;
    for (order = 0; order < VMM_FRAMES_ORDERS; order++) {
        uint32_t blocks = 0;
        for (at = 0; at < f->count >> order; at++) {
            const uint32_t bit = f->start[order] + at;
            const bool set = (f->index[bit >> 5] >> (bit & 31)) & 1;
            if (set != (f->state[at << order] == order + 1)) return false;
            blocks += set;
        }
        if (blocks != f->blocks[order] || ((f->orders >> order) & 1) != (blocks != 0)) return false;
    }
    for (level = 1; level < f->levels; level++)
        for (at = 0; at < f->level[level] - f->level[level - 1]; at++) {
            const bool set = (f->index[f->level[level] + (at >> 5)] >> (at & 31)) & 1;
            if (set != (f->index[f->level[level - 1] + at] != 0)) return false;
        }
    return true;
}
#endif

/* The region and number of the frame that begins at an address; null when none does. What is left of an
 * address inside a frame is turned into the highest bits, so that one comparison with count sorts out all
 * that is not a frame's. As strchr it gives back what it was given, const or not. */
VMM_CORE vmm_frames_t *vmm_frames_home(const vmm_frames_t *f, vmm_paddr_t paddr, uint32_t *frame)
{
    do {
        const uint64_t offset = paddr - f->base;
        const uint64_t number = offset >> f->page_shift | offset << (64 - f->page_shift);
        VMM_ALLOC_STEP();
        *frame = (uint32_t)number;
        if (VMM_LIKELY(number < f->count)) return (vmm_frames_t *)f;
        f = f->next;
    } while (f);
    return NULL;
}

VMM_INLINE vmm_paddr_t vmm_frames_paddr(const vmm_frames_t *f, uint32_t frame)
{
    return f->base + ((vmm_paddr_t)frame << f->page_shift);
}

/* Links a block, merged with its buddy as far as buddies are free: most often it is not. The last order
 * ends the loop, because its buddy lies outside. The lower half's state is written by link. */
VMM_CORE void vmm_frames_merge(vmm_frames_t *f, uint32_t block, unsigned order)
{
    uint32_t size = UINT32_C(1) << order;
    f->free_frames += size;
    for (;; order++, size <<= 1) {
        const uint32_t buddy = block ^ size;
        VMM_ALLOC_STEP();
        if (VMM_LIKELY(buddy >= f->count || f->state[buddy] != order + 1)) break;
        vmm_frames_unlink(f, buddy, order);
        f->state[block | size] = 0;
        block &= ~size;
    }
    vmm_frames_link(f, block, order);
}

/* vmm_frames_merge apart from the way that most frees take, which needs fewer registers. */
VMM_OUTLINE void vmm_frames_merge_apart(vmm_frames_t *f, uint32_t block, unsigned order)
{
    vmm_frames_merge(f, block, order);
}

VMM_INLINE void vmm_frames_return(vmm_frames_t *f, uint32_t block, unsigned order)
{
#ifndef __OPTIMIZE_SIZE__ /* most often the buddy is not free */
    const uint32_t buddy = block ^ UINT32_C(1) << order;
    if (VMM_LIKELY(buddy >= f->count || f->state[buddy] != order + 1)) {
        f->free_frames += UINT32_C(1) << order;
        vmm_frames_link(f, block, order);
        return;
    }
#endif
    vmm_frames_merge_apart(f, block, order);
}

/* Frees the frames [first, end), nothing's now, as the largest aligned blocks. */
VMM_OUTLINE void vmm_frames_add(vmm_frames_t *f, uint32_t first, uint32_t end)
{
    while (first < end) {
        unsigned order = first ? (unsigned)__builtin_ctz(first) : VMM_FRAMES_ORDERS - 1u;
        while ((UINT32_C(1) << order) > end - first) order--;
        vmm_frames_merge(f, first, order);
        first += UINT32_C(1) << order;
    }
}

/* Marks an unlinked block as taken by one owner. */
VMM_INLINE vmm_paddr_t vmm_frames_mark(vmm_frames_t *f, uint32_t block, unsigned order)
{
    const vmm_paddr_t paddr = vmm_frames_paddr(f, block);
    f->state[block] = (uint8_t)(VMM_FRAMES_TAKEN + order);
    f->free_frames -= UINT32_C(1) << order;
    if (VMM_UNLIKELY(f->free_frames < f->lowest_free)) f->lowest_free = f->free_frames;
    return paddr;
}

/* Takes the first 2^order frames of a free block. `large` are the orders, from this one up, that have one:
 * the smallest is cut, and so the orders between have none. Most often there is nothing to cut. */
VMM_INLINE vmm_paddr_t vmm_frames_pop_cut(vmm_frames_t *f, uint32_t large, unsigned order)
{
    unsigned have = (unsigned)__builtin_ctz(large);
    const uint32_t block = vmm_frames_pop(f, have);
    while (VMM_UNLIKELY(have > order)) {
        VMM_ALLOC_STEP();
        have--;
        vmm_frames_link_only(f, block + (UINT32_C(1) << have), have);
    }
    return vmm_frames_mark(f, block, order);
}

/* The order, at least this one, of the free block that holds a frame; VMM_FRAMES_ORDERS when none does. */
VMM_INLINE unsigned vmm_frames_find(const vmm_frames_t *f, uint32_t frame, unsigned order)
{
    for (; order < VMM_FRAMES_ORDERS; order++) {
        VMM_ALLOC_STEP();
        if (f->state[frame & vmm_frames_mask(order)] == order + 1) break;
    }
    return order;
}

/* Takes a block out of the free one that holds it, the rest of which stays free. False when there is none. */
VMM_OUTLINE bool vmm_frames_cut_at(vmm_frames_t *f, uint32_t wanted, unsigned order)
{
    unsigned have = vmm_frames_find(f, wanted, order);
    uint32_t block;
    if (have == VMM_FRAMES_ORDERS) return false;
    block = wanted & vmm_frames_mask(have);
    vmm_frames_unlink(f, block, have);
    while (have > order) {
        const uint32_t half = UINT32_C(1) << --have;
        VMM_ALLOC_STEP();
        vmm_frames_link(f, wanted & half ? block : block + half, have);
        block |= wanted & half;
    }
    vmm_frames_mark(f, block, order);
    return true;
}

/* Whether a block of this order may stand at an address: its region and first frame. */
VMM_INLINE vmm_status_t vmm_frames_place(const vmm_frames_t *f, vmm_paddr_t paddr, unsigned order, vmm_frames_t **home,
                                         uint32_t *block)
{
    const uint64_t inside = paddr & ((UINT64_C(1) << f->page_shift) - 1);
    if (order >= VMM_FRAMES_ORDERS) return VMM_E_ARGUMENT;
    *home = vmm_frames_home(f, paddr - inside, block);
    if (!*home || UINT32_C(1) << order > (*home)->count - *block) return VMM_E_RANGE;
    return inside || *block & ((UINT32_C(1) << order) - 1) ? VMM_E_ALIGN : VMM_OK;
}

/* Whether a taken block begins at an address: its region and first frame. */
VMM_OUTLINE vmm_status_t vmm_frames_taken(const vmm_frames_t *f, vmm_paddr_t paddr, vmm_frames_t **home,
                                          uint32_t *block)
{
    const vmm_status_t status = vmm_frames_place(f, paddr, 0, home, block);
    if (status != VMM_OK) return status;
    return (*home)->state[*block] < VMM_FRAMES_TAKEN ? VMM_E_NOT_MAPPED : VMM_OK;
}

/* Why a block cannot be freed. */
VMM_OUTLINE vmm_status_t vmm_frames_refusal(const vmm_frames_t *f, vmm_paddr_t paddr, unsigned order)
{
    vmm_frames_t *home;
    uint32_t block;
    const vmm_status_t status = vmm_frames_place(f, paddr, order, &home, &block);
    if (status != VMM_OK) return status;
    if (home->state[block] < VMM_FRAMES_SHARED || vmm_frames_order_at(home, block) != order) return VMM_E_NOT_MAPPED;
    return VMM_E_MAPPED;
}

/* Whether a range is whole frames of one region: which, and how many from where. */
VMM_OUTLINE vmm_status_t vmm_frames_range(const vmm_frames_t *f, vmm_paddr_t paddr, uint64_t bytes, vmm_frames_t **home,
                                          uint32_t *first, uint32_t *end)
{
    const uint64_t frames = bytes >> f->page_shift;
    const vmm_status_t status = vmm_frames_place(f, paddr, 0, home, first);
    if (status != VMM_OK) return status;
    if (frames << f->page_shift != bytes) return VMM_E_ALIGN;
    if (frames == 0 || frames > (*home)->count - *first) return VMM_E_RANGE;
    *end = *first + (uint32_t)frames;
    return VMM_OK;
}

VMM_INLINE bool vmm_frames_overlap(const vmm_frames_t *a, const vmm_frames_t *b)
{
    return a->base <= vmm_frames_paddr(b, b->count - 1) && b->base <= vmm_frames_paddr(a, a->count - 1);
}
/** @endcond */

/** Makes a region of which every frame is free.
 *  @param f           the region, any content
 *  @param base        physical address of its first frame, bytes; blocks are aligned relative to it, so a
 *                     multiple of the largest block that must be aligned physically
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
    f->next = NULL;
    f->index = (vmm_any32_t *)(((uintptr_t)side + 3) & ~(uintptr_t)3);
    f->state = (uint8_t *)(f->index + vmm_frames_index_init(f));
    VMM_SET(f->state, 0, (size_t)count);
    vmm_frames_add(f, 0, f->count);
    f->lowest_free = f->free_frames;
    return VMM_OK;
}

/** Joins regions: every function given f then works on those of `more` too, which are tried after f's.
 *  To spare low memory for vmm_frames_alloc_below join it last. A region stays where it is in memory.
 *  @param f     the first region, by which all are known from now on
 *  @param more  another, with what is joined behind it
 *  @return VMM_OK; VMM_E_ARGUMENT when the frames differ in size; VMM_E_MAPPED when two regions
 *  overlap: nothing is changed. O(regions of f x regions of more). */
VMM_OUTLINE vmm_status_t vmm_frames_join(vmm_frames_t *f, vmm_frames_t *more)
{
    const vmm_frames_t *other;
    if (more->page_shift != f->page_shift) return VMM_E_ARGUMENT;
    for (;; f = f->next) {
        for (other = more; other; other = other->next)
            if (vmm_frames_overlap(f, other)) return VMM_E_MAPPED;
        if (!f->next) break;
    }
    f->next = more;
    return VMM_OK;
}

/** Allocates a block of 2^order frames, aligned to its size within its region.
 *  @param f      the region
 *  @param order  log2 of the frames
 *  @param paddr  receives the physical address of the block, bytes
 *  @return VMM_OK; VMM_E_NO_FRAME when no block is large enough; VMM_E_ARGUMENT for an order that is
 *  none. At most VMM_FRAMES_ORDERS steps. */
VMM_INLINE vmm_status_t vmm_frames_alloc(vmm_frames_t *f, unsigned order, vmm_paddr_t *paddr)
{
    if (order >= VMM_FRAMES_ORDERS) return VMM_E_ARGUMENT;
    do {
        const uint32_t large = f->orders & vmm_frames_mask(order);
        VMM_ALLOC_STEP();
        if (VMM_LIKELY(large)) {
            *paddr = vmm_frames_pop_cut(f, large, order);
            return VMM_OK;
        }
        f = f->next;
    } while (f);
    return VMM_E_NO_FRAME;
}

/** Allocates the block of 2^order frames at an address.
 *  @param f      the region
 *  @param order  log2 of the frames
 *  @param paddr  physical address of the block, bytes; aligned to its size within its region
 *  @return VMM_OK; VMM_E_ARGUMENT; VMM_E_ALIGN; VMM_E_RANGE when it is not inside one region;
 *  VMM_E_MAPPED when not all of it is free. At most 2 x VMM_FRAMES_ORDERS steps. */
VMM_OUTLINE vmm_status_t vmm_frames_alloc_at(vmm_frames_t *f, unsigned order, vmm_paddr_t paddr)
{
    uint32_t block;
    const vmm_status_t status = vmm_frames_place(f, paddr, order, &f, &block);
    if (status != VMM_OK) return status;
    return vmm_frames_cut_at(f, block, order) ? VMM_OK : VMM_E_MAPPED;
}

/** Allocates a block that ends at or below a limit, for devices that reach no further.
 *  @param f      the region
 *  @param order  log2 of the frames
 *  @param limit  physical address of the first byte that the block must not hold
 *  @param paddr  receives the physical address of the block, bytes
 *  @return VMM_OK; VMM_E_ARGUMENT; VMM_E_NO_FRAME when no such block is free. A region that lies wholly
 *  below the limit costs what vmm_frames_alloc does. One that the limit cuts costs with bitmaps
 *  3 x VMM_FRAMES_ORDERS more steps, with lists a step for each block and each reserved frame below the
 *  limit: where that matters, make the memory below it a region of its own. */
VMM_OUTLINE vmm_status_t vmm_frames_alloc_below(vmm_frames_t *f, unsigned order, vmm_paddr_t limit, vmm_paddr_t *paddr)
{
    if (order >= VMM_FRAMES_ORDERS) return VMM_E_ARGUMENT;
    for (; f; f = f->next) {
        const uint64_t frames = limit > f->base ? (limit - f->base) >> f->page_shift : 0;
        const uint32_t large = f->orders & vmm_frames_mask(order);
        uint32_t block;
        VMM_ALLOC_STEP();
        if (!large || frames == 0) continue;
        if (frames >= f->count) {
            *paddr = vmm_frames_pop_cut(f, large, order);
            return VMM_OK;
        }
        block = vmm_frames_lowest(f, order, frames);
        if (block == VMM_NO_FRAME) continue;
        (void)vmm_frames_cut_at(f, block, order);
        *paddr = vmm_frames_paddr(f, block);
        return VMM_OK;
    }
    return VMM_E_NO_FRAME;
}

/** Gives a block back, that has one owner.
 *  @param f      the region
 *  @param paddr  physical address of its first byte
 *  @param order  the order it was allocated with
 *  @return VMM_OK; VMM_E_ALIGN when the address is not that of a block of this order; VMM_E_RANGE when
 *  it lies outside; VMM_E_NOT_MAPPED when no block of this order is allocated there (a double free, a
 *  wrong order); VMM_E_MAPPED when it is shared: nothing is changed. At most VMM_FRAMES_ORDERS steps. */
VMM_INLINE vmm_status_t vmm_frames_free(vmm_frames_t *f, vmm_paddr_t paddr, unsigned order)
{
    uint32_t block;
    vmm_frames_t *home = vmm_frames_home(f, paddr, &block);
    if (VMM_UNLIKELY(order >= VMM_FRAMES_ORDERS || !home || home->state[block] != VMM_FRAMES_TAKEN + order))
        return vmm_frames_refusal(f, paddr, order);
    vmm_frames_return(home, block, order);
    return VMM_OK;
}

/** Tells the order of an allocated block.
 *  @param f      the region
 *  @param paddr  physical address of its first byte
 *  @param order  receives log2 of its frames
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE; VMM_E_NOT_MAPPED when no allocated block begins there. */
VMM_OUTLINE vmm_status_t vmm_frames_order(const vmm_frames_t *f, vmm_paddr_t paddr, unsigned *order)
{
    vmm_frames_t *home;
    uint32_t block;
    const vmm_status_t status = vmm_frames_taken(f, paddr, &home, &block);
    if (status == VMM_OK) *order = vmm_frames_order_at(home, block);
    return status;
}

/** Gives a block back without its order told.
 *  @param f      the region
 *  @param paddr  physical address of its first byte
 *  @return as vmm_frames_order and vmm_frames_free. */
VMM_OUTLINE vmm_status_t vmm_frames_free_any(vmm_frames_t *f, vmm_paddr_t paddr)
{
    unsigned order;
    const vmm_status_t status = vmm_frames_order(f, paddr, &order);
    return status == VMM_OK ? vmm_frames_free(f, paddr, order) : status;
}

/** Makes an allocated block several smaller allocated ones, each to be freed by itself.
 *  @param f      the region
 *  @param paddr  physical address of the block's first byte
 *  @param order  its order
 *  @param into   the order of the pieces, at most its own
 *  @return VMM_OK; VMM_E_ARGUMENT; otherwise as vmm_frames_free. O(pieces). */
VMM_OUTLINE vmm_status_t vmm_frames_split(vmm_frames_t *f, vmm_paddr_t paddr, unsigned order, unsigned into)
{
    vmm_frames_t *home;
    uint32_t block, piece;
    const vmm_status_t status = vmm_frames_place(f, paddr, order, &home, &block);
    if (into > order) return VMM_E_ARGUMENT;
    if (status != VMM_OK) return status;
    if (home->state[block] != VMM_FRAMES_TAKEN + order) return vmm_frames_refusal(home, paddr, order);
    for (piece = 0; piece < UINT32_C(1) << (order - into); piece++)
        home->state[block + (piece << into)] = (uint8_t)(VMM_FRAMES_TAKEN + into);
    return VMM_OK;
}

/** Adds an owner to an allocated block; each gives it up by vmm_frames_unshare.
 *  @param f      the region
 *  @param paddr  physical address of the block's first byte
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE when the address lies outside, or the block has
 *  VMM_FRAMES_MOST_OWNERS; VMM_E_NOT_MAPPED when no allocated block begins there. O(1). */
VMM_OUTLINE vmm_status_t vmm_frames_share(vmm_frames_t *f, vmm_paddr_t paddr)
{
    uint32_t block, owners;
    const vmm_status_t status = vmm_frames_taken(f, paddr, &f, &block);
    if (status != VMM_OK) return status;
    owners = vmm_frames_owners_at(f, block);
    if (owners == VMM_FRAMES_MOST_OWNERS) return VMM_E_RANGE;
    vmm_frames_set_owners(f, block, vmm_frames_order_at(f, block), owners + 1);
    return VMM_OK;
}

/** Takes an owner from an allocated block; when it was the last one the block is freed.
 *  @param f      the region
 *  @param paddr  physical address of the block's first byte
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE; VMM_E_NOT_MAPPED when no allocated block begins there.
 *  At most VMM_FRAMES_ORDERS steps. */
VMM_OUTLINE vmm_status_t vmm_frames_unshare(vmm_frames_t *f, vmm_paddr_t paddr)
{
    uint32_t block, owners;
    const vmm_status_t status = vmm_frames_taken(f, paddr, &f, &block);
    if (status != VMM_OK) return status;
    owners = vmm_frames_owners_at(f, block);
    if (owners == 1) return vmm_frames_free(f, paddr, vmm_frames_order_at(f, block));
    vmm_frames_set_owners(f, block, vmm_frames_order_at(f, block), owners - 1);
    return VMM_OK;
}

/** Tells how many own the allocated block that begins at an address.
 *  @param f      the region
 *  @param paddr  physical address
 *  @return the owners; 0 when none begins there. O(1). */
VMM_OUTLINE uint32_t vmm_frames_owners(const vmm_frames_t *f, vmm_paddr_t paddr)
{
    vmm_frames_t *home;
    uint32_t block;
    if (vmm_frames_taken(f, paddr, &home, &block) != VMM_OK) return 0;
    return vmm_frames_owners_at(home, block);
}

/** Allocates many frames, each a block of order 0: all, or as many as there are. Whole blocks are
 *  handed out frame by frame, the smallest first, and only the last one is split.
 *  @param f      the region
 *  @param paddr  receives their physical addresses
 *  @param count  how many are wanted
 *  @return how many were allocated. O(count + VMM_FRAMES_ORDERS). */
VMM_OUTLINE size_t vmm_frames_alloc_many(vmm_frames_t *f, vmm_paddr_t *paddr, size_t count)
{
    size_t got = 0;
    for (; f; f = f->next) {
        while (got < count && f->orders) {
            const unsigned order = (unsigned)__builtin_ctz(f->orders);
            const uint32_t block = vmm_frames_pop(f, order), size = UINT32_C(1) << order;
            const uint32_t wanted = count - got < size ? (uint32_t)(count - got) : size;
            uint32_t i;
            for (i = 0; i < wanted; i++) paddr[got++] = vmm_frames_paddr(f, block + i);
            VMM_SET(f->state + block, VMM_FRAMES_TAKEN, wanted);
            f->free_frames -= size;
            vmm_frames_add(f, block + wanted, block + size);
        }
        if (f->free_frames < f->lowest_free) f->lowest_free = f->free_frames;
    }
    return got;
}

/** Gives many frames back, each a block of order 0. Neighbours that stand in rising order are merged
 *  before they are freed.
 *  @param f      the region
 *  @param paddr  their physical addresses
 *  @param count  how many
 *  @return how many were freed: fewer than count when the next one cannot be, for any of the reasons of
 *  vmm_frames_free. At most VMM_FRAMES_ORDERS steps for each. */
VMM_OUTLINE size_t vmm_frames_free_many(vmm_frames_t *f, const vmm_paddr_t *paddr, size_t count)
{
    size_t done = 0;
    while (done < count) {
        vmm_frames_t *home;
        uint32_t first, end;
        home = vmm_frames_home(f, paddr[done], &first);
        if (!home) break;
        end = first;
        while (done < count && end < home->count && paddr[done] == vmm_frames_paddr(home, end) &&
               home->state[end] == VMM_FRAMES_TAKEN) {
            home->state[end++] = 0;
            done++;
        }
        if (end == first) break;
        vmm_frames_add(home, first, end);
    }
    return done;
}

/** Takes a range of free frames away: holes, firmware, devices.
 *  @param f      the region
 *  @param paddr  first byte, a multiple of the frame size
 *  @param bytes  length, a multiple of the frame size, not 0
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE when it is not inside one region; VMM_E_MAPPED when one of
 *  them is not free: nothing is changed. O(frames + blocks x VMM_FRAMES_ORDERS). */
VMM_OUTLINE vmm_status_t vmm_frames_reserve(vmm_frames_t *f, vmm_paddr_t paddr, uint64_t bytes)
{
    uint32_t first, end, frame;
    unsigned order;
    const vmm_status_t status = vmm_frames_range(f, paddr, bytes, &f, &first, &end);
    if (status != VMM_OK) return status;
    for (frame = first; frame < end; frame = (frame | ((UINT32_C(1) << order) - 1)) + 1) {
        order = vmm_frames_find(f, frame, 0);
        if (order == VMM_FRAMES_ORDERS) return VMM_E_MAPPED;
    }
    for (frame = first; frame < end;) {
        uint32_t block, block_end, stop;
        order = vmm_frames_find(f, frame, 0);
        block = frame & vmm_frames_mask(order);
        block_end = block + (UINT32_C(1) << order);
        stop = block_end < end ? block_end : end;
        vmm_frames_unlink(f, block, order);
        f->free_frames -= UINT32_C(1) << order;
        VMM_SET(f->state + frame, VMM_FRAMES_RESERVED, stop - frame);
        vmm_frames_add(f, block, frame);
        vmm_frames_add(f, stop, block_end);
        frame = stop;
    }
    if (f->free_frames < f->lowest_free) f->lowest_free = f->free_frames;
    return VMM_OK;
}

/** Makes reserved frames free again.
 *  @param f      the region
 *  @param paddr  first byte, a multiple of the frame size
 *  @param bytes  length, a multiple of the frame size, not 0
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE when it is not inside one region; VMM_E_NOT_MAPPED when one
 *  of them is not reserved: nothing is changed. O(frames). */
VMM_OUTLINE vmm_status_t vmm_frames_release(vmm_frames_t *f, vmm_paddr_t paddr, uint64_t bytes)
{
    uint32_t first, end, frame;
    const vmm_status_t status = vmm_frames_range(f, paddr, bytes, &f, &first, &end);
    if (status != VMM_OK) return status;
    for (frame = first; frame < end; frame++)
        if (f->state[frame] != VMM_FRAMES_RESERVED) return VMM_E_NOT_MAPPED;
    VMM_SET(f->state + first, 0, end - first);
    vmm_frames_add(f, first, end);
    return VMM_OK;
}

/** Tells the order of the largest free block.
 *  @param f  the region
 *  @return the order; -1 when no frame is free. O(regions). */
VMM_OUTLINE int vmm_frames_largest(const vmm_frames_t *f)
{
    uint32_t orders = 0;
    for (; f; f = f->next) orders |= f->orders;
    return orders ? 31 - __builtin_clz(orders) : -1;
}

/** Counts what there is, over all regions.
 *  @param f      the region
 *  @param usage  receives the counts. O(blocks + reserved frames). */
VMM_OUTLINE void vmm_frames_measure(const vmm_frames_t *f, vmm_frames_usage_t *usage)
{
    VMM_SET(usage, 0, sizeof *usage);
    for (; f; f = f->next) {
        uint64_t frame, size;
        usage->frames += f->count;
        usage->free_frames += f->free_frames;
        usage->lowest_free += f->lowest_free;
        for (frame = 0; frame < f->count; frame += size) {
            const unsigned order = vmm_frames_order_at(f, (uint32_t)frame);
            size = UINT64_C(1) << order;
            usage->blocks[order] += vmm_frames_is_free(f, (uint32_t)frame);
            usage->reserved += f->state[frame] == VMM_FRAMES_RESERVED;
            if (f->state[frame] >= VMM_FRAMES_SHARED) usage->shared += size;
        }
    }
}

/** Tells which part of the free frames is of no use for blocks of an order, because it stands in smaller
 *  ones: external fragmentation, as the unusable free space index of M. Gorman and A. Whitcroft, "The What,
 *  The Why and the Where To of Anti-Fragmentation", Linux Symposium 2006:
 *  (free frames - sum of 2^i x blocks[i] for i >= order) / free frames.
 *  @param usage  counted by vmm_frames_measure
 *  @param order  log2 of the frames
 *  @return thousandths, rounded down: 0 none, 1000 all, and also 1000 when no frame is free. */
VMM_OUTLINE unsigned vmm_frames_unusable(const vmm_frames_usage_t *usage, unsigned order)
{
    uint64_t usable = 0;
    for (; order < VMM_FRAMES_ORDERS; order++) usable += usage->blocks[order] << order;
    return usage->free_frames ? (unsigned)((usage->free_frames - usable) * 1000 / usage->free_frames) : 1000;
}

/** @cond internal */
/* One region: every frame belongs to exactly one thing, and the counts add up. */
VMM_OUTLINE bool vmm_frames_check_region(const vmm_frames_t *f)
{
    uint64_t frame, size, free_frames = 0;
    for (frame = 0; frame < f->count; frame += size) {
        const uint32_t block = (uint32_t)frame;
        const unsigned order = vmm_frames_order_at(f, block), state = f->state[block];
        const bool is_free = vmm_frames_is_free(f, block);
        uint32_t inside;
        if (!is_free && state < VMM_FRAMES_TAKEN && state != VMM_FRAMES_RESERVED) return false;
        size = UINT64_C(1) << order;
        if ((frame & (size - 1)) || size > f->count - frame) return false;
        if (is_free && (block ^ size) < f->count && f->state[block ^ size] == state) return false;
        if (state >= VMM_FRAMES_SHARED && vmm_frames_owners_at(f, block) < 2) return false;
        for (inside = 1; inside < size; inside++) {
            const bool counts = VMM_FRAMES_LAYOUT == VMM_FRAMES_BITMAPS && inside == 1 && state >= VMM_FRAMES_SHARED;
            if (f->state[block + inside] && !counts) return false;
        }
        if (is_free) free_frames += size;
    }
    return free_frames == f->free_frames && f->lowest_free <= f->free_frames && vmm_frames_index_check(f);
}
/** @endcond */

/** Verifies every invariant: index and states agree, blocks are aligned, inside, and disjoint, every frame
 *  is accounted for, no two free buddies stand apart, the counts add up, no two regions overlap.
 *  @param f  the region
 *  @return whether all hold. O(frames + regions^2). */
VMM_OUTLINE bool vmm_frames_check(const vmm_frames_t *f)
{
    const vmm_frames_t *region, *other;
    size_t before = 0, i;
    for (region = f; region; region = region->next, before++) {
        for (other = f, i = 0; i < before; i++, other = other->next)
            if (vmm_frames_overlap(region, other)) return false;
        if (region->page_shift != f->page_shift || !vmm_frames_check_region(region)) return false;
    }
    return true;
}

/** @cond internal */
/* The order of a block of so many bytes; VMM_FRAMES_ORDERS when none is so large. */
VMM_INLINE unsigned vmm_frames_order_of(const vmm_frames_t *f, uint64_t bytes)
{
    unsigned order = 0;
    while (order < VMM_FRAMES_ORDERS && (UINT64_C(1) << f->page_shift << order) < bytes) order++;
    return order;
}
/** @endcond */

/** vmm_frames_alloc in the shape that vmm_tables_t asks for.
 *  @param user   a vmm_frames_t
 *  @param bytes  a power of two, at least a frame is taken
 *  @param table  receives the physical address
 *  @return 0, or 1 when there is none. */
VMM_OUTLINE int vmm_frames_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    vmm_frames_t *f = (vmm_frames_t *)user;
    return vmm_frames_alloc(f, vmm_frames_order_of(f, bytes), table) != VMM_OK;
}

/** vmm_frames_free in the shape that vmm_tables_t asks for.
 *  @param user   a vmm_frames_t
 *  @param table  physical address
 *  @param bytes  as taken */
VMM_OUTLINE void vmm_frames_give(void *user, vmm_paddr_t table, uint64_t bytes)
{
    vmm_frames_t *f = (vmm_frames_t *)user;
    (void)vmm_frames_free(f, table, vmm_frames_order_of(f, bytes));
}
/** @} */

/* ======================================================================== 2. objects == */
/** @defgroup vmm_objects 2. Objects
 *  Caches of objects of one size (a slab allocator), and magazines of objects at hand.
 *
 *  A slab is 2^slab_shift bytes, aligned to its size. It holds a header, a bit for each object that says
 *  whether it is free, and the objects; those have no header of their own.
 *  @{ */

/** Where slabs come from: a buddy, a heap, the host. */
typedef struct vmm_pages {
    /** Returns `bytes` (a power of two) of memory aligned to `bytes`, or null when there is none. */
    void *(*take)(void *user, size_t bytes);
    /** Takes them back. */
    void (*give)(void *user, void *pages, size_t bytes);
    void *user;   /**< Handed to both. */
    void *window; /**< All slabs lie at or after this address ... */
    size_t bytes; /**< ... and within so many bytes. 0: not known, and then a pointer that was never a
                   *   cache's is told only as far as memory below it may be read. */
} vmm_pages_t;

/** Checks that a cache makes on every call, added up. With any of them magazines hold nothing. */
enum vmm_cache_flags {
    VMM_CACHE_POISON = 1 << 0,  /**< Free objects are filled, and the filling is looked at before they go out. */
    VMM_CACHE_REDZONE = 1 << 1, /**< A guard word behind each object, looked at when it comes back. */
    VMM_CACHE_OWNER = 1 << 2,   /**< The call site of the last alloc or free is kept behind each object. */
    VMM_CACHE_SCRAMBLE = 1 << 3 /**< Objects go out in no plain order, though in the same one in every run. */
};

/** What a cache is made of; zero means the default. */
typedef struct vmm_cache_options {
    const char *name; /**< For the printed table; not copied. */
    size_t size;      /**< Bytes of an object, 1 to 32768. No default. */
    size_t align;     /**< A power of two up to 4096. Default: the largest that divides size, at most 16. */
    /** Called once for each object before it first goes out (with VMM_CACHE_POISON: every time; with
     *  VMM_CACHE_SCRAMBLE for all of a new slab at once); not 0 refuses, and then the allocation fails. Like every
     *  callback of a cache, those of the page source too, it runs with the lock held and must not call the cache. */
    int (*construct)(void *user, void *object);
    /** Called for each constructed object before its slab goes back (with VMM_CACHE_POISON: on every free). */
    void (*destroy)(void *user, void *object);
    /** Told of every misuse: the reason and the address. May be null. */
    void (*misuse)(void *user, vmm_misuse_t reason, const void *object);
    void *user;          /**< Handed to the three. */
    vmm_lock_t lock;     /**< Taken around every call but those that a magazine serves alone. */
    unsigned slab_shift; /**< log2 of the bytes of a slab, 8 to 16. Default: small, with 8 objects or more. */
    unsigned keep_empty; /**< Empty slabs to keep; the others go back at once. */
    unsigned flags;      /**< enum vmm_cache_flags. */
} vmm_cache_options_t;

/** A cache. One thread at a time, unless it is given a lock. Offsets count from base, so that a copy of a cache and of
 *  its slabs works elsewhere: add to `base` what the slabs were moved by, a multiple of slab_bytes, and let `pages` say
 *  where slabs come from there. */
typedef struct vmm_cache {
    vmm_cache_options_t is; /**< As asked, with the defaults filled in. */
    vmm_pages_t pages;      /**< The page source. */
    uintptr_t base;         /**< Address of offset 0. */
    size_t mark;            /**< Tells this cache's slabs from those of others: made of the address it was made at. */
    size_t list[3];         /**< First slab of each list: some free, none free, all free. */
    uint32_t stride;        /**< From one object to the next, bytes. */
    uint32_t reciprocal;    /**< 2^31 / stride, rounded up: index = offset x reciprocal >> 31. */
    uint32_t slab_bytes;    /**< 2^slab_shift. */
    uint32_t room;          /**< Of these, bytes that are the slab's. */
    uint32_t count;         /**< Objects in a slab. */
    uint32_t first;         /**< Offset of the first object in a slab of colour 0. */
    uint32_t colours;       /**< Colours: (room - first - count x stride) / align + 1. */
    uint32_t colour;        /**< Of the next slab. */
    uint32_t slabs;         /**< Slabs in all, */
    uint32_t empty;         /**< and those in which every object is free. */
    size_t live;            /**< Objects that are out; count x slabs - live are free. */
    size_t live_most;       /**< The most that were ever out. */
    uint32_t random;        /**< State of the scrambler. */
    uint32_t index;         /**< The heap's: which class this is, */
    uint32_t page;          /**< log2 of the pages of its page map, 0 without one, */
    size_t page_map;        /**< and where that is. */
} vmm_cache_t;

/** Most objects that a magazine can hold, 2 to 65536: eight bytes each, used from the lowest on. */
#ifndef VMM_MAGAZINE_ITEMS
#define VMM_MAGAZINE_ITEMS 1021
#endif
/** A magazine: objects that one thread or CPU has at hand, on a stack, so that neither the cache nor the objects are
 *  touched while it lasts. One thread at a time for each magazine; any number of magazines for a cache. item[0] is
 *  never an object, so the newest can be looked at without asking. */
typedef struct vmm_magazine {
    uint32_t count;                      /**< Objects at hand: item[1] to item[count]. */
    uint32_t capacity;                   /**< Most that it keeps, up to VMM_MAGAZINE_ITEMS. */
    uint32_t batch;                      /**< Fetched at once when it is empty. */
    size_t item[VMM_MAGAZINE_ITEMS + 1]; /**< Offsets from the cache's base. */
} vmm_magazine_t;

/** @cond internal */
VMM_STATIC_ASSERT(VMM_MAGAZINE_ITEMS >= 2 && VMM_MAGAZINE_ITEMS <= 65536, "VMM_MAGAZINE_ITEMS must be 2 to 65536");
VMM_STATIC_ASSERT(sizeof(void *) == sizeof(size_t), "vmm_alloc.h needs pointers as wide as size_t");
#define VMM_NOWHERE (~(size_t)0)
#define VMM_WORD sizeof(size_t)
#define VMM_SLAB_MOST 2048 /* objects in a slab: its bitmap is searched to the end at worst */
#define VMM_POISON_BYTE 0xd5
#define VMM_REDZONE_LIVE ((size_t)UINT64_C(0xb7a915e3c46d280f))
enum vmm_slab_list {
    VMM_SLAB_SOME = 0,
    VMM_SLAB_NONE = 1,
    VMM_SLAB_ALL = 2
};

/* The front of a slab. Behind it one bit for each object, set while the object is free; objects below
 * `carved` were out before, so their memory was touched and they are constructed. */
typedef struct vmm_slab {
    size_t next, previous; /* in its list, offsets */
    size_t owner;          /* vmm_slab_mark: that this is a slab, and whose */
    uint16_t free;         /* bits that are set */
    uint16_t carved;
    uint16_t first; /* offset of object 0 */
    uint8_t list;
    uint8_t word; /* bits before this word are clear */
} vmm_slab_t;

VMM_INLINE unsigned vmm_lowest_bit(size_t word)
{
    return (unsigned)(sizeof word == 8 ? __builtin_ctzll((unsigned long long)word) : __builtin_ctz((unsigned)word));
}
VMM_INLINE unsigned vmm_highest_bit(size_t word)
{
    return (unsigned)(sizeof word == 8 ? 63 - __builtin_clzll((unsigned long long)word)
                                       : 31 - __builtin_clz((unsigned)word));
}
VMM_INLINE size_t vmm_round_up(size_t value, size_t power)
{
    return (value + power - 1) & ~(power - 1);
}

VMM_INLINE vmm_slab_t *vmm_slab_at(const vmm_cache_t *c, size_t at)
{
    return (vmm_slab_t *)(c->base + at);
}
VMM_INLINE vmm_word_t *vmm_slab_bits(vmm_slab_t *slab)
{
    return (vmm_word_t *)(void *)(slab + 1);
}
VMM_INLINE size_t vmm_slab_mark(const vmm_cache_t *c, size_t at)
{
    return c->mark ^ at;
}
VMM_INLINE size_t vmm_slab_of(const vmm_cache_t *c, size_t object)
{
    return ((c->base + object) & ~((uintptr_t)c->slab_bytes - 1)) - c->base;
}

VMM_CORE void vmm_slab_unlist(vmm_cache_t *c, size_t at)
{
    vmm_slab_t *slab = vmm_slab_at(c, at);
    if (slab->next != VMM_NOWHERE) vmm_slab_at(c, slab->next)->previous = slab->previous;
    if (slab->previous != VMM_NOWHERE) vmm_slab_at(c, slab->previous)->next = slab->next;
    else c->list[slab->list] = slab->next;
}
VMM_INLINE void vmm_slab_list(vmm_cache_t *c, size_t at, unsigned list)
{
    vmm_slab_t *slab = vmm_slab_at(c, at);
    slab->list = (uint8_t)list;
    slab->previous = VMM_NOWHERE;
    slab->next = c->list[list];
    if (slab->next != VMM_NOWHERE) vmm_slab_at(c, slab->next)->previous = at;
    c->list[list] = at;
}
VMM_CORE void vmm_slab_move(vmm_cache_t *c, size_t at, unsigned list)
{
    vmm_slab_unlist(c, at);
    vmm_slab_list(c, at, list);
}

VMM_INLINE void vmm_lock_take(const vmm_lock_t *lock)
{
    if (lock->acquire) lock->acquire(lock->user);
}
VMM_INLINE void vmm_lock_drop(const vmm_lock_t *lock)
{
    if (lock->release) lock->release(lock->user);
}
VMM_INLINE vmm_misuse_t vmm_cache_tell(const vmm_cache_t *c, vmm_misuse_t reason, size_t object)
{
    if (reason != VMM_MISUSE_NONE && c->is.misuse) c->is.misuse(c->is.user, reason, (void *)(c->base + object));
    return reason;
}

/* What stands behind an object: a guard word, then the owner. */
VMM_INLINE vmm_word_t *vmm_object_guard(const vmm_cache_t *c, size_t object)
{
    return (vmm_word_t *)(c->base + object + vmm_round_up(c->is.size, VMM_WORD));
}
VMM_INLINE vmm_word_t *vmm_object_owner(const vmm_cache_t *c, size_t object)
{
    return vmm_object_guard(c, object) + ((c->is.flags & VMM_CACHE_REDZONE) != 0);
}

/* Is every byte of this value? */
VMM_OUTLINE bool vmm_is_filled(const uint8_t *from, size_t bytes, uint8_t value)
{
    size_t i;
    for (i = 0; i < bytes; i++)
        if (from[i] != value) return false;
    return true;
}

/* Is what stands behind an object that is out as it was left? */
VMM_OUTLINE bool vmm_object_guarded(const vmm_cache_t *c, size_t object)
{
    const uint8_t *const end = (const uint8_t *)(c->base + object + c->is.size);
    const size_t slack = (size_t)((const uint8_t *)vmm_object_guard(c, object) - end);
    return *vmm_object_guard(c, object) == (VMM_REDZONE_LIVE ^ object) && vmm_is_filled(end, slack, VMM_POISON_BYTE);
}

/* An object is about to go out: look whether somebody wrote to it while it was free, and construct it. */
VMM_OUTLINE bool vmm_object_out(vmm_cache_t *c, size_t object, bool fresh, const void *site)
{
    const unsigned flags = c->is.flags;
    uint8_t *const bytes = (uint8_t *)(c->base + object);
    if ((flags & VMM_CACHE_POISON) && !fresh && !vmm_is_filled(bytes, c->is.size, VMM_POISON_BYTE))
        vmm_cache_tell(c, VMM_MISUSE_USED_AFTER_FREE, object);
    if (c->is.construct && (fresh || (flags & VMM_CACHE_POISON)) && c->is.construct(c->is.user, bytes) != 0) {
        if (flags & VMM_CACHE_POISON) VMM_SET(bytes, VMM_POISON_BYTE, c->is.size); /* it may have written */
        return false;
    }
    if (flags & VMM_CACHE_REDZONE) {
        uint8_t *const end = (uint8_t *)vmm_object_guard(c, object);
        VMM_SET(bytes + c->is.size, VMM_POISON_BYTE, (size_t)(end - (bytes + c->is.size)));
        *vmm_object_guard(c, object) = VMM_REDZONE_LIVE ^ object;
    }
    if (flags & VMM_CACHE_OWNER) *vmm_object_owner(c, object) = (size_t)(uintptr_t)site;
    return true;
}

/* An object comes back: look whether its user wrote past its end, and fill it. */
VMM_OUTLINE vmm_misuse_t vmm_object_back(vmm_cache_t *c, size_t object, const void *site)
{
    const unsigned flags = c->is.flags;
    uint8_t *const bytes = (uint8_t *)(c->base + object);
    if ((flags & VMM_CACHE_REDZONE) && !vmm_object_guarded(c, object)) return VMM_MISUSE_OVERRUN;
    if (flags & VMM_CACHE_OWNER) *vmm_object_owner(c, object) = (size_t)(uintptr_t)site;
    if (flags & VMM_CACHE_POISON) {
        if (c->is.destroy) c->is.destroy(c->is.user, bytes);
        VMM_SET(bytes, VMM_POISON_BYTE, c->is.size);
    }
    return VMM_MISUSE_NONE;
}

/* Makes every object of a new slab as if it had been out before. Whether no constructor refused. */
VMM_OUTLINE bool vmm_slab_carve(vmm_cache_t *c, vmm_slab_t *slab)
{
    for (; slab->carved < c->count; slab->carved++) {
        uint8_t *const object = (uint8_t *)slab + slab->first + (size_t)slab->carved * c->stride;
        if (c->is.flags & VMM_CACHE_POISON) VMM_SET(object, VMM_POISON_BYTE, c->is.size);
        else if (c->is.construct && c->is.construct(c->is.user, object) != 0) return false;
    }
    return true;
}

/* Gives an empty slab back. */
VMM_OUTLINE void vmm_slab_drop(vmm_cache_t *c, size_t at)
{
    vmm_slab_t *slab = vmm_slab_at(c, at);
    unsigned i;
    vmm_slab_unlist(c, at);
    if (c->is.destroy && !(c->is.flags & VMM_CACHE_POISON))
        for (i = 0; i < slab->carved; i++) c->is.destroy(c->is.user, (uint8_t *)slab + slab->first + i * c->stride);
    slab->owner = 0;
    c->slabs--;
    c->empty--;
    c->pages.give(c->pages.user, slab, c->slab_bytes);
}

/* May a slab of this cache lie there? */
VMM_INLINE bool vmm_slab_may_be(const vmm_cache_t *c, size_t at)
{
    const uintptr_t slab = c->base + at;
    if (!slab || !c->pages.bytes) return slab != 0;
    return slab - (uintptr_t)c->pages.window <= c->pages.bytes - c->slab_bytes;
}

/* A new slab in the list of those with all objects free, or VMM_NOWHERE. */
VMM_OUTLINE size_t vmm_slab_new(vmm_cache_t *c)
{
    vmm_slab_t *slab;
    vmm_word_t *bits;
    size_t at, i;
    void *const pages = c->pages.take(c->pages.user, c->slab_bytes);
    if (!pages) return VMM_NOWHERE;
    at = (uintptr_t)pages - c->base;
    if (((uintptr_t)pages & (c->slab_bytes - 1)) || !vmm_slab_may_be(c, at)) {
        c->pages.give(c->pages.user, pages, c->slab_bytes);
        return VMM_NOWHERE;
    }
    slab = vmm_slab_at(c, at);
    slab->owner = vmm_slab_mark(c, at);
    slab->free = (uint16_t)c->count;
    slab->carved = 0;
    slab->word = 0;
    slab->first = (uint16_t)(c->first + c->colour * c->is.align);
    c->colour = c->colour + 1 < c->colours ? c->colour + 1 : 0;
    bits = vmm_slab_bits(slab);
    for (i = 0; i < c->count; i += 8 * VMM_WORD)
        bits[i / (8 * VMM_WORD)] = c->count - i >= 8 * VMM_WORD ? ~(size_t)0 : ((size_t)1 << (c->count - i)) - 1;
    vmm_slab_list(c, at, VMM_SLAB_ALL);
    c->slabs++;
    c->empty++;
    if (!(c->is.flags & VMM_CACHE_SCRAMBLE) || vmm_slab_carve(c, slab)) return at;
    vmm_slab_drop(c, at);
    return VMM_NOWHERE;
}

/* The slab to take from: the head of those with some free, else an empty one, else a new one. A slab that was full and
 * got an object back becomes the head, so the fullest serve and the others empty. */
VMM_INLINE size_t vmm_cache_current(vmm_cache_t *c)
{
    size_t at = c->list[VMM_SLAB_SOME];
    if (VMM_LIKELY(at != VMM_NOWHERE)) return at;
    at = c->list[VMM_SLAB_ALL];
    return at != VMM_NOWHERE ? at : vmm_slab_new(c);
}

/* Takes up to `wanted` objects out of one slab, the lowest first, or from a place hard to guess; how many. */
VMM_CORE unsigned vmm_slab_take(vmm_cache_t *c, size_t at, size_t *item, unsigned wanted, const void *site)
{
    vmm_slab_t *slab = vmm_slab_at(c, at);
    vmm_word_t *bits = vmm_slab_bits(slab);
    const size_t first = at + slab->first;
    const bool careful = c->is.flags || c->is.construct;
    unsigned got = 0, word = slab->word;
    size_t mask = ~(size_t)0;
    if (VMM_UNLIKELY(c->is.flags & VMM_CACHE_SCRAMBLE)) {
        c->random = c->random * 1664525u + 1013904223u; /* the constants of Numerical Recipes, "ranqd1" */
        word = (c->random >> 16) % c->count / (8u * (unsigned)VMM_WORD);
        mask <<= c->random >> 8 & (8 * VMM_WORD - 1);
    }
    while (got < wanted && slab->free) {
        const size_t all = bits[word];
        const unsigned before = got;
        size_t left = all & mask, object = 0;
        unsigned index = 0;
        bool refused = false;
        VMM_ALLOC_STEP();
        for (; left && got < wanted; left &= left - 1) {
            index = word * 8u * (unsigned)VMM_WORD + vmm_lowest_bit(left);
            object = first + (size_t)index * c->stride;
            refused = VMM_UNLIKELY(careful) && !vmm_object_out(c, object, index >= slab->carved, site);
            if (refused) break;
            item[got++] = object;
        }
        bits[word] = left | (all & ~mask);
        slab->free = (uint16_t)(slab->free - (got - before));
        if (got != before && index + !refused > slab->carved) slab->carved = (uint16_t)(index + !refused);
        if (refused) return got;
        if (!left) {
            word = (word + 1) * 8 * VMM_WORD < c->count ? word + 1 : 0;
            mask = ~(size_t)0;
        }
    }
    slab->word = c->is.flags & VMM_CACHE_SCRAMBLE ? 0 : (uint8_t)word;
    return got;
}

/* Takes up to `wanted` objects; how many. */
VMM_OUTLINE unsigned vmm_cache_take(vmm_cache_t *c, size_t *item, unsigned wanted, const void *site)
{
    unsigned got = 0;
    while (got < wanted) {
        const size_t at = vmm_cache_current(c);
        unsigned taken;
        if (at == VMM_NOWHERE) break;
        taken = vmm_slab_take(c, at, item + got, wanted - got, site);
        got += taken;
        if (taken && vmm_slab_at(c, at)->list == VMM_SLAB_ALL) {
            c->empty--;
            vmm_slab_move(c, at, VMM_SLAB_SOME);
        }
        if (vmm_slab_at(c, at)->free == 0) {
            vmm_slab_move(c, at, VMM_SLAB_NONE);
        } else if (got < wanted) { /* a constructor refused: a slab that was made for it goes again */
            if (c->empty > c->is.keep_empty) vmm_slab_drop(c, at);
            break;
        }
    }
    c->live += got;
    if (c->live > c->live_most) c->live_most = c->live;
    return got;
}

/* Does an offset lie in a slab of this cache? A heap's page map tells exactly; else the slab's mark does. */
VMM_INLINE bool vmm_cache_owns(const vmm_cache_t *c, size_t object)
{
    const size_t at = vmm_slab_of(c, object);
    if (c->page) return (((const uint8_t *)(c->base + c->page_map))[object >> c->page] & 31u) == c->index + 1;
    return vmm_slab_may_be(c, at) && vmm_slab_at(c, at)->owner == vmm_slab_mark(c, at);
}
/* Which object of its slab an offset is; VMM_MISUSE_NONE when one begins there and is out. */
VMM_INLINE vmm_misuse_t vmm_cache_judge(const vmm_cache_t *c, size_t object, unsigned *index)
{
    const size_t at = vmm_slab_of(c, object);
    vmm_slab_t *const slab = vmm_slab_at(c, at);
    const uint32_t offset = (uint32_t)(object - at) - slab->first;
    *index = (unsigned)((uint64_t)offset * c->reciprocal >> 31);
    if (VMM_UNLIKELY(*index >= c->count || *index * c->stride != offset)) return VMM_MISUSE_INTERIOR;
    if (vmm_slab_bits(slab)[*index / (8 * VMM_WORD)] >> (*index % (8 * VMM_WORD)) & 1) return VMM_MISUSE_DOUBLE_FREE;
    return VMM_MISUSE_NONE;
}

/* A slab got an object back, and so belongs into another list. */
VMM_OUTLINE void vmm_slab_relist(vmm_cache_t *c, size_t at)
{
    vmm_slab_t *slab = vmm_slab_at(c, at);
    if (slab->free < c->count) {
        vmm_slab_move(c, at, VMM_SLAB_SOME);
        return;
    }
    vmm_slab_move(c, at, VMM_SLAB_ALL);
    if (++c->empty > c->is.keep_empty) vmm_slab_drop(c, at);
}

/* Puts one object back that vmm_cache_owns. */
VMM_CORE vmm_misuse_t vmm_cache_put(vmm_cache_t *c, size_t object, const void *site)
{
    const size_t at = vmm_slab_of(c, object);
    vmm_slab_t *const slab = vmm_slab_at(c, at);
    unsigned index, word;
    vmm_misuse_t why = vmm_cache_judge(c, object, &index);
    if (VMM_LIKELY(why == VMM_MISUSE_NONE) && VMM_UNLIKELY(c->is.flags != 0)) why = vmm_object_back(c, object, site);
    if (VMM_UNLIKELY(why != VMM_MISUSE_NONE)) return vmm_cache_tell(c, why, object);
    word = index / (8 * (unsigned)VMM_WORD);
    vmm_slab_bits(slab)[word] |= (size_t)1 << (index % (8 * VMM_WORD));
    if (word < slab->word) slab->word = (uint8_t)word;
    slab->free++;
    c->live--;
    if (VMM_UNLIKELY(slab->list == VMM_SLAB_NONE || slab->free == c->count)) vmm_slab_relist(c, at);
    return VMM_MISUSE_NONE;
}
VMM_INLINE vmm_misuse_t vmm_cache_put_checked(vmm_cache_t *c, size_t object, const void *site)
{
    return vmm_cache_owns(c, object) ? vmm_cache_put(c, object, site) : vmm_cache_tell(c, VMM_MISUSE_FOREIGN, object);
}

/* How many objects of the stride fit, and where the first one stands. */
VMM_CORE void vmm_cache_measure(vmm_cache_t *c)
{
    size_t count = (c->room - sizeof(vmm_slab_t)) * 8 / ((size_t)c->stride * 8 + 1);
    if (count > VMM_SLAB_MOST) count = VMM_SLAB_MOST;
    for (; count; count--) {
        const size_t words = (count + 8 * VMM_WORD - 1) / (8 * VMM_WORD);
        c->first = (uint32_t)vmm_round_up(sizeof(vmm_slab_t) + words * VMM_WORD, c->is.align);
        if (c->first + count * c->stride <= c->room) break;
    }
    c->count = (uint32_t)count;
}

/* vmm_cache_init with `tail` bytes at the end of each slab that are not the cache's. */
VMM_OUTLINE vmm_status_t vmm_cache_make(vmm_cache_t *c, const vmm_cache_options_t *options, const vmm_pages_t *pages,
                                        size_t tail)
{
    unsigned shift;
    if (!c || !options || !pages || !pages->take || !pages->give) return VMM_E_ARGUMENT;
    if (options->size == 0 || options->size > 32768) return VMM_E_RANGE;
    if ((options->align & (options->align - 1)) || options->align > 4096) return VMM_E_ALIGN;
    if (options->slab_shift && (options->slab_shift < 8 || options->slab_shift > 16)) return VMM_E_RANGE;
    if (options->flags > 15) return VMM_E_ARGUMENT;
    VMM_SET(c, 0, sizeof *c);
    c->is = *options;
    c->pages = *pages;
    if (!c->is.align) c->is.align = (c->is.size | 16) & (0 - (c->is.size | 16));
    c->stride = (uint32_t)c->is.size;
    if (c->is.flags & (VMM_CACHE_REDZONE | VMM_CACHE_OWNER)) {
        if (c->is.align < VMM_WORD) c->is.align = VMM_WORD;
        c->stride = (uint32_t)(vmm_round_up(c->stride, VMM_WORD) +
                               VMM_WORD * ((c->is.flags >> 1 & 1) + (c->is.flags >> 2 & 1)));
    }
    c->stride = (uint32_t)vmm_round_up(c->stride, c->is.align);
    c->reciprocal = ((UINT32_C(1) << 31) + c->stride - 1) / c->stride;
    c->mark = (uintptr_t)c ^ (size_t)(c->stride * UINT64_C(0x9d3fb6e58c17a24b));
    for (shift = options->slab_shift ? options->slab_shift : 12; shift <= 16; shift++) {
        c->slab_bytes = UINT32_C(1) << shift;
        c->room = c->slab_bytes - (uint32_t)tail;
        vmm_cache_measure(c);
        if (options->slab_shift || c->count >= 8) break;
    }
    if (!c->count || (pages->bytes && pages->bytes < c->slab_bytes)) return VMM_E_RANGE;
    c->is.slab_shift = shift > 16 ? 16 : shift;
    c->colours = (uint32_t)((c->room - c->first - c->count * c->stride) / c->is.align) + 1;
    c->list[0] = c->list[1] = c->list[2] = VMM_NOWHERE;
    return VMM_OK;
}
/** @endcond */

/** Makes a cache; no memory is taken yet.
 *  @param c        the cache, any content, where it will live: its address tells its slabs from other caches'
 *  @param options  what it is made of; copied
 *  @param pages    where its slabs come from; copied
 *  @return VMM_OK; VMM_E_ARGUMENT for a null pointer or an unknown flag; VMM_E_RANGE when size or slab_shift is out
 *  of range, not one object fits in a slab, or not one slab in the window; VMM_E_ALIGN when align is more than 4096 or
 *  no power of two. */
VMM_INLINE vmm_status_t vmm_cache_init(vmm_cache_t *c, const vmm_cache_options_t *options, const vmm_pages_t *pages)
{
    return vmm_cache_make(c, options, pages, 0);
}

/** vmm_cache_alloc that leaves a name for the call site (VMM_CACHE_OWNER).
 *  @param c     the cache
 *  @param site  any pointer, VMM_HERE for one; kept, not read
 *  @return the object, or null. */
VMM_INLINE void *vmm_cache_alloc_at(vmm_cache_t *c, const void *site)
{
    size_t object;
    unsigned got;
    vmm_lock_take(&c->is.lock);
    got = vmm_cache_take(c, &object, 1, site);
    vmm_lock_drop(&c->is.lock);
    return got ? (void *)(c->base + object) : (void *)0;
}

/** Allocates an object.
 *  @param c  the cache
 *  @return the object, constructed if there is a constructor, its content otherwise undefined; null when the
 *  page source has no memory or the constructor refuses: nothing is changed. At most
 *  the bitmap of one slab is looked through. */
VMM_INLINE void *vmm_cache_alloc(vmm_cache_t *c)
{
    return vmm_cache_alloc_at(c, (void *)0);
}

/** vmm_cache_free that leaves a name for the call site.
 *  @param c       the cache
 *  @param object  the object
 *  @param site    any pointer
 *  @return as vmm_cache_free. */
VMM_INLINE vmm_misuse_t vmm_cache_free_at(vmm_cache_t *c, void *object, const void *site)
{
    vmm_misuse_t why;
    vmm_lock_take(&c->is.lock);
    why = vmm_cache_put_checked(c, (uintptr_t)object - c->base, site);
    vmm_lock_drop(&c->is.lock);
    return why;
}

/** Gives an object back.
 *  @param c       the cache
 *  @param object  what vmm_cache_alloc returned
 *  @return VMM_MISUSE_NONE, or what is wrong with the pointer, which the misuse hook is told too: nothing is
 *  changed then. Bounded: one slab is touched, and given back when it empties. */
VMM_INLINE vmm_misuse_t vmm_cache_free(vmm_cache_t *c, void *object)
{
    return vmm_cache_free_at(c, object, (void *)0);
}

/** Allocates several objects at once.
 *  @param c       the cache
 *  @param wanted  how many
 *  @param object  receives them
 *  @return how many there were; fewer than wanted only when memory ran out or a constructor refused. */
VMM_INLINE unsigned vmm_cache_alloc_bulk(vmm_cache_t *c, unsigned wanted, void **object)
{
    unsigned got = 0;
    vmm_lock_take(&c->is.lock);
    while (got < wanted) {
        size_t item[32];
        const unsigned most = wanted - got < 32 ? wanted - got : 32, taken = vmm_cache_take(c, item, most, (void *)0);
        unsigned i;
        for (i = 0; i < taken; i++) object[got + i] = (void *)(c->base + item[i]);
        got += taken;
        if (taken < most) break;
    }
    vmm_lock_drop(&c->is.lock);
    return got;
}

/** Gives several objects back.
 *  @param c       the cache
 *  @param count   how many
 *  @param object  them
 *  @return VMM_MISUSE_NONE, or the first misuse; the others are given back all the same. */
VMM_INLINE vmm_misuse_t vmm_cache_free_bulk(vmm_cache_t *c, unsigned count, void *const *object)
{
    vmm_misuse_t first = VMM_MISUSE_NONE;
    unsigned i;
    vmm_lock_take(&c->is.lock);
    for (i = 0; i < count; i++) {
        const vmm_misuse_t why = vmm_cache_put_checked(c, (uintptr_t)object[i] - c->base, (void *)0);
        if (first == VMM_MISUSE_NONE) first = why;
    }
    vmm_lock_drop(&c->is.lock);
    return first;
}

/** Gives every empty slab back, those that keep_empty keeps too.
 *  @param c  the cache
 *  @return how many slabs. O(empty slabs), and their destructors. */
VMM_OUTLINE unsigned vmm_cache_shrink(vmm_cache_t *c)
{
    unsigned dropped = 0;
    vmm_lock_take(&c->is.lock);
    for (; c->list[VMM_SLAB_ALL] != VMM_NOWHERE; dropped++) vmm_slab_drop(c, c->list[VMM_SLAB_ALL]);
    vmm_lock_drop(&c->is.lock);
    return dropped;
}

/** Ends a cache that has no object out (flush its magazines first).
 *  @param c  the cache
 *  @return VMM_OK; VMM_E_BUSY when objects are out: the cache lives on. */
VMM_INLINE vmm_status_t vmm_cache_destroy(vmm_cache_t *c)
{
    vmm_cache_shrink(c);
    return c->slabs ? VMM_E_BUSY : VMM_OK;
}

/** Verifies every invariant: each slab is in the list that its bits say, marked as this cache's, aligned; bits,
 *  counts and totals agree; with VMM_CACHE_POISON and VMM_CACHE_REDZONE every free object is filled and every
 *  guard word intact.
 *  @param c  the cache
 *  @return whether all hold. O(objects). */
VMM_OUTLINE bool vmm_cache_check(const vmm_cache_t *c)
{
    size_t slabs = 0, live = 0, empty = 0, at, previous;
    unsigned list, index;
    for (list = 0; list < 3; list++) {
        for (previous = VMM_NOWHERE, at = c->list[list]; at != VMM_NOWHERE; at = vmm_slab_at(c, at)->next) {
            vmm_slab_t *const slab = vmm_slab_at(c, at);
            unsigned free = 0;
            if (at != vmm_slab_of(c, at) || slab->owner != vmm_slab_mark(c, at) || slab->previous != previous)
                return false;
            if (slab->list != list || slab->carved > c->count || slabs++ >= c->slabs) return false;
            if (slab->first < c->first || (slab->first - c->first) / c->is.align >= c->colours ||
                (slab->first - c->first) % c->is.align || slab->word > (c->count - 1) / (8 * VMM_WORD))
                return false;
            for (index = 0; index < slab->word; index++)
                if (vmm_slab_bits(slab)[index]) return false;
            for (index = c->count; index % (8 * VMM_WORD); index++) /* the rest of the last word */
                if (vmm_slab_bits(slab)[index / (8 * VMM_WORD)] >> (index % (8 * VMM_WORD)) & 1) return false;
            for (index = 0; index < c->count; index++) {
                const size_t object = at + slab->first + (size_t)index * c->stride;
                const bool is_free = vmm_slab_bits(slab)[index / (8 * VMM_WORD)] >> (index % (8 * VMM_WORD)) & 1;
                free += is_free;
                if (!is_free && index >= slab->carved) return false;
                if (is_free && index < slab->carved && (c->is.flags & VMM_CACHE_POISON) &&
                    !vmm_is_filled((uint8_t *)(c->base + object), c->is.size, VMM_POISON_BYTE))
                    return false;
                if (!is_free && (c->is.flags & VMM_CACHE_REDZONE) && !vmm_object_guarded(c, object)) return false;
            }
            if (slab->free != free || list != (free == c->count ? 2u : free == 0)) return false;
            live += c->count - free;
            empty += free == c->count;
            previous = at;
        }
    }
    return slabs == c->slabs && live == c->live && empty == c->empty && live <= c->live_most &&
           empty <= c->is.keep_empty;
}

/** Walks the objects that are out. Those in magazines count as out: flush them first.
 *  @param c      the cache, not to be changed meanwhile
 *  @param visit  called with each object; not 0 stops
 *  @param user   handed to it
 *  @return VMM_OK, or VMM_E_STOPPED. O(objects). */
VMM_OUTLINE vmm_status_t vmm_cache_walk(const vmm_cache_t *c, int (*visit)(void *user, void *object), void *user)
{
    unsigned list, index;
    size_t at;
    for (list = VMM_SLAB_SOME; list <= VMM_SLAB_NONE; list++)
        for (at = c->list[list]; at != VMM_NOWHERE; at = vmm_slab_at(c, at)->next)
            for (index = 0; index < vmm_slab_at(c, at)->carved; index++) {
                vmm_slab_t *const slab = vmm_slab_at(c, at);
                if (vmm_slab_bits(slab)[index / (8 * VMM_WORD)] >> (index % (8 * VMM_WORD)) & 1) continue;
                if (visit(user, (uint8_t *)slab + slab->first + (size_t)index * c->stride)) return VMM_E_STOPPED;
            }
    return VMM_OK;
}

/** The call site that an object last went out or came back with (VMM_CACHE_OWNER).
 *  @param c       the cache
 *  @param object  an object
 *  @return the site; null without VMM_CACHE_OWNER. */
VMM_INLINE const void *vmm_cache_owner(const vmm_cache_t *c, const void *object)
{
    if (!(c->is.flags & VMM_CACHE_OWNER)) return (void *)0;
    return (const void *)(uintptr_t)*vmm_object_owner(c, (uintptr_t)object - c->base);
}

/** @cond internal */
/* Fills an empty stack of objects, item[1] on; how many there are. */
VMM_OUTLINE uint32_t vmm_items_fill(size_t *item, vmm_cache_t *c, unsigned wanted)
{
    uint32_t count;
    vmm_lock_take(&c->is.lock);
    count = vmm_cache_take(c, item + 1, wanted, (void *)0);
    vmm_lock_drop(&c->is.lock);
    return count;
}

/* vmm_cache_put_checked of several objects of a cache without flags: with flags, magazines are empty. */
VMM_INLINE void vmm_cache_put_many(vmm_cache_t *c, unsigned count, const size_t *item)
{
    const size_t mask = ~((size_t)c->slab_bytes - 1), base = c->base;
    const uint32_t reciprocal = c->reciprocal, stride = c->stride, all = c->count;
    unsigned i, taken = 0;
    for (i = 0; i < count; i++) {
        const size_t object = item[i], at = ((base + object) & mask) - base;
        vmm_slab_t *const slab = (vmm_slab_t *)(base + at);
        vmm_misuse_t why = VMM_MISUSE_FOREIGN;
        if (VMM_LIKELY(vmm_cache_owns(c, object))) {
            const uint32_t offset = (uint32_t)(object - at) - slab->first;
            const unsigned index = (unsigned)((uint64_t)offset * reciprocal >> 31);
            const unsigned word = index / (8 * (unsigned)VMM_WORD);
            const size_t bit = (size_t)1 << (index % (8 * VMM_WORD));
            why = VMM_MISUSE_INTERIOR;
            if (VMM_LIKELY(index < all && index * stride == offset)) {
                vmm_word_t *const bits = vmm_slab_bits(slab) + word;
                why = *bits & bit ? VMM_MISUSE_DOUBLE_FREE : VMM_MISUSE_NONE;
                *bits |= bit;
                if (word < slab->word) slab->word = (uint8_t)word;
            }
        }
        if (VMM_UNLIKELY(why != VMM_MISUSE_NONE)) {
            vmm_cache_tell(c, why, object);
            continue;
        }
        slab->free++;
        taken++;
        if (VMM_UNLIKELY(slab->list == VMM_SLAB_NONE || slab->free == all)) {
            c->live -= taken; /* what a slab's going back may look at */
            taken = 0;
            vmm_slab_relist(c, at);
        }
    }
    c->live -= taken;
}

/* Puts the newest objects of a stack back, `most` of them or all; how many are left. */
VMM_OUTLINE uint32_t vmm_items_drain(size_t *item, vmm_cache_t *c, uint32_t count, uint32_t most)
{
    const uint32_t left = count > most ? count - most : 0;
    vmm_lock_take(&c->is.lock);
    vmm_cache_put_many(c, count - left, item + 1 + left);
    vmm_lock_drop(&c->is.lock);
    return left;
}
/** @endcond */

/** Makes an empty magazine for a cache.
 *  @param m         the magazine, any content
 *  @param c         the cache it will be used with
 *  @param capacity  objects it may hold, cut to VMM_MAGAZINE_ITEMS; 0: none, every call goes to the cache. A cache
 *                   with flags gets 0, so that its checks see every call. */
VMM_INLINE void vmm_magazine_init(vmm_magazine_t *m, const vmm_cache_t *c, unsigned capacity)
{
    m->count = 0;
    m->item[0] = VMM_NOWHERE;
    m->capacity = c->is.flags ? 0 : capacity < VMM_MAGAZINE_ITEMS ? capacity : VMM_MAGAZINE_ITEMS;
    m->batch = m->capacity < 64 ? (m->capacity + 1) / 2 : 32;
}

/** vmm_cache_alloc through a magazine.
 *  @param m  the magazine
 *  @param c  its cache
 *  @return as vmm_cache_alloc. */
VMM_INLINE void *vmm_magazine_alloc(vmm_magazine_t *m, vmm_cache_t *c)
{
    if (VMM_UNLIKELY(m->count == 0)) {
        if (m->capacity == 0) return vmm_cache_alloc(c);
        m->count = vmm_items_fill(m->item, c, m->batch);
        if (!m->count) return (void *)0;
    }
    return (void *)(c->base + m->item[m->count--]);
}

/** vmm_cache_free through a magazine. Of misuse it sees only the object that it was given last; the cache sees the
 *  rest, and tells it through its hook, when the object comes to it; until then it may be handed out again.
 *  @param m       the magazine
 *  @param c       its cache
 *  @param object  what vmm_magazine_alloc or vmm_cache_alloc returned
 *  @return as vmm_cache_free. */
VMM_INLINE vmm_misuse_t vmm_magazine_free(vmm_magazine_t *m, vmm_cache_t *c, void *object)
{
    const size_t at = (uintptr_t)object - c->base;
    if (VMM_UNLIKELY(m->item[m->count] == at) && m->count) return vmm_cache_tell(c, VMM_MISUSE_DOUBLE_FREE, at);
    if (VMM_UNLIKELY(m->count >= m->capacity)) {
        if (m->capacity == 0) return vmm_cache_free(c, object);
        m->count = vmm_items_drain(m->item, c, m->count, m->batch);
    }
    m->item[++m->count] = at;
    return VMM_MISUSE_NONE;
}

/** Puts everything in a magazine back into the cache.
 *  @param m  the magazine
 *  @param c  its cache */
VMM_INLINE void vmm_magazine_flush(vmm_magazine_t *m, vmm_cache_t *c)
{
    m->count = vmm_items_drain(m->item, c, m->count, m->count);
}

/** vmm_pages_t's take over a buddy whose frames are memory of this program, at their physical addresses.
 *  @param user   a vmm_frames_t whose base is a multiple of the largest slab; a frame at address 0, if there is one,
 *                must be reserved: its address is null's
 *  @param bytes  a power of two
 *  @return the pages, or null. */
VMM_OUTLINE void *vmm_frames_take_pages(void *user, size_t bytes)
{
    vmm_paddr_t at;
    return vmm_frames_take(user, bytes, &at) ? (void *)0 : (void *)(uintptr_t)at;
}

/** vmm_pages_t's give, likewise.
 *  @param user   the vmm_frames_t
 *  @param pages  what was taken
 *  @param bytes  as taken */
VMM_OUTLINE void vmm_frames_give_pages(void *user, void *pages, size_t bytes)
{
    vmm_frames_give(user, (uintptr_t)pages, bytes);
}
/** @} */

/* ========================================================================== 3. bytes == */
/** @defgroup vmm_bytes 3. Bytes
 *  A heap: malloc and its family over arenas, regions, brk-like and mmap-like callbacks.
 *
 *  VMM_HEAP stamps a heap of one kind. What it stamps is described once, with NAME in the place of the
 *  name; what VMM_FAR_HEAP stamps under the same names is described as FAR_malloc, FAR_realloc, FAR_free.
 *  @{ */

/** How a heap picks among free chunks. The last three are the textbooks': the header has 16 bytes (two
 *  words), chunks are walked from the start, nothing is bounded. */
enum vmm_heap_fit {
    VMM_GOOD_FIT = 0,  /**< The best of the first eight in the bin of the size, else in the next bin that has any. */
    VMM_FIRST_FIT = 1, /**< The first that is large enough. */
    VMM_BEST_FIT = 2,  /**< The smallest that is large enough. */
    VMM_NEXT_FIT = 3   /**< The first that is large enough after the one last taken. */
};

/** How a heap reaches the words that it keeps about its chunks. */
enum vmm_heap_reach {
    VMM_BY_POINTER = 0, /**< In the managed memory, by plain pointers. */
    VMM_OUTSIDE = 1, /**< In an array of the caller's: the managed memory is not touched (but by calloc and realloc). */
    VMM_BY_ACCESS = 2 /**< In the managed memory, by the hooks load and store: addresses are not host pointers. The
                       *   other hooks get and give the low bits of an address, as a pointer has them; what they give
                       *   must not lie farther from far_arena than a size_t can say. */
};

/** What else a heap does, added up; each costs code, and time on every call. */
enum vmm_heap_extra {
    VMM_HEAP_GROWS = 1 << 0, /**< Uses the hooks grow and shrink. */
    VMM_HEAP_MAPS = 1 << 1,  /**< Uses the hooks map, unmap and remap for large blocks. */
    VMM_HEAP_STATS = 1 << 2, /**< Counts operations, bytes and sizes. */
    VMM_HEAP_TAGS = 1 << 3,  /**< Keeps the call site with each block, for the leak report. */
    VMM_HEAP_LOCKS = 1 << 4, /**< Takes the lock around every call. */
    VMM_HEAP_EVENTS = 1 << 5 /**< Tells every operation to the hook event. */
};

/** Presets: slab page (log2 of bytes; 0: no slabs), fit, hardening level, reach, extras.
 *
 *  | level | finds | how |
 *  |---|---|---|
 *  | 0 | what costs nothing: foreign and misaligned pointers, most double frees of chunks | checks of the header |
 *  | 1 | every double, interior and foreign free; a chunk's overrun | no magazines; a seal behind each chunk |
 *  | 2 | every overrun, from the first byte; stray writes into free chunks | guard bytes; scrambled and checked links |
 *  | 3 | use after free | blocks are zeroed and wait in a quarantine, and must still be zero when they leave |
 *
 *  On level 0 a small block that is freed twice is found at once when it was the last one freed, else when its magazine
 *  gives it back to a slab; until then it may be handed out again. A wrong address within a slab likewise.
 */
#define VMM_HEAP_FAST 12, VMM_GOOD_FIT, 0, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS
/** Every wrong free is found. */
#define VMM_HEAP_SAFE 12, VMM_GOOD_FIT, 1, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS | VMM_HEAP_STATS
/** Everything is found that this header can find. */
#define VMM_HEAP_HARD                                                                                                  \
    12, VMM_GOOD_FIT, 3, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS | VMM_HEAP_STATS | VMM_HEAP_TAGS
/** An RTOS's: fixed regions, no slabs, the least code; every call is bounded. */
#define VMM_HEAP_BOUNDED 0, VMM_GOOD_FIT, 0, VMM_BY_POINTER, 0
/** The textbooks': `VMM_HEAP(book, VMM_HEAP_TEXTBOOK(VMM_FIRST_FIT))`. */
#define VMM_HEAP_TEXTBOOK(fit) 0, fit, 0, VMM_BY_POINTER, VMM_HEAP_GROWS | VMM_HEAP_MAPS

/** A heap of one kind: constant, so that what a kind does without is not compiled. */
typedef struct vmm_heap_kind {
    uint8_t page;    /**< log2 of the smallest slab, 9 to 12; 0: no slabs. */
    uint8_t fit;     /**< enum vmm_heap_fit. */
    uint8_t level;   /**< 0 to 3. */
    uint8_t reach;   /**< enum vmm_heap_reach. */
    uint8_t extras;  /**< enum vmm_heap_extra. */
    size_t small_at; /**< Where in the instance the slabs' part lies, bytes, */
    size_t stats_at; /**< the counters, */
    size_t late_at;  /**< the quarantine, */
    size_t undo_at;  /**< and what an access that fails puts back. */
} vmm_heap_kind_t;

/** What a heap calls; null where it does without. */
typedef struct vmm_heap_hooks {
    /** More memory, `bytes` a multiple of 4096: best where the last ended. 0 and its address, or not 0 for none. */
    int (*grow)(void *user, size_t bytes, void **at);
    /** The end of what grow gave comes back. Not 0: it stays the heap's. */
    int (*shrink)(void *user, void *at, size_t bytes);
    /** Memory for one large block: aligned to 4096, all zero; null for none. */
    void *(*map)(void *user, size_t bytes);
    /** It comes back. Not 0: it could not be taken, the block stays. */
    int (*unmap)(void *user, void *at, size_t bytes);
    /** Makes it longer or shorter, perhaps elsewhere; null: it could not, nothing is changed. */
    void *(*remap)(void *user, void *at, size_t bytes, size_t wanted);
    /** Told of every misuse. The heap is as it was before the call; calling it from here is not allowed. */
    void (*misuse)(void *user, vmm_misuse_t reason, const void *at);
    /** Told of every operation that was done: 'a' allocated `now`, 'r' made `old` to `now`, 'f' freed `old`. */
    void (*event)(void *user, char operation, const void *old, const void *now, size_t bytes);
    /** Reads a word of the managed memory (VMM_BY_ACCESS); not 0: it failed, and the call fails with VMM_FAULT. */
    int (*load)(void *user, vmm_vaddr_t at, size_t *word);
    /** Writes one, likewise. */
    int (*store)(void *user, vmm_vaddr_t at, size_t word);
    vmm_lock_t lock; /**< VMM_HEAP_LOCKS. */
    void *user;      /**< Handed to all. */
} vmm_heap_hooks_t;

/** What a heap is made over; zero means none or the default. */
typedef struct vmm_heap_options {
    void *arena;            /**< First region; null when grow brings it. */
    size_t bytes;           /**< Its size. */
    vmm_vaddr_t far_arena;  /**< The first region of a heap that is reached by access; when bytes is 0, where grow will
                             *   give it, or anywhere within reach of that. */
    vmm_heap_hooks_t hooks; /**< Copied. */
    /** Addresses that may ever hold slabs: from the first region's on, so many bytes (at least its size, which is
     *  the default; 64 GiB at most on 64-bit hosts). */
    size_t window;
    void *page_map;        /**< Memory for VMM_HEAP_MAP_BYTES(window, page), zeroed. Default: cut from the arena. */
    void *side;            /**< Memory for VMM_HEAP_SIDE_BYTES(bytes, granule) (VMM_OUTSIDE). */
    size_t side_bytes;     /**< Its size. */
    size_t granule;        /**< VMM_OUTSIDE: unit of allocation, a power of two. Default: 64 bytes. */
    size_t mmap_threshold; /**< M_MMAP_THRESHOLD: blocks from this size on come from map. Default: 128 KiB, and then it
                            *   follows the largest mapped block that was freed, up to 32 MiB, as mallopt(3) has it. */
    size_t trim_threshold; /**< M_TRIM_THRESHOLD: a free end longer than this goes back by shrink. Default: 128 KiB. */
    size_t top_pad;        /**< M_TOP_PAD: asked of grow beyond what is needed. Default: 128 KiB. */
    size_t secret;         /**< Any number that attackers do not know; seals and scrambled links use it. */
} vmm_heap_options_t;

/** Parameters of NAME_mallopt, with the names that mallopt(3) gives them. */
enum vmm_heap_parameter {
    VMM_M_TRIM_THRESHOLD = -1, /**< A free end longer than this goes back by shrink, bytes. */
    VMM_M_TOP_PAD = -2,        /**< Asked of grow beyond what is needed, and left at the end by a trim, bytes. */
    VMM_M_MMAP_THRESHOLD = -3  /**< Blocks from this size on come from map, bytes. */
};

/** Bytes of options.page_map for a window and the log2 of a slab page. */
#define VMM_HEAP_MAP_BYTES(window, page) ((((window) >> (page)) + 16) * 13)
/** Bytes of options.side for an arena and a granule. */
#define VMM_HEAP_SIDE_BYTES(bytes, granule) (((bytes) / (granule) + 2) * 4 * sizeof(size_t))

/** Bins of free chunks: four for each power of two. */
#ifndef VMM_HEAP_BINS
#define VMM_HEAP_BINS (SIZE_MAX > 0xffffffff ? 128 : 96)
#endif
/** Regions that a heap may have. */
#ifndef VMM_HEAP_REGIONS
#define VMM_HEAP_REGIONS 8
#endif
/** Blocks that wait in the quarantine of level 3. */
#ifndef VMM_HEAP_QUARANTINE
#define VMM_HEAP_QUARANTINE 64
#endif

/** A heap without its optional parts. Offsets count from origin; links are offsets.
 *
 *  Memory of a chunk, by offset in words: 0 the size of the chunk before it, when that is free (else, on level 0,
 *  payload of the chunk before it; on higher levels its seal); 1 its own size with three flags; then the payload,
 *  or in a free chunk the links 2 next and 3 previous. So a chunk in use costs one word, and none is shorter than four.
 *  Each region ends with a chunk of size 0 that is in use.
 *
 *  Invariants: no two free chunks stand side by side; bit b of bin_map is set exactly when bin b is not empty;
 *  free_bytes is the sum of the free chunks. */
typedef struct vmm_heap_core {
    uintptr_t origin;                                     /**< Address of offset 0, a multiple of 4096. */
    size_t window;                                        /**< Slabs lie below this offset. */
    size_t page_map;                                      /**< Offset of the page map. */
    uint32_t regions;                                     /**< How many. */
    bool walking;                                         /**< A walk is under way. */
    bool failed;                                          /**< An access failed during this call. */
    bool adapts;                                          /**< The thresholds follow what is freed. */
    size_t free_bytes;                                    /**< In free chunks. */
    size_t bin_map[VMM_HEAP_BINS / (8 * sizeof(size_t))]; /**< Bit b: bin b is not empty. */
    size_t rover;                                         /**< Where next fit goes on. */
    size_t footprint;                                     /**< Bytes had from the caller and the hooks now, */
    size_t footprint_most;                                /**< and at most. */
    size_t huge;                                          /**< First mapped block. */
    size_t secret;                                        /**< As in the options. */
    size_t trimmed;                                       /**< Bytes that shrink took since grow was last asked. */
    size_t mmap_threshold;                                /**< As in the options, or as it has adapted. */
    size_t trim_threshold;                                /**< Likewise. */
    size_t top_pad;                                       /**< As in the options. */
    size_t granule;                                       /**< As in the options. */
    size_t side_words;                                    /**< Of the array side. */
    size_t spans;                                         /**< Offset of the spans' records, behind it. */
    vmm_word_t *side;                                     /**< As in the options. */
    vmm_vaddr_t far_origin;                               /**< Address of offset 0 for the hooks load and store. */
    vmm_heap_hooks_t hooks;                               /**< As in the options. */
    size_t start[VMM_HEAP_REGIONS];                       /**< First chunk of each region. */
    size_t length[VMM_HEAP_REGIONS];                      /**< From it to the region's last chunk, bytes. */
    size_t kept[VMM_HEAP_REGIONS]; /**< Of these, what grow did not give and shrink does not get. */
    size_t bin[VMM_HEAP_BINS];     /**< First free chunk of each bin. */
} vmm_heap_core_t;

/** What a heap counts (VMM_HEAP_STATS). Bytes are what the caller asked for on levels 2 and 3 and with tags, else
 *  what the blocks hold. */
typedef struct vmm_heap_stats {
    uint64_t allocs;                        /**< Blocks allocated, not by a reallocation. */
    uint64_t reallocs;                      /**< Blocks reallocated. */
    uint64_t frees;                         /**< Blocks freed. */
    uint64_t failures;                      /**< Calls that returned null for want of memory or an impossible size. */
    uint64_t misuses;                       /**< Calls that were refused. */
    size_t blocks;                          /**< Live blocks now, */
    size_t blocks_most;                     /**< and at most. */
    size_t bytes;                           /**< Live bytes now, */
    size_t bytes_most;                      /**< and at most. */
    uint64_t histogram[8 * sizeof(size_t)]; /**< Allocations by log2 of the size that was asked for. */
} vmm_heap_stats_t;

/** Largest size that comes from slabs of pages of 2^page bytes: a class of which two fill a page. */
#define VMM_SMALL_MOST(page)                                                                                           \
    ((size_t)((page) == 12 ? 2016 : (page) == 11 ? 800 : (page) == 10 ? 448 : (page) == 9 ? 224 : 0))
/** Size classes: steps of 16 bytes to 256, then such that 14, 12, 10, 9, 8, 7, 6, 5, 4, 3 and 2 fill a page of 4096. */
#define VMM_SMALL_CLASSES 27

/** Most objects that a heap keeps at hand of each small size. */
#ifndef VMM_HEAP_MAGAZINE_ITEMS
#define VMM_HEAP_MAGAZINE_ITEMS 93
#endif

/** @cond internal */
typedef struct vmm_small_magazine { /* a vmm_magazine_t, shorter: a heap has many */
    uint32_t count, capacity, batch;
    size_t item[VMM_HEAP_MAGAZINE_ITEMS + 1];
} vmm_small_magazine_t;

typedef struct vmm_span {    /* by the number of its first page */
    uint32_t next, previous; /* in the list of those that have a free page: first pages, 0 for none */
    uint8_t free;            /* bit i: its page i is free */
    uint8_t all;             /* what free is when all are */
} vmm_span_t;

#define VMM_MAGAZINE_PART 64 /* of the footprint: magazines together hold no more than such a part, */
#define VMM_COARSE_PART 56   /* nor do the slabs of a coarse class */

typedef struct vmm_heap_small {
    uint32_t spans;                                       /* first of the list */
    uint32_t span_pages;                                  /* of the longest span */
    vmm_small_magazine_t magazine[VMM_SMALL_CLASSES + 1]; /* as the page map counts: 0 is no class, and never has any */
    vmm_cache_t cache[VMM_SMALL_CLASSES];
    size_t magazine_bytes; /* that magazines may hold */
} vmm_heap_small_t;

typedef struct vmm_heap_late {
    uint32_t next;
    size_t ring[VMM_HEAP_QUARANTINE];
} vmm_heap_late_t;

#define VMM_HEAP_UNDO 64
#define VMM_HEAP_GOT 2 /* a block that cannot grow with the end of its region moves to memory that is new too */
typedef struct vmm_heap_undo {
    uint32_t count, gots;
    size_t at[VMM_HEAP_UNDO], was[VMM_HEAP_UNDO];
    size_t got[VMM_HEAP_GOT], bytes[VMM_HEAP_GOT]; /* memory that was had during this call, */
    bool mapped[VMM_HEAP_GOT];                     /* by map, else by grow */
} vmm_heap_undo_t;

typedef struct vmm_block { /* a live block that a pointer was found to be */
    size_t at, capacity;
    uint8_t is;
} vmm_block_t;

VMM_STATIC_ASSERT(VMM_HEAP_BINS % (8 * sizeof(size_t)) == 0 && VMM_HEAP_BINS >= 64 && VMM_HEAP_BINS <= 256,
                  "VMM_HEAP_BINS must be a multiple of the bits of size_t, 64 to 256");
VMM_STATIC_ASSERT(VMM_HEAP_REGIONS >= 1 && VMM_HEAP_REGIONS <= 64, "VMM_HEAP_REGIONS must be 1 to 64");
VMM_STATIC_ASSERT(VMM_HEAP_MAGAZINE_ITEMS >= 32 && VMM_HEAP_MAGAZINE_ITEMS <= 65536,
                  "VMM_HEAP_MAGAZINE_ITEMS must be 32 to 65536");
VMM_STATIC_ASSERT(VMM_HEAP_QUARANTINE >= 1 && VMM_HEAP_QUARANTINE <= 65536, "VMM_HEAP_QUARANTINE must be 1 to 65536");

enum vmm_block_is {
    VMM_BLOCK_SMALL,
    VMM_BLOCK_CHUNK,
    VMM_BLOCK_HUGE
};
enum vmm_field {
    VMM_BEFORE = 0,
    VMM_SIZE = 1,
    VMM_NEXT = 2,
    VMM_PREVIOUS = 3
};
#define VMM_IN_USE ((size_t)1)        /* this chunk */
#define VMM_BEFORE_IN_USE ((size_t)2) /* the one before it */
#define VMM_IS_SPAN ((size_t)4)       /* slabs lie in it */
#define VMM_SIZE_OF(word) ((word) & ~(size_t)7)
#define VMM_HUGE_PAGE ((size_t)4096)
#define VMM_ADAPT_MOST                                                                                                 \
    ((size_t)(VMM_WORD == 8 ? 32 << 20 : 512 << 10)) /* as DEFAULT_MMAP_THRESHOLD_MAX of mallopt(3) */
#define VMM_LATE_MARK (~(size_t)0)                   /* in place of the size: the block waits in the quarantine */

/* ---- parts of an instance, and sizes that follow from its kind ---- */
VMM_INLINE vmm_heap_small_t *vmm_heap_small_of(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (!k->page) __builtin_unreachable();
    return (vmm_heap_small_t *)(void *)((uint8_t *)h + k->small_at);
}
VMM_INLINE vmm_heap_stats_t *vmm_heap_stats_of(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (!(k->extras & VMM_HEAP_STATS)) __builtin_unreachable();
    return (vmm_heap_stats_t *)(void *)((uint8_t *)h + k->stats_at);
}
VMM_INLINE vmm_heap_late_t *vmm_heap_late_of(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (!(k->level == 3)) __builtin_unreachable();
    return (vmm_heap_late_t *)(void *)((uint8_t *)h + k->late_at);
}
VMM_INLINE vmm_heap_undo_t *vmm_heap_undo_of(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (!(k->reach == VMM_BY_ACCESS)) __builtin_unreachable();
    return (vmm_heap_undo_t *)(void *)((uint8_t *)h + k->undo_at);
}
VMM_INLINE uint8_t *vmm_heap_page_map(const vmm_heap_core_t *h)
{
    return (uint8_t *)(h->origin + h->page_map);
}
/* Chunks begin at multiples of this. */
VMM_INLINE size_t vmm_chunk_unit(const vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    return k->reach == VMM_OUTSIDE ? h->granule : 2 * VMM_WORD;
}
/* From a chunk to its payload. */
VMM_INLINE size_t vmm_chunk_lead(const vmm_heap_kind_t *k)
{
    return k->reach == VMM_OUTSIDE ? 0 : 2 * VMM_WORD;
}
/* What of its size a chunk does not give to its user. */
VMM_INLINE size_t vmm_chunk_cost(const vmm_heap_kind_t *k)
{
    if (k->reach == VMM_OUTSIDE) return 0;
    return k->level == 0 && k->fit == VMM_GOOD_FIT ? VMM_WORD : 2 * VMM_WORD;
}
VMM_INLINE size_t vmm_chunk_least(const vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    return k->reach == VMM_OUTSIDE ? h->granule : 4 * VMM_WORD;
}
/* Words behind the payload that say how much of it was asked for, and by whom. */
VMM_INLINE size_t vmm_block_dress(const vmm_heap_kind_t *k)
{
    const bool tags = k->extras & VMM_HEAP_TAGS;
    return k->level >= 2 || tags ? VMM_WORD * (1u + tags) : 0;
}
/* May the fast path, which counts and checks nothing, serve this kind? */
VMM_INLINE bool vmm_heap_is_plain(const vmm_heap_kind_t *k)
{
    return k->page && k->level == 0 && !(k->extras & ~(VMM_HEAP_GROWS | VMM_HEAP_MAPS));
}

/* ---- words about chunks ---- */
/* Notes what has to go back if the call fails after all. */
VMM_INLINE void vmm_far_got(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes, bool mapped)
{
    vmm_heap_undo_t *undo;
    if (k->reach != VMM_BY_ACCESS) return;
    undo = vmm_heap_undo_of(h, k);
    VMM_ASSERT(undo->gots < VMM_HEAP_GOT);
    undo->got[undo->gots] = at;
    undo->bytes[undo->gots] = bytes;
    undo->mapped[undo->gots++] = mapped;
}
VMM_OUTLINE size_t vmm_far_load(vmm_heap_core_t *h, size_t at)
{
    size_t word = 0;
    if (!h->failed && h->hooks.load(h->hooks.user, h->far_origin + at, &word) != 0) h->failed = true;
    return h->failed ? 0 : word;
}
/* After the first failure nothing more is written, and vmm_far_end puts back what was. */
VMM_OUTLINE void vmm_far_store(vmm_heap_core_t *h, vmm_heap_undo_t *undo, size_t at, size_t word)
{
    const size_t was = vmm_far_load(h, at);
    if (!h->failed && h->hooks.store(h->hooks.user, h->far_origin + at, word) != 0) h->failed = true;
    if (h->failed) return;
    VMM_ASSERT(undo->count < VMM_HEAP_UNDO);
    undo->at[undo->count] = at;
    undo->was[undo->count++] = was;
}
VMM_INLINE size_t vmm_word_get(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, unsigned field)
{
    size_t word;
    if (k->reach == VMM_BY_ACCESS) word = vmm_far_load(h, chunk + field * VMM_WORD);
    else if (k->reach == VMM_OUTSIDE) word = h->side[chunk / h->granule * 4 + field];
    else word = *(const vmm_word_t *)(h->origin + chunk + field * VMM_WORD);
    return k->level >= 2 && field >= VMM_NEXT ? word ^ h->secret : word;
}
VMM_INLINE void vmm_word_put(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, unsigned field, size_t word)
{
    if (k->level >= 2 && field >= VMM_NEXT) word ^= h->secret;
    if (k->reach == VMM_BY_ACCESS) vmm_far_store(h, vmm_heap_undo_of(h, k), chunk + field * VMM_WORD, word);
    else if (k->reach == VMM_OUTSIDE) h->side[chunk / h->granule * 4 + field] = word;
    else *(vmm_word_t *)(h->origin + chunk + field * VMM_WORD) = word;
}
/* What stands behind a chunk in use on levels 1 to 3, in the word where a free one has its size. */
VMM_INLINE size_t vmm_chunk_seal(const vmm_heap_core_t *h, size_t chunk, size_t size)
{
    return (h->secret ^ chunk) * (size_t)UINT64_C(0x9e3779b97f4a7c15) ^ size ^ 1;
}
VMM_INLINE vmm_misuse_t vmm_heap_tell(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_misuse_t reason, size_t at)
{
    if (k->extras & VMM_HEAP_STATS) vmm_heap_stats_of(h, k)->misuses++;
    if (h->hooks.misuse) h->hooks.misuse(h->hooks.user, reason, (void *)(h->origin + at));
    return reason;
}

/* ---- bins ---- */
/* Bins 0 to 7 hold one size each, in units; after them there are four for each power of two. */
VMM_CORE unsigned vmm_bin_of(const vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t size)
{
    const size_t units = size / vmm_chunk_unit(h, k);
    unsigned top, bin;
    if (units < 8) return (unsigned)units;
    top = vmm_highest_bit(units);
    bin = (top - 2) * 4 + (unsigned)(units >> (top - 2));
    return bin < VMM_HEAP_BINS ? bin : VMM_HEAP_BINS - 1;
}
/* The first bin from this one on that has a chunk, or VMM_HEAP_BINS. */
VMM_INLINE unsigned vmm_bin_from(const vmm_heap_core_t *h, unsigned bin)
{
    const unsigned bits = 8 * VMM_WORD;
    unsigned word = bin / bits;
    size_t left;
    if (bin >= VMM_HEAP_BINS) return VMM_HEAP_BINS;
    left = h->bin_map[word] & ~(size_t)0 << bin % bits;
    while (!left && ++word < VMM_HEAP_BINS / bits) {
        VMM_ALLOC_STEP();
        left = h->bin_map[word];
    }
    return left ? word * bits + vmm_lowest_bit(left) : VMM_HEAP_BINS;
}

/* Makes [chunk, chunk + size) a free chunk and lists it; its neighbours are in use. */
VMM_CORE void vmm_chunk_list(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t size)
{
    const unsigned bin = vmm_bin_of(h, k, size);
    const size_t next = h->bin[bin], after = chunk + size;
    vmm_word_put(h, k, chunk, VMM_SIZE, size | VMM_BEFORE_IN_USE);
    vmm_word_put(h, k, after, VMM_BEFORE, size);
    vmm_word_put(h, k, after, VMM_SIZE, vmm_word_get(h, k, after, VMM_SIZE) & ~VMM_BEFORE_IN_USE);
    h->free_bytes += size;
    if (k->fit != VMM_GOOD_FIT) return;
    vmm_word_put(h, k, chunk, VMM_NEXT, next);
    vmm_word_put(h, k, chunk, VMM_PREVIOUS, VMM_NOWHERE);
    if (next != VMM_NOWHERE) vmm_word_put(h, k, next, VMM_PREVIOUS, chunk);
    h->bin[bin] = chunk;
    h->bin_map[bin / (8 * VMM_WORD)] |= (size_t)1 << bin % (8 * VMM_WORD);
}
VMM_CORE void vmm_chunk_unlist(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t size)
{
    const unsigned bin = vmm_bin_of(h, k, size);
    size_t next, previous;
    h->free_bytes -= size;
    if (k->fit != VMM_GOOD_FIT) return;
    next = vmm_word_get(h, k, chunk, VMM_NEXT);
    previous = vmm_word_get(h, k, chunk, VMM_PREVIOUS);
    if (next != VMM_NOWHERE) vmm_word_put(h, k, next, VMM_PREVIOUS, previous);
    if (previous != VMM_NOWHERE) vmm_word_put(h, k, previous, VMM_NEXT, next);
    else if ((h->bin[bin] = next) == VMM_NOWHERE)
        h->bin_map[bin / (8 * VMM_WORD)] &= ~((size_t)1 << bin % (8 * VMM_WORD));
}

/* The region that an offset lies in, or h->regions. */
VMM_INLINE unsigned vmm_region_of(const vmm_heap_core_t *h, size_t at)
{
    unsigned region = 0;
    while (region < h->regions && at - h->start[region] >= h->length[region]) {
        VMM_ALLOC_STEP();
        region++;
    }
    return region;
}

/* Are the words of a free chunk what they were made? Its neighbours' links are about to be followed. */
VMM_CORE bool vmm_chunk_is_sound(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk)
{
    const unsigned region = vmm_region_of(h, chunk);
    const size_t unit = vmm_chunk_unit(h, k) - 1;
    size_t next, previous, word, size;
    if (region == h->regions || (chunk & unit)) return false;
    word = vmm_word_get(h, k, chunk, VMM_SIZE);
    size = VMM_SIZE_OF(word);
    if ((word & VMM_IN_USE) || size < vmm_chunk_least(h, k)) return false;
    if ((size & unit) || size > h->length[region] - (chunk - h->start[region])) return false;
    if (vmm_word_get(h, k, chunk + size, VMM_BEFORE) != size) return false;
    if (k->fit != VMM_GOOD_FIT) return true;
    next = vmm_word_get(h, k, chunk, VMM_NEXT);
    previous = vmm_word_get(h, k, chunk, VMM_PREVIOUS);
    if ((next != VMM_NOWHERE && (next & unit)) || (previous != VMM_NOWHERE && (previous & unit))) return false;
    if (next != VMM_NOWHERE &&
        (vmm_region_of(h, next) == h->regions || vmm_word_get(h, k, next, VMM_PREVIOUS) != chunk))
        return false;
    if (previous == VMM_NOWHERE) return h->bin[vmm_bin_of(h, k, size)] == chunk;
    return vmm_region_of(h, previous) != h->regions && vmm_word_get(h, k, previous, VMM_NEXT) == chunk;
}
/* Level 0 and 1 do not ask. */
VMM_INLINE bool vmm_chunk_trusted(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk)
{
    return k->level < 2 || vmm_chunk_is_sound(h, k, chunk);
}

/* ---- finding a free chunk ---- */
/* Where in a free chunk one of `need` bytes with an aligned payload may begin, or VMM_NOWHERE. What is left before it
 * is a chunk too, or nothing. */
VMM_CORE size_t vmm_chunk_place(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t need, size_t align)
{
    const size_t size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE)), lead = vmm_chunk_lead(k);
    size_t at = chunk;
    if (align > vmm_chunk_unit(h, k)) {
        at = vmm_round_up(h->origin + chunk + lead, align) - lead - h->origin;
        if (at != chunk && at - chunk < vmm_chunk_least(h, k))
            at = vmm_round_up(h->origin + chunk + vmm_chunk_least(h, k) + lead, align) - lead - h->origin;
    }
    return at - chunk <= size && need <= size - (at - chunk) ? at : VMM_NOWHERE;
}

/* The smallest of the first eight chunks of a bin that will do. */
VMM_CORE size_t vmm_bin_best(vmm_heap_core_t *h, const vmm_heap_kind_t *k, unsigned bin, size_t need, size_t align)
{
    size_t chunk = h->bin[bin], best = VMM_NOWHERE, best_size = VMM_NOWHERE;
    unsigned left;
    for (left = 8; left && chunk != VMM_NOWHERE; left--, chunk = vmm_word_get(h, k, chunk, VMM_NEXT)) {
        const size_t size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE));
        VMM_ALLOC_STEP();
        if (!vmm_chunk_trusted(h, k, chunk)) return chunk; /* which the taker tells */
        if (size < need || size >= best_size) continue;
        if (align > vmm_chunk_unit(h, k) && vmm_chunk_place(h, k, chunk, need, align) == VMM_NOWHERE) continue;
        best = chunk;
        best_size = size;
        if (size == need) break;
    }
    return best;
}

/* Every chunk from the start, or from the rover: the textbooks' searches. */
VMM_CORE size_t vmm_chunk_search(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t need, size_t align)
{
    size_t best = VMM_NOWHERE, best_size = VMM_NOWHERE, chunk, word;
    unsigned region;
    for (region = 0; region < h->regions; region++) {
        for (chunk = h->start[region]; VMM_SIZE_OF(word = vmm_word_get(h, k, chunk, VMM_SIZE)) != 0;
             chunk += VMM_SIZE_OF(word)) {
            if ((word & VMM_IN_USE) || VMM_SIZE_OF(word) >= best_size) continue;
            if (vmm_chunk_place(h, k, chunk, need, align) == VMM_NOWHERE) continue;
            if (k->fit == VMM_FIRST_FIT || (k->fit == VMM_NEXT_FIT && chunk >= h->rover)) return chunk;
            if (k->fit == VMM_NEXT_FIT && best != VMM_NOWHERE) continue;
            best = chunk;
            if (k->fit == VMM_BEST_FIT) best_size = VMM_SIZE_OF(word);
        }
    }
    return best;
}

/* A free chunk that will do, or VMM_NOWHERE. Of each bin at most eight chunks are looked at: of that of the size, of
 * those (five at most) in which the alignment decides, and of one in which every chunk will do. */
VMM_CORE size_t vmm_chunk_find(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t need, size_t align)
{
    const bool aligned = align > vmm_chunk_unit(h, k);
    unsigned bin = vmm_bin_of(h, k, need), sure = bin;
    size_t chunk = VMM_NOWHERE;
    if (k->fit != VMM_GOOD_FIT) return vmm_chunk_search(h, k, need, align);
    if (aligned) sure = vmm_bin_of(h, k, need + align + vmm_chunk_least(h, k));
    if (sure > bin + 5) {
        chunk = vmm_bin_best(h, k, bin, need, align);
        bin = sure; /* a large alignment */
    }
    for (; chunk == VMM_NOWHERE && (bin = vmm_bin_from(h, bin)) < VMM_HEAP_BINS; bin++) {
        chunk = vmm_bin_best(h, k, bin, need, align);
        if (bin > sure) break;
    }
    return chunk;
}

/* ---- taking and giving chunks ---- */
/* Gives the free end of a region back to where grow had it from. `chunk` is free and the last before the end. */
VMM_OUTLINE void vmm_region_trim(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t keep)
{
    const unsigned region = vmm_region_of(h, chunk);
    const size_t size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE)), lead = vmm_chunk_lead(k);
    const size_t end = chunk + size + lead; /* behind the region's last chunk */
    size_t cut, left;
    if (size < keep || keep > SIZE_MAX / 4) return;
    left = vmm_chunk_least(h, k) + keep;
    if (h->start[region] + h->kept[region] - chunk <= size && h->start[region] + h->kept[region] - chunk > left)
        left = h->start[region] + h->kept[region] - chunk;
    cut = vmm_round_up(h->origin + chunk + left + lead, 4096) - h->origin;
    if (cut - chunk > end - chunk || cut == end || !h->hooks.shrink) return;
    left = cut - lead - chunk;
    vmm_chunk_unlist(h, k, chunk, size); /* words first: writing them may fail, and what went back is gone */
    vmm_word_put(h, k, chunk + left, VMM_SIZE, VMM_IN_USE | VMM_BEFORE_IN_USE);
    vmm_chunk_list(h, k, chunk, left);
    if (k->reach == VMM_BY_ACCESS && h->failed) return;
    if (h->hooks.shrink(h->hooks.user, (void *)(h->origin + cut), end - cut) != 0) {
        vmm_chunk_unlist(h, k, chunk, left);
        vmm_chunk_list(h, k, chunk, size);
        return;
    }
    h->length[region] -= size - left;
    h->footprint -= end - cut;
    h->trimmed += end - cut;
}

/* A chunk in use becomes free and merges with its neighbours; what it became. */
VMM_OUTLINE size_t vmm_chunk_give(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk)
{
    const size_t word = vmm_word_get(h, k, chunk, VMM_SIZE);
    size_t size = VMM_SIZE_OF(word), after = chunk + size, other;
    other = vmm_word_get(h, k, after, VMM_SIZE);
    if (!(other & VMM_IN_USE)) {
        if (vmm_chunk_trusted(h, k, after)) {
            vmm_chunk_unlist(h, k, after, VMM_SIZE_OF(other));
            size += VMM_SIZE_OF(other);
        } else {
            vmm_heap_tell(h, k, VMM_MISUSE_CORRUPTED, after);
        }
    }
    if (!(word & VMM_BEFORE_IN_USE)) {
        const size_t before = vmm_word_get(h, k, chunk, VMM_BEFORE);
        if (vmm_chunk_trusted(h, k, chunk - before) &&
            (k->level < 2 || VMM_SIZE_OF(vmm_word_get(h, k, chunk - before, VMM_SIZE)) == before)) {
            vmm_chunk_unlist(h, k, chunk - before, before);
            vmm_word_put(h, k, chunk, VMM_SIZE, word & ~VMM_IN_USE); /* so that freeing it again is seen */
            chunk -= before;
            size += before;
        } else {
            vmm_heap_tell(h, k, VMM_MISUSE_CORRUPTED, chunk - before);
        }
    }
    if (k->fit == VMM_NEXT_FIT && h->rover - chunk < size) h->rover = chunk;
    vmm_chunk_list(h, k, chunk, size);
    return chunk;
}
/* And when a long end of its region is free now, that goes back. */
VMM_OUTLINE void vmm_chunk_free(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk)
{
    size_t size;
    chunk = vmm_chunk_give(h, k, chunk);
    if (!(k->extras & VMM_HEAP_GROWS)) return;
    size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE));
    if (size > h->trim_threshold && VMM_SIZE_OF(vmm_word_get(h, k, chunk + size, VMM_SIZE)) == 0)
        vmm_region_trim(h, k, chunk, h->top_pad);
}

/* Writes a chunk in use of this size; the word tells what flags it has besides. */
VMM_CORE void vmm_chunk_write(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t size, size_t flags)
{
    const size_t after = vmm_word_get(h, k, chunk + size, VMM_SIZE);
    vmm_word_put(h, k, chunk, VMM_SIZE, size | VMM_IN_USE | flags);
    if (!(after & VMM_BEFORE_IN_USE)) vmm_word_put(h, k, chunk + size, VMM_SIZE, after | VMM_BEFORE_IN_USE);
    if (k->level >= 1) vmm_word_put(h, k, chunk + size, VMM_BEFORE, vmm_chunk_seal(h, chunk, size));
}

/* Cuts a chunk in use of `size` bytes down to `need`; the rest becomes free, when it is long enough. */
VMM_OUTLINE void vmm_chunk_cut(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t size, size_t need)
{
    const size_t flags = vmm_word_get(h, k, chunk, VMM_SIZE) & (VMM_BEFORE_IN_USE | VMM_IS_SPAN), rest = size - need;
    if (rest < vmm_chunk_least(h, k)) {
        vmm_chunk_write(h, k, chunk, size, flags);
        return;
    }
    vmm_word_put(h, k, chunk + need, VMM_SIZE, rest | VMM_IN_USE | VMM_BEFORE_IN_USE);
    vmm_chunk_write(h, k, chunk, need, flags);
    vmm_chunk_give(h, k, chunk + need);
}

/* Adds the memory [at, at + bytes), by offset: behind a region it makes that longer, else it is a new one. */
VMM_OUTLINE vmm_status_t vmm_region_add(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes,
                                        bool grown)
{
    const size_t unit = vmm_chunk_unit(h, k), lead = vmm_chunk_lead(k);
    size_t first = vmm_round_up(at, unit), size;
    unsigned region;
    if (bytes > SIZE_MAX / 2 || (k->reach != VMM_BY_ACCESS && h->origin + at + bytes < h->origin + at) ||
        first - at > bytes)
        return VMM_E_RANGE;
    size = (bytes - (first - at)) & ~(unit - 1);
    if (k->reach == VMM_OUTSIDE && ((first + size) / unit + 1) * 4 > h->side_words) return VMM_E_RANGE;
    if (k->page && h->regions && h->page_map < 4096 && /* the map was cut from the arena */
        (at - h->page_map < h->start[0] - h->page_map || h->page_map - at < bytes))
        return VMM_E_MAPPED;
    for (region = 0; region < h->regions; region++) {
        const size_t end = h->start[region] + h->length[region] + lead;
        if (at - h->start[region] < end - h->start[region] || h->start[region] - at < bytes) return VMM_E_MAPPED;
        if (at == end && first == at && size >= unit) break;
    }
    if (region == h->regions) {
        if (size < vmm_chunk_least(h, k) + lead) return VMM_E_RANGE;
        if (region == VMM_HEAP_REGIONS) return VMM_E_NO_FRAME;
        size -= lead;
        h->start[region] = first;
        h->length[region] = 0;
        h->kept[region] = 0;
        h->regions++;
        vmm_word_put(h, k, first, VMM_SIZE, VMM_IN_USE | VMM_BEFORE_IN_USE);
    }
    first = h->start[region] + h->length[region];
    if (k->reach == VMM_BY_ACCESS &&
        grown) /* if the call fails it stands before the end again, whatever is copied there */
        vmm_word_put(h, k, first, VMM_BEFORE, vmm_word_get(h, k, first, VMM_BEFORE));
    h->length[region] += size;
    if (!grown) h->kept[region] = h->length[region];
    h->footprint += bytes;
    if (h->footprint > h->footprint_most) h->footprint_most = h->footprint;
    vmm_word_put(h, k, first + size, VMM_SIZE, VMM_IN_USE | VMM_BEFORE_IN_USE);
    vmm_word_put(h, k, first, VMM_SIZE, vmm_word_get(h, k, first, VMM_SIZE) | size);
    vmm_chunk_give(h, k, first);
    return VMM_OK;
}

/* Class by size in units of 16 bytes, rounded up; and the size of each class. */
static const uint8_t vmm_small_class[127] VMM_UNUSED = {
    0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 17, 18, 18, 18, 18,
    19, 19, 19, 20, 20, 20, 21, 21, 21, 21, 21, 22, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23, 23, 24,
    24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25,
    25, 25, 25, 25, 25, 25, 25, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26,
    26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26};
static const uint16_t vmm_small_sizes[VMM_SMALL_CLASSES] VMM_UNUSED = {16,  32,  48,  64,  80,  96,  112,  128,  144,
                                                                       160, 176, 192, 208, 224, 240, 256,  288,  336,
                                                                       400, 448, 496, 576, 672, 800, 1008, 1344, 2016};

VMM_INLINE size_t vmm_small_size(unsigned index)
{
    return vmm_small_sizes[index];
}

/* Objects of a class that are kept at hand to begin with. */
VMM_INLINE uint32_t vmm_small_capacity(const vmm_heap_kind_t *k, unsigned index)
{
    const size_t size = vmm_small_size(index);
    return k->level ? 0 : size > 512 ? 4 : size > 64 ? (uint32_t)(2048 / size) : 32;
}

/* Asks the caller for memory in which a chunk of `need` bytes fits. */
VMM_OUTLINE bool vmm_heap_grow(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t need)
{
    size_t pad = h->top_pad;
    if (!(k->extras & VMM_HEAP_GROWS) || !h->hooks.grow || need > SIZE_MAX / 4) return false;
    if (k->reach == VMM_BY_ACCESS && h->failed) return false;
    if (h->adapts && h->trimmed > h->trim_threshold / 2 && h->trim_threshold < VMM_ADAPT_MOST)
        h->trim_threshold = 2 * h->trimmed; /* what went back is wanted again */
    h->trimmed = 0;
    for (;; pad = 0) {
        const size_t bytes = vmm_round_up(need + (pad < SIZE_MAX / 4 ? pad : 0) + 8 * VMM_WORD, 4096);
        void *at;
        if (h->hooks.grow(h->hooks.user, bytes, &at) == 0) {
            if (vmm_region_add(h, k, (uintptr_t)at - h->origin, bytes, true) == VMM_OK) {
                vmm_far_got(h, k, (uintptr_t)at - h->origin, bytes, false);
                return true;
            }
            if (h->hooks.shrink) h->hooks.shrink(h->hooks.user, at, bytes);
            return false;
        }
        if (!pad) return false;
    }
}

/* Takes a chunk of `need` bytes whose payload is aligned, or VMM_NOWHERE. */
VMM_OUTLINE size_t vmm_chunk_take(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t need, size_t align)
{
    size_t chunk = vmm_chunk_find(h, k, need, align), at, size;
    if (chunk == VMM_NOWHERE) {
        const size_t most = align > vmm_chunk_unit(h, k) ? need + align + vmm_chunk_least(h, k) : need;
        if (vmm_heap_grow(h, k, most)) chunk = vmm_chunk_find(h, k, need, align);
        if (chunk == VMM_NOWHERE) return VMM_NOWHERE;
    }
    if (!vmm_chunk_trusted(h, k, chunk)) {
        vmm_heap_tell(h, k, VMM_MISUSE_CORRUPTED, chunk);
        return VMM_NOWHERE;
    }
    at = vmm_chunk_place(h, k, chunk, need, align);
    size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE));
    vmm_chunk_unlist(h, k, chunk, size);
    if (at != chunk) {
        vmm_chunk_list(h, k, chunk, at - chunk);
        size -= at - chunk;
    }
    if (size - need >= vmm_chunk_least(h, k)) {
        const size_t after = at + need, rest = size - need;
        vmm_chunk_list(h, k, after, rest);
        size = need;
    }
    vmm_chunk_write(h, k, at, size, at == chunk ? VMM_BEFORE_IN_USE : 0);
    if (k->fit == VMM_NEXT_FIT) h->rover = at + size;
    return at;
}

/* Bytes of a chunk for a block, or 0 when there cannot be so much. */
VMM_INLINE size_t vmm_chunk_need(const vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes)
{
    const size_t need = vmm_round_up(bytes + vmm_chunk_cost(k), vmm_chunk_unit(h, k));
    if (bytes > SIZE_MAX / 4) return 0;
    return need < vmm_chunk_least(h, k) ? vmm_chunk_least(h, k) : need;
}

/* ---- large blocks, each mapped by itself ---- */
/* The first words of its first page: next, previous, bytes, seal. */
VMM_INLINE vmm_word_t *vmm_huge(const vmm_heap_core_t *h, size_t at)
{
    return (vmm_word_t *)(h->origin + at);
}
VMM_INLINE void vmm_huge_list(vmm_heap_core_t *h, size_t at, size_t bytes)
{
    vmm_word_t *const block = vmm_huge(h, at);
    block[0] = h->huge;
    block[1] = VMM_NOWHERE;
    block[2] = bytes;
    block[3] = ~vmm_chunk_seal(h, at, bytes);
    if (h->huge != VMM_NOWHERE) vmm_huge(h, h->huge)[1] = at;
    h->huge = at;
    h->footprint += bytes;
    if (h->footprint > h->footprint_most) h->footprint_most = h->footprint;
}
VMM_INLINE void vmm_huge_unlist(vmm_heap_core_t *h, size_t at)
{
    vmm_word_t *const block = vmm_huge(h, at);
    if (block[0] != VMM_NOWHERE) vmm_huge(h, block[0])[1] = block[1];
    if (block[1] != VMM_NOWHERE) vmm_huge(h, block[1])[0] = block[0];
    else h->huge = block[0];
    h->footprint -= block[2];
    block[3] = 0;
}
VMM_OUTLINE size_t vmm_huge_take(vmm_heap_core_t *h, size_t bytes)
{
    const size_t all = vmm_round_up(bytes + 4 * VMM_WORD, VMM_HUGE_PAGE);
    void *const pages = h->hooks.map(h->hooks.user, all);
    if (!pages) return VMM_NOWHERE;
    vmm_huge_list(h, (uintptr_t)pages - h->origin, all);
    return (uintptr_t)pages - h->origin + 4 * VMM_WORD;
}
/* The thresholds follow what is freed. */
VMM_INLINE void vmm_huge_adapt(vmm_heap_core_t *h, size_t bytes)
{
    if (!h->adapts || bytes <= h->mmap_threshold || bytes > VMM_ADAPT_MOST) return;
    h->mmap_threshold = bytes;
    h->trim_threshold = 2 * bytes;
}
VMM_OUTLINE bool vmm_huge_give(vmm_heap_core_t *h, size_t at)
{
    const size_t bytes = vmm_huge(h, at)[2];
    vmm_huge_unlist(h, at);
    if (h->hooks.unmap && h->hooks.unmap(h->hooks.user, (void *)(h->origin + at), bytes) == 0) {
        vmm_huge_adapt(h, bytes);
        return true;
    }
    vmm_huge_list(h, at, bytes);
    vmm_huge(h, at)[3] ^= 1; /* nobody's any more */
    return false;
}
/* In place or elsewhere; the new offset of the payload, or VMM_NOWHERE and nothing is changed. */
VMM_OUTLINE size_t vmm_huge_resize(vmm_heap_core_t *h, size_t at, size_t bytes)
{
    const size_t all = vmm_round_up(bytes + 4 * VMM_WORD, VMM_HUGE_PAGE), was = vmm_huge(h, at)[2];
    void *pages;
    if (all == was) return at + 4 * VMM_WORD;
    if (!h->hooks.remap) return VMM_NOWHERE;
    vmm_huge_unlist(h, at);
    pages = h->hooks.remap(h->hooks.user, (void *)(h->origin + at), was, all);
    vmm_huge_list(h, pages ? (uintptr_t)pages - h->origin : at, pages ? all : was);
    return pages ? (uintptr_t)pages - h->origin + 4 * VMM_WORD : VMM_NOWHERE;
}

/* The same by access: in no list, so that only words of the block itself are written; bytes and seal stand where
 * they stand above, and the seal does not tell the place, so that a block that moves takes all it needs along. */
VMM_OUTLINE void vmm_far_huge_mark(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes)
{
    vmm_word_put(h, k, at, 2, bytes);
    vmm_word_put(h, k, at, 3, ~vmm_chunk_seal(h, 0, bytes));
}
VMM_OUTLINE size_t vmm_far_huge_take(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes)
{
    const size_t all = vmm_round_up(bytes + 4 * VMM_WORD, VMM_HUGE_PAGE);
    void *const pages = h->failed ? (void *)0 : h->hooks.map(h->hooks.user, all);
    const size_t at = (uintptr_t)pages - h->origin;
    if (!pages) return VMM_NOWHERE;
    vmm_far_got(h, k, at, all, true);
    vmm_far_huge_mark(h, k, at, all);
    h->footprint += all;
    if (h->footprint > h->footprint_most) h->footprint_most = h->footprint;
    return at + 4 * VMM_WORD;
}
VMM_OUTLINE void vmm_far_huge_give(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes)
{
    if (h->failed) return;
    if (!h->hooks.unmap || h->hooks.unmap(h->hooks.user, (void *)(h->origin + at), bytes) != 0) {
        vmm_word_put(h, k, at, 3, 0); /* nobody's any more */
        return;
    }
    h->footprint -= bytes;
    vmm_huge_adapt(h, bytes);
}
VMM_OUTLINE size_t vmm_far_huge_resize(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes)
{
    const size_t all = vmm_round_up(bytes + 4 * VMM_WORD, VMM_HUGE_PAGE), was = vmm_word_get(h, k, at, 2);
    void *pages;
    if (all == was) return at + 4 * VMM_WORD;
    if (!h->hooks.remap) return VMM_NOWHERE;
    vmm_far_huge_mark(h, k, at, all); /* words first: after it has moved nothing may fail */
    if (h->failed) return VMM_NOWHERE;
    pages = h->hooks.remap(h->hooks.user, (void *)(h->origin + at), was, all);
    if (!pages) {
        vmm_far_huge_mark(h, k, at, was);
        return VMM_NOWHERE;
    }
    h->footprint += all - was;
    if (h->footprint > h->footprint_most) h->footprint_most = h->footprint;
    return (uintptr_t)pages - h->origin + 4 * VMM_WORD;
}
VMM_INLINE vmm_misuse_t vmm_far_huge_judge(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, vmm_block_t *b)
{
    const size_t bytes = vmm_word_get(h, k, at, 2);
    if (h->failed || vmm_word_get(h, k, at, 3) != ~vmm_chunk_seal(h, 0, bytes)) return VMM_MISUSE_FOREIGN;
    b->is = VMM_BLOCK_HUGE;
    b->capacity = bytes - 4 * VMM_WORD;
    return VMM_MISUSE_NONE;
}

/* ---- small blocks, from slabs ---- */
/* The heap that a class belongs to: the page source's user is the class. */
VMM_INLINE vmm_heap_core_t *vmm_heap_of_class(const vmm_heap_kind_t *k, vmm_cache_t *c)
{
    return (vmm_heap_core_t *)(void *)((uint8_t *)(c - c->index) - offsetof(vmm_heap_small_t, cache) - k->small_at);
}
/* Slabs lie in spans: chunks of up to eight pages (the last two words of a span belong to the next chunk), because each
 * aligned chunk may leave a gap before it, and because holes between other chunks are filled so.
 *
 *  | bits of a page's entry in the page map | |
 *  |---|---|
 *  | 4-0 | class and one; 0: no slab |
 *  | 7-5 | pages of the span before this one |
 */
#define VMM_SPAN_PAGES 8u
VMM_INLINE vmm_span_t *vmm_span_of(const vmm_heap_core_t *h, size_t page)
{
    return (vmm_span_t *)(h->origin + h->spans) + page;
}
VMM_INLINE void vmm_span_list(vmm_heap_core_t *h, vmm_heap_small_t *part, uint32_t page)
{
    vmm_span_t *const span = vmm_span_of(h, page);
    span->next = part->spans;
    span->previous = 0;
    if (part->spans) vmm_span_of(h, part->spans)->previous = page;
    part->spans = page;
}
VMM_INLINE void vmm_span_unlist(vmm_heap_core_t *h, vmm_heap_small_t *part, uint32_t page)
{
    vmm_span_t *const span = vmm_span_of(h, page);
    if (span->next) vmm_span_of(h, span->next)->previous = span->previous;
    if (span->previous) vmm_span_of(h, span->previous)->next = span->next;
    else part->spans = span->next;
}
/* A new span, listed; its first page, or 0. A hole that holds fewer than eight pages is used whole. */
VMM_OUTLINE size_t vmm_span_new(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_heap_small_t *part)
{
    const size_t page = (size_t)1 << k->page, hole = vmm_chunk_find(h, k, page, page);
    size_t pages = part->span_pages, chunk, at;
    if (hole != VMM_NOWHERE) {
        const size_t lead = vmm_chunk_place(h, k, hole, page, page) - hole;
        const size_t room = (VMM_SIZE_OF(vmm_word_get(h, k, hole, VMM_SIZE)) - lead) >> k->page;
        if (room < pages) pages = room;
    }
    chunk = vmm_chunk_take(h, k, pages << k->page, page);
    if (chunk == VMM_NOWHERE) return 0;
    at = chunk + 2 * VMM_WORD;
    if (at >= h->window || pages << k->page > h->window - at) { /* where the page map does not reach */
        vmm_chunk_give(h, k, chunk);
        return 0;
    }
    vmm_word_put(h, k, chunk, VMM_SIZE, vmm_word_get(h, k, chunk, VMM_SIZE) | VMM_IS_SPAN);
    vmm_span_of(h, at >> k->page)->all = vmm_span_of(h, at >> k->page)->free = (uint8_t)((1u << pages) - 1);
    vmm_span_list(h, part, (uint32_t)(at >> k->page));
    return at >> k->page;
}
VMM_INLINE void *vmm_small_take_slab(const vmm_heap_kind_t *k, vmm_cache_t *c)
{
    vmm_heap_core_t *const h = vmm_heap_of_class(k, c);
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    const size_t page = part->spans ? part->spans : vmm_span_new(h, k, part);
    vmm_span_t *const span = vmm_span_of(h, page);
    unsigned before;
    if (!page) return (void *)0;
    before = vmm_lowest_bit(span->free);
    span->free &= (uint8_t)(span->free - 1);
    if (!span->free) vmm_span_unlist(h, part, (uint32_t)page);
    vmm_heap_page_map(h)[page + before] = (uint8_t)((c->index + 1) | before << 5);
    return (void *)(h->origin + ((page + before) << k->page));
}
VMM_INLINE void vmm_small_give_slab(const vmm_heap_kind_t *k, vmm_cache_t *c, void *slab)
{
    vmm_heap_core_t *const h = vmm_heap_of_class(k, c);
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    const size_t at = ((uintptr_t)slab - h->origin) >> k->page;
    const unsigned before = vmm_heap_page_map(h)[at] >> 5;
    vmm_span_t *const span = vmm_span_of(h, at - before);
    vmm_heap_page_map(h)[at] = 0;
    if (!span->free) vmm_span_list(h, part, (uint32_t)(at - before));
    span->free |= (uint8_t)(1u << before);
    if (span->free != span->all) return;
    vmm_span_unlist(h, part, (uint32_t)(at - before));
    vmm_chunk_free(h, k, ((at - before) << k->page) - 2 * VMM_WORD);
}

VMM_INLINE void vmm_small_init(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_pages_t *pages)
{
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    unsigned i;
    part->spans = 0;
    part->magazine[0].count = part->magazine[0].capacity = 0;
    part->magazine_bytes = 0;
    part->span_pages = h->window >> k->page < 32 * VMM_SPAN_PAGES ? 1 : VMM_SPAN_PAGES;
    for (i = 0; i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++) {
        const size_t size = vmm_small_size(i);
        vmm_cache_options_t options;
        vmm_pages_t source = *pages;
        VMM_SET(&options, 0, sizeof options);
        options.name = "heap";
        options.size = size;
        options.align = 16;
        options.misuse = h->hooks.misuse; /* tells what a magazine's drain finds */
        options.user = h->hooks.user;
        options.slab_shift = k->page;
        source.user = &part->cache[i];
        (void)vmm_cache_make(&part->cache[i], &options, &source, 2 * VMM_WORD);
        part->cache[i].base = h->origin;
        part->cache[i].index = i;
        part->cache[i].page = k->page;
        part->cache[i].page_map = h->page_map;
        part->magazine[i + 1].count = 0;
        part->magazine[i + 1].item[0] = VMM_NOWHERE;
        part->magazine[i + 1].capacity = vmm_small_capacity(k, i);
        part->magazine[i + 1].batch = vmm_small_capacity(k, i) < 16 ? vmm_small_capacity(k, i) : 16;
    }
}

/* Empties every magazine, so that bits of slabs tell what is live; a magazine with capacity 0 stays empty. */
VMM_OUTLINE void vmm_small_flush(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    unsigned i;
    for (i = 0; i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++)
        part->magazine[i + 1].count = vmm_items_drain(part->magazine[i + 1].item, &part->cache[i],
                                                      part->magazine[i + 1].count, VMM_HEAP_MAGAZINE_ITEMS);
}

VMM_OUTLINE size_t vmm_small_take(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes)
{
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    const unsigned index = vmm_small_class[(bytes + 15) / 16];
    vmm_small_magazine_t *const m = &part->magazine[index + 1];
    size_t at;
    if (m->count == 0 && bytes > VMM_SMALL_MOST(k->page) / 2 &&
        (size_t)part->cache[index].slabs << k->page > h->footprint / VMM_COARSE_PART)
        return VMM_NOWHERE;
    if (m->capacity == 0) return vmm_cache_take(&part->cache[index], &at, 1, (void *)0) ? at : VMM_NOWHERE;
    if (m->count == 0) m->count = vmm_items_fill(m->item, &part->cache[index], m->batch);
    if (m->count == 0) return VMM_NOWHERE;
    return m->item[m->count--];
}
/* A magazine that runs over gets longer, while all together hold no more than such a part of the footprint. */
VMM_INLINE bool vmm_small_widen(vmm_heap_core_t *h, vmm_heap_small_t *part, vmm_small_magazine_t *m, size_t size)
{
    const size_t more = m->batch * size;
    if (m->capacity + m->batch > VMM_HEAP_MAGAZINE_ITEMS) return false;
    if (part->magazine_bytes + more > h->footprint / VMM_MAGAZINE_PART) return false;
    part->magazine_bytes += more;
    m->capacity += m->batch;
    if (m->batch < m->capacity / 4) m->batch = m->capacity / 4;
    return true;
}
VMM_OUTLINE vmm_misuse_t vmm_small_give(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, unsigned index)
{
    vmm_heap_small_t *const part = vmm_heap_small_of(h, k);
    vmm_small_magazine_t *const m = &part->magazine[index + 1];
    if (m->capacity == 0) return vmm_cache_put(&part->cache[index], at, (void *)0);
    if (m->item[m->count] == at) return vmm_heap_tell(h, k, VMM_MISUSE_DOUBLE_FREE, at);
    if (m->count >= m->capacity && !vmm_small_widen(h, part, m, part->cache[index].stride))
        m->count = vmm_items_drain(m->item, &part->cache[index], m->count, m->batch);
    m->item[++m->count] = at;
    return VMM_MISUSE_NONE;
}

/* ---- blocks of any size ---- */
/* A new block of `bytes`, or VMM_NOWHERE. */
VMM_OUTLINE size_t vmm_block_take(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes, size_t align)
{
    size_t at, need;
    if (k->page && bytes <= VMM_SMALL_MOST(k->page) && align <= 16) {
        at = vmm_small_take(h, k, bytes);
        if (at != VMM_NOWHERE) return at;
    }
    if ((k->extras & VMM_HEAP_MAPS) && bytes >= h->mmap_threshold && bytes <= SIZE_MAX / 4 && align <= 4 * VMM_WORD &&
        h->hooks.map) {
        at = k->reach == VMM_BY_ACCESS ? vmm_far_huge_take(h, k, bytes) : vmm_huge_take(h, bytes);
        if (at != VMM_NOWHERE) return at;
    }
    need = vmm_chunk_need(h, k, bytes);
    if (!need || align > SIZE_MAX / 4) return VMM_NOWHERE;
    at = vmm_chunk_take(h, k, need, align);
    if (at == VMM_NOWHERE && k->page && k->level == 0) {
        vmm_small_flush(h, k);
        at = vmm_chunk_take(h, k, need, align);
    }
    return at == VMM_NOWHERE ? at : at + vmm_chunk_lead(k);
}

/* Which chunk in use has its payload at an offset, or why none has, as far as its own words tell. */
VMM_INLINE vmm_misuse_t vmm_chunk_peek(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t *size)
{
    const size_t chunk = at - vmm_chunk_lead(k);
    const unsigned region = vmm_region_of(h, chunk);
    size_t word;
    if (region == h->regions) return VMM_MISUSE_FOREIGN;
    if (at & (vmm_chunk_unit(h, k) - 1)) return VMM_MISUSE_INTERIOR;
    word = vmm_word_get(h, k, chunk, VMM_SIZE);
    *size = VMM_SIZE_OF(word);
    if (*size < vmm_chunk_least(h, k) || (*size & (vmm_chunk_unit(h, k) - 1)) ||
        *size > h->length[region] - (chunk - h->start[region]))
        return VMM_MISUSE_INTERIOR;
    return (word & (VMM_IN_USE | VMM_IS_SPAN)) == VMM_IN_USE ? VMM_MISUSE_NONE : VMM_MISUSE_DOUBLE_FREE;
}
/* And as the words behind it tell. */
VMM_INLINE vmm_misuse_t vmm_chunk_judge(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, vmm_block_t *b)
{
    size_t size = 0, after;
    const size_t chunk = at - vmm_chunk_lead(k);
    const vmm_misuse_t why = vmm_chunk_peek(h, k, at, &size);
    if (why != VMM_MISUSE_NONE) return why;
    after = vmm_word_get(h, k, chunk + size, VMM_SIZE);
    if (k->level == 0 && !(after & VMM_BEFORE_IN_USE)) return VMM_MISUSE_DOUBLE_FREE;
    if (k->level >= 1 && vmm_word_get(h, k, chunk + size, VMM_BEFORE) != vmm_chunk_seal(h, chunk, size)) {
        /* It was merged with free ones before it, or an overrun went on over the next header. */
        const size_t before = vmm_word_get(h, k, chunk + size, VMM_BEFORE);
        if (!(after & VMM_BEFORE_IN_USE) && before > size && !(before & (vmm_chunk_unit(h, k) - 1)) &&
            before - size <= chunk - h->start[vmm_region_of(h, chunk)] &&
            vmm_word_get(h, k, chunk + size - before, VMM_SIZE) == (before | VMM_BEFORE_IN_USE))
            return VMM_MISUSE_DOUBLE_FREE;
        return VMM_MISUSE_OVERRUN;
    }
    b->is = VMM_BLOCK_CHUNK;
    b->capacity = size - vmm_chunk_cost(k);
    return VMM_MISUSE_NONE;
}
VMM_INLINE vmm_misuse_t vmm_block_judge(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, vmm_block_t *b)
{
    vmm_misuse_t why;
    unsigned index;
    b->at = at;
    if (k->page && at < h->window && (index = vmm_heap_page_map(h)[at >> k->page] & 31) != 0) {
        vmm_cache_t *const c = &vmm_heap_small_of(h, k)->cache[index - 1];
        b->is = VMM_BLOCK_SMALL;
        b->capacity = c->stride;
        return vmm_cache_judge(c, at, &index);
    }
    why = vmm_chunk_judge(h, k, at, b);
    if (why != VMM_MISUSE_FOREIGN || !(k->extras & VMM_HEAP_MAPS)) return why;
    if (((h->origin + at) & (VMM_HUGE_PAGE - 1)) != 4 * VMM_WORD || !at) return why;
    at -= 4 * VMM_WORD;
    if (k->reach == VMM_BY_ACCESS) return h->hooks.map ? vmm_far_huge_judge(h, k, at, b) : why;
    if (k->level >= 1) {
        size_t other = h->huge;
        while (other != VMM_NOWHERE && other != at) other = vmm_huge(h, other)[0];
        if (other == VMM_NOWHERE) return why;
    }
    if (vmm_huge(h, at)[3] != ~vmm_chunk_seal(h, at, vmm_huge(h, at)[2])) return why;
    b->is = VMM_BLOCK_HUGE;
    b->capacity = vmm_huge(h, at)[2] - 4 * VMM_WORD;
    return VMM_MISUSE_NONE;
}
VMM_OUTLINE vmm_misuse_t vmm_block_give(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_block_t *b)
{
    if (k->page && b->is == VMM_BLOCK_SMALL)
        return vmm_small_give(h, k, b->at, vmm_small_class[(b->capacity + 15) / 16]);
    if ((k->extras & VMM_HEAP_MAPS) && b->is == VMM_BLOCK_HUGE) {
        if (k->reach == VMM_BY_ACCESS) vmm_far_huge_give(h, k, b->at - 4 * VMM_WORD, b->capacity + 4 * VMM_WORD);
        else (void)vmm_huge_give(h, b->at - 4 * VMM_WORD);
        return VMM_MISUSE_NONE;
    }
    vmm_chunk_free(h, k, b->at - vmm_chunk_lead(k));
    return VMM_MISUSE_NONE;
}

/* Makes a chunk longer by what is free behind it, up to `need` bytes at least; whether that was enough. */
VMM_INLINE bool vmm_chunk_extend(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t chunk, size_t size, size_t need)
{
    size_t word = vmm_word_get(h, k, chunk + size, VMM_SIZE), after;
    after = word & VMM_IN_USE ? 0 : VMM_SIZE_OF(word);
    if (after && !vmm_chunk_trusted(h, k, chunk + size)) return false;
    if (size + after < need) {
        if (VMM_SIZE_OF(vmm_word_get(h, k, chunk + size + after, VMM_SIZE)) != 0) return false; /* not the last */
        if (!vmm_heap_grow(h, k, need - size - after)) return false;
        word = vmm_word_get(h, k, chunk + size, VMM_SIZE);
        after = word & VMM_IN_USE ? 0 : VMM_SIZE_OF(word);
        if (size + after < need) return false; /* it grew elsewhere */
    }
    if (!vmm_chunk_trusted(h, k, chunk + size)) return false;
    vmm_chunk_unlist(h, k, chunk + size, after);
    vmm_chunk_cut(h, k, chunk, size + after, need);
    return true;
}

/* May a small block stay where it is with so many bytes in it? */
VMM_INLINE bool vmm_small_keeps(const vmm_block_t *b, size_t bytes)
{
    return bytes <= b->capacity && (b->capacity <= 32 || bytes > b->capacity / 2);
}
/* Makes a block hold `bytes` without moving it, if that can be and wastes little. */
VMM_OUTLINE bool vmm_block_resize(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_block_t *b, size_t bytes)
{
    const size_t chunk = b->at - vmm_chunk_lead(k), need = vmm_chunk_need(h, k, bytes);
    size_t size;
    if (!need) return false;
    if (k->page && b->is == VMM_BLOCK_SMALL) return vmm_small_keeps(b, bytes);
    if ((k->extras & VMM_HEAP_MAPS) && b->is == VMM_BLOCK_HUGE)
        return vmm_round_up(bytes + 4 * VMM_WORD, VMM_HUGE_PAGE) == b->capacity + 4 * VMM_WORD;
    size = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE));
    if (need > size) {
        if (!vmm_chunk_extend(h, k, chunk, size, need)) return false;
    } else if (need < size) {
        vmm_chunk_cut(h, k, chunk, size, need);
    }
    b->capacity = VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE)) - vmm_chunk_cost(k);
    return true;
}

/* ---- the words behind a block: what was asked for, and where ---- */
#define VMM_GUARD_BYTE 0xfa
VMM_INLINE vmm_word_t *vmm_block_words(const vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_block_t *b)
{
    return (vmm_word_t *)(h->origin + b->at + b->capacity - vmm_block_dress(k));
}
VMM_OUTLINE void vmm_block_mark(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_block_t *b, size_t bytes,
                                const void *site)
{
    vmm_word_t *const words = vmm_block_words(h, k, b);
    if (k->level >= 2)
        VMM_SET((uint8_t *)(h->origin + b->at) + bytes, VMM_GUARD_BYTE, b->capacity - vmm_block_dress(k) - bytes);
    words[0] = bytes ^ h->secret;
    if (k->extras & VMM_HEAP_TAGS) words[1] = (size_t)(uintptr_t)site;
}
/* Bytes that the user of a block has: what was asked for, if that is known. */
VMM_INLINE size_t vmm_block_bytes(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_block_t *b)
{
    return vmm_block_dress(k) ? vmm_block_words(h, k, b)[0] ^ h->secret : b->capacity;
}
VMM_INLINE vmm_misuse_t vmm_block_inspect(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_block_t *b)
{
    const size_t most = b->capacity - vmm_block_dress(k);
    size_t bytes;
    if (!vmm_block_dress(k)) return VMM_MISUSE_NONE;
    bytes = vmm_block_bytes(h, k, b);
    if (bytes == VMM_LATE_MARK) return VMM_MISUSE_DOUBLE_FREE;
    if (bytes > most) return VMM_MISUSE_OVERRUN;
    if (k->level >= 2 && !vmm_is_filled((const uint8_t *)(h->origin + b->at) + bytes, most - bytes, VMM_GUARD_BYTE))
        return VMM_MISUSE_OVERRUN;
    return VMM_MISUSE_NONE;
}

/* ---- the calls ---- */
VMM_INLINE void vmm_heap_enter(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (k->extras & VMM_HEAP_LOCKS) vmm_lock_take(&h->hooks.lock);
}
VMM_INLINE void vmm_heap_leave(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    if (k->extras & VMM_HEAP_LOCKS) vmm_lock_drop(&h->hooks.lock);
}
VMM_INLINE void vmm_heap_event(vmm_heap_core_t *h, const vmm_heap_kind_t *k, char operation, size_t old, size_t now,
                               size_t bytes)
{
    if ((k->extras & VMM_HEAP_EVENTS) && h->hooks.event)
        h->hooks.event(h->hooks.user, operation, (void *)(h->origin + old), (void *)(h->origin + now), bytes);
}
/* A block of so many bytes came to life; ended. */
VMM_INLINE void vmm_heap_count_in(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes)
{
    vmm_heap_stats_t *s;
    if (!(k->extras & VMM_HEAP_STATS)) return;
    s = vmm_heap_stats_of(h, k);
    s->bytes += bytes;
    if (++s->blocks > s->blocks_most) s->blocks_most = s->blocks;
    if (s->bytes > s->bytes_most) s->bytes_most = s->bytes;
}
VMM_INLINE void vmm_heap_count_out(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes)
{
    if (!(k->extras & VMM_HEAP_STATS)) return;
    vmm_heap_stats_of(h, k)->bytes -= bytes;
    vmm_heap_stats_of(h, k)->blocks--;
}

/* Why a size or an alignment cannot be served at all. */
VMM_INLINE vmm_misuse_t vmm_heap_refuses(const vmm_heap_core_t *h, size_t bytes, size_t align)
{
    if (h->walking) return VMM_MISUSE_WALKING;
    if (!VMM_IS_POWER(align)) return VMM_MISUSE_ALIGN;
    return bytes > SIZE_MAX / 4 || align > SIZE_MAX / 4 ? VMM_MISUSE_SIZE : VMM_MISUSE_NONE;
}

/* A block that leaves the quarantine must still be as it was put there: marked, and zero. Whether it can be reused. */
VMM_OUTLINE bool vmm_late_leaves(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t leaving, vmm_block_t *b)
{
    if (vmm_block_judge(h, k, leaving, b) != VMM_MISUSE_NONE || vmm_block_bytes(h, k, b) != VMM_LATE_MARK) {
        vmm_heap_tell(h, k, VMM_MISUSE_CORRUPTED, leaving); /* and it is lost rather than reused */
        return false;
    }
    if (!vmm_is_filled((const uint8_t *)(h->origin + leaving), b->capacity - vmm_block_dress(k), 0))
        vmm_heap_tell(h, k, VMM_MISUSE_USED_AFTER_FREE, leaving);
    return true;
}
/* A block that is freed on level 3 waits, zeroed, while VMM_HEAP_QUARANTINE others are freed. Whether one leaves for
 * it: that stands in *b then. */
VMM_INLINE bool vmm_heap_detain(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_block_t *b)
{
    vmm_heap_late_t *const late = vmm_heap_late_of(h, k);
    const size_t leaving = late->ring[late->next];
    VMM_SET((uint8_t *)(h->origin + b->at), 0, b->capacity - vmm_block_dress(k));
    vmm_block_words(h, k, b)[0] = VMM_LATE_MARK ^ h->secret;
    late->ring[late->next] = b->at;
    late->next = late->next + 1 < VMM_HEAP_QUARANTINE ? late->next + 1 : 0;
    return leaving != VMM_NOWHERE && vmm_late_leaves(h, k, leaving, b);
}
/* Memory is short: all that wait are let go. */
VMM_OUTLINE void vmm_late_flush(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    vmm_heap_late_t *const late = vmm_heap_late_of(h, k);
    unsigned i;
    for (i = 0; i < VMM_HEAP_QUARANTINE; i++) {
        vmm_block_t b;
        if (late->ring[i] != VMM_NOWHERE && vmm_late_leaves(h, k, late->ring[i], &b)) (void)vmm_block_give(h, k, &b);
        late->ring[i] = VMM_NOWHERE;
    }
}

/* Takes a block and dresses it; without counting. */
VMM_INLINE size_t vmm_heap_take(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes, size_t align,
                                const void *site, vmm_block_t *b)
{
    size_t at = vmm_block_take(h, k, bytes + vmm_block_dress(k), align);
    if (at == VMM_NOWHERE && k->level == 3) {
        vmm_late_flush(h, k);
        at = vmm_block_take(h, k, bytes + vmm_block_dress(k), align);
    }
    b->capacity = 0; /* gcc does not see that a block just taken is always found to be one */
    if (at == VMM_NOWHERE) {
        if (k->extras & VMM_HEAP_STATS) vmm_heap_stats_of(h, k)->failures++;
        return at;
    }
    if (vmm_block_dress(k) || (k->extras & VMM_HEAP_STATS)) (void)vmm_block_judge(h, k, at, b);
    if (vmm_block_dress(k)) vmm_block_mark(h, k, b, bytes, site);
    return at;
}

VMM_OUTLINE size_t vmm_heap_alloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes, size_t align,
                                  const void *site)
{
    const vmm_misuse_t why = vmm_heap_refuses(h, bytes, align);
    vmm_block_t b = {0, 0, 0};
    size_t at;
    if (why != VMM_MISUSE_NONE) {
        if (k->extras & VMM_HEAP_STATS) vmm_heap_stats_of(h, k)->failures++;
        vmm_heap_tell(h, k, why, 0 - h->origin);
        return VMM_NOWHERE;
    }
    at = vmm_heap_take(h, k, bytes, align, site, &b);
    if (at == VMM_NOWHERE) return at;
    if (k->extras & VMM_HEAP_STATS) {
        vmm_heap_stats_of(h, k)->allocs++;
        vmm_heap_stats_of(h, k)->histogram[bytes ? vmm_highest_bit(bytes) : 0]++;
        vmm_heap_count_in(h, k, vmm_block_bytes(h, k, &b));
    }
    vmm_heap_event(h, k, 'a', 0 - h->origin, at, bytes);
    return at;
}

/* Which live block a pointer is. */
VMM_CORE vmm_misuse_t vmm_heap_judge(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, vmm_block_t *b)
{
    vmm_misuse_t why = h->walking ? VMM_MISUSE_WALKING : vmm_block_judge(h, k, at, b);
    if (why == VMM_MISUSE_NONE) why = vmm_block_inspect(h, k, b);
    if (why == VMM_MISUSE_NONE || (k->reach == VMM_BY_ACCESS && h->failed)) return why;
    return vmm_heap_tell(h, k, why, at);
}

VMM_OUTLINE vmm_misuse_t vmm_heap_free(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at)
{
    vmm_block_t b;
    const vmm_misuse_t why = vmm_heap_judge(h, k, at, &b);
    if (why != VMM_MISUSE_NONE) return why;
    if (k->extras & VMM_HEAP_STATS) vmm_heap_stats_of(h, k)->frees++;
    vmm_heap_count_out(h, k, vmm_block_bytes(h, k, &b));
    vmm_heap_event(h, k, 'f', at, 0 - h->origin, 0);
    if (k->level == 3 && !vmm_heap_detain(h, k, &b)) return VMM_MISUSE_NONE;
    return vmm_block_give(h, k, &b);
}

/* free that is told the size: it must be one that this block can have been allocated with. */
VMM_OUTLINE vmm_misuse_t vmm_heap_free_sized(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes)
{
    const size_t dress = vmm_block_dress(k);
    vmm_block_t b;
    const vmm_misuse_t why = vmm_heap_judge(h, k, at, &b);
    if (why != VMM_MISUSE_NONE) return why;
    if (bytes > b.capacity - dress || (dress && bytes != vmm_block_bytes(h, k, &b)) ||
        (k->page && b.is == VMM_BLOCK_SMALL && !vmm_small_keeps(&b, bytes + dress) &&
         vmm_small_size(vmm_small_class[(bytes + dress + 15) / 16]) != b.capacity))
        return vmm_heap_tell(h, k, VMM_MISUSE_SIZE, at);
    return vmm_heap_free(h, k, at);
}

/* Copies what a block holds into a new one. */
VMM_INLINE void vmm_heap_carry(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t to, size_t from, size_t bytes)
{
    size_t i, last;
    if (k->reach != VMM_BY_ACCESS) {
        VMM_COPY((void *)(h->origin + to), (const void *)(h->origin + from), bytes);
        return;
    }
    /* The first two and the last word hold links of a free chunk, if the call fails after all. */
    last = VMM_SIZE_OF(vmm_word_get(h, k, to - vmm_chunk_lead(k), VMM_SIZE)) - 2 * VMM_WORD;
    for (i = 0; i < bytes && !h->failed; i += VMM_WORD) {
        const size_t word = vmm_far_load(h, from + i);
        if (i < 2 * VMM_WORD || i == last) vmm_far_store(h, vmm_heap_undo_of(h, k), to + i, word);
        else if (!h->failed && h->hooks.store(h->hooks.user, h->far_origin + to + i, word) != 0) h->failed = true;
    }
}

/* realloc of a live block: in place if that can be, else by moving. `moves` false: not at all otherwise. */
VMM_OUTLINE size_t vmm_heap_resize(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t at, size_t bytes, bool moves,
                                   const void *site)
{
    const size_t dress = vmm_block_dress(k), full = bytes + dress;
    vmm_block_t b, other;
    vmm_misuse_t why = vmm_heap_judge(h, k, at, &b);
    size_t now = at, had;
    bool moved = false;
    if (why != VMM_MISUSE_NONE || (k->reach == VMM_BY_ACCESS && h->failed)) return VMM_NOWHERE;
    other = b;
    if ((why = vmm_heap_refuses(h, bytes, 1)) != VMM_MISUSE_NONE) {
        if (k->extras & VMM_HEAP_STATS) vmm_heap_stats_of(h, k)->failures++;
        vmm_heap_tell(h, k, why, at);
        return VMM_NOWHERE;
    }
    had = vmm_block_bytes(h, k, &b);
    if (moves && (k->extras & VMM_HEAP_MAPS) && b.is == VMM_BLOCK_HUGE && full >= h->mmap_threshold) {
        now = k->reach == VMM_BY_ACCESS ? vmm_far_huge_resize(h, k, at - 4 * VMM_WORD, full)
                                        : vmm_huge_resize(h, at - 4 * VMM_WORD, full);
        if (now != VMM_NOWHERE && k->reach != VMM_BY_ACCESS) (void)vmm_block_judge(h, k, now, &b);
    } else if (!vmm_block_resize(h, k, &b, full)) {
        now = VMM_NOWHERE;
    }
    if (now == VMM_NOWHERE) {
        if (!moves) return now;
        now = vmm_heap_take(h, k, bytes, 1, site, &other);
        moved = now != VMM_NOWHERE;
        if (!moved && (!k->page || full > b.capacity)) return now;
    }
    if (k->page && now == VMM_NOWHERE) now = at; /* memory is short: it shrinks where it is */
    if (moved) {
        vmm_heap_carry(h, k, now, at, had < bytes ? had : bytes);
        if (k->level != 3 || vmm_heap_detain(h, k, &b)) (void)vmm_block_give(h, k, &b);
        b = other;
    } else if (dress) {
        vmm_block_mark(h, k, &b, bytes, site);
    }
    if (k->extras & VMM_HEAP_STATS) {
        vmm_heap_stats_of(h, k)->reallocs++;
        vmm_heap_count_out(h, k, had);
        vmm_heap_count_in(h, k, vmm_block_bytes(h, k, &b));
    }
    vmm_heap_event(h, k, 'r', at, now, bytes);
    return now;
}

/* ---- making a heap ---- */
/* What of the options a kind cannot be made with. */
VMM_INLINE vmm_status_t vmm_heap_options_fit(const vmm_heap_kind_t *k, const vmm_heap_options_t *o)
{
    if (!o) return VMM_E_ARGUMENT;
    if (k->reach == VMM_BY_ACCESS) {
        if (!o->hooks.load || !o->hooks.store) return VMM_E_ARGUMENT;
        if (!o->bytes && (!(k->extras & VMM_HEAP_GROWS) || !o->hooks.grow)) return VMM_E_ARGUMENT;
        return o->far_arena + o->bytes < o->far_arena ? VMM_E_RANGE : VMM_OK;
    }
    if (!o->arena && (o->bytes || !(k->extras & VMM_HEAP_GROWS) || !o->hooks.grow)) return VMM_E_ARGUMENT;
    if (o->bytes > SIZE_MAX / 2 || (uintptr_t)o->arena + o->bytes < (uintptr_t)o->arena) return VMM_E_RANGE;
    if (k->reach == VMM_OUTSIDE && (!o->side || !o->arena || ((uintptr_t)o->side & (VMM_WORD - 1))))
        return VMM_E_ARGUMENT;
    if ((o->granule & (o->granule - 1)) || (o->granule && (o->granule < 8 || o->granule > 4096))) return VMM_E_ALIGN;
    if (o->window && (!o->page_map || o->window < o->bytes)) return VMM_E_ARGUMENT;
    return VMM_OK;
}

/* Where slabs may lie, and the map of them; returns what of the first region the map takes. */
VMM_INLINE size_t vmm_heap_set_window(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_heap_options_t *o,
                                      uintptr_t at, size_t bytes)
{
    size_t map;
    uintptr_t where = (uintptr_t)o->page_map;
    if (!k->page) return 0;
    h->window = at - h->origin + (o->window ? o->window : bytes);
    map = o->page_map ? 0 : VMM_HEAP_MAP_BYTES(bytes, k->page);
    if (map > bytes) return bytes;
    if (map) {
        where = vmm_round_up(at, 4);
        VMM_SET((void *)at, 0, map);
    }
    h->page_map = where - h->origin;
    h->spans = h->page_map + vmm_round_up((h->window >> k->page) + 1, 4);
    return map;
}

VMM_OUTLINE vmm_status_t vmm_heap_make(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_heap_options_t *o,
                                       const vmm_pages_t *pages, size_t instance)
{
    vmm_status_t status = vmm_heap_options_fit(k, o);
    void *arena;
    size_t bytes, map, i;
    bool grown;
    if (status != VMM_OK) return status;
    arena = o->arena;
    bytes = o->bytes;
    VMM_SET(h, 0, k->small_at); /* the magazines, being large, are not touched before they are used */
    VMM_SET((uint8_t *)h + k->stats_at, 0, instance - k->stats_at);
    h->hooks = o->hooks;
    h->secret = o->secret ^ (size_t)UINT64_C(0xc2b2ae3d27d4eb4f);
    if (k->reach == VMM_OUTSIDE) {
        h->granule = o->granule ? o->granule : 64;
        h->side = (vmm_word_t *)o->side;
        h->side_words = o->side_bytes / VMM_WORD;
    }
    if (k->extras & (VMM_HEAP_GROWS | VMM_HEAP_MAPS)) {
        h->mmap_threshold = o->mmap_threshold ? o->mmap_threshold : 128 * 1024;
        h->trim_threshold = o->trim_threshold ? o->trim_threshold : 128 * 1024;
        h->top_pad = o->top_pad ? o->top_pad : 128 * 1024;
        h->adapts = !o->mmap_threshold && !o->trim_threshold && !o->top_pad;
    }
    h->huge = VMM_NOWHERE;
    for (i = 0; i < VMM_HEAP_BINS; i++) h->bin[i] = VMM_NOWHERE;
    if (k->level == 3)
        for (i = 0; i < VMM_HEAP_QUARANTINE; i++) vmm_heap_late_of(h, k)->ring[i] = VMM_NOWHERE;
    if (k->reach == VMM_BY_ACCESS) arena = (void *)(uintptr_t)o->far_arena;
    grown = k->reach == VMM_BY_ACCESS ? !bytes : !arena;
    if (grown) {
        bytes = vmm_round_up(h->top_pad + 4096, 4096);
        if (h->hooks.grow(h->hooks.user, bytes, &arena) != 0) return VMM_E_NO_FRAME;
    }
    if (k->reach == VMM_BY_ACCESS)
        h->far_origin = (o->far_arena + ((uintptr_t)arena - (uintptr_t)o->far_arena)) & ~(vmm_vaddr_t)4095;
    h->origin =
        k->reach == VMM_OUTSIDE ? vmm_round_up((uintptr_t)arena, h->granule) : (uintptr_t)arena & ~(uintptr_t)4095;
    map = vmm_heap_set_window(h, k, o, (uintptr_t)arena, bytes);
    status = vmm_region_add(h, k, (uintptr_t)arena + map - h->origin, bytes - map, grown);
    h->footprint += map;
    h->footprint_most = h->footprint;
    if (k->page) vmm_small_init(h, k, pages);
    if (k->reach == VMM_BY_ACCESS && grown && (h->failed || status != VMM_OK) && h->hooks.shrink)
        h->hooks.shrink(h->hooks.user, arena, bytes);
    return h->failed ? VMM_FAULT : status;
}

/* ---- the calls by pointer ---- */
VMM_OUTLINE void *vmm_slow_malloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes, size_t align,
                                  const void *site)
{
    size_t at;
    vmm_heap_enter(h, k);
    at = vmm_heap_alloc(h, k, bytes, align, site);
    vmm_heap_leave(h, k);
    return at == VMM_NOWHERE ? (void *)0 : (void *)(h->origin + at);
}
VMM_OUTLINE vmm_misuse_t vmm_slow_free(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *block)
{
    vmm_misuse_t why;
    if (!block) return VMM_MISUSE_NONE;
    vmm_heap_enter(h, k);
    why = vmm_heap_free(h, k, (uintptr_t)block - h->origin);
    vmm_heap_leave(h, k);
    return why;
}
VMM_INLINE void *vmm_call_malloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t bytes, const void *site)
{
    if (vmm_heap_is_plain(k) && VMM_LIKELY(bytes <= VMM_SMALL_MOST(k->page))) {
        vmm_small_magazine_t *const m = &vmm_heap_small_of(h, k)->magazine[vmm_small_class[(bytes + 15) / 16] + 1u];
        if (VMM_LIKELY(m->count != 0)) return (void *)(h->origin + m->item[m->count--]);
    }
    return vmm_slow_malloc(h, k, bytes, 1, site);
}
VMM_INLINE vmm_misuse_t vmm_call_free(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *block)
{
    const size_t at = (uintptr_t)block - h->origin;
    if (vmm_heap_is_plain(k) && VMM_LIKELY(at < h->window)) {
        vmm_small_magazine_t *const m = &vmm_heap_small_of(h, k)->magazine[vmm_heap_page_map(h)[at >> k->page] & 31u];
        if (VMM_LIKELY(m->count < m->capacity && m->item[m->count] != at && !(at & 15))) {
            m->item[++m->count] = at;
            return VMM_MISUSE_NONE;
        }
    }
    return vmm_slow_free(h, k, block);
}
VMM_OUTLINE void *vmm_call_calloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t count, size_t bytes,
                                  const void *site)
{
    size_t all, at;
    bool zero = false;
    vmm_block_t b;
    if (__builtin_mul_overflow(count, bytes, &all)) all = SIZE_MAX; /* which is refused */
    if (vmm_heap_is_plain(k) && all <= VMM_SMALL_MOST(k->page)) {
        void *const block = vmm_call_malloc(h, k, all, site);
        if (block) VMM_SET(block, 0, all);
        return block;
    }
    vmm_heap_enter(h, k);
    at = vmm_heap_alloc(h, k, all, 1, site);
    if (at != VMM_NOWHERE && (k->extras & VMM_HEAP_MAPS)) /* mapped memory is zero */
        zero = vmm_block_judge(h, k, at, &b) == VMM_MISUSE_NONE && b.is == VMM_BLOCK_HUGE;
    vmm_heap_leave(h, k);
    if (at == VMM_NOWHERE) return (void *)0;
    if (!zero) VMM_SET((void *)(h->origin + at), 0, all);
    return (void *)(h->origin + at);
}
/* realloc of a small block by the fast path: it stays, or moves with all it holds. Null: not for the fast path. */
VMM_INLINE void *vmm_fast_realloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *block, size_t bytes)
{
    const size_t at = (uintptr_t)block - h->origin;
    unsigned index;
    size_t had;
    void *now;
    if (at >= h->window || (index = vmm_heap_page_map(h)[at >> k->page] & 31u) == 0 || h->walking || (at & 15))
        return (void *)0;
    had = vmm_small_size(index - 1);
    if (bytes > had ? bytes > VMM_SMALL_MOST(k->page) : had > 32 && bytes <= had / 2) return (void *)0;
    if (bytes <= had) return block;
    now = vmm_call_malloc(h, k, bytes, (void *)0);
    if (!now) return (void *)0;
    VMM_COPY(now, block, had);
    (void)vmm_call_free(h, k, block);
    return now;
}
VMM_OUTLINE void *vmm_call_realloc(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *block, size_t bytes, bool moves,
                                   const void *site)
{
    size_t at;
    if (!block) return moves ? vmm_slow_malloc(h, k, bytes, 1, site) : block;
    if (!bytes && moves) {
        (void)vmm_slow_free(h, k, block);
        return (void *)0;
    }
    if (vmm_heap_is_plain(k) && moves) {
        void *const now = vmm_fast_realloc(h, k, block, bytes);
        if (VMM_LIKELY(now != (void *)0)) return now;
    }
    vmm_heap_enter(h, k);
    at = vmm_heap_resize(h, k, (uintptr_t)block - h->origin, bytes, moves, site);
    vmm_heap_leave(h, k);
    return at == VMM_NOWHERE ? (void *)0 : (void *)(h->origin + at);
}
VMM_OUTLINE vmm_misuse_t vmm_call_free_sized(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *block, size_t bytes)
{
    vmm_misuse_t why;
    if (!block) return VMM_MISUSE_NONE;
    vmm_heap_enter(h, k);
    why = vmm_heap_free_sized(h, k, (uintptr_t)block - h->origin, bytes);
    vmm_heap_leave(h, k);
    return why;
}
VMM_OUTLINE size_t vmm_call_usable(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const void *block)
{
    vmm_block_t b;
    size_t bytes = 0;
    if (!block) return 0;
    vmm_heap_enter(h, k);
    if (vmm_heap_judge(h, k, (uintptr_t)block - h->origin, &b) == VMM_MISUSE_NONE) bytes = vmm_block_bytes(h, k, &b);
    vmm_heap_leave(h, k);
    return bytes;
}
VMM_OUTLINE vmm_status_t vmm_call_add(vmm_heap_core_t *h, const vmm_heap_kind_t *k, void *region, size_t bytes)
{
    vmm_status_t status;
    if (!region) return VMM_E_ARGUMENT;
    vmm_heap_enter(h, k);
    status = h->walking ? VMM_E_BUSY : vmm_region_add(h, k, (uintptr_t)region - h->origin, bytes, false);
    vmm_heap_leave(h, k);
    return status;
}
VMM_OUTLINE vmm_status_t vmm_call_mallopt(vmm_heap_core_t *h, const vmm_heap_kind_t *k, int parameter, size_t value)
{
    vmm_heap_enter(h, k);
    if (parameter == VMM_M_TRIM_THRESHOLD) h->trim_threshold = value;
    if (parameter == VMM_M_TOP_PAD) h->top_pad = value;
    if (parameter == VMM_M_MMAP_THRESHOLD) h->mmap_threshold = value;
    if (parameter <= VMM_M_TRIM_THRESHOLD && parameter >= VMM_M_MMAP_THRESHOLD) h->adapts = false;
    vmm_heap_leave(h, k);
    return parameter <= VMM_M_TRIM_THRESHOLD && parameter >= VMM_M_MMAP_THRESHOLD ? VMM_OK : VMM_E_ARGUMENT;
}
/* Flushes magazines, drops empty slabs, and gives free ends of regions back but for `keep` bytes. */
VMM_OUTLINE size_t vmm_call_trim(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t keep)
{
    size_t before;
    unsigned i;
    vmm_heap_enter(h, k);
    before = h->footprint;
    if (h->walking) keep = SIZE_MAX; /* nothing */
    else if (k->page) {
        vmm_small_flush(h, k);
        for (i = 0; i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++)
            vmm_cache_shrink(&vmm_heap_small_of(h, k)->cache[i]);
    }
    for (i = 0; i < h->regions && (k->extras & VMM_HEAP_GROWS); i++) {
        const size_t end = h->start[i] + h->length[i];
        if (vmm_word_get(h, k, end, VMM_SIZE) & VMM_BEFORE_IN_USE) continue;
        vmm_region_trim(h, k, end - vmm_word_get(h, k, end, VMM_BEFORE), keep);
    }
    before -= h->footprint;
    vmm_heap_leave(h, k);
    return before;
}

/* ---- the calls by access ---- */
VMM_INLINE vmm_status_t vmm_far_end(vmm_heap_core_t *h, const vmm_heap_kind_t *k, const vmm_heap_core_t *before)
{
    vmm_heap_undo_t *const undo = vmm_heap_undo_of(h, k);
    if (!h->failed) {
        undo->count = 0;
        return VMM_OK;
    }
    *h = *before;
    while (undo->count) {
        undo->count--;
        (void)h->hooks.store(h->hooks.user, h->far_origin + undo->at[undo->count], undo->was[undo->count]);
    }
    while (undo->gots) {
        void *const at = (void *)(h->origin + undo->got[--undo->gots]);
        int (*const back)(void *user, void *at, size_t bytes) =
            undo->mapped[undo->gots] ? h->hooks.unmap : h->hooks.shrink;
        if (back) (void)back(h->hooks.user, at, undo->bytes[undo->gots]);
    }
    return VMM_FAULT;
}
VMM_OUTLINE vmm_status_t vmm_far_call(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_vaddr_t old, size_t bytes,
                                      size_t align, vmm_vaddr_t *now)
{
    const vmm_heap_core_t before = *h;
    const size_t was = (size_t)(old - h->far_origin);
    vmm_status_t status;
    vmm_block_t b;
    size_t at = VMM_NOWHERE;
    vmm_heap_undo_of(h, k)->count = 0;
    vmm_heap_undo_of(h, k)->gots = 0;
    if (old && old != h->far_origin + was) return VMM_E_NOT_MAPPED;
    if (!now) status = vmm_heap_free(h, k, was) == VMM_MISUSE_NONE ? VMM_OK : VMM_E_NOT_MAPPED;
    else {
        at = old ? vmm_heap_resize(h, k, was, bytes, true, (void *)0) : vmm_heap_alloc(h, k, bytes, align, (void *)0);
        status = at != VMM_NOWHERE                                          ? VMM_OK
                 : old && vmm_block_judge(h, k, was, &b) != VMM_MISUSE_NONE ? VMM_E_NOT_MAPPED
                                                                            : VMM_E_NO_FRAME;
    }
    if (vmm_far_end(h, k, &before) != VMM_OK) return VMM_FAULT;
    if (now && status == VMM_OK) *now = h->far_origin + at;
    return status;
}

/* ------------------------------------------------------------------- looking into a heap ---- */
/* Does the chain of chunks of a region hold together? Adds up what is free and what slabs hold. */
VMM_OUTLINE bool vmm_region_check(vmm_heap_core_t *h, const vmm_heap_kind_t *k, unsigned region, size_t *free_bytes,
                                  size_t *free_chunks)
{
    size_t chunk = h->start[region], word, last = 0;
    bool before_in_use = true;
    while (chunk != h->start[region] + h->length[region]) {
        const size_t left = h->length[region] - (chunk - h->start[region]);
        size_t size;
        word = vmm_word_get(h, k, chunk, VMM_SIZE);
        size = VMM_SIZE_OF(word);
        if (size < vmm_chunk_least(h, k) || size > left || size & (vmm_chunk_unit(h, k) - 1)) return false;
        if (((word & VMM_BEFORE_IN_USE) != 0) != before_in_use) return false;
        if (!before_in_use && (vmm_word_get(h, k, chunk, VMM_BEFORE) != last || !(word & VMM_IN_USE))) return false;
        if (word & VMM_IN_USE) {
            if (k->level >= 1 && vmm_word_get(h, k, chunk + size, VMM_BEFORE) != vmm_chunk_seal(h, chunk, size))
                return false;
        } else {
            if (!vmm_chunk_is_sound(h, k, chunk)) return false;
            *free_bytes += size;
            ++*free_chunks;
        }
        before_in_use = word & VMM_IN_USE;
        last = size;
        chunk += size;
    }
    word = vmm_word_get(h, k, chunk, VMM_SIZE);
    if (((word & VMM_BEFORE_IN_USE) != 0) != before_in_use) return false;
    return VMM_SIZE_OF(word) == 0 && (word & VMM_IN_USE) &&
           (before_in_use || vmm_word_get(h, k, chunk, VMM_BEFORE) == last);
}

/* Are bins and map as the chunks say? */
VMM_OUTLINE bool vmm_bins_check(vmm_heap_core_t *h, const vmm_heap_kind_t *k, size_t free_chunks)
{
    size_t listed = 0, chunk;
    unsigned bin;
    for (bin = 0; bin < VMM_HEAP_BINS; bin++) {
        const bool marked = h->bin_map[bin / (8 * VMM_WORD)] >> bin % (8 * VMM_WORD) & 1;
        if (marked != (h->bin[bin] != VMM_NOWHERE)) return false;
        for (chunk = h->bin[bin]; chunk != VMM_NOWHERE; chunk = vmm_word_get(h, k, chunk, VMM_NEXT)) {
            if (listed++ >= free_chunks || !vmm_chunk_is_sound(h, k, chunk)) return false;
            if (vmm_bin_of(h, k, VMM_SIZE_OF(vmm_word_get(h, k, chunk, VMM_SIZE))) != bin) return false;
        }
    }
    return listed == free_chunks;
}

VMM_OUTLINE bool vmm_heap_check_all(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    size_t free_bytes = 0, free_chunks = 0, huge, last = VMM_NOWHERE;
    unsigned i;
    for (i = 0; i < h->regions; i++)
        if (!vmm_region_check(h, k, i, &free_bytes, &free_chunks)) return false;
    if (free_bytes != h->free_bytes || h->footprint > h->footprint_most) return false;
    if (k->fit == VMM_GOOD_FIT && !vmm_bins_check(h, k, free_chunks)) return false;
    for (i = 0; k->page && i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++) {
        const vmm_small_magazine_t *const m = &vmm_heap_small_of(h, k)->magazine[i + 1];
        if (m->count > m->capacity || !vmm_cache_check(&vmm_heap_small_of(h, k)->cache[i])) return false;
    }
    for (huge = h->huge; huge != VMM_NOWHERE; last = huge, huge = vmm_huge(h, huge)[0])
        if (vmm_huge(h, huge)[1] != last ||
            ((vmm_huge(h, huge)[3] | 1) != (~vmm_chunk_seal(h, huge, vmm_huge(h, huge)[2]) | 1)))
            return false;
    return true;
}
VMM_OUTLINE bool vmm_heap_check(vmm_heap_core_t *h, const vmm_heap_kind_t *k)
{
    bool holds;
    vmm_heap_enter(h, k);
    holds = vmm_heap_check_all(h, k);
    h->failed = false; /* an access that failed ends with the call */
    vmm_heap_leave(h, k);
    return holds;
}
/** @endcond */

/** A live block, as a walk shows it. */
typedef struct vmm_live {
    void *at;         /**< The pointer that its user has. */
    size_t bytes;     /**< What was asked for, when the heap knows (levels 2 and 3, tags), else what the block holds. */
    size_t takes;     /**< What it takes of the memory, header and all. */
    const void *site; /**< Its call site (VMM_HEAP_TAGS), else null. */
} vmm_live_t;

/** A walk's visitor. @return not 0 to stop. */
typedef int (*vmm_live_visit_t)(void *user, const vmm_live_t *block);

/** What a heap looks like now. */
typedef struct vmm_heap_report {
    size_t footprint;      /**< Bytes had from the caller and the hooks now, */
    size_t footprint_most; /**< and at most. */
    size_t live_blocks;    /**< Live blocks. */
    size_t live_bytes;     /**< What they have, as vmm_live_t counts bytes. */
    size_t taken_bytes;    /**< What live blocks take, headers and all. */
    size_t free_bytes;     /**< In free chunks. */
    size_t free_chunks;    /**< How many. */
    size_t largest_free;   /**< The longest of them: bytes that malloc could return in one piece, nearly. */
    size_t slab_bytes;     /**< In slabs, */
    size_t slab_free;      /**< and of these in free objects. */
    size_t mapped_bytes;   /**< In blocks that are mapped by themselves. */
    unsigned internal;     /**< Internal fragmentation: per thousand of taken_bytes that is not live_bytes. */
    unsigned external;     /**< External fragmentation: per thousand of free_bytes that lies outside the longest. */
} vmm_heap_report_t;

/** @cond internal */
typedef struct vmm_walk_of { /* one walk under way */
    vmm_heap_core_t *h;
    const vmm_heap_kind_t *k;
    vmm_live_visit_t visit;
    void *user;
    size_t takes;
} vmm_walk_of_t;

VMM_OUTLINE int vmm_live_show(vmm_walk_of_t *walk, size_t at, uint8_t is, size_t capacity, size_t takes)
{
    vmm_block_t b;
    vmm_live_t live;
    b.at = at;
    b.is = is;
    b.capacity = capacity;
    live.bytes = vmm_block_bytes(walk->h, walk->k, &b);
    if (live.bytes == VMM_LATE_MARK) return 0; /* freed, in the quarantine */
    live.at = (void *)(walk->h->origin + at);
    live.takes = takes;
    live.site = walk->k->extras & VMM_HEAP_TAGS ? (const void *)(uintptr_t)vmm_block_words(walk->h, walk->k, &b)[1]
                                                : (const void *)0;
    return walk->visit(walk->user, &live);
}
VMM_OUTLINE int vmm_live_object(void *user, void *object)
{
    vmm_walk_of_t *const walk = (vmm_walk_of_t *)user;
    return vmm_live_show(walk, (uintptr_t)object - walk->h->origin, VMM_BLOCK_SMALL, walk->takes, walk->takes);
}
VMM_OUTLINE vmm_status_t vmm_walk_all(vmm_walk_of_t *walk)
{
    vmm_heap_core_t *const h = walk->h;
    const vmm_heap_kind_t *const k = walk->k;
    size_t at, word;
    unsigned i;
    for (i = 0; k->page && i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++) {
        walk->takes = vmm_small_size(i);
        if (vmm_cache_walk(&vmm_heap_small_of(h, k)->cache[i], vmm_live_object, walk) != VMM_OK) return VMM_E_STOPPED;
    }
    for (i = 0; i < h->regions; i++)
        for (at = h->start[i]; VMM_SIZE_OF(word = vmm_word_get(h, k, at, VMM_SIZE)) != 0; at += VMM_SIZE_OF(word)) {
            if (!(word & VMM_IN_USE) || (word & VMM_IS_SPAN)) continue;
            if (vmm_live_show(walk, at + vmm_chunk_lead(k), VMM_BLOCK_CHUNK, VMM_SIZE_OF(word) - vmm_chunk_cost(k),
                              VMM_SIZE_OF(word)))
                return VMM_E_STOPPED;
        }
    for (at = h->huge; (k->extras & VMM_HEAP_MAPS) && at != VMM_NOWHERE; at = vmm_huge(h, at)[0])
        if (vmm_huge(h, at)[3] == ~vmm_chunk_seal(h, at, vmm_huge(h, at)[2]) &&
            vmm_live_show(walk, at + 4 * VMM_WORD, VMM_BLOCK_HUGE, vmm_huge(h, at)[2] - 4 * VMM_WORD,
                          vmm_huge(h, at)[2]))
            return VMM_E_STOPPED;
    return VMM_OK;
}
/* Magazines are emptied, and hold nothing until the walk is over, so every call finds the heap walking. */
VMM_OUTLINE vmm_status_t vmm_call_walk(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_live_visit_t visit, void *user)
{
    vmm_walk_of_t walk;
    uint32_t capacity[VMM_SMALL_CLASSES];
    vmm_status_t status;
    unsigned i;
    if (!visit) return VMM_E_ARGUMENT;
    vmm_heap_enter(h, k);
    if (h->walking) {
        vmm_heap_leave(h, k);
        return VMM_E_BUSY;
    }
    if (k->page) vmm_small_flush(h, k);
    for (i = 0; k->page && i < VMM_SMALL_CLASSES; i++) {
        capacity[i] = vmm_heap_small_of(h, k)->magazine[i + 1].capacity;
        vmm_heap_small_of(h, k)->magazine[i + 1].capacity = 0;
    }
    walk.h = h;
    walk.k = k;
    walk.visit = visit;
    walk.user = user;
    h->walking = true;
    status = vmm_walk_all(&walk);
    h->walking = false;
    for (i = 0; k->page && i < VMM_SMALL_CLASSES; i++) vmm_heap_small_of(h, k)->magazine[i + 1].capacity = capacity[i];
    vmm_heap_leave(h, k);
    return status;
}

VMM_OUTLINE int vmm_report_live(void *user, const vmm_live_t *live)
{
    vmm_heap_report_t *const r = (vmm_heap_report_t *)user;
    r->live_blocks++;
    r->live_bytes += live->bytes;
    r->taken_bytes += live->takes;
    return 0;
}
VMM_INLINE unsigned vmm_per_thousand(size_t part, size_t whole)
{
    return whole ? (unsigned)((uint64_t)part * 1000 / whole) : 0;
}
VMM_OUTLINE vmm_status_t vmm_call_report(vmm_heap_core_t *h, const vmm_heap_kind_t *k, vmm_heap_report_t *r)
{
    vmm_status_t status;
    size_t at, word;
    unsigned i;
    VMM_SET(r, 0, sizeof *r);
    status = vmm_call_walk(h, k, vmm_report_live, r);
    if (status != VMM_OK) return status;
    vmm_heap_enter(h, k);
    r->footprint = h->footprint;
    r->footprint_most = h->footprint_most;
    r->free_bytes = h->free_bytes;
    for (i = 0; i < h->regions; i++)
        for (at = h->start[i]; VMM_SIZE_OF(word = vmm_word_get(h, k, at, VMM_SIZE)) != 0; at += VMM_SIZE_OF(word)) {
            if (word & VMM_IN_USE) continue;
            r->free_chunks++;
            if (VMM_SIZE_OF(word) > r->largest_free) r->largest_free = VMM_SIZE_OF(word);
        }
    for (i = 0; k->page && i < VMM_SMALL_CLASSES && vmm_small_size(i) <= VMM_SMALL_MOST(k->page); i++) {
        const vmm_cache_t *const c = &vmm_heap_small_of(h, k)->cache[i];
        r->slab_bytes += (size_t)c->slabs * c->slab_bytes;
        r->slab_free += ((size_t)c->slabs * c->count - c->live) * c->stride;
    }
    for (at = h->huge; (k->extras & VMM_HEAP_MAPS) && at != VMM_NOWHERE; at = vmm_huge(h, at)[0])
        r->mapped_bytes += vmm_huge(h, at)[2];
    vmm_heap_leave(h, k);
    r->internal = vmm_per_thousand(r->taken_bytes - r->live_bytes, r->taken_bytes);
    r->external = vmm_per_thousand(r->free_bytes - r->largest_free, r->free_bytes);
    return VMM_OK;
}
/** @endcond */

/** @cond internal */
#define VMM_HEAP_TYPE(NAME, page, fit, level, reach, extras)                                                           \
    VMM_STATIC_ASSERT((page) == 0 || ((page) >= 9 && (page) <= 12), "a heap's slab page must be 0 or 9 to 12");        \
    VMM_STATIC_ASSERT((level) >= 0 && (level) <= 3, "a heap's level must be 0 to 3");                                  \
    VMM_STATIC_ASSERT((reach) == VMM_BY_POINTER || ((page) == 0 && (level) <= 1 && !((extras)&VMM_HEAP_TAGS)),         \
                      "a heap that is not reached by pointer has no slabs, levels above 1, or tags");                  \
    VMM_STATIC_ASSERT((reach) != VMM_OUTSIDE || !((extras)&VMM_HEAP_MAPS),                                             \
                      "a heap whose words lie outside has no mapped blocks");                                          \
    VMM_STATIC_ASSERT((fit) == VMM_GOOD_FIT || (page) == 0, "a textbook heap has no slabs");                           \
    VMM_EMPTY_ARRAYS_BEGIN                                                                                             \
    typedef struct NAME {                                                                                              \
        vmm_heap_core_t core;                                                                                          \
        vmm_heap_small_t small_part[(page) != 0];                                                                      \
        vmm_heap_stats_t stats[((extras)&VMM_HEAP_STATS) != 0];                                                        \
        vmm_heap_late_t late_part[(level) == 3];                                                                       \
        vmm_heap_undo_t undo_part[(reach) == VMM_BY_ACCESS];                                                           \
    } NAME##_t;                                                                                                        \
    VMM_EMPTY_ARRAYS_END                                                                                               \
    static const vmm_heap_kind_t NAME##_kind = {(page),                                                                \
                                                (fit),                                                                 \
                                                (level),                                                               \
                                                (reach),                                                               \
                                                (extras),                                                              \
                                                offsetof(NAME##_t, small_part),                                        \
                                                offsetof(NAME##_t, stats),                                             \
                                                offsetof(NAME##_t, late_part),                                         \
                                                offsetof(NAME##_t, undo_part)};                                        \
    VMM_OUTLINE void *NAME##_take_slab(void *class_, size_t bytes_)                                                    \
    {                                                                                                                  \
        (void)bytes_;                                                                                                  \
        return vmm_small_take_slab(&NAME##_kind, (vmm_cache_t *)class_);                                               \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_give_slab(void *class_, void *slab_, size_t bytes_)                                        \
    {                                                                                                                  \
        (void)bytes_;                                                                                                  \
        vmm_small_give_slab(&NAME##_kind, (vmm_cache_t *)class_, slab_);                                               \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_init(NAME##_t *heap_, const vmm_heap_options_t *options_)                           \
    {                                                                                                                  \
        const vmm_pages_t pages_ = {NAME##_take_slab, NAME##_give_slab, 0, 0, 0};                                      \
        return vmm_heap_make(&heap_->core, &NAME##_kind, options_, &pages_, sizeof *heap_);                            \
    }                                                                                                                  \
    VMM_INLINE bool NAME##_check(NAME##_t *heap_)                                                                      \
    {                                                                                                                  \
        return vmm_heap_check(&heap_->core, &NAME##_kind);                                                             \
    }

#define VMM_HEAP_CALLS(NAME)                                                                                           \
    VMM_INLINE void *NAME##_malloc_at(NAME##_t *heap_, size_t bytes_, const void *site_)                               \
    {                                                                                                                  \
        return vmm_call_malloc(&heap_->core, &NAME##_kind, bytes_, site_);                                             \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_malloc(NAME##_t *heap_, size_t bytes_)                                                     \
    {                                                                                                                  \
        return vmm_call_malloc(&heap_->core, &NAME##_kind, bytes_, (void *)0);                                         \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_calloc_at(NAME##_t *heap_, size_t count_, size_t bytes_, const void *site_)                \
    {                                                                                                                  \
        return vmm_call_calloc(&heap_->core, &NAME##_kind, count_, bytes_, site_);                                     \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_calloc(NAME##_t *heap_, size_t count_, size_t bytes_)                                      \
    {                                                                                                                  \
        return vmm_call_calloc(&heap_->core, &NAME##_kind, count_, bytes_, (void *)0);                                 \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_realloc_at(NAME##_t *heap_, void *block_, size_t bytes_, const void *site_)                \
    {                                                                                                                  \
        return vmm_call_realloc(&heap_->core, &NAME##_kind, block_, bytes_, true, site_);                              \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_realloc(NAME##_t *heap_, void *block_, size_t bytes_)                                      \
    {                                                                                                                  \
        return vmm_call_realloc(&heap_->core, &NAME##_kind, block_, bytes_, true, (void *)0);                          \
    }                                                                                                                  \
    VMM_INLINE bool NAME##_resize(NAME##_t *heap_, void *block_, size_t bytes_)                                        \
    {                                                                                                                  \
        return vmm_call_realloc(&heap_->core, &NAME##_kind, block_, bytes_, false, (void *)0) != (void *)0;            \
    }                                                                                                                  \
    VMM_INLINE void *NAME##_aligned_alloc(NAME##_t *heap_, size_t align_, size_t bytes_)                               \
    {                                                                                                                  \
        return vmm_slow_malloc(&heap_->core, &NAME##_kind, bytes_, align_, (void *)0);                                 \
    }                                                                                                                  \
    VMM_INLINE vmm_misuse_t NAME##_free(NAME##_t *heap_, void *block_)                                                 \
    {                                                                                                                  \
        return vmm_call_free(&heap_->core, &NAME##_kind, block_);                                                      \
    }                                                                                                                  \
    VMM_INLINE vmm_misuse_t NAME##_free_sized(NAME##_t *heap_, void *block_, size_t bytes_)                            \
    {                                                                                                                  \
        return vmm_call_free_sized(&heap_->core, &NAME##_kind, block_, bytes_);                                        \
    }                                                                                                                  \
    VMM_INLINE size_t NAME##_usable_size(NAME##_t *heap_, const void *block_)                                          \
    {                                                                                                                  \
        return vmm_call_usable(&heap_->core, &NAME##_kind, block_);                                                    \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_add(NAME##_t *heap_, void *region_, size_t bytes_)                                  \
    {                                                                                                                  \
        return vmm_call_add(&heap_->core, &NAME##_kind, region_, bytes_);                                              \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_mallopt(NAME##_t *heap_, int parameter_, size_t value_)                             \
    {                                                                                                                  \
        return vmm_call_mallopt(&heap_->core, &NAME##_kind, parameter_, value_);                                       \
    }                                                                                                                  \
    VMM_INLINE size_t NAME##_trim(NAME##_t *heap_, size_t keep_)                                                       \
    {                                                                                                                  \
        return vmm_call_trim(&heap_->core, &NAME##_kind, keep_);                                                       \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_walk(NAME##_t *heap_, vmm_live_visit_t visit_, void *user_)                         \
    {                                                                                                                  \
        return vmm_call_walk(&heap_->core, &NAME##_kind, visit_, user_);                                               \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_report(NAME##_t *heap_, vmm_heap_report_t *report_)                                 \
    {                                                                                                                  \
        return vmm_call_report(&heap_->core, &NAME##_kind, report_);                                                   \
    }

#define VMM_FAR_CALLS(NAME)                                                                                            \
    VMM_INLINE vmm_status_t NAME##_malloc(NAME##_t *heap_, size_t bytes_, size_t align_, vmm_vaddr_t *at_)             \
    {                                                                                                                  \
        return at_ ? vmm_far_call(&heap_->core, &NAME##_kind, 0, bytes_, align_, at_) : VMM_E_ARGUMENT;                \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_realloc(NAME##_t *heap_, vmm_vaddr_t block_, size_t bytes_, vmm_vaddr_t *at_)       \
    {                                                                                                                  \
        return at_ ? vmm_far_call(&heap_->core, &NAME##_kind, block_, bytes_, 1, at_) : VMM_E_ARGUMENT;                \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_free(NAME##_t *heap_, vmm_vaddr_t block_)                                           \
    {                                                                                                                  \
        return block_ ? vmm_far_call(&heap_->core, &NAME##_kind, block_, 0, 1, (vmm_vaddr_t *)0) : VMM_OK;             \
    }

#define VMM_HEAP_STAMP(NAME, page, fit, level, reach, extras)                                                          \
    VMM_HEAP_TYPE(NAME, page, fit, level, reach, extras)                                                               \
    VMM_HEAP_CALLS(NAME)
/** @endcond */

/** Stamps a heap: the type NAME_t and the functions of this section. At file scope, any number of times with
 *  different names. The arguments after the name are a preset (VMM_HEAP_FAST ...) or five numbers as a preset has
 *  them: slab page, enum vmm_heap_fit, level, enum vmm_heap_reach, enum vmm_heap_extra. */
#define VMM_HEAP(NAME, ...) VMM_HEAP_STAMP(NAME, __VA_ARGS__)

/** Stamps a heap whose memory is reached by the hooks load and store: NAME_init, NAME_check, and NAME_malloc,
 *  NAME_realloc, NAME_free with addresses. The level is 0 or 1. */
#define VMM_FAR_HEAP(NAME, level)                                                                                      \
    VMM_HEAP_TYPE(NAME, 0, VMM_GOOD_FIT, level, VMM_BY_ACCESS, VMM_HEAP_GROWS | VMM_HEAP_MAPS)                         \
    VMM_FAR_CALLS(NAME)

#ifdef VMM_DOXYGEN
/** A heap: plain data. It must stay where it was made. A copy of it and of its memory (the arena, what grow and map
 *  gave, page_map, side), put back to the same addresses, is the heap as it was. One thread at a time, unless it has
 *  VMM_HEAP_LOCKS; then every call but NAME_init and NAME_check takes the lock. */
typedef struct NAME {
    vmm_heap_core_t core;      /**< Read it as you like. */
    vmm_heap_stats_t stats[1]; /**< The counters; with VMM_HEAP_STATS only. */
} NAME_t;

/** Makes a heap.
 *  @param heap     the instance, any content, where it will live
 *  @param options  what it is made over; copied
 *  @return VMM_OK. VMM_E_ARGUMENT for null options; an arena that is null while bytes is not 0 or there is no grow;
 *  a window without page_map or smaller than the arena; with VMM_OUTSIDE no arena, or side null or not aligned to a
 *  word; with VMM_BY_ACCESS no load, no store, or bytes 0 without grow. VMM_E_ALIGN when granule is no power of two,
 *  or 1, 2 or 4. VMM_E_RANGE when the arena wraps, cannot hold one chunk beside the page map, or side is too small for it.
 *  VMM_E_NO_FRAME when grow has none. VMM_FAULT when an access fails. May call grow. O(bytes of the page map +
 *  bins). */
vmm_status_t NAME_init(NAME_t *heap, const vmm_heap_options_t *options);

/** Allocates a block.
 *  @param heap   the instance
 *  @param bytes  its size; 0 gives the smallest block, one that no other call gets
 *  @return the block, aligned to two words (VMM_OUTSIDE: to the granule), its content undefined. Null when there is no
 *  memory, and, with the misuse hook told, when bytes is more than SIZE_MAX / 4 (VMM_MISUSE_SIZE), during a walk
 *  (VMM_MISUSE_WALKING), and on levels 2 and 3 when the free chunk that was found is overwritten
 *  (VMM_MISUSE_CORRUPTED). At most 16 chunks and the words of bin_map are looked at. With slabs, when none is at
 *  hand: the bitmaps of as many slabs as objects are fetched, 32 at most, and a new span; and when memory is short
 *  the magazines are emptied first. The textbooks' fits: O(chunks). May call the lock, grow, map and event. */
void *NAME_malloc(NAME_t *heap, size_t bytes);

/** NAME_malloc that leaves a name for the call site (VMM_HEAP_TAGS).
 *  @param heap   the instance
 *  @param bytes  its size
 *  @param site   any pointer, VMM_HERE for one; kept with the block, never read through
 *  @return as NAME_malloc. */
void *NAME_malloc_at(NAME_t *heap, size_t bytes, const void *site);

/** Allocates an array and sets it to zero. What the hook map gives is zero already and is not written to.
 *  @param heap   the instance
 *  @param count  elements
 *  @param bytes  of one
 *  @return as NAME_malloc; a product that overflows is VMM_MISUSE_SIZE. O(count x bytes). */
void *NAME_calloc(NAME_t *heap, size_t count, size_t bytes);

/** NAME_calloc that leaves a name for the call site.
 *  @param heap   the instance
 *  @param count  elements
 *  @param bytes  of one
 *  @param site   any pointer
 *  @return as NAME_calloc. */
void *NAME_calloc_at(NAME_t *heap, size_t count, size_t bytes, const void *site);

/** Makes a block longer or shorter. It stays where it is when that can be: a chunk grows into the free chunk behind it
 *  or, at the end, into what grow gives, and what it does not need any more becomes free; a small block stays while it
 *  fills more than half of its object; a mapped one is left to remap. Otherwise it moves.
 *  @param heap   the instance
 *  @param block  a block; null: as NAME_malloc
 *  @param bytes  its new size; 0: the block is freed, and null returned
 *  @return the block, with its content up to the smaller of both sizes; aligned to two words when it moved, whatever it
 *  was allocated with. Null as for NAME_malloc and for a wrong pointer, of which the misuse hook is told: the block is
 *  then as it was. NAME_malloc, NAME_free and copying. May call the lock, grow, shrink, map, unmap, remap and event. */
void *NAME_realloc(NAME_t *heap, void *block, size_t bytes);

/** NAME_realloc that leaves a name for the call site.
 *  @param heap   the instance
 *  @param block  a block, or null
 *  @param bytes  its new size
 *  @param site   any pointer
 *  @return as NAME_realloc. */
void *NAME_realloc_at(NAME_t *heap, void *block, size_t bytes, const void *site);

/** Makes a block hold so many bytes without moving it. With VMM_HEAP_TAGS its call site is forgotten.
 *  @param heap   the instance
 *  @param block  a block
 *  @param bytes  its new size
 *  @return whether it does. False, and nothing is changed, when it would have to move, for a small block of which half
 *  or more would be idle, a mapped one whose number of pages would differ, for null, and for the reasons of
 *  NAME_realloc. At most VMM_HEAP_REGIONS steps, on levels 2 and 3 some times as many. May call the lock, grow, shrink
 *  and event. */
bool NAME_resize(NAME_t *heap, void *block, size_t bytes);

/** Allocates a block at a multiple of an address.
 *  @param heap   the instance
 *  @param align  a power of two
 *  @param bytes  its size; it need not be a multiple of align
 *  @return as NAME_malloc; null, and VMM_MISUSE_ALIGN told, when align is no power of two. At most seven bins, eight
 *  chunks each, are looked at. It is freed by NAME_free. */
void *NAME_aligned_alloc(NAME_t *heap, size_t align, size_t bytes);

/** Frees a block.
 *  @param heap   the instance
 *  @param block  a block, or null for nothing
 *  @return VMM_MISUSE_NONE, or what is wrong with the pointer, as far as the level sees it (VMM_HEAP_FAST has the
 *  table); then the misuse hook was told and nothing was changed. On level 3 the block waits, and the hook may be told
 *  of the one that leaves the quarantine for it. At most VMM_HEAP_REGIONS steps, on levels 2 and 3 some times as many;
 *  with slabs, when a magazine runs over, 32 objects more; on levels 1 to 3 a step for each mapped block, when it is
 *  one. May call the lock, shrink, unmap and event. */
vmm_misuse_t NAME_free(NAME_t *heap, void *block);

/** NAME_free that is told the size, and compares it. It is not faster: the block is looked up either way.
 *  @param heap   the instance
 *  @param block  a block, or null for nothing
 *  @param bytes  what it was allocated with, or reallocated to
 *  @return as NAME_free; VMM_MISUSE_SIZE when the block cannot have been allocated with so many bytes: where the
 *  heap keeps the size (levels 2 and 3, tags) when it is another, else when a block of that size would be of another
 *  class. */
vmm_misuse_t NAME_free_sized(NAME_t *heap, void *block, size_t bytes);

/** Tells how many bytes of a block its user may use.
 *  @param heap   the instance
 *  @param block  a block, or null
 *  @return what was asked for on levels 2 and 3 and with tags, else what the block holds; 0 for null and for a pointer
 *  that is wrong, of which the misuse hook is told. At most VMM_HEAP_REGIONS steps. */
size_t NAME_usable_size(NAME_t *heap, const void *block);

/** Gives a heap more memory, for good. Right behind a region it makes that one longer.
 *  @param heap    the instance
 *  @param region  the memory
 *  @param bytes   its size
 *  @return VMM_OK; VMM_E_ARGUMENT for null; VMM_E_BUSY during a walk; VMM_E_RANGE when it wraps, cannot hold one chunk,
 *  or options.side does not reach so far; VMM_E_MAPPED when it overlaps a region or the page map; VMM_E_NO_FRAME when
 *  there are VMM_HEAP_REGIONS already: nothing is changed. O(regions). */
vmm_status_t NAME_add(NAME_t *heap, void *region, size_t bytes);

/** Changes a threshold. From the first call on none of them follows what is freed any more.
 *  @param heap       the instance
 *  @param parameter  enum vmm_heap_parameter
 *  @param value      bytes
 *  @return VMM_OK; VMM_E_ARGUMENT for another parameter. O(1). */
vmm_status_t NAME_mallopt(NAME_t *heap, int parameter, size_t value);

/** Gives back what can be: magazines are emptied, empty slabs dropped, and the free end of each region that grow gave
 *  goes back by shrink, in multiples of 4096.
 *  @param heap  the instance
 *  @param keep  bytes that stay free at each end
 *  @return the bytes that went back; 0 without VMM_HEAP_GROWS and during a walk. O(regions + objects at hand + empty
 *  slabs). May call the lock and shrink. */
size_t NAME_trim(NAME_t *heap, size_t keep);

/** Walks all live blocks: the small ones by size, then the chunks of each region by address, then the mapped ones.
 *  Those in the quarantine are not shown. The lock is held meanwhile, and every call that would change the heap is
 *  refused; with a lock that a thread may not take twice, the visitor must not call the heap at all.
 *  @param heap   the instance; magazines are emptied
 *  @param visit  called with each block; not 0 stops
 *  @param user   handed to it
 *  @return VMM_OK; VMM_E_STOPPED; VMM_E_ARGUMENT for a null visit; VMM_E_BUSY from within a walk. O(blocks + free
 *  chunks + objects of slabs). */
vmm_status_t NAME_walk(NAME_t *heap, vmm_live_visit_t visit, void *user);

/** Measures a heap.
 *  @param heap    the instance; magazines are emptied
 *  @param report  receives the measures
 *  @return VMM_OK; VMM_E_BUSY from within a walk. O(as NAME_walk). */
vmm_status_t NAME_report(NAME_t *heap, vmm_heap_report_t *report);

/** Verifies every invariant: chunks follow each other to the end of each region, their words agree, no two free ones
 *  stand side by side, bins, map and totals are as the chunks say, slabs and magazines are sound, on levels 1 to 3
 *  every seal is intact. Takes no lock.
 *  @param heap  the instance
 *  @return whether all hold; false too when an access fails. O(chunks x regions + objects of slabs). */
bool NAME_check(NAME_t *heap);

/** A heap that VMM_FAR_HEAP stamps: NAME_t, called FAR_t here, because its three functions are called as others are
 *  that VMM_HEAP stamps. FAR_init and FAR_check are NAME_init and NAME_check; there are no more. It uses the hooks
 *  grow, shrink, map, unmap and remap where they are given; blocks that map gave are in no list, and FAR_check does
 *  not see them. */
typedef struct FAR {
    vmm_heap_core_t core; /**< Read it as you like. */
} FAR_t;

/** Allocates a block in memory that the hooks load and store reach: NAME_malloc of VMM_FAR_HEAP.
 *  @param heap   the instance
 *  @param bytes  its size
 *  @param align  a power of two; 1 for two words
 *  @param at     receives the address of the block; untouched unless VMM_OK
 *  @return VMM_OK; VMM_E_ARGUMENT when at is null; VMM_E_NO_FRAME when there is no memory, and, with the misuse hook
 *  told, for a size or an alignment that cannot be; VMM_FAULT when a load or a store failed: what was stored before is
 *  put back by further stores, what grow or map gave goes back, and the heap is as it was. Chunks as
 *  NAME_aligned_alloc, some words for each. */
vmm_status_t FAR_malloc(FAR_t *heap, size_t bytes, size_t align, vmm_vaddr_t *at);

/** Makes a block longer or shorter, in place or elsewhere: NAME_realloc of VMM_FAR_HEAP.
 *  @param heap   the instance
 *  @param block  a block; 0: as FAR_malloc
 *  @param bytes  its new size; 0 makes it as small as can be
 *  @param at     receives its address; untouched unless VMM_OK
 *  @return as FAR_malloc; a wrong block is VMM_E_NO_FRAME too, or VMM_E_NOT_MAPPED when it lies farther away than a
 *  size_t tells. A move copies the block word by word. */
vmm_status_t FAR_realloc(FAR_t *heap, vmm_vaddr_t block, size_t bytes, vmm_vaddr_t *at);

/** Frees a block: NAME_free of VMM_FAR_HEAP.
 *  @param heap   the instance
 *  @param block  a block; 0 for nothing
 *  @return VMM_OK; VMM_E_NOT_MAPPED when it is wrong, of which the misuse hook is told; VMM_FAULT as FAR_malloc. */
vmm_status_t FAR_free(FAR_t *heap, vmm_vaddr_t block);
#endif
/** @} */

/* ====================================== 4. integrity, statistics, leaks, record and replay == */
/** @defgroup vmm_reports 4. Reports, leaks, record and replay
 *  What people read, and operations as text. NAME_check, NAME_walk and NAME_report of section 3 give the numbers.
 *  @{ */

/** What a reason means, in a few words.
 *  @param reason  any
 *  @return a constant string; never null. */
VMM_OUTLINE const char *vmm_misuse_text(vmm_misuse_t reason)
{
    switch (reason) {
    case VMM_MISUSE_NONE: return "nothing is wrong";
    case VMM_MISUSE_DOUBLE_FREE: return "the block is free already";
    case VMM_MISUSE_INTERIOR: return "no block begins at this address";
    case VMM_MISUSE_FOREIGN: return "the address was never this allocator's";
    case VMM_MISUSE_OVERRUN: return "something was written behind the end of the block";
    case VMM_MISUSE_CORRUPTED: return "the allocator's own words were overwritten";
    case VMM_MISUSE_USED_AFTER_FREE: return "the block was written to after it was freed";
    case VMM_MISUSE_SIZE: return "the size cannot be, or is not this block's";
    case VMM_MISUSE_ALIGN: return "the alignment is no power of two";
    case VMM_MISUSE_WALKING: return "the heap is being walked";
    }
    return "no such reason";
}

#if VMM_STDIO
/** One operation of a .rep text. */
typedef struct vmm_rep {
    char operation; /**< 'a' allocate, 'r' reallocate, 'f' free. */
    uint32_t id;    /**< Of the block. */
    uint64_t bytes; /**< Asked for; 0 with 'f'. */
} vmm_rep_t;

/** An element of a recorder's table. */
typedef struct vmm_recorded {
    const void *at; /**< A live block, or null. */
    uint32_t id;    /**< Its id. */
    uint32_t next;  /**< By id, not by slot: the next spare id. */
} vmm_recorded_t;

/** Writes operations as .rep text: `a id size`, `r id size`, `f id`, one a line. Ids are small: that of a freed block
 *  is used again. */
typedef struct vmm_recorder {
    FILE *out;             /**< Where to. */
    uint32_t slots;        /**< Of the table, a power of two; half as many blocks can be live. */
    uint32_t used;         /**< Ids handed out so far. */
    uint32_t spare;        /**< First of the ids that are free again. */
    uint32_t lost;         /**< Operations that could not be recorded: the table was full, or the block unknown. */
    vmm_recorded_t *table; /**< The caller's memory, `slots` elements. */
} vmm_recorder_t;

/** @cond internal */
#define VMM_NO_ID UINT32_C(0xffffffff)
VMM_INLINE uint32_t vmm_record_slot(const vmm_recorder_t *r, const void *at)
{
    return (uint32_t)(((uint64_t)(uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (r->slots - 1);
}
/* The slot of a block, or the empty one where it would go. */
VMM_INLINE uint32_t vmm_record_find(const vmm_recorder_t *r, const void *at)
{
    uint32_t slot = vmm_record_slot(r, at);
    while (r->table[slot].at && r->table[slot].at != at) slot = (slot + 1) & (r->slots - 1);
    return slot;
}
VMM_OUTLINE bool vmm_record_enter(vmm_recorder_t *r, const void *at, uint32_t id)
{
    const uint32_t slot = vmm_record_find(r, at);
    if (r->table[slot].at) return false;
    r->table[slot].at = at;
    r->table[slot].id = id;
    return true;
}
/* Takes a block out; those behind it move up, so that each is found without a gap. */
VMM_OUTLINE uint32_t vmm_record_leave(vmm_recorder_t *r, const void *at)
{
    uint32_t gap = vmm_record_find(r, at), slot = gap;
    const uint32_t id = r->table[gap].id;
    if (!at || !r->table[gap].at) return VMM_NO_ID;
    for (;;) {
        uint32_t home;
        slot = (slot + 1) & (r->slots - 1);
        if (!r->table[slot].at) break;
        home = vmm_record_slot(r, r->table[slot].at);
        if (((slot - home) & (r->slots - 1)) < ((slot - gap) & (r->slots - 1))) continue;
        r->table[gap].at = r->table[slot].at;
        r->table[gap].id = r->table[slot].id;
        gap = slot;
    }
    r->table[gap].at = (const void *)0;
    return id;
}
/** @endcond */

/** Makes a recorder.
 *  @param r      the recorder, any content
 *  @param out    where to write
 *  @param table  memory, set to zero here
 *  @param slots  its elements, a power of two from 2 to 2^31; half as many blocks can be live at once
 *  @return VMM_OK; VMM_E_ARGUMENT for a null pointer; VMM_E_RANGE for such a number of slots. */
VMM_OUTLINE vmm_status_t vmm_recorder_init(vmm_recorder_t *r, FILE *out, vmm_recorded_t *table, uint32_t slots)
{
    if (!out || !table) return VMM_E_ARGUMENT;
    if (slots < 2 || !VMM_IS_POWER(slots)) return VMM_E_RANGE;
    VMM_SET(r, 0, sizeof *r);
    VMM_SET(table, 0, slots * sizeof *table);
    r->out = out;
    r->slots = slots;
    r->spare = VMM_NO_ID;
    r->table = table;
    return VMM_OK;
}

/** Records one operation; the arguments are those of the hook `event`.
 *  @param r          the recorder
 *  @param operation  'a', 'r' or 'f'
 *  @param old        the block that was, for 'r' and 'f'
 *  @param now        the block that is, for 'a' and 'r'
 *  @param bytes      what was asked for
 *  @return whether it was recorded; else it is counted in r->lost. O(1) on average. */
VMM_OUTLINE bool vmm_record(vmm_recorder_t *r, char operation, const void *old, const void *now, size_t bytes)
{
    uint32_t id;
    if (operation == 'a') {
        id = r->spare != VMM_NO_ID ? r->spare : r->used;
        if (id >= r->slots / 2 || !vmm_record_enter(r, now, id)) return (r->lost++, false);
        if (id == r->used) r->used++;
        else r->spare = r->table[id].next;
    } else {
        id = vmm_record_leave(r, old);
        if (id == VMM_NO_ID) return (r->lost++, false);
        if (operation == 'r') (void)vmm_record_enter(r, now, id);
    }
    if (operation == 'f') {
        r->table[id].next = r->spare;
        r->spare = id;
        return fprintf(r->out, "f %lu\n", (unsigned long)id) > 0;
    }
    return fprintf(r->out, "%c %lu %llu\n", operation, (unsigned long)id, (unsigned long long)bytes) > 0;
}

/** @cond internal */
/* A decimal number behind one space; where it ends, or null when there is none up to `most`. */
VMM_OUTLINE const char *vmm_rep_number(const char *at, uint64_t most, uint64_t *value)
{
    uint64_t sum = 0;
    if (!at || *at++ != ' ' || *at < '0' || *at > '9') return (const char *)0;
    for (; *at >= '0' && *at <= '9'; at++) {
        const unsigned digit = (unsigned)(*at - '0');
        if (sum > (most - digit) / 10) return (const char *)0;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return at;
}
/** @endcond */

/** Reads one operation; empty lines and lines that begin with # are passed over.
 *  @param in   where from
 *  @param rep  receives it
 *  @return VMM_OK; VMM_E_STOPPED at the end; VMM_E_ARGUMENT when the line is none of the three forms. */
VMM_OUTLINE vmm_status_t vmm_rep_read(FILE *in, vmm_rep_t *rep)
{
    uint64_t id = 0, bytes = 0;
    const char *at;
    char line[80];
    do {
        if (!fgets(line, sizeof line, in)) return VMM_E_STOPPED;
        while (line[0] == '#' && !strchr(line, '\n') && fgets(line + 1, sizeof line - 1, in)) {}
    } while (line[0] == '#' || line[0] == '\n');
    if (line[0] != 'a' && line[0] != 'r' && line[0] != 'f') return VMM_E_ARGUMENT;
    at = vmm_rep_number(line + 1, UINT32_MAX, &id);
    if (line[0] != 'f') at = vmm_rep_number(at, UINT64_MAX, &bytes);
    if (!at || *at != '\n') return VMM_E_ARGUMENT;
    rep->operation = line[0];
    rep->id = (uint32_t)id;
    rep->bytes = bytes;
    return VMM_OK;
}

/** Prints a report.
 *  @param out     where to
 *  @param report  what NAME_report filled in */
VMM_OUTLINE void vmm_heap_print(FILE *out, const vmm_heap_report_t *report)
{
    const struct {
        const char *what;
        size_t value;
    } line[] = {{"footprint, bytes", report->footprint},
                {"footprint at most, bytes", report->footprint_most},
                {"live blocks", report->live_blocks},
                {"live bytes", report->live_bytes},
                {"taken by them, bytes", report->taken_bytes},
                {"free in chunks, bytes", report->free_bytes},
                {"free chunks", report->free_chunks},
                {"longest free chunk, bytes", report->largest_free},
                {"in slabs, bytes", report->slab_bytes},
                {"free in slabs, bytes", report->slab_free},
                {"mapped by themselves, bytes", report->mapped_bytes}};
    size_t i;
    for (i = 0; i < sizeof line / sizeof line[0]; i++) fprintf(out, "%-28s %12zu\n", line[i].what, line[i].value);
    fprintf(out, "%-28s %10u.%u %%\n", "internal fragmentation", report->internal / 10, report->internal % 10);
    fprintf(out, "%-28s %10u.%u %%\n", "external fragmentation", report->external / 10, report->external % 10);
}

/** Prints the counters of a heap with VMM_HEAP_STATS.
 *  @param out    where to
 *  @param stats  NAME_t's member stats */
VMM_OUTLINE void vmm_heap_stats_print(FILE *out, const vmm_heap_stats_t *stats)
{
    unsigned i;
    fprintf(out, "allocs %llu, reallocs %llu, frees %llu, failures %llu, misuses %llu\n",
            (unsigned long long)stats->allocs, (unsigned long long)stats->reallocs, (unsigned long long)stats->frees,
            (unsigned long long)stats->failures, (unsigned long long)stats->misuses);
    fprintf(out, "blocks %zu, at most %zu; bytes %zu, at most %zu\n", stats->blocks, stats->blocks_most, stats->bytes,
            stats->bytes_most);
    for (i = 0; i < sizeof stats->histogram / sizeof stats->histogram[0]; i++)
        if (stats->histogram[i])
            fprintf(out, "%12llu allocations of %llu bytes or more\n", (unsigned long long)stats->histogram[i],
                    i ? 1ull << i : 0ull);
}

/** A visitor for NAME_walk that prints each block: the leak report. `NAME_walk(&heap, vmm_live_print, stderr)`.
 *  @param out    a FILE *
 *  @param block  the block
 *  @return 0. */
VMM_OUTLINE int vmm_live_print(void *out, const vmm_live_t *block)
{
    fprintf((FILE *)out, "%p %10zu bytes  %s\n", block->at, block->bytes,
            block->site ? (const char *)block->site : "(call site not known)");
    return 0;
}

/** Prints a table of caches, in the manner of /proc/slabinfo.
 *  @param out     where to
 *  @param caches  them
 *  @param count   how many */
VMM_OUTLINE void vmm_cache_print(FILE *out, const vmm_cache_t *const *caches, size_t count)
{
    size_t i;
    fprintf(out, "%-16s %10s %10s %8s %8s %8s %8s\n", "name", "active", "objects", "size", "per slab", "slabs",
            "bytes");
    for (i = 0; i < count; i++) {
        const vmm_cache_t *const c = caches[i];
        fprintf(out, "%-16s %10zu %10zu %8zu %8u %8u %8u\n", c->is.name ? c->is.name : "-", c->live,
                (size_t)c->slabs * c->count, c->is.size, c->count, c->slabs, c->slab_bytes);
    }
}
#endif
/** @} */

#endif /* VMM_ALLOC_H */
