#!/usr/bin/env bash
# Options: files that disagree about them do not link, options that contradict each other do not
# compile and say why, and every instance keeps to its own. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compilers=()
for compiler in gcc clang++; do # both compilers and both languages, each once
    command -v $compiler >/dev/null && compilers+=("$compiler")
done
[ ${#compilers[@]} -gt 0 ] || { echo "1..1"; echo "not ok there is no compiler"; exit 1; }

student="-DVMM_PAGE_SHIFT=6 -DVMM_VADDR_BITS=14 -DVMM_PADDR_BITS=12 -DVMM_LEVELS=1 -DVMM_PTE_BYTES=2"
count=0
failed=0

# tell RESULT NAME OUTPUT: one line of TAP, with the output when the result is not 0
tell() {
    ((count += 1))
    if [ "$1" = 0 ]; then
        echo "ok $2"
    else
        failed=1
        printf 'not ok %s\n%s\n' "$2" "$(head -n 12 <<<"$3" | sed 's/^/# /')"
    fi
}

# build COMPILER ARGUMENT...: the standard of its language, what it prints on both channels
build() {
    local compiler=$1 language="-x c -std=c11"
    shift
    [[ $compiler != *++ ]] || language="-x c++ -std=c++17"
    # shellcheck disable=SC2086
    $compiler $language -I. "$@" 2>&1
}

# says NAME WORDS ARGUMENT...: compiling fails and the message has the words
says() {
    local name=$1 words=$2 compiler output
    shift 2
    for compiler in "${compilers[@]}"; do
        if output=$(build "$compiler" -fsyntax-only "$@"); then
            tell 1 "$name, $compiler" "it compiles"
        else
            # A compiler may break its message over lines, or the sentence over string literals.
            tr -s ' \n' '  ' <<<"$output" | sed 's/" "//g' | grep -qF -- "$words"
            tell $? "$name, $compiler" "$output"
        fi
    done
}

# -- the default instance --

echo '#include "vmm.h"' >"$work/options.c"
while IFS='|' read -r flags words; do
    [ -n "$flags" ] || continue
    # shellcheck disable=SC2086
    says "$flags is refused" "$words" $flags "$work/options.c"
done <<'TABLE'
-DVMM_PAGE_SHIFT=2|VMM_PAGE_SHIFT must be 3 to 30
-DVMM_PAGE_SHIFT=31|VMM_PAGE_SHIFT must be 3 to 30
-DVMM_VADDR_BITS=12|VMM_VADDR_BITS must be more than VMM_PAGE_SHIFT
-DVMM_VADDR_BITS=65|VMM_VADDR_BITS must be more than VMM_PAGE_SHIFT and at most 64
-DVMM_PADDR_BITS=11|VMM_PADDR_BITS must be at least VMM_PAGE_SHIFT
-DVMM_PADDR_BITS=65 -DVMM_PTE_BYTES=8|VMM_PADDR_BITS must be at least VMM_PAGE_SHIFT and at most 64
-DVMM_LEVELS=0 -DVMM_INDEX_BITS=20|VMM_LEVELS must be 1 to 6
-DVMM_LEVELS=7|VMM_LEVELS must be 1 to 6
-DVMM_PTE_BYTES=3|VMM_PTE_BYTES must be 2, 4 or 8
-DVMM_PTE_BYTES=16|VMM_PTE_BYTES must be 2, 4 or 8
-DVMM_INDEX_BITS=10,9|VMM_INDEX_BITS must add up to VMM_VADDR_BITS - VMM_PAGE_SHIFT
-DVMM_LEVELS=1 -DVMM_INDEX_BITS=10,10|must give each of VMM_LEVELS levels 1 to 28 bits
-DVMM_LEVELS=2 -DVMM_INDEX_BITS=20,0|must give each of VMM_LEVELS levels 1 to 28 bits
-DVMM_VADDR_BITS=41 -DVMM_LEVELS=1|must give each of VMM_LEVELS levels 1 to 28 bits
-DVMM_PAGE_SHIFT=3 -DVMM_VADDR_BITS=64 -DVMM_LEVELS=1 -DVMM_PTE_BYTES=8|must give each of VMM_LEVELS levels 1 to 28 bits
-DVMM_INDEX_BITS=10,11|VMM_INDEX_BITS must add up to VMM_VADDR_BITS - VMM_PAGE_SHIFT
-DVMM_PTE_BYTES=2|the frame number and the valid bit do not fit in VMM_PTE_BYTES
-DVMM_PTE_PPN_LSB=13|the frame number and the valid bit do not fit in VMM_PTE_BYTES
-DVMM_PTE_PPN_LSB=0|the frame number and the valid bit do not fit in VMM_PTE_BYTES
-DVMM_PTE_VALID=0|VMM_PTE_VALID must name a bit
-DVMM_PTE_VALID=0x1000|a VMM_PTE_ bit lies inside the frame number
-DVMM_PTE_DIRTY=0x80000000|a VMM_PTE_ bit lies inside the frame number
-DVMM_PTE_HUGE=0x2000|a VMM_PTE_ bit lies inside the frame number
-DVMM_PTE_ACCESSED=2|two VMM_PTE_ options name the same bit
-DVMM_PTE_BYTES=2 -DVMM_PADDR_BITS=20 -DVMM_PTE_DIRTY=0x10000|lies outside the entry
-DVMM_TLB_POLICY=4|VMM_TLB_POLICY must be VMM_LRU, VMM_PLRU, VMM_FIFO or VMM_RANDOM
-DVMM_TLB_SETS=3|VMM_TLB_SETS must be a power of two
-DVMM_TLB_WAYS=0|a TLB set has 1 to 64 ways
-DVMM_TLB_WAYS=65|a TLB set has 1 to 64 ways
-DVMM_TLB_WAYS=3 -DVMM_TLB_POLICY=VMM_PLRU|pseudo-LRU needs a power of two of ways
-DVMM_TLB_COUNT=0|VMM_TLB_COUNT must be 1 or 2
-DVMM_TLB_COUNT=3|VMM_TLB_COUNT must be 1 or 2
-DVMM_FRONT_SLOTS=2|the front must have a power of two of slots from 4
-DVMM_FRONT_SLOTS=12|the front must have a power of two of slots from 4
-DVMM_FRONT_BANKS=0|too few or too many front banks
-DVMM_FRONT_BANKS=9|too few or too many front banks
-DVMM_WALK_SLOTS=6|walk-cache slots must be a power of two
TABLE

# -- instances with arguments --

while IFS='|' read -r arguments words; do
    [ -n "$arguments" ] || continue
    printf '#include "vmm.h"\nVMM_MMU(it, %s)\n' "$arguments" >"$work/instance.c"
    says "VMM_MMU(it, $arguments) is refused" "$words" "$work/instance.c"
done <<'TABLE'
VMM_ARCH_RISCV64, VMM_STAGES(2, 2, 0, 0, 0, VMM_LRU)|the front must have a power of two of slots from 4
VMM_ARCH_RISCV64, VMM_STAGES(24, 2, 0, 0, 0, VMM_LRU)|the front must have a power of two of slots from 4
VMM_ARCH_RISCV64, VMM_STAGES(8, 1, 0, 0, 0, VMM_LRU)|too few or too many front banks
VMM_ARCH_RISCV64, VMM_STAGES(0, 1, 8, 0, 0, VMM_LRU)|too few or too many front banks
VMM_ARCH_RISCV64, VMM_STAGES(8, 9, 0, 0, 0, VMM_LRU)|too few or too many front banks
VMM_ARCH_RISCV64, VMM_STAGES(8, 2, 3, 0, 0, VMM_LRU)|walk-cache slots must be a power of two
VMM_ARCH_RISCV64, VMM_STAGES_TLB(5, 1, VMM_LRU)|TLB sets must be a power of two
VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 0, VMM_LRU)|a TLB set has 1 to 64 ways
VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 65, VMM_LRU)|a TLB set has 1 to 64 ways
VMM_ARCH_RISCV64, VMM_STAGES_TLB(4, 6, VMM_PLRU)|pseudo-LRU needs a power of two of ways
VMM_ARCH_RISCV64, 0, 1, 0, 3, 4, 4, VMM_LRU, 0|there are one or two TLBs
TABLE

# -- linking --

cat >"$work/one.c" <<'SOURCE'
#define VMM_IMPLEMENTATION
#include "vmm.h"
#ifdef __cplusplus
extern "C"
#endif
vmm_status_t other(const vmm_memory_t *memory);
int main(void)
{
    static uint64_t ram[1024];
    static vmm_mmu_t mmu;
    const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    if (vmm_init(&mmu, &memory)) return 1;
    return other(&memory) == VMM_E_ARGUMENT ? 2 : 0;
}
SOURCE
cat >"$work/other.c" <<'SOURCE'
#include "vmm.h"
#ifdef __cplusplus
extern "C"
#endif
vmm_status_t other(const vmm_memory_t *memory);
vmm_status_t other(const vmm_memory_t *memory)
{
    static vmm_mmu_t mmu;
    return vmm_init(&mmu, memory);
}
SOURCE

# An MMU that is made here and used there, where nothing but a load is called.
cat >"$work/maker.c" <<'SOURCE'
#define VMM_IMPLEMENTATION
#include "vmm.h"
#ifdef __cplusplus
extern "C"
#endif
vmm_status_t loaded(vmm_mmu_t *mmu, uint32_t *value);
int main(void)
{
    static uint32_t ram[4096] __attribute__((aligned(8)));
    static vmm_mmu_t mmu;
    const vmm_memory_t memory = {ram, 0, sizeof ram, {0, 0, 0}, 0};
    uint32_t value = 0;
    if (vmm_init(&mmu, &memory)) return 1;
    ram[0] = 0x1001;
    ram[1024] = 0x201b;
    ram[2048] = 42;
    return loaded(&mmu, &value) == VMM_OK && value == 42 ? 0 : 2;
}
SOURCE
cat >"$work/loader.c" <<'SOURCE'
#include "vmm.h"
#ifdef __cplusplus
extern "C"
#endif
vmm_status_t loaded(vmm_mmu_t *mmu, uint32_t *value);
vmm_status_t loaded(vmm_mmu_t *mmu, uint32_t *value)
{
    return vmm_load32(mmu, 0, value);
}
SOURCE

# link_loader COMPILER FLAGS-OF-LOADER: maker.o stands already
link_loader() {
    # shellcheck disable=SC2086
    build "$1" $2 -c -o "$work/loader.o" "$work/loader.c" &&
        $1 -o "$work/program" "$work/maker.o" "$work/loader.o" 2>&1
}

# link COMPILER FLAGS-OF-OTHER: one.o stands already
link() {
    # shellcheck disable=SC2086
    build "$1" $2 -O1 -c -o "$work/other.o" "$work/other.c" &&
        $1 -o "$work/program" "$work/one.o" "$work/other.o" 2>&1
}

for compiler in "${compilers[@]}"; do
    output=$(build "$compiler" -O1 -c -o "$work/one.o" "$work/one.c")
    tell $? "a file with VMM_IMPLEMENTATION compiles, $compiler" "$output"
    output=$(link "$compiler" "") && output=$("$work/program" 2>&1)
    tell $? "files with the same options link and run, $compiler" "$output"
    while IFS='|' read -r flags symbol; do
        if output=$(link "$compiler" "$flags"); then
            tell 1 "a file with $flags does not link with one without, $compiler" "it links"
        else
            grep -q "vmm_options_.*$symbol" <<<"$output"
            tell $? "a file with $flags does not link, and the linker names it, $compiler" "$output"
        fi
    done <<'TABLE'
-DVMM_PAGE_SHIFT=10|page10_
-DVMM_VADDR_BITS=30|_va30_
-DVMM_PADDR_BITS=30|_pa30_
-DVMM_LEVELS=3|_levels3_
-DVMM_PTE_BYTES=8|_pte8_
-DVMM_TLB_SETS=8|_tlb1x8x4
-DVMM_TLB_WAYS=8|_tlb1x16x8
-DVMM_TLB_COUNT=2|_tlb2x16x4
-DVMM_FRONT_SLOTS=16|_front16x1
-DVMM_FRONT_BANKS=2|_front0x2
-DVMM_WALK_SLOTS=4|_walk4_
TABLE
    for flags in -DVMM_TLB_POLICY=VMM_FIFO -DVMM_INDEX_BITS=8,12 -DVMM_PTE_WRITE=0x800 -DVMM_PTE_HUGE=0x40 \
        -DVMM_PTE_PPN_LSB=11; do
        output=$(link "$compiler" "$flags") && output=$("$work/program"; [ $? = 2 ] || echo "vmm_init took it")
        [ -z "$output" ]
        tell $? "a file with $flags links, but vmm_init refuses, $compiler" "$output"
    done
done

for compiler in "${compilers[@]}"; do
    output=$(build "$compiler" -O1 -c -o "$work/maker.o" "$work/maker.c")
    tell $? "a file that makes an MMU for another compiles, $compiler" "$output"
    for level in -O0 -O2; do
        output=$(link_loader "$compiler" "$level") && output=$("$work/program" 2>&1)
        tell $? "a file that only loads links and runs with the same options, $compiler $level" "$output"
        while IFS='|' read -r flags symbol; do
            if output=$(link_loader "$compiler" "$level $flags"); then
                tell 1 "a file with $flags that only loads does not link, $compiler $level" "it links"
            else
                grep -q "vmm_options_.*$symbol" <<<"$output"
                tell $? "a file with $flags that only loads does not link, $compiler $level" "$output"
            fi
        done <<'TABLE'
-DVMM_PAGE_SHIFT=10|page10_
-DVMM_LEVELS=3|_levels3_
-DVMM_TLB_SETS=64|_tlb1x64x4
-DVMM_TLB_SETS=0|_tlb1x0x4
-DVMM_FRONT_SLOTS=16|_front16x1
-DVMM_WALK_SLOTS=4|_walk4_
TABLE
    done
done

# -- several instances, and none --

printf '#include "vmm.h"\nVMM_MMU(rv, VMM_RISCV64)\nint main(void) { return 0; }\n' >"$work/unused.c"
cat >"$work/instances.c" <<'SOURCE'
#include "vmm.h"
VMM_MMU(first, VMM_RISCV64)
VMM_MMU(second, VMM_ARCH_RISCV32, VMM_STAGES_TLB(8, 2, VMM_PLRU))
int main(void)
{
    static uint64_t ram[1024];
    static first_mmu_t one;
    static second_mmu_t two;
    const vmm_memory_t memory = {ram, 0x80000000u, sizeof ram, {0, 0, 0}, 0};
    uint32_t value = 0;
    if (first_init(&one, &memory) || second_init(&two, &memory)) return 1;
    if (first_store32(&one, 0x80000010u, 42) || second_load32(&two, 0x80000010u, &value)) return 2;
    return value == 42 ? 0 : 3;
}
SOURCE
for compiler in "${compilers[@]}"; do
    for level in -O0 -O2; do
        for program in unused instances; do
            output=$(build "$compiler" $level -o "$work/program" "$work/$program.c") &&
                output=$("$work/program" 2>&1)
            tell $? "a program with $program needs no VMM_IMPLEMENTATION, $compiler $level" "$output"
        done
        # shellcheck disable=SC2086
        output=$(build "$compiler" $level $student -DVMM_IMPLEMENTATION -o "$work/program" "$work/instances.c") &&
            output=$("$work/program" 2>&1)
        tell $? "two instances beside the student's one compile and run, $compiler $level" "$output"
    done
done

echo "1..$count"
exit $failed
