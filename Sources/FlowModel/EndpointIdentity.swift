/// A label of an object.
public struct Label: Sendable, Hashable, Comparable {
    /// The key, as in `app.kubernetes.io/name`.
    public var key: String
    /// The value; may be empty.
    public var value: String

    /// Takes both members.
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    /// Orders by key, then by value.
    public static func < (left: Label, right: Label) -> Bool {
        (left.key, left.value) < (right.key, right.value)
    }
}

/// A named port of a container, a service or an endpoint.
public struct NamedPort: Sendable, Hashable {
    /// The name; nil if the port has none.
    public var name: String?
    /// The number.
    public var port: UInt16
    /// TCP, UDP or SCTP.
    public var proto: IPProtocol

    /// Takes all members.
    public init(name: String? = nil, port: UInt16, proto: IPProtocol = .tcp) {
        self.name = name
        self.port = port
        self.proto = proto
    }
}

/// The properties of an endpoint by which policies select it, except addresses.
///
/// Endpoints with the same identity match the same rules, except rules with addresses. Immutable and shared: equal endpoints
/// have the same object, and compiled rules are cached by ``id``.
public final class EndpointIdentity: Sendable {
    /// A number that no other identity of this process has or had.
    public let id: UInt64
    /// The kind of the endpoint; never ``Endpoint/Kind/network``.
    public let kind: Endpoint.Kind
    /// The namespace; nil if the endpoint has none.
    public let namespace: String?
    /// All labels of the object, ascending by key; for a workload, without the labels that Calico adds.
    public let labels: [Label]
    /// The service account under which a workload runs.
    public let serviceAccount: String?
    /// The named ports.
    public let namedPorts: [NamedPort]
    /// The profiles of a host endpoint, in order; a workload's follow from its namespace and service account.
    public let profiles: [String]
    /// The node of a host endpoint, which determines its failsafe ports; nil for other endpoints.
    public let node: String?

    /// Creates an identity with a new number.
    public init(
        kind: Endpoint.Kind,
        namespace: String?,
        labels: [Label],
        serviceAccount: String? = nil,
        namedPorts: [NamedPort] = [],
        profiles: [String] = [],
        node: String? = nil
    ) {
        id = UniqueNumber.next()
        self.kind = kind
        self.namespace = namespace
        self.labels = labels
        self.serviceAccount = serviceAccount
        self.namedPorts = namedPorts
        self.profiles = profiles
        self.node = node
    }
}
