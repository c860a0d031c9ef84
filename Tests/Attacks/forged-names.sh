# shellcheck shell=bash disable=SC2154
# a pod answers the DNS question of another before the server does
enter
# No function: it would be its shell that is ended.
ip netns exec "$outside" python3 "$attacks/dns.py" serve >"$folder/server" &
server=$!
trap 'kill "$server" 2>/dev/null; leave' EXIT
until grep -q ready "$folder/server"; do sleep 0.05; done
watch --aggregation-allowed 0 --collect dns --dns-output "file:$folder/dns" --dns-aggregation 0
within "$victim" python3 "$attacks/dns.py" lookup >"$folder/client" &
client=$!
until grep -q asked "$folder/client"; do sleep 0.01; done
within "$attacker" python3 "$attacks/dns.py" forge
wait "$client"
wait_for_records
finish
# names ADDRESS: prints the domain names of the address in records of the victim's calls.
names() {
    jq -sc --arg address "$1" '[.[] | select(.source_name == "victim" and .reporter == "src" and .dest_ip == $address
        and .dest_port == 7777) | .dest_domains] | unique' "$folder/records"
}
expect "the address of the lookup has its name: $(names 192.0.2.20)" "$(names 192.0.2.20)" = '[["www.example.com"]]'
expect "the forged address has no name: $(names 192.0.2.66)" "$(names 192.0.2.66)" = '[null]'
lines=$(jq -sc '[.[] | [.client_name, .qname, .qtype, .rcode, .count, (.rrsets | map(.rdata) | flatten)]]' "$folder/dns")
expect "the DNS log has the lookup alone: $lines" "$lines" = '[["victim","www.example.com","A","NoError",1,["192.0.2.20"]]]'
latency=$(jq -s '[.[].latency_mean] | max / 1000000 | floor' "$folder/dns")
expect "the latency is that of the server: $latency ms" "$((latency >= 300 && latency < 5000))" = 1
