/// The state of a datapath flow in the flow log.
///
///     unused ──birth──┬─────────────────────────> reported <──────┐
///                     ├──> waiting ──an end became local──┤        │ all is allowed again
///                     ├──> held ────names became known────┤        │
///                     ├──────────────────────────> denied ─────────┘   (also from reported and waiting)
///                     └──no room──> folded         (also from reported and waiting)
///
/// The end of the flow leads from every state to `unused`.
enum FlowState: Equatable {
    /// The identifier is not in use.
    case unused
    /// The flow is in records: its traffic counts for a flow of the ledger.
    case reported(ReportedFlow)
    /// The flow is in no record, because neither end was local for the resolver of a generation. Its conversation is at a place
    /// in `waiting`.
    case waiting(place: UInt32, generation: UInt32)
    /// The flow will be in records when its names, unknown to the resolver of a generation, become known. Its conversation and
    /// traffic are at a place in `held`.
    case held(place: UInt32, generation: UInt32)
    /// Packets of the flow are, or were until recently, denied. The flow is at a place in `deniedFlows`.
    case denied(place: UInt32)
    /// There was no memory for the flow: its traffic counts for a remainder.
    case folded(FoldedFlow)
}

/// The ledger's flow that a datapath flow counts for.
struct ReportedFlow: Equatable {
    /// The flow, below 2^30.
    let flow: UInt32
    /// Its group, below 2^31.
    let group: UInt32
    /// The end that this node reports for.
    let localEnd: InterfaceEnd
}

/// The remainder that a datapath flow counts for.
struct FoldedFlow: Equatable {
    /// The place of the remainder, below 2^29.
    let place: UInt32
    /// The end whose remainder it is.
    let localEnd: InterfaceEnd
}

/// A state in 8 bytes, read once per delta.
struct PackedFlowState {
    // reported: flow, group << 1 | (local end is near)
    // waiting:  place | waitingTag, generation
    // held:     place | heldTag, generation
    // denied:   place | deniedTag, 0
    // folded:   place | foldedTag, (local end is near)
    // unused:   UInt32.max, 0
    private let first: UInt32
    private let second: UInt32

    /// The highest three bits of the first word.
    ///
    /// Reported flows have 0 in the two highest. No place has all of its bits set.
    private enum Tag {
        static let denied: UInt32 = 0b010 << 29
        static let folded: UInt32 = 0b011 << 29
        static let waiting: UInt32 = 0b100 << 29
        static let held: UInt32 = 0b110 << 29
        static let mask: UInt32 = 0b111 << 29
        /// Flows with this state or a higher one are not reported in the usual way.
        static let lowest = denied
    }

    /// The identifier is not in use.
    static let unused = PackedFlowState(first: .max, second: 0)

    private init(first: UInt32, second: UInt32) {
        (self.first, self.second) = (first, second)
    }

    /// Packs a state.
    init(_ state: FlowState) {
        switch state {
        case .unused: self = .unused
        case .reported(let flow): self.init(first: flow.flow, second: flow.group << 1 | flow.localEnd.bit)
        case .waiting(let place, let generation): self.init(first: place | Tag.waiting, second: generation)
        case .held(let place, let generation): self.init(first: place | Tag.held, second: generation)
        case .denied(let place): self.init(first: place | Tag.denied, second: 0)
        case .folded(let flow): self.init(first: flow.place | Tag.folded, second: flow.localEnd.bit)
        }
    }

    /// The state.
    var state: FlowState {
        if let reported { return .reported(reported) }
        if first == .max { return .unused }
        let place = first & ~Tag.mask
        switch first & Tag.mask {
        case Tag.denied: return .denied(place: place)
        case Tag.folded: return .folded(FoldedFlow(place: place, localEnd: InterfaceEnd(bit: second)))
        case Tag.waiting: return .waiting(place: place, generation: second)
        default: return .held(place: place, generation: second)
        }
    }

    /// The reported flow, as nearly all are; nil in any other state.
    @inline(__always)
    var reported: ReportedFlow? {
        guard first < Tag.lowest else { return nil }
        return ReportedFlow(flow: first, group: second >> 1, localEnd: InterfaceEnd(bit: second))
    }
}

extension InterfaceEnd {
    fileprivate var bit: UInt32 { self == .near ? 1 : 0 }

    fileprivate init(bit: UInt32) {
        self = bit & 1 != 0 ? .near : .far
    }
}
