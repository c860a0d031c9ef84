import Synchronization

/// Assigns the numbers that distinguish shared values (``Endpoint/id``, ``LabelSet/id``, ``ServicePort/id``).
///
/// 64 bits never run out: caches keep values by number, so no number may be assigned twice.
struct UniqueNumber: ~Copyable, Sendable {
    private static let shared = UniqueNumber()

    private let last: Atomic<UInt64>

    /// Begins behind a number.
    init(after last: UInt64 = 0) {
        self.last = Atomic(last)
    }

    /// Returns a number that this source did not assign before, larger than all of them; from any thread.
    borrowing func take() -> UInt64 {
        last.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Returns a number that this process has not assigned before.
    static func next() -> UInt64 { shared.take() }
}
