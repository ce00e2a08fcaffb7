/* Threads that allocate, reallocate and free, pass blocks to each other, and fork while the others go on. Each block
 * carries its size and is filled, and is checked by whoever has it. Prints what does not depend on timing. The argument
 * is how often to fork: 0 for a sanitizer that cannot follow. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define TURNS 40000
#define OWN 200
#define SHARED 64

typedef struct block {
    size_t bytes;
    unsigned char filling[];
} block_t;

static struct {
    pthread_mutex_t lock;
    block_t *block[SHARED];
} shelf = {PTHREAD_MUTEX_INITIALIZER, {0}};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Mostly small, sometimes large enough to be mapped. */
static size_t some_size(uint32_t *random)
{
    const uint32_t kind = next_random(random) % 1000;
    const size_t most = kind < 900 ? 500 : kind < 998 ? 9000 : 400000;
    return sizeof(block_t) + next_random(random) % most;
}

static void fill(block_t *block, size_t bytes)
{
    block->bytes = bytes;
    memset(block->filling, (int)(bytes % 251), bytes - sizeof *block);
}

static void check(const block_t *block, size_t bytes)
{
    size_t i;
    for (i = 0; i < bytes - sizeof *block; i++)
        if (block->filling[i] != block->bytes % 251) {
            printf("a block of %zu bytes holds what it should not\n", block->bytes);
            fflush(stdout);
            _exit(1);
        }
}

static block_t *turn(block_t *block, uint32_t *random)
{
    const size_t bytes = some_size(random);
    if (!block) {
        block = (block_t *)(next_random(random) % 4 ? malloc(bytes) : aligned_alloc(64, (bytes + 63) & ~(size_t)63));
        if (!block) abort();
        fill(block, bytes);
        return block;
    }
    if (next_random(random) % 3 == 0) {
        const size_t had = block->bytes;
        block = (block_t *)realloc(block, bytes);
        if (!block) abort();
        check(block, had < bytes ? had : bytes);
        fill(block, bytes);
        return block;
    }
    check(block, block->bytes);
    free(block);
    return NULL;
}

static void *work(void *seed)
{
    block_t *own[OWN] = {0};
    uint32_t random = (uint32_t)(uintptr_t)seed, i;
    for (i = 0; i < TURNS; i++) {
        block_t **const mine = &own[next_random(&random) % OWN];
        *mine = turn(*mine, &random);
        if (i % 4 == 0) {
            block_t **const theirs = &shelf.block[next_random(&random) % SHARED], *swapped;
            pthread_mutex_lock(&shelf.lock);
            swapped = *theirs;
            *theirs = *mine;
            *mine = swapped;
            pthread_mutex_unlock(&shelf.lock);
        }
    }
    for (i = 0; i < OWN; i++) {
        if (own[i]) check(own[i], own[i]->bytes);
        free(own[i]);
    }
    return NULL;
}

/* The child finds a heap that works, alone and with threads of its own. */
static int in_child(void)
{
    pthread_t thread;
    block_t *own[OWN] = {0};
    uint32_t random = 99, i;
    for (i = 0; i < 2000; i++) own[i % OWN] = turn(own[i % OWN], &random);
    for (i = 0; i < OWN; i++) free(own[i]);
    if (pthread_create(&thread, NULL, work, (void *)(uintptr_t)7) || pthread_join(thread, NULL)) return 2;
    return 0;
}

int main(int count, char **argument)
{
    const int forks = count > 1 ? atoi(argument[1]) : 10;
    pthread_t thread[THREADS];
    uintptr_t i;
    int forked, good = 0;
    for (i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, (void *)(i + 1))) return 1;
    for (forked = 0; forked < forks; forked++) {
        int status = -1;
        pid_t child;
        pthread_mutex_lock(&shelf.lock); /* so that the child finds it whole, and its own */
        child = fork();
        pthread_mutex_unlock(&shelf.lock);
        if (child == 0) _exit(in_child());
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0) good++;
    }
    for (i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    for (i = 0; i < SHARED; i++) {
        if (shelf.block[i]) check(shelf.block[i], shelf.block[i]->bytes);
        free(shelf.block[i]);
    }
    printf("%d threads, %d of %d children did their work\n", THREADS, good, forks);
    return good == forks ? 0 : 1;
}
