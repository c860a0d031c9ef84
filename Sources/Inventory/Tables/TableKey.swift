import FlowModel

/// A key of a ``ShardedTable``.
protocol TableKey: Equatable, Sendable {
    /// A 64-bit hash that is unpredictable without the seed; callers use all bits.
    func hash(_ seed: TableSeed) -> UInt64
}

/// Random numbers, drawn once for each process, that make hashes unpredictable: users of a cluster choose its addresses.
struct TableSeed: Sendable {
    let first: UInt64
    let second: UInt64

    /// The seed of this process.
    static let process = TableSeed(first: UInt64.random(in: 1...UInt64.max), second: UInt64.random(in: 1...UInt64.max))

    /// Mixes two words by a seeded full multiplication, and a second one so that every bit depends on all others.
    @inline(__always)
    func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = (left ^ first).multipliedFullWidth(by: right ^ second)
        let again = (product.high ^ product.low).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return again.high ^ again.low
    }
}

extension IPAddress: TableKey {
    @inline(__always)
    func hash(_ seed: TableSeed) -> UInt64 {
        seed.mix(word0, word1)
    }
}

extension String: TableKey {
    func hash(_ seed: TableSeed) -> UInt64 {
        UInt64(bitPattern: Int64(hashValue))
    }
}
