/* fuzz_arm64.c - a hostile guest on AArch64 with every granule and both halves. */
#define FUZZ_ENTER(NAME, m, root) NAME##_set_ttbr0(m, root)

#define VMM_IMPLEMENTATION
#include "../helper_cpus.h"

HELPER_CPU(fast, 2, FUZZ_ENTER, VMM_ARCH_ARM64, VMM_STAGES_FAST)
HELPER_CPU(tlb, 2, FUZZ_ENTER, VMM_ARCH_ARM64, 16, 3, 8, 2, 4, 2, VMM_PLRU, 0)
HELPER_CPU(detect, 2, FUZZ_ENTER, VMM_ARCH_ARM64, 16, 4, 8, 1, 2, 2, VMM_LRU, 1)

/* TCR with sizes that exist, mostly: T0SZ, T1SZ, TG0, TG1, and whatever else the value has. */
static uint64_t fuzz_tcr(uint64_t value)
{
    static const uint8_t size[8] = {16, 16, 16, 25, 34, 39, 12, 48};
    const uint64_t low = value & 128 ? value & 63 : size[value & 7],
                   high = value & 64 ? value >> 8 & 63 : size[value >> 3 & 7];
    return low | high << 16 | (value >> 14 & 3) << 14 | (value >> 16 & 3) << 30 | (value >> 18 & 7) << 32 |
           (value >> 21 & 3) << 39 | (value >> 23 & 3) << 37 | (value >> 25 & 3) << 41 | (value >> 27 & 1) << 36 |
           (value >> 28 & 1) << 22 | (value >> 29 & 1) << 7 | (value >> 30 & 1) << 23 | (value >> 31 & 3) << 55;
}

#define FUZZ_SET(NAME)                                                                                                 \
    static void NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        switch (which) {                                                                                               \
        case 0: NAME##_set_sctlr(m, value); break;                                                                     \
        case 1: NAME##_set_sctlr(m, 1); break;                                                                         \
        case 2: NAME##_set_sctlr(m, 1 | (value & 1) << 19); break;                                                     \
        case 3: NAME##_set_mair(m, value); break;                                                                      \
        case 4: (void)NAME##_set_el(m, (unsigned)value & 3); break;                                                    \
        case 5: NAME##_set_pan(m, value & 1); break;                                                                   \
        case 6: NAME##_set_unprivileged(m, value & 1); break;                                                          \
        case 7: (void)NAME##_set_features(m, (unsigned)value & 63); break;                                             \
        case 8: NAME##_set_tcr(m, value); break;                                                                       \
        case 9:                                                                                                        \
        case 10: NAME##_set_tcr(m, fuzz_tcr(value)); break;                                                            \
        case 11: NAME##_set_tcr(m, UINT64_C(0x18500100010)); break;                                                    \
        case 12: NAME##_set_ttbr1(m, root | value << 48); break;                                                       \
        case 13: NAME##_set_ttbr1(m, value); break;                                                                    \
        case 14: NAME##_set_ttbr0(m, value); break;                                                                    \
        default: NAME##_set_ttbr0(m, root | value << 48); break;                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_forget(unsigned which, uint64_t a, uint64_t b)                                                  \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        if (which & 1) (void)NAME##_tlbi(m, which >> 1 & 7, (a >> 12 & vmm_low_mask(44)) | b << 48);                   \
        else (void)NAME##_at(m, which >> 1 & 3 ? VMM_WRITE : VMM_READ, b & 1, a);                                      \
    }
FUZZ_SET(fast)
FUZZ_SET(tlb)
FUZZ_SET(detect)

static void fuzz_set(unsigned cpu, unsigned which, uint64_t value, vmm_paddr_t root)
{
    if (cpu == 0) fast_set(which, value, root);
    else if (cpu == 1) tlb_set(which, value, root);
    else detect_set(which, value, root);
}

static void fuzz_forget(unsigned cpu, unsigned which, uint64_t a, uint64_t b)
{
    if (cpu == 0) fast_forget(which, a, b);
    else if (cpu == 1) tlb_forget(which, a, b);
    else detect_forget(which, a, b);
}

static void fuzz_copy(unsigned to, unsigned from)
{
    (void)from;
    if (to == 1) {
        tlb_mmus[0].registers = fast_mmus[0].registers;
        tlb_apply(&tlb_mmus[0]);
    } else {
        detect_mmus[0].registers = fast_mmus[0].registers;
        detect_apply(&detect_mmus[0]);
    }
}

#include "fuzz.h"

static const fuzz_target_t fuzz_target = {
    {&fast_cpu, &tlb_cpu, &detect_cpu}, &vmm_arch_arm64, 0x20000, fuzz_set, fuzz_forget, fuzz_copy, NULL, NULL, false};
