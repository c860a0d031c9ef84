/// Encoded records on their way to an output: whole lines, each ended by a newline.
public struct RecordBatch: Sendable {
    /// How many ranks there are.
    public static let ranks = 5

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
        precondition((0..<Self.ranks).contains(rank), "a rank")
        self.bytes = bytes
        self.records = records
        self.rank = rank
    }
}
