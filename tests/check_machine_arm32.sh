#!/usr/bin/env bash
# ARMv7-A on QEMU: a bare-metal program of ours makes every case of tests/machine/arm32_cases.h on the machine's own
# MMU, through short descriptors; the same cases on our MMU must come out the same. Prints TAP: a line for each kind of
# stages of our MMU. Without the tools it is skipped.
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

guest() {
    # shellcheck disable=SC2086
    arm-none-eabi-gcc -mcpu=cortex-a15 -marm -mfloat-abi=soft -mno-unaligned-access -std=c11 -O1 -ffreestanding \
        -nostdlib $warnings -I. -Wl,-Ttext=0x40100000 -Wl,--build-id=none -o "$work/guest" \
        tests/machine/arm32_guest.c tests/machine/arm32_start.S -lgcc
}

# TTBCR has PD0 and PD1 only with the security extensions.
run() {
    timeout 60 qemu-system-arm -M virt,highmem=off,secure=on -cpu cortex-a15 -m 16 -display none -monitor none \
        -serial none -semihosting-config enable=on,target=native -kernel "$work/guest" </dev/null >"$work/told"
}

# host NAME STAGES: without optimisation, which takes longer than it saves
host() {
    # shellcheck disable=SC2086
    gcc -std=c11 -O0 $warnings -I. "-DARM32_STAGES=$2" "-DARM32_STAGES_NAME=\"$1\"" -o "$work/host" \
        tests/machine/arm32_host.c
}

# bad NAME: what was built or run says why
bad() {
    echo "not ok $count - $1"
    head -n 20 "$work/errors" | sed 's/^/# /'
    failed=1
}

while read -r stages name; do
    ((count += 1))
    if tool=$(lacks qemu-system-arm arm-none-eabi-gcc gcc); then
        echo "ok $count - ARMv7-A short descriptors, $name # SKIP $tool is not installed"
    elif ! { [ -e "$work/guest" ] || guest; } 2>"$work/errors"; then
        bad "the program for ARMv7-A is built"
    elif ! { [ -e "$work/told" ] || run; } 2>"$work/errors"; then
        bad "the program for ARMv7-A runs"
    elif ! host "$name" "$stages" 2>"$work/errors"; then
        bad "the host program is built with $name"
    else
        "$work/host" "$work/told" $count || failed=1
    fi
done <<'RUNS'
VMM_STAGES_FAST fast stages
VMM_STAGES_TLB(16,4,VMM_LRU) modelled TLB
VMM_STAGES_DETECT missing-flush detector
RUNS
echo "1..$count"
exit $failed
