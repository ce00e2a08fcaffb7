#!/usr/bin/env bash
# alloc_size.sh [TARGET]
#
# Bytes of code of vmm_alloc.h under -Os. One function is made of each of these, and what they do not reach is left
# out when they are linked together:
#   heap  a bounded heap: init, malloc, calloc, realloc, aligned_alloc, free
#   all   that, and frames: init, alloc, free; and a cache: init, alloc, free, shrink, destroy
# Code and constants count; what is called outside does not: memcpy, memset, the compiler's own helpers.
#
# Without an argument a bench: a row of each target that has a compiler here, and a line in build/bench.jsonl.
# With one (cortex-m4, rv32, x86-64) a line of each part: its name, bytes, budget, and what it calls outside.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/size.c" <<'SOURCE'
#include "vmm_alloc.h"
#define CALL(type, name, parameters, call)                                                                             \
    type name parameters;                                                                                              \
    type name parameters                                                                                               \
    {                                                                                                                  \
        return call;                                                                                                   \
    }
VMM_HEAP(heap, VMM_HEAP_BOUNDED)
CALL(vmm_status_t, f_init, (heap_t * h, const vmm_heap_options_t *o), heap_init(h, o))
CALL(void *, f_malloc, (heap_t * h, size_t n), heap_malloc(h, n))
CALL(void *, f_calloc, (heap_t * h, size_t n, size_t m), heap_calloc(h, n, m))
CALL(void *, f_realloc, (heap_t * h, void *b, size_t n), heap_realloc(h, b, n))
CALL(void *, f_aligned_alloc, (heap_t * h, size_t a, size_t n), heap_aligned_alloc(h, a, n))
CALL(vmm_misuse_t, f_free, (heap_t * h, void *b), heap_free(h, b))
#ifdef ALL
CALL(vmm_status_t, f_frames_init,
     (vmm_frames_t * f, vmm_paddr_t base, unsigned shift, uint64_t count, void *side, uint64_t bytes),
     vmm_frames_init(f, base, shift, count, side, bytes))
CALL(vmm_status_t, f_frames_alloc, (vmm_frames_t * f, unsigned o, vmm_paddr_t *at), vmm_frames_alloc(f, o, at))
CALL(vmm_status_t, f_frames_free, (vmm_frames_t * f, vmm_paddr_t at, unsigned o), vmm_frames_free(f, at, o))
CALL(vmm_status_t, f_cache_init, (vmm_cache_t * c, const vmm_cache_options_t *o, const vmm_pages_t *p),
     vmm_cache_init(c, o, p))
CALL(void *, f_cache_alloc, (vmm_cache_t * c), vmm_cache_alloc(c))
CALL(vmm_misuse_t, f_cache_free, (vmm_cache_t * c, void *object), vmm_cache_free(c, object))
CALL(unsigned, f_cache_shrink, (vmm_cache_t * c), vmm_cache_shrink(c))
CALL(vmm_status_t, f_cache_destroy, (vmm_cache_t * c), vmm_cache_destroy(c))
#endif
SOURCE

# The compiler of a target with the flags that choose it; nothing when it is not installed.
compiler() {
    case $1 in
    cortex-m4) set -- arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb ;;
    rv32) set -- riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 ;;
    x86-64) set -- x86_64-linux-gnu-gcc -fno-asynchronous-unwind-tables ;;
    *) echo "alloc_size.sh: no such target: $1" >&2 && exit 2 ;;
    esac
    ! command -v "$1" >/dev/null || echo "$*"
}

# parts TARGET: "heap BYTES BUDGET CALLS..." and "all ..."
parts() {
    local cc tool part budget calls
    cc=$(compiler "$1")
    [ -n "$cc" ] || return 0
    tool=${cc%%gcc *}
    while read -r part budget; do
        # shellcheck disable=SC2086
        $cc -std=c11 -Os -ffreestanding -ffunction-sections -fdata-sections -I. ${part:+-D${part^^}} \
            -c -o "$work/one.o" "$work/size.c"
        # shellcheck disable=SC2086,SC2046
        $cc -r -nostdlib -Wl,--gc-sections -o "$work/size.o" "$work/one.o" \
            $("${tool}nm" --defined-only -g "$work/one.o" | sed 's/.* /-Wl,-u,/') -Wl,-e,f_init
        calls=$("${tool}objdump" -r "$work/size.o" | awk '{ print $3 }' | sed 's/[-+]0x.*//' | sort -u |
            grep -xF "$("${tool}nm" -u "$work/size.o" | awk '{ print $2 }')" | tr '\n' ' ' || true)
        echo "$part $("${tool}size" "$work/size.o" | awk 'NR == 2 { print $1 }') $budget $calls"
    done <<'PARTS'
heap 2048
all 5120
PARTS
}

if [ $# -gt 0 ]; then
    parts "$1"
    exit
fi
mkdir -p build
printf '%s\n%-30s %8s %-6s  %-10s %6s  %6s\n' "code of vmm_alloc.h, -Os" name ours unit against budget ratio
for target in cortex-m4 rv32 x86-64; do
    while read -r part bytes budget _; do
        ratio=$(awk "BEGIN { printf \"%.4g\", $bytes / $budget }")
        printf '%-30s %8d %-6s  %-10s %6d  %6.3f\n' "alloc.size.$part.$target" "$bytes" bytes budget "$budget" "$ratio"
        printf '{"name": "alloc.size.%s.%s", "value": %d, "unit": "bytes", "against": "budget of %d", "ratio": %s}\n' \
            "$part" "$target" "$bytes" "$budget" "$ratio" >>build/bench.jsonl
    done < <(parts "$target")
done
