import FlowModel

/// What a flow's birth says of who talks to whom, without the interface: all that is needed to report it, now or later.
///
/// Addresses and ports are those that the interface saw, until ``translate(by:)`` finds out what lies behind them.
struct Conversation {
    /// Address of the near end.
    private(set) var near: IPAddress
    /// Address of the far end.
    private(set) var far: IPAddress
    /// The address that was called, before destination NAT.
    private(set) var called: IPAddress
    /// Port of the near end; for ICMP the identifier.
    private(set) var nearPort: UInt16
    /// Port of the far end; for ICMP type and code.
    private(set) var farPort: UInt16
    /// The port that was called, before destination NAT; says nothing for ICMP.
    private(set) var calledPort: UInt16
    /// The source port after source NAT, or 0.
    private(set) var natPort: UInt16 = 0
    /// The protocol above IP.
    let proto: IPProtocol
    /// The role of the interface.
    let role: InterfaceRole
    /// The end that began.
    private(set) var initiator: InterfaceEnd
    /// Whether connection tracking was asked.
    private(set) var isTracked = false

    /// Takes from a birth what does not change any more.
    init(_ birth: FlowBirth) {
        let key = birth.key
        near = key.near
        far = key.far
        nearPort = key.nearPort
        farPort = key.farPort
        proto = key.proto
        role = birth.role
        initiator = birth.initiator
        called = initiator == .near ? far : near
        calledPort = initiator == .near ? farPort : nearPort
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

// MARK: - Address translation

extension Conversation {
    /// Whether the interface may have seen an address that is not an end's own.
    ///
    /// - Parameters:
    ///   - localEnd: the end that is local, by the addresses that were seen.
    ///   - resolver: who owns them.
    /// - Returns: false where asking connection tracking would tell nothing new.
    func mayBeTranslated(localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> Bool {
        // What leaves with the host's address may be a workload's behind masquerade.
        if role == .host, resolver.isOwn(address(of: localEnd)) { return true }
        if localEnd == initiator {
            // Only a known workload is called by an address of its own; all else may be a service or need masquerade.
            let ends = resolver.endpoints(source: near, destination: far)
            return ends.destination.kind != .workload
        }
        // Called under the address of a service, or by somebody behind masquerade.
        if resolver.isOwn(far) { return true }
        return proto.hasPorts && resolver.isServiceBackend(near, port: nearPort, proto: proto)
    }

    /// Asks connection tracking, and takes over the ends behind address translation.
    mutating func translate(by tracker: any ConnectionTracker) {
        isTracked = true
        // Packets seen behind the translation are known by those that come back.
        if !translate(by: tracker, packetsFrom: initiator) { _ = translate(by: tracker, packetsFrom: initiator.other) }
    }

    /// Leads the conversation to where its packets were on their way to, as the kernel says where connection tracking does
    /// not: it forgets what it did to a packet that was dropped.
    ///
    /// Only packets in the direction of the opening are led elsewhere, and only those that entered are told: the near end
    /// began.
    mutating func redirect(to destination: FlowDrop.Destination) {
        if initiator == .far {
            initiator = .near
            (called, calledPort) = (far, farPort)
        }
        (far, farPort) = (destination.address, destination.port)
    }

    /// The destination that was called, if it is not the one that the conversation leads to.
    var calledElsewhere: FlowDrop.Destination? {
        let present = FlowDrop.Destination(address: address(of: initiator.other), port: port(of: initiator.other))
        let destination = FlowDrop.Destination(address: called, port: calledPort)
        return proto.hasPorts && destination != present ? destination : nil
    }

    private mutating func translate(by tracker: any ConnectionTracker, packetsFrom sender: InterfaceEnd) -> Bool {
        guard let packets = packets(from: sender), let connection = tracker.connection(of: packets) else {
            return false
        }
        // It knows better who began than the first packets that were seen.
        if packets == connection.original {
            initiator = sender
        } else if packets == connection.reply {
            initiator = sender.other
        }
        take(connection)
        return true
    }

    private mutating func take(_ connection: TrackedConnection) {
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

    /// How packets from one end to the other look where they were seen; nil if nobody tracks them.
    private func packets(from sender: InterfaceEnd) -> TrackedConnection.Tuple? {
        var (sourcePort, destinationPort) = (port(of: sender), port(of: sender.other))
        if proto.isICMP {
            guard let replyType = proto.replyType(to: farPort >> 8) else { return nil }
            sourcePort = nearPort
            destinationPort = sender == initiator ? farPort : replyType << 8 | farPort & 0xff
        }
        return TrackedConnection.Tuple(
            source: address(of: sender),
            destination: address(of: sender.other),
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto
        )
    }
}

extension IPProtocol {
    /// The ICMP type that answers a query, for the queries that connection tracking follows; nil for any other message
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
    /// Whether the name of an end, and so whether it is local, may be known soon.
    func mayBecomeKnown(by resolver: any EndpointResolver) -> Bool {
        resolver.mayBecomeKnown(near) || resolver.mayBecomeKnown(far)
    }

    /// The flow of this conversation as one of its ends sees it.
    func flow(from localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> ResolvedFlow {
        let source = address(of: initiator)
        let destination = address(of: initiator.other)
        let owners = resolver.endpoints(source: source, destination: destination)
        let ends = (
            source: Party(address: source, owner: owners.source, by: resolver),
            destination: Party(address: destination, owner: owners.destination, by: resolver)
        )
        let localBegan = localEnd == initiator
        // ICMP's two numbers are not the ends': they keep their places.
        let firstEnd = proto.isICMP ? .near : localEnd
        return ResolvedFlow(
            local: localBegan ? ends.source : ends.destination,
            remote: localBegan ? ends.destination : ends.source,
            localPort: port(of: firstEnd),
            remotePort: port(of: firstEnd.other),
            proto: proto,
            reporter: localBegan ? .source : .destination,
            service: proto.hasPorts ? resolver.service(at: called, port: calledPort, proto: proto) : nil,
            natPort: natPort
        )
    }
}
