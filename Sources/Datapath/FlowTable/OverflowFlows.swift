import CWeir
import FlowModel

/// The flows that found no slot in the flow table, up to a limit, shared between the interfaces.
///
/// Free entries go to the first flow that needs one. When no entry is free, an interface with less than its share gets entries
/// of the interface with the most flows: the newest flows of that interface are folded into its remainder. An interface that
/// has used up its share gets no entry.
struct OverflowFlows {
    /// A flow that came through the overflow ring.
    struct Flow {
        let key: FlowKey
        let position: Int32
        /// The index among the flows of its interface.
        fileprivate var rank: Int32
        var marks: FlowMarks = []
        var hasDrops = false
        var hasChanged = false
        var isBorn = false
        fileprivate(set) var isLive = true
        var isTwoWay: (Bool, Bool) = (false, false)
        var lastChange: UInt32 = 0
        var pending: (ingress: TrafficCounters, egress: TrafficCounters) = (.zero, .zero)
    }

    /// The most flows at the same time.
    let capacity: Int

    private var flows: [Flow] = []
    /// Indices that can be used again.
    private var free: [Int32] = []
    private var byKey: [FlowKey: Int32] = [:]
    /// Indices of the flows of each interface position, the newest last.
    private var members: [[Int32]]
    /// The number of positions that have flows.
    private var crowd = 0
    /// The number of flows that are folded at once, so that the search for the largest interface is rare.
    private static let batch = 64

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        members = Array(repeating: [], count: Int(WEIR_MAX_INTERFACES))
    }

    /// Flows that are counted now.
    var count: Int { byKey.count }

    /// Every index that a flow has or had.
    var indices: Range<Int> { flows.indices }

    /// A flow, by its index.
    subscript(index: Int) -> Flow {
        _read { yield flows[index] }
        _modify { yield &flows[index] }
    }

    /// The index of a flow that is counted.
    func index(of key: FlowKey) -> Int? { byKey[key].map { Int($0) } }

    /// Begins to count a flow.
    ///
    /// - Parameters:
    ///   - key: the key of a flow that is not counted yet.
    ///   - position: the position of its interface.
    ///   - fold: takes each flow that is removed to make room, with its index.
    /// - Returns: the flow's index; nil if there is no room for its interface.
    mutating func add(_ key: FlowKey, position: Int, fold: (Int, Flow) -> Void) -> Int? {
        guard makeRoom(for: position, fold: fold) else { return nil }
        if members[position].isEmpty { crowd += 1 }
        let flow = Flow(key: key, position: Int32(position), rank: Int32(members[position].count))
        let index: Int
        if let reused = free.popLast() {
            index = Int(reused)
            flows[index] = flow
        } else {
            index = flows.count
            flows.append(flow)
        }
        byKey[key] = Int32(index)
        members[position].append(Int32(index))
        return index
    }

    private mutating func makeRoom(for position: Int, fold: (Int, Flow) -> Void) -> Bool {
        guard byKey.count >= capacity else { return true }
        let part = capacity / (crowd + (members[position].isEmpty ? 1 : 0))
        guard members[position].count < part else { return false }
        // The interfaces use the whole capacity, and this one less than its share: another one uses more than its share.
        guard let largest = members.indices.max(by: { members[$0].count < members[$1].count }) else { return false }
        let surplus = members[largest].count - max(part, members[position].count + 1)
        for _ in 0..<min(max(surplus, 1), Self.batch) {
            guard let newest = members[largest].last else { break }
            let index = Int(newest)
            fold(index, flows[index])
            // The end of a flow must be reported before its identifier is reused.
            remove(index, isReusable: !flows[index].isBorn)
        }
        return true
    }

    /// Stops counting a flow; its identifier is not reusable until its end was reported.
    mutating func remove(_ index: Int, isReusable: Bool = true) {
        let flow = flows[index]
        let position = Int(flow.position)
        flows[index].isLive = false
        byKey[flow.key] = nil
        if let last = members[position].popLast(), Int(last) != index {
            members[position][Int(flow.rank)] = last
            flows[Int(last)].rank = flow.rank
        }
        if members[position].isEmpty {
            members[position] = []
            crowd -= 1
        }
        if isReusable { reuse(index) }
    }

    /// Lets an identifier be used again.
    mutating func reuse(_ index: Int) { free.append(Int32(index)) }

    /// Releases the memory when there are no flows any more and all ends were reported.
    mutating func shrink() {
        guard byKey.isEmpty, free.count == flows.count else { return }
        flows = []
        free = []
        byKey = [:]
    }
}
