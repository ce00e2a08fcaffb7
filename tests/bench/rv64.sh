#!/usr/bin/env bash
# rv64.sh: instructions a second of examples/rv64.c against QEMU (TCG), and its share of time spent in translation.
#
# The work is tests/rv64/compute.c in supervisor mode on pages of 4 KiB under Sv39. What is measured is processor time
# of a long run less that of a short one, which takes the start of the machine and its first translations out. Turns
# interleave, and medians are told. rv64.mips: the ratio is QEMU's figure divided by ours.
#
# rv64.translation_share is what of the time would be gone if addresses needed no translation: the same work without
# paging, in an rv64 whose loads and stores go straight to RAM after one compare, is held against it. rv64.paging_share
# holds the same rv64 without paging against it, so that it is the misses' share alone. Their ratios are those of times.
# shellcheck disable=SC2016
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
turns=${TURNS:-5}
short=1
long=3

program() {
    riscv64-unknown-elf-gcc -std=c11 -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -O2 -ffreestanding \
        -nostdlib "-DROUNDS=$2" "$3" -I. -Itests/rv64 -T tests/rv64/link.ld -o "$work/$1.$2" \
        tests/rv64/start.S tests/rv64/support.c tests/rv64/compute.c
}
for rounds in $short $long; do
    program sv39 "$rounds" -DSV39
    program bare "$rounds" -DBARE
done

# Without an MMU: the stamped functions give way to these wherever an address is RAM's.
cat >"$work/without.h" <<'SOURCE'
static uint64_t ram[];
#define DIRECT(va) ((uint8_t *)ram + ((va)-UINT64_C(0x80000000)))
#define IS_DIRECT(va) ((va)-UINT64_C(0x80000000) < (UINT64_C(128) << 20))
#define rv_load8(m, va, v) (IS_DIRECT(va) ? (memcpy(v, DIRECT(va), 1), VMM_OK) : rv_load8(m, va, v))
#define rv_load16(m, va, v) (IS_DIRECT(va) ? (memcpy(v, DIRECT(va), 2), VMM_OK) : rv_load16(m, va, v))
#define rv_load32(m, va, v) (IS_DIRECT(va) ? (memcpy(v, DIRECT(va), 4), VMM_OK) : rv_load32(m, va, v))
#define rv_load64(m, va, v) (IS_DIRECT(va) ? (memcpy(v, DIRECT(va), 8), VMM_OK) : rv_load64(m, va, v))
#define rv_store8(m, va, v) (IS_DIRECT(va) ? (*DIRECT(va) = (v), VMM_OK) : rv_store8(m, va, v))
#define rv_store16(m, va, v) (IS_DIRECT(va) ? (vmm_put(DIRECT(va), v, 2), VMM_OK) : rv_store16(m, va, v))
#define rv_store32(m, va, v) (IS_DIRECT(va) ? (vmm_put(DIRECT(va), v, 4), VMM_OK) : rv_store32(m, va, v))
#define rv_store64(m, va, v) (IS_DIRECT(va) ? (vmm_put(DIRECT(va), v, 8), VMM_OK) : rv_store64(m, va, v))
SOURCE
sed -e '/^VMM_MMU(dt/r '"$work/without.h" -e 's/^static uint64_t ram\[.*/static uint64_t ram[(128 << 20) \/ 8];/' \
    examples/rv64.c >"$work/without.c"
cc -std=c11 -O2 -I. -o "$work/rv64" examples/rv64.c
cc -std=c11 -O2 -I. -o "$work/without" "$work/without.c"

# Processor time of a command, seconds; of the long run without the short one.
TIMEFORMAT='%U %S'
one() {
    # shellcheck disable=SC2086
    { time timeout 300 $1 "$work/$2" >/dev/null </dev/null 2>/dev/null; } 2>&1 | awk '{ print $1 + $2 }'
}
seconds() {
    awk "BEGIN { print $(one "$1" "$2.$long") - $(one "$1" "$2.$short") }"
}
instructions() {
    "$work/rv64" --stats "$work/$1.$2" | awk '/^instructions/ { print $2 }'
}
count=$(($(instructions sv39 $long) - $(instructions sv39 $short)))

qemu=
command -v qemu-system-riscv64 >/dev/null &&
    qemu="qemu-system-riscv64 -M virt -m 128 -bios none -display none -monitor none -serial stdio -kernel"
for ((turn = 0; turn < turns; turn++)); do
    ours=$(seconds "$work/rv64" sv39)
    echo "paging $ours $(seconds "$work/rv64" bare)"
    echo "translation $ours $(seconds "$work/without" bare)"
    [ -z "$qemu" ] || echo "mips $ours $(seconds "$qemu" sv39)"
done >"$work/turns"

# median KIND EXPRESSION: of $2 (ours) and $3 (theirs), awk's, over the turns
median() {
    awk "\$1 == \"$1\" { print $2 }" "$work/turns" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
# row NAME VALUE UNIT AGAINST THEIRS RATIO
row() {
    printf '%-26s %10.2f %-6s  %-22s %10.2f  %6.3f\n' "$@"
    printf '{"name": "%s", "value": %.4g, "unit": "%s", "against": "%s", "ratio": %.4g}\n' "$1" "$2" "$3" "$4" "$6" \
        >>build/bench.jsonl
}
mkdir -p build
echo "rv64: $count instructions of compute.c"
printf '%-26s %10s %-6s  %-22s %10s  %6s\n' name ours unit against theirs ratio
[ -z "$qemu" ] || row rv64.mips "$(median mips "$count / \$2 / 1e6")" MIPS qemu "$(median mips "$count / \$3 / 1e6")" \
    "$(median mips '$2 / $3')"
row rv64.translation_share "$(median translation '100 * (1 - $3 / $2)')" % "no MMU" 0 "$(median translation '$2 / $3')"
row rv64.paging_share "$(median paging '100 * (1 - $3 / $2)')" % bare 0 "$(median paging '$2 / $3')"
