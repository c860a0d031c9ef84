import FlowModel
import Records

extension KeyTotals {
    /// Calls a body for each pair, in no particular order.
    ///
    /// Pairs are made one after the other: only one pair and a number per flow key are in memory.
    package func forEachPair(_ body: (FlowPair) -> Void) {
        forEachPair(in: pairOrder()) { pair, _ in body(pair) }
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
        forEachPair(in: order) { pair, places in
            let hash = group(pair).hashValue
            for place in places {
                grouped.append(Place(hash: hash, total: order[place].total, pair: order[place].hash))
            }
        }
        grouped.sort()
        forEachPair(in: grouped) { pair, places in body(pair, grouped[places.lowerBound].hash) }
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
        var order: [Place] = []
        order.reserveCapacity(totals.count)
        for (index, total) in totals.enumerated() {
            let record = record(total)
            guard !record.isForwarded else { continue }
            order.append(Place(hash: PairKey(record).hashValue, total: Int32(index)))
        }
        order.sort()
        return order
    }

    /// Makes the pairs of each run of equal hashes; there is rarely more than one pair.
    private func forEachPair(in order: [Place], _ body: (FlowPair, _ places: Range<Int>) -> Void) {
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
            for view in views { body(view.counted, start..<end) }
            start = end
        }
    }
}

/// The key that distinguishes pairs.
private struct PairKey: Hashable {
    private var texts: [String?]
    private var port: UInt64?

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
    private var pair: FlowPair
    private var all = (Amount(), Amount())
    private var denied = (Amount(), Amount())
    private var pending = (PendingChange(), PendingChange())
    private var best: (isDenied: Bool, connections: UInt64) = (false, 0)

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
        let isDenied = record.isDenied
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
        if record.isDestinationReported {
            all.1 += total.amount
            if isDenied { denied.1 += total.amount }
            pending.1 += change
        } else {
            all.0 += total.amount
            if isDenied { denied.0 += total.amount }
            pending.0 += change
        }
        pair.firstSeen = min(pair.firstSeen, total.first)
        pair.lastSeen = max(pair.lastSeen, total.last)
        if pair.service.name == nil, let name = record.name(.destServiceName) {
            pair.service = (record.name(.destServiceNamespace), name)
        }
        let mine = (isDenied: isDenied, connections: total.amount.connections)
        if (mine.isDenied && !best.isDenied) || (mine.isDenied == best.isDenied && mine.connections >= best.connections)
        {
            best = mine
            pair.example = record
        }
    }

    /// The pair with the counts of both reporters: the larger total, and the connections that either end denied.
    var counted: FlowPair {
        var pair = pair
        let total = all.0.connections >= all.1.connections && all.0 != Amount() ? all.0 : all.1
        pair.denied = denied.0.adding(denied.1)
        pair.allowed = total.without(pair.denied)
        pair.pending = pending.0.differs >= pending.1.differs ? pending.0 : pending.1
        return pair
    }
}
