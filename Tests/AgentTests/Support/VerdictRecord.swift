import Foundation
import Lab
import Testing

/// A verdict in a record: both ends, the action, the policies, and the traffic.
///
/// Times, labels and NAT ports are not in it, so that a test can compare whole records.
struct VerdictRecord: Hashable, CustomStringConvertible {
    /// An end, as records name it.
    struct End: Hashable, CustomStringConvertible {
        var type: String
        var namespace: String
        var name: String
        var address: String
        var description: String { "\(type) \(namespace)/\(name) \(address)" }
    }

    var action: String
    var reporter: String
    var proto: String
    var source: End
    var destination: End
    /// Nil where the record has null: ICMP.
    var port: Int?
    /// Namespace, name and port of the service that was called; `- -` where none was.
    var service = "-/- null"
    /// Enforced hits by their numbers; nil where the record has no policies.
    var enforced: [String]?
    /// Pending hits, likewise.
    var pending: [String]?
    var inbound = Count()
    var outbound = Count()
    var flows = 1
    var started = 1
    var completed = 0
    var droppedIn = 0
    var droppedOut = 0
    var reason: String?

    var description: String {
        """
        \(action) \(reporter) \(proto) [\(source)] → [\(destination)] \(port.map(String.init) ?? "-") service \(service) \
        enforced \(enforced.map { "\($0)" } ?? "null") pending \(pending.map { "\($0)" } ?? "null") \
        in \(inbound) out \(outbound) flows \(flows)/\(started)/\(completed) \
        dropped \(droppedIn)/\(droppedOut) \(reason ?? "null")
        """
    }
}

extension VerdictRecord {
    /// Reads a line with extended fields.
    init(_ line: some StringProtocol) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8))
        let fields = try #require(parsed as? [String: Any])
        func text(_ name: String) -> String { fields[name] as? String ?? "null" }
        func number(_ name: String) throws -> Int { try #require(fields[name] as? Int, "no \(name) in \(line)") }
        func count(_ direction: String) throws -> Count {
            Count(UInt64(try number("packets_" + direction)), UInt64(try number("bytes_" + direction)))
        }
        func end(_ prefix: String) -> End {
            End(
                type: text(prefix + "_type"),
                namespace: text(prefix + "_namespace"),
                name: text(prefix + "_name"),
                address: text(prefix + "_ip")
            )
        }
        func hits(_ name: String) -> [String]? {
            // The order is that of the hits' numbers; the format promises none.
            ((fields["policies"] as? [String: Any])?[name] as? [String])?.sorted()
        }
        action = text("action")
        reporter = text("reporter")
        proto = text("proto")
        (source, destination) = (end("source"), end("dest"))
        port = fields["dest_port"] as? Int
        let servicePort = (fields["dest_service_port_num"] as? Int).map(String.init) ?? "null"
        service = "\(text("dest_service_namespace"))/\(text("dest_service_name")) \(servicePort)"
        (enforced, pending) = (hits("enforced_policies"), hits("pending_policies"))
        (inbound, outbound) = (try count("in"), try count("out"))
        (flows, started, completed) = (
            try number("num_flows"), try number("num_flows_started"), try number("num_flows_completed")
        )
        (droppedIn, droppedOut) = (try number("dropped_packets_in"), try number("dropped_packets_out"))
        reason = fields["drop_reason"] as? String
    }
}

extension WeirRun {
    /// The records of the file so far; the run must have extended fields.
    func verdicts() throws -> [VerdictRecord] { try lines.map { try VerdictRecord($0) } }
}

extension [VerdictRecord] {
    /// Traffic to the reporting ends.
    var inbound: Count { reduce(Count()) { $0 + $1.inbound } }
    /// Traffic from the reporting ends.
    var outbound: Count { reduce(Count()) { $0 + $1.outbound } }
    /// Returns the records of one verdict.
    func with(_ action: String) -> [VerdictRecord] { filter { $0.action == action } }
    /// Returns the records of one reporting end.
    func reported(by end: String) -> [VerdictRecord] {
        filter { ($0.reporter == "src" ? $0.source : $0.destination).name == end }
    }
}

/// Reports the differences of both lists in any order, except whether flows have ended, which is a matter of time.
func expectSame(
    _ records: [VerdictRecord],
    _ expected: [VerdictRecord],
    _ sourceLocation: SourceLocation = #_sourceLocation
) {
    let records = records.map { record in
        var record = record
        record.completed = 0
        return record
    }
    let (found, wanted) = (Set(records), Set(expected))
    let missing = expected.filter { !found.contains($0) }
    let unexpected = records.filter { !wanted.contains($0) }
    let text = { (records: [VerdictRecord]) in records.map { "\n    \($0)" }.joined() }
    #expect(
        missing.isEmpty && unexpected.isEmpty && records.count == expected.count,
        "missing: \(text(missing))\n  unexpected: \(text(unexpected))",
        sourceLocation: sourceLocation
    )
}
