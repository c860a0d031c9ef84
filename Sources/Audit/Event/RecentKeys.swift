/// The most recent keys, up to a limit, in a ring.
package struct RecentKeys<Key: Sendable>: Sendable {
    private var keys: [Key] = []
    private var next = 0
    private let limit: Int

    /// Creates an empty ring.
    ///
    /// - Parameter limit: the maximum number of keys.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Adds a key, and returns the key that it replaces.
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
