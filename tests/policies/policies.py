"""Page replacement policies, each written from its paper or textbook, slow and plain.

What they are for: another answer than vmm.h's. Nothing here is taken from that code, and nothing here is fast.

    policy = POLICIES["lru"](frames=3)
    for page in 7, 0, 1, 2:
        policy.reference(page, write=False)
    policy.faults, policy.dirty_evictions

The conventions, which change answers, and hold for all policies:

- a reference to a page that is in a frame is a use; the reference that faults brings its page in, and is no further use
- a page comes into the frame of the page that had to leave for it, else into the free frame with the lowest number
- a write makes its page dirty, also the write that faulted; a dirty page that leaves is a dirty eviction
- time is counted in references; the tick, of policies that have one, comes before every tick-th reference
"""

from collections import OrderedDict


class Policy:
    """What all have in common: the frames, which page is in which, which pages are dirty."""

    ticks = False  # whether tick() does anything

    def __init__(self, frames, **options):
        self.count = frames
        self.options = options
        self.frame = [None] * frames  # the page in each frame
        self.where = {}  # the frame of each page
        self.dirty = set()
        self.now = 0  # the number of this reference, from 1
        self.faults = 0
        self.evictions = 0
        self.dirty_evictions = 0
        self.start()

    def reference(self, page, write):
        """One reference. Returns whether it was a hit."""
        self.now += 1
        hit = page in self.where
        if hit:
            self.used(page)
        else:
            self.faults += 1
            self.bring(page)
        if write:
            self.dirty.add(page)
        for other in self.surplus(page):
            self.remove(other)
        return hit

    def bring(self, page):
        self.comes(page)
        if len(self.where) < self.count:
            slot = self.frame.index(None)
        else:
            slot = self.remove(self.victim())
        self.frame[slot] = page
        self.where[page] = slot
        self.entered(page)

    def remove(self, page):
        """The page leaves its frame, whose number is returned."""
        slot = self.where.pop(page)
        self.frame[slot] = None
        self.evictions += 1
        if page in self.dirty:
            self.dirty.remove(page)
            self.dirty_evictions += 1
        self.left(page)
        return slot

    # What a policy says for itself.
    def start(self):
        """Before the first reference."""

    def comes(self, page):
        """The page is missing, and will be brought in."""

    def victim(self):
        """Which page leaves, when all frames are full, for the one that comes."""
        raise NotImplementedError

    def left(self, page):
        """The page left its frame."""

    def entered(self, page):
        """The page is in its frame now."""

    def used(self, page):
        """The page was in a frame and is used."""

    def surplus(self, page):
        """Pages that leave now, after the reference to page, though nobody needs their frames."""
        return ()

    def tick(self):
        """A period is over."""


class Fifo(Policy):
    """Belady, Nelson, Shedler, "An anomaly in space-time characteristics of certain programs running in a paging
    machine", 1969: the page that came first."""

    def start(self):
        self.queue = []

    def entered(self, page):
        self.queue.append(page)

    def left(self, page):
        self.queue.remove(page)

    def victim(self):
        return self.queue[0]


class Clock(Policy):
    """Corbato, "A paging experiment with the Multics system", 1969: the frames in a ring, a hand, a bit for each. The
    hand clears bits that are set and stops at the first that is clear; the new page takes that frame and the hand moves
    one past it. Here the bit of a page that enters is clear."""

    bit_on_load = 0

    def start(self):
        self.hand = 0
        self.bit = [0] * self.count

    def victim(self):
        while self.bit[self.hand]:
            self.bit[self.hand] = 0
            self.hand = (self.hand + 1) % self.count
        chosen = self.frame[self.hand]
        self.hand = (self.hand + 1) % self.count
        return chosen

    def entered(self, page):
        self.bit[self.where[page]] = self.bit_on_load

    def used(self, page):
        self.bit[self.where[page]] = 1


class ClockSet(Clock):
    """The same with the bit of a page that enters set. Silberschatz, Galvin, Gagne, "Operating System Concepts", 10th
    edition, 2018, section 10.4.5."""

    bit_on_load = 1


class Lru(Policy):
    """Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", 1970: the page whose last use
    is longest ago."""

    def start(self):
        self.order = OrderedDict()  # the page used longest ago first

    def entered(self, page):
        self.order[page] = True

    def used(self, page):
        self.order.move_to_end(page)

    def left(self, page):
        del self.order[page]

    def victim(self):
        return next(iter(self.order))


class Mru(Lru):
    """Chou and DeWitt, "An evaluation of buffer management strategies for relational database systems", 1985: the page
    whose last use is the latest. Coming in is a use."""

    def victim(self):
        return next(reversed(self.order))


class Ranked(Policy):
    """Those that give up the page with the lowest rank, and of equal ones the page that came first."""

    def start(self):
        self.came = {}  # in the order in which they came
        self.begin()

    def entered(self, page):
        self.came[page] = True
        self.fresh(page)

    def left(self, page):
        del self.came[page]

    def victim(self):
        return min(self.came, key=self.rank)  # the first of the lowest

    def begin(self):
        """As start."""

    def fresh(self, page):
        """As entered."""

    def rank(self, page):
        raise NotImplementedError


class Nru(Ranked):
    """Tanenbaum and Bos, "Modern Operating Systems", 4th edition, 2014, section 3.4.2: class 2R + M. The tick clears R,
    a page that enters has it set."""

    ticks = True

    def begin(self):
        self.recent = set()

    def fresh(self, page):
        self.recent.add(page)

    def used(self, page):
        self.recent.add(page)

    def rank(self, page):
        return 2 * (page in self.recent) + (page in self.dirty)

    def tick(self):
        self.recent.clear()


class Aging(Ranked):
    """The same book, section 3.4.7: each tick shifts the register of 8 bits right and puts the reference bit at its
    left. A use that no tick has seen yet weighs more than any register."""

    ticks = True

    def begin(self):
        self.bit = {}
        self.register = {}

    def fresh(self, page):
        self.bit[page] = 1
        self.register[page] = 0

    def used(self, page):
        self.bit[page] = 1

    def rank(self, page):
        return 256 * self.bit[page] + self.register[page]

    def tick(self):
        for page in self.where:
            self.register[page] = self.register[page] >> 1 | self.bit[page] << 7
            self.bit[page] = 0


class Lfu(Ranked):
    """Silberschatz, Galvin, Gagne, section 10.4.6: the page used least often since it came."""

    sign = 1

    def begin(self):
        self.uses = {}

    def fresh(self, page):
        self.uses[page] = 0

    def used(self, page):
        self.uses[page] += 1

    def rank(self, page):
        return self.sign * self.uses[page]


class Mfu(Lfu):
    """The same section: the page used most often since it came."""

    sign = -1


class Esc(Policy):
    """Enhanced second chance. Silberschatz, Galvin, Gagne, section 10.4.5.3; the turns of the hand are those of
    Stallings, "Operating Systems: Internals and Design Principles", section 8.2: first a page that is neither
    referenced nor modified, nothing cleared; then one that is modified only, clearing the reference bits passed over;
    then both turns once more. The bit of a page that enters is set."""

    bit_on_load = 1

    def start(self):
        self.hand = 0
        self.bit = [0] * self.count

    def entered(self, page):
        self.bit[self.where[page]] = self.bit_on_load

    def used(self, page):
        self.bit[self.where[page]] = 1

    def turn(self, modified, clear):
        for _ in range(self.count):
            here = self.hand
            page = self.frame[here]
            if not self.bit[here] and (page in self.dirty) == modified:
                self.hand = (here + 1) % self.count
                return page
            if clear:
                self.bit[here] = 0
            self.hand = (here + 1) % self.count
        return None

    def victim(self):
        for modified in (False, True, False, True):
            found = self.turn(modified, clear=modified)
            if found is not None:
                return found
        raise AssertionError("the fourth turn finds a page")


class Random(Policy):
    """Belady, "A study of replacement algorithms for a virtual-storage computer", 1966. The numbers are those of the
    linear congruential generator of Numerical Recipes, 32 bits; its high bits say how many pages came before the one
    that goes."""

    def start(self):
        self.state = self.options.get("seed", 1)
        self.queue = []  # the page that came first at the front

    def entered(self, page):
        self.queue.append(page)

    def left(self, page):
        self.queue.remove(page)

    def victim(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return self.queue[self.state * len(self.queue) >> 32]


class Wsclock(Policy):
    """Carr and Hennessy, "WSClock: a simple and effective algorithm for virtual memory management", 1981, in the form
    that vmm.h documents: a page's age is the ticks since it was last found referenced, checked as the hand passes. The
    first clean page of more than 4 ticks goes; after a full turn the oldest, a clean one among equals, then the first
    met. The bit of a page that enters is clear, its age 0."""

    ticks = True
    working_set_ticks = 4

    def start(self):
        self.hand = 0
        self.bit = [0] * self.count
        self.age = [0] * self.count

    def entered(self, page):
        self.bit[self.where[page]] = 0
        self.age[self.where[page]] = 0

    def used(self, page):
        self.bit[self.where[page]] = 1

    def victim(self):
        best = None
        for step in range(self.count):
            here = (self.hand + step) % self.count
            if self.bit[here]:
                self.bit[here] = 0
                self.age[here] = 0
            clean = self.frame[here] not in self.dirty
            if clean and self.age[here] > self.working_set_ticks:
                best = (0, 0, 0, here)
                break
            rank = (-self.age[here], not clean, step, here)
            if best is None or rank < best:
                best = rank
        self.hand = (best[3] + 1) % self.count
        return self.frame[best[3]]

    def tick(self):
        self.age = [min(age + 1, 255) for age in self.age]


class WorkingSet(Lru):
    """Denning, "The working set model for program behavior", 1968: W(t, T) is the pages referenced among the last T
    references, t included. Those outside leave; when all frames are full of it, the page used longest ago."""

    def start(self):
        super().start()
        self.last = {}

    def surplus(self, page):
        self.last[page] = self.now
        gone = []
        for other in self.order:  # the page used longest ago first
            if self.now - self.last[other] < self.options["window"]:
                break
            gone.append(other)
        return gone


class Pff(Lru):
    """Chu and Opderbeck, "The page fault frequency replacement algorithm", 1972: at a fault, when T references or more
    went by since the fault before it, all pages leave that were not referenced since. Otherwise the set grows; when
    all frames are full, the page used longest ago leaves."""

    def start(self):
        super().start()
        self.since = set()  # pages referenced since the latest fault, that of the fault included
        self.latest = 0
        self.unused = []  # pages that leave after this reference

    def used(self, page):
        super().used(page)
        self.since.add(page)

    def entered(self, page):
        super().entered(page)
        if self.latest and self.now - self.latest >= self.options["window"]:
            self.unused = [p for p in self.order if p != page and p not in self.since]
        self.since = {page}
        self.latest = self.now

    def surplus(self, page):
        gone, self.unused = self.unused, []
        return gone


class TwoLists(Policy):
    """Gorman, "Understanding the Linux Virtual Memory Manager", 2004, chapter 10, as vmm.h documents it. A page enters
    the inactive list. Used there twice, or once after it was found used at the tail, it becomes active. The active
    list, while it is the longer one, gives its tail to the inactive list, unless that was used: then it goes to the
    head. A page given back needs one use only."""

    def start(self):
        self.active, self.inactive = [], []  # the head first
        self.referenced = set()
        self.once = set()  # of the inactive ones: one more use makes it active

    def entered(self, page):
        self.inactive.insert(0, page)

    def left(self, page):
        for some in self.active, self.inactive:
            if page in some:
                some.remove(page)
        self.referenced.discard(page)
        self.once.discard(page)

    def used(self, page):
        if page in self.inactive and (page in self.referenced or page in self.once):
            self.inactive.remove(page)
            self.active.insert(0, page)
            self.referenced.discard(page)
            self.once.discard(page)
        else:
            self.referenced.add(page)

    def shrink_active(self):
        for _ in range(len(self.active)):
            if len(self.inactive) >= len(self.active):
                break
            page = self.active.pop()
            if page in self.referenced:
                self.referenced.remove(page)
                self.active.insert(0, page)
            else:
                self.inactive.insert(0, page)
                self.once.add(page)

    def victim(self):
        self.shrink_active()
        while self.inactive:
            tail = self.inactive[-1]
            if tail not in self.referenced:
                return tail
            self.referenced.remove(tail)
            self.inactive.pop()
            if tail in self.once:
                self.once.remove(tail)
                self.active.insert(0, tail)
            else:
                self.once.add(tail)
                self.inactive.insert(0, tail)
        return self.active[-1]


class TwoQ(Policy):
    """Johnson and Shasha, "2Q: a low overhead high performance buffer management replacement algorithm", 1994, the full
    version of figure 2: Kin a quarter, Kout half of the frames, rounded down, at least one."""

    def start(self):
        self.kin = max(1, self.count // 4)
        self.kout = max(1, self.count // 2)
        self.a1in, self.a1out, self.am = [], [], []  # the head first

    def used(self, page):
        if page in self.am:
            self.am.remove(page)
            self.am.insert(0, page)

    def comes(self, page):
        self.remembered = page in self.a1out

    def victim(self):
        if len(self.a1in) > self.kin or not self.am:
            y = self.a1in.pop()
            self.a1out.insert(0, y)
            if len(self.a1out) > self.kout:
                self.a1out.pop()
            return y
        return self.am.pop()

    def entered(self, page):
        if page in self.a1out:
            self.a1out.remove(page)
        (self.am if self.remembered else self.a1in).insert(0, page)


class Arc(Policy):
    """Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", 2003, figure 4. p is a whole number, the
    quotients are rounded down."""

    def start(self):
        self.p = 0
        self.t1, self.t2, self.b1, self.b2 = [], [], [], []  # the most recent first

    def used(self, page):  # case I
        for some in self.t1, self.t2:
            if page in some:
                some.remove(page)
        self.t2.insert(0, page)

    def comes(self, page):
        c = self.count
        self.into = self.t2
        self.in_b2 = False
        if page in self.b1:  # case II
            self.p = min(c, self.p + max(len(self.b2) // len(self.b1), 1))
        elif page in self.b2:  # case III
            self.p = max(0, self.p - max(len(self.b1) // len(self.b2), 1))
            self.in_b2 = True
        else:  # case IV: directories are shortened now, and what they hold of it leaves the cache in victim()
            self.into = self.t1

    def victim(self):
        c = self.count
        if self.into is self.t1:  # case IV
            if len(self.t1) + len(self.b1) == c:
                if len(self.t1) == c:
                    return self.t1.pop()  # B1 is empty: it is not remembered
                self.b1.pop()
            elif len(self.t1) + len(self.t2) + len(self.b1) + len(self.b2) == 2 * c:
                self.b2.pop()
        return self.replace()

    def replace(self):
        if self.t1 and (len(self.t1) > self.p or (self.in_b2 and len(self.t1) == self.p)):
            page = self.t1.pop()
            self.b1.insert(0, page)
        else:
            page = self.t2.pop()
            self.b2.insert(0, page)
        return page

    def entered(self, page):
        for some in self.b1, self.b2:
            if page in some:
                some.remove(page)
        self.into.insert(0, page)


class Lirs(Policy):
    """Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement policy to improve buffer cache
    performance", 2002, section 3. S is the stack of recency, with LIR pages, resident and not resident HIR pages; Q has
    the resident HIR pages, whose front leaves. Of the frames one in a hundred, at least one, is for HIR pages."""

    def start(self):
        self.hir_count = max(1, self.count // 100)
        self.lir_count = self.count - self.hir_count
        self.s = OrderedDict()  # the bottom first
        self.q = []  # the front first
        self.lir = set()

    def prune(self):
        """Pages that are not LIR leave the bottom of S."""
        while self.s and next(iter(self.s)) not in self.lir:
            self.s.popitem(last=False)

    def on_top(self, page):
        self.s[page] = True
        self.s.move_to_end(page)

    def promote(self, page):
        """The page becomes LIR, on top of S; then the LIR page at the bottom becomes HIR, at the end of Q."""
        self.on_top(page)
        self.lir.add(page)
        if len(self.lir) > self.lir_count:
            self.prune()
            bottom, _ = self.s.popitem(last=False)
            self.lir.remove(bottom)
            self.q.append(bottom)
        self.prune()

    def at_end(self, page):
        """The page is HIR: on top of S and at the end of Q."""
        self.q.append(page)
        if self.lir_count:
            self.on_top(page)

    def used(self, page):
        if page in self.lir:
            self.on_top(page)
            self.prune()
            return
        self.q.remove(page)
        if page in self.s:
            self.promote(page)
        else:
            self.at_end(page)

    def comes(self, page):
        self.remembered = page in self.s

    def victim(self):
        return self.q[0]

    def left(self, page):
        """It stays in S, if it is there, as a ghost."""
        self.q.remove(page)

    def entered(self, page):
        if self.remembered or len(self.lir) < self.lir_count:
            self.promote(page)
        else:
            self.at_end(page)
        self.forget()

    def forget(self):
        """Of more ghosts than may be remembered those used longest ago are forgotten; the paper has no such bound."""
        if "ghosts" in self.options:
            ghosts = [page for page in self.s if page not in self.where]
            for page in ghosts[: max(0, len(ghosts) - self.options["ghosts"])]:
                del self.s[page]


class Sieve(Policy):
    """Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web
    caches", 2024, algorithm 1."""

    def start(self):
        self.queue = []  # the head first
        self.visited = set()
        self.hand = None  # a page

    def used(self, page):
        self.visited.add(page)

    def victim(self):
        o = len(self.queue) - 1 if self.hand is None else self.queue.index(self.hand)
        while self.queue[o] in self.visited:
            self.visited.remove(self.queue[o])
            o = o - 1 if o > 0 else len(self.queue) - 1
        self.hand = self.queue[o - 1] if o > 0 else None
        return self.queue.pop(o)

    def entered(self, page):
        self.queue.insert(0, page)


class S3Fifo(Policy):
    """Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", 2023, algorithm 1. S has a
    tenth of the frames, rounded down, at least one; G remembers as many pages as M has frames, at least one. The paper
    may evict from M as well when a page moves there; here one page leaves for one that comes, and after each move the
    queue is chosen anew."""

    def start(self):
        self.tenth = max(1, self.count // 10)
        self.kept = max(1, self.count - self.tenth)
        self.small, self.main, self.ghost = [], [], []  # the head first
        self.freq = {}

    def used(self, page):
        self.freq[page] = min(self.freq[page] + 1, 3)

    def victim(self):
        while True:
            found = self.evict_small() if len(self.small) >= self.tenth or not self.main else self.evict_main()
            if found is not None:
                return found

    def evict_small(self):
        while self.small:
            tail = self.small.pop()
            if self.freq[tail] <= 1:
                self.ghost.insert(0, tail)
                if len(self.ghost) > self.kept:
                    self.ghost.pop()
                return tail
            self.freq[tail] = 0  # "its access bits are cleared during the move"
            self.main.insert(0, tail)
            if len(self.small) < self.tenth:
                break
        return None

    def evict_main(self):
        while True:
            tail = self.main.pop()
            if self.freq[tail] == 0:
                return tail
            self.freq[tail] -= 1
            self.main.insert(0, tail)

    def entered(self, page):
        self.freq[page] = 0
        if page in self.ghost:
            self.ghost.remove(page)
            self.main.insert(0, page)
        else:
            self.small.insert(0, page)


class Opt(Policy):
    """Belady, "A study of replacement algorithms for a virtual-storage computer", 1966: the page whose next use is
    furthest away. Of several that are not used again the one in the frame with the lowest number (tie "lowest"), or the
    one that came first (tie "oldest"). It must be told the whole string: option "pages"."""

    def start(self):
        pages = self.options["pages"]
        self.next_use = [0] * len(pages)
        later = {}
        for at in range(len(pages) - 1, -1, -1):
            self.next_use[at] = later.get(pages[at], float("inf"))
            later[pages[at]] = at
        self.due = {}
        self.came = {}

    def entered(self, page):
        self.came[page] = self.now
        self.due[page] = self.next_use[self.now - 1]

    def used(self, page):
        self.due[page] = self.next_use[self.now - 1]

    def victim(self):
        order = self.came if self.options.get("tie") == "oldest" else self.where
        return min(self.where, key=lambda p: (-self.due[p], order[p]))


POLICIES = {
    "fifo": Fifo,
    "clock": Clock,
    "clock-set": ClockSet,
    "esc": Esc,
    "lru": Lru,
    "nru": Nru,
    "aging": Aging,
    "lfu": Lfu,
    "mfu": Mfu,
    "mru": Mru,
    "random": Random,
    "ws": WorkingSet,
    "wsclock": Wsclock,
    "pff": Pff,
    "two-lists": TwoLists,
    "2q": TwoQ,
    "arc": Arc,
    "lirs": Lirs,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
    "opt": Opt,
}


def run(name, references, frames, tick=0, **options):
    """The policy after a whole string of (page, write)."""
    if name == "opt":
        options["pages"] = [page for page, _ in references]
    policy = POLICIES[name](frames, **options)
    step = policy.reference
    if not tick or not policy.ticks:
        for page, write in references:
            step(page, write)
        return policy
    for at, (page, write) in enumerate(references):
        if at and at % tick == 0:
            policy.tick()
        step(page, write)
    return policy
