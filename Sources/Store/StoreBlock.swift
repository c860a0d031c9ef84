/// The identity of a block: its span and its time.
struct BlockID: Hashable, Comparable {
    /// The time that a block covers, seconds; the raw value is part of the stored format.
    enum Span: Int64, CaseIterable {
        /// Single records of a minute.
        case minute = 0
        /// Sums of five minutes.
        case fiveMinutes = 1
        /// Sums of an hour.
        case hour = 2

        /// Seconds.
        var seconds: Int64 {
            switch self {
            case .minute: 60
            case .fiveMinutes: 300
            case .hour: 3600
            }
        }
    }

    /// The span of time.
    var span: Span
    /// The time it begins after, Unix seconds: it has the records whose interval ends after that, and not after the
    /// end.
    var start: Int64
    /// The number among several blocks of a minute.
    var part: Int64 = 0

    /// The most parts of a minute.
    static let maximumParts: Int64 = 256

    /// The block that a record belongs to whose interval ends then.
    static func start(of end: Int64, _ span: Span) -> Int64 {
        max(0, end - 1) / span.seconds * span.seconds
    }

    /// The number in the database: span, minute, part.
    var rowID: Int64 { (span.rawValue << 32 | start / 60) << 8 | part }

    /// The number that all blocks of a span have less than which begin before a time.
    static func end(of span: Span, before end: Int64) -> Int64 {
        let minute = min(max(0, (end + 59) / 60), 0xffff_ffff)
        return (span.rawValue << 32 | minute) << 8
    }

    /// Reads the number; nil if it is none of a block.
    init?(rowID: Int64) {
        guard rowID >= 0, let span = Span(rawValue: rowID >> 40) else { return nil }
        self.init(span: span, start: (rowID >> 8 & 0xffff_ffff) * 60, part: rowID & 0xff)
    }

    /// Takes all members.
    init(span: Span, start: Int64, part: Int64 = 0) {
        (self.span, self.start, self.part) = (span, start, part)
    }

    /// Compares by the numbers in the database.
    static func < (left: BlockID, right: BlockID) -> Bool { left.rowID < right.rowID }

    /// The number of a column in the database.
    func columnID(_ column: Int) -> Int64 { rowID << 6 + Int64(column) }
}
