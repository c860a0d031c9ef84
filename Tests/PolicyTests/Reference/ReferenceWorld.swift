import ClusterModel
import FlowModel
import Policy

/// The simplest evaluator of policies: it evaluates one policy and rule after the other from the objects, without
/// compilation or sharing.
///
/// It implements Calico's evaluation independently, and shares no code with the engine.
final class ReferenceWorld {
    struct Trace: Equatable {
        var action: FlowAction
        var enforced: [String]
        var pending: [String]
    }

    /// A policy in the form that Calico evaluates.
    struct Policy {
        var kind: String
        var isStaged: Bool
        var tier: String
        var order: Double
        var namespace: String?
        var name: String
        var appliesTo: ([String: String]) -> Bool
        var ingress: [ReferenceRule]?
        var egress: [ReferenceRule]?
    }

    private struct TierEntry {
        var name: String
        var order: Double
        var passes: Bool
    }

    private struct Hit {
        var policy: Policy?
        var action: String
        var rule: Int
    }

    /// A network set: its labels, as selectors use them, and its ranges.
    private struct Set_ {
        var labels: [String: String]
        var nets: [IPPrefix]
    }

    private let format: PolicyFormat
    private var tiers: [TierEntry] = []
    private var policies: [Policy] = []
    private var namespaces: [String: [Label]] = [:]
    private var accounts: [String: [Label]] = [:]
    private var sets: [Set_] = []
    private var services: [String: [(IPAddress, UInt16, IPProtocol)]] = [:]
    private var labels: [UInt64: [String: String]] = [:]
    private var applicable: [UInt64: [Bool]] = [:]
    private var setsAt: [IPAddress: [[String: String]]] = [:]

    init(_ objects: [ClusterObject], format: PolicyFormat) {
        self.format = format
        tiers = [
            TierEntry(name: "default", order: 1e6, passes: false),
            TierEntry(name: "kube-admin", order: 1e3, passes: true),
            TierEntry(name: "kube-baseline", order: 1e7, passes: true),
            TierEntry(name: "adminnetworkpolicy", order: 1e3, passes: true),
            TierEntry(name: "baselineadminnetworkpolicy", order: 1e7, passes: true),
        ]
        for case .namespace(let namespace) in objects {
            namespaces[namespace.metadata.name] = namespace.metadata.labels
        }
        for case .serviceAccount(let account) in objects {
            accounts["\(account.metadata.namespace ?? "")/\(account.metadata.name)"] = account.metadata.labels
        }
        for object in objects { add(object) }
        tiers.sort { $0.order == $1.order ? $0.name < $1.name : $0.order < $1.order }
        let order = Dictionary(uniqueKeysWithValues: tiers.enumerated().map { ($1.name, $0) })
        policies = policies.filter { order[$0.tier] != nil }
        policies.sort { one, other in
            let (tier, otherTier) = (order[one.tier] ?? 0, order[other.tier] ?? 0)
            if tier != otherTier { return tier < otherTier }
            if one.order != other.order { return one.order < other.order }
            return tieText(one) < tieText(other)
        }
    }

    private func tieText(_ policy: Policy) -> String {
        if format == .calico332 { return "\(policy.name)/\(policy.namespace ?? "")/\(policy.kind)" }
        let scope = policy.namespace.map { "\($0)/" } ?? ""
        let staged = policy.isStaged ? "staged:" : ""
        let special = [
            "AdminNetworkPolicy": "kanp", "BaselineAdminNetworkPolicy": "kbanp", "ClusterNetworkPolicy": "kcnp",
        ]
        if let abbreviation = special[policy.kind] { return "\(abbreviation).\(policy.tier).\(policy.name)" }
        if policy.kind.hasSuffix("KubernetesNetworkPolicy") { return "\(scope)\(staged)knp.default.\(policy.name)" }
        let prefix = "\(policy.tier)."
        return scope + staged + (policy.name.hasPrefix(prefix) ? policy.name : prefix + policy.name)
    }

    private func add(_ object: ClusterObject) {
        switch object {
        case .tier(let tier):
            let old = tiers.first { $0.name == tier.metadata.name }
            tiers.removeAll { $0.name == tier.metadata.name }
            tiers.append(
                TierEntry(
                    name: tier.metadata.name,
                    order: tier.order ?? old?.order ?? .infinity,
                    passes: tier.defaultAction == .pass
                )
            )
        case .networkSet(let set):
            let identity = EndpointIdentity(
                kind: .networkSet,
                namespace: set.metadata.namespace,
                labels: set.metadata.labels
            )
            sets.append(Set_(labels: effectiveLabels(identity), nets: set.nets))
        case .serviceEndpoints(let endpoints):
            guard let service = endpoints.service else { return }
            for group in endpoints.groups {
                for address in group.addresses {
                    for port in group.ports {
                        services["\(endpoints.metadata.namespace ?? "")/\(service)", default: []]
                            .append((address, port.port, port.proto))
                    }
                }
            }
        default:
            if let policy = ReferencePolicy.make(object) { policies.append(policy) }
        }
    }

    /// The labels of an endpoint or network set, as selectors use them.
    private func effectiveLabels(_ identity: EndpointIdentity) -> [String: String] {
        var labels: [String: String] = [:]
        for label in identity.labels { labels[label.key] = label.value }
        if let namespace = identity.namespace {
            labels["projectcalico.org/namespace"] = namespace
            for label in namespaces[namespace] ?? [Label(key: "kubernetes.io/metadata.name", value: namespace)] {
                labels["pcns.\(label.key)"] = label.value
            }
            labels["pcns.projectcalico.org/name"] = namespace
        }
        guard identity.kind == .workload else { return labels }
        labels["projectcalico.org/orchestrator"] = "k8s"
        guard let account = identity.serviceAccount else { return labels }
        labels["projectcalico.org/serviceaccount"] = account
        for label in accounts["\(identity.namespace ?? "")/\(account)"] ?? [] {
            labels["pcsa.\(label.key)"] = label.value
        }
        labels["pcsa.projectcalico.org/name"] = account
        return labels
    }

    // MARK: - Evaluation

    func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: Trace?, ingress: Trace?) {
        let flow = ReferenceFlow(
            packets: packets,
            source: end(packets.source, source),
            destination: end(packets.destination, destination),
            answersFor: { self.answers($0, $1, $2, packets) }
        )
        return (
            isLetThrough(packets, isIngress: false, source) ? nil : trace(flow, isIngress: false, source),
            isLetThrough(packets, isIngress: true, destination) ? nil : trace(flow, isIngress: true, destination)
        )
    }

    /// Felix' failsafe ports, which a host endpoint lets through before policies.
    private func isLetThrough(
        _ packets: TrackedConnection.Tuple,
        isIngress: Bool,
        _ endpoint: Endpoint
    ) -> Bool {
        guard endpoint.kind == .host else { return false }
        let port = packets.destinationPort
        switch packets.proto {
        case .tcp: return [179, 2379, 2380, 5473, 6443, 6666, 6667].contains(port) || isIngress && port == 22
        case .udp: return isIngress ? port == 68 : port == 53 || port == 67
        default: return false
        }
    }

    private func end(_ address: IPAddress, _ endpoint: Endpoint) -> ReferenceFlow.End {
        let identity = endpoint.kind == .workload || endpoint.kind == .host ? endpoint.identity : nil
        if setsAt[address] == nil {
            setsAt[address] = sets.filter { set in set.nets.contains { $0.contains(address) } }.map(\.labels)
        }
        var things = setsAt[address] ?? []
        if let identity { things.append(known(identity)) }
        return ReferenceFlow.End(address: address, things: things, namedPorts: identity?.namedPorts ?? [])
    }

    private func known(_ identity: EndpointIdentity) -> [String: String] {
        if let labels = labels[identity.id] { return labels }
        let labels = effectiveLabels(identity)
        self.labels[identity.id] = labels
        applicable[identity.id] = policies.map { $0.appliesTo(labels) }
        return labels
    }

    private func answers(
        _ service: String,
        _ address: IPAddress,
        _ port: UInt16?,
        _ packets: TrackedConnection.Tuple
    ) -> Bool {
        (services[service] ?? []).contains { endpoint in
            endpoint.0 == address && (port == nil || endpoint.1 == port && endpoint.2 == packets.proto)
        }
    }

    private func trace(_ flow: ReferenceFlow, isIngress: Bool, _ endpoint: Endpoint) -> Trace? {
        guard endpoint.kind == .workload || endpoint.kind == .host, let identity = endpoint.identity else { return nil }
        _ = known(identity)
        let (action, enforced) = evaluate(flow, isIngress, identity, withStaged: false)
        let (_, pending) = evaluate(flow, isIngress, identity, withStaged: true)
        return Trace(action: action, enforced: enforced, pending: pending)
    }

    private func evaluate(
        _ flow: ReferenceFlow,
        _ isIngress: Bool,
        _ identity: EndpointIdentity,
        withStaged: Bool
    ) -> (FlowAction, [String]) {
        var hits: [String] = []
        let applies = applicable[identity.id] ?? []
        var index = 0
        while index < policies.count {
            let tier = policies[index].tier
            var inScope: [Policy] = []
            var decided: (Policy, String, Int)?
            while index < policies.count, policies[index].tier == tier {
                let policy = policies[index]
                let isInScope = applies[index] && (withStaged || !policy.isStaged)
                index += 1
                guard isInScope, let rules = isIngress ? policy.ingress : policy.egress else { continue }
                inScope.append(policy)
                guard decided == nil else { continue }
                for (number, rule) in rules.enumerated() where rule.action != "log" && rule.matches(flow) {
                    decided = (policy, rule.action, number)
                    break
                }
            }
            guard let first = inScope.first, let last = inScope.last else { continue }
            if let (policy, action, number) = decided {
                hits.append("\(hits.count)|\(tier)|\(nameText(policy))|\(action)|\(number)")
                if action != "pass" { return (action == "allow" ? .allow : .deny, hits) }
            } else {
                let passes = tiers.first { $0.name == tier }?.passes ?? false
                let policy = nameText(withStaged ? first : last)
                hits.append("\(hits.count)|\(tier)|\(policy)|\(passes ? "pass" : "deny")|-1")
                if !passes { return (.deny, hits) }
            }
        }
        return profile(identity, hits, isPending: withStaged)
    }

    private func profile(_ identity: EndpointIdentity, _ hits: [String], isPending: Bool) -> (FlowAction, [String]) {
        let prefix = format == .calico332 ? "pro:" : "__PROFILE__."
        var profiles = identity.profiles
        if identity.kind == .workload { profiles = identity.namespace.map { ["kns.\($0)"] } ?? [] }
        for profile in profiles where profile.hasPrefix("kns.") || profile == "projectcalico-default-allow" {
            return (.allow, hits + ["\(hits.count)|__PROFILE__|\(prefix)\(profile)|allow|0"])
        }
        if profiles.isEmpty, isPending {
            return (.deny, hits + ["\(hits.count)|__PROFILE__|\(prefix)__PROFILE__|deny|-1"])
        }
        return (.deny, hits + ["\(hits.count)|__PROFILE__|\(prefix)__NO_MATCH__|deny|0"])
    }

    private func nameText(_ policy: Policy) -> String {
        let scope = policy.namespace.map { "\($0)/" } ?? ""
        if format == .calico332 {
            let kinds = [
                "NetworkPolicy": "np", "GlobalNetworkPolicy": "gnp", "StagedNetworkPolicy": "snp",
                "StagedGlobalNetworkPolicy": "sgnp", "KubernetesNetworkPolicy": "knp",
                "StagedKubernetesNetworkPolicy": "sknp", "KubernetesAdminNetworkPolicy": "kanp",
                "KubernetesBaselineAdminNetworkPolicy": "kbanp", "KubernetesClusterNetworkPolicy": "kcnp",
            ]
            return "\(kinds[policy.kind] ?? "?"):\(scope)\(policy.name)"
        }
        let tier = policy.tier
        let short = policy.name.hasPrefix("\(tier).") ? String(policy.name.dropFirst(tier.count + 1)) : policy.name
        switch policy.kind {
        case "StagedNetworkPolicy", "StagedGlobalNetworkPolicy": return "\(scope)\(tier).staged:\(short)"
        case "KubernetesNetworkPolicy": return "\(scope)knp.default.\(policy.name)"
        case "StagedKubernetesNetworkPolicy": return "\(scope)staged:knp.default.\(policy.name)"
        case "KubernetesAdminNetworkPolicy": return "kanp.\(tier).\(policy.name)"
        case "KubernetesBaselineAdminNetworkPolicy": return "kbanp.\(tier).\(policy.name)"
        case "KubernetesClusterNetworkPolicy": return "kcnp.\(tier).\(policy.name)"
        default: return "\(scope)\(tier).\(short)"
        }
    }
}

/// A connection in the reference's form.
struct ReferenceFlow {
    struct End {
        var address: IPAddress
        /// Labels of the endpoint and of every network set with the address.
        var things: [[String: String]]
        var namedPorts: [NamedPort]
    }

    var packets: TrackedConnection.Tuple
    var source: End
    var destination: End
    var answersFor: (_ service: String, _ address: IPAddress, _ port: UInt16?) -> Bool

    var hasPorts: Bool { [6, 17, 132].contains(packets.proto.rawValue) }
}
