import Synchronization

/// Hands out the numbers that tell shared values apart (``Endpoint/id``, ``LabelSet/id``, ``ServicePort/id``).
enum UniqueNumber {
    private static let last = Atomic<UInt32>(0)

    /// A number that nobody in this process got before; from any thread.
    static func next() -> UInt32 {
        last.add(1, ordering: .relaxed).newValue
    }
}
