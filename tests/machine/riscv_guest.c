/* riscv_guest.c - the list of riscv_cases.h on a RISC-V hart: a program for QEMU's board virt.
 *
 * It stays in machine mode, where nothing is translated. A load or store is made with mstatus.MPRV set, so that it is
 * translated and judged as MPP's; a fetch by MRET into that mode, where the data found there end in a trap. */
#include <stdint.h>

#include "riscv_cases.h"

int main(void);

/* ---- start, output, end ------------------------------------------------------------------ */

__asm__(".section .start, \"ax\"\n"
        ".globl rtos_reset\n"
        "rtos_reset: la sp, ram_stack_top\n"
        "    tail riscv_start\n"
        ".text\n");

/* Semihosting: the three instructions that QEMU takes for a call, which must be of full length and in one page. */
__asm__(".text\n"
        ".balign 16\n"
        ".option push\n"
        ".option norvc\n"
        "riscv_semihosting:\n"
        "    slli zero, zero, 0x1f\n"
        "    ebreak\n"
        "    srai zero, zero, 7\n"
        "    ret\n"
        ".option pop\n");
uintptr_t riscv_semihosting(uintptr_t operation, const void *argument);

static uintptr_t file; /* QEMU's standard output */

static void machine_out(const char *text, size_t bytes)
{
    const uintptr_t arguments[3] = {file, (uintptr_t)text, bytes};
    __asm__ volatile("" ::: "memory");
    riscv_semihosting(0x05, arguments); /* SYS_WRITE */
}

extern uint8_t ram_bss[], ram_bss_end[];
void riscv_start(void);
void riscv_start(void)
{
    const uintptr_t console[3] = {(uintptr_t) ":tt", 4, 3}; /* mode "w" */
    memset(ram_bss, 0, (size_t)(ram_bss_end - ram_bss));
    __asm__ volatile("" ::: "memory");
    file = riscv_semihosting(0x01, console); /* SYS_OPEN */
    (void)main();
    machine_text("#end\n");
    machine_flush_output();
    *(volatile uint32_t *)(uintptr_t)0x100000 = 0x5555; /* the board's test finisher: pass */
    for (;;) continue;
}

/* ---- accesses ---------------------------------------------------------------------------- */

#define MPRV (UINT32_C(1) << 17)
#define NONE 24u /* mcause when nothing trapped: a code that is nobody's */

typedef struct probe {
    uintptr_t va, value, status, cause, tval;
} probe_t;

/* One instruction or two under `status`. Done or trapped, it goes on at 9:, where a trap has changed MPP to machine
 * mode; so nothing between them may touch memory. */
#define PROBE(instruction)                                                                                             \
    __asm__ volatile("    la %[to], 9f\n"                                                                              \
                     "    csrw mtvec, %[to]\n"                                                                         \
                     "    csrw mcause, %[none]\n"                                                                      \
                     "    csrw mstatus, %[status]\n"                                                                   \
                     "    " instruction "\n"                                                                           \
                     "    .balign 4\n"                                                                                 \
                     "9:  csrw mstatus, zero\n"                                                                        \
                     "    csrr %[cause], mcause\n"                                                                     \
                     "    csrr %[tval], mtval\n"                                                                       \
                     : [value] "+&r"(p->value), [cause] "=&r"(p->cause), [tval] "=&r"(p->tval), [to] "=&r"(scratch)    \
                     : [va] "r"(p->va), [status] "r"(p->status), [none] "r"(NONE)                                      \
                     : "memory")

static void load(probe_t *p, unsigned bytes)
{
    uintptr_t scratch;
    switch (bytes) {
    case 1: PROBE("lbu %[value], (%[va])"); break;
    case 2: PROBE("lhu %[value], (%[va])"); break;
    case 4: PROBE("lw %[value], (%[va])"); break;
#if __riscv_xlen == 64
    default: PROBE("ld %[value], (%[va])"); break;
#endif
    }
}

static void store(probe_t *p, unsigned bytes)
{
    uintptr_t scratch;
    switch (bytes) {
    case 1: PROBE("sb %[value], (%[va])"); break;
    case 2: PROBE("sh %[value], (%[va])"); break;
    case 4: PROBE("sw %[value], (%[va])"); break;
#if __riscv_xlen == 64
    default: PROBE("sd %[value], (%[va])"); break;
#endif
    }
}

static void swap(probe_t *p, unsigned bytes)
{
    uintptr_t scratch;
#if __riscv_xlen == 64
    if (bytes == 8) PROBE("amoswap.d %[value], %[value], (%[va])");
#endif
    if (bytes == 4) PROBE("amoswap.w %[value], %[value], (%[va])");
}

/* The value that LR read is kept in `to`, and SC's own answer dropped: no other hart takes the reservation. */
static void pair(probe_t *p, unsigned bytes)
{
    uintptr_t scratch;
#if __riscv_xlen == 64
    if (bytes == 8) PROBE("lr.d %[to], (%[va])\n    sc.d %[cause], %[value], (%[va])\n    mv %[value], %[to]");
#endif
    if (bytes == 4) PROBE("lr.w %[to], (%[va])\n    sc.w %[cause], %[value], (%[va])\n    mv %[value], %[to]");
}

/* MRET to va. What lies there may change a0 and traps. */
static void fetch(probe_t *p)
{
    register uintptr_t a0 __asm__("a0") = 0;
    uintptr_t scratch;
    __asm__ volatile("    fence.i\n"
                     "    la %[to], 9f\n"
                     "    csrw mtvec, %[to]\n"
                     "    csrw mepc, %[va]\n"
                     "    csrw mstatus, %[status]\n"
                     "    mret\n"
                     "    .balign 4\n"
                     "9:  csrw mstatus, zero\n"
                     "    csrr %[cause], mcause\n"
                     "    csrr %[tval], mtval\n"
                     : [a0] "+&r"(a0), [cause] "=&r"(p->cause), [tval] "=&r"(p->tval), [to] "=&r"(scratch)
                     : [va] "r"(p->va), [status] "r"(p->status)
                     : "memory");
    p->value = a0;
    if (p->cause == 3 || p->cause == 8 || p->cause == 9) p->cause = NONE; /* c.ebreak, ecall: it arrived */
}

static void riscv_attempt(riscv_list_t *l)
{
    machine_outcome_t o = {0, 0, 0};
    probe_t p = {(uintptr_t)l->va, (uintptr_t)l->data, 0, 0, 0};
    machine_before(&l->scene);
    __asm__ volatile("csrw satp, %0" ::"r"((uintptr_t)l->satp));
#if __riscv_xlen == 64
    __asm__ volatile("csrw 0x30a, %0" ::"r"((uintptr_t)l->pbmte << 62 | (uintptr_t)1 << 61)); /* menvcfg: and ADUE */
#endif
    if (l->fence) __asm__ volatile("sfence.vma" ::: "memory");
    p.status = (uintptr_t)l->privilege << 11 | (uintptr_t)l->sum << 18 | (uintptr_t)l->mxr << 19;
    if (l->access != RISCV_FETCH) p.status |= MPRV;
    switch (l->access) {
    case RISCV_LOAD: load(&p, l->bytes); break;
    case RISCV_STORE: store(&p, l->bytes); break;
    case RISCV_FETCH: fetch(&p); break;
    case RISCV_AMO: swap(&p, l->bytes); break;
    default: pair(&p, l->bytes); break;
    }
    __asm__ volatile("csrw satp, zero");
    if (p.cause == NONE) o.value = l->access == RISCV_STORE ? 0 : p.value;
    else o.code = (uint32_t)p.cause, o.address = p.tval;
    if (l->bytes == 4) o.value &= 0xffffffffu; /* without the sign that RV64 extends */
    machine_after(&l->scene);
    machine_tell(&l->scene, &o);
}

static void riscv_group(riscv_list_t *l, const char *name)
{
    (void)l;
    machine_tell_group(name);
}

static void riscv_sum(riscv_list_t *l, uint64_t paddr, uint64_t bytes)
{
    machine_tell_sum(machine_sum(&l->scene, paddr, bytes));
}

int main(void)
{
    static riscv_list_t list;
    __asm__ volatile("csrw pmpaddr0, %0\n csrw pmpcfg0, %1" ::"r"(~(uintptr_t)0), "r"((uintptr_t)0x1f)); /* all of it */
    list.scene.ram = (uint8_t *)(uintptr_t)RISCV_RAM;
    list.scene.base = RISCV_RAM;
    riscv_list(&list, *(volatile uint32_t *)(uintptr_t)RISCV_RUN);
    return 0;
}
