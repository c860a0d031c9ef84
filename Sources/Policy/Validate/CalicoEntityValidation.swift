import ClusterModel

/// Validates the source or destination of a Calico rule.
struct CalicoEntityValidation {
    /// The rule, whose action limits the fields of its ends.
    let rule: CheckedField
    /// Whether the entity is the source.
    let isSource: Bool
    /// Whether the rule is an egress rule.
    let isEgress: Bool
    /// Whether the rule belongs to a global policy.
    let isGlobal: Bool

    func check(_ entity: CheckedField, _ proto: CalicoProtocol) {
        entity.expectObject(.entityRule)
        CalicoSelectorValidation(.refused).check(entity["selector"])
        CalicoSelectorValidation(.accepted).check(entity["notSelector"])
        CalicoSelectorValidation(.alone).check(entity["namespaceSelector"])
        for member in ["nets", "notNets"] {
            for net in entity[member].elements() { _ = AddressValidation.ruleRange(net) }
            entity[member].checkRepetitions(since: "3.32")
            entity[member].checkCount(upTo: 256, since: "3.33")
        }
        for member in ["ports", "notPorts"] {
            checkPorts(entity[member], proto)
            entity[member].checkCount(upTo: 50, since: "3.33")
        }
        checkServiceAccounts(entity["serviceAccounts"])
        checkServices(entity)
        checkDomains(entity)
    }

    private func checkServiceAccounts(_ accounts: CheckedField) {
        accounts.expectObject(.serviceAccounts)
        for name in accounts["names"].elements() {
            if !name.isPresent { name.doubt("there is no name, which Calico refuses from 3.32 on") }
            _ = name.string()
        }
        accounts["names"].checkRepetitions(since: "3.32")
        CalicoSelectorValidation(.accepted, hasLimit: false).check(accounts["selector"])
    }

    // MARK: - Ports

    private func checkPorts(_ ports: CheckedField, _ proto: CalicoProtocol) {
        let elements = ports.elements()
        if !elements.isEmpty, proto.isReadable, !proto.hasPorts {
            let reason = "ports need protocol TCP, UDP or SCTP; \(proto.words)"
            if proto.number == nil, elements.allSatisfy(isNamed) {
                ports.doubt("\(reason), which Calico before 3.32 refuses for named ports, too")
            } else {
                ports.refuse(reason)
            }
        }
        for port in elements { checkPort(port) }
    }

    private func isNamed(_ port: CheckedField) -> Bool {
        guard case .string(let text)? = port.value else { return false }
        return ObjectName.isPort(text)
    }

    private func checkPort(_ port: CheckedField) {
        guard case .string(let text)? = port.value else {
            if port.isPresent { _ = port.integer(in: 1...65_535) } else { port.refuse("there is no port") }
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isNumeric = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }
        guard isNumeric, parts.count <= 2 else {
            if !ObjectName.isPort(text) {
                let hint = text.utf8.contains(UInt8(ascii: "-")) ? "; a range is written as in 8080:8090" : ""
                port.refuse(NetworkPolicyValidation.badName + hint)
            }
            return
        }
        let numbers = parts.map { UInt16($0) ?? 0 }
        guard numbers.allSatisfy({ $0 > 0 }) else {
            return port.refuse("\(port.excerpt) is out of range; a port is a number from 1 to 65535")
        }
        if numbers.count == 2, numbers[0] > numbers[1] { port.refuse("the range \(text) ends before it begins") }
    }

    // MARK: - Domain names

    private func checkDomains(_ entity: CheckedField) {
        let domains = entity["domains"]
        for name in domains.elements() { CalicoDomainValidation.check(name) }
        guard !domains.isEmpty else { return }
        if isSource || !isEgress {
            return domains.refuse("domains are accepted in the destination of egress rules only")
        }
        if let action = rule["action"].nonEmptyString(), action != "Allow" {
            domains.refuse("domains are accepted in rules with action Allow only")
        }
        let others = ["nets", "selector"].filter { !entity[$0].isEmpty }
        guard !others.isEmpty else { return }
        domains.refuse("domains are used beside \(others.joined(separator: " and ")); make a rule for each")
    }

    // MARK: - Services

    private func checkServices(_ entity: CheckedField) {
        let services = entity["services"]
        guard services.isPresent, services.expectObject(.services) else { return }
        for member in ["name", "namespace"] {
            if let name = services[member].nonEmptyString(), !ObjectName.isSubdomain(name) {
                services[member].refuse("this is no name of a \(member == "name" ? "service" : "namespace")")
            }
        }
        if services["name"].isEmpty { services.refuse("the service has no name") }
        if isSource == isEgress {
            services.refuse(
                "services are accepted as \(isEgress ? "destination of egress" : "source of ingress") rules only"
            )
        } else if isGlobal, services["namespace"].isEmpty {
            services.refuse("a global policy must name the namespace of a service")
        }
        let others =
            ["selector", "notSelector", "namespaceSelector", "nets", "notNets"].filter { !entity[$0].isEmpty }
            + (entity["serviceAccounts"].isPresent ? ["serviceAccounts"] : [])
            + (isSource ? [] : ["ports", "notPorts"].filter { !entity[$0].isEmpty })
        guard !others.isEmpty else { return }
        services.refuse(
            "services are used beside \(others.joined(separator: ", ")); a service is used alone, "
                + "and means the addresses and ports of its pods"
        )
    }
}

/// Validates domain names of rules and network sets.
enum CalicoDomainValidation {
    static func check(_ name: CheckedField) {
        guard let text = name.element(), let error = DomainPattern.error(in: text) else { return }
        name.refuse("this is no domain name: \(error)")
    }
}
