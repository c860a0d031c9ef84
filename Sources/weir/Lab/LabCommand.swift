import Agent
import ArgumentParser
import Datapath
import Export
import FlowModel
import Glibc
import Lab
import Logging

/// `weir lab`: runs Weir on a small real network with traffic.
struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Build a small real network on this machine, send traffic through it, and watch it.",
        discussion: """
            Three network namespaces play pods (client, web, db) on a fourth, the node, which forwards between them. \
            Real TCP, UDP and ICMP, IPv4 and IPv6. Weir runs on the node: its records appear as they are written, and \
            the account at the end holds Weir's counts against the kernel's own.

            The namespaces have no name and belong to this process only: when it ends, however it ends, nothing of \
            them is left. This machine's own network is not touched.

            With --scenario it is another network, with an inventory and policies: the screen shows who tried what, \
            what was denied, by which policies and what staged ones would do, what was allowed, and the account.

            Scenarios:
            \(LabScenario.list)

            Examples:
              sudo weir lab
              sudo weir lab --scenario yaobank
              sudo weir lab --scenario yaobank --keep bank
              weir policy trace --inventory bank/inventory \\
                --from yaobank/customer-856cd6d9f5-bl2sn \\
                --to yaobank/database-69f6f4db5b-wd2lr --port 2379
              sudo weir lab --duration 30s --aggregation 0
              sudo weir lab --json | jq -c '{source_ip, dest_ip, dest_port, reporter, bytes_in, bytes_out}'
            """
    )

    @Option(
        help: ArgumentHelp("Play a story with pods, policies and denied connections.", valueName: "name"),
        transform: LabScenario.init(parsing:)
    )
    var scenario: LabScenario?

    @Option(
        help: ArgumentHelp(
            """
            With --scenario: keep inventory/*.yaml, records.jsonl and account.json in this folder, which must be new or \
            empty.
            """,
            valueName: "folder"
        )
    )
    var keep: String?

    @Option(
        help: ArgumentHelp("How long the traffic flows. Default: 10s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var duration = TimeArgument(seconds: 10)

    @Option(
        help: ArgumentHelp(
            "Time between flushes of records. Default: 5s; with --scenario, one flush at the end.",
            valueName: "time"
        ),
        transform: TimeArgument.init(parsing:)
    )
    var flushInterval: TimeArgument?

    @Option(help: "Detail of the records: 0 every 5-tuple, 1 without source port, 2 without addresses, 3 without port.")
    var aggregation = AggregationLevel.sourcePort

    @Flag(help: "Print the records as they are, JSON lines, on standard output; explanations go to standard error.")
    var json = false

    @Option(help: "Least level of the lines in the log.")
    var logLevel = Logger.Level.warning

    func validate() throws {
        if let flushInterval, flushInterval.duration < .seconds(1) {
            throw ValidationError("--flush-interval \(flushInterval): 1s or more is needed")
        }
        guard keep == nil || scenario != nil else {
            throw ValidationError("--keep: there is nothing to keep without --scenario")
        }
        guard keep != "" else { throw ValidationError("--keep: the path is empty") }
    }

    func run() throws {
        let stop = StopSource()
        let signals = StopSignals(stop)
        defer { withExtendedLifetime(signals) {} }
        switch scenario {
        case .yaobank: try YaobankRun(self).run(until: stop)
        case nil: try demonstrate(until: stop)
        }
    }

    private func demonstrate(until stop: StopSource) throws {
        let demonstration = try Self.make { () throws(LabError) in try LabDemonstration() }
        let screen = LabScreen(isJSON: json)
        screen.explain(demonstration)
        let node = demonstration.node
        let before = try node.counters(of: demonstration.interfaces)
        let receiver = try node.run { try RecordReceiver(show: screen.show) }
        let configuration = configuration(receiver.port, flushingEvery: .seconds(5))
        let monitor = LabMonitor(in: node, configuration, .toStandardError(logLevel), stop)
        defer { stop.stop() }

        if monitor.waitUntilWatching() {
            try demonstration.generateTraffic(for: duration.duration) { stop.isStopped || monitor.hasEnded }
        }
        stop.stop()
        let report = try monitor.report()
        receiver.finish()
        screen.summarize(report, kernel: try node.counters(since: before))
        try Self.check(report)
    }

    // MARK: For all of them

    /// Creates a network; an error explains the requirements.
    static func make<Network>(_ body: () throws(LabError) -> Network) throws -> Network {
        do throws(LabError) {
            return try body()
        } catch {
            guard getuid() == 0 else {
                throw CommandFailure(description: "\(error); run: sudo weir lab", isUnsupported: true)
            }
            throw CommandFailure(description: "\(error)")
        }
    }

    /// Throws if the account does not balance.
    static func check(_ report: AccountReport) throws {
        guard report.balanced else { throw CommandFailure(description: "the account is not balanced") }
    }

    /// The configuration of the agent on the node.
    ///
    /// - Parameters:
    ///   - port: the port that receives records, on the node's loopback interface.
    ///   - interval: the flush interval if the options do not set one.
    /// - Returns: a configuration that sends records there.
    func configuration(_ port: UInt16, flushingEvery interval: Duration) -> AgentConfiguration {
        let interval = flushInterval?.duration ?? interval
        var configuration = AgentConfiguration()
        configuration.datapath.interfaces = InterfaceSelection(workload: ["cali*"])
        configuration.levelForAllowed = aggregation
        configuration.levelForDenied = aggregation
        configuration.outputs = [OutputConfiguration(.tcp(host: "127.0.0.1", port: port))]
        configuration.flushInterval = interval
        configuration.pollInterval = min(.seconds(1), interval)
        configuration.hostName = "node"
        return configuration
    }
}
