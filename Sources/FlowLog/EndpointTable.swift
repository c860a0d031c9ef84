import FlowModel

/// What tells endpoints apart in a record: endpoints with the same identity share groups.
struct EndpointIdentity: Hashable {
    /// What kind of endpoint it is.
    let kind: Endpoint.Kind
    /// The namespace, if it is in one.
    let namespace: String?
    /// The name that like endpoints share.
    let aggregatedName: String
    /// The full name, or nil where records do not show it.
    let name: String?
}

/// The endpoints that groups name, each identity under a small number.
///
/// Endpoint objects with the same identity are one here; the one made last stands for all, for it knows most. Texts are
/// hashed once per endpoint and interval.
struct EndpointTable {
    private var identities = InternTable<EndpointIdentity>()
    private var endpoints: [Endpoint] = []
    /// Numbers by endpoint id and whether the name counts.
    ///
    /// Valid until the next ``release(_:)`` that ends a use.
    private var recent: [UInt64: UInt32] = [:]

    /// How many identities are in use.
    var count: Int { identities.count }

    /// The endpoint under a number in use.
    subscript(number: UInt32) -> Endpoint {
        endpoints[Int(number)]
    }

    /// The number of an endpoint's identity, of which the caller becomes a user until ``release(_:)``.
    ///
    /// - Parameters:
    ///   - endpoint: whose identity.
    ///   - named: whether the full name is part of the identity.
    /// - Returns: a number below the largest count of identities there has been.
    mutating func acquire(_ endpoint: Endpoint, named: Bool) -> UInt32 {
        let recentKey = UInt64(endpoint.id) << 1 | (named ? 1 : 0)
        if let number = recent[recentKey] {
            identities.retain(number)
            return number
        }
        let identity = EndpointIdentity(
            kind: endpoint.kind,
            namespace: endpoint.namespace,
            aggregatedName: endpoint.aggregatedName,
            name: named ? endpoint.name : nil
        )
        let (number, isNew) = identities.acquire(identity)
        if Int(number) == endpoints.count {
            endpoints.append(endpoint)
        } else if isNew || endpoints[Int(number)].id < endpoint.id {
            endpoints[Int(number)] = endpoint
        }
        recent[recentKey] = number
        return number
    }

    /// Ends one use of a number; after the last one its endpoint lingers until the number is used again.
    mutating func release(_ number: UInt32) {
        guard identities.release(number) else { return }
        if !recent.isEmpty { recent.removeAll(keepingCapacity: true) }
    }

    /// Forgets which endpoint objects were seen, but nothing that is in use; to be called once per interval, so that
    /// objects that are gone do not add up.
    mutating func forgetRecent() {
        recent.removeAll(keepingCapacity: true)
    }
}
