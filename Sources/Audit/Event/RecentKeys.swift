/// The keys of the last so many, in a ring.
package struct RecentKeys<Key: Sendable>: Sendable {
    private var keys: [Key] = []
    private var next = 0
    private let limit: Int

    /// Has no keys.
    ///
    /// - Parameter limit: how many are kept.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Adds a key and returns the one whose place it takes.
    package mutating func append(_ key: Key) -> Key? {
        guard keys.count == limit else {
            keys.append(key)
            return nil
        }
        defer { next = (next + 1) % limit }
        let oldest = keys[next]
        keys[next] = key
        return oldest
    }
}
