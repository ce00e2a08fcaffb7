#!/usr/bin/env bash
# The page tables of Linux, as tests/kernels/make.sh kept them, walked by vmm and by QEMU's monitor, agree to the last
# page. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
count=0
failed=0

# tell LINE: one of the program's, with its number
tell() {
    case $1 in
    'ok - '* | 'not ok - '*)
        ((count += 1))
        echo "${1%% - *} $count - ${1#* - }"
        [[ $1 == ok* ]] || failed=1
        ;;
    *) echo "${1/#[^#]/# &}" ;;
    esac
}

# shellcheck disable=SC2086
if ! output=$(gcc -std=c11 -O0 $warnings -I. -o "$work/compare" tests/kernels/compare.c 2>&1); then
    tell "not ok - tests/kernels/compare.c compiles"
    head -n 20 <<<"$output" | sed 's/^/# /'
else
    for format in sv39 sv48 sv57 x86_four_level x86_five_level arm64_4k; do
        before=$failed/$count
        output=$(gzip -dc "tests/kernels/$format.gz" | timeout 120 "$work/compare" "$format" 2>&1)
        status=$?
        while read -r line; do tell "$line"; done <<<"$output"
        if [ "$status" != 0 ] && [ "$failed" = "${before%/*}" ]; then
            tell "not ok - the tables of $format are compared to the end (exit status $status)"
        fi
    done
fi
echo "1..$count"
exit $failed
