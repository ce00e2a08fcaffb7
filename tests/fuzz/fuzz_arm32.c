/* fuzz_arm32.c - a hostile guest on ARMv7-A: sections, supersections, large and small pages, domains, both tables. */
#define FUZZ_ENTER(NAME, m, root) NAME##_set_ttbr0(m, root)

#define VMM_IMPLEMENTATION
#include "../helper_cpus.h"

HELPER_CPU(fast, 2, FUZZ_ENTER, VMM_ARCH_ARM32, VMM_STAGES_FAST)
HELPER_CPU(tlb, 2, FUZZ_ENTER, VMM_ARCH_ARM32, 16, 3, 8, 2, 4, 2, VMM_PLRU, 0)
HELPER_CPU(detect, 2, FUZZ_ENTER, VMM_ARCH_ARM32, 16, 4, 8, 1, 2, 2, VMM_LRU, 1)

#include "fuzz.h"

/* SCTLR with the MMU on; WXN, UWXN, TRE and AFE by the value. */
static uint32_t fuzz_sctlr(uint64_t value)
{
    return 1u |
           (uint32_t)((value & 1) << 29 | (value >> 1 & 1) << 19 | (value >> 2 & 1) << 20 | (value >> 3 & 1) << 28);
}

#define FUZZ_SET(NAME)                                                                                                 \
    static void NAME##_set(unsigned which, uint64_t value, vmm_paddr_t root)                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = &NAME##_mmus[0];                                                                             \
        switch (which) {                                                                                               \
        case 0: NAME##_set_sctlr(m, value); break;                                                                     \
        case 1: NAME##_set_sctlr(m, fuzz_sctlr(value)); break;                                                         \
        case 2: (void)NAME##_set_ttbcr(m, (uint32_t)value); break;                                                     \
        case 3: (void)NAME##_set_ttbcr(m, (uint32_t)value & 7); break;                                                 \
        case 4: (void)NAME##_set_pl(m, (unsigned)value & 3); break;                                                    \
        case 5: NAME##_set_unprivileged(m, value & 1); break;                                                          \
        case 6: (void)NAME##_set_features(m, (unsigned)value & 3); break;                                              \
        case 7: NAME##_set_contextidr(m, (uint32_t)value & 3); break;                                                  \
        case 8: NAME##_set_contextidr(m, (uint32_t)value); break;                                                      \
        case 9: NAME##_set_dacr(m, (uint32_t)value); break;                                                            \
        case 10: NAME##_set_dacr(m, UINT32_C(0x55555555) ^ (uint32_t)value); break;                                    \
        case 11: NAME##_set_ttbr1(m, root | (value & 0x7f)); break;                                                    \
        case 12: NAME##_set_ttbr1(m, value); break;                                                                    \
        case 13: NAME##_set_ttbr0(m, value); break;                                                                    \
        default: /* all that a guest needs */                                                                          \
            NAME##_set_sctlr(m, fuzz_sctlr(value));                                                                    \
            NAME##_set_dacr(m, value & 16 ? UINT32_C(0x55555555) : UINT32_C(0x7d5d7555));                              \
            NAME##_set_ttbr0(m, root);                                                                                 \
            if (value & 32) (void)NAME##_set_ttbcr(m, (uint32_t)value >> 6 & 3);                                       \
            break;                                                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void NAME##_forget(unsigned which, uint64_t a, uint64_t b)                                                  \
    {                                                                                                                  \
        (void)NAME##_tlbi(&NAME##_mmus[0], which & 7, (a & 0xfffff000) | (b & 3));                                     \
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

/* An entry of the first level: a pointer to a table of 1 KiB, a section, or a supersection; attributes are any. */
static uint32_t fuzz_first(uint64_t how, vmm_paddr_t paddr)
{
    const uint32_t bits = (uint32_t)take(3) & 0xfffff;
    if (how & 1) return (uint32_t)(paddr & 0xfffff000) | (uint32_t)(how >> 4 & 3) << 10 | (bits & 0x3fc) | 1u;
    if (how & 8)
        return (uint32_t)(paddr & 0xff000000) | (uint32_t)(paddr >> 32 & 15) << 20 | (uint32_t)(paddr >> 36 & 15) << 5 |
               0x40000u | (bits & 0xbfe1d) | 2u;
    return (uint32_t)(paddr & 0xfff00000) | (bits & 0xbffff) | 2u;
}

/* One of the second level: a large or a small page. */
static uint32_t fuzz_second(uint64_t how, vmm_paddr_t paddr)
{
    const uint32_t bits = (uint32_t)take(2);
    return how & 1 ? (uint32_t)(paddr & 0xffff0000) | (bits & 0xfffc) | 1u
                   : (uint32_t)(paddr & 0xfffff000) | (bits & 0xffd) | 2u;
}

/* What leads from a table in force to two pages. */
static void fuzz_lead(unsigned cpu)
{
    const vmm_arm32_t *r = cpu == 0   ? &fast_mmus[0].registers
                           : cpu == 1 ? &tlb_mmus[0].registers
                                      : &detect_mmus[0].registers;
    const uint64_t va = take_vaddr() & 0xffffffff, how = take(1);
    const unsigned n = r->ttbcr & 7, upper = va >> (32 - n) != 0;
    const vmm_paddr_t root = r->ttbr[upper] & ~vmm_low_mask(upper ? 14 : 14 - n);
    const vmm_paddr_t table = z.memory.base + take(1) % z.pages * 0x1000 + (how >> 4 & 3) * 0x400;
    uint8_t *first = (uint8_t *)vmm_mem_host(&z.memory, root + (va >> 20) * 4, 4);
    uint8_t *second = (uint8_t *)vmm_mem_host(&z.memory, table + (va >> 12 & 0xfe) * 4, 8);
    if (!first || !second) return;
    vmm_put(first, fuzz_first(how | 1, table), 4);
    vmm_put(second, fuzz_second(0, take_paddr()), 4);
    vmm_put(second + 4, fuzz_second(how >> 1 & how, take_paddr()), 4);
}

static void fuzz_put(unsigned cpu)
{
    const uint64_t page = take(1) % z.pages, how = take(1), where = take(1), turned = take(1);
    const vmm_paddr_t paddr = take_paddr();
    uint64_t at = page * 0x1000 + (where & 3) * 0x400; /* the second level's table of 256 entries */
    uint32_t pte;
    if (how & 0x80) {
        fuzz_lead(cpu);
        return;
    }
    if (how & 2) {
        at = (page & ~UINT64_C(3)) * 0x1000 + (where & 0x1c ? where & 3 : (where & 0x20 ? 0xfffu : 0x400u)) * 4;
        pte = fuzz_first(how >> 2, paddr);
    } else {
        at += (where & 0x1c ? where >> 5 & 3 : 0xffu) * 4;
        pte = fuzz_second(how >> 2, paddr);
    }
    if (turned < 32) pte ^= UINT32_C(1) << turned;
    vmm_put((uint8_t *)z.memory.ram + at, turned == 255 ? take(4) : pte, 4);
}

static const fuzz_target_t fuzz_target = {{&fast_cpu, &tlb_cpu, &detect_cpu},
                                          &vmm_arch_arm32,
                                          0x10000,
                                          fuzz_set,
                                          fuzz_forget,
                                          fuzz_copy,
                                          fuzz_put,
                                          NULL,
                                          false};
