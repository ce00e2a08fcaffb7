#!/usr/bin/env bash
# Every example builds without a warning with both compilers, runs, and says what it should. TAP.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-align -Wunused -Werror"

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
        'PPN    0x11  PPO 0x29  PA 0x469' 'PPN    0x28  PPO 0x20  PA 0xa20' \
        'CO     0x0  CI 0x5  CT 0x0d  cache hit  byte 0x36' 'CO     0x3  CI 0x5  CT 0x0d  cache hit  byte 0x1d' \
        'CO     0x0  CI 0xf  CT 0x17  cache miss' 'CO     0x1  CI 0xa  CT 0x11  cache miss' \
        'CO     0x0  CI 0x8  CT 0x28  cache miss' ;;
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
    fragmentation) echo 'operation,asked,region,heap_used' ;;
    step_back) printf '%s\n' 'back     step 2: parent reads 41, child reads 41' \
        'fault  page fault: the page may not be written' 'forward  step 2: parent reads 41, child reads 41' \
        'now      step 3: parent reads 50, child reads 41' ;;
    segments) printf '%s\n' '  write  4200  PA 34920' '  write 15360  PA 27648' \
        '  E is in   BBBBBBBBEEEEEEEEEEEE...DDDDDDDD|  holes 1' '  SS = 0x13, offset 0x000:  #GP(0x10)' ;;
    translation) printf '%s\n' '0x08048000    32   72  offset    0  user' \
        '0x00005555deadbeef   170  343  245  219  offset 3823  canonical' ' 256    0    0    0  offset    0  not canonical' \
        'two levels     20 KiB in tables' ;;
    reference_strings) printf '%s\n' 'FIFO       3 frames: 15 faults' 'OPT        3 frames:  9 faults' \
        'LRU        3 frames: 12 faults' 'FIFO       3 frames:  9 faults' 'FIFO       4 frames: 10 faults' \
        'frame 1      0 0 0 0 3 3 3 2 2 2 2 2 1 1 1 1 1 0 0' ;;
    backing_store) printf '%s\n' '256 frames: 1000 addresses, 231 faults (23.1 %), 0 evictions, 296 TLB hits' \
        '128 frames: 1000 addresses, 411 faults (41.1 %), 283 evictions, 295 TLB hits' ;;
    buddy_exercise) echo 'C: 35 KiB, order 0 at  64, wastes 29    | A   | C   | B         | 256' ;;
    fault_counts) printf '%s\n' 'mmap                               0' 'the parent writes                256' ;;
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
