import Synchronization

/// Hands out the numbers that tell endpoints apart (``FlowModel/Endpoint/id``).
enum EndpointNumber {
    private static let last = Atomic<UInt32>(0)

    /// A number that nobody in this process got before; from any thread.
    static func next() -> UInt32 {
        last.add(1, ordering: .relaxed).newValue
    }
}
