/* arm32_guest.c - the list of arm32_cases.h on the MMU of the machine, in supervisor mode. User mode's loads and stores
 * are LDRT and STRT; its fetches are made in user mode. Output and end by semihosting. */
#include "arm32_cases.h"

extern uint32_t arm32_told_fault[2];
uint32_t arm32_access(uint32_t kind, uint32_t va, uint32_t value);
void arm32_main(void);

static uint32_t console;

static uint32_t semihosting(uint32_t operation, const void *block)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("svc #0x123456" : "+r"(r0) : "r"(r1) : "memory", "lr");
    return r0;
}

static void machine_out(const char *text, size_t bytes)
{
    const uint32_t block[3] = {console, (uint32_t)(uintptr_t)text, (uint32_t)bytes};
    (void)semihosting(0x05, block); /* SYS_WRITE */
}

static void barrier(void)
{
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* What brings the entries of a case into force. */
static void forget(const arm32_case_t *c)
{
    const uint32_t page = arm32_va(c) & 0xfffff000, space = ARM32_SPACE;
    barrier();
    switch (c->forget) {
    case ARM32_MVA: __asm__ volatile("mcr p15, 0, %0, c8, c7, 1" ::"r"(page | space) : "memory"); break;
    case ARM32_ASID: __asm__ volatile("mcr p15, 0, %0, c8, c7, 2" ::"r"(space) : "memory"); break;
    case ARM32_MVAA: __asm__ volatile("mcr p15, 0, %0, c8, c7, 3" ::"r"(page) : "memory"); break;
    default: __asm__ volatile("mcr p15, 0, %0, c8, c7, 0" ::"r"(0) : "memory"); break;
    }
    barrier();
}

static void set_registers(const arm32_case_t *c)
{
    uint32_t sctlr;
    __asm__ volatile("mcr p15, 0, %0, c3, c0, 0" ::"r"(arm32_dacr(c)) : "memory");
    __asm__ volatile("mcr p15, 0, %0, c2, c0, 2" ::"r"(c->ttbcr) : "memory");
    __asm__ volatile("mrc p15, 0, %0, c1, c0, 0" : "=r"(sctlr));
    sctlr = (sctlr & ~(ARM32_AFE | 2u)) | c->sctlr | 1; /* M; alignment is not checked */
    __asm__ volatile("mcr p15, 0, %0, c1, c0, 0" ::"r"(sctlr) : "memory");
    barrier();
}

static void arm32_make(arm32_list_t *l, const arm32_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    if (!c->kept) arm32_lay(l, c);
    set_registers(c);
    if (!c->kept) forget(c);
    arm32_told_fault[0] = 0;
    o.value = arm32_access(c->kind + 4u * c->user, arm32_va(c), c->value);
    o.code = arm32_told_fault[0];
    o.address = arm32_told_fault[1];
    machine_tell(&l->scene, &o);
}

static void arm32_group(arm32_list_t *l, const char *name)
{
    (void)l;
    machine_tell_group(name);
}

static void arm32_sum(arm32_list_t *l, uint32_t sum)
{
    (void)l;
    machine_tell_sum(sum);
}

void arm32_main(void)
{
    static arm32_list_t list;
    static const char terminal[] = ":tt";
    const uint32_t block[3] = {(uint32_t)(uintptr_t)terminal, 4, 3}; /* for writing */
    const arm32_case_t first = arm32_new(0);
    console = semihosting(0x01, block); /* SYS_OPEN */
    list.scene.ram = (uint8_t *)(uintptr_t)ARM32_RAM;
    list.scene.base = ARM32_RAM;
    arm32_start_memory(&list);
    __asm__ volatile("mcr p15, 0, %0, c2, c0, 0" ::"r"(ARM32_FIRST) : "memory");
    __asm__ volatile("mcr p15, 0, %0, c2, c0, 1" ::"r"(ARM32_OTHER) : "memory");
    __asm__ volatile("mcr p15, 0, %0, c13, c0, 1" ::"r"(ARM32_SPACE) : "memory");
    forget(&first);
    set_registers(&first);
    arm32_all(&list);
    machine_text("#end\n");
    machine_flush_output();
    (void)semihosting(0x18, (const void *)(uintptr_t)0x20026); /* SYS_EXIT */
}
