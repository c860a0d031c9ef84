import ClusterModel
import FlowModel

/// What an object, or this host, says of an address: that it is its own.
struct AddressClaim: Sendable {
    /// By what right.
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
    /// Grows with every claim that is made.
    var sequence: UInt64 = 0
    /// Who told of the claimant.
    let source: SourceID
    let standing: Standing
    /// Whether the claimant is a pod on this host.
    var isLocal = false
    /// Whether the claim has ended, and holds for a while only because nobody else claims the address.
    var isKept = false

    /// Whether it is the claim of an object, which its number and source tell apart from all others.
    func isBy(_ object: UInt32, _ source: SourceID, _ standing: Standing) -> Bool {
        endpoint.object == object && self.source == source && self.standing == standing
    }
}

/// Who claims an address: the one that records show, and the others.
///
/// Either all claims hold, or there is one only, which is kept after its end.
struct AddressEntry: Sendable {
    let winner: AddressClaim
    let others: [AddressClaim]

    /// Takes claims, of which there must be one at least.
    init?(_ claims: [AddressClaim]) {
        guard let best = Self.best(claims) else { return nil }
        winner = claims[best]
        others = claims.count == 1 ? [] : Array(claims[..<best] + claims[(best + 1)...])
    }

    /// All claims, in no order.
    var claims: [AddressClaim] { [winner] + others }

    /// Which claim wins.
    ///
    /// At an address that this host has, a HostEndpoint, else the host itself; never a pod. Elsewhere the newest of pods
    /// and HostEndpoints, as Calico has it; else the newest Node, which Calico does not know as an owner.
    private static func best(_ claims: [AddressClaim]) -> Int? {
        let isOwn = claims.contains { $0.standing == .own }
        return claims.indices.max { left, right in
            let (left, right) = (claims[left], claims[right])
            let (leftRank, rightRank) = (rank(left.standing, isOwn: isOwn), rank(right.standing, isOwn: isOwn))
            return leftRank == rightRank ? left.sequence < right.sequence : leftRank < rightRank
        }
    }

    private static func rank(_ standing: AddressClaim.Standing, isOwn: Bool) -> Int {
        switch standing {
        case .hostEndpoint: isOwn ? 3 : 1
        case .own: 2
        case .pod: 1
        case .node: 0
        }
    }
}
