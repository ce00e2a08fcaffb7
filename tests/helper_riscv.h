/* helper_riscv.h - RISC-V instances of any stages behind one table of functions, so that a test is
 * written once and runs on all of them. */
#ifndef HELPER_RISCV_H
#define HELPER_RISCV_H

#include "helper.h"
#include "vmm.h"

typedef struct helper_riscv {
    const char *name;
    vmm_status_t (*init)(const vmm_memory_t *memory);
    vmm_status_t (*access)(unsigned access, vmm_vaddr_t va, unsigned bytes, uint64_t *value);
    void (*examine)(vmm_vaddr_t va, unsigned access, vmm_examination_t *x);
    vmm_status_t (*block)(unsigned access, vmm_vaddr_t va, void *data, size_t bytes);
    vmm_status_t (*set_satp)(uint64_t satp);
    vmm_status_t (*set_privilege)(unsigned privilege);
    vmm_status_t (*set_mstatus)(uint64_t mstatus);
    vmm_status_t (*set_features)(unsigned features);
    void (*set_menvcfg)(uint64_t menvcfg);
    void (*flush_all)(void);
    void (*flush_page)(vmm_vaddr_t va);
    void (*flush_asid)(uint16_t asid);
    void (*flush_page_asid)(vmm_vaddr_t va, uint16_t asid);
    const vmm_riscv_t *registers;
    const vmm_fault_t *fault;
    const vmm_stats_t *stats;
} helper_riscv_t;

/* The load, fetch or store of one width. */
#define HELPER_WIDTH(NAME, bits)                                                                                       \
    static vmm_status_t NAME##_width##bits(unsigned access, vmm_vaddr_t va, uint64_t *data)                            \
    {                                                                                                                  \
        uint##bits##_t value = (uint##bits##_t) * data;                                                                \
        vmm_status_t status;                                                                                           \
        if (access == VMM_WRITE) return NAME##_store##bits(&NAME##_hart, va, value);                                   \
        status = access == VMM_FETCH ? NAME##_fetch##bits(&NAME##_hart, va, &value)                                    \
                                     : NAME##_load##bits(&NAME##_hart, va, &value);                                    \
        *data = status == VMM_OK ? value : *data;                                                                      \
        return status;                                                                                                 \
    }

/* Stamps an MMU, an instance of it, and its table NAME_riscv. */
#define HELPER_RISCV(NAME, ...)                                                                                        \
    VMM_MMU(NAME, __VA_ARGS__)                                                                                         \
    static NAME##_mmu_t NAME##_hart;                                                                                   \
    HELPER_WIDTH(NAME, 8)                                                                                              \
    HELPER_WIDTH(NAME, 16)                                                                                             \
    HELPER_WIDTH(NAME, 32)                                                                                             \
    HELPER_WIDTH(NAME, 64)                                                                                             \
    static vmm_status_t NAME##_any(unsigned access, vmm_vaddr_t va, unsigned bytes, uint64_t *data)                    \
    {                                                                                                                  \
        return bytes == 1   ? NAME##_width8(access, va, data)                                                          \
               : bytes == 2 ? NAME##_width16(access, va, data)                                                         \
               : bytes == 4 ? NAME##_width32(access, va, data)                                                         \
                            : NAME##_width64(access, va, data);                                                        \
    }                                                                                                                  \
    static void NAME##_any_examine(vmm_vaddr_t va, unsigned access, vmm_examination_t *x)                              \
    {                                                                                                                  \
        NAME##_examine(&NAME##_hart, va, access, x);                                                                   \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_block(unsigned access, vmm_vaddr_t va, void *data, size_t bytes)                    \
    {                                                                                                                  \
        return access == VMM_WRITE ? NAME##_write(&NAME##_hart, va, data, bytes)                                       \
                                   : NAME##_read(&NAME##_hart, va, data, bytes);                                       \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_init(const vmm_memory_t *memory)                                                    \
    {                                                                                                                  \
        return NAME##_init(&NAME##_hart, memory);                                                                      \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_satp(uint64_t satp)                                                                 \
    {                                                                                                                  \
        return NAME##_set_satp(&NAME##_hart, satp);                                                                    \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_privilege(unsigned p)                                                               \
    {                                                                                                                  \
        return NAME##_set_privilege(&NAME##_hart, p);                                                                  \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_mstatus(uint64_t v)                                                                 \
    {                                                                                                                  \
        return NAME##_set_mstatus(&NAME##_hart, v);                                                                    \
    }                                                                                                                  \
    static vmm_status_t NAME##_any_features(unsigned v)                                                                \
    {                                                                                                                  \
        return NAME##_set_features(&NAME##_hart, v);                                                                   \
    }                                                                                                                  \
    static void NAME##_any_menvcfg(uint64_t v)                                                                         \
    {                                                                                                                  \
        NAME##_set_menvcfg(&NAME##_hart, v);                                                                           \
    }                                                                                                                  \
    static void NAME##_any_flush_all(void)                                                                             \
    {                                                                                                                  \
        NAME##_flush_all(&NAME##_hart);                                                                                \
    }                                                                                                                  \
    static void NAME##_any_flush_page(vmm_vaddr_t va)                                                                  \
    {                                                                                                                  \
        NAME##_flush_page(&NAME##_hart, va);                                                                           \
    }                                                                                                                  \
    static void NAME##_any_flush_asid(uint16_t asid)                                                                   \
    {                                                                                                                  \
        NAME##_flush_asid(&NAME##_hart, asid);                                                                         \
    }                                                                                                                  \
    static void NAME##_any_flush_page_asid(vmm_vaddr_t va, uint16_t asid)                                              \
    {                                                                                                                  \
        NAME##_flush_page_asid(&NAME##_hart, va, asid);                                                                \
    }                                                                                                                  \
    static const helper_riscv_t NAME##_riscv = {#NAME,                                                                 \
                                                NAME##_any_init,                                                       \
                                                NAME##_any,                                                            \
                                                NAME##_any_examine,                                                    \
                                                NAME##_any_block,                                                      \
                                                NAME##_any_satp,                                                       \
                                                NAME##_any_privilege,                                                  \
                                                NAME##_any_mstatus,                                                    \
                                                NAME##_any_features,                                                   \
                                                NAME##_any_menvcfg,                                                    \
                                                NAME##_any_flush_all,                                                  \
                                                NAME##_any_flush_page,                                                 \
                                                NAME##_any_flush_asid,                                                 \
                                                NAME##_any_flush_page_asid,                                            \
                                                &NAME##_hart.registers,                                                \
                                                &NAME##_hart.fault,                                                    \
                                                &NAME##_hart.stats};

#endif /* HELPER_RISCV_H */
