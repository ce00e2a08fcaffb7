#!/usr/bin/env python3
"""Draws the pictures of the architectures and of the operating-system chapter into docs/_static.

    draw_pictures.py

A picture is 360 units wide, so that its text keeps its size on a telephone. Shapes, dashes and words tell
everything; colour only helps. The results are kept in the repository: run this after a change here.
"""

from pathlib import Path

STATIC = Path(__file__).resolve().parent / "_static"

STYLE = """  <style>
    /* Inside a page of the documentation the theme's colours win; alone, the viewer's preference does. */
    .vo { --vo-fg: var(--color-foreground-primary, #1f2328); --vo-dim: var(--color-foreground-secondary, #59636e); --vo-box: var(--color-background-secondary, #f6f8fa); }
    @media (prefers-color-scheme: dark) {
      .vo { --vo-fg: var(--color-foreground-primary, #f0f6fc); --vo-dim: var(--color-foreground-secondary, #9aa4af); --vo-box: var(--color-background-secondary, #1c2128); }
    }
    .vo text { font-family: var(--font-stack, system-ui, sans-serif); font-size: 13px; fill: var(--vo-fg); text-anchor: middle; }
    .vo .small { font-size: 11px; fill: var(--vo-dim); }
    .vo .dark { font-size: 11px; }
    .vo .left { text-anchor: start; }
    .vo .right { text-anchor: end; }
    .vo .mono { font-family: var(--font-stack--monospace, monospace); }
    .vo rect { fill: var(--vo-box); stroke: var(--vo-dim); }
    .vo .cached { fill: #3b82f6; fill-opacity: 0.2; stroke: #3b82f6; stroke-width: 2; }
    .vo .none { stroke-dasharray: 3 2; fill: none; }
    .vo path { fill: none; stroke: var(--vo-dim); stroke-width: 1.5; }
    .vo .dashed { stroke-dasharray: 4 3; }
    .vo marker path { stroke: none; fill: var(--vo-dim); }
    .vo circle { fill: var(--vo-fg); }
    .vo .number { font-size: 11px; font-weight: bold; fill: var(--color-background-primary, #ffffff); }
    @media (prefers-color-scheme: dark) { .vo .number { fill: var(--color-background-primary, #0d1117); } }
  </style>"""


class Picture:
    """Lines of an SVG file."""

    def __init__(self, name, height, title, description):
        self.file = STATIC / f"{name}.svg"
        self.head = f"vo-{name}-head"
        self.lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 {height}" role="img"'
            f' aria-labelledby="vo-{name}-title vo-{name}-desc" class="vo">',
            f'  <title id="vo-{name}-title">{title}</title>',
            f'  <desc id="vo-{name}-desc">{description}</desc>',
            STYLE,
            f'  <defs>\n    <marker id="{self.head}" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse"'
            ' markerWidth="9" markerHeight="9" orient="auto"><path d="M0 0 L8 4 L0 8 Z"/></marker>\n  </defs>',
        ]

    def text(self, x, y, words, style="small"):
        self.lines.append(f'  <text class="{style}" x="{x:g}" y="{y:g}">{words}</text>')

    def box(self, x, y, width, height, words, style=""):
        """A box with one or more lines of text; the first is dark."""
        self.lines.append(f'  <rect class="{style}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>')
        top = y + height / 2 - 7 * len(words) + 11
        for i, line in enumerate(words):
            self.text(x + width / 2, top + 14 * i, line, "small" if i else "dark")

    def way(self, path, style=""):
        self.lines.append(f'  <path class="{style}" d="{path}" marker-end="url(#{self.head})"/>')

    def number(self, x, y, digit):
        self.lines.append(f'  <circle cx="{x:g}" cy="{y:g}" r="8"/>')
        self.text(x, y + 4, digit, "number")

    def save(self):
        self.file.write_text("\n".join(self.lines) + "\n</svg>\n", encoding="utf-8")


def states():
    p = Picture(
        "page_states", 388, "The states of an anonymous page",
        "Without an area a page is unallocated. mmap makes it one that has nothing yet: uncached. A read maps the frame "
        "of zeros, a write gives it a frame of its own: cached. fork makes the frame shared; a write copies it, or the "
        "last owner uses it again. A frame that is chosen as a victim is written to a slot: uncached again. A fault reads "
        "the slot into a frame that is in the swap cache: cached. From there a read maps it, a write parts it from its slot, "
        "and as a victim it is dropped without being written. MADV_DONTNEED, or MADV_FREE and a victim later, lead back to "
        "nothing; munmap leads from any state to no area.")
    left, right, width = 8, 236, 116
    p.box(left, 10, width, 40, ["no area", "unallocated"], "none")
    p.box(left, 106, width, 40, ["nothing yet", "uncached"])
    p.box(right, 106, width, 40, ["frame of zeros", "cached"], "cached")
    p.box(left, 210, width, 40, ["frame of its own", "cached"], "cached")
    p.box(right, 210, width, 40, ["shared frame", "cached"], "cached")
    p.box(left, 320, width, 40, ["slot", "uncached"])
    p.box(right, 320, width, 40, ["swap cache", "cached: frame, slot"], "cached")

    p.way("M36 50 V105")
    p.text(42, 82, "mmap", "dark left")
    p.way("M92 106 V51", "dashed")
    p.text(98, 82, "munmap, exit: from every state", "dark left")
    p.way("M124 126 H235")
    p.text(180, 121, "read: MAP", "dark")
    p.way("M36 146 V209")
    p.text(42, 172, "write:", "dark left")
    p.text(42, 185, "ZERO", "dark left")
    p.way("M92 210 V147", "dashed")
    p.text(98, 166, "DONTNEED; or FREE,", "dark left")
    p.text(98, 179, "then VICTIM, DROP", "dark left")
    p.way("M310 146 V198 H112 V209")
    p.text(304, 193, "write: ZERO", "dark right")
    p.way("M124 222 H235")
    p.text(180, 217, "fork", "dark")
    p.way("M236 240 H125")
    p.text(180, 254, "write: COPY,", "dark")
    p.text(180, 267, "the last: REUSE", "dark")
    p.way("M24 250 V319")
    p.text(30, 308, "VICTIM, SWAP OUT", "dark left")
    p.way("M252 320 V282 H110 V251")
    p.text(246, 296, "write: REUSE", "dark right")
    p.way("M324 320 V251")
    p.text(318, 296, "read: MAP", "dark right")
    p.way("M124 332 H235")
    p.text(180, 327, "fault: SWAP IN", "dark")
    p.way("M236 350 H125")
    p.text(180, 364, "VICTIM, DROP", "dark")
    p.text(8, 381, "A shared frame goes to a slot likewise, out of every space.", "small left")
    p.save()


def steps():
    p = Picture(
        "fault_steps", 470, "The seven steps of a page fault",
        "1: the processor gives the MMU a virtual address. 2 and 3: the MMU fetches the entry from memory. 4: it does not "
        "serve, and vmm_fault_serve runs. 5: if frames are few, a victim's page goes to its device. 6: the page comes into a "
        "frame, and the entry is written. 7: the instruction runs again. Below, the functions that take each step and the "
        "events that tell it.")
    p.box(8, 16, 84, 44, ["processor"])
    p.box(8, 120, 84, 44, ["MMU"])
    p.box(138, 120, 92, 44, ["memory", "tables, frames"])
    p.box(138, 16, 92, 44, ["fault handler"])
    p.box(276, 68, 76, 44, ["device", "slot or file"])
    p.way("M36 60 V119")
    p.number(36, 88, "1")
    p.way("M92 132 H137")
    p.number(114, 132, "2")
    p.way("M138 154 H93")
    p.number(116, 154, "3")
    p.way("M70 120 L148 61")
    p.number(110, 90, "4")
    p.way("M230 38 L275 74")
    p.number(250, 54, "5")
    p.way("M276 104 L231 138")
    p.number(256, 119, "6")
    p.way("M184 60 V119", "dashed")
    p.text(190, 92, "zeros, copy", "small left")
    p.way("M138 32 H93")
    p.number(116, 32, "7")

    rows = (
        ("1", "NAME_load32, _store32 ...", "access"),
        ("2", "the walk of section 2", "walk"),
        ("3", "", "entry"),
        ("4", "vmm_fault_serve", "fault"),
        ("", "vmm_fault_area", "area, or no area"),
        ("", "vmm_area_allows", "no right; signal"),
        ("5", "vmm_frame_take, _reclaim,", "victim; swap out,"),
        ("", "the policy, _evict", "write file, drop"),
        ("6", "vmm_serve_zero, _object,", "zero, read file,"),
        ("", "_slot, _copy, _write", "swap in, copy, reuse"),
        ("", "vmm_serve_map", "map"),
        ("7", "return from the trap", "run again"),
    )
    p.text(34, 192, "who takes it", "small left")
    p.text(226, 192, "what is told", "small left")
    for i, (digit, function, event) in enumerate(rows):
        y = 214 + 22 * i
        if digit:
            p.number(16, y - 4, digit)
        p.text(34, y, function, "dark mono left" if function.startswith(("NAME", "vmm", "_")) else "dark left")
        p.text(226, y, event, "dark left")
    p.save()


def block():
    p = Picture(
        "machine_block", 438, "The block of a machine, and RAM",
        "The block begins with vmm_machine_t. Behind it lie the records of frames, 20 bytes each; an age of each frame, 1 "
        "byte; with local replacement the set of each frame, 2 bytes; the slots, 16 bytes each; the ghosts of policies that "
        "remember; what merging remembers; then pools of spaces, kin, areas, objects, nodes of the trees of areas and of the page indexes; last the "
        "buddy's records, 9 bytes a frame. Record n belongs to frame n of RAM. RAM holds the frame of zeros, page tables, "
        "and pages. The records name each other by numbers.")
    rows = (
        ("vmm_machine_t", "options, counters", 34),
        ("frames", "20 bytes each", 34),
        ("ages", "1 byte a frame", 26),
        ("sets", "2 bytes a frame, if local", 26),
        ("slots", "16 bytes each", 26),
        ("ghosts", "16 bytes each, if any", 26),
        ("merging", "8 bytes a frame, if any", 26),
        ("spaces, kin", "about 400 bytes each", 30),
        ("areas", "64 bytes each", 30),
        ("objects", "about 120 bytes each", 30),
        ("nodes of area trees", "512 bytes each", 30),
        ("nodes of page indexes", "64 bytes each", 30),
        ("buddy", "9 bytes a frame", 30),
    )
    y = 26
    p.text(112, 16, "block", "dark")
    p.text(309, 16, "RAM", "dark")
    for name, what, height in rows:
        style = "none" if name in ("sets", "ghosts", "merging") else "cached" if name == "frames" else ""
        p.lines.append(f'  <rect class="{style}" x="8" y="{y}" width="220" height="{height}"/>')
        p.text(14, y + height / 2 + 4, name, "dark left")
        p.text(222, y + height / 2 + 4, what, "small right")
        y += height
    frames = (("zeros", "none"), ("table", ""), ("table", ""), ("page", "cached"), ("free", "none"), ("page", "cached"),
              ("page", "cached"), ("table", ""), ("free", "none"))
    for i, (what, style) in enumerate(frames):
        p.lines.append(f'  <rect class="{style}" x="272" y="{26 + 30 * i}" width="74" height="30"/>')
        p.text(309, 45 + 30 * i, what, "dark")
    p.text(264, 45, "0", "small right")
    p.text(264, 75, "1", "small right")
    p.way("M228 77 C262 77 236 132 271 132")
    p.text(266, 150, "n", "small right")
    p.text(272, 316, "frame n begins", "small left")
    p.text(272, 330, "n pages above", "small left")
    p.text(272, 344, "memory.base", "small left")
    p.text(8, y + 18, "Records name each other by numbers: a copy of both is a snapshot.", "small left")
    p.save()


def walk(name, title, description, above, root, tables, offset, page, notes):
    """A virtual address over the tables that its fields are indexes of; the last column is the page.

    above and offset are bit ranges ("" for none), tables are (bits, names), root and page are words.
    """
    height = 178 + 14 * len(notes)
    p = Picture(name, height, title, description)
    fields = ([above] if above else []) + [bits for bits, _ in tables] + [offset]
    step = 348 / len(fields)
    first = 6 + step * (1 if above else 0)
    p.text(6, 14, "virtual address", "small left")
    for i, bits in enumerate(fields):
        style = "none" if above and i == 0 else "cached" if i == len(fields) - 1 else ""
        p.lines.append(f'  <rect class="{style}" x="{6 + step * i:g}" y="20" width="{step:g}" height="24"/>')
        p.text(6 + step * (i + 0.5), 36, bits, "dark")
    p.text(6, 124, root, "dark left")
    width, base, entry = 32, 138, 92
    for i in range(len(tables) + 1):
        middle = first + step * (i + 0.5)
        last = i == len(tables)
        style = "cached" if last else ""
        p.lines.append(f'  <rect class="{style}" x="{middle - width / 2:g}" y="70" width="{width}" height="{base - 70}"/>')
        p.lines.append(f'  <rect x="{middle - width / 2:g}" y="{entry - 6}" width="{width}" height="12"/>')
        p.way(f"M{middle:g} 44 V{entry - 7}")
        if i:
            before = middle - step + width / 2
            p.way(f"M{before:g} {entry} H{(before + middle - width / 2) / 2:g} V{base - 4} H{middle - width / 2 - 1:g}")
        words = page if last else tables[i][1]
        p.text(middle, base + 14, words[0], "dark")
        p.text(middle, base + 27, words[1], "small")
    start = first + step * 0.5 - width / 2 - 1
    p.way(f"M{start - 14:g} {base - 4} H{start:g}")
    for i, line in enumerate(notes):
        p.text(6, 184 + 14 * i, line, "small left")
    p.save()


def architectures():
    walk("walk_riscv", "A walk of Sv39",
         "Bits 63 to 39 of the address are copies of bit 38. Bits 38 to 30 are the index in the root table of level 2, 29 to "
         "21 in a table of level 1, 20 to 12 in a table of level 0; each table has 512 entries of 8 bytes. Bits 11 to 0 are "
         "the offset in the page of 4 KiB.",
         "63:39", "satp", [("38:30", ("level 2", "1 GiB")), ("29:21", ("level 1", "2 MiB")),
                           ("20:12", ("level 0", "4 KiB"))], "11:0", ("page", "4 KiB"),
         ("Sizes: what one entry covers. 63:39 are copies of bit 38.",))
    walk("walk_x86", "A walk of four levels",
         "Bits 63 to 48 of the address are copies of bit 47. Bits 47 to 39 are the index in the PML4, 38 to 30 in a page "
         "directory pointer table, 29 to 21 in a page directory, 20 to 12 in a page table; each has 512 entries of 8 bytes. "
         "Bits 11 to 0 are the offset in the page of 4 KiB. Rights count at every level.",
         "63:48", "CR3", [("47:39", ("PML4", "512 GiB")), ("38:30", ("PDPT", "1 GiB")),
                          ("29:21", ("PD", "2 MiB")), ("20:12", ("PT", "4 KiB"))], "11:0", ("page", "4 KiB"),
         ("Sizes: what one entry covers. 63:48 are copies of bit 47.",
          "R/W, U/S and XD count at every level; A is set at every level."))
    walk("walk_arm64", "A walk with the granule of 4 KiB and T0SZ 16",
         "Bits 63 to 48 of the address are 0 with TTBR0 and 1 with TTBR1. Bits 47 to 39 are the index in the table of level "
         "0, 38 to 30 of level 1, 29 to 21 of level 2, 20 to 12 of level 3; each has 512 entries of 8 bytes. Bits 11 to 0 are "
         "the offset in the page of 4 KiB.",
         "63:48", "TTBR", [("47:39", ("level 0", "512 GiB")), ("38:30", ("level 1", "1 GiB")),
                           ("29:21", ("level 2", "2 MiB")), ("20:12", ("level 3", "4 KiB"))], "11:0",
         ("page", "4 KiB"),
         ("Levels as in the manual; sizes: what one entry covers.",
          "63:48 are 0 with TTBR0, 1 with TTBR1."))
    walk("walk_arm32", "A walk of short descriptors",
         "Bits 31 to 20 of the address are the index in the first level of 4096 entries, 19 to 12 in the second of 256 entries; "
         "entries have 4 bytes. Bits 11 to 0 are the offset in the small page of 4 KiB.",
         "", "TTBR", [("31:20", ("first level", "1 MiB")), ("19:12", ("second level", "4 KiB"))], "11:0",
         ("small page", "4 KiB"),
         ("Sizes: what one entry covers.", "A section ends the walk at the first level."))
    pair()


def pair():
    p = Picture(
        "walk_mips", 262, "A look into the TLB",
        "The upper bits of the address are VPN2, and are compared with those of every entry as far as its PageMask leaves them; "
        "the ASID is compared unless the entry is global. With pages of 4 KiB bit 12 chooses between EntryLo0 and EntryLo1, and "
        "bits 11 to 0 are the offset. When no entry matches, the guest's refill handler writes one.")
    p.text(6, 14, "virtual address, pages of 4 KiB", "small left")
    for x, width, bits, style in ((6, 190, "31:13  VPN2", ""), (196, 48, "12", ""), (244, 110, "11:0  offset", "cached")):
        p.lines.append(f'  <rect class="{style}" x="{x}" y="20" width="{width}" height="24"/>')
        p.text(x + width / 2, 36, bits, "dark")
    p.text(6, 74, "TLB", "small left")
    rows = (("EntryHi", "VPN2, ASID"), ("PageMask", "size"), ("EntryLo0", "even page"), ("EntryLo1", "odd page"))
    for i, (word, what) in enumerate(rows):
        x = 6 + 81 * i
        p.lines.append(f'  <rect class="none" x="{x}" y="80" width="81" height="18"/>')
        p.lines.append(f'  <rect x="{x}" y="98" width="81" height="32"/>')
        p.lines.append(f'  <rect class="none" x="{x}" y="130" width="81" height="18"/>')
        p.text(x + 40.5, 111, word, "dark")
        p.text(x + 40.5, 124, what)
    p.way("M50 44 V97")
    p.text(56, 66, "compared", "dark left")
    p.way("M214 44 V62 H208 V97")
    p.text(202, 60, "0", "dark right")
    p.way("M228 44 V62 H288 V97")
    p.text(294, 74, "1", "dark left")
    p.box(196, 186, 158, 30, ["PFN : offset"], "cached")
    p.way("M224 130 V185")
    p.way("M290 130 V185")
    p.way("M342 44 V185", "dashed")
    p.box(6, 186, 140, 30, ["refill exception"])
    p.way("M50 130 V185", "dashed")
    p.text(56, 168, "no entry matches", "dark left")
    p.text(6, 238, "PageMask widens the page: the bits it covers are not", "small left")
    p.text(6, 252, "compared, and the bit that chooses moves up.", "small left")
    p.save()


if __name__ == "__main__":
    architectures()
    states()
    steps()
    block()
