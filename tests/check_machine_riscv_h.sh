#!/usr/bin/env bash
# A RISC-V hart of QEMU with the hypervisor extension makes every access of tests/machine/riscv_h_cases.h, through two
# stages of translation or under physical memory protection, and an MMU of ours makes them here: the same outcomes, line
# by line. Prints TAP. Without the tools it is skipped.
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

# build: the guest and the host
build() {
    # shellcheck disable=SC2086
    riscv64-unknown-elf-gcc -std=c11 -O1 -ffreestanding -nostdlib $warnings -misa-spec=2.2 -march=rv64imac -mabi=lp64 \
        -mcmodel=medany -I. -T examples/rtos/ram.ld -Wl,--defsym=origin=0x80000000 -Wl,--no-warn-rwx-segments \
        -o "$work/guest" tests/machine/riscv_h_guest.c -lgcc &&
        gcc -std=c11 -O1 $warnings -I. -o "$work/host" tests/machine/riscv_h_host.c
}

# guest RUN: finds RUN in its memory, and tells its cases by semihosting on QEMU's output
guest() {
    timeout 120 qemu-system-riscv64 -M virt -m 16 -cpu rv64,h=true,svnapot=on,svpbmt=on -bios none \
        -kernel "$work/guest" -device "loader,addr=0x80300000,data=$1,data-len=4" \
        -semihosting-config enable=on,target=native -display none -serial none -monitor none </dev/null >"$work/told"
}

# The number of a run is MODE of vsatp and 256 times that of hgatp, or HYP_PMP.
while read -r run name; do
    ((count += 1))
    if tool=$(lacks gcc riscv64-unknown-elf-gcc qemu-system-riscv64); then
        echo "ok $count - $name # SKIP $tool is not installed"
        continue
    fi
    if { [ -e "$work/host" ] || build >"$work/errors" 2>&1; } && guest "$run" 2>"$work/errors"; then
        "$work/host" "$run" "$work/told" "$count" 2>"$work/errors"
        status=$?
        [ $status -le 1 ] || echo "not ok $count - $name"
    else
        status=2
        echo "not ok $count - $name"
    fi
    [ $status -le 1 ] || head -n 20 "$work/errors" | sed 's/^/# /'
    [ $status -eq 0 ] || failed=1
done <<'RUNS'
2056 Sv39 behind Sv39x4
2313 Sv48 behind Sv48x4
2570 Sv57 behind Sv57x4
2058 Sv57 behind Sv39x4
2568 Sv39 behind Sv57x4
65536 physical memory protection
RUNS
echo "1..$count"
exit $failed
