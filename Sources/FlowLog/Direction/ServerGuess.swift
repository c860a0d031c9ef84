import FlowModel

/// Guesses the responder of a running connection if neither its packets nor connection tracking show it.
///
/// This is the last resort; flows with a guessed initiator never cause a finding.
struct ServerGuess {
    private struct End: Hashable {
        let interfaceIndex: UInt32
        let address: IPAddress
        let port: UInt16
        let proto: IPProtocol
    }

    private struct Peer: Hashable {
        let address: IPAddress
        let port: UInt16
    }

    /// The peers of an end: one, or several.
    private enum Peers {
        case one(Peer)
        case several
    }

    private var peers: [End: Peers] = [:]
    private let resolver: any EndpointResolver

    /// Collects the peers of all flows in a batch whose initiator is unknown: many clients share a server's port.
    ///
    /// - Parameters:
    ///   - births: the flows of the batch.
    ///   - resolver: resolves ports of services.
    init(_ births: borrowing [FlowBirth], by resolver: any EndpointResolver) {
        self.resolver = resolver
        for index in births.indices where births[index].origin.contains(.guessed) {
            let key = births[index].key
            note(key, .near)
            note(key, .far)
        }
    }

    /// Returns the initiator that the packets show, or else a guess.
    ///
    /// The guess uses, in this order: an end that is known to listen (a service, its backend, a named port of a pod); a
    /// well-known port; a port with several peers; the lower port, because clients use ports of high ranges (Linux 32768 to
    /// 60999, others from 49152). If ports do not decide, the sender of the first packet is the initiator.
    func initiator(of birth: FlowBirth) -> InterfaceEnd {
        let (key, seen) = (birth.key, birth.initiator)
        guard birth.origin.contains(.guessed), key.proto.hasPorts else { return seen }
        let owners = resolver.endpoints(source: key.near, destination: key.far)
        let listens = (
            near: isListening(owners.source, key.near, key.nearPort, key.proto),
            far: isListening(owners.destination, key.far, key.farPort, key.proto)
        )
        if listens.near != listens.far { return listens.near ? .far : .near }
        let isWellKnown = (near: key.nearPort < 1024, far: key.farPort < 1024)
        if isWellKnown.near != isWellKnown.far { return isWellKnown.near ? .far : .near }
        let isShared = (near: isShared(key, .near), far: isShared(key, .far))
        if isShared.near != isShared.far { return isShared.near ? .far : .near }
        if key.nearPort == key.farPort { return seen }
        return key.nearPort > key.farPort ? .near : .far
    }

    private func isListening(_ owner: Endpoint, _ address: IPAddress, _ port: UInt16, _ proto: IPProtocol) -> Bool {
        resolver.service(at: address, port: port, proto: proto) != nil
            || resolver.isServiceBackend(address, port: port, proto: proto)
            || owner.identity?.namedPorts.contains { $0.port == port && $0.proto == proto } ?? false
    }

    private mutating func note(_ key: FlowKey, _ end: InterfaceEnd) {
        let peer = Self.peer(key, end)
        switch peers[Self.end(key, end)] {
        case nil: peers[Self.end(key, end)] = .one(peer)
        case .one(peer), .several: break
        case .one: peers[Self.end(key, end)] = .several
        }
    }

    private func isShared(_ key: FlowKey, _ end: InterfaceEnd) -> Bool {
        if case .several = peers[Self.end(key, end)] { true } else { false }
    }

    private static func end(_ key: FlowKey, _ end: InterfaceEnd) -> End {
        End(
            interfaceIndex: key.interfaceIndex,
            address: end == .near ? key.near : key.far,
            port: end == .near ? key.nearPort : key.farPort,
            proto: key.proto
        )
    }

    private static func peer(_ key: FlowKey, _ end: InterfaceEnd) -> Peer {
        Peer(address: end == .near ? key.far : key.near, port: end == .near ? key.farPort : key.nearPort)
    }
}
