import ClusterModel
import FlowModel

/// An object of a source.
struct SourceKey: Sendable, Hashable {
    /// The source.
    var source: SourceID
    /// The object.
    var reference: ObjectReference
}

/// The objects that policies are or depend on, as the sources tell them.
struct PolicyObjects: Sendable {
    /// What an object means for policies.
    struct Part: Sendable {
        /// What of an object counts.
        enum Contents: Sendable, Equatable {
            /// A policy of any kind.
            case policy(ClusterObject)
            /// A tier.
            case tier(Tier)
            /// The labels of a namespace.
            case namespace([Label])
            /// The labels of a service account.
            case serviceAccount([Label])
            /// What answers for a service.
            case endpoints(service: String, [ServiceEndpoints.Group])
            /// A network set.
            case networkSet([Label], [IPPrefix])

            static func == (left: Contents, right: Contents) -> Bool {
                switch (left, right) {
                case (.policy(let one), .policy(let other)): one.isSamePolicy(as: other)
                case (.tier(let one), .tier(let other)):
                    one.order == other.order && one.defaultAction == other.defaultAction
                case (.namespace(let one), .namespace(let other)): one == other
                case (.serviceAccount(let one), .serviceAccount(let other)): one == other
                case (.endpoints(let one, let groups), .endpoints(let other, let otherGroups)):
                    one == other && groups == otherGroups
                case (.networkSet(let one, let nets), .networkSet(let other, let otherNets)):
                    one == other && nets == otherNets
                default: false
                }
            }
        }

        /// The object.
        var reference: ObjectReference
        /// Distinguishes it from an earlier one of the same name.
        var uid: String?
        /// What of it counts.
        var contents: Contents
    }

    /// What a change means.
    enum Change: Sendable, Equatable {
        /// Nothing.
        case none
        /// A policy.
        case policy
        /// A tier.
        case tier
        /// Labels of a namespace or service account.
        case labels
        /// A network set.
        case networkSet
        /// Who answers for some services.
        case services([ServiceName])
    }

    private struct Entry: Sendable {
        var uid: String?
        var contents: Part.Contents
        /// Of a network set, what selectors see of it.
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

    /// Takes the newest state of an object.
    mutating func upsert(_ part: Part, _ key: SourceKey) -> Change {
        let list = ListKey(source: key.source, kind: key.reference.kind)
        replacing[list]?.insert(key.reference)
        let old = entries[list]?[key.reference]
        var entry = Entry(uid: part.uid, contents: part.contents, identity: old?.identity)
        let isSame = old?.contents == part.contents
        if case .networkSet(let labels, _) = part.contents, !isSame {
            entry.identity = EndpointIdentity(
                kind: .networkSet,
                namespace: key.reference.namespace,
                labels: labels
            )
        }
        entries[list, default: [:]][key.reference] = entry
        guard !isSame else { return .none }
        let change = change(part.contents, key.reference)
        if case .services(let names) = change, case .endpoints(let service, _) = old?.contents {
            return .services(names + [Self.service(service, key.reference)])
        }
        return change
    }

    /// Takes that an object is gone.
    mutating func remove(_ key: SourceKey, uid: String?) -> Change {
        let list = ListKey(source: key.source, kind: key.reference.kind)
        replacing[list]?.remove(key.reference)
        guard let entry = entries[list]?[key.reference] else { return .none }
        if let uid, let own = entry.uid, uid != own { return .none }
        entries[list]?[key.reference] = nil
        return change(entry.contents, key.reference)
    }

    /// Begins to tell the objects of a kind anew.
    mutating func beginReplace(_ kind: ObjectKind, _ source: SourceID) {
        replacing[ListKey(source: source, kind: kind)] = []
    }

    /// The objects of a kind that were not delivered again.
    mutating func endReplace(_ kind: ObjectKind, _ source: SourceID) -> [ObjectReference] {
        let list = ListKey(source: source, kind: kind)
        guard let told = replacing.removeValue(forKey: list) else { return [] }
        return entries[list]?.keys.filter { !told.contains($0) } ?? []
    }

    private mutating func change(_ contents: Part.Contents, _ reference: ObjectReference) -> Change {
        switch contents {
        case .policy: return .policy
        case .tier: return .tier
        case .networkSet: return .networkSet
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

    /// The labels of a namespace or service account; those of the first source that has it.
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

    /// All tiers, each once.
    var tiers: [Tier] {
        var tiers: [String: Tier] = [:]
        for (_, list) in lists(.tier) {
            for case .tier(let tier) in list.values.map(\.contents) where tiers[tier.metadata.name] == nil {
                tiers[tier.metadata.name] = tier
            }
        }
        return Array(tiers.values)
    }

    /// All network sets, as selectors see them and with their ranges.
    var networkSets: [(identity: EndpointIdentity, nets: [IPPrefix])] {
        var sets: [(identity: EndpointIdentity, nets: [IPPrefix])] = []
        for kind in [ObjectKind.networkSet, .globalNetworkSet] {
            for (_, list) in lists(kind) {
                for entry in list.values {
                    guard let identity = entry.identity, case .networkSet(_, let nets) = entry.contents else {
                        continue
                    }
                    sets.append((identity, nets))
                }
            }
        }
        return sets
    }

    /// Who answers for some services, by their place.
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
