/* Every corner case of malloc's family, as the C standard and glibc have it. Prints a line for each that is otherwise,
 * then how many were asked. `corners` alone asks what every glibc does; `corners all` also what only newer ones do.
 * Built with -fno-builtin, lest the compiler answers itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void free_sized(void *block, size_t bytes) __attribute__((weak));
void free_aligned_sized(void *block, size_t align, size_t bytes) __attribute__((weak));

static int asked, wrong;

#define ASK(truth) ask((truth), #truth, __LINE__)

static void ask(int truth, const char *text, int line)
{
    asked++;
    if (truth) return;
    wrong++;
    printf("line %d: not so: %s\n", line, text);
}

static int is_aligned(const void *at, size_t align)
{
    return at && ((uintptr_t)at & (align - 1)) == 0;
}

/* Does the call return null with this error? The expression is evaluated once. */
#define FAILS(call, error) (errno = 0, (call) == NULL && errno == (error))

static int is_filled(const unsigned char *at, size_t bytes, unsigned char byte)
{
    size_t i;
    for (i = 0; i < bytes; i++)
        if (at[i] != byte) return 0;
    return 1;
}

static volatile size_t huge = SIZE_MAX, none = 0, odd = 24; /* so that no compiler warns of them */

static void ask_malloc(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1023, 1024, 1025, 4096, 131071, 131072, 1 << 20, 100 << 20};
    void *one = malloc(0), *two = malloc(0);
    size_t i;
    ASK(one && two && one != two);
    free(one);
    free(two);
    ASK(FAILS(malloc(huge), ENOMEM));
    ASK(FAILS(malloc(huge - 16), ENOMEM));
    ASK(FAILS(malloc(huge / 2 + 1), ENOMEM));
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 77;
        one = malloc(sizes[i]);
        ASK(is_aligned(one, 16) && errno == 77);
        ASK(malloc_usable_size(one) >= sizes[i]);
        memset(one, 0xa5, malloc_usable_size(one));
        free(one);
        ASK(errno == 77);
    }
    free(NULL);
    ASK(errno == 77 && malloc_usable_size(NULL) == 0);
}

static void ask_calloc(void)
{
    static const size_t sizes[] = {1, 16, 100, 1024, 5000, 200000, 1 << 20};
    unsigned char *block;
    size_t i;
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        block = (unsigned char *)malloc(sizes[i]);
        memset(block, 0xff, sizes[i]);
        free(block);
        block = (unsigned char *)calloc(sizes[i], 1);
        ASK(is_aligned(block, 16) && is_filled(block, sizes[i], 0));
        free(block);
    }
    ASK((block = (unsigned char *)calloc(0, 8)) != NULL);
    free(block);
    ASK((block = (unsigned char *)calloc(8, 0)) != NULL);
    free(block);
    ASK(FAILS(calloc(huge / 2, 3), ENOMEM));
    ASK(FAILS(calloc(huge, 1), ENOMEM));
    ASK(FAILS(calloc(huge / 2 + 1, huge / 2 + 1), ENOMEM));
}

static void ask_realloc(void)
{
    static const size_t sizes[] = {1, 30, 700, 1024, 1025, 9000, 300000, 5 << 20, 200000, 70000, 2000, 300, 20, 3};
    unsigned char *block = (unsigned char *)realloc(NULL, 20);
    size_t i, kept = 1;
    ASK(is_aligned(block, 16));
    memset(block, 0, 20);
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 77;
        block = (unsigned char *)realloc(block, sizes[i]);
        ASK(is_aligned(block, 16) && errno == 77 && malloc_usable_size(block) >= sizes[i]);
        ASK(is_filled(block, kept < sizes[i] ? kept : sizes[i], (unsigned char)i));
        memset(block, (int)i + 1, sizes[i]);
        kept = sizes[i];
    }
    ASK(FAILS(realloc(block, huge), ENOMEM));
    ASK(FAILS(realloc(block, huge / 2 + 1), ENOMEM));
    ASK(FAILS(reallocarray(block, huge / 2, 3), ENOMEM));
    ASK(is_filled(block, kept, (unsigned char)i));
    block = (unsigned char *)reallocarray(block, 100, 7);
    ASK(block && malloc_usable_size(block) >= 700);
    errno = 77;
    ASK(realloc(block, 0) == NULL && errno == 77);
    ASK((block = (unsigned char *)realloc(NULL, 0)) != NULL);
    ASK(reallocarray(block, 0, 5) == NULL);
    ASK((block = (unsigned char *)reallocarray(NULL, 3, 5)) != NULL);
    free(block);
}

static void ask_aligned(void)
{
    static const size_t sizes[] = {0, 1, 100, 1024, 5000, 200000};
    size_t align, i;
    void *block;
    for (align = 1; align <= (size_t)1 << 22; align *= 2)
        for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            block = aligned_alloc(align, sizes[i]);
            ASK(is_aligned(block, align) && is_aligned(block, 16) && malloc_usable_size(block) >= sizes[i]);
            memset(block, 1, sizes[i]);
            block = realloc(block, sizes[i] + 1);
            ASK(block && is_filled((unsigned char *)block, sizes[i], 1));
            free(block);
            block = memalign(align, sizes[i]);
            ASK(is_aligned(block, align));
            free(block);
            block = &align;
            if (align < sizeof(void *)) {
                errno = 77;
                ASK(posix_memalign(&block, align, sizes[i]) == EINVAL && block == &align && errno == 77);
            } else {
                ASK(posix_memalign(&block, align, sizes[i]) == 0 && is_aligned(block, align));
                free(block);
            }
        }
    block = &align;
    ASK(posix_memalign(&block, 0, 8) == EINVAL && posix_memalign(&block, 24, 8) == EINVAL && block == &align);
    ASK(posix_memalign(&block, 9, 8) == EINVAL);
    ASK(posix_memalign(&block, 64, huge) == ENOMEM && block == &align);
    ASK(posix_memalign(&block, (size_t)1 << 62, 8) == ENOMEM && block == &align);
    ASK(FAILS(aligned_alloc(64, huge), ENOMEM) && FAILS(aligned_alloc(64, huge - 128), ENOMEM));
    ASK(FAILS(memalign(huge / 2 + 2, 8), EINVAL) && FAILS(memalign(huge, 8), EINVAL));
    ASK(is_aligned(block = memalign(2 * odd, 8), 64));
    free(block);
    ASK(is_aligned(block = memalign(none, 8), 16));
    free(block);
}

static void ask_pages(void)
{
    void *block;
    ASK(is_aligned(block = valloc(10), 4096));
    free(block);
    ASK(is_aligned(block = valloc(0), 4096));
    free(block);
    ASK(is_aligned(block = pvalloc(4097), 4096) && malloc_usable_size(block) >= 8192);
    memset(block, 1, 8192);
    free(block);
    ASK((block = pvalloc(0)) != NULL);
    free(block);
    ASK(FAILS(valloc(huge), ENOMEM) && FAILS(pvalloc(huge), ENOMEM) && FAILS(pvalloc(huge - 4096), ENOMEM));
}

static void ask_others(void)
{
    void *block[500];
    struct mallinfo2 before, after;
    size_t i;
    before = mallinfo2();
    for (i = 0; i < 500; i++) memset(block[i] = malloc(3000), 1, 3000);
    after = mallinfo2();
    ASK(after.uordblks + after.hblkhd >= before.uordblks + before.hblkhd + 500 * 3000);
    for (i = 0; i < 500; i++) free(block[i]);
    ASK(mallinfo2().uordblks < after.uordblks);
    ASK(malloc_trim(0) == 1);
    ASK(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1 && mallopt(M_TOP_PAD, 4096) == 1);
    ASK(mallopt(M_MMAP_THRESHOLD, 65536) == 1 && mallopt(M_TRIM_THRESHOLD, -1) == 1);
}

/* What older ones, or others, do not have or do otherwise. */
static void ask_newer(void)
{
    void *const block = malloc(100000); /* the threshold is 65536 now */
    ASK(mallinfo2().hblkhd >= 100000);
    free(block);
    ASK(FAILS(aligned_alloc(none, 8), EINVAL) && FAILS(aligned_alloc(odd, 24), EINVAL));
    ASK(free_sized && free_aligned_sized);
    if (!free_sized || !free_aligned_sized) return;
    free_sized(NULL, 5);
    free_aligned_sized(NULL, 64, 64);
    free_sized(malloc(0), 0);
    free_sized(malloc(100), 100);
    free_sized(malloc(5000), 5000);
    free_sized(malloc(1 << 20), 1 << 20);
    free_sized(calloc(10, 10), 100);
    free_sized(realloc(malloc(100), 60), 60);
    free_sized(realloc(malloc(60), 100), 100);
    free_sized(realloc(malloc(9000), 600), 600);
    free_aligned_sized(aligned_alloc(64, 64), 64, 64);
    free_aligned_sized(aligned_alloc(8, 24), 8, 24);
    free_aligned_sized(aligned_alloc(4096, 8192), 4096, 8192);
}

int main(int count, char **argument)
{
    setvbuf(stdout, NULL, _IOLBF, 4096);
    ask_malloc();
    ask_calloc();
    ask_realloc();
    ask_aligned();
    ask_pages();
    ask_others();
    if (count > 1 && strcmp(argument[1], "all") == 0) {
        ask_newer();
        return wrong != 0;
    }
    printf("%d asked\n", asked);
    return wrong != 0;
}
