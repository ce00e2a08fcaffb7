#!/usr/bin/env bash
# More of the trace simulator examples/vmmsim: samples, LRU in one pass, sweeps, contradictions, interruption: where an
# answer could be wrong without a word. Prints TAP. VMMSIM names a program to test instead of the one built here.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
unset VMMSIM_REPORT
export LC_ALL=C ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=halt_on_error=1:exitcode=99
ulimit -c 0

if ! command -v clang >/dev/null || ! command -v python3 >/dev/null ||
    ! printf '#include <zlib.h>\n#include <zstd.h>\n' | clang -E - >/dev/null 2>&1; then
    [ "${CI:-}" = true ] && echo "not ok 1 - clang, python3, zlib.h and zstd.h are there" && exit 1
    echo "ok 1 # SKIP vmmsim: clang, python3, zlib1g-dev or libzstd-dev is not there"
    echo "1..1"
    exit 0
fi
sim=${VMMSIM:-$work/vmmsim}
if [ -z "${VMMSIM:-}" ]; then
    output=$(timeout 600 clang -std=c11 -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -I. -o "$sim" \
        examples/vmmsim/*.c -lz -lzstd -pthread -lm 2>&1)
    tell $? "vmmsim builds with the sanitizers" "$output"
fi
[ -x "$sim" ] || { echo "1..$count" && exit 1; }

# run ARGUMENTS...: within a minute
run() {
    timeout -s KILL 60 "$sim" quiet=yes "$@"
}

# wrong WORDS NAME ARGUMENTS...: status 2 and one sentence with these words, and no result
wrong() {
    local words=$1 name=$2 output result
    shift 2
    output=$(run "$@" 2>&1 >"$work/out")
    result=$?
    [ $result = 2 ] && [ "$(wc -l <<<"$output")" = 1 ] && grep -q "^vmmsim: .*$words" <<<"$output" &&
        [ ! -s "$work/out" ]
    tell $? "$name" "status $result: $output $(head -n 3 "$work/out")"
}

# -- samples: policies that count accesses or remember pages --

# 100000 references. even: to any of 2000 pages; phases: to 500 neighbours, and every 8000 references to 250 others
awk -v even="$work/even" -v phases="$work/phases" 'BEGIN {
    state = 7
    for (i = 0; i < 100000; i++) {
        state = (state * 16807) % 2147483647
        any = int(state / 64)
        kind = i % 7 ? "R" : "W"
        printf "%x %s\n", any % 2000 * 4096, kind >even
        printf "%x %s\n", (int(i / 8000) * 250 + any % 500) % 2000 * 4096, kind >phases
    }
}'
cat >"$work/near.py" <<'END_OF_FILE'
import json, sys
exact, estimate = (json.loads(text) for text in sys.argv[1:])
far = abs(estimate["faults"] - exact["faults"]) / estimate["faults_error"]
if far > 3:
    sys.exit(f"{exact['faults']} faults, estimated {estimate['faults']:.0f}: {far:.1f} standard errors")
END_OF_FILE
while read -r trace keys; do
    # shellcheck disable=SC2086
    output=$(python3 "$work/near.py" "$(run --json $keys show=faults "$work/$trace")" \
        "$(run --json $keys sample=0.25 "$work/$trace")" 2>&1)
    tell $? "a sample estimates the faults within 3 standard errors: $keys" "$output"
done <<'END_OF_CASES'
even policy=lru frames=1000
even policy=ws frames=1800 window=1000
phases policy=wsclock frames=450 tick=2000
phases policy=arc frames=400 ghosts=100
phases policy=arc frames=400 ghosts=1
END_OF_CASES
# shellcheck disable=SC2086
for keys in "policy=ws frames=500 window=300" "policy=nru frames=500 tick=70" "policy=2q frames=500 ghosts=30"; do
    same "a sample of all pages is the whole run: $keys" \
        "$(run --json $keys show=faults "$work/phases" | sed 's/.*"faults":\([0-9]*\)}/\1/')" \
        "$(run --json $keys sample=1 "$work/phases" | sed 's/.*"faults":\([0-9]*\).*/\1/')"
done

# -- LRU in one pass --

# 3000 references of 1 to 40 bytes to pages of 8 bytes: nearly all lie on several
awk 'BEGIN {
    state = 7
    for (i = 0; i < 3000; i++) {
        state = (state * 16807) % 2147483647
        printf "%s %x,%d\n", substr("I  L S M", int(state / 64) % 4 * 2 + 1, 2), int(state / 4096) % 200,
            1 + int(state / 1024) % 40
    }
}' >"$work/crossing"
for modify in both store; do
    keys=(--json page=8 "modify=$modify" "show=faults,dirty_evictions")
    same "LRU in one pass is its single runs where references lie on several pages, modify=$modify" \
        "$(for frames in 1 2 3 4 5 6 9 20; do run "${keys[@]}" frames=$frames "$work/crossing"; done)" \
        "$(run "${keys[@]}" --sweep 'frames=1|2|3|4|5|6|9|20' "$work/crossing")"
done

# -- sweeps --

echo '1000 R' >"$work/one"
one=$work/one
wrong "page cannot be swept with unit=page" "a sweep over page sizes of a trace of page numbers is refused" unit=page \
    --sweep 'page=1K|4K' "$one"
wrong "page cannot be swept with unit=page" "and its commands" unit=page --commands --sweep 'frames=1|2,page=1K|4K' \
    "$one"
same "a sweep over anything else of a trace of page numbers is its single runs" \
    "$(for page in 1K 4K; do run --json unit=page page=$page frames=4 "$one"; done)" \
    "$(for page in 1K 4K; do run --json unit=page page=$page --sweep frames=4 "$one"; done)"
same "a sweep may set what would contradict the rest without it" \
    "$(for bits in 16 20; do run --json levels=1 va-bits=$bits tlb=none "$one"; done)" \
    "$(run --json levels=1 tlb=none --sweep 'va-bits=16|20' "$one")"
output=$(timeout -s KILL 20 "$sim" quiet=yes --csv show=faults --sweep frames=1..60000+1 "$one" | tail -n 1)
[ "$output" = "$one,60000,lru,1,no" ]
tell $? "a sweep of 60000 numbers of frames begins at once" "$output"

# commands FILE KEYS...: what the commands of a sweep over a trace in $work print
commands() {
    local file=$1
    shift
    (cd "$work" && run --commands "$@" --sweep 'frames=1|2' -- "$file" | timeout 60 sh 2>&1)
}
for name in -json frames=1 --trace=x; do
    cp "$one" "$work/$name"
    same "--commands of a trace that is called $name" \
        "$(cd "$work" && for frames in 1 2; do run --json frames=$frames -- "$name"; done)" "$(commands "$name")"
done
output=$(cd "$work" && run --commands --sweep frames=1 quantum=1 -- one -json frames=1 | timeout 60 sh 2>&1)
[[ $output == '{"trace":["one","-json","frames=1"],'* ]]
tell $? "--commands of several traces, and not the first has such a name" "$output"
counts=$(run --help | sed -n '/^Counts/,/^$/s/^  \([a-z0-9_]*\) .*/\1/p' | paste -s -d ,)
[ ${#counts} -gt 250 ] || counts=
same "--commands with all counts to show" \
    "$(for frames in 1 2; do run --json frames=$frames show="$counts" "$one" | sed 's/"trace":"[^"]*",//'; done)" \
    "$(commands one show="$counts" | sed 's/"trace":"[^"]*",//')"
long=$work/$(printf '%0200d/%0200d' 0 0)
mkdir -p "$long"
echo 'pte 1 5' >"$long/conf"
printf 'import sys\nprint(*sys.argv[1:])\n' >"$work/report.py"
output=$(VMMSIM_REPORT=$work/report.py run --report "$work/out" --config "$long/conf" "$one")
[[ "$output " == *" --set config=$long/conf "* ]]
tell $? "--report with a long name of a config file" "$output"

# -- contradictions: status 2, and nothing is run --

printf 'tlb=2x1\ntlb-entry 0 1 1\ntlb-entry 0 2 1\n' >"$work/full"
for how in "" --explain --map=4 --timeline=4 --commands; do
    sweep=()
    [ "$how" = --commands ] && sweep=(--sweep 'frames=1|2')
    # shellcheck disable=SC2086
    wrong "index bits" "levels of more than 28 bits: ${how:-run}" $how levels=1 "${sweep[@]}" "$one"
    # shellcheck disable=SC2086
    wrong "64 ways" "a TLB of 65 ways: ${how:-run}" $how tlb=1x65 "${sweep[@]}" "$one"
    [[ $how == --commands || $how == --timeline* ]] && continue
    # shellcheck disable=SC2086
    wrong "more entries .* than ways" "a full set of the TLB: ${how:-run}" $how --config "$work/full" "$one"
done
wrong "index bits" "levels of more than 28 bits: LRU in one pass" show=faults levels=1 --sweep 'frames=1|2' "$one"
wrong "frames of their own" "fewer frames than processes" --explain --local frames=1 "$one" "$one"
output=$(printf '1000 R\nfoo\n' | run --explain format=rw 2>&1 >/dev/null)
[ $? = 1 ] && grep -q 'line 2' <<<"$output"
tell $? "a bad trace is status 1 with --explain" "$output"
output=$(printf '1000 R\nfoo\n' | run --map 4 format=rw 2>&1 >/dev/null)
[ $? = 1 ] && grep -q 'line 2' <<<"$output"
tell $? "and with --map" "$output"

# -- interruption --

mkfifo "$work/fifo"
# interrupted ARGUMENTS...: runs them on a long trace, and interrupts that when all of it was read. Sets status.
interrupted() {
    local pid
    "$sim" quiet=yes "$@" "$work/fifo" >"$work/out" 2>"$work/errors" &
    pid=$!
    for _ in $(seq 20); do cat "$work/even"; done >"$work/fifo"
    sleep 0.5
    kill -INT $pid
    wait $pid
    status=$?
}
interrupted --json sample=0.9 policy=lru frames=400
[ $status = 130 ] && [ ! -s "$work/out" ] && grep -q '^vmmsim: interrupted' "$work/errors" &&
    [ "$(wc -l <"$work/errors")" = 1 ]
tell $? "an interrupted sample prints no estimate" "status $status $(cat "$work/out" "$work/errors")"
interrupted --json sample=0.9 policy=lru jobs=1 --sweep 'frames=400..460+1'
[ $status = 130 ] && tail -n 1 "$work/out" | grep -q '^{"partial":true,"done":[0-9]*,"points":61}$' &&
    [ "$(wc -l <"$work/errors")" = 1 ] && grep -q '^vmmsim: interrupted: [0-9]* of 61 points are done$' "$work/errors"
tell $? "an interrupted sweep of samples is marked as partial" \
    "status $status $(tail -n 2 "$work/out") $(cat "$work/errors")"

echo "1..$count"
exit $failed
