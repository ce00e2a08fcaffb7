#!/usr/bin/env bash
# vmmsim --explain: as text, as JSON, and as a dialogue that goes back. TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! output=$(${CC:-cc} -O1 -std=c11 -I. -o "$work/vmmsim" examples/vmmsim/*.c -lz -lzstd -pthread -lm 2>&1); then
    echo "not ok 1 - vmmsim builds"
    sed 's/^/# /' <<<"$output"
    echo "1..1"
    exit 1
fi
PYTHONDONTWRITEBYTECODE=1 timeout 600 python3 tests/explain.py "$work/vmmsim" "$work"
