/// One end of a flow as a record names it: a workload, a host, a network set, or the rest of the world.
///
/// Immutable. Inventory makes it once per change; records share it, and encoders keep what they rendered of it by ``id``.
public final class Endpoint: Sendable {
    /// What kind of endpoint it is (`source_type`, `dest_type`).
    public enum Kind: String, Sendable, CaseIterable {
        /// A workload endpoint: a pod.
        case workload = "wep"
        /// A host endpoint: an address of a node.
        case host = "hep"
        /// A network set.
        case networkSet = "ns"
        /// An address that nothing else claims.
        case network = "net"
    }

    /// A number no other endpoint of this process has or had.
    public let id: UInt32
    /// What kind of endpoint it is.
    public let kind: Kind
    /// The full name (`source_name`); `-` for ``Kind/network``.
    public let name: String
    /// The name that a group of like endpoints shares (`source_name_aggr`); `pub` or `pvt` for ``Kind/network``.
    public let aggregatedName: String
    /// The namespace, or nil where the endpoint is in none.
    public let namespace: String?
    /// Labels as `key=value`, or nil where labels are not known.
    public let labels: [String]?

    /// Takes all members; `id` must be unique in the process and never used again.
    public init(
        id: UInt32,
        kind: Kind,
        name: String,
        aggregatedName: String,
        namespace: String? = nil,
        labels: [String]? = nil
    ) {
        self.id = id
        self.kind = kind
        self.name = name
        self.aggregatedName = aggregatedName
        self.namespace = namespace
        self.labels = labels
    }
}

/// Says who owns an address: the seam between the flows and the inventory.
///
/// A resolver is an immutable snapshot. A batch of flows is resolved against one snapshot; a newer one replaces it whole.
public protocol EndpointResolver: Sendable {
    /// Grows with every snapshot that may answer differently.
    var generation: UInt64 { get }

    /// The endpoint that owns an address; an address that nothing claims is a ``Endpoint/Kind/network``.
    func endpoint(at address: IPAddress) -> Endpoint

    /// Whether an address is one of this host's own.
    func isOwn(_ address: IPAddress) -> Bool
}
