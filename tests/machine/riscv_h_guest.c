/* riscv_h_guest.c - the list of riscv_h_cases.h on a RISC-V hart with the hypervisor extension: a program for QEMU's
 * board virt.
 *
 * It stays in machine mode. A load or store is made with mstatus.MPRV and MPV set, so that it is translated and judged
 * as the virtual machine's; or by HLV, HSV, HLVX; a fetch by MRET into the virtual machine, where the data found there
 * end in a trap. */
#include <stdint.h>

#include "riscv_h_cases.h"

int main(void);

/* ---- start, output, end ------------------------------------------------------------------ */

__asm__(".section .start, \"ax\"\n"
        ".globl rtos_reset\n"
        "rtos_reset: la sp, ram_stack_top\n"
        "    tail hyp_start\n"
        ".text\n");

/* Semihosting: the three instructions that QEMU takes for a call, which must be of full length and in one page. */
__asm__(".text\n"
        ".balign 16\n"
        ".option push\n"
        ".option norvc\n"
        "hyp_semihosting:\n"
        "    slli zero, zero, 0x1f\n"
        "    ebreak\n"
        "    srai zero, zero, 7\n"
        "    ret\n"
        ".option pop\n");
uintptr_t hyp_semihosting(uintptr_t operation, const void *argument);

static uintptr_t file; /* QEMU's standard output */

static void machine_out(const char *text, size_t bytes)
{
    const uintptr_t arguments[3] = {file, (uintptr_t)text, bytes};
    __asm__ volatile("" ::: "memory");
    hyp_semihosting(0x05, arguments); /* SYS_WRITE */
}

extern uint8_t ram_bss[], ram_bss_end[];
void hyp_start(void);
void hyp_start(void)
{
    const uintptr_t console[3] = {(uintptr_t) ":tt", 4, 3}; /* mode "w" */
    memset(ram_bss, 0, (size_t)(ram_bss_end - ram_bss));
    __asm__ volatile("" ::: "memory");
    file = hyp_semihosting(0x01, console); /* SYS_OPEN */
    (void)main();
    machine_text("#end\n");
    machine_flush_output();
    *(volatile uint32_t *)(uintptr_t)0x100000 = 0x5555; /* the board's test finisher: pass */
    for (;;) continue;
}

/* ---- accesses ---------------------------------------------------------------------------- */

#define MPRV (UINT64_C(1) << 17)
#define MPV (UINT64_C(1) << 39)
#define NONE 24u /* mcause when nothing trapped: a code that is nobody's */

typedef struct probe {
    uint64_t va, value, status, cause, tval;
} probe_t;

/* One instruction under `status`. Done or trapped, it goes on at 9:, where a trap has changed MPP to machine mode; so
 * nothing between them may touch memory. */
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
                     : [va] "r"(p->va), [status] "r"(p->status), [none] "r"((uint64_t)NONE)                            \
                     : "memory")

static void probe_narrow(probe_t *p, unsigned access, unsigned bytes)
{
    uint64_t scratch;
    switch (access * 8 + bytes) {
    case HYP_LOAD * 8 + 1: PROBE("lbu %[value], (%[va])"); break;
    case HYP_LOAD * 8 + 2: PROBE("lhu %[value], (%[va])"); break;
    case HYP_LOAD * 8 + 4: PROBE("lwu %[value], (%[va])"); break;
    case HYP_STORE * 8 + 1: PROBE("sb %[value], (%[va])"); break;
    case HYP_STORE * 8 + 2: PROBE("sh %[value], (%[va])"); break;
    default: PROBE("sw %[value], (%[va])"); break;
    }
}

static void probe(probe_t *p, unsigned access)
{
    uint64_t scratch;
    switch (access) {
    case HYP_LOAD: PROBE("ld %[value], (%[va])"); break;
    case HYP_STORE: PROBE("sd %[value], (%[va])"); break;
    case HYP_HLV: PROBE(".insn r 0x73, 4, 0x36, %[value], %[va], x0"); break; /* hlv.d */
    case HYP_HSV: PROBE(".insn r 0x73, 4, 0x37, x0, %[va], %[value]"); break; /* hsv.d */
    default: PROBE(".insn r 0x73, 4, 0x34, %[value], %[va], x3"); break;      /* hlvx.wu */
    }
}

/* MRET to va. What lies there may change a0 and traps. */
static void fetch(probe_t *p)
{
    register uint64_t a0 __asm__("a0") = 0;
    uint64_t scratch;
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
                     : "memory", "a1");
    p->value = a0;
    if (p->cause == 2 || (p->cause >= 8 && p->cause <= 10)) p->cause = NONE; /* ecall, or marked data: it arrived */
}

/* HFENCE.GVMA and SFENCE.VMA for all. QEMU's own TLB does not tell virtual machines and privileges of HLV apart, and no
 * case depends on what is remembered. */
static void set_registers(const hyp_list_t *l)
{
    /* QEMU 7.2 takes a guest's faults for access faults while this is Bare. */
    __asm__ volatile("csrw satp, %0" ::"r"(l->pmp ? l->satp : UINT64_C(8) << 60));
    __asm__ volatile("csrw 0x680, %0" ::"r"(l->hgatp));
    __asm__ volatile("csrw 0x280, %0" ::"r"(l->vsatp));
    __asm__ volatile("csrw 0x200, %0" ::"r"((uint64_t)l->sum << 18 | (uint64_t)l->mxr << 19)); /* vsstatus */
    __asm__ volatile("csrw 0x600, %0" ::"r"((uint64_t)l->privilege << 8));                     /* hstatus.SPVP */
    __asm__ volatile("csrw 0x30a, %0" ::"r"((uint64_t)l->pbmte << 62 | UINT64_C(1) << 61));    /* menvcfg */
    __asm__ volatile("csrw 0x60a, %0" ::"r"((uint64_t)l->hpbmte << 62 | UINT64_C(1) << 61));   /* henvcfg */
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0\n sfence.vma" ::: "memory");
}

static void hyp_attempt(hyp_list_t *l)
{
    machine_outcome_t o = {0, 0, 0};
    probe_t p = {l->va, l->data, 0, 0, 0};
    uint64_t guest = 0;
    machine_before(&l->scene);
    set_registers(l);
    p.status = (uint64_t)l->both << 19;
    if (l->access <= HYP_FETCH) p.status |= (uint64_t)l->privilege << 11 | MPV;
    else p.status |= UINT64_C(3) << 11;
    if (l->access <= HYP_STORE) p.status |= MPRV;
    if (l->pmp) p.status &= ~MPV;
    if (l->access == HYP_FETCH) fetch(&p);
    else if (l->pmp && l->bytes < 8) probe_narrow(&p, l->access, l->bytes);
    else probe(&p, l->access);
    __asm__ volatile("csrr %0, 0x34b" : "=r"(guest)); /* mtval2 */
    if (p.cause == NONE) o.value = l->access == HYP_STORE || l->access == HYP_HSV ? 0 : p.value;
    else o.code = (uint32_t)p.cause, o.address = p.tval;
    machine_poke(&l->scene, HYP_TOLD, 8, p.cause >= 20 && p.cause <= 23 ? guest << 2 : 0);
    machine_after(&l->scene);
    machine_tell(&l->scene, &o);
}

/* Addresses first: QEMU 7.2 looks at one that TOR begins with when the configuration is written. */
static void hyp_write_pmp(hyp_list_t *l)
{
    uint64_t low = 0, high = 0, sum = 1, value;
    unsigned i;
    for (i = 8; i-- > 0;) low = low << 8 | l->config[i], high = high << 8 | l->config[8 + i];
#define PMP_WRITE(n) __asm__ volatile("csrw pmpaddr" #n ", %0" ::"r"(l->address[n]));
#define PMP_SUM(what)                                                                                                  \
    __asm__ volatile("csrr %0, " what : "=r"(value));                                                                  \
    sum = (sum ^ value) * UINT64_C(1099511628211); /* the FNV prime */
    PMP_WRITE(0)
    PMP_WRITE(1)
    PMP_WRITE(2)
    PMP_WRITE(3)
    PMP_WRITE(4)
    PMP_WRITE(5)
    PMP_WRITE(6)
    PMP_WRITE(7)
    PMP_WRITE(8)
    PMP_WRITE(9)
    PMP_WRITE(10)
    PMP_WRITE(11)
    PMP_WRITE(12)
    PMP_WRITE(13)
    PMP_WRITE(14)
    PMP_WRITE(15)
    __asm__ volatile("csrw pmpcfg0, %0\n csrw pmpcfg2, %1\n sfence.vma" ::"r"(low), "r"(high) : "memory");
    PMP_SUM("pmpcfg0")
    PMP_SUM("pmpcfg2")
    PMP_SUM("pmpaddr0")
    PMP_SUM("pmpaddr1")
    PMP_SUM("pmpaddr2")
    PMP_SUM("pmpaddr3")
    PMP_SUM("pmpaddr4")
    PMP_SUM("pmpaddr5")
    PMP_SUM("pmpaddr6")
    PMP_SUM("pmpaddr7")
    PMP_SUM("pmpaddr8")
    PMP_SUM("pmpaddr9")
    PMP_SUM("pmpaddr10")
    PMP_SUM("pmpaddr11")
    PMP_SUM("pmpaddr12")
    PMP_SUM("pmpaddr13")
    PMP_SUM("pmpaddr14")
    PMP_SUM("pmpaddr15")
    machine_tell_sum((uint32_t)(sum >> 32));
}

static void hyp_group(hyp_list_t *l, const char *name)
{
    (void)l;
    machine_tell_group(name);
}

static void hyp_sum(hyp_list_t *l, uint64_t paddr, uint64_t bytes)
{
    machine_tell_sum(machine_sum(&l->scene, paddr, bytes));
}

int main(void)
{
    static hyp_list_t list;
    __asm__ volatile("csrw pmpaddr0, %0\n csrw pmpcfg0, %1" ::"r"(~UINT64_C(0)), "r"(UINT64_C(0x1f))); /* all of it */
    list.scene.ram = (uint8_t *)(uintptr_t)HYP_RAM;
    list.scene.base = HYP_RAM;
    hyp_list(&list, *(volatile uint32_t *)(uintptr_t)HYP_RUN);
    return 0;
}
