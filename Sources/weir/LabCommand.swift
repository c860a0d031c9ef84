import Agent
import ArgumentParser
import Datapath
import Dispatch
import Export
import FlowModel
import Foundation
import Lab
import Logging

/// `weir lab`: a small real network, with traffic, and what Weir says of it.
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

            Examples:
              sudo weir lab
              sudo weir lab --duration 30s --aggregation 0
              sudo weir lab --json | jq -c '{source_ip, dest_ip, dest_port, reporter, bytes_in, bytes_out}'
            """
    )

    @Option(
        help: ArgumentHelp("How long the traffic flows. Default: 10s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var duration = TimeArgument(seconds: 10)

    @Option(
        help: ArgumentHelp("Time between flushes of records. Default: 5s.", valueName: "time"),
        transform: TimeArgument.init(parsing:)
    )
    var flushInterval = TimeArgument(seconds: 5)

    @Option(help: "Detail of the records: 0 every 5-tuple, 1 without source port, 2 without addresses, 3 without port.")
    var aggregation = AggregationLevel.sourcePort

    @Flag(help: "Print the records as they are, JSON lines, on standard output; explanations go to standard error.")
    var json = false

    @Option(help: "How much the log says.")
    var logLevel = Logger.Level.warning

    func validate() throws {
        guard flushInterval.duration >= .seconds(1) else {
            throw ValidationError("--flush-interval \(flushInterval): 1s or more is needed")
        }
    }

    func run() throws {
        let stop = StopSource()
        let signals = StopSignals(stop)
        defer { withExtendedLifetime(signals) {} }
        let demonstration = try makeDemonstration()
        let screen = LabScreen(isJSON: json)
        screen.explain(demonstration)
        let before = try demonstration.counters()
        let receiver = try demonstration.node.run { try RecordReceiver(show: screen.show) }
        let monitor = Monitor(demonstration, configuration(receiver.port), .toStandardError(logLevel), stop)
        defer { stop.stop() }

        if monitor.waitUntilWatching() {
            try demonstration.generateTraffic(for: duration.duration) { stop.isStopped || monitor.hasEnded }
        }
        stop.stop()
        let report = try monitor.report()
        receiver.finish()
        screen.summarize(report, kernel: try demonstration.counters(since: before))
        guard report.balanced else { throw CommandFailure(description: "the account is not balanced") }
    }

    private func makeDemonstration() throws -> LabDemonstration {
        do {
            return try LabDemonstration()
        } catch {
            guard getuid() == 0 else {
                throw CommandFailure(description: "\(error); run: sudo weir lab", isUnsupported: true)
            }
            throw CommandFailure(description: "\(error)")
        }
    }

    private func configuration(_ port: UInt16) -> AgentConfiguration {
        var configuration = AgentConfiguration()
        configuration.datapath.interfaces = InterfaceSelection(workload: ["cali*"])
        configuration.levelForAllowed = aggregation
        configuration.levelForDenied = aggregation
        configuration.outputs = [.tcp(host: "127.0.0.1", port: port)]
        configuration.flushInterval = flushInterval.duration
        configuration.pollInterval = min(.seconds(1), flushInterval.duration)
        configuration.hostName = "node"
        return configuration
    }
}

/// Weir on the node of the lab, on a thread of its own.
private final class Monitor: Sendable {
    private let result = ResultBox()
    private let watching = DispatchSemaphore(value: 0)

    init(
        _ demonstration: LabDemonstration,
        _ configuration: AgentConfiguration,
        _ logger: Logger,
        _ stop: StopSource
    ) {
        let (result, watching) = (result, watching)
        Thread.detachNewThread {
            result.set(
                Result {
                    try demonstration.node.run {
                        try Agent(configuration, logger: logger).run(until: stop) { watching.signal() }
                    }
                }
            )
            watching.signal()
        }
    }

    /// Returns when the interfaces are watched; false if that failed.
    func waitUntilWatching() -> Bool {
        watching.wait()
        return !hasEnded
    }

    var hasEnded: Bool { result.isSet }

    /// The account, when the monitor has ended.
    func report() throws -> AccountReport {
        try result.wait().get().report
    }
}

extension LabDemonstration {
    /// The kernel's counters of the node's pod interfaces, by name.
    fileprivate func counters() throws -> [String: InterfaceCounters] {
        var counters: [String: InterfaceCounters] = [:]
        for interface in interfaces { counters[interface] = try node.counters(of: interface) }
        return counters
    }

    /// What was added to them.
    fileprivate func counters(since earlier: [String: InterfaceCounters]) throws -> [String: InterfaceCounters] {
        try counters().merging(earlier) { now, before in now.since(before) }
    }
}
