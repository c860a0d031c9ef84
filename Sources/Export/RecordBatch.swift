import Synchronization

/// Encoded records on their way to an output: whole lines, each ended by a newline.
public struct RecordBatch: Sendable {
    /// How many ranks there are.
    public static let ranks = 5

    /// A number that no other batch has, of this process or another: records are known by it when they are sent again.
    public let number: UInt64
    /// The lines.
    public let bytes: [UInt8]
    /// How many lines these are.
    public let records: Int
    /// How much those write whose records these are, from 0 for little up to ``ranks`` - 1.
    ///
    /// In a full queue, batches of a higher rank make room for those of a lower one.
    public let rank: Int

    /// Takes whole lines, their number and their rank.
    public init(bytes: [UInt8], records: Int, rank: Int = 0) {
        self.init(bytes: bytes, records: records, rank: rank, number: Self.nextNumber())
    }

    /// Takes all members: a batch that was kept.
    init(bytes: [UInt8], records: Int, rank: Int, number: UInt64) {
        precondition((0..<Self.ranks).contains(rank), "a rank")
        self.number = number
        self.bytes = bytes
        self.records = records
        self.rank = rank
    }

    /// Drawn once; half of the bits are left for counting.
    private static let run = UInt64.random(in: 1...(.max >> 24)) << 24
    private static let counter = Atomic<UInt64>(0)

    private static func nextNumber() -> UInt64 {
        run &+ counter.add(1, ordering: .relaxed).newValue
    }
}
