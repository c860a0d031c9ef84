import ClusterModel
import FlowModel
import Inventory
import Policy

/// Finds who is at the ends of a connection, and asks the policies.
struct PolicyTracer {
    /// What policies decide at both ends; nil for an end that has no policies.
    typealias Traces = (egress: PolicyTrace?, ingress: PolicyTrace?)

    /// Why policies have no say in a connection.
    enum Exemption {
        /// A pod calls itself, which never leaves it: neither end is asked.
        case itself
        /// A node calls one of its own pods, whose ingress is not asked.
        case ownNode
    }

    /// A connection between addresses whose owners are known.
    struct Question {
        /// Addresses, ports and protocol.
        var packets: TrackedConnection.Tuple
        /// Who begins.
        var source: Endpoint
        /// Who is called.
        var destination: Endpoint
        /// Why policies have no say in it; nil if they have.
        var exemption: Exemption?
    }

    /// Who owns an address.
    let inventory: InventorySnapshot
    /// What is decided.
    let policies: PolicySnapshot
    /// What objects are called.
    let directory: PolicyDirectory
    /// The pods that were asked for, by name.
    private var pods: [String: End] = [:]
    /// Addresses at which services are called.
    private let serviceAddresses: Set<IPAddress>

    /// Takes what is known.
    init(inventory: InventorySnapshot, policies: PolicySnapshot, directory: PolicyDirectory) {
        self.inventory = inventory
        self.policies = policies
        self.directory = directory
        serviceAddresses = directory.serviceAddresses
    }

    /// What policies decide.
    func traces(_ question: Question) -> Traces {
        if question.exemption == .itself { return (nil, nil) }
        let traces = policies.traces(
            of: question.packets,
            source: question.source,
            destination: question.destination
        )
        return (traces.egress, question.exemption == nil ? traces.ingress : nil)
    }

    /// Why policies decide it.
    func explanation(_ question: Question) -> (egress: PolicyExplanation?, ingress: PolicyExplanation?) {
        if question.exemption == .itself { return (nil, nil) }
        let explanation = policies.explain(
            question.packets,
            source: question.source,
            destination: question.destination
        )
        return (explanation.egress, question.exemption == nil ? explanation.ingress : nil)
    }

    /// Who is at the ends of a connection: of the families that both have, IPv4 goes first.
    ///
    /// - Throws: if an end is not known, or there can be no connection between them.
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

    /// As in records: what never leaves a pod, and what a node sends to its own pods, no policy governs.
    private func exemption(_ question: Question) -> Exemption? {
        let (from, to) = (question.packets.source, question.packets.destination)
        guard question.destination.kind == .workload else { return nil }
        if from == to { return .itself }
        let name = "\(question.destination.namespace ?? "default")/\(question.destination.name)"
        guard let node = directory.pod(name)?.node else { return nil }
        return directory.isNode(node, at: from) ? .ownNode : nil
    }

    // MARK: Ends

    /// An address, and the pod that is asked for there; nil where an address is asked for.
    private struct Place {
        var address: IPAddress
        var pod: Endpoint?
    }

    /// Where an end is, at most once in each family.
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
            // Of a pod in its node's network policies see the host.
            let endpoint = pod.usesHostNetwork ? inventory.endpoint(at: address) : try endpoint(text, at: address)
            end.add(Place(address: address, pod: endpoint))
        }
        return end
    }

    /// The pod of a name as the inventory knows it at an address.
    private func endpoint(_ name: String, at address: IPAddress) throws(PolicyQuestionError) -> Endpoint {
        func isPod(_ endpoint: Endpoint) -> Bool {
            endpoint.kind == .workload && "\(endpoint.namespace ?? "default")/\(endpoint.name)" == name
        }
        let owner = inventory.endpoint(at: address)
        if isPod(owner) { return owner }
        // Of several that say that they have the address it is not the one that records would name.
        let explanation = inventory.explain(address, port: nil, proto: nil, peerNamespace: nil)
        guard let claimant = explanation.otherClaimants.first(where: { isPod($0.endpoint) }) else {
            throw PolicyQuestionError(description: "pod \(name) is known no longer at \(address)")
        }
        return claimant.endpoint
    }

    private func unknown(_ text: String) -> String {
        guard directory.isService(text) else { return "there is no pod \(text) in the inventory" }
        return "\(text) is a service, and services do not begin connections; ask for a pod behind it"
    }
}

// MARK: - Services

extension PolicyTracer {
    /// A connection to a service: one to each of its backends may come of it.
    struct ServiceQuestion {
        /// The service, as `NAMESPACE/NAME`.
        var name: String
        /// The address at which it is called; nil if it was asked for by name.
        var address: IPAddress?
        /// What was asked for, with the port of the service.
        var connection: PolicyConnection
        /// What its backends are asked.
        var backends: [(connection: PolicyConnection, question: Question)]
    }

    /// What a connection is about.
    enum Inquiry {
        /// Two ends.
        case connection(Question)
        /// A service.
        case service(ServiceQuestion)
    }

    /// Who is asked about: the two ends, or the backends of the service that is called.
    ///
    /// - Throws: if an end is not known, there can be no connection between them, or the service has no such port.
    mutating func inquiry(_ connection: PolicyConnection) throws(PolicyQuestionError) -> Inquiry {
        guard let name = try service(connection) else { return .connection(try question(connection)) }
        return .service(try question(connection, of: name))
    }

    /// The service that a connection calls; nil if it calls none.
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

    /// The port of a service that is called; nil if only its endpoints are known.
    private func servicePort(
        _ connection: PolicyConnection,
        of name: String
    ) throws(PolicyQuestionError) -> Service.Port? {
        guard let service = directory.service(name), connection.proto.hasPorts else { return nil }
        // A headless service is called at the ports of its pods.
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
