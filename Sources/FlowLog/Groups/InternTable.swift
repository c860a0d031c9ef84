/// Stores each key once, under a small number, as long as it is used.
struct InternTable<Key: Hashable> {
    private var keys = Slab<Key>()
    private var users: [UInt32] = []
    private var index = HashIndex()

    /// The number of keys in use.
    var count: Int { keys.count }

    /// Every identifier in use is below this.
    var limit: UInt32 { keys.limit }

    /// Whether a number below ``limit`` is in use.
    func isInUse(_ number: UInt32) -> Bool {
        users[Int(number)] > 0
    }

    /// The key under a number in use.
    subscript(number: UInt32) -> Key {
        keys[number]
    }

    /// Returns the number of a key; nil if the key is not in use.
    func number(of key: Key) -> UInt32? {
        index.first(HashIndex.hash(of: key)) { keys[$0] == key }
    }

    /// Returns the number of a key, which the caller uses until ``release(_:)``.
    ///
    /// - Returns: the number, and whether the key was not in use before.
    mutating func acquire(_ key: Key) -> (number: UInt32, isNew: Bool) {
        let hash = HashIndex.hash(of: key)
        if let number = index.first(hash, where: { keys[$0] == key }) {
            users[Int(number)] += 1
            return (number, false)
        }
        let number = keys.insert(key)
        if Int(number) == users.count { users.append(0) }
        users[Int(number)] = 1
        index.insert(number, hash: hash)
        return (number, true)
    }

    /// Whether most of the memory belongs to keys that are not in use.
    var isSparse: Bool { keys.isSparse }

    /// Frees unused memory.
    ///
    /// - Returns: the new numbers, by former number, as ``Slab/compact()``.
    mutating func compact() -> [UInt32] {
        let moved = keys.compact()
        users = moved.indices.filter { moved[$0] != .max }.map { users[$0] }
        index = HashIndex()
        for number in 0..<keys.limit { index.insert(number, hash: HashIndex.hash(of: keys[number])) }
        return moved
    }

    /// Adds a use of a number in use.
    mutating func retain(_ number: UInt32) {
        users[Int(number)] += 1
    }

    /// Ends one use of a number.
    ///
    /// - Returns: whether it was the last use; the number is then free.
    @discardableResult
    mutating func release(_ number: UInt32) -> Bool {
        users[Int(number)] -= 1
        guard users[Int(number)] == 0 else { return false }
        index.remove(number, hash: HashIndex.hash(of: keys[number]))
        keys.remove(number)
        return true
    }
}
