/// A hash table with copy-on-write in small pieces: a copy shares all memory, and a change copies one piece.
///
/// Snapshots need this: the writer changes its table while readers keep theirs, and only changes cost time. Entries are
/// split by hash into shards (``TableShard``), and the outer array has one element for each shard. The number of shards
/// grows with the number of entries by factors of four, so growth costs O(entries) a few times in the life of a table and
/// little otherwise.
struct ShardedTable<Key: TableKey, Value: Sendable>: Sendable {
    typealias Shard = TableShard<Key, Value>

    /// The average number of entries in a shard above which the number of shards grows.
    private static var shardSize: Int { 128 }
    /// The most shards, which limits the cost of copying the outer array.
    private static var maximumShards: Int { 4096 }

    private var shards = [Shard()]
    private let seed = TableSeed.process
    /// The number of entries.
    private(set) var count = 0

    /// The value of a key; nil if there is none; O(1).
    ///
    /// A change of a shared table also copies one shard.
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

    /// Returns the result of a closure that borrows the value of a key, without a copy; nil if there is none.
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

    /// The stored instance of a key; nil if there is none.
    func stored(_ key: Key) -> Key? {
        let hash = key.hash(seed)
        let shard = Int(truncatingIfNeeded: hash) & (shards.count - 1)
        guard let position = shards[shard].position(of: key, hash: hash) else { return nil }
        return shards[shard].entries[position].key
    }

    /// Calls a closure for each entry, in no particular order.
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

    /// Distributes the entries to four times as many shards.
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
    /// The values of two keys; nil for a key without a value.
    ///
    /// Each value is usually a cache miss, and retaining it waits for the cache line and orders later loads. So both keys
    /// are looked up before either value is retained.
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
