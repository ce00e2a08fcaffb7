/* segments.c - memory in segments, a step at a time: base and bounds, segments by the top bits of an address, a segment
 * table for each process, holes and compaction, segments over pages, and x86's descriptors. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#define KIB 1024u
#define MIB (KIB * KIB)

static uint64_t ram[64 * KIB / 8]; /* 64 KiB of physical memory */
static const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
static uint64_t block[256]; /* what is known of partitions */
static vmm_partitions_t *partitions;

/* -- 1, 2: an address and its segment -- */

static void show(const vmm_segmentation_t *g, const vmm_segment_table_t *table, vmm_vaddr_t va, unsigned access)
{
    static const char *const does[] = {"read", "write", "fetch"};
    vmm_segment_fault_t fault;
    vmm_paddr_t pa;
    printf("  %-5s %5u  ", does[access], (unsigned)va);
    if (vmm_segment_translate(g, table, va, 1, access, &pa, &fault) == VMM_OK) printf("PA %u\n", (unsigned)pa);
    else
        printf("fault: segment %u, offset %u: %s\n", (unsigned)fault.segment, (unsigned)fault.offset,
               vmm_segment_rule_text(fault.rule));
}

static void translate(void)
{
    static const vmm_segmentation_t whole = {0, 14}, by_two_bits = {2, 12};
    vmm_descriptor_t one[] = {{16 * KIB, 4 * KIB, VMM_R | VMM_W | VMM_X, false, true}};
    vmm_descriptor_t four[] = {{32 * KIB, 2 * KIB, VMM_R | VMM_X, false, true}, /* 00 code */
                               {34 * KIB, 3 * KIB, VMM_R | VMM_W, false, true}, /* 01 heap */
                               {0, 0, 0, false, false},                         /* 10 nothing */
                               {28 * KIB, 2 * KIB, VMM_R | VMM_W, true, true}}; /* 11 stack, down from 28 KiB */
    const vmm_segment_table_t base_and_bounds = {one, 1}, table = {four, 4};
    printf("1. Base 16 KiB, bounds 4 KiB\n");
    show(&whole, &base_and_bounds, 0, VMM_READ);
    show(&whole, &base_and_bounds, 3000, VMM_READ);
    show(&whole, &base_and_bounds, 4400, VMM_READ);
    printf("\n2. Code, heap and stack by the top two of 14 bits\n");
    show(&by_two_bits, &table, 100, VMM_FETCH);
    show(&by_two_bits, &table, 4200, VMM_WRITE);
    show(&by_two_bits, &table, 7 * KIB, VMM_READ);
    show(&by_two_bits, &table, 15 * KIB, VMM_WRITE);
    show(&by_two_bits, &table, 13 * KIB, VMM_WRITE);
    show(&by_two_bits, &table, 100, VMM_WRITE);
    show(&by_two_bits, &table, 8 * KIB, VMM_READ);
}

/* -- 3: where segments lie -- */

static void draw(const char *what, uint64_t unit)
{
    vmm_fragmentation_t f;
    uint32_t i, n;
    printf("  %-9s ", what);
    for (i = partitions->first; i != VMM_NO_PARTITION; i = vmm_partition_at(partitions, i)->next) {
        const vmm_partition_t *r = vmm_partition_at(partitions, i);
        for (n = 0; n < r->bytes / unit; n++) putchar(r->state == VMM_PARTITION_HOLE ? '.' : (int)r->owner);
    }
    vmm_partitions_measure(partitions, &f);
    printf("|  holes %u, largest %u of %u, fragmentation %u.%u %%\n", (unsigned)f.holes, (unsigned)(f.largest / unit),
           (unsigned)(f.free / unit), (unsigned)f.permille / 10, (unsigned)f.permille % 10);
}

static uint32_t take(unsigned fit, uint64_t bytes, char owner)
{
    uint32_t partition = VMM_NO_PARTITION;
    if (vmm_partition_alloc(partitions, fit, bytes, (uint32_t)owner, &partition) != VMM_OK)
        printf("  %c: no hole has %u bytes\n", owner, (unsigned)bytes);
    return partition;
}

static void place(void)
{
    static const unsigned fits[] = {VMM_FIRST_FIT, VMM_NEXT_FIT, VMM_BEST_FIT, VMM_WORST_FIT};
    static const char *const names[] = {"first fit", "next fit", "best fit", "worst fit"};
    static const unsigned holes[] = {4, 8, 3, 6};
    size_t i;
    printf("\n3. A of 5 and B of 2 KiB into holes of 4, 8, 3 and 6 KiB\n");
    for (i = 0; i < 4; i++) {
        uint32_t hole[4], h;
        vmm_partitions_create(block, sizeof block, 0, 24 * KIB, 16, &partitions);
        for (h = 0; h < 4; h++) {
            hole[h] = take(VMM_FIRST_FIT, holes[h] * KIB, '?');
            if (h < 3) take(VMM_FIRST_FIT, KIB, '#');
        }
        for (h = 0; h < 4; h++) vmm_partition_free(partitions, hole[h]);
        take(fits[i], 5 * KIB, 'A');
        take(fits[i], 2 * KIB, 'B');
        draw(names[i], KIB);
    }
}

/* -- 4: compaction -- */

static int move(void *user, uint32_t partition, vmm_paddr_t to, vmm_paddr_t from, uint64_t bytes)
{
    (void)user;
    printf("  %c moves from %u to %u: %u MiB are copied\n", (char)vmm_partition_at(partitions, partition)->owner,
           (unsigned)(from / MIB), (unsigned)(to / MIB), (unsigned)(bytes / MIB));
    return 0;
}

static void make_room(void)
{
    const vmm_mover_t mover = {move, 0, 0, 0, 0, 0, 1};
    vmm_moves_t moves = {0, 0, 0};
    uint32_t low, high;
    printf("\n4. 200 MiB are wanted, two holes of 128 MiB are there\n");
    vmm_partitions_create(block, sizeof block, 0, 512ull * MIB, 16, &partitions);
    low = take(VMM_FIRST_FIT, 128 * MIB, 'A');
    take(VMM_FIRST_FIT, 128 * MIB, 'B');
    high = take(VMM_FIRST_FIT, 128 * MIB, 'C');
    take(VMM_FIRST_FIT, 128 * MIB, 'D');
    vmm_partition_free(partitions, low);
    vmm_partition_free(partitions, high);
    draw("before", 16 * MIB);
    take(VMM_BEST_FIT, 200 * MIB, 'E');
    vmm_partitions_compact(partitions, 200 * MIB, &mover, &moves);
    draw("compacted", 16 * MIB);
    take(VMM_BEST_FIT, 200 * MIB, 'E');
    draw("E is in", 16 * MIB);
    printf("  %u MiB copied; at 1 ns a byte %u ms\n", (unsigned)(moves.bytes / MIB),
           (unsigned)(moves.cycles / 1000000));
}

/* -- 5: segments over pages -- */

static void page(void)
{
    static const vmm_segmentation_t g = {2, 28};
    static vmm_mmu_t mmu; /* 32 bits, two levels, pages of 4 KiB: the defaults of vmm_config.h */
    static uint8_t side[VMM_FRAMES_BYTES(8)];
    vmm_descriptor_t data = {0x8123, 3 * KIB, VMM_R | VMM_W, false, true};
    const vmm_segment_table_t table = {&data, 1};
    vmm_frames_t frames;
    vmm_tables_t tables = {&memory, 0x1000, 0, vmm_frames_take, vmm_frames_give, &frames, 0, 0};
    vmm_segment_fault_t fault;
    vmm_vaddr_t linear = 0;
    vmm_init(&mmu, &memory);
    vmm_set_root(&mmu, 0x1000, 0);
    vmm_frames_init(&frames, 0x2000, 12, 8, side, sizeof side);
    vmm_map(&tables, 0x8000, 0xc000, 4 * KIB, VMM_R | VMM_W | VMM_X);
    printf("\n5. A segment at linear 0x8123, in a page whose frame is at 0xc000\n");
    vmm_segment_translate(&g, &table, 100, 1, VMM_WRITE, &linear, &fault);
    printf("  offset 100 is linear 0x%x:\n\n", (unsigned)linear);
    vmm_explain(&mmu, linear, stdout);
}

/* -- 6: x86 -- */

static void x86(void)
{
    static const uint64_t gdt[] = {0, UINT64_C(0x00cf9a000000ffff), /* 08 code, 4 GiB */
                                   UINT64_C(0x0040920000ab0fff),    /* 10 data at 0xab, 4 KiB */
                                   UINT64_C(0x00409600000000ff),    /* 18 a stack, above 0xff */
                                   UINT64_C(0x0040120000000fff)};   /* 20 not present */
    static const char *const faults[] = {"#NP", "#SS", "#GP"};
    static const struct {
        uint8_t number;
        uint16_t selector;
        uint64_t offset;
    } tries[] = {{VMM_X86_DS, 0x10, 0xffc}, {VMM_X86_DS, 0x10, 0xffd}, {VMM_X86_SS, 0x18, 0x100},
                 {VMM_X86_SS, 0x18, 0xff},  {VMM_X86_DS, 0x20, 0},     {VMM_X86_SS, 0x20, 0},
                 {VMM_X86_SS, 0x13, 0},     {VMM_X86_DS, 0x28, 0},     {VMM_X86_DS, 0x00, 0}};
    vmm_x86_segments_t s;
    vmm_vaddr_t linear;
    size_t i;
    VMM_COPY(ram, gdt, sizeof gdt); /* the window's bytes are little-endian, as this host's are */
    vmm_x86_segments_init(&s, &memory);
    s.mode = VMM_X86_PROTECTED;
    s.gdt_limit = sizeof gdt - 1;
    printf("\n6. x86: load a register, then write 4 bytes\n");
    for (i = 0; i < sizeof tries / sizeof *tries; i++) {
        const unsigned number = tries[i].number;
        printf("  %s = 0x%02x, offset 0x%03x:  ", number == VMM_X86_SS ? "SS" : "DS", tries[i].selector,
               (unsigned)tries[i].offset);
        if (vmm_x86_load_segment(&s, number, tries[i].selector) == VMM_OK &&
            vmm_x86_linear(&s, number, VMM_WRITE, tries[i].offset, 4, &linear) == VMM_OK)
            printf("linear 0x%x\n", (unsigned)linear);
        else printf("%s(0x%x)  %s\n", faults[s.fault.cause - 11], s.fault.code, vmm_segment_rule_text(s.fault.rule));
    }
}

int main(void)
{
    translate();
    place();
    make_room();
    page();
    x86();
    return 0;
}
