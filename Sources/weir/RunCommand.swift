import Agent
import ArgumentParser
import Datapath
import FlowModel
import Logging
import Policy

/// `weir run`: the main job.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Watch this machine's interfaces and write flow records.",
        discussion: """
            Without options: all interfaces except loopback, one JSON line per group of connections every 10 seconds, \
            on standard output; the log goes to standard error. Ends on Ctrl-C (SIGINT) or SIGTERM after a last flush: \
            nothing that was counted is lost.

            PATTERN is a shell pattern on interface names, as in 'eth*'; quote it. Interfaces that appear later are \
            watched too. An interface that stands on a watched one (VLAN, bridge, bond) is left out, because its \
            packets are counted there, unless it is named without wildcards.

            Examples:
              sudo weir run --interface 'eth*' --output file:/var/log/weir/flows.log
              sudo weir run --inventory cluster.yaml --flush-interval 1m --output unix:/run/collector.sock
              sudo weir run --kubeconfig ~/.kube/config --host node-1 --output file:/var/log/weir/flows.log
              sudo weir run --filter 'namespace == "shop"' --output 'file:denied.log;filter=action == "deny"'
              sudo weir run --interface eth0 --duration 30s --report account.json --output tcp:127.0.0.1:5170
            """
    )

    @Option(name: .customLong("interface"), help: "Watch these interfaces. Repeatable. Default: all except loopback.")
    var interfaces: [String] = []

    @Option(name: .customLong("exclude-interface"), help: "But not these. Repeatable.")
    var excluded: [String] = []

    @Option(
        name: .customLong("workload-interface"),
        help: "These are the node's side of a workload's (a pod's) device: every flow is reported. Repeatable."
    )
    var workloads: [String] = []

    @Option(
        name: .customLong("nflog-group"),
        help: ArgumentHelp(
            """
            Read the verdicts that rules of nftables or iptables log to this group, 0 to 65535: \
            nft '… log prefix "deny-db " group 5 drop', iptables '-j NFLOG --nflog-group 5 --nflog-prefix "deny-db "' \
            before the rule that drops. What the rule does is read from the prefix: Calico's grammar, or one of the words \
            drop, deny, reject, block, accept, allow, permit. One program can read a group; Calico's own are 1 and 2. \
            Repeatable, or 1,2.
            """,
            valueName: "n"
        ),
        transform: LogGroups.init(parsing:)
    )
    var logGroups: [LogGroups] = []

    @OptionGroup(title: "Who is behind an address")
    var inventory: InventoryOptions

    @Option(
        help: ArgumentHelp(
            """
            How records write policy hits: enterprise as in 'yaobank/application.allow-customer', calico-3.32 as in \
            'np:yaobank/application.allow-customer'.
            """,
            valueName: "format"
        )
    )
    var policyFormat = PolicyFormat.enterprise

    @Flag(
        help: """
            Log in every interval which of its new connections policies decide otherwise than the kernel did; else each \
            pair of ends is named now and then.
            """
    )
    var mismatches = false

    @OptionGroup(title: "Where records go")
    var output: OutputArguments

    @Option(
        help: ArgumentHelp(
            """
            For how long names and policies are used that the API server does not show any more, because rights or \
            credentials were withdrawn. Default: 15m.
            """,
            valueName: "time"
        ),
        transform: TimeArgument.init(parsing:)
    )
    var staleAfter = TimeArgument(seconds: 900)

    @Option(
        help: ArgumentHelp("Time between flushes of records. Default: 10s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var flushInterval = TimeArgument(seconds: 10)

    @Option(
        help: ArgumentHelp("Time between reads of the kernel's flow table. Default: 1s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var pollInterval = TimeArgument(seconds: 1)

    @Option(help: "Slots of the flow table: a power of two from 1024 to 16777216, about twice the flows at a time.")
    var tableSlots = DatapathConfiguration.defaultTableSlots

    @Option(
        help: """
            Detail of records of allowed flows: 0 every 5-tuple, 1 without source port, 2 without addresses and full \
            names, 3 without destination port.
            """
    )
    var aggregationAllowed = AggregationLevel.podPrefix

    @Option(help: "The same for denied flows.")
    var aggregationDenied = AggregationLevel.sourcePort

    @Option(
        help: ArgumentHelp(
            """
            The most memory that the agent may take, from 96M; K, M, G are powers of 1024. What has no room is counted in \
            less detail, first of the interfaces that have most.
            """,
            valueName: "size"
        )
    )
    var memoryLimit = SizeArgument(bytes: MemoryPlan.defaultLimit)

    @Flag(help: "Records have Weir's own fields too: dropped_packets_in, dropped_packets_out, drop_reason.")
    var extendedFields = false

    @Option(
        help: ArgumentHelp(
            """
            The most bytes of the labels of one end in a record, 0 to 16384: what does not fit is left out, and a last \
            label says how many (_weir_omitted_labels=N).
            """,
            valueName: "n"
        )
    )
    var maxLabelBytes = AgentConfiguration.defaultLabelBytes

    @Option(
        name: .customLong("host"),
        help: "This host's name in records, and in the cluster. Default: NODE_NAME, else what the system says."
    )
    var hostName: String?

    @Option(
        help: ArgumentHelp("End after this time, with a last flush.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var duration: TimeArgument?

    @Option(
        help: ArgumentHelp("Write the account to this file at the end, - for stdout: a JSON object.", valueName: "path")
    )
    var report: String?

    @Option(help: "How programs are attached: auto is tcx (Linux 6.6) where the kernel has it, else clsact.")
    var attach = AttachMode.auto

    @Option(help: "How much the log says.")
    var logLevel = Logger.Level.info

    func validate() throws {
        guard DatapathConfiguration.isValid(tableSlots: tableSlots) else {
            throw ValidationError("--table-slots \(tableSlots): a power of two from 1024 to 16777216 is needed")
        }
        guard hostName != "" else {
            throw ValidationError("--host: the name is empty; leave the option out for the system's name")
        }
        guard AgentConfiguration.possibleLabelBytes.contains(maxLabelBytes) else {
            throw ValidationError("--max-label-bytes \(maxLabelBytes): a number from 0 to 16384 is needed")
        }
        for (option, patterns) in [
            ("--interface", interfaces), ("--exclude-interface", excluded), ("--workload-interface", workloads),
        ] where patterns.contains("") {
            throw ValidationError("\(option): the pattern is empty; '*' stands for all interfaces")
        }
        guard report != "" else {
            throw ValidationError("--report: the path is empty; leave the option out for no report, - is stdout")
        }
        let destinations = try output.configurations().map(\.specification)
        guard Set(destinations).count == destinations.count else {
            throw ValidationError("--output: the same output is given twice")
        }
        let groups = logGroups.flatMap(\.numbers)
        guard Set(groups).count == groups.count else {
            throw ValidationError("--nflog-group: the same group is given twice")
        }
        guard flushInterval.duration >= .seconds(1) else {
            throw ValidationError("--flush-interval \(flushInterval): records have whole seconds; 1s or more is needed")
        }
        guard memoryLimit.bytes >= MemoryPlan.smallestLimit else {
            throw ValidationError(
                "--memory-limit \(memoryLimit): at least \(SizeArgument(bytes: MemoryPlan.smallestLimit)) is needed"
            )
        }
        guard pollInterval.duration >= .milliseconds(10), pollInterval.duration <= flushInterval.duration else {
            throw ValidationError(
                "--poll-interval \(pollInterval): from 10ms up to the flush interval (\(flushInterval)) is needed"
            )
        }
    }

    func run() throws {
        let stop = StopSource()
        let logger = Logger.toStandardError(logLevel)
        let configuration = try agentConfiguration()
        let signals = StopSignals(stop, hangUp: .reopens(configuration.hangUps), logger: logger)
        defer { withExtendedLifetime(signals) {} }
        let outcome = try Agent(configuration, logger: logger).run(until: stop)
        guard outcome.report.balanced else {
            throw CommandFailure(description: "the account is not balanced: Weir miscounted; please keep the report")
        }
    }

    private func agentConfiguration() throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        configuration.inventory = try inventory.configuration()
        configuration.inventory.staleness = staleAfter.duration
        configuration.inventory.userAgent = "weir/\(weirVersion)"
        configuration.datapath.interfaces = InterfaceSelection(
            include: interfaces,
            exclude: excluded,
            workload: workloads
        )
        configuration.datapath.tableSlots = tableSlots
        configuration.datapath.attachMode = attach
        configuration.nflogGroups = logGroups.flatMap(\.numbers)
        configuration.policyFormat = policyFormat
        configuration.showsMismatches = mismatches
        configuration.levelForAllowed = aggregationAllowed
        configuration.levelForDenied = aggregationDenied
        configuration.extendedFields = extendedFields
        configuration.memoryLimit = memoryLimit.bytes
        configuration.labelBytes = maxLabelBytes
        configuration.outputs = try output.configurations()
        configuration.flushInterval = flushInterval.duration
        configuration.pollInterval = pollInterval.duration
        configuration.duration = duration?.duration
        if let hostName { configuration.hostName = hostName }
        configuration.reportPath = report
        return configuration
    }
}

extension Logger {
    /// The program's log: lines on standard error.
    static func toStandardError(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "weir") { _ in LineLogHandler() }
        logger.logLevel = level
        return logger
    }
}
