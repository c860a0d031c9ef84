/// The allowed and denied amounts of each point of a series, with each connection of a point counted once.
///
/// A scan visits the points in order, so only the amounts of one point are kept for each flow key.
struct SeriesSums {
    /// The points that are summed.
    private(set) var points: [Int64: (allowed: Amount, denied: Amount)] = [:]
    /// The time of the point that amounts are added to; nil at the beginning and at the end.
    private(set) var time: Int64?
    /// The amounts of the point by the index of the key's total, and the indices of those that are not zero.
    private var amounts: [Amount] = []
    private var used: [Int] = []

    /// Adds an amount to the point.
    mutating func add(_ amount: Amount, _ total: Int) {
        while amounts.count <= total { amounts.append(Amount()) }
        if amounts[total] == Amount() { used.append(total) }
        amounts[total] += amount
    }

    /// Sums the pairs of the point, and begins another one.
    ///
    /// Pairs with equal hashes, which are very rare, count as one.
    mutating func begin(_ next: Int64?, _ totals: [KeyTotals.Total]) {
        used.sort { totals[$0].pair < totals[$1].pair }
        var (first, views) = (used.first, PairAmounts())
        for total in used {
            if let start = first, totals[start].pair != totals[total].pair {
                add(views)
                (first, views) = (total, PairAmounts())
            }
            views.add(amounts[total], totals[total].view)
            amounts[total] = Amount()
        }
        if first != nil { add(views) }
        used.removeAll(keepingCapacity: true)
        time = next
    }

    private mutating func add(_ views: PairAmounts) {
        guard let time else { return }
        let counted = views.counted
        points[time, default: (Amount(), Amount())].allowed += counted.allowed
        points[time, default: (Amount(), Amount())].denied += counted.denied
    }
}
