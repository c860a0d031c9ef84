/// What became of the records that were submitted to an output.
///
/// At any time: submitted = ``delivered`` + ``dropped`` + ``queued``.
public struct OutputStatistics: Sendable, Equatable {
    /// Records that the kernel took over whole: written to the file, or accepted by the socket.
    public var delivered = 0
    /// Records that were not, by reason.
    public var drops = OutputDrops()
    /// Records that wait, those being written included.
    public var queued = 0
    /// Records that the output's filters left out; they were not submitted.
    public var passedOver = 0
    /// How many levels records are aggregated beyond what the output asks for, now.
    public var raisedLevels = 0
    /// How often records began to be aggregated further because the output was behind.
    public var raises = 0
    /// How often a connection was made again after it was lost.
    public var reconnects = 0

    /// Nothing submitted yet.
    public init() {}

    /// Records that are gone, for whatever reason.
    public var dropped: Int { drops.total }

    /// Adds what became of others.
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
    /// The queue had no room for them, or they made room for records of endpoints that had written less.
    public var queueFull: Int
    /// No datagram takes a record of this length.
    public var tooLong: Int
    /// The receiving host has nobody who listens.
    public var refused: Int
    /// The server does not take them, whenever they are sent.
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
