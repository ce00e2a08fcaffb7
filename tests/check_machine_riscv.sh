#!/usr/bin/env bash
# QEMU's RISC-V harts make every access of tests/machine/riscv_cases.h through tables that vmm.h made there, and an MMU
# of ours makes them here: the same outcomes, line by line. Prints TAP. Without the tools it is skipped.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
count=0
failed=0

# lacks TOOL...: prints the first that is not installed
lacks() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null || { echo "$tool" && return 0; }
    done
    return 1
}

# build XLEN: the guest, and the host with fast stages and with a modelled TLB. Without optimisation, which takes longer than it saves.
build() {
    local abi=ilp32
    [ "$1" = 64 ] && abi=lp64
    # shellcheck disable=SC2086
    riscv64-unknown-elf-gcc -std=c11 -O0 -ffreestanding -nostdlib $warnings -misa-spec=2.2 "-march=rv$1imac" \
        "-mabi=$abi" -mcmodel=medany -I. -T examples/rtos/ram.ld -Wl,--defsym=origin=0x80000000 \
        -Wl,--no-warn-rwx-segments -o "$work/guest$1" tests/machine/riscv_guest.c -lgcc &&
        gcc -std=c11 -O0 $warnings -I. "-DRISCV_XLEN=$1" -o "$work/fast$1" tests/machine/riscv_host.c &&
        gcc -std=c11 -O0 $warnings -I. "-DRISCV_XLEN=$1" "-DRISCV_STAGES=VMM_STAGES_TLB(16, 4, VMM_LRU)" \
            -o "$work/tlb$1" tests/machine/riscv_host.c
}

# guest XLEN RUN CPU: finds RUN in its memory, and tells its cases by semihosting on QEMU's output
guest() {
    timeout 120 "qemu-system-riscv$1" -M virt -m 16 -cpu "$3" -bios none -kernel "$work/guest$1" \
        -device "loader,addr=0x80300000,data=$2,data-len=4" -semihosting-config enable=on,target=native \
        -display none -serial none -monitor none </dev/null >"$work/told"
}

# bad NAME: what was built or run says why
bad() {
    echo "not ok $count - $1"
    head -n 20 "$work/errors" | sed 's/^/# /'
    failed=1
}

# host PROGRAM RUN NAME: prints its line itself, unless it dies
host() {
    "$1" "$2" "$work/told" "$count" 2>"$work/errors"
    case $? in
    0) ;;
    1) failed=1 ;;
    *) bad "$3" ;;
    esac
}

while read -r xlen run cpu name; do
    ((count += 1))
    if tool=$(lacks gcc riscv64-unknown-elf-gcc "qemu-system-riscv$xlen"); then
        echo "ok $count - $name # SKIP $tool is not installed"
        continue
    fi
    if { [ ! -e "$work/tlb$xlen" ] && ! build "$xlen" >"$work/errors" 2>&1; } ||
        ! guest "$xlen" "$run" "$cpu" 2>"$work/errors"; then
        bad "$name"
        continue
    fi
    host "$work/fast$xlen" "$run" "$name"
    ((count += 1))
    host "$work/tlb$xlen" "$run" "$name"
done <<'RUNS'
32 1 rv32 Sv32
64 8 rv64,svnapot=on,svpbmt=on Sv39
64 9 rv64,svnapot=on,svpbmt=on Sv48
64 10 rv64,svnapot=on,svpbmt=on Sv57
64 264 rv64,svnapot=off,svpbmt=off Sv39 without Svnapot and Svpbmt
64 265 rv64,svnapot=off,svpbmt=off Sv48 without Svnapot and Svpbmt
64 266 rv64,svnapot=off,svpbmt=off Sv57 without Svnapot and Svpbmt
RUNS
echo "1..$count"
exit $failed
