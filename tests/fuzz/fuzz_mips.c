/* fuzz_mips.c - a hostile guest on MIPS32, which writes entries of its TLB: of any size, overlapping, of any space. */
#define FUZZ_ENTER(NAME, m, root) ((void)(m), (void)(root))

#define VMM_IMPLEMENTATION
#include "../helper_cpus.h"

HELPER_CPU(fast, 2, FUZZ_ENTER, VMM_ARCH_MIPS32, VMM_STAGES_FAST)
HELPER_CPU(tlb, 2, FUZZ_ENTER, VMM_ARCH_MIPS32, 16, 3, 8, 2, 4, 2, VMM_PLRU, 0)
HELPER_CPU(detect, 2, FUZZ_ENTER, VMM_ARCH_MIPS32, 16, 4, 8, 1, 2, 2, VMM_LRU, 1)

#include "fuzz.h"

static const uint8_t fuzz_registers[8] = {0, 2, 3, 4, 5, 6, 10, 8};
static const uint8_t fuzz_entries[8] = {1, 2, 3, 5, 16, 48, 64, 65};

/* Whatever is written, numbers of entries stay inside the TLB. */
static void fuzz_check_registers(const vmm_mips_t *r)
{
    FUZZ_ASSERT(r->entries >= 1 && r->entries <= VMM_MIPS_ENTRIES);
    FUZZ_ASSERT((r->index & 0x3f) < r->entries && r->wired <= r->random && r->random < r->entries);
}

#define FUZZ_SET(NAME)                                                                                                 \
    static void NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        uint32_t read;                                                                                                 \
        switch (which) {                                                                                               \
        case 0: (void)NAME##_set_entries(m, fuzz_entries[value & 7]); break;                                           \
        case 1: (void)NAME##_set_entries(m, (unsigned)value); break;                                                   \
        case 2:                                                                                                        \
        case 3: (void)NAME##_set_mode(m, (unsigned)value & 3, (value & 12) == 12); break;                              \
        case 4: (void)NAME##_mtc0(m, 5, 1, (uint32_t)value << 27); break;                                              \
        case 5: (void)NAME##_mtc0(m, (unsigned)value & 31, (unsigned)value >> 5 & 3, (uint32_t)(value >> 7)); break;   \
        case 6: (void)NAME##_mtc0(m, fuzz_registers[value & 7], 0, (uint32_t)(value >> 3)); break;                     \
        case 7: (void)NAME##_mtc0(m, 6, 0, (uint32_t)value & 7); break;                                                \
        case 8: NAME##_tlbp(m); break;                                                                                 \
        case 9: (void)NAME##_tlbr(m); break;                                                                           \
        case 10: (void)NAME##_tlbwi(m); break;                                                                         \
        case 11: NAME##_tlbwr(m); break;                                                                               \
        case 12: (void)NAME##_mfc0(m, (unsigned)value & 31, (unsigned)value >> 5 & 3, &read); break;                   \
        case 13: (void)NAME##_mtc0(m, 2 + (value & 1), 0, (uint32_t)(root >> 6) | (uint32_t)value); break;             \
        default: (void)NAME##_mtc0(m, 10, 0, (m->registers.entryhi & 0xffffff00) | (value & 3)); break;                \
        }                                                                                                              \
        fuzz_check_registers(&m->registers);                                                                           \
    }                                                                                                                  \
    static void NAME##_forget(unsigned which, uint64_t a, uint64_t b)                                                  \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        if (which & 1) NAME##_flush_asid(m, (uint16_t)b & 3);                                                          \
        else NAME##_flush_page_asid(m, a, (uint16_t)b & 3);                                                            \
    }                                                                                                                  \
    static void NAME##_put(const uint32_t *value, int at)                                                              \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        const uint32_t was = m->registers.entryhi;                                                                     \
        (void)NAME##_mtc0(m, 10, 0, value[0]);                                                                         \
        (void)NAME##_mtc0(m, 5, 0, value[1]);                                                                          \
        (void)NAME##_mtc0(m, 2, 0, value[2]);                                                                          \
        (void)NAME##_mtc0(m, 3, 0, value[3]);                                                                          \
        if (at >= 0) (void)NAME##_mtc0(m, 0, 0, (uint32_t)at);                                                         \
        if (at >= 0) (void)NAME##_tlbwi(m);                                                                            \
        else NAME##_tlbwr(m);                                                                                          \
        if (at & 1) (void)NAME##_mtc0(m, 10, 0, was); /* at times the new entry's space is the present one */          \
        fuzz_check_registers(&m->registers);                                                                           \
    }                                                                                                                  \
    static uint64_t NAME##_left(void)                                                                                  \
    {                                                                                                                  \
        const vmm_mips_t *r = &NAME##_mmus[0].registers;                                                               \
        return r->badvaddr ^ (uint64_t)r->context << 32 ^ (uint64_t)r->entryhi << 16;                                  \
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

/* EntryLo of a page of a size, mostly where it fits; V and D mostly. */
static uint32_t fuzz_lo(uint32_t mask)
{
    const uint64_t how = take(1);
    vmm_paddr_t paddr = take_paddr();
    if (how & 8) paddr &= ~(vmm_paddr_t)mask;
    return (uint32_t)((paddr >> 12 & vmm_low_mask(24)) << 6) | (uint32_t)(how & 0x30) | (how & 7 ? 2u : 0) |
           (how & 0xc0 ? 4u : 0) | (how & 1) | (uint32_t)(how == 0x4f) << 30 | (uint32_t)(how == 0x8f) << 31;
}

static void fuzz_put(unsigned cpu)
{
    const uint64_t how = take(1), where = take(1);
    const unsigned pairs = how & 1 ? 0 : (unsigned)(how >> 1 & 15) % 9;
    const uint32_t mask = ((UINT32_C(1) << (2 * pairs)) - 1) << 13;
    const uint32_t hi = (uint32_t)(take_vaddr() & 0xffffe000) | (uint32_t)(how >> 5 & 3) | (how == 0xff ? 0x400u : 0);
    const uint32_t lo0 = fuzz_lo(mask), value[4] = {hi, mask, lo0, where & 64 ? lo0 : fuzz_lo(mask)};
    const int at = where & 32 ? -1 : (int)(where & 31);
    if (cpu == 0) fast_put(value, at);
    else if (cpu == 1) tlb_put(value, at);
    else detect_put(value, at);
}

static uint64_t fuzz_left(unsigned cpu)
{
    return cpu == 0 ? fast_left() : cpu == 1 ? tlb_left() : detect_left();
}

static const fuzz_target_t fuzz_target = {{&fast_cpu, &tlb_cpu, &detect_cpu},
                                          &vmm_arch_mips32,
                                          0x10000,
                                          fuzz_set,
                                          fuzz_forget,
                                          fuzz_copy,
                                          fuzz_put,
                                          fuzz_left,
                                          true};
