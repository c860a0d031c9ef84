import Agent
import Datapath
import Export
import FlowLog
import FlowModel
import Foundation
import Inventory
import Lab
import Logging
import Names

/// The cost of everything that is collected beside packets, from the kernel's reports to bytes in a file.
///
/// A pod and a node are connected by a veth pair, in namespaces of the benchmark's own. The node has two agents' paths: one
/// collects nothing, the other everything. Both read the same packets of the same connections, in turn.
package enum CollectBenchmark {
    private static let longs = 2_000
    private static let shorts = 100
    private static let lookups = 10
    private static let rounds = 12

    /// Measures records of single connections.
    ///
    /// - Throws: a `DatapathError` when programs cannot be loaded, a `LabError` when namespaces cannot be made.
    package static func run(report: (Measurement) -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-bench-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (node, pod) = (try NetworkNamespace(), try NetworkNamespace())
        _ = try VethPair(
            VethEnd(node, interface: "pod0", addresses: ["10.1.0.1/24"]),
            VethEnd(pod, addresses: ["10.1.0.2/24"])
        )
        let without = try CollectingPath(collects: [], in: node, file: folder + "/without")
        let with = try CollectingPath(collects: .everything, in: node, file: folder + "/with")
        let address: UInt32 = 0x0a01_0001
        let connections = try BenchConnections(
            longs,
            at: BenchConnections.Ends(address: address, clients: pod, server: node)
        )
        let dns = try BenchLookups(from: pod, to: node, at: address)
        let reader = try node.run { try SocketReader() }
        var costs: [(without: Double, with: Double, kernel: Double)] = []
        for round in 0...rounds {
            let paths = round.isMultiple(of: 2) ? [without, with] : [with, without]
            for path in paths { path.beginInterval() }
            var kernel: UInt64 = 0
            // As in an interval of ten seconds: a scan each second, sockets are sampled once between and reported at the end.
            for scan in 1...10 {
                try connections.exchange()
                try connections.exchange(short: shorts)
                try dns.ask(lookups)
                for path in paths { try path.read(samplesSockets: scan == 5, endsInterval: scan == 10) }
                let start = processorTime
                if scan == 5 { reader.sample() }
                if scan == 10 { reader.read { _ in } } else { reader.drain { _ in } }
                kernel += processorTime - start
            }
            // The first has the beginning of the connections.
            guard round > 0 else { continue }
            costs.append((without.cost, with.cost, Double(kernel) / 1000 / Double(max(1, with.records))))
        }
        report(
            Measurement(
                "collect/everything",
                unit: "µs/record",
                value: median(costs.map(\.with)),
                baseline: median(costs.map(\.without)),
                against: "nothing collected; \(with.records) records, CPU time, medians"
            )
        )
        report(
            Measurement(
                "collect/everything-fastest",
                unit: "µs/record",
                value: costs.map(\.with).min() ?? 0,
                baseline: costs.map(\.without).min() ?? 0,
                against: "nothing collected; the fastest of \(rounds) intervals"
            )
        )
        report(
            Measurement(
                "collect/kernel",
                unit: "µs/record",
                value: median(costs.map(\.kernel)),
                baseline: median(costs.map(\.without)),
                against: "nothing collected; the part of the kernel's reports of sockets, until they are discarded"
            )
        )
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

extension Collected {
    fileprivate static let everything: Collected = [.tcp, .process, .processPath, .processArguments, .dns, .handshake]
}

/// The agent's path from a datapath to a file.
private final class CollectingPath {
    private let node: NetworkNamespace
    private var datapath: Datapath?
    private var aggregator: FlowAggregator
    private let names: DomainTracker?
    private let writer: RecordWriter
    private let file: Output
    private var interval: Int64 = 0
    /// CPU time of the interval, ns.
    private var spent: UInt64 = 0
    /// Records of the interval.
    private(set) var records = 0

    /// CPU time of the interval's records, µs each.
    var cost: Double { Double(spent) / 1000 / Double(max(1, records)) }

    init(collects: Collected, in node: NetworkNamespace, file path: String) throws {
        let quiet = Logger(label: "weir-bench") { _ in SwiftLogNoOpLogHandler() }
        self.node = node
        var flows = FlowLogConfiguration(dividesProcesses: collects.contains(.process))
        flows.levelForAllowed = .none
        var inventory = Inventory(hostName: "node")
        aggregator = FlowAggregator(configuration: flows, resolver: inventory.snapshot(), tracker: nil, startTime: 0)
        names = collects.contains(.dns) ? DomainTracker() : nil
        aggregator.domains = names
        file = try Output(.file(path: path), logger: quiet)
        writer = RecordWriter([file], patience: .seconds(5))
        var configuration = DatapathConfiguration(interfaces: InterfaceSelection(workload: ["pod0"]))
        configuration.collects = collects
        datapath = try node.run {
            let datapath = try Datapath(configuration)
            try datapath.attach()
            return datapath
        }
    }

    deinit {
        try? node.run { datapath = nil }
        _ = file.finish(within: .seconds(5))
    }

    func beginInterval() { (spent, records) = (0, 0) }

    /// Reads what was counted and reported, and writes the interval's records at its end.
    func read(samplesSockets: Bool, endsInterval: Bool) throws {
        let time = try node.run {
            let start = processorTime
            if samplesSockets { datapath?.sampleSockets() }
            _ = try datapath?.scan(closesEpoch: endsInterval, readsSockets: endsInterval) { process($0) }
            if endsInterval { flush() }
            return processorTime - start
        }
        spent += time
    }

    private func process(_ batch: FlowBatch) {
        var lookups: [FlowLookup] = []
        names?.process(batch.dns) { lookup in
            if let lookup = lookup.ofFlow { lookups.append(lookup) }
        }
        if !lookups.isEmpty { aggregator.add(lookups) }
        aggregator.process(batch)
    }

    private func flush() {
        writer.beginFlush()
        interval += 10
        aggregator.flush(at: interval) { record in
            records += 1
            writer.write(record)
        }
        names?.endInterval(now: nanoseconds(of: CLOCK_MONOTONIC))
        writer.endFlush()
        while file.statistics.queued > 0 { usleep(200) }
    }
}

/// The CPU time of this process, ns.
private var processorTime: UInt64 { nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID) }

private func nanoseconds(of clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
