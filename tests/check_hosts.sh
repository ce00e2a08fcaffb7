#!/usr/bin/env bash
# A sweep of vmmsim on two hosts by GNU parallel, as docs/sweeps.rst shows it, gives what the sweep on this machine
# gives. The hosts are network namespaces with an sshd each; a third namespace is the machine that one sits at. Keys and
# configurations lie in a temporary directory, and nothing of the system's ssh is read or changed. Needs root. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
. tests/tap.sh
work=$(mktemp -d)
hosts="a b"

# space HOST: the name of its network namespace; "here" is the machine that one sits at
space() {
    echo "vmm-$$-$1"
}

cleanup() {
    local host
    for host in $hosts; do
        [ -e "$work/$host.pid" ] && kill "$(cat "$work/$host.pid")" 2>/dev/null
        [ -e "$work/$host.started" ] && kill "$(cat "$work/$host.started")" 2>/dev/null
    done
    wait
    for host in here $hosts; do ip netns del "$(space "$host")" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# skip REASON: ends here
skip() {
    echo "ok 1 # SKIP a sweep on two hosts: $1"
    echo "1..1"
    exit 0
}

sshd=$(PATH=$PATH:/usr/sbin command -v sshd)
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
[ -n "$sshd" ] || skip "sshd is not installed (openssh-server)"
for command in ip ssh ssh-keygen parallel; do
    command -v $command >/dev/null || skip "$command is not installed (iproute2 openssh-client parallel)"
done
parallel --version 2>/dev/null </dev/null | grep -q '^GNU parallel' || skip "parallel is not GNU parallel"
gcc -E -include zlib.h -include zstd.h -xc /dev/null >/dev/null 2>&1 || skip "no zlib1g-dev, libzstd-dev"
problem=$(ip netns add "$(space here)" 2>&1) || skip "no network namespaces: $problem"

# -- two hosts --

# wire HOST NUMBER: a cable from here to it; here has 10.0.NUMBER.1, the host 10.0.NUMBER.2
wire() {
    ip netns add "$(space "$1")" &&
        ip -n "$(space here)" link add "to-$1" type veth peer name wire netns "$(space "$1")" &&
        ip -n "$(space here)" address add "10.0.$2.1/24" dev "to-$1" &&
        ip -n "$(space here)" link set "to-$1" up &&
        ip -n "$(space "$1")" address add "10.0.$2.2/24" dev wire &&
        ip -n "$(space "$1")" link set wire up &&
        ip -n "$(space "$1")" link set lo up
}

# start HOST NUMBER: its sshd. What `ip netns exec` runs has mounts of its own: the tmpfs is seen by that sshd alone.
start() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/$1.key" &&
        cat >"$work/$1.conf" <<END || return
ListenAddress 10.0.$2.2
Port 22
HostKey $work/$1.key
PidFile $work/$1.pid
AuthorizedKeysFile $work/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
MaxStartups 100
MaxSessions 100
END
    echo "10.0.$2.2 $(cut -d ' ' -f 1,2 "$work/$1.key.pub")" >>"$work/known_hosts"
    cat >>"$work/ssh_config" <<END
Host $1
    HostName 10.0.$2.2
END
    # shellcheck disable=SC2016
    ip netns exec "$(space "$1")" sh -c 'mount -t tmpfs none /run && mkdir -p -m 755 /run/sshd && exec "$@"' sh \
        "$sshd" -D -e -f "$work/$1.conf" 2>"$work/$1.log" &
    echo $! >"$work/$1.started"
}

# here COMMAND...: on the machine that one sits at
here() {
    timeout 120 ip netns exec "$(space here)" env PARALLEL_HOME="$work/parallel" "$@"
}

remote() {
    here ssh -F "$work/ssh_config" "$@"
}

mkdir -p "$work/parallel"
touch "$work/parallel/will-cite"
ssh-keygen -q -t ed25519 -N '' -f "$work/user" || skip "ssh-keygen makes no key"
problem=$(number=1; for host in $hosts; do wire "$host" $((number++)) || exit; done 2>&1) ||
    skip "no cables between network namespaces: $problem"
number=1
for host in $hosts; do start "$host" $((number++)); done
cat >>"$work/ssh_config" <<END
Host *
    User root
    IdentityFile $work/user
    IdentitiesOnly yes
    UserKnownHostsFile $work/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 20
END
for host in $hosts; do
    tries=0
    until output=$(remote "$host" true 2>&1) || ((tries++ >= 50)); do sleep 0.2; done
    [ $tries -le 50 ]
    tell $? "host $host lets us in" "$output $(cat "$work/$host.log")"
done
if [ $failed != 0 ]; then
    echo "1..$count"
    exit 1
fi

# -- the sweep --

output=$(cc -O2 -std=c11 -I. -o "$work/vmmsim" examples/vmmsim/*.c -lz -lzstd -pthread -lm 2>&1)
tell $? "vmmsim builds" "$output"
awk 'BEGIN {
    state = 1
    for (i = 0; i < 20000; i++) {
        state = (state * 16807) % 2147483647
        printf "%x %s\n", int(sqrt(state)) * 8, state % 4 ? "R" : "W"
    }
}' >"$work/trace"
sweep='frames=4..64,policy=fifo|clock|lru|arc|opt'
expected=$("$work/vmmsim" --json --sweep "$sweep" "$work/trace")
"$work/vmmsim" --sweep "$sweep" --commands "$work/trace" >"$work/commands"
[ "$(wc -l <"$work/commands")" = 25 ]
tell $? "--commands prints the 25 points, one a line" "$(cat "$work/commands")"

output=$(here parallel --ssh "ssh -F $work/ssh_config" --sshlogin 1/a,1/b --nonall readlink /proc/self/ns/net 2>&1)
[ "$({ echo "$output" && readlink /proc/self/ns/net; } | sort -u | grep -c '^net:')" = 3 ]
tell $? "the hosts are in networks of their own" "$output"

output=$(here parallel --ssh "ssh -F $work/ssh_config" --sshlogin 2/a,2/b --keep-order --joblog "$work/log" \
    <"$work/commands" 2>"$work/errors")
tell $? "parallel runs all points" "$(cat "$work/errors")"
difference=$(diff <(echo "$expected") <(echo "$output"))
tell $? "two hosts give what this machine gives, line by line" "$difference"
[ "$(awk 'NR > 1 { print $2 }' "$work/log" | sort -u | wc -l)" = 2 ]
tell $? "both hosts had points to run" "$(cat "$work/log")"

sed '3s/policy=[a-z]*/policy=none-such/' "$work/commands" >"$work/bad"
output=$(here parallel --ssh "ssh -F $work/ssh_config" --sshlogin 2/a,2/b --keep-order <"$work/bad" 2>"$work/errors")
status=$?
[ $status = 1 ] && [ "$(wc -l <<<"$output")" = 24 ] && grep -q 'no policy "none-such"' "$work/errors"
tell $? "a point that fails is one message and parallel's exit status; the others are run" \
    "status $status $(cat "$work/errors")"

kill "$(cat "$work/b.pid")"
while kill -0 "$(cat "$work/b.started")" 2>/dev/null; do sleep 0.1; done
output=$(here parallel --ssh "ssh -F $work/ssh_config" --sshlogin 2/a,2/b --keep-order --retries 5 \
    <"$work/commands" 2>"$work/errors")
difference=$(diff <(echo "$expected") <(echo "$output"))
tell $? "with --retries a host that is down costs no result" "$difference $(cat "$work/errors")"

cleanup
output=$(ip netns list | grep "vmm-$$-"; pgrep -f "$work/")
[ -z "$output" ] && [ ! -e "$work" ]
tell $? "nothing is left behind" "$output"
echo "1..$count"
exit $failed
