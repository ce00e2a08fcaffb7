#!/usr/bin/env bash
# Real programs under libvmmalloc.so (examples/preload): what they print and make is what they print and make under
# the host's malloc; and malloc's family itself, its corners, threads, fork, misuse, recording. Prints TAP.
# LEVEL=3 tests/check_preload.sh: the programs at another hardening level.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MAKELEVEL LD_PRELOAD VMMALLOC_RECORD VMMALLOC_STATS
export PERL_HASH_SEED=0 LC_ALL=C
ulimit -c 0
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes"
shared="-O2 -fPIC -shared -fvisibility=hidden -fno-builtin-malloc -pthread -Wl,-z,now"
seconds=60 # most that any one program may take

# has COMMAND NAME: else a line that says so, which CI does not put up with
has() {
    if command -v "$1" >/dev/null; then return 0; fi
    ((count += 1))
    if [ "${CI:-}" = true ] && [ "$1" != node ]; then
        failed=1
        echo "not ok $count - $2: $1 is not installed"
    else
        echo "ok $count # SKIP $2: $1 is not installed"
    fi
    return 1
}

# under LIBRARY COMMAND...: with it preloaded, within the time that is allowed
under() {
    local library=$1
    shift
    timeout $seconds env LD_PRELOAD="$library" "$@"
}

# same NAME COMMAND...: status and output of both kinds are the same under our malloc as under the host's. Times are
# not compared. The command writes into the current directory, which has the same name both times.
same() {
    local name=$1 kind library
    shift
    for kind in host ours; do
        library=
        [ $kind = host ] || library=$lib
        rm -rf "${work:?}/$kind"
        mkdir "$work/here"
        (
            cd "$work/here" || exit
            under "$library" "$@" >.out 2>&1 </dev/null
            echo "status $?" >>.out
        )
        sed -i 's/in [0-9.]*s$/in some time/' "$work/here/.out"
        mv "$work/here" "$work/$kind"
    done
    if ! grep -q '^status 0$' "$work/host/.out"; then
        tell 1 "$name" "fails under the host's malloc: $(tail -n 18 "$work/host/.out")"
    else
        output=$(diff -r "$work/host" "$work/ours" 2>&1)
        tell $? "$name" "$output"
    fi
}

# -- building --

output=$(make -s -B preload 2>&1) && output=$output$(ls build/libvmmalloc.so 2>&1 >/dev/null) && [ -z "$output" ]
tell $? "make preload builds build/libvmmalloc.so without a warning" "$output"
for level in 0 1 2 3; do
    for compiler in "clang -fsyntax-only" "gcc $shared"; do
        # shellcheck disable=SC2086
        output=$($compiler -std=c11 -I. $warnings -Wmissing-prototypes -Werror -DVMM_PRELOAD_LEVEL=$level \
            -o "$work/level$level.so" examples/preload/vmmalloc.c 2>&1)
        tell $? "level $level builds without a warning, ${compiler%% *}" "$output"
    done
done
lib=$work/level${LEVEL:-0}.so
for program in corners misuse threads; do
    # shellcheck disable=SC2086
    output=$(gcc -std=c11 -O1 $warnings -Werror -Wno-use-after-free -fno-builtin -pthread \
        -o "$work/$program" tests/preload/$program.c 2>&1)
    tell $? "the program $program builds" "$output"
done

# -- the family --

same "every corner of the family is as with the host's" "$work/corners"
for level in 0 1 2 3; do
    output=$(under "$work/level$level.so" "$work/corners" all 2>&1)
    tell $? "every corner of the family is as it should, level $level" "$output"
    output=$(under "$work/level$level.so" "$work/threads" 2>&1)
    tell $? "threads pass blocks to each other and fork meanwhile, level $level" "$output"
done
same "threads pass blocks to each other and fork meanwhile" "$work/threads"

# The same code as a part of a program, under names of its own, where sanitizers can look into it.
renamed=$(printf ' -D%s=our_%s' malloc{,} free{,} calloc{,} realloc{,} reallocarray{,} aligned_alloc{,} \
    posix_memalign{,} memalign{,} valloc{,} pvalloc{,} malloc_usable_size{,} free_sized{,} free_aligned_sized{,})
for sanitizer in thread:0 undefined:10; do # and how often to fork
    # shellcheck disable=SC2086
    output=$(clang -std=c11 -O1 -g -I. $renamed -fsanitize=${sanitizer%:*} -fno-sanitize-recover=all -pthread \
        -o "$work/sanitized" examples/preload/vmmalloc.c tests/preload/threads.c 2>&1) &&
        output=$(timeout $seconds "$work/sanitized" "${sanitizer#*:}" 2>&1)
    tell $? "threads pass blocks to each other, -fsanitize=${sanitizer%:*}" "$output"
done

# Misuse, from which level on it is found, and what is said.
while IFS='|' read -r what from words; do
    for ((level = from; level < 4; level++)); do
        output=$(under "$work/level$level.so" "$work/misuse" "$what" 2>&1)
        status=$?
        grep -q "^libvmmalloc: .*\($words\).*: 0x[0-9a-f]*[08]$" <<<"$output" && [ $status = 134 ]
        tell $? "$what, level $level: the process is told why and where, and ends" "status $status: $output"
    done
done <<'TABLE'
small block freed twice|0|free already
large block freed twice|0|free already
large block freed later again|0|free already
small block freed later again|1|free already\|no block begins
small block, realloc freed|0|free already
large block, realloc freed|0|free already
foreign pointer|0|never this allocator
large block, inside|0|no block begins
small block, inside|1|no block begins
large block, overrun|1|written behind
large block, overrun by one|2|written behind
small block, overrun|2|written behind
small block, overrun by one|2|written behind
small block of the wrong size|0|size
large block of the wrong size|0|size
small block, use after free|3|written to after it was freed
large block, use after free|3|written to after it was freed
TABLE
output=$(under "$lib" "$work/misuse" "freed twice, with threads" 2>&1) &&
    grep -q 'the handler could allocate' <<<"$output"
tell $? "a handler of SIGABRT can allocate" "$output"

# -- real programs --

cat >"$work/database.py" <<'PYTHON'
import json, re, sqlite3
base = sqlite3.connect(":memory:")
base.execute("create table word (id integer primary key, text text, length int)")
base.executemany("insert into word (text, length) values (?, ?)",
                 ((f"{n * 7919 % 10007:x}" * (n % 17), n % 17) for n in range(30000)))
base.create_function("backwards", 1, lambda text: text[::-1])
rows = base.execute("select length, count(*), max(backwards(text)) from word group by length").fetchall()
print(json.dumps(rows, indent=1))
print(len(re.findall(r"(?:ab|c)+", json.dumps(base.execute("select * from word").fetchall()))))
PYTHON
cat >"$work/fill.sql" <<'SQL'
create table item (id integer primary key, name text, kind int, data blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
    insert into item select i, 'name ' || (i * 7919 % 40009), i % 97, zeroblob(i % 300) from n;
create index by_name on item (name);
create index by_kind on item (kind, name);
delete from item where id % 5 = 0;
update item set name = name || ' changed' where kind = 13;
select kind, count(*), min(name), max(name), sum(length(data)) from item group by kind order by kind;
select a.id, b.id, a.name from item a join item b on b.id = a.kind and b.name > a.name order by a.name limit 50;
select group_concat(name, ',') from (select name from item order by name desc limit 2000);
vacuum;
pragma integrity_check;
SQL
cat >"$work/words.pl" <<'PERL'
use strict;
my (%count, %by_length, @lines);
for my $name (glob "$ARGV[0]/*.h") {
    open my $in, '<', $name or die;
    push @lines, <$in>;
}
for (@lines) {
    while (/\b([a-z]\w+)\b/g) { $count{$1}++; push @{$by_length{length $1}}, $1 }
    s/(\w+)\(([^()]*)\)/$2<$1>/g;
}
print "$_ $count{$_}\n" for sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$_: ", scalar @{$by_length{$_}}, "\n" for sort { $a <=> $b } keys %by_length;
print join('', sort @lines);
my $long = join ' ', map { "x$_" x ($_ % 50) } 1 .. 5000;
print length($long), ' ', scalar(split /x1+/, $long), "\n";
PERL
cat >"$work/objects.js" <<'JS'
const { Worker, isMainThread, parentPort } = require('worker_threads');
const work = (from) => {
    const map = new Map();
    for (let i = from; i < from + 50000; i++) map.set('key' + i * 7919 % 50021, { i, text: 'x'.repeat(i % 40) });
    const buffers = Array.from({ length: 500 }, (_, i) => Buffer.alloc(i * 97, i & 255));
    return JSON.stringify([...map].sort().slice(0, 1000)) + Buffer.concat(buffers).toString('base64').length;
};
if (isMainThread) {
    console.log(work(0));
    new Worker(__filename).on('message', (text) => console.log(text));
} else parentPort.postMessage(work(3));
JS

# python_has PYTHON MODULE
python_has() {
    "$1" -c "import test.$2" >/dev/null 2>&1
}
if has python3 "python3 runs its own tests"; then
    for module in test_json test_re test_sqlite3; do # Debian's python3 comes without the last, others have all
        for python in $(type -ap python3); do
            python=$("$python" -c 'import sys; print(sys.executable)')
            ! python_has "$python" $module || break
        done
        if python_has "$python" $module; then
            same "python3 runs its own $module, every object from malloc" \
                env PYTHONMALLOC=malloc "$python" -m unittest -v test.$module
        else
            ((count += 1))
            echo "ok $count # SKIP python3 runs its own $module: it came without"
        fi
    done
    same "python3 runs its own test_json, with its own small objects" "$python" -m unittest test.test_json
    same "python3 fills and queries a database" env PYTHONMALLOC=malloc python3 "$work/database.py"
fi
same "gcc compiles a large file" gcc -std=c11 -O1 -I"$root" -I"$root/tests" -c "$root/tests/test_editing.c"
if has g++ "g++ compiles a large file"; then
    same "g++ compiles a large file" g++ -x c++ -std=c++17 -g -I"$root" -I"$root/tests" -c "$root/tests/test_walk.c"
fi
if has sqlite3 "sqlite3 fills and queries a table"; then
    same "sqlite3 fills and queries a table, in memory" sqlite3 :memory: ".read $work/fill.sql"
    same "sqlite3 fills and queries a table, in a file" sqlite3 base ".read $work/fill.sql"
fi
if has git "git log --stat"; then
    if git rev-parse HEAD >/dev/null 2>&1; then
        same "git log --stat" git -C "$root" log --stat
    else
        ((count += 1))
        echo "ok $count # SKIP git log --stat: this is no clone"
    fi
fi
if has perl "perl counts words"; then
    same "perl counts words, sorts and substitutes" perl "$work/words.pl" "$root"
    output=$(ulimit -v 1000000; under "$lib" perl -e 'print "ok" x 3' 2>&1)
    [ "$output" = okokok ]
    tell $? "perl runs with a limit on addresses (ulimit -v)" "$output"
fi
if has node "node runs a worker"; then
    same "node runs a worker" node "$work/objects.js"
fi

# -- recording and reports --

# recorded FILE LEAST: a .rep that holds together and has at least so many operations
recorded() {
    awk -v least="$2" '
        /^#/ { next }
        !/^(a|r) [0-9]+ [0-9]+$/ && !/^f [0-9]+$/ { print "line " NR ": " $0; bad = 1; exit }
        $1 == "a" && ($2 in live) { print "line " NR ": lives already"; bad = 1; exit }
        $1 != "a" && !($2 in live) { print "line " NR ": does not live"; bad = 1; exit }
        { live[$2]; operations++ }
        $1 == "f" { delete live[$2] }
        END { if (operations < least) print operations " operations"; exit bad || operations < least }' "$1" 2>&1
}
if has perl "perl is recorded"; then
    output=$(VMMALLOC_RECORD=$work/perl.rep under "$lib" perl "$work/words.pl" "$root" 2>&1 >/dev/null) &&
        [ -z "$output" ] && output=$(recorded "$work/perl.rep" 10000)
    tell $? "perl is recorded, and the record holds together" "$output"
fi
output=$(VMMALLOC_RECORD=$work/threads.rep under "$lib" "$work/threads" 2>&1) &&
    output=$(recorded "$work/threads.rep" 50000)
tell $? "threads are recorded, and no child writes between their lines" "$output"
output=$(VMMALLOC_RECORD=$work/%p.rep under "$lib" bash -c 'ls /; ls /' 2>&1 >/dev/null)
ls "$work"/[0-9]*.rep >"$work/list" 2>&1
[ -z "$output" ] && [ "$(wc -l <"$work/list")" -ge 2 ] &&
    output=$(while read -r file; do recorded "$file" 1 || echo "$file"; done <"$work/list") && [ -z "$output" ]
tell $? "with %p in its name each process has its own record" "$output $(cat "$work/list")"
for level in 0 1; do
    output=$(VMMALLOC_STATS=1 under "$work/level$level.so" "$work/threads" 2>&1)
    status=$?
    grep -q '^live blocks ' <<<"$output" && grep -q "^libvmmalloc: level $level, threads" <<<"$output" &&
        [ $status = 0 ] && { [ $level = 0 ] || grep -q '^allocs [0-9]' <<<"$output"; }
    tell $? "VMMALLOC_STATS=1 prints a report at the end, level $level" "$output"
done

echo "1..$count"
exit $failed
