/// Checks which relevant resources an audit policy logs at which level, and what is missing.
package struct AuditPolicyCheck: Sendable {
    /// A relevant resource.
    package struct Resource: Sendable, Hashable {
        /// The resource.
        package var name: String
        /// Its group.
        package var group: String
        /// The consequence of missing events, for messages.
        package var use: String
        /// Whether the API is optional; a cluster without it has no such objects.
        package var isOptional: Bool
    }

    /// The levels for a resource.
    package struct Row: Sendable {
        /// The resource.
        package var resource: Resource
        /// The level for each of ``AuditPolicyCheck/verbs``.
        package var answers: [AuditPolicy.Answer]
    }

    /// A problem of the policy, or information about it.
    package struct Finding: Sendable, Hashable {
        /// Whether something does not work or leaks; otherwise this is information only.
        package var isError: Bool
        /// The text of the finding.
        package var text: String
    }

    /// The verbs of write requests.
    package static let verbs = ["create", "update", "patch", "delete", "deletecollection"]

    /// A row for each resource.
    package private(set) var rows: [Row] = []
    /// The findings, errors first.
    package private(set) var findings: [Finding] = []

    /// Subresources by which labels of pods and namespaces change, or by which pods are deleted.
    static let parts = ["pods/status", "pods/binding", "pods/eviction", "namespaces/status", "namespaces/finalize"]

    /// Checks a policy.
    ///
    /// - Parameters:
    ///   - policy: the policy.
    ///   - hasCalico: whether Calico's resources are relevant.
    ///   - hasAdminPolicies: whether cluster-wide policies of Kubernetes are relevant.
    package init(_ policy: AuditPolicy, hasCalico: Bool, hasAdminPolicies: Bool) {
        checkForm(policy)
        var resources = Self.core
        if hasCalico { resources += Self.calico }
        if hasAdminPolicies { resources += Self.admin }
        for resource in resources {
            let answers = Self.verbs.map { policy.answer($0, resource.name, group: resource.group) }
            rows.append(Row(resource: resource, answers: answers))
            check(policy, resource, answers)
        }
        checkParts(policy)
        checkSecrets(policy)
        findings = findings.filter(\.isError) + findings.filter { !$0.isError }
    }

    private mutating func say(_ text: String, isError: Bool) { findings.append(Finding(isError: isError, text: text)) }

    // MARK: - The policy

    private mutating func checkForm(_ policy: AuditPolicy) {
        switch policy.apiVersion {
        case "audit.k8s.io/v1": break
        case "audit.k8s.io/v1beta1", "audit.k8s.io/v1alpha1":
            say(
                "\(policy.apiVersion) was removed in Kubernetes 1.24: write audit.k8s.io/v1, which has the same members",
                isError: true
            )
        default: say("\(policy.apiVersion) is no version: write audit.k8s.io/v1", isError: true)
        }
        for mistake in policy.mistakes { say(mistake, isError: true) }
        if policy.rules.isEmpty { say("there are no rules: nothing is recorded", isError: true) }
        if !policy.omitStages.contains("RequestReceived") {
            say("RequestReceived is not omitted: each request is in the log twice", isError: false)
        }
        if !policy.omitManagedFields, !policy.rules.contains(where: { $0.omitManagedFields == true }) {
            say("omitManagedFields is not set: events with objects are about twice as long", isError: false)
        }
        if policy.omitStages.contains("ResponseComplete") {
            say("ResponseComplete is omitted: whether requests succeeded is not recorded", isError: true)
        }
    }

    // MARK: - Resources

    private mutating func check(_ policy: AuditPolicy, _ resource: Resource, _ answers: [AuditPolicy.Answer]) {
        let name = resource.group.isEmpty ? resource.name : "\(resource.name).\(resource.group)"
        let missing = zip(Self.verbs, answers).filter { $1.level == .none }.map { $0.0 }
        if missing.count == Self.verbs.count {
            say("\(name) is not recorded: \(resource.use)", isError: !resource.isOptional)
        } else if !missing.isEmpty {
            say(
                "\(name): \(missing.joined(separator: ", ")) is not recorded\(Self.note(missing))",
                isError: !resource.isOptional
            )
        }
        let shallow = zip(Self.verbs, answers).filter { $1.level == .metadata || $1.level == .request }
        if !shallow.isEmpty {
            let levels = Set(shallow.map(\.1.level.rawValue)).sorted().joined(separator: " and ")
            let verbs = shallow.count == Self.verbs.count ? "" : " for \(shallow.map { $0.0 }.joined(separator: ", "))"
            say("\(name) is recorded at \(levels)\(verbs): who and when, but not from what to what", isError: false)
        }
        for index in Set(answers.flatMap(\.exceptions)).sorted() {
            let rule = policy.rules[index]
            let level = (rule.level ?? .none).rawValue
            say("\(name): \(level) for \(rule.restriction) (rules[\(index)])", isError: false)
        }
    }

    private static func note(_ verbs: [String]) -> String {
        verbs.contains("deletecollection")
            ? ": what goes with a namespace is removed by deletecollection"
            : ": these changes are missing in every report"
    }

    /// Levels for some users only are ignored: most events are from kubelets, which cannot change labels by a pod's status.
    private mutating func checkParts(_ policy: AuditPolicy) {
        let missing = Self.parts.filter { part in
            let verbs = part.hasSuffix("status") || part.hasSuffix("finalize") ? ["update", "patch"] : ["create"]
            return verbs.contains { policy.answer($0, part, group: "").level == .none }
        }
        guard !missing.isEmpty else { return }
        say(
            "\(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not recorded: labels can be changed, "
                + "and pods evicted, without an event",
            isError: false
        )
    }

    private mutating func checkSecrets(_ policy: AuditPolicy) {
        for (resource, group, verb) in [
            ("secrets", "", "create"), ("secrets", "", "get"), ("serviceaccounts/token", "", "create"),
            ("tokenreviews", "authentication.k8s.io", "create"),
        ] {
            let answer = policy.answer(verb, resource, group: group)
            let levels = [answer.level] + answer.exceptions.map { policy.rules[$0].level ?? .none }
            guard levels.contains(where: { $0 > .metadata }) else { continue }
            say(
                "\(resource): \(verb) is recorded with bodies: credentials are in the log; add an earlier rule with level None or Metadata",
                isError: true
            )
        }
    }

    // MARK: - Relevant resources

    private static let core = [
        Resource(
            name: "networkpolicies",
            group: "networking.k8s.io",
            use: "policy-audit has no changes of policies",
            isOptional: false
        ),
        Resource(name: "pods", group: "", use: "inventory and network-access have no pods", isOptional: false),
        Resource(
            name: "namespaces",
            group: "",
            use: "changes of labels that policies select by are missing",
            isOptional: false
        ),
        Resource(
            name: "serviceaccounts",
            group: "",
            use: "changes of labels that policies select by are missing",
            isOptional: false
        ),
        Resource(name: "endpoints", group: "", use: "changes of where services lead are missing", isOptional: true),
        Resource(
            name: "endpointslices",
            group: "discovery.k8s.io",
            use: "changes of where services lead are missing",
            isOptional: false
        ),
        Resource(name: "services", group: "", use: "changes of services are missing", isOptional: true),
    ]

    private static let calico = AuditResource.calicoGroups.flatMap { group in
        AuditResource.calico.map {
            // Without Calico's API server, objects are written as custom resources; with it, as resources of its own group.
            Resource(
                name: $0,
                group: group,
                use: "policy-audit has no changes of it",
                isOptional: group.hasPrefix("crd.")
            )
        }
    }

    private static let admin = AuditResource.clusterPolicies.map {
        Resource(
            name: $0,
            group: "policy.networking.k8s.io",
            use: "policy-audit has no changes of it",
            isOptional: false
        )
    }
}
