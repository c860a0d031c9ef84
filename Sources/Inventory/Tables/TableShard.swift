/// A piece of a ``ShardedTable``: entries without gaps, and an index that finds them by hash.
///
/// The index is open addressing with linear probing over words of 4 bytes, at most two thirds full: 12 bits of the hash, so that
/// a probe reads an entry only when it is very likely the right one, and 20 bits of position. A key that is not there
/// mostly costs one cache line.
struct TableShard<Key: TableKey, Value: Sendable>: Sendable {
    struct Entry: Sendable {
        let key: Key
        var value: Value
    }

    private static var vacant: UInt32 { .max }
    private static var positionMask: UInt32 { 0xf_ffff }

    private var index: [UInt32] = []
    /// The length of the index, here because reading it there would cost a cache line for each lookup.
    private var slots: UInt32 = 0
    /// The entries, in no order.
    var entries: [Entry] = []

    /// Returns the position of a key's entry; nil if there is none.
    @inline(__always)
    func position(of key: Key, hash: UInt64) -> Int? {
        guard slots > 0 else { return nil }
        var slot = home(of: hash)
        let tag = Self.tag(hash)
        // Without checks of bounds, for the same reason: slots are below the length, positions below the count.
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

    /// Adds an entry whose key has none.
    mutating func insert(_ key: Key, _ value: Value, hash: UInt64, seed: TableSeed) {
        precondition(entries.count < Self.positionMask, "a shard of entries that fit into memory")
        // Always asked for: left to itself, an array that is shared takes twice the room when it is appended to.
        let spare = entries.count == entries.capacity ? max(2, entries.count / 16) : 1
        entries.reserveCapacity(entries.count + spare)
        entries.append(Entry(key: key, value: value))
        if entries.count * 3 > index.count * 2 {
            rebuildIndex(seed)
        } else {
            place(entries.count - 1, hash: hash)
        }
    }

    /// Takes an entry out; the last one moves to its place.
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

    /// Empties a slot; words behind it move towards their homes, so that there are no tombstones.
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

    /// Gives memory back when most of it is unused.
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
