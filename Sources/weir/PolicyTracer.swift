import ClusterModel
import FlowModel
import Inventory
import Policy

/// Finds who is at the ends of a connection, and asks the policies.
struct PolicyTracer {
    /// What policies decide at both ends; nil for an end that has no policies.
    typealias Traces = (egress: PolicyTrace?, ingress: PolicyTrace?)

    /// A connection between addresses whose owners are known.
    struct Question {
        /// Addresses, ports and protocol.
        var packets: TrackedConnection.Tuple
        /// Who begins.
        var source: Endpoint
        /// Who is called.
        var destination: Endpoint
    }

    /// Who owns an address.
    let inventory: InventorySnapshot
    /// What is decided.
    let policies: PolicySnapshot
    /// What objects are called.
    let directory: PolicyDirectory
    /// The pods that were asked for, by name.
    private var pods: [String: End] = [:]

    /// Takes what is known.
    init(inventory: InventorySnapshot, policies: PolicySnapshot, directory: PolicyDirectory) {
        self.inventory = inventory
        self.policies = policies
        self.directory = directory
    }

    /// What policies decide.
    func traces(_ question: Question) -> Traces {
        policies.traces(of: question.packets, source: question.source, destination: question.destination)
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
        if let one = source.pod, let other = destination.pod {
            return Question(packets: packets, source: one, destination: other)
        }
        let owners = inventory.endpoints(source: source.address, destination: destination.address)
        return Question(
            packets: packets,
            source: source.pod ?? owners.source,
            destination: destination.pod ?? owners.destination
        )
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
        case .pod(let text):
            if let known = pods[text] { return known }
            let end = try pod(text)
            pods[text] = end
            return end
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
        return "\(text) is a service, and policies are about the pods behind it\(backendHint(of: text))"
    }

    /// What answers for a service, as it follows on a sentence.
    func backendHint(of service: String) -> String {
        let backends = directory.backends(of: service).map { backend in
            let endpoint = inventory.endpoint(at: backend.address)
            let name =
                endpoint.kind == .workload ? "\(endpoint.namespace ?? "-")/\(endpoint.name)" : "\(backend.address)"
            return name + (backend.port.map { " \($0.port)/\($0.proto.name)" } ?? "")
        }
        guard !backends.isEmpty else { return "; none is known" }
        let more = backends.count > 3 ? " and \(backends.count - 3) more" : ""
        return ": " + backends.prefix(3).joined(separator: ", ") + more
    }
}
