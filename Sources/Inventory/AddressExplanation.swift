public import ClusterModel
public import FlowModel

/// The endpoint that a record shows for an address, and the reason for it.
public struct AddressExplanation: Sendable {
    /// An object or host that claims an address.
    public struct Claimant: Sendable {
        /// The kind of the claim.
        public enum Right: Sendable, Hashable {
            /// The address is an expected address of a HostEndpoint.
            case expectedAddress
            /// The address is an own address of this host.
            case ownAddress
            /// The address belongs to a pod.
            case podAddress
            /// The address is listed in a Node object.
            case nodeAddress
        }

        /// The endpoint as it appears in records.
        public let endpoint: Endpoint
        /// The kind of the claim.
        public let right: Right
        /// The object; nil for an own address of this host.
        public let object: ObjectReference?
        /// The source of the object; nil for an own address of this host.
        public let source: SourceID?
        /// Whether the claim has ended and is kept only because no other object claims the address.
        public let isKept: Bool
    }

    /// A network set that contains an address.
    public struct SetMatch: Sendable {
        /// The endpoint as it appears in records.
        public let endpoint: Endpoint
        /// The object.
        public let object: ObjectReference
        /// The source of the object.
        public let source: SourceID
        /// The longest of its prefixes that contains the address.
        public let prefix: IPPrefix
        /// The relation of its namespace to the namespace of the other end.
        public let category: NetworkSetCategory
    }

    /// The rule that selects the endpoint.
    public enum Rule: Sendable {
        /// An object or host owns exactly this address.
        case owner(Claimant)
        /// No object owns the address, but a network set contains it.
        case networkSet(SetMatch)
        /// Neither owns nor contains it; the endpoint is the private or the public network.
        case network
    }

    /// A service that clients reach at the address.
    public struct ServiceMatch: Sendable {
        /// How clients reach the service.
        public enum Way: Sendable, Hashable {
            /// By an address of its own: cluster IP, external IP or load balancer IP.
            case address
            /// By a node port, which is open on every node.
            case nodePort
        }

        /// The service port as it appears in records; `*` for several services.
        public let shown: ServicePort
        /// The protocol.
        public let proto: IPProtocol
        /// How clients reach the service.
        public let way: Way
        /// The services, with their sources and the service port that records would show for each one alone.
        public let services: [(object: ObjectReference, source: SourceID, port: ServicePort)]
    }

    /// A port on which the address is a backend of services.
    public struct BackendMatch: Sendable {
        /// The port.
        public let port: UInt16
        /// The protocol.
        public let proto: IPProtocol
        /// The services, sorted by namespace and name, without duplicates.
        public let services: [ObjectReference]
    }

    /// The address.
    public let address: IPAddress
    /// The endpoint as it appears in records.
    public let endpoint: Endpoint
    /// The rule that selected the endpoint.
    public let rule: Rule
    /// The other claims to the address.
    public let otherClaimants: [Claimant]
    /// The other network sets that contain the address, in order of precedence.
    public let otherSets: [SetMatch]
    /// Whether it is an own address of this host.
    public let isOwn: Bool
    /// Whether it belongs to a pod on this host.
    public let isLocalWorkload: Bool
    /// Whether it may belong to a pod that sources have not reported yet.
    public let mayBecomeKnown: Bool
    /// The services that clients reach at the address; node ports are included only if a port was given.
    public let services: [ServiceMatch]
    /// The ports on which the address is a backend of services.
    public let backends: [BackendMatch]
}
