package import FlowModel

/// A request that changed an object, or tried to, as `weir audit changes -o json` prints it and the store keeps it.
///
/// Members have the names of the JSON object.
package struct ChangeRecord: Sendable, Hashable, Codable {
    /// A difference between the object before and after.
    package struct Difference: Sendable, Hashable, Codable {
        /// The field that changed, as `ingress[0].ports`.
        package var path: String
        /// The value before, in words; nil if it did not exist.
        package var before: String?
        /// The value after, in words; nil if it was removed.
        package var after: String?

        /// Takes all members.
        package init(path: String, before: String?, after: String?) {
            (self.path, self.before, self.after) = (path, before, after)
        }
    }

    /// The subject of a change, as far as policies go.
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
    /// The request.
    package var auditID: String
    /// The time when the request was received, Unix seconds with a fraction: together with ``auditID`` no two requests have the
    /// same.
    package var receivedAt: Double?
    /// The subject of the change.
    package var role: Role?
    /// The user.
    package var user: String
    /// The impersonated user; nil for a user's own requests.
    package var impersonatedUser: String?
    /// The verb: `create`, `patch` and so on.
    package var verb: String
    /// The object's kind, for people.
    package var kind: String
    /// The resource in the plural.
    package var resource: String?
    /// The API group; nil for the core group.
    package var group: String?
    /// The object's namespace; nil for one that is in none.
    package var namespace: String?
    /// The object's name; nil where the request is for several.
    package var name: String?
    /// The objects of a request for several.
    package var names: [String]?
    /// The objects that the request deletes only when their finalizers are removed.
    package var remaining: [String]?
    /// The finalizers of those.
    package var finalizers: [String]?
    /// Whether an update or a patch removed the last finalizer of the object, and the object with it.
    package var isRemoval: Bool?
    /// The part of the object, as `status`; nil for the object itself.
    package var subresource: String?
    /// The outcome: `done`, `denied` and so on.
    package var outcome: String
    /// The status code of HTTP.
    package var code: Int?
    /// The object's version that the request left, or that it deleted.
    package var resourceVersion: String?
    /// The reason why it failed, in the API server's words.
    package var message: String?
    /// Whether it was a trial run.
    package var dryRun: Bool
    /// The source of the differences: `compared`, `sent`, `nothing`.
    package var basis: String
    /// The differences.
    package var changes: [Difference]
    /// The number of further differences.
    package var moreChanges: Int?
    /// The change in one line.
    package var summary: String
    /// The object as it was then, JSON, of policies, tiers and network sets: reports evaluate it.
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

    /// Whether the object was made: by a `create`, or by an update or a patch of what was not there (201).
    package var isCreation: Bool { verb == "create" || (verb == "update" || verb == "patch") && code == 201 }

    /// The objects that are gone since; those that wait for their finalizers are none.
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

    /// A time in µs as records have it; nil for 0.
    package static func seconds(_ microseconds: Int64) -> Double? {
        microseconds > 0 ? Double(microseconds) / 1e6 : nil
    }

    /// The object in words, as `NetworkPolicy shop/db-allow`.
    package var object: String {
        let place = [namespace, name].compactMap(\.self).joined(separator: "/")
        return place.isEmpty ? kind : "\(kind) \(place)"
    }

    /// The user, and the impersonated user.
    package var who: String { impersonatedUser.map { "\(user) as \($0)" } ?? user }

    /// The differences, a line each.
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
