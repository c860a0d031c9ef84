import ClusterModel
import FlowModel

/// Converts Kubernetes NetworkPolicies, enforced or staged, to drafts with the same rules as Calico's conversion.
enum KubernetesDrafting {
    /// The order of all Kubernetes NetworkPolicies in the default tier.
    static let order = 1_000.0

    /// Returns the draft and the findings.
    static func draft(_ policy: NetworkPolicy) -> (PolicyDraft?, [PolicyFinding]) {
        draft(policy.spec, policy.metadata, .networkPolicy, .kubernetesNetworkPolicy)
    }

    /// Returns the draft, nil for a staged deletion, and the findings.
    static func draft(_ policy: StagedKubernetesPolicy) -> (PolicyDraft?, [PolicyFinding]) {
        let (draft, findings) = draft(
            policy.spec,
            policy.metadata,
            .stagedKubernetesNetworkPolicy,
            .stagedKubernetesNetworkPolicy
        )
        return (policy.stagedAction == .delete ? nil : draft, findings)
    }

    private static func draft(
        _ spec: NetworkPolicySpec,
        _ metadata: ObjectMetadata,
        _ objectKind: ObjectKind,
        _ kind: PolicyHit.Kind
    ) -> (PolicyDraft?, [PolicyFinding]) {
        let namespace = metadata.namespace ?? "default"
        let reference = ObjectReference(kind: objectKind, namespace: metadata.namespace, name: metadata.name)
        var findings = FindingCollector(object: reference)
        func rules(_ side: FlowSide) -> [RuleDraft]? {
            let rules = side == .source ? spec.ingress : spec.egress
            let path = side == .source ? "spec.ingress" : "spec.egress"
            guard spec.directions.contains(side == .source ? .ingress : .egress) else {
                if !rules.isEmpty {
                    let type = side == .source ? "Ingress" : "Egress"
                    findings.add(path, .ineffective, "never evaluated: spec.policyTypes does not name \(type)")
                }
                return nil
            }
            return rules.enumerated().flatMap { index, rule in
                expand(rule, peer: side, namespace: namespace, path: "\(path)[\(index)]", &findings)
            }
        }
        let draft = PolicyDraft(
            reference: reference,
            kind: kind,
            name: metadata.name,
            tier: BuiltInTier.defaultTier,
            order: order,
            selector: Selector(.conjunction([.pods(spec.podSelector), .inNamespace(namespace)])),
            ingress: rules(.source),
            egress: rules(.destination)
        )
        return (draft, findings.all)
    }

    /// Returns one rule for each protocol and peer, ordered by protocol.
    private static func expand(
        _ rule: NetworkPolicyRule,
        peer side: FlowSide,
        namespace: String,
        path: String,
        _ findings: inout FindingCollector
    ) -> [RuleDraft] {
        var peers: [[Criterion]] = [[]]
        if let list = rule.peers, !list.isEmpty { peers = list.map { criteria(of: $0, side, namespace) } }
        for (index, peer) in peers.enumerated() {
            RuleCheck.check(peer, at: "\(path).\(side == .source ? "from" : "to")[\(index)]", &findings)
        }
        var drafts: [RuleDraft] = []
        for (proto, ports) in PortExpansion.expand(rule.ports, missingProtocol: [.tcp]) {
            var criteria: [Criterion] = []
            if let proto { criteria.append(.proto(proto, isNegated: false)) }
            if let ports { criteria.append(.ports(.destination, ports, isNegated: false)) }
            RuleCheck.check(criteria, at: "\(path).ports", &findings)
            for peer in peers { drafts.append(RuleDraft(action: .allow, criteria: criteria + peer, path: path)) }
        }
        return drafts
    }

    private static func criteria(of peer: NetworkPolicyPeer, _ side: FlowSide, _ namespace: String) -> [Criterion] {
        switch peer {
        case .pods(let namespaces, let pods):
            let scope = namespaces.map(SelectorExpression.namespaces) ?? .inNamespace(namespace)
            return [.selector(side, Selector(.conjunction([scope, .pods(pods)])), isNegated: false)]
        case .block(let block):
            guard let range = block.range else { return [.never("the range of an ipBlock cannot be read")] }
            let inside = Criterion.nets(side, [range], isNegated: false)
            return block.except.isEmpty ? [inside] : [inside, .nets(side, block.except, isNegated: true)]
        case .unknown:
            return [.never("the peer names neither pods nor namespaces nor an ipBlock")]
        }
    }
}
