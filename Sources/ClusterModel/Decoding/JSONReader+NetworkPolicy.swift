import FlowModel

extension JSONReader {
    /// A NetworkPolicy.
    mutating func networkPolicy() throws(JSONError) -> NetworkPolicy {
        var parts = try networkPolicyParts(of: .networkPolicy)
        APIDefaults.setProtocols(&parts.spec.ingress)
        APIDefaults.setProtocols(&parts.spec.egress)
        return NetworkPolicy(metadata: parts.metadata, spec: parts.spec)
    }

    /// A StagedKubernetesNetworkPolicy.
    mutating func stagedKubernetesPolicy() throws(JSONError) -> StagedKubernetesPolicy {
        let parts = try networkPolicyParts(of: .stagedKubernetesNetworkPolicy)
        return StagedKubernetesPolicy(
            metadata: parts.metadata,
            spec: parts.spec,
            stagedAction: parts.stagedAction ?? .set
        )
    }

    private mutating func networkPolicyParts(of kind: ObjectKind) throws(JSONError) -> NetworkPolicyParts {
        var parts = NetworkPolicyParts()
        guard try enterObject() else { return parts }
        while let key = try nextKey() {
            switch key {
            case "metadata": parts.metadata = try metadata(of: kind)
            case "spec":
                isStrict = true
                (parts.spec, parts.stagedAction) = try networkPolicySpec(
                    isStaged: kind == .stagedKubernetesNetworkPolicy
                )
                isStrict = false
            default: try skip(key, of: .object)
            }
        }
        return parts
    }

    private mutating func networkPolicySpec(
        isStaged: Bool
    ) throws(JSONError) -> (NetworkPolicySpec, StagedAction?) {
        var spec = NetworkPolicySpec()
        var types: PolicyDirections = []
        var action: StagedAction?
        guard try enterObject() else { return (spec, nil) }
        while let key = try nextKey() {
            switch key {
            case "podSelector": spec.podSelector = try labelSelector() ?? LabelSelector()
            case "policyTypes": types = try directions()
            case "ingress": spec.ingress = try networkPolicyRules(peers: "from", .ingressRule)
            case "egress": spec.egress = try networkPolicyRules(peers: "to", .egressRule)
            case "stagedAction" where isStaged: action = try word(StagedAction.self)
            default: try skip(key, of: isStaged ? .stagedKubernetesPolicy : .networkPolicy)
            }
        }
        spec.directions = types.isEmpty ? APIDefaults.directions(of: spec) : types
        return (spec, action)
    }

    /// Reads the directions of `policyTypes` or `types`; empty if the list is absent or empty.
    mutating func directions() throws(JSONError) -> PolicyDirections {
        var directions: PolicyDirections = []
        guard try enterArray() else { return directions }
        while try nextElement() {
            let start = offset
            guard let text = try text() else { continue }
            switch text {
            case "Ingress": directions.insert(.ingress)
            case "Egress": directions.insert(.egress)
            default: throw .unusable("expected Ingress or Egress", at: start)
            }
        }
        return directions
    }

    // MARK: - Rules

    private mutating func networkPolicyRules(
        peers member: StaticString,
        _ fields: FieldSet
    ) throws(JSONError) -> [NetworkPolicyRule] {
        var rules: [NetworkPolicyRule] = []
        guard try enterArray() else { return rules }
        while try nextElement() {
            var rule = NetworkPolicyRule()
            if try enterObject() {
                while let key = try nextKey() {
                    switch key {
                    case member: rule.peers = try networkPolicyPeers()
                    case "ports": rule.ports = try policyPorts()
                    default: try skip(key, of: fields)
                    }
                }
            }
            rules.append(rule)
        }
        return rules
    }

    private mutating func networkPolicyPeers() throws(JSONError) -> [NetworkPolicyPeer]? {
        guard try enterArray() else { return nil }
        var peers: [NetworkPolicyPeer] = []
        while try nextElement() { peers.append(try networkPolicyPeer()) }
        return peers
    }

    private mutating func networkPolicyPeer() throws(JSONError) -> NetworkPolicyPeer {
        let start = offset
        var namespaces: LabelSelector?
        var pods: LabelSelector?
        var block: IPBlock?
        if try enterObject() {
            while let key = try nextKey() {
                switch key {
                case "namespaceSelector": namespaces = try labelSelector()
                case "podSelector": pods = try labelSelector()
                case "ipBlock": block = try ipBlock()
                default: try skip(key, of: .networkPolicyPeer)
                }
            }
        }
        if let block { return .block(block) }
        guard namespaces != nil || pods != nil else {
            note("the peer names neither pods nor namespaces nor an ipBlock: it matches nothing", at: start)
            return .unknown
        }
        return .pods(namespaces: namespaces, pods: pods)
    }

    private mutating func ipBlock() throws(JSONError) -> IPBlock? {
        guard try enterObject() else { return nil }
        var block = IPBlock(range: nil)
        while let key = try nextKey() {
            switch key {
            case "cidr": block.range = try prefix()
            case "except": block.except = try prefixes().prefixes
            default: try skip(key, of: .ipBlock)
            }
        }
        return block
    }

    private mutating func policyPorts() throws(JSONError) -> [PolicyPort]? {
        guard try enterArray() else { return nil }
        var ports: [PolicyPort] = []
        while try nextElement() { ports.append(try policyPort()) }
        return ports
    }

    private mutating func policyPort() throws(JSONError) -> PolicyPort {
        let start = offset
        var proto: ProtocolMatch?
        var port: PortMatch?
        var end: Int?
        guard try enterObject() else { return PolicyPort(proto: nil, port: nil) }
        while let key = try nextKey() {
            switch key {
            case "protocol": proto = try self.proto()
            case "port": port = try portMatch(allowsRanges: false)
            case "endPort": end = try integer()
            default: try skip(key, of: .networkPolicyPort)
            }
        }
        if let end {
            if case .range(let first)? = port, let last = UInt16(exactly: end), last >= first.lowerBound {
                port = .range(first.lowerBound...last)
            } else {
                note("endPort needs a port that is a number and not above it: the port matches nothing", at: start)
                port = .unreadable
            }
        }
        switch proto {
        case .number(let proto)?: return PolicyPort(proto: proto, port: port)
        case .unreadable?: return PolicyPort(proto: nil, port: .unreadable)
        case nil: return PolicyPort(proto: nil, port: port)
        }
    }

    /// Reads a port number or name; with `allowsRanges` also a text such as `8080:8090` or `8080`.
    ///
    /// Nil for null.
    mutating func portMatch(allowsRanges: Bool) throws(JSONError) -> PortMatch? {
        let start = offset
        if isAtNumber {
            let match = try integer().flatMap { UInt16(exactly: $0) }.map { PortMatch.range($0...$0) }
            if match == nil { note("expected a port, 0 to 65535", at: start) }
            return match ?? .unreadable
        }
        guard let text = try string() else { return nil }
        let match = allowsRanges ? PortMatch(rangeOrName: text) : text.isEmpty ? nil : .name(text)
        if match == nil {
            note(allowsRanges ? "expected a port, its name, or a range as in 8080:8090" : Self.portName, at: start)
        }
        return match ?? .unreadable
    }

    private static var portName: StaticString { "expected a port or its name" }
}

/// The fields that a NetworkPolicy and a StagedKubernetesNetworkPolicy share.
private struct NetworkPolicyParts {
    var metadata = ObjectMetadata(name: "")
    var spec = NetworkPolicySpec()
    var stagedAction: StagedAction?
}

extension PortMatch {
    /// Parses a port in Calico's form: `8080`, `8080:8090` or `http`; nil for anything else.
    fileprivate init?(rangeOrName text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let first = parts.first, !text.isEmpty else { return nil }
        let isNumeric = first.utf8.allSatisfy { JSONReader.isDigit($0) }
        guard isNumeric || parts.count > 1 else {
            self = .name(text)
            return
        }
        guard isNumeric, parts.count <= 2, let low = UInt16(first), let high = UInt16(parts[parts.count - 1]),
            low <= high
        else { return nil }
        self = .range(low...high)
    }
}
