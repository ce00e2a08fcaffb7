#!/usr/bin/env python3
"""Does vmmsim fault as the papers say? compare.py VMMSIM CASES [POLICY...] prints TAP, a line for each policy.

Every policy of vmmsim meets its slow reference of policies.py: on random strings of pages with all kinds of locality,
and on whole traces of real programs (CASES/spec-traces has one of them, where it is there). Faults, evictions and dirty
evictions must be the same. A string on which they differ is made as short as it can be and still differ, and both step
lists are printed.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import policies
import traces

ROOT = Path(__file__).resolve().parent.parent.parent
STRINGS = 200  # random ones for each policy
TRACE_FRAMES = {"sqlite3": (24, 96), "bzip": (32,)}
TIMEOUT = 300
GHOSTS = ("lirs",)  # the paper bounds what it remembers by nothing, we may
SHOWN = 40  # steps of a shortened string
TRIES = 3000  # to make it shorter

# name of the line, policy, options of its own for each string
CASES = [
    (name if name != "opt" else f"opt, tie={tie}", name, {"tie": tie} if name == "opt" else {})
    for name in policies.POLICIES
    for tie in (("lowest", "oldest") if name == "opt" else ("",))
]


def locality(rng, universe, length):
    """Page numbers as programs make them: anywhere, mostly few, a loop, phases, scans between them."""
    kind = rng.randrange(5)
    base, span = 0, max(1, universe // 3)
    for at in range(length):
        page = rng.randrange(universe)
        if kind == 1:
            page = min(page, rng.randrange(universe), rng.randrange(universe))
        elif kind == 2 and rng.randrange(16):
            page = at % max(2, universe - 1)
        elif kind == 3:
            if at % 60 == 0:
                base = page
            if rng.randrange(12):
                page = (base + rng.randrange(span)) % universe
        elif kind == 4:
            page = at % universe if at % 90 > 60 else page % span
        yield page


def random_string(rng):
    """A string, and the options it is run with: mostly few frames, so that much happens at the borders."""
    frames = rng.randrange(1, 13)
    length = rng.choice((50, 80, 120, 200, 300, 500, 700, 1000, 2000))
    if rng.randrange(16) == 0:
        frames, length = rng.choice((19, 20, 30, 100, 199, 200, 250)), 2000
    universe = max(2, frames + rng.choice((-1, 1, 1, 2, 3, frames, 2 * frames, 40)))
    writes = rng.choice((0.0, 0.1, 0.3, 0.5))
    string = [(page, rng.random() < writes) for page in locality(rng, universe, length)]
    options = {
        "tick": rng.choice((1, 3, 7, 16, 50)),
        "window": rng.choice((1, 2, 3, 5, 8, 13, 30, 100)),
        "seed": rng.randrange(1000),
        "tlb": rng.choice(("none", "1x1", "16x4")),
    }
    return string, frames, options


class Simulator:
    """vmmsim, run as a user runs it."""

    def __init__(self, program, directory):
        self.program = program
        self.file = Path(directory) / "string.trace"

    def write(self, string):
        self.file.write_text("".join(f"{page << 12:08x} {'RW'[write]}\n" for page, write in string))

    def arguments(self, policy, frames, options, file=None):
        settings = {"policy": policy, "frames": frames, **options}
        return [str(file or self.file), *(f"{key}={value}" for key, value in settings.items())]

    def output(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"vmmsim {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def run(self, policy, frames, options, file=None):
        """What it counted; or how it failed, which differs from every count."""
        try:
            counts = json.loads(self.output("--json", *self.arguments(policy, frames, options, file)))
        except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
            return str(error)
        return counts["accesses"], counts["faults"], counts["evictions"], counts["dirty_evictions"]


def reference(name, string, frames, options):
    policy = policies.run(name, string, frames, **options)
    return len(string), policy.faults, policy.evictions, policy.dirty_evictions


def differs(simulator, name, string, frames, options):
    simulator.write(string)
    return simulator.run(name, frames, options) != reference(name, string, frames, options)


def shorten(simulator, name, string, frames, options):
    """Leaves out what can be left out: large pieces first, then single references."""
    piece, tries = len(string) // 2, 0
    while piece:
        at = 0
        while at < len(string) and tries < TRIES:
            tries += 1
            shorter = string[:at] + string[at + piece :]
            if shorter and differs(simulator, name, shorter, frames, options):
                string = shorter
            else:
                at += piece
        piece //= 2
    names = {}
    renamed = [(names.setdefault(page, len(names)), write) for page, write in string]
    return renamed if differs(simulator, name, renamed, frames, options) else string


def steps_of(name, string, frames, options):
    """The steps of the reference, a line each."""
    if name == "opt":
        options = {**options, "pages": [page for page, _ in string]}
    policy = policies.POLICIES[name](frames, **options)
    for at, (page, write) in enumerate(string):
        if at and at % options["tick"] == 0:
            policy.tick()
        before = set(policy.where)
        what = "hit" if policy.reference(page, write) else "fault"
        what += "".join(f", {other:x} leaves" for other in before - set(policy.where))
        held = " ".join("-" if held is None else f"{held:x}{'*' * (held in policy.dirty)}" for held in policy.frame)
        yield f"{at + 1:3} {'RW'[write]} {page:x} {what:18} [{held}]"


def explain_difference(simulator, name, string, frames, options):
    string = shorten(simulator, name, string, frames, options)
    simulator.write(string)
    lines = [
        "vmmsim " + " ".join(simulator.arguments(name, frames, options)[1:]) + f", {len(string)} references: "
        f"(accesses, faults, evictions, dirty) {simulator.run(name, frames, options)}, "
        f"the reference {reference(name, string, frames, options)}",
        "string: " + " ".join(f"{page:x}{'w' * write}" for page, write in string),
        "the reference's steps:",
        *list(steps_of(name, string, frames, options))[:SHOWN],
        "vmmsim's steps:",
    ]
    try:
        shown = simulator.output("--explain", "--json", *simulator.arguments(name, frames, options)).splitlines()
        lines += map(brief, shown[:SHOWN])
    except (RuntimeError, OSError, ValueError) as error:
        lines.append(str(error))
    return lines


def brief(line):
    """A step that vmmsim tells, in the form of steps_of."""
    step = json.loads(line)
    victim = f", {step['victim']['vpn']:x} leaves" if step["victim"] else ""
    held = " ".join("-" if page is None else f"{page:x}" for page in step["frames"])
    what = f"fault{victim}" if step["fault"] else "hit"
    return f"{step['access']:3} {'RW'[step['kind'] == 'write']} {step['vpn']:x} {what:18} [{held}]"


def compare_strings(simulator, name, extra, strings):
    """Returns (strings, references, lines about a difference)."""
    rng = random.Random(name)
    references = 0
    for number in range(strings):
        string, frames, options = random_string(rng)
        options.update(extra)
        if name in GHOSTS and number % 4 == 0:
            options["ghosts"] = rng.randrange(1, 20)
        if differs(simulator, name, string, frames, options):
            return number + 1, references, explain_difference(simulator, name, string, frames, options)
        references += len(string)
    return strings, references, None


def compare_trace(simulator, name, extra, trace, file, string):
    """As compare_strings, for a real program's trace at several sizes."""
    for frames in TRACE_FRAMES[trace]:
        options = {"tick": 1000, "window": 10000, **extra}
        ours = simulator.run(name, frames, options, file)
        papers = reference(name, string, frames, options)
        if ours != papers:
            return [
                f"{trace}, {frames} frames: (accesses, faults, evictions, dirty) {ours}, the reference {papers}",
                "a short piece that differs:",
                *first_difference(simulator, name, string, frames, options),
            ]
    return None


def first_difference(simulator, name, string, frames, options):
    """Halves the trace to its shortest beginning that differs, and shows that."""
    low, high = 0, len(string)
    while high - low > 1:
        middle = (low + high) // 2
        if differs(simulator, name, string[:middle], frames, options):
            high = middle
        else:
            low = middle
    if not differs(simulator, name, string[:high], frames, options):
        return ["none: as a string of pages it agrees, and the trace itself is read otherwise"]
    return explain_difference(simulator, name, string[:high], frames, options)


def compare_sweep(simulator, strings):
    """LRU for many numbers of frames in one pass, by stack distances."""
    rng = random.Random("sweep")
    references = 0
    for number in range(strings):
        string, _, _ = random_string(rng)
        simulator.write(string)
        settings = "policy=lru", "--sweep", "frames=1..12+1", "show=accesses,faults,evictions,dirty_evictions"
        points = list(map(json.loads, simulator.output("--json", str(simulator.file), *settings).splitlines()))
        if [point["frames"] for point in points] != list(range(1, 13)):
            return number, references, ["the sweep has not the points 1 to 12"]
        for point in points:
            ours = point["accesses"], point["faults"], point["evictions"], point["dirty_evictions"]
            papers = reference("lru", string, point["frames"], {})
            references += len(string)
            if ours != papers:
                return number + 1, references, [f"{point['frames']} frames: {ours}, the reference {papers}"]
    return strings, references, None


def loop_of_random(simulator):
    """RANDOM with c frames on a loop of c + 1 pages: one page is out, the next fault is that of a page chosen among c,
    1 to c references later, each as likely: (c + 1) / 2 in the mean, with a variance of (c * c - 1) / 12."""
    lines, references = [], 0
    for frames in (2, 5, 11):
        string = [(at % (frames + 1), False) for at in range(2000)]
        simulator.write(string)
        seeds = range(1, 13)
        found = [simulator.run("random", frames, {"seed": seed})[1] - frames for seed in seeds]
        again = [simulator.run("random", frames, {"seed": seed})[1] - frames for seed in seeds]
        references += len(string) * len(seeds)
        mean = (frames + 1) / 2
        expected = len(string) * len(seeds) / mean
        deviation = (expected * (frames**2 - 1) / 12) ** 0.5 / mean
        if found != again:
            lines.append(f"{frames} frames: the same seeds give {found} and {again}")
        if abs(sum(found) - expected) > 4 * deviation:
            lines.append(f"{frames} frames: {sum(found)} faults, not {expected:.0f} within {4 * deviation:.0f}")
        if len(set(found)) == 1:
            lines.append(f"{frames} frames: all seeds give {found[0]} faults")
    return references, lines


def jobs(simulator, files, strings):
    """(policy, name of the line, what makes the rest of the line and the lines about a difference)."""

    def policy_job(name, extra):
        done, references, lines = compare_strings(simulator, name, extra, STRINGS)
        for trace, string in strings.items():
            lines = lines or compare_trace(simulator, name, extra, trace, files[trace], string)
            references += 0 if lines else len(string) * len(TRACE_FRAMES[trace])
        return f"{done} strings, {' and '.join(strings)}, {references} references", lines

    def loop_job():
        references, lines = loop_of_random(simulator)
        return f"{references} references", lines

    def sweep_job():
        done, references, lines = compare_sweep(simulator, STRINGS // 4)
        return f"{done} strings, {references} references", lines

    for title, name, extra in CASES:
        yield name, f"{title} is that of its paper", lambda name=name, extra=extra: policy_job(name, extra)
    yield "random", "random is as random on a loop as theory says", loop_job
    yield "lru", "lru for many frames in one pass is lru for each", sweep_job


def main(arguments):
    program, cases, *wanted = arguments
    files = {"sqlite3": ROOT / "examples/traces/sqlite3.trace.gz"}
    strings = {"sqlite3": traces.packed(files["sqlite3"])}
    bzip = Path(cases) / "spec-traces/bzip.trace.gz"
    if bzip.exists():
        files["bzip"] = bzip
        strings["bzip"] = traces.address_and_letter(bzip)
    failed = count = 0
    with tempfile.TemporaryDirectory() as directory:
        for policy, name, job in jobs(Simulator(program, directory), files, strings):
            if wanted and policy not in wanted:
                continue
            try:
                told, lines = job()
            except (RuntimeError, ValueError, TypeError, KeyError, subprocess.TimeoutExpired) as error:
                told, lines = "not run to its end", [f"{type(error).__name__}: {error}"]
            count += 1
            failed += bool(lines)
            print(f"{'not ok' if lines else 'ok'} {count} - {name}: {told}")
            for line in lines or ():
                print(f"# {line}")
            sys.stdout.flush()
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
