#!/usr/bin/env bash
# x86 segment registers on QEMU and on Bochs: bare-metal programs of ours load DS, ES, SS, FS, GS and CS with every
# descriptor of tests/machine/seg_cases.h, in every ring; the same loads by vmm.h must come out the same. Bochs checks
# limits and types on access too, so there they make accesses at the edges of segments as well. Prints TAP, a line for
# each machine and mode. Skipped where the tools are not installed.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
freestanding="-ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse -mno-mmx
              -mno-red-zone -nostdlib -static -no-pie -Wl,--build-id=none"
count=0
failed=0

# skip MACHINE REASON: both modes of a machine
skip() {
    for mode in protected 64-bit; do
        ((count += 1))
        echo "ok $count - x86 segments on $1, $mode mode # SKIP $2"
    done
}

# fail NAME OUTPUT
fail() {
    failed=1
    ((count += 1))
    echo "not ok $count - $1"
    head -n 20 <<<"$2" | sed 's/^/# /'
}

# lacks TOOL...: the first that is not there
lacks() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed" && return; }
    done
    echo 'int probe(void) { return 0; }' | gcc -m32 -nostdlib -shared -x c -o "$work/probe" - -lgcc 2>/dev/null ||
        echo "gcc -m32 is not installed"
}

# build NAME BITS OPTION: a guest
build() {
    # shellcheck disable=SC2086
    gcc -m"$2" -std=c11 -O1 $warnings $freestanding $3 -I. -T tests/machine/x86.ld -o "$work/$1" \
        tests/machine/seg_start.S tests/machine/seg_guest.c -lgcc 2>&1
}

# The 32-bit ELF that multiboot asks for. It ends through isa-debug-exit, which makes the status 1.
on_qemu() {
    build guest "$1" "" && objcopy -O elf32-i386 "$work/guest" "$work/guest.elf" || return
    timeout 120 qemu-system-x86_64 -M pc -cpu max -m 32 -nodefaults -display none -debugcon "file:$work/out" \
        -device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot -kernel "$work/guest.elf" </dev/null >"$work/log" 2>&1
    [ $? = 1 ] && return
    cat "$work/log"
    return 1
}

# A ROM with the program in it. Bochs has a port for text that appears on its standard output, and one that ends it;
# Debian's comes with its debugger, which has to be told to go on.
on_bochs() {
    local start
    build guest "$1" -DSEG_ACCESSES=1 && objcopy -O binary "$work/guest" "$work/guest.bin" || return
    start=0x$(nm "$work/guest" | sed -n 's/ T x86_start$//p')
    gcc -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-e,0 -Wl,--section-start=.rom=0xfffff000 \
        "-DSTART=$start" -o "$work/rom" tests/machine/seg_rom.S 2>&1 &&
        objcopy -O binary -j .rom "$work/rom" "$work/rom.bin" || return
    { cat "$work/guest.bin" /dev/zero | head -c 61440 && cat "$work/rom.bin"; } >"$work/bios.bin"
    printf '%s\n' "romimage: file=$work/bios.bin, address=0xffff0000" "log: $work/log" 'megs: 32' \
        'vga: extension=none' 'config_interface: textconfig' 'display_library: rfb, options="timeout=0"' \
        'port_e9_hack: enabled=1' \
        'cpu: model=corei7_sandy_bridge_2600k, ips=50000000, reset_on_triple_fault=0' 'clock: sync=none' \
        'panic: action=fatal' 'boot: floppy' >"$work/bochsrc"
    echo c >"$work/go"
    timeout 120 bochs -q -f "$work/bochsrc" -rc "$work/go" >"$work/out" 2>"$work/errors" </dev/null
    grep -q '^#end' "$work/out" && return
    tail -n 5 "$work/errors" "$work/out"
    return 1
}

# shellcheck disable=SC2086
if output=$(gcc -std=c11 -O0 -I. $warnings -o "$work/host" tests/machine/seg_host.c 2>&1); then
    for machine in QEMU Bochs; do
        why=$(lacks "$([ $machine = QEMU ] && echo qemu-system-x86_64 || echo bochs)" objcopy nm)
        if [ -n "$why" ]; then
            skip $machine "$why"
            continue
        fi
        for bits in 32 64; do
            if ! output=$(if [ $machine = QEMU ]; then on_qemu $bits; else on_bochs $bits; fi); then
                fail "x86 segments on $machine, $bits bits: the program ends" "$output"
                continue
            fi
            sed '0,/^#begin/d' "$work/out" >"$work/told"
            ((count += 1))
            "$work/host" $machine $bits "$work/told" "$count" || failed=1
        done
    done
else
    fail "the comparison is built" "$output"
fi
echo "1..$count"
exit $failed
