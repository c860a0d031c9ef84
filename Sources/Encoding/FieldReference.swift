import FlowModel

/// The reference of the record's fields for users, generated from the catalogue that the encoders use.
public enum FieldReference {
    /// The reference as Markdown: `docs/fields.md`.
    public static func markdown() -> String {
        let sections = [policies, remainders, sockets, processes, handshakes, flags, domains, forwarded, neverFilled]
        let standard = introduction + table(of: FlowField.standard)
        let own = extensions + table(of: FlowField.extensions)
        return ([standard] + sections + [own, needs]).joined(separator: "\n")
    }

    private static let introduction = """
        # Fields of a flow record

        Every record is one JSON object on a line of its own and has all \(FlowField.standard.count) fields, in this order.
        Numbers are plain integers. A field that is not known has the value of the column *unknown*; a field that is not
        *filled* always has it. From the level in the column *folded from*, records that differ only in this field are one
        record, and it has its unknown value.

        Generated from the field catalogue: `UPDATE_GOLDEN=1 swift test --filter FieldReferenceTests`.


        """

    private static let policies = """
        ## The object of `policies`

        Both lists are in the order in which the policies were evaluated; a list may be empty. A hit is
        `index|tier|policy|action|rule`: the rule counts from 0, and is -1 where no rule of the tier's policies matched.
        `weir policy explain` explains a hit in words. Records with `reporter` `fwd` have a third list, `transit_policies`.

        ```json
        {"enforced_policies":["0|default|shop/knp.default.web|deny|-1"],"pending_policies":[]}
        ```

        """

    private static let remainders = """
        ## Remainders

        Packets for whose flow there was no room, in the kernel or in the agent, are in records without the other end, so
        that the records' sums stay equal to the interfaces' counts. Such a record has `-` as aggregated name of an end
        (`dest_name_aggr` with `reporter` `src`, `source_name_aggr` with `dst`), which no other record has.

        - Traffic that the endpoint sent is a record with `reporter` `src` and `bytes_out`, traffic that it received one
          with `dst` and `bytes_in`. They do not show the initiator of the connections.
        - The other end is `net` with `null` and `-`. `proto` is `0`, ports are `null`, `policies` is `null`.
        - For a host's interface on a node with workloads both ends are like that, because it is unknown whether the host
          sent the packets or only forwarded them; forwarded packets are in their workload's record, too.
        - `num_flows` and its parts are 0: the number of flows is unknown.
        - `action` is `deny` for packets that were dropped by decision. Where the destination is another pod of this node,
          the denial is in the sender's record, whichever end's policies decided.

        """

    private static let sockets = """
        ## Socket statistics

        The fields from `tcp_mean_send_congestion_window` to `tcp_unrecovered_to` are 0 without `weir run --collect tcp`,
        for other protocols, and where the reporting endpoint's socket is not known ([collect.md](collect.md#sockets)); the
        minimum round-trip times may come from [handshakes](#handshake-times). Congestion window, round-trip times and
        segment size are samples: every five seconds and before each flush while a connection sends or receives, and at its
        end; the mean is over these samples and over all connections of the record. Retransmissions and losses are exact:
        the counts of the sockets in the interval. So are timeouts, except those of a connection that found no room in the
        table of sockets: only the last ones in a row are known then. A SYN-ACK that was sent again counts as a
        retransmission, but not as a timeout: there is no socket yet. They concern the packets that the reporting endpoint
        sent; those of the other end are in its own record. A connection with denied packets has two records: the statistics
        are in that of its allowed packets, else in that of its denied ones; of an interval without any of its packets, they
        are in a later record, at the latest in one at its end, which has no packets if they are all in the record of
        another end.

        """

    private static let processes = """
        ## Processes and containers

        With `weir run --collect process`, `process_name` and `process_id` belong to the process that owns the reporting
        endpoint's socket. For TCP, it called connect(), or listen() for the connections that it answers; for UDP, it
        created the socket, and is known when the socket has sent a packet. The name is the one that the process has set
        itself (`comm`, at most 15 bytes), with `process-path` the path of its executable as the process sees it; the
        identifier is that of the host. The path of a process that has ended before it was looked up is the one that was
        passed to exec(), which may be a symbolic link to the executable. Threads count as their process.

        The name set by the process is that at the time of the call, path and arguments are those at the time of the lookup:
        a process that has called exec() between the two has the new path and arguments. A TCP connection attempt that is
        not answered gets its process with its first retransmission, after a second, or when it ends; an earlier record of
        it has `-`.

        Neither accept() nor passing a socket on is observed. These records show another process than the one that sends:

        - of a server that forks its workers after listen() (Apache, nginx, PostgreSQL, gunicorn): the one that listens
        - of a service that systemd listens for, or of workers that were sent the listener (`SCM_RIGHTS`): systemd, the sender
        - of a connection that another process was given, by fork() or `SCM_RIGHTS`: the one that called connect() or listens
        - of a connection or listener that is older than the run and that several processes have: one of these

        Flows that would share a record have one for each process name: one for each of the first two names, one with the
        name `*` for the others together, and one with `-` for flows without a known process, such as those of other
        protocols. The counters of these records add up to those of the flows: a flow counts for one of them, with all of
        its traffic in the interval. Exception: in outputs with a longer interval, a connection whose process becomes known
        after the interval's first flush is in `num_flows` of the record with `-` and of that of its process. `process_id`
        is `*` where a record has several processes. The counts of names and processes end at 16. A process may call itself
        `*` or `-`: without `process-path` it cannot be told apart.

        With `process-args`, `process_args` has the arguments of these processes with spaces between them, at most 256 bytes
        of each: five texts for several processes, the longest one for a single process. They are the arguments with which
        the process was started; for a process that is older than the run, those that it shows now. Arguments may contain
        passwords: without this option Weir does not read them. If a process has ended before it was looked up, and its
        start was not seen (it began before the run, or runs its parent's program), there is neither path nor arguments.

        `container_id` is the container of the process, by the name that its runtime gives the cgroup (containerd, CRI-O,
        Docker, Podman), `*` if a record's processes are in several. Containers in a container count as the outer one, so
        that no process can take another container's identifier. `container_name` is its name in the status of a pod of this
        node, which is kept for a while after its end.

        """

    private static let handshakes = """
        ## Handshake times

        With `weir run --collect handshake` the packets of TCP handshakes are timed where they cross the interface; packets
        of established connections cost nothing more. `connect_time_us` is the time from the first SYN to the ACK that
        completes the handshake, including retransmissions. `rtt_us` is the part until the other end's answer: for the
        initiator from its SYN to the SYN-ACK, for the other end from its SYN-ACK to the ACK; an answer after a second or
        more may belong to a retransmission, and is left out. Both are means over the handshakes that completed in the
        interval. Where no socket has a better value, `tcp_mean_min_rtt` and `tcp_max_min_rtt` are those of the handshakes.
        Connections that were open before the run are not timed, and neither is the second one of the same addresses and
        ports while the flow of the first one has not ended. Records with `reporter` `fwd` have times where the connection
        enters this host, and none where it leaves.

        """

    private static let flags = """
        ## TCP flags

        `tcp_flags` has the flags of TCP in packets of either end, of all connections of the record since they began: flags
        of an earlier interval stay. `["SYN"]` alone is an opening without an answer; `RST` means that a connection was
        reset or refused. For connections that were open before the run it has the flags that were seen since. Remainders
        have none.

        """

    private static let domains = """
        ## Domain names

        With `weir run --collect dns`, `dest_domains` has the names that the source has looked up and that had the
        destination's address as answer, in records with `reporter` `src` to destinations outside of the cluster
        (`dest_type` `net` or `ns`). A name is the one in the question, not one of its aliases. It is valid for the
        workload, or the host, that sent the question, for its time to live (a day at most), for a minute and until the
        interval ends at least, and as long as flows call the address. Where flows know several destinations by several
        names, the record has the first five in alphabetical order. Null: no such question and answer in plain DNS over UDP
        were read since the start ([collect.md](collect.md#domains)). A destination that only the `allowedEgressDomains` of a
        network set names stays `net`: policies know it, its name in records does not change.

        `dns_latency_us` is the mean time from a question to its answer at the reporting endpoint's interface, of all its
        questions in the record's flows that were answered in the interval; the answers are those that count for
        `dest_domains`. A repeated question counts from the first time. Flows without a place in the flow table have none.

        """

    private static let forwarded = """
        ## Forwarded connections

        With `weir run --policy-scope all`, records with `reporter` `fwd` are of connections that this host forwards and
        that policies of a host endpoint govern ([policies.md](policies.md#forwarded-traffic)). Neither end reports:
        `transit_*_in` is the initiator's traffic, `transit_*_out` the answers, at one of the two interfaces; `bytes_*` and
        `packets_*` are 0, so that sums over records count nothing twice; connections are counted in `num_flows`. `policies`
        has the hits in `transit_policies`. A connection of this host's pods is in their own record, too. What a pod's
        policies deny is denied in the pod's record, and allowed in that of the host endpoint, which let it through. What the
        host endpoint's policies deny before it reaches the pod is in the `fwd` record only; what they deny on its way out is
        denied in the `fwd` record, and allowed in the pod's.

        """

    private static let neverFilled = """
        ## Fields that are never filled

        `http_requests_*`, `original_source_ips` and `num_original_source_ips` come from a proxy: no packet has its
        decision, and most requests are encrypted.

        """

    private static let extensions = """
        ## Weir's own fields

        They are not part of Calico's format. With `weir run --extended-fields` every record has them too, behind the
        others.


        """

    private static let needs = """
        ## What fields need

        Every field needs Linux 5.15 or later with BTF, `CAP_BPF`, `CAP_PERFMON` and `CAP_NET_ADMIN`. Some need more, and have
        their unknown value without it; `weir doctor` shows what a machine lacks. The tested kernels are in
        [kernel-support.md](kernel-support.md), the privileges in [install.md](install.md#privileges).

        | fields | with | kernel | privilege |
        |---|---|---|---|
        | names, namespaces, types but `net`, labels, `dest_service_*`, `policies` | an inventory | | |
        | ports and services behind NAT: `nat_outgoing_ports`, `dest_service_*` | | nf_conntrack_netlink | |
        | denials: `action`, `dropped_packets_*`, `drop_reason` | | 5.17, or an older one with reasons for drops | for those of XDP and nfqueues `CAP_SYSLOG` |
        | `dest_domains`, `dns_latency_us` | option `--collect dns` | tail calls beside functions: x86 5.10, arm64 6.0 | |
        | `process_name`, `process_id`, their numbers | option `--collect process` | of UDP also cgroup v2 and these tail calls | the host's PID namespace for older sockets |
        | paths in `process_name` | option `--collect process-path` | | for programs that were started before the run the host's PID namespace |
        | `process_args`, `num_process_args` | option `--collect process-args` | | for programs that were started before the run the host's PID namespace |
        | `container_id`, `container_name` | option `--collect process` | cgroup v2; processes that are alive also with v1 | the root of the host's cgroups |
        | statistics of TCP | option `--collect tcp` | | the host's PID namespace for older sockets |
        | `connect_time_us`, `rtt_us` | option `--collect handshake` | | |
        | `transit_*` | option `--policy-scope all`, and policies of host endpoints | | |
        | `caused_by` | audit logs ([audit.md](audit.md)) | | |

        """

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

    /// The lowest level at which a field is folded away; nil if every level keeps it.
    private static func foldingLevel(of field: FlowField) -> AggregationLevel? {
        switch field {
        case .sourcePort: .sourcePort
        case .sourceIP, .sourceName, .destIP, .destName: .podPrefix
        case .destPort, .destServicePort: .noDestinationPort
        default: nil
        }
    }
}
