#!/usr/bin/env bash
# The headers survive their user: each alone, with and without the implementation, twice, in every
# order, after macros of the kind that platforms and windows.h define, freestanding, in every
# language mode, by both compilers, with every warning an error. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Werror"
warnings_c="-Wstrict-prototypes -Wmissing-prototypes"
modes="c11 gnu11 c17 c++17 c11:-m32 c11:-ffreestanding c++17:-ffreestanding"

# Each header with only the headers that it may need: what a user has who pasted just these.
mkdir -p "$work/vmm_config.h.d" "$work/vmm_alloc.h.d" "$work/vmm.h.d"
cp "$root/vmm_config.h" "$work/vmm_config.h.d"
cp "$root/vmm_config.h" "$root/vmm_alloc.h" "$work/vmm_alloc.h.d"
cp "$root/vmm_config.h" "$root/vmm_alloc.h" "$root/vmm.h" "$work/vmm.h.d"

implementation='#define VMM_IMPLEMENTATION'
not_empty='typedef int translation_unit_is_not_empty;'

# new_case NAME DIRECTORY LINE...: one source file and the directory it finds the headers in
count=0
new_case() {
    local file
    ((count += 1))
    file=$work/$(printf '%03d' "$count")
    printf '%s\n' "$1" >"$file.name"
    printf '%s\n' "$2" >"$file.include"
    shift 2
    printf '%s\n' "$@" "$not_empty" >"$file.src"
}

include() {
    local header
    for header; do printf '#include "%s"\n' "$header"; done
}

# Macros that others define before a header is included, as tokens that no code can contain. The
# system's own headers come first: their users have the same macros and live. (No macro L: clang's own
# UINT64_C does not survive one.)
hostile() {
    local name
    printf '#include <%s>\n' limits.h stdbool.h stddef.h stdint.h
    printf '#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__\n'
    printf '#include <%s>\n' assert.h stdio.h stdlib.h string.h
    printf '#endif\n'
    for name in {A..K} {M..Z} PAGE_{SIZE,SHIFT,MASK,OFFSET,READONLY,READWRITE,NOACCESS} PAGESIZE \
        PG{SIZE,SHIFT,ROUNDUP,ROUNDDOWN} PTE_{V,R,W,X,U,A,D,G,P} PTE PDE PTX PDX PX PPN VPN \
        PTBR SATP SATP_SV39 MAKE_SATP PTE2PA PA2PTE MIN MAX ABS BIT BITS MASK ALIGN ROUNDUP \
        min max near far small hyper interface cdecl pascal IN OUT OPTIONAL ERROR SUCCESS \
        NO_ERROR CONST VOID TRUE FALSE BOOL BYTE WORD DWORD READ WRITE EXEC FETCH LOAD STORE \
        USER SUPERVISOR KERNEL VALID DIRTY ACCESSED HUGE LEVELS likely unlikely container_of \
        ARRAY_SIZE STATIC_ASSERT INLINE unix linux; do
        printf '#undef %s\n#define %s @%s@\n' "$name" "$name" "$name"
    done
    printf '#undef %s\n#define %s(device) @%s@\n' major major major minor minor minor
}

for header in vmm_config.h vmm_alloc.h vmm.h; do
    place=$work/$header.d
    new_case "$header alone" "$place" "$(include $header)"
    new_case "$header alone, implemented" "$place" "$implementation" "$(include $header)"
    new_case "$header twice" "$place" "$(include $header $header)"
    new_case "$header twice, implemented the second time" "$place" \
        "$(include $header)" "$implementation" "$(include $header)"
    new_case "$header after hostile macros" "$place" \
        "$(hostile)" "$implementation" "$(include $header)"
done
for order in "vmm.h vmm_alloc.h vmm_config.h" "vmm.h vmm_config.h vmm_alloc.h" \
    "vmm_alloc.h vmm.h vmm_config.h" "vmm_alloc.h vmm_config.h vmm.h" \
    "vmm_config.h vmm.h vmm_alloc.h" "vmm_config.h vmm_alloc.h vmm.h"; do
    # shellcheck disable=SC2086
    new_case "in the order $order" "$work/vmm.h.d" "$implementation" "$(include $order)"
done
new_case "an MMU stamped after hostile macros" "$work/vmm.h.d" \
    "$(hostile)" "$implementation" "$(include vmm.h)" 'VMM_MMU(rv, VMM_RISCV64)'

# compile COMPILER MODE CASE: one TAP line
compile() {
    local compiler=$1 mode=$2 file=$3 standard=${2%%:*} extra="" language=c flags=$warnings output
    [[ $mode != *:* ]] || extra=${mode#*:}
    if [[ $standard == *++* ]]; then
        language=c++
    else
        flags="$flags $warnings_c"
    fi
    # shellcheck disable=SC2086
    if output=$($compiler -x $language -std="$standard" $extra -O1 $flags \
        -I"$(cat "$file.include")" -S -o /dev/null "$file.src" 2>&1); then
        echo "ok $(cat "$file.name"), $compiler $standard $extra"
    else
        printf 'not ok %s, %s %s %s\n%s\n' "$(cat "$file.name")" "$compiler" "$standard" "$extra" \
            "$(head -n 20 <<<"$output" | sed 's/^/# /')"
    fi
}
export -f compile
export warnings warnings_c

jobs=()
planned=0
for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        [ "${CI:-}" = true ] && echo "not ok $compiler is not installed" ||
            echo "ok headers by $compiler # SKIP not installed"
        continue
    fi
    for mode in $modes; do
        if [[ $mode == *-m32 ]] &&
            ! $compiler -m32 -x c -include stdio.h -S -o /dev/null /dev/null 2>/dev/null; then
            [ "${CI:-}" = true ] && echo "not ok $compiler has no -m32" ||
                echo "ok headers by $compiler -m32 # SKIP no 32-bit libraries"
            continue
        fi
        for file in "$work"/*.src; do
            jobs+=("$compiler" "$mode" "${file%.src}")
            ((planned += 1))
        done
    done
done
echo "1..$planned"
# shellcheck disable=SC2016
result=$(printf '%s\n' "${jobs[@]}" |
    xargs -n 3 -P "$(nproc)" bash -c 'out=$(compile "$@"); printf "%s\n" "$out"' compile)
printf '%s\n' "$result"
! grep -q '^not ok' <<<"$result"
