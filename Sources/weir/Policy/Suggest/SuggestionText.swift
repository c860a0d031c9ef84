import Screen

/// The suggested policies as a file: the evidence, the policies, and the result of their evaluation.
struct SuggestionText {
    private let suggestion: PolicySuggestion
    private let seen: SeenConnections
    private let namespace: String
    private let workloads: [String]

    /// The maximum number of omitted connections that are listed; the others are counted.
    private static let limit = 50

    /// Takes the suggestion.
    ///
    /// - Parameters:
    ///   - suggestion: the rules.
    ///   - seen: the recorded connections.
    ///   - namespace: the namespace of the policies.
    ///   - workloads: all workloads of the namespace that have pods.
    init(_ suggestion: PolicySuggestion, _ seen: SeenConnections, namespace: String, workloads: [String]) {
        (self.suggestion, self.seen, self.namespace, self.workloads) = (suggestion, seen, namespace, workloads)
    }

    /// The comments before the policies.
    var head: [String] {
        let connections = suggestion.used.reduce(0) { $0 &+ $1.connections }
        let rare = suggestion.used.count { $0.connections <= 1 }
        let minutes = max(1, (seen.until - seen.since + 59) / 60)
        var lines = [
            "weir policy suggest: namespace \(SuggestedPolicy.comment(namespace))",
            "time      \(ClockText.full(seen.since, offset: 0)) to \(ClockText.full(seen.until, offset: 0)) +00; "
                + "nothing is recorded in \(seen.emptyMinutes) of its \(minutes) minutes",
            "evidence  \(connections) allowed connections of \(suggestion.used.count) kinds, \(rare) of them seen once only; "
                + "denied ones (\(seen.denied) in all records) are in no rule",
        ]
        let silent = workloads.filter { suggestion.workloads[$0] == nil }
        if !silent.isEmpty {
            let names = silent.map(SuggestedPolicy.comment).joined(separator: ", ")
            lines.append("no policy for workloads without connections: \(names)")
        }
        let left = suggestion.leftOut.sorted {
            ($1.value.connections, $0.key.what) < ($0.value.connections, $1.key.what)
        }
        for (one, evidence) in left.prefix(Self.limit) {
            lines.append(
                SuggestedPolicy.comment("in no rule: \(one.what), \(evidence.connections) connections: \(one.reason)")
            )
        }
        if left.count > Self.limit { lines.append("in no rule: \(left.count - Self.limit) more kinds of connections") }
        return lines.map { "# \($0)" }
    }

    /// The policies, by name.
    func policies(_ kind: SuggestionKind) -> [String] {
        suggestion.workloads.values.sorted { $0.name < $1.name }.flatMap {
            SuggestedPolicy($0, in: namespace, kind).lines
        }
    }

    /// The comments after the policies.
    func result(_ preview: PolicyPreview) -> [String] {
        let denied = preview.changes.filter { $0.after == .deny }
        let unknown = preview.changes.filter { $0.after == .unknown }
        var lines = [
            "checked: of the pairs that were seen \(preview.kept.pairs) stay as they are, \(denied.count) would be denied, "
                + "\(unknown.count) cannot be decided"
        ]
        for change in denied.prefix(Self.limit) {
            lines.append(
                "DENIED: \(change.source) to \(change.destination) \(change.port): \(change.connections) connections"
            )
        }
        for change in unknown.prefix(Self.limit) {
            lines.append(
                "cannot be decided: \(change.source) to \(change.destination) \(change.port): \(change.reason)"
            )
        }
        return lines.map { "# " + SuggestedPolicy.comment($0) }
    }
}
