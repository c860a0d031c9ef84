import CWeir
import FlowModel
import Glibc

/// Adds up the packets that found no slot in the flow table, by flow, as they come through the ring.
///
/// `@safe`: libbpf's ring lives as long as the reader, and its callback runs only inside ``drain()``.
@safe
final class OverflowReader {
    /// What was counted in flows: two counters, ingress and egress, for each interface position.
    private(set) var counted: [TrafficCounters]
    /// What was denied of flows, in the same order.
    private(set) var denied: [TrafficCounters]
    /// Flows that were folded into the remainder of their interface, so that others have room.
    private(set) var folded: UInt64 = 0
    /// The kernel's indices of the interfaces by position.
    var indices = [UInt32](repeating: 0, count: Int(WEIR_MAX_INTERFACES))

    /// What is in no flow, by interface position.
    private var remainders: [RemainderLedger.Counts]
    private var ring: OpaquePointer?
    private var flows: OverflowFlows
    /// What was dropped of flows since the last scan, by index.
    private var drops: [Int: PendingDrops] = [:]
    private var changed: [Int] = []
    /// Indices of flows that were folded and whose births had been told.
    private var leaving: [Int] = []
    private let firstNumber: UInt32
    private let timeouts: FlowTimeouts
    private let reasons: [DropReason?]
    private let ended: EndedFlows
    private let shares: InterfaceShares
    private var events = 0
    /// Events that were taken, since the start.
    private(set) var totalEvents: UInt64 = 0
    /// The most events that one drain took.
    private(set) var largestDrain = 0

    /// Events after which a drain pauses, so that a flood cannot keep the reader from its other work.
    private static let drainLimit = 1 << 17

    /// Opens the ring.
    ///
    /// - Parameters:
    ///   - ringMap: the descriptor of the ring.
    ///   - firstNumber: of the flows, behind those of the table.
    ///   - capacity: the most flows at the same time.
    ///   - timeouts: when a quiet flow has ended.
    ///   - reasons: for drops, by number.
    ///   - ended: remembers who began the flows that ended.
    ///   - shares: learns what was taken out of the ring.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)`` if the ring cannot be opened.
    init(
        ringMap: Int32,
        firstNumber: UInt32,
        capacity: Int,
        timeouts: FlowTimeouts,
        reasons: [DropReason?] = [],
        ended: EndedFlows = EndedFlows(),
        shares: InterfaceShares
    ) throws(DatapathError) {
        self.reasons = reasons
        self.ended = ended
        self.shares = shares
        self.firstNumber = firstNumber
        self.timeouts = timeouts
        flows = OverflowFlows(capacity: capacity)
        counted = Array(repeating: .zero, count: Int(WEIR_MAX_INTERFACES * WEIR_DIRECTIONS))
        denied = counted
        remainders = Array(repeating: RemainderLedger.Counts(), count: Int(WEIR_MAX_INTERFACES))
        unsafe ring = nil
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let opened = unsafe ring_buffer__new(
            ringMap,
            { context, data, size in
                guard let context = unsafe context, let data = unsafe data,
                    size >= MemoryLayout<weir_overflow_event>.size
                else { return 0 }
                let reader = unsafe Unmanaged<OverflowReader>.fromOpaque(context).takeUnretainedValue()
                reader.take(unsafe data.load(as: weir_overflow_event.self))
                // A negative result ends the drain after this event.
                return reader.events < OverflowReader.drainLimit ? 0 : -1
            },
            context,
            nil
        )
        guard let opened = unsafe opened else {
            throw .system(operation: "open the overflow ring", errno: errno, advice: "")
        }
        unsafe ring = opened
    }

    deinit {
        unsafe ring_buffer__free(ring)
    }

    /// Readable when the ring fills.
    var descriptor: Int32 { unsafe ring_buffer__epoll_fd(ring) }

    /// Flows that are counted outside the table now.
    var count: Int { flows.count }

    /// What was counted in no flow at a position.
    func remainder(of position: Int) -> RemainderLedger.Counts { remainders[position] }

    /// Takes what is in the ring; returns whether there may be more.
    @discardableResult
    func drain() -> Bool {
        events = 0
        _ = unsafe ring_buffer__consume(ring)
        totalEvents += UInt64(events)
        largestDrain = max(largestDrain, events)
        return events >= Self.drainLimit
    }

    // MARK: Events

    /// Counts one event.
    private func take(_ event: weir_overflow_event) {
        let position = Int(event.key.interface)
        events += 1
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
        // Only the first packet says who spoke first.
        let isFirst = !flows[index].isBorn && !flows[index].hasChanged
        let marks = FlowMarks(rawValue: event.marks)
        flows[index].marks.formUnion(isFirst ? marks : marks.subtracting(.firstEgress))
        if !flows[index].hasChanged {
            flows[index].hasChanged = true
            changed.append(index)
        }
    }

    /// Moves what a flow counted and was not handed out to the remainder of its interface.
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

    /// Forgets what an interface position carried, so that another interface can take it.
    func reset(position: Int) {
        for direction in [position * 2, position * 2 + 1] {
            counted[direction] = .zero
            denied[direction] = .zero
        }
        remainders[position] = RemainderLedger.Counts()
    }

    // MARK: Scan

    /// Hands out what was counted since the last time, and ends the flows that are quiet.
    func scan(_ surroundings: FlowTableReader.Surroundings, emit: (FlowBatch) -> Void) {
        var batch = FlowBatch()
        for index in leaving {
            batch.ends.append(firstNumber + UInt32(index))
            flows.reuse(index)
        }
        // Ends come last in a batch, and a number may be born again only in a later one.
        if !leaving.isEmpty { hand(&batch, emit) }
        leaving.removeAll(keepingCapacity: true)
        for index in changed where flows[index].isLive && flows[index].hasChanged {
            report(index, surroundings, in: &batch)
        }
        changed.removeAll(keepingCapacity: flows.count > 0)
        drops.removeAll(keepingCapacity: flows.count > 0)
        endQuiet(surroundings, in: &batch)
        hand(&batch, emit)
        flows.shrink()
    }

    private func hand(_ batch: inout FlowBatch, _ emit: (FlowBatch) -> Void) {
        if !batch.isEmpty { emit(batch) }
        batch.removeAll()
    }

    private func report(_ index: Int, _ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        let number = firstNumber + UInt32(index)
        if !flows[index].isBorn { bear(index, surroundings, in: &batch) }
        let flow = flows[index]
        if flow.pending != (.zero, .zero) {
            batch.deltas.append(
                FlowDelta(number: number, ingress: flow.pending.ingress, egress: flow.pending.egress)
            )
        }
        drops[index]?.tell(of: number, reasons: reasons, in: &batch.drops)
        flows[index].wasReported(at: surroundings.now)
    }

    private func bear(_ index: Int, _ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        let key = flows[index].key
        let past = ended.take(key, marks: flows[index].marks, now: surroundings.now)
        if let nearBegan = past?.nearBegan { flows[index].marks.formUnion(.opened(byNear: nearBegan)) }
        flows[index].isBorn = true
        batch.births.append(
            FlowBirth(
                number: firstNumber + UInt32(index),
                key: key,
                role: surroundings.roles[Int(flows[index].position)],
                marks: flows[index].marks,
                joined: flows[index].marks.isJoined(proto: key.proto, isEarly: false),
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
            batch.ends.append(firstNumber + UInt32(index))
            guard !surroundings.gone.contains(Int(flow.position)) else { continue }
            ended.note(
                flow.key,
                marks: flow.marks,
                isJoined: flow.marks.isJoined(proto: flow.key.proto, isEarly: false),
                position: Int(flow.position),
                lastChange: flow.lastChange
            )
        }
    }
}

extension OverflowFlows.Flow {
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
