import CWeir
public import FlowModel
import Glibc

/// The node's datapath as the agent sees it: attaches the flow counter to the interfaces that are selected, follows
/// them as they come and go, and reads what was counted.
///
/// Not thread-safe: one thread makes it and calls it. Poll ``descriptors`` for reading to learn when there is work.
public final class Datapath {
    /// What happened to an interface.
    public enum Notice: Sendable, Hashable {
        /// Watching began.
        case attached(name: String, index: UInt32, role: InterfaceRole, mechanism: String)
        /// Watching ended: the interface is gone, or no longer selected.
        case detached(name: String, index: UInt32)
        /// It was given another name.
        case renamed(from: String, to: String)
        /// It cannot be watched; tried again when the interfaces change.
        case failed(name: String, reason: String)
    }

    /// The host's own addresses.
    public private(set) var ownAddresses: Set<IPAddress>
    /// Takes notices, in order.
    public var onNotice: (Notice) -> Void = { _ in }

    private let selection: InterfaceSelection
    private let programs: KernelPrograms
    private let fence: Fence
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
    private var roles: [InterfaceRole]
    private let started: UInt64
    /// When everything was attached that was there at the start, CLOCK_MONOTONIC ns.
    private var watchedSince: UInt64

    /// An interface that is being watched.
    private final class WatchedInterface {
        var name: String
        let role: InterfaceRole
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
        try Requirements.check()
        selection = configuration.interfaces
        mode = configuration.attachMode
        let programs = try KernelPrograms(
            .flows,
            tableSlots: configuration.tableSlots,
            ringBytes: configuration.ringBytes
        )
        let fence = try programs.fence()
        let interfaces = try programs.interfaces()
        let table = FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: configuration.timeouts
        )
        overflow = try OverflowReader(
            ringMap: programs.map("overflow"),
            firstNumber: UInt32(configuration.tableSlots),
            timeouts: configuration.timeouts
        )
        var network = try NetworkState()
        try network.relearn()
        ownAddresses = network.addresses
        self.programs = programs
        self.fence = fence
        self.interfaces = interfaces
        self.table = table
        self.network = network
        roles = Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES))
        started = Self.monotonicNow
        watchedSince = started
    }

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
        try attachSelected(patience: .max)
        watchedSince = Self.monotonicNow
    }

    /// Takes in changes of interfaces and addresses: attaches to new ones, lets go of those that are gone.
    ///
    /// - Parameter emit: takes the last counts of the flows of interfaces that are gone.
    /// - Returns: whether the host's own addresses changed.
    /// - Throws: when the kernel cannot be heard any more.
    public func followInterfaces(emit: (FlowBatch) -> Void) throws(DatapathError) -> Bool {
        guard try network.update() else { return false }
        let gone = network.takeGone()
        let selected = selection.roles(of: network.links.values)
        refused.subtract(gone)
        for (index, interface) in watched {
            guard let link = network.links[index], selected[index] == interface.role else { continue }
            if link.name != interface.name {
                onNotice(.renamed(from: interface.name, to: link.name))
                interface.name = link.name
            }
        }
        let leaving = watched.keys.filter { gone.contains($0) || selected[$0] != watched[$0]?.role }
        try letGo(leaving, flowsEnd: true, emit: emit)
        try attachSelected(patience: Self.tcxPatience)
        let addresses = network.addresses
        defer { ownAddresses = addresses }
        return addresses != ownAddresses
    }

    /// Patterns that no interface matches now.
    public var unmatchedPatterns: [String] { selection.unmatched(by: network.links.values) }

    /// Number of interfaces that are being watched.
    public var watchedCount: Int { watched.count }

    /// Whether no interface is selected now.
    public var selectsNothing: Bool { selection.roles(of: network.links.values).isEmpty }

    /// Attaches to what is selected and not yet watched.
    ///
    /// With TCX the kernel takes a grace period for each program, one after the other. Where TCX was not asked for,
    /// interfaces that are still waiting after `patience` (ns) get clsact, which does not: what appears is watched
    /// within a second, however many appear at once.
    private func attachSelected(patience: UInt64) throws(DatapathError) {
        let start = Self.monotonicNow
        for (index, role) in selection.roles(of: network.links.values) where watched[index] == nil {
            guard let link = network.links[index] else { continue }
            // The ring must not fill meanwhile.
            overflow.drain()
            do throws(DatapathError) {
                try attach(link, role, isUrgent: Self.monotonicNow - start > patience)
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

    private func attach(_ link: Link, _ role: InterfaceRole, isUrgent: Bool) throws(DatapathError) {
        guard let position = interfaces.add(link) else {
            throw .system(
                operation: "watch \(link.name): no place in the table of \(WEIR_MAX_INTERFACES) interfaces",
                errno: ENOSPC,
                advice: "select fewer (--interface, --exclude-interface)"
            )
        }
        roles[position] = role
        let mechanism: String
        do throws(DatapathError) {
            let attachment = try makeAttachment(link, isUrgent: isUrgent)
            mechanism = attachment.mechanism
            watched[link.index] = WatchedInterface(
                name: link.name,
                role: role,
                position: position,
                attachment: attachment
            )
        } catch {
            // The other direction may have been attached, and counted.
            abandoned.insert(position)
            throw error
        }
        onNotice(.attached(name: link.name, index: link.index, role: role, mechanism: mechanism))
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
        }
        // The programs are detached (the attachments are gone); those that run now end here.
        try fence.wait()
        drainWholeOverflow()
        try scan(gone: flowsEnd ? Set(leaving.map(\.position)) : [], emit: emit)
        for interface in leaving {
            past.append(account(interface.index, interface.name, interface.role, interface.position))
            release(position: interface.position)
            onNotice(.detached(name: interface.name, index: interface.index))
        }
    }

    /// Frees a position of the interface table whose programs are detached and whose flows are read.
    private func release(position: Int) {
        interfaces.remove(position: position)
        table.resetDrained(position: position)
        overflow.reset(position: position)
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
            gone: gone
        )
        try table.scan(surroundings, fence: { () throws(DatapathError) in try fence.wait() }, emit: emit)
        overflow.scan(surroundings, emit: emit)
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
        interfaces.addCounts(position: position, ingress: &ingress, egress: &egress)
        return InterfaceAccount(name: name, index: index, role: role, ingress: ingress, egress: egress)
    }

    /// The agent's part of an account: what it took over from the kernel.
    private func agentCounts(_ direction: Int) -> DirectionAccount {
        var account = DirectionAccount()
        account.flows = table.drained[direction]
        account.overflow = overflow.counted[direction]
        account.lost = overflow.lost[direction]
        return account
    }

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
