import CWeir
public import FlowModel
import Glibc

/// Attaches to the interfaces that are selected, and detaches from those that are gone.
extension Datapath {
    /// Descriptors that become readable when ``followInterfaces()`` or ``drainOverflow()`` has work.
    public var descriptors: (interfaces: Int32, overflow: Int32) {
        (network.descriptor, overflow.descriptor)
    }

    /// Attaches to every interface that is selected now.
    ///
    /// - Throws: if the kernel lacks the configured way to attach; an interface that cannot be watched for another reason is a
    ///   ``Notice/failed(name:reason:)``.
    public func attach() throws(DatapathError) {
        if let reason = dropsUnavailable { onNotice(.dropsUnavailable(reason: reason)) }
        dropsUnavailable = nil
        recoverGracePeriods()
        if programs.dropReasons?.hidesPlaces == true { onNotice(.addressesHidden) }
        try beginTakeover()
        try attachSelected(layout, patience: .max)
        try endTakeover()
        readSockets()
        readDatagrams()
        readOlderSockets()
        readDNS()
    }

    /// Processes changes of interfaces, addresses and routes: attaches to new interfaces, closes those that are gone.
    ///
    /// - Parameter emit: takes the last counts of the flows of interfaces that are gone.
    /// - Returns: whether the host's own addresses changed.
    /// - Throws: if events of the kernel cannot be received any more.
    public func followInterfaces(emit: (FlowBatch) -> Void) throws(DatapathError) -> Bool {
        guard try network.update() else { return false }
        let gone = network.takeGone()
        places.follow(network.links, gone: gone, now: Self.monotonicNow / 1_000_000)
        sightings.forget(interfaces: gone)
        let layout = layout
        let selected = layout.watched
        refused.subtract(gone)
        layoutNotices.forget(gone)
        for (index, interface) in watched where !gone.contains(index) {
            guard let link = network.links[index], link.name != interface.name else { continue }
            // An interface that is not selected any more is detached under the name by which it was watched.
            guard interface.isUpper || selected[index] != nil else { continue }
            if !interface.isUpper { onNotice(.renamed(from: interface.name, to: link.name)) }
            interface.name = link.name
        }
        // An interface that came back under its old index is another one.
        assignRoles(selected.filter { !gone.contains($0.key) })
        let leaving = watched.filter { index, interface in
            gone.contains(index) || (interface.isUpper ? layout.uppers[index] == nil : selected[index] == nil)
        }
        try letGo(Array(leaving.keys), flowsEnd: true, emit: emit)
        sightings.forget(interfaces: leaving.keys)
        try attachSelected(layout, patience: Self.tcxPatience)
        let addresses = network.addresses
        defer { ownAddresses = addresses }
        return addresses != ownAddresses
    }

    /// Patterns that no interface matches now.
    public var unmatchedPatterns: [String] { selection.unmatched(by: network.links.values) }

    /// Number of interfaces that are being watched.
    public var watchedCount: Int { watched.values.count { !$0.isUpper } }

    /// Whether no interface is selected now.
    public var selectsNothing: Bool { layout.watched.isEmpty }

    /// Attaches to selected interfaces that are not watched yet, and finds the devices on top of them.
    ///
    /// With TCX the kernel takes a grace period for each program, one after the other. Unless TCX was configured, interfaces
    /// that still wait after `patience` (ns) get clsact, which takes none: new interfaces are watched within a second, even if
    /// many appear at once and grace periods cannot be expedited.
    func attachSelected(_ layout: InterfaceLayout, patience: UInt64) throws(DatapathError) {
        defer { followUppers(layout) }
        let new = layout.watched.filter { watched[$0.key] == nil }
        // An interface that was refused is likely to be refused again.
        try onMany(new.keys.count { !refused.contains($0) }) { () throws(DatapathError) in
            try attach(to: new, patience: patience)
        }
    }

    private func attach(to new: [UInt32: RoleAssignment], patience: UInt64) throws(DatapathError) {
        let start = Self.monotonicNow
        for (index, assignment) in new {
            guard let link = network.links[index] else { continue }
            // The ring must not fill meanwhile.
            overflow.drain()
            do throws(DatapathError) {
                try attach(link, assignment, isUrgent: Self.monotonicNow - start > patience)
            } catch {
                // The interface was removed meanwhile; the event about it is still to come.
                if case .system(_, let errno, _) = error, errno == ENODEV { continue }
                if error.isUnsupported { throw error }
                // A second agent at the start is a mistake; an agent that finds another one later continues.
                if patience == .max, case .inUse = error { throw error }
                // Each change tries again, but only the first failure is reported.
                if refused.insert(index).inserted { onNotice(.failed(name: link.name, reason: "\(error)")) }
            }
        }
    }

    /// Registers the devices on top of watched interfaces, so that drops on them are counted for the flow below, and sends
    /// notices about interfaces that are left out.
    private func followUppers(_ layout: InterfaceLayout) {
        for index in layout.uppers.keys where watched[index] == nil {
            guard let link = network.links[index] else { continue }
            guard let position = takeover.uppers.removeValue(forKey: index) ?? interfaces.add(link, isUpper: true)
            else {
                continue
            }
            setRole(.host, position: position)
            occupy(position: position, index)
            watched[index] = WatchedInterface(upper: link.name, position: position)
        }
        let counted = watched.filter { !$0.value.isUpper }.mapValues(\.position)
        var positionsBelow: Set<Int> = []
        for (index, device) in layout.uppers {
            guard let upper = watched[index], upper.isUpper else { continue }
            let lowers = device.lowers.compactMap { counted[$0] }
            positionsBelow.formUnion(lowers)
            let isComplete = device.isComplete && lowers.count == device.lowers.count
            uppers.describe(position: upper.position, lowers: lowers, isComplete: isComplete)
            drops?.watch(index, position: upper.position)
        }
        for position in counted.values {
            interfaces.setHasUpper(positionsBelow.contains(position), position: position)
        }
        for notice in layoutNotices.new(in: layout, links: network.links) { onNotice(notice) }
    }

    private static let tcxPatience: UInt64 = 250_000_000

    private func attach(_ link: Link, _ assignment: RoleAssignment, isUrgent: Bool) throws(DatapathError) {
        let found = takeFound(link)
        guard let position = found ?? interfaces.add(link) else {
            throw .system(
                operation: "watch \(link.name): no place in the table of \(WEIR_MAX_INTERFACES) interfaces",
                errno: ENOSPC,
                advice: "select fewer (--interface, --exclude-interface)"
            )
        }
        setRole(assignment.role, position: position)
        occupy(position: position, link.index)
        let mechanism: String
        do throws(DatapathError) {
            let attachment = try makeAttachment(link, position: position, isUrgent: isUrgent)
            mechanism = attachment.mechanism
            watched[link.index] = WatchedInterface(
                name: link.name,
                role: assignment.role,
                position: position,
                attachment: attachment
            )
        } catch {
            // One direction may have been attached, and counted.
            if found == nil { abandoned.insert(position) } else { takeover.add(link.name, link.index, position) }
            throw error
        }
        watched[link.index].map { takeSample($0, of: link.index) }
        // Denied packets must have been counted before, so this comes last.
        drops?.watch(link.index, position: position)
        if assignment.isOpen, !places.isKnown(link.index) { sightings.open.insert(link.index) }
        onNotice(
            .attached(
                name: link.name,
                index: link.index,
                role: assignment.role,
                reason: assignment.reason,
                mechanism: mechanism
            )
        )
    }

    /// Detaches from interfaces, reads the last counts of their flows, and closes their accounts.
    ///
    /// `flowsEnd` is true if their flows have ended; false if they only are no longer watched.
    func letGo(
        _ indices: [UInt32],
        flowsEnd: Bool,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        guard !indices.isEmpty else { return }
        closeGaps(of: indices)
        let leaving = indices.compactMap { index in
            watched.removeValue(forKey: index).map { (index: index, interface: $0) }
        }
        // Pinned programs stay attached.
        onMany(pins?.isLeft == true ? 0 : leaving.count) {
            for (_, interface) in leaving {
                interface.attachment = nil
                drops?.ignore(position: interface.position)
            }
        }
        try close(leaving, flowsEnd: flowsEnd, emit: emit)
    }

    /// Reads the last counts of the flows of interfaces from which the programs were detached just now, and closes their
    /// accounts.
    func close(
        _ leaving: [(index: UInt32, interface: WatchedInterface)],
        flowsEnd: Bool,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        // Runs of those programs that have not ended yet end here.
        try fence.wait()
        drainWholeOverflow()
        let gone = flowsEnd ? Set(leaving.map(\.interface.position)) : []
        // Reports of sockets and handshakes are of flows that have begun and not ended; the last scan does both at once.
        if !gone.isEmpty, sockets != nil || handshakes != nil { _ = try scan(gone: [], emit: emit) }
        _ = try scan(gone: gone, readsSockets: gone.isEmpty, emit: emit)
        for (index, interface) in leaving {
            let account = account(of: interface, index)
            past.addDrops(
                of: interface.name,
                drops?.packets(position: interface.position) ?? [],
                unparsed: drops?.unparsed(position: interface.position) ?? 0
            )
            if !interface.isUpper || !account.isEmpty { past.add(account) }
            release(position: interface.position)
            if interface.isUpper { continue }
            onNotice(.detached(name: interface.name, index: index))
        }
        var last = FlowBatch()
        if flowsEnd { last.goneInterfaces = leaving.filter { !$0.interface.isUpper }.map(\.index) }
        if !last.isEmpty { emit(last) }
    }

    /// Assigns a position of the interface table to an interface, and with it a share of the table.
    func occupy(position: Int, _ index: UInt32) {
        indices[position] = index
        overflow.indices[position] = index
        positions.insert(position)
        divideShares()
    }

    /// Frees a position of the interface table whose programs are detached and whose flows are read.
    func release(position: Int) {
        if let reported = programs.maps.reported {
            let handedOn = remainders.handedOn(position: position).since(overflow.remainder(of: position))
            reported.release(position: position, handedOn: handedOn) { clear(position: position) }
        } else {
            clear(position: position)
        }
        positions.remove(position)
        divideShares()
        remainders.forget(position: position)
        table.resetDrained(position: position)
        overflow.reset(position: position)
    }

    /// Zeroes the programs' counts at a position.
    func clear(position: Int) {
        interfaces.remove(position: position)
        drops?.reset(position: position)
        sockets?.release(position: position)
        if let datagrams {
            pastMissedDatagrams += datagrams.lost(at: [position])
            datagrams.release(position: position)
        }
        guard let dns else { return }
        pastMissedDNS += dns.lost(at: [position])
        dns.release(position: position)
    }

    /// Assigns each interface its share of the table and of the ring; the more interfaces, the smaller the shares.
    private func divideShares() {
        let (slots, ring) = capacity.shares(interfaces: positions.count)
        for position in positions { shares.set(position: position, slots: slots, ring: ring) }
        dns?.divide(among: positions)
        datagrams?.divide(among: positions)
        sockets?.divide(among: positions)
    }
}
