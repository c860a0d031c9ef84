/// The outcome of the records that were submitted to an output.
///
/// At any time: submitted = ``delivered`` + ``dropped`` + ``queued``.
public struct OutputStatistics: Sendable, Equatable {
    /// Records that were written to the file, accepted by the socket, or acknowledged by the server.
    public var delivered = 0
    /// Dropped records, by reason.
    public var drops = OutputDrops()
    /// Records that wait, including those being written.
    public var queued = 0
    /// Records that the output's filters left out; they are not submitted.
    public var passedOver = 0
    /// The number of levels by which aggregation is currently raised above the configured level.
    public var raisedLevels = 0
    /// How often aggregation was raised because the output was behind.
    public var raises = 0
    /// The number of reconnects after a lost connection.
    public var reconnects = 0

    /// Nothing submitted yet.
    public init() {}

    /// All dropped records.
    public var dropped: Int { drops.total }

    /// Adds the outcome of other records.
    public static func += (left: inout OutputStatistics, right: OutputStatistics) {
        left.delivered += right.delivered
        left.drops += right.drops
        left.queued += right.queued
        left.passedOver += right.passedOver
        left.reconnects += right.reconnects
    }
}

/// Records that an output did not deliver, by reason.
public struct OutputDrops: Sendable, Hashable {
    /// The queue or the spool was full, or they were evicted for endpoints with fewer records.
    public var queueFull: Int
    /// The record is too long for a datagram.
    public var tooLong: Int
    /// No process listens on the receiving host.
    public var refused: Int
    /// The server rejects them permanently.
    public var rejected: Int
    /// The output ended before they were written, or its reader before it read them.
    public var unsent: Int

    /// Takes the number for each reason.
    public init(queueFull: Int = 0, tooLong: Int = 0, refused: Int = 0, rejected: Int = 0, unsent: Int = 0) {
        self.queueFull = queueFull
        self.tooLong = tooLong
        self.refused = refused
        self.rejected = rejected
        self.unsent = unsent
    }

    /// All of them.
    public var total: Int { queueFull + tooLong + refused + rejected + unsent }

    /// Adds the drops of others.
    public static func += (left: inout OutputDrops, right: OutputDrops) {
        left.queueFull += right.queueFull
        left.tooLong += right.tooLong
        left.refused += right.refused
        left.rejected += right.rejected
        left.unsent += right.unsent
    }
}
