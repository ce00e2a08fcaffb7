/* work.c - a program with something of every pattern: a product of matrices, a list walked in random order, a sort, and
 * words that cross from one block to the next. Prints nothing that depends on where it lies. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 40
#define NODES 3000

static double a[N][N], b[N][N], product[N][N];

typedef struct node {
    struct node *next;
    uint64_t value[3];
} node_t;

static uint32_t state = 1;

static uint32_t number(void)
{
    return state = state * 1664525u + 1013904223u;
}

static void matrices(void)
{
    int i, j, k;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++) a[i][j] = i + j, b[i][j] = i - j;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++)
            for (k = 0; k < N; k++) product[i][j] += a[i][k] * b[k][j];
}

static uint64_t list(void)
{
    node_t *all = malloc(NODES * sizeof *all), *at = all;
    uint64_t sum = 0;
    uint32_t i;
    for (i = 0; i < NODES; i++) { /* one cycle through all: 1009 and 3000 have no common divisor */
        all[i].next = &all[(i + 1009) % NODES];
        all[i].value[0] = number();
    }
    for (i = 0; i < 3 * NODES; i++, at = at->next) sum += at->value[0]++;
    free(all);
    return sum;
}

static int compare(const void *one, const void *other)
{
    const uint32_t x = *(const uint32_t *)one, y = *(const uint32_t *)other;
    return (x > y) - (x < y);
}

static uint64_t crossing(void)
{
    static unsigned char bytes[8192];
    uint64_t word, sum = 0;
    size_t i;
    for (i = 0; i + 8 <= sizeof bytes; i += 13) {
        memcpy(&word, bytes + i, 8);
        word += i;
        memcpy(bytes + i, &word, 8);
        sum ^= word;
    }
    return sum;
}

int main(void)
{
    static uint32_t numbers[2000];
    size_t i;
    matrices();
    for (i = 0; i < 2000; i++) numbers[i] = number();
    qsort(numbers, 2000, sizeof *numbers, compare);
    printf("%g %llu %u %llu\n", product[3][4], (unsigned long long)list(), (unsigned)numbers[7],
           (unsigned long long)crossing());
    return 0;
}
