# shellcheck shell=bash disable=SC2154
# 40 runs that are ended by two signals within milliseconds, as timeout(1) does
enter
lost=0
runs=${WEIR_ATTACK_RUNS:-40}
for run in $(seq "$runs"); do
    # The log too: the log of the previous run has the line of the watched interfaces.
    rm -f "$folder/records" "$folder/report" "$folder/log"
    ip netns exec "$node" "$weir" run --interface cali2 --workload-interface 'cali*' --output "file:$folder/records" --http off \
        --report "$folder/report" --flush-interval 1h 2>"$folder/log" &
    agent=$!
    until grep -qs ' watching ' "$folder/log"; do
        kill -0 "$agent" || die "the run did not begin: $(cat "$folder/log")"
        sleep 0.05
    done
    calls 20
    kill -TERM "$agent"
    sleep "0.00$((run % 5))"
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" || true
    # Packets in a queue of the kernel are not seen; all packets that were seen are in records.
    sent=$(jq -s '[.[] | .packets_in + .packets_out] | add // 0' "$folder/records")
    [[ $sent -gt 0 && $sent == $(jq .records.recorded.packets "$folder/report") ]] || lost=$((lost + 1))
done
agent=
expect "$runs runs ended by two signals: $lost without their last records" "$lost" = 0
