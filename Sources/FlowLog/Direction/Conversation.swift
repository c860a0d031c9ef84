import FlowModel

/// The ends, ports and protocol of a flow, without the interface: everything that is needed to report it.
///
/// Addresses and ports are those that the interface saw, until ``translate(by:)`` finds those behind address translation.
struct Conversation {
    /// Address of the near end.
    private(set) var near: IPAddress
    /// Address of the far end.
    private(set) var far: IPAddress
    /// The destination address before destination NAT.
    private(set) var called: IPAddress
    /// Port of the near end; for ICMP the identifier.
    private(set) var nearPort: UInt16
    /// Port of the far end; for ICMP type and code.
    private(set) var farPort: UInt16
    /// The destination port before destination NAT; without meaning for ICMP.
    private(set) var calledPort: UInt16
    /// The source port after source NAT, or 0.
    private(set) var natPort: UInt16 = 0
    /// The share of memory that the conversation is charged to (``DetailBudget``).
    var share: UInt16 = 0
    /// The protocol above IP.
    let proto: IPProtocol
    /// The role of the interface.
    let role: InterfaceRole
    /// The initiator.
    private(set) var initiator: InterfaceEnd
    /// The uncertainties of the beginning.
    private(set) var origin: FlowOrigin
    /// The place to which the address of the near end belongs.
    let nearStanding: NearStanding
    /// Whether the far end's packets entered this host with a source address of another endpoint.
    private(set) var isFarForged = false
    /// Whether connection tracking was queried.
    private(set) var isTracked = false
    /// Whether connection tracking has the connection.
    private(set) var isInTable = false
    /// Whether only an answer was seen at a workload's interface, which would also have carried the opening.
    let isLoneAnswer: Bool
    /// ``transit``, or ``joinedFlow`` with ``joinedTag``.
    private var forwarding: UInt32 = 0
    /// The time when the flow began, CLOCK_MONOTONIC ns; 0 if it is not known.
    let began: Int64

    /// Takes the properties of a flow that do not change.
    ///
    /// - Parameters:
    ///   - birth: the flow.
    ///   - initiator: the initiator, as far as known.
    init(_ birth: FlowBirth, initiator: InterfaceEnd) {
        let key = birth.key
        near = key.near
        far = key.far
        nearPort = key.nearPort
        farPort = key.farPort
        proto = key.proto
        // A resumed or joined flow began at an unknown earlier time.
        began = birth.resumed || birth.joined ? 0 : birth.began
        role = birth.role
        origin = birth.origin
        nearStanding = NearStanding(birth.nearPlace)
        isLoneAnswer = birth.role == .workload && !birth.resumed && birth.marks.isLoneAnswer(of: key.proto)
        let initiator = birth.isBegunByForgery ? .near : initiator
        self.initiator = initiator
        called = initiator == .near ? far : near
        calledPort = initiator == .near ? farPort : nearPort
    }

    private static let joinedTag: UInt32 = 1 << 31

    /// The decision of a host endpoint's policies if this host forwards the conversation, in ``ForwardTraces``; 0 if none
    /// govern it.
    var transit: UInt32 {
        get { forwarding & Self.joinedTag == 0 ? forwarding : 0 }
        set { forwarding = newValue }
    }

    /// The identifier (below 2^31) of the other interface's flow that has the hits of this one; nil for none.
    var joinedFlow: UInt32? {
        get { forwarding & Self.joinedTag == 0 ? nil : forwarding & ~Self.joinedTag }
        set { forwarding = newValue.map { $0 | Self.joinedTag } ?? 0 }
    }

    /// The address of an end.
    func address(of end: InterfaceEnd) -> IPAddress {
        end == .near ? near : far
    }

    /// The port of an end.
    func port(of end: InterfaceEnd) -> UInt16 {
        end == .near ? nearPort : farPort
    }
}

extension FlowBirth {
    /// Whether a workload sent the first packet with a forged source address, and no opening to that address was seen.
    ///
    /// Such a packet is not an answer, whatever its flags are: its sender is the initiator.
    fileprivate var isBegunByForgery: Bool {
        guard case .elsewhere = nearPlace, role == .workload, !resumed else { return false }
        return !marks.contains(.firstEgress) && !marks.contains(.openedEgress)
    }
}

// MARK: - Address translation

extension Conversation {
    /// Whether connection tracking may have new information: the initiator, or the addresses behind address translation.
    ///
    /// - Parameters:
    ///   - localEnd: the end that is local, by the addresses at the interface.
    ///   - resolver: resolves the addresses.
    /// - Returns: false if the result of a query is known already.
    func isWorthAsking(localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> Bool {
        if origin.contains(.guessed) || isLoneAnswer { return true }
        // Packets that leave with the host's address may be a workload's, behind masquerade.
        if role == .host, resolver.isOwn(address(of: localEnd)) { return true }
        if localEnd == initiator {
            // Only a known workload's address is certainly not translated. Any other address may be a service's or need
            // masquerade.
            let ends = resolver.endpoints(source: near, destination: far)
            return ends.destination.kind != .workload
        }
        // The address that was called may be a service's, or the caller may be behind masquerade.
        if resolver.isOwn(far) { return true }
        guard proto.hasPorts else { return false }
        return resolver.hasUncoveredServices || resolver.isServiceBackend(near, port: nearPort, proto: proto)
    }

    /// The tuple for the query of connection tracking; nil if it does not track packets of this kind.
    ///
    /// The tuple is that of the near end's packets. When they enter the node, they have the addresses that connection tracking
    /// stores, for the initiator as for the responder. Packets that leave may be translated already.
    var trackedPackets: TrackedConnection.Tuple? {
        var (sourcePort, destinationPort) = (nearPort, farPort)
        if proto.isICMP {
            guard let replyType = proto.replyType(to: farPort >> 8) else { return nil }
            // The packet that was answered had the near end's address, even if it was forged.
            let nearSentQuery = initiator == .near || origin.contains(.unsolicited)
            if !nearSentQuery { destinationPort = replyType << 8 | farPort & 0xff }
            sourcePort = nearPort
        }
        return TrackedConnection.Tuple(
            source: near,
            destination: far,
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto
        )
    }

    /// Applies the result of connection tracking for ``trackedPackets``: the ends behind address translation, and the
    /// initiator.
    ///
    /// The result is more reliable than the first packets at the interface.
    mutating func take(_ answer: TrackedConnection?) {
        isTracked = true
        guard let answer, let packets = trackedPackets else { return }
        isInTable = true
        initiator = packets == answer.original ? .near : .far
        origin.remove(.guessed)
        translate(answer)
        if origin.contains(.unsolicited) { becomeUnsolicited() }
    }

    /// Marks the far end's packets as having entered this host with a forged source address.
    mutating func noteForgedFar() { isFarForged = true }

    /// Marks the flow as an answer to packets that another endpoint sent with the near end's address.
    ///
    /// The near end did not initiate it: the end that answers becomes the initiator.
    mutating func becomeUnsolicited() {
        origin.insert(.unsolicited)
        origin.remove(.guessed)
        initiator = .far
        (called, calledPort) = (near, nearPort)
    }

    /// The tuple of the near end's packets before address translation, if it sent any.
    var nearPackets: TrackedConnection.Tuple {
        let isCalledFar = initiator == .near
        return TrackedConnection.Tuple(
            source: near,
            destination: isCalledFar ? called : far,
            sourcePort: nearPort,
            destinationPort: isCalledFar && !proto.isICMP ? calledPort : farPort,
            proto: proto
        )
    }

    /// Redirects the conversation to the destination that the kernel reports for a dropped packet.
    ///
    /// Connection tracking has no entry for a dropped packet. Only the initiator's packets are translated, and only packets
    /// that entered are reported. So the near end is the initiator.
    mutating func redirect(to destination: FlowDrop.Destination) {
        origin.remove(.guessed)
        if initiator == .far {
            initiator = .near
            (called, calledPort) = (far, farPort)
        }
        (far, farPort) = (destination.address, destination.port)
    }

    /// The destination before translation, if it differs from the present destination.
    var calledElsewhere: FlowDrop.Destination? {
        let present = FlowDrop.Destination(address: address(of: initiator.other), port: port(of: initiator.other))
        let destination = FlowDrop.Destination(address: called, port: calledPort)
        return proto.hasPorts && destination != present ? destination : nil
    }

    private mutating func translate(_ connection: TrackedConnection) {
        let (original, reply) = (connection.original, connection.reply)
        let nearBegan = initiator == .near
        near = nearBegan ? original.source : reply.source
        far = nearBegan ? reply.source : original.source
        called = original.destination
        calledPort = original.destinationPort
        if proto.isICMP {
            nearPort = original.sourcePort
        } else {
            nearPort = nearBegan ? original.sourcePort : reply.sourcePort
            farPort = nearBegan ? reply.sourcePort : original.sourcePort
            natPort = connection.translatedSourcePort ?? 0
        }
    }
}

extension IPProtocol {
    /// Returns the ICMP type that answers a query, for the queries that connection tracking follows; nil for any other message
    /// (`nf_conntrack_proto_icmp.c`, `nf_conntrack_proto_icmpv6.c`).
    fileprivate func replyType(to query: UInt16) -> UInt16? {
        switch (self, query) {
        case (.icmp, 8): 0
        case (.icmp, 13): 14
        case (.icmp, 15): 16
        case (.icmp, 17): 18
        case (.icmp6, 128): 129
        case (.icmp6, 139): 140
        default: nil
        }
    }
}

// MARK: - Resolution

extension Conversation {
    /// Whether the name of an end may become known soon, and with it whether the end is local.
    func mayBecomeKnown(by resolver: any EndpointResolver) -> Bool {
        nearMayBecomeKnown(by: resolver) || !isFarForged && resolver.mayBecomeKnown(far, began: began)
    }

    /// Returns the flow of this conversation as one of its ends sees it.
    func flow(from localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> ResolvedFlow {
        let source = address(of: initiator)
        let destination = address(of: initiator.other)
        let owners = resolver.endpoints(source: source, destination: destination, began: began)
        let ends = (
            source: endpoint(source, owners.source, of: initiator, by: resolver),
            destination: endpoint(destination, owners.destination, of: initiator.other, by: resolver)
        )
        let localBegan = localEnd == initiator
        // The identifier, and the type and code, of ICMP do not belong to the ends: they keep their places.
        let firstEnd = proto.isICMP ? .near : localEnd
        return ResolvedFlow(
            local: localBegan ? ends.source : ends.destination,
            remote: localBegan ? ends.destination : ends.source,
            localPort: port(of: firstEnd),
            remotePort: port(of: firstEnd.other),
            proto: proto,
            reporter: localBegan ? .source : .destination,
            service: proto.hasPorts ? resolver.service(at: called, port: calledPort, proto: proto) : nil,
            natPort: natPort,
            origin: origin,
            share: share
        )
    }
}
