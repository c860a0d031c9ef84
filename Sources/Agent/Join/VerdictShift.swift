import FlowModel
import Policy

/// A change of the verdict or rule of a pair's connections since the previous interval.
struct VerdictShift: Sendable {
    /// An end of the connections.
    struct End: Sendable {
        let namespace: String
        let name: String
        let kind: Endpoint.Kind

        init(_ endpoint: Endpoint) {
            namespace = endpoint.namespace ?? ""
            name = endpoint.aggregatedName
            kind = endpoint.kind
        }

        var text: String { "\(namespace.isEmpty ? "-" : namespace)/\(name)" }
    }

    /// A decision, and the trace that led to it.
    struct Decision: Sendable {
        var action: FlowAction
        var trace: PolicyTrace?

        /// The deciding hit.
        var rule: String { trace?.enforced.last ?? "" }

        /// All hits, without their positions.
        var hits: [PolicyHit] {
            (trace?.enforced ?? []).compactMap { text in
                var hit = try? PolicyHit(text)
                hit?.index = 0
                return hit
            }
        }
    }

    let source: End
    let destination: End
    let isSources: Bool
    let port: String
    let before: Decision
    let after: Decision
    /// The possible times of the change, Unix time in µs: from the beginning of the last interval with the previous decision
    /// to the end of the first interval with the new one.
    let times: ClosedRange<Int64>
    /// The end of the first interval with the change, Unix seconds.
    let end: Int64

    /// The greatest difference between the clocks of nodes and API servers, µs.
    private static let tolerance: Int64 = 2_000_000
    /// The longest time from a change of policies to its enforcement, µs.
    private static let delay: Int64 = 60_000_000

    /// Describes the shift that a record shows.
    ///
    /// - Parameters:
    ///   - record: a record under the new verdict.
    ///   - before: the previous decision.
    ///   - start: the beginning of the last interval with the previous decision, Unix seconds.
    init(_ record: borrowing FlowRecord, before: Decision, since start: Int64) {
        source = End(record.source.endpoint)
        destination = End(record.destination.endpoint)
        isSources = record.reporter == .source
        port = PortName.text(record.destination.port.map { UInt64($0) }, record.proto.name)
        self.before = before
        after = Decision(action: record.action, trace: record.policies?.enforced)
        end = record.endTime
        let first = min(start, record.endTime) * 1_000_000 - Self.tolerance
        times = first...(record.endTime * 1_000_000 + Self.tolerance)
    }

    /// Whether a change at a time, µs, can have caused the shift.
    func mayFollow(_ time: Int64) -> Bool { time >= times.lowerBound - Self.delay && time <= times.upperBound }

    /// The end whose policies are in the traces.
    var reporting: End { isSources ? source : destination }

    /// The hits that occur in only one of the traces, at any position.
    var differingHits: [PolicyHit] {
        let (old, new) = (before.hits, after.hits)
        return new.filter { !old.contains($0) } + old.filter { !new.contains($0) }
    }

    /// Returns the entry for the record of the change.
    func change(isLikely: Bool, connections: UInt64) -> VerdictChange {
        VerdictChange(
            source: source.text,
            dest: destination.text,
            port: port,
            reporter: (isSources ? FlowReporter.source : .destination).rawValue,
            before: before.action.rawValue,
            after: after.action.rawValue,
            ruleBefore: before.rule,
            rule: after.rule,
            connections: connections,
            time: end,
            isLikely: isLikely
        )
    }
}
