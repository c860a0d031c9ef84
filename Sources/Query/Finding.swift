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
        totals.forEachPairAndTotals { pair, members in
            func matching(_ isWanted: (ReadRecord) -> Bool) -> [KeyTotals.Total] {
                members.filter { isWanted(totals.record($0)) }
            }
            disagreements.add(pair, matching { Self.isDisputed($0) })
            pending.add(pair, matching { $0.isPendingDifferent }, connections: pair.pending.differs)
            denied.add(pair, matching { $0.isDenied }, connections: pair.denied.connections)
            unexplained.add(pair, matching { $0.isDenied && $0.decidingHits.isEmpty })
            remainders.add(pair, matching { $0.text(.sourceNameAggr) == "-" || $0.text(.destNameAggr) == "-" })
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

    /// Whether the kernel and the policies of the reporting end disagree.
    private static func isDisputed(_ record: ReadRecord) -> Bool {
        let decision = record.enforcedHits.last.flatMap(ReadRecord.action(ofHit:))
        return decision.map { ($0 == .deny) != record.isDenied } ?? false
    }

    private static func span(_ seconds: Int64) -> String {
        seconds >= 7200 ? "\(seconds / 3600) hours" : "\(max(1, seconds / 60)) minutes"
    }

    /// The connections of pairs that share a property.
    private struct Group {
        private var amount = Amount()
        private var first: Int64 = .max
        private var last: Int64 = .min
        private var pairs = 0
        private var most: (connections: UInt64, pair: FlowPair)?

        /// Adds the keys of a pair that have the property, with each connection counted once.
        mutating func add(_ pair: FlowPair, _ totals: [KeyTotals.Total], connections: UInt64? = nil) {
            guard !totals.isEmpty else { return }
            var amounts = PairAmounts()
            for total in totals {
                amounts.add(total.amount, total.view)
                first = min(first, total.first)
                last = max(last, total.last)
            }
            let counted = amounts.counted
            var sum = counted.allowed.adding(counted.denied)
            sum.connections = connections ?? sum.connections
            amount += sum
            pairs += 1
            if let most {
                let isMore = sum.connections > most.connections
                guard isMore || (sum.connections == most.connections && pair.precedes(most.pair)) else { return }
            }
            most = (sum.connections, pair)
        }

        /// The pair with the most connections as text.
        private var name: String {
            guard let pair = most?.pair else { return "" }
            let port = PortName.text(pair.port, pair.proto)
            return "\(Self.name(pair.source)) to \(Self.name(pair.destination)) on \(port)"
        }

        /// The name of a node without its type.
        private static func name(_ node: FlowNode) -> String {
            let id = node.id
            return id.firstIndex(of: ":").map { String(id[id.index(after: $0)...]) } ?? id
        }

        /// The filter expression for the pair with the most connections.
        var filter: String {
            most.map { "\($0.pair.source.filter(.source)) && \($0.pair.destination.filter(.destination))" } ?? ""
        }

        func finding(_ kind: String, _ severity: Severity, _ title: String, filter: String, advice: String) -> Finding?
        {
            guard pairs > 0 else { return nil }
            return Finding(
                id: "\(kind)-\(severity.rawValue)",
                severity: severity,
                kind: kind,
                title: (amount.connections == 1 ? title.replacing("connections", with: "connection") : title)
                    .replacing("%n", with: "\(amount.connections)").replacing("%p", with: "\(amount.packets)"),
                detail: "\(pairs) pair\(pairs == 1 ? "" : "s"), most: \(name)",
                count: amount.connections,
                first_seen: first,
                last_seen: last,
                filter: filter,
                advice: advice
            )
        }
    }
}
