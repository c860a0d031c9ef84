# shellcheck shell=bash disable=SC2154
# 1,000,000 tuples of one pod, through the uplink, while another pod calls
enter
watch
flood "${WEIR_ATTACK_TUPLES:-1000000}" "${WEIR_ATTACK_TUPLES:-1000000}" >"$folder/sent" &
sender=$!
sleep 2
calls 100
sleep 2
calls 200 20100
wait "$sender"
wait_for_records
expect_memory_release
finish
check calls 300
check others 1000
