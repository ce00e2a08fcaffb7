/*
 * vmm.h - second floor of vmm: memory reached through addresses.
 *
 * One line stamps out an MMU. It walks page tables in the processor's own encoding, remembers
 * translations in up to three stages, and loads, stores and fetches through them:
 *
 *     #include "vmm.h"
 *     VMM_MMU(rv, VMM_RISCV64)            // rv_mmu_t, rv_load32(), rv_store64(), rv_fetch16() ...
 *
 *     static uint64_t ram[1 << 17];       // 1 MiB of guest physical memory
 *     static rv_mmu_t mmu;
 *
 *     int main(void)
 *     {
 *         vmm_memory_t memory = {ram, 0x80000000, sizeof ram, {0, 0, 0}, 0};
 *         uint32_t word;
 *         rv_init(&mmu, &memory);
 *         rv_set_satp(&mmu, 0);                                  // bare: no translation
 *         rv_store32(&mmu, 0x80000010, 42);
 *         if (rv_load32(&mmu, 0x80000010, &word) != VMM_OK)      // a fault comes back by value
 *             return mmu.fault.cause;
 *         return word == 42 ? 0 : 1;
 *     }
 *
 * How it is made. Every core below is an ordinary function. It takes a `vmm_ref_t`: where the
 * instance keeps its state, and a pointer to a constant that says its sizes and formats. A stamped
 * function is one line that passes the address of a `static const` object, so the compiler folds
 * every shift, mask and level away. Macros hold types, sizes and those lines; no logic.
 *
 * The way of an address (sections in brackets): an access [5] asks the front, one compare and one
 * add; on a miss the walk cache or the TLB [4]; on a miss the walk [2], which reads entries from
 * physical memory [1]; and returns a value, or a fault that says which rule failed. Tables are
 * edited by range [3]. Registers of a processor choose how accesses are judged [6].
 *
 * Processors: VMM_RISCV64 and VMM_RISCV32 (with two stages VMM_RISCV64H, VMM_RISCV32H), VMM_X86, VMM_ARM64,
 * VMM_ARM32, VMM_MIPS32; and any format of plain tables, by VMM_ARCH_PLAIN. Each has setters by the names of its
 * registers (NAME_set_cr3, NAME_set_ttbr0 ...) and flushes by those of its instructions (NAME_invlpg, NAME_tlbi ...).
 *
 * For emulators of whole machines: one instance for each virtual CPU, over one RAM. Entries are marked by
 * compare-and-swap, NAME_cas, NAME_lr and NAME_sc are atomic, and NAME_ask has another CPU's thread forget what it
 * remembers. NAME_set_track tells pages that were stored to and stores to decoded code, NAME_watch watches addresses,
 * NAME_set_check is asked before physical memory is touched, NAME_snapshot and NAME_restore go back in time, and
 * stages with VMM_STAGES_DETECT find the flush that a guest forgot. Whoever does not use them does not pay for them.
 *
 * Define VMM_IMPLEMENTATION before the include in exactly one file of the program if it uses names or
 * printers of Part III (NAME_explain, NAME_dump), or the instance `vmm_`, which is stamped from the
 * options of vmm_config.h at the end of this file.
 *
 * Part II is an operating system's memory on top of it, in one block that the caller gives: spaces with
 * areas, a fault handler, copy-on-write, files, swap. An MMU that was attached serves its own faults:
 *
 *     vmm_machine_create(block, sizeof block, &options, &machine);       // options: RAM, format
 *     rv_attach(&mmu, machine, &cpu);
 *     vmm_space_create(machine, &space);
 *     vmm_mmap(space, 0, 1 << 20, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &va);
 *     vmm_space_switch(space, cpu);
 *     rv_store32(&mmu, va, 42);                                          // a page appears
 *
 * A kernel on a real MMU calls vmm_fault_serve(space, va, access) from its trap handler instead. Part II's
 * functions are not stamped: they read their format at run time, one copy for all instances.
 *
 * Sections
 *   Part I, the hardware
 *     1 physical memory   RAM window and bus
 *     2 walk              entries read, judged, marked; two stages
 *     3 editing           map, unmap, protect, query, merge, visit
 *     4 TLB               front, walk cache, set-associative TLB, flushes; what emulators add
 *     5 access            load, store, fetch, copies, compare-and-swap, reservations; the missing-flush detector
 *     6 registers         front ends of RISC-V, x86, AArch64, ARMv7-A, MIPS, and a plain one; physical memory
 *                         protection; tracking, watchpoints, requests, snapshots
 *     7 segmentation      base and bounds, segment tables, partitions and compaction, x86 segment registers
 *     8 data caches       CO, CI, CT, several levels; what an access costs
 *   Part II, the operating system
 *     9 machine           records of frames, spaces, tables; events
 *    10 areas             the tree of a space's areas
 *    11 objects           files and shared memory, which pages of them are in frames
 *    12 reverse map       from a frame to its entries; entries that go
 *    13 reclaim           replacement policies, swap
 *    14 out of memory     frames when there are few; who is killed; promises
 *    15 faults            vmm_fault_serve
 *    16 spaces            mmap and its kin, fork, exit, huge pages, merging, exec, vmm_check
 *    17 heap              malloc in a space
 *   Part III, looking
 *    18 look              maps, smaps, ps, meminfo, events as text
 *    19 explain           one access field by field; a whole tree
 *    20 history           states to go back to, symbols of the textbooks, accesses as events
 *   VMM_MMU and VMM_TABLES, which stamp instances, stand last.
 *
 * Option of Part II, to be defined before the include: VMM_EVENTS, 1 to have every step told.
 *
 * Limits: entries are little-endian; tables lie in the RAM window; one thread uses an instance or a
 * machine at a time, several instances may share RAM, and NAME_ask and NAME_answered are any thread's.
 * Stage 1 alone of AArch64, EL1 and EL0, without LPA2; with translation off, accesses need not be aligned.
 * x86 without nested paging, shadow stacks and linear-address masking; its MMU takes linear addresses and tells a fault
 * of the stack segment as #GP, section 7 in front of it tells #SS. ARMv7-A without long descriptors; its tables are
 * walked and looked at, not edited. Part II runs on RISC-V, x86 and generic formats. MIT licence; see LICENSE.
 */
#ifndef VMM_H
#define VMM_H

#include "vmm_alloc.h"
#include "vmm_config.h"

/* ============================================================ Part I  1. physical memory == */
/** @defgroup vmm_memory 1. Physical memory
 *  One window of RAM that is host memory, and callbacks for every other physical address.
 *  @{ */

/** Devices: what answers outside the RAM window. Either function may be null: then nothing is
 *  there. A result other than 0 is a refusal and becomes an access fault. Widths are 1, 2, 4 or 8
 *  bytes; an access inside one page is passed as the guest made it, aligned or not; one that
 *  crosses pages arrives in aligned pieces. */
typedef struct vmm_bus {
    int (*read)(void *user, vmm_paddr_t paddr, uint64_t *value, unsigned bytes); /**< A load or fetch. */
    int (*write)(void *user, vmm_paddr_t paddr, uint64_t value, unsigned bytes); /**< A store. */
    void *user;                                                                  /**< Passed to both. */
} vmm_bus_t;

/** Physical memory as an MMU sees it.
 *  Invariant: base and size are multiples of the page size, ram of 8, and base + size - 1 neither
 *  wraps nor needs more than paddr_bits. */
typedef struct vmm_memory {
    void *ram;          /**< Host memory behind the window; the caller keeps it. */
    vmm_paddr_t base;   /**< Physical address of its first byte. */
    uint64_t size;      /**< Bytes. */
    vmm_bus_t bus;      /**< Everything else; all zero: nothing. */
    uint8_t paddr_bits; /**< Physical address width, when it is less than the format's; 0: the format's. */
} vmm_memory_t;

/** @cond internal */
VMM_INLINE uint64_t vmm_low_mask(unsigned bits)
{
    return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

/* Little-endian order is the identity on the hosts that most people have. */
VMM_INLINE uint64_t vmm_swap(uint64_t value, unsigned bytes)
{
    switch (bytes) {
    case 2: return __builtin_bswap16((uint16_t)value);
    case 4: return __builtin_bswap32((uint32_t)value);
    case 8: return __builtin_bswap64(value);
    default: return value;
    }
}

VMM_INLINE uint64_t vmm_little(uint64_t value, unsigned bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return vmm_swap(value, bytes);
#else
    (void)bytes;
    return value;
#endif
}

/* A little-endian value of 1, 2, 4 or 8 bytes, at any alignment. */
VMM_INLINE uint64_t vmm_get(const void *from, unsigned bytes)
{
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (bytes) {
    case 1: VMM_COPY(&v8, from, 1); return v8;
    case 2: VMM_COPY(&v16, from, 2); return vmm_little(v16, 2);
    case 4: VMM_COPY(&v32, from, 4); return vmm_little(v32, 4);
    default: VMM_COPY(&v64, from, 8); return vmm_little(v64, 8);
    }
}

VMM_INLINE void vmm_put(void *to, uint64_t value, unsigned bytes)
{
    const uint64_t little = vmm_little(value, bytes);
    const uint8_t v8 = (uint8_t)little;
    const uint16_t v16 = (uint16_t)little;
    const uint32_t v32 = (uint32_t)little;
    switch (bytes) {
    case 1: VMM_COPY(to, &v8, 1); break;
    case 2: VMM_COPY(to, &v16, 2); break;
    case 4: VMM_COPY(to, &v32, 4); break;
    default: VMM_COPY(to, &little, 8); break;
    }
}
/** @endcond */

/** Where a piece of physical memory lies on the host.
 *  @param memory  physical memory
 *  @param paddr   physical address of the first byte
 *  @param bytes   how many bytes must lie in the window
 *  @return host address, or null when a byte of it lies outside the RAM window. O(1). */
VMM_INLINE uint8_t *vmm_mem_host(const vmm_memory_t *memory, vmm_paddr_t paddr, uint64_t bytes)
{
    const uint64_t offset = paddr - memory->base;
    if (offset >= memory->size || bytes > memory->size - offset) return NULL;
    return (uint8_t *)memory->ram + (size_t)offset;
}

/** @cond internal: the narrower of what memory implements and what the format can say. */
VMM_INLINE unsigned vmm_mem_width(const vmm_memory_t *memory, const vmm_paging_t *p)
{
    return memory->paddr_bits && memory->paddr_bits < p->paddr_bits ? memory->paddr_bits : p->paddr_bits;
}
/** @endcond */

/** Checks a memory against the format that will walk it.
 *  @return VMM_OK; VMM_E_ARGUMENT when ram is null or larger than the host can address;
 *  VMM_E_ALIGN; VMM_E_RANGE when the size is 0, wraps, or lies above the physical width. */
VMM_INLINE vmm_status_t vmm_mem_check(const vmm_memory_t *memory, const vmm_paging_t *p)
{
    const uint64_t page_mask = vmm_low_mask(p->page_shift);
    const unsigned width = vmm_mem_width(memory, p);
    if (memory->ram == NULL || memory->size > SIZE_MAX) return VMM_E_ARGUMENT;
    if (((memory->base | memory->size) & page_mask) || ((uintptr_t)memory->ram & 7)) return VMM_E_ALIGN;
    if (memory->size == 0 || memory->base + (memory->size - 1) < memory->base) return VMM_E_RANGE;
    if ((memory->base + (memory->size - 1)) & ~vmm_low_mask(width)) return VMM_E_RANGE;
    return VMM_OK;
}

/** @cond internal: a part of at most 8 bytes inside one page, in RAM or over the bus. A part that is
 *  the whole access goes over the bus as it is, another in pieces aligned to their size.
 *  @return 0, or what the bus returned. */
VMM_INLINE unsigned vmm_bus_piece(vmm_paddr_t paddr, unsigned bytes, bool whole)
{
    unsigned piece = 8;
    if (whole) return bytes;
    while (piece > bytes || (paddr & (piece - 1u))) piece /= 2;
    return piece;
}

VMM_INLINE int vmm_mem_read(const vmm_memory_t *memory, vmm_paddr_t paddr, uint8_t *to, unsigned bytes, bool whole)
{
    const uint8_t *host = vmm_mem_host(memory, paddr, bytes);
    if (host) {
        VMM_COPY(to, host, bytes);
        return 0;
    }
    if (!memory->bus.read) return -1;
    while (bytes) {
        const unsigned piece = vmm_bus_piece(paddr, bytes, whole);
        uint64_t value = 0;
        const int refused = memory->bus.read(memory->bus.user, paddr, &value, piece);
        if (refused) return refused;
        vmm_put(to, value, piece);
        paddr += piece;
        to += piece;
        bytes -= piece;
    }
    return 0;
}

VMM_INLINE int vmm_mem_write(const vmm_memory_t *memory, vmm_paddr_t paddr, const uint8_t *from, unsigned bytes,
                             bool whole)
{
    uint8_t *host = vmm_mem_host(memory, paddr, bytes);
    if (host) {
        VMM_COPY(host, from, bytes);
        return 0;
    }
    if (!memory->bus.write) return -1;
    while (bytes) {
        const unsigned piece = vmm_bus_piece(paddr, bytes, whole);
        const int refused = memory->bus.write(memory->bus.user, paddr, vmm_get(from, piece), piece);
        if (refused) return refused;
        paddr += piece;
        from += piece;
        bytes -= piece;
    }
    return 0;
}
/** @endcond */
/** @} */

/* ==================================================================== Part I  2. walk == */
/** @defgroup vmm_walk 2. Page-table walk
 *  Reads entries from the root to a leaf, judges them, and sets accessed and dirty bits.
 *  @{ */

/** What is done about a clear accessed or dirty bit. */
enum vmm_marking {
    VMM_MARK_FAULT = 0,  /**< It is a page fault (Svade). */
    VMM_MARK_UPDATE = 1, /**< It is set by compare-and-swap on the live entry. */
    VMM_MARK_PEEK = 2    /**< Nothing is written: for looking without leaving traces. */
};

/** Called before physical memory is touched: by an access, by the reading of an entry (a read) and by the marking of
 *  one (a write). RISC-V's physical memory protection is one: see vmm_pmp_check.
 *  @param user       as set
 *  @param paddr      physical address of the first byte
 *  @param bytes      how many; also a whole page, to learn whether it need not be asked for again
 *  @param access     enum vmm_access
 *  @param privilege  whose access it is: RISC-V 0, 1, 3 (1 for what a walk does); others 0 user, 1 supervisor
 *  @return 0: allowed; else it becomes an access fault. */
typedef int (*vmm_check_t)(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege);

/** What is remembered of a page of the RAM window. */
enum vmm_track_bit {
    VMM_TRACK_DIRTY = 1, /**< Stored to since somebody asked. */
    VMM_TRACK_CODE = 2   /**< Holds decoded code: stores call back before they land. */
};

/** Pages of the RAM window, of the size that the first format of the MMU has (4 KiB for every processor), of which it
 *  is remembered what was stored to and what holds code. Shared by all MMUs over one window. */
typedef struct vmm_track {
    uint8_t *page; /**< One byte a page of the window, enum vmm_track_bit; the caller's, zeroed by him. */
    /** A store to a page marked VMM_TRACK_CODE is about to land; bytes do not cross the page. Not 0: it is refused
     *  and becomes an access fault. Usually forgets decoded code and clears the mark. */
    int (*code)(void *user, vmm_paddr_t paddr, unsigned bytes);
    void *user;         /**< Passed to code. */
    uint8_t page_shift; /**< log2 of the page size: NAME_set_track fills it in. */
} vmm_track_t;

/** By what an access is judged: the mode of the processor that a walk depends on. */
typedef struct vmm_judge {
    uint8_t user;       /**< Judged as user mode. */
    uint8_t sum;        /**< Supervisor mode may use user pages (data only): RISC-V SUM, x86 no SMAP, AArch64 no PAN. */
    uint8_t mxr;        /**< Executable pages may be read. */
    uint8_t marking;    /**< enum vmm_marking. */
    uint16_t features;  /**< enum vmm_feature and enum vmm_in_force: what is in force now. */
    uint8_t width;      /**< Most bits of a PA, where registers or the model say so (x86, AArch64); 0: no limit. */
    uint8_t lower;      /**< AArch64: made at EL0. An access made at EL1 may be judged as EL0's (LDTR). */
    uint8_t device;     /**< AArch64: bit i says that AttrIndx i is Device memory. */
    uint32_t user_keys; /**< x86: PKRU, rights by key of user pages. */
    uint32_t keys;      /**< x86: PKRS, rights by key of supervisor pages. ARMv7-A: DACR, rights by domain. */
    vmm_pte_t reserved; /**< x86: bits that must be 0 in every entry. */
    uint8_t privilege;  /**< Passed to check; 0 when there is none. */
    vmm_check_t check;  /**< Asked before physical memory is touched; null: nobody is. */
    void *check_user;   /**< Passed to it. */
    vmm_track_t *track; /**< Told of pages whose entries are marked; null: nobody is. */
    vmm_paddr_t base;   /**< Of the RAM window, for it. */
} vmm_judge_t;

/** What else is in force, in the word of the features: no extension, a bit of a register. */
enum vmm_in_force {
    VMM_RISCV_SECOND_MXR = 1 << 5,   /**< Second stage: mstatus.MXR, executable pages may be read. */
    VMM_RISCV_SECOND_PBMT = 1 << 6,  /**< Second stage: menvcfg.PBMTE. */
    VMM_RISCV_SECOND_MARKS = 1 << 7, /**< Second stage: hardware sets accessed and dirty bits. */
    VMM_RISCV_SECOND_PEEK = 1 << 8,  /**< Second stage: nothing is written. */
    VMM_RISCV_HLVX = 1 << 9,         /**< Reading wants the right to execute, in both stages. */
    VMM_X86_WP = 1 << 10,            /**< CR0.WP: the supervisor may not write to read-only pages. */
    VMM_X86_PGE = 1 << 11,           /**< CR4.PGE: there are global pages. */
    VMM_ARM64_WXN = 1 << 10,         /**< SCTLR.WXN: what may be written may not be fetched. */
    VMM_ARM64_FLAT_LOW = 1 << 11,    /**< TCR.HPD0: pointers of the lower half take no rights away. */
    VMM_ARM64_FLAT_HIGH = 1 << 12,   /**< TCR.HPD1: nor those of the upper half. */
    VMM_ARM32_AFE = 1 << 10,         /**< SCTLR.AFE: AP[0] is the access flag. */
    VMM_ARM32_WXN = 1 << 11,         /**< SCTLR.WXN: what may be written may not be fetched. */
    VMM_ARM32_UWXN = 1 << 12,        /**< SCTLR.UWXN: what PL0 may write, PL1 may not fetch. */
    VMM_MIPS_SUPERVISOR = 1 << 10,   /**< Supervisor mode, between kernel and user. */
    VMM_MIPS_ERL = 1 << 11,          /**< Status.ERL: kuseg is not mapped. */
    VMM_MIPS_IEC = 1 << 12           /**< PageGrain.IEC: XI and RI have exceptions of their own. */
};

/** Where a virtual address leads. */
typedef struct vmm_translation {
    vmm_paddr_t paddr;    /**< Physical address of the byte. */
    vmm_paddr_t table;    /**< Physical address of the last table read. */
    vmm_paddr_t pte_addr; /**< Physical address of the leaf entry; 0 when translation is off. */
    vmm_pte_t pte;        /**< The leaf entry, as it was read; flags have the marks that were set since. */
    uint8_t flags;        /**< Rights and marks, enum vmm_flags, of all levels that grant. */
    uint8_t level;        /**< Level of the leaf. */
    uint8_t page_shift;   /**< log2 of the bytes that this translation covers. */
    uint8_t above;        /**< VMM_G when a pointer on the way said that all below it is global (RISC-V). */
    uint8_t granted;      /**< Rights that the pointers on the way leave, enum vmm_flags. */
    uint8_t type;         /**< x86: the protection key; AArch64: AttrIndx; RISC-V: PBMT; ARMv7-A: AP[2:0] in 6:4, domain
                           *   in 3:0; MIPS: C. */
    uint8_t first_shift;  /**< Two stages: log2 of the bytes of the first stage's page alone; else not set. */
} vmm_translation_t;

/** One entry that a walk read. */
typedef struct vmm_step {
    vmm_paddr_t pte_addr; /**< Where it was read. */
    vmm_pte_t pte;        /**< What was there. */
    uint32_t index;       /**< Its index in the table. */
    uint8_t level;        /**< Its level. */
} vmm_step_t;

/** log2 of the bytes that one entry of a level covers. */
VMM_INLINE unsigned vmm_level_shift(const vmm_paging_t *p, unsigned level)
{
    return p->page_shift + (level > 0 ? p->index_bits[0] : 0u) + (level > 1 ? p->index_bits[1] : 0u) +
           (level > 2 ? p->index_bits[2] : 0u) + (level > 3 ? p->index_bits[3] : 0u) +
           (level > 4 ? p->index_bits[4] : 0u) + (level > 5 ? p->index_bits[5] : 0u);
}

/** Checks a format against the invariants of vmm_paging_t.
 *  @return VMM_OK or VMM_E_ARGUMENT. */
VMM_INLINE vmm_status_t vmm_paging_check(const vmm_paging_t *p)
{
    unsigned level;
    if (p->levels < 1 || p->levels > VMM_MAX_LEVELS || p->page_shift < 3 || p->page_shift > 30) return VMM_E_ARGUMENT;
    for (level = 0; level < VMM_MAX_LEVELS; level++)
        if (level < p->levels ? p->index_bits[level] < 1 || p->index_bits[level] > 28 : p->index_bits[level] != 0)
            return VMM_E_ARGUMENT;
    if (p->vaddr_bits > 64 || vmm_level_shift(p, p->levels) != p->vaddr_bits) return VMM_E_ARGUMENT;
    if (p->pte_bytes != 2 && p->pte_bytes != 4 && p->pte_bytes != 8) return VMM_E_ARGUMENT;
    if (p->ppn_lsb + p->ppn_bits > 8 * p->pte_bytes || p->ppn_bits + p->page_shift > 64) return VMM_E_ARGUMENT;
    return p->valid != 0 && !(p->valid & p->inverted) ? VMM_OK : VMM_E_ARGUMENT;
}

/** Index of an address in its table of a level. */
VMM_INLINE uint32_t vmm_level_index(const vmm_paging_t *p, unsigned level, vmm_vaddr_t va)
{
    return (uint32_t)((va >> vmm_level_shift(p, level)) & vmm_low_mask(p->index_bits[level]));
}

/** Bytes that a table of a level takes, at least 8. */
VMM_INLINE uint64_t vmm_table_bytes(const vmm_paging_t *p, unsigned level)
{
    const uint64_t bytes = (uint64_t)p->pte_bytes << p->index_bits[level];
    return bytes < 8 ? 8 : bytes;
}

/** Whether an address lies in the address space of a format; see enum vmm_vaddr_rule. */
VMM_INLINE bool vmm_canonical(const vmm_paging_t *p, vmm_vaddr_t va)
{
    const uint64_t above = p->vaddr_bits >= 64 ? 0 : va >> (p->vaddr_bits & 63);
    const bool top = (va >> (p->vaddr_bits - 1)) & 1;
    switch (p->vaddr_rule) {
    case VMM_VADDR_SIGN: return p->vaddr_bits >= 64 || above == (top ? ~UINT64_C(0) >> (p->vaddr_bits & 63) : 0);
    case VMM_VADDR_ZERO: return above == 0;
    case VMM_VADDR_HALF: return above == 0 || above == ~UINT64_C(0) >> (p->vaddr_bits & 63);
    default: return true;
    }
}

/** @cond internal: an address where addresses count modulo the width of the space. */
VMM_INLINE vmm_vaddr_t vmm_wrap(const vmm_paging_t *p, vmm_vaddr_t va)
{
    return p->vaddr_rule == VMM_VADDR_WRAP ? va & vmm_low_mask(p->vaddr_bits) : va;
}

/* Does another half of the address space, or nothing, begin between two addresses? */
VMM_INLINE bool vmm_halves_differ(const vmm_paging_t *p, vmm_vaddr_t one, vmm_vaddr_t other)
{
    return (p->vaddr_rule == VMM_VADDR_SIGN || p->vaddr_rule == VMM_VADDR_HALF) && p->vaddr_bits < 64 &&
           ((one ^ other) >> 63);
}
/** @endcond */

/** The same address in the form that the format calls canonical. */
VMM_INLINE vmm_vaddr_t vmm_make_canonical(const vmm_paging_t *p, vmm_vaddr_t va)
{
    const uint64_t sign = UINT64_C(1) << (p->vaddr_bits - 1);
    va &= vmm_low_mask(p->vaddr_bits);
    return p->vaddr_rule == VMM_VADDR_SIGN ? (va ^ sign) - sign : va;
}

/** @cond internal: entries in RAM, aligned to their width. What was in a table or a page before an entry led there is
 *  seen by whoever follows the entry. */
VMM_INLINE vmm_pte_t vmm_entry_load(const void *at, unsigned bytes)
{
    switch (bytes) {
    case 2: return vmm_little(VMM_ATOMIC_ACQUIRE((const vmm_any16_t *)at), 2);
    case 4: return vmm_little(VMM_ATOMIC_ACQUIRE((const vmm_any32_t *)at), 4);
    default: return vmm_little(VMM_ATOMIC_ACQUIRE((const vmm_any64_t *)at), 8);
    }
}

VMM_INLINE vmm_pte_t vmm_pte_load(const vmm_paging_t *p, const void *at)
{
    return vmm_entry_load(at, p->pte_bytes);
}

/* Puts an entry in the place of one that must still be as it was read. */
VMM_INLINE bool vmm_pte_swap(const vmm_paging_t *p, void *at, vmm_pte_t was, vmm_pte_t becomes)
{
    uint16_t was16 = (uint16_t)vmm_little(was, 2);
    uint32_t was32 = (uint32_t)vmm_little(was, 4);
    uint64_t was64 = vmm_little(was, 8);
    switch (p->pte_bytes) {
    case 2: return VMM_ATOMIC_CAS((vmm_any16_t *)at, &was16, (uint16_t)vmm_little(becomes, 2));
    case 4: return VMM_ATOMIC_CAS((vmm_any32_t *)at, &was32, (uint32_t)vmm_little(becomes, 4));
    default: return VMM_ATOMIC_CAS((vmm_any64_t *)at, &was64, vmm_little(becomes, 8));
    }
}

/* A bit that the format does not have grants. */
VMM_INLINE bool vmm_pte_grants(const vmm_paging_t *p, vmm_pte_t pte, vmm_pte_t bit)
{
    return bit == 0 || ((pte ^ p->inverted) & bit) != 0;
}
/** @endcond */

/** @cond internal: ARMv7-A leaves, whose bits differ by level: bit 18 is a supersection at level 1, type 01 a large
 *  page at level 0. */
VMM_INLINE bool vmm_arm32_is_group(vmm_pte_t pte, unsigned level)
{
    return level ? (pte & 0x40000) != 0 : !(pte & 2);
}

VMM_INLINE vmm_paddr_t vmm_arm32_paddr(vmm_pte_t pte, unsigned level)
{
    const bool group = vmm_arm32_is_group(pte, level);
    if (level == 0) return pte & (group ? 0xffff0000 : 0xfffff000);
    return group ? (pte & 0xff000000) | ((pte >> 20) & 15) << 32 | ((pte >> 5) & 15) << 36 : pte & 0xfff00000;
}

VMM_INLINE unsigned vmm_arm32_ap(vmm_pte_t pte, unsigned level)
{
    return (unsigned)(level ? ((pte >> 10) & 3) | ((pte >> 13) & 4) : ((pte >> 4) & 3) | ((pte >> 7) & 4));
}

/* R and W are PL1's, U is that PL0 may read; AP = 3 alone lets it write (DDI 0406, B3.7.1). There are no marks. */
VMM_INLINE uint8_t vmm_arm32_flags(vmm_pte_t pte, unsigned level)
{
    const unsigned ap = vmm_arm32_ap(pte, level);
    const vmm_pte_t never = pte & (level ? 0x10 : pte & 2 ? 1 : 0x8000), local = pte & (level ? 0x20000 : 0x800);
    return (uint8_t)((ap & 3 ? VMM_R : 0) | ((ap & 3) && ap < 4 ? VMM_W : 0) | (ap & 2 ? VMM_U : 0) |
                     (never ? 0 : VMM_X | VMM_PX) | (local ? 0 : VMM_G) | VMM_A | VMM_D);
}
/** @endcond */

/** Physical address that an entry holds: of the next table, or of the page. A huge page's may have other
 *  bits in its low part: see vmm_leaf_paddr. */
VMM_INLINE vmm_paddr_t vmm_pte_paddr(const vmm_paging_t *p, vmm_pte_t pte)
{
    const vmm_paddr_t paddr = ((pte >> p->ppn_lsb) & vmm_low_mask(p->ppn_bits)) << p->page_shift;
    if (p->rules == VMM_RULES_ARM64 && p->paddr_bits > 48) return paddr | ((pte >> 12) & 15) << 48;
    if (p->rules == VMM_RULES_ARM32) return pte & 0xfffffc00; /* a table of 1 KiB */
    return paddr;
}

/** Physical address of the page that a leaf maps. Bits below its size are what the entry has there: not 0 in
 *  an entry that is misaligned. x86: without PAT, and PSE-36 put in order; AArch64, ARMv7-A: such bits are ignored. */
VMM_INLINE vmm_paddr_t vmm_leaf_paddr(const vmm_paging_t *p, vmm_pte_t pte, unsigned level)
{
    if (p->rules == VMM_RULES_ARM32) return vmm_arm32_paddr(pte, level);
    if (p->rules == VMM_RULES_X86 && level > 0)
        return p->pte_bytes == 4 ? (pte & 0xffc00000) | ((pte >> 13) & 0xff) << 32
                                 : vmm_pte_paddr(p, pte & ~VMM_X86_PAT_LARGE);
    if (p->rules == VMM_RULES_ARM64 && level > 0)
        return vmm_pte_paddr(p, pte) & ~(vmm_low_mask(p->page_shift) | (vmm_low_mask(vmm_level_shift(p, level))));
    return vmm_pte_paddr(p, pte);
}

/** Whether a valid entry of a level is a leaf. */
VMM_INLINE bool vmm_pte_is_leaf(const vmm_paging_t *p, vmm_pte_t pte, unsigned level)
{
    if (p->rules == VMM_RULES_RISCV) return (pte & (p->read | p->write | p->execute)) != 0;
    return level == 0 || (p->huge != 0 && vmm_pte_grants(p, pte, p->huge));
}

/** @cond internal: AArch64 leaves. A page is writable when AP[2] is clear, and also when DBM is set; then AP[2]
 *  says that it is clean. Whose right to execute is asked for depends on whose page it is. */
VMM_INLINE uint8_t vmm_arm64_flags(vmm_pte_t pte)
{
    const bool dirty = !(pte & VMM_ARM64_AP2), user = (pte & 0x40) != 0;
    const vmm_pte_t never = user ? VMM_ARM64_UXN : VMM_ARM64_PXN;
    return (uint8_t)(VMM_R | (dirty || (pte & VMM_ARM64_DBM) ? VMM_W : 0) | (pte & never ? 0 : VMM_X) |
                     (user ? VMM_U : 0) | (pte & 0x800 ? 0 : VMM_G) | (pte & 0x400 ? VMM_A : 0) |
                     (dirty || (pte & VMM_ARM64_SOFT_DIRTY) ? VMM_D : 0));
}
/** @endcond */

/** @cond internal: one of the four entries of x86's PAE that are loaded into registers and grant nothing. */
VMM_INLINE bool vmm_is_pdpte(const vmm_paging_t *p, unsigned level)
{
    return p->rules == VMM_RULES_X86 && p->levels == 3 && level == 2;
}
/** @endcond */

/** Rights and marks of an entry, enum vmm_flags. ARMv7-A: of an entry of level 0. */
VMM_INLINE uint8_t vmm_pte_flags(const vmm_paging_t *p, vmm_pte_t pte)
{
    if (p->rules == VMM_RULES_ARM32) return vmm_arm32_flags(pte, 0);
    if (p->rules == VMM_RULES_RISCV) return (uint8_t)(pte & 0xfe); /* same order as the flags */
    if (p->rules == VMM_RULES_ARM64) return vmm_arm64_flags(pte);
    return (uint8_t)((vmm_pte_grants(p, pte, p->read) ? VMM_R : 0) | (vmm_pte_grants(p, pte, p->write) ? VMM_W : 0) |
                     (vmm_pte_grants(p, pte, p->execute) ? VMM_X : 0) | (vmm_pte_grants(p, pte, p->user) ? VMM_U : 0) |
                     (p->global && vmm_pte_grants(p, pte, p->global) ? VMM_G : 0) |
                     (vmm_pte_grants(p, pte, p->accessed) ? VMM_A : 0) |
                     (vmm_pte_grants(p, pte, p->dirty) ? VMM_D : 0));
}

/** Bytes, as log2, that a valid leaf covers: more than its level for a RISC-V NAPOT page and for an AArch64 page
 *  of a contiguous group, ARMv7-A large pages and supersections. */
VMM_INLINE unsigned vmm_pte_page_shift(const vmm_paging_t *p, vmm_pte_t pte, unsigned level)
{
    const bool napot = p->rules == VMM_RULES_RISCV && p->pte_bytes == 8 && (pte & VMM_RISCV_N);
    unsigned group = napot ? 4 : 0;
    if (p->rules == VMM_RULES_ARM64 && (pte & VMM_ARM64_CONTIGUOUS)) /* 16; 16K: 128 pages, 32 blocks; 64K: 32 */
        group = p->page_shift == 12 ? 4 : p->page_shift == 14 && level == 0 ? 7 : 5;
    if (p->rules == VMM_RULES_ARM32 && vmm_arm32_is_group(pte, level)) group = 4;
    return vmm_level_shift(p, level) + group;
}

/** @cond internal: the RISC-V rules for what extensions give meaning to. N: only at level 0, only 64
 *  KiB (PPN[3:0] = 1000b), only with Svnapot. PBMT: only with Svpbmt in force, and 3 is reserved. */
VMM_INLINE unsigned vmm_riscv_leaf_rule(const vmm_judge_t *judge, vmm_pte_t pte, unsigned level)
{
    const unsigned pbmt = (unsigned)((pte & VMM_RISCV_PBMT) >> VMM_RISCV_PBMT_SHIFT);
    if (pbmt == 3 || (pbmt && !(judge->features & VMM_SVPBMT))) return VMM_RULE_MEMORY_TYPE;
    if (!(pte & VMM_RISCV_N)) return VMM_RULE_NONE;
    if (!(judge->features & VMM_SVNAPOT) || level > 0 || ((pte >> 10) & 15) != 8) return VMM_RULE_NAPOT;
    return VMM_RULE_NONE;
}

/* x86, reserved bits of a valid entry. A 4 MiB page (SDM 4.3, table 4-4) has PA bits 39:32 in 20:13, as many as
 * the width M' = min(40, M) allows; other huge pages have zeros between PAT and the frame. */
VMM_INLINE unsigned vmm_x86_rule(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t pte, unsigned level)
{
    const unsigned width = judge->width && judge->width < 40 ? judge->width : 40u;
    const unsigned free = p->pte_bytes == 4 && width > 32 && (judge->features & VMM_X86_PSE36) ? width - 19 : 13;
    const bool leaf = vmm_pte_is_leaf(p, pte, level);
    if (pte & judge->reserved) return VMM_RULE_RESERVED;
    if (!leaf && level >= 3 && (judge->features & VMM_X86_AMD) && (pte & 0x100)) return VMM_RULE_RESERVED;
    if (!leaf || level == 0) return VMM_RULE_NONE;
    if (!((p->leaf_levels >> level) & 1) || (level == 2 && !(judge->features & VMM_X86_1G))) return VMM_RULE_NO_LEAF;
    if (pte & vmm_low_mask(vmm_level_shift(p, level)) & ~vmm_low_mask(free)) return VMM_RULE_HUGE_ALIGN;
    return VMM_RULE_NONE;
}

/* AArch64: a block at level 0, or where the granule has none, is no descriptor; addresses keep to the width. */
VMM_INLINE unsigned vmm_arm64_rule(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t pte, unsigned level)
{
    if ((pte & 3) == 1 && (level == 0 || !((p->leaf_levels >> level) & 1))) return VMM_RULE_NO_LEAF;
    if (judge->width && (vmm_pte_paddr(p, pte) & ~vmm_low_mask(judge->width))) return VMM_RULE_PADDR_WIDTH;
    return VMM_RULE_NONE;
}

/* Steps 3 to 5 of the manual's algorithm: is the entry one that may stand at this level? */
VMM_INLINE unsigned vmm_pte_rule(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t pte, unsigned level)
{
    if (!(pte & p->valid)) return VMM_RULE_VALID;
    if (p->rules == VMM_RULES_X86) return vmm_x86_rule(p, judge, pte, level);
    if (p->rules == VMM_RULES_ARM64) return vmm_arm64_rule(p, judge, pte, level);
    if (p->rules == VMM_RULES_RISCV && (pte & (p->read | p->write)) == p->write) return VMM_RULE_WRITE_ONLY;
    if (pte & p->reserved) return VMM_RULE_RESERVED;
    if (!vmm_pte_is_leaf(p, pte, level)) {
        if (pte & p->reserved_table) return VMM_RULE_RESERVED_TABLE;
        return level == 0 ? VMM_RULE_NO_LEAF : VMM_RULE_NONE;
    }
    if (!((p->leaf_levels >> level) & 1)) return VMM_RULE_NO_LEAF;
    if (p->rules == VMM_RULES_RISCV && p->pte_bytes == 8) {
        const unsigned rule = vmm_riscv_leaf_rule(judge, pte, level);
        if (rule) return rule;
    }
    if (vmm_pte_paddr(p, pte) & vmm_low_mask(vmm_level_shift(p, level))) return VMM_RULE_HUGE_ALIGN;
    return VMM_RULE_NONE;
}

/* Rights as a walk gathers them. AArch64 tells here both rights to execute, and what DBM is worth at present. */
VMM_INLINE uint8_t vmm_walk_flags(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t pte)
{
    const bool clean = (pte & VMM_ARM64_AP2) != 0;
    const uint8_t flags = vmm_pte_flags(p, pte);
    if (p->rules == VMM_RULES_X86 && !(judge->features & VMM_X86_PGE)) return flags & (uint8_t)~VMM_G;
    if (p->rules != VMM_RULES_ARM64) return flags;
    return (uint8_t)((flags & (VMM_R | VMM_U | VMM_G | VMM_A)) | (clean ? 0 : VMM_D) |
                     (!clean || ((pte & VMM_ARM64_DBM) && (judge->features & VMM_ARM64_HAFDBS)) ? VMM_W : 0) |
                     (pte & VMM_ARM64_UXN ? 0 : VMM_X) | (pte & VMM_ARM64_PXN ? 0 : VMM_PX));
}

/* What a pointer leaves of the rights below it. AArch64: APTable[1], APTable[0], UXNTable, PXNTable take away. */
VMM_INLINE uint8_t vmm_pointer_grants(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_vaddr_t va, vmm_pte_t pte,
                                      unsigned level)
{
    const unsigned flat = (va >> 55) & 1 ? VMM_ARM64_FLAT_HIGH : VMM_ARM64_FLAT_LOW;
    if (vmm_is_pdpte(p, level)) return 0xff;
    if (p->rights == VMM_RIGHTS_EVERY) return vmm_pte_flags(p, pte) | VMM_PX;
    if (p->rights != VMM_RIGHTS_TABLE || (judge->features & flat)) return 0xff;
    return (uint8_t) ~(((pte >> 62) & 1 ? (uint32_t)VMM_W : 0u) | ((pte >> 61) & 1 ? (uint32_t)VMM_U : 0u) |
                       ((pte >> 60) & 1 ? (uint32_t)VMM_X : 0u) | ((pte >> 59) & 1 ? (uint32_t)VMM_PX : 0u));
}

/* x86 protection keys, data only: bit 0 of a key's pair forbids access, bit 1 writing; writing by the supervisor
 * only while CR0.WP is set. SDM volume 3, 4.6.2. */
VMM_INLINE bool vmm_x86_key_refuses(const vmm_judge_t *judge, unsigned flags, unsigned key, unsigned access)
{
    const bool keyed = (judge->features & (flags & VMM_U ? VMM_X86_PKU : VMM_X86_PKS)) != 0;
    const unsigned rights = (flags & VMM_U ? judge->user_keys : judge->keys) >> (2 * key);
    if (!keyed || access == VMM_FETCH) return false;
    if (rights & 1) return true;
    return access == VMM_WRITE && (rights & 2) && (judge->user || (judge->features & VMM_X86_WP));
}

/* x86: SDM volume 3, 4.6. */
VMM_INLINE unsigned vmm_x86_rights_rule(const vmm_judge_t *judge, unsigned flags, unsigned key, unsigned access)
{
    if (judge->user && !(flags & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (!judge->user && (flags & VMM_U) && (access == VMM_FETCH ? judge->features & VMM_X86_SMEP : !judge->sum))
        return VMM_RULE_USER_PAGE;
    if (access == VMM_WRITE && !(flags & VMM_W) && (judge->user || (judge->features & VMM_X86_WP)))
        return VMM_RULE_WRITE;
    if (access == VMM_FETCH && !(flags & VMM_X)) return VMM_RULE_EXECUTE;
    return vmm_x86_key_refuses(judge, flags, key, access) ? VMM_RULE_KEY : VMM_RULE_NONE;
}

/* AArch64: Arm ARM, D8.4. EL1 never executes what EL0 may write; WXN extends that to whoever may write. */
VMM_INLINE unsigned vmm_arm64_rights_rule(const vmm_judge_t *judge, unsigned flags, unsigned access)
{
    const bool writable = (flags & VMM_W) != 0, wxn = (judge->features & VMM_ARM64_WXN) != 0; /* with DBM: clean too */
    if (access == VMM_FETCH) {
        if (!(flags & (judge->user ? VMM_X : VMM_PX))) return VMM_RULE_EXECUTE;
        if (!judge->user && (flags & VMM_U) && writable) return VMM_RULE_USER_PAGE;
        return wxn && writable && (!judge->user || (flags & VMM_U)) ? VMM_RULE_EXECUTE : VMM_RULE_NONE;
    }
    if (judge->user && !(flags & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (!judge->user && (flags & VMM_U) && !judge->sum) return VMM_RULE_USER_PAGE;
    return access == VMM_WRITE && !(flags & VMM_W) ? VMM_RULE_WRITE : VMM_RULE_NONE;
}

/* ARMv7-A: the access flag, then the domain, then AP and XN, which a manager is not asked for (DDI 0406, B3.7). A
 * fetch needs the right to read. */
VMM_INLINE unsigned vmm_arm32_rights_rule(const vmm_judge_t *judge, unsigned flags, unsigned type, unsigned access)
{
    const unsigned domain = (judge->keys >> (2 * (type & 15))) & 3, ap = type >> 4;
    const bool writable = judge->user ? ap == 3 : (flags & VMM_W) != 0;
    if ((judge->features & VMM_ARM32_AFE) && !(ap & 1)) return VMM_RULE_ACCESSED;
    if (domain == 3) return VMM_RULE_NONE;
    if (domain != 1) return VMM_RULE_DOMAIN;
    if (judge->user && !(flags & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (access == VMM_WRITE) return writable ? VMM_RULE_NONE : VMM_RULE_WRITE;
    if (access == VMM_READ) return flags & VMM_R ? VMM_RULE_NONE : VMM_RULE_READ;
    if (!(flags & VMM_R) || !(flags & (judge->user ? VMM_X : VMM_PX))) return VMM_RULE_EXECUTE;
    if (writable && (judge->features & VMM_ARM32_WXN)) return VMM_RULE_EXECUTE;
    return ap == 3 && !judge->user && (judge->features & VMM_ARM32_UWXN) ? VMM_RULE_EXECUTE : VMM_RULE_NONE;
}

/* Steps 6 and 8: do these rights allow the access? Generic supervisor mode may use user pages. */
VMM_INLINE unsigned vmm_rights_rule(const vmm_paging_t *p, const vmm_judge_t *judge, unsigned flags, unsigned type,
                                    unsigned access)
{
    if (p->rules == VMM_RULES_X86) return vmm_x86_rights_rule(judge, flags, type, access);
    if (p->rules == VMM_RULES_ARM64) return vmm_arm64_rights_rule(judge, flags, access);
    if (p->rules == VMM_RULES_ARM32) return vmm_arm32_rights_rule(judge, flags, type, access);
    if (judge->user && !(flags & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (!judge->user && (flags & VMM_U) && p->rules == VMM_RULES_RISCV && (access == VMM_FETCH || !judge->sum))
        return VMM_RULE_USER_PAGE;
    if (access == VMM_READ && !(flags & VMM_R) && !(judge->mxr && (flags & VMM_X))) return VMM_RULE_READ;
    if (access == VMM_WRITE && !(flags & VMM_W)) return VMM_RULE_WRITE;
    if (access == VMM_FETCH && !(flags & VMM_X)) return VMM_RULE_EXECUTE;
    return VMM_RULE_NONE;
}

/* RISC-V exception codes by kind and access ("Machine Cause Register"). */
VMM_INLINE uint8_t vmm_riscv_cause(unsigned kind, unsigned access)
{
    if (kind == VMM_PAGE_FAULT) return access == VMM_FETCH ? 12 : access == VMM_WRITE ? 15 : 13;
    if (kind == VMM_GUEST_PAGE_FAULT) return access == VMM_FETCH ? 20 : access == VMM_WRITE ? 23 : 21;
    if (kind == VMM_ACCESS_FAULT) return access == VMM_FETCH ? 1 : access == VMM_WRITE ? 7 : 5;
    if (kind == VMM_WATCH_FAULT) return 3; /* breakpoint */
    return access == VMM_FETCH ? 0 : access == VMM_WRITE ? 6 : 4;
}

/* x86 vectors, and the error code of a page fault (SDM volume 3, 4.7): P 0, W/R 1, U/S 2, RSVD 3, I/D 4, PK 5. */
VMM_INLINE uint8_t vmm_x86_cause(unsigned kind)
{
    return kind == VMM_PAGE_FAULT         ? 14
           : kind == VMM_PROTECTION_FAULT ? 13
           : kind == VMM_ALIGN_FAULT      ? 17
           : kind == VMM_WATCH_FAULT      ? 1
                                          : 18;
}

VMM_INLINE uint32_t vmm_x86_code(const vmm_judge_t *judge, unsigned kind, unsigned access, unsigned rule)
{
    const bool reserved = rule == VMM_RULE_RESERVED || rule == VMM_RULE_NO_LEAF || rule == VMM_RULE_HUGE_ALIGN;
    const bool told = (judge->features & (VMM_X86_SMEP | VMM_X86_NX)) != 0; /* fetches are told apart */
    if (kind != VMM_PAGE_FAULT) return 0;
    return (rule == VMM_RULE_VALID ? 0u : 1u) | (access == VMM_WRITE ? 2u : 0u) | (judge->user ? 4u : 0u) |
           (reserved ? 8u : 0u) | (access == VMM_FETCH && told ? 16u : 0u) | (rule == VMM_RULE_KEY ? 32u : 0u);
}

/* AArch64 fault status codes (Arm ARM, ESR_EL1, ISS encoding of data and instruction aborts). The architecture
 * counts levels from the top: its level 3 is our 0. */
VMM_INLINE uint32_t vmm_arm64_code(unsigned access, unsigned rule, unsigned level)
{
    const uint32_t lookup = level < 3 ? 3 - level : 0, write = access == VMM_WRITE ? 0x40u : 0u;
    switch (rule) {
    case VMM_RULE_PADDR_WIDTH: return write | lookup;
    case VMM_RULE_ACCESSED: return write | 0x08 | lookup;
    case VMM_RULE_TABLE_MEMORY: return write | 0x14 | lookup;
    case VMM_RULE_BUS:
    case VMM_RULE_CHECK: return write | 0x10;
    case VMM_RULE_ALIGN: return write | 0x21;
    case VMM_RULE_WATCH: return write | 0x22;
    case VMM_RULE_CANONICAL:
    case VMM_RULE_VALID:
    case VMM_RULE_NO_LEAF:
    case VMM_RULE_HALF: return write | 0x04 | lookup;
    default: return write | 0x0c | lookup;
    }
}

/* ARMv7-A fault status (DDI 0406, table B3-23): of the first or the second level; WnR 11. */
VMM_INLINE uint32_t vmm_arm32_code(unsigned access, unsigned rule, unsigned level)
{
    const uint32_t second = level == 0 ? 2 : 0, write = access == VMM_WRITE ? 0x800u : 0u;
    switch (rule) {
    case VMM_RULE_ALIGN: return write | 0x1;
    case VMM_RULE_WATCH: return write | 0x2;
    case VMM_RULE_ACCESSED: return write | (second ? 0x6 : 0x3);
    case VMM_RULE_HALF:
    case VMM_RULE_VALID:
    case VMM_RULE_RESERVED: return write | 0x5 | second;
    case VMM_RULE_TABLE_MEMORY: return write | 0xc | second;
    case VMM_RULE_DOMAIN: return write | 0x9 | second;
    case VMM_RULE_PADDR_WIDTH:
    case VMM_RULE_CHECK:
    case VMM_RULE_BUS: return write | 0x8;
    default: return write | 0xd | second;
    }
}

/* MIPS exception codes ("Cause Register", ExcCode). */
VMM_INLINE uint8_t vmm_mips_cause(const vmm_judge_t *judge, unsigned kind, unsigned access, unsigned rule)
{
    const bool store = access == VMM_WRITE, own = (judge->features & VMM_MIPS_IEC) != 0;
    switch (kind) {
    case VMM_WATCH_FAULT: return 23;
    case VMM_ACCESS_FAULT: return access == VMM_FETCH ? 6 : 7;
    case VMM_PAGE_FAULT: break;
    default: return store ? 5 : 4; /* AdES, AdEL */
    }
    if (rule == VMM_RULE_WRITE) return 1;
    if (rule == VMM_RULE_READ && own) return 19;
    if (rule == VMM_RULE_EXECUTE && own) return 20;
    return store ? 3 : 2; /* TLBS, TLBL */
}

VMM_INLINE vmm_status_t vmm_fault_set(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_fault_t *fault,
                                      unsigned kind, unsigned access, unsigned rule, unsigned level, vmm_vaddr_t va,
                                      vmm_paddr_t pte_addr, vmm_pte_t pte)
{
    fault->kind = (uint8_t)kind;
    fault->access = (uint8_t)access;
    fault->rule = (uint8_t)rule;
    fault->level = (uint8_t)level;
    fault->vaddr = va;
    fault->pte_addr = pte_addr;
    fault->pte = pte;
    if (p->rules == VMM_RULES_X86) {
        fault->cause = vmm_x86_cause(kind);
        fault->code = vmm_x86_code(judge, kind, access, rule);
    } else if (p->rules == VMM_RULES_ARM64) {
        fault->cause = (uint8_t)((access == VMM_FETCH      ? 0x20u
                                  : rule == VMM_RULE_WATCH ? 0x34u
                                                           : 0x24u) |
                                 !judge->lower);
        fault->code = vmm_arm64_code(access, rule, level);
    } else if (p->rules == VMM_RULES_ARM32) {
        fault->cause = access == VMM_FETCH ? 0x0c : 0x10;
        fault->code = vmm_arm32_code(access, rule, level);
    } else if (p->rules == VMM_RULES_MIPS) {
        fault->cause = vmm_mips_cause(judge, kind, access, rule);
        fault->code = rule == VMM_RULE_NO_ENTRY;
    } else {
        fault->cause = vmm_riscv_cause(kind, access);
        fault->code = 0; /* htinst and htval are 0 of every fault but a guest-page fault, which sets them behind this */
        fault->guest_paddr = 0;
    }
    return VMM_FAULT;
}

/* Does the physical check refuse what a walk does with an entry? */
VMM_INLINE bool vmm_entry_refused(const vmm_judge_t *judge, vmm_paddr_t pte_addr, unsigned bytes, unsigned access)
{
    return judge->check && judge->check(judge->check_user, pte_addr, bytes, access, 1);
}

/* Sets and clears what is remembered of a page, as other threads do. */
VMM_INLINE void vmm_track_change(uint8_t *page, uint8_t set, uint8_t clear)
{
    uint8_t was = VMM_ATOMIC_LOAD(page);
    while ((uint8_t)((was & ~clear) | set) != was && !VMM_ATOMIC_CAS(page, &was, (uint8_t)((was & ~clear) | set))) {}
}

/* Step 9: the marks that an access leaves in its leaf, and on x86 in every entry.
 * Returns the rule that failed; sets *pte; *again when the entry changed under our hands. */
VMM_INLINE unsigned vmm_pte_mark(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t want, uint8_t *host,
                                 vmm_paddr_t pte_addr, vmm_pte_t *pte, bool *again)
{
    const vmm_pte_t marked = (*pte | (want & ~p->inverted)) & ~(want & p->inverted);
    if (marked == *pte || judge->marking == VMM_MARK_PEEK) return VMM_RULE_NONE;
    if (judge->marking == VMM_MARK_FAULT)
        return vmm_pte_grants(p, *pte, p->accessed) ? VMM_RULE_DIRTY : VMM_RULE_ACCESSED;
    if (vmm_entry_refused(judge, pte_addr, p->pte_bytes, VMM_WRITE)) return VMM_RULE_CHECK;
    *again = !vmm_pte_swap(p, host, *pte, marked);
    if (*again) return VMM_RULE_NONE;
    *pte = marked;
    if (judge->track) /* a table is a page that is written to, too */
        vmm_track_change(&judge->track->page[(pte_addr - judge->base) >> judge->track->page_shift], VMM_TRACK_DIRTY, 0);
    return VMM_RULE_NONE;
}

/* Where a walk begins. */
typedef struct vmm_walk_start {
    vmm_paddr_t table; /* the first table, and its level */
    unsigned level;
    unsigned bits;    /* VA bits that are translated: fewer than the format's where a register says so (AArch64) */
    unsigned granted; /* rights that pointers above it left */
} vmm_walk_start_t;

/* What a leaf says of the access: its rights and marks, into *t. */
VMM_INLINE unsigned vmm_walk_leaf(const vmm_paging_t *p, const vmm_judge_t *judge, unsigned access, uint8_t *host,
                                  vmm_pte_t *pte, vmm_translation_t *t, bool *again)
{
    unsigned rule;
    t->flags = vmm_walk_flags(p, judge, *pte);
    if (p->rights != VMM_RIGHTS_LEAF) t->flags &= (uint8_t)(t->granted | VMM_G | VMM_A | VMM_D);
    t->type = 0;
    if (p->rules == VMM_RULES_X86) t->type = (uint8_t)((*pte & VMM_X86_KEY) >> VMM_X86_KEY_SHIFT);
    if (p->rules == VMM_RULES_ARM64) {
        t->type = (*pte >> 2) & 7;
        if (!(t->flags & VMM_A) && judge->marking == VMM_MARK_FAULT) return VMM_RULE_ACCESSED; /* before rights */
    }
    rule = vmm_rights_rule(p, judge, t->flags, t->type, access);
    if (rule) return rule;
    return vmm_pte_mark(p, judge, p->accessed | (access == VMM_WRITE ? p->dirty : 0), host, t->pte_addr, pte, again);
}

/* A walk that ends at a level. x86 tells a key that refuses besides the other reasons. */
VMM_INLINE vmm_status_t vmm_walk_ends(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_fault_t *fault,
                                      unsigned access, unsigned rule, unsigned level, vmm_vaddr_t va,
                                      const vmm_translation_t *t, vmm_pte_t pte)
{
    vmm_fault_set(p, judge, fault, rule == VMM_RULE_CHECK ? VMM_ACCESS_FAULT : VMM_PAGE_FAULT, access, rule, level, va,
                  t->pte_addr, pte);
    if (p->rules == VMM_RULES_ARM64 && rule == VMM_RULE_CHECK) /* an external abort on the walk */
        fault->code = vmm_arm64_code(access, VMM_RULE_TABLE_MEMORY, level);
    if (p->rules == VMM_RULES_X86 &&
        (rule == VMM_RULE_WRITE || rule == VMM_RULE_USER_PAGE || rule == VMM_RULE_SUPERVISOR_PAGE) &&
        vmm_x86_key_refuses(judge, t->flags, t->type, access))
        fault->code |= 32;
    return VMM_FAULT;
}

/* Keeps what a walk read, for those who ask. */
VMM_INLINE void vmm_step_note(vmm_step_t *steps, unsigned *count, vmm_paddr_t pte_addr, vmm_pte_t pte, uint32_t index,
                              unsigned level)
{
    const vmm_step_t step = {pte_addr, pte, index, (uint8_t)level};
    if (steps) steps[(*count)++] = step;
}

/* -- ARMv7-A --
 *
 * What its pointers say of all below them is kept in t->granted: the domain in 7:4, and VMM_PX without PXN. */

/* The domain, and PXN, that an entry of the first level gives to what is below it or to itself. */
VMM_INLINE uint8_t vmm_arm32_above(vmm_pte_t pte)
{
    const bool table = (pte & 3) == 1, super = !table && (pte & 0x40000);
    return (uint8_t)((super ? 0u : ((unsigned)pte >> 5 & 15) << 4) | (pte & (table ? 4 : 1) ? 0u : (unsigned)VMM_PX));
}

/* A walk that ends; data aborts tell the domain, as far as it is known. */
VMM_INLINE vmm_status_t vmm_arm32_ends(const vmm_judge_t *judge, vmm_fault_t *fault, unsigned access, unsigned rule,
                                       unsigned level, vmm_vaddr_t va, const vmm_translation_t *t, vmm_pte_t pte)
{
    const bool memory = rule == VMM_RULE_TABLE_MEMORY || rule == VMM_RULE_CHECK || rule == VMM_RULE_PADDR_WIDTH;
    vmm_fault_set(&vmm_arm32_short, judge, fault, memory ? VMM_ACCESS_FAULT : VMM_PAGE_FAULT, access, rule, level, va,
                  t->pte_addr, pte);
    if (rule == VMM_RULE_CHECK) fault->code = vmm_arm32_code(access, VMM_RULE_TABLE_MEMORY, level);
    if (access != VMM_FETCH && rule != VMM_RULE_PADDR_WIDTH) fault->code |= t->granted & 0xf0u;
    return VMM_FAULT;
}

/* The walk (DDI 0406, B3.5.5 and B3.19.5). */
VMM_OUTLINE vmm_status_t vmm_arm32_walk(const vmm_memory_t *memory, vmm_walk_start_t start, const vmm_judge_t *judge,
                                        unsigned access, vmm_vaddr_t va, vmm_translation_t *t, vmm_fault_t *fault,
                                        vmm_step_t *steps, unsigned *count)
{
    const vmm_paging_t *p = &vmm_arm32_short;
    unsigned level = start.level, rule;
    const uint8_t *host;
    vmm_pte_t pte;
    va = vmm_wrap(p, va);
    t->table = start.table;
    t->above = 0;
    t->granted = (uint8_t)(level ? (unsigned)VMM_PX : start.granted);
    for (;; level--) {
        const uint32_t index = vmm_level_index(p, level, va);
        t->pte_addr = t->table + (uint64_t)index * 4;
        host = vmm_mem_host(memory, t->pte_addr, 4);
        if (!host) return vmm_arm32_ends(judge, fault, access, VMM_RULE_TABLE_MEMORY, level, va, t, 0);
        if (vmm_entry_refused(judge, t->pte_addr, 4, VMM_READ))
            return vmm_arm32_ends(judge, fault, access, VMM_RULE_CHECK, level, va, t, 0);
        pte = vmm_pte_load(p, host);
        if (steps) {
            const vmm_step_t step = {t->pte_addr, pte, index, (uint8_t)level};
            steps[(*count)++] = step;
        }
        if (!(pte & 3)) return vmm_arm32_ends(judge, fault, access, VMM_RULE_VALID, level, va, t, pte);
        if (level && (pte & 3) == 3 && !(judge->features & VMM_ARM32_PXN))
            return vmm_arm32_ends(judge, fault, access, VMM_RULE_RESERVED, level, va, t, pte);
        if (level) t->granted = vmm_arm32_above(pte);
        if (level && !(judge->features & VMM_ARM32_PXN)) t->granted |= VMM_PX;
        if (vmm_pte_is_leaf(p, pte, level)) break;
        t->table = vmm_pte_paddr(p, pte);
    }
    t->pte = pte;
    t->level = (uint8_t)level;
    t->page_shift = (uint8_t)vmm_pte_page_shift(p, pte, level);
    t->flags = (uint8_t)(vmm_arm32_flags(pte, level) & (t->granted | ~VMM_PX));
    t->type = (uint8_t)(vmm_arm32_ap(pte, level) << 4 | t->granted >> 4);
    rule = vmm_rights_rule(p, judge, t->flags, t->type, access);
    t->paddr = vmm_arm32_paddr(pte, level) | (va & vmm_low_mask(t->page_shift));
    if (!rule && (t->paddr & ~vmm_low_mask(vmm_mem_width(memory, p)))) rule = VMM_RULE_PADDR_WIDTH;
    return rule ? vmm_arm32_ends(judge, fault, access, rule, level, va, t, pte) : VMM_OK;
}

/* The walk from a table that is known already. */
VMM_INLINE vmm_status_t vmm_walk_from(const vmm_paging_t *p, const vmm_memory_t *memory, vmm_walk_start_t start,
                                      const vmm_judge_t *judge, unsigned access, vmm_vaddr_t va, vmm_translation_t *t,
                                      vmm_fault_t *fault, vmm_step_t *steps, unsigned *count)
{
    const unsigned width = vmm_mem_width(memory, p);
    unsigned level = start.level, shift = vmm_level_shift(p, level), rule;
    vmm_vaddr_t inside = va = vmm_wrap(p, va);
    vmm_pte_t pte, was;
    uint8_t *host;

    if (p->rules == VMM_RULES_ARM32) return vmm_arm32_walk(memory, start, judge, access, va, t, fault, steps, count);
    t->table = start.table;
    t->pte_addr = 0;
    t->above = 0;
    t->granted = (uint8_t)start.granted;
    if (p->rules == VMM_RULES_ARM64) /* the caller has chosen the half, and looked at the bits above it */
        inside &= vmm_low_mask(start.bits);
    else if (!vmm_canonical(p, va))
        return vmm_fault_set(p, judge, fault, p->rules == VMM_RULES_X86 ? VMM_PROTECTION_FAULT : VMM_PAGE_FAULT, access,
                             VMM_RULE_CANONICAL, p->levels, va, 0, 0);
    for (;;) {
        const uint32_t index = (uint32_t)((inside >> shift) & vmm_low_mask(p->index_bits[level]));
        bool again = false;
        t->pte_addr = t->table + (uint64_t)index * p->pte_bytes;
        host = vmm_mem_host(memory, t->pte_addr, p->pte_bytes);
        if (!host || ((t->pte_addr - memory->base) & (p->pte_bytes - 1u)))
            return vmm_fault_set(p, judge, fault, VMM_ACCESS_FAULT, access, VMM_RULE_TABLE_MEMORY, level, va,
                                 t->pte_addr, 0);
        if (vmm_entry_refused(judge, t->pte_addr, p->pte_bytes, VMM_READ))
            return vmm_walk_ends(p, judge, fault, access, VMM_RULE_CHECK, level, va, t, 0);
        was = pte = vmm_pte_load(p, host);
        vmm_step_note(steps, count, t->pte_addr, pte, index, level);
        rule = vmm_pte_rule(p, judge, pte, level);
        if (rule) return vmm_fault_set(p, judge, fault, VMM_PAGE_FAULT, access, rule, level, va, t->pte_addr, pte);
        if (vmm_pte_is_leaf(p, pte, level)) {
            rule = vmm_walk_leaf(p, judge, access, host, &pte, t, &again);
            if (rule) return vmm_walk_ends(p, judge, fault, access, rule, level, va, t, pte);
            if (!again) break; /* the manual: return to step 2 when the entry has changed */
        } else if (p->rules == VMM_RULES_X86 && !vmm_is_pdpte(p, level)) {
            rule = vmm_pte_mark(p, judge, p->accessed, host, t->pte_addr, &pte, &again);
            if (rule) return vmm_walk_ends(p, judge, fault, access, rule, level, va, t, pte);
        }
        if (again) {
            if (steps) --*count;
            continue;
        }
        t->granted = (uint8_t)(t->granted & vmm_pointer_grants(p, judge, va, pte, level));
        if (p->rules == VMM_RULES_RISCV) t->above = (uint8_t)(t->above | (vmm_pte_flags(p, pte) & VMM_G));
        t->table = vmm_pte_paddr(p, pte);
        level--;
        shift -= p->index_bits[level];
    }
    t->pte = was;
    t->flags = (uint8_t)(t->flags | t->above | (vmm_walk_flags(p, judge, pte) & (VMM_A | VMM_D)));
    t->level = (uint8_t)level;
    t->page_shift = (uint8_t)vmm_pte_page_shift(p, pte, level);
    if (p->rules == VMM_RULES_RISCV) shift = t->page_shift; /* Svnapot: the low bits come from the VA */
    t->paddr = (vmm_leaf_paddr(p, pte, level) & ~vmm_low_mask(shift)) | (inside & vmm_low_mask(shift));
    if (t->paddr & ~vmm_low_mask(width))
        return vmm_fault_set(p, judge, fault, VMM_ACCESS_FAULT, access, VMM_RULE_PADDR_WIDTH, level, va, t->pte_addr,
                             was);
    return VMM_OK;
}
/** @endcond */

/** Walks the tables for one byte.
 *  Reads one entry a level, from the top; every entry is read once, at its full width. An entry
 *  outside the RAM window is an access fault; table loops end because levels count down.
 *  @param p       the format
 *  @param memory  physical memory with the tables
 *  @param root    physical address of the top table
 *  @param judge   by what the access is judged
 *  @param access  enum vmm_access
 *  @param va      virtual address
 *  @param t       receives the translation; t->table is set on a fault too
 *  @param fault   receives the reasons of a fault
 *  @param steps   null, or room for VMM_MAX_LEVELS entries: what was read
 *  @param count   null when steps is, else receives how many were read
 *  @return VMM_OK or VMM_FAULT. O(levels). */
VMM_INLINE vmm_status_t vmm_walk(const vmm_paging_t *p, const vmm_memory_t *memory, vmm_paddr_t root,
                                 const vmm_judge_t *judge, unsigned access, vmm_vaddr_t va, vmm_translation_t *t,
                                 vmm_fault_t *fault, vmm_step_t *steps, unsigned *count)
{
    const vmm_walk_start_t start = {root, p->levels - 1u, p->vaddr_bits, 0xff};
    if (p->rules == VMM_RULES_ARM64 && !vmm_canonical(p, va))
        return vmm_fault_set(p, judge, fault, VMM_PAGE_FAULT, access, VMM_RULE_CANONICAL, p->levels, va, 0, 0);
    return vmm_walk_from(p, memory, start, judge, access, va, t, fault, steps, count);
}

/** @cond internal */
/* -- two stages: RISC-V's hypervisor extension --
 *
 * What the first stage (VS-stage) calls physical is the guest's, and goes through the second (G-stage): where a table
 * lies, and where the leaf leads. Manual, "Two-Stage Address Translation". */

/* An access of a guest. */
typedef struct vmm_guest {
    const vmm_memory_t *memory;
    vmm_fault_t *fault;
    const vmm_judge_t *first; /* by what the first stage judges, */
    vmm_judge_t second;       /* and the second: as user mode's */
    vmm_paddr_t root;         /* table of the second stage */
    vmm_vaddr_t va;
    uint8_t access;
    uint8_t levels; /* of the second stage's format; 0: Bare */
    uint8_t width;  /* most bits of a physical address when it is Bare */
} vmm_guest_t;

/* What an address goes through the second stage for. */
enum vmm_purpose {
    VMM_FOR_ACCESS, /* the access itself */
    VMM_FOR_ENTRY,  /* the reading of an entry of the first stage */
    VMM_FOR_MARK    /* the marking of one */
};

/* Second stage Bare: no rights, no entries. What is too wide for an entry's address is nowhere in memory anyway. */
VMM_INLINE vmm_status_t vmm_second_bare(const vmm_guest_t *g, unsigned purpose, vmm_paddr_t gpa, vmm_translation_t *t)
{
    VMM_SET(t, 0, sizeof *t);
    t->paddr = gpa;
    t->page_shift = 64;
    t->flags = 0xff;
    if (purpose != VMM_FOR_ACCESS || !(gpa & ~vmm_low_mask(g->width))) return VMM_OK;
    return vmm_fault_set(&vmm_sv39, &g->second, g->fault, VMM_ACCESS_FAULT, g->access, VMM_RULE_PADDR_WIDTH, 0, g->va,
                         0, 0);
}

/* The second stage. An entry is read as by a load and marked as by a store; faults are told of the access itself. */
VMM_OUTLINE vmm_status_t vmm_second_stage(const vmm_guest_t *g, unsigned purpose, vmm_paddr_t gpa, vmm_translation_t *t)
{
    const bool hlvx = g->access == VMM_READ && (g->first->features & VMM_RISCV_HLVX);
    const vmm_memory_t *memory = g->memory;
    vmm_judge_t judge = g->second;
    vmm_fault_t *fault = g->fault;
    vmm_status_t status;
    unsigned access = g->access;
    if (hlvx) access = VMM_FETCH;
    if (purpose == VMM_FOR_ENTRY) access = VMM_READ;
    if (purpose == VMM_FOR_ENTRY) judge.mxr = 0; /* MXR is for explicit loads */
    if (purpose == VMM_FOR_MARK) access = VMM_WRITE;
    switch (g->levels) {
    case 0: return vmm_second_bare(g, purpose, gpa, t);
    case 2: status = vmm_walk(&vmm_sv32x4, memory, g->root, &judge, access, gpa, t, fault, NULL, NULL); break;
    case 3: status = vmm_walk(&vmm_sv39x4, memory, g->root, &judge, access, gpa, t, fault, NULL, NULL); break;
    case 4: status = vmm_walk(&vmm_sv48x4, memory, g->root, &judge, access, gpa, t, fault, NULL, NULL); break;
    default: status = vmm_walk(&vmm_sv57x4, memory, g->root, &judge, access, gpa, t, fault, NULL, NULL); break;
    }
    if (status == VMM_OK) return VMM_OK;
    if (fault->kind == VMM_PAGE_FAULT) {
        fault->kind = VMM_GUEST_PAGE_FAULT;
        fault->guest_paddr = gpa;
        fault->code = g->levels == 2 ? 0x2000 : 0x3000;
        if (purpose == VMM_FOR_MARK) fault->code |= 0x20;
        if (purpose == VMM_FOR_ACCESS) fault->code = 0;
    }
    fault->access = g->access;
    fault->cause = vmm_riscv_cause(fault->kind, g->access);
    fault->vaddr = g->va;
    return VMM_FAULT;
}

/* Reads an entry of the first stage. t->pte_addr is where it lies in memory. */
VMM_INLINE vmm_status_t vmm_guest_entry(const vmm_paging_t *p, const vmm_guest_t *g, vmm_paddr_t gpa, unsigned level,
                                        vmm_translation_t *t, uint8_t **host)
{
    vmm_translation_t at;
    if (vmm_second_stage(g, VMM_FOR_ENTRY, gpa, &at)) return VMM_FAULT;
    t->pte_addr = at.paddr;
    t->table = at.paddr & ~vmm_low_mask(p->page_shift);
    *host = vmm_mem_host(g->memory, at.paddr, p->pte_bytes);
    if (!*host)
        return vmm_fault_set(p, g->first, g->fault, VMM_ACCESS_FAULT, g->access, VMM_RULE_TABLE_MEMORY, level, g->va,
                             t->pte_addr, 0);
    if (vmm_entry_refused(g->first, t->pte_addr, p->pte_bytes, VMM_READ))
        return vmm_walk_ends(p, g->first, g->fault, g->access, VMM_RULE_CHECK, level, g->va, t, 0);
    return VMM_OK;
}

/* Judges a leaf of the first stage and marks it, for which the second must let it be written. */
VMM_INLINE vmm_status_t vmm_guest_leaf(const vmm_paging_t *p, const vmm_guest_t *g, vmm_paddr_t gpa, unsigned level,
                                       vmm_translation_t *t, uint8_t *host, vmm_pte_t *pte, bool *again)
{
    const vmm_pte_t want = p->accessed | (g->access == VMM_WRITE ? p->dirty : 0);
    unsigned flags = t->flags = vmm_pte_flags(p, *pte), rule;
    vmm_translation_t at;
    if (g->first->features & VMM_RISCV_HLVX) flags = flags & VMM_X ? flags | VMM_R : flags & ~(unsigned)VMM_R;
    rule = vmm_rights_rule(p, g->first, flags, 0, g->access);
    if (!rule && g->first->marking == VMM_MARK_UPDATE && (*pte & want) != want &&
        vmm_second_stage(g, VMM_FOR_MARK, gpa, &at))
        return VMM_FAULT;
    if (!rule) rule = vmm_pte_mark(p, g->first, want, host, t->pte_addr, pte, again);
    return rule ? vmm_walk_ends(p, g->first, g->fault, g->access, rule, level, g->va, t, *pte) : VMM_OK;
}

/* The first stage: as vmm_walk_from, but for where entries lie. t->paddr is guest physical. */
VMM_INLINE vmm_status_t vmm_guest_walk(const vmm_paging_t *p, const vmm_guest_t *g, vmm_paddr_t table,
                                       vmm_translation_t *t, vmm_step_t *steps, unsigned *count)
{
    unsigned level = p->levels - 1u, rule;
    vmm_pte_t pte, was;
    uint8_t *host;
    t->pte_addr = 0;
    t->above = 0;
    t->granted = 0xff;
    t->type = 0;
    if (!vmm_canonical(p, g->va))
        return vmm_fault_set(p, g->first, g->fault, VMM_PAGE_FAULT, g->access, VMM_RULE_CANONICAL, p->levels, g->va, 0,
                             0);
    for (;;) {
        const uint32_t index = vmm_level_index(p, level, g->va);
        const vmm_paddr_t gpa = table + (uint64_t)index * p->pte_bytes;
        bool again = false;
        if (vmm_guest_entry(p, g, gpa, level, t, &host)) return VMM_FAULT;
        was = pte = vmm_pte_load(p, host);
        if (steps) {
            const vmm_step_t step = {t->pte_addr, pte, index, (uint8_t)level};
            steps[(*count)++] = step;
        }
        rule = vmm_pte_rule(p, g->first, pte, level);
        if (rule) return vmm_walk_ends(p, g->first, g->fault, g->access, rule, level, g->va, t, pte);
        if (!vmm_pte_is_leaf(p, pte, level)) {
            t->above = (uint8_t)(t->above | (vmm_pte_flags(p, pte) & VMM_G));
            table = vmm_pte_paddr(p, pte);
            level--;
            continue;
        }
        if (vmm_guest_leaf(p, g, gpa, level, t, host, &pte, &again)) return VMM_FAULT;
        if (!again) break; /* else it is read once more; not where steps are told, which mark nothing */
    }
    t->pte = was;
    t->flags = (uint8_t)(t->flags | t->above | (vmm_pte_flags(p, pte) & (VMM_A | VMM_D)));
    t->level = (uint8_t)level;
    t->page_shift = (uint8_t)vmm_pte_page_shift(p, pte, level);
    t->paddr = (vmm_pte_paddr(p, pte) & ~vmm_low_mask(t->page_shift)) | (g->va & vmm_low_mask(t->page_shift));
    return VMM_OK;
}

/* Both stages. p is the first one's format, null when it is Bare; t tells of its leaf, or of the second's when it has
 * none, and of what both allow. */
VMM_OUTLINE vmm_status_t vmm_walk_guest(const vmm_paging_t *p, const vmm_guest_t *g, vmm_paddr_t root,
                                        vmm_translation_t *t, vmm_step_t *steps, unsigned *count)
{
    vmm_translation_t at;
    vmm_status_t status = VMM_OK;
    switch (p ? p->levels : 0u) {
    case 0:
        VMM_SET(t, 0, sizeof *t);
        t->paddr = g->va;
        break;
    case 2: status = vmm_guest_walk(&vmm_sv32, g, root, t, steps, count); break;
    case 3: status = vmm_guest_walk(&vmm_sv39, g, root, t, steps, count); break;
    case 4: status = vmm_guest_walk(&vmm_sv48, g, root, t, steps, count); break;
    default: status = vmm_guest_walk(&vmm_sv57, g, root, t, steps, count); break;
    }
    if (status == VMM_OK) status = vmm_second_stage(g, VMM_FOR_ACCESS, t->paddr, &at);
    if (status) return status;
    if (!p) {
        at.flags |= VMM_U;
        *t = at;
        if (!g->levels) t->level = vmm_sv57.levels; /* no entry was read */
        t->first_shift = 12;
        t->page_shift = t->page_shift < 64 ? t->page_shift : 12;
        return VMM_OK;
    }
    t->paddr = at.paddr;
    t->flags &= (uint8_t)(at.flags | VMM_U | VMM_G);
    t->first_shift = t->page_shift;
    if (at.page_shift < t->page_shift) t->page_shift = at.page_shift;
    return VMM_OK;
}
/** @endcond */
/** @} */

/* ================================================================= Part I  3. editing == */
/** @defgroup vmm_editing 3. Page-table editing
 *  Tables made, changed and taken down by range. Needs no MMU of ours: what it writes is the
 *  processor's own encoding. VMM_TABLES(name, paging) or VMM_MMU stamp NAME_map and its kin.
 *
 *  Every edit first reads the range (a bad table is told before anything is changed), then takes
 *  all the tables it will need, and only then changes entries, which cannot fail. When a table
 *  cannot be had, those taken are given back and the mapping is as before. (A tree in which one
 *  table hangs in two places is no tree: an edit of it stays inside RAM, and that is all.)
 *
 *  Thread safety: the caller keeps other edits of the same tables away. A processor may walk them
 *  meanwhile; the marks that it sets are kept by NAME_protect and by splits, not by NAME_unmap and
 *  NAME_merge: take the right to write away and flush before asking for the dirty bit of a page.
 *  @{ */

/** What has to be flushed. */
enum vmm_flush_kind {
    VMM_FLUSH_MADE = 0,    /**< Entries became valid: only for processors that remember invalid ones. */
    VMM_FLUSH_CHANGED = 1, /**< Leaf entries were changed or taken away. */
    VMM_FLUSH_TABLE = 2    /**< A table was taken out or put in: caches of upper levels too. */
};

/** A run of pages whose translations are no longer what they were. */
typedef struct vmm_flush {
    vmm_vaddr_t vaddr;  /**< First byte. */
    uint64_t bytes;     /**< Length; 0 means 2^64. */
    uint8_t page_shift; /**< log2 of the page size of the entries concerned. */
    uint8_t kind;       /**< enum vmm_flush_kind. */
} vmm_flush_t;

/** A tree of page tables under edit. Plain data; copies are as good as the original. */
typedef struct vmm_tables {
    const vmm_memory_t *memory; /**< Where the tables lie: always in the RAM window. */
    vmm_paddr_t root;           /**< The top table. */
    uint32_t format;            /**< Which format of the instance's architecture; 0: the first. */
    /** Hands out a piece of RAM for a table, aligned to its size and to a page, of any content. Not
     *  0: none left. */
    int (*take)(void *user, uint64_t bytes, vmm_paddr_t *table);
    /** Takes a table back; null: tables are never given back. */
    void (*give)(void *user, vmm_paddr_t table, uint64_t bytes);
    void *user; /**< Passed to take and give. */
    /** Told what to flush, before the tables concerned are given back; null: nobody asks. */
    void (*flush)(void *flush_user, const vmm_flush_t *what);
    void *flush_user; /**< Passed to flush. */
} vmm_tables_t;

/** A valid entry, as NAME_query and NAME_visit tell it. */
typedef struct vmm_mapping {
    vmm_vaddr_t vaddr;    /**< First byte that the entry covers. */
    vmm_paddr_t paddr;    /**< What that byte maps to; of a pointer: the table below. */
    uint64_t bytes;       /**< What the entry covers (one entry of a contiguous group: its own share). */
    vmm_pte_t pte;        /**< The entry. */
    vmm_paddr_t pte_addr; /**< Where it stands. */
    uint8_t flags;        /**< Rights and marks. */
    uint8_t level;        /**< Its level. */
    uint8_t leaf;         /**< 1: maps a page; 0: points to a table. */
    uint8_t status;       /**< VMM_OK, or VMM_E_TABLE: a pointer out of RAM, back up the tree, or at level 0. */
} vmm_mapping_t;

/** Called for every valid entry; not 0 stops the visit. */
typedef int (*vmm_visitor_t)(void *user, const vmm_mapping_t *mapping);

/** @cond internal */
VMM_INLINE void vmm_entry_store(uint8_t *at, vmm_pte_t pte, unsigned bytes)
{
    switch (bytes) {
    case 2: VMM_ATOMIC_RELEASE((vmm_any16_t *)(void *)at, (uint16_t)vmm_little(pte, 2)); break;
    case 4: VMM_ATOMIC_RELEASE((vmm_any32_t *)(void *)at, (uint32_t)vmm_little(pte, 4)); break;
    default: VMM_ATOMIC_RELEASE((vmm_any64_t *)(void *)at, vmm_little(pte, 8)); break;
    }
}

VMM_INLINE void vmm_pte_store(const vmm_paging_t *p, uint8_t *at, vmm_pte_t pte)
{
    vmm_entry_store(at, pte, p->pte_bytes);
}

/* One named bit of an entry, so that it grants or does not. */
VMM_INLINE vmm_pte_t vmm_pte_bit(const vmm_paging_t *p, vmm_pte_t bit, bool grant)
{
    return grant == ((bit & p->inverted) != 0) ? 0 : bit;
}

/* All bits that stand for rights and marks. */
VMM_INLINE vmm_pte_t vmm_pte_flag_bits(const vmm_paging_t *p)
{
    const vmm_pte_t soft = p->rules == VMM_RULES_ARM64 ? VMM_ARM64_SOFT_DIRTY : 0;
    return p->read | p->write | p->execute | p->user | p->global | p->accessed | p->dirty | soft;
}

/* AArch64: W without D is writable but clean; the right to execute goes to user mode or to the supervisor. */
VMM_INLINE vmm_pte_t vmm_arm64_from_flags(uint32_t flags)
{
    const vmm_pte_t never = VMM_ARM64_UXN | VMM_ARM64_PXN;
    const bool dirty = (flags & VMM_W) && (flags & VMM_D);
    return (flags & VMM_X ? never & ~(flags & VMM_U ? VMM_ARM64_UXN : VMM_ARM64_PXN) : never) |
           (flags & VMM_W ? VMM_ARM64_DBM : 0) | (dirty ? 0u : (vmm_pte_t)VMM_ARM64_AP2) |
           ((flags & VMM_D) && !dirty ? VMM_ARM64_SOFT_DIRTY : 0) | (flags & VMM_U ? 0x40u : 0u) |
           (flags & VMM_G ? 0u : 0x800u) | (flags & VMM_A ? 0x400u : 0u);
}

VMM_INLINE vmm_pte_t vmm_pte_from_flags(const vmm_paging_t *p, uint32_t flags)
{
    if (p->rules == VMM_RULES_ARM64) return vmm_arm64_from_flags(flags);
    return vmm_pte_bit(p, p->read, flags & VMM_R) | vmm_pte_bit(p, p->write, flags & VMM_W) |
           vmm_pte_bit(p, p->execute, flags & VMM_X) | vmm_pte_bit(p, p->user, flags & VMM_U) |
           vmm_pte_bit(p, p->global, flags & VMM_G) | vmm_pte_bit(p, p->accessed, flags & VMM_A) |
           vmm_pte_bit(p, p->dirty, flags & VMM_D);
}

VMM_INLINE vmm_pte_t vmm_pte_frame(const vmm_paging_t *p, vmm_paddr_t paddr)
{
    const vmm_pte_t frame = ((paddr >> p->page_shift) & vmm_low_mask(p->ppn_bits)) << p->ppn_lsb;
    if (p->rules == VMM_RULES_ARM64 && p->paddr_bits > 48) return frame | ((paddr >> 48) & 15) << 12;
    return frame;
}

VMM_INLINE vmm_pte_t vmm_pte_leaf(const vmm_paging_t *p, vmm_paddr_t paddr, uint32_t flags, unsigned level)
{
    vmm_pte_t pte = p->valid | vmm_pte_frame(p, paddr) | vmm_pte_from_flags(p, flags);
    if (p->huge) pte |= vmm_pte_bit(p, p->huge, level > 0);
    if (p->rules == VMM_RULES_ARM64) pte |= 0x300; /* inner shareable, AttrIndx 0 */
    if (flags & VMM_NONCACHED) pte |= UINT64_C(1) << VMM_RISCV_PBMT_SHIFT;
    if (flags & VMM_IO) pte |= UINT64_C(2) << VMM_RISCV_PBMT_SHIFT;
    return pte;
}

/* A pointer of a level grants everything where rights add up, and carries no right where they do not: also in
 * the four registers that are the top table of x86's PAE. */
VMM_INLINE vmm_pte_t vmm_pte_pointer(const vmm_paging_t *p, vmm_paddr_t table, unsigned level)
{
    const bool adds = p->rights == VMM_RIGHTS_EVERY && !vmm_is_pdpte(p, level);
    const uint32_t flags = adds ? VMM_R | VMM_W | VMM_X | VMM_U : 0u;
    const vmm_pte_t rights = flags ? vmm_pte_from_flags(p, flags) : 0;
    return p->valid | vmm_pte_frame(p, table) | rights | vmm_pte_bit(p, p->huge, false);
}

#define VMM_RIGHT_FLAGS (VMM_R | VMM_W | VMM_X | VMM_U | VMM_G)
#define VMM_MAP_FLAGS (VMM_RIGHT_FLAGS | VMM_A | VMM_D | VMM_REPLACE | VMM_NO_HUGE | VMM_NONCACHED | VMM_IO)

/* Which rights the format can say: a right without a bit is always there, a mark is never asked for. */
VMM_INLINE bool vmm_flags_fit(const vmm_paging_t *p, uint32_t flags)
{
    const uint32_t types = flags & (VMM_NONCACHED | VMM_IO);
    if (p->rules == VMM_RULES_RISCV && !(flags & (VMM_R | VMM_X))) return false;
    if (p->rules == VMM_RULES_RISCV && (flags & VMM_W) && !(flags & VMM_R)) return false;
    if (types && (p->rules != VMM_RULES_RISCV || p->pte_bytes != 8 || types == (VMM_NONCACHED | VMM_IO))) return false;
    return (p->read || (flags & VMM_R)) && (p->write || (flags & VMM_W)) && (p->execute || (flags & VMM_X)) &&
           (p->user || (flags & VMM_U)) && (p->global || !(flags & VMM_G));
}

/* Tables taken before an edit begins, so that the edit cannot fail: how many of each level are
 * left, and a list of them, linked through their own first bytes. */
typedef struct vmm_reserve {
    uint64_t left[VMM_MAX_LEVELS];
    vmm_paddr_t first[VMM_MAX_LEVELS];
} vmm_reserve_t;

/* Position in a tree: the open table of each level from the top down to `level`.
 * Invariant: table[l] for l >= level is the table that covers va at level l. */
typedef struct vmm_cursor {
    const vmm_paging_t *p;
    const vmm_tables_t *t;
    vmm_reserve_t *reserve;
    vmm_vaddr_t va;
    unsigned level;
    vmm_paddr_t table[VMM_MAX_LEVELS];
} vmm_cursor_t;

VMM_INLINE vmm_cursor_t vmm_cursor_open(const vmm_paging_t *p, const vmm_tables_t *t)
{
    vmm_cursor_t c;
    VMM_SET(&c, 0, sizeof c);
    c.p = p;
    c.t = t;
    c.level = p->levels - 1u;
    c.table[c.level] = t->root;
    return c;
}

/* Host address of the entry for c->va at c->level, or null when the table leaves RAM. */
VMM_INLINE uint8_t *vmm_cursor_entry(const vmm_cursor_t *c)
{
    uint8_t *table = vmm_mem_host(c->t->memory, c->table[c->level], vmm_table_bytes(c->p, c->level));
    VMM_ASSERT(c->level < c->p->levels);
    if (!table || ((uintptr_t)table & (c->p->pte_bytes - 1u))) return NULL;
    return table + (size_t)vmm_level_index(c->p, c->level, c->va) * c->p->pte_bytes;
}

/* A table one level down: in RAM, and none of those above it? */
VMM_INLINE bool vmm_cursor_may_enter(const vmm_cursor_t *c, vmm_paddr_t table)
{
    unsigned level;
    for (level = c->level; level < c->p->levels; level++)
        if (c->table[level] == table) return false;
    return vmm_mem_host(c->t->memory, table, vmm_table_bytes(c->p, c->level - 1u)) != NULL;
}

/* Goes to va: up while the open table does not cover it, then down through pointers as far as they
 * lead, not below `lowest`. *entry is the entry where it stopped. */
VMM_INLINE vmm_status_t vmm_cursor_go(vmm_cursor_t *c, vmm_vaddr_t va, unsigned lowest, uint8_t **entry)
{
    const vmm_paging_t *p = c->p;
    while (c->level + 1u < p->levels && (c->level < lowest || ((va ^ c->va) >> vmm_level_shift(p, c->level + 1u)) != 0))
        c->level++;
    c->va = va;
    for (;;) {
        vmm_pte_t pte;
        *entry = vmm_cursor_entry(c);
        if (!*entry) return VMM_E_TABLE;
        if (c->level <= lowest) return VMM_OK;
        pte = vmm_pte_load(p, *entry);
        if (!(pte & p->valid) || vmm_pte_is_leaf(p, pte, c->level)) return VMM_OK;
        if (!vmm_cursor_may_enter(c, vmm_pte_paddr(p, pte))) return VMM_E_TABLE;
        c->level--;
        c->table[c->level] = vmm_pte_paddr(p, pte);
    }
}

/* How many entries of a level one run from va takes: to the end of the table or of the range at
 * level 0; one above. *span is what they cover of the range. */
VMM_INLINE uint64_t vmm_run(const vmm_paging_t *p, unsigned level, vmm_vaddr_t va, uint64_t left, uint64_t *span)
{
    const unsigned shift = vmm_level_shift(p, level);
    const uint64_t room = vmm_low_mask(shift) - (va & vmm_low_mask(shift)) + 1; /* 0: 2^64 */
    uint64_t entries, wanted;
    if (level > 0) {
        *span = room == 0 || left < room ? left : room;
        return 1;
    }
    entries = (UINT64_C(1) << p->index_bits[0]) - vmm_level_index(p, 0, va);
    wanted = left >> shift;
    if (wanted < entries) entries = wanted;
    *span = entries << shift;
    return entries;
}

VMM_INLINE void vmm_tell_flush(const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes, unsigned page_shift,
                               unsigned kind)
{
    vmm_flush_t what;
    if (!t->flush || bytes == 0) return;
    what.vaddr = va;
    what.bytes = bytes;
    what.page_shift = (uint8_t)page_shift;
    what.kind = (uint8_t)kind;
    t->flush(t->flush_user, &what);
}

/* What every edit asks of its arguments. MIPS has no tables. */
VMM_INLINE vmm_status_t vmm_tables_check(const vmm_paging_t *p, const vmm_tables_t *t)
{
    const vmm_status_t status = vmm_paging_check(p);
    if (status) return status;
    if (p->rules == VMM_RULES_MIPS) return VMM_E_ARGUMENT;
    return t->memory ? vmm_mem_check(t->memory, p) : VMM_E_ARGUMENT;
}

/* A range as the public functions take it: whole pages, not empty, inside the address space. */
VMM_INLINE vmm_status_t vmm_range_check(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes)
{
    const vmm_status_t status = vmm_tables_check(p, t);
    if (status) return status;
    if (p->rules == VMM_RULES_ARM32) return VMM_E_ARGUMENT; /* looked at, not edited */
    if ((va | bytes) & vmm_low_mask(p->page_shift)) return VMM_E_ALIGN;
    if (bytes == 0 || va + (bytes - 1) < va) return VMM_E_RANGE;
    if (!vmm_canonical(p, va) || !vmm_canonical(p, va + (bytes - 1))) return VMM_E_RANGE;
    if (vmm_halves_differ(p, va, va + (bytes - 1))) return VMM_E_RANGE;
    if (p->vaddr_rule == VMM_VADDR_WRAP && (va + (bytes - 1)) & ~vmm_low_mask(p->vaddr_bits)) return VMM_E_RANGE;
    return VMM_OK;
}

/* Reads a range. VMM_E_TABLE: a table lies wrong. VMM_E_MAPPED: `free` was asked for and a page is
 * mapped; VMM_E_NOT_MAPPED: `full` was asked for and one is not. */
VMM_OUTLINE vmm_status_t vmm_range_read(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t left,
                                        bool free, bool full)
{
    vmm_cursor_t c = vmm_cursor_open(p, t);
    while (left) {
        uint64_t span, entries;
        uint8_t *entry;
        const vmm_status_t status = vmm_cursor_go(&c, va, 0, &entry);
        if (status) return status;
        entries = vmm_run(p, c.level, va, left, &span);
        for (; (free || full) && entries; entries--, entry += p->pte_bytes) {
            const vmm_pte_t pte = vmm_pte_load(p, entry);
            if ((pte & p->valid) && free) return VMM_E_MAPPED;
            if (!(pte & p->valid) && full) return VMM_E_NOT_MAPPED;
            if (full && !vmm_pte_is_leaf(p, pte, c.level)) return VMM_E_TABLE;
        }
        va += span;
        left -= span;
    }
    return VMM_OK;
}

/* One table from the callback, checked: in RAM, aligned to its size, and an entry can name it. */
VMM_INLINE vmm_status_t vmm_table_take(const vmm_paging_t *p, const vmm_tables_t *t, unsigned level, vmm_paddr_t *table,
                                       uint8_t **host)
{
    const uint64_t bytes = vmm_table_bytes(p, level);
    if (!t->take || t->take(t->user, bytes, table)) return VMM_E_NO_FRAME;
    *host = vmm_mem_host(t->memory, *table, bytes);
    if (*host && !(*table & (bytes - 1)) && vmm_pte_paddr(p, vmm_pte_frame(p, *table)) == *table) return VMM_OK;
    if (t->give) t->give(t->user, *table, bytes);
    return VMM_E_TABLE;
}

/* The next table of a level, or null when none is left: which happens only in trees whose tables
 * share a table, where an edit in one place changes another that was counted already. A callback that
 * handed out a table in use broke the list: then what it names is no table, and the rest is lost. */
VMM_INLINE uint8_t *vmm_reserve_pop(const vmm_paging_t *p, const vmm_tables_t *t, vmm_reserve_t *r, unsigned level,
                                    vmm_paddr_t *table)
{
    const uint64_t bytes = vmm_table_bytes(p, level);
    uint8_t *host = NULL;
    if (r->left[level]) host = vmm_mem_host(t->memory, r->first[level], bytes);
    if (!host || r->first[level] & (bytes - 1)) return NULL;
    *table = r->first[level];
    r->first[level] = vmm_get(host, 8);
    r->left[level]--;
    return host;
}

VMM_INLINE void vmm_reserve_give(const vmm_paging_t *p, const vmm_tables_t *t, vmm_reserve_t *r)
{
    vmm_paddr_t table;
    unsigned level;
    for (level = 0; level < p->levels; level++)
        while (vmm_reserve_pop(p, t, r, level, &table))
            if (t->give) t->give(t->user, table, vmm_table_bytes(p, level));
}

/* Takes as many tables of each level as need says. All or nothing. */
VMM_OUTLINE vmm_status_t vmm_reserve_take(const vmm_paging_t *p, const vmm_tables_t *t, const uint64_t *need,
                                          vmm_reserve_t *r)
{
    unsigned level;
    VMM_SET(r, 0, sizeof *r);
    for (level = 0; level < p->levels; level++)
        while (r->left[level] < need[level]) {
            vmm_paddr_t table;
            uint8_t *host;
            const vmm_status_t status = vmm_table_take(p, t, level, &table, &host);
            if (status) {
                vmm_reserve_give(p, t, r);
                return status;
            }
            vmm_put(host, r->first[level], 8);
            r->first[level] = table;
            r->left[level]++;
        }
    return VMM_OK;
}

/* Counts the tables needed to split leaves so that one begins at va. Levels that splitting at
 * `other` counts already are left out. */
VMM_INLINE vmm_status_t vmm_need_cut(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_vaddr_t other,
                                     uint64_t *need)
{
    vmm_cursor_t c = vmm_cursor_open(p, t);
    uint8_t *entry;
    unsigned level;
    const vmm_status_t status = vmm_cursor_go(&c, va, 0, &entry);
    if (status || !(vmm_pte_load(p, entry) & p->valid)) return status;
    for (level = c.level; level > 0; level--) {
        const unsigned shift = vmm_level_shift(p, level);
        if (!(va & vmm_low_mask(shift))) break;
        if (((va ^ other) >> shift) == 0 && (other & vmm_low_mask(shift)) && other != va) continue;
        need[level - 1]++;
    }
    return VMM_OK;
}

/* The entry that a leaf's piece number `i` one level down has. A contiguous group becomes single
 * pages; frame, rights, marks and memory type stay. */
VMM_INLINE vmm_pte_t vmm_pte_piece(const vmm_paging_t *p, vmm_pte_t pte, unsigned level, uint64_t i)
{
    const vmm_paddr_t paddr = vmm_leaf_paddr(p, pte, level) + (i << vmm_level_shift(p, level - 1u));
    const vmm_pte_t pat = p->rules == VMM_RULES_X86 ? pte & VMM_X86_PAT_LARGE : 0;
    pte &= ~vmm_pte_frame(p, ~UINT64_C(0));
    if (p->huge && level == 1) pte = (pte & ~p->huge) | vmm_pte_bit(p, p->huge, false);
    if (pat) pte |= level == 1 ? 0x80u : pat; /* x86 moves PAT in small pages */
    return pte | vmm_pte_frame(p, paddr);
}

/* The leaf one level up that `first`, the first entry of a table, may be the first piece of. */
VMM_INLINE vmm_pte_t vmm_pte_whole(const vmm_paging_t *p, vmm_pte_t first, unsigned level)
{
    vmm_pte_t leaf = p->huge ? (first & ~p->huge) | vmm_pte_bit(p, p->huge, true) : first;
    if (p->rules == VMM_RULES_X86 && level == 1 && (first & 0x80)) leaf |= VMM_X86_PAT_LARGE;
    return leaf;
}

/* Hangs a table that is filled already under the cursor's entry, if that is still `was`, and enters
 * it. Returns whether it was: a processor may have marked it meanwhile. */
VMM_INLINE bool vmm_cursor_link(vmm_cursor_t *c, uint8_t *entry, vmm_pte_t was, vmm_paddr_t table)
{
    const vmm_paging_t *p = c->p;
    const unsigned shift = vmm_level_shift(p, c->level);
    if (!vmm_pte_swap(p, entry, was, vmm_pte_pointer(p, table, c->level))) return false;
    if (was & p->valid)
        vmm_tell_flush(c->t, c->va & ~vmm_low_mask(shift), vmm_low_mask(shift) + 1, shift, VMM_FLUSH_TABLE);
    c->level--;
    c->table[c->level] = table;
    return true;
}

/* Makes a table out of the reserve under the cursor's entry and enters it: the pieces of the leaf
 * that stands there, or empty. Returns whether the reserve had one. */
VMM_INLINE bool vmm_cursor_make(vmm_cursor_t *c, uint8_t *entry)
{
    const vmm_paging_t *p = c->p;
    const unsigned level = c->level;
    vmm_paddr_t table;
    uint8_t *host = vmm_reserve_pop(p, c->t, c->reserve, level - 1u, &table);
    vmm_pte_t pte;
    uint64_t i;
    if (!host) return false;
    VMM_SET(host, 0, (size_t)vmm_table_bytes(p, level - 1u));
    do {
        pte = vmm_pte_load(p, entry);
        for (i = 0; (pte & p->valid) && i < UINT64_C(1) << p->index_bits[level - 1u]; i++)
            vmm_pte_store(p, host + i * p->pte_bytes, vmm_pte_piece(p, pte, level, i));
    } while (!vmm_cursor_link(c, entry, pte, table));
    return true;
}

/* Takes the empty table under an entry out: told, then given back. */
VMM_INLINE void vmm_table_drop(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, unsigned level,
                               uint8_t *entry)
{
    const unsigned shift = vmm_level_shift(p, level);
    const vmm_paddr_t table = vmm_pte_paddr(p, vmm_pte_load(p, entry));
    vmm_pte_store(p, entry, 0);
    vmm_tell_flush(t, va & ~vmm_low_mask(shift), vmm_low_mask(shift) + 1, p->page_shift, VMM_FLUSH_TABLE);
    if (t->give) t->give(t->user, table, vmm_table_bytes(p, level - 1u));
}

VMM_INLINE bool vmm_table_empty(const vmm_paging_t *p, const uint8_t *table, unsigned level)
{
    uint64_t entries = UINT64_C(1) << p->index_bits[level];
    for (; entries; entries--, table += p->pte_bytes)
        if (vmm_pte_load(p, table) != 0) return false;
    return true;
}

/* Gives back the tables of a range that hold nothing any more, from the lowest level up. */
VMM_OUTLINE void vmm_range_prune(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t start, uint64_t bytes)
{
    unsigned level;
    for (level = 1; level < p->levels; level++) {
        vmm_cursor_t c = vmm_cursor_open(p, t);
        vmm_vaddr_t va = start;
        uint64_t left = bytes;
        while (left) {
            uint64_t span;
            uint8_t *entry, *table;
            vmm_pte_t pte;
            if (vmm_cursor_go(&c, va, level, &entry)) return;
            (void)vmm_run(p, c.level, va, left, &span);
            pte = vmm_pte_load(p, entry);
            if (c.level == level && (pte & p->valid) && !vmm_pte_is_leaf(p, pte, level)) {
                table = vmm_mem_host(t->memory, vmm_pte_paddr(p, pte), vmm_table_bytes(p, level - 1u));
                const bool covered = span - 1u == vmm_low_mask(vmm_level_shift(p, level)); /* cleared just now */
                if (table && (covered || vmm_table_empty(p, table, level - 1u))) vmm_table_drop(p, t, va, level, entry);
            }
            va += span;
            left -= span;
        }
    }
}

/* Breaks leaves until one begins at va. */
VMM_INLINE void vmm_cut_at(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_reserve_t *reserve)
{
    vmm_cursor_t c = vmm_cursor_open(p, t);
    uint8_t *entry;
    c.reserve = reserve;
    if (vmm_cursor_go(&c, va, 0, &entry) || !(vmm_pte_load(p, entry) & p->valid)) return;
    while (c.level > 0 && (va & vmm_low_mask(vmm_level_shift(p, c.level))))
        if (!vmm_cursor_make(&c, vmm_cursor_entry(&c))) return;
}

/* RISC-V: single pages in place of a contiguous group of 16 that va cuts. Needs no table. */
VMM_INLINE void vmm_napot_cut_at(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va)
{
    const uint64_t group = UINT64_C(16) << p->page_shift;
    vmm_cursor_t c = vmm_cursor_open(p, t);
    uint8_t *entry;
    vmm_pte_t pte;
    unsigned i, cut = 0;
    if (p->rules != VMM_RULES_RISCV || p->pte_bytes != 8 || !(va & (group - 1))) return;
    if (vmm_cursor_go(&c, va & ~(group - 1), 0, &entry) || c.level > 0) return;
    for (i = 0; i < 16; i++, entry += p->pte_bytes) {
        pte = vmm_pte_load(p, entry);
        if (!(pte & p->valid) || !(pte & VMM_RISCV_N) || ((pte >> 10) & 15) != 8) continue;
        pte = (pte & ~(VMM_RISCV_N | vmm_pte_frame(p, group - 1))) | vmm_pte_frame(p, (vmm_paddr_t)i << p->page_shift);
        vmm_pte_store(p, entry, pte);
        cut++;
    }
    if (cut) vmm_tell_flush(t, va & ~(group - 1), group, p->page_shift, VMM_FLUSH_CHANGED);
}

/* Makes leaves begin at both ends of a range. All or nothing. */
VMM_OUTLINE vmm_status_t vmm_range_cut(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes)
{
    const vmm_vaddr_t end = va + bytes;
    const bool inner = (end & vmm_low_mask(p->vaddr_bits)) != 0 && vmm_canonical(p, end);
    uint64_t need[VMM_MAX_LEVELS] = {0, 0, 0, 0, 0, 0};
    vmm_reserve_t reserve;
    vmm_status_t status = vmm_need_cut(p, t, va, va, need);
    if (status == VMM_OK && inner) status = vmm_need_cut(p, t, end, va, need);
    if (status == VMM_OK) status = vmm_reserve_take(p, t, need, &reserve);
    if (status) return status;
    vmm_cut_at(p, t, va, &reserve);
    vmm_napot_cut_at(p, t, va);
    if (inner) {
        vmm_cut_at(p, t, end, &reserve);
        vmm_napot_cut_at(p, t, end);
    }
    vmm_reserve_give(p, t, &reserve);
    return VMM_OK;
}

/* The highest level whose page fits: aligned on both sides, and not longer than what is left. */
VMM_INLINE unsigned vmm_fitting_level(const vmm_paging_t *p, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t left,
                                      uint32_t flags)
{
    unsigned level, best = 0;
    if (flags & VMM_NO_HUGE) return 0;
    for (level = 1; level < p->levels; level++) {
        const uint64_t mask = vmm_low_mask(vmm_level_shift(p, level));
        if (((p->leaf_levels >> level) & 1) && !((va | pa) & mask) && left - 1 >= mask) best = level;
    }
    return best;
}

/* Goes to where the next leaf of a map is put, as far down as tables lead. A table that stands where
 * a huge page would fit stays and is gone down through: *level becomes the next that takes leaves. */
VMM_INLINE vmm_status_t vmm_cursor_place(vmm_cursor_t *c, vmm_vaddr_t va, unsigned *level, uint8_t **entry)
{
    const vmm_paging_t *p = c->p;
    vmm_status_t status = vmm_cursor_go(c, va, *level, entry);
    while (status == VMM_OK && *level > 0 && c->level == *level) {
        const vmm_pte_t pte = vmm_pte_load(p, *entry);
        if (!(pte & p->valid) || vmm_pte_is_leaf(p, pte, *level)) break;
        do --*level;
        while (*level > 0 && !((p->leaf_levels >> *level) & 1));
        status = vmm_cursor_go(c, va, *level, entry);
    }
    return status;
}

/* Counts the tables that a map will take: missing ones, and those that break a leaf in the way. */
VMM_INLINE vmm_status_t vmm_need_map(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_paddr_t pa,
                                     uint64_t left, uint32_t flags, uint64_t *need)
{
    vmm_cursor_t c = vmm_cursor_open(p, t);
    vmm_vaddr_t counted[VMM_MAX_LEVELS] = {0, 0, 0, 0, 0, 0}; /* entry that was counted last, plus 1 */
    while (left) {
        uint64_t span;
        uint8_t *entry;
        unsigned above, level = vmm_fitting_level(p, va, pa, left, flags);
        const vmm_status_t status = vmm_cursor_place(&c, va, &level, &entry);
        if (status) return status;
        for (above = c.level; above > level; above--) {
            const uint64_t covers = (va >> vmm_level_shift(p, above)) + 1;
            if (counted[above] != covers) need[above - 1]++;
            counted[above] = covers;
        }
        (void)vmm_run(p, level, va, left, &span);
        va += span;
        pa += span;
        left -= span;
    }
    return VMM_OK;
}

/* Writes leaves into one table: the loop that a map is made of. */
VMM_INLINE void vmm_fill_as(uint8_t *entry, vmm_pte_t pte, vmm_pte_t step, uint64_t entries, unsigned bytes)
{
    for (; entries >= 4; entries -= 4, entry += 4 * bytes, pte += 4 * step) {
        vmm_entry_store(entry, pte, bytes);
        vmm_entry_store(entry + bytes, pte + step, bytes);
        vmm_entry_store(entry + 2 * bytes, pte + 2 * step, bytes);
        vmm_entry_store(entry + 3 * bytes, pte + 3 * step, bytes);
    }
    for (; entries; entries--, entry += bytes, pte += step) vmm_entry_store(entry, pte, bytes);
}

VMM_INLINE void vmm_fill(const vmm_paging_t *p, uint8_t *entry, vmm_pte_t pte, vmm_pte_t step, uint64_t entries)
{
    switch (p->pte_bytes) {
    case 2: vmm_fill_as(entry, pte, step, entries, 2); break;
    case 4: vmm_fill_as(entry, pte, step, entries, 4); break;
    default: vmm_fill_as(entry, pte, step, entries, 8); break;
    }
}

/* Puts the leaves in, making tables from the reserve. Fails only where tables share a table. */
VMM_INLINE vmm_status_t vmm_range_fill(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_paddr_t pa,
                                       uint64_t left, uint32_t flags, vmm_reserve_t *reserve)
{
    vmm_cursor_t c = vmm_cursor_open(p, t);
    c.reserve = reserve;
    while (left) {
        uint64_t span;
        uint8_t *entry;
        unsigned level = vmm_fitting_level(p, va, pa, left, flags);
        unsigned shift;
        uint64_t entries;
        vmm_pte_t leaf, step;
        if (vmm_cursor_place(&c, va, &level, &entry)) return VMM_E_TABLE;
        entries = vmm_run(p, level, va, left, &span);
        shift = vmm_level_shift(p, level);
        leaf = vmm_pte_leaf(p, pa, flags, level);
        step = vmm_pte_frame(p, UINT64_C(1) << shift);
        for (; c.level > level + 1u; entry = vmm_cursor_entry(&c))
            if (!vmm_cursor_make(&c, entry)) return VMM_E_TABLE;
        if (c.level > level && level == 0 && entries >> p->index_bits[0]) { /* filled before it is seen */
            vmm_paddr_t table;
            uint8_t *host = vmm_reserve_pop(p, t, reserve, 0, &table);
            if (!host) return VMM_E_TABLE;
            vmm_fill(p, host, leaf, step, entries);
            while (!vmm_cursor_link(&c, entry, vmm_pte_load(p, entry), table)) {}
        } else {
            if (c.level > level && !vmm_cursor_make(&c, entry)) return VMM_E_TABLE;
            vmm_fill(p, vmm_cursor_entry(&c), leaf, step, entries);
        }
        vmm_tell_flush(t, va, span, shift, flags & VMM_REPLACE ? VMM_FLUSH_CHANGED : VMM_FLUSH_MADE);
        va += span;
        pa += span;
        left -= span;
    }
    return VMM_OK;
}

/* The body of NAME_map; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_map(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_paddr_t pa,
                                    uint64_t bytes, uint32_t flags)
{
    unsigned width;
    uint64_t need[VMM_MAX_LEVELS] = {0, 0, 0, 0, 0, 0};
    vmm_reserve_t reserve;
    vmm_status_t status = vmm_range_check(p, t, va, bytes);
    if (status) return status;
    width = vmm_mem_width(t->memory, p);
    if (pa & vmm_low_mask(p->page_shift)) return VMM_E_ALIGN;
    if (width > (unsigned)p->ppn_bits + p->page_shift && p->rules == VMM_RULES_X86)
        width = (unsigned)p->ppn_bits + p->page_shift; /* PSE-36 pages above 4 GiB are read, not made */
    if (pa + (bytes - 1) < pa || ((pa + (bytes - 1)) & ~vmm_low_mask(width))) return VMM_E_RANGE;
    if (flags & ~(uint32_t)VMM_MAP_FLAGS) return VMM_E_ARGUMENT;
    if (!vmm_flags_fit(p, flags)) return VMM_E_RIGHTS;
    status = vmm_range_read(p, t, va, bytes, !(flags & VMM_REPLACE), false);
    if (status == VMM_OK) status = vmm_need_map(p, t, va, pa, bytes, flags, need);
    if (status == VMM_OK) status = vmm_reserve_take(p, t, need, &reserve);
    if (status) return status;
    if (flags & VMM_REPLACE) {
        vmm_napot_cut_at(p, t, va);
        vmm_napot_cut_at(p, t, va + bytes);
    }
    status = vmm_range_fill(p, t, va, pa, bytes, flags, &reserve);
    vmm_reserve_give(p, t, &reserve);
    return status;
}

/* Clears the leading entries whose valid bit equals `valid`. Returns how many. */
VMM_INLINE uint64_t vmm_clear_as(uint8_t *entry, vmm_pte_t valid_bit, bool valid, uint64_t entries, unsigned bytes)
{
    uint64_t i;
    for (i = 0; i < entries; i++, entry += bytes) {
        if (((vmm_entry_load(entry, bytes) & valid_bit) != 0) != valid) break;
        vmm_entry_store(entry, 0, bytes);
    }
    return i;
}

VMM_INLINE uint64_t vmm_clear(const vmm_paging_t *p, uint8_t *entry, bool valid, uint64_t entries)
{
    switch (p->pte_bytes) {
    case 2: return vmm_clear_as(entry, p->valid, valid, entries, 2);
    case 4: return vmm_clear_as(entry, p->valid, valid, entries, 4);
    default: return vmm_clear_as(entry, p->valid, valid, entries, 8);
    }
}

/* Clears the entries of one run and tells each unbroken stretch of valid ones. */
VMM_INLINE void vmm_run_clear(const vmm_cursor_t *c, uint8_t *entry, uint64_t entries)
{
    const vmm_paging_t *p = c->p;
    const unsigned shift = vmm_level_shift(p, c->level);
    vmm_vaddr_t va = c->va & ~vmm_low_mask(shift);
    bool valid = true;
    while (entries) {
        const uint64_t alike = vmm_clear(p, entry, valid, entries);
        if (valid) vmm_tell_flush(c->t, va, alike << shift, shift, VMM_FLUSH_CHANGED);
        va += alike << shift;
        entry += alike * p->pte_bytes;
        entries -= alike;
        valid = !valid;
    }
}

/* The body of NAME_unmap; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_unmap(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes)
{
    vmm_cursor_t c;
    const vmm_vaddr_t start = va;
    uint64_t left = bytes;
    vmm_status_t status = vmm_range_check(p, t, va, bytes);
    if (status == VMM_OK) status = vmm_range_read(p, t, va, bytes, false, false);
    if (status == VMM_OK) status = vmm_range_cut(p, t, va, bytes);
    if (status) return status;
    c = vmm_cursor_open(p, t);
    while (left) {
        uint64_t span, entries;
        uint8_t *entry;
        if (vmm_cursor_go(&c, va, 0, &entry)) break;
        entries = vmm_run(p, c.level, va, left, &span);
        vmm_run_clear(&c, entry, entries);
        va += span;
        left -= span;
    }
    vmm_range_prune(p, t, start, bytes);
    return VMM_OK;
}

/* Changes the rights of one entry and keeps its marks, even against a processor that sets them. */
VMM_INLINE void vmm_pte_protect(const vmm_paging_t *p, uint8_t *entry, uint32_t flags)
{
    const vmm_pte_t rights = vmm_pte_flag_bits(p) & ~(p->rules == VMM_RULES_ARM64 ? 0 : p->accessed | p->dirty);
    vmm_pte_t pte, becomes;
    do {
        pte = vmm_pte_load(p, entry);
        becomes = vmm_pte_from_flags(p, flags | (vmm_pte_flags(p, pte) & (VMM_A | VMM_D)));
    } while (!vmm_pte_swap(p, entry, pte, (pte & ~rights) | (becomes & rights)));
}

/* The body of NAME_protect; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_protect(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes,
                                        uint32_t flags)
{
    vmm_cursor_t c;
    uint64_t left = bytes;
    vmm_status_t status = vmm_range_check(p, t, va, bytes);
    if (status) return status;
    if (flags & ~(uint32_t)VMM_RIGHT_FLAGS) return VMM_E_ARGUMENT;
    if (!vmm_flags_fit(p, flags)) return VMM_E_RIGHTS;
    status = vmm_range_read(p, t, va, bytes, false, true);
    if (status == VMM_OK) status = vmm_range_cut(p, t, va, bytes);
    if (status) return status;
    c = vmm_cursor_open(p, t);
    while (left) {
        uint64_t span, entries;
        uint8_t *entry;
        if (vmm_cursor_go(&c, va, 0, &entry)) break;
        for (entries = vmm_run(p, c.level, va, left, &span); entries; entries--, entry += p->pte_bytes)
            vmm_pte_protect(p, entry, flags);
        vmm_tell_flush(t, va, span, vmm_level_shift(p, c.level), VMM_FLUSH_CHANGED);
        va += span;
        left -= span;
    }
    return VMM_OK;
}

/* What a cursor stands on, told as a mapping. */
VMM_INLINE vmm_mapping_t vmm_cursor_tell(const vmm_cursor_t *c, vmm_pte_t pte)
{
    const vmm_paging_t *p = c->p;
    const unsigned shift = vmm_level_shift(p, c->level);
    vmm_mapping_t m;
    m.leaf = vmm_pte_is_leaf(p, pte, c->level);
    m.vaddr = c->va & ~vmm_low_mask(shift);
    if (p->vaddr_rule != VMM_VADDR_HALF) m.vaddr = vmm_make_canonical(p, m.vaddr); /* else in the caller's half */
    m.bytes = vmm_low_mask(shift) + 1;
    m.paddr = m.leaf ? vmm_leaf_paddr(p, pte, c->level) : vmm_pte_paddr(p, pte);
    if (m.leaf && (p->rules == VMM_RULES_RISCV || p->rules == VMM_RULES_ARM32) &&
        vmm_pte_page_shift(p, pte, c->level) != shift) { /* a contiguous group: this page's share */
        const uint64_t group = vmm_low_mask(vmm_pte_page_shift(p, pte, c->level));
        m.paddr = (m.paddr & ~group) | (m.vaddr & group);
    }
    m.pte = pte;
    m.pte_addr = c->table[c->level] + (uint64_t)vmm_level_index(p, c->level, c->va) * p->pte_bytes;
    m.flags = p->rules == VMM_RULES_ARM32 && m.leaf ? vmm_arm32_flags(pte, c->level) : vmm_pte_flags(p, pte);
    m.level = (uint8_t)c->level;
    m.status = VMM_OK;
    return m;
}

/* The body of NAME_query; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_query(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, vmm_mapping_t *m)
{
    vmm_cursor_t c;
    uint8_t *entry;
    vmm_pte_t pte;
    vmm_status_t status;
    status = vmm_tables_check(p, t);
    if (status) return status;
    c = vmm_cursor_open(p, t);
    if (!vmm_canonical(p, va)) return VMM_E_RANGE;
    status = vmm_cursor_go(&c, va, 0, &entry);
    if (status) return status;
    pte = vmm_pte_load(p, entry);
    if (!(pte & p->valid)) return VMM_E_NOT_MAPPED;
    if (!vmm_pte_is_leaf(p, pte, c.level)) return VMM_E_TABLE;
    *m = vmm_cursor_tell(&c, pte);
    return VMM_OK;
}

/* The body of NAME_visit; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_visit(const vmm_paging_t *p, const vmm_tables_t *t, vmm_visitor_t visitor, void *user)
{
    vmm_cursor_t c;
    uint64_t index[VMM_MAX_LEVELS] = {0, 0, 0, 0, 0, 0};
    unsigned top;
    if (vmm_tables_check(p, t)) return VMM_E_ARGUMENT;
    c = vmm_cursor_open(p, t);
    top = c.level;
    for (;;) {
        const unsigned shift = vmm_level_shift(p, c.level);
        const uint64_t above = c.level == top ? 0 : c.va & ~vmm_low_mask(vmm_level_shift(p, c.level + 1u));
        vmm_mapping_t m;
        vmm_pte_t pte;
        uint8_t *entry;
        if (index[c.level] >> p->index_bits[c.level]) {
            if (c.level == top) return VMM_OK;
            c.level++;
            index[c.level]++;
            continue;
        }
        c.va = above | index[c.level] << shift;
        entry = vmm_cursor_entry(&c);
        if (!entry) return VMM_E_TABLE;
        pte = vmm_pte_load(p, entry);
        if (!(pte & p->valid)) {
            index[c.level]++;
            continue;
        }
        m = vmm_cursor_tell(&c, pte);
        if (!m.leaf && (c.level == 0 || !vmm_cursor_may_enter(&c, m.paddr))) m.status = VMM_E_TABLE;
        if (visitor(user, &m)) return VMM_E_STOPPED;
        if (m.leaf || m.status) {
            index[c.level]++;
            continue;
        }
        c.level--;
        c.table[c.level] = m.paddr;
        index[c.level] = 0;
    }
}

/* Turns the table under an entry into one leaf, when all its entries are leaves that lie one after
 * another with the same rights; marks are gathered. */
VMM_INLINE bool vmm_table_merge(const vmm_cursor_t *c, uint8_t *entry)
{
    const vmm_paging_t *p = c->p;
    const unsigned level = c->level, shift = vmm_level_shift(p, level);
    const vmm_pte_t marks = p->accessed | p->dirty;
    const vmm_paddr_t table = vmm_pte_paddr(p, vmm_pte_load(p, entry));
    const uint8_t *piece = vmm_mem_host(c->t->memory, table, vmm_table_bytes(p, level - 1u));
    vmm_pte_t first, leaf, yes = 0, i;
    if (!piece || !((p->leaf_levels >> level) & 1)) return false;
    first = vmm_pte_load(p, piece);
    if (!(first & p->valid) || !vmm_pte_is_leaf(p, first, level - 1u)) return false;
    if (p->rules == VMM_RULES_RISCV && p->pte_bytes == 8 && (first & VMM_RISCV_N)) return false;
    if (p->rules == VMM_RULES_ARM64 && (first & VMM_ARM64_CONTIGUOUS)) return false;
    leaf = vmm_pte_whole(p, first, level);
    if (vmm_leaf_paddr(p, first, level - 1u) & vmm_low_mask(shift)) return false;
    for (i = 0; i < UINT64_C(1) << p->index_bits[level - 1u]; i++, piece += p->pte_bytes) {
        const vmm_pte_t pte = vmm_pte_load(p, piece);
        if ((pte ^ vmm_pte_piece(p, leaf, level, i)) & ~marks) return false;
        yes |= (pte ^ p->inverted) & marks;
    }
    vmm_pte_store(p, entry, (leaf & ~marks) | ((yes ^ p->inverted) & marks));
    vmm_tell_flush(c->t, c->va & ~vmm_low_mask(shift), vmm_low_mask(shift) + 1, p->page_shift, VMM_FLUSH_TABLE);
    if (c->t->give) c->t->give(c->t->user, table, vmm_table_bytes(p, level - 1u));
    return true;
}

/* The body of NAME_merge; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_merge(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t start, uint64_t bytes,
                                      uint64_t *merged)
{
    unsigned level;
    vmm_status_t status = vmm_range_check(p, t, start, bytes);
    if (status == VMM_OK) status = vmm_range_read(p, t, start, bytes, false, false);
    if (status) return status;
    *merged = 0;
    for (level = 1; level < p->levels; level++) {
        vmm_cursor_t c = vmm_cursor_open(p, t);
        vmm_vaddr_t va = start;
        uint64_t left = bytes;
        while (left) {
            uint64_t span;
            uint8_t *entry;
            vmm_pte_t pte;
            if (vmm_cursor_go(&c, va, level, &entry)) return VMM_E_TABLE;
            (void)vmm_run(p, c.level, va, left, &span);
            pte = vmm_pte_load(p, entry);
            if (c.level == level && (pte & p->valid) && !vmm_pte_is_leaf(p, pte, level) && vmm_table_merge(&c, entry))
                ++*merged;
            va += span;
            left -= span;
        }
    }
    return VMM_OK;
}

/* Which format of an instance a tree is in; a number that is none means the first. */
VMM_INLINE const vmm_paging_t *vmm_paging_chosen(const vmm_arch_t *arch, const vmm_tables_t *t)
{
    return arch->format[t->format < arch->formats ? t->format : 0];
}

/* The body of NAME_create; see there. */
VMM_OUTLINE vmm_status_t vmm_pt_create(const vmm_paging_t *p, vmm_tables_t *t)
{
    const unsigned top = p->levels - 1u;
    vmm_paddr_t table;
    uint8_t *host;
    vmm_status_t status;
    if (!t->take) return VMM_E_ARGUMENT;
    status = vmm_tables_check(p, t);
    if (status == VMM_OK) status = vmm_table_take(p, t, top, &table, &host);
    if (status) return status;
    VMM_SET(host, 0, (size_t)vmm_table_bytes(p, top));
    t->root = table;
    return VMM_OK;
}

/* The body of NAME_destroy; see there. Unmapping everything prunes every table but the root. */
VMM_OUTLINE vmm_status_t vmm_pt_destroy(const vmm_paging_t *p, vmm_tables_t *t)
{
    vmm_status_t status = vmm_tables_check(p, t);
    vmm_vaddr_t upper;
    uint64_t half;
    if (status) return status;
    half = UINT64_C(1) << (p->vaddr_bits - 1);
    upper = vmm_make_canonical(p, half);
    status = vmm_range_read(p, t, 0, half, false, false);
    if (status == VMM_OK) status = vmm_range_read(p, t, upper, half, false, false);
    if (status == VMM_OK) status = vmm_pt_unmap(p, t, 0, half);
    if (status == VMM_OK) status = vmm_pt_unmap(p, t, upper, half);
    if (status == VMM_OK && t->give) t->give(t->user, t->root, vmm_table_bytes(p, p->levels - 1u));
    return status;
}
/** @endcond */
/** @} */

/* ==================================================================== Part I  4. TLB == */
/** @defgroup vmm_tlb 4. TLB
 *  Three stages between an access and the walk, each of any size and each allowed to be absent.
 *
 *  **Front.** Direct-mapped slots that hold a host address: a hit is one compare and one add. Two
 *  things in it are worth knowing.
 *
 *  *Flushing all costs one subtraction and adds nothing to a hit.* A slot's bias is generation x
 *  page size minus its page's address, and the generation counts down. For an address in the slot's
 *  page `va + bias` is then generation x page size + offset, and a hit is `va + bias <= limit` with
 *  limit = (current generation + 1) x page size - 1: an older slot has a higher generation and
 *  fails. Another page in the same slot is a multiple of slots x page size away and fails too, as
 *  long as generations stay below the number of slots. After slots - 2 flushes the bank is cleared
 *  once. The compare also sees that the access does not cross its page, whatever its alignment.
 *
 *  *A change of privilege, SUM, MXR or address space changes the bank,* a pointer: what was
 *  remembered for the old mode is there when it returns.
 *
 *  **Walk cache.** Remembers where level-0 tables are, so that a walk reads one entry.
 *
 *  **TLB.** Set-associative, as hardware's: TLBI, the low bits of the VPN, picks the set, all TLBTs
 *  of the set are compared at once. Huge pages are entries of their own size; global entries match
 *  every ASID.
 *  @{ */

/** Marks a view through which addresses are physical. */
#define VMM_BARE 0xff

/** A slot of the front. */
typedef struct vmm_front_slot {
    uint64_t bias;   /**< Generation x page size, minus the first byte of the page. */
    uint64_t addend; /**< Host address minus virtual address. */
} vmm_front_slot_t;

/** A slot of the walk cache. */
typedef struct vmm_walk_slot {
    uint64_t tag;         /**< What the table covers, with the key of the address space in its low bits. */
    const uint8_t *table; /**< The level-0 table, host address. */
    vmm_pte_t denied;     /**< Bits of its entries that stand for rights which pointers above take away. */
    uint64_t granted;     /**< The same as flags: rights that they leave. */
} vmm_walk_slot_t;

/** What a TLB entry is found by. Invariant: tag 0 is an invalid entry. */
typedef struct vmm_tlb_key {
    uint64_t tag;   /**< VPN in units of its page size, times 8, plus level + 1. */
    uint32_t scope; /**< Generation (high half) and ASID (low half). */
    uint32_t care;  /**< Bits of scope that must agree: not the ASID's in a global entry. */
} vmm_tlb_key_t;

/** What a TLB entry says. */
typedef struct vmm_tlb_entry {
    vmm_paddr_t paddr;  /**< First byte of the page. */
    uint64_t stamp;     /**< Time of the last use (LRU) or of the filling (FIFO). */
    uint8_t flags;      /**< Rights and marks at the time of filling. */
    uint8_t level;      /**< Level of the leaf. */
    uint8_t page_shift; /**< log2 of the bytes of its page, or of the contiguous group it belongs to. */
    uint8_t type;       /**< As of the translation. */
} vmm_tlb_entry_t;

/** What is counted. The front counts nothing, so hits and misses are exact when it has no slots. */
typedef struct vmm_stats {
    uint64_t tlb_hits;   /**< Lookups in the TLB that found an entry. */
    uint64_t tlb_misses; /**< Lookups that did not. */
    uint64_t walks;      /**< Full walks from the root (the walk cache saves these). */
    uint64_t faults;     /**< Accesses that returned VMM_FAULT. */
    uint64_t stale;      /**< Stale hits that the missing-flush detector saw. */
} vmm_stats_t;

/** A half of the address space: AArch64 and ARMv7-A have two, everybody else one that is all of it. MIPS: what is
 *  mapped, and what is not. For a guest of RISC-V's
 *  hypervisor extension the second is the second stage: its root, its format's levels (0: Bare) and bits. */
typedef struct vmm_half {
    vmm_paddr_t root; /**< Top table. */
    uint8_t format;   /**< Index of the format, or VMM_BARE. */
    uint8_t bits;     /**< AArch64: VA bits that are translated; the start level follows from them. ARMv7-A: 32 - N. */
    uint8_t level;    /**< AArch64: level of the top table. */
    uint8_t rule;     /**< Arm: enum vmm_rule that every access here fails; VMM_RULE_NONE: none. */
    uint8_t tagged;   /**< AArch64: VA bits 63:56 are not looked at (TBI). */
} vmm_half_t;

/** What a translation depends on besides its address. */
typedef struct vmm_context {
    vmm_half_t half[2]; /**< The lower or only half; the upper one. */
    vmm_judge_t judge;  /**< Mode. */
    uint16_t asid;      /**< Address space. */
    uint16_t vmid;      /**< RISC-V: the virtual machine that it belongs to. */
} vmm_context_t;

/** Addresses of pages that are remembered in pieces smaller than themselves. Empty: first > last. */
typedef struct vmm_pieces {
    vmm_vaddr_t first; /**< Lowest byte of such a page. */
    vmm_vaddr_t last;  /**< Highest byte. */
} vmm_pieces_t;

/** A bank of the front: one context's slots. */
typedef struct vmm_bank {
    vmm_context_t context; /**< Whose. */
    uint64_t epoch;        /**< Epoch it is valid in; another: stale. */
    uint64_t walk_key;     /**< Key of its tables in the walk cache. */
    uint32_t generation;   /**< Counts down; see above. */
} vmm_bank_t;

/** What a hit of one kind of access reads. */
typedef struct vmm_gate {
    vmm_front_slot_t *front; /**< This kind's slots in the bank; host address. */
    uint64_t limit;          /**< Highest `va + bias` of a hit. */
} vmm_gate_t;

/** How accesses of one kind are done at present, when they do not hit. */
typedef struct vmm_view {
    uint64_t walk_key;     /**< As the bank's. */
    vmm_pte_t mask;        /**< Bits of a level-0 entry that decide in the common case ... */
    vmm_pte_t want;        /**< ... and what they must be; anything else is walked for. */
    vmm_pte_t need;        /**< Those among them that pointers above may have taken away. */
    vmm_context_t context; /**< By what it is judged. */
    vmm_fault_t absent;    /**< x86, AArch64: the fault of an entry that is not valid, as far as it is known before;
                            *   its vaddr is a mask of the bits that are told. */
    uint32_t bank;         /**< Which bank. */
} vmm_view_t;

/** Most banks that a front may have. */
#define VMM_MAX_BANKS 8

/** Called when an access faults, before anybody is told: VMM_OK means that the tables were mended and the access is to
 *  be made again; else the fault is returned. Set by NAME_attach, or by NAME_set_fault_hook. */
typedef vmm_status_t (*vmm_fault_hook_t)(void *user, const vmm_fault_t *fault);

/** Addresses that are watched. */
typedef struct vmm_watched {
    vmm_vaddr_t va;  /**< First byte. */
    uint64_t bytes;  /**< How many. */
    uint32_t access; /**< Mask: 1 << VMM_READ, 1 << VMM_WRITE, 1 << VMM_FETCH. */
} vmm_watched_t;

/** Most watchpoints of an MMU. */
#define VMM_WATCHES 4

/** What one MMU asks another to forget. */
enum vmm_asking {
    VMM_ASK_ALL = 0,   /**< Everything. */
    VMM_ASK_ASID,      /**< One address space. */
    VMM_ASK_PAGE,      /**< One page in every address space. */
    VMM_ASK_PAGE_ASID, /**< One page in one address space. */
    VMM_ASK_STORES     /**< That pages may be stored to: after dirty marks were taken, or a page became code. */
};

/** A flush that another thread's MMU is asked for. */
typedef struct vmm_request {
    vmm_vaddr_t va; /**< Of a page. */
    uint16_t asid;  /**< Of an address space. */
    uint8_t kind;   /**< enum vmm_asking. */
} vmm_request_t;

/** Requests that wait; when more come they become one VMM_ASK_ALL. */
#define VMM_REQUESTS 8

/** Requests to an MMU. Other threads write here, under `busy`.
 *  Invariant: asked - answered counts what was not answered yet, and count of it is listed. */
typedef struct vmm_inbox {
    uint32_t busy;                       /**< 1: somebody writes. */
    uint32_t asked;                      /**< Tickets given out. */
    uint32_t answered;                   /**< Tickets whose flush is done. */
    uint32_t count;                      /**< Requests listed; VMM_REQUESTS + 1: too many, flush all. */
    vmm_request_t request[VMM_REQUESTS]; /**< The list. */
} vmm_inbox_t;

/** A flush that was missing: a hit on what the tables do not say any more. */
typedef struct vmm_stale {
    vmm_vaddr_t vaddr;     /**< Of the access. */
    vmm_paddr_t pte_addr;  /**< Where the entry was that the hit goes back to. */
    vmm_pte_t pte;         /**< As it was when it was remembered. */
    vmm_pte_t pte_now;     /**< The entry that a walk reads now; 0 when it reads none. */
    vmm_paddr_t paddr;     /**< Where the hit leads. */
    vmm_paddr_t paddr_now; /**< Where a walk leads, when it does not fault. */
    uint64_t when;         /**< Translation number at which it was remembered. */
    uint64_t now;          /**< Translation number of the hit. */
    uint8_t access;        /**< enum vmm_access. */
    uint8_t rule; /**< enum vmm_rule by which a walk refuses; VMM_RULE_NONE: it leads elsewhere; VMM_RULE_DIRTY:
                            *   the dirty bit was cleared, and this store would not set it again. */
} vmm_stale_t;

/** Called on every stale hit; the access then goes on as the processor's would, with what was remembered. */
typedef void (*vmm_stale_hook_t)(void *user, const vmm_stale_t *stale);

/** What the detector keeps of a slot of the front, and of an entry of the TLB. */
typedef struct vmm_record {
    vmm_translation_t t; /**< The translation that filled it. */
    uint64_t when;       /**< At which translation. */
} vmm_record_t;

/** The state of an instance that does not depend on its sizes. It holds host addresses of slots and
 *  of RAM: NAME_flush_all makes them new in a copy. */
typedef struct vmm_state {
    vmm_gate_t gate[3];               /**< By enum vmm_access; first, where offsets are short. */
    vmm_view_t view[3];               /**< By enum vmm_access. */
    vmm_memory_t memory;              /**< As given to init. */
    vmm_bank_t bank[VMM_MAX_BANKS];   /**< Contexts remembered. */
    uint64_t epoch;                   /**< Counts flushes of everything; a bank of another is stale. */
    uint64_t walk_keys;               /**< Last key given out. */
    uint64_t clock;                   /**< For stamps. */
    vmm_pieces_t front_pieces;        /**< Huge pages in the front: flushing one flushes the front. */
    vmm_pieces_t tlb_pieces;          /**< Contiguous groups in the TLB: flushing one flushes the TLB. */
    uint32_t next_bank;               /**< The bank that a new context takes. */
    uint32_t banks_used;              /**< Banks that ever held anything: the first ones. */
    uint32_t tlb_generation;          /**< Generation of the TLB, 16 bits. */
    uint32_t tlb_levels;              /**< Bit i: entries of level i may be in the TLB. */
    uint32_t random;                  /**< State of the generator for VMM_RANDOM. */
    vmm_fault_hook_t serve;           /**< Serves page faults; null: nobody does. */
    void *serve_user;                 /**< Passed to it. */
    uint32_t attached_format;         /**< Format of the machine that it is a processor of. */
    uint32_t watches;                 /**< Watchpoints set: the first ones. */
    vmm_watched_t watch[VMM_WATCHES]; /**< Those. */
    vmm_track_t *track;               /**< Pages tracked; null: none. */
    vmm_check_t check;                /**< Physical check; null: none. */
    void *check_user;                 /**< Passed to it. */
    vmm_stale_hook_t stale;           /**< Told of stale hits; null: they are only counted. */
    void *stale_user;                 /**< Passed to it. */
    uint64_t pdpte[4];                /**< x86's PAE: the registers that are its top table. */
    uint64_t reserved_value;          /**< Load-reserved: what was read ... */
    vmm_paddr_t reserved_paddr;       /**< ... where ... */
    uint32_t reserved_bytes;          /**< ... and how wide; 0: there is no reservation. */
    vmm_inbox_t inbox;                /**< What other threads ask for. */
} vmm_state_t;

/** Functions of an instance that stay out of line: any access, the long way. */
typedef struct vmm_slow {
    vmm_status_t (*load)(void *self, unsigned access, vmm_vaddr_t va, void *data, unsigned bytes); /**< And fetch. */
    vmm_status_t (*store)(void *self, vmm_vaddr_t va, uint64_t value, unsigned bytes);            /**< Little-endian. */
    vmm_status_t (*translate)(void *self, unsigned access, vmm_vaddr_t va, vmm_translation_t *t); /**< Marks too. */
} vmm_slow_t;

/** Where an instance keeps its parts: what every core takes, by value. */
typedef struct vmm_ref {
    const vmm_model_t *model;   /**< Its constants. */
    vmm_slow_t slow;            /**< Its functions out of line. */
    void *self;                 /**< Itself, for those. */
    vmm_state_t *state;         /**< What does not depend on sizes. */
    vmm_fault_t *fault;         /**< Reasons of the last fault. */
    vmm_stats_t *stats;         /**< Counters. */
    vmm_front_slot_t *front;    /**< banks x 3 kinds x slots. */
    vmm_walk_slot_t *walk;      /**< The walk cache. */
    vmm_tlb_key_t *tlb_key;     /**< TLBs x sets x ways. */
    vmm_tlb_entry_t *tlb_entry; /**< As many. */
    uint64_t *tlb_tree;         /**< TLBs x sets: bits of pseudo-LRU. */
    vmm_record_t *record;       /**< The detector's, one a slot of the front and one an entry of the TLB. */
    void *registers;            /**< What register front ends keep; MIPS: its TLB too. */
} vmm_ref_t;

/** Most entries that the TLB of a MIPS processor has. */
#define VMM_MIPS_ENTRIES 64

/** An entry of it: two neighbouring pages. */
typedef struct vmm_mips_entry {
    uint32_t hi;    /**< VPN2 31:13, EHINV 10, ASID 7:0. */
    uint32_t mask;  /**< PageMask. */
    uint32_t lo[2]; /**< Of the even and the odd page: RI 31, XI 30, PFN 29:6, C 5:3, D 2, V 1, G 0, alike in both. */
} vmm_mips_entry_t;

/** Registers of a MIPS processor that address translation depends on, and its TLB.
 *  Invariant: entries is 1 to VMM_MIPS_ENTRIES; index and wired are less (but for Index 31); wired <= random <
 *  entries. */
typedef struct vmm_mips {
    vmm_mips_entry_t entry[VMM_MIPS_ENTRIES]; /**< The first `entries` of them. */
    uint32_t index;                           /**< P 31: TLBP found nothing. */
    uint32_t random;                          /**< Entry that TLBWR writes next. */
    uint32_t wired;                           /**< Entries that TLBWR does not write. */
    uint32_t entryhi;                         /**< VPN2 31:13, EHINV 10, ASID 7:0. */
    uint32_t entrylo[2];                      /**< As in an entry. */
    uint32_t pagemask;                        /**< Pairs of ones from bit 13. */
    uint32_t pagegrain;                       /**< RIE 31, XIE 30, IEC 27. */
    uint32_t context;                         /**< PTEBase 31:23, BadVPN2 22:4. */
    uint32_t badvaddr;                        /**< Address of the last exception that has one. */
    uint8_t entries;                          /**< 48 at reset. */
    uint8_t mode;                             /**< As Status.KSU: 0 kernel, 1 supervisor, 2 user. */
    uint8_t erl;                              /**< Status.ERL. */
} vmm_mips_t;

/** @cond internal */
VMM_INLINE const vmm_paging_t *vmm_base(vmm_ref_t u)
{
    return u.model->arch->format[0];
}

VMM_INLINE bool vmm_has_front(vmm_ref_t u)
{
    return u.model->front_slots > 0;
}

VMM_INLINE bool vmm_has_tlb(vmm_ref_t u)
{
    return u.model->tlb_sets > 0;
}

/* A format of one level has no table between the root and the leaf to remember. */
VMM_INLINE bool vmm_has_walk_cache(vmm_ref_t u)
{
    return u.model->walk_slots > 0 && vmm_base(u)->levels > 1;
}

/* Levels of all formats together: they share the lower ones. */
VMM_INLINE const vmm_paging_t *vmm_widest(vmm_ref_t u)
{
    return u.model->arch->format[u.model->arch->formats - 1u];
}

/* Formats whose levels differ in size: the one in force says how the TLB cuts addresses. Which is then told by
 * what an address is looked up in, because an architecture flushes when it changes that. */
VMM_INLINE const vmm_paging_t *vmm_cutting(vmm_ref_t u, unsigned format)
{
    const unsigned rules = vmm_base(u)->rules;
    if (rules != VMM_RULES_X86 && rules != VMM_RULES_ARM64) return vmm_widest(u);
    return u.model->arch->format[format < u.model->arch->formats ? format : 0];
}

/* Can it run guests, behind a second stage? */
VMM_INLINE bool vmm_has_guests(vmm_ref_t u)
{
    return vmm_base(u)->rules == VMM_RULES_RISCV && (u.model->arch->features & VMM_RISCV_H) != 0;
}

/* Is a context a guest's? Its second stage translates some bits, even when it is Bare. */
VMM_INLINE bool vmm_is_guest(vmm_ref_t u, const vmm_context_t *context)
{
    return vmm_has_guests(u) && context->half[1].bits != 0;
}

/* MIPS segments ("Virtual Memory", table of address spaces): what a mode may not use, what is mapped, what is not. */
enum vmm_mips_segment {
    VMM_MIPS_MAPPED,
    VMM_MIPS_UNMAPPED,
    VMM_MIPS_REFUSED
};

VMM_INLINE enum vmm_mips_segment vmm_mips_segment(const vmm_judge_t *judge, vmm_vaddr_t va)
{
    const unsigned eighth = (unsigned)((va >> 29) & 7); /* kuseg 0 to 3, kseg0 4, kseg1 5, ksseg 6, kseg3 7 */
    if (eighth < 4) return judge->features & VMM_MIPS_ERL ? VMM_MIPS_UNMAPPED : VMM_MIPS_MAPPED;
    if (judge->user) return VMM_MIPS_REFUSED;
    if (judge->features & VMM_MIPS_SUPERVISOR) return eighth == 6 ? VMM_MIPS_MAPPED : VMM_MIPS_REFUSED;
    return eighth < 6 ? VMM_MIPS_UNMAPPED : VMM_MIPS_MAPPED;
}

/* The half of a context that an address lies in. ARMv7-A: TTBR1's unless the highest N bits are 0. */
VMM_INLINE const vmm_half_t *vmm_half_of(vmm_ref_t u, const vmm_context_t *context, vmm_vaddr_t va)
{
    if (vmm_base(u)->rules == VMM_RULES_ARM64) return &context->half[(va >> 55) & 1];
    if (vmm_base(u)->rules == VMM_RULES_ARM32)
        return &context->half[((va & 0xffffffff) >> (context->half[0].bits & 63)) != 0];
    if (vmm_base(u)->rules == VMM_RULES_MIPS)
        return &context->half[vmm_mips_segment(&context->judge, va) == VMM_MIPS_UNMAPPED];
    return &context->half[0];
}

VMM_INLINE void vmm_pieces_none(vmm_pieces_t *pieces)
{
    pieces->first = ~UINT64_C(0);
    pieces->last = 0;
}

VMM_INLINE void vmm_pieces_note(vmm_pieces_t *pieces, vmm_vaddr_t va, unsigned page_shift)
{
    const vmm_vaddr_t first = va & ~vmm_low_mask(page_shift), last = va | vmm_low_mask(page_shift);
    if (first < pieces->first) pieces->first = first;
    if (last > pieces->last) pieces->last = last;
}

VMM_INLINE bool vmm_pieces_may_hold(const vmm_pieces_t *pieces, vmm_vaddr_t va)
{
    return va >= pieces->first && va <= pieces->last;
}

/* An address as flushes compare it: without what a format does not look at. x86 has 32 bits but in long mode. */
VMM_INLINE vmm_vaddr_t vmm_flush_va(vmm_ref_t u, vmm_vaddr_t va)
{
    const unsigned rules = vmm_base(u)->rules, format = u.state->view[VMM_READ].context.half[0].format;
    if (rules == VMM_RULES_X86) return format == VMM_BARE ? (uint32_t)va : vmm_wrap(u.model->arch->format[format], va);
    return rules == VMM_RULES_ARM64 ? va & vmm_low_mask(56) : vmm_wrap(vmm_widest(u), va);
}

/* An address as a watchpoint keeps it: an x86 one may be meant for a mode that is yet to come. */
VMM_INLINE vmm_vaddr_t vmm_watch_va(vmm_ref_t u, vmm_vaddr_t va)
{
    return vmm_base(u)->rules == VMM_RULES_X86 ? va : vmm_flush_va(u, va);
}

/* -- front -- */

VMM_INLINE vmm_front_slot_t *vmm_front_slots(vmm_ref_t u, unsigned bank, unsigned access)
{
    if (!vmm_has_front(u)) return u.front; /* null, of an instance that is sized at run time */
    return u.front + (size_t)(bank * 3u + access) * u.model->front_slots;
}

VMM_INLINE size_t vmm_front_index(vmm_ref_t u, vmm_vaddr_t va)
{
    const unsigned shift = vmm_base(u)->page_shift; /* the smallest page of all formats, as in the gate's limit */
    const uint64_t pages = vmm_low_mask(vmm_widest(u)->vaddr_bits - shift); /* addresses that wrap share a slot */
    return (size_t)((va >> shift) & pages & (u.model->front_slots - 1u));
}

VMM_INLINE vmm_front_slot_t *vmm_front_slot_of(vmm_ref_t u, unsigned access, vmm_vaddr_t va)
{
    return &u.state->gate[access].front[vmm_front_index(u, va)];
}

/* Does the front hold all bytes of the access? The sum with bytes - 1 sees a crossing: it leaves
 * the page, and generation slots - 1 is never used, so that it meets no other. */
VMM_INLINE bool vmm_front_holds(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes, vmm_front_slot_t **slot)
{
    *slot = NULL;
    if (!vmm_has_front(u)) return false;
    *slot = vmm_front_slot_of(u, access, va);
    if (u.model->detect) return false; /* every hit is looked at: see vmm_detect */
    return va + (*slot)->bias + (bytes - 1u) <= u.state->gate[access].limit;
}

/* A bias that no address of its slot hits, in any generation: that of generation slots - 2. */
VMM_INLINE uint64_t vmm_front_empty_bias(vmm_ref_t u, size_t index)
{
    return ((uint64_t)u.model->front_slots - 2u - index) << vmm_base(u)->page_shift;
}

VMM_INLINE void vmm_bank_clear(vmm_ref_t u, unsigned bank)
{
    unsigned access;
    size_t i;
    for (access = 0; access < 3; access++) {
        vmm_front_slot_t *slot = vmm_front_slots(u, bank, access);
        for (i = 0; i < u.model->front_slots; i++) slot[i].bias = vmm_front_empty_bias(u, i);
    }
}

VMM_INLINE void vmm_front_fill(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uintptr_t host, unsigned page_shift,
                               vmm_front_slot_t *slot)
{
    const uint64_t page_mask = vmm_low_mask(vmm_base(u)->page_shift);
    /* The low bits of limit are ones, so nothing is borrowed from the page number. */
    slot->bias = (u.state->gate[access].limit - va) & ~page_mask;
    slot->addend = host - va;
    if (page_shift == vmm_base(u)->page_shift) return;
    vmm_pieces_note(&u.state->front_pieces, vmm_flush_va(u, va), page_shift);
}

/* -- walk cache -- */

VMM_INLINE unsigned vmm_walk_shift(vmm_ref_t u)
{
    return vmm_level_shift(vmm_base(u), 1);
}

VMM_INLINE vmm_walk_slot_t *vmm_walk_slot_of(vmm_ref_t u, vmm_vaddr_t va)
{
    return &u.walk[(size_t)(va >> vmm_walk_shift(u)) & (u.model->walk_slots - 1u)];
}

VMM_INLINE uint64_t vmm_walk_tag(vmm_ref_t u, const vmm_view_t *view, vmm_vaddr_t va)
{
    return (va & ~vmm_low_mask(vmm_walk_shift(u))) | view->walk_key;
}

/* -- TLB -- */

VMM_INLINE uint32_t vmm_tlb_scope(vmm_ref_t u, unsigned asid)
{
    return u.state->tlb_generation << 16 | asid;
}

/* VPN of a level as the TLB compares it. Addresses that wrap are cut first; bit 55 tells AArch64's halves. */
VMM_INLINE uint64_t vmm_tlb_vpn(const vmm_paging_t *p, vmm_vaddr_t va, unsigned level)
{
    return (p->rules == VMM_RULES_ARM64 ? va & vmm_low_mask(56) : vmm_wrap(p, va)) >> vmm_level_shift(p, level);
}

/* First way of the set that a VPN belongs to. */
VMM_INLINE size_t vmm_tlb_set(vmm_ref_t u, unsigned access, uint64_t vpn)
{
    const size_t which = u.model->tlb_count == 2 && access == VMM_FETCH;
    return (which * u.model->tlb_sets + (size_t)(vpn & (u.model->tlb_sets - 1u))) * u.model->tlb_ways;
}

/* Bit w: way w of the set holds the tag in this scope. Every way is compared, none is a branch. */
VMM_INLINE uint64_t vmm_tlb_match(vmm_ref_t u, size_t set, uint64_t tag, uint32_t scope)
{
    uint64_t match = 0;
    unsigned way;
    for (way = 0; way < u.model->tlb_ways; way++) {
        const vmm_tlb_key_t *key = &u.tlb_key[set + way];
        match |= (uint64_t)((key->tag == tag) & (((key->scope ^ scope) & key->care) == 0)) << way;
    }
    return match;
}

/* Index of the entry that translates va, or -1. */
VMM_INLINE long vmm_tlb_find(vmm_ref_t u, unsigned access, const vmm_context_t *context, vmm_vaddr_t va)
{
    const vmm_paging_t *p = vmm_cutting(u, vmm_half_of(u, context, va)->format);
    const unsigned asid = context->asid;
    unsigned level;
    for (level = 0; u.state->tlb_levels >> level; level++) {
        const uint64_t vpn = vmm_tlb_vpn(p, va, level);
        const size_t set = vmm_tlb_set(u, access, vpn);
        const uint64_t match = vmm_tlb_match(u, set, vpn << 3 | (level + 1), vmm_tlb_scope(u, asid));
        if (match) return (long)set + __builtin_ctzll(match);
    }
    return -1;
}

/* Pseudo-LRU: a tree of bits over the ways, node 1 the root; a bit points to the half used less. */
VMM_INLINE void vmm_plru_touch(uint64_t *tree, unsigned ways, unsigned way)
{
    unsigned node = 1, half = ways;
    while (half > 1) {
        const unsigned right = (way & (half >>= 1)) != 0;
        *tree = (*tree & ~(UINT64_C(1) << node)) | (uint64_t)!right << node;
        node = node * 2 + right;
    }
}

VMM_INLINE unsigned vmm_plru_victim(uint64_t tree, unsigned ways)
{
    unsigned node = 1;
    while (node < ways) node = node * 2 + (unsigned)((tree >> node) & 1);
    return node - ways;
}

VMM_INLINE void vmm_tlb_touch(vmm_ref_t u, size_t at, bool filled)
{
    const unsigned ways = u.model->tlb_ways;
    const unsigned policy = u.model->tlb_policy;
    if (policy == VMM_LRU || (policy == VMM_FIFO && filled)) u.tlb_entry[at].stamp = ++u.state->clock;
    if (policy == VMM_PLRU) vmm_plru_touch(&u.tlb_tree[at / ways], ways, (unsigned)(at % ways));
}

/* xorshift32: fast, and the same in every run. */
VMM_INLINE uint32_t vmm_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The way of a set that a new entry takes: an invalid one, else by policy. */
VMM_INLINE unsigned vmm_tlb_victim(vmm_ref_t u, size_t set)
{
    const unsigned ways = u.model->tlb_ways;
    unsigned way, oldest = 0;
    for (way = 0; way < ways; way++) {
        const vmm_tlb_key_t *key = &u.tlb_key[set + way];
        if (key->tag == 0 || key->scope >> 16 != u.state->tlb_generation) return way;
        if (u.tlb_entry[set + way].stamp < u.tlb_entry[set + oldest].stamp) oldest = way;
    }
    switch (u.model->tlb_policy) {
    case VMM_PLRU: return vmm_plru_victim(u.tlb_tree[set / ways], ways);
    case VMM_RANDOM: return vmm_random(&u.state->random) % ways;
    default: return oldest;
    }
}

/* What the detector keeps of an entry: behind the records of the front. */
VMM_INLINE vmm_record_t *vmm_tlb_record(vmm_ref_t u, size_t at)
{
    return u.record + (size_t)u.model->front_banks * 3u * u.model->front_slots + at;
}

VMM_INLINE void vmm_tlb_fill(vmm_ref_t u, unsigned access, const vmm_context_t *context, vmm_vaddr_t va,
                             const vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_cutting(u, vmm_half_of(u, context, va)->format);
    const unsigned level = t->level, shift = vmm_level_shift(p, level), asid = context->asid;
    VMM_ASSERT(level < p->levels && (t->flags & VMM_A));
    const uint64_t vpn = vmm_tlb_vpn(p, va, level), tag = vpn << 3 | (level + 1);
    const size_t set = vmm_tlb_set(u, access, vpn);
    const uint64_t match = vmm_tlb_match(u, set, tag, vmm_tlb_scope(u, asid));
    const size_t at = set + (match ? (unsigned)__builtin_ctzll(match) : vmm_tlb_victim(u, set));
    u.tlb_key[at].tag = tag;
    u.tlb_key[at].scope = vmm_tlb_scope(u, asid);
    u.tlb_key[at].care = t->flags & VMM_G ? 0xffff0000u : 0xffffffffu;
    u.tlb_entry[at].paddr = t->paddr & ~vmm_low_mask(shift);
    u.tlb_entry[at].flags = t->flags;
    u.tlb_entry[at].level = (uint8_t)level;
    u.tlb_entry[at].page_shift = t->page_shift;
    u.tlb_entry[at].type = t->type;
    u.state->tlb_levels |= 1u << level;
    if (t->page_shift != shift) vmm_pieces_note(&u.state->tlb_pieces, vmm_flush_va(u, va), t->page_shift);
    if (u.model->detect) {
        vmm_tlb_record(u, at)->t = *t;
        vmm_tlb_record(u, at)->when = u.state->clock;
    }
    vmm_tlb_touch(u, at, !match); /* filled again, because a store set the dirty bit: no newer than it was */
}

VMM_INLINE void vmm_tlb_clear(vmm_ref_t u)
{
    const size_t sets = (size_t)u.model->tlb_count * u.model->tlb_sets;
    if (!vmm_has_tlb(u)) return;
    VMM_SET(u.tlb_key, 0, sets * u.model->tlb_ways * sizeof *u.tlb_key);
    VMM_SET(u.tlb_entry, 0, sets * u.model->tlb_ways * sizeof *u.tlb_entry);
    VMM_SET(u.tlb_tree, 0, sets * sizeof *u.tlb_tree);
    u.state->tlb_generation = 1;
}

VMM_INLINE void vmm_tlb_flush_all(vmm_ref_t u)
{
    if (!vmm_has_tlb(u)) return;
    u.state->tlb_levels = 0;
    vmm_pieces_none(&u.state->tlb_pieces);
    if (++u.state->tlb_generation > 0xffff) vmm_tlb_clear(u);
}

/* Which entries a flush takes of those that its address or address space names. */
enum vmm_taking {
    VMM_TAKE_ASID,        /* of one address space, not global ones */
    VMM_TAKE_ASID_GLOBAL, /* of one address space, and global ones */
    VMM_TAKE_NOT_GLOBAL,  /* of every address space, not global ones */
    VMM_TAKE_ANY          /* all */
};

VMM_INLINE bool vmm_tlb_takes(const vmm_tlb_key_t *key, unsigned taking, uint16_t asid)
{
    const bool global = key->care != 0xffffffffu, mine = (key->scope & 0xffff) == asid;
    if (global) return taking == VMM_TAKE_ANY || taking == VMM_TAKE_ASID_GLOBAL;
    return mine || taking == VMM_TAKE_ANY || taking == VMM_TAKE_NOT_GLOBAL;
}

/* Entries of one page, of any size that covers va. */
VMM_INLINE void vmm_tlb_flush_page(vmm_ref_t u, vmm_vaddr_t va, unsigned taking, uint16_t asid)
{
    const unsigned format = vmm_half_of(u, &u.state->view[VMM_READ].context, va)->format;
    const bool off = vmm_base(u)->rules == VMM_RULES_ARM64 && format == VMM_BARE; /* page size not known */
    const vmm_paging_t *p = vmm_cutting(u, format);
    unsigned level, which, way;
    if (!vmm_has_tlb(u)) return;
    if (off || vmm_pieces_may_hold(&u.state->tlb_pieces, va)) {
        vmm_tlb_flush_all(u);
        return;
    }
    for (level = 0; u.state->tlb_levels >> level; level++)
        for (which = 0; which < u.model->tlb_count; which++) {
            const uint64_t vpn = vmm_tlb_vpn(p, va, level);
            const size_t set = vmm_tlb_set(u, which ? VMM_FETCH : VMM_READ, vpn);
            for (way = 0; way < u.model->tlb_ways; way++) {
                vmm_tlb_key_t *key = &u.tlb_key[set + way];
                if (key->tag == (vpn << 3 | (level + 1)) && vmm_tlb_takes(key, taking, asid)) key->tag = 0;
            }
        }
}

/* Entries of every page. */
VMM_INLINE void vmm_tlb_flush_space(vmm_ref_t u, unsigned taking, uint16_t asid)
{
    const size_t entries = (size_t)u.model->tlb_count * u.model->tlb_sets * u.model->tlb_ways;
    size_t i;
    for (i = 0; vmm_has_tlb(u) && i < entries; i++)
        if (vmm_tlb_takes(&u.tlb_key[i], taking, asid)) u.tlb_key[i].tag = 0;
}

/* -- views and banks -- */

VMM_INLINE bool vmm_same_half(const vmm_half_t *one, const vmm_half_t *other)
{
    return one->root == other->root && one->format == other->format && one->bits == other->bits &&
           one->rule == other->rule && one->tagged == other->tagged;
}

VMM_INLINE bool vmm_same_judge(const vmm_judge_t *one, const vmm_judge_t *other)
{
    return one->user == other->user && one->sum == other->sum && one->mxr == other->mxr &&
           one->marking == other->marking && one->features == other->features && one->width == other->width &&
           one->lower == other->lower && one->device == other->device && one->user_keys == other->user_keys &&
           one->keys == other->keys && one->reserved == other->reserved && one->privilege == other->privilege &&
           one->check == other->check && one->check_user == other->check_user;
}

VMM_INLINE bool vmm_same_space(const vmm_context_t *one, const vmm_context_t *other)
{
    const unsigned flat = VMM_ARM64_FLAT_LOW | VMM_ARM64_FLAT_HIGH; /* what tables are remembered with depends on it */
    return vmm_same_half(&one->half[0], &other->half[0]) && vmm_same_half(&one->half[1], &other->half[1]) &&
           one->asid == other->asid && one->vmid == other->vmid &&
           !((one->judge.features ^ other->judge.features) & flat);
}

VMM_INLINE bool vmm_same_context(const vmm_context_t *one, const vmm_context_t *other)
{
    return vmm_same_space(one, other) && vmm_same_judge(&one->judge, &other->judge);
}

/* Makes sure that two keys are left, the most that one change needs; otherwise clears the walk cache,
 * starts keys anew and makes every bank stale. */
VMM_INLINE void vmm_walk_keys_renew(vmm_ref_t u)
{
    vmm_state_t *s = u.state;
    size_t i;
    if (!vmm_has_walk_cache(u) || VMM_LIKELY(s->walk_keys + 2 + VMM_MAX_BANKS <= vmm_low_mask(vmm_walk_shift(u))))
        return;
    for (i = 0; i < u.model->walk_slots; i++) u.walk[i].tag = 0; /* key 0 is nobody's */
    s->walk_keys = 0;
    s->epoch++;
}

/* The key of a bank's space: that of another bank of the same space, else a new one. */
VMM_INLINE uint64_t vmm_walk_key_of(vmm_ref_t u, unsigned bank)
{
    vmm_state_t *s = u.state;
    unsigned other;
    for (other = 0; other < s->banks_used; other++)
        if (other != bank && s->bank[other].epoch == s->epoch &&
            vmm_same_space(&s->bank[other].context, &s->bank[bank].context))
            return s->bank[other].walk_key;
    return ++s->walk_keys;
}

/* Invalidates a bank's slots by starting its next generation, and gives it a key. */
VMM_INLINE void vmm_bank_renew(vmm_ref_t u, unsigned bank, uint64_t walk_key)
{
    vmm_bank_t *b = &u.state->bank[bank];
    if (vmm_has_front(u) && VMM_UNLIKELY(b->generation-- == 0)) {
        vmm_bank_clear(u, bank);
        b->generation = u.model->front_slots - 3u;
    }
    b->walk_key = walk_key;
    b->epoch = u.state->epoch;
}

/* The bank of a context: the one that remembers it, else the next in turn but `keep`. */
VMM_INLINE unsigned vmm_bank_of(vmm_ref_t u, const vmm_context_t *context, unsigned keep)
{
    vmm_state_t *s = u.state;
    unsigned bank;
    for (bank = 0; bank < s->banks_used; bank++)
        if (s->bank[bank].epoch && vmm_same_context(&s->bank[bank].context, context)) break;
    if (bank == s->banks_used) {
        bank = s->next_bank == keep ? (keep + 1u) % u.model->front_banks : s->next_bank;
        s->next_bank = (bank + 1u) % u.model->front_banks;
        if (s->banks_used <= bank) s->banks_used = bank + 1u;
        s->bank[bank].context = *context;
        s->bank[bank].epoch = 0;
    }
    if (s->bank[bank].epoch != s->epoch) vmm_bank_renew(u, bank, vmm_walk_key_of(u, bank));
    return bank;
}

/* What a level-0 entry must look like for an access to be allowed without asking any further: bits that must
 * say yes, and bits that must say no. It is a sufficient condition: what does not look so is walked for and judged
 * by the full rules. */
VMM_INLINE void vmm_x86_shortcut(const vmm_judge_t *judge, unsigned access, vmm_pte_t *yes, vmm_pte_t *no)
{
    if (access == VMM_WRITE && !judge->user && !(judge->features & VMM_X86_WP)) *yes &= ~UINT64_C(2);
    if (!judge->user && (access == VMM_FETCH ? judge->features & VMM_X86_SMEP : !judge->sum)) *no |= 4;
    *no |= judge->reserved & ~VMM_X86_XD; /* XD is told by the right to execute; reserved, it is walked for */
    if (judge->reserved & VMM_X86_XD) *yes |= VMM_X86_XD;
    if (access != VMM_FETCH && (judge->features & (VMM_X86_PKU | VMM_X86_PKS))) *no |= VMM_X86_KEY;
}

VMM_INLINE void vmm_arm64_shortcut(const vmm_judge_t *judge, unsigned access, vmm_pte_t *yes, vmm_pte_t *no)
{
    const vmm_pte_t page = 2, user = 0x40;
    *yes = (*yes & ~(VMM_ARM64_DBM | VMM_ARM64_UXN | VMM_ARM64_PXN)) | 1;
    *no |= VMM_ARM64_CONTIGUOUS | page; /* "huge" says no where the type bit is set */
    if (judge->width) *no |= UINT64_C(0x0000fffffffff000) & ~vmm_low_mask(judge->width);
    if (judge->device) *no |= 0x1c; /* AttrIndx 0 alone: where that is Device memory all goes the long way */
    if (access == VMM_FETCH) {
        *yes = (*yes & ~user) | (judge->user ? VMM_ARM64_UXN : VMM_ARM64_PXN);
        if (!judge->user) *no |= user; /* EL1 does not execute what EL0 may write */
        if (judge->features & VMM_ARM64_WXN) *no |= VMM_ARM64_AP2 | VMM_ARM64_DBM;
    } else if (!judge->user && !judge->sum) {
        *no |= user;
    }
}

/* Small pages; AP[0] set, so that it is alike with and without AFE, but for reads of PL0, where AP[1] says more. */
VMM_INLINE void vmm_arm32_shortcut(const vmm_judge_t *judge, unsigned access, vmm_pte_t *yes, vmm_pte_t *no)
{
    const vmm_pte_t ap0 = 0x10, ap1 = 0x20, ap2 = 0x200, never = 1;
    *yes = 2 | (judge->user ? ap1 : 0);
    if (!judge->user || access == VMM_WRITE || (judge->features & VMM_ARM32_AFE)) *yes |= ap0;
    *no = access == VMM_WRITE ? ap2 : access == VMM_FETCH ? never : 0;
    if (access != VMM_FETCH || !(judge->features & (VMM_ARM32_WXN | VMM_ARM32_UWXN))) return;
    *yes |= ap2; /* what nobody may write */
}

/* What the first level must not say for the shortcut, as bits of a walk slot's `denied`: PXN for fetches of PL1, and of
 * the domains, from bit 32, those of which this is not a client. */
VMM_INLINE vmm_pte_t vmm_arm32_need(const vmm_judge_t *judge, unsigned access)
{
    vmm_pte_t need = access == VMM_FETCH && !judge->user;
    unsigned domain;
    for (domain = 0; domain < 16; domain++)
        if (((judge->keys >> (2 * domain)) & 3) != 1) need |= UINT64_C(1) << (32 + domain);
    return need;
}

/* Whether every miss must go the long way: somebody looks on, or x86's key 0 is restricted itself. */
VMM_INLINE bool vmm_shortcut_closed(vmm_ref_t u, const vmm_judge_t *judge, unsigned access)
{
    const vmm_state_t *s = u.state;
    if (s->watches || judge->check || (s->track && access == VMM_WRITE) || u.model->detect) return true;
    if (vmm_base(u)->rules == VMM_RULES_ARM64 && (judge->device & 1)) return true;
    return vmm_base(u)->rules == VMM_RULES_X86 && access != VMM_FETCH && ((judge->user_keys | judge->keys) & 3);
}

VMM_INLINE void vmm_view_shortcut(vmm_ref_t u, unsigned access)
{
    const vmm_paging_t *p = vmm_base(u);
    vmm_view_t *view = &u.state->view[access];
    const vmm_judge_t *judge = &view->context.judge;
    const vmm_pte_t right = access == VMM_WRITE ? p->write : access == VMM_FETCH ? p->execute : p->read;
    vmm_pte_t yes = p->valid | right | p->accessed | (access == VMM_WRITE ? p->dirty : 0), no = p->reserved;
    if (judge->user) yes |= p->user;
    if (p->rules == VMM_RULES_RISCV) {
        yes |= p->read; /* rules W without R out; pages that may only be executed are walked for */
        if (!judge->user && (access == VMM_FETCH || !judge->sum)) no |= p->user;
        if (p->pte_bytes == 8) no |= VMM_RISCV_N | VMM_RISCV_PBMT;
    }
    if (p->rules == VMM_RULES_X86) vmm_x86_shortcut(judge, access, &yes, &no);
    if (p->rules == VMM_RULES_ARM64) vmm_arm64_shortcut(judge, access, &yes, &no);
    if (p->rules == VMM_RULES_ARM32) vmm_arm32_shortcut(judge, access, &yes, &no);
    view->need = yes & (p->read | p->write | p->execute | p->user | (p->rules == VMM_RULES_ARM64 ? p->dirty : 0));
    if (p->rules == VMM_RULES_ARM32) view->need = vmm_arm32_need(judge, access);
    if (p->rules == VMM_RULES_X86 || p->rules == VMM_RULES_ARM64)
        vmm_fault_set(p, judge, &view->absent, VMM_PAGE_FAULT, access, VMM_RULE_VALID, 0,
                      p->rules == VMM_RULES_X86 ? vmm_flush_va(u, ~UINT64_C(0)) : ~UINT64_C(0), 0, 0);
    view->mask = yes | no;
    view->want = ((yes ^ p->inverted) & yes) | (no & p->inverted);
    if (vmm_shortcut_closed(u, judge, access)) view->want = ~view->mask | 1; /* no entry looks like that */
}

VMM_INLINE void vmm_view_attach(vmm_ref_t u, unsigned access, unsigned bank)
{
    const unsigned page_shift = vmm_base(u)->page_shift;
    VMM_ASSERT(!vmm_has_front(u) || u.state->bank[bank].generation <= u.model->front_slots - 3u);
    u.state->view[access].bank = bank;
    u.state->view[access].walk_key = u.state->bank[bank].walk_key;
    u.state->gate[access].front = vmm_front_slots(u, bank, access);
    u.state->gate[access].limit = ((uint64_t)(u.state->bank[bank].generation + 1u) << page_shift) - 1u;
}

/* Makes the views agree with the contexts that registers ask for. Two that differ need two banks. */
VMM_INLINE void vmm_views_set(vmm_ref_t u, const vmm_context_t *data, const vmm_context_t *fetch)
{
    unsigned access, data_bank, fetch_bank;
    for (access = 0; access < 3; access++) {
        u.state->view[access].context = access == VMM_FETCH ? *fetch : *data;
        vmm_view_shortcut(u, access);
    }
    vmm_walk_keys_renew(u);
    fetch_bank = vmm_bank_of(u, fetch, VMM_MAX_BANKS);
    data_bank = vmm_same_context(data, fetch) ? fetch_bank : vmm_bank_of(u, data, fetch_bank);
    vmm_view_attach(u, VMM_READ, data_bank);
    vmm_view_attach(u, VMM_WRITE, data_bank);
    vmm_view_attach(u, VMM_FETCH, fetch_bank);
}

/* Forgets the front and the walk cache of every context; the banks in use start a new generation. */
VMM_INLINE void vmm_front_flush_all(vmm_ref_t u)
{
    vmm_state_t *s = u.state;
    const unsigned data_bank = s->view[VMM_READ].bank, fetch_bank = s->view[VMM_FETCH].bank;
    if (!vmm_has_front(u) && !vmm_has_walk_cache(u)) return;
    vmm_walk_keys_renew(u);
    s->epoch++;
    vmm_bank_renew(u, data_bank, ++s->walk_keys);
    vmm_view_attach(u, VMM_READ, data_bank);
    vmm_view_attach(u, VMM_WRITE, data_bank);
    if (fetch_bank != data_bank) vmm_bank_renew(u, fetch_bank, vmm_walk_key_of(u, fetch_bank));
    vmm_view_attach(u, VMM_FETCH, fetch_bank);
    vmm_pieces_none(&s->front_pieces);
}

/* The slots of one page in every bank, or the whole front when the page may be a piece of a huge
 * one whose other pieces lie elsewhere. */
VMM_INLINE void vmm_front_flush_page(vmm_ref_t u, vmm_vaddr_t va)
{
    vmm_state_t *s = u.state;
    const size_t slots = u.model->front_slots, index = vmm_front_index(u, va);
    unsigned bank;
    if (vmm_has_walk_cache(u)) vmm_walk_slot_of(u, va)->tag = 0;
    if (!vmm_has_front(u)) return;
    if (vmm_pieces_may_hold(&s->front_pieces, va)) {
        vmm_front_flush_all(u);
        return;
    }
    for (bank = 0; bank < s->banks_used; bank++) {
        vmm_front_slot_t *slot = vmm_front_slots(u, bank, VMM_READ) + index;
        slot[0].bias = slot[slots].bias = slot[2 * slots].bias = vmm_front_empty_bias(u, index);
    }
}

/* Forgets where level-0 tables are, and nothing else: every bank gets a key of its own. */
VMM_INLINE void vmm_walk_forget(vmm_ref_t u)
{
    vmm_state_t *s = u.state;
    unsigned bank, access;
    if (!vmm_has_walk_cache(u)) return;
    vmm_walk_keys_renew(u);
    for (bank = 0; bank < s->banks_used; bank++) s->bank[bank].walk_key = ++s->walk_keys;
    for (access = 0; access < 3; access++) s->view[access].walk_key = s->bank[s->view[access].bank].walk_key;
}

/* Forgets that pages may be stored to: of the frame that begins at a host address, or of all. */
VMM_INLINE void vmm_front_flush_stores(vmm_ref_t u, const uint8_t *host, bool all)
{
    const vmm_state_t *s = u.state;
    unsigned bank;
    size_t i;
    for (bank = 0; vmm_has_front(u) && bank < s->banks_used; bank++) {
        const uint64_t first = (uint64_t)s->bank[bank].generation << vmm_base(u)->page_shift;
        vmm_front_slot_t *slot = vmm_front_slots(u, bank, VMM_WRITE);
        for (i = 0; i < u.model->front_slots; i++) {
            const uint64_t page = first - slot[i].bias; /* its address, if it is of this generation */
            if (all || (uintptr_t)(page + slot[i].addend) == (uintptr_t)host) slot[i].bias = vmm_front_empty_bias(u, i);
        }
    }
}

VMM_INLINE void vmm_front_flush_asid(vmm_ref_t u, uint16_t asid)
{
    vmm_state_t *s = u.state;
    unsigned bank;
    for (bank = 0; bank < s->banks_used; bank++)
        if (s->bank[bank].context.asid == asid) s->bank[bank].epoch = 0;
    if (s->bank[s->view[VMM_READ].bank].epoch && s->bank[s->view[VMM_FETCH].bank].epoch) return;
    vmm_front_flush_all(u);
}

/* Forgets what guests used: of one virtual machine or of all, of one of its address spaces or of all. */
VMM_INLINE void vmm_front_flush_guests(vmm_ref_t u, const uint16_t *vmid, const uint16_t *asid)
{
    vmm_state_t *s = u.state;
    unsigned bank, access;
    vmm_walk_keys_renew(u);
    for (bank = 0; bank < s->banks_used; bank++) {
        const vmm_context_t *c = &s->bank[bank].context;
        if (vmm_is_guest(u, c) && (!vmid || c->vmid == *vmid) && (!asid || c->asid == *asid)) s->bank[bank].epoch = 0;
    }
    for (access = 0; access < 3; access++) {
        bank = s->view[access].bank;
        if (s->bank[bank].epoch != s->epoch) vmm_bank_renew(u, bank, vmm_walk_key_of(u, bank));
        vmm_view_attach(u, access, bank);
    }
}

VMM_INLINE vmm_status_t vmm_mmu_init(vmm_ref_t u, const vmm_memory_t *memory)
{
    vmm_state_t *s = u.state;
    unsigned bank, f;
    size_t i;
    vmm_status_t status;
    if (!memory) return VMM_E_ARGUMENT;
    for (f = 0; f < u.model->arch->formats; f++) {
        status = vmm_paging_check(u.model->arch->format[f]);
        if (status == VMM_OK) status = vmm_mem_check(memory, u.model->arch->format[f]);
        if (status == VMM_E_RANGE && f > 0 && vmm_base(u)->rules == VMM_RULES_X86)
            status = VMM_OK; /* RAM that 32-bit paging does not reach is there for the other modes */
        if (status) return status;
    }
    VMM_SET(s, 0, sizeof *s);
    VMM_SET(u.fault, 0, sizeof *u.fault);
    VMM_SET(u.stats, 0, sizeof *u.stats);
    s->memory = *memory;
    s->epoch = 1;
    s->random = 0x9e3779b9u;
    vmm_pieces_none(&s->front_pieces);
    vmm_pieces_none(&s->tlb_pieces);
    for (i = 0; i < u.model->walk_slots; i++) u.walk[i].tag = 0;
    for (bank = 0; bank < u.model->front_banks; bank++) {
        vmm_bank_clear(u, bank);
        s->bank[bank].generation = u.model->front_slots - 3u;
    }
    vmm_tlb_clear(u);
    return VMM_OK;
}
/** @endcond */
/** @} */

/* ================================================================== Part I  5. access == */
/** @defgroup vmm_access 5. Access path
 *  Load, store, fetch, copy and compare-and-swap. An access that crosses a page translates both
 *  pages before it touches either.
 *  @{ */

/** @cond internal */
/* How far an address could be followed by one stage. */
enum vmm_reach {
    VMM_REACH_HOST,  /* to RAM: the host address is known */
    VMM_REACH_FAULT, /* to a fault, which is set */
    VMM_REACH_FAR    /* no further: crosses a page, is not RAM, or wants a later stage */
};

VMM_INLINE vmm_status_t vmm_mmu_faulted(vmm_ref_t u)
{
    u.stats->faults++;
    return VMM_FAULT;
}

/* Whether somebody mended what an access faulted on, so that it is to be made again. */
VMM_INLINE bool vmm_mmu_served(vmm_ref_t u)
{
    return u.state->serve && u.state->serve(u.state->serve_user, u.fault) == VMM_OK;
}

/* Are a format's entries and lowest tables like those of the first, which the walk cache is made for? */
VMM_INLINE bool vmm_walk_cached(vmm_ref_t u, const vmm_paging_t *p)
{
    const vmm_paging_t *base = vmm_base(u);
    return vmm_has_walk_cache(u) && p->pte_bytes == base->pte_bytes && p->page_shift == base->page_shift &&
           p->index_bits[0] == base->index_bits[0];
}

/* Bits of an entry that stand for rights which pointers above took away. */
VMM_INLINE vmm_pte_t vmm_denied_bits(const vmm_paging_t *p, unsigned granted)
{
    if (p->rules == VMM_RULES_ARM64)
        return (granted & VMM_W ? 0 : VMM_ARM64_DBM | VMM_ARM64_AP2) | (granted & VMM_U ? 0 : p->user) |
               (granted & VMM_X ? 0 : VMM_ARM64_UXN) | (granted & VMM_PX ? 0 : VMM_ARM64_PXN);
    if (p->rules == VMM_RULES_ARM32) return (granted & VMM_PX ? 0u : 1u) | UINT64_C(1) << (32 + (granted >> 4));
    return (granted & VMM_R ? 0 : p->read) | (granted & VMM_W ? 0 : p->write) | (granted & VMM_U ? 0 : p->user) |
           (granted & VMM_X ? 0 : p->execute);
}

/* Remembers the level-0 table that a walk went through, with the rights that the pointers to it leave. Not where a
 * pointer made all below it global, because then the leaf does not say everything. */
VMM_INLINE void vmm_walk_cache_fill(vmm_ref_t u, const vmm_view_t *view, vmm_vaddr_t va, const vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_base(u);
    const uint8_t *host = vmm_mem_host(&u.state->memory, t->table, vmm_table_bytes(p, 0));
    vmm_walk_slot_t *slot = vmm_walk_slot_of(u, va);
    if (!host || ((uintptr_t)host & (p->pte_bytes - 1u)) || t->above || view->context.judge.check) return;
    if (p->rules == VMM_RULES_ARM64 && vmm_half_of(u, &view->context, va)->level == 0)
        return; /* it may be a short one */
    slot->tag = vmm_walk_tag(u, view, va);
    slot->table = host;
    if (p->rights == VMM_RIGHTS_LEAF) return;
    slot->denied = vmm_denied_bits(p, t->granted);
    slot->granted = t->granted;
}

/* AArch64: why a half translates nothing at an address, before any table is read. Bits above those that are
 * translated must be like bit 55, and 63:56 too unless they are a tag. */
VMM_INLINE unsigned vmm_half_rule(const vmm_half_t *half, vmm_vaddr_t va)
{
    const uint64_t like = (va >> 55) & 1 ? ~UINT64_C(0) : 0;
    const uint64_t seen = vmm_low_mask(half->tagged ? 56 : 64) & ~vmm_low_mask(half->bits);
    return (va ^ like) & seen ? (unsigned)VMM_RULE_CANONICAL : half->rule;
}

/* x86's PAE: the top table is four registers. Its entry of an address as a step; a start one level down. */
VMM_INLINE bool vmm_pdpte_enter(vmm_ref_t u, const vmm_paging_t *p, const vmm_half_t *half, vmm_vaddr_t va,
                                vmm_walk_start_t *start, vmm_step_t *step)
{
    step->index = (uint32_t)(va >> 30) & 3;
    step->pte_addr = half->root + 8u * step->index;
    step->pte = u.state->pdpte[step->index];
    step->level = 2;
    start->table = vmm_pte_paddr(p, step->pte);
    start->level = 1;
    return step->pte & 1;
}

/* Where a walk begins: at the root, or where registers say. A fault when they say that it does not. */
VMM_INLINE vmm_status_t vmm_walk_enter(vmm_ref_t u, const vmm_paging_t *p, const vmm_context_t *c,
                                       const vmm_judge_t *judge, unsigned access, vmm_vaddr_t va,
                                       vmm_walk_start_t *start, vmm_step_t *steps, unsigned *count)
{
    const vmm_half_t *half = vmm_half_of(u, c, va);
    start->table = half->root;
    start->level = p->levels - 1u;
    start->bits = p->vaddr_bits;
    start->granted = 0xff;
    if (p->rules == VMM_RULES_ARM64) {
        const unsigned rule = vmm_half_rule(half, va);
        if (rule) return vmm_fault_set(p, judge, u.fault, VMM_PAGE_FAULT, access, rule, p->levels, va, 0, 0);
        start->level = half->level;
        start->bits = half->bits;
    }
    if (p->rules == VMM_RULES_ARM32 && half->rule) /* TTBCR.PD0, PD1 */
        return vmm_fault_set(p, judge, u.fault, VMM_PAGE_FAULT, access, half->rule, p->levels, vmm_wrap(p, va), 0, 0);
    if (vmm_is_pdpte(p, start->level)) {
        vmm_step_t step;
        const bool valid = vmm_pdpte_enter(u, p, half, va, start, &step);
        if (steps) steps[(*count)++] = step;
        if (!valid)
            return vmm_fault_set(p, judge, u.fault, VMM_PAGE_FAULT, access, VMM_RULE_VALID, 2, vmm_wrap(p, va),
                                 step.pte_addr, step.pte);
    }
    return VMM_OK;
}

/* -- MIPS: the TLB that software fills -- */

/* Bits of an address that an entry does not compare. */
VMM_INLINE uint32_t vmm_mips_inside(const vmm_mips_entry_t *e)
{
    return e->mask | 0x1fff;
}

/* log2 of the bytes of one of its pages: PageMask has as many ones from bit 13 as that is more than 12. */
VMM_INLINE unsigned vmm_mips_shift(const vmm_mips_entry_t *e)
{
    unsigned shift = 12;
    while ((e->mask >> (shift + 1)) & 1) shift++;
    return shift;
}

/* The lowest entry that matches, or -1. The manual leaves open what two that match do. */
VMM_INLINE int vmm_mips_find(const vmm_mips_t *r, uint32_t va, uint32_t asid)
{
    unsigned i;
    for (i = 0; i < r->entries; i++) {
        const vmm_mips_entry_t *e = &r->entry[i];
        if ((e->hi & 0x400) || ((e->hi ^ va) & ~vmm_mips_inside(e))) continue;
        if ((e->lo[0] & 1) || !((e->hi ^ asid) & 0xff)) return (int)i;
    }
    return -1;
}

/* Exceptions leave the address in BadVAddr, those of the TLB also in Context and EntryHi; looking leaves nothing. */
VMM_INLINE vmm_status_t vmm_mips_fault(vmm_mips_t *r, const vmm_judge_t *judge, vmm_fault_t *fault, unsigned kind,
                                       unsigned access, unsigned rule, vmm_vaddr_t va, vmm_pte_t lo)
{
    const bool matched = kind != VMM_ALIGN_FAULT && rule != VMM_RULE_CANONICAL && rule != VMM_RULE_NO_ENTRY;
    if (judge->marking != VMM_MARK_PEEK && kind != VMM_ACCESS_FAULT) r->badvaddr = (uint32_t)va;
    if (judge->marking != VMM_MARK_PEEK && kind == VMM_PAGE_FAULT) {
        r->context = (r->context & 0xff800000) | ((uint32_t)va >> 13) << 4;
        r->entryhi = (r->entryhi & 0x4ff) | ((uint32_t)va & 0xffffe000);
    }
    return vmm_fault_set(&vmm_mips32_tlb, judge, fault, kind, access, rule, matched ? 0 : 1, va, 0, lo);
}

/* A lookup. Its order: the segment, a match, V, then XI, RI or D ("TLB-Based Virtual Address Translation"). */
VMM_OUTLINE vmm_status_t vmm_mips_walk(vmm_mips_t *r, const vmm_memory_t *memory, const vmm_judge_t *judge,
                                       unsigned access, vmm_vaddr_t va, vmm_translation_t *t, vmm_fault_t *fault,
                                       vmm_step_t *steps, unsigned *count)
{
    const vmm_paging_t *p = &vmm_mips32_tlb;
    const vmm_mips_entry_t *e;
    unsigned rule;
    int at;
    VMM_SET(t, 0, sizeof *t);
    va = vmm_wrap(p, va);
    if (vmm_mips_segment(judge, va) == VMM_MIPS_REFUSED)
        return vmm_mips_fault(r, judge, fault, VMM_PROTECTION_FAULT, access, VMM_RULE_CANONICAL, va, 0);
    at = vmm_mips_find(r, (uint32_t)va, r->entryhi);
    if (at < 0) return vmm_mips_fault(r, judge, fault, VMM_PAGE_FAULT, access, VMM_RULE_NO_ENTRY, va, 0);
    e = &r->entry[at];
    t->page_shift = (uint8_t)vmm_mips_shift(e);
    t->pte = e->lo[(va >> t->page_shift) & 1];
    if (steps) {
        const vmm_step_t step = {0, t->pte, (uint32_t)at, 0};
        steps[(*count)++] = step;
    }
    if (!(t->pte & 2)) return vmm_mips_fault(r, judge, fault, VMM_PAGE_FAULT, access, VMM_RULE_VALID, va, t->pte);
    /* Not VMM_G: in another address space an entry before this one may match. */
    t->flags = (uint8_t)((t->pte >> 31 ? 0 : VMM_R) | (t->pte & 4 ? VMM_W : 0) | (t->pte & 0x40000000 ? 0 : VMM_X) |
                         VMM_U | VMM_A | VMM_D);
    t->type = (t->pte >> 3) & 7;
    rule = vmm_rights_rule(p, judge, t->flags, t->type, access);
    if (rule) return vmm_mips_fault(r, judge, fault, VMM_PAGE_FAULT, access, rule, va, t->pte);
    t->paddr = (vmm_pte_paddr(p, t->pte) & ~vmm_low_mask(t->page_shift)) | (va & vmm_low_mask(t->page_shift));
    if (!(t->paddr & ~vmm_low_mask(vmm_mem_width(memory, p)))) return VMM_OK;
    return vmm_mips_fault(r, judge, fault, VMM_ACCESS_FAULT, access, VMM_RULE_PADDR_WIDTH, va, t->pte);
}

/* One format of the instance, walked in its context: from the level-0 table if the walk cache knows
 * it, else from the root. */
VMM_INLINE vmm_status_t vmm_walk_as(vmm_ref_t u, const vmm_paging_t *p, unsigned access, vmm_vaddr_t va,
                                    vmm_translation_t *t)
{
    const vmm_view_t *view = &u.state->view[access];
    const vmm_memory_t *memory = &u.state->memory;
    const vmm_judge_t *judge = &view->context.judge;
    const bool cached = vmm_walk_cached(u, p) && vmm_walk_slot_of(u, va)->tag == vmm_walk_tag(u, view, va);
    vmm_walk_start_t start;
    vmm_status_t status;
    if (cached) {
        const vmm_walk_slot_t *slot = vmm_walk_slot_of(u, va);
        start.table = memory->base + (uintptr_t)(slot->table - (const uint8_t *)memory->ram);
        start.level = 0;
        start.bits = vmm_level_shift(p, 1);
        start.granted = p->rights == VMM_RIGHTS_LEAF ? 0xffu : (unsigned)slot->granted;
    } else {
        u.stats->walks++;
        if (p->rules == VMM_RULES_MIPS)
            return vmm_mips_walk((vmm_mips_t *)u.registers, memory, judge, access, va, t, u.fault, NULL, NULL);
        if (vmm_walk_enter(u, p, &view->context, judge, access, va, &start, NULL, NULL)) return VMM_FAULT;
    }
    status = vmm_walk_from(p, memory, start, judge, access, va, t, u.fault, NULL, NULL);
    if (!cached && vmm_walk_cached(u, p) && (status == VMM_OK ? t->level : u.fault->level) == 0)
        vmm_walk_cache_fill(u, view, va, t);
    return status;
}

/* A walk from the root by a judge of the caller's, in whatever format: for those who look. One function for all
 * instances. */
VMM_OUTLINE vmm_status_t vmm_walk_looking(vmm_ref_t u, const vmm_context_t *c, const vmm_judge_t *judge,
                                          unsigned access, vmm_vaddr_t va, vmm_translation_t *t, vmm_step_t *steps,
                                          unsigned *count)
{
    const vmm_paging_t *p = u.model->arch->format[vmm_half_of(u, c, va)->format];
    vmm_walk_start_t start;
    if (p->rules == VMM_RULES_MIPS)
        return vmm_mips_walk((vmm_mips_t *)u.registers, &u.state->memory, judge, access, va, t, u.fault, steps, count);
    if (vmm_walk_enter(u, p, c, judge, access, va, &start, steps, count)) return VMM_FAULT;
    return vmm_walk_from(p, &u.state->memory, start, judge, access, va, t, u.fault, steps, count);
}

/* Bare: the address is physical. x86 has 32 bits of it then, AArch64 a tag perhaps and its own width; MIPS has segments
 * that are not mapped. */
VMM_INLINE vmm_status_t vmm_mmu_identity(vmm_ref_t u, const vmm_context_t *context, unsigned access, vmm_vaddr_t va,
                                         vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_widest(u);
    const vmm_judge_t *judge = &context->judge;
    const unsigned width = judge->width ? judge->width : vmm_mem_width(&u.state->memory, p);
    VMM_SET(t, 0, sizeof *t);
    if (p->rules == VMM_RULES_ARM64 && vmm_half_of(u, context, va)->tagged) va &= vmm_low_mask(56);
    va = p->rules == VMM_RULES_X86 ? (uint32_t)va : vmm_wrap(p, va);
    if (p->rules == VMM_RULES_MIPS && va >> 31) va &= 0x1fffffff; /* kseg0, kseg1 */
    t->paddr = va;
    t->flags = VMM_R | VMM_W | VMM_X | VMM_PX | VMM_U | VMM_A | VMM_D;
    t->level = p->levels; /* no entry was read */
    t->page_shift = vmm_base(u)->page_shift;
    if (va & ~vmm_low_mask(width))
        return vmm_fault_set(p, judge, u.fault, p->rules == VMM_RULES_ARM64 ? VMM_PAGE_FAULT : VMM_ACCESS_FAULT, access,
                             VMM_RULE_PADDR_WIDTH, p->levels, va, 0, 0);
    return VMM_OK;
}

/* A walk in a context, by code made for each format at compile time, chosen at run time. */
VMM_INLINE vmm_status_t vmm_walk_chosen(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_arch_t *arch = u.model->arch;
    const unsigned format = vmm_half_of(u, &u.state->view[access].context, va)->format;
    if (arch->formats > 1 && format == 1) return vmm_walk_as(u, arch->format[1], access, va, t);
    if (arch->formats > 2 && format == 2) return vmm_walk_as(u, arch->format[2], access, va, t);
    if (arch->formats > 3 && format == 3) return vmm_walk_as(u, arch->format[3], access, va, t);
    if (arch->formats > 4 && format == 4) return vmm_walk_as(u, arch->format[4], access, va, t);
    return vmm_walk_as(u, arch->format[0], access, va, t);
}

/* What a TLB entry says of an address. */
VMM_INLINE void vmm_tlb_tell(const vmm_paging_t *p, const vmm_tlb_entry_t *entry, vmm_vaddr_t va, vmm_translation_t *t)
{
    VMM_SET(t, 0, sizeof *t);
    t->flags = entry->flags;
    t->level = entry->level;
    t->page_shift = entry->page_shift;
    t->type = entry->type;
    t->paddr = entry->paddr | (va & vmm_low_mask(vmm_level_shift(p, entry->level)));
}

/* Is that all that the access needs? Not when rights refuse, a dirty bit is yet to be set, or a huge
 * page reaches beyond physical memory: then the tables are walked, so that a fault is told from the
 * entry and marks go to the live one. */
VMM_INLINE bool vmm_tlb_serves(vmm_ref_t u, const vmm_context_t *context, unsigned access, const vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_widest(u);
    if (vmm_rights_rule(p, &context->judge, t->flags, t->type, access)) return false;
    if (access == VMM_WRITE && !(t->flags & VMM_D)) return false;
    return !(t->paddr & ~vmm_low_mask(vmm_mem_width(&u.state->memory, p)));
}

/* Does the format in force have the address at all? */
VMM_INLINE bool vmm_has_address(vmm_ref_t u, const vmm_context_t *context, vmm_vaddr_t va)
{
    const vmm_half_t *half = vmm_half_of(u, context, va);
    if (vmm_base(u)->rules == VMM_RULES_ARM64) return vmm_half_rule(half, va) == VMM_RULE_NONE;
    if (vmm_base(u)->rules == VMM_RULES_MIPS) return vmm_mips_segment(&context->judge, va) == VMM_MIPS_MAPPED;
    return vmm_canonical(u.model->arch->format[half->format], va);
}

/* A guest's access, through both stages. */
VMM_INLINE vmm_status_t vmm_walk_stages(vmm_ref_t u, const vmm_context_t *c, const vmm_judge_t *judge, unsigned access,
                                        vmm_vaddr_t va, vmm_translation_t *t, vmm_step_t *steps, unsigned *count)
{
    const vmm_paging_t *p = c->half[0].format == VMM_BARE ? NULL : u.model->arch->format[c->half[0].format];
    const unsigned f = judge->features;
    vmm_guest_t g;
    VMM_SET(&g, 0, sizeof g);
    g.memory = &u.state->memory;
    g.fault = u.fault;
    g.first = judge;
    g.second.user = 1;
    g.second.mxr = (f & VMM_RISCV_SECOND_MXR) != 0;
    g.second.features = f & VMM_SVNAPOT;
    if (f & VMM_RISCV_SECOND_PBMT) g.second.features |= VMM_SVPBMT;
    g.second.marking = f & VMM_RISCV_SECOND_PEEK    ? VMM_MARK_PEEK
                       : f & VMM_RISCV_SECOND_MARKS ? VMM_MARK_UPDATE
                                                    : VMM_MARK_FAULT;
    g.second.check = judge->check;
    g.second.check_user = judge->check_user;
    g.second.track = judge->track;
    g.second.base = judge->base;
    g.root = c->half[1].root;
    g.levels = c->half[1].level;
    g.va = vmm_wrap(vmm_widest(u), va);
    g.access = (uint8_t)access;
    g.width = (uint8_t)vmm_mem_width(&u.state->memory, vmm_widest(u));
    return vmm_walk_guest(p, &g, c->half[0].root, t, steps, count);
}

/* The missing-flush detector. A hit on *t is held against a fresh walk that leaves no trace; what a walk would refuse,
 * or send elsewhere, is told. An accessed bit that was cleared is no matter: nobody is asked to flush for it. */
VMM_INLINE void vmm_detect(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_record_t *record,
                           const vmm_translation_t *t)
{
    const vmm_context_t *context = &u.state->view[access].context;
    const unsigned format = vmm_half_of(u, context, va)->format;
    vmm_judge_t judge = context->judge;
    vmm_translation_t now;
    vmm_fault_t fault;
    vmm_stale_t stale;
    vmm_status_t status;
    const bool guest = vmm_is_guest(u, context);
    if (format == VMM_BARE && !guest) return;
    VMM_SET(&now, 0, sizeof now);
    VMM_SET(&fault, 0, sizeof fault);
    VMM_SET(&stale, 0, sizeof stale);
    u.fault = &fault; /* this copy of the parts leaves the instance's own alone */
    judge.marking = VMM_MARK_PEEK;
    if (guest) judge.features |= VMM_RISCV_SECOND_PEEK;
    status = guest ? vmm_walk_stages(u, context, &judge, access, va, &now, NULL, NULL)
                   : vmm_walk_looking(u, context, &judge, access, va, &now, NULL, NULL);
    if (status == VMM_OK && now.paddr == t->paddr &&
        (access != VMM_WRITE || (now.flags & VMM_D) || !vmm_base(u)->dirty))
        return;
    stale.rule = fault.rule;
    if (status == VMM_OK) stale.rule = now.paddr == t->paddr ? VMM_RULE_DIRTY : VMM_RULE_NONE;
    stale.vaddr = va;
    stale.access = (uint8_t)access;
    stale.paddr = t->paddr;
    stale.paddr_now = now.paddr;
    stale.pte_addr = record->t.pte_addr;
    stale.pte = record->t.pte;
    stale.pte_now = status == VMM_OK ? now.pte : fault.pte;
    stale.when = record->when;
    stale.now = u.state->clock;
    u.stats->stale++;
    if (u.state->stale) u.state->stale(u.state->stale_user, &stale);
}

/* With the detector a hit of the front comes here: it leads where its record says, after it was looked at. */
VMM_INLINE bool vmm_record_serves(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_front_slot_t *slot;
    const vmm_record_t *record;
    uint64_t page;
    u.state->clock++;
    if (!vmm_has_front(u)) return false;
    slot = vmm_front_slot_of(u, access, va);
    if (va + slot->bias > u.state->gate[access].limit) return false;
    record = &u.record[slot - u.front];
    page = vmm_low_mask(vmm_base(u)->page_shift);
    *t = record->t;
    t->paddr = (t->paddr & ~page) | (va & page);
    vmm_detect(u, access, va, record, t);
    return true;
}

/* A lookup that counts. No entry serves an address that the format in force does not call canonical. */
VMM_INLINE bool vmm_tlb_translate(vmm_ref_t u, const vmm_context_t *context, unsigned access, vmm_vaddr_t va,
                                  vmm_translation_t *t)
{
    const long at = vmm_has_address(u, context, va) ? vmm_tlb_find(u, access, context, va) : -1;
    if (at < 0) {
        u.stats->tlb_misses++;
        return false;
    }
    u.stats->tlb_hits++;
    vmm_tlb_touch(u, (size_t)at, false);
    vmm_tlb_tell(vmm_cutting(u, vmm_half_of(u, context, va)->format), &u.tlb_entry[at], va, t);
    if (!vmm_tlb_serves(u, context, access, t)) return false;
    if (u.model->detect) {
        const vmm_record_t *record = vmm_tlb_record(u, (size_t)at);
        t->pte = record->t.pte;
        t->pte_addr = record->t.pte_addr;
        vmm_detect(u, access, va, record, t);
    }
    return true;
}

/* An address becomes a location: TLB, then walk. */
VMM_INLINE vmm_status_t vmm_mmu_translate(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_context_t *context = &u.state->view[access].context;
    const uint64_t walks = u.stats->walks;
    vmm_status_t status;
    if (u.model->detect && vmm_record_serves(u, access, va, t)) return VMM_OK;
    if (vmm_is_guest(u, context)) {
        u.stats->walks++;
        status = vmm_walk_stages(u, context, &context->judge, access, va, t, NULL, NULL);
        return status == VMM_OK ? status : vmm_mmu_faulted(u);
    }
    if (vmm_half_of(u, context, va)->format == VMM_BARE) {
        status = vmm_mmu_identity(u, context, access, va, t);
        return status == VMM_OK ? status : vmm_mmu_faulted(u);
    }
    if (vmm_has_tlb(u) && vmm_tlb_translate(u, context, access, va, t)) return VMM_OK;
    status = vmm_walk_chosen(u, access, va, t);
    if (status != VMM_OK) return vmm_mmu_faulted(u);
    if (u.model->detect && u.stats->walks == walks) { /* a hit of the walk cache */
        const vmm_record_t record = {*t, u.state->clock};
        vmm_detect(u, access, va, &record, t);
    }
    if (vmm_has_tlb(u)) vmm_tlb_fill(u, access, context, va, t);
    return VMM_OK;
}

/* The same for a caller who may err. */
VMM_INLINE vmm_status_t vmm_mmu_translate_any(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    if (access > VMM_FETCH) return VMM_E_ARGUMENT;
    while (u.slow.translate(u.self, access, va, t))
        if (!vmm_mmu_served(u)) return VMM_FAULT;
    return VMM_OK;
}

VMM_INLINE bool vmm_crosses(vmm_ref_t u, vmm_vaddr_t va, unsigned bytes)
{
    const uint64_t page_mask = vmm_low_mask(vmm_base(u)->page_shift);
    return (va & page_mask) > page_mask - (bytes - 1u);
}

/* Nothing answers at a place, or what does refuses. */
VMM_INLINE vmm_status_t vmm_mmu_refused(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_translation_t *t)
{
    vmm_fault_set(vmm_base(u), &u.state->view[access].context.judge, u.fault, VMM_ACCESS_FAULT, access, VMM_RULE_BUS,
                  t->level, va, t->pte_addr, t->pte);
    return vmm_mmu_faulted(u);
}

/* -- who else wants to know of an access: watchpoints, the physical check, tracked pages, Device memory -- */

VMM_INLINE bool vmm_overlaps(vmm_vaddr_t one, uint64_t bytes, vmm_vaddr_t other, uint64_t others)
{
    return one - other < others || other - one < bytes;
}

/* Is a watchpoint for this kind of access in a range? A tag, or what wraps, does not hide an address. */
VMM_INLINE bool vmm_is_watched(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uint64_t bytes)
{
    const vmm_state_t *s = u.state;
    unsigned i;
    va = vmm_flush_va(u, va);
    for (i = 0; i < s->watches; i++)
        if ((s->watch[i].access >> access & 1) && vmm_overlaps(s->watch[i].va, s->watch[i].bytes, va, bytes))
            return true;
    return false;
}

/* The byte of a page of the RAM window, or null for an address outside. */
VMM_INLINE uint8_t *vmm_track_of(const vmm_track_t *track, const vmm_memory_t *memory, vmm_paddr_t paddr)
{
    const uint64_t offset = paddr - memory->base;
    return offset < memory->size ? &track->page[offset >> track->page_shift] : NULL;
}

/* A store into RAM is about to land: marks it, tells about code. Returns what the callback said. */
VMM_INLINE int vmm_track_store(vmm_ref_t u, vmm_paddr_t paddr, unsigned bytes)
{
    const vmm_track_t *track = u.state->track;
    uint8_t *page = vmm_track_of(track, &u.state->memory, paddr);
    if (!page) return 0;
    if ((VMM_ATOMIC_LOAD(page) & VMM_TRACK_CODE) && track->code) {
        const int refused = track->code(track->user, paddr, bytes);
        if (refused) return refused;
    }
    vmm_track_change(page, VMM_TRACK_DIRTY, 0);
    return 0;
}

/** @endcond */

/** Says that no decoded code is left of a page: stores to it need not call back any more. O(1); any thread.
 *  @param track   the marks, as given to NAME_set_track
 *  @param memory  the RAM window
 *  @param paddr   any physical address in the page; one outside RAM is harmless */
VMM_INLINE void vmm_track_clear_code(vmm_track_t *track, const vmm_memory_t *memory, vmm_paddr_t paddr)
{
    uint8_t *page = vmm_track_of(track, memory, paddr);
    if (page) vmm_track_change(page, 0, VMM_TRACK_CODE);
}

/** Finds the next page that was stored to, and takes its mark away. When all were taken, call NAME_flush_stores on
 *  every MMU over this RAM (or ask for VMM_ASK_STORES and wait), and only then look at the pages: until then their
 *  stores go unnoticed. O(pages skipped); any thread.
 *  @param track   the marks
 *  @param memory  the RAM window
 *  @param page    where to begin; receives the physical address of the page
 *  @return whether there is one. */
VMM_INLINE bool vmm_track_next_dirty(vmm_track_t *track, const vmm_memory_t *memory, vmm_paddr_t *page)
{
    for (*page &= ~vmm_low_mask(track->page_shift); *page - memory->base < memory->size;
         *page += vmm_low_mask(track->page_shift) + 1) {
        uint8_t *mark = vmm_track_of(track, memory, *page);
        if (!(VMM_ATOMIC_LOAD(mark) & VMM_TRACK_DIRTY)) continue;
        vmm_track_change(mark, 0, VMM_TRACK_DIRTY);
        return true;
    }
    return false;
}

/** @cond internal */
/* Does the physical check refuse? HLVX reads what must be executable besides. */
VMM_INLINE bool vmm_check_refuses(vmm_ref_t u, const vmm_judge_t *judge, vmm_paddr_t paddr, uint64_t bytes,
                                  unsigned access)
{
    if (!judge->check) return false;
    if (judge->check(judge->check_user, paddr, bytes, access, judge->privilege)) return true;
    return vmm_has_guests(u) && (judge->features & VMM_RISCV_HLVX) && access == VMM_READ &&
           judge->check(judge->check_user, paddr, bytes, VMM_FETCH, judge->privilege);
}

/* May the front keep a page, so that nobody hears of the next access to it? */
VMM_INLINE bool vmm_may_keep(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_translation_t *t)
{
    const vmm_state_t *s = u.state;
    const vmm_judge_t *judge = &s->view[access].context.judge;
    const uint64_t page_mask = vmm_low_mask(vmm_base(u)->page_shift);
    if (vmm_base(u)->rules == VMM_RULES_ARM64 && (judge->device >> t->type & 1)) return false;
    if (s->watches && vmm_is_watched(u, access, va & ~page_mask, page_mask + 1)) return false;
    if (vmm_check_refuses(u, judge, t->paddr & ~page_mask, page_mask + 1, access)) return false;
    if (s->track && access == VMM_WRITE)
        return !(VMM_ATOMIC_LOAD(vmm_track_of(s->track, &s->memory, t->paddr)) & VMM_TRACK_CODE);
    return true;
}

/* Asks whoever looks on, before anything moves. `bytes` do not cross the page. */
VMM_INLINE vmm_status_t vmm_mmu_allow(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes,
                                      const vmm_translation_t *t)
{
    const vmm_state_t *s = u.state;
    const vmm_judge_t *judge = &s->view[access].context.judge;
    if (s->watches && vmm_is_watched(u, access, va, bytes)) {
        vmm_fault_set(vmm_base(u), judge, u.fault, VMM_WATCH_FAULT, access, VMM_RULE_WATCH, t->level, va, t->pte_addr,
                      t->pte);
        return vmm_mmu_faulted(u);
    }
    if (vmm_check_refuses(u, judge, t->paddr, bytes, access)) {
        vmm_fault_set(vmm_base(u), judge, u.fault, VMM_ACCESS_FAULT, access, VMM_RULE_CHECK, t->level, va, t->pte_addr,
                      t->pte);
        return vmm_mmu_faulted(u);
    }
    if (s->track && access == VMM_WRITE && vmm_track_store(u, t->paddr, bytes))
        return vmm_mmu_refused(u, access, va, t);
    return VMM_OK;
}

/* Fills the front; the detector keeps what it was filled with. */
VMM_INLINE void vmm_front_keep(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uintptr_t host, const vmm_translation_t *t)
{
    vmm_front_slot_t *slot = vmm_front_slot_of(u, access, va);
    /* A flush of a guest's page takes all of the page that the first stage maps, in whatever pieces it lies. */
    const bool guest = vmm_is_guest(u, &u.state->view[access].context);
    if (u.model->detect && va + slot->bias <= u.state->gate[access].limit) return; /* it was a hit: its record stays */
    vmm_front_fill(u, access, va, host, guest ? t->first_shift : t->page_shift, slot);
    if (!u.model->detect) return;
    u.record[slot - u.front].t = *t;
    u.record[slot - u.front].when = u.state->clock;
}

/* Translates without the shortcut, and fills the front when the page is RAM. `bytes` do not cross the page. */
VMM_INLINE enum vmm_reach vmm_mmu_full(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes,
                                       vmm_translation_t *t, uintptr_t *host)
{
    if (u.slow.translate(u.self, access, va, t) || vmm_mmu_allow(u, access, va, bytes, t)) return VMM_REACH_FAULT;
    *host = (uintptr_t)vmm_mem_host(&u.state->memory, t->paddr, 1);
    if (!*host) return VMM_REACH_FAR;
    if (vmm_has_front(u) && vmm_may_keep(u, access, va, t)) vmm_front_keep(u, access, va, *host, t);
    return VMM_REACH_HOST;
}

/* After a front miss, the common case: the walk cache knows the level-0 table and the entry is a
 * plain page that allows the access; or it is not valid, which is a fault at once. `front` is the
 * slot that missed. Where a TLB is modelled every miss must ask it, and there is no shortcut. */
VMM_INLINE enum vmm_reach vmm_mmu_shortcut(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes,
                                           vmm_front_slot_t *front, uintptr_t *host)
{
    const vmm_paging_t *p = vmm_base(u);
    const vmm_view_t *view = &u.state->view[access];
    const vmm_memory_t *memory = &u.state->memory;
    const vmm_walk_slot_t *slot;
    const uint8_t *at;
    vmm_pte_t pte;
    uint64_t offset;
    if (!vmm_has_walk_cache(u) || vmm_has_tlb(u) || u.model->detect) return VMM_REACH_FAR;
    if (VMM_UNLIKELY(vmm_crosses(u, va, bytes))) return VMM_REACH_FAR;
    slot = vmm_walk_slot_of(u, va);
    if (VMM_UNLIKELY(slot->tag != vmm_walk_tag(u, view, va))) return VMM_REACH_FAR;
    at = slot->table + (size_t)vmm_level_index(p, 0, va) * p->pte_bytes;
    pte = vmm_pte_load(p, at);
    if (p->rights != VMM_RIGHTS_LEAF && VMM_UNLIKELY(slot->denied & view->need)) return VMM_REACH_FAR;
    if (VMM_UNLIKELY((pte & view->mask) != view->want)) {
        if (pte & p->valid || u.state->serve || p->rules == VMM_RULES_ARM32)
            return VMM_REACH_FAR; /* the long way asks the hook, and tells ARMv7-A's domain */
        if (p->rules == VMM_RULES_X86 || p->rules == VMM_RULES_ARM64) {
            VMM_COPY(u.fault, &view->absent, offsetof(vmm_fault_t, vaddr));
            u.fault->vaddr = p->rules == VMM_RULES_X86 ? va & view->absent.vaddr : va;
            u.fault->pte_addr = memory->base + (uintptr_t)(at - (const uint8_t *)memory->ram);
            u.fault->pte = pte;
        } else {
            vmm_fault_set(p, &view->context.judge, u.fault, VMM_PAGE_FAULT, access, VMM_RULE_VALID, 0, vmm_wrap(p, va),
                          memory->base + (uintptr_t)(at - (const uint8_t *)memory->ram), pte);
        }
        u.stats->faults++;
        return VMM_REACH_FAULT;
    }
    offset = vmm_leaf_paddr(p, pte, 0) - memory->base;
    if (VMM_UNLIKELY(offset >= memory->size)) return VMM_REACH_FAR;
    *host = (uintptr_t)memory->ram + (uintptr_t)offset + (uintptr_t)(va & vmm_low_mask(p->page_shift));
    if (vmm_has_front(u)) vmm_front_fill(u, access, va, *host, p->page_shift, front);
    return VMM_REACH_HOST;
}

/* A part of an access, at a place that is known. */
VMM_INLINE vmm_status_t vmm_mmu_transfer(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_translation_t *t,
                                         uint8_t *data, unsigned bytes, bool whole)
{
    const int refused = access == VMM_WRITE ? vmm_mem_write(&u.state->memory, t->paddr, data, bytes, whole)
                                            : vmm_mem_read(&u.state->memory, t->paddr, data, bytes, whole);
    return refused ? vmm_mmu_refused(u, access, va, t) : VMM_OK;
}

/* x86: data whose second page is not canonical is #GP before anything is walked (SDM volume 3, 3.3.7.1: the operand's
 * address is looked at first); an instruction is fetched up to the end of its first page before. */
VMM_INLINE bool vmm_x86_has_no_end(vmm_ref_t u, unsigned access, vmm_vaddr_t next)
{
    const vmm_context_t *context = &u.state->view[access].context;
    return vmm_base(u)->rules == VMM_RULES_X86 && access != VMM_FETCH && context->half[0].format != VMM_BARE &&
           !vmm_has_address(u, context, next);
}

/* An access that crosses a page: both parts are translated, then moved. A store asks the bus before
 * it writes RAM, so that a refusal finds memory as it was (two devices in one access excepted). */
VMM_INLINE vmm_status_t vmm_mmu_crossing(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uint8_t *data, unsigned bytes)
{
    const uint64_t page_mask = vmm_low_mask(vmm_base(u)->page_shift);
    const unsigned room = (unsigned)(page_mask - (va & page_mask)) + 1u;
    const vmm_vaddr_t next = vmm_wrap(vmm_widest(u), va + room);
    vmm_translation_t first, second;
    bool second_first;
    if (vmm_x86_has_no_end(u, access, next)) return u.slow.translate(u.self, access, next, &second);
    if (u.slow.translate(u.self, access, va, &first) || u.slow.translate(u.self, access, next, &second))
        return VMM_FAULT;
    if (vmm_mmu_allow(u, access, va, room, &first) || vmm_mmu_allow(u, access, next, bytes - room, &second))
        return VMM_FAULT;
    second_first = access == VMM_WRITE && vmm_mem_host(&u.state->memory, first.paddr, room) != NULL;
    if (second_first && vmm_mmu_transfer(u, access, next, &second, data + room, bytes - room, false)) return VMM_FAULT;
    if (vmm_mmu_transfer(u, access, va, &first, data, room, false)) return VMM_FAULT;
    if (second_first) return VMM_OK;
    return vmm_mmu_transfer(u, access, next, &second, data + room, bytes - room, false);
}

/* Do the bytes in memory already lie as the host's numbers do? */
VMM_INLINE bool vmm_keeps_order(bool big_endian)
{
    return big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* As numbers: the bytes in memory are little-endian, or big-endian when asked for. */
VMM_INLINE void vmm_order(void *value, unsigned bytes, bool big_endian)
{
    if (!vmm_keeps_order(big_endian)) vmm_put(value, vmm_swap(vmm_get(value, bytes), bytes), bytes);
}

/* Host address of some bytes in one page by the fastest stage that knows it; *t only when it is far. */
VMM_INLINE enum vmm_reach vmm_mmu_host(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes,
                                       vmm_translation_t *t, uintptr_t *host)
{
    vmm_front_slot_t *slot;
    enum vmm_reach reach;
    if (vmm_front_holds(u, access, va, 1, &slot)) {
        *host = (uintptr_t)(va + slot->addend);
        return VMM_REACH_HOST;
    }
    reach = vmm_mmu_shortcut(u, access, va, 1, slot, host);
    return reach == VMM_REACH_FAR ? vmm_mmu_full(u, access, va, bytes, t, host) : reach;
}

/* AArch64: an access to Device memory must be aligned. That is told before rights are, so the entry is looked at
 * without judging them; what else is wrong with the walk is told by the access itself. */
VMM_INLINE bool vmm_device_misaligned(vmm_ref_t u, unsigned access, vmm_vaddr_t va, unsigned bytes)
{
    const vmm_context_t *context = &u.state->view[access].context;
    const unsigned format = vmm_half_of(u, context, va)->format;
    vmm_judge_t judge = context->judge;
    vmm_translation_t t;
    vmm_fault_t fault;
    vmm_ref_t looking = u;
    if (!(va & (bytes - 1u)) || !judge.device || format == VMM_BARE) return false;
    VMM_SET(&t, 0, sizeof t);
    looking.fault = &fault;
    if (judge.marking == VMM_MARK_UPDATE) judge.marking = VMM_MARK_PEEK;
    if (vmm_walk_looking(looking, context, &judge, access, va, &t, NULL, NULL) &&
        (fault.rule < VMM_RULE_USER_PAGE || fault.rule > VMM_RULE_EXECUTE))
        return false; /* everything but rights comes before alignment */
    if (!(judge.device >> t.type & 1)) return false;
    vmm_fault_set(vmm_base(u), &context->judge, u.fault, VMM_ALIGN_FAULT, access, VMM_RULE_ALIGN, vmm_base(u)->levels,
                  va, t.pte_addr, 0);
    return true;
}

/* One try of an access, the long way: full translation; crossings and devices too. Loads go through a
 * buffer, so that a fault leaves the caller's value alone. */
VMM_INLINE vmm_status_t vmm_mmu_try(vmm_ref_t u, unsigned access, vmm_vaddr_t va, void *data, unsigned bytes)
{
    vmm_translation_t t;
    uintptr_t host = 0;
    uint8_t buffer[8];
    vmm_status_t status;
    VMM_SET(buffer, 0, sizeof buffer);
    if (access == VMM_WRITE) VMM_COPY(buffer, data, bytes);
    if (vmm_base(u)->rules == VMM_RULES_ARM64 && vmm_device_misaligned(u, access, va, bytes)) return vmm_mmu_faulted(u);
    if (vmm_crosses(u, va, bytes)) {
        status = vmm_mmu_crossing(u, access, va, buffer, bytes);
    } else {
        if (vmm_mmu_full(u, access, va, bytes, &t, &host) == VMM_REACH_FAULT) return VMM_FAULT;
        status = vmm_mmu_transfer(u, access, va, &t, buffer, bytes, true);
    }
    if (status == VMM_OK && access != VMM_WRITE) VMM_COPY(data, buffer, bytes);
    return status;
}

/* Any access, the long way, tried again as long as its faults are served. */
VMM_INLINE vmm_status_t vmm_mmu_long(vmm_ref_t u, unsigned access, vmm_vaddr_t va, void *data, unsigned bytes,
                                     bool options_agree)
{
    vmm_status_t status;
    if (!options_agree) return VMM_E_ARGUMENT;
    do status = vmm_mmu_try(u, access, va, data, bytes);
    while (status == VMM_FAULT && vmm_mmu_served(u));
    return status;
}

VMM_INLINE vmm_status_t vmm_mmu_long_store(vmm_ref_t u, vmm_vaddr_t va, uint64_t value, unsigned bytes,
                                           bool options_agree)
{
    uint8_t data[8];
    vmm_put(data, value, 8);
    return vmm_mmu_long(u, VMM_WRITE, va, data, bytes, options_agree);
}

/* What one width of load, fetch or store does when the front does not hold it. Every call on the
 * way is a tail call, so that neither a hit nor the shortcut saves a register. */
typedef vmm_status_t (*vmm_miss_load_t)(void *self, vmm_vaddr_t va, void *value, vmm_front_slot_t *slot);
typedef vmm_status_t (*vmm_miss_store_t)(void *self, vmm_vaddr_t va, uint64_t value, vmm_front_slot_t *slot);

VMM_INLINE vmm_status_t vmm_mmu_load(vmm_ref_t u, unsigned access, vmm_vaddr_t va, void *value, unsigned bytes,
                                     bool big_endian, vmm_miss_load_t miss)
{
    vmm_front_slot_t *slot;
    if (VMM_UNLIKELY(!vmm_front_holds(u, access, va, bytes, &slot))) return miss(u.self, va, value, slot);
    VMM_COPY(value, (const void *)(uintptr_t)(va + slot->addend), bytes);
    vmm_order(value, bytes, big_endian);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mmu_load_miss(vmm_ref_t u, unsigned access, vmm_vaddr_t va, void *value, unsigned bytes,
                                          bool big_endian, vmm_front_slot_t *slot)
{
    uintptr_t host;
    vmm_status_t status = VMM_OK;
    switch (vmm_mmu_shortcut(u, access, va, bytes, slot, &host)) {
    case VMM_REACH_HOST: VMM_COPY(value, (const void *)host, bytes); break;
    case VMM_REACH_FAULT: return VMM_FAULT;
    default:
        if (vmm_keeps_order(big_endian)) return u.slow.load(u.self, access, va, value, bytes);
        status = u.slow.load(u.self, access, va, value, bytes);
        break;
    }
    if (status == VMM_OK) vmm_order(value, bytes, big_endian);
    return status;
}

VMM_INLINE vmm_status_t vmm_mmu_store(vmm_ref_t u, vmm_vaddr_t va, uint64_t value, unsigned bytes, bool big_endian,
                                      vmm_miss_store_t miss)
{
    vmm_front_slot_t *slot;
    if (VMM_UNLIKELY(!vmm_front_holds(u, VMM_WRITE, va, bytes, &slot))) return miss(u.self, va, value, slot);
    vmm_put((void *)(uintptr_t)(va + slot->addend), big_endian ? vmm_swap(value, bytes) : value, bytes);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mmu_store_miss(vmm_ref_t u, vmm_vaddr_t va, uint64_t value, unsigned bytes, bool big_endian,
                                           vmm_front_slot_t *slot)
{
    const uint64_t little = big_endian ? vmm_swap(value, bytes) : value;
    uintptr_t host;
    switch (vmm_mmu_shortcut(u, VMM_WRITE, va, bytes, slot, &host)) {
    case VMM_REACH_HOST: vmm_put((void *)host, little, bytes); return VMM_OK;
    case VMM_REACH_FAULT: return VMM_FAULT;
    default: return u.slow.store(u.self, va, little, bytes);
    }
}

/* One page of a block: finds it, and with `move` copies. A place where nothing can answer is a fault
 * at once, before any byte moves. */
VMM_INLINE vmm_status_t vmm_mmu_block_page(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uint8_t *data, size_t bytes,
                                           bool move)
{
    const vmm_bus_t *bus = &u.state->memory.bus;
    vmm_translation_t t;
    uintptr_t host = 0;
    size_t i;
    switch (vmm_mmu_host(u, access, va, (unsigned)bytes, &t, &host)) {
    case VMM_REACH_FAULT: return VMM_FAULT;
    case VMM_REACH_HOST:
        if (move && access == VMM_WRITE) VMM_COPY((void *)host, data, bytes);
        if (move && access != VMM_WRITE) VMM_COPY(data, (const void *)host, bytes);
        return VMM_OK;
    default: break;
    }
    if (access == VMM_WRITE ? !bus->write : !bus->read) return vmm_mmu_refused(u, access, va, &t);
    for (i = 0; move && i < bytes; i++, t.paddr++)
        if (vmm_mmu_transfer(u, access, va + i, &t, data + i, 1, true)) return VMM_FAULT;
    return VMM_OK;
}

/* Copies a block, page by page. A block of several pages is gone through twice: the first pass
 * only translates, so that a fault finds nothing copied. */
VMM_INLINE vmm_status_t vmm_mmu_block(vmm_ref_t u, unsigned access, vmm_vaddr_t va, uint8_t *data, size_t bytes)
{
    const size_t page = (size_t)1 << vmm_base(u)->page_shift;
    unsigned pass = bytes <= page - ((size_t)va & (page - 1u));
    for (; pass < 2; pass++) {
        size_t done = 0;
        while (done < bytes) {
            const vmm_vaddr_t at = vmm_wrap(vmm_widest(u), va + done);
            const size_t room = page - ((size_t)at & (page - 1u)), left = bytes - done;
            const size_t piece = room < left ? room : left;
            while (vmm_mmu_block_page(u, access, at, data + done, piece, pass == 1))
                if (!vmm_mmu_served(u)) return VMM_FAULT;
            done += piece;
        }
    }
    return VMM_OK;
}

/* An access that must be aligned and is not. */
VMM_INLINE vmm_status_t vmm_mmu_misaligned(vmm_ref_t u, unsigned access, vmm_vaddr_t va)
{
    const vmm_paging_t *p = vmm_base(u);
    const vmm_judge_t *judge = &u.state->view[access].context.judge;
    if (p->rules == VMM_RULES_MIPS)
        vmm_mips_fault((vmm_mips_t *)u.registers, judge, u.fault, VMM_ALIGN_FAULT, access, VMM_RULE_ALIGN, va, 0);
    else vmm_fault_set(p, judge, u.fault, VMM_ALIGN_FAULT, access, VMM_RULE_ALIGN, p->levels, va, 0, 0);
    return vmm_mmu_faulted(u);
}

/* Host address of an aligned location in RAM that may be both read and written. */
VMM_INLINE vmm_status_t vmm_mmu_atomic_host(vmm_ref_t u, vmm_vaddr_t va, unsigned bytes, uintptr_t *host)
{
    const vmm_paging_t *p = vmm_base(u);
    vmm_translation_t t;
    enum vmm_reach reach;
    if (va & (bytes - 1u)) return vmm_mmu_misaligned(u, VMM_WRITE, va);
    if (p->rules == VMM_RULES_GENERIC && p->read) { /* writing does not imply reading */
        if (vmm_mmu_host(u, VMM_READ, va, bytes, &t, host) == VMM_REACH_FAULT) {
            u.fault->access = VMM_WRITE; /* both halves are judged as a store */
            u.fault->cause = vmm_riscv_cause(u.fault->kind, VMM_WRITE);
            return VMM_FAULT;
        }
    }
    reach = vmm_mmu_host(u, VMM_WRITE, va, bytes, &t, host);
    if (reach == VMM_REACH_FAULT) return VMM_FAULT;
    return reach == VMM_REACH_HOST ? VMM_OK : vmm_mmu_refused(u, VMM_WRITE, va, &t);
}

/* The swap itself, in host memory. *found receives what was there. Returns whether it swapped. */
VMM_INLINE bool vmm_host_cas(uintptr_t host, uint64_t expected, uint64_t desired, void *found, unsigned bytes)
{
    uint8_t e8 = (uint8_t)expected;
    uint16_t e16 = (uint16_t)vmm_little(expected, 2);
    uint32_t e32 = (uint32_t)vmm_little(expected, 4);
    uint64_t e64 = vmm_little(expected, 8);
    bool swapped;
    switch (bytes) {
    case 1:
        swapped = VMM_ATOMIC_CAS((uint8_t *)host, &e8, (uint8_t)desired);
        VMM_COPY(found, &e8, 1);
        break;
    case 2:
        swapped = VMM_ATOMIC_CAS((vmm_any16_t *)host, &e16, (uint16_t)vmm_little(desired, 2));
        VMM_COPY(found, &e16, 2);
        break;
    case 4:
        swapped = VMM_ATOMIC_CAS((vmm_any32_t *)host, &e32, (uint32_t)vmm_little(desired, 4));
        VMM_COPY(found, &e32, 4);
        break;
    default:
        swapped = VMM_ATOMIC_CAS((vmm_any64_t *)host, &e64, vmm_little(desired, 8));
        VMM_COPY(found, &e64, 8);
        break;
    }
    vmm_order(found, bytes, false);
    return swapped;
}

/* Compare-and-swap of `bytes` bytes; *found receives what was there. */
VMM_INLINE vmm_status_t vmm_mmu_cas(vmm_ref_t u, vmm_vaddr_t va, uint64_t expected, uint64_t desired, void *found,
                                    unsigned bytes)
{
    uintptr_t host = 0;
    while (vmm_mmu_atomic_host(u, va, bytes, &host)) {
        if (vmm_mmu_served(u)) continue;
        if (vmm_base(u)->rules == VMM_RULES_ARM64 && u.fault->rule != VMM_RULE_WRITE && u.fault->rule != VMM_RULE_WATCH)
            u.fault->code &= ~UINT32_C(0x40); /* WnR is clear where a read would have met the same fault (ESR_EL1) */
        return VMM_FAULT;
    }
    (void)vmm_host_cas(host, expected, desired, found, bytes);
    return VMM_OK;
}

/* An aligned value as other threads write it, as a number. */
VMM_INLINE void vmm_host_load(uintptr_t host, uint64_t *value, unsigned bytes)
{
    switch (bytes) {
    case 1: *value = VMM_ATOMIC_LOAD((const uint8_t *)host); break;
    case 2: *value = vmm_little(VMM_ATOMIC_LOAD((const vmm_any16_t *)host), 2); break;
    case 4: *value = vmm_little(VMM_ATOMIC_LOAD((const vmm_any32_t *)host), 4); break;
    default: *value = vmm_little(VMM_ATOMIC_LOAD((const vmm_any64_t *)host), 8); break;
    }
}

/* Load-reserved: an aligned load from RAM that remembers where and what. */
VMM_INLINE vmm_status_t vmm_mmu_lr(vmm_ref_t u, vmm_vaddr_t va, void *value, unsigned bytes)
{
    vmm_state_t *s = u.state;
    vmm_translation_t t;
    uintptr_t host = 0;
    uint64_t found = 0;
    enum vmm_reach reach;
    s->reserved_bytes = 0;
    if (va & (bytes - 1u)) return vmm_mmu_misaligned(u, VMM_READ, va);
    for (;;) {
        reach = vmm_mmu_host(u, VMM_READ, va, bytes, &t, &host);
        if (reach == VMM_REACH_HOST) break;
        if (reach == VMM_REACH_FAR) vmm_mmu_refused(u, VMM_READ, va, &t);
        if (!vmm_mmu_served(u)) return VMM_FAULT;
    }
    vmm_host_load(host, &found, bytes);
    s->reserved_paddr = s->memory.base + (uint64_t)(host - (uintptr_t)s->memory.ram);
    s->reserved_value = found;
    s->reserved_bytes = bytes;
    vmm_put(value, found, bytes);
    vmm_order(value, bytes, false);
    return VMM_OK;
}

/* Store-conditional: judged as a store whether or not it stores. */
VMM_INLINE vmm_status_t vmm_mmu_sc(vmm_ref_t u, vmm_vaddr_t va, uint64_t value, bool *done, unsigned bytes)
{
    vmm_state_t *s = u.state;
    uintptr_t host = 0;
    uint64_t found = 0;
    while (vmm_mmu_atomic_host(u, va, bytes, &host))
        if (!vmm_mmu_served(u)) return VMM_FAULT;
    *done =
        s->reserved_bytes == bytes && s->reserved_paddr == s->memory.base + (uint64_t)(host - (uintptr_t)s->memory.ram);
    s->reserved_bytes = 0;
    if (!*done) return VMM_OK;
    *done = vmm_host_cas(host, s->reserved_value, value, &found, bytes);
    return VMM_OK;
}

/* -- flushes of all stages -- */

VMM_INLINE void vmm_mmu_flush_all(vmm_ref_t u)
{
    vmm_front_flush_all(u);
    vmm_tlb_flush_all(u);
}

VMM_INLINE void vmm_mmu_flush_asid(vmm_ref_t u, uint16_t asid)
{
    vmm_front_flush_asid(u, asid);
    vmm_tlb_flush_space(u, VMM_TAKE_ASID, asid);
}

VMM_INLINE void vmm_mmu_flush_page(vmm_ref_t u, vmm_vaddr_t va, unsigned taking, uint16_t asid)
{
    va = vmm_flush_va(u, va);
    vmm_front_flush_page(u, va);
    vmm_tlb_flush_page(u, va, taking, asid);
}

/* What an edit asks for. Page by page where that is less than forgetting all; an MMU of ours never
 * remembers an invalid entry, so entries that were made need nothing. */
VMM_INLINE void vmm_mmu_flush_told(vmm_ref_t u, const vmm_flush_t *what)
{
    uint64_t pages = what->bytes >> what->page_shift;
    vmm_vaddr_t va = what->vaddr;
    if (what->kind == VMM_FLUSH_MADE) return;
    if (what->kind == VMM_FLUSH_TABLE || what->bytes == 0 || pages > 32) {
        vmm_mmu_flush_all(u);
        return;
    }
    for (; pages; pages--, va += UINT64_C(1) << what->page_shift) vmm_mmu_flush_page(u, va, VMM_TAKE_ANY, 0);
}
/** @endcond */
/** @} */

/* =============================================================== Part I  6. registers == */
/** @defgroup vmm_registers 6. Register front ends
 *  What a processor's registers say becomes the context that accesses are judged in. Every change
 *  takes effect at once, and only one that changes what an entry means (menvcfg, extensions) forgets
 *  anything: for the others the front changes its bank, and the TLB goes by ASID. x86 besides forgets
 *  what its manual says that a write to CR0, CR3 or CR4 forgets.
 *  @{ */

/** Registers of an architecture that has none of its own: generic formats. Translation is on from
 *  the start, with the root at physical 0. */
typedef struct vmm_plain {
    vmm_paddr_t root; /**< Top table. */
    uint16_t asid;    /**< Address space. */
    uint8_t user;     /**< Accesses are user mode's. */
} vmm_plain_t;

/** Registers of a RISC-V hart that address translation depends on. */
typedef struct vmm_riscv {
    uint64_t satp;     /**< As written last with a mode that exists. */
    uint64_t mstatus;  /**< Of it: MPP 12:11, MPRV 17, SUM 18, MXR 19. */
    uint64_t menvcfg;  /**< Of it: ADUE 61, PBMTE 62. */
    uint8_t privilege; /**< 0 user, 1 supervisor, 3 machine. */
    uint8_t features;  /**< enum vmm_feature. */
    /* The hypervisor extension's; 0 without it. */
    uint8_t virtual_mode; /**< V: user and supervisor mode are a guest's. */
    uint8_t hlv;          /**< enum vmm_hlv: how loads and stores are made. */
    uint64_t vsatp;       /**< First stage of guests, as satp. */
    uint64_t hgatp;       /**< Second stage: MODE, VMID and root, in the register's layout. */
    uint64_t vsstatus;    /**< Of it: SUM 18, MXR 19. */
    uint64_t hstatus;     /**< Of it: SPVP 8. */
    uint64_t henvcfg;     /**< Of it: ADUE 61, PBMTE 62. */
} vmm_riscv_t;

/** RISC-V: as what instruction a load or store is made. */
enum vmm_hlv {
    VMM_HLV_NONE = 0, /**< An ordinary one. */
    VMM_HLV,          /**< HLV and HSV: a guest's, with the privilege of hstatus.SPVP. */
    VMM_HLVX          /**< HLVX: as HLV, but what is read must be executable, in both stages. */
};

/** Registers of an x86 processor that address translation depends on. */
typedef struct vmm_x86 {
    uint64_t cr0;      /**< PE 0, WP 16, PG 31. */
    uint64_t cr3;      /**< Root; PCID in 11:0 while CR4.PCIDE is set. */
    uint64_t cr4;      /**< PSE 4, PAE 5, PGE 7, LA57 12, PCIDE 17, SMEP 20, SMAP 21, PKE 22, PKS 24. */
    uint64_t efer;     /**< LME 8, LMA 10, NXE 11. */
    uint32_t pkru;     /**< Rights by key of user pages: AD in even bits, WD in odd. */
    uint32_t pkrs;     /**< Of supervisor pages. */
    uint16_t features; /**< enum vmm_feature. */
    uint8_t cpl;       /**< 0 to 3; 3 is user mode. */
    uint8_t ac;        /**< EFLAGS.AC. */
    uint8_t implicit;  /**< Data accesses are implicit supervisor ones. */
} vmm_x86_t;

/** Registers of an AArch64 processor that stage 1 of EL1 and EL0 depends on. */
typedef struct vmm_arm64 {
    uint64_t ttbr[2];     /**< TTBR0_EL1, TTBR1_EL1: ASID 63:48, base. */
    uint64_t tcr;         /**< TCR_EL1. */
    uint64_t sctlr;       /**< SCTLR_EL1: M 0, WXN 19. */
    uint64_t mair;        /**< MAIR_EL1: which AttrIndx is Device memory. */
    uint16_t features;    /**< enum vmm_feature. */
    uint8_t el;           /**< 0 or 1. */
    uint8_t pan;          /**< PSTATE.PAN. */
    uint8_t unprivileged; /**< Data accesses are judged as EL0's (LDTR, STTR). */
} vmm_arm64_t;

/** Registers of an ARMv7-A processor that the short descriptors depend on. */
typedef struct vmm_arm32 {
    uint32_t ttbr[2];     /**< TTBR0, TTBR1. */
    uint32_t ttbcr;       /**< N 2:0, PD0 4, PD1 5. */
    uint32_t dacr;        /**< Two bits a domain: 0 no access, 1 client, 3 manager. */
    uint32_t sctlr;       /**< M 0, WXN 19, UWXN 20, AFE 29. */
    uint32_t contextidr;  /**< ASID 7:0. */
    uint16_t features;    /**< enum vmm_feature. */
    uint8_t pl;           /**< Privilege level: 0 user, 1 the others. */
    uint8_t unprivileged; /**< Data accesses are judged as PL0's (LDRT, STRT). */
} vmm_arm32_t;

/** What TLBI forgets; the register names bits of its argument. Each architecture counts its own. */
enum vmm_tlbi {
    VMM_TLBIALL = 0, /**< ARMv7-A: everything. */
    VMM_TLBIMVA,     /**< MVA in 31:12, ASID in 7:0: that page of that space, and global ones. */
    VMM_TLBIASID,    /**< ASID in 7:0: that space, without global pages. */
    VMM_TLBIMVAA,    /**< That page in every space. */

    VMM_TLBI_VMALLE1 = 0, /**< AArch64: everything. */
    VMM_TLBI_VAE1,        /**< VA[55:12] in 43:0, ASID in 63:48: that page of that space, and global ones. */
    VMM_TLBI_ASIDE1,      /**< ASID in 63:48: that space, without global pages. */
    VMM_TLBI_VAAE1,       /**< That page in every space. */
    VMM_TLBI_VALE1,       /**< As VAE1, the last level alone. */
    VMM_TLBI_VAALE1       /**< As VAAE1, the last level alone. */
};

/** @cond internal */
/* Who is asked before physical memory is touched, and as whom; who is told of what was marked. */
VMM_INLINE void vmm_context_check(vmm_ref_t u, vmm_context_t *context, unsigned privilege)
{
    context->judge.track = u.state->track;
    context->judge.base = u.state->memory.base;
    context->judge.check = u.state->check;
    context->judge.check_user = u.state->check_user;
    context->judge.privilege = u.state->check ? (uint8_t)privilege : 0;
}

VMM_INLINE void vmm_plain_apply(vmm_ref_t u, const vmm_plain_t *r)
{
    vmm_context_t context;
    VMM_SET(&context, 0, sizeof context);
    context.half[0].root = r->root;
    context.asid = r->asid;
    context.judge.user = r->user;
    context.judge.marking = VMM_MARK_UPDATE;
    vmm_context_check(u, &context, !r->user);
    vmm_views_set(u, &context, &context);
}

VMM_INLINE vmm_status_t vmm_plain_init(vmm_ref_t u, vmm_plain_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    vmm_plain_apply(u, r);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_plain_set_root(vmm_ref_t u, vmm_plain_t *r, vmm_paddr_t root, uint16_t asid)
{
    if (root & (vmm_base(u)->pte_bytes - 1u)) return VMM_E_ALIGN;
    r->root = root;
    r->asid = asid;
    vmm_plain_apply(u, r);
    return VMM_OK;
}

VMM_INLINE void vmm_plain_set_user(vmm_ref_t u, vmm_plain_t *r, bool user)
{
    r->user = user;
    vmm_plain_apply(u, r);
}

/* satp: RV64 MODE 63:60, ASID 59:44, PPN 43:0; RV32 MODE 31, ASID 30:22, PPN 21:0. */
VMM_INLINE bool vmm_riscv_is_32(vmm_ref_t u)
{
    return vmm_base(u)->pte_bytes == 4;
}

VMM_INLINE unsigned vmm_riscv_mode(vmm_ref_t u, uint64_t satp)
{
    return vmm_riscv_is_32(u) ? (unsigned)(satp >> 31) & 1u : (unsigned)(satp >> 60);
}

/* Index of the format that a mode selects, VMM_BARE for 0, or -1: no such mode. */
VMM_INLINE int vmm_riscv_format(vmm_ref_t u, unsigned mode)
{
    unsigned f;
    if (mode == 0) return VMM_BARE;
    for (f = 0; f < u.model->arch->formats; f++)
        if (u.model->arch->mode[f] == mode) return (int)f;
    return -1;
}

/* Does hardware set accessed and dirty bits? */
VMM_INLINE bool vmm_riscv_marks(const vmm_riscv_t *r)
{
    return (r->features & VMM_SVADU) ? (r->menvcfg >> 61) & 1 : !(r->features & VMM_SVADE);
}

/* The context that one privilege gives. Modifiers that cannot matter are left 0, so that modes that
 * act alike share a bank. */
VMM_INLINE vmm_context_t vmm_riscv_context(vmm_ref_t u, const vmm_riscv_t *r, unsigned privilege)
{
    const int format = vmm_riscv_format(u, vmm_riscv_mode(u, r->satp));
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    vmm_context_check(u, &c, privilege);
    c.half[0].format = (uint8_t)format;
    if (privilege == 3 || format == VMM_BARE) {
        c.half[0].format = VMM_BARE;
        return c;
    }
    c.half[0].root = (r->satp & vmm_low_mask(vmm_riscv_is_32(u) ? 22 : 44)) << 12;
    c.asid = (uint16_t)(vmm_riscv_is_32(u) ? (r->satp >> 22) & 0x1ff : (r->satp >> 44) & 0xffff);
    c.judge.user = privilege == 0;
    c.judge.sum = privilege == 1 && ((r->mstatus >> 18) & 1);
    c.judge.mxr = (r->mstatus >> 19) & 1;
    c.judge.marking = vmm_riscv_marks(r) ? VMM_MARK_UPDATE : VMM_MARK_FAULT;
    c.judge.features = r->features & VMM_SVNAPOT;
    if ((r->features & VMM_SVPBMT) && ((r->menvcfg >> 62) & 1)) c.judge.features |= VMM_SVPBMT;
    return c;
}

/* A guest's: the first stage goes by vsatp, vsstatus and what henvcfg leaves of menvcfg, the second by hgatp, menvcfg
 * and of mstatus MXR, which both obey. hgatp: RV64 MODE 63:60, VMID 57:44; RV32 MODE 31, VMID 28:22; PPN as satp. */
VMM_INLINE vmm_context_t vmm_riscv_guest_context(vmm_ref_t u, const vmm_riscv_t *r, unsigned privilege)
{
    const bool is_32 = vmm_riscv_is_32(u);
    const int format = vmm_riscv_format(u, vmm_riscv_mode(u, r->hgatp));
    const vmm_paging_t *p = format == VMM_BARE ? NULL : u.model->arch->format[format];
    const uint64_t mxr = r->mstatus & UINT64_C(1) << 19;
    vmm_riscv_t first = *r;
    vmm_context_t c;
    first.satp = r->vsatp;
    first.mstatus = r->vsstatus | mxr;
    first.menvcfg = r->menvcfg & r->henvcfg;
    c = vmm_riscv_context(u, &first, privilege);
    c.half[1].bits = p ? (uint8_t)(p->vaddr_bits + 2) : 64;
    c.half[1].level = p ? p->levels : 0;
    c.half[1].root = p ? (r->hgatp & vmm_low_mask(is_32 ? 22 : 44)) << 12 : 0;
    c.vmid = (uint16_t)(is_32 ? (r->hgatp >> 22) & 0x7f : (r->hgatp >> 44) & 0x3fff);
    c.judge.features |= r->features & VMM_SVNAPOT;
    if (mxr) c.judge.features |= VMM_RISCV_SECOND_MXR;
    if ((r->features & VMM_SVPBMT) && ((r->menvcfg >> 62) & 1)) c.judge.features |= VMM_RISCV_SECOND_PBMT;
    if (vmm_riscv_marks(r)) c.judge.features |= VMM_RISCV_SECOND_MARKS;
    return c;
}

/* Loads and stores go by MPP and MPV while MPRV is set, fetches never do; HLV and HSV go by SPVP. */
VMM_INLINE void vmm_riscv_apply(vmm_ref_t u, const vmm_riscv_t *r)
{
    const bool modified = (r->mstatus >> 17) & 1, hlv = vmm_has_guests(u) && r->hlv;
    const unsigned mpp = (unsigned)(r->mstatus >> 11) & 3u, spvp = (unsigned)(r->hstatus >> 8) & 1u;
    const unsigned privilege = hlv ? spvp : modified ? mpp : r->privilege;
    const bool guest = hlv || (modified ? (r->mstatus >> 39) & 1 : r->virtual_mode);
    vmm_context_t fetch, data;
    if (vmm_has_guests(u) && r->virtual_mode && r->privilege < 3) fetch = vmm_riscv_guest_context(u, r, r->privilege);
    else fetch = vmm_riscv_context(u, r, r->privilege);
    if (vmm_has_guests(u) && guest && privilege < 3) data = vmm_riscv_guest_context(u, r, privilege);
    else data = vmm_riscv_context(u, r, privilege);
    if (hlv && r->hlv == VMM_HLVX) data.judge.features |= VMM_RISCV_HLVX;
    vmm_views_set(u, &data, &fetch);
}

VMM_INLINE vmm_status_t vmm_riscv_init(vmm_ref_t u, vmm_riscv_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    r->privilege = 1;
    r->features = (uint8_t)u.model->arch->features;
    r->menvcfg = UINT64_C(1) << 61;
    if (vmm_has_guests(u)) r->henvcfg = r->menvcfg;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_riscv_set_satp(vmm_ref_t u, vmm_riscv_t *r, uint64_t satp)
{
    if (vmm_riscv_format(u, vmm_riscv_mode(u, satp)) < 0) return VMM_E_ARGUMENT;
    r->satp = satp;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_riscv_set_privilege(vmm_ref_t u, vmm_riscv_t *r, unsigned privilege)
{
    if (privilege > 3 || privilege == 2) return VMM_E_ARGUMENT;
    r->privilege = (uint8_t)privilege;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_riscv_set_mstatus(vmm_ref_t u, vmm_riscv_t *r, uint64_t mstatus)
{
    if (((mstatus >> 11) & 3) == 2) return VMM_E_ARGUMENT;
    r->mstatus = mstatus;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

VMM_INLINE void vmm_riscv_set_menvcfg(vmm_ref_t u, vmm_riscv_t *r, uint64_t menvcfg)
{
    r->menvcfg = menvcfg;
    vmm_riscv_apply(u, r);
    vmm_mmu_flush_all(u); /* what is remembered was judged by the old meaning of N, PBMT, A and D */
}

VMM_INLINE vmm_status_t vmm_riscv_set_features(vmm_ref_t u, vmm_riscv_t *r, unsigned features)
{
    if (features & ~(unsigned)(VMM_SVNAPOT | VMM_SVPBMT | VMM_SVADE | VMM_SVADU)) return VMM_E_ARGUMENT;
    r->features = (uint8_t)features;
    vmm_riscv_apply(u, r);
    vmm_mmu_flush_all(u);
    return VMM_OK;
}

/* -- RISC-V, the hypervisor extension -- */

VMM_INLINE void vmm_riscv_set_virtual(vmm_ref_t u, vmm_riscv_t *r, bool virtual_mode)
{
    r->virtual_mode = virtual_mode;
    vmm_riscv_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_riscv_set_vsatp(vmm_ref_t u, vmm_riscv_t *r, uint64_t vsatp)
{
    if (vmm_riscv_format(u, vmm_riscv_mode(u, vsatp)) < 0) return VMM_E_ARGUMENT;
    r->vsatp = vsatp;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

/* The root is aligned to its 16 KiB, so that the two lowest bits of its number are 0. A MODE that does not exist leaves
 * MODE alone, but not the rest ("Hypervisor Guest Address Translation and Protection Register"). */
VMM_INLINE vmm_status_t vmm_riscv_set_hgatp(vmm_ref_t u, vmm_riscv_t *r, uint64_t hgatp)
{
    const unsigned shift = vmm_riscv_is_32(u) ? 31 : 60;
    const bool known = vmm_riscv_format(u, vmm_riscv_mode(u, hgatp)) >= 0;
    const uint64_t fields = vmm_riscv_is_32(u) ? UINT64_C(0x1fffffff) : UINT64_C(0x03ffffffffffffff);
    r->hgatp = ((known ? hgatp : r->hgatp) >> shift << shift) | (hgatp & fields & ~UINT64_C(3));
    vmm_riscv_apply(u, r);
    return known ? VMM_OK : VMM_E_ARGUMENT;
}

VMM_INLINE void vmm_riscv_set_statuses(vmm_ref_t u, vmm_riscv_t *r, uint64_t vsstatus, uint64_t hstatus)
{
    r->vsstatus = vsstatus;
    r->hstatus = hstatus;
    vmm_riscv_apply(u, r);
}

VMM_INLINE void vmm_riscv_set_henvcfg(vmm_ref_t u, vmm_riscv_t *r, uint64_t henvcfg)
{
    r->henvcfg = henvcfg;
    vmm_riscv_apply(u, r);
    vmm_mmu_flush_all(u);
}

VMM_INLINE vmm_status_t vmm_riscv_set_hlv(vmm_ref_t u, vmm_riscv_t *r, unsigned hlv)
{
    if (hlv > VMM_HLVX) return VMM_E_ARGUMENT;
    r->hlv = (uint8_t)hlv;
    vmm_riscv_apply(u, r);
    return VMM_OK;
}

/* For the virtual machine that hgatp names. */
VMM_INLINE void vmm_riscv_hfence_vvma(vmm_ref_t u, const vmm_riscv_t *r, const vmm_vaddr_t *va, const uint16_t *asid)
{
    const uint16_t vmid = (uint16_t)(vmm_riscv_is_32(u) ? (r->hgatp >> 22) & 0x7f : (r->hgatp >> 44) & 0x3fff);
    if (va) vmm_front_flush_page(u, vmm_flush_va(u, *va));
    else vmm_front_flush_guests(u, &vmid, asid);
}
/** @endcond */

/* -- RISC-V, physical memory protection -- */

/** Entries of physical memory protection, at most. */
#define VMM_PMP_ENTRIES 64

/** Bits of an entry's configuration. */
enum vmm_pmp_bit {
    VMM_PMP_R = 1 << 0,     /**< May be read. */
    VMM_PMP_W = 1 << 1,     /**< May be written. */
    VMM_PMP_X = 1 << 2,     /**< May be fetched from. */
    VMM_PMP_A = 3 << 3,     /**< Which addresses it matches: */
    VMM_PMP_OFF = 0 << 3,   /**< none; */
    VMM_PMP_TOR = 1 << 3,   /**< from the address of the entry before (0 for the first) up to its own; */
    VMM_PMP_NA4 = 2 << 3,   /**< four bytes; */
    VMM_PMP_NAPOT = 3 << 3, /**< an aligned power of two from 8 bytes, as many as low ones in its address say. */
    VMM_PMP_L = 1 << 7      /**< Locked: not written until reset, and binds machine mode too. */
};

/** RISC-V physical memory protection (privileged manual, "Physical Memory Protection"): give vmm_pmp_check and this to
 *  NAME_set_check. The registers of one hart, with a grain of 4 bytes, without Smepmp. Read addr and cfg; write by
 *  vmm_pmp_set_cfg and vmm_pmp_set_addr.
 *  Invariant: entry i matches first[i] to last[i], and nothing when first > last; those from used on are off. */
typedef struct vmm_pmp {
    uint64_t addr[VMM_PMP_ENTRIES];     /**< pmpaddr: bits 33:2 (RV32) or 55:2 (RV64) of an address. */
    vmm_paddr_t first[VMM_PMP_ENTRIES]; /**< First byte that each matches. */
    vmm_paddr_t last[VMM_PMP_ENTRIES];  /**< Last byte. */
    uint8_t cfg[VMM_PMP_ENTRIES];       /**< enum vmm_pmp_bit. */
    uint8_t entries;                    /**< Implemented: 0 to VMM_PMP_ENTRIES; the others read as 0. */
    uint8_t used;                       /**< The last that is not off, plus 1. */
    uint8_t xlen;                       /**< 32 or 64: how registers are numbered, and how wide they are. */
} vmm_pmp_t;

/** @cond internal */
/* What an entry matches. */
VMM_INLINE void vmm_pmp_decode(vmm_pmp_t *pmp, unsigned i)
{
    const uint64_t addr = pmp->addr[i], before = i ? pmp->addr[i - 1] : 0, ones = addr ^ (addr + 1);
    pmp->first[i] = ~UINT64_C(0);
    pmp->last[i] = 0;
    switch (pmp->cfg[i] & VMM_PMP_A) {
    case VMM_PMP_OFF: break;
    case VMM_PMP_TOR:
        if (before >= addr) break;
        pmp->first[i] = before << 2;
        pmp->last[i] = (addr << 2) - 1;
        break;
    case VMM_PMP_NA4:
        pmp->first[i] = addr << 2;
        pmp->last[i] = addr << 2 | 3;
        break;
    default: /* n low ones: 2^(n + 3) bytes */
        pmp->first[i] = (addr & ~ones) << 2;
        pmp->last[i] = (addr | ones) << 2 | 3;
        break;
    }
}

/* The bounds, after a register has changed. */
VMM_INLINE void vmm_pmp_renew(vmm_pmp_t *pmp)
{
    unsigned i;
    pmp->used = 0;
    for (i = 0; i < pmp->entries; i++) {
        vmm_pmp_decode(pmp, i);
        if (pmp->cfg[i] & VMM_PMP_A) pmp->used = (uint8_t)(i + 1);
    }
}

/* Entries of pmpcfg<number>: how many, or 0 when there is no such register. RV64 has the even ones alone. */
VMM_INLINE unsigned vmm_pmp_packed(const vmm_pmp_t *pmp, unsigned number)
{
    if (number > 15) return 0;
    if (pmp->xlen == 32) return 4;
    return number & 1 ? 0 : 8;
}
/** @endcond */

/** Resets physical memory protection: every entry off and not locked.
 *  @param pmp      the registers
 *  @param xlen     32 or 64
 *  @param entries  how many are implemented: the manual has 0, 16 or 64
 *  @return VMM_OK; VMM_E_ARGUMENT for another width, or for more than VMM_PMP_ENTRIES. */
VMM_INLINE vmm_status_t vmm_pmp_init(vmm_pmp_t *pmp, unsigned xlen, unsigned entries)
{
    if ((xlen != 32 && xlen != 64) || entries > VMM_PMP_ENTRIES) return VMM_E_ARGUMENT;
    VMM_SET(pmp, 0, sizeof *pmp);
    pmp->xlen = (uint8_t)xlen;
    pmp->entries = (uint8_t)entries;
    vmm_pmp_renew(pmp);
    return VMM_OK;
}

/** Writes pmpcfg<number>: four entries on RV32, eight on RV64, where odd numbers do not exist. A locked entry stays as
 *  it is; bits 6 and 5 of the others read as 0, and so does W without R, which is reserved. Takes effect on the next
 *  access after NAME_flush_all on each MMU that asks it.
 *  @param pmp     the registers
 *  @param number  0 to 15
 *  @param value   the register
 *  @return VMM_OK; VMM_E_ARGUMENT when there is no such register. O(entries). */
VMM_INLINE vmm_status_t vmm_pmp_set_cfg(vmm_pmp_t *pmp, unsigned number, uint64_t value)
{
    const unsigned packed = vmm_pmp_packed(pmp, number);
    unsigned i;
    if (!packed) return VMM_E_ARGUMENT;
    for (i = number * 4; i < number * 4 + packed && i < pmp->entries; i++, value >>= 8) {
        unsigned cfg = (unsigned)value & (VMM_PMP_R | VMM_PMP_W | VMM_PMP_X | VMM_PMP_A | VMM_PMP_L);
        if (pmp->cfg[i] & VMM_PMP_L) continue;
        if (!(cfg & VMM_PMP_R)) cfg &= ~(unsigned)VMM_PMP_W;
        pmp->cfg[i] = (uint8_t)cfg;
    }
    vmm_pmp_renew(pmp);
    return VMM_OK;
}

/** Reads pmpcfg<number>.
 *  @param pmp     the registers
 *  @param number  0 to 15
 *  @return the register; 0 when there is none, or for entries that are not implemented. */
VMM_INLINE uint64_t vmm_pmp_get_cfg(const vmm_pmp_t *pmp, unsigned number)
{
    const unsigned packed = vmm_pmp_packed(pmp, number);
    uint64_t value = 0;
    unsigned i;
    for (i = packed; i-- > 0;) value = value << 8 | pmp->cfg[number * 4 + i];
    return value;
}

/** Writes pmpaddr<number>, which a locked entry ignores, and so does the one before a locked TOR entry, whose lower end
 *  it is. Takes effect as vmm_pmp_set_cfg.
 *  @param pmp     the registers
 *  @param number  0 to 63
 *  @param value   bits 33:2 (RV32) or 55:2 (RV64) of an address
 *  @return VMM_OK, also when the write is ignored; VMM_E_ARGUMENT when there is no such register. O(entries). */
VMM_INLINE vmm_status_t vmm_pmp_set_addr(vmm_pmp_t *pmp, unsigned number, uint64_t value)
{
    const unsigned next = number + 1, both = VMM_PMP_L | VMM_PMP_A, end = VMM_PMP_L | VMM_PMP_TOR;
    if (number >= VMM_PMP_ENTRIES) return VMM_E_ARGUMENT;
    if (number >= pmp->entries || (pmp->cfg[number] & VMM_PMP_L)) return VMM_OK;
    if (next < pmp->entries && (pmp->cfg[next] & both) == end) return VMM_OK;
    pmp->addr[number] = value & vmm_low_mask(pmp->xlen == 32 ? 32 : 54);
    vmm_pmp_renew(pmp);
    return VMM_OK;
}

/** Physical memory protection as the check of an MMU: `NAME_set_check(mmu, vmm_pmp_check, &pmp)`. The first entry that
 *  matches any byte of the access decides, and must match all of them. Machine mode is bound by locked entries alone.
 *  Where none matches, machine mode may do everything and the others nothing, unless no entry is implemented.
 *  @param user       the vmm_pmp_t
 *  @param paddr      first byte
 *  @param bytes      how many
 *  @param access     enum vmm_access
 *  @param privilege  0, 1 or 3
 *  @return 0: allowed; 1: refused. O(entries). */
VMM_INLINE int vmm_pmp_check(void *user, vmm_paddr_t paddr, uint64_t bytes, unsigned access, unsigned privilege)
{
    const vmm_pmp_t *pmp = (const vmm_pmp_t *)user;
    const vmm_paddr_t last = paddr + (bytes - 1);
    unsigned i;
    for (i = 0; i < pmp->used; i++) {
        if (last < pmp->first[i] || paddr > pmp->last[i]) continue;
        if (paddr < pmp->first[i] || last > pmp->last[i]) return 1;
        if (privilege == 3 && !(pmp->cfg[i] & VMM_PMP_L)) return 0;
        return !((pmp->cfg[i] >> access) & 1);
    }
    return privilege != 3 && pmp->entries != 0;
}

/** @cond internal */
/* -- x86 -- */

VMM_INLINE bool vmm_bit(uint64_t value, unsigned bit)
{
    return (value >> bit) & 1;
}

/* MAXPHYADDR. */
VMM_INLINE unsigned vmm_x86_width(vmm_ref_t u)
{
    return u.state->memory.paddr_bits && u.state->memory.paddr_bits < 52 ? u.state->memory.paddr_bits : 52u;
}

VMM_INLINE bool vmm_x86_long(const vmm_x86_t *r)
{
    return vmm_bit(r->efer, 8) && vmm_bit(r->cr0, 31);
}

VMM_INLINE bool vmm_x86_is_pae(const vmm_x86_t *r)
{
    return vmm_bit(r->cr0, 31) && vmm_bit(r->cr4, 5) && !vmm_x86_long(r);
}

/* Index of the format, in the order of vmm_arch_x86. */
VMM_INLINE unsigned vmm_x86_format(const vmm_x86_t *r)
{
    if (!vmm_bit(r->cr0, 31)) return VMM_BARE;
    if (vmm_x86_long(r)) return vmm_bit(r->cr4, 12) ? 4 : 0;
    return vmm_bit(r->cr4, 5) ? 1 : vmm_bit(r->cr4, 4) ? 2 : 3;
}

/* Features that registers have in force, with WP and PGE. */
VMM_INLINE uint16_t vmm_x86_in_force(const vmm_x86_t *r)
{
    const bool lma = vmm_x86_long(r);
    unsigned f = r->features & (VMM_X86_1G | VMM_X86_PSE36 | VMM_X86_AMD);
    if (vmm_bit(r->cr4, 5) && vmm_bit(r->efer, 11)) f |= VMM_X86_NX;
    if (vmm_bit(r->cr4, 20)) f |= VMM_X86_SMEP;
    if (lma && vmm_bit(r->cr4, 22)) f |= VMM_X86_PKU;
    if (lma && vmm_bit(r->cr4, 24)) f |= VMM_X86_PKS;
    if (vmm_bit(r->cr0, 16)) f |= VMM_X86_WP;
    if (vmm_bit(r->cr4, 7)) f |= VMM_X86_PGE;
    return (uint16_t)f;
}

/* Reserved in every entry: address bits that the model does not have, XD without EFER.NXE, and in PAE what long mode
 * ignores (SDM volume 3, tables 4-8 to 4-20). */
VMM_INLINE vmm_pte_t vmm_x86_reserved(vmm_ref_t u, const vmm_x86_t *r)
{
    const vmm_pte_t above = ~vmm_low_mask(vmm_x86_width(u)) & ~VMM_X86_XD;
    const vmm_pte_t never = vmm_x86_in_force(r) & VMM_X86_NX ? 0 : VMM_X86_XD;
    if (!vmm_bit(r->cr4, 5)) return 0;
    return (vmm_x86_long(r) ? above & vmm_low_mask(52) : above) | never;
}

VMM_INLINE vmm_context_t vmm_x86_context(vmm_ref_t u, const vmm_x86_t *r, bool implicit)
{
    const bool smap = vmm_bit(r->cr4, 21), user = r->cpl == 3 && !implicit;
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    vmm_context_check(u, &c, !user);
    c.half[0].format = (uint8_t)vmm_x86_format(r);
    c.judge.user = user;
    if (c.half[0].format == VMM_BARE) return c;
    c.half[0].root = vmm_x86_long(r)      ? r->cr3 & vmm_low_mask(vmm_x86_width(u)) & ~UINT64_C(0xfff)
                     : vmm_bit(r->cr4, 5) ? r->cr3 & 0xffffffe0
                                          : r->cr3 & 0xfffff000;
    c.asid = vmm_bit(r->cr4, 17) ? r->cr3 & 0xfff : 0;
    c.judge.sum = !user && (!smap || (r->ac && !implicit));
    c.judge.marking = VMM_MARK_UPDATE;
    c.judge.features = vmm_x86_in_force(r);
    c.judge.width = (uint8_t)vmm_x86_width(u);
    c.judge.reserved = vmm_x86_reserved(u, r);
    if (c.judge.features & VMM_X86_PKU) c.judge.user_keys = r->pkru;
    if (c.judge.features & VMM_X86_PKS) c.judge.keys = r->pkrs;
    return c;
}

VMM_INLINE void vmm_x86_apply(vmm_ref_t u, const vmm_x86_t *r)
{
    const vmm_context_t fetch = vmm_x86_context(u, r, false), data = vmm_x86_context(u, r, r->implicit);
    vmm_views_set(u, &data, &fetch);
}

/* A register does not take a value. */
VMM_INLINE vmm_status_t vmm_x86_refuse(vmm_ref_t u)
{
    const vmm_judge_t *judge = &u.state->view[VMM_READ].context.judge;
    return vmm_fault_set(vmm_base(u), judge, u.fault, VMM_PROTECTION_FAULT, VMM_READ, VMM_RULE_REGISTER,
                         vmm_widest(u)->levels, 0, 0, 0);
}

/* Loads the four registers of PAE: none when one is reserved (SDM volume 3, 4.4.1). What is not in RAM reads as
 * ones. */
VMM_INLINE bool vmm_x86_load_pdptes(vmm_ref_t u, const vmm_x86_t *r)
{
    const vmm_pte_t reserved = 0x1e6 | ~vmm_low_mask(vmm_x86_width(u));
    uint64_t loaded[4];
    unsigned i;
    if (!vmm_x86_is_pae(r)) return true;
    for (i = 0; i < 4; i++) {
        const uint8_t *host = vmm_mem_host(&u.state->memory, (r->cr3 & 0xffffffe0) + 8u * i, 8);
        loaded[i] = host ? vmm_entry_load(host, 8) : ~UINT64_C(0); /* others may write it */
        if ((loaded[i] & 1) && (loaded[i] & reserved)) return false;
    }
    for (i = 0; i < 4; i++) u.state->pdpte[i] = loaded[i];
    return true;
}

/* Puts new registers in force, or refuses them: the PDPTEs are loaded when `load`. */
VMM_INLINE vmm_status_t vmm_x86_change(vmm_ref_t u, vmm_x86_t *r, const vmm_x86_t *becomes, bool load)
{
    if (load && !vmm_x86_load_pdptes(u, becomes)) return vmm_x86_refuse(u);
    *r = *becomes;
    vmm_x86_apply(u, r);
    return VMM_OK;
}

/* Everything of one PCID but global pages. The front may forget more. */
VMM_INLINE void vmm_x86_flush_pcid(vmm_ref_t u, uint16_t pcid)
{
    vmm_front_flush_asid(u, pcid);
    vmm_tlb_flush_space(u, VMM_TAKE_ASID, pcid);
}

VMM_INLINE vmm_status_t vmm_x86_init(vmm_ref_t u, vmm_x86_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    r->features = u.model->arch->features;
    vmm_x86_apply(u, r);
    return VMM_OK;
}

/* PG needs PE, and PAE where LME is set; PCIDE keeps PG; NW needs CD. PDPTEs are loaded when PG, CD or NW changes. */
VMM_INLINE vmm_status_t vmm_x86_set_cr0(vmm_ref_t u, vmm_x86_t *r, uint64_t cr0)
{
    vmm_x86_t becomes = *r;
    const uint64_t changed = r->cr0 ^ cr0;
    vmm_status_t status;
    becomes.cr0 = cr0;
    becomes.efer = (r->efer & ~(UINT64_C(1) << 10)) | (vmm_x86_long(&becomes) ? UINT64_C(1) << 10 : 0);
    if (cr0 >> 32 || (vmm_bit(cr0, 31) && !vmm_bit(cr0, 0)) || (vmm_bit(cr0, 29) && !vmm_bit(cr0, 30)))
        return vmm_x86_refuse(u);
    if (vmm_bit(changed, 31) && vmm_bit(cr0, 31) && vmm_bit(r->efer, 8) && !vmm_bit(r->cr4, 5))
        return vmm_x86_refuse(u);
    if (!vmm_bit(cr0, 31) && vmm_bit(r->cr4, 17)) return vmm_x86_refuse(u);
    status = vmm_x86_change(u, r, &becomes, (changed & 0xe0000000) != 0);
    if (status == VMM_OK && vmm_bit(changed, 31)) vmm_mmu_flush_all(u);
    return status;
}

/* Without PCIDs all but global pages are forgotten; with them those of the PCID, unless bit 63 says to keep them. */
VMM_INLINE vmm_status_t vmm_x86_set_cr3(vmm_ref_t u, vmm_x86_t *r, uint64_t cr3)
{
    vmm_x86_t becomes = *r;
    const bool pcid = vmm_bit(r->cr4, 17), keep = pcid && vmm_bit(cr3, 63);
    vmm_status_t status;
    if (pcid) cr3 &= ~(UINT64_C(1) << 63);
    if (vmm_x86_long(r) && (cr3 & ~vmm_low_mask(vmm_x86_width(u)))) return vmm_x86_refuse(u);
    becomes.cr3 = cr3;
    status = vmm_x86_change(u, r, &becomes, true);
    if (status || keep) return status;
    if (pcid) {
        vmm_x86_flush_pcid(u, cr3 & 0xfff);
    } else {
        vmm_front_flush_all(u);
        vmm_tlb_flush_space(u, VMM_TAKE_NOT_GLOBAL, 0);
    }
    return VMM_OK;
}

/* Bits of CR4 that want a feature. */
VMM_INLINE bool vmm_x86_cr4_fits(const vmm_x86_t *r, uint64_t cr4)
{
    return (!vmm_bit(cr4, 12) || (r->features & VMM_X86_LA57)) && (!vmm_bit(cr4, 17) || (r->features & VMM_X86_PCID)) &&
           (!vmm_bit(cr4, 20) || (r->features & VMM_X86_SMEP)) && (!vmm_bit(cr4, 21) || (r->features & VMM_X86_SMAP)) &&
           (!vmm_bit(cr4, 22) || (r->features & VMM_X86_PKU)) && (!vmm_bit(cr4, 24) || (r->features & VMM_X86_PKS));
}

VMM_INLINE vmm_status_t vmm_x86_set_cr4(vmm_ref_t u, vmm_x86_t *r, uint64_t cr4)
{
    vmm_x86_t becomes = *r;
    const uint64_t changed = r->cr4 ^ cr4, modes = UINT64_C(1) << 4 | UINT64_C(1) << 5 | UINT64_C(1) << 12;
    const uint64_t loads = modes | UINT64_C(1) << 7 | UINT64_C(1) << 20; /* PAE, PGE, PSE, SMEP */
    vmm_status_t status;
    becomes.cr4 = cr4;
    if (cr4 >> 32 || !vmm_x86_cr4_fits(r, cr4)) return vmm_x86_refuse(u);
    if (vmm_x86_long(r) && (!vmm_bit(cr4, 5) || vmm_bit(changed, 12))) return vmm_x86_refuse(u);
    if (vmm_bit(changed & cr4, 17) && (!vmm_x86_long(r) || (r->cr3 & 0xfff))) return vmm_x86_refuse(u);
    status = vmm_x86_change(u, r, &becomes, (changed & loads) != 0);
    if (status) return status;
    if ((changed & modes) || vmm_bit(changed, 7) || vmm_bit(changed & ~cr4, 17)) vmm_mmu_flush_all(u);
    else if (vmm_bit(changed & cr4, 20)) vmm_x86_flush_pcid(u, u.state->view[VMM_READ].context.asid);
    return VMM_OK;
}

/* LME does not change while paging is on; LMA is not written. */
VMM_INLINE vmm_status_t vmm_x86_set_efer(vmm_ref_t u, vmm_x86_t *r, uint64_t efer)
{
    const uint64_t changed = r->efer ^ efer, lma = UINT64_C(1) << 10;
    if (vmm_bit(changed, 8) && vmm_bit(r->cr0, 31)) return vmm_x86_refuse(u);
    if (vmm_bit(efer, 11) && !(r->features & VMM_X86_NX)) return vmm_x86_refuse(u);
    r->efer = (efer & ~lma) | (r->efer & lma);
    vmm_x86_apply(u, r);
    if (vmm_bit(changed, 11)) vmm_mmu_flush_all(u); /* bit 63 of entries means something else now */
    return VMM_OK;
}

VMM_INLINE void vmm_x86_set_keys(vmm_ref_t u, vmm_x86_t *r, uint32_t pkru, uint32_t pkrs)
{
    r->pkru = pkru;
    r->pkrs = pkrs;
    vmm_x86_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_x86_set_cpl(vmm_ref_t u, vmm_x86_t *r, unsigned cpl)
{
    if (cpl > 3) return VMM_E_ARGUMENT;
    r->cpl = (uint8_t)cpl;
    vmm_x86_apply(u, r);
    return VMM_OK;
}

VMM_INLINE void vmm_x86_set_access(vmm_ref_t u, vmm_x86_t *r, bool ac, bool implicit)
{
    r->ac = ac;
    r->implicit = implicit;
    vmm_x86_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_x86_set_features(vmm_ref_t u, vmm_x86_t *r, unsigned features)
{
    if (features >= VMM_X86_WP) return VMM_E_ARGUMENT;
    r->features = (uint16_t)features;
    vmm_x86_apply(u, r);
    vmm_mmu_flush_all(u);
    return VMM_OK;
}

/* INVLPG: the page in the current PCID and global ones, and every table that is remembered. */
VMM_INLINE void vmm_x86_invlpg(vmm_ref_t u, vmm_vaddr_t va, uint16_t pcid)
{
    vmm_mmu_flush_page(u, va, VMM_TAKE_ASID_GLOBAL, pcid);
    vmm_walk_forget(u);
}

/* INVPCID, descriptor: PCID in 11:0 of the first half, the address is the second. */
VMM_INLINE vmm_status_t vmm_x86_invpcid(vmm_ref_t u, const vmm_x86_t *r, uint64_t type, uint64_t low, vmm_vaddr_t va)
{
    if (type > 3 || low > 0xfff || (type < 2 && low && !vmm_bit(r->cr4, 17))) return vmm_x86_refuse(u);
    if (type == 0 && vmm_x86_long(r) && !vmm_canonical(u.model->arch->format[vmm_x86_format(r)], va))
        return vmm_x86_refuse(u);
    switch (type) {
    case 0:
        vmm_mmu_flush_page(u, va, VMM_TAKE_ASID, (uint16_t)low);
        vmm_walk_forget(u);
        break;
    case 1: vmm_x86_flush_pcid(u, (uint16_t)low); break;
    case 2: vmm_mmu_flush_all(u); break;
    default:
        vmm_front_flush_all(u);
        vmm_tlb_flush_space(u, VMM_TAKE_NOT_GLOBAL, 0);
        break;
    }
    return VMM_OK;
}

/* -- AArch64 -- */

/* Bits of a PA that the processor has. */
VMM_INLINE unsigned vmm_arm64_most(vmm_ref_t u, const vmm_arm64_t *r)
{
    const unsigned most = r->features & VMM_ARM64_LPA ? 52 : 48, memory = u.state->memory.paddr_bits;
    return memory && memory < most ? memory : most;
}

/* Those that TCR.IPS allows. */
VMM_INLINE unsigned vmm_arm64_width(vmm_ref_t u, const vmm_arm64_t *r)
{
    static const uint8_t bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
    const unsigned width = bits[(r->tcr >> 32) & 7], most = vmm_arm64_most(u, r);
    return width < most ? width : most;
}

/* Index of the format by TG0 or TG1, which count differently; a reserved value means 4 KiB. With 64 KiB it is the
 * processor's own width, not IPS, that gives entries bits 51:48 of an address and level 1 its blocks. */
VMM_INLINE unsigned vmm_arm64_format(vmm_ref_t u, const vmm_arm64_t *r, unsigned high)
{
    static const uint8_t low_granule[4] = {0, 2, 1, 0}, high_granule[4] = {0, 1, 0, 2};
    const unsigned granule = high ? high_granule[(r->tcr >> 30) & 3] : low_granule[(r->tcr >> 14) & 3];
    const bool wide = (r->features & VMM_ARM64_LPA) && !(u.state->memory.paddr_bits && u.state->memory.paddr_bits < 52);
    const unsigned size = (unsigned)(r->tcr >> (high ? 16 : 0)) & 63;
    return granule == 2 && (r->features & VMM_ARM64_LPA) && (wide || size < 16) ? 3 : granule;
}

/* One half, from TTBRn and its fields of TCR (Arm ARM, D8.2): where its top table is and what it translates. */
VMM_INLINE vmm_half_t vmm_arm64_half(vmm_ref_t u, const vmm_arm64_t *r, unsigned high, bool user)
{
    const unsigned size = (unsigned)(r->tcr >> (high ? 16 : 0)) & 63, format = vmm_arm64_format(u, r, high);
    const vmm_paging_t *p = u.model->arch->format[format];
    const unsigned stride = p->index_bits[0], least = format == 3 ? 12 : 16;
    const unsigned most = !(r->features & VMM_ARM64_TTST) ? 39 : p->page_shift == 16 ? 47 : 48;
    uint64_t bytes;
    vmm_half_t half;
    VMM_SET(&half, 0, sizeof half);
    half.format = (uint8_t)format;
    half.tagged = vmm_bit(r->tcr, 37 + high);
    half.bits = (uint8_t)(64 - (size > most ? most : size < least ? least : size));
    half.level = (uint8_t)((half.bits - p->page_shift - 1u) / stride);
    half.root = r->ttbr[high] & vmm_low_mask(48);
    if (p->page_shift == 16 && vmm_arm64_width(u, r) > 48) half.root |= ((r->ttbr[high] >> 2) & 15) << 48;
    bytes = UINT64_C(8) << (half.bits - vmm_level_shift(p, half.level));
    half.root &= ~((bytes < 64 ? 64 : bytes) - 1);
    if (half.root & ~vmm_low_mask(vmm_arm64_width(u, r))) half.rule = VMM_RULE_PADDR_WIDTH;
    if (size > most || size < least) half.rule = VMM_RULE_CANONICAL;
    if (vmm_bit(r->tcr, high ? 23 : 7)) half.rule = VMM_RULE_HALF;
    if (user && (r->features & VMM_ARM64_E0PD) && vmm_bit(r->tcr, 55 + high)) half.rule = VMM_RULE_HALF;
    return half;
}

VMM_INLINE uint8_t vmm_arm64_devices(const vmm_arm64_t *r)
{
    unsigned i, devices = 0;
    for (i = 0; i < 8; i++)
        if (!((r->mair >> (8 * i)) & 0xf0)) devices |= 1u << i;
    return (uint8_t)devices;
}

VMM_INLINE vmm_context_t vmm_arm64_context(vmm_ref_t u, const vmm_arm64_t *r, bool unprivileged)
{
    const bool user = r->el == 0 || unprivileged, marks = (r->features & VMM_ARM64_HAFDBS) && vmm_bit(r->tcr, 39);
    const uint64_t asid = r->ttbr[vmm_bit(r->tcr, 22)] >> 48;
    unsigned f = 0;
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    vmm_context_check(u, &c, !user);
    c.judge.user = user;
    c.judge.lower = r->el == 0;
    c.half[0].format = c.half[1].format = VMM_BARE;
    c.half[0].tagged = vmm_bit(r->tcr, 37);
    c.half[1].tagged = vmm_bit(r->tcr, 38);
    c.judge.width = (uint8_t)vmm_arm64_most(u, r);
    if (!vmm_bit(r->sctlr, 0)) return c;
    c.half[0] = vmm_arm64_half(u, r, 0, user);
    c.half[1] = vmm_arm64_half(u, r, 1, user);
    c.asid = (uint16_t)(vmm_bit(r->tcr, 36) ? asid : asid & 0xff);
    c.judge.sum = !user && !(r->pan && (r->features & VMM_ARM64_PAN));
    c.judge.marking = marks ? VMM_MARK_UPDATE : VMM_MARK_FAULT;
    if (marks && vmm_bit(r->tcr, 40)) f |= VMM_ARM64_HAFDBS;
    if (vmm_bit(r->sctlr, 19)) f |= VMM_ARM64_WXN;
    if (vmm_bit(r->tcr, 41)) f |= VMM_ARM64_FLAT_LOW;
    if (vmm_bit(r->tcr, 42)) f |= VMM_ARM64_FLAT_HIGH;
    c.judge.features = (uint16_t)f;
    c.judge.width = (uint8_t)vmm_arm64_width(u, r);
    c.judge.device = vmm_arm64_devices(r);
    return c;
}

VMM_INLINE void vmm_arm64_apply(vmm_ref_t u, const vmm_arm64_t *r)
{
    const vmm_context_t fetch = vmm_arm64_context(u, r, false), data = vmm_arm64_context(u, r, r->unprivileged);
    vmm_views_set(u, &data, &fetch);
}

VMM_INLINE vmm_status_t vmm_arm64_init(vmm_ref_t u, vmm_arm64_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    r->features = u.model->arch->features;
    r->mair = ~UINT64_C(0);
    r->el = 1;
    vmm_arm64_apply(u, r);
    return VMM_OK;
}

/* Writes one of its registers. Entries of the TLB are found by the page size that TCR says: another forgets them. */
VMM_INLINE void vmm_arm64_set(vmm_ref_t u, vmm_arm64_t *r, uint64_t *which, uint64_t value)
{
    const unsigned low = vmm_arm64_format(u, r, 0), high = vmm_arm64_format(u, r, 1);
    *which = value;
    vmm_arm64_apply(u, r);
    if (low != vmm_arm64_format(u, r, 0) || high != vmm_arm64_format(u, r, 1)) vmm_tlb_flush_all(u);
}

VMM_INLINE vmm_status_t vmm_arm64_set_el(vmm_ref_t u, vmm_arm64_t *r, unsigned el)
{
    if (el > 1) return VMM_E_ARGUMENT;
    r->el = (uint8_t)el;
    vmm_arm64_apply(u, r);
    return VMM_OK;
}

VMM_INLINE void vmm_arm64_set_state(vmm_ref_t u, vmm_arm64_t *r, bool pan, bool unprivileged)
{
    r->pan = pan;
    r->unprivileged = unprivileged;
    vmm_arm64_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_arm64_set_features(vmm_ref_t u, vmm_arm64_t *r, unsigned features)
{
    if (features > (VMM_ARM64_E0PD | (VMM_ARM64_E0PD - 1u))) return VMM_E_ARGUMENT;
    r->features = (uint16_t)features;
    vmm_arm64_apply(u, r);
    vmm_mmu_flush_all(u);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_arm64_tlbi(vmm_ref_t u, unsigned op, uint64_t xt)
{
    const uint16_t asid = (uint16_t)(xt >> 48);
    const vmm_vaddr_t va = (xt & vmm_low_mask(44)) << 12;
    switch (op) {
    case VMM_TLBI_VMALLE1: vmm_mmu_flush_all(u); break;
    case VMM_TLBI_ASIDE1: vmm_mmu_flush_asid(u, asid); break;
    case VMM_TLBI_VAE1:
    case VMM_TLBI_VALE1: vmm_mmu_flush_page(u, va, VMM_TAKE_ASID_GLOBAL, asid); break;
    case VMM_TLBI_VAAE1:
    case VMM_TLBI_VAALE1: vmm_mmu_flush_page(u, va, VMM_TAKE_ANY, 0); break;
    default: return VMM_E_ARGUMENT;
    }
    return VMM_OK;
}

/* AT: PAR_EL1 is F 0; FST 6:1 of a fault; SH 8:7, PA 51:12, ATTR 63:56 of a location. Marks nothing. */
VMM_INLINE uint64_t vmm_arm64_at(vmm_ref_t u, const vmm_arm64_t *r, unsigned access, bool el0, vmm_vaddr_t va)
{
    vmm_context_t c = vmm_arm64_context(u, r, el0);
    const unsigned format = vmm_half_of(u, &c, va)->format;
    uint64_t attributes, shared;
    vmm_translation_t t;
    vmm_fault_t fault;
    u.fault = &fault; /* this copy of the parts leaves the instance's own alone */
    c.judge.sum = 1;
    if (c.judge.marking == VMM_MARK_UPDATE) c.judge.marking = VMM_MARK_PEEK;
    if (format == VMM_BARE ? vmm_mmu_identity(u, &c, access, va, &t)
                           : vmm_walk_looking(u, &c, &c.judge, access, va, &t, NULL, NULL))
        return 0x801 | (uint64_t)(fault.code & 63) << 1;
    attributes = format == VMM_BARE ? 0 : (r->mair >> (8u * t.type)) & 0xff;
    shared = (attributes & 0xf0) && attributes != 0x44 ? (t.pte >> 8) & 3 : 2; /* what no cache holds: outer */
    return (t.paddr & ~UINT64_C(0xfff)) | shared << 7 | attributes << 56 | 0x800;
}

/* -- ARMv7-A -- */

VMM_INLINE vmm_context_t vmm_arm32_context(vmm_ref_t u, const vmm_arm32_t *r, bool unprivileged)
{
    const unsigned n = r->ttbcr & 7;
    unsigned f = r->features & VMM_ARM32_PXN;
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    c.judge.user = r->pl == 0 || unprivileged;
    vmm_context_check(u, &c, !c.judge.user);
    c.half[0].bits = (uint8_t)(32 - n);
    c.half[0].format = c.half[1].format = VMM_BARE;
    if (!vmm_bit(r->sctlr, 0)) return c;
    c.half[0].format = c.half[1].format = 0;
    c.half[0].root = r->ttbr[0] & ~vmm_low_mask(14 - n);
    c.half[0].rule = vmm_bit(r->ttbcr, 4) ? VMM_RULE_HALF : VMM_RULE_NONE;
    if (n) {
        c.half[1].root = r->ttbr[1] & 0xffffc000;
        c.half[1].rule = vmm_bit(r->ttbcr, 5) ? VMM_RULE_HALF : VMM_RULE_NONE;
    }
    c.asid = r->contextidr & 0xff;
    c.judge.keys = r->dacr;
    if (vmm_bit(r->sctlr, 29)) f |= VMM_ARM32_AFE;
    if (vmm_bit(r->sctlr, 19)) f |= VMM_ARM32_WXN;
    if (vmm_bit(r->sctlr, 20)) f |= VMM_ARM32_UWXN;
    c.judge.features = (uint16_t)f;
    return c;
}

VMM_INLINE void vmm_arm32_apply(vmm_ref_t u, const vmm_arm32_t *r)
{
    const vmm_context_t fetch = vmm_arm32_context(u, r, false), data = vmm_arm32_context(u, r, r->unprivileged);
    vmm_views_set(u, &data, &fetch);
}

VMM_INLINE vmm_status_t vmm_arm32_init(vmm_ref_t u, vmm_arm32_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    r->features = u.model->arch->features;
    r->pl = 1;
    vmm_arm32_apply(u, r);
    return VMM_OK;
}

/* Writes one of its registers. */
VMM_INLINE void vmm_arm32_set(vmm_ref_t u, vmm_arm32_t *r, uint32_t *which, uint64_t value)
{
    *which = (uint32_t)value;
    vmm_arm32_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_arm32_set_ttbcr(vmm_ref_t u, vmm_arm32_t *r, uint32_t ttbcr)
{
    if (vmm_bit(ttbcr, 31)) return VMM_E_ARGUMENT; /* EAE: long descriptors */
    vmm_arm32_set(u, r, &r->ttbcr, ttbcr);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_arm32_set_pl(vmm_ref_t u, vmm_arm32_t *r, unsigned pl)
{
    if (pl > 1) return VMM_E_ARGUMENT;
    r->pl = (uint8_t)pl;
    vmm_arm32_apply(u, r);
    return VMM_OK;
}

VMM_INLINE void vmm_arm32_set_unprivileged(vmm_ref_t u, vmm_arm32_t *r, bool unprivileged)
{
    r->unprivileged = unprivileged;
    vmm_arm32_apply(u, r);
}

VMM_INLINE vmm_status_t vmm_arm32_set_features(vmm_ref_t u, vmm_arm32_t *r, unsigned features)
{
    if (features & ~(unsigned)VMM_ARM32_PXN) return VMM_E_ARGUMENT;
    r->features = (uint16_t)features;
    vmm_arm32_apply(u, r);
    vmm_mmu_flush_all(u);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_arm32_tlbi(vmm_ref_t u, unsigned op, uint64_t xt)
{
    const uint16_t asid = xt & 0xff;
    switch (op) {
    case VMM_TLBIALL: vmm_mmu_flush_all(u); break;
    case VMM_TLBIMVA: vmm_mmu_flush_page(u, xt & 0xfffff000, VMM_TAKE_ASID_GLOBAL, asid); break;
    case VMM_TLBIASID: vmm_mmu_flush_asid(u, asid); break;
    case VMM_TLBIMVAA: vmm_mmu_flush_page(u, xt & 0xfffff000, VMM_TAKE_ANY, 0); break;
    default: return VMM_E_ARGUMENT;
    }
    return VMM_OK;
}

/* -- MIPS -- */

VMM_INLINE void vmm_mips_apply(vmm_ref_t u, const vmm_mips_t *r)
{
    const unsigned mode = r->erl ? 0 : r->mode;
    unsigned f = 0;
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    c.half[1].format = VMM_BARE; /* what is not mapped */
    c.asid = r->entryhi & 0xff;
    c.judge.user = mode == 2;
    vmm_context_check(u, &c, mode != 2);
    c.judge.marking = VMM_MARK_UPDATE; /* of registers: see vmm_mips_fault */
    if (mode == 1) f |= VMM_MIPS_SUPERVISOR;
    if (r->erl) f |= VMM_MIPS_ERL;
    if (vmm_bit(r->pagegrain, 27)) f |= VMM_MIPS_IEC;
    c.judge.features = (uint16_t)f;
    vmm_views_set(u, &c, &c);
}

/* An empty TLB of so many entries. */
VMM_INLINE vmm_status_t vmm_mips_set_entries(vmm_ref_t u, vmm_mips_t *r, unsigned entries)
{
    unsigned i;
    if (entries < 1 || entries > VMM_MIPS_ENTRIES) return VMM_E_ARGUMENT;
    VMM_SET(r->entry, 0, sizeof r->entry);
    for (i = 0; i < VMM_MIPS_ENTRIES; i++) r->entry[i].hi = 0x400;
    r->entries = (uint8_t)entries;
    r->index = r->wired = 0;
    r->random = entries - 1;
    vmm_mmu_flush_all(u);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mips_init(vmm_ref_t u, vmm_mips_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    vmm_mips_apply(u, r);
    return vmm_mips_set_entries(u, r, 48);
}

VMM_INLINE vmm_status_t vmm_mips_set_mode(vmm_ref_t u, vmm_mips_t *r, unsigned mode, bool erl)
{
    if (mode > 2) return VMM_E_ARGUMENT;
    r->mode = (uint8_t)mode;
    r->erl = erl;
    vmm_mips_apply(u, r);
    return VMM_OK;
}

/* Pairs of ones from bit 13 up: 4^n pages, 0 to 8 pairs. */
VMM_INLINE bool vmm_mips_is_mask(uint32_t mask)
{
    uint32_t size = 0;
    while (size != mask && size != 0x1fffe000) size = size << 2 | 0x6000;
    return size == mask;
}

VMM_INLINE vmm_status_t vmm_mips_mtc0(vmm_ref_t u, vmm_mips_t *r, unsigned number, unsigned select, uint32_t value)
{
    if (select && number != 5) return VMM_E_ARGUMENT;
    switch (number) {
    case 0:
        if ((value & 0x3f) >= r->entries) return VMM_E_RANGE;
        r->index = (r->index & 0x80000000) | (value & 0x3f);
        return VMM_OK;
    case 1:
    case 8: return VMM_OK; /* read only */
    case 2:
    case 3: r->entrylo[number - 2] = value & (0x3fffffff | (r->pagegrain & 0xc0000000)); return VMM_OK;
    case 4: r->context = (value & 0xff800000) | (r->context & 0x007ffff0); return VMM_OK;
    case 5:
        if (select > 1) return VMM_E_ARGUMENT;
        if (select == 0 && !vmm_mips_is_mask(value)) return VMM_E_RANGE;
        if (select == 0) r->pagemask = value;
        else r->pagegrain = value & 0xc8000000;
        break;
    case 6:
        if (value >= r->entries) return VMM_E_RANGE;
        r->wired = value;
        r->random = r->entries - 1u;
        return VMM_OK;
    case 10: r->entryhi = value & 0xffffe4ff; break;
    default: return VMM_E_ARGUMENT;
    }
    vmm_mips_apply(u, r);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mips_mfc0(const vmm_mips_t *r, unsigned number, unsigned select, uint32_t *value)
{
    if (select && (number != 5 || select != 1)) return VMM_E_ARGUMENT;
    switch (number) {
    case 0: *value = r->index; break;
    case 1: *value = r->random; break;
    case 2:
    case 3: *value = r->entrylo[number - 2]; break;
    case 4: *value = r->context; break;
    case 5: *value = select ? r->pagegrain : r->pagemask; break;
    case 6: *value = r->wired; break;
    case 8: *value = r->badvaddr; break;
    case 10: *value = r->entryhi; break;
    default: return VMM_E_ARGUMENT;
    }
    return VMM_OK;
}

VMM_INLINE void vmm_mips_tlbp(vmm_mips_t *r)
{
    const int at = vmm_mips_find(r, r->entryhi & 0xffffe000, r->entryhi & 0xff);
    r->index = at < 0 ? 0x80000000 : (uint32_t)at;
}

/* The entry that Index names, or null. */
VMM_INLINE vmm_mips_entry_t *vmm_mips_indexed(vmm_mips_t *r)
{
    return (r->index & 0x3f) < r->entries ? &r->entry[r->index & 0x3f] : NULL;
}

/* EntryHi gets the entry's ASID, which is the address space from now on. */
VMM_INLINE vmm_status_t vmm_mips_tlbr(vmm_ref_t u, vmm_mips_t *r)
{
    const vmm_mips_entry_t *e = vmm_mips_indexed(r);
    if (!e) return VMM_E_RANGE;
    r->entryhi = e->hi;
    r->pagemask = e->mask;
    r->entrylo[0] = e->lo[0];
    r->entrylo[1] = e->lo[1];
    vmm_mips_apply(u, r);
    return VMM_OK;
}

/* Does some other entry match an address that this one does? Then which of them serves may change. */
VMM_INLINE bool vmm_mips_overlaps(const vmm_mips_t *r, const vmm_mips_entry_t *e)
{
    unsigned i;
    for (i = 0; i < r->entries && !(e->hi & 0x400); i++) {
        const vmm_mips_entry_t *o = &r->entry[i];
        if (o == e || (o->hi & 0x400) || ((o->hi ^ e->hi) & ~(vmm_mips_inside(o) | vmm_mips_inside(e)))) continue;
        if (((o->lo[0] | e->lo[0]) & 1) || !((o->hi ^ e->hi) & 0xff)) return true;
    }
    return false;
}

/* Writes an entry, and forgets what is remembered through it. Nothing is ever remembered of what no entry matches. */
VMM_INLINE void vmm_mips_write(vmm_ref_t u, vmm_mips_t *r, vmm_mips_entry_t *e)
{
    const vmm_mips_entry_t was = *e;
    const uint32_t global = r->entrylo[0] & r->entrylo[1] & 1;
    unsigned odd;
    VMM_SET(e, 0, sizeof *e);
    e->hi = r->entryhi & 0x400;
    if (!e->hi) {
        e->hi = r->entryhi;
        e->mask = r->pagemask;
        e->lo[0] = (r->entrylo[0] & ~UINT32_C(1)) | global;
        e->lo[1] = (r->entrylo[1] & ~UINT32_C(1)) | global;
    }
    if (vmm_mips_overlaps(r, e)) {
        vmm_mmu_flush_all(u);
        return;
    }
    for (odd = 0; odd < 2 && !(was.hi & 0x400); odd++)
        if (was.lo[odd] & 2)
            vmm_mmu_flush_page(u, (was.hi & ~vmm_mips_inside(&was)) | odd << vmm_mips_shift(&was), VMM_TAKE_ANY, 0);
}

VMM_INLINE vmm_status_t vmm_mips_tlbwi(vmm_ref_t u, vmm_mips_t *r)
{
    vmm_mips_entry_t *e = vmm_mips_indexed(r);
    if (!e) return VMM_E_RANGE;
    vmm_mips_write(u, r, e);
    return VMM_OK;
}

/* Random goes down to Wired and begins anew. */
VMM_INLINE void vmm_mips_tlbwr(vmm_ref_t u, vmm_mips_t *r)
{
    vmm_mips_write(u, r, &r->entry[r->random]);
    r->random = r->random == r->wired ? r->entries - 1u : r->random - 1u;
}

/* -- for every architecture: who looks on, other threads, snapshots -- */

/* The views' shortcuts depend on who looks on. */
VMM_INLINE void vmm_mmu_looked_on(vmm_ref_t u)
{
    unsigned access;
    for (access = 0; access < 3; access++) vmm_view_shortcut(u, access);
    vmm_front_flush_all(u);
}

VMM_INLINE void vmm_mmu_set_track(vmm_ref_t u, vmm_track_t *track)
{
    if (track) track->page_shift = vmm_base(u)->page_shift;
    u.state->track = track;
    vmm_front_flush_all(u); /* the views are made anew by NAME_set_track */
}

VMM_INLINE vmm_status_t vmm_mmu_track_code(vmm_ref_t u, vmm_paddr_t paddr)
{
    vmm_track_t *track = u.state->track;
    uint8_t *page = track ? vmm_track_of(track, &u.state->memory, paddr) : NULL;
    if (!page) return track ? VMM_E_RANGE : VMM_E_ARGUMENT;
    vmm_track_change(page, VMM_TRACK_CODE, 0); /* whoever marked it before has not emptied this MMU's front */
    paddr &= ~vmm_low_mask(track->page_shift);
    vmm_front_flush_stores(u, vmm_mem_host(&u.state->memory, paddr, 1), false);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mmu_watch(vmm_ref_t u, vmm_vaddr_t va, uint64_t bytes, uint32_t access)
{
    vmm_state_t *s = u.state;
    if (!bytes || !access || access >> 3) return VMM_E_ARGUMENT;
    if (s->watches == VMM_WATCHES) return VMM_E_LIMIT;
    s->watch[s->watches].va = vmm_watch_va(u, va);
    s->watch[s->watches].bytes = bytes;
    s->watch[s->watches].access = access;
    s->watches++;
    vmm_mmu_looked_on(u);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_mmu_unwatch(vmm_ref_t u, vmm_vaddr_t va, uint64_t bytes)
{
    vmm_state_t *s = u.state;
    unsigned i;
    va = vmm_watch_va(u, va);
    for (i = 0; i < s->watches && (s->watch[i].va != va || s->watch[i].bytes != bytes); i++) {}
    if (i == s->watches) return VMM_E_NOT_MAPPED;
    s->watch[i] = s->watch[--s->watches];
    vmm_mmu_looked_on(u);
    return VMM_OK;
}

VMM_INLINE void vmm_inbox_lock(vmm_inbox_t *inbox)
{
    uint32_t free = 0;
    while (!VMM_ATOMIC_CAS(&inbox->busy, &free, UINT32_C(1))) free = 0;
}

/* From any thread: puts a request into another MMU's inbox. */
VMM_INLINE uint32_t vmm_mmu_ask(vmm_state_t *s, const vmm_request_t *what)
{
    vmm_inbox_t *inbox = &s->inbox;
    uint32_t ticket;
    vmm_inbox_lock(inbox);
    if (inbox->count < VMM_REQUESTS) inbox->request[inbox->count] = *what;
    if (inbox->count <= VMM_REQUESTS) inbox->count++;
    ticket = inbox->asked + 1;
    VMM_ATOMIC_RELEASE(&inbox->asked, ticket);
    VMM_ATOMIC_RELEASE(&inbox->busy, UINT32_C(0));
    return ticket;
}

VMM_INLINE void vmm_mmu_do(vmm_ref_t u, const vmm_request_t *what)
{
    const bool page = what->kind == VMM_ASK_PAGE || what->kind == VMM_ASK_PAGE_ASID;
    if (page && vmm_base(u)->rules == VMM_RULES_X86) vmm_walk_forget(u); /* as INVLPG does */
    switch (what->kind) {
    case VMM_ASK_ASID: vmm_mmu_flush_asid(u, what->asid); break;
    case VMM_ASK_PAGE: vmm_mmu_flush_page(u, what->va, VMM_TAKE_ANY, 0); break;
    case VMM_ASK_PAGE_ASID: vmm_mmu_flush_page(u, what->va, VMM_TAKE_ASID, what->asid); break;
    case VMM_ASK_STORES: vmm_front_flush_stores(u, NULL, true); break;
    default: vmm_mmu_flush_all(u); break;
    }
}

/* From the MMU's own thread: does what was asked. */
VMM_INLINE void vmm_mmu_answer(vmm_ref_t u)
{
    vmm_inbox_t *inbox = &u.state->inbox;
    vmm_request_t list[VMM_REQUESTS];
    uint32_t count, ticket, i;
    if (VMM_LIKELY(VMM_ATOMIC_LOAD(&inbox->asked) == inbox->answered)) return;
    vmm_inbox_lock(inbox);
    count = inbox->count;
    ticket = inbox->asked;
    for (i = 0; i < count && count <= VMM_REQUESTS; i++) list[i] = inbox->request[i];
    inbox->count = 0;
    VMM_ATOMIC_RELEASE(&inbox->busy, UINT32_C(0));
    if (count > VMM_REQUESTS) vmm_mmu_flush_all(u);
    for (i = 0; i < count && count <= VMM_REQUESTS; i++) vmm_mmu_do(u, &list[i]);
    VMM_ATOMIC_RELEASE(&inbox->answered, ticket);
}

VMM_INLINE bool vmm_mmu_answered(const vmm_state_t *s, uint32_t ticket)
{
    return (int32_t)(VMM_ATOMIC_ACQUIRE(&s->inbox.answered) - ticket) >= 0;
}

/* All of an MMU but its inbox, which is the last of its state: other threads may be writing there. */
VMM_INLINE void vmm_copy_without_inbox(void *to, const void *from, size_t bytes)
{
    const size_t behind = sizeof(vmm_state_t);
    VMM_COPY(to, from, offsetof(vmm_state_t, inbox));
    VMM_COPY((uint8_t *)to + behind, (const uint8_t *)from + behind, bytes - behind);
}

/* Takes over what a snapshot holds, but for what belongs to this MMU's host: RAM, callbacks, requests. Host
 * addresses in the front and the walk cache are those of the snapshot's RAM: they are forgotten. */
VMM_INLINE void vmm_mmu_restore(vmm_ref_t u, const void *snapshot, size_t bytes)
{
    vmm_state_t *s = u.state, kept;
    VMM_COPY(&kept, s, offsetof(vmm_state_t, inbox));
    vmm_copy_without_inbox(u.self, snapshot, bytes);
    s->memory = kept.memory;
    s->serve = kept.serve;
    s->serve_user = kept.serve_user;
    s->attached_format = kept.attached_format;
    s->track = kept.track;
    s->check = kept.check;
    s->check_user = kept.check_user;
    s->stale = kept.stale;
    s->stale_user = kept.stale_user;
    vmm_front_flush_all(u);
}

VMM_INLINE void vmm_mmu_snapshot(const void *self, void *to, size_t bytes)
{
    VMM_SET(&((vmm_state_t *)to)->inbox, 0, sizeof(vmm_inbox_t));
    vmm_copy_without_inbox(to, self, bytes);
}

VMM_INLINE void vmm_mmu_set_check(vmm_ref_t u, vmm_check_t check, void *user)
{
    u.state->check = check;
    u.state->check_user = user;
    vmm_front_flush_all(u);
}
/** @endcond */
/** @} */

/* =========================================================== Part I  7. segmentation == */
/** @defgroup vmm_segmentation 7. Segmentation
 *  Addresses by segment: base and bounds, segment tables, the partitions of physical memory that segments lie in, and
 *  x86's segment registers.
 *
 *  A segment is translated before paging or instead of it. What comes out is a physical address, or the linear address
 *  that an MMU of section 6 takes: `NAME_load32(&mmu, linear, &value)`. Nothing here is stamped: pass the address of a
 *  `static const vmm_segmentation_t`, and the compiler folds its shifts and masks away.
 *  @{ */

/** The rule that a segmented access or the load of a segment register failed by. */
enum vmm_segment_rule {
    VMM_SEGMENT_NO_RULE = 0,  /**< None failed. */
    VMM_SEGMENT_WIDTH,        /**< The VA is wider than the address space; x86: not canonical. */
    VMM_SEGMENT_NUMBER,       /**< The table has no such descriptor. */
    VMM_SEGMENT_TABLE_MEMORY, /**< The descriptor could not be read, or its accessed bit not be set. */
    VMM_SEGMENT_NULL,         /**< A null selector. */
    VMM_SEGMENT_TYPE,         /**< The register does not take a descriptor of this type. */
    VMM_SEGMENT_PRIVILEGE,    /**< CPL, RPL and DPL do not allow it. */
    VMM_SEGMENT_GATE,         /**< A gate or a task state, which is not followed here. */
    VMM_SEGMENT_PRESENT,      /**< The segment is not in memory. */
    VMM_SEGMENT_LIMIT,        /**< A byte of the access lies outside the segment. */
    VMM_SEGMENT_READ,         /**< Reading is not allowed. */
    VMM_SEGMENT_WRITE,        /**< Writing is not allowed. */
    VMM_SEGMENT_EXECUTE       /**< Fetching is not allowed. */
};

/** Why an access or a load could not be done. */
typedef struct vmm_segment_fault {
    uint8_t rule;   /**< enum vmm_segment_rule. */
    uint8_t access; /**< enum vmm_access; of a load, VMM_READ. */
    uint8_t cause;  /**< x86: the vector: 11 #NP, 12 #SS, 13 #GP, 18 no memory at the descriptor; 0: a callback refused,
                       *   and knows why. Else 0. */
    uint16_t code;  /**< x86: the error code. Else 0. */
    uint32_t segment; /**< Number of the segment. x86: the selector that was to be loaded; of an access, enum
                       *   vmm_x86_register. */
    uint64_t offset;  /**< Of the first byte, in the segment. With VMM_SEGMENT_WIDTH the whole address. */
} vmm_segment_fault_t;

/** A rule in words.
 *  @param rule  enum vmm_segment_rule
 *  @return a constant string; "unknown" for another number. O(1). */
VMM_OUTLINE const char *vmm_segment_rule_text(unsigned rule)
{
    static const char *const text[] = {"nothing failed",
                                       "the address is wider than the address space",
                                       "the table has no such descriptor",
                                       "the descriptor could not be read or marked",
                                       "the selector is null",
                                       "the register does not take a descriptor of this type",
                                       "privilege levels do not allow it",
                                       "a gate or task state is not followed",
                                       "the segment is not present",
                                       "the access goes beyond the segment",
                                       "the segment may not be read",
                                       "the segment may not be written",
                                       "the segment may not be executed"};
    return rule < sizeof text / sizeof *text ? text[rule] : "unknown";
}

/* -- base and bounds, segment tables -- */

/** How an address names its segment: the segment number in its top bits, the offset below.
 *  Invariant: segment_bits <= 32, offset_bits >= 1, and together at most 64. Programs with selector and offset in two
 *  registers say segment_bits 0 and use vmm_segment_lookup. */
typedef struct vmm_segmentation {
    uint8_t segment_bits; /**< 0: one segment, base and bounds alone. */
    uint8_t offset_bits;  /**< A segment has at most 2^offset_bits bytes. */
} vmm_segmentation_t;

/** A segment of a process. Zero is a segment that is not present.
 *  Invariant: limit <= 2^offset_bits; growing up base + limit, growing down base - limit does not wrap. */
typedef struct vmm_descriptor {
    vmm_paddr_t base; /**< Of its first byte; growing down: of the first byte behind its last. */
    uint64_t limit;   /**< Bytes, at the low end of its offsets; growing down, at the high end. */
    uint8_t rights;   /**< VMM_R, VMM_W, VMM_X. */
    bool down;        /**< Grows towards lower addresses, as a stack does. */
    bool present;     /**< In memory; not swapped out. */
} vmm_descriptor_t;

/** The segment table of a process: what the segment-table base register and length register hold. Switching processes
 *  is using another one; segments with one base in two tables are shared. */
typedef struct vmm_segment_table {
    vmm_descriptor_t *segment; /**< By number; the caller's. */
    uint32_t count;            /**< How many. */
} vmm_segment_table_t;

/** @cond internal */
VMM_INLINE vmm_status_t vmm_segment_refuse(vmm_segment_fault_t *fault, unsigned rule, unsigned access, uint32_t segment,
                                           uint64_t offset)
{
    VMM_SET(fault, 0, sizeof *fault);
    fault->rule = (uint8_t)rule;
    fault->access = (uint8_t)access;
    fault->segment = segment;
    fault->offset = offset;
    return VMM_FAULT;
}

VMM_INLINE bool vmm_segmentation_fits(const vmm_segmentation_t *g)
{
    return g->segment_bits <= 32 && g->offset_bits >= 1 && g->segment_bits + g->offset_bits <= 64;
}

/* Do the bytes from an offset lie in the segment? Counted from its far end a segment that grows down is one that grows
 * up, but its bytes go the other way. */
VMM_INLINE bool vmm_segment_holds(const vmm_segmentation_t *g, const vmm_descriptor_t *d, uint64_t offset,
                                  uint64_t bytes)
{
    const uint64_t most = vmm_low_mask(g->offset_bits);
    if (d->down) return most - offset < d->limit && bytes - 1 <= most - offset;
    return offset < d->limit && bytes <= d->limit - offset;
}

VMM_INLINE unsigned vmm_segment_rights_rule(const vmm_descriptor_t *d, unsigned access)
{
    if (access == VMM_WRITE) return d->rights & VMM_W ? VMM_SEGMENT_NO_RULE : VMM_SEGMENT_WRITE;
    if (access == VMM_FETCH) return d->rights & VMM_X ? VMM_SEGMENT_NO_RULE : VMM_SEGMENT_EXECUTE;
    return d->rights & VMM_R ? VMM_SEGMENT_NO_RULE : VMM_SEGMENT_READ;
}
/** @endcond */

/** Translates a segment number (a selector) and an offset. The order of the checks: is there such a segment, is it
 *  present, do all bytes lie inside its limit, do its rights allow the access.
 *  A segment that grows down has the offsets 2^offset_bits - limit up to the last, and offset o lies at
 *  base - (2^offset_bits - o), the negative offset of the textbooks.
 *  @param g        geometry
 *  @param table    of the process
 *  @param segment  number
 *  @param offset   bytes
 *  @param bytes    of the access, from 1
 *  @param access   enum vmm_access
 *  @param pa       receives the physical (with paging: linear) address of the first byte
 *  @param fault    receives the reasons of VMM_FAULT
 *  @return VMM_OK; VMM_FAULT by the rules WIDTH (the offset has more than offset_bits), NUMBER, PRESENT, LIMIT, READ,
 *  WRITE, EXECUTE of enum vmm_segment_rule; VMM_E_ARGUMENT when bytes is 0, access unknown, or g breaks its
 *  invariants. O(1). */
VMM_INLINE vmm_status_t vmm_segment_lookup(const vmm_segmentation_t *g, const vmm_segment_table_t *table,
                                           uint32_t segment, uint64_t offset, uint64_t bytes, unsigned access,
                                           vmm_paddr_t *pa, vmm_segment_fault_t *fault)
{
    const vmm_descriptor_t *d;
    unsigned rule;
    if (!bytes || access > VMM_FETCH || !vmm_segmentation_fits(g)) return VMM_E_ARGUMENT;
    if (offset > vmm_low_mask(g->offset_bits))
        return vmm_segment_refuse(fault, VMM_SEGMENT_WIDTH, access, segment, offset);
    if (segment >= table->count) return vmm_segment_refuse(fault, VMM_SEGMENT_NUMBER, access, segment, offset);
    d = &table->segment[segment];
    rule = vmm_segment_rights_rule(d, access);
    if (!vmm_segment_holds(g, d, offset, bytes)) rule = VMM_SEGMENT_LIMIT;
    if (!d->present) rule = VMM_SEGMENT_PRESENT;
    if (VMM_UNLIKELY(rule)) return vmm_segment_refuse(fault, rule, access, segment, offset);
    *pa = d->down ? d->base - 1 - (vmm_low_mask(g->offset_bits) - offset) : d->base + offset;
    return VMM_OK;
}

/** Splits a virtual address into segment number and offset.
 *  @param g        geometry
 *  @param va       virtual address
 *  @param segment  receives the number
 *  @param offset   receives the offset, bytes
 *  @return VMM_OK; VMM_E_RANGE when va has more than segment_bits + offset_bits: nothing was written; VMM_E_ARGUMENT
 *  when g breaks its invariants. O(1). */
VMM_INLINE vmm_status_t vmm_segment_split(const vmm_segmentation_t *g, vmm_vaddr_t va, uint32_t *segment,
                                          uint64_t *offset)
{
    if (!vmm_segmentation_fits(g)) return VMM_E_ARGUMENT;
    if (va & ~vmm_low_mask(g->segment_bits + (unsigned)g->offset_bits)) return VMM_E_RANGE;
    *segment = g->segment_bits ? (uint32_t)(va >> (g->offset_bits & 63)) : 0;
    *offset = va & vmm_low_mask(g->offset_bits);
    return VMM_OK;
}

/** Translates a virtual address whose top bits name the segment: vmm_segment_split, then vmm_segment_lookup. With
 *  segment_bits 0 this is base and bounds: `pa = base + va` while va lies below the limit.
 *  @param g       geometry
 *  @param table   of the process
 *  @param va      virtual address
 *  @param bytes   of the access, from 1; all lie in the segment of the first
 *  @param access  enum vmm_access
 *  @param pa      receives the physical (with paging: linear) address of the first byte
 *  @param fault   receives the reasons of VMM_FAULT
 *  @return as vmm_segment_lookup; an address that is too wide is VMM_FAULT by the rule WIDTH. O(1). */
VMM_INLINE vmm_status_t vmm_segment_translate(const vmm_segmentation_t *g, const vmm_segment_table_t *table,
                                              vmm_vaddr_t va, uint64_t bytes, unsigned access, vmm_paddr_t *pa,
                                              vmm_segment_fault_t *fault)
{
    uint32_t segment;
    uint64_t offset;
    const vmm_status_t status = vmm_segment_split(g, va, &segment, &offset);
    if (status == VMM_E_RANGE && bytes && access <= VMM_FETCH)
        return vmm_segment_refuse(fault, VMM_SEGMENT_WIDTH, access, 0, va);
    if (status) return VMM_E_ARGUMENT;
    return vmm_segment_lookup(g, table, segment, offset, bytes, access, pa, fault);
}

/** Verifies a segment table: the invariants of its descriptors, and that each present segment lies in memory.
 *  @param g       geometry
 *  @param table   of the process
 *  @param memory  bytes of physical memory (of the linear address space, with paging) from 0
 *  @return whether all is well. O(segments). */
VMM_OUTLINE bool vmm_segment_table_check(const vmm_segmentation_t *g, const vmm_segment_table_t *table, uint64_t memory)
{
    uint32_t i;
    if (!vmm_segmentation_fits(g)) return false;
    for (i = 0; i < table->count; i++) {
        const vmm_descriptor_t *d = &table->segment[i];
        const uint64_t end = d->down ? d->base : d->base + d->limit;
        if (d->rights & ~(unsigned)(VMM_R | VMM_W | VMM_X)) return false;
        if (d->limit && d->limit - 1 > vmm_low_mask(g->offset_bits)) return false;
        if (d->present && (d->down ? d->limit > d->base : end < d->base)) return false;
        if (d->present && end > memory) return false;
    }
    return true;
}

/* -- variable partitions -- */

/** How a hole is chosen, beside VMM_FIRST_FIT, VMM_BEST_FIT and VMM_NEXT_FIT of vmm_alloc.h. Of several holes that are
 *  as good the lowest is taken. */
enum vmm_hole_fit {
    VMM_WORST_FIT = 4 /**< The largest. */
};

/** No partition. */
#define VMM_NO_PARTITION UINT32_MAX

/** What a record of a partition is. */
enum vmm_partition_state {
    VMM_PARTITION_SPARE = 0, /**< Not in use. */
    VMM_PARTITION_HOLE,      /**< Free memory. */
    VMM_PARTITION_HELD,      /**< Memory that belongs to somebody. */
    VMM_PARTITION_OUT        /**< Somebody's, and swapped out: it has bytes, but no memory. */
};

/** A stretch of physical memory. Holes and held partitions form a list in the order of addresses. */
typedef struct vmm_partition {
    vmm_paddr_t start; /**< First byte; of a partition that is out, nothing that counts. */
    uint64_t bytes;    /**< How many, from 1. */
    uint32_t previous; /**< The one below, VMM_NO_PARTITION: none. */
    uint32_t next;     /**< The one above; of a spare record, the next spare one. */
    uint32_t owner;    /**< The caller's number. */
    uint32_t state;    /**< enum vmm_partition_state. */
} vmm_partition_t;

/** Physical memory in partitions of any size. Plain data with its records behind it: it may be copied as a whole.
 *  Invariants: the list covers base to base + bytes without gaps; no two neighbours are both holes; held + out <=
 *  most; records = 2 * most + 2: a hole on each side of every partition, and one for the moment
 *  in which a partition becomes a hole. */
typedef struct vmm_partitions {
    vmm_paddr_t base;  /**< First byte of the memory. */
    uint64_t bytes;    /**< Of the memory. */
    vmm_paddr_t rover; /**< Where next fit goes on: behind the partition that it took last. */
    uint32_t most;     /**< Partitions that may be held or out at a time. */
    uint32_t held;     /**< Now held. */
    uint32_t out;      /**< Now out. */
    uint32_t first;    /**< Lowest of the list. */
    uint32_t spare;    /**< A record that is not in use. */
    uint32_t padding;  /**< 0. */
} vmm_partitions_t;

/** How free memory lies. */
typedef struct vmm_fragmentation {
    uint32_t holes;    /**< How many. */
    uint32_t permille; /**< External fragmentation: 1000 * (1 - largest / free), rounded down; of
                        *   2^54 free bytes and more it may be one too many. 0 with no byte free. */
    uint64_t largest;  /**< Bytes of the largest hole: no request for more can be met. */
    uint64_t free;     /**< Bytes in all holes. */
    uint64_t held;     /**< Bytes in partitions. */
} vmm_fragmentation_t;

/** @cond internal */
VMM_INLINE uint32_t vmm_partitions_records(const vmm_partitions_t *p)
{
    return 2 * p->most + 2;
}

VMM_INLINE vmm_partition_t *vmm_partition_record(vmm_partitions_t *p, uint32_t partition)
{
    return (vmm_partition_t *)(void *)(p + 1) + partition;
}

VMM_INLINE bool vmm_partition_is(const vmm_partitions_t *p, uint32_t partition, unsigned state)
{
    const vmm_partition_t *record = (const vmm_partition_t *)(const void *)(p + 1);
    return partition < vmm_partitions_records(p) && record[partition].state == state;
}

VMM_INLINE uint32_t vmm_partition_take(vmm_partitions_t *p)
{
    const uint32_t i = p->spare;
    VMM_ASSERT(i != VMM_NO_PARTITION);
    p->spare = vmm_partition_record(p, i)->next;
    return i;
}

VMM_INLINE void vmm_partition_drop(vmm_partitions_t *p, uint32_t i)
{
    vmm_partition_t *r = vmm_partition_record(p, i);
    VMM_SET(r, 0, sizeof *r);
    r->previous = VMM_NO_PARTITION;
    r->next = p->spare;
    p->spare = i;
}

/* Makes two records neighbours; either may be none. */
VMM_INLINE void vmm_partition_join(vmm_partitions_t *p, uint32_t below, uint32_t above)
{
    if (below == VMM_NO_PARTITION) p->first = above;
    else vmm_partition_record(p, below)->next = above;
    if (above != VMM_NO_PARTITION) vmm_partition_record(p, above)->previous = below;
}

/* Takes the low end of a hole for a record that is not in the list. A hole that is used up goes. */
VMM_INLINE void vmm_partition_settle(vmm_partitions_t *p, uint32_t hole, uint32_t i)
{
    vmm_partition_t *h = vmm_partition_record(p, hole), *r = vmm_partition_record(p, i);
    const uint32_t above = h->next;
    r->start = h->start;
    r->state = VMM_PARTITION_HELD;
    vmm_partition_join(p, h->previous, i);
    h->start += r->bytes;
    h->bytes -= r->bytes;
    if (h->bytes) {
        vmm_partition_join(p, i, hole);
        return;
    }
    vmm_partition_drop(p, hole);
    vmm_partition_join(p, i, above);
}

/* Makes one hole of two neighbours that are holes. */
VMM_INLINE void vmm_partition_merge(vmm_partitions_t *p, uint32_t below, uint32_t above)
{
    if (below == VMM_NO_PARTITION || above == VMM_NO_PARTITION) return;
    if (!vmm_partition_is(p, below, VMM_PARTITION_HOLE) || !vmm_partition_is(p, above, VMM_PARTITION_HOLE)) return;
    vmm_partition_record(p, below)->bytes += vmm_partition_record(p, above)->bytes;
    vmm_partition_join(p, below, vmm_partition_record(p, above)->next);
    vmm_partition_drop(p, above);
}

/* The memory of a held record becomes a hole, which has a record of its own. The held one leaves the list. */
VMM_INLINE void vmm_partition_vacate(vmm_partitions_t *p, uint32_t i)
{
    const uint32_t hole = vmm_partition_take(p);
    vmm_partition_t *r = vmm_partition_record(p, i), *h = vmm_partition_record(p, hole);
    const uint32_t below = r->previous, above = r->next;
    h->start = r->start;
    h->bytes = r->bytes;
    h->owner = 0;
    h->state = VMM_PARTITION_HOLE;
    vmm_partition_join(p, below, hole);
    vmm_partition_join(p, hole, above);
    vmm_partition_merge(p, hole, above);
    vmm_partition_merge(p, below, hole);
}

/* Of two holes that are large enough, is the second the better one? */
VMM_INLINE bool vmm_hole_is_better(const vmm_partition_t *best, const vmm_partition_t *h, unsigned fit)
{
    return fit == VMM_BEST_FIT ? h->bytes < best->bytes : fit == VMM_WORST_FIT && h->bytes > best->bytes;
}

VMM_OUTLINE uint32_t vmm_hole_find(vmm_partitions_t *p, unsigned fit, uint64_t bytes)
{
    uint32_t i, best = VMM_NO_PARTITION;
    for (i = p->first; i != VMM_NO_PARTITION; i = vmm_partition_record(p, i)->next) {
        const vmm_partition_t *h = vmm_partition_record(p, i);
        if (h->state != VMM_PARTITION_HOLE || h->bytes < bytes) continue;
        if (fit == VMM_FIRST_FIT) return i;
        if (fit == VMM_NEXT_FIT && h->start - p->base + h->bytes > p->rover - p->base) return i;
        if (best == VMM_NO_PARTITION || vmm_hole_is_better(vmm_partition_record(p, best), h, fit)) best = i;
    }
    return best; /* next fit: from the start again */
}

/* Gives a record that is not in the list, and knows its bytes, the memory that a fit chooses. */
VMM_OUTLINE vmm_status_t vmm_partition_place(vmm_partitions_t *p, unsigned fit, uint32_t i)
{
    vmm_partition_t *r = vmm_partition_record(p, i);
    const uint32_t hole = vmm_hole_find(p, fit, r->bytes);
    if (hole == VMM_NO_PARTITION) return VMM_E_NO_FRAME;
    vmm_partition_settle(p, hole, i);
    if (fit == VMM_NEXT_FIT) p->rover = r->start - p->base + r->bytes == p->bytes ? p->base : r->start + r->bytes;
    return VMM_OK;
}

VMM_INLINE bool vmm_hole_fit_is_known(unsigned fit)
{
    return fit >= VMM_FIRST_FIT && fit <= VMM_WORST_FIT;
}
/** @endcond */

/** Memory that vmm_partitions_create needs.
 *  @param most  partitions that may be held or swapped out at a time
 *  @return bytes; 0 when most is 0 or more than 2^30. O(1). */
VMM_INLINE uint64_t vmm_partitions_bytes(uint32_t most)
{
    if (!most || most > UINT32_C(1) << 30) return 0;
    return sizeof(vmm_partitions_t) + (2 * (uint64_t)most + 2) * sizeof(vmm_partition_t);
}

/** Makes one hole of a stretch of physical memory. The memory itself is not touched, here or later.
 *  @param block       memory for what is known of it, a multiple of 8
 *  @param bytes       of block, at least vmm_partitions_bytes(most)
 *  @param base        physical address of the first byte
 *  @param memory      how many bytes are managed
 *  @param most        partitions that may be held or swapped out at a time
 *  @param partitions  receives block
 *  @return VMM_OK; VMM_E_ARGUMENT when a pointer is null, or most is 0 or more than 2^30; VMM_E_ALIGN; VMM_E_RANGE when
 *  memory is 0 or base + memory wraps; VMM_E_NO_FRAME when block is too small. O(most). */
VMM_OUTLINE vmm_status_t vmm_partitions_create(void *block, uint64_t bytes, vmm_paddr_t base, uint64_t memory,
                                               uint32_t most, vmm_partitions_t **partitions)
{
    vmm_partitions_t *p = (vmm_partitions_t *)block;
    vmm_partition_t *h;
    uint32_t i;
    if (!block || !partitions || !vmm_partitions_bytes(most)) return VMM_E_ARGUMENT;
    if ((uintptr_t)block & 7) return VMM_E_ALIGN;
    if (!memory || base + memory < base) return VMM_E_RANGE;
    if (bytes < vmm_partitions_bytes(most)) return VMM_E_NO_FRAME;
    VMM_SET(p, 0, sizeof *p);
    p->base = p->rover = base;
    p->bytes = memory;
    p->most = most;
    p->spare = VMM_NO_PARTITION;
    for (i = vmm_partitions_records(p); i-- > 0;) vmm_partition_drop(p, i);
    p->first = vmm_partition_take(p);
    h = vmm_partition_record(p, p->first);
    h->start = base;
    h->bytes = memory;
    h->next = VMM_NO_PARTITION;
    h->state = VMM_PARTITION_HOLE;
    *partitions = p;
    return VMM_OK;
}

/** A partition's record, to be read.
 *  @param p          the partitions
 *  @param partition  its number
 *  @return the record, which moves with p alone; null when there is no such number. O(1). */
VMM_INLINE const vmm_partition_t *vmm_partition_at(const vmm_partitions_t *p, uint32_t partition)
{
    return partition < vmm_partitions_records(p) ? (const vmm_partition_t *)(const void *)(p + 1) + partition : NULL;
}

/** Takes memory from the low end of the hole that a fit chooses.
 *  @param p          the partitions
 *  @param fit        VMM_FIRST_FIT, VMM_NEXT_FIT, VMM_BEST_FIT, VMM_WORST_FIT
 *  @param bytes      how many
 *  @param owner      the caller's number
 *  @param partition  receives the partition's number, which it keeps when it is moved or swapped
 *  @return VMM_OK; VMM_E_NO_FRAME when no hole is large enough (when vmm_partitions_measure says that as many bytes are
 *  free, fragmentation is why); VMM_E_LIMIT when `most` are held or out; VMM_E_ARGUMENT for another fit; VMM_E_RANGE
 *  for 0 bytes. Nothing was changed then. O(holes + partitions): the list is searched in the order of addresses. */
VMM_OUTLINE vmm_status_t vmm_partition_alloc(vmm_partitions_t *p, unsigned fit, uint64_t bytes, uint32_t owner,
                                             uint32_t *partition)
{
    vmm_status_t status;
    uint32_t i;
    if (!vmm_hole_fit_is_known(fit)) return VMM_E_ARGUMENT;
    if (!bytes) return VMM_E_RANGE;
    if (p->held + p->out >= p->most) return VMM_E_LIMIT;
    i = vmm_partition_take(p);
    vmm_partition_record(p, i)->bytes = bytes;
    status = vmm_partition_place(p, fit, i);
    if (status) {
        vmm_partition_drop(p, i);
        return status;
    }
    vmm_partition_record(p, i)->owner = owner;
    p->held++;
    *partition = i;
    return VMM_OK;
}

/** Gives a partition back; its memory joins holes beside it. One that is swapped out is forgotten.
 *  @param p          the partitions
 *  @param partition  its number
 *  @return VMM_OK; VMM_E_NOT_MAPPED when it is neither held nor out: nothing was changed. O(1). */
VMM_OUTLINE vmm_status_t vmm_partition_free(vmm_partitions_t *p, uint32_t partition)
{
    if (vmm_partition_is(p, partition, VMM_PARTITION_OUT)) p->out--;
    else if (vmm_partition_is(p, partition, VMM_PARTITION_HELD)) {
        p->held--;
        vmm_partition_vacate(p, partition);
    } else return VMM_E_NOT_MAPPED;
    vmm_partition_drop(p, partition);
    return VMM_OK;
}

/** Measures external fragmentation.
 *  @param p  the partitions
 *  @param f  receives the figures
 *  O(holes + partitions). */
VMM_OUTLINE void vmm_partitions_measure(const vmm_partitions_t *p, vmm_fragmentation_t *f)
{
    uint64_t rest, all;
    uint32_t i;
    VMM_SET(f, 0, sizeof *f);
    for (i = p->first; i != VMM_NO_PARTITION; i = vmm_partition_at(p, i)->next) {
        const vmm_partition_t *r = vmm_partition_at(p, i);
        if (r->state != VMM_PARTITION_HOLE) {
            f->held += r->bytes;
            continue;
        }
        f->holes++;
        f->free += r->bytes;
        if (r->bytes > f->largest) f->largest = r->bytes;
    }
    rest = f->free - f->largest;
    for (all = f->free; all > UINT64_MAX / 1000; all >>= 1) rest >>= 1;
    if (all) f->permille = (uint32_t)(rest * 1000 / all);
}

/** What moves the content of partitions. Every function may be null: without move, the RAM of memory is copied; without
 *  out or in, nothing can be swapped; without moved, nobody is told. Functions other than moved return 0, or anything
 *  else to refuse: then the partition stays what it was before the call. They may not change the partitions. */
typedef struct vmm_mover {
    /** Copies a partition's bytes to a lower address; the stretches may overlap. */
    int (*move)(void *user, uint32_t partition, vmm_paddr_t to, vmm_paddr_t from, uint64_t bytes);
    int (*out)(void *user, uint32_t partition, vmm_paddr_t from, uint64_t bytes); /**< Writes its bytes to disk. */
    int (*in)(void *user, uint32_t partition, vmm_paddr_t to, uint64_t bytes);    /**< Reads them from disk. */
    /** A partition has another place, or none (present is false): base registers and descriptors must follow. */
    void (*moved)(void *user, uint32_t partition, vmm_paddr_t start, bool present);
    void *user;                 /**< Passed to all. */
    const vmm_memory_t *memory; /**< What is copied without move. */
    uint64_t cycles_per_byte;   /**< Time that a byte takes to be copied, written to disk, or read. */
} vmm_mover_t;

/** What compaction and swapping did. Set it to 0 before; every call adds to it, also one that fails. */
typedef struct vmm_moves {
    uint64_t moves;  /**< Partitions copied, written or read. */
    uint64_t bytes;  /**< Bytes of those. One that goes out and comes in counts twice. */
    uint64_t cycles; /**< bytes * cycles_per_byte, or 2^64 - 1 when that is more. */
} vmm_moves_t;

/** @cond internal */
/* Counts something that was done, and tells where a partition is now. */
VMM_INLINE void vmm_partition_moved(vmm_partitions_t *p, uint32_t i, const vmm_mover_t *m, vmm_moves_t *moves)
{
    const vmm_partition_t *r = vmm_partition_record(p, i);
    moves->moves++;
    moves->bytes += r->bytes;
    if (m->cycles_per_byte && r->bytes > (UINT64_MAX - moves->cycles) / m->cycles_per_byte) moves->cycles = UINT64_MAX;
    else moves->cycles += r->bytes * m->cycles_per_byte;
    if (m->moved) m->moved(m->user, i, r->start, r->state == VMM_PARTITION_HELD);
}

/* Copies to a lower address inside the RAM window. A piece is read whole before any of it is written over. */
VMM_OUTLINE vmm_status_t vmm_partition_copy(const vmm_memory_t *memory, vmm_paddr_t to, vmm_paddr_t from,
                                            uint64_t bytes)
{
    uint8_t *target = memory ? vmm_mem_host(memory, to, bytes) : NULL;
    const uint8_t *source = memory ? vmm_mem_host(memory, from, bytes) : NULL;
    uint8_t piece[256];
    uint64_t at, part;
    if (!target || !source) return VMM_E_RANGE;
    for (at = 0; at < bytes; at += part) {
        part = bytes - at < sizeof piece ? bytes - at : sizeof piece;
        VMM_COPY(piece, source + (size_t)at, (size_t)part);
        VMM_COPY(target + (size_t)at, piece, (size_t)part);
    }
    return VMM_OK;
}

/* A held partition and the hole right below it change places. */
VMM_INLINE void vmm_partition_slide(vmm_partitions_t *p, uint32_t hole, uint32_t i)
{
    vmm_partition_t *h = vmm_partition_record(p, hole), *r = vmm_partition_record(p, i);
    const uint32_t below = h->previous, above = r->next;
    r->start = h->start;
    h->start += r->bytes;
    vmm_partition_join(p, below, i);
    vmm_partition_join(p, i, hole);
    vmm_partition_join(p, hole, above);
    vmm_partition_merge(p, hole, above);
}

/* One partition goes down to where the hole right below it begins. */
VMM_OUTLINE vmm_status_t vmm_partition_down(vmm_partitions_t *p, uint32_t hole, uint32_t i, const vmm_mover_t *m,
                                            vmm_moves_t *moves)
{
    const vmm_partition_t *h = vmm_partition_record(p, hole), *r = vmm_partition_record(p, i);
    vmm_status_t status = VMM_OK;
    if (!m->move) status = vmm_partition_copy(m->memory, h->start, r->start, r->bytes);
    else if (m->move(m->user, i, h->start, r->start, r->bytes)) status = VMM_E_IO;
    if (status) return status;
    vmm_partition_slide(p, hole, i);
    vmm_partition_moved(p, i, m, moves);
    return VMM_OK;
}

/* The bytes of a partition that is out, and has been given memory, are read. When they cannot be, it is out again. */
VMM_OUTLINE vmm_status_t vmm_partition_read(vmm_partitions_t *p, uint32_t i, const vmm_mover_t *m, vmm_moves_t *moves)
{
    vmm_partition_t *r = vmm_partition_record(p, i);
    if (m->in(m->user, i, r->start, r->bytes)) {
        vmm_partition_vacate(p, i);
        r->state = VMM_PARTITION_OUT;
        return VMM_E_IO;
    }
    p->out--;
    p->held++;
    vmm_partition_moved(p, i, m, moves);
    return VMM_OK;
}
/** @endcond */

/** Swaps a partition out: its bytes are written, its memory becomes a hole.
 *  @param p          the partitions
 *  @param partition  its number
 *  @param m          what writes
 *  @param moves      is added to
 *  @return VMM_OK; VMM_E_IO when out refused; VMM_E_NOT_MAPPED when the partition is not held; VMM_E_ARGUMENT without
 *  out. Nothing was changed then. Calls out, then moved. O(1). */
VMM_OUTLINE vmm_status_t vmm_partition_swap_out(vmm_partitions_t *p, uint32_t partition, const vmm_mover_t *m,
                                                vmm_moves_t *moves)
{
    vmm_partition_t *r;
    if (!m->out) return VMM_E_ARGUMENT;
    if (!vmm_partition_is(p, partition, VMM_PARTITION_HELD)) return VMM_E_NOT_MAPPED;
    r = vmm_partition_record(p, partition);
    if (m->out(m->user, partition, r->start, r->bytes)) return VMM_E_IO;
    vmm_partition_vacate(p, partition);
    r->state = VMM_PARTITION_OUT;
    p->held--;
    p->out++;
    vmm_partition_moved(p, partition, m, moves);
    return VMM_OK;
}

/** Swaps a partition in, at any place.
 *  @param p          the partitions
 *  @param fit        how the hole is chosen, as in vmm_partition_alloc
 *  @param partition  its number
 *  @param m          what reads
 *  @param moves      is added to
 *  @return VMM_OK; VMM_E_NO_FRAME when no hole is large enough; VMM_E_IO when in refused; VMM_E_NOT_MAPPED when the
 *  partition is not out; VMM_E_ARGUMENT for another fit, or without in. It is still out then. Calls in, then moved.
 *  O(holes + partitions). */
VMM_OUTLINE vmm_status_t vmm_partition_swap_in(vmm_partitions_t *p, unsigned fit, uint32_t partition,
                                               const vmm_mover_t *m, vmm_moves_t *moves)
{
    const vmm_paddr_t rover = p->rover;
    vmm_status_t status;
    if (!m->in || !vmm_hole_fit_is_known(fit)) return VMM_E_ARGUMENT;
    if (!vmm_partition_is(p, partition, VMM_PARTITION_OUT)) return VMM_E_NOT_MAPPED;
    status = vmm_partition_place(p, fit, partition);
    if (status == VMM_OK) status = vmm_partition_read(p, partition, m, moves);
    if (status) p->rover = rover;
    return status;
}

/** Compacts by moving: from the lowest address up, each partition goes down as far as it can, until there is a hole
 *  that is large enough, or one hole alone.
 *  @param p       the partitions
 *  @param enough  bytes of the hole that is wanted; 0: go on to the end
 *  @param m       what copies: its move, or the RAM of its memory
 *  @param moves   is added to
 *  @return VMM_OK, also when no hole can become that large; VMM_E_IO when move refused, VMM_E_RANGE when a partition
 *  that is to be copied does not lie in the RAM of memory: what was moved before stays moved, the rest is as it was.
 *  Calls move and moved once for each partition that moves. O(partitions + bytes moved). */
VMM_OUTLINE vmm_status_t vmm_partitions_compact(vmm_partitions_t *p, uint64_t enough, const vmm_mover_t *m,
                                                vmm_moves_t *moves)
{
    vmm_fragmentation_t f;
    uint32_t i = p->first;
    vmm_partitions_measure(p, &f);
    while (i != VMM_NO_PARTITION && (!enough || f.largest < enough)) {
        const uint32_t next = vmm_partition_record(p, i)->next;
        vmm_status_t status;
        if (next == VMM_NO_PARTITION) break;
        if (vmm_partition_is(p, i, VMM_PARTITION_HOLE)) {
            status = vmm_partition_down(p, i, next, m, moves);
            if (status) return status;
            if (vmm_partition_record(p, i)->bytes > f.largest) f.largest = vmm_partition_record(p, i)->bytes;
        } else i = next;
    }
    return VMM_OK;
}

/** Compacts by swapping, where memory cannot be copied: each partition that has a hole below it goes out and comes in
 *  again at the hole's place.
 *  @param p       the partitions
 *  @param enough  bytes of the hole that is wanted; 0: go on to the end
 *  @param m       what writes and reads
 *  @param moves   is added to: twice the bytes that vmm_partitions_compact copies
 *  @return VMM_OK, also when no hole can become that large; VMM_E_ARGUMENT without out or in; VMM_E_IO when out or in
 *  refused: what was done before stays done. When it was in, its partition is out now, and vmm_partition_swap_in
 *  may try again. Calls out, moved, in, moved for each partition that moves. O(partitions). */
VMM_OUTLINE vmm_status_t vmm_partitions_compact_by_swap(vmm_partitions_t *p, uint64_t enough, const vmm_mover_t *m,
                                                        vmm_moves_t *moves)
{
    vmm_fragmentation_t f;
    uint32_t i = p->first;
    if (!m->out || !m->in) return VMM_E_ARGUMENT;
    vmm_partitions_measure(p, &f);
    while (i != VMM_NO_PARTITION && (!enough || f.largest < enough)) {
        const uint32_t next = vmm_partition_record(p, i)->next;
        vmm_status_t status;
        if (next == VMM_NO_PARTITION) break;
        if (vmm_partition_is(p, i, VMM_PARTITION_HOLE)) {
            status = vmm_partition_swap_out(p, next, m, moves);
            if (status) return status;
            vmm_partition_settle(p, i, next); /* the hole i is large enough now, and begins where it did */
            status = vmm_partition_read(p, next, m, moves);
            if (status) return status;
            if (vmm_partition_record(p, i)->bytes > f.largest) f.largest = vmm_partition_record(p, i)->bytes;
        } else i = next;
    }
    return VMM_OK;
}

/** @cond internal */
/* One record of the list: is it where the one below ends, and linked both ways? */
VMM_INLINE bool vmm_partition_follows(const vmm_partitions_t *p, uint32_t i, uint32_t below, vmm_paddr_t start)
{
    const vmm_partition_t *r = vmm_partition_at(p, i);
    if (!r || r->previous != below || r->start != start || !r->bytes) return false;
    if (r->bytes > p->bytes - (start - p->base)) return false;
    if (r->state == VMM_PARTITION_HELD) return true;
    return r->state == VMM_PARTITION_HOLE &&
           (below == VMM_NO_PARTITION || !vmm_partition_is(p, below, VMM_PARTITION_HOLE));
}
/** @endcond */

/** Verifies all invariants.
 *  @param p  the partitions
 *  @return whether all is well. O(most). */
VMM_OUTLINE bool vmm_partitions_check(const vmm_partitions_t *p)
{
    const uint32_t records = vmm_partitions_records(p);
    uint32_t i, below = VMM_NO_PARTITION, listed = 0, held = 0, out = 0, spare = 0;
    vmm_paddr_t start = p->base;
    for (i = p->first; i != VMM_NO_PARTITION; i = vmm_partition_at(p, i)->next) {
        if (listed++ == records || !vmm_partition_follows(p, i, below, start)) return false;
        held += vmm_partition_is(p, i, VMM_PARTITION_HELD);
        start += vmm_partition_at(p, i)->bytes;
        below = i;
    }
    for (i = p->spare; i != VMM_NO_PARTITION; i = vmm_partition_at(p, i)->next)
        if (spare++ == records || !vmm_partition_is(p, i, VMM_PARTITION_SPARE)) return false;
    for (i = 0; i < records; i++) out += vmm_partition_is(p, i, VMM_PARTITION_OUT);
    return start == p->base + p->bytes && held == p->held && out == p->out && held + out <= p->most &&
           listed + spare + out == records && p->rover - p->base < p->bytes;
}

/* -- x86: descriptors -- */

/** x86's segment registers, numbered as in instructions. */
enum vmm_x86_register {
    VMM_X86_ES = 0, /**< Extra. */
    VMM_X86_CS = 1, /**< Code. */
    VMM_X86_SS = 2, /**< Stack: its faults are #SS. */
    VMM_X86_DS = 3, /**< Data. */
    VMM_X86_FS = 4, /**< Extra; keeps its base in 64-bit mode. */
    VMM_X86_GS = 5  /**< Extra; keeps its base in 64-bit mode. */
};

/** Bits of the type of a code or data descriptor (SDM volume 3, 3.4.5.1). */
enum vmm_x86_type {
    VMM_X86_ACCESSED = 1,    /**< Set by the processor when the descriptor is loaded. */
    VMM_X86_WRITABLE = 2,    /**< Of data. */
    VMM_X86_READABLE = 2,    /**< Of code. */
    VMM_X86_DOWN = 4,        /**< Of data: expand-down, the valid offsets lie above the limit. */
    VMM_X86_CONFORMING = 4,  /**< Of code: runs at the privilege of who jumps to it. */
    VMM_X86_CODE = 8,        /**< Code; else data. */
    VMM_X86_LOCAL_TABLE = 2, /**< Of the system: a local descriptor table. */
    VMM_X86_CALL_GATE = 12   /**< Of the system: a call gate of 32 or 64 bits. */
};

/** A descriptor of 8 bytes, unpacked:
 *
 *  | bits | 63:56 | 55 | 54 | 53 | 52 | 51:48 | 47 | 46:45 | 44 | 43:40 | 39:16 | 15:0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|---|
 *  | | base 31:24 | G | D/B | L | AVL | limit 19:16 | P | DPL | S | type | base 23:0 | limit 15:0 |
 *
 *  Gates have another layout below bit 40. */
typedef struct vmm_x86_descriptor {
    uint64_t base;  /**< Linear address of its first byte. 32 bits of it are in the descriptor. */
    uint32_t limit; /**< The last offset, in bytes whatever the granularity; expand-down: the last that is not valid. */
    uint8_t type;   /**< enum vmm_x86_type. */
    uint8_t dpl;    /**< 0 to 3. */
    bool code_or_data; /**< S; else a system descriptor. */
    bool present;      /**< P. */
    bool available;    /**< AVL: software's. */
    bool long_code;    /**< L: 64-bit code. */
    bool big;          /**< D/B: 32-bit code or stack; expand-down: the last offset is 2^32 - 1, else 2^16 - 1. */
    bool granular;     /**< G: the limit counts 4 KiB. */
} vmm_x86_descriptor_t;

/** Unpacks a descriptor.
 *  @param raw  its 8 bytes, as a little-endian number
 *  @return what it says. O(1). */
VMM_INLINE vmm_x86_descriptor_t vmm_x86_unpack(uint64_t raw)
{
    const uint32_t limit = (uint32_t)(raw & 0xffff) | ((uint32_t)(raw >> 32) & 0xf0000);
    vmm_x86_descriptor_t d;
    d.base = ((raw >> 16) & 0xffffff) | (raw >> 56) << 24;
    d.type = (uint8_t)(raw >> 40 & 15);
    d.code_or_data = vmm_bit(raw, 44);
    d.dpl = (uint8_t)(raw >> 45 & 3);
    d.present = vmm_bit(raw, 47);
    d.available = vmm_bit(raw, 52);
    d.long_code = vmm_bit(raw, 53);
    d.big = vmm_bit(raw, 54);
    d.granular = vmm_bit(raw, 55);
    d.limit = d.granular ? limit << 12 | 0xfff : limit;
    return d;
}

/** Packs a descriptor; vmm_x86_unpack gives the same back.
 *  @param d    what it says
 *  @param raw  receives its 8 bytes, as a little-endian number
 *  @return VMM_OK; VMM_E_ARGUMENT when type or dpl is too large; VMM_E_RANGE when the base has more than 32 bits, or
 *  the limit more than 20 without granularity; VMM_E_ALIGN when with granularity its low 12 bits are not all ones.
 *  O(1). */
VMM_INLINE vmm_status_t vmm_x86_pack(const vmm_x86_descriptor_t *d, uint64_t *raw)
{
    const uint64_t limit = d->granular ? d->limit >> 12 : d->limit;
    if (d->type > 15 || d->dpl > 3) return VMM_E_ARGUMENT;
    if (d->base >> 32 || limit >> 20) return VMM_E_RANGE;
    if (d->granular && (~d->limit & 0xfff)) return VMM_E_ALIGN;
    *raw = (limit & 0xffff) | (d->base & 0xffffff) << 16 | (uint64_t)d->type << 40 | (uint64_t)d->code_or_data << 44 |
           (uint64_t)d->dpl << 45 | (uint64_t)d->present << 47 | (limit >> 16) << 48 | (uint64_t)d->available << 52 |
           (uint64_t)d->long_code << 53 | (uint64_t)d->big << 54 | (uint64_t)d->granular << 55 | (d->base >> 24) << 56;
    return VMM_OK;
}

/** Makes a selector.
 *  @param index  of the descriptor, 0 to 8191
 *  @param local  TI: in the local descriptor table
 *  @param rpl    requested privilege level, 0 to 3
 *  @return the selector: index 15:3, TI 2, RPL 1:0. O(1). */
VMM_INLINE uint16_t vmm_x86_selector(unsigned index, bool local, unsigned rpl)
{
    return (uint16_t)(index << 3 | (unsigned)local << 2 | (rpl & 3));
}

/* -- x86: segment registers -- */

/** How segment registers work. */
enum vmm_x86_mode {
    VMM_X86_REAL = 0,      /**< Real mode: a selector is the base / 16. */
    VMM_X86_VIRTUAL = 1,   /**< Virtual-8086 mode: the same, with a limit of 64 KiB. */
    VMM_X86_PROTECTED = 2, /**< Protected mode, and long mode not active. */
    VMM_X86_LONG = 3       /**< Long mode active: 64-bit mode while L is set in CS, else compatibility mode. */
};

/** A segment register: the selector, and the descriptor that was loaded with it, which is what accesses use. */
typedef struct vmm_x86_segment {
    uint16_t selector;               /**< As it was loaded; of CS, RPL is CPL. */
    bool null;                       /**< Holds no segment. */
    vmm_x86_descriptor_t descriptor; /**< The hidden part. */
} vmm_x86_segment_t;

/** The segment registers of a processor. Plain data: what the processor sets without checks (SYSCALL, VM entry, LGDT,
 *  WRMSR of a base) is written into it.
 *
 *  Descriptors are read and marked through two callbacks, which go through page tables as implicit supervisor accesses
 *  where there are any; without them, linear addresses are physical ones in the RAM window of memory. A table may lie
 *  anywhere and have any content: no byte outside the window is touched.
 *  Invariant: cpl <= 3; vaddr_bits is 48, or 57 with CR4.LA57. */
typedef struct vmm_x86_segments {
    vmm_x86_segment_t segment[6]; /**< By enum vmm_x86_register. */
    vmm_x86_segment_t ldtr;       /**< The local descriptor table. */
    uint64_t gdt_base;            /**< GDTR: linear address of the global descriptor table. */
    uint16_t gdt_limit;           /**< GDTR: its last byte. */
    uint8_t mode;                 /**< enum vmm_x86_mode. */
    uint8_t cpl;                  /**< Current privilege level. */
    uint8_t vaddr_bits;           /**< Of canonical addresses. */
    const vmm_memory_t *memory;   /**< Where descriptors are without callbacks. */
    /** Reads 8 bytes at any alignment. 0: done; else refused. */
    int (*read)(void *user, vmm_vaddr_t linear, uint64_t *raw);
    /** Sets the accessed bit: the lowest bit of the byte at an address. 0: done; else refused. */
    int (*mark)(void *user, vmm_vaddr_t linear);
    void *user;                /**< Passed to both. */
    vmm_segment_fault_t fault; /**< Reasons of the last VMM_FAULT. */
} vmm_x86_segments_t;

/** Sets segment registers as at reset: real mode, CPL 0, base 0 (CS: selector 0xf000, base 0xffff0000), limit 0xffff,
 *  writable data, GDTR at 0 with limit 0xffff, no LDT.
 *  @param s       the registers
 *  @param memory  where descriptors are without callbacks; may be null with them
 *  O(1). */
VMM_OUTLINE void vmm_x86_segments_init(vmm_x86_segments_t *s, const vmm_memory_t *memory)
{
    unsigned i;
    VMM_SET(s, 0, sizeof *s);
    for (i = 0; i < 6; i++) s->segment[i].descriptor = vmm_x86_unpack(UINT64_C(0x000093000000ffff));
    s->segment[VMM_X86_CS].selector = 0xf000;
    s->segment[VMM_X86_CS].descriptor.base = 0xffff0000;
    s->ldtr.null = true;
    s->gdt_limit = 0xffff;
    s->vaddr_bits = 48;
    s->memory = memory;
}

/** @cond internal */
VMM_INLINE bool vmm_x86_is_64(const vmm_x86_segments_t *s)
{
    return s->mode == VMM_X86_LONG && s->segment[VMM_X86_CS].descriptor.long_code;
}

VMM_INLINE bool vmm_x86_is_canonical(const vmm_x86_segments_t *s, uint64_t linear)
{
    const uint64_t above = linear >> (s->vaddr_bits - 1);
    return above == 0 || above == ~UINT64_C(0) >> (s->vaddr_bits - 1);
}

VMM_INLINE vmm_status_t vmm_x86_segment_refuse(vmm_x86_segments_t *s, unsigned vector, uint16_t code, unsigned rule,
                                               uint32_t segment)
{
    vmm_segment_refuse(&s->fault, rule, VMM_READ, segment, 0);
    s->fault.cause = (uint8_t)vector;
    s->fault.code = code;
    return VMM_FAULT;
}

/* #GP, #NP or #SS with the selector: its index and TI; EXT and IDT are 0. */
VMM_INLINE vmm_status_t vmm_x86_selector_refuse(vmm_x86_segments_t *s, unsigned vector, uint16_t selector,
                                                unsigned rule)
{
    return vmm_x86_segment_refuse(s, vector, selector & 0xfffc, rule, selector);
}

VMM_INLINE int vmm_x86_table_read(const vmm_x86_segments_t *s, uint64_t linear, uint64_t *raw)
{
    const uint8_t *at;
    if (s->read) return s->read(s->user, linear, raw);
    at = s->memory ? vmm_mem_host(s->memory, linear, 8) : NULL;
    if (!at) return 1;
    *raw = vmm_get(at, 8);
    return 0;
}

/* Other processors may write the byte meanwhile. */
VMM_INLINE int vmm_x86_table_mark(const vmm_x86_segments_t *s, uint64_t linear)
{
    uint8_t *at, old;
    if (s->mark) return s->mark(s->user, linear);
    at = s->memory ? vmm_mem_host(s->memory, linear, 1) : NULL;
    if (!at) return 1;
    old = VMM_ATOMIC_LOAD(at);
    while (!VMM_ATOMIC_CAS(at, &old, (uint8_t)(old | VMM_X86_ACCESSED))) continue;
    return 0;
}

/* Neither a callback nor the window could. */
VMM_INLINE vmm_status_t vmm_x86_table_refuse(vmm_x86_segments_t *s, uint16_t selector, bool by_callback)
{
    return vmm_x86_segment_refuse(s, by_callback ? 0 : 18, 0, VMM_SEGMENT_TABLE_MEMORY, selector);
}

/* One descriptor that a load goes through. */
typedef struct vmm_x86_found {
    uint64_t linear; /* its address */
    uint16_t selector;
    vmm_x86_descriptor_t d;
} vmm_x86_found_t;

/* Reads the descriptor that a selector names, of 8 or 16 bytes; the upper half is looked at by who needs it. */
VMM_OUTLINE vmm_status_t vmm_x86_find(vmm_x86_segments_t *s, uint16_t selector, unsigned bytes, vmm_x86_found_t *found)
{
    const bool local = (selector & 4) != 0;
    const uint32_t limit = local ? s->ldtr.descriptor.limit : s->gdt_limit;
    const uint64_t base = local ? s->ldtr.descriptor.base : s->gdt_base;
    uint64_t raw = 0;
    found->selector = selector;
    if ((local && s->ldtr.null) || (selector & 0xfff8u) + (bytes - 1) > limit)
        return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_NUMBER);
    found->linear = base + (selector & 0xfff8);
    if (s->mode != VMM_X86_LONG) found->linear &= 0xffffffff;
    else if (!vmm_x86_is_canonical(s, found->linear) || !vmm_x86_is_canonical(s, found->linear + (bytes - 1)))
        return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_WIDTH);
    if (vmm_x86_table_read(s, found->linear, &raw)) return vmm_x86_table_refuse(s, selector, s->read != NULL);
    found->d = vmm_x86_unpack(raw);
    return VMM_OK;
}

/* The last steps of a load that passed its checks: the accessed bit, then the register. */
VMM_INLINE vmm_status_t vmm_x86_touch(vmm_x86_segments_t *s, vmm_x86_found_t *found)
{
    const uint64_t byte = found->linear + 5;
    if (found->d.type & VMM_X86_ACCESSED) return VMM_OK;
    if (vmm_x86_table_mark(s, s->mode == VMM_X86_LONG ? byte : byte & 0xffffffff))
        return vmm_x86_table_refuse(s, found->selector, s->mark != NULL);
    found->d.type |= VMM_X86_ACCESSED;
    return VMM_OK;
}

VMM_INLINE void vmm_x86_segment_put(vmm_x86_segments_t *s, unsigned number, const vmm_x86_found_t *found)
{
    s->segment[number].selector = found->selector;
    s->segment[number].null = false;
    s->segment[number].descriptor = found->d;
}

/* Intel's processors clear the base with the rest. */
VMM_INLINE void vmm_x86_segment_clear(vmm_x86_segment_t *segment, uint16_t selector)
{
    VMM_SET(segment, 0, sizeof *segment);
    segment->selector = selector;
    segment->null = true;
}

/* Real mode keeps limit and type as they are. */
VMM_INLINE void vmm_x86_segment_put_real(vmm_x86_segments_t *s, unsigned number, uint16_t selector)
{
    vmm_x86_segment_t *r = &s->segment[number];
    if (s->mode == VMM_X86_VIRTUAL) r->descriptor = vmm_x86_unpack(UINT64_C(0x0000f3000000ffff));
    r->selector = selector;
    r->null = false;
    r->descriptor.base = (uint64_t)selector << 4;
}

/* SDM volume 2, MOV: DS, ES, FS, GS take data and readable code. Conforming code has no privilege to check. */
VMM_INLINE unsigned vmm_x86_data_rule(const vmm_x86_segments_t *s, const vmm_x86_found_t *found)
{
    const vmm_x86_descriptor_t *d = &found->d;
    const bool code = (d->type & VMM_X86_CODE) != 0;
    if (!d->code_or_data || (code && !(d->type & VMM_X86_READABLE))) return VMM_SEGMENT_TYPE;
    if (code && (d->type & VMM_X86_CONFORMING)) return VMM_SEGMENT_NO_RULE;
    return (found->selector & 3) > d->dpl || s->cpl > d->dpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
}

/* SS takes writable data of just the privilege that runs. */
VMM_INLINE unsigned vmm_x86_stack_rule(const vmm_x86_found_t *found, unsigned cpl)
{
    const vmm_x86_descriptor_t *d = &found->d;
    if ((found->selector & 3u) != cpl) return VMM_SEGMENT_PRIVILEGE;
    if (!d->code_or_data || (d->type & (VMM_X86_CODE | VMM_X86_WRITABLE)) != VMM_X86_WRITABLE) return VMM_SEGMENT_TYPE;
    return d->dpl != cpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
}

/* JMP and CALL to code (SDM volume 2, JMP): conforming code may be more privileged, other code is as privileged. */
VMM_INLINE unsigned vmm_x86_jump_rule(const vmm_x86_segments_t *s, const vmm_x86_found_t *found)
{
    const vmm_x86_descriptor_t *d = &found->d;
    if (!d->code_or_data) {
        const unsigned gates = s->mode == VMM_X86_LONG ? 1u << VMM_X86_CALL_GATE : 0x1a3au; /* 1 3 4 5 9 11 12 */
        return gates >> d->type & 1 ? VMM_SEGMENT_GATE : VMM_SEGMENT_TYPE;
    }
    if (!(d->type & VMM_X86_CODE)) return VMM_SEGMENT_TYPE;
    if (s->mode == VMM_X86_LONG && d->long_code && d->big) return VMM_SEGMENT_TYPE;
    if (d->type & VMM_X86_CONFORMING) return d->dpl > s->cpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
    return (found->selector & 3) > s->cpl || d->dpl != s->cpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
}

/* RET and IRET to code (SDM volume 2, RET), at the privilege that the selector asks for. */
VMM_INLINE unsigned vmm_x86_return_rule(const vmm_x86_segments_t *s, const vmm_x86_found_t *found)
{
    const vmm_x86_descriptor_t *d = &found->d;
    const unsigned rpl = found->selector & 3;
    if (!d->code_or_data || !(d->type & VMM_X86_CODE)) return VMM_SEGMENT_TYPE;
    if (s->mode == VMM_X86_LONG && d->long_code && d->big) return VMM_SEGMENT_TYPE;
    if (rpl < s->cpl) return VMM_SEGMENT_PRIVILEGE;
    if (d->type & VMM_X86_CONFORMING) return d->dpl > rpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
    return d->dpl != rpl ? VMM_SEGMENT_PRIVILEGE : VMM_SEGMENT_NO_RULE;
}

/* Does the code segment that comes hold the instruction pointer? */
VMM_INLINE bool vmm_x86_holds_ip(const vmm_x86_segments_t *s, const vmm_x86_descriptor_t *code, uint64_t ip)
{
    if (s->mode == VMM_X86_LONG && code->long_code) return vmm_x86_is_canonical(s, ip);
    return ip <= code->limit;
}
/** @endcond */

/** Loads ES, SS, DS, FS or GS, as MOV, POP and LDS do (SDM volume 2, MOV). In protected and long mode, in this order:
 *  a null selector is taken by the data registers, and by SS in 64-bit mode with CPL < 3 and RPL = CPL, else #GP(0);
 *  the descriptor lies inside its table, and in long mode at a canonical address, else #GP(selector); type and
 *  privilege suit the register, else #GP(selector): data registers take data and readable code with DPL >= CPL and
 *  DPL >= RPL, conforming code at any; SS takes writable data with RPL = DPL = CPL; the segment is present, else
 *  #NP(selector), of SS #SS(selector). Then the accessed bit is set in the descriptor, if it is clear.
 *  @param s         the registers
 *  @param number    enum vmm_x86_register, not CS
 *  @param selector  to be loaded
 *  @return VMM_OK; VMM_FAULT with vector and error code in s->fault, and cause 0 when a callback refused: the register
 *  is as it was; VMM_E_ARGUMENT for another number. Calls read once and mark at most once. O(1). */
VMM_OUTLINE vmm_status_t vmm_x86_load_segment(vmm_x86_segments_t *s, unsigned number, uint16_t selector)
{
    const bool stack = number == VMM_X86_SS;
    vmm_x86_found_t found;
    vmm_status_t status;
    unsigned rule;
    if (number > VMM_X86_GS || number == VMM_X86_CS) return VMM_E_ARGUMENT;
    if (s->mode < VMM_X86_PROTECTED) {
        vmm_x86_segment_put_real(s, number, selector);
        return VMM_OK;
    }
    if (!(selector & 0xfffc)) {
        if (stack && (!vmm_x86_is_64(s) || s->cpl == 3 || selector != s->cpl))
            return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_NULL, selector);
        vmm_x86_segment_clear(&s->segment[number], selector);
        return VMM_OK;
    }
    status = vmm_x86_find(s, selector, 8, &found);
    if (status) return status;
    rule = stack ? vmm_x86_stack_rule(&found, s->cpl) : vmm_x86_data_rule(s, &found);
    if (rule) return vmm_x86_selector_refuse(s, 13, selector, rule);
    if (!found.d.present) return vmm_x86_selector_refuse(s, stack ? 12 : 11, selector, VMM_SEGMENT_PRESENT);
    status = vmm_x86_touch(s, &found);
    if (status == VMM_OK) vmm_x86_segment_put(s, number, &found);
    return status;
}

/** Loads CS as a far JMP or CALL to a code segment does (SDM volume 2, JMP): #GP(0) for a null selector; #GP(selector)
 *  when the descriptor lies outside its table, is not code, is 64-bit code with D set in long mode, is conforming with
 *  DPL > CPL, or is not conforming with RPL > CPL or DPL != CPL; #NP(selector); #GP(0) when the offset lies outside the
 *  segment (of 64-bit code: is not canonical). CPL stays, and becomes the RPL in CS. What a CALL pushes is the
 *  caller's. Gates and task states are not followed: the caller sees VMM_SEGMENT_GATE and goes on itself.
 *  @param s         the registers
 *  @param selector  of the code segment
 *  @param offset    the instruction pointer, cut to the operand size
 *  @return VMM_OK; VMM_FAULT as vmm_x86_load_segment; VMM_E_STOPPED for a gate or task state, with s->fault.rule and
 *  segment set: nothing was changed. Calls read once and mark at most once. O(1). */
VMM_OUTLINE vmm_status_t vmm_x86_far_jump(vmm_x86_segments_t *s, uint16_t selector, uint64_t offset)
{
    vmm_x86_found_t found;
    vmm_status_t status;
    unsigned rule;
    if (s->mode < VMM_X86_PROTECTED) {
        if (offset > s->segment[VMM_X86_CS].descriptor.limit)
            return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_LIMIT, selector);
        vmm_x86_segment_put_real(s, VMM_X86_CS, selector);
        return VMM_OK;
    }
    if (!(selector & 0xfffc)) return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_NULL, selector);
    status = vmm_x86_find(s, selector, 8, &found);
    if (status) return status;
    rule = vmm_x86_jump_rule(s, &found);
    if (rule == VMM_SEGMENT_GATE) {
        vmm_x86_segment_refuse(s, 0, 0, rule, selector);
        return VMM_E_STOPPED;
    }
    if (rule) return vmm_x86_selector_refuse(s, 13, selector, rule);
    if (!found.d.present) return vmm_x86_selector_refuse(s, 11, selector, VMM_SEGMENT_PRESENT);
    if (!vmm_x86_holds_ip(s, &found.d, offset)) return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_LIMIT, selector);
    status = vmm_x86_touch(s, &found);
    if (status) return status;
    found.selector = (uint16_t)((selector & 0xfffc) | s->cpl);
    vmm_x86_segment_put(s, VMM_X86_CS, &found);
    return VMM_OK;
}

/** @cond internal */
/* The stack that a return to less privilege brings: the rules of SS for the privilege that comes. */
VMM_OUTLINE vmm_status_t vmm_x86_return_stack(vmm_x86_segments_t *s, const vmm_x86_found_t *code, uint16_t selector,
                                              vmm_x86_found_t *found)
{
    const unsigned cpl = code->selector & 3;
    vmm_status_t status;
    unsigned rule;
    if (!(selector & 0xfffc)) {
        if (s->mode != VMM_X86_LONG || !code->d.long_code || cpl == 3 || selector != cpl)
            return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_NULL, selector);
        found->selector = selector;
        return VMM_OK;
    }
    status = vmm_x86_find(s, selector, 8, found);
    if (status) return status;
    rule = vmm_x86_stack_rule(found, cpl);
    if (rule) return vmm_x86_selector_refuse(s, 13, selector, rule);
    if (!found->d.present) return vmm_x86_selector_refuse(s, 12, selector, VMM_SEGMENT_PRESENT);
    return VMM_OK;
}

/* Who is less privileged now loses data registers that it could not have loaded. */
VMM_INLINE void vmm_x86_return_data(vmm_x86_segments_t *s)
{
    static const uint8_t data[4] = {VMM_X86_ES, VMM_X86_DS, VMM_X86_FS, VMM_X86_GS};
    unsigned i;
    for (i = 0; i < 4; i++) {
        vmm_x86_segment_t *r = &s->segment[data[i]];
        const unsigned conforming = VMM_X86_CODE | VMM_X86_CONFORMING;
        if (!r->null && r->descriptor.dpl < s->cpl && (r->descriptor.type & conforming) != conforming)
            vmm_x86_segment_clear(r, 0);
    }
}
/** @endcond */

/** Loads CS, and SS when privilege changes, as a far RET or an IRET does (SDM volume 2, RET): #GP(0) for a null CS;
 *  #GP(selector) when its descriptor lies outside its table, is not code, RPL < CPL, it is conforming with DPL > RPL,
 *  or not conforming with DPL != RPL; #NP(selector). With RPL > CPL the stack is judged by the rules of SS for the new
 *  CPL (null: in a return to 64-bit code with RPL = new CPL < 3). #GP(0) when the instruction pointer lies outside the
 *  segment. Then CPL is RPL, and a data register with DPL < CPL becomes null, unless it holds conforming code.
 *  Returns to virtual-8086 mode and of nested tasks are the caller's, so is what lies on the stack, and so is the SS
 *  that an IRET of 64-bit mode pops when privilege stays (vmm_x86_load_segment has the rules).
 *  @param s   the registers, in protected or long mode
 *  @param cs  selector that is popped
 *  @param ip  instruction pointer that is popped
 *  @param ss  selector that is popped when RPL of cs > CPL; else not looked at
 *  @return VMM_OK; VMM_FAULT as vmm_x86_load_segment: registers are as they were, though CS's descriptor may be marked;
 *  VMM_E_ARGUMENT in another mode. Calls read and mark at most twice. O(1). */
VMM_OUTLINE vmm_status_t vmm_x86_far_return(vmm_x86_segments_t *s, uint16_t cs, uint64_t ip, uint16_t ss)
{
    const bool outer = (cs & 3) > s->cpl, has_stack = outer && (ss & 0xfffc);
    vmm_x86_found_t code, stack;
    vmm_status_t status;
    unsigned rule;
    if (s->mode < VMM_X86_PROTECTED) return VMM_E_ARGUMENT;
    if (!(cs & 0xfffc)) return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_NULL, cs);
    status = vmm_x86_find(s, cs, 8, &code);
    if (status) return status;
    rule = vmm_x86_return_rule(s, &code);
    if (rule) return vmm_x86_selector_refuse(s, 13, cs, rule);
    if (!code.d.present) return vmm_x86_selector_refuse(s, 11, cs, VMM_SEGMENT_PRESENT);
    if (outer) status = vmm_x86_return_stack(s, &code, ss, &stack);
    if (status) return status;
    if (!vmm_x86_holds_ip(s, &code.d, ip)) return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_LIMIT, cs);
    status = vmm_x86_touch(s, &code);
    if (status == VMM_OK && has_stack) status = vmm_x86_touch(s, &stack);
    if (status) return status;
    vmm_x86_segment_put(s, VMM_X86_CS, &code);
    if (!outer) return VMM_OK;
    s->cpl = cs & 3;
    if (has_stack) vmm_x86_segment_put(s, VMM_X86_SS, &stack);
    else vmm_x86_segment_clear(&s->segment[VMM_X86_SS], ss);
    vmm_x86_return_data(s);
    return VMM_OK;
}

/** Loads the local descriptor table register, as LLDT does. #GP(0) with CPL > 0; a null selector makes every local
 *  selector fail; #GP(selector) when TI is set, the descriptor lies outside the global table, is not that of a local
 *  table, or (long mode, where it has 16 bytes) its upper half has a type or its base is not canonical; #NP(selector).
 *  @param s         the registers, in protected or long mode
 *  @param selector  to be loaded
 *  @return VMM_OK; VMM_FAULT as vmm_x86_load_segment; VMM_E_ARGUMENT in another mode. Calls read at most twice.
 *  O(1). */
VMM_OUTLINE vmm_status_t vmm_x86_load_local(vmm_x86_segments_t *s, uint16_t selector)
{
    const bool wide = s->mode == VMM_X86_LONG;
    vmm_x86_found_t found;
    vmm_status_t status;
    uint64_t upper = 0;
    if (s->mode < VMM_X86_PROTECTED) return VMM_E_ARGUMENT;
    if (s->cpl) return vmm_x86_segment_refuse(s, 13, 0, VMM_SEGMENT_PRIVILEGE, selector);
    if (!(selector & 0xfffc)) {
        vmm_x86_segment_clear(&s->ldtr, selector);
        return VMM_OK;
    }
    if (selector & 4) return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_NUMBER);
    status = vmm_x86_find(s, selector, wide ? 16 : 8, &found);
    if (status) return status;
    if (found.d.code_or_data || found.d.type != VMM_X86_LOCAL_TABLE)
        return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_TYPE);
    if (wide && vmm_x86_table_read(s, found.linear + 8, &upper))
        return vmm_x86_table_refuse(s, selector, s->read != NULL);
    if (upper >> 40 & 31) return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_TYPE);
    if (!found.d.present) return vmm_x86_selector_refuse(s, 11, selector, VMM_SEGMENT_PRESENT);
    found.d.base |= upper << 32;
    if (wide && !vmm_x86_is_canonical(s, found.d.base))
        return vmm_x86_selector_refuse(s, 13, selector, VMM_SEGMENT_WIDTH);
    s->ldtr.selector = selector;
    s->ldtr.null = false;
    s->ldtr.descriptor = found.d;
    return VMM_OK;
}

/** @cond internal */
/* Outside 64-bit mode. The upper end of an expand-down segment is that of 16 or 32 bits, by B. */
VMM_INLINE bool vmm_x86_segment_holds(const vmm_x86_descriptor_t *d, uint64_t offset, uint64_t last)
{
    const unsigned down = VMM_X86_CODE | VMM_X86_DOWN;
    if ((d->type & down) == VMM_X86_DOWN) return offset > d->limit && last <= (d->big ? UINT32_MAX : 0xffffu);
    return last <= d->limit;
}

VMM_INLINE unsigned vmm_x86_access_rule(const vmm_x86_segments_t *s, const vmm_x86_segment_t *r, unsigned access,
                                        uint64_t offset, unsigned bytes)
{
    const vmm_x86_descriptor_t *d = &r->descriptor;
    const bool code = (d->type & VMM_X86_CODE) != 0, extra = (d->type & VMM_X86_WRITABLE) != 0;
    if (VMM_UNLIKELY(r->null)) return VMM_SEGMENT_NULL;
    if (s->mode >= VMM_X86_PROTECTED) {
        if (access == VMM_WRITE && (code || !extra)) return VMM_SEGMENT_WRITE;
        if (access == VMM_READ && code && !extra) return VMM_SEGMENT_READ;
    }
    return vmm_x86_segment_holds(d, offset, offset + (bytes - 1)) ? VMM_SEGMENT_NO_RULE : VMM_SEGMENT_LIMIT;
}
/** @endcond */

/** The linear address of an access through a segment register. In 64-bit mode the bases of FS and GS count, nothing
 *  else of a segment does, and the linear addresses of first and last byte must be canonical. Otherwise, in this order:
 *  a null register fails; so does writing to code or to data that is not writable, and reading code that is not
 *  readable (not in real and virtual-8086 mode); then every byte lies inside the limit: expand-up, offsets up to the
 *  limit; expand-down, above the limit up to 2^32 - 1 or, with B clear, 2^16 - 1. The linear address has 32 bits then.
 *  All are #GP(0), through SS #SS(0). An access that wraps from the last offset of 32 bits to the first one fails, as
 *  processors may do it or not (SDM volume 3, 5.3).
 *  @param s       the registers
 *  @param number  enum vmm_x86_register; CS for a fetch
 *  @param access  enum vmm_access
 *  @param offset  effective address, cut to the address size; outside 64-bit mode its low 32 bits count
 *  @param bytes   of the access, 1 to 4096
 *  @param linear  receives the address for the MMU
 *  @return VMM_OK; VMM_FAULT with s->fault; VMM_E_ARGUMENT for another number, access or size, or a fetch
 *  through another register than CS. O(1). */
VMM_INLINE vmm_status_t vmm_x86_linear(vmm_x86_segments_t *s, unsigned number, unsigned access, uint64_t offset,
                                       unsigned bytes, vmm_vaddr_t *linear)
{
    const vmm_x86_segment_t *r;
    unsigned rule;
    uint64_t at;
    if (number > VMM_X86_GS || access > VMM_FETCH || bytes - 1 > 4095) return VMM_E_ARGUMENT;
    if (access == VMM_FETCH && number != VMM_X86_CS) return VMM_E_ARGUMENT;
    r = &s->segment[number];
    if (vmm_x86_is_64(s)) {
        at = (number >= VMM_X86_FS ? r->descriptor.base : 0) + offset;
        rule = vmm_x86_is_canonical(s, at) && vmm_x86_is_canonical(s, at + (bytes - 1)) ? VMM_SEGMENT_NO_RULE
                                                                                        : VMM_SEGMENT_WIDTH;
    } else {
        offset &= 0xffffffff;
        at = (r->descriptor.base + offset) & 0xffffffff;
        rule = vmm_x86_access_rule(s, r, access, offset, bytes);
    }
    if (VMM_UNLIKELY(rule)) {
        vmm_segment_refuse(&s->fault, rule, access, number, rule == VMM_SEGMENT_WIDTH ? at : offset);
        s->fault.cause = number == VMM_X86_SS ? 12 : 13;
        return VMM_FAULT;
    }
    *linear = at;
    return VMM_OK;
}
/** @} */

/* ================================================== Part I  8. data caches and cost model == */
/** @defgroup vmm_data_caches 8. Data caches and cost model
 *  Up to four levels of cache between the processor and memory, as exercises have them, and what an access costs.
 *
 *  **Address.** CO, the low bits of the physical address, is the byte in its block; CI, the next bits, picks the set;
 *  CT, the rest, is compared in all ways of the set. One way: direct-mapped. One set: fully associative. A line that
 *  was never filled or put is invalid.
 *
 *  **What a level does with a request.** An access is a request to level 0; a level makes requests to the next one as
 *  an access does, and the last one to memory, which has everything. In this order:
 *
 *  1. Hit: the line is used (this is what LRU and pseudo-LRU go by).
 *  2. Miss, of a read, or of a write unless `no_write_allocate`: the block gets a line, an invalid one if the set has
 *     one, else a victim's, by policy. A dirty victim is written to the next level, whole. Then the block is read from
 *     the next level; not when a victim of the level before fills all of it.
 *  3. A write marks the line dirty, or with `write_through` is made in the next level too and leaves the line clean.
 *     A write that missed and got no line is made in the next level alone.
 *
 *  So a victim's block may get a line in the next level, and a victim there be written further on. Levels are neither
 *  inclusive nor exclusive: what leaves one says nothing about the others. Blocks may grow from level to level.
 *
 *  **Virtual index.** Level 0 may take CI from the virtual address while CT stays physical. When CI reaches above the
 *  page offset, one block of memory can then stand in several sets: synonyms. A fill that makes one is counted and
 *  told; both lines stay and go their own ways, as they do in hardware that leaves them to the operating system.
 *
 *  **Contents** are for exercise sheets: a line holds the bytes that vmm_caches_put gave, until it is written or
 *  leaves. Other lines have none.
 *
 *  State is plain data without addresses in one block of memory: a copy of it is a snapshot, and works elsewhere.
 *  One thread at a time.
 *  @{ */

/** Most levels. */
#define VMM_CACHE_LEVELS 4
/** Most sets of a level. */
#define VMM_MAX_CACHE_SETS 0x1000000
/** Most ways of a set; with VMM_PLRU 64. */
#define VMM_MAX_CACHE_WAYS 0x10000
/** Largest block, bytes. */
#define VMM_MAX_CACHE_BLOCK 0x10000

/** What one level is like. Zero is the default of everything below `block`. */
typedef struct vmm_cache_geometry {
    uint32_t sets;          /**< A power of two, up to VMM_MAX_CACHE_SETS. 1: fully associative. */
    uint32_t ways;          /**< 1 to VMM_MAX_CACHE_WAYS; with VMM_PLRU a power of two up to 64. 1: direct-mapped. */
    uint32_t block;         /**< Bytes: a power of two, up to VMM_MAX_CACHE_BLOCK, not less than the level's before. */
    uint8_t policy;         /**< enum vmm_policy. */
    bool write_through;     /**< Else write-back. */
    bool no_write_allocate; /**< A write that misses gets no line. */
    bool virtual_index;     /**< Level 0 only: CI comes from the virtual address. */
    uint8_t page_shift;     /**< With virtual_index, log2 of the page size: the bits of CI below it are physical too. At
                             *   least log2 of the block, at most 63. 0: not known, and CT is the whole block number. */
} vmm_cache_geometry_t;

/** What one level counts. A miss rate that textbooks call local is misses / (hits + misses). Memory, the level behind
 *  the last, has everything: all are hits. */
typedef struct vmm_cache_stats {
    uint64_t hits;          /**< Requests that accesses led to, and that it had. */
    uint64_t misses;        /**< Those that it did not have. */
    uint64_t write_hits;    /**< Of the hits, writes. */
    uint64_t write_misses;  /**< Of the misses, writes. */
    uint64_t victim_hits;   /**< Requests that dirty victims of the levels before led to, and that it had. */
    uint64_t victim_misses; /**< Those that it did not have. */
    uint64_t victim_writes; /**< Of both, writes: the victims themselves. The others read the rest of a larger block. */
    uint64_t evictions;     /**< Valid blocks that left for another one. */
    uint64_t writebacks;    /**< Dirty blocks that left, for another one or flushed: each written to the next level. */
    uint64_t passed;        /**< Writes that were made in the next level because this one does not keep them. */
    uint64_t synonyms;      /**< Fills of a block that another set had already. */
} vmm_cache_stats_t;

/** What one access did at one level: the first request that it led to there. */
typedef struct vmm_cache_step {
    uint64_t co;        /**< Byte in the block. */
    uint64_t ci;        /**< Set. */
    uint64_t ct;        /**< Tag. */
    vmm_paddr_t victim; /**< First byte of the block that left, when evicted. */
    uint32_t way;       /**< Of the hit, or of the line that was filled. */
    int16_t byte;       /**< The byte that the line holds there; -1: none, or not known. */
    bool asked;         /**< The access got here; else there are only CO, CI and CT. */
    bool hit;           /**< The block was there. */
    bool filled;        /**< The block was brought in. */
    bool evicted;       /**< A valid block left for it ... */
    bool written_back;  /**< ... and was dirty. */
    bool passed;        /**< A write that was made in the next level too, or there alone. */
    bool synonym;       /**< Another set holds the block as well. */
} vmm_cache_step_t;

/** A line. Invariant: block and stamp of an invalid one are 0; of a valid one stamp >= 4. */
typedef struct vmm_cache_line {
    uint64_t block; /**< Number of its block: physical address / bytes of a block. */
    uint64_t stamp; /**< Time of the last use (LRU) or of the filling, times 4; 2: has contents; 1: dirty. */
} vmm_cache_line_t;

/** A set. */
typedef struct vmm_cache_set {
    uint64_t tree;   /**< Bits of pseudo-LRU. */
    uint32_t recent; /**< Way used last. */
    uint32_t spare;  /**< 0. */
} vmm_cache_set_t;

/** Caches. Behind it lie, level by level: sets, lines, contents.
 *  Invariant: level i + 1 begins where level i ends, and `bytes` is where the last one does. */
typedef struct vmm_caches {
    uint64_t bytes;                                  /**< Of all of it. */
    uint64_t clock;                                  /**< For stamps. */
    vmm_cache_stats_t stats[VMM_CACHE_LEVELS + 1];   /**< By level; behind the last, of memory. */
    vmm_cache_geometry_t geometry[VMM_CACHE_LEVELS]; /**< By level. */
    uint32_t random[VMM_CACHE_LEVELS];               /**< States of the generators for VMM_RANDOM. */
    uint32_t levels;                                 /**< How many. */
    uint32_t data;                                   /**< 1: there is room for contents. */
} vmm_caches_t;

/** @cond internal */
#define VMM_LINE_DIRTY UINT64_C(1)
#define VMM_LINE_KNOWN UINT64_C(2)

/* Caches and what is known of them when a program is compiled, by value: with a constant geometry all of it folds. */
typedef struct vmm_caches_ref {
    const vmm_cache_geometry_t *geometry;
    unsigned levels;
    bool data;
    vmm_caches_t *caches;
} vmm_caches_ref_t;

VMM_INLINE vmm_caches_ref_t vmm_caches_parts(const vmm_caches_t *c)
{
    vmm_caches_ref_t u;
    u.geometry = c->geometry;
    u.levels = c->levels;
    u.data = c->data != 0;
    u.caches = (vmm_caches_t *)(uintptr_t)c; /* whoever was given a const one only looks */
    return u;
}

VMM_INLINE unsigned vmm_caches_block_bits(const vmm_cache_geometry_t *g)
{
    return (unsigned)__builtin_ctz(g->block);
}

/* Lowest bit of CT. */
VMM_INLINE unsigned vmm_caches_tag_bit(const vmm_cache_geometry_t *g)
{
    const unsigned block = vmm_caches_block_bits(g), above = block + (unsigned)__builtin_ctz(g->sets);
    if (!g->virtual_index) return above;
    if (!g->page_shift) return block;
    return g->page_shift < above ? g->page_shift : above;
}

VMM_INLINE uint64_t vmm_caches_index(const vmm_cache_geometry_t *g, vmm_vaddr_t va, vmm_paddr_t pa)
{
    return (g->virtual_index ? va : pa) >> vmm_caches_block_bits(g) & (g->sets - 1u);
}

VMM_INLINE uint64_t vmm_caches_level_bytes(const vmm_cache_geometry_t *g, bool data)
{
    const uint64_t lines = (uint64_t)g->sets * g->ways;
    return g->sets * (uint64_t)sizeof(vmm_cache_set_t) + lines * sizeof(vmm_cache_line_t) +
           (data ? (lines * g->block + 7) & ~UINT64_C(7) : 0);
}

/* Where a level begins. */
VMM_INLINE uint8_t *vmm_caches_level(vmm_caches_ref_t u, unsigned level)
{
    uint8_t *at = (uint8_t *)(u.caches + 1);
    unsigned i;
    for (i = 0; i < level; i++) at += (size_t)vmm_caches_level_bytes(&u.geometry[i], u.data);
    return at;
}

VMM_INLINE vmm_cache_set_t *vmm_caches_set(vmm_caches_ref_t u, unsigned level, uint64_t ci)
{
    return (vmm_cache_set_t *)(void *)vmm_caches_level(u, level) + (size_t)ci;
}

/* First line of a set. */
VMM_INLINE vmm_cache_line_t *vmm_caches_lines(vmm_caches_ref_t u, unsigned level, uint64_t ci)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    void *lines = vmm_caches_level(u, level) + (size_t)g->sets * sizeof(vmm_cache_set_t);
    return (vmm_cache_line_t *)lines + (size_t)ci * g->ways;
}

/* Contents of a line. */
VMM_INLINE uint8_t *vmm_caches_contents(vmm_caches_ref_t u, unsigned level, uint64_t ci, unsigned way)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    uint8_t *contents = (uint8_t *)vmm_caches_lines(u, level, g->sets);
    return contents + ((size_t)ci * g->ways + way) * g->block;
}

/* The way of a set that holds a block, or ways. Eight ways are compared without a branch between them. */
VMM_INLINE unsigned vmm_caches_find(const vmm_cache_line_t *line, unsigned ways, uint64_t block)
{
    unsigned from, way;
    for (from = 0; from < ways; from += 8) {
        const unsigned some = ways - from < 8 ? ways - from : 8;
        unsigned match = 0;
        for (way = 0; way < some; way++)
            match |= (unsigned)((line[from + way].block == block) & (line[from + way].stamp != 0)) << way;
        if (match) return from + (unsigned)__builtin_ctz(match);
    }
    return ways;
}

/* The way that a new block takes. Stamp 0, of an invalid line, is the lowest of all. */
VMM_INLINE unsigned vmm_caches_victim(vmm_caches_ref_t u, unsigned level, const vmm_cache_set_t *set,
                                      const vmm_cache_line_t *line)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    unsigned way, oldest = 0;
    for (way = 1; way < g->ways; way++)
        if (line[way].stamp < line[oldest].stamp) oldest = way;
    if (!line[oldest].stamp) return oldest;
    switch (g->policy) {
    case VMM_PLRU: return vmm_plru_victim(set->tree, g->ways);
    case VMM_RANDOM: return vmm_random(&u.caches->random[level]) % g->ways;
    default: return oldest;
    }
}

VMM_INLINE void vmm_caches_touch(vmm_caches_ref_t u, unsigned level, vmm_cache_set_t *set, vmm_cache_line_t *line,
                                 unsigned way, bool filled)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    if (filled || g->policy == VMM_LRU) line[way].stamp = ++u.caches->clock << 2 | (line[way].stamp & 3);
    if (g->policy == VMM_PLRU) vmm_plru_touch(&set->tree, g->ways, way);
    set->recent = way;
}

/* Whether a set other than ci holds a block that a virtual index may put there. */
VMM_INLINE bool vmm_caches_synonym(vmm_caches_ref_t u, uint64_t ci, uint64_t block)
{
    const vmm_cache_geometry_t *g = &u.geometry[0];
    const uint64_t stride = UINT64_C(1) << (vmm_caches_tag_bit(g) - vmm_caches_block_bits(g));
    uint64_t other;
    for (other = ci & (stride - 1); other < g->sets; other += stride)
        if (other != ci && vmm_caches_find(vmm_caches_lines(u, 0, other), g->ways, block) < g->ways) return true;
    return false;
}

/* The byte that a line holds, or -1. */
VMM_INLINE int vmm_caches_byte_of(vmm_caches_ref_t u, unsigned level, uint64_t ci, unsigned way, vmm_paddr_t pa)
{
    if (!u.data || !(vmm_caches_lines(u, level, ci)[way].stamp & VMM_LINE_KNOWN)) return -1;
    return vmm_caches_contents(u, level, ci, way)[pa & (u.geometry[level].block - 1u)];
}

/* One request to one level. */
typedef struct vmm_caches_request {
    vmm_paddr_t pa; /* a byte of the block that is asked for */
    uint32_t level;
    uint32_t bytes; /* written by a victim; 0: an access, which never fills a block */
    bool write;
    bool demand; /* an access led to it, not a victim */
} vmm_caches_request_t;

/* What is under way. A level leads to at most two requests to the next one: write-back to a victim and a read,
 * write-through to a read and a write. Each is finished, with all that it leads to, before the next, so at most one
 * waits in each level. */
typedef struct vmm_caches_work {
    vmm_vaddr_t va;         /* of the access */
    vmm_cache_step_t *step; /* who looks on, or null */
    unsigned had;           /* the level that had it */
    unsigned asked;         /* bit i: an access has asked level i */
    unsigned waiting;       /* requests */
    vmm_caches_request_t request[VMM_CACHE_LEVELS + 1];
} vmm_caches_work_t;

VMM_INLINE void vmm_caches_ask(vmm_caches_work_t *run, unsigned level, vmm_paddr_t pa, uint32_t bytes, bool write,
                               bool demand)
{
    vmm_caches_request_t *r = &run->request[run->waiting++];
    VMM_ASSERT(run->waiting <= VMM_CACHE_LEVELS + 1);
    r->pa = pa;
    r->level = level;
    r->bytes = bytes;
    r->write = write;
    r->demand = demand;
}

VMM_INLINE void vmm_caches_count(vmm_cache_stats_t *stats, const vmm_caches_request_t *r, bool hit)
{
    if (!r->demand) {
        *(hit ? &stats->victim_hits : &stats->victim_misses) += 1;
        stats->victim_writes += r->write;
        return;
    }
    *(hit ? &stats->hits : &stats->misses) += 1;
    if (r->write) *(hit ? &stats->write_hits : &stats->write_misses) += 1;
}

VMM_INLINE void vmm_caches_split(const vmm_cache_geometry_t *g, vmm_vaddr_t va, vmm_paddr_t pa, vmm_cache_step_t *step)
{
    VMM_SET(step, 0, sizeof *step);
    step->co = pa & (g->block - 1u);
    step->ci = vmm_caches_index(g, va, pa);
    step->ct = pa >> vmm_caches_tag_bit(g);
    step->byte = -1;
}

/* Gives a line to a block that missed. What is listed last, a dirty victim, is served first. */
VMM_INLINE unsigned vmm_caches_fill(vmm_caches_ref_t u, vmm_caches_work_t *run, const vmm_caches_request_t *r,
                                    uint64_t ci, vmm_cache_step_t *step)
{
    const vmm_cache_geometry_t *g = &u.geometry[r->level];
    vmm_cache_set_t *set = vmm_caches_set(u, r->level, ci);
    vmm_cache_line_t *line = vmm_caches_lines(u, r->level, ci);
    const unsigned way = vmm_caches_victim(u, r->level, set, line), bits = vmm_caches_block_bits(g);
    const vmm_paddr_t victim = line[way].block << bits;
    vmm_cache_stats_t *stats = &u.caches->stats[r->level];
    step->filled = true;
    step->evicted = line[way].stamp != 0;
    step->written_back = (line[way].stamp & VMM_LINE_DIRTY) != 0;
    step->victim = victim;
    step->synonym = g->virtual_index && vmm_caches_synonym(u, ci, r->pa >> bits);
    stats->evictions += step->evicted;
    stats->writebacks += step->written_back;
    stats->synonyms += step->synonym;
    if (!r->write || r->bytes != g->block) vmm_caches_ask(run, r->level + 1, r->pa, 0, false, r->demand);
    if (step->written_back) vmm_caches_ask(run, r->level + 1, victim, g->block, true, false);
    line[way].block = r->pa >> bits;
    line[way].stamp = 0;
    vmm_caches_touch(u, r->level, set, line, way, true);
    return way;
}

/* Serves one request and lists those to the next level, the last one first. */
VMM_INLINE void vmm_caches_serve(vmm_caches_ref_t u, vmm_caches_work_t *run, vmm_caches_request_t r)
{
    const vmm_cache_geometry_t *g = &u.geometry[r.level];
    vmm_cache_stats_t *stats = &u.caches->stats[r.level];
    const bool first = r.demand && !(run->asked >> r.level & 1);
    vmm_cache_step_t unseen, *step = first && run->step ? &run->step[r.level] : &unseen;
    vmm_cache_line_t *line;
    uint64_t ci;
    bool hit;
    if (r.level == u.levels) {
        vmm_caches_count(stats, &r, true);
        return;
    }
    ci = vmm_caches_index(g, run->va, r.pa); /* a virtual index is level 0's, which only the access itself asks */
    line = vmm_caches_lines(u, r.level, ci);
    step->way = vmm_caches_find(line, g->ways, r.pa >> vmm_caches_block_bits(g));
    step->asked = true;
    step->hit = hit = step->way < g->ways;
    step->passed = r.write && (g->write_through || (!hit && g->no_write_allocate));
    vmm_caches_count(stats, &r, hit);
    if (first && hit && run->had == u.levels) run->had = r.level;
    if (first) run->asked |= 1u << r.level;
    if (step->passed) {
        stats->passed++;
        vmm_caches_ask(run, r.level + 1, r.pa, r.bytes, true, r.demand);
    }
    if (hit) vmm_caches_touch(u, r.level, vmm_caches_set(u, r.level, ci), line, step->way, false);
    else if (!r.write || !g->no_write_allocate) step->way = vmm_caches_fill(u, run, &r, ci, step);
    else {
        step->way = 0;
        return;
    }
    if (r.write) line[step->way].stamp &= ~VMM_LINE_KNOWN;
    if (r.write && !g->write_through) line[step->way].stamp |= VMM_LINE_DIRTY;
    if (step != &unseen) step->byte = (int16_t)vmm_caches_byte_of(u, r.level, ci, step->way, r.pa);
}

/* An access by requests. */
VMM_CORE unsigned vmm_caches_run(vmm_caches_ref_t u, vmm_vaddr_t va, vmm_paddr_t pa, unsigned access,
                                 vmm_cache_step_t *step)
{
    vmm_caches_work_t run;
    unsigned level;
    for (level = 0; step && level < u.levels; level++) vmm_caches_split(&u.geometry[level], va, pa, &step[level]);
    run.va = va;
    run.step = step;
    run.had = u.levels;
    run.asked = 0;
    run.waiting = 0;
    vmm_caches_ask(&run, 0, pa, 0, access == VMM_WRITE, true);
    while (run.waiting) vmm_caches_serve(u, &run, run.request[--run.waiting]);
    return run.had;
}

/* A hit in level 0 when nobody looks on; with write-through only one of a read. */
VMM_INLINE bool vmm_caches_hit(vmm_caches_ref_t u, vmm_cache_line_t *line, unsigned access)
{
    vmm_cache_stats_t *stats = &u.caches->stats[0];
    if (access == VMM_WRITE) {
        if (u.geometry[0].write_through) return false;
        line->stamp = (line->stamp & ~VMM_LINE_KNOWN) | VMM_LINE_DIRTY;
        stats->write_hits++;
    }
    stats->hits++;
    return true;
}

/* The shortest way: a hit on the line that its set used last. No policy has anything to note then. */
VMM_INLINE bool vmm_caches_quick(vmm_caches_ref_t u, vmm_vaddr_t va, vmm_paddr_t pa, unsigned access)
{
    const vmm_cache_geometry_t *g = &u.geometry[0];
    const uint64_t ci = vmm_caches_index(g, va, pa);
    vmm_cache_line_t *line = vmm_caches_lines(u, 0, ci) + (g->ways > 1 ? vmm_caches_set(u, 0, ci)->recent : 0);
    return line->block == pa >> vmm_caches_block_bits(g) && line->stamp && vmm_caches_hit(u, line, access);
}

/* An access that the shortest way did not do. */
VMM_CORE unsigned vmm_caches_any(vmm_caches_ref_t u, vmm_vaddr_t va, vmm_paddr_t pa, unsigned access,
                                 vmm_cache_step_t *step)
{
    const vmm_cache_geometry_t *g = &u.geometry[0];
    const uint64_t ci = vmm_caches_index(g, va, pa);
    vmm_cache_line_t *line = vmm_caches_lines(u, 0, ci);
    const unsigned way = step ? g->ways : vmm_caches_find(line, g->ways, pa >> vmm_caches_block_bits(g));
    if (way == g->ways || !vmm_caches_hit(u, &line[way], access)) return vmm_caches_run(u, va, pa, access, step);
    vmm_caches_touch(u, 0, vmm_caches_set(u, 0, ci), line, way, false);
    return 0;
}

VMM_OUTLINE unsigned vmm_caches_long(vmm_caches_t *c, vmm_vaddr_t va, vmm_paddr_t pa, unsigned access,
                                     vmm_cache_step_t *step)
{
    return vmm_caches_any(vmm_caches_parts(c), va, pa, access, step);
}

VMM_INLINE bool vmm_cache_geometry_bad(const vmm_cache_geometry_t *g, unsigned level)
{
    if (!VMM_IS_POWER(g->sets) || g->sets > VMM_MAX_CACHE_SETS || !VMM_IS_POWER(g->block) ||
        g->block > VMM_MAX_CACHE_BLOCK)
        return true;
    if (!g->ways || g->ways > VMM_MAX_CACHE_WAYS || g->policy > VMM_RANDOM) return true;
    if (g->policy == VMM_PLRU && (!VMM_IS_POWER(g->ways) || g->ways > 64)) return true;
    if (!g->virtual_index) return false;
    return level || g->page_shift > 63 || (g->page_shift && g->page_shift < vmm_caches_block_bits(g));
}
/** @endcond */

/** How many bytes the block of some caches takes.
 *  @param geometry  as vmm_caches_create will get it
 *  @param levels    likewise
 *  @param data      likewise
 *  @return bytes, or 0 when they are refused there. */
VMM_INLINE uint64_t vmm_caches_bytes(const vmm_cache_geometry_t *geometry, unsigned levels, bool data)
{
    uint64_t bytes = sizeof(vmm_caches_t);
    unsigned i;
    if (!geometry || !levels || levels > VMM_CACHE_LEVELS) return 0;
    for (i = 0; i < levels; i++) {
        if (vmm_cache_geometry_bad(&geometry[i], i) || (i && geometry[i].block < geometry[i - 1].block)) return 0;
        bytes += vmm_caches_level_bytes(&geometry[i], data);
    }
    return bytes;
}

/** Makes caches, all of them empty. O(bytes).
 *  @param block     memory for them, aligned to 8
 *  @param bytes     its size: vmm_caches_bytes(...) at least
 *  @param geometry  of each level, the one that accesses ask first; copied
 *  @param levels    how many, 1 to VMM_CACHE_LEVELS
 *  @param data      with room for contents
 *  @param caches    receives them: they are where block is
 *  @return VMM_OK; VMM_E_ARGUMENT: a null pointer, a geometry that breaks a rule of vmm_cache_geometry_t, a block that
 *          is too small; VMM_E_ALIGN: a block that is not aligned. Nothing was written then. */
VMM_OUTLINE vmm_status_t vmm_caches_create(void *block, uint64_t bytes, const vmm_cache_geometry_t *geometry,
                                           unsigned levels, bool data, vmm_caches_t **caches)
{
    const uint64_t need = vmm_caches_bytes(geometry, levels, data);
    vmm_caches_t *c = (vmm_caches_t *)block;
    unsigned i;
    if (!block || !caches || !need || bytes < need || need > SIZE_MAX) return VMM_E_ARGUMENT;
    if ((uintptr_t)block & 7) return VMM_E_ALIGN;
    VMM_SET(block, 0, (size_t)need);
    c->bytes = need;
    c->levels = levels;
    c->data = data;
    for (i = 0; i < levels; i++) {
        c->geometry[i] = geometry[i];
        c->random[i] = 0x9e3779b9u + i;
    }
    *caches = c;
    return VMM_OK;
}

/** Makes one access inside one block of level 0. O(1) when the line used last in its set has it, else O(ways) in each
 *  level.
 *  @param c       the caches
 *  @param va      virtual address; only a virtual index looks at it, and below its page_shift it must be as pa is
 *  @param pa      physical address
 *  @param access  enum vmm_access; a fetch is a read
 *  @param step    null, or room for all levels: what happened there
 *  @return the level that had the block, or how many levels there are: memory had it */
VMM_INLINE unsigned vmm_caches_access(vmm_caches_t *c, vmm_vaddr_t va, vmm_paddr_t pa, unsigned access,
                                      vmm_cache_step_t *step)
{
    if (VMM_LIKELY(!step && vmm_caches_quick(vmm_caches_parts(c), va, pa, access))) return 0;
    return vmm_caches_long(c, va, pa, access, step);
}

/** Makes an access of any length inside one page, a request for each block that it touches. O(blocks).
 *  @param c       the caches
 *  @param va      virtual address
 *  @param pa      physical address
 *  @param bytes   how many; 0: nothing is done, and level 0 had it
 *  @param access  enum vmm_access
 *  @return the farthest level that had a part of it, as vmm_caches_access says it */
VMM_INLINE unsigned vmm_caches_access_bytes(vmm_caches_t *c, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes,
                                            unsigned access)
{
    unsigned farthest = 0;
    while (bytes) {
        const uint64_t room = c->geometry[0].block - (pa & (c->geometry[0].block - 1u));
        const uint64_t piece = bytes < room ? bytes : room;
        const unsigned had = vmm_caches_access(c, va, pa, access, NULL);
        if (had > farthest) farthest = had;
        va += piece;
        pa += piece;
        bytes -= piece;
    }
    return farthest;
}

/** Says what an access would meet in each level, and changes nothing: CO, CI, CT, and in those that it would ask
 *  whether the block is there, in which way, and the byte. Each level is looked at as it is now: the access itself may
 *  first write a dirty victim of a nearer level, which can change what a farther one has. O(levels x ways).
 *  @param c     the caches
 *  @param va    virtual address
 *  @param pa    physical address
 *  @param step  room for all levels */
VMM_OUTLINE void vmm_caches_examine(const vmm_caches_t *c, vmm_vaddr_t va, vmm_paddr_t pa, vmm_cache_step_t *step)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    bool found = false;
    unsigned level;
    for (level = 0; level < u.levels; level++) {
        const vmm_cache_geometry_t *g = &u.geometry[level];
        vmm_cache_step_t *s = &step[level];
        unsigned way;
        vmm_caches_split(g, va, pa, s);
        if (found) continue;
        way = vmm_caches_find(vmm_caches_lines(u, level, s->ci), g->ways, pa >> vmm_caches_block_bits(g));
        s->asked = true;
        s->synonym = g->virtual_index && vmm_caches_synonym(u, s->ci, pa >> vmm_caches_block_bits(g));
        found = s->hit = way < g->ways;
        if (!found) continue;
        s->way = way;
        s->byte = (int16_t)vmm_caches_byte_of(u, level, s->ci, way, pa);
    }
}

/** Tells a byte that a level holds. O(ways).
 *  @param c      the caches
 *  @param level  which
 *  @param va     virtual address
 *  @param pa     physical address
 *  @return the byte, 0 to 255; -1: the level does not hold the block, or not its contents, or there is no such level */
VMM_OUTLINE int vmm_caches_byte(const vmm_caches_t *c, unsigned level, vmm_vaddr_t va, vmm_paddr_t pa)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    const vmm_cache_geometry_t *g = &u.geometry[level < u.levels ? level : 0];
    uint64_t ci;
    unsigned way;
    if (level >= u.levels) return -1;
    ci = vmm_caches_index(g, va, pa);
    way = vmm_caches_find(vmm_caches_lines(u, level, ci), g->ways, pa >> vmm_caches_block_bits(g));
    return way < g->ways ? vmm_caches_byte_of(u, level, ci, way, pa) : -1;
}

/** Puts a clean block into an invalid line, as an exercise sheet shows it. A block that is there already is used, and
 *  gets the contents. Counts nothing. O(ways).
 *  @param c      the caches
 *  @param level  which
 *  @param ci     set
 *  @param ct     tag
 *  @param bytes  contents, a block of this level; null: not known
 *  @return VMM_OK; VMM_E_ARGUMENT: no such level, or contents where there is no room for them; VMM_E_RANGE: no such
 *          set, or a tag that no address has; VMM_E_LIMIT: the set is full. Nothing was changed then. */
VMM_OUTLINE vmm_status_t vmm_caches_put(vmm_caches_t *c, unsigned level, uint64_t ci, uint64_t ct, const uint8_t *bytes)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    const vmm_cache_geometry_t *g = &u.geometry[level < u.levels ? level : 0];
    vmm_cache_line_t *line;
    unsigned tag_bit, way;
    uint64_t block;
    bool there;
    if (level >= u.levels || (bytes && !u.data)) return VMM_E_ARGUMENT;
    tag_bit = vmm_caches_tag_bit(g);
    if (ci >= g->sets || ct > vmm_low_mask(64 - tag_bit)) return VMM_E_RANGE;
    tag_bit -= vmm_caches_block_bits(g); /* in the block's number */
    block = ct << tag_bit | (ci & vmm_low_mask(tag_bit));
    line = vmm_caches_lines(u, level, ci);
    way = vmm_caches_find(line, g->ways, block);
    there = way < g->ways;
    if (!there) {
        for (way = 0; way < g->ways && line[way].stamp; way++) {}
        if (way == g->ways) return VMM_E_LIMIT;
        line[way].block = block;
    }
    vmm_caches_touch(u, level, vmm_caches_set(u, level, ci), line, way, !there);
    line[way].stamp = (line[way].stamp & ~VMM_LINE_KNOWN) | (bytes ? VMM_LINE_KNOWN : 0);
    if (bytes) VMM_COPY(vmm_caches_contents(u, level, ci, way), bytes, g->block);
    return VMM_OK;
}

/** What a level has counted; the caller may clear it.
 *  @param c      the caches
 *  @param level  which; the number of levels: memory
 *  @return its counters, or null: there is no such level */
VMM_INLINE vmm_cache_stats_t *vmm_caches_stats(vmm_caches_t *c, unsigned level)
{
    return level <= c->levels ? &c->stats[level] : NULL;
}

/** @cond internal */
/* Invalidates the lines of a set that hold blocks of a range, and with write_back writes dirty ones to the next level.
 * Returns how many were dirty. */
VMM_INLINE uint64_t vmm_caches_drop(vmm_caches_ref_t u, unsigned level, uint64_t ci, vmm_paddr_t first,
                                    vmm_paddr_t last, bool write_back)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    const unsigned bits = vmm_caches_block_bits(g);
    vmm_cache_line_t *line = vmm_caches_lines(u, level, ci);
    uint64_t dirty = 0;
    unsigned way;
    for (way = 0; way < g->ways; way++) {
        const vmm_paddr_t pa = line[way].block << bits;
        const bool had = (line[way].stamp & VMM_LINE_DIRTY) != 0;
        vmm_caches_work_t run;
        if (!line[way].stamp || line[way].block < first >> bits || line[way].block > last >> bits) continue;
        VMM_SET(&line[way], 0, sizeof line[way]);
        dirty += had;
        if (!had || !write_back) continue;
        u.caches->stats[level].writebacks++;
        VMM_SET(&run, 0, sizeof run);
        vmm_caches_ask(&run, level + 1, pa, g->block, true, false);
        while (run.waiting) vmm_caches_serve(u, &run, run.request[--run.waiting]);
    }
    return dirty;
}

/* Drops a range from every level, from the first on, so that what one writes back leaves the next one too; in a level
 * set by set, from that of the first block on. */
VMM_OUTLINE uint64_t vmm_caches_drop_range(vmm_caches_t *c, vmm_paddr_t pa, uint64_t bytes, bool write_back)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    const vmm_paddr_t first = bytes ? pa : 0, end = pa + bytes - 1, last = !bytes || end < pa ? ~UINT64_C(0) : end;
    uint64_t dirty = 0, i;
    unsigned level;
    for (level = 0; level < u.levels; level++) {
        const vmm_cache_geometry_t *g = &u.geometry[level];
        const unsigned bits = vmm_caches_block_bits(g);
        const uint64_t more = (last >> bits) - (first >> bits); /* blocks but one */
        const uint64_t sets = g->virtual_index || more >= g->sets ? g->sets : more + 1;
        for (i = 0; i < sets; i++)
            dirty += vmm_caches_drop(u, level, ((first >> bits) + i) & (g->sets - 1u), first, last, write_back);
    }
    return dirty;
}
/** @endcond */

/** Writes back and invalidates every block of a range of physical memory in all levels, from the first level on; each
 *  that is dirty is written to the next level, which drops it in its turn. O(sets x ways), or less for a short range.
 *  @param c      the caches
 *  @param pa     first byte; blocks that the range touches count as a whole
 *  @param bytes  how many; 0: all of memory, whatever pa is
 *  @return how many writes reached memory: blocks of the level that they come from */
VMM_INLINE uint64_t vmm_caches_flush(vmm_caches_t *c, vmm_paddr_t pa, uint64_t bytes)
{
    const uint64_t before = c->stats[c->levels].victim_writes;
    vmm_caches_drop_range(c, pa, bytes, true);
    return c->stats[c->levels].victim_writes - before;
}

/** Invalidates every block of a range of physical memory in all levels and writes nothing. O(sets x ways), or less for
 *  a short range.
 *  @param c      the caches
 *  @param pa     first byte; blocks that the range touches count as a whole
 *  @param bytes  how many; 0: all of memory, whatever pa is
 *  @return how many dirty lines were lost */
VMM_INLINE uint64_t vmm_caches_invalidate(vmm_caches_t *c, vmm_paddr_t pa, uint64_t bytes)
{
    return vmm_caches_drop_range(c, pa, bytes, false);
}

/** @cond internal */
/* A valid line: in its set, marked as its level may mark, stamped in the past, and unlike those after it. */
VMM_INLINE bool vmm_caches_line_check(vmm_caches_ref_t u, unsigned level, uint64_t ci, unsigned way)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    const vmm_cache_line_t *line = vmm_caches_lines(u, level, ci);
    const unsigned low = vmm_caches_tag_bit(g) - vmm_caches_block_bits(g);
    unsigned other;
    if (line[way].stamp < 4 || line[way].stamp >> 2 > u.caches->clock) return false;
    if ((line[way].block ^ ci) & vmm_low_mask(low)) return false;
    if ((line[way].stamp & VMM_LINE_DIRTY) && g->write_through) return false;
    if ((line[way].stamp & VMM_LINE_KNOWN) && !u.data) return false;
    for (other = way + 1; other < g->ways; other++) {
        if (!line[other].stamp) continue;
        if (line[other].block == line[way].block || line[other].stamp >> 2 == line[way].stamp >> 2) return false;
    }
    return true;
}

VMM_INLINE bool vmm_caches_set_check(vmm_caches_ref_t u, unsigned level, uint64_t ci)
{
    const vmm_cache_geometry_t *g = &u.geometry[level];
    const vmm_cache_set_t *set = vmm_caches_set(u, level, ci);
    const vmm_cache_line_t *line = vmm_caches_lines(u, level, ci);
    const bool tree = g->policy == VMM_PLRU;
    unsigned way;
    if (set->recent >= g->ways || set->spare) return false;
    if (set->tree & (tree ? ~(vmm_low_mask(g->ways) & ~UINT64_C(1)) : ~UINT64_C(0))) return false;
    for (way = 0; way < g->ways; way++) {
        if (!line[way].stamp && line[way].block) return false;
        if (line[way].stamp && !vmm_caches_line_check(u, level, ci, way)) return false;
        if (g->policy == VMM_LRU && line[set->recent].stamp && line[way].stamp > line[set->recent].stamp) return false;
    }
    return true;
}
/** @endcond */

/** Verifies the invariants: geometry; every block in its set and there once; stamps an order of use, and the line used
 *  last the newest of it (LRU); dirty lines with write-back alone. O(lines x ways).
 *  @param c  the caches
 *  @return whether all hold */
VMM_OUTLINE bool vmm_caches_check(const vmm_caches_t *c)
{
    const vmm_caches_ref_t u = vmm_caches_parts(c);
    unsigned level;
    uint64_t ci;
    if (!c->bytes || c->bytes != vmm_caches_bytes(c->geometry, c->levels, c->data != 0)) return false;
    for (level = 0; level < u.levels; level++)
        for (ci = 0; ci < u.geometry[level].sets; ci++)
            if (!vmm_caches_set_check(u, level, ci)) return false;
    return true;
}

/** @cond internal */
/* What a stamped cache keeps out of line: an access that the shortest way did not do. */
typedef unsigned (*vmm_caches_away_t)(vmm_caches_t *caches, vmm_paddr_t pa, unsigned access, vmm_cache_step_t *step);

VMM_INLINE bool vmm_caches_stamped(vmm_caches_ref_t u, vmm_paddr_t pa, unsigned access, vmm_cache_step_t *step,
                                   vmm_caches_away_t away)
{
    if (VMM_LIKELY(!step && vmm_caches_quick(u, pa, pa, access))) return true;
    return away(u.caches, pa, access, step) == 0;
}

#define VMM_CACHE_STAMP(NAME, sets, ways, block, policy, write_through, no_write_allocate)                             \
    VMM_STATIC_ASSERT(VMM_IS_POWER(sets) && (sets) <= VMM_MAX_CACHE_SETS, "cache sets must be a power of two");        \
    VMM_STATIC_ASSERT((ways) >= 1 && (ways) <= VMM_MAX_CACHE_WAYS, "a cache set has 1 to 65536 ways");                 \
    VMM_STATIC_ASSERT(VMM_IS_POWER(block) && (block) <= VMM_MAX_CACHE_BLOCK, "a cache block must be a power of two");  \
    VMM_STATIC_ASSERT((policy) != VMM_PLRU || (VMM_IS_POWER(ways) && (ways) <= 64),                                    \
                      "pseudo-LRU needs a power of two of ways, at most 64");                                          \
    VMM_STATIC_ASSERT((policy) >= 0 && (policy) <= VMM_RANDOM, "a cache's policy is one of enum vmm_policy");          \
    typedef struct __attribute__((aligned(8))) NAME##_cache {                                                          \
        vmm_caches_t caches;                                                                                           \
        vmm_cache_set_t set[sets];                                                                                     \
        vmm_cache_line_t line[(size_t)(sets) * (ways)];                                                                \
        uint8_t contents[((size_t)(sets) * (ways) * (block) + 7) / 8 * 8];                                             \
    } NAME##_cache_t;                                                                                                  \
    VMM_STATIC_ASSERT(offsetof(NAME##_cache_t, set) == sizeof(vmm_caches_t) &&                                         \
                          offsetof(NAME##_cache_t, line) == sizeof(vmm_caches_t) + (sets) * sizeof(vmm_cache_set_t),   \
                      "a stamped cache lies as vmm_caches_create lays it");                                            \
    VMM_UNUSED static const vmm_cache_geometry_t NAME##_geometry = {                                                   \
        sets, ways, block, policy, write_through, no_write_allocate, false, 0};                                        \
    VMM_INLINE vmm_caches_ref_t NAME##_parts(vmm_caches_t *caches_)                                                    \
    {                                                                                                                  \
        const vmm_caches_ref_t parts_ = {&NAME##_geometry, 1, true, caches_};                                          \
        return parts_;                                                                                                 \
    }                                                                                                                  \
    VMM_INLINE void NAME##_init(NAME##_cache_t *cache_)                                                                \
    {                                                                                                                  \
        vmm_caches_t *caches_;                                                                                         \
        (void)vmm_caches_create(cache_, sizeof *cache_, &NAME##_geometry, 1, true, &caches_);                          \
    }                                                                                                                  \
    VMM_OUTLINE unsigned NAME##_long(vmm_caches_t *caches_, vmm_paddr_t pa_, unsigned access_,                         \
                                     vmm_cache_step_t *step_)                                                          \
    {                                                                                                                  \
        return vmm_caches_any(NAME##_parts(caches_), pa_, pa_, access_, step_);                                        \
    }                                                                                                                  \
    VMM_INLINE bool NAME##_access(NAME##_cache_t *cache_, vmm_paddr_t pa_, unsigned access_, vmm_cache_step_t *step_)  \
    {                                                                                                                  \
        return vmm_caches_stamped(NAME##_parts(&cache_->caches), pa_, access_, step_, NAME##_long);                    \
    }
/** @endcond */

/** Stamps one physically addressed cache whose geometry is known when the program is compiled: NAME_cache_t, NAME_init
 *  and NAME_access. Its member `caches` goes to every other function of this section. With contents.
 *  `VMM_CACHE(l1, 16, 1, 4, VMM_LRU, false, false)`
 *  @param NAME               of the type and functions
 *  @param sets               as in vmm_cache_geometry_t, like all that follow; constants
 *  @param ways               likewise
 *  @param block              bytes
 *  @param policy             enum vmm_policy
 *  @param write_through      else write-back
 *  @param no_write_allocate  else a write that misses gets a line */
#define VMM_CACHE(NAME, sets, ways, block, policy, write_through, no_write_allocate)                                   \
    VMM_CACHE_STAMP(NAME, sets, ways, block, policy, write_through, no_write_allocate)

#ifdef VMM_DOXYGEN
/** Empties a stamped cache and clears its counters: before the first use.
 *  @param cache  the cache */
void NAME_init(NAME_cache_t *cache);

/** One access inside one block, as vmm_caches_access.
 *  @param cache   the cache
 *  @param pa      physical address
 *  @param access  enum vmm_access
 *  @param step    null, or receives what happened
 *  @return whether it hit */
bool NAME_access(NAME_cache_t *cache, vmm_paddr_t pa, unsigned access, vmm_cache_step_t *step);
#endif

/* -- costs -- */

/** What things take, in cycles, or in whatever unit an exercise counts. Times of the levels add up, as in "hit time +
 *  miss rate x miss penalty" of the textbooks: what the last level has takes the time of all. */
typedef struct vmm_costs {
    uint32_t tlb_hit;                     /**< A lookup in the TLB, whether it hits or not. */
    uint32_t walk_step;                   /**< Reading one entry of a page table. */
    uint32_t cache_hit[VMM_CACHE_LEVELS]; /**< Looking into this level of cache, whether it hits or not. */
    uint32_t dram;                        /**< Memory, after every cache was asked. */
    uint64_t minor_fault;                 /**< A fault, without the transfers that it waits for. */
    uint64_t disk_read;                   /**< A page from disk. */
    uint64_t disk_write;                  /**< A page to disk. */
} vmm_costs_t;

/** Typical values, in cycles. With three levels of cache they add up to 4, 10, 50 and 200 for memory, as in Bryant and
 *  O'Hallaron's table of the memory hierarchy (3rd edition, chapter 6), whose local disk takes 10 million; a fourth
 *  level is rare. A TLB lookup of 1, and walks of 40 at four levels, lie in Patterson and Hennessy's ranges (0.5 to 1;
 *  10 to 100). A minor fault takes about what it does in Linux on current processors. @hideinitializer */
VMM_UNUSED static const vmm_costs_t vmm_costs_default = {1, 10, {4, 6, 40, 30}, 150, 1000, 10000000, 10000000};

/** How often things happened, to be multiplied. */
typedef struct vmm_cost_counts {
    uint64_t tlb_lookups;                     /**< Hits and misses. */
    uint64_t walk_steps;                      /**< Entries read. */
    uint64_t cache_lookups[VMM_CACHE_LEVELS]; /**< Hits and misses of each level. */
    uint64_t dram;                            /**< Accesses that memory had. */
    uint64_t faults;                          /**< All faults. */
    uint64_t disk_reads;                      /**< Pages read. */
    uint64_t disk_writes;                     /**< Pages written. */
} vmm_cost_counts_t;

/** A part of a whole. Invariant: part <= whole, whole > 0. */
typedef struct vmm_ratio {
    uint64_t part;  /**< As many ... */
    uint64_t whole; /**< ... of so many. */
} vmm_ratio_t;

/** What one access costs that does not fault.
 *  @param costs         the prices
 *  @param tlb           a TLB was asked; on a miss too
 *  @param walk_steps    entries that the walk read; 0 on a hit
 *  @param cache_level   what vmm_caches_access returned
 *  @param cache_levels  how many levels there are, up to VMM_CACHE_LEVELS; 0: no cache
 *  @return cycles */
VMM_INLINE uint64_t vmm_cost_access(const vmm_costs_t *costs, bool tlb, unsigned walk_steps, unsigned cache_level,
                                    unsigned cache_levels)
{
    uint64_t cycles = (tlb ? costs->tlb_hit : 0) + (uint64_t)walk_steps * costs->walk_step;
    unsigned i;
    VMM_ASSERT(cache_levels <= VMM_CACHE_LEVELS);
    for (i = 0; i < cache_levels && i <= cache_level; i++) cycles += costs->cache_hit[i];
    return cycles + (cache_level >= cache_levels ? costs->dram : 0);
}

/** What a fault costs on top of the access.
 *  @param costs   the prices
 *  @param reads   pages read from disk for it; 0: a minor fault
 *  @param writes  pages written to make room
 *  @return cycles */
VMM_INLINE uint64_t vmm_cost_fault(const vmm_costs_t *costs, unsigned reads, unsigned writes)
{
    return costs->minor_fault + reads * costs->disk_read + writes * costs->disk_write;
}

/** What many accesses cost together: the sum of vmm_cost_access and vmm_cost_fault over them.
 *  @param costs   the prices
 *  @param counts  how often
 *  @return cycles, modulo 2^64 */
VMM_INLINE uint64_t vmm_cost_total(const vmm_costs_t *costs, const vmm_cost_counts_t *counts)
{
    uint64_t cycles = counts->tlb_lookups * costs->tlb_hit + counts->walk_steps * costs->walk_step +
                      counts->dram * costs->dram + counts->faults * costs->minor_fault +
                      counts->disk_reads * costs->disk_read + counts->disk_writes * costs->disk_write;
    unsigned i;
    for (i = 0; i < VMM_CACHE_LEVELS; i++) cycles += counts->cache_lookups[i] * costs->cache_hit[i];
    return cycles;
}

/** A part of a value: value x part / whole, rounded to the nearest, exact whatever the width. O(1).
 *  @param value  anything
 *  @param ratio  the part; it must hold its invariant
 *  @return the part of it, at most value */
VMM_OUTLINE uint64_t vmm_scale(uint64_t value, vmm_ratio_t ratio)
{
    uint64_t quotient = 0, rest = 0;
    unsigned bit;
    VMM_ASSERT(ratio.whole && ratio.part <= ratio.whole);
    for (bit = 64; bit-- > 0;) { /* long division of the 128-bit product, a bit of value at a time */
        const bool twice = rest >= ratio.whole - rest;
        quotient = quotient << 1 | twice;
        rest = twice ? rest - (ratio.whole - rest) : rest << 1;
        if (!(value >> bit & 1)) continue;
        quotient += rest >= ratio.whole - ratio.part;
        rest = rest >= ratio.whole - ratio.part ? rest - (ratio.whole - ratio.part) : rest + ratio.part;
    }
    return quotient + (rest >= ratio.whole - rest);
}

/** Effective access time, computed: (1 - p) x hit + p x miss, the textbooks' formula for a TLB, a cache and demand
 *  paging alike. Nest it for several levels. O(1).
 *  @param hit   time of an access that has what it needs, in thousandths of the unit
 *  @param miss  time of one that does not, all of it, in thousandths
 *  @param p     share of those that do not
 *  @return thousandths, rounded to the nearest */
VMM_INLINE uint64_t vmm_effective_time(uint64_t hit, uint64_t miss, vmm_ratio_t p)
{
    return miss >= hit ? hit + vmm_scale(miss - hit, p) : hit - vmm_scale(hit - miss, p);
}

/** Effective access time, measured.
 *  @param cycles    that the accesses took together
 *  @param accesses  how many
 *  @return thousandths of a cycle for each, rounded to the nearest; 0 of no access */
VMM_INLINE uint64_t vmm_effective_time_measured(uint64_t cycles, uint64_t accesses)
{
    vmm_ratio_t rest;
    if (!accesses) return 0;
    rest.part = cycles % accesses;
    rest.whole = accesses;
    return cycles / accesses * 1000 + vmm_scale(1000, rest);
}

/** Shares that the effective access time of a whole memory system is computed from. */
typedef struct vmm_rates {
    vmm_ratio_t tlb_miss;  /**< Of all lookups in the TLB; whole 0: there is no TLB. */
    uint32_t walk_steps;   /**< Entries that a walk reads; without a TLB, at every access. */
    uint32_t cache_levels; /**< How many levels of cache there are, up to VMM_CACHE_LEVELS. */
    vmm_ratio_t
        cache_miss[VMM_CACHE_LEVELS]; /**< Of the lookups in this level (the local miss rate); whole 0: never asked. */
    vmm_ratio_t fault;                /**< Accesses that fault, of all; whole 0: none, as in the two below. */
    vmm_ratio_t disk_read;            /**< Accesses that wait for a page to be read, of all. */
    vmm_ratio_t disk_write;           /**< Accesses that wait for a page to be written, of all. */
} vmm_rates_t;

/** @cond internal */
VMM_INLINE uint64_t vmm_share(uint64_t value, vmm_ratio_t ratio)
{
    return ratio.whole ? vmm_scale(value, ratio) : 0;
}
/** @endcond */

/** Effective access time of a memory system, computed from its prices and rates: lookups in the TLB, walks, caches from
 *  the first to memory, faults. O(cache levels).
 *  @param costs  the prices, each below 2^54
 *  @param rates  how often
 *  @return thousandths of a cycle; each of the rates adds an error of at most half a thousandth */
VMM_OUTLINE uint64_t vmm_effective_time_of(const vmm_costs_t *costs, const vmm_rates_t *rates)
{
    const uint64_t walk = UINT64_C(1000) * rates->walk_steps * costs->walk_step;
    uint64_t time = UINT64_C(1000) * costs->dram;
    unsigned i;
    VMM_ASSERT(rates->cache_levels <= VMM_CACHE_LEVELS);
    for (i = rates->cache_levels; i-- > 0;)
        time = UINT64_C(1000) * costs->cache_hit[i] + vmm_share(time, rates->cache_miss[i]);
    if (rates->tlb_miss.whole) time += UINT64_C(1000) * costs->tlb_hit + vmm_scale(walk, rates->tlb_miss);
    else time += walk;
    return time + vmm_share(1000 * costs->minor_fault, rates->fault) +
           vmm_share(1000 * costs->disk_read, rates->disk_read) +
           vmm_share(1000 * costs->disk_write, rates->disk_write);
}

#if VMM_STDIO
#include <stdio.h>

/** Prints what an access met in each level that it asked, a line for each, like those of vmm_print_examination.
 *  @param out      where to
 *  @param c        the caches
 *  @param step     of vmm_caches_access or vmm_caches_examine
 *  @param pa_bits  width of a physical address: how many digits CT gets. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_caches(FILE *out, const vmm_caches_t *c, const vmm_cache_step_t *step, unsigned pa_bits);
#endif
/** @} */

/* ============================================================= Part II  9. machine == */
/** @defgroup vmm_machine 9. Machine
 *  What an operating system keeps of physical memory: a record of each frame, the tables of each space, and the
 *  memory in which all records lie.
 *
 *  A machine is one block of memory that the caller gives. It begins with vmm_machine_t and holds every record:
 *  frames, spaces, areas, objects, slots of swap. Inside it everything is a number (0 is none) or an offset, so a
 *  copy of block and RAM is a snapshot of all of it. Frames themselves come from the buddy of vmm_alloc.h.
 *
 *  One thread at a time for a machine; several processors may run its spaces meanwhile, each through an MMU that
 *  was attached.
 *
 *  | word | meaning |
 *  |---|---|
 *  | space | an address space: areas, tables, counters; what runs in it is the program's affair |
 *  | area | a stretch of a space with one protection and one source of content |
 *  | object | what areas show: a file, or shared memory |
 *  | anonymous | content that no object has: zero at first, copied on a write after a fork |
 *  | kin | spaces that come from one another by fork, and may share anonymous frames |
 *  | minor, major fault | served without, with reading from a device |
 *  | resident | in a frame; the resident set is what replacement chooses from |
 *  | slot | a page's place in a swap area |
 *  @{ */

/** 1: each step is told to the machine's event hook; 0: no code for it. */
#ifndef VMM_EVENTS
#define VMM_EVENTS 0
#endif

/** Most processors that may be attached. */
#define VMM_MACHINE_CPUS 16
/** Most swap areas. */
#define VMM_SWAP_AREAS 8
/** Lists that a replacement policy has for its frames. */
#define VMM_RESIDENT_LISTS 4

typedef struct vmm_machine vmm_machine_t;
typedef struct vmm_space vmm_space_t;
typedef struct vmm_resident vmm_resident_t;

/** What an event tells. The numbers in brackets are the steps of the textbooks' page fault. */
typedef enum vmm_event_kind {
    VMM_EVENT_ACCESS = 0, /**< [1] The processor asked for vaddr; detail: enum vmm_access. */
    VMM_EVENT_WALK,       /**< [2] An entry was fetched from paddr ... */
    VMM_EVENT_ENTRY,      /**< [3] ... and it was this; detail: the entry. */
    VMM_EVENT_FAULT,      /**< [4] It does not serve, the fault handler runs; detail: enum vmm_page_state. */
    VMM_EVENT_AREA,       /**< The address lies in an area; detail: its number. */
    VMM_EVENT_NO_AREA,    /**< The address lies in none: segmentation fault. */
    VMM_EVENT_NO_RIGHT,   /**< The area does not allow the access: protection fault. */
    VMM_EVENT_BEYOND,     /**< The page lies behind the end of its file: bus error. */
    VMM_EVENT_FRAME,      /**< A frame was taken from the free ones; paddr. */
    VMM_EVENT_VICTIM,     /**< [5] A frame was chosen to be taken from others; paddr. */
    VMM_EVENT_SWAP_OUT,   /**< [5] Its page was written to a slot; paddr, detail: slot. */
    VMM_EVENT_WRITE,      /**< [5] A page was written to its file; paddr, detail: page number in the object. */
    VMM_EVENT_DROP,       /**< [5] A clean page was dropped; paddr. */
    VMM_EVENT_ZERO,       /**< [6] The frame was filled with zeros; paddr. */
    VMM_EVENT_READ,       /**< [6] A page was read from its file; paddr, detail: page number in the object. */
    VMM_EVENT_SWAP_IN,    /**< [6] A page was read from a slot; paddr, detail: slot. */
    VMM_EVENT_COPY,       /**< [6] A page was copied because it is shared; paddr of the copy. */
    VMM_EVENT_REUSE,      /**< [6] Its last owner writes it: no copy; paddr. */
    VMM_EVENT_MAP,        /**< [6] The entry was written; vaddr, paddr, detail: the entry. */
    VMM_EVENT_RETRY,      /**< [7] The instruction runs again; detail: 1 minor, 2 major, 0 neither. */
    VMM_EVENT_SIGNAL,     /**< The space got a signal; detail: its number. */
    VMM_EVENT_CREATE,     /**< A space was made. */
    VMM_EVENT_FORK,       /**< A space was forked; detail: the child's number. */
    VMM_EVENT_EXEC,       /**< A space runs another program. */
    VMM_EVENT_EXIT,       /**< A space was taken down. */
    VMM_EVENT_SWITCH,     /**< A processor runs a space; detail: the ASID. */
    VMM_EVENT_FLUSH,      /**< Translations were forgotten; vaddr, detail: bytes, 0 for all. */
    VMM_EVENT_MMAP,       /**< A stretch was mapped; vaddr, detail: bytes. */
    VMM_EVENT_MUNMAP,     /**< A stretch was unmapped; vaddr, detail: bytes. */
    VMM_EVENT_BREAK,      /**< The program break moved; vaddr. */
    VMM_EVENT_RECLAIM,    /**< Frames ran short; detail: how many are free. */
    VMM_EVENT_KILL,       /**< Memory ran out and a space was chosen; detail: its badness. */
    VMM_EVENT_HUGE,       /**< A huge page was made; vaddr, paddr. */
    VMM_EVENT_SPLIT,      /**< A huge page was split; vaddr. */
    VMM_EVENT_MERGE,      /**< A page was merged with one of the same content; vaddr, paddr of the one that stays. */
    VMM_EVENT_TLB_HIT,    /**< The TLB held the page; vaddr, paddr, detail: set. These four: vmm_tell_access. */
    VMM_EVENT_TLB_MISS,   /**< It did not; vaddr, detail: set. */
    VMM_EVENT_CACHE_HIT,  /**< A data cache held the block; paddr, detail: its level, from 1. */
    VMM_EVENT_CACHE_MISS, /**< It did not; paddr, detail: its level. */
    VMM_EVENT_KINDS       /**< How many there are. */
} vmm_event_kind_t;

/** One step of what the machine does. */
typedef struct vmm_event {
    uint32_t kind;     /**< vmm_event_kind_t. */
    uint32_t space;    /**< Number of the space concerned; 0: none. */
    vmm_vaddr_t vaddr; /**< Virtual address, where there is one. */
    vmm_paddr_t paddr; /**< Physical address, where there is one. */
    uint64_t detail;   /**< As the kind says. */
} vmm_event_t;

/** The textbooks' three sets of pages. */
typedef enum vmm_page_state {
    VMM_PAGE_UNALLOCATED = 0, /**< No area holds it. */
    VMM_PAGE_UNCACHED = 1,    /**< An area holds it, no frame does. */
    VMM_PAGE_CACHED = 2       /**< It is in a frame. */
} vmm_page_state_t;

/** Signals, with Linux's numbers. */
enum vmm_signal {
    VMM_SIGBUS = 7,  /**< No content: behind the end of the file, or it could not be read. */
    VMM_SIGKILL = 9, /**< Memory ran out and this space was chosen. */
    VMM_SIGSEGV = 11 /**< No area, or no right. */
};

/** si_code of signals, with Linux's numbers. */
enum vmm_signal_code {
    VMM_SEGV_MAPERR = 1, /**< No area holds the address. */
    VMM_SEGV_ACCERR = 2, /**< The area does not allow the access. */
    VMM_BUS_ADRERR = 2   /**< Nothing is there to be mapped. */
};

/** Why a fault could not be served. */
typedef struct vmm_siginfo {
    uint8_t number;      /**< enum vmm_signal; 0: none yet. */
    uint8_t code;        /**< enum vmm_signal_code. */
    uint8_t status;      /**< vmm_status_t behind it: VMM_E_IO, VMM_E_NO_FRAME ... */
    uint8_t access;      /**< enum vmm_access. */
    vmm_vaddr_t address; /**< What was accessed. */
} vmm_siginfo_t;

/** What frames hold. */
enum vmm_frame_kind {
    VMM_FRAME_FREE = 0,  /**< Nothing: it is the buddy's. */
    VMM_FRAME_FIXED = 1, /**< Nothing of ours: the program took it, or it was reserved. */
    VMM_FRAME_TABLE = 2, /**< A page table; mappings counts its entries, owner is the space. */
    VMM_FRAME_ANON = 3,  /**< A page of kin, its owner; index is the page number it was made under. */
    VMM_FRAME_CACHE = 4, /**< A page of an object; index is its number there. */
    /** An anonymous page that several share because its content is the same; owner is its checksum, next and
     *  previous chain those of like checksums. */
    VMM_FRAME_MERGED = 5
};

/** Marks of a frame. */
enum vmm_frame_flag {
    VMM_FRAME_DIRTY = 1 << 0,      /**< Differs from its slot or file, apart from the dirty bits of entries. */
    VMM_FRAME_REFERENCED = 1 << 1, /**< Was used, apart from the accessed bits of entries. */
    VMM_FRAME_SWAP = 1 << 2,       /**< Has a slot too: index is that slot, whose record has owner and index. */
    VMM_FRAME_BUSY = 1 << 3,       /**< Under way: not to be taken. */
    VMM_FRAME_LOCKED = 1 << 4,     /**< An area that maps it is locked: in no list of replacement. */
    VMM_FRAME_LAZY = 1 << 5,       /**< May be dropped while it stays clean (MADV_FREE). */
    VMM_FRAME_PINNED = 1 << 6,     /**< Taken by vmm_pin: stays where it is. */
    VMM_FRAME_EXCLUSIVE = 1 << 7   /**< Anonymous, and no fork shared it since it was last written. */
};

/** The record of one frame. With the 9 bytes of the buddy and the age it is 30 bytes a frame; 32 with local
 *  replacement, and 4 more for each word that the policy asks for. */
typedef struct vmm_frame {
    uint32_t next;     /**< Neighbours in the list of its policy, by frame number; VMM_NO_FRAME: none. */
    uint32_t previous; /**< The other one. */
    uint32_t owner;    /**< As its kind says. */
    uint32_t index;    /**< As its kind says. */
    uint16_t mappings; /**< Entries that map it, of all spaces. */
    uint8_t flags;     /**< enum vmm_frame_flag. */
    uint8_t kind; /**< Low half: enum vmm_frame_kind. High half: number of its list in the set, plus 1; 0: in none. */
} vmm_frame_t;

/** Records of one size in the block. Numbers begin at 1; a free one holds the number of the next. */
typedef struct vmm_pool {
    uint64_t offset; /**< Of record 1, from the machine; bytes. */
    uint32_t bytes;  /**< Of a record. */
    uint32_t count;  /**< How many there are. */
    uint32_t used;   /**< How many are taken. */
    uint32_t first;  /**< The first free one that was taken before; 0: none. */
    uint32_t fresh;  /**< How many were ever taken. */
} vmm_pool_t;

/** What a processor needs to run spaces; NAME_attach fills it for an MMU that VMM_MMU made, a kernel on a real one
 *  writes its own: install writes the root register, the others are its fences. */
typedef struct vmm_cpu {
    void (*install)(void *mmu, vmm_paddr_t root, uint16_t asid); /**< Runs a tree of tables from now on. */
    void (*flush)(void *mmu, const vmm_flush_t *what);           /**< Forgets, in every space. */
    void (*flush_all)(void *mmu);                                /**< Forgets everything. */
    void *mmu;                                                   /**< Passed to all. */
    uint32_t space;                                              /**< The space that runs; 0: none. */
    uint32_t number;                                             /**< Which processor of its machine. */
    uint32_t generation;                                         /**< Of the ASIDs that it may remember. */
} vmm_cpu_t;

/** A replacement policy: how a resident set chooses what to give up. All functions are told frame numbers. The set's
 *  lists and counters, the age and the words of each frame (0 when it enters) are the policy's to use as it likes. */
typedef struct vmm_replacement {
    const char *name; /**< What people call it. */
    /** A page came into a frame. */
    void (*enter)(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame);
    /** The page left it, or may not be taken any more; it is in one of the lists, and to be unlinked. */
    void (*leave)(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame);
    /** A frame to take, of those that vmm_frame_takeable allows; it stays in its list until leave is called.
     *  VMM_NO_FRAME: none. */
    uint32_t (*victim)(vmm_machine_t *m, vmm_resident_t *set);
    /** The page in a frame was used: told on a minor fault and by vmm_touch. Null: not needed. */
    void (*touch)(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame);
    /** Time passes: once for each options.tick faults, and by vmm_background. Null: not needed. */
    void (*tick)(vmm_machine_t *m, vmm_resident_t *set);
    bool ghosts;   /**< It remembers pages that left: memory for options.ghosts of them. */
    uint8_t words; /**< How many words of 32 bits it has for each frame, and for each ghost. */
    /** A frame whose page the policy wants to be without though frames are free, of those that vmm_frame_takeable
     *  allows; it stays in its list until leave is called. VMM_NO_FRAME: none. Asked after each tick until there is
     *  none, or VMM_LATEST frames are left. Null: it never wants that. */
    uint32_t (*surplus)(vmm_machine_t *m, vmm_resident_t *set);
} vmm_replacement_t;

/** A list of frames, linked through their records. */
typedef struct vmm_list {
    uint32_t first; /**< Newest, by the custom of our policies; VMM_NO_FRAME: none. */
    uint32_t last;  /**< Oldest. */
    uint32_t count; /**< How many. */
} vmm_list_t;

/** A resident set: all frames that can be taken, or those of one space. */
struct vmm_resident {
    const vmm_replacement_t *policy;     /**< Who chooses. */
    vmm_list_t list[VMM_RESIDENT_LISTS]; /**< Its frames. */
    uint32_t number;                     /**< 0: the machine's; else of the space whose set it is. */
    uint32_t hand;                       /**< A frame, where a policy keeps one. */
    uint32_t word[4];                    /**< A policy's own. */
    uint32_t most;                       /**< Most frames that it may have; 0: no bound. */
};

/** A swap area: a device with slots of one page. */
typedef struct vmm_swap_area {
    /** Writes a page of the machine's page size to a slot; not 0: it failed, nothing is known of the slot. */
    int (*write_slot)(void *user, uint32_t slot, const void *page);
    /** Reads it back; not 0: it failed. */
    int (*read_slot)(void *user, uint32_t slot, void *page);
    void *user;       /**< Passed to both. */
    uint32_t slots;   /**< How many it has. */
    int32_t priority; /**< Higher ones are filled first; equal ones in turn. */
} vmm_swap_area_t;

/** A slot's record. */
typedef struct vmm_slot {
    uint32_t frame; /**< The frame that holds the same page (swap cache), or VMM_NO_FRAME. */
    uint32_t owner; /**< Of the page, as in its frame's record. */
    uint32_t index; /**< Likewise. */
    uint16_t count; /**< Entries, and pages of objects, that stand for it. 0: free. */
    uint8_t kind;   /**< enum vmm_frame_kind of the page. */
    uint8_t spare;  /**< 0. */
} vmm_slot_t;

/** A swap area in use. */
typedef struct vmm_swap_in_use {
    vmm_swap_area_t area; /**< As given. */
    uint32_t first;       /**< Number of its slot 0 among all slots. */
    uint32_t used;        /**< Slots taken. */
    uint32_t hand;        /**< Where to look next. */
} vmm_swap_t;

/** Where a space's parts lie: all addresses in bytes. */
typedef struct vmm_layout {
    const char *name;      /**< What people call it. */
    vmm_vaddr_t lowest;    /**< Nothing is mapped below. */
    vmm_vaddr_t top;       /**< First address that is not the user's. */
    vmm_vaddr_t text;      /**< Where programs without addresses of their own begin. */
    vmm_vaddr_t mmap_low;  /**< Mappings without a wish: from here ... */
    vmm_vaddr_t mmap_high; /**< ... to here. */
    vmm_vaddr_t stack_top; /**< Where the first stack ends. */
    vmm_vaddr_t direct;    /**< Where the kernel sees RAM address 0 of the window; 0: no kernel half. */
    uint64_t stack_limit;  /**< Most bytes of a stack that grows. */
    uint32_t guard_pages;  /**< Pages kept free below a stack that grows. */
    bool bottom_up;        /**< Mappings without a wish go to the lowest gap, else to the highest. */
} vmm_layout_t;

/* clang-format off */
/* Columns: name; lowest; top; text; mappings from, to; stack top; direct map; stack limit; guard pages; bottom up. */
/** 32 bits as Linux has them on i386: 3 GiB for the user, text at 0x08048000, stack below 0xc0000000, mappings below
 *  it; the kernel maps RAM from 3 GiB on, 1 GiB at most. */
static const vmm_layout_t vmm_layout_32 VMM_UNUSED = {
    "3G/1G", 0x10000, 0xc0000000, 0x08048000, 0x40000000, 0xb8000000, 0xc0000000, 0xc0000000, 8 << 20, 256, false};

/** RISC-V Sv39 as Linux has it: 256 GiB for the user. */
static const vmm_layout_t vmm_layout_39 VMM_UNUSED = {
    "39 bits", 0x10000, 0x4000000000, 0x10000, 0x1555556000, 0x3ff8000000, 0x4000000000, 0xffffffd600000000, 8 << 20,
    256, false};

/** 48 bits, canonical: the user below 2^47, as Linux has it on x86-64. */
static const vmm_layout_t vmm_layout_48 VMM_UNUSED = {
    "48 bits", 0x10000, 0x7ffffffff000, 0x400000, 0x2aaaaaaaa000, 0x7ffff7fff000, 0x7ffffffff000, 0xffff888000000000,
    8 << 20, 256, false};
/* clang-format on */

/** The layout for an address space of so many bits.
 *  @return one of the above, or null below 32 bits. */
VMM_INLINE const vmm_layout_t *vmm_layout_of(const vmm_paging_t *paging)
{
    if (paging->vaddr_bits < 32) return NULL;
    if (paging->vaddr_bits < 39) return &vmm_layout_32;
    return paging->vaddr_bits < 48 ? &vmm_layout_39 : &vmm_layout_48;
}

/** When huge pages are made without being asked for. */
enum vmm_huge_use {
    VMM_HUGE_NEVER = 0,   /**< Never. */
    VMM_HUGE_ADVISED = 1, /**< In areas of MADV_HUGEPAGE. */
    VMM_HUGE_ALWAYS = 2   /**< In all but those of MADV_NOHUGEPAGE. */
};

/** What promises of memory are accepted, with Linux's numbers. */
enum vmm_overcommit {
    VMM_OVERCOMMIT_GUESS = 0,  /**< All but a single one of more than RAM and swap together. */
    VMM_OVERCOMMIT_ALWAYS = 1, /**< All. */
    VMM_OVERCOMMIT_NEVER = 2   /**< As long as all together fit swap and overcommit_ratio percent of RAM. */
};

/** How a machine is made. Zero is the default of every field but the first two. */
typedef struct vmm_machine_options {
    const vmm_memory_t *memory;           /**< RAM; copied. All of its frames are the machine's. */
    const vmm_paging_t *paging;           /**< The format of every space: generic, RISC-V or x86. */
    const vmm_layout_t *layout;           /**< Where parts lie; null: vmm_layout_of(paging). */
    const vmm_replacement_t *replacement; /**< Default: vmm_replace_two_lists. */
    bool local;                           /**< A resident set for each space, not one for all. */
    uint8_t overcommit;                   /**< enum vmm_overcommit. */
    uint8_t overcommit_ratio;             /**< Percent of RAM that may be promised, with NEVER; default 50. */
    uint8_t asid_bits;                    /**< Width of an ASID; 0: switching flushes. */
    uint8_t huge;                         /**< enum vmm_huge_use. */
    bool eager_flush_off;                 /**< To show what happens: victims stay in TLBs. */
    bool merging;                         /**< MADV_MERGEABLE is known, and vmm_merge_scan merges. */
    uint32_t spaces;                      /**< Most at a time; default 64. */
    uint32_t areas;                       /**< Most of all spaces; default 64 x spaces. */
    uint32_t areas_of_space;              /**< Most of one; default 65530, Linux's. */
    uint32_t objects;                     /**< Most at a time; default 64. */
    uint32_t nodes;          /**< For the pages of objects, 16 a node; default: frames / 8 + 4 x objects. */
    uint32_t slots;          /**< Most of all swap areas together. */
    uint32_t ghosts;         /**< Pages remembered after they left (2Q, ARC, LIRS, S3-FIFO); default: frames. */
    uint32_t window;         /**< Of the working set, uses; of page-fault frequency, the threshold; default 10000. */
    uint32_t watermark_min;  /**< Frames that only reclaim itself may use; default frames / 64, 4 at least. */
    uint32_t watermark_low;  /**< Below this vmm_background has work; default 5/4 of min. */
    uint32_t watermark_high; /**< It works up to this; default 3/2 of min. */
    uint32_t fault_around;   /**< Pages of a file mapped with the one that faulted, if cached; power of two. */
    uint32_t read_ahead;     /**< Pages of a file read with the one that faulted; power of two. */
    uint32_t swap_cluster;   /**< Slots read together; power of two. */
    uint32_t tick;           /**< Faults between two ticks of the policy; default 64. */
    void (*event)(void *user, const vmm_event_t *event); /**< Told every step, if VMM_EVENTS; null: nobody listens. */
    /** Memory ran out and this one is the worst: may it be killed? No: who asked gets an error. Null: yes. */
    bool (*kill)(void *user, vmm_space_t *space);
    /** Frames fell below low: vmm_background is due. Null: it is run at once. */
    void (*lack)(void *user, uint32_t free_frames);
    void *user; /**< Passed to these. */
} vmm_machine_options_t;

/** What a machine counts. Frames and pages; counted since vmm_machine_create. */
typedef struct vmm_machine_stats {
    uint64_t minor;          /**< Faults served without a device. */
    uint64_t major;          /**< Faults that read from one. */
    uint64_t zero_filled;    /**< Frames filled with zeros. */
    uint64_t copied;         /**< Frames copied on a write. */
    uint64_t reused;         /**< Writes that needed no copy, because they were the last owner's. */
    uint64_t around;         /**< Entries made by fault-around. */
    uint64_t file_reads;     /**< Pages read from objects. */
    uint64_t file_writes;    /**< Pages written to objects. */
    uint64_t swapped_in;     /**< Pages read from slots. */
    uint64_t swapped_out;    /**< Pages written to slots. */
    uint64_t dropped;        /**< Clean pages that lost their frame. */
    uint64_t victims;        /**< Frames taken from their pages. */
    uint64_t direct;         /**< Times that somebody had to wait for reclaim. */
    uint64_t background;     /**< Times that vmm_background had work. */
    uint64_t io_errors;      /**< Callbacks that failed. */
    uint64_t kills;          /**< Spaces killed for memory. */
    uint64_t switches;       /**< Times that a processor changed its space. */
    uint64_t switch_flushes; /**< Of them, those that had to flush. */
    uint64_t flushes;        /**< Flushes of ranges sent to processors. */
    uint64_t huge_faults;    /**< Huge pages made by a fault. */
    uint64_t huge_collapsed; /**< Huge pages made out of small ones. */
    uint64_t huge_split;     /**< Huge pages split. */
    uint64_t merged;         /**< Pages that gave up their frame for one of the same content. */
} vmm_machine_stats_t;

/** Most pages that one instruction may need at once, with some to spare. */
#define VMM_LATEST 8

/** The pages that came last while frames were few. When they alone come again and again, an instruction needs several
 *  of them and a policy that prefers new pages takes one for the other: then they are not taken. */
typedef struct vmm_latest {
    uint32_t owner[VMM_LATEST]; /**< Whose they are, as in a frame's record ... */
    uint32_t index[VMM_LATEST]; /**< ... which ... */
    uint32_t frame[VMM_LATEST]; /**< ... and where. */
    uint32_t at;                /**< The one that is forgotten next. */
    uint32_t again;             /**< How many in a row were among them already. */
} vmm_latest_t;

/** A machine: the head of its block. */
struct vmm_machine {
    vmm_memory_t memory;             /**< As given. */
    const vmm_paging_t *paging;      /**< As given. */
    vmm_layout_t layout;             /**< As given. */
    vmm_machine_options_t options;   /**< As given, with defaults filled in. */
    vmm_frames_t frames;             /**< The buddy. */
    vmm_machine_stats_t stats;       /**< Counters. */
    vmm_resident_t resident;         /**< The set of all frames; with local replacement, of pages that no space has. */
    vmm_latest_t latest;             /**< Pages that came last. */
    vmm_cpu_t cpu[VMM_MACHINE_CPUS]; /**< Processors. */
    vmm_swap_t swap[VMM_SWAP_AREAS]; /**< Swap areas, those of higher priority first. */
    vmm_pool_t spaces;               /**< vmm_space_t. */
    vmm_pool_t kins;                 /**< vmm_kin_t. */
    vmm_pool_t areas;                /**< vmm_area_t. */
    vmm_pool_t objects;              /**< vmm_object_t. */
    vmm_pool_t tree_nodes;           /**< Nodes of the trees of areas. */
    vmm_pool_t index_nodes;          /**< Nodes of the indexes of objects. */
    uint64_t bytes;                  /**< Of the block. */
    uint64_t frame_offset;           /**< Of the frame records. */
    uint64_t age_offset;             /**< Of a byte a frame, the policy's. */
    uint64_t word_offset;            /**< Of the words that the policy has for each frame. */
    uint64_t set_offset;             /**< Of two bytes a frame, its resident set; 0 without local replacement. */
    uint64_t slot_offset;            /**< Of the slots' records. */
    uint64_t ghost_offset;           /**< Of the policy's ghosts. */
    uint32_t frame_count;            /**< Frames of RAM. */
    uint32_t zero_frame;             /**< The frame of zeros that unwritten pages share. */
    uint32_t cpus;                   /**< Processors attached. */
    uint32_t swaps;                  /**< Swap areas there are. */
    uint32_t slot_count;             /**< Slots of all areas. */
    uint32_t slots_used;             /**< Slots taken. */
    uint32_t anon_ids;               /**< Last id given to an area that got anonymous pages. */
    uint32_t asid_generation;        /**< Counts the times that ASIDs ran out. */
    uint32_t asid_next;              /**< The next ASID to hand out. */
    uint32_t ticks;                  /**< Faults since the last tick. */
    uint32_t respite;                /**< Faults to come before reclaim in the background is tried again in vain. */
    uint64_t committed;              /**< Pages promised. */
    uint64_t pages_anon;             /**< Frames that hold anonymous pages. */
    uint64_t pages_cache;            /**< Frames that hold pages of objects. */
    uint64_t pages_tables;           /**< Frames that hold tables. */
    vmm_paddr_t kernel_root;         /**< Tables of the kernel half; 0: none. */
    bool reclaiming;                 /**< Reclaim runs, and may use the last frames. */
    uint64_t merge_offset;           /**< Of what merging remembers; 0 without options.merging. */
    uint64_t merge_rounds;           /**< Times that vmm_merge_scan came through all spaces. */
    vmm_vaddr_t merge_va;            /**< It goes on here ... */
    vmm_vaddr_t huge_va;             /**< vmm_huge_scan goes on here ... */
    uint32_t merge_space;            /**< ... of this space; 0: the first. */
    uint32_t huge_space;             /**< ... of this one; 0: the first. */
    uint32_t merge_buckets;          /**< Of each of the two tables of merging; a power of two. */
};

/** What is counted of a space, in pages unless another unit is named. */
typedef struct vmm_space_stats {
    uint64_t minor;   /**< Faults served without a device. */
    uint64_t major;   /**< Faults that read from one. */
    uint64_t anon;    /**< Resident anonymous pages. */
    uint64_t file;    /**< Resident pages of files. */
    uint64_t shared;  /**< Resident pages of shared memory. */
    uint64_t swapped; /**< Entries that stand for slots. */
    uint64_t tables;  /**< Bytes of tables. */
    uint64_t most;    /**< Most that anon + file + shared ever was. */
    uint64_t total;   /**< Pages of all areas. */
    uint64_t data;    /**< Pages of private writable areas, stacks apart. */
    uint64_t stack;   /**< Pages of stacks. */
    uint64_t locked;  /**< Pages of locked areas. */
    uint64_t huge;    /**< Huge pages mapped. */
} vmm_space_stats_t;

/** Bounds of a space, bytes; 0: none. */
typedef struct vmm_limits {
    uint64_t space;  /**< Of all areas (RLIMIT_AS). */
    uint64_t data;   /**< Of data (RLIMIT_DATA). */
    uint64_t stack;  /**< Of a stack that grows (RLIMIT_STACK); 0: the layout's. */
    uint64_t locked; /**< Of locked areas (RLIMIT_MEMLOCK). */
} vmm_limits_t;

/** Spaces that come from one another by fork. */
typedef struct vmm_kin {
    uint32_t first; /**< One of them. */
    uint32_t count; /**< How many there are. */
} vmm_kin_t;

/** An address space. A record of its machine: read it as you like, write only name, limits,
 *  locks_future and oom_score_adj. */
struct vmm_space {
    uint64_t offset;          /**< Of this record from its machine. */
    uint32_t number;          /**< Which space. */
    uint32_t parent;          /**< Whose child; 0: nobody's. */
    uint32_t kin;             /**< Its kin. */
    uint32_t kin_next;        /**< Ring of the spaces of one kin. */
    uint32_t kin_previous;    /**< The other way round. */
    vmm_paddr_t root;         /**< Its top table. */
    uint32_t tree;            /**< Root node of its areas; 0: none. */
    uint32_t tree_height;     /**< Levels of nodes. */
    uint32_t areas;           /**< How many there are. */
    uint32_t recent;          /**< The area found last: the first that ends above any address of ... */
    vmm_vaddr_t recent_from;  /**< ... this stretch from its first byte ... */
    vmm_vaddr_t recent_end;   /**< ... to the byte after its last; nothing is remembered if that is the same. */
    uint32_t moved;           /**< First of the areas whose anonymous pages are known by other addresses. */
    uint32_t asid;            /**< Its ASID ... */
    uint32_t asid_generation; /**< ... if this is the machine's. */
    uint64_t table_tag;       /**< Which stretch the level-0 table used last covers, plus 1; 0: none. */
    vmm_paddr_t table;        /**< That table. */
    uint32_t ran_on;          /**< Bit for each processor that may remember translations of it. */
    vmm_vaddr_t brk_start;    /**< Where the heap begins. */
    vmm_vaddr_t brk;          /**< The program break. */
    vmm_vaddr_t stack_start;  /**< Where the first stack begins to grow from. */
    vmm_vaddr_t entry;        /**< Where the program begins. */
    vmm_space_stats_t stats;  /**< Counters. */
    vmm_limits_t limits;      /**< Bounds. */
    vmm_siginfo_t signal;     /**< Why the last fault that failed did. */
    vmm_resident_t resident;  /**< Its set, with local replacement. */
    uint32_t locks_future;    /**< Not 0: areas to come are locked, as by mlockall(MCL_FUTURE). */
    int16_t oom_score_adj;    /**< -1000 (never killed) to 1000. */
    bool killed;              /**< It was killed for memory: every fault ends in VMM_SIGKILL. */
    char name[16];            /**< Of its program; ends with 0. */
};

/** The machine of a space. O(1). */
VMM_INLINE vmm_machine_t *vmm_machine_of(const vmm_space_t *s)
{
    return (vmm_machine_t *)((uintptr_t)s - (uintptr_t)s->offset);
}

/** @cond internal */
VMM_STATIC_ASSERT(sizeof(vmm_frame_t) == 20, "a frame's record is 20 bytes");

VMM_INLINE void *vmm_machine_part(const vmm_machine_t *m, uint64_t offset)
{
    return (void *)((uintptr_t)m + (uintptr_t)offset);
}

#define VMM_OR(value, otherwise) ((value) ? (value) : (otherwise))

/* Room in a block that is being laid out. */
VMM_INLINE uint64_t vmm_plan(uint64_t *bytes, uint64_t more)
{
    const uint64_t at = *bytes;
    *bytes += (more + 63) & ~UINT64_C(63);
    return at;
}

VMM_INLINE void *vmm_pool_at(const vmm_machine_t *m, const vmm_pool_t *pool, uint32_t number)
{
    VMM_ASSERT(number >= 1 && number <= pool->count);
    return vmm_machine_part(m, pool->offset + (uint64_t)(number - 1) * pool->bytes);
}

/* A record of any content; 0: none is left. */
VMM_INLINE uint32_t vmm_pool_take(vmm_machine_t *m, vmm_pool_t *pool)
{
    uint32_t number = pool->first;
    if (number) pool->first = *(vmm_any32_t *)vmm_pool_at(m, pool, number);
    else if (pool->fresh < pool->count) number = ++pool->fresh;
    if (number) pool->used++;
    return number;
}

VMM_INLINE void vmm_pool_give(vmm_machine_t *m, vmm_pool_t *pool, uint32_t number)
{
    *(vmm_any32_t *)vmm_pool_at(m, pool, number) = pool->first;
    pool->first = number;
    pool->used--;
}

/** @endcond */

/** The record of a frame.
 *  @param m      the machine
 *  @param frame  its number, from 0
 *  @return the record. O(1). */
VMM_INLINE vmm_frame_t *vmm_frame_at(const vmm_machine_t *m, uint32_t frame)
{
    VMM_ASSERT(frame < m->frame_count);
    return (vmm_frame_t *)vmm_machine_part(m, m->frame_offset) + frame;
}

/** The byte that a replacement policy has for a frame.
 *  @param m      the machine
 *  @param frame  its number
 *  @return where it lies. O(1). */
VMM_INLINE uint8_t *vmm_age_of(const vmm_machine_t *m, uint32_t frame)
{
    return (uint8_t *)vmm_machine_part(m, m->age_offset) + frame;
}

/** The words that a replacement policy has for a frame, as many as it asked for.
 *  @param m      the machine
 *  @param frame  its number
 *  @return where they lie. O(1). */
VMM_INLINE uint32_t *vmm_words_of(const vmm_machine_t *m, uint32_t frame)
{
    return (uint32_t *)vmm_machine_part(m, m->word_offset) + (size_t)frame * m->options.replacement->words;
}

/** @cond internal */
VMM_INLINE uint16_t *vmm_set_of(const vmm_machine_t *m, uint32_t frame)
{
    return (uint16_t *)vmm_machine_part(m, m->set_offset) + frame;
}

/** @endcond */

/** The record of a slot of swap.
 *  @param m     the machine
 *  @param slot  its number among the slots of all swap areas, from 0
 *  @return the record. O(1). */
VMM_INLINE vmm_slot_t *vmm_slot_at(const vmm_machine_t *m, uint32_t slot)
{
    VMM_ASSERT(slot < m->options.slots);
    return (vmm_slot_t *)vmm_machine_part(m, m->slot_offset) + slot;
}

/** @cond internal */
enum {
    VMM_GHOST_HEAD = 8, /* words of the two lists, and of a slot but for the policy's own: see section 13 */
    VMM_GHOST_WORDS = 3
};

/* Slots of a set's table, for so many ghosts and one more while a page comes for another; a third are free. */
VMM_INLINE uint32_t vmm_ghost_slots(uint32_t ghosts)
{
    const uint64_t slots = ghosts ? ghosts + UINT64_C(3) + ghosts / 3 : 0;
    return slots < 0x3fffffff ? (uint32_t)slots : 0x3fffffff;
}

/* Words of a set's ghosts. */
VMM_INLINE uint64_t vmm_ghost_room(const vmm_replacement_t *policy, uint32_t ghosts)
{
    if (!ghosts) return 0;
    return VMM_GHOST_HEAD + (uint64_t)vmm_ghost_slots(ghosts) * (VMM_GHOST_WORDS + (uint32_t)policy->words);
}

VMM_INLINE uint32_t *vmm_ghosts_of(const vmm_machine_t *m, const vmm_resident_t *set)
{
    const uint64_t room = vmm_ghost_room(m->options.replacement, m->options.ghosts);
    return (uint32_t *)vmm_machine_part(m, m->ghost_offset + set->number * room * 4);
}

/* Lays out what replacement needs: records of frames, and what the policy keeps of them, with its options' defaults.
 * `sets`: how many sets there may be. */
VMM_INLINE void vmm_plan_frames(vmm_machine_t *m, uint64_t frames, uint64_t sets)
{
    vmm_machine_options_t *o = &m->options;
    const vmm_replacement_t *policy = o->replacement;
    o->ghosts = policy->ghosts ? VMM_OR(o->ghosts, (uint32_t)frames) : 0;
    o->window = VMM_OR(o->window, 10000);
    m->frame_count = (uint32_t)frames;
    m->bytes = (sizeof *m + 63) & ~(size_t)63;
    m->frame_offset = vmm_plan(&m->bytes, frames * sizeof(vmm_frame_t));
    m->age_offset = vmm_plan(&m->bytes, frames);
    m->word_offset = vmm_plan(&m->bytes, frames * 4 * policy->words);
    m->ghost_offset = vmm_plan(&m->bytes, sets * vmm_ghost_room(policy, o->ghosts) * 4);
}

VMM_INLINE void vmm_resident_init(vmm_resident_t *set, const vmm_replacement_t *policy, uint32_t number)
{
    uint32_t i;
    VMM_SET(set, 0, sizeof *set);
    set->policy = policy;
    set->number = number;
    set->hand = VMM_NO_FRAME;
    for (i = 0; i < VMM_RESIDENT_LISTS; i++) set->list[i].first = set->list[i].last = VMM_NO_FRAME;
}
/** @endcond */

/** A space by its number. The record of one that has ended holds another number, or 0.
 *  @param m       the machine
 *  @param number  which one, from 1
 *  @return the space. O(1). */
VMM_INLINE vmm_space_t *vmm_space_at(const vmm_machine_t *m, uint32_t number)
{
    return (vmm_space_t *)vmm_pool_at(m, &m->spaces, number);
}

/** @cond internal */
VMM_INLINE vmm_kin_t *vmm_kin_at(const vmm_machine_t *m, uint32_t number)
{
    return (vmm_kin_t *)vmm_pool_at(m, &m->kins, number);
}

/** @endcond */

/** Where a frame begins.
 *  @param m      the machine
 *  @param frame  its number
 *  @return its physical address. O(1). */
VMM_INLINE vmm_paddr_t vmm_frame_paddr(const vmm_machine_t *m, uint32_t frame)
{
    return m->memory.base + ((vmm_paddr_t)frame << m->paging->page_shift);
}

/** Which frame holds a byte.
 *  @param m      the machine
 *  @param paddr  physical address in RAM
 *  @return the frame's number. O(1). */
VMM_INLINE uint32_t vmm_frame_of(const vmm_machine_t *m, vmm_paddr_t paddr)
{
    return (uint32_t)((paddr - m->memory.base) >> m->paging->page_shift);
}

/** @cond internal */
VMM_INLINE uint8_t *vmm_frame_host(const vmm_machine_t *m, uint32_t frame)
{
    return (uint8_t *)m->memory.ram + ((size_t)frame << m->paging->page_shift);
}

VMM_INLINE unsigned vmm_frame_kind(const vmm_frame_t *f)
{
    return f->kind & 15u;
}

VMM_INLINE uint64_t vmm_page_bytes(const vmm_machine_t *m)
{
    return UINT64_C(1) << m->paging->page_shift;
}

/* Tells an event, where anybody listens. */
VMM_INLINE void vmm_tell(const vmm_machine_t *m, vmm_event_kind_t kind, const vmm_space_t *s, vmm_vaddr_t va,
                         vmm_paddr_t paddr, uint64_t detail)
{
#if VMM_EVENTS
    if (m->options.event) {
        const vmm_event_t event = {(uint32_t)kind, s ? s->number : 0, va, paddr, detail};
        m->options.event(m->options.user, &event);
    }
#else
    (void)m;
    (void)kind;
    (void)s;
    (void)va;
    (void)paddr;
    (void)detail;
#endif
}

/* -- frames of any use -- */

/* A block out of the buddy for a use of ours; VMM_NO_FRAME: none. */
VMM_INLINE uint32_t vmm_frame_alloc(vmm_machine_t *m, unsigned order, unsigned kind)
{
    vmm_paddr_t paddr = 0;
    uint32_t frame, i;
    if (vmm_frames_alloc(&m->frames, order, &paddr)) return VMM_NO_FRAME;
    frame = vmm_frame_of(m, paddr);
    for (i = 0; i < UINT32_C(1) << order; i++) {
        vmm_frame_t *f = vmm_frame_at(m, frame + i);
        f->next = f->previous = VMM_NO_FRAME;
        f->owner = f->index = 0;
        f->mappings = 0;
        f->flags = 0;
        f->kind = (uint8_t)kind;
    }
    return frame;
}

VMM_INLINE void vmm_frame_give(vmm_machine_t *m, uint32_t frame, unsigned order)
{
    uint32_t i;
    for (i = 0; i < UINT32_C(1) << order; i++) vmm_frame_at(m, frame + i)->kind = VMM_FRAME_FREE;
    (void)vmm_frames_free(&m->frames, vmm_frame_paddr(m, frame), order);
}

/* -- entries -- */

/** @endcond */

/** What stands in an entry of a space's tables. */
enum vmm_entry_kind {
    VMM_ENTRY_NONE = 0,   /**< Nothing. */
    VMM_ENTRY_PAGE = 1,   /**< A page that the processor may use. */
    VMM_ENTRY_PARKED = 2, /**< A page whose area allows nothing. */
    VMM_ENTRY_SLOT = 3    /**< A page in a slot of swap. */
};

/** @cond internal */
/* An entry that is not valid and says a number: all bits but the valid one. Even: slot, plus 1; odd: frame. */
VMM_INLINE vmm_pte_t vmm_entry_spread(const vmm_paging_t *p, uint64_t word)
{
    const uint64_t below = p->valid - 1;
    return (word & ~below) << 1 | (word & below);
}

VMM_INLINE vmm_pte_t vmm_entry_of_slot(const vmm_machine_t *m, uint32_t slot)
{
    return vmm_entry_spread(m->paging, ((uint64_t)slot + 1) << 1);
}

VMM_INLINE vmm_pte_t vmm_entry_of_parked(const vmm_machine_t *m, uint32_t frame)
{
    return vmm_entry_spread(m->paging, (uint64_t)frame << 1 | 1);
}

/** @endcond */

/** Reads an entry of a space's tables.
 *  @param m       the machine
 *  @param pte     the entry
 *  @param number  receives the frame or slot that it names; of VMM_ENTRY_NONE nothing
 *  @return enum vmm_entry_kind. O(1). */
VMM_INLINE unsigned vmm_entry_read(const vmm_machine_t *m, vmm_pte_t pte, uint32_t *number)
{
    const vmm_paging_t *p = m->paging;
    const uint64_t below = p->valid - 1, word = (pte >> 1 & ~below) | (pte & below);
    if (pte & p->valid) {
        *number = vmm_frame_of(m, vmm_pte_paddr(p, pte));
        return VMM_ENTRY_PAGE;
    }
    if (word == 0) return VMM_ENTRY_NONE;
    *number = (uint32_t)(word & 1 ? word >> 1 : (word >> 1) - 1);
    return word & 1 ? VMM_ENTRY_PARKED : VMM_ENTRY_SLOT;
}

/** @cond internal */
VMM_INLINE uint8_t *vmm_table_host(const vmm_machine_t *m, vmm_paddr_t table)
{
    return (uint8_t *)m->memory.ram + (size_t)(table - m->memory.base);
}

/* The record of the table that an entry of a level stands in. */
VMM_INLINE vmm_frame_t *vmm_table_of(const vmm_machine_t *m, const uint8_t *entry, unsigned level)
{
    const uint64_t offset = (uint64_t)(entry - (const uint8_t *)m->memory.ram);
    const uint64_t bytes = vmm_table_bytes(m->paging, level);
    return vmm_frame_at(m, (uint32_t)((offset & ~(bytes - 1)) >> m->paging->page_shift));
}

/* Writes an entry and keeps count of those that its table has. Returns what it was, with the marks that a processor set
 * up to now. */
VMM_INLINE vmm_pte_t vmm_entry_put(vmm_machine_t *m, uint8_t *entry, unsigned level, vmm_pte_t pte)
{
    vmm_pte_t was = vmm_pte_load(m->paging, entry);
    if (!(was & m->paging->valid)) vmm_pte_store(m->paging, entry, pte);
    else
        while (!vmm_pte_swap(m->paging, entry, was, pte)) was = vmm_pte_load(m->paging, entry);
    if ((was != 0) != (pte != 0)) {
        vmm_frame_t *table = vmm_table_of(m, entry, level);
        table->mappings = (uint16_t)(table->mappings + (pte ? 1u : 0xffffu));
    }
    return was;
}

/** @endcond */

/** Finds the entry that decides about an address: of level 0, or a huge leaf above.
 *  @param m      the machine
 *  @param s      the space; it remembers the table found
 *  @param va     virtual address
 *  @param level  receives the entry's level
 *  @return where the entry lies, or null when no table reaches so far down. O(levels). */
VMM_INLINE uint8_t *vmm_entry_find(const vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, unsigned *level)
{
    const vmm_paging_t *p = m->paging;
    const uint64_t tag = (va >> vmm_level_shift(p, 1)) + 1;
    vmm_paddr_t table = s->root;
    *level = 0;
    if (s->table_tag == tag) return vmm_table_host(m, s->table) + (size_t)vmm_level_index(p, 0, va) * p->pte_bytes;
    for (*level = p->levels - 1u;; --*level) {
        uint8_t *entry = vmm_table_host(m, table) + (size_t)vmm_level_index(p, *level, va) * p->pte_bytes;
        vmm_pte_t pte;
        if (*level == 0) {
            s->table_tag = tag;
            s->table = table;
            return entry;
        }
        pte = vmm_pte_load(p, entry);
        if (!(pte & p->valid)) return NULL;
        if (vmm_pte_is_leaf(p, pte, *level)) return entry;
        table = vmm_pte_paddr(p, pte);
    }
}

/** @cond internal */
/* A stretch of entries of one table. */
typedef struct vmm_run_of_entries {
    uint8_t *entry; /* the first */
    vmm_vaddr_t va; /* what it covers begins here: not above where the search began */
    uint64_t count; /* of level 0; 1 above */
    unsigned level; /* above 0: a huge leaf */
} vmm_run_t;

/* The next stretch of entries in [*va, end), of any content; *va moves behind it. */
VMM_OUTLINE bool vmm_run_next(const vmm_machine_t *m, const vmm_space_t *s, vmm_vaddr_t *va, vmm_vaddr_t end,
                              vmm_run_t *run)
{
    const vmm_paging_t *p = m->paging;
    while (*va < end) {
        vmm_paddr_t table = s->root;
        unsigned level = p->levels - 1u;
        vmm_vaddr_t behind;
        bool holds = true;
        for (;; level--) {
            run->entry = vmm_table_host(m, table) + (size_t)vmm_level_index(p, level, *va) * p->pte_bytes;
            if (level == 0) break;
            table = vmm_pte_load(p, run->entry);
            holds = (table & p->valid) != 0;
            if (!holds || vmm_pte_is_leaf(p, table, level)) break;
            table = vmm_pte_paddr(p, table);
        }
        run->level = level;
        run->va = *va & ~vmm_low_mask(vmm_level_shift(p, level));
        behind = (*va | vmm_low_mask(vmm_level_shift(p, level > 0 ? level : 1))) + 1;
        if (behind == 0 || behind > end) behind = end;
        run->count = level > 0 ? 1 : (behind - *va) >> p->page_shift;
        *va = behind;
        if (holds) return true;
    }
    return false;
}

/* -- tables -- */

VMM_INLINE unsigned vmm_table_order(const vmm_machine_t *m, unsigned level)
{
    return vmm_frames_order_of(&m->frames, vmm_table_bytes(m->paging, level));
}

/* A table of any content out of the free frames; VMM_NO_FRAME: none. */
VMM_OUTLINE uint32_t vmm_table_raw(vmm_machine_t *m, vmm_space_t *s, unsigned level)
{
    const unsigned order = vmm_table_order(m, level);
    const uint32_t frame = vmm_frame_alloc(m, order, VMM_FRAME_TABLE);
    if (frame == VMM_NO_FRAME) return frame;
    vmm_frame_at(m, frame)->owner = s->number;
    s->stats.tables += vmm_table_bytes(m->paging, level);
    m->pages_tables += UINT64_C(1) << order;
    return frame;
}

/* An empty table, likewise. */
VMM_OUTLINE uint32_t vmm_table_new(vmm_machine_t *m, vmm_space_t *s, unsigned level)
{
    const uint32_t frame = vmm_table_raw(m, s, level);
    if (frame != VMM_NO_FRAME) VMM_SET(vmm_frame_host(m, frame), 0, (size_t)vmm_table_bytes(m->paging, level));
    return frame;
}

VMM_OUTLINE void vmm_table_free(vmm_machine_t *m, vmm_space_t *s, uint32_t frame, unsigned level)
{
    const unsigned order = vmm_table_order(m, level);
    s->stats.tables -= vmm_table_bytes(m->paging, level);
    m->pages_tables -= UINT64_C(1) << order;
    s->table_tag = 0;
    vmm_frame_give(m, frame, order);
}

/* Gives back the tables around an address that have no entry left, from the lowest up; never the root. */
VMM_OUTLINE void vmm_tables_prune(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_paging_t *p = m->paging;
    uint8_t *path[VMM_MAX_LEVELS];
    vmm_paddr_t table = s->root;
    unsigned level = p->levels - 1u;
    for (; level > 0; level--) {
        path[level] = vmm_table_host(m, table) + (size_t)vmm_level_index(p, level, va) * p->pte_bytes;
        table = vmm_pte_load(p, path[level]);
        if (!(table & p->valid) || vmm_pte_is_leaf(p, table, level)) break;
        table = vmm_pte_paddr(p, table);
    }
    for (level++; level < p->levels; level++) { /* the table below path[level] */
        table = vmm_pte_paddr(p, vmm_pte_load(p, path[level]));
        if (vmm_frame_at(m, vmm_frame_of(m, table))->mappings) return;
        vmm_entry_put(m, path[level], level, 0);
        vmm_table_free(m, s, vmm_frame_of(m, table), level - 1u);
    }
}

/* -- processors -- */

/* Makes every processor that may remember a stretch of a space forget it. */
VMM_OUTLINE void vmm_flush_stretch(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, unsigned kind)
{
    vmm_flush_t what;
    uint32_t left = s->ran_on;
    what.vaddr = va;
    what.bytes = bytes;
    what.page_shift = m->paging->page_shift;
    what.kind = (uint8_t)kind;
    if (!left) return;
    vmm_tell(m, VMM_EVENT_FLUSH, s, va, 0, bytes);
    m->stats.flushes++;
    for (; left; left &= left - 1) {
        const vmm_cpu_t *cpu = &m->cpu[__builtin_ctz(left)];
        cpu->flush(cpu->mmu, &what);
    }
}
/** @endcond */
/** @} */

/* ================================================================ Part II  10. areas == */
/** @defgroup vmm_areas 10. Areas
 *  The stretches of a space, in a B+ tree by address that knows the widest gap below each node: O(log n) to find,
 *  insert, remove and to find a gap.
 *  @{ */

/** What an area is, beside VMM_R, VMM_W, VMM_X of enum vmm_flags. Areas with different flags are never merged. */
enum vmm_area_flag {
    VMM_AREA_SHARED = 1 << 4,       /**< Writes go to the object. */
    VMM_AREA_MAY_WRITE = 1 << 5,    /**< Writing may be allowed later. */
    VMM_AREA_GROWS = 1 << 6,        /**< A stack: grows down when touched below. */
    VMM_AREA_LOCKED = 1 << 7,       /**< Its pages stay resident. */
    VMM_AREA_NO_RESERVE = 1 << 8,   /**< Promises nothing. */
    VMM_AREA_ACCOUNT = 1 << 9,      /**< Its pages are promised: counted in committed. */
    VMM_AREA_HUGE = 1 << 10,        /**< Explicit huge pages (MAP_HUGETLB). */
    VMM_AREA_ADVISE_HUGE = 1 << 11, /**< MADV_HUGEPAGE. */
    VMM_AREA_NEVER_HUGE = 1 << 12,  /**< MADV_NOHUGEPAGE. */
    VMM_AREA_MERGEABLE = 1 << 13,   /**< MADV_MERGEABLE. */
    VMM_AREA_RANDOM = 1 << 14,      /**< MADV_RANDOM. */
    VMM_AREA_SEQUENTIAL = 1 << 15,  /**< MADV_SEQUENTIAL. */
    VMM_AREA_CLONED = 1 << 16,      /**< Its anonymous pages may be a parent's too; not compared when merging. */
    VMM_AREA_MAY_READ = 1 << 17,    /**< Reading may be allowed later. */
    VMM_AREA_MAY_EXEC = 1 << 18,    /**< Executing may be allowed later. */
    VMM_AREA_MOVED = 1 << 20,       /**< In the list of moved areas; not compared when merging. */
    VMM_AREA_STACK = 1 << 19        /**< The first stack, for the name in maps; not compared when merging. */
};

/** An area. Invariants: start < end, both multiples of the page size; no two of a space overlap; anonymous pages of
 *  page number `start / page + i` of the area are known to their frames as number `home + i`. */
typedef struct vmm_area {
    vmm_vaddr_t start;   /**< First byte. */
    vmm_vaddr_t end;     /**< Byte after the last. */
    uint64_t offset;     /**< Page of the object that is at start; 0 without an object. */
    uint64_t home;       /**< Page number by which anonymous pages of start are known: where it was when it was made. */
    uint32_t space;      /**< Whose. */
    uint32_t object;     /**< What it shows; 0: anonymous. */
    uint32_t anon;       /**< 0 until it got an anonymous page; areas with different ids are never merged. */
    uint32_t flags;      /**< VMM_R, VMM_W, VMM_X and enum vmm_area_flag. */
    uint32_t next;       /**< Ring of the areas of one object; 0 without one. */
    uint32_t previous;   /**< The other way round. */
    uint32_t moved_next; /**< List of the space's areas that are not where home says; 0: none. */
    uint32_t moved_previous; /**< The other way round. */
} vmm_area_t;

/** The record of an area.
 *  @param m       the machine
 *  @param number  which one, 1 or more
 *  @return the record. O(1). */
VMM_INLINE vmm_area_t *vmm_area_at(const vmm_machine_t *m, uint32_t number)
{
    VMM_ASSERT(number >= 1 && number <= m->areas.count);
    return (vmm_area_t *)vmm_machine_part(m, m->areas.offset) + (number - 1);
}

/** Most entries of a node: with 24 it takes eight cache lines, of which a search touches five. */
#define VMM_TREE_FANOUT 24
/** Fewest entries of a node that is not a root. */
#define VMM_TREE_LEAST (VMM_TREE_FANOUT / 2)
/** Most levels: a tree of h levels has at least 2 * VMM_TREE_LEAST^(h - 1) areas, and a number has 32 bits. */
#define VMM_TREE_HEIGHT 9
/** Nodes that suffice for so many areas in so many spaces, in whatever order they come and go. Beside its root a tree
 *  of n areas has at most n / LEAST leaves, n / LEAST^2 nodes above them and so on: less than n / (LEAST - 1). */
#define VMM_TREE_NODES(areas, spaces) ((areas) / (VMM_TREE_LEAST - 1) + (spaces))

/** @cond internal */
/* A node of the tree. An entry of a leaf (level 0) is an area, an entry above is a node one level below:
 *
 *   |       | leaf                                  | above                          |
 *   |-------|---------------------------------------|--------------------------------|
 *   | key   | end of the area                       | last key of the child, exactly |
 *   | child | number of the area                    | number of the node             |
 *   | gap   | free bytes right below it, guard apart | widest gap of the child        |
 *
 * Keys are ends, not starts, because then one comparison with all keys leads to the first area that ends above an
 * address, without a look at neighbours. Invariants: keys ascend; count >= VMM_TREE_LEAST, but for a root, which has
 * 1 entry or, above leaves, 2; entries from count on have key UINT64_MAX, child 0, gap 0. */
typedef struct vmm_tree_node {
    vmm_vaddr_t key[VMM_TREE_FANOUT];
    uint32_t child[VMM_TREE_FANOUT];
    uint64_t gap[VMM_TREE_FANOUT];
    uint32_t count;
    uint32_t spare[7];
} vmm_tree_node_t;

VMM_STATIC_ASSERT(sizeof(vmm_tree_node_t) == 512, "a node of the tree of areas is eight cache lines");
VMM_STATIC_ASSERT(2 * VMM_TREE_LEAST <= VMM_TREE_FANOUT && VMM_TREE_LEAST > 2,
                  "half a node must be enough for a node, and two that are short must fit in one");

/* The way from the root to an entry: level 0 is the leaf. An array of steps, not two arrays: gcc 12 forgets at -O1 and
 * up (its ipa-modref) that vmm_gap_next writes to them if they are two. */
typedef struct vmm_tree_path {
    struct {
        vmm_tree_node_t *node;
        uint32_t at; /* entry of the node */
    } step[VMM_TREE_HEIGHT];
    vmm_vaddr_t below; /* end of the area before the entry; 0: none */
} vmm_tree_path_t;

VMM_INLINE vmm_tree_node_t *vmm_tree_node_at(const vmm_machine_t *m, uint32_t number)
{
    VMM_ASSERT(number >= 1 && number <= m->tree_nodes.count);
    return (vmm_tree_node_t *)vmm_machine_part(m, m->tree_nodes.offset) + (number - 1);
}

/* Keys that are not above va, which is the place of the first that is. Which one it is cannot be predicted, so there is
 * no branch: first the last keys of all cache lines tell the line, then all keys of that are compared. */
VMM_INLINE uint32_t vmm_tree_rank(const vmm_tree_node_t *node, vmm_vaddr_t va)
{
    uint32_t rank = 0, line = 0, i;
    const vmm_vaddr_t *key;
    for (i = 7; i + 1 < VMM_TREE_FANOUT; i += 8) line += node->key[i] <= va;
    key = node->key + 8 * line;
    for (i = 0; i < 8; i++) rank += key[i] <= va;
    return 8 * line + rank;
}

/* The leaf and the place in it of the first area whose end is above va. False: there is none. */
VMM_INLINE bool vmm_tree_search(const vmm_space_t *s, vmm_vaddr_t va, const vmm_tree_node_t **leaf, uint32_t *rank)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_tree_node_t *node;
    uint32_t level = s->tree_height, at;
    if (s->tree == 0) return false;
    node = vmm_tree_node_at(m, s->tree);
    at = vmm_tree_rank(node, va);
    if (at >= node->count) return false;
    while (--level > 0) {
        node = vmm_tree_node_at(m, node->child[at]);
        __builtin_prefetch(&node->key[VMM_TREE_FANOUT - 1]); /* all lines at once, not each when the one before came */
        __builtin_prefetch(&node->child[0]);
        __builtin_prefetch(&node->child[VMM_TREE_FANOUT - 1]);
        at = vmm_tree_rank(node, va);
    }
    *leaf = node;
    *rank = at;
    return true;
}

/* The first area whose end is above va; 0: none. */
VMM_OUTLINE uint32_t vmm_tree_find(const vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_tree_node_t *leaf;
    uint32_t rank;
    return vmm_tree_search(s, va, &leaf, &rank) ? leaf->child[rank] : 0;
}

/* The same, remembered with the addresses that lead to it: from the end of the area before it, or from va if that is in
 * another leaf. No record of an area is read, which for one of very many would be another wait for memory. */
VMM_OUTLINE uint32_t vmm_tree_find_anew(vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_tree_node_t *leaf;
    uint32_t rank;
    if (!vmm_tree_search(s, va, &leaf, &rank)) return 0;
    s->recent_from = rank > 0 ? leaf->key[rank - 1] : va;
    s->recent_end = leaf->key[rank];
    return s->recent = leaf->child[rank];
}

/* Nothing is remembered, because areas change. */
VMM_INLINE void vmm_tree_forget(vmm_space_t *s)
{
    s->recent = 0;
    s->recent_from = s->recent_end = 0;
}

/* The way to the first area whose end is above va, or behind the last area. The tree is not empty. */
VMM_OUTLINE void vmm_tree_seek(const vmm_space_t *s, vmm_vaddr_t va, vmm_tree_path_t *path)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    uint32_t level = s->tree_height, number = s->tree;
    path->below = 0;
    while (level-- > 0) {
        vmm_tree_node_t *const node = vmm_tree_node_at(m, number);
        uint32_t at = vmm_tree_rank(node, va);
        if (at > 0) path->below = node->key[at - 1];
        if (level > 0 && at == node->count) at--;
        path->step[level].node = node;
        path->step[level].at = at;
        if (level > 0) number = node->child[at];
    }
}

/* Where an area's right to be left alone begins: a stack that grows keeps a guard below. */
VMM_INLINE vmm_vaddr_t vmm_area_floor(const vmm_machine_t *m, const vmm_area_t *area)
{
    const uint64_t guard =
        area->flags & VMM_AREA_GROWS ? (uint64_t)m->layout.guard_pages << m->paging->page_shift : UINT64_C(0);
    return area->start > guard ? area->start - guard : 0;
}

/* Free bytes below an area when the one before it ends at `below`. */
VMM_INLINE uint64_t vmm_tree_gap(const vmm_machine_t *m, const vmm_area_t *area, vmm_vaddr_t below)
{
    const vmm_vaddr_t floor_va = vmm_area_floor(m, area);
    return floor_va > below ? floor_va - below : 0;
}

VMM_INLINE uint64_t vmm_tree_widest(const vmm_tree_node_t *node)
{
    uint64_t widest = 0;
    uint32_t i;
    for (i = 0; i < VMM_TREE_FANOUT; i++) widest = node->gap[i] > widest ? node->gap[i] : widest;
    return widest;
}

/* Writes what a node knows of a child anew. */
VMM_OUTLINE void vmm_tree_refresh(const vmm_machine_t *m, vmm_tree_node_t *node, uint32_t at)
{
    const vmm_tree_node_t *const child = vmm_tree_node_at(m, node->child[at]);
    node->key[at] = child->key[child->count - 1];
    node->gap[at] = vmm_tree_widest(child);
}

/* The same for all nodes on a way, from the leaf up. */
VMM_INLINE void vmm_tree_refresh_path(const vmm_space_t *s, const vmm_tree_path_t *path)
{
    uint32_t level;
    for (level = 1; level < s->tree_height; level++)
        vmm_tree_refresh(vmm_machine_of(s), path->step[level].node, path->step[level].at);
}

/* Writes the gap below an area anew, after what is before it has changed. */
VMM_OUTLINE void vmm_tree_regap(const vmm_space_t *s, uint32_t number)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_area_t *const area = vmm_area_at(m, number);
    vmm_tree_path_t path;
    vmm_tree_seek(s, area->start, &path);
    path.step[0].node->gap[path.step[0].at] = vmm_tree_gap(m, area, path.below);
    vmm_tree_refresh_path(s, &path);
}

/* Moves the entries from `at` on up by n; what they leave is to be written. */
VMM_OUTLINE void vmm_tree_open(vmm_tree_node_t *node, uint32_t at, uint32_t n)
{
    uint32_t i;
    for (i = node->count; i-- > at;) {
        node->key[i + n] = node->key[i];
        node->child[i + n] = node->child[i];
        node->gap[i + n] = node->gap[i];
    }
    node->count += n;
}

/* Removes n entries from `at` on. */
VMM_OUTLINE void vmm_tree_close(vmm_tree_node_t *node, uint32_t at, uint32_t n)
{
    uint32_t i;
    node->count -= n;
    for (i = at; i < node->count; i++) {
        node->key[i] = node->key[i + n];
        node->child[i] = node->child[i + n];
        node->gap[i] = node->gap[i + n];
    }
    for (; n > 0; n--, i++) {
        node->key[i] = UINT64_MAX;
        node->child[i] = 0;
        node->gap[i] = 0;
    }
}

/* Copies n entries from one node to another. */
VMM_INLINE void vmm_tree_copy(vmm_tree_node_t *to, uint32_t to_at, const vmm_tree_node_t *from, uint32_t at, uint32_t n)
{
    VMM_COPY(to->key + to_at, from->key + at, n * sizeof *to->key);
    VMM_COPY(to->child + to_at, from->child + at, n * sizeof *to->child);
    VMM_COPY(to->gap + to_at, from->gap + at, n * sizeof *to->gap);
}

/* A new node without entries. There always is one: see VMM_TREE_NODES. */
VMM_OUTLINE uint32_t vmm_tree_node_make(vmm_machine_t *m)
{
    const uint32_t number = vmm_pool_take(m, &m->tree_nodes);
    vmm_tree_node_t *node;
    VMM_ASSERT(number != 0);
    node = vmm_tree_node_at(m, number);
    VMM_SET(node, 0, sizeof *node);
    VMM_SET(node->key, 0xff, sizeof node->key);
    return number;
}

/* Cuts a full child into two halves. */
VMM_OUTLINE void vmm_tree_split(vmm_machine_t *m, vmm_tree_node_t *node, uint32_t at)
{
    const uint32_t number = vmm_tree_node_make(m), keep = VMM_TREE_FANOUT - VMM_TREE_LEAST;
    vmm_tree_node_t *const left = vmm_tree_node_at(m, node->child[at]), *const right = vmm_tree_node_at(m, number);
    vmm_tree_copy(right, 0, left, keep, VMM_TREE_LEAST);
    right->count = VMM_TREE_LEAST;
    vmm_tree_close(left, keep, VMM_TREE_LEAST);
    vmm_tree_open(node, at + 1, 1);
    node->child[at + 1] = number;
    vmm_tree_refresh(m, node, at);
    vmm_tree_refresh(m, node, at + 1);
}

/* Gives a child and the one after it equally many entries. */
VMM_OUTLINE void vmm_tree_even(const vmm_machine_t *m, vmm_tree_node_t *node, uint32_t at)
{
    vmm_tree_node_t *const left = vmm_tree_node_at(m, node->child[at]);
    vmm_tree_node_t *const right = vmm_tree_node_at(m, node->child[at + 1]);
    const uint32_t half = (left->count + right->count) / 2;
    if (left->count > half) {
        const uint32_t n = left->count - half;
        vmm_tree_open(right, 0, n);
        vmm_tree_copy(right, 0, left, half, n);
        vmm_tree_close(left, half, n);
    } else {
        const uint32_t n = half - left->count;
        vmm_tree_copy(left, left->count, right, 0, n);
        left->count = half;
        vmm_tree_close(right, 0, n);
    }
    vmm_tree_refresh(m, node, at);
    vmm_tree_refresh(m, node, at + 1);
}

/* Makes one of a child and the one after it. */
VMM_OUTLINE void vmm_tree_join(vmm_machine_t *m, vmm_tree_node_t *node, uint32_t at)
{
    const uint32_t number = node->child[at + 1];
    vmm_tree_node_t *const left = vmm_tree_node_at(m, node->child[at]), *const right = vmm_tree_node_at(m, number);
    vmm_tree_copy(left, left->count, right, 0, right->count);
    left->count += right->count;
    vmm_pool_give(m, &m->tree_nodes, number);
    vmm_tree_close(node, at + 1, 1);
    vmm_tree_refresh(m, node, at);
}

/* Makes room for an entry in a full child: with a neighbour's help if one has room, so that nodes fill up when areas
 * come in the order of their addresses, as they mostly do. */
VMM_OUTLINE void vmm_tree_relieve(vmm_machine_t *m, vmm_tree_node_t *node, uint32_t at)
{
    if (at > 0 && vmm_tree_node_at(m, node->child[at - 1])->count < VMM_TREE_FANOUT - 1) {
        vmm_tree_even(m, node, at - 1);
    } else if (at + 1 < node->count && vmm_tree_node_at(m, node->child[at + 1])->count < VMM_TREE_FANOUT - 1) {
        vmm_tree_even(m, node, at);
    } else {
        vmm_tree_split(m, node, at);
    }
}

/* Where the way to va goes on, at a node above leaves. */
VMM_INLINE uint32_t vmm_tree_branch(const vmm_tree_node_t *node, vmm_vaddr_t va)
{
    const uint32_t rank = vmm_tree_rank(node, va);
    return rank < node->count ? rank : node->count - 1;
}

/* Sees that no node on the way to va is full. From the root down, so that a node that is split has room above. */
VMM_OUTLINE void vmm_tree_make_room(vmm_space_t *s, vmm_vaddr_t va)
{
    vmm_machine_t *const m = vmm_machine_of(s);
    vmm_tree_node_t *node;
    uint32_t level;
    if (s->tree == 0) {
        s->tree = vmm_tree_node_make(m);
        s->tree_height = 1;
    }
    node = vmm_tree_node_at(m, s->tree);
    if (node->count == VMM_TREE_FANOUT) {
        const uint32_t number = vmm_tree_node_make(m);
        node = vmm_tree_node_at(m, number);
        node->child[0] = s->tree;
        node->count = 1;
        vmm_tree_refresh(m, node, 0);
        s->tree = number;
        s->tree_height++;
    }
    for (level = s->tree_height - 1; level > 0; level--) {
        uint32_t at = vmm_tree_branch(node, va);
        if (vmm_tree_node_at(m, node->child[at])->count == VMM_TREE_FANOUT) {
            vmm_tree_relieve(m, node, at);
            at = vmm_tree_branch(node, va);
        }
        node = vmm_tree_node_at(m, node->child[at]);
    }
}

/* Mends the way after its leaf lost an entry: nodes that became short get entries of a neighbour or join it. */
VMM_OUTLINE void vmm_tree_mend(vmm_space_t *s, const vmm_tree_path_t *path)
{
    vmm_machine_t *const m = vmm_machine_of(s);
    const vmm_tree_node_t *root = vmm_tree_node_at(m, s->tree);
    uint32_t level;
    for (level = 1; level < s->tree_height; level++) {
        vmm_tree_node_t *const node = path->step[level].node;
        const uint32_t at = path->step[level].at, left = at > 0 ? at - 1 : 0;
        if (path->step[level - 1].node->count >= VMM_TREE_LEAST) {
            vmm_tree_refresh(m, node, at);
        } else if (vmm_tree_node_at(m, node->child[left])->count + vmm_tree_node_at(m, node->child[left + 1])->count <=
                   VMM_TREE_FANOUT) {
            vmm_tree_join(m, node, left);
        } else {
            vmm_tree_even(m, node, left);
        }
    }
    if (root->count == (s->tree_height > 1 ? 1u : 0u)) {
        const uint32_t number = s->tree;
        s->tree = root->child[0];
        s->tree_height--;
        vmm_pool_give(m, &m->tree_nodes, number);
    }
}
/** @endcond */

/** The first area that ends above an address: the one that holds it, or else the next above (Linux's find_vma).
 *  @param s   the space
 *  @param va  virtual address
 *  @return its number; 0: none. O(log n), O(1) for the area that was found last. */
VMM_INLINE uint32_t vmm_area_after(vmm_space_t *s, vmm_vaddr_t va)
{
    if (VMM_LIKELY(va - s->recent_from < s->recent_end - s->recent_from)) return s->recent;
    return vmm_tree_find_anew(s, va);
}

/** The area that holds an address.
 *  @param s   the space
 *  @param va  virtual address
 *  @return its number; 0: none. O(log n), O(1) for the area that was found last. */
VMM_INLINE uint32_t vmm_area_with(vmm_space_t *s, vmm_vaddr_t va)
{
    const uint32_t number = vmm_area_after(s, va);
    return number != 0 && vmm_area_at(vmm_machine_of(s), number)->start <= va ? number : 0;
}

/** The lowest area of a space.
 *  @param s  the space
 *  @return its number; 0: there is none. O(log n). */
VMM_INLINE uint32_t vmm_area_first(const vmm_space_t *s)
{
    return vmm_tree_find(s, 0);
}

/** The highest area of a space.
 *  @param s  the space
 *  @return its number; 0: there is none. O(log n). */
VMM_OUTLINE uint32_t vmm_area_last(const vmm_space_t *s)
{
    uint32_t level, number = s->tree;
    for (level = s->tree_height; level > 0; level--) {
        const vmm_tree_node_t *const node = vmm_tree_node_at(vmm_machine_of(s), number);
        number = node->child[node->count - 1];
    }
    return number;
}

/** The area above another.
 *  @param s       the space
 *  @param number  the other, which is in the tree
 *  @return its number; 0: there is none. O(log n), in nodes that a run through all areas keeps in the cache. */
VMM_INLINE uint32_t vmm_area_next(const vmm_space_t *s, uint32_t number)
{
    return vmm_tree_find(s, vmm_area_at(vmm_machine_of(s), number)->end);
}

/** The area below another.
 *  @param s       the space
 *  @param number  the other, which is in the tree
 *  @return its number; 0: there is none. O(log n). */
VMM_OUTLINE uint32_t vmm_area_previous(const vmm_space_t *s, uint32_t number)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    vmm_tree_path_t path;
    uint32_t level;
    vmm_tree_seek(s, vmm_area_at(m, number)->start, &path);
    for (level = 0; level < s->tree_height && path.step[level].at == 0; level++) {}
    if (level == s->tree_height) return 0;
    number = path.step[level].node->child[path.step[level].at - 1];
    for (; level > 0; level--) {
        const vmm_tree_node_t *const node = vmm_tree_node_at(m, number);
        number = node->child[node->count - 1];
    }
    return number;
}

/** @cond internal */
/** Puts an area into its space's tree. Its start, end, flags and space are set, and no area overlaps it. O(log n).
 *  @param number the area. */
VMM_OUTLINE void vmm_area_insert(vmm_space_t *s, uint32_t number)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_area_t *const area = vmm_area_at(m, number);
    vmm_tree_path_t path;
    vmm_tree_node_t *leaf;
    uint32_t at;
    vmm_tree_forget(s);
    vmm_tree_make_room(s, area->start);
    vmm_tree_seek(s, area->start, &path);
    leaf = path.step[0].node;
    at = path.step[0].at;
    VMM_ASSERT(area->start < area->end && area->space == s->number);
    vmm_tree_open(leaf, at, 1);
    leaf->key[at] = area->end;
    leaf->child[at] = number;
    leaf->gap[at] = vmm_tree_gap(m, area, path.below);
    if (at + 1 < leaf->count) { /* else there is none above: a leaf's last key is known exactly */
        const vmm_area_t *const above = vmm_area_at(m, leaf->child[at + 1]);
        VMM_ASSERT(area->end <= above->start);
        leaf->gap[at + 1] = vmm_tree_gap(m, above, area->end);
    }
    vmm_tree_refresh_path(s, &path);
    s->areas++;
}

/** Takes an area out of its space's tree; its record stays. O(log n).
 *  @param number the area, with the bounds that it was inserted or resized to. */
VMM_OUTLINE void vmm_area_remove(vmm_space_t *s, uint32_t number)
{
    const vmm_area_t *const area = vmm_area_at(vmm_machine_of(s), number);
    vmm_tree_path_t path;
    uint32_t above;
    vmm_tree_seek(s, area->start, &path);
    VMM_ASSERT(path.step[0].node->child[path.step[0].at] == number);
    vmm_tree_close(path.step[0].node, path.step[0].at, 1);
    vmm_tree_mend(s, &path);
    s->areas--;
    vmm_tree_forget(s);
    above = vmm_tree_find(s, area->start);
    if (above != 0) vmm_tree_regap(s, above);
}

/** Gives an area other bounds; also to be called, with the same, after VMM_AREA_GROWS was set or cleared. O(log n).
 *  @param number the area; its record still has the old bounds.
 *  @param start new first byte; no area overlaps the new bounds, and none is between the old and the new.
 *  @param end new byte after the last. */
VMM_OUTLINE void vmm_area_resize(vmm_space_t *s, uint32_t number, vmm_vaddr_t start, vmm_vaddr_t end)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    vmm_area_t *const area = vmm_area_at(m, number);
    const bool moved = end != area->end;
    vmm_tree_path_t path;
    uint32_t above;
    vmm_tree_seek(s, area->start, &path);
    VMM_ASSERT(path.step[0].node->child[path.step[0].at] == number && path.below <= start && start < end);
    vmm_tree_forget(s);
    area->start = start;
    area->end = end;
    path.step[0].node->key[path.step[0].at] = end;
    path.step[0].node->gap[path.step[0].at] = vmm_tree_gap(m, area, path.below);
    vmm_tree_refresh_path(s, &path);
    if (!moved) return;
    above = vmm_tree_find(s, end);
    VMM_ASSERT(above == 0 || end <= vmm_area_at(m, above)->start);
    if (above != 0) vmm_tree_regap(s, above);
}

/* What a search for a gap wants. */
typedef struct vmm_gap {
    uint64_t bytes; /* of the area to be */
    uint64_t room;  /* that a gap needs for it: bytes, and what alignment may waste */
    vmm_vaddr_t low, high;
    uint64_t align;
    bool top_down;
} vmm_gap_t;

/* Whether a free stretch, cut to the bounds, has room, and where in it. */
VMM_OUTLINE bool vmm_gap_fits(const vmm_gap_t *g, vmm_vaddr_t start, vmm_vaddr_t end, vmm_vaddr_t *found)
{
    if (start < g->low) start = g->low;
    if (end > g->high) end = g->high;
    if (end < start || end - start < g->room) return false;
    *found = (g->top_down ? end - g->bytes : start + (g->align - 1)) & ~(g->align - 1);
    return true;
}

/* The same for the gap below the area at the end of a way. */
VMM_INLINE bool vmm_gap_fits_at(const vmm_machine_t *m, const vmm_gap_t *g, const vmm_tree_path_t *path,
                                vmm_vaddr_t *found)
{
    const vmm_tree_node_t *const leaf = path->step[0].node;
    const uint32_t at = path->step[0].at;
    const vmm_vaddr_t end = vmm_area_floor(m, vmm_area_at(m, leaf->child[at]));
    return vmm_gap_fits(g, end - leaf->gap[at], end, found);
}

/* The last entry before `at` with room or, bottom up, the first from it on; VMM_TREE_FANOUT: none. */
VMM_INLINE uint32_t vmm_gap_scan(const vmm_gap_t *g, const vmm_tree_node_t *node, uint32_t at)
{
    if (g->top_down) {
        while (at > 0 && node->gap[at - 1] < g->room) at--;
        return at > 0 ? at - 1 : VMM_TREE_FANOUT;
    }
    while (at < node->count && node->gap[at] < g->room) at++;
    return at < node->count ? at : VMM_TREE_FANOUT;
}

/* Leads a way on to the next gap with room, in the direction of the search, without regard to its bounds. */
VMM_OUTLINE bool vmm_gap_next(const vmm_space_t *s, const vmm_gap_t *g, vmm_tree_path_t *path)
{
    uint32_t level, at = VMM_TREE_FANOUT;
    for (level = 0; level < s->tree_height; level++) {
        at = vmm_gap_scan(g, path->step[level].node, path->step[level].at + (g->top_down ? 0 : 1));
        if (at < VMM_TREE_FANOUT) break;
    }
    if (level == s->tree_height) return false;
    for (path->step[level].at = at; level > 0; path->step[level].at = at) {
        vmm_tree_node_t *const node = vmm_tree_node_at(vmm_machine_of(s), path->step[level].node->child[at]);
        at = vmm_gap_scan(g, node, g->top_down ? node->count : 0);
        path->step[--level].node = node;
    }
    return true;
}

/** Looks for room for a new area. Only the gaps at the two bounds are narrower than the tree says, and every other with
 *  room will do, so three gaps at most are looked at: O(log n).
 *  @param bytes of the area, a multiple of the page size and not 0.
 *  @param low first byte that it may have.
 *  @param high byte after the last that it may have.
 *  @param align a power of two from the page size on: the address will be a multiple. With more than a page a gap must
 *         have room for bytes + align - page size, as in Linux, wherever in it the multiples happen to be.
 *  @param top_down the highest address in the highest gap, else the lowest in the lowest.
 *  @param found receives the address.
 *  @return VMM_OK; VMM_E_NO_FRAME: no gap has room. */
VMM_OUTLINE vmm_status_t vmm_area_gap(const vmm_space_t *s, uint64_t bytes, vmm_vaddr_t low, vmm_vaddr_t high,
                                      uint64_t align, bool top_down, vmm_vaddr_t *found)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t page = UINT64_C(1) << m->paging->page_shift;
    const vmm_tree_node_t *root;
    vmm_tree_path_t path;
    vmm_gap_t g;
    if (low > UINT64_MAX - (page - 1)) return VMM_E_NO_FRAME;
    g.bytes = bytes;
    g.room = bytes + (align - page);
    g.low = (low + (page - 1)) & ~(page - 1);
    g.high = high & ~(page - 1);
    g.align = align;
    g.top_down = top_down;
    if (g.room < bytes || g.low > g.high || g.room > g.high - g.low) return VMM_E_NO_FRAME;
    if (s->tree == 0) return vmm_gap_fits(&g, 0, UINT64_MAX, found) ? VMM_OK : VMM_E_NO_FRAME;
    vmm_tree_seek(s, top_down ? g.high : g.low, &path);
    if (path.step[0].at == path.step[0].node->count ? vmm_gap_fits(&g, path.below, UINT64_MAX, found)
                                                    : vmm_gap_fits_at(m, &g, &path, found))
        return VMM_OK;
    if (vmm_gap_next(s, &g, &path)) return vmm_gap_fits_at(m, &g, &path, found) ? VMM_OK : VMM_E_NO_FRAME;
    root = vmm_tree_node_at(m, s->tree);
    return vmm_gap_fits(&g, root->key[root->count - 1], UINT64_MAX, found) ? VMM_OK : VMM_E_NO_FRAME;
}

/* Whether a node alone keeps its invariants, and what it knows of nodes below it is true. */
VMM_OUTLINE bool vmm_tree_node_check(const vmm_space_t *s, const vmm_tree_node_t *node, uint32_t level)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const uint32_t least = level + 1 < s->tree_height ? VMM_TREE_LEAST : level > 0 ? 2 : 1;
    uint32_t i;
    if (node->count < least || node->count > VMM_TREE_FANOUT) return false;
    for (i = 0; i < VMM_TREE_FANOUT; i++) {
        if (i >= node->count) {
            if (node->key[i] != UINT64_MAX || node->child[i] != 0 || node->gap[i] != 0) return false;
            continue;
        }
        if (i > 0 && node->key[i - 1] >= node->key[i]) return false;
        if (node->child[i] == 0 || node->child[i] > (level > 0 ? m->tree_nodes : m->areas).fresh) return false;
        if (level > 0) {
            const vmm_tree_node_t *const child = vmm_tree_node_at(m, node->child[i]);
            if (child->count == 0 || child->count > VMM_TREE_FANOUT) return false;
            if (node->key[i] != child->key[child->count - 1] || node->gap[i] != vmm_tree_widest(child)) return false;
        }
    }
    return true;
}

/* Whether the areas of a leaf are as it says; *below is the end of the one before, and then of its last. */
VMM_OUTLINE bool vmm_tree_leaf_check(const vmm_space_t *s, const vmm_tree_node_t *leaf, vmm_vaddr_t *below)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t page = UINT64_C(1) << m->paging->page_shift;
    uint32_t i;
    for (i = 0; i < leaf->count; i++) {
        const vmm_area_t *const area = vmm_area_at(m, leaf->child[i]);
        if (area->space != s->number || area->end != leaf->key[i]) return false;
        if (area->start < *below || area->start >= area->end || ((area->start | area->end) & (page - 1))) return false;
        if (leaf->gap[i] != vmm_tree_gap(m, area, *below)) return false;
        *below = area->end;
    }
    return true;
}

/** Whether the tree of a space keeps its invariants: order, no overlap, gaps, fill, what nodes know of those below,
 *  the number of areas. O(n). */
VMM_OUTLINE bool vmm_area_tree_check(const vmm_space_t *s)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    vmm_vaddr_t below = 0;
    vmm_tree_path_t path;
    uint32_t areas = 0, level = s->tree_height;
    if (s->tree == 0) return level == 0 && s->areas == 0 && s->recent == 0 && s->recent_from == s->recent_end;
    if (level == 0 || level > VMM_TREE_HEIGHT || s->tree > m->tree_nodes.fresh) return false;
    path.step[--level].node = vmm_tree_node_at(m, s->tree);
    path.step[level].at = 0;
    while (level < s->tree_height) {
        const vmm_tree_node_t *const node = path.step[level].node;
        if (path.step[level].at == 0 && !vmm_tree_node_check(s, node, level)) return false;
        if (level > 0 && path.step[level].at < node->count) {
            path.step[level - 1].node = vmm_tree_node_at(m, node->child[path.step[level].at++]);
            path.step[--level].at = 0;
            continue;
        }
        if (level == 0) {
            if (!vmm_tree_leaf_check(s, node, &below)) return false;
            areas += node->count;
        }
        level++;
    }
    if (areas != s->areas) return false;
    if (s->recent == 0) return s->recent_from == s->recent_end;
    return s->recent_from < s->recent_end && vmm_tree_find(s, s->recent_from) == s->recent &&
           vmm_tree_find(s, s->recent_end - 1) == s->recent;
}
/** @endcond */
/** @} */

/** @cond internal */
/** Most levels of an index: 8 times 4 bits are the 32 of a page number. */
#define VMM_INDEX_HEIGHT 8

/** A node of an index: one cache line. Level 0 holds values, a level above numbers of nodes; 0: nothing there. */
typedef struct vmm_index_node {
    uint32_t slot[16]; /**< By 4 bits of the page number. */
} vmm_index_node_t;
/** @endcond */

/** @addtogroup vmm_page_objects
 *  @{ */

/** Which word belongs to which page of an object: a tree whose nodes have 16 slots. Invariants: no node is empty; the
 *  height is the least that reaches the highest page. All zeros is an empty one. */
typedef struct vmm_index {
    uint32_t root;   /**< Its top node; 0: empty. */
    uint32_t height; /**< Levels of nodes. */
    uint32_t count;  /**< Pages that have a word. */
} vmm_index_t;
/** @} */

/** @cond internal */
VMM_INLINE vmm_index_node_t *vmm_index_node_at(const vmm_machine_t *m, uint32_t number)
{
    VMM_ASSERT(number >= 1 && number <= m->index_nodes.count);
    return (vmm_index_node_t *)vmm_machine_part(m, m->index_nodes.offset) + (number - 1);
}

/* The slot of a node for a page. */
VMM_INLINE uint32_t *vmm_index_slot(const vmm_machine_t *m, uint32_t node, uint32_t level, uint32_t page)
{
    return &vmm_index_node_at(m, node)->slot[page >> (4 * level) & 15];
}

/* Levels that an index needs to reach a page. */
VMM_INLINE uint32_t vmm_index_levels(uint32_t page)
{
    uint32_t levels = 1;
    for (; page > 15; page >>= 4) levels++;
    return levels;
}

/* The highest slot of a node that has something, plus 1; 0: it is empty. */
VMM_INLINE uint32_t vmm_index_used(const vmm_index_node_t *node)
{
    uint32_t slot = 16;
    while (slot > 0 && node->slot[slot - 1] == 0) slot--;
    return slot;
}

VMM_OUTLINE uint32_t vmm_index_node_make(vmm_machine_t *m)
{
    const uint32_t number = vmm_pool_take(m, &m->index_nodes);
    VMM_ASSERT(number != 0);
    VMM_SET(vmm_index_node_at(m, number), 0, sizeof(vmm_index_node_t));
    return number;
}

/** The word of a page; 0: it has none. At most 8 nodes are read.
 *  @param page its number. */
VMM_INLINE uint32_t vmm_index_get(const vmm_machine_t *m, const vmm_index_t *x, uint32_t page)
{
    uint32_t level = x->height, at = x->root;
    if (level < VMM_INDEX_HEIGHT && page >> (4 * level) != 0) return 0;
    while (level-- > 0 && at != 0) at = *vmm_index_slot(m, at, level, page);
    return at;
}

/* The 16 words among which a page's is, the lowest first; null: none of them is set. */
VMM_INLINE const uint32_t *vmm_index_words(const vmm_machine_t *m, const vmm_index_t *x, uint32_t page)
{
    uint32_t level = x->height, at = x->root;
    if (level < VMM_INDEX_HEIGHT && page >> (4 * level) != 0) return NULL;
    while (level-- > 1 && at != 0) at = *vmm_index_slot(m, at, level, page);
    return at != 0 ? vmm_index_node_at(m, at)->slot : NULL;
}

/* Nodes that a page's word needs beside those there are. */
VMM_OUTLINE uint32_t vmm_index_lack(const vmm_machine_t *m, const vmm_index_t *x, uint32_t page)
{
    const uint32_t levels = vmm_index_levels(page);
    uint32_t level = x->height, at = x->root;
    if (at == 0) return levels;
    if (levels > level) return levels - level + levels - 1;
    while (--level > 0) {
        at = *vmm_index_slot(m, at, level, page);
        if (at == 0) return level;
    }
    return 0;
}

/** Gives a page a word, or another word. At most 8 nodes are read, and 15 taken.
 *  @param page its number.
 *  @param value the word, not 0.
 *  @return VMM_OK; VMM_E_NO_FRAME: nodes lack and nothing was changed, which cannot be if the page has a word. */
VMM_OUTLINE vmm_status_t vmm_index_set(vmm_machine_t *m, vmm_index_t *x, uint32_t page, uint32_t value)
{
    const uint32_t levels = vmm_index_levels(page);
    uint32_t level, at, *slot;
    VMM_ASSERT(value != 0);
    if (vmm_index_lack(m, x, page) > m->index_nodes.count - m->index_nodes.used) return VMM_E_NO_FRAME;
    if (x->root == 0) {
        x->root = vmm_index_node_make(m);
        x->height = levels;
    }
    for (; x->height < levels; x->height++) {
        const uint32_t top = vmm_index_node_make(m);
        vmm_index_node_at(m, top)->slot[0] = x->root;
        x->root = top;
    }
    for (level = x->height - 1, at = x->root; level > 0; level--, at = *slot) {
        slot = vmm_index_slot(m, at, level, page);
        if (*slot == 0) *slot = vmm_index_node_make(m);
    }
    slot = vmm_index_slot(m, at, 0, page);
    if (*slot == 0) x->count++;
    *slot = value;
    return VMM_OK;
}

/** Takes a page's word away, and the nodes that are empty then.
 *  @param page its number.
 *  @return the word; 0: it had none. */
VMM_OUTLINE uint32_t vmm_index_clear(vmm_machine_t *m, vmm_index_t *x, uint32_t page)
{
    const uint32_t value = vmm_index_get(m, x, page);
    uint32_t node[VMM_INDEX_HEIGHT], level;
    if (value == 0) return 0;
    x->count--;
    node[x->height - 1] = x->root;
    for (level = x->height - 1; level > 0; level--) node[level - 1] = *vmm_index_slot(m, node[level], level, page);
    for (; level < x->height; level++) {
        *vmm_index_slot(m, node[level], level, page) = 0;
        if (vmm_index_used(vmm_index_node_at(m, node[level])) != 0) break;
        vmm_pool_give(m, &m->index_nodes, node[level]);
    }
    if (level == x->height) {
        x->root = 0;
        x->height = 0;
    }
    while (x->height > 1 && vmm_index_used(vmm_index_node_at(m, x->root)) == 1) {
        const uint32_t top = x->root;
        x->root = vmm_index_node_at(m, top)->slot[0];
        x->height--;
        vmm_pool_give(m, &m->index_nodes, top);
    }
    return value;
}

/** The first page from a number on that has a word.
 *  @param from the number.
 *  @param page receives the page's.
 *  @param value receives its word.
 *  @return whether there is one. */
VMM_OUTLINE bool vmm_index_next(const vmm_machine_t *m, const vmm_index_t *x, uint32_t from, uint32_t *page,
                                uint32_t *value)
{
    const uint64_t end = UINT64_C(1) << (4 * x->height);
    uint32_t level = x->height, node = x->root, word;
    uint64_t at = from;
    if (node == 0) return false;
    while (at < end) {
        if (level == x->height) node = x->root, level--;
        word = *vmm_index_slot(m, node, level, (uint32_t)at);
        if (word == 0) { /* on to the next slot; behind the last of a node, again from the root */
            at = ((at >> (4 * level)) + 1) << (4 * level);
            if ((at >> (4 * level) & 15) == 0) level = x->height;
        } else if (level > 0) {
            node = word;
            level--;
        } else {
            *page = (uint32_t)at;
            *value = word;
            return true;
        }
    }
    return false;
}

/** Whether an index keeps its invariants. O(n). */
VMM_OUTLINE bool vmm_index_check(const vmm_machine_t *m, const vmm_index_t *x)
{
    uint32_t node[VMM_INDEX_HEIGHT], at[VMM_INDEX_HEIGHT], level = x->height, count = 0, slot;
    if (x->root == 0) return x->height == 0 && x->count == 0;
    if (level == 0 || level > VMM_INDEX_HEIGHT || x->root > m->index_nodes.fresh) return false;
    if (level > 1 && vmm_index_used(vmm_index_node_at(m, x->root)) == 1) return false;
    node[--level] = x->root;
    at[level] = 0;
    while (level < x->height) {
        const vmm_index_node_t *const n = vmm_index_node_at(m, node[level]);
        if (vmm_index_used(n) == 0) return false;
        if (level == 0) {
            for (slot = 0; slot < 16; slot++) count += n->slot[slot] != 0;
            level++;
        } else if (at[level] == 16) {
            level++;
        } else if ((slot = n->slot[at[level]++]) != 0) {
            if (slot > m->index_nodes.fresh) return false;
            node[--level] = slot;
            at[level] = 0;
        }
    }
    return count == x->count;
}
/** @endcond */

/* ============================================================== Part II  11. objects == */
/** @defgroup vmm_page_objects 11. Objects
 *  What areas show beside anonymous memory: files behind callbacks, and shared memory. An object knows which of its
 *  pages are in frames (the page cache) or in slots of swap.
 *  @{ */

/** Kinds of objects. */
enum vmm_object_kind {
    VMM_OBJECT_SHARED = 1, /**< Shared memory: zero at first, goes to swap under pressure. */
    VMM_OBJECT_FILE = 2    /**< A file: read and written by callbacks. */
};

/** How an object is made. */
typedef struct vmm_object_options {
    uint8_t kind;   /**< enum vmm_object_kind. */
    bool read_only; /**< Shared areas of it may not be written. A file without write_page is so by itself. */
    uint64_t size;  /**< Bytes; of a file with size_of: not used. */
    /** Reads a page of a file (number `page` from 0) into a frame; what lies behind the end is cleared by the machine.
     *  Not 0: it failed. */
    int (*read_page)(void *user, uint64_t page, void *to);
    /** Writes a page back, all of it. Not 0: it failed, the page stays dirty. */
    int (*write_page)(void *user, uint64_t page, const void *from);
    uint64_t (*size_of)(void *user); /**< Size of the file in bytes, asked at every fault; null: size. */
    void *user;                      /**< Passed to all three. */
    const char *name;                /**< For looking; 31 characters are kept. */
} vmm_object_options_t;

/** The page index of an object: a tree of nodes of 16. */
typedef struct vmm_object {
    vmm_object_options_t options; /**< As given; name points to the text below no more. */
    vmm_index_t pages;            /**< By page number: frame + 1, or VMM_PAGE_IN_SLOT and the slot. */
    uint32_t areas;               /**< One of the ring of its areas; 0: none. */
    uint32_t area_count;          /**< How many there are. */
    uint32_t references;          /**< Areas, and 1 until vmm_object_close. */
    bool closed;                  /**< By vmm_object_close. */
    bool io_error;                /**< A page could not be written back since msync last told. */
    char name[32];                /**< Its name. */
} vmm_object_t;

/** In the index of an object: the page is in a slot. */
#define VMM_PAGE_IN_SLOT UINT32_C(0x80000000)

/** @cond internal */
VMM_INLINE vmm_object_t *vmm_object_at(const vmm_machine_t *m, uint32_t number)
{
    return (vmm_object_t *)vmm_pool_at(m, &m->objects, number);
}

/* Pages that an object has; what lies behind the last is a bus error. */
VMM_INLINE uint64_t vmm_object_pages(const vmm_machine_t *m, const vmm_object_t *o)
{
    const unsigned shift = m->paging->page_shift;
    const uint64_t bytes = o->options.size_of ? o->options.size_of(o->options.user) : o->options.size;
    return (bytes >> shift) + ((bytes & vmm_low_mask(shift)) != 0);
}

VMM_INLINE void vmm_text_copy(char *to, const char *from, size_t room)
{
    size_t i = 0;
    for (; from && from[i] && i + 1 < room; i++) to[i] = from[i];
    to[i] = 0;
}

VMM_INLINE void vmm_object_attach(vmm_machine_t *m, uint32_t area)
{
    vmm_area_t *a = vmm_area_at(m, area);
    vmm_object_t *o = vmm_object_at(m, a->object);
    if (o->areas) {
        vmm_area_t *first = vmm_area_at(m, o->areas);
        a->next = o->areas;
        a->previous = first->previous;
        vmm_area_at(m, first->previous)->next = area;
        first->previous = area;
    } else {
        a->next = a->previous = area;
        o->areas = area;
    }
    o->area_count++;
    o->references++;
}
/** @endcond */

/** Makes an object. Areas show it by vmm_mmap; it goes when it was closed and no area shows it any more.
 *  @param m        the machine
 *  @param options  what it is; copied
 *  @param object   receives its number
 *  @return VMM_OK; VMM_E_ARGUMENT for another kind, or a file without read_page; VMM_E_RANGE when it has more than
 *  2^31 pages; VMM_E_NO_FRAME when there are options.objects already. O(1). */
VMM_OUTLINE vmm_status_t vmm_object_create(vmm_machine_t *m, const vmm_object_options_t *options, uint32_t *object)
{
    vmm_object_t *o;
    uint32_t number;
    if (options->kind != VMM_OBJECT_SHARED && options->kind != VMM_OBJECT_FILE) return VMM_E_ARGUMENT;
    if (options->kind == VMM_OBJECT_FILE && !options->read_page) return VMM_E_ARGUMENT;
    if (!options->size_of && options->size >> m->paging->page_shift >> 31) return VMM_E_RANGE;
    number = vmm_pool_take(m, &m->objects);
    if (!number) return VMM_E_NO_FRAME;
    o = vmm_object_at(m, number);
    VMM_SET(o, 0, sizeof *o);
    o->options = *options;
    o->options.name = NULL;
    if (o->options.kind == VMM_OBJECT_FILE && !o->options.write_page) o->options.read_only = true;
    vmm_text_copy(o->name, options->name, sizeof o->name);
    o->references = 1;
    *object = number;
    return VMM_OK;
}
/** @} */

/* ========================================================== Part II  12. reverse map == */
/** @defgroup vmm_reverse 12. Reverse map
 *  From a frame to every entry that maps it, and what goes with an entry that comes or goes: counts, slots, frames
 *  that nobody needs any more.
 *  @{ */

/** @cond internal */
VMM_INLINE vmm_resident_t *vmm_resident_of(vmm_machine_t *m, uint32_t frame)
{
    const uint32_t space = m->set_offset ? *vmm_set_of(m, frame) : 0;
    return space ? &vmm_space_at(m, space)->resident : &m->resident;
}

/* The policy is told of a page that came, with nothing kept of the one before. */
VMM_INLINE void vmm_resident_begin(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    uint32_t *word = vmm_words_of(m, frame);
    unsigned left = m->options.replacement->words;
    *vmm_age_of(m, frame) = 0;
    for (; left > 0; left--) *word++ = 0;
    set->policy->enter(m, set, frame);
}

/* A page that came into a frame can be taken from now on. */
VMM_INLINE void vmm_resident_enter(vmm_machine_t *m, const vmm_space_t *s, uint32_t frame)
{
    vmm_resident_t *set;
    if (m->set_offset) *vmm_set_of(m, frame) = (uint16_t)(s ? s->number : 0);
    set = vmm_resident_of(m, frame);
    vmm_resident_begin(m, set, frame);
}

VMM_INLINE void vmm_resident_leave(vmm_machine_t *m, uint32_t frame)
{
    vmm_resident_t *set = vmm_resident_of(m, frame);
    if (!(vmm_frame_at(m, frame)->kind >> 4)) return;
    set->policy->leave(m, set, frame);
}

VMM_INLINE void vmm_resident_touch(vmm_machine_t *m, uint32_t frame)
{
    vmm_resident_t *set = vmm_resident_of(m, frame);
    if (set->policy->touch && vmm_frame_at(m, frame)->kind >> 4) set->policy->touch(m, set, frame);
}

/* Whose an anonymous page is, in 32 bits: its kin, and what its page number has beyond 32 bits. */
VMM_INLINE uint32_t vmm_anon_owner(uint32_t kin, uint64_t page)
{
    return kin | (uint32_t)(page >> 32) << 16;
}

/** @endcond */

/** Whose page a frame holds: what its record says, or the record of its slot, where it has one.
 *  @param m      the machine
 *  @param frame  its number
 *  @param owner  receives the kin, in its low 16 bits, or the object
 *  @param index  receives the page number
 *  O(1). */
VMM_INLINE void vmm_frame_identity(const vmm_machine_t *m, uint32_t frame, uint32_t *owner, uint32_t *index)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    const vmm_slot_t *slot;
    *owner = f->owner;
    *index = f->index;
    if (!(f->flags & VMM_FRAME_SWAP)) return;
    slot = vmm_slot_at(m, f->index);
    *owner = slot->owner;
    *index = slot->index;
}

/** @cond internal */
/* The page number by which the anonymous page at an address of an area is known. */
VMM_INLINE uint64_t vmm_area_home(const vmm_machine_t *m, const vmm_area_t *a, vmm_vaddr_t va)
{
    return a->home + ((va - a->start) >> m->paging->page_shift);
}

/* The page of its object that an address of an area shows. */
VMM_INLINE uint64_t vmm_area_page(const vmm_machine_t *m, const vmm_area_t *a, vmm_vaddr_t va)
{
    return a->offset + ((va - a->start) >> m->paging->page_shift);
}

VMM_INLINE bool vmm_area_is_moved(const vmm_machine_t *m, uint32_t number)
{
    return (vmm_area_at(m, number)->flags & VMM_AREA_MOVED) != 0;
}

/* Where a frame may be mapped. After vmm_places_next: an entry that does map it. */
typedef struct vmm_place {
    vmm_space_t *space;
    uint32_t area;
    vmm_vaddr_t va;
    uint8_t *entry;
    unsigned level;
    vmm_pte_t pte;
    uint32_t frame, left; /* left: entries that are still to be found */
    uint64_t page;        /* known by this number */
    uint32_t kin_left;    /* spaces that are still to be asked */
    uint32_t ring_left;   /* areas of the object likewise */
    bool moved;           /* the space's moved areas are next */
} vmm_place_t;

VMM_INLINE vmm_place_t vmm_places(const vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_place_t at;
    uint32_t owner, index;
    VMM_SET(&at, 0, sizeof at);
    at.frame = frame;
    at.left = f->mappings;
    if (!at.left) return at; /* a pinned page may have outlived its kin */
    vmm_frame_identity(m, frame, &owner, &index);
    at.page = index;
    if (vmm_frame_kind(f) == VMM_FRAME_ANON) {
        const vmm_kin_t *kin = vmm_kin_at(m, owner & 0xffff);
        at.page |= (uint64_t)(owner >> 16) << 32;
        at.kin_left = kin->count;
        at.space = vmm_space_at(m, kin->first);
    } else if (vmm_frame_kind(f) == VMM_FRAME_CACHE) {
        at.ring_left = vmm_object_at(m, owner)->area_count;
        at.area = vmm_object_at(m, owner)->areas;
    } else {
        at.left = 0;
    }
    return at;
}

/* Does the area at hand map the frame where it should? `first` is the number of its first page. */
VMM_INLINE bool vmm_place_holds(const vmm_machine_t *m, vmm_place_t *at, uint64_t first)
{
    const vmm_area_t *a = vmm_area_at(m, at->area);
    const unsigned shift = m->paging->page_shift;
    uint32_t number = 0;
    unsigned kind;
    if (at->page < first || at->page - first >= (a->end - a->start) >> shift) return false;
    at->space = vmm_space_at(m, a->space);
    at->va = a->start + ((at->page - first) << shift);
    at->entry = vmm_entry_find(m, at->space, at->va, &at->level);
    if (!at->entry) return false;
    at->pte = vmm_pte_load(m->paging, at->entry);
    kind = vmm_entry_read(m, at->pte, &number);
    if (at->level) number += (uint32_t)((at->va & vmm_low_mask(vmm_level_shift(m->paging, at->level))) >> shift);
    if ((kind != VMM_ENTRY_PAGE && kind != VMM_ENTRY_PARKED) || number != at->frame) return false;
    at->left--;
    return true;
}

/* The next area of the kin that may map the frame: in each space the one at its own address, then the moved ones. */
VMM_INLINE bool vmm_places_kin(vmm_machine_t *m, vmm_place_t *at)
{
    while (at->kin_left) {
        if (!at->moved) {
            at->moved = true;
            at->area = vmm_area_with(at->space, at->page << m->paging->page_shift);
            if (at->area && !vmm_area_is_moved(m, at->area)) return true;
            at->area = 0;
        }
        at->area = at->area && vmm_area_is_moved(m, at->area) ? vmm_area_at(m, at->area)->moved_next : at->space->moved;
        if (at->area) return true;
        at->kin_left--;
        at->moved = false;
        at->space = vmm_space_at(m, at->space->kin_next);
    }
    return false;
}

VMM_OUTLINE bool vmm_places_next(vmm_machine_t *m, vmm_place_t *at)
{
    while (at->left && at->kin_left) {
        if (!vmm_places_kin(m, at)) return false;
        if (vmm_place_holds(m, at, vmm_area_at(m, at->area)->home)) return true;
    }
    while (at->left && at->ring_left) {
        const uint32_t now = at->area, next = vmm_area_at(m, now)->next;
        bool holds;
        at->ring_left--;
        holds = vmm_place_holds(m, at, vmm_area_at(m, now)->offset);
        at->area = next;
        if (holds) return true;
    }
    return false;
}

/* -- marks of a page, over all its entries -- */

VMM_INLINE bool vmm_pte_is_dirty(const vmm_paging_t *p, vmm_pte_t pte)
{
    return p->dirty ? vmm_pte_grants(p, pte, p->dirty) : vmm_pte_grants(p, pte, p->write);
}

/* An entry with a right or mark taken away or given. */
VMM_INLINE vmm_pte_t vmm_pte_with(const vmm_paging_t *p, vmm_pte_t pte, vmm_pte_t bit, bool grant)
{
    return (pte & ~bit) | vmm_pte_bit(p, bit, grant);
}

/* A huge leaf has one mark for all of its pages: before it is taken away each page notes it for itself. */
VMM_OUTLINE void vmm_huge_mark(vmm_machine_t *m, const vmm_place_t *at)
{
    const uint64_t inside = at->va & vmm_low_mask(vmm_level_shift(m->paging, at->level));
    const uint32_t first = at->frame - (uint32_t)(inside >> m->paging->page_shift);
    const uint32_t count = UINT32_C(1) << (vmm_level_shift(m->paging, at->level) - m->paging->page_shift);
    uint32_t i;
    for (i = 0; i < count; i++) vmm_frame_at(m, first + i)->flags |= VMM_FRAME_REFERENCED;
}

/** @endcond */

/** Tells whether a page was used since somebody last asked, by the accessed bits of all its entries and
 *  VMM_FRAME_REFERENCED; both are cleared.
 *  @param m      the machine
 *  @param frame  its number
 *  @return whether it was. O(mappings found through its kin or object). Calls flush. */
VMM_OUTLINE bool vmm_frame_referenced(vmm_machine_t *m, uint32_t frame)
{
    const vmm_paging_t *p = m->paging;
    vmm_frame_t *f = vmm_frame_at(m, frame);
    bool referenced = (f->flags & VMM_FRAME_REFERENCED) != 0;
    vmm_place_t at;
    if (!f->mappings) {
        f->flags &= (uint8_t)~VMM_FRAME_REFERENCED;
        return referenced;
    }
    at = vmm_places(m, frame);
    while (p->accessed && vmm_places_next(m, &at)) {
        if (!(at.pte & p->valid) || !vmm_pte_grants(p, at.pte, p->accessed)) continue;
        if (at.level && referenced) continue; /* the mark is for others to find */
        if (at.level) vmm_huge_mark(m, &at);
        while (!vmm_pte_swap(p, at.entry, at.pte, vmm_pte_with(p, at.pte, p->accessed, false)))
            at.pte = vmm_pte_load(p, at.entry);
        vmm_flush_stretch(m, at.space, at.va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
        referenced = true;
    }
    f->flags &= (uint8_t)~VMM_FRAME_REFERENCED;
    return referenced;
}

/** Tells whether a page would have to be written before its frame could be taken.
 *  @param m      the machine
 *  @param frame  its number
 *  @return whether it would. O(mappings), as vmm_frame_referenced. */
VMM_OUTLINE bool vmm_frame_dirty(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_place_t at;
    if (f->flags & VMM_FRAME_DIRTY) return true;
    if (vmm_frame_kind(f) == VMM_FRAME_ANON && !(f->flags & (VMM_FRAME_SWAP | VMM_FRAME_LAZY))) return true;
    if (!f->mappings) return false;
    at = vmm_places(m, frame);
    while (vmm_places_next(m, &at))
        if ((at.pte & m->paging->valid) && vmm_pte_is_dirty(m->paging, at.pte)) return true;
    return false;
}

/** @cond internal */
VMM_INLINE bool vmm_frame_is_shared_memory(const vmm_machine_t *m, const vmm_frame_t *f)
{
    return vmm_frame_kind(f) == VMM_FRAME_CACHE && vmm_object_at(m, f->owner)->options.kind == VMM_OBJECT_SHARED;
}

VMM_OUTLINE bool vmm_latest_holds(const vmm_machine_t *m, uint32_t frame)
{
    uint32_t i;
    for (i = 0; i < VMM_LATEST; i++)
        if (m->latest.frame[i] == frame) return true;
    return false;
}
/** @endcond */

/** Tells whether a policy may choose a frame: not while it is held, nor when its page has nowhere to go, nor when an
 *  instruction would never have all of its pages.
 *  @param m      the machine
 *  @param frame  its number
 *  @return whether it may. O(1). */
VMM_INLINE bool vmm_frame_takeable(const vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->flags & (VMM_FRAME_BUSY | VMM_FRAME_PINNED | VMM_FRAME_LOCKED)) return false;
    if (VMM_UNLIKELY(m->latest.again >= VMM_LATEST) && vmm_latest_holds(m, frame)) return false;
    if (m->slots_used < m->slot_count || f->flags & (VMM_FRAME_SWAP | VMM_FRAME_LAZY)) return true;
    return vmm_frame_kind(f) == VMM_FRAME_CACHE && !vmm_frame_is_shared_memory(m, f);
}

/** @cond internal */
/* -- slots -- */

VMM_INLINE vmm_swap_t *vmm_swap_of(vmm_machine_t *m, uint32_t slot)
{
    uint32_t i;
    for (i = 0; i + 1 < m->swaps; i++)
        if (slot - m->swap[i].first < m->swap[i].area.slots) break;
    return &m->swap[i];
}

/* A slot that neither entries nor a frame need any more. */
VMM_INLINE void vmm_slot_settle(vmm_machine_t *m, uint32_t slot)
{
    const vmm_slot_t *record = vmm_slot_at(m, slot);
    if (record->count || record->frame != VMM_NO_FRAME) return;
    vmm_swap_of(m, slot)->used--;
    m->slots_used--;
}

/* Parts a frame from its slot: its record says again what it holds. */
VMM_INLINE void vmm_frame_leave_slot(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    const uint32_t slot = f->index;
    if (!(f->flags & VMM_FRAME_SWAP)) return;
    vmm_frame_identity(m, frame, &f->owner, &f->index);
    f->flags = (uint8_t)((f->flags & ~VMM_FRAME_SWAP) | VMM_FRAME_DIRTY);
    vmm_slot_at(m, slot)->frame = VMM_NO_FRAME;
    vmm_slot_settle(m, slot);
}

/* -- pages that end -- */

/* Chains of merged frames by checksum: frame numbers plus 1, a word a bucket. */
VMM_INLINE uint32_t *vmm_merge_chains(const vmm_machine_t *m)
{
    return (uint32_t *)vmm_machine_part(m, m->merge_offset);
}

VMM_OUTLINE void vmm_merge_unlink(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->next != VMM_NO_FRAME) vmm_frame_at(m, f->next)->previous = f->previous;
    if (f->previous != VMM_NO_FRAME) vmm_frame_at(m, f->previous)->next = f->next;
    else vmm_merge_chains(m)[f->owner & (m->merge_buckets - 1)] = f->next + 1; /* VMM_NO_FRAME becomes 0 */
}

/* The page in a frame is gone: the frame is free. */
VMM_OUTLINE void vmm_page_free(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    VMM_ASSERT(f->mappings == 0);
    vmm_resident_leave(m, frame);
    vmm_frame_leave_slot(m, frame);
    if (vmm_frame_kind(f) == VMM_FRAME_MERGED) vmm_merge_unlink(m, frame);
    if (vmm_frame_kind(f) == VMM_FRAME_CACHE) m->pages_cache--;
    else m->pages_anon--;
    vmm_frame_give(m, frame, 0);
}

/* A frame that lost an entry: an anonymous page that nothing stands for any more is gone. */
VMM_INLINE void vmm_page_settle(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->mappings || f->flags & (VMM_FRAME_BUSY | VMM_FRAME_PINNED) || vmm_frame_kind(f) == VMM_FRAME_CACHE) return;
    if (f->flags & VMM_FRAME_SWAP && vmm_slot_at(m, f->index)->count) return;
    vmm_page_free(m, frame);
}

/* One entry less stands for a slot. */
VMM_OUTLINE void vmm_slot_put(vmm_machine_t *m, uint32_t slot)
{
    vmm_slot_t *record = vmm_slot_at(m, slot);
    VMM_ASSERT(record->count);
    if (--record->count) return;
    if (record->frame == VMM_NO_FRAME) vmm_slot_settle(m, slot);
    else vmm_page_settle(m, record->frame);
}

/* -- entries that come and go -- */

/* The counter of resident pages that a frame belongs to. */
VMM_INLINE uint64_t *vmm_resident_counter(const vmm_machine_t *m, vmm_space_t *s, const vmm_frame_t *f)
{
    if (vmm_frame_kind(f) != VMM_FRAME_CACHE) return &s->stats.anon;
    return vmm_frame_is_shared_memory(m, f) ? &s->stats.shared : &s->stats.file;
}

/* More is resident than before: maybe more than ever. */
VMM_INLINE void vmm_resident_peak(vmm_space_t *s)
{
    const uint64_t now = s->stats.anon + s->stats.file + s->stats.shared;
    if (now > s->stats.most) s->stats.most = now;
}

/* An entry of a space maps a frame from now on. */
VMM_INLINE void vmm_page_mapped(vmm_machine_t *m, vmm_space_t *s, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    if (frame == m->zero_frame) return;
    f->mappings++;
    ++*vmm_resident_counter(m, s, f);
    vmm_resident_peak(s);
}

/* An entry of a space maps a frame no more. `dirty`: its mark. */
VMM_INLINE void vmm_page_unmapped(vmm_machine_t *m, vmm_space_t *s, uint32_t frame, bool dirty)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    if (frame == m->zero_frame) return;
    if (dirty) f->flags |= VMM_FRAME_DIRTY;
    f->mappings--;
    --*vmm_resident_counter(m, s, f);
}

/* A locked area has one page less: whether another area locks it is found out when it is chosen. */
VMM_INLINE void vmm_page_unlock(vmm_machine_t *m, const vmm_space_t *s, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    if (!(f->flags & VMM_FRAME_LOCKED)) return;
    f->flags &= (uint8_t)~VMM_FRAME_LOCKED;
    vmm_resident_enter(m, s, frame);
}

/* What an entry stood for is let go; the entry is to be overwritten by the caller. */
VMM_INLINE void vmm_entry_release(vmm_machine_t *m, vmm_space_t *s, vmm_pte_t pte, unsigned level)
{
    const unsigned shift = vmm_level_shift(m->paging, level) - m->paging->page_shift;
    const bool dirty = vmm_pte_is_dirty(m->paging, pte);
    uint32_t number = 0, i;
    const unsigned kind = vmm_entry_read(m, pte, &number);
    if (kind == VMM_ENTRY_NONE) return;
    if (kind == VMM_ENTRY_SLOT) {
        s->stats.swapped--;
        vmm_slot_put(m, number);
        return;
    }
    if (level) s->stats.huge--;
    for (i = 0; i < UINT32_C(1) << shift; i++, number++) {
        if (number == m->zero_frame) continue;
        /* Whoever else maps an anonymous page has a mark of his own. */
        vmm_page_unmapped(m, s, number,
                          dirty && kind == VMM_ENTRY_PAGE && vmm_frame_kind(vmm_frame_at(m, number)) != VMM_FRAME_ANON);
        vmm_page_unlock(m, s, number);
        vmm_page_settle(m, number);
    }
}

/* A huge leaf becomes a table of entries one level down. VMM_E_NO_FRAME: no frame for the table. */
VMM_OUTLINE vmm_status_t vmm_huge_split(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_paging_t *p = m->paging;
    unsigned level;
    uint8_t *entry = vmm_entry_find(m, s, va, &level), *host;
    uint32_t frame;
    uint64_t i, count;
    vmm_pte_t pte;
    if (!entry || level == 0) return VMM_OK;
    frame = vmm_table_new(m, s, level - 1u);
    if (frame == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    host = vmm_frame_host(m, frame);
    count = UINT64_C(1) << p->index_bits[level - 1u];
    do {
        pte = vmm_pte_load(p, entry);
        for (i = 0; i < count; i++) vmm_pte_store(p, host + i * p->pte_bytes, vmm_pte_piece(p, pte, level, i));
    } while (!vmm_pte_swap(p, entry, pte, vmm_pte_pointer(p, vmm_frame_paddr(m, frame), level)));
    vmm_frame_at(m, frame)->mappings = (uint16_t)count;
    s->stats.huge--;
    m->stats.huge_split++;
    vmm_tell(m, VMM_EVENT_SPLIT, s, va & ~vmm_low_mask(vmm_level_shift(p, level)), 0, 0);
    vmm_flush_stretch(m, s, va & ~vmm_low_mask(vmm_level_shift(p, level)), UINT64_C(1) << vmm_level_shift(p, level),
                      VMM_FLUSH_TABLE);
    return VMM_OK;
}

/* Clears a stretch of a space: what its entries stood for is let go, and so are tables that become empty. Huge
 * leaves lie wholly inside (vmm_huge_cut saw to that). */
VMM_OUTLINE void vmm_zap(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    const unsigned bytes = m->paging->pte_bytes;
    const uint64_t tables = s->stats.tables;
    vmm_vaddr_t va = start;
    vmm_run_t run;
    uint64_t cleared = 0;
    while (vmm_run_next(m, s, &va, end, &run)) {
        for (; run.count; run.count--, run.entry += bytes) {
            if (!vmm_pte_load(m->paging, run.entry)) continue;
            vmm_entry_release(m, s, vmm_entry_put(m, run.entry, run.level, 0), run.level);
            cleared++;
        }
        vmm_tables_prune(m, s, run.va);
    }
    if (cleared || tables != s->stats.tables)
        vmm_flush_stretch(m, s, start, end - start, tables != s->stats.tables ? VMM_FLUSH_TABLE : VMM_FLUSH_CHANGED);
}

/* -- objects that lose pages -- */

/* Takes a page of an object out of every space that maps it; its dirty marks are gathered. */
VMM_OUTLINE void vmm_page_unmap_all(vmm_machine_t *m, uint32_t frame)
{
    vmm_place_t at = vmm_places(m, frame);
    while (vmm_places_next(m, &at)) {
        at.pte = vmm_entry_put(m, at.entry, at.level, 0);
        vmm_page_unmapped(m, at.space, frame, (at.pte & m->paging->valid) && vmm_pte_is_dirty(m->paging, at.pte));
        vmm_flush_stretch(m, at.space, at.va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
    }
}

/* Forgets the pages of an object from one on: frames, slots; what was not written back is lost. */
VMM_OUTLINE void vmm_object_drop(vmm_machine_t *m, uint32_t object, uint32_t from)
{
    vmm_object_t *o = vmm_object_at(m, object);
    uint32_t page = from, value;
    while (vmm_index_next(m, &o->pages, page, &page, &value)) {
        (void)vmm_index_clear(m, &o->pages, page);
        if (value & VMM_PAGE_IN_SLOT) {
            vmm_slot_put(m, value & ~VMM_PAGE_IN_SLOT);
        } else {
            vmm_page_unmap_all(m, value - 1);
            vmm_page_free(m, value - 1);
        }
        if (page++ == UINT32_MAX) break;
    }
}

/* Writes a page of a file back, if it is dirty. An error is remembered for msync; the page stays dirty. */
VMM_OUTLINE vmm_status_t vmm_page_clean(vmm_machine_t *m, uint32_t frame)
{
    const vmm_paging_t *p = m->paging;
    vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_object_t *o = vmm_object_at(m, f->owner);
    vmm_place_t at = vmm_places(m, frame);
    if (o->options.kind != VMM_OBJECT_FILE || !vmm_frame_dirty(m, frame)) return VMM_OK;
    while (vmm_places_next(m, &at)) {
        if (!(at.pte & p->valid) || !vmm_pte_is_dirty(p, at.pte)) continue;
        while (!vmm_pte_swap(p, at.entry, at.pte, vmm_pte_with(p, at.pte, p->dirty ? p->dirty : p->write, false)))
            at.pte = vmm_pte_load(p, at.entry);
        vmm_flush_stretch(m, at.space, at.va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
    }
    f->flags |= VMM_FRAME_DIRTY;
    if (!o->options.write_page || o->options.write_page(o->options.user, f->index, vmm_frame_host(m, frame))) {
        m->stats.io_errors++;
        o->io_error = true;
        return VMM_E_IO;
    }
    f->flags &= (uint8_t)~VMM_FRAME_DIRTY;
    m->stats.file_writes++;
    vmm_tell(m, VMM_EVENT_WRITE, NULL, 0, vmm_frame_paddr(m, frame), f->index);
    return VMM_OK;
}

/* Writes the dirty pages of a file back, in [from, end). The first error is told, all are tried. */
VMM_OUTLINE vmm_status_t vmm_object_clean(vmm_machine_t *m, uint32_t object, uint64_t from, uint64_t end)
{
    vmm_object_t *o = vmm_object_at(m, object);
    vmm_status_t status = VMM_OK;
    uint32_t page = (uint32_t)from, value;
    if (from > UINT32_MAX) return VMM_OK;
    while (vmm_index_next(m, &o->pages, page, &page, &value) && page < end) {
        if (!(value & VMM_PAGE_IN_SLOT) && vmm_page_clean(m, value - 1) != VMM_OK) status = VMM_E_IO;
        if (page++ == UINT32_MAX) break;
    }
    return status;
}

/* One reference less; the last one takes the object with it. Pages that cannot be written back are lost then. */
VMM_OUTLINE void vmm_object_put(vmm_machine_t *m, uint32_t object)
{
    vmm_object_t *o = vmm_object_at(m, object);
    if (--o->references) return;
    (void)vmm_object_clean(m, object, 0, UINT64_MAX);
    vmm_object_drop(m, object, 0);
    vmm_pool_give(m, &m->objects, object);
}

VMM_OUTLINE void vmm_object_detach(vmm_machine_t *m, uint32_t area)
{
    vmm_area_t *a = vmm_area_at(m, area);
    vmm_object_t *o = vmm_object_at(m, a->object);
    vmm_area_at(m, a->previous)->next = a->next;
    vmm_area_at(m, a->next)->previous = a->previous;
    if (o->areas == area) o->areas = a->next == area ? 0 : a->next;
    o->area_count--;
    vmm_object_put(m, a->object);
}
/** @endcond */

/** @cond internal */
/* The bytes behind the end of an object become zero in its last page, if that is in a frame. */
VMM_OUTLINE void vmm_object_clear_tail(vmm_machine_t *m, vmm_object_t *o, uint64_t size)
{
    const uint64_t page = vmm_page_bytes(m), inside = size & (page - 1);
    const uint32_t value = inside ? vmm_index_get(m, &o->pages, (uint32_t)(size >> m->paging->page_shift)) : 0;
    if (!value || value & VMM_PAGE_IN_SLOT) return;
    VMM_SET(vmm_frame_host(m, value - 1) + inside, 0, (size_t)(page - inside));
    if (o->options.kind == VMM_OBJECT_SHARED) vmm_frame_at(m, value - 1)->flags |= VMM_FRAME_DIRTY;
}
/** @endcond */

/** A file with size_of became shorter: its pages behind the end are forgotten, as vmm_object_truncate does.
 *  @param m       the machine
 *  @param object  its number */
VMM_OUTLINE void vmm_object_shrunk(vmm_machine_t *m, uint32_t object)
{
    vmm_object_t *o = vmm_object_at(m, object);
    const uint64_t size = o->options.size_of ? o->options.size_of(o->options.user) : o->options.size;
    const uint64_t page = vmm_page_bytes(m), pages = vmm_object_pages(m, o);
    uint32_t area = o->areas, left = o->area_count;
    for (; left; left--, area = vmm_area_at(m, area)->next) { /* private copies behind the end */
        const vmm_area_t *a = vmm_area_at(m, area);
        const uint64_t kept = pages > a->offset ? (pages - a->offset) * page : 0;
        if (kept < a->end - a->start) vmm_zap(m, vmm_space_at(m, a->space), a->start + kept, a->end);
    }
    if (pages <= UINT32_MAX) vmm_object_drop(m, object, (uint32_t)pages);
    vmm_object_clear_tail(m, o, size);
}

/** The program has no use for an object any more: it goes with the last area that shows it.
 *  @param m       the machine
 *  @param object  its number
 *  @return VMM_OK; VMM_E_BUSY when it was closed already. O(pages), if it goes; calls write_page. */
VMM_OUTLINE vmm_status_t vmm_object_close(vmm_machine_t *m, uint32_t object)
{
    vmm_object_t *o = vmm_object_at(m, object);
    if (o->closed) return VMM_E_BUSY;
    o->closed = true;
    vmm_object_put(m, object);
    return VMM_OK;
}
/** @} */

/* ============================================================= Part II  13. reclaim == */
/** @defgroup vmm_reclaim 13. Reclaim
 *  Which page gives up its frame, and how: the replacement policies, and the writing of pages to swap and files.
 *
 *  A policy (vmm_replacement_t) keeps the frames of a resident set in up to four lists and is told what happens to
 *  them. Ours hold the newest page first. A new set has empty lists, word[] 0 and hand VMM_NO_FRAME.
 *
 *  How a policy learns of uses: `touch` tells it some, the accessed bits the others, and of those it is known only that
 *  there was one since they were last cleared. Told of every use (a trace, an emulator that calls vmm_touch) with the
 *  bits left alone, every policy is exactly that of its paper. With the bits, those of one page's uses that no look
 *  separates count once. The instruction that faulted sets the bit of its own page when it runs again; policies for
 *  which a page that was used just once differs from one that was used again (clock, SIEVE, ARC) do not count it: they
 *  hold a page that they have not looked at to be fresh, and clear the bits of fresh pages at the next tick.
 *
 *  | policy | a fault | a victim | a tick | remembers ghosts |
 *  |---|---|---|---|---|
 *  | fifo | O(1) | O(1) | | |
 *  | clock, clock_set | O(1) | O(1) amortised, O(n) | O(entered since the last) | |
 *  | enhanced | O(1) | O(n) | | |
 *  | lru | O(1) | O(1) amortised, O(n) | | |
 *  | mru | O(1) | O(1) | O(n) | |
 *  | nru, aging, lfu, mfu | O(1) | O(n) | O(n) | |
 *  | random | O(1) | O(n) | | |
 *  | wsclock | O(1) | O(n) | O(n) | |
 *  | working_set, pff | O(1) | O(1) amortised, O(n) | O(what is surplus) | |
 *  | two_lists | O(1) | O(1) amortised, O(n) | | |
 *  | 2q | O(1) | O(1) amortised, O(n) | | of A1in |
 *  | arc | O(1) | O(1) amortised, O(n) | O(entered since the last) | of both lists |
 *  | lirs | O(1) | O(1) amortised, O(n) | | of HIR pages |
 *  | sieve | O(1) | O(1) amortised, O(n) | O(entered since the last) | |
 *  | s3fifo | O(1) | O(1) amortised, O(n) | O(n / 10) | of the small queue |
 *
 *  n is the number of frames in the set. Frames that are not takeable add a step each. A look at a frame, by
 *  vmm_frame_referenced or vmm_frame_dirty, costs O(mappings) and counts as one step here. O(1) with ghosts is
 *  expected time: they are found by hashing.
 *  @{ */

/** Ticks that a page may be unused and still belong to the working set (vmm_replace_wsclock). */
#ifndef VMM_WORKING_SET_TICKS
#define VMM_WORKING_SET_TICKS 4
#endif
VMM_STATIC_ASSERT(VMM_WORKING_SET_TICKS >= 0 && VMM_WORKING_SET_TICKS <= 254, "VMM_WORKING_SET_TICKS must be 0 to 254");

/* -- lists -- */

/** Tells which list of its set a frame is in.
 *  @param m the machine. @param frame its number.
 *  @return the number of the list; VMM_RESIDENT_LISTS: in none. O(1). */
VMM_INLINE unsigned vmm_list_of(const vmm_machine_t *m, uint32_t frame)
{
    const unsigned held = vmm_frame_at(m, frame)->kind >> 4;
    return held ? held - 1 : VMM_RESIDENT_LISTS;
}

/** @cond internal */
VMM_INLINE void vmm_list_link(vmm_machine_t *m, vmm_list_t *list, unsigned number, uint32_t frame, uint32_t previous,
                              uint32_t next)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    VMM_ASSERT(number < VMM_RESIDENT_LISTS && !(f->kind >> 4));
    f->kind = (uint8_t)(vmm_frame_kind(f) | (number + 1) << 4);
    f->previous = previous;
    f->next = next;
    if (previous == VMM_NO_FRAME) list->first = frame;
    else vmm_frame_at(m, previous)->next = frame;
    if (next == VMM_NO_FRAME) list->last = frame;
    else vmm_frame_at(m, next)->previous = frame;
    list->count++;
}
/** @endcond */

/** Counts the frames of a set, in all of its lists.
 *  @param set the resident set.
 *  @return how many. O(VMM_RESIDENT_LISTS). */
VMM_INLINE uint32_t vmm_resident_count(const vmm_resident_t *set)
{
    uint32_t count = 0;
    unsigned i;
    for (i = 0; i < VMM_RESIDENT_LISTS; i++) count += set->list[i].count;
    return count;
}

/** Puts a frame that is in no list at the front of one: where our policies have the newest.
 *  @param m the machine. @param set the resident set. @param number which of its lists, below VMM_RESIDENT_LISTS.
 *  @param frame its number. O(1). */
VMM_INLINE void vmm_list_push(vmm_machine_t *m, vmm_resident_t *set, unsigned number, uint32_t frame)
{
    vmm_list_link(m, &set->list[number], number, frame, VMM_NO_FRAME, set->list[number].first);
}

/** Puts a frame that is in no list at the back of one: where our policies have the oldest.
 *  @param m the machine. @param set the resident set. @param number which of its lists, below VMM_RESIDENT_LISTS.
 *  @param frame its number. O(1). */
VMM_INLINE void vmm_list_append(vmm_machine_t *m, vmm_resident_t *set, unsigned number, uint32_t frame)
{
    vmm_list_link(m, &set->list[number], number, frame, set->list[number].last, VMM_NO_FRAME);
}

/** Takes a frame out of the list that it is in; does nothing if it is in none.
 *  @param m the machine. @param set the resident set. @param frame its number. O(1). */
VMM_OUTLINE void vmm_list_remove(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    const unsigned number = vmm_list_of(m, frame);
    vmm_list_t *list;
    if (number == VMM_RESIDENT_LISTS) return;
    list = &set->list[number];
    if (f->previous == VMM_NO_FRAME) list->first = f->next;
    else vmm_frame_at(m, f->previous)->next = f->next;
    if (f->next == VMM_NO_FRAME) list->last = f->previous;
    else vmm_frame_at(m, f->next)->previous = f->previous;
    list->count--;
    f->kind = (uint8_t)vmm_frame_kind(f);
    f->previous = f->next = VMM_NO_FRAME;
}

/** Puts a frame at the front of a list, out of the one that it is in, which may be the same.
 *  @param m the machine. @param set the resident set. @param number which of its lists, below VMM_RESIDENT_LISTS.
 *  @param frame its number. O(1). */
VMM_INLINE void vmm_list_move(vmm_machine_t *m, vmm_resident_t *set, unsigned number, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_list_t *list = &set->list[number];
    if (vmm_list_of(m, frame) != number) {
        vmm_list_remove(m, set, frame);
        vmm_list_push(m, set, number, frame);
    } else if (f->previous != VMM_NO_FRAME) {
        vmm_frame_at(m, f->previous)->next = f->next;
        if (f->next == VMM_NO_FRAME) list->last = f->previous;
        else vmm_frame_at(m, f->next)->previous = f->previous;
        vmm_frame_at(m, list->first)->previous = frame;
        f->previous = VMM_NO_FRAME;
        f->next = list->first;
        list->first = frame;
    }
}

/** Finds the first takeable frame of a list, from the back.
 *  @param m the machine. @param set the resident set. @param number which of its lists, below VMM_RESIDENT_LISTS.
 *  @return its number; VMM_NO_FRAME: none is takeable. O(frames passed over). */
VMM_INLINE uint32_t vmm_list_oldest(const vmm_machine_t *m, const vmm_resident_t *set, unsigned number)
{
    uint32_t frame = set->list[number].last;
    while (frame != VMM_NO_FRAME && !vmm_frame_takeable(m, frame)) frame = vmm_frame_at(m, frame)->previous;
    return frame;
}

/** @cond internal */
/* The oldest takeable page of a list that was not used since the last look; those that were go to the front. When
 * all were, the oldest all the same. */
VMM_INLINE uint32_t vmm_list_oldest_unused(vmm_machine_t *m, vmm_resident_t *set, unsigned number)
{
    uint32_t left = set->list[number].count, frame = set->list[number].last;
    for (; left > 0; left--) {
        const uint32_t previous = vmm_frame_at(m, frame)->previous;
        if (vmm_frame_takeable(m, frame)) {
            if (!vmm_frame_referenced(m, frame)) return frame;
            vmm_list_move(m, set, number, frame);
        }
        frame = previous;
    }
    return vmm_list_oldest(m, set, number);
}

/* -- the reference bit -- */

VMM_INLINE void vmm_policy_mark(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    (void)set;
    vmm_frame_at(m, frame)->flags |= VMM_FRAME_REFERENCED;
}

/* Looks at a reference bit and leaves it as it was. */
VMM_INLINE bool vmm_policy_peek(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const bool used = vmm_frame_referenced(m, frame);
    if (used) vmm_policy_mark(m, set, frame);
    return used;
}

/* Fresh pages have age 1, and word[3] of their set counts them. */
VMM_INLINE void vmm_fresh_begin(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_frame_at(m, frame)->flags &= (uint8_t)~VMM_FRAME_REFERENCED;
    *vmm_age_of(m, frame) = 1;
    set->word[3]++;
}

VMM_INLINE bool vmm_fresh_end(const vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    uint8_t *age = vmm_age_of(m, frame);
    if (!*age) return false;
    *age = 0;
    set->word[3]--;
    return true;
}

/* Whether a page was used since the last look; of a fresh one only what touch told counts. */
VMM_INLINE bool vmm_fresh_used(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const bool told = (vmm_frame_at(m, frame)->flags & VMM_FRAME_REFERENCED) != 0;
    const bool used = vmm_frame_referenced(m, frame);
    return vmm_fresh_end(m, set, frame) ? told : used;
}

/* Fresh pages stand near the front of list 0. */
VMM_OUTLINE void vmm_fresh_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME && set->word[3] > 0; frame = vmm_frame_at(m, frame)->next) {
        const uint8_t told = vmm_frame_at(m, frame)->flags & VMM_FRAME_REFERENCED;
        if (!vmm_fresh_end(m, set, frame)) continue;
        (void)vmm_frame_referenced(m, frame);
        vmm_frame_at(m, frame)->flags |= told;
    }
}

VMM_OUTLINE void vmm_fresh_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    (void)vmm_fresh_end(m, set, frame);
    vmm_list_remove(m, set, frame);
}

/* -- ghosts -- */

/* Two lists of pages that left, the newest first, in one hash table with linear probing. Words:
 *     0..5   first, last, count of list 0, then of list 1; slots are numbered from 1, 0 is none
 *     6, 7   the key of the page that is expected, and enum vmm_expected
 *     8..    slots: key; next; previous << 2 | list << 1 | 1; the policy's words of the frame. All 0 in a free one.
 * Slots are a third more than ghosts, so the table is at most three quarters full. A page that leaves becomes a ghost
 * before it is known that the one that comes is none any more: there is room for one ghost more than options.ghosts
 * until that page has entered.
 * The key is 32 bits wide. Pages of one owner always differ; pages of two owners are taken for one another when their
 * numbers are a certain distance apart, which for few owners is longer than what they have. The cost: a wrong guess. */
enum vmm_expected {
    VMM_EXPECTED_NONE = 0,
    VMM_EXPECTED_TOLD,
    VMM_EXPECTED_NEW,
    VMM_EXPECTED_GHOST0,
    VMM_EXPECTED_GHOST1
};

typedef struct vmm_ghosts {
    uint32_t *head;
    uint32_t *slot;
    uint32_t words; /* of a slot */
    uint32_t slots; /* 0: no memory for any ghost */
    uint32_t most;  /* how many there are when no page is about to come */
} vmm_ghosts_t;

VMM_INLINE vmm_ghosts_t vmm_ghosts_open(const vmm_machine_t *m, const vmm_resident_t *set)
{
    const uint32_t ghosts = m->options.ghosts;
    vmm_ghosts_t g;
    g.head = vmm_ghosts_of(m, set);
    g.slot = g.head + VMM_GHOST_HEAD;
    g.words = VMM_GHOST_WORDS + (uint32_t)set->policy->words;
    g.slots = vmm_ghost_slots(ghosts);
    g.most = g.slots == 0 ? 0 : ghosts < g.slots - 1 ? ghosts : g.slots - 2; /* one is free even with one ghost more */
    return g;
}

VMM_INLINE uint32_t vmm_ghost_key(uint32_t owner, uint32_t index)
{
    return index + owner * UINT32_C(0x9e3779b1);
}

VMM_INLINE uint32_t *vmm_ghost_at(const vmm_ghosts_t *g, uint32_t slot)
{
    return g->slot + (size_t)(slot - 1) * g->words;
}

VMM_INLINE uint32_t vmm_ghost_home(const vmm_ghosts_t *g, uint32_t key)
{
    return (uint32_t)((uint64_t)(uint32_t)(key * UINT32_C(0x9e3779b1)) * g->slots >> 32) + 1;
}

VMM_INLINE uint32_t vmm_ghost_after(const vmm_ghosts_t *g, uint32_t slot)
{
    return slot == g->slots ? 1 : slot + 1;
}

VMM_INLINE unsigned vmm_ghost_list(const vmm_ghosts_t *g, uint32_t slot)
{
    return vmm_ghost_at(g, slot)[2] >> 1 & 1;
}

VMM_INLINE uint32_t vmm_ghost_count(const vmm_ghosts_t *g, unsigned list)
{
    return g->slots ? g->head[3 * list + 2] : 0;
}

/* The slot of a page; 0: it is not remembered. */
VMM_INLINE uint32_t vmm_ghost_find(const vmm_ghosts_t *g, uint32_t key)
{
    uint32_t slot;
    if (!g->slots) return 0;
    for (slot = vmm_ghost_home(g, key); vmm_ghost_at(g, slot)[2]; slot = vmm_ghost_after(g, slot))
        if (vmm_ghost_at(g, slot)[0] == key) return slot;
    return 0;
}

/* Makes the neighbours of a ghost, or the head of its list, name other slots than its own. */
VMM_INLINE void vmm_ghost_relink(const vmm_ghosts_t *g, uint32_t slot, uint32_t for_previous, uint32_t for_next)
{
    const uint32_t *own = vmm_ghost_at(g, slot);
    uint32_t *head = g->head + (size_t)3 * vmm_ghost_list(g, slot);
    const uint32_t previous = own[2] >> 2, next = own[1];
    if (previous) vmm_ghost_at(g, previous)[1] = for_previous;
    else head[0] = for_previous;
    if (next) vmm_ghost_at(g, next)[2] = (vmm_ghost_at(g, next)[2] & 3) | for_next << 2;
    else head[1] = for_next;
}

/* Forgets a page. Those behind it that probing would no longer reach move up. */
VMM_OUTLINE void vmm_ghost_erase(const vmm_ghosts_t *g, uint32_t slot)
{
    uint32_t hole = slot, at = slot;
    g->head[3 * vmm_ghost_list(g, slot) + 2]--;
    vmm_ghost_relink(g, slot, vmm_ghost_at(g, slot)[1], vmm_ghost_at(g, slot)[2] >> 2);
    for (;;) {
        uint32_t home, *own;
        at = vmm_ghost_after(g, at);
        own = vmm_ghost_at(g, at);
        if (!own[2]) break;
        home = vmm_ghost_home(g, own[0]);
        if ((at >= home ? at - home : at + g->slots - home) < (at >= hole ? at - hole : at + g->slots - hole)) continue;
        vmm_ghost_relink(g, at, hole, hole);
        VMM_COPY(vmm_ghost_at(g, hole), own, g->words * sizeof *own);
        hole = at;
    }
    VMM_SET(vmm_ghost_at(g, hole), 0, g->words * sizeof(uint32_t));
}

VMM_INLINE void vmm_ghost_drop(const vmm_ghosts_t *g, unsigned list)
{
    if (vmm_ghost_count(g, list)) vmm_ghost_erase(g, g->head[3 * list + 1]);
}

/* A page has come: ghosts that are too many are forgotten, the oldest first. */
VMM_INLINE void vmm_ghosts_settle(const vmm_ghosts_t *g)
{
    while (vmm_ghost_count(g, 0) + vmm_ghost_count(g, 1) > g->most) vmm_ghost_drop(g, vmm_ghost_count(g, 0) ? 0 : 1);
}

/* Remembers the page in a frame as the newest of a list. The oldest of that list makes room, or of the other. */
VMM_OUTLINE void vmm_ghost_push(const vmm_machine_t *m, const vmm_resident_t *set, unsigned list, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    uint32_t owner, index, key, slot, *head, *own;
    if (!g.most) return;
    vmm_frame_identity(m, frame, &owner, &index);
    key = vmm_ghost_key(owner, index);
    slot = vmm_ghost_find(&g, key);
    if (slot) vmm_ghost_erase(&g, slot);
    if (vmm_ghost_count(&g, 0) + vmm_ghost_count(&g, 1) > g.most)
        vmm_ghost_drop(&g, vmm_ghost_count(&g, list) ? list : 1 - list);
    slot = vmm_ghost_home(&g, key);
    while (vmm_ghost_at(&g, slot)[2]) slot = vmm_ghost_after(&g, slot);
    own = vmm_ghost_at(&g, slot);
    head = g.head + (size_t)3 * list;
    own[0] = key;
    own[1] = head[0];
    own[2] = list << 1 | 1;
    VMM_COPY(own + VMM_GHOST_WORDS, vmm_words_of(m, frame), set->policy->words * sizeof *own);
    if (head[0]) vmm_ghost_at(&g, head[0])[2] |= slot << 2;
    else head[1] = slot;
    head[0] = slot;
    head[2]++;
}

VMM_INLINE uint32_t vmm_ghost_of(const vmm_machine_t *m, const vmm_ghosts_t *g, uint32_t frame)
{
    uint32_t owner, index;
    vmm_frame_identity(m, frame, &owner, &index);
    return vmm_ghost_find(g, vmm_ghost_key(owner, index));
}

/* A frame leaves. Only if it was the last victim its page is remembered: pages that were unmapped are not missed. */
VMM_INLINE void vmm_ghost_leave(vmm_machine_t *m, vmm_resident_t *set, unsigned list, uint32_t frame)
{
    if (set->hand == frame) {
        set->hand = VMM_NO_FRAME;
        if (list < 2) vmm_ghost_push(m, set, list, frame);
    }
    vmm_list_remove(m, set, frame);
}
/** @endcond */

/** Tells a set which page will be brought into the next frame that enters it: before a victim is asked for. ARC
 *  adapts itself by that page before it chooses; where nobody tells, as in the background, it adapts afterwards.
 *  @param m the machine. @param set the resident set. @param owner whose page, and @param index its number, as
 *  vmm_frame_identity will tell them of the frame. O(1). */
VMM_INLINE void vmm_resident_expect(vmm_machine_t *m, vmm_resident_t *set, uint32_t owner, uint32_t index)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    if (!g.slots) return;
    g.head[6] = vmm_ghost_key(owner, index);
    g.head[7] = VMM_EXPECTED_TOLD;
}

/* -- first in, first out -- */

/** @cond internal */
VMM_OUTLINE void vmm_fifo_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
}

VMM_OUTLINE uint32_t vmm_fifo_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_list_oldest(m, set, 0);
}
/** @endcond */

/** FIFO: the page that came first goes first, however much it is used. More frames may mean more faults.
 *  Belady, Nelson, Shedler, "An anomaly in space-time characteristics of certain programs running in a paging
 *  machine", 1969. A fault O(1), a victim O(1). */
static const vmm_replacement_t vmm_replace_fifo VMM_UNUSED = {
    "FIFO", vmm_fifo_enter, vmm_list_remove, vmm_fifo_victim, 0, 0, false, 0, 0};

/* -- clock -- */

/** @cond internal */
VMM_OUTLINE void vmm_clock_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
    vmm_fresh_begin(m, set, frame);
}

VMM_OUTLINE void vmm_clock_set_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(m, set, 0, frame);
    vmm_policy_mark(m, set, frame);
}

VMM_OUTLINE void vmm_clock_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_policy_mark(m, set, frame);
}

/* The hand points to the last frame of the list, and what it passes over goes to the front: the ring, cut open at
 * the hand. A page that enters stands where the hand comes to it last. */
VMM_OUTLINE uint32_t vmm_clock_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = set->list[0].count;
    for (; left > 0; left--) {
        const uint32_t frame = set->list[0].last;
        if (vmm_frame_takeable(m, frame) && !vmm_fresh_used(m, set, frame)) return frame;
        vmm_list_move(m, set, 0, frame);
    }
    return vmm_list_oldest(m, set, 0); /* a full turn: all bits are clear, or set again since */
}
/** @endcond */

/** Clock, or second chance: as FIFO, but a page whose reference bit is set is passed over once, and the bit cleared.
 *  Here the bit of a page that enters is clear: it says whether the page was used again.
 *  Corbato, "A paging experiment with the Multics system", 1969; Tanenbaum and Bos, "Modern Operating Systems", 4th
 *  edition, 2014, sections 3.4.4 and 3.4.5. A fault O(1), a victim O(1) amortised and O(n) at worst, one turn. */
static const vmm_replacement_t vmm_replace_clock VMM_UNUSED = {
    "clock", vmm_clock_enter, vmm_fresh_leave, vmm_clock_victim, vmm_clock_touch, vmm_fresh_tick, false, 0, 0};

/** Clock by the other convention: the bit of a page that enters is set, as by the access that brought it. Sources as
 *  for vmm_replace_clock; Silberschatz, Galvin, Gagne, "Operating System Concepts", 10th edition, 2018, section 10.4.5.
 *  A fault O(1), a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_clock_set VMM_UNUSED = {
    "clock, bit set", vmm_clock_set_enter, vmm_list_remove, vmm_clock_victim, vmm_clock_touch, 0, false, 0, 0};

/* -- enhanced second chance -- */

/** @cond internal */
/* Turns the ring until a frame stands at the hand. */
VMM_INLINE void vmm_clock_turn(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    while (set->list[0].last != frame) vmm_list_move(m, set, 0, set->list[0].last);
}

/* The first page from the hand on that is neither referenced nor dirty; bits stay as they are. */
VMM_INLINE uint32_t vmm_enhanced_clean(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].last;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->previous)
        if (vmm_frame_takeable(m, frame) && !vmm_frame_dirty(m, frame) && !vmm_policy_peek(m, set, frame)) break;
    return frame;
}

/* The first page from the hand on that is not referenced; the bits of those before it are cleared. */
VMM_INLINE uint32_t vmm_enhanced_dirty(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].last;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->previous)
        if (vmm_frame_takeable(m, frame) && !vmm_frame_referenced(m, frame)) break;
    return frame;
}

VMM_OUTLINE uint32_t vmm_enhanced_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = VMM_NO_FRAME;
    unsigned turns;
    for (turns = 0; turns < 2 && frame == VMM_NO_FRAME; turns++) {
        frame = vmm_enhanced_clean(m, set);
        if (frame == VMM_NO_FRAME) frame = vmm_enhanced_dirty(m, set);
    }
    if (frame == VMM_NO_FRAME) frame = vmm_list_oldest(m, set, 0); /* other processors set bits meanwhile */
    if (frame != VMM_NO_FRAME) vmm_clock_turn(m, set, frame);
    return frame;
}
/** @endcond */

/** Enhanced second chance: a clock that looks at the classes of NRU. A first turn takes the first page that is neither
 *  referenced nor dirty and changes no bit; if there is none, a second one takes the first that is not referenced,
 *  and clears the reference bits that it passes; if there is none either, both come again. The hand stops behind the
 *  page taken. A page that enters is referenced.
 *  The classes: Silberschatz, Galvin, Gagne, "Operating System Concepts", 10th edition, 2018, section 10.4.5.3; the
 *  turns: Stallings, "Operating Systems: Internals and Design Principles", section 8.2, clock policy with use and
 *  modify bit. A fault O(1), a victim O(n), four turns at worst. */
static const vmm_replacement_t vmm_replace_enhanced VMM_UNUSED = {"enhanced second chance",
                                                                  vmm_clock_set_enter,
                                                                  vmm_list_remove,
                                                                  vmm_enhanced_victim,
                                                                  vmm_clock_touch,
                                                                  0,
                                                                  false,
                                                                  0,
                                                                  0};

/* -- least recently used, most recently used -- */

/** @cond internal */
VMM_OUTLINE void vmm_lru_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_move(m, set, 0, frame);
}

VMM_OUTLINE uint32_t vmm_lru_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_list_oldest_unused(m, set, 0);
}
/** @endcond */

/** LRU: the page whose last use is longest ago. touch moves a page to the front; exact as far as touch tells every use.
 *  Uses that only accessed bits tell are noticed when their page has come to the back: it moves to the front then, as
 *  if it were used at that time. With the bits alone this is clock with the bit set: pages used since the last look
 *  stay, but in the order of looks, not of uses.
 *  Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", 1970. A fault O(1), a touch O(1),
 *  a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_lru VMM_UNUSED = {
    "LRU", vmm_fifo_enter, vmm_list_remove, vmm_lru_victim, vmm_lru_touch, 0, false, 0, 0};

/** @cond internal */
VMM_OUTLINE uint32_t vmm_mru_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    while (frame != VMM_NO_FRAME && !vmm_frame_takeable(m, frame)) frame = vmm_frame_at(m, frame)->next;
    return frame;
}

VMM_OUTLINE void vmm_mru_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = set->list[0].count, frame = set->list[0].last;
    for (; left > 0; left--) {
        const uint32_t previous = vmm_frame_at(m, frame)->previous;
        if (vmm_frame_referenced(m, frame)) vmm_list_move(m, set, 0, frame);
        frame = previous;
    }
}
/** @endcond */

/** MRU: the page that was used last. For programs that go round and round more pages than there are frames: those that
 *  stay are there when their turn comes. Uses that only accessed bits tell are noticed by a tick.
 *  Chou and DeWitt, "An evaluation of buffer management strategies for relational database systems", 1985. A fault
 *  O(1), a touch O(1), a victim O(1), a tick O(n). */
static const vmm_replacement_t vmm_replace_mru VMM_UNUSED = {
    "MRU", vmm_fifo_enter, vmm_list_remove, vmm_mru_victim, vmm_lru_touch, vmm_mru_tick, false, 0, 0};

/* -- not recently used, aging, least and most frequently used -- */

/** @cond internal */
VMM_OUTLINE uint32_t vmm_nru_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].last, best = VMM_NO_FRAME;
    unsigned lowest = 4;
    for (; frame != VMM_NO_FRAME && lowest > 0; frame = vmm_frame_at(m, frame)->previous) {
        unsigned rank;
        if (!vmm_frame_takeable(m, frame)) continue;
        rank = (vmm_policy_peek(m, set, frame) ? 2u : 0u) + (vmm_frame_dirty(m, frame) ? 1u : 0u);
        if (rank >= lowest) continue;
        lowest = rank;
        best = frame;
    }
    return best;
}

VMM_OUTLINE void vmm_nru_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next) (void)vmm_frame_referenced(m, frame);
}

VMM_OUTLINE uint32_t vmm_aging_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].last, best = VMM_NO_FRAME;
    unsigned lowest = 512;
    for (; frame != VMM_NO_FRAME && lowest > 0; frame = vmm_frame_at(m, frame)->previous) {
        unsigned rank;
        if (!vmm_frame_takeable(m, frame)) continue;
        rank = (vmm_policy_peek(m, set, frame) ? 256u : 0u) + *vmm_age_of(m, frame);
        if (rank >= lowest) continue;
        lowest = rank;
        best = frame;
    }
    return best;
}

VMM_OUTLINE void vmm_aging_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next) {
        const unsigned newest = vmm_frame_referenced(m, frame) ? 128u : 0u;
        *vmm_age_of(m, frame) = (uint8_t)(*vmm_age_of(m, frame) >> 1 | newest);
    }
}

VMM_INLINE void vmm_age_count(const vmm_machine_t *m, uint32_t frame, unsigned most)
{
    uint8_t *age = vmm_age_of(m, frame);
    if (*age < most) ++*age;
}

/* A page's word counts its uses. */
VMM_OUTLINE void vmm_lfu_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    uint32_t *count = vmm_words_of(m, frame);
    (void)set;
    if (*count < UINT32_MAX) ++*count;
}

VMM_OUTLINE void vmm_lfu_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next)
        if (vmm_frame_referenced(m, frame)) vmm_lfu_touch(m, set, frame);
}

/* `bits`: all 1 turns the order of counts round. */
VMM_INLINE uint32_t vmm_count_lowest(vmm_machine_t *m, const vmm_resident_t *set, uint32_t bits)
{
    uint32_t frame = set->list[0].last, best = VMM_NO_FRAME, lowest = UINT32_MAX;
    for (; frame != VMM_NO_FRAME && lowest > 0; frame = vmm_frame_at(m, frame)->previous) {
        const uint32_t count = *vmm_words_of(m, frame) ^ bits;
        if ((best != VMM_NO_FRAME && count >= lowest) || !vmm_frame_takeable(m, frame)) continue;
        lowest = count;
        best = frame;
    }
    return best;
}

VMM_OUTLINE uint32_t vmm_lfu_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_count_lowest(m, set, 0);
}

VMM_OUTLINE uint32_t vmm_mfu_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_count_lowest(m, set, UINT32_MAX);
}
/** @endcond */

/** NRU: a page of the lowest of four classes: not referenced and clean, not referenced and dirty, referenced and clean,
 *  both. A tick clears the reference bits. A page that enters is referenced. Of a class, the page that came first goes.
 *  Tanenbaum and Bos, "Modern Operating Systems", 4th edition, 2014, section 3.4.2 (which takes any of the class).
 *  A fault O(1), a victim O(n), a tick O(n). */
static const vmm_replacement_t vmm_replace_nru VMM_UNUSED = {
    "NRU", vmm_clock_set_enter, vmm_list_remove, vmm_nru_victim, vmm_clock_touch, vmm_nru_tick, false, 0, 0};

/** Aging: a register of 8 bits for each page, into which each tick shifts its reference bit from above; the lowest
 *  register goes, the page that came first among equals. A use since the last tick weighs more than the whole register,
 *  so that a page does not go before the first tick sees it.
 *  Tanenbaum and Bos, "Modern Operating Systems", 4th edition, 2014, section 3.4.7. A fault O(1), a victim O(n), a tick
 *  O(n). */
static const vmm_replacement_t vmm_replace_aging VMM_UNUSED = {
    "aging", vmm_clock_set_enter, vmm_list_remove, vmm_aging_victim, vmm_clock_touch, vmm_aging_tick, false, 0, 0};

/** LFU: the page used least often since it came, the one that came first among equals. touch counts one use, a tick one
 *  for each page whose accessed bit is set; counters are 32 bits wide and stop at their end.
 *  Silberschatz, Galvin, Gagne, "Operating System Concepts", 10th edition, 2018, section 10.4.6. A fault O(1), a victim
 *  O(n), a tick O(n). */
static const vmm_replacement_t vmm_replace_lfu VMM_UNUSED = {
    "LFU", vmm_fifo_enter, vmm_list_remove, vmm_lfu_victim, vmm_lfu_touch, vmm_lfu_tick, false, 1, 0};

/** MFU: the page used most often since it came, the one that came first among equals: one used seldom may only have
 *  come just now. Counters and source as for vmm_replace_lfu. A fault O(1), a victim O(n), a tick O(n). */
static const vmm_replacement_t vmm_replace_mfu VMM_UNUSED = {
    "MFU", vmm_fifo_enter, vmm_list_remove, vmm_mfu_victim, vmm_lfu_touch, vmm_lfu_tick, false, 1, 0};

/* -- random -- */

/** @cond internal */
/* A linear congruential generator in word[0]; its high bits choose. */
VMM_OUTLINE uint32_t vmm_random_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = set->list[0].count, frame = set->list[0].last, skip;
    set->word[0] = set->word[0] * UINT32_C(1664525) + UINT32_C(1013904223);
    skip = (uint32_t)((uint64_t)set->word[0] * left >> 32);
    for (; skip > 0; skip--) frame = vmm_frame_at(m, frame)->previous;
    for (; left > 0; left--) {
        if (vmm_frame_takeable(m, frame)) return frame;
        frame = vmm_frame_at(m, frame)->previous;
        if (frame == VMM_NO_FRAME) frame = set->list[0].last;
    }
    return VMM_NO_FRAME;
}
/** @endcond */

/** Random: any page, each as likely as the other; the same ones in every run.
 *  Belady, "A study of replacement algorithms for a virtual-storage computer", 1966. A fault O(1), a victim O(n): it
 *  walks to its choice. */
static const vmm_replacement_t vmm_replace_random VMM_UNUSED = {
    "random", vmm_fifo_enter, vmm_list_remove, vmm_random_victim, 0, 0, false, 0, 0};

/* -- working-set clock -- */

/** @cond internal */
VMM_OUTLINE void vmm_wsclock_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    *vmm_age_of(m, frame) = 0;
    vmm_list_push(m, set, 0, frame);
}

VMM_OUTLINE void vmm_wsclock_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next) vmm_age_count(m, frame, 255);
}

VMM_OUTLINE uint32_t vmm_wsclock_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = set->list[0].count, best = VMM_NO_FRAME;
    unsigned highest = 0;
    for (; left > 0; left--) {
        const uint32_t frame = set->list[0].last;
        if (vmm_frame_takeable(m, frame)) {
            uint8_t *age = vmm_age_of(m, frame);
            bool clean;
            unsigned rank;
            if (vmm_frame_referenced(m, frame)) *age = 0;
            clean = !vmm_frame_dirty(m, frame);
            if (clean && *age > VMM_WORKING_SET_TICKS) return frame;
            rank = 2u * *age + (clean ? 2u : 1u);
            if (rank > highest) {
                highest = rank;
                best = frame;
            }
        }
        vmm_list_move(m, set, 0, frame);
    }
    if (best != VMM_NO_FRAME) vmm_clock_turn(m, set, best);
    return best;
}
/** @endcond */

/** WSClock: a clock whose pages know how many ticks they are unused. The hand takes the first page that is clean and
 *  unused for more than VMM_WORKING_SET_TICKS ticks. A page found referenced is unused for 0 ticks from then on. After
 *  a full turn the page unused longest goes, though it is dirty or of the working set; a clean one among equals, then
 *  the one that the hand met first. (The paper has old dirty pages written while the hand goes on; here the one that is
 *  taken is written.)
 *  Carr and Hennessy, "WSClock: a simple and effective algorithm for virtual memory management", 1981. A fault O(1), a
 *  victim O(n) at worst, one turn; a tick O(n). */
static const vmm_replacement_t vmm_replace_wsclock VMM_UNUSED = {
    "WSClock", vmm_wsclock_enter, vmm_list_remove, vmm_wsclock_victim, vmm_clock_touch, vmm_wsclock_tick, false, 0, 0};

/* -- working set, page-fault frequency -- */

/** @cond internal */
/* A clock runs in word[0]: of uses, or of faults. A page's word is the time of its last use; list 0 has that order. */
VMM_INLINE void vmm_timed_use(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    *vmm_words_of(m, frame) = set->word[0];
    vmm_list_move(m, set, 0, frame);
}

/* The oldest takeable page whose last use is so long ago. Those used since the last look count as used now. */
VMM_OUTLINE uint32_t vmm_timed_oldest(vmm_machine_t *m, vmm_resident_t *set, uint32_t age)
{
    uint32_t left = set->list[0].count, frame = set->list[0].last;
    for (; left > 0 && set->word[0] - *vmm_words_of(m, frame) >= age; left--) {
        const uint32_t previous = vmm_frame_at(m, frame)->previous;
        if (vmm_frame_takeable(m, frame)) {
            if (!vmm_frame_referenced(m, frame)) return frame;
            vmm_timed_use(m, set, frame);
        }
        frame = previous;
    }
    return VMM_NO_FRAME;
}

VMM_OUTLINE uint32_t vmm_timed_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    const uint32_t frame = vmm_timed_oldest(m, set, 0);
    return frame != VMM_NO_FRAME ? frame : vmm_list_oldest(m, set, 0);
}

VMM_OUTLINE void vmm_working_set_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    set->word[0]++;
    vmm_timed_use(m, set, frame);
}

VMM_OUTLINE uint32_t vmm_working_set_surplus(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_timed_oldest(m, set, m->options.window);
}

/* word[1] counts uses since the last fault. Pages that were not used for more than word[2] faults are surplus: 1 after
 * a fault that came late enough, and a number that none can have reached otherwise. */
VMM_OUTLINE void vmm_pff_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    set->word[0]++;
    set->word[2] = set->word[1] + UINT64_C(1) >= m->options.window ? 1 : set->word[2] + 1;
    set->word[1] = 0;
    vmm_timed_use(m, set, frame);
}

VMM_OUTLINE void vmm_pff_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    if (set->word[1] < UINT32_MAX) set->word[1]++;
    vmm_timed_use(m, set, frame);
}

VMM_OUTLINE uint32_t vmm_pff_surplus(vmm_machine_t *m, vmm_resident_t *set)
{
    return vmm_timed_oldest(m, set, set->word[2] + 1);
}
/** @endcond */

/** Working set: a page that is not among those of the last options.window uses leaves, though frames are free. Time is
 *  uses: what touch tells, and the use that brings a page. When frames run out before, the page whose last use is
 *  longest ago goes, as in LRU.
 *
 *  Told of every use, and asked for the surplus after each, the set is the paper's W(t, window), and so are its faults.
 *  In a machine it is asked at ticks. Uses that only accessed bits tell are noticed when a page would leave, and count
 *  as made then; time stands still where neither faults nor touches come.
 *  Denning, "The working set model for program behavior", 1968. A fault O(1), a touch O(1), a victim and a surplus page
 *  O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_working_set VMM_UNUSED = {"working set",
                                                                     vmm_working_set_touch,
                                                                     vmm_list_remove,
                                                                     vmm_timed_victim,
                                                                     vmm_working_set_touch,
                                                                     0,
                                                                     false,
                                                                     1,
                                                                     vmm_working_set_surplus};

/** Page-fault frequency: a fault that comes options.window uses after the last one, or later, shows that there are
 *  enough frames: pages that were not used since the last fault leave. After one that comes sooner the set grows by the
 *  page that came. When frames run out before, the page whose last use is longest ago goes. Time, accessed bits and the
 *  machine as for vmm_replace_working_set. A page that could not be evicted counts as one that came.
 *  Chu and Opderbeck, "The page fault frequency replacement algorithm", 1972. A fault O(1), a touch O(1), a victim and
 *  a surplus page O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_pff VMM_UNUSED = {
    "page-fault frequency", vmm_pff_enter, vmm_list_remove, vmm_timed_victim, vmm_pff_touch, 0, false, 1,
    vmm_pff_surplus};

/* -- two lists -- */

/** @cond internal */
enum {
    VMM_INACTIVE = 0,
    VMM_ACTIVE = 1
};

VMM_OUTLINE void vmm_two_lists_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    uint8_t *age = vmm_age_of(m, frame);
    const bool again = (f->flags & VMM_FRAME_REFERENCED) || *age;
    if (vmm_list_of(m, frame) == VMM_ACTIVE || !again) {
        f->flags |= VMM_FRAME_REFERENCED;
        return;
    }
    *age = 0;
    f->flags &= (uint8_t)~VMM_FRAME_REFERENCED;
    vmm_list_move(m, set, VMM_ACTIVE, frame);
}

/* Fills the inactive list up to the length of the active one. */
VMM_INLINE void vmm_two_lists_balance(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = set->list[VMM_ACTIVE].count;
    for (; left > 0 && set->list[VMM_INACTIVE].count < set->list[VMM_ACTIVE].count; left--) {
        const uint32_t frame = set->list[VMM_ACTIVE].last;
        const bool used = vmm_frame_referenced(m, frame);
        *vmm_age_of(m, frame) = used ? 0 : 1;
        vmm_list_move(m, set, used ? VMM_ACTIVE : VMM_INACTIVE, frame);
    }
}

VMM_OUTLINE uint32_t vmm_two_lists_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint64_t left;
    uint32_t frame;
    vmm_two_lists_balance(m, set);
    left = (uint64_t)2 * set->list[VMM_INACTIVE].count;
    for (; left > 0 && set->list[VMM_INACTIVE].count > 0; left--) {
        uint8_t *age;
        bool again;
        frame = set->list[VMM_INACTIVE].last;
        age = vmm_age_of(m, frame);
        if (!vmm_frame_takeable(m, frame)) {
            vmm_list_move(m, set, VMM_INACTIVE, frame);
            continue;
        }
        if (!vmm_frame_referenced(m, frame)) return frame;
        again = *age != 0;
        *age = again ? 0 : 1;
        vmm_list_move(m, set, again ? VMM_ACTIVE : VMM_INACTIVE, frame);
    }
    frame = vmm_list_oldest(m, set, VMM_INACTIVE);
    return frame != VMM_NO_FRAME ? frame : vmm_list_oldest(m, set, VMM_ACTIVE);
}
/** @endcond */

/** Two lists, as Linux has them, and the default: pages enter the inactive list, whose oldest goes. One found used
 *  stays for another round; found used again it becomes active. The active list gives its oldest pages back when it is
 *  longer than the inactive one, unless they were used; one use makes such a page active again. Pages read once flow
 *  through and do not drive out those in use.
 *  Gorman, "Understanding the Linux Virtual Memory Manager", 2004, chapter 10; the lists of equal length are those of
 *  later kernels with little memory. A fault O(1), a touch O(1), a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_two_lists VMM_UNUSED = {
    "two lists", vmm_wsclock_enter, vmm_list_remove, vmm_two_lists_victim, vmm_two_lists_touch, 0, false, 0, 0};

/* -- 2Q -- */

/** @cond internal */
enum {
    VMM_2Q_IN = 0,
    VMM_2Q_MAIN = 1
};

/* A share of the pages that the set had when a victim was last asked for (word[1]): until then nothing was full. */
VMM_INLINE uint32_t vmm_policy_share(const vmm_resident_t *set, uint32_t divisor)
{
    return set->word[1] < divisor ? 1 : set->word[1] / divisor;
}

VMM_INLINE void vmm_policy_full(vmm_resident_t *set)
{
    set->word[1] = set->list[0].count + set->list[1].count;
}

VMM_OUTLINE void vmm_2q_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    const bool missed = vmm_ghost_of(m, &g, frame) != 0;
    uint32_t slot;
    while (vmm_ghost_count(&g, 0) > vmm_policy_share(set, 2)) vmm_ghost_drop(&g, 0);
    slot = vmm_ghost_of(m, &g, frame);
    if (slot) vmm_ghost_erase(&g, slot);
    vmm_ghosts_settle(&g);
    vmm_list_push(m, set, missed ? VMM_2Q_MAIN : VMM_2Q_IN, frame);
}

VMM_OUTLINE void vmm_2q_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    vmm_ghost_leave(m, set, vmm_list_of(m, frame) == VMM_2Q_IN ? 0 : 2, frame);
}

VMM_OUTLINE uint32_t vmm_2q_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = VMM_NO_FRAME;
    vmm_policy_full(set);
    if (set->list[VMM_2Q_IN].count > vmm_policy_share(set, 4)) frame = vmm_list_oldest(m, set, VMM_2Q_IN);
    if (frame == VMM_NO_FRAME) frame = vmm_list_oldest_unused(m, set, VMM_2Q_MAIN);
    if (frame == VMM_NO_FRAME) frame = vmm_list_oldest(m, set, VMM_2Q_IN);
    set->hand = frame;
    return frame;
}

VMM_OUTLINE void vmm_2q_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    if (vmm_list_of(m, frame) == VMM_2Q_MAIN) vmm_list_move(m, set, VMM_2Q_MAIN, frame);
}
/** @endcond */

/** 2Q, the full version: pages enter a FIFO, A1in, of a quarter of the frames; those that leave it are remembered,
 *  A1out, for half as many pages as there are frames; one that is missed while it is remembered enters Am, an LRU list.
 *  Uses in A1in do not count. The number of frames is what the set held when a victim was last asked for.
 *  Johnson and Shasha, "2Q: a low overhead high performance buffer management replacement algorithm", 1994. A fault
 *  O(1) expected, a touch O(1), a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_2q VMM_UNUSED = {
    "2Q", vmm_2q_enter, vmm_2q_leave, vmm_2q_victim, vmm_2q_touch, 0, true, 0, 0};

/* -- ARC -- */

/** @cond internal */
/* Lists 0 and 1 are T1 and T2, the ghosts' lists B1 and B2. word[0] is p, the size T1 should have; word[1] is c. */

/* Where the page that comes was remembered; p moves towards that list. */
VMM_INLINE unsigned vmm_arc_adapt(vmm_resident_t *set, const vmm_ghosts_t *g, uint32_t key)
{
    const uint32_t slot = vmm_ghost_find(g, key);
    const uint32_t recent = vmm_ghost_count(g, 0), frequent = vmm_ghost_count(g, 1);
    if (!slot) return VMM_EXPECTED_NEW;
    if (vmm_ghost_list(g, slot) == 0) {
        const uint32_t step = frequent > recent ? frequent / recent : 1;
        const uint64_t more = (uint64_t)set->word[0] + step;
        set->word[0] = more < set->word[1] ? (uint32_t)more : set->word[1];
        return VMM_EXPECTED_GHOST0;
    } else {
        const uint32_t step = recent > frequent ? recent / frequent : 1;
        set->word[0] = set->word[0] > step ? set->word[0] - step : 0;
        return VMM_EXPECTED_GHOST1;
    }
}

VMM_OUTLINE void vmm_arc_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    unsigned found = VMM_EXPECTED_NEW;
    uint32_t owner, index, slot, most;
    vmm_frame_identity(m, frame, &owner, &index);
    if (g.slots) {
        const uint32_t key = vmm_ghost_key(owner, index);
        const bool adapted = g.head[7] > VMM_EXPECTED_TOLD && g.head[6] == key;
        found = adapted ? g.head[7] : vmm_arc_adapt(set, &g, key);
        g.head[7] = VMM_EXPECTED_NONE;
    }
    slot = vmm_ghost_of(m, &g, frame);
    if (slot) vmm_ghost_erase(&g, slot);
    vmm_list_push(m, set, found == VMM_EXPECTED_NEW ? 0 : 1, frame);
    if (found == VMM_EXPECTED_NEW) vmm_fresh_begin(m, set, frame);
    most = set->list[0].count + set->list[1].count;
    if (most < set->word[1]) most = set->word[1];
    while (vmm_ghost_count(&g, 0) && set->list[0].count + vmm_ghost_count(&g, 0) > most) vmm_ghost_drop(&g, 0);
    while (vmm_ghost_count(&g, 1) &&
           set->list[0].count + vmm_ghost_count(&g, 0) + set->list[1].count + vmm_ghost_count(&g, 1) >
               (uint64_t)2 * most)
        vmm_ghost_drop(&g, 1);
    vmm_ghosts_settle(&g);
}

VMM_OUTLINE void vmm_arc_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    (void)vmm_fresh_end(m, set, frame);
    vmm_ghost_leave(m, set, vmm_list_of(m, frame), frame);
}

VMM_OUTLINE void vmm_arc_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    (void)vmm_fresh_end(m, set, frame);
    vmm_list_move(m, set, 1, frame);
}

VMM_OUTLINE uint32_t vmm_arc_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    uint64_t left;
    uint32_t frame = VMM_NO_FRAME;
    bool frequent;
    vmm_policy_full(set);
    if (g.slots && g.head[7] == VMM_EXPECTED_TOLD) g.head[7] = vmm_arc_adapt(set, &g, g.head[6]);
    frequent = g.slots && g.head[7] == VMM_EXPECTED_GHOST1;
    for (left = (uint64_t)2 * set->word[1] + 1; left > 0; left--) {
        const uint32_t recent = set->list[0].count;
        const unsigned from = recent && (recent > set->word[0] || (frequent && recent == set->word[0])) ? 0 : 1;
        frame = vmm_list_oldest(m, set, from);
        if (frame == VMM_NO_FRAME) frame = vmm_list_oldest(m, set, 1 - from);
        if (frame == VMM_NO_FRAME || !vmm_fresh_used(m, set, frame)) break;
        vmm_list_move(m, set, 1, frame);
    }
    set->hand = frame;
    return frame;
}
/** @endcond */

/** ARC: two LRU lists, of pages used once (T1) and again (T2), and the ghosts of what left each (B1, B2), as many as
 *  there are frames. A page missed while it is a ghost shows which list was too short: p, the length that T1 should
 *  have, moves. The number of frames, c, is what the set held when a victim was last asked for. p is a whole number;
 *  quotients are rounded down.
 *
 *  Exactly the paper's if vmm_resident_expect is called before each victim is asked for. Otherwise p moves when the
 *  page enters, after the choice, and a page of B2 does not win ties. With accessed bits, a page found used when its
 *  turn comes goes to T2, as if it were used then.
 *  Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", 2003. A fault O(1) expected, a touch O(1),
 *  a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_arc VMM_UNUSED = {
    "ARC", vmm_arc_enter, vmm_arc_leave, vmm_arc_victim, vmm_arc_touch, vmm_fresh_tick, true, 0, 0};

/* -- LIRS -- */

/** @cond internal */
/* Words of a page: the time of its last use; its ghost keeps them. List 0 holds the LIR pages by that time, list 1 is
 * Q. The stack S is not laid out: what was used after the oldest LIR page is in S, so it need not be pruned; ghosts
 * that are no longer in it are the first to be forgotten. The clock of uses is word[2] and word[3], low half first. */
enum {
    VMM_LIRS_LOW = 0,
    VMM_LIRS_HIGH = 1
};

VMM_INLINE uint64_t vmm_lirs_time(const uint32_t *word)
{
    return word[0] | (uint64_t)word[1] << 32;
}

VMM_INLINE bool vmm_lirs_in_stack(const vmm_machine_t *m, const vmm_resident_t *set, const uint32_t *word)
{
    const uint32_t oldest = set->list[VMM_LIRS_LOW].last;
    return oldest != VMM_NO_FRAME && vmm_lirs_time(word) > vmm_lirs_time(vmm_words_of(m, oldest));
}

/* Most LIR pages: all frames but a hundredth. */
VMM_INLINE uint32_t vmm_lirs_most(const vmm_resident_t *set)
{
    const uint32_t all = set->word[1] ? set->word[1] : set->most;
    if (!all) return UINT32_MAX; /* not known before the first victim */
    return all < 200 ? all - 1 : all - all / 100;
}

/* A page is used now, and goes to a list. */
VMM_INLINE void vmm_lirs_use(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame, unsigned list)
{
    uint32_t *word = vmm_words_of(m, frame);
    if (++set->word[2] == 0) set->word[3]++;
    word[0] = set->word[2];
    word[1] = set->word[3];
    vmm_list_move(m, set, list, frame);
}

/* While there are too many LIR pages, the oldest becomes the newest of Q. */
VMM_INLINE void vmm_lirs_trim(vmm_machine_t *m, vmm_resident_t *set)
{
    const uint32_t most = vmm_lirs_most(set);
    uint32_t looks = set->list[VMM_LIRS_LOW].count;
    while (set->list[VMM_LIRS_LOW].count > most) {
        const uint32_t frame = set->list[VMM_LIRS_LOW].last;
        if (looks > 0 && vmm_frame_referenced(m, frame)) {
            looks--;
            vmm_lirs_use(m, set, frame, VMM_LIRS_LOW);
        } else {
            vmm_list_move(m, set, VMM_LIRS_HIGH, frame);
        }
    }
}

VMM_OUTLINE void vmm_lirs_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    if (vmm_list_of(m, frame) == VMM_LIRS_LOW) {
        vmm_lirs_use(m, set, frame, VMM_LIRS_LOW);
    } else if (vmm_lirs_in_stack(m, set, vmm_words_of(m, frame))) {
        vmm_lirs_use(m, set, frame, VMM_LIRS_LOW);
        vmm_lirs_trim(m, set);
    } else {
        vmm_lirs_use(m, set, frame, VMM_LIRS_HIGH);
    }
}

VMM_OUTLINE void vmm_lirs_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    const uint32_t slot = vmm_ghost_of(m, &g, frame);
    bool low = set->list[VMM_LIRS_LOW].count < vmm_lirs_most(set);
    if (slot) {
        low = low || vmm_lirs_in_stack(m, set, vmm_ghost_at(&g, slot) + VMM_GHOST_WORDS);
        vmm_ghost_erase(&g, slot);
    }
    vmm_ghosts_settle(&g);
    vmm_lirs_use(m, set, frame, low ? VMM_LIRS_LOW : VMM_LIRS_HIGH);
    vmm_lirs_trim(m, set);
}

VMM_OUTLINE void vmm_lirs_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const bool high = vmm_list_of(m, frame) == VMM_LIRS_HIGH;
    vmm_ghost_leave(m, set, high && vmm_lirs_in_stack(m, set, vmm_words_of(m, frame)) ? 0 : 2, frame);
}

VMM_OUTLINE uint32_t vmm_lirs_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint64_t left;
    uint32_t frame = VMM_NO_FRAME;
    vmm_policy_full(set);
    vmm_lirs_trim(m, set);
    for (left = (uint64_t)2 * set->word[1]; left > 0; left--) {
        frame = vmm_list_oldest(m, set, VMM_LIRS_HIGH);
        if (frame == VMM_NO_FRAME || !vmm_frame_referenced(m, frame)) break;
        vmm_lirs_touch(m, set, frame);
    }
    if (frame == VMM_NO_FRAME) frame = vmm_list_oldest(m, set, VMM_LIRS_LOW);
    set->hand = frame;
    return frame;
}
/** @endcond */

/** LIRS: by the number of other pages that were used between a page's last two uses. Pages of a low number (LIR) have
 *  all frames but a hundredth, one at least, and stay; the others (HIR) go through a FIFO, Q, of the rest. The stack S
 *  holds all pages that were used after the LIR page used longest ago. A HIR page that is used, or missed, while it is
 *  in S becomes LIR; the oldest LIR page goes to the end of Q for it. The first pages are LIR, until those frames are
 *  full.
 *
 *  HIR pages of S that left are ghosts; the paper bounds their number by nothing, options.ghosts does: then the one
 *  used longest ago is forgotten. The number of frames is what the set held when a victim was last asked for, before
 *  that its bound (`most`). With accessed bits, pages found used at the end of Q, or when they should cease to be LIR,
 *  count as used then.
 *  Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement policy to improve buffer cache
 *  performance", 2002. A fault O(1) expected, a touch O(1) amortised, a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_lirs VMM_UNUSED = {
    "LIRS", vmm_lirs_enter, vmm_lirs_leave, vmm_lirs_victim, vmm_lirs_touch, 0, true, 2, 0};

/* -- SIEVE -- */

/** @cond internal */
VMM_OUTLINE uint32_t vmm_sieve_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint64_t left = (uint64_t)2 * set->list[0].count;
    uint32_t frame = set->hand;
    for (; left > 0; left--) {
        if (frame == VMM_NO_FRAME) frame = set->list[0].last;
        set->hand = vmm_frame_at(m, frame)->previous;
        if (vmm_frame_takeable(m, frame) && !vmm_fresh_used(m, set, frame)) return frame;
        frame = set->hand;
    }
    return vmm_list_oldest(m, set, 0); /* other processors set bits faster than the hand clears them */
}

VMM_OUTLINE void vmm_sieve_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    if (set->hand == frame) set->hand = vmm_frame_at(m, frame)->previous;
    vmm_fresh_leave(m, set, frame);
}
/** @endcond */

/** SIEVE: a FIFO with a hand that moves from the oldest to the newest, clears visited bits and takes the first page
 *  whose bit is clear. Unlike in a clock, pages that stay keep their place, and new ones enter at the front, not behind
 *  the hand.
 *  Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web
 *  caches", 2024. A fault O(1), a touch O(1), a victim O(1) amortised and O(n) at worst. */
static const vmm_replacement_t vmm_replace_sieve VMM_UNUSED = {
    "SIEVE", vmm_clock_enter, vmm_sieve_leave, vmm_sieve_victim, vmm_clock_touch, vmm_fresh_tick, false, 0, 0};

/* -- S3-FIFO -- */

/** @cond internal */
enum {
    VMM_S3_SMALL = 0,
    VMM_S3_MAIN = 1,
    VMM_S3_MOST = 3
};

VMM_OUTLINE void vmm_s3fifo_enter(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    const uint32_t slot = vmm_ghost_of(m, &g, frame);
    if (slot) vmm_ghost_erase(&g, slot);
    vmm_ghosts_settle(&g);
    *vmm_age_of(m, frame) = 0;
    vmm_list_push(m, set, slot ? VMM_S3_MAIN : VMM_S3_SMALL, frame);
}

VMM_OUTLINE void vmm_s3fifo_leave(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    const vmm_ghosts_t g = vmm_ghosts_open(m, set);
    const uint32_t small_share = vmm_policy_share(set, 10);
    const uint32_t most = set->word[1] > small_share ? set->word[1] - small_share : 1;
    vmm_ghost_leave(m, set, vmm_list_of(m, frame) == VMM_S3_SMALL ? 0 : 2, frame);
    while (vmm_ghost_count(&g, 0) > most) vmm_ghost_drop(&g, 0);
}

VMM_OUTLINE void vmm_s3fifo_touch(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    (void)set;
    vmm_age_count(m, frame, VMM_S3_MOST);
}

VMM_OUTLINE void vmm_s3fifo_tick(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t frame = set->list[VMM_S3_SMALL].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next)
        if (vmm_frame_referenced(m, frame)) vmm_age_count(m, frame, VMM_S3_MOST);
}

/* The last frame of a queue is taken (true), or goes to the front of a queue. */
VMM_INLINE bool vmm_s3fifo_step(vmm_machine_t *m, vmm_resident_t *set, unsigned from)
{
    const uint32_t frame = set->list[from].last;
    uint8_t *age = vmm_age_of(m, frame);
    unsigned to = from;
    if (vmm_frame_takeable(m, frame)) {
        if (vmm_frame_referenced(m, frame)) vmm_age_count(m, frame, VMM_S3_MOST);
        if (*age <= (from == VMM_S3_SMALL ? 1 : 0)) return true;
        *age = from == VMM_S3_SMALL ? 0 : (uint8_t)(*age - 1);
        to = VMM_S3_MAIN;
    }
    vmm_list_move(m, set, to, frame);
    return false;
}

VMM_OUTLINE uint32_t vmm_s3fifo_victim(vmm_machine_t *m, vmm_resident_t *set)
{
    uint64_t left;
    vmm_policy_full(set);
    set->hand = VMM_NO_FRAME;
    for (left = (uint64_t)(VMM_S3_MOST + 2) * set->word[1]; left > 0; left--) {
        const bool filled = set->list[VMM_S3_SMALL].count >= vmm_policy_share(set, 10);
        const unsigned from = filled || !set->list[VMM_S3_MAIN].count ? VMM_S3_SMALL : VMM_S3_MAIN;
        if (!vmm_s3fifo_step(m, set, from)) continue;
        set->hand = set->list[from].last;
        return set->hand;
    }
    set->hand = vmm_list_oldest(m, set, VMM_S3_SMALL); /* all of one queue are held: see the other */
    if (set->hand == VMM_NO_FRAME) set->hand = vmm_list_oldest(m, set, VMM_S3_MAIN);
    return set->hand;
}
/** @endcond */

/** S3-FIFO: a small queue of a tenth of the frames, a main queue, and ghosts of what left the small one, as many as the
 *  main queue has frames. A page used twice while it is in the small queue goes on to the main queue, one missed while
 *  it is a ghost enters there; in the main queue up to three uses give as many more rounds. One page leaves for one
 *  that comes: the paper's eviction from the small queue evicts from the main queue too when a page goes on to it. The
 *  number of frames is what the set held when a victim was last asked for. With accessed bits, a tick counts one use
 *  for each page of the small queue whose bit is set, and each look at the end of a queue one more.
 *  Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", 2023. A fault O(1) expected, a
 *  touch O(1), a victim O(1) amortised and O(n) at worst, a tick O(n / 10). */
static const vmm_replacement_t vmm_replace_s3fifo VMM_UNUSED = {
    "S3-FIFO", vmm_s3fifo_enter, vmm_s3fifo_leave, vmm_s3fifo_victim, vmm_s3fifo_touch, vmm_s3fifo_tick, true, 0, 0};

/* -- records alone -- */

/** @cond internal */
VMM_INLINE vmm_status_t vmm_records_check(uint32_t frames, const vmm_replacement_t *policy)
{
    if (!policy || !policy->enter || !policy->leave || !policy->victim) return VMM_E_ARGUMENT;
    return frames == 0 || frames >> 31 ? VMM_E_RANGE : VMM_OK;
}

VMM_INLINE void vmm_records_plan(vmm_machine_t *m, uint32_t frames, uint32_t ghosts, const vmm_replacement_t *policy)
{
    VMM_SET(m, 0, sizeof *m);
    m->options.replacement = policy;
    m->options.ghosts = ghosts;
    vmm_plan_frames(m, frames, 1);
}
/** @endcond */

/** How many bytes vmm_records_create needs.
 *  @param frames how many. @param ghosts pages remembered after they left; 0: as many as frames. @param policy who
 *  chooses.
 *  @return bytes, or 0 when it would refuse them. O(1). */
VMM_OUTLINE uint64_t vmm_records_bytes(uint32_t frames, uint32_t ghosts, const vmm_replacement_t *policy)
{
    vmm_machine_t m;
    if (vmm_records_check(frames, policy)) return 0;
    vmm_records_plan(&m, frames, ghosts, policy);
    return m.bytes;
}

/** Makes a machine that is nothing but records of frames and one resident set: a policy without a space, a table or RAM
 *  around it, for simulators and traces. The caller says which page comes into which frame; the vmm_records_ functions
 *  and what looks at frames and lists are all that may be called on it. There is no pointer to itself in the block: a
 *  copy of it goes on by itself.
 *
 *      vmm_records_create(block, sizeof block, 64, 0, &vmm_replace_lru, &m);
 *      // each use: of a page in a frame ...
 *      vmm_records_touch(m, frame, write);
 *      // ... or of one that is in none; frames that hold no page are handed out by the caller, then
 *      frame = vmm_records_victim(m, process, page);
 *      vmm_records_leave(m, frame);
 *      vmm_records_enter(m, frame, process, page, write);
 *
 *  @param block    memory, aligned to 8; its first bytes are the machine
 *  @param bytes    its size, at least vmm_records_bytes of the same
 *  @param frames   how many; the set's bound (resident.most) too
 *  @param ghosts   pages remembered after they left, by policies that do; 0: as many as frames
 *  @param policy   who chooses; stays the caller's
 *  @param machine  receives the machine. options.window and the set's word[0] (the state of random choices) may be set
 *                  before the first page enters
 *  @return VMM_OK; VMM_E_ARGUMENT when a pointer is null, a function of the policy is missing, or the block is too
 *  small; VMM_E_ALIGN; VMM_E_RANGE for no frame or 2^31 and more. O(bytes). */
VMM_OUTLINE vmm_status_t vmm_records_create(void *block, uint64_t bytes, uint32_t frames, uint32_t ghosts,
                                            const vmm_replacement_t *policy, vmm_machine_t **machine)
{
    vmm_machine_t *m = (vmm_machine_t *)block;
    const vmm_status_t status = vmm_records_check(frames, policy);
    if (!block || !machine || bytes > SIZE_MAX) return VMM_E_ARGUMENT;
    if (status) return status;
    if ((uintptr_t)block & 7) return VMM_E_ALIGN;
    if (bytes < vmm_records_bytes(frames, ghosts, policy)) return VMM_E_ARGUMENT;
    vmm_records_plan(m, frames, ghosts, policy);
    VMM_SET(vmm_machine_part(m, sizeof *m), 0, (size_t)(m->bytes - sizeof *m));
    m->paging = &vmm_sv39; /* no page is mapped: only that there is a format matters */
    m->slot_count = 1;     /* every page could be written somewhere */
    vmm_resident_init(&m->resident, policy, 0);
    m->resident.most = frames;
    *machine = m;
    return VMM_OK;
}

/** Asks which frame has to give up its page for one that comes. It still holds it: vmm_records_leave is the caller's,
 *  who may look at the page before.
 *  @param m the machine. @param owner whose page will come, and @param index its number: policies with ghosts choose by
 *  it.
 *  @return its number; VMM_NO_FRAME: no page is in any. Complexity: as the policy's. */
VMM_INLINE uint32_t vmm_records_victim(vmm_machine_t *m, uint32_t owner, uint32_t index)
{
    vmm_resident_expect(m, &m->resident, owner, index);
    return m->resident.policy->victim(m, &m->resident);
}

/** The page in a frame leaves it.
 *  @param m the machine. @param frame its number; it holds a page. Complexity: as the policy's. */
VMM_INLINE void vmm_records_leave(vmm_machine_t *m, uint32_t frame)
{
    m->resident.policy->leave(m, &m->resident, frame);
    vmm_frame_at(m, frame)->kind = VMM_FRAME_FREE;
}

/** A page comes into a frame, by its first use: that is not told again by vmm_records_touch.
 *  @param m the machine. @param frame its number; it holds no page. @param owner whose page, and @param index its
 *  number. @param write whether the use is a write. Complexity: as the policy's. */
VMM_INLINE void vmm_records_enter(vmm_machine_t *m, uint32_t frame, uint32_t owner, uint32_t index, bool write)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    VMM_ASSERT(f->kind == VMM_FRAME_FREE);
    f->kind = VMM_FRAME_FIXED; /* the reverse map knows no entry of it */
    f->flags = write ? VMM_FRAME_DIRTY : 0;
    f->owner = owner;
    f->index = index;
    vmm_resident_begin(m, &m->resident, frame);
}

/** The page in a frame is used.
 *  @param m the machine. @param frame its number; it holds a page. @param write whether the use is a write.
 *  Complexity: as the policy's. */
VMM_INLINE void vmm_records_touch(vmm_machine_t *m, uint32_t frame, bool write)
{
    vmm_frame_at(m, frame)->flags |= (uint8_t)(write ? VMM_FRAME_DIRTY : 0);
    if (m->resident.policy->touch) m->resident.policy->touch(m, &m->resident, frame);
}

/** Time passes.
 *  @param m the machine. Complexity: as the policy's. */
VMM_INLINE void vmm_records_tick(vmm_machine_t *m)
{
    if (m->resident.policy->tick) m->resident.policy->tick(m, &m->resident);
}

/** Asks for a frame whose page the policy wants to be without now (working set, page-fault frequency). It still holds
 *  it: vmm_records_leave is the caller's. To have what the papers define, ask after each use until there is none.
 *  @param m the machine.
 *  @return its number; VMM_NO_FRAME: none. Complexity: as the policy's. */
VMM_INLINE uint32_t vmm_records_surplus(vmm_machine_t *m)
{
    return m->resident.policy->surplus ? m->resident.policy->surplus(m, &m->resident) : VMM_NO_FRAME;
}

/** Tells whether a page was written since it came.
 *  @param m the machine. @param frame its number; it holds a page.
 *  @return whether it was. O(1). */
VMM_INLINE bool vmm_records_dirty(const vmm_machine_t *m, uint32_t frame)
{
    return (vmm_frame_at(m, frame)->flags & VMM_FRAME_DIRTY) != 0;
}

/* -- swap -- */

/** Adds a swap area. Areas of higher priority are filled first, of equal ones the emptier.
 *  @param m     the machine
 *  @param area  copied
 *  @return VMM_OK; VMM_E_ARGUMENT when a callback is null or it has no slots; VMM_E_RANGE when there are VMM_SWAP_AREAS
 *  already, more slots than options.slots says, or an entry could not name them. O(areas). */
VMM_OUTLINE vmm_status_t vmm_swap_add(vmm_machine_t *m, const vmm_swap_area_t *area)
{
    uint32_t at = m->swaps;
    if (!area->write_slot || !area->read_slot || !area->slots) return VMM_E_ARGUMENT;
    if (m->swaps == VMM_SWAP_AREAS || area->slots > m->options.slots - m->slot_count) return VMM_E_RANGE;
    for (; at && m->swap[at - 1].area.priority < area->priority; at--) m->swap[at] = m->swap[at - 1];
    m->swap[at].area = *area;
    m->swap[at].first = m->slot_count;
    m->swap[at].used = 0;
    m->swap[at].hand = 0;
    m->slot_count += area->slots;
    m->swaps++;
    return VMM_OK;
}

/** @cond internal */
/* The area that the next slot is taken from; null: all are full. */
VMM_INLINE vmm_swap_t *vmm_swap_choose(vmm_machine_t *m)
{
    vmm_swap_t *chosen = NULL;
    uint32_t i;
    for (i = 0; i < m->swaps; i++) {
        vmm_swap_t *swap = &m->swap[i];
        if (swap->used == swap->area.slots) continue;
        if (chosen && swap->area.priority < chosen->area.priority) break;
        if (!chosen || swap->used < chosen->used) chosen = swap;
    }
    return chosen;
}

/* A free slot, after the one taken last, so that pages that leave together lie together. VMM_NO_FRAME: none. */
VMM_OUTLINE uint32_t vmm_slot_take(vmm_machine_t *m)
{
    vmm_swap_t *swap = vmm_swap_choose(m);
    vmm_slot_t *record;
    uint32_t slot;
    if (!swap) return VMM_NO_FRAME;
    do {
        slot = swap->first + swap->hand;
        swap->hand = swap->hand + 1 == swap->area.slots ? 0 : swap->hand + 1;
        record = vmm_slot_at(m, slot);
    } while (record->count || record->frame != VMM_NO_FRAME);
    swap->used++;
    m->slots_used++;
    return slot;
}

/* Gives a slot back that was only just taken. */
VMM_INLINE void vmm_slot_untake(vmm_machine_t *m, uint32_t slot)
{
    vmm_slot_at(m, slot)->frame = VMM_NO_FRAME;
    vmm_slot_settle(m, slot);
}

VMM_INLINE vmm_status_t vmm_slot_write(vmm_machine_t *m, uint32_t slot, uint32_t frame)
{
    const vmm_swap_t *swap = vmm_swap_of(m, slot);
    if (swap->area.write_slot(swap->area.user, slot - swap->first, vmm_frame_host(m, frame))) {
        m->stats.io_errors++;
        return VMM_E_IO;
    }
    m->stats.swapped_out++;
    vmm_tell(m, VMM_EVENT_SWAP_OUT, NULL, 0, vmm_frame_paddr(m, frame), slot);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_slot_read(vmm_machine_t *m, uint32_t slot, uint32_t frame)
{
    const vmm_swap_t *swap = vmm_swap_of(m, slot);
    if (swap->area.read_slot(swap->area.user, slot - swap->first, vmm_frame_host(m, frame))) {
        m->stats.io_errors++;
        return VMM_E_IO;
    }
    m->stats.swapped_in++;
    vmm_tell(m, VMM_EVENT_SWAP_IN, NULL, 0, vmm_frame_paddr(m, frame), slot);
    return VMM_OK;
}

/* -- taking a frame from its page -- */

/* Whether no area that maps a page is locked or of explicit huge pages, and huge pages around it are split. A locked
 * one leaves the lists. */
VMM_OUTLINE bool vmm_evict_ready(vmm_machine_t *m, uint32_t frame)
{
    vmm_place_t at = vmm_places(m, frame);
    while (vmm_places_next(m, &at)) {
        const vmm_vaddr_t va = at.va;
        if (vmm_area_at(m, vmm_area_with(at.space, va))->flags & (VMM_AREA_LOCKED | VMM_AREA_HUGE)) {
            vmm_resident_leave(m, frame);
            vmm_frame_at(m, frame)->flags |= VMM_FRAME_LOCKED;
            return false;
        }
        if (at.level && vmm_huge_split(m, at.space, va)) return false;
    }
    return true;
}

VMM_INLINE vmm_status_t vmm_evict_file(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_object_t *o = vmm_object_at(m, f->owner);
    vmm_status_t status;
    f->flags |= VMM_FRAME_BUSY;
    status = vmm_page_clean(m, frame);
    f->flags &= (uint8_t)~VMM_FRAME_BUSY;
    if (status) return status;
    vmm_page_unmap_all(m, frame);
    if (f->flags & VMM_FRAME_DIRTY) return VMM_E_BUSY; /* another processor wrote meanwhile */
    (void)vmm_index_clear(m, &o->pages, f->index);
    m->stats.dropped++;
    vmm_tell(m, VMM_EVENT_DROP, NULL, 0, vmm_frame_paddr(m, frame), 0);
    vmm_page_free(m, frame);
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_evict_shared(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_object_t *o = vmm_object_at(m, f->owner);
    const uint32_t slot = vmm_slot_take(m);
    vmm_slot_t *record;
    vmm_status_t status;
    if (slot == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    vmm_page_unmap_all(m, frame);
    f->flags |= VMM_FRAME_BUSY;
    status = vmm_slot_write(m, slot, frame);
    f->flags &= (uint8_t)~VMM_FRAME_BUSY;
    if (status) {
        vmm_slot_untake(m, slot);
        return status;
    }
    record = vmm_slot_at(m, slot);
    record->owner = f->owner;
    record->index = f->index;
    record->kind = VMM_FRAME_CACHE;
    record->count = 1;
    (void)vmm_index_set(m, &o->pages, f->index, VMM_PAGE_IN_SLOT | slot); /* replaces: cannot fail */
    vmm_page_free(m, frame);
    return VMM_OK;
}

/* Makes every entry of an anonymous page stand for its slot, or for nothing. */
VMM_OUTLINE void vmm_evict_entries(vmm_machine_t *m, uint32_t frame, bool lazily)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_place_t at = vmm_places(m, frame);
    while (vmm_places_next(m, &at)) {
        at.pte = vmm_entry_put(m, at.entry, at.level, lazily ? 0 : vmm_entry_of_slot(m, f->index));
        vmm_page_unmapped(m, at.space, frame, (at.pte & m->paging->valid) && vmm_pte_is_dirty(m->paging, at.pte));
        if (!m->options.eager_flush_off) vmm_flush_stretch(m, at.space, at.va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
        if (lazily) continue;
        vmm_slot_at(m, f->index)->count++;
        at.space->stats.swapped++;
    }
}

/* A page without a slot gets one. */
VMM_INLINE vmm_status_t vmm_frame_join_slot(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    const uint32_t slot = vmm_slot_take(m);
    vmm_slot_t *record;
    if (slot == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    record = vmm_slot_at(m, slot);
    record->frame = frame;
    record->owner = f->owner;
    record->index = f->index;
    record->kind = VMM_FRAME_ANON;
    f->index = slot;
    f->flags |= VMM_FRAME_SWAP | VMM_FRAME_DIRTY;
    return VMM_OK;
}

VMM_INLINE vmm_status_t vmm_evict_anon(vmm_machine_t *m, uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->flags & VMM_FRAME_LAZY && !vmm_frame_dirty(m, frame)) {
        vmm_evict_entries(m, frame, true);
        if (f->mappings == 0) {
            m->stats.dropped++;
            vmm_tell(m, VMM_EVENT_DROP, NULL, 0, vmm_frame_paddr(m, frame), 0);
            vmm_page_settle(m, frame);
            return VMM_OK;
        }
    }
    f->flags &= (uint8_t)~VMM_FRAME_LAZY;
    if (!(f->flags & VMM_FRAME_SWAP) && vmm_frame_join_slot(m, frame)) return VMM_E_NO_FRAME;
    vmm_evict_entries(m, frame, false);
    if (f->flags & VMM_FRAME_DIRTY) {
        vmm_status_t status;
        f->flags |= VMM_FRAME_BUSY;
        status = vmm_slot_write(m, f->index, frame);
        f->flags &= (uint8_t)~VMM_FRAME_BUSY;
        if (status) return status; /* it stays in the swap cache, and its entries find it there */
        f->flags &= (uint8_t)~VMM_FRAME_DIRTY;
    } else {
        m->stats.dropped++;
        vmm_tell(m, VMM_EVENT_DROP, NULL, 0, vmm_frame_paddr(m, frame), 0);
    }
    vmm_page_free(m, frame);
    return VMM_OK;
}

/* Takes a frame from its page. VMM_E_BUSY, VMM_E_IO, VMM_E_NO_FRAME: the page keeps it. */
VMM_OUTLINE vmm_status_t vmm_evict(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_status_t status;
    if (!vmm_evict_ready(m, frame)) return VMM_E_BUSY;
    vmm_tell(m, VMM_EVENT_VICTIM, NULL, 0, vmm_frame_paddr(m, frame), 0);
    if (vmm_frame_kind(f) == VMM_FRAME_ANON) status = vmm_evict_anon(m, frame);
    else if (vmm_frame_is_shared_memory(m, f)) status = vmm_evict_shared(m, frame);
    else status = vmm_evict_file(m, frame);
    if (status == VMM_OK) m->stats.victims++;
    return status;
}

/* Takes a frame that the policy named from its page. A page that cannot go enters its set anew. */
VMM_INLINE bool vmm_reclaim_frame(vmm_machine_t *m, vmm_resident_t *set, uint32_t frame)
{
    if (vmm_evict(m, frame) == VMM_OK) return true;
    if (vmm_frame_at(m, frame)->kind >> 4) {
        set->policy->leave(m, set, frame);
        set->policy->enter(m, set, frame);
    }
    return false;
}

/* Takes frames of one set from their pages until so many are free. Returns how many it got. */
VMM_OUTLINE uint32_t vmm_reclaim_set(vmm_machine_t *m, vmm_resident_t *set, uint32_t wanted)
{
    const bool nested = m->reclaiming;
    uint32_t got = 0, tries = 16 + vmm_resident_count(set);
    if (nested) return 0;
    m->reclaiming = true;
    while (got < wanted && tries--) {
        const uint32_t frame = set->policy->victim(m, set);
        if (frame == VMM_NO_FRAME && m->latest.again >= VMM_LATEST) { /* they are all that there is */
            m->latest.again = 0;
            continue;
        }
        if (frame == VMM_NO_FRAME) break;
        got += vmm_reclaim_frame(m, set, frame);
    }
    m->reclaiming = false;
    return got;
}

/* Takes the frames that the policy wants to be without, but leaves so many that an instruction has all of its pages. */
VMM_OUTLINE uint32_t vmm_reclaim_surplus(vmm_machine_t *m, vmm_resident_t *set)
{
    uint32_t left = vmm_resident_count(set), got = 0;
    if (!set->policy->surplus || m->reclaiming) return 0;
    m->reclaiming = true;
    for (; left > VMM_LATEST; left--) {
        const uint32_t frame = set->policy->surplus(m, set);
        if (frame == VMM_NO_FRAME) break;
        got += vmm_reclaim_frame(m, set, frame);
    }
    m->reclaiming = false;
    return got;
}

/* The same over all sets: with local replacement the largest one gives first. */
VMM_OUTLINE uint32_t vmm_reclaim(vmm_machine_t *m, uint32_t wanted)
{
    uint32_t got = 0, number;
    vmm_tell(m, VMM_EVENT_RECLAIM, NULL, 0, 0, m->frames.free_frames);
    while (m->set_offset && got < wanted) {
        vmm_space_t *most = NULL;
        uint32_t now;
        for (number = 1; number <= m->spaces.fresh; number++) {
            vmm_space_t *s = vmm_space_at(m, number);
            if (s->number == number && (!most || s->stats.anon + s->stats.file > most->stats.anon + most->stats.file))
                most = s;
        }
        now = most ? vmm_reclaim_set(m, &most->resident, wanted - got) : 0;
        if (!now) break;
        got += now;
    }
    if (got < wanted) got += vmm_reclaim_set(m, &m->resident, wanted - got);
    return got;
}

VMM_INLINE uint32_t vmm_policy_tick_set(vmm_machine_t *m, vmm_resident_t *set)
{
    if (set->policy->tick) set->policy->tick(m, set);
    return vmm_reclaim_surplus(m, set);
}

/* Returns how many frames it took. */
VMM_OUTLINE uint32_t vmm_policy_tick(vmm_machine_t *m)
{
    uint32_t number, got = vmm_policy_tick_set(m, &m->resident);
    for (number = 1; m->set_offset && number <= m->spaces.fresh; number++) {
        vmm_space_t *s = vmm_space_at(m, number);
        if (s->number == number) got += vmm_policy_tick_set(m, &s->resident);
    }
    return got;
}
/** @endcond */

/** Reclaim in the background: gives the policy its tick, takes the frames that it wants to be without, and then frames
 *  from their pages until watermark_high are free. An operating system calls it when it is idle, from a timer, or when
 *  options.lack told it to.
 *  @param m  the machine
 *  @return frames taken. O(frames taken x their mappings), and what the policy needs. */
VMM_OUTLINE uint32_t vmm_background(vmm_machine_t *m)
{
    const uint32_t surplus = vmm_policy_tick(m);
    if (m->frames.free_frames >= m->options.watermark_high) return surplus;
    m->stats.background++;
    return surplus + vmm_reclaim(m, m->options.watermark_high - m->frames.free_frames);
}

/** Tells the policy that an address was used: for traces and emulators that know every access, so that policies which
 *  need the exact order (LRU, LFU) have it.
 *  @param s   the space
 *  @param va  virtual address; nothing happens when no frame holds it
 *  O(levels). */
VMM_OUTLINE void vmm_touch(vmm_space_t *s, vmm_vaddr_t va)
{
    vmm_machine_t *m = vmm_machine_of(s);
    unsigned level;
    const uint8_t *entry = vmm_entry_find(m, s, va, &level);
    uint32_t frame = 0;
    if (!entry || vmm_entry_read(m, vmm_pte_load(m->paging, entry), &frame) != VMM_ENTRY_PAGE) return;
    if (level) frame += (uint32_t)((va & vmm_low_mask(vmm_level_shift(m->paging, level))) >> m->paging->page_shift);
    if (frame != m->zero_frame) vmm_resident_touch(m, frame);
}
/** @} */

/* ======================================================== Part II  14. out of memory == */
/** @defgroup vmm_oom 14. Out of memory
 *  How a frame is had when there are few: reclaim in the background below watermark_low, by the one who asks at
 *  watermark_min, and if nothing can be taken any more one space is killed. And how much may be promised at all.
 *  @{ */

/** How bad it is that a space goes on living when memory ran out: pages resident, swapped and of tables, and a
 *  thousandth of all memory for each point of oom_score_adj (Linux, mm/oom_kill.c, oom_badness; which rounds the
 *  memory to whole thousands of pages first).
 *  @param s  the space
 *  @return pages; INT64_MIN: it must not be killed. O(1). */
VMM_OUTLINE int64_t vmm_oom_badness(const vmm_space_t *s)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const int64_t total = (int64_t)m->frame_count + m->slot_count;
    int64_t points;
    if (s->oom_score_adj == -1000 || s->killed) return INT64_MIN;
    points = (int64_t)(s->stats.anon + s->stats.file + s->stats.shared + s->stats.swapped);
    points += (int64_t)(s->stats.tables >> m->paging->page_shift);
    return points + s->oom_score_adj * total / 1000;
}

/** Sets oom_score_adj by the older scale, -17 (never) to 15.
 *  @param s        the space
 *  @param oom_adj  -17 to 15
 *  @return VMM_OK, or VMM_E_ARGUMENT outside of it. */
VMM_OUTLINE vmm_status_t vmm_set_oom_adj(vmm_space_t *s, int oom_adj)
{
    if (oom_adj < -17 || oom_adj > 15) return VMM_E_ARGUMENT;
    s->oom_score_adj = (int16_t)(oom_adj == 15 ? 1000 : oom_adj * 1000 / 17);
    return VMM_OK;
}

/** @cond internal */
/* Kills the worst space, if the program agrees: its pages are let go at once, and its next fault ends it. */
VMM_OUTLINE bool vmm_oom_kill(vmm_machine_t *m)
{
    vmm_space_t *worst = NULL;
    int64_t points = INT64_MIN;
    uint32_t number;
    for (number = 1; number <= m->spaces.fresh; number++) {
        vmm_space_t *s = vmm_space_at(m, number);
        int64_t badness;
        if (s->number != number) continue;
        badness = vmm_oom_badness(s);
        if (badness == INT64_MIN || (worst && badness <= points)) continue;
        worst = s;
        points = badness;
    }
    if (!worst || (m->options.kill && !m->options.kill(m->options.user, worst))) return false;
    m->stats.kills++;
    vmm_tell(m, VMM_EVENT_KILL, worst, 0, 0, (uint64_t)points);
    worst->killed = true;
    worst->signal.number = VMM_SIGKILL;
    worst->signal.code = 0;
    worst->signal.status = VMM_E_NO_FRAME;
    vmm_zap(m, worst, 0, m->layout.top);
    return true;
}

/* Frames fell to the least: takes some from others, or kills. VMM_OK: it is worth trying again. */
VMM_OUTLINE vmm_status_t vmm_frames_short(vmm_machine_t *m, const vmm_space_t *s)
{
    const uint32_t wanted = m->options.watermark_high - m->options.watermark_min;
    m->stats.direct++;
    if (vmm_reclaim(m, wanted ? wanted : 1)) return VMM_OK;
    if (m->frames.free_frames > m->options.watermark_min) return VMM_OK;
    if (!vmm_oom_kill(m)) return VMM_E_NO_FRAME;
    return s && s->killed ? VMM_E_NO_FRAME : VMM_OK;
}

/* Frames are below watermark_low: time for the background. */
VMM_OUTLINE void vmm_frames_low(vmm_machine_t *m)
{
    if (m->options.lack) {
        m->options.lack(m->options.user, m->frames.free_frames);
        return;
    }
    if (m->respite) m->respite--;
    else if (vmm_background(m) == 0) m->respite = 64;
}

/* A frame for a page of a space, taken from others if need be. VMM_NO_FRAME: none is to be had, or the space itself was
 * killed. */
VMM_OUTLINE uint32_t vmm_frame_take_slowly(vmm_machine_t *m, vmm_space_t *s, unsigned kind)
{
    if (s && s->resident.most && vmm_resident_count(&s->resident) >= s->resident.most)
        (void)vmm_reclaim_set(m, &s->resident, 1);
    if (m->frames.free_frames <= m->options.watermark_low && m->frames.free_frames > m->options.watermark_min)
        vmm_frames_low(m);
    while (m->frames.free_frames <= m->options.watermark_min)
        if (vmm_frames_short(m, s)) return VMM_NO_FRAME;
    if (s && s->killed) return VMM_NO_FRAME;
    return vmm_frame_alloc(m, 0, kind);
}

VMM_INLINE uint32_t vmm_frame_take(vmm_machine_t *m, vmm_space_t *s, unsigned kind)
{
    uint32_t frame;
    if (VMM_LIKELY(m->frames.free_frames > m->options.watermark_low && !m->set_offset))
        frame = vmm_frame_alloc(m, 0, kind);
    else frame = vmm_frame_take_slowly(m, s, kind);
    if (frame != VMM_NO_FRAME) vmm_tell(m, VMM_EVENT_FRAME, s, 0, vmm_frame_paddr(m, frame), 0);
    return frame;
}

/* A table, likewise. */
VMM_OUTLINE uint32_t vmm_table_need(vmm_machine_t *m, vmm_space_t *s, unsigned level)
{
    for (;;) {
        uint32_t frame = VMM_NO_FRAME;
        if (m->frames.free_frames > m->options.watermark_min) frame = vmm_table_new(m, s, level);
        if (frame != VMM_NO_FRAME || vmm_frames_short(m, s)) return frame;
        if (vmm_frames_largest(&m->frames) < (int)vmm_table_order(m, level) &&
            m->frames.free_frames > m->options.watermark_high)
            return VMM_NO_FRAME; /* enough, but not in one piece */
    }
}

/* The entry of an address down to a level, with the tables above it made; a huge leaf on the way ends it. Null: no
 * frame for a table. */
VMM_OUTLINE uint8_t *vmm_entry_make(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, unsigned lowest, unsigned *level)
{
    const vmm_paging_t *p = m->paging;
    vmm_paddr_t table = s->root;
    for (*level = p->levels - 1u;; --*level) {
        uint8_t *entry = vmm_table_host(m, table) + (size_t)vmm_level_index(p, *level, va) * p->pte_bytes;
        vmm_pte_t pte = vmm_pte_load(p, entry);
        if (*level == lowest) return entry;
        if (!(pte & p->valid)) {
            const uint32_t frame = vmm_table_need(m, s, *level - 1u);
            if (frame == VMM_NO_FRAME) {
                vmm_tables_prune(m, s, va); /* those made on the way here */
                return NULL;
            }
            pte = vmm_pte_pointer(p, vmm_frame_paddr(m, frame), *level);
            vmm_entry_put(m, entry, *level, pte);
        }
        if (vmm_pte_is_leaf(p, pte, *level)) return entry;
        table = vmm_pte_paddr(p, pte);
    }
}

VMM_INLINE uint8_t *vmm_entry_need(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, unsigned *level)
{
    uint8_t *entry = vmm_entry_find(m, s, va, level);
    return VMM_LIKELY(entry != NULL) ? entry : vmm_entry_make(m, s, va, 0, level);
}

/* Promises pages: whether that many may be. */
VMM_OUTLINE vmm_status_t vmm_commit(vmm_machine_t *m, uint64_t pages)
{
    const uint64_t total = (uint64_t)m->frame_count + m->slot_count;
    const uint64_t allowed = (uint64_t)m->frame_count * m->options.overcommit_ratio / 100 + m->slot_count;
    if (m->options.overcommit == VMM_OVERCOMMIT_GUESS && pages > total) return VMM_E_NO_FRAME;
    if (m->options.overcommit == VMM_OVERCOMMIT_NEVER && m->committed + pages > allowed) return VMM_E_NO_FRAME;
    m->committed += pages;
    return VMM_OK;
}

/* A huge leaf that an address cuts is split. */
VMM_OUTLINE vmm_status_t vmm_huge_cut(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va)
{
    unsigned level = 0;
    const uint8_t *entry = s->stats.huge ? vmm_entry_find(m, s, va, &level) : NULL;
    while (entry && level && va & vmm_low_mask(vmm_level_shift(m->paging, level))) {
        if (vmm_huge_split(m, s, va) && vmm_frames_short(m, s)) return VMM_E_NO_FRAME;
        entry = vmm_entry_find(m, s, va, &level);
    }
    return VMM_OK;
}

/* All huge leaves of a stretch, which lie wholly inside, are split. */
VMM_OUTLINE vmm_status_t vmm_huge_split_all(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    vmm_run_t run;
    while (s->stats.huge && vmm_run_next(m, s, &start, end, &run)) {
        if (!run.level) continue;
        if (vmm_huge_split(m, s, run.va) && vmm_frames_short(m, s)) return VMM_E_NO_FRAME;
        start = run.va;
    }
    return VMM_OK;
}

VMM_OUTLINE vmm_status_t vmm_huge_cut_ends(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    const vmm_status_t status = vmm_huge_cut(m, s, start);
    return status ? status : vmm_huge_cut(m, s, end);
}
/** @endcond */
/** @} */

/* ============================================================== Part II  15. faults == */
/** @defgroup vmm_faults 15. The fault handler
 *  What happens between a page that is not there and the instruction that runs again, in the textbooks' order: is the
 *  address in an area, does the area allow the access, which page is it, where does its content come from, map it.
 *  @{ */

/** @cond internal */
VMM_OUTLINE vmm_status_t vmm_fault_signal(vmm_machine_t *m, vmm_space_t *s, unsigned number, unsigned code,
                                          vmm_vaddr_t va, unsigned access, vmm_status_t status)
{
    if (s->killed) {
        number = VMM_SIGKILL;
        code = 0;
        status = VMM_E_NO_FRAME;
    }
    s->signal.number = (uint8_t)number;
    s->signal.code = (uint8_t)code;
    s->signal.status = (uint8_t)status;
    s->signal.access = (uint8_t)access;
    s->signal.address = va;
    vmm_tell(m, VMM_EVENT_SIGNAL, s, va, 0, number);
    return VMM_FAULT;
}

/* One fault under way. */
typedef struct vmm_serving {
    vmm_machine_t *m;
    vmm_space_t *s;
    uint32_t number; /* of the area */
    vmm_area_t *area;
    vmm_vaddr_t va; /* of the page */
    unsigned access;
    unsigned level; /* of entry */
    uint8_t *entry;
    bool major;
} vmm_serving_t;

/* What an area's pages allow. Writing means reading too, as every processor has it. */
VMM_INLINE uint32_t vmm_area_rights(const vmm_area_t *a)
{
    return (a->flags & (VMM_R | VMM_W | VMM_X)) | (a->flags & VMM_W ? (uint32_t)VMM_R : 0u) | VMM_U;
}

VMM_INLINE bool vmm_area_allows(const vmm_machine_t *m, const vmm_area_t *a, unsigned access)
{
    const uint32_t rights = vmm_area_rights(a);
    if (access == VMM_WRITE) return (rights & VMM_W) != 0;
    if (access == VMM_FETCH) return (rights & VMM_X) != 0 || (!m->paging->execute && rights & VMM_R);
    return (rights & VMM_R) != 0 || (!m->paging->read && rights & VMM_X);
}

/* Whether an area allows nothing: then its pages are parked. */
VMM_INLINE bool vmm_area_is_barred(const vmm_area_t *a)
{
    return !(a->flags & (VMM_R | VMM_W | VMM_X));
}

/* An entry for a page of an area. Not writable unless asked for: the first write is seen then. */
VMM_INLINE vmm_pte_t vmm_area_entry(const vmm_machine_t *m, const vmm_area_t *a, uint32_t frame, bool writable,
                                    bool dirty)
{
    uint32_t flags = vmm_area_rights(a) | VMM_A | (dirty ? (uint32_t)VMM_D : 0u);
    if (!writable) flags &= ~(uint32_t)VMM_W;
    if (vmm_area_is_barred(a)) return vmm_entry_of_parked(m, frame);
    return vmm_pte_leaf(m->paging, vmm_frame_paddr(m, frame), flags, 0);
}

/* A frame that a locked area maps is not to be taken; merged ones never are. */
VMM_INLINE void vmm_page_lock(vmm_machine_t *m, uint32_t frame)
{
    if (frame == m->zero_frame || vmm_frame_kind(vmm_frame_at(m, frame)) == VMM_FRAME_MERGED) return;
    vmm_resident_leave(m, frame);
    vmm_frame_at(m, frame)->flags |= VMM_FRAME_LOCKED;
}

/* Writes the entry of a page that had none, or had a slot. */
VMM_INLINE vmm_status_t vmm_serve_map(vmm_serving_t *v, uint32_t frame, bool writable)
{
    const vmm_pte_t pte = vmm_area_entry(v->m, v->area, frame, writable, writable && v->access == VMM_WRITE);
    vmm_entry_put(v->m, v->entry, 0, pte);
    vmm_page_mapped(v->m, v->s, frame);
    if (VMM_UNLIKELY(v->area->flags & VMM_AREA_LOCKED)) vmm_page_lock(v->m, frame);
    vmm_tell(v->m, VMM_EVENT_MAP, v->s, v->va, vmm_frame_paddr(v->m, frame), pte);
    return VMM_OK;
}

/* -- anonymous pages -- */

/* Could two neighbours be one area but for what they allow? Then their anonymous pages may be known by one id. */
VMM_INLINE uint32_t vmm_anon_id_of(const vmm_machine_t *m, const vmm_area_t *lower, const vmm_area_t *upper,
                                   const vmm_area_t *of)
{
    const uint32_t apart = VMM_R | VMM_W | VMM_X | VMM_AREA_CLONED | VMM_AREA_STACK;
    const uint64_t pages = (lower->end - lower->start) >> m->paging->page_shift;
    if (lower->end != upper->start || lower->object != upper->object || (lower->flags ^ upper->flags) & ~apart)
        return 0;
    if (lower->object && lower->offset + pages != upper->offset) return 0;
    if (lower->home + pages != upper->home || of->flags & VMM_AREA_CLONED) return 0;
    return of->anon;
}

/* A frame for a page while frames are few: which pages came last is noted. */
VMM_OUTLINE uint32_t vmm_frame_expect_few(vmm_machine_t *m, vmm_space_t *s, uint32_t owner, uint32_t index)
{
    vmm_latest_t *l = &m->latest;
    uint32_t i = 0, frame;
    while (i < VMM_LATEST && (l->owner[i] != owner || l->index[i] != index)) i++;
    l->again = i < VMM_LATEST ? l->again + 1 : 0;
    frame = vmm_frame_take(m, s, VMM_FRAME_ANON);
    if (frame == VMM_NO_FRAME) return frame;
    l->owner[l->at] = owner;
    l->index[l->at] = index;
    l->frame[l->at] = frame;
    l->at = (l->at + 1) % VMM_LATEST;
    return frame;
}

/* A frame for a page that is known already: policies which remember pages that left are told of it first. */
VMM_INLINE uint32_t vmm_frame_expect(vmm_machine_t *m, vmm_space_t *s, uint32_t owner, uint32_t index)
{
    if (VMM_UNLIKELY(m->options.ghosts))
        vmm_resident_expect(m, m->set_offset && s ? &s->resident : &m->resident, owner, index);
    if (VMM_UNLIKELY(m->frames.free_frames <= m->options.watermark_high))
        return vmm_frame_expect_few(m, s, owner, index);
    return vmm_frame_take(m, s, VMM_FRAME_ANON);
}

/* An area is about to get its first anonymous page. */
VMM_OUTLINE void vmm_area_make_anon(vmm_machine_t *m, vmm_space_t *s, uint32_t number)
{
    vmm_area_t *a = vmm_area_at(m, number);
    const uint32_t above = vmm_area_next(s, number), below = vmm_area_previous(s, number);
    if (above) a->anon = vmm_anon_id_of(m, a, vmm_area_at(m, above), vmm_area_at(m, above));
    if (!a->anon && below) a->anon = vmm_anon_id_of(m, vmm_area_at(m, below), a, vmm_area_at(m, below));
    if (!a->anon) a->anon = ++m->anon_ids;
}

/* A new frame for an anonymous page of the area, of any content, in no list and mapped nowhere. */
VMM_INLINE uint32_t vmm_serve_frame(vmm_serving_t *v)
{
    const uint64_t page = vmm_area_home(v->m, v->area, v->va);
    const uint32_t owner = vmm_anon_owner(v->s->kin, page), frame = vmm_frame_expect(v->m, v->s, owner, (uint32_t)page);
    vmm_frame_t *f;
    if (VMM_UNLIKELY(frame == VMM_NO_FRAME)) return frame;
    if (VMM_UNLIKELY(!v->area->anon)) vmm_area_make_anon(v->m, v->s, v->number);
    f = vmm_frame_at(v->m, frame);
    f->owner = owner;
    f->index = (uint32_t)page;
    f->flags = VMM_FRAME_EXCLUSIVE;
    v->m->pages_anon++;
    return frame;
}

/* Why a fault could not have a frame. */
VMM_INLINE vmm_status_t vmm_serve_no_frame(vmm_serving_t *v)
{
    return vmm_fault_signal(v->m, v->s, VMM_SIGBUS, VMM_BUS_ADRERR, v->va, v->access, VMM_E_NO_FRAME);
}

/* A new frame of zeros for the page. */
VMM_INLINE uint32_t vmm_serve_zeros(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    const uint32_t frame = vmm_serve_frame(v);
    if (VMM_UNLIKELY(frame == VMM_NO_FRAME)) return frame;
    VMM_SET(vmm_frame_host(m, frame), 0, (size_t)vmm_page_bytes(m));
    m->stats.zero_filled++;
    vmm_tell(m, VMM_EVENT_ZERO, v->s, v->va, vmm_frame_paddr(m, frame), 0);
    vmm_resident_enter(m, v->s, frame);
    return frame;
}

/* Zero page: shared by all until it is written. */
VMM_INLINE vmm_status_t vmm_serve_zero(vmm_serving_t *v)
{
    uint32_t frame;
    if (v->access != VMM_WRITE) return vmm_serve_map(v, v->m->zero_frame, false);
    frame = vmm_serve_zeros(v);
    return VMM_UNLIKELY(frame == VMM_NO_FRAME) ? vmm_serve_no_frame(v) : vmm_serve_map(v, frame, true);
}

/* A copy of a frame for this area's page. `from` stays where it is meanwhile. */
VMM_INLINE uint32_t vmm_serve_copy(vmm_serving_t *v, uint32_t from)
{
    vmm_machine_t *m = v->m;
    vmm_frame_t *source = vmm_frame_at(m, from);
    const uint8_t busy = source->flags & VMM_FRAME_BUSY;
    uint32_t frame;
    source->flags |= VMM_FRAME_BUSY;
    frame = vmm_serve_frame(v);
    if (!busy) source->flags &= (uint8_t)~VMM_FRAME_BUSY;
    if (VMM_UNLIKELY(frame == VMM_NO_FRAME)) {
        vmm_page_settle(m, from); /* the space may have been killed, and the page is nobody's then */
        return frame;
    }
    VMM_COPY(vmm_frame_host(m, frame), vmm_frame_host(m, from), (size_t)vmm_page_bytes(m));
    m->stats.copied++;
    vmm_tell(m, VMM_EVENT_COPY, v->s, v->va, vmm_frame_paddr(m, frame), 0);
    vmm_resident_enter(m, v->s, frame);
    return frame;
}

/* -- huge pages -- */

/* Bytes of a huge page, which is always a leaf of level 1; 0: the format has none, or RAM does not begin at a
 * multiple. */
VMM_INLINE uint64_t vmm_huge_bytes(const vmm_machine_t *m)
{
    const vmm_paging_t *p = m->paging;
    uint64_t bytes;
    if (p->levels < 2 || !((p->leaf_levels >> 1) & 1)) return 0;
    bytes = UINT64_C(1) << vmm_level_shift(p, 1);
    return m->memory.base & (bytes - 1) ? 0 : bytes;
}

/* Whether an area can have a huge page from an address on, a multiple of its size, whatever is there now. */
VMM_INLINE bool vmm_huge_lies(const vmm_machine_t *m, const vmm_area_t *a, vmm_vaddr_t start)
{
    const uint64_t bytes = vmm_huge_bytes(m);
    if (!bytes || a->object || a->flags & VMM_AREA_SHARED || vmm_area_is_barred(a)) return false;
    return start >= a->start && start < a->end && a->end - start >= bytes;
}

/* Whether an area is to have huge pages without being asked each time. */
VMM_INLINE bool vmm_huge_wanted(const vmm_machine_t *m, const vmm_area_t *a)
{
    if (a->flags & VMM_AREA_HUGE) return true;
    if (m->options.huge == VMM_HUGE_NEVER || a->flags & VMM_AREA_NEVER_HUGE) return false;
    return m->options.huge == VMM_HUGE_ALWAYS || a->flags & VMM_AREA_ADVISE_HUGE;
}

/* Whether the huge page around an address may be one: all of it in the area, and nothing there yet. */
VMM_OUTLINE bool vmm_huge_fits(const vmm_machine_t *m, const vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t va)
{
    const vmm_vaddr_t start = va & ~(vmm_huge_bytes(m) - 1);
    vmm_vaddr_t at = start;
    vmm_run_t run;
    if (!vmm_huge_wanted(m, a) || !vmm_huge_lies(m, a, start)) return false;
    return !vmm_run_next(m, s, &at, start + vmm_huge_bytes(m), &run);
}

/* A stretch of frames for a huge page, each a frame by itself for the buddy. VMM_NO_FRAME: not in one piece. */
VMM_OUTLINE uint32_t vmm_huge_frames(vmm_machine_t *m, const vmm_area_t *a, vmm_space_t *s, vmm_vaddr_t va)
{
    const unsigned order = m->paging->index_bits[0];
    const uint32_t count = UINT32_C(1) << order;
    const uint64_t page = vmm_area_home(m, a, va);
    uint32_t frame, i;
    if (m->frames.free_frames < count + (uint64_t)m->options.watermark_low) return VMM_NO_FRAME;
    frame = vmm_frame_alloc(m, order, VMM_FRAME_ANON);
    if (frame == VMM_NO_FRAME) return frame;
    (void)vmm_frames_split(&m->frames, vmm_frame_paddr(m, frame), order, 0);
    for (i = 0; i < count; i++) {
        vmm_frame_at(m, frame + i)->owner = vmm_anon_owner(s->kin, page + i);
        vmm_frame_at(m, frame + i)->index = (uint32_t)(page + i);
        vmm_frame_at(m, frame + i)->flags = VMM_FRAME_EXCLUSIVE;
    }
    m->pages_anon += count;
    return frame;
}

/* Maps a stretch of frames as one huge page at an entry of level 1. */
VMM_OUTLINE void vmm_huge_map(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t va, uint8_t *entry,
                              uint32_t frame)
{
    const uint32_t count = UINT32_C(1) << m->paging->index_bits[0];
    const uint32_t flags = vmm_area_rights(a) | VMM_A | (a->flags & VMM_W ? (uint32_t)VMM_D : 0u);
    uint32_t i;
    vmm_entry_put(m, entry, 1, vmm_pte_leaf(m->paging, vmm_frame_paddr(m, frame), flags, 1));
    for (i = 0; i < count; i++) {
        vmm_page_mapped(m, s, frame + i);
        vmm_resident_enter(m, s, frame + i);
        if (a->flags & (VMM_AREA_LOCKED | VMM_AREA_HUGE)) vmm_page_lock(m, frame + i);
    }
    s->stats.huge++;
    vmm_tell(m, VMM_EVENT_HUGE, s, va, vmm_frame_paddr(m, frame), 0);
}

/* Serves a first touch by a huge page. False: by a small one then. */
VMM_OUTLINE bool vmm_serve_huge(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    const uint64_t bytes = UINT64_C(1) << vmm_level_shift(m->paging, 1);
    const vmm_vaddr_t start = v->va & ~(bytes - 1);
    uint32_t frame;
    unsigned level;
    uint8_t *entry;
    if (!vmm_huge_fits(m, v->s, v->area, v->va)) return false;
    entry = vmm_entry_make(m, v->s, v->va, 1, &level);
    if (!entry || level != 1 || vmm_pte_load(m->paging, entry)) return false;
    if (!v->area->anon) vmm_area_make_anon(m, v->s, v->number);
    frame = vmm_huge_frames(m, v->area, v->s, start);
    if (frame == VMM_NO_FRAME) return false;
    VMM_SET(vmm_frame_host(m, frame), 0, (size_t)bytes);
    m->stats.zero_filled += bytes >> m->paging->page_shift;
    m->stats.huge_faults++;
    vmm_huge_map(m, v->s, v->area, start, entry, frame);
    return true;
}

/* -- pages of objects -- */

/* A page comes into a frame of the cache: zeros, out of its file, or out of its slot. VMM_E_IO, VMM_E_NO_FRAME. */
VMM_OUTLINE vmm_status_t vmm_object_load(vmm_machine_t *m, vmm_space_t *s, uint32_t object, uint32_t page,
                                         uint32_t *frame)
{
    vmm_object_t *o = vmm_object_at(m, object);
    const uint32_t value = vmm_index_get(m, &o->pages, page), slot = value & ~VMM_PAGE_IN_SLOT;
    const uint64_t bytes = vmm_page_bytes(m);
    vmm_status_t status = VMM_OK;
    vmm_frame_t *f;
    *frame = vmm_frame_expect(m, s, object, page);
    if (*frame == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    f = vmm_frame_at(m, *frame);
    f->kind = VMM_FRAME_CACHE;
    f->owner = object;
    f->index = page;
    if (value) {
        status = vmm_slot_read(m, slot, *frame);
    } else if (o->options.kind == VMM_OBJECT_SHARED) {
        VMM_SET(vmm_frame_host(m, *frame), 0, (size_t)bytes);
        m->stats.zero_filled++;
        vmm_tell(m, VMM_EVENT_ZERO, s, 0, vmm_frame_paddr(m, *frame), page);
    } else {
        const uint64_t size = o->options.size_of ? o->options.size_of(o->options.user) : o->options.size;
        const uint64_t left = size - (uint64_t)page * bytes;
        if (o->options.read_page(o->options.user, page, vmm_frame_host(m, *frame))) {
            m->stats.io_errors++;
            status = VMM_E_IO;
        }
        if (left < bytes) VMM_SET(vmm_frame_host(m, *frame) + left, 0, (size_t)(bytes - left));
    }
    if (status == VMM_OK) status = vmm_index_set(m, &o->pages, page, *frame + 1);
    if (status) {
        vmm_frame_give(m, *frame, 0);
        return status;
    }
    if (value) vmm_slot_put(m, slot);
    if (value) f->flags |= VMM_FRAME_DIRTY;
    m->pages_cache++;
    if (o->options.kind == VMM_OBJECT_FILE) {
        m->stats.file_reads++;
        vmm_tell(m, VMM_EVENT_READ, s, 0, vmm_frame_paddr(m, *frame), page);
    }
    vmm_resident_enter(m, s, *frame);
    return VMM_OK;
}

/* Pages of a file that will be wanted soon: what is left of the aligned window around one. Errors wait until somebody
 * wants the page itself. */
VMM_OUTLINE void vmm_serve_read_ahead(vmm_serving_t *v, uint32_t page, uint64_t pages)
{
    vmm_machine_t *m = v->m;
    const vmm_object_t *o = vmm_object_at(m, v->area->object);
    uint32_t window = m->options.read_ahead, frame, i;
    if (v->area->flags & VMM_AREA_RANDOM || o->options.kind != VMM_OBJECT_FILE) return;
    if (v->area->flags & VMM_AREA_SEQUENTIAL) window *= 2;
    for (i = page + 1; window > 1 && i % window && i < pages; i++) {
        if (m->frames.free_frames <= m->options.watermark_low) return;
        if (vmm_index_get(m, &o->pages, i)) continue;
        if (vmm_object_load(m, v->s, v->area->object, i, &frame)) return;
    }
}

/* The frame of the page of its object that the fault is about. Signals on its own. */
VMM_OUTLINE vmm_status_t vmm_serve_cached(vmm_serving_t *v, uint32_t *frame)
{
    vmm_machine_t *m = v->m;
    const uint64_t page = vmm_area_page(m, v->area, v->va);
    const vmm_object_t *o = vmm_object_at(m, v->area->object);
    const uint64_t pages = vmm_object_pages(m, o);
    uint32_t value;
    vmm_status_t status;
    if (page >= pages) {
        vmm_tell(m, VMM_EVENT_BEYOND, v->s, v->va, 0, page);
        return vmm_fault_signal(m, v->s, VMM_SIGBUS, VMM_BUS_ADRERR, v->va, v->access, VMM_E_RANGE);
    }
    value = vmm_index_get(m, &o->pages, (uint32_t)page);
    if (value && !(value & VMM_PAGE_IN_SLOT)) {
        *frame = value - 1;
        vmm_resident_touch(m, *frame);
        return VMM_OK;
    }
    v->major = value != 0 || o->options.kind == VMM_OBJECT_FILE;
    status = vmm_object_load(m, v->s, v->area->object, (uint32_t)page, frame);
    if (status) return vmm_fault_signal(m, v->s, VMM_SIGBUS, VMM_BUS_ADRERR, v->va, v->access, status);
    vmm_frame_at(m, *frame)->flags |= VMM_FRAME_BUSY;
    vmm_serve_read_ahead(v, (uint32_t)page, pages);
    vmm_frame_at(m, *frame)->flags &= (uint8_t)~VMM_FRAME_BUSY;
    return VMM_OK;
}

/* Whether a page of an object may be mapped writable at once: without a dirty bit the first write must be seen. */
VMM_INLINE bool vmm_serve_writable(const vmm_serving_t *v)
{
    return v->area->flags & VMM_AREA_SHARED && v->area->flags & VMM_W &&
           (v->m->paging->dirty || v->access == VMM_WRITE);
}

/* Maps the pages around one that are in frames already: options.fault_around pages from a multiple of so many, or from
 * the begin of the area or table; entries that stand for something stay. */
VMM_OUTLINE void vmm_serve_around(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    const vmm_paging_t *p = m->paging;
    const vmm_object_t *o = vmm_object_at(m, v->area->object);
    const uint64_t window = m->options.fault_around, bytes = vmm_page_bytes(m);
    const uint64_t size = window << p->page_shift, table = UINT64_C(1) << vmm_level_shift(p, 1);
    const uint64_t pages = vmm_object_pages(m, o);
    const vmm_pte_t first = vmm_area_entry(m, v->area, 0, vmm_serve_writable(v), false); /* of frame 0 */
    vmm_vaddr_t va = v->va & ~(size - 1), end;
    const uint32_t *words = NULL;
    vmm_frame_t *f = NULL;
    uint8_t *entry;
    uint64_t page;
    uint32_t mapped = 0;
    if (va < v->area->start) va = v->area->start;
    if (va < (v->va & ~(table - 1))) va = v->va & ~(table - 1);
    end = va + size;
    if (end > v->area->end) end = v->area->end;
    if (end > (v->va & ~(table - 1)) + table) end = (v->va & ~(table - 1)) + table;
    page = vmm_area_page(m, v->area, va);
    entry = v->entry + ((int64_t)(va - v->va) >> p->page_shift) * p->pte_bytes;
    for (; va < end && page < pages; va += bytes, page++, entry += p->pte_bytes) {
        uint32_t value;
        if (!words || page % 16 == 0) words = vmm_index_words(m, &o->pages, (uint32_t)page);
        value = words ? words[page % 16] : 0;
        if (!value || value & VMM_PAGE_IN_SLOT || va == v->va || vmm_pte_load(p, entry)) continue;
        if (vmm_frame_at(m, value - 1)->mappings == UINT16_MAX) continue;
        f = vmm_frame_at(m, value - 1);
        f->mappings++;
        vmm_pte_store(p, entry, first + ((vmm_pte_t)(value - 1) << p->ppn_lsb));
        if (VMM_UNLIKELY(v->area->flags & VMM_AREA_LOCKED)) vmm_page_lock(m, value - 1);
        mapped++;
    }
    if (!mapped) return;
    vmm_table_of(m, v->entry, 0)->mappings = (uint16_t)(vmm_table_of(m, v->entry, 0)->mappings + mapped);
    *vmm_resident_counter(m, v->s, f) += mapped;
    vmm_resident_peak(v->s);
    m->stats.around += mapped;
}

/* A page of an object that has no entry yet. */
VMM_OUTLINE vmm_status_t vmm_serve_object(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    const bool shared = (v->area->flags & VMM_AREA_SHARED) != 0;
    uint32_t frame = 0, copy;
    vmm_status_t status;
    if (v->access != VMM_WRITE && m->options.fault_around > 1) vmm_serve_around(v);
    if (v->access == VMM_WRITE && !shared && !v->area->anon) vmm_area_make_anon(m, v->s, v->number);
    status = vmm_serve_cached(v, &frame);
    if (status) return status;
    if (v->access == VMM_WRITE && !shared) {
        copy = vmm_serve_copy(v, frame);
        return copy == VMM_NO_FRAME ? vmm_serve_no_frame(v) : vmm_serve_map(v, copy, true);
    }
    if (vmm_frame_at(m, frame)->mappings == UINT16_MAX) return vmm_serve_no_frame(v);
    if (v->access == VMM_WRITE) vmm_frame_at(m, frame)->flags |= VMM_FRAME_DIRTY; /* for others that map it */
    return vmm_serve_map(v, frame, vmm_serve_writable(v));
}

/* -- pages in slots -- */

/* An anonymous page comes from its slot into a frame of the swap cache. */
VMM_OUTLINE vmm_status_t vmm_swap_load(vmm_machine_t *m, vmm_space_t *s, uint32_t slot, uint32_t *frame)
{
    vmm_slot_t *record = vmm_slot_at(m, slot);
    vmm_frame_t *f;
    *frame = vmm_frame_expect(m, s, record->owner, record->index);
    if (*frame == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    if (vmm_slot_read(m, slot, *frame)) {
        vmm_frame_give(m, *frame, 0);
        return VMM_E_IO;
    }
    f = vmm_frame_at(m, *frame);
    f->owner = record->owner;
    f->index = slot;
    f->flags |= VMM_FRAME_SWAP;
    record->frame = *frame;
    m->pages_anon++;
    vmm_resident_enter(m, s, *frame);
    return VMM_OK;
}

/* The other slots of the aligned window around one, of anonymous pages that are wanted still. */
VMM_OUTLINE void vmm_swap_read_ahead(vmm_machine_t *m, vmm_space_t *s, uint32_t slot)
{
    const vmm_swap_t *swap = vmm_swap_of(m, slot);
    const uint32_t window = m->options.swap_cluster, own = slot - swap->first;
    uint32_t i = own - own % (window ? window : 1), end = i + window, frame;
    if (end > swap->area.slots) end = swap->area.slots;
    for (; i < end; i++) {
        const vmm_slot_t *record = vmm_slot_at(m, swap->first + i);
        if (i == own || !record->count || record->frame != VMM_NO_FRAME || record->kind != VMM_FRAME_ANON) continue;
        if (m->frames.free_frames <= m->options.watermark_low) return;
        if (vmm_swap_load(m, s, swap->first + i, &frame)) return;
    }
}

/* The last user of a slot leaves it where slots are scarce, or where the page is about to be written. */
VMM_INLINE void vmm_serve_leave_slot(vmm_serving_t *v, uint32_t frame, bool wanted)
{
    const vmm_frame_t *f = vmm_frame_at(v->m, frame);
    if (!(f->flags & VMM_FRAME_SWAP) || vmm_slot_at(v->m, f->index)->count) return;
    if (wanted || v->m->slots_used > v->m->slot_count / 2) vmm_frame_leave_slot(v->m, frame);
}

VMM_OUTLINE vmm_status_t vmm_serve_slot(vmm_serving_t *v, uint32_t slot)
{
    vmm_machine_t *m = v->m;
    uint32_t frame = vmm_slot_at(m, slot)->frame, copy;
    vmm_frame_t *f;
    bool alone;
    if (frame == VMM_NO_FRAME) {
        const vmm_status_t status = vmm_swap_load(m, v->s, slot, &frame);
        if (status) return vmm_fault_signal(m, v->s, VMM_SIGBUS, VMM_BUS_ADRERR, v->va, v->access, status);
        v->major = true;
        vmm_frame_at(m, frame)->flags |= VMM_FRAME_BUSY;
        if (m->options.swap_cluster > 1) vmm_swap_read_ahead(m, v->s, slot);
        vmm_frame_at(m, frame)->flags &= (uint8_t)~VMM_FRAME_BUSY;
    } else {
        vmm_resident_touch(m, frame);
    }
    f = vmm_frame_at(m, frame);
    alone = f->mappings == 0 && vmm_slot_at(m, slot)->count == 1;
    if (v->access == VMM_WRITE && !alone) {
        copy = vmm_serve_copy(v, frame);
        if (copy == VMM_NO_FRAME) return vmm_serve_no_frame(v);
        vmm_serve_map(v, copy, true);
        v->s->stats.swapped--;
        vmm_slot_put(m, slot);
        return VMM_OK;
    }
    if (f->mappings == UINT16_MAX) return vmm_serve_no_frame(v);
    vmm_serve_map(v, frame, v->access == VMM_WRITE);
    v->s->stats.swapped--;
    vmm_slot_at(m, slot)->count--;
    if (alone) f->flags |= VMM_FRAME_EXCLUSIVE;
    vmm_serve_leave_slot(v, frame, v->access == VMM_WRITE);
    return VMM_OK;
}

/* -- entries that are there but do not serve -- */

/* Gives the entry of a page that is there already what the access needs. */
VMM_INLINE vmm_status_t vmm_serve_grant(vmm_serving_t *v, vmm_pte_t pte, bool writable)
{
    const vmm_paging_t *p = v->m->paging;
    vmm_pte_t was = pte;
    for (;;) {
        pte = vmm_pte_with(p, was, p->accessed, true);
        if (writable) pte = vmm_pte_with(p, vmm_pte_with(p, pte, p->write, true), p->dirty, true);
        if (vmm_pte_swap(p, v->entry, was, pte)) break;
        was = vmm_pte_load(p, v->entry);
    }
    if (VMM_UNLIKELY(v->area->flags & VMM_AREA_LOCKED) && !v->level)
        vmm_page_lock(v->m, vmm_frame_of(v->m, vmm_pte_paddr(p, pte)));
    vmm_flush_stretch(v->m, v->s, v->va, vmm_page_bytes(v->m), VMM_FLUSH_CHANGED);
    vmm_tell(v->m, VMM_EVENT_MAP, v->s, v->va, vmm_pte_paddr(p, pte), pte);
    return VMM_OK;
}

/* A write to a page that is mapped without the right: copied, unless nobody else has it. */
VMM_OUTLINE vmm_status_t vmm_serve_write(vmm_serving_t *v, uint32_t frame, vmm_pte_t pte)
{
    vmm_machine_t *m = v->m;
    vmm_frame_t *f = vmm_frame_at(m, frame);
    uint32_t copy;
    if (frame == m->zero_frame) {
        copy = vmm_serve_zeros(v);
        if (copy == VMM_NO_FRAME) return vmm_serve_no_frame(v);
    } else if (v->area->flags & VMM_AREA_SHARED) {
        f->flags |= VMM_FRAME_DIRTY;
        return vmm_serve_grant(v, pte, true);
    } else if (vmm_frame_kind(f) == VMM_FRAME_ANON && f->mappings == 1 &&
               (!(f->flags & VMM_FRAME_SWAP) || !vmm_slot_at(m, f->index)->count)) {
        vmm_frame_leave_slot(m, frame);
        f->flags |= VMM_FRAME_EXCLUSIVE;
        m->stats.reused++;
        vmm_tell(m, VMM_EVENT_REUSE, v->s, v->va, vmm_frame_paddr(m, frame), 0);
        return vmm_serve_grant(v, pte, true);
    } else {
        copy = vmm_serve_copy(v, frame);
        if (copy == VMM_NO_FRAME) return vmm_serve_no_frame(v);
        vmm_page_unmapped(m, v->s, frame, false);
        vmm_page_unlock(m, v->s, frame);
        vmm_page_settle(m, frame);
    }
    vmm_serve_map(v, copy, true);
    vmm_flush_stretch(m, v->s, v->va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
    return VMM_OK;
}

/* Whether nobody else has a page of a huge leaf; then it is this leaf's to write. */
VMM_OUTLINE bool vmm_huge_reuse(vmm_machine_t *m, uint32_t first)
{
    const uint32_t count = UINT32_C(1) << m->paging->index_bits[0];
    uint32_t i;
    for (i = 0; i < count; i++) {
        const vmm_frame_t *f = vmm_frame_at(m, first + i);
        if (f->mappings != 1 || f->flags & VMM_FRAME_SWAP) return false;
    }
    for (i = 0; i < count; i++) vmm_frame_at(m, first + i)->flags |= VMM_FRAME_EXCLUSIVE;
    return true;
}

/* A shared page of an explicit huge area is copied whole, as Linux does it. */
VMM_OUTLINE vmm_status_t vmm_serve_huge_copy(vmm_serving_t *v, vmm_pte_t pte, uint32_t first)
{
    vmm_machine_t *m = v->m;
    const uint64_t bytes = vmm_huge_bytes(m);
    const vmm_vaddr_t start = v->va & ~(bytes - 1);
    const uint32_t copy = vmm_huge_frames(m, v->area, v->s, start);
    if (copy == VMM_NO_FRAME) return vmm_serve_no_frame(v);
    VMM_COPY(vmm_frame_host(m, copy), vmm_frame_host(m, first), (size_t)bytes);
    m->stats.copied += bytes >> m->paging->page_shift;
    vmm_tell(m, VMM_EVENT_COPY, v->s, start, vmm_frame_paddr(m, copy), 0);
    vmm_entry_release(m, v->s, pte, 1);
    vmm_huge_map(m, v->s, v->area, start, v->entry, copy);
    vmm_flush_stretch(m, v->s, start, bytes, VMM_FLUSH_CHANGED);
    return VMM_OK;
}

/* A huge page that is there, as vmm_serve_present. False: it was split, and its small page is to be served. */
VMM_OUTLINE bool vmm_serve_leaf(vmm_serving_t *v, vmm_status_t *status)
{
    vmm_machine_t *m = v->m;
    const vmm_paging_t *p = m->paging;
    const vmm_pte_t pte = vmm_pte_load(p, v->entry);
    const uint32_t first = vmm_frame_of(m, vmm_pte_paddr(p, pte));
    const uint64_t inside = v->va & vmm_low_mask(vmm_level_shift(p, v->level));
    vmm_resident_touch(m, first + (uint32_t)(inside >> p->page_shift));
    if (v->access != VMM_WRITE || vmm_pte_grants(p, pte, p->write)) {
        *status = vmm_serve_grant(v, pte, v->access == VMM_WRITE);
        return true;
    }
    if (vmm_huge_reuse(m, first)) {
        m->stats.reused++;
        vmm_tell(m, VMM_EVENT_REUSE, v->s, v->va, vmm_frame_paddr(m, first), 0);
        *status = vmm_serve_grant(v, pte, true);
        return true;
    }
    if (v->area->flags & VMM_AREA_HUGE) {
        *status = vmm_serve_huge_copy(v, pte, first);
        return true;
    }
    while (vmm_huge_split(m, v->s, v->va)) {
        if (!vmm_frames_short(m, v->s)) continue;
        *status = vmm_serve_no_frame(v);
        return true;
    }
    v->entry = vmm_entry_find(m, v->s, v->va, &v->level);
    return false;
}

/* A page that is there: the access needs a mark, a right that its area gives now, or a copy. */
VMM_OUTLINE vmm_status_t vmm_serve_present(vmm_serving_t *v, vmm_pte_t pte, uint32_t frame)
{
    const vmm_paging_t *p = v->m->paging;
    if (frame != v->m->zero_frame) vmm_resident_touch(v->m, frame);
    if (v->access != VMM_WRITE || vmm_pte_grants(p, pte, p->write))
        return vmm_serve_grant(v, pte, v->access == VMM_WRITE);
    return vmm_serve_write(v, frame, pte);
}

/* -- areas -- */

/* Whether a stack may begin at an address from now on; then it does. */
VMM_OUTLINE bool vmm_area_grow(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t va)
{
    vmm_area_t *a = vmm_area_at(m, number);
    const uint32_t below = vmm_area_previous(s, number);
    const uint64_t limit = s->limits.stack ? s->limits.stack : m->layout.stack_limit;
    const uint64_t grown = a->start - va, pages = grown >> m->paging->page_shift;
    const uint64_t guard = (uint64_t)m->layout.guard_pages << m->paging->page_shift;
    if (va < m->layout.lowest) return false;
    if (below) {
        const vmm_area_t *b = vmm_area_at(m, below);
        if (!(b->flags & VMM_AREA_GROWS) && !vmm_area_is_barred(b) && va - b->end < guard) return false;
        if (va < b->end) return false;
    }
    if (!a->anon) vmm_area_make_anon(m, s, number); /* even if it cannot grow, as Linux does */
    if (a->end - va > limit || pages > a->home) return false;
    if (s->limits.space && (s->stats.total << m->paging->page_shift) + grown > s->limits.space) return false;
    if (a->flags & VMM_AREA_LOCKED && s->limits.locked &&
        (s->stats.locked << m->paging->page_shift) + grown > s->limits.locked)
        return false;
    if (a->flags & VMM_AREA_ACCOUNT && vmm_commit(m, pages)) return false;
    a->home -= pages;
    if (a->object) a->offset -= pages;
    vmm_area_resize(s, number, va, a->end);
    s->stats.total += pages;
    s->stats.stack += pages;
    if (a->flags & VMM_AREA_LOCKED) s->stats.locked += pages;
    return true;
}

/* The area of an address, grown if it is a stack below which was touched; 0: none. */
VMM_INLINE uint32_t vmm_fault_area(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va)
{
    const uint32_t number = vmm_area_after(s, va);
    const vmm_area_t *a;
    if (VMM_UNLIKELY(!number)) return 0;
    a = vmm_area_at(m, number);
    if (VMM_LIKELY(va >= a->start)) return number;
    if (!(a->flags & VMM_AREA_GROWS)) return 0;
    return vmm_area_grow(m, s, number, va & ~vmm_low_mask(m->paging->page_shift)) ? number : 0;
}

/* Counts a served fault. */
VMM_INLINE void vmm_fault_count(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    if (VMM_UNLIKELY(v->major)) {
        v->s->stats.major++;
        m->stats.major++;
    } else {
        v->s->stats.minor++;
        m->stats.minor++;
    }
    if (VMM_UNLIKELY(++m->ticks >= m->options.tick)) {
        m->ticks = 0;
        (void)vmm_policy_tick(m);
    }
    vmm_tell(m, VMM_EVENT_RETRY, v->s, v->va, 0, v->major ? 2 : 1);
}

/* Where the content comes from. */
VMM_INLINE vmm_status_t vmm_serve(vmm_serving_t *v)
{
    vmm_machine_t *m = v->m;
    uint32_t number = 0;
    vmm_pte_t pte;
    v->entry = vmm_entry_find(m, v->s, v->va, &v->level);
    if (VMM_UNLIKELY(!v->entry)) {
        if (!v->area->object && vmm_serve_huge(v)) return VMM_OK;
        if (v->area->flags & VMM_AREA_HUGE) return vmm_serve_no_frame(v);
        v->entry = vmm_entry_make(m, v->s, v->va, 0, &v->level);
        if (!v->entry) return vmm_serve_no_frame(v);
    }
    if (VMM_UNLIKELY(v->level)) {
        vmm_status_t status = VMM_OK;
        if (vmm_serve_leaf(v, &status)) return status;
    }
    pte = vmm_pte_load(m->paging, v->entry);
    switch (vmm_entry_read(m, pte, &number)) {
    case VMM_ENTRY_NONE: return v->area->object ? vmm_serve_object(v) : vmm_serve_zero(v);
    case VMM_ENTRY_SLOT: return vmm_serve_slot(v, number);
    default: return vmm_serve_present(v, pte, number);
    }
}
/** @endcond */

/** Which of the textbooks' three sets of pages an address lies in. A page of an object or of swap counts as cached as
 *  soon as it is in a frame, whether this space maps it yet or not.
 *  @param s   the space
 *  @param va  virtual address
 *  @return its page's state. O(log areas + levels). */
VMM_OUTLINE vmm_page_state_t vmm_page_state(vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const uint32_t number = vmm_area_with(s, va);
    const vmm_area_t *a;
    const uint8_t *entry;
    uint32_t word = 0;
    unsigned level, kind = VMM_ENTRY_NONE;
    if (!number) return VMM_PAGE_UNALLOCATED;
    a = vmm_area_at(m, number);
    entry = vmm_entry_find(m, s, va, &level);
    if (entry) kind = vmm_entry_read(m, vmm_pte_load(m->paging, entry), &word);
    if (kind == VMM_ENTRY_PAGE || kind == VMM_ENTRY_PARKED) return VMM_PAGE_CACHED;
    if (kind == VMM_ENTRY_SLOT)
        return vmm_slot_at(m, word)->frame == VMM_NO_FRAME ? VMM_PAGE_UNCACHED : VMM_PAGE_CACHED;
    if (!a->object) return VMM_PAGE_UNCACHED;
    word = vmm_index_get(m, &vmm_object_at(m, a->object)->pages, (uint32_t)vmm_area_page(m, a, va));
    return word && !(word & VMM_PAGE_IN_SLOT) ? VMM_PAGE_CACHED : VMM_PAGE_UNCACHED;
}

/** Serves a page fault: the one function that a trap handler calls. The page that holds va is made present with the
 *  rights that its area has, by reading, copying or clearing a frame; then the instruction is run again.
 *  @param s       the space that faulted
 *  @param va      virtual address of the access
 *  @param access  enum vmm_access
 *  @return VMM_OK: run the instruction again. VMM_FAULT: it cannot be served; s->signal says which signal its program
 *  gets and why. VMM_E_ARGUMENT for another access. O(log areas + levels), and what reclaim needs when frames are few.
 *  Calls read_page, read_slot, and what reclaim calls. */
VMM_OUTLINE vmm_status_t vmm_fault_serve(vmm_space_t *s, vmm_vaddr_t va, unsigned access)
{
    vmm_machine_t *m = vmm_machine_of(s);
    vmm_serving_t v;
    vmm_status_t status;
    if (access > VMM_FETCH) return VMM_E_ARGUMENT;
    if (VMM_EVENTS) vmm_tell(m, VMM_EVENT_FAULT, s, va, 0, vmm_page_state(s, va));
    if (VMM_UNLIKELY(s->killed)) return vmm_fault_signal(m, s, VMM_SIGKILL, 0, va, access, VMM_E_NO_FRAME);
    v.m = m;
    v.s = s;
    v.number = va < m->layout.top ? vmm_fault_area(m, s, va) : 0;
    if (VMM_UNLIKELY(!v.number)) {
        vmm_tell(m, VMM_EVENT_NO_AREA, s, va, 0, 0);
        return vmm_fault_signal(m, s, VMM_SIGSEGV, VMM_SEGV_MAPERR, va, access, VMM_E_NOT_MAPPED);
    }
    v.area = vmm_area_at(m, v.number);
    vmm_tell(m, VMM_EVENT_AREA, s, va, 0, v.number);
    if (VMM_UNLIKELY(!vmm_area_allows(m, v.area, access))) {
        vmm_tell(m, VMM_EVENT_NO_RIGHT, s, va, 0, v.number);
        return vmm_fault_signal(m, s, VMM_SIGSEGV, VMM_SEGV_ACCERR, va, access, VMM_E_ACCESS);
    }
    v.va = va & ~vmm_low_mask(m->paging->page_shift);
    v.access = access;
    v.major = false;
    status = vmm_serve(&v);
    if (status == VMM_OK) vmm_fault_count(&v);
    else if (s->signal.address == v.va) s->signal.address = va;
    return status;
}
/** @} */

/** @addtogroup vmm_page_objects
 *  @{ */
/** Changes the size of shared memory or of a file without size_of. Pages behind the new end leave every space, and
 *  the next access to them is a bus error; the last page's bytes behind it become zero. Copies that private areas made
 *  go too, as POSIX has it for a file that shrinks. A file that grows shows zeros; shared memory shows what was written
 *  behind its end in the last page, as on Linux.
 *  @param m       the machine
 *  @param object  its number
 *  @param bytes   new size
 *  @return VMM_OK; VMM_E_ARGUMENT when the object has size_of: then its file is shortened where it lies, and
 *  vmm_object_shrunk told; VMM_E_RANGE beyond 2^31 pages; VMM_E_IO or VMM_E_NO_FRAME, and nothing was changed, when the
 *  new last page is in a slot, because to be shortened it has to be read. O(pages that go). May call read_slot. */
VMM_OUTLINE vmm_status_t vmm_object_truncate(vmm_machine_t *m, uint32_t object, uint64_t bytes)
{
    vmm_object_t *o = vmm_object_at(m, object);
    const uint64_t old = o->options.size, last = bytes >> m->paging->page_shift;
    const bool cut = bytes < old && bytes & (vmm_page_bytes(m) - 1);
    uint32_t frame;
    if (o->options.size_of) return VMM_E_ARGUMENT;
    if (last >> 31) return VMM_E_RANGE;
    if (cut && vmm_index_get(m, &o->pages, (uint32_t)last) & VMM_PAGE_IN_SLOT) {
        const vmm_status_t status = vmm_object_load(m, NULL, object, (uint32_t)last, &frame);
        if (status) return status;
    }
    o->options.size = bytes;
    if (bytes < old) vmm_object_shrunk(m, object);
    else if (o->options.kind == VMM_OBJECT_FILE) vmm_object_clear_tail(m, o, old);
    return VMM_OK;
}
/** @} */

/* ====================================================== Part II  16. address spaces == */
/** @defgroup vmm_spaces 16. Address spaces
 *  The calls of an operating system, with Linux's rules: what they check, how areas split and merge, what is told.
 *  vmm_status_errno gives Linux's number of a status. A call that fails has changed nothing, unless it says otherwise.
 *  @{ */

/** Flags of vmm_mmap, with Linux's numbers. */
enum vmm_map_flag {
    VMM_MAP_SHARED = 0x01,             /**< Writes go to the object. */
    VMM_MAP_PRIVATE = 0x02,            /**< Writes go to copies. */
    VMM_MAP_FIXED = 0x10,              /**< There, whatever was there before. */
    VMM_MAP_ANONYMOUS = 0x20,          /**< No object. */
    VMM_MAP_GROWSDOWN = 0x100,         /**< A stack. */
    VMM_MAP_LOCKED = 0x2000,           /**< Resident from the start, and stays. */
    VMM_MAP_NORESERVE = 0x4000,        /**< Promise nothing. */
    VMM_MAP_POPULATE = 0x8000,         /**< Resident from the start. */
    VMM_MAP_STACK = 0x20000,           /**< The first stack: named so in maps. */
    VMM_MAP_HUGETLB = 0x40000,         /**< Huge pages only. Anonymous and private. */
    VMM_MAP_FIXED_NOREPLACE = 0x100000 /**< There, or not at all. */
};

/** Flags of vmm_mremap, with Linux's numbers. */
enum vmm_mremap_flag {
    VMM_MREMAP_MAYMOVE = 1, /**< Elsewhere, if it cannot grow where it is. */
    VMM_MREMAP_FIXED = 2    /**< To the place wished. */
};

/** Advice of vmm_madvise, with Linux's numbers. */
enum vmm_advice {
    VMM_MADV_NORMAL = 0,       /**< None. */
    VMM_MADV_RANDOM = 1,       /**< No read-ahead. */
    VMM_MADV_SEQUENTIAL = 2,   /**< Twice the read-ahead. */
    VMM_MADV_WILLNEED = 3,     /**< Read what is in files or slots now. */
    VMM_MADV_DONTNEED = 4,     /**< Let go; the next touch finds zeros, or the file. */
    VMM_MADV_FREE = 8,         /**< May be let go until it is written again. */
    VMM_MADV_MERGEABLE = 12,   /**< May share frames with pages of the same content. */
    VMM_MADV_UNMERGEABLE = 13, /**< May not. */
    VMM_MADV_HUGEPAGE = 14,    /**< Huge pages are welcome. */
    VMM_MADV_NOHUGEPAGE = 15   /**< They are not. */
};

/** Flags of vmm_msync, with Linux's numbers. */
enum vmm_msync_flag {
    VMM_MS_ASYNC = 1,      /**< Writes nothing now. */
    VMM_MS_INVALIDATE = 2, /**< Refused for locked areas, else without effect: there is one copy of a page. */
    VMM_MS_SYNC = 4        /**< Writes before it returns. */
};

/** Linux's error number of a status: 0, 1 (EPERM), 5 (EIO), 7 (E2BIG), 8 (ENOEXEC), 11 (EAGAIN), 12 (ENOMEM), 13
 *  (EACCES), 14 (EFAULT), 16 (EBUSY), 17 (EEXIST), 22 (EINVAL). */
VMM_OUTLINE int vmm_status_errno(vmm_status_t status)
{
    switch (status) {
    case VMM_OK: return 0;
    case VMM_E_DENIED: return 1;
    case VMM_E_IO: return 5;
    case VMM_E_LONG: return 7;
    case VMM_E_EXEC: return 8;
    case VMM_E_AGAIN: return 11;
    case VMM_E_NOT_MAPPED:
    case VMM_E_LIMIT:
    case VMM_E_NO_FRAME: return 12;
    case VMM_E_ACCESS: return 13;
    case VMM_FAULT:
    case VMM_E_ADDRESS: return 14;
    case VMM_E_BUSY: return 16;
    case VMM_E_MAPPED: return 17;
    default: return 22;
    }
}

/** @cond internal */
/* Flags in which areas may differ and yet be merged. */
#define VMM_AREA_APART (VMM_AREA_CLONED | VMM_AREA_STACK | VMM_AREA_MOVED)

VMM_INLINE uint64_t vmm_area_pages(const vmm_machine_t *m, const vmm_area_t *a)
{
    return (a->end - a->start) >> m->paging->page_shift;
}

VMM_INLINE uint64_t vmm_page_up(const vmm_machine_t *m, uint64_t bytes)
{
    return (bytes + vmm_page_bytes(m) - 1) & ~(vmm_page_bytes(m) - 1);
}

VMM_INLINE bool vmm_page_aligned(const vmm_machine_t *m, uint64_t value)
{
    return !(value & (vmm_page_bytes(m) - 1));
}

/* Keeps the list of areas that are not where the numbers of their anonymous pages say. */
VMM_OUTLINE void vmm_area_note_moved(vmm_machine_t *m, vmm_space_t *s, uint32_t number, bool moved)
{
    vmm_area_t *a = vmm_area_at(m, number);
    if (moved == ((a->flags & VMM_AREA_MOVED) != 0)) return;
    a->flags ^= VMM_AREA_MOVED;
    if (moved) {
        a->moved_previous = 0;
        a->moved_next = s->moved;
        if (s->moved) vmm_area_at(m, s->moved)->moved_previous = number;
        s->moved = number;
        return;
    }
    if (a->moved_next) vmm_area_at(m, a->moved_next)->moved_previous = a->moved_previous;
    if (a->moved_previous) vmm_area_at(m, a->moved_previous)->moved_next = a->moved_next;
    else s->moved = a->moved_next;
}

VMM_INLINE void vmm_area_check_moved(vmm_machine_t *m, vmm_space_t *s, uint32_t number)
{
    const vmm_area_t *a = vmm_area_at(m, number);
    vmm_area_note_moved(m, s, number, a->home != a->start >> m->paging->page_shift);
}

/* An area is counted, or no more. */
VMM_OUTLINE void vmm_area_count(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, bool more)
{
    const uint64_t pages = vmm_area_pages(m, a), change = more ? pages : 0 - pages;
    s->stats.total += change;
    if (a->flags & VMM_AREA_GROWS) s->stats.stack += change;
    else if ((a->flags & ((uint32_t)VMM_W | VMM_AREA_SHARED)) == VMM_W) s->stats.data += change;
    if (a->flags & VMM_AREA_LOCKED) s->stats.locked += change;
    if (a->flags & VMM_AREA_ACCOUNT) m->committed += change;
}

/* Whether so many more areas can be had. */
VMM_INLINE bool vmm_areas_room(const vmm_machine_t *m, const vmm_space_t *s, uint32_t more)
{
    return s->areas + more <= m->options.areas_of_space && m->areas.used + more <= m->areas.count;
}

/* A new area with these fields, in the tree, its object's ring and the counts. There is room. */
VMM_OUTLINE uint32_t vmm_area_new(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *like)
{
    const uint32_t number = vmm_pool_take(m, &m->areas);
    vmm_area_t *a = vmm_area_at(m, number);
    *a = *like;
    a->space = s->number;
    a->flags &= ~(uint32_t)VMM_AREA_MOVED;
    a->next = a->previous = 0;
    a->moved_next = a->moved_previous = 0;
    vmm_area_insert(s, number);
    if (a->object) vmm_object_attach(m, number);
    vmm_area_check_moved(m, s, number);
    return number;
}

/* An area goes. Its pages are gone, and its counts are not touched. */
VMM_OUTLINE void vmm_area_forget(vmm_machine_t *m, vmm_space_t *s, uint32_t number)
{
    vmm_area_note_moved(m, s, number, false);
    vmm_area_remove(s, number);
    if (vmm_area_at(m, number)->object) vmm_object_detach(m, number);
    vmm_pool_give(m, &m->areas, number);
}

/* An area ends at `at` and a new one, returned, goes on from there. There is room. */
VMM_OUTLINE uint32_t vmm_area_split(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t at)
{
    vmm_area_t upper = *vmm_area_at(m, number);
    const uint64_t pages = (at - upper.start) >> m->paging->page_shift;
    upper.start = at;
    upper.home += pages;
    if (upper.object) upper.offset += pages;
    vmm_area_resize(s, number, vmm_area_at(m, number)->start, at);
    return vmm_area_new(m, s, &upper);
}

/* Whether two areas, one behind the other, are one by Linux's rules (mm/vma.c, can_vma_merge_before and after).
 * `incoming` is one of them that was placed just now, with its pages: whose child its space is does not matter then. */
VMM_OUTLINE bool vmm_areas_fit(const vmm_machine_t *m, const vmm_area_t *lower, const vmm_area_t *upper,
                               const vmm_area_t *incoming)
{
    const uint64_t pages = vmm_area_pages(m, lower);
    if (lower->end != upper->start || lower->object != upper->object) return false;
    if ((lower->flags ^ upper->flags) & ~(uint32_t)VMM_AREA_APART || lower->flags & VMM_AREA_HUGE) return false;
    if (lower->object && lower->offset + pages != upper->offset) return false;
    if (!lower->object && lower->home + pages != upper->home) return false;
    if (lower->anon && upper->anon) return lower->anon == upper->anon && lower->home + pages == upper->home;
    if (lower->anon) return lower == incoming || !(lower->flags & VMM_AREA_CLONED);
    return !upper->anon || upper == incoming || !(upper->flags & VMM_AREA_CLONED);
}

/* Merges an area with the next, if they fit; `incoming` is 0 or one of them. */
VMM_OUTLINE bool vmm_area_merge(vmm_machine_t *m, vmm_space_t *s, uint32_t lower, uint32_t upper, uint32_t incoming)
{
    vmm_area_t *a, *b;
    vmm_vaddr_t end;
    if (!lower || !upper) return false;
    a = vmm_area_at(m, lower);
    b = vmm_area_at(m, upper);
    if (!vmm_areas_fit(m, a, b, incoming == lower ? a : incoming == upper ? b : NULL)) return false;
    if (!a->anon && b->anon) a->home = b->home - vmm_area_pages(m, a);
    if (b->anon) a->anon = b->anon;
    a->flags |= b->flags & (VMM_AREA_CLONED | VMM_AREA_STACK);
    end = b->end;
    vmm_area_forget(m, s, upper);
    vmm_area_resize(s, lower, a->start, end);
    vmm_area_check_moved(m, s, lower);
    return true;
}

/* Merges an area with both neighbours as far as they fit; returns the number of what it is part of now. `incoming`: it
 * was placed there just now. */
VMM_OUTLINE uint32_t vmm_area_merge_around(vmm_machine_t *m, vmm_space_t *s, uint32_t number, bool incoming)
{
    const uint32_t below = vmm_area_previous(s, number);
    incoming = incoming && vmm_area_at(m, number)->anon;
    if (vmm_area_merge(m, s, below, number, incoming ? number : 0)) number = below;
    (void)vmm_area_merge(m, s, number, vmm_area_next(s, number), incoming ? number : 0);
    return number;
}

/* Whether an address would cut an explicit huge page, which Linux does not allow. */
VMM_INLINE bool vmm_huge_area_cut(const vmm_machine_t *m, uint32_t number, vmm_vaddr_t at)
{
    return vmm_area_at(m, number)->flags & VMM_AREA_HUGE && at & (vmm_huge_bytes(m) - 1);
}

/* Makes areas begin and end at the ends of a stretch, where one reaches over. Nothing changes when there is no room. */
VMM_OUTLINE vmm_status_t vmm_areas_cut(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    uint32_t first = vmm_area_after(s, start), last = vmm_area_after(s, end), cuts;
    if (first && vmm_area_at(m, first)->start >= start) first = 0;
    if (last && vmm_area_at(m, last)->start >= end) last = 0;
    cuts = (first != 0) + (uint32_t)(last != 0);
    if (!cuts) return VMM_OK;
    if (!vmm_areas_room(m, s, cuts)) return VMM_E_LIMIT;
    if ((first && vmm_huge_area_cut(m, first, start)) || (last && vmm_huge_area_cut(m, last, end))) return VMM_E_ALIGN;
    if (vmm_huge_cut_ends(m, s, start, end)) return VMM_E_NO_FRAME;
    if (first) {
        const uint32_t upper = vmm_area_split(m, s, first, start);
        if (last == first) last = upper;
    }
    if (last) (void)vmm_area_split(m, s, last, end);
    return VMM_OK;
}

/* Takes the pages of a stretch and its areas away. Ends are cut already. Dirty pages of files are written back. */
VMM_OUTLINE void vmm_areas_drop(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    uint32_t number = vmm_area_after(s, start);
    while (number && vmm_area_at(m, number)->start < end) {
        const vmm_area_t a = *vmm_area_at(m, number);
        vmm_zap(m, s, a.start, a.end);
        if (a.object && a.flags & VMM_AREA_SHARED)
            (void)vmm_object_clean(m, a.object, a.offset, a.offset + vmm_area_pages(m, &a));
        vmm_area_count(m, s, &a, false);
        vmm_area_forget(m, s, number);
        number = vmm_area_after(s, a.end);
    }
}

/* Whether the bounds of a space allow so many more pages of such an area. */
VMM_OUTLINE bool vmm_limits_allow(const vmm_machine_t *m, const vmm_space_t *s, uint32_t flags, uint64_t pages)
{
    const unsigned shift = m->paging->page_shift;
    const bool data = (flags & ((uint32_t)VMM_W | VMM_AREA_SHARED | VMM_AREA_GROWS)) == VMM_W;
    if (s->limits.space && s->stats.total + pages > s->limits.space >> shift) return false;
    if (data && s->limits.data && s->stats.data + pages > s->limits.data >> shift) return false;
    return true;
}

/* Makes the pages of a stretch present, as a touch would: by writing where a private area may be written. The first
 * that cannot be served ends it. */
VMM_OUTLINE vmm_status_t vmm_populate(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    const vmm_siginfo_t signal = s->signal;
    vmm_vaddr_t va = start;
    for (; va < end; va += vmm_page_bytes(m)) {
        const uint32_t number = vmm_area_after(s, va);
        const vmm_area_t *a = number ? vmm_area_at(m, number) : NULL;
        unsigned access, level;
        const uint8_t *entry;
        uint32_t frame = 0;
        if (!a || a->start > va) return VMM_E_NOT_MAPPED;
        access = (a->flags & ((uint32_t)VMM_W | VMM_AREA_SHARED)) == VMM_W ? VMM_WRITE : VMM_READ;
        if (access == VMM_READ && !vmm_area_allows(m, a, VMM_READ) && a->flags & VMM_X) access = VMM_FETCH;
        entry = vmm_entry_find(m, s, va, &level);
        if (entry && vmm_entry_read(m, vmm_pte_load(m->paging, entry), &frame) == VMM_ENTRY_PAGE &&
            (access != VMM_WRITE || vmm_pte_grants(m->paging, vmm_pte_load(m->paging, entry), m->paging->write))) {
            frame += (uint32_t)((va & vmm_low_mask(vmm_level_shift(m->paging, level))) >> m->paging->page_shift);
            if (a->flags & VMM_AREA_LOCKED) vmm_page_lock(m, frame);
            if (access == VMM_WRITE && !vmm_pte_is_dirty(m->paging, vmm_pte_load(m->paging, entry)))
                vmm_frame_at(m, frame)->flags |= VMM_FRAME_DIRTY; /* what MADV_FREE left is wanted again */
            continue;
        }
        if (vmm_fault_serve(s, va, access) != VMM_OK) {
            const vmm_status_t status = (vmm_status_t)s->signal.status;
            if (!s->killed) s->signal = signal;
            return status == VMM_E_NO_FRAME ? VMM_E_NO_FRAME : VMM_E_ADDRESS;
        }
    }
    return VMM_OK;
}
/** @endcond */

/* -- mmap -- */

/** @cond internal */
/* Where a new area goes: Linux, mm/mmap.c, __get_unmapped_area. `align` is more than a page for huge pages. */
VMM_OUTLINE vmm_status_t vmm_place_choose(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t wish, uint64_t bytes,
                                          uint32_t flags, uint64_t align, vmm_vaddr_t *address)
{
    const vmm_layout_t *lay = &m->layout;
    if (bytes > lay->top - lay->lowest) return VMM_E_LIMIT;
    if (flags & VMM_MAP_FIXED) {
        if (wish > lay->top - bytes) return VMM_E_LIMIT;
        if (wish & (align - 1)) return VMM_E_ALIGN;
        if (wish < lay->lowest) return VMM_E_DENIED;
        *address = wish;
        return VMM_OK;
    }
    wish &= ~(vmm_page_bytes(m) - 1);
    if (wish && wish < lay->lowest) wish = vmm_page_up(m, lay->lowest);
    wish = (wish + align - 1) & ~(align - 1);
    if (wish && wish <= lay->top - bytes) {
        const uint32_t next = vmm_area_after(s, wish);
        if (!next || wish + bytes <= vmm_area_floor(m, vmm_area_at(m, next))) {
            *address = wish;
            return VMM_OK;
        }
    }
    if (vmm_area_gap(s, bytes, lay->mmap_low, lay->mmap_high, align, !lay->bottom_up, address) == VMM_OK) return VMM_OK;
    return vmm_area_gap(s, bytes, lay->lowest, lay->top, align, false, address) == VMM_OK ? VMM_OK : VMM_E_LIMIT;
}

/* What an area becomes by the arguments of mmap. */
VMM_OUTLINE vmm_status_t vmm_area_describe(const vmm_machine_t *m, uint32_t protection, uint32_t flags, uint32_t object,
                                           uint64_t offset, vmm_area_t *a)
{
    const uint32_t kind = flags & (VMM_MAP_SHARED | VMM_MAP_PRIVATE);
    VMM_SET(a, 0, sizeof *a);
    if (kind != VMM_MAP_SHARED && kind != VMM_MAP_PRIVATE) return VMM_E_ARGUMENT;
    a->flags = protection | VMM_AREA_MAY_READ | VMM_AREA_MAY_WRITE | VMM_AREA_MAY_EXEC;
    if (kind == VMM_MAP_SHARED) a->flags |= VMM_AREA_SHARED;
    if (flags & VMM_MAP_GROWSDOWN) a->flags |= VMM_AREA_GROWS;
    if (flags & VMM_MAP_STACK) a->flags |= VMM_AREA_STACK;
    if (flags & VMM_MAP_LOCKED) a->flags |= VMM_AREA_LOCKED;
    if (flags & VMM_MAP_HUGETLB) a->flags |= VMM_AREA_HUGE;
    if (flags & VMM_MAP_NORESERVE && m->options.overcommit != VMM_OVERCOMMIT_NEVER) a->flags |= VMM_AREA_NO_RESERVE;
    if (flags & VMM_MAP_GROWSDOWN && (object || kind == VMM_MAP_SHARED)) return VMM_E_ARGUMENT;
    if (flags & VMM_MAP_HUGETLB && (object || kind == VMM_MAP_SHARED)) return VMM_E_ARGUMENT;
    if (object) {
        const vmm_object_t *o = vmm_object_at(m, object);
        if (flags & VMM_MAP_ANONYMOUS) return VMM_E_ARGUMENT;
        if (kind == VMM_MAP_SHARED && o->options.read_only) {
            if (protection & VMM_W) return VMM_E_ACCESS;
            a->flags &= ~(uint32_t)VMM_AREA_MAY_WRITE;
        }
        a->object = object;
        a->offset = offset >> m->paging->page_shift;
    } else if (!(flags & VMM_MAP_ANONYMOUS)) {
        return VMM_E_ARGUMENT;
    }
    if ((a->flags & ((uint32_t)VMM_W | VMM_AREA_SHARED | VMM_AREA_NO_RESERVE)) == VMM_W) a->flags |= VMM_AREA_ACCOUNT;
    return VMM_OK;
}

/* Shared memory without a name, for a shared anonymous area: it goes with the last area. */
VMM_OUTLINE vmm_status_t vmm_area_make_shared(vmm_machine_t *m, vmm_area_t *a)
{
    vmm_object_options_t options;
    vmm_status_t status;
    VMM_SET(&options, 0, sizeof options);
    options.kind = VMM_OBJECT_SHARED;
    options.size = a->end - a->start;
    options.name = "/dev/zero (deleted)";
    status = vmm_object_create(m, &options, &a->object);
    if (status == VMM_OK) vmm_object_at(m, a->object)->closed = true; /* by its areas alone, see vmm_mmap */
    return status;
}

/* Puts an area that is described and placed into its space: old ones go, neighbours merge. */
VMM_OUTLINE vmm_status_t vmm_area_place(vmm_machine_t *m, vmm_space_t *s, vmm_area_t *a, uint32_t *number)
{
    const bool shared_anon = a->flags & VMM_AREA_SHARED && !a->object;
    vmm_status_t status;
    uint64_t old = 0;
    uint32_t at = vmm_area_after(s, a->start);
    for (; at && vmm_area_at(m, at)->start < a->end; at = vmm_area_next(s, at)) {
        const vmm_area_t *over = vmm_area_at(m, at);
        old += ((over->end < a->end ? over->end : a->end) - (over->start > a->start ? over->start : a->start)) >>
               m->paging->page_shift;
    }
    if (!vmm_limits_allow(m, s, a->flags, vmm_area_pages(m, a) - old)) return VMM_E_LIMIT;
    if (!vmm_areas_room(m, s, old ? 3 : 1)) return VMM_E_LIMIT;
    if (a->flags & VMM_AREA_ACCOUNT && vmm_commit(m, vmm_area_pages(m, a))) return VMM_E_NO_FRAME;
    status = shared_anon ? vmm_area_make_shared(m, a) : VMM_OK;
    if (status == VMM_OK && old) status = vmm_areas_cut(m, s, a->start, a->end);
    if (a->flags & VMM_AREA_ACCOUNT) m->committed -= vmm_area_pages(m, a); /* counted with the area below */
    if (status) {
        if (shared_anon && a->object) vmm_object_put(m, a->object);
        return status;
    }
    if (old) vmm_areas_drop(m, s, a->start, a->end);
    a->home = a->start >> m->paging->page_shift;
    *number = vmm_area_new(m, s, a);
    if (shared_anon) vmm_object_put(m, a->object); /* the area has it now */
    vmm_area_count(m, s, a, true);
    *number = vmm_area_merge_around(m, s, *number, true);
    return VMM_OK;
}
/** @endcond */

/** Maps a stretch of a space: pages appear when they are touched. Linux's mmap.
 *  @param s           the space
 *  @param wish        where, bytes: exactly there with VMM_MAP_FIXED, else if it is free; 0: anywhere
 *  @param bytes       length, rounded up to pages
 *  @param protection  VMM_R, VMM_W, VMM_X, or 0: no access
 *  @param flags       enum vmm_map_flag: one of SHARED and PRIVATE, and others
 *  @param object      what it shows; 0 with VMM_MAP_ANONYMOUS
 *  @param offset      byte of the object that comes first, a multiple of the page size
 *  @param address     receives where it is
 *  @return VMM_OK; VMM_E_ARGUMENT (EINVAL) for flags that are none or contradict, huge pages where the format has none,
 *  or length 0; VMM_E_ALIGN, also where FIXED would cut an explicit huge page; VMM_E_MAPPED
 *  (EEXIST) with FIXED_NOREPLACE; VMM_E_ACCESS (EACCES) when a read-only object is to be written; VMM_E_DENIED (EPERM)
 *  below layout.lowest; VMM_E_LIMIT (ENOMEM) when no gap is wide enough, a bound of the space or the number of areas is
 *  reached; VMM_E_AGAIN (EAGAIN) beyond the bound of locked memory; VMM_E_NO_FRAME (ENOMEM) when it may not be
 *  promised. Of VMM_MAP_POPULATE and LOCKED pages that cannot be had are no error. O(log areas + pages replaced or
 *  populated). */
VMM_OUTLINE vmm_status_t vmm_mmap(vmm_space_t *s, vmm_vaddr_t wish, uint64_t bytes, uint32_t protection, uint32_t flags,
                                  uint32_t object, uint64_t offset, vmm_vaddr_t *address)
{
    vmm_machine_t *m = vmm_machine_of(s);
    uint64_t align = vmm_page_bytes(m), length;
    vmm_area_t a;
    uint32_t number;
    vmm_status_t status;
    if (protection & ~(uint32_t)(VMM_R | VMM_W | VMM_X) || bytes == 0) return VMM_E_ARGUMENT;
    if (!vmm_page_aligned(m, offset)) return VMM_E_ALIGN;
    if (flags & VMM_MAP_HUGETLB && !vmm_huge_bytes(m)) return VMM_E_ARGUMENT;
    if (flags & VMM_MAP_HUGETLB) align = vmm_huge_bytes(m);
    length = (bytes + align - 1) & ~(align - 1);
    if (length == 0) return VMM_E_LIMIT;
    if (flags & VMM_MAP_FIXED_NOREPLACE) flags |= VMM_MAP_FIXED;
    if (s->areas > m->options.areas_of_space) return VMM_E_LIMIT;
    status = vmm_place_choose(m, s, wish, length, flags, align, address);
    if (status) return status;
    if (flags & VMM_MAP_FIXED_NOREPLACE) {
        const uint32_t next = vmm_area_after(s, *address);
        if (next && vmm_area_at(m, next)->start < *address + length) return VMM_E_MAPPED;
    }
    if ((flags & VMM_MAP_LOCKED || s->locks_future) && s->limits.locked &&
        ((s->stats.locked << m->paging->page_shift) + length) > s->limits.locked)
        return VMM_E_AGAIN;
    status = vmm_area_describe(m, protection, flags, object, offset, &a);
    if (status) return status;
    if (s->locks_future) a.flags |= VMM_AREA_LOCKED;
    a.start = *address;
    a.end = *address + length;
    if (a.flags & VMM_AREA_LOCKED) flags |= VMM_MAP_POPULATE;
    if (a.flags & VMM_AREA_HUGE) a.flags &= ~(uint32_t)VMM_AREA_LOCKED; /* explicit huge pages stay in any case */
    status = vmm_area_place(m, s, &a, &number);
    if (status) return status;
    vmm_tell(m, VMM_EVENT_MMAP, s, a.start, 0, length);
    if (flags & VMM_MAP_POPULATE) (void)vmm_populate(m, s, a.start, a.end);
    return VMM_OK;
}

/** @cond internal */
/* Takes one end of an area away, which needs no record for what goes. */
VMM_OUTLINE void vmm_area_trim(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t start, vmm_vaddr_t end)
{
    vmm_area_t *a = vmm_area_at(m, number);
    const bool head = start == a->start;
    const uint64_t pages = (end - start) >> m->paging->page_shift;
    vmm_zap(m, s, start, end);
    if (a->object && a->flags & VMM_AREA_SHARED)
        (void)vmm_object_clean(m, a->object, vmm_area_page(m, a, start), vmm_area_page(m, a, start) + pages);
    vmm_area_count(m, s, a, false);
    if (head) a->home += pages;
    if (head && a->object) a->offset += pages;
    vmm_area_resize(s, number, head ? end : a->start, head ? a->end : start);
    vmm_area_count(m, s, a, true);
}

/* What reaches over the ends of a stretch is trimmed; only an area around all of it is split. */
VMM_OUTLINE vmm_status_t vmm_areas_trim(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end)
{
    uint32_t first = vmm_area_after(s, start), last = vmm_area_after(s, end);
    if (first && vmm_area_at(m, first)->start >= start) first = 0;
    if (last && vmm_area_at(m, last)->start >= end) last = 0;
    if (first && first == last && !vmm_areas_room(m, s, 1)) return VMM_E_LIMIT;
    if ((first && vmm_huge_area_cut(m, first, start)) || (last && vmm_huge_area_cut(m, last, end))) return VMM_E_ALIGN;
    if (vmm_huge_cut_ends(m, s, start, end)) return VMM_E_NO_FRAME;
    if (first && first == last) {
        (void)vmm_area_split(m, s, first, end);
        last = 0;
    }
    if (first) vmm_area_trim(m, s, first, start, vmm_area_at(m, first)->end);
    if (last) vmm_area_trim(m, s, last, vmm_area_at(m, last)->start, end);
    return VMM_OK;
}
/** @endcond */

/** Unmaps a stretch of a space; holes in it are no error. Linux's munmap.
 *  @param s      the space
 *  @param va     first byte, a multiple of the page size
 *  @param bytes  length, rounded up to pages
 *  @return VMM_OK; VMM_E_ALIGN (EINVAL), also when an explicit huge page would be cut; VMM_E_RANGE (EINVAL) when it is
 *  empty or leaves the space; VMM_E_LIMIT (ENOMEM) when an
 *  area would have to be split in two and there is no room for one more; VMM_E_NO_FRAME when a huge page would. O(log
 *  areas + pages). May call write_page. */
VMM_OUTLINE vmm_status_t vmm_munmap(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t length = vmm_page_up(m, bytes);
    vmm_status_t status;
    uint32_t first;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if (length == 0 || va > m->layout.top || length > m->layout.top - va) return VMM_E_RANGE;
    first = vmm_area_after(s, va);
    if (!first || vmm_area_at(m, first)->start >= va + length) return VMM_OK;
    status = vmm_areas_trim(m, s, va, va + length);
    if (status) return status;
    vmm_areas_drop(m, s, va, va + length);
    vmm_tell(m, VMM_EVENT_MUNMAP, s, va, 0, length);
    return VMM_OK;
}

/* -- mprotect -- */

/** @cond internal */
/* An entry of a page after its area allows something else. Writing comes back at once where nobody shares the page. */
VMM_INLINE vmm_pte_t vmm_entry_reprotect(vmm_machine_t *m, const vmm_area_t *a, vmm_pte_t pte)
{
    const vmm_paging_t *p = m->paging;
    const vmm_pte_t rights = p->read | p->write | p->execute;
    uint32_t frame = 0;
    const unsigned kind = vmm_entry_read(m, pte, &frame);
    vmm_frame_t *f;
    bool writable;
    if (kind != VMM_ENTRY_PAGE && kind != VMM_ENTRY_PARKED) return pte;
    f = vmm_frame_at(m, frame);
    if (vmm_area_is_barred(a)) {
        if (kind == VMM_ENTRY_PAGE && frame != m->zero_frame && vmm_pte_is_dirty(p, pte)) f->flags |= VMM_FRAME_DIRTY;
        return vmm_entry_of_parked(m, frame);
    }
    writable = a->flags & VMM_AREA_SHARED ? p->dirty != 0 : (f->flags & VMM_FRAME_EXCLUSIVE) && frame != m->zero_frame;
    if (!(a->flags & VMM_W)) writable = false;
    if (kind == VMM_ENTRY_PARKED) return vmm_area_entry(m, a, frame, writable, false);
    pte &= ~rights;
    pte |= vmm_pte_from_flags(p, vmm_area_rights(a) & (writable ? ~0u : ~(uint32_t)VMM_W)) & rights;
    return pte;
}

/* Gives the pages of an area the rights that it has now. Huge leaves were split if it allows nothing: a parked page
 * is a small one. */
VMM_OUTLINE void vmm_area_reprotect(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a)
{
    vmm_vaddr_t va = a->start;
    vmm_run_t run;
    bool changed = false;
    while (vmm_run_next(m, s, &va, a->end, &run)) {
        for (; run.count; run.count--, run.entry += m->paging->pte_bytes) {
            vmm_pte_t pte, becomes;
            do {
                pte = vmm_pte_load(m->paging, run.entry);
                becomes = vmm_entry_reprotect(m, a, pte);
            } while (becomes != pte && !vmm_pte_swap(m->paging, run.entry, pte, becomes));
            changed = changed || becomes != pte;
        }
    }
    if (changed) vmm_flush_stretch(m, s, a->start, a->end - a->start, VMM_FLUSH_CHANGED);
}

/* One area, or what of it lies in [start, end), gets another protection. Returns its end by *end. */
VMM_OUTLINE vmm_status_t vmm_area_protect(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t *end,
                                          uint32_t protection)
{
    const uint32_t rights = VMM_R | VMM_W | VMM_X;
    uint32_t number = vmm_area_with(s, start), flags;
    vmm_area_t *a = vmm_area_at(m, number);
    const uint32_t was = a->flags;
    vmm_status_t status;
    if (*end > a->end) *end = a->end;
    flags = (a->flags & ~rights) | protection;
    if ((protection & VMM_R && !(a->flags & VMM_AREA_MAY_READ)) ||
        (protection & VMM_W && !(a->flags & VMM_AREA_MAY_WRITE)) ||
        (protection & VMM_X && !(a->flags & VMM_AREA_MAY_EXEC)))
        return VMM_E_ACCESS;
    if (flags == a->flags) return VMM_OK;
    if (protection & VMM_W) {
        const uint64_t pages = (*end - start) >> m->paging->page_shift;
        if (!(a->flags & VMM_W) && !(a->flags & (VMM_AREA_SHARED | VMM_AREA_GROWS)) && s->limits.data &&
            s->stats.data + pages > s->limits.data >> m->paging->page_shift)
            return VMM_E_LIMIT;
        if (!(a->flags &
              (VMM_AREA_ACCOUNT | (uint32_t)VMM_W | VMM_AREA_SHARED | VMM_AREA_NO_RESERVE | VMM_AREA_HUGE))) {
            if (vmm_commit(m, pages)) return VMM_E_NO_FRAME;
            m->committed -= pages; /* counted with the area below */
            flags |= VMM_AREA_ACCOUNT;
        }
    } else if (a->flags & VMM_AREA_ACCOUNT && !a->object && !a->anon) {
        flags &= ~(uint32_t)VMM_AREA_ACCOUNT;
    }
    status = vmm_areas_cut(m, s, start, *end);
    if (status) return status;
    number = vmm_area_with(s, start);
    a = vmm_area_at(m, number);
    if (protection == 0 && vmm_huge_split_all(m, s, start, *end)) {
        (void)vmm_area_merge_around(m, s, number, false);
        return VMM_E_NO_FRAME;
    }
    vmm_area_count(m, s, a, false);
    a->flags = flags;
    vmm_area_count(m, s, a, true);
    vmm_area_reprotect(m, s, a);
    (void)vmm_area_merge_around(m, s, number, false);
    if ((was & ((uint32_t)VMM_W | VMM_AREA_SHARED | VMM_AREA_LOCKED)) == VMM_AREA_LOCKED && protection & VMM_W)
        (void)vmm_populate(m, s, start, *end); /* locked pages do not wait for the first write to be copied */
    return VMM_OK;
}
/** @endcond */

/** Changes what a stretch allows. Linux's mprotect: areas are changed in turn, and those before a hole or an area that
 *  refuses stay changed.
 *  @param s           the space
 *  @param va          first byte, a multiple of the page size
 *  @param bytes       length, rounded up to pages; 0 does nothing
 *  @param protection  VMM_R, VMM_W, VMM_X, or 0
 *  @return VMM_OK; VMM_E_ALIGN, VMM_E_ARGUMENT (EINVAL); VMM_E_NOT_MAPPED (ENOMEM) for a hole or a range that wraps;
 *  VMM_E_ACCESS (EACCES); VMM_E_LIMIT, VMM_E_NO_FRAME (ENOMEM). O(areas of the stretch x log areas + pages). */
VMM_OUTLINE vmm_status_t vmm_mprotect(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, uint32_t protection)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const vmm_vaddr_t end = va + vmm_page_up(m, bytes);
    vmm_status_t status;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if (!bytes) return VMM_OK;
    if (end <= va) return VMM_E_NOT_MAPPED;
    if (protection & ~(uint32_t)(VMM_R | VMM_W | VMM_X)) return VMM_E_ARGUMENT;
    while (va < end) {
        vmm_vaddr_t upto = end;
        if (!vmm_area_with(s, va)) return VMM_E_NOT_MAPPED;
        status = vmm_area_protect(m, s, va, &upto, protection);
        if (status) return status;
        va = upto;
    }
    return VMM_OK;
}

/* -- mremap -- */

/** @cond internal */
/* Whether a huge leaf can stand at an address of a free stretch: then the tables above it are there. */
VMM_OUTLINE bool vmm_huge_room(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t at)
{
    const uint8_t *entry;
    unsigned level = 0;
    if (at & (vmm_huge_bytes(m) - 1)) return false;
    vmm_tables_prune(m, s, at);
    entry = vmm_entry_make(m, s, at, 1, &level);
    return entry && level == 1 && !vmm_pte_load(m->paging, entry);
}

/* Makes the tables that the entries of a stretch need at another place. A huge page that would not lie there as it
 * should is split. */
VMM_OUTLINE vmm_status_t vmm_entries_move_room(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t from, vmm_vaddr_t to,
                                               uint64_t bytes)
{
    const uint64_t step = vmm_page_bytes(m);
    vmm_vaddr_t va = from;
    vmm_run_t run;
    unsigned level;
    while (vmm_run_next(m, s, &va, from + bytes, &run)) {
        uint64_t i;
        if (run.level) {
            if (vmm_huge_room(m, s, to + (run.va - from))) continue;
            if (s->killed || (vmm_huge_split(m, s, run.va) && vmm_frames_short(m, s))) return VMM_E_NO_FRAME;
            va = run.va;
            continue;
        }
        for (i = 0; i < run.count; i++) {
            const vmm_vaddr_t at = to + (va - run.count * step + i * step - from);
            if (!vmm_pte_load(m->paging, run.entry + i * m->paging->pte_bytes)) continue;
            if (!vmm_entry_need(m, s, at, &level)) return VMM_E_NO_FRAME;
        }
    }
    return VMM_OK;
}

/* Moves the entries of a stretch to another place of the space. Nothing is moved when a table is lacking. */
VMM_OUTLINE vmm_status_t vmm_entries_move(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t from, vmm_vaddr_t to,
                                          uint64_t bytes)
{
    vmm_vaddr_t va;
    vmm_run_t run;
    unsigned level;
    const uint64_t step = vmm_page_bytes(m);
    uint64_t splits;
    do { /* until none is split any more, by this or by reclaim: then every page has a table to go to */
        splits = m->stats.huge_split;
        if (vmm_entries_move_room(m, s, from, to, bytes)) return VMM_E_NO_FRAME;
    } while (splits != m->stats.huge_split);
    for (va = from; vmm_run_next(m, s, &va, from + bytes, &run);) {
        vmm_vaddr_t at = to + (run.level ? run.va : va - run.count * step) - from;
        if (run.level) {
            const vmm_pte_t pte = vmm_entry_put(m, run.entry, run.level, 0);
            vmm_entry_put(m, vmm_entry_make(m, s, at, run.level, &level), run.level, pte);
            continue;
        }
        for (; run.count; run.count--, run.entry += m->paging->pte_bytes, at += step) {
            if (!vmm_pte_load(m->paging, run.entry)) continue;
            vmm_entry_put(m, vmm_entry_find(m, s, at, &level), 0, vmm_entry_put(m, run.entry, 0, 0));
        }
    }
    return VMM_OK;
}

/* Tables that stand empty after entries were moved out, or could not be moved in. */
VMM_OUTLINE void vmm_tables_prune_stretch(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes)
{
    const uint64_t span = UINT64_C(1) << vmm_level_shift(m->paging, 1);
    const vmm_vaddr_t end = va + bytes;
    while (va < end) {
        vmm_tables_prune(m, s, va);
        va = (va | (span - 1)) + 1;
        if (va == 0) return;
    }
}

/* An area, cut to what is moved, goes to a free place and becomes so long. */
VMM_OUTLINE vmm_status_t vmm_area_move(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t to,
                                       uint64_t bytes)
{
    const vmm_area_t was = *vmm_area_at(m, number);
    const uint64_t length = was.end - was.start;
    vmm_area_t now = was;
    vmm_status_t status = vmm_entries_move(m, s, was.start, to, length < bytes ? length : bytes);
    uint32_t moved;
    if (status) {
        vmm_tables_prune_stretch(m, s, to, bytes);
        return status;
    }
    vmm_zap(m, s, was.start, was.end);
    vmm_tables_prune_stretch(m, s, was.start, length);
    vmm_flush_stretch(m, s, was.start, length, VMM_FLUSH_TABLE);
    now.start = to;
    now.end = to + bytes;
    if (!was.anon || was.flags & VMM_AREA_SHARED) now.home = to >> m->paging->page_shift;
    vmm_area_count(m, s, &was, false);
    if (was.object) vmm_object_at(m, was.object)->references++; /* not the last while it is moved */
    vmm_area_forget(m, s, number);
    moved = vmm_area_new(m, s, &now);
    if (was.object) vmm_object_put(m, was.object);
    vmm_area_count(m, s, &now, true);
    (void)vmm_area_merge_around(m, s, moved, true);
    if (now.flags & VMM_AREA_LOCKED && bytes > length) (void)vmm_populate(m, s, to + length, to + bytes);
    return VMM_OK;
}

/* The checks of an mremap that maps something new; `old` is what stays of the old stretch. */
VMM_OUTLINE vmm_status_t vmm_mremap_check(const vmm_machine_t *m, const vmm_space_t *s, const vmm_area_t *a,
                                          vmm_vaddr_t va, uint64_t old, uint64_t bytes)
{
    const unsigned shift = m->paging->page_shift;
    const uint64_t more = bytes > old ? bytes - old : 0;
    if (!old && !(a->flags & VMM_AREA_SHARED)) return VMM_E_ARGUMENT;
    if (old > a->end - va) return VMM_E_ADDRESS;
    if (!more) return VMM_OK;
    if (a->flags & VMM_AREA_LOCKED && s->limits.locked && (s->stats.locked << shift) + more > s->limits.locked)
        return VMM_E_AGAIN;
    if (!vmm_limits_allow(m, s, a->flags, more >> shift)) return VMM_E_LIMIT;
    return VMM_OK;
}

/* Grows an area where it is, if what is behind it is free. */
VMM_OUTLINE bool vmm_area_extend(vmm_machine_t *m, vmm_space_t *s, uint32_t number, uint64_t more)
{
    vmm_area_t *a = vmm_area_at(m, number);
    const uint32_t next = vmm_area_after(s, a->end);
    const vmm_vaddr_t end = a->end;
    if (more > m->layout.top - end || (next && vmm_area_at(m, next)->start < end + more)) return false;
    vmm_area_count(m, s, a, false);
    vmm_area_resize(s, number, a->start, end + more);
    vmm_area_count(m, s, a, true);
    (void)vmm_area_merge(m, s, number, vmm_area_next(s, number), number);
    if (vmm_area_at(m, number)->flags & VMM_AREA_LOCKED) (void)vmm_populate(m, s, end, end + more);
    return true;
}

/* Moves `old` bytes at va to `to`, where nothing is, as `bytes`. With old 0 the stretch is mapped once more. */
VMM_OUTLINE vmm_status_t vmm_mremap_move(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, uint64_t old, uint64_t bytes,
                                         vmm_vaddr_t to)
{
    vmm_area_t a = *vmm_area_at(m, vmm_area_with(s, va));
    vmm_status_t status;
    uint32_t number;
    if (!vmm_areas_room(m, s, 3)) return VMM_E_LIMIT;
    if (!old) {
        a.offset = vmm_area_page(m, &a, va);
        a.start = to;
        a.end = to + bytes;
        status = vmm_area_place(m, s, &a, &number);
        if (status == VMM_OK && a.flags & VMM_AREA_LOCKED) (void)vmm_populate(m, s, to, to + bytes);
        return status;
    }
    status = vmm_areas_cut(m, s, va, va + old);
    if (status) return status;
    status = vmm_area_move(m, s, vmm_area_with(s, va), to, bytes);
    if (status) (void)vmm_area_merge_around(m, s, vmm_area_with(s, va), false);
    return status;
}
/* What lies in one area. The arguments are pages, and checked. */
VMM_OUTLINE vmm_status_t vmm_mremap_one(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, uint64_t old, uint64_t bytes,
                                        uint32_t flags, vmm_vaddr_t wish, vmm_vaddr_t *address)
{
    const bool fixed = (flags & VMM_MREMAP_FIXED) != 0;
    const uint32_t number = vmm_area_with(s, va);
    uint64_t more = bytes > old ? bytes - old : 0, pages;
    vmm_area_t *a;
    vmm_status_t status;
    if (!number) return VMM_E_ADDRESS;
    *address = va;
    if (vmm_area_at(m, number)->flags & VMM_AREA_HUGE) { /* whole huge pages, and they never grow */
        const uint64_t inside = vmm_huge_bytes(m) - 1;
        old = (old + inside) & ~inside;
        bytes = (bytes + inside) & ~inside;
        if ((va | (fixed ? wish : 0)) & inside) return VMM_E_ALIGN;
        if (bytes > old) return VMM_E_ARGUMENT;
        if (fixed && va + old > wish && wish + bytes > va) return VMM_E_RANGE;
        more = 0;
    }
    if (!fixed && old && bytes <= old) return bytes < old ? vmm_munmap(s, va + bytes, old - bytes) : VMM_OK;
    a = vmm_area_at(m, number);
    status = vmm_mremap_check(m, s, a, va, old > bytes ? bytes : old, bytes);
    if (status) return status;
    pages = a->flags & VMM_AREA_ACCOUNT ? more >> m->paging->page_shift : 0;
    if (pages && vmm_commit(m, pages)) return VMM_E_NO_FRAME;
    m->committed -= pages; /* counted with the area, where it grows */
    if (!fixed) {
        if (old && old == a->end - va && vmm_area_extend(m, s, number, more)) return VMM_OK;
        if (!(flags & VMM_MREMAP_MAYMOVE)) return VMM_E_LIMIT;
        status = vmm_place_choose(m, s, 0, bytes, 0, vmm_page_bytes(m), &wish);
    } else {
        if (wish < m->layout.lowest) return VMM_E_DENIED;
        status = vmm_munmap(s, wish, bytes);
        if (status == VMM_OK && !vmm_area_with(s, va)) return VMM_E_ADDRESS; /* old is 0, and it went with the rest */
        if (status == VMM_OK && old > bytes) status = vmm_munmap(s, va + bytes, old - bytes);
        if (old > bytes) old = bytes;
    }
    if (status == VMM_OK) status = vmm_mremap_move(m, s, va, old, bytes, wish);
    if (status == VMM_OK) *address = wish;
    return status;
}

/* Moves whatever areas lie in a stretch, each as far from the next as before. */
VMM_OUTLINE vmm_status_t vmm_mremap_many(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes,
                                         vmm_vaddr_t wish, vmm_vaddr_t *address)
{
    const vmm_vaddr_t end = va + bytes;
    vmm_vaddr_t from = va, upto, moved;
    if (!vmm_area_with(s, va)) return VMM_E_ADDRESS;
    while (from < end) {
        const uint32_t number = vmm_area_after(s, from);
        const vmm_area_t *a = number ? vmm_area_at(m, number) : NULL;
        vmm_status_t status;
        if (!a || a->start >= end) break;
        if (a->start > from) from = a->start;
        upto = a->end < end ? a->end : end;
        status = vmm_mremap_one(m, s, from, upto - from, upto - from, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED,
                                wish + (from - va), &moved);
        if (status) return status;
        from = upto;
    }
    *address = wish;
    return VMM_OK;
}
/** @endcond */

/** Makes a stretch longer or shorter, where it is or elsewhere, with its pages. Linux's mremap: a stretch that grows or
 *  shrinks lies in one area; one that only moves, to a fixed place, may hold several areas and holes behind the first.
 *  @param s         the space
 *  @param va        first byte, a multiple of the page size
 *  @param old       its length, rounded up to pages; 0 maps shared pages a second time
 *  @param bytes     its new length, likewise, not 0
 *  @param flags     enum vmm_mremap_flag
 *  @param wish      with VMM_MREMAP_FIXED: where to; what was there goes
 *  @param address   receives where it is
 *  @return VMM_OK; VMM_E_ARGUMENT, VMM_E_ALIGN, VMM_E_RANGE (EINVAL); VMM_E_ADDRESS (EFAULT) when no area holds the
 *  stretch; VMM_E_LIMIT (ENOMEM) when it cannot grow there, or by a bound; VMM_E_AGAIN; VMM_E_NO_FRAME. With FIXED what
 *  was at the new place may be gone after an error, and of several areas some may have moved, as on Linux. O(log
 *  areas + pages). */
VMM_OUTLINE vmm_status_t vmm_mremap(vmm_space_t *s, vmm_vaddr_t va, uint64_t old, uint64_t bytes, uint32_t flags,
                                    vmm_vaddr_t wish, vmm_vaddr_t *address)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const bool fixed = (flags & VMM_MREMAP_FIXED) != 0;
    if (flags & ~(uint32_t)(VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED) || flags == VMM_MREMAP_FIXED) return VMM_E_ARGUMENT;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    old = vmm_page_up(m, old);
    bytes = vmm_page_up(m, bytes);
    if (!bytes || bytes > m->layout.top) return VMM_E_RANGE;
    if (fixed && (!vmm_page_aligned(m, wish) || wish > m->layout.top - bytes)) return VMM_E_RANGE;
    if (fixed && va + old > wish && wish + bytes > va) return VMM_E_RANGE;
    if (fixed && old == bytes) return vmm_mremap_many(m, s, va, bytes, wish, address);
    return vmm_mremap_one(m, s, va, old, bytes, flags, wish, address);
}

/* -- madvise, mlock, msync, mincore -- */

/** @cond internal */
/* What a stretch of one area does with its pages on advice. */
VMM_OUTLINE vmm_status_t vmm_advise_free(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t start,
                                         vmm_vaddr_t end)
{
    const vmm_paging_t *p = m->paging;
    vmm_run_t run;
    if (a->object || a->flags & (VMM_AREA_LOCKED | VMM_AREA_HUGE)) return VMM_E_ARGUMENT;
    if (vmm_huge_cut_ends(m, s, start, end)) return VMM_E_NO_FRAME;
    while (vmm_run_next(m, s, &start, end, &run)) {
        if (run.level && !vmm_huge_split(m, s, run.va)) {
            start = run.va;
            continue;
        }
        for (; run.count && !run.level; run.count--, run.entry += p->pte_bytes) {
            vmm_pte_t pte = vmm_pte_load(p, run.entry);
            uint32_t number = 0;
            const unsigned kind = vmm_entry_read(m, pte, &number);
            vmm_frame_t *f;
            if (kind == VMM_ENTRY_SLOT) {
                vmm_entry_put(m, run.entry, 0, 0);
                vmm_entry_release(m, s, pte, 0);
            }
            if ((kind != VMM_ENTRY_PAGE && kind != VMM_ENTRY_PARKED) || number == m->zero_frame) continue;
            f = vmm_frame_at(m, number);
            if (vmm_frame_kind(f) != VMM_FRAME_ANON || !p->dirty) continue;
            if (f->flags & (VMM_FRAME_SWAP | VMM_FRAME_DIRTY) && f->mappings != 1) continue;
            if (f->flags & VMM_FRAME_SWAP && vmm_slot_at(m, f->index)->count) continue; /* others wait for it there */
            vmm_frame_leave_slot(m, number);
            while (kind == VMM_ENTRY_PAGE &&
                   !vmm_pte_swap(p, run.entry, pte,
                                 vmm_pte_with(p, vmm_pte_with(p, pte, p->dirty, false), p->accessed, false)))
                pte = vmm_pte_load(p, run.entry);
            f->flags = (uint8_t)((f->flags & ~(VMM_FRAME_DIRTY | VMM_FRAME_REFERENCED)) | VMM_FRAME_LAZY);
        }
    }
    return VMM_OK;
}

VMM_OUTLINE vmm_status_t vmm_advise_need(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t start,
                                         vmm_vaddr_t end)
{
    const uint64_t page = vmm_page_bytes(m);
    vmm_run_t run;
    uint32_t frame = 0;
    for (; a->object && start < end; start += page) {
        const uint64_t number = vmm_area_page(m, a, start);
        const vmm_object_t *o = vmm_object_at(m, a->object);
        const uint32_t value = number < vmm_object_pages(m, o) ? vmm_index_get(m, &o->pages, (uint32_t)number) : 1;
        if (value ? !(value & VMM_PAGE_IN_SLOT) : o->options.kind == VMM_OBJECT_SHARED) continue;
        if (m->frames.free_frames <= m->options.watermark_low) return VMM_OK;
        (void)vmm_object_load(m, s, a->object, (uint32_t)number, &frame);
    }
    while (!a->object && vmm_run_next(m, s, &start, end, &run))
        for (; run.count; run.count--, run.entry += m->paging->pte_bytes) {
            uint32_t slot = 0;
            if (vmm_entry_read(m, vmm_pte_load(m->paging, run.entry), &slot) != VMM_ENTRY_SLOT) continue;
            if (vmm_slot_at(m, slot)->frame != VMM_NO_FRAME) continue;
            if (m->frames.free_frames <= m->options.watermark_low) return VMM_OK;
            (void)vmm_swap_load(m, s, slot, &frame);
        }
    return VMM_OK;
}

/* Flags of a stretch of one area are changed: it is cut out, and merges where it fits then. */
VMM_OUTLINE vmm_status_t vmm_area_reflag(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t start, vmm_vaddr_t end,
                                         uint32_t flags)
{
    uint32_t number = vmm_area_with(s, start);
    vmm_status_t status;
    if (vmm_area_at(m, number)->flags == flags) return VMM_OK;
    status = vmm_areas_cut(m, s, start, end);
    if (status) return status;
    number = vmm_area_with(s, start);
    vmm_area_count(m, s, vmm_area_at(m, number), false);
    vmm_area_at(m, number)->flags = flags | (vmm_area_at(m, number)->flags & VMM_AREA_MOVED);
    vmm_area_count(m, s, vmm_area_at(m, number), true);
    (void)vmm_area_merge_around(m, s, number, false);
    return VMM_OK;
}

/* The flags that an area has after advice. */
VMM_INLINE uint32_t vmm_advised_flags(uint32_t flags, unsigned advice)
{
    const uint32_t reading = VMM_AREA_RANDOM | VMM_AREA_SEQUENTIAL;
    switch (advice) {
    case VMM_MADV_NORMAL: return flags & ~reading;
    case VMM_MADV_RANDOM: return (flags & ~reading) | VMM_AREA_RANDOM;
    case VMM_MADV_SEQUENTIAL: return (flags & ~reading) | VMM_AREA_SEQUENTIAL;
    case VMM_MADV_HUGEPAGE: return (flags & ~(uint32_t)VMM_AREA_NEVER_HUGE) | VMM_AREA_ADVISE_HUGE;
    case VMM_MADV_NOHUGEPAGE: return (flags & ~(uint32_t)VMM_AREA_ADVISE_HUGE) | VMM_AREA_NEVER_HUGE;
    case VMM_MADV_MERGEABLE: return flags & (VMM_AREA_SHARED | VMM_AREA_HUGE) ? flags : flags | VMM_AREA_MERGEABLE;
    case VMM_MADV_UNMERGEABLE: return flags & ~(uint32_t)VMM_AREA_MERGEABLE;
    default: return flags;
    }
}

/* Merged pages of a stretch of one area get frames of their own again, as a write would give them. */
VMM_OUTLINE vmm_status_t vmm_advise_unmerge(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t start,
                                            vmm_vaddr_t end)
{
    vmm_serving_t v;
    vmm_run_t run;
    v.m = m;
    v.s = s;
    v.number = number;
    v.area = vmm_area_at(m, number);
    v.access = VMM_READ;
    v.level = 0;
    v.major = false;
    while (v.area->flags & VMM_AREA_MERGEABLE && vmm_run_next(m, s, &start, end, &run)) {
        for (v.entry = run.entry; run.count && !run.level; run.count--, v.entry += m->paging->pte_bytes) {
            uint32_t frame = 0, copy;
            const unsigned kind = vmm_entry_read(m, vmm_pte_load(m->paging, v.entry), &frame);
            if (kind != VMM_ENTRY_PAGE && kind != VMM_ENTRY_PARKED) continue;
            if (vmm_frame_kind(vmm_frame_at(m, frame)) != VMM_FRAME_MERGED) continue;
            v.va = start - run.count * vmm_page_bytes(m);
            copy = vmm_serve_copy(&v, frame);
            if (copy == VMM_NO_FRAME) return VMM_E_NO_FRAME;
            vmm_page_unmapped(m, s, frame, false);
            vmm_page_settle(m, frame);
            (void)vmm_serve_map(&v, copy, false);
            vmm_flush_stretch(m, s, v.va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
        }
    }
    return VMM_OK;
}

VMM_INLINE bool vmm_advice_is_known(const vmm_machine_t *m, unsigned advice)
{
    if (advice == VMM_MADV_MERGEABLE || advice == VMM_MADV_UNMERGEABLE) return m->options.merging;
    return advice <= VMM_MADV_DONTNEED || advice == VMM_MADV_FREE || advice == VMM_MADV_HUGEPAGE ||
           advice == VMM_MADV_NOHUGEPAGE;
}

VMM_OUTLINE vmm_status_t vmm_area_advise(vmm_machine_t *m, vmm_space_t *s, uint32_t number, vmm_vaddr_t start,
                                         vmm_vaddr_t end, unsigned advice)
{
    const vmm_area_t *a = vmm_area_at(m, number);
    switch (advice) {
    case VMM_MADV_WILLNEED: return vmm_advise_need(m, s, a, start, end);
    case VMM_MADV_FREE: return vmm_advise_free(m, s, a, start, end);
    case VMM_MADV_DONTNEED:
        if (a->flags & VMM_AREA_LOCKED) return VMM_E_ARGUMENT;
        if (a->flags & VMM_AREA_HUGE) { /* whole huge pages alone, as Linux has it */
            if (start & (vmm_huge_bytes(m) - 1)) return VMM_E_ARGUMENT;
            end &= ~(vmm_huge_bytes(m) - 1);
        }
        if (vmm_huge_cut_ends(m, s, start, end)) return VMM_E_NO_FRAME;
        vmm_zap(m, s, start, end);
        return VMM_OK;
    case VMM_MADV_UNMERGEABLE: {
        const vmm_status_t status = vmm_advise_unmerge(m, s, number, start, end);
        if (status) return status;
        break;
    }
    default: break;
    }
    return vmm_area_reflag(m, s, start, end, vmm_advised_flags(a->flags, advice));
}
/** @endcond */

/** Tells what a stretch will be used for. Linux's madvise.
 *  @param s       the space
 *  @param va      first byte, a multiple of the page size
 *  @param bytes   length, rounded up to pages; 0 does nothing
 *  @param advice  enum vmm_advice
 *  @return VMM_OK; VMM_E_ARGUMENT (EINVAL) for an advice that is none, or that an area cannot take (DONTNEED of a
 *  locked one or from inside an explicit huge page, FREE of a locked one, an object's, or of explicit huge pages);
 *  VMM_E_ALIGN, VMM_E_RANGE (EINVAL); VMM_E_NOT_MAPPED (ENOMEM) when there was a hole: the rest was advised;
 *  VMM_E_LIMIT; VMM_E_NO_FRAME (ENOMEM) when a merged page cannot be had apart, or a huge one be split. O(areas of
 *  the stretch x log areas + pages). */
VMM_OUTLINE vmm_status_t vmm_madvise(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, unsigned advice)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t length = vmm_page_up(m, bytes);
    const vmm_vaddr_t end = va + length;
    bool hole = false;
    if (!vmm_advice_is_known(m, advice)) return VMM_E_ARGUMENT;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if ((bytes && !length) || end < va) return VMM_E_RANGE;
    while (va < end) {
        const uint32_t number = vmm_area_after(s, va);
        const vmm_vaddr_t start = number ? vmm_area_at(m, number)->start : end;
        vmm_vaddr_t upto;
        vmm_status_t status;
        if (start > va) {
            hole = true;
            va = start;
            continue;
        }
        upto = vmm_area_at(m, number)->end < end ? vmm_area_at(m, number)->end : end;
        status = vmm_area_advise(m, s, number, va, upto, advice);
        if (status) return status;
        va = upto;
    }
    return hole ? VMM_E_NOT_MAPPED : VMM_OK;
}

/** @cond internal */
/* Locks or unlocks a stretch, area by area, up to a hole. */
VMM_OUTLINE vmm_status_t vmm_areas_lock(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, vmm_vaddr_t end, bool lock)
{
    while (va < end) {
        const uint32_t number = vmm_area_with(s, va);
        const uint32_t flags = number ? vmm_area_at(m, number)->flags : 0;
        const uint32_t becomes = lock ? flags | VMM_AREA_LOCKED : flags & ~(uint32_t)VMM_AREA_LOCKED;
        vmm_vaddr_t upto, at;
        vmm_status_t status;
        vmm_run_t run;
        if (!number) return VMM_E_NOT_MAPPED;
        upto = vmm_area_at(m, number)->end < end ? vmm_area_at(m, number)->end : end;
        status = flags & VMM_AREA_HUGE ? VMM_OK : vmm_area_reflag(m, s, va, upto, becomes);
        if (status) return status;
        for (at = va; flags & VMM_AREA_LOCKED && !lock && vmm_run_next(m, s, &at, upto, &run);)
            for (; run.count; run.count--, run.entry += m->paging->pte_bytes) {
                uint32_t frame = 0;
                const unsigned kind = vmm_entry_read(m, vmm_pte_load(m->paging, run.entry), &frame);
                uint32_t i = UINT32_C(1) << (vmm_level_shift(m->paging, run.level) - m->paging->page_shift);
                for (; i && (kind == VMM_ENTRY_PAGE || kind == VMM_ENTRY_PARKED); i--) vmm_page_unlock(m, s, frame++);
            }
        va = upto;
    }
    return VMM_OK;
}

/* Bytes of a stretch that are locked already. */
VMM_OUTLINE uint64_t vmm_areas_locked(const vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va, vmm_vaddr_t end)
{
    uint64_t bytes = 0;
    uint32_t number = vmm_area_after(s, va);
    for (; number && vmm_area_at(m, number)->start < end; number = vmm_area_next(s, number)) {
        const vmm_area_t *a = vmm_area_at(m, number);
        if (a->flags & VMM_AREA_LOCKED) bytes += (a->end < end ? a->end : end) - (a->start > va ? a->start : va);
    }
    return bytes;
}

/* The pages of a stretch, and whether so many may be locked. */
VMM_OUTLINE vmm_status_t vmm_mlock_range(const vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t *va, uint64_t bytes,
                                         bool lock, vmm_vaddr_t *end)
{
    const uint64_t inside = *va & (vmm_page_bytes(m) - 1), length = vmm_page_up(m, bytes + inside);
    const uint64_t limit = s->limits.locked & ~(vmm_page_bytes(m) - 1);
    *va -= inside;
    *end = *va + length;
    if (lock && s->limits.locked) {
        const uint64_t locked = s->stats.locked << m->paging->page_shift;
        if (length > limit) return VMM_E_LIMIT;
        if (locked + length > limit && locked + length - vmm_areas_locked(m, s, *va, *end) > limit) return VMM_E_LIMIT;
    }
    return *end < *va ? VMM_E_RANGE : VMM_OK;
}
/** @endcond */

/** Makes the pages of a stretch present, and keeps them in their frames. Linux's mlock.
 *  @param s      the space
 *  @param va     first byte; rounded down to a page
 *  @param bytes  length, rounded up
 *  @return VMM_OK; VMM_E_RANGE (EINVAL) when it wraps; VMM_E_NOT_MAPPED (ENOMEM) for a hole or a page that cannot be
 *  touched: what is before it is locked; VMM_E_LIMIT (ENOMEM) beyond limits.locked; VMM_E_AGAIN (EAGAIN) when frames
 *  ran out. O(areas x log areas + pages). */
VMM_OUTLINE vmm_status_t vmm_mlock(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes)
{
    vmm_machine_t *m = vmm_machine_of(s);
    vmm_vaddr_t end;
    vmm_status_t status = vmm_mlock_range(m, s, &va, bytes, true, &end);
    if (status) return status;
    status = vmm_areas_lock(m, s, va, end, true);
    if (status) return status;
    status = vmm_populate(m, s, va, end);
    if (status == VMM_E_NO_FRAME) return VMM_E_AGAIN;
    return status == VMM_E_ADDRESS ? VMM_E_NOT_MAPPED : status;
}

/** Lets the pages of a stretch be taken again. Linux's munlock.
 *  @param s      the space
 *  @param va     first byte; rounded down to a page
 *  @param bytes  length, rounded up
 *  @return VMM_OK; VMM_E_RANGE; VMM_E_NOT_MAPPED (ENOMEM) for a hole; VMM_E_LIMIT. O(areas x log areas + pages). */
VMM_OUTLINE vmm_status_t vmm_munlock(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes)
{
    vmm_machine_t *m = vmm_machine_of(s);
    vmm_vaddr_t end;
    const vmm_status_t status = vmm_mlock_range(m, s, &va, bytes, false, &end);
    return status ? status : vmm_areas_lock(m, s, va, end, false);
}

/** Writes the dirty pages of shared files in a stretch back. Linux's msync.
 *  @param s      the space
 *  @param va     first byte, a multiple of the page size
 *  @param bytes  length, rounded up
 *  @param flags  enum vmm_msync_flag; ASYNC writes nothing now, as on Linux
 *  @return VMM_OK; VMM_E_ARGUMENT, VMM_E_ALIGN (EINVAL); VMM_E_NOT_MAPPED (ENOMEM) for a hole, the rest was written;
 *  VMM_E_BUSY (EBUSY) for INVALIDATE of a locked area; VMM_E_IO when a page could not be written, now or since it was
 *  last told. O(pages). Calls write_page. */
VMM_OUTLINE vmm_status_t vmm_msync(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, unsigned flags)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const vmm_vaddr_t end = va + vmm_page_up(m, bytes);
    bool hole = false, failed = false;
    if (flags & ~7u || (flags & VMM_MS_ASYNC && flags & VMM_MS_SYNC)) return VMM_E_ARGUMENT;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if (end < va) return VMM_E_NOT_MAPPED;
    while (va < end) {
        const uint32_t number = vmm_area_after(s, va);
        const vmm_area_t *a = number ? vmm_area_at(m, number) : NULL;
        if (!a || a->start >= end) return failed ? VMM_E_IO : VMM_E_NOT_MAPPED;
        if (a->start > va) {
            hole = true;
            va = a->start;
        }
        if (flags & VMM_MS_INVALIDATE && a->flags & VMM_AREA_LOCKED) return failed ? VMM_E_IO : VMM_E_BUSY;
        if (a->object && a->flags & VMM_AREA_SHARED && flags & VMM_MS_SYNC) {
            vmm_object_t *o = vmm_object_at(m, a->object);
            const vmm_vaddr_t upto = a->end < end ? a->end : end;
            (void)vmm_object_clean(m, a->object, vmm_area_page(m, a, va), vmm_area_page(m, a, upto));
            failed = failed || o->io_error;
            o->io_error = false;
        }
        va = a->end;
    }
    if (failed) return VMM_E_IO;
    return hole ? VMM_E_NOT_MAPPED : VMM_OK;
}

/** Tells which pages of a stretch are in frames. Linux's mincore.
 *  @param s       the space
 *  @param va      first byte, a multiple of the page size
 *  @param bytes   length, rounded up
 *  @param pages   receives a byte a page: 1 in a frame, else 0; of objects also those that only the cache has
 *  @return VMM_OK; VMM_E_ALIGN (EINVAL); VMM_E_NOT_MAPPED (ENOMEM) for a hole. O(pages x levels). */
VMM_OUTLINE vmm_status_t vmm_mincore(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, uint8_t *pages)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const vmm_vaddr_t end = va + vmm_page_up(m, bytes);
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if (va > m->layout.top || bytes > m->layout.top - va) return VMM_E_NOT_MAPPED;
    for (; va < end; va += vmm_page_bytes(m)) {
        const uint32_t number = vmm_area_with(s, va);
        uint32_t value = 0;
        unsigned level, kind = VMM_ENTRY_NONE;
        const uint8_t *entry;
        if (!number) return VMM_E_NOT_MAPPED;
        entry = vmm_entry_find(m, s, va, &level);
        if (entry) kind = vmm_entry_read(m, vmm_pte_load(m->paging, entry), &value);
        *pages = kind == VMM_ENTRY_PAGE || kind == VMM_ENTRY_PARKED;
        if (kind == VMM_ENTRY_SLOT) *pages = vmm_slot_at(m, value)->frame != VMM_NO_FRAME;
        if (kind == VMM_ENTRY_NONE && vmm_area_at(m, number)->object) {
            const vmm_area_t *a = vmm_area_at(m, number);
            const uint64_t page = vmm_area_page(m, a, va);
            value = page <= UINT32_MAX ? vmm_index_get(m, &vmm_object_at(m, a->object)->pages, (uint32_t)page) : 0;
            *pages = value && !(value & VMM_PAGE_IN_SLOT);
        }
        pages++;
    }
    return VMM_OK;
}

/* -- the program break -- */

/** Moves the program break, the end of the heap. Linux's brk.
 *  @param s    the space
 *  @param va   the new break; below brk_start or where it cannot be, nothing is done
 *  @param now  receives the break as it is then
 *  @return VMM_OK, or VMM_E_LIMIT or VMM_E_NO_FRAME when it stayed where it was. O(log areas + pages that go). */
VMM_OUTLINE vmm_status_t vmm_brk(vmm_space_t *s, vmm_vaddr_t va, vmm_vaddr_t *now)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const vmm_vaddr_t to = vmm_page_up(m, va), from = vmm_page_up(m, s->brk);
    uint32_t number;
    vmm_area_t a;
    vmm_status_t status = VMM_OK;
    *now = s->brk;
    if (va < s->brk_start || va > m->layout.top) return VMM_E_LIMIT;
    if (s->limits.data && va - s->brk_start > s->limits.data) return VMM_E_LIMIT;
    if (to < from) {
        number = vmm_area_after(s, to);
        if (!number || vmm_area_at(m, number)->start >= from) return VMM_E_LIMIT;
        status = vmm_munmap(s, to, from - to);
    } else if (to > from) {
        number = vmm_area_after(s, from);
        if (number && to + vmm_page_bytes(m) > vmm_area_floor(m, vmm_area_at(m, number))) return VMM_E_LIMIT;
        status = vmm_area_describe(m, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &a);
        a.start = from;
        a.end = to;
        a.home = from >> m->paging->page_shift;
        if (s->locks_future) a.flags |= VMM_AREA_LOCKED;
        if (!vmm_limits_allow(m, s, a.flags, (to - from) >> m->paging->page_shift)) return VMM_E_LIMIT;
        if (a.flags & VMM_AREA_LOCKED && s->limits.locked &&
            (s->stats.locked << m->paging->page_shift) + (to - from) > s->limits.locked)
            return VMM_E_LIMIT;
        if (!vmm_areas_room(m, s, 1)) return VMM_E_LIMIT;
        if (vmm_commit(m, (to - from) >> m->paging->page_shift)) return VMM_E_NO_FRAME;
        m->committed -= (to - from) >> m->paging->page_shift;
        number = vmm_area_new(m, s, &a);
        vmm_area_count(m, s, &a, true);
        if (from > s->brk_start) (void)vmm_area_merge(m, s, vmm_area_previous(s, number), number, 0);
        if (a.flags & VMM_AREA_LOCKED) (void)vmm_populate(m, s, from, to);
    }
    if (status) return status;
    *now = s->brk = va;
    vmm_tell(m, VMM_EVENT_BREAK, s, va, 0, 0);
    return VMM_OK;
}

/** Moves the program break by a distance, as sbrk does.
 *  @param s        the space
 *  @param change   bytes, either way
 *  @param before   receives the break as it was
 *  @return as vmm_brk. */
VMM_OUTLINE vmm_status_t vmm_sbrk(vmm_space_t *s, int64_t change, vmm_vaddr_t *before)
{
    vmm_vaddr_t now;
    *before = s->brk;
    return change ? vmm_brk(s, s->brk + (uint64_t)change, &now) : VMM_OK;
}

/* -- access without a processor -- */

/** @cond internal */
/* Host address of a byte of a space, served if need be; null: a fault that cannot be. */
VMM_OUTLINE uint8_t *vmm_space_reach(vmm_space_t *s, vmm_vaddr_t va, unsigned access)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const vmm_paging_t *p = m->paging;
    const vmm_pte_t right = access == VMM_WRITE ? p->write : access == VMM_FETCH ? p->execute : p->read;
    for (;;) {
        unsigned level;
        uint8_t *entry = vmm_entry_find(m, s, va, &level);
        if (entry) {
            const vmm_pte_t pte = vmm_pte_load(p, entry);
            vmm_pte_t marked = vmm_pte_with(p, pte, p->accessed, true);
            if (access == VMM_WRITE) marked = vmm_pte_with(p, marked, p->dirty, true);
            if (pte & p->valid && vmm_pte_grants(p, pte, right)) {
                if (marked != pte && !vmm_pte_swap(p, entry, pte, marked)) continue;
                return vmm_table_host(m, vmm_pte_paddr(p, pte)) +
                       (size_t)(va & vmm_low_mask(vmm_level_shift(p, level)));
            }
        }
        if (vmm_fault_serve(s, va, access) != VMM_OK) return NULL;
    }
}

VMM_OUTLINE vmm_status_t vmm_space_copy(vmm_space_t *s, vmm_vaddr_t va, uint8_t *data, uint64_t bytes, unsigned access)
{
    const uint64_t page = vmm_page_bytes(vmm_machine_of(s));
    while (bytes) {
        const uint64_t room = page - (va & (page - 1)), piece = room < bytes ? room : bytes;
        uint8_t *host = vmm_space_reach(s, va, access);
        if (!host) return VMM_FAULT;
        if (access == VMM_WRITE) VMM_COPY(host, data, (size_t)piece);
        else VMM_COPY(data, host, (size_t)piece);
        va += piece;
        data += piece;
        bytes -= piece;
    }
    return VMM_OK;
}
/** @endcond */

/** Copies out of a space, whether a processor runs it or not; faults are served.
 *  @param s      the space
 *  @param va     virtual address
 *  @param to     host memory
 *  @param bytes  how many
 *  @return VMM_OK, or VMM_FAULT with the reason in s->signal: what lies before s->signal.address was copied. */
VMM_OUTLINE vmm_status_t vmm_space_read(vmm_space_t *s, vmm_vaddr_t va, void *to, uint64_t bytes)
{
    return vmm_space_copy(s, va, (uint8_t *)to, bytes, VMM_READ);
}

/** Copies into a space, likewise.
 *  @param s      the space
 *  @param va     virtual address
 *  @param from   host memory
 *  @param bytes  how many
 *  @return VMM_OK, or VMM_FAULT with the reason in s->signal: what lies before s->signal.address was copied. */
VMM_OUTLINE vmm_status_t vmm_space_write(vmm_space_t *s, vmm_vaddr_t va, const void *from, uint64_t bytes)
{
    return vmm_space_copy(s, va, (uint8_t *)(uintptr_t)from, bytes, VMM_WRITE);
}

/** Keeps a page in its frame, for a device: it is made present and never taken until vmm_unpin.
 *  @param s       the space
 *  @param va      virtual address
 *  @param access  enum vmm_access: what the device will do
 *  @param paddr   receives the physical address of the byte
 *  @return VMM_OK; VMM_FAULT; VMM_E_BUSY when the page is pinned already, or is shared zeros. O(levels). */
VMM_OUTLINE vmm_status_t vmm_pin(vmm_space_t *s, vmm_vaddr_t va, unsigned access, vmm_paddr_t *paddr)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint8_t *host = vmm_space_reach(s, va, access);
    uint32_t frame;
    if (!host) return VMM_FAULT;
    *paddr = m->memory.base + (uint64_t)(host - (const uint8_t *)m->memory.ram);
    frame = vmm_frame_of(m, *paddr);
    if (frame == m->zero_frame || vmm_frame_at(m, frame)->flags & VMM_FRAME_PINNED) return VMM_E_BUSY;
    vmm_frame_at(m, frame)->flags |= VMM_FRAME_PINNED;
    return VMM_OK;
}

/** Ends vmm_pin. A page that no space has any more is let go.
 *  @param m      the machine
 *  @param paddr  as vmm_pin told
 *  @return VMM_OK, or VMM_E_NOT_MAPPED when no page is pinned there. */
VMM_OUTLINE vmm_status_t vmm_unpin(vmm_machine_t *m, vmm_paddr_t paddr)
{
    const uint32_t frame = vmm_frame_of(m, paddr);
    if (paddr < m->memory.base || frame >= m->frame_count) return VMM_E_NOT_MAPPED;
    if (!(vmm_frame_at(m, frame)->flags & VMM_FRAME_PINNED)) return VMM_E_NOT_MAPPED;
    vmm_frame_at(m, frame)->flags &= (uint8_t)~VMM_FRAME_PINNED;
    vmm_page_settle(m, frame);
    return VMM_OK;
}

/* -- machine -- */

/** @cond internal */
VMM_INLINE void vmm_plan_pool(vmm_pool_t *pool, uint64_t *bytes, size_t record, uint64_t count)
{
    VMM_SET(pool, 0, sizeof *pool);
    pool->bytes = (uint32_t)record;
    pool->count = (uint32_t)count;
    pool->offset = vmm_plan(bytes, (uint64_t)record * count);
}

/* Lays a machine out: defaults of its options, and where everything lies. */
VMM_OUTLINE void vmm_machine_plan(vmm_machine_t *m, const vmm_machine_options_t *options)
{
    vmm_machine_options_t *o = &m->options;
    const uint64_t frames = options->memory->size >> options->paging->page_shift;
    uint64_t least;
    VMM_SET(m, 0, sizeof *m);
    *o = *options;
    if (!o->replacement) o->replacement = &vmm_replace_two_lists;
    o->overcommit_ratio = VMM_OR(o->overcommit_ratio, 50);
    o->spaces = VMM_OR(o->spaces, 64);
    o->areas = VMM_OR(o->areas, 64 * o->spaces);
    o->areas_of_space = VMM_OR(o->areas_of_space, 65530);
    o->objects = VMM_OR(o->objects, 64);
    o->nodes = VMM_OR(o->nodes, (uint32_t)(frames / 8 + 4 * (uint64_t)o->objects));
    least = frames / 64 < 4 ? 4 : frames / 64;
    o->watermark_min = VMM_OR(o->watermark_min, (uint32_t)least);
    o->watermark_low = VMM_OR(o->watermark_low, o->watermark_min + (o->watermark_min + 3) / 4);
    o->watermark_high = VMM_OR(o->watermark_high, o->watermark_min + (o->watermark_min + 1) / 2);
    o->tick = VMM_OR(o->tick, 64);
    vmm_plan_frames(m, frames, o->local ? 1 + (uint64_t)o->spaces : 1);
    m->set_offset = o->local ? vmm_plan(&m->bytes, frames * 2) : 0;
    m->slot_offset = vmm_plan(&m->bytes, o->slots * (uint64_t)sizeof(vmm_slot_t));
    for (m->merge_buckets = 16; o->merging && m->merge_buckets < frames / 2;) m->merge_buckets *= 2;
    m->merge_offset = o->merging ? vmm_plan(&m->bytes, (2 * (uint64_t)m->merge_buckets + frames) * 4) : 0;
    vmm_plan_pool(&m->spaces, &m->bytes, sizeof(vmm_space_t), o->spaces);
    vmm_plan_pool(&m->kins, &m->bytes, sizeof(vmm_kin_t), (uint64_t)o->spaces + 1);
    vmm_plan_pool(&m->areas, &m->bytes, sizeof(vmm_area_t), o->areas);
    vmm_plan_pool(&m->objects, &m->bytes, sizeof(vmm_object_t), o->objects);
    vmm_plan_pool(&m->tree_nodes, &m->bytes, sizeof(vmm_tree_node_t), VMM_TREE_NODES((uint64_t)o->areas, o->spaces));
    vmm_plan_pool(&m->index_nodes, &m->bytes, sizeof(vmm_index_node_t), o->nodes);
}

VMM_OUTLINE vmm_status_t vmm_machine_check_options(const vmm_machine_options_t *o)
{
    const vmm_paging_t *p = o->paging;
    const vmm_layout_t *lay = o->layout;
    uint64_t frames;
    unsigned level;
    if (!o->memory || !p || vmm_paging_check(p)) return VMM_E_ARGUMENT;
    if (p->rules > VMM_RULES_X86) return VMM_E_ARGUMENT; /* marks that mean rights, as AArch64's, are not Part II's */
    if (!lay) lay = vmm_layout_of(p);
    if (!lay) return VMM_E_ARGUMENT;
    if (o->spaces > 0xffff || o->overcommit > VMM_OVERCOMMIT_NEVER || o->huge > VMM_HUGE_ALWAYS || o->asid_bits > 16)
        return VMM_E_ARGUMENT;
    if (vmm_mem_check(o->memory, p)) return vmm_mem_check(o->memory, p);
    if ((o->fault_around & (o->fault_around - 1)) || (o->read_ahead & (o->read_ahead - 1)) ||
        (o->swap_cluster & (o->swap_cluster - 1)))
        return VMM_E_ARGUMENT;
    frames = o->memory->size >> p->page_shift;
    if (frames < 16 || frames >> 31 || o->slots >> 30) return VMM_E_RANGE;
    if (p->pte_bytes < 8 &&
        ((frames << 2) >> (8 * p->pte_bytes) || (((uint64_t)o->slots + 1) << 2) >> (8 * p->pte_bytes)))
        return VMM_E_RANGE;
    for (level = 0; level + 1u < p->levels; level++)
        if (p->index_bits[level] > 15) return VMM_E_RANGE;
    if (!vmm_canonical(p, lay->top - 1) || lay->lowest >= lay->top || lay->mmap_low >= lay->mmap_high ||
        lay->mmap_high > lay->top)
        return VMM_E_RANGE;
    return VMM_OK;
}

/* Tables of the kernel half, taken for good. */
VMM_OUTLINE int vmm_kernel_take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    vmm_machine_t *m = (vmm_machine_t *)user;
    const uint32_t frame = vmm_frame_alloc(m, vmm_frames_order_of(&m->frames, bytes), VMM_FRAME_FIXED);
    *table = vmm_frame_paddr(m, frame);
    return frame == VMM_NO_FRAME;
}

/* The kernel's map of all RAM, which every space has in its upper half. */
VMM_OUTLINE vmm_status_t vmm_kernel_build(vmm_machine_t *m)
{
    const uint32_t flags = VMM_R | VMM_W | VMM_X | VMM_A | VMM_D | (m->paging->global ? (uint32_t)VMM_G : 0u);
    vmm_tables_t tables;
    vmm_status_t status;
    if (!m->layout.direct) return VMM_OK;
    VMM_SET(&tables, 0, sizeof tables);
    tables.memory = &m->memory;
    tables.take = vmm_kernel_take;
    tables.user = m;
    status = vmm_pt_create(m->paging, &tables);
    if (status == VMM_OK)
        status = vmm_pt_map(m->paging, &tables, m->layout.direct, m->memory.base, m->memory.size, flags);
    m->kernel_root = tables.root;
    return status;
}

/** @endcond */

/** How many bytes the block of a machine takes, and the buddy's records behind it.
 *  @param options  as vmm_machine_create will get them
 *  @return bytes, or 0 when they are refused there. */
VMM_OUTLINE uint64_t vmm_machine_bytes(const vmm_machine_options_t *options)
{
    vmm_machine_t m;
    if (vmm_machine_check_options(options)) return 0;
    vmm_machine_plan(&m, options);
    return m.bytes + VMM_FRAMES_BYTES((uint64_t)m.frame_count);
}

/** Makes a machine: every frame free but one of zeros and the kernel half's tables.
 *  @param block    memory for all records, aligned to 8; its first bytes are the machine
 *  @param bytes    its size, at least vmm_machine_bytes(options)
 *  @param options  copied; what it points to stays the caller's
 *  @param machine  receives the machine
 *  @return VMM_OK; VMM_E_ARGUMENT when a pointer is null, the block too small, or an option is none; VMM_E_ALIGN;
 *  VMM_E_RANGE for fewer than 16 or more than 2^31 frames, more frames or slots than an entry can name, tables (but the
 *  root) of more than 2^15 entries, or a layout outside the address space; VMM_E_NO_FRAME when the kernel half does not
 *  fit. O(block). */
VMM_OUTLINE vmm_status_t vmm_machine_create(void *block, uint64_t bytes, const vmm_machine_options_t *options,
                                            vmm_machine_t **machine)
{
    vmm_machine_t *m = (vmm_machine_t *)block;
    uint32_t i;
    vmm_status_t status;
    if (!block || !options || bytes > SIZE_MAX) return VMM_E_ARGUMENT;
    status = vmm_machine_check_options(options);
    if (status) return status;
    if ((uintptr_t)block & 7) return VMM_E_ALIGN;
    if (bytes < vmm_machine_bytes(options)) return VMM_E_ARGUMENT;
    vmm_machine_plan(m, options);
    VMM_SET(vmm_machine_part(m, sizeof *m), 0, (size_t)(m->bytes - sizeof *m));
    m->memory = *options->memory;
    m->paging = options->paging;
    m->layout = *(options->layout ? options->layout : vmm_layout_of(m->paging));
    m->options.memory = NULL;
    m->options.layout = NULL;
    m->asid_generation = 1;
    m->asid_next = 1;
    status = vmm_frames_init(&m->frames, m->memory.base, m->paging->page_shift, m->frame_count,
                             vmm_machine_part(m, m->bytes), bytes - m->bytes);
    if (status) return status;
    vmm_resident_init(&m->resident, m->options.replacement, 0);
    for (i = 0; i < m->options.slots; i++) vmm_slot_at(m, i)->frame = VMM_NO_FRAME;
    m->zero_frame = vmm_frame_alloc(m, 0, VMM_FRAME_FIXED);
    VMM_SET(vmm_frame_host(m, m->zero_frame), 0, (size_t)vmm_page_bytes(m));
    *machine = m;
    return vmm_kernel_build(m);
}

/* -- spaces -- */

/** @cond internal */
VMM_INLINE void vmm_kin_join(vmm_machine_t *m, vmm_space_t *s, uint32_t number)
{
    vmm_kin_t *kin = vmm_kin_at(m, number);
    s->kin = number;
    if (kin->count++ == 0) {
        kin->first = s->kin_next = s->kin_previous = s->number;
        return;
    }
    s->kin_next = kin->first;
    s->kin_previous = vmm_space_at(m, kin->first)->kin_previous;
    vmm_space_at(m, s->kin_previous)->kin_next = s->number;
    vmm_space_at(m, kin->first)->kin_previous = s->number;
}

VMM_INLINE void vmm_kin_leave(vmm_machine_t *m, vmm_space_t *s)
{
    vmm_kin_t *kin = vmm_kin_at(m, s->kin);
    vmm_space_at(m, s->kin_previous)->kin_next = s->kin_next;
    vmm_space_at(m, s->kin_next)->kin_previous = s->kin_previous;
    kin->first = s->kin_next;
    if (--kin->count == 0) vmm_pool_give(m, &m->kins, s->kin);
}

/* A space with an empty table, of no kin yet. Null: no record or frame. */
VMM_OUTLINE vmm_space_t *vmm_space_new(vmm_machine_t *m)
{
    const unsigned top = m->paging->levels - 1u;
    const uint32_t number = vmm_pool_take(m, &m->spaces);
    vmm_space_t *s;
    uint32_t frame;
    if (!number) return NULL;
    s = vmm_space_at(m, number);
    VMM_SET(s, 0, sizeof *s);
    s->offset = (uint64_t)((uintptr_t)s - (uintptr_t)m);
    s->number = number;
    s->brk_start = s->brk = m->layout.text;
    vmm_resident_init(&s->resident, m->options.replacement, number);
    if (m->set_offset)
        VMM_SET(vmm_ghosts_of(m, &s->resident), 0,
                (size_t)vmm_ghost_room(m->options.replacement, m->options.ghosts) * 4);
    frame = vmm_table_need(m, s, top);
    if (frame == VMM_NO_FRAME) {
        s->number = 0;
        vmm_pool_give(m, &m->spaces, number);
        return NULL;
    }
    s->root = vmm_frame_paddr(m, frame);
    if (m->kernel_root) {
        const size_t half = (size_t)vmm_table_bytes(m->paging, top) / 2;
        VMM_COPY(vmm_table_host(m, s->root) + half, vmm_table_host(m, m->kernel_root) + half, half);
    }
    return s;
}

/* Unmaps everything and begins anew: for exec, and for the end. */
VMM_OUTLINE void vmm_space_clear(vmm_machine_t *m, vmm_space_t *s)
{
    uint32_t number;
    while ((number = vmm_area_first(s)) != 0) {
        const vmm_area_t a = *vmm_area_at(m, number);
        vmm_areas_drop(m, s, a.start, a.end);
    }
}

/* Local replacement: pages in the set of a space that ends, which others have still, are nobody's. */
VMM_OUTLINE void vmm_resident_disband(vmm_machine_t *m, const vmm_space_t *s)
{
    unsigned list;
    for (list = 0; list < VMM_RESIDENT_LISTS; list++)
        while (s->resident.list[list].first != VMM_NO_FRAME) {
            const uint32_t frame = s->resident.list[list].first;
            vmm_resident_leave(m, frame);
            vmm_resident_enter(m, NULL, frame);
        }
}
/** @endcond */

/** Makes an empty space.
 *  @param m      the machine
 *  @param space  receives it; its address is good until vmm_exit
 *  @return VMM_OK, or VMM_E_NO_FRAME when there are options.spaces already or no frame is left for its table. O(1). */
VMM_OUTLINE vmm_status_t vmm_space_create(vmm_machine_t *m, vmm_space_t **space)
{
    vmm_space_t *s = vmm_space_new(m);
    if (!s) return VMM_E_NO_FRAME;
    vmm_kin_join(m, s, vmm_pool_take(m, &m->kins)); /* one more kin than spaces: never lacking */
    vmm_tell(m, VMM_EVENT_CREATE, s, 0, 0, 0);
    *space = s;
    return VMM_OK;
}

/** Unmaps everything of a space, which is nobody's kin then: what exec begins with.
 *  @param s  the space
 *  O(areas + pages). May call write_page. */
VMM_OUTLINE void vmm_space_empty(vmm_space_t *s)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint32_t kin = vmm_pool_take(m, &m->kins);
    vmm_space_clear(m, s);
    vmm_kin_leave(m, s);
    vmm_kin_join(m, s, kin);
    s->brk_start = s->brk = m->layout.text;
}

/** Ends a space: everything is unmapped, its tables and its record are given back. No processor runs it any more.
 *  @param s  the space; gone afterwards
 *  O(areas + pages). May call write_page. */
VMM_OUTLINE void vmm_exit(vmm_space_t *s)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint32_t number = s->number;
    uint32_t i;
    vmm_tell(m, VMM_EVENT_EXIT, s, 0, 0, 0);
    vmm_space_clear(m, s);
    vmm_resident_disband(m, s);
    for (i = 0; i < m->cpus; i++)
        if (m->cpu[i].space == number) m->cpu[i].space = 0;
    vmm_kin_leave(m, s);
    vmm_table_free(m, s, vmm_frame_of(m, s->root), m->paging->levels - 1u);
    s->number = 0;
    vmm_pool_give(m, &m->spaces, number);
}

/** A processor that may run spaces from now on.
 *  @param m       the machine
 *  @param cpu     copied; see vmm_cpu_t. NAME_attach does it for an MMU of VMM_MMU
 *  @param number  receives which it is
 *  @return VMM_OK; VMM_E_ARGUMENT when one of its functions is null; VMM_E_RANGE when there are VMM_MACHINE_CPUS. */
VMM_OUTLINE vmm_status_t vmm_machine_attach(vmm_machine_t *m, const vmm_cpu_t *cpu, uint32_t *number)
{
    if (m->cpus == VMM_MACHINE_CPUS) return VMM_E_RANGE;
    if (!cpu->install || !cpu->flush || !cpu->flush_all) return VMM_E_ARGUMENT;
    *number = m->cpus++;
    m->cpu[*number] = *cpu;
    m->cpu[*number].number = *number;
    m->cpu[*number].space = 0;
    m->cpu[*number].generation = 0;
    return VMM_OK;
}

/** Makes a processor run a space. With ASIDs nothing is flushed until they run out.
 *  @param s    the space
 *  @param cpu  number of the processor
 *  @return VMM_OK, or VMM_E_RANGE for a processor that is not attached. O(1). Calls install, and flush_all at times. */
VMM_OUTLINE vmm_status_t vmm_space_switch(vmm_space_t *s, uint32_t cpu)
{
    vmm_machine_t *m = vmm_machine_of(s);
    vmm_cpu_t *c;
    bool flush;
    if (cpu >= m->cpus) return VMM_E_RANGE;
    c = &m->cpu[cpu];
    if (c->space == s->number && s->asid_generation == m->asid_generation) return VMM_OK;
    m->stats.switches++;
    if (s->asid_generation != m->asid_generation) {
        if (m->options.asid_bits && m->asid_next >> m->options.asid_bits) {
            m->asid_generation++;
            m->asid_next = 1;
        }
        s->asid = m->options.asid_bits ? m->asid_next++ : 0;
        s->asid_generation = m->asid_generation;
    }
    flush = !m->options.asid_bits || c->generation != m->asid_generation;
    if (!m->options.asid_bits && c->space) vmm_space_at(m, c->space)->ran_on &= ~(UINT32_C(1) << cpu);
    if (flush) {
        m->stats.switch_flushes++;
        c->generation = m->asid_generation;
    }
    c->space = s->number;
    s->ran_on |= UINT32_C(1) << cpu;
    c->install(c->mmu, s->root, (uint16_t)s->asid);
    if (flush) c->flush_all(c->mmu);
    vmm_tell(m, VMM_EVENT_SWITCH, s, 0, 0, s->asid);
    return VMM_OK;
}

/** The space that a processor runs.
 *  @param m    the machine
 *  @param cpu  number of the processor
 *  @return the space, or null when it runs none. */
VMM_INLINE vmm_space_t *vmm_space_running(const vmm_machine_t *m, uint32_t cpu)
{
    return cpu < m->cpus && m->cpu[cpu].space ? vmm_space_at(m, m->cpu[cpu].space) : NULL;
}

/* -- fork -- */

/** @cond internal */
/* What a stretch of entries adds to the counts of a space. */
typedef struct vmm_fork_sum {
    uint64_t anon, file, shared;
} vmm_fork_sum_t;

/* Counts an entry more for a page that is not a plain anonymous one. Returns whether it is counted as anonymous. */
VMM_OUTLINE bool vmm_fork_count(const vmm_machine_t *m, vmm_frame_t *f, vmm_fork_sum_t *sum)
{
    const bool cache = vmm_frame_kind(f) == VMM_FRAME_CACHE, shared = vmm_frame_is_shared_memory(m, f);
    if (f == vmm_frame_at(m, m->zero_frame)) return false;
    sum->file += cache && !shared;
    sum->shared += shared;
    f->mappings++;
    return !cache;
}

/* Entries so far ahead of the one that is copied tell which records will be wanted: those of a large space are in no
 * cache, and where they go on in another page no processor foresees it. */
#define VMM_FORK_AHEAD 40

/* Fetches the records of eight frames. */
VMM_INLINE void vmm_fork_foresee(const vmm_machine_t *m, uint32_t frame)
{
    const uint8_t *at;
    if (frame > m->frame_count || m->frame_count - frame < 8) return;
    at = (const uint8_t *)vmm_frame_at(m, frame);
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + 64, 1);
    __builtin_prefetch(at + 128, 1);
}

/* Copies the leading entries of a stretch that map pages, at most `count`; private ones lose the right to write on both
 * sides. Returns how many: the next one is something else, or its frame has no mapping left to give. What changes in
 * each round is kept in registers: entries may be anywhere, so that a compiler would store it each time. */
VMM_INLINE uint64_t vmm_fork_pages(vmm_machine_t *m, const vmm_paging_t *p, unsigned bytes, uint8_t *from, uint8_t *to,
                                   uint64_t count, bool private_area, vmm_fork_sum_t *sum)
{
    const vmm_pte_t valid = p->valid, write = private_area ? p->write : 0, ppn_mask = vmm_low_mask(p->ppn_bits);
    const vmm_pte_t cleared = write & p->inverted, accessed = p->inverted & p->accessed ? 0 : p->accessed;
    const unsigned lsb = p->ppn_lsb;
    const uint32_t base = (uint32_t)(m->memory.base >> p->page_shift);
    vmm_frame_t *const frames = vmm_frame_at(m, 0);
    uint64_t i, others = 0;
    for (i = 0; i < count; i++, from += bytes, to += bytes) {
        const vmm_pte_t pte = vmm_entry_load(from, bytes), becomes = (pte & ~write) | cleared;
        vmm_frame_t *const f = &frames[(uint32_t)((pte >> lsb) & ppn_mask) - base];
        if (VMM_UNLIKELY(!(pte & valid))) break;
        if (i % 8 == 0 && i + VMM_FORK_AHEAD < count) {
            const vmm_pte_t later = vmm_entry_load(from + (size_t)VMM_FORK_AHEAD * bytes, bytes);
            vmm_fork_foresee(m, (uint32_t)((later >> lsb) & ppn_mask) - base);
            __builtin_prefetch(to + (size_t)VMM_FORK_AHEAD * bytes, 1);
        }
        if (VMM_UNLIKELY(f->mappings == UINT16_MAX)) break;
        if (VMM_LIKELY(vmm_frame_kind(f) == VMM_FRAME_ANON)) {
            f->mappings++;
            f->flags &= (uint8_t)~VMM_FRAME_EXCLUSIVE;
        } else if (!vmm_fork_count(m, f, sum)) {
            others++;
        }
        if (becomes != pte) {
            if (VMM_UNLIKELY(f->flags & VMM_FRAME_SWAP) && !vmm_pte_swap(p, from, pte, becomes))
                f->flags |= VMM_FRAME_DIRTY; /* a processor marked it meanwhile; without a slot it counts as dirty */
            vmm_entry_store(from, becomes, bytes);
        }
        vmm_entry_store(to, becomes & ~accessed, bytes);
    }
    sum->anon += i - others;
    return i;
}

/* Whether all that matters here is as in Sv39: in Sv48 and Sv57 it is. */
VMM_INLINE bool vmm_fork_as_sv39(const vmm_paging_t *p)
{
    const vmm_paging_t *const q = &vmm_sv39;
    return p->pte_bytes == q->pte_bytes && p->page_shift == q->page_shift && p->ppn_lsb == q->ppn_lsb &&
           p->ppn_bits == q->ppn_bits && p->valid == q->valid && p->write == q->write && p->accessed == q->accessed &&
           p->inverted == q->inverted;
}

VMM_OUTLINE uint64_t vmm_fork_pages_sv39(vmm_machine_t *m, uint8_t *from, uint8_t *to, uint64_t count,
                                         bool private_area, vmm_fork_sum_t *sum)
{
    return vmm_fork_pages(m, &vmm_sv39, 8, from, to, count, private_area, sum);
}

VMM_OUTLINE uint64_t vmm_fork_pages_8(vmm_machine_t *m, uint8_t *from, uint8_t *to, uint64_t count, bool private_area,
                                      vmm_fork_sum_t *sum)
{
    return vmm_fork_pages(m, m->paging, 8, from, to, count, private_area, sum);
}

VMM_OUTLINE uint64_t vmm_fork_pages_any(vmm_machine_t *m, uint8_t *from, uint8_t *to, uint64_t count, bool private_area,
                                        vmm_fork_sum_t *sum)
{
    return vmm_fork_pages(m, m->paging, m->paging->pte_bytes, from, to, count, private_area, sum);
}

/* One entry that maps no page of its own: nothing, parked, or a slot. */
VMM_OUTLINE vmm_status_t vmm_fork_entry(vmm_machine_t *m, vmm_space_t *child, uint8_t *from, uint8_t *to)
{
    const vmm_pte_t pte = vmm_pte_load(m->paging, from);
    uint32_t number = 0;
    switch (vmm_entry_read(m, pte, &number)) {
    case VMM_ENTRY_NONE: break;
    case VMM_ENTRY_SLOT:
        if (vmm_slot_at(m, number)->count == UINT16_MAX) return VMM_E_LIMIT;
        vmm_slot_at(m, number)->count++;
        if (vmm_slot_at(m, number)->frame != VMM_NO_FRAME)
            vmm_frame_at(m, vmm_slot_at(m, number)->frame)->flags &= (uint8_t)~VMM_FRAME_EXCLUSIVE;
        child->stats.swapped++;
        break;
    default:
        if (vmm_frame_at(m, number)->mappings == UINT16_MAX) return VMM_E_LIMIT;
        vmm_frame_at(m, number)->flags &= (uint8_t)~VMM_FRAME_EXCLUSIVE;
        vmm_page_mapped(m, child, number);
        break;
    }
    vmm_pte_store(m->paging, to, pte);
    return VMM_OK;
}

/* Where the copies of a stretch of small entries go. A table of which all entries will be written is not cleared first:
 * that would be another way through memory that is in no cache. Null: no frame for a table. */
VMM_OUTLINE uint8_t *vmm_fork_place(vmm_machine_t *m, const vmm_space_t *parent, vmm_space_t *child,
                                    const vmm_run_t *run, vmm_vaddr_t va)
{
    const vmm_paging_t *p = m->paging;
    unsigned level;
    uint8_t *entry;
    uint32_t frame;
    if (p->levels < 2 || run->count >> p->index_bits[0] == 0) return vmm_entry_need(m, child, va, &level);
    entry = vmm_entry_make(m, child, va, 1, &level);
    if (!entry || parent->killed) return NULL;
    if (vmm_pte_load(p, entry) || m->frames.free_frames <= m->options.watermark_low)
        return vmm_entry_need(m, child, va, &level);
    frame = vmm_table_raw(m, child, 0);
    if (frame == VMM_NO_FRAME) return vmm_entry_need(m, child, va, &level);
    vmm_entry_put(m, entry, 1, vmm_pte_pointer(p, vmm_frame_paddr(m, frame), 1));
    return vmm_frame_host(m, frame);
}

/* Copies a stretch of small entries into one of the child's, of which nothing was used yet. */
VMM_OUTLINE vmm_status_t vmm_fork_run(vmm_machine_t *m, vmm_space_t *child, const vmm_run_t *run, uint8_t *to,
                                      bool private_area)
{
    const unsigned bytes = m->paging->pte_bytes;
    const bool as_sv39 = vmm_fork_as_sv39(m->paging);
    vmm_fork_sum_t sum = {0, 0, 0};
    vmm_frame_t *table = vmm_table_of(m, to, 0);
    uint8_t *from = run->entry;
    uint64_t left = run->count, entries = 0;
    vmm_status_t status = VMM_OK;
    while (left && status == VMM_OK) {
        uint64_t done = as_sv39      ? vmm_fork_pages_sv39(m, from, to, left, private_area, &sum)
                        : bytes == 8 ? vmm_fork_pages_8(m, from, to, left, private_area, &sum)
                                     : vmm_fork_pages_any(m, from, to, left, private_area, &sum);
        entries += done;
        from += done * bytes;
        to += done * bytes;
        left -= done;
        for (; left && status == VMM_OK && !(vmm_pte_load(m->paging, from) & m->paging->valid); left--) {
            status = vmm_fork_entry(m, child, from, to);
            if (status) break;
            entries += vmm_pte_load(m->paging, to) != 0;
            from += bytes;
            to += bytes;
            done++;
        }
        if (!done) status = VMM_E_LIMIT; /* a frame that is mapped as often as can be counted */
    }
    if (status) VMM_SET(to, 0, (size_t)left * bytes);
    table->mappings = (uint16_t)(table->mappings + entries);
    child->stats.anon += sum.anon;
    child->stats.file += sum.file;
    child->stats.shared += sum.shared;
    return status;
}

/* A huge leaf is shared as it is: who writes splits it. */
VMM_OUTLINE vmm_status_t vmm_fork_huge(vmm_machine_t *m, const vmm_space_t *parent, vmm_space_t *child,
                                       const vmm_run_t *run)
{
    const vmm_paging_t *p = m->paging;
    const uint64_t count = UINT64_C(1) << (vmm_level_shift(p, run->level) - p->page_shift);
    unsigned level;
    uint64_t i;
    uint32_t first;
    vmm_pte_t pte;
    uint8_t *to = vmm_entry_make(m, child, run->va, run->level, &level);
    if (!to || parent->killed) return VMM_E_NO_FRAME; /* for that very table: run->entry is gone */
    pte = vmm_pte_with(p, vmm_pte_load(p, run->entry), p->write, false);
    if (!vmm_pte_is_leaf(p, pte, run->level)) return VMM_E_BUSY; /* split by reclaim, for that very table */
    first = vmm_frame_of(m, vmm_pte_paddr(p, pte));
    for (i = 0; i < count; i++)
        if (vmm_frame_at(m, first + (uint32_t)i)->mappings == UINT16_MAX) return VMM_E_LIMIT;
    vmm_pte_store(p, run->entry, pte);
    vmm_entry_put(m, to, level, pte);
    for (i = 0; i < count; i++) {
        vmm_frame_at(m, first + (uint32_t)i)->flags &= (uint8_t)~VMM_FRAME_EXCLUSIVE;
        vmm_page_mapped(m, child, first + (uint32_t)i);
    }
    child->stats.huge++;
    return VMM_OK;
}

/* The pages of one area. Those that a fault would find again without loss are left to it, as Linux does. */
VMM_OUTLINE vmm_status_t vmm_fork_area(vmm_machine_t *m, vmm_space_t *parent, vmm_space_t *child, const vmm_area_t *a)
{
    vmm_vaddr_t va = a->start;
    vmm_run_t run;
    if (!a->anon) return VMM_OK;
    while (vmm_run_next(m, parent, &va, a->end, &run)) {
        vmm_status_t status;
        uint8_t *to;
        if (run.level) {
            status = vmm_fork_huge(m, parent, child, &run);
            if (status == VMM_E_BUSY) {
                va = run.va;
                continue;
            }
        } else {
            to = vmm_fork_place(m, parent, child, &run, va - run.count * vmm_page_bytes(m));
            if (parent->killed) return VMM_E_NO_FRAME; /* for that very table: run.entry is gone */
            status = to ? vmm_fork_run(m, child, &run, to, !(a->flags & VMM_AREA_SHARED)) : VMM_E_NO_FRAME;
        }
        if (status) return status;
    }
    vmm_flush_stretch(m, parent, a->start, a->end - a->start, VMM_FLUSH_CHANGED);
    return VMM_OK;
}

/* The areas, as the child has them. */
VMM_OUTLINE vmm_status_t vmm_fork_areas(vmm_machine_t *m, vmm_space_t *parent, vmm_space_t *child)
{
    uint32_t number;
    for (number = vmm_area_first(parent); number; number = vmm_area_next(parent, number)) {
        vmm_area_t a = *vmm_area_at(m, number);
        vmm_status_t status;
        a.flags &= ~(uint32_t)VMM_AREA_LOCKED;
        if (a.anon && !(a.flags & VMM_AREA_SHARED)) {
            a.anon = ++m->anon_ids;
            a.flags |= VMM_AREA_CLONED;
        }
        if (!vmm_areas_room(m, child, 1)) return VMM_E_LIMIT;
        if (a.flags & VMM_AREA_ACCOUNT) {
            if (vmm_commit(m, vmm_area_pages(m, &a))) return VMM_E_NO_FRAME;
            m->committed -= vmm_area_pages(m, &a); /* counted with the area below */
        }
        (void)vmm_area_new(m, child, &a);
        vmm_area_count(m, child, &a, true);
        status = vmm_fork_area(m, parent, child, &a);
        if (status) return status;
    }
    return VMM_OK;
}
/** @endcond */

/** Makes a copy of a space: areas, and the anonymous pages, which both sides share until one of them writes. Shared
 *  areas stay shared; locks are not inherited. Linux's fork.
 *  @param parent  the space
 *  @param child   receives the copy
 *  @return VMM_OK; VMM_E_NO_FRAME when no record, promise or frame for its tables is to be had, VMM_E_LIMIT when areas
 *  lack or a frame is mapped 65535 times already: then there is no child and the parent is as it was. O(areas +
 *  pages). */
VMM_OUTLINE vmm_status_t vmm_fork(vmm_space_t *parent, vmm_space_t **child)
{
    vmm_machine_t *m = vmm_machine_of(parent);
    vmm_space_t *s = vmm_space_new(m);
    vmm_status_t status;
    if (!s) return VMM_E_NO_FRAME;
    vmm_kin_join(m, s, parent->kin);
    s->parent = parent->number;
    s->brk_start = parent->brk_start;
    s->brk = parent->brk;
    s->stack_start = parent->stack_start;
    s->entry = parent->entry;
    s->limits = parent->limits;
    s->oom_score_adj = parent->oom_score_adj;
    s->resident.most = parent->resident.most;
    VMM_COPY(s->name, parent->name, sizeof s->name);
    status = vmm_fork_areas(m, parent, s);
    if (status) {
        vmm_exit(s);
        return status;
    }
    s->stats.most = s->stats.anon + s->stats.file + s->stats.shared;
    vmm_tell(m, VMM_EVENT_FORK, parent, 0, 0, s->number);
    *child = s;
    return VMM_OK;
}

/* -- processors that are MMUs of Part I -- */

/** @cond internal */
/* The fault hook of an attached MMU: what its trap handler would do. */
VMM_OUTLINE vmm_status_t vmm_cpu_serve(void *user, const vmm_fault_t *fault)
{
    const vmm_cpu_t *cpu = (const vmm_cpu_t *)user;
    const uintptr_t first = (uintptr_t)cpu - cpu->number * sizeof *cpu;
    vmm_machine_t *m = (vmm_machine_t *)(first - offsetof(vmm_machine_t, cpu));
    vmm_space_t *s = vmm_space_running(m, cpu->number);
    if (fault->kind != VMM_PAGE_FAULT || !s) return VMM_FAULT;
    if (fault->rule == VMM_RULE_USER_PAGE) return VMM_FAULT; /* the processor is in supervisor mode: not the space's */
    vmm_tell(m, VMM_EVENT_ACCESS, s, fault->vaddr, 0, fault->access);
    if (fault->pte_addr) {
        vmm_tell(m, VMM_EVENT_WALK, s, fault->vaddr, fault->pte_addr, fault->level);
        vmm_tell(m, VMM_EVENT_ENTRY, s, fault->vaddr, fault->pte_addr, fault->pte);
    }
    return vmm_fault_serve(s, fault->vaddr, fault->access);
}

/* The body of NAME_attach. */
VMM_OUTLINE vmm_status_t vmm_cpu_attach(vmm_ref_t u, vmm_machine_t *m,
                                        void (*install)(void *mmu, vmm_paddr_t root, uint16_t asid),
                                        void (*flush)(void *mmu, const vmm_flush_t *what), void (*flush_all)(void *mmu),
                                        uint32_t *number)
{
    const vmm_arch_t *arch = u.model->arch;
    vmm_cpu_t cpu;
    uint32_t format = 0;
    vmm_status_t status;
    while (format < arch->formats && arch->format[format] != m->paging) format++;
    if (format == arch->formats) return VMM_E_ARGUMENT;
    VMM_SET(&cpu, 0, sizeof cpu);
    cpu.install = install;
    cpu.flush = flush;
    cpu.flush_all = flush_all;
    cpu.mmu = u.self;
    status = vmm_machine_attach(m, &cpu, number);
    if (status) return status;
    u.state->attached_format = format;
    u.state->serve = vmm_cpu_serve;
    u.state->serve_user = &m->cpu[*number];
    return VMM_OK;
}

/* satp for a root, in the format of the machine that the MMU is attached to. */
VMM_INLINE void vmm_riscv_install(vmm_ref_t u, vmm_riscv_t *r, vmm_paddr_t root, uint16_t asid)
{
    const uint64_t mode = u.model->arch->mode[u.state->attached_format];
    const uint64_t satp = vmm_riscv_is_32(u) ? mode << 31 | (uint64_t)asid << 22 | root >> 12
                                             : mode << 60 | (uint64_t)asid << 44 | root >> 12;
    (void)vmm_riscv_set_satp(u, r, satp);
}
/** @endcond */
/** @} */

/* ============================================= Part II  16. spaces: huge pages, merging == */
/** @addtogroup vmm_spaces
 *  @{ */

/* -- huge pages out of small ones -- */

/** @cond internal */
/* A stretch of a huge page's size that is to become one. */
typedef struct vmm_collapsing {
    vmm_machine_t *m;
    vmm_space_t *s;
    const vmm_area_t *area;
    vmm_vaddr_t va;
    uint8_t *entry; /* of the first page */
    uint32_t count; /* pages */
    uint32_t first; /* frame of the first page if all lie in one aligned piece already, else VMM_NO_FRAME */
} vmm_collapsing_t;

/* The frame of a page of the stretch; VMM_NO_FRAME: it is absent or shared zeros. */
VMM_INLINE uint32_t vmm_collapse_frame(const vmm_collapsing_t *c, uint32_t page)
{
    const vmm_paging_t *p = c->m->paging;
    uint32_t frame = 0;
    const unsigned kind = vmm_entry_read(c->m, vmm_pte_load(p, c->entry + (size_t)page * p->pte_bytes), &frame);
    return kind == VMM_ENTRY_PAGE && frame != c->m->zero_frame ? frame : VMM_NO_FRAME;
}

/* Whether the pages of a stretch can be those of a huge page. */
VMM_OUTLINE vmm_status_t vmm_collapse_check(vmm_collapsing_t *c)
{
    uint32_t i, present = 0, frame;
    c->first = vmm_collapse_frame(c, 0);
    for (i = 0; i < c->count; i++) {
        const vmm_frame_t *f;
        uint32_t slot = 0;
        const vmm_pte_t pte = vmm_pte_load(c->m->paging, c->entry + (size_t)i * c->m->paging->pte_bytes);
        if (vmm_entry_read(c->m, pte, &slot) == VMM_ENTRY_SLOT) return VMM_E_AGAIN;
        frame = vmm_collapse_frame(c, i);
        if (frame == VMM_NO_FRAME || frame != c->first + i) c->first = VMM_NO_FRAME;
        if (frame == VMM_NO_FRAME) continue;
        f = vmm_frame_at(c->m, frame);
        if (vmm_frame_kind(f) != VMM_FRAME_ANON || f->mappings != 1) return VMM_E_AGAIN;
        if (f->flags & (VMM_FRAME_BUSY | VMM_FRAME_PINNED)) return VMM_E_AGAIN;
        if (f->flags & VMM_FRAME_LOCKED && !(c->area->flags & VMM_AREA_HUGE)) return VMM_E_AGAIN;
        if (f->flags & VMM_FRAME_SWAP && vmm_slot_at(c->m, f->index)->count) return VMM_E_AGAIN;
        present++;
    }
    if (c->first != VMM_NO_FRAME && c->first % c->count) c->first = VMM_NO_FRAME;
    return present ? VMM_OK : VMM_E_ARGUMENT;
}

/* Brings the content of a stretch into new frames, and lets the old ones go. Nobody can reach the pages meanwhile. */
VMM_OUTLINE void vmm_collapse_copy(const vmm_collapsing_t *c, uint32_t to)
{
    const size_t bytes = (size_t)vmm_page_bytes(c->m);
    uint32_t i;
    for (i = 0; i < c->count; i++) {
        const uint32_t frame = vmm_collapse_frame(c, i);
        if (frame == VMM_NO_FRAME) {
            VMM_SET(vmm_frame_host(c->m, to + i), 0, bytes);
            c->m->stats.zero_filled++;
            continue;
        }
        VMM_COPY(vmm_frame_host(c->m, to + i), vmm_frame_host(c->m, frame), bytes);
        vmm_page_unmapped(c->m, c->s, frame, false);
        vmm_page_settle(c->m, frame);
    }
}

/* The pages of a stretch stay in their frames, which make a huge page as they lie. */
VMM_OUTLINE void vmm_collapse_adopt(const vmm_collapsing_t *c)
{
    uint32_t i;
    for (i = 0; i < c->count; i++) {
        vmm_frame_t *f = vmm_frame_at(c->m, c->first + i);
        vmm_frame_leave_slot(c->m, c->first + i);
        f->flags = (uint8_t)((f->flags & ~VMM_FRAME_LAZY) | VMM_FRAME_EXCLUSIVE);
        vmm_page_unmapped(c->m, c->s, c->first + i, false); /* until the huge page maps it */
        vmm_resident_leave(c->m, c->first + i);
    }
}

/* One stretch; *made is counted up if it became a huge page now. */
VMM_OUTLINE vmm_status_t vmm_collapse_one(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t va,
                                          uint64_t *made)
{
    vmm_collapsing_t c;
    vmm_status_t status;
    unsigned level;
    uint8_t *leaf;
    uint32_t to, table;
    if (!vmm_huge_lies(m, a, va)) return VMM_E_ARGUMENT;
    c.m = m;
    c.s = s;
    c.area = a;
    c.va = va;
    c.count = UINT32_C(1) << m->paging->index_bits[0];
    c.entry = vmm_entry_find(m, s, va, &level);
    if (!c.entry) return VMM_E_ARGUMENT;
    if (level) return VMM_OK;
    status = vmm_collapse_check(&c);
    if (status) return status;
    to = c.first == VMM_NO_FRAME ? vmm_huge_frames(m, a, s, va) : c.first;
    if (to == VMM_NO_FRAME) return VMM_E_NO_FRAME;
    leaf = vmm_entry_make(m, s, va, 1, &level); /* all tables are there */
    table = vmm_frame_of(m, vmm_pte_paddr(m->paging, vmm_pte_load(m->paging, leaf)));
    vmm_entry_put(m, leaf, 1, 0);
    vmm_flush_stretch(m, s, va, vmm_huge_bytes(m), VMM_FLUSH_TABLE);
    if (c.first == VMM_NO_FRAME) vmm_collapse_copy(&c, to);
    else vmm_collapse_adopt(&c);
    vmm_table_free(m, s, table, 0);
    vmm_huge_map(m, s, a, va, leaf, to);
    m->stats.huge_collapsed++;
    ++*made;
    return VMM_OK;
}
/** @endcond */

/** Makes huge pages out of small ones: each stretch of [va, va + bytes) that has a huge page's size and alignment
 *  becomes one, as Linux's MADV_COLLAPSE does it, whatever options.huge says. It must lie in one private anonymous
 *  area without MADV_NOHUGEPAGE that allows something; at least one of its pages is in a frame, and those that are
 *  not are untouched: they become zeros, however many they are. Each page is anonymous, mapped by this space alone,
 *  and neither locked, pinned nor merged, nor does anybody else wait for it in a slot. Pages that lie in one aligned
 *  piece already stay where they are; others are copied into new frames. A stretch becomes a huge page wholly or
 *  stays as it was, and a refusal does not keep the others from being tried. No frames are reclaimed for it.
 *  @param s      the space
 *  @param va     first byte, a multiple of the page size
 *  @param bytes  length, rounded up to pages
 *  @param made   receives how many huge pages were made
 *  @return VMM_OK when all are huge pages now; else of the first that is not: VMM_E_ARGUMENT (EINVAL) when the area or
 *  the format does not allow it or nothing is there, VMM_E_AGAIN (EAGAIN) when a page does not, VMM_E_NO_FRAME (ENOMEM)
 *  when no frames lie in one piece, VMM_E_NOT_MAPPED (ENOMEM) for a hole. VMM_E_ALIGN, VMM_E_RANGE (EINVAL): nothing
 *  was tried. O(pages). */
VMM_OUTLINE vmm_status_t vmm_collapse(vmm_space_t *s, vmm_vaddr_t va, uint64_t bytes, uint64_t *made)
{
    vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t huge = vmm_huge_bytes(m), length = vmm_page_up(m, bytes);
    const vmm_vaddr_t end = va + length;
    vmm_status_t status = VMM_OK;
    *made = 0;
    if (!huge) return VMM_E_ARGUMENT;
    if (!vmm_page_aligned(m, va)) return VMM_E_ALIGN;
    if (length < bytes || va > m->layout.top || length > m->layout.top - va) return VMM_E_RANGE;
    va = (va + huge - 1) & ~(huge - 1);
    while (va < end && end - va >= huge) {
        const uint32_t number = vmm_area_after(s, va);
        const vmm_area_t *a = number ? vmm_area_at(m, number) : NULL;
        vmm_status_t one = VMM_E_NOT_MAPPED;
        if (a && a->start <= va)
            one = a->flags & VMM_AREA_NEVER_HUGE ? VMM_E_ARGUMENT : vmm_collapse_one(m, s, a, va, made);
        if (one && !status) status = one;
        if (!a || a->start >= end) break;
        va = (a->start > va ? a->start + huge - 1 : va + huge) & ~(huge - 1);
    }
    return status;
}

/** Makes huge pages in the background, as Linux's khugepaged does: looks through the areas that may have them by
 *  options.huge and advice, by the rules of vmm_collapse, and goes on where it stopped the last time. A call ends
 *  when it came to the end of the last space.
 *  @param m      the machine
 *  @param pages  how many to look at, about: the stretch that is looked at is finished
 *  @return huge pages made. O(pages + areas). */
VMM_OUTLINE uint32_t vmm_huge_scan(vmm_machine_t *m, uint32_t pages)
{
    const uint64_t huge = vmm_huge_bytes(m);
    uint32_t number = m->huge_space ? m->huge_space : 1, area;
    vmm_vaddr_t va = m->huge_va;
    uint64_t made = 0;
    for (; huge && number <= m->spaces.fresh; number++, va = 0) {
        vmm_space_t *s = vmm_space_at(m, number);
        if (s->number != number) continue;
        while ((area = vmm_area_after(s, va)) != 0) {
            const vmm_area_t *a = vmm_area_at(m, area);
            const vmm_vaddr_t start = ((va > a->start ? va : a->start) + huge - 1) & ~(huge - 1);
            unsigned level = 1;
            uint32_t looked;
            va = a->end;
            if (!vmm_huge_wanted(m, a) || !vmm_huge_lies(m, a, start)) continue;
            if (!pages) {
                m->huge_space = number;
                m->huge_va = start;
                return (uint32_t)made;
            }
            looked = vmm_entry_find(m, s, start, &level) && !level ? (uint32_t)(huge >> m->paging->page_shift) : 1;
            pages -= looked < pages ? looked : pages;
            (void)vmm_collapse_one(m, s, a, start, &made);
            va = start + huge;
        }
    }
    m->huge_space = 0;
    m->huge_va = 0;
    return (uint32_t)made;
}

/* -- merging of pages with the same content -- */

/** Most entries that a merged frame gets by merging: a fork may map it more often still. Another one is begun then. */
#ifndef VMM_MERGE_MOST
#define VMM_MERGE_MOST 32768
#endif

/** @cond internal */
/* Frames that another page may be merged with, by checksum: numbers plus 1, which may be outdated. Those that share a
 * bucket are others after some rounds. */
VMM_INLINE uint32_t *vmm_merge_candidate(const vmm_machine_t *m, uint32_t sum)
{
    const uint32_t hash = (sum ^ (uint32_t)(m->merge_rounds >> 3)) * UINT32_C(0x9e3779b1);
    return vmm_merge_chains(m) + m->merge_buckets + ((hash ^ hash >> 15) & (m->merge_buckets - 1));
}

/* The checksum that a frame had when it was looked at last; 0: it never was. */
VMM_INLINE uint32_t *vmm_merge_last(const vmm_machine_t *m, uint32_t frame)
{
    return vmm_merge_chains(m) + 2 * (size_t)m->merge_buckets + frame;
}

/* A checksum of a page, not 0. Pages that are equal have the same. */
VMM_OUTLINE uint32_t vmm_page_sum(const vmm_machine_t *m, uint32_t frame)
{
    const uint8_t *at = vmm_frame_host(m, frame);
    uint64_t hash = 0, word, left = vmm_page_bytes(m);
    for (; left; left -= sizeof word, at += sizeof word) {
        VMM_COPY(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash ? (uint32_t)hash : 1;
}

VMM_OUTLINE bool vmm_pages_equal(const vmm_machine_t *m, uint32_t one, uint32_t other)
{
    const uint8_t *a = vmm_frame_host(m, one), *b = vmm_frame_host(m, other);
    uint64_t left = vmm_page_bytes(m), x, y;
    for (; left; left -= sizeof x, a += sizeof x, b += sizeof x) {
        VMM_COPY(&x, a, sizeof x);
        VMM_COPY(&y, b, sizeof y);
        if (x != y) return false;
    }
    return true;
}

/* A merged frame with the content of another frame, and room for one more; VMM_NO_FRAME: none. */
VMM_OUTLINE uint32_t vmm_merged_find(const vmm_machine_t *m, uint32_t frame, uint32_t sum)
{
    uint32_t at = vmm_merge_chains(m)[sum & (m->merge_buckets - 1)] - 1;
    while (at != VMM_NO_FRAME) {
        const vmm_frame_t *f = vmm_frame_at(m, at);
        if (f->owner == sum && f->mappings < VMM_MERGE_MOST && vmm_pages_equal(m, at, frame)) return at;
        at = f->next;
    }
    return at;
}

/* Whether a frame holds a page that may be merged as far as its record says. */
VMM_INLINE bool vmm_merge_allowed(const vmm_frame_t *f)
{
    return vmm_frame_kind(f) == VMM_FRAME_ANON && !(f->flags & (VMM_FRAME_BUSY | VMM_FRAME_PINNED | VMM_FRAME_LAZY));
}

/* The small entry of a page that cannot be written from now on; null: a huge page around it could not be split. */
VMM_OUTLINE uint8_t *vmm_merge_protect(vmm_machine_t *m, vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_paging_t *p = m->paging;
    unsigned level;
    uint8_t *entry = vmm_entry_find(m, s, va, &level);
    vmm_pte_t pte;
    if (entry && level) {
        if (vmm_huge_split(m, s, va)) return NULL;
        entry = vmm_entry_find(m, s, va, &level);
    }
    if (!entry) return NULL;
    pte = vmm_pte_load(p, entry);
    if (!(pte & p->valid) || !vmm_pte_grants(p, pte, p->write)) return entry;
    while (!vmm_pte_swap(p, entry, pte, vmm_pte_with(p, pte, p->write, false))) pte = vmm_pte_load(p, entry);
    vmm_flush_stretch(m, s, va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
    return entry;
}

/* Whether the page of a candidate can become a merged one: every area that maps it agrees, nobody waits for it in a
 * slot. Then nobody can write it any more. */
VMM_OUTLINE bool vmm_merge_hold(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_place_t at = vmm_places(m, frame);
    if (!f->mappings || f->mappings >= VMM_MERGE_MOST) return false;
    if (f->flags & VMM_FRAME_SWAP && vmm_slot_at(m, f->index)->count) return false;
    while (vmm_places_next(m, &at)) {
        const uint32_t area = vmm_area_with(at.space, at.va);
        if (!(vmm_area_at(m, area)->flags & VMM_AREA_MERGEABLE) || !vmm_merge_protect(m, at.space, at.va)) return false;
    }
    return at.left == 0;
}

/* A candidate becomes a merged page. */
VMM_OUTLINE void vmm_merged_make(vmm_machine_t *m, uint32_t frame, uint32_t sum)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    uint32_t *chain = vmm_merge_chains(m) + (sum & (m->merge_buckets - 1));
    vmm_resident_leave(m, frame);
    vmm_frame_leave_slot(m, frame);
    f->kind = VMM_FRAME_MERGED;
    f->flags = 0;
    f->owner = sum;
    f->index = 0;
    f->previous = VMM_NO_FRAME;
    f->next = *chain - 1;
    if (f->next != VMM_NO_FRAME) vmm_frame_at(m, f->next)->previous = frame;
    *chain = frame + 1;
}

/* What a page may be merged with: a merged page, or a candidate that is held now. VMM_NO_FRAME: nothing yet, and it is
 * the candidate of those to come. */
VMM_OUTLINE uint32_t vmm_merge_partner(vmm_machine_t *m, uint32_t frame, uint32_t sum)
{
    uint32_t *candidate = vmm_merge_candidate(m, sum), with = vmm_merged_find(m, frame, sum);
    if (with != VMM_NO_FRAME) return with;
    with = *candidate - 1;
    if (with != VMM_NO_FRAME && with != frame && *vmm_merge_last(m, with) == sum &&
        vmm_merge_allowed(vmm_frame_at(m, with)) && vmm_pages_equal(m, with, frame) && vmm_merge_hold(m, with))
        return with;
    *candidate = frame + 1;
    return VMM_NO_FRAME;
}

/* Looks at one page; true: it gave its frame up for another one's. */
VMM_OUTLINE bool vmm_merge_page(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t va, uint32_t frame)
{
    const uint32_t sum = vmm_page_sum(m, frame);
    uint32_t with, number = 0;
    uint8_t *entry;
    vmm_pte_t pte;
    if (*vmm_merge_last(m, frame) != sum) { /* it changes: left alone this time */
        *vmm_merge_last(m, frame) = sum;
        return false;
    }
    with = vmm_merge_partner(m, frame, sum);
    entry = with != VMM_NO_FRAME ? vmm_merge_protect(m, s, va) : NULL;
    if (!entry) return false;
    pte = vmm_pte_load(m->paging, entry);
    if (vmm_entry_read(m, pte, &number) != VMM_ENTRY_PAGE || number != frame) return false;
    if (!vmm_pages_equal(m, with, frame)) return false; /* another processor wrote before it was protected */
    if (vmm_frame_kind(vmm_frame_at(m, with)) != VMM_FRAME_MERGED) vmm_merged_make(m, with, sum);
    pte = vmm_entry_put(m, entry, 0, vmm_area_entry(m, a, with, false, false));
    vmm_page_unmapped(m, s, frame, vmm_pte_is_dirty(m->paging, pte));
    vmm_page_settle(m, frame);
    vmm_page_mapped(m, s, with);
    m->stats.merged++;
    vmm_tell(m, VMM_EVENT_MERGE, s, va, vmm_frame_paddr(m, with), 0);
    vmm_flush_stretch(m, s, va, vmm_page_bytes(m), VMM_FLUSH_CHANGED);
    return true;
}

/* Looks through a stretch of one area, from *va on, until *pages were looked at. Returns how many were merged. */
VMM_OUTLINE uint32_t vmm_merge_stretch(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t *va,
                                       uint32_t *pages)
{
    const uint64_t page = vmm_page_bytes(m);
    vmm_vaddr_t next = *va;
    uint32_t merged = 0;
    vmm_run_t run;
    while (*pages && vmm_run_next(m, s, &next, a->end, &run)) {
        const uint64_t splits = m->stats.huge_split;
        vmm_vaddr_t at = run.level ? *va > run.va ? *va : run.va : next - run.count * page;
        for (; at < next && *pages && splits == m->stats.huge_split; at += page) {
            unsigned level;
            const uint8_t *entry = vmm_entry_find(m, s, at, &level);
            uint32_t frame = 0;
            if (vmm_entry_read(m, vmm_pte_load(m->paging, entry), &frame) != VMM_ENTRY_PAGE) continue;
            if (level)
                frame += (uint32_t)((at & vmm_low_mask(vmm_level_shift(m->paging, level))) >> m->paging->page_shift);
            if (!vmm_merge_allowed(vmm_frame_at(m, frame))) continue;
            --*pages;
            merged += vmm_merge_page(m, s, a, at, frame);
        }
        *va = next = at; /* what follows may be a table instead of a huge page now */
    }
    if (*pages) *va = a->end;
    return merged;
}
/** @endcond */

/** Looks for pages with the same content and lets them share a frame, as Linux's ksmd does: resident anonymous pages of
 *  areas with MADV_MERGEABLE, going on where it stopped the last time. A page whose checksum is not what it was when it
 *  was looked at last is left alone, so that two rounds are needed before anything is merged; checksums only lead to
 *  pages, and what is merged was compared byte for byte, write-protected. Pages of zeros are merged like others. Huge
 *  pages with such a page are split. Who writes a merged page gets a copy. A merged frame (VMM_FRAME_MERGED) has no
 *  reverse map, so reclaim never takes it: it is given back when the last page that shares it is written, unmapped or
 *  made unmergeable. A call ends when it came to the end of the last space (a round; m->merge_rounds).
 *  @param m      the machine; without options.merging nothing is done
 *  @param pages  how many to look at
 *  @return pages that gave up their frame. O(pages x page size + areas). */
VMM_OUTLINE uint32_t vmm_merge_scan(vmm_machine_t *m, uint32_t pages)
{
    uint32_t number = m->merge_space ? m->merge_space : 1, merged = 0, area;
    vmm_vaddr_t va = m->merge_va;
    if (!m->merge_offset) return 0;
    for (; number <= m->spaces.fresh; number++, va = 0) {
        vmm_space_t *s = vmm_space_at(m, number);
        if (s->number != number) continue;
        while ((area = vmm_area_after(s, va)) != 0) {
            const vmm_area_t *a = vmm_area_at(m, area);
            if (va < a->start) va = a->start;
            if (a->flags & VMM_AREA_MERGEABLE) merged += vmm_merge_stretch(m, s, a, &va, &pages);
            else va = a->end;
            if (pages) continue;
            m->merge_space = number;
            m->merge_va = va;
            return merged;
        }
    }
    m->merge_space = 0;
    m->merge_va = 0;
    m->merge_rounds++;
    return merged;
}

/** Counts what merging saves, as Linux does in /sys/kernel/mm/ksm.
 *  @param m        the machine
 *  @param shared   receives merged frames (pages_shared)
 *  @param sharing  receives entries that map them, beyond the first of each: pages saved (pages_sharing). O(frames). */
VMM_OUTLINE void vmm_merge_count(const vmm_machine_t *m, uint64_t *shared, uint64_t *sharing)
{
    uint32_t frame;
    *shared = *sharing = 0;
    for (frame = 0; frame < m->frame_count; frame++) {
        const vmm_frame_t *f = vmm_frame_at(m, frame);
        if (vmm_frame_kind(f) != VMM_FRAME_MERGED) continue;
        ++*shared;
        if (f->mappings) *sharing += f->mappings - 1u;
    }
}
/** @} */

/* ======================================================= Part II  16. spaces: exec == */
/** @addtogroup vmm_spaces
 *  @{ */

/** Most segments of a program and its interpreter together. */
#ifndef VMM_EXEC_SEGMENTS
#define VMM_EXEC_SEGMENTS 16
#endif
VMM_STATIC_ASSERT(VMM_EXEC_SEGMENTS >= 1 && VMM_EXEC_SEGMENTS <= 65535, "VMM_EXEC_SEGMENTS must be 1 to 65535");

/** A stretch of a program. What its content does not cover is zero. No two share a page. */
typedef struct vmm_segment {
    vmm_vaddr_t vaddr;      /**< Its first byte. */
    uint64_t bytes;         /**< How long it is in memory. */
    const void *content;    /**< What it begins with, copied; null: object has it, or nobody. */
    uint64_t content_bytes; /**< How much of it; at most bytes. */
    uint32_t object; /**< A file that has the content: its pages are mapped, and shared while unwritten; 0: none. */
    uint32_t rights; /**< VMM_R, VMM_W, VMM_X. */
    uint64_t offset; /**< Where in the file; equals vaddr modulo the page size. */
} vmm_segment_t;

/** A word for the program, and what it is: entries of the auxiliary vector. */
typedef struct vmm_auxiliary {
    uint64_t type;  /**< AT_ ..., with the numbers of the System V ABI. */
    uint64_t value; /**< As the type says. */
} vmm_auxiliary_t;

/** Types of the auxiliary vector (System V ABI, AMD64, figure 3.11; Linux's uapi/linux/auxvec.h). */
enum vmm_auxiliary_type {
    VMM_AT_NULL = 0,    /**< The last one. */
    VMM_AT_PHDR = 3,    /**< Where the program headers are. */
    VMM_AT_PHENT = 4,   /**< Bytes of one. */
    VMM_AT_PHNUM = 5,   /**< How many. */
    VMM_AT_PAGESZ = 6,  /**< Bytes of a page. */
    VMM_AT_BASE = 7,    /**< Where the interpreter was loaded. */
    VMM_AT_ENTRY = 9,   /**< Where the program begins, behind its interpreter. */
    VMM_AT_RANDOM = 25, /**< Address of 16 random bytes. */
    VMM_AT_EXECFN = 31  /**< Address of the program's name. */
};

/** A program. Zero is the default of every field but segments, count and entry. */
typedef struct vmm_program {
    const char *name;              /**< The space's name, without what stands before the last slash; null: argv[0]. */
    const vmm_segment_t *segments; /**< In ascending order. */
    uint32_t count;                /**< How many. */
    uint8_t pointer_bytes;         /**< 4 or 8; 0: 4 when all of the layout lies below 4 GiB, else 8. */
    bool stack_executable;         /**< The stack may be fetched from. */
    vmm_vaddr_t entry;             /**< The first instruction. */
    vmm_vaddr_t heap;       /**< Where the heap begins; 0: behind the last segment. A multiple of the page size. */
    vmm_vaddr_t headers;    /**< AT_PHDR; 0: the three of them are not told. */
    uint32_t header_count;  /**< AT_PHNUM. */
    uint32_t header_bytes;  /**< AT_PHENT. */
    vmm_vaddr_t base;       /**< AT_BASE. */
    vmm_vaddr_t main_entry; /**< AT_ENTRY; 0: entry. */
    const vmm_auxiliary_t *auxiliary; /**< More of the auxiliary vector. */
    uint32_t auxiliaries;             /**< How many. */
    const void *random_bytes;         /**< 16 of them for AT_RANDOM; null: it is not told. */
} vmm_program_t;

/** Why a program is refused. */
typedef enum vmm_exec_rule {
    VMM_EXEC_FITS = 0,      /**< It is not. */
    VMM_EXEC_MAGIC,         /**< The file does not begin as ELF files do, or is shorter than its header. */
    VMM_EXEC_CLASS,         /**< Neither 32-bit nor 64-bit, or pointers do not reach the layout's stack. */
    VMM_EXEC_BYTE_ORDER,    /**< Not little-endian. */
    VMM_EXEC_VERSION,       /**< Not version 1. */
    VMM_EXEC_TYPE,          /**< Neither ET_EXEC nor ET_DYN. */
    VMM_EXEC_MACHINE,       /**< For another processor than was asked for. */
    VMM_EXEC_HEADER,        /**< e_ehsize or e_phentsize is not the format's. */
    VMM_EXEC_TABLE,         /**< No program headers, too many, or outside the file. */
    VMM_EXEC_NO_SEGMENT,    /**< Nothing to load. */
    VMM_EXEC_MANY_SEGMENTS, /**< More than VMM_EXEC_SEGMENTS. */
    VMM_EXEC_RIGHTS,        /**< Unknown rights. */
    VMM_EXEC_ALIGN,         /**< An alignment that is no power of two, or a heap that is not aligned. */
    VMM_EXEC_CONGRUENT,     /**< Address and place in the file differ modulo the alignment or the page size. */
    VMM_EXEC_SIZES,         /**< More content than memory. */
    VMM_EXEC_CONTENT,       /**< Content outside the file, or content of nobody. */
    VMM_EXEC_RANGE,         /**< A segment is empty, wraps, leaves user space, or lies where the stack goes. */
    VMM_EXEC_ORDER,         /**< Segments are not in ascending order, or two share a page. */
    VMM_EXEC_ENTRY,         /**< The entry is not in an executable segment. */
    VMM_EXEC_INTERPRETER,   /**< It wants an interpreter and none was given, or says so wrongly. */
    VMM_EXEC_ARGUMENTS,     /**< argv and envp take more than a quarter of the stack's limit. */
    VMM_EXEC_RULES          /**< How many there are. */
} vmm_exec_rule_t;

/** How a program starts, or why it does not. */
typedef struct vmm_start {
    vmm_vaddr_t entry;         /**< The first instruction. */
    vmm_vaddr_t stack_pointer; /**< argc is there; a multiple of 16. */
    vmm_vaddr_t base;          /**< What was added to the addresses of an ET_DYN file. */
    uint16_t machine;          /**< e_machine of an ELF file. */
    uint8_t pointer_bytes;     /**< 4 or 8. */
    uint8_t rule;              /**< vmm_exec_rule_t. */
    uint32_t index;            /**< Which segment, or program header, was refused. */
} vmm_start_t;

/** An ELF file, in an object or in memory. */
typedef struct vmm_image {
    uint32_t object;                     /**< The file, whose pages are mapped; 0: content. */
    const void *content;                 /**< The file's bytes; they are copied. */
    uint64_t bytes;                      /**< How many; with an object not used. */
    const char *name;                    /**< As vmm_program_t. Null: the object's, else argv[0]. */
    uint16_t machine;                    /**< The e_machine that it must have; 0: any. */
    const struct vmm_image *interpreter; /**< For a file that asks for one (PT_INTERP); null: none. */
    const vmm_auxiliary_t *auxiliary;    /**< As vmm_program_t. */
    uint32_t auxiliaries;                /**< As vmm_program_t. */
    const void *random_bytes;            /**< As vmm_program_t. */
} vmm_image_t;

/** @cond internal */
#define VMM_STACK_FIRST (UINT64_C(128) << 10) /* mapped below the arguments to begin with, as Linux does */

VMM_INLINE vmm_status_t vmm_exec_refuse(vmm_start_t *start, unsigned rule, uint32_t index)
{
    start->rule = (uint8_t)rule;
    start->index = index;
    return rule == VMM_EXEC_ARGUMENTS ? VMM_E_LONG : VMM_E_EXEC;
}

/* -- what stands on the stack -- */

/* From the highest address down: a word of zero, the name, the strings of envp, those of argv, 16 random bytes; then,
 * from the lowest up (System V ABI, AMD64, 3.4.1, figure 3.9; the RISC-V ABI has the same, with its own width):
 *
 *  | at the stack pointer, a multiple of 16 | words |
 *  |---|---|
 *  | argc | 1 |
 *  | argv, and a null | argc + 1 |
 *  | envp, and a null | envc + 1 |
 *  | auxiliary vector, and AT_NULL with a zero | 2 each |
 */
typedef struct vmm_arguments {
    const char *const *argv, *const *envp;
    const char *name;
    uint64_t argc, envc, argv_bytes, envp_bytes, name_bytes; /* with the zeros at the ends */
    uint64_t auxiliaries;
    vmm_vaddr_t name_at, envp_at, argv_at, random_at, stack_pointer;
    uint64_t stack_bytes; /* of the area, to begin with */
    uint8_t width;        /* of a word */
} vmm_arguments_t;

VMM_INLINE uint64_t vmm_text_bytes(const char *text)
{
    uint64_t bytes = 0;
    while (text[bytes]) bytes++;
    return bytes + 1;
}

VMM_INLINE uint64_t vmm_texts_measure(const char *const *list, uint64_t *bytes)
{
    uint64_t count = 0;
    *bytes = 0;
    for (; list && list[count]; count++) *bytes += vmm_text_bytes(list[count]);
    return count;
}

VMM_INLINE uint64_t vmm_space_stack_limit(const vmm_space_t *s)
{
    return s->limits.stack ? s->limits.stack : vmm_machine_of(s)->layout.stack_limit;
}

/* How many pairs the auxiliary vector has, the last one included. */
VMM_INLINE uint64_t vmm_auxiliary_count(const vmm_program_t *p)
{
    return UINT64_C(5) + (p->headers ? 3u : 0u) + (p->random_bytes ? 1u : 0u) + p->auxiliaries;
}

/* Where everything goes; false: it is too much. */
VMM_OUTLINE bool vmm_arguments_place(const vmm_space_t *s, const vmm_program_t *p, vmm_arguments_t *a)
{
    const vmm_layout_t *layout = &vmm_machine_of(s)->layout;
    const uint64_t mask = vmm_page_bytes(vmm_machine_of(s)) - 1, limit = vmm_space_stack_limit(s);
    uint64_t words, total;
    a->argc = vmm_texts_measure(a->argv, &a->argv_bytes);
    a->envc = vmm_texts_measure(a->envp, &a->envp_bytes);
    a->name_bytes = vmm_text_bytes(a->name);
    a->auxiliaries = vmm_auxiliary_count(p);
    words = 3 + a->argc + a->envc + 2 * a->auxiliaries;
    total = a->width * (words + 1) + a->name_bytes + a->envp_bytes + a->argv_bytes + 48;
    if (total > limit / 4 || limit > layout->stack_top) return false;
    a->name_at = layout->stack_top - a->width - a->name_bytes;
    a->envp_at = a->name_at - a->envp_bytes;
    a->argv_at = a->envp_at - a->argv_bytes;
    a->random_at = p->random_bytes ? (a->argv_at - 16) & ~UINT64_C(15) : a->argv_at;
    a->stack_pointer = (a->random_at - words * a->width) & ~UINT64_C(15);
    a->stack_bytes = (((layout->stack_top - a->stack_pointer) + mask) & ~mask) + VMM_STACK_FIRST;
    if (a->stack_bytes > limit) a->stack_bytes = limit;
    a->stack_bytes = (a->stack_bytes + mask) & ~mask;
    return true;
}

/* Writes into a space that exec builds; faults are served. A fault that is not ends in what was behind it. */
VMM_OUTLINE vmm_status_t vmm_exec_write(vmm_space_t *s, vmm_vaddr_t va, const void *from, uint64_t bytes)
{
    vmm_status_t status = VMM_OK;
    if (bytes) status = vmm_space_write(s, va, from, bytes);
    if (status == VMM_FAULT && s->signal.status) status = (vmm_status_t)s->signal.status;
    return status;
}

/* A pen that writes words upward; after a failure it writes no more. */
typedef struct vmm_pen {
    vmm_space_t *space;
    vmm_vaddr_t at;
    uint8_t width;
    vmm_status_t status;
} vmm_pen_t;

VMM_OUTLINE void vmm_pen_word(vmm_pen_t *pen, uint64_t word)
{
    uint8_t bytes[8];
    unsigned i;
    for (i = 0; i < 8; i++) bytes[i] = (uint8_t)(word >> 8 * i);
    if (pen->status == VMM_OK) pen->status = vmm_exec_write(pen->space, pen->at, bytes, pen->width);
    pen->at += pen->width;
}

VMM_INLINE void vmm_pen_pair(vmm_pen_t *pen, uint64_t type, uint64_t value)
{
    vmm_pen_word(pen, type);
    vmm_pen_word(pen, value);
}

/* Strings one behind the other from `at` on, and pointers to them where the pen stands. */
VMM_OUTLINE void vmm_pen_texts(vmm_pen_t *pen, const char *const *list, uint64_t count, vmm_vaddr_t at)
{
    uint64_t i;
    for (i = 0; i < count && pen->status == VMM_OK; i++) {
        const uint64_t bytes = vmm_text_bytes(list[i]);
        pen->status = vmm_exec_write(pen->space, at, list[i], bytes);
        vmm_pen_word(pen, at);
        at += bytes;
    }
    vmm_pen_word(pen, 0);
}

VMM_OUTLINE vmm_status_t vmm_arguments_write(vmm_space_t *s, const vmm_program_t *p, const vmm_arguments_t *a)
{
    vmm_pen_t pen = {s, a->stack_pointer, a->width, VMM_OK};
    uint32_t i;
    vmm_pen_word(&pen, a->argc);
    vmm_pen_texts(&pen, a->argv, a->argc, a->argv_at);
    vmm_pen_texts(&pen, a->envp, a->envc, a->envp_at);
    vmm_pen_pair(&pen, VMM_AT_PAGESZ, vmm_page_bytes(vmm_machine_of(s)));
    if (p->headers) {
        vmm_pen_pair(&pen, VMM_AT_PHDR, p->headers);
        vmm_pen_pair(&pen, VMM_AT_PHENT, p->header_bytes);
        vmm_pen_pair(&pen, VMM_AT_PHNUM, p->header_count);
    }
    vmm_pen_pair(&pen, VMM_AT_BASE, p->base);
    vmm_pen_pair(&pen, VMM_AT_ENTRY, p->main_entry ? p->main_entry : p->entry);
    for (i = 0; i < p->auxiliaries; i++) vmm_pen_pair(&pen, p->auxiliary[i].type, p->auxiliary[i].value);
    if (p->random_bytes) vmm_pen_pair(&pen, VMM_AT_RANDOM, a->random_at);
    vmm_pen_pair(&pen, VMM_AT_EXECFN, a->name_at);
    vmm_pen_pair(&pen, VMM_AT_NULL, 0);
    if (pen.status == VMM_OK) pen.status = vmm_exec_write(s, a->name_at, a->name, a->name_bytes);
    if (pen.status == VMM_OK && p->random_bytes) pen.status = vmm_exec_write(s, a->random_at, p->random_bytes, 16);
    return pen.status;
}

VMM_OUTLINE vmm_status_t vmm_exec_stack(vmm_space_t *s, const vmm_program_t *p, const vmm_arguments_t *a)
{
    const vmm_vaddr_t top = vmm_machine_of(s)->layout.stack_top;
    const unsigned rights = VMM_R | VMM_W | (p->stack_executable ? (unsigned)VMM_X : 0u);
    vmm_vaddr_t at = 0;
    const vmm_status_t status =
        vmm_mmap(s, top - a->stack_bytes, a->stack_bytes, rights,
                 VMM_MAP_FIXED | VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_GROWSDOWN | VMM_MAP_STACK, 0, 0, &at);
    if (status != VMM_OK) return status;
    s->stack_start = a->stack_pointer;
    return vmm_arguments_write(s, p, a);
}

/* -- what is mapped -- */

VMM_INLINE uint64_t vmm_object_bytes(const vmm_object_t *o)
{
    return o->options.size_of ? o->options.size_of(o->options.user) : o->options.size;
}

/* Is a segment one by itself? */
VMM_OUTLINE unsigned vmm_segment_judge(const vmm_space_t *s, const vmm_segment_t *g, uint64_t stack_bytes)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_layout_t *layout = &m->layout;
    const uint64_t mask = vmm_page_bytes(m) - 1;
    const uint64_t guard = (uint64_t)layout->guard_pages << m->paging->page_shift;
    const vmm_vaddr_t stack = layout->stack_top - stack_bytes;
    const vmm_vaddr_t low = g->vaddr & ~mask;
    uint64_t left;
    if (g->rights & ~(uint32_t)(VMM_R | VMM_W | VMM_X)) return VMM_EXEC_RIGHTS;
    if (g->content_bytes > g->bytes) return VMM_EXEC_SIZES;
    if (g->content_bytes && !g->content) {
        if (!g->object || g->object > m->objects.fresh) return VMM_EXEC_CONTENT;
        left = vmm_object_bytes(vmm_object_at(m, g->object));
        if (g->offset > left || g->content_bytes > left - g->offset) return VMM_EXEC_CONTENT;
        if ((g->vaddr ^ g->offset) & mask) return VMM_EXEC_CONGRUENT;
    }
    if (!g->bytes || low < layout->lowest || g->vaddr >= layout->top || g->bytes > layout->top - g->vaddr)
        return VMM_EXEC_RANGE;
    if (low < layout->stack_top && (g->vaddr + g->bytes > stack || stack - (g->vaddr + g->bytes) < guard))
        return VMM_EXEC_RANGE;
    return VMM_EXEC_FITS;
}

VMM_INLINE bool vmm_program_holds(const vmm_program_t *p, vmm_vaddr_t entry)
{
    uint32_t i;
    for (i = 0; i < p->count; i++)
        if ((p->segments[i].rights & VMM_X) && entry - p->segments[i].vaddr < p->segments[i].bytes) return true;
    return false;
}

/* Everything that can be refused before the old program is gone. */
VMM_OUTLINE vmm_status_t vmm_program_check(const vmm_space_t *s, const vmm_program_t *p, vmm_arguments_t *a,
                                           vmm_start_t *start)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const uint64_t mask = vmm_page_bytes(m) - 1;
    uint64_t behind = 0;
    uint32_t i;
    a->width = p->pointer_bytes ? p->pointer_bytes : m->layout.top - 1 > 0xffffffff ? 8 : 4;
    start->pointer_bytes = a->width;
    if ((a->width != 4 && a->width != 8) || (a->width == 4 && m->layout.stack_top - 1 > 0xffffffff))
        return vmm_exec_refuse(start, VMM_EXEC_CLASS, 0);
    if (!p->count || !p->segments) return vmm_exec_refuse(start, VMM_EXEC_NO_SEGMENT, 0);
    if (p->heap & mask) return vmm_exec_refuse(start, VMM_EXEC_ALIGN, 0);
    if (!vmm_arguments_place(s, p, a)) return vmm_exec_refuse(start, VMM_EXEC_ARGUMENTS, 0);
    for (i = 0; i < p->count; i++) {
        const vmm_segment_t *g = &p->segments[i];
        const unsigned rule = vmm_segment_judge(s, g, a->stack_bytes);
        if (rule != VMM_EXEC_FITS) return vmm_exec_refuse(start, rule, i);
        if ((g->vaddr & ~mask) < behind) return vmm_exec_refuse(start, VMM_EXEC_ORDER, i);
        behind = ((g->vaddr + g->bytes - 1) | mask) + 1;
    }
    if (!vmm_program_holds(p, p->entry) || (p->main_entry && !vmm_program_holds(p, p->main_entry)))
        return vmm_exec_refuse(start, VMM_EXEC_ENTRY, 0);
    return VMM_OK;
}

/* Zeros from `va` to the end of its page, which shows a file: a page of ours from then on. */
VMM_OUTLINE vmm_status_t vmm_exec_clear(vmm_space_t *s, vmm_vaddr_t va)
{
    const vmm_vaddr_t end = (va | (vmm_page_bytes(vmm_machine_of(s)) - 1)) + 1;
    vmm_status_t status = VMM_OK;
    uint8_t zeros[64];
    VMM_SET(zeros, 0, sizeof zeros);
    while (va != end && status == VMM_OK) {
        const uint64_t bytes = end - va < sizeof zeros ? end - va : sizeof zeros;
        status = vmm_exec_write(s, va, zeros, bytes);
        va += bytes;
    }
    return status;
}

VMM_OUTLINE vmm_status_t vmm_segment_map(vmm_space_t *s, const vmm_segment_t *g)
{
    const uint64_t mask = vmm_page_bytes(vmm_machine_of(s)) - 1;
    const bool shows = g->content_bytes && !g->content; /* pages of a file */
    const vmm_vaddr_t first = g->vaddr & ~mask, end = ((g->vaddr + g->bytes - 1) | mask) + 1;
    const vmm_vaddr_t covered = g->vaddr + g->content_bytes;
    const vmm_vaddr_t middle = shows ? ((covered - 1) | mask) + 1 : first; /* from here on nothing of the file */
    const bool clears = shows && g->bytes > g->content_bytes && (covered & mask);
    const unsigned rights = g->rights | (clears || g->content ? (unsigned)(VMM_R | VMM_W) : 0u);
    vmm_status_t status = VMM_OK;
    vmm_vaddr_t at;
    if (shows)
        status = vmm_mmap(s, first, middle - first, rights, VMM_MAP_FIXED | VMM_MAP_PRIVATE, g->object,
                          g->offset & ~mask, &at);
    if (status == VMM_OK && middle < end)
        status =
            vmm_mmap(s, middle, end - middle, rights, VMM_MAP_FIXED | VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &at);
    if (status == VMM_OK && g->content) status = vmm_exec_write(s, g->vaddr, g->content, g->content_bytes);
    if (status == VMM_OK && clears) status = vmm_exec_clear(s, covered);
    if (status == VMM_OK && rights != g->rights) status = vmm_mprotect(s, first, end - first, g->rights);
    return status;
}

VMM_INLINE const char *vmm_text_behind_slash(const char *text)
{
    const char *name = text;
    for (; *text; text++)
        if (*text == '/') name = text + 1;
    return name;
}

VMM_OUTLINE vmm_status_t vmm_exec_build(vmm_space_t *s, const vmm_program_t *p, const vmm_arguments_t *a)
{
    const uint64_t mask = vmm_page_bytes(vmm_machine_of(s)) - 1;
    const vmm_segment_t *last = &p->segments[p->count - 1];
    vmm_status_t status = VMM_OK;
    uint32_t i;
    s->locks_future = 0;
    VMM_SET(&s->signal, 0, sizeof s->signal);
    for (i = 0; i < p->count && status == VMM_OK; i++) status = vmm_segment_map(s, &p->segments[i]);
    s->brk_start = s->brk = p->heap ? p->heap : ((last->vaddr + last->bytes - 1) | mask) + 1;
    if (status == VMM_OK) status = vmm_exec_stack(s, p, a);
    return status;
}
/** @endcond */

/** Runs another program in a space: its areas go, a program's segments, heap and stack come. What belongs to the space
 *  itself stays: its number, parent, limits, scores, counters of faults.
 *
 *  From the lowest address up: the segments, the heap, mappings, and the stack, which ends at layout.stack_top and
 *  grows down. Only what is written now gets frames (arguments, content that is copied, the rest of a page behind
 *  content of a file); all else comes when it is touched.
 *  @param s        the space
 *  @param program  what to run
 *  @param argv     its arguments, ended by a null; null: none
 *  @param envp     its environment, likewise
 *  @param start    receives where it starts, or why it is refused
 *  @return VMM_OK. VMM_E_EXEC: the program is bad; VMM_E_LONG: its arguments are too long; nothing was changed then.
 *  After these checks the old program is gone, and any other status leaves the space empty: VMM_E_NO_FRAME,
 *  VMM_E_LIMIT, VMM_E_IO as vmm_mmap and a fault; what a kernel does then is to end it. O(pages of the old program +
 *  what is copied). May call the objects' callbacks and all that reclaim calls. */
VMM_OUTLINE vmm_status_t vmm_exec(vmm_space_t *s, const vmm_program_t *program, const char *const *argv,
                                  const char *const *envp, vmm_start_t *start)
{
    vmm_arguments_t a;
    vmm_status_t status;
    VMM_SET(&a, 0, sizeof a);
    VMM_SET(start, 0, sizeof *start);
    if (!program) return VMM_E_ARGUMENT;
    a.argv = argv;
    a.envp = envp;
    a.name = program->name ? program->name : argv && argv[0] ? argv[0] : "";
    status = vmm_program_check(s, program, &a, start);
    if (status != VMM_OK) return status;
    vmm_space_empty(s);
    vmm_text_copy(s->name, vmm_text_behind_slash(a.name), sizeof s->name);
    status = vmm_exec_build(s, program, &a);
    if (status != VMM_OK) {
        vmm_space_empty(s);
        s->brk_start = s->brk = s->stack_start = s->entry = 0;
        return status;
    }
    s->entry = start->entry = program->entry;
    start->stack_pointer = a.stack_pointer;
    vmm_tell(vmm_machine_of(s), VMM_EVENT_EXEC, s, s->entry, 0, a.stack_pointer);
    return VMM_OK;
}

/** @cond internal */
/* -- ELF files (System V ABI, gABI 4.1, "Object Files" and "Program Loading") -- */

/* Offsets of fields, for files of 32 and of 64 bits: bytes 0 to 15 are e_ident, all else is little-endian.
 *
 *  | header | e_type | e_machine | e_version | e_entry | e_phoff | e_ehsize | e_phentsize | e_phnum | bytes |
 *  |---|---|---|---|---|---|---|---|---|---|
 *  | 32 | 16 | 18 | 20 | 24 | 28 | 40 | 42 | 44 | 52 |
 *  | 64 | 16 | 18 | 20 | 24 | 32 | 52 | 54 | 56 | 64 |
 *
 *  | program header | p_type | p_flags | p_offset | p_vaddr | p_filesz | p_memsz | p_align | bytes |
 *  |---|---|---|---|---|---|---|---|---|
 *  | 32 | 0 | 24 | 4 | 8 | 16 | 20 | 28 | 32 |
 *  | 64 | 0 | 4 | 8 | 16 | 32 | 40 | 48 | 56 |
 */
enum vmm_elf_number {
    VMM_ELF_CLASS_32 = 1,
    VMM_ELF_CLASS_64 = 2,
    VMM_ELF_LITTLE = 1,
    VMM_ELF_CURRENT = 1,
    VMM_ELF_EXEC = 2,
    VMM_ELF_DYN = 3,
    VMM_ELF_MANY = 0xffff, /* PN_XNUM: the number stands elsewhere */
    VMM_ELF_LOAD = 1,
    VMM_ELF_INTERP = 3,
    VMM_ELF_PHDR = 6,
    VMM_ELF_GNU_STACK = 0x6474e551,
    VMM_ELF_X = 1,
    VMM_ELF_W = 2,
    VMM_ELF_R = 4,
    VMM_ELF_HEADER_MOST = 64,
    VMM_ELF_PATH_MOST = 4096
};

/* A program header, of either width. */
typedef struct vmm_elf_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz, memsz, align;
} vmm_elf_header_t;

/* A file, and the segments that it has in a list that program and interpreter share. */
typedef struct vmm_elf {
    const vmm_image_t *image;
    uint64_t bytes; /* of the file */
    uint8_t width;  /* of a word: 4 or 8 */
    uint16_t type, machine, headers;
    uint64_t entry, headers_at;
    vmm_segment_t *segment; /* the first of its own */
    uint32_t count, room;
    uint64_t align;         /* the largest there is, at least a page */
    vmm_vaddr_t headers_va; /* 0: not loaded */
    vmm_vaddr_t behind;     /* the last segment */
    bool stack_executable, wants_interpreter, tells_headers;
} vmm_elf_t;

/* Bytes of a file, through the page cache. The range lies in the file. */
VMM_OUTLINE vmm_status_t vmm_object_read(vmm_machine_t *m, uint32_t object, uint64_t offset, void *to, uint64_t bytes)
{
    const uint64_t mask = vmm_page_bytes(m) - 1;
    uint8_t *into = (uint8_t *)to;
    while (bytes) {
        const uint64_t page = offset >> m->paging->page_shift, left = mask + 1 - (offset & mask);
        const size_t part = (size_t)(bytes < left ? bytes : left);
        const uint32_t value = vmm_index_get(m, &vmm_object_at(m, object)->pages, (uint32_t)page);
        uint32_t frame = value - 1;
        if (!value || value & VMM_PAGE_IN_SLOT) {
            const vmm_status_t status = vmm_object_load(m, NULL, object, (uint32_t)page, &frame);
            if (status != VMM_OK) return status;
        }
        VMM_COPY(into, vmm_frame_host(m, frame) + (size_t)(offset & mask), part);
        into += part;
        offset += part;
        bytes -= part;
    }
    return VMM_OK;
}

VMM_INLINE uint64_t vmm_elf_field(const uint8_t *from, unsigned bytes)
{
    uint64_t word = 0;
    while (bytes-- > 0) word = word << 8 | from[bytes];
    return word;
}

/* Bytes of the file; never one behind its end. */
VMM_OUTLINE vmm_status_t vmm_image_read(vmm_machine_t *m, const vmm_elf_t *e, uint64_t offset, void *to, uint64_t bytes)
{
    if (offset > e->bytes || bytes > e->bytes - offset) return VMM_E_RANGE;
    if (e->image->object) return vmm_object_read(m, e->image->object, offset, to, bytes);
    VMM_COPY(to, (const uint8_t *)e->image->content + (size_t)offset, (size_t)bytes);
    return VMM_OK;
}

/* The file's header. */
VMM_OUTLINE vmm_status_t vmm_elf_open(vmm_machine_t *m, vmm_elf_t *e, vmm_start_t *start)
{
    uint8_t h[VMM_ELF_HEADER_MOST];
    unsigned wide;
    vmm_status_t status = vmm_image_read(m, e, 0, h, 52);
    if (status == VMM_E_RANGE || (status == VMM_OK && vmm_elf_field(h, 4) != 0x464c457f))
        return vmm_exec_refuse(start, VMM_EXEC_MAGIC, 0);
    if (status != VMM_OK) return status;
    if (h[4] != VMM_ELF_CLASS_32 && h[4] != VMM_ELF_CLASS_64) return vmm_exec_refuse(start, VMM_EXEC_CLASS, 0);
    if (h[5] != VMM_ELF_LITTLE) return vmm_exec_refuse(start, VMM_EXEC_BYTE_ORDER, 0);
    if (h[6] != VMM_ELF_CURRENT || vmm_elf_field(h + 20, 4) != VMM_ELF_CURRENT)
        return vmm_exec_refuse(start, VMM_EXEC_VERSION, 0);
    wide = h[4] == VMM_ELF_CLASS_64;
    if (wide) status = vmm_image_read(m, e, 52, h + 52, 12);
    if (status == VMM_E_RANGE) return vmm_exec_refuse(start, VMM_EXEC_MAGIC, 0);
    if (status != VMM_OK) return status;
    e->width = wide ? 8 : 4;
    e->type = (uint16_t)vmm_elf_field(h + 16, 2);
    start->machine = e->machine = (uint16_t)vmm_elf_field(h + 18, 2);
    e->entry = vmm_elf_field(h + 24, e->width);
    e->headers_at = vmm_elf_field(h + (wide ? 32 : 28), e->width);
    e->headers = (uint16_t)vmm_elf_field(h + (wide ? 56 : 44), 2);
    if (e->type != VMM_ELF_EXEC && e->type != VMM_ELF_DYN) return vmm_exec_refuse(start, VMM_EXEC_TYPE, 0);
    if (e->image->machine && e->image->machine != e->machine) return vmm_exec_refuse(start, VMM_EXEC_MACHINE, 0);
    if (vmm_elf_field(h + (wide ? 52 : 40), 2) != (wide ? 64 : 52) ||
        vmm_elf_field(h + (wide ? 54 : 42), 2) != (wide ? 56 : 32))
        return vmm_exec_refuse(start, VMM_EXEC_HEADER, 0);
    if (!e->headers || e->headers == VMM_ELF_MANY || e->headers_at > e->bytes ||
        (wide ? 56u : 32u) * (uint64_t)e->headers > e->bytes - e->headers_at)
        return vmm_exec_refuse(start, VMM_EXEC_TABLE, 0);
    return VMM_OK;
}

VMM_OUTLINE vmm_status_t vmm_elf_header_read(vmm_machine_t *m, const vmm_elf_t *e, uint32_t index, vmm_elf_header_t *ph)
{
    const bool wide = e->width == 8;
    const uint64_t bytes = wide ? 56 : 32;
    uint8_t h[56];
    const vmm_status_t status = vmm_image_read(m, e, e->headers_at + index * bytes, h, bytes);
    if (status != VMM_OK) return status;
    ph->type = (uint32_t)vmm_elf_field(h, 4);
    ph->flags = (uint32_t)vmm_elf_field(h + (wide ? 4 : 24), 4);
    ph->offset = vmm_elf_field(h + (wide ? 8 : 4), e->width);
    ph->vaddr = vmm_elf_field(h + (wide ? 16 : 8), e->width);
    ph->filesz = vmm_elf_field(h + (wide ? 32 : 16), e->width);
    ph->memsz = vmm_elf_field(h + (wide ? 40 : 20), e->width);
    ph->align = vmm_elf_field(h + (wide ? 48 : 28), e->width);
    return VMM_OK;
}

/* A PT_LOAD by itself, and against the one before it. */
VMM_OUTLINE unsigned vmm_elf_judge(const vmm_machine_t *m, const vmm_elf_t *e, const vmm_elf_header_t *ph)
{
    const uint64_t page = vmm_page_bytes(m), align = ph->align > page ? ph->align : page;
    if (ph->align & (ph->align - 1)) return VMM_EXEC_ALIGN;
    if (ph->filesz > ph->memsz) return VMM_EXEC_SIZES;
    if (ph->offset > e->bytes || ph->filesz > e->bytes - ph->offset) return VMM_EXEC_CONTENT;
    if (ph->filesz && ((ph->vaddr ^ ph->offset) & (align - 1))) return VMM_EXEC_CONGRUENT;
    if (ph->vaddr + ph->memsz < ph->vaddr) return VMM_EXEC_RANGE;
    if (e->count && ph->vaddr < e->behind) return VMM_EXEC_ORDER;
    return e->count == e->room ? VMM_EXEC_MANY_SEGMENTS : VMM_EXEC_FITS;
}

VMM_OUTLINE void vmm_elf_add(vmm_elf_t *e, const vmm_elf_header_t *ph)
{
    vmm_segment_t *g = &e->segment[e->count++];
    VMM_SET(g, 0, sizeof *g);
    g->vaddr = ph->vaddr;
    g->bytes = ph->memsz;
    g->content_bytes = ph->filesz;
    g->offset = ph->offset;
    g->rights = (ph->flags & VMM_ELF_R ? (uint32_t)VMM_R : 0u) | (ph->flags & VMM_ELF_W ? (uint32_t)VMM_W : 0u) |
                (ph->flags & VMM_ELF_X ? (uint32_t)VMM_X : 0u);
    if (e->image->object) g->object = e->image->object;
    else if (ph->filesz) g->content = (const uint8_t *)e->image->content + (size_t)ph->offset;
    if (ph->align > e->align) e->align = ph->align;
    e->behind = ph->vaddr + ph->memsz;
    if (!e->tells_headers && e->headers_at >= ph->offset && e->headers_at - ph->offset < ph->filesz) {
        e->tells_headers = true;
        e->headers_va = ph->vaddr + (e->headers_at - ph->offset);
    }
}

/* PT_INTERP: a path that ends with a zero. */
VMM_OUTLINE vmm_status_t vmm_elf_interpreter(vmm_machine_t *m, vmm_elf_t *e, const vmm_elf_header_t *ph,
                                             vmm_start_t *start, uint32_t index)
{
    uint8_t last = 0;
    vmm_status_t status = VMM_E_RANGE;
    e->wants_interpreter = true;
    if (ph->filesz >= 2 && ph->filesz <= VMM_ELF_PATH_MOST && ph->offset <= e->bytes)
        status = vmm_image_read(m, e, ph->offset + ph->filesz - 1, &last, 1);
    if (status == VMM_E_RANGE || last || !e->image->interpreter)
        return vmm_exec_refuse(start, VMM_EXEC_INTERPRETER, index);
    return status;
}

/* The program headers, from first to last. */
VMM_OUTLINE vmm_status_t vmm_elf_scan(vmm_machine_t *m, vmm_elf_t *e, vmm_start_t *start)
{
    uint32_t i;
    e->align = vmm_page_bytes(m);
    for (i = 0; i < e->headers; i++) {
        vmm_elf_header_t ph;
        unsigned rule;
        vmm_status_t status = vmm_elf_header_read(m, e, i, &ph);
        if (status != VMM_OK) return status;
        if (ph.type == VMM_ELF_GNU_STACK) e->stack_executable = (ph.flags & VMM_ELF_X) != 0;
        if (ph.type == VMM_ELF_INTERP) {
            status = vmm_elf_interpreter(m, e, &ph, start, i);
            if (status != VMM_OK) return status;
        }
        if (ph.type != VMM_ELF_LOAD) continue;
        rule = vmm_elf_judge(m, e, &ph);
        if (rule != VMM_EXEC_FITS) return vmm_exec_refuse(start, rule, i);
        if (ph.memsz) vmm_elf_add(e, &ph);
    }
    return e->count ? VMM_OK : vmm_exec_refuse(start, VMM_EXEC_NO_SEGMENT, 0);
}

/* Moves a file without addresses of its own to `at` or as far above as its alignment asks; `below`: to end there. */
VMM_OUTLINE vmm_status_t vmm_elf_move(const vmm_machine_t *m, vmm_elf_t *e, vmm_vaddr_t at, bool below,
                                      vmm_vaddr_t *base, vmm_start_t *start)
{
    const vmm_vaddr_t first = e->segment[0].vaddr & ~(e->align - 1);
    const uint64_t span = e->behind - first, top = m->layout.top;
    uint32_t i;
    *base = 0;
    if (e->type != VMM_ELF_DYN) return VMM_OK;
    if (below) at = at >= span ? (at - span) & ~(e->align - 1) : top;
    else if (at & (e->align - 1)) at = (at | (e->align - 1)) + 1; /* 0 when it wraps: below the lowest */
    if (at > top || span > top - at) return vmm_exec_refuse(start, VMM_EXEC_RANGE, 0);
    *base = at - first;
    for (i = 0; i < e->count; i++) e->segment[i].vaddr += *base;
    e->entry += *base;
    e->behind += *base;
    if (e->tells_headers) e->headers_va += *base;
    return VMM_OK;
}

/* Reads a file and finds a place for it. */
VMM_OUTLINE vmm_status_t vmm_elf_load(vmm_machine_t *m, vmm_elf_t *e, const vmm_image_t *image, vmm_segment_t *segment,
                                      uint32_t room, vmm_start_t *start)
{
    vmm_status_t status;
    VMM_SET(e, 0, sizeof *e);
    e->image = image;
    e->segment = segment;
    e->room = room;
    if (image->object > m->objects.fresh || (!image->object && !image->content)) return VMM_E_ARGUMENT;
    e->bytes = image->object ? vmm_object_bytes(vmm_object_at(m, image->object)) : image->bytes;
    status = vmm_elf_open(m, e, start);
    return status == VMM_OK ? vmm_elf_scan(m, e, start) : status;
}
/** @endcond */

/** Runs an ELF file in a space: 32 or 64 bits, little-endian, ET_EXEC at its own addresses or ET_DYN at layout.text.
 *
 *  Every field that matters is checked before anything is changed, and no byte outside the file is read. Of an object
 *  the pages are mapped privately: programs that run the same file share the frames of what they do not write. What
 *  lies behind the content of a segment is zero, as far as the segment goes (the rest of a page behind a segment
 *  without such a part shows the file, as in Linux). Segments that share a page are refused.
 *  @param s      the space
 *  @param image  the file; its interpreter, if it asks for one, goes to layout.mmap_high, below it, or with bottom_up
 *                to layout.mmap_low, and starts in its place
 *  @param argv   as vmm_exec
 *  @param envp   as vmm_exec
 *  @param start  receives where it starts, or why it is refused
 *  @return as vmm_exec. VMM_E_ARGUMENT for an image without content; VMM_E_IO when the file cannot be read: nothing was
 *  changed then either. */
VMM_OUTLINE vmm_status_t vmm_exec_elf(vmm_space_t *s, const vmm_image_t *image, const char *const *argv,
                                      const char *const *envp, vmm_start_t *start)
{
    vmm_machine_t *m = vmm_machine_of(s);
    vmm_segment_t segment[VMM_EXEC_SEGMENTS];
    vmm_elf_t e, with;
    vmm_program_t p;
    vmm_start_t first, inner;
    vmm_status_t status;
    const bool up = m->layout.bottom_up;
    VMM_SET(&first, 0, sizeof first);
    VMM_SET(&inner, 0, sizeof inner);
    VMM_SET(&p, 0, sizeof p);
    status = image ? vmm_elf_load(m, &e, image, segment, VMM_EXEC_SEGMENTS, &first) : VMM_E_ARGUMENT;
    if (status == VMM_OK) status = vmm_elf_move(m, &e, m->layout.text, false, &first.base, &first);
    *start = first;
    if (status != VMM_OK) return status;
    p.segments = segment;
    p.count = e.count;
    p.entry = p.main_entry = e.entry;
    if (e.wants_interpreter) {
        status = vmm_elf_load(m, &with, image->interpreter, segment + e.count, VMM_EXEC_SEGMENTS - e.count, &inner);
        if (status == VMM_OK && with.width != e.width) status = vmm_exec_refuse(&inner, VMM_EXEC_CLASS, 0);
        if (status == VMM_OK)
            status = vmm_elf_move(m, &with, up ? m->layout.mmap_low : m->layout.mmap_high, !up, &p.base, &inner);
        start->rule = inner.rule;
        start->index = inner.index;
        if (status != VMM_OK) return status;
        p.count += with.count;
        p.entry = with.entry;
    }
    p.name = image->name ? image->name : image->object ? vmm_object_at(m, image->object)->name : NULL;
    p.pointer_bytes = e.width;
    p.stack_executable = e.stack_executable;
    p.heap = ((e.behind - 1) | (vmm_page_bytes(m) - 1)) + 1;
    p.headers = e.tells_headers ? e.headers_va : 0;
    p.header_count = e.headers;
    p.header_bytes = e.width == 8 ? 56 : 32;
    p.auxiliary = image->auxiliary;
    p.auxiliaries = image->auxiliaries;
    p.random_bytes = image->random_bytes;
    status = vmm_exec(s, &p, argv, envp, start);
    start->base = first.base;
    start->machine = first.machine;
    return status;
}
/** @} */

/* ====================================================== Part II  16. spaces: check == */
/** @addtogroup vmm_spaces
 *  @{ */

/** @cond internal */
/* What is counted anew, to be compared with what the machine says. */
typedef struct vmm_recount {
    uint64_t anon, file, shared, swapped, huge, tables; /* of the space at hand, as in its stats */
    uint64_t mapped;                                    /* entries that count in a frame's mappings, of all spaces */
    uint64_t slots;                                     /* entries that stand for slots, of all spaces */
    uint64_t table_frames, table_print;                 /* frames of tables, and a sum of hashes of their numbers */
    uint64_t committed;                                 /* pages promised */
    uint32_t spaces, areas, tree_nodes, kins;           /* records */
    bool found_recent_table;                            /* of the space at hand */
} vmm_recount_t;

/* Two sets of numbers with equal sums of these are taken for equal. */
VMM_INLINE uint64_t vmm_check_print(uint64_t number)
{
    uint64_t hash = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

VMM_INLINE bool vmm_check_is_space(const vmm_machine_t *m, uint32_t number)
{
    return number >= 1 && number <= m->spaces.fresh && vmm_space_at(m, number)->number == number;
}

VMM_INLINE bool vmm_check_is_object(const vmm_machine_t *m, uint32_t number)
{
    return number >= 1 && number <= m->objects.fresh && vmm_object_at(m, number)->references != 0;
}

/* Entries that stand for the slot of a frame; 0 without one. */
VMM_INLINE uint32_t vmm_check_slot_count(const vmm_machine_t *m, const vmm_frame_t *f)
{
    return f->flags & VMM_FRAME_SWAP ? vmm_slot_at(m, f->index)->count : 0;
}

/* -- frames -- */

/* Whether the free frames are those of the buddy. */
VMM_OUTLINE bool vmm_check_buddy(const vmm_machine_t *m)
{
    uint64_t frame, size, i;
    if (!vmm_frames_check(&m->frames) || m->frames.count != m->frame_count) return false;
    for (frame = 0; frame < m->frame_count; frame += size) {
        const bool is_free = vmm_frames_is_free(&m->frames, (uint32_t)frame);
        const bool reserved = m->frames.state[frame] == VMM_FRAMES_RESERVED;
        size = UINT64_C(1) << vmm_frames_order_at(&m->frames, (uint32_t)frame);
        for (i = 0; i < size && !reserved; i++)
            if ((vmm_frame_at(m, (uint32_t)(frame + i))->kind == VMM_FRAME_FREE) != is_free) return false;
    }
    return true;
}

VMM_OUTLINE bool vmm_check_zero_frame(const vmm_machine_t *m)
{
    const uint8_t *host = vmm_frame_host(m, m->zero_frame);
    uint64_t i;
    for (i = 0; i < vmm_page_bytes(m); i++)
        if (host[i]) return false;
    return vmm_frame_at(m, m->zero_frame)->kind == VMM_FRAME_FIXED && vmm_frame_at(m, m->zero_frame)->mappings == 0;
}

/* Whether the reverse map finds as many entries as the frame says, and a locked area if it is locked. */
VMM_OUTLINE bool vmm_check_places(vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    vmm_place_t at = vmm_places(m, frame);
    uint32_t found = 0;
    bool locked = false;
    while (vmm_places_next(m, &at)) {
        found++;
        locked = locked || vmm_area_at(m, vmm_tree_find(at.space, at.va))->flags & (VMM_AREA_LOCKED | VMM_AREA_HUGE);
    }
    return found == f->mappings && (locked || !(f->flags & VMM_FRAME_LOCKED));
}

VMM_OUTLINE bool vmm_check_anon_frame(const vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    uint32_t owner, index;
    if (f->flags & VMM_FRAME_SWAP && (f->index >= m->slot_count || vmm_slot_at(m, f->index)->frame != frame))
        return false;
    vmm_frame_identity(m, frame, &owner, &index);
    if ((owner & 0xffff) == 0 || (owner & 0xffff) > m->kins.fresh) return false;
    if (f->flags & VMM_FRAME_EXCLUSIVE && f->mappings + vmm_check_slot_count(m, f) > 1) return false;
    return f->mappings || vmm_check_slot_count(m, f) || f->flags & VMM_FRAME_PINNED;
}

VMM_OUTLINE bool vmm_check_cache_frame(const vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->flags & (VMM_FRAME_SWAP | VMM_FRAME_LAZY | VMM_FRAME_EXCLUSIVE) || !vmm_check_is_object(m, f->owner))
        return false;
    return vmm_index_get(m, &vmm_object_at(m, f->owner)->pages, f->index) == frame + 1;
}

/* Whether a merged frame is in no list, shared or held, and where its chain says. */
VMM_OUTLINE bool vmm_check_merged_frame(const vmm_machine_t *m, uint32_t frame)
{
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (f->kind != VMM_FRAME_MERGED || !m->merge_offset || (!f->mappings && !(f->flags & VMM_FRAME_PINNED)))
        return false;
    if (f->flags & (VMM_FRAME_SWAP | VMM_FRAME_LOCKED | VMM_FRAME_EXCLUSIVE | VMM_FRAME_BUSY)) return false;
    if (f->next != VMM_NO_FRAME && vmm_frame_at(m, f->next)->previous != frame) return false;
    if (f->previous != VMM_NO_FRAME) return vmm_frame_at(m, f->previous)->next == frame;
    return vmm_merge_chains(m)[f->owner & (m->merge_buckets - 1)] == frame + 1;
}

/* Whether each frame is what it says, and the counts of pages are right. */
VMM_OUTLINE bool vmm_check_frames(vmm_machine_t *m, const vmm_recount_t *sum)
{
    uint64_t anon = 0, cache = 0, mapped = 0, tables = 0, print = 0;
    uint32_t frame;
    for (frame = 0; frame < m->frame_count; frame++) {
        const vmm_frame_t *f = vmm_frame_at(m, frame);
        const unsigned kind = vmm_frame_kind(f);
        if (kind == VMM_FRAME_TABLE) {
            tables++;
            if (f->owner) print += vmm_check_print(frame); /* the first frame of its table */
        }
        if (kind == VMM_FRAME_MERGED) {
            if (!vmm_check_merged_frame(m, frame)) return false;
            anon++;
            mapped += f->mappings;
            continue;
        }
        if (kind != VMM_FRAME_ANON && kind != VMM_FRAME_CACHE) {
            if (f->kind > VMM_FRAME_TABLE) return false;
            continue;
        }
        if (f->flags & VMM_FRAME_BUSY || (f->kind >> 4 != 0) == ((f->flags & VMM_FRAME_LOCKED) != 0)) return false;
        if (!(kind == VMM_FRAME_ANON ? vmm_check_anon_frame(m, frame) : vmm_check_cache_frame(m, frame))) return false;
        if (!vmm_check_places(m, frame)) return false;
        anon += kind == VMM_FRAME_ANON;
        cache += kind == VMM_FRAME_CACHE;
        mapped += f->mappings;
    }
    return anon == m->pages_anon && cache == m->pages_cache && mapped == sum->mapped && tables == m->pages_tables &&
           tables == sum->table_frames && print == sum->table_print;
}

/* -- slots -- */

/* Entries of the kin that stand for a slot, where they should be. */
VMM_OUTLINE uint32_t vmm_check_slot_places(vmm_machine_t *m, uint32_t slot)
{
    const vmm_slot_t *record = vmm_slot_at(m, slot);
    const vmm_kin_t *kin = vmm_kin_at(m, record->owner & 0xffff);
    uint32_t found = 0;
    vmm_place_t at;
    VMM_SET(&at, 0, sizeof at);
    at.page = record->index | (uint64_t)(record->owner >> 16) << 32;
    at.kin_left = kin->count;
    at.space = vmm_space_at(m, kin->first);
    while (vmm_places_kin(m, &at)) {
        const vmm_area_t *a = vmm_area_at(m, at.area);
        const uint8_t *entry;
        uint32_t number = 0;
        unsigned level;
        if (at.page < a->home || at.page - a->home >= vmm_area_pages(m, a)) continue;
        entry = vmm_entry_find(m, at.space, a->start + ((at.page - a->home) << m->paging->page_shift), &level);
        if (!entry || level || vmm_entry_read(m, vmm_pte_load(m->paging, entry), &number) != VMM_ENTRY_SLOT) continue;
        found += number == slot;
    }
    return found;
}

/* Whether a slot that is taken is linked both ways with what it holds. */
VMM_OUTLINE bool vmm_check_slot(vmm_machine_t *m, uint32_t slot)
{
    const vmm_slot_t *record = vmm_slot_at(m, slot);
    const vmm_frame_t *f;
    if (record->kind == VMM_FRAME_CACHE)
        return record->count == 1 && record->frame == VMM_NO_FRAME && vmm_check_is_object(m, record->owner) &&
               vmm_index_get(m, &vmm_object_at(m, record->owner)->pages, record->index) == (VMM_PAGE_IN_SLOT | slot);
    if (record->kind != VMM_FRAME_ANON) return false;
    if (record->count && vmm_check_slot_places(m, slot) != record->count) return false;
    if (record->frame == VMM_NO_FRAME) return record->count != 0;
    if (record->frame >= m->frame_count) return false;
    f = vmm_frame_at(m, record->frame);
    return vmm_frame_kind(f) == VMM_FRAME_ANON && f->flags & VMM_FRAME_SWAP && f->index == slot;
}

VMM_OUTLINE bool vmm_check_slots(vmm_machine_t *m, const vmm_recount_t *sum)
{
    uint64_t entries = 0;
    uint32_t i, slot, used, all = 0;
    for (i = 0; i < m->swaps; i++) {
        const vmm_swap_t *swap = &m->swap[i];
        if (i && swap[-1].area.priority < swap->area.priority) return false;
        for (used = 0, slot = swap->first; slot < swap->first + swap->area.slots; slot++) {
            const vmm_slot_t *record = vmm_slot_at(m, slot);
            if (!record->count && record->frame == VMM_NO_FRAME) continue;
            if (vmm_swap_of(m, slot) != swap || !vmm_check_slot(m, slot)) return false;
            used++;
            if (record->kind == VMM_FRAME_ANON) entries += record->count;
        }
        if (used != swap->used) return false;
        all += used;
    }
    for (slot = m->slot_count; slot < m->options.slots; slot++)
        if (vmm_slot_at(m, slot)->count || vmm_slot_at(m, slot)->frame != VMM_NO_FRAME) return false;
    return all == m->slots_used && entries == sum->slots;
}

/* -- resident sets -- */

/* Whether the lists of a set are linked well and hold its frames; *held counts them. */
VMM_OUTLINE bool vmm_check_set(vmm_machine_t *m, const vmm_resident_t *set, uint32_t *held)
{
    unsigned number;
    for (number = 0; number < VMM_RESIDENT_LISTS; number++) {
        const vmm_list_t *list = &set->list[number];
        uint32_t frame = list->first, previous = VMM_NO_FRAME, count = 0;
        for (; frame != VMM_NO_FRAME; previous = frame, frame = vmm_frame_at(m, frame)->next) {
            if (frame >= m->frame_count || ++count > list->count) return false;
            if (vmm_list_of(m, frame) != number || vmm_frame_at(m, frame)->previous != previous) return false;
            if (vmm_resident_of(m, frame) != set) return false;
        }
        if (list->last != previous || count != list->count) return false;
        *held += count;
    }
    return true;
}

VMM_OUTLINE bool vmm_check_sets(vmm_machine_t *m)
{
    uint32_t held = 0, said = 0, number, frame;
    if (!vmm_check_set(m, &m->resident, &held)) return false;
    for (number = 1; number <= m->spaces.fresh; number++)
        if (vmm_check_is_space(m, number) && !vmm_check_set(m, &vmm_space_at(m, number)->resident, &held)) return false;
    for (frame = 0; frame < m->frame_count; frame++) said += vmm_list_of(m, frame) != VMM_RESIDENT_LISTS;
    return held == said;
}

/* -- objects -- */

VMM_OUTLINE bool vmm_check_ring(const vmm_machine_t *m, uint32_t object)
{
    const vmm_object_t *o = vmm_object_at(m, object);
    uint32_t area = o->areas, i;
    if (o->references != o->area_count + (o->closed ? 0u : 1u) || (area == 0) != (o->area_count == 0)) return false;
    for (i = 0; i < o->area_count; i++) {
        const vmm_area_t *a = vmm_area_at(m, area);
        if (a->object != object || !vmm_check_is_space(m, a->space)) return false;
        if (vmm_area_at(m, a->next)->previous != area || (i && area == o->areas)) return false;
        area = a->next;
    }
    return area == o->areas;
}

/* Whether the pages of an object are where its index says; *nodes counts those of the index. */
VMM_OUTLINE bool vmm_check_index(const vmm_machine_t *m, uint32_t object, uint32_t *nodes)
{
    const vmm_object_t *o = vmm_object_at(m, object);
    uint32_t page = 0, value, level, before = 0;
    bool first = true;
    if (!vmm_index_check(m, &o->pages)) return false;
    for (; vmm_index_next(m, &o->pages, page, &page, &value); before = page, page++, first = false) {
        for (level = 0; level < o->pages.height; level++)
            *nodes += first || (uint64_t)page >> (4 * level + 4) != (uint64_t)before >> (4 * level + 4);
        if (value & VMM_PAGE_IN_SLOT) {
            const uint32_t slot = value & ~VMM_PAGE_IN_SLOT;
            if (slot >= m->slot_count || vmm_slot_at(m, slot)->kind != VMM_FRAME_CACHE) return false;
            if (vmm_slot_at(m, slot)->owner != object || vmm_slot_at(m, slot)->index != page) return false;
        } else {
            const vmm_frame_t *f = value - 1 < m->frame_count ? vmm_frame_at(m, value - 1) : NULL;
            if (!f || vmm_frame_kind(f) != VMM_FRAME_CACHE || f->owner != object || f->index != page) return false;
        }
        if (page == UINT32_MAX) break;
    }
    return true;
}

VMM_OUTLINE bool vmm_check_objects(const vmm_machine_t *m)
{
    uint32_t number, live = 0, nodes = 0;
    for (number = 1; number <= m->objects.fresh; number++) {
        if (!vmm_check_is_object(m, number)) continue;
        if (!vmm_check_ring(m, number) || !vmm_check_index(m, number, &nodes)) return false;
        live++;
    }
    return live == m->objects.used && nodes == m->index_nodes.used;
}

/* -- entries -- */

/* Whether a frame is the page that an address of an area shows. */
VMM_OUTLINE bool vmm_check_identity(const vmm_machine_t *m, const vmm_space_t *s, const vmm_area_t *a, vmm_vaddr_t va,
                                    uint32_t frame, vmm_recount_t *sum)
{
    const vmm_frame_t *f = frame < m->frame_count ? vmm_frame_at(m, frame) : NULL;
    uint64_t page;
    uint32_t owner, index;
    if (frame == m->zero_frame) return !a->object;
    if (!f) return false;
    sum->mapped++;
    if (vmm_frame_kind(f) == VMM_FRAME_CACHE) {
        if (vmm_frame_is_shared_memory(m, f)) sum->shared++;
        else sum->file++;
        return f->owner == a->object && f->index == vmm_area_page(m, a, va);
    }
    if (!a->anon || a->flags & VMM_AREA_SHARED) return false;
    if (vmm_frame_kind(f) == VMM_FRAME_MERGED) {
        sum->anon++;
        return true;
    }
    if (vmm_frame_kind(f) != VMM_FRAME_ANON) return false;
    if (f->flags & VMM_FRAME_SWAP && f->index >= m->slot_count) return false;
    sum->anon++;
    page = vmm_area_home(m, a, va);
    vmm_frame_identity(m, frame, &owner, &index);
    return owner == vmm_anon_owner(s->kin, page) && index == (uint32_t)page;
}

/* Whether an entry gives what its area gives, and writing only where nobody else can notice. */
VMM_OUTLINE bool vmm_check_rights(const vmm_machine_t *m, const vmm_area_t *a, vmm_pte_t pte, uint32_t frame)
{
    const vmm_paging_t *p = m->paging;
    const uint32_t known =
        (p->read ? (uint32_t)VMM_R : 0u) | (p->execute ? (uint32_t)VMM_X : 0u) | (p->user ? (uint32_t)VMM_U : 0u);
    const uint32_t rights = vmm_area_rights(a), flags = vmm_pte_flags(p, pte);
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    if (vmm_area_is_barred(a) || (rights ^ flags) & known) return false;
    if (!p->write || !(flags & VMM_W)) return true;
    if (!(rights & VMM_W)) return false;
    if (a->flags & VMM_AREA_SHARED) return true;
    return vmm_frame_kind(f) == VMM_FRAME_ANON && f->mappings == 1 && vmm_check_slot_count(m, f) == 0;
}

/* Whether an entry is one that its address may have. */
VMM_OUTLINE bool vmm_check_entry(const vmm_machine_t *m, const vmm_space_t *s, vmm_vaddr_t va, unsigned level,
                                 vmm_pte_t pte, vmm_recount_t *sum)
{
    const vmm_paging_t *p = m->paging;
    const uint64_t pages = UINT64_C(1) << (vmm_level_shift(p, level) - p->page_shift);
    const uint32_t area = vmm_tree_find(s, va);
    const vmm_area_t *a = area ? vmm_area_at(m, area) : NULL;
    uint32_t number = 0;
    uint64_t i;
    if (!a || va < a->start || a->end - va < pages << p->page_shift) return false;
    switch (vmm_entry_read(m, pte, &number)) {
    case VMM_ENTRY_SLOT:
        sum->swapped++;
        sum->slots++;
        if (level || number >= m->slot_count || !a->anon || a->flags & VMM_AREA_SHARED) return false;
        i = vmm_area_home(m, a, va);
        return vmm_slot_at(m, number)->kind == VMM_FRAME_ANON && vmm_slot_at(m, number)->count &&
               vmm_slot_at(m, number)->owner == vmm_anon_owner(s->kin, i) &&
               vmm_slot_at(m, number)->index == (uint32_t)i;
    case VMM_ENTRY_PARKED: return !level && vmm_area_is_barred(a) && vmm_check_identity(m, s, a, va, number, sum);
    default:
        sum->huge += level != 0;
        for (i = 0; i < pages; i++) {
            const uint32_t frame = number + (uint32_t)i;
            if (!vmm_check_identity(m, s, a, va + (i << p->page_shift), frame, sum)) return false;
            if (!vmm_check_rights(m, a, pte, frame)) return false;
        }
        return true;
    }
}

/* Whether a table may stand where it was found. */
VMM_OUTLINE bool vmm_check_table(const vmm_machine_t *m, const vmm_space_t *s, vmm_paddr_t table, unsigned level,
                                 vmm_vaddr_t va, vmm_recount_t *sum)
{
    const uint32_t frame = vmm_frame_of(m, table);
    const uint64_t frames = UINT64_C(1) << vmm_table_order(m, level);
    uint64_t i;
    if (table < m->memory.base || frame >= m->frame_count || frames > m->frame_count - frame) return false;
    for (i = 0; i < frames; i++)
        if (vmm_frame_at(m, frame + (uint32_t)i)->kind != VMM_FRAME_TABLE) return false;
    sum->tables += vmm_table_bytes(m->paging, level);
    sum->table_frames += frames;
    sum->table_print += vmm_check_print(frame);
    if (level == 0 && s->table_tag == (va >> vmm_level_shift(m->paging, 1)) + 1)
        sum->found_recent_table = s->table == table;
    return vmm_frame_at(m, frame)->owner == s->number;
}

/* A walk over all tables of a space. */
typedef struct vmm_check_walk {
    vmm_paddr_t table[VMM_MAX_LEVELS];
    uint64_t index[VMM_MAX_LEVELS];   /* of the entry that is next */
    uint64_t entries[VMM_MAX_LEVELS]; /* that were not 0 so far */
    vmm_vaddr_t va[VMM_MAX_LEVELS];   /* what the table covers begins here */
    unsigned level;
} vmm_check_walk_t;

/* The entry that is next in the open table: goes into the table that it points to, or judges it. */
VMM_OUTLINE bool vmm_check_step(const vmm_machine_t *m, const vmm_space_t *s, vmm_check_walk_t *w, vmm_recount_t *sum)
{
    const vmm_paging_t *p = m->paging;
    const unsigned level = w->level;
    const vmm_vaddr_t va = w->va[level] + (w->index[level] << vmm_level_shift(p, level));
    const vmm_pte_t pte = vmm_pte_load(p, vmm_table_host(m, w->table[level]) + (size_t)w->index[level] * p->pte_bytes);
    w->index[level]++;
    if (!pte) return true;
    w->entries[level]++;
    if (level > 0 && !(pte & p->valid)) return false;
    if (level == 0 || vmm_pte_is_leaf(p, pte, level)) return vmm_check_entry(m, s, va, level, pte, sum);
    w->level--;
    w->table[level - 1] = vmm_pte_paddr(p, pte);
    w->index[level - 1] = w->entries[level - 1] = 0;
    w->va[level - 1] = va;
    return vmm_check_table(m, s, w->table[level - 1], level - 1, va, sum);
}

/* Whether the root's entries above the layout's top are the kernel's. */
VMM_OUTLINE bool vmm_check_kernel_half(const vmm_machine_t *m, const vmm_space_t *s, uint64_t first)
{
    const vmm_paging_t *p = m->paging;
    const uint64_t end = UINT64_C(1) << p->index_bits[p->levels - 1u];
    for (; first < end; first++) {
        const size_t at = (size_t)first * p->pte_bytes;
        const vmm_pte_t kernel = m->kernel_root ? vmm_pte_load(p, vmm_table_host(m, m->kernel_root) + at) : 0;
        if (vmm_pte_load(p, vmm_table_host(m, s->root) + at) != kernel) return false;
    }
    return true;
}

/* Whether all tables of a space are right; counts what they map. */
VMM_OUTLINE bool vmm_check_tables(const vmm_machine_t *m, const vmm_space_t *s, vmm_recount_t *sum)
{
    const vmm_paging_t *p = m->paging;
    const unsigned top = p->levels - 1u, shift = vmm_level_shift(p, top);
    const uint64_t roots = ((m->layout.top - 1) >> shift) + 1;
    vmm_check_walk_t w;
    w.level = top;
    w.table[top] = s->root;
    w.index[top] = w.entries[top] = 0;
    w.va[top] = 0;
    if (!vmm_check_table(m, s, s->root, top, 0, sum)) return false;
    while (w.level < p->levels) {
        const uint64_t end = w.level == top ? roots : UINT64_C(1) << p->index_bits[w.level];
        if (w.index[w.level] < end) {
            if (!vmm_check_step(m, s, &w, sum)) return false;
            continue;
        }
        if (vmm_frame_at(m, vmm_frame_of(m, w.table[w.level]))->mappings != (uint16_t)w.entries[w.level]) return false;
        w.level++;
    }
    return vmm_check_kernel_half(m, s, roots);
}

/* -- spaces -- */

/* Whether the areas of a space are counted right, and known where they should be. */
VMM_OUTLINE bool vmm_check_areas(const vmm_machine_t *m, const vmm_space_t *s, vmm_recount_t *sum)
{
    uint64_t total = 0, data = 0, stack = 0, locked = 0;
    uint32_t number, moved = 0, level;
    vmm_tree_path_t path;
    if (!vmm_area_tree_check(s)) return false;
    for (number = vmm_area_first(s); number; number = vmm_area_next(s, number)) {
        const vmm_area_t *a = vmm_area_at(m, number);
        const uint64_t pages = vmm_area_pages(m, a);
        const bool away = a->home != a->start >> m->paging->page_shift;
        if (a->end > m->layout.top || away != ((a->flags & VMM_AREA_MOVED) != 0)) return false;
        if (a->object ? !vmm_check_is_object(m, a->object) : a->next || a->previous || a->flags & VMM_AREA_SHARED)
            return false;
        total += pages;
        if (a->flags & VMM_AREA_GROWS) stack += pages;
        else if ((a->flags & ((uint32_t)VMM_W | VMM_AREA_SHARED)) == VMM_W) data += pages;
        if (a->flags & VMM_AREA_LOCKED) locked += pages;
        if (a->flags & VMM_AREA_ACCOUNT) sum->committed += pages;
        moved += away;
        vmm_tree_seek(s, a->start, &path);
        for (level = 0; level < s->tree_height && path.step[level].at == 0; level++) sum->tree_nodes++;
        if (level < s->tree_height && path.step[level].at == 0) return false;
    }
    for (number = s->moved; number; number = vmm_area_at(m, number)->moved_next) {
        const vmm_area_t *a = vmm_area_at(m, number);
        if (a->space != s->number || !(a->flags & VMM_AREA_MOVED) || moved-- == 0) return false;
        if (a->moved_next && vmm_area_at(m, a->moved_next)->moved_previous != number) return false;
        if (!a->moved_previous && s->moved != number) return false;
    }
    sum->areas += s->areas;
    return moved == 0 && total == s->stats.total && data == s->stats.data && stack == s->stats.stack &&
           locked == s->stats.locked;
}

/* Whether the ring of kin that a space is in is whole. */
VMM_OUTLINE bool vmm_check_kin(const vmm_machine_t *m, const vmm_space_t *s, vmm_recount_t *sum)
{
    const vmm_kin_t *kin = s->kin >= 1 && s->kin <= m->kins.fresh ? vmm_kin_at(m, s->kin) : NULL;
    uint32_t at = s->number, i;
    bool with_first = false;
    if (!kin) return false;
    for (i = 0; i < kin->count; i++) {
        if (!vmm_check_is_space(m, at) || vmm_space_at(m, at)->kin != s->kin || (i && at == s->number)) return false;
        with_first = with_first || at == kin->first;
        if (vmm_space_at(m, vmm_space_at(m, at)->kin_next)->kin_previous != at) return false;
        at = vmm_space_at(m, at)->kin_next;
    }
    sum->kins += kin->first == s->number;
    return at == s->number && with_first;
}

VMM_OUTLINE bool vmm_check_space(const vmm_machine_t *m, const vmm_space_t *s, vmm_recount_t *sum)
{
    const vmm_space_stats_t *stats = &s->stats;
    sum->anon = sum->file = sum->shared = sum->swapped = sum->huge = sum->tables = 0;
    sum->found_recent_table = s->table_tag == 0;
    if (s->offset != (uint64_t)((uintptr_t)s - (uintptr_t)m) || s->brk < s->brk_start) return false;
    if (!vmm_check_kin(m, s, sum) || !vmm_check_areas(m, s, sum) || !vmm_check_tables(m, s, sum)) return false;
    sum->spaces++;
    if (stats->anon != sum->anon || stats->file != sum->file || stats->shared != sum->shared) return false;
    if (stats->swapped != sum->swapped || stats->huge != sum->huge || stats->tables != sum->tables) return false;
    return sum->found_recent_table && stats->most >= stats->anon + stats->file + stats->shared;
}

VMM_OUTLINE bool vmm_check_spaces(const vmm_machine_t *m, vmm_recount_t *sum)
{
    uint32_t number;
    for (number = 1; number <= m->spaces.fresh; number++)
        if (vmm_check_is_space(m, number) && !vmm_check_space(m, vmm_space_at(m, number), sum)) return false;
    return sum->spaces == m->spaces.used && sum->kins == m->kins.used && sum->areas == m->areas.used &&
           sum->tree_nodes == m->tree_nodes.used && sum->committed == m->committed;
}

VMM_OUTLINE bool vmm_check_cpus(const vmm_machine_t *m)
{
    uint32_t i;
    for (i = 0; i < m->cpus; i++) {
        const uint32_t space = m->cpu[i].space;
        if (m->cpu[i].number != i || (space && !vmm_check_is_space(m, space))) return false;
        if (space && !(vmm_space_at(m, space)->ran_on >> i & 1)) return false;
    }
    return !m->reclaiming;
}
/** @endcond */

/** Verifies every invariant of a machine by counting all of it anew: each frame is free, taken for good, of a table, or
 *  of a page, as buddy, record and tables say alike; every entry lies in an area, allows no more than that, and maps
 *  the page that belongs there; the reverse map finds all entries of each frame; counts of frames, slots, spaces,
 *  areas and objects are right; lists, rings, trees and indexes are whole; the frame of zeros is zero.
 *
 *  Counts of entries per frame are exact without memory for them: the reverse map finds as many as each frame says, and
 *  all frames together say as many as the tables have. Only which frames are tables is compared by a sum of 64-bit
 *  hashes. What is no call's business may be as it likes: contents, marks of entries, times, what a policy remembers.
 *  @param m  the machine, not inside of a call or callback
 *  @return whether all hold. O(frames + slots + entries of all tables + areas x log areas + mappings x (kin + moved
 *  areas of a kin, or areas of an object)). */
VMM_OUTLINE bool vmm_check(const vmm_machine_t *m)
{
    vmm_machine_t *const w = (vmm_machine_t *)(uintptr_t)m; /* what was found last is remembered on the way */
    vmm_recount_t sum;
    VMM_SET(&sum, 0, sizeof sum);
    return vmm_check_buddy(m) && vmm_check_zero_frame(m) && vmm_check_objects(m) && vmm_check_spaces(m, &sum) &&
           vmm_check_frames(w, &sum) && vmm_check_slots(w, &sum) && vmm_check_sets(w) && vmm_check_cpus(m);
}
/** @} */

/* ====================================================== Part II  17. malloc in a space == */
/** @defgroup vmm_space_heap 17. malloc in a space
 *  The heap of vmm_alloc.h over the program break and the mappings of a space. Blocks are virtual addresses; their
 *  headers are words of the space, read and written through its tables. A page gets a frame when it is first
 *  touched, by the heap or by the program, and not before.
 *
 *      VMM_FAR_HEAP(heap, 0)                      // heap_t, heap_malloc(), heap_realloc(), heap_free()
 *
 *      vmm_heap_in_space(space, &options);
 *      status = heap_init(&heap, &options);       // the break moves up by top_pad and a page
 *      status = heap_malloc(&heap, 100, 1, &va);  // from below mmap_threshold out of the heap, else by vmm_mmap
 *  @{ */

/** @cond internal */
/* A heap's hooks get addresses with the bits that a pointer of this host has. What a heap holds lies at most SIZE_MAX
 * above the start of the heap's first page, which gives the others back. */
VMM_INLINE vmm_vaddr_t vmm_heap_far(const vmm_space_t *s, const void *at)
{
    const vmm_vaddr_t base = s->brk_start & ~UINT64_C(4095);
    return base + (size_t)((uintptr_t)at - (uintptr_t)base);
}

/* Does an address lie where vmm_heap_far finds it again? */
VMM_INLINE bool vmm_heap_reaches(const vmm_space_t *s, vmm_vaddr_t va)
{
    return vmm_heap_far(s, (const void *)(uintptr_t)va) == va;
}

VMM_OUTLINE int vmm_heap_load(void *user, vmm_vaddr_t at, size_t *word)
{
    return vmm_space_read((vmm_space_t *)user, at, word, sizeof *word) != VMM_OK;
}

VMM_OUTLINE int vmm_heap_store(void *user, vmm_vaddr_t at, size_t word)
{
    return vmm_space_write((vmm_space_t *)user, at, &word, sizeof word) != VMM_OK;
}

VMM_OUTLINE int vmm_heap_break_up(void *user, size_t bytes, void **at)
{
    vmm_space_t *s = (vmm_space_t *)user;
    const vmm_vaddr_t was = s->brk;
    vmm_vaddr_t now = 0;
    if (was + bytes < was || !vmm_heap_reaches(s, was + bytes)) return 1;
    if (vmm_brk(s, was + bytes, &now) != VMM_OK) return 1;
    *at = (void *)(uintptr_t)was;
    return 0;
}

/* Only the end of the heap can go, and only while the break is where the heap left it. */
VMM_OUTLINE int vmm_heap_break_down(void *user, void *at, size_t bytes)
{
    vmm_space_t *s = (vmm_space_t *)user;
    const vmm_vaddr_t start = vmm_heap_far(s, at);
    vmm_vaddr_t now = 0;
    if (start + bytes != s->brk) return 1;
    return vmm_brk(s, start, &now) != VMM_OK;
}

/* A mapping that begins at a multiple of 4096, also where pages are smaller. */
VMM_OUTLINE void *vmm_heap_map(void *user, size_t bytes)
{
    vmm_space_t *s = (vmm_space_t *)user;
    const uint64_t page = vmm_page_bytes(vmm_machine_of(s)), slack = page < 4096 ? 4096 - page : 0;
    vmm_vaddr_t at = 0, start;
    if (vmm_mmap(s, 0, bytes + slack, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &at) != VMM_OK)
        return NULL;
    start = (at + slack) & ~slack;
    if (slack && start > at) (void)vmm_munmap(s, at, start - at);
    if (slack && at + slack > start) (void)vmm_munmap(s, start + bytes, at + slack - start);
    if (vmm_heap_reaches(s, start) && vmm_heap_reaches(s, start + bytes)) return (void *)(uintptr_t)start;
    (void)vmm_munmap(s, start, bytes);
    return NULL;
}

VMM_OUTLINE int vmm_heap_unmap(void *user, void *at, size_t bytes)
{
    vmm_space_t *s = (vmm_space_t *)user;
    return vmm_munmap(s, vmm_heap_far(s, at), bytes) != VMM_OK;
}

VMM_OUTLINE void *vmm_heap_remap(void *user, void *at, size_t bytes, size_t wanted)
{
    vmm_space_t *s = (vmm_space_t *)user;
    const vmm_vaddr_t from = vmm_heap_far(s, at);
    vmm_vaddr_t now = 0;
    if (vmm_mremap(s, from, bytes, wanted, VMM_MREMAP_MAYMOVE, 0, &now) != VMM_OK) return NULL;
    if (vmm_heap_reaches(s, now) && vmm_heap_reaches(s, now + wanted)) return (void *)(uintptr_t)now;
    (void)vmm_mremap(s, now, wanted, bytes, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, from, &now);
    return NULL;
}
/** @endcond */

/** Fills the options of a heap that VMM_FAR_HEAP stamped, so that it lives in a space: it grows and shrinks by
 *  vmm_brk, and maps large blocks by vmm_mmap, moves them by vmm_mremap. All else is 0, which is the thresholds of
 *  mallopt(3): 128 KiB each, following what is freed; set them, misuse and secret before NAME_init.
 *
 *  A call of the heap may fault as the program's own accesses do. One that cannot be served is VMM_FAULT: the heap is
 *  as it was before the call, and the space's signal says why. The heap ends with the space's program; a fork has a
 *  copy of the memory, and needs a copy of the heap_t whose hooks.user is the child.
 *  @param space    where it lives
 *  @param options  receives them; the space must stay as long as the heap. O(1). */
VMM_INLINE void vmm_heap_in_space(vmm_space_t *space, vmm_heap_options_t *options)
{
    VMM_SET(options, 0, sizeof *options);
    options->far_arena = space->brk;
    options->hooks.grow = vmm_heap_break_up;
    options->hooks.shrink = vmm_heap_break_down;
    options->hooks.map = vmm_heap_map;
    options->hooks.unmap = vmm_heap_unmap;
    if (vmm_machine_of(space)->paging->page_shift >= 12) options->hooks.remap = vmm_heap_remap;
    options->hooks.load = vmm_heap_load;
    options->hooks.store = vmm_heap_store;
    options->hooks.user = space;
}
/** @} */

/* =========================================================== Part III  18. look at spaces == */
/** @defgroup vmm_look 18. Look at spaces
 *  What a machine's memory is used for, as plain data and as Linux prints it: the names of fields are those of /proc.
 *  Looking changes nothing.
 *  @{ */

/** Bits behind the point of Pss: a page of three owners counts a third for each, exactly as Linux rounds it. */
#define VMM_PSS_SHIFT 12

/** What an area has in memory (/proc/PID/smaps). Bytes; those marked Pss are bytes times 2^VMM_PSS_SHIFT.
 *  rss = shared_clean + shared_dirty + private_clean + private_dirty. The frame of zeros that unwritten pages share
 *  is not counted. */
typedef struct vmm_usage {
    uint64_t size;          /**< Addresses. */
    uint64_t rss;           /**< In frames. */
    uint64_t pss;           /**< Pss: likewise, each page divided by how often it is mapped. */
    uint64_t pss_dirty;     /**< Pss: what of it is dirty. */
    uint64_t shared_clean;  /**< In frames that are mapped more than once. */
    uint64_t shared_dirty;  /**< Likewise, and would have to be written before they could be taken. */
    uint64_t private_clean; /**< In frames that this entry alone maps. */
    uint64_t private_dirty; /**< Likewise. */
    uint64_t referenced;    /**< Used since somebody last asked. */
    uint64_t anonymous;     /**< Not of a file. */
    uint64_t ksm;           /**< In frames of merged pages. */
    uint64_t lazy_free;     /**< Given up by MADV_FREE, and not taken yet. */
    uint64_t huge;          /**< Mapped by huge pages. */
    uint64_t swap;          /**< In slots. */
    uint64_t swap_pss;      /**< Pss: likewise, each slot divided by how many entries stand for it. */
    uint64_t locked;        /**< Pss: of locked areas. */
} vmm_usage_t;

/** What frames are used for (/proc/meminfo). Bytes. */
typedef struct vmm_meminfo_of_machine {
    uint64_t total;        /**< MemTotal: RAM. */
    uint64_t free;         /**< MemFree. */
    uint64_t available;    /**< MemAvailable: free above the low watermark, and most of the files' pages. */
    uint64_t cached;       /**< Cached: pages of objects. */
    uint64_t swap_cached;  /**< SwapCached: pages that have a frame and a slot. */
    uint64_t locked;       /**< Mlocked: pages of locked areas. */
    uint64_t dirty;        /**< Dirty: pages of files that differ from them. */
    uint64_t anon;         /**< AnonPages. */
    uint64_t mapped;       /**< Mapped: pages of objects that some space maps. */
    uint64_t shmem;        /**< Shmem: pages of shared memory. */
    uint64_t tables;       /**< PageTables. */
    uint64_t swap_total;   /**< SwapTotal. */
    uint64_t swap_free;    /**< SwapFree. */
    uint64_t commit_limit; /**< CommitLimit: what may be promised with VMM_OVERCOMMIT_NEVER. */
    uint64_t committed;    /**< Committed_AS: what is promised. */
    uint64_t anon_huge;    /**< AnonHugePages: mapped by huge pages, in all spaces. */
    uint64_t huge_bytes;   /**< Hugepagesize; 0: the format has none at level 1. */
} vmm_meminfo_t;

/** @cond internal */
/* One page that an entry maps (Linux, fs/proc/task_mmu.c, smaps_account and smaps_page_accumulate). */
VMM_OUTLINE void vmm_usage_page(const vmm_machine_t *m, const vmm_area_t *a, uint32_t frame, vmm_pte_t pte,
                                vmm_usage_t *u)
{
    const vmm_paging_t *p = m->paging;
    const vmm_frame_t *f = vmm_frame_at(m, frame);
    const uint64_t bytes = vmm_page_bytes(m);
    const bool valid = (pte & p->valid) != 0, shared = f->mappings > 1;
    const bool dirty = f->flags & VMM_FRAME_DIRTY || (valid && vmm_pte_is_dirty(p, pte));
    uint64_t pss = bytes << VMM_PSS_SHIFT;
    if (frame == m->zero_frame) return;
    if (shared) pss /= f->mappings;
    u->rss += bytes;
    u->pss += pss;
    if (dirty) u->pss_dirty += pss;
    *(shared ? dirty ? &u->shared_dirty : &u->shared_clean : dirty ? &u->private_dirty : &u->private_clean) += bytes;
    if (f->flags & VMM_FRAME_REFERENCED || (valid && p->accessed && vmm_pte_grants(p, pte, p->accessed)))
        u->referenced += bytes;
    if (vmm_frame_kind(f) != VMM_FRAME_CACHE) u->anonymous += bytes;
    if (vmm_frame_kind(f) == VMM_FRAME_MERGED) u->ksm += bytes;
    if (f->flags & VMM_FRAME_LAZY && !dirty) u->lazy_free += bytes;
    if (a->flags & VMM_AREA_LOCKED) u->locked += pss;
}

VMM_INLINE void vmm_usage_slot(const vmm_machine_t *m, uint32_t slot, vmm_usage_t *u)
{
    const uint64_t bytes = vmm_page_bytes(m);
    const uint32_t count = vmm_slot_at(m, slot)->count;
    u->swap += bytes;
    u->swap_pss += (bytes << VMM_PSS_SHIFT) / (count ? count : 1);
}

/* One entry; of a huge leaf all of its pages. */
VMM_OUTLINE void vmm_usage_entry(const vmm_machine_t *m, const vmm_area_t *a, vmm_pte_t pte, unsigned level,
                                 vmm_usage_t *u)
{
    const unsigned shift = vmm_level_shift(m->paging, level) - m->paging->page_shift;
    uint32_t number = 0, i;
    const unsigned kind = vmm_entry_read(m, pte, &number);
    if (kind == VMM_ENTRY_SLOT) vmm_usage_slot(m, number, u);
    if (kind != VMM_ENTRY_PAGE && kind != VMM_ENTRY_PARKED) return;
    for (i = 0; i < UINT32_C(1) << shift; i++) vmm_usage_page(m, a, number + i, pte, u);
    if (level) u->huge += vmm_page_bytes(m) << shift;
}

/* Pages of shared memory in slots, where no entry stands for them: slots of an object have no entries. */
VMM_OUTLINE void vmm_usage_object(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_usage_t *u)
{
    const vmm_object_t *o = vmm_object_at(m, a->object);
    const uint64_t end = a->offset + ((a->end - a->start) >> m->paging->page_shift);
    uint32_t page = 0, value = 0;
    uint64_t from = a->offset;
    if (o->options.kind != VMM_OBJECT_SHARED) return;
    for (; from < end && vmm_index_next(m, &o->pages, (uint32_t)from, &page, &value) && page < end;
         from = (uint64_t)page + 1) {
        const vmm_vaddr_t va = a->start + ((page - a->offset) << m->paging->page_shift);
        unsigned level;
        const uint8_t *entry;
        if (!(value & VMM_PAGE_IN_SLOT)) continue;
        entry = vmm_entry_find(m, s, va, &level);
        if (!entry || !vmm_pte_load(m->paging, entry)) u->swap += vmm_page_bytes(m);
    }
}

VMM_OUTLINE void vmm_usage_area(vmm_machine_t *m, vmm_space_t *s, const vmm_area_t *a, vmm_usage_t *u)
{
    vmm_vaddr_t va = a->start;
    vmm_run_t run;
    u->size += a->end - a->start;
    while (vmm_run_next(m, s, &va, a->end, &run))
        for (; run.count; run.count--, run.entry += m->paging->pte_bytes)
            vmm_usage_entry(m, a, vmm_pte_load(m->paging, run.entry), run.level, u);
    if (a->object) vmm_usage_object(m, s, a, u);
}
/** @endcond */

/** What an area has in memory.
 *  @param s      the space
 *  @param area   number of the area; 0: all of the space's together
 *  @param usage  receives it. O(entries of the area). */
VMM_OUTLINE void vmm_smaps(vmm_space_t *s, uint32_t area, vmm_usage_t *usage)
{
    vmm_machine_t *m = vmm_machine_of(s);
    VMM_SET(usage, 0, sizeof *usage);
    if (area) {
        vmm_usage_area(m, s, vmm_area_at(m, area), usage);
        return;
    }
    for (area = vmm_area_first(s); area; area = vmm_area_next(s, area))
        vmm_usage_area(m, s, vmm_area_at(m, area), usage);
}

/** What frames are used for.
 *  @param m     the machine
 *  @param info  receives it. O(frames + spaces). */
VMM_OUTLINE void vmm_meminfo(vmm_machine_t *m, vmm_meminfo_t *info)
{
    const vmm_paging_t *p = m->paging;
    const unsigned shift = p->page_shift;
    const uint64_t page = vmm_page_bytes(m), low = m->options.watermark_low;
    const bool huge = p->levels > 1 && ((p->leaf_levels >> 1) & 1);
    uint64_t files;
    uint32_t i;
    VMM_SET(info, 0, sizeof *info);
    for (i = 0; i < m->frame_count; i++) {
        const vmm_frame_t *f = vmm_frame_at(m, i);
        const bool cache = vmm_frame_kind(f) == VMM_FRAME_CACHE, shmem = vmm_frame_is_shared_memory(m, f);
        if (vmm_frame_kind(f) < VMM_FRAME_ANON) continue;
        if (shmem) info->shmem += page;
        if (cache && !shmem && vmm_frame_dirty(m, i)) info->dirty += page;
        if (cache && f->mappings) info->mapped += page;
        if (f->flags & VMM_FRAME_SWAP) info->swap_cached += page;
        if (f->flags & VMM_FRAME_LOCKED) info->locked += page;
    }
    for (i = 1; huge && i <= m->spaces.fresh; i++)
        if (vmm_space_at(m, i)->number == i) info->anon_huge += vmm_space_at(m, i)->stats.huge << vmm_level_shift(p, 1);
    info->total = (uint64_t)m->frame_count << shift;
    info->free = (uint64_t)m->frames.free_frames << shift;
    info->cached = m->pages_cache << shift;
    info->anon = m->pages_anon << shift;
    info->tables = m->pages_tables << shift;
    info->swap_total = (uint64_t)m->slot_count << shift;
    info->swap_free = (uint64_t)(m->slot_count - m->slots_used) << shift;
    info->commit_limit = ((uint64_t)m->frame_count * m->options.overcommit_ratio / 100 + m->slot_count) << shift;
    info->committed = m->committed << shift;
    info->huge_bytes = huge ? UINT64_C(1) << vmm_level_shift(p, 1) : 0;
    /* Linux, mm/show_mem.c, si_mem_available: half of the files' pages, or the low watermark, is held to be needed. */
    files = m->pages_cache - (info->shmem >> shift);
    files -= files / 2 < low ? files / 2 : low;
    info->available = (files + (m->frames.free_frames > low ? m->frames.free_frames - low : 0)) << shift;
}

/** A space's badness on the scale of /proc/PID/oom_score: 0 to 2000, and 667 more or less when it uses nothing.
 *  @param s  the space
 *  @return it; 0 when it must not be killed. O(1). */
VMM_OUTLINE unsigned vmm_oom_score(const vmm_space_t *s)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const int64_t badness = vmm_oom_badness(s), total = (int64_t)m->frame_count + m->slot_count;
    if (badness == INT64_MIN) return 0;
    return (unsigned)((1000 + badness * 1000 / total) * 2 / 3); /* Linux, fs/proc/base.c, proc_oom_score */
}

/** What maps shows as the name of an area.
 *  @param s     the space
 *  @param area  number of the area
 *  @return its object's name, "[heap]", "[stack]", or "" for none. Valid while the object lives. O(1). */
VMM_OUTLINE const char *vmm_area_name(const vmm_space_t *s, uint32_t area)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_area_t *a = vmm_area_at(m, area);
    if (a->object) {
        const vmm_object_t *o = vmm_object_at(m, a->object);
        return o->name[0] || o->options.kind != VMM_OBJECT_SHARED ? o->name : "/dev/zero (deleted)";
    }
    if (a->start < s->brk && a->end > s->brk_start) return "[heap]";
    if (a->flags & VMM_AREA_STACK || (s->stack_start >= a->start && s->stack_start < a->end)) return "[stack]";
    return "";
}

/** @return what an event tells, as a few words; "unknown" for a number that is none. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_event_text(unsigned kind);

/** @return a sentence about why a program is refused. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_exec_rule_text(unsigned rule);

/** @return "unallocated", "uncached" or "cached". Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_page_state_text(unsigned state);

#if VMM_STDIO
#include <stdio.h>

/** Prints the areas of a space as /proc/PID/maps has them. The device is 00:01 and the inode the object's number, where
 *  there is one.
 *  @param out  where to
 *  @param s    the space. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_maps(FILE *out, vmm_space_t *s);

/** Prints the areas of a space with what they have in memory, as /proc/PID/smaps. Sizes are kB, or B where a page is
 *  smaller than that.
 *  @param out  where to
 *  @param s    the space. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_smaps(FILE *out, vmm_space_t *s);

/** Prints a line for each space. State: R a processor runs it, S none does, X it was killed. OOM is its oom_score, ADJ
 *  its oom_score_adj.
 *  @param out  where to
 *  @param m    the machine. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_ps(FILE *out, const vmm_machine_t *m);

/** Prints what frames are used for, as /proc/meminfo.
 *  @param out  where to
 *  @param m    the machine. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_meminfo(FILE *out, vmm_machine_t *m);

/** Prints how many blocks of each order are free, as /proc/buddyinfo.
 *  @param out  where to
 *  @param m    the machine. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_buddyinfo(FILE *out, const vmm_machine_t *m);

/** Prints the machine's records by kind, as /proc/slabinfo: how many are taken, how many there are, bytes of one, how
 *  many fit a page.
 *  @param out  where to
 *  @param m    the machine. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_slabinfo(FILE *out, const vmm_machine_t *m);

/** Prints an event in a line, with the step of the textbooks' page fault that it is, if it is one: made to be called
 *  from options.event.
 *  @param out    where to
 *  @param event  the event. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_event(FILE *out, const vmm_event_t *event);
#endif
/** @} */

/* ============================================================ Part III  19. explain == */
/** @defgroup vmm_looking 19. Explain
 *  One access shown field by field, and a whole tree. Looking changes nothing: no counter, no
 *  accessed bit, no TLB entry.
 *  @{ */

/** One access in the textbooks' symbols. */
typedef struct vmm_examination {
    const vmm_paging_t *paging;      /**< The format it is walked in; null: translation is off. */
    vmm_vaddr_t vaddr;               /**< The address. */
    uint64_t vpn;                    /**< Its page number, without the bits above the address space. */
    uint64_t vpo;                    /**< Its offset in the page. */
    uint64_t tlbi;                   /**< Set that the page number picks. */
    uint64_t tlbt;                   /**< What is compared in it. */
    uint64_t ppn;                    /**< Frame number, when there is no fault. */
    uint64_t ppo;                    /**< Offset in the frame. */
    uint8_t access;                  /**< enum vmm_access. */
    uint8_t tlbi_bits;               /**< Width of TLBI; 0 with has_tlb: one set. */
    uint8_t has_tlb;                 /**< The instance has a TLB. */
    uint8_t tlb_hit;                 /**< It holds the page, with the rights that are needed. */
    uint8_t steps;                   /**< Entries read by the walk: none on a hit. */
    uint8_t status;                  /**< VMM_OK or VMM_FAULT. */
    vmm_step_t step[VMM_MAX_LEVELS]; /**< Those entries, from the top. */
    vmm_translation_t translation;   /**< Where the address leads. */
    vmm_fault_t fault;               /**< Or why it leads nowhere. */
} vmm_examination_t;

/** @cond internal */
/* The TLB's part: the fields of the page number, and what an entry would say. */
VMM_INLINE void vmm_mmu_examine_tlb(vmm_ref_t u, const vmm_context_t *context, vmm_examination_t *x)
{
    long at;
    x->has_tlb = 1;
    x->tlbi_bits = (uint8_t)__builtin_ctz(u.model->tlb_sets);
    if (x->tlbi_bits > x->paging->vaddr_bits - x->paging->page_shift) /* more sets than pages */
        x->tlbi_bits = (uint8_t)(x->paging->vaddr_bits - x->paging->page_shift);
    x->tlbi = x->vpn & (u.model->tlb_sets - 1u);
    x->tlbt = x->vpn >> x->tlbi_bits;
    if (!vmm_has_address(u, context, x->vaddr)) return;
    at = vmm_tlb_find(u, x->access, context, x->vaddr);
    if (at < 0) return;
    vmm_tlb_tell(x->paging, &u.tlb_entry[at], x->vaddr, &x->translation);
    x->tlb_hit = vmm_tlb_serves(u, context, x->access, &x->translation);
}

VMM_INLINE void vmm_mmu_examine(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_examination_t *x)
{
    const vmm_memory_t *memory = &u.state->memory;
    const vmm_paging_t *p = vmm_base(u);
    unsigned format;
    vmm_context_t context;
    vmm_stats_t stats = {0, 0, 0, 0, 0};
    unsigned steps = 0;
    VMM_SET(x, 0, sizeof *x);
    x->access = (uint8_t)(access > VMM_FETCH ? (unsigned)VMM_READ : access);
    context = u.state->view[x->access].context;
    x->vaddr = va;
    x->vpo = va & vmm_low_mask(p->page_shift);
    u.fault = &x->fault; /* this copy of the parts leaves the instance's own alone */
    u.stats = &stats;
    format = vmm_half_of(u, &context, va)->format;
    if (vmm_is_guest(u, &context)) {
        if (format != VMM_BARE) x->paging = p = u.model->arch->format[format];
        x->vpn = (x->paging ? va & vmm_low_mask(p->vaddr_bits) : va) >> p->page_shift;
        if (context.judge.marking == VMM_MARK_UPDATE) context.judge.marking = VMM_MARK_PEEK;
        if (context.judge.features & VMM_RISCV_SECOND_MARKS) context.judge.features |= VMM_RISCV_SECOND_PEEK;
        x->status =
            (uint8_t)vmm_walk_stages(u, &context, &context.judge, x->access, va, &x->translation, x->step, &steps);
        x->steps = (uint8_t)steps;
    } else if (format == VMM_BARE) {
        x->vpn = va >> p->page_shift;
        x->status = (uint8_t)vmm_mmu_identity(u, &context, x->access, va, &x->translation);
    } else {
        x->paging = p = u.model->arch->format[format];
        x->vpn = (va & vmm_low_mask(p->vaddr_bits)) >> p->page_shift;
        if (vmm_has_tlb(u)) vmm_mmu_examine_tlb(u, &context, x);
        if (context.judge.marking == VMM_MARK_UPDATE) context.judge.marking = VMM_MARK_PEEK;
        if (!x->tlb_hit)
            x->status =
                (uint8_t)vmm_walk_looking(u, &context, &context.judge, x->access, va, &x->translation, x->step, &steps);
        x->steps = (uint8_t)steps;
    }
    if (x->status == VMM_OK && !vmm_mem_host(memory, x->translation.paddr, 1) &&
        (x->access == VMM_WRITE ? !memory->bus.write : !memory->bus.read))
        x->status = (uint8_t)vmm_mmu_refused(u, x->access, va, &x->translation);
    x->ppn = x->translation.paddr >> p->page_shift;
    x->ppo = x->translation.paddr & vmm_low_mask(p->page_shift);
}
/** @endcond */

/** @return a sentence about a status; "unknown" for a number that is none. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_status_text(unsigned status);

/** @return a sentence about the rule that failed. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_rule_text(unsigned rule);

/** @return "page fault", "access fault" and so on, or "no fault". Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_fault_text(unsigned kind);

/** @return "read", "write" or "fetch". Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C const char *vmm_access_text(unsigned access);

#if VMM_STDIO
#include <stdio.h>

/** Prints an examination, a line for each stage that the address went through.
 *  @param out  where to
 *  @param x    what NAME_examine found. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_examination(FILE *out, const vmm_examination_t *x);

/** Prints a tree of tables: every pointer, and leaves, neighbours that map one stretch of memory
 *  with the same rights in one line.
 *  @param out     where to
 *  @param paging  the format
 *  @param tables  the tree
 *  @return VMM_OK, or VMM_E_TABLE when the root lies outside RAM; bad tables below are shown as such.
 *  Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C vmm_status_t vmm_print_tables(FILE *out, const vmm_paging_t *paging, const vmm_tables_t *tables);

/** @cond internal */
VMM_INLINE vmm_status_t vmm_mmu_explain(vmm_ref_t u, unsigned access, vmm_vaddr_t va, FILE *out)
{
    vmm_examination_t x;
    vmm_mmu_examine(u, access, va, &x);
    vmm_print_examination(out, &x);
    return (vmm_status_t)x.status;
}
/** @endcond */
#endif
/** @} */

/* ==================================================== Part III  20. history, symbols == */
/** @defgroup vmm_histories 20. History
 *  Snapshots one after the other: stretches of memory are watched, each step keeps what it changed, and a program goes
 *  back and forward among its steps. Besides: the symbols of the textbooks as a list, and an access told as events.
 *
 *  Anything that is plain data in one place can be watched: an MMU, a machine's block, RAM, a device that is memory, a
 *  heap, a variable of the program.
 *
 *      vmm_history_create(block, sizeof block, &history);
 *      vmm_history_watch(history, &mmu, sizeof mmu);
 *      vmm_history_watch(history, records, sizeof records);     // the machine's block
 *      vmm_history_watch(history, ram, sizeof ram);
 *      rv_store8(&mmu, va, 1);
 *      vmm_history_mark(history);                               // step 1 ends here
 *      rv_store8(&mmu, va, 2);
 *      vmm_history_mark(history);                               // step 2
 *      vmm_history_back(history);                               // 1 is there again, and nothing of the second store
 *
 *  Each byte comes back as it was, pointers too. They are right still, because it comes back to the same place: the
 *  front and the walk cache of an MMU (host addresses), the machine that it is attached to, callbacks. What a watched
 *  thing depends on must be watched with it: tables and data in RAM with the MMU that remembers them, the machine's
 *  block with its RAM and its swap, the bytes of NAME_set_track. Who watches RAM without the MMU calls NAME_flush_all
 *  after going back. A copy of an MMU to some other place is NAME_snapshot's and NAME_restore's affair.
 *
 *  | word | meaning |
 *  |---|---|
 *  | stretch | memory that is watched |
 *  | mark | the end of a step: a state that can be had again; mark 0 is where the history began |
 *  | step | what changed from one mark to the next; step n ends at mark n |
 *  | forgotten | so old that its room was needed: no way back over it |
 *
 *  Limits: VMM_HISTORY_STRETCHES stretches; one thread at a time, and nobody else may use watched memory while a
 *  function of a history runs.
 *  @{ */

/** Most stretches of a history. */
#define VMM_HISTORY_STRETCHES 16

/** Memory that a history watches. */
typedef struct vmm_stretch {
    void *start;    /**< Where it lies; the caller's. */
    uint64_t bytes; /**< Its size. */
    uint64_t copy;  /**< Offset of its state at the present mark, from the history; bytes. */
} vmm_stretch_t;

/** A history: the head of its block. Copies of the stretches follow, then the log, a ring of 64-bit words. A step in
 *  it: how many words its changes take, the changes, the same number again. A change: bits 7:0 which of eight words
 *  differ, 15:8 the stretch, 63:16 which 64 bytes of it; then for each such word old XOR new, which goes both ways.
 *  Invariants: first <= here <= end <= first + room; forgotten <= step <= last; log + 8 * room <= bytes. */
typedef struct vmm_history {
    uint64_t bytes;     /**< Of the block. */
    uint64_t log;       /**< Offset of the log; bytes. */
    uint64_t room;      /**< Words in it. */
    uint64_t first;     /**< Words ever written before the oldest step; word n of all lies at n modulo room. */
    uint64_t here;      /**< Likewise, before the step that follows the present mark. */
    uint64_t end;       /**< Likewise, altogether. */
    uint64_t forgotten; /**< Steps that were forgotten: the number of the oldest mark that is left. */
    uint64_t step;      /**< Number of the present mark. */
    uint64_t last;      /**< Number of the newest mark. */
    uint64_t stretches; /**< How many of the following. */
    vmm_stretch_t stretch[VMM_HISTORY_STRETCHES]; /**< What is watched. */
} vmm_history_t;

/** @cond internal */
#define VMM_HISTORY_CHUNK 64u /* bytes that are compared at once */
#define VMM_HISTORY_LEAST 8u  /* words of the shortest log */

VMM_INLINE uint64_t vmm_history_rounded(uint64_t bytes)
{
    return (bytes + (VMM_HISTORY_CHUNK - 1)) & ~(uint64_t)(VMM_HISTORY_CHUNK - 1);
}

VMM_INLINE uint8_t *vmm_history_copy(const vmm_history_t *h, unsigned stretch)
{
    return (uint8_t *)(uintptr_t)h + (size_t)h->stretch[stretch].copy;
}

/* Word n of all that were ever written to the log. */
VMM_INLINE uint64_t *vmm_history_word(const vmm_history_t *h, uint64_t n)
{
    return (uint64_t *)(void *)((uint8_t *)(uintptr_t)h + (size_t)h->log) + (size_t)(n % h->room);
}

/* The log fills what the copies leave, and is empty. */
VMM_INLINE void vmm_history_empty(vmm_history_t *h)
{
    h->room = (h->bytes - h->log) / 8;
    h->first = h->here = h->end = 0;
    h->forgotten = h->step = h->last = 0;
}

/* Which of the eight words from an offset on differ from the kept ones, as bits, and by what. */
VMM_INLINE unsigned vmm_history_compare(const vmm_history_t *h, unsigned stretch, uint64_t offset, uint64_t delta[8])
{
    const vmm_stretch_t *s = &h->stretch[stretch];
    const uint64_t left = s->bytes - offset;
    uint64_t kept[8], any = 0;
    unsigned i, words = 0;
    VMM_COPY(kept, vmm_history_copy(h, stretch) + (size_t)offset, VMM_HISTORY_CHUNK);
    if (left >= VMM_HISTORY_CHUNK) {
        VMM_COPY(delta, (const uint8_t *)s->start + (size_t)offset, VMM_HISTORY_CHUNK);
    } else {
        VMM_SET(delta, 0, VMM_HISTORY_CHUNK);
        VMM_COPY(delta, (const uint8_t *)s->start + (size_t)offset, (size_t)left);
    }
    for (i = 0; i < 8; i++) any |= delta[i] ^= kept[i];
    for (i = 0; i < 8 && any; i++) words |= (delta[i] ? 1u : 0u) << i;
    return words;
}

/* Writes one change to the end of the log, and to the copy. Returns how many words it took. */
VMM_INLINE uint64_t vmm_history_put(vmm_history_t *h, unsigned stretch, uint64_t offset, unsigned words,
                                    const uint64_t delta[8])
{
    uint8_t *copy = vmm_history_copy(h, stretch) + (size_t)offset;
    const uint64_t before = h->end;
    uint64_t kept;
    unsigned i;
    *vmm_history_word(h, h->end++) = words | (uint64_t)stretch << 8 | offset / VMM_HISTORY_CHUNK << 16;
    for (i = 0; i < 8; i++) {
        if (!(words >> i & 1)) continue;
        *vmm_history_word(h, h->end++) = delta[i];
        VMM_COPY(&kept, copy + 8 * i, 8);
        kept ^= delta[i];
        VMM_COPY(copy + 8 * i, &kept, 8);
    }
    return h->end - before;
}

/* Looks for changes since the present mark, and keeps them or only counts the words that they would take. */
VMM_INLINE uint64_t vmm_history_scan(vmm_history_t *h, bool keep)
{
    uint64_t delta[8], took = 0, offset;
    unsigned stretch, words;
    for (stretch = 0; stretch < h->stretches; stretch++)
        for (offset = 0; offset < h->stretch[stretch].bytes; offset += VMM_HISTORY_CHUNK) {
            words = vmm_history_compare(h, stretch, offset, delta);
            if (!words) continue;
            if (keep) {
                took += vmm_history_put(h, stretch, offset, words, delta);
                continue;
            }
            for (took++; words; words &= words - 1) took++;
        }
    return took;
}

/* Turns the copies from the state before a step to that behind it, or back: both are the same. */
VMM_INLINE void vmm_history_turn(vmm_history_t *h, uint64_t at)
{
    const uint64_t end = at + 1 + *vmm_history_word(h, at);
    uint64_t head, kept;
    uint8_t *copy;
    unsigned i;
    for (at++; at < end;) {
        head = *vmm_history_word(h, at++);
        copy = vmm_history_copy(h, (unsigned)(head >> 8 & 0xff)) + (size_t)((head >> 16) * VMM_HISTORY_CHUNK);
        for (i = 0; i < 8; i++) {
            if (!(head >> i & 1)) continue;
            VMM_COPY(&kept, copy + 8 * i, 8);
            kept ^= *vmm_history_word(h, at++);
            VMM_COPY(copy + 8 * i, &kept, 8);
        }
    }
}

VMM_INLINE bool vmm_history_overlaps(const void *a, uint64_t a_bytes, const void *b, uint64_t b_bytes)
{
    return (uintptr_t)a <= (uintptr_t)b + (b_bytes - 1) && (uintptr_t)b <= (uintptr_t)a + (a_bytes - 1);
}
/** @endcond */

/** How large the block of a history should be.
 *  @param watched    bytes of all stretches together
 *  @param stretches  how many they are
 *  @param changes    bytes for changes: 8 for each 8 bytes that a step changes, 8 more for each 64 bytes in which there
 *                    are any, and 16 for each step
 *  @return bytes. O(1). */
VMM_INLINE uint64_t vmm_history_bytes(uint64_t watched, unsigned stretches, uint64_t changes)
{
    const uint64_t least = 8 * VMM_HISTORY_LEAST;
    return vmm_history_rounded(sizeof(vmm_history_t)) + watched + (uint64_t)stretches * (VMM_HISTORY_CHUNK - 1) +
           (changes < least ? least : (changes + 7) & ~UINT64_C(7));
}

/** Makes a history that watches nothing yet.
 *  @param block    memory for copies and log, aligned to 8; its first bytes are the history
 *  @param bytes    its size, at least vmm_history_bytes(0, 0, 0)
 *  @param history  receives the history
 *  @return VMM_OK; VMM_E_ARGUMENT when a pointer is null or the block too small; VMM_E_ALIGN. O(1). */
VMM_OUTLINE vmm_status_t vmm_history_create(void *block, uint64_t bytes, vmm_history_t **history)
{
    vmm_history_t *h = (vmm_history_t *)block;
    if (!block || !history || bytes < vmm_history_bytes(0, 0, 0) || bytes > SIZE_MAX) return VMM_E_ARGUMENT;
    if ((uintptr_t)block & 7) return VMM_E_ALIGN;
    VMM_SET(h, 0, sizeof *h);
    h->bytes = bytes;
    h->log = vmm_history_rounded(sizeof *h);
    vmm_history_empty(h);
    *history = h;
    return VMM_OK;
}

/** Watches one more stretch of memory, from now on; all of them before the first mark.
 *  @param h      the history
 *  @param start  its first byte, of any alignment; the caller keeps it as long as the history is used
 *  @param bytes  its size
 *  @return VMM_OK; VMM_E_ARGUMENT when start is null; VMM_E_RANGE when bytes is 0 or the stretch wraps; VMM_E_MAPPED
 *  when a byte of it is watched already or in the history's block; VMM_E_BUSY when a step was marked (see
 *  vmm_history_begin); VMM_E_LIMIT for one stretch too many; VMM_E_NO_FRAME when its copy does not fit the block.
 *  Nothing is changed then. O(bytes). */
VMM_OUTLINE vmm_status_t vmm_history_watch(vmm_history_t *h, void *start, uint64_t bytes)
{
    vmm_stretch_t *s = &h->stretch[h->stretches];
    unsigned i;
    if (!start) return VMM_E_ARGUMENT;
    if (bytes == 0 || bytes > SIZE_MAX || (uintptr_t)start + ((uintptr_t)bytes - 1) < (uintptr_t)start)
        return VMM_E_RANGE;
    if (vmm_history_overlaps(h, h->bytes, start, bytes)) return VMM_E_MAPPED;
    for (i = 0; i < h->stretches; i++)
        if (vmm_history_overlaps(h->stretch[i].start, h->stretch[i].bytes, start, bytes)) return VMM_E_MAPPED;
    if (h->last) return VMM_E_BUSY;
    if (h->stretches == VMM_HISTORY_STRETCHES) return VMM_E_LIMIT;
    if (bytes > h->bytes || vmm_history_rounded(bytes) + 8 * VMM_HISTORY_LEAST > h->bytes - h->log)
        return VMM_E_NO_FRAME;
    s->start = start;
    s->bytes = bytes;
    s->copy = h->log;
    h->log += vmm_history_rounded(bytes);
    VMM_SET((uint8_t *)h + (size_t)s->copy, 0, (size_t)vmm_history_rounded(bytes));
    VMM_COPY((uint8_t *)h + (size_t)s->copy, start, (size_t)bytes);
    h->stretches++;
    vmm_history_empty(h);
    return VMM_OK;
}

/** Forgets all steps: mark 0 is what the stretches hold now. More may be watched then.
 *  @param h  the history. O(bytes watched). */
VMM_OUTLINE void vmm_history_begin(vmm_history_t *h)
{
    unsigned i;
    for (i = 0; i < h->stretches; i++)
        VMM_COPY(vmm_history_copy(h, i), h->stretch[i].start, (size_t)h->stretch[i].bytes);
    vmm_history_empty(h);
}

/** Ends a step: what changed since the present mark is kept, and the mark that follows is the present one. Steps that
 *  lay ahead, after going back, are dropped. When room is short the oldest steps are forgotten, which h->forgotten
 *  counts.
 *  @param h  the history
 *  @return VMM_OK; VMM_E_NO_FRAME when the changes do not fit even an empty log: nothing was changed then, steps ahead
 *  are there still, and vmm_history_restore or vmm_history_begin lead on.
 *  O(bytes watched): they are compared twice. */
VMM_OUTLINE vmm_status_t vmm_history_mark(vmm_history_t *h)
{
    const uint64_t words = vmm_history_scan(h, false);
    if (words + 2 > h->room) return VMM_E_NO_FRAME;
    h->end = h->here;
    h->last = h->step;
    for (; h->end - h->first + words + 2 > h->room; h->forgotten++) h->first += *vmm_history_word(h, h->first) + 2;
    *vmm_history_word(h, h->end++) = words;
    (void)vmm_history_scan(h, true);
    *vmm_history_word(h, h->end++) = words;
    h->here = h->end;
    h->step = ++h->last;
    return VMM_OK;
}

/** Goes to a mark: every stretch holds again what it held there. What changed since the present mark is no step, and is
 *  undone and lost: so a program may look around with real accesses, and leave no trace.
 *  @param h     the history
 *  @param mark  its number, h->forgotten to h->last
 *  @return VMM_OK; VMM_E_LIMIT when there is no such mark, or no more: nothing was changed then.
 *  O(bytes watched + changes of the steps between). */
VMM_OUTLINE vmm_status_t vmm_history_go(vmm_history_t *h, uint64_t mark)
{
    unsigned i;
    if (mark < h->forgotten || mark > h->last) return VMM_E_LIMIT;
    for (; h->step > mark; h->step--) {
        h->here -= *vmm_history_word(h, h->here - 1) + 2;
        vmm_history_turn(h, h->here);
    }
    for (; h->step < mark; h->step++) {
        vmm_history_turn(h, h->here);
        h->here += *vmm_history_word(h, h->here) + 2;
    }
    for (i = 0; i < h->stretches; i++)
        VMM_COPY(h->stretch[i].start, vmm_history_copy(h, i), (size_t)h->stretch[i].bytes);
    return VMM_OK;
}

/** Goes back to the present mark: undoes what changed since.
 *  @param h  the history. O(bytes watched). */
VMM_INLINE void vmm_history_restore(vmm_history_t *h)
{
    (void)vmm_history_go(h, h->step);
}

/** Goes one step back, to the mark before the present one.
 *  @param h  the history
 *  @return VMM_OK; VMM_E_LIMIT at the oldest mark that is left. As vmm_history_go. */
VMM_INLINE vmm_status_t vmm_history_back(vmm_history_t *h)
{
    return h->step ? vmm_history_go(h, h->step - 1) : VMM_E_LIMIT;
}

/** Goes one step forward again, to the mark behind the present one.
 *  @param h  the history
 *  @return VMM_OK; VMM_E_LIMIT at the newest mark. As vmm_history_go. */
VMM_INLINE vmm_status_t vmm_history_forward(vmm_history_t *h)
{
    return vmm_history_go(h, h->step + 1);
}

/** @cond internal: whether the changes of one step are such, and fill it. */
VMM_INLINE bool vmm_history_check_step(const vmm_history_t *h, uint64_t at, uint64_t end)
{
    uint64_t head, stretch;
    unsigned i;
    while (at < end) {
        head = *vmm_history_word(h, at++);
        stretch = head >> 8 & 0xff;
        if (!(head & 0xff) || stretch >= h->stretches) return false;
        if ((head >> 16) * VMM_HISTORY_CHUNK >= h->stretch[stretch].bytes) return false;
        for (i = 0; i < 8; i++)
            if ((head >> i & 1) && (at >= end || !*vmm_history_word(h, at++))) return false;
    }
    return true;
}
/** @endcond */

/** Checks the invariants of a history: its numbers, and every step in its log.
 *  @param h  the history
 *  @return whether they hold. O(log). */
VMM_OUTLINE bool vmm_history_check(const vmm_history_t *h)
{
    uint64_t at = h->first, mark = h->forgotten, words;
    bool passed = false; /* the present mark */
    if (h->stretches > VMM_HISTORY_STRETCHES || h->log > h->bytes || h->room != (h->bytes - h->log) / 8) return false;
    if (h->room < VMM_HISTORY_LEAST || h->first > h->here || h->here > h->end || h->end - h->first > h->room)
        return false;
    for (;; mark++) {
        if (mark == h->step) passed = at == h->here;
        if (at == h->end) return passed && mark == h->last;
        words = *vmm_history_word(h, at);
        if (h->end - at < 2 || words > h->end - at - 2 || *vmm_history_word(h, at + words + 1) != words) return false;
        if (!vmm_history_check_step(h, at + 1, at + 1 + words)) return false;
        at += words + 2;
    }
}

/* -- the symbols of the textbooks, and events -- */

/** A symbol of the textbooks: a field of an address. */
typedef struct vmm_symbol {
    const char *name; /**< VPN, VPO, TLBI, TLBT, PPN, PPO, CO, CI, CT. */
    uint64_t value;   /**< What stands in it. */
    uint8_t bits;     /**< How wide it is. */
    bool known;       /**< There is such a field, and a value: not the PPN of an access that faults. */
} vmm_symbol_t;

/** How many symbols translation has. */
#define VMM_SYMBOLS 6
/** How many a cache has. */
#define VMM_CACHES_SYMBOLS 3

/** @cond internal */
VMM_INLINE vmm_symbol_t vmm_symbol_of(const char *name, unsigned bits, uint64_t value, bool known)
{
    vmm_symbol_t symbol;
    VMM_SET(&symbol, 0, sizeof symbol);
    symbol.name = name;
    symbol.value = known ? value : 0;
    symbol.bits = (uint8_t)bits;
    symbol.known = known;
    return symbol;
}
/** @endcond */

/** @cond internal */
VMM_INLINE void vmm_tell_one(void (*event)(void *user, const vmm_event_t *event), void *user, vmm_event_t e,
                             unsigned kind, vmm_paddr_t paddr, uint64_t detail)
{
    e.kind = kind;
    e.paddr = paddr;
    e.detail = detail;
    event(user, &e);
}
/** @endcond */

/** The symbols of a translation: VPN, VPO, TLBI, TLBT, PPN, PPO.
 *  @param x     what NAME_examine found
 *  @param list  receives VMM_SYMBOLS of them. With translation off there are 64 bits and pages of 4 KiB. O(1). */
VMM_OUTLINE void vmm_symbols(const vmm_examination_t *x, vmm_symbol_t *list)
{
    const unsigned va_bits = x->paging ? x->paging->vaddr_bits : 64u, pa_bits = x->paging ? x->paging->paddr_bits : 64u;
    const unsigned shift = x->paging ? x->paging->page_shift : 12u;
    const bool tlb = x->has_tlb != 0, there = x->status == VMM_OK;
    list[0] = vmm_symbol_of("VPN", va_bits - shift, x->vpn, true);
    list[1] = vmm_symbol_of("VPO", shift, x->vpo, true);
    list[2] = vmm_symbol_of("TLBI", tlb ? x->tlbi_bits : 0u, x->tlbi, tlb);
    list[3] = vmm_symbol_of("TLBT", tlb ? va_bits - shift - x->tlbi_bits : 0u, x->tlbt, tlb);
    list[4] = vmm_symbol_of("PPN", pa_bits - shift, x->ppn, there);
    list[5] = vmm_symbol_of("PPO", shift, x->ppo, there);
}

/** The symbols of a data cache: CO, CI, CT.
 *  @param geometry    of the cache
 *  @param paddr_bits  width of a physical address
 *  @param step        what vmm_caches_examine or vmm_caches_access told of it; null: it was not asked
 *  @param list        receives VMM_CACHES_SYMBOLS of them. O(1). */
VMM_OUTLINE void vmm_caches_symbols(const vmm_cache_geometry_t *geometry, unsigned paddr_bits,
                                    const vmm_cache_step_t *step, vmm_symbol_t *list)
{
    const unsigned tag_bit = vmm_caches_tag_bit(geometry);
    list[0] = vmm_symbol_of("CO", vmm_caches_block_bits(geometry), step ? step->co : 0, step != NULL);
    list[1] = vmm_symbol_of("CI", (unsigned)__builtin_ctz(geometry->sets), step ? step->ci : 0, step != NULL);
    list[2] = vmm_symbol_of("CT", paddr_bits > tag_bit ? paddr_bits - tag_bit : 0u, step ? step->ct : 0, step != NULL);
}

/** Tells one access of Part I as events, in the order of its stages: the access, TLB hit or miss, each entry that the
 *  walk reads, and the caches. Examinations find all of it, so accesses themselves tell nothing and pay nothing: a
 *  program that explains examines, calls this, and then makes the access. The events go where a machine's go
 *  (options.event), or to any function of that kind, and need no VMM_EVENTS. Of an access that faults, the machine that
 *  serves it tells the access and its last entry itself; who wants them once tells only those with x->status VMM_OK.
 *  @param event   called for each event
 *  @param user    passed to it
 *  @param space   number of the space that runs; 0: none
 *  @param x       what NAME_examine found
 *  @param caches  what the caches say of the PA, nearest first (vmm_caches_examine); null: none
 *  @param levels  how many there are; those that the access does not reach are not told. O(levels of the walk and of
 *                 caches). */
VMM_OUTLINE void vmm_tell_access(void (*event)(void *user, const vmm_event_t *event), void *user, uint32_t space,
                                 const vmm_examination_t *x, const vmm_cache_step_t *caches, unsigned levels)
{
    const bool there = x->status == VMM_OK;
    unsigned i;
    vmm_event_t e;
    VMM_SET(&e, 0, sizeof e);
    e.space = space;
    e.vaddr = x->vaddr;
    vmm_tell_one(event, user, e, VMM_EVENT_ACCESS, 0, x->access);
    if (x->has_tlb && x->tlb_hit) vmm_tell_one(event, user, e, VMM_EVENT_TLB_HIT, x->translation.paddr, x->tlbi);
    else if (x->has_tlb) vmm_tell_one(event, user, e, VMM_EVENT_TLB_MISS, 0, x->tlbi);
    for (i = 0; i < x->steps; i++) {
        vmm_tell_one(event, user, e, VMM_EVENT_WALK, x->step[i].pte_addr, x->step[i].level);
        vmm_tell_one(event, user, e, VMM_EVENT_ENTRY, x->step[i].pte_addr, x->step[i].pte);
    }
    for (i = 0; there && caches && i < levels && caches[i].asked; i++)
        vmm_tell_one(event, user, e, caches[i].hit ? VMM_EVENT_CACHE_HIT : VMM_EVENT_CACHE_MISS, x->translation.paddr,
                     i + 1);
}

#if VMM_STDIO
#include <stdio.h>

/** Prints symbols as a table: name, bits, value in hexadecimal; "-" where none is known.
 *  @param out    where to
 *  @param list   the symbols
 *  @param count  how many. Needs VMM_IMPLEMENTATION. */
VMM_EXTERN_C void vmm_print_symbols(FILE *out, const vmm_symbol_t *list, unsigned count);
#endif
/** @} */

/* ================================================================ VMM_MMU, VMM_TABLES == */
/** @cond internal: the lines that a stamp is made of. */
#define VMM_STAMP_LOAD(NAME, verb, access_, bits, order, big_endian)                                                   \
    VMM_OUTLINE vmm_status_t NAME##_miss_##verb##bits##order(void *self_, vmm_vaddr_t va_, void *value_,               \
                                                             vmm_front_slot_t *slot_)                                  \
    {                                                                                                                  \
        return vmm_mmu_load_miss(NAME##_parts((NAME##_mmu_t *)self_), access_, va_, value_, (bits) / 8, big_endian,    \
                                 slot_);                                                                               \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_##verb##bits##order(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint##bits##_t *value_)    \
    {                                                                                                                  \
        return vmm_mmu_load(NAME##_parts(mmu_), access_, va_, value_, (bits) / 8, big_endian,                          \
                            NAME##_miss_##verb##bits##order);                                                          \
    }
#define VMM_STAMP_STORE(NAME, bits, order, big_endian)                                                                 \
    VMM_OUTLINE vmm_status_t NAME##_miss_store##bits##order(void *self_, vmm_vaddr_t va_, uint64_t value_,             \
                                                            vmm_front_slot_t *slot_)                                   \
    {                                                                                                                  \
        return vmm_mmu_store_miss(NAME##_parts((NAME##_mmu_t *)self_), va_, value_, (bits) / 8, big_endian, slot_);    \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_store##bits##order(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint##bits##_t value_)      \
    {                                                                                                                  \
        return vmm_mmu_store(NAME##_parts(mmu_), va_, value_, (bits) / 8, big_endian, NAME##_miss_store##bits##order); \
    }
#define VMM_STAMP_CAS(NAME, bits)                                                                                      \
    VMM_OUTLINE vmm_status_t NAME##_cas##bits(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint##bits##_t expected_,           \
                                              uint##bits##_t desired_, uint##bits##_t *found_)                         \
    {                                                                                                                  \
        return vmm_mmu_cas(NAME##_parts(mmu_), va_, expected_, desired_, found_, (bits) / 8);                          \
    }
#define VMM_STAMP_RESERVED(NAME, bits)                                                                                 \
    VMM_OUTLINE vmm_status_t NAME##_lr##bits(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint##bits##_t *value_)              \
    {                                                                                                                  \
        return vmm_mmu_lr(NAME##_parts(mmu_), va_, value_, (bits) / 8);                                                \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_sc##bits(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint##bits##_t value_, bool *done_)  \
    {                                                                                                                  \
        return vmm_mmu_sc(NAME##_parts(mmu_), va_, value_, done_, (bits) / 8);                                         \
    }
#define VMM_STAMP_WIDTH(NAME, bits)                                                                                    \
    VMM_STAMP_LOAD(NAME, load, VMM_READ, bits, , false)                                                                \
    VMM_STAMP_LOAD(NAME, fetch, VMM_FETCH, bits, , false)                                                              \
    VMM_STAMP_STORE(NAME, bits, , false)                                                                               \
    VMM_STAMP_CAS(NAME, bits)                                                                                          \
    VMM_STAMP_RESERVED(NAME, bits)
#define VMM_STAMP_BIG_ENDIAN(NAME, bits)                                                                               \
    VMM_STAMP_LOAD(NAME, load, VMM_READ, bits, _be, true)                                                              \
    VMM_STAMP_STORE(NAME, bits, _be, true)

#define VMM_STAMP_TYPE(NAME, REGISTERS, arch, front_n, banks, walk_n, tlbs, sets, ways, policy, detect_)               \
    VMM_STATIC_ASSERT((front_n) == 0 || ((front_n) >= 4 && VMM_IS_POWER(front_n)),                                     \
                      "the front must have a power of two of slots from 4, or 0");                                     \
    VMM_STATIC_ASSERT((banks) >= VMM_BANKS_##REGISTERS(front_n, walk_n) && (banks) <= VMM_MAX_BANKS,                   \
                      "too few or too many front banks: 1 to 8, and 2 or more where loads and fetches may be "         \
                      "judged apart (RISC-V's MPRV)");                                                                 \
    VMM_STATIC_ASSERT((walk_n) == 0 || VMM_IS_POWER(walk_n), "walk-cache slots must be a power of two, or 0");         \
    VMM_STATIC_ASSERT((sets) == 0 || VMM_IS_POWER(sets), "TLB sets must be a power of two, or 0");                     \
    VMM_STATIC_ASSERT((sets) == 0 || ((ways) >= 1 && (ways) <= 64), "a TLB set has 1 to 64 ways");                     \
    VMM_STATIC_ASSERT((policy) != VMM_PLRU || (sets) == 0 || VMM_IS_POWER(ways),                                       \
                      "pseudo-LRU needs a power of two of ways");                                                      \
    VMM_STATIC_ASSERT((tlbs) == 1 || (tlbs) == 2, "there are one or two TLBs");                                        \
    VMM_EMPTY_ARRAYS_BEGIN                                                                                             \
    typedef struct NAME##_mmu {                                                                                        \
        vmm_state_t state;                                                                                             \
        vmm_stats_t stats;                                                                                             \
        vmm_fault_t fault;                                                                                             \
        VMM_REGISTERS_##REGISTERS registers;                                                                           \
        vmm_front_slot_t front[(banks)*3 * (front_n)];                                                                 \
        vmm_walk_slot_t walk[walk_n];                                                                                  \
        vmm_tlb_key_t tlb_key[(tlbs) * (sets) * (ways)];                                                               \
        vmm_tlb_entry_t tlb_entry[(tlbs) * (sets) * (ways)];                                                           \
        uint64_t tlb_tree[(tlbs) * (sets)];                                                                            \
        vmm_record_t record[(detect_) * ((banks)*3 * (front_n) + (tlbs) * (sets) * (ways))];                           \
    } NAME##_mmu_t;                                                                                                    \
    VMM_EMPTY_ARRAYS_END                                                                                               \
    VMM_UNUSED static const vmm_model_t NAME##_model = {&arch, front_n, banks,  walk_n, tlbs,                          \
                                                        sets,  ways,    policy, detect_};

#define VMM_STAMP_REF(NAME, check)                                                                                     \
    VMM_UNUSED static vmm_status_t NAME##_long(void *self_, unsigned access_, vmm_vaddr_t va_, void *data_,            \
                                               unsigned bytes_);                                                       \
    VMM_UNUSED static vmm_status_t NAME##_long_store(void *self_, vmm_vaddr_t va_, uint64_t value_, unsigned bytes_);  \
    VMM_UNUSED static vmm_status_t NAME##_walked(void *self_, unsigned access_, vmm_vaddr_t va_,                       \
                                                 vmm_translation_t *t_);                                               \
    VMM_INLINE vmm_ref_t NAME##_parts(NAME##_mmu_t *mmu_)                                                              \
    {                                                                                                                  \
        const vmm_ref_t parts_ = {&NAME##_model,                                                                       \
                                  {NAME##_long, NAME##_long_store, NAME##_walked},                                     \
                                  mmu_,                                                                                \
                                  &mmu_->state,                                                                        \
                                  &mmu_->fault,                                                                        \
                                  &mmu_->stats,                                                                        \
                                  mmu_->front,                                                                         \
                                  mmu_->walk,                                                                          \
                                  mmu_->tlb_key,                                                                       \
                                  mmu_->tlb_entry,                                                                     \
                                  mmu_->tlb_tree,                                                                      \
                                  mmu_->record,                                                                        \
                                  &mmu_->registers};                                                                   \
        return parts_;                                                                                                 \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_long(void *self_, unsigned access_, vmm_vaddr_t va_, void *data_, unsigned bytes_) \
    {                                                                                                                  \
        return vmm_mmu_long(NAME##_parts((NAME##_mmu_t *)self_), access_, va_, data_, bytes_, check);                  \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_long_store(void *self_, vmm_vaddr_t va_, uint64_t value_, unsigned bytes_)         \
    {                                                                                                                  \
        return vmm_mmu_long_store(NAME##_parts((NAME##_mmu_t *)self_), va_, value_, bytes_, check);                    \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_walked(void *self_, unsigned access_, vmm_vaddr_t va_, vmm_translation_t *t_)      \
    {                                                                                                                  \
        return vmm_mmu_translate(NAME##_parts((NAME##_mmu_t *)self_), access_, va_, t_);                               \
    }

#define VMM_STAMP_ACCESS(NAME)                                                                                         \
    VMM_STAMP_WIDTH(NAME, 8)                                                                                           \
    VMM_STAMP_WIDTH(NAME, 16)                                                                                          \
    VMM_STAMP_WIDTH(NAME, 32)                                                                                          \
    VMM_STAMP_WIDTH(NAME, 64)                                                                                          \
    VMM_STAMP_BIG_ENDIAN(NAME, 16)                                                                                     \
    VMM_STAMP_BIG_ENDIAN(NAME, 32)                                                                                     \
    VMM_STAMP_BIG_ENDIAN(NAME, 64)                                                                                     \
    VMM_OUTLINE vmm_status_t NAME##_read(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, void *to_, size_t bytes_)                \
    {                                                                                                                  \
        return vmm_mmu_block(NAME##_parts(mmu_), VMM_READ, va_, (uint8_t *)to_, bytes_);                               \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_write(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, const void *from_, size_t bytes_)       \
    {                                                                                                                  \
        return vmm_mmu_block(NAME##_parts(mmu_), VMM_WRITE, va_, (uint8_t *)(uintptr_t)from_, bytes_);                 \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_translate(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, unsigned access_,                   \
                                              vmm_translation_t *t_)                                                   \
    {                                                                                                                  \
        return vmm_mmu_translate_any(NAME##_parts(mmu_), access_, va_, t_);                                            \
    }                                                                                                                  \
    VMM_INLINE void NAME##_flush_all(NAME##_mmu_t *mmu_)                                                               \
    {                                                                                                                  \
        vmm_mmu_flush_all(NAME##_parts(mmu_));                                                                         \
    }                                                                                                                  \
    VMM_INLINE void NAME##_flush_asid(NAME##_mmu_t *mmu_, uint16_t asid_)                                              \
    {                                                                                                                  \
        vmm_mmu_flush_asid(NAME##_parts(mmu_), asid_);                                                                 \
    }                                                                                                                  \
    VMM_INLINE void NAME##_flush_page(NAME##_mmu_t *mmu_, vmm_vaddr_t va_)                                             \
    {                                                                                                                  \
        vmm_mmu_flush_page(NAME##_parts(mmu_), va_, VMM_TAKE_ANY, 0);                                                  \
    }                                                                                                                  \
    VMM_INLINE void NAME##_flush_page_asid(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint16_t asid_)                        \
    {                                                                                                                  \
        vmm_mmu_flush_page(NAME##_parts(mmu_), va_, VMM_TAKE_ASID, asid_);                                             \
    }                                                                                                                  \
    VMM_INLINE void NAME##_set_fault_hook(NAME##_mmu_t *mmu_, vmm_fault_hook_t hook_, void *user_)                     \
    {                                                                                                                  \
        mmu_->state.serve = hook_;                                                                                     \
        mmu_->state.serve_user = user_;                                                                                \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_flush_told(void *mmu_, const vmm_flush_t *what_)                                           \
    {                                                                                                                  \
        vmm_mmu_flush_told(NAME##_parts((NAME##_mmu_t *)mmu_), what_);                                                 \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_flush_all_of(void *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_mmu_flush_all(NAME##_parts((NAME##_mmu_t *)mmu_));                                                         \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_examine(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, unsigned access_, vmm_examination_t *x_)      \
    {                                                                                                                  \
        vmm_mmu_examine(NAME##_parts(mmu_), access_, va_, x_);                                                         \
    }

#define VMM_STAMP_LOOKING_ON(NAME)                                                                                     \
    VMM_OUTLINE vmm_status_t NAME##_track_code(NAME##_mmu_t *mmu_, vmm_paddr_t paddr_)                                 \
    {                                                                                                                  \
        return vmm_mmu_track_code(NAME##_parts(mmu_), paddr_);                                                         \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_flush_stores(NAME##_mmu_t *mmu_)                                                           \
    {                                                                                                                  \
        vmm_front_flush_stores(NAME##_parts(mmu_), NULL, true);                                                        \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_watch(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint64_t bytes_, uint32_t accesses_)    \
    {                                                                                                                  \
        return vmm_mmu_watch(NAME##_parts(mmu_), va_, bytes_, accesses_);                                              \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_unwatch(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint64_t bytes_)                      \
    {                                                                                                                  \
        return vmm_mmu_unwatch(NAME##_parts(mmu_), va_, bytes_);                                                       \
    }                                                                                                                  \
    VMM_INLINE void NAME##_set_stale_hook(NAME##_mmu_t *mmu_, vmm_stale_hook_t hook_, void *user_)                     \
    {                                                                                                                  \
        mmu_->state.stale = hook_;                                                                                     \
        mmu_->state.stale_user = user_;                                                                                \
    }                                                                                                                  \
    VMM_OUTLINE uint32_t NAME##_ask(NAME##_mmu_t *mmu_, const vmm_request_t *what_)                                    \
    {                                                                                                                  \
        return vmm_mmu_ask(&mmu_->state, what_);                                                                       \
    }                                                                                                                  \
    VMM_INLINE void NAME##_answer(NAME##_mmu_t *mmu_)                                                                  \
    {                                                                                                                  \
        vmm_mmu_answer(NAME##_parts(mmu_));                                                                            \
    }                                                                                                                  \
    VMM_INLINE bool NAME##_answered(const NAME##_mmu_t *mmu_, uint32_t ticket_)                                        \
    {                                                                                                                  \
        return vmm_mmu_answered(&mmu_->state, ticket_);                                                                \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_snapshot(const NAME##_mmu_t *mmu_, NAME##_mmu_t *to_)                                      \
    {                                                                                                                  \
        vmm_mmu_snapshot(mmu_, to_, sizeof *to_);                                                                      \
    }

/* What depends on registers besides: made after them. */
#define VMM_STAMP_RENEW(NAME)                                                                                          \
    VMM_OUTLINE void NAME##_restore(NAME##_mmu_t *mmu_, const NAME##_mmu_t *from_)                                     \
    {                                                                                                                  \
        vmm_mmu_restore(NAME##_parts(mmu_), from_, sizeof *from_);                                                     \
        NAME##_apply(mmu_);                                                                                            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_track(NAME##_mmu_t *mmu_, vmm_track_t *track_)                                         \
    {                                                                                                                  \
        vmm_mmu_set_track(NAME##_parts(mmu_), track_);                                                                 \
        NAME##_apply(mmu_);                                                                                            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_check(NAME##_mmu_t *mmu_, vmm_check_t check_, void *user_)                             \
    {                                                                                                                  \
        vmm_mmu_set_check(NAME##_parts(mmu_), check_, user_);                                                          \
        NAME##_apply(mmu_);                                                                                            \
    }

#define VMM_STAMP_EDIT(NAME, paging_of)                                                                                \
    VMM_INLINE vmm_status_t NAME##_create(vmm_tables_t *tables_)                                                       \
    {                                                                                                                  \
        return vmm_pt_create(paging_of, tables_);                                                                      \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_destroy(vmm_tables_t *tables_)                                                      \
    {                                                                                                                  \
        return vmm_pt_destroy(paging_of, tables_);                                                                     \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_map(vmm_tables_t *tables_, vmm_vaddr_t va_, vmm_paddr_t pa_, uint64_t bytes_,       \
                                       uint32_t flags_)                                                                \
    {                                                                                                                  \
        return vmm_pt_map(paging_of, tables_, va_, pa_, bytes_, flags_);                                               \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_unmap(vmm_tables_t *tables_, vmm_vaddr_t va_, uint64_t bytes_)                      \
    {                                                                                                                  \
        return vmm_pt_unmap(paging_of, tables_, va_, bytes_);                                                          \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_protect(vmm_tables_t *tables_, vmm_vaddr_t va_, uint64_t bytes_, uint32_t flags_)   \
    {                                                                                                                  \
        return vmm_pt_protect(paging_of, tables_, va_, bytes_, flags_);                                                \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_query(const vmm_tables_t *tables_, vmm_vaddr_t va_, vmm_mapping_t *mapping_)        \
    {                                                                                                                  \
        return vmm_pt_query(paging_of, tables_, va_, mapping_);                                                        \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_visit(const vmm_tables_t *tables_, vmm_visitor_t visitor_, void *user_)             \
    {                                                                                                                  \
        return vmm_pt_visit(paging_of, tables_, visitor_, user_);                                                      \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_merge(vmm_tables_t *tables_, vmm_vaddr_t va_, uint64_t bytes_, uint64_t *merged_)   \
    {                                                                                                                  \
        return vmm_pt_merge(paging_of, tables_, va_, bytes_, merged_);                                                 \
    }

#if VMM_STDIO
#define VMM_STAMP_PRINT(NAME, paging_of)                                                                               \
    VMM_INLINE vmm_status_t NAME##_dump(const vmm_tables_t *tables_, FILE *out_)                                       \
    {                                                                                                                  \
        return vmm_print_tables(out_, paging_of, tables_);                                                             \
    }
#define VMM_STAMP_EXPLAIN(NAME)                                                                                        \
    VMM_INLINE vmm_status_t NAME##_explain_access(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, unsigned access_, FILE *out_)   \
    {                                                                                                                  \
        return vmm_mmu_explain(NAME##_parts(mmu_), access_, va_, out_);                                                \
    }                                                                                                                  \
    VMM_INLINE vmm_status_t NAME##_explain(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, FILE *out_)                            \
    {                                                                                                                  \
        return NAME##_explain_access(mmu_, va_, VMM_READ, out_);                                                       \
    }
#else
#define VMM_STAMP_PRINT(NAME, paging_of)
#define VMM_STAMP_EXPLAIN(NAME)
#endif

#define VMM_REGISTERS_PLAIN vmm_plain_t
#define VMM_BANKS_PLAIN(front_n, walk_n) 1
#define VMM_STAMP_PLAIN(NAME, check)                                                                                   \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_plain_apply(NAME##_parts(mmu_), &mmu_->registers);                                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_plain_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                   \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_root(NAME##_mmu_t *mmu_, vmm_paddr_t root_, uint16_t asid_)                    \
    {                                                                                                                  \
        return vmm_plain_set_root(NAME##_parts(mmu_), &mmu_->registers, root_, asid_);                                 \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_user(NAME##_mmu_t *mmu_, bool user_)                                                   \
    {                                                                                                                  \
        vmm_plain_set_user(NAME##_parts(mmu_), &mmu_->registers, user_);                                               \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_install(void *mmu_, vmm_paddr_t root_, uint16_t asid_)                                     \
    {                                                                                                                  \
        (void)NAME##_set_root((NAME##_mmu_t *)mmu_, root_, asid_);                                                     \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_attach(NAME##_mmu_t *mmu_, vmm_machine_t *machine_, uint32_t *cpu_)                \
    {                                                                                                                  \
        NAME##_set_user(mmu_, true);                                                                                   \
        return vmm_cpu_attach(NAME##_parts(mmu_), machine_, NAME##_install, NAME##_flush_told, NAME##_flush_all_of,    \
                              cpu_);                                                                                   \
    }

#define VMM_REGISTERS_RISCV vmm_riscv_t
#define VMM_BANKS_RISCV(front_n, walk_n) ((front_n) || (walk_n) ? 2 : 1)
#define VMM_STAMP_RISCV(NAME, check)                                                                                   \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_riscv_apply(NAME##_parts(mmu_), &mmu_->registers);                                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_riscv_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                   \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_satp(NAME##_mmu_t *mmu_, uint64_t satp_)                                       \
    {                                                                                                                  \
        return vmm_riscv_set_satp(NAME##_parts(mmu_), &mmu_->registers, satp_);                                        \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_privilege(NAME##_mmu_t *mmu_, unsigned privilege_)                             \
    {                                                                                                                  \
        return vmm_riscv_set_privilege(NAME##_parts(mmu_), &mmu_->registers, privilege_);                              \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_mstatus(NAME##_mmu_t *mmu_, uint64_t mstatus_)                                 \
    {                                                                                                                  \
        return vmm_riscv_set_mstatus(NAME##_parts(mmu_), &mmu_->registers, mstatus_);                                  \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_menvcfg(NAME##_mmu_t *mmu_, uint64_t menvcfg_)                                         \
    {                                                                                                                  \
        vmm_riscv_set_menvcfg(NAME##_parts(mmu_), &mmu_->registers, menvcfg_);                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_features(NAME##_mmu_t *mmu_, unsigned features_)                               \
    {                                                                                                                  \
        return vmm_riscv_set_features(NAME##_parts(mmu_), &mmu_->registers, features_);                                \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_install(void *mmu_, vmm_paddr_t root_, uint16_t asid_)                                     \
    {                                                                                                                  \
        vmm_riscv_install(NAME##_parts((NAME##_mmu_t *)mmu_), &((NAME##_mmu_t *)mmu_)->registers, root_, asid_);       \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_attach(NAME##_mmu_t *mmu_, vmm_machine_t *machine_, uint32_t *cpu_)                \
    {                                                                                                                  \
        (void)NAME##_set_privilege(mmu_, 0);                                                                           \
        return vmm_cpu_attach(NAME##_parts(mmu_), machine_, NAME##_install, NAME##_flush_told, NAME##_flush_all_of,    \
                              cpu_);                                                                                   \
    }

#define VMM_REGISTERS_RISCVH vmm_riscv_t
#define VMM_BANKS_RISCVH(front_n, walk_n) VMM_BANKS_RISCV(front_n, walk_n)
#define VMM_STAMP_RISCVH(NAME, check)                                                                                  \
    VMM_STAMP_RISCV(NAME, check)                                                                                       \
    VMM_OUTLINE void NAME##_set_virtual(NAME##_mmu_t *mmu_, bool virtual_mode_)                                        \
    {                                                                                                                  \
        vmm_riscv_set_virtual(NAME##_parts(mmu_), &mmu_->registers, virtual_mode_);                                    \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_vsatp(NAME##_mmu_t *mmu_, uint64_t vsatp_)                                     \
    {                                                                                                                  \
        return vmm_riscv_set_vsatp(NAME##_parts(mmu_), &mmu_->registers, vsatp_);                                      \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_hgatp(NAME##_mmu_t *mmu_, uint64_t hgatp_)                                     \
    {                                                                                                                  \
        return vmm_riscv_set_hgatp(NAME##_parts(mmu_), &mmu_->registers, hgatp_);                                      \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_vsstatus(NAME##_mmu_t *mmu_, uint64_t vsstatus_)                                       \
    {                                                                                                                  \
        vmm_riscv_set_statuses(NAME##_parts(mmu_), &mmu_->registers, vsstatus_, mmu_->registers.hstatus);              \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_hstatus(NAME##_mmu_t *mmu_, uint64_t hstatus_)                                         \
    {                                                                                                                  \
        vmm_riscv_set_statuses(NAME##_parts(mmu_), &mmu_->registers, mmu_->registers.vsstatus, hstatus_);              \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_henvcfg(NAME##_mmu_t *mmu_, uint64_t henvcfg_)                                         \
    {                                                                                                                  \
        vmm_riscv_set_henvcfg(NAME##_parts(mmu_), &mmu_->registers, henvcfg_);                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_hlv(NAME##_mmu_t *mmu_, unsigned hlv_)                                         \
    {                                                                                                                  \
        return vmm_riscv_set_hlv(NAME##_parts(mmu_), &mmu_->registers, hlv_);                                          \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_hfence_vvma(NAME##_mmu_t *mmu_, const vmm_vaddr_t *va_, const uint16_t *asid_)             \
    {                                                                                                                  \
        vmm_riscv_hfence_vvma(NAME##_parts(mmu_), &mmu_->registers, va_, asid_);                                       \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_hfence_gvma(NAME##_mmu_t *mmu_, const vmm_paddr_t *gpa_, const uint16_t *vmid_)            \
    {                                                                                                                  \
        (void)gpa_; /* a bank does not know which guest physical addresses it was filled through */                    \
        vmm_front_flush_guests(NAME##_parts(mmu_), vmid_, NULL);                                                       \
    }

#define VMM_REGISTERS_X86 vmm_x86_t
#define VMM_BANKS_X86(front_n, walk_n) ((front_n) || (walk_n) ? 2 : 1)
#define VMM_STAMP_X86(NAME, check)                                                                                     \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_x86_apply(NAME##_parts(mmu_), &mmu_->registers);                                                           \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_x86_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                     \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_cr0(NAME##_mmu_t *mmu_, uint64_t cr0_)                                         \
    {                                                                                                                  \
        return vmm_x86_set_cr0(NAME##_parts(mmu_), &mmu_->registers, cr0_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_cr3(NAME##_mmu_t *mmu_, uint64_t cr3_)                                         \
    {                                                                                                                  \
        return vmm_x86_set_cr3(NAME##_parts(mmu_), &mmu_->registers, cr3_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_cr4(NAME##_mmu_t *mmu_, uint64_t cr4_)                                         \
    {                                                                                                                  \
        return vmm_x86_set_cr4(NAME##_parts(mmu_), &mmu_->registers, cr4_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_efer(NAME##_mmu_t *mmu_, uint64_t efer_)                                       \
    {                                                                                                                  \
        return vmm_x86_set_efer(NAME##_parts(mmu_), &mmu_->registers, efer_);                                          \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_pkru(NAME##_mmu_t *mmu_, uint32_t pkru_)                                               \
    {                                                                                                                  \
        vmm_x86_set_keys(NAME##_parts(mmu_), &mmu_->registers, pkru_, mmu_->registers.pkrs);                           \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_pkrs(NAME##_mmu_t *mmu_, uint32_t pkrs_)                                               \
    {                                                                                                                  \
        vmm_x86_set_keys(NAME##_parts(mmu_), &mmu_->registers, mmu_->registers.pkru, pkrs_);                           \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_cpl(NAME##_mmu_t *mmu_, unsigned cpl_)                                         \
    {                                                                                                                  \
        return vmm_x86_set_cpl(NAME##_parts(mmu_), &mmu_->registers, cpl_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_ac(NAME##_mmu_t *mmu_, bool ac_)                                                       \
    {                                                                                                                  \
        vmm_x86_set_access(NAME##_parts(mmu_), &mmu_->registers, ac_, mmu_->registers.implicit != 0);                  \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_implicit(NAME##_mmu_t *mmu_, bool implicit_)                                           \
    {                                                                                                                  \
        vmm_x86_set_access(NAME##_parts(mmu_), &mmu_->registers, mmu_->registers.ac != 0, implicit_);                  \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_features(NAME##_mmu_t *mmu_, unsigned features_)                               \
    {                                                                                                                  \
        return vmm_x86_set_features(NAME##_parts(mmu_), &mmu_->registers, features_);                                  \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_invlpg(NAME##_mmu_t *mmu_, vmm_vaddr_t va_)                                                \
    {                                                                                                                  \
        vmm_x86_invlpg(NAME##_parts(mmu_), va_, mmu_->state.view[VMM_READ].context.asid);                              \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_invpcid(NAME##_mmu_t *mmu_, uint64_t type_, uint64_t low_, uint64_t high_)         \
    {                                                                                                                  \
        return vmm_x86_invpcid(NAME##_parts(mmu_), &mmu_->registers, type_, low_, high_);                              \
    }

#define VMM_REGISTERS_ARM64 vmm_arm64_t
#define VMM_BANKS_ARM64(front_n, walk_n) ((front_n) || (walk_n) ? 2 : 1)
#define VMM_STAMP_ARM64(NAME, check)                                                                                   \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_arm64_apply(NAME##_parts(mmu_), &mmu_->registers);                                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_arm64_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                   \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_ttbr0(NAME##_mmu_t *mmu_, uint64_t ttbr0_)                                             \
    {                                                                                                                  \
        vmm_arm64_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.ttbr[0], ttbr0_);                         \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_ttbr1(NAME##_mmu_t *mmu_, uint64_t ttbr1_)                                             \
    {                                                                                                                  \
        vmm_arm64_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.ttbr[1], ttbr1_);                         \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_tcr(NAME##_mmu_t *mmu_, uint64_t tcr_)                                                 \
    {                                                                                                                  \
        vmm_arm64_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.tcr, tcr_);                               \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_sctlr(NAME##_mmu_t *mmu_, uint64_t sctlr_)                                             \
    {                                                                                                                  \
        vmm_arm64_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.sctlr, sctlr_);                           \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_mair(NAME##_mmu_t *mmu_, uint64_t mair_)                                               \
    {                                                                                                                  \
        vmm_arm64_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.mair, mair_);                             \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_el(NAME##_mmu_t *mmu_, unsigned el_)                                           \
    {                                                                                                                  \
        return vmm_arm64_set_el(NAME##_parts(mmu_), &mmu_->registers, el_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_pan(NAME##_mmu_t *mmu_, bool pan_)                                                     \
    {                                                                                                                  \
        vmm_arm64_set_state(NAME##_parts(mmu_), &mmu_->registers, pan_, mmu_->registers.unprivileged != 0);            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_unprivileged(NAME##_mmu_t *mmu_, bool unprivileged_)                                   \
    {                                                                                                                  \
        vmm_arm64_set_state(NAME##_parts(mmu_), &mmu_->registers, mmu_->registers.pan != 0, unprivileged_);            \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_features(NAME##_mmu_t *mmu_, unsigned features_)                               \
    {                                                                                                                  \
        return vmm_arm64_set_features(NAME##_parts(mmu_), &mmu_->registers, features_);                                \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_tlbi(NAME##_mmu_t *mmu_, unsigned op_, uint64_t xt_)                               \
    {                                                                                                                  \
        return vmm_arm64_tlbi(NAME##_parts(mmu_), op_, xt_);                                                           \
    }                                                                                                                  \
    VMM_OUTLINE uint64_t NAME##_at(NAME##_mmu_t *mmu_, unsigned access_, bool el0_, vmm_vaddr_t va_)                   \
    {                                                                                                                  \
        return vmm_arm64_at(NAME##_parts(mmu_), &mmu_->registers, access_, el0_, va_);                                 \
    }

#define VMM_REGISTERS_ARM32 vmm_arm32_t
#define VMM_BANKS_ARM32(front_n, walk_n) ((front_n) || (walk_n) ? 2 : 1)
#define VMM_STAMP_ARM32(NAME, check)                                                                                   \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_arm32_apply(NAME##_parts(mmu_), &mmu_->registers);                                                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_arm32_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                   \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_ttbr0(NAME##_mmu_t *mmu_, uint64_t ttbr0_)                                             \
    {                                                                                                                  \
        vmm_arm32_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.ttbr[0], ttbr0_);                         \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_ttbr1(NAME##_mmu_t *mmu_, uint64_t ttbr1_)                                             \
    {                                                                                                                  \
        vmm_arm32_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.ttbr[1], ttbr1_);                         \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_ttbcr(NAME##_mmu_t *mmu_, uint32_t ttbcr_)                                     \
    {                                                                                                                  \
        return vmm_arm32_set_ttbcr(NAME##_parts(mmu_), &mmu_->registers, ttbcr_);                                      \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_dacr(NAME##_mmu_t *mmu_, uint32_t dacr_)                                               \
    {                                                                                                                  \
        vmm_arm32_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.dacr, dacr_);                             \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_sctlr(NAME##_mmu_t *mmu_, uint64_t sctlr_)                                             \
    {                                                                                                                  \
        vmm_arm32_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.sctlr, sctlr_);                           \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_contextidr(NAME##_mmu_t *mmu_, uint32_t contextidr_)                                   \
    {                                                                                                                  \
        vmm_arm32_set(NAME##_parts(mmu_), &mmu_->registers, &mmu_->registers.contextidr, contextidr_);                 \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_pl(NAME##_mmu_t *mmu_, unsigned pl_)                                           \
    {                                                                                                                  \
        return vmm_arm32_set_pl(NAME##_parts(mmu_), &mmu_->registers, pl_);                                            \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_set_unprivileged(NAME##_mmu_t *mmu_, bool unprivileged_)                                   \
    {                                                                                                                  \
        vmm_arm32_set_unprivileged(NAME##_parts(mmu_), &mmu_->registers, unprivileged_);                               \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_features(NAME##_mmu_t *mmu_, unsigned features_)                               \
    {                                                                                                                  \
        return vmm_arm32_set_features(NAME##_parts(mmu_), &mmu_->registers, features_);                                \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_tlbi(NAME##_mmu_t *mmu_, unsigned op_, uint64_t xt_)                               \
    {                                                                                                                  \
        return vmm_arm32_tlbi(NAME##_parts(mmu_), op_, xt_);                                                           \
    }

#define VMM_REGISTERS_MIPS32 vmm_mips_t
#define VMM_BANKS_MIPS32(front_n, walk_n) 1
#define VMM_STAMP_MIPS32(NAME, check)                                                                                  \
    VMM_INLINE void NAME##_apply(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_mips_apply(NAME##_parts(mmu_), &mmu_->registers);                                                          \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_init(NAME##_mmu_t *mmu_, const vmm_memory_t *memory_)                              \
    {                                                                                                                  \
        return vmm_mips_init(NAME##_parts(mmu_), &mmu_->registers, memory_, check);                                    \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_entries(NAME##_mmu_t *mmu_, unsigned entries_)                                 \
    {                                                                                                                  \
        return vmm_mips_set_entries(NAME##_parts(mmu_), &mmu_->registers, entries_);                                   \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_set_mode(NAME##_mmu_t *mmu_, unsigned mode_, bool erl_)                            \
    {                                                                                                                  \
        return vmm_mips_set_mode(NAME##_parts(mmu_), &mmu_->registers, mode_, erl_);                                   \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_mtc0(NAME##_mmu_t *mmu_, unsigned number_, unsigned select_, uint32_t value_)      \
    {                                                                                                                  \
        return vmm_mips_mtc0(NAME##_parts(mmu_), &mmu_->registers, number_, select_, value_);                          \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_mfc0(NAME##_mmu_t *mmu_, unsigned number_, unsigned select_, uint32_t *value_)     \
    {                                                                                                                  \
        return vmm_mips_mfc0(&mmu_->registers, number_, select_, value_);                                              \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_tlbp(NAME##_mmu_t *mmu_)                                                                   \
    {                                                                                                                  \
        vmm_mips_tlbp(&mmu_->registers);                                                                               \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_tlbr(NAME##_mmu_t *mmu_)                                                           \
    {                                                                                                                  \
        return vmm_mips_tlbr(NAME##_parts(mmu_), &mmu_->registers);                                                    \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_tlbwi(NAME##_mmu_t *mmu_)                                                          \
    {                                                                                                                  \
        return vmm_mips_tlbwi(NAME##_parts(mmu_), &mmu_->registers);                                                   \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_tlbwr(NAME##_mmu_t *mmu_)                                                                  \
    {                                                                                                                  \
        vmm_mips_tlbwr(NAME##_parts(mmu_), &mmu_->registers);                                                          \
    }

#define VMM_MMU_STAMP(NAME, check, REGISTERS, arch, ...)                                                               \
    VMM_STAMP_TYPE(NAME, REGISTERS, arch, __VA_ARGS__)                                                                 \
    VMM_INLINE const vmm_paging_t *NAME##_paging_of(const vmm_tables_t *tables_)                                       \
    {                                                                                                                  \
        return vmm_paging_chosen(&arch, tables_);                                                                      \
    }                                                                                                                  \
    VMM_STAMP_REF(NAME, check)                                                                                         \
    VMM_STAMP_ACCESS(NAME)                                                                                             \
    VMM_STAMP_LOOKING_ON(NAME)                                                                                         \
    VMM_STAMP_EDIT(NAME, NAME##_paging_of(tables_))                                                                    \
    VMM_STAMP_PRINT(NAME, NAME##_paging_of(tables_))                                                                   \
    VMM_STAMP_EXPLAIN(NAME)                                                                                            \
    VMM_STAMP_##REGISTERS(NAME, check) VMM_STAMP_RENEW(NAME)
#define VMM_MMU_CHECKED(NAME, check, ...) VMM_MMU_STAMP(NAME, check, __VA_ARGS__)
#define VMM_TABLES_STAMP(NAME, paging)                                                                                 \
    VMM_STAMP_EDIT(NAME, &(paging))                                                                                    \
    VMM_STAMP_PRINT(NAME, &(paging))
/** @endcond */

/** @defgroup vmm_instance The stamped functions
 *  `VMM_MMU(rv, VMM_RISCV64)` makes `rv_mmu_t` and all of these with NAME replaced by `rv`. The
 *  instance `vmm` is made by the header itself, from the options.
 *  @{ */

/** Stamps an MMU: the type NAME_mmu_t and the functions of this section. At file scope, any number
 *  of times with different names. To share an instance among files, put the line into a header.
 *  The arguments after the name are a preset of vmm_config.h, section 5. */
#define VMM_MMU(NAME, ...) VMM_MMU_STAMP(NAME, true, __VA_ARGS__)

/** Stamps the editing functions alone (NAME_create ... NAME_merge, NAME_dump) for one format: real
 *  page tables for a real MMU. `VMM_TABLES(kernel, vmm_sv39)`. */
#define VMM_TABLES(NAME, paging) VMM_TABLES_STAMP(NAME, paging)

#ifdef VMM_DOXYGEN
/** An MMU: plain data, no allocation. Copy it, then call NAME_flush_all on the copy, which holds
 *  addresses of the original's slots until then. One thread at a time. */
typedef struct NAME_mmu {
    vmm_fault_t fault;   /**< Reasons of the last VMM_FAULT. */
    vmm_stats_t stats;   /**< Counters; set them to 0 as you like. */
    REGISTERS registers; /**< vmm_riscv_t, vmm_x86_t ...; read them, write by NAME_set_... */
    vmm_state_t state;   /**< Internal. */
} NAME_mmu_t;

/** Makes an MMU ready: counters 0, nothing remembered. RISC-V: supervisor mode, satp 0 (bare), mstatus 0,
 *  menvcfg with ADUE set; an emulator begins with NAME_set_privilege(mmu, 3); with the hypervisor extension V and its
 *  registers 0, but henvcfg with ADUE set. x86: every register 0, paging off,
 *  CPL 0. AArch64: EL1, every register 0 but MAIR, translation off. ARMv7-A: PL1, every register 0, translation
 *  off. MIPS: kernel mode, every register 0, 48 entries of which none matches. Generic formats: supervisor mode,
 *  root and ASID 0, translation on.
 *  @param mmu     the instance, any content
 *  @param memory  physical memory; copied, the RAM behind it stays the caller's
 *  @return VMM_OK; VMM_E_ARGUMENT when memory or its ram is null, RAM is larger than the host can
 *  address, a format breaks its invariants, or options differ among files; VMM_E_ALIGN when base or size is
 *  no multiple of the page size (of the largest granule) or ram of 8; VMM_E_RANGE when the size is 0, wraps, or
 *  exceeds the physical width: of x86, that of long mode. O(sizes of the stages). */
vmm_status_t NAME_init(NAME_mmu_t *mmu, const vmm_memory_t *memory);

/** NAME_load64 for 8 bits. */
vmm_status_t NAME_load8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t *value);

/** NAME_store64 for 8 bits. */
vmm_status_t NAME_store8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t value);

/** NAME_fetch64 for 8 bits. */
vmm_status_t NAME_fetch8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t *value);

/** NAME_lr64 for 8 bits. */
vmm_status_t NAME_lr8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t *value);

/** NAME_sc64 for 8 bits. */
vmm_status_t NAME_sc8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t value, bool *done);

/** NAME_cas64 for 8 bits. */
vmm_status_t NAME_cas8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t expected, uint8_t desired, uint8_t *found);

/** NAME_load64 for 16 bits. */
vmm_status_t NAME_load16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

/** NAME_store64 for 16 bits. */
vmm_status_t NAME_store16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t value);

/** NAME_fetch64 for 16 bits. */
vmm_status_t NAME_fetch16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

/** NAME_lr64 for 16 bits. */
vmm_status_t NAME_lr16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

/** NAME_sc64 for 16 bits. */
vmm_status_t NAME_sc16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t value, bool *done);

/** NAME_cas64 for 16 bits. */
vmm_status_t NAME_cas16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t expected, uint16_t desired, uint16_t *found);

/** NAME_load64_be for 16 bits. */
vmm_status_t NAME_load16_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

/** NAME_store64_be for 16 bits. */
vmm_status_t NAME_store16_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t value);

/** NAME_load64 for 32 bits. */
vmm_status_t NAME_load32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t *value);

/** NAME_store64 for 32 bits. */
vmm_status_t NAME_store32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t value);

/** NAME_fetch64 for 32 bits. */
vmm_status_t NAME_fetch32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t *value);

/** NAME_lr64 for 32 bits. */
vmm_status_t NAME_lr32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t *value);

/** NAME_sc64 for 32 bits. */
vmm_status_t NAME_sc32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t value, bool *done);

/** NAME_cas64 for 32 bits. */
vmm_status_t NAME_cas32(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t expected, uint32_t desired, uint32_t *found);

/** NAME_load64_be for 32 bits. */
vmm_status_t NAME_load32_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t *value);

/** NAME_store64_be for 32 bits. */
vmm_status_t NAME_store32_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint32_t value);

/** Loads 64 bits, little-endian, at any alignment.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param value  receives the value; untouched on a fault
 *  @return VMM_OK, or VMM_FAULT with the reasons in mmu->fault. A hit of the front is O(1), a miss
 *  O(levels), with a TLB O(levels x ways). May call the bus. */
vmm_status_t NAME_load64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t *value);

/** Stores 64 bits, little-endian, at any alignment. A store that crosses a page and faults has
 *  written nothing.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param value  what to store
 *  @return as NAME_load64. */
vmm_status_t NAME_store64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t value);

/** Fetches 64 bits of an instruction, little-endian: judged by execute rights, and on RISC-V by
 *  the current privilege whatever MPRV says.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param value  receives the bits; untouched on a fault
 *  @return as NAME_load64. */
vmm_status_t NAME_fetch64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t *value);

/** Compares 64 bits in RAM with `expected` and, if equal, stores `desired`, in one step that other
 *  threads see whole. Judged as a store (the causes of a RISC-V AMO).
 *  @param mmu       the instance
 *  @param va        virtual address, aligned to the width
 *  @param expected  value to compare with
 *  @param desired   value to store
 *  @param found     receives what was there: equal to expected means that it was stored
 *  @return VMM_OK, or VMM_FAULT: also VMM_ALIGN_FAULT when va is not aligned, VMM_ACCESS_FAULT when
 *  the address is not RAM. */
vmm_status_t NAME_cas64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t expected, uint64_t desired, uint64_t *found);

/** NAME_load64 in big-endian order.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param value  receives the value; untouched on a fault
 *  @return as NAME_load64. */
vmm_status_t NAME_load64_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t *value);

/** NAME_store64 in big-endian order.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param value  what to store
 *  @return as NAME_load64. */
vmm_status_t NAME_store64_be(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t value);

/** Copies a block out of virtual memory. Every page is translated before a byte is moved, so a fault
 *  finds nothing copied; only a bus callback that refuses in the middle leaves what came before it
 *  done. Bytes outside RAM go over the bus one by one.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param to     host memory
 *  @param bytes  how many; 0 does nothing
 *  @return VMM_OK, or VMM_FAULT with mmu->fault.vaddr the first byte of the block that could not be reached. */
vmm_status_t NAME_read(NAME_mmu_t *mmu, vmm_vaddr_t va, void *to, size_t bytes);

/** Copies a block into virtual memory. Every page is translated before a byte is moved, so a fault
 *  finds nothing copied; only a bus callback that refuses in the middle leaves what came before it
 *  done. Bytes outside RAM go over the bus one by one.
 *  @param mmu    the instance
 *  @param va     virtual address
 *  @param from  host memory
 *  @param bytes  how many; 0 does nothing
 *  @return VMM_OK, or VMM_FAULT with mmu->fault.vaddr the first byte of the block that could not be reached. */
vmm_status_t NAME_write(NAME_mmu_t *mmu, vmm_vaddr_t va, const void *from, size_t bytes);

/** Translates one address as an access would, marks included, and touches nothing there.
 *  @param mmu     the instance
 *  @param va      virtual address
 *  @param access  enum vmm_access
 *  @param t       receives where it leads
 *  @return VMM_OK; VMM_FAULT; VMM_E_ARGUMENT for an access that is none. */
vmm_status_t NAME_translate(NAME_mmu_t *mmu, vmm_vaddr_t va, unsigned access, vmm_translation_t *t);

/** Forgets every translation (RISC-V: SFENCE.VMA x0, x0). O(1), amortised.
 *  @param mmu  the instance */
void NAME_flush_all(NAME_mmu_t *mmu);

/** Forgets the translations of one address space, global ones excepted (SFENCE.VMA x0, asid).
 *  O(entries of the TLB).
 *  @param mmu   the instance
 *  @param asid  address space */
void NAME_flush_asid(NAME_mmu_t *mmu, uint16_t asid);

/** Forgets the page that holds an address, in every address space, the whole of it if it is huge
 *  (SFENCE.VMA va, x0). O(1) without a TLB, else O(levels x ways).
 *  @param mmu  the instance
 *  @param va   any address in the page; one that is not canonical is harmless */
void NAME_flush_page(NAME_mmu_t *mmu, vmm_vaddr_t va);

/** Forgets a page of one address space, unless it is global (SFENCE.VMA va, asid). The front may
 *  forget more.
 *  @param mmu   the instance
 *  @param va    any address in the page
 *  @param asid  address space */
void NAME_flush_page_asid(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t asid);

/** Does what an edit asks for: set it as `flush` of a vmm_tables_t, with the MMU as flush_user.
 *  @param mmu   the instance
 *  @param what  what has to be flushed */
void NAME_flush_told(void *mmu, const vmm_flush_t *what);

/** Has page faults served, by an operating system that is not the header's: see vmm_fault_hook_t.
 *  @param mmu   the instance
 *  @param hook  called on every fault; null: faults are returned
 *  @param user  passed to it */
void NAME_set_fault_hook(NAME_mmu_t *mmu, vmm_fault_hook_t hook, void *user);

/** RISC-V and generic formats: makes an MMU a processor of a machine: it runs spaces (vmm_space_switch), its page
 *  faults are served, and the machine's flushes reach it. Accesses are user mode's from then on.
 *  @param mmu      the instance, initialised with the machine's memory
 *  @param machine  the machine; its format is one of the instance's
 *  @param cpu      receives the number of the processor
 *  @return VMM_OK; VMM_E_ARGUMENT when the format is none of the instance's; VMM_E_RANGE when there are
 *  VMM_MACHINE_CPUS already. */
vmm_status_t NAME_attach(NAME_mmu_t *mmu, vmm_machine_t *machine, uint32_t *cpu);

/** RISC-V: writes satp. Mode 0 is bare; 8, 9, 10 (RV64) and 1 (RV32) choose Sv39, Sv48, Sv57 and Sv32.
 *  Flushes nothing: ASIDs keep address spaces apart, and a change of tables under one ASID wants
 *  its SFENCE, as on hardware.
 *  @param mmu   the instance
 *  @param satp  MODE, ASID and PPN in the register's own layout
 *  @return VMM_OK, or VMM_E_ARGUMENT for a mode that does not exist: the write is ignored, as the
 *  manual says. */
vmm_status_t NAME_set_satp(NAME_mmu_t *mmu, uint64_t satp);

/** RISC-V: changes the privilege mode.
 *  @param mmu        the instance
 *  @param privilege  0 user, 1 supervisor, 3 machine
 *  @return VMM_OK, or VMM_E_ARGUMENT for another number. */
vmm_status_t NAME_set_privilege(NAME_mmu_t *mmu, unsigned privilege);

/** RISC-V: writes mstatus; MPRV, MPP, SUM and MXR take effect at once, and MPV with the hypervisor extension.
 *  @param mmu      the instance
 *  @param mstatus  the register; on RV32 mstatush in the upper half, for MPV
 *  @return VMM_OK, or VMM_E_ARGUMENT when MPP is 2, which no mode has. */
vmm_status_t NAME_set_mstatus(NAME_mmu_t *mmu, uint64_t mstatus);

/** RISC-V: writes menvcfg; ADUE (Svadu) and PBMTE (Svpbmt) take effect at once, and everything is
 *  flushed, because they change what an entry means.
 *  @param mmu      the instance
 *  @param menvcfg  the register */
void NAME_set_menvcfg(NAME_mmu_t *mmu, uint64_t menvcfg);

/** RISC-V, x86, Arm: says which extensions the processor has, and flushes everything. RISC-V without Svade and
 *  Svadu: the hardware marks entries.
 *  @param mmu       the instance
 *  @param features  enum vmm_feature
 *  @return VMM_OK, or VMM_E_ARGUMENT for a bit that is none. */
vmm_status_t NAME_set_features(NAME_mmu_t *mmu, unsigned features);

/** Loads 64 bits as NAME_load64 does, aligned and from RAM, and remembers where and what (RISC-V LR, AArch64 LDXR).
 *  A reservation is lost by the next NAME_lr of any width, by any NAME_sc, and when the value in memory is another: a
 *  store of the same value by somebody else goes unnoticed.
 *  @param mmu    the instance
 *  @param va     virtual address, aligned to the width
 *  @param value  receives the value; untouched on a fault
 *  @return VMM_OK, or VMM_FAULT: also VMM_ALIGN_FAULT when va is not aligned, VMM_ACCESS_FAULT when
 *  the address is not RAM. */
vmm_status_t NAME_lr64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t *value);

/** Stores 64 bits if the reservation of NAME_lr64 still holds, in one step that other threads see whole. Judged as a
 *  store whether or not it stores; afterwards there is no reservation.
 *  @param mmu    the instance
 *  @param va     virtual address, aligned to the width
 *  @param value  what to store
 *  @param done   receives whether it was stored
 *  @return as NAME_lr64. */
vmm_status_t NAME_sc64(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t value, bool *done);

/** Has the pages of RAM tracked: which were stored to, and stores to those that hold code. Marks are set by the first
 *  store to a page that the front does not know; hits of the front cost nothing. A walk that sets accessed and dirty
 *  bits marks the page of the entry as stored to (and calls nobody back). What goes past the MMU is not seen: stores of
 *  the emulator's devices, NAME_map and its kin, Part II. Whoever makes them ORs VMM_TRACK_DIRTY into the page's byte.
 *  @param mmu    the instance
 *  @param track  the marks, shared by every MMU over this RAM, zeroed; page_shift is filled in; null: off */
void NAME_set_track(NAME_mmu_t *mmu, vmm_track_t *track);

/** Says that a page of RAM holds decoded code: from now on every store to it through this MMU calls track->code before
 *  it lands. Other MMUs over this RAM must be asked for VMM_ASK_STORES. O(front slots).
 *  @param mmu    the instance
 *  @param paddr  any physical address in the page
 *  @return VMM_OK; VMM_E_ARGUMENT when nothing is tracked; VMM_E_RANGE when the address is not RAM. */
vmm_status_t NAME_track_code(NAME_mmu_t *mmu, vmm_paddr_t paddr);

/** Forgets which pages may be stored to, so that the next store to each is seen. O(front slots x banks).
 *  @param mmu  the instance */
void NAME_flush_stores(NAME_mmu_t *mmu);

/** Watches addresses: an access of these kinds that touches one of them returns VMM_FAULT, with kind VMM_WATCH_FAULT
 *  and vaddr the first byte of its part in the page, before anything moves (marks may be set already). NAME_cas and
 *  NAME_sc are VMM_WRITE alone; NAME_translate moves nothing and is not watched. Pages without a watched byte keep
 *  their speed.
 *  @param mmu       the instance
 *  @param va        first virtual address
 *  @param bytes     how many, not 0
 *  @param accesses  mask: 1 << VMM_READ, 1 << VMM_WRITE, 1 << VMM_FETCH
 *  @return VMM_OK; VMM_E_ARGUMENT; VMM_E_LIMIT when there are VMM_WATCHES already. */
vmm_status_t NAME_watch(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t bytes, uint32_t accesses);

/** Takes a watchpoint away.
 *  @param mmu    the instance
 *  @param va     as given to NAME_watch
 *  @param bytes  as given to NAME_watch
 *  @return VMM_OK; VMM_E_NOT_MAPPED when there is none like it. */
vmm_status_t NAME_unwatch(NAME_mmu_t *mmu, vmm_vaddr_t va, uint64_t bytes);

/** Has a hook asked before physical memory is touched: see vmm_check_t. Flushes the front.
 *  @param mmu    the instance
 *  @param check  the hook; null: none
 *  @param user   passed to it */
void NAME_set_check(NAME_mmu_t *mmu, vmm_check_t check, void *user);

/** Has stale hits told by the missing-flush detector (VMM_STAGES_DETECT); they are counted in stats.stale anyway.
 *  @param mmu   the instance
 *  @param hook  called on each; null: nobody
 *  @param user  passed to it */
void NAME_set_stale_hook(NAME_mmu_t *mmu, vmm_stale_hook_t hook, void *user);

/** Asks an MMU that another thread uses for a flush. Any thread; waits only for others that ask at this moment. More
 *  than VMM_REQUESTS that wait become one flush of everything.
 *  @param mmu   the other MMU
 *  @param what  what it shall forget
 *  @return a ticket for NAME_answered. */
uint32_t NAME_ask(NAME_mmu_t *mmu, const vmm_request_t *what);

/** Does what others asked for. Called by the thread that uses the MMU, between two accesses, as often as it looks for
 *  interrupts; one compare when nothing was asked.
 *  @param mmu  the instance */
void NAME_answer(NAME_mmu_t *mmu);

/** Tells whether a flush that was asked for is done. Any thread. A frame may be used for something else only then.
 *  @param mmu     the other MMU
 *  @param ticket  from NAME_ask
 *  @return whether. */
bool NAME_answered(const NAME_mmu_t *mmu, uint32_t ticket);

/** Keeps all of an MMU: registers, modelled TLB, counters. The copy is plain data; it is used by NAME_restore alone.
 *  @param mmu  the instance
 *  @param to   receives the copy */
void NAME_snapshot(const NAME_mmu_t *mmu, NAME_mmu_t *to);

/** Brings an MMU back to a snapshot, its own or another's of the same type: it goes on as the other would have. RAM and
 *  its bus, the hooks, tracking, the machine it is attached to and requests stay those of the MMU; watchpoints are the
 *  snapshot's; what the front and the walk cache knew is forgotten.
 *  @param mmu   the instance, initialised
 *  @param from  the snapshot */
void NAME_restore(NAME_mmu_t *mmu, const NAME_mmu_t *from);

/** x86: writes CR0; PG, WP, PE take effect at once. A change of PG forgets everything; PAE's PDPTEs are loaded when PG,
 *  CD or NW changes.
 *  @param mmu  the instance
 *  @param cr0  the register
 *  @return VMM_OK; VMM_FAULT with kind VMM_PROTECTION_FAULT (#GP) for a value that the processor refuses: PG without
 *  PE, NW without CD, PG with EFER.LME but without PAE, no PG with PCIDE, a reserved bit in a PDPTE. Nothing changes
 *  then. */
vmm_status_t NAME_set_cr0(NAME_mmu_t *mmu, uint64_t cr0);

/** x86: writes CR3: the root and, with CR4.PCIDE, the PCID. Forgets all but global pages; with PCIDE those of the new
 *  PCID alone, and nothing when bit 63 is set. With PAE the four PDPTEs are loaded.
 *  @param mmu  the instance
 *  @param cr3  the register
 *  @return VMM_OK, or VMM_FAULT (#GP): bits above the physical width in long mode, a reserved bit in a PDPTE. */
vmm_status_t NAME_set_cr3(NAME_mmu_t *mmu, uint64_t cr3);

/** x86: writes CR4. A change of PSE, PAE, PGE or LA57, and PCIDE going off, forget everything; SMEP going on forgets
 *  the current PCID. The other bits take effect at once and forget nothing.
 *  @param mmu  the instance
 *  @param cr4  the register
 *  @return VMM_OK, or VMM_FAULT (#GP): a bit without its feature, PAE off or LA57 changed in long mode, PCIDE outside
 *  long mode or with a PCID in CR3, a reserved bit in a PDPTE. */
vmm_status_t NAME_set_cr4(NAME_mmu_t *mmu, uint64_t cr4);

/** x86: writes EFER: LME and NXE; LMA is the processor's own. A change of NXE forgets everything.
 *  @param mmu   the instance
 *  @param efer  the register
 *  @return VMM_OK, or VMM_FAULT (#GP): LME changed while paging is on, NXE without the feature. */
vmm_status_t NAME_set_efer(NAME_mmu_t *mmu, uint64_t efer);

/** x86: writes PKRU, the rights by key of user pages: bit 2k forbids data, bit 2k + 1 writing.
 *  @param mmu   the instance
 *  @param pkru  the register */
void NAME_set_pkru(NAME_mmu_t *mmu, uint32_t pkru);

/** x86: writes PKRS, the same for supervisor pages.
 *  @param mmu   the instance
 *  @param pkrs  the register */
void NAME_set_pkrs(NAME_mmu_t *mmu, uint32_t pkrs);

/** x86: changes the current privilege level.
 *  @param mmu  the instance
 *  @param cpl  0 to 3; 3 is user mode
 *  @return VMM_OK, or VMM_E_ARGUMENT. */
vmm_status_t NAME_set_cpl(NAME_mmu_t *mmu, unsigned cpl);

/** x86: EFLAGS.AC, which lets supervisor data into user pages in spite of SMAP.
 *  @param mmu  the instance
 *  @param ac   whether it is set */
void NAME_set_ac(NAME_mmu_t *mmu, bool ac);

/** x86: while set, data accesses are implicit supervisor ones (descriptor tables, TSS): at any CPL, and without regard
 *  to AC.
 *  @param mmu       the instance
 *  @param implicit  whether they are */
void NAME_set_implicit(NAME_mmu_t *mmu, bool implicit);

/** x86: INVLPG. Forgets the page of an address in the current PCID and global ones, and every table that is remembered.
 *  @param mmu  the instance
 *  @param va   any address in the page; one that is not canonical is harmless */
void NAME_invlpg(NAME_mmu_t *mmu, vmm_vaddr_t va);

/** x86: INVPCID. Type 0: one address of one PCID; 1: one PCID; 2: everything; 3: everything but global pages.
 *  @param mmu   the instance
 *  @param type  the register operand
 *  @param low   first half of the descriptor: the PCID
 *  @param high  second half: the address
 *  @return VMM_OK, or VMM_FAULT (#GP): another type, reserved bits, a PCID without PCIDE, type 0 with an address that
 *  is not canonical. */
vmm_status_t NAME_invpcid(NAME_mmu_t *mmu, uint64_t type, uint64_t low, uint64_t high);

/** AArch64: writes TTBR0_EL1, the root of the lower half, and an ASID. ARMv7-A: TTBR0, of which TTBCR.N says how many
 *  bits count. Like every write to a register of Arm it takes effect at once and flushes nothing: TLBI does.
 *  @param mmu    the instance
 *  @param ttbr0  the register */
void NAME_set_ttbr0(NAME_mmu_t *mmu, uint64_t ttbr0);

/** AArch64: writes TTBR1_EL1, the root of the upper half, and an ASID. ARMv7-A: TTBR1, for addresses whose highest
 *  TTBCR.N bits are not all 0.
 *  @param mmu    the instance
 *  @param ttbr1  the register */
void NAME_set_ttbr1(NAME_mmu_t *mmu, uint64_t ttbr1);

/** AArch64: writes TCR_EL1: T0SZ, T1SZ, TG0, TG1, EPD0, EPD1, A1, IPS, AS, TBI0, TBI1, HA, HD, HPD0, HPD1, E0PD0,
 *  E0PD1. A TxSZ out of bounds makes its half fault; a reserved granule means 4 KiB. Another granule forgets what a
 *  modelled TLB holds.
 *  @param mmu  the instance
 *  @param tcr  the register */
void NAME_set_tcr(NAME_mmu_t *mmu, uint64_t tcr);

/** AArch64: writes SCTLR_EL1: M switches translation on, WXN. ARMv7-A: SCTLR: M, WXN, UWXN, AFE; the flag of AFE is
 *  never set by the hardware.
 *  @param mmu    the instance
 *  @param sctlr  the register */
void NAME_set_sctlr(NAME_mmu_t *mmu, uint64_t sctlr);

/** AArch64: writes MAIR_EL1. Accesses to Device memory must be aligned; everything else about types is the emulator's.
 *  At reset no index is Device memory.
 *  @param mmu   the instance
 *  @param mair  the register */
void NAME_set_mair(NAME_mmu_t *mmu, uint64_t mair);

/** AArch64: changes the exception level.
 *  @param mmu  the instance
 *  @param el   0 or 1
 *  @return VMM_OK, or VMM_E_ARGUMENT. */
vmm_status_t NAME_set_el(NAME_mmu_t *mmu, unsigned el);

/** AArch64: PSTATE.PAN.
 *  @param mmu  the instance
 *  @param pan  whether it is set */
void NAME_set_pan(NAME_mmu_t *mmu, bool pan);

/** AArch64: while set, loads and stores are judged as EL0's (LDTR, STTR); a fault tells the level that made them.
 *  ARMv7-A: as PL0's (LDRT, STRT).
 *  @param mmu           the instance
 *  @param unprivileged  whether they are */
void NAME_set_unprivileged(NAME_mmu_t *mmu, bool unprivileged);

/** Arm: TLBI of stage 1. The forms for other processors (IS) are NAME_ask to them.
 *  @param mmu  the instance
 *  @param op   enum vmm_tlbi, of the architecture's own
 *  @param xt   the register operand
 *  @return VMM_OK, or VMM_E_ARGUMENT for another operation. */
vmm_status_t NAME_tlbi(NAME_mmu_t *mmu, unsigned op, uint64_t xt);

/** AArch64: AT S1E1R, S1E1W, S1E0R, S1E0W. Leaves no trace, not even an access flag.
 *  @param mmu     the instance
 *  @param access  VMM_READ or VMM_WRITE
 *  @param el0     as EL0 would
 *  @param va      virtual address
 *  @return PAR_EL1: bit 0 clear with PA 51:12, SH 8:7, ATTR 63:56; or set with the fault status code in 6:1. */
uint64_t NAME_at(NAME_mmu_t *mmu, unsigned access, bool el0, vmm_vaddr_t va);

/** ARMv7-A: writes TTBCR: N chooses between the bases, PD0 and PD1 switch their walks off.
 *  @param mmu    the instance
 *  @param ttbcr  the register
 *  @return VMM_OK, or VMM_E_ARGUMENT with EAE: there are no long descriptors. */
vmm_status_t NAME_set_ttbcr(NAME_mmu_t *mmu, uint32_t ttbcr);

/** ARMv7-A: writes DACR, two bits a domain: 0 and 2 no access, 1 client, 3 manager.
 *  @param mmu   the instance
 *  @param dacr  the register */
void NAME_set_dacr(NAME_mmu_t *mmu, uint32_t dacr);

/** ARMv7-A: writes CONTEXTIDR, of which the ASID in 7:0 counts.
 *  @param mmu         the instance
 *  @param contextidr  the register */
void NAME_set_contextidr(NAME_mmu_t *mmu, uint32_t contextidr);

/** ARMv7-A: changes the privilege level.
 *  @param mmu  the instance
 *  @param pl   0 user mode, 1 all others
 *  @return VMM_OK, or VMM_E_ARGUMENT. */
vmm_status_t NAME_set_pl(NAME_mmu_t *mmu, unsigned pl);

/** MIPS: makes the TLB as large as a model's, and empty. Index and Wired become 0, Random the last entry.
 *  @param mmu      the instance
 *  @param entries  1 to VMM_MIPS_ENTRIES
 *  @return VMM_OK, or VMM_E_ARGUMENT. */
vmm_status_t NAME_set_entries(NAME_mmu_t *mmu, unsigned entries);

/** MIPS: changes the mode. Status.EXL means kernel mode: say so.
 *  @param mmu   the instance
 *  @param mode  as Status.KSU: 0 kernel, 1 supervisor, 2 user
 *  @param erl   Status.ERL: kernel mode, and kuseg is not mapped
 *  @return VMM_OK, or VMM_E_ARGUMENT. */
vmm_status_t NAME_set_mode(NAME_mmu_t *mmu, unsigned mode, bool erl);

/** MIPS: MTC0 to a register that translation depends on: Index 0, Random 1, EntryLo0 2, EntryLo1 3, Context 4,
 *  PageMask 5, PageGrain 5 select 1, Wired 6, BadVAddr 8, EntryHi 10. Bits that they do not have are dropped; EntryLo
 *  has XI and RI where PageGrain has XIE and RIE; Random and BadVAddr are not written. A change of the ASID takes
 *  effect at once and forgets nothing.
 *  @param mmu     the instance
 *  @param number  of the register
 *  @param select  0, or 1 for PageGrain
 *  @param value   the register
 *  @return VMM_OK; VMM_E_ARGUMENT for another register; VMM_E_RANGE for what the manual leaves undefined: an Index or
 *  Wired beyond the TLB, a PageMask that is no page size. Then nothing was changed. O(1). */
vmm_status_t NAME_mtc0(NAME_mmu_t *mmu, unsigned number, unsigned select, uint32_t value);

/** MIPS: MFC0 of such a register.
 *  @param mmu     the instance
 *  @param number  of the register
 *  @param select  0, or 1 for PageGrain
 *  @param value   receives it
 *  @return VMM_OK, or VMM_E_ARGUMENT for another register. */
vmm_status_t NAME_mfc0(NAME_mmu_t *mmu, unsigned number, unsigned select, uint32_t *value);

/** MIPS: TLBP. Index becomes the lowest entry that matches EntryHi, or 0x80000000. O(entries).
 *  @param mmu  the instance */
void NAME_tlbp(NAME_mmu_t *mmu);

/** MIPS: TLBR. EntryHi (with the ASID), EntryLo0, EntryLo1 and PageMask become those of the entry that Index names;
 *  both EntryLo have the common G. An invalid entry (EHINV) is told by EntryHi's bit 10 alone.
 *  @param mmu  the instance
 *  @return VMM_OK, or VMM_E_RANGE when Index names none. */
vmm_status_t NAME_tlbr(NAME_mmu_t *mmu);

/** MIPS: TLBWI. Writes the entry that Index names, and forgets what was remembered through the one that stood there.
 *  When another entry matches an address that it does, which the manual leaves open, the lowest serves.
 *  @param mmu  the instance
 *  @return VMM_OK, or VMM_E_RANGE when Index names none. O(entries). */
vmm_status_t NAME_tlbwi(NAME_mmu_t *mmu);

/** MIPS: TLBWR. As NAME_tlbwi for the entry that Random names, which then goes down by one, from Wired to the last.
 *  @param mmu  the instance */
void NAME_tlbwr(NAME_mmu_t *mmu);

/** RISC-V with the hypervisor extension: sets the virtualisation mode V. With it supervisor and user mode are VS and
 *  VU: their accesses go through two stages, vsatp's and hgatp's, in a bank of the front of their own. The walk cache
 *  and a modelled TLB are not used for them: each miss of the front walks both stages, and counts in stats.walks.
 *  Machine mode ignores V. A fault of the second stage is a VMM_GUEST_PAGE_FAULT with fault.guest_paddr.
 *  @param mmu      the instance
 *  @param virtual_mode  whether a guest runs */
void NAME_set_virtual(NAME_mmu_t *mmu, bool virtual_mode);

/** RISC-V with the hypervisor extension: writes vsatp, the first stage of guests. Flushes nothing. A guest's own write
 *  to satp is one to vsatp.
 *  @param mmu    the instance
 *  @param vsatp  MODE, ASID and PPN as in satp; PPN is guest physical
 *  @return as NAME_set_satp. */
vmm_status_t NAME_set_vsatp(NAME_mmu_t *mmu, uint64_t vsatp);

/** RISC-V with the hypervisor extension: writes hgatp, the second stage. Mode 0 is bare; 8, 9, 10 (RV64) and 1 (RV32)
 *  choose Sv39x4, Sv48x4, Sv57x4 and Sv32x4, whose tables VMM_TABLES makes; every page of them must be a user page.
 *  Flushes nothing: VMIDs keep virtual machines apart.
 *  @param mmu    the instance
 *  @param hgatp  MODE, VMID and PPN in the register's own layout; the two lowest bits of PPN read as 0
 *  @return VMM_OK, or VMM_E_ARGUMENT for a mode that does not exist: MODE stays, VMID and PPN are written. */
vmm_status_t NAME_set_hgatp(NAME_mmu_t *mmu, uint64_t hgatp);

/** RISC-V with the hypervisor extension: writes vsstatus, whose SUM and MXR guests obey in the first stage. MXR of
 *  mstatus (which is sstatus's) holds for both stages, SUM of mstatus for none.
 *  @param mmu       the instance
 *  @param vsstatus  the register */
void NAME_set_vsstatus(NAME_mmu_t *mmu, uint64_t vsstatus);

/** RISC-V with the hypervisor extension: writes hstatus, whose SPVP says what HLV and HSV are judged as.
 *  @param mmu      the instance
 *  @param hstatus  the register */
void NAME_set_hstatus(NAME_mmu_t *mmu, uint64_t hstatus);

/** RISC-V with the hypervisor extension: writes henvcfg; ADUE and PBMTE hold for the first stage of guests, where
 *  menvcfg has them too. Everything is flushed.
 *  @param mmu      the instance
 *  @param henvcfg  the register */
void NAME_set_henvcfg(NAME_mmu_t *mmu, uint64_t henvcfg);

/** RISC-V with the hypervisor extension: how loads and stores are made from now on, whatever V and MPRV say. Set it
 *  before the access of an HLV, HLVX or HSV and take it back after.
 *  @param mmu  the instance
 *  @param hlv  enum vmm_hlv
 *  @return VMM_OK, or VMM_E_ARGUMENT for another number. */
vmm_status_t NAME_set_hlv(NAME_mmu_t *mmu, unsigned hlv);

/** RISC-V with the hypervisor extension: HFENCE.VVMA, and SFENCE.VMA of a guest: forgets what the first stage of the
 *  virtual machine that hgatp names has translated. May forget more. NAME_flush_all and its like are SFENCE.VMA without
 *  V, and forget guests' translations too.
 *  @param mmu   the instance
 *  @param va    guest virtual address, or null: every one (rs1 = x0)
 *  @param asid  its address space, or null: every one (rs2 = x0) */
void NAME_hfence_vvma(NAME_mmu_t *mmu, const vmm_vaddr_t *va, const uint16_t *asid);

/** RISC-V with the hypervisor extension: HFENCE.GVMA: forgets what went through the second stage.
 *  @param mmu   the instance
 *  @param gpa   guest physical address (rs1 << 2), or null: every one (rs1 = x0). As the manual suggests, translations
 *               of all addresses are forgotten
 *  @param vmid  virtual machine, or null: every one (rs2 = x0) */
void NAME_hfence_gvma(NAME_mmu_t *mmu, const vmm_paddr_t *gpa, const uint16_t *vmid);

/** Generic formats: sets the top table and the address space. Flushes nothing.
 *  @param mmu   the instance
 *  @param root  physical address of the top table, aligned to an entry
 *  @param asid  address space
 *  @return VMM_OK, or VMM_E_ALIGN. */
vmm_status_t NAME_set_root(NAME_mmu_t *mmu, vmm_paddr_t root, uint16_t asid);

/** Generic formats: accesses are user mode's from now on, or the supervisor's.
 *  @param mmu   the instance
 *  @param user  which */
void NAME_set_user(NAME_mmu_t *mmu, bool user);

/** Takes a table for the root and clears it.
 *  @param tables  memory, format, take and give filled in; root is set
 *  @return VMM_OK; VMM_E_ARGUMENT without memory or take, or for a format that breaks its invariants, or on
 *  MIPS, which has no tables (so does every edit); VMM_E_NO_FRAME; VMM_E_TABLE when take hands
 *  out what is not RAM or not aligned to its size. */
vmm_status_t NAME_create(vmm_tables_t *tables);

/** Unmaps everything and gives all tables back, the root last.
 *  @param tables  the tree; unusable afterwards
 *  @return VMM_OK, or VMM_E_TABLE: a table lies wrong, nothing was changed. */
vmm_status_t NAME_destroy(vmm_tables_t *tables);

/** Maps a range, with the largest pages that alignment, length and the tables that stand there
 *  allow. Nothing is changed unless all of it can be done. ARMv7-A's tables are only looked at: there NAME_map,
 *  NAME_unmap, NAME_protect, NAME_merge and NAME_destroy return VMM_E_ARGUMENT.
 *  @param tables  the tree
 *  @param va      first virtual address, a multiple of the page size
 *  @param pa      first physical address, a multiple of the page size
 *  @param bytes   length, a multiple of the page size, not 0
 *  @param flags   rights and marks (VMM_R ... VMM_D), VMM_REPLACE, VMM_NO_HUGE, VMM_NONCACHED, VMM_IO.
 *  A mark that is not set is left for the processor to set, or to fault on.
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE when the range is empty, wraps or leaves either address
 *  space; VMM_E_ARGUMENT for an unknown flag; VMM_E_RIGHTS when the format cannot say them;
 *  VMM_E_MAPPED when a page is mapped there and VMM_REPLACE is not set; VMM_E_NO_FRAME; VMM_E_TABLE. O(entries
 *  written + tables). Calls take, give and flush.
 *  
 *      rv_map(&tables, 0x1000, 0x80200000, 0x4000, VMM_R | VMM_W | VMM_U | VMM_A | VMM_D); */
vmm_status_t NAME_map(vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes, uint32_t flags);

/** Unmaps a range; holes in it are no error. Huge pages that reach out of it are split, and tables
 *  that become empty are given back.
 *  @param tables  the tree
 *  @param va      first virtual address
 *  @param bytes   length
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE; VMM_E_NO_FRAME when a split needs a table; VMM_E_TABLE. */
vmm_status_t NAME_unmap(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes);

/** Changes the rights of a range that is mapped without a hole. Marks, frames and memory types
 *  stay; huge pages that reach out of it are split.
 *  @param tables  the tree
 *  @param va      first virtual address
 *  @param bytes   length
 *  @param flags   VMM_R, VMM_W, VMM_X, VMM_U, VMM_G
 *  @return VMM_OK; VMM_E_NOT_MAPPED when there is a hole; VMM_E_ARGUMENT for another flag; VMM_E_RIGHTS;
 *  else as NAME_unmap. */
vmm_status_t NAME_protect(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint32_t flags);

/** Tells what an address is mapped to, by the entries alone.
 *  @param tables   the tree
 *  @param va       virtual address, any alignment
 *  @param mapping  receives the leaf
 *  @return VMM_OK; VMM_E_NOT_MAPPED; VMM_E_RANGE when the address is not canonical; VMM_E_TABLE, also for
 *  a pointer where only a leaf may stand. */
vmm_status_t NAME_query(const vmm_tables_t *tables, vmm_vaddr_t va, vmm_mapping_t *mapping);

/** Visits every valid entry in ascending order, a pointer before what is below it. A pointer out of
 *  RAM or back up the tree is told with status VMM_E_TABLE and not followed.
 *  @param tables   the tree; the visitor does not edit it
 *  @param visitor  called for each
 *  @param user     passed to it
 *  @return VMM_OK; VMM_E_STOPPED when the visitor said so; VMM_E_TABLE when the root is not RAM. */
vmm_status_t NAME_visit(const vmm_tables_t *tables, vmm_visitor_t visitor, void *user);

/** Merges each table in or around a range, whose entries map one aligned stretch of memory with the
 *  same rights, into one huge page, from the lowest level up. Marks are gathered.
 *  @param tables  the tree
 *  @param va      first virtual address
 *  @param bytes   length
 *  @param merged  receives how many tables were given back
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE; VMM_E_TABLE. */
vmm_status_t NAME_merge(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint64_t *merged);

/** Looks at an access without making it: nothing is counted, marked or remembered.
 *  @param mmu     the instance
 *  @param va      virtual address
 *  @param access  enum vmm_access; another number means VMM_READ
 *  @param x       receives every field */
void NAME_examine(NAME_mmu_t *mmu, vmm_vaddr_t va, unsigned access, vmm_examination_t *x);

/** Prints what a read of an address would do, field by field. Needs VMM_IMPLEMENTATION in one file.
 *  @param mmu  the instance
 *  @param va   virtual address
 *  @param out  where to
 *  @return what the read would return. */
vmm_status_t NAME_explain(NAME_mmu_t *mmu, vmm_vaddr_t va, FILE *out);

/** NAME_explain for any kind of access.
 *  @param mmu     the instance
 *  @param va      virtual address
 *  @param access  enum vmm_access
 *  @param out     where to
 *  @return what the access would return. */
vmm_status_t NAME_explain_access(NAME_mmu_t *mmu, vmm_vaddr_t va, unsigned access, FILE *out);

/** Prints a tree of tables. Needs VMM_IMPLEMENTATION in one file.
 *  @param tables  the tree
 *  @param out     where to
 *  @return as vmm_print_tables. */
vmm_status_t NAME_dump(const vmm_tables_t *tables, FILE *out);

#endif /* VMM_DOXYGEN */
/** @} */

#ifndef VMM_DOXYGEN
/* The default instance. The name of this constant carries the options that shape its layout, so that
 * files which disagree about them do not link; its value carries the others, and vmm_init looks. */
#define VMM_PASTE_(a, b, c, d, e, f, g, h, i, j, k)                                                                    \
    vmm_options_page##a##_va##b##_pa##c##_levels##d##_pte##e##_front##f##x##g##_walk##h##_tlb##i##x##j##x##k
#define VMM_PASTE(a, b, c, d, e, f, g, h, i, j, k) VMM_PASTE_(a, b, c, d, e, f, g, h, i, j, k)
#define VMM_OPTIONS_SYMBOL                                                                                             \
    VMM_PASTE(VMM_PAGE_SHIFT, VMM_VADDR_BITS, VMM_PADDR_BITS, VMM_LEVELS, VMM_PTE_BYTES, VMM_FRONT_SLOTS,              \
              VMM_FRONT_BANKS, VMM_WALK_SLOTS, VMM_TLB_COUNT, VMM_TLB_SETS, VMM_TLB_WAYS)
#define VMM_MIX(sum, option) ((sum)*UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(option))
#define VMM_MIX_SIX(sum, a0, a1, a2, a3, a4, a5, ...)                                                                  \
    VMM_MIX(VMM_MIX(VMM_MIX(VMM_MIX(VMM_MIX(VMM_MIX(sum, a0), a1), a2), a3), a4), a5)
#define VMM_MIX_LIST(sum, ...) VMM_MIX_SIX(sum, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define VMM_OPTIONS_VALUE                                                                                              \
    VMM_MIX_LIST(VMM_MIX_LIST(VMM_MIX_LIST(VMM_TLB_POLICY, VMM_INDEX_BITS), VMM_PTE_VALID, VMM_PTE_READ,               \
                              VMM_PTE_WRITE, VMM_PTE_EXECUTE, VMM_PTE_SUPERVISOR, VMM_PTE_ACCESSED),                   \
                 VMM_PTE_DIRTY, VMM_PTE_HUGE, VMM_PTE_GLOBAL, VMM_PTE_PPN_LSB)
VMM_EXTERN_C const uint64_t VMM_OPTIONS_SYMBOL;

VMM_MMU_CHECKED(vmm, VMM_OPTIONS_SYMBOL == VMM_OPTIONS_VALUE, VMM_OPTIONS)
#endif

/* ==================================================================== VMM_IMPLEMENTATION == */
#if defined(VMM_IMPLEMENTATION) && !defined(VMM_DOXYGEN)

VMM_EXTERN_C const uint64_t VMM_OPTIONS_SYMBOL;
const uint64_t VMM_OPTIONS_SYMBOL = VMM_OPTIONS_VALUE;

/* A name by number, out of a list that ends with a null. */
static const char *vmm_text(const char *const *list, unsigned number)
{
    unsigned i;
    for (i = 0; list[i]; i++)
        if (i == number) return list[i];
    return "unknown";
}

const char *vmm_status_text(unsigned status)
{
    static const char *const list[] = {"done",
                                       "the access faulted",
                                       "an argument is null or unknown",
                                       "an address or size is not aligned",
                                       "the range is empty, wraps or leaves the address space",
                                       "the format cannot encode these rights",
                                       "something is mapped there already",
                                       "nothing is mapped there",
                                       "no frame or memory is left",
                                       "a table lies outside RAM or points back",
                                       "a callback asked to stop",
                                       "it is in use still",
                                       "no area holds the address",
                                       "the area or object does not allow it",
                                       "the address is not for users",
                                       "not now: too much is locked, or frames ran out",
                                       "a bound is reached",
                                       "a device failed",
                                       "the file is no program that can run",
                                       "the arguments are too long",
                                       NULL};
    return vmm_text(list, status);
}

const char *vmm_rule_text(unsigned rule)
{
    static const char *const list[] = {"no rule failed",
                                       "the address is wider than the address space",
                                       "the table lies outside RAM",
                                       "the entry is not valid",
                                       "the entry allows writing without reading",
                                       "a reserved bit is set",
                                       "a pointer carries a bit of leaves",
                                       "no such contiguous page",
                                       "no such memory type",
                                       "no leaf where one must be, or one where none may",
                                       "the huge page is not aligned to its size",
                                       "supervisor mode may not use a user page",
                                       "user mode may not use a supervisor page",
                                       "the page may not be read",
                                       "the page may not be written",
                                       "the page may not be executed",
                                       "the accessed bit is clear",
                                       "the dirty bit is clear",
                                       "the physical address is too wide",
                                       "nothing answers at the physical address",
                                       "the address is not aligned to its size",
                                       "the protection key refuses",
                                       "walks of this half are switched off",
                                       "the register does not take the value",
                                       "the physical check refuses",
                                       "the address is watched",
                                       "the domain allows no access",
                                       "no entry of the TLB matches",
                                       NULL};
    return vmm_text(list, rule);
}

const char *vmm_fault_text(unsigned kind)
{
    static const char *const list[] = {"no fault",         "page fault", "access fault",     "alignment fault",
                                       "protection fault", "watchpoint", "guest-page fault", NULL};
    return vmm_text(list, kind);
}

const char *vmm_access_text(unsigned access)
{
    static const char *const list[] = {"read", "write", "fetch", NULL};
    return vmm_text(list, access);
}

const char *vmm_event_text(unsigned kind)
{
    static const char *const list[] = {
        "access",      "walk",   "entry",    "fault",      "area",     "no area",   "no right",   "beyond end",
        "frame taken", "victim", "swap out", "write file", "drop",     "zero",      "read file",  "swap in",
        "copy",        "reuse",  "map",      "run again",  "signal",   "create",    "fork",       "exec",
        "exit",        "switch", "flush",    "mmap",       "munmap",   "break",     "reclaim",    "kill",
        "huge page",   "split",  "merge",    "TLB hit",    "TLB miss", "cache hit", "cache miss", NULL};
    VMM_STATIC_ASSERT(sizeof list / sizeof list[0] == VMM_EVENT_KINDS + 1, "every event has a name");
    return vmm_text(list, kind);
}

const char *vmm_exec_rule_text(unsigned rule)
{
    static const char *const list[] = {"it fits",
                                       "it is no ELF file",
                                       "its class is unknown, or its pointers do not reach the stack",
                                       "it is not little-endian",
                                       "it is not of version 1",
                                       "it is neither ET_EXEC nor ET_DYN",
                                       "it is for another processor",
                                       "a header has not the size that it must have",
                                       "its program headers are none, too many, or outside the file",
                                       "it has nothing to load",
                                       "it has too many segments",
                                       "rights are unknown",
                                       "an alignment is no power of two",
                                       "an address and its place in the file do not agree",
                                       "a segment has more content than memory",
                                       "content lies outside the file",
                                       "a segment is empty or lies where no program may",
                                       "segments overlap or are not in order",
                                       "the entry is not in an executable segment",
                                       "it wants an interpreter, or names it wrongly",
                                       "arguments and environment are too long",
                                       NULL};
    VMM_STATIC_ASSERT(sizeof list / sizeof list[0] == VMM_EXEC_RULES + 1, "every rule has a sentence");
    return vmm_text(list, rule);
}

const char *vmm_page_state_text(unsigned state)
{
    static const char *const list[] = {"unallocated", "uncached", "cached", NULL};
    return vmm_text(list, state);
}

#if VMM_STDIO
#include <inttypes.h>

/* Hexadecimal digits that hold so many bits. */
static int vmm_digits(unsigned bits)
{
    return bits ? (int)((bits + 3) / 4) : 1;
}

static void vmm_print_walk(FILE *out, const vmm_examination_t *x)
{
    const vmm_paging_t *p = x->paging;
    unsigned i;
    for (i = 0; i < x->steps; i++) {
        const vmm_step_t *step = &x->step[i];
        fprintf(out, "walk   level %u  index 0x%0*" PRIx32 "  PTE at 0x%0*" PRIx64 " = 0x%0*" PRIx64 "  %s\n",
                (unsigned)step->level, vmm_digits(p->index_bits[step->level]), step->index, vmm_digits(p->paddr_bits),
                step->pte_addr, 2 * p->pte_bytes, step->pte,
                !(step->pte & p->valid)                      ? "not valid"
                : vmm_pte_is_leaf(p, step->pte, step->level) ? "leaf"
                                                             : "table");
    }
}

void vmm_print_examination(FILE *out, const vmm_examination_t *x)
{
    const vmm_paging_t *p = x->paging;
    const unsigned va_bits = p ? p->vaddr_bits : 64u, pa_bits = p ? p->paddr_bits : 64u;
    const unsigned vpo_bits = p ? p->page_shift : 12u;
    fprintf(out, "VA     0x%0*" PRIx64 "  %s  (%s)\n", vmm_digits(va_bits), x->vaddr, vmm_access_text(x->access),
            p ? p->name : "bare: the address is physical");
    fprintf(out, "VPN    0x%0*" PRIx64 "  VPO 0x%0*" PRIx64 "\n", vmm_digits(va_bits - vpo_bits), x->vpn,
            vmm_digits(vpo_bits), x->vpo);
    if (x->has_tlb)
        fprintf(out, "TLBI   0x%0*" PRIx64 "  TLBT 0x%0*" PRIx64 "  TLB %s\n", vmm_digits(x->tlbi_bits), x->tlbi,
                vmm_digits(va_bits - vpo_bits - x->tlbi_bits), x->tlbt, x->tlb_hit ? "hit" : "miss");
    if (p) vmm_print_walk(out, x);
    if (x->status == VMM_OK)
        fprintf(out, "PPN    0x%0*" PRIx64 "  PPO 0x%0*" PRIx64 "  PA 0x%0*" PRIx64 "\n",
                vmm_digits(pa_bits - vpo_bits), x->ppn, vmm_digits(vpo_bits), x->ppo, vmm_digits(pa_bits),
                x->translation.paddr);
    else
        fprintf(out, "fault  %s: %s (level %u, cause %u)\n", vmm_fault_text(x->fault.kind),
                vmm_rule_text(x->fault.rule), (unsigned)x->fault.level, (unsigned)x->fault.cause);
}

void vmm_print_caches(FILE *out, const vmm_caches_t *c, const vmm_cache_step_t *step, unsigned pa_bits)
{
    unsigned level;
    for (level = 0; level < c->levels && step[level].asked; level++) {
        const vmm_cache_geometry_t *g = &c->geometry[level];
        const vmm_cache_step_t *s = &step[level];
        const unsigned tag_bit = vmm_caches_tag_bit(g);
        fprintf(out, "CO     0x%0*" PRIx64 "  CI 0x%0*" PRIx64 "  CT 0x%0*" PRIx64 "  ",
                vmm_digits(vmm_caches_block_bits(g)), s->co, vmm_digits((unsigned)__builtin_ctz(g->sets)), s->ci,
                vmm_digits(pa_bits > tag_bit ? pa_bits - tag_bit : 0), s->ct);
        if (c->levels == 1) fprintf(out, "cache %s", s->hit ? "hit" : "miss");
        else fprintf(out, "L%u %s", level + 1, s->hit ? "hit" : "miss");
        if (s->byte >= 0) fprintf(out, "  byte 0x%02x", (unsigned)s->byte);
        if (s->evicted)
            fprintf(out, "  out 0x%0*" PRIx64 "%s", vmm_digits(pa_bits), s->victim, s->written_back ? " (dirty)" : "");
        if (s->synonym) fprintf(out, "  synonym");
        fprintf(out, "\n");
    }
}

void vmm_print_symbols(FILE *out, const vmm_symbol_t *list, unsigned count)
{
    unsigned i;
    fprintf(out, "%-6s %4s  %s\n", "symbol", "bits", "value");
    for (i = 0; i < count; i++) {
        fprintf(out, "%-6s %4u  ", list[i].name, (unsigned)list[i].bits);
        if (list[i].known) fprintf(out, "0x%0*" PRIx64 "\n", (list[i].bits + 3) / 4, list[i].value);
        else fputs("-\n", out);
    }
}

/* Leaves that continue each other, waiting to be printed in one line. */
typedef struct vmm_dump {
    FILE *out;
    const vmm_paging_t *p;
    vmm_mapping_t first;
    uint64_t count;
} vmm_dump_t;

static void vmm_dump_leaves(vmm_dump_t *d)
{
    const vmm_mapping_t *m = &d->first;
    const int va_digits = vmm_digits(d->p->vaddr_bits), pa_digits = vmm_digits(d->p->paddr_bits);
    if (!d->count) return;
    fprintf(d->out,
            "%*s0x%0*" PRIx64 "-0x%0*" PRIx64 " -> 0x%0*" PRIx64 "  %c%c%c%c%c%c%c  %" PRIu64 " x 0x%" PRIx64 "\n",
            2 * (d->p->levels - m->level), "", va_digits, m->vaddr, va_digits, m->vaddr + (d->count * m->bytes - 1),
            pa_digits, m->paddr, m->flags & VMM_R ? 'r' : '-', m->flags & VMM_W ? 'w' : '-',
            m->flags & VMM_X ? 'x' : '-', m->flags & VMM_U ? 'u' : '-', m->flags & VMM_G ? 'g' : '-',
            m->flags & VMM_A ? 'a' : '-', m->flags & VMM_D ? 'd' : '-', d->count, m->bytes);
    d->count = 0;
}

static int vmm_dump_entry(void *user, const vmm_mapping_t *m)
{
    vmm_dump_t *d = (vmm_dump_t *)user;
    const vmm_mapping_t *f = &d->first;
    const uint64_t so_far = d->count * f->bytes;
    if (d->count && m->leaf && m->level == f->level && m->flags == f->flags && m->vaddr == f->vaddr + so_far &&
        m->paddr == f->paddr + so_far) {
        d->count++;
        return 0;
    }
    vmm_dump_leaves(d);
    if (m->leaf) {
        d->first = *m;
        d->count = 1;
        return 0;
    }
    fprintf(d->out, "%*slevel %u [0x%" PRIx32 "] table at 0x%0*" PRIx64 "%s\n", 2 * (d->p->levels - m->level), "",
            (unsigned)m->level, vmm_level_index(d->p, m->level, m->vaddr), vmm_digits(d->p->paddr_bits), m->paddr,
            m->status ? "  (outside RAM, or back up the tree)" : "");
    return 0;
}

vmm_status_t vmm_print_tables(FILE *out, const vmm_paging_t *paging, const vmm_tables_t *tables)
{
    vmm_dump_t dump;
    vmm_status_t status;
    VMM_SET(&dump, 0, sizeof dump);
    dump.out = out;
    dump.p = paging;
    fprintf(out, "%s, root at 0x%0*" PRIx64 "\n", paging->name, vmm_digits(paging->paddr_bits), tables->root);
    status = vmm_pt_visit(paging, tables, vmm_dump_entry, &dump);
    vmm_dump_leaves(&dump);
    return status;
}
/* Sizes are printed in kB, and in B where pages are smaller than that. */
static unsigned vmm_kb_shift(const vmm_machine_t *m)
{
    return m->paging->page_shift < 10 ? 0 : 10;
}

static void vmm_print_area(FILE *out, const vmm_space_t *s, uint32_t number)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_area_t *a = vmm_area_at(m, number);
    const char *name = vmm_area_name(s, number);
    const uint64_t offset = a->object ? a->offset << m->paging->page_shift : 0;
    const int wrote =
        fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " 00:0%c %" PRIu32 " ", a->start, a->end,
                a->flags & VMM_R ? 'r' : '-', a->flags & VMM_W ? 'w' : '-', a->flags & VMM_X ? 'x' : '-',
                a->flags & VMM_AREA_SHARED ? 's' : 'p', offset, a->object ? '1' : '0', a->object);
    if (name[0]) fprintf(out, "%*s%s", wrote < 73 ? 73 - wrote : 1, "", name);
    fputc('\n', out);
}

void vmm_print_maps(FILE *out, vmm_space_t *s)
{
    uint32_t area;
    for (area = vmm_area_first(s); area; area = vmm_area_next(s, area)) vmm_print_area(out, s, area);
}

/* A line of smaps or meminfo: the name and a colon in 16 columns, and a size. */
static void vmm_print_size(FILE *out, const vmm_machine_t *m, const char *name, uint64_t bytes)
{
    const unsigned shift = vmm_kb_shift(m);
    int column = fprintf(out, "%s:", name);
    for (; column < 16; column++) fputc(' ', out);
    fprintf(out, "%8" PRIu64 " %s\n", bytes >> shift, shift ? "kB" : "B");
}

/* The flags of smaps, in the order of Linux's bits. */
static void vmm_print_area_flags(FILE *out, const vmm_area_t *a)
{
    static const struct {
        uint32_t flag;
        char text[4];
    } list[] = {{VMM_R, "rd"},
                {VMM_W, "wr"},
                {VMM_X, "ex"},
                {VMM_AREA_SHARED, "sh"},
                {VMM_AREA_MAY_READ, "mr"},
                {VMM_AREA_MAY_WRITE, "mw"},
                {VMM_AREA_MAY_EXEC, "me"},
                {VMM_AREA_SHARED, "ms"},
                {VMM_AREA_GROWS, "gd"},
                {VMM_AREA_LOCKED, "lo"},
                {VMM_AREA_SEQUENTIAL, "sr"},
                {VMM_AREA_RANDOM, "rr"},
                {VMM_AREA_ACCOUNT, "ac"},
                {VMM_AREA_NO_RESERVE, "nr"},
                {VMM_AREA_HUGE, "ht"},
                {VMM_AREA_ADVISE_HUGE, "hg"},
                {VMM_AREA_NEVER_HUGE, "nh"},
                {VMM_AREA_MERGEABLE, "mg"}};
    size_t i;
    fprintf(out, "VmFlags:");
    for (i = 0; i < sizeof list / sizeof list[0]; i++)
        if (a->flags & list[i].flag) fprintf(out, " %s", list[i].text);
    fputs(" \n", out);
}

static void vmm_print_usage(FILE *out, vmm_space_t *s, uint32_t number)
{
    const vmm_machine_t *m = vmm_machine_of(s);
    const vmm_area_t *a = vmm_area_at(m, number);
    const bool explicit_huge = (a->flags & VMM_AREA_HUGE) != 0;
    const uint64_t page = vmm_page_bytes(m);
    vmm_usage_t u;
    vmm_smaps(s, number, &u);
    vmm_print_size(out, m, "Size", u.size);
    vmm_print_size(out, m, "KernelPageSize", explicit_huge ? UINT64_C(1) << vmm_level_shift(m->paging, 1) : page);
    vmm_print_size(out, m, "MMUPageSize", explicit_huge ? UINT64_C(1) << vmm_level_shift(m->paging, 1) : page);
    vmm_print_size(out, m, "Rss", u.rss);
    vmm_print_size(out, m, "Pss", u.pss >> VMM_PSS_SHIFT);
    vmm_print_size(out, m, "Pss_Dirty", u.pss_dirty >> VMM_PSS_SHIFT);
    vmm_print_size(out, m, "Shared_Clean", u.shared_clean);
    vmm_print_size(out, m, "Shared_Dirty", u.shared_dirty);
    vmm_print_size(out, m, "Private_Clean", u.private_clean);
    vmm_print_size(out, m, "Private_Dirty", u.private_dirty);
    vmm_print_size(out, m, "Referenced", u.referenced);
    vmm_print_size(out, m, "Anonymous", u.anonymous);
    vmm_print_size(out, m, "KSM", u.ksm);
    vmm_print_size(out, m, "LazyFree", u.lazy_free);
    vmm_print_size(out, m, "AnonHugePages", explicit_huge ? 0 : u.huge);
    vmm_print_size(out, m, "Private_Hugetlb", explicit_huge ? u.huge : 0);
    vmm_print_size(out, m, "Swap", u.swap);
    vmm_print_size(out, m, "SwapPss", u.swap_pss >> VMM_PSS_SHIFT);
    vmm_print_size(out, m, "Locked", u.locked >> VMM_PSS_SHIFT);
    vmm_print_area_flags(out, a);
}

void vmm_print_smaps(FILE *out, vmm_space_t *s)
{
    uint32_t area;
    for (area = vmm_area_first(s); area; area = vmm_area_next(s, area)) {
        vmm_print_area(out, s, area);
        vmm_print_usage(out, s, area);
    }
}

static char vmm_space_state(const vmm_machine_t *m, const vmm_space_t *s)
{
    uint32_t i;
    if (s->killed) return 'X';
    for (i = 0; i < m->cpus; i++)
        if (m->cpu[i].space == s->number) return 'R';
    return 'S';
}

void vmm_print_ps(FILE *out, const vmm_machine_t *m)
{
    const unsigned kb = vmm_kb_shift(m), shift = m->paging->page_shift - kb;
    uint32_t number;
    fprintf(out, "%5s %5s S %10s %10s %10s %10s %10s %5s %5s  NAME%s\n", "PID", "PPID", "VSZ", "RSS", "SWAP", "MINFLT",
            "MAJFLT", "OOM", "ADJ", kb ? "" : "  (sizes in B)");
    for (number = 1; number <= m->spaces.fresh; number++) {
        const vmm_space_t *s = vmm_space_at(m, number);
        const vmm_space_stats_t *n = &s->stats;
        if (s->number != number) continue;
        fprintf(out,
                "%5" PRIu32 " %5" PRIu32 " %c %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64
                " %5u %5d  %s\n",
                number, s->parent, vmm_space_state(m, s), n->total << shift, (n->anon + n->file + n->shared) << shift,
                n->swapped << shift, n->minor, n->major, vmm_oom_score(s), (int)s->oom_score_adj, s->name);
    }
}

void vmm_print_meminfo(FILE *out, vmm_machine_t *m)
{
    vmm_meminfo_t info;
    vmm_meminfo(m, &info);
    vmm_print_size(out, m, "MemTotal", info.total);
    vmm_print_size(out, m, "MemFree", info.free);
    vmm_print_size(out, m, "MemAvailable", info.available);
    vmm_print_size(out, m, "Cached", info.cached);
    vmm_print_size(out, m, "SwapCached", info.swap_cached);
    vmm_print_size(out, m, "Mlocked", info.locked);
    vmm_print_size(out, m, "SwapTotal", info.swap_total);
    vmm_print_size(out, m, "SwapFree", info.swap_free);
    vmm_print_size(out, m, "Dirty", info.dirty);
    vmm_print_size(out, m, "AnonPages", info.anon);
    vmm_print_size(out, m, "Mapped", info.mapped);
    vmm_print_size(out, m, "Shmem", info.shmem);
    vmm_print_size(out, m, "PageTables", info.tables);
    vmm_print_size(out, m, "CommitLimit", info.commit_limit);
    vmm_print_size(out, m, "Committed_AS", info.committed);
    vmm_print_size(out, m, "AnonHugePages", info.anon_huge);
    vmm_print_size(out, m, "Hugepagesize", info.huge_bytes);
}

void vmm_print_buddyinfo(FILE *out, const vmm_machine_t *m)
{
    vmm_frames_usage_t usage;
    unsigned order;
    vmm_frames_measure(&m->frames, &usage);
    fprintf(out, "Node 0, zone %8s ", "Normal");
    for (order = 0; order < VMM_FRAMES_ORDERS && UINT64_C(1) << order <= usage.frames; order++)
        fprintf(out, "%6" PRIu64 " ", usage.blocks[order]);
    fputc('\n', out);
}

static void vmm_print_slab(FILE *out, const vmm_machine_t *m, const char *name, uint64_t used, uint64_t count,
                           uint32_t bytes)
{
    const uint64_t page = vmm_page_bytes(m);
    fprintf(out, "%-17s %6" PRIu64 " %6" PRIu64 " %6" PRIu32 " %4" PRIu64 " %4" PRIu64 "\n", name, used, count, bytes,
            page > bytes ? page / bytes : 1, (bytes + page - 1) / page);
}

void vmm_print_slabinfo(FILE *out, const vmm_machine_t *m)
{
    fputs("slabinfo - version: 2.1\n"
          "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n",
          out);
    vmm_print_slab(out, m, "vmm_space", m->spaces.used, m->spaces.count, m->spaces.bytes);
    vmm_print_slab(out, m, "vmm_area", m->areas.used, m->areas.count, m->areas.bytes);
    vmm_print_slab(out, m, "vmm_tree_node", m->tree_nodes.used, m->tree_nodes.count, m->tree_nodes.bytes);
    vmm_print_slab(out, m, "vmm_object", m->objects.used, m->objects.count, m->objects.bytes);
    vmm_print_slab(out, m, "vmm_index_node", m->index_nodes.used, m->index_nodes.count, m->index_nodes.bytes);
    vmm_print_slab(out, m, "vmm_kin", m->kins.used, m->kins.count, m->kins.bytes);
    vmm_print_slab(out, m, "vmm_slot", m->slots_used, m->slot_count, sizeof(vmm_slot_t));
    vmm_print_slab(out, m, "vmm_frame", m->frame_count - m->frames.free_frames, m->frame_count, sizeof(vmm_frame_t));
}

/* What a kind of event has to tell: the textbooks' step, or 0; v and p: it has an address; what detail is. */
typedef struct vmm_form_of_event {
    uint8_t step;
    char address[3];
    const char *detail; /* null: nothing; "x" after the name: hexadecimal */
} vmm_event_form_t;

static const vmm_event_form_t *vmm_event_form(unsigned kind)
{
    static const vmm_event_form_t list[] = {{1, "v", NULL},     /* access: its kind in words */
                                            {2, "p", NULL},     /* walk */
                                            {3, "", "PTE x"},   /* entry */
                                            {4, "v", NULL},     /* fault: its access in words */
                                            {0, "v", "area"},   /* area */
                                            {0, "v", NULL},     /* no area */
                                            {0, "v", "area"},   /* no right */
                                            {0, "v", "page"},   /* beyond */
                                            {0, "p", NULL},     /* frame */
                                            {5, "p", NULL},     /* victim */
                                            {5, "p", "slot"},   /* swap out */
                                            {5, "p", "page"},   /* write */
                                            {5, "p", NULL},     /* drop */
                                            {6, "p", NULL},     /* zero */
                                            {6, "p", "page"},   /* read */
                                            {6, "p", "slot"},   /* swap in */
                                            {6, "p", NULL},     /* copy */
                                            {6, "p", NULL},     /* reuse */
                                            {6, "vp", "PTE x"}, /* map */
                                            {7, "v", NULL},     /* retry: minor or major in words */
                                            {0, "v", "number"}, /* signal */
                                            {0, "", NULL},      /* create */
                                            {0, "", "child"},   /* fork */
                                            {0, "v", NULL},     /* exec */
                                            {0, "", NULL},      /* exit */
                                            {0, "", "ASID"},    /* switch */
                                            {0, "v", "bytes"},  /* flush */
                                            {0, "v", "bytes"},  /* mmap */
                                            {0, "v", "bytes"},  /* munmap */
                                            {0, "v", NULL},     /* break */
                                            {0, "", "free"},    /* reclaim */
                                            {0, "", "badness"}, /* kill */
                                            {0, "vp", NULL},    /* huge */
                                            {0, "v", NULL},     /* split */
                                            {0, "vp", NULL},    /* merge */
                                            {0, "vp", "set"},   /* TLB hit */
                                            {0, "v", "set"},    /* TLB miss */
                                            {0, "p", "level"},  /* cache hit */
                                            {0, "p", "level"}}; /* cache miss */
    VMM_STATIC_ASSERT(sizeof list / sizeof list[0] == VMM_EVENT_KINDS, "every event has a form");
    return kind < VMM_EVENT_KINDS ? &list[kind] : NULL;
}

void vmm_print_event(FILE *out, const vmm_event_t *e)
{
    static const char *const retry[] = {"neither", "minor fault", "major fault", NULL};
    const vmm_event_form_t *form = vmm_event_form(e->kind);
    const char *c;
    if (form && form->step) fprintf(out, "[%u] ", (unsigned)form->step);
    else fputs("    ", out);
    if (e->space) fprintf(out, "space %-3" PRIu32 " ", e->space);
    else fprintf(out, "%10s", "");
    fprintf(out, "%-11s", vmm_event_text(e->kind));
    for (c = form ? form->address : ""; *c; c++)
        fprintf(out, " %s 0x%0*" PRIx64, *c == 'v' ? "VA" : "PA", 8, *c == 'v' ? e->vaddr : e->paddr);
    if (e->kind == VMM_EVENT_ACCESS) fprintf(out, " %s", vmm_access_text((unsigned)e->detail));
    if (e->kind == VMM_EVENT_FAULT) fprintf(out, " page %s", vmm_page_state_text((unsigned)e->detail));
    if (e->kind == VMM_EVENT_RETRY) fprintf(out, " %s", vmm_text(retry, (unsigned)e->detail));
    if (form && form->detail) {
        for (c = form->detail; *c && c[1] != 'x'; c++) {}
        fprintf(out, *c ? " %.*s 0x%" PRIx64 : " %.*s %" PRIu64, (int)(c - form->detail), form->detail, e->detail);
    }
    fputc('\n', out);
}
#endif /* VMM_STDIO */
#endif /* VMM_IMPLEMENTATION */

#endif /* VMM_H */
