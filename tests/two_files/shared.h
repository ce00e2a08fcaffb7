/* shared.h - what the two files of one program share: the options, the header, one MMU. */
#ifndef SHARED_H
#define SHARED_H

#define VMM_PAGE_SHIFT 6
#define VMM_VADDR_BITS 14
#define VMM_PADDR_BITS 12
#define VMM_LEVELS 1
#define VMM_PTE_BYTES 2
#define VMM_TLB_SETS 4
#define VMM_TLB_WAYS 4
#define VMM_FRONT_SLOTS 8
#include "vmm.h"

#ifdef __cplusplus
extern "C" {
#endif

extern uint8_t shared_ram[4096];
extern vmm_mmu_t shared_mmu;

/* In b.c, on the shared MMU of the options. */
vmm_status_t b_store(vmm_vaddr_t va, uint32_t value);
void b_flush(void);
size_t b_size(void);
const char *b_rule_text(unsigned rule);

/* In b.c, on its own MMU named `same`: Sv39 with 4 KiB pages and a TLB. */
unsigned b_same_page_shift(void);
size_t b_same_size(void);
vmm_status_t b_same_load(vmm_vaddr_t va, uint32_t *value);

#ifdef __cplusplus
}
#endif
#endif
