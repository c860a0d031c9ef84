import Agent
import FlowModel
import Foundation
import Lab
import Synchronization

/// `weir lab --scenario yaobank`: runs the bank, its traffic, and Weir.
struct YaobankRun {
    private let command: LabCommand

    /// Its next multiple in Unix time is in 2061: without `--flush-interval`, there is one interval, and one record of each
    /// kind.
    private static let wholeRun = Duration.seconds(1_440_000_000)

    /// Takes the options.
    init(_ command: LabCommand) {
        self.command = command
    }

    /// Runs the scenario until it completes or the stop source is stopped.
    func run(until stop: StopSource) throws {
        let bank = try LabCommand.make { () throws(LabError) in try YaobankScenario() }
        let folder = try LabFolder(keepingIn: command.keep, bank.inventory)
        defer { withExtendedLifetime(folder) {} }
        let screen = YaobankScreen(isJSON: command.json)
        screen.explain(bank, for: command.duration)
        let before = try bank.node.counters(of: bank.interfaces)
        let lines = RecordLines(printing: command.json)
        let receiver = try bank.node.run { try RecordReceiver(show: lines.add) }
        let configuration = configuration(folder, receiver.port)
        let monitor = LabMonitor(in: bank.node, configuration, .toStandardError(command.logLevel), stop)
        defer { stop.stop() }

        var story = YaobankScenario.Story()
        if monitor.waitUntilWatching() {
            story = try bank.generateTraffic(for: command.duration.duration) { stop.isStopped || monitor.hasEnded }
        }
        stop.stop()
        let report = try monitor.report()
        receiver.finish()
        if let path = folder.records { try lines.write(to: path) }
        let outcome = try YaobankOutcome(
            story: story,
            records: lines.records,
            report: report,
            kernel: bank.node.counters(since: before),
            dropped: bank.droppedFromCustomer(),
            policies: YaobankPolicyWords(inventory: folder.inventory)
        )
        screen.show(outcome)
        if let kept = command.keep { screen.showKept(kept) }
        try outcome.check()
    }

    private func configuration(_ folder: LabFolder, _ port: UInt16) -> AgentConfiguration {
        var configuration = command.configuration(port, flushingEvery: Self.wholeRun)
        configuration.inventory.paths = [folder.inventory]
        configuration.hostName = YaobankScenario.nodeName
        configuration.reportPath = folder.account
        return configuration
    }
}

/// The results of a run.
struct YaobankOutcome {
    /// The traffic that the pods generated.
    var story: YaobankScenario.Story
    /// The records that Weir wrote.
    var records: [YaobankRecord]
    /// The account of the run.
    var report: AccountReport
    /// The kernel's interface counters.
    var kernel: [String: InterfaceCounters]
    /// The customer's packets that nftables dropped.
    var dropped: TrafficCount
    /// The explanations of the policies.
    var policies: YaobankPolicyWords

    /// The records of denied traffic.
    var denied: [YaobankRecord] {
        records.filter { $0.action == FlowAction.deny.rawValue }
    }

    /// The packets and bytes sent, according to the records.
    static func recorded(_ records: [YaobankRecord]) -> TrafficCount {
        records.reduce(into: TrafficCount()) {
            $0 += TrafficCount(messages: Int(clamping: $1.packetsOut), bytes: Int(clamping: $1.bytesOut))
        }
    }

    /// Throws if the account does not balance, or records and nftables disagree about denied traffic.
    func check() throws {
        try LabCommand.check(report)
        guard denied.isEmpty || Self.recorded(denied) == dropped else {
            throw CommandFailure(description: "denied records do not have what nftables dropped")
        }
    }
}

/// Collects records from another thread.
private final class RecordLines: Sendable {
    private let lines = Mutex<[Data]>([])

    private let isPrinting: Bool

    /// Creates the collector; it prints each record if `isPrinting` is set.
    init(printing isPrinting: Bool) {
        self.isPrinting = isPrinting
    }

    func add(_ line: Data) {
        if isPrinting { try? FileHandle.standardOutput.write(contentsOf: line + Data("\n".utf8)) }
        lines.withLock { $0.append(line) }
    }

    /// The fields that the screen shows.
    var records: [YaobankRecord] {
        lines.withLock { $0 }.compactMap(YaobankRecord.init)
    }

    private var text: Data {
        lines.withLock { $0 }.reduce(into: Data()) { $0 += $1 + Data("\n".utf8) }
    }

    func write(to path: String) throws {
        do {
            try text.write(to: URL(fileURLWithPath: path))
        } catch {
            throw CommandFailure(description: "write \(path): \(error.localizedDescription)")
        }
    }
}
