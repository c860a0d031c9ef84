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
    /// Whether there is no time any more to look at new flows one by one: what they carried is then handed on as
    /// ``FlowRemainder``; nil if there always is.
    public var isHurried: (() -> Bool)?

    private let selection: InterfaceSelection
    let programs: KernelPrograms
    let fence: Fence
    /// Nil where drops cannot be counted.
    var drops: DropCounter?
    /// Why they cannot.
    private var dropsUnavailable: String?
    /// Nil where sockets are not read.
    var sockets: SocketReader?
    /// What sockets said of flows that the next scan may find.
    var socketReports: [weir_socket_report] = []
    /// What is collected beside packets.
    let collects: Collected
    var network: NetworkState
    var table: FlowTableReader
    var overflow: OverflowReader
    var interfaces: InterfaceTable
    let uppers: UpperTable
    let mode: AttachMode
    let hasTCX = Attachment.kernelHasTCX()
    var watched: [UInt32: WatchedInterface] = [:]
    var past = PastAccounts()
    /// Where maps and links are pinned; nil where they are not.
    let pins: PinFolder?
    /// What agents before have left.
    var heritage: Heritage
    /// Interfaces whose clsact qdisc an agent before has made, as a table of another layout has it.
    var ownedQdiscs: Set<UInt32> = []
    /// Positions of interfaces that could be watched in one direction only, to be cleared by the next scan.
    private var abandoned: Set<Int> = []
    /// Interfaces that could not be watched, by index.
    private var refused: Set<UInt32> = []
    /// Roles by interface position.
    var roles: [InterfaceRole]
    /// Indices by interface position.
    var indices: [UInt32]
    /// Positions that interfaces have in the interface table.
    var positions: Set<Int> = []
    var remainders = RemainderLedger()
    let shares: InterfaceShares
    private let capacity: SharePlan.Capacity
    private var sightings = WorkloadSightings()
    let started: UInt64
    /// When everything was attached that was there at the start, CLOCK_MONOTONIC ns.
    var watchedSince: UInt64

    var watch: AttachmentWatch
    var places: AddressPlaces
    var forged = ForgedTuples()
    /// An address behind each interface, once it was asked for in a scan.
    var residents: [UInt32: IPAddress]?
    /// Interfaces that are left out, and pairs of which both are counted, as the log has them.
    private var told = LayoutNotices()

    /// Checks the machine, loads the programs and learns the interfaces; attaches nothing yet.
    ///
    /// - Throws: what is missing or was refused.
    public init(_ configuration: DatapathConfiguration) throws(DatapathError) {
        try Requirements.check(tableSlots: configuration.tableSlots)
        selection = configuration.interfaces
        mode = configuration.attachMode
        collects = configuration.collects
        var lacksDrops: String?
        var heritage = Heritage()
        let pins = try Self.takePins(configuration, &heritage)
        let programs = try Self.load(configuration, pins, lacksDrops: &lacksDrops)
        let reasons = programs.dropReasons?.byNumber ?? []
        let fence = try programs.fence()
        let interfaces = try programs.interfaces()
        let ended = EndedFlows()
        let uppers = try programs.uppers()
        let table = FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended
        )
        overflow = try OverflowReader(
            maps: programs.maps,
            firstNumber: UInt32(configuration.tableSlots),
            capacity: configuration.overflowFlows,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended,
            shares: interfaces.shares
        )
        let watch = try AttachmentWatch()
        var network = try NetworkState()
        try network.relearn()
        var places = try AddressPlaces()
        places.follow(network.links, gone: [], now: Self.monotonicNow / 1_000_000)
        ownAddresses = network.addresses
        dropsUnavailable = lacksDrops
        drops = try programs.dropCounter()
        self.pins = pins
        self.heritage = heritage
        self.programs = programs
        self.fence = fence
        self.uppers = uppers
        self.table = table
        self.network = network
        self.watch = watch
        self.places = places
        roles = Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES))
        indices = Array(repeating: 0, count: roles.count)
        shares = interfaces.shares
        self.interfaces = interfaces
        capacity = SharePlan.Capacity(slots: configuration.tableSlots, ringBytes: configuration.ringBytes)
        started = Self.monotonicNow
        watchedSince = started
        try inherit(configuration, ended)
    }

    /// Loads the programs; without the one for drops if the kernel has no reasons or refuses it, and says why.
    private static func load(
        _ configuration: DatapathConfiguration,
        _ pins: PinFolder?,
        lacksDrops: inout String?
    ) throws(DatapathError) -> KernelPrograms {
        func load(_ drops: DropReasons?) throws(DatapathError) -> KernelPrograms {
            try KernelPrograms(
                .flows,
                tableSlots: configuration.tableSlots,
                ringBytes: configuration.ringBytes,
                drops: drops,
                found: pins?.maps(layout: PinFolder.layout(configuration, reasons: drops?.byNumber.count ?? 0)),
                outlives: pins != nil
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
        try beginHeritage()
        try attachSelected(layout, patience: .max)
        try endHeritage()
        readSockets()
    }

    /// Takes in changes of interfaces, addresses and routes: attaches to new interfaces, lets go of those that are gone.
    ///
    /// - Parameter emit: takes the last counts of the flows of interfaces that are gone.
    /// - Returns: whether the host's own addresses changed.
    /// - Throws: when the kernel cannot be heard any more.
    public func followInterfaces(emit: (FlowBatch) -> Void) throws(DatapathError) -> Bool {
        guard try network.update() else { return false }
        let gone = network.takeGone()
        places.follow(network.links, gone: gone, now: Self.monotonicNow / 1_000_000)
        sightings.forget(interfaces: gone)
        let layout = layout
        let selected = layout.watched
        refused.subtract(gone)
        told.forget(gone)
        for (index, interface) in watched where !gone.contains(index) {
            guard let link = network.links[index], link.name != interface.name else { continue }
            // One that is selected no more is let go under the name that it was watched by.
            guard interface.isUpper || selected[index] != nil else { continue }
            if !interface.isUpper { onNotice(.renamed(from: interface.name, to: link.name)) }
            interface.name = link.name
        }
        // What came back under its old index is another interface.
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

    /// Attaches to what is selected and not yet watched, and learns which devices stand on it.
    ///
    /// With TCX the kernel takes a grace period for each program, one after the other. Where TCX was not asked for,
    /// interfaces that are still waiting after `patience` (ns) get clsact, which does not: what appears is watched
    /// within a second, however many appear at once.
    private func attachSelected(_ layout: InterfaceLayout, patience: UInt64) throws(DatapathError) {
        defer { followUppers(layout) }
        let start = Self.monotonicNow
        for (index, assignment) in layout.watched where watched[index] == nil {
            guard let link = network.links[index] else { continue }
            // The ring must not fill meanwhile.
            overflow.drain()
            do throws(DatapathError) {
                try attach(link, assignment, isUrgent: Self.monotonicNow - start > patience)
            } catch {
                // An interface that went away meanwhile says so in a message that is on its way.
                if case .system(_, let errno, _) = error, errno == ENODEV { continue }
                if error.isUnsupported { throw error }
                // A second agent that begins beside another one is a mistake; one that meets it later goes on.
                if patience == .max, case .inUse = error { throw error }
                // Tried again at every change, said once.
                if refused.insert(index).inserted { onNotice(.failed(name: link.name, reason: "\(error)")) }
            }
        }
    }

    /// Enters the devices that stand on watched interfaces, so that what is dropped behind them finds its flow below, and
    /// says what is left out.
    private func followUppers(_ layout: InterfaceLayout) {
        for index in layout.uppers.keys where watched[index] == nil {
            guard let link = network.links[index] else { continue }
            guard let position = heritage.uppers.removeValue(forKey: index) ?? interfaces.add(link, isUpper: true)
            else {
                continue
            }
            roles[position] = .host
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
        for notice in told.news(in: layout, links: network.links) { onNotice(notice) }
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
        roles[position] = assignment.role
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
            if found == nil { abandoned.insert(position) } else { heritage.add(link.name, link.index, position) }
            throw error
        }
        watched[link.index].map { takeSample($0, of: link.index) }
        // Only now: what was denied must have been counted before.
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
    /// `flowsEnd` says whether their flows have ended, and do not only go unwatched from now on.
    private func letGo(
        _ indices: [UInt32],
        flowsEnd: Bool,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        guard !indices.isEmpty else { return }
        closeGaps(of: indices)
        var leaving: [(index: UInt32, interface: WatchedInterface)] = []
        for index in indices {
            guard let interface = watched.removeValue(forKey: index) else { continue }
            leaving.append((index, interface))
            interface.attachment = nil
            drops?.ignore(position: interface.position)
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
        // Those programs that run now end here.
        try fence.wait()
        drainWholeOverflow()
        _ = try scan(gone: flowsEnd ? Set(leaving.map(\.interface.position)) : [], emit: emit)
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
    }

    /// Gives a position of the interface table to an interface, and with it a share of the table.
    func occupy(position: Int, _ index: UInt32) {
        indices[position] = index
        overflow.indices[position] = index
        positions.insert(position)
        divideShares()
    }

    /// Frees a position of the interface table whose programs are detached and whose flows are read.
    private func release(position: Int) {
        if let reported = programs.maps.reported {
            let told = remainders.told(position: position).since(overflow.remainder(of: position))
            reported.release(position: position, told: told) { clear(position: position) }
        } else {
            clear(position: position)
        }
        positions.remove(position)
        divideShares()
        remainders.forget(position: position)
        table.resetDrained(position: position)
        overflow.reset(position: position)
    }

    /// Zeroes what the programs counted at a position.
    func clear(position: Int) {
        interfaces.remove(position: position)
        drops?.reset(position: position)
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
        assignRoles(layout.watched)
    }

    /// What is selected now, and what each interface is taken for.
    private var layout: InterfaceLayout {
        var evidence = sightings.addresses.mapValues { RoleReason.sender($0) }
        for (index, address) in places.interfaces(of: network.workloads) { evidence[index] = .configured(address) }
        for (index, address) in network.workloadDevices { evidence[index] = .route(to: address) }
        return selection.layout(of: network.links.values, evidence: evidence)
    }

    /// Gives the interfaces that are watched the roles they have now.
    ///
    /// The programs know nothing of roles: they go on counting, and the next births have the new one.
    private func assignRoles(_ assignments: [UInt32: RoleAssignment]) {
        for (index, interface) in watched {
            guard !interface.isUpper, let assignment = assignments[index] else { continue }
            // Where it is known what is behind it, packets cannot say otherwise.
            if assignment.isOpen, !places.isKnown(index) {
                sightings.open.insert(index)
            } else {
                sightings.open.remove(index)
            }
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
        network.workloads.contains(address) && network.device(of: address) == nil
            && places.owner(of: address) == nil && !ownAddresses.contains(address)
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
    func drainWholeOverflow() {
        for _ in 0..<64 where !overflow.drain() { return }
    }

    /// Reads what all flows carried since the last scan.
    ///
    /// - Parameters:
    ///   - closesEpoch: the records of what was read until now are made next: ``commit(_:)`` says when they are written.
    ///   - emit: takes batches; called on this thread, several times.
    /// - Returns: the number of the epoch that ended; nil where nothing outlives the process, or records of the epoch before
    ///   are not written yet: then this one goes on.
    /// - Throws: when the kernel refuses the grace period.
    @discardableResult
    public func scan(closesEpoch: Bool = false, emit: (FlowBatch) -> Void) throws(DatapathError) -> UInt32? {
        overflow.drain()
        checkAttachments()
        try readHeritage(emit)
        let epoch = try scan(gone: abandoned, closesEpoch: closesEpoch, emit: emit)
        for position in abandoned { release(position: position) }
        abandoned = []
        return epoch
    }

    private func scan(
        gone: Set<Int>,
        closesEpoch: Bool = false,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> UInt32? {
        var surroundings = FlowTableReader.Surroundings(
            now: now,
            started: watchedSince,
            roles: roles,
            indices: indices,
            gone: gone
        )
        surroundings.haste = isHurried.map(haste)
        let isLooking = !sightings.open.isEmpty && !network.workloads.isEmpty
        places.beginScan()
        forged.beginScan()
        residents = nil
        func take(_ batch: FlowBatch) {
            guard !batch.births.isEmpty else { return emit(batch) }
            emit(place(isLooking ? sightings.examine(batch, isWorkload: isUnplaced) : batch))
        }
        takeSocketReports()
        emitSocketReports(isLast: false, emit)
        try table.scan(surroundings, fence: { () throws(DatapathError) in try fence.wait() }, emit: take)
        emitSocketReports(isLast: true, emit)
        var last = overflow.scan(surroundings, emit: take)
        addRemainders(to: &last)
        // From here on nothing is read that is not in the batches.
        let epoch = closesEpoch ? self.closeEpoch() : nil
        if !last.isEmpty { take(last) }
        if sightings.hasNews {
            sightings.hasNews = false
            assignRoles(layout.watched)
        }
        return epoch
    }

    /// The agent's clock, ms; wraps.
    var now: UInt32 { UInt32(truncatingIfNeeded: (Self.monotonicNow - started) / 1_000_000) }

    /// Adds what has been counted in no flow since the last time.
    private func addRemainders(to batch: inout FlowBatch) {
        let forwards = positions.contains { roles[$0] == .workload }
        for position in positions {
            guard let new = remainders.take(remainder(of: position), position: position) else { continue }
            let index = indices[position]
            // Whose packets they are is not known of an interface through which workloads send, too.
            let local = forwards && roles[position] == .host ? nil : localAddress(of: position)
            batch.remainders.append(FlowRemainder(new, index, roles[position], local: local))
        }
    }

    /// All that was counted in no flow at a position: in the kernel and by the agent.
    private func remainder(of position: Int) -> RemainderLedger.Counts {
        RemainderLedger.Counts(of: position, overflow, shares, drops)
    }

    /// An address of the workload behind the interface at a position, or of the host on it; nil if none is known.
    func localAddress(of position: Int) -> IPAddress? {
        let index = indices[position]
        guard roles[position] == .workload else { return network.address(of: index) }
        return network.workloadDevices[index] ?? places.address(behind: index)
    }

    /// Detaches from everything and reads what is left; nothing that was counted is lost.
    ///
    /// The datapath has ended then. The flows go on unwatched: they are not reported as ended.
    public func detach(emit: (FlowBatch) -> Void) throws(DatapathError) {
        try readHeritage(emit)
        try letGo(Array(watched.keys), flowsEnd: false, emit: emit)
    }

    // MARK: Account

    /// What every interface carried so far, those that are gone included, in the order of their indices; of very many that
    /// are gone, the older ones are added up in one (index 0).
    ///
    /// While traffic flows, what is on its way between kernel and agent is missing from the flows; after
    /// ``detach(emit:)`` nothing is.
    public var accounts: [InterfaceAccount] {
        (pastAccounts + watchedAccounts).sorted { $0.index < $1.index }
    }

    /// Those of interfaces that are watched, in the order of their indices.
    var watchedAccounts: [InterfaceAccount] {
        let present = watched.compactMap { index, interface in
            let account = account(of: interface, index)
            return interface.isUpper && account.isEmpty ? nil : account
        }
        return present.sorted { $0.index < $1.index }
    }

    /// Those of interfaces that are gone.
    var pastAccounts: [InterfaceAccount] { past.all }

    private func account(of interface: WatchedInterface, _ index: UInt32) -> InterfaceAccount {
        var account = InterfaceAccount(
            name: interface.name,
            index: index,
            role: interface.role,
            position: interface.position,
            table,
            overflow,
            interfaces,
            drops
        )
        account.ingress.gap = interface.gap.ingress
        account.egress.gap = interface.gap.egress
        return account
    }

    /// Packets that the kernel dropped, by interface and reason, those of interfaces that are gone included; reasons
    /// that say nothing of a flow are left out.
    public var droppedPackets: [DroppedPackets] {
        past.drops(with: watched.values.map { ($0.name, drops?.packets(position: $0.position) ?? []) })
    }

    /// What could not be looked at: drops in an interrupt while the program was running on that CPU, and dropped
    /// packets of watched interfaces whose headers could not be read.
    public var unexaminedDrops: (missed: UInt64, unparsed: UInt64) {
        let unparsed = watched.values.reduce(past.unparsedDrops) { $0 + (drops?.unparsed(position: $1.position) ?? 0) }
        return (drops?.missed ?? 0, unparsed)
    }

    /// Flows outside of the table that made room for those of another interface, since the start.
    var foldedFlows: UInt64 { overflow.folded }

    /// Use of the flow table after the last scan.
    public var occupancy: (live: Int, slots: Int, overflow: Int) {
        (table.live, table.slots, overflow.count)
    }

    /// Packets that went through the overflow ring, and the largest part of it that one drain found in use.
    var ringUse: (events: UInt64, peak: Double) {
        (
            overflow.totalEvents,
            min(1, Double(overflow.largestDrain * SharePlan.recordBytes) / Double(capacity.ringBytes))
        )
    }

    /// CLOCK_MONOTONIC, ns: the clock of the programs' `bpf_ktime_get_ns`.
    static var monotonicNow: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
