import FlowModel
import Records

extension KeyTotals {
    /// Calls a body for each pair, in no particular order.
    ///
    /// Pairs are made one after the other: only one pair and a number per flow key are in memory.
    package func forEachPair(_ body: (FlowPair) -> Void) {
        forEachPair(in: pairOrder()) { pair, _, _ in body(pair) }
    }

    /// Calls a body for each pair and the sums of its flow keys, in no particular order.
    package func forEachPairAndTotals(_ body: (FlowPair, [Total]) -> Void) {
        forEachPair(in: pairOrder()) { pair, totals, _ in body(pair, totals) }
    }

    /// Calls a body for each pair; all pairs of a group follow each other.
    ///
    /// - Parameters:
    ///   - group: returns the name of a pair's group.
    ///   - body: receives a pair, and a number that is the same for all pairs of a group. Rarely, another group has the same
    ///     number.
    package func forEachPair(by group: (FlowPair) -> String, _ body: (FlowPair, _ group: Int) -> Void) {
        let order = pairOrder()
        var grouped: [Place] = []
        grouped.reserveCapacity(order.count)
        forEachPair(in: order) { pair, _, places in
            let hash = group(pair).hashValue
            for place in places {
                grouped.append(Place(hash: hash, total: order[place].total, pair: order[place].hash))
            }
        }
        grouped.sort()
        forEachPair(in: grouped) { pair, _, places in body(pair, grouped[places.lowerBound].hash) }
    }

    /// The position of a flow key's sums in the order in which pairs are made.
    private struct Place: Comparable {
        /// The hash of the group; without groups, of the pair.
        var hash: Int
        var total: Int32
        /// The hash of the pair, if there are groups.
        var pair = 0

        static func < (left: Place, right: Place) -> Bool {
            (left.hash, left.pair, left.total) < (right.hash, right.pair, right.total)
        }
    }

    /// Returns the flow keys that belong to pairs, ordered by the pairs' hashes.
    private func pairOrder() -> [Place] {
        totals.enumerated().map { Place(hash: $1.pair, total: Int32($0)) }.sorted()
    }

    /// Makes the pairs of each run of equal hashes; there is rarely more than one pair.
    private func forEachPair(in order: [Place], _ body: (FlowPair, [Total], _ places: Range<Int>) -> Void) {
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, order[end].hash == order[start].hash, order[end].pair == order[start].pair {
                end += 1
            }
            var keys: [PairKey] = []
            var views: [PairViews] = []
            for place in start..<end {
                let total = totals[Int(order[place].total)]
                let record = record(total)
                let key = PairKey(record)
                let index = keys.firstIndex(of: key) ?? keys.count
                if index == keys.count {
                    keys.append(key)
                    views.append(PairViews(record, total))
                }
                views[index].add(total, record)
            }
            for view in views { body(view.counted, view.totals, start..<end) }
            start = end
        }
    }
}

/// The key that distinguishes pairs.
struct PairKey: Hashable {
    private var texts: [String?]
    private var port: UInt64?

    /// Reads a record.
    init(_ record: ReadRecord) {
        texts = [
            record.text(.sourceType), record.name(.sourceNamespace), record.text(.sourceNameAggr),
            record.text(.destType), record.name(.destNamespace), record.text(.destNameAggr), record.text(.proto),
        ]
        port = record.number(.destPort)
    }
}

/// The counts for a pair by each reporter.
private struct PairViews {
    /// The sums of the pair's flow keys.
    private(set) var totals: [KeyTotals.Total] = []
    private var pair: FlowPair
    private var amounts = PairAmounts()
    private var pending = (PendingChange(), PendingChange())
    private var best: Rank = (0, 0, 0)

    /// Ranks the keys of a pair as its example: denied ones first, and a host that forwards last.
    ///
    /// Of denied connections, most connections come first, whoever reports them.
    private typealias Rank = (verdict: Int, connections: UInt64, end: Int)

    init(_ record: ReadRecord, _ total: KeyTotals.Total) {
        pair = FlowPair(
            source: FlowNode(record, .source),
            destination: FlowNode(record, .destination),
            port: record.number(.destPort),
            proto: record.text(.proto) ?? "0",
            service: (nil, nil),
            example: record,
            firstSeen: total.first,
            lastSeen: total.last
        )
    }

    mutating func add(_ total: KeyTotals.Total, _ record: ReadRecord) {
        totals.append(total)
        amounts.add(total.amount, total.view)
        var change = PendingChange()
        if record.isPendingDifferent {
            let connections = total.amount.connections
            let allows = record.pendingAction == .allow
            change = PendingChange(
                differs: connections,
                wouldAllow: allows ? connections : 0,
                wouldDeny: allows ? 0 : connections
            )
        }
        if total.view.reporter == .destination { pending.1 += change } else { pending.0 += change }
        pair.firstSeen = min(pair.firstSeen, total.first)
        pair.lastSeen = max(pair.lastSeen, total.last)
        if pair.service.name == nil, let name = record.name(.destServiceName) {
            pair.service = (record.name(.destServiceNamespace), name)
        }
        let rank = Self.rank(total)
        if rank >= best {
            best = rank
            pair.example = record
        }
    }

    private static func rank(_ total: KeyTotals.Total) -> Rank {
        let end = total.view.reporter == .forward ? 0 : 1
        return (total.view.isDenied ? 2 : end, total.amount.connections, end)
    }

    /// The pair with the counts of all reporters, each connection once.
    var counted: FlowPair {
        var pair = pair
        (pair.allowed, pair.denied) = amounts.counted
        pair.pending = pending.0.differs >= pending.1.differs ? pending.0 : pending.1
        return pair
    }
}
