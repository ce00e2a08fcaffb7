/* test_maps.c - what a machine's memory is used for, as data and as Linux prints it. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define PAGE UINT64_C(4096)
#define KIB UINT64_C(1024)
#define FRAMES 256u
#define SLOTS 64u
#define LOW UINT64_C(0x400000)

static const vmm_layout_t layout = {"3G/1G",    0x10000, 0xc0000000, 0x08048000, 0x40000000, 0xb7000000,
                                    0xc0000000, 0,       8 << 20,    256,        false};

static uint64_t ram[FRAMES * PAGE / 8];
static uint8_t disk[SLOTS][PAGE], content[5 * PAGE];
static void *block;
static vmm_machine_t *m;
static vmm_space_t *space;
static vmm_memory_t memory;
static vmm_machine_options_t options;

static int write_slot(void *user, uint32_t slot, const void *page)
{
    (void)user;
    memcpy(disk[slot], page, PAGE);
    return 0;
}
static int read_slot(void *user, uint32_t slot, void *page)
{
    (void)user;
    memcpy(page, disk[slot], PAGE);
    return 0;
}
static int read_page(void *user, uint64_t page, void *to)
{
    memcpy(to, (uint8_t *)user + page * PAGE, PAGE);
    return 0;
}
static int write_page(void *user, uint64_t page, const void *from)
{
    memcpy((uint8_t *)user + page * PAGE, from, PAGE);
    return 0;
}

static void make_with(const vmm_paging_t *paging, uint8_t huge)
{
    vmm_swap_area_t swap;
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.base = 0x80000000;
    memory.size = sizeof ram;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = paging;
    options.layout = &layout;
    options.slots = SLOTS;
    options.huge = huge;
    block = malloc((size_t)vmm_machine_bytes(&options));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&options), &options, &m), VMM_OK);
    memset(&swap, 0, sizeof swap);
    swap.write_slot = write_slot;
    swap.read_slot = read_slot;
    swap.slots = SLOTS;
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
}

static void make(void)
{
    make_with(&vmm_sv32, VMM_HUGE_NEVER);
}

static void unmake(void)
{
    assert_true(vmm_check(m));
    free(block);
}

static uint32_t object_of(uint8_t kind, const char *name)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    memset(&o, 0, sizeof o);
    o.kind = kind;
    o.size = sizeof content;
    o.read_page = read_page;
    o.write_page = write_page;
    o.user = content;
    o.name = name;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

static vmm_vaddr_t map(vmm_vaddr_t at, uint64_t pages, uint32_t rights, uint32_t flags, uint32_t object,
                       uint64_t offset)
{
    vmm_vaddr_t va = 0;
    if (at) flags |= VMM_MAP_FIXED;
    if (!object) flags |= VMM_MAP_ANONYMOUS;
    assert_int_equal(vmm_mmap(space, at, pages * PAGE, rights, flags, object, offset, &va), VMM_OK);
    return va;
}

static void store(vmm_space_t *s, vmm_vaddr_t va)
{
    const uint8_t byte = (uint8_t)(va >> 12);
    assert_int_equal(vmm_space_write(s, va, &byte, 1), VMM_OK);
}
static void load(vmm_space_t *s, vmm_vaddr_t va)
{
    uint8_t byte;
    assert_int_equal(vmm_space_read(s, va, &byte, 1), VMM_OK);
}

static vmm_usage_t usage_of(vmm_space_t *s, vmm_vaddr_t va)
{
    vmm_usage_t u;
    vmm_smaps(s, va ? vmm_area_with(s, va) : 0, &u);
    assert_true(u.rss == u.shared_clean + u.shared_dirty + u.private_clean + u.private_dirty);
    assert_true(u.pss <= u.rss << VMM_PSS_SHIFT);
    return u;
}

/* -- data -- */

static void pages_are_unallocated_uncached_or_cached(void **state)
{
    uint32_t file, shared;
    vmm_vaddr_t anon, shown, shm;
    (void)state;
    make();
    file = object_of(VMM_OBJECT_FILE, "file");
    shared = object_of(VMM_OBJECT_SHARED, "shm");
    anon = map(0, 4, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    shown = map(0, 4, VMM_R, VMM_MAP_PRIVATE, file, PAGE);
    shm = map(0, 4, VMM_R | VMM_W, VMM_MAP_SHARED, shared, 0);
    assert_int_equal(vmm_page_state(space, 0x5000), VMM_PAGE_UNALLOCATED);
    assert_int_equal(vmm_page_state(space, layout.top + 5), VMM_PAGE_UNALLOCATED);
    assert_int_equal(vmm_page_state(space, anon), VMM_PAGE_UNCACHED);
    load(space, anon);
    assert_int_equal(vmm_page_state(space, anon), VMM_PAGE_CACHED); /* the frame of zeros */
    store(space, anon + PAGE);
    assert_int_equal(vmm_page_state(space, anon + 2 * PAGE - 1), VMM_PAGE_CACHED);
    assert_int_equal(vmm_page_state(space, shown), VMM_PAGE_UNCACHED);
    load(space, shown);
    assert_int_equal(vmm_page_state(space, shown), VMM_PAGE_CACHED);
    assert_int_equal(vmm_madvise(space, shown, PAGE, VMM_MADV_DONTNEED), VMM_OK);
    assert_int_equal(vmm_page_state(space, shown), VMM_PAGE_CACHED); /* in the page cache still */
    assert_int_equal(vmm_mprotect(space, anon, 4 * PAGE, 0), VMM_OK);
    assert_int_equal(vmm_page_state(space, anon + PAGE), VMM_PAGE_CACHED);
    assert_int_equal(vmm_page_state(space, anon + 3 * PAGE), VMM_PAGE_UNCACHED);
    store(space, shm);
    assert_true(vmm_reclaim(m, 200) > 0);
    while (vmm_reclaim(m, 200)) {}
    assert_int_equal(vmm_page_state(space, anon + PAGE), VMM_PAGE_UNCACHED);
    assert_int_equal(vmm_page_state(space, shm), VMM_PAGE_UNCACHED);
    assert_int_equal(vmm_mprotect(space, anon, 4 * PAGE, VMM_R | VMM_W), VMM_OK);
    load(space, anon + PAGE);
    assert_int_equal(vmm_page_state(space, anon + PAGE), VMM_PAGE_CACHED);
    unmake();
}

/* Three of a family share: each page counts a third, rounded down at the twelfth bit, as Linux does it. */
static void a_shared_page_counts_its_part_in_pss(void **state)
{
    vmm_space_t *second, *third;
    vmm_vaddr_t at;
    vmm_usage_t u;
    (void)state;
    make();
    at = map(0, 10, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    store(space, at);
    store(space, at + PAGE);
    store(space, at + 2 * PAGE);
    load(space, at + 5 * PAGE); /* zeros: nobody's */
    u = usage_of(space, at);
    assert_true(u.size == 10 * PAGE && u.rss == 3 * PAGE && u.private_dirty == 3 * PAGE && u.anonymous == 3 * PAGE);
    assert_true(u.pss == 3 * PAGE << VMM_PSS_SHIFT && u.pss_dirty == u.pss && u.referenced == 3 * PAGE);
    assert_int_equal(vmm_fork(space, &second), VMM_OK);
    assert_int_equal(vmm_fork(space, &third), VMM_OK);
    u = usage_of(space, at);
    assert_true(u.rss == 3 * PAGE && u.shared_dirty == 3 * PAGE);
    assert_true(u.pss == (PAGE << VMM_PSS_SHIFT) / 3 * 3);
    store(third, at + PAGE);
    u = usage_of(space, at);
    assert_true(u.pss == (PAGE << VMM_PSS_SHIFT) / 3 * 2 + (PAGE << VMM_PSS_SHIFT) / 2);
    u = usage_of(third, at);
    assert_true(u.shared_dirty == 2 * PAGE && u.private_dirty == PAGE);
    assert_true(u.pss == (PAGE << VMM_PSS_SHIFT) / 3 * 2 + (PAGE << VMM_PSS_SHIFT));
    vmm_exit(second);
    vmm_exit(third);
    u = usage_of(space, at);
    assert_true(u.private_dirty == 3 * PAGE && u.pss == 3 * PAGE << VMM_PSS_SHIFT);
    unmake();
}

static void pages_of_files_are_clean_until_they_are_written(void **state)
{
    uint32_t file;
    vmm_vaddr_t shared, private_at;
    vmm_usage_t u;
    vmm_meminfo_t info;
    (void)state;
    make();
    file = object_of(VMM_OBJECT_FILE, "file");
    shared = map(0, 5, VMM_R | VMM_W, VMM_MAP_SHARED, file, 0);
    private_at = map(0, 5, VMM_R | VMM_W, VMM_MAP_PRIVATE, file, 0);
    load(space, shared);
    store(space, shared + PAGE);
    load(space, private_at);
    store(space, private_at + PAGE);
    u = usage_of(space, shared);
    assert_true(u.rss == 2 * PAGE && u.anonymous == 0 && u.shared_clean == PAGE && u.private_dirty == PAGE);
    u = usage_of(space, private_at);
    assert_true(u.rss == 2 * PAGE && u.anonymous == PAGE && u.shared_clean == PAGE && u.private_dirty == PAGE);
    u = usage_of(space, 0);
    assert_true(u.size == 10 * PAGE && u.rss == 4 * PAGE && u.pss == 3 * PAGE << VMM_PSS_SHIFT);
    vmm_meminfo(m, &info);
    assert_true(info.cached == 2 * PAGE && info.mapped == 2 * PAGE && info.anon == PAGE && info.dirty == PAGE);
    assert_int_equal(vmm_msync(space, shared, 5 * PAGE, VMM_MS_SYNC), VMM_OK);
    u = usage_of(space, shared);
    assert_true(u.private_clean == PAGE && u.shared_clean == PAGE);
    vmm_meminfo(m, &info);
    assert_true(info.dirty == 0);
    unmake();
}

static void slots_count_as_swap_and_their_part_in_swap_pss(void **state)
{
    vmm_space_t *child;
    vmm_vaddr_t at, shm;
    vmm_usage_t u;
    vmm_meminfo_t info;
    unsigned i;
    (void)state;
    make();
    at = map(0, 8, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    shm = map(0, 4, VMM_R | VMM_W, VMM_MAP_SHARED, 0, 0);
    for (i = 0; i < 6; i++) store(space, at + i * PAGE);
    for (i = 0; i < 3; i++) store(space, shm + i * PAGE);
    assert_int_equal(vmm_fork(space, &child), VMM_OK);
    while (vmm_reclaim(m, 200)) {}
    u = usage_of(space, at);
    assert_true(u.rss == 0 && u.swap == 6 * PAGE && u.swap_pss == 3 * PAGE << VMM_PSS_SHIFT);
    u = usage_of(space, shm);
    assert_true(u.swap == 3 * PAGE && u.swap_pss == 0);
    load(child, shm); /* in a frame, which only the child maps */
    u = usage_of(space, shm);
    assert_true(u.rss == 0 && u.swap == 2 * PAGE);
    u = usage_of(child, shm);
    assert_true(u.rss == PAGE && u.swap == 2 * PAGE);
    load(child, at); /* the slot stays as long as the other's entry stands for it */
    u = usage_of(child, at);
    assert_true(u.rss == PAGE && u.swap == 5 * PAGE);
    vmm_meminfo(m, &info);
    assert_true(info.swap_total == SLOTS * PAGE && info.swap_free == (SLOTS - 8) * PAGE);
    assert_true(info.swap_cached == PAGE && info.anon == PAGE && info.shmem == PAGE);
    store(child, at);
    u = usage_of(space, at);
    assert_true(u.swap_pss == (5 * PAGE << VMM_PSS_SHIFT) / 2 + (PAGE << VMM_PSS_SHIFT));
    unmake();
}

static void marks_of_areas_and_pages_are_counted(void **state)
{
    vmm_vaddr_t at, lazy;
    vmm_usage_t u;
    vmm_meminfo_t info;
    (void)state;
    make();
    at = map(0, 4, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    assert_int_equal(vmm_mlock(space, at, 4 * PAGE), VMM_OK);
    u = usage_of(space, at);
    assert_true(u.rss == 4 * PAGE && u.locked == 4 * PAGE << VMM_PSS_SHIFT);
    vmm_meminfo(m, &info);
    assert_true(info.locked == 4 * PAGE);
    lazy = map(0, 4, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    store(space, lazy);
    store(space, lazy + PAGE);
    assert_int_equal(vmm_madvise(space, lazy, 4 * PAGE, VMM_MADV_FREE), VMM_OK);
    u = usage_of(space, lazy);
    assert_true(u.lazy_free == 2 * PAGE && u.private_clean == 2 * PAGE && u.locked == 0);
    store(space, lazy);
    u = usage_of(space, lazy);
    assert_true(u.lazy_free == PAGE && u.private_dirty == PAGE);
    assert_int_equal(vmm_mprotect(space, lazy, 4 * PAGE, 0), VMM_OK); /* resident all the same */
    u = usage_of(space, lazy);
    assert_true(u.rss == 2 * PAGE);
    unmake();
}

static void a_huge_page_counts_as_all_of_its_pages(void **state)
{
    static uint64_t much[(4 << 20) / 8];
    vmm_vaddr_t at;
    vmm_usage_t u;
    vmm_meminfo_t info;
    (void)state;
    memset(&memory, 0, sizeof memory);
    memory.ram = much;
    memory.base = 0x80000000;
    memory.size = sizeof much;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.layout = &layout;
    options.huge = VMM_HUGE_ALWAYS;
    block = malloc((size_t)vmm_machine_bytes(&options));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&options), &options, &m), VMM_OK);
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
    at = map(0x40000000, 512, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    store(space, at);
    u = usage_of(space, at);
    assert_true(u.huge == 512 * PAGE && u.rss == 512 * PAGE && u.anonymous == 512 * PAGE && u.private_dirty == u.rss);
    vmm_meminfo(m, &info);
    assert_true(info.anon_huge == 512 * PAGE && info.huge_bytes == 512 * PAGE);
    assert_int_equal(vmm_page_state(space, at + 300 * PAGE), VMM_PAGE_CACHED);
    unmake();
}

static void every_frame_is_accounted_for(void **state)
{
    vmm_vaddr_t at;
    vmm_meminfo_t info;
    uint32_t i, tables_and_free = 0;
    (void)state;
    make();
    at = map(0, 30, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    for (i = 0; i < 20; i++) store(space, at + i * PAGE);
    at = map(0, 4, VMM_R, VMM_MAP_SHARED, object_of(VMM_OBJECT_FILE, "f"), 0);
    for (i = 0; i < 4; i++) load(space, at + i * PAGE);
    vmm_meminfo(m, &info);
    for (i = 0; i < m->frame_count; i++) tables_and_free += vmm_frame_kind(vmm_frame_at(m, i)) == VMM_FRAME_FIXED;
    assert_true(info.total == FRAMES * PAGE);
    assert_true(info.free + info.anon + info.cached + info.tables + tables_and_free * PAGE == info.total);
    assert_true(info.anon == 20 * PAGE && info.cached == 4 * PAGE && info.committed == 30 * PAGE);
    assert_true(info.available == info.free - m->options.watermark_low * PAGE + 2 * PAGE); /* half of the file */
    assert_true(info.commit_limit == (FRAMES / 2 + SLOTS) * PAGE);
    unmake();
}

/* -- as printed -- */

static char printed[1 << 16];
static FILE *out;

static void begin(void)
{
    out = tmpfile();
    assert_non_null(out);
}
static void end(void)
{
    size_t bytes;
    rewind(out);
    bytes = fread(printed, 1, sizeof printed - 1, out);
    printed[bytes] = 0;
    fclose(out);
}

/* A program with text and data of a file, heap, a mapping, shared memory and a stack. */
static void run_program(void)
{
    static const char *const argv[] = {"cat", NULL};
    static vmm_segment_t segment[2];
    vmm_program_t program;
    vmm_start_t start;
    vmm_vaddr_t now = 0;
    const uint32_t file = object_of(VMM_OBJECT_FILE, "/usr/bin/cat");
    memset(segment, 0, sizeof segment);
    memset(&program, 0, sizeof program);
    segment[0].vaddr = LOW;
    segment[0].bytes = segment[0].content_bytes = 2 * PAGE;
    segment[0].object = file;
    segment[0].rights = VMM_R | VMM_X;
    segment[1].vaddr = LOW + 3 * PAGE;
    segment[1].bytes = 3 * PAGE;
    segment[1].content_bytes = PAGE;
    segment[1].object = file;
    segment[1].offset = 2 * PAGE;
    segment[1].rights = VMM_R | VMM_W;
    program.segments = segment;
    program.count = 2;
    program.entry = LOW;
    program.name = "/usr/bin/cat";
    assert_int_equal(vmm_exec(space, &program, argv, NULL, &start), VMM_OK);
    assert_int_equal(vmm_brk(space, LOW + 8 * PAGE, &now), VMM_OK);
    (void)map(0xb6000000, 2, 0, VMM_MAP_PRIVATE, 0, 0);
    (void)map(0xb6010000, 1, VMM_R | VMM_W, VMM_MAP_SHARED, 0, 0);
}

static void maps_look_as_linux_prints_them(void **state)
{
    (void)state;
    make();
    run_program();
    begin();
    vmm_print_maps(out, space);
    end();
    assert_string_equal(printed,
                        "00400000-00402000 r-xp 00000000 00:01 1                                  /usr/bin/cat\n"
                        "00403000-00404000 rw-p 00002000 00:01 1                                  /usr/bin/cat\n"
                        "00404000-00406000 rw-p 00000000 00:00 0 \n"
                        "00406000-00408000 rw-p 00000000 00:00 0                                  [heap]\n"
                        "b6000000-b6002000 ---p 00000000 00:00 0 \n"
                        "b6010000-b6011000 rw-s 00000000 00:01 2                                  /dev/zero (deleted)\n"
                        "bffdf000-c0000000 rw-p 00000000 00:00 0                                  [stack]\n");
    unmake();
}

/* The first line of a name in the host's file that has a word; false: this host shows no such thing. */
static bool host_line(const char *path, const char *wanted, char *line, int bytes)
{
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f && !found && fgets(line, bytes, f)) found = strstr(line, wanted) != NULL;
    if (f) fclose(f);
    return found;
}

static void names_stand_in_the_host_kernels_column(void **state)
{
    static char line[512];
    const char *ours;
    (void)state;
    if (!host_line("/proc/self/maps", "[stack]", line, sizeof line)) skip();
    make();
    run_program();
    begin();
    vmm_print_maps(out, space);
    end();
    ours = strstr(printed, "[stack]");
    while (ours[-1] != '\n') ours--;
    assert_int_equal(strstr(ours, "[stack]") - ours, strstr(line, "[stack]") - line);
    unmake();
}

/* Every field that we print is one that the host's kernel prints, in the same order and columns. */
static void assert_fields_of_host(const char *path)
{
    static char host[1 << 16];
    const char *line = printed, *at = host;
    FILE *f = fopen(path, "r");
    size_t bytes;
    unsigned fields = 0;
    if (!f) skip();
    bytes = fread(host, 1, sizeof host - 1, f);
    host[bytes] = 0;
    fclose(f);
    for (; *line; line = strchr(line, '\n') + 1) {
        const char *colon = strchr(line, ':'), *number, *there;
        char name[40];
        if (!colon || colon > strchr(line, '\n') || colon - line > 30 || !strstr(line, "kB")) continue;
        if (strstr(line, "kB") > strchr(line, '\n')) continue; /* a line of maps */
        memset(name, 0, sizeof name);
        name[0] = '\n';
        memcpy(name + 1, line, (size_t)(colon - line) + 1);
        there = strstr(at, name);
        if (!there) continue; /* an older kernel */
        at = there + 1;
        number = strstr(line, " kB");
        assert_int_equal(number - line, strstr(at, " kB") - at);
        fields++;
    }
    assert_true(fields >= 8);
}

static void smaps_has_the_host_kernels_fields(void **state)
{
    char *second;
    (void)state;
    make();
    run_program();
    store(space, LOW + 3 * PAGE);
    load(space, LOW);
    begin();
    vmm_print_smaps(out, space);
    end();
    assert_non_null(strstr(printed, "Size:                  8 kB\nKernelPageSize:        4 kB\n"));
    assert_non_null(strstr(printed, "Private_Clean:         4 kB\n"));
    assert_non_null(strstr(printed, "Private_Dirty:         4 kB\n"));
    assert_non_null(strstr(printed, "VmFlags: rd ex mr mw me \n"));
    assert_non_null(strstr(printed, "VmFlags: rd wr mr mw me gd ac \n"));
    assert_non_null(strstr(printed, "VmFlags: rd wr sh mr mw me ms \n"));
    second = strstr(printed, "\n00403000");
    assert_non_null(second);
    second[1] = 0; /* the first area alone */
    assert_fields_of_host("/proc/self/smaps");
    unmake();
}

static void meminfo_has_the_host_kernels_fields(void **state)
{
    (void)state;
    make();
    begin();
    vmm_print_meminfo(out, m);
    end();
    assert_non_null(strstr(printed, "MemTotal:           1024 kB\n"));
    assert_non_null(strstr(printed, "SwapTotal:           256 kB\nSwapFree:            256 kB\n"));
    assert_fields_of_host("/proc/meminfo");
    unmake();
}

static void ps_tells_of_every_space(void **state)
{
    vmm_space_t *child, *third;
    vmm_vaddr_t at;
    char expected[400];
    (void)state;
    make();
    run_program();
    at = map(0, 10, VMM_R | VMM_W, VMM_MAP_PRIVATE, 0, 0);
    store(space, at);
    assert_int_equal(vmm_fork(space, &child), VMM_OK);
    assert_int_equal(vmm_fork(child, &third), VMM_OK);
    store(child, at);
    vmm_exit(third); /* its line is gone */
    child->oom_score_adj = -1000;
    child->killed = true;
    begin();
    vmm_print_ps(out, m);
    end();
    snprintf(expected, sizeof expected,
             "  PID  PPID S        VSZ        RSS       SWAP     MINFLT     MAJFLT   OOM   ADJ  NAME\n"
             "    1     0 S        212          8          0 %10u          0 %5u     0  cat\n"
             "    2     1 X        212          8          0          1          0     0 -1000  cat\n",
             (unsigned)space->stats.minor, vmm_oom_score(space));
    assert_string_equal(printed, expected);
    unmake();
}

static void buddyinfo_and_slabinfo_count_what_there_is(void **state)
{
    char expected[400];
    vmm_frames_usage_t frames;
    unsigned order, at;
    (void)state;
    make();
    begin();
    vmm_print_buddyinfo(out, m);
    end();
    vmm_frames_measure(&m->frames, &frames);
    at = (unsigned)snprintf(expected, sizeof expected, "Node 0, zone   Normal ");
    for (order = 0; order <= 8; order++)
        at += (unsigned)snprintf(expected + at, sizeof expected - at, "%6u ", (unsigned)frames.blocks[order]);
    snprintf(expected + at, sizeof expected - at, "\n");
    assert_string_equal(printed, expected);
    begin();
    vmm_print_slabinfo(out, m);
    end();
    snprintf(expected, sizeof expected, "vmm_space              1     64 %6u %4u    1\n", m->spaces.bytes,
             4096 / m->spaces.bytes);
    assert_non_null(strstr(printed, expected));
    snprintf(expected, sizeof expected, "vmm_frame         %6u    256     20  204    1\n", 256 - m->frames.free_frames);
    assert_non_null(strstr(printed, expected));
    unmake();
}

static void events_are_told_in_a_line_with_their_step(void **state)
{
    static const struct {
        vmm_event_t event;
        const char *line;
    } cases[] = {
        {{VMM_EVENT_ACCESS, 1, 0x1234, 0, VMM_WRITE}, "[1] space 1   access      VA 0x00001234 write\n"},
        {{VMM_EVENT_WALK, 0, 0, 0x80001000, 0}, "[2]           walk        PA 0x80001000\n"},
        {{VMM_EVENT_ENTRY, 0, 0, 0, 0xabc}, "[3]           entry       PTE 0xabc\n"},
        {{VMM_EVENT_FAULT, 12, 0x1000, 0, VMM_PAGE_UNCACHED},
         "[4] space 12  fault       VA 0x00001000 page uncached\n"},
        {{VMM_EVENT_SWAP_OUT, 0, 0, 0x80002000, 7}, "[5]           swap out    PA 0x80002000 slot 7\n"},
        {{VMM_EVENT_MAP, 1, 0x1000, 0x80003000, 0x17},
         "[6] space 1   map         VA 0x00001000 PA 0x80003000 PTE 0x17\n"},
        {{VMM_EVENT_RETRY, 1, 0x1000, 0, 2}, "[7] space 1   run again   VA 0x00001000 major fault\n"},
        {{VMM_EVENT_SIGNAL, 1, 0, 0, 11}, "    space 1   signal      VA 0x00000000 number 11\n"},
        {{VMM_EVENT_FORK, 1, 0, 0, 2}, "    space 1   fork        child 2\n"},
        {{VMM_EVENT_EXIT, 2, 0, 0, 0}, "    space 2   exit       \n"},
        {{1000, 0, 0, 0, 0}, "              unknown    \n"},
    };
    size_t i;
    unsigned kind;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        vmm_print_event(out, &cases[i].event);
        end();
        assert_string_equal(printed, cases[i].line);
    }
    for (kind = 0; kind < VMM_EVENT_KINDS; kind++) {
        const vmm_event_t event = {kind, 1, 2, 3, 1};
        begin();
        vmm_print_event(out, &event);
        end();
        assert_non_null(strchr(printed, '\n'));
        assert_true(strchr(printed, '\n')[1] == 0);
        assert_null(strstr(printed, "unknown"));
    }
    assert_string_equal(vmm_event_text(VMM_EVENT_MERGE), "merge");
    assert_string_equal(vmm_event_text(VMM_EVENT_KINDS), "unknown");
    assert_string_equal(vmm_exec_rule_text(VMM_EXEC_ARGUMENTS), "arguments and environment are too long");
    assert_string_equal(vmm_exec_rule_text(VMM_EXEC_RULES), "unknown");
    assert_string_equal(vmm_page_state_text(VMM_PAGE_CACHED), "cached");
}

static void oom_score_is_on_the_kernels_scale(void **state)
{
    (void)state;
    make();
    assert_in_range(vmm_oom_score(space), 666, 670);
    space->oom_score_adj = 1000;
    assert_in_range(vmm_oom_score(space), 1333, 1340);
    space->oom_score_adj = -1000;
    assert_int_equal(vmm_oom_score(space), 0);
    unmake();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_unallocated_uncached_or_cached),
        cmocka_unit_test(a_shared_page_counts_its_part_in_pss),
        cmocka_unit_test(pages_of_files_are_clean_until_they_are_written),
        cmocka_unit_test(slots_count_as_swap_and_their_part_in_swap_pss),
        cmocka_unit_test(marks_of_areas_and_pages_are_counted),
        cmocka_unit_test(a_huge_page_counts_as_all_of_its_pages),
        cmocka_unit_test(every_frame_is_accounted_for),
        cmocka_unit_test(maps_look_as_linux_prints_them),
        cmocka_unit_test(names_stand_in_the_host_kernels_column),
        cmocka_unit_test(smaps_has_the_host_kernels_fields),
        cmocka_unit_test(meminfo_has_the_host_kernels_fields),
        cmocka_unit_test(ps_tells_of_every_space),
        cmocka_unit_test(buddyinfo_and_slabinfo_count_what_there_is),
        cmocka_unit_test(events_are_told_in_a_line_with_their_step),
        cmocka_unit_test(oom_score_is_on_the_kernels_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
