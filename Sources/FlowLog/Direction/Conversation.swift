import FlowModel

/// The ends, ports and protocol of a flow from its birth, without the interface: everything that is needed to report it.
///
/// Addresses and ports are the ones that the interface saw, until ``translate(by:)`` finds the ones behind them.
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
    /// The port that was called, before destination NAT; without meaning for ICMP.
    private(set) var calledPort: UInt16
    /// The source port after source NAT, or 0.
    private(set) var natPort: UInt16 = 0
    /// The share of memory that it is charged to (``DetailBudget``).
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
    /// Whether the far end is another endpoint than its address shows.
    private(set) var isFarForged = false
    /// Whether connection tracking was queried.
    private(set) var isTracked = false
    /// Whether connection tracking has the connection.
    private(set) var isInTable = false
    /// Whether only an answer was seen, at the interface of a workload, through which an opening would have come.
    let isLoneAnswer: Bool
    /// ``transit``, or ``joinedFlow`` with ``joinedTag``.
    private var forwarding: UInt32 = 0
    /// The time when it began, CLOCK_MONOTONIC ns; 0 where that is not known.
    let began: Int64

    /// Takes from a birth the properties that do not change any more.
    ///
    /// - Parameters:
    ///   - birth: the flow.
    ///   - initiator: the initiator, as far as is known.
    init(_ birth: FlowBirth, initiator: InterfaceEnd) {
        let key = birth.key
        near = key.near
        far = key.far
        nearPort = key.nearPort
        farPort = key.farPort
        proto = key.proto
        // A resumed or joined flow began at some time before.
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

    /// The decision of a host endpoint's policies where this host forwards it, in ``ForwardTraces``; 0 where none govern it.
    var transit: UInt32 {
        get { forwarding & Self.joinedTag == 0 ? forwarding : 0 }
        set { forwarding = newValue }
    }

    /// The identifier of the flow of the other interface that has its hits, below 2^31; nil if it is reported itself, or not at all.
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
    /// Whether a workload has sent the first packet under another's address, and no connection was opened to it.
    ///
    /// Whatever the packet looks like, it is not an answer: its sender is the initiator.
    fileprivate var isBegunByForgery: Bool {
        guard case .elsewhere = nearPlace, role == .workload, !resumed else { return false }
        return !marks.contains(.firstEgress) && !marks.contains(.openedEgress)
    }
}

// MARK: - Address translation

extension Conversation {
    /// Whether connection tracking may add anything: the initiator, or the addresses behind the ones that were seen.
    ///
    /// - Parameters:
    ///   - localEnd: the end that is local, by the addresses that were seen.
    ///   - resolver: resolves them.
    /// - Returns: false if its answer is known already.
    func isWorthAsking(localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> Bool {
        if origin.contains(.guessed) || isLoneAnswer { return true }
        // Packets that leave with the host's address may be a workload's behind masquerade.
        if role == .host, resolver.isOwn(address(of: localEnd)) { return true }
        if localEnd == initiator {
            // Only a known workload is called by an address of its own; any other address may be a service's or need
            // masquerade.
            let ends = resolver.endpoints(source: near, destination: far)
            return ends.destination.kind != .workload
        }
        // Called under the address of a service, or by an end behind masquerade.
        if resolver.isOwn(far) { return true }
        guard proto.hasPorts else { return false }
        return resolver.hasUncoveredServices || resolver.isServiceBackend(near, port: nearPort, proto: proto)
    }

    /// The packets to query connection tracking for; nil if it does not track packets of this kind.
    ///
    /// These are the packets of the near end: when they enter the node they have the addresses by which connection tracking
    /// knows the connection, whether the initiator sends them or the responder answers; packets that leave may be translated by
    /// then.
    var trackedPackets: TrackedConnection.Tuple? {
        var (sourcePort, destinationPort) = (nearPort, farPort)
        if proto.isICMP {
            guard let replyType = proto.replyType(to: farPort >> 8) else { return nil }
            // The packet that is answered had the near end's address, whoever sent it.
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

    /// Takes over the answer of connection tracking for ``trackedPackets``: the ends behind address translation, and the
    /// initiator, for which it is more reliable than the first packets that were seen.
    mutating func take(_ answer: TrackedConnection?) {
        isTracked = true
        guard let answer, let packets = trackedPackets else { return }
        isInTable = true
        initiator = packets == answer.original ? .near : .far
        origin.remove(.guessed)
        translate(answer)
        if origin.contains(.unsolicited) { becomeUnsolicited() }
    }

    /// Notes that the far end's packets entered this host under another's address.
    mutating func noteForgedFar() { isFarForged = true }

    /// Marks the flow as an answer to packets that another has sent under the near end's address.
    ///
    /// The near end initiated nothing: it is called by the end that answers.
    mutating func becomeUnsolicited() {
        origin.insert(.unsolicited)
        origin.remove(.guessed)
        initiator = .far
        (called, calledPort) = (near, nearPort)
    }

    /// The packets of the near end as they were before their addresses were translated, if it sent any.
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
    /// Connection tracking has no entry for a packet that was dropped.
    ///
    /// Only packets of the initiator are translated, and only those that entered are reported: the near end is the initiator.
    mutating func redirect(to destination: FlowDrop.Destination) {
        origin.remove(.guessed)
        if initiator == .far {
            initiator = .near
            (called, calledPort) = (far, farPort)
        }
        (far, farPort) = (destination.address, destination.port)
    }

    /// The destination that was called, if it differs from the one that the conversation leads to.
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
    /// Whether the name of an end, and so whether it is local, may become known soon.
    func mayBecomeKnown(by resolver: any EndpointResolver) -> Bool {
        nearMayBecomeKnown(by: resolver) || !isFarForged && resolver.mayBecomeKnown(far, began: began)
    }

    /// The flow of this conversation as one of its ends sees it.
    func flow(from localEnd: InterfaceEnd, by resolver: any EndpointResolver) -> ResolvedFlow {
        let source = address(of: initiator)
        let destination = address(of: initiator.other)
        let owners = resolver.endpoints(source: source, destination: destination, began: began)
        let ends = (
            source: endpoint(source, owners.source, of: initiator, by: resolver),
            destination: endpoint(destination, owners.destination, of: initiator.other, by: resolver)
        )
        let localBegan = localEnd == initiator
        // The two numbers of ICMP do not belong to the ends: they keep their places.
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
