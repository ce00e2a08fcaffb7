#!/usr/bin/env bash
# The trace simulator examples/vmmsim as its user meets it: formats, options, errors, sweeps, interruption. Prints TAP.
# What it counts is held against references elsewhere (check_cases.sh, check_policies.sh).
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
root=$PWD
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
unset VMMSIM_REPORT
export LC_ALL=C ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=halt_on_error=1:exitcode=99 TSAN_OPTIONS=exitcode=99
ulimit -c 0
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes"
libraries="-lz -lzstd -pthread -lm"

# What Debian's packages must have brought; CI does not put up with less.
for need in gzip zstd python3 gcc clang "gcc -E -include zlib.h -xc /dev/null" "gcc -E -include zstd.h -xc /dev/null"; do
    # shellcheck disable=SC2086
    if ! command -v ${need%% *} >/dev/null || { [ "$need" != "${need%% *}" ] && ! $need >/dev/null 2>&1; }; then
        [ "${CI:-}" = true ] && echo "not ok 1 - $need works" && exit 1
        echo "ok 1 # SKIP vmmsim: this does not work here: $need (zlib1g-dev libzstd-dev zstd)"
        echo "1..1"
        exit 0
    fi
done

# -- building --

# build NAME COMPILER FLAGS...
build() {
    local name=$1 output
    shift
    # shellcheck disable=SC2086
    output=$("$@" -std=c11 $warnings -I. -o "$work/$name" examples/vmmsim/*.c $libraries 2>&1) && [ -z "$output" ]
    tell $? "vmmsim builds without a warning: $*" "$output"
}

build vmmsim gcc -O2
build checked clang -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all
if [ ! -x "$work/vmmsim" ] || [ ! -x "$work/checked" ]; then
    echo "1..$count"
    exit 1
fi
sim=$work/vmmsim
checked=$work/checked
cc -O1 -o "$work/pack_trace" examples/pack_trace.c || exit

# run ARGUMENTS...: within a minute
run() {
    timeout 60 "$sim" "$@"
}

# plain: JSON without the name of the trace
plain() {
    sed 's/"trace":"[^"]*",//'
}

# -- the same references in every format --

# 3000 references to 60 pages: loads, stores and fetches, of one byte each
awk 'BEGIN {
    state = 7
    for (i = 0; i < 3000; i++) {
        state = (state * 16807) % 2147483647
        page = int(state / 64) % 60
        if (page > 20 && i % 3) page %= 20
        kind = int(state / 4096) % 5
        printf "%x %s\n", page * 4096 + state % 4096, kind == 0 ? "W" : kind == 1 ? "I" : "R"
    }
}' >"$work/rw"
awk '{ print ($2 == "W" ? " S " : $2 == "R" ? " L " : "I  ") $1 ",1" }' "$work/rw" >"$work/lackey"
"$work/pack_trace" <"$work/lackey" >"$work/packed"
awk '{ print ($2 == "W" ? "s" : $2 == "R" ? "l" : "i"), "0x" $1 }' "$work/rw" >"$work/ls"
awk '{ print ($2 == "W" ? 1 : $2 == "R" ? 0 : 2), $1 }' "$work/rw" >"$work/din"
printf '# a comment\r\n\n' >"$work/rw.more"
sed 's/ \(.\)$/\t \1 \r/; s/R/r/; 7s/$/ # and another/' "$work/rw" >>"$work/rw.more"
expected=$(run --json frames=16 "$work/rw" | plain)
for format in lackey packed ls din rw.more; do
    same "$format: the same counts as of lines ADDRESS R|W" "$expected" \
        "$(run --json frames=16 "$work/$format" 2>&1 | plain)"
    same "$format: the same when the format is named" "$expected" \
        "$(run --json frames=16 format="${format%.more}" "$work/$format" 2>&1 | plain)"
done
cut -d ' ' -f 1 "$work/rw" >"$work/addresses"
tr '\n' ' ' <"$work/addresses" | fold -s -w 100 | sed 's/ $//; 3s/ /, /g' >"$work/row"
echo >>"$work/row"
sed 's/.$/R/' "$work/rw" >"$work/loads"
expected_loads=$(run --json frames=16 "$work/loads" | plain)
for file in addresses row; do
    same "$file: addresses alone are loads" "$expected_loads" "$(run --json frames=16 "$work/$file" 2>&1 | plain)"
done
python3 -c 'import sys
for line in sys.stdin: print(int(line, 16))' <"$work/addresses" >"$work/decimal"
same "base=10: decimal addresses" "$expected_loads" \
    "$(run --json frames=16 base=10 "$work/decimal" | plain | sed 's/"base":"10",//')"
sed 's/^/000/; s/...$//' "$work/addresses" >"$work/pages"
same "unit=page: page numbers" "$expected_loads" \
    "$(run --json frames=16 unit=page "$work/pages" | plain | sed 's/"unit":"page",//')"
same "standard input" "$expected" "$(run --json frames=16 <"$work/rw" | plain)"
same "standard input by the name -" "$expected" "$(run --json frames=16 - <"$work/rw" | plain)"

for format in rw packed lackey; do
    gzip -c "$work/$format" >"$work/$format.gz"
    zstd -q -c "$work/$format" >"$work/$format.zst"
    for packer in gz zst; do
        same "$format.$packer: unpacked, and the same counts" "$expected" \
            "$(run --json frames=16 "$work/$format.$packer" | plain)"
        same "$format.$packer: from standard input" "$expected" "$(run --json frames=16 <"$work/$format.$packer" | plain)"
    done
done
head -n 1000 "$work/rw" | gzip -c >"$work/parts.gz"
tail -n +1001 "$work/rw" | gzip -c >>"$work/parts.gz"
same "gzip in two members" "$expected" "$(run --json frames=16 "$work/parts.gz" | plain)"
head -n 1000 "$work/rw" | zstd -q -c >"$work/parts.zst"
tail -n +1001 "$work/rw" | zstd -q -c >>"$work/parts.zst"
same "zstd in two frames" "$expected" "$(run --json frames=16 "$work/parts.zst" | plain)"
# longer than every buffer, so that lines lie across its end
for _ in $(seq 40); do cat "$work/rw"; done >"$work/long"
same "a trace that is longer than the buffer" 120000 \
    "$(run --csv show=references "$work/long" | sed -n '2s/.*,\([0-9]*\),no$/\1/p')"

# -- several traces --

head -n 1000 "$work/rw" >"$work/short"
printf '0 R\n1000 R\n' >"$work/two"
same "two traces are two processes: their pages differ" 62 \
    "$(run --csv show=pages "$work/rw" "$work/two" | sed -n '2s/.*,\([0-9]*\),no$/\1/p')"
a=$(run --json show=references,faults,tlb_misses frames=8 quantum=100 "$work/rw" "$work/short")
b=$(run --json show=references,faults,tlb_misses frames=8 quantum=7 "$work/rw" "$work/short")
[[ $a == *'"references":4000,'* ]] && [ "${a#*faults}" != "${b#*faults}" ]
tell $? "all of both is run, and the quantum matters" "$a $b"
same "a sweep over two traces runs them in turn as one run does" "${a#*references}" \
    "$(run --json show=references,faults,tlb_misses --sweep 'frames=8,quantum=100' "$work/rw" "$work/short" |
        sed 's/.*"references//')"

# -- errors: one sentence on standard error, and a status that says which kind --

# wrong STATUS WORDS NAME ARGUMENTS...: standard input is from $work/in
wrong() {
    local status=$1 words=$2 name=$3 output result
    shift 3
    output=$(timeout 60 "$checked" quiet=yes "$@" 2>&1 >"$work/out" <"$work/in")
    result=$?
    [ $result = "$status" ] && [ "$(wc -l <<<"$output")" = 1 ] && grep -q "^vmmsim: .*$words" <<<"$output"
    tell $? "$name" "status $result: $output"
}

# broken NAME WORDS TEXT ARGUMENTS...: a trace with this text
broken() {
    local name=$1 words=$2 text=$3
    shift 3
    printf '%b' "$text" >"$work/in"
    wrong 1 "$words" "$name" "$@" -
}

: >"$work/in"
echo '1000 R' >"$work/one"
one=$work/one
while IFS='|' read -r words name arguments; do
    # shellcheck disable=SC2086
    wrong 2 "$words" "$name" $arguments "$one"
done <<'END'
no option "frmes"; did you mean frames?|an option that there is not|frmes=4
no option "polcy"; did you mean policy?|an option that there is not, with dashes|--polcy=lru
no option "x"|a letter that is no option|-x
no policy "lur"; did you mean lru?|a policy that there is not|policy=lur
frames=3.5: this is no whole number from 0 to 2^64 - 1$|a number that is none|frames=3.5
frames=-1: this is no whole number from 0 to 2^64 - 1$|a negative number|frames=-1
frames=: this is no whole number from 0 to 2^64 - 1$|a number without digits|frames=
this is no whole number from 0 to 2^64 - 1$|a number of more than 64 bits|frames=18446744073709551616
this is no whole number from 0 to 2^64 - 1$|a number of more than 64 bits by its unit|tick=17592186044416M
within 0 to 1099511627776$|a cost whose sum would pass 64 bits: faults|cost-minor-fault=1025G
within 0 to 1099511627776$|a cost whose sum would pass 64 bits: reads|cost-disk-read=1025G
within 0 to 1099511627776$|a cost whose sum would pass 64 bits: writes|cost-disk-write=1025G
within 0 to 64$|more threads than can run|jobs=65
within 1 to 64|a number out of its range|va-bits=65
power of two|a page that is no power of two|page=1000
SETSxWAYS, or none|a TLB that is not SETSxWAYS|tlb=16
sets must be a power of two|a TLB of three sets|tlb=3x4
plru needs a power of two of ways|pseudo-LRU of three ways|tlb=4x3 tlb-policy=plru
leaves no page number|a page as large as the address space|va-bits=12
20 bits in all, but page numbers have 36|index bits that do not add up|index-bits=10,10
contradicts index-bits|levels and index bits that differ|va-bits=32 index-bits=10,10 levels=3
pa-bits=12 has 64|more frames than physical addresses|pa-bits=12 page=64 frames=65 va-bits=20
page numbers have 2|more sets than pages|va-bits=14
power of two bytes|a block of three bytes|cache=16x1x3
needs cache before it|a second cache without a first|cache2=16x1x4
larger ones|a second cache with smaller blocks|cache=16x1x64 cache2=16x1x4
one of yes.no|a yes that is none|json=maybe
json or csv|JSON and CSV at once|--json --csv
there is none|commands without a sweep|--commands
at once|a sweep and steps at once|--explain --sweep frames=1..2
it must go up|a range that goes down|--sweep frames=4..2
0 doubled is 0|a range of doubles from 0|--sweep frames=0..2
the step is 0|a range with no step|--sweep frames=1..2+0
not a range|a range of words|--sweep frames=a..b
not KEY=VALUES|a sweep of nothing|--sweep frames
cannot be swept|a sweep of what is no property of the machine|--sweep json=yes|no
stands there twice|a sweep with a key twice|--sweep frames=1,frames=2
did you mean frames|a sweep of an option that there is not|--sweep frmes=1
more than 100000 points|a sweep with too many points|--sweep frames=1..1000+1,seed=1..1000+1
point 2 of the sweep|a sweep with a point that contradicts itself|--sweep tlb-policy=lru|plru,tlb=4x3
no count "foo"|a count that there is not|show=foo
within 0 to 1$|a rate of 2|sample=2
sample needs frames: with frames=0 each page faults once$|a sample of endless frames|sample=0.5
point 2 of the sweep: sample needs frames|a sample of endless frames at a point of a sweep|sample=.5 --sweep frames=16|0
a sample of 0.5 of 14 frames has less than 8 frames|a sample with too few frames|sample=0.5 frames=14
point 2 of the sweep: a sample of 0.5 of 8 frames|too few frames for a sample at a point|sample=.5 --sweep frames=16|8
the config file has an initial state$|a sample of an exercise|sample=0.5 frames=64 --config examples/vmmsim/csapp.conf
map reads the trace once, and policy=opt must know all of it$|a map of opt|--map 3 policy=opt frames=8
report draws maps, which read the trace once|a report about opt|--report /nonexistent policy=opt frames=8
report needs all counts, and show names some$|a report of some counts|--report /nonexistent show=faults
cannot be opened|a config file that there is not|--config /nonexistent
here are 2|the future of two traces|policy=opt /dev/null
END
wrong 2 "needs a value" "an option without its value" --frames
wrong 2 "cannot be two traces" "standard input twice" - -
wrong 2 "cannot be the trace" "interactive with the trace on standard input" --interactive -
wrong 2 "more than 8 traces" "nine traces" "$one" "$one" "$one" "$one" "$one" "$one" "$one" "$one" "$one"
wrong 1 "nonexistent cannot be opened: No such file" "a trace that there is not" /nonexistent
wrong 1 "could not be read" "a directory as a trace" "$work"
wrong 2 "standard input cannot be it" "commands for a trace on standard input" --commands --sweep frames=1 -
if [ -w /dev/full ]; then
    output=$(run "$one" 2>&1 >/dev/full)
    [ $? = 1 ] && [ "$output" = "vmmsim: the results could not be written" ]
    tell $? "results that cannot be written are an error" "$output"
fi

broken "an empty trace" "not one reference" ""
broken "a trace of comments" "line 2: there is not one reference" "# nothing\n\n"
broken "a bad first line" 'line 2: not in any known format: "foo"' "# x\nfoo\n"
broken "a bad line has its number" 'line 4: not a line "ADDRESS R|W": "12 X"' "1 R\n# x\n\n12 X\n1 R\n"
broken "a bad line deep in the trace" "line 3001: not " "$(cat "$work/rw")\nxyz\n"
broken "a bad line behind the first buffer" "line 120001: not " "$(cat "$work/long")\nxyz R\n"
broken "a comment in a trace of lackey's" 'line 1: not a lackey line: "# x"' "# x\nI  1000,4\n"
broken "a bad line of lackey's" "line 2: not a lackey line" "I  1000,4\nI  1004,x\n"
broken "a bad line of din's" 'line 2: not a line "0|1|2 ADDRESS"' "0 1000\n3 1000\n"
broken "a bad address in a row" 'line 2: not an address: "z 5"' "1 2 3\n4 z 5\n"
broken "a bad address in decimal" 'line 1: not an address, in decimal: "f"' "7 8 f\n" base=10 format=addresses
broken "an address of more than 64 bits" "line 1: not" "10000000000000000 R\n" format=rw
broken "a page number of more than 64 bits as an address" "line 1: not" "10000000000000 R\n" format=rw unit=page
broken "a torn last line" "line 2: the trace ends within a line" "1000 R\n2000"
broken "a torn last line that looks whole" "line 2: the trace ends within a line" "1000 R\n2000 R"
broken "a torn last line of lackey's" "line 2: the trace ends within a line" "I  1000,4\nI  1004,4"
broken "an endless line" "line 1: the line has more than 65535 bytes" "$(head -c 70000 /dev/zero | tr '\0' 1)\n"
broken "an address that is too wide" "reference 2: address 0x100000 has more than 20 bits$" "1000 R\n100000 R\n" \
    va-bits=20 tlb=none
while IFS='|' read -r name arguments; do
    # shellcheck disable=SC2086
    broken "an access that leaves the address space: $name" \
        "reference 2.*: the access of 2 bytes at 0xffffffffffff does not end in 48 bits of virtual addresses$" \
        " L 1000,4\n L ffffffffffff,2\n" $arguments
done <<'END'
a run|frames=16
a timeline|--timeline 2
a map|--map 2 frames=16
steps|--explain
steps of opt|--explain frames=16 policy=opt
a sample|frames=16 sample=1
a sweep|--sweep frames=16..64
a pass of LRU|show=faults --sweep frames=16..64
END
broken "a format that the trace has not" 'line 1: not a line "l|s ADDRESS"' "1000 R\n" format=ls
broken "text that should be packed" "not packed" "1000 R\n" format=packed

# cut NAME WORDS FILE BYTES: the first bytes of a file
cut_file() {
    head -c "$4" "$3" >"$work/in"
    wrong 1 "$2" "$1" -
}
cut_file "a truncated gzip file" "standard input: the gzip data are cut short" "$work/rw.gz" 5000
cut_file "a gzip file that ends in its header" "the gzip data are cut short" "$work/rw.gz" 5
cut_file "a gzip file without its last byte" "the gzip data are cut short" "$work/rw.gz" $(($(stat -c %s "$work/rw.gz") - 1))
cut_file "a truncated zstd file" "the zstd data are cut short" "$work/rw.zst" 5000
cut_file "a packed trace that is cut" "the packed trace is cut short" "$work/packed" 2000
cut_file "a packed and compressed trace that is cut" "the gzip data are cut short" "$work/packed.gz" 2000
(cat "$work/rw.gz" && echo more) >"$work/in"
wrong 1 "the gzip data are damaged" "a gzip file with something behind it" -
(head -c 3000 "$work/rw.gz" && printf 'XXXXXXXX' && tail -c +3009 "$work/rw.gz") >"$work/in"
wrong 1 "the gzip data are damaged" "a damaged gzip file" -
(head -c 3000 "$work/rw.zst" && printf 'XXXXXXXX' && tail -c +3009 "$work/rw.zst") >"$work/in"
wrong 1 "the zstd data are damaged\|cut short\|not" "a damaged zstd file" -

# -- config files --

# config NAME WORDS TEXT: an error in a config file
config() {
    printf '%b' "$3" >"$work/conf"
    wrong 2 "$2" "config file: $1" --config "$work/conf" "$one"
}
config "an unknown key has its line" 'conf: line 3: there is no option "frmes"; did you mean frames?' \
    "# x\n\nfrmes = 4\n"
config "a bad value has its line" "conf: line 1: frames=x: this is no whole number from 0 to 2^64 - 1$" "frames x\n"
config "no value" "line 1: frames=: it needs a value" "frames\n"
config "another config file" "line 1: a config file cannot name another" "config other\n"
config "a byte 0" 'conf: line 2: there is a byte 0' "frames=4\ntick=5\0000\npolicy=fifo\n"
config "two pages in a frame of the machine's" 'frame 5 of the config file holds two pages' \
    "frames=8\npte 1 5\npte 2 6\npte 3 5\n"
config "two pages in a frame of no machine's" 'frame 105 of the config file holds two pages' \
    "frames=8\npte 1 105\npte 2 6\npte 3 105\n"
config "an entry of the TLB twice" 'tlb-entry 1 2 of the config file is there twice' \
    "tlb=4x4\ntlb-entry 1 2 3\ntlb-entry 2 2 3\ntlb-entry 1 2 4\n"
config "a PTE with a number missing" 'line 2: it must be "pte VPN PPN"' "frames=4\npte 1\n"
config "a PTE with a number too many" 'line 1: it must be "pte VPN PPN"' "pte 1 2 3\n"
config "a number that is not hexadecimal" 'line 1: it must be "disk VPN"' "disk xyz\n"
config "a byte of more than 8 bits" 'line 2: it must be "cache-line' "cache=4x1x2\ncache-line 0 0 100 1\n"
config "a cache line without a cache" "has 0 sets" "cache-line 0 0 1\n"
config "a cache line of the wrong size" "has 1 bytes, but a block has 2" "cache=4x1x2\ncache-line 0 0 1\n"
config "a TLB set that there is not" "the TLB has 4 sets" "tlb=4x4\ntlb-entry 4 0 0\n"
config "a tag that is too wide" "the tag has 6 bits" "va-bits=14\npage=64\ntlb=4x4\ntlb-entry 3 40 0\n"
config "a page that there is not" "page numbers have 8 bits" "va-bits=14\npage=64\ntlb=4x4\npte 100 0\n"
config "a frame that there is not" "does not fit into pa-bits=12" "va-bits=14\npa-bits=12\npage=64\ntlb=4x4\npte 0 40\n"

cat >"$work/conf" <<'END'
# comment
frames = 16      # another
--policy=clock
tlb 8x2
  tlb-policy = fifo
quantum=5

json
END
same "a config file says what options say" \
    "$(run --json frames=16 policy=clock tlb=8x2 tlb-policy=fifo quantum=5 "$work/rw")" \
    "$(run --config "$work/conf" "$work/rw")"
same "the command line wins over the config file, wherever it stands" \
    "$(run --json frames=32 policy=clock tlb=8x2 tlb-policy=fifo quantum=5 "$work/rw")" \
    "$(run frames=32 --config "$work/conf" "$work/rw")"
same "--key value, --key=value and key=value are the same" "$(run --json frames=16 "$work/rw")" \
    "$(run --json --frames 16 "$work/rw")"
same "K, M and G count in 1024s" "$(run --json page=8192 frames=1024 "$work/rw")" \
    "$(run --json page=8K frames=1k "$work/rw")"
same "so do k, m and g" "$(run --json tick=2K window=2M first-frame=3G "$work/rw")" \
    "$(run --json tick=2k window=2m first-frame=3g "$work/rw")"
same "a trace that a config file names" "$expected" \
    "$(echo "trace $work/rw" >"$work/conf2" && run --json frames=16 --config "$work/conf2" | plain)"
same "a trace on the command line replaces those of config files" \
    "$(run --json frames=16 "$work/short")" "$(run --json frames=16 --config "$work/conf2" "$work/short")"
same "the memory system of csapp.conf: TLB hits, cache hits, invalid accesses" "2 2 2" \
    "$(echo 03d4 03d7 027c 03a9 0040 0b8f 0020 |
        run --json --config examples/vmmsim/csapp.conf |
        sed 's/.*"tlb_hits":\([0-9]*\).*"invalid":\([0-9]*\).*"cache_hits":\([0-9]*\).*/\1 \3 \2/')"
same "tlb_lru.conf: TLB hits, faults, invalid accesses" "1 2 1" \
    "$(echo 4669 2227 13916 34587 48870 12608 49225 |
        run --json base=10 --config examples/vmmsim/tlb_lru.conf |
        sed 's/.*"tlb_hits":\([0-9]*\).*"faults":\([0-9]*\),"invalid":\([0-9]*\).*/\1 \2 \3/')"
same "index-bits begins with the root" "level 1 index 10 level 0 index 188" \
    "$(echo abc123 abc124 | run --explain --json va-bits=24 index-bits=4,8 tlb=none |
        python3 -c 'import json, sys
walk = json.loads(sys.stdin.readlines()[1])["walk"]
print(*("level %d index %d" % (step["level"], step["index"]) for step in walk))')"
same "Belady's anomaly by the command that --help shows" "9 10" \
    "$(echo 1 2 3 4 1 2 5 1 2 3 4 5 | run unit=page policy=fifo show=faults --sweep 'frames=3|4' |
        awk 'NR > 1 { print $2 }' | paste -s -d ' ')"

# -- output --

for arguments in "" "tlb=none" "cache=16x2x32 cache2=64x4x32" "show=faults,pages" "index-bits=9,9,9,9 --local"; do
    # shellcheck disable=SC2086
    output=$(run --json $arguments "$work/rw" | tee "$work/json" | python3 -m json.tool 2>&1) && [ "$(wc -l <"$work/json")" = 1 ]
    tell $? "JSON is valid and one line: ${arguments:-defaults}" "$output"
    # shellcheck disable=SC2086
    output=$(run --csv $arguments "$work/rw" | python3 -c '
import csv, json, sys
rows = list(csv.reader(sys.stdin))
want = json.load(open(sys.argv[1]))
got = dict(zip(*rows))
assert len(rows) == 2 and len(rows[0]) == len(rows[1]) and got.pop("partial") == "no", rows
same = {k: {True: "yes", False: "no"}.get(v, str(v)) if isinstance(v, bool) else str(v) for k, v in want.items()}
assert got == same, (got, same)' "$work/json" 2>&1)
    tell $? "CSV says what JSON says: ${arguments:-defaults}" "$output"
done
cp "$work/rw" "$work/a \"b\", c"
output=$(run --json "$work/a \"b\", c" | python3 -c 'import json, sys; print(json.load(sys.stdin)["trace"])')
same "a name with quotes in JSON" "$work/a \"b\", c" "$output"
output=$(run --csv "$work/a \"b\", c" | python3 -c 'import csv, sys; print(list(csv.reader(sys.stdin))[1][0])')
same "a name with quotes in CSV" "$work/a \"b\", c" "$output"
output=$(run --json --timeline 10 frames=16 "$work/rw" | python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
end = json.loads(sys.argv[1])
assert len(lines) == 10 and all(lines[-1][k] == end[k] for k in ("faults", "tlb_hits", "accesses")), lines
assert all(a["access"] < b["access"] for a, b in zip(lines, lines[1:])), lines' "{$(cut -c 2- <<<"$expected")" 2>&1)
tell $? "a timeline ends with the counts of the run" "$output"

# -- help and the documentation --

help=$(run --help)
output=$(grep -o '^    {"[a-z0-9-]*"' examples/vmmsim/options.c | tr -d ' {"' | while read -r key; do
    grep -q "^  $key=" <<<"$help" || echo "$key"
done)
[ -z "$output" ] && [ "$(grep -c '^  [a-z0-9-]*=' <<<"$help")" -gt 40 ]
tell $? "--help mentions every key of the table" "$output"
same "-h is --help" "$help" "$(run -h)"
output=$(awk 'length > 120' <<<"$help")
[ -z "$output" ]
tell $? "--help fits into 120 columns" "$output"
output=$(sed -n '/^Examples/,$p' <<<"$help" | grep '^    ' | grep -v valgrind |
    sed "s|vmmsim |timeout 60 $sim quiet=yes |; s|4\.\.512|64|" >"$work/examples"
    while read -r line; do
        if ! sh -c "$line" >"$work/out" 2>&1 || [ ! -s "$work/out" ]; then echo "$line" && cat "$work/out"; fi
    done <"$work/examples")
[ -z "$output" ] && [ "$(wc -l <"$work/examples")" -ge 5 ]
tell $? "the examples of --help work" "$output"
same "docs/vmmsim.rst has the tables that the program prints" "$(run --help=rst)" \
    "$(sed -n '/^\.\. options begin/,/^\.\. options end/p' docs/vmmsim.rst | sed '1,2d;$d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}')"
output=$(sed -n '/^Policies/,/^Config/p' <<<"$help" | grep '^  ' | xargs -n 1 | while read -r name; do
    grep -q "\`\`$name\`\`" docs/vmmsim.rst || echo "$name"
done)
[ -z "$output" ]
tell $? "docs/vmmsim.rst names every policy" "$output"
sed -n '/code-block:: sh/,/^[^ ]/s/^   //p' docs/gallery.rst | sed ':a; /\\$/{N; s/\\\n//; ba}' |
    sed -n "/--report/d; s|examples/traces/[^ ]*|$work/short|; s|^build/vmmsim|$sim quiet=yes|p" >"$work/gallery"
output=$(while read -r line; do
    timeout 60 sh -c "$line" 2>&1 >>"$work/gallery.out" || echo "$line"
done <"$work/gallery")
[ -z "$output" ] && [ "$(wc -l <"$work/gallery")" -ge 8 ] && [ "$(grep -c '"tlb":"' "$work/gallery.out")" = 28 ]
tell $? "the commands of docs/gallery.rst work" "$output"

# -- sweeps --

# single KEYS...: what single runs print, for points that standard input has one a line
single() {
    while read -r -a point; do run --json "$@" "${point[@]}" "$work/rw"; done
}
same "a sweep is its single runs, in their order" \
    "$(for f in 4 8 16 32; do for p in fifo lru clock opt; do echo "frames=$f policy=$p"; done; done | single)" \
    "$(run --json --sweep 'frames=4..32,policy=fifo|lru|clock|opt' "$work/rw")"
same "ranges with steps, lists of ranges, and values with commas" \
    "$(for f in 4 7 10 20; do for b in 18,18 9,9,9,9; do echo "index-bits=$b frames=$f"; done; done | single)" \
    "$(run --json --sweep 'frames=4..12+3|20,index-bits=18,18|9,9,9,9' "$work/rw")"
same "LRU in one pass is its single runs" \
    "$(for f in 5 1 4 60 61 1000; do echo "frames=$f"; done | single show=faults,dirty_evictions,evictions,pages,resident)" \
    "$(run --json show=faults,dirty_evictions,evictions,pages,resident --sweep 'frames=5|1|4|60|61|1000' "$work/rw")"
same "LRU in one pass for each page size, beside another policy" \
    "$(for p in lru fifo; do for s in 1024 4096; do for f in 4 8; do
        echo "policy=$p page=$s frames=$f"
    done; done; done | single show=faults,dirty_evictions modify=store)" \
    "$(run --json show=faults,dirty_evictions modify=store --sweep 'policy=lru|fifo,page=1K|4K,frames=4|8' "$work/rw")"
same "OPT for each page size" "$(for s in 1024 4096; do for f in 4 8; do echo "page=$s frames=$f policy=opt"; done; done | single)" \
    "$(run --json policy=opt --sweep 'page=1024|4096,frames=4|8' "$work/rw")"
sed -n '/^Policies/,/^Config/p' <<<"$help" | grep '^  ' | xargs -n 1 >"$work/all"
same "policy=all is all but opt, and policy=all|opt all" "$(cat "$work/all")" \
    "$(run --csv frames=8 --sweep 'policy=all|opt' "$work/rw" | sed 1d | cut -d , -f 3)"
for jobs in 1 2 7; do
    run --json jobs=$jobs --sweep 'frames=4..32,policy=all' "$work/rw" >"$work/jobs$jobs"
done
same "the number of threads changes nothing" "$(cat "$work/jobs1")" "$(cat "$work/jobs2" "$work/jobs7" | awk '!seen[$0]++')"
output=$(run --csv --sweep 'cache=none|16x1x32,tlb=none|4x4' "$work/rw" | awk -F , '{ print NF }' | sort -u)
[ "$(wc -l <<<"$output")" = 1 ]
tell $? "the CSV of a sweep has the same columns in every line" "$output"
output=$(run --json --sweep 'frames=4..64,policy=all|opt' "$work/rw" | python3 -c '
import json, sys
assert len([json.loads(line) for line in sys.stdin]) == 5 * int(sys.argv[1])' "$(wc -l <"$work/all")" 2>&1)
tell $? "every line of a sweep's JSON is valid" "$output"
sweep='frames=4..16,policy=lru|opt,index-bits=18,18|9,9,9,9'
same "--commands prints commands that do what the sweep does" "$(run --json tlb=4x2 --sweep "$sweep" "$work/a \"b\", c")" \
    "$(run tlb=4x2 --sweep "$sweep" --commands "$work/a \"b\", c" | sh)"
printf 'pte 1 5\npte 2 6\ndisk 3\nframes=4\nsweep = frames=4|8\ncsv' >"$work/conf3"
same "--commands with an initial state names the config file" \
    "$(run --config "$work/conf3" csv=no --json "$work/rw")" \
    "$(run --config "$work/conf3" --commands "$work/rw" | sh)"

# -- interruption --

# until FILE LINES: waits until the file has them, 30 s at most
until_lines() {
    local tries=0
    while [ "$(wc -l <"$1")" -lt "$2" ] && ((tries++ < 300)); do sleep 0.1; done
}
# until_caught PID: waits until it catches SIGINT, 30 s at most
until_caught() {
    local tries=0
    until grep -qs '^SigCgt:.*[2367abef]$' "/proc/$1/status" || ((tries++ >= 300)); do sleep 0.1; done
}
for _ in $(seq 10); do cat "$work/long"; done >"$work/longer"
: >"$work/partial"
"$sim" --json quiet=yes jobs=1 --sweep 'frames=4..3000+1,policy=clock' "$work/longer" >"$work/partial" 2>"$work/errors" &
until_lines "$work/partial" 2
kill -INT $!
wait $!
status=$?
[ $status = 130 ] && tail -n 1 "$work/partial" | grep -q '^{"partial":true,"done":[0-9]*,"points":2997}$' &&
    [ "$(wc -l <"$work/errors")" = 1 ] && grep -q '^vmmsim: interrupted: [0-9]* of 2997 points are done$' "$work/errors" &&
    [ "$(head -n 1 "$work/partial")" = "$(run --json policy=clock frames=4 "$work/longer")" ]
tell $? "an interrupted sweep prints what is done, marked as partial, and exits with 130" \
    "status $status, $(tail -n 1 "$work/partial") $(cat "$work/errors")"
mkfifo "$work/fifo" "$work/silent"
"$sim" --json quiet=yes frames=16 "$work/fifo" >"$work/partial" 2>"$work/errors" &
pid=$!
(while cat "$work/rw" 2>/dev/null; do :; done) >"$work/fifo" &
until_caught $pid
sleep 0.5
kill -TERM $pid
wait $pid
status=$?
kill %% 2>/dev/null
[ $status = 143 ] && grep -q ',"partial":true}$' "$work/partial" && [ "$(wc -l <"$work/errors")" = 1 ]
tell $? "an interrupted run prints its counts so far, marked as partial" "status $status $(cat "$work/partial" "$work/errors")"
sleep 50 >"$work/silent" &
sleeper=$!
"$sim" --json quiet=yes frames=16 "$work/silent" >"$work/partial" 2>"$work/errors" &
until_caught $!
sleep 0.5
kill -INT $!
wait $!
status=$?
kill -0 $sleeper && kill $sleeper && [ $status = 130 ] && grep -q '"references":0,.*"partial":true}$' "$work/partial"
tell $? "a run that waits for its trace is interrupted at once" "status $status $(cat "$work/partial" "$work/errors")"
output=$( (run --explain "$work/long" | head -n 1 >/dev/null) 2>&1)
[ -z "$output" ]
tell $? "a reader that goes away is no reason for a message" "$output"
output=$(
    trap '' PIPE
    { yes '1000 R' 2>/dev/null | { timeout 60 "$sim" quiet=yes --explain frames=4 - 2>&1 >&3; echo "status $?"; }; } \
        3> >(head -n 1 >/dev/null)
)
[ "$output" = "vmmsim: the results could not be written
status 1" ]
tell $? "nor does it go unnoticed where a pipe's signal is ignored" "$output"

# -- the report --

printf 'import sys\nprint(*sys.argv[1:])\n' >"$work/report.py"
same "--report runs report.py, where VMMSIM_REPORT says it is, with the keys of machine and trace" \
    "--vmmsim $sim --out $work/out --set page=8K --frames 9 --policy fifo --set base=10 -- $one" \
    "$(VMMSIM_REPORT=$work/report.py run --report "$work/out" frames=9 policy=fifo page=8K base=10 quiet=yes "$one")"
same "or beside the program" "--vmmsim $sim --out $work/out -- $one" "$(run --report "$work/out" "$one")"
cp "$work/one" "$work/-one"
same "a trace and a directory whose names look like options" "--vmmsim $sim --out ./-out -- ./-one" \
    "$(cd "$work" && run --report=-out -- -one)"

# -- random bytes, and traces with random bytes in them --

cat >"$work/fuzz.py" <<'END'
import random, subprocess, sys
checked, work = sys.argv[1:3]
chance = random.Random(int(sys.argv[3]))
files = ["rw", "lackey", "packed", "ls", "din", "row", "rw.gz", "rw.zst", "packed.gz"]
seeds = [open(f"{work}/{name}", "rb").read()[:6000] for name in files]
formats = ["auto", "auto", "lackey", "packed", "rw", "ls", "addresses", "din"]
def mutated():
    data = bytearray(chance.choice(seeds)) if chance.random() < 0.9 else bytearray(chance.randbytes(chance.randrange(300)))
    for _ in range(chance.choice([1, 1, 3, 20])):
        if not data: break
        at = chance.randrange(len(data)) if chance.random() < 0.5 else min(len(data) - 1, chance.randrange(40))
        what = chance.randrange(4)
        if what == 0: data[at] = chance.randrange(256)
        elif what == 1: del data[at:at + chance.choice([1, 5, 1000])]
        elif what == 2: data[at:at] = bytes([chance.choice(b"0 \n#x,RILSM\r\0\xff=")]) * chance.choice([1, 2, 70000])
        else: data[at:at] = chance.choice(seeds)[:chance.randrange(100)]
    return bytes(data)
for n in range(int(sys.argv[4])):
    data = mutated()
    arguments = [checked, "--json", "quiet=yes", "va-bits=64", "frames=8", "format=" + chance.choice(formats)]
    arguments += chance.choice([[], ["base=10"], ["unit=page"], ["policy=opt"]])
    done = subprocess.run([*arguments, "-"], input=data, capture_output=True, timeout=60)
    lines = done.stderr.count(b"\n")
    if done.returncode not in (0, 1) or lines != (done.returncode != 0):
        open(f"{work}/crash", "wb").write(data)
        sys.exit(f"{arguments}: status {done.returncode}: {done.stderr[:2000]}\n{data[:200]}")
END
output=$(python3 "$work/fuzz.py" "$checked" "$work" 1 "${VMMSIM_FUZZ:-400}" 2>&1)
tell $? "damaged traces are read or refused in one sentence, under the sanitizers" "$output"
cat >"$work/fuzz_config.py" <<'END'
import random, subprocess, sys
checked, work = sys.argv[1:3]
chance = random.Random(int(sys.argv[3]))
words = ["frames", "page", "tlb", "cache", "pte", "disk", "tlb-entry", "cache-line", "=", " ", "\n", "\n", "\n", "4x4",
         "16x1x4", "0", "1", "ff", "64", "#", "policy", "fifo", "index-bits", "8,8", "none", "levels", "\0", "\xff", "K", "..",
         "va-bits", "14", "12", "no-faults", "frozen", "sweep", "frames=1..4", "show", "faults", "--"]
for n in range(int(sys.argv[4])):
    text = "".join(chance.choice(words) + chance.choice(["", " ", " ", "\n"]) for _ in range(chance.randrange(1, 40)))
    if chance.random() < 0.5: text = open("examples/vmmsim/csapp.conf").read().replace(chance.choice("0123 ="), text[:3], 1)
    open(f"{work}/fuzz.conf", "w", encoding="latin1").write(text)
    arguments = [checked, "quiet=yes", "--config", f"{work}/fuzz.conf", f"{work}/one"]
    done = subprocess.run(arguments, capture_output=True, timeout=60)
    lines = done.stderr.count(b"\n")
    if done.returncode not in (0, 1, 2) or lines != (done.returncode != 0):
        sys.exit(f"status {done.returncode}: {done.stderr[:2000]}\n{text}")
END
output=$(python3 "$work/fuzz_config.py" "$checked" "$work" 2 "${VMMSIM_FUZZ:-200}" 2>&1)
tell $? "damaged config files, too" "$output"
output=$(timeout 100 "$checked" --json quiet=yes --sweep 'frames=4|8,policy=all|opt,page=1024|4096' "$work/short" 2>&1 >/dev/null)
tell $? "a sweep under the sanitizers" "$output"
build threads clang -O1 -g1 -fsanitize=thread
output=$(timeout 100 "$work/threads" --json quiet=yes jobs=4 --sweep 'frames=4|8,policy=all|opt,page=1024|4096' "$work/short" 2>&1 >/dev/null)
tell $? "a sweep's threads have no races" "$output"
output=$(timeout 100 "$work/threads" --json quiet=yes jobs=4 show=faults --sweep 'frames=4|8,page=1024|4096' "$work/short" 2>&1 >/dev/null)
tell $? "nor have passes of LRU for many sizes" "$output"

cd "$root" || exit
echo "1..$count"
exit $failed
