import Glibc

/// A table in memory that numbers byte keys: open addressing; the bytes of all keys are stored in one array.
package struct ByteTable {
    private var slots: [Int32]
    private var hashes: [UInt64] = []
    private var starts: [Int] = [0]
    private var arena: [UInt8] = []
    private let seed = UInt64.random(in: .min ... .max) | 1

    /// Makes an empty table.
    package init() {
        slots = [Int32](repeating: -1, count: 4096)
    }

    /// The number of keys; keys are numbered from 0.
    var count: Int { hashes.count }

    /// The total number of bytes of all keys.
    package var byteCount: Int { arena.count }

    /// The bytes of a key.
    func bytes(of number: Int) -> [UInt8] { Array(arena[starts[number]..<starts[number + 1]]) }

    /// Returns the number of a key, and whether the key is new; nil for a new key beyond the limit.
    package mutating func number(of key: [UInt8], limit: Int = .max) -> (number: Int, isNew: Bool)? {
        let hash = hash(key)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if hashes[number] == hash, isEqual(number, key) { return (number, false) }
            slot = (slot + 1) & (slots.count - 1)
        }
        guard hashes.count < limit else { return nil }
        let number = hashes.count
        hashes.append(hash)
        arena.append(contentsOf: key)
        starts.append(arena.count)
        slots[slot] = Int32(number)
        if hashes.count * 2 > slots.count { grow() }
        return (number, true)
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (number, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(number)
        }
    }

    private func isEqual(_ number: Int, _ key: [UInt8]) -> Bool {
        let start = starts[number]
        guard starts[number + 1] - start == key.count else { return false }
        return arena.withUnsafeBytes { all in
            key.withUnsafeBytes { one in
                guard let known = all.baseAddress, let asked = one.baseAddress else { return true }
                return memcmp(known + start, asked, one.count) == 0
            }
        }
    }

    /// The seed prevents deliberate collisions.
    private func hash(_ key: [UInt8]) -> UInt64 { key.withUnsafeBytes { ByteHash.of($0, seed: seed) } }
}
