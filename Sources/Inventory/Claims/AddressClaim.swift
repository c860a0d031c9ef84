import ClusterModel
import FlowModel

/// A claim of an object, or of this host, to an address.
struct AddressClaim: Sendable {
    /// The kind of the claim.
    enum Standing: UInt8, Sendable {
        /// An expected address of a HostEndpoint.
        case hostEndpoint
        /// An own address of this host.
        case own
        /// An address of a pod.
        case pod
        /// An address of a Node object.
        case node
    }

    /// The claimant as it appears in records.
    var endpoint: Endpoint
    /// The unique sequence number of the claim.
    var sequence: UInt64 = 0
    /// The seniority, which decides between claims of the same rank.
    var seniority = Seniority()
    /// The source of the claimant.
    let source: SourceID
    let standing: Standing
    /// Whether the claimant is a pod on this host.
    var isLocal = false
    /// Whether the claim has ended, and is kept for a while because no other object claims the address.
    var isKept = false

    /// Whether the claim belongs to an object, identified by its number, source and kind of claim.
    func isBy(_ object: UInt64, _ source: SourceID, _ standing: Standing) -> Bool {
        endpoint.object == object && self.source == source && self.standing == standing
    }

    /// Whether it has the same content as another claim of the same claimant.
    func shows(_ other: AddressClaim) -> Bool {
        endpoint === other.endpoint && seniority == other.seniority && isLocal == other.isLocal
    }

    /// Whether another claim to the same address has precedence.
    ///
    /// The result depends only on the objects, not on the order in which they arrived.
    ///
    /// - Parameters:
    ///   - other: the other claim.
    ///   - isOwn: whether it is an own address of this host.
    /// - Returns: true if the other claim has precedence.
    func yields(to other: AddressClaim, isOwn: Bool) -> Bool {
        let ranks = (standing.rank(isOwn: isOwn), other.standing.rank(isOwn: isOwn))
        if ranks.0 != ranks.1 { return ranks.0 < ranks.1 }
        if seniority != other.seniority { return seniority.yields(to: other.seniority) }
        // At equal seniority the last name in sort order wins; for an object of several sources, the first source wins.
        let (left, right) = (endpoint, other.endpoint)
        let namespaces = (left.namespace ?? "", right.namespace ?? "")
        if namespaces.0 != namespaces.1 { return namespaces.0 < namespaces.1 }
        if left.name != right.name { return left.name < right.name }
        if standing != other.standing { return standing.rawValue > other.standing.rawValue }
        return source.rawValue > other.source.rawValue
    }
}

/// The age and state of a claimant, which decide between several claims of the same rank.
struct Seniority: Sendable, Equatable {
    /// The earliest time when the object can have received the address: when it was created, or its node accepted it.
    ///
    /// In seconds since 1970; 0 if it is unknown.
    private let since: UInt32
    /// Whether the object is being deleted, or has released its network.
    private let isLeaving: Bool

    /// Creates the seniority of an object that stays, with an unknown time.
    init() {
        since = 0
        isLeaving = false
    }

    /// Creates the seniority of an object; only pods have a start time and release their network.
    init(_ metadata: ObjectMetadata, started: Int64? = nil, hasReleasedNetwork: Bool = false) {
        since = UInt32(clamping: max(metadata.created ?? 0, started ?? 0))
        isLeaving = metadata.isDeleting || hasReleasedNetwork
    }

    /// Whether the other one has precedence: an object that stays before one that leaves, then the newer one.
    func yields(to other: Seniority) -> Bool {
        isLeaving == other.isLeaving ? since < other.since : isLeaving
    }
}

/// The claims to an address: the winner, which records show, and the others.
///
/// Either no claim has ended, or the entry has one claim only, which is kept after its end.
struct AddressEntry: Sendable {
    let winner: AddressClaim
    let others: [AddressClaim]

    /// Creates an entry of at least one claim; nil without claims.
    init?(_ claims: [AddressClaim]) {
        guard let best = Self.best(claims) else { return nil }
        winner = claims[best]
        others = claims.count == 1 ? [] : Array(claims[..<best] + claims[(best + 1)...])
    }

    /// All claims, in no particular order.
    var claims: [AddressClaim] { [winner] + others }

    /// Returns the index of the winning claim.
    ///
    /// For an own address of this host, a HostEndpoint wins, else the host itself, never a pod. For other addresses, the
    /// newest of the pods and HostEndpoints wins, as in Calico; else the newest Node, which Calico does not treat as an
    /// owner.
    private static func best(_ claims: [AddressClaim]) -> Int? {
        guard claims.count > 1 else { return claims.indices.first }
        let isOwn = claims.contains { $0.standing == .own }
        return claims.indices.max { claims[$0].yields(to: claims[$1], isOwn: isOwn) }
    }

    /// The claims that did not win, in order of precedence.
    var othersInOrder: [AddressClaim] {
        let isOwn = claims.contains { $0.standing == .own }
        return others.sorted { $1.yields(to: $0, isOwn: isOwn) }
    }
}

extension AddressClaim.Standing {
    /// The rank of the claim; the highest one wins.
    fileprivate func rank(isOwn: Bool) -> Int {
        switch self {
        case .hostEndpoint: isOwn ? 3 : 1
        case .own: 2
        case .pod: 1
        case .node: 0
        }
    }
}
