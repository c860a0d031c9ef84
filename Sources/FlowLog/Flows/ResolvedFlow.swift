import FlowModel

/// An end of a flow: an address, and its owner when the flow began.
struct FlowEndpoint {
    /// The address.
    let address: IPAddress
    /// The owner of the address.
    var owner: Endpoint
    /// Whether no owner was known, but one may become known.
    var mayBecomeKnown: Bool

    /// Takes all members.
    init(address: IPAddress, owner: Endpoint, mayBecomeKnown: Bool) {
        self.address = address
        self.owner = owner
        self.mayBecomeKnown = mayBecomeKnown
    }

    /// Resolves an address and its owner, for a connection that began at `began` (0 if that is not known).
    init(address: IPAddress, owner: Endpoint, by resolver: any EndpointResolver, began: Int64 = 0) {
        let mayBecomeKnown = !owner.isWorkloadOrHost && resolver.mayBecomeKnown(address, began: began)
        self.init(address: address, owner: owner, mayBecomeKnown: mayBecomeKnown)
    }
}

extension Endpoint {
    /// Whether the owner is a workload or a host, so that no other owner can become known.
    var isWorkloadOrHost: Bool { kind == .workload || kind == .host }
}

/// A flow as its reporting end sees it, with everything that is determined when it begins.
struct ResolvedFlow {
    /// The reporting end.
    var local: FlowEndpoint
    /// The other end.
    var remote: FlowEndpoint
    /// The reporting end's port; for ICMP the identifier.
    var localPort: UInt16
    /// The other end's port; for ICMP type and code.
    var remotePort: UInt16
    /// The protocol above IP.
    let proto: IPProtocol
    /// The reporter: the source if the local end is the initiator.
    var reporter: FlowReporter
    /// Whether its packets are allowed or denied.
    var action: FlowAction = .allow
    /// The decision of policies at the reporting end; nil if none are known to apply.
    var policies: PolicyTrace?
    /// The service that was called, if one was.
    let service: ServicePort?
    /// The source port after source NAT, or 0.
    let natPort: UInt16
    /// The uncertainties of how the flow began.
    var origin: FlowOrigin = []
    /// The memory share of the interface at which the flow was seen (``DetailBudget``).
    var share: UInt16 = 0
}

extension ResolvedFlow {
    /// Whether an end has no name yet, and may get one soon.
    var isUnnamed: Bool { local.mayBecomeKnown || remote.mayBecomeKnown }

    /// The initiator.
    var source: FlowEndpoint { reporter == .source ? local : remote }

    /// The responder.
    var destination: FlowEndpoint { reporter == .source ? remote : local }

    /// The packets of the initiator.
    var packets: TrackedConnection.Tuple {
        let inOrder = reporter == .source || proto.isICMP
        return TrackedConnection.Tuple(
            source: source.address,
            destination: destination.address,
            sourcePort: inOrder ? localPort : remotePort,
            destinationPort: inOrder ? remotePort : localPort,
            proto: proto
        )
    }

    /// The same connection as one of its ends sees it.
    func seen(by other: FlowReporter) -> ResolvedFlow {
        guard other != reporter else { return self }
        var flow = self
        flow.reporter = other
        // A host endpoint that forwards has the view of the responder.
        guard (other == .source) != (reporter == .source) else { return flow }
        swap(&flow.local, &flow.remote)
        if !proto.isICMP { swap(&flow.localPort, &flow.remotePort) }
        return flow
    }

    /// Returns the same connection with a verdict.
    ///
    /// A trace that depends on domain names and contradicts the datapath is left out, because not all DNS responses are seen.
    func withVerdict(_ action: FlowAction, by policies: PolicyTrace?) -> ResolvedFlow {
        var flow = self
        flow.action = action
        flow.policies = policies.flatMap { $0.dependsOnDomains && $0.action != action ? nil : $0 }
        return flow
    }

    /// Returns the same connection with the current names of its ends.
    func named(by resolver: any EndpointResolver) -> ResolvedFlow {
        var flow = self
        let owners = resolver.endpoints(source: source.address, destination: destination.address)
        (flow.local.owner, flow.remote.owner) =
            reporter == .source ? (owners.source, owners.destination) : (owners.destination, owners.source)
        return flow
    }

    /// Sets the names of ends that had none, if they are known now.
    mutating func learnNames(by resolver: any EndpointResolver) {
        guard local.mayBecomeKnown || remote.mayBecomeKnown else { return }
        // An owner that has been deleted since did not own the address when the flow began; the flow would have its name.
        let (source, destination) = (source.address, destination.address)
        let owners = resolver.endpoints(source: source, destination: destination, began: .max)
        let isSource = reporter == .source
        if local.mayBecomeKnown {
            let owner = isSource ? owners.source : owners.destination
            local = FlowEndpoint(address: local.address, owner: owner, by: resolver, began: .max)
        }
        if remote.mayBecomeKnown {
            let owner = isSource ? owners.destination : owners.source
            remote = FlowEndpoint(address: remote.address, owner: owner, by: resolver, began: .max)
        }
    }

    /// Redirects the connection to another destination.
    mutating func redirect(to destination: FlowDrop.Destination, by resolver: any EndpointResolver) {
        let owner = resolver.endpoints(source: source.address, destination: destination.address).destination
        let endpoint = FlowEndpoint(address: destination.address, owner: owner, by: resolver)
        if reporter == .source {
            remote = endpoint
            remotePort = destination.port
        } else {
            local = endpoint
            localPort = destination.port
        }
    }
}
