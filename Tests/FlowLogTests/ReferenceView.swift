import FlowModel

@testable import FlowLog

/// The two ends in the reference's view: those that were seen, or those behind the translation.
struct ReferenceView {
    var source: IPAddress
    var destination: IPAddress
    /// For ICMP the identifier.
    var sourcePort: UInt16
    /// For ICMP type and code.
    var destinationPort: UInt16
    var called: (address: IPAddress, port: UInt16)
    var natPort: UInt16?
    var nearIsSource: Bool
    var calledService: ServicePort?
    let proto: IPProtocol
    private let isWorkload: Bool
    private var wasAsked = false
    /// Whether only the ports indicate the originator.
    private var isGuessed: Bool

    var isICMP: Bool { [1, 58].contains(proto.rawValue) }
    var near: IPAddress { nearIsSource ? source : destination }
    var far: IPAddress { nearIsSource ? destination : source }

    /// The originator is guessed as ``ServerGuess`` does, which has its own tests.
    init(_ birth: FlowBirth, _ guess: ServerGuess) {
        let key = birth.key
        isGuessed = birth.origin.contains(.guessed)
        let nearBegan = isGuessed ? guess.initiator(of: birth) == .near : Self.nearBegan(birth)
        proto = key.proto
        isWorkload = birth.role == .workload
        nearIsSource = nearBegan
        source = nearBegan ? key.near : key.far
        destination = nearBegan ? key.far : key.near
        let inOrder = nearBegan || [1, 58].contains(key.proto.rawValue)
        sourcePort = inOrder ? key.nearPort : key.farPort
        destinationPort = inOrder ? key.farPort : key.nearPort
        called = (destination, destinationPort)
    }

    func service(by resolver: FakeResolver) -> ServicePort? {
        guard [6, 17, 132].contains(proto.rawValue) else { return nil }
        return resolver.service(at: called.address, port: called.port, proto: proto)
    }

    func with(service: ServicePort?) -> ReferenceView {
        var view = self
        view.calledService = service
        return view
    }

    func seen(nearIsSource: Bool, natPort: UInt16?) -> ReferenceView {
        var view = self
        view.nearIsSource = nearIsSource
        view.natPort = natPort
        return view
    }

    /// Whether the near end is the local one, nil if neither is; queries connection tracking if needed.
    mutating func settleLocalEnd(by resolver: FakeResolver, _ tracker: FakeTracker) -> Bool? {
        guard let seen = localIsNear(by: resolver) else { return nil }
        guard !wasAsked, needsQuery(seen, resolver) else { return seen }
        wasAsked = true
        translate(tracker)
        return localIsNear(by: resolver)
    }

    private func localIsNear(by resolver: FakeResolver) -> Bool? {
        if isWorkload { return true }
        switch (resolver.own.contains(near), resolver.own.contains(far)) {
        case (_, true): return false
        case (true, false): return true
        case (false, false): return resolver.localWorkloads.contains(near) ? true : nil
        }
    }

    private func needsQuery(_ localIsNear: Bool, _ resolver: FakeResolver) -> Bool {
        if isGuessed { return true }
        if !isWorkload, resolver.own.contains(localIsNear ? near : far) { return true }
        let localIsSource = localIsNear == nearIsSource
        if localIsSource {
            let other = resolver.endpoints(source: source, destination: destination).destination
            return other.kind != .workload
        }
        let backend = ServiceAddress(address: destination, port: destinationPort, proto: proto)
        return resolver.own.contains(source)
            || [6, 17, 132].contains(proto.rawValue)
                && (resolver.hasUncoveredServices || resolver.backends.contains(backend))
    }

    private mutating func translate(_ tracker: FakeTracker) {
        let replies: [UInt8: [UInt16: UInt16]] = [1: [8: 0, 13: 14, 15: 16, 17: 18], 58: [128: 129, 139: 140]]
        let forth = TrackedConnection.Tuple(
            source: source,
            destination: destination,
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto
        )
        var back = forth
        (back.source, back.destination) = (destination, source)
        (back.sourcePort, back.destinationPort) = (destinationPort, sourcePort)
        if isICMP {
            guard let reply = replies[proto.rawValue]?[destinationPort / 256] else { return }
            back.sourcePort = sourcePort
            back.destinationPort = reply * 256 + destinationPort % 256
        }
        // Packets from the near end have the addresses of the tracked connection.
        let entering = nearIsSource ? forth : back
        guard let connection = tracker.connection(of: entering) else { return }
        isGuessed = false
        nearIsSource = connection.original == entering
        (source, destination) = (connection.original.source, connection.reply.source)
        called = (connection.original.destination, connection.original.destinationPort)
        sourcePort = connection.original.sourcePort
        guard !isICMP else { return }
        destinationPort = connection.reply.sourcePort
        let port = connection.reply.destinationPort
        let hasPorts = [6, 17, 132].contains(proto.rawValue)
        natPort = !hasPorts || connection.reply.destination == source || port == 0 ? nil : port
    }

    private static func nearBegan(_ birth: FlowBirth) -> Bool {
        let nearSpokeFirst = !birth.marks.contains(.firstEgress)
        let seen = [FlowMarks.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress].map {
            birth.marks.contains($0)
        }
        switch (seen[0], seen[1], seen[2], seen[3]) {
        case (true, false, _, _): return true
        case (false, true, _, _): return false
        case (true, true, _, _): return nearSpokeFirst
        case (false, false, true, false): return false
        case (false, false, false, true): return true
        default: return nearSpokeFirst
        }
    }
}
