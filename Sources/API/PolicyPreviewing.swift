package import Query

/// Computes the effect of policy changes on recorded connections.
package protocol PolicyPreviewing: Sendable {
    /// The names that recorded connections are grouped by: everything that policies can distinguish.
    var groupBy: [GroupName] { get }
    /// The measures that are summed for each group.
    var sums: [Measure] { get }

    /// Evaluates recorded connections, grouped by ``groupBy`` with ``sums``, until a deadline; throws `APIError` after that.
    typealias Evaluation = (_ recorded: FlowQueryResult, _ deadline: ContinuousClock.Instant) throws -> PreviewShape

    /// Reads a change; called before records are read, so that an invalid change costs nothing.
    ///
    /// - Parameters:
    ///   - change: the objects to apply, as YAML or JSON; empty for none.
    ///   - enforcesStaged: whether staged policies would be enforced.
    /// - Returns: a function that evaluates recorded connections with the current and the changed policies.
    /// - Throws: `APIError` if the change cannot be read.
    func preview(_ change: [UInt8], enforcesStaged: Bool) throws -> Evaluation
}

/// The effect of policy changes, in the JSON form shared by the command and the API.
package struct PreviewShape: Sendable, Encodable {
    /// A number of pairs and connections.
    package struct Count: Sendable, Encodable {
        package var pairs = 0
        package var connections: UInt64 = 0

        /// Creates a count of zero.
        package init() {}

        /// Adds a pair.
        package mutating func add(_ more: UInt64) {
            pairs += 1
            connections &+= more
        }
    }

    /// Connections between two workloads on a port whose verdict changes or cannot be determined.
    package struct Row: Sendable, Encodable {
        package var source = ""
        package var dest = ""
        package var port = ""
        /// `allow`, `deny` or `unknown`.
        package var before = ""
        package var after = ""
        /// The deciding hit.
        package var before_rule: String?
        package var after_rule: String?
        /// The deciding hit in words.
        package var before_text: String?
        package var after_text: String?
        /// The reason why the verdict cannot be determined.
        package var reason: String?
        package var connections: UInt64 = 0
        package var bytes: UInt64 = 0
        /// End of the last interval, Unix seconds.
        package var last_seen: Int64 = 0
        /// Selects the records.
        package var filter = ""

        /// Creates an empty row.
        package init() {}
    }

    /// The changed objects: `+` new, `~` changed, `-` deleted.
    package var changes: [String] = []
    /// Warnings about the change that do not prevent the evaluation.
    package var warnings: [String] = []
    /// The number of evaluated connections.
    package var connections: UInt64 = 0
    /// End of the first and of the last interval of the records, Unix seconds.
    package var since: Int64 = 0
    package var until: Int64 = 0
    package var kept_pairs = 0
    package var kept_connections: UInt64 = 0
    /// Connections that become denied, that become allowed, and whose verdict cannot be determined.
    package var newly_denied = Count()
    package var newly_allowed = Count()
    package var unknown = Count()
    package var rows: [Row] = []

    /// Creates an empty result.
    package init() {}
}

/// The response of the API.
struct PreviewAnswerShape: Encodable {
    var range: RangeShape
    var preview: PreviewShape
    /// Rows left out because of the limit.
    var other_rows: Int

    private enum CodingKeys: String, CodingKey {
        case range, other_rows
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(range, forKey: .range)
        try container.encode(other_rows, forKey: .other_rows)
        try preview.encode(to: encoder)
    }
}
