# shellcheck shell=bash disable=SC2154
# a pod with 76 kB of labels and an output in datagrams; then one with 0.9 MB and 2,000 flows
LABELS=76000 enter
ip netns exec "$node" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("127.0.0.1", 5140))
print("up", file=sys.stderr, flush=True)
while True:
    line = s.recv(1 << 16)
    print(line.decode().rstrip("\n"), flush=True)' >"$folder/datagrams" 2>"$folder/receiver" &
receiver=$!
until grep -q up "$folder/receiver"; do sleep 0.1; done
watch --aggregation-allowed 0 --output udp:127.0.0.1:5140
calls 50
send udp 10.65.0.1 192.0.2.20 5000 7000 50
wait_for_records
finish
check named 7000 50 attacker
check calls 50
kill "$receiver"
names=$(jq -r 'select(.packets_out > 0) | .source_name' "$folder/datagrams" | sort | uniq -c | awk '{print $2 ":" $1}' | xargs)
expect "the records of both come in datagrams, as JSON: $names" \
    "$(grep -c 'attacker' <<<"$names")$(grep -c 'victim:50' <<<"$names")" = 11
leave
LABELS=900000 enter
watch --aggregation-allowed 0
calls 150
flood 2000 2000
calls 150 20150
wait_for_records
finish
check calls 300
expect "no record is dropped" "$(grep -c 'dropped=[1-9]' "$folder/log")" = 0
leave
folder=
