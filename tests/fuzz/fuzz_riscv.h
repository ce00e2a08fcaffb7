/* fuzz_riscv.h - registers and fences of RISC-V for fuzz.h. */
#ifndef FUZZ_RISCV_H
#define FUZZ_RISCV_H

#define VMM_IMPLEMENTATION
#include "../helper_cpus.h"

#define FUZZ_ENTER(NAME, m, root) (void)NAME##_set_satp(m, root)

HELPER_CPU(fast, 2, FUZZ_ENTER, FUZZ_ARCH, VMM_STAGES_FAST)
HELPER_CPU(tlb, 2, FUZZ_ENTER, FUZZ_ARCH, 16, 3, 8, 2, 4, 2, VMM_PLRU, 0)
HELPER_CPU(detect, 2, FUZZ_ENTER, FUZZ_ARCH, 16, 4, 8, 1, 2, 2, VMM_LRU, 1)

/* satp, vsatp or hgatp: a mode that exists, mostly; few ASIDs. */
static uint64_t fuzz_satp(uint64_t value, vmm_paddr_t root)
{
    const uint64_t mode = (value & 7) == 0 ? value >> 8 & 15 : FUZZ_MODES.mode[(value >> 8) % FUZZ_MODES.formats];
    if (FUZZ_MODES.format[0]->pte_bytes == 4)
        return (mode & 1) << 31 | (value >> 3 & 3) << 22 | (root >> 12 & vmm_low_mask(22));
    return mode << 60 | (value >> 3 & 3) << 44 | (root >> 12 & vmm_low_mask(44));
}

#define FUZZ_SET(NAME)                                                                                                 \
    static void NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        switch (which) {                                                                                               \
        case 0: (void)NAME##_set_privilege(m, (unsigned)value & 3); break;                                             \
        case 1: (void)NAME##_set_mstatus(m, value << 11); break;                                                       \
        case 2: (void)NAME##_set_mstatus(m, value); break;                                                             \
        case 3: NAME##_set_menvcfg(m, value << 56); break;                                                             \
        case 4: (void)NAME##_set_features(m, (unsigned)value & 63); break;                                             \
        case 5: NAME##_set_virtual(m, value & 1); break;                                                               \
        case 6: (void)NAME##_set_vsatp(m, fuzz_satp(value, root)); break;                                              \
        case 7: (void)NAME##_set_hgatp(m, fuzz_satp(value, root)); break;                                              \
        case 8: NAME##_set_vsstatus(m, value << 11); break;                                                            \
        case 9: NAME##_set_hstatus(m, value); break;                                                                   \
        case 10: NAME##_set_henvcfg(m, value << 56); break;                                                            \
        case 11: (void)NAME##_set_hlv(m, (unsigned)value & 3); break;                                                  \
        default: (void)NAME##_set_satp(m, fuzz_satp(value, root)); break;                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_forget(unsigned which, uint64_t a, uint64_t b)                                                  \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        const uint16_t id = (uint16_t)b & 3;                                                                           \
        switch (which & 7) {                                                                                           \
        case 0: NAME##_flush_asid(m, id); break;                                                                       \
        case 1: NAME##_flush_page_asid(m, a, id); break;                                                               \
        case 2: NAME##_hfence_vvma(m, &a, &id); break;                                                                 \
        case 3: NAME##_hfence_vvma(m, NULL, b & 4 ? &id : NULL); break;                                                \
        case 4: NAME##_hfence_gvma(m, &a, &id); break;                                                                 \
        default: NAME##_hfence_gvma(m, NULL, b & 4 ? &id : NULL); break;                                               \
        }                                                                                                              \
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

#define FUZZ_RAM 0x10000u
#include "fuzz.h"

static const fuzz_target_t fuzz_target = {
    {&fast_cpu, &tlb_cpu, &detect_cpu}, &FUZZ_MODES, FUZZ_RAM, fuzz_set, fuzz_forget, fuzz_copy, NULL, NULL, false};

#endif /* FUZZ_RISCV_H */
