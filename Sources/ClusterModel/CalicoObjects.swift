public import FlowModel

/// A Calico NetworkSet, or a GlobalNetworkSet where the metadata has no namespace.
public struct NetworkSet: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The ranges of addresses (`spec.nets`).
    public var nets: [IPPrefix]
    /// The domain names (`spec.allowedEgressDomains`).
    public var domains: [String]
    /// Members that the API does not define.
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
    /// The addresses (`spec.expectedIPs`).
    public var addresses: [IPAddress]
    /// The profiles, in order (`spec.profiles`).
    public var profiles: [String]
    /// The named ports (`spec.ports`).
    public var namedPorts: [NamedPort]
    /// Members that the API does not define.
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

/// The fields of a Calico FelixConfiguration that affect which policies apply to a connection.
public struct FelixConfiguration: Sendable, Hashable {
    /// A port whose traffic Felix allows before it evaluates policies of host endpoints.
    public struct FailsafePort: Sendable, Hashable {
        /// The protocol.
        public var proto: IPProtocol
        /// The destination port.
        public var port: UInt16
        /// The addresses of the other end; nil for all addresses.
        public var net: IPPrefix?

        /// Takes all members.
        public init(proto: IPProtocol, port: UInt16, net: IPPrefix? = nil) {
            self.proto = proto
            self.port = port
            self.net = net
        }
    }

    /// The object's metadata; the name is `default`, or `node.` and the name of the node that it applies to.
    public var metadata: ObjectMetadata
    /// Ports of traffic to the host (`spec.failsafeInboundHostPorts`); nil if the field is absent.
    public var failsafeInbound: [FailsafePort]?
    /// Ports of traffic from the host (`spec.failsafeOutboundHostPorts`); nil if the field is absent.
    public var failsafeOutbound: [FailsafePort]?
    /// Members of these ports that the API does not define.
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
