/// The outcome of the records that were submitted to an output.
///
/// At any time: submitted = ``delivered`` + ``dropped`` + ``queued``.
package struct OutputStatistics: Sendable, Equatable {
    /// Records that were written to the file, accepted by the socket, or acknowledged by the server.
    package var delivered = 0
    /// Dropped records, by reason.
    package var drops = OutputDrops()
    /// Records in the queue, in the spool, or being written.
    package var queued = 0
    /// Records that the output's filters left out; they are not submitted.
    package var passedOver = 0
    /// The number of levels by which aggregation is currently raised above the configured level.
    package var raisedLevels = 0
    /// The number of times that aggregation was raised because the output was behind.
    package var raises = 0
    /// The number of reconnects after a lost connection.
    package var reconnects = 0

    /// Creates an empty value.
    package init() {}

    /// All dropped records.
    package var dropped: Int { drops.total }

    /// Adds the outcome of other records.
    package static func += (left: inout OutputStatistics, right: OutputStatistics) {
        left.delivered += right.delivered
        left.drops += right.drops
        left.queued += right.queued
        left.passedOver += right.passedOver
        left.reconnects += right.reconnects
    }
}

/// Records that an output did not deliver, by reason.
package struct OutputDrops: Sendable, Hashable {
    /// The queue or the spool was full, or the records were evicted for endpoints with fewer records.
    package var queueFull: Int
    /// The record is too long for a datagram.
    package var tooLong: Int
    /// A network error was returned for their datagram, or for another one within seconds; they did not, or may not, arrive.
    package var refused: Int
    /// The server rejected the records permanently.
    package var rejected: Int
    /// The output ended before the records were written, or its reader closed before it read them.
    package var unsent: Int
    /// The records were damaged in the spool on disk.
    package var damaged: Int

    /// Takes the number for each reason.
    package init(
        queueFull: Int = 0,
        tooLong: Int = 0,
        refused: Int = 0,
        rejected: Int = 0,
        unsent: Int = 0,
        damaged: Int = 0
    ) {
        self.queueFull = queueFull
        self.tooLong = tooLong
        self.refused = refused
        self.rejected = rejected
        self.unsent = unsent
        self.damaged = damaged
    }

    /// The sum of all reasons.
    package var total: Int { queueFull + tooLong + refused + rejected + unsent + damaged }

    /// Adds the drops of others.
    package static func += (left: inout OutputDrops, right: OutputDrops) {
        left.queueFull += right.queueFull
        left.tooLong += right.tooLong
        left.refused += right.refused
        left.rejected += right.rejected
        left.unsent += right.unsent
        left.damaged += right.damaged
    }
}
