import ClusterModel
import FlowModel

/// Converts Calico policies to drafts.
struct CalicoDrafting {
    private let policy: CalicoPolicy
    private var findings: FindingCollector
    /// The namespace to which peers are restricted; nil in a global policy.
    private let namespace: String?

    private init(_ policy: CalicoPolicy, reference: ObjectReference) {
        self.policy = policy
        findings = FindingCollector(object: reference)
        namespace = Self.isGlobal(policy.kind) ? nil : (policy.metadata.namespace ?? "default")
    }

    /// Returns the draft, nil if the policy is not evaluated, and the findings.
    static func draft(_ policy: CalicoPolicy) -> (PolicyDraft?, [PolicyFinding]) {
        let reference = ObjectReference(
            kind: policy.kind,
            namespace: policy.metadata.namespace,
            name: policy.metadata.name
        )
        var drafting = CalicoDrafting(policy, reference: reference)
        let draft = drafting.draft(reference)
        // Of the staged actions, only Delete has no effect on staged verdicts.
        return (policy.stagedAction == .delete ? nil : draft, drafting.findings.all)
    }

    private static func isGlobal(_ kind: ObjectKind) -> Bool {
        kind == .globalNetworkPolicy || kind == .stagedGlobalNetworkPolicy
    }

    /// The kind and the name in hits; Calico's API presents Kubernetes policies as its own, under names with a prefix.
    private static func identity(_ policy: CalicoPolicy) -> (PolicyHit.Kind, String) {
        let name = policy.metadata.name
        let kind = hitKind(policy.kind)
        let shown: [(PolicyHit.Kind, String, PolicyHit.Kind)] = [
            (.networkPolicy, "knp.\(BuiltInTier.defaultTier).", .kubernetesNetworkPolicy),
            (.globalNetworkPolicy, "kanp.\(BuiltInTier.admin).", .adminNetworkPolicy),
            (.globalNetworkPolicy, "kbanp.\(BuiltInTier.baselineAdmin).", .baselineAdminNetworkPolicy),
            (.globalNetworkPolicy, "kcnp.\(policy.tier).", .clusterNetworkPolicy),
        ]
        for (from, prefix, to) in shown
        where kind == from && name.hasPrefix(prefix) && to.tiers?.contains(policy.tier) == true {
            return (to, String(name.dropFirst(prefix.count)))
        }
        return (kind, name)
    }

    private static func hitKind(_ kind: ObjectKind) -> PolicyHit.Kind {
        switch kind {
        case .globalNetworkPolicy: .globalNetworkPolicy
        case .stagedNetworkPolicy: .stagedNetworkPolicy
        case .stagedGlobalNetworkPolicy: .stagedGlobalNetworkPolicy
        default: .networkPolicy
        }
    }

    private mutating func draft(_ reference: ObjectReference) -> PolicyDraft? {
        let selector = subject()
        checkDirection(.ingress, policy.ingress, "spec.ingress", "Ingress")
        checkDirection(.egress, policy.egress, "spec.egress", "Egress")
        // All errors of a policy are reported at once, even if it selects nothing.
        let ingress = policy.directions.contains(.ingress) ? rules(policy.ingress, .ingress, "spec.ingress") : nil
        let egress = policy.directions.contains(.egress) ? rules(policy.egress, .egress, "spec.egress") : nil
        guard let selector else { return nil }
        let (kind, name) = Self.identity(policy)
        return PolicyDraft(
            reference: reference,
            kind: kind,
            name: name,
            tier: policy.tier.isEmpty ? BuiltInTier.defaultTier : policy.tier,
            order: policy.order ?? .infinity,
            selector: selector,
            hooks: hooks,
            ingress: ingress,
            egress: egress
        )
    }

    /// The hooks where the policy is evaluated; policies of other hooks apply to host endpoints only.
    private var hooks: Set<PolicyHook> {
        if policy.doNotTrack { return [.untracked] }
        if policy.preDNAT { return [.preDNAT] }
        return policy.applyOnForward ? [.end, .forward] : [.end]
    }

    /// Reports rules for a direction that the policy does not apply to.
    private mutating func checkDirection(
        _ direction: PolicyDirections,
        _ rules: [CalicoRule],
        _ path: String,
        _ type: String
    ) {
        guard !rules.isEmpty, !policy.directions.contains(direction) else { return }
        findings.add(path, .ineffective, "never evaluated: spec.types does not name \(type)")
    }

    /// The endpoints that the policy applies to; nil if one of its selectors is invalid.
    private mutating func subject() -> Selector? {
        let own = read(policy.selector, "spec.selector")
        let namespaces = read(policy.namespaceSelector, "spec.namespaceSelector")
        let accounts = read(policy.serviceAccountSelector, "spec.serviceAccountSelector")
        guard let own, let namespaces, let accounts else { return nil }
        if let reason = SelectorCheck.reason(own) {
            findings.add("spec.selector", .ineffective, "can never select anything: \(reason)")
        }
        var parts = [own]
        if let namespace {
            parts.append(.inNamespace(namespace))
        } else if !policy.namespaceSelector.isEmpty {
            parts.append(namespaces.ofNamespace)
        }
        if !policy.serviceAccountSelector.isEmpty { parts.append(accounts.ofServiceAccount) }
        return Selector(.conjunction(parts))
    }

    /// Parses a selector; adds a finding and returns nil if it is invalid.
    private mutating func read(_ text: String, _ path: String) -> SelectorExpression? {
        do throws(SelectorError) {
            return try Selector(text).expression
        } catch {
            findings.add(path, .unusable, error.reason, position: error.position)
            return nil
        }
    }

    // MARK: - Rules

    private mutating func rules(_ rules: [CalicoRule], _ direction: FlowDirection, _ path: String) -> [RuleDraft] {
        var drafts: [RuleDraft] = []
        drafts.reserveCapacity(rules.count)
        var decided: String?
        for (index, rule) in rules.enumerated() {
            let rulePath = "\(path)[\(index)]"
            let draft = RuleDraft(
                action: rule.action,
                criteria: criteria(of: rule, direction, rulePath),
                path: rulePath
            )
            RuleCheck.check(draft.criteria, at: rulePath, &findings)
            if let decided { findings.add(rulePath, .ineffective, "never reached: \(decided) matches everything") }
            if decided == nil, draft.criteria.isEmpty, rule.http == nil, rule.action != .log { decided = rulePath }
            drafts.append(draft)
        }
        return drafts
    }

    private mutating func criteria(of rule: CalicoRule, _ direction: FlowDirection, _ path: String) -> [Criterion] {
        var criteria: [Criterion] = []
        if let version = rule.ipVersion { criteria.append(.ipVersion(version)) }
        if let proto = rule.proto { criteria.append(Self.proto(proto, isNegated: false)) }
        if let proto = rule.notProto { criteria.append(Self.proto(proto, isNegated: true)) }
        if let icmp = rule.icmp { criteria.append(.icmp(icmp, isNegated: false)) }
        if let icmp = rule.notICMP, icmp != ICMPMatch() { criteria.append(.icmp(icmp, isNegated: true)) }
        // HTTP criteria are ignored: they cannot be evaluated for a connection, so they are assumed to match.
        criteria += entity(rule.source, .source, "\(path).source")
        criteria += entity(rule.destination, .destination, "\(path).destination")
        criteria += domains(of: rule, direction, path)
        return criteria
    }

    private static func proto(_ proto: ProtocolMatch, isNegated: Bool) -> Criterion {
        switch proto {
        case .number(let number): .proto(number, isNegated: isNegated)
        case .unreadable: .never("the protocol cannot be read")
        }
    }

    private mutating func entity(_ entity: EntityRule, _ side: FlowSide, _ path: String) -> [Criterion] {
        var criteria: [Criterion] = []
        if !entity.ports.isEmpty { criteria.append(.ports(side, entity.ports, isNegated: false)) }
        if !entity.notPorts.isEmpty { criteria.append(.ports(side, entity.notPorts, isNegated: true)) }
        if let nets = entity.nets {
            criteria.append(
                nets.isEmpty ? .never("no range of \(path).nets can be read") : .nets(side, nets, isNegated: false)
            )
        }
        if !entity.notNets.isEmpty { criteria.append(.nets(side, entity.notNets, isNegated: true)) }
        if let service = entity.service { criteria.append(self.service(service, side, path)) }
        return criteria + selectors(entity, side, path)
    }

    /// The criterion for the domain names of the destination; Calico accepts them only in egress rules that allow.
    private mutating func domains(of rule: CalicoRule, _ direction: FlowDirection, _ path: String) -> [Criterion] {
        let names = rule.destination.domains
        guard !names.isEmpty || !rule.source.domains.isEmpty else { return [] }
        guard rule.source.domains.isEmpty, direction == .egress, rule.action == .allow else {
            return [.never("domain names are accepted in the destination of egress rules that allow only")]
        }
        let patterns = names.compactMap { DomainPattern($0) }
        for (index, name) in names.enumerated() {
            guard let error = DomainPattern.error(in: name) else { continue }
            findings.add("\(path).destination.domains[\(index)]", .unusable, error)
        }
        return [patterns.isEmpty ? .never("no name of \(path).destination.domains can be read") : .domains(patterns)]
    }

    private mutating func service(_ service: ServiceMatch, _ side: FlowSide, _ path: String) -> Criterion {
        guard let namespace = service.namespace ?? namespace else {
            findings.add("\(path).services", .unusable, "a global policy must name the namespace of a service")
            return .never("the service has no namespace")
        }
        return .service(side, ServiceName(namespace: namespace, name: service.name))
    }

    /// Combines the selectors of an entity: its namespaces, endpoints and service accounts.
    ///
    /// Calico scopes these selectors: if a namespaced policy selects endpoints without selecting namespaces, only
    /// endpoints of its own namespace match.
    private mutating func selectors(_ entity: EntityRule, _ side: FlowSide, _ path: String) -> [Criterion] {
        let accounts = entity.serviceAccounts ?? ServiceAccountMatch()
        let hasAccounts = !accounts.names.isEmpty || !accounts.selector.isEmpty
        guard
            let own = read(entity.selector, "\(path).selector"),
            let not = read(entity.notSelector, "\(path).notSelector"),
            let namespaces = read(entity.namespaceSelector, "\(path).namespaceSelector"),
            let account = read(accounts.selector, "\(path).serviceAccounts.selector")
        else { return [.never("a selector cannot be read")] }
        var parts: [SelectorExpression] = []
        if !entity.namespaceSelector.isEmpty {
            parts.append(namespaces.ofNamespace)
        } else if let namespace, !entity.selector.isEmpty || !entity.notSelector.isEmpty || hasAccounts {
            parts.append(.inNamespace(namespace))
        }
        if !accounts.selector.isEmpty { parts.append(account.ofServiceAccount) }
        if !accounts.names.isEmpty { parts.append(.withServiceAccount(accounts.names)) }
        if !entity.selector.isEmpty { parts.append(own) }
        var criteria: [Criterion] = []
        if !parts.isEmpty { criteria.append(.selector(side, Selector(.conjunction(parts)), isNegated: false)) }
        if !entity.notSelector.isEmpty { criteria.append(.selector(side, Selector(not), isNegated: true)) }
        return criteria
    }
}
