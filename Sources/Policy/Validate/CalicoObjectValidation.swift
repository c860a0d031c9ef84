import ClusterModel

/// Validates Calico tiers, network sets, host endpoints and failsafe ports.
enum CalicoObjectValidation {
    // MARK: - Tiers

    /// The order and default action of the built-in tiers.
    private static let builtIn: [String: (order: Double, action: String)] = [
        "default": (1_000_000, "Deny"), "kube-admin": (1_000, "Pass"), "kube-baseline": (10_000_000, "Pass"),
    ]
    /// The order of tiers that were built in before 3.32.
    private static let formerlyBuiltIn: [String: Double] = [
        "adminnetworkpolicy": 1_000, "baselineadminnetworkpolicy": 10_000_000,
    ]

    static func checkTier(_ spec: CheckedField, name: String) {
        spec.expectObject(.tier)
        let order = spec["order"].number()
        let action = spec["defaultAction"].word(of: ["Deny", "Pass"])
        if let former = formerlyBuiltIn[name], order != former {
            spec["order"].doubt("Calico before 3.32 refuses an order of tier \(name) other than \(Int(former))")
        }
        guard let rule = builtIn[name] else { return }
        if order != rule.order { spec["order"].refuse("the order of tier \(name) must be \(Int(rule.order))") }
        if (action.flatMap { $0.isEmpty ? nil : $0 } ?? "Deny") != rule.action {
            spec["defaultAction"].refuse("the default action of tier \(name) must be \(rule.action)")
        }
    }

    // MARK: - Network sets

    static func checkNetworkSet(_ spec: CheckedField) {
        spec.expectObject(.networkSet)
        for net in spec["nets"].elements() { AddressValidation.setRange(net) }
        spec["nets"].checkRepetitions(since: "3.32")
        for name in spec["allowedEgressDomains"].elements() { CalicoDomainValidation.check(name) }
    }

    // MARK: - Host endpoints

    static func checkHostEndpoint(_ spec: CheckedField) {
        spec.expectObject(.hostEndpoint)
        if let node = spec["node"].nonEmptyString() {
            if !ObjectName.isSubdomain(node) { spec["node"].refuse("this is no name of a node") }
        } else {
            spec["node"].refuse("the node is missing; write the name of the node that has the interface")
        }
        if let name = spec["interfaceName"].nonEmptyString() {
            if name != "*", !isInterface(name) {
                spec["interfaceName"].refuse(
                    "this is no name of an interface: * or at most 15 letters, digits, _, . and -"
                )
            }
        } else if spec["expectedIPs"].isEmpty {
            spec.refuse("it has neither interfaceName nor expectedIPs; it needs one of them")
        }
        for address in spec["expectedIPs"].elements() { AddressValidation.address(address) }
        for profile in spec["profiles"].elements() {
            if let name = profile.element(), !ObjectName.isSubdomain(name) {
                profile.refuse("this is no name of a profile")
            }
        }
        for member in ["expectedIPs", "profiles"] { spec[member].checkRepetitions(since: "3.32") }
        for port in spec["ports"].elements() { checkPort(port) }
    }

    private static func isInterface(_ name: String) -> Bool {
        name.utf8.count <= 15
            && name.utf8.allSatisfy { byte in
                0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte || "_.-".utf8.contains(byte)
            }
    }

    // MARK: - Failsafe ports

    /// Validates the settings of Felix that Weir uses.
    static func checkFelixConfiguration(_ spec: CheckedField) {
        for member in ["failsafeInboundHostPorts", "failsafeOutboundHostPorts"] {
            for port in spec[member].elements() { checkFailsafePort(port) }
        }
    }

    private static func checkFailsafePort(_ port: CheckedField) {
        if !port.isPresent { return port.refuse("the port is empty; it needs a protocol and a port") }
        guard port.expectObject(.failsafePort) else { return }
        let proto = CalicoProtocol(port["protocol"])
        if proto.isReadable, port["protocol"].isPresent, !proto.hasPorts {
            port["protocol"].refuse("a failsafe port needs protocol TCP, UDP or SCTP; \(proto.words)")
        }
        if port["port"].isPresent {
            _ = port["port"].integer(in: 1...65_535)
        } else {
            port["port"].refuse("the number of the port is missing")
        }
        if port["net"].nonEmptyString() != nil { AddressValidation.setRange(port["net"]) }
    }

    // MARK: - Ports of host endpoints

    private static func checkPort(_ port: CheckedField) {
        if !port.isPresent { return port.refuse("the port is empty; it needs a name, a protocol and a port") }
        guard port.expectObject(.endpointPort) else { return }
        if let name = port["name"].nonEmptyString() {
            if !ObjectName.isPort(name) { port["name"].refuse(NetworkPolicyValidation.badName) }
        } else {
            port["name"].refuse("the port has no name")
        }
        let proto = CalicoProtocol(port["protocol"])
        if proto.isReadable, !proto.hasPorts {
            port["protocol"].refuse("a named port needs protocol TCP, UDP or SCTP; \(proto.words)")
        }
        if port["port"].isPresent {
            _ = port["port"].integer(in: 1...65_535)
        } else {
            port["port"].refuse("the number of the port is missing")
        }
    }
}
