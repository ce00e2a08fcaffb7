/* x86_guest.c - makes the accesses of x86_cases.h on the processor and tells what came of them, on the debug console.
 * Compiled for 32 bits: two-level and PAE paging; for 64 bits: four and five levels. With x86_start.S and x86.ld. */
#include "x86_cases.h"

/* Where the high zone is seen. */
#ifdef __x86_64__
#define X86_WINDOW X86_HIGH
#else
#define X86_WINDOW UINT64_C(0x03000000)
#endif

/* Of x86_start.S and x86.ld. */
extern uintptr_t x86_address, x86_datum, x86_accumulator, x86_ring, x86_flags, x86_target;
extern volatile uintptr_t x86_trapped_value, x86_trapped_vector, x86_trapped_code, x86_trapped_address;
extern uint8_t x86_vectors[], x86_accesses[], x86_user_accesses[], x86_user[], x86_image_end[];
extern uint8_t x86_trap_stack_top[];
extern uint64_t x86_gdt[];
void x86_go(void);
void x86_load_cr3(void);
void x86_main(unsigned mode);

#define TASK_STATE 9 /* index in the descriptor table */
#define LOCAL_TABLE 11
#define OPENED ((uintptr_t)0x80)

static uint32_t task_state[26];
static uint64_t idt[256 * sizeof(uintptr_t) / 4];
static uintptr_t fixed_cr4; /* what the way of paging wants */
static uint64_t next_table = 0xc00000;

/* ---- the processor ------------------------------------------------------------------------- */

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void machine_out(const char *text, size_t bytes)
{
    __asm__ volatile("rep outsb" : "+S"(text), "+c"(bytes) : "d"((uint16_t)0xe9) : "memory");
}

static void end(uint8_t status)
{
    machine_flush_output();
    out8(0xf4, status);
    for (;;) continue;
}

static void write_msr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void write_cr0(uintptr_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static void write_cr4(uintptr_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static void invalidate(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"((uintptr_t)va) : "memory");
}

static void describe(unsigned index, uint64_t base, uint32_t limit, unsigned type)
{
    x86_gdt[index] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 |
                     (uint64_t)((base >> 24) & 0xff) << 56;
#ifdef __x86_64__
    x86_gdt[index + 1] = base >> 32;
#endif
}

static void make_descriptors(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uintptr_t base;
    } pointer = {sizeof idt - 1, (uintptr_t)idt};
    const uint64_t stack = (uintptr_t)x86_trap_stack_top;
    unsigned vector;
    for (vector = 0; vector < 256; vector++) {
        const uint64_t entry = (uintptr_t)x86_vectors + vector * 16;
        const uint64_t ring = vector == 3 || vector == 0x80 ? 3 : 0;
        uint64_t *gate = idt + vector * (sizeof(uintptr_t) / 4);
        gate[0] = (entry & 0xffff) | 0x08 << 16 | (0x8e00 | ring << 13) << 32 | ((entry >> 16) & 0xffff) << 48;
        if (sizeof(uintptr_t) == 8) gate[1] = 0;
    }
    task_state[1] = (uint32_t)stack; /* of ring 0 */
    task_state[2] = sizeof(uintptr_t) == 8 ? 0 : 0x10;
    describe(TASK_STATE, (uintptr_t)task_state, sizeof task_state - 1, 9);
    __asm__ volatile("lidt %0; ltr %w1" : : "m"(pointer), "r"(TASK_STATE * 8));
}

static void set_local_table(uint64_t base)
{
    describe(LOCAL_TABLE, base, 7, 2);
    __asm__ volatile("lldt %w0" : : "r"(LOCAL_TABLE * 8) : "memory");
}

/* Writes what has changed. */
static void set_registers(const x86_case_t *c)
{
    static uint32_t before, pkru, pkrs;
    static bool begun;
    const uint32_t s = c->switches;
    const uint32_t changed = begun ? before ^ s : ~0u;
    const uintptr_t cr4 = fixed_cr4 | (s & X86_PSE ? 0x10 : 0) | (s & X86_PGE ? 0x80 : 0) |
                          (s & X86_SMEP ? 0x100000 : 0) | (s & X86_SMAP ? 0x200000 : 0);
    if (!begun || c->pkru != pkru) {
        write_cr4(cr4 | 0x400000);
        __asm__ volatile("wrpkru" : : "a"(c->pkru), "c"(0), "d"(0));
    }
    if (!begun || c->pkrs != pkrs) write_msr(0x6e1, c->pkrs);
    if (changed || c->pkru != pkru) write_cr4(cr4 | (s & X86_PKE ? 0x400000 : 0) | (s & X86_PKS ? 0x1000000 : 0));
    if (changed & X86_WP) write_cr0(0x80000011 | (s & X86_WP ? 0x10000 : 0));
    if (changed & X86_NXE) write_msr(0xc0000080, (sizeof(uintptr_t) == 8 ? 0x500 : 0) | (s & X86_NXE ? 0x800 : 0));
    before = s;
    pkru = c->pkru;
    pkrs = c->pkrs;
    begun = true;
}

static void x86_forget(x86_list_t *l)
{
    uintptr_t cr4;
    (void)l;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    write_cr4(cr4 ^ 0x80);
    write_cr4(cr4);
}

static void flush(x86_list_t *l, const x86_case_t *c)
{
    switch (c->flush) {
    case X86_BY_INVLPG: invalidate(c->va); break;
    case X86_BY_OTHER: invalidate(x86_other(c)); break;
    case X86_BY_PGE: x86_forget(l); break;
    default:
        x86_datum = (uintptr_t)x86_cr3(l);
        x86_load_cr3();
        break;
    }
}

/* ---- the hooks of the list ----------------------------------------------------------------- */

static uint8_t *x86_zone(x86_list_t *l, uint64_t paddr)
{
    (void)l;
    return (uint8_t *)(uintptr_t)(paddr >= X86_HIGH ? paddr - X86_HIGH + X86_WINDOW : paddr);
}

static void x86_group(x86_list_t *l, const char *name)
{
    (void)l;
    machine_tell_group(name);
}

static void x86_sum(x86_list_t *l, uint32_t sum)
{
    (void)l;
    machine_tell_sum(sum);
}

static uintptr_t access_code(const x86_case_t *c)
{
    const uint8_t *code = c->cpl == 3 ? x86_user_accesses : x86_accesses;
    const unsigned width = c->bytes == 1 ? 0 : c->bytes == 2 ? 1 : c->bytes == 4 ? 2 : 3;
    static const uint8_t first[] = {0, 4, 0, 8, 9};
    if (c->kind == X86_FETCH) return (uintptr_t)c->va;
    return (uintptr_t)code + 16u * (first[c->kind] + (c->kind == X86_READ || c->kind == X86_WRITE ? width : 0u));
}

static machine_outcome_t access(x86_list_t *l, const x86_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    x86_address = (uintptr_t)c->va;
    x86_datum = c->kind == X86_IMPLICIT ? 4u | c->cpl : (uintptr_t)c->value;
    x86_accumulator = c->kind == X86_RMW ? (uint32_t)c->expected : 0;
    x86_ring = c->cpl;
    x86_flags = 2u | (c->switches & X86_AC ? 0x40000 : 0);
    x86_target = access_code(c);
    if (c->kind == X86_IMPLICIT) set_local_table(c->va);
    x86_go();
    if (x86_trapped_vector == (c->kind == X86_FETCH ? 3 : OPENED)) {
        o.value = x86_trapped_value & (c->kind == X86_FETCH ? 0xffffffff : x86_low(c->bytes * 8u));
        if (c->kind == X86_WRITE || c->kind == X86_RMW) o.value = x86_landed(l, c);
        if (c->kind == X86_IMPLICIT) o.value = 0;
        return o;
    }
    o.code = (uint32_t)(x86_trapped_vector << 8 | x86_trapped_code);
    o.address = x86_trapped_vector == 14 ? x86_trapped_address : 0;
    return o;
}

static void x86_make(x86_list_t *l, const x86_case_t *c)
{
    machine_outcome_t o = {0, 0, 0};
    set_registers(c);
    if (c->scene == X86_CHAIN) x86_lay(l, c);
    machine_before(&l->scene);
    x86_trapped_vector = OPENED;
    if (c->scene != X86_STEP) flush(l, c);
    if (x86_trapped_vector == OPENED) o = access(l, c);
    else o.code = (uint32_t)(x86_trapped_vector << 8 | x86_trapped_code);
    machine_after(&l->scene);
    machine_tell(&l->scene, &o);
    x86_repair(l, c);
    if (!c->keep) x86_clear(l);
}

/* ---- paging -------------------------------------------------------------------------------- */

/* The top table first, then those that only this program uses. */
static int take(void *user, uint64_t bytes, vmm_paddr_t *table)
{
    bool *begun = (bool *)user;
    *table = *begun ? next_table : X86_TABLES;
    if (*begun) next_table += (bytes + 4095) & ~UINT64_C(4095);
    *begun = true;
    return 0;
}

/* Maps this program, the tables and the zones. */
static vmm_status_t map_program(vmm_status_t (*map)(vmm_tables_t *t, vmm_vaddr_t va, vmm_paddr_t pa, uint64_t bytes,
                                                    uint32_t flags),
                                vmm_tables_t *t, bool high)
{
    const uint64_t image = 0x100000, user = (uintptr_t)x86_user, end_of_image = (uintptr_t)x86_image_end;
    const uint32_t all = VMM_R | VMM_W | VMM_X | VMM_A | VMM_D | VMM_NO_HUGE;
    vmm_status_t status = map(t, image, image, user - image, all);
    if (status == VMM_OK) status = map(t, user, user, 4096, all | VMM_U);
    if (status == VMM_OK) status = map(t, user + 4096, user + 4096, end_of_image - user - 4096, all);
    if (status == VMM_OK) status = map(t, X86_TABLES, X86_TABLES, 0x500000, all);
    if (status == VMM_OK) status = map(t, X86_LOW, X86_LOW, X86_ZONE_BYTES, all);
    if (status == VMM_OK && high) status = map(t, X86_WINDOW, X86_HIGH, X86_ZONE_BYTES, all & ~(uint32_t)VMM_NO_HUGE);
    return status;
}

static vmm_status_t make_tables(unsigned mode)
{
    static const vmm_memory_t memory = {(void *)(uintptr_t)X86_TABLES, X86_TABLES, 0x800000, {0, 0, 0}, 0};
    static vmm_tables_t t;
    bool begun = false;
    t.memory = &memory;
    t.take = take;
    t.user = &begun;
#ifdef __x86_64__
    fixed_cr4 = mode == X86_FIVE ? 0x1020 : 0x20;
    if (mode == X86_FIVE) return five_create(&t) == VMM_OK ? map_program(five_map, &t, true) : VMM_E_TABLE;
    return four_create(&t) == VMM_OK ? map_program(four_map, &t, true) : VMM_E_TABLE;
#else
    fixed_cr4 = mode == X86_PAE ? 0x20 : mode == X86_TWO_PSE ? 0x10 : 0;
    write_cr4(fixed_cr4);
    if (mode == X86_PAE) return pae_create(&t) == VMM_OK ? map_program(pae_map, &t, true) : VMM_E_TABLE;
    if (mode == X86_TWO_PSE) {
        if (two_create(&t) != VMM_OK || map_program(two_map, &t, false) != VMM_OK) return VMM_E_TABLE;
        /* vmm.h makes no pages above 4 GiB by PSE-36: this one is written by hand. */
        *(uint32_t *)(uintptr_t)(X86_TABLES + (X86_WINDOW >> 22) * 4) = 1u << 13 | 0xe3;
        return VMM_OK;
    }
    return small_create(&t) == VMM_OK ? map_program(small_map, &t, false) : VMM_E_TABLE;
#endif
}

void x86_main(unsigned mode)
{
    static x86_list_t list;
    x86_open(&list, mode);
    list.scene.ram = (uint8_t *)(uintptr_t)X86_TABLES;
    make_descriptors();
    if (make_tables(mode) != VMM_OK) {
        machine_text("#no tables\n");
        end(1);
    }
    if (mode == X86_PAE) memcpy((void *)(uintptr_t)X86_PDPT, (void *)(uintptr_t)X86_TABLES, 32);
    x86_datum = (uintptr_t)x86_cr3(&list);
    x86_load_cr3();
    write_cr0(0x80010011);
    x86_fill_zone(&list, X86_LOW);
    if (mode != X86_TWO) x86_fill_zone(&list, X86_HIGH);
    x86_all(&list);
    machine_tell_sum(x86_zone_sum(&list, X86_LOW));
    if (mode != X86_TWO) machine_tell_sum(x86_zone_sum(&list, X86_HIGH));
    machine_text("#end\n");
    end(0);
}
