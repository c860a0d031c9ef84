public import FlowModel

/// A Namespace (`v1`).
public struct Namespace: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata

    /// Takes all members.
    public init(metadata: ObjectMetadata) {
        self.metadata = metadata
    }
}

/// A ServiceAccount (`v1`).
public struct ServiceAccount: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata

    /// Takes all members.
    public init(metadata: ObjectMetadata) {
        self.metadata = metadata
    }
}

/// A started container of a pod.
public struct PodContainer: Sendable, Hashable {
    /// The identifier from the container runtime, without the name of the runtime.
    public var identifier: String
    /// The name of the container in the pod.
    public var name: String

    /// Takes all members.
    public init(identifier: String, name: String) {
        self.identifier = identifier
        self.name = name
    }
}

/// A Pod (`v1`).
public struct Pod: Sendable, Hashable {
    /// The phase of the pod (`status.phase`).
    public enum Phase: Sendable, Hashable {
        /// Pending, Running, Unknown, or no phase: it may use its addresses.
        case live
        /// Succeeded or Failed; or being deleted, and Calico has removed its network.
        ///
        /// Another pod may have its addresses.
        case ended
    }

    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The addresses of the pod; empty before it has a network.
    ///
    /// They are `status.podIPs`, else `status.podIP`, else the addresses in the annotations of Calico
    /// (`cni.projectcalico.org/podIPs`, `…/podIP`) or Amazon (`vpc.amazonaws.com/pod-ips`), which are set earlier than
    /// the status.
    public var addresses: [IPAddress]
    /// The node that the pod runs on (`spec.nodeName`); nil before it is scheduled.
    public var node: String?
    /// Whether the pod uses the node's network, and so the node's addresses (`spec.hostNetwork`).
    public var usesHostNetwork: Bool
    /// The phase of the pod.
    public var phase: Phase
    /// The service account of the pod (`spec.serviceAccountName`).
    public var serviceAccount: String?
    /// The named ports of its containers (`spec.containers[].ports`, and those of init containers that restart).
    public var namedPorts: [NamedPort]
    /// The time when the node accepted the pod (`status.startTime`), in seconds since 1970 in UTC; nil if the field is
    /// absent.
    ///
    /// The pod has no network before this time.
    public var started: Int64?
    /// Whether Calico has removed the pod's network, so that another pod may have the addresses in its status.
    ///
    /// Calico marks this by an empty annotation `cni.projectcalico.org/podIP`.
    public var hasReleasedNetwork: Bool
    /// The started containers (`status.containerStatuses`, and those of init and ephemeral containers).
    public var containers: [PodContainer]

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        addresses: [IPAddress] = [],
        node: String? = nil,
        usesHostNetwork: Bool = false,
        phase: Phase = .live,
        serviceAccount: String? = nil,
        namedPorts: [NamedPort] = [],
        started: Int64? = nil,
        hasReleasedNetwork: Bool = false,
        containers: [PodContainer] = []
    ) {
        self.containers = containers
        self.metadata = metadata
        self.addresses = addresses
        self.node = node
        self.usesHostNetwork = usesHostNetwork
        self.phase = phase
        self.serviceAccount = serviceAccount
        self.namedPorts = namedPorts
        self.started = started
        self.hasReleasedNetwork = hasReleasedNetwork
    }
}

/// A Node (`v1`).
public struct Node: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The addresses of the node (`status.addresses`, without host names).
    public var addresses: [IPAddress]
    /// The ranges of the addresses of the node's pods (`spec.podCIDRs`, else `spec.podCIDR`).
    public var podRanges: [IPPrefix]

    /// Takes all members.
    public init(metadata: ObjectMetadata, addresses: [IPAddress] = [], podRanges: [IPPrefix] = []) {
        self.metadata = metadata
        self.addresses = addresses
        self.podRanges = podRanges
    }
}

/// A Service (`v1`).
public struct Service: Sendable, Hashable {
    /// A port of a service.
    public struct Port: Sendable, Hashable {
        /// The name; nil if it has none.
        public var name: String?
        /// The port number at the service's addresses.
        public var port: UInt16
        /// The port number at the addresses of nodes; nil if there is none.
        public var nodePort: UInt16?
        /// TCP, UDP or SCTP.
        public var proto: IPProtocol

        /// Takes all members.
        public init(name: String? = nil, port: UInt16, nodePort: UInt16? = nil, proto: IPProtocol = .tcp) {
            self.name = name
            self.port = port
            self.nodePort = nodePort
            self.proto = proto
        }
    }

    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The addresses where clients reach the service; empty for a headless service.
    ///
    /// They are `spec.clusterIPs` (else `spec.clusterIP`), `spec.externalIPs`, `status.loadBalancer.ingress[].ip`, and
    /// the deprecated `spec.loadBalancerIP`.
    public var addresses: [IPAddress]
    /// The ports of the service.
    public var ports: [Port]
    /// The host name in DNS answers (`spec.externalName`), which may be empty; nil if the type is not `ExternalName`.
    public var externalName: String?
    /// Whether the service has a selector (`spec.selector`); without one, users or controllers write its EndpointSlices.
    public var hasSelector: Bool

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        addresses: [IPAddress] = [],
        ports: [Port] = [],
        externalName: String? = nil,
        hasSelector: Bool = false
    ) {
        self.metadata = metadata
        self.addresses = addresses
        self.ports = ports
        self.externalName = externalName
        self.hasSelector = hasSelector
    }
}

/// The backends of a service: an EndpointSlice (`discovery.k8s.io`), or an Endpoints object (`v1`).
public struct ServiceEndpoints: Sendable, Hashable {
    /// Whether an endpoint receives new connections (`conditions` of an EndpointSlice).
    public enum Readiness: UInt8, Sendable, Hashable {
        /// The endpoint is ready.
        case ready
        /// The endpoint is terminating and still serves: it receives traffic if no endpoint is ready.
        case serving
        /// The endpoint is not ready.
        case notReady
    }

    /// Addresses that share the same ports.
    public struct Group: Sendable, Hashable {
        /// The addresses.
        public var addresses: [IPAddress]
        /// The ports.
        public var ports: [NamedPort]
        /// The readiness of the addresses that are not ready.
        public var unready: [IPAddress: Readiness]

        /// Takes all members.
        public init(addresses: [IPAddress], ports: [NamedPort], unready: [IPAddress: Readiness] = [:]) {
            self.addresses = addresses
            self.ports = ports
            self.unready = unready
        }

        /// The readiness of one of the addresses.
        public func readiness(of address: IPAddress) -> Readiness { unready[address] ?? .ready }
    }

    /// ``ObjectKind/endpointSlice`` or ``ObjectKind/endpoints``.
    public var kind: ObjectKind
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The service's name (label `kubernetes.io/service-name`, or the object's own name); nil if there is none.
    public var service: String?
    /// The backends: one group for a slice, one for each subset of an Endpoints object.
    ///
    /// Endpoints that are not ready are included, because they may still have connections.
    public var groups: [Group]

    /// Takes all members.
    public init(kind: ObjectKind, metadata: ObjectMetadata, service: String?, groups: [Group] = []) {
        self.kind = kind
        self.metadata = metadata
        self.service = service
        self.groups = groups
    }
}
