/// A hash table from 64-bit keys to 32-bit values, with open addressing and linear probing.
///
/// The key `UInt64.max` and the value `UInt32.max` are reserved.
struct IntegerMap: Sendable {
    private struct Slot: Sendable {
        var key: UInt64
        var value: UInt32
    }

    private var slots: [Slot]
    private var mask: Int
    private(set) var count = 0

    private static let free = UInt64.max

    init() {
        slots = Array(repeating: Slot(key: Self.free, value: 0), count: 4)
        mask = 3
    }

    /// The value of a key; nil if it has none.
    func value(_ key: UInt64) -> UInt32? {
        var index = Self.hash(key) & mask
        while true {
            let slot = slots[index]
            if slot.key == key { return slot.value }
            if slot.key == Self.free { return nil }
            index = (index + 1) & mask
        }
    }

    /// Inserts the value of a key that is not in the table.
    mutating func insert(_ key: UInt64, _ value: UInt32) {
        if count * 2 >= slots.count { grow() }
        place(Slot(key: key, value: value))
        count += 1
    }

    private mutating func place(_ slot: Slot) {
        var index = Self.hash(slot.key) & mask
        while slots[index].key != Self.free { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(key: Self.free, value: 0), count: old.count * 2)
        mask = slots.count - 1
        for slot in old where slot.key != Self.free { place(slot) }
    }

    private static func hash(_ key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: (product.high ^ product.low) >> 1)
    }
}
