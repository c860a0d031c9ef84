import ClusterModel
import FlowModel

/// All inputs of verdicts at one moment.
///
/// Immutable.
final class PolicyWorld: Sendable {
    /// Increases with every world whose verdicts may differ; never 0.
    let generation: UInt64
    /// The format of hits.
    let format: PolicyFormat
    /// The operands of rules.
    let tables: RuleTables
    /// All tiers in order.
    let tiers: TierOrder
    /// The global policies.
    let global: PolicyScope
    /// The policies of each namespace that has any.
    let namespaced: [String: PolicyScope]
    /// The labels of namespaces.
    let namespaces: [String: InheritedLabels]
    /// The labels of service accounts, by namespace and name.
    let serviceAccounts: [ServiceName: InheritedLabels]
    /// The address ranges of rules and network sets.
    let addresses: AddressClasses
    /// The services that rules refer to.
    let services: ServiceMemberships
    /// The network sets with domain names, and the numbers of their lists in ``RuleTables/domains``.
    let domainSets: [DomainNetworkSet]
    /// Whether a policy or network set has domain names.
    let usesDomains: Bool
    /// The host endpoints.
    let hostEndpoints: HostEndpoints
    /// The failsafe ports of host endpoints, which are allowed before policies are evaluated.
    let failsafePorts: HostFailsafePorts
    /// Whether all policies and the objects that they depend on are known, so that verdicts are valid.
    let isComplete: Bool

    init(
        generation: UInt64,
        format: PolicyFormat,
        tables: RuleTables,
        tiers: TierOrder,
        global: PolicyScope,
        namespaced: [String: PolicyScope],
        namespaces: [String: InheritedLabels],
        serviceAccounts: [ServiceName: InheritedLabels],
        addresses: AddressClasses,
        services: ServiceMemberships,
        domainSets: [DomainNetworkSet],
        usesDomains: Bool,
        hostEndpoints: HostEndpoints,
        failsafePorts: HostFailsafePorts,
        isComplete: Bool
    ) {
        self.generation = generation
        self.format = format
        self.tables = tables
        self.tiers = tiers
        self.global = global
        self.namespaced = namespaced
        self.namespaces = namespaces
        self.serviceAccounts = serviceAccounts
        self.addresses = addresses
        self.services = services
        self.domainSets = domainSets
        self.usesDomains = usesDomains
        self.hostEndpoints = hostEndpoints
        self.failsafePorts = failsafePorts
        self.isComplete = isComplete
    }

    /// Whether a host endpoint's own traffic is on a failsafe port.
    func isFailsafe(_ query: PolicyQuery, _ direction: FlowDirection) -> Bool {
        let subject = direction == .ingress ? query.destination : query.source
        guard let subject, subject.kind == .host else { return false }
        return isFailsafe(query, direction, at: subject.node)
    }

    /// Whether packets at the host endpoints of a node are on a failsafe port; nil for an unknown node.
    func isFailsafe(_ query: PolicyQuery, _ direction: FlowDirection, at node: String?) -> Bool {
        failsafePorts[node].contains(query, direction, addresses)
    }

    /// The labels of an endpoint's namespace; nil if unknown.
    func namespaceLabels(_ identity: EndpointIdentity) -> InheritedLabels? {
        identity.namespace.flatMap { namespaces[$0] }
    }

    /// The labels of an endpoint's service account; nil if unknown.
    func serviceAccountLabels(_ identity: EndpointIdentity) -> InheritedLabels? {
        guard let namespace = identity.namespace, let name = identity.serviceAccount else { return nil }
        return serviceAccounts[ServiceName(namespace: namespace, name: name)]
    }

    /// All labels of an endpoint or network set that selectors are matched against.
    func labels(_ identity: EndpointIdentity) -> [Label] {
        EffectiveLabels.of(
            identity,
            namespace: namespaceLabels(identity),
            serviceAccount: serviceAccountLabels(identity)
        )
    }
}

/// A network set with domain names.
struct DomainNetworkSet: Sendable {
    /// The labels of the set, for selectors.
    var identity: EndpointIdentity
    /// The number of its list in ``RuleTables/domains``.
    var domains: UInt32
}

/// A connection in the form for evaluation.
struct PolicyQuery: Sendable {
    /// Addresses, ports and protocol.
    let packets: TrackedConnection.Tuple
    /// The identity at the source; nil for an address without an endpoint.
    let source: EndpointIdentity?
    /// The identity at the destination.
    let destination: EndpointIdentity?
    /// The class of the source address.
    let sourceClass: UInt32
    /// The class of the destination address.
    let destinationClass: UInt32
    /// The set of services that the source address belongs to.
    let sourceServices: UInt32
    /// The set of services that have the destination address and port as an endpoint.
    let destinationServices: UInt32
    /// The domain names of the destination.
    let domains: DestinationDomains
    /// The number of the set of domain lists that match these names, in ``DomainSets``.
    var domainSet = DomainSets.empty

    init(
        _ packets: TrackedConnection.Tuple,
        _ source: Endpoint,
        _ destination: Endpoint,
        _ domains: DestinationDomains,
        _ world: PolicyWorld
    ) {
        self.packets = packets
        self.domains = domains
        self.source = Self.endpoint(source)
        self.destination = Self.endpoint(destination)
        sourceClass = world.addresses.class(of: packets.source)
        destinationClass = world.addresses.class(of: packets.destination)
        if world.services.isEmpty {
            sourceServices = 0
            destinationServices = 0
        } else {
            sourceServices = world.services.set(of: packets.source)
            destinationServices = world.services.set(
                of: packets.destination,
                port: packets.destinationPort,
                proto: packets.proto
            )
        }
    }

    /// The identity of a workload or host.
    ///
    /// Network sets are found by address, because one address can be in several sets.
    static func endpoint(_ endpoint: Endpoint) -> EndpointIdentity? {
        endpoint.kind == .workload || endpoint.kind == .host ? endpoint.identity : nil
    }

    /// Whether the protocol is ICMP or ICMPv6, so that the destination port contains the type and code.
    var isICMP: Bool { packets.proto == .icmp || packets.proto == .icmp6 }

    /// The key of the verdict cache, without the source port.
    var key: VerdictKey {
        let port = packets.proto.hasPorts || isICMP ? UInt64(packets.destinationPort) : 0
        return VerdictKey(
            source: source?.id ?? 0,
            destination: destination?.id ?? 0,
            classes: UInt64(sourceClass) << 32 | UInt64(destinationClass),
            services: UInt64(sourceServices) << 32 | UInt64(destinationServices),
            packet: port | UInt64(packets.proto.rawValue) << 32 | (packets.destination.isIPv4 ? 1 << 40 : 0)
                | UInt64(domainSet) << 42
        )
    }

    /// The key of the verdict cache, with the source port.
    var keyWithSourcePort: VerdictKey {
        var key = key
        key.packet |= UInt64(packets.sourcePort) << 16 | VerdictKey.withSourcePort
        return key
    }
}
