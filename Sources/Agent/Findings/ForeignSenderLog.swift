import FlowLog
import FlowModel
import Glibc
import Logging

/// Logs workloads that send from addresses of others: for each interface at once, then at growing intervals.
struct ForeignSenderLog {
    /// The senders that were found at an interface since it was logged last.
    private struct Entry {
        var next: Int64
        var pause: Int64
        var packets: UInt64 = 0
        var flows: UInt64 = 0
    }

    /// Pauses grow from a minute to a day, ns.
    private static let shortestPause: Int64 = 60_000_000_000
    private static let longestPause: Int64 = 24 * 60 * shortestPause
    /// The maximum number of interfaces that are kept; beyond it, all of them are logged again.
    private static let limit = 4096

    private let logger: Logger
    private var entries: [UInt32: Entry] = [:]

    /// Writes to a logger.
    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs the senders of an interval.
    mutating func note(_ senders: [ForeignSender], now: Int64 = Clock.monotonic) {
        if entries.count > Self.limit { entries.removeAll() }
        for sender in senders {
            var entry = entries[sender.interfaceIndex] ?? Entry(next: now, pause: Self.shortestPause)
            entry.packets += sender.packets
            entry.flows += sender.flows
            if now >= entry.next {
                log(sender, entry)
                entry = Entry(next: now + entry.pause, pause: min(entry.pause * 2, Self.longestPause))
            }
            entries[sender.interfaceIndex] = entry
        }
    }

    private func log(_ sender: ForeignSender, _ entry: Entry) {
        let pod = sender.sender.map { endpoint in
            endpoint.namespace.map { "\($0)/\(endpoint.name)" } ?? endpoint.name
        }
        logger.warning(
            "a workload sends under addresses that are not its own",
            metadata: [
                "interface": "\(Self.name(of: sender.interfaceIndex))",
                "workload": "\(pod ?? "-")",
                "addresses": "\(sender.addresses.map(\.description).joined(separator: " "))",
                "packets": "\(entry.packets)",
                "connections": "\(entry.flows)",
            ]
        )
    }

    /// The name of an interface of this thread's network namespace, or its index where it is gone.
    private static func name(of index: UInt32) -> String {
        var buffer = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(index, &buffer) != nil else { return "\(index)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
