#!/usr/bin/env bash
# AArch64 on QEMU: a bare-metal program of ours makes every case of tests/machine/arm64_cases.h on the machine's own
# MMU, with page tables that vmm.h made too; the same cases on our MMU must come out the same. Prints TAP: a line for
# each granule and half of the address space, by CPU and by the stages of our MMU. Without the tools it is skipped.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
lists=6
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

guest() {
    # shellcheck disable=SC2086
    clang --target=aarch64-none-elf -march=armv8.1-a -fuse-ld=lld -std=c11 -O1 -ffreestanding -nostdlib \
        -mgeneral-regs-only -mstrict-align $warnings -I. -T tests/machine/arm64_ram.ld -o "$work/guest" \
        tests/machine/arm64_guest.c tests/machine/arm64_start.S
}

# run CPU: what the program told is left in a file of that name
run() {
    timeout 120 qemu-system-aarch64 -M virt -cpu "$1" -m 1536 -display none -monitor none -serial none \
        -semihosting-config enable=on,target=native -kernel "$work/guest" </dev/null >"$work/$1"
}

# host NAME STAGES: without optimisation, which takes longer than it saves
host() {
    # shellcheck disable=SC2086
    gcc -std=c11 -O0 $warnings -I. "-DARM64_STAGES=$2" "-DARM64_STAGES_NAME=\"$1\"" -o "$work/host" \
        tests/machine/arm64_host.c
}

# bad NAME: what was built or run says why
bad() {
    echo "not ok $((count + 1)) - $1"
    head -n 20 "$work/errors" | sed 's/^/# /'
    failed=1
}

while read -r cpu stages name; do
    if tool=$(lacks qemu-system-aarch64 clang ld.lld gcc); then
        for ((list = 1; list <= lists; list++)); do
            echo "ok $((count + list)) - AArch64, $cpu, $name, list $list # SKIP $tool is not installed"
        done
    elif ! { [ -e "$work/guest" ] || guest; } 2>"$work/errors"; then
        bad "the program for AArch64 is built"
    elif ! { [ -e "$work/$cpu" ] || run "$cpu"; } 2>"$work/errors"; then
        bad "the program for AArch64 runs on $cpu"
    elif ! host "$name" "$stages" 2>"$work/errors"; then
        bad "the host program is built with $name"
    else
        "$work/host" "$work/$cpu" "$cpu" $((count + 1)) || failed=1
    fi
    ((count += lists))
done <<'RUNS'
max VMM_STAGES_FAST fast stages
max VMM_STAGES_TLB(4,2,VMM_LRU) modelled TLB
cortex-a76 VMM_STAGES_DETECT missing-flush detector
RUNS
echo "1..$count"
exit $failed
