/// Finds numbers by hash; the owner of the index stores the values behind the numbers, and compares them.
///
/// Open addressing with linear probing. A slot is 8 bytes and contains hash and number, so that probes, growth and removals do
/// not read the values. Several numbers may share a hash, or even stand for equal keys. Slots are filled to 13/16 and grow by a
/// quarter. The home slot is the hash scaled to the number of slots, which therefore does not have to be a power of two. A
/// removal moves later entries towards their home slots, so there are no tombstones.
///
/// Hashes must come from ``hash(of:)``, because keys contain addresses and ports that remote hosts choose.
struct HashIndex {
    private struct Slot {
        var hash: UInt32
        var number: UInt32
    }

    /// The number in a slot without an entry; no valid number is as large.
    private static let vacant = UInt32.max

    private var slots: [Slot] = []
    /// The number of entries.
    private(set) var count = 0

    /// The hash of a key: SipHash with the seed of this process (`Hasher`).
    static func hash(of key: some Hashable) -> UInt32 {
        UInt32(truncatingIfNeeded: key.hashValue)
    }

    /// Returns a number with this hash that satisfies a predicate; nil if there is none.
    ///
    /// - Parameters:
    ///   - hash: the hash with which the number was inserted.
    ///   - isRight: called only with numbers with this hash.
    /// - Returns: the first number for which `isRight` returns true.
    func first(_ hash: UInt32, where isRight: (UInt32) -> Bool) -> UInt32? {
        guard !slots.isEmpty else { return nil }
        var position = home(of: hash)
        while slots[position].number != Self.vacant {
            let slot = slots[position]
            if slot.hash == hash, isRight(slot.number) { return slot.number }
            position = successor(of: position)
        }
        return nil
    }

    /// Adds an entry.
    mutating func insert(_ number: UInt32, hash: UInt32) {
        if (count + 1) * 16 > slots.count * 13 { grow() }
        place(Slot(hash: hash, number: number))
        count += 1
    }

    /// Removes an entry that was inserted with the same hash.
    mutating func remove(_ number: UInt32, hash: UInt32) {
        precondition(count > 0, "an entry that was inserted")
        var hole = home(of: hash)
        while slots[hole].number != number {
            precondition(slots[hole].number != Self.vacant, "an entry that was inserted")
            hole = successor(of: hole)
        }
        var candidate = successor(of: hole)
        while slots[candidate].number != Self.vacant {
            // An entry may fill the hole unless the hole is before its home slot.
            let displacement = distance(from: home(of: slots[candidate].hash), to: candidate)
            if displacement >= distance(from: hole, to: candidate) {
                slots[hole] = slots[candidate]
                hole = candidate
            }
            candidate = successor(of: candidate)
        }
        slots[hole].number = Self.vacant
        count -= 1
    }
}

// MARK: - Slots

extension HashIndex {
    /// The longest run of occupied slots, which bounds the cost of a probe; O(slots).
    var longestRun: Int {
        var longest = 0
        var run = 0
        for slot in slots {
            run = slot.number == Self.vacant ? 0 : run + 1
            longest = max(longest, run)
        }
        return longest
    }

    private func home(of hash: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(hash) * UInt64(slots.count)) >> 32)
    }

    private func successor(of position: Int) -> Int {
        position + 1 == slots.count ? 0 : position + 1
    }

    private func distance(from start: Int, to end: Int) -> Int {
        end >= start ? end - start : end - start + slots.count
    }

    private mutating func place(_ slot: Slot) {
        var position = home(of: slot.hash)
        while slots[position].number != Self.vacant { position = successor(of: position) }
        slots[position] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(hash: 0, number: Self.vacant), count: max(16, old.count + old.count / 4))
        for slot in old where slot.number != Self.vacant { place(slot) }
    }
}
