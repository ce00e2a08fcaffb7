/* arm64_guest.c - goes through the cases of arm64_cases.h on the MMU of an AArch64 machine, at EL1 and EL0.
 *
 * While a half of the address space is under test the program runs in the other one: at its physical addresses when
 * TTBR1 is, and 0xffffff8000000000 above them when TTBR0 is. Built for QEMU's board virt, with arm64_start.S and
 * arm64_ram.ld; output and end by semihosting. */
#include "machine.h"

#include "arm64_trees.h"

#define HIGH UINT64_C(0xffffff8000000000)
#define SCTLR_M UINT64_C(1)
#define SCTLR_C_I (UINT64_C(1) << 2 | UINT64_C(1) << 12)
#define SCTLR_WXN (UINT64_C(1) << 19)
#define SCTLR_SPAN (UINT64_C(1) << 23) /* an exception leaves PAN as it is */
#define SPSR_MASKED UINT64_C(0x3c0)
#define SPSR_PAN (UINT64_C(1) << 22)
#define EC(esr) ((esr) >> 26 & 63)
#define EC_SVC 0x15u

typedef struct arm64_probe {
    uint64_t va, value, pc, spsr, esr, far, desired;
} arm64_probe_t;

extern const uint8_t arm64_vectors[], arm64_slots[], arm64_swap_slots[], arm64_at_slots[], arm64_user_slots[];
void arm64_probe(arm64_probe_t *p);
void arm64_call_high(void (*f)(unsigned), unsigned x, uint64_t high);
void arm64_main(void);

static uint64_t upper[512] __attribute__((aligned(4096))); /* the program's own tables */
static uint64_t lower[512] __attribute__((aligned(4096)));
static uint64_t sctlr;
static machine_scene_t scene;

#define READ(name)                                                                                                     \
    __extension__({                                                                                                    \
        uint64_t value_;                                                                                               \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)::"memory");                                                   \
        value_;                                                                                                        \
    })
#define WRITE(name, value) __asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

static void synchronise(void)
{
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb" ::: "memory");
}

/* ---- semihosting --------------------------------------------------------------------------- */

static uint64_t semihosting(uint64_t operation, const void *block)
{
    register uint64_t x0 __asm__("x0") = operation;
    register uint64_t x1 __asm__("x1") = (uint64_t)(uintptr_t)block;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}

static uint64_t console;

static void machine_out(const char *text, size_t bytes)
{
    const uint64_t block[3] = {console, (uint64_t)(uintptr_t)text, bytes};
    (void)semihosting(0x05, block); /* SYS_WRITE */
}

static void open_console(void)
{
    static const char name[] = ":tt";
    const uint64_t block[3] = {(uint64_t)(uintptr_t)name, 4, 3}; /* for writing */
    console = semihosting(0x01, block);                          /* SYS_OPEN */
}

static void end(void)
{
    const uint64_t block[2] = {0x20026, 0};
    machine_text("#end\n");
    machine_flush_output();
    (void)semihosting(0x18, block); /* SYS_EXIT */
}

/* ---- the machine --------------------------------------------------------------------------- */

/* The half of the program that is not under test. */
static uint64_t distance(unsigned list)
{
    return list & 1 ? 0 : HIGH;
}

/* Code may be run, and not be written even for WXN's sake; EL0's code is EL0's; all else is data. */
static void make_own_tables(void)
{
    unsigned k;
    for (k = 0; k < 512; k++) {
        uint64_t rights = ARM64_PXN | ARM64_UXN;
        if (k == 1) rights = ARM64_UXN | UINT64_C(0x80);
        if (k == 3) rights = ARM64_PXN | UINT64_C(0xc0);
        lower[k] = (ARM64_RAM + ((uint64_t)k << 21)) | rights | ARM64_AF | ARM64_SH | 7 << 2 | ARM64_VALID;
    }
    upper[1] = (uint64_t)(uintptr_t)lower | ARM64_TABLE;
    WRITE(mair_el1, ARM64_MAIR);
    WRITE(tcr_el1, ARM64_TCR_SAFE);
    WRITE(ttbr0_el1, (uintptr_t)upper);
    WRITE(ttbr1_el1, (uintptr_t)upper);
    synchronise();
    sctlr = (READ(sctlr_el1) | SCTLR_M | SCTLR_C_I | SCTLR_SPAN) & ~SCTLR_WXN;
    WRITE(sctlr_el1, sctlr);
    synchronise();
}

static void forget(unsigned how, uint64_t operand)
{
    __asm__ volatile("dsb ish" ::: "memory");
    switch (how) {
    case ARM64_VAE1: __asm__ volatile("tlbi vae1, %0" ::"r"(operand)); break;
    case ARM64_VAAE1: __asm__ volatile("tlbi vaae1, %0" ::"r"(operand)); break;
    case ARM64_ASIDE1: __asm__ volatile("tlbi aside1, %0" ::"r"(operand)); break;
    case ARM64_VALE1: __asm__ volatile("tlbi vale1, %0" ::"r"(operand)); break;
    case ARM64_VAALE1: __asm__ volatile("tlbi vaale1, %0" ::"r"(operand)); break;
    case ARM64_OTHER_ASID:
    case ARM64_KEEP: break;
    default: __asm__ volatile("tlbi vmalle1"); break;
    }
    __asm__ volatile("dsb ish\n isb" ::: "memory");
}

static void set_ttbr(const arm64_case_t *c, uint64_t ttbr)
{
    if (c->list & 1) WRITE(ttbr1_el1, ttbr);
    else WRITE(ttbr0_el1, ttbr);
}

static void set_registers(const arm64_case_t *c)
{
    set_ttbr(c, c->warm ? c->warm_ttbr : c->ttbr);
    WRITE(tcr_el1, c->tcr);
    WRITE(mair_el1, c->mair);
    WRITE(sctlr_el1, sctlr | (c->wxn ? SCTLR_WXN : 0));
    synchronise();
}

static unsigned log2_of(unsigned bytes)
{
    return bytes == 8 ? 3 : bytes / 2;
}

/* Asks for the translation that the access will need: for a fetch, as if it were a load. */
static machine_outcome_t ask(const arm64_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    arm64_probe_t p = {c->va, 0, 0, SPSR_MASKED | 5, 0, 0, ARM64_STORED};
    p.pc = (uintptr_t)arm64_at_slots + 8 * ((arm64_is_store(c->kind) && !c->swap) + 2u * arm64_is_el0(c->kind));
    if (c->pan) p.spsr |= SPSR_PAN;
    arm64_probe(&p);
    __asm__ volatile("isb" ::: "memory");
    o.value = READ(par_el1);
    if (p.esr) {
        o.code = (uint32_t)p.esr;
        o.address = p.far;
    } else if (o.value & 1) {
        o.code = (uint32_t)(o.value & 0xfff);
    }
    return o;
}

static machine_outcome_t make(const arm64_case_t *c, unsigned kind, uint64_t va)
{
    machine_outcome_t o = {0, 0, 0};
    arm64_probe_t p = {va, ARM64_STORED, va, SPSR_MASKED | 5, 0, 0, ARM64_STORED};
    const unsigned width = log2_of(c->bytes);
    if (kind <= ARM64_STORE0T) p.pc = (uintptr_t)arm64_slots + 8 * (kind * 4u + width);
    else if (kind <= ARM64_STORE0) p.pc = (uintptr_t)arm64_user_slots + 8 * ((kind & 1) * 4u + width);
    if (kind == ARM64_LOAD0 || kind == ARM64_STORE0 || kind == ARM64_FETCH0) p.spsr = SPSR_MASKED;
    if (c->swap) p.pc = (uintptr_t)arm64_swap_slots + 8 * width;
    if (c->swap) p.value = arm64_found(c);
    if (c->pan) p.spsr |= SPSR_PAN;
    arm64_probe(&p);
    if (EC(p.esr) == EC_SVC) {
        if (arm64_is_fetch(kind)) p.value = p.esr & 0xffff;
        p.esr = 0;
    }
    o.code = (uint32_t)p.esr;
    o.address = p.far;
    if (!arm64_is_store(kind) || c->swap) o.value = p.value;
    return o;
}

/* Fills the TLB with what holds no more when the case comes. */
static void warm_up(const arm64_case_t *c)
{
    unsigned k;
    for (k = 0; k < c->entries; k++) machine_poke(&scene, c->at[k], 8, c->warm_entry[k]);
    (void)make(c, c->warm_kind, c->warm_va);
    arm64_restore(&scene);
    set_ttbr(c, c->ttbr);
    forget(c->forget, arm64_operand(c));
}

/* Asks AT, and makes good what it may have left. */
static void ask_first(const arm64_case_t *c)
{
    static const machine_scene_t nothing;
    machine_outcome_t o;
    set_registers(c);
    if (c->warm) warm_up(c);
    o = ask(c);
    machine_tell(&nothing, &o);
    arm64_restore(&scene);
    forget(c->forget == ARM64_OTHER_ASID ? ARM64_VMALLE1 : c->forget, arm64_operand(c));
}

static void go_through_one(const arm64_case_t *c)
{
    machine_outcome_t o;
    arm64_set_scene(&scene, c);
    if (!c->running) ask_first(c);
    else if (c->first) set_registers(c);
    o = make(c, c->kind, c->va);
    machine_after(&scene);
    machine_tell(&scene, &o);
    arm64_clear_scene(&scene, c);
}

/* The tables that the library makes, before and after edits; and what they all look like then. */
static void go_through_tree(unsigned list)
{
    static arm64_tree_t tree;
    arm64_case_t c;
    unsigned pass, n;
    char name[64];
    arm64_plant(&tree, list, scene.ram);
    for (pass = 0; pass < ARM64_PASSES; pass++) {
        if (pass == ARM64_EDITED) arm64_graft(&tree);
        if (pass == ARM64_MARKING) arm64_roughen(&tree, &scene);
        arm64_name_pass(name, pass);
        machine_tell_group(name);
        machine_tell_sum(machine_sum(&scene, ARM64_PLAIN, tree.next - ARM64_PLAIN));
        for (n = 0; n < arm64_pass_cases(list); n++) {
            arm64_make_plain(&c, &tree, pass, n);
            go_through_one(&c);
        }
    }
}

static void go_through(unsigned list)
{
    arm64_case_t c;
    unsigned family, n;
    WRITE(vbar_el1, (uintptr_t)arm64_vectors);
    __asm__ volatile("isb");
    scene.base = ARM64_RAM;
    scene.ram = (uint8_t *)(uintptr_t)(ARM64_RAM + distance(list));
    go_through_tree(list);
    for (family = 0; family < ARM64_FAMILIES; family++) {
        machine_tell_group(arm64_families[family].name);
        for (n = 0; n < arm64_families[family].cases; n++) {
            arm64_make(&c, list, family, n);
            go_through_one(&c);
        }
    }
    WRITE(tcr_el1, ARM64_TCR_SAFE);
    WRITE(ttbr0_el1, (uintptr_t)upper & ~HIGH);
    WRITE(ttbr1_el1, (uintptr_t)upper & ~HIGH);
    WRITE(sctlr_el1, sctlr);
    WRITE(mair_el1, ARM64_MAIR);
    synchronise();
}

void arm64_main(void)
{
    uint64_t pa;
    unsigned list;
    make_own_tables();
    open_console();
    for (pa = ARM64_ZONE; pa < ARM64_ZONE + ARM64_ZONE_BYTES; pa += 4) *(volatile uint32_t *)pa = arm64_word(pa);
    for (list = 0; list < ARM64_LISTS; list++) arm64_call_high(go_through, list, distance(list));
    end();
}
