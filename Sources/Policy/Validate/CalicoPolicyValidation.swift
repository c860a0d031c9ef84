import ClusterModel

/// Validates Calico policies: NetworkPolicy, GlobalNetworkPolicy, and their staged forms.
struct CalicoPolicyValidation {
    private let kind: ObjectKind
    private let isGlobal: Bool

    init(_ kind: ObjectKind) {
        self.kind = kind
        isGlobal = !kind.isNamespaced
    }

    func check(_ spec: CheckedField) {
        spec.expectObject(.calicoPolicy(kind))
        if kind == .stagedNetworkPolicy || kind == .stagedGlobalNetworkPolicy {
            Self.checkStagedAction(spec, alsoWithDelete: ["tier"])
        }
        if let tier = spec["tier"].nonEmptyString(), !ObjectName.isSubdomain(tier) {
            spec["tier"].refuse("this is no name of a tier: at most 63 of a-z, 0-9 and -")
        }
        _ = spec["order"].number()
        CalicoSelectorValidation.check(spec["selector"])
        CalicoSelectorValidation.check(spec["serviceAccountSelector"])
        if isGlobal { CalicoSelectorValidation.check(spec["namespaceSelector"]) }
        checkTypes(spec["types"])
        if isGlobal { checkHooks(spec) }
        for (member, isEgress) in [("ingress", false), ("egress", true)] {
            for rule in spec[member].elements() {
                CalicoRuleValidation(isEgress: isEgress, isGlobal: isGlobal).check(rule)
            }
        }
    }

    /// Validates the staged action; a policy with the action Delete has no other members.
    static func checkStagedAction(_ spec: CheckedField, alsoWithDelete allowed: [String]) {
        guard spec["stagedAction"].word(of: ["Set", "Delete", "Learn", "Ignore"]) == "Delete" else { return }
        for (key, field) in spec.members() where key != "stagedAction" && !allowed.contains(key) && !field.isEmpty {
            field.refuse("stagedAction is Delete, which allows no other field; leave this out")
        }
    }

    private func checkTypes(_ types: CheckedField) {
        var seen: Set<String> = []
        for type in types.elements() {
            guard let word = type.word(of: ["Ingress", "Egress"], isRequired: true) else { continue }
            if !seen.insert(word).inserted { type.refuse("\(word) is listed twice; name each type once") }
        }
    }

    /// Validates the hooks in the host's packet path at which a global policy applies.
    private func checkHooks(_ spec: CheckedField) {
        let (untracked, beforeNAT) = (spec["doNotTrack"].flag(), spec["preDNAT"].flag())
        let isForwarded = spec["applyOnForward"].flag()
        guard untracked || beforeNAT else { return }
        if untracked, beforeNAT {
            spec["preDNAT"].refuse("doNotTrack and preDNAT exclude each other; write one of them")
        }
        if !isForwarded {
            spec["applyOnForward"].refuse("doNotTrack and preDNAT need applyOnForward: true")
        }
        guard beforeNAT else { return }
        if !spec["egress"].isEmpty { spec["egress"].refuse("a preDNAT policy has no egress rules; leave them out") }
        for type in spec["types"].elements() where type.string() == "Egress" {
            type.refuse("a preDNAT policy governs ingress only; leave Egress out")
        }
    }
}

/// Validates Calico selectors.
enum CalicoSelectorValidation {
    /// The maximum length of a selector from 3.32 on.
    private static let lengthLimit = 1_024

    /// - Parameters:
    ///   - field: the selector.
    ///   - allowsGlobal: whether it is a rule's namespace selector, which may contain `global()`.
    static func check(_ field: CheckedField, allowsGlobal: Bool = false) {
        guard let text = field.nonEmptyString() else { return }
        if text.utf8.count > lengthLimit {
            field.doubt("it has \(text.utf8.count) bytes; Calico refuses more than \(lengthLimit) from 3.32 on")
        }
        let selector: Selector
        do throws(SelectorError) {
            selector = try Selector(text)
        } catch {
            return field.refuse(error.reason, position: error.position)
        }
        guard selector.expression.hasGlobal else { return }
        if !allowsGlobal {
            field.refuse("global() is accepted in the namespaceSelector of a rule's source or destination only")
        } else if selector.expression != .global {
            field.refuse("global() cannot be combined with other conditions; it must be used alone")
        }
    }
}

extension SelectorExpression {
    /// Whether the selector contains `global()`.
    fileprivate var hasGlobal: Bool {
        switch self {
        case .global: true
        case .not(let inner): inner.hasGlobal
        case .and(let parts), .or(let parts): parts.contains(where: \.hasGlobal)
        case .all, .has, .compare, .among: false
        }
    }
}
