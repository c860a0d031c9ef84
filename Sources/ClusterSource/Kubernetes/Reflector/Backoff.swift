/// Draws the pauses between attempts: each twice as long as the one before, shortened by chance by up to a half.
///
/// So the agents of a cluster do not all come back at once.
struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var random: SplitMix64

    /// Takes the first and the longest pause; the seed makes the chance.
    init(first: Duration, longest: Duration, seed: UInt64) {
        self.first = first
        self.longest = longest
        random = SplitMix64(seed: seed)
    }

    /// The pause after some failed attempts in a row, counted from 0.
    mutating func pause(after attempts: Int) -> Duration {
        let doubled = first * (1 << min(max(attempts, 0), 30))
        return shortened(min(doubled, longest))
    }

    /// A time, shortened by up to a half.
    mutating func shortened(_ time: Duration) -> Duration {
        time * Double.random(in: 0.5...1, using: &random)
    }

    /// A time up to another one.
    mutating func upTo(_ time: Duration) -> Duration {
        time * Double.random(in: 0...1, using: &random)
    }

    /// A time, lengthened by up to a half.
    mutating func lengthened(_ time: Duration) -> Duration {
        time * Double.random(in: 1...1.5, using: &random)
    }

    /// A number of a range.
    mutating func number(in range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &random)
    }
}

/// A small random number generator (Steele, Lea, Flood, 2014) that tests can seed.
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Takes the seed.
    init(seed: UInt64) {
        state = seed
    }

    /// The next number.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
