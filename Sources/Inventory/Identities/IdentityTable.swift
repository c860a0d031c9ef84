import FlowModel

/// Stores equal traits of endpoints only once, and counts their users; the pods of a controller usually have equal traits.
struct IdentityTable: Sendable {
    /// The shared form of traits.
    struct Group: Sendable {
        /// The labels that records show.
        let labels: LabelSet
        /// The identity for policies; nil if policies do not apply.
        let identity: EndpointIdentity?
        fileprivate var users = 0
    }

    /// The prefix of Calico's own labels, which records do not show.
    private static let hiddenPrefix = "projectcalico.org/"

    private var groups = ShardedTable<TraitsFingerprint, Group>()
    private var texts = InternPool<String>()
    private var ports = InternPool<[NamedPort]>()

    /// The number of groups in use.
    var count: Int { groups.count }
    /// The number of shared texts.
    var textCount: Int { texts.count }

    /// Returns the group with some traits and adds one user; ``release(_:)`` removes it.
    mutating func acquire(_ traits: EndpointTraits) -> (fingerprint: TraitsFingerprint, group: Group) {
        let fingerprint = TraitsFingerprint(traits)
        var group = groups[fingerprint] ?? makeGroup(traits)
        group.users += 1
        groups[fingerprint] = group
        return (fingerprint, group)
    }

    /// Removes one user of a group, and the group after its last user.
    mutating func release(_ fingerprint: TraitsFingerprint) {
        guard var group = groups[fingerprint] else { return }
        group.users -= 1
        groups[fingerprint] = group.users > 0 ? group : nil
        guard group.users == 0 else { return }
        for text in group.labels.labels { texts.release(text) }
        guard let identity = group.identity else { return }
        ports.release(identity.namedPorts)
        if let namespace = identity.namespace { texts.release(namespace) }
        if let account = identity.serviceAccount { texts.release(account) }
        for label in identity.labels {
            texts.release(label.key)
            texts.release(label.value)
        }
    }

    private mutating func makeGroup(_ traits: EndpointTraits) -> Group {
        // The labels are sorted by key; the texts sort differently, because the key is followed by `=`.
        let shown = traits.labels.filter { !$0.key.hasPrefix(Self.hiddenPrefix) }.map { "\($0.key)=\($0.value)" }
            .unique.sorted()
        let labels = shown.isEmpty ? LabelSet.empty : LabelSet(sorted: shown.map { texts.acquire($0) })
        guard traits.hasIdentity else { return Group(labels: labels, identity: nil) }
        let identity = EndpointIdentity(
            kind: traits.kind,
            namespace: traits.namespace.map { texts.acquire($0) },
            labels: traits.labels.map { Label(key: texts.acquire($0.key), value: texts.acquire($0.value)) },
            serviceAccount: traits.serviceAccount.map { texts.acquire($0) },
            namedPorts: ports.acquire(traits.namedPorts),
            profiles: traits.profiles,
            node: traits.node
        )
        return Group(labels: labels, identity: identity)
    }
}
