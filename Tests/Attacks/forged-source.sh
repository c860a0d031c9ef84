# shellcheck shell=bash disable=SC2154
# packets with source addresses of another pod, of the node and of no endpoint, and IPv6 packets from ::ffff:a.b.c.d
enter
watch --aggregation-allowed 0 --extended-fields
calls 50
send udp 10.65.0.2 192.0.2.20 5000 7000 50
send udp 192.0.2.10 192.0.2.20 5001 7001 50
send udp 203.0.113.9 192.0.2.20 5002 7002 50
send udp ::ffff:10.65.0.2 2001:db8::20 5003 7003 50
send udp 2001:db8::10 2001:db8::20 5004 7004 50
send udp 10.65.0.1 192.0.2.20 5005 7005 50
wait_for_records
finish
for port in 7000 7001 7002 7003; do check named "$port" 50 -; done
# Linux forwards it: the uplink, which has this address, counts it once more.
check named 7004 100 -
check named 7005 50 attacker
check calls 50
expect "the log names the pod that sends under others' addresses" \
    "$(grep -c 'sends under' "$folder/log")" -gt 0
