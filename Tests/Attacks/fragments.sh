# shellcheck shell=bash disable=SC2154
# first fragments of 8 bytes, which have only the ports
enter
watch --aggregation-allowed 0
calls 50
send fragments udp 7000 50
send fragments tcp 7001 50
wait_for_records
finish
check named 7000 100 attacker
check named 7001 100 attacker
check calls 50
expect "no frame is unparsed" "$(jq .records.unrecorded.unparsed.packets "$folder/report")" = 0
