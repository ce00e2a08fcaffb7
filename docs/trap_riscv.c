/* trap_riscv.c - what a kernel for a RISC-V hart writes to have its page faults served: shown on the page "The operating
 * system". It compiles without libc and is not run by the tests. */
#include "vmm.h"

static vmm_machine_t *machine; /* by vmm_machine_create, with &vmm_sv39 and 16 ASID bits */

static void install(void *mmu, vmm_paddr_t root, uint16_t asid)
{
    const uint64_t satp = UINT64_C(8) << 60 | (uint64_t)asid << 44 | root >> 12;
    (void)mmu;
    __asm__ volatile("csrw satp, %0" : : "r"(satp) : "memory");
}

static void flush_all(void *mmu)
{
    (void)mmu;
    __asm__ volatile("sfence.vma" : : : "memory");
}

static void flush(void *mmu, const vmm_flush_t *what)
{
    const uint64_t step = UINT64_C(1) << what->page_shift;
    uint64_t at;
    if (what->kind == VMM_FLUSH_TABLE || what->bytes == 0 || what->bytes / step > 32) {
        flush_all(mmu);
        return;
    }
    for (at = 0; at < what->bytes; at += step) __asm__ volatile("sfence.vma %0" : : "r"(what->vaddr + at) : "memory");
}

/* At the start, after vmm_machine_create. */
vmm_status_t processor_begin(uint32_t *number)
{
    vmm_cpu_t cpu = {install, flush, flush_all, 0, 0, 0, 0};
    return vmm_machine_attach(machine, &cpu, number);
}

/* A trap with scause 12, 13 or 15. True: return to the instruction; false: its program gets space->signal. */
bool page_fault(uint32_t processor, uint64_t scause, uint64_t stval)
{
    const unsigned access = scause == 12 ? VMM_FETCH : scause == 13 ? VMM_READ : VMM_WRITE;
    vmm_space_t *space = vmm_space_running(machine, processor);
    if (!space || vmm_fault_serve(space, stval, access) != VMM_OK) return false;
    __asm__ volatile("sfence.vma %0" : : "r"(stval) : "memory");
    return true;
}
