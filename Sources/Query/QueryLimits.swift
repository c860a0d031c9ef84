/// The limits of a query's memory and time.
package struct QueryLimits: Sendable {
    /// The most groups at a time.
    package var groups = 4_000_000
    /// The most sums at a time, of groups and of points of series.
    package var sums = 16_000_000
    /// The maximum duration, seconds.
    package var seconds = FlowScan.limitSeconds

    /// The limits of a program that answers others, and has the machine's memory.
    package init() {}

    /// The limits of a command, whose user can wait, or stop it.
    ///
    /// They are not infinite: a reader keeps the writer of its store from reusing pages.
    package static let ofCommand: QueryLimits = {
        var limits = QueryLimits()
        limits.seconds = 120
        return limits
    }()

    /// The limits beside a run: about 50 MB.
    package static let besideRun: QueryLimits = {
        var limits = QueryLimits()
        (limits.groups, limits.sums) = (50_000, 1_000_000)
        return limits
    }()
}
