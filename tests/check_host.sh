#!/usr/bin/env bash
# The model against the kernel that this runs on: random sequences of memory calls and accesses, both must look the
# same after each step (tests/host/README.md). First the comparison itself is checked: the host agrees with itself, and
# a host that is distorted on purpose does not. Prints TAP. SEQUENCES and SEED change what is run.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
    ((count += 1))
    echo "ok $count - the host comparison # SKIP $1"
    echo "1..$count"
    exit 0
}

[ "$(uname -sm)" = "Linux x86_64" ] || skip "it is written for Linux on x86-64"
output=$(${CC:-cc} -std=c11 -O2 -Wall -Wextra -I. -static -o "$work/host_diff" tests/host/host_diff.c 2>&1) ||
    output=$(${CC:-cc} -std=c11 -O2 -Wall -Wextra -I. -Wl,-z,now -o "$work/host_diff" tests/host/host_diff.c 2>&1)
tell $? "the comparison with the host kernel compiles" "$output"
[ $failed = 0 ] || { echo "1..$count"; exit 1; }

output=$("$work/host_diff" --self --sequences 200 2>&1)
result=$?
[ $result != 77 ] || skip "$(tail -n 1 <<<"$output")"
echo "# $(head -n 1 <<<"$output")"
tell $result "the host agrees with itself" "$output"

mutations=$("$work/host_diff" --mutations)
for ((mutation = 1; mutation <= mutations; mutation++)); do
    output=$("$work/host_diff" --self --sequences 500 --differences 1 --mutation $mutation 2>&1)
    [ $? = 1 ] && ! grep -q "not deterministic" <<<"$output"
    tell $? "distortion $mutation of the host is seen" "$output"
done

output=$("$work/host_diff" --sequences "${SEQUENCES:-3000}" --seed "${SEED:-1}" 2>&1)
tell $? "the model agrees with the host: $(tail -n 1 <<<"$output")" "$output"
echo "1..$count"
exit $failed
