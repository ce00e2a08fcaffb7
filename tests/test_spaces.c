/* test_spaces.c - vmm.h, section 16: the calls of an operating system. Every error of every contract with the state
 * unchanged after it, and Linux's rules: how areas split, merge and are placed. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#include <limits.h>

#define PAGE UINT64_C(4096)
#define FRAMES 256u
#define SLOTS 256u
#define FILE_PAGES 16u
#define BASE UINT64_C(0x40000000) /* the tests' areas are told in pages from here */
#define AT(page) (BASE + (uint64_t)(page)*PAGE)
#define RW ((uint32_t)VMM_R | VMM_W)
#define ANON ((uint32_t)VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS)
#define SHARED_ANON ((uint32_t)VMM_MAP_SHARED | VMM_MAP_ANONYMOUS)

static const vmm_layout_t plain_layout = {"plain",    0x10000, 0x80000000, 0x100000, BASE, BASE + 0x100000,
                                          0x7ffff000, 0,       64 * 4096,  4,        false};

static uint64_t ram[FRAMES * PAGE / 8 + 512];
static uint8_t disk[SLOTS][PAGE], content[FILE_PAGES][PAGE];
static unsigned file_reads, file_writes;
static bool writes_fail;
static vmm_memory_t memory;
static vmm_machine_options_t options;
static vmm_layout_t layout;
static void *block;
static vmm_machine_t *m;
static vmm_space_t *space;

VMM_MMU(rv, VMM_RISCV64)
static rv_mmu_t rv;
static unsigned slot_reads, most_slot_reads;

/* -- callbacks -- */

static int write_slot(void *user, uint32_t slot, const void *page)
{
    (void)user;
    memcpy(disk[slot], page, PAGE);
    return 0;
}
static int read_slot(void *user, uint32_t slot, void *page)
{
    (void)user;
    if (++slot_reads > most_slot_reads) return 1;
    memcpy(page, disk[slot], PAGE);
    return 0;
}
static int read_page(void *user, uint64_t page, void *to)
{
    (void)user;
    file_reads++;
    memcpy(to, content[page], PAGE);
    return 0;
}
static int write_page(void *user, uint64_t page, const void *from)
{
    (void)user;
    file_writes++;
    if (writes_fail) return 1;
    memcpy(content[page], from, PAGE);
    return 0;
}
static bool refuse(void *user, vmm_space_t *victim)
{
    (void)user;
    (void)victim;
    return false;
}

/* -- a machine -- */

static void prepare(void)
{
    memset(&memory, 0, sizeof memory);
    memory.ram = (void *)(((uintptr_t)ram + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    memory.base = 0x80000000;
    memory.size = FRAMES * PAGE;
    memset(&options, 0, sizeof options);
    layout = plain_layout;
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.layout = &layout;
    options.slots = SLOTS;
    options.kill = refuse;
    file_reads = file_writes = 0;
    writes_fail = false;
    slot_reads = 0;
    most_slot_reads = UINT_MAX;
}

static void start(void)
{
    const uint64_t bytes = vmm_machine_bytes(&options);
    assert_true(bytes > 0);
    block = malloc((size_t)bytes);
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, bytes, &options, &m), VMM_OK);
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
}

static void make(void)
{
    prepare();
    start();
}

static void unmake(void)
{
    assert_true(vmm_check(m));
    free(block);
}

static void add_swap(uint32_t slots)
{
    vmm_swap_area_t swap;
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    swap.slots = slots;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
}

static uint32_t make_object(unsigned kind, uint64_t pages, bool read_only)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    memset(&o, 0, sizeof o);
    o.kind = (uint8_t)kind;
    o.size = pages * PAGE;
    o.read_only = read_only;
    o.read_page = read_page;
    o.write_page = write_page;
    o.name = "file";
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

/* -- what a space looks like -- */

/* Its areas in pages from BASE, as "0+2 rw-p, 4+1 r--s": start, length, protection, private or shared. */
static const char *areas_of(const vmm_space_t *s)
{
    static char text[2048];
    uint32_t number = vmm_area_first(s);
    size_t at = 0;
    text[0] = '\0';
    for (; number; number = vmm_area_next(s, number)) {
        const vmm_area_t *a = vmm_area_at(m, number);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld+%llu %c%c%c%c", at ? ", " : "",
                               (long long)((int64_t)(a->start - BASE) / (int64_t)PAGE),
                               (unsigned long long)((a->end - a->start) / PAGE), a->flags & VMM_R ? 'r' : '-',
                               a->flags & VMM_W ? 'w' : '-', a->flags & VMM_X ? 'x' : '-',
                               a->flags & VMM_AREA_SHARED ? 's' : 'p');
        assert_true(at < sizeof text);
    }
    return text;
}

#define assert_areas(text) assert_string_equal(areas_of(space), text)

/* What a call that fails must leave as it was. */
static struct {
    char areas[2048];
    uint64_t committed, total, data, stack, locked, tables, resident;
    uint32_t free_frames, areas_used, objects_used, spaces_used, kins_used;
    vmm_vaddr_t brk;
} before;

static void note(void)
{
    memset(&before, 0, sizeof before);
    strcpy(before.areas, areas_of(space));
    before.committed = m->committed;
    before.total = space->stats.total;
    before.data = space->stats.data;
    before.stack = space->stats.stack;
    before.locked = space->stats.locked;
    before.tables = space->stats.tables;
    before.resident = space->stats.anon + space->stats.file + space->stats.shared;
    before.free_frames = m->frames.free_frames;
    before.areas_used = m->areas.used;
    before.objects_used = m->objects.used;
    before.spaces_used = m->spaces.used;
    before.kins_used = m->kins.used;
    before.brk = space->brk;
}

static void assert_as_noted(void)
{
    assert_string_equal(areas_of(space), before.areas);
    assert_int_equal(m->committed, before.committed);
    assert_int_equal(space->stats.total, before.total);
    assert_int_equal(space->stats.data, before.data);
    assert_int_equal(space->stats.stack, before.stack);
    assert_int_equal(space->stats.locked, before.locked);
    assert_int_equal(space->stats.tables, before.tables);
    assert_int_equal(space->stats.anon + space->stats.file + space->stats.shared, before.resident);
    assert_int_equal(m->frames.free_frames, before.free_frames);
    assert_int_equal(m->areas.used, before.areas_used);
    assert_int_equal(m->objects.used, before.objects_used);
    assert_int_equal(m->spaces.used, before.spaces_used);
    assert_int_equal(m->kins.used, before.kins_used);
    assert_int_equal(space->brk, before.brk);
    assert_true(vmm_check(m));
}

/* A call that must fail so, and change nothing. */
#define assert_refused(call, status)                                                                                   \
    do {                                                                                                               \
        note();                                                                                                        \
        assert_int_equal(call, status);                                                                                \
        assert_as_noted();                                                                                             \
    } while (0)

/* -- short forms -- */

static vmm_vaddr_t got; /* where the last mapping is */

static vmm_status_t map(int page, unsigned pages, uint32_t protection, uint32_t flags)
{
    return vmm_mmap(space, AT(page), pages * PAGE, protection, flags | VMM_MAP_FIXED, 0, 0, &got);
}

static vmm_status_t map_file(int page, unsigned pages, uint32_t protection, uint32_t flags, uint32_t object,
                             unsigned first)
{
    return vmm_mmap(space, AT(page), pages * PAGE, protection, flags | VMM_MAP_FIXED, object, first * PAGE, &got);
}

static vmm_status_t write_byte(vmm_space_t *s, vmm_vaddr_t va, uint8_t byte)
{
    return vmm_space_write(s, va, &byte, 1);
}

static int read_byte(vmm_space_t *s, vmm_vaddr_t va)
{
    uint8_t byte = 0;
    return vmm_space_read(s, va, &byte, 1) ? -1 : byte;
}

static void touch_pages(int page, unsigned pages)
{
    unsigned i;
    for (i = 0; i < pages; i++)
        assert_int_equal(write_byte(space, AT(page + (int)i), (uint8_t)(page + (int)i + 1)), VMM_OK);
}

/* ---------------------------------------------------------------------------- machine -- */

static void assert_no_machine(vmm_status_t status)
{
    static uint64_t room[1 << 17];
    vmm_machine_t *made = NULL;
    assert_int_equal(vmm_machine_create(room, sizeof room, &options, &made), status);
    assert_null(made);
    assert_int_equal(vmm_machine_bytes(&options), 0);
    prepare();
}

static void options_that_make_no_machine_are_refused(void **state)
{
    static vmm_paging_t no_format; /* all zero */
    static uint64_t room[1 << 17];
    vmm_machine_t *made = NULL;
    vmm_machine_options_t mine;
    uint64_t bytes;
    (void)state;
    prepare();
    mine = options;
    bytes = vmm_machine_bytes(&mine);
    assert_true(bytes > 0 && bytes <= sizeof room);
    assert_int_equal(vmm_machine_create(NULL, bytes, &mine, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_machine_create(room, bytes, NULL, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_machine_create(room, bytes - 1, &mine, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_machine_create(room, 64, &mine, &made), VMM_E_ARGUMENT);
    assert_int_equal(vmm_machine_create((uint8_t *)room + 4, bytes, &mine, &made), VMM_E_ALIGN);
    assert_int_equal(vmm_machine_create(room, bytes, &mine, &made), VMM_OK);
    options.memory = NULL;
    assert_no_machine(VMM_E_ARGUMENT);
    options.paging = NULL;
    assert_no_machine(VMM_E_ARGUMENT);
    options.paging = &no_format;
    assert_no_machine(VMM_E_ARGUMENT);
    options.paging = &vmm_arm64_4k;
    assert_no_machine(VMM_E_ARGUMENT);
    options.spaces = 0x10000;
    assert_no_machine(VMM_E_ARGUMENT);
    options.overcommit = 3;
    assert_no_machine(VMM_E_ARGUMENT);
    options.huge = 3;
    assert_no_machine(VMM_E_ARGUMENT);
    options.asid_bits = 17;
    assert_no_machine(VMM_E_ARGUMENT);
    options.fault_around = 3;
    assert_no_machine(VMM_E_ARGUMENT);
    options.read_ahead = 6;
    assert_no_machine(VMM_E_ARGUMENT);
    options.swap_cluster = 12;
    assert_no_machine(VMM_E_ARGUMENT);
    memory.size = 15 * PAGE;
    assert_no_machine(VMM_E_RANGE);
    options.slots = UINT32_C(1) << 30;
    assert_no_machine(VMM_E_RANGE);
    layout.top = UINT64_C(1) << 39;
    assert_no_machine(VMM_E_RANGE);
    layout.lowest = layout.top;
    assert_no_machine(VMM_E_RANGE);
    layout.mmap_low = layout.mmap_high;
    assert_no_machine(VMM_E_RANGE);
    layout.mmap_high = layout.top + PAGE;
    assert_no_machine(VMM_E_RANGE);
}

static void a_machine_whose_kernel_half_does_not_fit_is_refused(void **state)
{
    static uint64_t room[1 << 17];
    vmm_machine_t *made = NULL;
    (void)state;
    prepare();
    layout = vmm_layout_48; /* its direct map wants a table for each 2 MiB that RAM touches, and three above */
    options.paging = &vmm_sv48;
    memory.base = 0x80000000;
    memory.size = 16 * PAGE;
    assert_int_equal(vmm_machine_create(room, sizeof room, &options, &made), VMM_OK);
    assert_int_equal(made->frames.free_frames, 16 - 1 - 4);
    layout.direct = UINT64_C(0xffff8000000ff000); /* not congruent: small pages only, in two tables */
    assert_int_equal(vmm_machine_create(room, sizeof room, &options, &made), VMM_OK);
    assert_true(made->frames.free_frames <= 16 - 1 - 4);
    layout.direct += 1;
    assert_int_not_equal(vmm_machine_create(room, sizeof room, &options, &made), VMM_OK);
}

static void zero_is_the_default_of_every_option(void **state)
{
    (void)state;
    make();
    assert_ptr_equal(m->options.replacement, &vmm_replace_two_lists);
    assert_int_equal(m->options.overcommit_ratio, 50);
    assert_int_equal(m->options.spaces, 64);
    assert_int_equal(m->options.areas, 4096);
    assert_int_equal(m->options.areas_of_space, 65530);
    assert_int_equal(m->options.objects, 64);
    assert_int_equal(m->options.watermark_min, 4);
    assert_int_equal(m->options.watermark_low, 5);
    assert_int_equal(m->options.watermark_high, 6);
    assert_int_equal(m->options.tick, 64);
    unmake();
    prepare();
    options.layout = NULL;
    start();
    assert_string_equal(m->layout.name, vmm_layout_39.name);
    unmake();
}

static void swap_areas_are_refused_when_bad_and_filled_by_priority(void **state)
{
    vmm_swap_area_t swap;
    unsigned i;
    (void)state;
    make();
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_ARGUMENT);
    swap.slots = 8;
    swap.read_slot = NULL;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_ARGUMENT);
    swap.read_slot = read_slot;
    swap.write_slot = NULL;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_ARGUMENT);
    swap.write_slot = write_slot;
    swap.slots = SLOTS + 1;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_RANGE);
    assert_int_equal(m->slot_count, 0);
    assert_int_equal(m->swaps, 0);
    swap.slots = 8;
    for (i = 0; i < VMM_SWAP_AREAS; i++) {
        swap.priority = (int32_t)(i % 3);
        assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    }
    assert_int_equal(vmm_swap_add(m, &swap), VMM_E_RANGE);
    assert_int_equal(m->slot_count, 8 * VMM_SWAP_AREAS);
    for (i = 1; i < VMM_SWAP_AREAS; i++) assert_true(m->swap[i - 1].area.priority >= m->swap[i].area.priority);
    unmake();
}

static void spaces_are_as_many_as_records_and_frames_allow(void **state)
{
    vmm_space_t *s[4];
    (void)state;
    prepare();
    options.spaces = 3;
    start();
    assert_int_equal(vmm_space_create(m, &s[0]), VMM_OK);
    assert_int_equal(vmm_space_create(m, &s[1]), VMM_OK);
    assert_refused(vmm_space_create(m, &s[2]), VMM_E_NO_FRAME);
    vmm_exit(s[0]);
    assert_int_equal(vmm_space_create(m, &s[0]), VMM_OK);
    unmake();
    prepare();
    memory.size = 16 * PAGE;
    options.watermark_min = options.watermark_low = 12;
    options.watermark_high = 13;
    start();
    assert_int_equal(vmm_space_create(m, &s[0]), VMM_OK);
    assert_int_equal(vmm_space_create(m, &s[1]), VMM_OK);
    assert_int_equal(m->frames.free_frames, 12);
    assert_refused(vmm_space_create(m, &s[2]), VMM_E_NO_FRAME);
    unmake();
}

static void a_space_that_ends_gives_everything_back(void **state)
{
    vmm_space_t *s;
    uint32_t object;
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    s = space;
    note();
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
    assert_int_equal(map(0, 8, RW, ANON), VMM_OK);
    assert_int_equal(map(8, 4, RW, SHARED_ANON), VMM_OK);
    assert_int_equal(map_file(16, 4, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    touch_pages(0, 12);
    touch_pages(16, 4);
    vmm_exit(space);
    space = s;
    assert_int_equal(file_writes, 4);
    assert_int_equal(vmm_object_truncate(m, object, 0), VMM_OK); /* the cache's frames too */
    assert_as_noted();
    unmake();
}

/* -- processors -- */

static unsigned installs, flush_alls;
static vmm_paddr_t installed;
static uint16_t installed_asid;

static void cpu_install(void *mmu, vmm_paddr_t root, uint16_t asid)
{
    (void)mmu;
    installs++;
    installed = root;
    installed_asid = asid;
}
static void cpu_flush(void *mmu, const vmm_flush_t *what)
{
    (void)mmu;
    (void)what;
}
static void cpu_flush_all(void *mmu)
{
    (void)mmu;
    flush_alls++;
}

static uint32_t attach_one(void)
{
    vmm_cpu_t cpu;
    uint32_t number = 99;
    memset(&cpu, 0, sizeof cpu);
    cpu.install = cpu_install;
    cpu.flush = cpu_flush;
    cpu.flush_all = cpu_flush_all;
    assert_int_equal(vmm_machine_attach(m, &cpu, &number), VMM_OK);
    return number;
}

static void processors_are_attached_up_to_their_number(void **state)
{
    vmm_cpu_t cpu;
    uint32_t i, number = 0;
    (void)state;
    make();
    memset(&cpu, 0, sizeof cpu);
    cpu.install = cpu_install;
    cpu.flush = cpu_flush;
    assert_int_equal(vmm_machine_attach(m, &cpu, &number), VMM_E_ARGUMENT);
    assert_int_equal(m->cpus, 0);
    assert_int_equal(vmm_space_switch(space, 0), VMM_E_RANGE);
    for (i = 0; i < VMM_MACHINE_CPUS; i++) assert_int_equal(attach_one(), i);
    cpu.flush_all = cpu_flush_all;
    assert_int_equal(vmm_machine_attach(m, &cpu, &number), VMM_E_RANGE);
    assert_int_equal(vmm_space_switch(space, VMM_MACHINE_CPUS), VMM_E_RANGE);
    assert_null(vmm_space_running(m, 0));
    assert_null(vmm_space_running(m, m->cpus));
    assert_int_equal(vmm_space_switch(space, 3), VMM_OK);
    assert_ptr_equal(vmm_space_running(m, 3), space);
    vmm_exit(space);
    assert_null(vmm_space_running(m, 3));
    assert_true(vmm_check(m));
    free(block);
}

static void switching_flushes_only_when_asids_run_out(void **state)
{
    vmm_space_t *s[5];
    uint32_t cpu;
    unsigned i;
    (void)state;
    prepare();
    options.asid_bits = 2; /* 1, 2 and 3 */
    start();
    cpu = attach_one();
    s[0] = space;
    for (i = 1; i < 5; i++) assert_int_equal(vmm_space_create(m, &s[i]), VMM_OK);
    installs = flush_alls = 0;
    for (i = 0; i < 3; i++) {
        assert_int_equal(vmm_space_switch(s[i], cpu), VMM_OK);
        assert_int_equal(installed_asid, i + 1);
        assert_int_equal(installed, s[i]->root);
    }
    assert_int_equal(flush_alls, 1); /* the first, of whatever was there before */
    assert_int_equal(vmm_space_switch(s[0], cpu), VMM_OK);
    assert_int_equal(vmm_space_switch(s[0], cpu), VMM_OK); /* it runs already */
    assert_int_equal(installs, 4);
    assert_int_equal(flush_alls, 1);
    assert_int_equal(vmm_space_switch(s[3], cpu), VMM_OK); /* none is left: a new generation */
    assert_int_equal(flush_alls, 2);
    assert_int_equal(installed_asid, 1);
    assert_int_equal(vmm_space_switch(s[0], cpu), VMM_OK);
    assert_int_equal(installed_asid, 2);
    assert_int_equal(flush_alls, 2);
    assert_int_equal(m->stats.switches, 6);
    assert_int_equal(m->stats.switch_flushes, 2);
    unmake();
}

static void without_asids_every_switch_flushes(void **state)
{
    vmm_space_t *other;
    uint32_t cpu;
    unsigned i;
    (void)state;
    make();
    cpu = attach_one();
    assert_int_equal(vmm_space_create(m, &other), VMM_OK);
    flush_alls = 0;
    for (i = 0; i < 6; i++) assert_int_equal(vmm_space_switch(i % 2 ? other : space, cpu), VMM_OK);
    assert_int_equal(flush_alls, 6);
    assert_int_equal(installed_asid, 0);
    assert_int_equal(m->stats.switch_flushes, 6);
    unmake();
}

/* -------------------------------------------------------------------------------- mmap -- */

static void arguments_that_are_none_are_refused_by_mmap(void **state)
{
    static const struct {
        uint64_t wish, bytes;
        uint32_t protection, flags;
        int object; /* 0: none; 1: a file; 2: a read-only one */
        uint64_t offset;
        vmm_status_t status;
        int number; /* Linux's */
    } cases[] = {
        {0, 0, VMM_R, ANON, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_U, ANON, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, VMM_MAP_ANONYMOUS, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, ANON | VMM_MAP_SHARED, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, VMM_MAP_PRIVATE, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, ANON, 1, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, VMM_MAP_PRIVATE, 1, 1, VMM_E_ALIGN, 22},
        {0, PAGE, VMM_R, SHARED_ANON | VMM_MAP_GROWSDOWN, 0, 0, VMM_E_ARGUMENT, 22},
        {0, PAGE, VMM_R, VMM_MAP_PRIVATE | VMM_MAP_GROWSDOWN, 1, 0, VMM_E_ARGUMENT, 22},
        {AT(0) + 1, PAGE, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, VMM_E_ALIGN, 22},
        {AT(0) + 1, PAGE, VMM_R, ANON | VMM_MAP_FIXED_NOREPLACE, 0, 0, VMM_E_ALIGN, 22},
        {AT(0), PAGE, VMM_R, ANON | VMM_MAP_FIXED_NOREPLACE, 0, 0, VMM_E_MAPPED, 17},
        {AT(-3), 4 * PAGE, VMM_R, ANON | VMM_MAP_FIXED_NOREPLACE, 0, 0, VMM_E_MAPPED, 17},
        {AT(1), 4 * PAGE, VMM_R, ANON | VMM_MAP_FIXED_NOREPLACE, 0, 0, VMM_E_MAPPED, 17},
        {0, PAGE, RW, VMM_MAP_SHARED, 2, 0, VMM_E_ACCESS, 13},
        {0xf000, PAGE, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, VMM_E_DENIED, 1},
        {0x80000000, PAGE, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, VMM_E_LIMIT, 12},
        {0x7ffff000, 2 * PAGE, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, VMM_E_LIMIT, 12},
        {0, 0x80000000, VMM_R, ANON, 0, 0, VMM_E_LIMIT, 12},
        {0, UINT64_MAX, VMM_R, ANON, 0, 0, VMM_E_LIMIT, 12},
        {0, UINT64_MAX - PAGE, VMM_R, ANON, 0, 0, VMM_E_LIMIT, 12},
        {0, 0x3f000000, RW, ANON, 0, 0, VMM_E_NO_FRAME, 12},
    };
    uint32_t objects[3] = {0, 0, 0};
    size_t i;
    (void)state;
    make();
    objects[1] = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    objects[2] = make_object(VMM_OBJECT_FILE, FILE_PAGES, true);
    assert_int_equal(map(0, 2, VMM_R, ANON), VMM_OK);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vmm_status_t status;
        note();
        status = vmm_mmap(space, cases[i].wish, cases[i].bytes, cases[i].protection, cases[i].flags,
                          objects[cases[i].object], cases[i].offset, &got);
        if (status != cases[i].status) fail_msg("case %zu: %d, not %d", i, (int)status, (int)cases[i].status);
        assert_int_equal(vmm_status_errno(status), cases[i].number);
        assert_as_noted();
    }
    unmake();
}

static void lengths_are_rounded_up_to_pages(void **state)
{
    (void)state;
    make();
    assert_int_equal(vmm_mmap(space, AT(0), 1, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, &got), VMM_OK);
    assert_int_equal(vmm_mmap(space, AT(2), PAGE + 1, VMM_R, ANON | VMM_MAP_FIXED, 0, 0, &got), VMM_OK);
    assert_areas("0+1 r--p, 2+2 r--p");
    assert_int_equal(vmm_munmap(space, AT(2), 1), VMM_OK);
    assert_areas("0+1 r--p, 3+1 r--p");
    assert_int_equal(vmm_mprotect(space, AT(3), 1, VMM_X), VMM_OK);
    assert_areas("0+1 r--p, 3+1 --xp");
    unmake();
}

static void without_a_wish_the_highest_gap_is_filled_from_its_top(void **state)
{
    (void)state;
    make(); /* mappings lie in pages 0 to 256 */
    assert_int_equal(vmm_mmap(space, 0, 4 * PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(252));
    assert_int_equal(vmm_mmap(space, 0, 4 * PAGE, VMM_W, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(248));
    assert_int_equal(vmm_mmap(space, 0, 4 * PAGE, VMM_X, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(vmm_munmap(space, AT(248), 4 * PAGE), VMM_OK);
    assert_int_equal(vmm_mmap(space, 0, 3 * PAGE, RW, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(249)); /* the top of the hole */
    assert_int_equal(vmm_mmap(space, 0, 2 * PAGE, RW, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(242)); /* too wide for what is left of it */
    assert_int_equal(vmm_mmap(space, 0, PAGE, VMM_R | VMM_X, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(248));
    assert_areas("242+2 rw-p, 244+4 --xp, 248+1 r-xp, 249+3 rw-p, 252+4 r--p");
    unmake();
}

static void when_mappings_have_no_room_the_lowest_gap_of_all_is_taken(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 256, VMM_R, ANON), VMM_OK);
    assert_int_equal(vmm_mmap(space, 0, PAGE, VMM_W, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, layout.lowest);
    unmake();
}

static void bottom_up_the_lowest_gap_is_filled_from_its_bottom(void **state)
{
    (void)state;
    prepare();
    layout.bottom_up = true;
    start();
    assert_int_equal(vmm_mmap(space, 0, 4 * PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(0));
    assert_int_equal(vmm_mmap(space, 0, 4 * PAGE, VMM_W, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(4));
    assert_int_equal(vmm_munmap(space, AT(1), 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_mmap(space, 0, 3 * PAGE, VMM_X, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(8));
    assert_int_equal(vmm_mmap(space, 0, PAGE, VMM_X, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(1));
    unmake();
}

static void a_wish_is_followed_where_it_is_free(void **state)
{
    (void)state;
    make();
    assert_int_equal(vmm_mmap(space, AT(10), 2 * PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(10));
    assert_int_equal(vmm_mmap(space, AT(20) + 123, PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(20)); /* rounded down */
    assert_int_equal(vmm_mmap(space, AT(9), 2 * PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(254)); /* not free: as without a wish */
    assert_int_equal(vmm_mmap(space, AT(9), PAGE, VMM_W, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(9));
    assert_int_equal(vmm_mmap(space, 0x1000, PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, layout.lowest); /* nothing is mapped below */
    assert_int_equal(vmm_mmap(space, layout.top - PAGE, PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, layout.top - PAGE);
    assert_int_equal(vmm_mmap(space, layout.top, PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_true(got < AT(254)); /* outside: as without a wish */
    unmake();
}

static void the_guard_below_a_stack_is_kept_free_but_not_from_fixed_mappings(void **state)
{
    (void)state;
    make(); /* four pages of guard */
    assert_int_equal(map(250, 2, RW, ANON | VMM_MAP_GROWSDOWN), VMM_OK);
    assert_int_equal(vmm_mmap(space, AT(247), 2 * PAGE, VMM_R, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(254)); /* a wish in the guard is none */
    assert_int_equal(vmm_mmap(space, 0, 3 * PAGE, VMM_X, ANON, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(243)); /* below the guard */
    assert_int_equal(map(248, 1, VMM_R, ANON), VMM_OK);
    assert_areas("243+3 --xp, 248+1 r--p, 250+2 rw-p, 254+2 r--p");
    assert_int_equal(space->stats.stack, 2);
    unmake();
}

static void fixed_mappings_replace_what_was_there(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 8, RW, ANON), VMM_OK);
    touch_pages(0, 8);
    assert_int_equal(map(2, 3, VMM_R, ANON), VMM_OK);
    assert_areas("0+2 rw-p, 2+3 r--p, 5+3 rw-p");
    assert_int_equal(space->stats.anon, 5);
    assert_int_equal(read_byte(space, AT(1)), 2);
    assert_int_equal(read_byte(space, AT(2)), 0);
    assert_int_equal(read_byte(space, AT(4)), 0);
    assert_int_equal(read_byte(space, AT(5)), 6);
    assert_int_equal(map(1, 6, VMM_X, ANON), VMM_OK); /* over three areas */
    assert_areas("0+1 rw-p, 1+6 --xp, 7+1 rw-p");
    assert_int_equal(m->committed, 2);
    assert_int_equal(vmm_mmap(space, AT(8), PAGE, RW, ANON | VMM_MAP_FIXED_NOREPLACE, 0, 0, &got), VMM_OK);
    assert_areas("0+1 rw-p, 1+6 --xp, 7+2 rw-p");
    unmake();
}

static void populated_and_locked_mappings_are_resident_at_once(void **state)
{
    (void)state;
    make();
    add_swap(SLOTS);
    assert_int_equal(map(0, 4, RW, ANON | VMM_MAP_POPULATE), VMM_OK);
    assert_int_equal(space->stats.anon, 4);
    assert_int_equal(space->stats.locked, 0);
    assert_int_equal(map(8, 4, RW, ANON | VMM_MAP_LOCKED), VMM_OK);
    assert_int_equal(space->stats.anon, 8);
    assert_int_equal(space->stats.locked, 4);
    assert_int_equal(map(16, 4, 0, ANON | VMM_MAP_POPULATE), VMM_OK); /* nothing can be had: no error */
    assert_int_equal(space->stats.anon, 8);
    assert_int_equal(space->signal.number, 0);
    unmake();
}

static void a_mapping_that_promises_nothing_is_not_counted(void **state)
{
    uint32_t object;
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(m->committed, 2);
    assert_int_equal(map(4, 2, RW, ANON | VMM_MAP_NORESERVE), VMM_OK);
    assert_int_equal(map(8, 2, VMM_R, ANON), VMM_OK);
    assert_int_equal(map_file(12, 2, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(m->committed, 2);
    assert_int_equal(map_file(16, 2, RW, VMM_MAP_PRIVATE, object, 0), VMM_OK);
    assert_int_equal(m->committed, 4);
    assert_int_equal(vmm_mprotect(space, AT(4), 2 * PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_mprotect(space, AT(4), 2 * PAGE, RW), VMM_OK);
    assert_int_equal(m->committed, 4);
    assert_int_equal(vmm_mprotect(space, AT(8), 2 * PAGE, RW), VMM_OK);
    assert_int_equal(m->committed, 6);
    assert_int_equal(vmm_mprotect(space, AT(8), 2 * PAGE, VMM_R), VMM_OK); /* untouched: the promise goes */
    assert_int_equal(m->committed, 4);
    touch_pages(0, 1);
    assert_int_equal(vmm_mprotect(space, AT(0), 2 * PAGE, VMM_R), VMM_OK); /* touched: it stays */
    assert_int_equal(m->committed, 4);
    unmake();
}

/* --------------------------------------------------------------- how areas are one or two -- */

/* Two mappings side by side: whether they are one area (Linux, mm/vma.c: is_mergeable_vma, is_mergeable_anon_vma,
 * can_vma_merge_after). Objects: 0 none, 1 and 2 files. */
static void neighbours_are_one_area_where_linux_merges_them(void **state)
{
    static const struct {
        const char *what;
        uint32_t protection[2], flags[2];
        int object[2];
        unsigned first[2]; /* page of the object */
        unsigned touched;  /* bit 0: the lower, bit 1: the upper, before they meet */
        bool one;
    } cases[] = {
        {"alike", {RW, RW}, {ANON, ANON}, {0, 0}, {0, 0}, 0, true},
        {"lower touched", {RW, RW}, {ANON, ANON}, {0, 0}, {0, 0}, 1, true},
        {"protection", {RW, VMM_R}, {ANON, ANON}, {0, 0}, {0, 0}, 0, false},
        {"no access at all", {0, 0}, {ANON, ANON}, {0, 0}, {0, 0}, 0, true},
        {"execution", {VMM_R, VMM_R | VMM_X}, {ANON, ANON}, {0, 0}, {0, 0}, 0, false},
        {"private and shared", {RW, RW}, {ANON, SHARED_ANON}, {0, 0}, {0, 0}, 0, false},
        {"two shared memories", {RW, RW}, {SHARED_ANON, SHARED_ANON}, {0, 0}, {0, 0}, 0, false},
        {"no reserve", {RW, RW}, {ANON, ANON | VMM_MAP_NORESERVE}, {0, 0}, {0, 0}, 0, false},
        {"both no reserve", {RW, RW}, {ANON | VMM_MAP_NORESERVE, ANON | VMM_MAP_NORESERVE}, {0, 0}, {0, 0}, 0, true},
        {"a stack above", {RW, RW}, {ANON, ANON | VMM_MAP_GROWSDOWN}, {0, 0}, {0, 0}, 0, false},
        {"locked", {RW, RW}, {ANON, ANON | VMM_MAP_LOCKED}, {0, 0}, {0, 0}, 0, false},
        {"both locked", {RW, RW}, {ANON | VMM_MAP_LOCKED, ANON | VMM_MAP_LOCKED}, {0, 0}, {0, 0}, 0, true},
        {"populated makes no flag", {RW, RW}, {ANON, ANON | VMM_MAP_POPULATE}, {0, 0}, {0, 0}, 0, true},
        {"file and anonymous", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, ANON}, {1, 0}, {0, 0}, 0, false},
        {"pages of a file in order", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, VMM_MAP_PRIVATE}, {1, 1}, {0, 2}, 0, true},
        {"shared pages of a file in order", {RW, RW}, {VMM_MAP_SHARED, VMM_MAP_SHARED}, {1, 1}, {3, 5}, 3, true},
        {"the same pages again", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, VMM_MAP_PRIVATE}, {1, 1}, {0, 0}, 0, false},
        {"a page between", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, VMM_MAP_PRIVATE}, {1, 1}, {0, 3}, 0, false},
        {"two files", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, VMM_MAP_PRIVATE}, {1, 2}, {0, 2}, 0, false},
        {"a file, private and shared", {VMM_R, VMM_R}, {VMM_MAP_PRIVATE, VMM_MAP_SHARED}, {1, 1}, {0, 2}, 0, false},
        {"a private file written", {RW, RW}, {VMM_MAP_PRIVATE, VMM_MAP_PRIVATE}, {1, 1}, {0, 2}, 1, true},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t objects[3] = {0, 0, 0};
        int order;
        for (order = 0; order < 2; order++) { /* the lower one first, and the upper one first */
            int k;
            make();
            objects[1] = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
            objects[2] = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
            for (k = 0; k < 2; k++) {
                const int which = order ? 1 - k : k;
                if (cases[i].object[which])
                    assert_int_equal(map_file(2 * which, 2, cases[i].protection[which], cases[i].flags[which],
                                              objects[cases[i].object[which]], cases[i].first[which]),
                                     VMM_OK);
                else assert_int_equal(map(2 * which, 2, cases[i].protection[which], cases[i].flags[which]), VMM_OK);
                if (cases[i].touched >> which & 1) touch_pages(2 * which, 2);
            }
            if ((space->areas == 1) != cases[i].one)
                fail_msg("%s, %s first: %s", cases[i].what, order ? "upper" : "lower", areas_of(space));
            unmake();
        }
    }
}

static void what_fills_a_hole_becomes_one_with_both_sides(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, ANON), VMM_OK);
    assert_areas("0+2 rw-p, 4+2 rw-p");
    assert_int_equal(map(2, 2, RW, ANON), VMM_OK);
    assert_areas("0+6 rw-p");
    touch_pages(0, 6);
    assert_int_equal(vmm_munmap(space, AT(2), 2 * PAGE), VMM_OK);
    assert_areas("0+2 rw-p, 4+2 rw-p");
    assert_int_equal(map(2, 2, RW, ANON), VMM_OK); /* both sides are of one origin */
    assert_areas("0+6 rw-p");
    unmake();
}

static void sides_touched_apart_stay_apart(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    touch_pages(4, 2);
    assert_int_equal(map(2, 2, RW, ANON), VMM_OK); /* it goes with the lower side */
    assert_areas("0+4 rw-p, 4+2 rw-p");
    unmake();
}

static void a_neighbour_touched_later_takes_part_in_the_first_ones_origin(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(map(2, 2, VMM_R, ANON), VMM_OK);
    assert_areas("0+2 rw-p, 2+2 r--p");
    assert_int_equal(vmm_mprotect(space, AT(2), 2 * PAGE, RW | VMM_X), VMM_OK);
    touch_pages(2, 2); /* rights do not count for that */
    assert_int_equal(vmm_mprotect(space, AT(2), 2 * PAGE, RW), VMM_OK);
    assert_areas("0+4 rw-p");
    unmake();
}

static void a_forked_area_grows_in_the_parent_and_not_in_the_child(void **state)
{
    vmm_space_t *parent, *child;
    (void)state;
    make();
    parent = space;
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(vmm_fork(parent, &child), VMM_OK);
    space = child;
    assert_int_equal(map(2, 2, RW, ANON), VMM_OK);
    assert_areas("0+2 rw-p, 2+2 rw-p"); /* its pages may be the parent's: list_is_singular says no */
    space = parent;
    assert_int_equal(map(2, 2, RW, ANON), VMM_OK);
    assert_areas("0+4 rw-p");
    unmake();
}

static void what_splits_an_area_undone_makes_it_whole_again(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 9, RW, ANON), VMM_OK);
    touch_pages(0, 9);
    assert_int_equal(vmm_mprotect(space, AT(3), 3 * PAGE, VMM_R), VMM_OK);
    assert_areas("0+3 rw-p, 3+3 r--p, 6+3 rw-p");
    assert_int_equal(vmm_mprotect(space, AT(3), PAGE, RW), VMM_OK);
    assert_areas("0+4 rw-p, 4+2 r--p, 6+3 rw-p");
    assert_int_equal(vmm_mprotect(space, AT(5), PAGE, RW), VMM_OK);
    assert_areas("0+4 rw-p, 4+1 r--p, 5+4 rw-p");
    assert_int_equal(vmm_mprotect(space, AT(0), 9 * PAGE, RW), VMM_OK);
    assert_areas("0+9 rw-p");
    assert_int_equal(vmm_madvise(space, AT(3), 3 * PAGE, VMM_MADV_RANDOM), VMM_OK);
    assert_areas("0+3 rw-p, 3+3 rw-p, 6+3 rw-p");
    assert_int_equal(vmm_madvise(space, AT(3), 3 * PAGE, VMM_MADV_NORMAL), VMM_OK);
    assert_areas("0+9 rw-p");
    assert_int_equal(vmm_mlock(space, AT(3), 3 * PAGE), VMM_OK);
    assert_areas("0+3 rw-p, 3+3 rw-p, 6+3 rw-p");
    assert_int_equal(space->stats.locked, 3);
    assert_int_equal(vmm_munlock(space, AT(0), 9 * PAGE), VMM_OK);
    assert_areas("0+9 rw-p");
    assert_int_equal(vmm_madvise(space, AT(8), PAGE, VMM_MADV_DONTNEED), VMM_OK);
    assert_areas("0+9 rw-p");
    assert_int_equal(vmm_mprotect(space, AT(0), PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_mprotect(space, AT(8), PAGE, VMM_R), VMM_OK);
    assert_areas("0+1 r--p, 1+7 rw-p, 8+1 r--p");
    assert_int_equal(vmm_mprotect(space, AT(1), 7 * PAGE, VMM_R), VMM_OK);
    assert_areas("0+9 r--p");
    unmake();
}

static void what_moved_is_one_with_its_new_neighbour_only_if_untouched(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(10, 2, RW, ANON), VMM_OK);
    assert_int_equal(vmm_mremap(space, AT(10), 2 * PAGE, 2 * PAGE, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, AT(2), &got),
                     VMM_OK);
    assert_areas("0+4 rw-p");
    assert_int_equal(map(10, 2, RW, ANON), VMM_OK);
    touch_pages(10, 2);
    assert_int_equal(vmm_mremap(space, AT(10), 2 * PAGE, 2 * PAGE, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, AT(4), &got),
                     VMM_OK);
    assert_areas("0+4 rw-p, 4+2 rw-p"); /* its pages are known by another number */
    assert_int_equal(read_byte(space, AT(5)), 12);
    assert_int_equal(vmm_mremap(space, AT(4), 2 * PAGE, 2 * PAGE, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, AT(10), &got),
                     VMM_OK);
    assert_int_equal(map(12, 2, RW, ANON), VMM_OK); /* at home again */
    assert_areas("0+4 rw-p, 10+4 rw-p");
    unmake();
}

static void copies_of_a_files_pages_are_found_when_the_lower_side_is_untouched(void **state)
{
    uint32_t object;
    (void)state;
    make();
    add_swap(SLOTS);
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    memset(content, 5, sizeof content);
    assert_int_equal(map_file(0, 2, RW, VMM_MAP_PRIVATE, object, 0), VMM_OK);
    assert_int_equal(map_file(10, 2, RW, VMM_MAP_PRIVATE, object, 2), VMM_OK);
    touch_pages(10, 2);
    assert_int_equal(vmm_mremap(space, AT(10), 2 * PAGE, 2 * PAGE, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, AT(2), &got),
                     VMM_OK);
    assert_areas("0+4 rw-p"); /* it goes by the number of the upper side's pages */
    assert_true(vmm_check(m));
    assert_int_equal(map(256, FRAMES + 64, RW, ANON), VMM_OK);
    touch_pages(256, FRAMES + 64);
    assert_int_equal(read_byte(space, AT(0)), 5);
    assert_int_equal(read_byte(space, AT(2)), 11);
    assert_int_equal(read_byte(space, AT(3)), 12);
    unmake();
}

/* ------------------------------------------------------------------------------- munmap -- */

static void ranges_that_are_none_are_refused_by_munmap(void **state)
{
    static const struct {
        uint64_t va, bytes;
        vmm_status_t status;
    } cases[] = {
        {AT(0) + 1, PAGE, VMM_E_ALIGN},      {AT(0), 0, VMM_E_RANGE},
        {AT(0), UINT64_MAX, VMM_E_RANGE},    {0x80001000, PAGE, VMM_E_RANGE},
        {0x7ffff000, 2 * PAGE, VMM_E_RANGE}, {AT(0), 0x80000000, VMM_E_RANGE},
    };
    size_t i;
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused(vmm_munmap(space, cases[i].va, cases[i].bytes), cases[i].status);
        assert_int_equal(vmm_status_errno(cases[i].status), 22);
    }
    assert_refused(vmm_munmap(space, AT(4), PAGE), VMM_OK); /* nothing is there: no error */
    assert_refused(vmm_munmap(space, 0x7ffff000, PAGE), VMM_OK);
    unmake();
}

static void unmapping_cuts_trims_and_passes_over_holes(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 4, RW, ANON), VMM_OK);
    assert_int_equal(map(6, 4, VMM_R, ANON), VMM_OK);
    assert_int_equal(map(12, 4, RW, ANON), VMM_OK);
    touch_pages(0, 4);
    touch_pages(12, 4);
    assert_int_equal(m->committed, 8);
    assert_int_equal(vmm_munmap(space, AT(3), 10 * PAGE), VMM_OK);
    assert_areas("0+3 rw-p, 13+3 rw-p");
    assert_int_equal(space->stats.anon, 6);
    assert_int_equal(m->committed, 6);
    assert_int_equal(space->stats.total, 6);
    assert_int_equal(vmm_munmap(space, AT(14), PAGE), VMM_OK);
    assert_areas("0+3 rw-p, 13+1 rw-p, 15+1 rw-p");
    assert_int_equal(read_byte(space, AT(14)), -1);
    assert_int_equal(space->signal.number, VMM_SIGSEGV);
    assert_int_equal(space->signal.code, VMM_SEGV_MAPERR);
    assert_int_equal(vmm_munmap(space, layout.lowest, layout.top - layout.lowest), VMM_OK);
    assert_areas("");
    assert_int_equal(space->stats.tables, PAGE); /* the root alone */
    unmake();
}

static void what_is_left_of_a_trimmed_area_shows_what_it_showed(void **state)
{
    uint32_t object;
    (void)state;
    make();
    add_swap(SLOTS);
    memset(content, 0, sizeof content);
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map_file(0, 8, RW, VMM_MAP_SHARED, object, 1), VMM_OK);
    assert_int_equal(map(20, 8, RW, ANON), VMM_OK);
    touch_pages(0, 8);
    touch_pages(20, 8);
    assert_int_equal(vmm_munmap(space, AT(0), 2 * PAGE), VMM_OK);
    assert_int_equal(file_writes, 2);
    assert_int_equal(vmm_munmap(space, AT(7), PAGE), VMM_OK);
    assert_int_equal(file_writes, 3);
    assert_int_equal(content[8][0], 8);
    assert_int_equal(vmm_munmap(space, AT(20), 3 * PAGE), VMM_OK);
    assert_int_equal(vmm_munmap(space, AT(26), 2 * PAGE), VMM_OK);
    assert_areas("2+5 rw-s, 23+3 rw-p");
    assert_int_equal(space->stats.total, 8);
    assert_int_equal(map(256, FRAMES + 64, RW, ANON), VMM_OK);
    touch_pages(256, FRAMES + 64); /* they lose their frames: found again by what the area says */
    assert_int_equal(vmm_munmap(space, AT(256), (FRAMES + 64) * PAGE), VMM_OK);
    assert_int_equal(read_byte(space, AT(2)), 3);
    assert_int_equal(read_byte(space, AT(6)), 7);
    assert_int_equal(read_byte(space, AT(23)), 24);
    assert_int_equal(read_byte(space, AT(25)), 26);
    assert_int_equal(map(20, 3, RW, ANON), VMM_OK); /* and it merges as if it had never been longer */
    assert_areas("2+5 rw-s, 20+6 rw-p");
    unmake();
}

static void the_number_of_areas_is_bounded(void **state)
{
    vmm_vaddr_t now;
    (void)state;
    prepare();
    options.areas_of_space = 3;
    start();
    space->brk_start = space->brk = AT(100);
    assert_int_equal(map(0, 3, RW, ANON), VMM_OK);
    assert_int_equal(map(8, 2, VMM_R, ANON), VMM_OK);
    assert_int_equal(map(12, 2, VMM_R, ANON), VMM_OK);
    touch_pages(0, 3);
    assert_refused(map(20, 1, RW, ANON), VMM_E_LIMIT);
    assert_refused(vmm_munmap(space, AT(1), PAGE), VMM_E_LIMIT);
    assert_refused(vmm_mprotect(space, AT(1), PAGE, VMM_R), VMM_E_LIMIT);
    assert_refused(vmm_madvise(space, AT(1), PAGE, VMM_MADV_RANDOM), VMM_E_LIMIT);
    assert_refused(vmm_mlock(space, AT(1), PAGE), VMM_E_LIMIT);
    assert_refused(vmm_brk(space, AT(101), &now), VMM_E_LIMIT);
    assert_refused(vmm_mremap(space, AT(0), PAGE, 2 * PAGE, VMM_MREMAP_MAYMOVE, 0, &got), VMM_E_LIMIT);
    assert_int_equal(vmm_status_errno(VMM_E_LIMIT), 12);
    assert_int_equal(vmm_munmap(space, AT(2), PAGE), VMM_OK); /* what splits nothing needs no more */
    assert_int_equal(vmm_munmap(space, AT(0), PAGE), VMM_OK);
    assert_areas("1+1 rw-p, 8+2 r--p, 12+2 r--p");
    assert_int_equal(read_byte(space, AT(1)), 2);
    assert_int_equal(vmm_munmap(space, AT(9), 4 * PAGE), VMM_OK); /* nor what trims two */
    assert_areas("1+1 rw-p, 8+1 r--p, 13+1 r--p");
    assert_int_equal(vmm_munmap(space, AT(8), PAGE), VMM_OK);
    assert_int_equal(map(20, 1, RW, ANON), VMM_OK);
    unmake();
}

/* ----------------------------------------------------------------------------- mprotect -- */

static void ranges_and_rights_that_are_none_are_refused_by_mprotect(void **state)
{
    uint32_t object;
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, true);
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map_file(8, 2, VMM_R, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_refused(vmm_mprotect(space, AT(0) + 8, PAGE, VMM_R), VMM_E_ALIGN);
    assert_refused(vmm_mprotect(space, AT(0), PAGE, VMM_U), VMM_E_ARGUMENT);
    assert_refused(vmm_mprotect(space, AT(0), 0, VMM_R), VMM_OK);
    assert_refused(vmm_mprotect(space, AT(0), UINT64_MAX - PAGE, VMM_R), VMM_E_NOT_MAPPED);
    assert_refused(vmm_mprotect(space, AT(4), PAGE, VMM_R), VMM_E_NOT_MAPPED);
    assert_refused(vmm_mprotect(space, AT(8), PAGE, RW), VMM_E_ACCESS);
    assert_int_equal(vmm_status_errno(VMM_E_NOT_MAPPED), 12);
    assert_int_equal(vmm_status_errno(VMM_E_ACCESS), 13);
    assert_int_equal(vmm_mprotect(space, AT(0), 4 * PAGE, VMM_R),
                     VMM_E_NOT_MAPPED); /* what is before the hole changed */
    assert_areas("0+2 r--p, 8+2 r--s");
    unmake();
}

static void rights_taken_and_given_back_keep_the_content(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(vmm_mprotect(space, AT(0), 2 * PAGE, VMM_R), VMM_OK);
    assert_int_equal(write_byte(space, AT(0), 9), VMM_FAULT);
    assert_int_equal(space->signal.code, VMM_SEGV_ACCERR);
    assert_int_equal(vmm_mprotect(space, AT(0), 2 * PAGE, 0), VMM_OK);
    assert_int_equal(read_byte(space, AT(0)), -1);
    assert_int_equal(space->stats.anon, 2);
    assert_int_equal(vmm_mprotect(space, AT(0), 2 * PAGE, RW), VMM_OK);
    assert_int_equal(read_byte(space, AT(0)), 1);
    assert_int_equal(write_byte(space, AT(1), 9), VMM_OK);
    assert_int_equal(space->stats.anon, 2);
    assert_int_equal(m->stats.copied, 0);
    unmake();
}

/* ------------------------------------------------------------------------------- mremap -- */

static void arguments_that_are_none_are_refused_by_mremap(void **state)
{
    const uint32_t moving = VMM_MREMAP_MAYMOVE, fixed = VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED;
    (void)state;
    make();
    assert_int_equal(map(0, 4, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 1, VMM_R, ANON), VMM_OK);
    touch_pages(0, 4);
    assert_refused(vmm_mremap(space, AT(0), PAGE, PAGE, 8, 0, &got), VMM_E_ARGUMENT);
    assert_refused(vmm_mremap(space, AT(0), PAGE, PAGE, VMM_MREMAP_FIXED, AT(8), &got), VMM_E_ARGUMENT);
    assert_refused(vmm_mremap(space, AT(0) + 1, PAGE, PAGE, moving, 0, &got), VMM_E_ALIGN);
    assert_refused(vmm_mremap(space, AT(0), PAGE, 0, moving, 0, &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), PAGE, UINT64_MAX, moving, 0, &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), PAGE, 0x80001000, moving, 0, &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), PAGE, PAGE, fixed, AT(8) + 1, &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), PAGE, PAGE, fixed, 0x80000000, &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), 2 * PAGE, 2 * PAGE, fixed, AT(1), &got), VMM_E_RANGE);
    assert_refused(vmm_mremap(space, AT(0), PAGE, 2 * PAGE, fixed, 0x8000, &got), VMM_E_DENIED);
    assert_refused(vmm_mremap(space, AT(20), PAGE, PAGE, moving, 0, &got), VMM_E_ADDRESS);
    assert_refused(vmm_mremap(space, AT(3), 2 * PAGE, 3 * PAGE, moving, 0, &got), VMM_E_ADDRESS); /* two areas */
    assert_refused(vmm_mremap(space, AT(0), 0, PAGE, moving, 0, &got), VMM_E_ARGUMENT); /* private pages twice */
    assert_refused(vmm_mremap(space, AT(0), 4 * PAGE, 5 * PAGE, 0, 0, &got), VMM_E_LIMIT);
    assert_refused(vmm_mremap(space, AT(0), PAGE, 0x7fff0000, moving, 0, &got), VMM_E_NO_FRAME);
    assert_int_equal(vmm_status_errno(VMM_E_ADDRESS), 14);
    space->limits.space = 5 * PAGE;
    assert_refused(vmm_mremap(space, AT(0), 4 * PAGE, 5 * PAGE, moving, 0, &got), VMM_E_LIMIT);
    space->limits.space = 0;
    assert_int_equal(vmm_mlock(space, AT(0), 4 * PAGE), VMM_OK);
    space->limits.locked = 4 * PAGE;
    assert_refused(vmm_mremap(space, AT(0), 4 * PAGE, 5 * PAGE, moving, 0, &got), VMM_E_AGAIN);
    assert_int_equal(vmm_status_errno(VMM_E_AGAIN), 11);
    unmake();
}

static void a_stretch_grows_where_it_is_or_moves_with_its_pages(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(vmm_mremap(space, AT(0), 2 * PAGE, 4 * PAGE, 0, 0, &got), VMM_OK);
    assert_int_equal(got, AT(0));
    assert_areas("0+4 rw-p");
    assert_int_equal(m->committed, 4);
    assert_int_equal(map(4, 1, VMM_R, ANON), VMM_OK);
    assert_int_equal(vmm_mremap(space, AT(0), 4 * PAGE, 6 * PAGE, VMM_MREMAP_MAYMOVE, 0, &got), VMM_OK);
    assert_int_equal(got, AT(250));
    assert_areas("4+1 r--p, 250+6 rw-p");
    assert_int_equal(read_byte(space, AT(251)), 2);
    assert_int_equal(read_byte(space, AT(255)), 0);
    assert_int_equal(m->committed, 6);
    assert_int_equal(vmm_mremap(space, AT(250), 6 * PAGE, PAGE, 0, 0, &got), VMM_OK);
    assert_areas("4+1 r--p, 250+1 rw-p");
    assert_int_equal(m->committed, 1);
    assert_int_equal(vmm_mremap(space, AT(250), PAGE, PAGE, VMM_MREMAP_MAYMOVE | VMM_MREMAP_FIXED, AT(4), &got),
                     VMM_OK);
    assert_areas("4+1 rw-p"); /* what was there is gone */
    assert_int_equal(read_byte(space, AT(4)), 1);
    unmake();
}

static void shared_pages_are_mapped_a_second_time_by_a_length_of_0(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, SHARED_ANON), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(vmm_mremap(space, AT(1), 0, PAGE, VMM_MREMAP_MAYMOVE, 0, &got), VMM_OK);
    assert_int_equal(got, AT(255));
    assert_areas("0+2 rw-s, 255+1 rw-s");
    assert_int_equal(read_byte(space, AT(255)), 2);
    assert_int_equal(write_byte(space, AT(255), 77), VMM_OK);
    assert_int_equal(read_byte(space, AT(1)), 77);
    unmake();
}

/* ------------------------------------------------------------------------------ madvise -- */

static void advice_that_is_none_or_does_not_fit_is_refused(void **state)
{
    uint32_t object;
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, ANON | VMM_MAP_LOCKED), VMM_OK);
    assert_int_equal(map_file(8, 2, RW, VMM_MAP_PRIVATE, object, 0), VMM_OK);
    touch_pages(0, 2);
    assert_refused(vmm_madvise(space, AT(0), PAGE, 99), VMM_E_ARGUMENT);
    assert_refused(vmm_madvise(space, AT(0), PAGE, VMM_MADV_MERGEABLE), VMM_E_ARGUMENT); /* options.merging is off */
    assert_refused(vmm_madvise(space, AT(0), PAGE, VMM_MADV_UNMERGEABLE), VMM_E_ARGUMENT);
    assert_refused(vmm_madvise(space, AT(0) + 1, PAGE, VMM_MADV_NORMAL), VMM_E_ALIGN);
    assert_refused(vmm_madvise(space, AT(0), UINT64_MAX, VMM_MADV_NORMAL), VMM_E_RANGE);
    assert_refused(vmm_madvise(space, AT(0), UINT64_C(0) - AT(-1), VMM_MADV_DONTNEED), VMM_E_RANGE);
    assert_refused(vmm_madvise(space, AT(0), 0, VMM_MADV_DONTNEED), VMM_OK);
    assert_refused(vmm_madvise(space, AT(4), PAGE, VMM_MADV_DONTNEED), VMM_E_ARGUMENT);
    assert_refused(vmm_madvise(space, AT(4), PAGE, VMM_MADV_FREE), VMM_E_ARGUMENT);
    assert_refused(vmm_madvise(space, AT(8), PAGE, VMM_MADV_FREE), VMM_E_ARGUMENT);
    assert_refused(vmm_madvise(space, AT(20), PAGE, VMM_MADV_DONTNEED), VMM_E_NOT_MAPPED);
    unmake();
}

static void what_is_behind_a_hole_is_advised_too(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    touch_pages(4, 2);
    assert_int_equal(vmm_madvise(space, AT(1), 4 * PAGE, VMM_MADV_DONTNEED), VMM_E_NOT_MAPPED);
    assert_int_equal(space->stats.anon, 2);
    assert_int_equal(read_byte(space, AT(0)), 1);
    assert_int_equal(read_byte(space, AT(1)), 0);
    assert_int_equal(read_byte(space, AT(4)), 0);
    assert_int_equal(read_byte(space, AT(5)), 6);
    assert_areas("0+2 rw-p, 4+2 rw-p");
    unmake();
}

static void advice_about_huge_pages_and_reading_is_kept_in_flags(void **state)
{
    static const struct {
        unsigned advice;
        uint32_t set, clear;
    } steps[] = {
        {VMM_MADV_RANDOM, VMM_AREA_RANDOM, VMM_AREA_SEQUENTIAL},
        {VMM_MADV_SEQUENTIAL, VMM_AREA_SEQUENTIAL, VMM_AREA_RANDOM},
        {VMM_MADV_NORMAL, 0, VMM_AREA_RANDOM | VMM_AREA_SEQUENTIAL},
        {VMM_MADV_HUGEPAGE, VMM_AREA_ADVISE_HUGE, VMM_AREA_NEVER_HUGE},
        {VMM_MADV_NOHUGEPAGE, VMM_AREA_NEVER_HUGE, VMM_AREA_ADVISE_HUGE},
        {VMM_MADV_HUGEPAGE, VMM_AREA_ADVISE_HUGE, VMM_AREA_NEVER_HUGE},
        {VMM_MADV_MERGEABLE, VMM_AREA_MERGEABLE, 0},
        {VMM_MADV_UNMERGEABLE, 0, VMM_AREA_MERGEABLE},
    };
    size_t i;
    (void)state;
    prepare();
    options.merging = true;
    start();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, SHARED_ANON), VMM_OK);
    for (i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint32_t flags;
        assert_int_equal(vmm_madvise(space, AT(0), 2 * PAGE, steps[i].advice), VMM_OK);
        flags = vmm_area_at(m, vmm_area_with(space, AT(0)))->flags;
        assert_int_equal(flags & (steps[i].set | steps[i].clear), steps[i].set);
    }
    assert_int_equal(vmm_madvise(space, AT(4), PAGE, VMM_MADV_MERGEABLE), VMM_OK); /* shared: no word, no deed */
    assert_areas("0+2 rw-p, 4+2 rw-s");
    unmake();
}

static void pages_wanted_are_read_ahead_of_their_use(void **state)
{
    uint32_t object;
    uint8_t in[4];
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map_file(0, 4, VMM_R, VMM_MAP_PRIVATE, object, 2), VMM_OK);
    assert_int_equal(vmm_madvise(space, AT(0), 3 * PAGE, VMM_MADV_WILLNEED), VMM_OK);
    assert_int_equal(file_reads, 3);
    assert_int_equal(space->stats.file, 0);
    assert_int_equal(vmm_mincore(space, AT(0), 4 * PAGE, in), VMM_OK);
    assert_memory_equal(in, "\1\1\1\0", 4);
    unmake();
}

/* -------------------------------------------------------------------------------- mlock -- */

static void locking_stops_at_holes_and_pages_that_cannot_be_touched(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, 0, ANON), VMM_OK);
    assert_refused(vmm_mlock(space, AT(20), PAGE), VMM_E_NOT_MAPPED);
    assert_refused(vmm_munlock(space, AT(20), PAGE), VMM_E_NOT_MAPPED);
    assert_refused(vmm_mlock(space, UINT64_C(0) - PAGE, 2 * PAGE), VMM_E_RANGE);
    assert_refused(vmm_munlock(space, UINT64_C(0) - PAGE, 2 * PAGE), VMM_E_RANGE);
    assert_refused(vmm_mlock(space, AT(0), 0), VMM_OK);
    assert_int_equal(vmm_mlock(space, AT(1), 2 * PAGE), VMM_E_NOT_MAPPED);
    assert_areas("0+1 rw-p, 1+1 rw-p, 4+2 ---p"); /* what is before the hole is locked */
    assert_int_equal(space->stats.locked, 1);
    assert_int_equal(vmm_mlock(space, AT(4), PAGE), VMM_E_NOT_MAPPED); /* locked, and yet nothing can be had */
    assert_int_equal(space->stats.locked, 2);
    assert_int_equal(space->signal.number, 0);
    unmake();
}

static void locked_bytes_are_bounded_and_counted_once(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, 8, RW, ANON), VMM_OK);
    space->limits.locked = 4 * PAGE + 1; /* whole pages count */
    assert_refused(vmm_mlock(space, AT(0), 5 * PAGE), VMM_E_LIMIT);
    assert_int_equal(vmm_mlock(space, AT(0) + 100, 3 * PAGE), VMM_OK); /* reaches into a fourth */
    assert_int_equal(space->stats.locked, 4);
    assert_int_equal(space->stats.anon, 4);
    assert_int_equal(vmm_mlock(space, AT(1), 3 * PAGE), VMM_OK); /* all of them again */
    assert_refused(vmm_mlock(space, AT(2), 3 * PAGE), VMM_E_LIMIT);
    assert_refused(map(20, 1, RW, ANON | VMM_MAP_LOCKED), VMM_E_AGAIN);
    assert_int_equal(vmm_munlock(space, AT(0), 2 * PAGE), VMM_OK);
    assert_int_equal(vmm_mlock(space, AT(2), 3 * PAGE), VMM_OK);
    assert_int_equal(space->stats.locked, 3);
    unmake();
}

static void locking_more_than_there_are_frames_is_told(void **state)
{
    (void)state;
    make();
    assert_int_equal(map(0, FRAMES, RW, ANON), VMM_OK);
    assert_int_equal(vmm_mlock(space, AT(0), FRAMES * PAGE), VMM_E_AGAIN);
    assert_int_equal(vmm_status_errno(VMM_E_AGAIN), 11);
    assert_int_equal(m->frames.free_frames, m->options.watermark_min);
    unmake();
}

static void locked_pages_stay_when_others_go_to_swap(void **state)
{
    uint8_t in[8];
    unsigned i;
    (void)state;
    make();
    add_swap(SLOTS);
    assert_int_equal(map(0, 8, RW, ANON), VMM_OK);
    touch_pages(0, 8);
    assert_int_equal(vmm_mlock(space, AT(0), 8 * PAGE), VMM_OK);
    assert_int_equal(map(256, FRAMES + 64, RW, ANON), VMM_OK);
    touch_pages(256, FRAMES + 64);
    assert_true(space->stats.swapped > 0);
    assert_int_equal(vmm_mincore(space, AT(0), 8 * PAGE, in), VMM_OK);
    for (i = 0; i < 8; i++) assert_int_equal(in[i], 1);
    assert_int_equal(vmm_munlock(space, AT(0), 8 * PAGE), VMM_OK);
    for (i = 0; i < 4; i++) touch_pages(256, FRAMES + 64);
    assert_int_equal(vmm_mincore(space, AT(0), 8 * PAGE, in), VMM_OK);
    assert_int_equal(memchr(in, 0, 8) != NULL, 1);
    for (i = 0; i < 8; i++) assert_int_equal(read_byte(space, AT(i)), i + 1);
    unmake();
}

/* ----------------------------------------------------------------------- msync, mincore -- */

static void msync_writes_what_shared_areas_changed(void **state)
{
    uint32_t object;
    (void)state;
    make();
    memset(content, 0, sizeof content);
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map_file(0, 4, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(map_file(4, 2, RW, VMM_MAP_PRIVATE, object, 4), VMM_OK);
    assert_int_equal(map_file(10, 1, RW, VMM_MAP_SHARED, object, 8), VMM_OK);
    touch_pages(0, 6);
    touch_pages(10, 1);
    assert_refused(vmm_msync(space, AT(0), PAGE, 8), VMM_E_ARGUMENT);
    assert_refused(vmm_msync(space, AT(0), PAGE, VMM_MS_SYNC | VMM_MS_ASYNC), VMM_E_ARGUMENT);
    assert_refused(vmm_msync(space, AT(0) + 1, PAGE, VMM_MS_SYNC), VMM_E_ALIGN);
    assert_refused(vmm_msync(space, AT(0), UINT64_C(0) - AT(-1), VMM_MS_SYNC), VMM_E_NOT_MAPPED);
    assert_refused(vmm_msync(space, AT(20), PAGE, VMM_MS_SYNC), VMM_E_NOT_MAPPED);
    assert_refused(vmm_msync(space, AT(0), 0, VMM_MS_SYNC), VMM_OK);
    assert_refused(vmm_msync(space, AT(0), 4 * PAGE, VMM_MS_ASYNC), VMM_OK);
    assert_int_equal(file_writes, 0);
    assert_int_equal(vmm_msync(space, AT(1), PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(file_writes, 1);
    assert_int_equal(content[1][0], 2);
    assert_int_equal(content[0][0], 0);
    assert_int_equal(vmm_msync(space, AT(0), 11 * PAGE, VMM_MS_SYNC),
                     VMM_E_NOT_MAPPED); /* a hole: the rest is written */
    assert_int_equal(file_writes, 5);
    assert_int_equal(content[8][0], 11);
    assert_int_equal(content[4][0], 0); /* private */
    assert_int_equal(vmm_msync(space, AT(0), 6 * PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(file_writes, 5); /* clean again */
    assert_int_equal(vmm_mlock(space, AT(2), PAGE), VMM_OK);
    assert_refused(vmm_msync(space, AT(2), PAGE, VMM_MS_SYNC | VMM_MS_INVALIDATE), VMM_E_BUSY);
    assert_int_equal(vmm_status_errno(VMM_E_BUSY), 16);
    assert_int_equal(vmm_msync(space, AT(3), PAGE, VMM_MS_INVALIDATE), VMM_OK);
    unmake();
}

static void a_write_that_fails_is_told_once_and_tried_again(void **state)
{
    uint32_t object;
    (void)state;
    make();
    memset(content, 0, sizeof content);
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map_file(0, 2, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    touch_pages(0, 2);
    writes_fail = true;
    assert_int_equal(vmm_msync(space, AT(0), 2 * PAGE, VMM_MS_SYNC), VMM_E_IO);
    assert_int_equal(vmm_status_errno(VMM_E_IO), 5);
    writes_fail = false;
    assert_int_equal(vmm_msync(space, AT(0), 2 * PAGE, VMM_MS_SYNC), VMM_OK);
    assert_int_equal(content[0][0], 1);
    assert_int_equal(content[1][0], 2);
    unmake();
}

static void mincore_tells_what_is_in_frames(void **state)
{
    uint32_t object;
    uint8_t in[4] = {9, 9, 9, 9};
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, FILE_PAGES, false);
    assert_int_equal(map(0, 4, RW, ANON), VMM_OK);
    assert_int_equal(write_byte(space, AT(1), 1), VMM_OK);
    assert_int_equal(read_byte(space, AT(2)), 0); /* the page of zeros counts */
    assert_int_equal(vmm_mincore(space, AT(0) + 1, PAGE, in), VMM_E_ALIGN);
    assert_int_equal(vmm_mincore(space, AT(8), PAGE, in), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_mincore(space, 0x80000000, PAGE, in), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_mincore(space, AT(0), UINT64_C(0) - AT(-1), in), VMM_E_NOT_MAPPED);
    assert_memory_equal(in, "\11\11\11\11", 4);
    assert_int_equal(vmm_mincore(space, AT(0), 3 * PAGE + 1, in), VMM_OK);
    assert_memory_equal(in, "\0\1\1\0", 4);
    assert_int_equal(vmm_mprotect(space, AT(1), PAGE, 0), VMM_OK); /* parked, and there */
    assert_int_equal(vmm_mincore(space, AT(0), 4 * PAGE, in), VMM_OK);
    assert_memory_equal(in, "\0\1\1\0", 4);
    assert_int_equal(map_file(8, 2, VMM_R, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(map_file(12, 2, VMM_R, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(read_byte(space, AT(9)), content[1][0]);
    assert_int_equal(vmm_mincore(space, AT(12), 2 * PAGE, in), VMM_OK); /* another mapping of the cached page */
    assert_memory_equal(in, "\0\1", 2);
    unmake();
}

/* -------------------------------------------------------------------------------- break -- */

static void the_break_moves_both_ways_and_new_pages_are_zero(void **state)
{
    vmm_vaddr_t now = 0;
    (void)state;
    make();
    space->brk_start = space->brk = AT(0);
    assert_int_equal(vmm_brk(space, AT(0) + 10, &now), VMM_OK);
    assert_int_equal(now, AT(0) + 10);
    assert_areas("0+1 rw-p");
    assert_int_equal(vmm_brk(space, AT(3), &now), VMM_OK);
    assert_areas("0+3 rw-p");
    assert_int_equal(m->committed, 3);
    touch_pages(0, 3);
    assert_int_equal(vmm_brk(space, AT(1) + 1, &now), VMM_OK);
    assert_areas("0+2 rw-p");
    assert_int_equal(vmm_brk(space, AT(3), &now), VMM_OK);
    assert_areas("0+3 rw-p");
    assert_int_equal(read_byte(space, AT(1)), 2);
    assert_int_equal(read_byte(space, AT(2)), 0);
    assert_int_equal(vmm_sbrk(space, 0, &now), VMM_OK);
    assert_int_equal(now, AT(3));
    assert_int_equal(vmm_sbrk(space, 100, &now), VMM_OK);
    assert_int_equal(now, AT(3));
    assert_int_equal(space->brk, AT(3) + 100);
    assert_int_equal(vmm_sbrk(space, -100 - 2 * (int64_t)PAGE, &now), VMM_OK);
    assert_int_equal(now, AT(3) + 100);
    assert_areas("0+1 rw-p");
    assert_int_equal(vmm_brk(space, AT(0), &now), VMM_OK);
    assert_areas("");
    assert_int_equal(m->committed, 0);
    unmake();
}

static void a_break_that_cannot_be_stays_where_it_was(void **state)
{
    vmm_vaddr_t now;
    (void)state;
    make();
    space->brk_start = space->brk = AT(0);
    assert_int_equal(vmm_brk(space, AT(2), &now), VMM_OK);
    assert_int_equal(map(6, 2, VMM_R, ANON), VMM_OK);
    assert_refused(vmm_brk(space, AT(0) - 1, &now), VMM_E_LIMIT);
    assert_int_equal(now, AT(2));
    assert_refused(vmm_brk(space, 0, &now), VMM_E_LIMIT);
    assert_refused(vmm_brk(space, 0x80000001, &now), VMM_E_LIMIT);
    assert_refused(vmm_brk(space, AT(7), &now), VMM_E_LIMIT);
    assert_refused(vmm_brk(space, AT(6), &now), VMM_E_LIMIT); /* a page is left between, as Linux does */
    assert_refused(vmm_sbrk(space, -3 * (int64_t)PAGE, &now), VMM_E_LIMIT);
    assert_int_equal(now, AT(2));
    assert_int_equal(vmm_brk(space, AT(5), &now), VMM_OK);
    space->limits.data = 5 * PAGE;
    assert_int_equal(vmm_munmap(space, AT(6), 2 * PAGE), VMM_OK);
    assert_refused(vmm_brk(space, AT(6), &now), VMM_E_LIMIT);
    space->limits.data = 4 * PAGE + 8; /* it is counted in bytes */
    assert_int_equal(vmm_brk(space, AT(4) + 8, &now), VMM_OK);
    assert_refused(vmm_brk(space, AT(4) + 9, &now), VMM_E_LIMIT);
    space->limits.data = 0;
    assert_int_equal(vmm_brk(space, AT(5), &now), VMM_OK);
    assert_refused(vmm_brk(space, 0x80000001, &now), VMM_E_LIMIT); /* outside, and not only too much */
    space->limits.space = 5 * PAGE;
    assert_refused(vmm_brk(space, AT(6), &now), VMM_E_LIMIT);
    space->limits.space = 0;
    assert_refused(vmm_brk(space, AT(6) + (uint64_t)FRAMES * PAGE, &now), VMM_E_NO_FRAME);
    space->locks_future = VMM_AREA_LOCKED;
    space->limits.locked = 2 * PAGE;
    assert_refused(vmm_brk(space, AT(8), &now), VMM_E_LIMIT);
    assert_int_equal(vmm_brk(space, AT(7), &now), VMM_OK);
    assert_areas("0+5 rw-p, 5+2 rw-p");
    assert_int_equal(space->stats.anon, 2);
    unmake();
}

/* ----------------------------------------------------------------- access without an MMU -- */

static void copies_cross_pages_and_stop_where_they_cannot_go_on(void **state)
{
    uint8_t out[3 * PAGE], back[3 * PAGE];
    size_t i;
    (void)state;
    make();
    for (i = 0; i < sizeof out; i++) out[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(map(0, 4, RW, ANON), VMM_OK);
    assert_int_equal(vmm_space_write(space, AT(0) + 777, out, sizeof out), VMM_OK);
    assert_int_equal(vmm_space_read(space, AT(0) + 777, back, sizeof back), VMM_OK);
    assert_memory_equal(out, back, sizeof out);
    assert_int_equal(space->stats.anon, 4);
    memset(back, 0, sizeof back);
    assert_int_equal(vmm_space_read(space, AT(3) + 777, back, PAGE), VMM_FAULT);
    assert_int_equal(space->signal.number, VMM_SIGSEGV);
    assert_int_equal(space->signal.code, VMM_SEGV_MAPERR);
    assert_int_equal(space->signal.access, VMM_READ);
    assert_int_equal(space->signal.address, AT(4));
    assert_memory_equal(back, out + 3 * PAGE, 0);
    assert_int_equal(back[PAGE - 777], 0); /* not reached */
    assert_int_equal(vmm_mprotect(space, AT(1), PAGE, VMM_R), VMM_OK);
    assert_int_equal(vmm_space_write(space, AT(1) - 4, out, 8), VMM_FAULT);
    assert_int_equal(space->signal.code, VMM_SEGV_ACCERR);
    assert_int_equal(space->signal.access, VMM_WRITE);
    assert_int_equal(space->signal.address, AT(1));
    assert_int_equal(vmm_space_read(space, AT(1) - 4, back, 4), VMM_OK);
    assert_memory_equal(back, out, 4); /* what lies before was written */
    assert_int_equal(vmm_space_read(space, AT(40), back, 0), VMM_OK);
    unmake();
}

static void a_pinned_page_stays_until_it_is_unpinned(void **state)
{
    vmm_paddr_t paddr, other;
    uint32_t free_frames;
    (void)state;
    make();
    add_swap(SLOTS);
    free_frames = m->frames.free_frames;
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(vmm_pin(space, AT(4), VMM_READ, &paddr), VMM_FAULT);
    assert_int_equal(vmm_pin(space, AT(1), VMM_READ, &paddr), VMM_E_BUSY); /* shared zeros */
    assert_int_equal(vmm_pin(space, AT(0) + 5, VMM_WRITE, &paddr), VMM_OK);
    assert_int_equal(paddr & (PAGE - 1), 5);
    assert_int_equal(vmm_pin(space, AT(0), VMM_WRITE, &other), VMM_E_BUSY);
    assert_int_equal(vmm_unpin(m, 0), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_unpin(m, memory.base + memory.size), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_unpin(m, paddr ^ PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(write_byte(space, AT(0) + 5, 123), VMM_OK);
    assert_int_equal(map(256, FRAMES + 64, RW, ANON), VMM_OK);
    touch_pages(256, FRAMES + 64);
    assert_int_equal(((const uint8_t *)memory.ram)[paddr - memory.base], 123);
    assert_int_equal(vmm_space_read(space, AT(0), &other, 8), VMM_OK);
    assert_int_equal(vmm_munmap(space, AT(256), (FRAMES + 64) * PAGE), VMM_OK);
    assert_int_equal(vmm_munmap(space, AT(0), 2 * PAGE), VMM_OK);
    assert_int_equal(m->frames.free_frames, free_frames - 1); /* the device still has it */
    assert_int_equal(vmm_unpin(m, paddr), VMM_OK);
    assert_int_equal(m->frames.free_frames, free_frames);
    assert_int_equal(vmm_unpin(m, paddr), VMM_E_NOT_MAPPED);
    unmake();
}

/* -------------------------------------------------------------------- few frames at once -- */

static void newest_enter(vmm_machine_t *machine, vmm_resident_t *set, uint32_t frame)
{
    vmm_list_push(machine, set, 0, frame);
}

/* Last in, first out: the page that came for an instruction goes for the other one that it needs. */
static uint32_t newest_victim(vmm_machine_t *machine, vmm_resident_t *set)
{
    uint32_t frame = set->list[0].first;
    while (frame != VMM_NO_FRAME && !vmm_frame_takeable(machine, frame)) frame = vmm_frame_at(machine, frame)->next;
    return frame;
}

static const vmm_replacement_t newest_first = {
    "newest first", newest_enter, vmm_list_remove, newest_victim, 0, 0, false, 0, 0};

static void an_access_to_two_pages_gets_both_from_every_policy(void **state)
{
    const vmm_replacement_t *policies[] = {&newest_first, &vmm_replace_lfu, &vmm_replace_sieve, &vmm_replace_two_lists};
    uint32_t cpu;
    size_t p;
    int i;
    (void)state;
    for (p = 0; p < sizeof policies / sizeof *policies; p++) {
        prepare();
        memory.size = 48 * PAGE;
        options.replacement = policies[p];
        start();
        add_swap(SLOTS);
        assert_int_equal(rv_init(&rv, &m->memory), VMM_OK);
        assert_int_equal(rv_attach(&rv, m, &cpu), VMM_OK);
        assert_int_equal(vmm_space_switch(space, cpu), VMM_OK);
        assert_int_equal(map(0, 100, RW, ANON), VMM_OK);
        most_slot_reads = 20000; /* and not for ever */
        for (i = 0; i < 100; i++) assert_int_equal(rv_store64(&rv, AT(i), (uint64_t)i << 32 | 1), VMM_OK);
        for (i = 0; i < 1000; i++) {
            const int page = i * 37 % 99;
            uint64_t word = 0;
            vmm_touch(space, AT(i % 30));
            if (rv_load64(&rv, AT(page + 1) - 4, &word)) fail_msg("%s: page %d", policies[p]->name, page);
            assert_int_equal(word, UINT64_C(1) << 32);
        }
        unmake();
    }
}

static void pages_that_go_round_in_the_last_frames_there_are_find_one(void **state)
{
    unsigned i;
    (void)state;
    prepare();
    memory.size = 16 * PAGE; /* zeros, three tables, four that are kept: eight are left */
    start();
    add_swap(SLOTS);
    assert_int_equal(map(0, 12, RW, ANON), VMM_OK);
    assert_int_equal(vmm_mlock(space, AT(0), 3 * PAGE), VMM_OK);
    for (i = 0; i < 700; i++) {
        const int page = 3 + (int)(i % 7);
        if (i >= 7) assert_int_equal(read_byte(space, AT(page)), (uint8_t)(i - 7));
        assert_int_equal(write_byte(space, AT(page), (uint8_t)i), VMM_OK);
    }
    assert_true(m->stats.major > 300);
    unmake();
}

/* --------------------------------------------------------------------------------- fork -- */

static void a_child_has_areas_limits_and_scores_but_no_locks(void **state)
{
    vmm_space_t *child;
    (void)state;
    make();
    assert_int_equal(map(0, 2, RW, ANON | VMM_MAP_LOCKED), VMM_OK);
    assert_int_equal(map(4, 2, RW, SHARED_ANON), VMM_OK);
    touch_pages(0, 2);
    touch_pages(4, 2);
    space->limits.data = 99 * PAGE;
    space->oom_score_adj = 77;
    strcpy(space->name, "mother");
    note();
    assert_int_equal(vmm_fork(space, &child), VMM_OK);
    assert_string_equal(areas_of(child), before.areas);
    assert_int_equal(child->stats.locked, 0);
    assert_int_equal(child->limits.data, 99 * PAGE);
    assert_int_equal(child->oom_score_adj, 77);
    assert_int_equal(child->parent, space->number);
    assert_string_equal(child->name, "mother");
    assert_int_equal(m->committed, 2 * before.committed);
    assert_int_equal(write_byte(child, AT(0), 50), VMM_OK);
    assert_int_equal(read_byte(space, AT(0)), 1);
    assert_int_equal(write_byte(child, AT(4), 60), VMM_OK);
    assert_int_equal(read_byte(space, AT(4)), 60);
    vmm_exit(child);
    assert_int_equal(read_byte(space, AT(1)), 2);
    assert_int_equal(m->committed, before.committed);
    unmake();
}

static void a_fork_that_fails_leaves_no_child(void **state)
{
    vmm_space_t *child = NULL;
    unsigned i;
    (void)state;
    prepare(); /* no record of a space */
    options.spaces = 1;
    start();
    assert_refused(vmm_fork(space, &child), VMM_E_NO_FRAME);
    unmake();
    prepare(); /* areas of all spaces */
    options.areas = 3;
    start();
    assert_int_equal(map(0, 2, RW, ANON), VMM_OK);
    assert_int_equal(map(4, 2, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    touch_pages(4, 2);
    assert_refused(vmm_fork(space, &child), VMM_E_LIMIT);
    assert_int_equal(read_byte(space, AT(5)), 6);
    unmake();
    prepare(); /* promises */
    options.overcommit = VMM_OVERCOMMIT_NEVER;
    start();
    assert_int_equal(map(0, FRAMES / 2 - 1, RW, ANON), VMM_OK);
    touch_pages(0, 2);
    assert_refused(vmm_fork(space, &child), VMM_E_NO_FRAME);
    unmake();
    prepare(); /* frames for its tables */
    memory.size = 32 * PAGE;
    start();
    for (i = 0; m->frames.free_frames > m->options.watermark_min + 1; i++) { /* pages in tables of their own */
        const vmm_vaddr_t va = BASE + i * UINT64_C(0x200000);
        assert_int_equal(vmm_mmap(space, va, PAGE, RW, ANON | VMM_MAP_FIXED, 0, 0, &got), VMM_OK);
        assert_int_equal(write_byte(space, va, (uint8_t)i), VMM_OK);
    }
    assert_refused(vmm_fork(space, &child), VMM_E_NO_FRAME);
    while (i--) assert_int_equal(read_byte(space, BASE + i * UINT64_C(0x200000)), i);
    unmake();
    assert_null(child);
}

/* ------------------------------------------------------------------- bounds and promises -- */

static void bounds_of_a_space_are_kept(void **state)
{
    (void)state;
    make();
    space->limits.space = 8 * PAGE;
    assert_int_equal(map(0, 4, VMM_R, ANON), VMM_OK);
    assert_refused(map(8, 5, VMM_R, ANON), VMM_E_LIMIT);
    assert_int_equal(map(8, 4, VMM_R, ANON), VMM_OK);
    assert_int_equal(map(0, 4, VMM_X, ANON), VMM_OK); /* replaces as many */
    space->limits.space = 0;
    space->limits.data = 4 * PAGE;
    assert_refused(map(16, 5, RW, ANON), VMM_E_LIMIT);
    assert_int_equal(map(16, 4, RW, ANON), VMM_OK);
    assert_refused(map(24, 1, RW, ANON), VMM_E_LIMIT);
    assert_refused(vmm_mprotect(space, AT(0), PAGE, RW), VMM_E_LIMIT);
    assert_int_equal(map(24, 1, RW, SHARED_ANON), VMM_OK); /* shared is no data */
    assert_int_equal(map(30, 1, VMM_R, ANON), VMM_OK);
    assert_refused(vmm_mremap(space, AT(16), 4 * PAGE, 5 * PAGE, VMM_MREMAP_MAYMOVE, 0, &got), VMM_E_LIMIT);
    unmake();
}

static void a_stack_grows_down_to_its_bounds(void **state)
{
    (void)state;
    make(); /* four pages of guard, a stack of 64 pages at most */
    assert_int_equal(map(200, 2, RW, ANON | VMM_MAP_GROWSDOWN), VMM_OK);
    assert_int_equal(write_byte(space, AT(199), 1), VMM_OK);
    assert_areas("199+3 rw-p");
    assert_int_equal(write_byte(space, AT(180), 1), VMM_OK); /* any distance */
    assert_areas("180+22 rw-p");
    assert_int_equal(space->stats.stack, 22);
    assert_int_equal(m->committed, 22);
    assert_int_equal(write_byte(space, AT(137), 1), VMM_FAULT);
    assert_int_equal(space->signal.code, VMM_SEGV_MAPERR);
    assert_int_equal(write_byte(space, AT(138), 1), VMM_OK);
    assert_areas("138+64 rw-p");
    assert_int_equal(vmm_munmap(space, AT(138), 60 * PAGE), VMM_OK);
    assert_int_equal(map(180, 2, VMM_R, ANON), VMM_OK);
    assert_int_equal(write_byte(space, AT(185), 1), VMM_FAULT); /* less than the guard would be left */
    assert_int_equal(write_byte(space, AT(186), 1), VMM_OK);
    assert_areas("180+2 r--p, 186+16 rw-p");
    space->limits.stack = 8 * PAGE;
    assert_int_equal(map(220, 1, RW, ANON | VMM_MAP_GROWSDOWN), VMM_OK);
    assert_int_equal(write_byte(space, AT(212), 1), VMM_FAULT);
    assert_int_equal(write_byte(space, AT(213), 1), VMM_OK);
    space->limits.stack = 0;
    space->limits.space = space->stats.total * PAGE;
    assert_int_equal(write_byte(space, AT(212), 1), VMM_FAULT);
    unmake();
}

static void promises_are_kept_by_the_mode_of_overcommit(void **state)
{
    (void)state;
    make(); /* a guess: what could never be */
    add_swap(64);
    assert_refused(map(0, FRAMES + 64 + 1, RW, ANON), VMM_E_NO_FRAME);
    assert_int_equal(map(0, FRAMES + 64, RW, ANON), VMM_OK);
    assert_int_equal(map(512, FRAMES + 64, RW, ANON), VMM_OK); /* and as much again */
    assert_int_equal(map(1024, FRAMES + 65, RW, ANON | VMM_MAP_NORESERVE), VMM_OK);
    unmake();
    prepare();
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    start();
    assert_int_equal(map(0, 100000, RW, ANON), VMM_OK);
    unmake();
    prepare();
    options.overcommit = VMM_OVERCOMMIT_NEVER;
    options.overcommit_ratio = 25;
    start();
    add_swap(36);
    assert_refused(map(0, 101, RW, ANON), VMM_E_NO_FRAME);
    assert_refused(map(0, 101, RW, ANON | VMM_MAP_NORESERVE), VMM_E_NO_FRAME); /* it is not heard then */
    assert_int_equal(map(0, 100, RW, ANON), VMM_OK);
    assert_refused(map(200, 1, RW, ANON), VMM_E_NO_FRAME);
    assert_int_equal(map(200, 50, VMM_R, ANON), VMM_OK);
    assert_refused(vmm_mprotect(space, AT(200), PAGE, RW), VMM_E_NO_FRAME);
    assert_refused(vmm_mremap(space, AT(0), 100 * PAGE, 101 * PAGE, VMM_MREMAP_MAYMOVE, 0, &got), VMM_E_NO_FRAME);
    assert_int_equal(vmm_munmap(space, AT(0), PAGE), VMM_OK);
    assert_int_equal(vmm_mprotect(space, AT(200), PAGE, RW), VMM_OK);
    assert_int_equal(m->committed, 100);
    unmake();
}

static void the_older_scale_of_badness_is_that_of_linux(void **state)
{
    static const struct {
        int oom_adj, score;
    } cases[] = {{-17, -1000}, {-16, -941}, {-1, -58}, {0, 0}, {1, 58}, {14, 823}, {15, 1000}};
    size_t i;
    (void)state;
    make();
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(vmm_set_oom_adj(space, cases[i].oom_adj), VMM_OK);
        assert_int_equal(space->oom_score_adj, cases[i].score);
    }
    assert_int_equal(vmm_set_oom_adj(space, -18), VMM_E_ARGUMENT);
    assert_int_equal(vmm_set_oom_adj(space, 16), VMM_E_ARGUMENT);
    assert_int_equal(space->oom_score_adj, 1000);
    assert_int_equal(vmm_set_oom_adj(space, -17), VMM_OK);
    assert_true(vmm_oom_badness(space) == INT64_MIN);
    assert_int_equal(vmm_set_oom_adj(space, 0), VMM_OK);
    assert_int_equal(map(0, 5, RW, ANON), VMM_OK);
    touch_pages(0, 5);
    assert_int_equal(vmm_oom_badness(space), 5 + (int64_t)(space->stats.tables / PAGE));
    unmake();
}

/* ------------------------------------------------------------------------------ objects -- */

static void objects_that_are_none_are_refused(void **state)
{
    vmm_object_options_t o;
    uint32_t object = 0, i;
    (void)state;
    prepare();
    options.objects = 3;
    start();
    memset(&o, 0, sizeof o);
    assert_refused(vmm_object_create(m, &o, &object), VMM_E_ARGUMENT);
    o.kind = 3;
    assert_refused(vmm_object_create(m, &o, &object), VMM_E_ARGUMENT);
    o.kind = VMM_OBJECT_FILE;
    assert_refused(vmm_object_create(m, &o, &object), VMM_E_ARGUMENT); /* no read_page */
    o.kind = VMM_OBJECT_SHARED;
    o.size = PAGE << 31;
    assert_refused(vmm_object_create(m, &o, &object), VMM_E_RANGE);
    o.size = PAGE;
    for (i = 0; i < 3; i++) assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    assert_refused(vmm_object_create(m, &o, &object), VMM_E_NO_FRAME);
    assert_refused(map(0, 1, RW, SHARED_ANON), VMM_E_NO_FRAME); /* it is one too */
    assert_int_equal(vmm_object_close(m, object), VMM_OK);
    assert_int_equal(map(0, 1, RW, SHARED_ANON), VMM_OK);
    unmake();
}

static void an_object_goes_with_its_last_area_once_it_is_closed(void **state)
{
    uint32_t object, used;
    (void)state;
    make();
    used = m->objects.used;
    object = make_object(VMM_OBJECT_SHARED, 4, false);
    assert_int_equal(map_file(0, 2, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(map_file(8, 2, RW, VMM_MAP_SHARED, object, 1), VMM_OK);
    touch_pages(0, 2);
    assert_int_equal(vmm_object_close(m, object), VMM_OK);
    assert_int_equal(vmm_object_close(m, object), VMM_E_BUSY);
    assert_int_equal(read_byte(space, AT(8)), 2);
    assert_int_equal(vmm_munmap(space, AT(0), 2 * PAGE), VMM_OK);
    assert_int_equal(m->objects.used, used + 1);
    assert_int_equal(vmm_munmap(space, AT(8), 2 * PAGE), VMM_OK);
    assert_int_equal(m->objects.used, used);
    assert_int_equal(m->pages_cache, 0);
    unmake();
}

static uint64_t told_size(void *user)
{
    (void)user;
    return 4 * PAGE;
}

static void pages_behind_the_new_end_of_an_object_are_bus_errors(void **state)
{
    vmm_object_options_t o;
    uint32_t object, other;
    (void)state;
    make();
    object = make_object(VMM_OBJECT_FILE, 4, false);
    memset(content, 5, sizeof content);
    assert_int_equal(map_file(0, 4, RW, VMM_MAP_SHARED, object, 0), VMM_OK);
    assert_int_equal(map_file(8, 4, RW, VMM_MAP_PRIVATE, object, 0), VMM_OK);
    touch_pages(0, 4);
    touch_pages(8, 4);
    assert_int_equal(vmm_object_truncate(m, object, PAGE + 100), VMM_OK);
    assert_int_equal(read_byte(space, AT(2)), -1);
    assert_int_equal(space->signal.number, VMM_SIGBUS);
    assert_int_equal(space->signal.code, VMM_BUS_ADRERR);
    assert_int_equal(space->signal.address, AT(2));
    assert_int_equal(read_byte(space, AT(10)), -1); /* private copies too */
    assert_int_equal(read_byte(space, AT(1)), 2);
    assert_int_equal(read_byte(space, AT(1) + 99), 5);
    assert_int_equal(read_byte(space, AT(1) + 100), 0);
    assert_int_equal(read_byte(space, AT(9)), 10);
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_FILE;
    o.read_page = read_page;
    o.size_of = told_size;
    assert_int_equal(vmm_object_create(m, &o, &other), VMM_OK);
    assert_int_equal(vmm_object_truncate(m, other, PAGE), VMM_E_ARGUMENT);
    unmake();
}

static void every_status_has_linuxs_number(void **state)
{
    (void)state;
    assert_int_equal(vmm_status_errno(VMM_OK), 0);
    assert_int_equal(vmm_status_errno(VMM_E_DENIED), 1);
    assert_int_equal(vmm_status_errno(VMM_E_IO), 5);
    assert_int_equal(vmm_status_errno(VMM_E_LONG), 7);
    assert_int_equal(vmm_status_errno(VMM_E_EXEC), 8);
    assert_int_equal(vmm_status_errno(VMM_E_AGAIN), 11);
    assert_int_equal(vmm_status_errno(VMM_E_NO_FRAME), 12);
    assert_int_equal(vmm_status_errno(VMM_FAULT), 14);
    assert_int_equal(vmm_status_errno(VMM_E_RANGE), 22);
    assert_int_equal(vmm_status_errno(VMM_E_ALIGN), 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_make_no_machine_are_refused),
        cmocka_unit_test(a_machine_whose_kernel_half_does_not_fit_is_refused),
        cmocka_unit_test(zero_is_the_default_of_every_option),
        cmocka_unit_test(swap_areas_are_refused_when_bad_and_filled_by_priority),
        cmocka_unit_test(spaces_are_as_many_as_records_and_frames_allow),
        cmocka_unit_test(a_space_that_ends_gives_everything_back),
        cmocka_unit_test(processors_are_attached_up_to_their_number),
        cmocka_unit_test(switching_flushes_only_when_asids_run_out),
        cmocka_unit_test(without_asids_every_switch_flushes),
        cmocka_unit_test(arguments_that_are_none_are_refused_by_mmap),
        cmocka_unit_test(lengths_are_rounded_up_to_pages),
        cmocka_unit_test(without_a_wish_the_highest_gap_is_filled_from_its_top),
        cmocka_unit_test(when_mappings_have_no_room_the_lowest_gap_of_all_is_taken),
        cmocka_unit_test(bottom_up_the_lowest_gap_is_filled_from_its_bottom),
        cmocka_unit_test(a_wish_is_followed_where_it_is_free),
        cmocka_unit_test(the_guard_below_a_stack_is_kept_free_but_not_from_fixed_mappings),
        cmocka_unit_test(fixed_mappings_replace_what_was_there),
        cmocka_unit_test(populated_and_locked_mappings_are_resident_at_once),
        cmocka_unit_test(a_mapping_that_promises_nothing_is_not_counted),
        cmocka_unit_test(neighbours_are_one_area_where_linux_merges_them),
        cmocka_unit_test(what_fills_a_hole_becomes_one_with_both_sides),
        cmocka_unit_test(sides_touched_apart_stay_apart),
        cmocka_unit_test(a_neighbour_touched_later_takes_part_in_the_first_ones_origin),
        cmocka_unit_test(a_forked_area_grows_in_the_parent_and_not_in_the_child),
        cmocka_unit_test(what_splits_an_area_undone_makes_it_whole_again),
        cmocka_unit_test(what_moved_is_one_with_its_new_neighbour_only_if_untouched),
        cmocka_unit_test(copies_of_a_files_pages_are_found_when_the_lower_side_is_untouched),
        cmocka_unit_test(ranges_that_are_none_are_refused_by_munmap),
        cmocka_unit_test(unmapping_cuts_trims_and_passes_over_holes),
        cmocka_unit_test(what_is_left_of_a_trimmed_area_shows_what_it_showed),
        cmocka_unit_test(the_number_of_areas_is_bounded),
        cmocka_unit_test(ranges_and_rights_that_are_none_are_refused_by_mprotect),
        cmocka_unit_test(rights_taken_and_given_back_keep_the_content),
        cmocka_unit_test(arguments_that_are_none_are_refused_by_mremap),
        cmocka_unit_test(a_stretch_grows_where_it_is_or_moves_with_its_pages),
        cmocka_unit_test(shared_pages_are_mapped_a_second_time_by_a_length_of_0),
        cmocka_unit_test(advice_that_is_none_or_does_not_fit_is_refused),
        cmocka_unit_test(what_is_behind_a_hole_is_advised_too),
        cmocka_unit_test(advice_about_huge_pages_and_reading_is_kept_in_flags),
        cmocka_unit_test(pages_wanted_are_read_ahead_of_their_use),
        cmocka_unit_test(locking_stops_at_holes_and_pages_that_cannot_be_touched),
        cmocka_unit_test(locked_bytes_are_bounded_and_counted_once),
        cmocka_unit_test(locking_more_than_there_are_frames_is_told),
        cmocka_unit_test(locked_pages_stay_when_others_go_to_swap),
        cmocka_unit_test(msync_writes_what_shared_areas_changed),
        cmocka_unit_test(a_write_that_fails_is_told_once_and_tried_again),
        cmocka_unit_test(mincore_tells_what_is_in_frames),
        cmocka_unit_test(the_break_moves_both_ways_and_new_pages_are_zero),
        cmocka_unit_test(a_break_that_cannot_be_stays_where_it_was),
        cmocka_unit_test(copies_cross_pages_and_stop_where_they_cannot_go_on),
        cmocka_unit_test(a_pinned_page_stays_until_it_is_unpinned),
        cmocka_unit_test(an_access_to_two_pages_gets_both_from_every_policy),
        cmocka_unit_test(pages_that_go_round_in_the_last_frames_there_are_find_one),
        cmocka_unit_test(a_child_has_areas_limits_and_scores_but_no_locks),
        cmocka_unit_test(a_fork_that_fails_leaves_no_child),
        cmocka_unit_test(bounds_of_a_space_are_kept),
        cmocka_unit_test(a_stack_grows_down_to_its_bounds),
        cmocka_unit_test(promises_are_kept_by_the_mode_of_overcommit),
        cmocka_unit_test(the_older_scale_of_badness_is_that_of_linux),
        cmocka_unit_test(objects_that_are_none_are_refused),
        cmocka_unit_test(an_object_goes_with_its_last_area_once_it_is_closed),
        cmocka_unit_test(pages_behind_the_new_end_of_an_object_are_bus_errors),
        cmocka_unit_test(every_status_has_linuxs_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
