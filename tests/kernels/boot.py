#!/usr/bin/env python3
"""Boots Linux in QEMU and keeps its page tables.

    boot.py ARCHITECTURE OUT KERNEL BUSYBOX [WORD...]

ARCHITECTURE is riscv64, x86_64 or arm64; the words are for the kernel's command line.

The kernel runs until a process spins in user mode. Then the machine is stopped, its RAM is dumped, and OUT is
written, text under gzip:

    made VERSIONS                  of QEMU and of Linux
    register NAME VALUE            where a walk begins
    ram BASE BYTES                 the RAM window
    word ADDRESS VALUE             each word of the page tables that is not 0: physical address, 64 bits
    mem ..., tlb ...               lines of the monitor's own walk (`info mem`, `info tlb`)
    gpa VA PA BYTES                where the monitor takes a stretch of pages (`gva2gpa`, page by page: arm64)
    hole VA                        a page next to those, which it takes nowhere

All numbers are hexadecimal. Which pages are tables is found here, by a walk that knows no more than where an entry
has its frame and which entries point on; a table that it missed shows as pages that the monitor alone has. (Of
arm64, where the monitor has no walk of its own, it is also what says which pages are asked for.)
"""

import gzip
import json
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 120  # for the boot, which takes less than ten
RAM = 128 << 20
READY = "the tables are ready"

INIT = f"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox sh -c 'x=$(/bin/busybox dd if=/dev/zero bs=1M count=6 | /bin/busybox tr "\\0" x)
/bin/busybox echo {READY}; while :; do :; done'
"""

RUN = {
    "riscv64": ["qemu-system-riscv64", "-M", "virt"],
    "x86_64": ["qemu-system-x86_64", "-M", "q35", "-cpu", "max"],
    "arm64": ["qemu-system-aarch64", "-M", "virt", "-cpu", "max,lpa2=off"],  # with LPA2 descriptors differ
}
BASE = {"riscv64": 0x80000000, "x86_64": 0, "arm64": 0x40000000}
CONSOLE = {"riscv64": "ttyS0", "x86_64": "ttyS0", "arm64": "ttyAMA0"}
REGISTERS = {"riscv64": ["satp"], "x86_64": ["CR0", "CR3", "CR4", "EFER"],
             "arm64": ["SCTLR", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1"]}
PSTATE_EL1 = 0x3C5  # EL1h, interrupts masked, PAN clear


def initramfs(busybox):
    """A cpio archive ("newc") of busybox, a console and the script above."""
    files = [(name, 0o40755, b"", (0, 0)) for name in ("bin", "dev", "proc")]
    files += [("dev/console", 0o20600, b"", (5, 1)), ("bin/busybox", 0o100755, busybox, (0, 0)),
              ("init", 0o100755, INIT.encode(), (0, 0)), ("TRAILER!!!", 0, b"", (0, 0))]
    archive = b""
    for inode, (name, mode, content, device) in enumerate(files, 1):
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        for part in (header, content):
            archive += part + b"\0" * (-len(part) % 4)
    return archive


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]

    def say(self, line):
        return self.ask("human-monitor-command", **{"command-line": line}).replace("\r", "")


class Debugger:
    """QEMU's stub for gdb, which alone reads system registers of arm64 and writes PSTATE."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def ask(self, text):
        self.socket.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())
        answer = b""
        while not re.search(rb"\$[^#]*#..", answer):
            answer += self.socket.recv(65536)
        self.socket.sendall(b"+")
        return re.search(rb"\$([^#]*)#", answer)[1]

    def file(self, name):
        """A description of registers, in pieces that begin with l (the last one) or m."""
        text = b""
        while True:
            piece = self.ask(f"qXfer:features:read:{name}:{len(text):x},800")
            text += piece[1:]
            if piece[:1] != b"m":
                return text.decode()

    def system_registers(self, names):
        self.ask("qSupported:xmlRegisters=arm")
        self.file("target.xml")
        numbers = dict(re.findall(r'name="(\w+)"[^>]*regnum="(\d+)"', self.file("system-registers.xml")))
        return {name: int.from_bytes(bytes.fromhex(self.ask(f"p{int(numbers[name]):x}").decode()), "little")
                for name in names}


def in_user_mode(architecture, registers):
    """RISC-V: the program counter in the lower half; others: the level that QEMU prints."""
    if architecture == "riscv64":
        return int(re.search(r"\bpc\s+([0-9a-f]+)", registers)[1], 16) < 1 << 63
    return ("CPL=3" if architecture == "x86_64" else "EL0t") in registers


def stop_in_user_mode(monitor, architecture):
    while True:
        monitor.ask("stop")
        registers = monitor.say("info registers")
        if in_user_mode(architecture, registers):
            return registers
        monitor.ask("cont")
        time.sleep(0.05)


def read_registers(architecture, text):
    found = {}
    for name in REGISTERS[architecture]:
        found[name.lower()] = int(re.search(rf"\b{name}\s*=?\s*([0-9a-f]+)", text)[1], 16)
    return found


def walks_of(architecture, registers):
    """`info tlb` tells an entry, `info mem` what all levels grant; with five levels it takes half a minute and
    tells nothing (QEMU 7.2)."""
    if architecture == "riscv64":
        return ["mem"]
    return ["tlb"] if registers["cr4"] >> 12 & 1 else ["tlb", "mem"]


class Geometry:
    """roots: (table, first address that it maps); a leaf below the roots is told by `points` being false."""

    def __init__(self, architecture, registers):
        self.valid = lambda pte: pte & 1
        if architecture == "riscv64":
            satp = registers["satp"]
            self.roots = [((satp & (1 << 44) - 1) << 12, 0)]
            self.levels = {8: 3, 9: 4, 10: 5}[satp >> 60]
            self.frame = lambda pte: (pte >> 10 & (1 << 44) - 1) << 12
            self.points = lambda pte: pte & 15 == 1
        elif architecture == "x86_64":
            self.frame = lambda pte: pte & 0x000FFFFFFFFFF000
            self.roots = [(self.frame(registers["cr3"]), 0)]
            self.levels = 5 if registers["cr4"] >> 12 & 1 else 4
            self.points = lambda pte: pte & 0x81 == 1
        else:
            tcr = registers["tcr_el1"]
            if (tcr & 63, tcr >> 16 & 63, tcr >> 14 & 3, tcr >> 30 & 3) != (16, 16, 0, 2):
                raise RuntimeError(f"not two halves of 48 bits in pages of 4 KiB: TCR_EL1 {tcr:x}")
            self.frame = lambda pte: pte & 0x0000FFFFFFFFF000
            self.roots = [(self.frame(registers["ttbr0_el1"]), 0), (self.frame(registers["ttbr1_el1"]), -1 << 48)]
            self.levels = 4
            self.points = lambda pte: pte & 3 == 3

    def entries(self, ram, base):
        """Every valid entry: (table, level, first address that it maps, entry)."""
        todo = [(table, self.levels - 1, va) for table, va in self.roots]
        while todo:
            table, level, va = todo.pop()
            if not base <= table < base + len(ram):
                continue
            for index, pte in enumerate(struct.unpack_from("<512Q", ram, table - base)):
                if self.valid(pte):
                    below = va + (index << 12 + 9 * level)
                    yield table, level, below, pte
                    if level and self.points(pte):
                        todo.append((self.frame(pte), level - 1, below))


def pages_told(monitor, leaves):
    """Lines of where the monitor takes every page of the leaves, (address, bytes), and the pages next to them."""
    def told(va):
        found = re.search(r"gpa: 0x([0-9a-f]+)", monitor.say(f"gva2gpa {va & (1 << 64) - 1:#x}"))
        return found and int(found[1], 16)

    stretches = []
    holes = set()
    for va, size in leaves:
        holes |= {va - 4096, va + size}
        for page in range(va, va + size, 4096):
            pa = told(page)
            last = stretches[-1] if stretches else None
            if pa is None:
                continue
            if last and (last[0] + last[2], last[1] + last[2]) == (page, pa):
                last[2] += 4096
            else:
                stretches.append([page, pa, 4096])
    lines = [f"gpa {va & (1 << 64) - 1:x} {pa:x} {size:x}" for va, pa, size in stretches]
    return lines + [f"hole {va & (1 << 64) - 1:x}" for va in sorted(holes) if told(va) is None]


def wait_until_ready(machine, console):
    end = time.monotonic() + SECONDS
    while not console.exists() or READY not in console.read_text(errors="replace"):
        if time.monotonic() > end or machine.poll() is not None:
            raise RuntimeError("the kernel did not come up:\n" + console.read_text(errors="replace")[-2000:])
        time.sleep(0.1)


def look(architecture, monitor, work):
    """Stops the machine and asks the monitor; the lines to be kept."""
    text = stop_in_user_mode(monitor, architecture)
    version = monitor.ask("query-version")["qemu"]
    lines = [f"made QEMU {version['major']}.{version['minor']}.{version['micro']}, "]
    debugger = Debugger(work / "debugger") if architecture == "arm64" else None
    if debugger:
        registers = debugger.system_registers(REGISTERS[architecture])
        registers = {name.lower(): value for name, value in registers.items()}
    else:
        registers = read_registers(architecture, text)
    lines += [f"register {name} {value:x}" for name, value in registers.items()]
    base = BASE[architecture]
    lines.append(f"ram {base:x} {RAM:x}")
    monitor.ask("pmemsave", val=base, size=RAM, filename=str(work / "ram"))
    ram = (work / "ram").read_bytes()
    geometry = Geometry(architecture, registers)
    entries = list(geometry.entries(ram, base))
    for table in sorted({entry[0] for entry in entries}):
        lines += [f"word {table + 8 * i:x} {word:x}"
                  for i, word in enumerate(struct.unpack_from("<512Q", ram, table - base)) if word]
    if debugger:
        debugger.ask(f"P21={struct.pack('<I', PSTATE_EL1).hex()}")  # gva2gpa asks with the rights of now
        leaves = [(va, 4096 << 9 * level) for _, level, va, pte in entries if not level or not geometry.points(pte)]
        return lines + pages_told(monitor, sorted(leaves))
    for walk in walks_of(architecture, registers):
        lines += [f"{walk} {line}" for line in monitor.say(f"info {walk}").splitlines()
                  if re.match(r"[0-9a-f]{8}", line)]
    return lines


def boot(architecture, kernel, busybox, words, work):
    """Runs QEMU until the process spins; the lines to be kept."""
    console, path = work / "console", work / "monitor"
    (work / "initramfs").write_bytes(initramfs(Path(busybox).read_bytes()))
    command = [*RUN[architecture], "-m", f"{RAM >> 20}", "-smp", "1", "-display", "none", "-serial", f"file:{console}",
               "-no-reboot", "-qmp", f"unix:{path},server=on,wait=off", "-gdb",
               f"unix:{work / 'debugger'},server=on,wait=off", "-kernel", kernel, "-initrd", str(work / "initramfs"),
               "-append", " ".join([f"console={CONSOLE[architecture]}", "panic=-1", *words])]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until_ready(machine, console)
        lines = look(architecture, Monitor(path), work)
    finally:
        machine.kill()
        machine.wait()
    banner = re.search(r"Linux version (\S+)", console.read_text(errors="replace"))[1]
    lines[0] += f"Linux {banner}"
    return lines


def main(architecture, out, kernel, busybox, *words):
    with tempfile.TemporaryDirectory() as work:
        lines = boot(architecture, kernel, busybox, words, Path(work))
    with open(out, "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
        packed.write(("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
