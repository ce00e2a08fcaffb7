/* malloc_pictures.c - the textbooks' pictures of malloc, with what the heap really has in its memory.
 *
 * First: blocks A, B, C, D are allocated, C, B, D are freed. Then a new block meets two holes, under first, best and
 * next fit. Last: the program break moves, and a large block is mapped by itself. */
#include "vmm_alloc.h"

VMM_HEAP(first, VMM_HEAP_TEXTBOOK(VMM_FIRST_FIT)) /* first_t, first_malloc(), first_free() ... */
VMM_HEAP(best, VMM_HEAP_TEXTBOOK(VMM_BEST_FIT))
VMM_HEAP(next, VMM_HEAP_TEXTBOOK(VMM_NEXT_FIT))

/* The three behind one set of names, so that one program shows them all. */
typedef struct book {
    const char *name;
    vmm_heap_core_t *core;
    vmm_status_t (*init)(const vmm_heap_options_t *options);
    void *(*take)(size_t bytes);
    void (*give)(void *block);
    size_t (*trim)(size_t keep);
} book_t;

#define BOOK(NAME)                                                                                                     \
    static NAME##_t NAME##_heap;                                                                                       \
    static vmm_status_t NAME##_book_init(const vmm_heap_options_t *options)                                            \
    {                                                                                                                  \
        return NAME##_init(&NAME##_heap, options);                                                                     \
    }                                                                                                                  \
    static void *NAME##_book_take(size_t bytes)                                                                        \
    {                                                                                                                  \
        return NAME##_malloc(&NAME##_heap, bytes);                                                                     \
    }                                                                                                                  \
    static void NAME##_book_give(void *block)                                                                          \
    {                                                                                                                  \
        NAME##_free(&NAME##_heap, block);                                                                              \
    }                                                                                                                  \
    static size_t NAME##_book_trim(size_t keep)                                                                        \
    {                                                                                                                  \
        return NAME##_trim(&NAME##_heap, keep);                                                                        \
    }                                                                                                                  \
    static const book_t NAME##_book = {#NAME " fit",     &NAME##_heap.core, NAME##_book_init,                          \
                                       NAME##_book_take, NAME##_book_give,  NAME##_book_trim};
BOOK(first)
BOOK(best)
BOOK(next)

#define HEADER (2 * sizeof(size_t)) /* one character of the first pictures */
#define PAGE ((size_t)4096)         /* one character of the last */

static void *block[26]; /* by the letter they are called */

static char letter_of(const void *at)
{
    char letter;
    for (letter = 'A'; letter < 'Z' && block[letter - 'A'] != at; letter++) {}
    return letter;
}

/* One step's picture. It is read as the textbooks read it: the word before the payload is the size of the chunk, bit 0
 * says whether it is in use, and the next header stands that many bytes further on. */
static void draw(const book_t *book, size_t scale, const char *what)
{
    const size_t *chunk = (const size_t *)(book->core->origin + book->core->start[0]);
    size_t from = 0, at = 0;
    printf("  %-12s ", what);
    for (; (chunk[1] & ~(size_t)7) != 0; chunk += (chunk[1] & ~(size_t)7) / sizeof(size_t)) {
        const char content = chunk[1] & 1 ? letter_of(chunk + 2) : '.';
        from += chunk[1] & ~(size_t)7;
        for (; at < from; at += scale) putchar(scale == HEADER && at == from - (chunk[1] & ~(size_t)7) ? '#' : content);
    }
    printf("|\n");
}

static void allocate(const book_t *book, size_t scale, char letter, size_t units)
{
    char what[32];
    block[letter - 'A'] = book->take(units * scale);
    snprintf(what, sizeof what, "malloc %c, %u", letter, (unsigned)units);
    draw(book, scale, what);
}

static void release(const book_t *book, size_t scale, char letter)
{
    char what[32];
    book->give(block[letter - 'A']);
    block[letter - 'A'] = NULL;
    snprintf(what, sizeof what, "free %c", letter);
    draw(book, scale, what);
}

static void show_holes(const book_t *book)
{
    static size_t arena[80]; /* 38 units of two words, and one for the end */
    const size_t at = (uintptr_t)arena % HEADER ? 1 : 0;
    vmm_heap_options_t options;
    char letter;
    VMM_SET(&options, 0, sizeof options);
    options.arena = arena + at;
    options.bytes = 39 * HEADER;
    printf("\n%s\n", book->name);
    if (book->init(&options) != VMM_OK) return;
    allocate(book, HEADER, 'A', 3);
    allocate(book, HEADER, 'B', 6);
    allocate(book, HEADER, 'C', 3);
    allocate(book, HEADER, 'D', 3);
    release(book, HEADER, 'C'); /* a hole */
    release(book, HEADER, 'B'); /* merges with the one behind it */
    release(book, HEADER, 'D'); /* and with both sides */
    allocate(book, HEADER, 'B', 8);
    allocate(book, HEADER, 'C', 2);
    allocate(book, HEADER, 'D', 4);
    allocate(book, HEADER, 'E', 3);
    release(book, HEADER, 'B'); /* a large hole */
    release(book, HEADER, 'D'); /* and a small one */
    allocate(book, HEADER, 'X', 3);
    allocate(book, HEADER, 'Y', 3);
    for (letter = 'A'; letter <= 'Z'; letter++) book->give(block[letter - 'A']);
    memset(block, 0, sizeof block);
    draw(book, HEADER, "free all");
}

/* The program break: memory that is given in order, and taken back from its end. */
static size_t memory[512 * 1024 / sizeof(size_t)], mapped[512 * 1024 / sizeof(size_t)];
static size_t first_page, break_at; /* in words: where a page begins, and what was given from there */

static int grow(void *user, size_t bytes, void **at)
{
    (void)user;
    if (first_page + break_at + bytes / sizeof(size_t) > sizeof memory / sizeof memory[0]) return 1;
    *at = memory + first_page + break_at;
    break_at += bytes / sizeof(size_t);
    return 0;
}
static int shrink(void *user, void *at, size_t bytes)
{
    (void)user, (void)at;
    break_at -= bytes / sizeof(size_t);
    return 0;
}
static void *map(void *user, size_t bytes)
{
    (void)user;
    printf("  map:   %u KiB\n", (unsigned)(bytes / 1024));
    return mapped + (PAGE - (uintptr_t)mapped % PAGE) % PAGE / sizeof(size_t);
}
static int unmap(void *user, void *at, size_t bytes)
{
    (void)user, (void)at;
    printf("  unmap: %u KiB\n", (unsigned)(bytes / 1024));
    return 0;
}

static void show_break(const book_t *book)
{
    vmm_heap_options_t options;
    VMM_SET(&options, 0, sizeof options);
    options.hooks.grow = grow;
    options.hooks.shrink = shrink;
    options.hooks.map = map;
    options.hooks.unmap = unmap;
    options.trim_threshold = 128 * 1024;
    options.mmap_threshold = 128 * 1024;
    options.top_pad = PAGE;
    first_page = (PAGE - (uintptr_t)memory % PAGE) % PAGE / sizeof(size_t);
    printf("\nthe break, %s; a character for 4 KiB\n", book->name);
    if (book->init(&options) != VMM_OK) return;
    allocate(book, PAGE, 'A', 3);
    allocate(book, PAGE, 'B', 12);
    allocate(book, PAGE, 'C', 4);
    allocate(book, PAGE, 'D', 20);
    allocate(book, PAGE, 'M', 64); /* above the threshold: the break stays */
    release(book, PAGE, 'C');
    release(book, PAGE, 'B');
    release(book, PAGE, 'D'); /* the end is longer than the threshold, and goes back */
    release(book, PAGE, 'M');
    book->trim(0);
    draw(book, PAGE, "trim");
}

int main(void)
{
    printf("# a header; letters a block; . free; | the end. A character for %u bytes.\n", (unsigned)HEADER);
    show_holes(&first_book);
    show_holes(&best_book);
    show_holes(&next_book);
    show_break(&first_book);
    return 0;
}
