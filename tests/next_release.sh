#!/bin/sh
# next_release.sh PACKAGE[:ARCHITECTURE]...
#
# Fetches packages of Debian's next release, with all that they depend on, and unpacks them into
# build/next/ARCHITECTURE (the host's own architecture unless one is named). Nothing is installed: apt works on an
# index of its own, from the mirror that the machine's apt is set up with, and checks every signature by Debian's
# keyring. Silent and instant when the packages are there.
set -eu
cd "$(dirname "$0")/.."

suite=trixie
next=$PWD/build/next
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

[ $# -gt 0 ] || {
    echo "usage: $0 PACKAGE[:ARCHITECTURE]..." >&2
    exit 2
}
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null || [ ! -e $keyring ]; then
    echo "next_release.sh: needs apt, dpkg and debian-archive-keyring" >&2
    exit 1
fi

# mirror: where the machine's own apt finds the main archive
mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' |
        awk '$3 == "main" && $2 !~ /-/ && $4 == "Debian" { print $1; exit }'
}

# apt ARGUMENT...: apt-get with the state, the list of sources and the architecture of the folder at hand
apt() {
    apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User= \
        -o Dir::State="$state" -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null -o Dir::Cache="$state/cache" \
        -o APT::Update::Error-Mode=any -o Acquire::Languages=none -o Debug::NoLocking=true "$@"
}

# prepare: the folder at hand has an index. One that was fetched weeks ago may name files that are gone: see fetch.
prepare() {
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$next/$architecture" || return 1
    uri=$(mirror)
    if [ -z "$uri" ]; then # a machine on which apt was never updated knows its sources, but not what they are
        apt-get -q update || true
        uri=$(mirror)
    fi
    [ -n "$uri" ] || {
        echo "next_release.sh: apt knows no mirror of Debian"
        return 1
    }
    echo "deb [signed-by=$keyring] $uri $suite main" >"$state/sources.list"
    : >"$state/status"
    [ -e "$state/updated" ] || { apt update && : >"$state/updated"; }
}

# fetch PACKAGE
fetch() {
    prepare || return 1
    apt -y --no-install-recommends --download-only install "$1" || {
        rm -f "$state/updated"
        prepare && apt -y --no-install-recommends --download-only install "$1"
    } || return 1
    for archive in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$archive" "$next/$architecture" && rm -f "$archive" || return 1
    done
}

mkdir -p "$next"
exec 9>"$next/lock"
! command -v flock >/dev/null || flock 9
for wanted; do
    package=${wanted%%:*}
    case $wanted in
    *:*) architecture=${wanted#*:} ;;
    *) architecture=$(dpkg --print-architecture) ;;
    esac
    state=$next/$architecture.apt
    have=$state/have/$package
    [ ! -e "$have" ] || continue
    echo "next_release.sh: fetching $package of $suite for $architecture into build/next/$architecture" >&2
    fetch "$package" >"$next/log" 2>&1 || {
        cat "$next/log" >&2
        echo "next_release.sh: could not fetch $package for $architecture" >&2
        exit 1
    }
    mkdir -p "${have%/*}"
    : >"$have"
done
