/// An end of a flow as a record names it: a workload, a host, a network set, or a network.
///
/// Immutable. The inventory creates one per change; records share it, and encoders cache its rendered text by ``id``.
public final class Endpoint: Sendable {
    /// The kind of an endpoint (`source_type`, `dest_type`).
    public enum Kind: String, Sendable, CaseIterable {
        /// A workload endpoint: a pod.
        case workload = "wep"
        /// A host endpoint: an address of a node.
        case host = "hep"
        /// A network set.
        case networkSet = "ns"
        /// An address without a known owner.
        case network = "net"
    }

    /// A number that no other endpoint of this process has or had.
    public let id: UInt64
    /// The number of the object behind the endpoint: all versions of the same object, such as a pod, share it.
    public let object: UInt64
    /// The kind of the endpoint.
    public let kind: Kind
    /// The full name (`source_name`); `-` for ``Kind/network``.
    public let name: String
    /// The name that similar endpoints share (`source_name_aggr`); `pub` or `pvt` for ``Kind/network``.
    public let aggregatedName: String
    /// The namespace; nil if the endpoint has none.
    public let namespace: String?
    /// The labels; nil if they are not known.
    public let labels: LabelSet?
    /// The identity for policies; nil for ``Kind/network``, and for a host without a HostEndpoint object.
    public let identity: EndpointIdentity?

    /// Creates an endpoint with a new number.
    ///
    /// - Parameters:
    ///   - earlier: an earlier version of the same object; nil for a new object.
    ///   - kind: the kind of the endpoint.
    ///   - name: the full name.
    ///   - aggregatedName: the name that similar endpoints share.
    ///   - namespace: the namespace; nil if it has none.
    ///   - labels: the labels, without those that records never show; nil if they are not known.
    ///   - identity: the identity for policies.
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

    /// The unknown other end of a remainder.
    ///
    /// In records it is a ``Kind/network`` with the name `-`, also as aggregated name.
    public static let unknown = Endpoint(kind: .network, name: "-", aggregatedName: "-")
}
