import FlowModel

extension JSONReader {
    /// A Calico policy of one of the four kinds.
    mutating func calicoPolicy(_ kind: ObjectKind) throws(JSONError) -> CalicoPolicy {
        var metadata = ObjectMetadata(name: "")
        var policy = CalicoPolicy(kind: kind, metadata: metadata)
        guard try enterObject() else { return policy }
        while let key = try nextKey() {
            switch key {
            case "metadata": metadata = try self.metadata(of: kind)
            case "spec":
                isStrict = true
                policy = try calicoPolicySpec(kind)
                isStrict = false
            default: try skip(key, of: .object)
            }
        }
        policy.metadata = metadata
        if kind == .stagedNetworkPolicy || kind == .stagedGlobalNetworkPolicy {
            policy.stagedAction = policy.stagedAction ?? .set
        } else {
            policy.stagedAction = nil
        }
        return policy
    }

    private mutating func calicoPolicySpec(_ kind: ObjectKind) throws(JSONError) -> CalicoPolicy {
        var policy = CalicoPolicy(kind: kind, metadata: ObjectMetadata(name: ""))
        var types: PolicyDirections = []
        let isGlobal = !kind.isNamespaced
        let isStaged = kind == .stagedNetworkPolicy || kind == .stagedGlobalNetworkPolicy
        guard try enterObject() else { return policy }
        while let key = try nextKey() {
            switch key {
            case "tier": policy.tier = try nonEmptyString() ?? APIDefaults.tier
            case "order": policy.order = try double()
            case "selector": policy.selector = try string() ?? ""
            case "namespaceSelector" where isGlobal: policy.namespaceSelector = try string() ?? ""
            case "serviceAccountSelector": policy.serviceAccountSelector = try string() ?? ""
            case "types": types = try directions()
            case "ingress": policy.ingress = try calicoRules()
            case "egress": policy.egress = try calicoRules()
            case "doNotTrack" where isGlobal: policy.doNotTrack = try bool() ?? false
            case "preDNAT" where isGlobal: policy.preDNAT = try bool() ?? false
            case "applyOnForward" where isGlobal: policy.applyOnForward = try bool() ?? false
            case "stagedAction" where isStaged: policy.stagedAction = try word(StagedAction.self)
            default: try skip(key, of: .calicoPolicy(kind))
            }
        }
        policy.directions = types.isEmpty ? APIDefaults.directions(of: policy) : types
        return policy
    }

    // MARK: - Rules

    private mutating func calicoRules() throws(JSONError) -> [CalicoRule] {
        var rules: [CalicoRule] = []
        guard try enterArray() else { return rules }
        while try nextElement() { rules.append(try calicoRule()) }
        return rules
    }

    private mutating func calicoRule() throws(JSONError) -> CalicoRule {
        let start = offset
        var rule = CalicoRule(action: .log)
        var action: CalicoRule.Action?
        guard try enterObject() else {
            throw .unusable("the rule is empty; it needs an action at least", at: start)
        }
        while let key = try nextKey() {
            switch key {
            case "action": action = try ruleAction()
            case "ipVersion": rule.ipVersion = try integer()
            case "protocol": rule.proto = try proto()
            case "notProtocol": rule.notProto = try proto()
            case "icmp": rule.icmp = try icmpMatch()
            case "notICMP": rule.notICMP = try icmpMatch()
            case "http": rule.http = try httpMatch()
            case "source": rule.source = try entityRule()
            case "destination": rule.destination = try entityRule()
            default: try skip(key, of: .calicoRule)
            }
        }
        guard let action else {
            throw .unusable("the rule has no action; it needs Allow, Deny, Log or Pass", at: start)
        }
        rule.action = action
        return rule
    }

    /// The action of a rule; the old v1 API writes it in lower case.
    private mutating func ruleAction() throws(JSONError) -> CalicoRule.Action? {
        let start = offset
        guard let text = try text() else { return nil }
        switch text {
        case "Allow", "allow": return .allow
        case "Deny", "deny": return .deny
        case "Log", "log": return .log
        case "Pass", "pass": return .pass
        default: throw .unusable("expected Allow, Deny, Log or Pass", at: start)
        }
    }

    private mutating func icmpMatch() throws(JSONError) -> ICMPMatch? {
        guard try enterObject() else { return nil }
        var match = ICMPMatch()
        while let key = try nextKey() {
            switch key {
            case "type": match.type = try byte()
            case "code": match.code = try byte()
            default: try skip(key, of: .icmp)
            }
        }
        return match
    }

    private mutating func byte() throws(JSONError) -> UInt8? {
        let start = offset
        guard let number = try integer() else { return nil }
        guard let byte = UInt8(exactly: number) else { throw .unusable("expected a number from 0 to 255", at: start) }
        return byte
    }

    private mutating func httpMatch() throws(JSONError) -> HTTPMatch? {
        guard try enterObject() else { return nil }
        var match = HTTPMatch()
        while let key = try nextKey() {
            switch key {
            case "methods": match.methods = try strings()
            case "paths": match.paths = try httpPaths()
            default: try skip(key, of: .http)
            }
        }
        return match
    }

    private mutating func httpPaths() throws(JSONError) -> [HTTPMatch.Path] {
        var paths: [HTTPMatch.Path] = []
        guard try enterArray() else { return paths }
        while try nextElement() {
            var path = HTTPMatch.Path.unknown
            if try enterObject() {
                while let key = try nextKey() {
                    switch key {
                    case "exact": path = try nonEmptyString().map { .exact($0) } ?? path
                    case "prefix": path = try nonEmptyString().map { .prefix($0) } ?? path
                    default: try skip(key, of: .httpPath)
                    }
                }
            }
            paths.append(path)
        }
        return paths
    }

    // MARK: - Source and destination

    private mutating func entityRule() throws(JSONError) -> EntityRule {
        var rule = EntityRule()
        guard try enterObject() else { return rule }
        while let key = try nextKey() {
            switch key {
            case "nets":
                let (prefixes, count) = try prefixes()
                rule.nets = count == 0 ? nil : prefixes
            case "notNets": rule.notNets = try prefixes().prefixes
            case "selector": rule.selector = try string() ?? ""
            case "notSelector": rule.notSelector = try string() ?? ""
            case "namespaceSelector": rule.namespaceSelector = try string() ?? ""
            case "ports": rule.ports = try portMatches()
            case "notPorts": rule.notPorts = try portMatches()
            case "serviceAccounts": rule.serviceAccounts = try serviceAccountMatch()
            case "services": rule.service = try serviceMatch()
            case "domains": rule.domains = try strings()
            default: try skip(key, of: .entityRule)
            }
        }
        return rule
    }

    private mutating func portMatches() throws(JSONError) -> [PortMatch] {
        var matches: [PortMatch] = []
        guard try enterArray() else { return matches }
        while try nextElement() { matches.append(try portMatch(allowsRanges: true) ?? .unreadable) }
        return matches
    }

    private mutating func serviceAccountMatch() throws(JSONError) -> ServiceAccountMatch? {
        guard try enterObject() else { return nil }
        var match = ServiceAccountMatch()
        while let key = try nextKey() {
            switch key {
            case "names": match.names = try strings()
            case "selector": match.selector = try string() ?? ""
            default: try skip(key, of: .serviceAccounts)
            }
        }
        return match
    }

    private mutating func serviceMatch() throws(JSONError) -> ServiceMatch? {
        let start = offset
        guard try enterObject() else { return nil }
        var match = ServiceMatch(name: "")
        while let key = try nextKey() {
            switch key {
            case "name": match.name = try string() ?? ""
            case "namespace": match.namespace = try nonEmptyString()
            default: try skip(key, of: .services)
            }
        }
        if match.name.isEmpty { throw .unusable("the service has no name", at: start) }
        return match
    }
}
