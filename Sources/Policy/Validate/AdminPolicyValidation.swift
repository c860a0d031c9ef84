import ClusterModel

/// Validates the policies of `policy.networking.k8s.io`: admin, baseline admin and cluster network policies.
struct AdminPolicyValidation {
    private let kind: ObjectKind
    private let ruleLimit: Int

    init(_ kind: ObjectKind) {
        self.kind = kind
        ruleLimit = kind == .clusterNetworkPolicy ? 25 : 100
    }

    private var isCluster: Bool { kind == .clusterNetworkPolicy }

    private var actions: [String] {
        switch kind {
        case .clusterNetworkPolicy: ["Accept", "Deny", "Pass"]
        case .baselineAdminNetworkPolicy: ["Allow", "Deny"]
        default: ["Allow", "Deny", "Pass"]
        }
    }

    func check(_ spec: CheckedField) {
        guard spec.isPresent else { return spec.refuse("the spec is missing") }
        spec.expectObject(.adminPolicy(kind))
        if isCluster { spec["tier"].word(of: ["Admin", "Baseline"], isRequired: true) }
        if kind != .baselineAdminNetworkPolicy {
            if spec["priority"].isPresent {
                _ = spec["priority"].integer(in: 0...1_000)
            } else {
                spec["priority"].refuse("the priority is missing; it is a number from 0 to 1000, the lowest one first")
            }
        }
        checkOne(of: ["namespaces", "pods"], spec["subject"], .subject, "the subject")
        checkSelectors(spec["subject"])
        checkRules(spec["ingress"], peers: "from", .adminIngressRule(kind))
        checkRules(spec["egress"], peers: "to", .adminEgressRule(kind))
    }

    /// Requires exactly one of several members.
    private func checkOne(of members: [String], _ field: CheckedField, _ fields: FieldSet, _ what: String) {
        field.expectObject(fields)
        let present = members.filter { field[$0].isPresent }
        guard present.count != 1 else { return }
        let list = members.joined(separator: ", ")
        let found = present.isEmpty ? "none" : present.joined(separator: " and ")
        field.refuse("\(what) needs exactly one of \(list); it has \(found)")
    }

    private func checkSelectors(_ field: CheckedField) {
        LabelSelectorValidation.check(field["namespaces"], isOfCustomResource: true)
        LabelSelectorValidation.check(field["nodes"], isOfCustomResource: true)
        guard field["pods"].isPresent, field["pods"].expectObject(.namespacedPods) else { return }
        for member in ["namespaceSelector", "podSelector"] {
            let selector = field["pods"][member]
            let isOptional = isCluster && member == "namespaceSelector"
            if !selector.isPresent, !isOptional { selector.refuse("it is missing; write {} to select all") }
            LabelSelectorValidation.check(selector, isOfCustomResource: true)
        }
    }

    // MARK: - Rules

    private func checkRules(_ rules: CheckedField, peers member: String, _ fields: FieldSet) {
        let elements = rules.elements()
        if elements.count > ruleLimit { rules.refuse("\(elements.count) rules; \(ruleLimit) at most are accepted") }
        for rule in elements {
            rule.expectObject(fields)
            if let name = rule["name"].string(), name.count > 100 {
                rule["name"].refuse("the name has \(name.count) characters; 100 at most are accepted")
            }
            if rule["action"].isEmpty {
                rule.refuse("the rule has no action; it needs \(actions.joined(separator: " or "))")
            } else {
                rule["action"].word(of: actions)
            }
            checkPeers(rule[member], isEgress: member == "to")
            checkPorts(rule["ports"])
            checkProtocols(rule["protocols"])
            if member == "to" { checkNamedPorts(rule) }
        }
    }

    private func checkPeers(_ peers: CheckedField, isEgress: Bool) {
        let elements = peers.elements()
        if elements.isEmpty, peers.isEmpty {
            peers.refuse("the rule needs a peer; write namespaces: {} for all pods")
        }
        if elements.count > ruleLimit { peers.refuse("\(elements.count) peers; \(ruleLimit) at most are accepted") }
        let outside =
            kind == .baselineAdminNetworkPolicy ? ["nodes", "networks"] : ["nodes", "networks", "domainNames"]
        let members = ["namespaces", "pods"] + (isEgress ? outside : [])
        let fields: FieldSet = isEgress ? .adminEgressPeer(kind) : .adminIngressPeer
        for peer in elements {
            checkOne(of: members, peer, fields, isEgress ? "the peer" : "the peer of an ingress rule")
            checkSelectors(peer)
            guard isEgress else { continue }
            checkNetworks(peer["networks"])
            if members.contains("domainNames") { checkDomains(peer["domainNames"]) }
        }
    }

    private func checkNetworks(_ networks: CheckedField) {
        let elements = networks.elements()
        if networks.isPresent, elements.isEmpty || elements.count > 25 {
            networks.refuse("\(elements.count) ranges; 1 to 25 are accepted")
        }
        for network in elements {
            AddressValidation.customRange(network)
        }
        networks.checkRepetitions()
    }

    private func checkDomains(_ domains: CheckedField) {
        let elements = domains.elements()
        if domains.isPresent, elements.isEmpty || elements.count > 25 {
            domains.refuse("\(elements.count) names; 1 to 25 are accepted")
        }
        for domain in elements {
            guard let name = domain.element(), !Self.isDomain(name) else { continue }
            domain.refuse("this is no domain; write one as in example.com, or *.example.com for all below it")
        }
        domains.checkRepetitions()
    }

    /// Whether a text matches the API's pattern of domain names: at least two labels, with or without `*.` before them.
    private static func isDomain(_ text: String) -> Bool {
        var labels = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if labels.last?.isEmpty == true { labels.removeLast() }
        if labels.first?.elementsEqual("*".utf8) == true { labels.removeFirst() }
        return labels.count >= 2
            && labels.allSatisfy { label in
                guard let first = label.first, let last = label.last else { return false }
                // The pattern has A-z for the first character, which includes the characters between Z and a.
                let isFirst = 0x30...0x39 ~= first || 0x41...0x7a ~= first
                return isFirst && (label.count == 1 || isAlphanumeric(last))
                    && label.dropFirst().allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f }
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte
    }

    // MARK: - Ports

    private func checkPorts(_ ports: CheckedField) {
        let elements = ports.elements()
        if ports.isPresent, elements.isEmpty || elements.count > 100 {
            ports.refuse("\(elements.count) ports; 1 to 100 are accepted, or leave the field out")
        }
        for port in elements {
            checkOne(of: ["portNumber", "portRange", "namedPort"], port, .adminPort, "the port")
            if port["portNumber"].isPresent {
                port["portNumber"].expectObject(.portNumber)
                checkProtocol(port["portNumber"]["protocol"])
                checkNumber(port["portNumber"]["port"])
            }
            if port["portRange"].isPresent {
                checkProtocol(port["portRange"]["protocol"])
                checkRange(port["portRange"], .portRange)
            }
            checkName(port["namedPort"])
        }
    }

    /// Validates a protocol for which the API accepts any text.
    private func checkProtocol(_ proto: CheckedField) {
        guard let name = proto.string(), !["TCP", "UDP", "SCTP"].contains(name) else { return }
        proto.doubt("an API server accepts this, but there are TCP, UDP and SCTP only; case is significant")
    }

    private func checkProtocols(_ protocols: CheckedField) {
        let elements = protocols.elements()
        if protocols.isPresent, elements.isEmpty || elements.count > 25 {
            protocols.refuse("\(elements.count) protocols; 1 to 25 are accepted, or leave the field out")
        }
        for entry in elements {
            checkOne(of: ["tcp", "udp", "sctp", "destinationNamedPort"], entry, .adminProtocol, "the protocol")
            for member in ["tcp", "udp", "sctp"] where entry[member].isPresent {
                if entry[member].expectObject(.destinationPort), entry[member].isEmpty {
                    entry[member].refuse("it is empty; it needs a destinationPort")
                }
                let port = entry[member]["destinationPort"]
                guard port.isPresent else { continue }
                checkOne(of: ["number", "range"], port, .portNumberOrRange, "the port")
                if port["number"].isPresent { checkNumber(port["number"]) }
                if port["range"].isPresent { checkRange(port["range"], .destinationRange) }
            }
            checkName(entry["destinationNamedPort"])
        }
    }

    private func checkNumber(_ port: CheckedField) {
        if port.isPresent { _ = port.integer(in: 1...65_535) } else { port.refuse("the number of the port is missing") }
    }

    private func checkRange(_ range: CheckedField, _ fields: FieldSet) {
        range.expectObject(fields)
        let (start, end) = (range["start"].integer(in: 1...65_535), range["end"].integer(in: 1...65_535))
        for member in ["start", "end"] where !range[member].isPresent { range[member].refuse("it is missing") }
        guard let start, let end, start >= end else { return }
        let reason = "the end \(end) must be above the start \(start)"
        isCluster ? range.refuse(reason) : range.doubt("\(reason), although an API server accepts it")
    }

    private func checkName(_ port: CheckedField) {
        guard let name = port.string() else { return }
        if !ObjectName.isPort(name) {
            port.doubt("an API server accepts this, but \(NetworkPolicyValidation.badName)")
        }
    }

    /// Rejects named ports in rules with peers other than pods, because only pods have named ports.
    private func checkNamedPorts(_ rule: CheckedField) {
        let isOutside = rule["to"].elements().contains { peer in
            ["networks", "nodes", "domainNames"].contains { peer[$0].isPresent }
        }
        guard isOutside else { return }
        let named =
            rule["ports"].elements().map { $0["namedPort"] }
            + rule["protocols"].elements().map { $0["destinationNamedPort"] }
        for port in named where port.isPresent {
            port.refuse("networks, nodes and domainNames have no named ports; write the number, or make two rules")
        }
    }
}
