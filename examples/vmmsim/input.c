/* input.c - reads traces: six formats, plain or packed by gzip or zstd, from files or standard input.
 *
 *     file -> unpack_t (gzip, zstd) -> trace_reader_t: 64 KiB at a time -> a format -> references
 *
 * lackey's text and the packed form are trace.h's. The other formats share its buffer and its count of lines. Each has
 * a function that parses one reference from a line which is whole in the buffer: as no part of a reference contains a
 * newline, nothing is asked about the buffer's end within a line. */
#define _GNU_SOURCE /* fopencookie: what is unpacked goes on as a FILE */
#include "input.h"

#include <errno.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#define BATCH 1024   /* references that source_next keeps */
#define LOADED 65536 /* references between two looks at whether to stop */

/* ------------------------------------------------------------------------- unpacking -- */

typedef struct unpack {
    FILE *file;
    bool is_zstd, within; /* within: a gzip member or a zstd frame has begun and not ended */
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t at, end; /* at <= end; what is not unpacked yet is in[at .. end) */
    char error[80]; /* "" or why it cannot go on */
    unsigned char in[65536], out[65536];
} unpack_t;

static ssize_t unpack_fail(unpack_t *u, const char *sentence)
{
    (void)snprintf(u->error, sizeof u->error, "the %s data %s", u->is_zstd ? "zstd" : "gzip", sentence);
    errno = EIO;
    return -1;
}

/* What zlib makes of some of the input: false when that is damaged. */
static bool unpack_gzip(unpack_t *u, unsigned char *out, size_t *room)
{
    int result;
    if (!u->within && inflateReset(&u->gzip) != Z_OK) return false;
    u->within = true;
    u->gzip.next_in = u->in + u->at;
    u->gzip.avail_in = (uInt)(u->end - u->at);
    u->gzip.next_out = out;
    u->gzip.avail_out = (uInt)*room;
    result = inflate(&u->gzip, Z_NO_FLUSH);
    u->at = u->end - u->gzip.avail_in;
    *room = u->gzip.avail_out;
    if (result == Z_STREAM_END) u->within = false;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

static bool unpack_zstd(unpack_t *u, unsigned char *out, size_t *room)
{
    ZSTD_inBuffer in = {u->in, u->end, u->at};
    ZSTD_outBuffer made = {out, *room, 0};
    const size_t result = ZSTD_decompressStream(u->zstd, &made, &in);
    u->at = in.pos;
    *room -= made.pos;
    u->within = result != 0;
    return !ZSTD_isError(result);
}

/* fopencookie's read: at least one byte, 0 at the end, -1 with u->error. */
static ssize_t unpack_read(void *cookie, char *out, size_t size)
{
    unpack_t *u = (unpack_t *)cookie;
    const size_t most = size < (1u << 30) ? size : 1u << 30;
    size_t room = most;
    if (u->error[0] != '\0') return -1;
    while (room == most) {
        bool good;
        if (u->at == u->end) {
            u->at = 0;
            u->end = fread(u->in, 1, sizeof u->in, u->file);
            if (ferror(u->file)) return unpack_fail(u, "could not be read");
            if (u->end == 0) return u->within ? unpack_fail(u, "are cut short") : 0;
        }
        good = u->is_zstd ? unpack_zstd(u, (unsigned char *)out, &room) : unpack_gzip(u, (unsigned char *)out, &room);
        if (!good) return unpack_fail(u, "are damaged");
    }
    return (ssize_t)(most - room);
}

static void unpack_close(unpack_t *u)
{
    if (!u) return;
    if (u->is_zstd) (void)ZSTD_freeDStream(u->zstd);
    else (void)inflateEnd(&u->gzip);
    free(u);
}

/* The unpacked form of a file whose first bytes were read already; null: no memory. */
static unpack_t *unpack_open(FILE *file, bool is_zstd, const unsigned char *first, size_t bytes, FILE **plain)
{
    const cookie_io_functions_t functions = {unpack_read, NULL, NULL, NULL};
    unpack_t *u = (unpack_t *)calloc(1, sizeof *u);
    if (!u) return NULL;
    u->file = file;
    u->is_zstd = is_zstd;
    memcpy(u->in, first, bytes);
    u->end = bytes;
    if (is_zstd ? !(u->zstd = ZSTD_createDStream()) : inflateInit2(&u->gzip, 15 + 16) != Z_OK) {
        free(u);
        return NULL;
    }
    *plain = fopencookie(u, "rb", functions);
    if (!*plain) {
        unpack_close(u);
        return NULL;
    }
    (void)setvbuf(*plain, (char *)u->out, _IOFBF, sizeof u->out);
    return u;
}

/* ------------------------------------------------------------------- one open trace -- */

typedef struct reader reader_t;

/* A format. parse: the end of the reference that begins at c, where no blank stands, with *ref; null: there is none.
 * read: up to `most` references, 0 at the end, -1 with the trace's error. */
typedef struct form {
    const char *name, *line;
    const unsigned char *(*parse)(const reader_t *r, const unsigned char *c, trace_ref_t *ref);
    int (*read)(reader_t *r, trace_ref_t *refs, int most);
} form_t;

struct reader {
    FILE *file, *plain; /* plain: file, or what it unpacks to */
    unpack_t *unpack;   /* null: the file is not packed */
    const form_t *form;
    unsigned shift;
    size_t whole;   /* in buffer[at .. whole) every line is whole */
    uint64_t bytes; /* of the file; 0: not known */
    char name[91];  /* for errors */
    uint8_t digit[256], kind[256];
    trace_reader_t trace;
};

struct sim_source {
    reader_t *reader[SIM_PROCESSES];
    unsigned count, current; /* current < count */
    uint64_t quantum, used;
    bool ended[SIM_PROCESSES];
    size_t at, end; /* at <= end; what source_next has not given yet is batch[at .. end) */
    unsigned process;
    char error[SIM_ERROR]; /* that comes after the batch */
    trace_ref_t batch[BATCH];
};

#define NO_KIND 0xff

/* Digits of numbers without 0x, and letters for what a reference does. */
static void reader_tables(reader_t *r, unsigned base)
{
    static const char letters[] = "RrLlWwSsMmIi";
    static const uint8_t kinds[] = {TRACE_LOAD,  TRACE_LOAD,  TRACE_LOAD,   TRACE_LOAD,   TRACE_STORE, TRACE_STORE,
                                    TRACE_STORE, TRACE_STORE, TRACE_MODIFY, TRACE_MODIFY, TRACE_FETCH, TRACE_FETCH};
    unsigned i;
    for (i = 0; i < 256; i++) {
        const int digit = trace_hex((unsigned char)i);
        r->digit[i] = digit >= 0 && digit < (int)base ? (uint8_t)digit : 0xff;
        r->kind[i] = NO_KIND;
    }
    for (i = 0; i < sizeof kinds; i++) r->kind[(unsigned char)letters[i]] = kinds[i];
}

/* ----------------------------------------------------------------- lines of our own -- */

static inline const unsigned char *skip_blanks(const unsigned char *c)
{
    while (*c == ' ' || *c == '\t' || *c == '\r') c++;
    return c;
}

static inline bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static inline const unsigned char *parse_decimal(const reader_t *r, const unsigned char *c, uint64_t *value)
{
    const unsigned char *start = c;
    uint64_t v = 0;
    for (; r->digit[*c] != 0xff; c++) {
        if (v > UINT64_MAX / 10 || (v == UINT64_MAX / 10 && r->digit[*c] > UINT64_MAX % 10)) return NULL;
        v = v * 10 + r->digit[*c];
    }
    *value = v;
    return c == start ? NULL : c;
}

static inline const unsigned char *parse_number(const reader_t *r, const unsigned char *c, uint64_t *value)
{
    const unsigned char *start;
    uint64_t v = 0;
    int digit;
    if (c[0] == '0' && (c[1] | 0x20) == 'x') c += 2;
    else if (r->digit['a'] == 0xff) return parse_decimal(r, c, value);
    for (start = c; (digit = trace_hex(*c)) >= 0; c++) {
        if (v >> 60) return NULL;
        v = v << 4 | (unsigned)digit;
    }
    *value = v;
    return c == start ? NULL : c;
}

/* A number as the address, or as the page, that it stands for. */
static inline const unsigned char *parse_address(const reader_t *r, const unsigned char *c, trace_ref_t *ref)
{
    c = parse_number(r, c, &ref->address);
    if (!c || ref->address << r->shift >> r->shift != ref->address) return NULL;
    ref->address <<= r->shift;
    ref->size = 1;
    return c;
}

/* Nothing more on the line, but for a comment. */
static inline const unsigned char *parse_end(const unsigned char *c)
{
    c = skip_blanks(c);
    return *c == '\n' || *c == '#' ? c : NULL;
}

static inline const unsigned char *parse_rw(const reader_t *r, const unsigned char *c, trace_ref_t *ref)
{
    c = parse_address(r, c, ref);
    if (!c || !is_blank(*c)) return NULL;
    c = skip_blanks(c);
    ref->kind = r->kind[*c];
    return ref->kind == NO_KIND ? NULL : parse_end(c + 1);
}

static inline const unsigned char *parse_ls(const reader_t *r, const unsigned char *c, trace_ref_t *ref)
{
    ref->kind = r->kind[*c];
    if (ref->kind == NO_KIND || !is_blank(c[1])) return NULL;
    c = parse_address(r, skip_blanks(c + 1), ref);
    return c ? parse_end(c) : NULL;
}

/* Dinero ignores the rest of the line. Its labels 3 (unknown) and 4 (flush the cache) are no references. */
static inline const unsigned char *parse_din(const reader_t *r, const unsigned char *c, trace_ref_t *ref)
{
    static const uint8_t kinds[] = {TRACE_LOAD, TRACE_STORE, TRACE_FETCH};
    if (*c < '0' || *c > '2' || !is_blank(c[1])) return NULL;
    ref->kind = kinds[*c - '0'];
    c = parse_address(r, skip_blanks(c + 1), ref);
    if (!c || (*c != '\n' && *c != '#' && !is_blank(*c))) return NULL;
    while (*c != '\n') c++;
    return c;
}

/* One of the addresses on a line, and what separates it from the next. */
static inline const unsigned char *parse_addresses(const reader_t *r, const unsigned char *c, trace_ref_t *ref)
{
    ref->kind = TRACE_LOAD;
    c = parse_address(r, c, ref);
    if (!c || (*c != '\n' && *c != '#' && *c != ',' && !is_blank(*c))) return NULL;
    while (*c == ',' || is_blank(*c)) c++;
    return c;
}

/* Reads on until a line is whole in the buffer: true, or false with the end or an error. */
static bool text_fill(reader_t *r)
{
    trace_reader_t *t = &r->trace;
    for (;;) {
        const size_t got = trace_fill(t);
        const unsigned char *last = (const unsigned char *)memrchr(t->buffer, '\n', t->end);
        r->whole = last ? (size_t)(last - t->buffer) + 1 : 0;
        if (r->whole != 0) return true;
        t->line++; /* the one that is not whole */
        if (t->end == sizeof t->buffer) (void)trace_fail(t, "the line has more than %zu bytes", sizeof t->buffer - 1);
        if (t->error[0] != '\0') return false;
        if (got != 0) {
            t->line--;
            continue;
        }
        if (ferror(t->file)) (void)trace_fail(t, "the file could not be read");
        else if (t->end != 0) (void)trace_fail(t, "the trace ends within a line: no newline is at its end");
        else if (t->count == 0) {
            if (t->line > 1) t->line--; /* the last that there is */
            (void)trace_fail(t, "there is not one reference");
        } else t->done = true;
        return false;
    }
}

static int text_fail(reader_t *r, const unsigned char *c)
{
    char shown[41];
    size_t n = 0;
    for (; n < sizeof shown - 1 && c[n] != '\n'; n++) shown[n] = c[n] >= ' ' && c[n] <= '~' ? (char)c[n] : '?';
    shown[n] = '\0';
    r->trace.line++;
    return trace_fail(&r->trace, "not %s%s: \"%s%s\"", r->form->line, r->digit['a'] == 0xff ? ", in decimal" : "",
                      shown, c[n] == '\n' ? "" : "...");
}

/* Up to `most` references by one of the functions above, which is known when this is compiled. */
static inline int read_text(reader_t *r, trace_ref_t *refs, int most,
                            const unsigned char *parse(const reader_t *, const unsigned char *, trace_ref_t *))
{
    trace_reader_t *t = &r->trace;
    int got = 0;
    while (got < most && !t->done && t->error[0] == '\0') {
        const unsigned char *c = t->buffer + t->at, *whole = t->buffer + r->whole;
        while (c < whole && got < most) {
            const unsigned char *next;
            c = skip_blanks(c);
            if (*c == '#') c = (const unsigned char *)memchr(c, '\n', (size_t)(whole - c));
            if (*c == '\n') {
                c++;
                t->line++;
                continue;
            }
            next = parse(r, c, &refs[got]);
            if (!next) {
                (void)text_fail(r, c);
                break;
            }
            c = next;
            got++;
            t->count++;
        }
        t->at = (size_t)(c - t->buffer);
        if (t->at >= r->whole && got < most && !text_fill(r)) break;
    }
    return got != 0 || t->error[0] == '\0' ? got : -1;
}

static int read_rw(reader_t *r, trace_ref_t *refs, int most)
{
    return read_text(r, refs, most, parse_rw);
}

static int read_ls(reader_t *r, trace_ref_t *refs, int most)
{
    return read_text(r, refs, most, parse_ls);
}

static int read_din(reader_t *r, trace_ref_t *refs, int most)
{
    return read_text(r, refs, most, parse_din);
}

static int read_addresses(reader_t *r, trace_ref_t *refs, int most)
{
    return read_text(r, refs, most, parse_addresses);
}

/* trace.h's two forms. */
static int read_trace(reader_t *r, trace_ref_t *refs, int most)
{
    int got = 0, last = 1;
    while (got < most && (last = trace_next(&r->trace, &refs[got])) > 0) got++;
    return got != 0 ? got : last;
}

static const form_t forms[] = {
    {"lackey", "a line of lackey's", NULL, read_trace},
    {"packed", "a packed trace", NULL, read_trace},
    {"rw", "a line \"ADDRESS R|W\"", parse_rw, read_rw},
    {"ls", "a line \"l|s ADDRESS\"", parse_ls, read_ls},
    {"din", "a line \"0|1|2 ADDRESS\" of Dinero's", parse_din, read_din},
    {"addresses", "an address", parse_addresses, read_addresses},
};
#define FORMS (sizeof forms / sizeof *forms)

/* ------------------------------------------------------------- which format it is -- */

/* Does this form parse the line? Labels of Dinero's that are no references are for reading to refuse; more than two
 * numbers are rather a row of addresses. */
static bool form_fits(const reader_t *r, const form_t *form, const unsigned char *line, size_t length)
{
    const unsigned char *c = skip_blanks(line);
    trace_ref_t ref;
    if (form->read == read_trace)
        return form == &forms[0] && (trace_is_valgrinds(line, length) || trace_parse(line, length, &ref));
    if (form->parse == parse_din) {
        if (*c < '0' || *c > '4' || !is_blank(c[1])) return false;
        c = parse_number(r, skip_blanks(c + 1), &ref.address);
        return c && parse_end(c);
    }
    return form->parse(r, c, &ref) != NULL;
}

/* The form of the first line that is no comment; null: no form has such a line, which is an error, or there is none. */
static const form_t *find_form(reader_t *r)
{
    static const form_t unknown = {"", "in any known format", NULL, NULL};
    const unsigned char *line = r->trace.buffer + r->trace.at, *whole = r->trace.buffer + r->whole, *stop;
    size_t i;
    for (; line < whole; line = stop + 1, r->trace.line++) {
        const unsigned char *c = skip_blanks(line);
        stop = (const unsigned char *)memchr(line, '\n', (size_t)(whole - line));
        if (*c == '\n' || *c == '#') continue;
        for (i = 0; i < FORMS; i++)
            if (form_fits(r, &forms[i], line, (size_t)(stop - line))) break;
        if (i == FORMS) {
            r->form = &unknown;
            (void)text_fail(r, c);
            return NULL;
        }
        r->trace.line = 0;
        return &forms[i];
    }
    r->trace.line = 0;
    return NULL;
}

/* The form of that name, or the one that the trace has. False: r->trace.error, or for an empty file the form's. */
static bool choose_form(reader_t *r, const char *format)
{
    const unsigned char *last;
    size_t i;
    r->form = &forms[FORMS - 1];
    if (r->trace.packed) {
        r->form = &forms[1];
        if (strcmp(format, "auto") == 0 || strcmp(format, "packed") == 0) return true;
        return trace_fail(&r->trace, "the trace is packed, and not of the format %s", format) > 0;
    }
    if (strcmp(format, "packed") == 0) {
        r->trace.packed = true; /* so that the error counts in bytes */
        return trace_fail(&r->trace, "the trace is not packed") > 0;
    }
    last = (const unsigned char *)memrchr(r->trace.buffer, '\n', r->trace.end);
    r->whole = last ? (size_t)(last - r->trace.buffer) + 1 : 0;
    for (i = 0; i < FORMS; i++)
        if (strcmp(format, forms[i].name) == 0) r->form = &forms[i];
    if (strcmp(format, "auto") == 0) {
        const form_t *found = find_form(r);
        if (found) r->form = found;
    }
    return r->trace.error[0] == '\0';
}

/* ------------------------------------------------------------------------- one reader -- */

/* What went wrong, with the name of the trace; unpacking knows it better than the format does. */
static void reader_error(const reader_t *r, char error[SIM_ERROR])
{
    const char *why = r->unpack && r->unpack->error[0] != '\0' ? r->unpack->error : r->trace.error;
    (void)snprintf(error, SIM_ERROR, "%s: %s", r->name, why);
}

static void reader_close(reader_t *r)
{
    if (!r) return;
    trace_close(&r->trace);
    if (r->plain && r->plain != r->file) (void)fclose(r->plain);
    unpack_close(r->unpack);
    if (r->file && r->file != stdin) (void)fclose(r->file);
    free(r);
}

/* Looks at the first bytes, unpacks them when they say so, and finds the format. */
static bool reader_begin(reader_t *r, const char *format)
{
    static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    const unsigned char *first = r->trace.buffer;
    bool is_zstd;
    if (!trace_open(&r->trace, r->file)) return false;
    is_zstd = r->trace.end >= sizeof zstd && memcmp(first, zstd, sizeof zstd) == 0;
    if (is_zstd || (r->trace.end >= 2 && first[0] == 0x1f && first[1] == 0x8b)) {
        r->unpack = unpack_open(r->file, is_zstd, first, r->trace.end, &r->plain);
        if (!r->unpack) return trace_fail(&r->trace, "no memory to unpack it") > 0;
        trace_close(&r->trace);
        if (!trace_open(&r->trace, r->plain)) return false;
        if (r->unpack->error[0] != '\0') return false;
    }
    return choose_form(r, format);
}

static reader_t *reader_open(const char *name, const source_rules_t *rules, char error[SIM_ERROR])
{
    const bool standard = strcmp(name, "-") == 0;
    reader_t *r = (reader_t *)calloc(1, sizeof *r);
    struct stat about;
    if (!r) {
        (void)snprintf(error, SIM_ERROR, "no memory to read a trace");
        return NULL;
    }
    (void)snprintf(r->name, sizeof r->name, "%s", standard ? "standard input" : name);
    r->shift = rules->shift;
    reader_tables(r, rules->base);
    r->file = standard ? stdin : fopen(name, "rb");
    if (!r->file) {
        (void)snprintf(error, SIM_ERROR, "%.120s cannot be opened: %s", name, strerror(errno));
        reader_close(r);
        return NULL;
    }
    r->plain = r->file;
    if (fstat(fileno(r->file), &about) == 0 && S_ISREG(about.st_mode)) r->bytes = (uint64_t)about.st_size;
    if (!reader_begin(r, rules->format)) {
        reader_error(r, error);
        reader_close(r);
        return NULL;
    }
    return r;
}

static int reader_read(reader_t *r, trace_ref_t *refs, int most, char error[SIM_ERROR])
{
    const int got = r->form->read(r, refs, most);
    if (got < 0) reader_error(r, error);
    return got;
}

/* ------------------------------------------------------------------------------ sources -- */

sim_source_t *source_open_turns(const char *const *names, unsigned count, const source_rules_t *rules,
                                char error[SIM_ERROR])
{
    sim_source_t *source = (sim_source_t *)calloc(1, sizeof *source);
    unsigned i;
    error[0] = '\0';
    if (!source) {
        (void)snprintf(error, SIM_ERROR, "no memory to read a trace");
        return NULL;
    }
    source->quantum = rules->quantum;
    for (i = 0; i < count; i++) {
        source->reader[i] = reader_open(names[i], rules, error);
        if (!source->reader[i]) {
            source_close(source);
            return NULL;
        }
        source->count++;
    }
    return source;
}

sim_source_t *source_open(const char *name, const char *format, char error[SIM_ERROR])
{
    const source_rules_t rules = {format, 16, 0, 0};
    return source_open_turns(&name, 1, &rules, error);
}

void source_close(sim_source_t *source)
{
    unsigned i;
    if (!source) return;
    for (i = 0; i < source->count; i++) reader_close(source->reader[i]);
    free(source);
}

/* It is the next trace's turn, of those that have not ended; false: all have. */
static bool source_turn(sim_source_t *source)
{
    unsigned i;
    source->used = 0;
    for (i = 1; i <= source->count; i++) {
        const unsigned next = (source->current + i) % source->count;
        if (source->ended[next]) continue;
        source->current = next;
        return true;
    }
    return false;
}

size_t source_read(sim_source_t *source, trace_ref_t *refs, size_t most, unsigned *process, char error[SIM_ERROR])
{
    const bool turns = source->count > 1 && source->quantum != 0;
    if (most > LOADED) most = LOADED;
    error[0] = '\0';
    for (;;) {
        size_t now = most;
        int got = 0;
        if (turns && source->used == source->quantum && !source_turn(source)) return 0;
        if (turns && source->quantum - source->used < now) now = (size_t)(source->quantum - source->used);
        *process = source->current;
        if (!source->ended[source->current]) got = reader_read(source->reader[source->current], refs, (int)now, error);
        if (got > 0) {
            source->used += (uint64_t)got;
            return (size_t)got;
        }
        if (got < 0) return 0;
        source->ended[source->current] = true;
        if (!source_turn(source)) return 0;
    }
}

int source_next(sim_source_t *source, trace_ref_t *ref, char error[SIM_ERROR])
{
    if (source->at == source->end) {
        if (source->error[0] == '\0')
            source->end = source_read(source, source->batch, BATCH, &source->process, source->error);
        else source->end = 0;
        source->at = 0;
        if (source->end == 0) {
            memcpy(error, source->error, SIM_ERROR);
            return error[0] == '\0' ? 0 : -1;
        }
    }
    *ref = source->batch[source->at++];
    return 1;
}

unsigned source_process(const sim_source_t *source)
{
    return source->process;
}

double source_part(const sim_source_t *source)
{
    double bytes = 0, read = 0;
    unsigned i;
    for (i = 0; i < source->count; i++) {
        const reader_t *r = source->reader[i];
        const long at = r->bytes == 0 ? -1 : ftell(r->file);
        if (at < 0) return -1;
        bytes += (double)r->bytes;
        read += (double)at;
    }
    return read / bytes;
}

/* ------------------------------------------------------------------ traces in memory -- */

bool source_load_as(const char *name, const source_rules_t *rules, trace_list_t *list, bool (*stop)(void),
                    char error[SIM_ERROR])
{
    sim_source_t *source = source_open_turns(&name, 1, rules, error);
    unsigned process;
    size_t got = 1;
    memset(list, 0, sizeof *list);
    if (!source) return false;
    while (got > 0 && !(stop && stop())) {
        if (list->room - list->count < BATCH) {
            const size_t room = list->room ? 2 * list->room : (size_t)1 << 16;
            trace_ref_t *more = (trace_ref_t *)realloc(list->refs, room * sizeof *more);
            if (!more) {
                (void)snprintf(error, SIM_ERROR, "no memory for %zu references", list->count + 1);
                break;
            }
            list->refs = more;
            list->room = room;
        }
        got = source_read(source, list->refs + list->count, list->room - list->count, &process, error);
        list->count += got;
    }
    source_close(source);
    if (error[0] == '\0') return true;
    free(list->refs);
    memset(list, 0, sizeof *list);
    return false;
}

bool source_load(const char *name, const char *format, trace_list_t *list, char error[SIM_ERROR])
{
    const source_rules_t rules = {format, 16, 0, 0};
    return source_load_as(name, &rules, list, NULL, error);
}

size_t turns_next(turns_t *turns, size_t most, const trace_ref_t **refs, unsigned *process)
{
    unsigned tried;
    for (tried = 0; tried <= turns->count; tried++) {
        const unsigned i = turns->current;
        const uint64_t left = turns->quantum == 0 || turns->count == 1 ? UINT64_MAX : turns->quantum - turns->used;
        size_t got = turns->lists[i].count - turns->at[i];
        if (got > most) got = most;
        if (got > left) got = (size_t)left;
        if (got != 0) {
            *refs = turns->lists[i].refs + turns->at[i];
            *process = i;
            turns->at[i] += got;
            turns->used += got;
            return got;
        }
        turns->current = (i + 1) % turns->count;
        turns->used = 0;
    }
    return 0;
}
