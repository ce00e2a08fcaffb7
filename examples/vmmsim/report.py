#!/usr/bin/python3
"""Draws what a trace does, and writes one page about it: DIR/report.html, DIR/*.svg, DIR/*.png.

    report.py TRACE --vmmsim build/vmmsim --out DIR [--title WORDS] [--frames N] [--policy NAME]
              [--fragmentation build/fragmentation] [--allocations FILE.rep.gz] [--set KEY=VALUE ...]

All numbers come from vmmsim (and fragmentation), run here; the page says by which commands. It needs Python 3 and
matplotlib (Debian: python3-matplotlib). The page is one file: it fetches nothing and runs no script.
"""

import argparse
import csv
import html
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEBIAN = "/usr/bin/python3"  # the one that Debian's matplotlib belongs to
ALLOCATIONS = Path(__file__).resolve().parent.parent / "traces" / "alloc" / "python3.rep.gz"

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.colors
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch, Rectangle
except ImportError:
    if os.path.exists(DEBIAN) and os.path.realpath(sys.executable) != os.path.realpath(DEBIAN):
        os.execv(DEBIAN, [DEBIAN, *sys.argv])
    sys.exit("report.py: matplotlib is not installed (Debian: apt-get install python3-matplotlib)")

WIDE, NARROW = 760, 350  # units; one is a CSS pixel when the page is that wide
TEXT = 14  # the size of all words in pictures
STRETCHES = 12  # of the address space that are drawn, at most
LONG = 10_000_000  # references; of longer traces fewer runs are made

INK, DIM, RULE = "#1b1f24", "#57606a", "#d0d7de"
# Told apart by lightness alone: L* of about 14, 34, 50, 70, 87.
OWNERS = ("#10214b", "#8a2d5a", "#2f8577", "#e39a4d", "#f0d88a")
OTHERS = "others"
# Lines: colour, dash, marker. Each differs from each in all three.
STYLES = (
    ("#1b1f24", "-", ""),
    ("#10417f", "-", "o"),
    ("#b94716", (0, (6, 3)), "s"),
    ("#459a90", (0, (2, 2)), "^"),
    ("#bf95cf", (0, (7, 2, 2, 2)), "D"),
    ("#e6b048", (0, (1, 1.5)), "v"),
)
SHADES = matplotlib.colors.LinearSegmentedColormap.from_list("shades", ["#fbf3dc", "#e7a35f", "#9c3f56", "#23164a"])

plt.rcParams.update({
    "font.family": ["DejaVu Sans"], "font.size": TEXT, "svg.fonttype": "none", "axes.edgecolor": DIM,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": TEXT, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "lines.linewidth": 2, "lines.markersize": 6, "figure.dpi": 72, "svg.hashsalt": "vmm",
})


def fail(sentence):
    sys.exit(f"report.py: {sentence}")


def grouped(value):
    """A whole number as people read it."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def lightness(colour):
    """CIE L* of a colour, 0 to 100: what is left of it in greyscale."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def ink_on(colour):
    return "#ffffff" if lightness(colour) < 55 else INK


# ------------------------------------------------------------------------------------------ data --


class Programs:
    """Runs the programs, and remembers the commands."""

    def __init__(self, vmmsim, keys, trace, seconds):
        self.vmmsim, self.keys, self.trace, self.seconds = vmmsim, keys, trace, seconds

    @staticmethod
    def failed(words, errors):
        """Ends with the last sentence of what a program wrote to standard error."""
        fail(f"{shlex.join(words)} failed: {(errors.strip().splitlines() or ['it does not say why'])[-1]}")

    def call(self, words):
        """Standard output of a program."""
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=self.seconds, check=False)
        except OSError as error:
            fail(f"{words[0]} cannot be run: {error.strerror}")
        except subprocess.TimeoutExpired:
            fail(f"{shlex.join(words)} took more than {self.seconds:g} seconds")
        if done.returncode:
            self.failed(words, done.stderr)
        return done.stdout

    def words(self, *options):
        return [self.vmmsim, "--json", *options, *self.keys, self.trace]

    def simulate(self, *options):
        """Objects that vmmsim prints, and the command."""
        words = self.words(*options)
        rows = [json.loads(line) for line in self.call(words).splitlines() if line.startswith("{")]
        if not rows:
            fail(f"{shlex.join(words)} printed nothing")
        return rows, shlex.join(words)

    def first(self, most, good, *options):
        """Of the first `most` objects that vmmsim prints, the earliest of those that good() rates highest, 0 to 3; and
        the command. It is stopped at the first 3, and when time is up."""
        best, rated, words, end = None, 0, self.words(*options), time.monotonic() + self.seconds
        with tempfile.TemporaryFile("w+") as errors, \
                subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            for at, line in enumerate(process.stdout, 1):
                row = json.loads(line)
                if good(row) > rated:
                    best, rated = (row, at), good(row)
                if rated == 3 or at == most or time.monotonic() > end:
                    process.kill()
                    break
            else:
                if process.wait():
                    errors.seek(0)
                    self.failed(words, errors.read())
        if best is None:
            return None, None
        return best[0], f"{shlex.join(words)} | head -n {best[1]} | tail -n 1"


def spread(pages):
    """Numbers of frames from few to nearly enough for so many pages."""
    parts = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
    return sorted({max(2, round(pages * part)) for part in parts})


def stretches_of(pages, hole=128):
    """Pages in stretches: runs without a hole of more than `hole` pages. Only the largest have letters of their own."""
    runs = []
    for page in pages:
        key = (page["process"], page["page"])
        if runs and runs[-1][-1]["process"] == key[0] and key[1] - runs[-1][-1]["page"] <= hole:
            runs[-1].append(page)
        else:
            runs.append([page])
    most = sorted(runs, key=len, reverse=True)[:len(OWNERS) - (len(runs) > len(OWNERS))]
    named = []
    for run in runs:
        letter = chr(ord("A") + len([1 for s in named if s["letter"] != OTHERS])) if run in most else OTHERS
        named.append({"letter": letter, "pages": run, "first": run[0]["page"], "last": run[-1]["page"],
                      "process": run[0]["process"], "what": kind_of(run)})
    return named


def kind_of(run):
    fetched = any(p["fetches"] for p in run)
    data = any(p["writes"] for p in run)
    return "code and data" if fetched and data else "code" if fetched else "data"


def colour_of(stretches):
    """The colour of each letter. Who has most pages is palest, the next darkest: that tells them apart best."""
    pages = {}
    for s in stretches:
        pages[s["letter"]] = pages.get(s["letter"], 0) + len(s["pages"])
    order = sorted(pages, key=lambda letter: -pages[letter])
    return dict(zip(order, (OWNERS[i] for i in (4, 0, 2, 1, 3))))


def owner_of(stretches):
    """Of each page, the letter of its stretch."""
    return {(p["process"], p["page"]): s["letter"] for s in stretches for p in s["pages"]}


# -------------------------------------------------------------------------------------- pictures --


class Sheet:
    """A drawing whose units are those of the picture, y downwards."""

    def __init__(self, width, height):
        self.figure = plt.figure(figsize=(width / 72, height / 72))
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set_xlim(0, width)
        self.ax.set_ylim(height, 0)
        self.ax.axis("off")

    def box(self, x, y, width, height, fill="#ffffff", line=DIM, hatch=None, thick=1.0):
        self.ax.add_patch(Rectangle((x, y), width, height, facecolor=fill, edgecolor=line, hatch=hatch,
                                    linewidth=thick))

    def text(self, x, y, words, align="left", colour=INK, bold=False, mono=False, size=TEXT):
        self.ax.text(x, y, words, ha=align, va="center", color=colour, weight="bold" if bold else "normal",
                     family="DejaVu Sans Mono" if mono else "DejaVu Sans", size=size)

    def arrow(self, x0, y0, x1, y1, bend=None):
        self.ax.add_patch(FancyArrowPatch((x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=10, linewidth=1.4,
                                          color=DIM, shrinkA=0, shrinkB=0,
                                          connectionstyle=bend or "arc3,rad=0"))


def plots(width, heights, left=64, right=12, top=30, bottom=46, gap=44):
    """A figure of panels above each other, all margins in units."""
    total = top + sum(heights) + gap * (len(heights) - 1) + bottom
    figure = plt.figure(figsize=(width / 72, total / 72))
    axes, y = [], total - top
    for height in heights:
        y -= height
        axes.append(figure.add_axes((left / width, y / total, (width - left - right) / width, height / total)))
        y -= gap
    return figure, axes


def short(value, _=None):
    """Ticks: 1.5 M rather than 1500000."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g} {letter}"
    return f"{value:g}"


def label_ends(ax, ends, room, size=TEXT):
    """Names behind the right ends of lines, moved apart so that none covers another; a thin line leads to each.

    ends: (x, y, name, style); room: units to the right of the axes, in which the names stand."""
    ax.figure.canvas.draw()
    height = size * 1.25
    placed = []
    for x, y, name, style in sorted(ends, key=lambda end: end[1]):
        at = ax.transData.transform((x, y))
        want = at[1]
        if placed and want < placed[-1][0] + height:
            want = placed[-1][0] + height
        placed.append([want, at, name, style])
    box = ax.get_window_extent()
    over = max(0, placed[-1][0] - box.y1) if placed else 0
    for i in range(len(placed) - 1, -1, -1):  # from the top down again, where they went too far
        limit = box.y1 if i == len(placed) - 1 else placed[i + 1][0] - height
        placed[i][0] = min(placed[i][0], limit) if over else placed[i][0]
    inverse = ax.transData.inverted()
    for want, at, name, (colour, dash, marker) in placed:
        start, bend, end = at[0] + 5, box.x1 + room * 0.12, box.x1 + room * 0.12 + 8
        points = [inverse.transform(p) for p in ((start, at[1]), (bend, want), (end, want))]
        ax.plot([p[0] for p in points], [p[1] for p in points], color=DIM, linewidth=0.8, clip_on=False)
        spot = inverse.transform((end + 12, want))
        ax.plot([inverse.transform((end + 2, want))[0], inverse.transform((end + 22, want))[0]], [spot[1]] * 2,
                color=colour, linestyle=dash, clip_on=False)
        ax.plot([spot[0]], [spot[1]], color=colour, marker=marker or None, clip_on=False)
        at_name = inverse.transform((end + 27, want))
        ax.text(at_name[0], at_name[1], name, va="center", ha="left", size=size)


def draw_walk(w, width):
    """The fields of an address, and the entry that each picks in its table."""
    return draw_walk_wide(w, width) if width >= 600 else draw_walk_narrow(w, width)


def fit(room, *words):
    """The first that fits into so many units; the last, if none does."""
    return next((w for w in words if len(w) * 8.7 <= room), words[-1])


def walk_head(w):
    hit = "TLB hit" if w["hit"] else "TLB miss"
    tlb = f"TLBI {w['tlbi']:#x}, TLBT {w['tlbt']:#x}: {hit}" if w["tlbi"] is not None else "no TLB"
    return f"{w['kind']} at {w['va']:#x}", f"VPN {w['vpn']:#x}, {tlb}"


def draw_walk_wide(w, width):
    sheet = Sheet(width, 372)
    first, second = walk_head(w)
    sheet.text(8, 18, first, bold=True)
    sheet.text(8, 42, second)
    count = len(w["steps"]) + 1
    step, gap, top = (width - 16) / count, 22, 66
    for i in range(count):
        x, last = 8 + step * i, i == count - 1
        bits, value = w["fields"][i]
        sheet.text(x + step / 2, top + 8, f"bits {bits}", "center", DIM)
        sheet.box(x, top + 20, step, 30, OWNERS[4] if last else "#eef2f7")
        sheet.text(x + step / 2, top + 35, value, "center", mono=True)
        left, wide, down = x + (0 if i == 0 else gap), step - (0 if i == 0 else gap), 174
        sheet.box(left, 142, wide, 132, "#ffffff" if not last else "#fdf9ea")
        sheet.box(left, down, wide, 52, OWNERS[4] if last else "#dde6f0", INK, thick=1.4)
        sheet.arrow(x + step / 2, top + 50, x + step / 2, down - 1)
        if i:
            sheet.ax.plot([x, x + gap / 2, x + gap / 2], [down + 26, down + 26, 266], color=DIM, linewidth=1.4)
            sheet.arrow(x + gap / 2, 266, left - 1, 266)
        if last:
            words = (f"+ {w['ppo']:#x}", fit(wide, f"PA {w['pa']:#x}", f"{w['pa']:#x}"),
                     fit(wide * 0.9, f"frame {w['ppn']:#x}", f"{w['ppn']:#x}"), f"at {w['base']:#x}")
        else:
            s = w["steps"][i]
            words = (f"entry {s['index']}", f"{s['entry']:#x}", f"level {s['level']}",
                     fit(wide, f"table {s['table']:#x}", f"{s['table']:#x}"))
        sheet.text(left + wide / 2, down + 15, words[0], "center")
        sheet.text(left + wide / 2, down + 36, words[1], "center", mono=True, bold=last)
        sheet.text(left + wide / 2, 292, words[2], "center", bold=True)
        sheet.text(left + wide / 2, 312, words[3], "center", DIM)
    sheet.text(8, 350, f"{w['ppn']:#x} is the PPN in the last entry; the offset stays as it is.", colour=DIM)
    return sheet.figure


def draw_walk_narrow(w, width):
    rows = len(w["steps"]) + 1
    sheet = Sheet(width, 78 + 88 * rows)
    first, second = walk_head(w)
    sheet.text(4, 16, first, bold=True)
    parts = second.split(", ", 1)
    sheet.text(4, 38, parts[0])
    sheet.text(4, 58, parts[1])
    for i in range(rows):
        y, last = 78 + 88 * i, i == rows - 1
        bits, value = w["fields"][i]
        sheet.text(4, y + 12, f"bits {bits}", colour=DIM)
        sheet.box(4, y + 26, 92, 34, OWNERS[4] if last else "#eef2f7")
        sheet.text(50, y + 43, value, "center", mono=True)
        if last:
            title, name, entry = f"frame {w['ppn']:#x} at {w['base']:#x}", f"+ {w['ppo']:#x}", f"PA {w['pa']:#x}"
        else:
            s = w["steps"][i]
            title = f"level {s['level']}, table {s['table']:#x}"
            name, entry = f"entry {s['index']}", f"{s['entry']:#x}"
        sheet.text(128, y + 12, title, bold=True)
        sheet.box(128, y + 26, width - 132, 34, OWNERS[4] if last else "#dde6f0", INK, thick=1.4)
        sheet.text(136, y + 43, name)
        sheet.text(width - 12, y + 43, entry, "right", mono=True, bold=last)
        sheet.arrow(96, y + 43, 127, y + 43)
        if not last:
            sheet.arrow(112 + (width - 112) / 2, y + 61, 112 + (width - 112) / 2, y + 91)
    return sheet.figure


# How a page is used: what is said, the colour of its cell, and the mark in it.
USES = (
    ("fetched", "#10214b", None),
    ("fetched and written", "#10214b", "#ffffff"),
    ("written", "#e39a4d", INK),
    ("only read", "#f0d88a", None),
    ("not touched", "#ffffff", None),
)


def use_of(page):
    if page["fetches"]:
        return 1 if page["writes"] else 0
    return 2 if page["writes"] else 3


def map_rows(stretches, per):
    """Per stretch, the rows of its cells, each a list of uses; and how many pages a cell has."""
    pages = 1
    while sum((s["last"] - s["first"]) // (pages * per) + 1 for s in stretches) > 72:
        pages *= 2
    all_rows = []
    for s in stretches:
        first = s["first"] - s["first"] % pages
        cells = [4] * ((s["last"] - first) // pages + 1)
        for page in s["pages"]:
            at, use = (page["page"] - first) // pages, use_of(page)
            both = cells[at] in (0, 1, 2) and use in (0, 1, 2) and cells[at] != use
            cells[at] = 1 if both else min(cells[at], use)
        all_rows.append([cells[i:i + per] for i in range(0, len(cells), per)])
    return all_rows, pages


def draw_space(data, width):
    """Every page between the first and the last of a stretch is a cell."""
    wide, shift = width >= 600, data["shift"]
    per = 64 if wide else 32
    side = (width - 12) / per
    largest = sorted(data["stretches"], key=lambda s: -len(s["pages"]))[:STRETCHES]
    stretches = [s for s in data["stretches"] if s in largest]
    rows, pages = map_rows(stretches, per)
    head, between = (24, 14) if wide else (44, 12)
    legend = 60 if wide else 96
    height = legend + sum(head + between + len(r) * side for r in rows)
    sheet = Sheet(width, height)
    spots = [([], []) for _ in USES]
    at = space_legend(sheet, width, wide, pages)
    for s, block in zip(stretches, rows):
        span = f"{s['first'] << shift:#x} to {((s['last'] + 1) << shift) - 1:#x}"
        words = f"{s['what']}, {len(s['pages'])} of {s['last'] - s['first'] + 1} pages"
        sheet.text(6, at + 10, s["letter"], bold=True)
        sheet.text(66 if s["letter"] == OTHERS else 26, at + 10, words)
        sheet.text(width - 6 if wide else 6, at + (10 if wide else 30), span, "right" if wide else "left", DIM)
        at += head
        for r, row in enumerate(block):
            for c, use in enumerate(row):
                spots[use][0].append(6 + (c + 0.5) * side)
                spots[use][1].append(at + (r + 0.5) * side)
        at += len(block) * side + between
    space_cells(sheet.ax, spots, side)
    return sheet.figure


def space_cells(ax, spots, side):
    """All cells of one use at once: that keeps the file small."""
    for (xs, ys), (_, fill, mark) in zip(spots, USES):
        if not xs:
            continue
        edge = RULE if fill == "#ffffff" else fill
        ax.scatter(xs, ys, s=(side - 2) ** 2, marker="s", facecolor=fill, edgecolor=edge, linewidth=0.6)
        if mark:
            ax.scatter(xs, ys, s=(side * 0.36) ** 2, marker="s", facecolor=mark, edgecolor="none")


def space_legend(sheet, width, wide, pages):
    """What the cells mean; returns where the map may begin."""
    places = [(6, 14), (120, 14), (320, 14), (430, 14), (550, 14)] if wide else \
        [(6, 14), (170, 14), (6, 38), (170, 38), (6, 62)]
    for (name, fill, mark), (x, y) in zip(USES, places):
        sheet.box(x, y - 7, 14, 14, fill, RULE if fill == "#ffffff" else fill)
        if mark:
            sheet.box(x + 5, y - 2, 4, 4, mark, mark)
        sheet.text(x + 21, y, name)
    words = "a cell is a page" if pages == 1 else f"a cell is {pages} pages"
    if wide:
        sheet.text(6, 38, words, colour=DIM)
    else:
        sheet.text(170, 62, words, colour=DIM)
    return 58 if wide else 84


def draw_frames(data, width):
    """A row for each frame, a column for each moment: whose page is there."""
    wide = width >= 600
    letters = sorted(data["colours"])
    shown = letters + ["free"] * any(None in row["frames"] for row in data["moments"])
    lines = math.ceil(len(shown) / (3 if wide else 1))
    figure, (ax,) = plots(width, [300 if wide else 260], left=58, right=22, top=30, bottom=50 + 24 * lines)
    codes = {letter: i for i, letter in enumerate(letters)}
    picture = [[codes[data["owner"][tuple(f)]] if f else len(letters) for f in row["frames"]]
               for row in data["moments"]]
    colours = matplotlib.colors.ListedColormap([data["colours"][x] for x in letters] + ["#ffffff"])
    end = data["moments"][-1]["access"]
    ax.imshow([list(column) for column in zip(*picture)], cmap=colours, vmin=-0.5, vmax=len(letters) + 0.5,
              aspect="auto", interpolation="none", origin="lower", extent=(0, end, 0, len(picture[0])))
    ax.xaxis.set_major_formatter(short)
    ax.xaxis.set_major_locator(plt.MaxNLocator(5 if wide else 3))
    ax.set_xlabel("accesses")
    ax.set_title("frame")
    total = figure.get_figheight() * 72
    for i, letter in enumerate(shown):
        x, y = (10 + (i % 3) * (width - 10) / 3, i // 3) if wide else (10, i)
        y = (24 * (lines - 1 - y) + 14) / total
        fill = data["colours"].get(letter, "#ffffff")
        figure.add_artist(Rectangle((x / width, y - 7 / total), 14 / width, 14 / total, facecolor=fill, edgecolor=DIM,
                                    linewidth=0.8))
        figure.text((x + 22) / width, y, data["names"].get(letter, "free"), va="center")
    return figure


def chosen_policies(faults):
    """OPT, four that every textbook has, and the best of the others."""
    known = [name for name in ("opt", "lru", "clock", "fifo", "random") if name in faults]
    rest = sorted((name for name in faults if name not in known), key=lambda name: sum(map(math.log, faults[name])))
    return known + rest[:1]


def draw_faults(data, width):
    """A line for each policy; OPT is the floor."""
    wide = width >= 600
    room = 150 if wide else 122
    figure, (ax,) = plots(width, [400 if wide else 380], left=62 if wide else 52, right=room)
    sizes, faults = data["sizes"], data["faults"]
    named = chosen_policies(faults)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    low = min(map(min, faults.values()))
    if "opt" in faults:
        ax.fill_between(sizes, faults["opt"], low * 0.8, color="#e9edf2", linewidth=0)
    for name, values in faults.items():
        if name not in named:
            ax.plot(sizes, values, color="#b8c0c8", linewidth=1)
    for name, (colour, dash, marker) in zip(named, STYLES):
        ax.plot(sizes, faults[name], color=colour, linestyle=dash, marker=marker, linewidth=3 if name == "opt" else 2)
    ax.set_ylim(low * 0.8, max(max(faults[name]) for name in named) * 1.6)
    ax.set_xlim(sizes[0] * 0.93, sizes[-1] * 1.05)
    ax.set_xticks(sizes if wide else sizes[::2], [str(s) for s in (sizes if wide else sizes[::2])])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    few = ax.get_ylim()[1] < 100 * ax.get_ylim()[0]
    ax.yaxis.set_major_locator(plt.LogLocator(subs=(1, 2, 5) if few else (1,)))
    ax.yaxis.set_major_formatter(short)
    ax.yaxis.set_minor_formatter(plt.NullFormatter())
    ax.set_xlabel("frames")
    ax.set_title("page faults")
    label_ends(ax, [(sizes[-1], faults[n][-1], n.upper() if n == "opt" else n, s) for n, s in zip(named, STYLES)], room)
    return figure


def shaded(ax, values, words, columns, rows, scale):
    """Cells with a number each, darker for more; columns and rows are what stands beside them."""
    for r, line in enumerate(values):
        for c, value in enumerate(line):
            fill = SHADES(scale(value))
            ax.add_patch(Rectangle((c, r), 1, 1, facecolor=fill, edgecolor="#ffffff", linewidth=1.5))
            ax.text(c + 0.5, r + 0.52, words(value), ha="center", va="center", color=ink_on(fill))
    ax.set_xlim(0, len(columns))
    ax.set_ylim(len(rows), 0)
    ax.set_xticks([i + 0.5 for i in range(len(columns))], columns)
    ax.set_yticks([i + 0.5 for i in range(len(rows))], rows)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def draw_policies(data, width):
    """How many times the fewest faults that can be."""
    opt = data["faults"]["opt"]
    order = sorted(data["faults"], key=lambda name: sum(math.log(v) for v in data["faults"][name]))
    ratios = [[v / o for v, o in zip(data["faults"][name], opt)] for name in order]
    figure, (ax,) = plots(width, [25 * len(order)], left=126 if width >= 600 else 112, right=4, top=30, bottom=46)
    shaded(ax, ratios, lambda v: f"{v:.2f}" if v < 9.995 else f"{v:.1f}" if v < 99.95 else f"{v:.0f}",
           [str(s) for s in data["sizes"]], order, lambda v: min(1.0, math.log(v) / math.log(8)))
    ax.set_xlabel("frames")
    ax.set_title("faults / faults of OPT" if width >= 600 else "faults / OPT's")
    return figure


def draw_tlb(data, width):
    """The share of accesses that the TLB answers."""
    wide = width >= 600
    sets, ways = data["sets"], data["ways"]
    misses = {key: 100 * row["tlb_misses"] / (row["tlb_hits"] + row["tlb_misses"]) for key, row in data["rows"].items()}
    low, high = (math.log(max(f(misses.values()), 1e-4)) for f in (min, max))
    values = [[misses[s, w] for s in sets] for w in ways] if wide else [[misses[s, w] for w in ways] for s in sets]
    figure, (ax,) = plots(width, [(44 if wide else 34) * len(values)], left=64, right=4, top=34, bottom=46)
    shaded(ax, values, lambda v: f"{100 - v:.2f}", list(map(str, sets if wide else ways)),
           list(map(str, ways if wide else sets)), lambda v: (math.log(max(v, 1e-4)) - low) / max(high - low, 1e-9))
    ax.set_xlabel("sets" if wide else "ways")
    ax.set_ylabel("ways" if wide else "sets")
    ax.set_title("TLB hits, percent of accesses" if wide else "TLB hits, percent")
    return figure


def draw_time(data, width):
    """Pages in frames, and faults between two samples."""
    wide = width >= 600
    room = 170 if wide else 118
    figure, axes = plots(width, [220, 220] if wide else [190, 190], left=62 if wide else 52, right=room, gap=48)
    for ax, key, title in zip(axes, ("resident", "new"), ("resident pages", "faults since the last sample")):
        ends = []
        for (name, rows), style in zip(data["runs"].items(), STYLES[1:]):
            xs, ys = [r["accesses"] for r in rows], [r[key] for r in rows]
            ax.plot(xs, ys, color=style[0], linestyle=style[1], marker=style[2], markevery=max(1, len(xs) // 8))
            ends.append((xs[-1], ys[-1], name if wide else data["short"][name], style))
        ax.set_ylim(bottom=0)
        ax.set_xlim(0, max(e[0] for e in ends))
        ax.xaxis.set_major_formatter(short)
        ax.yaxis.set_major_formatter(short)
        ax.xaxis.set_major_locator(plt.MaxNLocator(5 if wide else 3))
        ax.set_title(title)
        label_ends(ax, ends, room, TEXT)
    axes[-1].set_xlabel("accesses")
    return figure


def draw_fragmentation(data, width):
    """Free bytes above, the largest piece of them below; what lies between is in smaller pieces."""
    wide = width >= 600
    room = 190 if wide else 118
    figure, axes = plots(width, [210, 210] if wide else [180, 180], left=62 if wide else 46, right=room, gap=48)
    xs = [row["operation"] for row in data]
    for ax, who in zip(axes, ("heap", "buddy")):
        free, largest = ([row[f"{who}_{what}_bytes"] / 2 ** 20 for row in data] for what in ("free", "largest"))
        ax.fill_between(xs, free, largest, color="#e9edf2", linewidth=0)
        ax.plot(xs, free, color=STYLES[1][0])
        ax.plot(xs, largest, color=STYLES[2][0], linestyle=STYLES[2][1])
        ax.set_xlim(0, xs[-1])
        ax.set_ylim(0, max(row["region"] for row in data) / 2 ** 20)
        ax.xaxis.set_major_formatter(short)
        ax.xaxis.set_major_locator(plt.MaxNLocator(5 if wide else 3))
        ax.set_title(f"{who}, MiB")
        label_ends(ax, [(xs[-1], free[-1], "free", (STYLES[1][0], "-", "")),
                        (xs[-1], largest[-1], "largest free piece" if wide else "largest\npiece",
                         (STYLES[2][0], STYLES[2][1], ""))], room)
    axes[-1].set_xlabel("requests")
    return figure


# ------------------------------------------------------------------------------- what is measured --


def picture(name, title, reading, commands, draw, data, tables):
    """One part of the page. tables: (caption, head, rows) each; reading also describes it to whoever cannot see it."""
    return {"name": name, "title": title, "reading": reading, "commands": commands, "draw": draw, "data": data,
            "tables": tables}


def find_walk(programs, pages, address):
    """A load that walks all tables and finds its page, or what comes nearest; of `address`, if one is given."""
    def good(row):
        if not row["walk"] or row["ppn"] is None or address not in (None, row["va"]):
            return 0
        if row["fault"] or not all(step["valid"] for step in row["walk"]):
            return 1
        return 3 if row["kind"] == "read" or address is not None else 2

    row, command = programs.first(5000 if address is None else 10 ** 9, good, "--explain", f"frames={pages}")
    if row is None:
        fail("no access walks the tables" + (f" for {address:#x}" if address is not None else ""))
    return row, command


def walk_of(row, shift):
    """What draw_walk shows of a step of --explain."""
    tlb = row["tlb"] or {"hit": False, "tlbi": None, "tlbt": None}
    steps, fields, low = [], [], shift
    for step in reversed(row["walk"]):
        fields.insert(0, (f"{low + step['bits'] - 1}:{low}" if step["bits"] > 1 else str(low), f"{step['index']:#x}"))
        low += step["bits"]
    for step in row["walk"]:
        steps.append({"level": step["level"], "table": step["table"], "index": step["index"],
                      "address": step["pte_addr"], "entry": step["pte"]})
    fields.append((f"{shift - 1}:0", f"{row['vpo']:#x}"))
    return {"kind": {"read": "load", "write": "store"}.get(row["kind"], row["kind"]), "va": row["va"],
            "vpn": row["vpn"], "tlbi": tlb["tlbi"], "tlbt": tlb["tlbt"], "hit": tlb["hit"], "steps": steps,
            "fields": fields, "ppn": row["ppn"], "ppo": row["vpo"], "pa": row["pa"], "base": row["ppn"] << shift}


def measure_walk(programs, shift, pages, address):
    row, command = find_walk(programs, pages, address)
    w = walk_of(row, shift)
    faults = " The entry of level 0 was not valid yet; the access brought its page in." if row["fault"] else ""
    rows = [[s["level"], f"{s['table']:#x}", s["index"], f"{s['address']:#x}", f"{s['entry']:#x}"] for s in w["steps"]]
    return picture(
        "walk", f"The walk of one address: access {grouped(row['access'])}",
        "The virtual address is cut into an index for each level and the offset; each index picks an entry in its "
        "table, and the entry tells where the next table is. The last entry names the frame, and the frame and the "
        f"offset are the physical address.{faults}", [command], draw_walk, w,
        [("Entries read, from the root down", ["level", "table", "index", "address of the entry", "entry"], rows),
         ("The access", ["what", "value"],
          [[name, f"{row[name]:#x}"] for name in ("va", "vpn", "vpo", "ppn", "pa") if row[name] is not None])])


def measure_maps(programs, shift, frames, policy):
    """The address space, and the frames over time: both come from one run."""
    rows, command = programs.simulate("--map", "120", f"frames={frames}", f"policy={policy}")
    pages = [row for row in rows if "page" in row]
    moments = [row for row in rows if "frames" in row]
    stretches = stretches_of(pages)
    owner, colours = owner_of(stretches), colour_of(stretches)
    names = {s["letter"]: f"{s['letter']}  {s['what']}, {len(s['pages'])} pages" for s in stretches}
    names[OTHERS] = "others"
    letters = sorted(colours)
    page_rows = [[p["process"], f"{p['page'] << shift:#x}", owner[p["process"], p["page"]], p["fetches"], p["reads"],
                  p["writes"]] for p in pages]
    held = []
    for row in moments:
        whose = [owner[tuple(f)] if f else "free" for f in row["frames"]]
        held.append([row["access"]] + [whose.count(letter) for letter in [*letters, "free"]])
    many = len(stretches) > STRETCHES
    return [picture(
        "address_space", "The address space, page by page",
        "Each block is a stretch of pages that lie close together, from its lowest address at the top left; a cell "
        "tells how its page was used. Dark pages hold code, orange ones data that was written, pale ones data that was "
        "only read, white ones were never touched." + f" The {STRETCHES} largest stretches are drawn." * many,
        [command], draw_space, {"stretches": stretches, "shift": shift},
        [("Stretches", ["stretch", "process", "from", "to", "what", "pages touched"],
          [[s["letter"], s["process"], f"{s['first'] << shift:#x}", f"{((s['last'] + 1) << shift) - 1:#x}", s["what"],
            len(s["pages"])] for s in stretches]),
         ("Pages", ["process", "address", "stretch", "fetches", "reads", "writes"], page_rows)]),
        picture(
        "frame_map", f"Who has the frames: {frames} frames, {policy}",
        "A row is a frame, a column is a moment; the shade tells to which stretch of the address space the page in "
        "that frame belongs. Rows that keep their shade hold pages in steady use, and rows that flicker are where "
        "pages compete.", [command], draw_frames,
        {"moments": moments, "owner": owner, "colours": colours, "names": names},
        [("Frames held by each stretch", ["access", *letters, "free"], held)])]


def measure_policies(programs, pages, references):
    """Faults over frames, and how far each policy is from the fewest that can be. Of a long trace, fewer points."""
    sizes, names = spread(pages), "all|opt"
    if references > LONG:
        sizes, names = sizes[1::2], "lru|clock|fifo|random|two-lists|2q|arc|lirs|sieve|opt"
    swept = "frames=" + "|".join(map(str, sizes)) + f",policy={names}"
    rows, command = programs.simulate("--sweep", swept)
    faults, dirty = {}, {}
    for row in rows:
        faults.setdefault(row["policy"], {})[row["frames"]] = row["faults"]
        dirty.setdefault(row["policy"], {})[row["frames"]] = row["dirty_evictions"]
    lines = {name: [by[size] for size in sizes] for name, by in faults.items() if len(by) == len(sizes)}
    data = {"sizes": sizes, "faults": lines}
    head = ["policy", *(f"{size} frames" for size in sizes)]
    return [picture(
        "faults", "Page faults over frames",
        "Each line is a policy, further down is better, and both axes are logarithmic; OPT, which knows the future, is "
        "the floor that no policy can get below. Six policies are named, the thin grey lines are the others, and lines "
        "that leave at the top are worse still; the table has all of them.", [command], draw_faults, data,
        [("Faults", head, [[name, *lines[name]] for name in lines]),
         ("Dirty evictions: pages that had to be written", head, [[n, *(dirty[n][s] for s in sizes)] for n in lines])]),
        picture(
        "policies", "How far from the fewest",
        "A cell says how many times as many faults a policy has as OPT with the same frames: 1.00 cannot be improved. "
        "The best policy over all sizes stands at the top; darker is worse, and from 8 on all are equally dark.",
        [command], draw_policies, data,
        [("Faults divided by those of OPT", head, [[n, *(f"{v / o:.3f}" for v, o in zip(lines[n], lines["opt"]))]
                                                   for n in lines])])]


def measure_tlb(programs):
    sets, ways = [1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8]
    shapes = [f"{s}x{w}" for s in sets for w in ways]
    rows, command = programs.simulate("--sweep", "tlb=" + "|".join(shapes))
    by = {tuple(map(int, row["tlb"].split("x"))): row for row in rows}
    return picture(
        "tlb", "TLB hits over geometry",
        "Each cell is a TLB of so many sets of so many ways; the number is the share of accesses that it answers, and "
        "darker means more misses. Along a rising diagonal the number of entries is the same: there one sees what more "
        "ways are worth.", [command], draw_tlb, {"sets": sets, "ways": ways, "rows": by},
        [("TLB hits and misses", ["sets", "ways", "entries", "hits", "misses", "hits, percent"],
          [[s, w, s * w, by[s, w]["tlb_hits"], by[s, w]["tlb_misses"],
            f"{100 * by[s, w]['tlb_hits'] / (by[s, w]['tlb_hits'] + by[s, w]['tlb_misses']):.3f}"]
           for s in sets for w in ways])])


def measure_time(programs, frames, policy, pages):
    """Residency and faults over the run: as many frames as pages, few frames, a working set."""
    runs, commands, table = {}, [], []
    for name, options in ((f"{pages} frames", [f"frames={pages}", f"policy={policy}"]),
                          (f"{policy}, {frames} frames", [f"frames={frames}", f"policy={policy}"]),
                          ("working set", [f"frames={pages}", "policy=ws"])):
        rows, command = programs.simulate("--timeline", "60", *options)
        before = 0
        for row in rows:
            row["new"], before = row["faults"] - before, row["faults"]
            table.append([name, row["accesses"], row["resident"], row["faults"], row["tlb_hits"]])
        runs[name] = rows
        commands.append(command)
    return picture(
        "time", "Residency and faults over time",
        "Above, how many pages are in frames; below, how many faults came since the sample before. A rise below shows "
        "where the program turns to other pages; the working set gives frames back when it does not use them.",
        commands, draw_time, {"runs": runs, "short": dict(zip(runs, (f"all {pages}", f"{policy} {frames}", "ws")))},
        [("Samples, counted from the start", ["run", "accesses", "resident", "faults", "TLB hits"], table)])


def measure_fragmentation(programs, program, trace):
    """The allocators, on an allocation trace."""
    text = f"gzip -dc {shlex.quote(trace)} | {shlex.quote(program)} - 120" if trace != "random" else \
        f"{shlex.quote(program)} random 120"
    rows = [{key: int(value) for key, value in row.items()}
            for row in csv.DictReader(io.StringIO(programs.call(["sh", "-c", text])))]
    if not rows:
        fail(f"{text} printed nothing")
    for row in rows:
        row["heap_free_bytes"], row["heap_largest_bytes"] = row["heap_free"], row["heap_largest"]
        row["buddy_free_bytes"] = row["buddy_free_frames"] * 64
        row["buddy_largest_bytes"] = 64 << row["buddy_largest_order"] if row["buddy_largest_order"] >= 0 else 0
    keys = list(rows[0])[:8]
    name = Path(trace).name.split(".")[0]
    return picture(
        f"fragmentation_{name}", f"Fragmentation of heap and buddy: {name}",
        "The same requests go to the heap and to the buddy, in regions of the same size: the upper line is what is "
        "free, the lower one the largest free piece. The shaded part between them is free memory in smaller pieces: "
        "external fragmentation; the buddy has less free because it rounds each request up to a power of two.",
        [text], draw_fragmentation, rows, [("Moments", keys, [[row[key] for key in keys] for row in rows])])


# ------------------------------------------------------------------------------------- the page --


def svg_of(figure, part, variant):
    """The picture as SVG text: with a title and a description, without a size, its ids apart from those of others."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    mark = f"{part['name']}-{variant}"
    text = re.sub(r'\bid="', f'id="{mark}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{mark}-", text)
    text = text.replace("'DejaVu Sans Mono'", "'DejaVu Sans Mono', Menlo, Consolas, monospace")
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    box = re.search(r'viewBox="[^"]*"', text).group(0)
    head = (f'<svg {box} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
            f'aria-labelledby="{mark}-title {mark}-desc">\n <title id="{mark}-title">{html.escape(part["title"])}'
            f'</title>\n <desc id="{mark}-desc">{html.escape(part["reading"])}</desc>\n')
    return head + text[text.index(">") + 1:]


def draw(part, directory):
    """Writes the files of a picture; returns both SVG texts as they stand in the page."""
    inlined = []
    for variant, width in (("wide", WIDE), ("narrow", NARROW)):
        figure = part["draw"](part["data"], width)
        text = svg_of(figure, part, variant)
        name = part["name"] + ("" if variant == "wide" else "_narrow")
        (directory / f"{name}.svg").write_text(text, encoding="utf-8")
        figure.savefig(directory / f"{name}.png", dpi=144, metadata={"Software": None, "Title": part["title"]})
        plt.close(figure)
        text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
        inlined.append(f'<div class="{variant}">{text}</div>')
    return "\n".join(inlined)


def table_of(caption, head, rows, name):
    numeric = [all(isinstance(row[i], (int, float)) or re.fullmatch(r"[\d.]+|0x[0-9a-f]+", str(row[i])) for row in rows)
               for i in range(len(head))]
    style = ['class="n"' if n else "" for n in numeric]
    lines = [f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}">',
             f'<table id="{name}"><caption>{html.escape(caption)}</caption>', "<thead><tr>"]
    lines += [f'<th scope="col" {s}>{html.escape(str(h))}</th>' for h, s in zip(head, style)]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        lines.append("<tr>" + "".join(f"<td {s}>{html.escape(grouped(v))}</td>" for v, s in zip(row, style)) + "</tr>")
    lines.append("</tbody></table></div>")
    return "\n".join(lines).replace(" >", ">")


STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:20px 24px 60px;background:#fff;color:#1b1f24;
font:17px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:30px;line-height:1.2;margin:12px 0}
h2{font-size:22px;line-height:1.25;margin:0 0 12px}
a{color:#10417f}
section{border-top:1px solid #d0d7de;padding:28px 0 20px}
.part{display:grid;grid-template-columns:760px minmax(0,1fr);gap:0 32px;align-items:start}
.part>h2,.part>.behind{grid-column:1/-1}
figure{margin:0}
svg{display:block;width:100%;height:auto}
svg text{font-family:"DejaVu Sans",Verdana,sans-serif}
.narrow{display:none}
pre,code{font:14px/1.45 "DejaVu Sans Mono",Menlo,Consolas,monospace}
pre{margin:8px 0;padding:8px 10px;background:#f3f5f8;border-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:10px 0 0}
summary{cursor:pointer;padding:6px 0;font-weight:600}
.scroll{overflow:auto;max-height:26em;margin:6px 0 14px;border:1px solid #d0d7de;border-radius:4px;width:fit-content;
max-width:100%}
table{border-collapse:collapse;font-size:15px}
caption{text-align:left;padding:6px 10px;font-weight:600}
th,td{padding:4px 10px;text-align:left;white-space:nowrap}
th{background:#f3f5f8;position:sticky;top:0}
td{border-top:1px solid #e6eaef}
.n{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:0 32px;margin:14px 0 0}
dl div{display:flex;justify-content:space-between;gap:12px;border-bottom:1px solid #e6eaef;padding:3px 0}
dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.contents{columns:2;padding-left:20px;margin:10px 0}
@media(max-width:1180px){.part{display:block}.part figure{max-width:760px}}
@media(max-width:780px){
.wide{display:none}.narrow{display:block;max-width:520px}
body{padding:10px 16px 40px;font-size:16px}
h1{font-size:25px}h2{font-size:20px}
.contents{columns:1}
}
"""


def page_of(title, intro, parts, inlined, facts):
    """All of report.html."""
    lines = ['<!DOCTYPE html>', '<html lang="en">', "<head>", '<meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             f"<title>{html.escape(title)}</title>", f"<style>{STYLE}</style>", "</head>", "<body>", "<main>",
             f"<h1>{html.escape(title)}</h1>", intro, '<nav aria-label="Pictures"><ul class="contents">']
    lines += [f'<li><a href="#{part["name"]}">{html.escape(part["title"])}</a></li>' for part in parts]
    lines += ["</ul></nav>", '<section id="run"><h2>The run</h2>', facts, "</section>"]
    for part, pictures in zip(parts, inlined):
        commands = "\n".join(f'<pre class="command">{html.escape(c)}</pre>' for c in part["commands"])
        tables = "\n".join(table_of(*table, f"{part['name']}-{i}") for i, table in enumerate(part["tables"]))
        lines += [f'<section class="part" id="{part["name"]}">', f"<h2>{html.escape(part['title'])}</h2>",
                  f"<figure>{pictures}</figure>", "<div>", f"<p>{html.escape(part['reading'])}</p>",
                  "<p>The numbers come from</p>",
                  commands, "</div>", '<div class="behind"><details><summary>The numbers</summary>', tables,
                  "</details></div>", "</section>"]
    return "\n".join([*lines, "</main>", "</body>", "</html>", ""])


def facts_of(run, command):
    """What the first run counted: names and values, in as many columns as there is room for."""
    pairs = [f"<div><dt>{html.escape(name.replace('_', ' '))}</dt><dd>{html.escape(grouped(value))}</dd></div>"
             for name, value in run.items() if name != "trace" and not isinstance(value, (list, dict, bool))]
    note = "" if run["frames"] else "<p>Frames 0 is as many as there are pages: each page faults once.</p>\n"
    return f'<pre class="command">{html.escape(command)}</pre>\n{note}<dl id="run-0">' + "\n".join(pairs) + "</dl>"


def number(text):
    return int(text, 0)


def near(path):
    """A path as one would type it here, when what it names lies below."""
    below = os.path.relpath(path) if path and os.path.isabs(path) else ".."
    return path if below.startswith("..") else below if "/" in below else f"./{below}"


def arguments():
    parser = argparse.ArgumentParser(description="Draws what a trace does, and writes a page about it.")
    parser.add_argument("trace", help="a trace that vmmsim reads; not standard input, since it is read several times")
    parser.add_argument("--vmmsim", default="build/vmmsim", help="the simulator (build/vmmsim)")
    parser.add_argument("--out", required=True, help="directory for the page and the pictures; made if it is not there")
    parser.add_argument("--title", help="of the page")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any of vmmsim's, for all runs")
    parser.add_argument("--frames", type=int, help="of the maps and of the time line (a quarter of the pages)")
    parser.add_argument("--policy", default="lru", help="of the maps and of the time line (lru)")
    parser.add_argument("--address", type=number, help="whose walk is shown (the first that finds its page)")
    parser.add_argument("--fragmentation", help="the program of examples/fragmentation.c (if it is beside vmmsim)")
    parser.add_argument("--allocations", help="an allocation trace for it, .rep.gz, or random (the bundled one)")
    parser.add_argument("--seconds", type=float, default=120, help="that one command may take (120)")
    a = parser.parse_args()
    beside = Path(a.vmmsim).parent / "fragmentation"
    a.fragmentation = a.fragmentation or (str(beside) if beside.is_file() else None)
    a.allocations = a.allocations or (str(ALLOCATIONS) if ALLOCATIONS.is_file() else "random")
    for name in ("vmmsim", "fragmentation", "allocations"):
        setattr(a, name, near(getattr(a, name)))
    return a


def main():
    a = arguments()
    directory = Path(a.out)
    if not Path(a.trace).is_file():
        fail(f"{a.trace} is not a file")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{a.out} cannot be made: {error.strerror}")
    # vmmsim would take such a name for an option
    trace = f"./{a.trace}" if a.trace.startswith("-") or re.match("[a-z0-9-]+=", a.trace) else a.trace
    programs = Programs(a.vmmsim, a.set, trace, a.seconds)
    (run, *_), command = programs.simulate()
    if not {"pages", "references", "accesses"} <= run.keys():
        fail("all counts are needed, and the keys of vmmsim that are set show only some (show=...)")
    pages, shift = run["pages"], int(math.log2(run.get("page", 4096)))
    if pages < 8:
        fail("the trace touches fewer than 8 pages; there is nothing to draw")
    frames = a.frames or max(4, round(pages / 4))
    parts = [measure_walk(programs, shift, pages, a.address), *measure_maps(programs, shift, frames, a.policy),
             *measure_policies(programs, pages, run["references"]), measure_tlb(programs),
             measure_time(programs, frames, a.policy, pages)]
    if a.fragmentation:
        parts.append(measure_fragmentation(programs, a.fragmentation, a.allocations))
        if a.allocations != "random":
            parts.append(measure_fragmentation(programs, a.fragmentation, "random"))
    name = Path(a.trace).name.split(".")[0]
    intro = (f"<p>{run['references']:,} references of {html.escape(name)}, {run['accesses']:,} accesses to {pages:,} "
             f"pages of {1 << shift:,} bytes. Every number was counted by vmmsim, an exact model of TLB, page tables "
             "and replacement; the commands stand beside the pictures and give the same numbers again.</p>")
    page = page_of(a.title or f"What {name} does to memory", intro, parts, [draw(part, directory) for part in parts],
                   facts_of(run, command))
    (directory / "report.html").write_text(page, encoding="utf-8")
    print(directory / "report.html")


if __name__ == "__main__":
    main()
