/// The limits of a query's memory and time.
package struct QueryLimits: Sendable {
    /// The maximum number of groups.
    package var groups = 4_000_000
    /// The maximum number of sums, of groups and of points of series.
    package var sums = 16_000_000
    /// The maximum duration, seconds.
    package var seconds = FlowScan.limitSeconds

    /// The limits of a server that can use all of the machine's memory.
    package init() {}

    /// The limits of a command, whose user can wait or stop it.
    ///
    /// The time is not unlimited, because a reader prevents the writer of its store from reusing pages.
    package static let ofCommand: QueryLimits = {
        var limits = QueryLimits()
        limits.seconds = 120
        return limits
    }()

    /// The limits for queries in the process of a run: about 50 MB.
    package static let besideRun: QueryLimits = {
        var limits = QueryLimits()
        (limits.groups, limits.sums) = (50_000, 1_000_000)
        return limits
    }()
}
