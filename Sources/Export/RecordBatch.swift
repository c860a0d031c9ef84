/// Encoded records on their way to an output: whole lines, each ended by a newline.
public struct RecordBatch: Sendable {
    /// The lines.
    public let bytes: [UInt8]
    /// How many lines these are.
    public let records: Int

    /// Takes whole lines and their number.
    public init(bytes: [UInt8], records: Int) {
        self.bytes = bytes
        self.records = records
    }
}
