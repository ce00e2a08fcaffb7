#!/usr/bin/env bash
# Every example builds without a warning with both compilers, runs, and says what it should. TAP.
set -u
cd "$(dirname "$0")/.." || exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Werror"
count=0
failed=0

# tell RESULT NAME OUTPUT
tell() {
    ((count += 1))
    if [ "$1" = 0 ]; then echo "ok $count - $2"; else
        failed=1
        echo "not ok $count - $2"
        sed 's/^/# /' <<<"$3"
    fi
}

# run NAME: as its user would
run() {
    case $1 in
    replay) gzip -dc examples/traces/sqlite3.trace.gz | "$work/replay" - ;;
    process_trace) gzip -dc examples/traces/sqlite3.trace.gz | "$work/process_trace" - sqlite3 ;;
    pack_trace) printf 'I  00001000,4\n L 00002000,8\n' | "$work/pack_trace" | head -n 1 ;;
    rv64) "$work/rv64" 2>&1 || [ $? = 2 ] ;; # its programs are check_rv64.sh's
    *) "$work/$1" ;;
    esac
}

# Words that the output must have, each on its own line of the table.
words() {
    case $1 in
    hello) printf '%s\n' 'loaded 42' 'fault at 0x11000, cause 13: the entry is not valid' ;;
    csapp) printf '%s\n' 'PPN    0x0d  PPO 0x14  PA 0x354' 'PPN    0x17  PPO 0x3c  PA 0x5fc' \
        'PPN    0x11  PPO 0x29  PA 0x469' 'PPN    0x28  PPO 0x20  PA 0xa20' ;;
    pack_trace) echo 'vmm packed trace 1' ;;
    frames) printf '%s\n' 'five frames reserved       763 free: 1*1 1*2 1*8 1*16 1*32 1*64 1*128 2*256' \
        'owners 2; freed while shared: status 6' 'all given back, and merged 768 free: 1*256 1*512' ;;
    objects) printf '%s\n' 'after 1000 more: 200' 'misuse: the block is free already' \
        'misuse: no block begins at this address' 'misuse: the address was never this allocator' \
        'misuse: something was written behind the end of the block' \
        'misuse: the block was written to after it was freed' ;;
    bytes) printf '%s\n' 'r 1 3000' 'misuse: the block is free already' 'misuse: no block begins at this address' \
        'misuse: something was written behind the end of the block' \
        'misuse: the block was written to after it was freed' 'sound: yes' ;;
    far_heap) printf '%s\n' 'malloc b, 20000               0x40000080  page faults so far: 3' 'sound: yes' ;;
    malloc_pictures) printf '%s\n' 'free D       #AAA#.................................|' \
        'malloc X, 3  #AAA#XXX#....#CC#....#EEE#............|' \
        'malloc X, 3  #AAA#........#CC#XXXX#EEE#............|' \
        'malloc X, 3  #AAA#........#CC#....#EEE#XXX#........|' 'trim         AAAA|' ;;
    two_mmus) printf '%s\n' 'the other processor loads 0xcafe' 'the page may not be written' ;;
    process) printf '%s\n' '[1] space 1   access      VA' '[2] space 1   walk        PA' \
        '[3] space 1   entry       PTE 0x0' 'page uncached' 'page unallocated' 'page cached' '[5]           victim' \
        '[6]           swap in' '[7] space 1   run again' 'no area     VA 0x00001000' 'no right' 'beyond end' \
        'copy        PA' 'reuse       PA' '-> signal 9, code 0' 'poem.txt' ;;
    page_life) printf '%s\n' '    slot 45: count 2, no frame' '  a frame                           30.0' ;;
    policy) echo 'last in, first out    234 pages read from swap' ;;
    rv64) echo 'usage: rv64 [options] program.elf' ;;
    space_malloc) printf '%s\n' 'free(C)' 'free(D)' ;;
    replay) printf '%s\n' '2074900 references: 1390140 fetches, 363921 loads, 310836 stores, 10003 modifies' \
        'distinct pages of 4 KiB                   392              392              392' \
        'page tables                           40 KiB           44 KiB           28 KiB' ;;
    esac
}

for source in examples/*.c docs/arch_*.c docs/emulator_parts.c; do
    name=$(basename "$source" .c)
    for compiler in "gcc -std=c11" "clang -std=c11"; do
        # shellcheck disable=SC2086
        output=$($compiler -O2 $warnings -I. -o "$work/$name" "$source" 2>&1)
        tell $? "$name builds without a warning, ${compiler%% *}" "$output"
        output=$(run "$name" 2>&1)
        result=$?
        while read -r line; do
            [ -z "$line" ] || grep -qF -- "$line" <<<"$output" || result=1
        done < <(words "$name")
        tell $result "$name runs and says what it should, ${compiler%% *}" "$output"
    done
done
echo "1..$count"
exit $failed
