import Foundation

/// Random numbers that are the same in every run with the same seed (SplitMix64).
struct TrafficChance {
    private var state: UInt64

    /// Begins a sequence.
    init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return bits ^ bits >> 31
    }

    /// A number from 0 to `count` - 1.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// A number between 0 and 1, exclusive.
    mutating func unit() -> Double { (Double(next() >> 11) + 0.5) / 9_007_199_254_740_992 }

    /// Whether an event with this probability occurs.
    mutating func happens(_ probability: Double) -> Bool { unit() < probability }

    /// A random time until the next event, exponentially distributed.
    mutating func exponential(mean: Double) -> Double { -mean * log(unit()) }

    /// A random number of independent events, Poisson distributed.
    mutating func count(mean: Double) -> Int {
        // A large number is normally distributed; for a small one, times are added up.
        if mean > 50 {
            let normal = (-2 * log(unit())).squareRoot() * cos(2 * .pi * unit())
            return max(0, Int((mean + mean.squareRoot() * normal).rounded()))
        }
        var (count, time) = (0, exponential(mean: 1))
        while time < mean { (count, time) = (count + 1, time + exponential(mean: 1)) }
        return count
    }
}

/// Draws ranks by Zipf's law: the n-th rank occurs 1/n as often as the first.
struct ZipfRanks {
    private let sums: [Double]

    /// Creates ranks from 0 to `count` - 1.
    init(_ count: Int) {
        var sum = 0.0
        sums = (1...count).map { rank in
            sum += 1 / Double(rank)
            return sum
        }
    }

    /// Draws the next rank.
    func draw(_ chance: inout TrafficChance) -> Int {
        let wanted = chance.unit() * (sums.last ?? 0)
        var (low, high) = (0, sums.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
