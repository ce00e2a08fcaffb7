#!/usr/bin/env bash
# examples/rv64.c runs the programs of tests/rv64: alone, with the missing-flush detector, and each prints in QEMU what
# it prints here. Prints TAP. What needs a tool that is not installed is skipped.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
programs="insn random traps timer atomics code sv39 sv48 sv57 user missing compute"

# skip NAME TOOL
skip() {
    ((count += 1))
    echo "ok $count - $1 # SKIP $2 is not installed"
}

# build NAME SOURCE FLAGS...: a program of tests/rv64. Comparisons in macros with constants are meant.
build() {
    local name=$1 source=$2
    shift 2
    # shellcheck disable=SC2086
    riscv64-unknown-elf-gcc -std=c11 -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -O2 -ffreestanding \
        -nostdlib $warnings -Wno-type-limits "$@" -I. -Itests/rv64 -T tests/rv64/link.ld -o "$work/$name" \
        tests/rv64/start.S tests/rv64/support.c "tests/rv64/$source.c" 2>&1
}

# emulate OPTIONS... PROGRAM: what it prints, and its status when that is not 0
emulate() {
    local status
    timeout 120 "$work/rv64" --limit 2000000000 "$@" 2>&1
    status=$?
    [ $status = 0 ] || echo "status $status"
}

# in_qemu PROGRAM: the same. Extensions that our hart has not are off, where this QEMU knows them.
in_qemu() {
    local status
    timeout 120 qemu-system-riscv64 -M virt -cpu rv64,zba=off,zbb=off,zbc=off,zbs=off,h=off -m 128 -bios none \
        -display none -monitor none -serial stdio -kernel "$1" 2>&1 </dev/null
    status=$?
    [ $status = 0 ] || echo "status $status"
}

# passed NAME OUTPUT: its last line is what a program says that found all as it must be
passed() {
    [[ $(tail -n 1 <<<"$2") =~ ^$1:\ [0-9]+\ checks$ ]]
}

# The emulator itself: with both compilers, so that neither warns; clang's is the one that is thrown away.
for compiler in clang gcc; do
    # shellcheck disable=SC2086
    output=$($compiler -std=c11 -O1 $warnings -I. -o "$work/rv64" examples/rv64.c 2>&1)
    tell $? "rv64 builds without a warning, $compiler" "$output"
done
if [ ! -x "$work/rv64" ]; then
    echo "1..$count"
    exit 1
fi
[ "$(wc -l <examples/rv64.c)" -le 1000 ]
tell $? "rv64 is at most 1,000 lines" "$(wc -l examples/rv64.c)"
output=$("$work/rv64" 2>&1)
[ $? = 2 ] && grep -q '^usage: rv64' <<<"$output"
tell $? "rv64 without arguments says how it is used" "$output"
output=$(emulate examples/rv64.c)
[ "$(tail -n 1 <<<"$output")" = "status 2" ] && grep -q 'it is no ELF file' <<<"$output"
tell $? "rv64 says what is wrong with a file that is no program" "$output"

if ! command -v riscv64-unknown-elf-gcc >/dev/null; then
    skip "rv64 runs its programs" riscv64-unknown-elf-gcc
    echo "1..$count"
    exit $failed
fi

for name in $programs; do
    output=$(build "$name" "$name") || tell 1 "$name builds" "$output"
    ours=$(emulate "$work/$name")
    passed "$name" "$ours"
    tell $? "$name passes in rv64" "$ours"
    if command -v qemu-system-riscv64 >/dev/null; then
        theirs=$(in_qemu "$work/$name")
        passed "$name" "$theirs" && [ "$theirs" = "$ours" ]
        tell $? "$name prints the same in QEMU" "$(diff <(echo "$ours") <(echo "$theirs"))"
    else
        skip "$name prints the same in QEMU" qemu-system-riscv64
    fi
    [ "$name" != missing ] || continue
    output=$(emulate --detect "$work/$name")
    passed "$name" "$output" && [ "$output" = "$ours" ]
    tell $? "$name passes with the detector, which finds nothing" "$output"
done

output=$(emulate --detect "$work/missing")
[ "$(tail -n 1 <<<"$output")" = "status 3" ] && [ "$(grep -c 'stale read of 0x10000ab000' <<<"$output")" = 1 ]
tell $? "the detector finds the fence that missing.c forgets" "$output"

# What QEMU does otherwise than the manual says, or allows.
while read -r name sentence; do
    output=$(build exact "$name" -DEXACT) && output=$(emulate "$work/exact") && passed "$name" "$output"
    tell $? "$sentence" "$output"
done <<'EXACT'
code a store changes the very next instruction at once
traps mret to a lower mode clears MPRV
insn minstret counts each instruction, from the value that was written
EXACT

output=$(emulate --stats --explain 0x80000000 "$work/user")
grep -qE '^walks from the root +[1-9]' <<<"$output" && grep -qE '^trap +15 store page +69$' <<<"$output" &&
    grep -qF 'VA     0x' <<<"$output"
tell $? "statistics and the explanation of an address are printed" "$output"

output=$(emulate --limit 1000 "$work/insn")
grep -q 'the limit of instructions is reached' <<<"$output"
tell $? "a limit of instructions ends a program" "$output"

cat >"$work/status.S" <<'SOURCE'
    .globl _start, tohost
_start:
    la a0, tohost
    li a1, 85
    sd a1, 0(a0)
1:  j 1b
    .data
    .balign 8
tohost:
    .dword 0
SOURCE
output=$(riscv64-unknown-elf-gcc -march=rv64imac -mabi=lp64 -nostdlib -Wl,-N,-Ttext=0x80000000 -o "$work/status" \
    "$work/status.S" 2>&1 && emulate "$work/status")
[ "$(tail -n 1 <<<"$output")" = "status 42" ]
tell $? "a program that stores 85 to tohost ends with status 42" "$output"

printf '_start: .globl _start\n lw a0, 0(zero)\n' >"$work/lost.S"
output=$(riscv64-unknown-elf-gcc -march=rv64imac -mabi=lp64 -nostdlib -Wl,-N,-Ttext=0x80000000 -o "$work/lost" \
    "$work/lost.S" 2>&1 && emulate "$work/lost")
grep -q 'traps at its first instruction' <<<"$output"
tell $? "a trap without a handler ends the program, and is told" "$output"
echo "1..$count"
exit $failed
