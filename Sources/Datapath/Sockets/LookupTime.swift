/// The time that lookups of processes may take: a fiftieth of all time, beside a first second.
struct LookupTime {
    private static let most: Int64 = 1_000_000_000
    private static let part: UInt64 = 50

    /// The time that is left, ns; negative after a lookup that took longer.
    private var left = most
    /// CLOCK_MONOTONIC of the last lookup, ns.
    private var lastTime = Datapath.monotonicNow

    /// Runs a lookup.
    ///
    /// - Returns: its result; nil if no time is left.
    mutating func run<Value>(_ lookup: () -> Value?) -> Value? {
        let start = Datapath.monotonicNow
        left = min(Self.most, left + Int64((start - lastTime) / Self.part))
        lastTime = start
        guard left > 0 else { return nil }
        defer { left -= Int64(Datapath.monotonicNow - start) }
        return lookup()
    }
}
