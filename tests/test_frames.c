/* vmm_alloc.h, section 1: the buddy, against a plain table of who has which frame. Compiled twice: here
 * with lists, by test_frames_bitmaps.c with bitmaps. */
#include "helper.h"

static unsigned long steps;
#define VMM_ALLOC_STEP() ((void)steps++)
#include "vmm_alloc.h"

#define BASE UINT64_C(0x80000000)
#define PAGE UINT64_C(0x1000)
#define MOST 300

static uint8_t side[VMM_FRAMES_BYTES(MOST)], other_side[VMM_FRAMES_BYTES(MOST)], third_side[VMM_FRAMES_BYTES(MOST)];

static void make(vmm_frames_t *f, vmm_paddr_t base, uint64_t count, uint8_t *bytes)
{
    assert_int_equal(vmm_frames_init(f, base, 12, count, bytes, VMM_FRAMES_BYTES(MOST)), VMM_OK);
    assert_true(vmm_frames_check(f));
}

static vmm_frames_t region(uint64_t count)
{
    vmm_frames_t f;
    make(&f, BASE, count, side);
    return f;
}

static uint64_t alloc(vmm_frames_t *f, unsigned order)
{
    vmm_paddr_t paddr = 1;
    assert_int_equal(vmm_frames_alloc(f, order, &paddr), VMM_OK);
    assert_true(vmm_frames_check(f));
    return paddr;
}

/* ------------------------------------------------------------------------ regions -- */

static void a_region_of_any_length_is_all_free(void **state)
{
    uint64_t count;
    (void)state;
    for (count = 1; count <= MOST; count++) {
        vmm_frames_t f = region(count);
        vmm_paddr_t paddr = 0;
        uint64_t taken = 0;
        assert_int_equal(f.free_frames, count);
        assert_int_equal(1 << vmm_frames_largest(&f), 1 << (63 - __builtin_clzll(count)));
        while (vmm_frames_alloc(&f, 0, &paddr) == VMM_OK) taken++;
        assert_int_equal(taken, count);
        assert_int_equal(vmm_frames_largest(&f), -1);
        assert_true(vmm_frames_check(&f));
    }
}

static void pages_may_have_any_size_and_the_last_byte_of_memory_may_be_managed(void **state)
{
    unsigned shift;
    (void)state;
    for (shift = 3; shift <= 30; shift++) {
        const uint64_t base = UINT64_MAX - (UINT64_C(64) << shift) + 1;
        vmm_frames_t f;
        vmm_paddr_t low = 0, high = 0;
        assert_int_equal(vmm_frames_init(&f, base, shift, 64, side, sizeof side), VMM_OK);
        assert_int_equal(vmm_frames_alloc(&f, 5, &low), VMM_OK);
        assert_int_equal(vmm_frames_alloc(&f, 5, &high), VMM_OK);
        assert_int_equal(low ^ high, UINT64_C(32) << shift);
        assert_int_equal(vmm_frames_free(&f, high, 5), VMM_OK);
        assert_int_equal(vmm_frames_free(&f, low + (UINT64_C(1) << (shift - 1)), 5), VMM_E_ALIGN);
        assert_int_equal(vmm_frames_free(&f, low, 5), VMM_OK);
        assert_true(vmm_frames_check(&f));
    }
}

static void the_side_array_is_as_small_as_promised_and_never_left(void **state)
{
    static const uint64_t counts[] = {1, 2, 31, 32, 33, 133, 1024, 1055, 32768, 100003};
    size_t c, skew;
    (void)state;
    for (c = 0; c < sizeof counts / sizeof *counts; c++)
        for (skew = 0; skew < 4; skew++) {
            const uint64_t bytes = VMM_FRAMES_BYTES(counts[c]);
            uint8_t *memory = (uint8_t *)malloc((size_t)bytes + skew); /* its end is watched by the sanitizer */
            vmm_paddr_t paddr = 0;
            vmm_frames_t f;
            assert_non_null(memory);
            assert_int_equal(vmm_frames_init(&f, BASE, 12, counts[c], memory + skew, bytes), VMM_OK);
            assert_true(f.state + f.count <= memory + skew + bytes);
            assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + (counts[c] - 1) * PAGE), VMM_OK);
            while (vmm_frames_alloc(&f, 3, &paddr) == VMM_OK) {}
            assert_true(vmm_frames_check(&f));
            if (VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS) assert_true(bytes <= 9 * counts[c] + 4);
            else if (counts[c] >= 133) assert_true(2 * bytes <= 3 * counts[c]);
            free(memory);
        }
}

static void a_bad_region_is_refused(void **state)
{
    vmm_frames_t f;
    (void)state;
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 8, NULL, 100), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 8, side, VMM_FRAMES_BYTES(8) - 1), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 2, 8, side, sizeof side), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE, 31, 8, side, sizeof side), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_init(&f, BASE + 8, 12, 8, side, sizeof side), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, 0, side, sizeof side), VMM_E_RANGE);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, (UINT64_C(1) << 31) + 1, side, UINT64_MAX), VMM_E_RANGE);
    assert_int_equal(vmm_frames_init(&f, UINT64_MAX << 12, 12, 2, side, sizeof side), VMM_E_RANGE);
}

static void regions_are_joined_unless_they_overlap(void **state)
{
    vmm_frames_t f = region(64), second, third, small;
    vmm_paddr_t paddr = 0;
    (void)state;
    make(&second, BASE + 63 * PAGE, 64, other_side);
    assert_int_equal(vmm_frames_join(&f, &second), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_join(&second, &f), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_join(&f, &f), VMM_E_MAPPED);
    make(&second, BASE + 64 * PAGE, 64, other_side); /* touching is not overlapping, and nothing merges across */
    assert_int_equal(vmm_frames_join(&f, &second), VMM_OK);
    assert_int_equal(vmm_frames_join(&f, &second), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_init(&small, 0, 10, 8, third_side, sizeof third_side), VMM_OK);
    assert_int_equal(vmm_frames_join(&f, &small), VMM_E_ARGUMENT);
    make(&third, BASE + 127 * PAGE, 64, third_side);
    assert_int_equal(vmm_frames_join(&f, &third), VMM_E_MAPPED); /* with the second */
    make(&third, 0, 128, third_side);
    assert_int_equal(vmm_frames_join(&f, &third), VMM_OK);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_largest(&f), 7);
    assert_int_equal(alloc(&f, 7), 0);
    assert_int_equal(alloc(&f, 6), BASE);
    assert_int_equal(alloc(&f, 6), BASE + 64 * PAGE);
    assert_int_equal(vmm_frames_alloc(&f, 0, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, 0x90000000), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, BASE + 64 * PAGE, 6), VMM_OK);
    assert_int_equal(second.free_frames, 64);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 60 * PAGE, 8 * PAGE), VMM_E_RANGE); /* across two regions */
    second.page_shift = 13;
    assert_false(vmm_frames_check(&f));
    second.page_shift = 12;
    second.next = &second;
    assert_false(vmm_frames_check(&f));
}

/* --------------------------------------------------------------------- bad requests -- */

static void every_wrong_call_is_refused_and_changes_nothing(void **state)
{
    static uint8_t before[sizeof side];
    vmm_frames_t f = region(64), same;
    const vmm_paddr_t block = alloc(&f, 2), reserved = BASE + 32 * PAGE, shared = alloc(&f, 1);
    vmm_paddr_t paddr = 7;
    unsigned order = 7;
    (void)state;
    assert_int_equal(vmm_frames_reserve(&f, reserved, 4 * PAGE), VMM_OK);
    assert_int_equal(vmm_frames_share(&f, shared), VMM_OK);
    same = f;
    memcpy(before, side, sizeof side);
    assert_int_equal(vmm_frames_alloc(&f, 6, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc(&f, 32, &paddr), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_alloc(&f, UINT32_MAX, &paddr), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_alloc_below(&f, 32, UINT64_MAX, &paddr), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_alloc_below(&f, 0, BASE, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_below(&f, 0, 0, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_at(&f, 32, BASE), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, block), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, block + PAGE), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, reserved), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_alloc_at(&f, 3, BASE), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_alloc_at(&f, 1, BASE + 9 * PAGE), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + 9 * PAGE + 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + 64 * PAGE), VMM_E_RANGE);
    assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE - 1), VMM_E_RANGE);
    assert_int_equal(vmm_frames_alloc_at(&f, 7, BASE), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, block + PAGE, 2), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_free(&f, block + 1, 0), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_free(&f, block + PAGE, 0), VMM_E_NOT_MAPPED); /* interior */
    assert_int_equal(vmm_frames_free(&f, shared + PAGE, 0), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, BASE - PAGE, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, BASE + 64 * PAGE, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, BASE + 56 * PAGE, 4), VMM_E_RANGE);
    assert_int_equal(vmm_frames_free(&f, block, 32), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_free(&f, shared, 32), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_free(&f, shared, 33), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_free(&f, block, 1), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, block, 3), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, BASE + 48 * PAGE, 4), VMM_E_NOT_MAPPED); /* free */
    assert_int_equal(vmm_frames_free(&f, reserved, 0), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, shared, 0), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free(&f, shared, 1), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_free_any(&f, shared), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_free_any(&f, block + PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_free_any(&f, block + 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_free_any(&f, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_order(&f, reserved, &order), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_order(&f, shared + PAGE, &order), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_split(&f, block, 2, 3), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_split(&f, block, 32, 0), VMM_E_ARGUMENT);
    assert_int_equal(vmm_frames_split(&f, block, 1, 0), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_split(&f, block + PAGE, 1, 0), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_split(&f, 0, 1, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_split(&f, shared, 1, 0), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_share(&f, block + PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_share(&f, block + 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_share(&f, BASE + 64 * PAGE), VMM_E_RANGE);
    assert_int_equal(vmm_frames_unshare(&f, reserved), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_unshare(&f, shared + PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_unshare(&f, BASE + 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_unshare(&f, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_owners(&f, shared + PAGE), 0);
    assert_int_equal(vmm_frames_reserve(&f, BASE, PAGE * 5), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_reserve(&f, reserved - PAGE, PAGE * 2), VMM_E_MAPPED);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 1, PAGE), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_reserve(&f, BASE, PAGE + 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 48 * PAGE, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 48 * PAGE, PAGE * 17), VMM_E_RANGE);
    assert_int_equal(vmm_frames_reserve(&f, BASE - PAGE, PAGE * 2), VMM_E_RANGE);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 48 * PAGE, 0 - PAGE), VMM_E_RANGE);
    assert_int_equal(vmm_frames_release(&f, reserved, PAGE * 5), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_release(&f, shared + PAGE, PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_release(&f, reserved, 1), VMM_E_ALIGN);
    assert_int_equal(vmm_frames_release(&f, reserved, 0), VMM_E_RANGE);
    assert_int_equal(vmm_frames_alloc_many(&f, &paddr, 0), 0);
    paddr = block;
    assert_int_equal(vmm_frames_free_many(&f, &paddr, 1), 0);
    paddr = 7;
    assert_int_equal(vmm_frames_free_many(&f, &paddr, 1), 0);
    assert_int_equal(vmm_frames_take(&f, UINT64_MAX, &paddr), 1);
    vmm_frames_give(&f, block, UINT64_MAX);
    assert_int_equal(paddr, 7);
    assert_int_equal(order, 7);
    assert_memory_equal(before, side, sizeof side);
    assert_memory_equal(&same, &f, sizeof f);
    assert_int_equal(vmm_frames_free(&f, block, 2), VMM_OK);
    assert_int_equal(vmm_frames_free(&f, block, 2), VMM_E_NOT_MAPPED);
    assert_true(vmm_frames_check(&f));
}

/* ------------------------------------------------------------------- what each does -- */

/* Wikipedia, "Buddy memory allocation", the example: blocks of 64 KiB, 16 of them. Requests of 34, 66, 35
 * and 67 KiB are A to D; which blocks are free after each step. */
static void the_example_of_the_encyclopedia_goes_as_printed(void **state)
{
    static const struct {
        int request;     /* A to D are 0 to 3 */
        int kib;         /* 0: it is freed */
        uint64_t at_kib; /* where it lies */
        unsigned order;  /* of what is taken or freed */
        uint64_t waste;  /* KiB of internal fragmentation */
        int free_kib[5]; /* the free block of each order, -1: none; order 1 may have two */
        int second;      /* the second of order 1 */
    } rows[] = {
        {0, 34, 0, 0, 30, {64, 128, 256, 512, -1}, -1}, {1, 66, 128, 1, 62, {64, -1, 256, 512, -1}, -1},
        {2, 35, 64, 0, 29, {-1, -1, 256, 512, -1}, -1}, {3, 67, 256, 1, 61, {-1, 384, -1, 512, -1}, -1},
        {1, 0, 128, 1, 0, {-1, 128, -1, 512, -1}, 384}, {3, 0, 256, 1, 0, {-1, 128, 256, 512, -1}, -1},
        {0, 0, 0, 0, 0, {0, 128, 256, 512, -1}, -1},    {2, 0, 64, 0, 0, {-1, -1, -1, -1, 0}, -1},
    };
    vmm_frames_t f;
    size_t r;
    (void)state;
    assert_int_equal(vmm_frames_init(&f, 0, 16, 16, side, sizeof side), VMM_OK);
    for (r = 0; r < sizeof rows / sizeof *rows; r++) {
        const uint64_t bytes = (uint64_t)rows[r].kib << 10, at = rows[r].at_kib << 10;
        vmm_frames_usage_t usage;
        uint64_t blocks = 0, expected = 0;
        vmm_paddr_t paddr = 0;
        unsigned order;
        if (bytes) {
            assert_int_equal(vmm_frames_take(&f, bytes, &paddr), 0);
            assert_int_equal(paddr, at);
            assert_int_equal(vmm_frames_order(&f, paddr, &order), VMM_OK);
            assert_int_equal(order, rows[r].order);
            assert_int_equal((UINT64_C(65536) << order) - bytes, rows[r].waste << 10);
        } else {
            assert_int_equal(vmm_frames_free(&f, at, rows[r].order), VMM_OK);
        }
        vmm_frames_measure(&f, &usage);
        for (order = 0; order < 5; order++) {
            const bool listed = rows[r].free_kib[order] >= 0;
            if (listed) assert_int_equal(f.state[rows[r].free_kib[order] / 64], order + 1);
            assert_int_equal(usage.blocks[order], (order == 1 && rows[r].second >= 0) + listed);
            blocks += usage.blocks[order] << order;
            expected += (uint64_t)listed << order;
        }
        if (rows[r].second >= 0) assert_int_equal(f.state[rows[r].second / 64], 2);
        assert_int_equal(blocks, expected + (rows[r].second >= 0 ? 2 : 0));
        assert_true(vmm_frames_check(&f));
    }
}

static void reserved_frames_are_handed_out_only_after_their_release(void **state)
{
    vmm_frames_t f = region(MOST);
    vmm_paddr_t paddr = 0;
    unsigned taken = 0;
    (void)state;
    assert_int_equal(vmm_frames_reserve(&f, BASE + 7 * PAGE, PAGE * 130), VMM_OK);
    assert_true(vmm_frames_check(&f));
    while (vmm_frames_alloc(&f, 0, &paddr) == VMM_OK) {
        assert_true(paddr < BASE + 7 * PAGE || paddr >= BASE + 137 * PAGE);
        taken++;
    }
    assert_int_equal(taken, MOST - 130);
    assert_int_equal(f.lowest_free, 0);
    assert_int_equal(vmm_frames_release(&f, BASE + 64 * PAGE, PAGE * 64), VMM_OK); /* a part of it */
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_largest(&f), 6);
    assert_int_equal(vmm_frames_release(&f, BASE + 64 * PAGE, PAGE), VMM_E_NOT_MAPPED);
    assert_int_equal(alloc(&f, 6), BASE + 64 * PAGE);
}

static void a_block_is_taken_at_its_address_and_the_rest_stays_free(void **state)
{
    uint64_t frame;
    (void)state;
    for (frame = 0; frame < 64; frame += 4) {
        vmm_frames_t f = region(64);
        vmm_frames_usage_t usage;
        assert_int_equal(vmm_frames_alloc_at(&f, 2, BASE + frame * PAGE), VMM_OK);
        assert_true(vmm_frames_check(&f));
        vmm_frames_measure(&f, &usage);
        assert_int_equal(usage.blocks[2] + 2 * usage.blocks[3] + 4 * usage.blocks[4] + 8 * usage.blocks[5], 15);
        assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + (frame + 1) * PAGE), VMM_E_MAPPED);
        assert_int_equal(vmm_frames_free(&f, BASE + frame * PAGE, 2), VMM_OK);
        assert_int_equal(vmm_frames_largest(&f), 6);
    }
}

static void a_device_gets_only_what_it_can_reach(void **state)
{
    vmm_frames_t high, low;
    vmm_paddr_t paddr = 0;
    uint64_t i;
    (void)state;
    make(&high, BASE, 64, side);
    make(&low, 0, 64, other_side);
    assert_int_equal(vmm_frames_join(&high, &low), VMM_OK);
    for (i = 0; i < 3; i++) { /* 0 to 11 and half a block more, all of it free: three blocks of 4 frames */
        assert_int_equal(vmm_frames_alloc_below(&high, 2, 14 * PAGE + 5, &paddr), VMM_OK);
        assert_true(paddr + 4 * PAGE <= 14 * PAGE + 5 && paddr % (4 * PAGE) == 0);
        assert_true(vmm_frames_check(&high));
    }
    assert_int_equal(vmm_frames_alloc_below(&high, 2, 14 * PAGE + 5, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_below(&high, 1, 14 * PAGE, &paddr), VMM_OK);
    assert_int_equal(paddr, 12 * PAGE);
    assert_int_equal(vmm_frames_alloc_below(&high, 5, BASE, &paddr), VMM_OK); /* the low region as a whole */
    assert_int_equal(paddr, 32 * PAGE);
    assert_int_equal(vmm_frames_alloc_below(&high, 5, BASE, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_below(&high, 5, BASE + 32 * PAGE, &paddr), VMM_OK);
    assert_int_equal(paddr, BASE);
    assert_int_equal(vmm_frames_alloc_below(&high, 5, BASE + 63 * PAGE, &paddr), VMM_E_NO_FRAME);
    assert_int_equal(vmm_frames_alloc_below(&high, 5, UINT64_MAX, &paddr), VMM_OK);
    assert_true(vmm_frames_check(&high));
}

static void a_split_block_is_freed_in_pieces_that_merge_again(void **state)
{
    vmm_frames_t f = region(64);
    const vmm_paddr_t block = alloc(&f, 5);
    uint64_t i;
    (void)state;
    assert_int_equal(vmm_frames_split(&f, block, 5, 5), VMM_OK);
    assert_int_equal(vmm_frames_split(&f, block, 5, 3), VMM_OK);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_free(&f, block, 5), VMM_E_NOT_MAPPED);
    assert_int_equal(vmm_frames_split(&f, block + 8 * PAGE, 3, 0), VMM_OK);
    for (i = 8; i < 16; i++) assert_int_equal(vmm_frames_free_any(&f, block + i * PAGE), VMM_OK);
    for (i = 0; i < 32; i += 8)
        assert_int_equal(vmm_frames_free(&f, block + i * PAGE, 3), i == 8 ? VMM_E_NOT_MAPPED : VMM_OK);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_largest(&f), 6);
}

static void the_last_owner_of_a_shared_block_frees_it(void **state)
{
    unsigned order;
    (void)state;
    for (order = 0; order < 3; order++) {
        vmm_frames_t f = region(8);
        const vmm_paddr_t block = alloc(&f, order), neighbour = alloc(&f, order);
        vmm_frames_usage_t usage;
        uint32_t owners;
        unsigned told;
        assert_int_equal(vmm_frames_owners(&f, block), 1);
        for (owners = 2; owners <= 64; owners++) { /* the limit of the bitmaps */
            assert_int_equal(vmm_frames_share(&f, block), VMM_OK);
            assert_int_equal(vmm_frames_owners(&f, block), owners);
            assert_int_equal(vmm_frames_free(&f, block, order), VMM_E_MAPPED);
            assert_true(vmm_frames_check(&f));
        }
        assert_int_equal(vmm_frames_share(&f, block), VMM_FRAMES_MOST_OWNERS == 64 ? VMM_E_RANGE : VMM_OK);
        if (VMM_FRAMES_MOST_OWNERS > 64) assert_int_equal(vmm_frames_unshare(&f, block), VMM_OK);
        assert_int_equal(vmm_frames_order(&f, block, &told), VMM_OK);
        assert_int_equal(told, order);
        assert_int_equal(vmm_frames_owners(&f, neighbour), 1);
        vmm_frames_measure(&f, &usage);
        assert_int_equal(usage.shared, 1 << order);
        for (owners = 63; owners > 0; owners--) {
            assert_int_equal(vmm_frames_unshare(&f, block), VMM_OK);
            assert_int_equal(vmm_frames_owners(&f, block), owners);
            assert_true(vmm_frames_check(&f));
        }
        assert_int_equal(vmm_frames_unshare(&f, block), VMM_OK);
        assert_int_equal(vmm_frames_unshare(&f, block), VMM_E_NOT_MAPPED);
        assert_int_equal(vmm_frames_free(&f, neighbour, order), VMM_OK); /* one owner: freed either way */
        assert_true(vmm_frames_check(&f));
        assert_int_equal(vmm_frames_largest(&f), 3);
    }
}

static void owners_are_counted_up_to_the_limit_and_no_further(void **state)
{
    vmm_frames_t f = region(8);
    const vmm_paddr_t block = alloc(&f, 1);
    (void)state;
    assert_int_equal(vmm_frames_share(&f, block), VMM_OK);
    vmm_frames_set_owners(&f, 0, 1, VMM_FRAMES_MOST_OWNERS - 1);
    assert_int_equal(vmm_frames_share(&f, block), VMM_OK);
    assert_int_equal(vmm_frames_owners(&f, block), VMM_FRAMES_MOST_OWNERS);
    assert_int_equal(vmm_frames_share(&f, block), VMM_E_RANGE);
    assert_int_equal(vmm_frames_owners(&f, block), VMM_FRAMES_MOST_OWNERS);
}

static void many_frames_are_taken_and_freed_at_once(void **state)
{
    static vmm_paddr_t many[MOST];
    vmm_frames_t f, second;
    vmm_paddr_t extra = 0;
    uint64_t seen = 0;
    size_t i;
    (void)state;
    make(&f, BASE, 40, side);
    make(&second, 0, 10, other_side);
    assert_int_equal(vmm_frames_join(&f, &second), VMM_OK);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 3 * PAGE, PAGE), VMM_OK);
    assert_int_equal(vmm_frames_alloc_many(&f, many, 20), 20);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_alloc_many(&f, many + 20, MOST - 20), 29); /* as many as there are */
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_alloc(&f, 0, &extra), VMM_E_NO_FRAME);
    assert_int_equal(f.lowest_free, 0);
    for (i = 0; i < 49; i++) {
        const uint64_t bit = many[i] >= BASE ? (many[i] - BASE) / PAGE : 40 + many[i] / PAGE;
        assert_int_equal(seen >> bit & 1, 0);
        seen |= UINT64_C(1) << bit;
    }
    assert_int_equal(seen, (UINT64_C(1) << 50) - 1 - 8);
    assert_int_equal(vmm_frames_share(&f, many[30]), VMM_OK);
    assert_int_equal(vmm_frames_free_many(&f, many, 49), 30); /* up to the first that cannot be */
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_free_many(&f, many, 49), 0);
    assert_int_equal(vmm_frames_unshare(&f, many[30]), VMM_OK);
    assert_int_equal(vmm_frames_free(&f, many[30], 0), VMM_OK);
    extra = many[31]; /* the same frame twice */
    many[30] = extra;
    assert_int_equal(vmm_frames_free_many(&f, many + 30, 19), 1);
    assert_int_equal(vmm_frames_free_many(&f, many + 32, 17), 17);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_release(&f, BASE + 3 * PAGE, PAGE), VMM_OK);
    assert_int_equal(vmm_frames_largest(&f), 5);
    assert_int_equal(f.free_frames + second.free_frames, 50);
}

static void figures_of_fragmentation_are_those_worked_by_hand(void **state)
{
    vmm_frames_t f = region(16), second;
    vmm_frames_usage_t usage;
    uint64_t i;
    (void)state;
    make(&second, 0, 1, other_side);
    assert_int_equal(vmm_frames_join(&f, &second), VMM_OK);
    /* free: 0, 2-3, 8-15 and, in the second region, 0; taken: 1, 4 to 7 */
    assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + 1 * PAGE), VMM_OK);
    assert_int_equal(vmm_frames_alloc_at(&f, 2, BASE + 4 * PAGE), VMM_OK);
    vmm_frames_measure(&f, &usage);
    assert_int_equal(usage.frames, 17);
    assert_int_equal(usage.free_frames, 12);
    assert_int_equal(usage.lowest_free, 12);
    assert_int_equal(usage.blocks[0], 2);
    assert_int_equal(usage.blocks[1], 1);
    assert_int_equal(usage.blocks[2], 0);
    assert_int_equal(usage.blocks[3], 1);
    assert_int_equal(vmm_frames_unusable(&usage, 0), 0);
    assert_int_equal(vmm_frames_unusable(&usage, 1), 166); /* 2 of 12 */
    assert_int_equal(vmm_frames_unusable(&usage, 2), 333); /* 4 of 12 */
    assert_int_equal(vmm_frames_unusable(&usage, 3), 333);
    assert_int_equal(vmm_frames_unusable(&usage, 4), 1000);
    assert_int_equal(vmm_frames_unusable(&usage, 31), 1000);
    assert_int_equal(vmm_frames_reserve(&f, BASE + 8 * PAGE, 8 * PAGE), VMM_OK);
    for (i = 0; i < 4; i++) (void)alloc(&f, 0);
    vmm_frames_measure(&f, &usage);
    assert_int_equal(usage.reserved, 8);
    assert_int_equal(usage.free_frames, 0);
    assert_int_equal(vmm_frames_unusable(&usage, 0), 1000);
    assert_int_equal(vmm_frames_free(&f, BASE + PAGE, 0), VMM_OK);
    vmm_frames_measure(&f, &usage);
    assert_int_equal(usage.lowest_free, 0); /* the high-water mark of use stays */
}

static void take_and_give_round_up_to_blocks(void **state)
{
    vmm_frames_t f = region(16);
    vmm_paddr_t one = 0, two = 0;
    (void)state;
    assert_int_equal(vmm_frames_take(&f, 512, &one), 0);
    assert_int_equal(vmm_frames_take(&f, 4 * PAGE, &two), 0);
    assert_int_equal(two % (4 * PAGE), 0);
    assert_int_equal(f.free_frames, 11);
    vmm_frames_give(&f, one, 512);
    vmm_frames_give(&f, two, 4 * PAGE);
    assert_int_equal(f.free_frames, 16);
    assert_int_equal(vmm_frames_take(&f, 32 * PAGE, &one), 1);
}

/* -------------------------------------------------------------------------- bounds -- */

/* One for the region and one for each order; with bitmaps, up to seven words in each order, and three times
 * as many to find the first block and unlink it. */
#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS
#define STEP_WORDS 0
#else
#define STEP_WORDS VMM_FRAMES_LEVELS
#endif
#define MOST_STEPS (1 + VMM_FRAMES_ORDERS * (1 + STEP_WORDS) + 3 * STEP_WORDS)

static unsigned long since(unsigned long before)
{
    return steps - before;
}

static void no_call_takes_more_steps_than_promised(void **state)
{
    const uint64_t count = UINT64_C(1) << 18;
    uint8_t *memory = (uint8_t *)malloc(VMM_FRAMES_BYTES(count));
    unsigned long before, worst = 0;
    uint64_t random = 5, i;
    vmm_paddr_t paddr = 0;
    vmm_frames_t f;
    (void)state;
    assert_non_null(memory);
    assert_int_equal(vmm_frames_init(&f, BASE, 12, count, memory, VMM_FRAMES_BYTES(count)), VMM_OK);
    before = steps; /* the worst pair: one frame of the whole */
    assert_int_equal(vmm_frames_alloc(&f, 0, &paddr), VMM_OK);
    assert_in_range(since(before), 18, MOST_STEPS);
    before = steps;
    assert_int_equal(vmm_frames_free(&f, paddr, 0), VMM_OK);
    assert_in_range(since(before), 19, MOST_STEPS);
    for (i = 0; i < count; i += 1 + helper_random(&random) % 5)
        assert_int_equal(vmm_frames_alloc_at(&f, 0, BASE + i * PAGE), VMM_OK); /* thousands of blocks in each list */
    for (i = 0; i < 20000; i++) {
        const unsigned order = (unsigned)(helper_random(&random) % 4);
        vmm_status_t status;
        before = steps;
        status = vmm_frames_alloc(&f, order, &paddr);
        if (since(before) > worst) worst = since(before);
        if (status != VMM_OK) continue;
        before = steps;
        if (helper_random(&random) % 2) assert_int_equal(vmm_frames_free(&f, paddr, order), VMM_OK);
        if (since(before) > worst) worst = since(before);
        paddr = BASE + (helper_random(&random) % count) * PAGE;
        before = steps;
        (void)vmm_frames_free_any(&f, paddr);
        (void)vmm_frames_alloc_at(&f, 0, paddr);
        assert_true(since(before) <= 3 * MOST_STEPS);
        if (VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS) continue;
        before = steps;
        status = vmm_frames_alloc_below(&f, order, paddr, &paddr);
        assert_true(since(before) <= 5 * MOST_STEPS);
        if (status == VMM_OK) assert_int_equal(vmm_frames_free(&f, paddr, order), VMM_OK);
    }
    assert_in_range(worst, 1, MOST_STEPS);
    assert_true(vmm_frames_check(&f));
    free(memory);
}

/* --------------------------------------------------------------------------- model -- */

#define REGIONS 3
#define BLOCKS 256
#define FREE 0
#define RESERVED (-1)

static const uint64_t model_base[REGIONS] = {BASE, 0x10000, BASE + 200 * PAGE}; /* the last two touch nothing */
static const uint64_t model_count[REGIONS] = {100, 64, 37};

typedef struct model {
    vmm_frames_t f[REGIONS];
    int who[REGIONS][128]; /* FREE, RESERVED, or the block that has the frame */
    struct {
        int region; /* -1: no such block */
        uint64_t first;
        unsigned order;
        uint32_t owners;
    } block[BLOCKS];       /* from 1 */
    uint64_t low[REGIONS]; /* fewest free frames there ever were */
    uint64_t random;
} model_t;

static uint64_t any(model_t *m, uint64_t below)
{
    return helper_random(&m->random) % below;
}

static vmm_paddr_t model_paddr(int r, uint64_t frame)
{
    return model_base[r] + frame * PAGE;
}

static bool model_all(const model_t *m, int r, uint64_t first, uint64_t end, int who)
{
    for (; first < end; first++)
        if (m->who[r][first] != who) return false;
    return true;
}

/* Whether an aligned run of free frames ends at or below a limit. */
static bool model_has(const model_t *m, unsigned order, uint64_t limit)
{
    const uint64_t size = UINT64_C(1) << order;
    uint64_t first;
    int r;
    for (r = 0; r < REGIONS; r++)
        for (first = 0; first + size <= model_count[r]; first += size)
            if (model_paddr(r, first + size) <= limit && model_all(m, r, first, first + size, FREE)) return true;
    return false;
}

static void model_fill(model_t *m, int r, uint64_t first, uint64_t end, int who)
{
    for (; first < end; first++) m->who[r][first] = who;
}

/* A new block was handed out: it must have been free, inside and aligned. */
static void model_taken(model_t *m, vmm_paddr_t paddr, unsigned order)
{
    const uint64_t size = UINT64_C(1) << order;
    uint64_t first = 0;
    int r, b = 1;
    for (r = 0; r < REGIONS; r++) {
        first = (paddr - model_base[r]) / PAGE;
        if (paddr >= model_base[r] && first < model_count[r]) break;
    }
    assert_true(r < REGIONS);
    assert_int_equal(paddr % PAGE, 0);
    assert_int_equal(first % size, 0);
    assert_true(first + size <= model_count[r]);
    assert_true(model_all(m, r, first, first + size, FREE));
    while (m->block[b].region >= 0) b++;
    assert_true(b < BLOCKS);
    m->block[b].region = r;
    m->block[b].first = first;
    m->block[b].order = order;
    m->block[b].owners = 1;
    model_fill(m, r, first, first + size, b);
}

static void model_freed(model_t *m, int b)
{
    model_fill(m, m->block[b].region, m->block[b].first, m->block[b].first + (UINT64_C(1) << m->block[b].order), FREE);
    m->block[b].region = -1;
}

/* Any block there is, or 0. */
static int model_pick(model_t *m)
{
    int tries;
    for (tries = 0; tries < 20; tries++) {
        const int b = 1 + (int)any(m, BLOCKS - 1);
        if (m->block[b].region >= 0) return b;
    }
    return 0;
}

static void compare(const model_t *m)
{
    vmm_frames_usage_t usage;
    uint64_t blocks[VMM_FRAMES_ORDERS] = {0}, free_frames = 0, reserved = 0, shared = 0, low = 0, frame;
    int r, largest = -1;
    for (r = 0; r < REGIONS; r++) {
        for (frame = 0; frame < model_count[r];) {
            const int who = m->who[r][frame];
            unsigned order = 0;
            if (who == FREE)
                while (frame % (UINT64_C(2) << order) == 0 && frame + (UINT64_C(2) << order) <= model_count[r] &&
                       model_all(m, r, frame, frame + (UINT64_C(2) << order), FREE))
                    order++;
            if (who == FREE) blocks[order]++;
            if (who == FREE) free_frames += UINT64_C(1) << order;
            if (who == FREE && (int)order > largest) largest = (int)order;
            reserved += who == RESERVED;
            shared += who > 0 && m->block[who].owners > 1;
            frame += UINT64_C(1) << order;
        }
        low += m->low[r];
    }
    vmm_frames_measure(m->f, &usage);
    assert_int_equal(usage.free_frames, free_frames);
    assert_int_equal(usage.reserved, reserved);
    assert_int_equal(usage.shared, shared);
    assert_int_equal(usage.lowest_free, low);
    assert_memory_equal(usage.blocks, blocks, sizeof blocks);
    assert_int_equal(vmm_frames_largest(m->f), largest);
    assert_true(vmm_frames_check(m->f));
}

static void step_alloc(model_t *m)
{
    const unsigned order = (unsigned)any(m, 6);
    const uint64_t limit = any(m, 2) ? UINT64_MAX : model_paddr((int)any(m, REGIONS), any(m, 101));
    vmm_status_t status;
    vmm_paddr_t paddr = 0;
    if (limit == UINT64_MAX) status = vmm_frames_alloc(m->f, order, &paddr);
    else status = vmm_frames_alloc_below(m->f, order, limit, &paddr);
    assert_int_equal(status, model_has(m, order, limit) ? VMM_OK : VMM_E_NO_FRAME);
    if (status != VMM_OK) return;
    assert_true(paddr + (PAGE << order) <= limit);
    model_taken(m, paddr, order);
}

static void step_alloc_at(model_t *m)
{
    const unsigned order = (unsigned)any(m, 5);
    const int r = (int)any(m, REGIONS);
    const uint64_t size = UINT64_C(1) << order, first = any(m, model_count[r]) & ~(any(m, 4) ? size - 1 : 0);
    vmm_status_t expected = VMM_OK;
    if (first + size > model_count[r]) expected = VMM_E_RANGE;
    else if (first % size) expected = VMM_E_ALIGN;
    else if (!model_all(m, r, first, first + size, FREE)) expected = VMM_E_MAPPED;
    assert_int_equal(vmm_frames_alloc_at(m->f, order, model_paddr(r, first)), expected);
    if (expected == VMM_OK) model_taken(m, model_paddr(r, first), order);
}

static void step_free(model_t *m)
{
    const int b = model_pick(m);
    vmm_paddr_t paddr = 0;
    vmm_status_t status;
    if (!b) return;
    paddr = model_paddr(m->block[b].region, m->block[b].first);
    if (any(m, 2)) status = vmm_frames_free(m->f, paddr, m->block[b].order);
    else status = vmm_frames_free_any(m->f, paddr);
    assert_int_equal(status, m->block[b].owners > 1 ? VMM_E_MAPPED : VMM_OK);
    if (status == VMM_OK) model_freed(m, b);
}

static void step_wrong_free(model_t *m)
{
    const unsigned order = (unsigned)any(m, 4);
    const int r = (int)any(m, REGIONS);
    const uint64_t size = UINT64_C(1) << order, first = any(m, model_count[r] + 3);
    const int who = first < model_count[r] ? m->who[r][first] : FREE;
    vmm_status_t expected = VMM_E_NOT_MAPPED;
    if (who > 0 && m->block[who].first == first && m->block[who].order == order) return;
    if (first >= model_count[r] || first + size > model_count[r]) expected = VMM_E_RANGE;
    else if (first % size) expected = VMM_E_ALIGN;
    assert_int_equal(vmm_frames_free(m->f, model_paddr(r, first), order), expected);
}

static void step_split(model_t *m)
{
    const int b = model_pick(m);
    unsigned order, into;
    vmm_paddr_t paddr = 0;
    uint64_t i;
    if (!b) return;
    order = m->block[b].order;
    into = (unsigned)any(m, order + 1);
    paddr = model_paddr(m->block[b].region, m->block[b].first);
    if (m->block[b].owners > 1) {
        assert_int_equal(vmm_frames_split(m->f, paddr, order, into), VMM_E_MAPPED);
        return;
    }
    assert_int_equal(vmm_frames_split(m->f, paddr, order, into), VMM_OK);
    model_freed(m, b);
    for (i = 0; i < UINT64_C(1) << order; i += UINT64_C(1) << into) model_taken(m, paddr + i * PAGE, into);
}

static void step_share(model_t *m)
{
    const int b = model_pick(m);
    vmm_paddr_t paddr = 0;
    if (!b) return;
    paddr = model_paddr(m->block[b].region, m->block[b].first);
    assert_int_equal(vmm_frames_owners(m->f, paddr), m->block[b].owners);
    if (any(m, 3) == 0) {
        assert_int_equal(vmm_frames_share(m->f, paddr), VMM_OK);
        m->block[b].owners++;
    } else {
        assert_int_equal(vmm_frames_unshare(m->f, paddr), VMM_OK);
        if (--m->block[b].owners == 0) model_freed(m, b);
    }
}

static void step_many(model_t *m)
{
    vmm_paddr_t many[16] = {0};
    int who[16], b;
    size_t wanted = (size_t)any(m, 17), got = 0, i;
    if (any(m, 2)) {
        uint64_t free_frames = 0;
        for (i = 0; i < REGIONS; i++) free_frames += m->f[i].free_frames;
        got = vmm_frames_alloc_many(m->f, many, wanted);
        assert_int_equal(got, wanted < free_frames ? wanted : free_frames);
        for (i = 0; i < got; i++) model_taken(m, many[i], 0);
        return;
    }
    for (b = 1; b < BLOCKS && got < wanted; b++) {
        if (m->block[b].region < 0 || m->block[b].order || m->block[b].owners > 1) continue;
        who[got] = b;
        many[got++] = model_paddr(m->block[b].region, m->block[b].first);
    }
    assert_int_equal(vmm_frames_free_many(m->f, many, got), got);
    for (i = 0; i < got; i++) model_freed(m, who[i]);
}

static void step_reserve(model_t *m)
{
    const int r = (int)any(m, REGIONS), release = (int)any(m, 2);
    const uint64_t first = any(m, model_count[r]), frames = any(m, 8), end = first + frames;
    vmm_status_t expected = VMM_OK, status;
    if (frames == 0 || end > model_count[r]) expected = VMM_E_RANGE;
    else if (release && !model_all(m, r, first, end, RESERVED)) expected = VMM_E_NOT_MAPPED;
    else if (!release && !model_all(m, r, first, end, FREE)) expected = VMM_E_MAPPED;
    if (release) status = vmm_frames_release(m->f, model_paddr(r, first), frames * PAGE);
    else status = vmm_frames_reserve(m->f, model_paddr(r, first), frames * PAGE);
    assert_int_equal(status, expected);
    if (expected == VMM_OK) model_fill(m, r, first, end, release ? FREE : RESERVED);
}

static void random_calls_agree_with_the_table(void **state)
{
    static void (*const all[])(model_t *) = {step_alloc, step_alloc,      step_alloc_at, step_free,
                                             step_free,  step_wrong_free, step_split,    step_share,
                                             step_share, step_many,       step_reserve};
    static model_t m;
    unsigned seed, step;
    int r, b;
    (void)state;
    for (seed = 1; seed <= 3; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed;
        for (b = 0; b < BLOCKS; b++) m.block[b].region = -1;
        make(&m.f[0], model_base[0], model_count[0], side);
        make(&m.f[1], model_base[1], model_count[1], other_side);
        make(&m.f[2], model_base[2], model_count[2], third_side);
        for (r = 1; r < REGIONS; r++) assert_int_equal(vmm_frames_join(m.f, &m.f[r]), VMM_OK);
        for (r = 0; r < REGIONS; r++) m.low[r] = model_count[r];
        for (step = 0; step < 3000; step++) {
            all[any(&m, sizeof all / sizeof *all)](&m);
            for (r = 0; r < REGIONS; r++)
                if (m.f[r].free_frames < m.low[r]) m.low[r] = m.f[r].free_frames;
            compare(&m);
        }
        for (b = 1; b < BLOCKS; b++)
            while (m.block[b].region >= 0) {
                const vmm_paddr_t paddr = model_paddr(m.block[b].region, m.block[b].first);
                assert_int_equal(vmm_frames_unshare(m.f, paddr), VMM_OK);
                if (--m.block[b].owners == 0) model_freed(&m, b);
            }
        compare(&m);
    }
}

/* -------------------------------------------------------------------------- damage -- */

static void a_damaged_region_is_found(void **state)
{
    static const uint8_t wrong[] = {1, 2, 3, 5, 8, 33, 0x3f, 0x83};
    vmm_frames_t f = region(64);
    const vmm_paddr_t paddr = alloc(&f, 0), shared = alloc(&f, 1);
    size_t i;
    (void)state;
    f.free_frames++;
    assert_false(vmm_frames_check(&f));
    f.free_frames--;
    f.lowest_free = 65;
    assert_false(vmm_frames_check(&f));
    f.lowest_free = 0;
    f.orders ^= 1;
    assert_false(vmm_frames_check(&f));
    f.orders ^= 1;
    for (i = 0; i < sizeof wrong; i++) { /* a byte inside a free block, and that of a taken one */
        f.state[5] = wrong[i];
        assert_false(vmm_frames_check(&f));
        f.state[5] = 0;
        f.state[0] = wrong[i];
        assert_false(vmm_frames_check(&f));
        f.state[0] = 0x80;
    }
    f.state[1] = 0x80; /* a free block that is taken, but indexed */
    f.free_frames--;
    assert_false(vmm_frames_check(&f));
    f.state[1] = 1;
    f.free_frames++;
    assert_int_equal(vmm_frames_share(&f, shared), VMM_OK);
    assert_true(vmm_frames_check(&f));
    if (VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS) f.index[4] = 1; /* shared by one */
    else f.state[3] = 0x40;
    assert_false(vmm_frames_check(&f));
    vmm_frames_set_owners(&f, 2, 1, 1);
    assert_true(vmm_frames_check(&f));
    assert_int_equal(vmm_frames_free(&f, paddr, 0), VMM_OK);
    assert_true(vmm_frames_check(&f));
}

/* Free are 0, 2 and 4; a list has them in the order 4, 2, 0. */
static void a_damaged_index_is_found(void **state)
{
    vmm_frames_t f = region(6);
    vmm_paddr_t many[6] = {0};
    uint32_t i;
    (void)state;
    assert_int_equal(vmm_frames_alloc_many(&f, many, 6), 6);
    for (i = 0; i < 6; i += 2) assert_int_equal(vmm_frames_free(&f, BASE + i * PAGE, 0), VMM_OK);
    assert_true(vmm_frames_check(&f));
#if VMM_FRAMES_LAYOUT == VMM_FRAMES_LISTS
    for (i = 0; i < 8; i++) { /* next of 0: rings, taken ones, outside */
        f.index[0] = i;
        assert_false(vmm_frames_check(&f));
    }
    f.index[0] = 4;
    f.index[9] = 0; /* a ring of which every link is right */
    assert_false(vmm_frames_check(&f));
    f.index[0] = VMM_NO_FRAME;
    f.index[4] = VMM_NO_FRAME; /* next of 2: 0 is lost */
    assert_false(vmm_frames_check(&f));
    f.index[4] = 0;
    f.index[5] = 0; /* previous of 2 */
    assert_false(vmm_frames_check(&f));
    f.index[5] = 4;
    f.first[0] = 1;
    assert_false(vmm_frames_check(&f));
    f.first[0] = 4;
    assert_true(vmm_frames_check(&f));
#else
    for (i = 0; i < 6 + 3 + 1; i++) { /* a bit for each block there could be */
        f.index[0] ^= 1u << i;
        assert_false(vmm_frames_check(&f));
        f.index[0] ^= 1u << i;
        f.blocks[i]++;
        assert_false(vmm_frames_check(&f));
        f.blocks[i]--;
    }
    f = region(64);
    for (i = 0; i < 4; i++) { /* 127 bits: four words and the summary */
        f.index[4] ^= 1u << i;
        assert_false(vmm_frames_check(&f));
        f.index[4] ^= 1u << i;
    }
    assert_true(vmm_frames_check(&f));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_of_any_length_is_all_free),
        cmocka_unit_test(pages_may_have_any_size_and_the_last_byte_of_memory_may_be_managed),
        cmocka_unit_test(the_side_array_is_as_small_as_promised_and_never_left),
        cmocka_unit_test(a_bad_region_is_refused),
        cmocka_unit_test(regions_are_joined_unless_they_overlap),
        cmocka_unit_test(every_wrong_call_is_refused_and_changes_nothing),
        cmocka_unit_test(the_example_of_the_encyclopedia_goes_as_printed),
        cmocka_unit_test(reserved_frames_are_handed_out_only_after_their_release),
        cmocka_unit_test(a_block_is_taken_at_its_address_and_the_rest_stays_free),
        cmocka_unit_test(a_device_gets_only_what_it_can_reach),
        cmocka_unit_test(a_split_block_is_freed_in_pieces_that_merge_again),
        cmocka_unit_test(the_last_owner_of_a_shared_block_frees_it),
        cmocka_unit_test(owners_are_counted_up_to_the_limit_and_no_further),
        cmocka_unit_test(many_frames_are_taken_and_freed_at_once),
        cmocka_unit_test(figures_of_fragmentation_are_those_worked_by_hand),
        cmocka_unit_test(take_and_give_round_up_to_blocks),
        cmocka_unit_test(no_call_takes_more_steps_than_promised),
        cmocka_unit_test(random_calls_agree_with_the_table),
        cmocka_unit_test(a_damaged_region_is_found),
        cmocka_unit_test(a_damaged_index_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
