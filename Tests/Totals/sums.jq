# The sums of records by the groups of judge.py; one array for each group: the group's values, then its sums.
reduce inputs as $r ({};
    [
        $r.source_type, $r.source_namespace, $r.source_name_aggr, $r.dest_type, $r.dest_namespace, $r.dest_name_aggr,
        $r.dest_port, $r.proto, $r.dest_service_namespace, $r.dest_service_name, $r.action, $r.reporter,
        (($r.end_time - 1) / 300 | floor)
    ] as $group
    | ($group | tojson) as $key
    # Not "|=", which copies all groups for each record.
    | .[$key] = (
        .[$key]
        | (.[0] += 1) | (.[1] += $r.num_flows_started) | (.[2] += $r.bytes_in) | (.[3] += $r.bytes_out)
        | (.[4] += $r.packets_in + $r.packets_out)
    )
)
| to_entries[] | (.key | fromjson) + .value
| tojson
