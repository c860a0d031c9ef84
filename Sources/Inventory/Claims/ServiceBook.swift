import ClusterModel
import FlowModel

/// A claim of a service to a place (address, port and protocol) where clients reach it.
struct ServiceClaim: Sendable {
    /// The service port as it appears in records.
    var port: ServicePort
    /// The service's number, unique among all services of all sources.
    let object: UInt64
    /// The source of the service.
    let source: SourceID
}

/// The services that clients reach at a place, and the service port that records show.
struct ServiceEntry: Sendable {
    /// The service port that records show; `*` for several services.
    let answer: ServicePort
    /// The claim of the first source.
    private let first: ServiceClaim
    /// The other claims; usually none, which needs no heap allocation.
    private let others: [ServiceClaim]

    /// Takes claims in the order of their sources.
    init(answer: ServicePort, first: ServiceClaim, others: [ServiceClaim]) {
        self.answer = answer
        self.first = first
        self.others = others
    }

    /// All claims, in the order of their sources.
    var claims: [ServiceClaim] { [first] + others }
}

/// The services by the places where clients reach them.
struct ServiceBook: Sendable {
    /// The claims by place; snapshots share this table.
    private(set) var entries = ShardedTable<ServicePlace, ServiceEntry>()
    /// A counter that grows with every change.
    private(set) var edits: UInt64 = 0

    /// Adds a claim of a service, or changes its service port.
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

    /// Removes the claim of a service.
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

    /// Returns the service port that records show for claims: the first one, or `*` for the parts that differ.
    ///
    /// The same service from two sources counts as one service.
    private static func answer(_ claims: [ServiceClaim], _ first: ServicePort, earlier: ServicePort?) -> ServicePort {
        guard claims.contains(where: { !$0.port.isOfSameService(as: first) }) else { return first }
        let portName = claims.allSatisfy { $0.port.portName == first.portName } ? first.portName : "*"
        if let earlier, earlier.namespace == "*", earlier.name == "*", earlier.portName == portName { return earlier }
        return ServicePort(namespace: "*", name: "*", portName: portName, port: first.port)
    }
}

extension ServicePort {
    /// Whether both ports belong to the same service.
    func isOfSameService(as other: ServicePort) -> Bool {
        name == other.name && namespace == other.namespace
    }
}
