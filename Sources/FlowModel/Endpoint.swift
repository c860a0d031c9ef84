/// An end of a flow as a record names it: a workload, a host, a network set, or the rest of the world.
///
/// Immutable. Inventory creates it once per change; records share it, and encoders keep its rendered text by ``id``.
public final class Endpoint: Sendable {
    /// The kind of an endpoint (`source_type`, `dest_type`).
    public enum Kind: String, Sendable, CaseIterable {
        /// A workload endpoint: a pod.
        case workload = "wep"
        /// A host endpoint: an address of a node.
        case host = "hep"
        /// A network set.
        case networkSet = "ns"
        /// An address without any owner.
        case network = "net"
    }

    /// A number no other endpoint of this process has or had.
    public let id: UInt64
    /// The number of the object behind it, which all versions of the same object share: of a pod, from its creation to its end.
    public let object: UInt64
    /// The kind of the endpoint.
    public let kind: Kind
    /// The full name (`source_name`); `-` for ``Kind/network``.
    public let name: String
    /// The name that a group of like endpoints shares (`source_name_aggr`); `pub` or `pvt` for ``Kind/network``.
    public let aggregatedName: String
    /// The namespace, or nil where the endpoint is in none.
    public let namespace: String?
    /// Labels, or nil where labels are not known.
    public let labels: LabelSet?
    /// Its identity for policies; nil for ``Kind/network``, and for a host without a HostEndpoint object.
    public let identity: EndpointIdentity?

    /// Makes an endpoint with a new number.
    ///
    /// - Parameters:
    ///   - earlier: an earlier version of the same object; nil for an object that was not known before.
    ///   - kind: the kind of the endpoint.
    ///   - name: the full name.
    ///   - aggregatedName: the name that like endpoints share.
    ///   - namespace: the namespace, or nil where it is in none.
    ///   - labels: labels without those that records never show, or nil where they are not known.
    ///   - identity: its identity for policies.
    public init(
        replacing earlier: Endpoint? = nil,
        kind: Kind,
        name: String,
        aggregatedName: String,
        namespace: String? = nil,
        labels: LabelSet? = nil,
        identity: EndpointIdentity? = nil
    ) {
        id = UniqueNumber.next()
        object = earlier?.object ?? id
        self.kind = kind
        self.name = name
        self.aggregatedName = aggregatedName
        self.namespace = namespace
        self.labels = labels
        self.identity = identity
    }

    /// The other end of a remainder, about which nothing is known: in records ``Kind/network`` with the name `-` everywhere,
    /// also as aggregated name.
    public static let unknown = Endpoint(kind: .network, name: "-", aggregatedName: "-")
}
