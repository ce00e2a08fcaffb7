#!/usr/bin/env bash
# x86 on QEMU: bare-metal programs of ours make every access of tests/machine/x86_cases.h on the processor's own MMU,
# through tables that vmm.h made too; the same accesses on our MMU must come out the same: through its front, through
# front, walk cache and modelled TLB, and with the missing-flush detector. Prints TAP, a line for each of these and each
# way of paging. Skipped where the tools are not installed.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
freestanding="-ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse -mno-mmx
              -mno-red-zone -nostdlib -static -no-pie -Wl,--build-id=none"
modes=("two-level" "two-level with PSE" "PAE" "four-level" "five-level")
stages=("VMM_STAGES_FAST" "VMM_STAGES(64, 4, 16, 4, 2, VMM_PLRU)" "VMM_STAGES_DETECT")
names=("front" "modelled TLB" "detector")
count=0
failed=0

# skip REASON: everything
skip() {
    echo "1..${#modes[@]}"
    for ((mode = 0; mode < ${#modes[@]}; mode++)); do
        echo "ok $((mode + 1)) - x86 ${modes[mode]} # SKIP $1"
    done
    exit 0
}

# fail NAME OUTPUT
fail() {
    failed=1
    ((count += 1))
    echo "not ok $count - $1"
    head -n 20 <<<"$2" | sed 's/^/# /'
}

# built NAME OUTPUT, after a compiler
built() {
    [ $? = 0 ] && return
    fail "$1 is built" "$2"
    echo "1..$count"
    exit 1
}

# build BITS: the guest, as the 32-bit ELF that multiboot asks for
build() {
    # shellcheck disable=SC2086
    gcc -m"$1" -std=c11 -O1 $warnings $freestanding -I. -T tests/machine/x86.ld -o "$work/guest$1" \
        tests/machine/x86_start.S tests/machine/x86_guest.c -lgcc 2>&1 &&
        objcopy -O elf32-i386 "$work/guest$1" "$work/guest$1" 2>&1
}

# Two processors, one of them asleep: only then is a locked access one access in QEMU, not a read and a write. 64 MiB
# of memory below 4 GiB and 64 above. The guest ends through isa-debug-exit, which makes the status 1.
run() {
    timeout 60 qemu-system-x86_64 -M pc,max-ram-below-4g=64M -cpu max -smp 2 -m 128 -nodefaults -display none \
        -debugcon "file:$work/told" -device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot \
        -kernel "$work/guest$1" -append "$mode" </dev/null >"$work/output" 2>&1
    [ $? = 1 ] && return
    cat "$work/output"
    tail -n 3 "$work/told"
    return 1
}

for tool in qemu-system-x86_64 gcc objcopy; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done
echo 'int probe(void) { return 0; }' | gcc -m32 -nostdlib -shared -x c -o "$work/probe" - -lgcc 2>/dev/null ||
    skip "gcc -m32 is not installed"

for bits in 32 64; do
    output=$(build $bits)
    built "the program of $bits bits" "$output"
done
for i in "${!stages[@]}"; do
    # Not optimized: the compiler would take longer than everything else here.
    # shellcheck disable=SC2086
    output=$(gcc -std=c11 -O0 $warnings -I. "-DX86_STAGES=${stages[i]}" "-DX86_STAGES_NAME=\"${names[i]}\"" \
        -o "$work/host$i" tests/machine/x86_host.c 2>&1)
    built "the comparison, ${names[i]}" "$output"
done
for ((mode = 0; mode < ${#modes[@]}; mode++)); do
    if ! output=$(run $((mode < 3 ? 32 : 64))); then
        fail "x86 ${modes[mode]}: the program ends" "$output"
        continue
    fi
    for i in "${!stages[@]}"; do
        ((count += 1))
        "$work/host$i" "$mode" "$work/told" "$count" || failed=1
    done
done
echo "1..$count"
exit $failed
