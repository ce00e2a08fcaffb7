/* The MMU on AArch64 4K tables against the hand-written limit: EL0, hardware marks, one half. */
#define OUR(name) arm64_##name
#define ROW(name) "mmu.arm64." name
#define LIMIT_LEVELS 4
#define LIMIT_IS_POINTER(pte) (((pte) & (UINT64_C(0x7800000000000000) | 3)) == 3)
#define LIMIT_ADDRESS(pte) ((pte)&UINT64_C(0x0000fffffffff000))
#define LIMIT_LOAD_MASK 0x443 /* valid page, AP[1], AF */
#define LIMIT_LOAD_WANT 0x443
#define LIMIT_STORE_MASK 0x4c3 /* and AP[2] clear */
#define LIMIT_STORE_WANT 0x443
#define LIMIT_CODE(pte, write) ((write) ? 0x47 : 0x07)
#include "bench.h"
#include "vmm.h"
VMM_MMU(arm64, VMM_ARM64)
#include "mmu_limit.h"

int main(void)
{
    vmm_tables_t tables;
    limit_set_up(&tables, RIGHTS | VMM_U | VMM_NO_HUGE);
    arm64_set_ttbr0(&mmu, tables.root);
    arm64_set_tcr(&mmu, 16 | 1 << 23 | UINT64_C(5) << 32 | UINT64_C(3) << 39); /* T0SZ 16, EPD1, 48-bit PA, HA, HD */
    arm64_set_sctlr(&mmu, 1);
    if (arm64_set_el(&mmu, 0)) return 1;
    bench_head("MMU: AArch64 4K, EL0, front of 256 slots, walk cache of 64; nanoseconds an operation");
    limit_rows();
    return 0;
}
