public import ClusterModel

/// Counts of an inventory's objects and tables.
public struct InventoryStatistics: Sendable, Hashable {
    /// The number of objects by kind and source.
    public var objects: [ObjectKind: [SourceID: Int]] = [:]
    /// Addresses with a claim, now or within the last ten seconds.
    public var addresses = 0
    /// Addresses with several claims.
    public var contestedAddresses = 0
    /// Addresses whose owner has ended and is kept.
    public var keptAddresses = 0
    /// Places where clients reach services by their own addresses: address, port and protocol.
    public var servicePorts = 0
    /// Node ports of services.
    public var nodePorts = 0
    /// Places that are backends of services.
    public var backends = 0
    /// Distinct prefixes of network sets, counted for each namespace; as of the last snapshot.
    public var prefixes = 0
    /// Distinct identities of endpoints: labels, and the other traits that policies use.
    public var identities = 0
    /// Texts that several objects may share: labels, namespaces, aggregated names.
    public var sharedTexts = 0
    /// Kept claims that wait for their expiry.
    public var pendingExpiries = 0
    /// Times that an object listed more addresses and ports than the limit (65,536), so that some were ignored.
    public var oversizedObjects = 0

    /// Creates an empty value.
    public init() {}

    /// Objects of a kind from all sources.
    public func count(_ kind: ObjectKind) -> Int {
        objects[kind]?.values.reduce(0, +) ?? 0
    }
}

extension Inventory {
    /// Whether there are Node objects, but none has this host's name.
    public var lacksOwnNode: Bool { host.nodes.isEmpty && !nodes.counts.isEmpty }

    /// The counts of the present objects; O(sources).
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
