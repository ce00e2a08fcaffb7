/* trace.h - reads a program's memory trace, as lackey's text or packed.
 *
 *     static trace_reader_t reader;             // large: not for a small stack
 *     trace_ref_t ref;
 *     int got;
 *     if (trace_open(&reader, stdin))
 *         while ((got = trace_next(&reader, &ref)) > 0)
 *             use(ref.kind, ref.address, ref.size);
 *     if (reader.error[0] != '\0')
 *         fprintf(stderr, "%s\n", reader.error);
 *     trace_close(&reader);
 *
 * Two forms are read; the packed one is told by its first line.
 *
 * Text: what `valgrind --tool=lackey --trace-mem=yes` writes, a reference a
 * line: kind, address in hexadecimal, a comma, size in bytes.
 *
 *     I  04af23f1,2      fetch     the instruction, before its data
 *      L 1fff0006a8,8    load
 *      S 1fff0006a0,8    store
 *      M 0421a8c0,4      modify: a load and then a store of the same bytes
 *
 * Blank lines and valgrind's own (==PID==, --PID--, **PID**) are skipped. Any
 * other line is an error, and so is a last reference whose line does not end:
 * output of the traced program in the middle of the trace may have torn a
 * reference apart, and a trace that lost references must not look whole. Keep
 * them apart with valgrind's --log-fd or --log-file.
 *
 * Packed: the line TRACE_MAGIC, then bytes, best put through gzip. Packer and
 * reader keep the same memory: for each place in the program (the address of
 * the latest fetch, and how many data references were made since) the reference
 * that came next when the program was last there. Numbers are varints: seven
 * bits a byte, lowest first, the top bit set on all bytes but the last.
 *
 *     byte          meaning
 *     1nnn nnnn     the next n + 1 references are the remembered ones
 *     0sss sbkk     one reference:
 *                     k  kind
 *                     s  size, 1 to 15 bytes; 0: a varint with the size follows
 *                     then a varint d, the distance from a base; even: d/2
 *                     bytes up from it, odd: (d+1)/2 bytes down
 *                     b  the base. 0: the remembered reference's address;
 *                        1: where the latest fetch ended (fetch), or the
 *                        address of the latest data reference (others)
 *     0000 0000     followed by a size of 0: the end. Then a varint with the
 *                   count of references, and nothing after it
 *
 * Thread safety: each reader and writer is independent; one thread at a time.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_MAGIC "vmm packed trace 1\n"

/* The most bytes one reference may have. lackey's own limit is 512. */
#define TRACE_SIZE_MAX 4096u

/* log2 of the places remembered. A power too small costs bytes, never truth:
 * two places that collide only foretell each other's references. Part of the
 * format: packer and reader must agree. */
#define TRACE_MEMORY_BITS 18

enum {
    TRACE_FETCH,
    TRACE_LOAD,
    TRACE_STORE,
    TRACE_MODIFY
};

/* One reference of the program to its memory. */
typedef struct trace_ref {
    uint64_t address; /* virtual, of the first byte                     */
    uint32_t size;    /* bytes, 1 to TRACE_SIZE_MAX; never wraps past 0 */
    uint8_t kind;     /* TRACE_FETCH, _LOAD, _STORE or _MODIFY          */
} trace_ref_t;

/* What packer and reader both know at each reference. */
typedef struct trace_memory {
    trace_ref_t *next; /* per place, 2^TRACE_MEMORY_BITS of them; size 0: none yet */
    uint64_t code;     /* address of the latest fetch */
    uint64_t since;    /* data references since that fetch */
    uint64_t bases[2]; /* [0]: end of the latest fetch; [1]: address of the latest data */
} trace_memory_t;

typedef struct trace_reader {
    char error[160]; /* "" or one sentence that says where and why */
    uint64_t count;  /* references read so far */
    FILE *file;
    uint64_t passed;       /* bytes of the file before buffer[0] */
    size_t at, end;        /* at <= end <= sizeof buffer; the unread bytes are [at, end) */
    uint64_t line;         /* text: number of the latest line read, from 1 */
    trace_memory_t memory; /* packed only */
    uint32_t run;          /* packed: remembered references still to give */
    bool packed;
    bool done; /* the end was reached: every later call gives 0 */
    unsigned char buffer[65536];
} trace_reader_t;

typedef struct trace_writer {
    FILE *file;
    trace_memory_t memory;
    uint64_t count; /* references written so far */
    uint32_t run;   /* remembered references not yet written, at most 128 */
} trace_writer_t;

/* ---- the memory both sides share ------------------------------------------------------------ */

static inline bool trace_memory_open(trace_memory_t *memory)
{
    memset(memory, 0, sizeof *memory);
    memory->next = (trace_ref_t *)calloc((size_t)1 << TRACE_MEMORY_BITS, sizeof *memory->next);
    return memory->next != NULL;
}

/* The slot of the place the program is at: the reference that came next the last time. */
static inline trace_ref_t *trace_remembered(const trace_memory_t *memory)
{
    uint64_t place = memory->code * 4 + memory->since;
    return &memory->next[place * UINT64_C(0x9E3779B97F4A7C15) >> (64 - TRACE_MEMORY_BITS)];
}

/* Stores in `slot`, from trace_remembered(), what came next, and moves the place on. */
static inline void trace_learn(trace_memory_t *memory, trace_ref_t *slot, trace_ref_t ref)
{
    *slot = ref;
    if (ref.kind == TRACE_FETCH) {
        memory->code = ref.address;
        memory->since = 0;
        memory->bases[0] = ref.address + ref.size;
    } else {
        memory->since++;
        memory->bases[1] = ref.address;
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static inline uint64_t trace_offset(const trace_reader_t *reader)
{
    return reader->passed + reader->at;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline int
trace_fail(trace_reader_t *reader, const char *format, ...)
{
    va_list arguments;
    int where = snprintf(reader->error, sizeof reader->error, "%s %llu: ", reader->packed ? "byte" : "line",
                         (unsigned long long)(reader->packed ? trace_offset(reader) : reader->line));
    va_start(arguments, format);
    (void)vsnprintf(reader->error + where, sizeof reader->error - (size_t)where, format, arguments);
    va_end(arguments);
    return -1;
}

/* Moves the unread bytes to the front and reads more behind them: how many came, 0 at the end. */
static inline size_t trace_fill(trace_reader_t *reader)
{
    size_t kept = reader->end - reader->at, got;
    memmove(reader->buffer, reader->buffer + reader->at, kept);
    reader->passed += reader->at;
    reader->at = 0;
    got = fread(reader->buffer + kept, 1, sizeof reader->buffer - kept, reader->file);
    reader->end = kept + got;
    return got;
}

/* Gives `ref` to the caller if it can be one: 1, or -1 with the error. */
static inline int trace_give(trace_reader_t *reader, trace_ref_t ref)
{
    if (ref.size == 0 || ref.size > TRACE_SIZE_MAX)
        return trace_fail(reader, "a size of %lu bytes is not within 1 to %u", (unsigned long)ref.size, TRACE_SIZE_MAX);
    if (ref.address + (ref.size - 1) < ref.address)
        return trace_fail(reader, "the reference wraps past the last address");
    reader->count++;
    return 1;
}

/* At the end of the file: 0, or -1 if the file could not be read or held nothing. */
static inline int trace_finish(trace_reader_t *reader)
{
    if (ferror(reader->file)) return trace_fail(reader, "the file could not be read");
    if (reader->count == 0)
        return trace_fail(reader, "the trace ends without one reference "
                                  "(was valgrind given --trace-mem=yes?)");
    reader->done = true;
    return 0;
}

/* -- text -- */

static inline bool trace_is_valgrinds(const unsigned char *line, size_t length)
{
    return length > 2 && line[0] == line[1] && line[2] >= '0' && line[2] <= '9' &&
           (line[0] == '=' || line[0] == '-' || line[0] == '*');
}

static inline int trace_fail_line(trace_reader_t *reader, const unsigned char *line, size_t length)
{
    char shown[41];
    size_t i, n = length < sizeof shown - 1 ? length : sizeof shown - 1;
    for (i = 0; i < n; i++) shown[i] = line[i] >= ' ' && line[i] <= '~' ? (char)line[i] : '?';
    shown[n] = '\0';
    return trace_fail(reader, "not a lackey line: \"%s%s\"", shown, n < length ? "..." : "");
}

static inline int trace_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads "I  ADDRESS,SIZE", or " L", " S", " M" and a space, from a line that ends in '\n', which
 * no number contains: no test for the end is needed within them. */
static inline bool trace_parse(const unsigned char *line, size_t length, trace_ref_t *ref)
{
    const unsigned char *c = line + 3;
    int digit, digits = 0;
    if (length < 6 || line[2] != ' ') return false;
    if (line[0] == 'I' && line[1] == ' ') ref->kind = TRACE_FETCH;
    else if (line[0] == ' ' && line[1] == 'L') ref->kind = TRACE_LOAD;
    else if (line[0] == ' ' && line[1] == 'S') ref->kind = TRACE_STORE;
    else if (line[0] == ' ' && line[1] == 'M') ref->kind = TRACE_MODIFY;
    else return false;

    for (ref->address = 0; (digit = trace_hex(*c)) >= 0; c++) {
        if (ref->address >> 60 != 0) return false;
        ref->address = ref->address << 4 | (unsigned)digit;
        digits++;
    }
    if (digits == 0 || *c++ != ',') return false;
    for (ref->size = 0, digits = 0; *c >= '0' && *c <= '9' && digits < 9; c++, digits++)
        ref->size = ref->size * 10 + (uint32_t)(*c - '0');
    return digits > 0 && c == line + length;
}

static inline int trace_next_text(trace_reader_t *reader, trace_ref_t *ref)
{
    bool skipping = false; /* within a line of valgrind's that is longer than the buffer */
    for (;;) {
        const unsigned char *line = reader->buffer + reader->at;
        size_t length = reader->end - reader->at;
        const unsigned char *stop = (const unsigned char *)memchr(line, '\n', length);
        if (stop != NULL) {
            length = (size_t)(stop - line);
            reader->at += length + 1;
            reader->line++;
            if (!skipping && length != 0 && !trace_is_valgrinds(line, length)) {
                if (!trace_parse(line, length, ref)) return trace_fail_line(reader, line, length);
                return trace_give(reader, *ref);
            }
            skipping = false;
        } else if (length == sizeof reader->buffer) {
            if (!skipping && !trace_is_valgrinds(line, length)) {
                reader->line++;
                return trace_fail_line(reader, line, length);
            }
            skipping = true;
            reader->at = reader->end;
        } else if (trace_fill(reader) == 0) {
            if (length != 0 && !skipping && !trace_is_valgrinds(reader->buffer, length)) {
                reader->line++;
                return trace_fail(reader, "the trace ends within a line");
            }
            return trace_finish(reader);
        }
    }
}

/* -- packed -- */

/* The next byte, or -1 at the end of the file. */
static inline int trace_byte(trace_reader_t *reader)
{
    if (reader->at == reader->end && trace_fill(reader) == 0) return -1;
    return reader->buffer[reader->at++];
}

static inline int trace_fail_cut(trace_reader_t *reader)
{
    return ferror(reader->file) ? trace_fail(reader, "the file could not be read")
                                : trace_fail(reader, "the packed trace is cut short");
}

static inline bool trace_varint(trace_reader_t *reader, uint64_t *value)
{
    unsigned shift;
    *value = 0;
    for (shift = 0; shift < 64; shift += 7) {
        int byte = trace_byte(reader);
        if (byte < 0) {
            (void)trace_fail_cut(reader);
            return false;
        }
        if (shift == 63 && byte > 1) break;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    (void)trace_fail(reader, "a number has more than 64 bits");
    return false;
}

/* After the end's 0 bytes: the count must agree and nothing may follow. */
static inline int trace_end_packed(trace_reader_t *reader)
{
    uint64_t count;
    if (!trace_varint(reader, &count)) return -1;
    if (count != reader->count)
        return trace_fail(reader, "the packed trace says it has %llu references, but has %llu",
                          (unsigned long long)count, (unsigned long long)reader->count);
    if (trace_byte(reader) >= 0) return trace_fail(reader, "there is more after the end of the packed trace");
    return trace_finish(reader);
}

static inline int trace_next_packed(trace_reader_t *reader, trace_ref_t *ref)
{
    trace_memory_t *memory = &reader->memory;
    trace_ref_t *slot = trace_remembered(memory);
    if (reader->run == 0) {
        int byte = trace_byte(reader);
        uint64_t size, distance;
        if (byte < 0) return trace_fail_cut(reader);
        if (byte < 0x80) {
            size = (uint64_t)byte >> 3;
            if (size == 0) {
                if (!trace_varint(reader, &size)) return -1;
                if (byte == 0 && size == 0) return trace_end_packed(reader);
            }
            if (!trace_varint(reader, &distance)) return -1;
            ref->kind = (uint8_t)(byte & 3);
            ref->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
            ref->address = (byte & 4) == 0 ? slot->address : memory->bases[ref->kind != TRACE_FETCH];
            ref->address += distance >> 1 ^ (0 - (distance & 1));
            trace_learn(memory, slot, *ref);
            return trace_give(reader, *ref);
        }
        reader->run = (uint32_t)(byte & 0x7f) + 1;
    }
    reader->run--;
    *ref = *slot;
    if (ref->size == 0) return trace_fail(reader, "nothing is remembered of this place in the program");
    trace_learn(memory, slot, *ref);
    return trace_give(reader, *ref);
}

/* Begins to read `file`, open for reading in binary mode, at its current position. The file stays
 * the caller's. False, with reader->error, when memory runs out. Call trace_close() in any case.
 * Uses 4 MiB of heap for a packed trace, none for text. */
static inline bool trace_open(trace_reader_t *reader, FILE *file)
{
    const size_t magic = sizeof TRACE_MAGIC - 1;
    memset(reader, 0, offsetof(trace_reader_t, buffer));
    reader->file = file;
    (void)trace_fill(reader);
    if (reader->end < magic || memcmp(reader->buffer, TRACE_MAGIC, magic) != 0) return true;
    reader->packed = true;
    reader->at = magic;
    if (!trace_memory_open(&reader->memory)) {
        (void)trace_fail(reader, "no memory to read a packed trace");
        return false;
    }
    return true;
}

/* Reads the next reference: 1, and it is in *ref; 0 at the end; -1 on an error, which
 * reader->error tells in one sentence, with the number of the line or the offset of the byte.
 * After 0 or -1 every later call returns the same. *ref is unspecified unless 1 is returned. */
static inline int trace_next(trace_reader_t *reader, trace_ref_t *ref)
{
    ref->address = 0; /* or compilers that can not see through trace_fail() warn of *ref */
    ref->size = 0;
    ref->kind = TRACE_FETCH;
    if (reader->done) return 0;
    if (reader->error[0] != '\0') return -1;
    return reader->packed ? trace_next_packed(reader, ref) : trace_next_text(reader, ref);
}

/* Frees what the reader holds; error and count stay readable. */
static inline void trace_close(trace_reader_t *reader)
{
    free(reader->memory.next);
    reader->memory.next = NULL;
}

/* ---- a whole trace -------------------------------------------------------------------------- */

/* All references of a trace, in order. Invariant: count <= room. */
typedef struct trace_list {
    trace_ref_t *refs; /* free() it when done */
    size_t count, room;
    char error[200]; /* "" or one sentence */
} trace_list_t;

static inline bool trace_list_add(trace_list_t *list, trace_ref_t ref)
{
    if (list->count == list->room) {
        const size_t room = list->room ? 2 * list->room : (size_t)1 << 20;
        trace_ref_t *more = (trace_ref_t *)realloc(list->refs, room * sizeof *more);
        if (more == NULL) return false;
        list->refs = more;
        list->room = room;
    }
    list->refs[list->count++] = ref;
    return true;
}

/* Reads the trace in a file, or in standard input when its name is "-". False, with list->error, when it cannot be
 * read whole. */
static inline bool trace_load(trace_list_t *list, const char *name)
{
    static trace_reader_t reader;
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    trace_ref_t ref;
    int got;
    memset(list, 0, sizeof *list);
    if (in == NULL) {
        (void)snprintf(list->error, sizeof list->error, "%.120s cannot be opened", name);
        return false;
    }
    got = trace_open(&reader, in) ? 1 : -1;
    while (got > 0 && (got = trace_next(&reader, &ref)) > 0)
        if (!trace_list_add(list, ref)) {
            (void)snprintf(list->error, sizeof list->error, "no memory for %zu references", list->count + 1);
            break;
        }
    if (got < 0) (void)snprintf(list->error, sizeof list->error, "%s", reader.error);
    trace_close(&reader);
    if (in != stdin) (void)fclose(in);
    return list->error[0] == '\0';
}

/* ---- writing the packed form ---------------------------------------------------------------- */

static inline void trace_put_varint(FILE *file, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) (void)putc((int)(value & 0x7f) | 0x80, file);
    (void)putc((int)value, file);
}

static inline void trace_put_run(trace_writer_t *writer)
{
    if (writer->run != 0) (void)putc((int)(0x80 | (writer->run - 1)), writer->file);
    writer->run = 0;
}

/* The distance from `base` up or down to `address`, as the packed form has it. */
static inline uint64_t trace_distance(uint64_t base, uint64_t address)
{
    uint64_t up = address - base;
    return up << 1 ^ (0 - (up >> 63));
}

/* Begins a packed trace in `file`, open for writing in binary mode; false when memory runs out.
 * Write errors show in trace_pack_close(). */
static inline bool trace_pack_open(trace_writer_t *writer, FILE *file)
{
    memset(writer, 0, sizeof *writer);
    writer->file = file;
    (void)fputs(TRACE_MAGIC, file);
    return trace_memory_open(&writer->memory);
}

/* Appends one reference, which must be one that trace_next() could give. */
static inline void trace_pack(trace_writer_t *writer, trace_ref_t ref)
{
    trace_memory_t *memory = &writer->memory;
    trace_ref_t *slot = trace_remembered(memory);
    if (slot->kind == ref.kind && slot->address == ref.address && slot->size == ref.size) {
        if (++writer->run == 128) trace_put_run(writer);
    } else {
        uint64_t remembered = trace_distance(slot->address, ref.address);
        uint64_t latest = trace_distance(memory->bases[ref.kind != TRACE_FETCH], ref.address);
        bool use_latest = latest < remembered;
        uint32_t size = ref.size < 16 ? ref.size : 0;
        trace_put_run(writer);
        (void)putc((int)(size << 3 | (use_latest ? 4u : 0u) | ref.kind), writer->file);
        if (size == 0) trace_put_varint(writer->file, ref.size);
        trace_put_varint(writer->file, use_latest ? latest : remembered);
    }
    trace_learn(memory, slot, ref);
    writer->count++;
}

/* Ends the packed trace and frees what the writer holds; the file stays open and the caller's.
 * False when anything could not be written. */
static inline bool trace_pack_close(trace_writer_t *writer)
{
    trace_put_run(writer);
    (void)putc(0, writer->file);
    trace_put_varint(writer->file, 0);
    trace_put_varint(writer->file, writer->count);
    free(writer->memory.next);
    writer->memory.next = NULL;
    return fflush(writer->file) == 0 && !ferror(writer->file);
}

#endif /* TRACE_H */
