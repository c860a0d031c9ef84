import CWeir

/// The devices on top of watched interfaces, in memory shared with the program that counts drops.
///
/// `@safe`: positions are those of ``InterfaceTable``; the map lives as long as the table.
@safe
struct UpperTable: ~Copyable {
    private let entries: MappedMap<weir_upper>

    init(entries: consuming MappedMap<weir_upper>) {
        self.entries = entries
    }

    /// Sets the interfaces below the device at a position; of more than `WEIR_MAX_LOWERS`, the first ones.
    ///
    /// - Parameters:
    ///   - position: the position of the device in the interface table.
    ///   - lowers: the positions of the interfaces that are counted below it.
    ///   - isComplete: whether nothing else is below it.
    func describe(position: Int, lowers: [Int], isComplete: Bool) {
        var entry = weir_upper()
        let listed = lowers.prefix(Int(WEIR_MAX_LOWERS))
        entry.lowers = UInt32(listed.count)
        entry.is_complete = isComplete ? 1 : 0
        unsafe withUnsafeMutableBytes(of: &entry.lower) { bytes in
            let places = unsafe bytes.bindMemory(to: UInt16.self)
            for (index, lower) in listed.enumerated() { unsafe places[index] = UInt16(lower) }
        }
        unsafe entries[position].pointee = entry
    }

    /// The positions below the device at a position, as ``describe(position:lowers:isComplete:)`` has set them.
    func lowers(of position: Int) -> [Int] {
        let entry = unsafe entries[position].pointee
        let count = min(Int(entry.lowers), Int(WEIR_MAX_LOWERS))
        return unsafe withUnsafeBytes(of: entry.lower) { bytes in
            unsafe bytes.bindMemory(to: UInt16.self).prefix(count).map { Int($0) }
        }
    }
}
