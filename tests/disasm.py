#!/usr/bin/env python3
"""Is a stamped load as short as a hand-written one?

Compiles tests/disasm.c with gcc and clang, follows the hit path of both loads through the machine
code and prints them side by side. Fails when ours makes a call, jumps backward, or is more than
EXTRA instructions longer; and when the hit paths of RISC-V, x86 and AArch64 are not instruction by
instruction the same: they read the front's slots and the gate, so that neither an architecture nor
tracking, watchpoints and hooks, which are state elsewhere, can add anything. x86-64 only.

The hit path is the shortest way from a function's entry to a `ret` that makes no call, loads
through an address which was itself computed from a loaded word (the addend), and stores what it
loaded there (the result).
"""

import heapq
import itertools
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRA = 3
STEPS = 500_000  # of the search, before it gives up

# Every name of a 64-bit register and its parts.
REGISTER = {}
for r in "abcd":
    REGISTER.update({n: f"r{r}x" for n in (f"r{r}x", f"e{r}x", f"{r}x", f"{r}l", f"{r}h")})
for r in ("si", "di", "bp", "sp"):
    REGISTER.update({n: f"r{r}" for n in (f"r{r}", f"e{r}", r, f"{r}l")})
for r in range(8, 16):
    REGISTER.update({n: f"r{r}" for n in (f"r{r}", f"r{r}d", f"r{r}w", f"r{r}b")})


class Instruction:
    def __init__(self, address, text):
        self.address = address
        self.text = re.sub(r"\s+", " ", text.split("#")[0]).strip()
        self.name, _, operands = self.text.partition(" ")
        self.operands = [o.strip() for o in re.split(r",(?![^(]*\))", operands) if o.strip()]
        self.leaves = False  # a relocation follows: control or data outside the function

    @property
    def is_return(self):
        return self.name in ("ret", "retq") or self.text.startswith(("repz ret", "rep ret"))

    @property
    def is_jump(self):
        return self.name.startswith("j")

    @property
    def is_padding(self):
        return self.name.startswith(("nop", "endbr")) or "nop" in self.text.split()

    @property
    def target(self):
        found = re.match(r"([0-9a-f]+)\b", self.operands[0]) if self.operands else None
        return int(found.group(1), 16) if found else None


def disassemble(compiler, object_file):
    """{function's name: [Instruction]}"""
    command = [compiler, "-std=c11", "-O2", "-fcf-protection=none", "-I.", "-c",
               "-o", str(object_file), "tests/disasm.c"]
    subprocess.run(command, check=True)
    listing = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(object_file)],
                             check=True, text=True, stdout=subprocess.PIPE).stdout
    functions, body = {}, []
    for line in listing.split("\n"):
        if found := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            body = functions.setdefault(found.group(1), [])
        elif re.match(r"\s+[0-9a-f]+: R_X86_64_", line):
            body[-1].leaves = True
        elif found := re.match(r"\s+([0-9a-f]+):\s+(.*)", line):
            body.append(Instruction(int(found.group(1), 16), found.group(2)))
    return functions


def registers_in(operand):
    return [REGISTER[n] for n in re.findall(r"%(\w+)", operand) if n in REGISTER]


# What a register is known to hold along one path.
PLAIN, LOADED, FETCHED = 0, 1, 2  # FETCHED: loaded through an address computed from a loaded word


def step(known, i):
    """What the registers hold after instruction i, and whether it stores a FETCHED value."""
    if not i.operands or i.is_jump or i.is_return:
        return known, False
    *sources, destination = i.operands
    compares = i.name.startswith(("cmp", "test", "bt")) or i.name in ("push", "pop")
    value = PLAIN
    for source in sources:
        value = max([value, *(known.get(r, PLAIN) for r in registers_in(source))])
        if "(" in source and not i.name.startswith("lea"):
            value = FETCHED if value else LOADED
    if compares:
        return known, False
    if "(" in destination:
        return known, value == FETCHED
    written = registers_in(destination)
    if not written:
        return known, False
    overwrites = i.name.startswith(("mov", "lea", "set"))
    if i.name.startswith("xor") and sources and registers_in(sources[0]) == written:
        value, overwrites = PLAIN, True
    if not overwrites:
        value = max(value, known.get(written[0], PLAIN))
    return {**known, written[0]: value}, False


def hit_path(body):
    """The instructions of the shortest hit path, or None."""
    index_of = {i.address: n for n, i in enumerate(body)}
    order = itertools.count()  # breaks ties, so that paths are never compared
    queue = [(0, next(order), 0, (), {}, False)]
    for _ in range(STEPS):
        if not queue:
            return None
        length, _, at, path, known, stored = heapq.heappop(queue)
        i = body[at]
        known, stores = step(known, i)
        stored = stored or stores
        path = path + (at,)
        length += not i.is_padding
        if i.is_return:
            if stored:
                return [body[n] for n in path if not body[n].is_padding]
            continue
        following = [at + 1]
        if i.is_jump:
            inside = None if i.leaves else index_of.get(i.target)
            taken = [] if inside is None else [inside]
            following = taken if i.name in ("jmp", "jmpq") else following + taken
        elif i.name.startswith("call"):
            continue
        for n in following:
            if n < len(body) and n not in path:
                heapq.heappush(queue, (length, next(order), n, path, known, stored))
    return None


def jumps_backward(path):
    return any(b.address < a.address for a, b in zip(path, path[1:]))


def code(instruction):
    """Its text; a jump without its target."""
    return instruction.name if instruction.is_jump else instruction.text


def compare(compiler):
    """Prints both hit paths; what is wrong with ours, as a list of sentences."""
    object_file = Path(f"build/disasm/{compiler}.o")
    object_file.parent.mkdir(parents=True, exist_ok=True)
    functions = disassemble(compiler, object_file)
    hand, ours = (hit_path(functions[name]) for name in ("hand_load64", "vmm_load64_disasm"))
    if hand is None:
        return ["the hand-written load has no hit path: this script does not understand its code"]
    if ours is None:
        return ["no path from entry to return loads and stores without a call"]

    version = subprocess.run([compiler, "--version"], text=True, stdout=subprocess.PIPE).stdout
    print(f"{version.splitlines()[0]}, -O2: the hit path\n")
    print(f"  {'by hand':38} rv_load64")
    for h, o in itertools.zip_longest(hand, ours):
        print(f"  {h.text if h else '':38} {o.text if o else ''}".rstrip())
    print(f"\n  {f'{len(hand)} instructions':38} {len(ours)} instructions\n")

    wrong = []
    if jumps_backward(ours):
        wrong.append("it jumps backward")
    for other in ("vmm_load64_x86", "vmm_load64_arm64"):
        path = hit_path(functions[other])
        if path is None or [code(i) for i in path] != [code(i) for i in ours]:
            wrong.append(f"{other} has another hit path")
    if len(ours) > len(hand) + EXTRA:
        wrong.append(f"{len(ours) - len(hand)} instructions more than by hand; {EXTRA} are allowed")
    return wrong


def main():
    os.chdir(ROOT)
    if platform.machine() != "x86_64":
        print("disasm: reads x86-64 code only; nothing compared")
        return 0
    failed = False
    for compiler in ("gcc", "clang"):
        try:
            wrong = compare(compiler)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            wrong = [str(error)]
        for sentence in wrong:
            print(f"FAILED  {compiler}: {sentence}")
        failed = failed or bool(wrong)
        if not wrong:
            print(f"ok  {compiler}: no call, no loop, at most {EXTRA} instructions more; x86 and AArch64 the same\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
