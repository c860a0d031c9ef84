/// A piece of a ``ShardedTable``: a dense array of entries, and an index that finds them by hash.
///
/// The index uses open addressing with linear probing over 4-byte words and is at most two thirds full. A word has 12
/// bits of the hash, so that a probe rarely reads a wrong entry, and 20 bits of the position. A lookup of a missing key
/// usually costs one cache line.
struct TableShard<Key: TableKey, Value: Sendable>: Sendable {
    struct Entry: Sendable {
        let key: Key
        var value: Value
    }

    private static var vacant: UInt32 { .max }
    private static var positionMask: UInt32 { 0xf_ffff }

    private var index: [UInt32] = []
    /// The length of the index, stored here because reading it from the array would cost a cache line for each lookup.
    private var slots: UInt32 = 0
    /// The entries, in no particular order.
    var entries: [Entry] = []

    /// Returns the position of a key's entry; nil if there is none.
    @inline(__always)
    func position(of key: Key, hash: UInt64) -> Int? {
        guard slots > 0 else { return nil }
        var slot = home(of: hash)
        let tag = Self.tag(hash)
        // Without bounds checks for the same reason: slots are less than the length, positions less than the count.
        return index.withUnsafeBufferPointer { index in
            entries.withUnsafeBufferPointer { entries in
                while true {
                    let word = index[slot]
                    if word == Self.vacant { return nil }
                    if word & ~Self.positionMask == tag {
                        let position = Int(word & Self.positionMask)
                        if entries[position].key == key { return position }
                    }
                    slot = successor(of: slot)
                }
            }
        }
    }

    /// Adds an entry; the key must not have one yet.
    mutating func insert(_ key: Key, _ value: Value, hash: UInt64, seed: TableSeed) {
        precondition(entries.count < Self.positionMask, "a shard of entries that fit into memory")
        // Reserve explicitly: appending to a shared array would double its capacity.
        let spare = entries.count == entries.capacity ? max(2, entries.count / 16) : 1
        entries.reserveCapacity(entries.count + spare)
        entries.append(Entry(key: key, value: value))
        if entries.count * 3 > index.count * 2 {
            rebuildIndex(seed)
        } else {
            place(entries.count - 1, hash: hash)
        }
    }

    /// Removes an entry; the last entry moves to its position.
    mutating func remove(at position: Int, hash: UInt64, seed: TableSeed) {
        vacate(slot(of: position, hash: hash), seed)
        let last = entries.count - 1
        if position != last {
            let moved = entries[last].key.hash(seed)
            index[slot(of: last, hash: moved)] = Self.tag(moved) | UInt32(position)
            entries.swapAt(position, last)
        }
        entries.removeLast()
        shrink(seed)
    }

    // MARK: Index

    private static func tag(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: hash >> 12) << 20
    }

    private func home(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: ((hash >> 32) * UInt64(slots)) >> 32)
    }

    private func successor(of slot: Int) -> Int {
        slot + 1 == Int(slots) ? 0 : slot + 1
    }

    private func distance(from start: Int, to end: Int) -> Int {
        end >= start ? end - start : end - start + index.count
    }

    private mutating func place(_ position: Int, hash: UInt64) {
        var slot = home(of: hash)
        while index[slot] != Self.vacant { slot = successor(of: slot) }
        index[slot] = Self.tag(hash) | UInt32(position)
    }

    private func slot(of position: Int, hash: UInt64) -> Int {
        let word = Self.tag(hash) | UInt32(position)
        var slot = home(of: hash)
        while index[slot] != word { slot = successor(of: slot) }
        return slot
    }

    /// Empties a slot; later words move towards their home slots, so that no tombstones are needed.
    private mutating func vacate(_ slot: Int, _ seed: TableSeed) {
        var hole = slot
        var candidate = successor(of: hole)
        while index[candidate] != Self.vacant {
            let home = home(of: entries[Int(index[candidate] & Self.positionMask)].key.hash(seed))
            if distance(from: home, to: candidate) >= distance(from: hole, to: candidate) {
                index[hole] = index[candidate]
                hole = candidate
            }
            candidate = successor(of: candidate)
        }
        index[hole] = Self.vacant
    }

    private mutating func rebuildIndex(_ seed: TableSeed) {
        slots = entries.isEmpty ? 0 : UInt32(max(8, entries.count * 2))
        index = Array(repeating: Self.vacant, count: Int(slots))
        for position in entries.indices { place(position, hash: entries[position].key.hash(seed)) }
    }

    /// Releases memory if most of it is unused.
    private mutating func shrink(_ seed: TableSeed) {
        if entries.capacity > max(8, entries.count * 4) {
            var fresh: [Entry] = []
            fresh.reserveCapacity(entries.count)
            fresh.append(contentsOf: entries)
            entries = fresh
        }
        if index.count > max(8, entries.count * 8) || entries.isEmpty { rebuildIndex(seed) }
    }
}
