#!/usr/bin/env bash
# examples/vmmsim/report.py makes a whole page and well-formed pictures of a trace, and its numbers are vmmsim's; what
# feeds it (vmmsim --map, examples/fragmentation.c) counts right. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=python3
python3 -c 'import matplotlib' 2>/dev/null || python=/usr/bin/python3 # Debian's, which Debian's matplotlib belongs to

# refuses NAME WORDS STATUS COMMAND...: it ends with that status, and its one line of error has the words
refuses() {
    local name=$1 words=$2 status=$3 output result
    shift 3
    output=$("$@" 2>&1 >/dev/null)
    result=$?
    [ $result = "$status" ] && [ "$(wc -l <<<"$output")" = 1 ] && grep -qF -- "$words" <<<"$output"
    tell $? "$name" "exit status $result: $output"
}

output=$(cc -O1 -std=c11 -I. -o "$work/vmmsim" examples/vmmsim/*.c -lz -lzstd -pthread -lm 2>&1 &&
    cc -O1 -std=c11 -I. -o "$work/fragmentation" examples/fragmentation.c 2>&1)
tell $? "vmmsim and fragmentation build" "$output"

# A program's loops over its code, its data and its stack, with a few pages that are met once.
"$python" - >"$work/loops.trace" <<'END'
x = 1
for i in range(4000):
    x = (x * 1103515245 + 12345) % 2**31
    print(f"I  {0x400000 + (i // 200 * 4096 + i % 200 * 16) % 0x7000:08x},4")
    if i % 3 == 0:
        print(f" L {0x600000 + (x >> 16) % 24 * 4096 + i % 512 * 8:08x},8")
    if i % 5 == 0:
        print(f" S {0x7fff0000 - (x >> 20) % 4 * 4096 + 8:08x},8")
    if i % 7 == 0:
        print(f" M {0x600000 + (x >> 14) % 12 * 4096 + 16:08x},4")
    if i % 500 == 0:
        print(f" L {0x900000 + i * 40 + 4092:08x},8")
END

# Another that touches many pages.
for i in {0..1500}; do printf ' L %08x,8\n' $((i * 7919 % 1500 * 4096 + 64)); done >"$work/wide.trace"

output=$("$python" tests/check_report.py data "$work/vmmsim" "$work/fragmentation" "$work/loops.trace" \
    "$work/wide.trace" 2>&1)
tell $? "--map tells the uses of each page and what LRU holds, fragmentation the live bytes and frames" "$output"
refuses "fragmentation refuses a text that is no allocation trace" "is no allocation trace" 1 \
    "$work/fragmentation" "$work/loops.trace"
printf 'a 0 10\nf 1\n' >"$work/wrong.rep"
refuses "fragmentation refuses a trace that frees what is not there" "a request frees what is not there" 1 \
    "$work/fragmentation" "$work/wrong.rep"

report=("$python" examples/vmmsim/report.py --vmmsim "$work/vmmsim" --out "$work/out")
mkdir -p "$work/without/matplotlib"
echo 'raise ImportError' >"$work/without/matplotlib/__init__.py"
refuses "without matplotlib one sentence says so" "matplotlib is not installed" 1 \
    env PYTHONPATH="$work/without" "${report[@]}" "$work/loops.trace"

checks=("a page and all pictures are written, as SVG and PNG"
    "every SVG is well-formed, has a title and a description, and fetches nothing"
    "the page is well-formed, has every picture in it, and fetches nothing"
    "the numbers in the page's tables are those that its commands print"
    "colours differ in lightness")
if "$python" -c 'import matplotlib' 2>/dev/null; then
    refuses "a trace that is not there is told" "is not a file" 1 "${report[@]}" "$work/none.trace"
    refuses "a simulator that is not there is told" "$work/none cannot be run" 1 \
        "${report[@]}" --vmmsim "$work/none" "$work/loops.trace"
    head -c 1000 "$work/loops.trace" >"$work/torn.trace"
    printf 'I  0040' >>"$work/torn.trace"
    refuses "what vmmsim says of a trace is passed on" "report.py: $work/vmmsim" 1 "${report[@]}" "$work/torn.trace"
    refuses "a key that hides counts is refused" "all counts are needed" 1 \
        "${report[@]}" --set show=faults "$work/loops.trace"
    cat >"$work/failing" <<END
#!/bin/sh
case "\$*" in *--explain*) echo "vmmsim: it ends here" >&2; exit 1 ;; esac
exec "$work/vmmsim" "\$@"
END
    chmod +x "$work/failing"
    refuses "what vmmsim says while its steps are read is passed on" "failed: vmmsim: it ends here" 1 \
        "${report[@]}" --vmmsim "$work/failing" "$work/loops.trace"
    # The failing one shows that the names came through: it is reached in the middle only.
    for name in -loops a=loops; do
        cp "$work/loops.trace" "$work/$name"
        refuses "a trace of the name $name is read" "./$name failed: vmmsim: it ends here" 1 \
            env -C "$work" "${report[@]/#examples/$PWD/examples}" --vmmsim "$work/failing" -- "$name"
    done
    output=$("${report[@]}" --fragmentation "$work/fragmentation" \
        --allocations examples/traces/alloc/git.rep.gz "$work/loops.trace" 2>&1)
    tell $? "report.py makes a page of a short trace" "$output"
    for part in files pictures page numbers colours; do
        output=$("$python" tests/check_report.py "$part" "$work/out" 2>&1)
        tell $? "${checks[0]}" "$output"
        checks=("${checks[@]:1}")
    done
else
    for name in "${checks[@]}"; do
        ((count += 1))
        echo "ok $count - $name # SKIP matplotlib is not installed"
    done
fi
echo "1..$count"
exit $failed
