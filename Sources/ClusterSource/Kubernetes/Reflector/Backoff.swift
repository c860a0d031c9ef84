/// Computes the pauses between attempts: each is twice as long as the one before, less a random part of up to a half.
///
/// The random part keeps the agents of a cluster from reconnecting all at once.
struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var random: SplitMix64

    /// Takes the first and the longest pause, and the seed of the random numbers.
    init(first: Duration, longest: Duration, seed: UInt64) {
        self.first = first
        self.longest = longest
        random = SplitMix64(seed: seed)
    }

    /// The pause after a number of consecutive failures, counted from 0.
    mutating func pause(after attempts: Int) -> Duration {
        let doubled = first * (1 << min(max(attempts, 0), 30))
        return shortened(min(doubled, longest))
    }

    /// A time, shortened by a random part of up to a half.
    mutating func shortened(_ time: Duration) -> Duration {
        time * Double.random(in: 0.5...1, using: &random)
    }

    /// A random time up to the given one.
    mutating func upTo(_ time: Duration) -> Duration {
        time * Double.random(in: 0...1, using: &random)
    }

    /// A time, lengthened by a random part of up to a half.
    mutating func lengthened(_ time: Duration) -> Duration {
        time * Double.random(in: 1...1.5, using: &random)
    }

    /// A random number of a range.
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
