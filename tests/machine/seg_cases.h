/* seg_cases.h - loads of x86's segment registers: the list that seg_guest.c makes on the processor and seg_host.c on
 * our model. A case is a number; most numbers are none. */
#ifndef SEG_CASES_H
#define SEG_CASES_H

#include "machine.h"

/* SEG_RETURN has the code in question, SEG_STACK the stack that goes with code of another ring. */
enum seg_load {
    SEG_DS,
    SEG_ES,
    SEG_SS,
    SEG_FS,
    SEG_GS,
    SEG_JUMP,
    SEG_RETURN,
    SEG_STACK
};
enum seg_place {
    SEG_INSIDE,
    SEG_OUTSIDE,
    SEG_NULL,
    SEG_PLACES
};
enum seg_form {
    SEG_32,
    SEG_64,
    SEG_BOTH,
    SEG_FORMS
}; /* D, L, both */

#define SEG_NUMBERS (1u << 20)
#define SEG_INDEX 13               /* of the descriptor; the next one is not in its table: */
#define SEG_GDT_LIMIT (13 * 8 + 7) /* behind it the global table ends, */
#define SEG_LDT_LIMIT (14 * 8 + 6) /* and the local one just before the last byte of the next. */

typedef struct seg_case {
    unsigned load, place, form, type, s, dpl, present, rpl, local, cpl;
} seg_case_t;

/* A gate or a task state leads elsewhere: a jump through it is not in the list. */
static inline bool seg_is_gate(const seg_case_t *c, bool is_64)
{
    if (c->load != SEG_JUMP || c->s) return false;
    return (is_64 ? 1u << 12 : 0x1a3au) >> c->type & 1;
}

/* What a number says; false: it is no case. */
static inline bool seg_number(uint32_t n, bool is_64, seg_case_t *c)
{
    c->type = n & 15;
    c->s = n >> 4 & 1;
    c->dpl = n >> 5 & 3;
    c->present = n >> 7 & 1;
    c->rpl = n >> 8 & 3;
    c->local = n >> 10 & 1;
    c->cpl = n >> 11 & 3;
    c->place = n >> 13 & 3;
    c->form = n >> 15 & 3;
    c->load = n >> 17 & 7;
    if (c->place == SEG_PLACES || c->form == SEG_FORMS) return false;
    if (c->load == SEG_STACK && c->cpl + 1 + c->form > 3) return false;
    if (c->form != SEG_32 && c->load < SEG_JUMP) return false;
    if (c->form == SEG_BOTH && !is_64 && c->load != SEG_STACK) return false;
    if (c->place != SEG_INSIDE && !(c->s && c->present && !c->dpl && (c->type & 7) == 3)) return false;
    if (c->place == SEG_NULL && c->local) return false;
    return !seg_is_gate(c, is_64);
}

/* The ring that a return with the stack in question goes to: the form's bits say how far. */
static inline unsigned seg_ring_of(const seg_case_t *c)
{
    return c->cpl + 1 + c->form;
}

/* The descriptor: flat, so that a stack in it is one; expand-down, all but the first 4 KiB. Code of protected mode that
 * is not SEG_32 ends at 1 MiB, where the program begins. */
static inline uint64_t seg_descriptor(const seg_case_t *c, bool is_64)
{
    const unsigned form = c->load == SEG_STACK ? (unsigned)SEG_32 : c->form;
    const bool down = c->s && (c->type & 12) == 4, is_short = !is_64 && form != SEG_32;
    const uint32_t size = form == SEG_32 || is_short ? 4 : form == SEG_64 ? 2 : 6;
    const uint32_t high = (is_short ? 0u : 0x00800000u) | (down ? 0u : 0x000f0000u) | size << 20 | c->present << 15 |
                          c->dpl << 13 | c->s << 12 | c->type << 8;
    return (uint64_t)high << 32 | (down ? 0 : 0xffff);
}

static inline unsigned seg_selector_of(const seg_case_t *c)
{
    if (c->place == SEG_NULL) return c->rpl;
    return (SEG_INDEX + (c->place == SEG_OUTSIDE ? 1u : 0u)) << 3 | c->local << 2 | c->rpl;
}

static inline unsigned seg_data_of(unsigned ring)
{
    return (0x10 + 16 * ring) | ring;
}

/* What ES holds before: what ring 0 alone may have, where that can be loaded. */
static inline unsigned seg_es_of(const seg_case_t *c)
{
    return seg_data_of(c->cpl ? 3 : 0);
}

/* ---- accesses through FS and SS, in ring 3 of protected mode ------------------------------ */

#define SEG_DATA UINT64_C(0x500000) /* where every access leads, if the segment allows it */

typedef struct seg_access {
    unsigned stack, type, granular, big, bytes, write;
    uint32_t limit, offset; /* of 20 bits, as it is in the descriptor; effective address */
} seg_access_t;

static inline uint32_t seg_limit_of(const seg_access_t *a)
{
    return a->granular ? a->limit << 12 | 0xfff : a->limit;
}

/* What a number says; false: it is no access. Offsets lie around 0, the limit, and the two upper ends. */
static inline bool seg_access_number(uint32_t n, seg_access_t *a)
{
    static const uint32_t limits[16] = {0,      1,      3,       0xf,     0x7fff,  0xffe,   0xfff,   0x1000,
                                        0xfffe, 0xffff, 0x10000, 0x1000f, 0x7ffff, 0xffffe, 0xfffff, 0xabcde};
    uint32_t point;
    a->type = n & 15;
    a->granular = n >> 4 & 1;
    a->big = n >> 5 & 1;
    a->bytes = 1u << (n >> 6 & 3);
    a->write = n >> 8 & 1;
    a->limit = limits[n >> 9 & 15];
    a->stack = n >> 19 & 1;
    point = (n >> 13 & 3) == 0 ? 0 : (n >> 13 & 3) == 1 ? seg_limit_of(a) : (n >> 13 & 3) == 2 ? 0xffff : 0xffffffff;
    a->offset = point + (n >> 15 & 15) - 10;
    if (a->type >= 8 && !(a->type & 2)) return false; /* execute-only code cannot be loaded */
    if (a->stack && (a->type & 10) != 2) return false;
    return a->bytes < 8 || a->write;
}

static inline uint64_t seg_access_descriptor(const seg_access_t *a)
{
    const uint32_t base = (uint32_t)SEG_DATA - a->offset;
    const uint32_t high = (base & 0xff000000) | a->granular << 23 | a->big << 22 | (a->limit & 0xf0000) | 0xf000 |
                          a->type << 8 | (base >> 16 & 0xff);
    return (uint64_t)high << 32 | base << 16 | (a->limit & 0xffff);
}

/* ---- accesses of 64-bit mode: which addresses are canonical, and whose fault it is --------- */

enum seg_way {
    SEG_BY_DS,
    SEG_BY_SS,
    SEG_BY_FS,
    SEG_BY_GS
};

typedef struct seg_long_access {
    unsigned way, bytes, write;
    uint64_t base, offset; /* of FS and GS; in the register */
} seg_long_access_t;

#define SEG_LONG_NUMBERS (1u << 15)

static inline void seg_long_number(uint32_t n, seg_long_access_t *a)
{
    static const uint64_t edges[8] = {0x0000800000000000, 0xffff800000000000, 0,          0x0001000000000000,
                                      0x8000000000000000, 0xfffe800000000000, 0x40000000, 0x0000400000000000};
    static const uint64_t bases[4] = {0, 0x00007ffffffff000, 0xffff800000000000, 0xfffffffffffffff8};
    a->way = n & 3;
    a->bytes = 1u << (n >> 2 & 3);
    a->write = n >> 4 & 1;
    a->base = a->way >= SEG_BY_FS ? bases[n >> 5 & 3] : 0;
    a->offset = edges[n >> 7 & 7] + (n >> 10 & 31) - 16 - ((n >> 5 & 3) == 1 ? a->base : 0);
}

#endif /* SEG_CASES_H */
