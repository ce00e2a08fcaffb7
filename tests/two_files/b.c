/* b.c - the second file: the same options, no implementation, another MMU named `same`. */
#include "shared.h"

VMM_MMU(same, VMM_ARCH_RISCV64, VMM_STAGES(16, 2, 4, 8, 2, VMM_FIFO))

vmm_status_t b_store(vmm_vaddr_t va, uint32_t value)
{
    return vmm_store32(&shared_mmu, va, value);
}

void b_flush(void)
{
    vmm_flush_all(&shared_mmu);
}

size_t b_size(void)
{
    return sizeof(vmm_mmu_t);
}

const char *b_rule_text(unsigned rule)
{
    return vmm_rule_text(rule);
}

unsigned b_same_page_shift(void)
{
    return same_model.arch->format[0]->page_shift;
}

size_t b_same_size(void)
{
    return sizeof(same_mmu_t);
}

vmm_status_t b_same_load(vmm_vaddr_t va, uint32_t *value)
{
    static uint8_t ram[4096] __attribute__((aligned(8)));
    static same_mmu_t mmu;
    const vmm_memory_t memory = {ram, 0x80000000u, sizeof ram, {NULL, NULL, NULL}, 0};
    unsigned i;
    for (i = 0; i < sizeof ram; i++) ram[i] = (uint8_t)i;
    if (same_init(&mmu, &memory) != VMM_OK) return VMM_E_ARGUMENT;
    return same_load32(&mmu, va, value); /* satp is 0: the address is physical */
}
