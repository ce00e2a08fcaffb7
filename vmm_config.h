/*
 * vmm_config.h - ground floor of vmm: what everything else is made of.
 *
 * vmm is a whole virtual-memory system in three headers. This one holds the options, the words,
 * the errors and faults, the page-table formats as constant descriptors, and the few things asked
 * of the platform. vmm_alloc.h hands memory out; vmm.h reaches memory through addresses.
 * Nobody includes this file by hand: the other two do.
 *
 * A complete program (the student's: an address, a TLB, one table) sets options and includes vmm.h:
 *
 *     #define VMM_PAGE_SHIFT  6            // pages of 2^6 = 64 bytes
 *     #define VMM_VADDR_BITS  14           // so VPN has 8 bits, VPO has 6
 *     #define VMM_PADDR_BITS  12           // and PPN has 6
 *     #define VMM_LEVELS      1
 *     #define VMM_PTE_BYTES   2
 *     #define VMM_TLB_SETS    4            // TLBI is 2 bits, TLBT the other 6 of the VPN
 *     #define VMM_TLB_WAYS    4
 *     #define VMM_IMPLEMENTATION           // in one file of the program
 *     #include "vmm.h"
 *
 *     static uint64_t ram[512];            // 4 KiB of physical memory, zeroed: no page is valid
 *     static vmm_mmu_t mmu;
 *
 *     int main(void)
 *     {
 *         vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
 *         if (vmm_init(&mmu, &memory) != VMM_OK) return 1;
 *         return vmm_explain(&mmu, 0x03d4, stdout) != VMM_FAULT;
 *     }
 *
 * Options, each with its default, stand in section 1. They shape the instance named `vmm_`;
 * VMM_MMU(name, ...) of vmm.h makes others that take their shape as arguments: a preset of section 5 is a real
 * processor, with its registers, its faults and every one of its formats.
 *
 * Sections
 *   1 options      what a program may define before the include
 *   2 words        the glossary, which is law here, and the types that carry it
 *   3 errors       results and faults, by value
 *   4 formats      page tables as constant descriptors: RISC-V (and its second stage), x86, AArch64, ARMv7-A;
 *                  MIPS, whose TLB stands in for them; the textbooks' own
 *   5 presets      an architecture and its sizes under one name: VMM_RISCV64, VMM_X86, VMM_ARM64 ...
 *   6 hooks        what is asked of the compiler and the platform
 *   7 assertions   contradictions of options, told in sentences
 *
 * C11 and C++17, gcc or clang, hosted or freestanding. MIT licence; see LICENSE.
 */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** @defgroup vmm_version Version
 *  Semantic version of the three headers.
 *  @{ */
#define VMM_VERSION_MAJOR 0 /**< Incompatible change. */
#define VMM_VERSION_MINOR 1 /**< Something new, nothing broken (while MAJOR is 0: may break). */
#define VMM_VERSION_PATCH 0 /**< Mended, nothing new. */
/** @} */

/* ======================================================================== 1. options == */
/** @defgroup vmm_options 1. Options
 *  Everything a program may define before the include. Apart from VMM_IMPLEMENTATION, VMM_STDIO
 *  and the hooks of section 6 they shape the default instance, `vmm_`, and must be the same in
 *  every file that shares it: files that differ in one that shapes its layout (plain numbers, all of
 *  them) do not link, and for the others vmm_init returns VMM_E_ARGUMENT.
 *  @{ */

/** log2 of the page size in bytes: VPO has this many bits. 3 to 30. */
#ifndef VMM_PAGE_SHIFT
#define VMM_PAGE_SHIFT 12
#endif

/** Width of a virtual address in bits. More than VMM_PAGE_SHIFT, at most 64. */
#ifndef VMM_VADDR_BITS
#define VMM_VADDR_BITS 32
#endif

/** Width of a physical address in bits. At least VMM_PAGE_SHIFT, at most 64. */
#ifndef VMM_PADDR_BITS
#define VMM_PADDR_BITS 32
#endif

/** Levels of the page table, 1 to 6. Level 0 maps the smallest page. */
#ifndef VMM_LEVELS
#define VMM_LEVELS 2
#endif

/** Bytes of a page-table entry: 2, 4 or 8. */
#ifndef VMM_PTE_BYTES
#define VMM_PTE_BYTES 4
#endif

/** Index bits of each level, level 0 first: `#define VMM_INDEX_BITS 10, 10`. Default: the VPN cut
 *  into equal parts, what is left over going to the top level. */
#ifndef VMM_INDEX_BITS
#define VMM_INDEX_BITS                                                                                                 \
    VMM_EQUAL_PART(0), VMM_EQUAL_PART(1), VMM_EQUAL_PART(2), VMM_EQUAL_PART(3), VMM_EQUAL_PART(4), VMM_EQUAL_PART(5)
#endif

/** Lowest bit of the frame number (PPN) in an entry. Default: 12 in entries of 8 bytes, else the
 *  frame number sits at the top of the entry. */
#ifndef VMM_PTE_PPN_LSB
#define VMM_PTE_PPN_LSB (VMM_PTE_BYTES == 8 ? 12 : VMM_PTE_BYTES * 8 - (VMM_PADDR_BITS - VMM_PAGE_SHIFT))
#endif

/** Entry bit that says "valid" (present). The one bit that a format must have. */
#ifndef VMM_PTE_VALID
#define VMM_PTE_VALID 0x001
#endif

/** Entry bit that allows reading; 0: every valid page may be read. */
#ifndef VMM_PTE_READ
#define VMM_PTE_READ 0
#endif

/** Entry bit that allows writing; 0: every valid page may be written. */
#ifndef VMM_PTE_WRITE
#define VMM_PTE_WRITE 0x002
#endif

/** Entry bit that allows fetching; 0: every valid page may be executed. */
#ifndef VMM_PTE_EXECUTE
#define VMM_PTE_EXECUTE 0
#endif

/** Entry bit that keeps user mode out (the textbooks' SUP); 0: user mode may use every page. */
#ifndef VMM_PTE_SUPERVISOR
#define VMM_PTE_SUPERVISOR 0x004
#endif

/** Entry bit set by the MMU when the page is used; 0: not recorded. */
#ifndef VMM_PTE_ACCESSED
#define VMM_PTE_ACCESSED 0x008
#endif

/** Entry bit set by the MMU when the page is written; 0: not recorded. */
#ifndef VMM_PTE_DIRTY
#define VMM_PTE_DIRTY 0x010
#endif

/** Entry bit that makes an entry above level 0 a leaf (a huge page); 0: no huge pages. */
#ifndef VMM_PTE_HUGE
#define VMM_PTE_HUGE 0
#endif

/** Entry bit that makes a page global: it matches every ASID; 0: no page is global. */
#ifndef VMM_PTE_GLOBAL
#define VMM_PTE_GLOBAL 0
#endif

/** Sets of the TLB, a power of two; TLBI has log2 of this many bits. 0: no TLB. */
#ifndef VMM_TLB_SETS
#define VMM_TLB_SETS 16
#endif

/** Ways of each TLB set, 1 to 64. */
#ifndef VMM_TLB_WAYS
#define VMM_TLB_WAYS 4
#endif

/** How a full TLB set chooses its victim: VMM_LRU, VMM_PLRU, VMM_FIFO or VMM_RANDOM. */
#ifndef VMM_TLB_POLICY
#define VMM_TLB_POLICY VMM_LRU
#endif

/** 1: one TLB for everything; 2: instructions and data apart. */
#ifndef VMM_TLB_COUNT
#define VMM_TLB_COUNT 1
#endif

/** Slots of the front (the soft TLB before the TLB), a power of two from 4; 0: no front, so that
 *  every access goes through the modelled TLB and its counters are exact. */
#ifndef VMM_FRONT_SLOTS
#define VMM_FRONT_SLOTS 0
#endif

/** Banks of the front, 1 to 8: how many combinations of address space, privilege and permission
 *  modifiers keep their slots at the same time. */
#ifndef VMM_FRONT_BANKS
#define VMM_FRONT_BANKS 1
#endif

/** Slots of the walk cache, which remembers tables of level 0; a power of two; 0: none. */
#ifndef VMM_WALK_SLOTS
#define VMM_WALK_SLOTS 0
#endif

/** 1: the printers of Part III (`vmm_explain`, the dump) exist and <stdio.h> is included; 0: not.
 *  Default: as the compiler says whether the program is hosted. */
#ifndef VMM_STDIO
#define VMM_STDIO __STDC_HOSTED__
#endif

#ifdef VMM_DOXYGEN
/** Defined in exactly one file of a program that uses the names or printers of Part III: compiles
 *  the functions that are not inline. Everything else works without it, but for `vmm_init`. */
#define VMM_IMPLEMENTATION
/** Defined as 1: the assertions of VMM_ASSERT are checked at run time. */
#define VMM_DEBUG 1
#endif
/** @} */

/** @cond internal: pieces of the defaults above. */
#define VMM_VPN_BITS (VMM_VADDR_BITS - VMM_PAGE_SHIFT)
#define VMM_EQUAL_PART(level)                                                                                          \
    ((level) + 1 < VMM_LEVELS    ? VMM_VPN_BITS / VMM_LEVELS                                                           \
     : (level) + 1 == VMM_LEVELS ? VMM_VPN_BITS / VMM_LEVELS + VMM_VPN_BITS % VMM_LEVELS                               \
                                 : 0)
#define VMM_SIX_ADDED(a0, a1, a2, a3, a4, a5, ...) ((a0) + (a1) + (a2) + (a3) + (a4) + (a5))
#define VMM_ADDED(...) VMM_SIX_ADDED(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
/** @endcond */

/* ========================================================================== 2. words == */
/** @defgroup vmm_words 2. Words and types
 *  The glossary. One word for one thing, here, in the code, the tests and the docs.
 *
 *  | word | meaning |
 *  |---|---|
 *  | VA, PA | virtual address, physical address; in bytes |
 *  | page, frame | a page-sized, page-aligned piece of virtual memory; of physical memory |
 *  | VPN, VPO | virtual page number and the offset in the page: VA = VPN : VPO |
 *  | PPN, PPO | physical page (frame) number and offset: PA = PPN : PPO, and PPO = VPO |
 *  | PTE | page-table entry: points to a table, or is a leaf and maps a page |
 *  | level | distance from the leaf: level 0 maps the smallest page |
 *  | huge page | a leaf above level 0 |
 *  | root, PTBR | physical address of the top table; the register that holds it |
 *  | walk | reading entries from the root down to a leaf |
 *  | TLB | cache of translations; TLBI, the low bits of the VPN, picks the set, TLBT, the rest, is compared |
 *  | front | direct-mapped table of host addresses before the TLB, one compare and one add |
 *  | walk cache | remembers where the level-0 tables are, so that a walk reads one entry |
 *  | context | what a translation depends on besides its address: root, ASID, format, privilege, modifiers |
 *  | bank | the slots of the front that one context has |
 *  | marks | the accessed and dirty bits |
 *  | contiguous group | neighbouring entries that say they map one stretch (RISC-V NAPOT) |
 *  | ASID | address-space identifier: lets entries of several spaces live in one TLB |
 *  | global | a page that every ASID sees |
 *  | RAM window | the part of physical memory that exists, as host memory |
 *  | bus | callbacks for physical addresses outside the RAM window |
 *  | fault | an access that could not be done, told by value |
 *  | segment | a stretch of an address space with a base, a limit and rights; an address in it is an offset |
 *  | descriptor, selector | what says where a segment is; what a program loads to name a descriptor |
 *  | linear address | what a segment gives, and paging takes: a VA |
 *  | partition, hole | a stretch of physical memory that belongs to somebody; a free one |
 *  | CO, CI, CT | block offset, set index and tag of a data cache |
 *  | block, line | the bytes that a data cache moves at once; the place where one lies |
 *  @{ */

typedef uint64_t vmm_vaddr_t; /**< A virtual address, bytes. */
typedef uint64_t vmm_paddr_t; /**< A physical address, bytes. */
typedef uint64_t vmm_pte_t;   /**< A page-table entry of any width, zero-extended. */

/** Most levels that any format has. */
#define VMM_MAX_LEVELS 6

/** What an access does. */
enum vmm_access {
    VMM_READ = 0,  /**< Load. */
    VMM_WRITE = 1, /**< Store, and both halves of a read-modify-write. */
    VMM_FETCH = 2  /**< Instruction fetch. */
};

/** Rights and marks of a page, in the order of the RISC-V entry; with the options of an edit
 *  (section 3 of vmm.h) they form one word of flags. */
enum vmm_flags {
    VMM_PX = 1 << 0,         /**< Arm, told by a walk: the supervisor may fetch; VMM_X is then user mode's right. */
    VMM_R = 1 << 1,          /**< May be read. */
    VMM_W = 1 << 2,          /**< May be written. */
    VMM_X = 1 << 3,          /**< May be fetched from. */
    VMM_U = 1 << 4,          /**< Belongs to user mode. */
    VMM_G = 1 << 5,          /**< Global. */
    VMM_A = 1 << 6,          /**< Accessed. */
    VMM_D = 1 << 7,          /**< Dirty. */
    VMM_REPLACE = 1 << 8,    /**< Map: what is mapped already is replaced, no error. */
    VMM_NO_HUGE = 1 << 9,    /**< Map: level 0 only. */
    VMM_NONCACHED = 1 << 10, /**< Map: memory type NC (Svpbmt). */
    VMM_IO = 1 << 11         /**< Map: memory type IO (Svpbmt). */
};

/** How a TLB set chooses its victim. An invalid entry is always taken first. */
enum vmm_policy {
    VMM_LRU = 0,   /**< Least recently used, exact. */
    VMM_PLRU = 1,  /**< Tree pseudo-LRU; ways must be a power of two. */
    VMM_FIFO = 2,  /**< The entry filled longest ago. */
    VMM_RANDOM = 3 /**< Any, by a generator that init seeds always alike. */
};

/** Page tables of one kind: geometry, bits and rules. Always a `static const` object whose address
 *  is passed to the cores, so that a compiler folds all of it away; one that is computed at run
 *  time works the same, slower.
 *
 *  Invariants, which init and every edit check (VMM_E_ARGUMENT): page_shift + sum of
 *  index_bits[0..levels-1] == vaddr_bits; each of those levels has 1 to 28 index bits and the others
 *  none; the frame number lies inside the entry; valid is a bit that is not inverted. */
typedef struct vmm_paging {
    const char *name;                   /**< What people call it. */
    uint8_t rules;                      /**< enum vmm_rules: how an entry is read. */
    uint8_t rights;                     /**< enum vmm_rights: which entries of a walk grant. */
    uint8_t vaddr_rule;                 /**< enum vmm_vaddr_rule. */
    uint8_t vaddr_bits;                 /**< Width of a VA. */
    uint8_t paddr_bits;                 /**< Width of a PA. */
    uint8_t page_shift;                 /**< log2 of the smallest page, bytes. */
    uint8_t levels;                     /**< 1 to VMM_MAX_LEVELS. */
    uint8_t index_bits[VMM_MAX_LEVELS]; /**< Index bits by level, level 0 first. */
    uint8_t leaf_levels;                /**< Bit i: a leaf may stand at level i. */
    uint8_t pte_bytes;                  /**< 2, 4 or 8; entries are little-endian. */
    uint8_t ppn_lsb;                    /**< Lowest bit of the frame number in an entry. */
    uint8_t ppn_bits;                   /**< Width of the frame number. */
    vmm_pte_t valid;                    /**< The entry is valid. */
    vmm_pte_t read;                     /**< Allows reading; 0: always allowed. */
    vmm_pte_t write;                    /**< Allows writing; 0: always allowed. */
    vmm_pte_t execute;                  /**< Allows fetching; 0: always allowed. */
    vmm_pte_t user;                     /**< The page is user mode's; 0: always. */
    vmm_pte_t global;                   /**< Matches every ASID; 0: never. */
    vmm_pte_t accessed;                 /**< Set on use; 0: not recorded. */
    vmm_pte_t dirty;                    /**< Set on a write; 0: not recorded. */
    vmm_pte_t huge;                     /**< Above level 0: a leaf. RISC-V tells by R, W, X. */
    vmm_pte_t inverted;                 /**< Of the bits above, those that mean yes when 0. */
    vmm_pte_t reserved;                 /**< Must be 0 in every valid entry. */
    vmm_pte_t reserved_table;           /**< Must be 0 in an entry that points to a table. */
} vmm_paging_t;

/** How an entry is read. */
enum vmm_rules {
    VMM_RULES_GENERIC = 0, /**< By the named bits alone. */
    VMM_RULES_RISCV = 1,   /**< And by the RISC-V rules: leaf by R, W, X; Svnapot; Svpbmt. */
    VMM_RULES_X86 = 2,     /**< And by the rules of x86: reserved bits by width and vendor, WP, SMEP, SMAP, keys. */
    VMM_RULES_ARM64 = 3,   /**< And by the rules of AArch64 stage 1: AP, PXN, UXN, table attributes, DBM. */
    VMM_RULES_ARM32 = 4,   /**< By the rules of ARMv7-A's short descriptors: AP, domains, XN; bits differ by level. */
    VMM_RULES_MIPS = 5     /**< There are no tables: software fills a TLB (MIPS). */
};

/** Which entries of a walk grant rights. */
enum vmm_rights {
    VMM_RIGHTS_LEAF = 0,  /**< The leaf alone (RISC-V). */
    VMM_RIGHTS_EVERY = 1, /**< Read, write, execute and user must be granted at every level (x86). */
    VMM_RIGHTS_TABLE = 2  /**< The leaf, but pointers may take away by bits of their own (AArch64). */
};

/** What becomes of VA bits above vaddr_bits. */
enum vmm_vaddr_rule {
    VMM_VADDR_ZERO = 0, /**< Must be zero, else the address is not canonical. */
    VMM_VADDR_SIGN = 1, /**< Must equal the highest VA bit, else not canonical. */
    VMM_VADDR_WRAP = 2, /**< Addresses count modulo 2^vaddr_bits. */
    VMM_VADDR_HALF = 3  /**< Must be all zero or all one: a tree maps one half of the address space (AArch64). */
};

/** Extensions that an instance has; each architecture counts its own. */
enum vmm_feature {
    VMM_SVNAPOT = 1 << 0, /**< RISC-V: 64 KiB contiguous pages. */
    VMM_SVPBMT = 1 << 1,  /**< RISC-V: memory types in leaf entries, while menvcfg.PBMTE is set. */
    VMM_SVADE = 1 << 2,   /**< RISC-V: a clear accessed or dirty bit is a page fault. */
    VMM_SVADU = 1 << 3,   /**< RISC-V: hardware sets them while menvcfg.ADUE is set, else as Svade. */
    VMM_RISCV_H = 1 << 4, /**< RISC-V: two stages of translation. Of an architecture, not to be switched. */

    VMM_X86_NX = 1 << 0,    /**< x86: no-execute pages, while EFER.NXE is set. */
    VMM_X86_1G = 1 << 1,    /**< x86: 1 GiB pages. */
    VMM_X86_PSE36 = 1 << 2, /**< x86: 4 MiB pages above 4 GiB. */
    VMM_X86_AMD = 1 << 3,   /**< x86: AMD's reserved bits: bit 8 of PML4 and PML5 entries. */
    VMM_X86_PCID = 1 << 4,  /**< x86: process-context identifiers, by CR4.PCIDE. */
    VMM_X86_SMEP = 1 << 5,  /**< x86: no supervisor fetches from user pages, by CR4.SMEP. */
    VMM_X86_SMAP = 1 << 6,  /**< x86: no supervisor data in user pages, by CR4.SMAP. */
    VMM_X86_PKU = 1 << 7,   /**< x86: keys of user pages, by CR4.PKE. */
    VMM_X86_PKS = 1 << 8,   /**< x86: keys of supervisor pages, by CR4.PKS. */
    VMM_X86_LA57 = 1 << 9,  /**< x86: five levels, by CR4.LA57. */

    VMM_ARM64_HAFDBS = 1 << 0, /**< AArch64: hardware sets the access flag (TCR.HA) and the dirty state (TCR.HD). */
    VMM_ARM64_PAN = 1 << 1,    /**< AArch64: no privileged data in pages of EL0, by PSTATE.PAN. */
    VMM_ARM64_LPA = 1 << 2,    /**< AArch64: 52-bit addresses with the 64 KiB granule (FEAT_LVA and FEAT_LPA). */
    VMM_ARM64_TTST = 1 << 3,   /**< AArch64: small tables, TxSZ up to 48 (47 with 64 KiB). */
    VMM_ARM64_E0PD = 1 << 4,   /**< AArch64: TCR.E0PDn keeps EL0 out of a half. */

    VMM_ARM32_PXN = 1 << 0 /**< ARMv7-A: privileged execute-never; without it such a section is not valid. */
};

/** Formats that one MMU chooses from at run time, the widest last. RISC-V's share page_shift, the bits of
 *  an entry, and the index bits of every level that two of them have; the walk cache and the short way of
 *  a miss serve the formats whose entries and lowest tables are like those of the first. */
typedef struct vmm_arch {
    uint16_t features;             /**< enum vmm_feature, at reset. */
    uint8_t formats;               /**< How many of the following, 1 to 5. */
    uint8_t mode[5];               /**< The value that the mode field of the root register selects each by. */
    const vmm_paging_t *format[5]; /**< The formats. */
} vmm_arch_t;

/** An MMU: an architecture and the size of each stage. 0 leaves a stage out. */
typedef struct vmm_model {
    const vmm_arch_t *arch; /**< Formats to choose from. */
    uint32_t front_slots;   /**< As VMM_FRONT_SLOTS. */
    uint32_t front_banks;   /**< As VMM_FRONT_BANKS. */
    uint32_t walk_slots;    /**< As VMM_WALK_SLOTS. */
    uint32_t tlb_count;     /**< As VMM_TLB_COUNT. */
    uint32_t tlb_sets;      /**< As VMM_TLB_SETS. */
    uint32_t tlb_ways;      /**< As VMM_TLB_WAYS. */
    uint32_t tlb_policy;    /**< As VMM_TLB_POLICY. */
    uint32_t detect;        /**< 1: with the missing-flush detector. */
} vmm_model_t;
/** @} */

/* ========================================================================= 3. errors == */
/** @defgroup vmm_errors 3. Errors and faults
 *  Nothing here throws, jumps or keeps a global: a function returns a status, 0 for success, and
 *  an access that faults leaves the reasons in the instance's `fault`.
 *  @{ */

/** What a function returns. */
typedef enum vmm_status {
    VMM_OK = 0,       /**< Done. */
    VMM_FAULT,        /**< The access faulted; the instance's fault says why. */
    VMM_E_ARGUMENT,   /**< A null pointer, an unknown flag, level, mode or width. */
    VMM_E_ALIGN,      /**< An address or size is not a multiple of what it must be. */
    VMM_E_RANGE,      /**< A range is empty, wraps, or leaves the address space. */
    VMM_E_RIGHTS,     /**< The format cannot encode these rights. */
    VMM_E_MAPPED,     /**< Something is mapped, or not free, there already. */
    VMM_E_NOT_MAPPED, /**< Nothing is mapped, or allocated, there. */
    VMM_E_NO_FRAME,   /**< No frame or memory was left; nothing was changed. */
    VMM_E_TABLE,      /**< A table lies outside RAM or points back at one above it. */
    VMM_E_STOPPED,    /**< A callback asked to stop. */
    VMM_E_BUSY,       /**< Something of it is in use still, or under way. */
    VMM_E_ADDRESS,    /**< No area holds the address. */
    VMM_E_ACCESS,     /**< An area or object does not allow it. */
    VMM_E_DENIED,     /**< The address is not for users. */
    VMM_E_AGAIN,      /**< More than may be locked, or frames ran out: later perhaps. */
    VMM_E_LIMIT,      /**< A bound is reached: of a space, or of how many there may be. */
    VMM_E_IO,         /**< A device callback failed. */
    VMM_E_EXEC,       /**< The program's file is not one that can run. */
    VMM_E_LONG        /**< Arguments are too long. */
} vmm_status_t;

/** The families of fault, as the manuals tell them apart. */
enum vmm_fault_kind {
    VMM_NO_FAULT = 0,     /**< None yet. */
    VMM_PAGE_FAULT,       /**< The tables do not allow the access. */
    VMM_ACCESS_FAULT,     /**< Physical memory does not: nothing there, or the bus refused. */
    VMM_ALIGN_FAULT,      /**< Not aligned as it must be: an atomic access, or Device memory (AArch64). */
    VMM_PROTECTION_FAULT, /**< x86 #GP: a non-canonical address, or a value that no register takes. MIPS: a segment. */
    VMM_WATCH_FAULT,      /**< A watchpoint: nothing has happened yet. */
    VMM_GUEST_PAGE_FAULT  /**< RISC-V: the tables of the second stage do not allow the access. */
};

/** The rule that failed. The numbers in brackets are steps of the RISC-V privileged manual,
 *  "Virtual Address Translation Process". */
enum vmm_rule {
    VMM_RULE_NONE = 0,        /**< None failed. */
    VMM_RULE_CANONICAL,       /**< The VA is wider than the address space. */
    VMM_RULE_TABLE_MEMORY,    /**< The table lies outside RAM [2]. */
    VMM_RULE_VALID,           /**< The entry is not valid [3]. */
    VMM_RULE_WRITE_ONLY,      /**< W without R [3]. */
    VMM_RULE_RESERVED,        /**< A reserved bit is set [3]. */
    VMM_RULE_RESERVED_TABLE,  /**< A pointer carries a bit that only leaves may [3]. */
    VMM_RULE_NAPOT,           /**< A contiguous page that does not exist [3]. */
    VMM_RULE_MEMORY_TYPE,     /**< The reserved memory type [3]. */
    VMM_RULE_NO_LEAF,         /**< A pointer at level 0, or a leaf where none may stand [4]. */
    VMM_RULE_HUGE_ALIGN,      /**< A huge page whose frame is not aligned to its size [5]. */
    VMM_RULE_USER_PAGE,       /**< Supervisor mode may not use a user page [6]. */
    VMM_RULE_SUPERVISOR_PAGE, /**< User mode may not use a supervisor page [6]. */
    VMM_RULE_READ,            /**< Reading is not allowed [8]. */
    VMM_RULE_WRITE,           /**< Writing is not allowed [8]. */
    VMM_RULE_EXECUTE,         /**< Fetching is not allowed [8]. */
    VMM_RULE_ACCESSED,        /**< The accessed bit is clear and software sets it [9]. */
    VMM_RULE_DIRTY,           /**< The dirty bit is clear and software sets it [9]. */
    VMM_RULE_PADDR_WIDTH,     /**< The PA is wider than physical memory can be [11]. */
    VMM_RULE_BUS,             /**< Nothing answers at the PA, or the callback refused [11]. */
    VMM_RULE_ALIGN,           /**< Not aligned to its size. */
    VMM_RULE_KEY,             /**< A protection key refuses (x86). */
    VMM_RULE_HALF,            /**< Walks of this half of the address space are switched off (AArch64). */
    VMM_RULE_REGISTER,        /**< A register does not take the value (x86). */
    VMM_RULE_CHECK,           /**< The physical check refuses: see vmm_check_t. */
    VMM_RULE_WATCH,           /**< The address is watched. */
    VMM_RULE_DOMAIN,          /**< The domain allows no access (ARMv7-A). */
    VMM_RULE_NO_ENTRY         /**< No entry of the TLB matches: software refills it (MIPS). */
};

/** Why an access could not be done. */
typedef struct vmm_fault {
    uint8_t kind;   /**< enum vmm_fault_kind. */
    uint8_t access; /**< enum vmm_access. */
    /** What the processor calls it. RISC-V exception code: 12, 13, 15 page; 20, 21, 23 guest page; 1, 5, 7 access;
     *  0, 4, 6 alignment.
     *  x86 vector: 14 page, 13 protection, 17 alignment, 18 nothing in physical memory. AArch64 exception class
     *  (ESR.EC): 0x20, 0x21 fetch; 0x24, 0x25 data, from EL0 and EL1. ARMv7-A: offset of the vector, 0x0c prefetch
     *  abort, 0x10 data abort. MIPS: ExcCode. */
    uint8_t cause;
    uint8_t rule;            /**< enum vmm_rule: the rule that failed. */
    uint8_t level;           /**< Level of the last entry that was read, or could not be; the number of
                           *   levels when there was none. */
    uint32_t code;           /**< x86: the error code. AArch64: ESR.ISS, the fault status code in bits 5:0 and WnR in
                           *   bit 6. RISC-V, of a guest-page fault: 0, or the pseudoinstruction for htinst of an entry
                           *   that could not be read (0x3000; RV32 0x2000) or marked (0x3020; 0x2020). ARMv7-A: as
                           *   DFSR or IFSR: FS in 10 and 3:0, of data the domain in 7:4 and WnR in 11. MIPS: 1 of a
                           *   refill, which has a vector of its own; else 0. */
    vmm_vaddr_t vaddr;       /**< First byte that could not be reached: in a crossing access, of its part. */
    vmm_paddr_t pte_addr;    /**< Its physical address; 0 when there was none, or the TLB knew the page. */
    vmm_pte_t pte;           /**< That entry as it was read; 0 when it could not be, or pte_addr is 0. */
    vmm_paddr_t guest_paddr; /**< Of a guest-page fault: the guest physical address; htval is this >> 2. */
} vmm_fault_t;
/** @} */

/* ======================================================================== 4. formats == */
/** @defgroup vmm_formats 4. Formats
 *  Page tables as constant descriptors. Levels count from the leaf, as the RISC-V manual does.
 *
 *  RISC-V entries (privileged manual, "Sv32/Sv39/Sv48/Sv57"):
 *
 *  | bits | 63 | 62:61 | 60:54 | 53:10 (Sv32: 31:10) | 9:8 | 7 | 6 | 5 | 4 | 3 | 2 | 1 | 0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|---|---|
 *  | | N | PBMT | reserved | PPN | software | D | A | G | U | X | W | R | V |
 *
 *  x86 entries (SDM volume 3, 4.3 to 4.5; AMD APM volume 2, 5.3); 8 means PAT in a 4 KiB page, PS above:
 *
 *  | bits | 63 | 62:59 | 58:52 | 51:12 | 11:9 | 8 | 7 | 6 | 5 | 4 | 3 | 2 | 1 | 0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
 *  | | XD | key | ignored | frame (12: PAT of a huge page) | software | G | PAT, PS | D | A | PCD | PWT | US | RW | P |
 *
 *  AArch64 stage 1 descriptors (Arm ARM, D8.3); 1:0 is 01 for a block, 11 for a table or a page:
 *
 *  | bits | 58:55 | 54 | 53 | 52 | 51 | 50 | 47:12 | 11 | 10 | 9:8 | 7 | 6 | 5 | 4:2 | 1:0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
 *  | leaf | software | UXN | PXN | Contiguous | DBM | GP | OA | nG | AF | SH | AP[2] | AP[1] | NS | AttrIndx | type |
 *
 *  A table descriptor has NSTable 63, APTable 62:61, UXNTable 60, PXNTable 59.
 *
 *  ARMv7-A short descriptors (DDI 0406, B3.5.1); 1:0 is 01 for a table and a large page, 1x for a section and a
 *  small page, whose bit 0 is PXN and XN:
 *
 *  | first level | 31:24 | 23:20 | 19 | 18 | 17 | 16 | 15 | 14:12 | 11:10 | 9 | 8:5 | 4 | 3:2 | 1 | 0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
 *  | table | base 31:10 | | | | | | | | | | domain | SBZ | NS, PXN | 0 | 1 |
 *  | section | base | base | NS | 0 | nG | S | AP[2] | TEX | AP[1:0] | | domain | XN | C, B | 1 | PXN |
 *  | supersection | base | PA 35:32 | NS | 1 | nG | S | AP[2] | TEX | AP[1:0] | | PA 39:36 | XN | C, B | 1 | PXN |
 *
 *  | second level | 31:16 | 15 | 14:12 | 11 | 10 | 9 | 8:6 | 5:4 | 3:2 | 1 | 0 |
 *  |---|---|---|---|---|---|---|---|---|---|---|---|
 *  | large page | base | XN | TEX | nG | S | AP[2] | SBZ | AP[1:0] | C, B | 0 | 1 |
 *  | small page | base 31:12 | | | nG | S | AP[2] | TEX | AP[1:0] | C, B | 1 | XN |
 *
 *  MIPS32 EntryLo: RI 31, XI 30, PFN 29:6, C 5:3, D 2, V 1, G 0. It stands in no memory.
 *  @{ */

/** @cond internal: the part of a RISC-V descriptor that all four share. N (63) and PBMT (62:61) are
 *  judged by rule, because extensions give them meaning; D, A, U, N and PBMT are reserved in
 *  a pointer. */
#define VMM_RISCV_BITS(reserved, reserved_table)                                                                       \
    /* valid */ 0x01, /* read */ 0x02, /* write */ 0x04, /* execute */ 0x08, /* user */ 0x10, /* global */ 0x20,       \
        /* accessed */ 0x40, /* dirty */ 0x80, /* huge */ 0, /* inverted */ 0, reserved, reserved_table
#define VMM_RISCV_RESERVED UINT64_C(0x1fc0000000000000)       /* 60:54 */
#define VMM_RISCV_RESERVED_TABLE UINT64_C(0xe0000000000000d0) /* N, PBMT, D, A, U */
#define VMM_RISCV_N UINT64_C(0x8000000000000000)
#define VMM_RISCV_PBMT UINT64_C(0x6000000000000000)
#define VMM_RISCV_PBMT_SHIFT 61
/* x86: execute is bit 63, XD, which forbids; which bits are reserved depends on registers: see vmm_judge_t. */
#define VMM_X86_XD UINT64_C(0x8000000000000000)
#define VMM_X86_BITS(execute, huge)                                                                                    \
    /* valid */ 0x01, /* read */ 0, /* write */ 0x02, execute, /* user */ 0x04, /* global */ 0x100,                    \
        /* accessed */ 0x20, /* dirty */ 0x40, huge, /* inverted */ execute, 0, 0
#define VMM_X86_PAT_LARGE UINT64_C(0x1000) /* of a huge page; of a small one it is bit 7 */
#define VMM_X86_KEY UINT64_C(0x7800000000000000)
#define VMM_X86_KEY_SHIFT 59
/* AArch64: UXN and PXN forbid, AP[2] = 1 is read-only or clean, nG is not global, type bit 1 is clear in a block. */
#define VMM_ARM64_UXN UINT64_C(0x0040000000000000)
#define VMM_ARM64_PXN UINT64_C(0x0020000000000000)
#define VMM_ARM64_CONTIGUOUS UINT64_C(0x0010000000000000)
#define VMM_ARM64_DBM UINT64_C(0x0008000000000000)
#define VMM_ARM64_SOFT_DIRTY UINT64_C(0x0080000000000000) /* bit 55 is software's */
#define VMM_ARM64_AP2 0x80
#define VMM_ARM64_BITS                                                                                                 \
    /* valid */ 0x01, /* read */ 0, /* write */ VMM_ARM64_DBM, /* execute */ VMM_ARM64_UXN | VMM_ARM64_PXN,            \
        /* user */ 0x40, /* global */ 0x800, /* accessed */ 0x400, /* dirty */ VMM_ARM64_AP2, /* huge */ 0x02,         \
        /* inverted */ VMM_ARM64_UXN | VMM_ARM64_PXN | 0x800 | VMM_ARM64_AP2 | 0x02, 0, 0
/** @endcond */

/* clang-format off */
/* Columns: name; how it is read; which levels grant; VA bits above; width of VA and PA; page shift; levels;
 * index bits from level 0; levels that may be leaves; bytes of an entry; PPN, lowest bit and width. */
/** RISC-V Sv32: two levels, 4 KiB and 4 MiB pages, 34-bit PA ("Sv32: Page-Based 32-bit"). */
static const vmm_paging_t vmm_sv32 = {
    "Sv32", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_WRAP, 32, 34, 12, 2, {10, 10},        0x03, 4, 10, 22,
    VMM_RISCV_BITS(0, 0xd0)};

/** RISC-V Sv39: three levels, pages of 4 KiB, 2 MiB, 1 GiB, 56-bit PA. */
static const vmm_paging_t vmm_sv39 = {
    "Sv39", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_SIGN, 39, 56, 12, 3, {9, 9, 9},       0x07, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** RISC-V Sv48: four levels, pages up to 512 GiB. */
static const vmm_paging_t vmm_sv48 = {
    "Sv48", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_SIGN, 48, 56, 12, 4, {9, 9, 9, 9},    0x0f, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** RISC-V Sv57: five levels, pages up to 256 TiB. */
static const vmm_paging_t vmm_sv57 = {
    "Sv57", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_SIGN, 57, 56, 12, 5, {9, 9, 9, 9, 9}, 0x1f, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** RISC-V Sv32x4, the second stage (G-stage) of RV32: as Sv32 with two index bits more at the root, which has 16 KiB.
 *  Its addresses are guest physical ones, and its pages are user pages ("Guest Physical Address Translation"). */
static const vmm_paging_t vmm_sv32x4 = {
    "Sv32x4", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 34, 34, 12, 2, {10, 12},         0x03, 4, 10, 22,
    VMM_RISCV_BITS(0, 0xd0)};

/** RISC-V Sv39x4, a second stage of RV64. */
static const vmm_paging_t vmm_sv39x4 = {
    "Sv39x4", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 41, 56, 12, 3, {9, 9, 11},       0x07, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** RISC-V Sv48x4, a second stage of RV64. */
static const vmm_paging_t vmm_sv48x4 = {
    "Sv48x4", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 50, 56, 12, 4, {9, 9, 9, 11},    0x0f, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** RISC-V Sv57x4, a second stage of RV64. */
static const vmm_paging_t vmm_sv57x4 = {
    "Sv57x4", VMM_RULES_RISCV, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, 59, 56, 12, 5, {9, 9, 9, 9, 11}, 0x1f, 8, 10, 44,
    VMM_RISCV_BITS(VMM_RISCV_RESERVED, VMM_RISCV_RESERVED_TABLE)};

/** x86 paging with CR4.PAE = 0 and CR4.PSE = 1: two levels, 4 KiB and 4 MiB pages, the latter with up to 40 bits
 *  of PA (PSE-36). SDM volume 3, 4.3. */
static const vmm_paging_t vmm_x86_two_level = {
    "x86 two-level", VMM_RULES_X86, VMM_RIGHTS_EVERY, VMM_VADDR_WRAP, 32, 40, 12, 2, {10, 10},     0x03, 4, 12, 20,
    VMM_X86_BITS(0, 0x80)};

/** x86 paging with CR4.PAE = 0 and CR4.PSE = 0: 4 KiB pages alone. */
static const vmm_paging_t vmm_x86_two_level_4k = {
    "x86 two-level, no PSE", VMM_RULES_X86, VMM_RIGHTS_EVERY, VMM_VADDR_WRAP, 32, 32, 12, 2, {10, 10}, 0x01, 4, 12, 20,
    VMM_X86_BITS(0, 0)};

/** x86 PAE paging: three levels, the top one of four entries that are registers; 4 KiB and 2 MiB pages. SDM 4.4. */
static const vmm_paging_t vmm_x86_pae = {
    "x86 PAE", VMM_RULES_X86, VMM_RIGHTS_EVERY, VMM_VADDR_WRAP, 32, 52, 12, 3, {9, 9, 2},           0x03, 8, 12, 40,
    VMM_X86_BITS(VMM_X86_XD, 0x80)};

/** x86 four-level paging: 48-bit VA, pages of 4 KiB, 2 MiB, 1 GiB. SDM 4.5. */
static const vmm_paging_t vmm_x86_four_level = {
    "x86 four-level", VMM_RULES_X86, VMM_RIGHTS_EVERY, VMM_VADDR_SIGN, 48, 52, 12, 4, {9, 9, 9, 9},    0x07, 8, 12, 40,
    VMM_X86_BITS(VMM_X86_XD, 0x80)};

/** x86 five-level paging: 57-bit VA. SDM 4.5. */
static const vmm_paging_t vmm_x86_five_level = {
    "x86 five-level", VMM_RULES_X86, VMM_RIGHTS_EVERY, VMM_VADDR_SIGN, 57, 52, 12, 5, {9, 9, 9, 9, 9}, 0x07, 8, 12, 40,
    VMM_X86_BITS(VMM_X86_XD, 0x80)};

/** AArch64 stage 1, 4 KiB granule, one half of 48 bits: pages of 4 KiB, blocks of 2 MiB and 1 GiB. Arm ARM, D8. */
static const vmm_paging_t vmm_arm64_4k = {
    "AArch64 4K", VMM_RULES_ARM64, VMM_RIGHTS_TABLE, VMM_VADDR_HALF, 48, 48, 12, 4, {9, 9, 9, 9},      0x07, 8, 12, 36,
    VMM_ARM64_BITS};

/** AArch64 stage 1, 16 KiB granule: pages of 16 KiB, blocks of 32 MiB. */
static const vmm_paging_t vmm_arm64_16k = {
    "AArch64 16K", VMM_RULES_ARM64, VMM_RIGHTS_TABLE, VMM_VADDR_HALF, 48, 48, 14, 4, {11, 11, 11, 1},  0x03, 8, 14, 34,
    VMM_ARM64_BITS};

/** AArch64 stage 1, 64 KiB granule: pages of 64 KiB, blocks of 512 MiB. */
static const vmm_paging_t vmm_arm64_64k = {
    "AArch64 64K", VMM_RULES_ARM64, VMM_RIGHTS_TABLE, VMM_VADDR_HALF, 48, 48, 16, 3, {13, 13, 6},      0x03, 8, 16, 32,
    VMM_ARM64_BITS};

/** AArch64 stage 1, 64 KiB granule with FEAT_LVA and FEAT_LPA: 52-bit VA and PA, blocks of 4 TiB too. */
static const vmm_paging_t vmm_arm64_64k_52 = {
    "AArch64 64K, 52-bit", VMM_RULES_ARM64, VMM_RIGHTS_TABLE, VMM_VADDR_HALF, 52, 52, 16, 3, {13, 13, 10}, 0x07, 8, 16,
    32, VMM_ARM64_BITS};

/** ARMv7-A short descriptors: first level of 4096 entries, second of 256; pages of 4 and 64 KiB, sections of 1 MiB,
 *  supersections of 16 MiB with 40-bit PA. DDI 0406, B3.5. Walked and looked at; not edited. */
static const vmm_paging_t vmm_arm32_short = {
    "ARMv7-A short", VMM_RULES_ARM32, VMM_RIGHTS_TABLE, VMM_VADDR_WRAP, 32, 40, 12, 2, {8, 12},      0x03, 4, 12, 20,
    /* valid */ 0x03, 0, 0, 0, 0, 0, 0, 0, /* huge */ 0x02, 0, 0, 0};

/** MIPS32: no tables. One level of pages of 4 KiB stands for the TLB, whose entries have a size each; 36-bit PA. */
static const vmm_paging_t vmm_mips32_tlb = {
    "MIPS32 TLB", VMM_RULES_MIPS, VMM_RIGHTS_LEAF, VMM_VADDR_WRAP, 32, 36, 12, 1, {20},              0x01, 4, 6, 24,
    /* valid */ 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

/** The textbooks' 32-bit machine: two levels of 1024 entries of 4 bytes, 4 KiB and 4 MiB pages; bit
 *  0 valid, 1 writable, 2 user, 3 execute, 5 accessed, 6 dirty, 7 huge, 8 global. */
static const vmm_paging_t vmm_two_level = {
    "two-level 32-bit", VMM_RULES_GENERIC, VMM_RIGHTS_LEAF, VMM_VADDR_WRAP, 32, 32, 12, 2, {10, 10}, 0x03, 4, 12, 20,
    /* valid */ 0x01, /* read */ 0, /* write */ 0x02, /* execute */ 0x08, /* user */ 0x04, /* global */ 0x100,
    /* accessed */ 0x20, /* dirty */ 0x40, /* huge */ 0x80, /* inverted */ 0, /* reserved */ 0, /* in tables */ 0};

/** The format that the options of section 1 describe. */
static const vmm_paging_t vmm_paging_of_options = {
    "as configured", VMM_RULES_GENERIC, VMM_RIGHTS_LEAF, VMM_VADDR_ZERO, VMM_VADDR_BITS, VMM_PADDR_BITS,
    VMM_PAGE_SHIFT, VMM_LEVELS, {VMM_INDEX_BITS}, VMM_PTE_HUGE ? (1 << VMM_LEVELS) - 1 : 1, VMM_PTE_BYTES,
    VMM_PTE_PPN_LSB, VMM_PADDR_BITS - VMM_PAGE_SHIFT,
    VMM_PTE_VALID, VMM_PTE_READ, VMM_PTE_WRITE, VMM_PTE_EXECUTE, VMM_PTE_SUPERVISOR, VMM_PTE_GLOBAL,
    VMM_PTE_ACCESSED, VMM_PTE_DIRTY, VMM_PTE_HUGE, /* inverted */ VMM_PTE_SUPERVISOR, 0, 0};
/* clang-format on */
/** @} */

/* ======================================================================== 5. presets == */
/** @defgroup vmm_presets 5. Presets
 *  The arguments of VMM_MMU after the name: an architecture, then the size of each stage. A preset
 *  is both; to take other sizes write the architecture and the sizes apart:
 *  `VMM_MMU(rv, VMM_ARCH_RISCV64, VMM_STAGES(1024, 4, 64, 0, 0, VMM_LRU))`.
 *  @{ */

/** An architecture of one format without registers of its own. */
#define VMM_ARCH_OF(paging)                                                                                            \
    {                                                                                                                  \
        0, 1, {0, 0, 0, 0, 0},                                                                                         \
        {                                                                                                              \
            &(paging), 0, 0, 0, 0                                                                                      \
        }                                                                                                              \
    }

/** RV64: bare, Sv39, Sv48 or Sv57 by satp.MODE 0, 8, 9, 10. @hideinitializer */
static const vmm_arch_t vmm_arch_riscv64 = {
    VMM_SVNAPOT | VMM_SVPBMT | VMM_SVADU, 3, {8, 9, 10, 0, 0}, {&vmm_sv39, &vmm_sv48, &vmm_sv57, 0, 0}};

/** RV32: bare or Sv32 by satp.MODE 0, 1. @hideinitializer */
static const vmm_arch_t vmm_arch_riscv32 = {VMM_SVADU, 1, {1, 0, 0, 0, 0}, {&vmm_sv32, 0, 0, 0, 0}};

/** RV64 with the hypervisor extension: hgatp.MODE chooses Sv39x4, Sv48x4 or Sv57x4 by the same numbers.
 *  @hideinitializer */
static const vmm_arch_t vmm_arch_riscv64h = {
    VMM_SVNAPOT | VMM_SVPBMT | VMM_SVADU | VMM_RISCV_H, 3, {8, 9, 10, 0, 0}, {&vmm_sv39, &vmm_sv48, &vmm_sv57, 0, 0}};

/** RV32 with the hypervisor extension: hgatp.MODE 1 is Sv32x4. @hideinitializer */
static const vmm_arch_t vmm_arch_riscv32h = {VMM_SVADU | VMM_RISCV_H, 1, {1, 0, 0, 0, 0}, {&vmm_sv32, 0, 0, 0, 0}};

/** x86: every paging mode, by CR0, CR4 and EFER. @hideinitializer */
static const vmm_arch_t vmm_arch_x86 = {
    VMM_X86_NX | VMM_X86_1G | VMM_X86_PSE36 | VMM_X86_PCID | VMM_X86_SMEP | VMM_X86_SMAP | VMM_X86_PKU | VMM_X86_PKS |
        VMM_X86_LA57,
    5,
    {0, 1, 2, 3, 4},
    {&vmm_x86_four_level, &vmm_x86_pae, &vmm_x86_two_level, &vmm_x86_two_level_4k, &vmm_x86_five_level}};

/** AArch64 EL1 and EL0, stage 1: every granule, by TCR.TG0 and TG1. @hideinitializer */
static const vmm_arch_t vmm_arch_arm64 = {VMM_ARM64_HAFDBS | VMM_ARM64_PAN | VMM_ARM64_LPA | VMM_ARM64_TTST |
                                              VMM_ARM64_E0PD,
                                          4,
                                          {0, 1, 2, 3, 0},
                                          {&vmm_arm64_4k, &vmm_arm64_16k, &vmm_arm64_64k, &vmm_arm64_64k_52, 0}};

/** ARMv7-A with short descriptors. @hideinitializer */
static const vmm_arch_t vmm_arch_arm32 = {VMM_ARM32_PXN, 1, {0, 0, 0, 0, 0}, {&vmm_arm32_short, 0, 0, 0, 0}};

/** MIPS32 with a TLB that software fills. @hideinitializer */
static const vmm_arch_t vmm_arch_mips32 = VMM_ARCH_OF(vmm_mips32_tlb);

/** The format of the options, alone. */
static const vmm_arch_t vmm_arch_of_options = VMM_ARCH_OF(vmm_paging_of_options);

/** RV64 with its registers: satp, privilege, mstatus, menvcfg. */
#define VMM_ARCH_RISCV64 RISCV, vmm_arch_riscv64
/** RV32 with its registers. */
#define VMM_ARCH_RISCV32 RISCV, vmm_arch_riscv32
/** RV64 with the hypervisor extension: also V, vsatp, hgatp, vsstatus, hstatus, henvcfg. */
#define VMM_ARCH_RISCV64H RISCVH, vmm_arch_riscv64h
/** RV32 with the hypervisor extension. */
#define VMM_ARCH_RISCV32H RISCVH, vmm_arch_riscv32h
/** x86 with its registers: CR0, CR3, CR4, EFER, PKRU, PKRS, CPL, EFLAGS.AC. */
#define VMM_ARCH_X86 X86, vmm_arch_x86
/** AArch64 with its registers: TTBR0_EL1, TTBR1_EL1, TCR_EL1, SCTLR_EL1, MAIR_EL1, PSTATE. */
#define VMM_ARCH_ARM64 ARM64, vmm_arch_arm64
/** ARMv7-A with its registers: TTBR0, TTBR1, TTBCR, DACR, SCTLR, CONTEXTIDR, privilege level. */
#define VMM_ARCH_ARM32 ARM32, vmm_arch_arm32
/** MIPS32 with its registers and TLB: those of coprocessor 0 that translation depends on. */
#define VMM_ARCH_MIPS32 MIPS32, vmm_arch_mips32
/** Any `static const vmm_arch_t` made by VMM_ARCH_OF; registers: root, ASID and user mode. */
#define VMM_ARCH_PLAIN(arch) PLAIN, arch

/** Sizes of all stages: front slots, front banks, walk-cache slots, TLB sets, TLB ways, policy. */
#define VMM_STAGES(front, banks, walk, sets, ways, policy) front, banks, walk, 1, sets, ways, policy, 0
/** The emulator's sizes: front and walk cache, nothing that models hardware. */
#define VMM_STAGES_FAST 256, 4, 64, 1, 0, 0, VMM_LRU, 0
/** The student's sizes: a unified TLB alone, so that every access is counted. */
#define VMM_STAGES_TLB(sets, ways, policy) 0, 1, 0, 1, sets, ways, policy, 0
/** The emulator's sizes with the missing-flush detector: every hit is checked against a fresh walk. */
#define VMM_STAGES_DETECT 256, 4, 64, 1, 0, 0, VMM_LRU, 1

/** RV64 as fast as it goes. */
#define VMM_RISCV64 VMM_ARCH_RISCV64, VMM_STAGES_FAST
/** RV32 as fast as it goes. */
#define VMM_RISCV32 VMM_ARCH_RISCV32, VMM_STAGES_FAST
/** RV64 with the hypervisor extension as fast as it goes. */
#define VMM_RISCV64H VMM_ARCH_RISCV64H, VMM_STAGES_FAST
/** RV32 with the hypervisor extension as fast as it goes. */
#define VMM_RISCV32H VMM_ARCH_RISCV32H, VMM_STAGES_FAST
/** x86 as fast as it goes. */
#define VMM_X86 VMM_ARCH_X86, VMM_STAGES_FAST
/** AArch64 as fast as it goes. */
#define VMM_ARM64 VMM_ARCH_ARM64, VMM_STAGES_FAST
/** ARMv7-A as fast as it goes. */
#define VMM_ARM32 VMM_ARCH_ARM32, VMM_STAGES_FAST
/** MIPS32 as fast as it goes. */
#define VMM_MIPS32 VMM_ARCH_MIPS32, VMM_STAGES_FAST
/** What the options of section 1 describe. */
#define VMM_OPTIONS                                                                                                    \
    VMM_ARCH_PLAIN(vmm_arch_of_options), VMM_FRONT_SLOTS, VMM_FRONT_BANKS, VMM_WALK_SLOTS, VMM_TLB_COUNT,              \
        VMM_TLB_SETS, VMM_TLB_WAYS, VMM_TLB_POLICY, 0
/** @} */

/* ========================================================================== 6. hooks == */
/** @defgroup vmm_hooks 6. Platform hooks
 *  What is asked of the platform. Each may be defined before the include.
 *  @{ */

/** Checks an invariant at run time; by default only when VMM_DEBUG is 1, and then it traps. */
#ifndef VMM_ASSERT
#if defined(VMM_DEBUG) && VMM_DEBUG
#define VMM_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define VMM_ASSERT(condition) ((void)0)
#endif
#endif

/** Copies bytes between objects that do not overlap. */
#ifndef VMM_COPY
#define VMM_COPY(to, from, bytes) __builtin_memcpy((to), (from), (bytes))
#endif

/** Sets bytes. */
#ifndef VMM_SET
#define VMM_SET(to, value, bytes) __builtin_memset((to), (value), (bytes))
#endif

/** @cond internal: on a target whose processor has no atomic of a width, the compiler would call a library that a
 *  kernel does not have. There plain accesses take their place: nobody else can change such an entry at once either. */
#define VMM_LOCK_FREE(at) __atomic_always_lock_free(sizeof(*(at)), 0)
/** @endcond */

/** Reads an aligned integer of 1 to 8 bytes at once, as other threads write it. */
#ifndef VMM_ATOMIC_LOAD
#define VMM_ATOMIC_LOAD(from) (VMM_LOCK_FREE(from) ? __atomic_load_n((from), __ATOMIC_RELAXED) : *(from))
#endif

/** VMM_ATOMIC_LOAD after which nothing that stands behind it is read before it. */
#ifndef VMM_ATOMIC_ACQUIRE
#define VMM_ATOMIC_ACQUIRE(from) (VMM_LOCK_FREE(from) ? __atomic_load_n((from), __ATOMIC_ACQUIRE) : *(from))
#endif

/** Writes an aligned integer of 1 to 8 bytes at once, and everything that stands before it earlier. */
#ifndef VMM_ATOMIC_RELEASE
#define VMM_ATOMIC_RELEASE(to, value)                                                                                  \
    (VMM_LOCK_FREE(to) ? __atomic_store_n((to), (value), __ATOMIC_RELEASE) : (void)(*(to) = (value)))
#endif

/** Compare-and-swap of an aligned integer of 1 to 8 bytes; *expected receives what was found.
 *  @return whether it swapped. */
#ifndef VMM_ATOMIC_CAS
#define VMM_ATOMIC_CAS(at, expected, desired)                                                                          \
    (VMM_LOCK_FREE(at)                                                                                                 \
         ? __atomic_compare_exchange_n((at), (expected), (desired), 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)             \
     : *(at) == *(expected) ? (*(at) = (desired), true)                                                                \
                            : (*(expected) = *(at), false))
#endif
/** @} */

/** @cond internal: what the code asks of the compiler. */
#define VMM_MAY_ALIAS __attribute__((may_alias))
typedef uint16_t VMM_MAY_ALIAS vmm_any16_t;
typedef uint32_t VMM_MAY_ALIAS vmm_any32_t;
typedef uint64_t VMM_MAY_ALIAS __attribute__((aligned(8))) vmm_any64_t; /* 32-bit x86 would say 4 */
#if !defined(__GNUC__)
#error "vmm needs gcc or clang (or a compiler that speaks as they do): it relies on forced inlining"
#endif
/* Cores are forced into their instances where that is what makes them fast. Without optimisation, and
 * under sanitizers, they stay functions: a debugger steps through them, and compiling takes a tenth. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define VMM_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VMM_SANITIZED 1
#endif
#if !defined(__OPTIMIZE__) || defined(VMM_SANITIZED)
#define VMM_INLINE static inline __attribute__((unused))
#define VMM_CORE static inline __attribute__((unused))
#define VMM_OUTLINE static inline __attribute__((unused))
#elif defined(__OPTIMIZE_SIZE__) /* what is called from several places stays one function */
#define VMM_INLINE static inline __attribute__((always_inline, unused))
#define VMM_CORE static __attribute__((noinline, unused))
#define VMM_OUTLINE static __attribute__((unused))
#else
#define VMM_INLINE static inline __attribute__((always_inline, unused))
#define VMM_CORE static inline __attribute__((always_inline, unused))
#define VMM_OUTLINE static __attribute__((noinline, unused))
#endif
#define VMM_UNUSED __attribute__((unused))
#define VMM_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define VMM_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
/* The array of a stage that is left out has no element: gcc and clang allow that, ISO C does not. */
#define VMM_EMPTY_ARRAYS_BEGIN _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpedantic\"")
#define VMM_EMPTY_ARRAYS_END _Pragma("GCC diagnostic pop")
#ifdef __cplusplus
#define VMM_STATIC_ASSERT(condition, sentence) static_assert(condition, sentence)
#define VMM_EXTERN_C extern "C"
#else
#define VMM_STATIC_ASSERT(condition, sentence) _Static_assert(condition, sentence)
#define VMM_EXTERN_C extern
#endif
#define VMM_IS_POWER(n) ((n) > 0 && ((n) & ((n)-1)) == 0)
/** @endcond */

/* ===================================================================== 7. assertions == */
/** @defgroup vmm_assertions 7. Assertions
 *  Options that contradict each other do not compile, and the message is a sentence.
 *  @{ */
VMM_STATIC_ASSERT(VMM_PAGE_SHIFT >= 3 && VMM_PAGE_SHIFT <= 30,
                  "VMM_PAGE_SHIFT must be 3 to 30: a page holds 8 bytes to 1 GiB");
VMM_STATIC_ASSERT(VMM_VADDR_BITS > VMM_PAGE_SHIFT && VMM_VADDR_BITS <= 64,
                  "VMM_VADDR_BITS must be more than VMM_PAGE_SHIFT and at most 64");
VMM_STATIC_ASSERT(VMM_PADDR_BITS >= VMM_PAGE_SHIFT && VMM_PADDR_BITS <= 64,
                  "VMM_PADDR_BITS must be at least VMM_PAGE_SHIFT and at most 64");
VMM_STATIC_ASSERT(VMM_LEVELS >= 1 && VMM_LEVELS <= VMM_MAX_LEVELS, "VMM_LEVELS must be 1 to 6");
VMM_STATIC_ASSERT(VMM_PTE_BYTES == 2 || VMM_PTE_BYTES == 4 || VMM_PTE_BYTES == 8, "VMM_PTE_BYTES must be 2, 4 or 8");
VMM_STATIC_ASSERT(VMM_ADDED(VMM_INDEX_BITS) == VMM_VADDR_BITS - VMM_PAGE_SHIFT,
                  "VMM_INDEX_BITS must add up to VMM_VADDR_BITS - VMM_PAGE_SHIFT");
/** @cond internal */
#define VMM_INDEX_FITS(level, bits) ((level) < VMM_LEVELS ? (bits) >= 1 && (bits) <= 28 : (bits) == 0)
#define VMM_INDEXES_FIT(a0, a1, a2, a3, a4, a5, ...)                                                                   \
    (VMM_INDEX_FITS(0, a0) && VMM_INDEX_FITS(1, a1) && VMM_INDEX_FITS(2, a2) && VMM_INDEX_FITS(3, a3) &&               \
     VMM_INDEX_FITS(4, a4) && VMM_INDEX_FITS(5, a5))
#define VMM_ALL_INDEXES_FIT(...) VMM_INDEXES_FIT(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
/** @endcond */
VMM_STATIC_ASSERT(VMM_ALL_INDEXES_FIT(VMM_INDEX_BITS),
                  "VMM_INDEX_BITS must give each of VMM_LEVELS levels 1 to 28 bits, and no other level any");
VMM_STATIC_ASSERT(VMM_PTE_PPN_LSB >= 1 && VMM_PTE_PPN_LSB + VMM_PADDR_BITS - VMM_PAGE_SHIFT <= 8 * VMM_PTE_BYTES,
                  "the frame number and the valid bit do not fit in VMM_PTE_BYTES: make the entry "
                  "wider or VMM_PADDR_BITS smaller");
VMM_STATIC_ASSERT(VMM_PTE_VALID != 0, "VMM_PTE_VALID must name a bit");
/** @cond internal */
#define VMM_PTE_OR                                                                                                     \
    (VMM_PTE_VALID | VMM_PTE_READ | VMM_PTE_WRITE | VMM_PTE_EXECUTE | VMM_PTE_SUPERVISOR | VMM_PTE_ACCESSED |          \
     VMM_PTE_DIRTY | VMM_PTE_HUGE | VMM_PTE_GLOBAL)
#define VMM_PTE_SUM                                                                                                    \
    (UINT64_C(0) + VMM_PTE_VALID + VMM_PTE_READ + VMM_PTE_WRITE + VMM_PTE_EXECUTE + VMM_PTE_SUPERVISOR +               \
     VMM_PTE_ACCESSED + VMM_PTE_DIRTY + VMM_PTE_HUGE + VMM_PTE_GLOBAL)
/** @endcond */
VMM_STATIC_ASSERT((UINT64_C(0) | VMM_PTE_OR) == VMM_PTE_SUM, "two VMM_PTE_ options name the same bit");
VMM_STATIC_ASSERT(VMM_PTE_BYTES == 8 || (UINT64_C(0) | VMM_PTE_OR) >> (8 * VMM_PTE_BYTES % 64) == 0,
                  "a VMM_PTE_ bit lies outside the entry of VMM_PTE_BYTES");
VMM_STATIC_ASSERT(VMM_TLB_POLICY >= 0 && VMM_TLB_POLICY <= 3,
                  "VMM_TLB_POLICY must be VMM_LRU, VMM_PLRU, VMM_FIFO or VMM_RANDOM");
VMM_STATIC_ASSERT((VMM_PTE_OR & (((UINT64_C(1) << (VMM_PADDR_BITS - VMM_PAGE_SHIFT)) - 1) << VMM_PTE_PPN_LSB)) == 0,
                  "a VMM_PTE_ bit lies inside the frame number: move the bit or VMM_PTE_PPN_LSB");
VMM_STATIC_ASSERT(VMM_TLB_SETS == 0 || VMM_IS_POWER(VMM_TLB_SETS),
                  "VMM_TLB_SETS must be a power of two, or 0 for no TLB");
VMM_STATIC_ASSERT(VMM_TLB_COUNT == 1 || VMM_TLB_COUNT == 2, "VMM_TLB_COUNT must be 1 or 2");
/** @} */

#endif /* VMM_CONFIG_H */
