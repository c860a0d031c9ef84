import ClusterModel
import FlowModel

/// The claim of an object, or of this host, to an address.
struct AddressClaim: Sendable {
    /// The kind of the claim.
    enum Standing: UInt8, Sendable {
        /// An expected address of a HostEndpoint.
        case hostEndpoint
        /// An address that this host has.
        case own
        /// An address of a pod.
        case pod
        /// An address of a Node object.
        case node
    }

    /// The claimant as records show it.
    var endpoint: Endpoint
    /// A number that no other claim has or had.
    var sequence: UInt64 = 0
    /// The age that decides between equal claims.
    var seniority = Seniority()
    /// The source of the claimant.
    let source: SourceID
    let standing: Standing
    /// Whether the claimant is a pod on this host.
    var isLocal = false
    /// Whether the claim has ended, and holds for a while only because there is no other claim to the address.
    var isKept = false

    /// Whether it is the claim of an object, which is identified by its number and source.
    func isBy(_ object: UInt64, _ source: SourceID, _ standing: Standing) -> Bool {
        endpoint.object == object && self.source == source && self.standing == standing
    }

    /// Whether it equals another claim of the same claimant.
    func shows(_ other: AddressClaim) -> Bool {
        endpoint === other.endpoint && seniority == other.seniority && isLocal == other.isLocal
    }

    /// Whether it yields to another claim to the same address.
    ///
    /// Depends on the objects alone, not on the order in which they came.
    ///
    /// - Parameters:
    ///   - other: the other claim.
    ///   - isOwn: whether this host has the address.
    /// - Returns: whether the other one has precedence.
    func yields(to other: AddressClaim, isOwn: Bool) -> Bool {
        let ranks = (standing.rank(isOwn: isOwn), other.standing.rank(isOwn: isOwn))
        if ranks.0 != ranks.1 { return ranks.0 < ranks.1 }
        if seniority != other.seniority { return seniority.yields(to: other.seniority) }
        // At equal age the last in the order of lists; of an object that several sources have, the first source's.
        let (left, right) = (endpoint, other.endpoint)
        let namespaces = (left.namespace ?? "", right.namespace ?? "")
        if namespaces.0 != namespaces.1 { return namespaces.0 < namespaces.1 }
        if left.name != right.name { return left.name < right.name }
        if standing != other.standing { return standing.rawValue > other.standing.rawValue }
        return source.rawValue > other.source.rawValue
    }
}

/// The seniority of a claim, which decides between several claims to an address.
struct Seniority: Sendable, Equatable {
    /// The earliest time when the object can have got the address: when it was made, or its node accepted it; seconds since
    /// 1970, and 0 where that is not known.
    private let since: UInt32
    /// Whether the object is being deleted, or its network is gone already.
    private let isLeaving: Bool

    /// An object that stays, since an unknown time.
    init() {
        since = 0
        isLeaving = false
    }

    /// An object with a creation time; a pod has more.
    init(_ metadata: ObjectMetadata, started: Int64? = nil, hasReleasedNetwork: Bool = false) {
        since = UInt32(clamping: max(metadata.created ?? 0, started ?? 0))
        isLeaving = metadata.isDeleting || hasReleasedNetwork
    }

    /// Whether the other one is the newer: one that stays before one that leaves, then the younger.
    func yields(to other: Seniority) -> Bool {
        isLeaving == other.isLeaving ? since < other.since : isLeaving
    }
}

/// The claims to an address: the one that records show, and the others.
///
/// Either all claims hold, or there is one only, which is kept after its end.
struct AddressEntry: Sendable {
    let winner: AddressClaim
    let others: [AddressClaim]

    /// Takes at least one claim.
    init?(_ claims: [AddressClaim]) {
        guard let best = Self.best(claims) else { return nil }
        winner = claims[best]
        others = claims.count == 1 ? [] : Array(claims[..<best] + claims[(best + 1)...])
    }

    /// All claims, in no order.
    var claims: [AddressClaim] { [winner] + others }

    /// Returns the index of the claim that wins.
    ///
    /// At an address that this host has, a HostEndpoint, else the host itself; never a pod. Elsewhere the newest of
    /// pods and HostEndpoints, as in Calico; else the newest Node, which is no owner in Calico.
    private static func best(_ claims: [AddressClaim]) -> Int? {
        guard claims.count > 1 else { return claims.indices.first }
        let isOwn = claims.contains { $0.standing == .own }
        return claims.indices.max { claims[$0].yields(to: claims[$1], isOwn: isOwn) }
    }

    /// The claims that did not win, the one first that would be next.
    var othersInOrder: [AddressClaim] {
        let isOwn = claims.contains { $0.standing == .own }
        return others.sorted { $1.yields(to: $0, isOwn: isOwn) }
    }
}

extension AddressClaim.Standing {
    /// The highest goes first.
    fileprivate func rank(isOwn: Bool) -> Int {
        switch self {
        case .hostEndpoint: isOwn ? 3 : 1
        case .own: 2
        case .pod: 1
        case .node: 0
        }
    }
}
