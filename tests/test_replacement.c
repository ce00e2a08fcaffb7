/* test_replacement.c - vmm.h, section 13: the replacement policies, driven page by page without a machine around them:
 * the textbooks' reference strings, and each policy against a slow one written from its paper. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define FRAMES 64
#define GHOSTS 128
#define PAGES 100
#define LENGTH 400
#define WRITES 0x80 /* a use that writes its page */
#define TICK 16     /* uses between two ticks, of policies that have them */

enum {
    HIT = -2,
    FILLED = -1
}; /* what a use led to, if not to a victim's page */

/* -- a machine that is nothing but frame records -- */

static uint64_t block[(sizeof(vmm_machine_t) + FRAMES * (sizeof(vmm_frame_t) + 1) + GHOSTS * 16) / 8 + 8];
static vmm_machine_t *const m = (vmm_machine_t *)(void *)block;
static vmm_resident_t *const set = &((vmm_machine_t *)(void *)block)->resident;
static uint32_t frame_of[PAGES + 1]; /* VMM_NO_FRAME: the page is in none */
static uint32_t frames;              /* how many may be used */
static int expecting;                /* the set is told what comes */

/* A frame's page is used, and only its accessed bit tells. */
static void used(uint32_t frame)
{
    vmm_frame_at(m, frame)->flags |= VMM_FRAME_REFERENCED;
}

static void open_set(const vmm_replacement_t *policy, uint32_t use, uint32_t ghosts)
{
    unsigned i;
    memset(block, 0, sizeof block);
    m->paging = &vmm_sv39;
    m->frame_count = FRAMES;
    m->slot_count = 1;
    m->options.ghosts = ghosts;
    m->frame_offset = sizeof *m;
    m->ghost_offset = m->frame_offset + FRAMES * sizeof(vmm_frame_t);
    m->age_offset = m->ghost_offset + GHOSTS * 16;
    set->policy = policy;
    set->hand = VMM_NO_FRAME;
    for (i = 0; i < VMM_RESIDENT_LISTS; i++) set->list[i].first = set->list[i].last = VMM_NO_FRAME;
    for (i = 0; i <= PAGES; i++) frame_of[i] = VMM_NO_FRAME;
    frames = use;
    expecting = 1;
}

static void leave(uint32_t frame)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    set->policy->leave(m, set, frame);
    assert_int_equal(vmm_list_of(m, frame), VMM_RESIDENT_LISTS);
    frame_of[f->index] = VMM_NO_FRAME;
    f->kind = VMM_FRAME_FREE;
}

static void enter(uint32_t frame, uint32_t page)
{
    vmm_frame_t *f = vmm_frame_at(m, frame);
    f->kind = VMM_FRAME_FIXED; /* the reverse map knows no entry of it */
    f->flags = 0;
    f->owner = 1;
    f->index = page;
    *vmm_age_of(m, frame) = 0;
    frame_of[page] = frame;
    set->policy->enter(m, set, frame);
}

static int use(int reference)
{
    const uint32_t page = (uint32_t)reference & ~(uint32_t)WRITES;
    uint32_t frame = frame_of[page];
    int outcome = FILLED;
    if (frame != VMM_NO_FRAME) {
        if (set->policy->touch) set->policy->touch(m, set, frame);
        outcome = HIT;
    } else {
        for (frame = 0; frame < frames && vmm_frame_at(m, frame)->kind; frame++) {}
        if (frame == frames) {
            if (expecting) vmm_resident_expect(m, set, 1, page);
            frame = set->policy->victim(m, set);
            assert_true(frame < frames);
            outcome = (int)vmm_frame_at(m, frame)->index;
            leave(frame);
        }
        enter(frame, page);
    }
    if (reference & WRITES) vmm_frame_at(m, frame)->flags |= VMM_FRAME_DIRTY;
    return outcome;
}

/* Every frame that holds a page is in one list, and the lists are whole. */
static void check_lists(void)
{
    uint32_t held = 0, listed = 0, i;
    unsigned number;
    for (i = 0; i < FRAMES; i++) held += vmm_frame_at(m, i)->kind != VMM_FRAME_FREE;
    for (number = 0; number < VMM_RESIDENT_LISTS; number++) {
        const vmm_list_t *list = &set->list[number];
        uint32_t previous = VMM_NO_FRAME, frame = list->first, count = 0;
        for (; frame != VMM_NO_FRAME && count < FRAMES; frame = vmm_frame_at(m, frame)->next, count++) {
            assert_int_equal(vmm_list_of(m, frame), number);
            assert_int_equal(vmm_frame_at(m, frame)->previous, previous);
            previous = frame;
        }
        assert_int_equal(list->last, previous);
        assert_int_equal(list->count, count);
        listed += count;
    }
    assert_int_equal(held, listed);
    if (set->policy->tick == vmm_fresh_tick) {
        uint32_t fresh = 0;
        for (i = 0; i < FRAMES; i++) fresh += vmm_frame_at(m, i)->kind && *vmm_age_of(m, i);
        assert_int_equal(set->word[3], fresh);
    }
}

static const vmm_replacement_t *const all[] = {
    &vmm_replace_fifo,    &vmm_replace_clock,     &vmm_replace_clock_set, &vmm_replace_lru,   &vmm_replace_nru,
    &vmm_replace_aging,   &vmm_replace_lfu,       &vmm_replace_random,    &vmm_replace_2q,    &vmm_replace_arc,
    &vmm_replace_wsclock, &vmm_replace_two_lists, &vmm_replace_sieve,     &vmm_replace_s3fifo};
#define POLICIES (sizeof all / sizeof *all)

/* -- the textbooks' strings -- */

typedef struct {
    const vmm_replacement_t *policy;
    const char *string;   /* pages, a digit each */
    int faults[7];        /* with 1 to 7 frames */
    const char *steps[2]; /* with 3 and 4 frames: hit '.', fault '-', fault with a victim: its page */
} answer_t;

/* Silberschatz, Galvin, Gagne's string; Belady's; Arpaci-Dusseau's. The books tell FIFO 15 and LRU 12 with 3 frames of
 * the first, FIFO 9 with 3 and 10 with 4 of the second, FIFO 7 and LRU 5 with 3 of the third. */
static const answer_t answers[] = {
    {&vmm_replace_fifo,
     "70120304230321201701",
     {20, 15, 15, 10, 9, 6, 6},
     {"---7.012304..23..012", "----.7.0..1..23..4.."}},
    {&vmm_replace_lru,
     "70120304230321201701",
     {20, 17, 12, 8, 7, 6, 6},
     {"---7.1.2304..0.3.2..", "----.7.1.....4...3.."}},
    {&vmm_replace_clock_set,
     "70120304230321201701",
     {20, 15, 14, 9, 9, 6, 6},
     {"---7.1.20.34.203.1.2", "----.7.1.....23..4.."}},
    {&vmm_replace_clock,
     "70120304230321201701",
     {20, 17, 11, 8, 7, 6, 6},
     {"---7.1.234...0.3.2..", "----.7.1.....4...3.."}},
    {&vmm_replace_fifo, "123412512345", {12, 12, 9, 10, 5, 5, 5}, {"---1234..12.", "----..123451"}},
    {&vmm_replace_lru, "123412512345", {12, 12, 10, 8, 5, 5, 5}, {"---1234..512", "----..3..451"}},
    {&vmm_replace_clock_set, "123412512345", {12, 12, 9, 10, 5, 5, 5}, {"---1234..12.", "----..123451"}},
    {&vmm_replace_clock, "123412512345", {12, 12, 10, 8, 5, 5, 5}, {"---1234..512", "----..3..453"}},
    {&vmm_replace_fifo, "01201303121", {11, 9, 7, 4, 4, 4, 4}, {"---..01.23.", "---..-....."}},
    {&vmm_replace_lru, "01201303121", {11, 9, 5, 4, 4, 4, 4}, {"---..2...0.", "---..-....."}},
    {&vmm_replace_clock_set, "01201303121", {11, 9, 7, 4, 4, 4, 4}, {"---..01.23.", "---..-....."}},
    {&vmm_replace_clock, "01201303121", {11, 9, 5, 4, 4, 4, 4}, {"---..2...0.", "---..-....."}},
};

static void the_strings_of_the_textbooks_have_their_known_faults(void **state)
{
    size_t i, k;
    uint32_t count;
    (void)state;
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        const answer_t *a = &answers[i];
        for (count = 1; count <= 7; count++) {
            char steps[32] = {0};
            int faults = 0;
            open_set(a->policy, count, GHOSTS);
            for (k = 0; a->string[k]; k++) {
                const int outcome = use(a->string[k] - '0');
                steps[k] = outcome == HIT ? '.' : outcome == FILLED ? '-' : (char)('0' + outcome);
                faults += outcome != HIT;
                check_lists();
            }
            assert_int_equal(faults, a->faults[count - 1]);
            if (count == 3 || count == 4) assert_string_equal(steps, a->steps[count - 3]);
        }
    }
}

/* -- the same policies from their papers, slow and plain -- */

typedef struct {
    int page[4 * PAGES], count; /* page[0] is the head */
} row_t;

static int row_find(const row_t *row, int page)
{
    int i;
    for (i = 0; i < row->count; i++)
        if (row->page[i] == page) return i;
    return -1;
}

static void row_cut(row_t *row, int at)
{
    for (row->count--; at < row->count; at++) row->page[at] = row->page[at + 1];
}

static void row_head(row_t *row, int page)
{
    int i;
    for (i = row->count++; i > 0; i--) row->page[i] = row->page[i - 1];
    row->page[0] = page;
}

static int row_tail(row_t *row)
{
    return row->page[--row->count];
}

static int at_least_one(int n)
{
    return n > 0 ? n : 1;
}

/* The outcome of every use of a string goes to `outcome`. A tick comes before each use that is a multiple of TICK. */
typedef void reference_t(const int *string, int count, int *outcome);

static int paper_frames, paper_told;

/* A table of frames, as the textbooks draw it; `choose` finds the frame to give up. */
typedef struct {
    int page, came, used, times, bit, dirty, age;
} cell_t;

static cell_t cell[FRAMES];
static int hand, now;

static void table(const int *string, int count, int *outcome, int first_bit, int (*choose)(void),
                  void (*tick)(cell_t *c))
{
    int filled = 0, i;
    hand = 0;
    for (now = 0; now < count; now++) {
        const int page = string[now] & ~WRITES;
        if (tick && now % TICK == 0) {
            for (i = 0; i < filled; i++) tick(&cell[i]);
        }
        for (i = 0; i < filled && cell[i].page != page; i++) {}
        if (i < filled) {
            outcome[now] = HIT;
            cell[i].bit = 1;
            cell[i].times++;
        } else {
            outcome[now] = FILLED;
            if (filled < paper_frames) {
                i = filled++;
            } else {
                i = choose();
                outcome[now] = cell[i].page;
            }
            memset(&cell[i], 0, sizeof cell[i]);
            cell[i].page = page;
            cell[i].came = now;
            cell[i].bit = first_bit;
        }
        cell[i].used = now;
        if (string[now] & WRITES) cell[i].dirty = 1;
    }
}

/* The frame of the lowest rank; among equals the page that came first. */
static int lowest(int (*rank)(const cell_t *c))
{
    int i, best = 0;
    for (i = 1; i < paper_frames; i++) {
        const int own = rank(&cell[i]), other = rank(&cell[best]);
        if (own < other || (own == other && cell[i].came < cell[best].came)) best = i;
    }
    return best;
}

static int rank_came(const cell_t *c)
{
    return c->came;
}
static int rank_used(const cell_t *c)
{
    return c->used;
}
static int rank_times(const cell_t *c)
{
    return c->times;
}
static int rank_class(const cell_t *c)
{
    return 2 * c->bit + c->dirty;
}
static int rank_register(const cell_t *c)
{
    return 256 * c->bit + c->age;
}
static int choose_came(void)
{
    return lowest(rank_came);
}
static int choose_used(void)
{
    return lowest(rank_used);
}
static int choose_times(void)
{
    return lowest(rank_times);
}
static int choose_class(void)
{
    return lowest(rank_class);
}
static int choose_register(void)
{
    return lowest(rank_register);
}

static int choose_clock(void)
{
    int chosen;
    while (cell[hand].bit) {
        cell[hand].bit = 0;
        hand = (hand + 1) % paper_frames;
    }
    chosen = hand;
    hand = (hand + 1) % paper_frames;
    return chosen;
}

static int choose_wsclock(void)
{
    int i, best = -1, chosen;
    for (i = 0; i < paper_frames; i++, hand = (hand + 1) % paper_frames) {
        cell_t *c = &cell[hand];
        if (c->bit) c->age = 0;
        c->bit = 0;
        if (!c->dirty && c->age > VMM_WORKING_SET_TICKS) break;
        if (best < 0 || c->age > cell[best].age || (c->age == cell[best].age && c->dirty < cell[best].dirty))
            best = hand;
    }
    chosen = i < paper_frames ? hand : best;
    hand = (chosen + 1) % paper_frames;
    return chosen;
}

static void tick_clear(cell_t *c)
{
    c->bit = 0;
}
static void tick_shift(cell_t *c)
{
    c->age = c->age / 2 + 128 * c->bit;
    c->bit = 0;
}
static void tick_age(cell_t *c)
{
    c->age++;
}

static void paper_fifo(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_came, NULL);
}
static void paper_lru(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_used, NULL);
}
static void paper_lfu(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_times, NULL);
}
static void paper_clock(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_clock, NULL);
}
static void paper_clock_set(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 1, choose_clock, NULL);
}
static void paper_nru(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 1, choose_class, tick_clear);
}
static void paper_aging(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 1, choose_register, tick_shift);
}
static void paper_wsclock(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_wsclock, tick_age);
}

/* Johnson and Shasha, the full version. */
static void paper_2q(const int *string, int count, int *outcome)
{
    static row_t in, out, am;
    const int most_in = at_least_one(paper_frames / 4), most_out = at_least_one(paper_frames / 2);
    int i;
    in.count = out.count = am.count = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES, remembered = row_find(&out, x) >= 0;
        outcome[i] = HIT;
        if (row_find(&am, x) >= 0) {
            row_cut(&am, row_find(&am, x));
            row_head(&am, x);
            continue;
        }
        if (row_find(&in, x) >= 0) continue;
        outcome[i] = FILLED;
        if (in.count + am.count == paper_frames) {
            if (in.count > most_in || am.count == 0) {
                outcome[i] = row_tail(&in);
                row_head(&out, outcome[i]);
                if (out.count > most_out) row_tail(&out);
            } else {
                outcome[i] = row_tail(&am);
            }
        }
        if (row_find(&out, x) >= 0) row_cut(&out, row_find(&out, x));
        row_head(remembered ? &am : &in, x);
    }
}

static row_t t1, t2, b1, b2;
static int arc_p;

static int arc_replace(int in_b2)
{
    int y;
    if (t1.count >= 1 && ((in_b2 && t1.count == arc_p) || t1.count > arc_p)) {
        y = row_tail(&t1);
        row_head(&b1, y);
    } else {
        y = row_tail(&t2);
        row_head(&b2, y);
    }
    return y;
}

static int arc_more(int p, int c)
{
    const int by = b1.count >= b2.count ? 1 : b2.count / b1.count;
    return p + by < c ? p + by : c;
}

static int arc_less(int p)
{
    const int by = b2.count >= b1.count ? 1 : b1.count / b2.count;
    return p - by > 0 ? p - by : 0;
}

/* Megiddo and Modha, figure 4, cases I to IV. Not told in time: the adaptation comes after the replacement. */
static void paper_arc(const int *string, int count, int *outcome)
{
    const int c = paper_frames;
    int i, p;
    t1.count = t2.count = b1.count = b2.count = arc_p = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES;
        row_t *const hit = row_find(&t1, x) >= 0 ? &t1 : row_find(&t2, x) >= 0 ? &t2 : NULL;
        outcome[i] = HIT;
        if (hit) {
            row_cut(hit, row_find(hit, x));
            row_head(&t2, x);
        } else if (row_find(&b1, x) >= 0) {
            if (paper_told) arc_p = arc_more(arc_p, c);
            outcome[i] = arc_replace(0);
            if (!paper_told) arc_p = arc_more(arc_p, c);
            row_cut(&b1, row_find(&b1, x));
            row_head(&t2, x);
        } else if (row_find(&b2, x) >= 0) {
            if (paper_told) arc_p = arc_less(arc_p);
            p = arc_p;
            if (!paper_told && t2.count == 0) arc_p = -1; /* there is nothing but T1 */
            outcome[i] = arc_replace(paper_told);
            arc_p = p;
            if (!paper_told) arc_p = arc_less(arc_p);
            row_cut(&b2, row_find(&b2, x));
            row_head(&t2, x);
        } else {
            outcome[i] = FILLED;
            if (t1.count + b1.count == c) {
                if (t1.count < c) {
                    row_tail(&b1);
                    outcome[i] = arc_replace(0);
                } else {
                    outcome[i] = row_tail(&t1);
                }
            } else if (t1.count + t2.count + b1.count + b2.count >= c) {
                if (t1.count + t2.count + b1.count + b2.count == 2 * c) row_tail(&b2);
                outcome[i] = arc_replace(0);
            }
            row_head(&t1, x);
        }
    }
}

/* Zhang and others, algorithm 1. */
static void paper_sieve(const int *string, int count, int *outcome)
{
    static row_t queue;
    static int visited[PAGES];
    int at = -1, i; /* the page at the hand */
    memset(visited, 0, sizeof visited);
    queue.count = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES;
        outcome[i] = HIT;
        if (row_find(&queue, x) >= 0) {
            visited[x] = 1;
            continue;
        }
        outcome[i] = FILLED;
        if (queue.count == paper_frames) {
            int o = at < 0 ? queue.count - 1 : row_find(&queue, at);
            while (visited[queue.page[o]]) {
                visited[queue.page[o]] = 0;
                o = o == 0 ? queue.count - 1 : o - 1;
            }
            at = o == 0 ? -1 : queue.page[o - 1];
            outcome[i] = queue.page[o];
            row_cut(&queue, o);
        }
        row_head(&queue, x);
        visited[x] = 0;
    }
}

/* Yang and others, algorithm 1; one page goes for one that comes. */
static void paper_s3fifo(const int *string, int count, int *outcome)
{
    static row_t small_queue, main_queue, ghost;
    static int freq[PAGES];
    const int tenth = at_least_one(paper_frames / 10);
    int i;
    small_queue.count = main_queue.count = ghost.count = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES;
        outcome[i] = HIT;
        if (row_find(&small_queue, x) >= 0 || row_find(&main_queue, x) >= 0) {
            if (freq[x] < 3) freq[x]++;
            continue;
        }
        outcome[i] = FILLED;
        while (small_queue.count + main_queue.count == paper_frames) {
            if (small_queue.count >= tenth || main_queue.count == 0) {
                const int t = row_tail(&small_queue);
                if (freq[t] > 1) {
                    freq[t] = 0;
                    row_head(&main_queue, t);
                } else {
                    outcome[i] = t;
                    row_head(&ghost, t);
                    if (ghost.count > at_least_one(paper_frames - tenth)) row_tail(&ghost);
                }
            } else {
                const int t = row_tail(&main_queue);
                if (freq[t] > 0) {
                    freq[t]--;
                    row_head(&main_queue, t);
                } else {
                    outcome[i] = t;
                }
            }
        }
        freq[x] = 0;
        if (row_find(&ghost, x) >= 0) {
            row_cut(&ghost, row_find(&ghost, x));
            row_head(&main_queue, x);
        } else {
            row_head(&small_queue, x);
        }
    }
}

/* No paper says every step of this one: it is the text of its contract. */
static void paper_two_lists(const int *string, int count, int *outcome)
{
    static row_t active, inactive;
    static int bit[PAGES], once[PAGES];
    int i, t, left;
    active.count = inactive.count = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES;
        outcome[i] = HIT;
        if (row_find(&active, x) >= 0) {
            bit[x] = 1;
            continue;
        }
        if (row_find(&inactive, x) >= 0) {
            if (bit[x] || once[x]) {
                bit[x] = once[x] = 0;
                row_cut(&inactive, row_find(&inactive, x));
                row_head(&active, x);
            } else {
                bit[x] = 1;
            }
            continue;
        }
        outcome[i] = FILLED;
        if (active.count + inactive.count == paper_frames) {
            for (left = active.count; left > 0 && inactive.count < active.count; left--) {
                t = row_tail(&active);
                once[t] = !bit[t];
                row_head(bit[t] ? &active : &inactive, t);
                bit[t] = 0;
            }
            for (t = -1; t < 0 && inactive.count > 0;) {
                t = row_tail(&inactive);
                if (!bit[t]) break;
                bit[t] = 0;
                row_head(once[t] ? &active : &inactive, t);
                once[t] = !once[t];
                t = -1;
            }
            outcome[i] = t >= 0 ? t : row_tail(&active);
        }
        bit[x] = once[x] = 0;
        row_head(&inactive, x);
    }
}

typedef struct {
    const vmm_replacement_t *policy;
    reference_t *paper;
    int ticks;
} pair_t;

static const pair_t pairs[] = {
    {&vmm_replace_fifo, paper_fifo, 0},
    {&vmm_replace_lru, paper_lru, 0},
    {&vmm_replace_lfu, paper_lfu, 0},
    {&vmm_replace_clock, paper_clock, 0},
    {&vmm_replace_2q, paper_2q, 0},
    {&vmm_replace_clock_set, paper_clock_set, 0},
    {&vmm_replace_arc, paper_arc, 0},
    {&vmm_replace_sieve, paper_sieve, 0},
    {&vmm_replace_nru, paper_nru, 1},
    {&vmm_replace_aging, paper_aging, 1},
    {&vmm_replace_s3fifo, paper_s3fifo, 0},
    {&vmm_replace_wsclock, paper_wsclock, 1},
    {&vmm_replace_two_lists, paper_two_lists, 0},
};

/* Uses of some pages as programs make them: anywhere, mostly few, in loops, and a scan now and then. */
static void make_string(int *string, uint64_t *seed)
{
    const uint64_t span = 4 + helper_random(seed) % (PAGES / 2), kind = helper_random(seed) % 4;
    int i;
    for (i = 0; i < LENGTH; i++) {
        const uint64_t any = helper_random(seed);
        uint64_t page = any >> 8 & 0xffff;
        if (kind == 1 || (kind == 3 && any % 8)) page = page % span * (page >> 8 & 15) / 16;
        if (kind == 2) page = any % 16 ? (uint64_t)i : page;
        if (kind == 3 && i % 150 > 110) page = (uint64_t)i % PAGES;
        string[i] = (int)(kind == 3 ? page % PAGES : page % span) | (any >> 40 & 3 ? 0 : WRITES);
    }
}

static void compare(const pair_t *pair, const int *string)
{
    static int wanted[LENGTH];
    int i;
    paper_frames = (int)frames;
    paper_told = expecting;
    pair->paper(string, LENGTH, wanted);
    for (i = 0; i < LENGTH; i++) {
        int outcome;
        if (pair->ticks && i % TICK == 0) pair->policy->tick(m, set);
        outcome = use(string[i]);
        if (outcome != wanted[i])
            fail_msg("%s, %d frames, use %d: %d, not %d", pair->policy->name, paper_frames, i, outcome, wanted[i]);
        if (i % 8 == 0) check_lists();
    }
}

static void each_policy_does_what_its_paper_says(void **state)
{
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 7, 10, 16, 23, 40};
    static int string[LENGTH];
    uint64_t seed = 17;
    size_t i, k;
    int round;
    (void)state;
    for (round = 0; round < 24; round++) {
        make_string(string, &seed);
        for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
            for (k = 0; k < sizeof counts / sizeof *counts; k++) {
                open_set(pairs[i].policy, counts[k], GHOSTS);
                compare(&pairs[i], string);
            }
    }
}

static void arc_adapts_afterwards_where_nobody_tells_what_comes(void **state)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 8, 13, 40};
    static const pair_t arc = {&vmm_replace_arc, paper_arc, 0};
    static int string[LENGTH];
    uint64_t seed = 23;
    size_t k;
    int round;
    (void)state;
    for (round = 0; round < 60; round++) {
        make_string(string, &seed);
        for (k = 0; k < sizeof counts / sizeof *counts; k++) {
            open_set(arc.policy, counts[k], GHOSTS);
            expecting = 0;
            compare(&arc, string);
        }
    }
}

static void random_takes_every_page_alike_and_the_same_in_each_run(void **state)
{
    int first[LENGTH], taken[10] = {0}, i, run;
    (void)state;
    for (run = 0; run < 2; run++) {
        open_set(&vmm_replace_random, 9, GHOSTS);
        for (i = 0; i < LENGTH; i++) {
            const int outcome = use(i % 10);
            if (run) assert_int_equal(outcome, first[i]);
            first[i] = outcome;
        }
    }
    open_set(&vmm_replace_random, 10, GHOSTS);
    for (i = 0; i < 10; i++) use(i);
    for (i = 0; i < 10000; i++) {
        const uint32_t frame = vmm_replace_random.victim(m, set);
        assert_true(frame < 10);
        taken[frame]++;
    }
    for (i = 0; i < 10; i++) assert_in_range(taken[i], 850, 1150);
}

/* -- what holds for every policy -- */

/* Some pages of every kind: used once, used again, missed while they were remembered. */
static void fill(const vmm_replacement_t *policy)
{
    uint64_t seed = 5;
    int i;
    open_set(policy, 20, GHOSTS);
    for (i = 0; i < LENGTH; i++) use((int)(helper_random(&seed) % (i % 3 ? 15 : 40)));
    if (policy->tick) policy->tick(m, set);
    check_lists();
}

static void a_victim_is_refused_when_nothing_can_be_taken(void **state)
{
    size_t i;
    uint32_t frame;
    (void)state;
    for (i = 0; i < POLICIES; i++) {
        open_set(all[i], 20, GHOSTS);
        assert_int_equal(all[i]->victim(m, set), VMM_NO_FRAME);
        fill(all[i]);
        for (frame = 0; frame < 20; frame++) vmm_frame_at(m, frame)->flags |= VMM_FRAME_BUSY | VMM_FRAME_REFERENCED;
        assert_int_equal(all[i]->victim(m, set), VMM_NO_FRAME);
        check_lists();
        for (frame = 0; frame < 20; frame++) {
            vmm_frame_at(m, frame)->flags &= (uint8_t)~VMM_FRAME_BUSY;
            assert_int_equal(all[i]->victim(m, set), frame);
            assert_int_equal(all[i]->victim(m, set), frame); /* refused once: it may be told again */
            vmm_frame_at(m, frame)->flags |= VMM_FRAME_BUSY;
            check_lists();
        }
    }
}

static void a_victim_is_found_though_every_page_is_always_in_use(void **state)
{
    size_t i;
    uint32_t frame;
    (void)state;
    for (i = 0; i < POLICIES; i++) {
        fill(all[i]);
        for (frame = 0; frame < 20; frame++) used(frame);
        assert_true(all[i]->victim(m, set) < 20);
        for (frame = 0; frame < 20; frame++) used(frame);
        vmm_frame_at(m, 7)->flags |= VMM_FRAME_PINNED;
        assert_true(all[i]->victim(m, set) < 20 && all[i]->victim(m, set) != 7);
        check_lists();
    }
}

static void pages_come_and_go_and_held_ones_stay(void **state)
{
    uint64_t seed = 99;
    size_t i;
    int round;
    (void)state;
    for (i = 0; i < POLICIES; i++) {
        fill(all[i]);
        for (round = 0; round < 3000; round++) {
            const uint64_t any = helper_random(&seed);
            const uint32_t frame = (uint32_t)(any >> 8) % 20;
            vmm_frame_t *f = vmm_frame_at(m, frame);
            if (any % 8 == 0 && f->kind) {
                leave(frame); /* unmapped */
            } else if (any % 8 == 1 && f->kind) {
                f->flags ^= VMM_FRAME_PINNED;
            } else if (any % 8 == 2) {
                used(frame);
            } else if (any % 8 == 3 && all[i]->tick) {
                all[i]->tick(m, set);
            } else if (any % 8 == 4) {
                const uint32_t victim = all[i]->victim(m, set); /* and it is refused */
                if (victim != VMM_NO_FRAME) assert_true(vmm_frame_takeable(m, victim));
            } else {
                unsigned free_frames = 0, k;
                for (k = 0; k < 20; k++) free_frames += vmm_frame_takeable(m, k);
                if (free_frames) use((int)(any >> 16 & 63));
            }
            if (round % 16 == 0) check_lists();
        }
    }
}

static void lists_link_frames_at_both_ends(void **state)
{
    uint32_t i;
    (void)state;
    open_set(&vmm_replace_fifo, 0, GHOSTS);
    for (i = 0; i < 6; i++) vmm_frame_at(m, i)->kind = VMM_FRAME_CACHE;
    vmm_list_push(m, set, 3, 0);
    vmm_list_push(m, set, 3, 1);
    vmm_list_append(m, set, 3, 2);
    vmm_list_append(m, set, 1, 3);
    vmm_list_append(m, set, 1, 4);
    vmm_list_push(m, set, 0, 5);
    check_lists();
    assert_int_equal(set->list[3].first, 1);
    assert_int_equal(set->list[3].last, 2);
    assert_int_equal(vmm_list_of(m, 0), 3);
    assert_int_equal(vmm_frame_kind(vmm_frame_at(m, 0)), VMM_FRAME_CACHE);
    vmm_list_remove(m, set, 0);
    assert_int_equal(vmm_list_of(m, 0), VMM_RESIDENT_LISTS);
    vmm_list_remove(m, set, 0);
    assert_int_equal(set->list[3].count, 2);
    assert_int_equal(vmm_frame_at(m, 1)->next, 2);
    assert_int_equal(vmm_frame_kind(vmm_frame_at(m, 0)), VMM_FRAME_CACHE);
    vmm_list_move(m, set, 1, 2);
    assert_int_equal(set->list[1].first, 2);
    assert_int_equal(set->list[3].count, 1);
    vmm_frame_at(m, 4)->flags = VMM_FRAME_PINNED;
    assert_int_equal(vmm_list_oldest(m, set, 1), 3);
    assert_int_equal(vmm_list_oldest(m, set, 2), VMM_NO_FRAME);
    vmm_list_push(m, set, 2, 0);
    check_lists();
}

static void held_frames_are_passed_over_without_being_looked_at(void **state)
{
    static const vmm_replacement_t *const with_bits[] = {&vmm_replace_two_lists, &vmm_replace_clock_set,
                                                         &vmm_replace_lru, &vmm_replace_s3fifo};
    size_t i;
    int k;
    (void)state;
    for (i = 0; i < 4; i++) {
        open_set(with_bits[i], 4, GHOSTS);
        for (k = 0; k < 4; k++) use(k);
        for (k = 0; k < 4; k++) vmm_frame_at(m, (uint32_t)k)->flags = 0;
        vmm_frame_at(m, 0)->flags = VMM_FRAME_BUSY | VMM_FRAME_REFERENCED;
        if (i < 3) vmm_frame_at(m, 1)->flags = VMM_FRAME_REFERENCED;
        else use(1), use(1);
        assert_int_equal(use(4), 2);
        assert_int_equal(vmm_frame_at(m, 0)->flags, VMM_FRAME_BUSY | VMM_FRAME_REFERENCED);
    }
}

static void the_hand_of_sieve_leaves_a_page_that_is_unmapped(void **state)
{
    int i;
    (void)state;
    open_set(&vmm_replace_sieve, 5, GHOSTS);
    for (i = 0; i < 5; i++) use(i);
    assert_int_equal(use(5), 0); /* the hand is at 1 */
    leave(frame_of[1]);
    use(6);
    assert_int_equal(use(7), 2);
}

/* -- accessed bits -- */

static void a_touch_counts_before_the_first_tick_too(void **state)
{
    static const vmm_replacement_t *const with_fresh[] = {&vmm_replace_clock, &vmm_replace_sieve, &vmm_replace_arc};
    size_t i;
    uint32_t frame;
    (void)state;
    for (i = 0; i < 3; i++) {
        open_set(with_fresh[i], 4, GHOSTS);
        for (frame = 0; frame < 4; frame++) use((int)frame);
        use(1);
        with_fresh[i]->tick(m, set);
        assert_int_equal(set->word[3], 0);
        used(0), used(3); /* after the tick */
        assert_int_equal(use(4), 2);
    }
    open_set(&vmm_replace_clock_set, 4, GHOSTS);
    for (frame = 0; frame < 4; frame++) use((int)frame);
    assert_int_equal(use(4), 0);
    used(1), used(2);
    assert_int_equal(use(5), 3);
}

static void uses_that_only_bits_tell_are_noticed_at_the_end_of_a_list(void **state)
{
    static const vmm_replacement_t *const with_looks[] = {&vmm_replace_lru, &vmm_replace_two_lists};
    size_t i;
    uint32_t frame;
    (void)state;
    for (i = 0; i < 2; i++) {
        open_set(with_looks[i], 4, GHOSTS);
        for (frame = 0; frame < 4; frame++) use((int)frame);
        used(0), used(1);
        assert_int_equal(use(4), 2);
        assert_int_equal(use(5), 3);
    }
    open_set(&vmm_replace_2q, 4, GHOSTS);
    for (frame = 0; frame < 4; frame++) use((int)frame);
    use(4), use(0), use(1), use(2); /* 0, 1, 2 come back to Am */
    assert_int_equal(vmm_list_of(m, frame_of[0]), 1);
    assert_int_equal(vmm_list_of(m, frame_of[1]), 1);
    used(frame_of[0]);
    leave(frame_of[4]); /* A1in is empty now */
    assert_int_equal(vmm_frame_at(m, vmm_replace_2q.victim(m, set))->index, 1);
    open_set(&vmm_replace_lfu, 3, GHOSTS);
    for (frame = 0; frame < 3; frame++) use((int)frame);
    used(0), used(2);
    vmm_replace_lfu.tick(m, set);
    assert_int_equal(use(3), 1);
    open_set(&vmm_replace_s3fifo, 3, GHOSTS);
    for (frame = 0; frame < 3; frame++) use((int)frame);
    used(0), used(1);
    vmm_replace_s3fifo.tick(m, set);
    used(0);
    assert_int_equal(use(3), 1); /* 0 was used in two intervals, 1 in one */
    assert_int_equal(vmm_list_of(m, 0), 1);
}

static void counters_stop_at_their_ends(void **state)
{
    int i;
    (void)state;
    open_set(&vmm_replace_lfu, 3, GHOSTS);
    use(0), use(1), use(2);
    for (i = 0; i < 600; i++) use(0), use(1);
    use(2);
    assert_int_equal(*vmm_age_of(m, 0), 255);
    assert_int_equal(use(3), 2);
    open_set(&vmm_replace_wsclock, 3, GHOSTS);
    use(0), use(1), use(2 | WRITES);
    for (i = 0; i < 600; i++) vmm_replace_wsclock.tick(m, set);
    assert_int_equal(*vmm_age_of(m, 0), 255);
    use(0);
    assert_int_equal(use(3), 1);
    assert_int_equal(use(4), 2);
}

/* -- ghosts -- */

static void ghosts_are_found_until_they_are_too_many(void **state)
{
    static const uint32_t sizes[] = {1, 2, 3, 4, 5, 7, 12, 30, GHOSTS};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        vmm_ghosts_t g;
        uint64_t seed = 3;
        row_t row[2];
        int round, k;
        row[0].count = row[1].count = 0;
        open_set(&vmm_replace_fifo, 1, sizes[i]);
        g = vmm_ghosts_open(m, set);
        assert_true(g.most <= sizes[i] && (sizes[i] < 12 || g.most == sizes[i]) && (!g.most || g.most < g.slots));
        for (round = 0; round < 4000 && g.most; round++) {
            const uint64_t any = helper_random(&seed);
            const unsigned list = any >> 8 & 1;
            const int page = (int)(any >> 16) & 127;
            const uint32_t slot = vmm_ghost_find(&g, vmm_ghost_key(7, (uint32_t)page));
            const int held = row_find(&row[0], page) >= 0 ? 0 : row_find(&row[1], page) >= 0 ? 1 : -1;
            assert_int_equal(slot != 0, held >= 0);
            if (slot) assert_int_equal(vmm_ghost_list(&g, slot), held);
            if (any % 4 && !(any % 64 == 1)) {
                if (held >= 0) row_cut(&row[held], row_find(&row[held], page));
                if (row[0].count + row[1].count == (int)g.most) row_tail(row[list].count ? &row[list] : &row[1 - list]);
                row_head(&row[list], page);
                vmm_frame_at(m, 0)->owner = 7;
                vmm_frame_at(m, 0)->index = (uint32_t)page;
                vmm_ghost_push(m, set, list, 0);
            } else if (slot) {
                row_cut(&row[held], row_find(&row[held], page));
                vmm_ghost_erase(&g, slot);
            } else if (row[list].count) {
                row_tail(&row[list]);
                vmm_ghost_drop(&g, list);
            }
            for (k = 0; k < 2; k++) assert_int_equal(vmm_ghost_count(&g, (unsigned)k), row[k].count);
        }
        for (k = 0; k < 128; k++) assert_int_equal(vmm_ghost_find(&g, vmm_ghost_key(8, (uint32_t)k)), 0);
        for (k = 0; k < 2; k++) /* in their order */
            while (row[k].count) {
                assert_int_equal(vmm_ghost_at(&g, g.head[3 * k + 1])[0], vmm_ghost_key(7, (uint32_t)row_tail(&row[k])));
                vmm_ghost_drop(&g, (unsigned)k);
            }
        for (k = 0; k < (int)g.slots; k++) assert_int_equal(vmm_ghost_at(&g, (uint32_t)k + 1)[2], 0);
        vmm_ghost_drop(&g, 0);
        vmm_ghost_push(m, set, 0, 0);
        vmm_resident_expect(m, set, 1, 1);
        for (k = (int)sizes[i] * 4; k < GHOSTS * 4; k++) assert_int_equal(vmm_ghosts_of(m, set)[k], 0);
    }
}

static void policies_with_too_few_ghosts_go_on(void **state)
{
    static const vmm_replacement_t *const with_ghosts[] = {&vmm_replace_2q, &vmm_replace_arc, &vmm_replace_s3fifo};
    uint32_t ghosts;
    size_t i;
    int k;
    (void)state;
    for (i = 0; i < 3; i++)
        for (ghosts = 1; ghosts < 16; ghosts++) {
            uint64_t seed = ghosts;
            open_set(with_ghosts[i], 12, ghosts);
            for (k = 0; k < 2000; k++) use((int)(helper_random(&seed) % 30));
            check_lists();
        }
}

static void a_page_that_was_unmapped_is_no_ghost(void **state)
{
    static const vmm_replacement_t *const with_ghosts[] = {&vmm_replace_2q, &vmm_replace_arc, &vmm_replace_s3fifo};
    size_t i;
    (void)state;
    for (i = 0; i < 3; i++) {
        open_set(with_ghosts[i], 4, GHOSTS);
        use(0), use(1), use(2), use(3);
        leave(frame_of[2]);
        use(2);
        assert_int_equal(vmm_list_of(m, frame_of[2]), 0);
        assert_int_equal(use(4), 0);
        use(0);
        assert_int_equal(vmm_list_of(m, frame_of[0]), i == 1 ? 0 : 1); /* ARC: B1 is empty while T1 has every frame */
    }
}

/* Leaves T2 with 2 to 5, B1 with 0 and 1. */
static void fill_arc(void)
{
    int i;
    open_set(&vmm_replace_arc, 6, GHOSTS);
    for (i = 2; i < 6; i++) use(i), use(i);
    for (i = 0; i < 2; i++) use(i);
    assert_int_equal(use(6), 0);
    assert_int_equal(use(7), 1);
}

static void arc_remembers_as_many_pages_when_some_are_unmapped(void **state)
{
    vmm_ghosts_t g;
    int i;
    (void)state;
    fill_arc();
    g = vmm_ghosts_open(m, set);
    for (i = 3; i < 7; i++) leave(frame_of[i]);
    use(8);
    assert_int_equal(vmm_ghost_count(&g, 0), 2);
    use(1);
    assert_int_equal(vmm_list_of(m, frame_of[1]), 1);
}

static void arc_does_not_take_one_page_for_another_that_it_was_told_of(void **state)
{
    uint32_t frame;
    (void)state;
    fill_arc();
    vmm_resident_expect(m, set, 1, 0); /* which its reader gave up */
    frame = set->policy->victim(m, set);
    assert_int_equal(set->word[0], 1);
    leave(frame);
    enter(frame, 9);
    assert_int_equal(vmm_list_of(m, frame), 0);
    assert_int_equal(set->word[0], 1);
    check_lists();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strings_of_the_textbooks_have_their_known_faults),
        cmocka_unit_test(each_policy_does_what_its_paper_says),
        cmocka_unit_test(arc_adapts_afterwards_where_nobody_tells_what_comes),
        cmocka_unit_test(random_takes_every_page_alike_and_the_same_in_each_run),
        cmocka_unit_test(a_victim_is_refused_when_nothing_can_be_taken),
        cmocka_unit_test(a_victim_is_found_though_every_page_is_always_in_use),
        cmocka_unit_test(pages_come_and_go_and_held_ones_stay),
        cmocka_unit_test(lists_link_frames_at_both_ends),
        cmocka_unit_test(a_touch_counts_before_the_first_tick_too),
        cmocka_unit_test(uses_that_only_bits_tell_are_noticed_at_the_end_of_a_list),
        cmocka_unit_test(counters_stop_at_their_ends),
        cmocka_unit_test(ghosts_are_found_until_they_are_too_many),
        cmocka_unit_test(policies_with_too_few_ghosts_go_on),
        cmocka_unit_test(a_page_that_was_unmapped_is_no_ghost),
        cmocka_unit_test(held_frames_are_passed_over_without_being_looked_at),
        cmocka_unit_test(the_hand_of_sieve_leaves_a_page_that_is_unmapped),
        cmocka_unit_test(arc_remembers_as_many_pages_when_some_are_unmapped),
        cmocka_unit_test(arc_does_not_take_one_page_for_another_that_it_was_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
