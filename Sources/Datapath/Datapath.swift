import CWeir
public import FlowModel
import Glibc

/// The node's datapath as the agent sees it: attaches the flow counter to the interfaces that are selected, follows
/// them as they come and go, and reads what was counted.
///
/// Not thread-safe: one thread makes it and calls it. Poll ``descriptors`` for reading to learn when there is work.
public final class Datapath {
    /// The host's own addresses.
    public private(set) var ownAddresses: Set<IPAddress>
    /// Takes notices, in order.
    public var onNotice: (Notice) -> Void = { _ in }

    private let selection: InterfaceSelection
    private let programs: KernelPrograms
    private let fence: Fence
    /// Nil where drops cannot be counted.
    private var drops: DropCounter?
    /// Why they cannot.
    private var dropsUnavailable: String?
    private var pastDrops: [DroppedPackets] = []
    private var pastUnparsedDrops: UInt64 = 0
    private var network: NetworkState
    private var table: FlowTableReader
    private var overflow: OverflowReader
    private var interfaces: InterfaceTable
    private let mode: AttachMode
    /// Whether this kernel has no TCX, as far as is known.
    private var lacksTCX = false
    private var watched: [UInt32: WatchedInterface] = [:]
    private var past: [InterfaceAccount] = []
    /// Positions of interfaces that could be watched in one direction only, to be cleared by the next scan.
    private var abandoned: Set<Int> = []
    /// Interfaces that could not be watched, by index.
    private var refused: Set<UInt32> = []
    /// Roles by interface position.
    private var roles: [InterfaceRole]
    /// Indices by interface position.
    private var indices: [UInt32]
    /// Positions that interfaces have in the interface table.
    private var positions: Set<Int> = []
    private var remainders = RemainderLedger()
    private let shares: InterfaceShares
    private let capacity: SharePlan.Capacity
    private var sightings = WorkloadSightings()
    private let started: UInt64
    /// When everything was attached that was there at the start, CLOCK_MONOTONIC ns.
    private var watchedSince: UInt64

    /// An interface that is being watched.
    private final class WatchedInterface {
        var name: String
        var role: InterfaceRole
        let position: Int
        let attachment: Attachment

        init(name: String, role: InterfaceRole, position: Int, attachment: consuming Attachment) {
            self.name = name
            self.role = role
            self.position = position
            self.attachment = attachment
        }
    }

    /// Checks the machine, loads the programs and learns the interfaces; attaches nothing yet.
    ///
    /// - Throws: what is missing or was refused.
    public init(_ configuration: DatapathConfiguration) throws(DatapathError) {
        try Requirements.check(tableSlots: configuration.tableSlots)
        selection = configuration.interfaces
        mode = configuration.attachMode
        var lacksDrops: String?
        let programs = try Self.load(configuration, lacksDrops: &lacksDrops)
        let reasons = programs.dropReasons?.byNumber ?? []
        let fence = try programs.fence()
        let interfaces = try programs.interfaces()
        let ended = EndedFlows()
        let table = FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended
        )
        overflow = try OverflowReader(
            ringMap: programs.map("overflow"),
            firstNumber: UInt32(configuration.tableSlots),
            capacity: configuration.overflowFlows,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended,
            shares: interfaces.shares
        )
        var network = try NetworkState()
        try network.relearn()
        ownAddresses = network.addresses
        dropsUnavailable = lacksDrops
        drops = try programs.dropCounter()
        self.programs = programs
        self.fence = fence
        self.table = table
        self.network = network
        roles = Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES))
        indices = Array(repeating: 0, count: roles.count)
        shares = interfaces.shares
        self.interfaces = interfaces
        capacity = SharePlan.Capacity(slots: configuration.tableSlots, ringBytes: configuration.ringBytes)
        started = Self.monotonicNow
        watchedSince = started
    }

    /// Loads the programs; without the one for drops if the kernel has no reasons or refuses it, and says why.
    private static func load(
        _ configuration: DatapathConfiguration,
        lacksDrops: inout String?
    ) throws(DatapathError) -> KernelPrograms {
        func load(_ drops: DropReasons?) throws(DatapathError) -> KernelPrograms {
            try KernelPrograms(
                .flows,
                tableSlots: configuration.tableSlots,
                ringBytes: configuration.ringBytes,
                drops: drops
            )
        }
        guard configuration.countsDrops else { return try load(nil) }
        switch DropReasons.read() {
        case .unavailable(let reason): lacksDrops = reason
        case .available(let reasons):
            do throws(DatapathError) {
                return try load(reasons)
            } catch {
                lacksDrops = "the program that counts drops cannot be loaded: \(error)"
            }
        }
        return try load(nil)
    }

    /// Whether drops are told (``FlowBatch/drops``): the configuration wants it, and the kernel has reasons for them.
    public var countsDrops: Bool { drops != nil }

    // MARK: Interfaces

    /// Descriptors that become readable when the datapath wants ``followInterfaces()`` or ``drainOverflow()``.
    public var descriptors: (interfaces: Int32, overflow: Int32) {
        (network.descriptor, overflow.descriptor)
    }

    /// Attaches to every interface that is selected now.
    ///
    /// - Throws: when the kernel lacks the way to attach that was asked for; an interface that cannot be watched for
    ///   another reason is a ``Notice/failed(name:reason:)``.
    public func attach() throws(DatapathError) {
        if let reason = dropsUnavailable { onNotice(.dropsUnavailable(reason: reason)) }
        dropsUnavailable = nil
        if programs.dropReasons?.hidesPlaces == true { onNotice(.addressesHidden) }
        try attachSelected(assignments, patience: .max)
        watchedSince = Self.monotonicNow
    }

    /// Takes in changes of interfaces, addresses and routes: attaches to new interfaces, lets go of those that are gone.
    ///
    /// - Parameter emit: takes the last counts of the flows of interfaces that are gone.
    /// - Returns: whether the host's own addresses changed.
    /// - Throws: when the kernel cannot be heard any more.
    public func followInterfaces(emit: (FlowBatch) -> Void) throws(DatapathError) -> Bool {
        guard try network.update() else { return false }
        let gone = network.takeGone()
        sightings.forget(interfaces: gone)
        let selected = assignments
        refused.subtract(gone)
        for (index, interface) in watched where selected[index] != nil && !gone.contains(index) {
            guard let link = network.links[index], link.name != interface.name else { continue }
            onNotice(.renamed(from: interface.name, to: link.name))
            interface.name = link.name
        }
        // What came back under its old index is another interface.
        assignRoles(selected.filter { !gone.contains($0.key) })
        let leaving = watched.keys.filter { gone.contains($0) || selected[$0] == nil }
        try letGo(leaving, flowsEnd: true, emit: emit)
        sightings.forget(interfaces: leaving)
        try attachSelected(selected, patience: Self.tcxPatience)
        let addresses = network.addresses
        defer { ownAddresses = addresses }
        return addresses != ownAddresses
    }

    /// Patterns that no interface matches now.
    public var unmatchedPatterns: [String] { selection.unmatched(by: network.links.values) }

    /// Number of interfaces that are being watched.
    public var watchedCount: Int { watched.count }

    /// Whether no interface is selected now.
    public var selectsNothing: Bool { assignments.isEmpty }

    /// Attaches to what is selected and not yet watched.
    ///
    /// With TCX the kernel takes a grace period for each program, one after the other. Where TCX was not asked for,
    /// interfaces that are still waiting after `patience` (ns) get clsact, which does not: what appears is watched
    /// within a second, however many appear at once.
    private func attachSelected(
        _ assignments: [UInt32: RoleAssignment],
        patience: UInt64
    ) throws(DatapathError) {
        let start = Self.monotonicNow
        for (index, assignment) in assignments where watched[index] == nil {
            guard let link = network.links[index] else { continue }
            // The ring must not fill meanwhile.
            overflow.drain()
            do throws(DatapathError) {
                try attach(link, assignment, isUrgent: Self.monotonicNow - start > patience)
            } catch {
                // An interface that went away meanwhile says so in a message that is on its way.
                if case .system(_, let errno, _) = error, errno == ENODEV { continue }
                if error.isUnsupported { throw error }
                // Tried again at every change, said once.
                if refused.insert(index).inserted { onNotice(.failed(name: link.name, reason: "\(error)")) }
            }
        }
    }

    private static let tcxPatience: UInt64 = 250_000_000

    private func attach(_ link: Link, _ assignment: RoleAssignment, isUrgent: Bool) throws(DatapathError) {
        guard let position = interfaces.add(link) else {
            throw .system(
                operation: "watch \(link.name): no place in the table of \(WEIR_MAX_INTERFACES) interfaces",
                errno: ENOSPC,
                advice: "select fewer (--interface, --exclude-interface)"
            )
        }
        roles[position] = assignment.role
        indices[position] = link.index
        overflow.indices[position] = link.index
        positions.insert(position)
        divideShares()
        let mechanism: String
        do throws(DatapathError) {
            let attachment = try makeAttachment(link, isUrgent: isUrgent)
            mechanism = attachment.mechanism
            watched[link.index] = WatchedInterface(
                name: link.name,
                role: assignment.role,
                position: position,
                attachment: attachment
            )
        } catch {
            // One direction may have been attached, and counted.
            abandoned.insert(position)
            throw error
        }
        // Only now: what was denied must have been counted before.
        drops?.watch(link.index, position: position)
        if assignment.isOpen { sightings.open.insert(link.index) }
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

    private func makeAttachment(_ link: Link, isUrgent: Bool) throws(DatapathError) -> Attachment {
        let pair = Attachment.Programs(
            ingress: try programs.program("weir_ingress"),
            egress: try programs.program("weir_egress")
        )
        switch mode {
        case .clsact: return try Attachment.clsact(pair, to: link)
        case .tcx:
            do throws(DatapathError) {
                return try Attachment.tcx(pair, to: link)
            } catch {
                guard case .system(_, EINVAL, _) = error else { throw error }
                throw .unsupportedKernel(feature: "TCX", since: "6.6", advice: "use --attach clsact")
            }
        case .auto:
            if lacksTCX { return try Attachment.clsact(pair, to: link) }
            // What has an ingress qdisc can only be watched with TCX, however long that takes.
            if isUrgent, let attachment = try? Attachment.clsact(pair, to: link) { return attachment }
            do throws(DatapathError) {
                return try Attachment.tcx(pair, to: link)
            } catch {
                // Before Linux 6.6 the attach type is not known.
                guard case .system(_, EINVAL, _) = error else { throw error }
                lacksTCX = true
                return try Attachment.clsact(pair, to: link)
            }
        }
    }

    /// Detaches from interfaces, reads the last counts of their flows, and closes their accounts.
    ///
    /// `flowsEnd` says whether their flows have ended, and do not only go unwatched from now on.
    private func letGo(
        _ indices: [UInt32],
        flowsEnd: Bool,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        guard !indices.isEmpty else { return }
        var leaving: [(index: UInt32, name: String, role: InterfaceRole, position: Int)] = []
        for index in indices {
            guard let interface = watched.removeValue(forKey: index) else { continue }
            leaving.append((index, interface.name, interface.role, interface.position))
            drops?.ignore(position: interface.position)
        }
        // The programs are detached (the attachments are gone); those that run now end here.
        try fence.wait()
        drainWholeOverflow()
        try scan(gone: flowsEnd ? Set(leaving.map(\.position)) : [], emit: emit)
        for interface in leaving {
            past.append(account(interface.index, interface.name, interface.role, interface.position))
            keepDrops(of: interface.name, position: interface.position)
            release(position: interface.position)
            onNotice(.detached(name: interface.name, index: interface.index))
        }
    }

    /// Frees a position of the interface table whose programs are detached and whose flows are read.
    private func release(position: Int) {
        interfaces.remove(position: position)
        positions.remove(position)
        divideShares()
        remainders.forget(position: position)
        drops?.reset(position: position)
        table.resetDrained(position: position)
        overflow.reset(position: position)
    }

    /// Gives each interface its share of the table and of the ring; more interfaces, smaller shares.
    private func divideShares() {
        let (slots, ring) = capacity.shares(interfaces: positions.count)
        for position in positions { shares.set(position: position, slots: slots, ring: ring) }
    }

    // MARK: Roles

    /// Says which addresses belong to workloads of this host, from now on: pods with a network of their own, not those
    /// that use the host's.
    ///
    /// An interface is a workload's when a host route leads through it to one of them, or one of them has sent through
    /// it, unless the selection says otherwise. Only what changed is looked at; a change of the addresses costs one
    /// question to the kernel for each that is new.
    public func setWorkloadAddresses(_ addresses: Set<IPAddress>) {
        guard addresses != network.workloads else { return }
        network.replaceWorkloads(with: addresses)
        sightings.keep(workloads: addresses)
        assignRoles(assignments)
    }

    /// What each selected interface is taken for now.
    private var assignments: [UInt32: RoleAssignment] {
        var evidence = sightings.addresses.mapValues { RoleReason.sender($0) }
        for (index, address) in network.workloadDevices { evidence[index] = .route(to: address) }
        return selection.assignments(of: network.links.values, evidence: evidence)
    }

    /// Gives the interfaces that are watched the roles they have now.
    ///
    /// The programs know nothing of roles: they go on counting, and the next births have the new one.
    private func assignRoles(_ assignments: [UInt32: RoleAssignment]) {
        for (index, interface) in watched {
            guard let assignment = assignments[index] else { continue }
            if assignment.isOpen { sightings.open.insert(index) } else { sightings.open.remove(index) }
            guard assignment.role != interface.role else { continue }
            interface.role = assignment.role
            roles[interface.position] = assignment.role
            onNotice(
                .roleChanged(name: interface.name, index: index, role: assignment.role, reason: assignment.reason)
            )
        }
    }

    /// Whether an address is that of a workload that no interface is known to lead to.
    private func isUnplaced(_ address: IPAddress) -> Bool {
        network.workloads.contains(address) && network.device(of: address) == nil && !ownAddresses.contains(address)
    }

    // MARK: Flows

    /// Adds up the packets that wait in the overflow ring.
    ///
    /// - Returns: whether more may wait.
    @discardableResult
    public func drainOverflow() -> Bool {
        overflow.drain()
    }

    /// Takes everything out of the ring that was there at the call, however much comes in meanwhile.
    private func drainWholeOverflow() {
        for _ in 0..<64 where !overflow.drain() { return }
    }

    /// Reads what all flows carried since the last scan.
    ///
    /// - Parameter emit: takes batches; called on this thread, several times.
    /// - Throws: when the kernel refuses the grace period.
    public func scan(emit: (FlowBatch) -> Void) throws(DatapathError) {
        overflow.drain()
        try scan(gone: abandoned, emit: emit)
        for position in abandoned { release(position: position) }
        abandoned = []
    }

    private func scan(gone: Set<Int>, emit: (FlowBatch) -> Void) throws(DatapathError) {
        let surroundings = FlowTableReader.Surroundings(
            now: UInt32(truncatingIfNeeded: (Self.monotonicNow - started) / 1_000_000),
            started: watchedSince,
            roles: roles,
            indices: indices,
            gone: gone
        )
        let isLooking = !sightings.open.isEmpty && !network.workloads.isEmpty
        func take(_ batch: FlowBatch) {
            emit(isLooking && !batch.births.isEmpty ? sightings.examine(batch, isWorkload: isUnplaced) : batch)
        }
        try table.scan(surroundings, fence: { () throws(DatapathError) in try fence.wait() }, emit: take)
        overflow.scan(surroundings, emit: take)
        emitRemainders(emit)
        guard sightings.hasNews else { return }
        sightings.hasNews = false
        assignRoles(assignments)
    }

    /// Hands on what has been counted in no flow since the last time.
    private func emitRemainders(_ emit: (FlowBatch) -> Void) {
        var batch = FlowBatch()
        for position in positions {
            guard let new = remainders.take(remainder(of: position), position: position) else { continue }
            batch.remainders.append(
                FlowRemainder(
                    interfaceIndex: indices[position],
                    role: roles[position],
                    local: localAddress(of: position),
                    ingress: new.ingress,
                    egress: new.egress,
                    deniedIngress: new.deniedIngress,
                    deniedEgress: new.deniedEgress,
                    deniedUncounted: new.deniedUncounted
                )
            )
        }
        if !batch.isEmpty { emit(batch) }
    }

    /// All that was counted in no flow at a position: in the kernel and by the agent.
    private func remainder(of position: Int) -> RemainderLedger.Counts {
        var counts = overflow.remainder(of: position)
        let kernel = shares.remainder(of: position)
        counts.ingress += kernel.ingress
        counts.egress += kernel.egress
        if let denied = drops?.remainder(position: position) {
            counts.deniedIngress += denied.ingress
            counts.deniedEgress += denied.egress
            counts.deniedUncounted += denied.uncounted
        }
        return counts
    }

    /// An address of the workload behind the interface at a position, or of the host on it; nil if none is known.
    private func localAddress(of position: Int) -> IPAddress? {
        let index = indices[position]
        return roles[position] == .workload ? network.workloadDevices[index] : network.address(of: index)
    }

    /// Detaches from everything and reads what is left; nothing that was counted is lost.
    ///
    /// The datapath has ended then. The flows go on unwatched: they are not reported as ended.
    public func detach(emit: (FlowBatch) -> Void) throws(DatapathError) {
        try letGo(Array(watched.keys), flowsEnd: false, emit: emit)
    }

    // MARK: Account

    /// What every interface carried so far, those that are gone included, in the order of their indices.
    ///
    /// While traffic flows, what is on its way between kernel and agent is missing from the flows; after
    /// ``detach(emit:)`` nothing is.
    public var accounts: [InterfaceAccount] {
        let present = watched.map { index, interface in
            account(index, interface.name, interface.role, interface.position)
        }
        return (past + present).sorted { $0.index < $1.index }
    }

    private func account(_ index: UInt32, _ name: String, _ role: InterfaceRole, _ position: Int) -> InterfaceAccount {
        var ingress = agentCounts(position * 2)
        var egress = agentCounts(position * 2 + 1)
        let unplaced = overflow.remainder(of: position)
        ingress.remainder = unplaced.ingress
        egress.remainder = unplaced.egress
        ingress.denied.remainder = unplaced.deniedIngress + unplaced.deniedUncounted
        egress.denied.remainder = unplaced.deniedEgress
        interfaces.addCounts(position: position, ingress: &ingress, egress: &egress)
        if let remainder = drops?.remainder(position: position) {
            ingress.denied.remainder += remainder.ingress + remainder.uncounted
            egress.denied.remainder += remainder.egress
        }
        return InterfaceAccount(name: name, index: index, role: role, ingress: ingress, egress: egress)
    }

    /// The agent's part of an account: what it took over from the kernel.
    private func agentCounts(_ direction: Int) -> DirectionAccount {
        var account = DirectionAccount()
        account.flows = table.drained[direction]
        account.overflow = overflow.counted[direction]
        account.denied.flows = table.denied[direction]
        account.denied.overflow = overflow.denied[direction]
        return account
    }

    /// Packets that the kernel dropped, by interface and reason, those of interfaces that are gone included; reasons
    /// that say nothing of a flow are left out.
    public var droppedPackets: [DroppedPackets] {
        var all = pastDrops
        for interface in watched.values { addDrops(of: interface.name, position: interface.position, to: &all) }
        return all
    }

    /// What could not be looked at: drops in an interrupt while the program was running on that CPU, and dropped
    /// packets of watched interfaces whose headers could not be read.
    public var unexaminedDrops: (missed: UInt64, unparsed: UInt64) {
        let unparsed = watched.values.reduce(pastUnparsedDrops) { $0 + (drops?.unparsed(position: $1.position) ?? 0) }
        return (drops?.missed ?? 0, unparsed)
    }

    private func keepDrops(of name: String, position: Int) {
        addDrops(of: name, position: position, to: &pastDrops)
        pastUnparsedDrops += drops?.unparsed(position: position) ?? 0
    }

    private func addDrops(of name: String, position: Int, to all: inout [DroppedPackets]) {
        for (reason, packets) in drops?.packets(position: position) ?? [] {
            if let index = all.firstIndex(where: { $0.interface == name && $0.reason === reason }) {
                all[index].packets += packets
            } else {
                all.append(DroppedPackets(interface: name, reason: reason, packets: packets))
            }
        }
    }

    /// Flows outside of the table that made room for those of another interface, since the start.
    var foldedFlows: UInt64 { overflow.folded }

    /// Use of the flow table after the last scan.
    public var occupancy: (live: Int, slots: Int, overflow: Int) {
        (table.live, table.slots, overflow.count)
    }

    /// CLOCK_MONOTONIC, ns: the clock of the programs' `bpf_ktime_get_ns`.
    static var monotonicNow: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
