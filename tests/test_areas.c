/* vmm.h, sections 10 and 11: the tree of areas against a sorted array, the page index against a plain map. */
#include "helper.h"

#include "vmm.h"

#define PAGE UINT64_C(0x1000)
#define GUARD 256 /* pages below a stack */
#define MOST 6000 /* areas of a test */
#define SPACES 3
#define INDEX_NODES 6000

/* ---------------------------------------------------------------------- the machine -- */

static uint64_t place(vmm_pool_t *pool, uint64_t offset, size_t bytes, uint32_t count)
{
    memset(pool, 0, sizeof *pool);
    pool->offset = offset;
    pool->bytes = (uint32_t)bytes;
    pool->count = count;
    return offset + (bytes * count + 63) / 64 * 64;
}

/* A machine with room for so many areas, and just the nodes that are said to suffice for them. */
static vmm_machine_t *machine(uint32_t areas, uint32_t index_nodes)
{
    vmm_machine_t head;
    uint64_t at = (sizeof head + 63) / 64 * 64;
    void *block;
    memset(&head, 0, sizeof head);
    head.paging = &vmm_sv39;
    head.layout.guard_pages = GUARD;
    at = place(&head.spaces, at, sizeof(vmm_space_t), SPACES);
    at = place(&head.areas, at, sizeof(vmm_area_t), areas);
    at = place(&head.tree_nodes, at, sizeof(vmm_tree_node_t), VMM_TREE_NODES(areas, SPACES));
    at = place(&head.index_nodes, at, sizeof(vmm_index_node_t), index_nodes);
    head.bytes = at;
    block = malloc((size_t)at);
    assert_non_null(block);
    memset(block, 0xa5, (size_t)at);
    memcpy(block, &head, sizeof head);
    return (vmm_machine_t *)block;
}

static vmm_space_t *space(vmm_machine_t *m)
{
    const uint32_t number = vmm_pool_take(m, &m->spaces);
    vmm_space_t *const s = (vmm_space_t *)vmm_pool_at(m, &m->spaces, number);
    assert_int_not_equal(number, 0);
    memset(s, 0, sizeof *s);
    s->offset = (uint64_t)((uint8_t *)s - (uint8_t *)m);
    s->number = number;
    return s;
}

/* ------------------------------------------------------------------ the sorted array -- */

/* What the tree should be: the numbers of the areas by address. */
typedef struct model {
    vmm_space_t *s;
    vmm_machine_t *m;
    uint32_t count;
    uint32_t number[MOST];
} model_t;

static model_t models[SPACES];

static vmm_area_t *area_of(const model_t *x, uint32_t i)
{
    return vmm_area_at(x->m, x->number[i]);
}

static model_t *model_new(unsigned which, vmm_machine_t *m)
{
    model_t *const x = &models[which];
    x->m = m;
    x->s = space(m);
    x->count = 0;
    return x;
}

static uint32_t model_after(const model_t *x, vmm_vaddr_t va)
{
    uint32_t low = 0, high = x->count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (area_of(x, middle)->end > va) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void add(model_t *x, vmm_vaddr_t start, vmm_vaddr_t end, uint32_t flags)
{
    const uint32_t number = vmm_pool_take(x->m, &x->m->areas), at = model_after(x, start);
    vmm_area_t *const area = vmm_area_at(x->m, number);
    assert_int_not_equal(number, 0);
    memset(area, 0, sizeof *area);
    area->start = start;
    area->end = end;
    area->flags = flags;
    area->space = x->s->number;
    memmove(x->number + at + 1, x->number + at, (x->count - at) * sizeof *x->number);
    x->number[at] = number;
    x->count++;
    vmm_area_insert(x->s, number);
}

static void drop(model_t *x, uint32_t i)
{
    const uint32_t number = x->number[i];
    vmm_area_remove(x->s, number);
    vmm_pool_give(x->m, &x->m->areas, number);
    x->count--;
    memmove(x->number + i, x->number + i + 1, (x->count - i) * sizeof *x->number);
}

static vmm_vaddr_t floor_of(const model_t *x, uint32_t i)
{
    const vmm_area_t *const area = area_of(x, i);
    const uint64_t guard = area->flags & VMM_AREA_GROWS ? GUARD * PAGE : 0;
    return area->start < guard ? 0 : area->start - guard;
}

/* The gap by looking at every one. */
static bool model_gap(const model_t *x, uint64_t bytes, uint64_t low, uint64_t high, uint64_t align, bool top_down,
                      vmm_vaddr_t *found)
{
    bool is = false;
    uint32_t i;
    for (i = 0; i <= x->count; i++) {
        uint64_t start = i > 0 ? area_of(x, i - 1)->end : 0, end = i < x->count ? floor_of(x, i) : UINT64_MAX;
        if (start < low) start = low;
        if (end > high) end = high;
        if (end < start || end - start < bytes + align - PAGE) continue;
        if (top_down) *found = (end - bytes) / align * align;
        else if (!is) *found = (start + align - 1) / align * align;
        is = true;
    }
    return is;
}

static void compare_gap(const model_t *x, uint64_t bytes, uint64_t low, uint64_t high, uint64_t align, bool top_down)
{
    vmm_vaddr_t expected = 1, found = 1;
    const bool is = model_gap(x, bytes, low, high, align, top_down, &expected);
    assert_int_equal(vmm_area_gap(x->s, bytes, low, high, align, top_down, &found), is ? VMM_OK : VMM_E_NO_FRAME);
    assert_int_equal(found, expected);
}

static void compare_at(const model_t *x, vmm_vaddr_t va)
{
    const uint32_t i = model_after(x, va), expected = i < x->count ? x->number[i] : 0;
    assert_int_equal(vmm_area_after(x->s, va), expected);
    assert_int_equal(vmm_area_after(x->s, va), expected);
    assert_int_equal(vmm_area_with(x->s, va), expected && area_of(x, i)->start <= va ? expected : 0);
}

static void compare_all(const model_t *x)
{
    uint32_t i, number = vmm_area_first(x->s);
    assert_true(vmm_area_tree_check(x->s));
    assert_int_equal(x->s->areas, x->count);
    for (i = 0; i < x->count; i++) {
        assert_int_equal(number, x->number[i]);
        assert_int_equal(vmm_area_previous(x->s, number), i > 0 ? x->number[i - 1] : 0);
        number = vmm_area_next(x->s, number);
        compare_at(x, area_of(x, i)->start);
        compare_at(x, area_of(x, i)->end - 1);
        compare_at(x, area_of(x, i)->end);
        if (area_of(x, i)->start > 0) compare_at(x, area_of(x, i)->start - 1);
    }
    assert_int_equal(number, 0);
    assert_int_equal(vmm_area_last(x->s), x->count ? x->number[x->count - 1] : 0);
    compare_at(x, 0);
    compare_at(x, UINT64_MAX);
}

/* ------------------------------------------------------------------------ random ops -- */

/* Inserts an area of some pages somewhere below `pages`, if it is free there. */
static bool add_random(model_t *x, uint64_t *seed, uint64_t pages, uint32_t longest)
{
    const uint64_t start = helper_random(seed) % pages * PAGE;
    const uint64_t end = start + (1 + helper_random(seed) % longest) * PAGE;
    const uint32_t at = model_after(x, start);
    if (at < x->count && area_of(x, at)->start < end) return false;
    add(x, start, end, helper_random(seed) % 4 == 0 ? VMM_AREA_GROWS : 0);
    return true;
}

/* Moves the bounds of an area anywhere between its neighbours', and its flag now and then. */
static void resize_random(model_t *x, uint64_t *seed, uint64_t pages)
{
    const uint32_t i = (uint32_t)(helper_random(seed) % x->count);
    const uint64_t low = (i > 0 ? area_of(x, i - 1)->end : 0) / PAGE;
    uint64_t high = (i + 1 < x->count ? area_of(x, i + 1)->start : (pages + 64) * PAGE) / PAGE, start, end;
    vmm_area_t *const area = area_of(x, i);
    if (high < area->end / PAGE) high = area->end / PAGE;
    start = low + helper_random(seed) % (high - low);
    end = start + 1 + helper_random(seed) % (high - start);
    switch (helper_random(seed) % 8) {
    case 0: start = area->start / PAGE, end = area->end / PAGE, area->flags ^= VMM_AREA_GROWS; break;
    case 1: start = area->start / PAGE, end = start + 1; break;
    case 2: end = area->end / PAGE, start = end - 1; break;
    case 3: start = low, end = high; break; /* touches both neighbours */
    default: break;
    }
    vmm_area_resize(x->s, x->number[i], start * PAGE, end * PAGE);
    assert_int_equal(area->start, start * PAGE);
    assert_int_equal(area->end, end * PAGE);
}

static void gap_random(const model_t *x, uint64_t *seed, uint64_t pages)
{
    const uint64_t bytes = (1 + helper_random(seed) % (helper_random(seed) % 8 ? 16 : pages)) * PAGE;
    const uint64_t align = PAGE << (helper_random(seed) % 3 ? 0 : helper_random(seed) % 6);
    const bool whole = helper_random(seed) % 2;
    const uint64_t low = whole ? 0 : helper_random(seed) % pages * PAGE;
    const uint64_t high = whole ? pages * PAGE : helper_random(seed) % (pages + 64) * PAGE;
    if (high < low) return;
    compare_gap(x, bytes, low, high, align, true);
    compare_gap(x, bytes, low, high, align, false);
}

static void steps(uint32_t rounds, uint32_t most, uint64_t pages, uint32_t longest, uint64_t seed)
{
    vmm_machine_t *const m = machine(most, 1);
    model_t *const x = model_new(0, m);
    uint32_t round;
    bool growing = true;
    for (round = 0; round < rounds; round++) {
        const uint64_t what = helper_random(&seed) % 8;
        if (what < 4 ? growing : what == 4 && !growing) {
            if (x->count < most) add_random(x, &seed, pages, longest);
        } else if (x->count > 0 && what < 5) {
            drop(x, (uint32_t)(helper_random(&seed) % x->count));
        } else if (x->count > 0 && what == 5) {
            resize_random(x, &seed, pages);
        }
        gap_random(x, &seed, pages);
        compare_at(x, helper_random(&seed) % (pages * PAGE));
        assert_true(vmm_area_tree_check(x->s));
        if (round % 32 == 0) compare_all(x);
        if (helper_random(&seed) % (3 * most) == 0) growing = !growing;
    }
    while (x->count > 0) drop(x, (uint32_t)(helper_random(&seed) % x->count));
    compare_all(x);
    assert_int_equal(m->tree_nodes.used, 0);
    free(m);
}

/* ----------------------------------------------------------------------- tests: tree -- */

static void an_empty_space_has_no_area_and_is_one_gap(void **state)
{
    vmm_machine_t *const m = machine(1, 1);
    model_t *const x = model_new(0, m);
    (void)state;
    compare_all(x);
    compare_gap(x, PAGE, PAGE, 5 * PAGE, PAGE, true);
    compare_gap(x, PAGE, PAGE, 5 * PAGE, PAGE, false);
    compare_gap(x, 2 * PAGE, PAGE, 6 * PAGE, 2 * PAGE, true);
    compare_gap(x, 2 * PAGE, PAGE, 6 * PAGE, 2 * PAGE, false);
    compare_gap(x, 4 * PAGE, PAGE, 5 * PAGE, PAGE, true);
    compare_gap(x, 5 * PAGE, PAGE, 5 * PAGE, PAGE, true);
    free(m);
}

static void few_areas_are_what_a_sorted_array_says(void **state)
{
    (void)state;
    steps(3000, 4, 24, 8, 1);
    steps(3000, 30, 100, 6, 2);
}

static void some_hundred_areas_are_what_a_sorted_array_says(void **state)
{
    (void)state;
    steps(3000, 200, 3000, 20, 3);
    steps(3000, 700, 700, 1, 4);
    steps(3000, 700, UINT64_C(1) << 26, 2000, 5);
}

static void thousands_of_areas_come_and_go(void **state)
{
    vmm_machine_t *const m = machine(MOST, 1);
    model_t *const x = model_new(0, m);
    uint64_t seed = 6;
    uint32_t i;
    (void)state;
    for (i = 0; x->count < MOST; i++) {
        add_random(x, &seed, UINT64_C(1) << 22, 600);
        if (i % 16 == 0) gap_random(x, &seed, UINT64_C(1) << 22);
    }
    compare_all(x);
    for (i = 0; i < 2000; i++) {
        resize_random(x, &seed, UINT64_C(1) << 22);
        if (i % 4 == 0) gap_random(x, &seed, UINT64_C(1) << 22);
        if (i % 100 == 0) assert_true(vmm_area_tree_check(x->s));
    }
    compare_all(x);
    while (x->count > 0) {
        drop(x, (uint32_t)(helper_random(&seed) % x->count));
        if (x->count % 16 == 0) gap_random(x, &seed, UINT64_C(1) << 22);
        if (x->count % 100 == 0) assert_true(vmm_area_tree_check(x->s));
    }
    compare_all(x);
    free(m);
}

static void areas_that_come_in_order_fill_their_nodes(void **state)
{
    unsigned way;
    (void)state;
    for (way = 0; way < 2; way++) {
        vmm_machine_t *const m = machine(MOST, 1);
        model_t *const x = model_new(0, m);
        uint32_t i;
        for (i = 0; i < MOST; i++) {
            const uint64_t start = (way ? i : MOST - i) * 2 * PAGE;
            add(x, start, start + PAGE, 0);
        }
        compare_all(x);
        assert_true(m->tree_nodes.used < MOST / (VMM_TREE_FANOUT * 5 / 6));
        for (i = 0; i < MOST; i++) {
            drop(x, way ? 0 : x->count - 1);
            if (i % 100 == 0) assert_true(vmm_area_tree_check(x->s));
        }
        assert_int_equal(m->tree_nodes.used, 0);
        free(m);
    }
}

/* Nodes are thinnest when full ones are cut and then lose what they got more than the half. */
static void the_nodes_suffice_however_thin_they_get(void **state)
{
    vmm_machine_t *const m = machine(MOST, 1);
    model_t *x[SPACES];
    uint64_t seed = 7;
    uint32_t i, round;
    (void)state;
    for (i = 0; i < SPACES; i++) x[i] = model_new(i, m);
    for (round = 0; round < 20; round++) {
        model_t *const y = x[round % SPACES];
        while (m->areas.used < MOST) add_random(y, &seed, UINT64_C(1) << 24, 1);
        for (i = 0; i < SPACES; i++) {
            assert_true(vmm_area_tree_check(x[i]->s));
            if (round % 5 == 4)
                while (x[i]->count > 0) drop(x[i], x[i]->count / 2);
        }
        for (i = y->count; i-- > 0;)
            if (helper_random(&seed) % 2) drop(y, i);
    }
    for (i = 0; i < SPACES; i++) {
        compare_all(x[i]);
        while (x[i]->count > 0) drop(x[i], 0);
    }
    assert_int_equal(m->tree_nodes.used, 0);
    free(m);
}

static void the_area_found_last_is_forgotten_when_it_goes(void **state)
{
    vmm_machine_t *const m = machine(3, 1);
    model_t *const x = model_new(0, m);
    (void)state;
    add(x, 1 * PAGE, 3 * PAGE, 0);
    add(x, 5 * PAGE, 6 * PAGE, 0);
    assert_int_equal(vmm_area_with(x->s, 2 * PAGE), x->number[0]);
    assert_int_equal(x->s->recent, x->number[0]);
    vmm_area_resize(x->s, x->number[0], 1 * PAGE, 2 * PAGE);
    compare_at(x, 2 * PAGE);
    compare_at(x, 5 * PAGE);
    assert_int_equal(x->s->recent, x->number[1]);
    drop(x, 1);
    assert_int_equal(x->s->recent, 0);
    compare_at(x, 5 * PAGE);
    compare_all(x);
    free(m);
}

static void a_stack_keeps_its_guard_free_and_may_grow_into_it(void **state)
{
    const vmm_vaddr_t stack = 1000 * PAGE;
    vmm_machine_t *const m = machine(3, 1);
    model_t *const x = model_new(0, m);
    vmm_vaddr_t found = 0;
    (void)state;
    add(x, stack, stack + 8 * PAGE, VMM_AREA_GROWS);
    assert_int_equal(vmm_area_gap(x->s, PAGE, 0, stack, PAGE, true, &found), VMM_OK);
    assert_int_equal(found, stack - (GUARD + 1) * PAGE);
    add(x, stack - (GUARD + 1) * PAGE, stack - GUARD * PAGE, 0);
    assert_int_equal(vmm_area_gap(x->s, PAGE, stack - GUARD * PAGE, stack, PAGE, true, &found), VMM_E_NO_FRAME);
    vmm_area_resize(x->s, x->number[1], stack - 8 * PAGE, stack + 8 * PAGE);
    compare_all(x);
    area_of(x, 1)->flags = 0;
    assert_false(vmm_area_tree_check(x->s));
    vmm_area_resize(x->s, x->number[1], stack - 8 * PAGE, stack + 8 * PAGE);
    assert_true(vmm_area_tree_check(x->s));
    assert_int_equal(vmm_area_gap(x->s, PAGE, 0, stack, PAGE, true, &found), VMM_OK);
    assert_int_equal(found, stack - 9 * PAGE);
    add(x, 3 * PAGE, 4 * PAGE, VMM_AREA_GROWS); /* its guard would begin below 0 */
    compare_all(x);
    compare_gap(x, PAGE, 0, 4 * PAGE, PAGE, true);
    compare_gap(x, PAGE, 0, 5 * PAGE, PAGE, false);
    free(m);
}

static void bounds_at_the_end_of_addresses_do_not_wrap(void **state)
{
    const vmm_vaddr_t top = UINT64_MAX - (PAGE - 1);
    vmm_machine_t *const m = machine(2, 1);
    model_t *const x = model_new(0, m);
    vmm_vaddr_t found = 0;
    unsigned way;
    (void)state;
    add(x, top - 4 * PAGE, top - 2 * PAGE, 0);
    for (way = 0; way < 2; way++) {
        compare_gap(x, 2 * PAGE, top - 3 * PAGE, top, PAGE, way);
        compare_gap(x, 3 * PAGE, top - 3 * PAGE, top, PAGE, way);
        assert_int_equal(vmm_area_gap(x->s, PAGE, top + 1, UINT64_MAX, PAGE, way, &found), VMM_E_NO_FRAME);
        assert_int_equal(vmm_area_gap(x->s, PAGE, top, 0, PAGE, way, &found), VMM_E_NO_FRAME);
        compare_gap(x, PAGE, 0, top, UINT64_C(1) << 63, way);
        assert_int_equal(vmm_area_gap(x->s, top, 0, top, 2 * PAGE, way, &found), VMM_E_NO_FRAME);
        assert_int_equal(vmm_area_gap(x->s, PAGE, 1, 2 * PAGE - 1, PAGE, way, &found), VMM_E_NO_FRAME);
        assert_int_equal(vmm_area_gap(x->s, PAGE, 1, 3 * PAGE - 1, PAGE, way, &found), VMM_OK);
        assert_int_equal(found, PAGE);
    }
    add(x, top - 2 * PAGE, top, 0);
    compare_all(x);
    free(m);
}

static void the_check_sees_a_tree_that_is_wrong(void **state)
{
    vmm_machine_t *const m = machine(400, 1);
    model_t *const x = model_new(0, m);
    vmm_tree_node_t *root, *leaf;
    uint32_t i;
    (void)state;
    for (i = 0; i < 400; i++) add(x, i * 3 * PAGE, (i * 3 + 2) * PAGE, 0);
    root = vmm_tree_node_at(m, x->s->tree);
    leaf = root;
    for (i = 1; i < x->s->tree_height; i++) leaf = vmm_tree_node_at(m, leaf->child[0]);
    assert_true(vmm_area_tree_check(x->s));
#define WRONG(change, back)                                                                                            \
    do {                                                                                                               \
        change;                                                                                                        \
        assert_false(vmm_area_tree_check(x->s));                                                                       \
        back;                                                                                                          \
        assert_true(vmm_area_tree_check(x->s));                                                                        \
    } while (0)
    WRONG(x->s->areas++, x->s->areas--);
    WRONG(x->s->recent = 401, x->s->recent = 0);
    WRONG(root->gap[1] -= PAGE, root->gap[1] += PAGE);
    WRONG(root->key[0] += PAGE, root->key[0] -= PAGE);
    WRONG(leaf->gap[3] += PAGE, leaf->gap[3] -= PAGE);
    WRONG(leaf->key[0] += PAGE, leaf->key[0] -= PAGE);
    WRONG(leaf->count--, leaf->count++);
    WRONG(area_of(x, 7)->start += PAGE, area_of(x, 7)->start -= PAGE);
    WRONG(area_of(x, 7)->start -= 2 * PAGE, area_of(x, 7)->start += 2 * PAGE);
    WRONG(area_of(x, 7)->end += PAGE, area_of(x, 7)->end -= PAGE);
    WRONG(area_of(x, 7)->space++, area_of(x, 7)->space--);
    WRONG(root->child[root->count] = 1, root->child[root->count] = 0);
    WRONG(x->s->tree_height--, x->s->tree_height++);
    free(m);
}

/* ---------------------------------------------------------------------- tests: index -- */

#define KEYS 3000

/* The plain map: pages and words, unsorted. */
typedef struct pair {
    uint32_t page, value;
} pair_t;

static uint32_t map_find(const pair_t *map, uint32_t count, uint32_t page)
{
    uint32_t i = 0;
    while (i < count && map[i].page != page) i++;
    return i;
}

static void compare_index(vmm_machine_t *m, const vmm_index_t *x, const pair_t *map, uint32_t count, uint32_t from)
{
    uint32_t i, page = 1, value = 0, best = count;
    const uint32_t at = map_find(map, count, from);
    for (i = 0; i < count; i++)
        if (map[i].page >= from && (best == count || map[i].page < map[best].page)) best = i;
    assert_int_equal(vmm_index_next(m, x, from, &page, &value), best < count);
    if (best < count) {
        assert_int_equal(page, map[best].page);
        assert_int_equal(value, map[best].value);
    }
    assert_int_equal(vmm_index_get(m, x, from), at < count ? map[at].value : 0);
}

static void an_index_is_what_a_plain_map_says(void **state)
{
    static pair_t map[KEYS];
    static const uint32_t masks[] = {0xf, 0xff, 0x3ff, 0xf000f, 0xffffffff, 0xf000000f, 0x80000001, 0};
    vmm_machine_t *const m = machine(1, INDEX_NODES);
    uint64_t seed = 8;
    unsigned k;
    (void)state;
    for (k = 0; k < sizeof masks / sizeof *masks; k++) {
        vmm_index_t x = {0, 0, 0};
        uint32_t count = 0, round, lack = 0;
        bool growing = true;
        for (round = 0; round < 2500; round++) {
            const uint32_t page = (uint32_t)helper_random(&seed) & masks[k];
            const uint32_t value = (uint32_t)helper_random(&seed) | 1u;
            const uint32_t at = map_find(map, count, page);
            if (helper_random(&seed) % 600 == 0) growing = !growing;
            if (helper_random(&seed) % 4 ? growing : !growing) {
                const vmm_index_t before = x;
                if (vmm_index_set(m, &x, page, value) == VMM_OK) {
                    map[at].page = page;
                    map[at].value = value;
                    if (at == count) count++;
                } else {
                    assert_int_equal(at, count);
                    assert_memory_equal(&x, &before, sizeof x);
                    lack++;
                }
            } else if (count > 0) {
                const uint32_t i = helper_random(&seed) % 4 ? (uint32_t)(helper_random(&seed) % count) : at;
                if (i == count) {
                    assert_int_equal(vmm_index_clear(m, &x, page), 0);
                } else {
                    assert_int_equal(vmm_index_clear(m, &x, map[i].page), map[i].value);
                    map[i] = map[--count];
                }
            }
            assert_int_equal(x.count, count);
            if (round % 8 == 0 || count < 40) assert_true(vmm_index_check(m, &x));
            compare_index(m, &x, map, count, (uint32_t)helper_random(&seed) & masks[k]);
            compare_index(m, &x, map, count, page);
        }
        assert_true(vmm_index_check(m, &x));
        compare_index(m, &x, map, count, 0);
        compare_index(m, &x, map, count, UINT32_MAX);
        while (count > 0) {
            count--;
            assert_int_equal(vmm_index_clear(m, &x, map[count].page), map[count].value);
        }
        assert_true(vmm_index_check(m, &x));
        assert_int_equal(x.root, 0);
        assert_int_equal(m->index_nodes.used, 0);
    }
    free(m);
}

static void an_index_that_lacks_nodes_changes_nothing(void **state)
{
    uint32_t nodes;
    (void)state;
    for (nodes = 0; nodes < 60; nodes++) {
        vmm_machine_t *const m = machine(1, nodes);
        vmm_index_t x = {0, 0, 0};
        pair_t map[100];
        uint64_t seed = 9 + nodes;
        uint32_t count = 0, round, i;
        for (round = 0; round < 100; round++) {
            const uint32_t page = (uint32_t)(helper_random(&seed) >> (helper_random(&seed) % 33));
            const uint32_t used = m->index_nodes.used, at = map_find(map, count, page);
            const vmm_index_t before = x;
            const vmm_status_t status = vmm_index_set(m, &x, page, round + 1);
            assert_true(vmm_index_check(m, &x));
            if (status == VMM_OK) {
                map[at].page = page;
                map[at].value = round + 1;
                if (at == count) count++;
            } else {
                assert_int_equal(status, VMM_E_NO_FRAME);
                assert_int_equal(at, count);
                assert_int_equal(m->index_nodes.used, used);
                assert_memory_equal(&x, &before, sizeof x);
            }
            for (i = 0; i < count; i++) assert_int_equal(vmm_index_get(m, &x, map[i].page), map[i].value);
            if (count > 0 && round % 3 == 2) {
                count--;
                assert_int_equal(vmm_index_clear(m, &x, map[count].page), map[count].value);
                assert_true(vmm_index_check(m, &x));
            }
        }
        free(m);
    }
}

static void an_index_takes_no_more_nodes_than_its_pages_need(void **state)
{
    static const struct {
        uint32_t pages[3], nodes; /* pages until a 0, besides page 0 */
    } cases[] = {{{0, 0, 0}, 1},   {{15, 0, 0}, 1},    {{16, 0, 0}, 3},          {{255, 0, 0}, 3},
                 {{256, 0, 0}, 5}, {{256, 257, 0}, 5}, {{0xffffffff, 0, 0}, 15}, {{0xffffffff, 0xfffffff0, 16}, 16}};
    size_t c, i;
    (void)state;
    for (c = 0; c < sizeof cases / sizeof *cases; c++) {
        unsigned one_less;
        for (one_less = 0; one_less < 2; one_less++) {
            vmm_machine_t *const m = machine(1, cases[c].nodes - one_less);
            vmm_index_t x = {0, 0, 0};
            vmm_status_t status = vmm_index_set(m, &x, 0, 1);
            for (i = 0; i < 3 && cases[c].pages[i] != 0; i++)
                if (status == VMM_OK) status = vmm_index_set(m, &x, cases[c].pages[i], 2);
            assert_int_equal(status, one_less ? VMM_E_NO_FRAME : VMM_OK);
            assert_int_equal(m->index_nodes.used <= cases[c].nodes - one_less, true);
            assert_int_equal(vmm_index_set(m, &x, 0, 3), cases[c].nodes == one_less ? VMM_E_NO_FRAME : VMM_OK);
            assert_true(vmm_index_check(m, &x));
            if (!one_less) {
                assert_int_equal(m->index_nodes.used, cases[c].nodes);
                for (i = 3; i-- > 0;) vmm_index_clear(m, &x, cases[c].pages[i] ? cases[c].pages[i] : 1);
                assert_int_equal(x.height, 1);
                assert_int_equal(m->index_nodes.used, 1);
                assert_int_equal(vmm_index_get(m, &x, 0), 3);
            }
            free(m);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_space_has_no_area_and_is_one_gap),
        cmocka_unit_test(few_areas_are_what_a_sorted_array_says),
        cmocka_unit_test(some_hundred_areas_are_what_a_sorted_array_says),
        cmocka_unit_test(thousands_of_areas_come_and_go),
        cmocka_unit_test(areas_that_come_in_order_fill_their_nodes),
        cmocka_unit_test(the_nodes_suffice_however_thin_they_get),
        cmocka_unit_test(the_area_found_last_is_forgotten_when_it_goes),
        cmocka_unit_test(a_stack_keeps_its_guard_free_and_may_grow_into_it),
        cmocka_unit_test(bounds_at_the_end_of_addresses_do_not_wrap),
        cmocka_unit_test(the_check_sees_a_tree_that_is_wrong),
        cmocka_unit_test(an_index_is_what_a_plain_map_says),
        cmocka_unit_test(an_index_that_lacks_nodes_changes_nothing),
        cmocka_unit_test(an_index_takes_no_more_nodes_than_its_pages_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
