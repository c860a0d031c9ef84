import FlowModel

/// Flags of TCP by a small and dense number: a byte each.
struct FlowFlagTable {
    private var flags: [TCPFlags] = []

    /// The flags under a number; empty if none were set.
    subscript(number: UInt32) -> TCPFlags {
        get { Int(number) < flags.count ? flags[Int(number)] : [] }
        set {
            guard Int(number) >= flags.count else { return flags[Int(number)] = newValue }
            guard !newValue.isEmpty else { return }
            flags.append(contentsOf: repeatElement([], count: Int(number) - flags.count))
            flags.append(newValue)
        }
    }

    /// Renumbers them.
    ///
    /// - Parameter numbers: the new numbers by the old ones; `UInt32.max` for removed ones.
    mutating func move(_ numbers: [UInt32]) {
        var moved = FlowFlagTable()
        for (old, new) in numbers.enumerated() where new != .max { moved[new] = self[UInt32(old)] }
        self = moved
    }
}
