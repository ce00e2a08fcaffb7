/* process_trace.c - a real program's memory trace, as a process: areas, demand paging, and what happens when frames
 * are few.
 *
 *     gzip -dc examples/traces/sqlite3.trace.gz | build/process_trace - sqlite3
 *
 * A trace says which pages the program fetched from, read and wrote. From that its areas are guessed: text and data of
 * files, a heap, a stack. Then it runs: every reference is made through an MMU that serves its own faults.
 *
 * What is stored is a running number, and every load and fetch is compared with flat memory: a page that swapping lost
 * or mixed up would be found.
 *
 * Reads a trace (trace.h) from the file that is named, or from standard input for "-". The second argument is what the
 * program is called. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "trace.h"

#include <inttypes.h>

#define SHIFT 12
#define PAGE ((size_t)1 << SHIFT)
#define HOLE 128u        /* pages that are not touched and yet belong to an area, at most */
#define DATA_MOST 32u    /* pages of data that a file has, at most; more is no file's */
#define STACK_MOST 2048u /* pages of the stack, as the layout bounds it */
#define STEPS 60u        /* of time, in the pictures */

VMM_MMU(rv, VMM_RISCV64)

static trace_list_t trace;

static bool failed(const char *what, vmm_status_t status)
{
    if (status) fprintf(stderr, "process_trace: %s: %s\n", what, vmm_status_text(status));
    return status != VMM_OK;
}

static void *need(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes);
    if (!memory) {
        fprintf(stderr, "process_trace: no memory\n");
        exit(1);
    }
    return memory;
}

/* ------------------------------------------------------------- the pages of the trace -- */

static uint64_t *pages; /* their numbers, ascending */
static uint8_t *rights; /* VMM_R, VMM_W, VMM_X of each */
static size_t page_count;
static uint32_t *page_of; /* of each reference, its first page as index of the above */

static int compare_pages(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t find_page(uint64_t number)
{
    size_t low = 0, high = page_count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (pages[middle] <= number) low = middle;
        else high = middle;
    }
    return low;
}

static uint64_t last_page(const trace_ref_t *ref)
{
    return (ref->address + ref->size - 1) >> SHIFT;
}

static void collect_pages(void)
{
    uint64_t recent[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    size_t i, at, room = 0;
    for (i = 0; i < trace.count; i++) {
        const trace_ref_t *ref = &trace.refs[i];
        uint64_t number = ref->address >> SHIFT;
        if (number == recent[ref->kind] && number == last_page(ref)) continue;
        for (; number <= last_page(ref); number++) {
            if (page_count == room) {
                room = room ? 2 * room : 4096;
                pages = (uint64_t *)realloc(pages, room * sizeof *pages);
                if (!pages) exit(1);
            }
            recent[ref->kind] = pages[page_count++] = number;
        }
    }
    qsort(pages, page_count, sizeof *pages, compare_pages);
    for (i = at = 1; i < page_count; i++)
        if (pages[i] != pages[at - 1]) pages[at++] = pages[i];
    page_count = at;
    rights = (uint8_t *)need(page_count, 1);
    page_of = (uint32_t *)need(trace.count, sizeof *page_of);
    for (i = 0; i < trace.count; i++) {
        static const uint8_t right[4] = {VMM_R | VMM_X, VMM_R, VMM_R | VMM_W, VMM_R | VMM_W};
        const trace_ref_t *ref = &trace.refs[i];
        const bool same = i > 0 && pages[page_of[i - 1]] == ref->address >> SHIFT;
        page_of[i] = same ? page_of[i - 1] : (uint32_t)find_page(ref->address >> SHIFT);
        for (at = page_of[i]; at < page_count && pages[at] <= last_page(ref); at++) rights[at] |= right[ref->kind];
    }
}

/* ------------------------------------------------------------------- areas out of them -- */

/* What areas belong to: a file, the heap, the stack, or all of the rest. */
typedef struct part {
    char name[24];
    bool file, heap, stack; /* which of them */
    uint64_t start;         /* first page of a file */
    uint64_t length;        /* its pages */
    size_t touched;         /* pages that the trace touches */
    uint32_t object;        /* of a file, in the machine that runs */
} part_t;

typedef struct stretch {
    uint64_t start, end; /* pages; end is behind the last */
    uint32_t rights;
    size_t part;    /* whose */
    size_t touched; /* pages that the trace touches */
} stretch_t;

static part_t *parts;
static size_t part_count;
static stretch_t *stretches;
static size_t stretch_count;
static size_t program; /* the part that the first instruction is in */

static bool hole_before(size_t page)
{
    return page == 0 || pages[page] - pages[page - 1] > HOLE + 1;
}

/* Pages that are only read, in the midst of others, were not written by chance. */
static void smooth(size_t count)
{
    size_t first, behind;
    for (first = 1; first < count; first = behind) {
        behind = first + 1;
        if (rights[first] != VMM_R || hole_before(first)) continue;
        while (behind < count && rights[behind] == VMM_R && !hole_before(behind)) behind++;
        if (behind == count || hole_before(behind) || rights[behind] != rights[first - 1]) continue;
        memset(rights + first, rights[behind], behind - first);
    }
}

static size_t part_add(const char *name)
{
    snprintf(parts[part_count].name, sizeof parts[part_count].name, "%s", name);
    return part_count++;
}

static void stretch_add(size_t first, size_t behind)
{
    stretch_t *s = &stretches[stretch_count++];
    s->start = pages[first];
    s->end = pages[behind - 1] + 1;
    s->rights = rights[first];
    s->touched = behind - first;
}

/* The stack is what is highest; below it, runs of pages of equal rights. */
static void build_stretches(void)
{
    const uint64_t top = pages[page_count - 1];
    size_t first, behind, stack = page_count;
    while (stack > 0 && top - pages[stack - 1] < STACK_MOST && !(rights[stack - 1] & VMM_X)) stack--;
    stretches = (stretch_t *)need(page_count, sizeof *stretches);
    smooth(stack);
    for (first = 0; first < stack; first = behind) {
        for (behind = first + 1; behind < stack; behind++)
            if (rights[behind] != rights[first] || hole_before(behind)) break;
        stretch_add(first, behind);
    }
    if (stack < page_count) stretch_add(stack, page_count);
}

/* A file is: what is only read, text, what is only read, and not too much data. */
static void build_parts(const char *name)
{
    const uint64_t entry = trace.refs[0].address >> SHIFT;
    size_t i, heap = SIZE_MAX, file = SIZE_MAX, other = SIZE_MAX;
    unsigned libraries = 0;
    parts = (part_t *)need(stretch_count + 3, sizeof *parts);
    for (i = 0; i + 1 < stretch_count; i++)
        if (stretches[i].rights & VMM_W && stretches[i].end - stretches[i].start > DATA_MOST &&
            (heap == SIZE_MAX || stretches[i].end - stretches[i].start > stretches[heap].end - stretches[heap].start))
            heap = i;
    for (i = 0; i < stretch_count; i++) {
        stretch_t *s = &stretches[i];
        const bool writable = (s->rights & VMM_W) != 0;
        const bool apart = i == 0 || s->start - s[-1].end > HOLE;
        if (apart || (!writable && s[-1].rights & VMM_W)) file = SIZE_MAX;
        if (i + 1 == stretch_count && writable) {
            s->part = part_add("[stack]");
            parts[s->part].stack = true;
        } else if (i == heap) {
            s->part = part_add("[heap]");
            parts[s->part].heap = true;
        } else if (writable && (file == SIZE_MAX || s->end - s->start > DATA_MOST)) {
            if (other == SIZE_MAX) other = part_add("other mappings");
            s->part = other;
        } else {
            if (file == SIZE_MAX) {
                file = part_add("");
                parts[file].file = true;
                parts[file].start = s->start;
            } else {
                s[-1].end = s->start;
            }
            parts[file].length = s->end - parts[file].start;
            s->part = file;
            if (entry >= s->start && entry < s->end) program = file;
        }
        parts[s->part].touched += s->touched;
    }
    for (i = 0; i < part_count; i++)
        if (i == program) snprintf(parts[i].name, sizeof parts[i].name, "%s", name);
        else if (parts[i].file) snprintf(parts[i].name, sizeof parts[i].name, "library %u", ++libraries);
}

/* ----------------------------------------------------------------------- the machine -- */

static uint8_t *flat;   /* what every page must hold */
static uint8_t *device; /* swap */
static vmm_machine_t *machine;
static vmm_space_t *space;
static rv_mmu_t rv;
static vmm_layout_t layout;

static int write_slot(void *user, uint32_t slot, const void *page)
{
    memcpy((uint8_t *)user + (size_t)slot * PAGE, page, PAGE);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    memcpy(page, (const uint8_t *)user + (size_t)slot * PAGE, PAGE);
    return 0;
}

/* The trace has addresses and no content: files are full of their own addresses. */
static int read_page(void *user, uint64_t page, void *to)
{
    const uint64_t address = (((const part_t *)user)->start + page) << SHIFT;
    uint64_t word, at;
    for (at = 0; at < PAGE; at += 8) {
        word = (address + at) * UINT64_C(0x9E3779B97F4A7C15);
        memcpy((uint8_t *)to + at, &word, 8);
    }
    return 0;
}

/* What the process finds at first. */
static bool fill_flat(vmm_vaddr_t stack_pointer)
{
    size_t i, s = 0;
    for (i = 0; i < page_count; i++) {
        part_t *p;
        while (pages[i] >= stretches[s].end) s++;
        p = &parts[stretches[s].part];
        memset(flat + i * PAGE, 0, PAGE);
        if (p->file) read_page(p, pages[i] - p->start, flat + i * PAGE);
        if (pages[i] >= stack_pointer >> SHIFT &&
            failed("the stack", vmm_space_read(space, pages[i] << SHIFT, flat + i * PAGE, PAGE)))
            return false;
    }
    return true;
}

static bool make_machine(uint64_t frames, const vmm_replacement_t *policy, bool sharp)
{
    static vmm_memory_t memory;
    static void *block;
    const vmm_swap_area_t swap = {write_slot, read_slot, device, (uint32_t)(2 * page_count), 0};
    vmm_machine_options_t options;
    uint64_t bytes;
    uint32_t cpu;
    free(memory.ram);
    free(block);
    memset(&memory, 0, sizeof memory);
    memory.ram = need(frames, PAGE);
    memory.size = frames * PAGE;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv48;
    options.layout = &layout;
    options.replacement = policy;
    options.asid_bits = 16;
    options.slots = swap.slots;
    options.areas = (uint32_t)stretch_count + 64;
    options.objects = (uint32_t)part_count + 1;
    options.nodes = (uint32_t)page_count * 4 + 64;
    if (sharp) { /* every frame but one may be used, and one is taken at a time */
        options.watermark_min = options.watermark_low = 1;
        options.watermark_high = 2;
    }
    bytes = vmm_machine_bytes(&options);
    block = need(1, bytes + 1);
    return !failed("the machine", vmm_machine_create(block, bytes, &options, &machine)) &&
           !failed("swap", vmm_swap_add(machine, &swap)) && !failed("the MMU", rv_init(&rv, &machine->memory)) &&
           !failed("the MMU", rv_attach(&rv, machine, &cpu)) &&
           !failed("the process", vmm_space_create(machine, &space)) &&
           !failed("the process", vmm_space_switch(space, cpu));
}

/* The program's own segments by exec, which makes the stack too; the heap by brk; all else by mmap. */
static bool make_process(vmm_vaddr_t *stack_pointer)
{
    vmm_segment_t segments[VMM_EXEC_SEGMENTS];
    const char *const argv[] = {parts[program].name, NULL};
    vmm_program_t p;
    vmm_start_t start;
    vmm_vaddr_t at;
    size_t i;
    memset(&p, 0, sizeof p);
    p.segments = segments;
    p.entry = trace.refs[0].address;
    for (i = 0; i < part_count; i++) {
        vmm_object_options_t o;
        if (!parts[i].file) continue;
        memset(&o, 0, sizeof o);
        o.kind = VMM_OBJECT_FILE;
        o.size = parts[i].length << SHIFT;
        o.read_page = read_page;
        o.user = &parts[i];
        o.name = parts[i].name;
        if (failed("a file", vmm_object_create(machine, &o, &parts[i].object))) return false;
    }
    for (i = 0; i < stretch_count; i++) {
        const stretch_t *s = &stretches[i];
        vmm_segment_t *g = &segments[p.count];
        if (parts[s->part].heap) p.heap = s->start << SHIFT;
        if (s->part != program || p.count == VMM_EXEC_SEGMENTS) continue;
        memset(g, 0, sizeof *g);
        g->vaddr = s->start << SHIFT;
        g->bytes = g->content_bytes = (s->end - s->start) << SHIFT;
        g->object = parts[program].object;
        g->offset = (s->start - parts[program].start) << SHIFT;
        g->rights = s->rights;
        p.count++;
    }
    if (failed("exec", vmm_exec(space, &p, argv, NULL, &start))) {
        fprintf(stderr, "process_trace: %s\n", vmm_exec_rule_text(start.rule));
        return false;
    }
    *stack_pointer = start.stack_pointer;
    for (i = 0; i < stretch_count; i++) {
        const stretch_t *s = &stretches[i];
        const part_t *part = &parts[s->part];
        vmm_status_t status = VMM_OK;
        if (s->part == program || part->stack) continue;
        if (part->heap) status = vmm_brk(space, s->end << SHIFT, &at);
        if (!part->heap || status)
            status = vmm_mmap(space, s->start << SHIFT, (s->end - s->start) << SHIFT, s->rights,
                              VMM_MAP_PRIVATE | VMM_MAP_FIXED | (part->file ? 0u : (uint32_t)VMM_MAP_ANONYMOUS),
                              part->object, part->file ? (s->start - part->start) << SHIFT : 0, &at);
        if (failed("mmap", status)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------------ one reference -- */

static vmm_status_t load(vmm_vaddr_t va, uint8_t *to, uint32_t bytes)
{
    switch (bytes) {
    case 8: return rv_load64(&rv, va, (uint64_t *)(void *)to);
    case 4: return rv_load32(&rv, va, (uint32_t *)(void *)to);
    case 2: return rv_load16(&rv, va, (uint16_t *)(void *)to);
    case 1: return rv_load8(&rv, va, to);
    default: return rv_read(&rv, va, to, bytes);
    }
}

static vmm_status_t store(vmm_vaddr_t va, const uint8_t *from, uint32_t bytes, uint64_t word)
{
    switch (bytes) {
    case 8: return rv_store64(&rv, va, word);
    case 4: return rv_store32(&rv, va, (uint32_t)word);
    case 2: return rv_store16(&rv, va, (uint16_t)word);
    case 1: return rv_store8(&rv, va, (uint8_t)word);
    default: return rv_write(&rv, va, from, bytes);
    }
}

/* An instruction by its first byte and its last. */
static vmm_status_t fetch(vmm_vaddr_t va, uint8_t *to, uint32_t bytes)
{
    const vmm_status_t status = rv_fetch8(&rv, va, to);
    to[bytes - 1] = to[0];
    return status || bytes == 1 ? status : rv_fetch8(&rv, va + bytes - 1, to + bytes - 1);
}

/* Makes it, and compares. Pages that follow each other in the trace's list do so in its flat memory. */
static bool make_reference(size_t i)
{
    static uint64_t words[TRACE_SIZE_MAX / 8 + 1];
    const trace_ref_t *ref = &trace.refs[i];
    const uint64_t word = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    uint8_t *const data = (uint8_t *)words;
    uint8_t *const must = flat + (size_t)page_of[i] * PAGE + (ref->address & (PAGE - 1));
    vmm_status_t status = VMM_OK;
    bool same = true;
    if (ref->kind == TRACE_FETCH) {
        status = fetch(ref->address, data, ref->size);
        same = data[0] == must[0] && data[ref->size - 1] == must[ref->size - 1];
    } else if (ref->kind != TRACE_STORE) {
        status = load(ref->address, data, ref->size);
        same = memcmp(data, must, ref->size) == 0;
    }
    if (status == VMM_OK && same && ref->kind >= TRACE_STORE) {
        uint32_t at;
        for (at = 0; at < ref->size; at += 8) words[at / 8] = word + at;
        status = store(ref->address, data, ref->size, word);
        memcpy(must, data, ref->size);
    }
    if (status == VMM_OK && same) return true;
    fprintf(stderr, "process_trace: reference %zu at 0x%" PRIx64 ": %s\n", i, ref->address,
            status ? "signal" : "not what was stored there");
    if (status) fprintf(stderr, "process_trace: signal %u, code %u\n", space->signal.number, space->signal.code);
    return false;
}

/* ---------------------------------------------------------------------------- a run -- */

/* How many pages were resident after each step, by part; the last row has the faults in it. */
static uint64_t *samples;

static void sample(size_t step, uint64_t faults)
{
    uint32_t number = vmm_area_first(space);
    vmm_usage_t usage;
    size_t i = 0;
    for (; number; number = vmm_area_next(space, number)) {
        const uint64_t end = vmm_area_at(machine, number)->end >> SHIFT;
        while (i + 1 < stretch_count && stretches[i].end < end) i++;
        vmm_smaps(space, number, &usage);
        samples[stretches[i].part * STEPS + step] += usage.rss >> SHIFT;
    }
    samples[part_count * STEPS + step] = faults;
}

static bool run(uint64_t frames, const vmm_replacement_t *policy, bool sharp, bool told, bool sampled)
{
    vmm_vaddr_t stack_pointer;
    uint64_t faults = 0;
    size_t i, step = 0;
    if (!make_machine(frames, policy, sharp) || !make_process(&stack_pointer) || !fill_flat(stack_pointer))
        return false;
    if (sampled) memset(samples, 0, (part_count + 1) * STEPS * sizeof *samples);
    for (i = 0; i < trace.count; i++) {
        if (!make_reference(i)) return false;
        if (told) vmm_touch(space, trace.refs[i].address);
        while (sampled && step < STEPS && (i + 1) * STEPS >= (step + 1) * trace.count) {
            const uint64_t now = space->stats.minor + space->stats.major;
            sample(step++, now - faults);
            faults = now;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------- pictures -- */

static char shade(uint64_t value, uint64_t most)
{
    static const char shades[] = " .:-=+*#";
    if (value == 0) return ' ';
    return value >= most ? '#' : shades[1 + value * 6 / most];
}

static void print_parts(void)
{
    size_t p, step;
    uint64_t most = 1;
    for (p = 0; p < part_count; p++) {
        printf("  %-16s %5zu |", parts[p].name, parts[p].touched);
        for (step = 0; step < STEPS; step++) putchar(shade(samples[p * STEPS + step], parts[p].touched));
        printf("|\n");
    }
    for (step = 0; step < STEPS; step++)
        if (samples[part_count * STEPS + step] > most) most = samples[part_count * STEPS + step];
    printf("  %-16s %5" PRIu64 " |", "faults in a step", most);
    for (step = 0; step < STEPS; step++) putchar(shade(samples[part_count * STEPS + step], most));
    printf("|\n");
}

/* Columns: pages of files below, all others above. */
static void print_columns(void)
{
    enum {
        ROWS = 8
    };
    uint64_t file[STEPS] = {0}, all[STEPS] = {0}, most = 1;
    size_t p, step, row;
    for (step = 0; step < STEPS; step++) {
        for (p = 0; p < part_count; p++) {
            all[step] += samples[p * STEPS + step];
            if (parts[p].file) file[step] += samples[p * STEPS + step];
        }
        if (all[step] > most) most = all[step];
    }
    for (row = ROWS; row > 0; row--) {
        printf("  %22" PRIu64 " |", most * row / ROWS);
        for (step = 0; step < STEPS; step++)
            putchar(file[step] * ROWS > most * (row - 1) ? '=' : all[step] * ROWS > most * (row - 1) ? '#' : ' ');
        printf("|\n");
    }
}

/* -------------------------------------------------------------- the fewest that can be -- */

/* Pages brought in by the policy that knows the future and takes the page that is used last of all (Belady 1966). */
static uint64_t least(uint64_t frames)
{
    uint32_t *order = (uint32_t *)need(2 * trace.count, sizeof *order);
    size_t *next = (size_t *)need(2 * trace.count, sizeof *next);
    size_t *use = (size_t *)need(page_count, sizeof *use); /* of each page, its next use */
    uint32_t *held = (uint32_t *)need(frames, sizeof *held);
    bool *in = (bool *)need(page_count, sizeof *in);
    size_t i, count = 0;
    uint64_t faults = 0, used = 0, h, last;
    for (i = 0; i < trace.count; i++) {
        const bool two = trace.refs[i].address >> SHIFT != last_page(&trace.refs[i]);
        if (!count || order[count - 1] != page_of[i]) order[count++] = page_of[i];
        if (two) order[count++] = page_of[i] + 1;
    }
    for (i = 0; i < page_count; i++) use[i] = SIZE_MAX;
    for (i = count; i-- > 0;) {
        next[i] = use[order[i]];
        use[order[i]] = i;
    }
    for (i = 0; i < count; i++) {
        const uint32_t page = order[i];
        use[page] = next[i];
        if (in[page]) continue;
        faults++;
        in[page] = true;
        if (used < frames) {
            held[used++] = page;
            continue;
        }
        for (last = 0, h = 1; h < frames; h++)
            if (use[held[h]] > use[held[last]]) last = h;
        in[held[last]] = false;
        held[last] = page;
    }
    free(order);
    free(next);
    free(use);
    free(held);
    free(in);
    return faults;
}

/* ---------------------------------------------------------------------------- all of it -- */

static uint64_t anonymous_pages(void)
{
    uint64_t count = 0;
    size_t i;
    for (i = 0; i < part_count; i++)
        if (!parts[i].file) count += parts[i].touched;
    return count;
}

static bool few_frames(uint64_t most, uint64_t tables)
{
    static const struct {
        const vmm_replacement_t *policy;
        bool told;
    } rows[] = {{&vmm_replace_random, false},    {&vmm_replace_fifo, false},   {&vmm_replace_clock, false},
                {&vmm_replace_nru, false},       {&vmm_replace_aging, false},  {&vmm_replace_wsclock, false},
                {&vmm_replace_two_lists, false}, {&vmm_replace_2q, false},     {&vmm_replace_arc, false},
                {&vmm_replace_sieve, false},     {&vmm_replace_s3fifo, false}, {&vmm_replace_lru, true}};
    uint64_t frames[3];
    size_t row, f;
    printf("\nwith fewer frames, beside those of tables, and swap; major: faults that read a file or swap\n\n  %-18s",
           "");
    for (f = 0; f < 3; f++) {
        frames[f] = most >> (f + 1) < 24 ? 24 : most >> (f + 1);
        printf(" %18" PRIu64 " frames", frames[f]);
    }
    printf("\n  %-18s", "policy");
    for (f = 0; f < 3; f++) printf(" %7s %8s %8s", "major", "swap out", "swap in");
    for (row = 0; row < sizeof rows / sizeof *rows; row++) {
        char name[24];
        snprintf(name, sizeof name, "%s%s", rows[row].policy->name, rows[row].told ? ", told" : "");
        printf("\n  %-18s", name);
        for (f = 0; f < 3; f++) {
            if (!run(frames[f] + tables + 2, rows[row].policy, true, rows[row].told, false)) return false;
            printf(" %7" PRIu64 " %8" PRIu64 " %8" PRIu64, machine->stats.major, machine->stats.swapped_out,
                   machine->stats.swapped_in);
        }
    }
    printf("\n  %-18s", "the fewest");
    for (f = 0; f < 3; f++) printf("%*" PRIu64, f ? 26 : 8, least(frames[f]) - anonymous_pages());
    printf("\n\n  told: the policy hears of every reference; the others see accessed bits, as on a real machine.\n"
           "  the fewest: by knowing the future (Belady), computed. Every load of every run found what was stored.\n");
    if (!run(frames[1] + tables + 2, &vmm_replace_two_lists, true, false, true)) return false;
    printf("\nthe same picture with %" PRIu64 " frames and two lists\n\n", frames[1]);
    print_parts();
    return true;
}

int main(int argc, char **argv)
{
    uint64_t tables;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: process_trace FILE, or - for standard input [NAME]\n");
        return 2;
    }
    if (!trace_load(&trace, argv[1])) {
        fprintf(stderr, "process_trace: %s\n", trace.error);
        return 1;
    }
    collect_pages();
    build_stretches();
    build_parts(argc > 2 ? argv[2] : "program");
    flat = (uint8_t *)need(page_count, PAGE);
    device = (uint8_t *)need(2 * page_count, PAGE);
    samples = (uint64_t *)need((part_count + 1) * STEPS, sizeof *samples);
    layout = vmm_layout_48;
    if (parts[stretches[stretch_count - 1].part].stack) layout.stack_top = stretches[stretch_count - 1].end << SHIFT;
    layout.direct = 0; /* no kernel half: its tables would want frames */
    if (!run(4 * page_count + 1024, &vmm_replace_two_lists, false, false, true)) return 1;
    tables = space->stats.tables >> SHIFT;
    printf("as a process: %zu pages touched, %" PRIu64 " faults, %" PRIu64 " minor (zeros, copies, marks) and %" PRIu64
           " major (read from a file)\n\nresident pages over time: = of files, # others\n\n",
           page_count, space->stats.minor + space->stats.major, space->stats.minor, space->stats.major);
    print_columns();
    printf("\nby part, with the pages it touches: blank none resident, . few, # all; a column is %zu references\n\n",
           trace.count / STEPS);
    print_parts();
    if (!few_frames(space->stats.most, tables)) return 1;
    printf("\nthe process at its end\n\n");
    vmm_print_ps(stdout, machine);
    printf("\n");
    vmm_print_maps(stdout, space);
    return 0;
}
