#!/bin/sh
# make.sh: remakes tests/kernels/*.gz, the page tables of Linux that tests/check_kernels.sh walks.
#
# Debian's kernels and busybox of the next release are fetched and unpacked under build/next, booted in QEMU once for
# each format, and stopped in user mode. Half a minute; for arm64 two more, as QEMU's monitor tells it page by page.
set -eu
cd "$(dirname "$0")/../.."
tests/next_release.sh linux-image-riscv64:riscv64 busybox-static:riscv64 \
    linux-image-cloud-amd64:amd64 busybox-static:amd64 linux-image-cloud-arm64:arm64 busybox-static:arm64

# boot FORMAT ARCHITECTURE FOLDER [WORD...]: words for the kernel's command line
boot() {
    format=$1
    architecture=$2
    next=build/next/$3
    shift 3
    echo "tests/kernels/$format.gz"
    tests/kernels/boot.py "$architecture" "tests/kernels/$format.gz" "$(ls "$next"/boot/vmlinu[xz]-*)" \
        "$next/usr/bin/busybox" "$@"
}

boot sv39 riscv64 riscv64 no4lvl
boot sv48 riscv64 riscv64 no5lvl
boot sv57 riscv64 riscv64
boot x86_four_level x86_64 amd64 no5lvl pti=off
boot x86_five_level x86_64 amd64 pti=off
boot arm64_4k arm64 arm64
