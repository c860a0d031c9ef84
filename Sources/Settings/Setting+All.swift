extension Setting {
    /// All settings, in the order of the reference.
    package static let all: [Setting] =
        interfaces + collect + inventory + records + outputs + audit + resources + server + run

    private static let interfaces: [Setting] = [
        Setting(
            "interface",
            .text(what: "pattern"),
            isRepeatable: true,
            default: "all except loopback",
            .interfaces,
            valueName: "pattern",
            example: "eth*",
            "Watch these interfaces."
        ),
        Setting(
            "exclude-interface",
            .text(what: "pattern"),
            isRepeatable: true,
            .interfaces,
            valueName: "pattern",
            example: "docker*",
            "But not these."
        ),
        Setting(
            "workload-interface",
            .text(what: "pattern"),
            isRepeatable: true,
            default: "detected",
            .interfaces,
            valueName: "pattern",
            example: "cali*",
            "These are the node's side of a workload's (a pod's) device: every flow is reported."
        ),
        Setting(
            "attach",
            .choice(["auto", "tcx", "clsact"]),
            default: "auto",
            .interfaces,
            valueName: "how",
            "How programs are attached: auto is tcx (Linux 6.6) where the kernel has it, else clsact."
        ),
        Setting(
            "expedite-attach",
            .choice(switches),
            default: "on",
            .interfaces,
            valueName: "on|off",
            """
            Whether the kernel's grace periods are expedited (/sys/kernel/rcu_expedited) while more than 16 interfaces are \
            attached to or let go: a second instead of half a minute for 1,000. It needs bpffs, and interrupts every CPU some \
            thousand times.
            """
        ),
        Setting(
            "pin",
            .flag,
            default: "false",
            .interfaces,
            valueName: "true|false",
            """
            Leave the programs attached and counting when the run is stopped, for the next run; weir detach removes them. \
            Without it they outlive only a death of the process, where bpffs is mounted.
            """
        ),
        Setting(
            "no-pin",
            .flag,
            default: "false",
            .interfaces,
            valueName: "true|false",
            "Let the programs end with the process, however it ends: what passes until the next run is not counted."
        ),
        Setting(
            "bpffs",
            .text(what: "path"),
            default: "/sys/fs/bpf",
            .interfaces,
            valueName: "path",
            "Where the BPF file system is mounted."
        ),
        Setting(
            "nflog-group",
            .text(what: "log group, 0 to 65535"),
            isRepeatable: true,
            .interfaces,
            valueName: "n",
            example: "5",
            """
            Read the verdicts that rules of nftables or iptables log to this group, 0 to 65535: \
            nft '… log prefix "deny-db " group 5 drop', iptables '-j NFLOG --nflog-group 5 --nflog-prefix "deny-db "' \
            before the rule that drops. What the rule does is read from the prefix: Calico's grammar, or one of the words \
            drop, deny, reject, block, accept, allow, permit. One program can read a group; Calico's own are 1 and 2. \
            1,2 stands for both.
            """
        ),
    ]

    private static let collect: [Setting] = [
        Setting(
            "collect",
            .text(what: "list of tcp, process, process-path, process-args, handshake, dns and none"),
            isRepeatable: true,
            default: "none",
            .interfaces,
            valueName: "what,…",
            example: "tcp,process,dns",
            """
            Collect this beside packets. From the kernel's sockets: tcp is the state of connections (congestion window, \
            round-trip times, segment size, retransmissions, losses), in the fields tcp_*; process is the processes that own \
            the sockets of TCP and UDP, in process_name and process_id, and with --extended-fields their containers, in \
            container_id and container_name; process-path is this with the path of the executable as the name; process-args \
            is process with the arguments, in process_args: these may contain passwords. From the first packets of each \
            connection: handshake is the duration of TCP handshakes, in connect_time_us and rtt_us (--extended-fields) and, \
            where no socket has a better value, in tcp_*_min_rtt. From the DNS messages of workloads and of this host: dns is \
            the names of destinations, in dest_domains, and dns_latency_us (--extended-fields). What is not collected takes \
            neither programs nor memory.
            """
        ),
        Setting(
            "dns-output",
            .text(what: "output"),
            isRepeatable: true,
            .outputs,
            valueName: "spec",
            example: "file:/var/log/calico/dnslogs/dns.log",
            """
            Where the DNS log goes: lines of JSON with the lookups of workloads and of this host, their answers and how long \
            these took, once per flush. stdout, file:PATH, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT or udp:HOST:PORT, with the \
            options of files and spools behind semicolons; the settings file-… and spool-… apply to it, too. It needs dns in collect.
            """
        ),
        Setting(
            "dns-aggregation",
            .integer(0...1),
            default: "1",
            .records,
            valueName: "kind",
            """
            What records of the DNS log tell apart: 0 every client with its address and name, 1 clients by their aggregated name.
            """
        ),
    ]

    private static let inventory: [Setting] = [
        Setting(
            "inventory",
            .text(what: "path"),
            isRepeatable: true,
            .inventory,
            reload: .live,
            valueName: "path",
            example: "/etc/weir/inventory",
            """
            A file, or a folder of *.yaml, *.yml and *.json (hidden ones and those of its folders left out), with \
            Kubernetes and Calico objects, as kubectl get -o yaml or -o json prints them. Changes are picked up.
            """
        ),
        Setting(
            "kubernetes",
            .flag,
            default: "false",
            .inventory,
            valueName: "true|false",
            "Use the API server of the cluster that this runs in, as the pod's service account."
        ),
        Setting(
            "kubeconfig",
            .text(what: "path"),
            .inventory,
            valueName: "path",
            example: "/etc/weir/kubeconfig",
            "Use the API server that a kubeconfig file names."
        ),
        Setting(
            "context",
            .text(what: "name"),
            default: "the file's current one",
            .inventory,
            valueName: "name",
            example: "admin@cluster",
            "Which context of the kubeconfig file."
        ),
        Setting(
            "stale-after",
            .time(1...Int64.max),
            default: "15m",
            .inventory,
            valueName: "time",
            """
            For how long names and policies are used that the API server does not show any more, because rights or \
            credentials were withdrawn.
            """
        ),
        Setting(
            "host",
            .text(what: "name"),
            default: "NODE_NAME, else the system's host name",
            .inventory,
            valueName: "name",
            example: "node-1",
            "This host's name in records, and in the cluster."
        ),
    ]

    private static let levels = ["0", "1", "2", "3"]
    private static let switches = ["on", "off", "true", "false"]

    private static let records: [Setting] = [
        Setting(
            "flush-interval",
            .time(1_000...Int64.max),
            default: "10s",
            .records,
            reload: .live,
            valueName: "time",
            "Time between flushes of records; they fall on multiples of it in Unix time."
        ),
        Setting(
            "aggregation-allowed",
            .choice(levels),
            default: "2",
            .records,
            reload: .live,
            valueName: "level",
            """
            Detail of records of allowed flows: 0 every 5-tuple, 1 without source port, 2 without addresses and full \
            names, 3 without destination port.
            """
        ),
        Setting(
            "aggregation-denied",
            .choice(levels),
            default: "1",
            .records,
            reload: .live,
            valueName: "level",
            "The same for denied flows."
        ),
        Setting(
            "record-allowed",
            .choice(switches),
            default: "on",
            .records,
            valueName: "on|off",
            "Whether allowed flows are recorded."
        ),
        Setting(
            "record-denied",
            .choice(switches),
            default: "on",
            .records,
            valueName: "on|off",
            "Whether denied flows are recorded."
        ),
        Setting(
            "include-labels",
            .choice(switches),
            default: "on",
            .records,
            valueName: "on|off",
            "Whether records have labels."
        ),
        Setting(
            "include-policies",
            .choice(switches),
            default: "on",
            .records,
            valueName: "on|off",
            "Whether records have policies; without them, flows that other policies decided are in one record."
        ),
        Setting(
            "include-service",
            .choice(switches),
            default: "on",
            .records,
            valueName: "on|off",
            "Whether records have the service that was called."
        ),
        Setting(
            "dynamic-aggregation",
            .text(what: "size, on or off"),
            default: "off",
            .records,
            valueName: "size|off",
            """
            When more than this waits for an output (on: 8M), its records are aggregated by one level more with each \
            flush, until it has caught up.
            """
        ),
        Setting(
            "policy-format",
            .choice(["enterprise", "calico-3.32"]),
            default: "enterprise",
            .records,
            valueName: "format",
            """
            How records write policy hits: enterprise as in 'yaobank/application.allow-customer', calico-3.32 as in \
            'np:yaobank/application.allow-customer'.
            """
        ),
        Setting(
            "policy-scope",
            .choice(["endpoint", "all"]),
            default: "endpoint",
            .records,
            valueName: "endpoint|all",
            """
            Whose policies are asked: those of the connection's ends, or (all) also those of host endpoints for what this \
            host forwards, in records with the reporter fwd.
            """
        ),
        Setting(
            "mismatches",
            .flag,
            default: "false",
            .records,
            valueName: "true|false",
            """
            Log in every interval which of its new connections policies decide otherwise than the kernel did; else each \
            pair of ends is named now and then.
            """
        ),
        Setting(
            "extended-fields",
            .flag,
            default: "false",
            .records,
            valueName: "true|false",
            """
            Records have Weir's own fields too: dropped_packets_in, dropped_packets_out, drop_reason, caused_by, \
            connect_time_us, rtt_us, tcp_flags, dns_latency_us, container_id, container_name (docs/fields.md).
            """
        ),
        Setting(
            "max-label-bytes",
            .integer(0...16384),
            default: "4096",
            .records,
            valueName: "n",
            """
            The most bytes of the labels of one end in a record, 0 to 16384: what does not fit is left out, and a last \
            label says how many (_weir_omitted_labels=N).
            """
        ),
    ]

    private static let outputs: [Setting] = [
        Setting(
            "output",
            .text(what: "output"),
            isRepeatable: true,
            default: "stdout",
            .outputs,
            reload: .live,
            valueName: "spec",
            example: "file:/var/log/calico/flowlogs/flows.log",
            """
            Where records go: stdout, file:PATH, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT, \
            syslog:tcp:HOST:PORT, syslog:tls:HOST:PORT, syslog:udp:HOST:PORT, https://HOST/PATH, elasticsearch:URL, opensearch:URL, clickhouse:URL, loki:URL, \
            splunk:URL (docs/outputs). Options of this output follow behind semicolons, named like those below without \
            'file-': 'file:/var/log/calico/flowlogs/denied.log;filter=action == "deny";max-size=10M;\
            aggregation-denied=0;interval=1m'.
            """
        ),
        Setting(
            "filter",
            .text(what: "expression"),
            .outputs,
            reload: .live,
            valueName: "expr",
            example: "dest_namespace == \"kube-system\"",
            """
            Write only records that this asks for, as in 'dest_namespace == "kube-system" && action == "allow"'; the \
            language is described in docs/filters.md.
            """
        ),
        Setting(
            "drop",
            .text(what: "expression"),
            .outputs,
            reload: .live,
            valueName: "expr",
            example: "dest_port == 53",
            "Records that match this are not written."
        ),
        Setting(
            "with-host",
            .flag,
            default: "false",
            .outputs,
            reload: .live,
            valueName: "true|false",
            "Adds host, and @timestamp as text, to each record, for readers without a shipper."
        ),
        Setting(
            "file-max-size",
            .text(what: "size, or off"),
            default: "100M",
            .outputs,
            reload: .live,
            valueName: "size",
            "Files are rotated when they would become larger, off: never."
        ),
        Setting(
            "file-max-files",
            .integer(0...10_000),
            default: "5",
            .outputs,
            reload: .live,
            valueName: "n",
            "So many rotated files are kept beside a file."
        ),
        Setting(
            "file-max-age",
            .text(what: "time, or off"),
            default: "off",
            .outputs,
            reload: .live,
            valueName: "time",
            "Files are rotated when they are older: 1h, 1d."
        ),
        Setting(
            "file-min-age",
            .text(what: "time"),
            default: "5s",
            .outputs,
            reload: .live,
            valueName: "time",
            """
            Files stay in their place so long at least, so that readers find each of them; they grow to four times their \
            size meanwhile.
            """
        ),
        Setting(
            "file-compress",
            .text(what: "gzip, zstd or off"),
            default: "off",
            .outputs,
            reload: .live,
            valueName: "format",
            "Rotated files are compressed, all but the newest: gzip, zstd, off."
        ),
        Setting(
            "file-mode",
            .text(what: "mode"),
            default: "0640",
            .outputs,
            reload: .live,
            valueName: "mode",
            "Permissions of files that are made."
        ),
        Setting(
            "spool-dir",
            .text(what: "path"),
            default: "records wait in memory",
            .outputs,
            reload: .live,
            valueName: "path",
            example: "/var/lib/weir/spool",
            "Records for readers and servers that are away wait in this folder, also beyond the end of the run."
        ),
        Setting(
            "spool-max-size",
            .text(what: "size"),
            default: "1G",
            .outputs,
            reload: .live,
            valueName: "size",
            "The most that waits there, for each output."
        ),
        Setting(
            "store",
            .text(what: "path"),
            .outputs,
            valueName: "path",
            example: "/var/lib/weir/flows.db",
            "Keep records in this file too (SQLite), for weir query, weir top, weir ui and weir policy preview."
        ),
        Setting(
            "store-limit",
            .size((16 << 20)...(1 << 50)),
            default: "1024M",
            .outputs,
            valueName: "size",
            "The most bytes of the store; what is oldest goes first."
        ),
        Setting(
            "store-age",
            .time(3_600_000...Int64.max),
            default: "168h",
            .outputs,
            valueName: "time",
            """
            How long single records are kept in the store; sums of five minutes are kept for 60 days, of an hour for two \
            years.
            """
        ),
    ]

    private static let resources: [Setting] = [
        Setting(
            "poll-interval",
            .time(10...Int64.max),
            default: "1s",
            .resources,
            reload: .live,
            valueName: "time",
            "Time between reads of the kernel's flow table, up to the flush interval."
        ),
        Setting(
            "table-slots",
            .integer(1024...16_777_216),
            default: "131072",
            .resources,
            valueName: "n",
            "Slots of the flow table: a power of two from 1024 to 16777216, about twice the flows at a time."
        ),
        Setting(
            "memory-limit",
            .size((96 << 20)...(1 << 50)),
            default: "384M",
            .resources,
            valueName: "size",
            """
            The most memory that the agent may take, from 96M; K, M, G are powers of 1024. What has no room is counted in \
            less detail, first of the interfaces that have most.
            """
        ),
    ]

    private static let server: [Setting] = [
        Setting(
            "http",
            .text(what: "address"),
            default: "127.0.0.1:9464, if it is free",
            .server,
            valueName: "address",
            example: "127.0.0.1:9464",
            """
            Answer HTTP (/metrics, /healthz, /readyz, /debug) on this TCP address: ADDRESS:PORT, [IPV6]:PORT, :PORT for all \
            addresses, PORT for this host only; off for none. An address that is given must be free.
            """
        ),
        Setting(
            "socket",
            .text(what: "path"),
            default: "/run/weir/weir.sock, if it can be had",
            .server,
            valueName: "path",
            example: "/run/weir/weir.sock",
            "Answer HTTP on this Unix socket, too, for root and its group; off for none."
        ),
        Setting(
            "http-token-file",
            .text(what: "path"),
            .server,
            valueName: "path",
            example: "/etc/weir/token",
            """
            A file with the token that requests over TCP must show (Authorization: Bearer …), probes of /healthz and \
            /readyz apart. It may not be readable by everybody; a renewed one is read again.
            """
        ),
        Setting(
            "http-certificate",
            .text(what: "path"),
            .server,
            valueName: "path",
            example: "/etc/weir/tls.crt",
            "A file with the certificates (PEM, leaf first) for TLS."
        ),
        Setting(
            "http-key",
            .text(what: "path"),
            .server,
            valueName: "path",
            example: "/etc/weir/tls.key",
            "The file with the private key (PEM) for it."
        ),
        Setting(
            "flow-metrics",
            .integer(0...10_000),
            default: "0",
            .server,
            valueName: "n",
            example: "1000",
            """
            /metrics has what workloads carry, too: bytes, packets, connections and denied ones, by namespace and workload; for \
            so many workloads at most, 0 to 10000, with ten series each. All others are one.
            """
        ),
        Setting(
            "program-time",
            .flag,
            default: "false",
            .server,
            valueName: "true|false",
            """
            Let the kernel measure how long Weir's programs run, for /metrics and /debug/programs. It then measures all BPF \
            programs of the machine, which costs each run of one some 20 ns. Needs CAP_SYS_ADMIN at the start.
            """
        ),
    ]

    private static let run: [Setting] = [
        Setting(
            "duration",
            .time(1...Int64.max),
            .run,
            valueName: "time",
            example: "1h",
            "End after this time, with a last flush."
        ),
        Setting(
            "report",
            .text(what: "path"),
            .run,
            valueName: "path",
            example: "/var/lib/weir/account.json",
            "Write the account to this file at the end, - for stdout: a JSON object."
        ),
        Setting(
            "log-level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            default: "info",
            .run,
            reload: .live,
            valueName: "level",
            "Least level of the lines in the log."
        ),
    ]
}
