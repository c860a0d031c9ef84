public import FlowModel

/// Traffic of the flows since the last scan.
extension Datapath {
    /// Adds up the packets that wait in the overflow ring.
    ///
    /// - Returns: whether more may wait.
    @discardableResult
    public func drainOverflow() -> Bool {
        overflow.drain()
    }

    /// Takes the packets that are in the ring at the call, even if more arrive meanwhile.
    func drainWholeOverflow() {
        for _ in 0..<64 where !overflow.drain() { return }
    }

    /// Reads the traffic of all flows since the last scan.
    ///
    /// - Parameters:
    ///   - closesEpoch: whether records of the counts so far are made next; call ``commit(_:)`` when they are written.
    ///   - readsSockets: whether all sockets are read; otherwise only the last reports of ended connections.
    ///   - emit: takes batches; called on this thread, several times.
    /// - Returns: the number of the epoch that ended; nil if nothing outlives the process, or if records of the previous
    ///   epoch are not written yet: then this one continues.
    /// - Throws: when the kernel refuses the grace period.
    @discardableResult
    public func scan(
        closesEpoch: Bool = false,
        readsSockets: Bool = true,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> UInt32? {
        overflow.drain()
        checkAttachments()
        try readTakenOver(emit)
        let epoch = try scan(gone: abandoned, closesEpoch: closesEpoch, readsSockets: readsSockets, emit: emit)
        for position in abandoned { release(position: position) }
        abandoned = []
        return epoch
    }

    func scan(
        gone: Set<Int>,
        closesEpoch: Bool = false,
        readsSockets: Bool = true,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> UInt32? {
        var surroundings = FlowTableReader.Surroundings(
            now: now,
            started: watchedSince,
            roles: roles,
            indices: indices,
            gone: gone
        )
        surroundings.deadline = isPastDetailDeadline.map(deadline)
        let isLooking = !sightings.open.isEmpty && !network.workloads.isEmpty
        places.beginScan()
        residents = nil
        func take(_ batch: FlowBatch) {
            guard !batch.births.isEmpty else { return emit(batch) }
            emit(place(isLooking ? sightings.examine(batch, isWorkload: isUnplaced) : batch))
        }
        emitDNS(emit)
        takeSocketReports(ofAll: readsSockets)
        emitSocketReports(emit)
        let earlier = socketReports.count
        try table.scan(surroundings, fence: { () throws(DatapathError) in try fence.wait() }, emit: take)
        emitSocketReports(discarding: earlier, emit)
        emitHandshakes(emit)
        var last = overflow.scan(surroundings, emit: take)
        addRemainders(to: &last)
        // The batches contain every count that was read until here.
        let epoch = closesEpoch ? self.closeEpoch() : nil
        if !last.isEmpty { take(last) }
        if sightings.hasChanged {
            sightings.hasChanged = false
            assignRoles(layout.watched)
        }
        return epoch
    }

    /// The agent's clock, ms; wraps.
    var now: UInt32 { UInt32(truncatingIfNeeded: (Self.monotonicNow - started) / 1_000_000) }

    /// Adds traffic that has been counted in no flow since the last time.
    private func addRemainders(to batch: inout FlowBatch) {
        let forwards = positions.contains { roles[$0] == .workload }
        for position in positions {
            guard let new = remainders.take(remainder(of: position), position: position) else { continue }
            let index = indices[position]
            // On an interface through which workloads also send, the owner of the packets is unknown.
            let local = forwards && roles[position] == .host ? nil : localAddress(of: position)
            batch.remainders.append(FlowRemainder(new, index, roles[position], local: local))
        }
    }

    /// Returns all traffic that was counted in no flow at a position: in the kernel and by the agent.
    private func remainder(of position: Int) -> RemainderLedger.Counts {
        RemainderLedger.Counts(of: position, overflow, shares, drops)
    }

    /// An address of the workload behind the interface at a position, or of the host on it; nil if none is known.
    func localAddress(of position: Int) -> IPAddress? {
        let index = indices[position]
        guard roles[position] == .workload else { return network.address(of: index) }
        return network.workloadDevices[index] ?? places.address(behind: index, workloads: network.workloads)
    }

    /// Detaches from everything and reads the rest; no counted packet is lost.
    ///
    /// The datapath has ended then. The flows continue unwatched: they are not reported as ended.
    public func detach(emit: (FlowBatch) -> Void) throws(DatapathError) {
        try readTakenOver(emit)
        try letGo(Array(watched.keys), flowsEnd: false, emit: emit)
    }
}
