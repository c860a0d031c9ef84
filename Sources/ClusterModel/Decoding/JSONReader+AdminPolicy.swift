import FlowModel

extension JSONReader {
    /// An AdminNetworkPolicy, BaselineAdminNetworkPolicy or ClusterNetworkPolicy.
    mutating func adminPolicy(_ kind: ObjectKind) throws(JSONError) -> AdminPolicy {
        var metadata = ObjectMetadata(name: "")
        var policy = AdminPolicy(kind: kind, metadata: metadata, tier: .admin, priority: 0, subject: .unknown)
        guard try enterObject() else { return policy }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: kind)
            case "spec":
                isStrict = true
                policy = try adminPolicySpec(kind)
                isStrict = false
            default: try skip(key, of: .object)
            }
        }
        policy.metadata = metadata
        return policy
    }

    private mutating func adminPolicySpec(_ kind: ObjectKind) throws(JSONError) -> AdminPolicy {
        let start = offset
        var policy = AdminPolicy(
            kind: kind,
            metadata: ObjectMetadata(name: ""),
            tier: kind == .baselineAdminNetworkPolicy ? .baseline : .admin,
            priority: 0,
            subject: .unknown
        )
        var tier: AdminPolicy.Tier?
        guard try enterObject() else { return policy }
        while let key = try nextKey() {
            switch key {
            case "tier" where kind == .clusterNetworkPolicy: tier = try word(AdminPolicy.Tier.self)
            case "priority" where kind != .baselineAdminNetworkPolicy: policy.priority = try integer() ?? 0
            case "subject": policy.subject = try subject()
            case "ingress": policy.ingress = try adminPolicyRules(kind, isEgress: false)
            case "egress": policy.egress = try adminPolicyRules(kind, isEgress: true)
            default: try skip(key, of: .adminPolicy(kind))
            }
        }
        if kind == .clusterNetworkPolicy {
            guard let tier else {
                throw .unusable("a ClusterNetworkPolicy needs a tier, Admin or Baseline; it has none", at: start)
            }
            policy.tier = tier
        }
        return policy
    }

    private mutating func subject() throws(JSONError) -> AdminPolicy.Subject {
        let start = offset
        var subject: AdminPolicy.Subject?
        if try enterObject() {
            while let key = try nextKey() {
                switch key {
                case "namespaces":
                    subject = try labelSelector(isOfCustomResource: true).map { .namespaces($0) } ?? subject
                case "pods":
                    let pods = try namespacedPods()
                    subject = pods.map { .pods(namespaces: $0.namespaces, pods: $0.pods) } ?? subject
                default: try skip(key, of: .subject)
                }
            }
        }
        if subject == nil { note("the subject names neither namespaces nor pods, so it selects nothing", at: start) }
        return subject ?? .unknown
    }

    private mutating func namespacedPods() throws(JSONError) -> (namespaces: LabelSelector, pods: LabelSelector)? {
        guard try enterObject() else { return nil }
        var namespaces: LabelSelector? = LabelSelector()
        var pods: LabelSelector? = LabelSelector()
        while let key = try nextKey() {
            switch key {
            case "namespaceSelector": namespaces = try labelSelector(isOfCustomResource: true)
            case "podSelector": pods = try labelSelector(isOfCustomResource: true)
            default: try skip(key, of: .namespacedPods)
            }
        }
        guard let namespaces, let pods else { return nil }
        return (namespaces, pods)
    }

    // MARK: - Rules

    private mutating func adminPolicyRules(
        _ kind: ObjectKind,
        isEgress: Bool
    ) throws(JSONError) -> [AdminPolicyRule] {
        let member: StaticString = isEgress ? "to" : "from"
        let fields: FieldSet = isEgress ? .adminEgressRule(kind) : .adminIngressRule(kind)
        let peerFields: FieldSet = isEgress ? .adminEgressPeer(kind) : .adminIngressPeer
        var rules: [AdminPolicyRule] = []
        guard try enterArray() else { return rules }
        while try nextElement() {
            let start = offset
            var name: String?
            var action: AdminPolicyRule.Action?
            var peers: [AdminPolicyPeer] = []
            var ports: [PolicyPort]?
            if try enterObject() {
                while let key = try nextKey() {
                    switch key {
                    case "name": name = try nonEmptyString()
                    case "action": action = try adminAction()
                    case member: peers = try adminPolicyPeers(peerFields)
                    case "ports" where kind != .clusterNetworkPolicy: ports = try adminPolicyPorts(.adminPort)
                    case "protocols" where kind == .clusterNetworkPolicy:
                        ports = try adminPolicyPorts(.adminProtocol)
                    default: try skip(key, of: fields)
                    }
                }
            }
            guard let action else {
                throw .unusable("the rule has no action; it needs Accept, Deny or Pass", at: start)
            }
            rules.append(AdminPolicyRule(name: name, action: action, peers: peers, ports: ports))
        }
        return rules
    }

    private mutating func adminAction() throws(JSONError) -> AdminPolicyRule.Action? {
        let start = offset
        guard let text = try text() else { return nil }
        switch text {
        case "Accept", "Allow": return .accept
        case "Deny": return .deny
        case "Pass": return .pass
        default: throw .unusable("expected Accept (Allow in v1alpha1), Deny or Pass", at: start)
        }
    }

    private mutating func adminPolicyPeers(_ fields: FieldSet) throws(JSONError) -> [AdminPolicyPeer] {
        var peers: [AdminPolicyPeer] = []
        guard try enterArray() else { return peers }
        while try nextElement() { peers.append(try adminPolicyPeer(fields)) }
        return peers
    }

    private mutating func adminPolicyPeer(_ fields: FieldSet) throws(JSONError) -> AdminPolicyPeer {
        let start = offset
        let isEgress = fields.contains("networks")
        var peer: AdminPolicyPeer?
        if try enterObject() {
            while let key = try nextKey() {
                switch key {
                case "namespaces": peer = try labelSelector(isOfCustomResource: true).map { .namespaces($0) } ?? peer
                case "pods":
                    let pods = try namespacedPods()
                    peer = pods.map { .pods(namespaces: $0.namespaces, pods: $0.pods) } ?? peer
                case "nodes" where isEgress:
                    peer = try labelSelector(isOfCustomResource: true).map { .nodes($0) } ?? peer
                case "networks" where isEgress:
                    let (prefixes, count) = try prefixes()
                    if count > 0 { peer = .networks(prefixes) }
                case "domainNames" where fields.contains("domainNames"):
                    let names = try strings()
                    if !names.isEmpty { peer = .domainNames(names) }
                default: try skip(key, of: fields)
                }
            }
        }
        if peer == nil {
            note("the peer names nothing that is known: namespaces, pods, nodes, networks or domainNames", at: start)
        }
        return peer ?? .unknown
    }

    // MARK: - Ports

    /// The ports of a rule: `adminPort` elements in v1alpha1, `adminProtocol` elements in v1alpha2.
    private mutating func adminPolicyPorts(_ fields: FieldSet) throws(JSONError) -> [PolicyPort]? {
        guard try enterArray() else { return nil }
        var ports: [PolicyPort] = []
        while try nextElement() {
            let start = offset
            var port: PolicyPort?
            if try enterObject() {
                while let key = try nextKey() {
                    switch key {
                    case _ where !fields.contains(key): try skip(key, of: fields)
                    case "portNumber": port = try numberedPort(.portNumber) ?? port
                    case "portRange": port = try numberedPort(.portRange) ?? port
                    case "tcp": port = try destinationPort(.tcp) ?? port
                    case "udp": port = try destinationPort(.udp) ?? port
                    case "sctp": port = try destinationPort(.sctp) ?? port
                    case "namedPort", "destinationNamedPort": port = try namedPolicyPort() ?? port
                    default: try skip(key, of: fields)
                    }
                }
            }
            ports.append(orUnreadable(port, at: start))
        }
        return ports
    }

    private mutating func orUnreadable(_ port: PolicyPort?, at start: Int) -> PolicyPort {
        if port == nil { note("the port is of no kind that is known: it matches nothing", at: start) }
        return port ?? PolicyPort(proto: nil, port: .unreadable)
    }

    private mutating func namedPolicyPort() throws(JSONError) -> PolicyPort? {
        try nonEmptyString().map { PolicyPort(proto: nil, port: .name($0)) }
    }

    /// Reads `{protocol, port}` or `{protocol, start, end}`; the default protocol is TCP.
    private mutating func numberedPort(_ fields: FieldSet) throws(JSONError) -> PolicyPort? {
        guard try enterObject() else { return nil }
        let isRange = fields.contains("start")
        var proto: ProtocolMatch?
        var first: UInt16?
        var last: UInt16?
        while let key = try nextKey() {
            switch key {
            case "protocol" where fields.contains("protocol"): proto = try self.proto()
            case "port" where !isRange: first = try port()
            case "start" where isRange: first = try port()
            case "end" where isRange: last = try port()
            default: try skip(key, of: fields)
            }
        }
        let match = Self.portMatch(from: first, to: last ?? first)
        switch proto {
        case .number(let proto)?: return PolicyPort(proto: proto, port: match)
        case .unreadable?: return PolicyPort(proto: nil, port: .unreadable)
        case nil: return PolicyPort(proto: APIDefaults.proto, port: match)
        }
    }

    /// Reads `{destinationPort: {number}}` or `{destinationPort: {range: {start, end}}}`; the default is every port.
    private mutating func destinationPort(_ proto: IPProtocol) throws(JSONError) -> PolicyPort? {
        guard try enterObject() else { return nil }
        var port = PolicyPort(proto: proto, port: nil)
        while let key = try nextKey() {
            switch key {
            case "destinationPort": port.port = try portNumberOrRange()
            default: try skip(key, of: .destinationPort)
            }
        }
        return port
    }

    private mutating func portNumberOrRange() throws(JSONError) -> PortMatch? {
        guard try enterObject() else { return nil }
        var match = PortMatch.unreadable
        while let key = try nextKey() {
            switch key {
            case "number":
                let number = try port()
                match = Self.portMatch(from: number, to: number)
            case "range": match = try numberedPort(.destinationRange)?.port ?? match
            default: try skip(key, of: .portNumberOrRange)
            }
        }
        return match
    }

    private static func portMatch(from first: UInt16?, to last: UInt16?) -> PortMatch {
        guard let first, let last, first <= last else { return .unreadable }
        return .range(first...last)
    }
}
