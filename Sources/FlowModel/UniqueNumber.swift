import Synchronization

/// Assigns the numbers that identify shared values (``Endpoint/id``, ``LabelSet/id``, ``ServicePort/id``).
///
/// Caches store values by number, so no number is assigned twice; 64 bits are enough for that.
struct UniqueNumber: ~Copyable, Sendable {
    private static let shared = UniqueNumber()

    private let last: Atomic<UInt64>

    /// Starts after a number.
    init(after last: UInt64 = 0) {
        self.last = Atomic(last)
    }

    /// Returns a number larger than all that this source has assigned; may be called from any thread.
    borrowing func take() -> UInt64 {
        last.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Returns a number that this process has not assigned before.
    static func next() -> UInt64 { shared.take() }
}
