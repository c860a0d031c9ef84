import Synchronization

/// Hands out the numbers that distinguish shared values (``Endpoint/id``, ``LabelSet/id``, ``ServicePort/id``).
///
/// 64 bits never run out: caches keep values by number, so none may ever come twice.
struct UniqueNumber: ~Copyable, Sendable {
    private static let shared = UniqueNumber()

    private let last: Atomic<UInt64>

    /// Begins behind a number.
    init(after last: UInt64 = 0) {
        self.last = Atomic(last)
    }

    /// A number that this source did not give before, larger than all of them; from any thread.
    borrowing func take() -> UInt64 {
        last.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// A number that this process has not handed out before.
    static func next() -> UInt64 { shared.take() }
}
