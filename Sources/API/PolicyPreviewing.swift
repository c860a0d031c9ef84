package import Query

/// Says what a change of policies would do to recorded connections.
package protocol PolicyPreviewing: Sendable {
    /// What connections that policies tell apart are grouped by.
    var groupBy: [GroupName] { get }
    /// What of them is summed.
    var sums: [Measure] { get }

    /// Judges recorded connections by the policies as they are, and as they would be.
    ///
    /// - Parameters:
    ///   - change: YAML or JSON with the objects that would be applied; empty for none.
    ///   - enforcesStaged: whether staged policies would be enforced.
    ///   - recorded: groups of ``groupBy`` and ``sums``.
    ///   - deadline: when it must have an answer.
    /// - Returns: what would change.
    /// - Throws: `APIError` if the change cannot be read, or there is no time left.
    func preview(
        _ change: [UInt8],
        enforcesStaged: Bool,
        of recorded: FlowQueryResult,
        by deadline: ContinuousClock.Instant
    ) throws -> PreviewShape
}

/// What a change of policies would do, as the command and the API say it in JSON.
package struct PreviewShape: Sendable, Encodable {
    /// How many pairs and connections.
    package struct Count: Sendable, Encodable {
        package var pairs = 0
        package var connections: UInt64 = 0

        /// None.
        package init() {}

        /// Adds a pair.
        package mutating func add(_ more: UInt64) {
            pairs += 1
            connections &+= more
        }
    }

    /// Connections between two workloads on a port whose verdict changes, or cannot be told.
    package struct Row: Sendable, Encodable {
        package var source = ""
        package var dest = ""
        package var port = ""
        /// `allow`, `deny` or `unknown`.
        package var before = ""
        package var after = ""
        /// The hit that decides.
        package var before_rule: String?
        package var after_rule: String?
        /// The same in words.
        package var before_text: String?
        package var after_text: String?
        /// Why nothing can be told.
        package var reason: String?
        package var connections: UInt64 = 0
        package var bytes: UInt64 = 0
        /// End of the last interval, Unix seconds.
        package var last_seen: Int64 = 0
        /// Selects the records.
        package var filter = ""

        /// Nothing.
        package init() {}
    }

    /// What would be done: `+` new, `~` changed, `-` deleted, each with the object.
    package var changes: [String] = []
    /// What is wrong with the change, though it can be judged.
    package var warnings: [String] = []
    /// Connections that were judged.
    package var connections: UInt64 = 0
    /// End of the first and of the last interval of the records, Unix seconds.
    package var since: Int64 = 0
    package var until: Int64 = 0
    package var kept_pairs = 0
    package var kept_connections: UInt64 = 0
    /// What becomes denied, what becomes allowed, and what cannot be told.
    package var newly_denied = Count()
    package var newly_allowed = Count()
    package var unknown = Count()
    package var rows: [Row] = []

    /// Nothing.
    package init() {}
}

/// The answer of the API.
struct PreviewAnswerShape: Encodable {
    var range: RangeShape
    var preview: PreviewShape
    /// Rows that the limit leaves out.
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
