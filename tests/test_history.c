/* test_history.c - going back and forward among the states of memory that is watched: bytes, an MMU, a machine with
 * processes, a heap. Then the symbols of the textbooks, and accesses told as events. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

VMM_MMU(rv, VMM_ARCH_RISCV64, VMM_STAGES(16, 4, 4, 4, 2, VMM_LRU))
VMM_HEAP(heap, VMM_HEAP_SAFE)

#define PAGE 4096u

static uint64_t block[1 << 18];

static vmm_history_t *history_of(uint64_t bytes)
{
    vmm_history_t *h = NULL;
    assert_true(bytes <= sizeof block);
    memset(block, 0xa5, sizeof block); /* nothing may depend on what was there */
    assert_int_equal(vmm_history_create(block, bytes, &h), VMM_OK);
    assert_ptr_equal(h, block);
    assert_true(vmm_history_check(h));
    return h;
}

/* Nothing was written behind the block. */
static void assert_inside(const vmm_history_t *h)
{
    const uint8_t *at = (const uint8_t *)block;
    uint64_t i;
    for (i = h->bytes; i < sizeof block && i < h->bytes + 4096; i++) assert_int_equal(at[i], 0xa5);
}

/* -- what is refused -- */

static void a_block_that_is_null_crooked_or_too_small_is_refused(void **state)
{
    const uint64_t least = vmm_history_bytes(0, 0, 0);
    static const struct {
        bool null_block, null_history;
        unsigned shift, less;
        vmm_status_t status;
    } cases[] = {
        {false, false, 0, 0, VMM_OK},         {true, false, 0, 0, VMM_E_ARGUMENT}, {false, true, 0, 0, VMM_E_ARGUMENT},
        {false, false, 0, 1, VMM_E_ARGUMENT}, {false, false, 4, 0, VMM_E_ALIGN},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        vmm_history_t *h = NULL;
        void *at = cases[i].null_block ? NULL : (uint8_t *)block + cases[i].shift;
        assert_int_equal(vmm_history_create(at, least - cases[i].less, cases[i].null_history ? NULL : &h),
                         cases[i].status);
        assert_int_equal(h != NULL, cases[i].status == VMM_OK);
    }
}

static void a_stretch_that_cannot_be_watched_is_refused_and_changes_nothing(void **state)
{
    static uint8_t memory[400];
    static uint64_t before[sizeof block / 8];
    vmm_history_t *h = history_of(vmm_history_bytes(300, 2, 0));
    const struct {
        void *start;
        uint64_t bytes;
        vmm_status_t status;
    } cases[] = {
        {memory + 100, 100, VMM_OK}, /* the others meet it */
        {NULL, 1, VMM_E_ARGUMENT},
        {memory, 0, VMM_E_RANGE},
        {memory, (uint64_t)0 - (uintptr_t)memory + 1, VMM_E_RANGE},
        {memory, UINT64_MAX, VMM_E_RANGE},
        {memory, 101, VMM_E_MAPPED},
        {memory + 199, 10, VMM_E_MAPPED},
        {memory + 120, 1, VMM_E_MAPPED},
        {memory, 400, VMM_E_MAPPED},
        {block, 8, VMM_E_MAPPED},
        {(uint8_t *)block + vmm_history_bytes(300, 2, 0) - 1, 8, VMM_E_MAPPED},
        {memory + 200, SIZE_MAX / 2, VMM_E_MAPPED},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool wraps = sizeof(size_t) < 8 && cases[i].bytes > SIZE_MAX;
        memcpy(before, block, sizeof block);
        if (i == sizeof cases / sizeof *cases - 1 && (uintptr_t)block < (uintptr_t)memory) continue;
        assert_int_equal(vmm_history_watch(h, cases[i].start, cases[i].bytes), wraps ? VMM_E_RANGE : cases[i].status);
        assert_int_equal(h->stretches, 1);
        if (cases[i].status) assert_memory_equal(before, block, sizeof block);
        assert_true(vmm_history_check(h));
    }
    assert_int_equal(vmm_history_watch(h, memory + 200, 200), VMM_OK); /* beside it */
    assert_int_equal(vmm_history_watch(h, memory, 100), VMM_E_NO_FRAME);
    assert_int_equal(h->stretches, 2);
}

static void one_stretch_more_than_the_limit_is_refused(void **state)
{
    static uint8_t memory[VMM_HISTORY_STRETCHES + 1];
    vmm_history_t *h = history_of(sizeof block);
    unsigned i;
    (void)state;
    for (i = 0; i < VMM_HISTORY_STRETCHES; i++) assert_int_equal(vmm_history_watch(h, &memory[i], 1), VMM_OK);
    assert_int_equal(vmm_history_watch(h, &memory[i], 1), VMM_E_LIMIT);
    assert_int_equal(h->stretches, VMM_HISTORY_STRETCHES);
    memset(memory, 1, sizeof memory);
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    for (i = 0; i < VMM_HISTORY_STRETCHES; i++) assert_int_equal(memory[i], 0);
    assert_int_equal(memory[i], 1);
}

static void more_may_be_watched_before_the_first_mark_and_after_beginning_anew(void **state)
{
    static uint8_t memory[2];
    vmm_history_t *h = history_of(1 << 12);
    (void)state;
    assert_int_equal(vmm_history_watch(h, &memory[0], 1), VMM_OK);
    memory[0] = 1;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_watch(h, &memory[1], 1), VMM_E_BUSY);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    assert_int_equal(vmm_history_watch(h, &memory[1], 1), VMM_E_BUSY); /* there is a step ahead */
    memory[0] = 7;
    vmm_history_begin(h);
    assert_int_equal(h->last, 0);
    assert_int_equal(vmm_history_forward(h), VMM_E_LIMIT);
    assert_int_equal(vmm_history_watch(h, &memory[1], 1), VMM_OK);
    memory[0] = 8;
    memory[1] = 9;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    assert_int_equal(memory[0], 7);
    assert_int_equal(memory[1], 0);
}

static void a_history_that_watches_nothing_counts_its_marks(void **state)
{
    vmm_history_t *h = history_of(vmm_history_bytes(0, 0, 0));
    unsigned i;
    (void)state;
    for (i = 0; i < 10; i++) assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(h->last, 10);
    assert_int_equal(h->forgotten, 6); /* a step takes two of eight words */
    assert_int_equal(vmm_history_go(h, 6), VMM_OK);
    assert_int_equal(vmm_history_back(h), VMM_E_LIMIT);
    assert_true(vmm_history_check(h));
}

/* -- random changes against full copies -- */

#define STRETCHES 4
#define MARKS 600

static uint8_t memory_of_all[3000];
static const struct {
    unsigned start, bytes;
} stretch[STRETCHES] = {{3, 1000}, {1100, 64}, {1170, 7}, {1500, 1301}};
static uint8_t saved[MARKS][sizeof memory_of_all];

static void change_some(uint64_t *random)
{
    unsigned count = (unsigned)(helper_random(random) % 4), i, n;
    if (helper_random(random) % 16 == 0) count = 200;
    while (count--) {
        const unsigned s = (unsigned)(helper_random(random) % STRETCHES);
        const unsigned at = (unsigned)(helper_random(random) % stretch[s].bytes);
        n = 1 + (unsigned)(helper_random(random) % 12);
        for (i = 0; i < n && at + i < stretch[s].bytes; i++)
            memory_of_all[stretch[s].start + at + i] = (uint8_t)helper_random(random);
    }
}

/* One random move; what should be there is in `saved`. */
static void move(vmm_history_t *h, uint64_t *random)
{
    const uint64_t step = h->step, last = h->last, forgotten = h->forgotten;
    uint64_t to;
    change_some(random);
    switch (helper_random(random) % 16) {
    default:
        memcpy(saved[step + 1], memory_of_all, sizeof memory_of_all);
        assert_int_equal(vmm_history_mark(h), VMM_OK);
        assert_int_equal(h->step, step + 1);
        assert_int_equal(h->last, step + 1);
        break;
    case 0:
    case 1:
        assert_int_equal(vmm_history_back(h), step > forgotten ? VMM_OK : VMM_E_LIMIT);
        assert_int_equal(h->step, step > forgotten ? step - 1 : step);
        if (step == forgotten) vmm_history_restore(h);
        break;
    case 2:
        assert_int_equal(vmm_history_forward(h), step < last ? VMM_OK : VMM_E_LIMIT);
        assert_int_equal(h->step, step < last ? step + 1 : step);
        if (step == last) vmm_history_restore(h);
        break;
    case 3:
        if (helper_random(random) % 8) {
            vmm_history_restore(h);
            break;
        }
        to = forgotten + helper_random(random) % (last - forgotten + 1);
        assert_int_equal(vmm_history_go(h, to), VMM_OK);
        assert_int_equal(h->step, to);
        break;
    case 4:
        to = helper_random(random) % 2 && forgotten ? forgotten - 1 : last + 1;
        assert_int_equal(vmm_history_go(h, to), VMM_E_LIMIT);
        vmm_history_restore(h);
        break;
    }
}

static void random_walks_find_every_byte_as_it_was_at_each_mark(void **state)
{
    uint64_t random = 77;
    unsigned round, s, i;
    (void)state;
    for (round = 0; round < 12; round++) {
        /* from room for next to nothing to room for all */
        vmm_history_t *h = history_of(vmm_history_bytes(2372, STRETCHES, 4000 + (uint64_t)round * round * 3000));
        unsigned moves = 0;
        for (i = 0; i < sizeof memory_of_all; i++) memory_of_all[i] = (uint8_t)helper_random(&random);
        for (s = 0; s < STRETCHES; s++)
            assert_int_equal(vmm_history_watch(h, memory_of_all + stretch[s].start, stretch[s].bytes), VMM_OK);
        memcpy(saved[0], memory_of_all, sizeof memory_of_all);
        while (h->last + 1 < MARKS && moves < 1500) {
            move(h, &random);
            assert_memory_equal(memory_of_all, saved[h->step], sizeof memory_of_all);
            assert_true(vmm_history_check(h));
            moves++;
        }
        assert_true(round > 0 || h->forgotten > 0);
        assert_inside(h);
        for (i = (unsigned)h->forgotten; i <= h->last; i++) {
            assert_int_equal(vmm_history_go(h, h->last - (i - h->forgotten)), VMM_OK);
            assert_memory_equal(memory_of_all, saved[h->step], sizeof memory_of_all);
        }
    }
}

static void bytes_beside_a_stretch_are_never_touched(void **state)
{
    static uint8_t memory[200];
    vmm_history_t *h = history_of(1 << 12);
    unsigned i;
    (void)state;
    assert_int_equal(vmm_history_watch(h, memory + 5, 131), VMM_OK);
    for (i = 0; i < sizeof memory; i++) memory[i] = 1;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    for (i = 0; i < sizeof memory; i++) memory[i] = 2;
    assert_int_equal(vmm_history_back(h), VMM_OK);
    for (i = 0; i < sizeof memory; i++) assert_int_equal(memory[i], i >= 5 && i < 136 ? 0 : 2);
    assert_int_equal(vmm_history_forward(h), VMM_OK);
    for (i = 0; i < sizeof memory; i++) assert_int_equal(memory[i], i >= 5 && i < 136 ? 1 : 2);
}

static void what_was_not_marked_is_undone_and_the_steps_ahead_stay(void **state)
{
    static uint32_t word;
    vmm_history_t *h = history_of(1 << 12);
    (void)state;
    word = 0;
    assert_int_equal(vmm_history_watch(h, &word, sizeof word), VMM_OK);
    for (word = 1; word <= 3; word++) assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    assert_int_equal(word, 2);
    word = 99; /* looking around */
    vmm_history_restore(h);
    assert_int_equal(word, 2);
    word = 99;
    assert_int_equal(vmm_history_forward(h), VMM_OK);
    assert_int_equal(word, 3);
    word = 99;
    assert_int_equal(vmm_history_go(h, 0), VMM_OK);
    assert_int_equal(word, 0);
    assert_int_equal(h->last, 3);
}

static void going_another_way_drops_the_steps_ahead(void **state)
{
    static uint32_t word;
    vmm_history_t *h = history_of(1 << 12);
    (void)state;
    word = 0;
    assert_int_equal(vmm_history_watch(h, &word, sizeof word), VMM_OK);
    for (word = 1; word <= 3; word++) assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_go(h, 1), VMM_OK);
    word = 20;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(h->last, 2);
    assert_int_equal(vmm_history_forward(h), VMM_E_LIMIT);
    assert_int_equal(word, 20);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    assert_int_equal(word, 1);
    assert_int_equal(vmm_history_forward(h), VMM_OK);
    assert_int_equal(word, 20);
}

/* -- room -- */

static void the_oldest_steps_are_forgotten_when_room_is_short(void **state)
{
    static uint32_t word;
    vmm_history_t *h = history_of(vmm_history_bytes(sizeof word, 1, 8 * 4 * 10));
    const uint64_t fit = h->room > 8 ? ((uint64_t)(8 * 4 * 10) + VMM_HISTORY_CHUNK - 1) / 32 : 0;
    uint64_t i, steps;
    (void)state;
    word = 0;
    assert_int_equal(vmm_history_watch(h, &word, sizeof word), VMM_OK);
    steps = h->room / 4; /* a step with one word changed takes four */
    assert_true(steps >= 10 && steps <= fit);
    for (i = 1; i <= 100; i++) {
        word = (uint32_t)i;
        assert_int_equal(vmm_history_mark(h), VMM_OK);
        assert_int_equal(h->forgotten, i > steps ? i - steps : 0);
        assert_true(vmm_history_check(h));
    }
    assert_inside(h);
    while (vmm_history_back(h) == VMM_OK) assert_int_equal(word, h->step);
    assert_int_equal(h->step, 100 - steps);
    assert_int_equal(vmm_history_go(h, h->forgotten - 1), VMM_E_LIMIT);
    assert_int_equal(word, 100 - steps);
    assert_int_equal(vmm_history_go(h, 100), VMM_OK);
    assert_int_equal(word, 100);
}

static void a_step_of_exactly_the_room_fits_and_one_word_more_is_refused(void **state)
{
    static uint64_t memory[200];
    vmm_history_t *h = history_of(vmm_history_bytes(sizeof memory, 1, 1 << 10));
    uint64_t i, words;
    (void)state;
    memset(memory, 0, sizeof memory);
    assert_int_equal(vmm_history_watch(h, memory, sizeof memory), VMM_OK);
    memory[0] = 1;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    memory[0] = 2;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(vmm_history_back(h), VMM_OK);
    /* each change of eight words takes nine; the last one takes what is left, but one for its head */
    words = h->room - 2;
    for (i = 0; i < words / 9 * 8; i++) memory[8 + i] = ~i;
    for (i = 0; i + 1 < words % 9; i++) memory[8 + words / 9 * 8 + i] = ~i;
    assert_true(words % 9 > 1);
    memory[8 + words / 9 * 8 + i] = 77; /* one word too much */
    assert_int_equal(vmm_history_mark(h), VMM_E_NO_FRAME);
    assert_int_equal(memory[8 + words / 9 * 8 + i], 77);
    assert_int_equal(h->step, 1);
    assert_int_equal(h->last, 2);
    assert_int_equal(h->forgotten, 0);
    assert_true(vmm_history_check(h));
    memory[8 + words / 9 * 8 + i] = 0; /* as it was */
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    assert_int_equal(h->end - h->first, h->room);
    assert_int_equal(h->forgotten, 1);
    assert_true(vmm_history_check(h));
    assert_int_equal(vmm_history_back(h), VMM_OK);
    for (i = 0; i < 200; i++) assert_int_equal(memory[i], i == 0 ? 1 : 0);
    assert_int_equal(vmm_history_forward(h), VMM_OK);
    assert_int_equal(memory[8], ~UINT64_C(0));
}

static void a_step_that_was_refused_can_be_undone_or_begun_from(void **state)
{
    static uint64_t memory[300];
    vmm_history_t *h = history_of(vmm_history_bytes(sizeof memory, 1, 256));
    unsigned i, again;
    (void)state;
    for (again = 0; again < 2; again++) {
        memset(memory, 0, sizeof memory);
        if (again) vmm_history_begin(h);
        else assert_int_equal(vmm_history_watch(h, memory, sizeof memory), VMM_OK);
        memory[5] = 5;
        assert_int_equal(vmm_history_mark(h), VMM_OK);
        for (i = 0; i < 300; i++) memory[i] = 1000 + i;
        assert_int_equal(vmm_history_mark(h), VMM_E_NO_FRAME);
        if (again) {
            vmm_history_begin(h);
            assert_int_equal(vmm_history_back(h), VMM_E_LIMIT);
            assert_int_equal(memory[7], 1007);
        } else {
            vmm_history_restore(h);
            assert_int_equal(memory[7], 0);
            assert_int_equal(memory[5], 5);
            assert_int_equal(vmm_history_back(h), VMM_OK);
            assert_int_equal(memory[5], 0);
        }
    }
}

static void a_copy_of_the_block_is_a_history_too(void **state)
{
    static uint64_t copy[512];
    static uint32_t word;
    vmm_history_t *h = history_of(sizeof copy);
    (void)state;
    word = 1;
    assert_int_equal(vmm_history_watch(h, &word, sizeof word), VMM_OK);
    word = 2;
    assert_int_equal(vmm_history_mark(h), VMM_OK);
    memcpy(copy, block, sizeof copy);
    memset(block, 0, sizeof copy);
    h = (vmm_history_t *)(void *)copy;
    assert_true(vmm_history_check(h));
    assert_int_equal(vmm_history_back(h), VMM_OK);
    assert_int_equal(word, 1);
}

static void the_check_finds_each_kind_of_damage(void **state)
{
    static uint64_t memory[20];
    vmm_history_t *h = history_of(1 << 12), good;
    uint64_t *log, word;
    unsigned i;
    (void)state;
    assert_int_equal(vmm_history_watch(h, memory, sizeof memory), VMM_OK);
    for (i = 1; i <= 3; i++) {
        memory[i] = memory[i + 8] = i;
        assert_int_equal(vmm_history_mark(h), VMM_OK);
    }
    assert_int_equal(vmm_history_back(h), VMM_OK);
    good = *h;
    for (i = 0; i < 10; i++) { /* every number of the head */
        uint64_t *field = &h->bytes + i;
        *field += 1000;
        assert_int_equal(vmm_history_check(h), false);
        *h = good;
    }
    h->step++; /* of another mark */
    assert_int_equal(vmm_history_check(h), false);
    h->step -= 2;
    assert_int_equal(vmm_history_check(h), false);
    *h = good;
    assert_true(vmm_history_check(h));
    log = block + h->log / 8;
    for (i = 0; i < h->end; i++) { /* every word of the log, but differences, of which none can be wrong but 0 */
        word = log[i];
        log[i] = i % 6 == 2 || i % 6 == 4 ? 0 : word + (UINT64_C(1) << 16) * 1000 + 1;
        assert_int_equal(vmm_history_check(h), false);
        log[i] = word;
    }
    assert_true(vmm_history_check(h));
}

/* -- things that are watched: an MMU, a machine, a heap -- */

#define STEPS 80

/* A thing: makes one step out of a random number, and tells what it got as a number. */
typedef struct thing {
    uint64_t (*step)(uint64_t random);
    void *start[4];
    uint64_t bytes[4];
    bool (*check)(void);
} thing_t;

static uint64_t hash(uint64_t sum, const void *from, uint64_t bytes)
{
    const uint8_t *at = (const uint8_t *)from;
    uint64_t word;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        memcpy(&word, at, 8);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    while (bytes--) sum = (sum ^ *at++) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t hash_of(const thing_t *t)
{
    uint64_t sum = 1;
    unsigned i;
    for (i = 0; i < 4 && t->start[i]; i++) sum = hash(sum, t->start[i], t->bytes[i]);
    return sum;
}

/* Steps from a mark on, as the first time: results and bytes must be the same. */
static void steps_again(const thing_t *t, unsigned from, unsigned to, const uint64_t *result, const uint64_t *sum)
{
    for (; from < to; from++) {
        assert_int_equal(t->step(UINT64_C(1000003) * (from + 1)), result[from]);
        assert_int_equal(hash_of(t), sum[from + 1]);
    }
    assert_true(t->check());
}

static void back_and_forth(const thing_t *t)
{
    uint64_t result[STEPS], sum[STEPS + 1], random = 5, bytes = 0;
    vmm_history_t *h;
    unsigned i, to;
    for (i = 0; i < 4 && t->start[i]; i++) bytes += t->bytes[i];
    h = history_of(sizeof block);
    assert_true(bytes < sizeof block / 2);
    for (i = 0; i < 4 && t->start[i]; i++) assert_int_equal(vmm_history_watch(h, t->start[i], t->bytes[i]), VMM_OK);
    sum[0] = hash_of(t);
    for (i = 0; i < STEPS; i++) {
        result[i] = t->step(UINT64_C(1000003) * (i + 1));
        sum[i + 1] = hash_of(t);
        assert_int_equal(vmm_history_mark(h), VMM_OK);
    }
    assert_int_equal(h->forgotten, 0);
    for (i = 0; i < 60; i++) {
        to = (unsigned)(helper_random(&random) % (h->last + 1));
        assert_int_equal(vmm_history_go(h, to), VMM_OK);
        assert_int_equal(hash_of(t), sum[to]);
        assert_true(t->check());
        vmm_history_restore(h); /* a look may leave something to remember */
        assert_int_equal(hash_of(t), sum[to]);
        steps_again(t, to, to + 5 < STEPS ? to + 5 : STEPS, result, sum); /* not marked: lost again */
    }
    assert_int_equal(vmm_history_go(h, 30), VMM_OK);
    for (i = 0; i < 10; i++) { /* another way */
        (void)t->step(helper_random(&random));
        assert_true(t->check());
        assert_int_equal(vmm_history_mark(h), VMM_OK);
    }
    assert_int_equal(h->last, 40);
    assert_int_equal(vmm_history_go(h, 30), VMM_OK);
    assert_true(hash_of(t) == sum[30]);
    steps_again(t, 30, STEPS, result, sum);
    assert_true(vmm_history_check(h));
}

#define RAM_PAGES 48u
static uint64_t ram[RAM_PAGES * PAGE / 8] __attribute__((aligned(4096)));
static vmm_memory_t memory;
static rv_mmu_t mmu;
static uint64_t next_table;

static bool nothing_to_check(void)
{
    return true;
}

static int take_table(void *user, uint64_t bytes, uint64_t *table)
{
    uint64_t *next = (uint64_t *)user;
    if (*next + bytes > memory.base + memory.size) return -1;
    *table = *next;
    *next += bytes;
    return 0;
}

static vmm_tables_t tables;

/* Loads, stores, and now and then an entry changed and flushed. What the MMU counts is a part of the answer. */
static uint64_t step_of_mmu(uint64_t random)
{
    const vmm_vaddr_t va = (helper_random(&random) % 24) * PAGE * 513 + helper_random(&random) % 512 * 8;
    uint64_t word = 0, answer = 1;
    unsigned i;
    for (i = 0; i < 4; i++) {
        answer = answer * 7 + (uint64_t)rv_load64(&mmu, va ^ (i * PAGE * 513), &word) + word;
        answer = answer * 7 + (uint64_t)rv_store64(&mmu, va ^ (i * PAGE * 513), word + random);
        answer = answer * 7 + mmu.fault.kind + mmu.fault.vaddr;
    }
    if (helper_random(&random) % 4 == 0) {
        answer = answer * 7 + (uint64_t)vmm_pt_map(&vmm_sv39, &tables, va & ~(uint64_t)(PAGE - 1),
                                                   0x80000000u + helper_random(&random) % 8 * PAGE, PAGE,
                                                   VMM_R | VMM_W | VMM_REPLACE);
        rv_flush_page(&mmu, va);
    }
    return hash(answer, &mmu.stats, sizeof mmu.stats);
}

static void a_stamped_mmu_goes_back_and_does_again_what_it_did(void **state)
{
    static thing_t thing;
    unsigned i;
    (void)state;
    memset(ram, 0, sizeof ram);
    memory.ram = ram;
    memory.base = 0x80000000u;
    memory.size = sizeof ram;
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    memset(&tables, 0, sizeof tables);
    tables.memory = &memory;
    tables.take = take_table;
    tables.user = &next_table;
    next_table = memory.base + 8 * PAGE;
    assert_int_equal(vmm_pt_create(&vmm_sv39, &tables), VMM_OK);
    for (i = 0; i < 8; i++)
        assert_int_equal(
            vmm_pt_map(&vmm_sv39, &tables, i * 3ul * PAGE * 513, memory.base + i * PAGE, PAGE, VMM_R | VMM_W), VMM_OK);
    rv_set_satp(&mmu, UINT64_C(8) << 60 | tables.root >> 12);
    rv_set_privilege(&mmu, 1);
    thing.step = step_of_mmu;
    thing.check = nothing_to_check;
    thing.start[0] = &mmu;
    thing.bytes[0] = sizeof mmu;
    thing.start[1] = ram;
    thing.bytes[1] = sizeof ram;
    thing.start[2] = &next_table;
    thing.bytes[2] = sizeof next_table;
    back_and_forth(&thing);
}

/* A machine whose frames do not suffice: two processes, one forked from the other now and then, and a swap. */
#define SLOTS 64u
static uint64_t machine_block[1 << 14];
static uint8_t disk[SLOTS * PAGE];
static vmm_machine_t *m;
static uint32_t cpu;

static int write_slot(void *user, uint32_t slot, const void *page)
{
    return !memcpy((uint8_t *)user + slot * PAGE, page, PAGE);
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    return !memcpy(page, (uint8_t *)user + slot * PAGE, PAGE);
}

static uint64_t step_of_machine(uint64_t random)
{
    const uint32_t count = m->spaces.fresh;
    const uint32_t number = 1 + (uint32_t)(helper_random(&random) % count);
    vmm_space_t *s = vmm_space_at(m, number), *child = NULL;
    uint64_t answer = 1;
    uint32_t word = 0;
    unsigned i;
    if (s->number != number) s = vmm_space_at(m, 1);
    assert_int_equal(vmm_space_switch(s, cpu), VMM_OK);
    for (i = 0; i < 6; i++) {
        const vmm_vaddr_t va = 0x100000 + helper_random(&random) % 42 * PAGE;
        answer = answer * 7 + (uint64_t)rv_load32(&mmu, va, &word) + word;
        answer = answer * 7 + (uint64_t)rv_store32(&mmu, va, word + (uint32_t)random);
    }
    if (helper_random(&random) % 6 == 0) answer = answer * 7 + (uint64_t)vmm_fork(s, &child);
    if (helper_random(&random) % 6 == 0 && s->number > 1) vmm_exit(s);
    return hash(answer, &m->stats, sizeof m->stats);
}

static bool machine_is_whole(void)
{
    return vmm_check(m);
}

static void a_machine_with_processes_goes_back_and_does_again_what_it_did(void **state)
{
    static const vmm_swap_area_t swap = {write_slot, read_slot, disk, SLOTS, 0};
    static thing_t thing;
    vmm_machine_options_t options;
    vmm_space_t *s = NULL;
    vmm_vaddr_t va = 0;
    (void)state;
    memset(&options, 0, sizeof options);
    memory.ram = ram;
    memory.base = 0x80000000u;
    memory.size = sizeof ram;
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.spaces = 6;
    options.areas = 32;
    options.slots = SLOTS;
    options.asid_bits = 4;
    assert_true(vmm_machine_bytes(&options) <= sizeof machine_block);
    assert_int_equal(vmm_machine_create(machine_block, sizeof machine_block, &options, &m), VMM_OK);
    assert_int_equal(rv_init(&mmu, &memory), VMM_OK);
    assert_int_equal(rv_attach(&mmu, m, &cpu), VMM_OK);
    assert_int_equal(vmm_swap_add(m, &swap), VMM_OK);
    assert_int_equal(vmm_space_create(m, &s), VMM_OK);
    assert_int_equal(
        vmm_mmap(s, 0x100000, 40 * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS | VMM_MAP_FIXED, 0, 0, &va),
        VMM_OK);
    thing.step = step_of_machine;
    thing.check = machine_is_whole;
    thing.start[0] = machine_block;
    thing.bytes[0] = sizeof machine_block;
    thing.start[1] = ram;
    thing.bytes[1] = sizeof ram;
    thing.start[2] = &mmu;
    thing.bytes[2] = sizeof mmu;
    thing.start[3] = disk;
    thing.bytes[3] = sizeof disk;
    back_and_forth(&thing);
    assert_true(m->stats.swapped_in > 0 && m->stats.copied > 0); /* it was worth it */
}

static uint64_t arena[1 << 13];
static heap_t heap;
static void *live[40];

static uint64_t step_of_heap(uint64_t random)
{
    uint64_t answer = 1;
    unsigned i;
    for (i = 0; i < 8; i++) {
        void **one = &live[helper_random(&random) % 40];
        const size_t bytes = (size_t)(helper_random(&random) % 3000);
        if (*one && helper_random(&random) % 2) {
            heap_free(&heap, *one);
            *one = NULL;
            continue;
        }
        if (*one) heap_free(&heap, *one);
        *one = heap_malloc(&heap, bytes);
        answer = answer * 7 + (uintptr_t)*one;
        if (*one) memset(*one, (int)bytes, bytes);
    }
    return answer;
}

static bool heap_is_whole(void)
{
    return heap_check(&heap);
}

static void a_heap_goes_back_and_does_again_what_it_did(void **state)
{
    static thing_t thing;
    vmm_heap_options_t options;
    (void)state;
    memset(&options, 0, sizeof options);
    options.arena = arena;
    options.bytes = sizeof arena;
    assert_int_equal(heap_init(&heap, &options), VMM_OK);
    thing.step = step_of_heap;
    thing.check = heap_is_whole;
    thing.start[0] = &heap;
    thing.bytes[0] = sizeof heap;
    thing.start[1] = arena;
    thing.bytes[1] = sizeof arena;
    thing.start[2] = live;
    thing.bytes[2] = sizeof live;
    back_and_forth(&thing);
}

/* -- symbols and events -- */

/* The memory system of CS:APP 3e, 9.6.4: 14-bit VA, 12-bit PA, pages of 64 bytes, 4 sets of 4 ways. */
static const vmm_paging_t book = {"book", 0, 0, 0, 14, 12, 6, 1, {8}, 1, 2, 8, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void the_symbols_of_the_book_s_first_access_have_its_widths_and_values(void **state)
{
    static const struct {
        const char *name;
        unsigned bits, value;
    } answer[] = {{"VPN", 8, 0x0f}, {"VPO", 6, 0x14}, {"TLBI", 2, 3}, {"TLBT", 6, 3}, {"PPN", 6, 0x0d},
                  {"PPO", 6, 0x14}, {"CO", 2, 0},     {"CI", 4, 5},   {"CT", 6, 0x0d}};
    vmm_symbol_t list[VMM_SYMBOLS + VMM_CACHES_SYMBOLS];
    vmm_cache_geometry_t geometry;
    vmm_cache_step_t step;
    vmm_examination_t x;
    FILE *file = tmpfile();
    char text[512];
    size_t i, length;
    (void)state;
    memset(&x, 0, sizeof x);
    memset(&geometry, 0, sizeof geometry);
    memset(&step, 0, sizeof step);
    x.paging = &book;
    x.vpn = 0x0f;
    x.vpo = x.ppo = 0x14;
    x.has_tlb = x.tlb_hit = 1;
    x.tlbi_bits = 2;
    x.tlbi = x.tlbt = 3;
    x.ppn = 0x0d;
    geometry.sets = 16;
    geometry.ways = 1;
    geometry.block = 4;
    step.ci = 5;
    step.ct = 0x0d;
    vmm_symbols(&x, list);
    vmm_caches_symbols(&geometry, 12, &step, list + VMM_SYMBOLS);
    for (i = 0; i < sizeof answer / sizeof *answer; i++) {
        assert_string_equal(list[i].name, answer[i].name);
        assert_int_equal(list[i].bits, answer[i].bits);
        assert_int_equal(list[i].value, answer[i].value);
        assert_true(list[i].known);
    }
    vmm_caches_symbols(&geometry, 12, NULL, list + VMM_SYMBOLS);
    vmm_print_symbols(file, list, VMM_SYMBOLS + VMM_CACHES_SYMBOLS);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    assert_string_equal(text, "symbol bits  value\nVPN       8  0x0f\nVPO       6  0x14\nTLBI      2  0x3\n"
                              "TLBT      6  0x03\nPPN       6  0x0d\nPPO       6  0x14\nCO        2  -\n"
                              "CI        4  -\nCT        6  -\n");
}

static void symbols_that_an_access_does_not_have_are_not_known(void **state)
{
    vmm_symbol_t list[VMM_SYMBOLS];
    vmm_examination_t x;
    (void)state;
    memset(&x, 0, sizeof x);
    x.status = VMM_FAULT;
    x.ppn = 5; /* nobody may see it */
    vmm_symbols(&x, list);
    assert_int_equal(list[0].bits, 52); /* translation is off */
    assert_int_equal(list[1].bits, 12);
    assert_true(list[0].known && list[1].known);
    assert_true(!list[2].known && !list[3].known && !list[4].known && !list[5].known);
    assert_int_equal(list[4].value, 0);
}

static vmm_event_t told[32];
static unsigned told_count;

static void note(void *user, const vmm_event_t *event)
{
    assert_ptr_equal(user, told);
    assert_true(told_count < 32);
    told[told_count++] = *event;
}

static void an_access_is_told_stage_by_stage_and_changes_nothing(void **state)
{
    static rv_mmu_t before;
    static const unsigned cold[] = {VMM_EVENT_ACCESS,     VMM_EVENT_TLB_MISS, VMM_EVENT_WALK, VMM_EVENT_ENTRY,
                                    VMM_EVENT_WALK,       VMM_EVENT_ENTRY,    VMM_EVENT_WALK, VMM_EVENT_ENTRY,
                                    VMM_EVENT_CACHE_MISS, VMM_EVENT_CACHE_HIT};
    static const unsigned warm[] = {VMM_EVENT_ACCESS, VMM_EVENT_TLB_HIT};
    vmm_cache_step_t caches[3];
    vmm_examination_t x;
    uint64_t word;
    unsigned i;
    (void)state;
    a_stamped_mmu_goes_back_and_does_again_what_it_did(state); /* an MMU with tables */
    assert_int_equal(vmm_pt_map(&vmm_sv39, &tables, 0x5000, 0x80000000u, PAGE, VMM_R | VMM_W | VMM_REPLACE), VMM_OK);
    rv_flush_all(&mmu);
    memset(caches, 0, sizeof caches);
    caches[0].asked = caches[1].asked = caches[1].hit = true; /* not the third */
    memcpy(&before, &mmu, sizeof mmu);
    told_count = 0;
    rv_examine(&mmu, 0x5008, VMM_READ, &x);
    vmm_tell_access(note, told, 7, &x, caches, 3);
    assert_memory_equal(&before, &mmu, sizeof mmu);
    assert_int_equal(told_count, 10);
    for (i = 0; i < told_count; i++) {
        assert_int_equal(told[i].kind, cold[i]);
        assert_int_equal(told[i].space, 7);
        assert_int_equal(told[i].vaddr, 0x5008);
    }
    assert_int_equal(told[0].detail, VMM_READ);
    assert_int_equal(told[2].paddr, tables.root);
    assert_int_equal(told[3].detail, x.step[0].pte);
    assert_int_equal(told[7].paddr, x.step[2].pte_addr);
    assert_int_equal(told[8].paddr, 0x80000008u);
    assert_int_equal(told[8].detail, 1);
    assert_int_equal(told[9].detail, 2);
    assert_int_equal(rv_load64(&mmu, 0x5008, &word), VMM_OK);
    told_count = 0;
    rv_examine(&mmu, 0x5008, VMM_READ, &x);
    vmm_tell_access(note, told, 0, &x, NULL, 0);
    assert_int_equal(told_count, x.tlb_hit ? 2 : 0);
    for (i = 0; i < told_count; i++) assert_int_equal(told[i].kind, warm[i]);
    assert_int_equal(told[1].paddr, 0x80000008u);
    assert_int_equal(told[1].detail, x.tlbi);
    told_count = 0;
    rv_examine(&mmu, UINT64_C(1) << 35, VMM_WRITE, &x);
    vmm_tell_access(note, told, 0, &x, caches, 2); /* a fault: no cache is asked */
    assert_int_equal(told_count, 4);
    assert_int_equal(told[3].kind, VMM_EVENT_ENTRY);
    assert_int_equal(told[3].detail, 0);
}

static void events_of_accesses_are_printed_as_those_of_a_machine(void **state)
{
    static const vmm_event_t event[] = {{VMM_EVENT_TLB_HIT, 1, 0x5008, 0x80000008u, 1},
                                        {VMM_EVENT_TLB_MISS, 1, 0x5008, 0, 1},
                                        {VMM_EVENT_CACHE_HIT, 1, 0x5008, 0x80000008u, 2},
                                        {VMM_EVENT_CACHE_MISS, 0, 0x5008, 0x80000008u, 1}};
    FILE *file = tmpfile();
    char text[512];
    size_t i, length;
    (void)state;
    for (i = 0; i < sizeof event / sizeof *event; i++) vmm_print_event(file, &event[i]);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    assert_string_equal(text, "    space 1   TLB hit     VA 0x00005008 PA 0x80000008 set 1\n"
                              "    space 1   TLB miss    VA 0x00005008 set 1\n"
                              "    space 1   cache hit   PA 0x80000008 level 2\n"
                              "              cache miss  PA 0x80000008 level 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_is_null_crooked_or_too_small_is_refused),
        cmocka_unit_test(a_stretch_that_cannot_be_watched_is_refused_and_changes_nothing),
        cmocka_unit_test(one_stretch_more_than_the_limit_is_refused),
        cmocka_unit_test(more_may_be_watched_before_the_first_mark_and_after_beginning_anew),
        cmocka_unit_test(a_history_that_watches_nothing_counts_its_marks),
        cmocka_unit_test(random_walks_find_every_byte_as_it_was_at_each_mark),
        cmocka_unit_test(bytes_beside_a_stretch_are_never_touched),
        cmocka_unit_test(what_was_not_marked_is_undone_and_the_steps_ahead_stay),
        cmocka_unit_test(going_another_way_drops_the_steps_ahead),
        cmocka_unit_test(the_oldest_steps_are_forgotten_when_room_is_short),
        cmocka_unit_test(a_step_of_exactly_the_room_fits_and_one_word_more_is_refused),
        cmocka_unit_test(a_step_that_was_refused_can_be_undone_or_begun_from),
        cmocka_unit_test(a_copy_of_the_block_is_a_history_too),
        cmocka_unit_test(the_check_finds_each_kind_of_damage),
        cmocka_unit_test(a_stamped_mmu_goes_back_and_does_again_what_it_did),
        cmocka_unit_test(a_machine_with_processes_goes_back_and_does_again_what_it_did),
        cmocka_unit_test(a_heap_goes_back_and_does_again_what_it_did),
        cmocka_unit_test(the_symbols_of_the_book_s_first_access_have_its_widths_and_values),
        cmocka_unit_test(symbols_that_an_access_does_not_have_are_not_known),
        cmocka_unit_test(an_access_is_told_stage_by_stage_and_changes_nothing),
        cmocka_unit_test(events_of_accesses_are_printed_as_those_of_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
