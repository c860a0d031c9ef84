import FlowModel

/// Claims that are kept after their end, in the order in which that is over.
struct ExpiryQueue: Sendable {
    /// A claim that is kept.
    struct Item: Sendable {
        /// The time when it is over, monotonic ns.
        let deadline: Int64
        let address: IPAddress
        /// The claim's number.
        let sequence: UInt64
    }

    private var items: [Item] = []
    private var start = 0

    /// The number of items that wait.
    var count: Int { items.count - start }

    /// The time when the first is over; nil if there is none.
    var nextDeadline: Int64? {
        start < items.count ? items[start].deadline : nil
    }

    /// Adds a claim; deadlines must not decrease.
    mutating func append(_ item: Item) {
        items.append(item)
    }

    /// Takes the first claim out if it is over by now.
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
