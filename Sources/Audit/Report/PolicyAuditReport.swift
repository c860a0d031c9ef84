/// The number of policies that were created, modified and deleted in a range of time: Calico's report `policy-audit`.
package struct PolicyAuditReport: Sendable {
    /// The beginning of the range, Unix time in µs; nil for no limit.
    package var start: Int64?
    /// The end of the range, Unix time in µs; nil for no limit.
    package var end: Int64?
    /// The namespaces of the counted policies; empty for all policies, including cluster-scoped ones.
    package var namespaces: [String] = []
    /// Policies that were created.
    package private(set) var created = 0
    /// Policies that were updated or patched; requests without a difference do not count.
    package private(set) var modified = 0
    /// Policies that were deleted.
    package private(set) var deleted = 0
    private var first: Int64?
    private var last: Int64?

    /// Creates an empty report.
    package init() {}

    /// Counts a change if it is a successful change of a policy within the range.
    ///
    /// - Returns: whether it was counted.
    package mutating func add(_ change: AuditChange) -> Bool {
        let time = change.event.time
        guard change.outcome == .done, let target = change.event.target, target.subresource.isEmpty,
            AuditResource.role(of: target) == .policy, target.resource != "tiers",
            time >= start ?? .min, time < end ?? .max,
            namespaces.isEmpty || namespaces.contains(change.namespace)
        else { return false }
        switch change.event.verb {
        case _ where change.event.isCreation: created += 1
        case _ where change.isRemoval: deleted += 1
        case "update", "patch":
            if change.basis == .compared, change.changes.isEmpty { return false }
            modified += 1
        // Objects with finalizers are counted when they are removed.
        case "delete": deleted += change.remaining.isEmpty ? 1 : 0
        case "deletecollection": deleted += max(0, change.names.count - change.remaining.count)
        default: return false
        }
        first = min(first ?? time, time)
        last = max(last ?? time, time)
        return true
    }

    /// The columns.
    package static let columns = [
        "startTime", "endTime", "endpointSelector", "namespaceNames", "namespaceSelector", "serviceAccountNames",
        "serviceAccountSelectors", "numCreatedPolicies", "numModifiedPolicies", "numDeletedPolicies",
    ]

    /// The values of ``columns``; an open range covers all of its changes.
    package var values: [String] {
        let text = { (time: Int64?) in time.flatMap(AuditEnvelope.text) ?? "" }
        return [
            text(start ?? first), text(end ?? last), "", namespaces.joined(separator: " "), "", "", "", "\(created)",
            "\(modified)", "\(deleted)",
        ]
    }
}
