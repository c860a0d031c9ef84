import ClusterModel
import FlowModel

/// Brings policies of all kinds into the reference's form.
enum ReferencePolicy {
    static func make(_ object: ClusterObject) -> ReferenceWorld.Policy? {
        switch object {
        case .calicoPolicy(let policy): calico(policy)
        case .networkPolicy(let policy): kubernetes(policy.spec, policy.metadata, isStaged: false)
        case .stagedKubernetesPolicy(let policy):
            policy.stagedAction == .delete ? nil : kubernetes(policy.spec, policy.metadata, isStaged: true)
        case .adminPolicy(let policy): admin(policy)
        default: nil
        }
    }

    // MARK: - Calico

    private static func calico(_ policy: CalicoPolicy) -> ReferenceWorld.Policy? {
        guard !policy.doNotTrack, !policy.preDNAT, policy.stagedAction != .delete else { return nil }
        let kinds: [ObjectKind: String] = [
            .calicoNetworkPolicy: "NetworkPolicy", .globalNetworkPolicy: "GlobalNetworkPolicy",
            .stagedNetworkPolicy: "StagedNetworkPolicy", .stagedGlobalNetworkPolicy: "StagedGlobalNetworkPolicy",
        ]
        let isGlobal = policy.kind == .globalNetworkPolicy || policy.kind == .stagedGlobalNetworkPolicy
        let namespace = isGlobal ? nil : policy.metadata.namespace
        guard let own = try? ReferenceSelector(policy.selector),
            let namespaces = try? ReferenceSelector(policy.namespaceSelector),
            let accounts = try? ReferenceSelector(policy.serviceAccountSelector)
        else { return nil }
        return ReferenceWorld.Policy(
            kind: kinds[policy.kind] ?? "?",
            isStaged: policy.kind == .stagedNetworkPolicy || policy.kind == .stagedGlobalNetworkPolicy,
            tier: policy.tier,
            order: policy.order ?? .infinity,
            namespace: namespace,
            name: policy.metadata.name,
            appliesTo: { labels in
                own.matches(labels)
                    && (namespace == nil || labels["projectcalico.org/namespace"] == namespace)
                    && (namespace != nil || policy.namespaceSelector.isEmpty
                        || namespaces.matches(labels, prefix: "pcns.", ofNamespaces: true))
                    && (policy.serviceAccountSelector.isEmpty || accounts.matches(labels, prefix: "pcsa."))
            },
            ingress: policy.directions.contains(.ingress) ? policy.ingress.map { rule($0, namespace) } : nil,
            egress: policy.directions.contains(.egress) ? policy.egress.map { rule($0, namespace) } : nil
        )
    }

    private static func rule(_ rule: CalicoRule, _ namespace: String?) -> ReferenceRule {
        var result = ReferenceRule(action: rule.action.rawValue.lowercased())
        result.ipVersion = rule.ipVersion
        result.proto = rule.proto
        result.notProto = rule.notProto
        result.icmp = rule.icmp
        result.notICMP = rule.notICMP
        guard let source = entity(rule.source, namespace), let destination = entity(rule.destination, namespace) else {
            result.neverMatches = true
            return result
        }
        result.source = source
        result.destination = destination
        return result
    }

    private static func entity(_ rule: EntityRule, _ namespace: String?) -> ReferenceRule.Entity? {
        let accounts = rule.serviceAccounts ?? ServiceAccountMatch()
        guard let own = try? ReferenceSelector(rule.selector), let not = try? ReferenceSelector(rule.notSelector),
            let namespaces = try? ReferenceSelector(rule.namespaceSelector),
            let account = try? ReferenceSelector(accounts.selector), rule.domains.isEmpty
        else { return nil }
        var entity = ReferenceRule.Entity()
        let hasAccounts = !accounts.names.isEmpty || !accounts.selector.isEmpty
        let asksForEndpoints = !rule.selector.isEmpty || !rule.notSelector.isEmpty || hasAccounts
        let isOwnNamespace = namespace != nil && rule.namespaceSelector.isEmpty && asksForEndpoints
        if !rule.namespaceSelector.isEmpty || !rule.selector.isEmpty || hasAccounts || isOwnNamespace {
            entity.selected = { labels in
                (rule.namespaceSelector.isEmpty || namespaces.matches(labels, prefix: "pcns.", ofNamespaces: true))
                    && (!isOwnNamespace || labels["projectcalico.org/namespace"] == namespace)
                    && (accounts.selector.isEmpty || account.matches(labels, prefix: "pcsa."))
                    && (accounts.names.isEmpty
                        || labels["projectcalico.org/serviceaccount"].map(accounts.names.contains) ?? false)
                    && own.matches(labels)
            }
        }
        if !rule.notSelector.isEmpty { entity.notSelected = { not.matches($0) } }
        entity.nets = rule.nets
        entity.notNets = rule.notNets
        entity.ports = rule.ports
        entity.notPorts = rule.notPorts
        if let service = rule.service {
            guard let home = service.namespace ?? namespace else { return nil }
            entity.service = "\(home)/\(service.name)"
        }
        return entity
    }

    // MARK: - Kubernetes

    private static func selects(_ selector: LabelSelector, _ labels: [String: String], prefix: String = "") -> Bool {
        selector.labels.allSatisfy { labels[prefix + $0.key] == $0.value }
            && selector.requirements.allSatisfy { requirement in
                let own = labels[prefix + requirement.key]
                return switch requirement.comparison {
                case .exists: own != nil
                case .doesNotExist: own == nil
                case .in: own.map(requirement.values.contains) ?? false
                case .notIn: own.map { !requirement.values.contains($0) } ?? true
                }
            }
    }

    private static func isPod(_ labels: [String: String]) -> Bool { labels["projectcalico.org/orchestrator"] == "k8s" }

    private static func isInNamespace(_ selector: LabelSelector, _ labels: [String: String]) -> Bool {
        (!selector.isEmpty || labels["projectcalico.org/namespace"] != nil)
            && selects(selector, labels, prefix: "pcns.")
    }

    private static func kubernetes(
        _ spec: NetworkPolicySpec,
        _ metadata: ObjectMetadata,
        isStaged: Bool
    ) -> ReferenceWorld.Policy {
        let namespace = metadata.namespace
        func expand(_ rules: [NetworkPolicyRule], isIngress: Bool) -> [ReferenceRule] {
            var expanded: [ReferenceRule] = []
            for rule in rules {
                for (proto, ports) in portGroups(rule.ports ?? [], withoutProtocol: [.tcp]) {
                    for peer in (rule.peers ?? []).isEmpty ? [nil] : (rule.peers ?? []).map(Optional.some) {
                        var result = ReferenceRule(action: "allow")
                        result.proto = proto.map { .number($0) }
                        let end = peer.map { entity($0, namespace) } ?? ReferenceRule.Entity()
                        result.neverMatches = end == nil
                        if isIngress { result.source = end ?? .init() } else { result.destination = end ?? .init() }
                        result.destination.ports = ports
                        expanded.append(result)
                    }
                }
            }
            return expanded
        }
        return ReferenceWorld.Policy(
            kind: isStaged ? "StagedKubernetesNetworkPolicy" : "KubernetesNetworkPolicy",
            isStaged: isStaged,
            tier: "default",
            order: 1000,
            namespace: namespace,
            name: metadata.name,
            appliesTo: {
                isPod($0) && $0["projectcalico.org/namespace"] == namespace && selects(spec.podSelector, $0)
            },
            ingress: spec.directions.contains(.ingress) ? expand(spec.ingress, isIngress: true) : nil,
            egress: spec.directions.contains(.egress) ? expand(spec.egress, isIngress: false) : nil
        )
    }

    private static func entity(_ peer: NetworkPolicyPeer, _ namespace: String?) -> ReferenceRule.Entity? {
        var entity = ReferenceRule.Entity()
        switch peer {
        case .unknown: return nil
        case .block(let block):
            guard let range = block.range else { return nil }
            entity.nets = [range]
            entity.notNets = block.except
        case .pods(let namespaces, let pods):
            entity.selected = { labels in
                isPod(labels) && (pods.map { selects($0, labels) } ?? true)
                    && (namespaces.map { isInNamespace($0, labels) }
                        ?? (labels["projectcalico.org/namespace"] == namespace))
            }
        }
        return entity
    }

    /// Ports by protocol, protocols by name; no protocol for everything.
    private static func portGroups(
        _ ports: [PolicyPort],
        withoutProtocol: [IPProtocol]
    ) -> [(IPProtocol?, [PortMatch])] {
        if ports.isEmpty || ports.contains(where: { $0.proto == nil && $0.port == nil }) { return [(nil, [])] }
        var groups: [(IPProtocol?, [PortMatch])] = []
        for proto in [IPProtocol.sctp, .tcp, .udp] {
            let own = ports.filter { $0.proto == proto || $0.proto == nil && withoutProtocol.contains(proto) }
            guard !own.isEmpty else { continue }
            groups.append((proto, own.contains { $0.port == nil } ? [] : own.compactMap(\.port)))
        }
        return groups
    }

    // MARK: - Policies of administrators

    private static func admin(_ policy: AdminPolicy) -> ReferenceWorld.Policy? {
        func appliesTo(_ labels: [String: String]) -> Bool {
            switch policy.subject {
            case .unknown: false
            case .namespaces(let namespaces): isPod(labels) && isInNamespace(namespaces, labels)
            case .pods(let namespaces, let pods):
                isPod(labels) && isInNamespace(namespaces, labels) && selects(pods, labels)
            }
        }
        let ingress = policy.ingress.flatMap { expand($0, isIngress: true) }
        let egress = policy.egress.flatMap { expand($0, isIngress: false) }
        let kind: String
        let tier: String
        switch policy.kind {
        case .adminNetworkPolicy: (kind, tier) = ("KubernetesAdminNetworkPolicy", "adminnetworkpolicy")
        case .baselineAdminNetworkPolicy:
            (kind, tier) = ("KubernetesBaselineAdminNetworkPolicy", "baselineadminnetworkpolicy")
        default:
            (kind, tier) = ("KubernetesClusterNetworkPolicy", policy.tier == .admin ? "kube-admin" : "kube-baseline")
        }
        return ReferenceWorld.Policy(
            kind: kind,
            isStaged: false,
            tier: tier,
            order: Double(policy.priority),
            namespace: nil,
            name: policy.metadata.name,
            appliesTo: appliesTo,
            ingress: ingress.isEmpty ? nil : ingress,
            egress: egress.isEmpty ? nil : egress
        )
    }

    private static func expand(_ rule: AdminPolicyRule, isIngress: Bool) -> [ReferenceRule] {
        var expanded: [ReferenceRule] = []
        let action = rule.action == .accept ? "allow" : rule.action.rawValue.lowercased()
        for (proto, ports) in portGroups(rule.ports ?? [], withoutProtocol: [.tcp, .udp, .sctp]) {
            for peer in rule.peers {
                guard let end = entity(peer) else {
                    return action == "allow" ? [] : [ReferenceRule(action: "deny")]
                }
                var result = ReferenceRule(action: action)
                result.proto = proto.map { .number($0) }
                if isIngress { result.source = end } else { result.destination = end }
                result.destination.ports = ports
                expanded.append(result)
            }
        }
        return expanded
    }

    private static func entity(_ peer: AdminPolicyPeer) -> ReferenceRule.Entity? {
        var entity = ReferenceRule.Entity()
        switch peer {
        case .namespaces(let namespaces): entity.selected = { isInNamespace(namespaces, $0) }
        case .pods(let namespaces, let pods):
            entity.selected = { isPod($0) && isInNamespace(namespaces, $0) && selects(pods, $0) }
        case .networks(let networks) where !networks.isEmpty: entity.nets = networks
        default: return nil
        }
        return entity
    }
}
