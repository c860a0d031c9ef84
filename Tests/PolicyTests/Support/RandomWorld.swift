import ClusterModel
import FlowModel
import Policy

/// Random policies and endpoints, and the objects that they refer to, made of few words so that many of them match.
struct RandomWorld {
    var objects: [ClusterObject] = []
    var ends: [(address: IPAddress, endpoint: Endpoint)] = []
    var random: RandomNumbers
    private let namespaces = ["blue", "green", "red"]
    private let keys = ["app", "role", "zone", "kubernetes.io/x"]
    private let values = ["a", "b", "ab", "ba", ""]
    private let ports: [UInt16] = [22, 53, 80, 81, 443, 8080, 65_535]
    private let ranges = [
        "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/24", "10.1.0.3", "0.0.0.0/0", "192.0.2.0/24", "192.0.2.7",
        "2001:db8::/32",
        "2001:db8::1", "::/0", "10.2.0.0/15",
    ]
    private var tiers = ["default", "default"]

    init(seed: UInt64) {
        random = RandomNumbers(seed: seed)
        for name in namespaces where !random.once(in: 5) { objects.append(Make.namespace(name, labels())) }
        for name in namespaces where random.once(in: 2) {
            objects.append(.serviceAccount(ServiceAccount(metadata: Make.metadata("robot", name, labels()))))
        }
        for name in ["first", "second", "third"] where !random.once(in: 3) {
            objects.append(
                Make.tier(name, random.once(in: 4) ? nil : Double(random.below(3)), random.pick([.deny, .pass]))
            )
            tiers.append(name)
        }
        if random.once(in: 5) { objects.append(Make.tier("default", nil, .pass)) }
        if random.once(in: 8) { tiers.append("missing") }
        addEnds()
        addSets()
        for index in 0..<(2 + random.below(9)) { objects.append(policy(index)) }
    }

    // MARK: - Connections

    /// A connection between two of the ends.
    mutating func connection() -> (TrackedConnection.Tuple, Endpoint, Endpoint) {
        let source = random.pick(ends)
        var destination = random.pick(ends)
        while destination.address.isIPv4 != source.address.isIPv4 { destination = random.pick(ends) }
        let proto: IPProtocol = random.pick([.tcp, .tcp, .tcp, .udp, .sctp, .icmp, .icmp6, IPProtocol(rawValue: 47)])
        let isICMP = proto == .icmp || proto == .icmp6
        let tuple = TrackedConnection.Tuple(
            source: source.address,
            destination: destination.address,
            sourcePort: random.pick(ports),
            destinationPort: isICMP ? random.pick([0, 8 << 8, 3 << 8 | 1]) : random.pick(ports),
            proto: proto
        )
        return (tuple, source.endpoint, destination.endpoint)
    }

    // MARK: - Endpoints

    private mutating func addEnds() {
        for index in 0..<7 {
            let ports = random.some(0...2) { NamedPort(name: $0.pick(["web", "dns"]), port: $0.pick([80, 53, 8080])) }
            let account: String? = random.pick(["robot", "robot", "person", nil])
            let pod = Make.pod("pod-\(index)", random.pick(namespaces), labels(), account: account, ports: ports)
            ends.append((IPAddress(10, UInt8(1 + index % 2), 0, UInt8(index)), pod))
            if random.once(in: 3) { ends.append((IPAddress(ipv6High: 0x2001_0db8 << 32, low: UInt64(index)), pod)) }
        }
        let profiles = random.pick([[], ["projectcalico-default-allow"], ["ksa.blue.robot"], ["ksa.x.y", "kns.blue"]])
        ends.append((IPAddress(192, 0, 2, 1), Make.host("node", labels(), profiles: profiles)))
        for address in ["192.0.2.7", "203.0.113.9", "10.3.0.1", "2001:db8::1", "2001:db8:1::1"] {
            ends.append((Make.address(address), Make.outside))
        }
        ends.append((IPAddress(192, 0, 2, 2), Endpoint(kind: .host, name: "node-2", aggregatedName: "node-2")))
    }

    private mutating func addSets() {
        for index in 0..<random.below(4) {
            let namespace = random.once(in: 2) ? random.pick(namespaces) : nil
            let metadata = Make.metadata("set-\(index)", namespace, labels())
            objects.append(.networkSet(NetworkSet(metadata: metadata, nets: nets())))
        }
        for service in ["front", "back"] {
            let addresses = random.some(0...3) { $0.pick(ends).address }
            let ports = random.some(1...2) { NamedPort(port: $0.pick([80, 443]), proto: $0.pick([.tcp, .udp])) }
            objects.append(
                .serviceEndpoints(
                    ServiceEndpoints(
                        kind: .endpointSlice,
                        metadata: Make.metadata("\(service)-x", "blue"),
                        service: service,
                        groups: [ServiceEndpoints.Group(addresses: addresses, ports: ports)]
                    )
                )
            )
        }
    }

    mutating func labels() -> [String: String] {
        var labels: [String: String] = [:]
        for key in keys where !random.once(in: 3) { labels[key] = random.pick(values) }
        return labels
    }

    mutating func nets() -> [IPPrefix] {
        random.some(1...3) { [ranges] in Make.net($0.pick(ranges)) }
    }

    // MARK: - Policies

    mutating func policy(_ index: Int) -> ClusterObject {
        let name = random.pick(["allow", "allow-x", "deny", "p\(index)"])
        switch random.below(12) {
        case 0...5: return calico(name)
        case 6, 7: return .networkPolicy(NetworkPolicy(metadata: namespaced(name, index), spec: spec()))
        case 8:
            return .stagedKubernetesPolicy(
                StagedKubernetesPolicy(
                    metadata: namespaced(name, index),
                    spec: spec(),
                    stagedAction: random.pick([.set, .set, .delete, .learn])
                )
            )
        default: return admin("\(name)-\(index)")
        }
    }

    /// Names of policies of a kind are unique, as an API server has it.
    private mutating func namespaced(_ name: String, _ index: Int) -> ObjectMetadata {
        Make.metadata("\(name)-\(index)", random.pick(namespaces))
    }

    private mutating func calico(_ name: String) -> ClusterObject {
        let kind: ObjectKind = random.pick([
            .calicoNetworkPolicy, .globalNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy,
            .stagedGlobalNetworkPolicy,
        ])
        let isGlobal = kind == .globalNetworkPolicy || kind == .stagedGlobalNetworkPolicy
        let tier = random.pick(tiers)
        let suffix = objects.count
        let fullName = random.once(in: 2) ? "\(tier).\(name)-\(suffix)" : "\(name)-\(suffix)"
        var policy = CalicoPolicy(
            kind: kind,
            metadata: Make.metadata(fullName, isGlobal ? nil : random.pick(namespaces)),
            tier: tier,
            order: random.once(in: 4) ? nil : Double(random.below(3)),
            selector: random.once(in: 3) ? "" : selector(2),
            directions: random.pick([.ingress, .egress, [.ingress, .egress]]),
            ingress: random.some(0...4) { _ in CalicoRule(action: .allow) },
            egress: random.some(0...4) { _ in CalicoRule(action: .allow) },
            doNotTrack: isGlobal && random.once(in: 20),
            preDNAT: isGlobal && random.once(in: 20),
            stagedAction: kind == .stagedNetworkPolicy ? random.pick([.set, .set, .delete, .ignore]) : nil
        )
        for index in policy.ingress.indices { policy.ingress[index] = rule() }
        for index in policy.egress.indices { policy.egress[index] = rule() }
        if isGlobal, random.once(in: 3) { policy.namespaceSelector = selector(1) }
        if random.once(in: 5) { policy.serviceAccountSelector = selector(1) }
        return .calicoPolicy(policy)
    }

    mutating func rule() -> CalicoRule {
        var rule = CalicoRule(action: random.pick([.allow, .deny, .pass, .log]))
        if random.once(in: 10) { rule.ipVersion = random.pick([4, 6, 5]) }
        if random.once(in: 2) { rule.proto = .number(random.pick([.tcp, .tcp, .udp, .icmp, .icmp6, .sctp])) }
        if random.once(in: 10) { rule.notProto = .number(random.pick([.tcp, .udp])) }
        if random.once(in: 8) { rule.icmp = icmp() }
        if random.once(in: 12) { rule.notICMP = icmp() }
        rule.source = entity()
        rule.destination = entity()
        return rule
    }

    private mutating func icmp() -> ICMPMatch {
        random.pick([ICMPMatch(type: 8), ICMPMatch(type: 3, code: 1), ICMPMatch(type: 8, code: 0), ICMPMatch(code: 1)])
    }

    private mutating func entity() -> EntityRule {
        var entity = EntityRule()
        if random.once(in: 4) { entity.selector = selector(2) }
        if random.once(in: 12) { entity.notSelector = selector(1) }
        if random.once(in: 6) { entity.namespaceSelector = selector(1) }
        if random.once(in: 8) { entity.nets = nets() }
        if random.once(in: 60) { entity.nets = [] }
        if random.once(in: 12) { entity.notNets = nets() }
        if random.once(in: 5) { entity.ports = portList() }
        if random.once(in: 12) { entity.notPorts = portList() }
        if random.once(in: 14) {
            entity.serviceAccounts = ServiceAccountMatch(
                names: random.some(0...2) { $0.pick(["robot", "person"]) },
                selector: random.once(in: 2) ? selector(1) : ""
            )
        }
        if random.once(in: 14) {
            entity.service = ServiceMatch(
                name: random.pick(["front", "back", "none"]),
                namespace: random.pick(["blue", nil])
            )
        }
        return entity
    }

    private mutating func portList() -> [PortMatch] {
        random.some(1...3) { [ports] random in
            switch random.below(4) {
            case 0: return .name(random.pick(["web", "dns", "none"]))
            case 1:
                let bounds = [random.pick(ports), random.pick(ports)].sorted()
                return .range(bounds[0]...bounds[1])
            default:
                let port = random.pick(ports)
                return .range(port...port)
            }
        }
    }

    // MARK: - Selectors

    mutating func selector(_ depth: Int) -> String {
        if depth > 0 {
            switch random.below(8) {
            case 0: return "\(selector(depth - 1)) && \(selector(depth - 1))"
            case 1: return "\(selector(depth - 1)) || \(selector(depth - 1))"
            case 2: return "!(\(selector(depth - 1)))"
            case 3: return "(\(selector(depth - 1)) || \(selector(0))) && \(selector(0))"
            default: break
            }
        }
        let key = random.pick(keys + ["projectcalico.org/name", "projectcalico.org/namespace"])
        let value = random.pick(values + ["blue"])
        switch random.below(12) {
        case 0: return random.pick(["all()", "all()", "global()"])
        case 1: return "has(\(key))"
        case 2: return "!has(\(key))"
        case 3, 4: return "\(key) == '\(value)'"
        case 5: return "\(key) != \"\(value)\""
        case 6: return "\(key) in {'\(value)', '\(random.pick(values))'}"
        case 7: return "\(key) not in { \"\(value)\" }"
        case 8: return "\(key) contains '\(value)'"
        case 9: return "\(key) starts with '\(value)'"
        case 10: return "\(key) ends with '\(value)'"
        default: return "!\(key) == '\(value)'"
        }
    }

    // MARK: - Kubernetes

    private mutating func labelSelector() -> LabelSelector {
        var selector = LabelSelector()
        if random.once(in: 2) { selector.labels = [Label(key: random.pick(keys), value: random.pick(values))] }
        if random.once(in: 4) {
            let comparison: LabelSelector.Operator = random.pick([.in, .notIn, .exists, .doesNotExist])
            let needsValues = comparison == .in || comparison == .notIn
            selector.requirements = [
                LabelSelector.Requirement(
                    key: random.pick(keys),
                    comparison: comparison,
                    values: needsValues ? [random.pick(values), random.pick(values)] : []
                )
            ]
        }
        return selector
    }

    private mutating func spec() -> NetworkPolicySpec {
        NetworkPolicySpec(
            podSelector: labelSelector(),
            directions: random.pick([.ingress, .egress, [.ingress, .egress]]),
            ingress: kubernetesRules(),
            egress: kubernetesRules()
        )
    }

    private mutating func kubernetesRules() -> [NetworkPolicyRule] {
        var rules: [NetworkPolicyRule] = []
        for _ in 0..<random.below(3) {
            var peers: [NetworkPolicyPeer] = []
            for _ in 0..<random.below(3) { peers.append(kubernetesPeer()) }
            rules.append(NetworkPolicyRule(peers: random.once(in: 4) ? nil : peers, ports: policyPorts()))
        }
        return rules
    }

    private mutating func policyPorts() -> [PolicyPort]? {
        guard !random.once(in: 3) else { return random.pick([nil, []]) }
        var ports: [PolicyPort] = []
        for _ in 0...random.below(3) {
            let port: PortMatch? = random.once(in: 5) ? nil : portList()[0]
            ports.append(PolicyPort(proto: random.pick([.tcp, .udp, .sctp, nil]), port: port))
        }
        return ports
    }

    private mutating func kubernetesPeer() -> NetworkPolicyPeer {
        switch random.below(6) {
        case 0: .block(IPBlock(range: nets()[0], except: random.once(in: 2) ? nets() : []))
        case 1: .pods(namespaces: labelSelector(), pods: labelSelector())
        case 2: .pods(namespaces: labelSelector(), pods: nil)
        case 3: .unknown
        default: .pods(namespaces: nil, pods: labelSelector())
        }
    }

    private mutating func admin(_ name: String) -> ClusterObject {
        let kind: ObjectKind = random.pick([.adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy])
        var policy = AdminPolicy(
            kind: kind,
            metadata: Make.metadata(name),
            tier: kind == .adminNetworkPolicy ? .admin : random.pick([.admin, .baseline]),
            priority: random.below(3),
            subject: .namespaces(labelSelector())
        )
        if random.once(in: 2) { policy.subject = .pods(namespaces: labelSelector(), pods: labelSelector()) }
        if random.once(in: 20) { policy.subject = .unknown }
        for _ in 0..<random.below(3) { policy.ingress.append(adminRule()) }
        for _ in 0..<random.below(3) { policy.egress.append(adminRule()) }
        return .adminPolicy(policy)
    }

    private mutating func adminRule() -> AdminPolicyRule {
        var peers: [AdminPolicyPeer] = []
        for _ in 0..<random.below(3) {
            switch random.below(12) {
            case 0...4: peers.append(.namespaces(labelSelector()))
            case 5...8: peers.append(.pods(namespaces: labelSelector(), pods: labelSelector()))
            case 9, 10: peers.append(.networks(nets()))
            default: peers.append(random.pick([.unknown, .nodes(LabelSelector()), .domainNames(["a.example"])]))
            }
        }
        return AdminPolicyRule(action: random.pick([.accept, .deny, .pass]), peers: peers, ports: policyPorts())
    }
}
