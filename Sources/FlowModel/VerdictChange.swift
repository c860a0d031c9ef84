/// Connections whose verdict or deciding rule was changed by a change of the cluster.
package struct VerdictChange: Sendable, Hashable, Codable {
    /// The initiator of the connections, as `namespace/name`.
    package var source: String
    /// The responder of the connections.
    package var dest: String
    /// The port and the protocol, such as `6379/tcp`.
    package var port: String
    /// The end that reports them: `src` or `dst`.
    package var reporter: String
    /// The verdict before: `allow` or `deny`.
    package var before: String
    /// The verdict after.
    package var after: String
    /// The hit that decided before; empty if none is known.
    package var ruleBefore: String
    /// The hit that decides after; empty if none is known.
    package var rule: String
    /// The number of connections with the new verdict, in the interval of the change and the intervals that follow it directly.
    package var connections: UInt64
    /// The end of the first interval with the new verdict, Unix seconds.
    package var time: Int64
    /// Whether the change is only likely to be the cause.
    package var isLikely: Bool

    /// Takes all members.
    package init(
        source: String,
        dest: String,
        port: String,
        reporter: String,
        before: String,
        after: String,
        ruleBefore: String,
        rule: String,
        connections: UInt64,
        time: Int64,
        isLikely: Bool
    ) {
        (self.source, self.dest, self.port, self.reporter) = (source, dest, port, reporter)
        (self.before, self.after, self.ruleBefore, self.rule) = (before, after, ruleBefore, rule)
        (self.connections, self.time, self.isLikely) = (connections, time, isLikely)
    }
}
