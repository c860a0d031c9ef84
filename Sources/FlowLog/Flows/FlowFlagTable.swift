import FlowModel

/// TCP flags by a small and dense number: one byte each.
struct FlowFlagTable {
    private var flags: [TCPFlags] = []

    /// The flags with a number; empty if none were set.
    subscript(number: UInt32) -> TCPFlags {
        get { Int(number) < flags.count ? flags[Int(number)] : [] }
        set {
            guard Int(number) >= flags.count else { return flags[Int(number)] = newValue }
            guard !newValue.isEmpty else { return }
            flags.append(contentsOf: repeatElement([], count: Int(number) - flags.count))
            flags.append(newValue)
        }
    }

    /// Renumbers the entries.
    ///
    /// - Parameter numbers: the new numbers, by old number; `UInt32.max` for removed entries.
    mutating func move(_ numbers: [UInt32]) {
        var moved = FlowFlagTable()
        for (old, new) in numbers.enumerated() where new != .max { moved[new] = self[UInt32(old)] }
        self = moved
    }
}
