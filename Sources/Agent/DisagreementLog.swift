import FlowLog
import FlowModel
import Logging

/// Says in the log where policies and datapath disagree: of each pair of endpoints at once, and then ever more rarely.
struct DisagreementLog {
    private struct Pair: Hashable {
        let source: String
        let destination: String
        let reporter: FlowReporter
        let observed: FlowAction
        let hit: String
    }

    /// When a pair is to be named next.
    private struct Entry {
        var next: Int64
        var pause: Int64
        var connections: UInt64 = 0
    }

    /// From a minute to a day, ns.
    private static let shortestPause: Int64 = 60_000_000_000
    private static let longestPause: Int64 = 24 * 60 * shortestPause
    /// Pairs that are remembered; beyond, all of them are named anew.
    private static let limit = 4096

    private let logger: Logger
    private let showsAll: Bool
    private var entries: [Pair: Entry] = [:]

    /// Writes to a logger; `showsAll` is for all disagreements, each time.
    init(_ logger: Logger, showsAll: Bool) {
        self.logger = logger
        self.showsAll = showsAll
    }

    /// Takes in what was found in an interval.
    mutating func note(_ mismatches: [VerdictMismatch], now: Int64 = Clock.monotonic) {
        if entries.count > Self.limit { entries.removeAll() }
        for mismatch in mismatches { note(mismatch, now) }
    }

    private mutating func note(_ mismatch: VerdictMismatch, _ now: Int64) {
        let hit = mismatch.expected.enforced.last ?? "-"
        let pair = Pair(
            source: Self.name(mismatch.source),
            destination: Self.name(mismatch.destination) + Self.port(mismatch),
            reporter: mismatch.reporter,
            observed: mismatch.observed,
            hit: hit
        )
        var entry = entries[pair] ?? Entry(next: now, pause: Self.shortestPause)
        entry.connections += mismatch.connections
        if showsAll || now >= entry.next {
            log(mismatch, pair, entry)
            entry.connections = 0
            entry.next = now + entry.pause
            entry.pause = min(entry.pause * 2, Self.longestPause)
        }
        entries[pair] = entry
    }

    private func log(_ mismatch: VerdictMismatch, _ pair: Pair, _ entry: Entry) {
        let verb = mismatch.observed == .deny ? "dropped" : "let through"
        logger.warning(
            "the kernel \(verb) what policies \(mismatch.expected.action.rawValue)",
            metadata: [
                "source": "\(pair.source)",
                "destination": "\(pair.destination)",
                "reporter": "\(mismatch.reporter.rawValue)",
                "policy": "\(pair.hit)",
                "drop_reason": "\(mismatch.reason?.name ?? "-")",
                "connections": "\(entry.connections)",
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
