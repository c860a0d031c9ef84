import FlowModel

/// Kept claims that expire, in the order of their deadlines.
struct ExpiryQueue: Sendable {
    /// A claim that is kept.
    struct Item: Sendable {
        /// The time when the claim expires, in monotonic ns.
        let deadline: Int64
        let address: IPAddress
        /// The sequence number of the claim.
        let sequence: UInt64
    }

    private var items: [Item] = []
    private var start = 0

    /// The number of pending items.
    var count: Int { items.count - start }

    /// The earliest deadline; nil if there are no items.
    var nextDeadline: Int64? {
        start < items.count ? items[start].deadline : nil
    }

    /// Adds an item; deadlines must not decrease.
    mutating func append(_ item: Item) {
        items.append(item)
    }

    /// Removes and returns the first item if its deadline has passed.
    mutating func popFirst(at now: Int64) -> Item? {
        guard start < items.count, items[start].deadline <= now else { return nil }
        defer {
            start += 1
            if start == items.count {
                items = []
                start = 0
            } else if start >= 1024, start * 2 >= items.count {
                items = Array(items[start...])
                start = 0
            }
        }
        return items[start]
    }
}
