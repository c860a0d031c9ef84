import Glibc

/// How often the process has asked for memory, where it is preloaded what counts that (`scripts/allocations`).
enum AllocationCount {
    private typealias Counter = @convention(c) () -> UInt64

    private static let counter: Counter? = {
        // No handle: whatever is loaded.
        guard let symbol = dlsym(nil, "weir_allocation_count") else { return nil }
        return unsafeBitCast(symbol, to: Counter.self)
    }()

    /// Calls of `malloc(3)` and its kin so far; nil where nobody counts them.
    static var now: UInt64? { counter.map { $0() } }
}
