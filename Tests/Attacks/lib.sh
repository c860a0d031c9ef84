# Shell functions of the attacks. Sourced by scripts/attacks, which sets weir (the program), flood, and attacks (this folder).
# shellcheck shell=bash disable=SC2154,SC2016
#
# A node with the uplink eth0 and two pods, attacker (10.65.0.1, fd65::1, behind cali1) and victim (10.65.0.2, fd65::2, behind
# cali2), and a host outside (192.0.2.20, 2001:db8::20): network namespaces of this process.

node=wa$$n attacker=wa$$a victim=wa$$v outside=wa$$o
limit_megabytes=${WEIR_ATTACK_LIMIT:-384}

within() { ip netns exec "$@"; }

# enter_pod NUMBER NAMESPACE: the pod's cable, addresses and routes.
enter_pod() {
    ip -n "$node" link add "cali$1" type veth peer name eth0 netns "$2"
    ip -n "$2" addr add "10.65.0.$1/32" dev eth0
    ip -n "$2" addr add "fd65::$1/128" dev eth0 nodad
    ip -n "$node" link set "cali$1" up
    ip -n "$2" link set eth0 up
    ip -n "$node" addr add 169.254.1.1/32 dev "cali$1"
    ip -n "$node" addr add fe80::ee/64 dev "cali$1" nodad
    ip -n "$node" route add "10.65.0.$1" dev "cali$1"
    ip -n "$node" -6 route add "fd65::$1" dev "cali$1"
    ip -n "$2" route add 169.254.1.1 dev eth0
    ip -n "$2" route add default via 169.254.1.1 dev eth0
    ip -n "$2" -6 route add default via fe80::ee dev eth0
}

enter() {
    local name
    folder=$(mktemp -d)
    for name in "$node" "$attacker" "$victim" "$outside"; do
        ip netns add "$name"
        ip -n "$name" link set lo up
        within "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0 \
            net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.rp_filter=0
    done
    within "$node" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "$node" link add eth0 type veth peer name eth0 netns "$outside"
    ip -n "$node" addr add 192.0.2.10/24 dev eth0
    ip -n "$node" addr add 2001:db8::10/64 dev eth0 nodad
    ip -n "$outside" addr add 192.0.2.20/24 dev eth0
    ip -n "$outside" addr add 2001:db8::20/64 dev eth0 nodad
    ip -n "$node" link set eth0 up
    ip -n "$outside" link set eth0 up
    enter_pod 1 "$attacker"
    enter_pod 2 "$victim"
    ip -n "$node" route add default via 192.0.2.20
    ip -n "$outside" route add 10.65.0.0/24 via 192.0.2.10
    ip -n "$outside" -6 route add fd65::/64 via 2001:db8::10
    router=$(ip -n "$node" -j link show cali1 | jq -r '.[0].address')
    python3 "$attacks/inventory.py" >"$folder/inventory.json"
}

leave() {
    local name
    [[ -z ${agent:-} ]] || kill -KILL "$agent" 2>/dev/null || true
    for name in "$node" "$attacker" "$victim" "$outside"; do ip netns del "$name" 2>/dev/null || true; done
    [[ -n ${folder:-} ]] || return 0
    if [[ $failures -gt 0 ]]; then echo "         kept: $folder"; else rm -rf "$folder"; fi
}

# statistics: the kernel's own counters of the node's interfaces.
statistics() {
    within "$node" sh -c 'for i in eth0 cali1 cali2; do
        s=/sys/class/net/$i/statistics; echo "$i $(cat $s/rx_packets) $(cat $s/tx_packets)"; done'
}

# memory NAME: VmRSS or VmHWM of the agent, MiB.
memory() { awk -v name="$1:" '$1 == name { print int($2 / 1024) }' "/proc/$agent/status"; }

# watch OPTIONS: begins a run once the interfaces are quiet, and waits until it watches them.
watch() {
    local before='' now
    while now=$(statistics) && [[ $now != "$before" ]]; do
        before=$now
        sleep 2
    done
    statistics >"$folder/before"
    # Without the function within, so that a signal to the job reaches the program.
    ip netns exec "$node" "$weir" run --host n1 --inventory "$folder/inventory.json" --output "file:$folder/records" --file-max-size off \
        --report "$folder/report" --flush-interval 2s --aggregation-denied 1 --interface eth0 --interface 'cali*' \
        --memory-limit "${limit_megabytes}M" "$@" 2>"$folder/log" &
    agent=$!
    while [[ $(grep -c ' watching ' "$folder/log") -lt 3 ]]; do
        kill -0 "$agent" || die "the run did not begin: $(cat "$folder/log")"
        sleep 0.1
    done
    # A flow seen within a second after the start may have begun before it, and its direction would be a guess.
    sleep 1.5
    idle=$(memory VmRSS)
}

# calls COUNT [PORT]: so many flows of one packet from the victim to the host outside, each to a port of its own.
calls() {
    within "$victim" python3 -c '
import socket, sys
for port in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[1])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"v" * 50, ("192.0.2.20", port))
    s.close()' "$1" "${2:-20000}"
}

# flood PACKETS TUPLES [DESTINATION]: from the attacker, 120,000 packets a second.
flood() { within "$attacker" "$flood" eth0 "$router" 10.65.0.1 "${3:-10.200.0.0}" "$1" 120000 "$2" 2000; }

# send KIND ARGUMENTS: raw packets from the attacker.
send() { within "$attacker" python3 "$attacks/send.py" "$router" "$@"; }

# wait_for_records: waits until all sent packets are in records.
wait_for_records() { check wait_for_records; }

# expect_memory_release: checks that the run releases the memory for the flood within a minute.
expect_memory_release() {
    local second
    for second in $(seq 60); do
        [[ $(memory VmRSS) -ge $((idle + limit_megabytes / 4)) ]] || break
        sleep 1
    done
    expect "memory is released: $(memory VmRSS) MiB after $second s, $idle MiB before, most $(memory VmHWM) MiB" \
        "$(memory VmRSS)" -lt $((idle + limit_megabytes / 4))
}

# finish: ends the run, and makes the checks of every run.
finish() {
    local status=0 began ended
    expect "memory stays below $limit_megabytes MiB: $(memory VmHWM) MiB" "$(memory VmHWM)" -lt "$limit_megabytes"
    statistics >"$folder/after"
    began=$(date +%s%N)
    kill -TERM "$agent"
    wait "$agent" || status=$?
    ended=$(date +%s%N)
    agent=
    expect "the run ends well within 10 s: $(((ended - began) / 1000000)) ms" "$status$((ended - began < 10000000000))" = 01
    check totals
}

# check CHECK ARGUMENTS: makes a check of check.py.
check() { python3 "$attacks/check.py" "$folder" "$@" || failures=$((failures + 1)); }

# expect TEXT CONDITION...: prints whether a condition of test(1) is true.
expect() {
    local what=$1
    shift
    if [ "$@" ]; then
        echo "  ok     $what"
    else
        echo "  WRONG  $what"
        failures=$((failures + 1))
    fi
}
