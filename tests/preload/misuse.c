/* Does with malloc's family what nobody may; the argument tells what. Built with -fno-builtin. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void free_sized(void *block, size_t bytes) __attribute__((weak));

static void *nothing(void *argument)
{
    return argument;
}

/* Allocates, which a lock that is still taken would not let it. */
static void on_abort(int signal)
{
    char *const text = (char *)malloc(100);
    (void)signal;
    strcpy(text, "the handler could allocate\n");
    if (write(1, text, strlen(text)) < 0) _exit(2);
    _exit(0);
}

int main(int count, char **argument)
{
    static long of_the_program[64];
    const char *const what = count > 1 ? argument[1] : "";
    const size_t bytes = strstr(what, "large") ? 5000 : 50;
    char *volatile block = (char *)malloc(bytes), *volatile other = (char *)malloc(bytes);
    pthread_t thread;
    if (strstr(what, "threads")) {
        if (pthread_create(&thread, NULL, nothing, NULL)) return 3;
        signal(SIGABRT, on_abort);
    }
    if (strstr(what, "twice")) {
        free(block);
        free(block);
    } else if (strstr(what, "later")) {
        free(block);
        free(other);
        free(block);
    } else if (strstr(what, "realloc freed")) {
        free(block);
        block = (char *)realloc(block, 2 * bytes);
    } else if (strstr(what, "foreign")) {
        free((char *)of_the_program + 48);
    } else if (strstr(what, "inside")) {
        free(block + 16);
    } else if (strstr(what, "overrun")) {
        memset(block + bytes, 1, strstr(what, "by one") ? 1 : 40);
        free(block);
    } else if (strstr(what, "wrong size")) {
        if (!free_sized) return 3;
        free_sized(block, 4 * bytes);
    } else if (strstr(what, "use after free")) {
        size_t i;
        free(block);
        block[3] = 1;
        for (i = 0; i < 100000; i++) free(malloc(bytes));
    }
    free(other);
    return 0;
}
