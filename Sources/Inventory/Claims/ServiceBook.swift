import ClusterModel
import FlowModel

/// The claim of a service to a place (address, port and protocol): it is called there.
struct ServiceClaim: Sendable {
    /// The service's port as records show it.
    var port: ServicePort
    /// The service's number, unique among all services of all sources.
    let object: UInt64
    /// The source of the service.
    let source: SourceID
}

/// The services that are called at a place, and the one that records show.
struct ServiceEntry: Sendable {
    /// The service port that records show; of several services `*`.
    let answer: ServicePort
    /// The service that is called, of the first source.
    private let first: ServiceClaim
    /// The other services; nearly always none, which needs no memory.
    private let others: [ServiceClaim]

    /// Takes claims in order.
    init(answer: ServicePort, first: ServiceClaim, others: [ServiceClaim]) {
        self.answer = answer
        self.first = first
        self.others = others
    }

    /// The services that are called, by source.
    var claims: [ServiceClaim] { [first] + others }
}

/// The services by the places where they are called.
struct ServiceBook: Sendable {
    /// The claims by place: what snapshots share.
    private(set) var entries = ShardedTable<ServicePlace, ServiceEntry>()
    /// Grows with every change.
    private(set) var edits: UInt64 = 0

    /// Adds the claim of a service, or lets it show another port.
    mutating func put(_ claim: ServiceClaim, at place: ServicePlace) {
        var claims = entries[place]?.claims ?? []
        if let index = claims.firstIndex(where: { $0.object == claim.object }) {
            guard claims[index].port !== claim.port else { return }
            claims[index].port = claim.port
        } else {
            let place = claims.firstIndex { $0.source.rawValue > claim.source.rawValue } ?? claims.endIndex
            claims.insert(claim, at: place)
        }
        store(claims, at: place)
    }

    /// Ends the claim of a service.
    mutating func remove(_ object: UInt64, at place: ServicePlace) {
        var claims = entries[place]?.claims ?? []
        guard let index = claims.firstIndex(where: { $0.object == object }) else { return }
        claims.remove(at: index)
        store(claims, at: place)
    }

    private mutating func store(_ claims: [ServiceClaim], at place: ServicePlace) {
        edits += 1
        guard let first = claims.first else {
            entries[place] = nil
            return
        }
        let answer = Self.answer(claims, first.port, earlier: entries[place]?.answer)
        entries[place] = ServiceEntry(answer: answer, first: first, others: Array(claims.dropFirst()))
    }

    /// Returns the service port that records show of claims: the first, or `*` for what differs where these are different
    /// services.
    ///
    /// The same service of two sources is one.
    private static func answer(_ claims: [ServiceClaim], _ first: ServicePort, earlier: ServicePort?) -> ServicePort {
        guard claims.contains(where: { !$0.port.isOfSameService(as: first) }) else { return first }
        let portName = claims.allSatisfy { $0.port.portName == first.portName } ? first.portName : "*"
        if let earlier, earlier.namespace == "*", earlier.name == "*", earlier.portName == portName { return earlier }
        return ServicePort(namespace: "*", name: "*", portName: portName, port: first.port)
    }
}

extension ServicePort {
    /// Whether both are ports of one service.
    func isOfSameService(as other: ServicePort) -> Bool {
        name == other.name && namespace == other.namespace
    }
}
