import FlowModel

/// The identity of an end of a flow: the address, and the object that owns it.
private struct EndpointKey: Hashable {
    let address: IPAddress
    /// ``FlowModel/Endpoint/object``, or 0 if the address has no owner.
    let object: UInt64

    init(_ endpoint: FlowEndpoint) {
        address = endpoint.address
        object = endpoint.owner.kind == .network ? 0 : endpoint.owner.object
    }
}

/// The endpoints of flows (an address and its owner), each under a small number, with the labels of the interval.
///
/// If an address changes its owner, it is a new endpoint. The table keeps the newest version of each owner; its labels are
/// those that all versions in the interval had.
struct EndpointTable {
    /// Whether the owner of an endpoint's address is known.
    private enum Standing: UInt8 {
        /// The owner is final.
        case settled
        /// No owner is known, but one may become known.
        case unknown
        /// The last ``EndpointTable/refresh(by:)`` found an owner that was not known when flows of the endpoint began.
        case becameKnown
    }

    private var keys = InternTable<EndpointKey>()
    private var owners: [Endpoint] = []
    private var intervalLabels: [LabelSet?] = []
    private var standings: [Standing] = []
    /// Endpoints whose ``intervalLabels`` differ from their present owner's labels; an endpoint may be listed more than once.
    private var changed: [UInt32] = []
    /// The generation of the resolver that last refreshed the owners.
    private var generation: UInt64?
    /// Caches the common labels of versions and of endpoints.
    var intersections = LabelIntersections()

    /// The number of endpoints in use.
    var count: Int { keys.count }

    /// Every endpoint's number is below this.
    var limit: UInt32 { keys.limit }

    /// The endpoint with a number in use, with its owner's newest version.
    subscript(number: UInt32) -> FlowEndpoint {
        FlowEndpoint(
            address: keys[number].address,
            owner: owners[Int(number)],
            mayBecomeKnown: standings[Int(number)] == .unknown
        )
    }

    /// The address of an endpoint in use.
    func address(_ number: UInt32) -> IPAddress {
        keys[number].address
    }

    /// The labels that the owner had while the endpoint was in use in this interval; nil if not known.
    func labels(_ number: UInt32) -> LabelSet? {
        intervalLabels[Int(number)]
    }

    /// Whether the last ``refresh(by:)`` found an owner that was not known when the endpoint's flows began.
    func becameKnown(_ number: UInt32) -> Bool {
        standings[Int(number)] == .becameKnown
    }

    /// Whether an endpoint differs from the one with a number in use.
    func isOther(_ endpoint: FlowEndpoint, than number: UInt32) -> Bool {
        EndpointKey(endpoint) != keys[number]
    }
}

// MARK: - Use

extension EndpointTable {
    /// Returns the number of an endpoint; nil if the endpoint is not in use.
    func number(of endpoint: FlowEndpoint) -> UInt32? {
        keys.number(of: EndpointKey(endpoint))
    }

    /// Returns the number of an endpoint, which the caller uses until ``release(_:)``.
    mutating func acquire(_ endpoint: FlowEndpoint) -> UInt32 {
        let (number, isNew) = keys.acquire(EndpointKey(endpoint))
        let position = Int(number)
        if position == owners.count {
            owners.append(endpoint.owner)
            intervalLabels.append(endpoint.owner.labels)
            standings.append(.settled)
        } else if isNew {
            owners[position] = endpoint.owner
            intervalLabels[position] = endpoint.owner.labels
            standings[position] = .settled
        } else {
            renew(number, as: endpoint.owner)
        }
        if endpoint.mayBecomeKnown { standings[position] = .unknown }
        return number
    }

    /// Adds a use of a number in use.
    mutating func retain(_ number: UInt32) {
        keys.retain(number)
    }

    /// Ends one use of a number; after the last one, its owner remains in memory until the number is reused.
    mutating func release(_ number: UInt32) {
        keys.release(number)
    }

    private mutating func renew(_ number: UInt32, as owner: Endpoint) {
        let position = Int(number)
        guard owner !== owners[position] else { return }
        owners[position] = owner
        // Unknown labels do not change known ones.
        switch (intervalLabels[position], owner.labels) {
        case (let former?, let labels?): intervalLabels[position] = intersections.common(former, labels)
        case (nil, let labels): intervalLabels[position] = labels
        case (_, nil): break
        }
        changed.append(number)
    }
}

// MARK: - Memory

extension EndpointTable {
    /// Whether most of the memory belongs to endpoints that are not in use.
    var isSparse: Bool { keys.isSparse }

    /// Frees unused memory.
    ///
    /// - Returns: the new numbers, by former number, as ``Slab/compact()``.
    mutating func compact() -> [UInt32] {
        let moved = keys.compact()
        let kept = moved.indices.filter { moved[$0] != .max }
        owners = kept.map { owners[$0] }
        intervalLabels = kept.map { intervalLabels[$0] }
        standings = kept.map { standings[$0] }
        changed = changed.map { moved[Int($0)] }.filter { $0 != .max }
        return moved
    }
}

// MARK: - Intervals

extension EndpointTable {
    /// Updates all owners to their newest versions, and marks endpoints whose owner has become known.
    ///
    /// Must be called before the interval ends. O(endpoints); O(1) if the resolver has not changed.
    ///
    /// - Returns: whether ``becameKnown(_:)`` now returns true for any endpoint.
    mutating func refresh(by resolver: any EndpointResolver) -> Bool {
        guard generation != resolver.generation else { return false }
        generation = resolver.generation
        var anyBecameKnown = false
        for number in 0..<keys.limit where keys.isInUse(number) {
            let position = Int(number)
            let address = keys[number].address
            if owners[position].kind != .network {
                renew(number, as: resolver.refreshed(owners[position], at: address))
            }
            if standings[position] == .unknown, !resolver.mayBecomeKnown(address, began: .max) {
                standings[position] = .becameKnown
                anyBecameKnown = true
            }
        }
        return anyBecameKnown
    }

    /// Begins an interval, for which only the newest versions of owners count.
    mutating func beginInterval() {
        for number in changed { intervalLabels[Int(number)] = owners[Int(number)].labels }
        changed.removeAll(keepingCapacity: true)
        intersections.beginInterval()
        // The endpoint's flows have been renamed; further owners do not rename them again.
        for position in standings.indices where standings[position] == .becameKnown { standings[position] = .settled }
    }
}
