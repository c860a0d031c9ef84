import ClusterModel
import FlowModel
import Inventory

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
        /// Notes about the backends, one sentence each.
        var notes: [String]
    }

    /// The result of resolving a connection.
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
        if let name = try service(connection) { return .service(try question(connection, of: name)) }
        var connection = connection
        if let name = connection.portName { connection.port = try number(of: name, connection) }
        return .connection(try question(connection))
    }

    /// The number of a pod's port with a name.
    private func number(of name: String, _ connection: PolicyConnection) throws(PolicyQuestionError) -> UInt16 {
        guard case .named(let text) = connection.destination, let pod = directory.pod(text) else {
            throw PolicyQuestionError(
                description: "port '\(name)': pods and services have names of ports; give its number"
            )
        }
        if let port = pod.namedPorts.first(where: { $0.name == name && $0.proto == connection.proto }) {
            return port.port
        }
        let list = pod.namedPorts.map { "\($0.name ?? "-") (\($0.port)/\($0.proto.name))" }.joined(separator: ", ")
        throw PolicyQuestionError(
            description:
                "pod \(text) has no port '\(name)' of \(connection.proto.name); it has \(list.isEmpty ? "none" : list)"
        )
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
        case .address(let address): return service(at: address, connection)
        }
    }

    private func service(at address: IPAddress, _ connection: PolicyConnection) -> String? {
        guard serviceAddresses.contains(address) else { return nil }
        let matches = inventory.explain(
            address,
            port: connection.port,
            proto: connection.proto,
            peerNamespace: nil
        ).services
        let called = matches.filter { connection.port != nil || $0.way == .address }.flatMap(\.services)
        let name = called.map { "\($0.object.namespace ?? "default")/\($0.object.name)" }.min()
        // The connection of a record at such an address went to that address, and not to a backend.
        return name ?? (connection.isOfRecord ? nil : servicesByAddress[address])
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
        try refuseOutside(name, connection)
        var called = connection
        let port = try servicePort(connection, of: name)
        if called.port == nil { called.port = port?.port }
        let found = try backends(called, of: name, port)
        var questions: [(connection: PolicyConnection, question: Question)] = []
        for backend in found.chosen {
            var one = called
            one.destination = .address(backend.address)
            one.port = backend.port?.port ?? called.port
            var question = try question(one)
            question.called = destinationBeforeNAT(of: question, called, name, port)
            questions.append((one, question))
        }
        return ServiceQuestion(
            name: name,
            address: connection.destination.givenAddress,
            connection: called,
            backends: questions,
            notes: found.notes
        )
    }

    /// The address and port at which a service is called, and the node that translates them to those of a backend.
    ///
    /// The node of the called address translates packets to a node port. If the service is named, this is the backend's
    /// node. The first node of the cluster on the way translates packets to an address of the service.
    ///
    /// - Returns: nil if the packets are not translated, or are translated where they begin.
    private func destinationBeforeNAT(
        of question: Question,
        _ connection: PolicyConnection,
        _ service: String,
        _ port: Service.Port?
    ) -> (address: IPAddress, port: UInt16, node: String)? {
        guard let number = connection.port else { return nil }
        let (source, backend) = (question.packets.source, question.packets.destination)
        let backendNode = node(of: question.destination)
        let given = connection.destination.givenAddress
        var addresses = directory.service(service)?.addresses ?? []
        var translator = given.flatMap { nodesByAddress[$0] }
        if given == nil, let port, port.port != number, let backendNode {
            (addresses, translator) = (directory.addresses(ofNode: backendNode), backendNode)
        }
        let isFromCluster = question.source.kind == .workload || nodesByAddress[source] != nil
        if translator == nil, !isFromCluster { translator = backendNode }
        guard let translator, let address = given ?? addresses.first(where: { $0.isIPv4 == backend.isIPv4 }),
            nodesByAddress[source] != translator, nodesByAddress[backend] != translator
        else { return nil }
        return (address, number, translator)
    }

    /// Refuses services without endpoints in the cluster, and protocols that services do not forward.
    private func refuseOutside(_ name: String, _ connection: PolicyConnection) throws(PolicyQuestionError) {
        guard let service = directory.service(name) else { return }
        if let host = service.externalName {
            let answer = host.isEmpty ? "and names no host (spec.externalName)" : "for which DNS answers with \(host)"
            throw PolicyQuestionError(
                description: "service \(name) is of type ExternalName, \(answer): connections go to that host, "
                    + "and not to endpoints of the cluster; give one of its addresses"
            )
        }
        guard !connection.proto.hasPorts, !service.addresses.isEmpty else { return }
        throw PolicyQuestionError(
            description: "service \(name) passes on its ports only (\(Self.list(service.ports))), and no "
                + "\(connection.proto.name); name a pod behind it"
        )
    }

    private static func list(_ ports: [Service.Port]) -> String {
        ports.isEmpty
            ? "none"
            : ports.map { "\($0.port)/\($0.proto.name)" + ($0.name.map { " (\($0))" } ?? "") }.joined(separator: ", ")
    }

    // MARK: - Ports

    /// The service port of a connection; nil if only the endpoints of the service are known.
    private func servicePort(
        _ connection: PolicyConnection,
        of name: String
    ) throws(PolicyQuestionError) -> Service.Port? {
        guard let service = directory.service(name), connection.proto.hasPorts else {
            guard let port = connection.portName else { return nil }
            throw PolicyQuestionError(
                description: "service \(name) is not in the inventory; give the number of '\(port)'"
            )
        }
        let ports = service.ports.filter { $0.proto == connection.proto }
        let list = Self.list(service.ports)
        if let wanted = connection.portName {
            if let port = ports.first(where: { $0.name == wanted }) { return port }
            throw PolicyQuestionError(
                description: "service \(name) has no port '\(wanted)' of \(connection.proto.name); it has \(list)"
            )
        }
        // Connections to a headless service go directly to the ports of its pods.
        if service.addresses.isEmpty, connection.port != nil { return nil }
        guard let number = connection.port else {
            if ports.count == 1 { return ports[0] }
            let reason =
                ports.isEmpty ? "no port of \(connection.proto.name); it has" : "several ports; give one of them:"
            throw PolicyQuestionError(description: "service \(name) has \(reason) \(list)")
        }
        guard let port = ports.first(where: { $0.port == number }) ?? ports.first(where: { $0.nodePort == number })
        else {
            throw PolicyQuestionError(
                description: "service \(name) has no port \(number)/\(connection.proto.name); it has \(list)"
            )
        }
        return port
    }

    // MARK: - Backends

    /// The backends that get the connection: those that are ready, else those that are terminating and still serve.
    private mutating func backends(
        _ connection: PolicyConnection,
        of name: String,
        _ port: Service.Port?
    ) throws(PolicyQuestionError) -> (chosen: [PolicyDirectory.Backend], notes: [String]) {
        let source = try end(connection.source)
        let all = directory.backends(of: name, port: port, calledAt: connection.port, proto: connection.proto)
        var backends = all.filter { $0.address.isIPv4 ? source.ipv4 != nil : source.ipv6 != nil }
        let isIPv4 = connection.destination.givenAddress?.isIPv4 ?? backends.contains { $0.address.isIPv4 }
        backends.removeAll { $0.address.isIPv4 != isIPv4 }
        guard !backends.isEmpty else {
            throw PolicyQuestionError(
                description: "nothing answers for service \(name): "
                    + (all.isEmpty ? missing(name, port) : "its endpoints are of the other IP version")
            )
        }
        let ready = backends.filter { $0.readiness == .ready }
        let isHeadless = directory.service(name)?.addresses.isEmpty ?? false
        let chosen = ready.isEmpty && !isHeadless ? backends.filter { $0.readiness == .serving } : ready
        guard !chosen.isEmpty else {
            let count = backends.count == 1 ? "its only endpoint" : "none of its \(backends.count) endpoints"
            throw PolicyQuestionError(
                description: "nothing answers for service \(name): \(count) "
                    + "is \(backends.count == 1 ? "not " : "")ready (conditions of the EndpointSlice)"
            )
        }
        return (chosen, notes(name, chosen, of: backends))
    }

    private func notes(
        _ name: String,
        _ chosen: [PolicyDirectory.Backend],
        of backends: [PolicyDirectory.Backend]
    ) -> [String] {
        var notes: [String] = []
        if chosen.first?.readiness == .serving {
            notes.append("no endpoint of service \(name) is ready: those that are terminating and still serve answer")
        }
        let others = backends.filter { !chosen.contains($0) }.map { backend in
            let owner = inventory.endpoint(at: backend.address)
            return owner.kind == .workload ? "\(owner.namespace ?? "default")/\(owner.name)" : "\(backend.address)"
        }
        if !others.isEmpty {
            let more = others.count > 3 ? " and \(others.count - 3) more" : ""
            let list = others.prefix(3).joined(separator: ", ")
            let verb = others.count == 1 ? "is not ready and gets" : "are not ready and get"
            notes.append("\(list)\(more) \(verb) no new connections of service \(name)")
        }
        return notes
    }

    /// Returns the reason why a service has no backends for a port.
    private func missing(_ name: String, _ port: Service.Port?) -> String {
        let ports = directory.backendPorts(of: name)
        if let port, !ports.isEmpty {
            let list = ports.map { "\($0.name ?? "-") (\($0.port)/\($0.proto.name))" }.joined(separator: ", ")
            return "its endpoints have no port '\(port.name ?? "")' of \(port.proto.name); they have \(list)"
        }
        let none =
            directory.hasServiceEndpoints
            ? "it has no endpoints in the inventory"
            : "the inventory has no EndpointSlices or Endpoints of any service; add them (kubectl get endpointslices -A)"
        guard let service = directory.service(name), !service.hasSelector else { return none }
        return "\(none), and no selector, so that somebody must write them: with the label "
            + "kubernetes.io/service-name: \(name.split(separator: "/").last ?? "")"
    }
}

extension PolicyEndName {
    /// The address; nil for a name.
    fileprivate var givenAddress: IPAddress? {
        if case .address(let address) = self { address } else { nil }
    }
}
