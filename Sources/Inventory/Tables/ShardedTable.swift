/// A hash table that is copied in pieces: a copy shares all memory with its original, and a change copies one small piece.
///
/// That is what snapshots need: the writer goes on changing its table while readers keep theirs, at the cost of what
/// changes. Entries are split by hash into shards of some dozens (``TableShard``); the outer array has one element for
/// each. The number of shards follows the number of entries in steps of four, so growth is O(entries) at five points of
/// a table's life and small otherwise.
struct ShardedTable<Key: TableKey, Value: Sendable>: Sendable {
    typealias Shard = TableShard<Key, Value>

    /// The most entries that a shard has on average before there are more shards.
    private static var shardSize: Int { 128 }
    /// The most shards, which bounds what the outer array of a copy costs.
    private static var maximumShards: Int { 4096 }

    private var shards = [Shard()]
    private let seed = TableSeed.process
    /// The number of entries.
    private(set) var count = 0

    /// The value of a key, nil if it has none; O(1), and the cost of copying a shard for a change of a shared table.
    subscript(key: Key) -> Value? {
        get { read(key) { $0 } }
        set {
            if let newValue {
                update(key, newValue)
            } else {
                remove(key)
            }
        }
    }

    /// Returns what a closure reads of the value of a key, nil if it has none; copies nothing else of the value.
    @inline(__always)
    func read<Result>(_ key: Key, _ body: (borrowing Value) -> Result) -> Result? {
        let hash = key.hash(seed)
        let shard = Int(truncatingIfNeeded: hash) & (shards.count - 1)
        guard let position = shards[shard].position(of: key, hash: hash) else { return nil }
        return shards[shard].entries.withUnsafeBufferPointer { body($0[position].value) }
    }

    /// Whether a key has a value.
    @inline(__always)
    func contains(_ key: Key) -> Bool {
        let hash = key.hash(seed)
        return shards[Int(truncatingIfNeeded: hash) & (shards.count - 1)].position(of: key, hash: hash) != nil
    }

    /// The instance of a key that the table keeps, nil if it has none.
    func stored(_ key: Key) -> Key? {
        let hash = key.hash(seed)
        let shard = Int(truncatingIfNeeded: hash) & (shards.count - 1)
        guard let position = shards[shard].position(of: key, hash: hash) else { return nil }
        return shards[shard].entries[position].key
    }

    /// Calls for each entry, in no order.
    func forEach(_ body: (Key, Value) -> Void) {
        for shard in shards {
            for entry in shard.entries { body(entry.key, entry.value) }
        }
    }

    private mutating func update(_ key: Key, _ value: Value) {
        let hash = key.hash(seed)
        let shard = Int(truncatingIfNeeded: hash) & (shards.count - 1)
        if let position = shards[shard].position(of: key, hash: hash) {
            shards[shard].entries[position].value = value
            return
        }
        shards[shard].insert(key, value, hash: hash, seed: seed)
        count += 1
        if count > shards.count * Self.shardSize, shards.count < Self.maximumShards { spread() }
    }

    private mutating func remove(_ key: Key) {
        let hash = key.hash(seed)
        let shard = Int(truncatingIfNeeded: hash) & (shards.count - 1)
        guard let position = shards[shard].position(of: key, hash: hash) else { return }
        shards[shard].remove(at: position, hash: hash, seed: seed)
        count -= 1
    }

    /// Deals the entries out to four times as many shards.
    private mutating func spread() {
        let old = shards
        shards = Array(repeating: Shard(), count: old.count * 4)
        for shard in old {
            for entry in shard.entries {
                let hash = entry.key.hash(seed)
                shards[Int(truncatingIfNeeded: hash) & (shards.count - 1)]
                    .insert(entry.key, entry.value, hash: hash, seed: seed)
            }
        }
    }
}

extension ShardedTable where Value: AnyObject {
    /// The values of two keys, nil for one that has none.
    ///
    /// Each value is mostly a cache miss, and counting a reference to it waits for that and lets nothing overtake it. So
    /// both are looked up before a reference is counted.
    @inline(__always)
    func read(_ left: Key, _ right: Key) -> (Value?, Value?) {
        let found = (unretained(left), unretained(right))
        return (found.0?.takeUnretainedValue(), found.1?.takeUnretainedValue())
    }

    @inline(__always)
    private func unretained(_ key: Key) -> Unmanaged<Value>? {
        read(key) { Unmanaged.passUnretained($0) }
    }
}
