import FlowModel

/// A value whose equal instances can share storage.
protocol Internable: TableKey {
    /// Whether the value has heap storage that is worth sharing.
    var isWorthSharing: Bool { get }
}

/// Stores equal values only once, and counts their users.
struct InternPool<Value: Internable>: Sendable {
    private var users = ShardedTable<Value, Int>()

    /// The number of values in use.
    var count: Int { users.count }

    /// Returns the shared instance of a value and adds one user; ``release(_:)`` removes it.
    mutating func acquire(_ value: Value) -> Value {
        guard value.isWorthSharing else { return value }
        guard let shared = users.stored(value) else {
            users[value] = 1
            return value
        }
        users[shared] = (users[shared] ?? 0) + 1
        return shared
    }

    /// Removes one user of a value.
    mutating func release(_ value: Value) {
        guard value.isWorthSharing, let count = users[value] else { return }
        users[value] = count > 1 ? count - 1 : nil
    }
}

extension String: Internable {
    /// A String stores up to 15 bytes inline.
    var isWorthSharing: Bool { utf8.count > 15 }
}

extension Array: TableKey, Internable where Element == NamedPort {
    func hash(_ seed: TableSeed) -> UInt64 {
        UInt64(bitPattern: Int64(hashValue))
    }

    var isWorthSharing: Bool { !isEmpty }
}
