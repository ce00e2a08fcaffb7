#!/usr/bin/env bash
# The caches of section 8 miss exactly where valgrind's cachegrind says that caches of these shapes miss: fetches, loads
# and stores, in two first levels and a last one, over a whole program. Both see the same addresses: the program is
# static, its environment is empty, and the kernel is asked not to move it. TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# I1, D1 and LL: sets x ways x block; cachegrind takes no block below 32 bytes
shapes=("64x1x64 64x1x64 1024x1x64" # direct-mapped
    "32x2x64 32x4x64 128x8x64"
    "16x2x32 16x4x32 64x3x32"
    "1x32x64 1x64x64 1x512x64" # fully associative
    "32x2x32 16x3x64 256x4x128")

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}

# fixed COMMAND...: with nothing that could move the program's memory
fixed() {
    env -i PATH="$PATH" setarch -R timeout 200 "$@" 2>"$work/err"
}

# option 32x2x64: as cachegrind wants it, 4096,2,64
option() {
    IFS=x read -r sets ways block <<<"$1"
    echo "$((sets * ways * block)),$ways,$block"
}

command -v valgrind >/dev/null || skip "valgrind is not installed"
${CC:-cc} -std=c11 -O1 -static -o "$work/work" tests/cachegrind/work.c 2>"$work/err" ||
    skip "a static program does not link here: $(head -n 1 "$work/err")"
fixed true || skip "setarch -R is not allowed here"
if ! ${CC:-cc} -std=c11 -O2 -I. -o "$work/model" tests/cachegrind/model.c; then
    echo "1..1"
    echo "not ok 1 - the model builds"
    exit 1
fi
fixed valgrind --tool=lackey --trace-mem=yes --log-file="$work/trace" "$work/work" >/dev/null ||
    skip "valgrind does not run here: $(head -n 1 "$work/err")"

echo "1..${#shapes[@]}"
failed=0
for ((i = 0; i < ${#shapes[@]}; i++)); do
    read -r i1 d1 ll <<<"${shapes[i]}"
    rm -f "$work/out"
    fixed valgrind --tool=cachegrind --cache-sim=yes --I1="$(option "$i1")" --D1="$(option "$d1")" \
        --LL="$(option "$ll")" --cachegrind-out-file="$work/out" --log-file="$work/log" "$work/work" >/dev/null
    # summary: Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw
    theirs=$(awk '$1 == "summary:" { print $3, $4, $6, $7, $9, $10 }' "$work/out" 2>/dev/null)
    ours=$("$work/model" "$i1" "$d1" "$ll" <"$work/trace" 2>&1)
    name="I1 $i1, D1 $d1, LL $ll: misses of fetches, loads and stores as cachegrind counts them"
    if [ -n "$theirs" ] && [ "$ours" = "$theirs" ]; then echo "ok $((i + 1)) - $name"; else
        failed=1
        echo "not ok $((i + 1)) - $name"
        echo "# ours $ours, cachegrind's $theirs"
    fi
done
exit $failed
