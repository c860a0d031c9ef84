import FlowModel

/// A value that shares its memory with equal values.
protocol Internable: TableKey {
    /// Whether it has memory of its own that could be shared.
    var isWorthSharing: Bool { get }
}

/// Keeps equal values once, as long as they are used.
struct InternPool<Value: Internable>: Sendable {
    private var users = ShardedTable<Value, Int>()

    /// The number of values in use.
    var count: Int { users.count }

    /// The shared instance of a value, in use by the caller until ``release(_:)``.
    mutating func acquire(_ value: Value) -> Value {
        guard value.isWorthSharing else { return value }
        guard let shared = users.stored(value) else {
            users[value] = 1
            return value
        }
        users[shared] = (users[shared] ?? 0) + 1
        return shared
    }

    /// Ends one use of a value.
    mutating func release(_ value: Value) {
        guard value.isWorthSharing, let count = users[value] else { return }
        users[value] = count > 1 ? count - 1 : nil
    }
}

extension String: Internable {
    /// A text of 15 bytes lies in the String itself.
    var isWorthSharing: Bool { utf8.count > 15 }
}

extension Array: TableKey, Internable where Element == NamedPort {
    func hash(_ seed: TableSeed) -> UInt64 {
        UInt64(bitPattern: Int64(hashValue))
    }

    var isWorthSharing: Bool { !isEmpty }
}
