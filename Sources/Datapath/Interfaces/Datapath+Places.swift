public import FlowModel

extension Datapath {
    /// Addresses that belong behind interfaces of this host, according to the kernel; the result does not contain their owners.
    ///
    /// Addresses that are reached through a gateway are not among them: the endpoint behind the interface only forwards to
    /// them.
    public var placedAddresses: Set<IPAddress> { places.direct() }

    /// A number that grows when ``placedAddresses`` may have changed.
    public var placesGeneration: UInt64 { places.generation }

    /// Sets the place of the near end in the flows that begin.
    func place(_ batch: FlowBatch) -> FlowBatch {
        var batch = batch
        for position in batch.births.indices {
            batch.births[position].nearPlace = place(of: batch.births[position])
        }
        return batch
    }

    private func place(of birth: FlowBirth) -> NearPlace {
        let (near, index) = (birth.key.near, birth.key.interfaceIndex)
        if birth.role == .workload { return place(ofWorkload: near, seenAt: index) }
        if near.isOfEveryHost { return .unknown }
        let owners = owners(of: near, seenAt: index)
        if owners.isEmpty { return placeAtHost(birth) }
        if isOne(of: owners, index) { return .behind }
        return birth.marks.hasEntered ? .elsewhere(owner: resident(of: index)) : .unknown
    }

    /// The place of an address that packets from a workload have.
    func place(ofWorkload near: IPAddress, seenAt index: UInt32) -> NearPlace {
        if near.isOfEveryHost { return .unknown }
        // A workload can configure this host's addresses, too.
        if ownAddresses.contains(near) { return .elsewhere(owner: resident(of: index)) }
        let owners = owners(of: near, seenAt: index)
        if owners.isEmpty { return placeAtWorkload(near, index) }
        if isOne(of: owners, index) { return .behind }
        // If two namespaces have the same address, the second one does not own it, but its packets are not proof of a forgery.
        return places.has(near, behind: index)
            ? .notBehind(owner: resident(of: index)) : .elsewhere(owner: resident(of: index))
    }

    /// Whether an interface is one of those that an address is behind, or is stacked on one.
    private func isOne(of owners: Set<UInt32>, _ index: UInt32) -> Bool {
        owners.contains(index) || owners.contains { network.stands(index, on: $0) }
    }

    /// The interfaces that an address is behind, by the host route to a workload, else by the namespaces behind pairs.
    ///
    /// Packets are seen behind any pair that leads to the workload, whichever the route takes. An answer that contradicts a
    /// packet is looked up again.
    private func owners(of near: IPAddress, seenAt index: UInt32) -> Set<UInt32> {
        if let device = network.device(of: near) { return places.interfaces(beside: device) }
        let owners = places.owners(of: near)
        guard let owner = owners.first, !isOne(of: owners, index) else { return owners }
        // In this order: an address that has moved must be removed from the old place before it is added to the new one.
        let haveMoved = places.refresh(owner, now: Self.milliseconds)
        let haveCome = places.refresh(index, now: Self.milliseconds)
        return haveMoved || haveCome ? places.owners(of: near) : owners
    }

    /// Returns the place of an address with no known owner.
    private func placeAtWorkload(_ near: IPAddress, _ index: UInt32) -> NearPlace {
        if places.refresh(index, now: Self.milliseconds), isOne(of: places.owners(of: near), index) { return .behind }
        // These are secondary addresses, and networks behind a gateway or a virtual machine.
        if places.output(to: near) == index { return .behind }
        guard let resident = resident(of: index) else { return .unknown }
        return .notBehind(owner: resident)
    }

    private func placeAtHost(_ birth: FlowBirth) -> NearPlace {
        let link = network.links[birth.key.interfaceIndex]
        // Only this host sends under this host's addresses; on a pair it may be at both ends.
        if ownAddresses.contains(birth.key.near) {
            return birth.marks.hasEntered && link?.isPair == false ? .elsewhere(owner: nil) : .unknown
        }
        // Endpoints behind a bridge's ports are not always in a namespace.
        return places.isEmpty || link?.kind == "bridge" || link?.isPair == true ? .unknown : .notBehind(owner: nil)
    }

    /// An address that belongs behind an interface; nil if none is known.
    private func resident(of index: UInt32) -> IPAddress? {
        if residents == nil { residents = network.workloadDevices }
        return residents?[index] ?? places.address(behind: index, workloads: network.workloads)
    }

    private static var milliseconds: UInt64 { monotonicNow / 1_000_000 }
}
