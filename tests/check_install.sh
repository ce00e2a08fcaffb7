#!/usr/bin/env bash
# Every way in which a user can depend on an installed or unpacked vmm. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset MAKEFLAGS MAKELEVEL

# check NAME COMMAND...: one TAP line, with the command's output when it fails
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/# /' "$work/log"
        failed=1
    fi
}

has() {
    if command -v "$1" >/dev/null; then return 0; fi
    if [ "${CI:-}" = true ]; then
        echo "not ok install: $1 is not installed"
        failed=1
    else
        echo "ok install by $1 # SKIP not installed"
    fi
    return 1
}

version=$(sed -n 's/^.*define *VMM_VERSION_\(MAJOR\|MINOR\|PATCH\) *\([0-9]*\).*/\2/p' vmm_config.h |
    paste -sd .)

mkdir -p "$work/user"
cat >"$work/user/main.c" <<'C'
#define VMM_IMPLEMENTATION
#include "vmm.h"
VMM_MMU(rv, VMM_RISCV64)
int main(void)
{
    return VMM_VERSION_MAJOR < 0;
}
C

check "make install" make -s install DESTDIR="$work/stage" PREFIX=/opt/vmm
check "make install copies three headers and vmm.pc, nothing else" \
    diff - <(cd "$work/stage" && find . -type f | sort) <<'LIST'
./opt/vmm/include/vmm.h
./opt/vmm/include/vmm_alloc.h
./opt/vmm/include/vmm_config.h
./opt/vmm/lib/pkgconfig/vmm.pc
LIST

by_pkg_config() {
    local flags
    flags=$(PKG_CONFIG_SYSROOT_DIR="$work/stage" PKG_CONFIG_PATH="$work/stage/opt/vmm/lib/pkgconfig" \
        pkg-config --cflags vmm) || return 1
    # shellcheck disable=SC2086
    cc $flags -o "$work/by_pkg_config" "$work/user/main.c" && "$work/by_pkg_config"
}
pkg_config_version() {
    local told
    told=$(PKG_CONFIG_PATH="$work/stage/opt/vmm/lib/pkgconfig" pkg-config --modversion vmm)
    echo "vmm.pc says $told, vmm_config.h $version"
    [ -n "$version" ] && [ "$told" = "$version" ]
}
if has pkg-config; then
    check "a program builds through pkg-config" by_pkg_config
    check "pkg-config tells the version of vmm_config.h" pkg_config_version
fi

make_uninstall() {
    make -s uninstall DESTDIR="$work/stage" PREFIX=/opt/vmm && [ -z "$(find "$work/stage" -type f)" ]
}
check "make uninstall leaves no file" make_uninstall

cmake_install() {
    cmake -S "$root" -B "$work/cmake" && cmake --install "$work/cmake" --prefix "$work/prefix"
}
# cmake_project DIRECTORY LINE...: configures, builds and runs a project whose vmm comes from LINE
cmake_project() {
    local project=$work/$1
    shift
    mkdir -p "$project"
    cp "$work/user/main.c" "$project"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.14)' 'project(user C)' "$@" \
        'add_executable(user main.c)' 'target_link_libraries(user PRIVATE vmm::vmm)' \
        >"$project/CMakeLists.txt"
    cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$work/prefix" &&
        cmake --build "$project/build" && "$project/build/user"
}
refuses_next_major_version() {
    ! cmake_project next_major "find_package(vmm $((${version%%.*} + 1)) REQUIRED)"
}
if has cmake; then
    check "cmake --install" cmake_install
    check "a CMake project finds the installed package" cmake_project package \
        "find_package(vmm $version REQUIRED)"
    check "the installed package refuses the next major version" refuses_next_major_version
    check "a CMake project uses the unpacked tree" cmake_project subdirectory \
        "add_subdirectory(\"$root\" vmm)"
fi
exit $failed
