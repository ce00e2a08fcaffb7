/* machine.h - what every guest and every host of tests/machine/ needs.
 *
 * A list of cases (ARCH_cases.h) is compiled twice. The guest (ARCH_guest.c) runs on QEMU and makes each access on
 * the machine's own MMU; the host (ARCH_host.c) makes it on ours. Both go through the list in the same order on the
 * same content of the same physical memory, so nothing but outcomes has to be told: one line a case.
 *
 *     = 1234                  done; the value read
 *     d 80001000              a fault, its code, and the address that it told
 *     = 1234 0:20200cf 3:1    ... and the words of the scene that the access changed, by number
 *     #sum 5eb63bbb           what lies in a range of memory now
 *     #group canonical edges  a new part of the list begins
 *     #end                    the list is through
 *
 * All numbers are hexadecimal. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- scene: the words that an access may change ------------------------------------------ */

#define MACHINE_WORDS 160

typedef struct machine_word {
    uint64_t paddr;
    unsigned bytes;
    uint64_t before, after;
} machine_word_t;

/* Physical memory, and the words in it (entries of tables, data) that are looked at after an access. */
typedef struct machine_scene {
    uint8_t *ram;  /* where this program sees physical `base` */
    uint64_t base; /* of all physical memory that the list touches */
    unsigned words;
    machine_word_t word[MACHINE_WORDS];
} machine_scene_t;

typedef struct machine_outcome {
    uint32_t code;    /* 0: done; else the architecture's code of the fault */
    uint64_t address; /* that the fault told */
    uint64_t value;   /* read, when done */
} machine_outcome_t;

/* Little-endian, as all these machines are. An entry is read and written in one piece where it can be. */
static inline uint64_t machine_peek(const machine_scene_t *s, uint64_t paddr, unsigned bytes)
{
    const volatile uint8_t *at = s->ram + (size_t)(paddr - s->base);
    switch (bytes) {
    case 1: return *at;
    case 2: return *(const volatile uint16_t *)(const volatile void *)at;
    case 4: return *(const volatile uint32_t *)(const volatile void *)at;
    default: return *(const volatile uint64_t *)(const volatile void *)at;
    }
}

static inline void machine_poke(machine_scene_t *s, uint64_t paddr, unsigned bytes, uint64_t value)
{
    volatile uint8_t *at = s->ram + (size_t)(paddr - s->base);
    switch (bytes) {
    case 1: *at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)(volatile void *)at = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)(volatile void *)at = (uint32_t)value; break;
    default: *(volatile uint64_t *)(volatile void *)at = value; break;
    }
}

/* Looks at an aligned word from now on; one that is looked at already keeps its number. */
static inline void machine_watch(machine_scene_t *s, uint64_t paddr, unsigned bytes)
{
    unsigned i;
    for (i = 0; i < s->words; i++)
        if (s->word[i].paddr == paddr) return;
    if (s->words == MACHINE_WORDS) __builtin_trap();
    s->word[s->words].paddr = paddr;
    s->word[s->words++].bytes = bytes;
}

static inline void machine_before(machine_scene_t *s)
{
    unsigned i;
    for (i = 0; i < s->words; i++) s->word[i].before = machine_peek(s, s->word[i].paddr, s->word[i].bytes);
}

static inline void machine_after(machine_scene_t *s)
{
    unsigned i;
    for (i = 0; i < s->words; i++) s->word[i].after = machine_peek(s, s->word[i].paddr, s->word[i].bytes);
}

/* Of the 32-bit words in a range; order counts. */
static inline uint32_t machine_sum(const machine_scene_t *s, uint64_t paddr, uint64_t bytes)
{
    const uint32_t *at = (const uint32_t *)(const void *)(s->ram + (size_t)(paddr - s->base));
    const uint32_t *const end = at + (size_t)bytes / 4;
    uint32_t sum = 1;
    __asm__ volatile("" ::: "memory");
    for (; at < end; at++) sum = (sum ^ *at) * 16777619u; /* the FNV prime */
    return sum;
}

/* ---- chance, the same on both sides ------------------------------------------------------ */
/* One draw in an expression, or among the arguments of a call: two come in an order that compilers choose. */

/* The generator SplitMix64. */
static inline uint64_t machine_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Less than n, which is at most 2^32. A 32-bit guest has no cheap division of 64 bits. */
static inline uint32_t machine_below(uint64_t *seed, uint64_t n)
{
    return (uint32_t)(((machine_random(seed) >> 32) * n) >> 32);
}

static inline bool machine_chance(uint64_t *seed, unsigned percent)
{
    return machine_below(seed, 100) < percent;
}

#if !__STDC_HOSTED__
/* ---- guest: output ----------------------------------------------------------------------- */

/* Each guest's own: hands text to the file that the host reads. */
static void machine_out(const char *text, size_t bytes);

static char machine_buffer[4096];
static size_t machine_buffered;

static inline void machine_flush_output(void)
{
    machine_out(machine_buffer, machine_buffered);
    machine_buffered = 0;
}

static inline void machine_text(const char *text)
{
    for (; *text; text++) {
        if (machine_buffered == sizeof machine_buffer) machine_flush_output();
        machine_buffer[machine_buffered++] = *text;
    }
}

static inline void machine_hex(uint64_t value)
{
    char digits[17], *at = digits + 16;
    *at = 0;
    do *--at = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    machine_text(at);
}

/* The line of a case, after machine_after(). */
static inline void machine_tell(const machine_scene_t *s, const machine_outcome_t *o)
{
    unsigned i;
    if (o->code) machine_hex(o->code);
    else machine_text("=");
    machine_text(" ");
    machine_hex(o->code ? o->address : o->value);
    for (i = 0; i < s->words; i++) {
        if (s->word[i].after == s->word[i].before) continue;
        machine_text(" ");
        machine_hex(i);
        machine_text(":");
        machine_hex(s->word[i].after);
    }
    machine_text("\n");
}

static inline void machine_tell_sum(uint32_t sum)
{
    machine_text("#sum ");
    machine_hex(sum);
    machine_text("\n");
}

static inline void machine_tell_group(const char *name)
{
    machine_text("#group ");
    machine_text(name);
    machine_text("\n");
}

/* What compilers call. The empty statements keep them from making calls of these loops to these functions. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
        __asm__ volatile("");
    }
    return to;
}
void *memset(void *to, int value, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = (uint8_t)value;
        __asm__ volatile("");
    }
    return to;
}

#else
/* ---- host: reading what the guest told, and totals --------------------------------------- */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE_LEAST 5000 /* cases of a mode */

/* One thing that a machine is known to do wrong; the manual wins. */
typedef struct machine_known {
    const char *reason;
    unsigned long cases;
} machine_known_t;

typedef struct machine_totals {
    FILE *file;        /* what the guest told */
    unsigned number;   /* of the mode's line of TAP */
    const char *group; /* the part of the list that is under way */
    unsigned long cases, agree, known, wrong;
    char line[4096]; /* the last one read */
} machine_totals_t;

/* The next line, without its end. A guest that stopped early is the end of the test. */
static inline const char *machine_line(machine_totals_t *t)
{
    if (!fgets(t->line, sizeof t->line, t->file)) {
        printf("not ok %u - the guest told all of its cases\n# it stopped after %lu, in the group \"%s\"\n", t->number,
               t->cases, t->group ? t->group : "none");
        exit(1);
    }
    t->line[strcspn(t->line, "\r\n")] = 0;
    return t->line;
}

/* Reads the line of a case: the outcome, and into `after` of the words what the machine left there. */
static inline machine_outcome_t machine_told(machine_totals_t *t, machine_scene_t *s)
{
    machine_outcome_t o = {0, 0, 0};
    const char *line = machine_line(t);
    char *at = (char *)(uintptr_t)line;
    uint64_t number;
    unsigned i;
    if (*line == '#') {
        printf("not ok %u - guest and host go through the same list\n# case %lu met \"%s\"\n", t->number, t->cases,
               line);
        exit(1);
    }
    if (*at == '=') at++;
    else o.code = (uint32_t)strtoul(at, &at, 16);
    number = strtoull(at, &at, 16);
    if (o.code) o.address = number;
    else o.value = number;
    for (i = 0; i < s->words; i++) s->word[i].after = s->word[i].before;
    while (*at) {
        i = (unsigned)strtoul(at, &at, 16);
        if (*at++ != ':' || i >= s->words) break;
        s->word[i].after = strtoull(at, &at, 16);
    }
    return o;
}

/* Expects a line that begins with `what` and goes on with `rest`. */
static inline void machine_expect(machine_totals_t *t, const char *what, const char *rest)
{
    const char *line = machine_line(t);
    const size_t n = strlen(what);
    if (strncmp(line, what, n) == 0 && strcmp(line + n, rest) == 0) return;
    if (t->wrong++ < 10)
        printf("# after case %lu of \"%s\": expected \"%s%s\", the guest told \"%s\"\n", t->cases, t->group, what, rest,
               line);
}

static inline void machine_expect_group(machine_totals_t *t, const char *name)
{
    t->group = name;
    machine_expect(t, "#group ", name);
}

static inline void machine_expect_sum(machine_totals_t *t, uint32_t sum)
{
    char text[16];
    snprintf(text, sizeof text, "%" PRIx32, sum);
    machine_expect(t, "#sum ", text);
}

/* The line of TAP for a mode, and the table of what is known to be wrong. Returns the exit status. */
static inline int machine_conclude(const machine_totals_t *t, unsigned number, const char *mode,
                                   const machine_known_t *known, unsigned kinds)
{
    const bool good = t->wrong == 0 && t->cases >= MACHINE_LEAST;
    unsigned i, reasons = 0;
    for (i = 0; i < kinds; i++) reasons += known[i].cases != 0;
    printf("%s %u - %s: %lu cases, %lu agree, %lu known to be wrong in QEMU (%u reasons)", good ? "ok" : "not ok",
           number, mode, t->cases, t->agree, t->known, reasons);
    if (t->wrong) printf(", %lu differ", t->wrong);
    printf("\n");
    for (i = 0; i < kinds; i++)
        if (known[i].cases) printf("# %6lu  %s\n", known[i].cases, known[i].reason);
    return good ? 0 : 1;
}
#endif                     /* __STDC_HOSTED__ */
#endif                     /* MACHINE_H */
