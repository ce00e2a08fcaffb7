#!/usr/bin/env bash
# Every policy of vmmsim against a slow one written from its paper, on random strings and whole traces. TAP.
# With names of policies: only those.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cases=${VMM_CASES:-../shared/cases}

if ! output=$(${CC:-cc} -O2 -std=c11 -I. -o "$work/vmmsim" examples/vmmsim/*.c -lz -lzstd -pthread -lm 2>&1); then
    echo "not ok 1 - vmmsim builds"
    sed 's/^/# /' <<<"$output"
    echo "1..1"
    exit 1
fi
PYTHONDONTWRITEBYTECODE=1 timeout 850 python3 tests/policies/compare.py "$work/vmmsim" "$cases" "$@"
