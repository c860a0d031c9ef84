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
        for member in ["selector", "serviceAccountSelector"] + (isGlobal ? ["namespaceSelector"] : []) {
            CalicoSelectorValidation(.refused).check(spec[member])
        }
        checkTypes(spec["types"])
        checkHints(spec["performanceHints"])
        if isGlobal { checkHooks(spec) }
        for (member, isEgress) in [("ingress", false), ("egress", true)] {
            spec[member].checkCount(upTo: 1_024, since: "3.33")
            for rule in spec[member].elements() {
                CalicoRuleValidation(isEgress: isEgress, isGlobal: isGlobal).check(rule)
            }
        }
    }

    /// Validates the staged action; a policy with the action Delete may have no other members.
    static func checkStagedAction(_ spec: CheckedField, alsoWithDelete allowed: [String]) {
        guard spec["stagedAction"].word(of: ["Set", "Delete", "Learn", "Ignore"]) == "Delete" else { return }
        for (key, field) in spec.members() where key != "stagedAction" && !allowed.contains(key) && !field.isZero {
            field.refuse("stagedAction is Delete, which allows no other field; leave this out")
        }
    }

    /// Reports an empty list of directions of a Calico policy, or of a staged Kubernetes policy.
    static func checkIsNotEmpty(_ types: CheckedField) {
        guard types.isPresent, types.isEmpty else { return }
        types.doubt("there is no type in it, which Calico refuses from 3.32 on; leave it out")
    }

    private func checkTypes(_ types: CheckedField) {
        Self.checkIsNotEmpty(types)
        for type in types.elements() { type.word(of: ["Ingress", "Egress"], isRequired: true) }
        types.checkRepetitions()
    }

    private func checkHints(_ hints: CheckedField) {
        for hint in hints.elements() { hint.word(of: ["AssumeNeededOnEveryNode"], isRequired: true) }
        hints.checkRepetitions()
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
struct CalicoSelectorValidation {
    /// The treatment of `global()` in a selector.
    enum GlobalUse {
        /// Refused, also within a string.
        case refused
        /// Accepted, but only alone.
        case alone
        /// Accepted, but without effect.
        case accepted
    }

    /// The maximum length of a selector from 3.33 on, in characters.
    private static let lengthLimit = 1_024

    private let global: GlobalUse
    private let hasLimit: Bool

    init(_ global: GlobalUse, hasLimit: Bool = true) {
        self.global = global
        self.hasLimit = hasLimit
    }

    func check(_ field: CheckedField) {
        guard let text = field.nonEmptyString() else { return }
        let length = text.unicodeScalars.count
        if hasLimit, length > Self.lengthLimit {
            field.doubt("it has \(length) characters; Calico refuses more than \(Self.lengthLimit) from 3.33 on")
        }
        let selector: Selector
        do throws(SelectorError) {
            selector = try Selector(text)
        } catch {
            return field.refuse(error.reason, position: error.position)
        }
        checkGlobal(field, text, selector.expression)
    }

    /// Validates the use of `global()`; Calico's validators search for its text.
    private func checkGlobal(_ field: CheckedField, _ text: String, _ expression: SelectorExpression) {
        let hasText = text.contains("global(")
        switch global {
        case .refused:
            guard hasText || expression.hasGlobal else { return }
            field.refuse("global() is accepted in the namespaceSelector of a rule's source or destination only")
        case .alone:
            guard hasText, text.filter({ $0 != " " && $0 != "\t" }) != "global()" else { return }
            field.refuse("global() cannot be combined with other conditions; it must be used alone")
        case .accepted:
            guard expression.hasGlobal else { return }
            field.doubt("global() means something in a namespaceSelector only; here it is true for every endpoint")
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
