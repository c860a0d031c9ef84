import CWeir
import FlowModel

/// The flow table of a previous agent: no program counts in it any more, and it is read to its end.
protocol FormerTable: AnyObject {
    /// The layout's name.
    var layout: String { get }
    /// Interfaces that are in the table.
    var found: [FoundInterface] { get }
    /// Counts that are in no record, and of no flow that can be read, on interfaces that are in the table.
    var unwritten: RemainderLedger.Counts { get }
    /// The flush that closed the newest committed epoch; nil if none was noted.
    var lastCommit: weir_commit? { get }
    /// Counts of removed interfaces that are in no record.
    var gone: RemainderLedger.Counts { get }
    /// Indices of the interfaces whose clsact qdisc a previous agent created.
    var ownedQdiscs: [UInt32] { get }

    /// Reads all counts that were not reported; behind a grace period since the last packet.
    ///
    /// - Parameters:
    ///   - now: the agent's clock, ms.
    ///   - role: returns the role of an interface, by its index.
    ///   - emit: takes batches.
    /// - Returns: the accounts of its interfaces.
    /// - Throws: if the table cannot be read.
    func drain(
        now: UInt32,
        role: (UInt32) -> InterfaceRole,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> [InterfaceAccount]
}

/// A table with another layout of this version.
final class Predecessor: FormerTable {
    let layout: String
    let found: [FoundInterface]
    /// Whether it was read.
    private(set) var isDrained = false
    private(set) var unwritten = RemainderLedger.Counts()

    private let maps: TableMaps
    private let interfaces: InterfaceTable
    private let drops: DropCounter?
    private var table: FlowTableReader
    private var overflow: OverflowReader
    private var remainders = RemainderLedger()

    /// Takes over the maps of a layout.
    ///
    /// - Parameters:
    ///   - layout: its name.
    ///   - maps: its maps.
    ///   - reasons: the reasons for drops, by number.
    ///   - timeouts: the idle times after which a flow has ended.
    ///   - ended: stores the initiators of the flows, which continue in another table.
    /// - Throws: if the maps cannot be mapped.
    init(
        _ layout: String,
        _ maps: TableMaps,
        reasons: [DropReason?],
        timeouts: FlowTimeouts,
        ended: EndedFlows
    ) throws(DatapathError) {
        self.layout = layout
        self.maps = maps
        let reasons = maps.reasons == 0 ? [] : reasons
        let interfaces = try InterfaceTable(maps)
        let drops = try maps.reasons == 0 ? nil : DropCounter(maps, reasons: Array(reasons.prefix(maps.reasons)))
        let table = FlowTableReader(
            table: try FlowTable(maps, keepsSlots: true),
            configuration: maps.configuration,
            timeouts: timeouts,
            reasons: reasons,
            ended: ended
        )
        overflow = try OverflowReader(
            maps: maps,
            firstFlowID: UInt32(maps.slots),
            capacity: DatapathConfiguration().overflowFlows,
            timeouts: timeouts,
            reasons: reasons,
            ended: ended,
            shares: interfaces.shares
        )
        let all = try maps.foundInterfaces()
        table.recover(positions: all.map(\.position), moveRing: overflow.moveRing) { position in
            interfaces.remove(position: position)
            drops?.reset(position: position)
        }
        found = try maps.foundInterfaces()
        self.interfaces = interfaces
        self.drops = drops
        self.table = table
        for interface in found { resume(interface) }
    }

    private func resume(_ interface: FoundInterface) {
        guard let reported = maps.reported else { return }
        let (position, version) = (interface.position, reported.version(position: interface.position))
        overflow.indices[position] = interface.index
        table.resume(position: position, version)
        let loose = reported.loose(position: position)
        overflow.resume(position: position, version, loose: loose)
        unwritten += loose
        remainders.resume(
            position: position,
            handedOn: RemainderLedger.Counts(version.handed_on) + RemainderLedger.Counts(version.unplaced)
        )
    }

    var lastCommit: weir_commit? { maps.reported?.lastCommit }

    var gone: RemainderLedger.Counts { maps.reported?.loose(position: ReportedCounts.gone) ?? .init() }

    var ownedQdiscs: [UInt32] {
        found.filter { unsafe maps.reported?.interface($0.position).pointee.owns_qdisc == 1 }.map(\.index)
    }

    func drain(
        now: UInt32,
        role: (UInt32) -> InterfaceRole,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> [InterfaceAccount] {
        isDrained = true
        var surroundings = FlowTableReader.Surroundings(
            now: now,
            started: unsafe maps.reported?.state.pointee.watched_since ?? 0,
            roles: Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES)),
            gone: Set(found.map(\.position))
        )
        surroundings.goOn = true
        for interface in found {
            surroundings.roles[interface.position] = role(interface.index)
            surroundings.indices[interface.position] = interface.index
        }
        while overflow.drain() {}
        try table.scan(surroundings, fence: {}, emit: emit)
        var last = overflow.scan(surroundings, emit: emit)
        for interface in found {
            let counts = remainder(of: interface.position)
            guard let new = remainders.take(counts, position: interface.position) else { continue }
            last.remainders.append(FlowRemainder(new, interface.index, role(interface.index), local: nil))
        }
        if !last.isEmpty { emit(last) }
        return found.filter { !$0.isUpper }.map { interface in
            InterfaceAccount(
                name: maps.reported?.name(position: interface.position) ?? "",
                index: interface.index,
                role: role(interface.index),
                position: interface.position,
                table,
                overflow,
                interfaces,
                drops
            )
        }
    }

    private func remainder(of position: Int) -> RemainderLedger.Counts {
        .init(of: position, overflow, interfaces.shares, drops)
    }
}

extension RemainderLedger.Counts {
    /// Adds up all traffic that was counted in no flow at a position: in the kernel and by the agent.
    init(of position: Int, _ overflow: OverflowReader, _ shares: InterfaceShares, _ drops: DropCounter?) {
        self = overflow.remainder(of: position)
        let kernel = shares.remainder(of: position)
        ingress += kernel.ingress
        egress += kernel.egress
        if let denied = drops?.remainder(position: position) {
            deniedIngress += denied.ingress
            deniedEgress += denied.egress
            deniedUncounted += denied.uncounted
        }
    }
}

extension FlowRemainder {
    /// Takes new traffic in no flow of an interface.
    init(_ counts: RemainderLedger.Counts, _ index: UInt32, _ role: InterfaceRole, local: IPAddress?) {
        self.init(
            interfaceIndex: index,
            role: role,
            local: local,
            ingress: counts.ingress,
            egress: counts.egress,
            deniedIngress: counts.deniedIngress,
            deniedEgress: counts.deniedEgress,
            deniedUncounted: counts.deniedUncounted
        )
    }
}

extension InterfaceAccount {
    /// Combines the parts of an account: those of the kernel, and those of the agent.
    init(
        name: String,
        index: UInt32,
        role: InterfaceRole,
        position: Int,
        _ table: borrowing FlowTableReader,
        _ overflow: OverflowReader,
        _ interfaces: borrowing InterfaceTable,
        _ drops: DropCounter?
    ) {
        var (ingress, egress) = (DirectionAccount(), DirectionAccount())
        let unplaced = overflow.remainder(of: position)
        ingress.takeOver(position * 2, table, overflow)
        egress.takeOver(position * 2 + 1, table, overflow)
        ingress.remainder = unplaced.ingress
        egress.remainder = unplaced.egress
        ingress.denied.remainder = unplaced.deniedIngress + unplaced.deniedUncounted
        egress.denied.remainder = unplaced.deniedEgress
        interfaces.addCounts(position: position, ingress: &ingress, egress: &egress)
        if let remainder = drops?.remainder(position: position) {
            ingress.denied.remainder += remainder.ingress + remainder.uncounted
            egress.denied.remainder += remainder.egress
        }
        self.init(name: name, index: index, role: role, ingress: ingress, egress: egress)
    }
}

extension DirectionAccount {
    /// Adds the agent's part: the counts that it has taken from the kernel.
    fileprivate mutating func takeOver(_ direction: Int, _ table: borrowing FlowTableReader, _ overflow: OverflowReader)
    {
        flows = table.drained[direction]
        self.overflow = overflow.counted[direction]
        denied.flows = table.denied[direction]
        denied.overflow = overflow.denied[direction]
    }
}
