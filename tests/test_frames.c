/* vmm_alloc.h, section 1: the buddy, against a plain list of which frames are in use. */
#include "helper.h"
#include "vmm_alloc.h"

#define BASE UINT64_C(0x80000000)
#define MOST 300

typedef struct live {
    vmm_paddr_t paddr;
    unsigned order;
} live_t;

static uint8_t side[VMM_FRAMES_BYTES(MOST)];

static vmm_frames_t region(uint64_t count)
{
    vmm_frames_t f;
    assert_int_equal(vmm_frames_init(&f, BASE, 12, count, side, sizeof side), VMM_OK);
    assert_true(vmm_frames_check(&f));
    return f;
}

static void a_region_of_any_length_is_all_free(void **state)
{
    uint64_t count;
    (void)state;
    for (count = 1; count <= MOST; count++) {
        vmm_frames_t f = region(count);
        vmm_paddr_t paddr;
        uint64_t taken = 0;
        assert_int_equal(f.free_frames, count);
        while (vmm_frames_alloc(&f, 0, &paddr) == VMM_OK) taken++;
        assert_int_equal(taken, count);
        assert_true(vmm_frames_check(&f));
    }
}

static void bad_arguments_are_refused(void **state)
{
    vmm_frames_t f;
    vmm_paddr_t paddr = 0;
    (void)state;
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 8, NULL, 100), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 8, side, 8 * 9 + 3), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 2, 8, side, sizeof side), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 31, 8, side, sizeof side), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE + 8, 12, 8, side, sizeof side), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 0, side, sizeof side), VMM_E_RANGE);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, (UINT64_C(1) << 31) + 1, side, UINT64_MAX), VMM_E_RANGE);
    assert_int_equal(vmm_frames_init(&f, UINT64_MAX << 12, 12, 2, side, sizeof side), VMM_E_RANGE);
    f = region(64);
    assert_int_equal(vmm_frames_alloc(&f, 7, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc(&f, 32, &paddr), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_alloc(&f, 2, &paddr), VMM_OK);
    assert_int_equal(vmm_frames_free(&f, paddr + 0x1000, 2), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_free(&f, paddr + 1, 0), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_free(&f, BASE - 0x1000, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, BASE + 64 * 0x1000, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, paddr, 32), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_free(&f, paddr, 1), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, paddr, 3), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, paddr, 2), VMM_OK);
    assert_int_equal(vmm_frames_free(&f, paddr, 2), VMM_E_NOT_MAPPED);
    assert_true(vmm_frames_check(&f));
}

static void reserved_frames_are_never_handed_out(void **state)
{
    vmm_frames_t f = region(MOST);
    vmm_paddr_t paddr;
    unsigned taken = 0;
    (void)state;
    assert_int_equal(vmm_frames_reserve(&f, BASE + 7 * 0x1000, 0x1000 * 130), VMM_OK);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_reserve(&f, BASE, 0x1000 * 8), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 1, 0x1000), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_reserve(&f, BASE, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_reserve(&f, BASE, 0x1000 * (MOST + 1)), VMM_E_RANGE);
    assert_true(vmm_frames_check(&f));
    while (vmm_frames_alloc(&f, 0, &paddr) == VMM_OK) {
        assert_true(paddr < BASE + 7 * 0x1000 || paddr >= BASE + 137 * 0x1000);
        taken++;
    }
    assert_int_equal(taken, MOST - 130);
    assert_int_equal(f.lowest_free, 0);
}

static void random_blocks_are_disjoint_aligned_and_merge_again(void **state)
{
    static const uint64_t counts[] = {1, 64, 100, 255, MOST};
    uint64_t random = 7;
    size_t c;
    (void)state;
    for (c = 0; c < sizeof counts / sizeof *counts; c++) {
        vmm_frames_t f = region(counts[c]);
        live_t live[MOST];
        uint8_t used[MOST] = {0};
        unsigned lives = 0, step, i;
        for (step = 0; step < 3000; step++) {
            const unsigned order = (unsigned)(helper_random(&random) % 5);
            if (helper_random(&random) % 2 && lives) {
                const unsigned at = (unsigned)(helper_random(&random) % lives);
                const uint64_t first = (live[at].paddr - BASE) >> 12;
                assert_int_equal(vmm_frames_free(&f, live[at].paddr, live[at].order), VMM_OK);
                for (i = 0; i < 1u << live[at].order; i++) used[first + i] = 0;
                live[at] = live[--lives];
            } else if (vmm_frames_alloc(&f, order, &live[lives].paddr) == VMM_OK) {
                const uint64_t first = (live[lives].paddr - BASE) >> 12;
                assert_int_equal(first % (1u << order), 0);
                assert_true(first + (1u << order) <= counts[c]);
                for (i = 0; i < 1u << order; i++) {
                    assert_int_equal(used[first + i], 0);
                    used[first + i] = 1;
                }
                live[lives++].order = order;
            } else { /* none: then no aligned run of free frames is there */
                uint64_t first;
                for (first = 0; first + (1u << order) <= counts[c]; first += 1u << order) {
                    for (i = 0; i < 1u << order && !used[first + i];) i++;
                    assert_true(i < 1u << order);
                }
            }
            assert_true(vmm_frames_check(&f));
        }
        while (lives--) assert_int_equal(vmm_frames_free(&f, live[lives].paddr, live[lives].order), VMM_OK);
        assert_true(vmm_frames_check(&f));
        assert_int_equal(f.free_frames, counts[c]);
        assert_int_equal(__builtin_popcount(f.orders), __builtin_popcountll(counts[c]));
    }
}

static void take_and_give_round_up_to_blocks(void **state)
{
    vmm_frames_t f = region(16);
    vmm_paddr_t one, two;
    (void)state;
    assert_int_equal(vmm_frames_take(&f, 512, &one), 0);
    assert_int_equal(vmm_frames_take(&f, 0x4000, &two), 0);
    assert_int_equal(two % 0x4000, 0);
    assert_int_equal(f.free_frames, 11);
    vmm_frames_give(&f, one, 512);
    vmm_frames_give(&f, two, 0x4000);
    assert_int_equal(f.free_frames, 16);
    assert_int_equal(vmm_frames_take(&f, 0x20000, &one), 1);
}

static void a_damaged_region_is_found(void **state)
{
    vmm_frames_t f = region(64);
    vmm_paddr_t paddr;
    (void)state;
    assert_int_equal(vmm_frames_alloc(&f, 0, &paddr), VMM_OK);
    f.free_frames++;
    assert_false(vmm_frames_check(&f));
    f.free_frames--;
    f.orders ^= 1;
    assert_false(vmm_frames_check(&f));
    f.orders ^= 1;
    f.state[5] = 1;
    assert_false(vmm_frames_check(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_of_any_length_is_all_free),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(reserved_frames_are_never_handed_out),
        cmocka_unit_test(random_blocks_are_disjoint_aligned_and_merge_again),
        cmocka_unit_test(take_and_give_round_up_to_blocks),
        cmocka_unit_test(a_damaged_region_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
