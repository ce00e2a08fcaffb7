/* Allocation traces: the textual `.rep` form, read into an array.
 *
 * One operation a line: `a ID SIZE` allocates a block, `r ID SIZE` reallocates it, `f ID` frees it; a line
 * that begins with # is a comment. An ID names one live block and may be used again when that is freed.
 * rep_read refuses a trace that allocates a live ID or touches a dead one, so who replays need not check.
 * What the recorded program left allocated at its end is freed by operations appended here, so that a trace
 * can be replayed any number of times. Usable from C11 and from C++17. */
#ifndef REP_H
#define REP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REP_MAX_IDS (1u << 20)

enum rep_kind {
    REP_ALLOCATE,
    REP_REALLOCATE,
    REP_FREE
};

typedef struct {
    uint32_t kind; /* one of rep_kind */
    uint32_t id;   /* less than rep_trace_t.ids */
    uint32_t size; /* bytes; of REP_FREE: 0 */
    uint32_t old;  /* bytes before the operation; of REP_ALLOCATE: 0 */
} rep_op_t;

typedef struct {
    uint64_t count;    /* operations, recorded <= count: with the appended frees */
    uint64_t recorded; /* operations that the file has */
    uint64_t ids;      /* one more than the largest ID */
    uint64_t peak;     /* largest sum of the live blocks' sizes, in bytes */
    uint64_t at_peak;  /* index of the operation that first reached it */
} rep_facts_t;

typedef struct {
    rep_facts_t facts;
    rep_op_t *op; /* facts.count of them, from malloc */
} rep_trace_t;

/* What rep_read keeps while it reads. size[id] is 1 more than the live block's size, 0 for a dead ID. */
typedef struct {
    rep_trace_t *trace;
    uint64_t *size;
    uint64_t room, live;
} rep_reader_t;

/* A number of at most 32 bits, preceded by one space; NULL: there is none. */
static inline const char *rep_number(const char *at, uint32_t *value)
{
    uint64_t sum = 0;
    if (*at++ != ' ' || *at < '0' || *at > '9') return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        sum = sum * 10 + (uint64_t)(*at - '0');
        if (sum > UINT32_MAX) return NULL;
    }
    *value = (uint32_t)sum;
    return at;
}

/* 1: appended; 0: the operation contradicts the ones before it, or memory ran out. */
static inline int rep_append(rep_reader_t *reader, rep_op_t op)
{
    rep_facts_t *facts = &reader->trace->facts;
    if (op.id >= REP_MAX_IDS || (reader->size[op.id] != 0) == (op.kind == REP_ALLOCATE)) return 0;
    if (facts->count == reader->room) {
        rep_op_t *more;
        reader->room = reader->room ? reader->room * 2 : 4096;
        more = (rep_op_t *)realloc(reader->trace->op, (size_t)reader->room * sizeof *more);
        if (!more) return 0;
        reader->trace->op = more;
    }
    op.old = op.kind == REP_ALLOCATE ? 0 : (uint32_t)(reader->size[op.id] - 1);
    reader->size[op.id] = op.kind == REP_FREE ? 0 : (uint64_t)op.size + 1;
    reader->live += (uint64_t)op.size - op.old;
    reader->trace->op[facts->count++] = op;
    if (op.id >= facts->ids) facts->ids = op.id + 1;
    if (reader->live > facts->peak) {
        facts->peak = reader->live;
        facts->at_peak = facts->count - 1;
    }
    return 1;
}

static inline int rep_line(rep_reader_t *reader, const char *line)
{
    rep_op_t op = {REP_FREE, 0, 0, 0};
    const char *at = line + 1;
    if (line[0] == '#') return 1;
    if (line[0] != 'a' && line[0] != 'r' && line[0] != 'f') return 0;
    at = rep_number(at, &op.id);
    if (at && line[0] != 'f') {
        op.kind = line[0] == 'a' ? REP_ALLOCATE : REP_REALLOCATE;
        at = rep_number(at, &op.size);
    }
    return at && *at == '\n' && rep_append(reader, op);
}

static inline int rep_free_rest(rep_reader_t *reader)
{
    rep_op_t op = {REP_FREE, 0, 0, 0};
    reader->trace->facts.recorded = reader->trace->facts.count;
    for (; op.id < reader->trace->facts.ids; op.id++)
        if (reader->size[op.id] && !rep_append(reader, op)) return 0;
    return 1;
}

/* Reads a trace to the end of `in`. 0: read; else the number of the first line that is wrong (or for which
 * there was no memory), and nothing is kept. Takes time in proportion to the lines and to REP_MAX_IDS. */
static inline uint64_t rep_read(FILE *in, rep_trace_t *trace)
{
    static const rep_trace_t none = {{0, 0, 0, 0, 0}, NULL};
    rep_reader_t reader = {trace, (uint64_t *)calloc(REP_MAX_IDS, sizeof(uint64_t)), 0, 0};
    uint64_t number = 0;
    int right = 1;
    char line[256];
    *trace = none;
    if (!reader.size) return 1;
    while (right && fgets(line, sizeof line, in)) {
        right = rep_line(&reader, line);
        number++;
    }
    right = right && !ferror(in) && rep_free_rest(&reader);
    free(reader.size);
    if (right) return 0;
    free(trace->op);
    *trace = none;
    return number ? number : 1;
}

/* Reads a trace that gzip packed; 1: read. What is wrong goes to stderr. */
static inline int rep_read_gzip(const char *path, rep_trace_t *trace)
{
    char command[512];
    FILE *in;
    uint64_t wrong;
    int status;
    if (strchr(path, '\'') || snprintf(command, sizeof command, "gzip -dc '%s'", path) >= (int)sizeof command) return 0;
    in = popen(command, "r");
    if (!in) return 0;
    wrong = rep_read(in, trace);
    status = pclose(in);
    if (wrong) fprintf(stderr, "%s: line %llu is wrong\n", path, (unsigned long long)wrong);
    if (!wrong && status) free(trace->op);
    return !wrong && !status;
}

#endif
