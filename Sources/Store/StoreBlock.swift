/// The identity of a block: its span, time and part.
struct BlockID: Hashable, Comparable {
    /// The time that a block covers, seconds; the raw value is part of the stored format.
    enum Span: Int64, CaseIterable {
        /// Single records of a minute.
        case minute = 0
        /// Sums of five minutes.
        case fiveMinutes = 1
        /// Sums of an hour.
        case hour = 2

        /// The length in seconds.
        var seconds: Int64 {
            switch self {
            case .minute: 60
            case .fiveMinutes: 300
            case .hour: 3600
            }
        }
    }

    /// The span.
    var span: Span
    /// The start, Unix seconds.
    ///
    /// The block contains records whose interval ends after the start, and at the end of the block at the latest.
    var start: Int64
    /// The number of the block among the blocks of one minute.
    var part: Int64 = 0

    /// The latest time that is stored, Unix seconds: minutes have 32 bits in a row id.
    static let latest: Int64 = 1 << 37
    /// The maximum number of parts of a minute.
    static let maximumParts: Int64 = 256

    /// Returns the start of the block for a record, from the end of its interval.
    static func start(of end: Int64, _ span: Span) -> Int64 {
        max(0, end - 1) / span.seconds * span.seconds
    }

    /// The row id in the database: span, minute, part.
    var rowID: Int64 { (span.rawValue << 32 | start / 60) << 8 | part }

    /// Returns the upper limit (exclusive) of the row ids of all blocks of a span that begin before a time.
    static func end(of span: Span, before end: Int64) -> Int64 {
        // Bounded before the sum: the time may be any number of a request.
        let minute = (min(max(0, end), 2 * latest) + 59) / 60
        return (span.rawValue << 32 | min(minute, 0xffff_ffff)) << 8
    }

    /// Decodes a row id; nil if it is not a block's.
    init?(rowID: Int64) {
        guard rowID >= 0, let span = Span(rawValue: rowID >> 40) else { return nil }
        self.init(span: span, start: (rowID >> 8 & 0xffff_ffff) * 60, part: rowID & 0xff)
    }

    /// Takes all members.
    init(span: Span, start: Int64, part: Int64 = 0) {
        (self.span, self.start, self.part) = (span, start, part)
    }

    /// Compares row ids.
    static func < (left: BlockID, right: BlockID) -> Bool { left.rowID < right.rowID }

    /// Returns the id of a column in the database.
    func columnID(_ column: Int) -> Int64 { rowID << 6 + Int64(column) }
}
