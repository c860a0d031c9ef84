import FlowModel

/// The properties that an endpoint may share with others: its labels, and its identity for policies.
struct EndpointTraits {
    let kind: Endpoint.Kind
    /// The namespace, or nil where it is in none.
    let namespace: String?
    /// All labels of the object.
    let labels: [Label]
    var serviceAccount: String?
    var namedPorts: [NamedPort] = []
    var profiles: [String] = []
    /// The node of a host endpoint.
    var node: String?
    /// Whether policies see it; they do not see a node without a HostEndpoint.
    var hasIdentity = true
}

/// Names traits in an ``IdentityTable``: 128 bits of a seeded hash, so that different ones never share one.
struct TraitsFingerprint: TableKey {
    private let first: UInt64
    private let second: UInt64

    init(_ traits: EndpointTraits) {
        first = Self.hash(traits, salt: 1)
        second = Self.hash(traits, salt: 2)
    }

    func hash(_ seed: TableSeed) -> UInt64 { first }

    private static func hash(_ traits: EndpointTraits, salt: UInt8) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(salt)
        hasher.combine(traits.kind)
        hasher.combine(traits.namespace)
        hasher.combine(traits.labels)
        hasher.combine(traits.serviceAccount)
        hasher.combine(traits.namedPorts)
        hasher.combine(traits.profiles)
        hasher.combine(traits.node)
        hasher.combine(traits.hasIdentity)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
