import Agent
import ArgumentParser
import Datapath
import Export
import Filter
import FlowModel
import Glibc
import Logging
import Policy
import Settings
import Web

/// `weir run`: monitors the node and writes flow logs.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Watch this machine's interfaces and write flow records.",
        discussion: """
            Without options: all interfaces except loopback, one JSON line per group of connections every 10 seconds, \
            on standard output, on a terminal as a table with addresses; the log goes to standard error. Ends on Ctrl-C (SIGINT) or SIGTERM after a last flush: \
            nothing that was counted is lost.

            PATTERN is a shell pattern on interface names, as in 'eth*'; quote it. Interfaces that appear later are \
            watched too. An interface that stands on a watched one (VLAN, bridge, bond) is left out, because its \
            packets are counted there, unless it is named without wildcards.

            Examples:
              sudo weir run --interface 'eth*' --output file:/var/log/calico/flowlogs/flows.log
              sudo weir run --inventory cluster.yaml --flush-interval 1m --output unix:/run/collector.sock
              sudo weir run --kubeconfig ~/.kube/config --host node-1 --output file:/var/log/calico/flowlogs/flows.log
              sudo weir run --filter 'namespace == "shop"' --output 'file:denied.log;filter=action == "deny"'
              sudo weir run --interface eth0 --duration 30s --report account.json --output tcp:127.0.0.1:5170
            """
    )

    @Option(
        help: ArgumentHelp(
            """
            A file with settings: the same names as the options, and their values (weir config reference --yaml). Options \
            go before the environment (WEIR_FLUSH_INTERVAL=1m), which goes before the file. Default: WEIR_CONFIG, else \
            /etc/weir/weir.yaml if it exists.
            """,
            valueName: "path"
        )
    )
    var config: String?

    @Option(name: .customLong("interface"), help: .setting("interface", showsDefault: true))
    var interfaces: [String] = []

    @Option(name: .customLong("exclude-interface"), help: .setting("exclude-interface"))
    var excluded: [String] = []

    @Option(name: .customLong("workload-interface"), help: .setting("workload-interface", showsDefault: true))
    var workloads: [String] = []

    @Option(name: .customLong("nflog-group"), help: .setting("nflog-group"), transform: LogGroups.init(parsing:))
    var logGroups: [LogGroups] = []

    @Option(name: .customLong("collect"), help: .setting("collect"), transform: CollectArgument.init(parsing:))
    var collects: [CollectArgument] = []

    @Option(name: .customLong("dns-output"), help: .setting("dns-output"))
    var dnsOutputs: [String] = []

    @Option(name: .customLong("dns-aggregation"), help: .setting("dns-aggregation"))
    var dnsAggregation = DNSRecord.Detail.clientPrefix.rawValue

    @OptionGroup(title: "Who is behind an address")
    var inventory: InventoryOptions

    @Option(help: .setting("policy-format"))
    var policyFormat = PolicyFormat.enterprise

    @Option(help: .setting("policy-scope"))
    var policyScope = PolicyScopeArgument.endpoint

    @Flag(help: .setting("mismatches"))
    var mismatches = false

    @OptionGroup(title: "Where records go")
    var output: OutputArguments

    @Option(help: .setting("stale-after", showsDefault: true), transform: TimeArgument.init(parsing:))
    var staleAfter = TimeArgument(seconds: 900)

    @Option(help: .setting("flush-interval", showsDefault: true), transform: TimeArgument.init(parsing:))
    var flushInterval = TimeArgument(seconds: 10)

    @Option(help: .setting("poll-interval", showsDefault: true), transform: TimeArgument.init(parsing:))
    var pollInterval = TimeArgument(seconds: 1)

    @Option(help: .setting("table-slots"))
    var tableSlots = DatapathConfiguration.defaultTableSlots

    @Option(help: .setting("aggregation-allowed"))
    var aggregationAllowed = AggregationLevel.podPrefix

    @Option(help: .setting("aggregation-denied"))
    var aggregationDenied = AggregationLevel.sourcePort

    @Option(help: .setting("memory-limit"))
    var memoryLimit = SizeArgument(bytes: MemoryPlan.defaultLimit)

    @Flag(help: .setting("extended-fields"))
    var extendedFields = false

    @Option(help: .setting("max-label-bytes"))
    var maxLabelBytes = AgentConfiguration.defaultLabelBytes

    @Option(name: .customLong("host"), help: .setting("host", showsDefault: true))
    var hostName: String?

    @OptionGroup(title: "Audit logs of an API server")
    var audit: AuditArguments

    @OptionGroup(title: "The store")
    var store: StoreOptions

    @Option(help: .setting("duration"), transform: TimeArgument.init(parsing:))
    var duration: TimeArgument?

    @Option(help: .setting("report"))
    var report: String?

    @OptionGroup(title: "Metrics and health")
    var server: ServerOptions

    @Option(help: .setting("attach"))
    var attach = AttachMode.auto

    @Option(help: .setting("expedite-attach"))
    var expediteAttach = "on"

    @Flag(help: .setting("pin"))
    var pin = false

    @Flag(help: .setting("no-pin"))
    var noPin = false

    @Option(help: .setting("bpffs"))
    var bpffs = DatapathConfiguration().bpffs

    @Option(help: .setting("log-level"))
    var logLevel = Logger.Level.info

    func validate() throws {
        guard !pin || !noPin else {
            throw ValidationError("--pin and --no-pin: only one of them can be")
        }
        if let fault = Setting.named("expedite-attach")?.fault(in: expediteAttach) {
            throw ValidationError("--expedite-attach: \(fault)")
        }
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
            throw ValidationError("\(option): the pattern is empty; '*' matches all interfaces")
        }
        guard report != "" else {
            throw ValidationError("--report: the path is empty; leave the option out for no report, - is stdout")
        }
        let outputs = try output.configurations()
        try validateIntervals(outputs)
        let destinations = outputs.map(\.specification)
        guard Set(destinations).count == destinations.count else {
            throw ValidationError("--output: the same output is given twice")
        }
        try validateDNS(beside: destinations)
        guard audit.source == nil || !audit.outputs.isEmpty || store.store != nil || extendedFields else {
            throw ValidationError(
                "\(audit.source ?? ""): the events go nowhere; give --audit-output, --store or --extended-fields"
            )
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

    /// Checks the outputs of the DNS log.
    private func validateDNS(beside destinations: [OutputSpecification]) throws {
        let outputs = try dnsConfigurations().map(\.specification)
        guard outputs.isEmpty || collects.contains(where: { $0.collected.contains(.dns) }) else {
            throw ValidationError("--dns-output: no DNS messages are read; give --collect dns, too")
        }
        guard Set(outputs).count == outputs.count else {
            throw ValidationError("--dns-output: the same output is given twice")
        }
        if let taken = outputs.first(where: { destinations.contains($0) }) {
            let origin = output.outputs.isEmpty ? ", the default of --output," : ""
            throw ValidationError(
                """
                --dns-output: \(taken)\(origin) already takes the flow records; send one of them elsewhere, \
                as with --output file:flows.log
                """
            )
        }
        guard DNSRecord.Detail(rawValue: dnsAggregation) != nil else {
            throw ValidationError("--dns-aggregation \(dnsAggregation): 0 or 1 is needed")
        }
    }

    private func dnsConfigurations() throws -> [OutputConfiguration] {
        let defaults = try output.defaults()
        do {
            return try dnsOutputs.map { try OutputConfiguration(ofLines: $0, defaults: defaults) }
        } catch {
            throw ValidationError("--dns-output: \(error)")
        }
    }

    /// Checks the aggregation intervals, which must be multiples of the flush interval.
    private func validateIntervals(_ outputs: [OutputConfiguration]) throws {
        for output in outputs {
            for interval in [output.intervalForAllowed, output.intervalForDenied].compactMap(\.self) {
                let flush = flushInterval.duration
                let count = interval / flush
                guard count >= 1, count == count.rounded() else {
                    throw ValidationError(
                        """
                        --output: output \(output.specification): an interval of \(interval) is no multiple of the flush \
                        interval (\(flushInterval))
                        """
                    )
                }
            }
        }
    }

    func run() throws {
        let threshold = LogThreshold(logLevel)
        let logger = Logger(label: "weir") { _ in LineLogHandler(threshold: threshold) }
        var configuration = try agentConfiguration()
        // If connection tracking is a kernel module, only CAP_SYS_ADMIN may look up its types.
        configuration.tracker = try? Conntrack()
        if server.programTime { configuration.timing = measurePrograms(logger) }
        Privileges.reduce(bindsLowPort: server.bindsLowPort || audit.listening.bindsLowPort, logger: logger)
        do throws(DatapathError) {
            try Datapath.checkLimits()
            try Datapath.checkAlone(configuration.datapath)
        } catch {
            throw AgentError.datapath(error)
        }
        let stop = StopSource()
        let screen = try showOnTerminal(&configuration, stop)
        let settings = watchSettings(configuration.reloads, threshold, logger, hasScreen: screen != nil)
        configuration.settings = { settings.json }
        let hangUps = configuration.hangUps
        let signals = StopSignals(
            stop,
            hangUp: .calls {
                hangUps.signal()
                logger.notice("SIGHUP: files of outputs are opened again")
                settings.requestReload()
            },
            logger: logger
        )
        defer { withExtendedLifetime(signals) {} }
        let kept = try store.open(logger)
        if let kept {
            configuration.taps.append(kept.records)
            configuration.metrics.append(kept.metrics)
        }
        if configuration.server != nil {
            let feed = LiveFeed()
            configuration.taps.append(feed)
            let routes = try store.routes(&configuration, feed)
            configuration.routes += routes
        }
        let sinks = [kept?.changes].compactMap(\.self)
        let shipper = try audit.shipper(host: configuration.hostName, sinks, joins: extendedFields, logger)
        // Without an audit log, objects show changes that are likely causes.
        configuration.changes = shipper?.changes ?? (extendedFields ? ChangeBoard() : nil)
        if let shipper { configuration.metrics.append(AuditMetrics(shipper)) }
        let seen = sinks.isEmpty ? nil : try configuration.changes.map { try SeenChangeFeed($0, sinks) }
        defer {
            shipper?.finish()
            seen?.finish()
        }
        let outcome = try Agent(configuration, logger: logger).run(until: stop)
        if let failure = screen?.failure { throw failure }
        guard outcome.report.balanced else {
            throw CommandFailure(description: "the account is not balanced: Weir miscounted; please keep the report")
        }
    }

    /// Watches the settings file, and applies live settings to the run.
    private func watchSettings(
        _ reloads: ReloadSource,
        _ threshold: LogThreshold,
        _ logger: Logger,
        hasScreen: Bool
    ) -> SettingsWatcher {
        let options = Array(CommandLine.arguments.dropFirst(2))
        return SettingsWatcher(options: options, threshold: threshold, logger: logger) { command in
            var configuration = AgentConfiguration()
            try command.setLive(&configuration)
            if hasScreen { command.adaptToScreen(&configuration) }
            return try reloads.reload(configuration)
        }
    }

    /// Replaces the default output by the screen, and includes addresses in records.
    private func adaptToScreen(_ configuration: inout AgentConfiguration) {
        if output.outputs.isEmpty { configuration.outputs = [] }
        configuration.levelForAllowed = min(configuration.levelForAllowed, .sourcePort)
        configuration.levelForDenied = min(configuration.levelForDenied, .sourcePort)
    }

    /// Shows records as a table with addresses if standard output is a terminal and no output is configured.
    private func showOnTerminal(_ configuration: inout AgentConfiguration, _ stop: StopSource) throws -> RecordScreen? {
        guard output.outputs.isEmpty, isatty(STDOUT_FILENO) == 1 else { return nil }
        let printer = RecordPrinter(.table, color: .auto, explains: nil, isUTC: false)
        let selection = configuration.outputs.first?.selection
        let (keep, drop) = (selection?.keep, selection?.drop)
        let screen = try RecordScreen(printer) { record in
            keep?.matches(record) ?? true && !(drop?.matches(record) ?? false)
        } onClosed: {
            stop.stop()
        }
        adaptToScreen(&configuration)
        configuration.taps.append(screen.tap)
        return screen
    }

    /// Sets the options that can change during a run: the live settings of the reference.
    private func setLive(_ configuration: inout AgentConfiguration) throws {
        configuration.inventory.paths = inventory.paths
        configuration.outputs = try output.configurations()
        configuration.levelForAllowed = aggregationAllowed
        configuration.levelForDenied = aggregationDenied
        configuration.flushInterval = flushInterval.duration
        configuration.pollInterval = pollInterval.duration
    }

    /// The configuration of the agent.
    func agentConfiguration() throws -> AgentConfiguration {
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
        configuration.datapath.expeditesAttaching = Setting.flag(expediteAttach) ?? true
        configuration.datapath.pinning = noPin ? .never : pin ? .always : .untilEnd
        configuration.datapath.bpffs = bpffs
        configuration.datapath.collects = collects.reduce(into: []) { $0.formUnion($1.collected) }
        configuration.dnsOutputs = try dnsConfigurations()
        configuration.dnsDetail = DNSRecord.Detail(rawValue: dnsAggregation) ?? .clientPrefix
        configuration.nflogGroups = logGroups.flatMap(\.numbers)
        configuration.policyFormat = policyFormat
        configuration.recordsForwarded = policyScope == .all
        configuration.showsMismatches = mismatches
        configuration.extendedFields = extendedFields
        configuration.memoryLimit = memoryLimit.bytes
        configuration.labelBytes = maxLabelBytes
        try setLive(&configuration)
        configuration.duration = duration?.duration
        if let hostName { configuration.hostName = hostName }
        configuration.reportPath = report
        configuration.server = try server.configuration()
        configuration.meteredWorkloads = server.flowMetrics
        configuration.version = weirVersion
        return configuration
    }

    /// Starts to measure the BPF programs; if the kernel does not permit it, the run continues without.
    private func measurePrograms(_ logger: Logger) -> ProgramTiming? {
        do throws(DatapathError) {
            return try ProgramTiming()
        } catch {
            logger.warning("the time of programs is not measured", metadata: ["reason": "\(error)"])
            return nil
        }
    }
}

extension Logger {
    /// A logger that writes lines to standard error.
    static func toStandardError(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "weir") { _ in LineLogHandler() }
        logger.logLevel = level
        return logger
    }
}
