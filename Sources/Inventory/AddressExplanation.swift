public import ClusterModel
public import FlowModel

/// The endpoint that a record would show for an address, and why.
public struct AddressExplanation: Sendable {
    /// An object or host with a claim to an address.
    public struct Claimant: Sendable {
        /// The kind of the claim.
        public enum Right: Sendable, Hashable {
            /// The address is an expected address of a HostEndpoint.
            case expectedAddress
            /// This host has it.
            case ownAddress
            /// The address is a pod's.
            case podAddress
            /// The address is in a Node object.
            case nodeAddress
        }

        /// The endpoint as records show it.
        public let endpoint: Endpoint
        /// The kind of the claim.
        public let right: Right
        /// The object; nil for an address that this host has.
        public let object: ObjectReference?
        /// The source of the object; nil for an address of this host.
        public let source: SourceID?
        /// Whether it is gone, and still answers because there is no other claim to the address.
        public let isKept: Bool
    }

    /// A network set that an address is in.
    public struct SetMatch: Sendable {
        /// The endpoint as records show it.
        public let endpoint: Endpoint
        /// The object.
        public let object: ObjectReference
        /// The source of the object.
        public let source: SourceID
        /// The longest of its prefixes that has the address.
        public let prefix: IPPrefix
        /// The relation of its namespace to that of the other end.
        public let category: NetworkSetCategory
    }

    /// The rule that determines the endpoint.
    public enum Rule: Sendable {
        /// An object or host has exactly this address.
        case owner(Claimant)
        /// No object has it, but a network set has a prefix of it.
        case networkSet(SetMatch)
        /// Nothing owns it; it is private or public.
        case network
    }

    /// A service that is called somewhere.
    public struct ServiceMatch: Sendable {
        /// The way in which the service is called.
        public enum Way: Sendable, Hashable {
            /// By an address of its own: cluster IP, external IP or load balancer.
            case address
            /// By a port of every node.
            case nodePort
        }

        /// The service port in records; of several services `*`.
        public let shown: ServicePort
        /// The protocol.
        public let proto: IPProtocol
        /// The way in which it is called.
        public let way: Way
        /// The services, with their sources and how a record would show each alone.
        public let services: [(object: ObjectReference, source: SourceID, port: ServicePort)]
    }

    /// A port at which the address answers for services.
    public struct BackendMatch: Sendable {
        /// The port.
        public let port: UInt16
        /// The protocol.
        public let proto: IPProtocol
        /// The services, ascending by namespace and name, each once.
        public let services: [ObjectReference]
    }

    /// The address.
    public let address: IPAddress
    /// The endpoint in records.
    public let endpoint: Endpoint
    /// The rule that decided.
    public let rule: Rule
    /// The other claims to the address.
    public let otherClaimants: [Claimant]
    /// The network sets that have the address, but were not chosen; in the order in which they would be.
    public let otherSets: [SetMatch]
    /// Whether this host has the address.
    public let isOwn: Bool
    /// Whether it belongs to a pod on this host.
    public let isLocalWorkload: Bool
    /// Whether it may belong to a pod that is not known yet.
    public let mayBecomeKnown: Bool
    /// The services that are called there; by node ports only if a port was asked for.
    public let services: [ServiceMatch]
    /// The ports at which the address answers for services.
    public let backends: [BackendMatch]
}
