import CWeir
import FlowModel
import Glibc

/// The state needed to detect that the programs were removed from an interface.
struct AttachmentWatch: ~Copyable {
    var changes: FilterChanges
    var counters: LinkCounters
    /// The time of the last samples, CLOCK_MONOTONIC ns.
    var sampledAt: UInt64 = 0
    /// The part of the interfaces that was checked at that time.
    var turn = 0
    /// Interfaces without programs, because the programs could not be attached again.
    var bare: Set<UInt32> = []

    /// The pause between samples, ns: it limits the earlier traffic that a comparison includes.
    static let samplePause: UInt64 = 1_000_000_000

    /// The number of parts in which all interfaces are checked, one part in each ``samplePause``.
    ///
    /// The kernel takes the lock of all network changes for each query about a TCX program, so that not all of many interfaces
    /// are queried at once.
    static func turns(interfaces: Int) -> Int { min(max(1, (interfaces + 63) / 64), 8) }

    /// Begins to listen.
    init() throws(DatapathError) {
        let changes = try FilterChanges()
        let counters = try LinkCounters()
        self.changes = changes
        self.counters = counters
    }
}

// MARK: - Attaching

extension Datapath {
    private func pair() throws(DatapathError) -> Attachment.Programs {
        Attachment.Programs(
            ingress: try programs.program("weir_ingress"),
            egress: try programs.program("weir_egress")
        )
    }

    /// Attaches the programs to an interface in the configured way; takes over the attachments of a previous agent.
    func makeAttachment(_ link: Link, position: Int, isUrgent: Bool) throws(DatapathError) -> Attachment {
        let attachment = try attachment(of: link, isUrgent: isUrgent, ownsQdisc: ownsQdisc(link, position))
        if let reported = programs.maps.reported {
            reported.setName(link.name, position: position)
            unsafe reported.interface(position).pointee.owns_qdisc = attachment.ownsQdisc ? 1 : 0
        }
        interfaces.setEgressFirst(attachment.isFirstOnEgress(try pair(), of: link.index), position: position)
        return attachment
    }

    /// Whether this agent or a previous one created the qdisc of an interface.
    private func ownsQdisc(_ link: Link, _ position: Int) -> Bool {
        if ownedQdiscs.contains(link.index) { return true }
        return unsafe programs.maps.reported?.interface(position).pointee.owns_qdisc == 1
    }

    private func attachment(of link: Link, isUrgent: Bool, ownsQdisc: Bool) throws(DatapathError) -> Attachment {
        let pair = try pair()
        func clsact() throws(DatapathError) -> Attachment {
            try Attachment.clsact(pair, to: link, ownsQdisc: ownsQdisc, pins: pins)
        }
        switch mode {
        case .clsact:
            pins?.unlink(of: link.index)
            return try clsact()
        case .tcx:
            guard hasTCX else {
                throw .unsupportedKernel(feature: "TCX", since: "6.6", advice: "use --attach clsact")
            }
            return try Attachment.tcx(pair, to: link, pins: pins)
        case .auto:
            // Filters of a previous agent are replaced in place: no packet is missed or counted twice.
            let isTakenOver = pins != nil && ClsactFilters.arePresent(on: link.index) && ClsactClaim.isFree(link.index)
            guard hasTCX, !isTakenOver else { return try clsact() }
            // An interface with an ingress qdisc can only be watched with TCX, however long that takes.
            if isUrgent, let attachment = try? clsact() { return attachment }
            do throws(DatapathError) {
                return try Attachment.tcx(pair, to: link, pins: pins)
            } catch {
                // The problem concerns this interface only, such as 64 programs that are already attached.
                guard let attachment = try? clsact() else { throw error }
                return attachment
            }
        }
    }
}

// MARK: - Removed by others

extension Datapath {
    /// Finds interfaces whose programs were removed, sends a notice, and attaches the programs again.
    ///
    /// Links are queried one by one, those of many interfaces in turns; filters are queried only after an event about a change
    /// of filters.
    func checkAttachments() {
        guard let pair = try? pair() else { return }
        let changed = watch.changes.take()
        let now = Self.monotonicNow
        let isTurn = now >= watch.sampledAt + AttachmentWatch.samplePause
        if isTurn { watch.turn += 1 }
        let (turn, turns) = (watch.turn, AttachmentWatch.turns(interfaces: watchedCount))
        func isDue(_ interface: WatchedInterface) -> Bool {
            turns == 1 || interface.isOnClsact || interface.attachment == nil
                || isTurn && interface.position % turns == turn % turns
        }
        let due = watched.filter { !$1.isUpper && isDue($1) }
        let removed = due.filter { !isIntact($1, $0, pair, changed) }
        onMany(removed.count) {
            for (index, interface) in removed { putBack(interface, index) }
        }
        guard isTurn else { return }
        watch.sampledAt = now
        sample(due, pair)
    }

    private func isIntact(
        _ interface: WatchedInterface,
        _ index: UInt32,
        _ pair: Attachment.Programs,
        _ changed: Set<UInt32>?
    ) -> Bool {
        if interface.isOnClsact, changed?.contains(index) == false { return true }
        return interface.attachment?.isIntact(pair, on: index) ?? false
    }

    private func putBack(_ interface: WatchedInterface, _ index: UInt32) {
        guard let link = network.links[index] else { return }
        let isNew = watch.bare.insert(index).inserted
        interface.attachment = nil
        do throws(DatapathError) {
            interface.attachment = try makeAttachment(link, position: interface.position, isUrgent: false)
            watch.bare.remove(index)
            let gap = closeGap(of: interface, index)
            onNotice(.reattached(name: interface.name, index: index, ingress: gap.ingress, egress: gap.egress))
        } catch {
            // The interface was removed together with its programs; the event about it has not arrived yet.
            if case .system(_, let errno, _) = error, errno == ENODEV { return }
            if isNew { onNotice(.removed(name: interface.name, reason: "\(error)")) }
        }
    }

    // MARK: Gaps

    /// Adds the traffic since their programs were removed to the gaps of interfaces that are no longer watched.
    func closeGaps(of indices: [UInt32]) {
        guard let pair = try? pair() else { return }
        for index in indices {
            guard let interface = watched[index], !interface.isUpper,
                interface.attachment?.isIntact(pair, on: index) != true
            else { continue }
            _ = closeGap(of: interface, index)
            watch.bare.remove(index)
        }
    }

    /// Adds to an interface's gap the traffic since the last sample that the kernel counted and the programs did not.
    private func closeGap(of interface: WatchedInterface, _ index: UInt32) -> LinkCounters.Reading {
        guard let last = interface.sample, let kernel = watch.counters.read(index) else { return .init() }
        let programs = counted(interface, index)
        let gap = LinkCounters.Reading(
            ingress: kernel.ingress.grown(since: last.kernel.ingress)
                .beyond(programs.ingress.grown(since: last.programs.ingress)),
            egress: kernel.egress.grown(since: last.kernel.egress)
                .beyond(programs.egress.grown(since: last.programs.egress))
        )
        interface.gap.ingress += gap.ingress
        interface.gap.egress += gap.egress
        interface.sample = WatchedInterface.Sample(kernel: kernel, programs: programs)
        return gap
    }

    /// Notes the counts of kernel and programs, while the programs are there.
    func takeSample(_ interface: WatchedInterface, of index: UInt32) {
        guard let kernel = watch.counters.read(index) else { return }
        interface.sample = WatchedInterface.Sample(kernel: kernel, programs: counted(interface, index))
    }

    /// Notes the counts of kernel and programs for interfaces whose programs were there just now.
    private func sample(_ interfaces: [UInt32: WatchedInterface], _ pair: Attachment.Programs) {
        let readings = watch.counters.readAll()
        for (index, interface) in interfaces where interface.attachment != nil {
            // The kernel sends no event when another program is attached or detached.
            if let isFirst = interface.attachment?.isFirstOnEgress(pair, of: index) {
                self.interfaces.setEgressFirst(isFirst, position: interface.position)
            }
            guard let kernel = readings[index] else { continue }
            interface.sample = WatchedInterface.Sample(kernel: kernel, programs: counted(interface, index))
        }
    }

    /// Returns the counts of the programs in the units of the interface's own counters.
    ///
    /// A pair counts a super-packet as one packet, a network card counts the packets on the wire.
    private func counted(_ interface: WatchedInterface, _ index: UInt32) -> LinkCounters.Reading {
        var (ingress, egress) = (DirectionAccount(), DirectionAccount())
        interfaces.addCounts(position: interface.position, ingress: &ingress, egress: &egress)
        let isPair = network.links[index]?.isPair ?? false
        func counters(_ account: DirectionAccount) -> TrafficCounters {
            TrafficCounters(packets: isPair ? account.skb.packets : account.seen.packets, bytes: account.skb.bytes)
        }
        return LinkCounters.Reading(ingress: counters(ingress), egress: counters(egress))
    }
}

extension WatchedInterface {
    /// Whether the programs are filters.
    fileprivate var isOnClsact: Bool { attachment?.mechanism == "clsact" }
}

extension TrafficCounters {
    /// Returns the growth of counters that only grow; 0 if they were reset.
    fileprivate func grown(since earlier: TrafficCounters) -> TrafficCounters {
        TrafficCounters(
            packets: packets >= earlier.packets ? packets - earlier.packets : 0,
            bytes: bytes >= earlier.bytes ? bytes - earlier.bytes : 0
        )
    }

    /// Returns the difference to fewer packets; 0 if `others` has as many packets or more.
    fileprivate func beyond(_ others: TrafficCounters) -> TrafficCounters {
        packets > others.packets ? grown(since: others) : .zero
    }
}
