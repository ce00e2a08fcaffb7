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
 * Define VMM_IMPLEMENTATION before the include in exactly one file of the program if it uses names or
 * printers of Part III (NAME_explain, NAME_dump), or the instance `vmm_`, which is stamped from the
 * options of vmm_config.h at the end of this file.
 *
 * Sections
 *   Part I, the hardware
 *     1 physical memory   RAM window and bus
 *     2 walk              entries read, judged, marked
 *     3 editing           map, unmap, protect, query, merge, visit
 *     4 TLB               front, walk cache, set-associative TLB, flushes
 *     5 access            load, store, fetch, copies, compare-and-swap
 *     6 registers         the RISC-V front end; the plain one
 *   Part III, looking
 *    19 explain           one access field by field; a whole tree
 *   VMM_MMU and VMM_TABLES, which stamp instances, stand last.
 *
 * Limits: entries are little-endian; tables lie in the RAM window; one thread uses an instance at
 * a time, several instances may share RAM. MIT licence; see LICENSE.
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

/** By what an access is judged: the mode of the processor that a walk depends on. */
typedef struct vmm_judge {
    uint8_t user;     /**< Judged as user mode. */
    uint8_t sum;      /**< Supervisor mode may use user pages (data only). */
    uint8_t mxr;      /**< Executable pages may be read. */
    uint8_t marking;  /**< enum vmm_marking. */
    uint8_t features; /**< enum vmm_feature in force now. */
} vmm_judge_t;

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
    default: return true;
    }
}

/** @cond internal: an address where addresses count modulo the width of the space. */
VMM_INLINE vmm_vaddr_t vmm_wrap(const vmm_paging_t *p, vmm_vaddr_t va)
{
    return p->vaddr_rule == VMM_VADDR_WRAP ? va & vmm_low_mask(p->vaddr_bits) : va;
}
/** @endcond */

/** The same address in the form that the format calls canonical. */
VMM_INLINE vmm_vaddr_t vmm_make_canonical(const vmm_paging_t *p, vmm_vaddr_t va)
{
    const uint64_t sign = UINT64_C(1) << (p->vaddr_bits - 1);
    va &= vmm_low_mask(p->vaddr_bits);
    return p->vaddr_rule == VMM_VADDR_SIGN ? (va ^ sign) - sign : va;
}

/** @cond internal: entries in RAM, aligned to their width. */
VMM_INLINE vmm_pte_t vmm_entry_load(const void *at, unsigned bytes)
{
    switch (bytes) {
    case 2: return vmm_little(VMM_ATOMIC_LOAD((const vmm_any16_t *)at), 2);
    case 4: return vmm_little(VMM_ATOMIC_LOAD((const vmm_any32_t *)at), 4);
    default: return vmm_little(VMM_ATOMIC_LOAD((const vmm_any64_t *)at), 8);
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

/** Physical address that an entry holds: of the next table, or of the page. */
VMM_INLINE vmm_paddr_t vmm_pte_paddr(const vmm_paging_t *p, vmm_pte_t pte)
{
    return ((pte >> p->ppn_lsb) & vmm_low_mask(p->ppn_bits)) << p->page_shift;
}

/** Whether a valid entry of a level is a leaf. */
VMM_INLINE bool vmm_pte_is_leaf(const vmm_paging_t *p, vmm_pte_t pte, unsigned level)
{
    if (p->rules == VMM_RULES_RISCV) return (pte & (p->read | p->write | p->execute)) != 0;
    return level == 0 || (p->huge != 0 && vmm_pte_grants(p, pte, p->huge));
}

/** Rights and marks of an entry, enum vmm_flags. */
VMM_INLINE uint8_t vmm_pte_flags(const vmm_paging_t *p, vmm_pte_t pte)
{
    if (p->rules == VMM_RULES_RISCV) return (uint8_t)(pte & 0xfe); /* same order as the flags */
    return (uint8_t)((vmm_pte_grants(p, pte, p->read) ? VMM_R : 0) | (vmm_pte_grants(p, pte, p->write) ? VMM_W : 0) |
                     (vmm_pte_grants(p, pte, p->execute) ? VMM_X : 0) | (vmm_pte_grants(p, pte, p->user) ? VMM_U : 0) |
                     (p->global && vmm_pte_grants(p, pte, p->global) ? VMM_G : 0) |
                     (vmm_pte_grants(p, pte, p->accessed) ? VMM_A : 0) |
                     (vmm_pte_grants(p, pte, p->dirty) ? VMM_D : 0));
}

/** Bytes, as log2, that a valid leaf covers: more than its level for a RISC-V NAPOT page. */
VMM_INLINE unsigned vmm_pte_page_shift(const vmm_paging_t *p, vmm_pte_t pte, unsigned level)
{
    const bool napot = p->rules == VMM_RULES_RISCV && p->pte_bytes == 8 && (pte & VMM_RISCV_N);
    return vmm_level_shift(p, level) + (napot ? 4u : 0u);
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

/* Steps 3 to 5 of the manual's algorithm: is the entry one that may stand at this level? */
VMM_INLINE unsigned vmm_pte_rule(const vmm_paging_t *p, const vmm_judge_t *judge, vmm_pte_t pte, unsigned level)
{
    if (!(pte & p->valid)) return VMM_RULE_VALID;
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

/* Steps 6 and 8: do these rights allow the access? Generic supervisor mode may use user pages. */
VMM_INLINE unsigned vmm_rights_rule(const vmm_paging_t *p, const vmm_judge_t *judge, unsigned flags, unsigned access)
{
    if (judge->user && !(flags & VMM_U)) return VMM_RULE_SUPERVISOR_PAGE;
    if (!judge->user && (flags & VMM_U) && p->rules == VMM_RULES_RISCV && (access == VMM_FETCH || !judge->sum))
        return VMM_RULE_USER_PAGE;
    if (access == VMM_READ && !(flags & VMM_R) && !(judge->mxr && (flags & VMM_X))) return VMM_RULE_READ;
    if (access == VMM_WRITE && !(flags & VMM_W)) return VMM_RULE_WRITE;
    if (access == VMM_FETCH && !(flags & VMM_X)) return VMM_RULE_EXECUTE;
    return VMM_RULE_NONE;
}

/* RISC-V exception codes by kind and access ("Machine Cause Register"). */
VMM_INLINE uint8_t vmm_fault_cause(unsigned kind, unsigned access)
{
    if (kind == VMM_PAGE_FAULT) return access == VMM_FETCH ? 12 : access == VMM_WRITE ? 15 : 13;
    if (kind == VMM_ACCESS_FAULT) return access == VMM_FETCH ? 1 : access == VMM_WRITE ? 7 : 5;
    return access == VMM_FETCH ? 0 : access == VMM_WRITE ? 6 : 4;
}

VMM_INLINE vmm_status_t vmm_fault_set(vmm_fault_t *fault, unsigned kind, unsigned access, unsigned rule, unsigned level,
                                      vmm_vaddr_t va, vmm_paddr_t pte_addr, vmm_pte_t pte)
{
    fault->kind = (uint8_t)kind;
    fault->access = (uint8_t)access;
    fault->cause = vmm_fault_cause(kind, access);
    fault->rule = (uint8_t)rule;
    fault->level = (uint8_t)level;
    fault->vaddr = va;
    fault->pte_addr = pte_addr;
    fault->pte = pte;
    return VMM_FAULT;
}

/* Step 9: the marks that an access leaves in its leaf.
 * Returns the rule that failed; sets *pte; *again when the entry changed under our hands. */
VMM_INLINE unsigned vmm_pte_mark(const vmm_paging_t *p, const vmm_judge_t *judge, unsigned access, uint8_t *host,
                                 vmm_pte_t *pte, bool *again)
{
    const vmm_pte_t want = p->accessed | (access == VMM_WRITE ? p->dirty : 0);
    const vmm_pte_t marked = (*pte | (want & ~p->inverted)) & ~(want & p->inverted);
    if (marked == *pte || judge->marking == VMM_MARK_PEEK) return VMM_RULE_NONE;
    if (judge->marking == VMM_MARK_FAULT)
        return vmm_pte_grants(p, *pte, p->accessed) ? VMM_RULE_DIRTY : VMM_RULE_ACCESSED;
    *again = !vmm_pte_swap(p, host, *pte, marked);
    if (!*again) *pte = marked;
    return VMM_RULE_NONE;
}
/** @endcond */

/** @cond internal: the walk from a table that is known already. */
VMM_INLINE vmm_status_t vmm_walk_from(const vmm_paging_t *p, const vmm_memory_t *memory, vmm_paddr_t table,
                                      unsigned level, const vmm_judge_t *judge, unsigned access, vmm_vaddr_t va,
                                      vmm_translation_t *t, vmm_fault_t *fault, vmm_step_t *steps, unsigned *count)
{
    const unsigned width = vmm_mem_width(memory, p);
    unsigned shift = vmm_level_shift(p, level), granted = VMM_R | VMM_W | VMM_X | VMM_U, rule;
    vmm_pte_t pte, was;
    uint8_t *host;

    t->table = table;
    t->pte_addr = 0;
    t->above = 0;
    va = vmm_wrap(p, va);
    if (!vmm_canonical(p, va))
        return vmm_fault_set(fault, VMM_PAGE_FAULT, access, VMM_RULE_CANONICAL, p->levels, va, 0, 0);
    for (;;) {
        const uint32_t index = (uint32_t)((va >> shift) & vmm_low_mask(p->index_bits[level]));
        bool again = false;
        t->pte_addr = t->table + (uint64_t)index * p->pte_bytes;
        host = vmm_mem_host(memory, t->pte_addr, p->pte_bytes);
        if (!host || ((t->pte_addr - memory->base) & (p->pte_bytes - 1u)))
            return vmm_fault_set(fault, VMM_ACCESS_FAULT, access, VMM_RULE_TABLE_MEMORY, level, va, t->pte_addr, 0);
        was = pte = vmm_pte_load(p, host);
        if (steps) {
            const vmm_step_t step = {t->pte_addr, pte, index, (uint8_t)level};
            steps[(*count)++] = step;
        }
        rule = vmm_pte_rule(p, judge, pte, level);
        if (rule) return vmm_fault_set(fault, VMM_PAGE_FAULT, access, rule, level, va, t->pte_addr, pte);
        t->flags = vmm_pte_flags(p, pte);
        if (!vmm_pte_is_leaf(p, pte, level)) {
            if (p->rights == VMM_RIGHTS_EVERY) granted &= t->flags;
            if (p->rules == VMM_RULES_RISCV) t->above |= t->flags & VMM_G;
            t->table = vmm_pte_paddr(p, pte);
            level--;
            shift -= p->index_bits[level];
            continue;
        }
        if (p->rights == VMM_RIGHTS_EVERY) t->flags &= (uint8_t)(granted | VMM_G | VMM_A | VMM_D);
        rule = vmm_rights_rule(p, judge, t->flags, access);
        if (!rule) rule = vmm_pte_mark(p, judge, access, host, &pte, &again);
        if (rule) return vmm_fault_set(fault, VMM_PAGE_FAULT, access, rule, level, va, t->pte_addr, pte);
        if (!again) break; /* the manual: return to step 2 when the entry has changed */
        if (steps) --*count;
    }
    t->pte = was;
    t->flags = (uint8_t)(t->flags | t->above | (vmm_pte_flags(p, pte) & (VMM_A | VMM_D)));
    t->level = (uint8_t)level;
    t->page_shift = (uint8_t)vmm_pte_page_shift(p, pte, level);
    t->paddr = (vmm_pte_paddr(p, pte) & ~vmm_low_mask(t->page_shift)) | (va & vmm_low_mask(t->page_shift));
    if (t->paddr & ~vmm_low_mask(width))
        return vmm_fault_set(fault, VMM_ACCESS_FAULT, access, VMM_RULE_PADDR_WIDTH, level, va, t->pte_addr, was);
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
    return vmm_walk_from(p, memory, root, p->levels - 1u, judge, access, va, t, fault, steps, count);
}
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
    case 2: *(vmm_any16_t *)(void *)at = (uint16_t)vmm_little(pte, 2); break;
    case 4: *(vmm_any32_t *)(void *)at = (uint32_t)vmm_little(pte, 4); break;
    default: *(vmm_any64_t *)(void *)at = vmm_little(pte, 8); break;
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
    return p->read | p->write | p->execute | p->user | p->global | p->accessed | p->dirty;
}

VMM_INLINE vmm_pte_t vmm_pte_from_flags(const vmm_paging_t *p, uint32_t flags)
{
    return vmm_pte_bit(p, p->read, flags & VMM_R) | vmm_pte_bit(p, p->write, flags & VMM_W) |
           vmm_pte_bit(p, p->execute, flags & VMM_X) | vmm_pte_bit(p, p->user, flags & VMM_U) |
           vmm_pte_bit(p, p->global, flags & VMM_G) | vmm_pte_bit(p, p->accessed, flags & VMM_A) |
           vmm_pte_bit(p, p->dirty, flags & VMM_D);
}

VMM_INLINE vmm_pte_t vmm_pte_frame(const vmm_paging_t *p, vmm_paddr_t paddr)
{
    return ((paddr >> p->page_shift) & vmm_low_mask(p->ppn_bits)) << p->ppn_lsb;
}

VMM_INLINE vmm_pte_t vmm_pte_leaf(const vmm_paging_t *p, vmm_paddr_t paddr, uint32_t flags, unsigned level)
{
    vmm_pte_t pte = p->valid | vmm_pte_frame(p, paddr) | vmm_pte_from_flags(p, flags);
    if (p->huge) pte |= vmm_pte_bit(p, p->huge, level > 0);
    if (flags & VMM_NONCACHED) pte |= UINT64_C(1) << VMM_RISCV_PBMT_SHIFT;
    if (flags & VMM_IO) pte |= UINT64_C(2) << VMM_RISCV_PBMT_SHIFT;
    return pte;
}

/* A pointer grants everything where rights add up, and carries no right where they do not. */
VMM_INLINE vmm_pte_t vmm_pte_pointer(const vmm_paging_t *p, vmm_paddr_t table)
{
    const uint32_t flags = p->rights == VMM_RIGHTS_EVERY ? VMM_R | VMM_W | VMM_X | VMM_U : 0u;
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

/* What every edit asks of its arguments. */
VMM_INLINE vmm_status_t vmm_tables_check(const vmm_paging_t *p, const vmm_tables_t *t)
{
    const vmm_status_t status = vmm_paging_check(p);
    if (status) return status;
    return t->memory ? vmm_mem_check(t->memory, p) : VMM_E_ARGUMENT;
}

/* A range as the public functions take it: whole pages, not empty, inside the address space. */
VMM_INLINE vmm_status_t vmm_range_check(const vmm_paging_t *p, const vmm_tables_t *t, vmm_vaddr_t va, uint64_t bytes)
{
    const vmm_status_t status = vmm_tables_check(p, t);
    if (status) return status;
    if ((va | bytes) & vmm_low_mask(p->page_shift)) return VMM_E_ALIGN;
    if (bytes == 0 || va + (bytes - 1) < va) return VMM_E_RANGE;
    if (!vmm_canonical(p, va) || !vmm_canonical(p, va + (bytes - 1))) return VMM_E_RANGE;
    if (p->vaddr_rule == VMM_VADDR_SIGN && p->vaddr_bits < 64 && ((va ^ (va + (bytes - 1))) >> 63)) return VMM_E_RANGE;
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
 * share a table, where an edit in one place changes another that was counted already. */
VMM_INLINE uint8_t *vmm_reserve_pop(const vmm_paging_t *p, const vmm_tables_t *t, vmm_reserve_t *r, unsigned level,
                                    vmm_paddr_t *table)
{
    uint8_t *host = NULL;
    if (r->left[level]) host = vmm_mem_host(t->memory, r->first[level], vmm_table_bytes(p, level));
    if (!host) return NULL;
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
    const vmm_paddr_t paddr = vmm_pte_paddr(p, pte) + (i << vmm_level_shift(p, level - 1u));
    pte &= ~(vmm_low_mask(p->ppn_bits) << p->ppn_lsb);
    if (p->huge && level == 1) pte = (pte & ~p->huge) | vmm_pte_bit(p, p->huge, false);
    return pte | vmm_pte_frame(p, paddr);
}

/* Hangs a table that is filled already under the cursor's entry, if that is still `was`, and enters
 * it. Returns whether it was: a processor may have marked it meanwhile. */
VMM_INLINE bool vmm_cursor_link(vmm_cursor_t *c, uint8_t *entry, vmm_pte_t was, vmm_paddr_t table)
{
    const vmm_paging_t *p = c->p;
    const unsigned shift = vmm_level_shift(p, c->level);
    if (!vmm_pte_swap(p, entry, was, vmm_pte_pointer(p, table))) return false;
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
    const vmm_pte_t rights = vmm_pte_flag_bits(p) & ~(p->accessed | p->dirty);
    const vmm_pte_t becomes = vmm_pte_from_flags(p, flags) & rights;
    vmm_pte_t pte;
    do pte = vmm_pte_load(p, entry);
    while (!vmm_pte_swap(p, entry, pte, (pte & ~rights) | becomes));
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
    m.vaddr = vmm_make_canonical(p, c->va & ~vmm_low_mask(shift));
    m.bytes = vmm_low_mask(shift) + 1;
    m.paddr = vmm_pte_paddr(p, pte);
    if (m.leaf && vmm_pte_page_shift(p, pte, c->level) != shift) { /* a contiguous group: this page's share */
        const uint64_t group = vmm_low_mask(vmm_pte_page_shift(p, pte, c->level));
        m.paddr = (m.paddr & ~group) | (m.vaddr & group);
    }
    m.pte = pte;
    m.pte_addr = c->table[c->level] + (uint64_t)vmm_level_index(p, c->level, c->va) * p->pte_bytes;
    m.flags = vmm_pte_flags(p, pte);
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
    leaf = p->huge ? (first & ~p->huge) | vmm_pte_bit(p, p->huge, true) : first;
    if (vmm_pte_paddr(p, first) & vmm_low_mask(shift)) return false;
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
} vmm_tlb_entry_t;

/** What is counted. The front counts nothing, so hits and misses are exact when it has no slots. */
typedef struct vmm_stats {
    uint64_t tlb_hits;   /**< Lookups in the TLB that found an entry. */
    uint64_t tlb_misses; /**< Lookups that did not. */
    uint64_t walks;      /**< Full walks from the root (the walk cache saves these). */
    uint64_t faults;     /**< Accesses that returned VMM_FAULT. */
} vmm_stats_t;

/** What a translation depends on besides its address. */
typedef struct vmm_context {
    vmm_paddr_t root;  /**< Top table. */
    vmm_judge_t judge; /**< Mode. */
    uint16_t asid;     /**< Address space. */
    uint8_t format;    /**< Index of the format, or VMM_BARE. */
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
    vmm_context_t context; /**< By what it is judged. */
    uint32_t bank;         /**< Which bank. */
} vmm_view_t;

/** Most banks that a front may have. */
#define VMM_MAX_BANKS 8

/** The state of an instance that does not depend on its sizes. It holds host addresses of slots and
 *  of RAM: NAME_flush_all makes them new in a copy. */
typedef struct vmm_state {
    vmm_gate_t gate[3];             /**< By enum vmm_access; first, where offsets are short. */
    vmm_view_t view[3];             /**< By enum vmm_access. */
    vmm_memory_t memory;            /**< As given to init. */
    vmm_bank_t bank[VMM_MAX_BANKS]; /**< Contexts remembered. */
    uint64_t epoch;                 /**< Counts flushes of everything; a bank of another is stale. */
    uint64_t walk_keys;             /**< Last key given out. */
    uint64_t clock;                 /**< For stamps. */
    vmm_pieces_t front_pieces;      /**< Huge pages in the front: flushing one flushes the front. */
    vmm_pieces_t tlb_pieces;        /**< Contiguous groups in the TLB: flushing one flushes the TLB. */
    uint32_t next_bank;             /**< The bank that a new context takes. */
    uint32_t banks_used;            /**< Banks that ever held anything: the first ones. */
    uint32_t tlb_generation;        /**< Generation of the TLB, 16 bits. */
    uint32_t tlb_levels;            /**< Bit i: entries of level i may be in the TLB. */
    uint32_t random;                /**< State of the generator for VMM_RANDOM. */
} vmm_state_t;

/** Functions of an instance that stay out of line: any access, the long way. */
typedef struct vmm_slow {
    vmm_status_t (*load)(void *self, unsigned access, vmm_vaddr_t va, void *data, unsigned bytes); /**< And fetch. */
    vmm_status_t (*store)(void *self, vmm_vaddr_t va, uint64_t value, unsigned bytes); /**< Little-endian. */
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
} vmm_ref_t;

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

/* -- front -- */

VMM_INLINE vmm_front_slot_t *vmm_front_slots(vmm_ref_t u, unsigned bank, unsigned access)
{
    return u.front + (size_t)(bank * 3u + access) * u.model->front_slots;
}

VMM_INLINE size_t vmm_front_index(vmm_ref_t u, vmm_vaddr_t va)
{
    const vmm_paging_t *p = vmm_widest(u);
    const uint64_t pages = vmm_low_mask(p->vaddr_bits - p->page_shift); /* addresses that wrap share a slot */
    return (size_t)((va >> p->page_shift) & pages & (u.model->front_slots - 1u));
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
    vmm_pieces_note(&u.state->front_pieces, vmm_wrap(vmm_widest(u), va), page_shift);
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

/* VPN of a level as the TLB compares it. Addresses that wrap are cut first. */
VMM_INLINE uint64_t vmm_tlb_vpn(vmm_ref_t u, vmm_vaddr_t va, unsigned level)
{
    const vmm_paging_t *p = vmm_widest(u);
    return vmm_wrap(p, va) >> vmm_level_shift(p, level);
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
VMM_INLINE long vmm_tlb_find(vmm_ref_t u, unsigned access, unsigned asid, vmm_vaddr_t va)
{
    unsigned level;
    for (level = 0; u.state->tlb_levels >> level; level++) {
        const uint64_t vpn = vmm_tlb_vpn(u, va, level);
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

VMM_INLINE void vmm_tlb_fill(vmm_ref_t u, unsigned access, unsigned asid, vmm_vaddr_t va, const vmm_translation_t *t)
{
    const unsigned level = t->level, shift = vmm_level_shift(vmm_widest(u), level);
    VMM_ASSERT(level < vmm_widest(u)->levels && (t->flags & VMM_A));
    const uint64_t vpn = vmm_tlb_vpn(u, va, level), tag = vpn << 3 | (level + 1);
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
    u.state->tlb_levels |= 1u << level;
    if (t->page_shift != shift) vmm_pieces_note(&u.state->tlb_pieces, vmm_wrap(vmm_widest(u), va), t->page_shift);
    vmm_tlb_touch(u, at, true);
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

/* Entries of one page: of one ASID, or of all (asid < 0) with global ones. Any size that covers va. */
VMM_INLINE void vmm_tlb_flush_page(vmm_ref_t u, vmm_vaddr_t va, long asid)
{
    unsigned level, which, way;
    if (!vmm_has_tlb(u)) return;
    if (vmm_pieces_may_hold(&u.state->tlb_pieces, va)) {
        vmm_tlb_flush_all(u);
        return;
    }
    for (level = 0; u.state->tlb_levels >> level; level++)
        for (which = 0; which < u.model->tlb_count; which++) {
            const uint64_t vpn = vmm_tlb_vpn(u, va, level);
            const size_t set = vmm_tlb_set(u, which ? VMM_FETCH : VMM_READ, vpn);
            for (way = 0; way < u.model->tlb_ways; way++) {
                vmm_tlb_key_t *key = &u.tlb_key[set + way];
                const bool mine = asid < 0 || (key->care == 0xffffffffu && (key->scope & 0xffff) == (uint32_t)asid);
                if (key->tag == (vpn << 3 | (level + 1)) && mine) key->tag = 0;
            }
        }
}

VMM_INLINE void vmm_tlb_flush_asid(vmm_ref_t u, uint16_t asid)
{
    const size_t entries = (size_t)u.model->tlb_count * u.model->tlb_sets * u.model->tlb_ways;
    size_t i;
    for (i = 0; i < entries; i++)
        if (u.tlb_key[i].care == 0xffffffffu && (u.tlb_key[i].scope & 0xffff) == asid) u.tlb_key[i].tag = 0;
}

/* -- views and banks -- */

VMM_INLINE bool vmm_same_space(const vmm_context_t *one, const vmm_context_t *other)
{
    return one->root == other->root && one->asid == other->asid && one->format == other->format;
}

VMM_INLINE bool vmm_same_context(const vmm_context_t *one, const vmm_context_t *other)
{
    return vmm_same_space(one, other) && one->judge.user == other->judge.user && one->judge.sum == other->judge.sum &&
           one->judge.mxr == other->judge.mxr && one->judge.marking == other->judge.marking &&
           one->judge.features == other->judge.features;
}

/* Makes sure that two keys are left, the most that one change needs; otherwise clears the walk cache,
 * starts keys anew and makes every bank stale. */
VMM_INLINE void vmm_walk_keys_renew(vmm_ref_t u)
{
    vmm_state_t *s = u.state;
    size_t i;
    if (!vmm_has_walk_cache(u) || VMM_LIKELY(s->walk_keys + 2 <= vmm_low_mask(vmm_walk_shift(u)))) return;
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

/* What a level-0 entry must look like for an access to be allowed without asking any further. It is
 * a sufficient condition: what does not look so is walked for and judged by the full rules. */
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
    view->mask = yes | no;
    view->want = (yes ^ p->inverted) & yes;
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

VMM_INLINE void vmm_front_flush_asid(vmm_ref_t u, uint16_t asid)
{
    vmm_state_t *s = u.state;
    unsigned bank;
    for (bank = 0; bank < s->banks_used; bank++)
        if (s->bank[bank].context.asid == asid) s->bank[bank].epoch = 0;
    if (s->bank[s->view[VMM_READ].bank].epoch && s->bank[s->view[VMM_FETCH].bank].epoch) return;
    vmm_front_flush_all(u);
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

/* Remembers the level-0 table that a walk went through. Not where rights add up over the levels, or
 * where a pointer made all below it global, because then the leaf alone does not say everything. */
VMM_INLINE void vmm_walk_cache_fill(vmm_ref_t u, const vmm_view_t *view, vmm_vaddr_t va, const vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_base(u);
    const uint8_t *host = vmm_mem_host(&u.state->memory, t->table, vmm_table_bytes(p, 0));
    vmm_walk_slot_t *slot = vmm_walk_slot_of(u, va);
    if (!host || ((uintptr_t)host & (p->pte_bytes - 1u)) || p->rights != VMM_RIGHTS_LEAF || t->above) return;
    slot->tag = vmm_walk_tag(u, view, va);
    slot->table = host;
}

/* One format of the instance, walked in its context: from the level-0 table if the walk cache knows
 * it, else from the root. */
VMM_INLINE vmm_status_t vmm_walk_as(vmm_ref_t u, const vmm_paging_t *p, unsigned access, vmm_vaddr_t va,
                                    vmm_translation_t *t)
{
    const vmm_view_t *view = &u.state->view[access];
    const vmm_memory_t *memory = &u.state->memory;
    const vmm_judge_t *judge = &view->context.judge;
    vmm_status_t status;
    if (vmm_has_walk_cache(u) && vmm_walk_slot_of(u, va)->tag == vmm_walk_tag(u, view, va)) {
        const uint8_t *table = vmm_walk_slot_of(u, va)->table;
        const vmm_paddr_t paddr = memory->base + (uintptr_t)(table - (const uint8_t *)memory->ram);
        return vmm_walk_from(p, memory, paddr, 0, judge, access, va, t, u.fault, NULL, NULL);
    }
    u.stats->walks++;
    status = vmm_walk(p, memory, view->context.root, judge, access, va, t, u.fault, NULL, NULL);
    if (vmm_has_walk_cache(u) && (status == VMM_OK ? t->level : u.fault->level) == 0)
        vmm_walk_cache_fill(u, view, va, t);
    return status;
}

/* Bare: the address is physical. */
VMM_INLINE vmm_status_t vmm_mmu_identity(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_widest(u);
    const unsigned width = vmm_mem_width(&u.state->memory, p);
    VMM_SET(t, 0, sizeof *t);
    va = vmm_wrap(p, va);
    t->paddr = va;
    t->flags = VMM_R | VMM_W | VMM_X | VMM_U | VMM_A | VMM_D;
    t->level = p->levels; /* no entry was read */
    t->page_shift = p->page_shift;
    if (va & ~vmm_low_mask(width))
        return vmm_fault_set(u.fault, VMM_ACCESS_FAULT, access, VMM_RULE_PADDR_WIDTH, p->levels, va, 0, 0);
    return VMM_OK;
}

/* The walk, by code made for each format at compile time, chosen at run time. */
VMM_INLINE vmm_status_t vmm_walk_chosen(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_arch_t *arch = u.model->arch;
    const unsigned format = u.state->view[access].context.format;
    if (arch->formats > 1 && format == 1) return vmm_walk_as(u, arch->format[1], access, va, t);
    if (arch->formats > 2 && format == 2) return vmm_walk_as(u, arch->format[2], access, va, t);
    return vmm_walk_as(u, arch->format[0], access, va, t);
}

/* What a TLB entry says of an address. */
VMM_INLINE void vmm_tlb_tell(vmm_ref_t u, const vmm_tlb_entry_t *entry, vmm_vaddr_t va, vmm_translation_t *t)
{
    VMM_SET(t, 0, sizeof *t);
    t->flags = entry->flags;
    t->level = entry->level;
    t->page_shift = entry->page_shift;
    t->paddr = entry->paddr | (va & vmm_low_mask(vmm_level_shift(vmm_widest(u), entry->level)));
}

/* Is that all that the access needs? Not when rights refuse, a dirty bit is yet to be set, or a huge
 * page reaches beyond physical memory: then the tables are walked, so that a fault is told from the
 * entry and marks go to the live one. */
VMM_INLINE bool vmm_tlb_serves(vmm_ref_t u, const vmm_context_t *context, unsigned access, const vmm_translation_t *t)
{
    const vmm_paging_t *p = vmm_widest(u);
    if (vmm_rights_rule(p, &context->judge, t->flags, access)) return false;
    if (access == VMM_WRITE && !(t->flags & VMM_D)) return false;
    return !(t->paddr & ~vmm_low_mask(vmm_mem_width(&u.state->memory, p)));
}

/* A lookup that counts. No entry serves an address that the format in force does not call canonical. */
VMM_INLINE bool vmm_tlb_translate(vmm_ref_t u, const vmm_context_t *context, unsigned access, vmm_vaddr_t va,
                                  vmm_translation_t *t)
{
    const bool canonical = vmm_canonical(u.model->arch->format[context->format], va);
    const long at = canonical ? vmm_tlb_find(u, access, context->asid, va) : -1;
    if (at < 0) {
        u.stats->tlb_misses++;
        return false;
    }
    u.stats->tlb_hits++;
    vmm_tlb_touch(u, (size_t)at, false);
    vmm_tlb_tell(u, &u.tlb_entry[at], va, t);
    return vmm_tlb_serves(u, context, access, t);
}

/* An address becomes a location: TLB, then walk. */
VMM_INLINE vmm_status_t vmm_mmu_translate(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    const vmm_context_t *context = &u.state->view[access].context;
    vmm_status_t status;
    if (context->format == VMM_BARE) {
        status = vmm_mmu_identity(u, access, va, t);
        return status == VMM_OK ? status : vmm_mmu_faulted(u);
    }
    if (vmm_has_tlb(u) && vmm_tlb_translate(u, context, access, va, t)) return VMM_OK;
    status = vmm_walk_chosen(u, access, va, t);
    if (status != VMM_OK) return vmm_mmu_faulted(u);
    if (vmm_has_tlb(u)) vmm_tlb_fill(u, access, context->asid, va, t);
    return VMM_OK;
}

/* The same for a caller who may err. */
VMM_INLINE vmm_status_t vmm_mmu_translate_any(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t)
{
    return access > VMM_FETCH ? VMM_E_ARGUMENT : vmm_mmu_translate(u, access, va, t);
}

VMM_INLINE bool vmm_crosses(vmm_ref_t u, vmm_vaddr_t va, unsigned bytes)
{
    const uint64_t page_mask = vmm_low_mask(vmm_base(u)->page_shift);
    return (va & page_mask) > page_mask - (bytes - 1u);
}

/* Translates one byte without the shortcut, and fills the front when its page is RAM. */
VMM_INLINE enum vmm_reach vmm_mmu_full(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t,
                                       uintptr_t *host)
{
    if (vmm_mmu_translate(u, access, va, t)) return VMM_REACH_FAULT;
    *host = (uintptr_t)vmm_mem_host(&u.state->memory, t->paddr, 1);
    if (!*host) return VMM_REACH_FAR;
    if (vmm_has_front(u)) vmm_front_fill(u, access, va, *host, t->page_shift, vmm_front_slot_of(u, access, va));
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
    if (!vmm_has_walk_cache(u) || vmm_has_tlb(u) || VMM_UNLIKELY(vmm_crosses(u, va, bytes))) return VMM_REACH_FAR;
    slot = vmm_walk_slot_of(u, va);
    if (VMM_UNLIKELY(slot->tag != vmm_walk_tag(u, view, va))) return VMM_REACH_FAR;
    at = slot->table + (size_t)vmm_level_index(p, 0, va) * p->pte_bytes;
    pte = vmm_pte_load(p, at);
    if (VMM_UNLIKELY((pte & view->mask) != view->want)) {
        if (pte & p->valid) return VMM_REACH_FAR;
        vmm_fault_set(u.fault, VMM_PAGE_FAULT, access, VMM_RULE_VALID, 0, vmm_wrap(p, va),
                      memory->base + (uintptr_t)(at - (const uint8_t *)memory->ram), pte);
        u.stats->faults++;
        return VMM_REACH_FAULT;
    }
    offset = vmm_pte_paddr(p, pte) - memory->base;
    if (VMM_UNLIKELY(offset >= memory->size)) return VMM_REACH_FAR;
    *host = (uintptr_t)memory->ram + (uintptr_t)offset + (uintptr_t)(va & vmm_low_mask(p->page_shift));
    if (vmm_has_front(u)) vmm_front_fill(u, access, va, *host, p->page_shift, front);
    return VMM_REACH_HOST;
}

/* Nothing answers at a place, or what does refuses. */
VMM_INLINE vmm_status_t vmm_mmu_refused(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_translation_t *t)
{
    vmm_fault_set(u.fault, VMM_ACCESS_FAULT, access, VMM_RULE_BUS, t->level, va, t->pte_addr, t->pte);
    return vmm_mmu_faulted(u);
}

/* A part of an access, at a place that is known. */
VMM_INLINE vmm_status_t vmm_mmu_transfer(vmm_ref_t u, unsigned access, vmm_vaddr_t va, const vmm_translation_t *t,
                                         uint8_t *data, unsigned bytes, bool whole)
{
    const int refused = access == VMM_WRITE ? vmm_mem_write(&u.state->memory, t->paddr, data, bytes, whole)
                                            : vmm_mem_read(&u.state->memory, t->paddr, data, bytes, whole);
    return refused ? vmm_mmu_refused(u, access, va, t) : VMM_OK;
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
    if (vmm_mmu_translate(u, access, va, &first) || vmm_mmu_translate(u, access, next, &second)) return VMM_FAULT;
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

/* Host address of one byte by the fastest stage that knows it; *t only when it is far. */
VMM_INLINE enum vmm_reach vmm_mmu_host(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_translation_t *t,
                                       uintptr_t *host)
{
    vmm_front_slot_t *slot;
    enum vmm_reach reach;
    if (vmm_front_holds(u, access, va, 1, &slot)) {
        *host = (uintptr_t)(va + slot->addend);
        return VMM_REACH_HOST;
    }
    reach = vmm_mmu_shortcut(u, access, va, 1, slot, host);
    return reach == VMM_REACH_FAR ? vmm_mmu_full(u, access, va, t, host) : reach;
}

/* Any access, the long way: full translation; crossings and devices too. Loads go through a buffer,
 * so that a fault leaves the caller's value alone. */
VMM_INLINE vmm_status_t vmm_mmu_long(vmm_ref_t u, unsigned access, vmm_vaddr_t va, void *data, unsigned bytes,
                                     bool options_agree)
{
    vmm_translation_t t;
    uintptr_t host = 0;
    uint8_t buffer[8];
    vmm_status_t status;
    if (!options_agree) return VMM_E_ARGUMENT;
    if (access == VMM_WRITE) VMM_COPY(buffer, data, bytes);
    if (vmm_crosses(u, va, bytes)) {
        status = vmm_mmu_crossing(u, access, va, buffer, bytes);
    } else {
        if (vmm_mmu_full(u, access, va, &t, &host) == VMM_REACH_FAULT) return VMM_FAULT;
        status = vmm_mmu_transfer(u, access, va, &t, buffer, bytes, true);
    }
    if (status == VMM_OK && access != VMM_WRITE) VMM_COPY(data, buffer, bytes);
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
    switch (vmm_mmu_host(u, access, va, &t, &host)) {
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
            if (vmm_mmu_block_page(u, access, at, data + done, piece, pass == 1)) return VMM_FAULT;
            done += piece;
        }
    }
    return VMM_OK;
}

/* Host address of an aligned location in RAM that may be both read and written. */
VMM_INLINE vmm_status_t vmm_mmu_atomic_host(vmm_ref_t u, vmm_vaddr_t va, unsigned bytes, uintptr_t *host)
{
    const vmm_paging_t *p = vmm_base(u);
    vmm_translation_t t;
    enum vmm_reach reach;
    if (va & (bytes - 1u)) {
        vmm_fault_set(u.fault, VMM_ALIGN_FAULT, VMM_WRITE, VMM_RULE_ALIGN, p->levels, va, 0, 0);
        return vmm_mmu_faulted(u);
    }
    if (p->rules == VMM_RULES_GENERIC && p->read) { /* writing does not imply reading */
        if (vmm_mmu_host(u, VMM_READ, va, &t, host) == VMM_REACH_FAULT) {
            u.fault->access = VMM_WRITE; /* both halves are judged as a store */
            u.fault->cause = vmm_fault_cause(u.fault->kind, VMM_WRITE);
            return VMM_FAULT;
        }
    }
    reach = vmm_mmu_host(u, VMM_WRITE, va, &t, host);
    if (reach == VMM_REACH_FAULT) return VMM_FAULT;
    return reach == VMM_REACH_HOST ? VMM_OK : vmm_mmu_refused(u, VMM_WRITE, va, &t);
}

/* Compare-and-swap of `bytes` bytes; *found receives what was there. */
VMM_INLINE vmm_status_t vmm_mmu_cas(vmm_ref_t u, vmm_vaddr_t va, uint64_t expected, uint64_t desired, void *found,
                                    unsigned bytes)
{
    uintptr_t host = 0;
    uint8_t e8 = (uint8_t)expected;
    uint16_t e16 = (uint16_t)vmm_little(expected, 2);
    uint32_t e32 = (uint32_t)vmm_little(expected, 4);
    uint64_t e64 = vmm_little(expected, 8);
    if (vmm_mmu_atomic_host(u, va, bytes, &host)) return VMM_FAULT;
    switch (bytes) {
    case 1:
        (void)VMM_ATOMIC_CAS((uint8_t *)host, &e8, (uint8_t)desired);
        VMM_COPY(found, &e8, 1);
        break;
    case 2:
        (void)VMM_ATOMIC_CAS((vmm_any16_t *)host, &e16, (uint16_t)vmm_little(desired, 2));
        VMM_COPY(found, &e16, 2);
        break;
    case 4:
        (void)VMM_ATOMIC_CAS((vmm_any32_t *)host, &e32, (uint32_t)vmm_little(desired, 4));
        VMM_COPY(found, &e32, 4);
        break;
    default:
        (void)VMM_ATOMIC_CAS((vmm_any64_t *)host, &e64, vmm_little(desired, 8));
        VMM_COPY(found, &e64, 8);
        break;
    }
    vmm_order(found, bytes, false);
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
    if (vmm_has_tlb(u)) vmm_tlb_flush_asid(u, asid);
}

VMM_INLINE void vmm_mmu_flush_page(vmm_ref_t u, vmm_vaddr_t va, long asid)
{
    va = vmm_wrap(vmm_widest(u), va);
    vmm_front_flush_page(u, va);
    vmm_tlb_flush_page(u, va, asid);
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
    for (; pages; pages--, va += UINT64_C(1) << what->page_shift) vmm_mmu_flush_page(u, va, -1);
}
/** @endcond */
/** @} */

/* =============================================================== Part I  6. registers == */
/** @defgroup vmm_registers 6. Register front ends
 *  What a processor's registers say becomes the context that accesses are judged in. Every change
 *  takes effect at once, and only one that changes what an entry means (menvcfg, extensions) forgets
 *  anything: for the others the front changes its bank, and the TLB goes by ASID.
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
} vmm_riscv_t;

/** @cond internal */
VMM_INLINE void vmm_plain_apply(vmm_ref_t u, const vmm_plain_t *r)
{
    vmm_context_t context;
    VMM_SET(&context, 0, sizeof context);
    context.root = r->root;
    context.asid = r->asid;
    context.judge.user = r->user;
    context.judge.marking = VMM_MARK_UPDATE;
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

/* The context that one privilege gives. Modifiers that cannot matter are left 0, so that modes that
 * act alike share a bank. */
VMM_INLINE vmm_context_t vmm_riscv_context(vmm_ref_t u, const vmm_riscv_t *r, unsigned privilege)
{
    const int format = vmm_riscv_format(u, vmm_riscv_mode(u, r->satp));
    vmm_context_t c;
    VMM_SET(&c, 0, sizeof c);
    c.format = (uint8_t)format;
    if (privilege == 3 || format == VMM_BARE) {
        c.format = VMM_BARE;
        return c;
    }
    c.root = (r->satp & vmm_low_mask(vmm_riscv_is_32(u) ? 22 : 44)) << 12;
    c.asid = (uint16_t)(vmm_riscv_is_32(u) ? (r->satp >> 22) & 0x1ff : (r->satp >> 44) & 0xffff);
    c.judge.user = privilege == 0;
    c.judge.sum = privilege == 1 && ((r->mstatus >> 18) & 1);
    c.judge.mxr = (r->mstatus >> 19) & 1;
    c.judge.marking = VMM_MARK_UPDATE;
    if ((r->features & VMM_SVADU) ? !((r->menvcfg >> 61) & 1) : (r->features & VMM_SVADE) != 0)
        c.judge.marking = VMM_MARK_FAULT;
    c.judge.features = r->features & VMM_SVNAPOT;
    if ((r->features & VMM_SVPBMT) && ((r->menvcfg >> 62) & 1)) c.judge.features |= VMM_SVPBMT;
    return c;
}

/* Loads and stores go by MPP while MPRV is set, fetches never do. */
VMM_INLINE void vmm_riscv_apply(vmm_ref_t u, const vmm_riscv_t *r)
{
    const unsigned mpp = (unsigned)(r->mstatus >> 11) & 3u;
    const vmm_context_t fetch = vmm_riscv_context(u, r, r->privilege);
    const vmm_context_t data = vmm_riscv_context(u, r, (r->mstatus >> 17) & 1 ? mpp : r->privilege);
    vmm_views_set(u, &data, &fetch);
}

VMM_INLINE vmm_status_t vmm_riscv_init(vmm_ref_t u, vmm_riscv_t *r, const vmm_memory_t *memory, bool options_agree)
{
    const vmm_status_t status = options_agree ? vmm_mmu_init(u, memory) : VMM_E_ARGUMENT;
    if (status) return status;
    VMM_SET(r, 0, sizeof *r);
    r->privilege = 1;
    r->features = u.model->arch->features;
    r->menvcfg = UINT64_C(1) << 61;
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
/** @endcond */
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
    x->tlbi = x->vpn & (u.model->tlb_sets - 1u);
    x->tlbt = x->vpn >> x->tlbi_bits;
    if (!vmm_canonical(x->paging, x->vaddr)) return;
    at = vmm_tlb_find(u, x->access, context->asid, x->vaddr);
    if (at < 0) return;
    vmm_tlb_tell(u, &u.tlb_entry[at], x->vaddr, &x->translation);
    x->tlb_hit = vmm_tlb_serves(u, context, x->access, &x->translation);
}

VMM_INLINE void vmm_mmu_examine(vmm_ref_t u, unsigned access, vmm_vaddr_t va, vmm_examination_t *x)
{
    const vmm_memory_t *memory = &u.state->memory;
    const vmm_paging_t *p = vmm_base(u);
    vmm_context_t context;
    vmm_stats_t stats = {0, 0, 0, 0};
    unsigned steps = 0;
    VMM_SET(x, 0, sizeof *x);
    x->access = (uint8_t)(access > VMM_FETCH ? (unsigned)VMM_READ : access);
    context = u.state->view[x->access].context;
    x->vaddr = va;
    x->vpo = va & vmm_low_mask(p->page_shift);
    u.fault = &x->fault; /* this copy of the parts leaves the instance's own alone */
    u.stats = &stats;
    if (context.format == VMM_BARE) {
        x->vpn = va >> p->page_shift;
        x->status = (uint8_t)vmm_mmu_identity(u, x->access, va, &x->translation);
    } else {
        x->paging = p = u.model->arch->format[context.format];
        x->vpn = (va & vmm_low_mask(p->vaddr_bits)) >> p->page_shift;
        if (vmm_has_tlb(u)) vmm_mmu_examine_tlb(u, &context, x);
        if (context.judge.marking == VMM_MARK_UPDATE) context.judge.marking = VMM_MARK_PEEK;
        if (!x->tlb_hit)
            x->status = (uint8_t)vmm_walk(p, memory, context.root, &context.judge, x->access, va, &x->translation,
                                          &x->fault, x->step, &steps);
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

/** @return "page fault", "access fault", "alignment fault" or "no fault". Needs VMM_IMPLEMENTATION. */
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
#define VMM_STAMP_WIDTH(NAME, bits)                                                                                    \
    VMM_STAMP_LOAD(NAME, load, VMM_READ, bits, , false)                                                                \
    VMM_STAMP_LOAD(NAME, fetch, VMM_FETCH, bits, , false)                                                              \
    VMM_STAMP_STORE(NAME, bits, , false)                                                                               \
    VMM_STAMP_CAS(NAME, bits)
#define VMM_STAMP_BIG_ENDIAN(NAME, bits)                                                                               \
    VMM_STAMP_LOAD(NAME, load, VMM_READ, bits, _be, true)                                                              \
    VMM_STAMP_STORE(NAME, bits, _be, true)

#define VMM_STAMP_TYPE(NAME, REGISTERS, arch, front_n, banks, walk_n, tlbs, sets, ways, policy)                        \
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
        vmm_fault_t fault;                                                                                             \
        vmm_stats_t stats;                                                                                             \
        VMM_REGISTERS_##REGISTERS registers;                                                                           \
        vmm_front_slot_t front[(banks)*3 * (front_n)];                                                                 \
        vmm_walk_slot_t walk[walk_n];                                                                                  \
        vmm_tlb_key_t tlb_key[(tlbs) * (sets) * (ways)];                                                               \
        vmm_tlb_entry_t tlb_entry[(tlbs) * (sets) * (ways)];                                                           \
        uint64_t tlb_tree[(tlbs) * (sets)];                                                                            \
    } NAME##_mmu_t;                                                                                                    \
    VMM_EMPTY_ARRAYS_END                                                                                               \
    VMM_UNUSED static const vmm_model_t NAME##_model = {&arch, front_n, banks, walk_n, tlbs, sets, ways, policy};

#define VMM_STAMP_REF(NAME, check)                                                                                     \
    VMM_UNUSED static vmm_status_t NAME##_long(void *self_, unsigned access_, vmm_vaddr_t va_, void *data_,            \
                                               unsigned bytes_);                                                       \
    VMM_UNUSED static vmm_status_t NAME##_long_store(void *self_, vmm_vaddr_t va_, uint64_t value_, unsigned bytes_);  \
    VMM_INLINE vmm_ref_t NAME##_parts(NAME##_mmu_t *mmu_)                                                              \
    {                                                                                                                  \
        const vmm_ref_t parts_ = {&NAME##_model, {NAME##_long, NAME##_long_store},                                     \
                                  mmu_,          &mmu_->state,                                                         \
                                  &mmu_->fault,  &mmu_->stats,                                                         \
                                  mmu_->front,   mmu_->walk,                                                           \
                                  mmu_->tlb_key, mmu_->tlb_entry,                                                      \
                                  mmu_->tlb_tree};                                                                     \
        return parts_;                                                                                                 \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_long(void *self_, unsigned access_, vmm_vaddr_t va_, void *data_, unsigned bytes_) \
    {                                                                                                                  \
        return vmm_mmu_long(NAME##_parts((NAME##_mmu_t *)self_), access_, va_, data_, bytes_, check);                  \
    }                                                                                                                  \
    VMM_OUTLINE vmm_status_t NAME##_long_store(void *self_, vmm_vaddr_t va_, uint64_t value_, unsigned bytes_)         \
    {                                                                                                                  \
        return vmm_mmu_long_store(NAME##_parts((NAME##_mmu_t *)self_), va_, value_, bytes_, check);                    \
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
        vmm_mmu_flush_page(NAME##_parts(mmu_), va_, -1);                                                               \
    }                                                                                                                  \
    VMM_INLINE void NAME##_flush_page_asid(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, uint16_t asid_)                        \
    {                                                                                                                  \
        vmm_mmu_flush_page(NAME##_parts(mmu_), va_, (long)asid_);                                                      \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_flush_told(void *mmu_, const vmm_flush_t *what_)                                           \
    {                                                                                                                  \
        vmm_mmu_flush_told(NAME##_parts((NAME##_mmu_t *)mmu_), what_);                                                 \
    }                                                                                                                  \
    VMM_OUTLINE void NAME##_examine(NAME##_mmu_t *mmu_, vmm_vaddr_t va_, unsigned access_, vmm_examination_t *x_)      \
    {                                                                                                                  \
        vmm_mmu_examine(NAME##_parts(mmu_), access_, va_, x_);                                                         \
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
    }

#define VMM_REGISTERS_RISCV vmm_riscv_t
#define VMM_BANKS_RISCV(front_n, walk_n) ((front_n) || (walk_n) ? 2 : 1)
#define VMM_STAMP_RISCV(NAME, check)                                                                                   \
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
    }

#define VMM_MMU_STAMP(NAME, check, REGISTERS, arch, ...)                                                               \
    VMM_STAMP_TYPE(NAME, REGISTERS, arch, __VA_ARGS__)                                                                 \
    VMM_INLINE const vmm_paging_t *NAME##_paging_of(const vmm_tables_t *tables_)                                       \
    {                                                                                                                  \
        return vmm_paging_chosen(&arch, tables_);                                                                      \
    }                                                                                                                  \
    VMM_STAMP_REF(NAME, check)                                                                                         \
    VMM_STAMP_ACCESS(NAME)                                                                                             \
    VMM_STAMP_EDIT(NAME, NAME##_paging_of(tables_))                                                                    \
    VMM_STAMP_PRINT(NAME, NAME##_paging_of(tables_))                                                                   \
    VMM_STAMP_EXPLAIN(NAME)                                                                                            \
    VMM_STAMP_##REGISTERS(NAME, check)
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
    REGISTERS registers; /**< vmm_riscv_t or vmm_plain_t; read them, write by NAME_set_... */
    vmm_state_t state;   /**< Internal. */
} NAME_mmu_t;

/** Makes an MMU ready: counters 0, nothing remembered. RISC-V: supervisor mode, satp 0 (bare), mstatus 0,
 *  menvcfg with ADUE set; an emulator begins with NAME_set_privilege(mmu, 3). Generic formats:
 *  supervisor mode, root and ASID 0, translation on.
 *  @param mmu     the instance, any content
 *  @param memory  physical memory; copied, the RAM behind it stays the caller's
 *  @return VMM_OK; VMM_E_ARGUMENT when memory or its ram is null, RAM is larger than the host can
 *  address, a format breaks its invariants, or options differ among files; VMM_E_ALIGN when base or size is
 *  no multiple of the page size or ram of 8; VMM_E_RANGE when the size is 0, wraps, or exceeds
 *  the physical width. O(sizes of the stages). */
vmm_status_t NAME_init(NAME_mmu_t *mmu, const vmm_memory_t *memory);

/** NAME_load64 for 8 bits. */
vmm_status_t NAME_load8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t *value);

/** NAME_store64 for 8 bits. */
vmm_status_t NAME_store8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t value);

/** NAME_fetch64 for 8 bits. */
vmm_status_t NAME_fetch8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t *value);

/** NAME_cas64 for 8 bits. */
vmm_status_t NAME_cas8(NAME_mmu_t *mmu, vmm_vaddr_t va, uint8_t expected, uint8_t desired, uint8_t *found);

/** NAME_load64 for 16 bits. */
vmm_status_t NAME_load16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

/** NAME_store64 for 16 bits. */
vmm_status_t NAME_store16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t value);

/** NAME_fetch64 for 16 bits. */
vmm_status_t NAME_fetch16(NAME_mmu_t *mmu, vmm_vaddr_t va, uint16_t *value);

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

/** RISC-V: writes mstatus; MPRV, MPP, SUM and MXR take effect at once.
 *  @param mmu      the instance
 *  @param mstatus  the register
 *  @return VMM_OK, or VMM_E_ARGUMENT when MPP is 2, which no mode has. */
vmm_status_t NAME_set_mstatus(NAME_mmu_t *mmu, uint64_t mstatus);

/** RISC-V: writes menvcfg; ADUE (Svadu) and PBMTE (Svpbmt) take effect at once, and everything is
 *  flushed, because they change what an entry means.
 *  @param mmu      the instance
 *  @param menvcfg  the register */
void NAME_set_menvcfg(NAME_mmu_t *mmu, uint64_t menvcfg);

/** RISC-V: says which extensions the hart has, and flushes everything. Without Svade and Svadu the
 *  hardware marks entries.
 *  @param mmu       the instance
 *  @param features  enum vmm_feature
 *  @return VMM_OK, or VMM_E_ARGUMENT for a bit that is none. */
vmm_status_t NAME_set_features(NAME_mmu_t *mmu, unsigned features);

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
 *  @return VMM_OK; VMM_E_ARGUMENT without memory or take, or for a format that breaks its invariants (so
 *  does every edit); VMM_E_NO_FRAME; VMM_E_TABLE when take hands
 *  out what is not RAM or not aligned to its size. */
vmm_status_t NAME_create(vmm_tables_t *tables);

/** Unmaps everything and gives all tables back, the root last.
 *  @param tables  the tree; unusable afterwards
 *  @return VMM_OK, or VMM_E_TABLE: a table lies wrong, nothing was changed. */
vmm_status_t NAME_destroy(vmm_tables_t *tables);

/** Maps a range, with the largest pages that alignment, length and the tables that stand there
 *  allow. Nothing is changed unless all of it can be done.
 *  @param tables  the tree
 *  @param va      first virtual address, a multiple of the page size
 *  @param pa      first physical address, a multiple of the page size
 *  @param bytes   length, a multiple of the page size, not 0
 *  @param flags   rights and marks (VMM_R ... VMM_D), VMM_REPLACE, VMM_NO_HUGE, VMM_NONCACHED, VMM_IO.
 *  A mark that is not set is left for the processor to set, or to fault on.
 *  @return VMM_OK; VMM_E_ALIGN; VMM_E_RANGE when the range is empty, wraps or leaves either address
 *  space; VMM_E_ARGUMENT for an unknown flag; VMM_E_RIGHTS when the format cannot say them;
 *  VMM_E_MAPPED when a page is mapped there and VMM_REPLACE is not set; VMM_E_NO_FRAME; VMM_E_TABLE. O(entries written + tables).
 *  Calls take, give and flush.
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
                                       NULL};
    return vmm_text(list, rule);
}

const char *vmm_fault_text(unsigned kind)
{
    static const char *const list[] = {"no fault", "page fault", "access fault", "alignment fault", NULL};
    return vmm_text(list, kind);
}

const char *vmm_access_text(unsigned access)
{
    static const char *const list[] = {"read", "write", "fetch", NULL};
    return vmm_text(list, access);
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
#endif /* VMM_STDIO */
#endif /* VMM_IMPLEMENTATION */

#endif /* VMM_H */
