# shellcheck shell=bash disable=SC2154
# 1,500,000 tuples of one pod that a firewall drops, while another pod calls
enter
within "$node" nft -f - <<'N'
table ip f {
    counter dropped { }
    chain forward {
        type filter hook forward priority 0
        ip saddr 10.65.0.1 counter name dropped drop
    }
}
N
watch
flood 1500000 1500000 >"$folder/sent" &
sender=$!
sleep 2
calls 300
wait "$sender"
wait_for_records
expect_memory_release
finish
check calls 300
check others 1000
dropped=$(within "$node" nft -j list counter ip f dropped | jq '.nftables[] | .counter? // empty | .packets')
denied=$(jq -s '[.[] | select(.action == "deny" and .source_name_aggr == "attacker") | .packets_out] | add // 0' "$folder/records")
expect "denied in records: $denied, dropped by the firewall: $dropped" "$denied" = "$dropped"
