import FlowModel
import Records

/// A result of the analysis that needs an operator's attention.
package struct Finding: Sendable, Encodable {
    /// The severity, worst first.
    package enum Severity: String, Sendable, Encodable, CaseIterable {
        case error, warning, info
    }

    package var id: String
    package var severity: Severity
    package var kind: String
    package var title: String
    package var detail: String
    package var count: UInt64
    package var first_seen: Int64
    package var last_seen: Int64
    package var filter: String
    package var advice: String
}

extension Finding {
    /// Returns all findings in the records of a range, worst first.
    package static func all(_ totals: KeyTotals, gaps: [(from: Int64, until: Int64)]) -> [Finding] {
        var disagreements = Group(), pending = Group(), denied = Group(), remainders = Group(), unexplained = Group()
        for total in totals.totals {
            let record = totals.record(total)
            let decision = record.enforcedHits.last.flatMap(ReadRecord.action(ofHit:))
            if let decision, (decision == .deny) != record.isDenied { disagreements.add(total, record) }
            if record.isPendingDifferent { pending.add(total, record) }
            if record.isDenied { denied.add(total, record) }
            if record.isDenied, record.decidingHits.isEmpty { unexplained.add(total, record) }
            if record.text(.sourceNameAggr) == "-" || record.text(.destNameAggr) == "-" {
                remainders.add(total, record)
            }
        }
        let found = [
            disagreements.finding(
                "disagreement",
                .warning,
                "kernel and policies disagree about %n connections",
                filter: disagreements.filter,
                advice: "look at the pair; the inventory may lag, or something beside policies drops packets"
            ),
            remainders.finding(
                "remainder",
                .warning,
                "%p packets had no room for their details",
                filter: "source_name_aggr == \"-\" || dest_name_aggr == \"-\"",
                advice: "give the agent more slots (--table-slots) or memory (--memory-limit)"
            ),
            unexplained.finding(
                "denied",
                .warning,
                "%n denied connections that no policy explains",
                filter: "action == \"deny\" && !has(enforced_policies) && !has(transit_policies)",
                advice: "something beside policies drops them: a firewall, or policies that the inventory does not have"
            ),
            pending.finding(
                "pending",
                .warning,
                "staged policies would change %n connections",
                filter: pending.filter,
                advice: "see the policies that are staged"
            ),
            denied.finding(
                "denied",
                .info,
                "%n connections denied",
                filter: "action == \"deny\"",
                advice: "see the top denied pairs"
            ),
        ].compactMap(\.self)
        let missing = gaps.map { gap in
            Finding(
                id: "gap-\(gap.from)",
                severity: .warning,
                kind: "gap",
                title: "nothing is recorded for \(Self.span(gap.until - gap.from))",
                detail: "no traffic, or no agent",
                count: UInt64(max(0, gap.until - gap.from)),
                first_seen: gap.from,
                last_seen: gap.until,
                filter: "",
                advice: "look whether the agent ran"
            )
        }
        return (found + missing.prefix(10)).sorted {
            Severity.allCases.firstIndex(of: $0.severity) ?? 0 < Severity.allCases.firstIndex(of: $1.severity) ?? 0
        }
    }

    private static func span(_ seconds: Int64) -> String {
        seconds >= 7200 ? "\(seconds / 3600) hours" : "\(max(1, seconds / 60)) minutes"
    }

    /// Keys that share a property.
    private struct Group {
        var connections: UInt64 = 0
        var packets: UInt64 = 0
        var first: Int64 = .max
        var last: Int64 = .min
        var keys = 0
        var most: (connections: UInt64, pair: String, filter: String) = (0, "", "")

        mutating func add(_ total: KeyTotals.Total, _ record: ReadRecord) {
            connections &+= total.amount.connections
            packets &+= total.amount.packets
            first = min(first, total.first)
            last = max(last, total.last)
            keys += 1
            guard keys == 1 || total.amount.connections > most.connections else { return }
            let (source, destination) = (FlowNode(record, .source), FlowNode(record, .destination))
            let port = PortName.text(record.number(.destPort), record.text(.proto) ?? "0")
            most = (
                total.amount.connections,
                "\(Self.name(source)) to \(Self.name(destination)) on \(port)",
                "\(source.filter(.source)) && \(destination.filter(.destination))"
            )
        }

        /// The name of a node without its type.
        private static func name(_ node: FlowNode) -> String {
            let id = node.id
            return id.firstIndex(of: ":").map { String(id[id.index(after: $0)...]) } ?? id
        }

        /// The filter expression for the pair with the most connections.
        var filter: String { most.filter }

        func finding(_ kind: String, _ severity: Severity, _ title: String, filter: String, advice: String) -> Finding?
        {
            guard keys > 0 else { return nil }
            return Finding(
                id: "\(kind)-\(severity.rawValue)",
                severity: severity,
                kind: kind,
                title: title.replacing("%n", with: "\(connections)").replacing("%p", with: "\(packets)"),
                detail: "\(keys) group\(keys == 1 ? "" : "s") of connections, most: \(most.pair)",
                count: connections,
                first_seen: first,
                last_seen: last,
                filter: filter,
                advice: advice
            )
        }
    }
}
