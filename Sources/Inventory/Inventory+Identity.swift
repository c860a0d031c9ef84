import ClusterModel
import FlowModel

/// An object as records show it, and the traits that it shares with others.
struct ShownIdentity: Sendable {
    var endpoint: Endpoint
    var traits: TraitsFingerprint
}

extension Endpoint {
    /// Whether it has the traits of a group: the labels that records show, and what policies see.
    fileprivate func shows(_ group: IdentityTable.Group) -> Bool {
        labels?.labels == group.labels.labels && identity === group.identity
    }
}

extension Inventory {
    /// An object as records show it now: the same endpoint as before if neither they nor policies see a change.
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

    /// Lets go of what an identity shares with others.
    mutating func forget(_ identity: ShownIdentity) {
        identities.release(identity.traits)
        releaseNames(of: identity.endpoint)
    }

    private mutating func releaseNames(of endpoint: Endpoint) {
        if endpoint.aggregatedName != endpoint.name { names.release(endpoint.aggregatedName) }
    }

    /// Ends those claims of an object at once that do not win.
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

    /// Ends claims to some addresses, makes claims to others, and renews those to addresses that stay.
    ///
    /// A claim that ends is kept for ``Inventory/retention``, unless the address is claimed by another object: it answers
    /// for connections that began before its end.
    ///
    /// - Parameters:
    ///   - old: where the claimant had claims.
    ///   - new: where it has some now; each once.
    ///   - claim: the claimant as it is now.
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
