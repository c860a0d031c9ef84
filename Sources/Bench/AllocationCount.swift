import Glibc

/// The number of allocations of the process, if a counter is preloaded (`scripts/allocations`).
enum AllocationCount {
    private typealias Counter = @convention(c) () -> UInt64

    private static let counter: Counter? = {
        // No handle: search all loaded objects.
        guard let symbol = dlsym(nil, "weir_allocation_count") else { return nil }
        return unsafeBitCast(symbol, to: Counter.self)
    }()

    /// Calls of `malloc(3)` and related functions so far; nil without a counter.
    static var now: UInt64? { counter.map { $0() } }
}
