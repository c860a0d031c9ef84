import FlowModel

/// The reference of the record's fields for people, from the same catalogue that the encoders follow.
public enum FieldReference {
    /// The reference as Markdown: `docs/fields.md`.
    public static func markdown() -> String {
        var text = """
            # Fields of a flow record

            Every record is one JSON object on a line of its own and has all \(FlowField.standard.count) fields, in this
            order. Numbers are plain integers. A field that is not known has the value of the column *unknown*; a field
            that is not *filled* always has it. From the level in the column *folded from*, records that differ only in
            this field are one record, and it has its unknown value.

            Generated from the field catalogue: `UPDATE_GOLDEN=1 swift test --filter FieldReferenceTests`.


            """
        text += table(of: FlowField.standard)
        text += """

            ## The object of `policies`

            Both lists are in the order in which policies were gone through; a list may be empty. A hit is
            `index|tier|policy|action|rule`: the rule counts from 0, and is -1 where no rule of the tier's policies
            matched. `weir policy explain` explains a hit in words. Records with `reporter` `fwd` have a third list,
            `transit_policies`.

            ```json
            {"enforced_policies":["0|default|shop/knp.default.web|deny|-1"],"pending_policies":[]}
            ```

            ## Remainders

            Packets for whose flow there was no room, in the kernel or in the agent, are in records all the same, without the
            other end: the records' sums stay what the interfaces counted. Such a record has `-` as aggregated name of an end
            (`dest_name_aggr` with `reporter` `src`, `source_name_aggr` with `dst`), which no other record has.

            - What the endpoint sent is a record with `reporter` `src` and `bytes_out`, what it got one with `dst` and `bytes_in`.
              They do not have the connection's initiator.
            - The other end is `net` with `null` and `-`. `proto` is `0`, ports are `null`, `policies` is `null`.
            - Of a host's interface on a node with workloads both ends are that, for it is unknown whether the host sent the packets or only
              forwarded them; what it forwarded is in its workload's record, too.
            - `num_flows` and its parts are 0: the number of flows is unknown.
            - `action` is `deny` for packets that were dropped by decision. Where the destination is another pod of this node, the
              denial is in the sender's record, whoever's policies decided.

            ## What sockets say

            The fields `tcp_*` are 0 without `weir run --collect tcp`, for other protocols, and where the reporting endpoint's socket is
            not known ([collect.md](collect.md#sockets)). Congestion window, round-trip times and segment size are those of
            moments: about once a second while a connection sends or receives, and at its end; the mean is over these moments and over
            all connections of the record. Retransmissions, losses and timeouts are exact: what the sockets counted in the interval.
            They are of what the reporting endpoint sent; the other end's are in its own record.

            ## Whose sockets they are

            With `weir run --collect process`, `process_name` and `process_id` are those of the process that has the reporting
            endpoint's socket. Of TCP, it called connect(), or listen() for the connections that it answers; of UDP, it made the socket,
            and is known when the socket has sent something. The name is what the process calls itself (`comm`, at most 15 bytes), with `process-path` the path of its executable as the process sees it; the
            number is that of the host. A server that hands its connections to workers is shown as the process that listens.

            Flows that would share a record have one for each process name: the first two names one each, the others together one with
            the name `*`, and flows without a known process one with `-`, other protocols' among them. The counters of these
            records add up to those of the flows: a flow counts for one of them, with all that it carried in the interval. `process_id` is `*` where a
            record's processes are several. The counts of names and processes end at 16.

            With `process-args`, `process_args` has the arguments of these processes with spaces between them, 256 bytes of each at most; of several
            processes five texts, of one the longest. They are those that the process was started with; of one that is older than the run, those
            that it shows. Arguments may hold passwords: without this option nothing reads them. Of a process that has ended before it was looked up
            and whose start was not seen (it began before the run, or goes on with its parent's program), there is neither path nor arguments.

            `container_id` is the container of the process, by the name that its runtime gives the cgroup (containerd, CRI-O, Docker, Podman),
            `*` if a record's processes are in several. Containers in a container count as the outer one, so that nobody can take another's
            identifier. `container_name` is its name in the status of a pod of this node, which is kept for a while after its end.

            ## How long handshakes take

            With `weir run --collect handshake` the packets of TCP handshakes are timed where they cross the interface; packets of established
            connections cost nothing more. `connect_time_us` is the time from the first SYN to the ACK that completes the handshake, with
            all that was sent again. `rtt_us` is the part that the other end answers in: of the end that opened from its SYN to the SYN-ACK, of
            the other end from its SYN-ACK to the ACK; an answer after a second or more may be that to a retransmission, and is left
            out. Both are means over the handshakes that ended in the interval. Where no socket says better, `tcp_mean_min_rtt` and
            `tcp_max_min_rtt` are those of the handshakes. Not timed are connections that were open before the run, and
            the second one of the same addresses and ports within the time that a flow lives on after its end.

            ## Which flags were seen

            `tcp_flags` has the flags of TCP in packets of either end, of all connections of the record and since they began: those of an
            earlier interval stay. `["SYN"]` alone is an opening that nobody answered; `RST` was reset or refused. Connections that were open
            before the run have those that were seen since. Remainders have none.

            ## By which names

            With `weir run --collect dns`, `dest_domains` has the names that the source asked for and got the destination's address
            of, in records with `reporter` `src` to what lies outside of the cluster (`dest_type` `net` or `ns`). A name is the one
            that was asked, not those that it is an alias of. It holds for the workload, or the host, that asked, at least for its
            time to live, for a minute and until the interval ends, and as long as flows call the address. Where flows know several
            destinations by several names, the record has the first five in alphabetical order. Null: nothing was asked in plain DNS over UDP
            since the start ([collect.md](collect.md#domains)).

            `dns_latency_us` is the mean time from a question to its answer, of all that the reporting endpoint asked in the record's flows and
            that was answered in the interval, at its interface; the answers are those that count for `dest_domains`. A question that is
            asked again counts from the first time. Flows without a place in the flow table have none.

            ## What a host endpoint forwards

            With `weir run --policy-scope all`, records with `reporter` `fwd` are of connections that this host forwards and policies of a host
            endpoint govern ([policies.md](policies.md#forwarded-traffic)). Neither end reports: `transit_*_in` is what the end that began sent,
            `transit_*_out` what was answered, at one of the two interfaces; `bytes_*` and `packets_*` are 0, so that sums over records count
            nothing twice; connections are counted in `num_flows`. `policies` has the hits in `transit_policies`. A connection of this
            host's pods is in their own record, too.

            ## Fields that are never filled

            `http_requests_*` and `original_source_ips` come from a proxy: no packet has its decision, and most requests are
            encrypted.

            ## Weir's own fields

            They are no part of Calico's format. With `weir run --extended-fields` every record has them too, behind the
            others.


            """
        text += table(of: FlowField.extensions)
        return text
    }

    private static func table(of fields: [FlowField]) -> String {
        let head = """
            | # | field | type | unit | unknown | filled | folded from | meaning |
            |--:|---|---|---|---|---|---|---|

            """
        return head + fields.map(row).joined()
    }

    private static func row(of field: FlowField) -> String {
        let description = field.description
        let cells = [
            String(field.rawValue + 1),
            "`\(description.name)`",
            description.type.rawValue,
            description.unit,
            "`\(description.emptyJSON)`",
            JSONRule(field) == .empty ? "no" : "yes",
            foldingLevel(of: field).map { "level \($0.rawValue)" } ?? "",
            description.meaning.split(separator: "|").joined(separator: "\\|"),
        ]
        return "| \(cells.joined(separator: " | ")) |\n"
    }

    /// The lowest level at which a field is folded away, nil for one that every level keeps.
    private static func foldingLevel(of field: FlowField) -> AggregationLevel? {
        switch field {
        case .sourcePort: .sourcePort
        case .sourceIP, .sourceName, .destIP, .destName: .podPrefix
        case .destPort, .destServicePort: .noDestinationPort
        default: nil
        }
    }
}
