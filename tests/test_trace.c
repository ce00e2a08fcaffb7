/* test_trace.c - examples/trace.h: both forms of a memory trace, every error, the bundled trace.
 *
 * Runs with the project root as working directory. */
#if !defined(_POSIX_C_SOURCE) && !defined(__cplusplus)
#define _POSIX_C_SOURCE 200809L /* popen */
#endif
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#endif

#include "../examples/trace.h"

#define BUNDLED "examples/traces/sqlite3.trace.gz"
#define BUNDLED_README "examples/traces/README.md"

static trace_reader_t reader;
static trace_writer_t writer;

static FILE *file_of(const void *bytes, size_t length)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    rewind(file);
    return file;
}

/* Reads all of `file` and closes it: what the last trace_next() returned. */
static int read_all(FILE *file)
{
    trace_ref_t ref;
    int got;
    assert_true(trace_open(&reader, file));
    do got = trace_next(&reader, &ref);
    while (got > 0);
    assert_int_equal(trace_next(&reader, &ref), got); /* the end and an error stay */
    assert_true((got < 0) == (reader.error[0] != '\0'));
    trace_close(&reader);
    fclose(file);
    return got;
}

static void expect_error(const void *bytes, size_t length, const char *error)
{
    assert_int_equal(read_all(file_of(bytes, length)), -1);
    assert_string_equal(reader.error, error);
}

static void assert_next(uint8_t kind, uint64_t address, uint32_t size)
{
    trace_ref_t ref;
    assert_int_equal(trace_next(&reader, &ref), 1);
    assert_int_equal(ref.kind, kind);
    assert_true(ref.address == address);
    assert_int_equal(ref.size, size);
}

/* Random references with what makes traces special: loops, strides, rare far jumps, odd sizes. */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static trace_ref_t random_ref(void)
{
    trace_ref_t ref;
    uint64_t r = next_random();
    ref.kind = (uint8_t)(r & 3);
    ref.size = (r >> 2 & 15) == 0 ? (uint32_t)(next_random() % TRACE_SIZE_MAX) + 1 : (uint32_t)(r >> 6 & 3) * 4 + 1;
    ref.address = (r >> 8 & 15) == 0 ? next_random() : 0x400000 + (r >> 12 & 63) * 8;
    if (ref.address + (ref.size - 1) < ref.address) ref.address = 0 - (uint64_t)ref.size; /* the very last bytes */
    return ref;
}

enum {
    RANDOM_REFS = 200000
};

/* Rewinds `file`, reads it and expects the random references of `seed`. */
static void expect_random_refs(FILE *file, uint64_t seed, bool packed)
{
    int i;
    rewind(file);
    random_state = seed;
    assert_true(trace_open(&reader, file));
    assert_true(reader.packed == packed);
    for (i = 0; i < RANDOM_REFS; i++) {
        trace_ref_t want = random_ref();
        assert_next(want.kind, want.address, want.size);
    }
    assert_true(reader.count == RANDOM_REFS);
    {
        trace_ref_t ref;
        assert_int_equal(trace_next(&reader, &ref), 0);
        assert_int_equal(trace_next(&reader, &ref), 0);
    }
    trace_close(&reader);
}

static void random_references_survive_text_and_packing(void **state)
{
    static const char *const kinds[] = {"I ", " L", " S", " M"};
    uint64_t seed;
    (void)state;
    for (seed = 1; seed <= 3; seed++) {
        FILE *text = tmpfile(), *packed = tmpfile();
        int i;
        assert_non_null(text);
        assert_non_null(packed);
        assert_true(trace_pack_open(&writer, packed));
        random_state = seed;
        for (i = 0; i < RANDOM_REFS; i++) {
            trace_ref_t ref = random_ref();
            fprintf(text, "%s %08llx,%u\n", kinds[ref.kind], (unsigned long long)ref.address, ref.size);
            trace_pack(&writer, ref);
        }
        assert_true(trace_pack_close(&writer));
        expect_random_refs(text, seed, false);
        expect_random_refs(packed, seed, true);
        fclose(text);
        fclose(packed);
    }
}

static void lackeys_four_kinds_of_line_are_read(void **state)
{
    static const char text[] = "I  04af23f1,2\n L 1fff0006a8,8\n S 1FFF0006A0,16\n M 0,1\n"
                               " L ffffffffffffffff,1\n";
    FILE *file = file_of(text, sizeof text - 1);
    trace_ref_t ref;
    (void)state;
    assert_true(trace_open(&reader, file));
    assert_next(TRACE_FETCH, 0x04af23f1, 2);
    assert_next(TRACE_LOAD, UINT64_C(0x1fff0006a8), 8);
    assert_next(TRACE_STORE, UINT64_C(0x1fff0006a0), 16);
    assert_next(TRACE_MODIFY, 0, 1);
    assert_next(TRACE_LOAD, UINT64_MAX, 1);
    assert_int_equal(trace_next(&reader, &ref), 0);
    trace_close(&reader);
    fclose(file);
}

static void valgrinds_own_lines_and_blank_lines_are_skipped_however_long(void **state)
{
    FILE *file = tmpfile();
    int i;
    (void)state;
    assert_non_null(file);
    fputs("==71== Lackey, an example Valgrind tool\n==71== Command: ", file);
    for (i = 0; i < 200000; i++) putc('x', file);
    fputs("\n\n--71-- a warning\n**71** a message\nI  1000,4\n==71== the end", file);
    rewind(file);
    assert_int_equal(read_all(file), 0);
    assert_true(reader.count == 1);
    assert_true(reader.line == 6);
}

static void every_line_that_is_not_lackeys_is_an_error_with_its_number(void **state)
{
    static const char *const lines[] = {"hello",           "I 1000,4",    "I  ,4",        "I  1000",
                                        "I  1000,",        "I  1000,4 ",  "I  1000,4\r",  "I  1000,-4",
                                        "I  1000 ,4",      "I  0x1000,4", " X 1000,4",    "L  1000,4",
                                        " L1000,4",        "I",           "I  ",          " L 1000,4 L",
                                        "i  1000,4",       "==",          "== 1000,4 ==", " L 11112222333344445,1",
                                        " L 10,0000000001"};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[100], error[100], *c;
        int length = snprintf(text, sizeof text, "I  1000,4\n\n%s\nI  1004,4\n", lines[i]);
        (void)snprintf(error, sizeof error, "line 3: not a lackey line: \"%s\"", lines[i]);
        for (c = error; *c != '\0'; c++)
            if (*c == '\r') *c = '?';
        expect_error(text, (size_t)length, error);
        assert_true(reader.count == 1);
    }
}

static void an_error_shows_the_beginning_of_a_long_line(void **state)
{
    static char text[200000];
    (void)state;
    memset(text, 'a', sizeof text);
    expect_error(text, sizeof text, "line 1: not a lackey line: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
    text[100] = '\n';
    expect_error(text, sizeof text, "line 1: not a lackey line: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void text_that_can_not_be_a_whole_trace_is_an_error(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "line 0: the trace ends without one reference (was valgrind given --trace-mem=yes?)"},
        {"==7== Lackey\n", "line 1: the trace ends without one reference (was valgrind given --trace-mem=yes?)"},
        {"I  1000,4\n L 20,1", "line 2: the trace ends within a line"},
        {"I  1000,0\n", "line 1: a size of 0 bytes is not within 1 to 4096"},
        {"I  1000,4097\n", "line 1: a size of 4097 bytes is not within 1 to 4096"},
        {"\n L ffffffffffffffff,2\n", "line 2: the reference wraps past the last address"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(cases[i].text, strlen(cases[i].text), cases[i].error);
}

/* A packed trace of `length` bytes after the magic line, at offset 19. */
static void expect_packed_error(const char *bytes, size_t length, const char *error)
{
    char all[64] = TRACE_MAGIC;
    memcpy(all + sizeof TRACE_MAGIC - 1, bytes, length);
    expect_error(all, sizeof TRACE_MAGIC - 1 + length, error);
}

#define PACKED_ERROR(bytes, error) expect_packed_error(bytes, sizeof bytes - 1, error)

static void damaged_packed_data_is_an_error_with_its_offset(void **state)
{
    (void)state;
    PACKED_ERROR("", "byte 19: the packed trace is cut short");
    PACKED_ERROR("\x20\x10", "byte 21: the packed trace is cut short");
    PACKED_ERROR("\x80", "byte 20: nothing is remembered of this place in the program");
    PACKED_ERROR("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "byte 30: a number has more than 64 bits");
    PACKED_ERROR("\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81", "byte 30: a number has more than 64 bits");
    PACKED_ERROR("\x01\x00\x10", "byte 22: a size of 0 bytes is not within 1 to 4096");
    PACKED_ERROR("\x00\x81\x20\x10", "byte 23: a size of 4097 bytes is not within 1 to 4096");
    PACKED_ERROR("\x00\x81\x80\x80\x80\x10\x10", "byte 26: a size of 4294967295 bytes is not within 1 to 4096");
    PACKED_ERROR("\x20\x01", "byte 21: the reference wraps past the last address");
    PACKED_ERROR("\x20\x10\x00\x00\x02", "byte 24: the packed trace says it has 2 references, but has 1");
    PACKED_ERROR("\x20\x10\x00\x00\x01\x00", "byte 25: there is more after the end of the packed trace");
    PACKED_ERROR("\x00\x00\x00", "byte 22: the trace ends without one reference "
                                 "(was valgrind given --trace-mem=yes?)");
}

static void a_packed_trace_cut_anywhere_is_an_error(void **state)
{
    static char bytes[4096];
    FILE *file = tmpfile();
    size_t length, cut;
    int i;
    (void)state;
    assert_non_null(file);
    assert_true(trace_pack_open(&writer, file));
    random_state = 7;
    for (i = 0; i < 50; i++) trace_pack(&writer, random_ref());
    assert_true(trace_pack_close(&writer));
    rewind(file);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(read_all(file_of(bytes, length)), 0);
    for (cut = 0; cut < length; cut++) assert_int_equal(read_all(file_of(bytes, cut)), -1);
}

static void random_bytes_never_break_the_reader(void **state)
{
    int round;
    (void)state;
    random_state = 11;
    for (round = 0; round < 500; round++) {
        char bytes[300] = TRACE_MAGIC;
        size_t i;
        for (i = round % 2 == 0 ? sizeof TRACE_MAGIC - 1 : 0; i < sizeof bytes; i++)
            bytes[i] = (char)(next_random() & ((round & 2) != 0 ? 0xff : 0x3f));
        (void)read_all(file_of(bytes, sizeof bytes));
    }
}

static void a_file_that_can_not_be_read_or_written_is_an_error(void **state)
{
    FILE *file = fopen("/dev/null", "w");
    trace_ref_t ref = {0x1000, 4, TRACE_FETCH};
    (void)state;
    if (file != NULL) {
        assert_int_equal(read_all(file), -1);
        assert_string_equal(reader.error, "line 0: the file could not be read");
    }
    file = fopen("/dev/full", "w");
    if (file != NULL) {
        assert_true(trace_pack_open(&writer, file));
        trace_pack(&writer, ref);
        assert_false(trace_pack_close(&writer));
        fclose(file);
    }
}

static void a_loop_packs_to_almost_nothing(void **state)
{
    FILE *file = tmpfile();
    int i;
    (void)state;
    assert_non_null(file);
    assert_true(trace_pack_open(&writer, file));
    for (i = 0; i < 100000; i++) {
        trace_ref_t fetch = {0x1000 + (uint64_t)(i % 10) * 4, 4, TRACE_FETCH};
        trace_ref_t load = {0x8000 + (uint64_t)(i % 10) * 8, 8, TRACE_LOAD};
        trace_pack(&writer, fetch);
        trace_pack(&writer, load);
    }
    assert_true(trace_pack_close(&writer));
    assert_true(ftell(file) < 2000);
    rewind(file);
    assert_int_equal(read_all(file), 0);
    assert_true(reader.count == 200000);
}

/* The number in the README's table row that begins "| name |", its commas left out. */
static uint64_t number_in_readme(const char *name)
{
    char line[512], start[64];
    uint64_t number = 0;
    FILE *file = fopen(BUNDLED_README, "r");
    assert_non_null(file);
    (void)snprintf(start, sizeof start, "| %s |", name);
    while (number == 0 && fgets(line, (int)sizeof line, file) != NULL) {
        const char *c = line + strlen(start);
        if (strncmp(line, start, strlen(start)) != 0) continue;
        for (; *c == ' ' || *c == ',' || (*c >= '0' && *c <= '9'); c++)
            if (*c >= '0') number = number * 10 + (uint64_t)(*c - '0');
    }
    fclose(file);
    return number;
}

static void the_bundled_trace_has_the_references_its_readme_counts(void **state)
{
    static const char *const names[] = {"fetch", "load", "store", "modify"};
    uint64_t counts[4] = {0, 0, 0, 0};
    trace_ref_t ref;
    FILE *gzip;
    int got, kind;
    (void)state;
    if (system("command -v gzip > /dev/null") != 0) skip(); /* no gzip here */
    gzip = popen("gzip -dc " BUNDLED, "r");
    assert_non_null(gzip);
    assert_true(trace_open(&reader, gzip));
    assert_true(reader.packed);
    while ((got = trace_next(&reader, &ref)) > 0) counts[ref.kind]++;
    assert_string_equal(reader.error, "");
    assert_int_equal(got, 0);
    trace_close(&reader);
    assert_int_equal(pclose(gzip), 0);
    assert_true(reader.count >= 1000000);
    for (kind = TRACE_FETCH; kind <= TRACE_MODIFY; kind++) assert_true(counts[kind] == number_in_readme(names[kind]));
    assert_true(reader.count == number_in_readme("all"));
}

static void a_whole_trace_is_loaded_or_the_reason_told(void **state)
{
    static const char text[] = "I  00401000,3\n S 1fff000ff8,8\n";
    FILE *file = file_of(text, sizeof text - 1);
    trace_list_t list;
    char name[32];
    (void)state;
    (void)snprintf(name, sizeof name, "/dev/fd/%d", fileno(file));
    assert_true(trace_load(&list, name));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.refs[0].address, 0x401000);
    assert_int_equal(list.refs[1].kind, TRACE_STORE);
    assert_string_equal(list.error, "");
    free(list.refs);
    fclose(file);
    assert_false(trace_load(&list, "no such file"));
    assert_string_equal(list.error, "no such file cannot be opened");
    assert_int_equal(list.count, 0);
    assert_false(trace_load(&list, BUNDLED_README));
    assert_non_null(strstr(list.error, "not a lackey line"));
    free(list.refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_references_survive_text_and_packing),
        cmocka_unit_test(lackeys_four_kinds_of_line_are_read),
        cmocka_unit_test(valgrinds_own_lines_and_blank_lines_are_skipped_however_long),
        cmocka_unit_test(every_line_that_is_not_lackeys_is_an_error_with_its_number),
        cmocka_unit_test(an_error_shows_the_beginning_of_a_long_line),
        cmocka_unit_test(text_that_can_not_be_a_whole_trace_is_an_error),
        cmocka_unit_test(damaged_packed_data_is_an_error_with_its_offset),
        cmocka_unit_test(a_packed_trace_cut_anywhere_is_an_error),
        cmocka_unit_test(random_bytes_never_break_the_reader),
        cmocka_unit_test(a_file_that_can_not_be_read_or_written_is_an_error),
        cmocka_unit_test(a_loop_packs_to_almost_nothing),
        cmocka_unit_test(a_whole_trace_is_loaded_or_the_reason_told),
        cmocka_unit_test(the_bundled_trace_has_the_references_its_readme_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
