"""Looks at what vmmsim --explain says: usage: explain.py VMMSIM DIRECTORY. Speaks TAP."""

import json
import random
import re
import subprocess
import sys
import traceback

VMMSIM, WORK = sys.argv[1:3]
PAGE = "docs/step_by_step.rst"


def run(arguments, text="", status=0):
    done = subprocess.run([VMMSIM, *arguments], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"{arguments}: exit {done.returncode}: {done.stderr}"
    return done


def steps(arguments, text=""):
    return [json.loads(line) for line in run(["--json", "--explain", *arguments], text).stdout.splitlines()]


def write_trace(name, count, seed, bits=48):
    """Fetches, loads, stores and modifies; some cross pages; more likely close to the one before."""
    rng = random.Random(seed)
    bases = [rng.randrange(1 << (bits - 1)) for _ in range(5)]
    with open(f"{WORK}/{name}", "w", encoding="ascii") as out:
        for _ in range(count):
            address = min((rng.choice(bases) + rng.randrange(1 << rng.choice((8, 13, 16)))), (1 << bits) - 64)
            kind = rng.choice(("I ", " L", " S", " M"))
            out.write(f"{kind} {address:x},{rng.choice((1, 4, 8, 32))}\n")
    return f"{WORK}/{name}"


CONFIGURATIONS = [
    ["frames=5", "policy=lru", "tlb=4x2"],
    ["frames=7", "policy=clock", "tlb=1x6", "modify=store", "cache=16x2x32", "cache2=64x4x64"],
    ["frames=40", "policy=arc", "tlb=none", "page=256", "cache=8x1x16", "write-through=yes"],
    ["frames=9", "policy=esc", "tlb=8x1", "tlb-split=yes", "tlb-policy=fifo", "first-frame=0x30"],
    ["frames=0", "policy=fifo", "tlb=16x4", "va-bits=36", "cache=64x2x16", "virtual-index=yes"],
    ["frames=12", "policy=ws", "window=60", "tlb=2x2"],
    ["frames=6", "policy=opt", "tlb=2x3"],
    ["frames=3", "policy=lru", "no-faults=yes"],
]


def value(arguments, key, default):
    return next((a.split("=")[1] for a in arguments if a.startswith(key + "=")), default)


def check_address(step, shift):
    assert step["va"] == step["vpn"] << shift | step["vpo"] and step["vpo"] >> shift == 0
    if step["tlb"]:
        assert step["vpn"] == step["tlb"]["tlbt"] << step["tlb"]["tlbi_bits"] | step["tlb"]["tlbi"]
    if step["invalid"]:
        assert step["pa"] is None and step["ppn"] is None and not step["caches"]
    else:
        assert step["pa"] == step["ppn"] << shift | step["vpo"]


def check_tlb(step, asked):
    """asked: the sets that earlier accesses of this reference looked at."""
    tlb = step["tlb"]
    if tlb:
        assert (tlb["set"] is None) == (tlb["tlbi"] in asked)
        asked.add(tlb["tlbi"])
    if not tlb or tlb["set"] is None:
        return
    entry = dict(map(tuple, tlb["set"]))
    assert len(entry) == len(tlb["set"])
    assert tlb["hit"] == (tlb["tlbt"] in entry)
    if tlb["hit"]:
        assert entry[tlb["tlbt"]] == step["ppn"] and not step["fault"]


def check_walk(step, shift):
    walk = step["walk"]
    assert [w["level"] for w in walk] == sorted((w["level"] for w in walk), reverse=True)
    assert all(w["valid"] for w in walk[:-1])
    assert all(w["index"] >> w["bits"] == 0 and w["pte_addr"] == w["table"] + 8 * w["index"] for w in walk)
    assert all(above["pte"] >> 12 << shift == below["table"] for above, below in zip(walk, walk[1:]))
    if not (step["tlb"] and step["tlb"]["hit"]):
        assert walk and (step["found"] == "done") == walk[-1]["valid"]
        assert step["fault"] or step["invalid"] or walk[-1]["valid"]
        assert len({w["pte_addr"] for w in walk}) == len(walk)


def check_caches(step, arguments):
    for level, cache in enumerate(step["caches"]):
        sets, _, block = map(int, value(arguments, "cache" + ("", "2", "3")[level], "").split("x"))
        assert cache["co"] == step["pa"] % block
        if level or value(arguments, "virtual-index", "no") == "no":
            assert cache["ci"] == step["pa"] // block % sets and cache["ct"] == step["pa"] // block // sets
        else:
            assert cache["ci"] == step["va"] // block % sets
        assert cache["hit"] == (level == len(step["caches"]) - 1) or not cache["hit"]
        assert (cache["victim"] is not None) == cache["evicted"]


def check_frames(step, before, first):
    """The page is where the address led; only its frame changed, and the victim is gone."""
    after = step["frames"]
    before = before + [None] * (len(after) - len(before))
    if not step["invalid"] and step["vpn"] in after:
        assert after[step["ppn"] - first] == step["vpn"]
    held = [page for page in after if page is not None]
    assert len(set(held)) == len(held)
    if step["fault"]:
        assert step["vpn"] not in before
        if step["victim"]:
            assert step["victim"]["vpn"] in before and step["victim"]["vpn"] not in after
    else:
        assert step["victim"] is None
        assert all(now in (page, None) for now, page in zip(after, before))


def fields_of_every_access_agree_with_each_other_and_with_the_counts_of_the_run():
    for seed, arguments in enumerate(CONFIGURATIONS):
        trace = write_trace(f"fields{seed}", 600, seed, bits=36)
        told = steps([*arguments, trace])
        shift = int(value(arguments, "page", "4096")).bit_length() - 1
        first = int(value(arguments, "first-frame", "0"), 0)
        before, reference, asked = [], 0, set()
        for number, step in enumerate(told, 1):
            if step["reference"]["number"] != reference:
                reference, asked = step["reference"]["number"], set()
            try:
                assert step["access"] == number
                check_address(step, shift)
                check_tlb(step, asked)
                check_walk(step, shift)
                check_caches(step, arguments)
                if value(arguments, "policy", "") != "ws":
                    check_frames(step, before, first)
            except AssertionError as error:
                raise AssertionError(f"{arguments}: {step} after frames {before}") from error
            before = step["frames"]
        counts = json.loads(run(["--json", *arguments, trace]).stdout)
        assert counts["references"] == told[-1]["reference"]["number"] == 600
        assert counts["accesses"] == len(told)
        assert counts["faults"] == sum(step["fault"] for step in told)
        assert counts["invalid"] == sum(step["invalid"] for step in told)
        assert counts["cycles"] == sum(step["cycles"] for step in told)
        for name, kind in (("fetches", "fetch"), ("reads", "read"), ("writes", "write")):
            assert counts[name] == sum(step["kind"] == kind for step in told)
        if told[0]["tlb"]:
            assert counts["tlb_hits"] == sum(step["tlb"]["hit"] for step in told)


def processes_in_turn_are_told_apart():
    traces = [write_trace(f"turn{i}", 200, 50 + i, bits=20) for i in range(2)]
    told = steps(["frames=6", "va-bits=20", "quantum=7", *traces])
    assert {step["process"] for step in told} == {0, 1}
    late = told[-1]
    assert late["frames"][late["ppn"]] == late["vpn"] and late["processes"][late["ppn"]] == late["process"]
    text = run(["--explain", "frames=6", "va-bits=20", "quantum=7", *traces]).stdout
    victims = 0
    for block, step, before in zip(re.split(r"\n\n(?=access)", text)[1:], told[1:], told):
        assert block.startswith(f"access {step['access']}: ")
        assert "processes" not in step or f" by process {step['process']}" in block.splitlines()[0]
        gone = re.search(r"victim  page (\d):0x(\w+)", block)
        assert (gone is not None) == (step["victim"] is not None)
        if gone and "processes" in before:
            victims += 1
            assert int(gone[1]) == before["processes"][step["ppn"]] and int(gone[2], 16) == before["frames"][step["ppn"]]
    assert victims > 50


def a_dialogue_at_random_shows_what_a_run_straight_through_shows():
    for seed, arguments in enumerate(CONFIGURATIONS[:-1]):
        trace = write_trace(f"dialogue{seed}", 3000, 20 + seed, bits=36)
        straight = {}
        for line in run(["--json", "--explain", *arguments, trace]).stdout.splitlines():
            straight.setdefault(json.loads(line)["reference"]["number"], []).append(line)
        rng = random.Random(seed)
        commands = ["g 1000", "g 2000", "g 3000", "g 5"]  # more than the history has room for
        expected = straight[1000] + straight[2000] + straight[3000] + straight[5]
        here = 5
        for _ in range(120):
            command = rng.choice(("n", "n", "", "b", "b", "p", "g"))
            if command == "g":
                near = min(max(here + rng.randrange(-1200, 1200), 0), 3000)
                here = rng.choice((near, rng.randrange(3001), rng.randrange(30)))
                command = f"g {here}"
            elif command in ("n", ""):
                if here == 3000:
                    continue
                here += 1
            elif command == "b":
                here = max(here - 1, 0)
            commands.append(command)
            expected += straight.get(here, [])
        got = run(["--json", "--interactive", *arguments, trace], "\n".join(commands) + "\n").stdout.splitlines()
        assert got == expected, f"{arguments}: differs after {sum(a == b for a, b in zip(got, expected))} lines"


def a_dialogue_says_where_it_ends_and_what_it_understands():
    trace = f"{WORK}/short"
    with open(trace, "w", encoding="ascii") as out:
        out.write("0x1000 R\n0x2000 W\n")
    done = run(["--interactive", "frames=1", trace], "b\nn\nn\nn\ng 9\nb\nb\ng\nx\nn 3\ng -1\nq\nn\n")
    shown = re.findall(r"^(access \d+|at the beginning|the trace ends after reference \d+)", done.stdout, re.M)
    ends = "the trace ends after reference 2"
    assert shown == ["at the beginning", "access 1", "access 2", ends, ends, "access 1", "at the beginning"], shown
    assert len(re.findall("^n or an empty line: next", done.stderr, re.M)) == 4, done.stderr


STRING = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]


def the_table_of_a_reference_string_has_its_published_faults_and_the_frames_of_each_step():
    # Silberschatz, Galvin, Gagne, Operating System Concepts, figures 10.12, 10.14, 10.15: three frames
    for policy, faults in (("fifo", 15), ("opt", 9), ("lru", 12)):
        arguments = ["unit=page", "base=10", "frames=3", f"policy={policy}"]
        text = " ".join(map(str, STRING)) + "\n"
        lines = run(["--explain", *arguments], text).stdout.splitlines()
        at = next(i for i, line in enumerate(lines) if re.match(r"  page +\d", line))
        rows = [line[10:].ljust(40) for line in lines[at : at + 5]]
        cells = [[row[2 * i + 1] for i in range(len(STRING))] for row in rows]
        assert cells[0] == [str(page) for page in STRING]
        assert cells[4].count("*") == faults
        for i, step in enumerate(steps(arguments, text)):
            assert [row[i] for row in cells[1:4]] == [" " if f is None else str(f) for f in step["frames"]]
            assert (cells[4][i] == "*") == step["fault"]
        assert any(line.startswith(f"{policy}: {faults} faults") for line in lines)


def a_long_trace_or_many_frames_have_no_table():
    for count, frames, table in ((200, 16, True), (201, 16, False), (200, 17, False)):
        text = "".join(f"{i % 20}\n" for i in range(count))
        out = run(["--explain", "unit=page", "base=10", f"frames={frames}"], text).stdout
        assert bool(re.search("^  frame 0 ", out, re.M)) == table, (count, frames)


def every_line_of_a_division_is_as_wide_as_the_others():
    for arguments in (["va-bits=14", "page=64", "tlb=4x4", "pa-bits=12", "cache=16x1x4"], ["va-bits=64"],
                      ["va-bits=32", "index-bits=10,10", "tlb=1x8"], ["va-bits=20", "page=8", "tlb=2x2", "levels=6"]):
        out = run(["--explain", "frames=4", *arguments], "0x3d4\n0x1fff\n").stdout
        for division in re.findall(r"(?:^  (?:VA|PA|page|TLB|tables|frame|L\d) +\|.*\n)+", out, re.M):
            for part in re.split(r"(?m)^(?=  PA)", division):
                assert len({len(line) for line in part.splitlines()}) <= 1, division


def every_block_on_the_page_is_what_the_program_prints():
    with open(PAGE, encoding="utf-8") as page:
        blocks = re.findall(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", page.read(), re.M)
    checked = 0
    for (kind, command), (kind_next, text) in zip(blocks, blocks[1:]):
        if kind != "sh" or kind_next != "text":
            continue
        command = command.replace("build/vmmsim", VMMSIM)
        out = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True).stdout
        out = "\n".join(line.rstrip() for line in out.splitlines())
        for part in re.split(r"(?m)^   \.\.\.$", text):
            part = "\n".join(line[3:].rstrip() for line in part.strip("\n").splitlines())
            assert part in out, part
        checked += 1
    assert checked == 2


def main():
    tests = [test for name, test in globals().items() if callable(test) and name.count("_") >= 4]
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # whatever it is, it belongs to this test
            failed += 1
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()), flush=True)
    print(f"1..{len(tests)}")
    return 1 if failed else 0


sys.exit(main())
