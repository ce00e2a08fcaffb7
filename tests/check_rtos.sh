#!/usr/bin/env bash
# The RTOS porter's program runs freestanding under QEMU and prints what it prints hosted; the code of vmm_alloc.h
# keeps within its budgets. Prints TAP. A target whose tools are not installed is skipped.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"

# lacks TOOL...: one of them is not installed
lacks() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null || return 0
    done
    return 1
}

# build LEVEL COMPILER FLAGS...
build() {
    local level=$1
    shift
    # shellcheck disable=SC2086
    "$@" -std=c11 "$level" -ffreestanding -nostdlib $warnings -I. -T examples/rtos/ram.ld -o "$work/program" \
        examples/rtos_heap.c examples/rtos/start.c -lgcc 2>&1
}

# run NAME BITS: the program just built, whose semihosting speaks on stderr
run() {
    case $1 in
    Cortex-M4) set -- qemu-system-arm -M mps2-an386 -cpu cortex-m4 -semihosting-config enable=on,target=native ;;
    *) set -- "qemu-system-riscv$2" -M virt -bios none ;;
    esac
    timeout 60 "$@" -nographic -monitor none -serial stdio -kernel "$work/program" 2>&1 </dev/null
}

output=$(gcc -std=c11 -O2 -I. -o "$work/hosted" examples/rtos_heap.c 2>&1 && "$work/hosted") &&
    [ "$(tail -n 1 <<<"$output")" = ok ]
tell $? "rtos_heap runs hosted" "$output"
hosted=$output

while read -r name bits emulator compiler flags; do
    if lacks "$emulator" "$compiler"; then
        ((count += 1))
        echo "ok $count - rtos_heap runs on $name # SKIP $emulator or $compiler is not installed"
        continue
    fi
    for level in -O0 -Os -O2; do
        # shellcheck disable=SC2086
        output=$(build $level "$compiler" $flags) && output=$(run "$name" "$bits") && [ "$output" = "$hosted" ]
        tell $? "rtos_heap prints the same on $name as hosted, $level" "$output"
    done
done <<'TARGETS'
Cortex-M4 32 qemu-system-arm arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb
RV32 32 qemu-system-riscv32 riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 -Wl,--defsym=origin=0x80000000
RV64 64 qemu-system-riscv64 riscv64-unknown-elf-gcc -march=rv64imac -mabi=lp64 -mcmodel=medany -Wl,--defsym=origin=0x80000000
TARGETS

if lacks arm-none-eabi-gcc; then
    ((count += 1))
    echo "ok $count - the code for Cortex-M4 keeps within its budgets # SKIP arm-none-eabi-gcc is not installed"
else
    output=$(tests/bench/alloc_size.sh cortex-m4 2>&1)
    for part in heap all; do
        read -r _ bytes budget _ < <(grep "^$part " <<<"$output")
        [ "${bytes:-99999}" -le "${budget:-0}" ]
        tell $? "the code of $part for Cortex-M4 keeps within ${budget:-its} bytes" "$output"
    done
fi
echo "1..$count"
exit $failed
