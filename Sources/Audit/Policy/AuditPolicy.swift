/// An API server's audit policy: which requests are recorded, and how much of them.
///
/// Source of the meaning: `staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go` of Kubernetes.
package struct AuditPolicy: Sendable, Hashable {
    /// Resources of a group.
    package struct Resources: Sendable, Hashable {
        /// The group; empty for the core group.
        package var group = ""
        /// `pods`, `pods/status`, `pods/*`, `*/status`, `*`; empty for all of the group.
        package var resources: [String] = []
        /// Names of objects; empty for all.
        package var names: [String] = []
    }

    /// A rule; an empty list does not restrict it.
    package struct Rule: Sendable, Hashable {
        /// The part of matching requests that is recorded; nil if the level is missing or unknown.
        package var level: AuditLevel?
        /// Names of users.
        package var users: [String] = []
        /// Groups of users.
        package var userGroups: [String] = []
        /// Verbs.
        package var verbs: [String] = []
        /// Resources.
        package var resources: [Resources] = []
        /// Namespaces; the empty one is for what is in none.
        package var namespaces: [String] = []
        /// Paths that are no resources.
        package var nonResourceURLs: [String] = []
        /// Stages that are not recorded.
        package var omitStages: [String] = []
        /// Whether managed fields are left out; nil for the setting of the policy.
        package var omitManagedFields: Bool?
    }

    /// `apiVersion`.
    package var apiVersion = "audit.k8s.io/v1"
    /// The rules; the first one that matches counts.
    package var rules: [Rule] = []
    /// Stages that are not recorded.
    package var omitStages: [String] = []
    /// Whether managed fields are left out.
    package var omitManagedFields = false
    /// Members that the API does not have, and values that are none of it.
    package var mistakes: [String] = []
}

extension AuditPolicy {
    /// The part of a kind of request that is recorded.
    package struct Answer: Sendable, Hashable {
        /// The level for all users, everywhere.
        package var level: AuditLevel
        /// The place of the deciding rule; nil if none matches.
        package var rule: Int?
        /// The places of earlier rules that match only some of these requests and have another level.
        package var exceptions: [Int]
    }

    /// Returns the part of a request for objects that is recorded.
    ///
    /// - Parameters:
    ///   - verb: what is asked.
    ///   - resource: for what, such as `pods` or `pods/status`.
    ///   - group: the API group of the resource.
    /// - Returns: the level, and the deciding rules.
    package func answer(_ verb: String, _ resource: String, group: String) -> Answer {
        var exceptions: [Int] = []
        for (index, rule) in rules.enumerated() {
            switch rule.match(verb, resource, group: group) {
            case .no: continue
            case .some: exceptions.append(index)
            case .all:
                let level = rule.level ?? .none
                exceptions.removeAll { rules[$0].level == level }
                return Answer(level: level, rule: index, exceptions: exceptions)
            }
        }
        exceptions.removeAll { (rules[$0].level ?? AuditLevel.none) == AuditLevel.none }
        return Answer(level: .none, rule: nil, exceptions: exceptions)
    }
}

extension AuditPolicy.Rule {
    /// The requests of a verb and a resource that a rule matches.
    enum Match {
        case no, some, all
    }

    func match(_ verb: String, _ resource: String, group: String) -> Match {
        if !verbs.isEmpty, !verbs.contains(verb) { return .no }
        var match = Match.all
        if !users.isEmpty || !userGroups.isEmpty { match = .some }
        if !namespaces.isEmpty { match = .some }
        if namespaces.isEmpty, resources.isEmpty { return nonResourceURLs.isEmpty ? match : .no }
        guard !resources.isEmpty else { return match }
        let matching = resources.filter { $0.group == group && $0.contains(resource) }
        if matching.isEmpty { return .no }
        // Names do not restrict an entry without resources.
        return matching.contains { $0.names.isEmpty || $0.resources.isEmpty } ? match : .some
    }

    /// The users and objects that a rule is restricted to, in words.
    package var restriction: String {
        var parts: [String] = []
        if !users.isEmpty { parts.append("users \(users.joined(separator: ", "))") }
        if !userGroups.isEmpty { parts.append("groups \(userGroups.joined(separator: ", "))") }
        if !namespaces.isEmpty {
            parts.append("namespaces \(namespaces.map { $0.isEmpty ? "\"\"" : $0 }.joined(separator: ", "))")
        }
        let names = resources.flatMap(\.names)
        if !names.isEmpty { parts.append("objects \(names.joined(separator: ", "))") }
        return ObjectWords.short(parts.joined(separator: "; "))
    }
}

extension AuditPolicy.Resources {
    func contains(_ resource: String) -> Bool {
        if resources.isEmpty { return true }
        let parts = resource.split(separator: "/", maxSplits: 1)
        return resources.contains { pattern in
            if pattern == resource || pattern == "*" { return true }
            if parts.count == 2, pattern == "*/\(parts[1])" { return true }
            return pattern == "\(parts[0])/*"
        }
    }
}
