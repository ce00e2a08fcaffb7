/* The model against the kernel it runs on: random sequences of memory calls and accesses, on the host by real system
 * calls and on a machine of vmm.h; after each step both must look the same. See README.md beside this file.
 *
 *     host_diff [--sequences N] [--steps N] [--seed S] [--one N] [--verbose] [--differences N]
 *               [--self] [--mutation N] [--mutations] [--loose]
 *
 * --one runs only sequence N. --self compares the host with itself, which with --mutation is distorted; that is how the
 * comparison itself is tested; --mutations prints how many there are. --loose compares as on a
 * kernel before 6.16. Stops after 5 differences, or as many as said. The exit status is 0 without differences,
 * 1 with some, 2 when the comparison could not be made and 77 when this kernel does not allow it. */
#define _GNU_SOURCE
#include "ops.h"
#include "generate.h"
#ifndef NO_MODEL
#include "model.h"
#endif
#include "executor.h"

#include <time.h>

typedef struct settings {
    uint64_t sequences, seed, only;
    uint32_t steps, most;
    int mutation;
    bool one, self, verbose, loose;
} settings_t;

typedef struct tester {
    settings_t settings;
    features_t can;
    host_t host;
    outcome_t *first, *second; /* what the host and the other side did */
#ifndef NO_MODEL
    model_t model;
#endif
} tester_t;

/* -- comparing -- */

static bool say(char *why, const char *what, long long one, long long two)
{
    snprintf(why, TEXT_BYTES, "%s: %lld and %lld", what, one, two);
    return false;
}

static bool same_area(const area_seen_t *a, const area_seen_t *b, bool details, char *why)
{
    const unsigned mask = details ? 0xffffu : 0xfu;
    char words[60];
    if (a->first != b->first) return say(why, "an area begins at page", a->first, b->first);
    snprintf(words, sizeof words, "the area at p%u: ", a->first);
    why += snprintf(why, TEXT_BYTES, "%s", words);
    if (a->end != b->end) return say(why, "ends at page", a->end, b->end);
    if ((a->flags & mask) != (b->flags & mask)) {
        snprintf(why, TEXT_BYTES - sizeof words, "flags: %#x and %#x", a->flags & mask, b->flags & mask);
        return false;
    }
    if (a->object != b->object) return say(why, "object", a->object, b->object);
    if (a->object && a->offset != b->offset)
        return say(why, "offset in pages", (long long)a->offset, (long long)b->offset);
    if (!details) return true;
    for (int i = 0; i < DETAILS; i++)
        if (a->detail[i] != b->detail[i]) return say(why, detail_names[i], a->detail[i], b->detail[i]);
    return true;
}

static bool same_seen(const seen_t *a, const seen_t *b, char *why)
{
    const bool details = a->details && b->details;
    if (a->done != b->done) return say(why, "done", a->done, b->done);
    if (!a->done) return true;
    if (a->error != b->error) return say(why, "errno", a->error, b->error);
    if (a->value != b->value)
        return say(why, "value (pages of the window)", (long long)a->value / PAGE, (long long)b->value / PAGE);
    if (a->signal != b->signal) return say(why, "signal", a->signal, b->signal);
    if (a->code != b->code) return say(why, "si_code", a->code, b->code);
    if (a->address != b->address) return say(why, "si_addr", (long long)a->address, (long long)b->address);
    if (a->hash != b->hash) return say(why, "content", (long long)a->hash, (long long)b->hash);
    if (a->minor != b->minor) return say(why, "minor faults", a->minor, b->minor);
    for (uint32_t i = 0; i < a->areas && i < b->areas; i++)
        if (!same_area(&a->area[i], &b->area[i], details, why)) return false;
    if (a->areas != b->areas) return say(why, "areas", a->areas, b->areas);
    return true;
}

static bool same_last(const last_t *a, const last_t *b, char *why)
{
    if (a->done != b->done) return say(why, "alive at the end", a->done, b->done);
    if (!a->done) return true;
    if (!same_seen(&a->seen, &b->seen, why)) return false;
    for (uint32_t page = 0; page < WINDOW_PAGES; page++)
        if (a->page[page] != b->page[page]) {
            why += snprintf(why, TEXT_BYTES, "content of page %u: ", page);
            return say(why, "hash (1: bus error)", a->page[page], b->page[page]);
        }
    if (a->minor != b->minor) return say(why, "minor faults of reading everything", a->minor, b->minor);
    return true;
}

/* The first step at which the two differ; steps + p: process p at the end; -1: they agree. */
static int first_difference(const outcome_t *a, const outcome_t *b, char *why)
{
    if (a->broken || b->broken) {
        snprintf(why, TEXT_BYTES, "a side failed: %s", a->broken ? a->why : b->why);
        return 0;
    }
    for (uint32_t i = 0; i < a->steps; i++)
        if (!same_seen(&a->seen[i], &b->seen[i], why)) return (int)i;
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (!same_last(&a->last[i], &b->last[i], why)) return (int)a->steps + i;
    return -1;
}

static void copy_outcome(outcome_t *to, const outcome_t *from)
{
    to->steps = from->steps;
    to->broken = from->broken;
    memcpy(to->why, from->why, sizeof to->why);
    for (uint32_t i = 0; i < from->steps; i++) {
        const uint32_t areas = from->seen[i].done ? from->seen[i].areas : 0;
        memcpy(&to->seen[i], &from->seen[i], offsetof(seen_t, area) + areas * sizeof(area_seen_t));
    }
    for (int i = 0; i < MOST_PROCESSES; i++) {
        to->last[i].done = from->last[i].done;
        if (from->last[i].done) memcpy(&to->last[i], &from->last[i], sizeof to->last[i]);
    }
}

/* An area that allows nothing, with pages: their dirty marks are not compared (README.md). */
static bool parks(const sequence_t *sequence)
{
    for (uint32_t i = 0; i < sequence->steps; i++)
        if (sequence->op[i].kind == OP_MPROTECT && !sequence->op[i].protection) return true;
    return false;
}

static void forget_marks(seen_t *seen)
{
    for (uint32_t i = 0; seen->details && i < seen->areas; i++) {
        uint32_t *detail = seen->area[i].detail;
        detail[SHARED_CLEAN] += detail[SHARED_DIRTY];
        detail[PRIVATE_CLEAN] += detail[PRIVATE_DIRTY];
        detail[SHARED_DIRTY] = detail[PRIVATE_DIRTY] = 0;
    }
}

static void forget_all_marks(outcome_t *outcome)
{
    for (uint32_t i = 0; i < outcome->steps; i++)
        if (outcome->seen[i].done) forget_marks(&outcome->seen[i]);
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (outcome->last[i].done) forget_marks(&outcome->last[i].seen);
}

/* Neighbours that look alike become one, and what smaps says is forgotten: for kernels that merge less. */
static void join_areas(seen_t *seen)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seen->areas; i++) {
        area_seen_t *last = kept ? &seen->area[kept - 1] : NULL, *area = &seen->area[i];
        area->flags &= 0xf;
        if (last && last->end == area->first && last->flags == area->flags && last->object == area->object &&
            (!area->object || last->offset + last->end - last->first == area->offset))
            last->end = area->end;
        else seen->area[kept++] = *area;
    }
    seen->areas = kept;
    seen->details = 0;
    seen->minor = 0; /* faults around one end with the area */
}

static void join_all_areas(outcome_t *outcome)
{
    for (uint32_t i = 0; i < outcome->steps; i++)
        if (outcome->seen[i].done) join_areas(&outcome->seen[i]);
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (outcome->last[i].done) join_areas(&outcome->last[i].seen), outcome->last[i].minor = 0;
}

/* Runs a sequence on both sides. */
static int run_both(tester_t *t, const sequence_t *sequence, char *why)
{
    host_begin(&t->host, sequence, MUTATE_NOTHING);
#ifndef NO_MODEL
    if (!t->settings.self) model_run(&t->model, sequence, t->second);
#endif
    copy_outcome(t->first, host_end(&t->host));
    if (t->settings.self) {
        host_begin(&t->host, sequence, t->settings.mutation);
        copy_outcome(t->second, host_end(&t->host));
    }
    if (parks(sequence)) {
        forget_all_marks(t->first);
        forget_all_marks(t->second);
    }
    if (!t->can.merges) {
        join_all_areas(t->first);
        join_all_areas(t->second);
    }
    return first_difference(t->first, t->second, why);
}

/* -- making a failing sequence short -- */

static bool still_differs(tester_t *t, sequence_t *sequence)
{
    char why[2 * TEXT_BYTES];
    const int at = run_both(t, sequence, why);
    if (at < 0) return false;
    if ((uint32_t)at + 1 < sequence->steps) sequence->steps = (uint32_t)at + 1;
    return true;
}

static bool without(tester_t *t, sequence_t *sequence, uint32_t from, uint32_t count)
{
    static sequence_t shorter;
    memcpy(&shorter, sequence, sizeof shorter);
    if (from + count > shorter.steps) return false;
    memmove(&shorter.op[from], &shorter.op[from + count], (shorter.steps - from - count) * sizeof(op_t));
    shorter.steps -= count;
    if (!still_differs(t, &shorter)) return false;
    memcpy(sequence, &shorter, sizeof shorter);
    return true;
}

/* Tries a simpler form of a step; way counts the forms. */
static bool simpler(const op_t *from, op_t *to, int way)
{
    *to = *from;
    switch (way) {
    case 0: to->bytes = from->bytes > PAGE && from->bytes < WINDOW_BYTES ? PAGE : from->bytes; break;
    case 1: to->bytes = from->bytes > 2 * PAGE && from->bytes < WINDOW_BYTES ? 2 * PAGE : from->bytes; break;
    case 2:
        to->bytes = from->bytes > 2 * PAGE && from->bytes < WINDOW_BYTES ? from->bytes / 2 / PAGE * PAGE : from->bytes;
        break;
    case 3: to->bytes = from->bytes < WINDOW_BYTES ? (from->bytes + PAGE - 1) / PAGE * PAGE : from->bytes; break;
    case 4:
        if (from->kind == OP_MMAP) to->flags &= ~(uint32_t)(FLAG_LOCKED | FLAG_NORESERVE | FLAG_GROWSDOWN);
        break;
    case 5:
        if (from->kind == OP_MMAP) to->flags &= ~(uint32_t)FLAG_POPULATE;
        break;
    case 6:
        if (from->kind == OP_MMAP) to->protection = PROT_R | PROT_W;
        break;
    case 7: to->offset = from->kind == OP_MMAP ? 0 : from->offset; break;
    case 8: to->who = 0; break;
    case 9:
        if (from->kind == OP_READ || from->kind == OP_WRITE) to->bytes = 1;
        break;
    case 10:
        if (from->kind == OP_MMAP) to->object = 0, to->flags |= FLAG_ANONYMOUS, to->offset = 0;
        break;
    case 11:
        to->bytes_new = from->bytes_new > PAGE && from->bytes_new < WINDOW_BYTES ? from->bytes_new / 2 / PAGE * PAGE
                                                                                 : from->bytes_new;
        break;
    default: return false;
    }
    return true;
}

static void shrink(tester_t *t, sequence_t *sequence)
{
    static sequence_t trial;
    memcpy(&trial, sequence, sizeof trial);
    memset(trial.limit, 0, sizeof trial.limit);
    if (still_differs(t, &trial)) memcpy(sequence, &trial, sizeof trial);
    for (int round = 0; round < 4; round++) {
        bool better = false;
        for (uint32_t count = sequence->steps / 2; count; count /= 2)
            for (uint32_t from = sequence->steps; from-- > 0;)
                if (from < sequence->steps && without(t, sequence, from, count)) better = true;
        for (uint32_t i = 0; i < sequence->steps; i++) {
            op_t changed;
            for (int way = 0; i < sequence->steps && simpler(&sequence->op[i], &changed, way); way++) {
                if (memcmp(&changed, &sequence->op[i], sizeof changed) == 0 || !is_inside(&changed)) continue;
                memcpy(&trial, sequence, sizeof trial);
                trial.op[i] = changed;
                if (!still_differs(t, &trial)) continue;
                memcpy(sequence, &trial, sizeof trial);
                better = true;
            }
        }
        if (!better) break;
    }
}

/* -- telling -- */

static void print_seen(const char *name, const seen_t *seen)
{
    printf("        %s: ", name);
    if (!seen->done) {
        printf("left out\n");
        return;
    }
    if (seen->error) printf("errno %d (%s)", seen->error, strerror(seen->error));
    else if (seen->value % PAGE == 0) printf("p%lld", (long long)seen->value / PAGE);
    else printf("%lld", (long long)seen->value);
    if (seen->signal)
        printf(", signal %u code %u at p%lld+%lld", seen->signal, seen->code, (long long)seen->address / PAGE,
               (long long)seen->address % PAGE);
    if (seen->hash) printf(", content %llx", (unsigned long long)seen->hash);
    printf(", %u minor faults\n", seen->minor);
}

static void print_areas(const char *name, const seen_t *seen)
{
    printf("    areas, %s:\n", name);
    for (uint32_t i = 0; i < seen->areas; i++) {
        const area_seen_t *a = &seen->area[i];
        printf("        p%-3u to p%-3u %c%c%c%c object %u", a->first, a->end, a->flags & SEEN_R ? 'r' : '-',
               a->flags & SEEN_W ? 'w' : '-', a->flags & SEEN_X ? 'x' : '-', a->flags & SEEN_SHARED ? 's' : 'p',
               a->object);
        if (a->object) printf(" page %llu", (unsigned long long)a->offset);
        if (seen->details) {
            printf(" flags %#x", a->flags);
            for (int k = 0; k < DETAILS; k++)
                if (a->detail[k]) printf(" %s %u", detail_names[k], a->detail[k]);
        }
        printf("\n");
    }
}

static void print_difference(const tester_t *t, const sequence_t *sequence, int at, const char *why, bool all)
{
    char text[TEXT_BYTES];
    const char *const other = t->settings.self ? "host again" : "model";
    const uint32_t last = (uint32_t)at < sequence->steps ? (uint32_t)at : sequence->steps - 1;
    for (int i = 0; i < LIMITS; i++)
        if (sequence->limit[i]) printf("    with %s of %u more pages\n", limit_names[i], sequence->limit[i]);
    for (uint32_t i = 0; i <= last && sequence->steps; i++) {
        printf("    %2u  %s\n", i, op_text(text, &sequence->op[i]));
        if (!all && i != (uint32_t)at) continue;
        print_seen("host", &t->first->seen[i]);
        print_seen(other, &t->second->seen[i]);
    }
    if (at < 0) return;
    printf("    %s\n", why);
    if ((uint32_t)at < sequence->steps) {
        if (at > 0 && sequence->op[at - 1].who == sequence->op[at].who) print_areas("before", &t->first->seen[at - 1]);
        print_areas("host", &t->first->seen[at]);
        print_areas(other, &t->second->seen[at]);
    } else {
        const int who = at - (int)sequence->steps;
        printf("    at the end, process %d\n", who);
        print_areas("host", &t->first->last[who].seen);
        print_areas(other, &t->second->last[who].seen);
    }
}

/* True: no difference. */
static bool run_sequence(tester_t *t, uint64_t number)
{
    static sequence_t sequence;
    char why[2 * TEXT_BYTES];
    int at;
    generate_sequence(&sequence, t->settings.seed, number, t->settings.steps, &t->can);
    sequence.details_every = 5;
    at = run_both(t, &sequence, why);
    if (at < 0) {
        if (t->settings.verbose) print_difference(t, &sequence, at, why, true);
        return true;
    }
    printf("sequence %llu of seed %llu differs at step %d: %s\n", (unsigned long long)number,
           (unsigned long long)t->settings.seed, at, why);
    if (t->settings.verbose && t->settings.one) print_difference(t, &sequence, at, why, true);
    if ((uint32_t)at + 1 < sequence.steps) sequence.steps = (uint32_t)at + 1;
    sequence.details_every = 1;
    if (run_both(t, &sequence, why) < 0) sequence.details_every = 5;
    shrink(t, &sequence);
    at = run_both(t, &sequence, why);
    if (at < 0) printf("    the shortened sequence does not differ any more: a side is not deterministic\n");
    printf("  shortened to %u steps:\n", sequence.steps);
    print_difference(t, &sequence, at, why, true);
    fflush(stdout);
    return false;
}

/* -- what this kernel can do -- */

static bool has_advice(int advice)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool has = page != MAP_FAILED && madvise(page, PAGE, advice) == 0;
    if (page != MAP_FAILED) munmap(page, PAGE);
    return has;
}

/* Whether mremap moves several areas at once (Linux 6.17). */
static bool moves_many(void)
{
    char *at = (char *)mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool many;
    if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_READ)) return false;
    many = mremap(at, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 4 * PAGE) != MAP_FAILED;
    munmap(at, 8 * PAGE);
    return many;
}

/* Whether an area that has pages merges with a neighbour that has none (Linux 6.16). Only one area can be made
 * longer. */
static bool merges_areas(void)
{
    char *at = (char *)mmap(NULL, 6 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool one;
    if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_READ)) return false;
    if (mprotect(at + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE)) return false;
    *(volatile char *)(at + 2 * PAGE) = 1;
    if (mprotect(at + 2 * PAGE, PAGE, PROT_READ)) return false;
    one = mremap(at + PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED;
    munmap(at, 6 * PAGE);
    return one;
}

static uint32_t fault_around_pages(void)
{
    unsigned long bytes = 65536;
    FILE *file = fopen("/sys/kernel/debug/fault_around_bytes", "r");
    if (file && fscanf(file, "%lu", &bytes) != 1) bytes = 65536;
    if (file) fclose(file);
    return bytes < PAGE ? 1 : (uint32_t)(bytes / PAGE);
}

static void probe(tester_t *t)
{
    struct rlimit locked = {0, 0};
    features_t *can = &t->can;
    can->huge = has_advice(MADV_HUGEPAGE);
    can->mergeable = has_advice(MADV_MERGEABLE);
    getrlimit(RLIMIT_MEMLOCK, &locked);
    can->lock = locked.rlim_cur >= WINDOW_BYTES;
    can->limits = t->host.shared->has_limits;
    can->brk = t->host.shared->has_break;
    can->fetch = true;
    can->fault_around = fault_around_pages();
    can->move_many = moves_many();
    can->merges = t->settings.self || (merges_areas() && !t->settings.loose);
    can->locked = locked.rlim_cur == RLIM_INFINITY ? 0 : locked.rlim_cur;
    t->host.shared->can = *can;
}

static void print_features(const tester_t *t)
{
    const features_t *can = &t->can;
    char release[80] = "?";
    FILE *file = fopen("/proc/sys/kernel/osrelease", "r");
    if (file && fscanf(file, "%79s", release) != 1) release[0] = '?';
    if (file) fclose(file);
    printf("kernel %s, compared: system calls, signals, contents, fork", release);
    printf("%s", can->merges ? ", mremap, areas, minor faults, smaps" : ", areas but where one becomes the next");
    printf("%s%s%s", can->limits ? ", limits" : "", can->brk ? ", brk" : "", can->lock ? ", locking" : "");
    printf("%s%s", can->huge ? ", huge-page advice" : "", can->mergeable ? ", mergeable" : "");
    printf("%s; fault-around of %u pages\n", can->merges && can->move_many ? ", moving several areas" : "",
           can->fault_around);
}

static bool read_settings(settings_t *s, int count, char **words)
{
    s->sequences = 2000, s->steps = 50, s->seed = 1, s->most = 5;
    for (int i = 1; i < count; i++) {
        const char *word = words[i], *value = i + 1 < count ? words[i + 1] : "";
        if (!strcmp(word, "--mutations")) printf("%d\n", MUTATE_KINDS - 1), exit(0);
        else if (!strcmp(word, "--verbose")) s->verbose = true;
        else if (!strcmp(word, "--self")) s->self = true;
        else if (!strcmp(word, "--loose")) s->loose = true;
        else if (!*value) return false;
        else if (!strcmp(word, "--sequences")) s->sequences = strtoull(value, NULL, 0), i++;
        else if (!strcmp(word, "--steps")) s->steps = (uint32_t)strtoul(value, NULL, 0), i++;
        else if (!strcmp(word, "--seed")) s->seed = strtoull(value, NULL, 0), i++;
        else if (!strcmp(word, "--differences")) s->most = (uint32_t)strtoul(value, NULL, 0), i++;
        else if (!strcmp(word, "--mutation")) s->mutation = atoi(value), i++;
        else if (!strcmp(word, "--one")) s->one = true, s->only = strtoull(value, NULL, 0), i++;
        else return false;
    }
    return s->steps >= 1 && s->steps <= MOST_STEPS && s->mutation >= 0 && s->mutation < MUTATE_KINDS;
}

int main(int count, char **words)
{
    static tester_t t;
    uint64_t done = 0, differences = 0;
    if (!read_settings(&t.settings, count, words)) {
        fprintf(stderr,
                "usage: %s [--sequences N] [--steps N] [--seed S] [--one N] [--verbose] [--differences N] [--self] "
                "[--mutation N]\n",
                words[0]);
        return 2;
    }
#ifdef NO_MODEL
    t.settings.self = true;
#endif
    make_files();
    if (!host_open(&t.host)) return 77;
    probe(&t);
    print_features(&t);
    t.first = (outcome_t *)malloc(sizeof *t.first);
    t.second = (outcome_t *)malloc(sizeof *t.second);
    if (!t.first || !t.second) return 2;
#ifndef NO_MODEL
    if (!t.settings.self && !model_open(&t.model, &t.can)) return 2;
#endif
    if (t.settings.one) t.settings.sequences = t.settings.only + 1;
    for (uint64_t i = t.settings.only; i < t.settings.sequences; i++) {
        done++;
        if (!run_sequence(&t, i) && ++differences >= t.settings.most) break;
    }
    host_close(&t.host);
    printf("%llu sequences, %llu steps, %llu differences\n", (unsigned long long)done,
           (unsigned long long)done * t.settings.steps, (unsigned long long)differences);
    return differences ? 1 : 0;
}
