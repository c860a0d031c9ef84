import FlowModel

/// The key of a remainder: an interface, and the owner of an address behind it.
///
/// An interface has few keys: traffic of all addresses without an owner shares one.
struct RemainderKey: Hashable {
    /// The kernel's index of the interface.
    let interfaceIndex: UInt32
    /// ``FlowModel/Endpoint/object`` of the local end, or 0 if its owner is not known.
    let object: UInt64
}

/// The traffic of endpoints that is recorded without the other end.
///
/// Traffic is counted here if the datapath or the flow log had no memory for its flow. Every entry has the traffic that its
/// endpoint sent and received, each with its denied part. It makes up to four records: one for each direction and verdict.
struct RemainderTable {
    /// The maximum number of separate entries; further owners share the entry of their interface.
    private static let limit = 4096

    private var entries = Slab<RemainderEntry>()
    private var places: [RemainderKey: UInt32] = [:]
    /// The newest place of each known owner.
    private var owned: [UInt64: UInt32] = [:]
    private var intersections = LabelIntersections()

    /// The number of endpoints that have a remainder, or flows that count for one.
    var count: Int { entries.count }

    /// The entry of an endpoint.
    subscript(place: UInt32) -> RemainderEntry {
        get { entries[place] }
        _modify { yield &entries[place] }
    }

    /// Returns the place of an endpoint's remainder, and creates it if there is none.
    ///
    /// - Parameters:
    ///   - local: the endpoint's address and owner; nil if no address of it is known.
    ///   - interfaceIndex: the interface.
    ///   - isAddressCertain: whether the address belongs behind the interface, and is not only the address of a packet.
    /// - Returns: the place, valid until the interval ends, and as long as flows count for it.
    mutating func place(of local: FlowEndpoint?, on interfaceIndex: UInt32, isAddressCertain: Bool) -> UInt32 {
        let object = local.map { $0.owner.kind == .network ? 0 : UInt64($0.owner.object) } ?? 0
        var key = RemainderKey(interfaceIndex: interfaceIndex, object: object)
        if places.count >= Self.limit, places[key] == nil {
            key = RemainderKey(interfaceIndex: interfaceIndex, object: 0)
        }
        if let known = places[key] {
            entries[known].learn(local, isAddressCertain: isAddressCertain)
            return known
        }
        var entry = RemainderEntry(key: key)
        if key.object == object { entry.learn(local, isAddressCertain: isAddressCertain) }
        let place = entries.insert(entry)
        places[key] = place
        if key.object != 0 { owned[key.object] = place }
        return place
    }

    /// Returns the place of an endpoint's remainder with folded flows; nil if there is none.
    func place(ofFolded local: FlowEndpoint) -> UInt32? {
        guard local.owner.kind != .network, let place = owned[UInt64(local.owner.object)] else { return nil }
        return entries[place].flowCount > 0 ? place : nil
    }

    /// Returns the place of traffic that is in no record of its interface, for one of the reasons of ``Unreported``.
    mutating func place(ofUnreported destination: Unreported) -> UInt32 {
        let key = RemainderKey(interfaceIndex: .max, object: destination.rawValue)
        if let known = places[key] { return known }
        let place = entries.insert(RemainderEntry(key: key))
        places[key] = place
        return place
    }

    /// The reason why a flow is in no record of this interface.
    typealias Unreported = FlowRemainder.Unreported

    /// The traffic of an interval that is in no record.
    struct Leftovers {
        /// Denied packets that were not found among counted packets.
        var denials: UInt64 = 0
        /// Traffic of folded flows without a local end.
        var transit = TrafficCounters.zero
        /// Traffic of folded flows that another interface reports.
        var elsewhere = TrafficCounters.zero
    }

    /// Ends the interval: emits the records, and removes entries that are not in use.
    ///
    /// - Parameters:
    ///   - level: the detail that records of a verdict keep.
    ///   - resolver: resolves the addresses.
    ///   - interval: the seconds of the interval.
    ///   - emit: receives the records, in no order.
    /// - Returns: the traffic that is in none of the records.
    mutating func endInterval(
        level: (FlowAction) -> AggregationLevel,
        resolver: any EndpointResolver,
        interval: ClosedRange<Int64>,
        emit: (borrowing FlowRecord) -> Void
    ) -> Leftovers {
        guard entries.count > 0 else { return Leftovers() }
        var leftovers = Leftovers()
        var sums: [RemainderGroup: RemainderSum] = [:]
        for (key, place) in places {
            let local = entries[place].resolved(by: resolver)
            for direction in [FlowReporter.source, .destination] {
                let parts = entries[place].endInterval(of: direction)
                leftovers.denials += parts.forgiven
                if key.interfaceIndex == .max {
                    leftovers.add(parts.verdicts, Unreported(rawValue: key.object) ?? .transit)
                    continue
                }
                for part in parts.verdicts where !part.isEmpty {
                    let group = RemainderGroup(local, direction, part.action, level(part.action))
                    sums[group, default: RemainderSum(local.owner)].add(part, of: local.owner, &intersections)
                }
            }
            guard entries[place].isOver else { continue }
            entries.remove(place)
            places[key] = nil
            if owned[key.object] == place, key.interfaceIndex != .max { owned[key.object] = nil }
        }
        for (group, sum) in sums { emit(sum.record(of: group, interval: interval)) }
        intersections.beginInterval()
        return leftovers
    }
}

extension RemainderTable.Leftovers {
    fileprivate mutating func add(_ parts: [RemainderPart], _ reason: RemainderTable.Unreported) {
        for part in parts {
            if part.action == .deny { denials += part.traffic.packets }
            switch reason {
            case .transit: transit += part.traffic
            case .elsewhere: elsewhere += part.traffic
            }
        }
    }
}
