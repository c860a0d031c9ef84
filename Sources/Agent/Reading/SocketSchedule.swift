/// The times of passes over all sockets, which are most of the cost of collecting sockets.
struct SocketSchedule {
    /// What a scan of the flow table does with the sockets that are open.
    enum Pass: Hashable {
        /// It leaves them alone.
        case nothing
        /// It takes a sample of each.
        case sample
        /// It takes the report of each.
        case report
    }

    /// The time between two passes unless an interval ends, ns.
    private static let pause: Int64 = 5_000_000_000
    /// The longest flush interval with which sockets report at flushes only.
    ///
    /// It is half the time after which a flow without an answer ends: what its socket reports later finds no flow.
    private static let longestReportPause = Duration.seconds(10)
    /// The time of the next pass, CLOCK_MONOTONIC ns.
    private var next = Int64.min

    /// Returns the pass of the scan at a time, and sets the time of the next one.
    mutating func pass(now: Int64, isFlush: Bool, flushInterval: Duration) -> Pass {
        guard isFlush || now >= next else { return .nothing }
        next = now + Self.pause
        return isFlush || flushInterval > Self.longestReportPause ? .report : .sample
    }
}
