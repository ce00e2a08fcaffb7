/* compute.c - work for the bench: a sieve, a sort, a hash table, products of matrices and a list that is followed, in
 * supervisor mode, on pages of 4 KiB under Sv39. With BARE the same without translation; ROUNDS says how often. */
#include "kernel.h"

#ifndef ROUNDS
#define ROUNDS 1
#endif
#define HEAP_AT UINT64_C(0x84000000)
#define HEAP_BYTES (UINT64_C(16) << 20)

VMM_TABLES(pt, vmm_sv39)

static vmm_tables_t tables;
static uint8_t lower_stack[16384] __attribute__((aligned(16)));

void trap(frame_t *frame, uint64_t cause, uint64_t tval, unsigned mode)
{
    expect(is_run_in_end(frame, cause), true);
    expect(mode, MACHINE);
    (void)tval;
    run_in_end(frame);
}

static uint64_t sieve(uint8_t *composite, uint64_t limit)
{
    uint64_t count = 0, i, j;
    for (i = 0; i < limit; i++) composite[i] = 0;
    for (i = 2; i < limit; i++) {
        if (composite[i]) continue;
        count++;
        for (j = i * i; j < limit; j += i) composite[j] = 1;
    }
    return count;
}

static void sort(uint64_t *values, int64_t low, int64_t high)
{
    while (low < high) {
        const uint64_t pivot = values[(low + high) / 2];
        int64_t i = low - 1, j = high + 1;
        for (;;) {
            uint64_t t;
            do i++;
            while (values[i] < pivot);
            do j--;
            while (values[j] > pivot);
            if (i >= j) break;
            t = values[i];
            values[i] = values[j];
            values[j] = t;
        }
        sort(values, low, j);
        low = j + 1;
    }
}

static uint64_t sorted(uint64_t *values, uint64_t count)
{
    uint64_t seed = 99, sum = 0, i;
    for (i = 0; i < count; i++) values[i] = next_random(&seed);
    sort(values, 0, (int64_t)count - 1);
    for (i = 0; i < count; i += 97) sum = mix(sum, values[i]);
    return sum;
}

static uint64_t hashed(uint64_t *table, uint64_t slots, uint64_t keys)
{
    uint64_t seed = 7, found = 0, i, at;
    for (i = 0; i < slots; i++) table[i] = 0;
    for (i = 0; i < keys; i++) {
        const uint64_t key = next_random(&seed) % (keys / 2) + 1;
        for (at = mix(0x1234, key) % slots; table[at] && table[at] != key; at = at + 1 == slots ? 0 : at + 1) {}
        found += table[at] == key;
        table[at] = key;
    }
    return found;
}

static uint64_t multiplied(uint64_t *a, uint64_t n)
{
    uint64_t *const b = a + n * n, *const c = b + n * n;
    uint64_t sum = 0, i, j, k;
    for (i = 0; i < n * n; i++) {
        a[i] = i * 3 + 1;
        b[i] = i ^ 0x55;
    }
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) {
            uint64_t total = 0;
            for (k = 0; k < n; k++) total += a[i * n + k] * b[k * n + j];
            c[i * n + j] = total;
        }
    for (i = 0; i < n * n; i += 7) sum = mix(sum, c[i]);
    return sum;
}

/* A list whose nodes lie all over 16 MiB. */
static uint64_t followed(uint64_t *nodes, uint64_t count, uint64_t steps)
{
    uint64_t at = 0, sum = 0, i;
    for (i = 0; i < count; i++) nodes[i * 8] = (i * 40503 + 12345) % count;
    for (i = 0; i < steps; i++) {
        at = nodes[at * 8];
        sum += at;
    }
    return sum;
}

static uint64_t work(uint64_t heap_at)
{
    uint64_t *const heap = (uint64_t *)(uintptr_t)heap_at;
    uint64_t sum = 0, round;
    for (round = 0; round < ROUNDS; round++) {
        sum = mix(sum, sieve((uint8_t *)heap, 3000000));
        sum = mix(sum, sorted(heap, 200000));
        sum = mix(sum, hashed(heap, 1 << 18, 200000));
        sum = mix(sum, multiplied(heap, 120));
        sum = mix(sum, followed(heap, HEAP_BYTES / 64, 1000000));
    }
    return sum;
}

#ifndef BARE
static uint64_t supervise(uint64_t satp)
{
    csr_write(satp, satp);
    __asm__ volatile("sfence.vma" ::: "memory");
    return work(UINT64_C(1) << 36);
}
#endif

int main(void)
{
    uint64_t sum;
    kernel_frames();
    kernel_tables(&tables);
    expect(pt_create(&tables), VMM_OK);
    KERNEL_MAP(pt_map, &tables);
    expect(pt_map(&tables, UINT64_C(1) << 36, HEAP_AT, HEAP_BYTES, DATA_FLAGS | VMM_NO_HUGE), VMM_OK);
#ifdef BARE
    sum = run_in(SUPERVISOR, work, HEAP_AT, lower_stack + sizeof lower_stack);
#else
    sum = run_in(SUPERVISOR, supervise, UINT64_C(8) << 60 | tables.root >> 12, lower_stack + sizeof lower_stack);
    csr_write(satp, 0);
#endif
    put("sum ");
    put_number(sum, 16);
    put("\n");
    return passed("compute");
}
