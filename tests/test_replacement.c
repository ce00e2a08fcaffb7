/* test_replacement.c - vmm.h, section 13: the replacement policies, driven page by page without a machine around them:
 * the textbooks' reference strings, and each policy against a slow one written from its paper. */
#define VMM_IMPLEMENTATION
#include "vmm.h"

#include "helper.h"

#define FRAMES 256
#define GHOSTS 128
#define MOST_GHOSTS 512
#define PAGES 512
#define SPAN 100 /* pages of most strings */
#define LENGTH 400
#define LONG 3000
#define WRITES 0x8000 /* a use that writes its page */
#define TICK 16       /* uses between two ticks, of policies that have them */

enum {
    HIT = -2,
    FILLED = -1
}; /* what a use led to, if not to a victim's page */

/* -- a machine that is nothing but frame records -- */

static uint64_t block[(sizeof(vmm_machine_t) + FRAMES * (sizeof(vmm_frame_t) + 9) + MOST_GHOSTS * 28) / 8 + 50];
static vmm_machine_t *m;
static vmm_resident_t *set;
static uint32_t frame_of[PAGES + 1]; /* VMM_NO_FRAME: the page is in none */
static uint32_t frames;              /* how many there are */
static int expecting;                /* the set is told what comes */
static uint32_t window = 10000;      /* of the working set, and of page-fault frequency */

/* A frame's page is used, and only its accessed bit tells. */
static void used(uint32_t frame)
{
    vmm_frame_at(m, frame)->flags |= VMM_FRAME_REFERENCED;
}

static void open_set(const vmm_replacement_t *policy, uint32_t use, uint32_t ghosts)
{
    unsigned i;
    memset(block, 0xa5, sizeof block); /* what was there before is not read */
    assert_int_equal(vmm_records_create(block, sizeof block, use, ghosts, policy, &m), VMM_OK);
    set = &m->resident;
    m->options.window = window;
    for (i = 0; i <= PAGES; i++) frame_of[i] = VMM_NO_FRAME;
    frames = use;
    expecting = 1;
}

static void leave(uint32_t frame)
{
    frame_of[vmm_frame_at(m, frame)->index] = VMM_NO_FRAME;
    vmm_records_leave(m, frame);
    assert_int_equal(vmm_list_of(m, frame), VMM_RESIDENT_LISTS);
}

static void enter(uint32_t frame, uint32_t page, int write)
{
    vmm_records_enter(m, frame, 1, page, write != 0);
    frame_of[page] = frame;
}

static int use(int reference)
{
    const uint32_t page = (uint32_t)reference & ~(uint32_t)WRITES;
    uint32_t frame = frame_of[page];
    int outcome = FILLED;
    if (frame != VMM_NO_FRAME) {
        vmm_records_touch(m, frame, (reference & WRITES) != 0);
        outcome = HIT;
    } else {
        for (frame = 0; frame < frames && vmm_frame_at(m, frame)->kind; frame++) {}
        if (frame == frames) {
            frame = expecting ? vmm_records_victim(m, 1, page) : set->policy->victim(m, set);
            assert_true(frame < frames);
            outcome = (int)vmm_frame_at(m, frame)->index;
            leave(frame);
        }
        enter(frame, page, reference & WRITES);
    }
    while ((frame = vmm_records_surplus(m)) != VMM_NO_FRAME) leave(frame);
    return outcome;
}

/* Every frame that holds a page is in one list, and the lists are whole. */
static void check_lists(void)
{
    uint32_t held = 0, listed = 0, i;
    unsigned number;
    for (i = 0; i < frames; i++) held += vmm_frame_at(m, i)->kind != VMM_FRAME_FREE;
    for (number = 0; number < VMM_RESIDENT_LISTS; number++) {
        const vmm_list_t *list = &set->list[number];
        uint32_t previous = VMM_NO_FRAME, frame = list->first, count = 0;
        for (; frame != VMM_NO_FRAME && count < frames; frame = vmm_frame_at(m, frame)->next, count++) {
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
        for (i = 0; i < frames; i++) fresh += vmm_frame_at(m, i)->kind && *vmm_age_of(m, i);
        assert_int_equal(set->word[3], fresh);
    }
}

static const vmm_replacement_t *const all[] = {
    &vmm_replace_fifo,    &vmm_replace_clock,     &vmm_replace_clock_set,   &vmm_replace_lru,    &vmm_replace_nru,
    &vmm_replace_aging,   &vmm_replace_lfu,       &vmm_replace_random,      &vmm_replace_2q,     &vmm_replace_arc,
    &vmm_replace_wsclock, &vmm_replace_two_lists, &vmm_replace_sieve,       &vmm_replace_s3fifo, &vmm_replace_enhanced,
    &vmm_replace_mru,     &vmm_replace_mfu,       &vmm_replace_working_set, &vmm_replace_pff,    &vmm_replace_lirs};
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
    int page[PAGES + 1], count; /* page[0] is the head */
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

static int paper_frames, paper_told, paper_ghosts;

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

static int rank_often(const cell_t *c)
{
    return -c->times;
}
static int rank_recent(const cell_t *c)
{
    return -c->used;
}
static int choose_often(void)
{
    return lowest(rank_often);
}
static int choose_recent(void)
{
    return lowest(rank_recent);
}

/* Stallings' three steps: the classes are those of the pages as the hand comes to them. */
static int choose_enhanced(void)
{
    int turn, i;
    for (turn = 0;; turn++)
        for (i = 0; i < paper_frames; i++) {
            cell_t *c = &cell[hand];
            const int mine = c->bit == 0 && c->dirty == turn % 2, chosen = hand;
            if (turn % 2 && !mine) c->bit = 0;
            hand = (hand + 1) % paper_frames;
            if (mine) return chosen;
        }
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
static void paper_mfu(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_often, NULL);
}
static void paper_mru(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 0, choose_recent, NULL);
}
static void paper_enhanced(const int *string, int count, int *outcome)
{
    table(string, count, outcome, 1, choose_enhanced, NULL);
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

static int last_use[PAGES], resident[PAGES], residents;

/* The page of those that are resident whose last use is longest ago. */
static int longest_unused(void)
{
    int page, oldest = -1;
    for (page = 0; page < PAGES; page++)
        if (resident[page] && (oldest < 0 || last_use[page] < last_use[oldest])) oldest = page;
    return oldest;
}

/* A use at time i. True: a fault. */
static int timed_use(int x, int i, int *outcome)
{
    const int fault = !resident[x];
    *outcome = fault ? FILLED : HIT;
    if (fault && residents == paper_frames) {
        *outcome = longest_unused();
        resident[*outcome] = 0;
        residents--;
    }
    residents += fault;
    resident[x] = 1;
    last_use[x] = i;
    return fault;
}

/* Pages whose last use was before some time leave. */
static void timed_leave(int before)
{
    int page;
    for (page = 0; page < PAGES; page++)
        if (resident[page] && last_use[page] < before) {
            resident[page] = 0;
            residents--;
        }
}

/* Denning: W(t, T) is the set of pages used in (t - T, t]. */
static void paper_working_set(const int *string, int count, int *outcome)
{
    int t;
    memset(resident, 0, sizeof resident);
    residents = 0;
    for (t = 0; t < count; t++) {
        timed_use(string[t] & ~WRITES, t, &outcome[t]);
        timed_leave(t - (int)window + 1);
    }
}

/* Chu and Opderbeck. */
static void paper_pff(const int *string, int count, int *outcome)
{
    int t, last_fault = -1000000;
    memset(resident, 0, sizeof resident);
    residents = 0;
    for (t = 0; t < count; t++) {
        if (!timed_use(string[t] & ~WRITES, t, &outcome[t])) continue;
        if (t - last_fault >= (int)window) timed_leave(last_fault);
        last_fault = t;
    }
}

enum {
    UNKNOWN,
    LIR,
    HIR,
    GONE /* HIR, not resident */
};
static row_t lirs_s, lirs_q;
static int lirs_state[PAGES], lirs_low;

/* The LIR page at the bottom of S goes to the end of Q. */
static void lirs_demote(void)
{
    const int bottom = row_tail(&lirs_s);
    assert_int_equal(lirs_state[bottom], LIR);
    lirs_state[bottom] = HIR;
    row_head(&lirs_q, bottom);
    lirs_low--;
}

static void lirs_prune(void)
{
    while (lirs_s.count && lirs_state[lirs_s.page[lirs_s.count - 1]] != LIR) {
        const int bottom = row_tail(&lirs_s);
        if (lirs_state[bottom] == GONE) lirs_state[bottom] = UNKNOWN;
    }
}

/* What the paper does not have: a page that is not resident and was used longest ago is forgotten for another. */
static void lirs_forget(void)
{
    int i, gone = 0;
    for (i = 0; i < lirs_s.count; i++) gone += lirs_state[lirs_s.page[i]] == GONE;
    for (i = lirs_s.count - 1; gone > paper_ghosts; i--) {
        if (lirs_state[lirs_s.page[i]] != GONE) continue;
        lirs_state[lirs_s.page[i]] = UNKNOWN;
        row_cut(&lirs_s, i);
        gone--;
    }
}

/* Jiang and Zhang, section 3.3. */
static void paper_lirs(const int *string, int count, int *outcome)
{
    const int most_low = paper_frames - at_least_one(paper_frames / 100);
    int i;
    memset(lirs_state, 0, sizeof lirs_state);
    lirs_s.count = lirs_q.count = lirs_low = 0;
    for (i = 0; i < count; i++) {
        const int x = string[i] & ~WRITES, in_s = row_find(&lirs_s, x) >= 0;
        outcome[i] = lirs_state[x] == LIR || lirs_state[x] == HIR ? HIT : FILLED;
        if (outcome[i] == FILLED && lirs_low + lirs_q.count == paper_frames) {
            outcome[i] = row_tail(&lirs_q);
            lirs_state[outcome[i]] = row_find(&lirs_s, outcome[i]) >= 0 ? GONE : UNKNOWN;
        }
        if (in_s) row_cut(&lirs_s, row_find(&lirs_s, x));
        row_head(&lirs_s, x);
        if (lirs_state[x] == HIR) row_cut(&lirs_q, row_find(&lirs_q, x));
        if (lirs_state[x] != LIR) {
            if (in_s || (outcome[i] != HIT && lirs_low < most_low)) {
                lirs_state[x] = LIR;
                if (++lirs_low > most_low) lirs_demote();
            } else {
                lirs_state[x] = HIR;
                row_head(&lirs_q, x);
            }
        }
        lirs_prune();
        lirs_forget();
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
    {&vmm_replace_enhanced, paper_enhanced, 0},
    {&vmm_replace_mfu, paper_mfu, 0},
    {&vmm_replace_mru, paper_mru, 0},
    {&vmm_replace_working_set, paper_working_set, 0},
    {&vmm_replace_pff, paper_pff, 0},
    {&vmm_replace_lirs, paper_lirs, 0},
};

/* Uses of some of `most` pages as programs make them: anywhere, mostly few, in loops, and a scan now and then. */
static void make_string(int *string, int count, uint64_t most, uint64_t *seed)
{
    const uint64_t span = 4 + helper_random(seed) % (most / 2), kind = helper_random(seed) % 4;
    int i;
    for (i = 0; i < count; i++) {
        const uint64_t any = helper_random(seed);
        uint64_t page = any >> 8 & 0xffff;
        if (kind == 1 || (kind == 3 && any % 8)) page = page % span * (page >> 8 & 15) / 16;
        if (kind == 2) page = any % 16 ? (uint64_t)i : page;
        if (kind == 3 && i % 150 > 110) page = (uint64_t)i % most;
        string[i] = (int)(kind == 3 ? page % most : page % span) | (any >> 40 & 3 ? 0 : WRITES);
    }
}

static void compare(const pair_t *pair, const int *string, int count)
{
    static int wanted[LONG];
    int i;
    paper_frames = (int)frames;
    paper_told = expecting;
    paper_ghosts = (int)m->options.ghosts;
    pair->paper(string, count, wanted);
    for (i = 0; i < count; i++) {
        int outcome;
        if (pair->ticks && i % TICK == 0) vmm_records_tick(m);
        outcome = use(string[i]);
        if (outcome != wanted[i])
            fail_msg("%s, %d frames, use %d: %d, not %d", pair->policy->name, paper_frames, i, outcome, wanted[i]);
        if (i % 8 == 0) check_lists();
    }
}

static void each_policy_does_what_its_paper_says(void **state)
{
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 7, 10, 16, 23, 40};
    static const uint32_t windows[] = {1, 2, 3, 5, 8, 13, 30, 60, 100};
    static int string[LENGTH];
    uint64_t seed = 17;
    size_t i, k;
    unsigned round;
    (void)state;
    for (round = 0; round < 24; round++) { /* with as many ghosts as frames, which is the default, and with more */
        make_string(string, LENGTH, SPAN, &seed);
        for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
            for (k = 0; k < sizeof counts / sizeof *counts; k++) {
                window = windows[(round + k) % (sizeof windows / sizeof *windows)];
                open_set(pairs[i].policy, counts[k], round % 2 ? GHOSTS : 0);
                compare(&pairs[i], string, LENGTH);
            }
    }
    window = 10000;
}

static void a_hundredth_of_the_frames_of_lirs_is_for_pages_that_come(void **state)
{
    static const uint32_t counts[] = {100, 199, 200, 201, 256};
    static const pair_t lirs = {&vmm_replace_lirs, paper_lirs, 0};
    static int string[LONG];
    uint64_t seed = 29;
    size_t k;
    int round;
    (void)state;
    for (round = 0; round < 12; round++) {
        make_string(string, LONG, PAGES, &seed);
        for (k = 0; k < sizeof counts / sizeof *counts; k++) {
            open_set(lirs.policy, counts[k], round % 3 == 0 ? MOST_GHOSTS : round % 3 == 1 ? 20 : 1);
            compare(&lirs, string, LONG);
            assert_true(set->list[0].count <= counts[k] - (counts[k] < 200 ? 1 : 2));
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
        make_string(string, LENGTH, SPAN, &seed);
        for (k = 0; k < sizeof counts / sizeof *counts; k++) {
            open_set(arc.policy, counts[k], GHOSTS);
            expecting = 0;
            compare(&arc, string, LENGTH);
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
    open_set(&vmm_replace_fifo, 6, GHOSTS);
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
    assert_int_equal(*vmm_words_of(m, 0), 600);
    *vmm_words_of(m, 1) = UINT32_MAX;
    use(1);
    assert_int_equal(*vmm_words_of(m, 1), UINT32_MAX);
    assert_int_equal(use(3), 2);
    assert_int_equal(vmm_replace_mfu.victim(m, set), 1);
    used(0);
    vmm_records_tick(m);
    assert_int_equal(*vmm_words_of(m, 0), 601);
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
        open_set(&vmm_replace_2q, 1, sizes[i]);
        g = vmm_ghosts_open(m, set);
        assert_int_equal(g.most, sizes[i]);
        assert_true(g.slots >= (g.most + 1) * 4 / 3);
        for (round = 0; round < 4000; round++) {
            const uint64_t any = helper_random(&seed);
            const unsigned list = any >> 8 & 1;
            const int page = (int)(any >> 16) & 127;
            const uint32_t slot = vmm_ghost_find(&g, vmm_ghost_key(7, (uint32_t)page));
            const int held = row_find(&row[0], page) >= 0 ? 0 : row_find(&row[1], page) >= 0 ? 1 : -1;
            assert_int_equal(slot != 0, held >= 0);
            if (slot) assert_int_equal(vmm_ghost_list(&g, slot), held);
            if (any % 4 && !(any % 64 == 1)) {
                if (held >= 0) row_cut(&row[held], row_find(&row[held], page));
                if (row[0].count + row[1].count == (int)g.most + 1)
                    row_tail(row[list].count ? &row[list] : &row[1 - list]);
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
            if (any >> 32 & 1) continue;
            vmm_ghosts_settle(&g);
            if (row[0].count + row[1].count > (int)g.most) row_tail(&row[row[0].count ? 0 : 1]);
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
        for (k = (int)m->ghost_offset + (8 + 3 * (int)g.slots) * 4; k < (int)sizeof block; k++)
            assert_int_equal(((uint8_t *)block)[k], k < (int)m->bytes ? 0 : 0xa5);
    }
}

static void policies_with_too_few_ghosts_go_on(void **state)
{
    static const vmm_replacement_t *const with_ghosts[] = {&vmm_replace_2q, &vmm_replace_arc, &vmm_replace_s3fifo,
                                                           &vmm_replace_lirs};
    uint32_t ghosts;
    size_t i;
    int k;
    (void)state;
    for (i = 0; i < 4; i++)
        for (ghosts = 1; ghosts < 16; ghosts++) {
            uint64_t seed = ghosts;
            open_set(with_ghosts[i], 12, ghosts);
            for (k = 0; k < 2000; k++) {
                const vmm_ghosts_t g = vmm_ghosts_open(m, set);
                use((int)(helper_random(&seed) % 30));
                assert_true(vmm_ghost_count(&g, 0) + vmm_ghost_count(&g, 1) <= ghosts);
            }
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
    enter(frame, 9, 0);
    assert_int_equal(vmm_list_of(m, frame), 0);
    assert_int_equal(set->word[0], 1);
    check_lists();
}

/* -- what a policy wants to be without -- */

static int is_resident(uint32_t page)
{
    return frame_of[page] != VMM_NO_FRAME;
}

/* Silberschatz, Galvin, Gagne, the figure of the working-set model: after 10 and after 26 uses, with a window of 10. */
static void the_working_set_is_that_of_the_textbook(void **state)
{
    static const char string[] = "26157777516234123444343444";
    int i, page;
    (void)state;
    window = 10;
    open_set(&vmm_replace_working_set, 8, 0);
    for (i = 0; string[i]; i++) {
        use(string[i] - '0');
        for (page = 0; page < 10 && i == 9; page++)
            assert_int_equal(is_resident((uint32_t)page), !!strchr("12567", '0' + page));
    }
    for (page = 0; page < 10; page++) assert_int_equal(is_resident((uint32_t)page), page == 3 || page == 4);
    window = 10000;
}

static void a_late_fault_parts_pages_used_since_the_last_from_the_others(void **state)
{
    (void)state;
    window = 4;
    open_set(&vmm_replace_pff, 8, 0);
    use(1), use(2), use(3); /* 1 and 2 were used before the last fault */
    use(1), use(1);
    use(4); /* 3 uses after the last fault: too soon */
    assert_true(is_resident(2));
    use(1), use(3), use(1);
    use(5); /* 4 uses */
    assert_true(is_resident(1) && !is_resident(2) && is_resident(3) && is_resident(4) && is_resident(5));
    use(5), use(5), use(5), use(6);
    assert_true(!is_resident(1) && !is_resident(3) && !is_resident(4) && is_resident(5) && is_resident(6));
    window = 10000;
}

static void a_use_that_only_a_bit_tells_keeps_a_page_that_would_leave(void **state)
{
    static const vmm_replacement_t *const with_surplus[] = {&vmm_replace_working_set, &vmm_replace_pff};
    size_t i;
    int k;
    (void)state;
    for (i = 0; i < 2; i++) {
        window = 3;
        open_set(with_surplus[i], 8, 0);
        use(1), use(2), use(3);
        used(frame_of[1]);
        vmm_frame_at(m, frame_of[2])->flags |= VMM_FRAME_PINNED;
        use(3), use(3), use(4);
        assert_true(is_resident(1) && is_resident(2) && is_resident(3));
        vmm_frame_at(m, frame_of[2])->flags = 0;
        for (k = 0; k < 2; k++) use(3), use(3), use(5 + k);
        assert_true(!is_resident(1) && !is_resident(2) && is_resident(3));
    }
    window = 10000;
}

static void few_frames_make_the_working_set_an_lru_list(void **state)
{
    static const vmm_replacement_t *const with_surplus[] = {&vmm_replace_working_set, &vmm_replace_pff};
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        open_set(with_surplus[i], 3, 0);
        use(1), use(2), use(3), use(1);
        used(frame_of[2]);
        assert_int_equal(use(4), 3);
        assert_int_equal(use(5), 1);
        assert_int_equal(use(6), 2);
    }
}

static void a_tick_tells_mru_of_uses_that_only_bits_tell(void **state)
{
    (void)state;
    open_set(&vmm_replace_mru, 4, 0);
    use(0), use(1), use(2), use(3);
    used(0), used(2);
    vmm_records_tick(m);
    assert_int_equal(use(4), 2);
    assert_int_equal(use(5), 4);
    leave(frame_of[5]);
    use(5), leave(frame_of[5]), use(3);
    assert_int_equal(vmm_frame_at(m, vmm_records_victim(m, 1, 9))->index, 3);
}

static void the_first_turn_of_the_enhanced_clock_changes_no_bit(void **state)
{
    uint32_t i;
    (void)state;
    open_set(&vmm_replace_enhanced, 4, 0);
    for (i = 0; i < 4; i++) use((int)i);
    vmm_frame_at(m, 0)->flags = VMM_FRAME_REFERENCED;
    vmm_frame_at(m, 1)->flags = VMM_FRAME_DIRTY;
    vmm_frame_at(m, 2)->flags = 0;
    assert_int_equal(use(4), 2);
    assert_int_equal(vmm_frame_at(m, 0)->flags, VMM_FRAME_REFERENCED);
    assert_int_equal(vmm_frame_at(m, 1)->flags, VMM_FRAME_DIRTY);
    /* the hand is at 3, which is referenced, as 0 and 4 are: the second turn takes 1, and clears 3 and 0 on its way */
    assert_int_equal(use(5), 1);
    assert_int_equal(vmm_frame_at(m, 0)->flags, 0);
    assert_int_equal(vmm_frame_at(m, 3)->flags, 0);
    assert_int_equal(vmm_frame_at(m, 2)->flags, VMM_FRAME_REFERENCED);
}

static void lirs_notices_uses_that_only_bits_tell(void **state)
{
    (void)state;
    open_set(&vmm_replace_lirs, 4, GHOSTS);
    use(0), use(1), use(2), use(3); /* 3 is HIR, the others LIR */
    assert_int_equal(set->list[1].first, frame_of[3]);
    used(frame_of[3]), used(frame_of[0]);
    /* 3 is in S, so it becomes LIR; 0 was used, so 1 becomes HIR for it, and is the only one to take */
    assert_int_equal(use(4), 1);
    assert_int_equal(vmm_list_of(m, frame_of[3]), 0);
    assert_int_equal(vmm_list_of(m, frame_of[0]), 0);
}

/* -- the same in a machine -- */

#define RAM_PAGES 128u
#define PAGE 4096u
static uint64_t ram[RAM_PAGES * PAGE / 8], machine_block[1 << 15];
static uint8_t device[PAGES][PAGE];
static int device_fails;
static vmm_vaddr_t area_start;

static int write_slot(void *user, uint32_t slot, const void *page)
{
    (void)user;
    if (device_fails) return 1;
    memcpy(device[slot], page, PAGE);
    return 0;
}

static int read_slot(void *user, uint32_t slot, void *page)
{
    (void)user;
    memcpy(page, device[slot], PAGE);
    return 0;
}

/* A space with an area of PAGES pages, far fewer than frames are written below: nothing is ever short. */
static vmm_space_t *start_machine(const vmm_replacement_t *policy, uint32_t tick, bool local)
{
    static const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    static const vmm_layout_t layout = {"plain",    0x1000, 0x40000000, 0x10000, 0x20000000, 0x30000000,
                                        0x3ffff000, 0,      1 << 20,    1,       true};
    static const vmm_swap_area_t area = {write_slot, read_slot, 0, PAGES, 0};
    vmm_machine_options_t options;
    vmm_space_t *s;
    memset(&options, 0, sizeof options);
    options.memory = &memory;
    options.paging = &vmm_sv39;
    options.layout = &layout;
    options.replacement = policy;
    options.spaces = options.objects = 2;
    options.slots = PAGES;
    options.local = local;
    options.tick = tick;
    options.window = window;
    options.overcommit = VMM_OVERCOMMIT_ALWAYS;
    device_fails = 0;
    memset(machine_block, 0xa5, sizeof machine_block);
    assert_int_equal(vmm_machine_create(machine_block, sizeof machine_block, &options, &m), VMM_OK);
    assert_int_equal(vmm_swap_add(m, &area), VMM_OK);
    assert_int_equal(vmm_space_create(m, &s), VMM_OK);
    assert_int_equal(
        vmm_mmap(s, 0, (uint64_t)PAGES * PAGE, VMM_R | VMM_W, VMM_MAP_PRIVATE | VMM_MAP_ANONYMOUS, 0, 0, &area_start),
        VMM_OK);
    set = local ? &s->resident : &m->resident;
    return s;
}

static void write_pages(vmm_space_t *s, uint32_t from, uint32_t end)
{
    uint32_t i;
    for (i = from; i < end; i++)
        assert_int_equal(vmm_space_write(s, area_start + (uint64_t)i * PAGE, &i, sizeof i), VMM_OK);
}

static void touch_pages(vmm_space_t *s, uint32_t count, uint32_t times)
{
    uint32_t i;
    for (i = 0; i < count * times; i++) vmm_touch(s, area_start + (uint64_t)(i % count) * PAGE);
}

/* Clears the accessed bits, as somebody does who looks at them. */
static void look_at_all(void)
{
    uint32_t frame = set->list[0].first;
    for (; frame != VMM_NO_FRAME; frame = vmm_frame_at(m, frame)->next) (void)vmm_frame_referenced(m, frame);
}

static void a_machine_gives_up_at_a_tick_what_its_policy_wants_to_be_without(void **state)
{
    static const vmm_replacement_t *const with_surplus[] = {&vmm_replace_working_set, &vmm_replace_pff};
    unsigned i;
    uint32_t page, value;
    (void)state;
    window = 100;
    for (i = 0; i < 4; i++) {
        vmm_space_t *s = start_machine(with_surplus[i / 2], 50, i % 2);
        write_pages(s, 0, 40);
        assert_int_equal(s->stats.anon, 40);
        look_at_all();
        touch_pages(s, 12, 10);
        write_pages(s, 40, 49); /* the 49th fault: there was no tick yet */
        assert_int_equal(s->stats.anon, 49);
        assert_int_equal(m->stats.victims, 0);
        if (i / 2) touch_pages(s, 49, 3); /* for page-fault frequency the next fault is the late one */
        if (i / 2) look_at_all(), write_pages(s, 49, 50), touch_pages(s, 12, 10);
        write_pages(s, 50, 51);
        assert_int_equal(m->stats.victims, i / 2 ? 0 : 28);
        if (i / 2) assert_int_equal(vmm_background(m), 37); /* and a tick */
        assert_int_equal(s->stats.anon, i / 2 ? 14 : 22);
        assert_int_equal(m->stats.swapped_out, m->stats.victims);
        assert_int_equal(m->stats.direct + m->stats.background, 0);
        for (page = 0; page < 49; page++) {
            assert_int_equal(vmm_space_read(s, area_start + (uint64_t)page * PAGE, &value, sizeof value), VMM_OK);
            assert_int_equal(value, page);
        }
        assert_true(vmm_check(m));
    }
    window = 10000;
}

static void the_last_frames_stay_and_those_that_cannot_be_written_too(void **state)
{
    uint32_t page, value;
    vmm_space_t *s;
    (void)state;
    window = 1;
    s = start_machine(&vmm_replace_working_set, 1, false);
    write_pages(s, 0, 60);
    assert_true(s->stats.anon <= 2 * VMM_LATEST); /* bits count as uses at first */
    look_at_all();
    vmm_background(m);
    assert_int_equal(s->stats.anon, VMM_LATEST);
    window = 20;
    s = start_machine(&vmm_replace_working_set, 1000, false);
    write_pages(s, 0, 60);
    look_at_all();
    device_fails = 1;
    vmm_background(m);
    assert_int_equal(m->pages_anon, 60);
    assert_true(m->stats.io_errors >= 40 && m->slots_used >= 40); /* a page that cannot go is not tried for ever */
    device_fails = 0;
    for (page = 0; page < 10; page++)
        assert_int_equal(vmm_space_read(s, area_start + (uint64_t)page * PAGE, &value, sizeof value), VMM_OK);
    look_at_all();
    touch_pages(s, 10, 10);
    assert_int_equal(vmm_background(m), 50);
    assert_int_equal(m->pages_anon, 10);
    for (page = 0; page < 60; page++) {
        assert_int_equal(vmm_space_read(s, area_start + (uint64_t)page * PAGE, &value, sizeof value), VMM_OK);
        assert_int_equal(value, page);
    }
    window = 10000;
}

/* -- records alone -- */

static void records_are_refused_by_value(void **state)
{
    static vmm_replacement_t no_victim;
    static const struct {
        const vmm_replacement_t *policy;
        uint32_t frames;
        int bytes; /* more or fewer than asked for, or all: 0 */
        vmm_status_t status;
    } cases[] = {
        {NULL, 4, 0, VMM_E_ARGUMENT},
        {&no_victim, 4, 0, VMM_E_ARGUMENT},
        {&vmm_replace_lru, 0, 0, VMM_E_RANGE},
        {&vmm_replace_lru, UINT32_C(1) << 31, 0, VMM_E_RANGE},
        {&vmm_replace_lru, UINT32_MAX, 0, VMM_E_RANGE},
        {&vmm_replace_lru, 4, -1, VMM_E_ARGUMENT},
        {&vmm_replace_lirs, 4, -1, VMM_E_ARGUMENT},
        {&vmm_replace_lirs, 4, 1, VMM_OK},
        {&vmm_replace_lru, 4, 0, VMM_OK},
    };
    vmm_machine_t *none = NULL;
    size_t i;
    (void)state;
    no_victim = vmm_replace_lru;
    no_victim.victim = NULL;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint64_t bytes = vmm_records_bytes(cases[i].frames, 0, cases[i].policy);
        memset(block, 0xa5, sizeof block);
        none = NULL;
        assert_int_equal(vmm_records_create(block, bytes + (uint64_t)(int64_t)cases[i].bytes, cases[i].frames, 0,
                                            cases[i].policy, &none),
                         cases[i].status);
        assert_int_equal(bytes != 0, cases[i].status == VMM_OK || cases[i].bytes != 0);
        assert_true(cases[i].status == VMM_OK ? none == (vmm_machine_t *)(void *)block : none == NULL);
        assert_true(cases[i].status == VMM_OK || *(uint8_t *)block == 0xa5);
    }
    assert_int_equal(vmm_records_create(NULL, sizeof block, 4, 0, &vmm_replace_lru, &none), VMM_E_ARGUMENT);
    assert_int_equal(vmm_records_create(block, sizeof block, 4, 0, &vmm_replace_lru, NULL), VMM_E_ARGUMENT);
    assert_int_equal(vmm_records_create((uint8_t *)block + 4, sizeof block - 4, 4, 0, &vmm_replace_lru, &none),
                     VMM_E_ALIGN);
    assert_int_equal(vmm_records_bytes(4, 0, &vmm_replace_arc), vmm_records_bytes(4, 4, &vmm_replace_arc));
    assert_int_equal(vmm_records_bytes(4, 900, &vmm_replace_lru), vmm_records_bytes(4, 0, &vmm_replace_lru));
}

static void a_copy_of_records_goes_on_by_itself(void **state)
{
    static uint64_t copy[sizeof block / 8];
    static int string[LENGTH], outcome[LENGTH];
    uint32_t places[PAGES + 1];
    uint64_t seed = 41;
    size_t i;
    int k;
    (void)state;
    make_string(string, LENGTH, SPAN, &seed);
    for (i = 0; i < POLICIES; i++) {
        open_set(all[i], 12, GHOSTS);
        for (k = 0; k < LENGTH / 2; k++) use(string[k]);
        memcpy(copy, block, sizeof block);
        memcpy(places, frame_of, sizeof places);
        for (; k < LENGTH; k++) outcome[k] = use(string[k]);
        memset(block, 0xa5, sizeof block);
        memcpy(frame_of, places, sizeof places);
        m = (vmm_machine_t *)(void *)copy;
        set = &m->resident;
        for (k = LENGTH / 2; k < LENGTH; k++) assert_int_equal(use(string[k]), outcome[k]);
    }
}

static void a_page_is_dirty_from_its_first_write_until_it_leaves(void **state)
{
    (void)state;
    open_set(&vmm_replace_lru, 2, 0);
    use(1), use(2 | WRITES);
    assert_false(vmm_records_dirty(m, frame_of[1]));
    assert_true(vmm_records_dirty(m, frame_of[2]));
    use(1 | WRITES), use(1);
    assert_true(vmm_records_dirty(m, frame_of[1]));
    assert_int_equal(use(3), 2);
    assert_false(vmm_records_dirty(m, frame_of[3]));
}

/* A policy of one's own that is made of ARC's functions, and forgets to ask for ghosts. */
static void a_policy_without_ghosts_may_call_functions_that_would_keep_some(void **state)
{
    vmm_replacement_t own = vmm_replace_arc;
    uint32_t page;
    (void)state;
    own.ghosts = false;
    open_set(&own, 4, 0);
    for (page = 0; page < 4; page++) vmm_records_enter(m, page, 0, page, false);
    for (; page < 40; page++) {
        const uint32_t frame = vmm_records_victim(m, 0, page);
        assert_true(frame < 4);
        vmm_records_leave(m, frame);
        vmm_records_enter(m, frame, 0, page, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strings_of_the_textbooks_have_their_known_faults),
        cmocka_unit_test(each_policy_does_what_its_paper_says),
        cmocka_unit_test(a_hundredth_of_the_frames_of_lirs_is_for_pages_that_come),
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
        cmocka_unit_test(the_working_set_is_that_of_the_textbook),
        cmocka_unit_test(a_late_fault_parts_pages_used_since_the_last_from_the_others),
        cmocka_unit_test(a_use_that_only_a_bit_tells_keeps_a_page_that_would_leave),
        cmocka_unit_test(few_frames_make_the_working_set_an_lru_list),
        cmocka_unit_test(a_tick_tells_mru_of_uses_that_only_bits_tell),
        cmocka_unit_test(the_first_turn_of_the_enhanced_clock_changes_no_bit),
        cmocka_unit_test(lirs_notices_uses_that_only_bits_tell),
        cmocka_unit_test(a_machine_gives_up_at_a_tick_what_its_policy_wants_to_be_without),
        cmocka_unit_test(the_last_frames_stay_and_those_that_cannot_be_written_too),
        cmocka_unit_test(records_are_refused_by_value),
        cmocka_unit_test(a_copy_of_records_goes_on_by_itself),
        cmocka_unit_test(a_page_is_dirty_from_its_first_write_until_it_leaves),
        cmocka_unit_test(a_policy_without_ghosts_may_call_functions_that_would_keep_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
