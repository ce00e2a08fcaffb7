/* oracle.h - what the comparisons with Unicorn share: the same RAM twice, a case and what came of it on either side,
 * and the count of what agrees and of what is known to be wrong in Unicorn. */
#ifndef ORACLE_H
#define ORACLE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "vmm.h"

#ifndef RAM_WORDS
#error "RAM_WORDS: how large RAM may be, in words of 64 bits"
#endif
#define PAGE 4096u
#define CODE UINT64_C(0x10000000) /* Unicorn's own code, outside the RAM window */

/* How an access ended. */
enum ending {
    ENDED_DONE,
    ENDED_FAULT,  /* an exception of the processor; which is in `cause` */
    ENDED_ABSENT, /* translated, and nothing is there: Unicorn says so, whatever the processor would do */
    ENDED_LOST    /* Unicorn alone: it ran what is no code, or has another complaint; which is in `cause` */
};

typedef struct outcome {
    unsigned ending, cause;
    uint64_t value; /* what was loaded or fetched; of a fault: the address, where Unicorn tells it */
} outcome_t;

typedef struct access {
    unsigned kind, bytes; /* enum vmm_access; 1, 2, 4 or 8 */
    vmm_vaddr_t va;
    uint64_t value; /* what is stored */
} access_t;

/* NAME_access: any access through an MMU that VMM_MMU made. */
#define ORACLE_WIDTH(NAME, bits)                                                                                       \
    static vmm_status_t NAME##_access##bits(NAME##_mmu_t *mmu, const access_t *a, uint64_t *value)                     \
    {                                                                                                                  \
        uint##bits##_t got = 0;                                                                                        \
        const vmm_status_t status = a->kind == VMM_READ    ? NAME##_load##bits(mmu, a->va, &got)                       \
                                    : a->kind == VMM_WRITE ? NAME##_store##bits(mmu, a->va, (uint##bits##_t)a->value)  \
                                                           : NAME##_fetch##bits(mmu, a->va, &got);                     \
        *value = got;                                                                                                  \
        return status;                                                                                                 \
    }
#define ORACLE_ACCESS(NAME)                                                                                            \
    ORACLE_WIDTH(NAME, 8)                                                                                              \
    ORACLE_WIDTH(NAME, 16)                                                                                             \
    ORACLE_WIDTH(NAME, 32)                                                                                             \
    ORACLE_WIDTH(NAME, 64)                                                                                             \
    static vmm_status_t NAME##_access(NAME##_mmu_t *mmu, const access_t *a, uint64_t *value)                           \
    {                                                                                                                  \
        switch (a->bytes) {                                                                                            \
        case 1: return NAME##_access8(mmu, a, value);                                                                  \
        case 2: return NAME##_access16(mmu, a, value);                                                                 \
        case 4: return NAME##_access32(mmu, a, value);                                                                 \
        default: return NAME##_access64(mmu, a, value);                                                                \
        }                                                                                                              \
    }

/* Why Unicorn may differ: the manual wins, and this is the list. */
typedef struct reason {
    const char *text;
    unsigned long count;
} reason_t;

static uint64_t ours[RAM_WORDS], theirs[RAM_WORDS]; /* the same RAM twice */
static size_t ram_words = RAM_WORDS;                /* of which this many are used */
static uint64_t seed = 1;
static uc_engine *uc;
static uc_context *fresh;                  /* the processor as it was before the first case */
static unsigned told_vector;               /* the exception that Unicorn told */
static unsigned long cases, agreed, known; /* of the mode at hand */
static unsigned long endings[4];           /* of the same, as vmm has them */
static unsigned tests, failures;

#define NO_VECTOR 0xffffffffu

/* xorshift64: the same numbers in every run. */
static inline uint64_t noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* The seed, when the program's first argument is one. */
static inline void take_seed(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 0) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static inline uint64_t below(uint64_t n)
{
    return noise() % n;
}

static inline bool chance(unsigned percent)
{
    return below(100) < percent;
}

static void must(uc_err error, const char *what)
{
    if (error == UC_ERR_OK) return;
    printf("Bail out! Unicorn, %s: %s\n", what, uc_strerror(error));
    exit(1);
}

static inline void set_register(int name, uint64_t value)
{
    must(uc_reg_write(uc, name, &value), "writing a register");
}

static inline uint64_t get_register(int name)
{
    uint64_t value = 0;
    must(uc_reg_read(uc, name, &value), "reading a register");
    return value;
}

static void on_exception(uc_engine *engine, uint32_t vector, void *user)
{
    (void)user;
    told_vector = vector;
    uc_emu_stop(engine);
}

/* A processor with the RAM `theirs` at `base` and `code` at CODE. Its state is what every case begins with. */
static void open_unicorn(uc_arch arch, uc_mode mode, int model, uint64_t base, const void *code, size_t bytes)
{
    union {
        void (*function)(uc_engine *engine, uint32_t vector, void *user);
        void *pointer;
    } callback;
    uc_hook hook;
    callback.function = on_exception;
    must(uc_open(arch, mode, &uc), "open");
    if (model >= 0) must(uc_ctl_set_cpu_model(uc, model), "the model");
    must(uc_mem_map(uc, CODE, PAGE, UC_PROT_ALL), "code");
    must(uc_mem_write(uc, CODE, code, bytes), "code");
    must(uc_mem_map_ptr(uc, base, 8 * ram_words, UC_PROT_ALL, theirs), "RAM");
    must(uc_hook_add(uc, &hook, UC_HOOK_INTR, callback.pointer, NULL, 1, 0), "the hook");
    must(uc_context_alloc(uc, &fresh), "the context");
    must(uc_context_save(uc, fresh), "the context");
}

/* Runs from `start` until `end`, an exception, or memory that is not there; at most a few instructions. */
static outcome_t run_unicorn(uint64_t start, uint64_t end)
{
    outcome_t o = {ENDED_DONE, 0, 0};
    uc_err error;
    told_vector = NO_VECTOR;
    error = uc_emu_start(uc, start, end, 0, 64);
    if (told_vector != NO_VECTOR) {
        o.ending = ENDED_FAULT;
        o.cause = told_vector;
    } else if (error == UC_ERR_READ_UNMAPPED || error == UC_ERR_WRITE_UNMAPPED || error == UC_ERR_FETCH_UNMAPPED) {
        o.ending = ENDED_ABSENT;
    } else if (error != UC_ERR_OK) {
        o.ending = ENDED_LOST;
        o.cause = (unsigned)error;
    }
    return o;
}

static inline unsigned log2_of(unsigned bytes)
{
    return bytes == 8 ? 3 : bytes >> 1;
}

/* Whether an access lies in two pages. */
static inline bool crosses(const access_t *a, uint64_t page)
{
    return (a->va & (page - 1)) + a->bytes > page;
}

static const char *access_name(unsigned kind)
{
    return kind == VMM_WRITE ? "store" : kind == VMM_FETCH ? "fetch" : "load";
}

static void print_outcome(const char *who, const outcome_t *o)
{
    static const char *const names[] = {"done", "fault", "nothing there", "lost"};
    printf("#   %-8s %s, cause %u, value %" PRIx64 "\n", who, names[o->ending], o->cause, o->value);
}

/* Where RAM differs. */
static void print_memory(uint64_t base)
{
    size_t i;
    for (i = 0; i < ram_words; i++)
        if (ours[i] != theirs[i])
            printf("#   at %" PRIx64 " vmm has %016" PRIx64 ", Unicorn %016" PRIx64 "\n", base + 8 * i, ours[i],
                   theirs[i]);
}

/* Counts a case. A difference without a reason is printed, the first few of a mode. */
static void judge(uint64_t base, const access_t *a, const outcome_t *vmm, const outcome_t *unicorn, reason_t *why)
{
    const bool same = vmm->ending == unicorn->ending && vmm->cause == unicorn->cause && vmm->value == unicorn->value &&
                      !memcmp(ours, theirs, 8 * ram_words);
    cases++;
    endings[vmm->ending]++;
    if (same) {
        agreed++;
        return;
    }
    if (why) {
        known++;
        why->count++;
    } else if (cases - agreed - known <= 3) {
        printf("# case %lu: %s of %u bytes at %016" PRIx64 "\n", cases, access_name(a->kind), a->bytes, a->va);
        print_outcome("vmm", vmm);
        print_outcome("Unicorn", unicorn);
        print_memory(base);
    }
    memcpy(theirs, ours, 8 * ram_words);
}

/* The TAP line of a mode, and its known wrongs. At least `least` cases have to have been made. */
static void tell_mode(const char *name, unsigned long least, reason_t *reasons, size_t count)
{
    const bool good = cases >= least && agreed + known == cases;
    size_t i, used = 0;
    for (i = 0; i < count; i++) used += reasons[i].count != 0;
    failures += !good;
    printf("%s %u - %s: %lu cases, %lu agree, %lu known to be wrong in Unicorn (%zu reasons)\n", good ? "ok" : "not ok",
           ++tests, name, cases, agreed, known, used);
    printf("#   %6lu done, %lu faults, %lu with nothing there\n", endings[0], endings[1], endings[2]);
    for (i = 0; i < count; i++) {
        if (reasons[i].count) printf("#   %6lu  %s\n", reasons[i].count, reasons[i].text);
        reasons[i].count = 0;
    }
    cases = agreed = known = 0;
    memset(endings, 0, sizeof endings);
}

#endif /* ORACLE_H */
