/// An API server's audit policy: the requests that are logged, and the level.
///
/// Source of the semantics: `staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go` of Kubernetes.
package struct AuditPolicy: Sendable, Hashable {
    /// Resources of a group.
    package struct Resources: Sendable, Hashable {
        /// The group; empty for the core group.
        package var group = ""
        /// `pods`, `pods/status`, `pods/*`, `*/status`, `*`; empty for all resources of the group.
        package var resources: [String] = []
        /// Names of objects; empty for all.
        package var names: [String] = []
    }

    /// A rule; an empty list does not restrict it.
    package struct Rule: Sendable, Hashable {
        /// The level for matching requests; nil if it is missing or unknown.
        package var level: AuditLevel?
        /// Names of users.
        package var users: [String] = []
        /// Groups of users.
        package var userGroups: [String] = []
        /// Verbs.
        package var verbs: [String] = []
        /// Resources.
        package var resources: [Resources] = []
        /// The namespaces; the empty name matches cluster-scoped objects.
        package var namespaces: [String] = []
        /// Non-resource paths.
        package var nonResourceURLs: [String] = []
        /// Stages that are not logged.
        package var omitStages: [String] = []
        /// Whether managed fields are omitted; nil for the policy's setting.
        package var omitManagedFields: Bool?
    }

    /// `apiVersion`.
    package var apiVersion = "audit.k8s.io/v1"
    /// The rules; the first matching rule counts.
    package var rules: [Rule] = []
    /// Stages that are not logged.
    package var omitStages: [String] = []
    /// Whether managed fields are omitted.
    package var omitManagedFields = false
    /// Unknown members, and invalid values.
    package var mistakes: [String] = []
}

extension AuditPolicy {
    /// The level for one kind of request.
    package struct Answer: Sendable, Hashable {
        /// The level for all users and namespaces.
        package var level: AuditLevel
        /// The index of the rule that decides; nil if none matches.
        package var rule: Int?
        /// The indices of earlier rules that match only some of these requests and have another level.
        package var exceptions: [Int]
    }

    /// Returns the level for requests for objects.
    ///
    /// - Parameters:
    ///   - verb: the verb of the requests.
    ///   - resource: the resource, such as `pods` or `pods/status`.
    ///   - group: the API group of the resource.
    /// - Returns: the level, and the rules that decide.
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
    /// The requests of a verb and a resource that a rule matches: none, some or all.
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
        // Object names do not restrict an entry without resources.
        return matching.contains { $0.names.isEmpty || $0.resources.isEmpty } ? match : .some
    }

    /// The restriction of the rule to users and objects, as text.
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
