import ClusterModel
import FlowModel

/// An object with its source.
struct SourceKey: Sendable, Hashable {
    /// The source.
    var source: SourceID
    /// The object.
    var reference: ObjectReference
}

/// The objects that are policies or that policies depend on, by source.
struct PolicyObjects: Sendable {
    /// The part of an object that affects policies.
    struct Part: Sendable {
        /// The kind-specific contents.
        enum Contents: Sendable, Equatable {
            /// A policy of any kind.
            case policy(ClusterObject)
            /// A tier.
            case tier(Tier)
            /// The labels of a namespace.
            case namespace([Label])
            /// The labels of a service account.
            case serviceAccount([Label])
            /// The endpoints of a service.
            case endpoints(service: String, [ServiceEndpoints.Group])
            /// A network set.
            case networkSet([Label], [IPPrefix], domains: [String])
            /// A host endpoint.
            case hostEndpoint(HostEndpoint)
            /// A FelixConfiguration.
            case felixConfiguration(FelixConfiguration)

            static func == (left: Contents, right: Contents) -> Bool {
                switch (left, right) {
                case (.policy(let one), .policy(let other)): one.isSamePolicy(as: other)
                case (.tier(let one), .tier(let other)):
                    one.order == other.order && one.defaultAction == other.defaultAction
                case (.namespace(let one), .namespace(let other)): one == other
                case (.serviceAccount(let one), .serviceAccount(let other)): one == other
                case (.endpoints(let one, let groups), .endpoints(let other, let otherGroups)):
                    one == other && groups == otherGroups
                case (.networkSet(let one, let nets, let domains), .networkSet(let other, let otherNets, let others)):
                    one == other && nets == otherNets && domains == others
                case (.hostEndpoint(let one), .hostEndpoint(let other)):
                    one.isSame(as: other)
                case (.felixConfiguration(let one), .felixConfiguration(let other)):
                    one.failsafeInbound == other.failsafeInbound && one.failsafeOutbound == other.failsafeOutbound
                default: false
                }
            }
        }

        /// The object.
        var reference: ObjectReference
        /// The UID, which distinguishes the object from an earlier one with the same name.
        var uid: String?
        /// The kind-specific contents.
        var contents: Contents
    }

    /// The effect of a change.
    enum Change: Sendable, Equatable {
        /// No effect.
        case none
        /// A policy changed.
        case policy
        /// A tier changed.
        case tier
        /// The labels of a namespace or service account changed.
        case labels
        /// A network set changed.
        case networkSet
        /// A host endpoint changed.
        case hostEndpoint
        /// A FelixConfiguration changed.
        case felixConfiguration
        /// The endpoints of these services changed.
        case services([ServiceName])
    }

    private struct Entry: Sendable {
        var uid: String?
        var contents: Part.Contents
        /// The identity of a network set or host endpoint, for selectors.
        var identity: EndpointIdentity?
    }

    private struct ListKey: Hashable, Sendable {
        var source: SourceID
        var kind: ObjectKind
    }

    private var entries: [ListKey: [ObjectReference: Entry]] = [:]
    private var replacing: [ListKey: Set<ObjectReference>] = [:]
    /// Labels of namespaces.
    private(set) var namespaces: [String: InheritedLabels] = [:]
    /// Labels of service accounts.
    private(set) var serviceAccounts: [ServiceName: InheritedLabels] = [:]

    // MARK: - Changes

    /// Stores the new state of an object.
    mutating func upsert(_ part: Part, _ key: SourceKey) -> Change {
        let list = ListKey(source: key.source, kind: key.reference.kind)
        replacing[list]?.insert(key.reference)
        let old = entries[list]?[key.reference]
        var entry = Entry(uid: part.uid, contents: part.contents, identity: old?.identity)
        let isSame = old?.contents == part.contents
        if case .networkSet(let labels, _, _) = part.contents, !isSame {
            entry.identity = EndpointIdentity(
                kind: .networkSet,
                namespace: key.reference.namespace,
                labels: labels
            )
        }
        if case .hostEndpoint(let endpoint) = part.contents, !isSame { entry.identity = EndpointIdentity(endpoint) }
        entries[list, default: [:]][key.reference] = entry
        guard !isSame else { return .none }
        let change = change(part.contents, key.reference)
        if case .services(let names) = change, case .endpoints(let service, _) = old?.contents {
            return .services(names + [Self.service(service, key.reference)])
        }
        return change
    }

    /// Removes an object.
    mutating func remove(_ key: SourceKey, uid: String?) -> Change {
        let list = ListKey(source: key.source, kind: key.reference.kind)
        replacing[list]?.remove(key.reference)
        guard let entry = entries[list]?[key.reference] else { return .none }
        if let uid, let own = entry.uid, uid != own { return .none }
        entries[list]?[key.reference] = nil
        return change(entry.contents, key.reference)
    }

    /// Starts to replace all objects of a kind.
    mutating func beginReplace(_ kind: ObjectKind, _ source: SourceID) {
        replacing[ListKey(source: source, kind: kind)] = []
    }

    /// Ends the replacement; returns the objects that were not delivered again.
    mutating func endReplace(_ kind: ObjectKind, _ source: SourceID) -> [ObjectReference] {
        let list = ListKey(source: source, kind: kind)
        guard let listed = replacing.removeValue(forKey: list) else { return [] }
        return entries[list]?.keys.filter { !listed.contains($0) } ?? []
    }

    private mutating func change(_ contents: Part.Contents, _ reference: ObjectReference) -> Change {
        switch contents {
        case .policy: return .policy
        case .tier: return .tier
        case .networkSet: return .networkSet
        case .hostEndpoint: return .hostEndpoint
        case .felixConfiguration: return .felixConfiguration
        case .endpoints(let service, _): return .services([Self.service(service, reference)])
        case .namespace:
            namespaces[reference.name] = inherited(reference, CalicoLabel.namespacePrefix)
            return .labels
        case .serviceAccount:
            let name = ServiceName(namespace: reference.namespace ?? "default", name: reference.name)
            serviceAccounts[name] = inherited(reference, CalicoLabel.serviceAccountPrefix)
            return .labels
        }
    }

    /// The labels of a namespace or service account, from the first source that contains it.
    private func inherited(_ reference: ObjectReference, _ prefix: String) -> InheritedLabels? {
        for (_, list) in lists(reference.kind) {
            switch list[reference]?.contents {
            case .namespace(let labels), .serviceAccount(let labels):
                return InheritedLabels(prefix: prefix, name: reference.name, labels: labels)
            default: continue
            }
        }
        return nil
    }

    private static func service(_ name: String, _ endpoints: ObjectReference) -> ServiceName {
        ServiceName(namespace: endpoints.namespace ?? "default", name: name)
    }

    private func lists(_ kind: ObjectKind) -> [(SourceID, [ObjectReference: Entry])] {
        entries.filter { $0.key.kind == kind }
            .sorted { $0.key.source.rawValue < $1.key.source.rawValue }
            .map { ($0.key.source, $0.value) }
    }

    // MARK: - Contents

    /// All tiers without duplicates.
    var tiers: [Tier] {
        var tiers: [String: Tier] = [:]
        for (_, list) in lists(.tier) {
            for case .tier(let tier) in list.values.map(\.contents) where tiers[tier.metadata.name] == nil {
                tiers[tier.metadata.name] = tier
            }
        }
        return Array(tiers.values)
    }

    /// The identities, ranges and domain names of all network sets.
    var networkSets: [(identity: EndpointIdentity, nets: [IPPrefix], domains: [String])] {
        var sets: [(identity: EndpointIdentity, nets: [IPPrefix], domains: [String])] = []
        for kind in [ObjectKind.networkSet, .globalNetworkSet] {
            for (_, list) in lists(kind) {
                for entry in list.values {
                    guard let identity = entry.identity, case .networkSet(_, let nets, let domains) = entry.contents
                    else { continue }
                    sets.append((identity, nets, domains))
                }
            }
        }
        return sets
    }

    /// The FelixConfigurations by name, from the first source that contains each.
    var felixConfigurations: [String: FelixConfiguration] {
        var configurations: [String: FelixConfiguration] = [:]
        for (_, list) in lists(.felixConfiguration) {
            for case .felixConfiguration(let configuration) in list.values.map(\.contents)
            where configurations[configuration.metadata.name] == nil {
                configurations[configuration.metadata.name] = configuration
            }
        }
        return configurations
    }

    /// All host endpoints.
    var hostEndpoints: [InterfaceEndpoint] {
        lists(.hostEndpoint).flatMap { _, list in
            list.values.compactMap { entry in
                guard let identity = entry.identity, case .hostEndpoint(let endpoint) = entry.contents else {
                    return nil
                }
                return InterfaceEndpoint(
                    name: endpoint.metadata.name,
                    node: endpoint.node,
                    interfaceName: endpoint.interfaceName,
                    addresses: endpoint.addresses,
                    identity: identity
                )
            }
        }
    }

    /// The endpoints of services; each service is numbered by its position.
    func memberships(_ services: [ServiceName]) -> ServiceMemberships {
        guard !services.isEmpty else { return ServiceMemberships([]) }
        let numbers = Dictionary(uniqueKeysWithValues: services.enumerated().map { ($1, UInt32($0)) })
        var endpoints: [(service: UInt32, addresses: [IPAddress], ports: [NamedPort])] = []
        for kind in [ObjectKind.endpointSlice, .endpoints] {
            for (_, list) in lists(kind) {
                for (reference, entry) in list {
                    guard case .endpoints(let service, let groups) = entry.contents else { continue }
                    guard let number = numbers[Self.service(service, reference)] else { continue }
                    endpoints += groups.map { (number, $0.addresses, $0.ports) }
                }
            }
        }
        return ServiceMemberships(endpoints)
    }
}

extension HostEndpoint {
    /// Whether the endpoints are equal for policies.
    fileprivate func isSame(as other: HostEndpoint) -> Bool {
        node == other.node && interfaceName == other.interfaceName && addresses == other.addresses
            && profiles == other.profiles && namedPorts == other.namedPorts
            && metadata.labels == other.metadata.labels
    }
}

extension EndpointIdentity {
    /// Takes the properties of a host endpoint that policies use.
    fileprivate convenience init(_ endpoint: HostEndpoint) {
        self.init(
            kind: .host,
            namespace: nil,
            labels: endpoint.metadata.labels,
            namedPorts: endpoint.namedPorts,
            profiles: endpoint.profiles,
            node: endpoint.node
        )
    }
}
