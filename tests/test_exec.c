/* test_exec.c - programs in a space: lists of segments, ELF files built here, and this test's own file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pread, environ */
#endif
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define FRAMES 600u
#define LOW UINT64_C(0x400000)

static const vmm_layout_t wide = {"wide",
                                  0x10000,
                                  UINT64_C(1) << 38,
                                  0x10000000,
                                  UINT64_C(1) << 32,
                                  UINT64_C(0x3fff000000),
                                  UINT64_C(1) << 38,
                                  0,
                                  8 << 20,
                                  256,
                                  false};
static const vmm_layout_t narrow = {"3G/1G",    0x10000,    0xc0000000, 0x08048000, 0x40000000, 0xbf000000,
                                    0xc0000000, 0xc0000000, 8 << 20,    256,        false};
static const vmm_layout_t upward = {"upward",   0x10000,    0xc0000000, 0x08048000, 0x40000000, 0xbf000000,
                                    0xc0000000, 0xc0000000, 8 << 20,    256,        true};

static uint64_t ram[FRAMES * PAGE / 8];
static void *block;
static vmm_machine_t *m;
static vmm_space_t *space;
static vmm_memory_t memory;
static vmm_machine_options_t options;

/* A file behind callbacks: bytes that are read page by page; a read beyond them is an error of the machine. */
typedef struct file {
    const uint8_t *bytes;
    uint64_t size;
    unsigned reads, fail_at; /* fail_at: which read fails; 0: none */
} file_t;

static int file_read(void *user, uint64_t page, void *to)
{
    file_t *f = (file_t *)user;
    const uint64_t at = page * PAGE;
    assert_true(at < f->size);
    if (++f->reads == f->fail_at) return 1;
    memcpy(to, f->bytes + at, (size_t)(f->size - at < PAGE ? f->size - at : PAGE));
    return 0;
}

static uint32_t open_object(file_t *f, const char *name)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_FILE;
    o.size = f->size;
    o.read_page = file_read;
    o.user = f;
    o.name = name;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

static void make(const vmm_paging_t *paging, const vmm_layout_t *layout)
{
    memset(&memory, 0, sizeof memory);
    memory.ram = ram;
    memory.base = 0x80000000;
    memory.size = sizeof ram;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = paging;
    options.layout = layout;
    block = malloc((size_t)vmm_machine_bytes(&options));
    assert_non_null(block);
    assert_int_equal(vmm_machine_create(block, vmm_machine_bytes(&options), &options, &m), VMM_OK);
    assert_int_equal(vmm_space_create(m, &space), VMM_OK);
}

static void unmake(void)
{
    assert_true(vmm_check(m));
    free(block);
}

static void get(vmm_vaddr_t va, void *to, uint64_t bytes)
{
    assert_int_equal(vmm_space_read(space, va, to, bytes), VMM_OK);
}

static void assert_bytes(vmm_vaddr_t va, const void *expected, uint64_t bytes)
{
    uint8_t *const now = (uint8_t *)malloc((size_t)bytes);
    get(va, now, bytes);
    assert_memory_equal(now, expected, (size_t)bytes);
    free(now);
}

static void assert_fill(vmm_vaddr_t va, uint64_t bytes, uint8_t value)
{
    uint64_t i;
    for (i = 0; i < bytes; i++) {
        uint8_t byte = 0;
        get(va + i, &byte, 1);
        assert_int_equal(byte, value);
    }
}

static void assert_area(vmm_vaddr_t start, vmm_vaddr_t end, uint32_t rights)
{
    const uint32_t area = vmm_area_with(space, start);
    const vmm_area_t *a;
    assert_true(area != 0);
    a = vmm_area_at(m, area);
    assert_true(a->start == start);
    assert_true(a->end == end);
    assert_int_equal(a->flags & (VMM_R | VMM_W | VMM_X), rights);
}

/* -- lists of segments -- */

static uint8_t text[100], data[5000];
static vmm_segment_t segment[3];
static vmm_program_t program;

static void describe(void)
{
    size_t i;
    for (i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 7 + 1);
    for (i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 5 + 3);
    memset(segment, 0, sizeof segment);
    memset(&program, 0, sizeof program);
    segment[0].vaddr = LOW + 0x10;
    segment[0].bytes = sizeof text;
    segment[0].content = text;
    segment[0].content_bytes = sizeof text;
    segment[0].rights = VMM_R | VMM_X;
    segment[1].vaddr = LOW + 0x2ffe;
    segment[1].bytes = 20000;
    segment[1].content = data;
    segment[1].content_bytes = sizeof data;
    segment[1].rights = VMM_R | VMM_W;
    segment[2].vaddr = LOW + 0x10000;
    segment[2].bytes = 1;
    segment[2].rights = VMM_R;
    program.segments = segment;
    program.count = 3;
    program.entry = LOW + 0x20;
    program.name = "/bin/program";
}

static void segments_lie_where_they_say_and_the_rest_is_zero(void **state)
{
    vmm_start_t start;
    vmm_vaddr_t now = 0;
    uint64_t byte = 1;
    (void)state;
    make(&vmm_sv39, &wide);
    describe();
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    assert_int_equal(start.rule, VMM_EXEC_FITS);
    assert_string_equal(space->name, "program");
    assert_true(space->entry == program.entry && start.entry == program.entry);
    assert_area(LOW, LOW + 0x1000, VMM_R | VMM_X);
    assert_area(LOW + 0x2000, LOW + 0x8000, VMM_R | VMM_W);
    assert_area(LOW + 0x10000, LOW + 0x11000, VMM_R);
    assert_fill(LOW, 0x10, 0);
    assert_bytes(LOW + 0x10, text, sizeof text);
    assert_fill(LOW + 0x10 + sizeof text, 0x1000 - 0x10 - sizeof text, 0);
    assert_fill(LOW + 0x2000, 0xffe, 0);
    assert_bytes(LOW + 0x2ffe, data, sizeof data);
    assert_fill(LOW + 0x2ffe + sizeof data, 0x8000 - 0x2ffe - sizeof data, 0);
    assert_int_equal(vmm_space_write(space, LOW, &byte, 1), VMM_FAULT);
    assert_int_equal(space->signal.code, VMM_SEGV_ACCERR);
    assert_true(space->brk_start == LOW + 0x11000 && space->brk == LOW + 0x11000);
    assert_int_equal(vmm_brk(space, LOW + 0x12345, &now), VMM_OK);
    assert_true(now == LOW + 0x12345);
    assert_fill(LOW + 0x11000, 0x1345, 0);
    unmake();
}

static void the_stack_grows_down_from_its_top_to_its_limit(void **state)
{
    vmm_start_t start;
    const uint64_t limit = 1 << 20;
    uint64_t word = 0;
    uint32_t area;
    (void)state;
    make(&vmm_sv39, &wide);
    describe();
    space->limits.stack = limit;
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    area = vmm_area_with(space, start.stack_pointer);
    assert_true(vmm_area_at(m, area)->end == wide.stack_top);
    assert_true(vmm_area_at(m, area)->start == wide.stack_top - PAGE - (128 << 10));
    assert_true((vmm_area_at(m, area)->flags & (VMM_AREA_GROWS | VMM_AREA_STACK)) == (VMM_AREA_GROWS | VMM_AREA_STACK));
    assert_int_equal(vmm_area_at(m, area)->flags & VMM_X, 0);
    assert_int_equal(vmm_space_write(space, wide.stack_top - limit, &word, 8), VMM_OK);
    assert_int_equal(vmm_space_write(space, wide.stack_top - limit - 8, &word, 8), VMM_FAULT);
    program.stack_executable = true;
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    assert_true(vmm_area_at(m, vmm_area_with(space, start.stack_pointer))->flags & VMM_X);
    unmake();
}

/* Writes words of a width upward, as the program will read them. */
typedef struct pen {
    uint8_t bytes[2048];
    size_t at;
    unsigned width;
} pen_t;

static void word(pen_t *pen, uint64_t value)
{
    unsigned i;
    for (i = 0; i < pen->width; i++) pen->bytes[pen->at++] = (uint8_t)(value >> 8 * i);
}

static void string(pen_t *pen, const char *s)
{
    memcpy(pen->bytes + pen->at, s, strlen(s) + 1);
    pen->at += strlen(s) + 1;
}

/* The figure of the System V ABI, built from the lowest address up for a known stack pointer. */
static void assert_stack(const vmm_start_t *start, const vmm_layout_t *layout, unsigned width)
{
    static const char noise[17] = "0123456789abcdef";
    pen_t pen;
    const vmm_vaddr_t top = layout->stack_top, name = top - width - 13, env = name - 8, arg = env - 12;
    const vmm_vaddr_t noise_at = (arg - 16) & ~UINT64_C(15), sp = (noise_at - 28 * width) & ~UINT64_C(15);
    assert_true(start->stack_pointer == sp);
    memset(&pen, 0, sizeof pen);
    pen.width = width;
    word(&pen, 3);
    word(&pen, arg);
    word(&pen, arg + 5);
    word(&pen, arg + 6);
    word(&pen, 0);
    word(&pen, env);
    word(&pen, env + 4);
    word(&pen, 0);
    word(&pen, AT_PAGESZ);
    word(&pen, PAGE);
    word(&pen, AT_PHDR);
    word(&pen, LOW + 0x10);
    word(&pen, AT_PHENT);
    word(&pen, 56);
    word(&pen, AT_PHNUM);
    word(&pen, 4);
    word(&pen, AT_BASE);
    word(&pen, 0x7000);
    word(&pen, AT_ENTRY);
    word(&pen, LOW + 0x20);
    word(&pen, AT_UID);
    word(&pen, 1000);
    word(&pen, AT_RANDOM);
    word(&pen, noise_at);
    word(&pen, AT_EXECFN);
    word(&pen, name);
    word(&pen, AT_NULL);
    word(&pen, 0);
    assert_true(sp + pen.at <= noise_at);
    pen.at = (size_t)(noise_at - sp);
    memcpy(pen.bytes + pen.at, noise, 16);
    pen.at = (size_t)(arg - sp);
    string(&pen, "prog");
    string(&pen, "");
    string(&pen, "three");
    assert_true(sp + pen.at == env);
    string(&pen, "A=b");
    string(&pen, "C=d");
    string(&pen, "/bin/program");
    word(&pen, 0);
    assert_true(sp + pen.at == top);
    assert_bytes(sp, pen.bytes, pen.at);
}

static void arguments_lie_as_the_abi_says_byte_for_byte(void **state)
{
    static const char *const argv[] = {"prog", "", "three", NULL}, *const envp[] = {"A=b", "C=d", NULL};
    static const vmm_auxiliary_t more = {AT_UID, 1000};
    const vmm_layout_t *layouts[2] = {&wide, &narrow};
    const vmm_paging_t *pagings[2] = {&vmm_sv39, &vmm_two_level};
    unsigned i;
    vmm_start_t start;
    (void)state;
    for (i = 0; i < 2; i++) {
        make(pagings[i], layouts[i]);
        describe();
        program.headers = LOW + 0x10;
        program.header_bytes = 56;
        program.header_count = 4;
        program.base = 0x7000;
        program.auxiliary = &more;
        program.auxiliaries = 1;
        program.random_bytes = "0123456789abcdef";
        assert_int_equal(vmm_exec(space, &program, argv, envp, &start), VMM_OK);
        assert_int_equal(start.pointer_bytes, i ? 4 : 8);
        assert_stack(&start, layouts[i], start.pointer_bytes);
        assert_true(space->stack_start == start.stack_pointer);
        unmake();
    }
}

static void an_empty_environment_is_a_null(void **state)
{
    static const char *const argv[] = {"x", NULL};
    uint64_t words[5];
    vmm_start_t start;
    (void)state;
    make(&vmm_sv39, &wide);
    describe();
    program.name = NULL;
    assert_int_equal(vmm_exec(space, &program, argv, NULL, &start), VMM_OK);
    assert_string_equal(space->name, "x");
    get(start.stack_pointer, words, sizeof words);
    assert_true(words[0] == 1 && words[2] == 0 && words[3] == 0 && words[4] == AT_PAGESZ);
    assert_true(start.stack_pointer % 16 == 0);
    assert_bytes(words[1], "x", 2);
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    get(start.stack_pointer, words, sizeof words);
    assert_true(words[0] == 0 && words[1] == 0 && words[2] == 0 && words[3] == AT_PAGESZ);
    assert_true(start.stack_pointer % 16 == 0);
    program.name = "12345678"; /* moves all below it by a word */
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    assert_true(start.stack_pointer % 16 == 0);
    program.name = NULL;
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    assert_string_equal(space->name, "");
    unmake();
}

static void arguments_longer_than_a_quarter_of_the_stack_are_refused(void **state)
{
    static char big[2][70000];
    const char *argv[3] = {big[0], big[1], NULL};
    vmm_start_t start;
    uint32_t areas;
    (void)state;
    memset(big[0], 'a', sizeof big[0] - 1);
    memset(big[1], 'b', sizeof big[1] - 1);
    make(&vmm_sv39, &wide);
    describe();
    assert_int_equal(vmm_exec(space, &program, argv, NULL, &start), VMM_OK);
    areas = space->areas;
    space->limits.stack = 256 << 10;
    assert_int_equal(vmm_exec(space, &program, argv, NULL, &start), VMM_E_LONG);
    assert_int_equal(start.rule, VMM_EXEC_ARGUMENTS);
    assert_int_equal(space->areas, areas);
    argv[1] = NULL;
    space->limits.stack = 300 << 10;
    assert_int_equal(vmm_exec(space, &program, argv, NULL, &start), VMM_OK);
    unmake();
}

static void assert_refused(unsigned rule, uint32_t index)
{
    vmm_start_t start;
    const uint32_t areas = space->areas;
    const uint64_t resident = space->stats.anon;
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, rule);
    assert_int_equal(start.index, index);
    assert_int_equal(space->areas, areas);
    assert_true(space->stats.anon == resident && space->entry == LOW + 0x20);
    assert_bytes(LOW + 0x10, text, sizeof text);
    describe();
}

static void a_bad_program_is_refused_and_the_old_one_stays(void **state)
{
    vmm_start_t start;
    (void)state;
    make(&vmm_sv39, &wide);
    describe();
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    program.count = 0;
    assert_refused(VMM_EXEC_NO_SEGMENT, 0);
    program.segments = NULL;
    assert_refused(VMM_EXEC_NO_SEGMENT, 0);
    program.pointer_bytes = 4;
    assert_refused(VMM_EXEC_CLASS, 0);
    program.pointer_bytes = 2;
    assert_refused(VMM_EXEC_CLASS, 0);
    program.heap = LOW + 1;
    assert_refused(VMM_EXEC_ALIGN, 0);
    segment[1].rights = VMM_U;
    assert_refused(VMM_EXEC_RIGHTS, 1);
    segment[1].bytes = sizeof data - 1;
    assert_refused(VMM_EXEC_SIZES, 1);
    segment[2].content_bytes = 1;
    assert_refused(VMM_EXEC_CONTENT, 2);
    segment[2].content_bytes = 1;
    segment[2].object = 1000;
    assert_refused(VMM_EXEC_CONTENT, 2);
    segment[2].bytes = 0;
    assert_refused(VMM_EXEC_RANGE, 2);
    segment[2].bytes = UINT64_MAX;
    assert_refused(VMM_EXEC_RANGE, 2);
    segment[2].vaddr = wide.top;
    assert_refused(VMM_EXEC_RANGE, 2);
    segment[2].vaddr = wide.stack_top - (2 << 20);
    segment[2].bytes = PAGE;
    program.entry = segment[2].vaddr; /* far enough below the stack, but not executable */
    assert_refused(VMM_EXEC_ENTRY, 0);
    segment[2].vaddr = wide.stack_top - (1 << 20);
    assert_refused(VMM_EXEC_RANGE, 2);
    segment[0].vaddr = wide.lowest - 1;
    assert_refused(VMM_EXEC_RANGE, 0);
    segment[1].vaddr = LOW + 0xff0;
    assert_refused(VMM_EXEC_ORDER, 1);
    segment[2].vaddr = LOW - 0x1000;
    assert_refused(VMM_EXEC_ORDER, 2);
    program.entry = LOW + 0x10 + sizeof text;
    assert_refused(VMM_EXEC_ENTRY, 0);
    program.entry = LOW + 0xf;
    assert_refused(VMM_EXEC_ENTRY, 0);
    program.main_entry = LOW + 0x2ffe;
    assert_refused(VMM_EXEC_ENTRY, 0);
    assert_int_equal(vmm_exec(space, NULL, NULL, NULL, &start), VMM_E_ARGUMENT);
    unmake();
}

static void what_belongs_to_the_space_stays_and_all_else_goes(void **state)
{
    vmm_start_t start;
    vmm_vaddr_t at = 0;
    uint32_t number, free_frames;
    uint64_t minor;
    uint8_t byte = 1;
    (void)state;
    make(&vmm_sv39, &wide);
    describe();
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    free_frames = m->frames.free_frames;
    number = space->number;
    space->limits.data = 1 << 20;
    space->oom_score_adj = 77;
    assert_int_equal(
        vmm_mmap(space, 0, 20 * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_POPULATE, 0, 0, &at),
        VMM_OK);
    minor = space->stats.minor;
    assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
    assert_int_equal(m->frames.free_frames, free_frames);
    assert_int_equal(vmm_space_read(space, at, &byte, 1), VMM_FAULT);
    assert_true(space->stats.minor >= minor && space->oom_score_adj == 77 && space->limits.data == 1 << 20);
    assert_int_equal(space->number, number);
    unmake();
}

/* -- ELF files -- */

static uint8_t elf[0x2400];

typedef struct field {
    const char *name;
    unsigned at32, at64, bytes32, bytes64;
} field_t;
enum header_field {
    E_CLASS,
    E_DATA,
    E_VERSION1,
    E_TYPE,
    E_MACHINE,
    E_VERSION,
    E_ENTRY,
    E_PHOFF,
    E_EHSIZE,
    E_PHENTSIZE,
    E_PHNUM
};
static const field_t header_fields[] = {
    {"EI_CLASS", 4, 4, 1, 1},    {"EI_DATA", 5, 5, 1, 1},       {"EI_VERSION", 6, 6, 1, 1}, {"e_type", 16, 16, 2, 2},
    {"e_machine", 18, 18, 2, 2}, {"e_version", 20, 20, 4, 4},   {"e_entry", 24, 24, 4, 8},  {"e_phoff", 28, 32, 4, 8},
    {"e_ehsize", 40, 52, 2, 2},  {"e_phentsize", 42, 54, 2, 2}, {"e_phnum", 44, 56, 2, 2},
};
enum program_field {
    P_TYPE,
    P_FLAGS,
    P_OFFSET,
    P_VADDR,
    P_FILESZ,
    P_MEMSZ,
    P_ALIGN
};
static const field_t program_fields[] = {
    {"p_type", 0, 0, 4, 4},     {"p_flags", 24, 4, 4, 4},  {"p_offset", 4, 8, 4, 8},  {"p_vaddr", 8, 16, 4, 8},
    {"p_filesz", 16, 32, 4, 8}, {"p_memsz", 20, 40, 4, 8}, {"p_align", 28, 48, 4, 8},
};

static bool is64(void)
{
    return elf[4] == 2;
}
static void put(unsigned at, unsigned bytes, uint64_t value)
{
    unsigned i;
    for (i = 0; i < bytes; i++) elf[at + i] = (uint8_t)(value >> 8 * i);
}
static void set_header(unsigned field, uint64_t value)
{
    const field_t *f = &header_fields[field];
    put(is64() ? f->at64 : f->at32, is64() ? f->bytes64 : f->bytes32, value);
}
static void set_program(unsigned index, unsigned field, uint64_t value)
{
    const field_t *f = &program_fields[field];
    const unsigned first = is64() ? 64 + 56 * index : 52 + 32 * index;
    put(first + (is64() ? f->at64 : f->at32), is64() ? f->bytes64 : f->bytes32, value);
}
static void set_load(unsigned index, unsigned type, unsigned flags, uint64_t offset, uint64_t vaddr, uint64_t filesz,
                     uint64_t memsz, uint64_t align)
{
    set_program(index, P_TYPE, type);
    set_program(index, P_FLAGS, flags);
    set_program(index, P_OFFSET, offset);
    set_program(index, P_VADDR, vaddr);
    set_program(index, P_FILESZ, filesz);
    set_program(index, P_MEMSZ, memsz);
    set_program(index, P_ALIGN, align);
}

/* Headers; text at 0x1000; data from 0x1f00 to 0x2080, which goes on with zeros; behind it in the file, garbage. */
static void build(unsigned class_, unsigned type, uint64_t base)
{
    size_t i;
    for (i = 0; i < sizeof elf; i++) elf[i] = (uint8_t)(i * 13 + i / 256 + 1);
    memset(elf, 0, 0x400);
    memcpy(elf, "\177ELF", 4);
    elf[4] = (uint8_t)class_;
    elf[5] = elf[6] = 1;
    set_header(E_TYPE, type);
    set_header(E_MACHINE, class_ == 2 ? EM_RISCV : EM_386);
    set_header(E_VERSION, 1);
    set_header(E_ENTRY, base + 0x1010);
    set_header(E_PHOFF, class_ == 2 ? 64 : 52);
    set_header(E_EHSIZE, class_ == 2 ? 64 : 52);
    set_header(E_PHENTSIZE, class_ == 2 ? 56 : 32);
    set_header(E_PHNUM, 5);
    set_load(0, PT_PHDR, PF_R, 64, base + 64, 280, 280, 8);
    set_load(1, PT_LOAD, PF_R, 0, base, 0x200, 0x200, 0x1000);
    set_load(2, PT_LOAD, PF_R | PF_X, 0x1000, base + 0x1000, 0x80, 0x80, 0x1000);
    set_load(3, PT_LOAD, PF_R | PF_W, 0x1f00, base + 0x2f00, 0x180, 0x2180, 0x1000);
    set_load(4, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 16);
}

static vmm_image_t in_memory(const void *bytes, uint64_t size)
{
    vmm_image_t image;
    memset(&image, 0, sizeof image);
    image.content = bytes;
    image.bytes = size;
    return image;
}

static void assert_loaded(vmm_vaddr_t base, bool object)
{
    assert_area(base, base + 0x1000, VMM_R);
    assert_area(base + 0x1000, base + 0x2000, VMM_R | VMM_X);
    assert_bytes(base, elf, 0x200);
    assert_bytes(base + 0x1000, elf + 0x1000, 0x80);
    assert_bytes(base + 0x2f00, elf + 0x1f00, 0x180);
    assert_fill(base + 0x3080, 0x2f80, 0);
    if (object) { /* without zeros to follow, the rest of the page shows the file */
        assert_bytes(base + 0x1080, elf + 0x1080, 0xf80);
        assert_area(base + 0x2000, base + 0x4000, VMM_R | VMM_W);
        assert_area(base + 0x4000, base + 0x6000, VMM_R | VMM_W);
        assert_bytes(base + 0x2000, elf + 0x1000, 0xf00);
    } else {
        assert_fill(base + 0x1080, 0xf80, 0);
        assert_area(base + 0x2000, base + 0x6000, VMM_R | VMM_W);
    }
    assert_true(space->brk_start == base + 0x6000);
}

static uint64_t auxiliary(const vmm_start_t *start, uint64_t type)
{
    vmm_vaddr_t at = start->stack_pointer;
    unsigned zeros = 0, w = start->pointer_bytes;
    for (at += w; zeros < 2; at += w) {
        uint64_t now = 0;
        get(at, &now, w);
        zeros += now == 0;
    }
    for (;; at += 2 * w) {
        uint64_t now = 0, value = 0;
        get(at, &now, w);
        get(at + w, &value, w);
        if (now == type) return value;
        if (now == AT_NULL) return 0;
    }
}

static void files_of_both_classes_and_types_are_loaded(void **state)
{
    unsigned class_, type, object;
    (void)state;
    for (class_ = 1; class_ <= 2; class_++)
        for (type = ET_EXEC; type <= ET_DYN; type++)
            for (object = 0; object < 2; object++) {
                const vmm_layout_t *layout = class_ == 2 ? &wide : &narrow;
                const vmm_vaddr_t own = type == ET_EXEC ? LOW : 0x1000;
                const vmm_vaddr_t base = type == ET_EXEC ? LOW : layout->text;
                static file_t f;
                vmm_image_t image = in_memory(elf, sizeof elf);
                vmm_start_t start;
                make(class_ == 2 ? &vmm_sv39 : &vmm_sv32, layout);
                build(class_, type, own);
                memset(&f, 0, sizeof f);
                f.bytes = elf;
                f.size = sizeof elf;
                if (object) {
                    image.content = NULL;
                    image.object = open_object(&f, "/usr/bin/elf");
                }
                assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
                assert_loaded(base, object != 0);
                assert_int_equal(start.machine, class_ == 2 ? EM_RISCV : EM_386);
                assert_int_equal(start.pointer_bytes, class_ == 2 ? 8 : 4);
                assert_true(start.base == base - own && start.entry == base + 0x1010);
                assert_true(auxiliary(&start, AT_PHDR) == base + (class_ == 2 ? 64 : 52));
                assert_true(auxiliary(&start, AT_PHNUM) == 5);
                assert_true(auxiliary(&start, AT_PHENT) == (class_ == 2 ? 56 : 32));
                assert_true(auxiliary(&start, AT_ENTRY) == start.entry);
                assert_string_equal(space->name, object ? "elf" : "");
                unmake();
            }
}

/* A field is broken, the file refused for that reason, and the space left alone. */
typedef struct breakage {
    unsigned index, field; /* index of a program header; 99: the file's header */
    uint64_t value;        /* all ones: as wide as the field is */
    unsigned rule, refused_at;
} breakage_t;

static const breakage_t breakages[] = {
    {99, E_CLASS, 0, VMM_EXEC_CLASS, 0},
    {99, E_DATA, 2, VMM_EXEC_BYTE_ORDER, 0},
    {99, E_DATA, 0, VMM_EXEC_BYTE_ORDER, 0},
    {99, E_VERSION1, 0, VMM_EXEC_VERSION, 0},
    {99, E_VERSION, 2, VMM_EXEC_VERSION, 0},
    {99, E_TYPE, ET_REL, VMM_EXEC_TYPE, 0},
    {99, E_TYPE, ET_CORE, VMM_EXEC_TYPE, 0},
    {99, E_EHSIZE, 40, VMM_EXEC_HEADER, 0},
    {99, E_PHENTSIZE, 40, VMM_EXEC_HEADER, 0},
    {99, E_PHNUM, 0, VMM_EXEC_TABLE, 0},
    {99, E_PHNUM, 0xffff, VMM_EXEC_TABLE, 0},
    {99, E_PHNUM, 400, VMM_EXEC_TABLE, 0},
    {99, E_PHOFF, 0x2401, VMM_EXEC_TABLE, 0},
    {99, E_PHOFF, 0x2400, VMM_EXEC_TABLE, 0},
    {99, E_PHOFF, UINT64_MAX, VMM_EXEC_TABLE, 0},
    {99, E_ENTRY, LOW + 0x1080, VMM_EXEC_ENTRY, 0},
    {99, E_ENTRY, LOW + 0x2f00, VMM_EXEC_ENTRY, 0},
    {99, E_ENTRY, UINT64_MAX, VMM_EXEC_ENTRY, 0},
    {2, P_TYPE, PT_NOTE, VMM_EXEC_ENTRY, 0},
    {2, P_FLAGS, PF_R, VMM_EXEC_ENTRY, 0},
    {2, P_ALIGN, 0x1001, VMM_EXEC_ALIGN, 2},
    {3, P_ALIGN, UINT64_MAX, VMM_EXEC_ALIGN, 3},
    {3, P_ALIGN, 0x2000, VMM_EXEC_CONGRUENT, 3},
    {2, P_VADDR, LOW + 0x1008, VMM_EXEC_CONGRUENT, 2},
    {2, P_OFFSET, 0x1010, VMM_EXEC_CONGRUENT, 2},
    {3, P_FILESZ, 0x2181, VMM_EXEC_CONTENT, 3},
    {3, P_MEMSZ, 0x17f, VMM_EXEC_SIZES, 3},
    {2, P_FILESZ, 0x81, VMM_EXEC_SIZES, 2},
    {2, P_OFFSET, 0x3000, VMM_EXEC_CONTENT, 2},
    {2, P_OFFSET, UINT64_MAX - 0xfff, VMM_EXEC_CONTENT, 2},
    {3, P_VADDR, LOW + 0x1f00, VMM_EXEC_ORDER, 2}, /* shares a page with the text */
    {3, P_VADDR, LOW - 0x1100, VMM_EXEC_ORDER, 3},
    {3, P_VADDR, 0xf00, VMM_EXEC_ORDER, 3},
    {1, P_VADDR, 0xf000, VMM_EXEC_RANGE, 0},
    {3, P_MEMSZ, UINT64_MAX, VMM_EXEC_RANGE, 3},
};

static void each_field_that_is_wrong_is_refused(void **state)
{
    unsigned class_;
    size_t i;
    (void)state;
    for (class_ = 1; class_ <= 2; class_++) {
        vmm_image_t image = in_memory(elf, sizeof elf);
        vmm_start_t start;
        make(class_ == 2 ? &vmm_sv39 : &vmm_two_level, class_ == 2 ? &wide : &narrow);
        describe();
        assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
        for (i = 0; i < sizeof breakages / sizeof breakages[0]; i++) {
            const breakage_t *b = &breakages[i];
            const uint32_t areas = space->areas, free_frames = m->frames.free_frames;
            build(class_, ET_EXEC, LOW);
            if (b->index == 99) set_header(b->field, b->value);
            else set_program(b->index, b->field, b->value);
            if (b->field == P_FILESZ && b->index == 3) set_program(3, P_MEMSZ, 0x4000);
            assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
            if (start.rule != b->rule) print_message("breakage %u: %s\n", (unsigned)i, vmm_exec_rule_text(start.rule));
            assert_int_equal(start.rule, b->rule);
            /* all ones of 32 bits do not wrap: refused as the segment that it is */
            assert_int_equal(start.index,
                             class_ == 1 && b->field == P_MEMSZ && b->value == UINT64_MAX ? 2 : b->refused_at);
            assert_int_equal(space->areas, areas);
            assert_int_equal(m->frames.free_frames, free_frames);
        }
        unmake();
    }
}

static void a_file_for_another_processor_is_refused_when_asked(void **state)
{
    vmm_image_t image = in_memory(elf, sizeof elf);
    vmm_start_t start;
    (void)state;
    make(&vmm_sv39, &wide);
    build(2, ET_EXEC, LOW);
    image.machine = EM_X86_64;
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_MACHINE);
    assert_int_equal(start.machine, EM_RISCV);
    image.machine = EM_RISCV;
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
    build(1, ET_EXEC, LOW); /* 32 bits do not reach this layout's stack */
    image.machine = 0;
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_CLASS);
    image.content = NULL;
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_ARGUMENT);
    assert_int_equal(vmm_exec_elf(space, NULL, NULL, NULL, &start), VMM_E_ARGUMENT);
    image.object = 4000;
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_ARGUMENT);
    unmake();
}

static void segments_are_counted_and_empty_ones_passed_over(void **state)
{
    vmm_image_t image = in_memory(elf, sizeof elf);
    vmm_start_t start;
    unsigned i;
    (void)state;
    make(&vmm_sv39, &wide);
    build(2, ET_EXEC, LOW);
    set_header(E_PHNUM, 17);
    memset(elf + 64 + 56 * 5, 0, 56 * 12);
    for (i = 4; i < 17; i++) set_load(i, PT_LOAD, PF_R, 0, LOW + 0x1000 * (i + 3), 0, 1, 0);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK); /* 16 segments */
    set_load(0, PT_LOAD, PF_R, 0, LOW - 0x1000, 0, 0, 0);                      /* nothing */
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
    set_load(0, PT_LOAD, PF_R, 0, LOW - 0x1000, 0, 1, 0);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_MANY_SEGMENTS);
    assert_int_equal(start.index, 16);
    for (i = 0; i < 17; i++) set_program(i, P_TYPE, PT_NULL);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_NO_SEGMENT);
    build(2, ET_EXEC, LOW);
    set_program(4, P_FLAGS, PF_R | PF_W | PF_X);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
    assert_true(vmm_area_at(m, vmm_area_with(space, start.stack_pointer))->flags & VMM_X);
    unmake();
}

static void the_address_follows_the_alignment_of_a_file_without_addresses(void **state)
{
    vmm_image_t image = in_memory(elf, sizeof elf);
    vmm_start_t start;
    unsigned i;
    (void)state;
    make(&vmm_sv39, &wide);
    build(2, ET_DYN, 0);
    set_program(3, P_OFFSET, 0x1f00);
    set_program(3, P_VADDR, 0x40000000 + 0x1f00);
    for (i = 1; i < 4; i++) set_program(i, P_ALIGN, 0x40000000);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
    assert_true(wide.text < 0x40000000 && start.base == 0x40000000);
    set_program(3, P_ALIGN, UINT64_C(1) << 63); /* nowhere */
    set_program(3, P_VADDR, (UINT64_C(1) << 63) + 0x1f00);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_RANGE);
    build(2, ET_DYN, 0);
    set_program(3, P_VADDR, UINT64_MAX - 0xfff - 0x2000 + 0xf00);
    assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
    assert_int_equal(start.rule, VMM_EXEC_RANGE);
    unmake();
}

static void an_interpreter_starts_in_the_programs_place(void **state)
{
    static uint8_t loader[sizeof elf];
    const vmm_layout_t *layouts[2] = {&narrow, &upward};
    unsigned i;
    (void)state;
    for (i = 0; i < 2; i++) {
        vmm_image_t image, with;
        vmm_start_t start;
        const vmm_vaddr_t base = i ? upward.mmap_low : narrow.mmap_high - 0x6000;
        make(&vmm_two_level, layouts[i]);
        build(1, ET_DYN, 0);
        memcpy(loader, elf, sizeof loader);
        build(1, ET_EXEC, LOW);
        memcpy(elf + 0x180, "/lib/ld.so", 11);
        set_load(0, PT_INTERP, PF_R, 0x180, LOW + 0x180, 11, 11, 1);
        image = in_memory(elf, sizeof elf);
        with = in_memory(loader, sizeof loader);
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        assert_int_equal(start.rule, VMM_EXEC_INTERPRETER);
        image.interpreter = &with;
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_OK);
        assert_true(start.entry == base + 0x1010 && space->entry == start.entry);
        assert_true(start.base == 0);
        assert_true(auxiliary(&start, AT_BASE) == base);
        assert_true(auxiliary(&start, AT_ENTRY) == LOW + 0x1010);
        assert_true(auxiliary(&start, AT_PHDR) == LOW + 52);
        assert_true(space->brk_start == LOW + 0x6000);
        assert_bytes(base + 0x1000, loader + 0x1000, 0x80);
        assert_bytes(LOW + 0x1000, elf + 0x1000, 0x80);
        set_program(0, P_FILESZ, 10); /* no zero at the end */
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        assert_int_equal(start.rule, VMM_EXEC_INTERPRETER);
        set_program(0, P_FILESZ, 0x5000);
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        set_program(0, P_FILESZ, 11);
        set_program(0, P_OFFSET, UINT64_MAX);
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        assert_int_equal(start.rule, VMM_EXEC_INTERPRETER);
        set_program(0, P_OFFSET, 0x180);
        loader[4] = 2; /* of the other class */
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        loader[0] = 0;
        assert_int_equal(vmm_exec_elf(space, &image, NULL, NULL, &start), VMM_E_EXEC);
        assert_int_equal(start.rule, VMM_EXEC_MAGIC);
        unmake();
    }
}

static void a_file_cut_short_anywhere_is_never_read_beyond(void **state)
{
    unsigned class_;
    size_t size;
    (void)state;
    for (class_ = 1; class_ <= 2; class_++) {
        make(class_ == 2 ? &vmm_sv39 : &vmm_sv32, class_ == 2 ? &wide : &narrow);
        build(class_, ET_EXEC, LOW);
        for (size = 0; size < 0x2100; size += size < 0x200 ? 1 : 61) {
            uint8_t *const part = (uint8_t *)malloc(size ? size : 1); /* the sanitizer sees a read behind it */
            const vmm_image_t image = in_memory(part, size);
            vmm_start_t start;
            vmm_status_t status;
            memcpy(part, elf, size);
            status = vmm_exec_elf(space, &image, NULL, NULL, &start);
            assert_int_equal(status, size < 0x2080 ? VMM_E_EXEC : VMM_OK);
            free(part);
        }
        unmake();
    }
}

static void flipped_bits_never_lead_astray(void **state)
{
    uint64_t random = 0x9e3779b97f4a7c15;
    unsigned round, class_;
    (void)state;
    for (class_ = 1; class_ <= 2; class_++) {
        unsigned loaded = 0;
        static file_t f;
        vmm_image_t image, with;
        memset(&f, 0, sizeof f);
        f.bytes = elf;
        f.size = sizeof elf;
        make(class_ == 2 ? &vmm_sv39 : &vmm_two_level, class_ == 2 ? &wide : &narrow);
        for (round = 0; round < 3000; round++) {
            vmm_start_t start;
            unsigned flips = (unsigned)helper_random(&random) % 4 + 1;
            uint8_t *const exact = (uint8_t *)malloc(sizeof elf);
            vmm_status_t status;
            build(class_, helper_random(&random) % 2 ? ET_EXEC : ET_DYN, LOW);
            if (round % 3 == 0) set_load(0, PT_INTERP, PF_R, 0x180, LOW + 0x180, 11, 11, 1);
            while (flips--) elf[helper_random(&random) % 0x160] ^= (uint8_t)(1u << helper_random(&random) % 8);
            memcpy(exact, elf, sizeof elf);
            image = in_memory(exact, sizeof elf);
            with = image;
            if (round % 2) image.interpreter = &with;
            if (round % 8 == 1) {
                image.content = NULL;
                image.object = open_object(&f, "flipped");
            }
            status = vmm_exec_elf(space, &image, NULL, NULL, &start);
            assert_true(status == VMM_OK || status == VMM_E_EXEC || status == VMM_E_NO_FRAME); /* too much memory */
            assert_true((status == VMM_E_EXEC) == (start.rule != VMM_EXEC_FITS));
            if (status == VMM_E_NO_FRAME) assert_int_equal(space->areas, 0);
            if (status == VMM_OK) loaded++;
            if (image.object) {
                vmm_space_empty(space);
                assert_int_equal(vmm_object_close(m, image.object), VMM_OK);
            }
            free(exact);
            if (round % 256 == 0) assert_true(vmm_check(m));
        }
        assert_true(loaded > 100 && loaded < 2900);
        unmake();
    }
}

static void programs_of_one_file_share_the_frames_of_what_they_do_not_write(void **state)
{
    static file_t f;
    vmm_image_t image;
    vmm_start_t start;
    vmm_space_t *first, *second;
    uint8_t byte, page[4096];
    uint64_t frames, i;
    (void)state;
    make(&vmm_sv39, &wide);
    build(2, ET_EXEC, LOW);
    memset(&f, 0, sizeof f);
    f.bytes = elf;
    f.size = sizeof elf;
    memset(&image, 0, sizeof image);
    image.object = open_object(&f, "/bin/shared");
    first = space;
    assert_int_equal(vmm_space_create(m, &second), VMM_OK);
    assert_int_equal(vmm_exec_elf(first, &image, NULL, NULL, &start), VMM_OK);
    for (i = 0; i < 6; i++) assert_int_equal(vmm_space_read(first, LOW + i * PAGE, &byte, 1), VMM_OK);
    frames = m->pages_cache;
    assert_int_equal(frames, 3);
    assert_int_equal(vmm_exec_elf(second, &image, NULL, NULL, &start), VMM_OK);
    for (i = 0; i < 6; i++) assert_int_equal(vmm_space_read(second, LOW + i * PAGE, &byte, 1), VMM_OK);
    assert_int_equal(m->pages_cache, frames);
    assert_int_equal(f.reads, 3);
    /* headers, text, the page of data that is not written; the one whose end was cleared is a copy */
    assert_true(first->stats.file == 3 && second->stats.file == 3);
    assert_true(first->stats.anon == 2 && second->stats.anon == 2);
    byte = 0x55;
    assert_int_equal(vmm_space_write(first, LOW + 0x2f00, &byte, 1), VMM_OK);
    assert_int_equal(vmm_space_read(second, LOW + 0x2f00, &byte, 1), VMM_OK);
    assert_int_equal(byte, elf[0x1f00]);
    assert_true(first->stats.file == 2 && first->stats.anon == 3);
    assert_int_equal(vmm_space_read(first, LOW + 0x3000, page, sizeof page), VMM_OK);
    assert_memory_equal(page, elf + 0x2000, 0x80);
    for (i = 0x80; i < sizeof page; i++) assert_int_equal(page[i], 0);
    unmake();
}

static void a_file_that_cannot_be_read_leaves_the_old_program_or_none(void **state)
{
    static file_t f;
    unsigned fail, old_stayed = 0, emptied = 0;
    (void)state;
    for (fail = 1; fail < 4; fail++) {
        vmm_image_t image;
        vmm_start_t start;
        vmm_status_t status;
        make(&vmm_sv39, &wide);
        describe();
        assert_int_equal(vmm_exec(space, &program, NULL, NULL, &start), VMM_OK);
        build(2, ET_EXEC, LOW);
        memset(&f, 0, sizeof f);
        f.bytes = elf;
        f.size = sizeof elf;
        f.fail_at = fail;
        memset(&image, 0, sizeof image);
        image.object = open_object(&f, "bad");
        status = vmm_exec_elf(space, &image, NULL, NULL, &start);
        if (status == VMM_E_IO && space->areas) {
            old_stayed++;
            assert_bytes(LOW + 0x10, text, sizeof text);
        } else if (status == VMM_E_IO) {
            emptied++;
            assert_true(space->stats.total == 0 && space->entry == 0 && space->brk == 0);
        } else {
            assert_int_equal(status, VMM_OK);
            assert_true(f.reads < fail);
        }
        unmake();
    }
    assert_true(old_stayed == 1 && emptied == 1);
}

/* Another space takes frames, by touching pages, until so many are free. */
static void hog(uint32_t leave)
{
    vmm_space_t *other;
    vmm_vaddr_t at = 0;
    const uint8_t byte = 1;
    assert_int_equal(vmm_space_create(m, &other), VMM_OK);
    other->oom_score_adj = -1000;
    assert_int_equal(vmm_mmap(other, 0, FRAMES * PAGE, VMM_R | VMM_W,
                              VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_NORESERVE, 0, 0, &at),
                     VMM_OK);
    for (; m->frames.free_frames > leave; at += PAGE) assert_int_equal(vmm_space_write(other, at, &byte, 1), VMM_OK);
}

static void no_frame_is_lost_when_frames_run_out_under_way(void **state)
{
    static uint8_t big[100 * 4096];
    unsigned taken, failed = 0;
    (void)state;
    for (taken = 0; taken < 60; taken++) {
        vmm_start_t start;
        vmm_status_t status;
        uint32_t before;
        make(&vmm_sv39, &wide);
        space->oom_score_adj = -1000;
        describe();
        segment[2].vaddr = LOW + 0x100000;
        segment[2].bytes = sizeof big;
        segment[2].content = big;
        segment[2].content_bytes = sizeof big;
        hog(80 + taken);
        before = m->frames.free_frames;
        status = vmm_exec(space, &program, NULL, NULL, &start);
        if (status != VMM_OK) {
            assert_int_equal(status, VMM_E_NO_FRAME);
            assert_int_equal(space->areas, 0);
            assert_int_equal(m->frames.free_frames, before);
            failed++;
        }
        unmake();
    }
    assert_true(failed > 10 && failed < 60);
}

/* -- this test's own file -- */

static int whole_read(void *user, uint64_t page, void *to)
{
    const int fd = *(const int *)user;
    return pread(fd, to, PAGE, (off_t)(page * PAGE)) < 0;
}

static uint32_t open_file(int *fd, const char *path)
{
    vmm_object_options_t o;
    uint32_t object = 0;
    *fd = open(path, O_RDONLY);
    assert_true(*fd >= 0);
    memset(&o, 0, sizeof o);
    o.kind = VMM_OBJECT_FILE;
    o.size = (uint64_t)lseek(*fd, 0, SEEK_END);
    o.read_page = whole_read;
    o.user = fd;
    o.name = path;
    assert_int_equal(vmm_object_create(m, &o, &object), VMM_OK);
    return object;
}

static int marker_function(int x)
{
    return x * 42 + 17;
}

#if UINTPTR_MAX > 0xffffffff
typedef Elf64_Ehdr ehdr_t;
typedef Elf64_Phdr phdr_t;
#else
typedef Elf32_Ehdr ehdr_t;
typedef Elf32_Phdr phdr_t;
#endif

static void this_very_program_runs_in_a_space(void **state)
{
    static const char *const argv[] = {"test_exec", "--none", NULL};
    static char path[4096];
    static int fd, loader_fd;
    int (*const marker)(int) = marker_function;
    vmm_image_t image, loader;
    vmm_start_t start;
    ehdr_t eh;
    phdr_t ph;
    uintptr_t own, at;
    unsigned i;
    (void)state;
    make(sizeof(void *) == 8 ? &vmm_sv39 : &vmm_sv32, sizeof(void *) == 8 ? &wide : &narrow);
    m->options.overcommit = VMM_OVERCOMMIT_ALWAYS; /* this program has the machine's RAM in it */
    memset(&image, 0, sizeof image);
    memset(&loader, 0, sizeof loader);
    image.object = open_file(&fd, "/proc/self/exe");
    assert_int_equal(pread(fd, &eh, sizeof eh, 0), sizeof eh);
    own = (uintptr_t)getauxval(AT_PHDR) - (uintptr_t)eh.e_phoff; /* where the kernel put this file's first byte */
    for (i = 0; i < eh.e_phnum; i++) {
        assert_int_equal(pread(fd, &ph, sizeof ph, (off_t)(eh.e_phoff + i * sizeof ph)), sizeof ph);
        if (ph.p_type != PT_INTERP) continue;
        assert_true(ph.p_filesz < sizeof path);
        assert_int_equal(pread(fd, path, ph.p_filesz, (off_t)ph.p_offset), ph.p_filesz);
        loader.object = open_file(&loader_fd, path);
        image.interpreter = &loader;
    }
    image.machine = eh.e_machine;
    assert_int_equal(vmm_exec_elf(space, &image, argv, (const char *const *)environ, &start), VMM_OK);
    at = eh.e_type == ET_DYN ? (uintptr_t)start.base : own;
    assert_true(auxiliary(&start, AT_PHNUM) == getauxval(AT_PHNUM));
    assert_true(auxiliary(&start, AT_PHENT) == getauxval(AT_PHENT));
    assert_true(auxiliary(&start, AT_PHDR) - at == getauxval(AT_PHDR) - own);
    assert_true(auxiliary(&start, AT_ENTRY) - at == getauxval(AT_ENTRY) - own);
    for (i = 0; i < eh.e_phnum; i++) { /* what is not written is in both the same, to the byte */
        uintptr_t offset;
        assert_int_equal(pread(fd, &ph, sizeof ph, (off_t)(eh.e_phoff + i * sizeof ph)), sizeof ph);
        if (ph.p_type != PT_LOAD || ph.p_flags & PF_W) continue;
        for (offset = 0; offset < ph.p_filesz; offset += 4096) {
            const uintptr_t va = (eh.e_type == ET_DYN ? 0 : 0 - own) + (uintptr_t)ph.p_vaddr + offset;
            const size_t bytes = ph.p_filesz - offset < 64 ? (size_t)(ph.p_filesz - offset) : 64;
            assert_bytes(at + va, (const void *)(own + va), bytes);
        }
    }
    assert_bytes(at + ((uintptr_t)marker - own), (const void *)(uintptr_t)marker, 8);
    assert_int_equal(marker(1), 59);
    unmake();
    close(fd);
    if (loader.object) close(loader_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_lie_where_they_say_and_the_rest_is_zero),
        cmocka_unit_test(the_stack_grows_down_from_its_top_to_its_limit),
        cmocka_unit_test(arguments_lie_as_the_abi_says_byte_for_byte),
        cmocka_unit_test(an_empty_environment_is_a_null),
        cmocka_unit_test(arguments_longer_than_a_quarter_of_the_stack_are_refused),
        cmocka_unit_test(a_bad_program_is_refused_and_the_old_one_stays),
        cmocka_unit_test(what_belongs_to_the_space_stays_and_all_else_goes),
        cmocka_unit_test(files_of_both_classes_and_types_are_loaded),
        cmocka_unit_test(each_field_that_is_wrong_is_refused),
        cmocka_unit_test(a_file_for_another_processor_is_refused_when_asked),
        cmocka_unit_test(segments_are_counted_and_empty_ones_passed_over),
        cmocka_unit_test(the_address_follows_the_alignment_of_a_file_without_addresses),
        cmocka_unit_test(an_interpreter_starts_in_the_programs_place),
        cmocka_unit_test(a_file_cut_short_anywhere_is_never_read_beyond),
        cmocka_unit_test(flipped_bits_never_lead_astray),
        cmocka_unit_test(programs_of_one_file_share_the_frames_of_what_they_do_not_write),
        cmocka_unit_test(a_file_that_cannot_be_read_leaves_the_old_program_or_none),
        cmocka_unit_test(no_frame_is_lost_when_frames_run_out_under_way),
        cmocka_unit_test(this_very_program_runs_in_a_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
