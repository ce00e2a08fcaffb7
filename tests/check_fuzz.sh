#!/usr/bin/env bash
# Hostile guests and hostile edits by libFuzzer, under the address and undefined-behaviour sanitizers, for a time that
# is bounded. Prints TAP. VMM_FUZZ_SECONDS is the time of each target (20), VMM_FUZZ_JOBS how many run at once (2); with
# VMM_FUZZ_DIRECTORY programs, logs and the inputs that were found are kept there, and the next run begins with them.
set -u
cd "$(dirname "$0")/.." || exit
seconds=${VMM_FUZZ_SECONDS:-20}
jobs=${VMM_FUZZ_JOBS:-2}
work=${VMM_FUZZ_DIRECTORY:-}
if [ -z "$work" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
targets="riscv64 riscv32 x86 arm64 arm32 mips tables"

echo 'int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size);
      int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size) { return data && size && 0; }' \
    >"$work/probe.c"
if ! clang -fsanitize=fuzzer,address,undefined -o "$work/probe" "$work/probe.c" >/dev/null 2>&1; then
    count=0
    for target in $targets; do
        echo "ok $((count += 1)) - the fuzzer finds nothing in $target # SKIP clang cannot build for libFuzzer"
    done
    echo "1..$count"
    exit 0
fi

# Inputs to begin with: every byte of any stream means something, so that any numbers will do.
seeds() {
    awk -v file="$1" 'BEGIN {
        state = 1
        for (n = 0; n < 48; n++) {
            name = file "/" n
            printf "" > name
            for (i = 0; i < 200 + 60 * n; i++) {
                state = (state * 16807) % 2147483647
                printf "%c", 1 + int(state / 64) % 255 > name
            }
            close(name)
        }
    }'
}

# one TARGET: builds and runs it; the log ends with "finished" when nothing was found
one() {
    mkdir -p "$work/$1.corpus" "$work/$1.seeds"
    LC_ALL=C seeds "$work/$1.seeds"
    # shellcheck disable=SC2086
    clang -std=c11 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DVMM_DEBUG=1 $warnings -I. \
        -Itests -o "$work/$1" "tests/fuzz/fuzz_$1.c" -lcmocka &&
        timeout $((seconds + 120)) "$work/$1" -max_total_time="$seconds" -max_len=4096 -len_control=0 -timeout=60 \
            -print_final_stats=1 -artifact_prefix="$work/$1." "$work/$1.corpus" "$work/$1.seeds" &&
        echo finished
}

for target in $targets; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    one "$target" >"$work/$target.log" 2>&1 &
done
wait

count=0
failed=0
for target in $targets; do
    ((count += 1))
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")
    if [ "$(tail -n 1 "$work/$target.log")" = finished ]; then
        echo "ok $count - the fuzzer finds nothing in $target: ${runs:-0} inputs in $seconds s"
    else
        failed=1
        echo "not ok $count - the fuzzer finds nothing in $target"
        grep -v '^#[0-9]' "$work/$target.log" | head -n 40 | sed 's/^/# /'
        for input in "$work/$target".crash-* "$work/$target".timeout-* "$work/$target".leak-*; do
            [ -e "$input" ] && echo "# input: $(base64 -w 0 "$input")"
        done
    fi
done
echo "1..$count"
exit $failed
