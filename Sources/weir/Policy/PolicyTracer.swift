import ClusterModel
import FlowModel
import Inventory
import Policy

/// Resolves the endpoints of a connection and evaluates the policies.
struct PolicyTracer {
    /// The traces of both ends; nil for an end without policies.
    typealias Traces = (egress: PolicyTrace?, ingress: PolicyTrace?)

    /// The reason why policies do not apply to a connection.
    enum Exemption {
        /// A pod connects to itself; the packets never leave it, so policies of neither end are evaluated.
        case itself
        /// A node connects to one of its own pods, whose ingress policies are not evaluated.
        case ownNode
    }

    /// A connection between addresses with resolved endpoints.
    struct Question {
        /// Addresses, ports and protocol.
        var packets: TrackedConnection.Tuple
        /// The endpoint that opens the connection.
        var source: Endpoint
        /// The endpoint that receives the connection.
        var destination: Endpoint
        /// The reason why policies do not apply; nil if they apply.
        var exemption: Exemption?
    }

    /// Maps addresses to endpoints.
    let inventory: InventorySnapshot
    /// Evaluates the policies.
    let policies: PolicySnapshot
    /// Maps names to objects.
    let directory: PolicyDirectory
    /// Resolved pods by name.
    private var pods: [String: End] = [:]
    /// The addresses of services.
    private let serviceAddresses: Set<IPAddress>

    /// Takes the snapshots.
    init(inventory: InventorySnapshot, policies: PolicySnapshot, directory: PolicyDirectory) {
        self.inventory = inventory
        self.policies = policies
        self.directory = directory
        serviceAddresses = directory.serviceAddresses
    }

    /// The traces of both ends.
    func traces(_ question: Question) -> Traces {
        if question.exemption == .itself { return (nil, nil) }
        let traces = policies.traces(
            of: question.packets,
            source: question.source,
            destination: question.destination
        )
        return (traces.egress, question.exemption == nil ? traces.ingress : nil)
    }

    /// The explanations of the traces.
    func explanation(_ question: Question) -> (egress: PolicyExplanation?, ingress: PolicyExplanation?) {
        if question.exemption == .itself { return (nil, nil) }
        let explanation = policies.explain(
            question.packets,
            source: question.source,
            destination: question.destination
        )
        return (explanation.egress, question.exemption == nil ? explanation.ingress : nil)
    }

    /// Resolves the endpoints of a connection; if both have IPv4 and IPv6 addresses, IPv4 is used.
    ///
    /// - Throws: an error if an endpoint is unknown, or no connection between them is possible.
    mutating func question(_ connection: PolicyConnection) throws(PolicyQuestionError) -> Question {
        let (one, other) = (try end(connection.source), try end(connection.destination))
        if let source = one.ipv4, let destination = other.ipv4 { return question(connection, source, destination) }
        if let source = one.ipv6, let destination = other.ipv6 { return question(connection, source, destination) }
        throw PolicyQuestionError(
            description: "\(one.text) and \(other.text) are of different families: nothing connects IPv4 and IPv6"
        )
    }

    private func question(_ connection: PolicyConnection, _ source: Place, _ destination: Place) -> Question {
        let packets = connection.packets(from: source.address, to: destination.address)
        let owners = inventory.endpoints(source: source.address, destination: destination.address)
        var question = Question(
            packets: packets,
            source: source.pod ?? owners.source,
            destination: destination.pod ?? owners.destination
        )
        question.exemption = exemption(question)
        return question
    }

    /// The exemption of connections that stay within a pod, and of those from a node to its own pods, as in records.
    private func exemption(_ question: Question) -> Exemption? {
        let (from, to) = (question.packets.source, question.packets.destination)
        guard question.destination.kind == .workload else { return nil }
        if from == to { return .itself }
        let name = "\(question.destination.namespace ?? "default")/\(question.destination.name)"
        guard let node = directory.pod(name)?.node else { return nil }
        return directory.isNode(node, at: from) ? .ownNode : nil
    }

    // MARK: Ends

    /// An address, and the endpoint of the pod at it; nil if the address itself was specified.
    private struct Place {
        var address: IPAddress
        var pod: Endpoint?
    }

    /// The places of an endpoint, at most one per address family.
    private struct End {
        var ipv4: Place?
        var ipv6: Place?

        var text: String {
            [ipv4, ipv6].compactMap { $0?.address.description }.joined(separator: ", ")
        }

        mutating func add(_ place: Place) {
            if place.address.isIPv4 { ipv4 = ipv4 ?? place } else { ipv6 = ipv6 ?? place }
        }
    }

    private mutating func end(_ name: PolicyEndName) throws(PolicyQuestionError) -> End {
        switch name {
        case .address(let address):
            var end = End()
            end.add(Place(address: address))
            return end
        case .named(let text):
            if let known = pods[text] { return known }
            let end = try pod(text)
            pods[text] = end
            return end
        case .recorded(let text, let address):
            guard let address, directory.pod(text)?.hasEnded ?? true else { return try end(.named(text)) }
            return try end(.address(address))
        case .service(let text):
            throw PolicyQuestionError(description: "\(text) is a service, and services do not begin connections")
        }
    }

    private func pod(_ text: String) throws(PolicyQuestionError) -> End {
        guard let pod = directory.pod(text) else { throw PolicyQuestionError(description: unknown(text)) }
        guard !pod.hasEnded else {
            throw PolicyQuestionError(description: "pod \(text) has ended; its addresses may be another's")
        }
        guard !pod.addresses.isEmpty else {
            throw PolicyQuestionError(description: "pod \(text) has no address (status.podIPs)")
        }
        var end = End()
        for address in pod.addresses {
            // For a pod in its node's network, policies apply to the host endpoint.
            let endpoint = pod.usesHostNetwork ? inventory.endpoint(at: address) : try endpoint(text, at: address)
            end.add(Place(address: address, pod: endpoint))
        }
        return end
    }

    /// The endpoint of the named pod at an address, from the inventory.
    private func endpoint(_ name: String, at address: IPAddress) throws(PolicyQuestionError) -> Endpoint {
        func isPod(_ endpoint: Endpoint) -> Bool {
            endpoint.kind == .workload && "\(endpoint.namespace ?? "default")/\(endpoint.name)" == name
        }
        let owner = inventory.endpoint(at: address)
        if isPod(owner) { return owner }
        // If several objects claim the address, the pod may be a claimant other than the one that records name.
        let explanation = inventory.explain(address, port: nil, proto: nil, peerNamespace: nil)
        guard let claimant = explanation.otherClaimants.first(where: { isPod($0.endpoint) }) else {
            throw PolicyQuestionError(description: "pod \(name) is known no longer at \(address)")
        }
        return claimant.endpoint
    }

    private func unknown(_ text: String) -> String {
        guard directory.isService(text) else { return "there is no pod \(text) in the inventory" }
        return "\(text) is a service, and services do not begin connections; name a pod behind it"
    }
}

// MARK: - Services

extension PolicyTracer {
    /// A connection to a service, which may lead to any of its backends.
    struct ServiceQuestion {
        /// The service, as `NAMESPACE/NAME`.
        var name: String
        /// The address of the service; nil if it was specified by name.
        var address: IPAddress?
        /// The connection as specified, with the port of the service.
        var connection: PolicyConnection
        /// The connections to the backends, with resolved endpoints.
        var backends: [(connection: PolicyConnection, question: Question)]
    }

    /// What a connection resolves to.
    enum Inquiry {
        /// A connection between two endpoints.
        case connection(Question)
        /// A connection to a service.
        case service(ServiceQuestion)
    }

    /// Resolves a connection to two endpoints, or to the backends of a service.
    ///
    /// - Throws: an error if an endpoint is unknown, no connection is possible, or the service does not have the port.
    mutating func inquiry(_ connection: PolicyConnection) throws(PolicyQuestionError) -> Inquiry {
        guard let name = try service(connection) else { return .connection(try question(connection)) }
        return .service(try question(connection, of: name))
    }

    /// The destination service of a connection; nil if the destination is not a service.
    private func service(_ connection: PolicyConnection) throws(PolicyQuestionError) -> String? {
        switch connection.destination {
        case .service(let text):
            let name = text.contains("/") ? text : "\(namespace(of: connection.source))/\(text)"
            guard directory.isService(name) else {
                throw PolicyQuestionError(description: "there is no service \(name) in the inventory")
            }
            return name
        case .named(let text): return directory.pod(text) == nil && directory.isService(text) ? text : nil
        case .recorded: return nil
        case .address(let address):
            guard serviceAddresses.contains(address) else { return nil }
            let matches = inventory.explain(
                address,
                port: connection.port,
                proto: connection.proto,
                peerNamespace: nil
            ).services
            let called = matches.filter { connection.port != nil || $0.way == .address }.flatMap(\.services)
            return called.map { "\($0.object.namespace ?? "default")/\($0.object.name)" }.min()
        }
    }

    private func namespace(of source: PolicyEndName) -> String {
        switch source {
        case .named(let text), .recorded(let text, _), .service(let text):
            return text.split(separator: "/").first.map(String.init) ?? "default"
        case .address(let address): return inventory.endpoint(at: address).namespace ?? "default"
        }
    }

    private mutating func question(
        _ connection: PolicyConnection,
        of name: String
    ) throws(PolicyQuestionError) -> ServiceQuestion {
        var called = connection
        var address: IPAddress?
        if case .address(let at) = connection.destination { address = at }
        let port = try servicePort(connection, of: name)
        if called.port == nil { called.port = port?.port }
        let source = try end(connection.source)
        var backends = directory.backends(of: name, port: port, calledAt: called.port, proto: connection.proto)
            .filter { $0.address.isIPv4 ? source.ipv4 != nil : source.ipv6 != nil }
        let isIPv4 = address?.isIPv4 ?? backends.contains { $0.address.isIPv4 }
        backends.removeAll { $0.address.isIPv4 != isIPv4 }
        guard !backends.isEmpty else {
            throw PolicyQuestionError(
                description: "nothing answers for service \(name): it has no EndpointSlices or Endpoints in the "
                    + "inventory for this port and family"
            )
        }
        var questions: [(connection: PolicyConnection, question: Question)] = []
        for backend in backends {
            var one = called
            one.destination = .address(backend.address)
            one.port = backend.port?.port ?? called.port
            questions.append((one, try question(one)))
        }
        return ServiceQuestion(name: name, address: address, connection: called, backends: questions)
    }

    /// The service port of a connection; nil if only the endpoints of the service are known.
    private func servicePort(
        _ connection: PolicyConnection,
        of name: String
    ) throws(PolicyQuestionError) -> Service.Port? {
        guard let service = directory.service(name), connection.proto.hasPorts else { return nil }
        // Connections to a headless service go directly to the ports of its pods.
        if service.addresses.isEmpty, connection.port != nil { return nil }
        let ports = service.ports.filter { $0.proto == connection.proto }
        let list = service.ports.map { "\($0.port)/\($0.proto.name)" }.joined(separator: ", ")
        guard let number = connection.port else {
            if ports.count == 1 { return ports[0] }
            throw PolicyQuestionError(description: "service \(name) has several ports; give one of them: \(list)")
        }
        guard let port = ports.first(where: { $0.port == number }) ?? ports.first(where: { $0.nodePort == number })
        else {
            throw PolicyQuestionError(
                description: "service \(name) has no port \(number)/\(connection.proto.name); it has \(list)"
            )
        }
        return port
    }
}
