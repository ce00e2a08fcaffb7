/* arch_x86.c - four-level tables, and accesses that end in each way: shown on the page "x86". */
#define VMM_IMPLEMENTATION
#include "vmm.h"

VMM_MMU(x, VMM_X86)

static uint64_t ram[1 << 17];               /* 1 MiB of guest physical memory, from 0 */
static uint8_t side[VMM_FRAMES_BYTES(256)]; /* which of its 256 frames are free */
static x_mmu_t cpu;

static void tell(const char *what, vmm_status_t status)
{
    const vmm_fault_t *f = &cpu.fault;
    if (status == VMM_OK) printf("%-30s done\n", what);
    else
        printf("%-30s vector %d, code 0x%02x, CR2 0x%llx: %s\n", what, f->cause, (unsigned)f->code,
               (unsigned long long)f->vaddr, vmm_rule_text(f->rule));
}

int main(void)
{
    vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0, 0, vmm_frames_take, vmm_frames_give, &frames, x_flush_told, &cpu};
    vmm_paddr_t code = 0, data = 0, kernel = 0;
    uint32_t word = 0;

    vmm_frames_init(&frames, 0, 12, 256, side, sizeof side);
    vmm_frames_alloc(&frames, 0, &code);
    vmm_frames_alloc(&frames, 0, &data);
    vmm_frames_alloc(&frames, 0, &kernel);
    x_init(&cpu, &memory);
    x_create(&tables); /* format 0: four levels */
    x_map(&tables, 0x400000, code, 4096, VMM_R | VMM_X | VMM_U);
    x_map(&tables, 0x600000, data, 4096, VMM_R | VMM_W | VMM_U);
    x_map(&tables, 0xffff800000000000, kernel, 4096, VMM_R | VMM_W | VMM_G);

    x_set_efer(&cpu, 1 << 8 | 1 << 11); /* LME, NXE */
    tell("PG without PAE", x_set_cr0(&cpu, 0x80000001));
    x_set_cr4(&cpu, 1 << 5 | 1 << 7 | 1 << 20 | 1 << 21); /* PAE, PGE, SMEP, SMAP */
    x_set_cr3(&cpu, tables.root);
    x_set_cr0(&cpu, 0x80010001); /* PG, WP, PE: with EFER.LME, long mode */

    tell("kernel stores its data", x_store32(&cpu, 0xffff800000000010, 42));
    tell("kernel fetches user's code", x_fetch32(&cpu, 0x400000, &word));
    tell("kernel loads user's data", x_load32(&cpu, 0x600000, &word));
    x_set_ac(&cpu, true); /* stac */
    tell("again, with AC", x_load32(&cpu, 0x600000, &word));
    x_set_ac(&cpu, false);

    x_set_cpl(&cpu, 3);
    tell("user fetches", x_fetch32(&cpu, 0x400000, &word));
    tell("user stores to code", x_store32(&cpu, 0x400000, 1));
    tell("user fetches data", x_fetch32(&cpu, 0x600000, &word));
    tell("user loads kernel's data", x_load32(&cpu, 0xffff800000000010, &word));
    tell("user loads what is not there", x_load32(&cpu, 0x601000, &word));
    tell("not canonical", x_load32(&cpu, 0x800000000000, &word));
    return 0;
}
