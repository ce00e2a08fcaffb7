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
 * VMM_MMU(name, ...) of vmm.h makes others that take their shape as arguments.
 *
 * Sections
 *   1 options      what a program may define before the include
 *   2 words        the glossary, which is law here, and the types that carry it
 *   3 errors       results and faults, by value
 *   4 formats      page tables of the processors as constant descriptors
 *   5 presets      an architecture and its sizes under one name
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
 *  | CO, CI, CT | block offset, set index and tag of a data cache |
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
    VMM_RULES_RISCV = 1    /**< And by the RISC-V rules: leaf by R, W, X; Svnapot; Svpbmt. */
};

/** Which entries of a walk grant rights. */
enum vmm_rights {
    VMM_RIGHTS_LEAF = 0, /**< The leaf alone (RISC-V). */
    VMM_RIGHTS_EVERY = 1 /**< Read, write, execute and user must be granted at every level (x86). */
};

/** What becomes of VA bits above vaddr_bits. */
enum vmm_vaddr_rule {
    VMM_VADDR_ZERO = 0, /**< Must be zero, else the address is not canonical. */
    VMM_VADDR_SIGN = 1, /**< Must equal the highest VA bit, else not canonical. */
    VMM_VADDR_WRAP = 2  /**< Addresses count modulo 2^vaddr_bits. */
};

/** Extensions that a RISC-V instance has. */
enum vmm_feature {
    VMM_SVNAPOT = 1 << 0, /**< 64 KiB contiguous pages. */
    VMM_SVPBMT = 1 << 1,  /**< Memory types in leaf entries, while menvcfg.PBMTE is set. */
    VMM_SVADE = 1 << 2,   /**< A clear accessed or dirty bit is a page fault. */
    VMM_SVADU = 1 << 3    /**< Hardware sets them while menvcfg.ADUE is set, else as Svade. */
};

/** Formats that one MMU chooses from at run time, the narrowest first and the widest last. They share
 *  page_shift, the bits of an entry, and the index bits of every level that two of them have. */
typedef struct vmm_arch {
    uint8_t features;              /**< enum vmm_feature, at reset. */
    uint8_t formats;               /**< How many of the following, 1 to 3. */
    uint8_t mode[3];               /**< The value that the mode field of the root register selects each by. */
    const vmm_paging_t *format[3]; /**< The formats. */
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

/** The two families of fault, as the manuals tell them apart. */
enum vmm_fault_kind {
    VMM_NO_FAULT = 0, /**< None yet. */
    VMM_PAGE_FAULT,   /**< The tables do not allow the access. */
    VMM_ACCESS_FAULT, /**< Physical memory does not: nothing there, or the bus refused. */
    VMM_ALIGN_FAULT   /**< An atomic access that is not aligned to its size. */
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
    VMM_RULE_ALIGN            /**< Not aligned to its size. */
};

/** Why an access could not be done. */
typedef struct vmm_fault {
    uint8_t kind;         /**< enum vmm_fault_kind. */
    uint8_t access;       /**< enum vmm_access. */
    uint8_t cause;        /**< RISC-V exception code: 12, 13, 15 page; 1, 5, 7 access; 6 alignment. */
    uint8_t rule;         /**< enum vmm_rule: the rule that failed. */
    uint8_t level;        /**< Level of the last entry that was read, or could not be; the number of
                           *   levels when there was none. */
    vmm_vaddr_t vaddr;    /**< First byte that could not be reached: in a crossing access, of its part. */
    vmm_paddr_t pte_addr; /**< Its physical address; 0 when there was none, or the TLB knew the page. */
    vmm_pte_t pte;        /**< That entry as it was read; 0 when it could not be, or pte_addr is 0. */
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
        0, 1, {0, 0, 0},                                                                                               \
        {                                                                                                              \
            &(paging), 0, 0                                                                                            \
        }                                                                                                              \
    }

/** RV64: bare, Sv39, Sv48 or Sv57 by satp.MODE 0, 8, 9, 10. @hideinitializer */
static const vmm_arch_t vmm_arch_riscv64 = {
    VMM_SVNAPOT | VMM_SVPBMT | VMM_SVADU, 3, {8, 9, 10}, {&vmm_sv39, &vmm_sv48, &vmm_sv57}};

/** RV32: bare or Sv32 by satp.MODE 0, 1. @hideinitializer */
static const vmm_arch_t vmm_arch_riscv32 = {VMM_SVADU, 1, {1, 0, 0}, {&vmm_sv32, 0, 0}};

/** The format of the options, alone. */
static const vmm_arch_t vmm_arch_of_options = VMM_ARCH_OF(vmm_paging_of_options);

/** RV64 with its registers: satp, privilege, mstatus, menvcfg. */
#define VMM_ARCH_RISCV64 RISCV, vmm_arch_riscv64
/** RV32 with its registers. */
#define VMM_ARCH_RISCV32 RISCV, vmm_arch_riscv32
/** Any `static const vmm_arch_t` made by VMM_ARCH_OF; registers: root, ASID and user mode. */
#define VMM_ARCH_PLAIN(arch) PLAIN, arch

/** Sizes of all stages: front slots, front banks, walk-cache slots, TLB sets, TLB ways, policy. */
#define VMM_STAGES(front, banks, walk, sets, ways, policy) front, banks, walk, 1, sets, ways, policy
/** The emulator's sizes: front and walk cache, nothing that models hardware. */
#define VMM_STAGES_FAST 256, 4, 64, 1, 0, 0, VMM_LRU
/** The student's sizes: a unified TLB alone, so that every access is counted. */
#define VMM_STAGES_TLB(sets, ways, policy) 0, 1, 0, 1, sets, ways, policy

/** RV64 as fast as it goes. */
#define VMM_RISCV64 VMM_ARCH_RISCV64, VMM_STAGES_FAST
/** RV32 as fast as it goes. */
#define VMM_RISCV32 VMM_ARCH_RISCV32, VMM_STAGES_FAST
/** What the options of section 1 describe. */
#define VMM_OPTIONS                                                                                                    \
    VMM_ARCH_PLAIN(vmm_arch_of_options), VMM_FRONT_SLOTS, VMM_FRONT_BANKS, VMM_WALK_SLOTS, VMM_TLB_COUNT,              \
        VMM_TLB_SETS, VMM_TLB_WAYS, VMM_TLB_POLICY
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

/** Reads an aligned integer of 1 to 8 bytes at once, as other threads write it. */
#ifndef VMM_ATOMIC_LOAD
#define VMM_ATOMIC_LOAD(from) __atomic_load_n((from), __ATOMIC_RELAXED)
#endif

/** Compare-and-swap of an aligned integer of 1 to 8 bytes; *expected receives what was found.
 *  @return whether it swapped. */
#ifndef VMM_ATOMIC_CAS
#define VMM_ATOMIC_CAS(at, expected, desired)                                                                          \
    __atomic_compare_exchange_n((at), (expected), (desired), 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
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
