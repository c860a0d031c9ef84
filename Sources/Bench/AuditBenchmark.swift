import Audit
import Foundation

/// Measures the cost of reading an API server's audit log: lines parsed and filtered, compared with Foundation's decoders for
/// the same lines.
package enum AuditBenchmark {
    private static let rounds = 12

    /// Measures a log of reads, status updates and policy changes; only the policy changes are selected.
    ///
    /// - Throws: the errors of Foundation's decoders.
    package static func run(report: (Measurement) -> Void) throws {
        // This comes first, because it would otherwise reuse memory that the others have freed.
        AuditMemoryBenchmark.run(report: report)
        let lines = (0..<1500).map(AuditTraffic.mixed)
        let log = Array(lines.joined(separator: "\n").utf8)
        var wanted = 0
        let texts = lines.map { Data($0.utf8) }
        let decoder = JSONDecoder()
        var found = [0, 0]
        // All are measured in turn, so that the load of the machine is the same for each.
        var (ours, decoded, serialized) = (Double.infinity, Double.infinity, Double.infinity)
        for _ in 0..<rounds {
            ours = min(ours, fastest(of: 2) { wanted = select(log) })
            decoded = min(
                decoded,
                try fastest(of: 1) {
                    found[0] = try texts.filter { try decoder.decode(Event.self, from: $0).isWanted }.count
                }
            )
            serialized = min(
                serialized,
                try fastest(of: 1) {
                    found[1] = try texts.filter { Event.isWanted(try JSONSerialization.jsonObject(with: $0)) }.count
                }
            )
        }
        precondition(found == [wanted, wanted], "all find the same lines")
        let rate = { (time: Double) in Double(log.count) / time * 1e3 }
        report(
            Measurement(
                "audit/filter",
                unit: "MB/s",
                value: rate(ours),
                baseline: rate(decoded),
                against: "JSONDecoder of the members that are asked; \(wanted) of \(lines.count) wanted"
            )
        )
        report(
            Measurement(
                "audit/filter",
                unit: "MB/s",
                value: rate(ours),
                baseline: rate(serialized),
                against: "JSONSerialization, objects of everything"
            )
        )
        let changes = fastest(of: rounds) { read(log) }
        report(
            Measurement(
                "audit/changes",
                unit: "µs/event",
                value: changes / Double(lines.count) / 1e3,
                baseline: serialized / Double(lines.count) / 1e3,
                against: "JSONSerialization; ours compares states and puts changes into words"
            )
        )
    }

    // MARK: - Weir

    private static func forEachLine(_ log: [UInt8], _ body: (Span<UInt8>, Range<Int>) -> Void) {
        var lines = AuditLines()
        for start in stride(from: 0, to: log.count, by: 256 << 10) {
            lines.append(log[start..<min(log.count, start + 256 << 10)])
            while case .bytes(let line)? = lines.next() { body(lines.buffer.span, line) }
        }
        if case .bytes(let line)? = lines.last() { body(lines.buffer.span, line) }
    }

    private static func select(_ log: [UInt8]) -> Int {
        var selection = AuditSelection()
        selection.choose(kinds: ["NetworkPolicy"])
        selection.writesOnly = true
        var wanted = 0
        forEachLine(log) { bytes, line in
            guard let places = try? AuditPlaces(in: bytes, line), selection.mayMatch(places, in: bytes) else { return }
            if selection.matches(AuditEvent(at: places, in: bytes)) { wanted += 1 }
        }
        return wanted
    }

    private static func read(_ log: [UInt8]) {
        var join = AuditJoin()
        var reader = ChangeReader()
        var length = 0
        forEachLine(log) { bytes, line in
            guard let event = try? AuditEvent(in: bytes, line), join.take(event) else { return }
            if let change = reader.change(event, in: bytes) { length += change.summary.utf8.count }
        }
        precondition(length > 0, "the log has changes")
    }

    // MARK: - Foundation

    private struct Event: Decodable {
        struct Reference: Decodable {
            var resource: String
            var namespace: String?
            var name: String?
        }
        struct User: Decodable {
            var username: String
        }

        var auditID: String
        var stage: String
        var verb: String
        var user: User
        var objectRef: Reference?

        static let verbs: Set<String> = ["create", "update", "patch", "delete", "deletecollection"]

        var isWanted: Bool { Self.verbs.contains(verb) && objectRef?.resource == "networkpolicies" }

        static func isWanted(_ object: Any) -> Bool {
            let event = object as? [String: Any] ?? [:]
            let reference = event["objectRef"] as? [String: Any]
            return verbs.contains(event["verb"] as? String ?? "")
                && reference?["resource"] as? String == "networkpolicies"
        }
    }
}
