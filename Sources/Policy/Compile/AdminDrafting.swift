import ClusterModel
import FlowModel

/// Converts AdminNetworkPolicies, BaselineAdminNetworkPolicies and ClusterNetworkPolicies to drafts.
enum AdminDrafting {
    /// Returns the draft, nil if the policy has no subject, and the findings.
    static func draft(_ policy: AdminPolicy) -> (PolicyDraft?, [PolicyFinding]) {
        let reference = ObjectReference(kind: policy.kind, namespace: nil, name: policy.metadata.name)
        var findings = FindingCollector(object: reference)
        guard let selector = subject(policy.subject) else {
            findings.add("spec.subject", .unusable, "it names neither namespaces nor pods")
            return (nil, findings.all)
        }
        let ingress = rules(policy.ingress, peer: .source, "spec.ingress", &findings)
        let egress = rules(policy.egress, peer: .destination, "spec.egress", &findings)
        let draft = PolicyDraft(
            reference: reference,
            kind: hitKind(policy.kind),
            name: policy.metadata.name,
            tier: tier(policy),
            order: Double(policy.priority),
            selector: selector,
            // The policy applies to a direction only if rules for the direction remain.
            ingress: ingress.isEmpty ? nil : ingress,
            egress: egress.isEmpty ? nil : egress
        )
        return (draft, findings.all)
    }

    private static func hitKind(_ kind: ObjectKind) -> PolicyHit.Kind {
        switch kind {
        case .adminNetworkPolicy: .adminNetworkPolicy
        case .baselineAdminNetworkPolicy: .baselineAdminNetworkPolicy
        default: .clusterNetworkPolicy
        }
    }

    private static func tier(_ policy: AdminPolicy) -> String {
        switch policy.kind {
        case .adminNetworkPolicy: BuiltInTier.admin
        case .baselineAdminNetworkPolicy: BuiltInTier.baselineAdmin
        default: policy.tier == .admin ? BuiltInTier.kubeAdmin : BuiltInTier.kubeBaseline
        }
    }

    private static func subject(_ subject: AdminPolicy.Subject) -> Selector? {
        switch subject {
        case .namespaces(let namespaces): Selector(.conjunction([.pods(nil), .namespaces(namespaces)]))
        case .pods(let namespaces, let pods): Selector(.conjunction([.pods(pods), .namespaces(namespaces)]))
        case .unknown: nil
        }
    }

    // MARK: - Rules

    private static func rules(
        _ rules: [AdminPolicyRule],
        peer side: FlowSide,
        _ path: String,
        _ findings: inout FindingCollector
    ) -> [RuleDraft] {
        var drafts: [RuleDraft] = []
        for (index, rule) in rules.enumerated() {
            let path = "\(path)[\(index)]"
            do throws(Unconvertible) {
                let expanded = try expand(rule, side, path)
                if rule.peers.isEmpty { findings.add(path, .ineffective, "can never match: it names no peers") }
                for draft in expanded { RuleCheck.check(draft.criteria, at: path, &findings) }
                drafts += expanded
            } catch {
                drafts += closed(rule, path, error.reason, &findings)
            }
        }
        return drafts
    }

    /// Replaces a rule that Calico cannot convert: an Accept rule is omitted, any other rule denies everything.
    private static func closed(
        _ rule: AdminPolicyRule,
        _ path: String,
        _ reason: String,
        _ findings: inout FindingCollector
    ) -> [RuleDraft] {
        guard rule.action != .accept else {
            findings.add(path, .unusable, "\(reason); the rule is left out")
            return []
        }
        findings.add(path, .unusable, "\(reason); the rule denies everything instead")
        return [RuleDraft(action: .deny, criteria: [], path: path)]
    }

    private struct Unconvertible: Error {
        var reason: String
    }

    /// Returns one rule for each protocol and peer, ordered by protocol.
    private static func expand(
        _ rule: AdminPolicyRule,
        _ side: FlowSide,
        _ path: String
    ) throws(Unconvertible) -> [RuleDraft] {
        var peers: [Criterion] = []
        for peer in rule.peers { peers.append(try criterion(of: peer, side)) }
        var drafts: [RuleDraft] = []
        for (proto, ports) in PortExpansion.expand(rule.ports, missingProtocol: [.tcp, .udp, .sctp]) {
            for peer in peers {
                var criteria: [Criterion] = []
                if let proto { criteria.append(.proto(proto, isNegated: false)) }
                if let ports { criteria.append(.ports(.destination, ports, isNegated: false)) }
                drafts.append(RuleDraft(action: action(rule.action), criteria: criteria + [peer], path: path))
            }
        }
        return drafts
    }

    private static func action(_ action: AdminPolicyRule.Action) -> CalicoRule.Action {
        switch action {
        case .accept: .allow
        case .deny: .deny
        case .pass: .pass
        }
    }

    private static func criterion(of peer: AdminPolicyPeer, _ side: FlowSide) throws(Unconvertible) -> Criterion {
        switch peer {
        case .namespaces(let namespaces): .selector(side, Selector(.namespaces(namespaces)), isNegated: false)
        case .pods(let namespaces, let pods):
            .selector(side, Selector(.conjunction([.pods(pods), .namespaces(namespaces)])), isNegated: false)
        case .networks(let networks) where !networks.isEmpty: .nets(side, networks, isNegated: false)
        case .networks: throw Unconvertible(reason: "no range of a peer can be read")
        case .nodes: throw Unconvertible(reason: "nodes as peers are not supported")
        case .domainNames: throw Unconvertible(reason: "domain names as peers are not supported")
        case .unknown: throw Unconvertible(reason: "a peer names nothing that is supported")
        }
    }
}
