/* The MMU on x86 four-level tables against the hand-written limit: user mode, NX, write protection, no keys. */
#define OUR(name) x86_##name
#define ROW(name) "mmu.x86." name
#define LIMIT_LEVELS 4
#define LIMIT_IS_POINTER(pte) (((pte) & (UINT64_C(0x800f000000000000) | 0xa7)) == 0x27) /* P, RW, US, A */
#define LIMIT_ADDRESS(pte) ((pte)&UINT64_C(0x000ffffffffff000))
#define LIMIT_LOAD_MASK (UINT64_C(0x000f000000000000) | 0x25) /* P, US, A; nothing reserved */
#define LIMIT_LOAD_WANT 0x25
#define LIMIT_STORE_MASK (UINT64_C(0x000f000000000000) | 0x67)
#define LIMIT_STORE_WANT 0x67
#define LIMIT_CODE(pte, write) (((uint32_t)(pte)&1) | ((write) ? 6 : 4))
#include "bench.h"
#include "vmm.h"
VMM_MMU(x86, VMM_X86)
#include "mmu_limit.h"

int main(void)
{
    vmm_tables_t tables;
    limit_set_up(&tables, RIGHTS | VMM_U | VMM_NO_HUGE);
    if (x86_set_cr4(&mmu, 1 << 5) || x86_set_efer(&mmu, 1 << 8 | 1 << 11) || x86_set_cr3(&mmu, tables.root) ||
        x86_set_cr0(&mmu, UINT64_C(0x80010001)) || x86_set_cpl(&mmu, 3))
        return 1;
    bench_head("MMU: x86 four-level, user mode, front of 256 slots, walk cache of 64; nanoseconds an operation");
    limit_rows();
    return 0;
}
