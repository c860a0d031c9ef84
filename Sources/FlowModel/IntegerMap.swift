/// A hash table from 64-bit keys to 32-bit values, with open addressing and linear probing.
///
/// Only for keys that remote hosts cannot choose: the hash has no seed. The key `UInt64.max` is reserved.
public struct IntegerMap: Sendable {
    @usableFromInline
    struct Slot: Sendable {
        @usableFromInline
        var key: UInt64
        @usableFromInline
        var value: UInt32

        @usableFromInline
        init(key: UInt64, value: UInt32) {
            (self.key, self.value) = (key, value)
        }
    }

    @usableFromInline
    var slots: [Slot]
    @usableFromInline
    var mask: Int
    /// The number of keys.
    public private(set) var count = 0

    /// Creates a table without keys.
    public init() {
        slots = Array(repeating: Slot(key: .max, value: 0), count: 4)
        mask = 3
    }

    /// Returns the value of a key; nil if there is none.
    @inlinable
    public func value(_ key: UInt64) -> UInt32? {
        var index = Self.hash(key) & mask
        while true {
            let slot = slots[index]
            if slot.key == key { return slot.value }
            if slot.key == .max { return nil }
            index = (index + 1) & mask
        }
    }

    /// Inserts the value of a key that the table does not contain.
    public mutating func insert(_ key: UInt64, _ value: UInt32) {
        if count * 2 >= slots.count { grow() }
        place(Slot(key: key, value: value))
        count += 1
    }

    /// Removes all keys, and keeps the memory.
    public mutating func removeAll() {
        guard count > 0 else { return }
        for index in slots.indices { slots[index].key = .max }
        count = 0
    }

    private mutating func place(_ slot: Slot) {
        var index = Self.hash(slot.key) & mask
        while slots[index].key != .max { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(key: .max, value: 0), count: old.count * 2)
        mask = slots.count - 1
        for slot in old where slot.key != .max { place(slot) }
    }

    @inlinable
    static func hash(_ key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: (product.high ^ product.low) >> 1)
    }
}
