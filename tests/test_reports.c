/* test_reports.c - section 4 of vmm_alloc.h: what people read, and operations as text. */
#include "helper_heap.h"

HEAP_API(told, VMM_HEAP_HARD | VMM_HEAP_EVENTS)

static char *text;
static size_t text_bytes;
static FILE *open_text(void)
{
    FILE *out;
    free(text);
    text = NULL;
    out = open_memstream(&text, &text_bytes);
    assert_non_null(out);
    return out;
}
static void close_text(FILE *out)
{
    assert_int_equal(fclose(out), 0);
}
static FILE *file_of(const char *content)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    rewind(f);
    return f;
}

static void every_reason_has_words_of_its_own(void **unused)
{
    int i, j;
    (void)unused;
    for (i = VMM_MISUSE_NONE; i <= VMM_MISUSE_WALKING; i++) {
        assert_true(strlen(vmm_misuse_text((vmm_misuse_t)i)) > 10);
        for (j = 0; j < i; j++)
            assert_string_not_equal(vmm_misuse_text((vmm_misuse_t)i), vmm_misuse_text((vmm_misuse_t)j));
    }
    assert_string_equal(vmm_misuse_text(VMM_MISUSE_DOUBLE_FREE), "the block is free already");
    assert_non_null(vmm_misuse_text((vmm_misuse_t)(VMM_MISUSE_WALKING + 1)));
}

static void a_recorder_is_refused_what_it_cannot_use(void **unused)
{
    vmm_recorded_t table[8];
    vmm_recorder_t r;
    (void)unused;
    assert_int_equal(vmm_recorder_init(&r, NULL, table, 8), VMM_E_ARGUMENT);
    assert_int_equal(vmm_recorder_init(&r, stdout, NULL, 8), VMM_E_ARGUMENT);
    assert_int_equal(vmm_recorder_init(&r, stdout, table, 0), VMM_E_RANGE);
    assert_int_equal(vmm_recorder_init(&r, stdout, table, 1), VMM_E_RANGE);
    assert_int_equal(vmm_recorder_init(&r, stdout, table, 7), VMM_E_RANGE);
    assert_int_equal(vmm_recorder_init(&r, stdout, table, 8), VMM_OK);
}

static void operations_are_written_a_line_each_and_ids_are_used_again(void **unused)
{
    static const char block[8] = {0};
    vmm_recorded_t table[8];
    vmm_recorder_t r;
    FILE *out = open_text();
    (void)unused;
    assert_int_equal(vmm_recorder_init(&r, out, table, 8), VMM_OK);
    assert_true(vmm_record(&r, 'a', NULL, block + 0, 10));
    assert_true(vmm_record(&r, 'a', NULL, block + 1, 0));
    assert_true(vmm_record(&r, 'r', block + 0, block + 2, SIZE_MAX));
    assert_true(vmm_record(&r, 'r', block + 2, block + 2, 5));
    assert_true(vmm_record(&r, 'f', block + 1, NULL, 0));
    assert_false(vmm_record(&r, 'f', block + 1, NULL, 0)); /* not known any more */
    assert_false(vmm_record(&r, 'f', NULL, NULL, 0));
    assert_false(vmm_record(&r, 'r', block + 5, block + 6, 1));
    assert_true(vmm_record(&r, 'a', NULL, block + 1, 11));
    assert_true(vmm_record(&r, 'a', NULL, block + 3, 12));
    assert_true(vmm_record(&r, 'a', NULL, block + 4, 13));
    assert_false(vmm_record(&r, 'a', NULL, block + 5, 14)); /* half of the slots are taken */
    assert_true(vmm_record(&r, 'f', block + 3, NULL, 0));
    assert_true(vmm_record(&r, 'f', block + 2, NULL, 0));
    assert_true(vmm_record(&r, 'a', NULL, block + 7, 15));
    close_text(out);
    assert_int_equal(r.lost, 4);
    assert_string_equal(text, sizeof(size_t) == 8
                                  ? "a 0 10\na 1 0\nr 0 18446744073709551615\nr 0 5\nf 1\na 1 11\na 2 12\na 3 13\n"
                                    "f 2\nf 0\na 0 15\n"
                                  : "a 0 10\na 1 0\nr 0 4294967295\nr 0 5\nf 1\na 1 11\na 2 12\na 3 13\n"
                                    "f 2\nf 0\na 0 15\n");
}

/* What is recorded from a heap's events and read back keeps the sizes of the heap's live blocks by id. */
static vmm_recorder_t recorder;
static void record_event(void *user, char operation, const void *old, const void *now, size_t bytes)
{
    (void)user;
    assert_true(vmm_record(&recorder, operation, old, now, bytes));
}
static void what_was_recorded_reads_back_as_it_was_done(void **unused)
{
    static vmm_recorded_t table[128];
    static uint64_t size[64]; /* plus one; 0: dead */
    vmm_heap_options_t o;
    void *block[40];
    size_t bytes[40], i, live = 0, sum = 0, expected = 0;
    uint64_t state = 21;
    vmm_rep_t rep;
    vmm_status_t status;
    FILE *f = tmpfile();
    (void)unused;
    assert_non_null(f);
    host_reset();
    memset(block, 0, sizeof block);
    memset(bytes, 0, sizeof bytes);
    memset(size, 0, sizeof size);
    assert_int_equal(vmm_recorder_init(&recorder, f, table, 128), VMM_OK);
    o = heap_options(&told_api, 0);
    o.hooks.event = record_event;
    assert_int_equal(told_api.init(&o), VMM_OK);
    for (i = 0; i < 3000; i++) {
        const size_t j = (size_t)helper_random(&state) % 40, n = (size_t)helper_random(&state) % 900;
        if (!block[j]) block[j] = n & 1 ? told_api.alloc(n) : told_api.zeroed(1, n);
        else if (n % 3) block[j] = told_api.change(block[j], n); /* 0 frees */
        else {
            assert_int_equal(told_api.give(block[j]), VMM_MISUSE_NONE);
            block[j] = NULL;
        }
        bytes[j] = n;
    }
    assert_int_equal(recorder.lost, 0);
    rewind(f);
    while ((status = vmm_rep_read(f, &rep)) == VMM_OK) {
        assert_true(rep.id < 64 && (size[rep.id] != 0) == (rep.operation != 'a'));
        size[rep.id] = rep.operation == 'f' ? 0 : rep.bytes + 1;
    }
    assert_int_equal(status, VMM_E_STOPPED);
    for (i = 0; i < 64; i++)
        if (size[i]) live++, sum += (size_t)size[i] - 1;
    for (i = 0; i < 40; i++)
        if (block[i]) live--, expected += bytes[i];
    assert_int_equal(live, 0);
    assert_int_equal(sum, expected);
    fclose(f);
}

/* Blocks whose slots collide, taken out in every order: each is still found. */
static void the_recorders_table_finds_blocks_through_any_order_of_frees(void **unused)
{
    static vmm_recorded_t table[64];
    static char block[1024];
    uint64_t state = 5;
    int round, i;
    (void)unused;
    for (round = 0; round < 50; round++) {
        vmm_recorder_t r;
        bool live[32];
        FILE *out = open_text();
        memset(live, 0, sizeof live);
        assert_int_equal(vmm_recorder_init(&r, out, table, 64), VMM_OK);
        for (i = 0; i < 200; i++) {
            const size_t j = (size_t)helper_random(&state) % 32;
            assert_true(vmm_record(&r, live[j] ? 'f' : 'a', live[j] ? block + j * 16 : NULL,
                                   live[j] ? NULL : block + j * 16, 1));
            live[j] = !live[j];
        }
        assert_int_equal(r.lost, 0);
        assert_true(r.used <= 32);
        close_text(out);
    }
}

static void assert_read(const char *line, vmm_status_t status, char operation, uint32_t id, uint64_t bytes)
{
    vmm_rep_t rep = {0, 0, 0};
    FILE *f = file_of(line);
    assert_int_equal(vmm_rep_read(f, &rep), status);
    if (status == VMM_OK) {
        assert_int_equal(rep.operation, operation);
        assert_int_equal(rep.id, id);
        assert_true(rep.bytes == bytes);
        assert_int_equal(vmm_rep_read(f, &rep), VMM_E_STOPPED);
    }
    fclose(f);
}
static void lines_are_read_in_their_three_forms_alone(void **unused)
{
    static const char *const wrong[] = {"x 1 2\n",
                                        "a 1\n",
                                        "a\n",
                                        "f\n",
                                        "f 1 2\n",
                                        "a 1 2 3\n",
                                        "a -1 2\n",
                                        "a 1 -2\n",
                                        "f -1\n",
                                        "f 4294967296\n",
                                        "r 1 2x\n",
                                        "a x 2\n",
                                        "a1 2\n",
                                        "f1\n",
                                        "f +1\n",
                                        "a 1 +2\n",
                                        "aa 1 2\n",
                                        " a 1 2\n",
                                        "a 1 2 \n",
                                        "f 99999999999999999999\n",
                                        "a 1 18446744073709551616\n"};
    char comment[400];
    size_t i;
    (void)unused;
    assert_read("a 1 2\n", VMM_OK, 'a', 1, 2);
    assert_read("r 4294967295 18446744073709551615\n", VMM_OK, 'r', UINT32_MAX, UINT64_MAX);
    assert_read("f 7\n", VMM_OK, 'f', 7, 0);
    assert_read("# comment\n\n#\nf 7\n", VMM_OK, 'f', 7, 0);
    assert_read("", VMM_E_STOPPED, 0, 0, 0);
    assert_read("# only this\n", VMM_E_STOPPED, 0, 0, 0);
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_read(wrong[i], VMM_E_ARGUMENT, 0, 0, 0);
    for (i = 70; i < 380; i++) { /* a comment of any length */
        memset(comment, 'x', sizeof comment);
        comment[0] = '#';
        strcpy(comment + i, "\nf 3\n");
        assert_read(comment, VMM_OK, 'f', 3, 0);
    }
}

/* The number that stands at the end of the line that begins so. */
static unsigned long long number_of(const char *what)
{
    const char *at = strstr(text, what);
    assert_non_null(at);
    return strtoull(at + strlen(what), NULL, 10);
}
static void a_printed_report_says_what_the_report_says(void **unused)
{
    vmm_heap_report_t r;
    FILE *out;
    (void)unused;
    memset(&r, 0, sizeof r);
    r.footprint = 1001;
    r.footprint_most = 1002;
    r.live_blocks = 1003;
    r.live_bytes = 1004;
    r.taken_bytes = 1005;
    r.free_bytes = 1006;
    r.free_chunks = 1007;
    r.largest_free = 1008;
    r.slab_bytes = 1009;
    r.slab_free = 1010;
    r.mapped_bytes = 1011;
    r.internal = 125;
    r.external = 999;
    out = open_text();
    vmm_heap_print(out, &r);
    close_text(out);
    assert_true(number_of("footprint, bytes") == 1001 && number_of("footprint at most, bytes") == 1002);
    assert_true(number_of("live blocks") == 1003 && number_of("live bytes") == 1004);
    assert_true(number_of("taken by them, bytes") == 1005 && number_of("free in chunks, bytes") == 1006);
    assert_true(number_of("free chunks") == 1007 && number_of("longest free chunk, bytes") == 1008);
    assert_true(number_of("in slabs, bytes") == 1009 && number_of("free in slabs, bytes") == 1010);
    assert_true(number_of("mapped by themselves, bytes") == 1011);
    assert_non_null(strstr(text, "12.5 %"));
    assert_non_null(strstr(text, "99.9 %"));
}

static void printed_counters_show_the_histogram_without_its_empty_lines(void **unused)
{
    vmm_heap_stats_t s;
    size_t i, lines = 0;
    FILE *out;
    (void)unused;
    memset(&s, 0, sizeof s);
    s.allocs = 21;
    s.reallocs = 22;
    s.frees = 23;
    s.failures = 24;
    s.misuses = 25;
    s.blocks = 26;
    s.blocks_most = 27;
    s.bytes = 28;
    s.bytes_most = 29;
    s.histogram[0] = 31;
    s.histogram[8 * sizeof(size_t) - 1] = 32;
    out = open_text();
    vmm_heap_stats_print(out, &s);
    close_text(out);
    assert_non_null(strstr(text, "allocs 21, reallocs 22, frees 23, failures 24, misuses 25\n"));
    assert_non_null(strstr(text, "blocks 26, at most 27; bytes 28, at most 29\n"));
    assert_non_null(strstr(text, "31 allocations of 0 bytes or more\n"));
    assert_non_null(strstr(text, sizeof(size_t) == 8 ? "32 allocations of 9223372036854775808 bytes or more\n"
                                                     : "32 allocations of 2147483648 bytes or more\n"));
    for (i = 0; i < text_bytes; i++) lines += text[i] == '\n';
    assert_int_equal(lines, 4);
}

static void the_leak_report_names_each_block_and_its_call_site(void **unused)
{
    char expected[64];
    void *a, *b;
    FILE *out;
    (void)unused;
    heap_start(&told_api, 0);
    a = told_api.alloc_at(321, "made.c:7");
    b = told_api.alloc(5000);
    assert_true(a && b && told_api.give(told_api.alloc_at(9, "gone.c:1")) == VMM_MISUSE_NONE);
    out = open_text();
    assert_int_equal(told_api.walk(vmm_live_print, out), VMM_OK);
    close_text(out);
    (void)snprintf(expected, sizeof expected, "%p %10u bytes  made.c:7\n", a, 321u);
    assert_non_null(strstr(text, expected));
    (void)snprintf(expected, sizeof expected, "%p %10u bytes  (call site not known)\n", b, 5000u);
    assert_non_null(strstr(text, expected));
    assert_null(strstr(text, "gone.c"));
}

static void *take(void *user, size_t bytes)
{
    void *at = NULL;
    (void)user;
    return posix_memalign(&at, bytes, bytes) ? NULL : at;
}
static void give(void *user, void *pages, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(pages);
}
static void the_table_of_caches_has_a_line_for_each(void **unused)
{
    const vmm_pages_t pages = {take, give, NULL, NULL, 0};
    vmm_cache_options_t o;
    vmm_cache_t named, nameless;
    const vmm_cache_t *both[2] = {&named, &nameless};
    char expected[128];
    void *object;
    FILE *out;
    (void)unused;
    memset(&o, 0, sizeof o);
    o.size = 40;
    assert_int_equal(vmm_cache_init(&nameless, &o, &pages), VMM_OK);
    o.name = "inode";
    o.size = 100;
    assert_int_equal(vmm_cache_init(&named, &o, &pages), VMM_OK);
    object = vmm_cache_alloc(&named);
    assert_non_null(object);
    out = open_text();
    vmm_cache_print(out, both, 2);
    close_text(out);
    (void)snprintf(expected, sizeof expected, "%-16s %10u %10u %8u %8u %8u %8u\n", "inode", 1u, named.count, 100u,
                   named.count, 1u, named.slab_bytes);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "\n-  "));
    assert_int_equal(vmm_cache_free(&named, object), VMM_MISUSE_NONE);
    assert_int_equal(vmm_cache_destroy(&named), VMM_OK);
    free(text);
    text = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_words_of_its_own),
        cmocka_unit_test(a_recorder_is_refused_what_it_cannot_use),
        cmocka_unit_test(operations_are_written_a_line_each_and_ids_are_used_again),
        cmocka_unit_test(what_was_recorded_reads_back_as_it_was_done),
        cmocka_unit_test(the_recorders_table_finds_blocks_through_any_order_of_frees),
        cmocka_unit_test(lines_are_read_in_their_three_forms_alone),
        cmocka_unit_test(a_printed_report_says_what_the_report_says),
        cmocka_unit_test(printed_counters_show_the_histogram_without_its_empty_lines),
        cmocka_unit_test(the_leak_report_names_each_block_and_its_call_site),
        cmocka_unit_test(the_table_of_caches_has_a_line_for_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
