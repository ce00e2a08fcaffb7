#!/usr/bin/env python3
"""What check_report.sh asks of the files that report.py wrote, and of the programs that feed it.

    check_report.py data VMMSIM FRAGMENTATION TRACE TRACE
    check_report.py files|pictures|page|numbers|colours DIRECTORY
"""

import csv
import gzip
import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

PARTS = ("walk", "address_space", "frame_map", "faults", "policies", "tlb", "time", "fragmentation_git",
         "fragmentation_random")
VOID = {"meta", "br", "img", "hr", "link", "input"}


def check(truth, sentence):
    if not truth:
        sys.exit(f"check_report.py: {sentence}")


def run(command):
    """Standard output of a command line."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    return done.stdout


def objects(command):
    return [json.loads(line) for line in run(command).splitlines() if line.startswith("{")]


# ------------------------------------------------------------------------------------------ data --


def accesses_of(trace):
    """Pages and kinds of a text trace, as the machine makes accesses of its references."""
    for line in Path(trace).read_text(encoding="ascii").splitlines():
        kind, place = line.split()
        address, size = place.split(",")
        pages = range(int(address, 16) >> 12, (int(address, 16) + int(size) - 1 >> 12) + 1)
        for use in {"I": ["fetches"], "L": ["reads"], "S": ["writes"], "M": ["reads", "writes"]}[kind]:
            for page in pages:
                yield page, use


def maps(vmmsim, traces):
    """Every page that a map tells is counted again here."""
    counted = {}
    for process, trace in enumerate(traces):
        for page, use in accesses_of(trace):
            row = counted.setdefault((process, page), {"fetches": 0, "reads": 0, "writes": 0})
            row[use] += 1
    rows = [row for row in objects(f"{vmmsim} --json --map 10 {' '.join(traces)}") if "page" in row]
    told = {(row["process"], row["page"]): {use: row[use] for use in ("fetches", "reads", "writes")} for row in rows}
    check([(row["process"], row["page"]) for row in rows] == sorted(counted), "the pages, or their order")
    check(told == counted, "the uses of a page")


def moments(vmmsim, trace):
    """What the frames hold at each moment, against LRU in a few lines."""
    resident, at = [], [None]
    for page, _ in accesses_of(trace):
        if page in resident:
            resident.remove(page)
        resident = [*resident, page][-9:]
        at.append(set(resident))
    rows = [row for row in objects(f"{vmmsim} --json --map 10 frames=9 policy=lru {trace}") if "frames" in row]
    check(10 <= len(rows) <= 21, f"{len(rows)} moments")
    check(rows[-1]["access"] == len(at) - 1, "the last moment is not the end")
    gaps = [b["access"] - a["access"] for a, b in zip(rows, rows[1:-1])]
    check(max(gaps) <= min(gaps) + 4, f"moments lie {min(gaps)} to {max(gaps)} accesses apart")
    for row in rows:
        check(len(row["frames"]) == 9, "the number of frames")
        held = [page for _, page in filter(None, row["frames"])]
        check(sorted(held) == sorted(at[row["access"]]), f"frames at access {row['access']}: {held}")


def allocators(fragmentation, path):
    """Bytes that are live and the buddy's frames, counted again; and what must hold of the heap."""
    live, asked, frames, at = {}, 0, 0, []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if line[0] == "#":
                continue
            words = line.split()
            for sign in (-1, 1):
                if sign == 1:
                    live[words[1]] = int(words[2]) if words[0] != "f" else None
                size = live.get(words[1])
                if size is not None:
                    asked += sign * size
                    frames += sign * (1 << max(0, (size - 1).bit_length() - 6))
            at.append((asked, frames))
    rows = list(csv.DictReader(run(f"gzip -dc {path} | {fragmentation} - 50").splitlines()))
    check(len(rows) == 50 and int(rows[-1]["operation"]) == len(at), f"{len(rows)} lines of fragmentation")
    for row in rows:
        row = {key: int(value) for key, value in row.items()}
        asked, frames = at[row["operation"] - 1]
        check(row["asked"] == asked, f"bytes asked for at {row['operation']}")
        free = row["region"] // 64 - frames
        check(row["buddy_free_frames"] == free, f"the buddy's free frames at {row['operation']}")
        check(0 <= row["buddy_largest_order"] and 1 << row["buddy_largest_order"] <= row["buddy_free_frames"],
              "the buddy's largest block")
        check(asked <= row["heap_used"] and row["heap_used"] + row["heap_free"] <= row["region"], "the heap")
        check(row["heap_used"] + row["heap_free"] > row["region"] * 0.95, "the heap lost memory")
        check(0 < row["heap_largest"] <= row["heap_free"], "the largest hole")


def data(vmmsim, fragmentation, trace, wide):
    maps(vmmsim, [trace])
    maps(vmmsim, [trace, wide])
    moments(vmmsim, trace)
    allocators(fragmentation, "examples/traces/alloc/git.rep.gz")


# ----------------------------------------------------------------------------------------- files --


def files(directory):
    for part in PARTS:
        for name in (f"{part}.svg", f"{part}.png", f"{part}_narrow.svg", f"{part}_narrow.png"):
            path = directory / name
            check(path.is_file() and path.stat().st_size > 1000, f"{name} is missing or empty")
            check(name.endswith(".svg") or path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", f"{name} is no PNG")


def fetched(text):
    """Addresses that a browser would fetch."""
    found = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)|@import\s+(\S+)', text)
    return [a for group in found for a in group if a and not a.strip("\"'").startswith(("#", "data:"))]


def pictures(directory):
    for path in sorted(directory.glob("*.svg")):
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        check(root.tag == "{http://www.w3.org/2000/svg}svg" and "viewBox" in root.attrib, f"{path.name}: the root")
        for tag in ("title", "desc"):
            child = root.find(f"{{http://www.w3.org/2000/svg}}{tag}")
            check(child is not None and child.text.strip() and child.get("id") in root.get("aria-labelledby").split(),
                  f"{path.name}: no {tag}")
        check(not fetched(text), f"{path.name} fetches {fetched(text)}")
        check("<script" not in text, f"{path.name} has a script")
        sizes = [float(size) for size in re.findall(r"font:[^\"]*?([\d.]+)px", text)]
        check(sizes and min(sizes) >= 14, f"{path.name}: text of {min(sizes, default=0)} px")


class Page(HTMLParser):
    """Tags that close each other, ids, tables by id, commands by section, names and values of the first run."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.labelled, self.tables, self.commands = [], [], [], {}, {}
        self.pairs, self.section, self.table, self.cell, self.viewport = [], None, None, None, False
        self.feed(text)
        self.close()
        check(not self.open, f"not closed: {self.open}")

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if "id" in a:
            self.ids.append(a["id"])
        self.labelled += a.get("aria-labelledby", "").split()
        self.viewport = self.viewport or (a.get("name") == "viewport" and "width=device-width" in a["content"])
        if tag == "section":
            self.section = a["id"]
        if tag == "table":
            self.table = self.tables[a["id"]] = []
        if tag == "tr":
            self.table.append([])
        if tag in ("td", "th", "dt", "dd") or (tag == "pre" and a.get("class") == "command"):
            self.cell = ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        self.open.pop()
        if self.cell is None:
            return
        if tag in ("td", "th"):
            self.table[-1].append(self.cell)
        elif tag in ("dt", "dd"):
            self.pairs.append(self.cell)
        elif tag == "pre":
            self.commands.setdefault(self.section, []).append(self.cell)
        else:
            return
        self.cell = None

    def handle_data(self, text):
        if self.cell is not None:
            self.cell += text

    def rows(self, name):
        """A table without its head; numbers without their commas."""
        return [[cell.replace(",", "") for cell in row] for row in self.tables[name][1:]]


def page_of(directory):
    text = (directory / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def page(directory):
    text, p = page_of(directory)
    check(text.startswith("<!DOCTYPE html>") and '<html lang="en">' in text and p.viewport, "the head of the page")
    check(len(set(p.ids)) == len(p.ids), "an id stands twice")
    check(set(p.labelled) <= set(p.ids), "a picture's title or description is missing")
    for part in PARTS:
        for variant in ("wide", "narrow"):
            check(f"{part}-{variant}-title" in p.ids, f"{part}, {variant} is not in the page")
        check(p.commands.get(part), f"{part} has no command")
        check(p.tables.get(f"{part}-0"), f"{part} has no table")
    check(text.count("<svg") == 2 * len(PARTS), "some picture is missing, or there twice")
    check(not fetched(text), f"the page fetches {fetched(text)}")
    check("<script" not in text and "http" not in text, "the page has a script or an address")


# --------------------------------------------------------------------------------------- numbers --


def same(name, shown, expected):
    expected = [[str(value) for value in row] for row in expected]
    check(len(shown) == len(expected), f"{name}: {len(shown)} rows, not {len(expected)}")
    for a, b in zip(shown, expected):
        check(a == b, f"{name}: {a}, not {b}")


def numbers(directory):
    _, p = page_of(directory)
    (total,) = objects(p.commands["run"][0])
    shown = dict(zip(p.pairs[::2], p.pairs[1::2]))
    for name, value in total.items():
        if isinstance(value, int) and not isinstance(value, bool):
            check(shown[name.replace("_", " ")].replace(",", "") == str(value), f"{name} of the run")
    numbers_of_walk(p)
    numbers_of_maps(p, total)
    numbers_of_policies(p)
    rows = objects(p.commands["tlb"][0])
    same("tlb", p.rows("tlb-0"), [
        [*r["tlb"].split("x"), eval(r["tlb"].replace("x", "*")), r["tlb_hits"], r["tlb_misses"],
         f"{100 * r['tlb_hits'] / (r['tlb_hits'] + r['tlb_misses']):.3f}"] for r in rows])
    rows = [r for command in p.commands["time"] for r in objects(command)]
    same("time", [row[1:] for row in p.rows("time-0")],
         [[r["accesses"], r["resident"], r["faults"], r["tlb_hits"]] for r in rows])
    for part in PARTS[-2:]:
        same(part, p.rows(f"{part}-0"), list(csv.reader(run(p.commands[part][0]).splitlines()))[1:])


def numbers_of_walk(p):
    (row,) = objects(p.commands["walk"][0])
    same("walk", p.rows("walk-0"),
         [[s["level"], hex(s["table"]), s["index"], hex(s["pte_addr"]), hex(s["pte"])] for s in row["walk"]])
    same("walk", p.rows("walk-1"), [[name, hex(row[name])] for name in ("va", "vpn", "vpo", "ppn", "pa")])
    check(row["pa"] == row["ppn"] << 12 | row["vpo"] and row["vpn"] << 12 | row["vpo"] == row["va"], "the walk")


def numbers_of_maps(p, total):
    rows = objects(p.commands["address_space"][0])
    pages = [r for r in rows if "page" in r]
    shown = p.rows("address_space-1")
    same("pages", [row[:2] + row[3:] for row in shown],
         [[r["process"], hex(r["page"] << 12), r["fetches"], r["reads"], r["writes"]] for r in pages])
    check(sum(int(row[5]) for row in p.rows("address_space-0")) == total["pages"], "pages of the stretches")
    owner = {(r["process"], r["page"]): row[2] for r, row in zip(pages, shown)}
    letters = p.tables["frame_map-0"][0][1:-1]
    expected = []
    for r in rows:
        if "frames" in r:
            whose = [owner[tuple(f)] if f else "free" for f in r["frames"]]
            expected.append([r["access"], *(whose.count(x) for x in [*letters, "free"])])
    same("frame map", p.rows("frame_map-0"), expected)


def numbers_of_policies(p):
    rows = objects(p.commands["faults"][0])
    by, names = {(r["policy"], r["frames"]): r for r in rows}, list(dict.fromkeys(r["policy"] for r in rows))
    sizes = sorted({r["frames"] for r in rows})
    for table, what in (("faults-0", "faults"), ("faults-1", "dirty_evictions")):
        same(what, p.rows(table), [[name, *(by[name, s][what] for s in sizes)] for name in names])
    same("policies", p.rows("policies-0"), [
        [name, *(f"{by[name, s]['faults'] / by['opt', s]['faults']:.3f}" for s in sizes)] for name in names])
    check(len(names) > 20 and all(by[n, s]["faults"] >= by["opt", s]["faults"] for n in names for s in sizes),
          "a policy is missing, or better than OPT")


# --------------------------------------------------------------------------------------- colours --


def colours(_):
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("report", "examples/vmmsim/report.py")
    report = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(report)
    for name, least, many in (("owners and free", 10, [*report.OWNERS, "#ffffff"]),
                              ("lines", 6, [style[0] for style in report.STYLES]),
                              ("uses", 10, sorted({use[1] for use in report.USES}))):
        light = sorted(map(report.lightness, many))
        gap = min(b - a for a, b in zip(light, light[1:]))
        check(gap >= least, f"{name}: two differ by L* {gap:.1f} only")
    for many in (report.STYLES, report.USES):
        check(len({str(entry[1:]) for entry in many}) == len(many), "two have the same dash and marker")
    dark = [report.lightness(report.SHADES(i / 20)) for i in range(21)]
    check(dark == sorted(dark, reverse=True), "the shades do not darken steadily")


def main():
    part, *arguments = sys.argv[1:]
    if part == "data":
        data(*arguments)
    else:
        {"files": files, "pictures": pictures, "page": page, "numbers": numbers, "colours": colours}[part](
            Path(arguments[0]))


if __name__ == "__main__":
    main()
