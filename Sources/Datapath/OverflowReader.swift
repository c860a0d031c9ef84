import CWeir
import FlowModel
import Glibc

/// Adds up the packets that found no slot in the flow table, by flow, as they come through the ring.
///
/// `@safe`: libbpf's ring lives as long as the reader, and its callback runs only inside ``drain()``.
@safe
final class OverflowReader {
    /// Flows that are counted at the same time; a packet of a further one is lost, and counted as that.
    static let maximumFlows = 1 << 19

    /// What was counted in flows: two counters, ingress and egress, for each interface position.
    private(set) var counted: [TrafficCounters]
    /// What was not, because there were too many flows.
    private(set) var lost: [TrafficCounters]
    /// What was denied of flows, in the same order.
    private(set) var denied: [TrafficCounters]
    /// What was denied of flows that were too many.
    private(set) var lostDenied: [TrafficCounters]

    private var ring: OpaquePointer?
    private var flows: [Flow] = []
    private var free: [Int] = []
    private var byKey: [FlowKey: Int] = [:]
    private var changed: [Int] = []
    private let firstNumber: UInt32
    private let timeouts: FlowTimeouts
    private let reasons: [DropReason?]
    private let ended: EndedFlows
    private var events = 0

    private struct Flow {
        var key: FlowKey
        var position: Int
        var marks: FlowMarks = []
        var pending: (TrafficCounters, TrafficCounters) = (.zero, .zero)
        var drops: PendingDrops?
        var isTwoWay: (Bool, Bool) = (false, false)
        var hasChanged = false
        var isBorn = false
        var lastChange: UInt32 = 0
    }

    /// Events after which a drain pauses, so that a flood cannot keep the reader from its other work.
    private static let drainLimit = 1 << 17

    /// Opens the ring; flow numbers start at `firstNumber`, behind those of the table.
    init(
        ringMap: Int32,
        firstNumber: UInt32,
        timeouts: FlowTimeouts,
        reasons: [DropReason?] = [],
        ended: EndedFlows = EndedFlows()
    ) throws(DatapathError) {
        self.reasons = reasons
        self.ended = ended
        self.firstNumber = firstNumber
        self.timeouts = timeouts
        counted = Array(repeating: .zero, count: Int(WEIR_MAX_INTERFACES * WEIR_DIRECTIONS))
        lost = counted
        denied = counted
        lostDenied = counted
        unsafe ring = nil
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let opened = unsafe ring_buffer__new(
            ringMap,
            { context, data, size in
                guard let context = unsafe context, let data = unsafe data,
                    size >= MemoryLayout<weir_overflow_event>.size
                else { return 0 }
                let reader = unsafe Unmanaged<OverflowReader>.fromOpaque(context).takeUnretainedValue()
                return reader.take(unsafe data.load(as: weir_overflow_event.self))
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
    var count: Int { byKey.count }

    /// Takes what is in the ring; returns whether there may be more.
    @discardableResult
    func drain() -> Bool {
        events = 0
        _ = unsafe ring_buffer__consume(ring)
        return events >= Self.drainLimit
    }

    /// Counts one event; a negative result ends the drain after it.
    private func take(_ event: weir_overflow_event) -> Int32 {
        let wire = TrafficCounters(packets: UInt64(event.packets), bytes: event.bytes)
        let position = Int(event.key.interface)
        let isIngress = event.direction == UInt8(WEIR_INGRESS)
        let direction = position * 2 + (isIngress ? 0 : 1)
        let isDrop = event.kind != WEIR_EVENT_PACKET.rawValue
        events += 1
        guard let index = flowIndex(of: FlowKey(event.key), position: position) else {
            if isDrop { lostDenied[direction] += wire } else { lost[direction] += wire }
            return events < Self.drainLimit ? 0 : -1
        }
        if isDrop {
            denied[direction] += wire
            var drops = flows[index].drops ?? PendingDrops()
            drops.add(event)
            flows[index].drops = drops
        } else {
            counted[direction] += wire
            add(wire, isIngress: isIngress, to: index)
        }
        // Only the first packet says who spoke first.
        let isFirst = !flows[index].isBorn && !flows[index].hasChanged
        let marks = FlowMarks(rawValue: event.marks)
        flows[index].marks.formUnion(isFirst ? marks : marks.subtracting(.firstEgress))
        if !flows[index].hasChanged {
            flows[index].hasChanged = true
            changed.append(index)
        }
        return events < Self.drainLimit ? 0 : -1
    }

    private func add(_ wire: TrafficCounters, isIngress: Bool, to index: Int) {
        if isIngress {
            flows[index].pending.0 += wire
            flows[index].isTwoWay.0 = true
        } else {
            flows[index].pending.1 += wire
            flows[index].isTwoWay.1 = true
        }
    }

    /// Forgets what an interface position carried, so that another interface can take it.
    func reset(position: Int) {
        for direction in [position * 2, position * 2 + 1] {
            counted[direction] = .zero
            lost[direction] = .zero
            denied[direction] = .zero
            lostDenied[direction] = .zero
        }
    }

    private func flowIndex(of key: FlowKey, position: Int) -> Int? {
        if let index = byKey[key] { return index }
        guard byKey.count < Self.maximumFlows else { return nil }
        let flow = Flow(key: key, position: position)
        let index: Int
        if let reused = free.popLast() {
            index = reused
            flows[index] = flow
        } else {
            index = flows.count
            flows.append(flow)
        }
        byKey[key] = index
        return index
    }

    /// Hands out what was counted since the last time, and ends the flows that are quiet.
    func scan(_ surroundings: FlowTableReader.Surroundings, emit: (FlowBatch) -> Void) {
        guard !byKey.isEmpty else { return }
        var batch = FlowBatch()
        for index in changed {
            report(index, surroundings, in: &batch)
            flows[index].pending = (.zero, .zero)
            flows[index].drops = nil
            flows[index].hasChanged = false
            flows[index].lastChange = surroundings.now
        }
        changed.removeAll(keepingCapacity: true)
        endQuiet(surroundings, in: &batch)
        if !batch.isEmpty { emit(batch) }
    }

    private func report(_ index: Int, _ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        let number = firstNumber + UInt32(index)
        if !flows[index].isBorn { bear(index, surroundings, in: &batch) }
        let flow = flows[index]
        if flow.pending != (.zero, .zero) {
            batch.deltas.append(FlowDelta(number: number, ingress: flow.pending.0, egress: flow.pending.1))
        }
        flow.drops?.tell(of: number, reasons: reasons, in: &batch.drops)
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
                role: surroundings.roles[flows[index].position],
                marks: flows[index].marks,
                joined: flows[index].marks.isJoined(proto: key.proto, isEarly: false),
                resumed: past?.isSameConnection ?? false
            )
        )
    }

    private func endQuiet(_ surroundings: FlowTableReader.Surroundings, in batch: inout FlowBatch) {
        var over: [FlowKey] = []
        for (key, index) in byKey {
            let flow = flows[index]
            let limit = timeouts.limit(
                proto: key.proto.rawValue,
                marks: flow.marks.rawValue,
                isTwoWay: flow.isTwoWay == (true, true),
                isPressed: true
            )
            guard surroundings.gone.contains(flow.position) || surroundings.now &- flow.lastChange >= limit else {
                continue
            }
            over.append(key)
        }
        for key in over {
            guard let index = byKey.removeValue(forKey: key) else { continue }
            let flow = flows[index]
            free.append(index)
            batch.ends.append(firstNumber + UInt32(index))
            guard !surroundings.gone.contains(flow.position) else { continue }
            ended.note(
                key,
                marks: flow.marks,
                isJoined: flow.marks.isJoined(proto: key.proto, isEarly: false),
                position: flow.position,
                lastChange: flow.lastChange
            )
        }
    }
}
