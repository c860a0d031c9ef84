import ClusterModel
import FlowModel

/// An object as it appears in records, and the traits that it shares with others.
struct ShownIdentity: Sendable {
    var endpoint: Endpoint
    var traits: TraitsFingerprint
}

extension Endpoint {
    /// Whether it has the labels and the identity of a group.
    fileprivate func shows(_ group: IdentityTable.Group) -> Bool {
        labels?.labels == group.labels.labels && identity === group.identity
    }
}

extension Inventory {
    /// The endpoint of an object; the earlier instance is reused if records and policies see no change.
    mutating func identity(
        replacing earlier: ShownIdentity?,
        _ name: ObjectName,
        aggregatedName: AggregatedName,
        _ traits: EndpointTraits
    ) -> ShownIdentity {
        let (fingerprint, group) = identities.acquire(traits)
        if let earlier {
            identities.release(earlier.traits)
            let isSame = earlier.traits == fingerprint || earlier.endpoint.shows(group)
            if isSame, aggregatedName.isText(earlier.endpoint.aggregatedName, of: name.name) {
                return ShownIdentity(endpoint: earlier.endpoint, traits: fingerprint)
            }
        }
        let text = aggregatedName.text(of: name.name)
        let endpoint = Endpoint(
            replacing: earlier?.endpoint,
            kind: traits.kind,
            name: name.name,
            aggregatedName: text == name.name ? name.name : names.acquire(text),
            namespace: name.namespace,
            labels: group.labels,
            identity: group.identity
        )
        if let earlier { releaseNames(of: earlier.endpoint) }
        return ShownIdentity(endpoint: endpoint, traits: fingerprint)
    }

    /// Releases the shared parts of an identity.
    mutating func forget(_ identity: ShownIdentity) {
        identities.release(identity.traits)
        releaseNames(of: identity.endpoint)
    }

    private mutating func releaseNames(of endpoint: Endpoint) {
        if endpoint.aggregatedName != endpoint.name { names.release(endpoint.aggregatedName) }
    }

    /// Removes those claims of an object that do not win.
    mutating func releaseLosers(_ kind: ObjectKind, _ name: ObjectName, from source: SourceID) {
        switch kind {
        case .pod:
            guard let record = pods.known(name, from: source)?.record, let identity = record.identity else { return }
            releaseLosers(identity, source, .pod, record.addresses.array)
        case .node:
            guard let record = nodes.known(name, from: source)?.record else { return }
            releaseLosers(record.identity, source, .node, record.addresses)
        case .hostEndpoint:
            guard let record = hostEndpoints.known(name, from: source)?.record else { return }
            releaseLosers(record.identity, source, .hostEndpoint, record.addresses)
        default: break
        }
    }

    private mutating func releaseLosers(
        _ identity: ShownIdentity,
        _ source: SourceID,
        _ standing: AddressClaim.Standing,
        _ claimed: [IPAddress]
    ) {
        let claim = AddressClaim(endpoint: identity.endpoint, source: source, standing: standing)
        for address in claimed { addresses.releaseLoser(claim, at: address) }
    }

    /// Ends claims to removed addresses, adds claims to new ones, and renews the remaining ones.
    ///
    /// A claim that ends is kept for ``Inventory/retention``, unless another object claims the address. A kept claim
    /// names connections that began before its end.
    ///
    /// - Parameters:
    ///   - old: the addresses that the claimant claimed so far.
    ///   - new: the addresses that it claims now, without duplicates.
    ///   - claim: the present claim.
    mutating func moveClaims(
        from old: [IPAddress],
        to new: [IPAddress],
        _ claim: AddressClaim
    ) {
        for address in old.without(new) {
            guard let sequence = addresses.keep(claim, at: address, endedAt: now) else { continue }
            expiries.append(.init(deadline: now + Self.retention, address: address, sequence: sequence))
        }
        let added = new.without(old)
        for address in added { addresses.add(claim, at: address) }
        guard new.count > added.count else { return }
        for address in new.without(added) { addresses.renew(claim, at: address) }
    }
}
