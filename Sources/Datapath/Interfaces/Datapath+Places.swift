public import FlowModel

extension Datapath {
    /// Addresses that belong behind interfaces of this host, as the kernel has them; whose they are is not known here.
    ///
    /// Addresses that are reached through a gateway are not among them: who is behind the interface only forwards to them.
    public var placedAddresses: Set<IPAddress> { places.direct() }

    /// Grows when ``placedAddresses`` may be others.
    public var placesGeneration: UInt64 { places.generation }

    /// Gives the flows that begin the place of their near end.
    func place(_ batch: FlowBatch) -> FlowBatch {
        var batch = batch
        for position in batch.births.indices {
            let place = place(of: batch.births[position])
            batch.births[position].nearPlace = place
            guard batch.births[position].marks.hasEntered else { continue }
            switch place {
            case .unknown, .behind: break
            case .elsewhere: forged.note(batch.births[position].key)
            case .notBehind where batch.births[position].role == .workload: forged.note(batch.births[position].key)
            case .notBehind: break
            }
        }
        guard !forged.isEmpty else { return batch }
        for position in batch.births.indices where forged.hasForgedFar(batch.births[position].key) {
            batch.births[position].isFarForged = true
        }
        return batch
    }

    private func place(of birth: FlowBirth) -> NearPlace {
        let (near, index) = (birth.key.near, birth.key.interfaceIndex)
        if near.isOfEveryHost { return .unknown }
        if let owner = owner(of: near, seenAt: index) {
            if owner == index || network.stands(index, on: owner) { return .behind }
            return birth.role == .workload || birth.marks.hasEntered ? .elsewhere(owner: resident(of: index)) : .unknown
        }
        return birth.role == .workload ? placeAtWorkload(near, index) : placeAtHost(birth)
    }

    /// The interface that an address is behind, by the host route to a workload, else by the namespaces behind pairs.
    ///
    /// What contradicts a packet that was seen is looked at again.
    private func owner(of near: IPAddress, seenAt index: UInt32) -> UInt32? {
        if let device = network.device(of: near) { return device }
        guard let owner = places.owner(of: near) else { return nil }
        if owner != index, places.refresh(owner, now: Self.milliseconds) { return places.owner(of: near) }
        return owner
    }

    /// Of an address that is nowhere known.
    private func placeAtWorkload(_ near: IPAddress, _ index: UInt32) -> NearPlace {
        if ownAddresses.contains(near) { return .elsewhere(owner: resident(of: index)) }
        if places.refresh(index, now: Self.milliseconds), places.owner(of: near) == index { return .behind }
        // Secondary addresses, and networks behind a gateway or a virtual machine.
        if places.output(to: near) == index { return .behind }
        guard let resident = resident(of: index) else { return .unknown }
        return .notBehind(owner: resident)
    }

    private func placeAtHost(_ birth: FlowBirth) -> NearPlace {
        let link = network.links[birth.key.interfaceIndex]
        // Nothing sends under this host's addresses but this host; on a pair it may be at both ends.
        if ownAddresses.contains(birth.key.near) {
            return birth.marks.hasEntered && link?.isPair == false ? .elsewhere(owner: nil) : .unknown
        }
        // What is behind a bridge's ports is not always in a namespace.
        return places.isEmpty || link?.kind == "bridge" || link?.isPair == true ? .unknown : .notBehind(owner: nil)
    }

    /// An address that belongs behind an interface; nil if none is known.
    private func resident(of index: UInt32) -> IPAddress? {
        if residents == nil { residents = network.workloadDevices }
        return residents?[index] ?? places.address(behind: index)
    }

    private static var milliseconds: UInt64 { monotonicNow / 1_000_000 }
}
