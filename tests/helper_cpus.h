/* helper_cpus.h - instances of any architecture and any stages behind one table of functions, in the mode that most
 * tests want: translation on, supervisor, marks set by hardware; four or three levels of 4 KiB pages. */
#ifndef HELPER_CPUS_H
#define HELPER_CPUS_H

#include "helper.h"
#include "vmm.h"

/* How a store is made. */
enum helper_how {
    HELPER_STORE,
    HELPER_BIG_ENDIAN,
    HELPER_CAS,
    HELPER_SC,
    HELPER_BLOCK,
    HELPER_HOWS
};

typedef struct helper_cpu {
    const char *name;
    size_t bytes; /* of an MMU */
    void *(*at)(unsigned i);
    vmm_status_t (*init)(void *mmu, const vmm_memory_t *memory);
    void (*enter)(void *mmu, vmm_paddr_t root);
    vmm_status_t (*load)(void *mmu, unsigned access, vmm_vaddr_t va, unsigned bytes, uint64_t *value);
    vmm_status_t (*store)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value);
    vmm_status_t (*load_be)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t *value);
    vmm_status_t (*store_be)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value);
    vmm_status_t (*block)(void *mmu, unsigned access, vmm_vaddr_t va, void *data, size_t bytes);
    vmm_status_t (*cas)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t expected, uint64_t desired,
                        uint64_t *found);
    vmm_status_t (*lr)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t *value);
    vmm_status_t (*sc)(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value, bool *done);
    vmm_status_t (*translate)(void *mmu, vmm_vaddr_t va, unsigned access, vmm_translation_t *t);
    void (*examine)(void *mmu, vmm_vaddr_t va, unsigned access, vmm_examination_t *x);
    bool (*kept)(void *mmu, unsigned access, vmm_vaddr_t va); /* does the front hit? */
    void (*flush_all)(void *mmu);
    void (*flush_page)(void *mmu, vmm_vaddr_t va);
    void (*flush_stores)(void *mmu);
    void (*flush_told)(void *mmu, const vmm_flush_t *what);
    void (*set_track)(void *mmu, vmm_track_t *track);
    vmm_status_t (*track_code)(void *mmu, vmm_paddr_t paddr);
    vmm_status_t (*watch)(void *mmu, vmm_vaddr_t va, uint64_t bytes, uint32_t accesses);
    vmm_status_t (*unwatch)(void *mmu, vmm_vaddr_t va, uint64_t bytes);
    void (*set_check)(void *mmu, vmm_check_t check, void *user);
    void (*set_stale_hook)(void *mmu, vmm_stale_hook_t hook, void *user);
    uint32_t (*ask)(void *mmu, const vmm_request_t *what);
    void (*answer)(void *mmu);
    bool (*answered)(void *mmu, uint32_t ticket);
    void (*snapshot)(const void *mmu, void *to);
    void (*restore)(void *mmu, const void *from);
    const vmm_fault_t *(*fault)(void *mmu);
    vmm_stats_t *(*stats)(void *mmu);
    vmm_status_t (*create)(vmm_tables_t *tables);
    vmm_status_t (*map)(vmm_tables_t *tables, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes, uint32_t flags);
    vmm_status_t (*unmap)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes);
    vmm_status_t (*protect)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint32_t flags);
    vmm_status_t (*query)(const vmm_tables_t *tables, vmm_vaddr_t va, vmm_mapping_t *mapping);
    vmm_status_t (*visit)(const vmm_tables_t *tables, vmm_visitor_t visitor, void *user);
    vmm_status_t (*merge)(vmm_tables_t *tables, vmm_vaddr_t va, uint64_t bytes, uint64_t *merged);
} helper_cpu_t;

/* Every kind of access of one width. */
#define HELPER_CPU_WIDTH(NAME, bits)                                                                                   \
    static vmm_status_t NAME##_load_of##bits(void *mmu, unsigned access, vmm_vaddr_t va, uint64_t *data)               \
    {                                                                                                                  \
        uint##bits##_t value = (uint##bits##_t) * data;                                                                \
        const vmm_status_t status = access == VMM_FETCH ? NAME##_fetch##bits((NAME##_mmu_t *)mmu, va, &value)          \
                                                        : NAME##_load##bits((NAME##_mmu_t *)mmu, va, &value);          \
        *data = status == VMM_OK ? value : *data;                                                                      \
        return status;                                                                                                 \
    }                                                                                                                  \
    static vmm_status_t NAME##_cas_of##bits(void *mmu, vmm_vaddr_t va, uint64_t expected, uint64_t desired,            \
                                            uint64_t *found)                                                           \
    {                                                                                                                  \
        uint##bits##_t value = 0;                                                                                      \
        const vmm_status_t status =                                                                                    \
            NAME##_cas##bits((NAME##_mmu_t *)mmu, va, (uint##bits##_t)expected, (uint##bits##_t)desired, &value);      \
        *found = value;                                                                                                \
        return status;                                                                                                 \
    }                                                                                                                  \
    static vmm_status_t NAME##_lr_of##bits(void *mmu, vmm_vaddr_t va, uint64_t *data)                                  \
    {                                                                                                                  \
        uint##bits##_t value = 0;                                                                                      \
        const vmm_status_t status = NAME##_lr##bits((NAME##_mmu_t *)mmu, va, &value);                                  \
        *data = value;                                                                                                 \
        return status;                                                                                                 \
    }
#define HELPER_CPU_BE(NAME, bits)                                                                                      \
    static vmm_status_t NAME##_load_be_of##bits(void *mmu, vmm_vaddr_t va, uint64_t *data)                             \
    {                                                                                                                  \
        uint##bits##_t value = 0;                                                                                      \
        const vmm_status_t status = NAME##_load##bits##_be((NAME##_mmu_t *)mmu, va, &value);                           \
        *data = value;                                                                                                 \
        return status;                                                                                                 \
    }

/* A choice among the widths. */
#define HELPER_CPU_CHOOSE(bytes, call8, call16, call32, call64)                                                        \
    ((bytes) == 1 ? (call8) : (bytes) == 2 ? (call16) : (bytes) == 4 ? (call32) : (call64))

#define HELPER_CPU_ACCESS(NAME)                                                                                        \
    HELPER_CPU_WIDTH(NAME, 8)                                                                                          \
    HELPER_CPU_WIDTH(NAME, 16)                                                                                         \
    HELPER_CPU_WIDTH(NAME, 32)                                                                                         \
    HELPER_CPU_WIDTH(NAME, 64)                                                                                         \
    HELPER_CPU_BE(NAME, 16)                                                                                            \
    HELPER_CPU_BE(NAME, 32)                                                                                            \
    HELPER_CPU_BE(NAME, 64)                                                                                            \
    static vmm_status_t NAME##_of_load(void *mmu, unsigned access, vmm_vaddr_t va, unsigned bytes, uint64_t *value)    \
    {                                                                                                                  \
        return HELPER_CPU_CHOOSE(bytes, NAME##_load_of8(mmu, access, va, value),                                       \
                                 NAME##_load_of16(mmu, access, va, value), NAME##_load_of32(mmu, access, va, value),   \
                                 NAME##_load_of64(mmu, access, va, value));                                            \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_store(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value)                     \
    {                                                                                                                  \
        NAME##_mmu_t *m = (NAME##_mmu_t *)mmu;                                                                         \
        return HELPER_CPU_CHOOSE(bytes, NAME##_store8(m, va, (uint8_t)value), NAME##_store16(m, va, (uint16_t)value),  \
                                 NAME##_store32(m, va, (uint32_t)value), NAME##_store64(m, va, value));                \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_load_be(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t *value)                  \
    {                                                                                                                  \
        return HELPER_CPU_CHOOSE(bytes, NAME##_load_of8(mmu, VMM_READ, va, value),                                     \
                                 NAME##_load_be_of16(mmu, va, value), NAME##_load_be_of32(mmu, va, value),             \
                                 NAME##_load_be_of64(mmu, va, value));                                                 \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_store_be(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value)                  \
    {                                                                                                                  \
        NAME##_mmu_t *m = (NAME##_mmu_t *)mmu;                                                                         \
        return HELPER_CPU_CHOOSE(bytes, NAME##_store8(m, va, (uint8_t)value),                                          \
                                 NAME##_store16_be(m, va, (uint16_t)value), NAME##_store32_be(m, va, (uint32_t)value), \
                                 NAME##_store64_be(m, va, value));                                                     \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_cas(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t expected, uint64_t desired,  \
                                      uint64_t *found)                                                                 \
    {                                                                                                                  \
        return HELPER_CPU_CHOOSE(bytes, NAME##_cas_of8(mmu, va, expected, desired, found),                             \
                                 NAME##_cas_of16(mmu, va, expected, desired, found),                                   \
                                 NAME##_cas_of32(mmu, va, expected, desired, found),                                   \
                                 NAME##_cas_of64(mmu, va, expected, desired, found));                                  \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_lr(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t *value)                       \
    {                                                                                                                  \
        return HELPER_CPU_CHOOSE(bytes, NAME##_lr_of8(mmu, va, value), NAME##_lr_of16(mmu, va, value),                 \
                                 NAME##_lr_of32(mmu, va, value), NAME##_lr_of64(mmu, va, value));                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_sc(void *mmu, vmm_vaddr_t va, unsigned bytes, uint64_t value, bool *done)            \
    {                                                                                                                  \
        NAME##_mmu_t *m = (NAME##_mmu_t *)mmu;                                                                         \
        return HELPER_CPU_CHOOSE(bytes, NAME##_sc8(m, va, (uint8_t)value, done),                                       \
                                 NAME##_sc16(m, va, (uint16_t)value, done), NAME##_sc32(m, va, (uint32_t)value, done), \
                                 NAME##_sc64(m, va, value, done));                                                     \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_block(void *mmu, unsigned access, vmm_vaddr_t va, void *data, size_t bytes)          \
    {                                                                                                                  \
        return access == VMM_WRITE ? NAME##_write((NAME##_mmu_t *)mmu, va, data, bytes)                                \
                                   : NAME##_read((NAME##_mmu_t *)mmu, va, data, bytes);                                \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_translate(void *mmu, vmm_vaddr_t va, unsigned access, vmm_translation_t *t)          \
    {                                                                                                                  \
        return NAME##_translate((NAME##_mmu_t *)mmu, va, access, t);                                                   \
    }

#define HELPER_CPU_REST(NAME)                                                                                          \
    static void NAME##_of_examine(void *mmu, vmm_vaddr_t va, unsigned access, vmm_examination_t *x)                    \
    {                                                                                                                  \
        NAME##_examine((NAME##_mmu_t *)mmu, va, access, x);                                                            \
    }                                                                                                                  \
    static bool NAME##_of_kept(void *mmu, unsigned access, vmm_vaddr_t va)                                             \
    {                                                                                                                  \
        const vmm_ref_t u = NAME##_parts((NAME##_mmu_t *)mmu);                                                         \
        if (!NAME##_model.front_slots) return false;                                                                   \
        return va + vmm_front_slot_of(u, access, va)->bias <= u.state->gate[access].limit;                             \
    }                                                                                                                  \
    static void NAME##_of_flush_all(void *mmu)                                                                         \
    {                                                                                                                  \
        NAME##_flush_all((NAME##_mmu_t *)mmu);                                                                         \
    }                                                                                                                  \
    static void NAME##_of_flush_page(void *mmu, vmm_vaddr_t va)                                                        \
    {                                                                                                                  \
        NAME##_flush_page((NAME##_mmu_t *)mmu, va);                                                                    \
    }                                                                                                                  \
    static void NAME##_of_flush_stores(void *mmu)                                                                      \
    {                                                                                                                  \
        NAME##_flush_stores((NAME##_mmu_t *)mmu);                                                                      \
    }                                                                                                                  \
    static void NAME##_of_set_track(void *mmu, vmm_track_t *track)                                                     \
    {                                                                                                                  \
        NAME##_set_track((NAME##_mmu_t *)mmu, track);                                                                  \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_track_code(void *mmu, vmm_paddr_t paddr)                                             \
    {                                                                                                                  \
        return NAME##_track_code((NAME##_mmu_t *)mmu, paddr);                                                          \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_watch(void *mmu, vmm_vaddr_t va, uint64_t bytes, uint32_t accesses)                  \
    {                                                                                                                  \
        return NAME##_watch((NAME##_mmu_t *)mmu, va, bytes, accesses);                                                 \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_unwatch(void *mmu, vmm_vaddr_t va, uint64_t bytes)                                   \
    {                                                                                                                  \
        return NAME##_unwatch((NAME##_mmu_t *)mmu, va, bytes);                                                         \
    }                                                                                                                  \
    static void NAME##_of_set_check(void *mmu, vmm_check_t check, void *user)                                          \
    {                                                                                                                  \
        NAME##_set_check((NAME##_mmu_t *)mmu, check, user);                                                            \
    }                                                                                                                  \
    static void NAME##_of_set_stale_hook(void *mmu, vmm_stale_hook_t hook, void *user)                                 \
    {                                                                                                                  \
        NAME##_set_stale_hook((NAME##_mmu_t *)mmu, hook, user);                                                        \
    }                                                                                                                  \
    static uint32_t NAME##_of_ask(void *mmu, const vmm_request_t *what)                                                \
    {                                                                                                                  \
        return NAME##_ask((NAME##_mmu_t *)mmu, what);                                                                  \
    }                                                                                                                  \
    static void NAME##_of_answer(void *mmu)                                                                            \
    {                                                                                                                  \
        NAME##_answer((NAME##_mmu_t *)mmu);                                                                            \
    }                                                                                                                  \
    static bool NAME##_of_answered(void *mmu, uint32_t ticket)                                                         \
    {                                                                                                                  \
        return NAME##_answered((NAME##_mmu_t *)mmu, ticket);                                                           \
    }                                                                                                                  \
    static void NAME##_of_snapshot(const void *mmu, void *to)                                                          \
    {                                                                                                                  \
        NAME##_snapshot((const NAME##_mmu_t *)mmu, (NAME##_mmu_t *)to);                                                \
    }                                                                                                                  \
    static void NAME##_of_restore(void *mmu, const void *from)                                                         \
    {                                                                                                                  \
        NAME##_restore((NAME##_mmu_t *)mmu, (const NAME##_mmu_t *)from);                                               \
    }                                                                                                                  \
    static const vmm_fault_t *NAME##_of_fault(void *mmu)                                                               \
    {                                                                                                                  \
        return &((NAME##_mmu_t *)mmu)->fault;                                                                          \
    }                                                                                                                  \
    static vmm_stats_t *NAME##_of_stats(void *mmu)                                                                     \
    {                                                                                                                  \
        return &((NAME##_mmu_t *)mmu)->stats;                                                                          \
    }

/* Stamps an MMU, `count` instances of it, and its table NAME_cpu. ENTER is HELPER_ENTER_ of its registers. */
#define HELPER_CPU(NAME, count, ENTER, ...)                                                                            \
    VMM_MMU(NAME, __VA_ARGS__)                                                                                         \
    static NAME##_mmu_t NAME##_mmus[count];                                                                            \
    HELPER_CPU_ACCESS(NAME)                                                                                            \
    HELPER_CPU_REST(NAME)                                                                                              \
    static void *NAME##_of_at(unsigned i)                                                                              \
    {                                                                                                                  \
        return &NAME##_mmus[i];                                                                                        \
    }                                                                                                                  \
    static vmm_status_t NAME##_of_init(void *mmu, const vmm_memory_t *memory)                                          \
    {                                                                                                                  \
        return NAME##_init((NAME##_mmu_t *)mmu, memory);                                                               \
    }                                                                                                                  \
    static void NAME##_of_enter(void *mmu, vmm_paddr_t root)                                                           \
    {                                                                                                                  \
        NAME##_mmu_t *m = (NAME##_mmu_t *)mmu;                                                                         \
        ENTER(NAME, m, root);                                                                                          \
    }                                                                                                                  \
    static const helper_cpu_t NAME##_cpu = {#NAME,                                                                     \
                                            sizeof(NAME##_mmu_t),                                                      \
                                            NAME##_of_at,                                                              \
                                            NAME##_of_init,                                                            \
                                            NAME##_of_enter,                                                           \
                                            NAME##_of_load,                                                            \
                                            NAME##_of_store,                                                           \
                                            NAME##_of_load_be,                                                         \
                                            NAME##_of_store_be,                                                        \
                                            NAME##_of_block,                                                           \
                                            NAME##_of_cas,                                                             \
                                            NAME##_of_lr,                                                              \
                                            NAME##_of_sc,                                                              \
                                            NAME##_of_translate,                                                       \
                                            NAME##_of_examine,                                                         \
                                            NAME##_of_kept,                                                            \
                                            NAME##_of_flush_all,                                                       \
                                            NAME##_of_flush_page,                                                      \
                                            NAME##_of_flush_stores,                                                    \
                                            NAME##_flush_told,                                                         \
                                            NAME##_of_set_track,                                                       \
                                            NAME##_of_track_code,                                                      \
                                            NAME##_of_watch,                                                           \
                                            NAME##_of_unwatch,                                                         \
                                            NAME##_of_set_check,                                                       \
                                            NAME##_of_set_stale_hook,                                                  \
                                            NAME##_of_ask,                                                             \
                                            NAME##_of_answer,                                                          \
                                            NAME##_of_answered,                                                        \
                                            NAME##_of_snapshot,                                                        \
                                            NAME##_of_restore,                                                         \
                                            NAME##_of_fault,                                                           \
                                            NAME##_of_stats,                                                           \
                                            NAME##_create,                                                             \
                                            NAME##_map,                                                                \
                                            NAME##_unmap,                                                              \
                                            NAME##_protect,                                                            \
                                            NAME##_query,                                                              \
                                            NAME##_visit,                                                              \
                                            NAME##_merge};

/* Sv39. */
#define HELPER_ENTER_RISCV(NAME, m, root) (void)NAME##_set_satp(m, UINT64_C(8) << 60 | (root) >> 12)
/* Four-level: PAE and PGE; LME and NXE; PE, WP and PG. */
#define HELPER_ENTER_X86(NAME, m, root)                                                                                \
    do {                                                                                                               \
        (void)NAME##_set_cr4(m, 0xa0);                                                                                 \
        (void)NAME##_set_efer(m, 0x900);                                                                               \
        (void)NAME##_set_cr3(m, root);                                                                                 \
        (void)NAME##_set_cr0(m, 0x80010001);                                                                           \
    } while (0)
/* 4K granule, 48 bits in the lower half and nothing in the upper; HA and HD. */
#define HELPER_ENTER_ARM64(NAME, m, root)                                                                              \
    do {                                                                                                               \
        NAME##_set_ttbr0(m, root);                                                                                     \
        NAME##_set_tcr(m, UINT64_C(3) << 39 | UINT64_C(5) << 32 | 1u << 23 | 16u << 16 | 16u);                         \
        NAME##_set_sctlr(m, 1);                                                                                        \
    } while (0)

#endif /* HELPER_CPUS_H */
