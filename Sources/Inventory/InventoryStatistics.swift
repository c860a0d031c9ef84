public import ClusterModel

/// The numbers of an inventory's objects.
public struct InventoryStatistics: Sendable, Hashable {
    /// Objects, by kind and by source.
    public var objects: [ObjectKind: [SourceID: Int]] = [:]
    /// Addresses with a claim, now or within the last ten seconds.
    public var addresses = 0
    /// Addresses that several objects claim.
    public var contestedAddresses = 0
    /// Addresses that keep the name of an owner that is gone.
    public var keptAddresses = 0
    /// Places where services are called by addresses of their own: address, port and protocol.
    public var servicePorts = 0
    /// Ports of every node at which services are called.
    public var nodePorts = 0
    /// Places that services send connections to.
    public var backends = 0
    /// Different prefixes of network sets, in each namespace and in none; as of the last snapshot.
    public var prefixes = 0
    /// Different identities of endpoints: labels, and what policies see besides.
    public var identities = 0
    /// Texts that several objects may share: labels, namespaces, aggregated names.
    public var sharedTexts = 0
    /// Claims that are to be looked at when their time is over.
    public var pendingExpiries = 0
    /// Times that an object named more addresses and ports than are taken (65,536), and was cut.
    public var oversizedObjects = 0

    /// Creates an empty value.
    public init() {}

    /// Objects of a kind from all sources.
    public func count(_ kind: ObjectKind) -> Int {
        objects[kind]?.values.reduce(0, +) ?? 0
    }
}

extension Inventory {
    /// Whether nodes are known, and none of them has this host's name.
    public var lacksOwnNode: Bool { host.nodes.isEmpty && !nodes.counts.isEmpty }

    /// The numbers of known objects; O(sources).
    public var statistics: InventoryStatistics {
        var statistics = InventoryStatistics()
        statistics.objects = [
            .pod: pods.counts, .node: nodes.counts, .hostEndpoint: hostEndpoints.counts, .service: services.counts,
            .endpointSlice: endpointSlices.counts, .endpoints: endpoints.counts, .networkSet: networkSets.counts,
            .globalNetworkSet: globalNetworkSets.counts,
        ]
        for (kind, store) in others { statistics.objects[kind] = store.counts }
        statistics.objects = statistics.objects.filter { !$0.value.isEmpty }
        statistics.addresses = addresses.entries.count
        statistics.contestedAddresses = addresses.contested
        statistics.keptAddresses = addresses.kept
        statistics.servicePorts = servicePorts.entries.count
        statistics.nodePorts = nodePorts.entries.count
        statistics.backends = backends.entries.count
        statistics.prefixes = networkSetIndex.prefixCount
        statistics.identities = identities.count
        statistics.sharedTexts = identities.textCount + names.count
        statistics.pendingExpiries = expiries.count
        statistics.oversizedObjects = oversizedObjects
        return statistics
    }
}
