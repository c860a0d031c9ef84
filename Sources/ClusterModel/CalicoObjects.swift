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

/// A Calico FelixConfiguration, as far as it decides what policies are asked about.
public struct FelixConfiguration: Sendable, Hashable {
    /// A port that Felix lets through before the policies of host endpoints.
    public struct FailsafePort: Sendable, Hashable {
        /// The protocol.
        public var proto: IPProtocol
        /// The destination port.
        public var port: UInt16
        /// The addresses of the other end; nil for all.
        public var net: IPPrefix?

        /// Takes all members.
        public init(proto: IPProtocol, port: UInt16, net: IPPrefix? = nil) {
            self.proto = proto
            self.port = port
            self.net = net
        }
    }

    /// Its metadata; the name is `default`, or `node.` and the name of the node that it is for.
    public var metadata: ObjectMetadata
    /// Ports of what the host gets (`spec.failsafeInboundHostPorts`); nil where it does not say.
    public var failsafeInbound: [FailsafePort]?
    /// Ports of what the host sends (`spec.failsafeOutboundHostPorts`); nil where it does not say.
    public var failsafeOutbound: [FailsafePort]?
    /// Values of these that its API does not have.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        failsafeInbound: [FailsafePort]? = nil,
        failsafeOutbound: [FailsafePort]? = nil,
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.failsafeInbound = failsafeInbound
        self.failsafeOutbound = failsafeOutbound
        self.unknownFields = unknownFields
    }
}
