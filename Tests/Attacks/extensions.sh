# shellcheck shell=bash disable=SC2154
# chains of extension headers, shorter and longer than the parser's limit
enter
watch --aggregation-allowed 0
calls 50
send extensions 1 7001 50
send extensions 20 7020 50
send extensions 100 7100 50
wait_for_records
finish
check named 7001 50 attacker
sent=$(jq -s '[.[] | select(.source_name == "attacker" and .reporter == "src" and .dest_ip == "2001:db8::20") | .packets_out]
    | add // 0' "$folder/records")
expect "all 150 packets are in records of the attacker: $sent" "$sent" -ge 150
check calls 50
expect "no frame is unparsed" "$(jq .records.unrecorded.unparsed.packets "$folder/report")" = 0
