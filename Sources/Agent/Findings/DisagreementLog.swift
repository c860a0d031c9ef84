import FlowLog
import FlowModel
import Logging

/// Logs disagreements of policies and datapath: for each pair of endpoints at once, then at growing intervals.
struct DisagreementLog {
    /// Two ends, independent of the port: a scan of many ports is logged once.
    private struct Pair: Hashable {
        let source: String
        let destination: String
        let proto: IPProtocol
        let reporter: FlowReporter
        let observed: FlowAction
        let hit: String
    }

    /// The time when a pair is to be logged next.
    private struct Entry {
        var next: Int64
        var pause: Int64
        var connections: UInt64 = 0
        /// The last mismatch.
        var mismatch: VerdictMismatch?
    }

    /// Pauses grow from a minute to a day, ns.
    private static let shortestPause: Int64 = 60_000_000_000
    private static let longestPause: Int64 = 24 * 60 * shortestPause
    /// The maximum number of pairs that are kept; beyond it, all of them are logged again.
    private static let limit = 4096

    private let logger: Logger
    private let showsAll: Bool
    private var entries: [Pair: Entry] = [:]

    /// Creates a log; `showsAll` logs all disagreements, each time.
    init(_ logger: Logger, showsAll: Bool) {
        self.logger = logger
        self.showsAll = showsAll
    }

    /// Logs the mismatches of an interval.
    mutating func note(_ mismatches: [VerdictMismatch], now: Int64 = Clock.monotonic) {
        if entries.count > Self.limit { entries.removeAll() }
        guard !showsAll else {
            for mismatch in mismatches { log(mismatch, Self.pair(mismatch), mismatch.connections) }
            return
        }
        var found: [Pair] = []
        var seen: Set<Pair> = []
        for mismatch in mismatches {
            let pair = Self.pair(mismatch)
            var entry = entries[pair] ?? Entry(next: now, pause: Self.shortestPause)
            if seen.insert(pair).inserted { found.append(pair) }
            entry.connections += mismatch.connections
            entry.mismatch = mismatch
            entries[pair] = entry
        }
        for pair in found { log(pair, now) }
    }

    private mutating func log(_ pair: Pair, _ now: Int64) {
        guard var entry = entries[pair], now >= entry.next, let mismatch = entry.mismatch else { return }
        log(mismatch, pair, entry.connections)
        entry.connections = 0
        entry.next = now + entry.pause
        entry.pause = min(entry.pause * 2, Self.longestPause)
        entries[pair] = entry
    }

    private static func pair(_ mismatch: VerdictMismatch) -> Pair {
        Pair(
            source: name(mismatch.source),
            destination: name(mismatch.destination),
            proto: mismatch.proto,
            reporter: mismatch.reporter,
            observed: mismatch.observed,
            hit: mismatch.expected.enforced.last ?? "-"
        )
    }

    private func log(_ mismatch: VerdictMismatch, _ pair: Pair, _ connections: UInt64) {
        let verb = mismatch.observed == .deny ? "dropped" : "let through"
        logger.warning(
            "the kernel \(verb) what policies \(mismatch.expected.action.rawValue)",
            metadata: [
                "source": "\(pair.source)",
                "destination": "\(pair.destination)\(Self.port(mismatch))",
                "reporter": "\(mismatch.reporter.rawValue)",
                "policy": "\(pair.hit)",
                "drop_reason": "\(mismatch.reason?.name ?? "-")",
                "connections": "\(connections)",
            ]
        )
    }

    private static func name(_ endpoint: Endpoint) -> String {
        endpoint.namespace.map { "\($0)/\(endpoint.aggregatedName)" } ?? endpoint.aggregatedName
    }

    private static func port(_ mismatch: VerdictMismatch) -> String {
        let proto = mismatch.proto
        return proto.hasPorts ? ":\(mismatch.destinationPort)/\(proto.name)" : "/\(proto.name)"
    }
}
