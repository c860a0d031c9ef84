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
            matched. `weir policy explain` explains a hit in words.

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
            - Of a host's interface on a node with workloads both ends are that, for nobody knows whether the host sent the packets or only
              forwarded them; what it forwarded is in its workload's record, too.
            - `num_flows` and its parts are 0: nobody knows how many flows they were.
            - `action` is `deny` for packets that were dropped by decision. Where the destination is another pod of this node, the
              denial is in the sender's record, whoever's policies decided.

            ## What sockets say

            The fields `tcp_*` are 0 without `weir run --collect tcp`, for other protocols, and where the reporting endpoint's socket is
            not known ([operations.md](operations.md#sockets)). Congestion window, round-trip times and segment size are those of
            moments: about once a second while a connection sends or receives, and at its end; the mean is over these moments and over
            all connections of the record. Retransmissions, losses and timeouts are exact: what the sockets counted in the interval.
            They are of what the reporting endpoint sent; the other end's are in its own record.

            ## Whose sockets they are

            With `weir run --collect process`, `process_name` and `process_id` are those of the process that has the reporting
            endpoint's TCP socket: it called connect(), or listen() for the connections that it answers. The name is what the
            process calls itself (`comm`, at most 15 bytes); the number is that of the host. Where the flows of a record are of several
            processes there is one record all the same, with `*` for what differs, and their counts, which end at 16. The fields are `-` for
            other protocols, and in an interval in which the socket neither sent nor received. A server that hands its connections
            to workers is shown as the process that listens.

            ## Fields that are never filled

            `http_requests_*` and `original_source_ips` come from a proxy: no packet has its decision, and most requests are
            encrypted. `transit_*` are of host endpoints that filter forwarded traffic, which Weir does not evaluate. `dest_domains` and
            the arguments of processes (`process_args`) are not collected.

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
