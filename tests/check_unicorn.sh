#!/usr/bin/env bash
# Random page tables, registers and accesses: vmm and Unicorn agree, but for what Unicorn is known to do wrong. Unicorn
# is the one of Debian's next release, which tests/next_release.sh unpacks under build/next. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Wstrict-prototypes
          -Wmissing-prototypes -Werror"
programs="riscv x86_32 x86 arm64"
count=0
failed=0

# tell LINE: one of a program's, with its number here
tell() {
    case $1 in
    'ok '* | 'not ok '*)
        ((count += 1))
        echo "${1%% [0-9]*} $count -${1#* -}"
        [[ $1 == ok* ]] || failed=1
        ;;
    '1..'*) ;;
    *) echo "${1/#[^#]/# &}" ;;
    esac
}

output=$(tests/next_release.sh libunicorn-dev 2>&1)
next=build/next/$(dpkg --print-architecture 2>/dev/null)/usr
library=$(compgen -G "$next/lib/*/libunicorn.so.2")
if [ -z "$library" ]; then
    for program in $programs; do # to be without it is no excuse where everything is meant to run
        if [ "${CI:-}" = true ]; then
            tell "not ok 0 - $program: vmm and Unicorn agree (no Unicorn: ${output##*$'\n'})"
        else
            tell "ok 0 - $program: vmm and Unicorn agree # SKIP no Unicorn: ${output##*$'\n'}"
        fi
    done
    echo "1..$count"
    exit $failed
fi
cp -L "$library" "$work"

for program in $programs; do
    # shellcheck disable=SC2086
    output=$(gcc -std=c11 -O0 $warnings -I. -isystem "$next/include" -o "$work/$program" "tests/unicorn/$program.c" \
        "$work/libunicorn.so.2" -Wl,--allow-shlib-undefined,-rpath,"$work" 2>&1 &&
        timeout 120 "$work/$program" 2>&1)
    status=$?
    before=$failed
    while read -r line; do tell "$line"; done <<<"$output"
    if [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
        tell "not ok 0 - $program: vmm and Unicorn are compared to the end (exit status $status)"
    fi
done
echo "1..$count"
exit $failed
