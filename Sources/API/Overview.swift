import Query
import Records

/// The data of the overview page, from the sums of a range.
struct Overview {
    private let totals: KeyTotals
    private let recent: KeyTotals
    private let interval: Int64

    private static let rows = 20

    /// Takes the sums of the range and of its last minute.
    init(_ totals: KeyTotals, _ recent: KeyTotals, _ interval: Int64) {
        (self.totals, self.recent, self.interval) = (totals, recent, interval)
    }

    /// The response.
    func shape(_ range: RangeShape, _ gaps: [(from: Int64, until: Int64)]) -> OverviewShape {
        var sum = PairSum()
        var denied = FirstOf<FlowPair>(Self.rows) {
            let (one, other) = (($0.denied.connections, $0.lastSeen), ($1.denied.connections, $1.lastSeen))
            return one == other ? $0.precedes($1) : one > other
        }
        var talkers = FirstOf<FlowPair>(Self.rows) { $0.bytes == $1.bytes ? $0.precedes($1) : $0.bytes > $1.bytes }
        totals.forEachPair { pair in
            sum.add(pair)
            if pair.denied != Amount() { denied.add(pair) }
            talkers.add(pair)
        }
        var now = PairSum()
        recent.forEachPair { now.add($0) }
        let findings = Finding.all(totals, gaps: gaps)
        let rates = OverviewShape.Rates(
            seconds: 60,
            allowed_connections: Double(now.allowed.connections) / 60,
            denied_connections: Double(now.denied.connections) / 60,
            bytes: Double(now.allowed.bytes &+ now.denied.bytes) / 60
        )
        return OverviewShape(
            range: range,
            sentence: Self.sentence(rates, findings.count),
            rates: rates,
            series: .init(
                interval: interval,
                points: totals.series.sorted { $0.key < $1.key }
                    .map { .init(time: $0.key, allowed: $0.value.allowed, denied: $0.value.denied) }
            ),
            totals: .init(
                allowed: sum.allowed,
                denied: sum.denied,
                records: totals.totals.reduce(0) { $0 &+ $1.records },
                pending_differs: .init(connections: sum.pendingDiffers)
            ),
            top_denied: denied.sorted.map { .init(pair: PairShape($0), reason: VerdictWords($0.example).now) },
            top_talkers: talkers.sorted.map { .init(pair: PairShape($0)) },
            findings: findings
        )
    }

    /// The sums of all pairs.
    private struct PairSum {
        var allowed = Amount()
        var denied = Amount()
        var pendingDiffers: UInt64 = 0

        mutating func add(_ pair: FlowPair) {
            allowed = allowed.adding(pair.allowed)
            denied = denied.adding(pair.denied)
            pendingDiffers &+= pair.pending.differs
        }
    }

    private static func sentence(_ rates: OverviewShape.Rates, _ findings: Int) -> String {
        let found = findings == 0 ? "no findings" : findings == 1 ? "1 finding" : "\(findings) findings"
        return
            "\(short(rates.allowed_connections)) connections/s allowed, \(short(rates.denied_connections))/s denied, "
            + "\(short(rates.bytes / 1_000_000)) MB/s; \(found)"
    }

    private static func short(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 || tenths >= 1000 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}

extension FlowPair {
    fileprivate var bytes: UInt64 { allowed.bytes &+ denied.bytes }
}
