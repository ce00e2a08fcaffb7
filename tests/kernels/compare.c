/* compare.c - a Linux kernel's page tables, as tests/kernels/boot.py kept them, walked three ways.
 *
 *     compare FORMAT < TEXT        (sv39, sv48, sv57, x86_four_level, x86_five_level, arm64_4k)
 *
 * NAME_visit of the tables has to give what QEMU's monitor gave, leaf by leaf; and an MMU with the kernel's registers
 * has to take every page of every leaf where the leaf says, in either privilege, for each kind of access, and to
 * fault at both ends of every hole between them. Prints a line for each, "ok - " or "not ok - " first, without
 * numbers: tests/check_kernels.sh counts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

#define LINE 256u
#define PAGE UINT64_C(4096)
#define MODES 2u /* supervisor and user */

VMM_TABLES(sv39, vmm_sv39)
VMM_TABLES(sv48, vmm_sv48)
VMM_TABLES(sv57, vmm_sv57)
VMM_TABLES(x86_four_level, vmm_x86_four_level)
VMM_TABLES(x86_five_level, vmm_x86_five_level)
VMM_TABLES(arm64_4k, vmm_arm64_4k)
VMM_MMU(rv, VMM_RISCV64)
VMM_MMU(pc, VMM_X86)
VMM_MMU(arm, VMM_ARM64)

/* A leaf, and what all the levels above it grant with it. */
typedef struct leaf {
    uint64_t va, pa, bytes;
    vmm_paddr_t pte_addr;
    vmm_pte_t pte;
    unsigned granted;
} leaf_t;

/* Lines of the monitor. */
typedef struct lines {
    char (*line)[LINE];
    size_t count, room;
} lines_t;

typedef struct registers {
    uint64_t satp;
    uint64_t cr0, cr3, cr4, efer;
    uint64_t sctlr, tcr, ttbr0, ttbr1, mair;
} registers_t;

static vmm_memory_t memory;
static registers_t registers;
static lines_t mem, tlb, gpa; /* `info mem`, `info tlb`; what `gva2gpa` tells, by stretches */
static uint64_t *holes;       /* pages that it takes nowhere */
static size_t hole_count, hole_room;
static char made[LINE];
static leaf_t *leaves;
static size_t leaf_count, leaf_room;
static uint64_t half_base;                 /* while visiting: what a half of the address space begins with (AArch64) */
static unsigned above[VMM_MAX_LEVELS + 1]; /* while visiting: what the pointers down to a level grant */
static rv_mmu_t rv;
static pc_mmu_t pc;
static arm_mmu_t arm;

/* ---- what is walked ---------------------------------------------------------------------- */

static void stop(const char *why)
{
    printf("not ok - %s\n", why);
    exit(1);
}

static void *grow(void *list, size_t count, size_t *room, size_t each)
{
    if (count < *room) return list;
    *room = *room ? 2 * *room : 1024;
    list = realloc(list, *room * each);
    if (!list) stop("out of memory");
    return list;
}

static void keep_line(lines_t *lines, const char *text)
{
    lines->line = (char(*)[LINE])grow(lines->line, lines->count, &lines->room, LINE);
    memcpy(lines->line[lines->count], text, strlen(text) + 1);
    lines->count++;
}

static void set_register(const char *name, uint64_t value)
{
    const struct {
        const char *name;
        uint64_t *value;
    } all[] = {{"satp", &registers.satp},    {"cr0", &registers.cr0},         {"cr3", &registers.cr3},
               {"cr4", &registers.cr4},      {"efer", &registers.efer},       {"sctlr", &registers.sctlr},
               {"tcr_el1", &registers.tcr},  {"ttbr0_el1", &registers.ttbr0}, {"ttbr1_el1", &registers.ttbr1},
               {"mair_el1", &registers.mair}};
    size_t i;
    for (i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(name, all[i].name)) {
            *all[i].value = value;
            return;
        }
    stop("an unknown register");
}

static void read_line(const char *line)
{
    char name[16];
    uint64_t a, b;
    uint8_t *host;
    if (!strncmp(line, "made ", 5)) {
        memcpy(made, line + 5, strlen(line + 5) + 1);
    } else if (sscanf(line, "register %15s %" SCNx64, name, &a) == 2) {
        set_register(name, a);
    } else if (sscanf(line, "ram %" SCNx64 " %" SCNx64, &a, &b) == 2) {
        memory.base = a;
        memory.size = b;
        memory.ram = calloc(b / 8, 8);
    } else if (sscanf(line, "word %" SCNx64 " %" SCNx64, &a, &b) == 2) {
        host = vmm_mem_host(&memory, a, 8);
        if (!host) stop("a word outside RAM");
        vmm_put(host, b, 8);
    } else if (!strncmp(line, "mem ", 4)) {
        keep_line(&mem, line + 4);
    } else if (!strncmp(line, "tlb ", 4)) {
        keep_line(&tlb, line + 4);
    } else if (!strncmp(line, "gpa ", 4)) {
        keep_line(&gpa, line + 4);
    } else if (sscanf(line, "hole %" SCNx64, &a) == 1) {
        holes = (uint64_t *)grow(holes, hole_count, &hole_room, sizeof *holes);
        holes[hole_count++] = a;
    } else {
        stop("a line that is none of those kept");
    }
}

static void read_all(void)
{
    char line[LINE];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        read_line(line);
    }
    if (!memory.ram) stop("no RAM");
}

/* ---- the visit --------------------------------------------------------------------------- */

static int visit_one(void *user, const vmm_mapping_t *m)
{
    const vmm_paging_t *p = (const vmm_paging_t *)user;
    const unsigned rights = VMM_R | VMM_W | VMM_X | VMM_U;
    const unsigned from = p->rights == VMM_RIGHTS_EVERY && m->level + 1u < p->levels ? above[m->level + 1] : rights;
    leaf_t leaf;
    if (m->status) stop("a table outside RAM");
    above[m->level] = from & m->flags;
    if (!m->leaf) return 0;
    leaf.va = m->vaddr | half_base;
    leaf.pa = m->paddr;
    leaf.bytes = m->bytes;
    leaf.pte_addr = m->pte_addr;
    leaf.pte = m->pte;
    leaf.granted = p->rights == VMM_RIGHTS_EVERY ? above[m->level] : m->flags & rights;
    leaves = (leaf_t *)grow(leaves, leaf_count, &leaf_room, sizeof leaf);
    leaves[leaf_count++] = leaf;
    return 0;
}

static uint64_t page_count(void)
{
    uint64_t pages = 0;
    size_t i;
    for (i = 0; i < leaf_count; i++) pages += leaves[i].bytes / PAGE;
    return pages;
}

/* ---- the monitor ------------------------------------------------------------------------- */

/* The next line of the monitor has to be this one. */
static bool same_line(const lines_t *lines, size_t *next, const char *ours)
{
    const char *theirs = *next < lines->count ? lines->line[*next] : "nothing more";
    const bool same = !strcmp(theirs, ours);
    if (!same) printf("# the monitor: %s\n# vmm:         %s\n", theirs, ours);
    ++*next;
    return same;
}

static bool all_told(const lines_t *lines, size_t next)
{
    if (next < lines->count) printf("# the monitor alone: %s\n", lines->line[next]);
    return next >= lines->count;
}

/* A letter for each bit that is set, in the order of the letters. */
static void letters(char *to, const char *names, const unsigned *bits, vmm_pte_t pte)
{
    size_t i;
    for (i = 0; names[i]; i++) to[i] = (pte >> bits[i]) & 1 ? names[i] : '-';
    to[i] = 0;
}

/* `info mem` of RISC-V: entries of one table that are neighbours at both ends and have the same low byte. */
static bool riscv_neighbours(const leaf_t *a, const leaf_t *b)
{
    return a->va + a->bytes == b->va && a->pa + a->bytes == b->pa && a->pte_addr / PAGE == b->pte_addr / PAGE &&
           ((a->pte ^ b->pte) & 0xff) == 0;
}

static bool riscv_mem_agrees(void)
{
    static const unsigned bits[] = {1, 2, 3, 4, 5, 6, 7};
    char ours[LINE], attributes[8];
    size_t i = 0, next = 0;
    bool same = true;
    while (same && i < leaf_count) {
        const leaf_t *first = &leaves[i];
        uint64_t bytes = first->bytes;
        while (++i < leaf_count && riscv_neighbours(&leaves[i - 1], &leaves[i])) bytes += leaves[i].bytes;
        letters(attributes, "rwxugad", bits, first->pte);
        snprintf(ours, sizeof ours, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s", first->va, first->pa, bytes,
                 attributes);
        same = same_line(&mem, &next, ours);
    }
    return same && all_told(&mem, next);
}

/* `info mem` of x86: stretches of virtual addresses with the same user and write rights, of all levels. */
static bool x86_neighbours(const leaf_t *a, const leaf_t *b)
{
    return a->va + a->bytes == b->va && ((a->granted ^ b->granted) & (VMM_U | VMM_W)) == 0;
}

static bool x86_mem_agrees(void)
{
    char ours[LINE];
    size_t i = 0, next = 0;
    bool same = true;
    while (same && i < leaf_count) {
        const leaf_t *first = &leaves[i];
        uint64_t bytes = first->bytes;
        while (++i < leaf_count && x86_neighbours(&leaves[i - 1], &leaves[i])) bytes += leaves[i].bytes;
        snprintf(ours, sizeof ours, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c", first->va, first->va + bytes,
                 bytes, first->granted & VMM_U ? 'u' : '-', first->granted & VMM_W ? 'w' : '-');
        same = same_line(&mem, &next, ours);
    }
    return same && all_told(&mem, next);
}

/* `info tlb` of x86: a line for each leaf. P is bit 7: a huge page, or the PAT of a small one. */
static bool x86_tlb_agrees(void)
{
    static const unsigned bits[] = {63, 8, 7, 6, 5, 4, 3, 2, 1};
    char ours[LINE], attributes[10];
    size_t i, next = 0;
    bool same = true;
    for (i = 0; same && i < leaf_count; i++) {
        letters(attributes, "XGPDACTUW", bits, leaves[i].pte);
        snprintf(ours, sizeof ours, "%016" PRIx64 ": %016" PRIx64 " %s", leaves[i].va, leaves[i].pa, attributes);
        same = same_line(&tlb, &next, ours);
    }
    return same && all_told(&tlb, next);
}

/* `gva2gpa` of AArch64: stretches of both addresses, and nothing next to them. */
static bool arm_gpa_agrees(void)
{
    char ours[LINE];
    size_t i = 0, next = 0;
    bool same = true;
    while (same && i < leaf_count) {
        const leaf_t *first = &leaves[i];
        uint64_t bytes = first->bytes;
        while (++i < leaf_count && first->va + bytes == leaves[i].va && first->pa + bytes == leaves[i].pa)
            bytes += leaves[i].bytes;
        snprintf(ours, sizeof ours, "%" PRIx64 " %" PRIx64 " %" PRIx64, first->va, first->pa, bytes);
        same = same_line(&gpa, &next, ours);
    }
    return same && all_told(&gpa, next);
}

/* ---- the MMU ----------------------------------------------------------------------------- */

static vmm_status_t riscv_start(void)
{
    vmm_status_t status = rv_init(&rv, &memory);
    if (!status) status = rv_set_features(&rv, VMM_SVADU);
    return status ? status : rv_set_satp(&rv, registers.satp);
}

static vmm_status_t riscv_mode(bool user)
{
    return rv_set_privilege(&rv, user ? 0 : 1);
}

static vmm_status_t riscv_ask(vmm_vaddr_t va, unsigned access, vmm_translation_t *t)
{
    return rv_translate(&rv, va, access, t);
}

/* In the order that the processor's manual asks for: long mode is enabled before paging. */
static vmm_status_t x86_start(void)
{
    vmm_status_t status = pc_init(&pc, &memory);
    if (!status) status = pc_set_efer(&pc, registers.efer & ~UINT64_C(0x400)); /* LMA follows from CR0.PG */
    if (!status) status = pc_set_cr4(&pc, registers.cr4 & ~UINT64_C(0x20000)); /* PCIDE only in long mode */
    if (!status) status = pc_set_cr3(&pc, registers.cr3);
    if (!status) status = pc_set_cr0(&pc, registers.cr0);
    return status ? status : pc_set_cr4(&pc, registers.cr4);
}

static vmm_status_t x86_mode(bool user)
{
    return pc_set_cpl(&pc, user ? 3 : 0);
}

static vmm_status_t x86_ask(vmm_vaddr_t va, unsigned access, vmm_translation_t *t)
{
    return pc_translate(&pc, va, access, t);
}

static vmm_status_t arm64_start(void)
{
    const vmm_status_t status = arm_init(&arm, &memory);
    if (status) return status;
    arm_set_mair(&arm, registers.mair);
    arm_set_tcr(&arm, registers.tcr);
    arm_set_ttbr0(&arm, registers.ttbr0);
    arm_set_ttbr1(&arm, registers.ttbr1);
    arm_set_sctlr(&arm, registers.sctlr);
    arm_set_pan(&arm, true);
    return VMM_OK;
}

static vmm_status_t arm64_mode(bool user)
{
    return arm_set_el(&arm, user ? 0 : 1);
}

static vmm_status_t arm64_ask(vmm_vaddr_t va, unsigned access, vmm_translation_t *t)
{
    return arm_translate(&arm, va, access, t);
}

/* A format by its name, and who walks it. */
typedef struct walker {
    const char *name, *title;
    const vmm_paging_t *paging;
    vmm_status_t (*visit)(const vmm_tables_t *tables, vmm_visitor_t visitor, void *user);
    vmm_status_t (*start)(void);
    vmm_status_t (*mode)(bool user);
    vmm_status_t (*ask)(vmm_vaddr_t va, unsigned access, vmm_translation_t *t);
} walker_t;

static const walker_t walkers[] = {
    {"sv39", "Sv39", &vmm_sv39, sv39_visit, riscv_start, riscv_mode, riscv_ask},
    {"sv48", "Sv48", &vmm_sv48, sv48_visit, riscv_start, riscv_mode, riscv_ask},
    {"sv57", "Sv57", &vmm_sv57, sv57_visit, riscv_start, riscv_mode, riscv_ask},
    {"x86_four_level", "x86 four-level", &vmm_x86_four_level, x86_four_level_visit, x86_start, x86_mode, x86_ask},
    {"x86_five_level", "x86 five-level", &vmm_x86_five_level, x86_five_level_visit, x86_start, x86_mode, x86_ask},
    {"arm64_4k", "AArch64 4K", &vmm_arm64_4k, arm64_4k_visit, arm64_start, arm64_mode, arm64_ask},
};

/* Linux has SUM clear (RISC-V), WP, SMEP and SMAP set (x86), PAN set (AArch64): the kernel uses its own pages alone.
 * AArch64 pages may be written that are not read-only, or are clean (DBM) and made dirty by hardware (TCR.HD). */
static bool allowed(const walker_t *w, const leaf_t *leaf, bool user, unsigned access)
{
    static const unsigned right[] = {VMM_R, VMM_W, VMM_X};
    const bool dirty = !(leaf->pte & VMM_ARM64_AP2), marked = (registers.tcr >> 40) & 1;
    if (user != ((leaf->granted & VMM_U) != 0)) return false;
    if (w->paging->rules == VMM_RULES_ARM64 && access == VMM_WRITE)
        return dirty || (marked && (leaf->pte & VMM_ARM64_DBM));
    return (leaf->granted & right[access]) != 0;
}

static bool goes_there(const walker_t *w, const leaf_t *leaf, bool user, uint64_t offset)
{
    unsigned access;
    for (access = VMM_READ; access <= VMM_FETCH; access++) {
        const bool want = allowed(w, leaf, user, access);
        vmm_translation_t t;
        const bool got = w->ask(leaf->va + offset, access, &t) == VMM_OK;
        if (got == want && (!got || t.paddr == leaf->pa + offset)) continue;
        printf("# %016" PRIx64 ", access %u, %s: %s\n", leaf->va + offset, access, user ? "user" : "supervisor",
               got ? want ? "another physical address" : "allowed" : "refused");
        return false;
    }
    return true;
}

static bool is_hole(const walker_t *w, vmm_vaddr_t va)
{
    unsigned access;
    vmm_translation_t t;
    for (access = VMM_READ; access <= VMM_FETCH; access++)
        if (w->ask(va, access, &t) == VMM_OK) {
            printf("# %016" PRIx64 " is in no leaf, and is translated\n", va);
            return false;
        }
    return true;
}

static bool mmu_agrees(const walker_t *w, uint64_t *asked)
{
    unsigned user;
    size_t i;
    for (user = 0; user < MODES; user++) {
        if (w->mode(user != 0)) return false;
        for (i = 0; i < leaf_count; i++) {
            const leaf_t *leaf = &leaves[i];
            const uint64_t end = leaf->va + leaf->bytes;
            uint64_t offset;
            for (offset = 0; offset < leaf->bytes; offset += PAGE, *asked += 3)
                if (!goes_there(w, leaf, user != 0, offset)) return false;
            if (i + 1 == leaf_count || leaves[i + 1].va == end) continue;
            if (!is_hole(w, end) || !is_hole(w, leaves[i + 1].va - 1)) return false;
            *asked += 6;
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------ */

static int failed;

static const char *result(bool good)
{
    failed |= !good;
    return good ? "ok" : "not ok";
}

static void visit(const walker_t *w, uint64_t root, uint64_t first)
{
    vmm_tables_t tables;
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    tables.root = root;
    half_base = first;
    if (w->visit(&tables, visit_one, (void *)(uintptr_t)w->paging)) stop("the visit does not end");
}

static void visit_all(const walker_t *w)
{
    switch (w->paging->rules) {
    case VMM_RULES_RISCV: visit(w, (registers.satp & vmm_low_mask(44)) << 12, 0); break;
    case VMM_RULES_X86: visit(w, registers.cr3 & UINT64_C(0xffffffffff000), 0); break;
    default: /* the upper half first, as its addresses are the negative ones */
        visit(w, registers.ttbr1 & UINT64_C(0xfffffffff000), ~UINT64_C(0) << 48);
        visit(w, registers.ttbr0 & UINT64_C(0xfffffffff000), 0);
    }
    if (!leaf_count) stop("the visit finds nothing");
}

static bool monitor_agrees(const walker_t *w)
{
    switch (w->paging->rules) {
    case VMM_RULES_RISCV: return riscv_mem_agrees();
    case VMM_RULES_X86: return x86_tlb_agrees();
    default: return arm_gpa_agrees();
    }
}

static bool holes_agree(const walker_t *w)
{
    size_t i;
    for (i = 0; i < hole_count; i++)
        if (!is_hole(w, holes[i])) return false;
    return true;
}

static void compare(const walker_t *w)
{
    uint64_t asked = 0;
    bool good;
    visit_all(w);
    printf("# %s: %s\n", w->title, made);
    good = monitor_agrees(w);
    printf("%s - %s: a visit finds the %" PRIu64 " pages of Linux, in %zu leaves, as QEMU does\n", result(good),
           w->title, page_count(), leaf_count);
    if (w->paging->rules == VMM_RULES_X86 && mem.count) {
        good = x86_mem_agrees();
        printf("%s - %s: the rights of all levels make the same %zu stretches as QEMU's\n", result(good), w->title,
               mem.count);
    }
    good = w->start() == VMM_OK && mmu_agrees(w, &asked) && holes_agree(w);
    printf("%s - %s: the MMU takes every page where its leaf says, and no other: %" PRIu64 " accesses\n", result(good),
           w->title, asked);
}

int main(int argc, char **argv)
{
    size_t i;
    for (i = 0; i < sizeof walkers / sizeof walkers[0]; i++)
        if (argc == 2 && !strcmp(argv[1], walkers[i].name)) {
            read_all();
            compare(&walkers[i]);
            return failed;
        }
    fputs("usage: compare FORMAT < TEXT\n", stderr);
    return 2;
}
