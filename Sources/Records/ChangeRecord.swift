package import FlowModel

/// A write request, successful or not, in the form of `weir audit changes -o json` and of the store.
///
/// Members have the names of the JSON object.
package struct ChangeRecord: Sendable, Hashable, Codable {
    /// A difference between the object before and after.
    package struct Difference: Sendable, Hashable, Codable {
        /// The field that changed, such as `ingress[0].ports`.
        package var path: String
        /// The value before as text; nil if it did not exist.
        package var before: String?
        /// The value after as text; nil if it was removed.
        package var after: String?

        /// Takes all members.
        package init(path: String, before: String?, after: String?) {
            (self.path, self.before, self.after) = (path, before, after)
        }
    }

    /// The relation of the changed object to policies.
    package enum Role: String, Sendable, Hashable, Codable, CaseIterable {
        /// The object is a policy or a tier.
        case policy
        /// The object is one that policies select.
        case object
        /// The object determines the endpoints of a service.
        case service
        /// Policies do not depend on it.
        case other
    }

    /// The time of the change, Unix seconds with a fraction.
    package var time: Double
    /// The audit ID of the request.
    package var auditID: String
    /// The time when the request was received, Unix seconds with a fraction.
    ///
    /// Together with ``auditID`` it identifies a request.
    package var receivedAt: Double?
    /// The relation of the object to policies.
    package var role: Role?
    /// The user.
    package var user: String
    /// The impersonated user; nil for none.
    package var impersonatedUser: String?
    /// The verb, such as `create` or `patch`.
    package var verb: String
    /// The object's kind as text for users.
    package var kind: String
    /// The resource in the plural.
    package var resource: String?
    /// The API group; nil for the core group.
    package var group: String?
    /// The object's namespace; nil if it has none.
    package var namespace: String?
    /// The object's name; nil for a request for several objects.
    package var name: String?
    /// The objects of a request for several objects.
    package var names: [String]?
    /// The objects that the request deletes only after their finalizers are removed.
    package var remaining: [String]?
    /// The finalizers of the remaining objects.
    package var finalizers: [String]?
    /// Whether an update or a patch removed the object's last finalizer, and so the object.
    package var isRemoval: Bool?
    /// The subresource, such as `status`; nil for the object itself.
    package var subresource: String?
    /// The outcome, such as `done` or `denied`.
    package var outcome: String
    /// The HTTP status code.
    package var code: Int?
    /// The object's version after the request, or at its deletion.
    package var resourceVersion: String?
    /// The API server's message about a failure.
    package var message: String?
    /// Whether the request was a dry run.
    package var dryRun: Bool
    /// The source of the differences: `compared`, `sent`, `nothing`.
    package var basis: String
    /// The differences.
    package var changes: [Difference]
    /// The number of differences that are not listed.
    package var moreChanges: Int?
    /// The change in one line.
    package var summary: String
    /// The object after the request as JSON, for policies, tiers and network sets; reports evaluate it.
    package var state: String?
    /// The effect on connections, as far as observed.
    package var verdictsChanged: [VerdictChange]?

    /// Takes the required members.
    package init(
        time: Double,
        auditID: String,
        user: String,
        verb: String,
        kind: String,
        outcome: String,
        dryRun: Bool,
        basis: String,
        summary: String
    ) {
        (self.time, self.auditID, self.user, self.verb, self.kind) = (time, auditID, user, verb, kind)
        (self.outcome, self.dryRun, self.basis, self.summary) = (outcome, dryRun, basis, summary)
        changes = []
    }

    /// Whether the request created the object: a `create`, or an update or a patch of a missing object (201).
    package var isCreation: Bool { verb == "create" || (verb == "update" || verb == "patch") && code == 201 }

    /// The objects that the request deleted, without those that remain until their finalizers are removed.
    package var deleted: [String] {
        let named = names ?? [name].compactMap(\.self)
        if isRemoval == true { return named }
        guard verb == "delete" || verb == "deletecollection" else { return [] }
        guard let remaining else { return named }
        return named.filter { !remaining.contains($0) }
    }

    /// A time of a record, Unix time in µs, limited to the valid range.
    package static func microseconds(_ seconds: Double) -> Int64 {
        Int64((min(max(seconds, 0), 1e12) * 1e6).rounded())
    }

    /// Converts a time in µs to the form of records; nil for 0.
    package static func seconds(_ microseconds: Int64) -> Double? {
        microseconds > 0 ? Double(microseconds) / 1e6 : nil
    }

    /// The object as text, such as `NetworkPolicy shop/db-allow`.
    package var object: String {
        let place = [namespace, name].compactMap(\.self).joined(separator: "/")
        return place.isEmpty ? kind : "\(kind) \(place)"
    }

    /// The user, and the impersonated user.
    package var who: String { impersonatedUser.map { "\(user) as \($0)" } ?? user }

    /// The differences, one per line.
    package var difference: String {
        var lines = changes.map { change in
            switch (change.before, change.after) {
            case (let before?, let after?): "\(change.path) \(before) → \(after)"
            case (nil, let after?): after.isEmpty ? "+ \(change.path)" : "+ \(change.path) \(after)"
            case (let before?, nil): before.isEmpty ? "- \(change.path)" : "- \(change.path) \(before)"
            case (nil, nil): "~ \(change.path)"
            }
        }
        if let moreChanges { lines.append("\(moreChanges) more") }
        return lines.joined(separator: "\n")
    }
}
