/// What the datapath's number of a flow stands for here: 8 bytes, read once per delta.
struct NumberedFlow {
    // reported: flow, group << 1 | (local end is near)
    // waiting:  place | unreportedBit, generation
    // held:     place | unreportedBit | heldBit, generation
    // judged:   place | heldBit, 0
    // folded:   place | heldBit | foldedBit, (local end is near)
    // unused:   UInt32.max, 0
    private var first: UInt32
    private var second: UInt32

    private static let unreportedBit: UInt32 = 1 << 31
    private static let heldBit: UInt32 = 1 << 30
    private static let foldedBit: UInt32 = 1 << 29

    /// The number is not in use.
    static let unused = NumberedFlow(first: .max, second: 0)

    private init(first: UInt32, second: UInt32) {
        self.first = first
        self.second = second
    }

    /// The number counts for a flow; the flow is below 2^30, the group below 2^31.
    init(flow: UInt32, group: UInt32, localEnd: InterfaceEnd) {
        first = flow
        second = group << 1 | (localEnd == .near ? 1 : 0)
    }

    /// The number is of no flow that is reported, as far as is known.
    ///
    /// - Parameters:
    ///   - place: where its conversation is kept, below 2^29.
    ///   - generation: the low bits of the generation of the resolver that decided it.
    init(waitingAt place: UInt32, generation: UInt32) {
        first = place | Self.unreportedBit
        second = generation
    }

    /// The number is of a flow that is going to be reported under names that are not known yet.
    ///
    /// - Parameters:
    ///   - place: where its conversation and traffic are kept, below 2^29.
    ///   - generation: the low bits of the generation of the resolver that decided it.
    init(heldAt place: UInt32, generation: UInt32) {
        first = place | Self.unreportedBit | Self.heldBit
        second = generation
    }

    /// The number belongs to a flow with denied packets, now or until recently.
    ///
    /// - Parameter place: where it is kept, below 2^29.
    init(judgedAt place: UInt32) {
        first = place | Self.heldBit
        second = 0
    }

    /// The number counts for a remainder.
    ///
    /// - Parameters:
    ///   - place: where that is kept, below 2^29.
    ///   - localEnd: the end that it is the remainder of.
    init(foldedAt place: UInt32, localEnd: InterfaceEnd) {
        first = place | Self.heldBit | Self.foldedBit
        second = localEnd == .near ? 1 : 0
    }

    /// The same reported number after flows and groups were given other numbers.
    func moved(to flow: UInt32, group: UInt32) -> NumberedFlow {
        NumberedFlow(flow: flow, group: group, localEnd: localEnd)
    }

    /// The same waiting number after its conversation was moved.
    func moved(to place: UInt32) -> NumberedFlow {
        NumberedFlow(waitingAt: place, generation: generation)
    }

    /// Whether the number counts for a flow, and nothing else is to be thought of.
    var isReported: Bool { first < Self.heldBit }

    /// Whether something is denied of the number's flow.
    var isJudged: Bool { first & (Self.unreportedBit | Self.heldBit | Self.foldedBit) == Self.heldBit }

    /// Whether the number counts for a remainder.
    var isFolded: Bool {
        first & (Self.unreportedBit | Self.heldBit | Self.foldedBit) == Self.heldBit | Self.foldedBit
    }

    /// Whether the number is in use and not reported.
    var isWaiting: Bool { first & (Self.unreportedBit | Self.heldBit) == Self.unreportedBit }

    /// Whether the number's flow is held back.
    var isHeld: Bool { first & (Self.unreportedBit | Self.heldBit) > Self.unreportedBit && first != .max }

    /// Whether the number is in use.
    var isInUse: Bool { first != .max }

    /// The flow that a reported number counts for.
    var flow: UInt32 { first }

    /// The group of that flow.
    var group: UInt32 { second >> 1 }

    /// The local end of a reported or folded number.
    var localEnd: InterfaceEnd { second & 1 != 0 ? .near : .far }

    /// Where a waiting, held, judged or folded number is kept.
    var place: UInt32 { first & ~(Self.unreportedBit | Self.heldBit | Self.foldedBit) }

    /// The resolver's generation that a waiting or held number was last held against.
    var generation: UInt32 { second }
}

/// What every number of the datapath stands for.
///
/// The datapath keeps its numbers dense, so they are positions here.
struct NumberTable {
    private var entries: [NumberedFlow] = []

    /// Every number in use is below this.
    var limit: UInt32 { UInt32(truncatingIfNeeded: entries.count) }

    /// What a number stands for; any number may be asked for, and setting makes room up to it.
    subscript(number: UInt32) -> NumberedFlow {
        get {
            let position = Int(number)
            return position < entries.count ? entries[position] : .unused
        }
        set {
            let position = Int(number)
            while entries.count <= position { entries.append(.unused) }
            entries[position] = newValue
        }
    }

    /// Follows judged flows to other places.
    mutating func moveJudged(to places: [UInt32]) {
        truncate()
        for position in entries.indices where entries[position].isJudged {
            entries[position] = NumberedFlow(judgedAt: places[Int(entries[position].place)])
        }
    }

    /// Follows conversations of numbers that are not reported to other places.
    mutating func moveWaiting(to places: [UInt32]) {
        truncate()
        for position in entries.indices where entries[position].isWaiting {
            entries[position] = entries[position].moved(to: places[Int(entries[position].place)])
        }
    }

    /// Follows reported flows and their groups to other numbers.
    mutating func moveReported(to moved: MovedFlows) {
        truncate()
        for position in entries.indices where entries[position].isReported {
            let entry = entries[position]
            entries[position] = entry.moved(to: moved.flows[Int(entry.flow)], group: moved.groups[Int(entry.group)])
        }
    }

    /// Gives the memory of the highest numbers back if they are not in use.
    private mutating func truncate() {
        while let last = entries.last, !last.isInUse { entries.removeLast() }
    }

    /// Where the judged numbers are kept; O(``limit``).
    var judgedPlaces: [UInt32] { entries.lazy.filter(\.isJudged).map(\.place) }
}
