#!/usr/bin/env python3
"""Are the published exercises answered to the digit? cases.py VMMSIM HELPER CASES prints TAP, a line for each group.

VMMSIM is the simulator, HELPER the program of tests/cases.c, CASES the folder with the known answers.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT = 120
PAGE_SHIFT = 12
POLICY = {"FIFO": "fifo", "LRU": "lru", "OPT": "opt", "CLOCK": "clock-set", "CLOCK0": "clock"}

# trace, frames, policy, faults, dirty evictions: from the README beside the traces
UNIT_TRACES = [
    ("trace1", 4, "clock-set", 9, 3),
    ("trace1", 4, "lru", 9, 3),
    ("trace1", 8, "clock-set", 6, 0),
    ("trace1", 8, "lru", 6, 0),
    ("trace2", 6, "clock-set", 10, 4),
    ("trace2", 6, "lru", 10, 4),
    ("trace3", 4, "lru", 50, 6),
    ("trace3", 4, "clock-set", 51, 6),
]


class Group:
    """One line of TAP: what was compared, what differed."""

    def __init__(self):
        self.answers = 0
        self.wrong = []

    def equal(self, what, ours, published):
        self.answers += 1
        if ours != published:
            self.wrong.append(f"{what}: {ours}, published {published}")


class Programs:
    def __init__(self, vmmsim, helper, directory):
        self.vmmsim, self.helper = vmmsim, helper
        self.directory = Path(directory)

    def output(self, program, *arguments, given=""):
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def file(self, name, lines):
        path = self.directory / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def counts(self, trace, *options):
        return json.loads(self.output(self.vmmsim, "--json", trace, *options))

    def sweep(self, trace, sweep, *options):
        lines = self.output(self.vmmsim, "--json", trace, "--sweep", sweep, *options).splitlines()
        return [json.loads(line) for line in lines]

    def steps(self, addresses, *options):
        """Every step of a string of addresses, all read."""
        trace = self.file("addresses", (f"{address:x}" for address in addresses))
        shown = self.output(self.vmmsim, "--explain", "--json", trace, "format=addresses", *options)
        return [json.loads(line) for line in shown.splitlines()]


def number(text):
    return None if text is None else int(text, 16)


# -- reference strings --


def books(group, programs, cases):
    data = json.loads((cases / "textbook/refstrings.json").read_text())
    for row in data["expected_from_books"]:
        pages = [page << PAGE_SHIFT for page in data["strings"][row["string"]]]
        trace = programs.file("string", (f"{address:x} R" for address in pages))
        counts = programs.counts(trace, f"policy={POLICY[row['policy']]}", f"frames={row['frames']}")
        group.equal("{string}, {frames} frames, {policy}".format(**row), counts["faults"], row["faults"])


def reference_strings(policy):
    def compare(group, programs, cases):
        data = json.loads((cases / "textbook/refstrings.json").read_text())
        for row in data["own_tables"]:
            if row["policy"] != policy:
                continue
            pages = data["strings"][row["string"]]
            what = "{string}, {frames} frames".format(**row)
            options = f"policy={POLICY[policy]}", f"frames={row['frames']}"
            steps = programs.steps([page << PAGE_SHIFT for page in pages], *options)
            group.equal(f"{what}: faults", sum(step["fault"] for step in steps), row["faults"])
            for at, published in enumerate(row["steps"] or ()):
                step = steps[at]
                victim = step["victim"]["vpn"] if step["victim"] else None
                ours = [step["vpn"], "fault" if step["fault"] else "hit", victim, step["frames"]]
                group.equal(f"{what}, step {at + 1}", ours, published)

    return compare


# -- CS:APP --


def csapp_config(data, changes):
    """A config file with the snapshot of the figure; entries that are not valid are left out."""
    lines = [f"va-bits={data['va_bits']}", f"pa-bits={data['pa_bits']}", f"page={data['page']}", "levels=1"]
    lines += [f"tlb={data['tlb']['sets']}x{data['tlb']['ways']}", "frozen"]
    lines.append("cache={sets}x{ways}x{block}".format(**data["l1"]))
    lines += [f"pte {vpn} {ppn}" for vpn, ppn, valid in data["pte_vpn_ppn_valid"] if valid]
    entries = [(set_, tag, ppn) for set_, _, tag, ppn, valid in data["tlb_entries_set_way_tag_ppn_valid"] if valid]
    entries += [(set_, tag, ppn) for set_, tag, ppn, valid in changes.get("tlb_changes", ()) if valid]
    lines += [f"tlb-entry {set_:x} {tag} {ppn}" for set_, tag, ppn in entries]
    rows = data["cache_idx_tag_valid_bytes"] + changes.get("cache_changes", [])
    cache = {index: (tag, bytes_) for index, tag, valid, *bytes_ in rows if valid}
    lines += [f"cache-line {index} {tag} {' '.join(bytes_)}" for index, (tag, bytes_) in cache.items()]
    return lines


def csapp(name):
    def compare(group, programs, cases):
        figure = json.loads((cases / "csapp/memsys_9_6_4.json").read_text())
        data = json.loads((cases / "csapp" / name).read_text())
        config = programs.file("csapp.conf", csapp_config(figure, data))
        steps = programs.steps([number(row["va"]) for row in data["accesses"]], "--config", config)
        group.equal("steps", len(steps), len(data["accesses"]))
        for step, row in zip(steps, data["accesses"]):
            cache = step["caches"][0] if step["caches"] else {}
            ours = {
                "va": step["va"], "vpn": step["vpn"], "vpo": step["vpo"],
                "tlbi": step["tlb"]["tlbi"], "tlbt": step["tlb"]["tlbt"], "tlb_hit": step["tlb"]["hit"],
                "page_fault": step["invalid"], "ppn": step["ppn"], "pa": step["pa"],
                "co": cache.get("co"), "ci": cache.get("ci"), "ct": cache.get("ct"), "cache_hit": cache.get("hit"),
                "byte": step["byte"],
            }  # fmt: skip
            for field, published in row.items():
                if field == "src":
                    continue
                if field in ("tlb_hit", "page_fault", "cache_hit"):
                    published = bool(published)
                else:
                    published = number(published)
                group.equal(f"{row['va']}, {field}", ours[field], published)

    return compare


def exercise_5_11(group, programs, cases):
    """Patterson and Hennessy's stream through a TLB of four entries, pages on disk, one that is not mapped."""
    data = json.loads((cases / "csapp/tlb_lru_pagefault_ph5.json").read_text())
    strict = data["strict_lru"]
    table = data["page_table_initial"]
    next_frame = max(number(ppn) for ppn in table.values()) + 1
    valid = sorted((rank, vpn, ppn) for valid, vpn, rank, ppn in data["tlb_initial"] if valid)
    lines = ["va-bits=16", f"page={data['page']}", f"first-frame={next_frame}", "tlb-policy=lru"]
    lines.append(f"tlb={data['tlb']['sets']}x{data['tlb']['ways']}")
    lines += [f"pte {vpn} {ppn}" for vpn, ppn in table.items()] + [f"disk {vpn}" for vpn in data["on_disk"]]
    lines += [f"tlb-entry 0 {vpn} {ppn}" for rank, vpn, ppn in valid]
    config = "--config", programs.file("ph5.conf", lines)
    published = strict["steps_va_vpn_event_ppn_evicted"]
    stream = [number(row[0]) for row in published]
    steps = programs.steps([*stream, 0], *config)
    for at, (va, vpn, event, ppn, evicted) in enumerate(published):
        step, after = steps[at], {tag for tag, _ in steps[at + 1]["tlb"]["set"]}
        gone = [tag for tag, _ in step["tlb"]["set"] if tag not in after]
        hit = "tlb_hit" if step["tlb"]["hit"] else "tlb_miss_pt_hit"
        ours = "invalid" if step["invalid"] else "page_fault" if step["fault"] else hit
        group.equal(f"{va}: VPN", step["vpn"], number(vpn))
        group.equal(f"{va}: event", ours, event)
        group.equal(f"{va}: PPN", step["ppn"], number(ppn))
        group.equal(f"{va}: entry that left the TLB", gone, [] if evicted is None else [number(evicted)])
    for row, step in zip(data["accesses_printed"], steps):
        va, vpn, _, ppn = row
        group.equal(f"{va}, as printed", [step["va"], step["vpn"], step["ppn"]], [number(va), number(vpn), number(ppn)])
    final = [[number(vpn), number(ppn)] for vpn, ppn in strict["final_tlb_lru_to_mru"]]
    group.equal("final TLB", steps[-1]["tlb"]["set"][::-1], final)
    for vpn in range(16):  # what the table says of each page in the end
        last = programs.steps([*stream, vpn << PAGE_SHIFT], *config)[-1]
        ours = None if last["fault"] or last["invalid"] else last["ppn"]
        group.equal(f"final page table, VPN {vpn:#x}", ours, number(strict["final_page_table"].get(hex(vpn))))


# -- splits, buddy, headers --


def splits(group, programs, cases, name, bits, field, levels):
    rows = json.loads((cases / "textbook/address_splits.json").read_text())[name]
    given = "".join(row["va"] + "\n" for row in rows)
    lines = programs.output(programs.helper, "split", bits, given=given).splitlines()
    group.equal("addresses", len(lines), len(rows))
    for row, line in zip(rows, lines):
        canonical, user, *ours = map(int, line.split())
        group.equal(row["va"], ours, row[field])
        group.equal(f"{row['va']}: canonical", canonical, row.get("canonical", 1))
        if "user" in row:
            group.equal(f"{row['va']}: user", user, row["user"])
    # The simulator's addresses have no more bits than are translated.
    low = [number(row["va"]) & (1 << bits) - 1 for row in rows]
    options = f"va-bits={bits}", f"levels={len(levels)}", f"index-bits={','.join(map(str, levels))}", "tlb=none"
    for row, step in zip(rows, programs.steps(low, *options)):
        whole = programs.steps([step["va"]] * 2, *options)[1]  # the second time all tables are there
        group.equal(f"{row['va']}: walk", [entry["index"] for entry in whole["walk"]] + [whole["vpo"]], row[field])


def splits_48(group, programs, cases):
    splits(group, programs, cases, "x86_64_48bit", 48, "pml4_pdpt_pd_pt_off", (9, 9, 9, 9))


def splits_32(group, programs, cases):
    splits(group, programs, cases, "x86_32_10_10_12", 32, "pd_pt_off", (10, 10))


def buddy(group, programs, cases):
    data = json.loads((cases / "textbook/buddy.json").read_text())
    expect, size = data["expect"], {}
    given = ""
    for what, name, *kib in data["ops"]:
        if what == "alloc":
            size[name] = kib[0]
            given += f"a {kib[0] << 10}\n"
        else:
            given += f"f {expect[name]['off_KiB'] << 10} {expect[name]['order']}\n"
    lines = programs.output(programs.helper, "buddy", given=given).splitlines()
    group.equal("operations", len(lines), len(data["ops"]))
    for line, (what, name, *_), free in zip(lines, data["ops"], data["free_blocks_off_order_after_each_op"]):
        offset, order, *blocks = map(int, line.split())
        group.equal(f"{what} {name}", {"off_KiB": offset, "order": order}, expect[name])
        group.equal(f"{what} {name}: free blocks", [list(pair) for pair in zip(blocks[::2], blocks[1::2])], free)
        if what == "alloc":
            waste = (data["min_block_KiB"] << order) - size[name]
            group.equal(f"{name}: internal fragmentation", waste, data["internal_fragmentation_KiB"][name])


def headers(group, programs, cases):
    rows = json.loads((cases / "textbook/malloc_headers.json").read_text())["cases"]
    lines = programs.output(programs.helper, "chunks", given="".join(f"{row[0]}\n" for row in rows)).splitlines()
    for line, (request, size, header) in zip(lines, rows):
        group.equal(f"malloc({request})", line.split(), [str(size), header])
    group.equal("requests", len(lines), len(rows))


# -- traces --


def bzip(algorithm):
    def compare(group, programs, cases):
        trace = cases / "spec-traces/bzip.trace.gz"
        with open(cases / "spec-traces/bzip-published.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["algo"] == algorithm]
        policy = POLICY[algorithm.upper()]
        for row in rows:
            counts = programs.counts(trace, f"policy={policy}", f"frames={row['frames']}")
            group.equal(f"{row['frames']} frames: references", counts["references"], int(row["events"]))
            group.equal(f"{row['frames']} frames: faults", counts["faults"], int(row["reads"]))
            group.equal(f"{row['frames']} frames: written", counts["dirty_evictions"], int(row["writes"]))
        sizes = "|".join(row["frames"] for row in rows)
        swept = {point["frames"]: point for point in programs.sweep(trace, f"frames={sizes}", f"policy={policy}")}
        for row in rows:
            point = swept.get(int(row["frames"]), {})
            ours = point.get("faults"), point.get("dirty_evictions")
            group.equal(f"{row['frames']} frames, by a sweep", ours, (int(row["reads"]), int(row["writes"])))

    return compare


def unit_trace(name):
    def compare(group, programs, cases):
        for trace, frames, policy, faults, dirty in UNIT_TRACES:
            if trace != name:
                continue
            counts = programs.counts(cases / "spec-traces" / trace, f"policy={policy}", f"frames={frames}")
            ours = counts["faults"], counts["dirty_evictions"]
            group.equal(f"{policy}, {frames} frames: faults, written", ours, (faults, dirty))

    return compare


GROUPS = [
    ("refstrings.json: the faults that the books print", books),
    *((f"refstrings.json: every step of {policy}", reference_strings(policy)) for policy in POLICY),
    ("memsys_9_6_4.json: every field of CS:APP's memory system", csapp("memsys_9_6_4.json")),
    ("wroclaw_variant.json: every field of its variant", csapp("wroclaw_variant.json")),
    ("tlb_lru_pagefault_ph5.json: every step, the final TLB and page table", exercise_5_11),
    ("address_splits.json: 9/9/9/9/12 and canonical addresses", splits_48),
    ("address_splits.json: 10/10/12 and who may use an address", splits_32),
    ("buddy.json: offsets, free lists and internal fragmentation", buddy),
    ("malloc_headers.json: block sizes and headers", headers),
    ("bzip.trace.gz: the published faults and dirty writes of LRU", bzip("lru")),
    ("bzip.trace.gz: the published faults and dirty writes of CLOCK", bzip("clock")),
    *((f"trace{n}: faults and dirty writes of LRU and CLOCK", unit_trace(f"trace{n}")) for n in (1, 2, 3)),
]


def main(arguments):
    vmmsim, helper, cases = arguments
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        programs = Programs(vmmsim, helper, directory)
        for at, (name, compare) in enumerate(GROUPS, 1):
            if not Path(cases).is_dir():
                print(f"ok {at} - {name} # SKIP ../shared/cases is not here")
                continue
            group = Group()
            try:
                compare(group, programs, Path(cases))
            except (RuntimeError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
                group.wrong.append(f"{type(error).__name__}: {error}")
            failed += bool(group.wrong)
            print(f"{'not ok' if group.wrong else 'ok'} {at} - {name}, {group.answers} answers")
            for line in group.wrong[:20]:
                print(f"# {line}")
            sys.stdout.flush()
    print(f"1..{len(GROUPS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
