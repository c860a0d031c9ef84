import ClusterModel
public import FlowModel

extension InventorySnapshot {
    /// Explains which endpoint a record shows for an address.
    ///
    /// The function searches all tables, which is too slow for flows.
    ///
    /// - Parameters:
    ///   - address: the address.
    ///   - port: the port; nil for all.
    ///   - proto: the protocol; nil for all.
    ///   - peerNamespace: the namespace of the other end of the connection; nil if it has none.
    /// - Returns: the endpoint, the reason, and the alternatives.
    public func explain(
        _ address: IPAddress,
        port: UInt16?,
        proto: IPProtocol?,
        peerNamespace: String?
    ) -> AddressExplanation {
        let entry = claims[address]
        var sets = setMatches(address, peerNamespace: peerNamespace)
        let rule: AddressExplanation.Rule
        if let entry {
            rule = .owner(.init(entry.winner))
        } else if !sets.isEmpty {
            rule = .networkSet(sets.removeFirst())
        } else {
            rule = .network
        }
        return AddressExplanation(
            address: address,
            endpoint: endpoint(at: address, preferring: peerNamespace),
            rule: rule,
            otherClaimants: entry?.othersInOrder.map(AddressExplanation.Claimant.init) ?? [],
            otherSets: sets,
            isOwn: isOwn(address),
            isLocalWorkload: isLocalWorkload(address),
            mayBecomeKnown: mayBecomeKnown(address),
            services: serviceMatches(address, port, proto),
            backends: backendMatches(address, port, proto)
        )
    }

    /// The network sets that contain an address, in order of precedence.
    private func setMatches(_ address: IPAddress, peerNamespace: String?) -> [AddressExplanation.SetMatch] {
        var matches: [(match: AddressExplanation.SetMatch, rank: [Int])] = []
        for (number, member) in networkSets.members.enumerated() {
            let prefix = member.nets.filter { $0.contains(address) }.max { $0.length < $1.length }
            guard let prefix else { continue }
            let match = AddressExplanation.SetMatch(member, prefix: prefix, peerNamespace: peerNamespace)
            matches.append((match, [match.category.order, -Int(prefix.length), number]))
        }
        return matches.sorted { $0.rank.lexicographicallyPrecedes($1.rank) }.map(\.match)
    }

    private func serviceMatches(
        _ address: IPAddress,
        _ port: UInt16?,
        _ proto: IPProtocol?
    ) -> [AddressExplanation.ServiceMatch] {
        var matches: [AddressExplanation.ServiceMatch] = []
        if serviceAddresses.contains(address) {
            servicePorts.forEach { place, entry in
                guard place.address == address, place.matches(port, proto) else { return }
                matches.append(.init(entry, place, .address))
            }
        }
        if let port, isHost(address) {
            nodePorts.forEach { place, entry in
                guard place.matches(port, proto) else { return }
                let isHidden = servicePorts.contains(.init(address: address, port: port, proto: place.proto))
                if !isHidden { matches.append(.init(entry, place, .nodePort)) }
            }
        }
        return matches.sorted { ($0.shown.port, $0.proto.rawValue) < ($1.shown.port, $1.proto.rawValue) }
    }

    private func backendMatches(
        _ address: IPAddress,
        _ port: UInt16?,
        _ proto: IPProtocol?
    ) -> [AddressExplanation.BackendMatch] {
        var matches: [AddressExplanation.BackendMatch] = []
        backends.forEach { place, entry in
            guard place.address == address, place.matches(port, proto) else { return }
            let names = Set(entry.origins.map(\.service))
            let services = names.map { ObjectReference(kind: .service, namespace: $0.namespace, name: $0.name) }
                .sorted { ($0.namespace ?? "", $0.name) < ($1.namespace ?? "", $1.name) }
            matches.append(.init(port: place.port, proto: place.proto, services: services))
        }
        return matches.sorted { ($0.port, $0.proto.rawValue) < ($1.port, $1.proto.rawValue) }
    }
}

extension ServicePlace {
    fileprivate func matches(_ port: UInt16?, _ proto: IPProtocol?) -> Bool {
        (port ?? self.port) == self.port && (proto ?? self.proto) == self.proto
    }
}

extension NetworkSetCategory {
    fileprivate var order: Int {
        switch self {
        case .preferredNamespace: 0
        case .global: 1
        case .otherNamespace: 2
        }
    }
}

extension AddressExplanation.Claimant {
    fileprivate init(_ claim: AddressClaim) {
        let name = ObjectName(claim.endpoint)
        let kind: ObjectKind?
        switch claim.standing {
        case .hostEndpoint: (kind, right) = (.hostEndpoint, .expectedAddress)
        case .own: (kind, right) = (nil, .ownAddress)
        case .pod: (kind, right) = (.pod, .podAddress)
        case .node: (kind, right) = (.node, .nodeAddress)
        }
        endpoint = claim.endpoint
        object = kind.map { ObjectReference(kind: $0, namespace: name.namespace, name: name.name) }
        source = kind == nil ? nil : claim.source
        isKept = claim.isKept
    }
}

extension AddressExplanation.SetMatch {
    fileprivate init(_ member: NetworkSetIndex.Member, prefix: IPPrefix, peerNamespace: String?) {
        let name = ObjectName(member.endpoint)
        endpoint = member.endpoint
        object = ObjectReference(
            kind: name.namespace == nil ? .globalNetworkSet : .networkSet,
            namespace: name.namespace,
            name: name.name
        )
        source = member.source
        self.prefix = prefix
        category =
            if name.namespace == nil {
                .global
            } else if name.namespace == peerNamespace {
                .preferredNamespace
            } else {
                .otherNamespace
            }
    }
}

extension AddressExplanation.ServiceMatch {
    fileprivate init(_ entry: ServiceEntry, _ place: ServicePlace, _ way: Way) {
        shown = entry.answer
        proto = place.proto
        self.way = way
        services = entry.claims.map { claim in
            let service = ObjectReference(kind: .service, namespace: claim.port.namespace, name: claim.port.name)
            return (service, claim.source, claim.port)
        }
    }
}
