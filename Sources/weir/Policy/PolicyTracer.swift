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
        /// Addresses, ports and protocol, after destination NAT.
        var packets: TrackedConnection.Tuple
        /// The destination address and port before destination NAT, and the node that translates them; nil if the packets
        /// are not translated, or are translated where they begin.
        var called: (address: IPAddress, port: UInt16, node: String)?
        /// The endpoint that opens the connection.
        var source: Endpoint
        /// The endpoint that receives the connection.
        var destination: Endpoint
        /// The reason why policies do not apply; nil if they apply.
        var exemption: Exemption?
        /// The domain names of the destination.
        var domains = DestinationDomains.unknown
    }

    /// Maps addresses to endpoints.
    let inventory: InventorySnapshot
    /// Evaluates the policies.
    let policies: PolicySnapshot
    /// Maps names to objects.
    let directory: PolicyDirectory
    /// Resolved pods by name.
    private var pods: [String: End] = [:]
    /// The addresses at which services are called, including node ports.
    let serviceAddresses: Set<IPAddress>
    /// The services by their own addresses.
    let servicesByAddress: [IPAddress: String]
    /// The nodes by their addresses.
    let nodesByAddress: [IPAddress: String]

    /// Takes the snapshots.
    init(inventory: InventorySnapshot, policies: PolicySnapshot, directory: PolicyDirectory) {
        self.inventory = inventory
        self.policies = policies
        self.directory = directory
        serviceAddresses = directory.serviceAddresses
        servicesByAddress = directory.servicesByAddress
        nodesByAddress = directory.nodesByAddress
    }

    /// The traces of both ends.
    func traces(_ question: Question) -> Traces {
        if question.exemption == .itself { return (nil, nil) }
        let traces = policies.traces(
            of: question.packets,
            source: question.source,
            destination: question.destination,
            domains: question.domains
        )
        return (traces.egress, question.exemption == nil ? traces.ingress : nil)
    }

    /// Returns the decisions of host endpoints on the nodes that forward the connection.
    func transit(_ question: Question) -> [TransitExplanation] {
        guard question.exemption == nil else { return [] }
        return policies.explainTransit(
            question.packets,
            called: question.called,
            source: question.source,
            destination: question.destination,
            nodes: (node(of: question.source), node(of: question.destination))
        )
    }

    /// The node of a workload; nil if it is unknown, and for other endpoints.
    func node(of endpoint: Endpoint) -> String? {
        guard endpoint.kind == .workload else { return nil }
        return directory.pod("\(endpoint.namespace ?? "default")/\(endpoint.name)")?.node
    }

    /// The explanations of the traces.
    func explanation(_ question: Question) -> (egress: PolicyExplanation?, ingress: PolicyExplanation?) {
        if question.exemption == .itself { return (nil, nil) }
        let explanation = policies.explain(
            question.packets,
            source: question.source,
            destination: question.destination,
            domains: question.domains
        )
        return (explanation.egress, question.exemption == nil ? explanation.ingress : nil)
    }

    /// Resolves the endpoints of a connection; if both have IPv4 and IPv6 addresses, IPv4 is used.
    ///
    /// - Throws: an error if an endpoint is unknown, or no connection between them is possible.
    mutating func question(_ connection: PolicyConnection) throws(PolicyQuestionError) -> Question {
        let (one, other) = (try end(connection.source), try end(connection.destination))
        if let question = question(connection, from: one, to: other) { return question }
        throw PolicyQuestionError(
            description: "\(one.text) and \(other.text) are of different families: nothing connects IPv4 and IPv6"
        )
    }

    /// Resolves a connection between ends that were looked up; nil if they have no address family in common.
    func question(_ connection: PolicyConnection, from one: End, to other: End) -> Question? {
        if let source = one.ipv4, let destination = other.ipv4 { return question(connection, source, destination) }
        if let source = one.ipv6, let destination = other.ipv6 { return question(connection, source, destination) }
        return nil
    }

    private func question(_ connection: PolicyConnection, _ source: Place, _ destination: Place) -> Question {
        let packets = connection.packets(from: source.address, to: destination.address)
        var question: Question
        if let pod = source.pod, let other = destination.pod {
            question = Question(packets: packets, source: pod, destination: other)
        } else {
            let owners = inventory.endpoints(source: source.address, destination: destination.address)
            question = Question(
                packets: packets,
                source: source.pod ?? owners.source,
                destination: destination.pod ?? owners.destination
            )
        }
        question.exemption = exemption(question, destination)
        let isInCluster = question.destination.kind == .workload || question.destination.kind == .host
        question.domains = connection.domains.map { .known($0) } ?? (isInCluster ? .none : .unknown)
        return question
    }

    /// The exemption of connections that stay within a pod, and of those from a node to its own pods, as in records.
    private func exemption(_ question: Question, _ destination: Place) -> Exemption? {
        let (from, to) = (question.packets.source, question.packets.destination)
        guard question.destination.kind == .workload else { return nil }
        if from == to { return .itself }
        let node =
            destination.pod == nil
            ? nodeAddresses(ofPod: "\(question.destination.namespace ?? "default")/\(question.destination.name)")
            : destination.nodeAddresses
        return node.contains(from) ? .ownNode : nil
    }

    private func nodeAddresses(ofPod name: String) -> [IPAddress] {
        directory.pod(name)?.node.map { directory.addresses(ofNode: $0) } ?? []
    }

    // MARK: Ends

    /// An address, and the endpoint of the pod at it; nil if the address itself was specified.
    struct Place {
        var address: IPAddress
        var pod: Endpoint?
        /// The addresses of the pod's node.
        var nodeAddresses: [IPAddress] = []
    }

    /// The places of an endpoint that was looked up, at most one per address family.
    struct End {
        var ipv4: Place?
        var ipv6: Place?

        var text: String {
            [ipv4, ipv6].compactMap { $0?.address.description }.joined(separator: ", ")
        }

        mutating func add(_ place: Place) {
            if place.address.isIPv4 { ipv4 = ipv4 ?? place } else { ipv6 = ipv6 ?? place }
        }
    }

    /// Looks up an end of connections.
    ///
    /// - Throws: an error if it is unknown, or a service.
    mutating func end(_ name: PolicyEndName) throws(PolicyQuestionError) -> End {
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
            end.add(Place(address: address, pod: endpoint, nodeAddresses: nodeAddresses(ofPod: text)))
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
        // If several objects claim the address, records may name another claimant than the pod.
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
