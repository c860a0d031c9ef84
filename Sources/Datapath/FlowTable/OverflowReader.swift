import CWeir
import FlowModel
import Glibc

/// Adds up the packets that found no slot in the flow table, by flow, as they come through the ring.
///
/// `@safe`: the ring's memory lives as long as the reader, and a record is copied before the ring moves on.
@safe
final class OverflowReader {
    /// Traffic of flows: two counters, ingress and egress, for each interface position.
    private(set) var counted: [TrafficCounters]
    /// Denied traffic of flows, in the same order.
    private(set) var denied: [TrafficCounters]
    /// Flows that were folded into the remainder of their interface, so that others have room.
    private(set) var folded: UInt64 = 0
    /// The kernel's indices of the interfaces by position.
    var indices = [UInt32](repeating: 0, count: Int(WEIR_MAX_INTERFACES))

    /// Traffic in no flow, by interface position.
    private var remainders: [RemainderLedger.Counts]
    private var ring = unsafe weir_ring()
    /// Becomes readable when the programs wake the reader; the ring itself is readable as soon as it contains a record.
    private let events: FileDescriptor
    /// Counts that records contain; nil if the maps end with this process.
    private let reported: ReportedCounts?
    private var flows: OverflowFlows
    /// The drops of flows since the last scan, by index.
    private var drops: [Int: PendingDrops] = [:]
    private var changed: [Int] = []
    /// Indices of flows that were folded after their births had been reported.
    private var leaving: [Int] = []
    private let firstFlowID: UInt32
    private let timeouts: FlowTimeouts
    private let reasons: [DropReason?]
    private let ended: EndedFlows
    private let shares: InterfaceShares
    /// Events that were taken, since the start.
    private(set) var totalEvents: UInt64 = 0
    /// The most events that one drain took.
    private(set) var largestDrain = 0

    /// Events after which a drain pauses, so that a flood cannot keep the reader from its other work.
    private static let drainLimit = 1 << 17

    /// Opens the ring.
    ///
    /// - Parameters:
    ///   - maps: the maps with the ring.
    ///   - firstFlowID: the first identifier of its flows, above those of the table.
    ///   - capacity: the most flows at the same time.
    ///   - timeouts: the idle times after which a flow has ended.
    ///   - reasons: the reasons for drops, by number.
    ///   - ended: the initiators of flows that ended.
    ///   - shares: the interfaces' shares of the ring, to which room is returned.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)`` if the ring cannot be opened.
    init(
        maps: TableMaps,
        firstFlowID: UInt32,
        capacity: Int,
        timeouts: FlowTimeouts,
        reasons: [DropReason?] = [],
        ended: EndedFlows = EndedFlows(),
        shares: InterfaceShares
    ) throws(DatapathError) {
        self.reasons = reasons
        self.ended = ended
        self.shares = shares
        self.firstFlowID = firstFlowID
        self.timeouts = timeouts
        reported = maps.reported
        let map = try maps.descriptor("overflow")
        events = FileDescriptor(owning: try checked("wait for the overflow ring", weir_ring_watch(map)))
        flows = OverflowFlows(capacity: capacity)
        counted = Array(repeating: .zero, count: Int(WEIR_MAX_INTERFACES * WEIR_DIRECTIONS))
        denied = counted
        remainders = Array(repeating: RemainderLedger.Counts(), count: Int(WEIR_MAX_INTERFACES))
        let bytes = Int(maps.configuration.ring_wakeup) << Int(WEIR_RING_WAKEUP_SHIFT)
        try checked("open the overflow ring", unsafe weir_ring_open(map, bytes, &ring))
    }

    deinit {
        if unsafe ring.consumer != nil { unsafe weir_ring_close(&ring) }
    }

    /// Readable when the ring fills.
    var descriptor: Int32 { events.number }

    /// Flows that are counted outside the table now.
    var count: Int { flows.count }

    /// Returns the traffic in no flow at a position.
    func remainder(of position: Int) -> RemainderLedger.Counts { remainders[position] }

    /// Takes the records in the ring; returns whether there may be more.
    @discardableResult
    func drain() -> Bool {
        var (size, behind) = (0, UInt64(0))
        var count = 0
        defer {
            totalEvents += UInt64(count)
            largestDrain = max(largestDrain, count)
        }
        while count < Self.drainLimit {
            guard let record = unsafe weir_ring_next(&ring, &size, &behind) else { return false }
            count += 1
            let event = unsafe record.load(as: weir_overflow_event.self)
            if let reported, event.key.interface < UInt16(WEIR_MAX_INTERFACES) {
                reported.take(event, behind: behind) { moveRing(behind) }
            } else {
                moveRing(behind)
            }
            take(event)
        }
        return true
    }

    /// Lets the kernel use the room before a place of the ring again.
    func moveRing(_ behind: UInt64) {
        unsafe weir_ring_advance(&ring, behind)
    }

    /// Continues with a previous agent's counts of an interface position; the `loose` ones belong to no flow.
    func resume(position: Int, _ version: weir_interface_version, loose: RemainderLedger.Counts) {
        counted[position * 2] = TrafficCounters(version.overflow.0)
        counted[position * 2 + 1] = TrafficCounters(version.overflow.1)
        denied[position * 2] = TrafficCounters(version.denied_overflow.0)
        denied[position * 2 + 1] = TrafficCounters(version.denied_overflow.1)
        remainders[position] = RemainderLedger.Counts(version.unplaced) + loose
    }

    // MARK: Events

    /// Counts one event.
    private func take(_ event: weir_overflow_event) {
        let position = Int(event.key.interface)
        guard position < remainders.count else { return }
        shares.returnRing(of: position)
        let key = FlowKey(event.key, interfaceIndex: indices[position])
        guard let index = flows.index(of: key) ?? flows.add(key, position: position, fold: fold) else {
            remainders[position].add(event)
            return
        }
        let isIngress = event.direction == UInt8(WEIR_INGRESS)
        let wire = TrafficCounters(packets: UInt64(event.packets), bytes: event.bytes)
        if event.kind == WEIR_EVENT_PACKET.rawValue {
            counted[position * 2 + (isIngress ? 0 : 1)] += wire
            flows[index].add(wire, isIngress: isIngress)
        } else {
            denied[position * 2 + (isIngress ? 0 : 1)] += wire
            drops[index, default: PendingDrops()].add(event)
        }
        // Only the first packet shows the initiator.
        let isFirst = !flows[index].isBorn && !flows[index].hasChanged
        let marks = FlowMarks(rawValue: event.marks)
        flows[index].marks.formUnion(isFirst ? marks : marks.subtracting(.firstEgress))
        if !flows[index].hasChanged {
            flows[index].hasChanged = true
            changed.append(index)
        }
    }

    /// Moves the unreported counts of a flow to the remainder of its interface.
    private func fold(_ index: Int, _ flow: OverflowFlows.Flow) {
        let position = Int(flow.position)
        folded += 1
        counted[position * 2] -= flow.pending.ingress
        counted[position * 2 + 1] -= flow.pending.egress
        remainders[position].ingress += flow.pending.ingress
        remainders[position].egress += flow.pending.egress
        if let drops = drops.removeValue(forKey: index) {
            denied[position * 2] -= drops.denied.ingress
            denied[position * 2 + 1] -= drops.denied.egress
            remainders[position].add(drops)
        }
        if flow.isBorn { leaving.append(index) }
    }

    /// Forgets the traffic of an interface position, so that another interface can take it.
    func reset(position: Int) {
        for direction in [position * 2, position * 2 + 1] {
            counted[direction] = .zero
            denied[direction] = .zero
        }
        remainders[position] = RemainderLedger.Counts()
    }

    // MARK: Scan

    /// Emits the traffic since the last time, and ends the flows that are quiet.
    ///
    /// - Returns: the last batch, which was not emitted yet.
    func scan(_ surroundings: FlowTableReader.Surroundings, emit: (FlowBatch) -> Void) -> FlowBatch {
        var batch = FlowBatch()
        for index in leaving {
            batch.ends.append(firstFlowID + UInt32(index))
            flows.reuse(index)
        }
        leaving.removeAll(keepingCapacity: true)
        // Ends come last in a batch, and an identifier may be used again only in a later one.
        if !batch.isEmpty { emit(batch) }
        batch.removeAll()
        for index in changed where flows[index].isLive && flows[index].hasChanged {
            if !flows[index].isBorn, surroundings.deadline?.isOver() == true {
                fold(index, flows[index])
                flows.remove(index)
            } else {
                report(index, surroundings, in: &batch)
            }
        }
        changed.removeAll(keepingCapacity: flows.count > 0)
        drops.removeAll(keepingCapacity: flows.count > 0)
        endQuiet(surroundings, in: &batch)
        flows.shrink()
        return batch
    }

    private func report(_ index: Int, _ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        let flowID = firstFlowID + UInt32(index)
        let isNew = !flows[index].isBorn
        if isNew { bear(index, surroundings, in: &batch) }
        let flow = flows[index]
        if !isNew, flow.key.proto == .tcp {
            batch.flags.append(FlowFlags(flowID: flowID, flags: TCPFlags(flow.marks)))
        }
        if flow.pending != (.zero, .zero) {
            batch.deltas.append(
                FlowDelta(flowID: flowID, ingress: flow.pending.ingress, egress: flow.pending.egress)
            )
        }
        drops[index]?.report(flowID, reasons: reasons, in: &batch.drops)
        flows[index].wasReported(at: surroundings.now)
    }

    private func bear(_ index: Int, _ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        let key = flows[index].key
        let past = ended.take(key, marks: flows[index].marks, now: surroundings.now)
        if let nearBegan = past?.nearBegan { flows[index].marks.formUnion(.opened(byNear: nearBegan)) }
        flows[index].isBorn = true
        batch.births.append(
            FlowBirth(
                flowID: firstFlowID + UInt32(index),
                key: key,
                role: surroundings.roles[Int(flows[index].position)],
                marks: flows[index].marks,
                joined: flows[index].isJoined,
                resumed: past?.isSameConnection ?? false
            )
        )
    }

    private func endQuiet(_ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        for index in flows.indices where flows[index].isLive {
            let flow = flows[index]
            let limit = timeouts.limit(
                proto: flow.key.proto.rawValue,
                marks: flow.marks.rawValue,
                isTwoWay: flow.isTwoWay == (true, true),
                isPressed: true
            )
            guard surroundings.gone.contains(Int(flow.position)) || surroundings.now &- flow.lastChange >= limit
            else { continue }
            flows.remove(index)
            batch.ends.append(firstFlowID + UInt32(index))
            guard !surroundings.gone.contains(Int(flow.position)) else { continue }
            ended.note(
                flow.key,
                marks: flow.marks,
                isJoined: flow.isJoined,
                position: Int(flow.position),
                lastChange: flow.lastChange
            )
        }
    }
}

extension OverflowFlows.Flow {
    /// Whether the connection was running before its first packet was seen.
    fileprivate var isJoined: Bool {
        marks.isJoined(proto: key.proto, hasPorts: key.nearPort != 0 && key.farPort != 0, isEarly: false)
    }

    /// Adds a packet that crossed the interface.
    fileprivate mutating func add(_ wire: TrafficCounters, isIngress: Bool) {
        if isIngress {
            pending.ingress += wire
            isTwoWay.0 = true
        } else {
            pending.egress += wire
            isTwoWay.1 = true
        }
    }

    /// Begins a new interval.
    fileprivate mutating func wasReported(at now: UInt32) {
        isBorn = true
        pending = (.zero, .zero)
        hasChanged = false
        lastChange = now
    }
}
