import Synchronization

/// Encoded records for an output: complete lines, each with a newline.
package struct RecordBatch: Sendable {
    /// The number of ranks.
    package static let ranks = 5

    /// An identifier, unique across processes, by which receivers recognize repeated records.
    package let number: UInt64
    /// The lines.
    package let bytes: [UInt8]
    /// The number of lines.
    package let records: Int
    /// The rank: it increases with the number of records of the batch's endpoints, from 0 to ``ranks`` - 1.
    ///
    /// A full queue evicts batches of higher ranks for batches of lower ranks.
    package let rank: Int
    /// The last flush before the batch was submitted.
    var origin = BatchOrigin.none

    /// Takes complete lines, their number and their rank.
    package init(bytes: [UInt8], records: Int, rank: Int = 0) {
        self.init(bytes: bytes, records: records, rank: rank, number: Self.nextNumber())
    }

    /// Takes all members, for a batch that was read from disk or is made again.
    package init(
        bytes: [UInt8],
        records: Int,
        rank: Int = 0,
        number: UInt64,
        origin: BatchOrigin = BatchOrigin(counters: 0, flush: 0)
    ) {
        precondition((0..<Self.ranks).contains(rank), "a rank")
        self.origin = origin
        self.number = number
        self.bytes = bytes
        self.records = records
        self.rank = rank
    }

    /// A random number, chosen once per process; the low 24 bits are the counter.
    private static let run = UInt64.random(in: 1...(.max >> 24)) << 24
    private static let counter = Atomic<UInt64>(0)

    /// Makes a number that no other batch has.
    package static func nextNumber() -> UInt64 {
        run &+ counter.add(1, ordering: .relaxed).newValue
    }
}
