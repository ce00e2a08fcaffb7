/* fuzz_x86.c - a hostile guest on x86 in every paging mode. */
#define FUZZ_ENTER(NAME, m, root) (void)NAME##_set_cr3(m, root)

#define VMM_IMPLEMENTATION
#include "../helper_cpus.h"

HELPER_CPU(fast, 2, FUZZ_ENTER, VMM_ARCH_X86, VMM_STAGES_FAST)
HELPER_CPU(tlb, 2, FUZZ_ENTER, VMM_ARCH_X86, 16, 3, 8, 2, 4, 2, VMM_PLRU, 0)
HELPER_CPU(detect, 2, FUZZ_ENTER, VMM_ARCH_X86, 16, 4, 8, 1, 2, 2, VMM_LRU, 1)

/* Registers as a mode wants them, switched in the order that is allowed; bits of the value turn others on. */
#define FUZZ_MODE(NAME)                                                                                                \
    static void NAME##_mode(unsigned mode, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        static const uint64_t cr4[6] = {0, 0x10, 0x20, 0x20, 0x1020, 0x20};                                            \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        const uint64_t extra = (value & 1 ? 0x80u : 0) | (value & 2 ? 0x300000u : 0) | (value & 4 ? 0x1400000u : 0);   \
        (void)NAME##_set_cr4(m, m->registers.cr4 & ~UINT64_C(0x20000));                                                \
        (void)NAME##_set_cr0(m, 0x11);                                                                                 \
        (void)NAME##_set_cr4(m, cr4[mode % 6] | extra);                                                                \
        (void)NAME##_set_efer(m, (mode % 6 >= 3 ? 0x100u : 0) | (value & 8 ? 0x800u : 0));                             \
        (void)NAME##_set_cr3(m, root);                                                                                 \
        (void)NAME##_set_cr0(m, 0x80000011u | (value & 16 ? 0x10000u : 0));                                            \
        if (value & 32) (void)NAME##_set_cr4(m, m->registers.cr4 | 0x20000);                                           \
    }
#define FUZZ_SET(NAME)                                                                                                 \
    FUZZ_MODE(NAME)                                                                                                    \
    static void NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        switch (which) {                                                                                               \
        case 0: (void)NAME##_set_cr0(m, value); break;                                                                 \
        case 1: (void)NAME##_set_cr0(m, m->registers.cr0 ^ UINT64_C(1) << (value & 31)); break;                        \
        case 2: (void)NAME##_set_cr4(m, m->registers.cr4 ^ UINT64_C(1) << (value & 31)); break;                        \
        case 3: (void)NAME##_set_efer(m, m->registers.efer ^ UINT64_C(1) << (8 + (value & 3))); break;                 \
        case 4: (void)NAME##_set_cpl(m, (unsigned)value & 3); break;                                                   \
        case 5: NAME##_set_ac(m, value & 1); break;                                                                    \
        case 6: NAME##_set_implicit(m, value & 1); break;                                                              \
        case 7: NAME##_set_pkru(m, (uint32_t)value); break;                                                            \
        case 8: NAME##_set_pkrs(m, (uint32_t)value); break;                                                            \
        case 9: (void)NAME##_set_features(m, (unsigned)value & 0x3ff); break;                                          \
        case 10: (void)NAME##_set_cr3(m, root | (value & 3) | (value & 4 ? UINT64_C(1) << 63 : 0)); break;             \
        case 11: (void)NAME##_set_cr3(m, value); break;                                                                \
        default: NAME##_mode(which, value, root); break;                                                               \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_forget(unsigned which, uint64_t a, uint64_t b)                                                  \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        if (which & 1) NAME##_invlpg(m, a);                                                                            \
        else (void)NAME##_invpcid(m, which >> 1 & 7, b & 3, a);                                                        \
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
        memcpy(tlb_mmus[0].state.pdpte, fast_mmus[0].state.pdpte, sizeof fast_mmus[0].state.pdpte);
        tlb_apply(&tlb_mmus[0]);
    } else {
        detect_mmus[0].registers = fast_mmus[0].registers;
        memcpy(detect_mmus[0].state.pdpte, fast_mmus[0].state.pdpte, sizeof fast_mmus[0].state.pdpte);
        detect_apply(&detect_mmus[0]);
    }
}

#include "fuzz.h"

static const fuzz_target_t fuzz_target = {
    {&fast_cpu, &tlb_cpu, &detect_cpu}, &vmm_arch_x86, 0x10000, fuzz_set, fuzz_forget, fuzz_copy, NULL, NULL, false};
