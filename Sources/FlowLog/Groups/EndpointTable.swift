import FlowModel

/// The identity of an end of a flow: the address, and the object that owns it.
private struct EndpointKey: Hashable {
    let address: IPAddress
    /// ``FlowModel/Endpoint/object``, or 0 where nothing owns the address.
    let object: UInt64

    init(_ endpoint: FlowEndpoint) {
        address = endpoint.address
        object = endpoint.owner.kind == .network ? 0 : endpoint.owner.object
    }
}

/// The endpoints of flows (an address and its owner), each under a small number, with the labels of the interval.
///
/// An address that changes its owner is another endpoint from then on. The newest version of an endpoint's owner is kept; its
/// labels are those that all versions of the interval had.
struct EndpointTable {
    /// The state of knowledge about the owner of an endpoint's address.
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
    /// Endpoints whose ``intervalLabels`` differ from their present owner's labels; some are listed more than once.
    private var changed: [UInt32] = []
    /// The resolver's generation with which the owners in use were last compared.
    private var generation: UInt64?
    /// Common labels of versions and of endpoints.
    var intersections = LabelIntersections()

    /// The number of endpoints in use.
    var count: Int { keys.count }

    /// Every endpoint's number is below this.
    var limit: UInt32 { keys.limit }

    /// The endpoint with a number in use, with the newest version of its owner.
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

    /// The labels that the owner had throughout the interval, as long as the endpoint was in use; nil where not known.
    func labels(_ number: UInt32) -> LabelSet? {
        intervalLabels[Int(number)]
    }

    /// Whether ``refresh(by:)`` has just found an owner of the endpoint that was not known when its flows began.
    func becameKnown(_ number: UInt32) -> Bool {
        standings[Int(number)] == .becameKnown
    }

    /// Whether an endpoint differs from the endpoint with a number in use.
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

    /// Returns the number of an endpoint, in use by the caller until ``release(_:)``.
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

    /// Makes the caller one more user of a number in use.
    mutating func retain(_ number: UInt32) {
        keys.retain(number)
    }

    /// Ends one use of a number; after the last one its owner lingers until the number is used again.
    mutating func release(_ number: UInt32) {
        keys.release(number)
    }

    private mutating func renew(_ number: UInt32, as owner: Endpoint) {
        let position = Int(number)
        guard owner !== owners[position] else { return }
        owners[position] = owner
        // Unknown labels do not change those that are known.
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
    /// Whether most of the memory belongs to endpoints that are not in use any more.
    var isSparse: Bool { keys.isSparse }

    /// Frees memory that is not needed any more.
    ///
    /// - Returns: the new numbers by the former ones, as ``Slab/compact()``.
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
    /// Takes the newest versions of all owners, and marks endpoints whose owner has become known.
    ///
    /// To be called before the interval ends. O(endpoints); O(1) if the resolver has not changed.
    ///
    /// - Returns: whether ``becameKnown(_:)`` is true now for any endpoint.
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

    /// Begins an interval, in which only the newest versions of owners count.
    mutating func beginInterval() {
        for number in changed { intervalLabels[Int(number)] = owners[Int(number)].labels }
        changed.removeAll(keepingCapacity: true)
        intersections.beginInterval()
        // Their flows have been renamed by now; further names do not change them.
        for position in standings.indices where standings[position] == .becameKnown { standings[position] = .settled }
    }
}
