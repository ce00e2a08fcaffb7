/* two_mmus.c - two machines in one file: a RISC-V hart and a 32-bit processor of the textbooks, each
 * with tables, TLB and address space of its own, sharing one piece of physical memory. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

static const vmm_arch_t textbook = VMM_ARCH_OF(vmm_two_level);

VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(tb, VMM_ARCH_PLAIN(textbook), VMM_STAGES_TLB(16, 4, VMM_PLRU))

static uint64_t ram[1 << 18]; /* 2 MiB, from physical 0 */
static uint8_t side[VMM_FRAMES_BYTES(512)];
static rv_mmu_t hart;
static tb_mmu_t cpu;

static int failed(const char *what, vmm_status_t status)
{
    if (status) printf("%s: %s\n", what, vmm_status_text(status));
    return status != VMM_OK;
}

int main(void)
{
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t sv48 = {&memory, 0, 1, vmm_frames_take, vmm_frames_give, &frames, rv_flush_told, &hart};
    vmm_tables_t two = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, tb_flush_told, &cpu};
    vmm_paddr_t shared = 0;
    uint32_t seen = 0;

    if (failed("frames", vmm_frames_init(&frames, 0, 12, 512, side, sizeof side)) ||
        failed("hart", rv_init(&hart, &memory)) || failed("cpu", tb_init(&cpu, &memory)) ||
        failed("Sv48 root", rv_create(&sv48)) || failed("two-level root", tb_create(&two)) ||
        failed("shared frame", vmm_frames_alloc(&frames, 0, &shared)) ||
        failed("rv_map", rv_map(&sv48, 0x7fff00000000, shared, 4096, VMM_R | VMM_W)) ||
        failed("tb_map", tb_map(&two, 0x08048000, shared, 4096, VMM_R | VMM_X)) ||
        failed("satp", rv_set_satp(&hart, UINT64_C(9) << 60 | sv48.root >> 12)) ||
        failed("root", tb_set_root(&cpu, two.root, 1)))
        return 1;

    rv_store32(&hart, 0x7fff00000010, 0xcafe);
    tb_load32(&cpu, 0x08048010, &seen);
    printf("the hart stored 0xcafe, the other processor loads 0x%x\n", (unsigned)seen);
    if (tb_store32(&cpu, 0x08048010, 1) == VMM_FAULT)
        printf("and may not write there: %s\n", vmm_rule_text(cpu.fault.rule));
    rv_explain(&hart, 0x7fff00000010, stdout);
    tb_explain(&cpu, 0x08048010, stdout);
    return seen == 0xcafe ? 0 : 1;
}
