import ClusterModel
import FlowModel

/// Validates NetworkPolicies (`networking.k8s.io/v1`).
enum NetworkPolicyValidation {
    private static let protocols = ["TCP", "UDP", "SCTP"]

    /// Validates the staged form, which is a Calico kind.
    static func checkStaged(_ spec: CheckedField) {
        check(spec, fields: .stagedKubernetesPolicy)
        CalicoPolicyValidation.checkIsNotEmpty(spec["policyTypes"])
        spec["policyTypes"].checkRepetitions()
        CalicoPolicyValidation.checkStagedAction(spec, alsoWithDelete: [])
    }

    static func check(_ spec: CheckedField, fields: FieldSet) {
        spec.expectObject(fields)
        LabelSelectorValidation.check(spec["podSelector"])
        checkTypes(spec["policyTypes"])
        checkRules(spec["ingress"], peers: "from", .ingressRule)
        checkRules(spec["egress"], peers: "to", .egressRule)
    }

    private static func checkTypes(_ types: CheckedField) {
        let elements = types.elements()
        guard elements.count <= 2 else { return types.refuse("there are two types at most, Ingress and Egress") }
        for type in elements { type.word(of: ["Ingress", "Egress"], isRequired: true) }
    }

    private static func checkRules(_ rules: CheckedField, peers member: String, _ fields: FieldSet) {
        for rule in rules.elements() {
            rule.expectObject(fields)
            for peer in rule[member].elements() { checkPeer(peer) }
            for port in rule["ports"].elements() { checkPort(port) }
        }
    }

    private static func checkPeer(_ peer: CheckedField) {
        peer.expectObject(.networkPolicyPeer)
        let selectors = ["podSelector", "namespaceSelector"].filter { peer[$0].isPresent }
        for selector in selectors { LabelSelectorValidation.check(peer[selector]) }
        guard peer["ipBlock"].isPresent else {
            if selectors.isEmpty {
                peer.refuse("the peer is empty; it needs a podSelector, a namespaceSelector or an ipBlock")
            }
            return
        }
        checkBlock(peer["ipBlock"])
        if !selectors.isEmpty {
            let others = selectors.joined(separator: " and ")
            peer.refuse("ipBlock is used beside \(others); a peer has addresses or pods, so make two peers of it")
        }
    }

    private static func checkBlock(_ block: CheckedField) {
        guard block.expectObject(.ipBlock) else { return }
        guard !block["cidr"].isEmpty else {
            return block["cidr"].refuse("the range is missing; write one as in 10.0.0.0/8")
        }
        let range = AddressValidation.kubernetesRange(block["cidr"])
        for field in block["except"].elements() {
            guard let hole = AddressValidation.kubernetesRange(field), let range else { continue }
            if !range.contains(hole.address) || hole.length <= range.length {
                field.refuse("\(hole) must be within the range \(range) and smaller than it")
            }
        }
    }

    // MARK: - Ports

    private static func checkPort(_ entry: CheckedField) {
        entry.expectObject(.networkPolicyPort)
        if entry["protocol"].isPresent { entry["protocol"].word(of: protocols, isRequired: true) }
        let (port, end) = (entry["port"], entry["endPort"])
        let first = number(port)
        guard end.isPresent else { return }
        switch port.value {
        case nil: end.refuse("endPort needs a port")
        case .number:
            if let last = end.integer(in: 1...65_535), let first, last < first {
                end.refuse("endPort \(last) is below port \(first)")
            }
        default: end.refuse("endPort needs a port that is a number; \(port.excerpt) is a name")
        }
    }

    /// The number of a port; nil if the port is a name.
    private static func number(_ port: CheckedField) -> Int? {
        switch port.value {
        case nil: return nil
        case .string(let name):
            if !name.isEmpty, name.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
                port.refuse("\(port.excerpt) is a text, which is taken for a port's name; write \(name) without quotes")
            } else if !ObjectName.isPort(name) {
                port.refuse(badName)
            }
            return nil
        default: return port.integer(in: 1...65_535)
        }
    }

    /// The message for an invalid port name.
    static let badName = "this is no name of a port: at most 15 of a-z, 0-9 and -, with a letter among them"
}
