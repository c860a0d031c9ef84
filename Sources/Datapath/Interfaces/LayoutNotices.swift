/// The interfaces that were reported as left out, or as counted twice, so that each is reported once.
struct LayoutNotices {
    private var leftOut: Set<UInt32> = []
    private var pairs: Set<StackedPair> = []

    /// Returns notices that were not sent yet, in the order of the interfaces' indices.
    mutating func new(in layout: InterfaceLayout, links: [UInt32: Link]) -> [Datapath.Notice] {
        var notices: [Datapath.Notice] = []
        for (index, reason) in layout.leftOut.sorted(by: { $0.key < $1.key }) {
            guard let link = links[index], leftOut.insert(index).inserted else { continue }
            notices.append(.leftOut(name: link.name, because: reason))
        }
        for pair in layout.countedTwice.sorted(by: { ($0.upper, $0.lower) < ($1.upper, $1.lower) }) {
            guard let upper = links[pair.upper], let lower = links[pair.lower], pairs.insert(pair).inserted else {
                continue
            }
            notices.append(.countedTwice(upper: upper.name, lower: lower.name))
        }
        return notices
    }

    /// Forgets interfaces that are gone: the next one with their index is another one.
    mutating func forget(_ gone: Set<UInt32>) {
        leftOut.subtract(gone)
        pairs = pairs.filter { !gone.contains($0.upper) && !gone.contains($0.lower) }
    }
}
