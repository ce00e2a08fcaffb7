/* replay.c - a real program's memory trace, through machines whose page tables are built on demand.
 *
 *     gzip -dc examples/traces/sqlite3.trace.gz | build/replay -
 *     valgrind --tool=lackey --trace-mem=yes --log-fd=9 PROGRAM 9>&1 >/dev/null | build/replay -
 *
 * Three formats side by side: Sv39, Sv48, and the textbooks' 32-bit two-level table (addresses
 * modulo 2^32). A TLB miss walks the tables, a missing page faults, the fault takes a frame from the
 * buddy and maps it, and the reference is made again.
 *
 * Each format is run by a stamped MMU as an emulator would use it, with every load, store and fetch
 * made for real and timed; and once for each TLB geometry by the same cores with a model that is
 * made at run time, where every reference asks the modelled TLB and is counted.
 *
 * Reads a trace (trace.h) from the file that is named, or from standard input for "-". */
#define _POSIX_C_SOURCE 200809L
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "trace.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define FRAMES (UINT64_C(1) << 17) /* 512 MiB of guest RAM, of which the host keeps what is touched */
#define RIGHTS (VMM_R | VMM_W | VMM_X | VMM_U)

static trace_list_t trace;

/* ---------------------------------------------------------------------- the progress -- */

static double started;
static unsigned pass, passes;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A line on the terminal, once the whole takes longer than a second. */
static void progress(size_t at)
{
    if (!isatty(STDERR_FILENO) || seconds() - started < 1) return;
    fprintf(stderr, "\rreplaying: pass %u of %u, %u %% ", pass, passes, (unsigned)(100 * at / trace.count));
}

static void progress_done(void)
{
    if (isatty(STDERR_FILENO) && seconds() - started >= 1) fprintf(stderr, "\r%40s\r", "");
}

/* ----------------------------------------------------------------------- one machine -- */

/* A format, the memory that a pass runs in, and what came of the passes. */
typedef struct column {
    const char *name;
    const vmm_arch_t *arch;
    uint32_t format;     /* which of the architecture's */
    vmm_vaddr_t mask;    /* what is left of an address */
    double single_bytes; /* a table of one level for the whole address space */
    uint64_t faults, pages, table_bytes, walks;
    double hit_rate[8], ns;
} column_t;

static const vmm_arch_t textbook = VMM_ARCH_OF(vmm_two_level);

static vmm_memory_t memory;
static vmm_frames_t frames;
static uint8_t *side;
static vmm_tables_t tables;
static column_t *column; /* the one that runs */

static const vmm_paging_t *paging(void)
{
    return column->arch->format[column->format];
}

/* All frames free, an empty root table. */
static bool begin(column_t *c)
{
    column = c;
    c->faults = c->pages = 0;
    pass++;
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    tables.format = c->format;
    tables.take = vmm_frames_take;
    tables.give = vmm_frames_give;
    tables.user = &frames;
    return vmm_frames_init(&frames, 0, 12, FRAMES, side, VMM_FRAMES_BYTES(FRAMES)) == VMM_OK &&
           vmm_pt_create(paging(), &tables) == VMM_OK;
}

/* The fault handler: a frame, zeroed, under the page that was missed. */
static bool serve(const vmm_fault_t *fault)
{
    vmm_paddr_t frame;
    vmm_status_t status;
    if (fault->rule != VMM_RULE_VALID) {
        fprintf(stderr, "replay: %s at 0x%" PRIx64 ": %s\n", column->name, fault->vaddr, vmm_rule_text(fault->rule));
        return false;
    }
    status = vmm_frames_alloc(&frames, 0, &frame);
    if (status == VMM_OK) {
        memset((uint8_t *)memory.ram + frame, 0, PAGE);
        status = vmm_pt_map(paging(), &tables, fault->vaddr & ~(PAGE - 1), frame, PAGE, RIGHTS);
    }
    if (status)
        fprintf(stderr, "replay: %s at 0x%" PRIx64 ": %s\n", column->name, fault->vaddr, vmm_status_text(status));
    column->faults++;
    column->pages++;
    return status == VMM_OK;
}

static void end(void)
{
    column->table_bytes = (FRAMES - frames.free_frames - column->pages) * PAGE;
    progress(trace.count);
}

/* -------------------------------------------------------- every reference through a TLB -- */

typedef struct geometry {
    uint32_t sets, ways;
} geometry_t;

static const geometry_t geometries[] = {{4, 4}, {16, 4}, {1, 64}, {128, 4}};
#define GEOMETRIES (sizeof geometries / sizeof *geometries)

/* An MMU whose sizes are known now and not before: the parts that VMM_MMU would lay out. */
static vmm_ref_t place(const vmm_model_t *model)
{
    static vmm_state_t state;
    static vmm_fault_t fault;
    static vmm_stats_t stats;
    static vmm_tlb_key_t keys[512];
    static vmm_tlb_entry_t entries[512];
    static uint64_t trees[512];
    const vmm_ref_t u = {
        model, {NULL, NULL, NULL}, NULL, &state, &fault, &stats, NULL, NULL, keys, entries, trees, NULL, NULL};
    return u;
}

static bool touch_page(vmm_ref_t u, unsigned access, vmm_vaddr_t va)
{
    vmm_translation_t t;
    while (vmm_mmu_translate(u, access, va & column->mask, &t))
        if (!serve(u.fault)) return false;
    return true;
}

/* One lookup for each page of the reference; a modify is a load and a store. */
static bool touch(vmm_ref_t u, const trace_ref_t *ref)
{
    const unsigned access = ref->kind == TRACE_FETCH ? VMM_FETCH : ref->kind == TRACE_STORE ? VMM_WRITE : VMM_READ;
    const vmm_vaddr_t last = ref->address + ref->size - 1;
    vmm_vaddr_t va = ref->address;
    do {
        if (!touch_page(u, access, va) || (ref->kind == TRACE_MODIFY && !touch_page(u, VMM_WRITE, va))) return false;
        va = (va | (PAGE - 1)) + 1;
    } while (va - 1 < last);
    return true;
}

static bool run_modelled(column_t *c, size_t which)
{
    const vmm_model_t model = {c->arch, 0, 1, 0, 1, geometries[which].sets, geometries[which].ways, VMM_LRU, 0};
    const vmm_ref_t u = place(&model);
    vmm_context_t context;
    size_t i;
    if (!begin(c) || vmm_mmu_init(u, &memory)) return false;
    memset(&context, 0, sizeof context);
    context.half[0].root = tables.root;
    context.half[0].format = (uint8_t)c->format;
    context.judge.user = 1;
    context.judge.marking = VMM_MARK_UPDATE;
    vmm_views_set(u, &context, &context);
    for (i = 0; i < trace.count; i++) {
        if ((i & 0xffff) == 0) progress(i);
        if (!touch(u, &trace.refs[i])) return false;
    }
    end();
    c->hit_rate[which] = (double)u.stats->tlb_hits / (double)(u.stats->tlb_hits + u.stats->tlb_misses);
    if (geometries[which].sets == 16) c->walks = u.stats->walks;
    return true;
}

/* ------------------------------------------------------------- every access, for real -- */

VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(tb, VMM_ARCH_PLAIN(textbook), VMM_STAGES_FAST)

static rv_mmu_t rv;
static tb_mmu_t tb;

/* One reference as its processor makes it; a width that is none goes as a block. An instruction is
 * fetched by its first bytes, and by the next page's when it reaches there. */
#define REFERENCE(NAME)                                                                                                \
    static vmm_status_t NAME##_reference(const trace_ref_t *ref, vmm_vaddr_t va)                                       \
    {                                                                                                                  \
        static uint8_t data[TRACE_SIZE_MAX];                                                                           \
        uint64_t wide;                                                                                                 \
        uint32_t word;                                                                                                 \
        uint16_t half;                                                                                                 \
        vmm_status_t status;                                                                                           \
        switch (ref->kind << 8 | (ref->size > 255 ? 255 : (int)ref->size)) {                                           \
        case TRACE_LOAD << 8 | 8: return NAME##_load64(&NAME, va, &wide);                                              \
        case TRACE_LOAD << 8 | 4: return NAME##_load32(&NAME, va, &word);                                              \
        case TRACE_LOAD << 8 | 1: return NAME##_load8(&NAME, va, data);                                                \
        case TRACE_STORE << 8 | 8: return NAME##_store64(&NAME, va, va);                                               \
        case TRACE_STORE << 8 | 4: return NAME##_store32(&NAME, va, (uint32_t)va);                                     \
        case TRACE_STORE << 8 | 1: return NAME##_store8(&NAME, va, (uint8_t)va);                                       \
        default: break;                                                                                                \
        }                                                                                                              \
        if (ref->kind == TRACE_FETCH) {                                                                                \
            status = NAME##_fetch8(&NAME, va, data);                                                                   \
            if (status || (va & (PAGE - 1)) + ref->size <= PAGE) return status;                                        \
            return NAME##_fetch16(&NAME, va | (PAGE - 1), &half);                                                      \
        }                                                                                                              \
        status = ref->kind == TRACE_STORE ? VMM_OK : NAME##_read(&NAME, va, data, ref->size);                          \
        if (status || ref->kind == TRACE_LOAD) return status;                                                          \
        return NAME##_write(&NAME, va, data, ref->size);                                                               \
    }
REFERENCE(rv)
REFERENCE(tb)

static bool run_real(column_t *c)
{
    const bool riscv = c->arch == &vmm_arch_riscv64;
    double start, serving = 0;
    size_t i;
    if (!begin(c) || (riscv ? rv_init(&rv, &memory) : tb_init(&tb, &memory))) return false;
    if (riscv) {
        rv_set_satp(&rv, (uint64_t)(8 + c->format) << 60 | tables.root >> 12);
        rv_set_privilege(&rv, 0);
    } else {
        tb_set_root(&tb, tables.root, 0);
        tb_set_user(&tb, true);
    }
    start = seconds();
    for (i = 0; i < trace.count; i++) {
        const vmm_vaddr_t va = trace.refs[i].address & c->mask;
        while (riscv ? rv_reference(&trace.refs[i], va) : tb_reference(&trace.refs[i], va)) {
            const double fault = seconds();
            if (!serve(riscv ? &rv.fault : &tb.fault)) return false;
            serving += seconds() - fault;
        }
    }
    c->ns = (seconds() - start - serving) * 1e9 / (double)trace.count;
    end();
    return true;
}

/* ------------------------------------------------------------------------- the table -- */

static void print_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) bytes /= 1024, unit++;
    printf("%12.4g %-4s", bytes, units[unit]);
}

static void print_table(const column_t *c, size_t columns)
{
    uint64_t kinds[4] = {0, 0, 0, 0};
    size_t i, g;
    for (i = 0; i < trace.count; i++) kinds[trace.refs[i].kind]++;
    printf("%zu references: %" PRIu64 " fetches, %" PRIu64 " loads, %" PRIu64 " stores, %" PRIu64 " modifies\n\n",
           trace.count, kinds[TRACE_FETCH], kinds[TRACE_LOAD], kinds[TRACE_STORE], kinds[TRACE_MODIFY]);
    printf("%-28s", "");
    for (i = 0; i < columns; i++) printf("%17s", c[i].name);
    printf("\n%-28s", "page faults");
    for (i = 0; i < columns; i++) printf("%17" PRIu64, c[i].faults);
    printf("\n%-28s", "distinct pages of 4 KiB");
    for (i = 0; i < columns; i++) printf("%17" PRIu64, c[i].pages);
    printf("\n%-28s", "page tables");
    for (i = 0; i < columns; i++) print_bytes((double)c[i].table_bytes);
    printf("\n%-28s", "a single-level table");
    for (i = 0; i < columns; i++) print_bytes(c[i].single_bytes);
    for (g = 0; g < GEOMETRIES; g++) {
        printf("\nTLB hits, %3u sets x %2u ways ", geometries[g].sets, geometries[g].ways);
        for (i = 0; i < columns; i++) printf("%15.3f %%", 100 * c[i].hit_rate[g]);
    }
    printf("\n%-28s", "walks, 16 sets x 4 ways");
    for (i = 0; i < columns; i++) printf("%17" PRIu64, c[i].walks);
    printf("\n%-28s", "ns a reference, front");
    for (i = 0; i < columns; i++) printf("%17.2f", c[i].ns);
    printf("\n\nTLB rows: replacement LRU; every reference looks up its page, a modify twice. Last row: front of 256\n"
           "slots and walk cache of 64, as an emulator has them, without the time that faults are served in.\n");
}

int main(int argc, char **argv)
{
    static column_t columns[] = {
        {"Sv39", &vmm_arch_riscv64, 0, ~UINT64_C(0), 8.0 * (1 << 27), 0, 0, 0, 0, {0}, 0},
        {"Sv48", &vmm_arch_riscv64, 1, ~UINT64_C(0), 8.0 * (UINT64_C(1) << 36), 0, 0, 0, 0, {0}, 0},
        {"32-bit two-level", &textbook, 0, UINT64_C(0xffffffff), 4.0 * (1 << 20), 0, 0, 0, 0, {0}, 0},
    };
    const size_t count = sizeof columns / sizeof *columns;
    size_t i, g;
    if (argc != 2) {
        fprintf(stderr, "usage: replay FILE, or - for standard input\n");
        return 2;
    }
    started = seconds();
    memory.size = FRAMES * PAGE;
    memory.ram = calloc(FRAMES, PAGE);
    side = (uint8_t *)malloc(VMM_FRAMES_BYTES(FRAMES));
    if (!memory.ram || !side) {
        fprintf(stderr, "replay: no memory for the machine\n");
        return 1;
    }
    if (!trace_load(&trace, argv[1])) {
        fprintf(stderr, "replay: %s\n", trace.error);
        return 1;
    }
    passes = (unsigned)(count * (GEOMETRIES + 1));
    for (i = 0; i < count; i++) {
        for (g = 0; g < GEOMETRIES; g++)
            if (!run_modelled(&columns[i], g)) return 1;
        if (!run_real(&columns[i])) return 1;
    }
    progress_done();
    print_table(columns, count);
    return 0;
}
