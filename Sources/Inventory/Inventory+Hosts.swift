import ClusterModel
import FlowModel

/// The stored parts of a Node or a HostEndpoint.
struct HostRecord: Sendable {
    var identity: ShownIdentity
    /// The addresses that the object claims.
    var addresses: [IPAddress] = []
    /// The address ranges for the pods of a Node.
    var podRanges: [IPPrefix] = []
}

/// This host: the endpoint that its own addresses and its Node object share.
struct HostIdentity: Sendable {
    /// A Node object with this host's name.
    struct Reported: Sendable {
        let source: SourceID
        var labels: LabelSet
        var addresses: [IPAddress]
        var seniority: Seniority
    }

    /// The host as it appears in records; without labels until a Node object is known.
    private(set) var endpoint: Endpoint
    /// The own addresses of the host.
    var addresses: Set<IPAddress> = []
    /// The Node objects with its name, by source; records show the labels of the first one.
    var nodes: [Reported] = []

    init(hostName: String) {
        endpoint = Endpoint(kind: .host, name: hostName, aggregatedName: hostName)
    }

    /// The claim of the host to its own addresses.
    var claim: AddressClaim {
        AddressClaim(endpoint: endpoint, source: SourceID(rawValue: 0), standing: .own)
    }

    /// Updates the labels of the endpoint; returns whether they changed.
    mutating func showLabels() -> Bool {
        let labels = nodes.first?.labels
        guard labels !== endpoint.labels, labels?.labels != endpoint.labels?.labels else { return false }
        endpoint = Endpoint(
            replacing: endpoint,
            kind: .host,
            name: endpoint.name,
            aggregatedName: endpoint.name,
            labels: labels
        )
        return true
    }
}

// MARK: - Nodes

extension Inventory {
    /// Adds or updates a Node.
    mutating func upsert(_ node: Node, from source: SourceID) {
        guard !node.metadata.name.isEmpty else { return }
        let name = ObjectName(node.metadata)
        let uid = ObjectUID(node.metadata.uid)
        var known = nodes.known(name, from: source)
        if let earlier = known, earlier.uid.isAnother(than: uid) {
            removeNode(name, from: source)
            known = nil
        }
        let addresses = node.addresses.unique
        let earlier = known?.record
        let identity =
            name.name == hostName
            ? identityOfThisHost(replacing: earlier, node, addresses, from: source)
            : identity(
                replacing: earlier?.identity,
                name,
                aggregatedName: .itself,
                EndpointTraits(node)
            )
        moveClaims(
            from: earlier?.addresses ?? [],
            to: addresses,
            AddressClaim(
                endpoint: identity.endpoint,
                seniority: Seniority(node.metadata),
                source: source,
                standing: .node
            )
        )
        if node.podRanges != earlier?.podRanges ?? [] { changePodRanges() }
        let record = HostRecord(identity: identity, addresses: addresses, podRanges: node.podRanges)
        nodes.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
    }

    /// Removes a Node.
    mutating func removeNode(_ name: ObjectName, from source: SourceID) {
        guard let record = nodes.known(name, from: source)?.record else { return }
        let claim = AddressClaim(endpoint: record.identity.endpoint, source: source, standing: .node)
        moveClaims(from: record.addresses, to: [], claim)
        forget(record.identity)
        if !record.podRanges.isEmpty { changePodRanges() }
        nodes.remove(name, from: source)
        guard name.name == hostName else { return }
        host.nodes.removeAll { $0.source == source }
        showHost()
    }

    /// An index of the pod ranges of all nodes.
    func makePodRanges() -> PrefixIndex {
        var ranges: [(prefix: IPPrefix, value: Int32)] = []
        nodes.forEach { _, _, record in ranges += record.podRanges.map { ($0, 0) } }
        return PrefixIndex(ranges)
    }

    private mutating func changePodRanges() {
        podRangesChanged = true
        edits += 1
    }

    private mutating func identityOfThisHost(
        replacing earlier: HostRecord?,
        _ node: Node,
        _ addresses: [IPAddress],
        from source: SourceID
    ) -> ShownIdentity {
        let (fingerprint, group) = identities.acquire(EndpointTraits(node))
        if let earlier { identities.release(earlier.identity.traits) }
        host.nodes.removeAll { $0.source == source }
        let place = host.nodes.firstIndex { $0.source.rawValue > source.rawValue } ?? host.nodes.endIndex
        let reported = HostIdentity.Reported(
            source: source,
            labels: group.labels,
            addresses: addresses,
            seniority: Seniority(node.metadata)
        )
        host.nodes.insert(reported, at: place)
        showHost()
        return ShownIdentity(endpoint: host.endpoint, traits: fingerprint)
    }

    /// Updates the host's labels in all of its claims.
    private mutating func showHost() {
        guard host.showLabels() else { return }
        for address in host.addresses { addresses.renew(host.claim, at: address) }
        for node in host.nodes {
            let claim = AddressClaim(
                endpoint: host.endpoint,
                seniority: node.seniority,
                source: node.source,
                standing: .node
            )
            for address in node.addresses { addresses.renew(claim, at: address) }
        }
    }
}

extension EndpointTraits {
    /// The traits of a Node: labels only, because policies do not apply to it.
    fileprivate init(_ node: Node) {
        self.init(kind: .host, namespace: nil, labels: node.metadata.labels, hasIdentity: false)
    }
}

// MARK: - HostEndpoints

extension Inventory {
    /// Adds or updates a HostEndpoint.
    mutating func upsert(_ hostEndpoint: HostEndpoint, from source: SourceID) {
        guard !hostEndpoint.metadata.name.isEmpty else { return }
        let name = ObjectName(hostEndpoint.metadata)
        let uid = ObjectUID(hostEndpoint.metadata.uid)
        var known = hostEndpoints.known(name, from: source)
        if let earlier = known, earlier.uid.isAnother(than: uid) {
            removeHostEndpoint(name, from: source)
            known = nil
        }
        let addresses = hostEndpoint.addresses.unique
        let earlier = known?.record
        let identity = identity(
            replacing: earlier?.identity,
            name,
            aggregatedName: .given(hostEndpoint.node),
            EndpointTraits(
                kind: .host,
                namespace: nil,
                labels: hostEndpoint.metadata.labels,
                namedPorts: hostEndpoint.namedPorts,
                profiles: hostEndpoint.profiles,
                node: hostEndpoint.node
            )
        )
        moveClaims(
            from: earlier?.addresses ?? [],
            to: addresses,
            AddressClaim(
                endpoint: identity.endpoint,
                seniority: Seniority(hostEndpoint.metadata),
                source: source,
                standing: .hostEndpoint
            )
        )
        let record = HostRecord(identity: identity, addresses: addresses)
        hostEndpoints.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
    }

    /// Removes a HostEndpoint.
    mutating func removeHostEndpoint(_ name: ObjectName, from source: SourceID) {
        guard let record = hostEndpoints.known(name, from: source)?.record else { return }
        let claim = AddressClaim(endpoint: record.identity.endpoint, source: source, standing: .hostEndpoint)
        moveClaims(from: record.addresses, to: [], claim)
        forget(record.identity)
        hostEndpoints.remove(name, from: source)
    }
}
