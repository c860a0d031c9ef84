public import FlowModel

/// A Calico NetworkSet, or a GlobalNetworkSet where the metadata has no namespace.
public struct NetworkSet: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// Its ranges (`spec.nets`).
    public var nets: [IPPrefix]
    /// Its domain names (`spec.allowedEgressDomains`).
    public var domains: [String]
    /// Members that its API does not have.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        nets: [IPPrefix] = [],
        domains: [String] = [],
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.nets = nets
        self.domains = domains
        self.unknownFields = unknownFields
    }
}

/// A Calico HostEndpoint.
public struct HostEndpoint: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The node (`spec.node`).
    public var node: String
    /// The interface (`spec.interfaceName`); nil or `*` for all.
    public var interfaceName: String?
    /// Its addresses (`spec.expectedIPs`).
    public var addresses: [IPAddress]
    /// Its profiles in order (`spec.profiles`).
    public var profiles: [String]
    /// Its named ports (`spec.ports`).
    public var namedPorts: [NamedPort]
    /// Members that its API does not have.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        node: String,
        interfaceName: String? = nil,
        addresses: [IPAddress] = [],
        profiles: [String] = [],
        namedPorts: [NamedPort] = [],
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.node = node
        self.interfaceName = interfaceName
        self.addresses = addresses
        self.profiles = profiles
        self.namedPorts = namedPorts
        self.unknownFields = unknownFields
    }
}
