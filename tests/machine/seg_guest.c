/* seg_guest.c - loads x86's segment registers as seg_cases.h lists it and tells what came of each on the debug console:
 * vector, error code, CS and ES then, and the descriptor's accessed bit. Compiled for 32 bits and for 64; with
 * seg_start.S. */
#include "seg_cases.h"

#ifndef SEG_ACCESSES
#define SEG_ACCESSES 0
#endif

/* Of seg_start.S. */
extern uintptr_t seg_selector, seg_stack, seg_ring, seg_es, seg_target, seg_offset;
extern volatile uintptr_t seg_trapped_vector, seg_trapped_code, seg_trapped_cs, seg_trapped_es;
extern uint8_t seg_vectors[], seg_loads[], seg_accesses[], seg_long_accesses[], seg_trap_stack_top[], seg_gdt_pointer[],
    seg_pointer[];
extern uint64_t seg_gdt[];
void seg_go(void);
void seg_main(void);

#define TASK_STATE 9
#define LOCAL_TABLE 11
#define IS_64 (sizeof(uintptr_t) == 8)

static uint32_t task_state[26];
static uint64_t idt[256 * sizeof(uintptr_t) / 4], ldt[SEG_INDEX + 2];

static void machine_out(const char *text, size_t bytes)
{
    __asm__ volatile("rep outsb" : "+S"(text), "+c"(bytes) : "d"((uint16_t)0xe9) : "memory");
}

static void describe(unsigned index, uint64_t base, uint32_t limit, unsigned type)
{
    seg_gdt[index] = (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40 |
                     (uint64_t)((base >> 24) & 0xff) << 56;
    if (IS_64) seg_gdt[index + 1] = base >> 32;
}

static void make_descriptors(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uintptr_t base;
    } pointer = {sizeof idt - 1, (uintptr_t)idt};
    unsigned vector;
    for (vector = 0; vector < 256; vector++) {
        const uint64_t entry = (uintptr_t)seg_vectors + vector * 16;
        const uint64_t ring = vector == 0x80 ? 3 : 0;
        uint64_t *gate = idt + vector * (sizeof(uintptr_t) / 4);
        gate[0] = (entry & 0xffff) | 0x08 << 16 | (0x8e00 | ring << 13) << 32 | ((entry >> 16) & 0xffff) << 48;
        if (IS_64) gate[1] = 0;
    }
    task_state[1] = (uint32_t)(uintptr_t)seg_trap_stack_top; /* of ring 0 */
    task_state[2] = IS_64 ? 0 : 0x10;
    describe(TASK_STATE, (uintptr_t)task_state, sizeof task_state - 1, 9);
    describe(LOCAL_TABLE, (uintptr_t)ldt, SEG_LDT_LIMIT, 2);
    __asm__ volatile("lidt %0; ltr %w1; lldt %w2" : : "m"(pointer), "r"(TASK_STATE * 8), "r"(LOCAL_TABLE * 8));
}

static void make(const seg_case_t *c)
{
    const unsigned index = SEG_INDEX + (c->place == SEG_OUTSIDE);
    uint64_t *descriptor = (c->local ? ldt : seg_gdt) + index;
    *descriptor = seg_descriptor(c, IS_64);
    seg_selector = seg_selector_of(c);
    seg_stack = c->load == SEG_STACK ? seg_data_of(seg_ring_of(c)) - 8 : seg_data_of(c->rpl);
    seg_ring = c->cpl;
    seg_es = seg_es_of(c);
    seg_target = (uintptr_t)seg_loads + 32 * c->load;
    *(uint16_t *)(void *)(seg_pointer + 4) = (uint16_t)seg_selector;
    __asm__ volatile("" ::: "memory");
    seg_go();
    __asm__ volatile("" ::: "memory");
    machine_hex(seg_trapped_vector);
    machine_text(" ");
    machine_hex(seg_trapped_code);
    machine_text(" ");
    machine_hex(seg_trapped_cs & 0xffff);
    machine_text(" ");
    machine_hex(seg_trapped_es & 0xffff);
    machine_text(*descriptor >> 40 & 1 ? " 1\n" : " 0\n");
}

/* Vector and error code alone. */
static void make_access(const seg_access_t *a)
{
    const unsigned width = a->bytes == 1 ? 0 : a->bytes == 2 ? 1 : a->bytes == 4 ? 2 : 3;
    seg_gdt[SEG_INDEX] = seg_access_descriptor(a);
    seg_selector = SEG_INDEX << 3 | 3;
    seg_ring = 3;
    seg_es = seg_data_of(3);
    seg_offset = a->offset;
    seg_target = (uintptr_t)seg_accesses + 32 * (a->stack * 8 + a->write * 4 + width);
    __asm__ volatile("" ::: "memory");
    seg_go();
    __asm__ volatile("" ::: "memory");
    machine_hex(seg_trapped_vector);
    machine_text(" ");
    machine_hex(seg_trapped_code);
    machine_text("\n");
}

#ifdef __x86_64__
/* As far as the segment goes: there may be no page. */
static void make_long_access(const seg_long_access_t *a)
{
    const unsigned width = a->bytes == 1 ? 0 : a->bytes == 2 ? 1 : a->bytes == 4 ? 2 : 3;
    const uint32_t msr = a->way == SEG_BY_GS ? 0xc0000101 : 0xc0000100;
    if (a->way >= SEG_BY_FS)
        __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)a->base), "d"((uint32_t)(a->base >> 32)));
    seg_ring = 0;
    seg_offset = a->offset;
    seg_target = (uintptr_t)seg_long_accesses + 16 * (a->way * 8 + a->write * 4 + width);
    __asm__ volatile("" ::: "memory");
    seg_go();
    __asm__ volatile("" ::: "memory");
    machine_hex(seg_trapped_vector == 14 ? 0x80 : seg_trapped_vector);
    machine_text(" ");
    machine_hex(seg_trapped_vector == 14 ? 0 : seg_trapped_code);
    machine_text("\n");
}
#else
static void make_long_access(const seg_long_access_t *a)
{
    (void)a;
}
#endif

/* Each machine has a port that ends it. */
static void end(void)
{
    const char *text = "Shutdown";
    machine_flush_output();
    __asm__ volatile("outb %0, %1" : : "a"((uint8_t)0), "Nd"((uint16_t)0xf4));
    for (; *text; text++) __asm__ volatile("outb %0, %1" : : "a"((uint8_t)*text), "d"((uint16_t)0x8900));
    for (;;) continue;
}

/* Accesses too where SEG_ACCESSES says that the machine checks limits. */
void seg_main(void)
{
    seg_case_t c;
    seg_long_access_t far;
    seg_access_t a;
    uint32_t n;
    make_descriptors();
    machine_text("#begin\n");
    for (n = 0; n < SEG_NUMBERS; n++)
        if (seg_number(n, IS_64, &c)) make(&c);
    machine_text("#accesses\n");
    for (n = 0; n < SEG_NUMBERS && SEG_ACCESSES && !IS_64; n++)
        if (seg_access_number(n, &a)) make_access(&a);
    for (n = 0; n < SEG_LONG_NUMBERS && SEG_ACCESSES && IS_64; n++) {
        seg_long_number(n, &far);
        make_long_access(&far);
    }
    machine_text("#end\n");
    end();
}
