/* test_heap_textbook.c - the classic pictures: allocate A, B, C, D; free C, B, D; trim. First, best, next fit. */
#include "helper.h"

#include "../vmm_alloc.h"

VMM_HEAP(first, VMM_HEAP_TEXTBOOK(VMM_FIRST_FIT))
VMM_HEAP(best, VMM_HEAP_TEXTBOOK(VMM_BEST_FIT))
VMM_HEAP(next, VMM_HEAP_TEXTBOOK(VMM_NEXT_FIT))

#define WORD sizeof(size_t)
#define ROOM 40 /* words of all chunks; the last chunk takes two more */

static size_t arena[2 + ROOM + 2];
static first_t first_heap;
static best_t best_heap;
static next_t next_heap;
static size_t *block[128]; /* by the letter they are called */

/* The chunk map, sizes in words, header included: a letter for a block, - for a free chunk. It is read by stepping from
 * header to header, each found 16 bytes (two words) before the pointer that malloc returned. */
static const char *chunk_map(size_t *at)
{
    static char text[256];
    size_t used = 0, total = 0;
    text[0] = 0;
    while (at[1] & ~(size_t)7) {
        const size_t size = (at[1] & ~(size_t)7) / WORD;
        char name = '-';
        if (at[1] & 1)
            for (name = 'A'; name <= 'Z' && block[(int)name] != at + 2; name++) {}
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%c%u", used ? " " : "", name, (unsigned)size);
        total += size;
        at += size;
    }
    assert_int_equal(total, ROOM);
    return text;
}

/* What is done, and the map then for each of the three. Sizes in words; a header has two. */
typedef struct step {
    char operation, name;
    unsigned words;
    const char *map[3];
} step_t;
#define ALIKE(map)                                                                                                     \
    {                                                                                                                  \
        map, map, map                                                                                                  \
    }

/* clang-format off */
static const step_t steps[] = {
    {'a', 'A', 4, ALIKE("A6 -34")},
    {'a', 'B', 8, ALIKE("A6 B10 -24")},
    {'a', 'C', 4, ALIKE("A6 B10 C6 -18")},
    {'a', 'D', 4, ALIKE("A6 B10 C6 D6 -12")},
    {'f', 'C', 0, ALIKE("A6 B10 -6 D6 -12")},       /* a hole */
    {'f', 'B', 0, ALIKE("A6 -16 D6 -12")},          /* merges with the one behind it */
    {'f', 'D', 0, ALIKE("A6 -34")},                 /* and with both */
    {'a', 'B', 8, ALIKE("A6 B10 -24")},
    {'a', 'C', 4, ALIKE("A6 B10 C6 -18")},
    {'a', 'D', 4, ALIKE("A6 B10 C6 D6 -12")},
    {'a', 'E', 4, ALIKE("A6 B10 C6 D6 E6 -6")},
    {'a', 'F', 4, ALIKE("A6 B10 C6 D6 E6 F6")},     /* full */
    {'f', 'B', 0, ALIKE("A6 -10 C6 D6 E6 F6")},
    {'f', 'D', 0, ALIKE("A6 -10 C6 -6 E6 F6")},     /* a large hole, then a small one */
    {'a', 'X', 4, {"A6 X6 -4 C6 -6 E6 F6", "A6 -10 C6 X6 E6 F6", "A6 X6 -4 C6 -6 E6 F6"}},
    {'f', 'A', 0, {"-6 X6 -4 C6 -6 E6 F6", "-16 C6 X6 E6 F6",    "-6 X6 -4 C6 -6 E6 F6"}},
    {'a', 'Y', 4, {"Y6 X6 -4 C6 -6 E6 F6", "Y6 -10 C6 X6 E6 F6", "-6 X6 -4 C6 Y6 E6 F6"}},
    {'f', 'C', 0, {"Y6 X6 -16 E6 F6",      "Y6 -16 X6 E6 F6",    "-6 X6 -10 Y6 E6 F6"}},
    {'r', 'X', 8, {"Y6 X10 -12 E6 F6",     "Y6 X10 -12 E6 F6",   "-6 X10 -6 Y6 E6 F6"}}, /* best: it had to move */
    {'r', 'X', 4, {"Y6 X6 -16 E6 F6",      "Y6 X6 -16 E6 F6",    "-6 X6 -10 Y6 E6 F6"}},
    {'f', 'E', 0, {"Y6 X6 -22 F6",         "Y6 X6 -22 F6",       "-6 X6 -10 Y6 -6 F6"}},
    {'f', 'Y', 0, {"-6 X6 -22 F6",         "-6 X6 -22 F6",       "-6 X6 -22 F6"}},
    {'f', 'F', 0, ALIKE("-6 X6 -28")},
    {'f', 'X', 0, ALIKE("-40")},
};
/* clang-format on */

/* Arena from an address that is a multiple of the unit, so that nothing is left over. */
static size_t *aligned_arena(void)
{
    return (uintptr_t)arena % (2 * WORD) ? arena + 1 : arena;
}

#define SHOW(NAME, which)                                                                                              \
    static void NAME##_fit_places_blocks_as_in_the_books(void **unused)                                                \
    {                                                                                                                  \
        vmm_heap_options_t o;                                                                                          \
        size_t i;                                                                                                      \
        (void)unused;                                                                                                  \
        memset(block, 0, sizeof block);                                                                                \
        memset(&o, 0, sizeof o);                                                                                       \
        o.arena = aligned_arena();                                                                                     \
        o.bytes = (ROOM + 2) * WORD;                                                                                   \
        assert_int_equal(NAME##_init(&NAME##_heap, &o), VMM_OK);                                                       \
        assert_string_equal(chunk_map(aligned_arena()), "-40");                                                        \
        for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {                                                         \
            const step_t *s = &steps[i];                                                                               \
            size_t **at = &block[(int)s->name];                                                                        \
            if (s->operation == 'a') *at = (size_t *)NAME##_malloc(&NAME##_heap, s->words * WORD);                     \
            if (s->operation == 'r') *at = (size_t *)NAME##_realloc(&NAME##_heap, *at, s->words * WORD);               \
            if (s->operation == 'f') {                                                                                 \
                assert_int_equal(NAME##_free(&NAME##_heap, *at), VMM_MISUSE_NONE);                                     \
                *at = NULL;                                                                                            \
            } else {                                                                                                   \
                assert_non_null(*at);                                                                                  \
                assert_int_equal((*at)[-1] & ~(size_t)7, (s->words + 2) * WORD);                                       \
                assert_int_equal((*at)[-1] & 1, 1);                                                                    \
                assert_int_equal(NAME##_usable_size(&NAME##_heap, *at), s->words *WORD);                               \
            }                                                                                                          \
            assert_string_equal(chunk_map(aligned_arena()), s->map[which]);                                            \
            assert_true(NAME##_check(&NAME##_heap));                                                                   \
        }                                                                                                              \
    }
SHOW(first, 0)
SHOW(best, 1)
SHOW(next, 2)

/* Next fit goes on where it stopped, also when the free chunk there has merged with the one before it. */
static void next_fit_goes_on_in_a_chunk_that_merged(void **unused)
{
    vmm_heap_options_t o;
    (void)unused;
    memset(block, 0, sizeof block);
    memset(&o, 0, sizeof o);
    o.arena = aligned_arena();
    o.bytes = (ROOM + 2) * WORD;
    assert_int_equal(next_init(&next_heap, &o), VMM_OK);
    block[(int)'A'] = (size_t *)next_malloc(&next_heap, 4 * WORD);
    block[(int)'B'] = (size_t *)next_malloc(&next_heap, 4 * WORD);
    block[(int)'C'] = (size_t *)next_malloc(&next_heap, 4 * WORD);
    assert_int_equal(next_free(&next_heap, block[(int)'C']), VMM_MISUSE_NONE);
    assert_int_equal(next_free(&next_heap, block[(int)'A']), VMM_MISUSE_NONE);
    block[(int)'A'] = block[(int)'C'] = NULL;
    assert_string_equal(chunk_map(aligned_arena()), "-6 B6 -28");
    block[(int)'D'] = (size_t *)next_malloc(&next_heap, 4 * WORD);
    assert_string_equal(chunk_map(aligned_arena()), "-6 B6 D6 -22");
    assert_true(next_check(&next_heap));
}

/* Each free chunk has its size at both ends, and each chunk knows whether the one before it is free. */
static void boundary_tags_stand_where_the_books_have_them(void **unused)
{
    vmm_heap_options_t o;
    size_t *a, *b, *c;
    (void)unused;
    memset(&o, 0, sizeof o);
    o.arena = aligned_arena();
    o.bytes = (ROOM + 2) * WORD;
    assert_int_equal(first_init(&first_heap, &o), VMM_OK);
    a = (size_t *)first_malloc(&first_heap, 4 * WORD);
    b = (size_t *)first_malloc(&first_heap, 4 * WORD);
    c = (size_t *)first_malloc(&first_heap, 4 * WORD);
    assert_true(a && b && c);
    assert_int_equal(c[-1], 6 * WORD | 3); /* in use, and so is the one before */
    assert_int_equal(first_free(&first_heap, b), VMM_MISUSE_NONE);
    assert_int_equal(b[-1], 6 * WORD | 2);
    assert_int_equal(c[-1], 6 * WORD | 1);
    assert_int_equal(c[-2], 6 * WORD); /* size of the free chunk before */
    assert_int_equal(first_free(&first_heap, b), VMM_MISUSE_DOUBLE_FREE);
}

/* The program break: 4 KiB steps, and one block mapped by itself. */
static union {
    uint64_t align;
    uint8_t byte[1 << 20];
} brk_area;
static size_t brk_at;
static unsigned maps;
static int grow(void *user, size_t bytes, void **at)
{
    uint8_t *const from = (uint8_t *)(((uintptr_t)&brk_area + 4095) & ~(uintptr_t)4095);
    (void)user;
    if (bytes > sizeof brk_area - 4096 - brk_at) return 1;
    *at = from + brk_at;
    brk_at += bytes;
    return 0;
}
static int shrink(void *user, void *at, size_t bytes)
{
    uint8_t *const from = (uint8_t *)(((uintptr_t)&brk_area + 4095) & ~(uintptr_t)4095);
    (void)user;
    assert_ptr_equal((uint8_t *)at + bytes, from + brk_at);
    brk_at -= bytes;
    return 0;
}
static void *map(void *user, size_t bytes)
{
    void *at = NULL;
    (void)user;
    maps++;
    return grow(NULL, bytes, &at) ? NULL : at;
}
static int unmap(void *user, void *at, size_t bytes)
{
    maps--;
    return shrink(user, at, bytes);
}

static void the_thresholds_of_128_KiB_are_as_in_the_books(void **unused)
{
    vmm_heap_options_t o;
    void *a, *b, *c, *d;
    size_t before;
    (void)unused;
    memset(&o, 0, sizeof o);
    o.hooks.grow = grow;
    o.hooks.shrink = shrink;
    o.hooks.map = map;
    o.hooks.unmap = unmap;
    brk_at = 0;
    memset(&brk_area, 0, sizeof brk_area);
    assert_int_equal(first_init(&first_heap, &o), VMM_OK);
    a = first_malloc(&first_heap, 128 * 1024 - 1); /* below: from the break */
    assert_true(a && maps == 0);
    b = first_malloc(&first_heap, 100 * 1024);
    c = first_malloc(&first_heap, 100 * 1024);
    assert_true(b && c && maps == 0);
    before = brk_at;
    d = first_malloc(&first_heap, 128 * 1024); /* from here on: mapped */
    assert_true(d && maps == 1);
    assert_true(first_check(&first_heap));
    assert_int_equal(first_free(&first_heap, d), VMM_MISUSE_NONE); /* and goes back at once */
    assert_int_equal(maps, 0);
    assert_int_equal(brk_at, before);
    assert_int_equal(first_mallopt(&first_heap, VMM_M_TRIM_THRESHOLD, 128 * 1024), VMM_OK);
    assert_int_equal(first_mallopt(&first_heap, VMM_M_TOP_PAD, 4096), VMM_OK);
    assert_int_equal(first_free(&first_heap, b), VMM_MISUSE_NONE); /* a hole: the break cannot sink */
    assert_int_equal(brk_at, before);
    assert_int_equal(first_free(&first_heap, c), VMM_MISUSE_NONE); /* the end is longer than 128 KiB: it does */
    assert_true(brk_at < before && brk_at > 128 * 1024);
    assert_int_equal(first_free(&first_heap, a), VMM_MISUSE_NONE);
    first_trim(&first_heap, 0);
    assert_int_equal(brk_at, 4096);
    assert_true(first_check(&first_heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fit_places_blocks_as_in_the_books),
        cmocka_unit_test(best_fit_places_blocks_as_in_the_books),
        cmocka_unit_test(next_fit_places_blocks_as_in_the_books),
        cmocka_unit_test(next_fit_goes_on_in_a_chunk_that_merged),
        cmocka_unit_test(boundary_tags_stand_where_the_books_have_them),
        cmocka_unit_test(the_thresholds_of_128_KiB_are_as_in_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
