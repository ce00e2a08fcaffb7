#!/bin/sh
# deps.sh run|test|docs|bench|fuzz ...
#
# Sees to it that what the named make targets need is installed. Silent and instant when it is.
# As root (or with a sudo that asks nothing) the missing Debian packages are installed; otherwise
# they are named and the exit status is 1.
set -eu
cd "$(dirname "$0")/.."

missing=

# need PACKAGE PROBE: a command, or a file name (a pattern that matches nothing is missing)
need() {
    case $2 in
    /*) [ -e "$2" ] ;;
    *) command -v "$2" >/dev/null ;;
    esac || missing="$missing $1"
}

need_of_vmmsim() {
    need zlib1g-dev /usr/include/zlib.h
    need libzstd-dev /usr/include/zstd.h
    need python3 python3
    need python3-matplotlib /usr/lib/python3/dist-packages/matplotlib
}

is_x86_64() {
    [ "$(uname -m)" = x86_64 ]
}

needs_of() {
    case $1 in
    run)
        command -v cc >/dev/null || missing="$missing gcc libc6-dev"
        need gzip gzip
        need_of_vmmsim
        ;;
    test)
        need gcc gcc
        need g++ g++
        need clang clang
        need libc6-dev /usr/include/stdio.h
        need libcmocka-dev /usr/include/cmocka.h
        need libclang-rt-dev /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan*
        need binutils objdump
        need cmake cmake
        need make make
        need pkg-config pkg-config
        need python3 python3
        need git git
        need perl perl
        need sqlite3 sqlite3
        need '^libpython3[.][0-9]+-testsuite$' /usr/lib/python3*/test/test_json # apt takes it as a pattern
        need gcc-arm-none-eabi arm-none-eabi-gcc
        need gcc-riscv64-unknown-elf riscv64-unknown-elf-gcc
        need qemu-system-arm qemu-system-arm
        need qemu-system-misc qemu-system-riscv32
        need qemu-system-x86 qemu-system-x86_64
        need lld ld.lld
        need_of_vmmsim
        need zstd zstd
        need valgrind valgrind
        need bochs-term bochs
        need parallel parallel
        need openssh-server /usr/sbin/sshd
        need openssh-client ssh
        need iproute2 ip
        if is_x86_64; then
            need gcc-multilib /usr/lib/gcc/x86_64-linux-gnu/*/32/crtbegin.o
            need g++-multilib /usr/lib/gcc/x86_64-linux-gnu/*/32/libstdc++.so
            need libc6-dev-i386 /usr/lib32/crt1.o
        fi
        ;;
    docs)
        need doxygen doxygen
        need python3-sphinx sphinx-build
        need python3-breathe /usr/lib/python3/dist-packages/breathe
        need furo /usr/lib/python3/dist-packages/furo
        need_of_vmmsim
        ;;
    bench)
        command -v cc >/dev/null || missing="$missing gcc libc6-dev"
        need pkg-config pkg-config
        need libunicorn-dev /usr/include/unicorn/unicorn.h
        need libmimalloc2.0 /usr/lib/*/libmimalloc.so.2.0
        need libjemalloc2 /usr/lib/*/libjemalloc.so.2
        need libtcmalloc-minimal4 /usr/lib/*/libtcmalloc_minimal.so.4
        need gcc-arm-none-eabi arm-none-eabi-gcc
        need gcc-riscv64-unknown-elf riscv64-unknown-elf-gcc
        need qemu-system-misc qemu-system-riscv64
        ;;
    fuzz)
        need clang clang
        need libclang-rt-dev /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*
        ;;
    *)
        echo "usage: $0 run|test|docs|bench|fuzz ..." >&2
        exit 2
        ;;
    esac
}

# as_root COMMAND...
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null &&
        { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-remove --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

# The package index is fetched only when the one at hand does not do: absent or out of date. A
# half-failed update may still suffice, so the second install is the judge.
install_missing() {
    log=$(mktemp)
    echo "deps.sh: installing$missing" >&2
    # shellcheck disable=SC2086
    if ! apt_install $missing >"$log" 2>&1; then
        as_root apt-get update -q >"$log" 2>&1 || true
        apt_install $missing >>"$log" 2>&1 || {
            cat "$log" >&2
            rm -f "$log"
            echo "deps.sh: could not install$missing" >&2
            return 1
        }
    fi
    rm -f "$log"
}

# The -m32 tests need a 32-bit cmocka. Debian has one only for its i386 architecture; enabling that
# on the host for one library of 25 KB would change every later apt run of the machine. So apt
# fetches the package (with its signatures checked) through an index of its own, and it is unpacked
# under build/, from where tests/run_tests.py links it.
need_cmocka_i386() {
    is_x86_64 || return 0
    for lib in /usr/lib/i386-linux-gnu/libcmocka.so build/i386/usr/lib/i386-linux-gnu/libcmocka.so.0; do
        [ ! -e "$lib" ] || return 0
    done
    command -v apt-get >/dev/null || {
        echo "deps.sh: missing: cmocka for -m32 (libcmocka-dev for i386)" >&2
        return 1
    }
    echo "deps.sh: fetching libcmocka0 for i386 into build/i386" >&2
    dir=$PWD/build/i386
    rm -rf "$dir"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
    (
        cd "$dir/apt"
        set -- -q -o APT::Architecture=i386 -o APT::Architectures=i386 \
            -o Dir::State::Lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
            -o APT::Sandbox::User=
        apt-get "$@" update >log 2>&1 || true
        apt-get "$@" download libcmocka0 >>log 2>&1 && dpkg-deb -x libcmocka0_*_i386.deb "$dir"
    ) || {
        cat "$dir/apt/log" >&2
        rm -rf "$dir"
        echo "deps.sh: could not fetch libcmocka0 for i386: the -m32 tests cannot run" >&2
        return 1
    }
    rm -rf "$dir/apt"
}

[ $# -gt 0 ] || set -- usage
for target; do
    needs_of "$target"
done
if [ -n "$missing" ]; then
    can_install || {
        echo "deps.sh: missing:$missing" >&2
        echo "deps.sh: on Debian or Ubuntu: apt-get install$missing" >&2
        exit 1
    }
    install_missing
fi
for target; do
    [ "$target" != test ] || need_cmocka_i386
    [ "$target" != test ] || tests/next_release.sh libunicorn-dev
done
