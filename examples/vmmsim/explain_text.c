/* explain_text.c - one access as a teacher writes it on the blackboard, and the table of a reference string. */
#include "explain.h"

#include <inttypes.h>

#define FIELDS 8
#define ROWS 5
#define LIST 24 /* entries that are listed in one line, at most */

/* A field of an address: its bits from `low` up, and what stands below them. */
typedef struct field {
    unsigned low, bits;
    char text[96];
} field_t;

/* One way to divide an address, highest field first. */
typedef struct row {
    const char *name;
    unsigned count;
    field_t field[FIELDS];
} row_t;

/* An address with the ways to divide it. */
typedef struct picture {
    const char *name;
    uint64_t value;
    unsigned bits, rows;
    row_t row[ROWS];
    int width[65]; /* characters between two bars; by the lowest bit of the column */
} picture_t;

static int digits(unsigned bits)
{
    return bits ? (int)((bits + 3) / 4) : 1;
}

/* -- drawing -- */

static void add_field(row_t *row, const char *name, unsigned low, unsigned bits, uint64_t value)
{
    field_t *f = &row->field[row->count];
    if (bits == 0 || row->count == FIELDS) return;
    row->count++;
    f->low = low;
    f->bits = bits;
    (void)snprintf(f->text, sizeof f->text, "%s 0x%0*" PRIx64, name, digits(bits), value);
}

static row_t *add_row(picture_t *p, const char *name)
{
    row_t *row = &p->row[p->rows++];
    row->name = name;
    return row;
}

/* Whether a field of any row begins or ends just below a bit. */
static bool is_cut(const picture_t *p, unsigned bit)
{
    unsigned r, f;
    if (bit == 0) return true;
    for (r = 0; r < p->rows; r++)
        for (f = 0; f < p->row[r].count; f++)
            if (p->row[r].field[f].low == bit || p->row[r].field[f].low + p->row[r].field[f].bits == bit) return true;
    return false;
}

/* The next cut below one. */
static unsigned next_cut(const picture_t *p, unsigned bit)
{
    for (bit--; !is_cut(p, bit); bit--) continue;
    return bit;
}

/* Characters from one cut down to another, with the bars between their columns. */
static int span_width(const picture_t *p, unsigned high, unsigned low)
{
    int width = -3;
    while (high > low) {
        high = next_cut(p, high);
        width += p->width[high] + 3;
    }
    return width;
}

static void measure(picture_t *p)
{
    unsigned high = p->bits, low, r, f;
    while (high > 0) {
        low = next_cut(p, high);
        p->width[low] = (int)(p->bits <= 32 ? 2 * (high - low) - 1 : high - low);
        high = low;
    }
    for (r = 0; r < p->rows; r++)
        for (f = 0; f < p->row[r].count; f++) {
            const field_t *field = &p->row[r].field[f];
            const int lack = (int)strlen(field->text) - span_width(p, field->low + field->bits, field->low);
            if (lack > 0) p->width[field->low] += lack;
        }
}

static void centred(const char *text, int width)
{
    const int left = (width - (int)strlen(text)) / 2;
    printf("%*s%-*s |", left + 1, "", width - left, text);
}

static void draw_bits(const picture_t *p)
{
    unsigned high = p->bits, low, bit;
    printf("  %-8s|", p->name);
    while (high > 0) {
        char text[130];
        size_t n = 0;
        low = next_cut(p, high);
        for (bit = high; bit > low; bit--) {
            if (n && p->bits <= 32) text[n++] = ' ';
            text[n++] = p->value >> (bit - 1) & 1 ? '1' : '0';
        }
        text[n] = '\0';
        centred(text, p->width[low]);
        high = low;
    }
    puts("");
}

/* Fields of a row are where it has them; between them nothing stands. */
static void draw_row(const picture_t *p, const row_t *row)
{
    unsigned high = p->bits, f = 0, low;
    printf("  %-8s|", row->name);
    while (high > 0) {
        if (f < row->count && row->field[f].low + row->field[f].bits == high) {
            low = row->field[f].low;
            centred(row->field[f++].text, span_width(p, high, low));
        } else {
            low = f < row->count ? row->field[f].low + row->field[f].bits : 0;
            centred("", span_width(p, high, low));
        }
        high = low;
    }
    puts("");
}

static void draw(picture_t *p)
{
    unsigned r;
    measure(p);
    draw_bits(p);
    for (r = 0; r < p->rows; r++) draw_row(p, &p->row[r]);
}

/* A cache as the engine has it: of a virtual index it knows the page size. */
static vmm_cache_geometry_t geometry_of(const explain_view_t *view, unsigned level)
{
    vmm_cache_geometry_t g = view->config->cache[level];
    const bool known = g.page_shift != 0 || view->config->page_shift < vmm_caches_block_bits(&g);
    if (g.virtual_index && !known) g.page_shift = view->config->page_shift;
    return g;
}

/* -- the virtual address -- */

static void draw_vaddr(const explain_view_t *view, const sim_step_t *step)
{
    const sim_config_t *c = view->config;
    const vmm_examination_t *x = &step->before;
    const vmm_paging_t *paging = x->paging;
    const unsigned shift = c->page_shift, vpn_bits = c->vaddr_bits - shift;
    picture_t p;
    row_t *row;
    memset(&p, 0, sizeof p);
    p.name = "VA";
    p.value = step->va;
    p.bits = c->vaddr_bits;
    row = add_row(&p, "page");
    add_field(row, "VPN", shift, vpn_bits, x->vpn);
    add_field(row, "VPO", 0, shift, x->vpo);
    if (x->has_tlb) {
        row = add_row(&p, "TLB");
        add_field(row, "TLBT", shift + x->tlbi_bits, vpn_bits - x->tlbi_bits, x->tlbt);
        add_field(row, "TLBI", shift, x->tlbi_bits, x->tlbi);
    }
    if (paging && paging->levels > 1) {
        unsigned level, low = c->vaddr_bits;
        row = add_row(&p, "tables");
        for (level = paging->levels; level-- > 0;) {
            char name[16];
            low -= paging->index_bits[level];
            (void)snprintf(name, sizeof name, "L%u", level);
            add_field(row, name, low, paging->index_bits[level],
                      step->va >> low & ((UINT64_C(1) << paging->index_bits[level]) - 1));
        }
    }
    if (c->cache[0].sets && c->cache[0].virtual_index && step->cache[0].asked) {
        row = add_row(&p, "L1");
        add_field(row, "CI", vmm_caches_block_bits(&c->cache[0]), (unsigned)__builtin_ctz(c->cache[0].sets),
                  step->cache[0].ci);
    }
    draw(&p);
}

const explain_set_t *explain_set_of(const explain_view_t *view, int i)
{
    const sim_step_t *step = &view->steps[i];
    const bool fetches = view->config->tlb_split && step->kind == VMM_FETCH;
    unsigned s;
    int j;
    for (j = 0; j < i; j++)
        if (view->steps[j].before.tlbi == step->before.tlbi) return NULL;
    for (s = 0; s < view->sets; s++)
        if (view->set[s].vpn == step->before.vpn && view->set[s].fetches == fetches) return &view->set[s];
    return NULL;
}

/* The set as it was found, and whether the tag is in it. */
static void tell_tlb(const explain_view_t *view, int i)
{
    const vmm_examination_t *x = &view->steps[i].before;
    const explain_set_t *set = explain_set_of(view, i);
    const unsigned va_bits = view->config->vaddr_bits, shift = view->config->page_shift;
    const int tag_digits = digits(va_bits - shift - x->tlbi_bits), ppn_digits = digits(view->paddr_bits - shift);
    unsigned way;
    if (!x->has_tlb) return;
    printf("  TLB     ");
    if (x->tlbi_bits) printf("set 0x%" PRIx64 "%s ", x->tlbi, set ? "" : ":");
    if (set && set->count) {
        printf("holds (tag: PPN)");
        for (way = 0; way < set->count && way < LIST; way++)
            printf("%s %0*" PRIx64 ": %0*" PRIx64, way ? "," : "", tag_digits, set->tag[way], ppn_digits,
                   set->ppn[way]);
        if (way < set->count) printf(" and %u more", set->count - way);
        printf("; ");
    } else if (set) {
        printf("is empty; ");
    }
    printf("tag 0x%0*" PRIx64 " %s\n", tag_digits, x->tlbt,
           x->tlb_hit ? "is there: TLB hit" : "is not there: TLB miss");
}

static void tell_walk(const vmm_examination_t *x)
{
    const vmm_paging_t *p = x->paging;
    unsigned i;
    if (x->tlb_hit && x->steps)
        puts("          the page is written for the first time: a walk sets the dirty bit of its PTE");
    for (i = 0; p && i < x->steps; i++) {
        const vmm_step_t *s = &x->step[i];
        const bool valid = (s->pte & p->valid) != 0;
        const bool leaf = s->level == 0 || (p->huge && (s->pte & p->huge));
        const uint64_t ppn = s->pte >> p->ppn_lsb & ((UINT64_C(1) << p->ppn_bits) - 1);
        printf("  %-8slevel %u, entry 0x%0*" PRIx32 ": PTE at 0x%" PRIx64 " = 0x%0*" PRIx64, i ? "" : "walk",
               (unsigned)s->level, digits(p->index_bits[s->level]), s->index, s->pte_addr, 2 * p->pte_bytes, s->pte);
        if (!valid) puts(": not valid");
        else printf(": %s 0x%" PRIx64 "\n", leaf ? "the page is in frame PPN" : "next table in frame", ppn);
    }
}

/* -- faults and frames -- */

static void print_page(const explain_view_t *view, uint64_t vpn, uint8_t process)
{
    if (view->processes) printf("%u:", (unsigned)process);
    printf("0x%0*" PRIx64, digits((unsigned)(view->config->vaddr_bits - view->config->page_shift)), vpn);
}

static void tell_fault(const explain_view_t *view, const sim_step_t *step)
{
    if (step->before.status != VMM_OK)
        printf("  fault   %s: %s\n", vmm_fault_text(step->before.fault.kind), vmm_rule_text(step->before.fault.rule));
    if (step->invalid) {
        puts(view->config->no_faults ? "          it is left so: faults are not served here"
                                     : "          no page is mapped there: the program's error");
        return;
    }
    if (!step->fault) return;
    if (step->evicted) {
        const uint64_t frame = step->ppn - view->config->first_frame;
        const uint8_t owner = frame < view->before.count ? view->before.process[frame] : step->process;
        if (view->policy_before[0]) printf("  policy  %s: %s\n", view->config->policy, view->policy_before);
        printf("  victim  page ");
        print_page(view, step->victim, owner);
        printf(", chosen by %s%s\n", view->config->policy,
               step->victim_dirty ? ": it was written to, so it is written to disk first"
                                  : ": it is as it is on disk, so nothing is written");
    }
    printf("  load    page ");
    print_page(view, step->before.vpn, step->process);
    printf(" is brought into frame 0x%" PRIx64 "%s\n", step->ppn,
           step->evicted ? ", which the victim leaves" : ", which was free");
}

/* All frames, the ones that changed in brackets; of many, only those. */
static void tell_frames(const explain_view_t *view)
{
    const explain_frames_t *now = &view->now, *before = &view->before;
    const bool all = now->count <= LIST;
    size_t i, used = 0, told = 0;
    if (!now->count) return;
    for (i = 0; i < now->count; i++) used += now->vpn[i] != UINT64_MAX;
    printf("  frames ");
    if (!all) printf(" %zu of %zu in use", used, now->count);
    for (i = 0; i < now->count; i++) {
        const bool changed =
            i >= before->count || now->vpn[i] != before->vpn[i] || now->process[i] != before->process[i];
        if (!all && (!changed || told++ == LIST)) continue;
        printf(all ? " %s" : "; %s", changed ? "[" : "");
        if (!all) printf("0x%" PRIx64 ": ", view->config->first_frame + i);
        if (now->vpn[i] == UINT64_MAX) putchar('-');
        else print_page(view, now->vpn[i], now->process[i]);
        if (changed) putchar(']');
    }
    puts("");
}

/* -- the physical address and caches -- */

static void draw_paddr(const explain_view_t *view, const sim_step_t *step)
{
    static const char *const name[SIM_CACHES] = {"L1", "L2", "L3"};
    const unsigned shift = view->config->page_shift;
    picture_t p;
    row_t *row;
    unsigned i;
    memset(&p, 0, sizeof p);
    p.name = "PA";
    p.value = step->pa;
    for (p.bits = view->paddr_bits; p.bits < 64 && step->pa >> p.bits; p.bits++) continue;
    row = add_row(&p, "frame");
    add_field(row, "PPN", shift, p.bits - shift, step->ppn);
    add_field(row, "PPO", 0, shift, step->pa & ((UINT64_C(1) << shift) - 1));
    for (i = 0; i < SIM_CACHES && view->config->cache[i].sets; i++) {
        const vmm_cache_geometry_t g = geometry_of(view, i);
        const unsigned co = vmm_caches_block_bits(&g), tag_bit = vmm_caches_tag_bit(&g);
        if (!step->cache[i].asked || tag_bit > p.bits) continue;
        row = add_row(&p, name[i]);
        add_field(row, "CT", tag_bit, p.bits - tag_bit, step->cache[i].ct);
        if (!g.virtual_index) add_field(row, "CI", co, tag_bit - co, step->cache[i].ci);
        add_field(row, "CO", 0, co, step->cache[i].co);
    }
    draw(&p);
}

static void tell_caches(const explain_view_t *view, const sim_step_t *step)
{
    unsigned i;
    for (i = 0; i < SIM_CACHES && step->cache[i].asked; i++) {
        const vmm_cache_step_t *c = &step->cache[i];
        printf("  cache   L%u set 0x%" PRIx64 "%s, tag 0x%" PRIx64 ": %s", i + 1, c->ci,
               view->config->cache[i].virtual_index ? " (by the virtual address)" : "", c->ct, c->hit ? "hit" : "miss");
        if (c->filled) printf(", the block is brought in");
        if (c->evicted) printf(" in place of the one of 0x%" PRIx64, c->victim);
        if (c->written_back) printf(", which was written to and is written back");
        if (c->passed) printf(", the write goes on to the next level");
        if (c->synonym) printf(", and another set holds it too: a synonym");
        puts("");
    }
    if (step->byte >= 0) printf("  byte    0x%02x\n", (unsigned)step->byte);
}

void explain_text(const explain_view_t *view, int i)
{
    static const char *const kinds[] = {"fetch", "load", "store", "modify"};
    const sim_step_t *step = &view->steps[i];
    printf("access %" PRIu64 ": %s 0x%0*" PRIx64, step->access, vmm_access_text(step->kind),
           digits(view->config->vaddr_bits), step->va);
    if (view->processes) printf(" by process %u", (unsigned)step->process);
    if (view->count > 1)
        printf(" (%d of %d of: %s %" PRIu32 " bytes at 0x%" PRIx64 ")", i + 1, view->count, kinds[view->ref.kind & 3],
               view->ref.size, view->ref.address);
    puts("");
    draw_vaddr(view, step);
    tell_tlb(view, i);
    tell_walk(&step->before);
    tell_fault(view, step);
    tell_frames(view);
    if (i + 1 == view->count && view->policy[0]) printf("  then    %s: %s\n", view->config->policy, view->policy);
    if (!step->invalid) {
        draw_paddr(view, step);
        tell_caches(view, step);
    }
    printf("  time    %" PRIu64 " cycles\n\n", step->cycles);
}

/* -- the table -- */

static void table_cell(uint64_t page, uint8_t process, int width, bool processes)
{
    char text[32] = "";
    if (page != UINT64_MAX)
        (void)(processes ? snprintf(text, sizeof text, "%u:%" PRIx64, (unsigned)process, page)
                         : snprintf(text, sizeof text, "%" PRIx64, page));
    printf(" %*s", width, text);
}

void explain_table(const explain_column_t *columns, unsigned count, size_t frames, unsigned vpn_bits, bool processes)
{
    unsigned from, i, to, at_once;
    uint64_t most = 0;
    size_t frame;
    int width;
    for (i = 0; i < count; i++) most |= columns[i].page;
    for (i = 0; i < count && columns[i].page < 10; i++) continue;
    if (i < count) puts("  (page numbers in hexadecimal)");
    for (width = 1; width < digits(vpn_bits) && most >> (4 * width); width++) continue;
    width += processes ? 2 : 0;
    at_once = (unsigned)(100 / (width + 1));
    for (from = 0; from < count; from = to) {
        to = count - from > at_once ? from + at_once : count;
        printf("  page    ");
        for (i = from; i < to; i++) table_cell(columns[i].page, columns[i].process, width, processes);
        puts("");
        for (frame = 0; frame < frames; frame++) {
            printf("  frame %-2zu", frame);
            for (i = from; i < to; i++) table_cell(columns[i].frame[frame], columns[i].owner[frame], width, processes);
            puts("");
        }
        printf("  fault   ");
        for (i = from; i < to; i++) printf(" %*s", width, columns[i].invalid ? "!" : columns[i].fault ? "*" : "");
        puts("\n");
    }
}
