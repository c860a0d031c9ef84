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

/// A container of a pod that has begun.
public struct PodContainer: Sendable, Hashable {
    /// The identifier that the container runtime has given it, without the runtime's name.
    public var identifier: String
    /// The name in the pod.
    public var name: String

    /// Takes all members.
    public init(identifier: String, name: String) {
        self.identifier = identifier
        self.name = name
    }
}

/// A Pod (`v1`).
public struct Pod: Sendable, Hashable {
    /// The phase of the pod's life (`status.phase`).
    public enum Phase: Sendable, Hashable {
        /// Pending, Running, Unknown, or no phase: it may use its addresses.
        case live
        /// Succeeded or Failed, or being deleted and without the network that Calico gave it: its addresses may be
        /// another's.
        case ended
    }

    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// Its addresses: `status.podIPs`, else `status.podIP`, else those in the annotations of Calico
    /// (`cni.projectcalico.org/podIPs`, `…/podIP`) or Amazon (`vpc.amazonaws.com/pod-ips`), which come first in time; none
    /// before it has a network.
    public var addresses: [IPAddress]
    /// The node it runs on (`spec.nodeName`); nil before it is scheduled.
    public var node: String?
    /// Whether it uses the node's network, and so the node's addresses (`spec.hostNetwork`).
    public var usesHostNetwork: Bool
    /// The phase of its life.
    public var phase: Phase
    /// The service account it runs as (`spec.serviceAccountName`).
    public var serviceAccount: String?
    /// The ports of its containers that have a name (`spec.containers[].ports`, and those of init containers that
    /// restart).
    public var namedPorts: [NamedPort]
    /// The time when its node accepted it (`status.startTime`), before which it has no network; seconds since 1970 in UTC, nil
    /// where that is not given.
    public var started: Int64?
    /// Whether Calico has taken its network away (an empty annotation `cni.projectcalico.org/podIP`), so that the addresses
    /// in its status may be another's.
    public var hasReleasedNetwork: Bool
    /// Its containers that have begun (`status.containerStatuses`, and those of init and ephemeral containers).
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
    /// Its addresses (`status.addresses` that are addresses and not names).
    public var addresses: [IPAddress]
    /// The ranges of the addresses of its pods (`spec.podCIDRs`, else `spec.podCIDR`).
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
        /// The number that is called.
        public var port: UInt16
        /// The number that is called on any node's address; nil if there is none.
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
    /// The addresses it is called at: `spec.clusterIPs` (else `spec.clusterIP`), `spec.externalIPs`,
    /// `status.loadBalancer.ingress[].ip`, and the deprecated `spec.loadBalancerIP`; none for a headless service.
    public var addresses: [IPAddress]
    /// Its ports.
    public var ports: [Port]
    /// The name of the host that DNS answers with, empty without one (`spec.externalName`); nil if the service is not of
    /// type `ExternalName`.
    public var externalName: String?
    /// Whether it selects its backends (`spec.selector`); otherwise its EndpointSlices are written by hand or by a controller.
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
    /// Whether an endpoint gets new connections (`conditions` of an EndpointSlice).
    public enum Readiness: UInt8, Sendable, Hashable {
        /// The endpoint is ready.
        case ready
        /// The endpoint is terminating and still serves: it receives traffic if no endpoint is ready.
        case serving
        /// The endpoint is not ready.
        case notReady
    }

    /// Addresses that all answer on the same ports.
    public struct Group: Sendable, Hashable {
        /// The addresses.
        public var addresses: [IPAddress]
        /// The ports.
        public var ports: [NamedPort]
        /// The readiness of addresses that are not ready; the others are.
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
    /// The service's name (label `kubernetes.io/service-name`, or the object's own name); nil if it is of none.
    public var service: String?
    /// The backends; one group for a slice, one a subset for Endpoints.
    ///
    /// Endpoints that are not ready are among them: a connection may still run to them.
    public var groups: [Group]

    /// Takes all members.
    public init(kind: ObjectKind, metadata: ObjectMetadata, service: String?, groups: [Group] = []) {
        self.kind = kind
        self.metadata = metadata
        self.service = service
        self.groups = groups
    }
}
