/* What `make disasm` compares: a stamped load and the same load written by hand. */
#include <stdint.h>
#include <string.h>

#include "vmm.h"

/* The classical soft TLB: direct-mapped, the tag a page's address, the addend what turns a virtual
 * address into a host one. The low three bits of the address stay in the compare, so that a
 * misaligned access, which might cross a page, misses. */
struct hand_entry {
    uint64_t tag;
    uintptr_t addend;
};

struct hand {
    struct hand_entry entry[256];
};

int hand_load64_slow(struct hand *m, uint64_t va, uint64_t *out);
int hand_load64(struct hand *m, uint64_t va, uint64_t *out);

int hand_load64(struct hand *m, uint64_t va, uint64_t *out)
{
    const struct hand_entry *entry = &m->entry[(va >> 12) & 255];

    if (entry->tag != (va & ~(UINT64_C(0xfff) & ~UINT64_C(7)))) {
        return hand_load64_slow(m, va, out);
    }
    memcpy(out, (const void *)((uintptr_t)va + entry->addend), sizeof *out);
    return 0;
}

VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(x86, VMM_X86)
VMM_MMU(arm64, VMM_ARM64)

vmm_status_t vmm_load64_disasm(rv_mmu_t *m, vmm_vaddr_t va, uint64_t *out);
vmm_status_t vmm_load64_x86(x86_mmu_t *m, vmm_vaddr_t va, uint64_t *out);
vmm_status_t vmm_load64_arm64(arm64_mmu_t *m, vmm_vaddr_t va, uint64_t *out);

vmm_status_t vmm_load64_disasm(rv_mmu_t *m, vmm_vaddr_t va, uint64_t *out)
{
    return rv_load64(m, va, out);
}

vmm_status_t vmm_load64_x86(x86_mmu_t *m, vmm_vaddr_t va, uint64_t *out)
{
    return x86_load64(m, va, out);
}

vmm_status_t vmm_load64_arm64(arm64_mmu_t *m, vmm_vaddr_t va, uint64_t *out)
{
    return arm64_load64(m, va, out);
}
