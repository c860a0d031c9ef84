/// SplitMix64: the same numbers for the same seed, everywhere.
struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// A number below a bound.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Returns true with a probability of 1 in `times`.
    mutating func once(in times: Int) -> Bool { below(times) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// Makes a random number of elements within bounds.
    mutating func some<Element>(
        _ counts: ClosedRange<Int>,
        _ make: (inout RandomNumbers) -> Element
    ) -> [Element] {
        (0..<(counts.lowerBound + below(counts.count))).map { _ in make(&self) }
    }
}
