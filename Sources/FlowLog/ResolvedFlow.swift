import FlowModel

/// One end of a flow: an address and who owned it when the flow began.
struct Party {
    /// The address.
    let address: IPAddress
    /// Who owns it.
    var owner: Endpoint
    /// Whether nobody was known to own it, but somebody may.
    var mayBecomeKnown: Bool

    /// Takes all members.
    init(address: IPAddress, owner: Endpoint, mayBecomeKnown: Bool) {
        self.address = address
        self.owner = owner
        self.mayBecomeKnown = mayBecomeKnown
    }

    /// An address and its owner as a resolver sees them.
    init(address: IPAddress, owner: Endpoint, by resolver: any EndpointResolver) {
        self.init(address: address, owner: owner, mayBecomeKnown: resolver.mayBecomeKnown(address))
    }
}

/// A flow as its reporting end sees it, with all that is decided when it begins.
struct ResolvedFlow {
    /// The reporting end.
    var local: Party
    /// The other end.
    var remote: Party
    /// The reporting end's port; for ICMP the identifier.
    let localPort: UInt16
    /// The other end's port; for ICMP type and code.
    let remotePort: UInt16
    /// The protocol above IP.
    let proto: IPProtocol
    /// Source if the local end began.
    let reporter: FlowReporter
    /// What happens to its packets.
    let action: FlowAction
    /// The service that was called, if one was.
    let service: ServicePort?
    /// The source port after source NAT, or 0.
    let natPort: UInt16
}
