/*
 * riscv_manual.h - the RISC-V address translation, read straight from the manual.
 *
 * An oracle for random tests: plain and slow on purpose, and sharing nothing with the library it
 * judges. It follows "Virtual Address Translation Process" of the RISC-V privileged manual
 * (supervisor.adoc); "step N" in a comment is the manual's own number. Section names are given
 * for the rules that stand elsewhere.
 *
 * The machine has one hart, no PMP, no address-translation cache and no Zicfiss: what lies inside
 * the RAM window can be read, written and fetched by anybody, and nothing else exists.
 *
 * page-table entry   Sv32        Sv39, Sv48, Sv57
 *   0  V   valid
 *   1  R   readable
 *   2  W   writable
 *   3  X   executable
 *   4  U   user page
 *   5  G   global
 *   6  A   accessed
 *   7  D   dirty
 *   9:8    RSW, free for software
 *   PPN    31:10       53:10
 *          -           60:54  reserved
 *          -           62:61  PBMT (Svpbmt)
 *          -           63     N (Svnapot)
 */
#ifndef RISCV_MANUAL_H
#define RISCV_MANUAL_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct rvm_machine {
    uint8_t *ram;        /* the content of physical [base, base + size) */
    uint64_t base, size; /* bytes; any other physical address is an access fault */
    uint64_t satp;       /* RV64: MODE 63:60, ASID 59:44, PPN 43:0; RV32: MODE 31, ASID 30:22, PPN 21:0 */
    bool rv32;
    unsigned priv;        /* current privilege: 0 U, 1 S, 3 M */
    bool sum, mxr, mprv;  /* mstatus */
    unsigned mpp;         /* mstatus: 0 U, 1 S, 3 M */
    bool svnapot, svpbmt; /* extension implemented */
    bool pbmte;           /* menvcfg.PBMTE */
    bool hardware_ad;     /* A and D set by the walk; false: Svade */
    unsigned paddr_bits;  /* implemented width of a physical address; nothing exists above it */
} rvm_machine_t;

enum {
    RVM_READ,
    RVM_WRITE,
    RVM_FETCH
};

typedef struct rvm_result {
    bool ok;
    unsigned cause; /* mcause of the exception; 0 when ok */
    uint64_t tval;  /* virtual address of the portion that faulted; 0 when ok */
    uint64_t pa;    /* physical address of the first byte; 0 when not ok */
} rvm_result_t;

/* The numbers in which Sv32, Sv39, Sv48 and Sv57 differ, by the names of the manual. */
typedef struct rvm_scheme {
    unsigned levels; /* LEVELS; 0 for Bare */
    unsigned va_bits;
    unsigned vpn_bits; /* width of va.vpn[i], and of each pte.ppn[i] below the top one */
    unsigned ptesize;  /* PTESIZE, bytes */
} rvm_scheme_t;

/* ---- bits, memory, results --------------------------------------------------------------- */

/* Bits hi:lo of value, as the manual writes a field; hi - lo < 63. */
static inline uint64_t rvm_bits(uint64_t value, unsigned hi, unsigned lo)
{
    return (value >> lo) & ((UINT64_C(1) << (hi - lo + 1)) - 1);
}

/* The PMA check: the n bytes at pa are all memory. An address wider than the hart's physical
 * addresses is outside and is never cut to fit: "The algorithm does not admit the possibility of
 * ignoring high-order PPN bits". */
static inline bool rvm_exists(const rvm_machine_t *m, uint64_t pa, unsigned n)
{
    uint64_t last = pa + n - 1; /* in the page of pa: no entry or portion leaves its page */

    if (m->paddr_bits < 64 && (last >> m->paddr_bits) != 0) return false;
    if (pa < m->base) return false;
    return last - m->base < m->size;
}

/* n little-endian bytes at pa, all of which exist. */
static inline uint64_t rvm_ram_read(const rvm_machine_t *m, uint64_t pa, unsigned n)
{
    uint64_t value = 0;

    assert(rvm_exists(m, pa, n));
    for (unsigned k = 0; k < n; k++) value |= (uint64_t)m->ram[(size_t)(pa - m->base) + k] << (8 * k);
    return value;
}

static inline void rvm_ram_write(rvm_machine_t *m, uint64_t pa, unsigned n, uint64_t value)
{
    assert(rvm_exists(m, pa, n));
    for (unsigned k = 0; k < n; k++) m->ram[(size_t)(pa - m->base) + k] = (uint8_t)((value >> (8 * k)) & 0xff);
}

static inline rvm_result_t rvm_success(uint64_t pa)
{
    rvm_result_t r;

    memset(&r, 0, sizeof r);
    r.ok = true;
    r.pa = pa;
    return r;
}

/* "a page-fault exception corresponding to the original access type" */
static inline rvm_result_t rvm_page_fault(unsigned access, uint64_t va)
{
    rvm_result_t r;

    memset(&r, 0, sizeof r);
    r.cause = access == RVM_FETCH ? 12 : access == RVM_READ ? 13 : 15;
    r.tval = va;
    return r;
}

/* "an access-fault exception corresponding to the original access type" */
static inline rvm_result_t rvm_access_fault(unsigned access, uint64_t va)
{
    rvm_result_t r;

    memset(&r, 0, sizeof r);
    r.cause = access == RVM_FETCH ? 1 : access == RVM_READ ? 5 : 7;
    r.tval = va;
    return r;
}

/* ---- the state that governs a translation ------------------------------------------------ */

/* machine.adoc, "Memory Privilege in mstatus Register": with MPRV set, loads and stores are
 * translated and protected as though the current mode were MPP; fetches are unaffected. */
static inline unsigned rvm_effective_priv(const rvm_machine_t *m, unsigned access)
{
    unsigned priv = m->mprv && access != RVM_FETCH ? m->mpp : m->priv;

    assert(priv == 0 || priv == 1 || priv == 3);
    return priv;
}

/* supervisor.adoc, "Supervisor Address Translation and Protection (satp) Register". */
static inline rvm_scheme_t rvm_scheme_of(const rvm_machine_t *m)
{
    static const rvm_scheme_t bare = {0, 0, 0, 0};
    static const rvm_scheme_t sv32 = {2, 32, 10, 4};
    static const rvm_scheme_t sv39 = {3, 39, 9, 8};
    static const rvm_scheme_t sv48 = {4, 48, 9, 8};
    static const rvm_scheme_t sv57 = {5, 57, 9, 8};
    uint64_t mode;

    if (m->rv32) return rvm_bits(m->satp, 31, 31) == 1 ? sv32 : bare;

    /* a write of any other MODE leaves satp as it was, so no hart holds one */
    mode = rvm_bits(m->satp, 63, 60);
    assert(mode == 0 || mode == 8 || mode == 9 || mode == 10);
    return mode == 8 ? sv39 : mode == 9 ? sv48 : mode == 10 ? sv57 : bare;
}

static inline uint64_t rvm_satp_ppn(const rvm_machine_t *m)
{
    return m->rv32 ? rvm_bits(m->satp, 21, 0) : rvm_bits(m->satp, 43, 0);
}

static inline uint64_t rvm_pte_ppn(const rvm_machine_t *m, uint64_t pte)
{
    return m->rv32 ? rvm_bits(pte, 31, 10) : rvm_bits(pte, 53, 10);
}

/* va.vpn[i] */
static inline uint64_t rvm_vpn(rvm_scheme_t s, uint64_t va, unsigned i)
{
    unsigned lo = 12 + i * s.vpn_bits;

    return rvm_bits(va, lo + s.vpn_bits - 1, lo);
}

/* "Addressing and Memory Protection" of Sv39, Sv48, Sv57: the bits above the virtual address
 * must all equal its top bit. An Sv32 address has no bits above. */
static inline bool rvm_canonical(const rvm_machine_t *m, rvm_scheme_t s, uint64_t va)
{
    if (m->rv32) return true;
    for (unsigned bit = s.va_bits; bit < 64; bit++)
        if (rvm_bits(va, bit, bit) != rvm_bits(va, s.va_bits - 1, s.va_bits - 1)) return false;
    return true;
}

/* ---- the checks of one page-table entry -------------------------------------------------- */

/* Step 3, first half: the encodings reserved at any level. The RV32 entry has no such bits
 * outside XWR. */
static inline bool rvm_reserved_anywhere(const rvm_machine_t *m, uint64_t pte)
{
    if (rvm_bits(pte, 1, 1) == 0 && rvm_bits(pte, 2, 2) == 1) return true;
    if (m->rv32) return false;
    if (rvm_bits(pte, 60, 54) != 0) return true;
    if (rvm_bits(pte, 63, 63) == 1 && !m->svnapot) return true;
    /* Svpbmt: with menvcfg.PBMTE clear the hart behaves as if Svpbmt were not implemented. */
    if (rvm_bits(pte, 62, 61) != 0 && !(m->svpbmt && m->pbmte)) return true;
    return false;
}

/* Step 3, for a pointer: D, A and U are reserved ("For non-leaf PTEs, the D, A, and U bits are
 * reserved"), and so are N (Svnapot) and PBMT (Svpbmt). G and RSW are not. */
static inline bool rvm_reserved_pointer(const rvm_machine_t *m, uint64_t pte)
{
    if (rvm_bits(pte, 4, 4) == 1) return true;
    if (rvm_bits(pte, 6, 6) == 1) return true;
    if (rvm_bits(pte, 7, 7) == 1) return true;
    if (m->rv32) return false;
    return rvm_bits(pte, 62, 61) != 0 || rvm_bits(pte, 63, 63) == 1;
}

/* Step 3, for a leaf at level i: PBMT 3 (Svpbmt), and every NAPOT encoding but the 64 KiB one,
 * i = 0 and ppn[0] = x xxxx 1000 (Svnapot). */
static inline bool rvm_reserved_leaf(const rvm_machine_t *m, uint64_t pte, unsigned i)
{
    if (m->rv32) return false;
    if (rvm_bits(pte, 62, 61) == 3) return true;
    if (rvm_bits(pte, 63, 63) == 0) return false;
    return i > 0 || rvm_bits(pte, 13, 10) != 8;
}

/* Step 5: pte.ppn[i-1:0] is not zero at i > 0. */
static inline bool rvm_misaligned_superpage(const rvm_machine_t *m, rvm_scheme_t s, uint64_t pte, unsigned i)
{
    return i > 0 && rvm_bits(rvm_pte_ppn(m, pte), i * s.vpn_bits - 1, 0) != 0;
}

/* Step 6: the U bit. "Irrespective of SUM, the supervisor may not execute code on pages with
 * U=1." */
static inline bool rvm_u_allows(const rvm_machine_t *m, uint64_t pte, unsigned priv, unsigned access)
{
    bool user_page = rvm_bits(pte, 4, 4) == 1;

    if (priv == 0) return user_page;
    if (!user_page) return true;
    return access != RVM_FETCH && m->sum;
}

/* Step 8: the R, W and X bits; with MXR a load may also read what is only executable. */
static inline bool rvm_rwx_allows(const rvm_machine_t *m, uint64_t pte, unsigned access)
{
    bool r = rvm_bits(pte, 1, 1) == 1;
    bool w = rvm_bits(pte, 2, 2) == 1;
    bool x = rvm_bits(pte, 3, 3) == 1;

    if (access == RVM_FETCH) return x;
    if (access == RVM_WRITE) return w;
    return r || (m->mxr && x);
}

/* ---- the walk ---------------------------------------------------------------------------- */

/* Step 10. Below bit `low` of the page number the virtual address counts, from it on pte.ppn. */
static inline uint64_t rvm_translated(const rvm_machine_t *m, rvm_scheme_t s, uint64_t pte, unsigned i, uint64_t va)
{
    unsigned low = i * s.vpn_bits;
    uint64_t ppn = rvm_pte_ppn(m, pte);

    /* Svnapot: pte.ppn[0][3:0] holds the size and is replaced by vpn[0][3:0]. */
    if (!m->rv32 && rvm_bits(pte, 63, 63) == 1) low = 4;
    if (low > 0) {
        ppn = (ppn >> low) << low;
        ppn |= rvm_bits(va, 12 + low - 1, 12);
    }
    return ppn * 4096 + rvm_bits(va, 11, 0);
}

/* Steps 6 to 10: the leaf pte at physical pte_pa, level i, has been found well formed. */
static inline rvm_result_t rvm_leaf(rvm_machine_t *m, rvm_scheme_t s, unsigned priv, uint64_t pte, uint64_t pte_pa,
                                    unsigned i, uint64_t va, unsigned access)
{
    bool need_a, need_d;

    /* step 6 */
    if (!rvm_u_allows(m, pte, priv, access)) return rvm_page_fault(access, va);

    /* step 7 is Zicfiss only: without it the shadow-stack encoding has ended at step 3 */

    /* step 8 */
    if (!rvm_rwx_allows(m, pte, access)) return rvm_page_fault(access, va);

    /* step 9; the comparison with memory cannot fail on one hart, and memory that gave the entry
     * takes it back */
    need_a = rvm_bits(pte, 6, 6) == 0;
    need_d = access == RVM_WRITE && rvm_bits(pte, 7, 7) == 0;
    if (need_a || need_d) {
        if (!m->hardware_ad) return rvm_page_fault(access, va);
        pte |= UINT64_C(1) << 6;
        if (access == RVM_WRITE) pte |= UINT64_C(1) << 7;
        rvm_ram_write(m, pte_pa, s.ptesize, pte);
    }

    /* step 10 */
    return rvm_success(rvm_translated(m, s, pte, i, va));
}

/* Steps 1 to 10 for a hart whose satp is active; whether pa exists is not asked here. */
static inline rvm_result_t rvm_walk(rvm_machine_t *m, rvm_scheme_t s, unsigned priv, uint64_t va, unsigned access)
{
    uint64_t a, pte, pte_pa;
    unsigned i;

    if (!rvm_canonical(m, s, va)) return rvm_page_fault(access, va);

    /* step 1 */
    a = rvm_satp_ppn(m) * 4096;
    i = s.levels - 1;

    for (;;) {
        /* step 2 */
        pte_pa = a + rvm_vpn(s, va, i) * s.ptesize;
        if (!rvm_exists(m, pte_pa, s.ptesize)) return rvm_access_fault(access, va);
        pte = rvm_ram_read(m, pte_pa, s.ptesize);

        /* step 3 */
        if (rvm_bits(pte, 0, 0) == 0) return rvm_page_fault(access, va);
        if (rvm_reserved_anywhere(m, pte)) return rvm_page_fault(access, va);

        /* step 4 */
        if (rvm_bits(pte, 1, 1) == 1 || rvm_bits(pte, 3, 3) == 1) break;
        if (rvm_reserved_pointer(m, pte)) /* step 3 again, now that it is known to be a pointer */
            return rvm_page_fault(access, va);
        if (i == 0) return rvm_page_fault(access, va);
        i = i - 1;
        a = rvm_pte_ppn(m, pte) * 4096;
    }

    if (rvm_reserved_leaf(m, pte, i)) /* step 3 again, now that it is known to be a leaf */
        return rvm_page_fault(access, va);

    /* step 5 */
    if (rvm_misaligned_superpage(m, s, pte, i)) return rvm_page_fault(access, va);

    return rvm_leaf(m, s, priv, pte, pte_pa, i, va, access);
}

/* Translates an access of n bytes that stays inside one page, and checks that all of them exist.
 * satp counts only for S and U ("The satp register must be active"); otherwise pa = va. */
static inline rvm_result_t rvm_portion(rvm_machine_t *m, uint64_t va, unsigned access, unsigned n)
{
    unsigned priv = rvm_effective_priv(m, access);
    rvm_scheme_t s = rvm_scheme_of(m);
    rvm_result_t r;

    if (priv == 3 || s.levels == 0) r = rvm_success(va);
    else r = rvm_walk(m, s, priv, va, access);

    if (r.ok && !rvm_exists(m, r.pa, n)) return rvm_access_fault(access, va);
    return r;
}

/* An address register holds XLEN bits. */
static inline uint64_t rvm_xlen(const rvm_machine_t *m, uint64_t va)
{
    return m->rv32 ? rvm_bits(va, 31, 0) : va;
}

/* ---- interface --------------------------------------------------------------------------- */

/*
 * Translates the virtual address of one byte for an access of kind RVM_READ, RVM_WRITE or
 * RVM_FETCH at the machine's present state.
 *
 * ok: pa is inside RAM. Not ok: cause is 12, 13, 15 (page fault) or 1, 5, 7 (access fault) for
 * fetch, read, write, and tval is va. With hardware_ad the leaf entry in RAM may get A and D set;
 * by the order of the steps (9 before the access itself) that stands even when the page turns
 * out to lie outside RAM. On RV32 bits 63:32 of va are ignored.
 */
static inline rvm_result_t rvm_translate(rvm_machine_t *m, uint64_t va, unsigned access)
{
    assert(access == RVM_READ || access == RVM_WRITE || access == RVM_FETCH);
    return rvm_portion(m, rvm_xlen(m, va), access, 1);
}

/*
 * Loads into, stores from or fetches into *value `size` (1, 2, 4 or 8) little-endian bytes at
 * virtual va, which need not be aligned.
 *
 * An access that crosses a page boundary is two portions, each translated and checked as a whole,
 * first portion first, before any byte of data moves; the second starts at address 0 when the
 * first ends at 2^XLEN. On a fault tval is the start of the faulting portion, *value and the data
 * in RAM are untouched, and the entry of a first portion that passed keeps its A and D.
 * ok: pa is that of the first byte.
 */
static inline rvm_result_t rvm_access(rvm_machine_t *m, uint64_t va, unsigned access, unsigned size, uint64_t *value)
{
    unsigned room, first;
    rvm_result_t r1, r2;

    assert(access == RVM_READ || access == RVM_WRITE || access == RVM_FETCH);
    assert(size == 1 || size == 2 || size == 4 || size == 8);

    va = rvm_xlen(m, va);
    room = 4096 - (unsigned)rvm_bits(va, 11, 0);
    first = size < room ? size : room;

    r1 = rvm_portion(m, va, access, first);
    if (!r1.ok) return r1;
    r2 = r1;
    if (first < size) {
        r2 = rvm_portion(m, rvm_xlen(m, va + first), access, size - first);
        if (!r2.ok) return r2;
    }

    if (access == RVM_WRITE) {
        rvm_ram_write(m, r1.pa, first, *value);
        if (first < size) rvm_ram_write(m, r2.pa, size - first, *value >> (8 * first));
    } else {
        *value = rvm_ram_read(m, r1.pa, first);
        if (first < size) *value |= rvm_ram_read(m, r2.pa, size - first) << (8 * first);
    }
    return r1;
}

#endif /* RISCV_MANUAL_H */
