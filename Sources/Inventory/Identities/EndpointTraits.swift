import FlowModel

/// The properties that several endpoints may share: labels, and the identity for policies.
struct EndpointTraits {
    let kind: Endpoint.Kind
    /// The namespace; nil for kinds without one.
    let namespace: String?
    /// All labels of the object.
    let labels: [Label]
    var serviceAccount: String?
    var namedPorts: [NamedPort] = []
    var profiles: [String] = []
    /// The node of a host endpoint.
    var node: String?
    /// Whether policies apply to it; they do not apply to a node without a HostEndpoint.
    var hasIdentity = true
}

/// The key of traits in an ``IdentityTable``: 128 bits of a seeded hash, so that collisions are negligible.
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
