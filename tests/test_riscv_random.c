/* test_riscv_random.c - random tables and random accesses, each compared with riscv_manual.h: the
 * outcome, the cause, the address told, the value, and all of RAM with the marks in its tables. */
#define VMM_IMPLEMENTATION
#include <inttypes.h>

#include "helper_riscv.h"
#include "riscv_manual.h"

#if defined(__SANITIZE_ADDRESS__)
#define ACCESSES 600
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ACCESSES 600
#endif
#endif
#ifndef ACCESSES
#define ACCESSES 4200 /* of each MMU, flushed and not: ten times as many of each mode */
#endif

#define BASE UINT64_C(0x80000000)
#define TABLES 12u /* pages that hold tables; the others hold data alone */
#define PAGES 16u
#define HOT 8u /* entries of each table that most addresses lead through: four at either end */
#define RECENT 16u

HELPER_RISCV(fast, VMM_RISCV64)
HELPER_RISCV(lru, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 2, VMM_LRU))
HELPER_RISCV(plru, VMM_ARCH_RISCV64, VMM_STAGES_TLB(2, 4, VMM_PLRU))
HELPER_RISCV(fifo, VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 2, VMM_FIFO))
HELPER_RISCV(any, VMM_ARCH_RISCV64, VMM_STAGES_TLB(1, 8, VMM_RANDOM))
HELPER_RISCV(fast32, VMM_RISCV32)
HELPER_RISCV(lru32, VMM_ARCH_RISCV32, VMM_STAGES_TLB(4, 2, VMM_LRU))
HELPER_RISCV(plru32, VMM_ARCH_RISCV32, VMM_STAGES_TLB(2, 4, VMM_PLRU))
HELPER_RISCV(fifo32, VMM_ARCH_RISCV32, VMM_STAGES_TLB(4, 2, VMM_FIFO))
HELPER_RISCV(any32, VMM_ARCH_RISCV32, VMM_STAGES_TLB(1, 8, VMM_RANDOM))

static const helper_riscv_t *const harts64[] = {&fast_riscv, &lru_riscv, &plru_riscv, &fifo_riscv, &any_riscv};
static const helper_riscv_t *const harts32[] = {&fast32_riscv, &lru32_riscv, &plru32_riscv, &fifo32_riscv,
                                                &any32_riscv};

typedef struct scheme {
    const char *name;
    unsigned satp_mode, levels, index_bits, va_bits;
    bool rv32;
} scheme_t;

static uint64_t ours[PAGES * 512], theirs[PAGES * 512]; /* the same RAM twice */
static uint64_t seed;
static const scheme_t *mode;
static const helper_riscv_t *hart;
static rvm_machine_t manual;
static vmm_vaddr_t recent[RECENT];

static uint64_t below(uint64_t n)
{
    return helper_random(&seed) % n;
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* ---- tables ------------------------------------------------------------------------------ */

/* An index of a table: mostly one of the hot ones. */
static uint64_t some_index(void)
{
    const uint64_t i = below(HOT), entries = UINT64_C(1) << mode->index_bits;
    if (chance(1)) return below(entries);
    return i < HOT / 2 ? i : entries - HOT + i;
}

/* The frame of a leaf: in RAM, or large enough that RAM lies in it; just outside, or anywhere. */
static uint64_t some_frame(unsigned level)
{
    if (chance(4)) return chance(50) ? (BASE >> 12) + PAGES : below(UINT64_C(1) << (mode->rv32 ? 22 : 44));
    if (chance(level ? 10 : 95)) return (BASE >> 12) + below(PAGES);
    return level > 2 ? 0 : BASE >> 12;
}

/* An entry for a table that is meant for `level`; other levels may come to read it as well. */
static uint64_t some_entry(unsigned level)
{
    static const unsigned rights[] = {0x2, 0x6, 0x8, 0xa, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0xe, 0x4 | 0x8};
    const uint64_t noise = helper_random(&seed);
    if (chance(4)) return mode->rv32 ? noise & 0xffffffff : noise;
    if (level > 0 && chance(88)) {
        const uint64_t page = chance(95) ? level - 1 + mode->levels * below(TABLES / mode->levels) : below(PAGES * 2);
        return ((BASE >> 12) + (page < TABLES ? page : PAGES + page)) << 10 | (noise & 0x320) | 1;
    } else {
        uint64_t pte = some_frame(level) << 10 | (noise & 0x3f0) | rights[below(12)] | (chance(97) ? 1 : 0);
        if (chance(40)) pte |= 0xc0; /* A, D */
        if (!mode->rv32 && chance(level ? 2 : 15))
            pte = (pte & ~(UINT64_C(15) << 10)) | UINT64_C(8) << 10 | UINT64_C(1) << 63;
        if (!mode->rv32 && chance(10)) pte |= below(4) << 61;
        return pte;
    }
}

static void change_entry(unsigned page, uint64_t index)
{
    const size_t bytes = mode->rv32 ? 4 : 8;
    const uint64_t pte = some_entry(page % mode->levels);
    uint8_t *at = (uint8_t *)ours + page * 4096u + (size_t)index * bytes;
    vmm_put(at, pte, (unsigned)bytes);
    memcpy((uint8_t *)theirs + (at - (uint8_t *)ours), at, bytes);
}

static void fill_ram(void)
{
    const uint64_t entries = UINT64_C(1) << mode->index_bits;
    unsigned page, i;
    for (i = 0; i < PAGES * 512; i++) ours[i] = theirs[i] = helper_random(&seed);
    for (page = 0; mode->levels && page < TABLES; page++)
        for (i = 0; i < HOT; i++) change_entry(page, i < HOT / 2 ? i : entries - HOT + i);
}

/* ---- registers --------------------------------------------------------------------------- */

static void set_satp(bool bare)
{
    const uint64_t asid = below(3), ppn = (BASE >> 12) + (mode->levels ? mode->levels - 1 : 0);
    uint64_t satp =
        mode->rv32 ? UINT64_C(1) << 31 | asid << 22 | ppn : (uint64_t)mode->satp_mode << 60 | asid << 44 | ppn;
    if (bare || !mode->levels) satp = 0;
    assert_int_equal(hart->set_satp(satp), VMM_OK);
    manual.satp = satp;
}

static void set_status(void)
{
    static const unsigned privileges[] = {0, 0, 0, 1, 1, 1, 1, 3};
    const uint64_t bits = (helper_random(&seed) | (chance(50) ? 0x40000u : 0)) & 0xc0000;
    manual.priv = privileges[below(8)];
    manual.mpp = privileges[below(8)];
    manual.mprv = chance(20);
    manual.sum = (bits >> 18) & 1;
    manual.mxr = (bits >> 19) & 1;
    assert_int_equal(hart->set_privilege(manual.priv), VMM_OK);
    assert_int_equal(hart->set_mstatus(bits | (uint64_t)manual.mpp << 11 | (uint64_t)manual.mprv << 17), VMM_OK);
}

/* Svadu with ADUE set marks, clear it faults as Svade does; with neither extension hardware marks. */
static void set_extensions(void)
{
    const unsigned features = (unsigned)below(16) | (chance(50) ? VMM_SVNAPOT | VMM_SVPBMT : 0);
    const uint64_t adue = chance(80), pbmte = chance(80);
    assert_int_equal(hart->set_features(features), VMM_OK);
    hart->set_menvcfg(adue << 61 | pbmte << 62);
    manual.svnapot = (features & VMM_SVNAPOT) != 0;
    manual.svpbmt = (features & VMM_SVPBMT) != 0;
    manual.pbmte = pbmte != 0;
    manual.hardware_ad = features & VMM_SVADU ? adue != 0 : !(features & VMM_SVADE);
}

/* ---- accesses ---------------------------------------------------------------------------- */

static vmm_vaddr_t some_address(void)
{
    const uint64_t offset = chance(50) ? below(4096) : chance(50) ? 4095 - below(8) : below(4) * 8;
    vmm_vaddr_t va = 0;
    unsigned level;
    if (!mode->levels)
        return (chance(97) ? BASE + (below(PAGES + 1) << 12) - below(2) * 4096 : helper_random(&seed)) + offset;
    for (level = 0; level < mode->levels; level++) va |= some_index() << (12 + level * mode->index_bits);
    if (mode->rv32) return va | offset;
    if ((va >> (mode->va_bits - 1)) & 1) va |= ~UINT64_C(0) << mode->va_bits;
    if (chance(3)) va ^= UINT64_C(1) << (mode->va_bits - 1 + below(65 - mode->va_bits));
    return va | offset;
}

/* The translation of one byte alone, without asking whether anything is there. */
static rvm_result_t translated(vmm_vaddr_t va, unsigned access)
{
    const unsigned priv = rvm_effective_priv(&manual, access);
    const rvm_scheme_t s = rvm_scheme_of(&manual);
    const rvm_result_t r = priv == 3 || s.levels == 0 ? rvm_success(va) : rvm_walk(&manual, s, priv, va, access);
    return r.ok && r.pa >> manual.paddr_bits ? rvm_access_fault(access, va) : r;
}

/* What the manual says. Its table of priorities knows one access, and where that has two portions
 * leaves room: riscv_manual.h finishes with the first portion before it looks at the second, vmm
 * translates both before it asks whether anything answers. So where the first portion leads
 * somewhere, but not to RAM, a second one that cannot be translated is told instead. */
static rvm_result_t expected(vmm_vaddr_t va, unsigned access, unsigned bytes, uint64_t *value)
{
    const rvm_result_t r = rvm_access(&manual, va, access, bytes, value);
    const vmm_vaddr_t second = rvm_xlen(&manual, (va | 4095) + 1);
    rvm_result_t other;
    if (r.ok || r.tval != va || (va & 4095) + bytes <= 4096 || !translated(va, access).ok) return r;
    other = translated(second, access);
    return other.ok ? r : other;
}

static void compare_access(void)
{
    const unsigned access = (unsigned)below(3), bytes = 1u << below(4);
    const unsigned slot = (unsigned)below(RECENT);
    uint64_t got = helper_random(&seed) & vmm_low_mask(bytes * 8), want = got;
    vmm_vaddr_t va;
    rvm_result_t r;
    vmm_status_t status;
    va = recent[slot];
    if (mode->levels && chance(90) && (manual.satp == 0 || rvm_effective_priv(&manual, access) == 3))
        va = BASE + below(PAGES * 4096); /* physical */
    if (mode->rv32) va &= 0xffffffff;
    r = expected(va, access, bytes, &want);
    status = hart->access(access, va, bytes, &got);
    if ((status == VMM_OK) != r.ok || got != want ||
        (!r.ok && (hart->fault->cause != r.cause || hart->fault->vaddr != r.tval)) ||
        memcmp(ours, theirs, sizeof ours) != 0) {
        print_error("%s %s access %u of %u at %" PRIx64 ": the manual: cause %u at %" PRIx64 ", value %" PRIx64
                    "; vmm: status %d, cause %u, rule %u at %" PRIx64 ", value %" PRIx64 "%s\n",
                    mode->name, hart->name, access, bytes, va, r.cause, r.tval, want, (int)status, hart->fault->cause,
                    hart->fault->rule, hart->fault->vaddr, got,
                    memcmp(ours, theirs, sizeof ours) ? "; RAM differs" : "");
        fail();
    }
    if (chance(r.ok ? 5 : 95)) recent[slot] = some_address(); /* what can be reached is come back to */
    /* a store that may have changed a table wants its fence */
    if (r.ok && access == VMM_WRITE && (r.pa < BASE + TABLES * 4096u || (va & 4095) + bytes > 4096)) hart->flush_all();
}

/* ---- runs -------------------------------------------------------------------------------- */

static void run(bool flushing, unsigned paddr_bits)
{
    const vmm_memory_t memory = {ours, BASE, sizeof ours, {NULL, NULL, NULL}, (uint8_t)paddr_bits};
    unsigned i;
    memset(&manual, 0, sizeof manual);
    manual.ram = (uint8_t *)theirs;
    manual.base = BASE;
    manual.size = sizeof theirs;
    manual.rv32 = mode->rv32;
    manual.paddr_bits = paddr_bits ? paddr_bits : mode->rv32 ? 34 : 56;
    fill_ram();
    for (i = 0; i < RECENT; i++) recent[i] = some_address();
    assert_int_equal(hart->init(&memory), VMM_OK);
    for (i = 0; i < ACCESSES; i++) {
        if (i == 0 || chance(3)) set_satp(chance(10));
        if (i == 0 || chance(5)) set_status();
        if (i == 0 || chance(2)) {
            set_extensions();
            hart->flush_all();
        }
        if (mode->levels && chance(4)) {
            change_entry((unsigned)below(TABLES), some_index());
            hart->flush_all();
        }
        if (chance(1)) hart->flush_page(recent[below(RECENT)]);
        if (chance(1)) hart->flush_page_asid(recent[below(RECENT)], (uint16_t)below(3));
        if (chance(1)) hart->flush_asid((uint16_t)below(3));
        if (flushing) hart->flush_all();
        compare_access();
    }
}

static void compare_mode(void **state)
{
    const helper_riscv_t *const *harts;
    unsigned i, count = 0;
    uint64_t faults = 0;
    mode = (const scheme_t *)*state;
    harts = mode->rv32 ? harts32 : harts64;
    for (i = 0; i < 10; i++) {
        hart = harts[i / 2];
        seed = UINT64_C(0x9e3779b97f4a7c15) * (i + 1) + mode->va_bits;
        run(i % 2 == 0, i % 3 == 0 ? 0 : i % 3 == 1 ? 32 : 33);
        count += ACCESSES;
        faults += hart->stats->faults;
    }
    print_message("# %s: %u accesses, %u of them done\n", mode->name, count, count - (unsigned)faults);
    assert_true(faults < count / 4 * 3); /* else little was compared */
}

int main(void)
{
    static scheme_t modes[] = {{"bare", 0, 0, 9, 64, false},
                               {"Sv32", 1, 2, 10, 32, true},
                               {"Sv39", 8, 3, 9, 39, false},
                               {"Sv48", 9, 4, 9, 48, false},
                               {"Sv57", 10, 5, 9, 57, false}};
    const struct CMUnitTest tests[] = {
        {"bare accesses agree with the manual", compare_mode, NULL, NULL, &modes[0]},
        {"Sv32 accesses agree with the manual", compare_mode, NULL, NULL, &modes[1]},
        {"Sv39 accesses agree with the manual", compare_mode, NULL, NULL, &modes[2]},
        {"Sv48 accesses agree with the manual", compare_mode, NULL, NULL, &modes[3]},
        {"Sv57 accesses agree with the manual", compare_mode, NULL, NULL, &modes[4]},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
