import FlowModel

/// Memory: what becomes of flows for which there is no room.
///
/// A flow that begins on an interface with more than its share is *folded*: its number counts for the remainder of its
/// endpoint (``RemainderTable``), which is kept anyway. Nothing is remembered of it but that. It loses its other end, its
/// ports and its policies, and nothing of what it carries.
extension FlowAggregator {
    /// The bytes that flows and what they need are counted to take.
    var usedMemory: Int {
        ledger.usedMemory + judged.count * DetailCost.judged + held.count * DetailCost.held
            + waiting.count * DetailCost.waiting
    }

    /// Whether there is room for a flow that begins, or for more about one.
    func hasRoom(for share: UInt16) -> Bool {
        ledger.budget.detail(for: share, used: usedMemory) != .none
    }

    /// Lets a number count for the remainder of its local end from now on, or for what is in no record if it has none.
    mutating func fold(_ conversation: Conversation, as number: UInt32, localEnd: InterfaceEnd?) {
        let interface = ledger.budget.interfaceIndex(of: conversation.share)
        let place: UInt32
        if let localEnd {
            let local = conversation.flow(from: localEnd, by: resolver).local
            place = remainders.place(of: local, on: interface, isAddressCertain: false)
        } else {
            place = remainders.place(ofUnreported: isReportedElsewhere(conversation) ? .elsewhere : .transit)
        }
        setFolded(number, at: place, localEnd: localEnd ?? .near)
    }

    /// Ends the flow of a reported number, and lets the number count for the remainder of its local end.
    mutating func fold(reported number: UInt32) {
        let numbered = numbers[number]
        let local = ledger.resolved(numbered.flow).local
        let interface = ledger.budget.interfaceIndex(of: ledger.share(of: numbered.flow))
        ledger.end(numbered.flow)
        let place = remainders.place(of: local, on: interface, isAddressCertain: false)
        setFolded(number, at: place, localEnd: numbered.localEnd)
    }

    /// Forgets the conversation of a number that is not reported; it goes on to count for what is in no record.
    mutating func fold(waiting number: UInt32) {
        let place = numbers[number].place
        let destination: RemainderTable.Unreported = isReportedElsewhere(waiting[place]) ? .elsewhere : .transit
        removeWaiting(at: place)
        setFolded(number, at: remainders.place(ofUnreported: destination), localEnd: .near)
    }

    private mutating func setFolded(_ number: UInt32, at place: UInt32, localEnd: InterfaceEnd) {
        remainders[place].numbers += 1
        foldedFlows += 1
        numbers[number] = NumberedFlow(foldedAt: place, localEnd: localEnd)
    }

    /// Counts what a folded number carried.
    mutating func addToFolded(_ numbered: NumberedFlow, ingress: TrafficCounters, egress: TrafficCounters) {
        let isNear = numbered.localEnd == .near
        remainders[numbered.place].add(sent: isNear ? ingress : egress, got: isNear ? egress : ingress)
        folded += ingress + egress
    }

    /// Counts what was denied of a folded number, or dropped for another reason.
    mutating func takeIn(_ drop: FlowDrop, ofFolded numbered: NumberedFlow) {
        let isNear = numbered.localEnd == .near
        let counted = drop.isIngressCounted ? drop.deniedIngress : .zero
        let uncounted = drop.isIngressCounted ? .zero : drop.deniedIngress
        let (ingress, egress): (FlowReporter, FlowReporter) = isNear ? (.source, .destination) : (.destination, .source)
        remainders[numbered.place].deny(counted: counted, uncounted: uncounted, ingress, drop.decision)
        remainders[numbered.place].deny(counted: .zero, uncounted: drop.deniedEgress, egress, drop.decision)
    }

    /// Ends a folded number.
    mutating func endFolded(_ numbered: NumberedFlow) {
        remainders[numbered.place].numbers -= 1
    }
}

// MARK: - The interval

extension FlowAggregator {
    /// The fewest flows that are a reason to end an interval early.
    private static let fewFlows = 10_000

    /// Whether flows that have ended take so much memory that the interval should end now, to keep details.
    ///
    /// Flows that have ended are kept until the interval ends. An early end gives their memory back before flows have to be
    /// folded, which begins at a half of the limit for one interface alone.
    public var isIntervalFull: Bool {
        guard let limit = ledger.budget.limit, ledger.endedFlows > Self.fewFlows else { return false }
        return usedMemory > limit / 3 && ledger.endedFlows > ledger.liveFlows
    }

    /// Changes how many bytes flows may take; those that are kept stay.
    ///
    /// - Parameters:
    ///   - bytes: the limit.
    ///   - reserve: how many bytes are kept for interfaces with few flows, each an equal part, also where the limit is lower.
    public mutating func setMemoryLimit(_ bytes: Int, reserve: Int) {
        ledger.budget.limit = bytes
        ledger.budget.reserve = reserve
    }

    /// Charges what is kept of a number beside its flow: one of ``DetailCost``.
    mutating func charge(_ bytes: Int, to share: UInt16) {
        ledger.budget.charge(bytes, to: share)
    }

    /// Gives it back.
    mutating func release(_ bytes: Int, from share: UInt16) {
        ledger.budget.release(bytes, from: share)
    }

    /// Gives memory back that a flood has taken, once it is not needed any more; at the beginning of an interval.
    mutating func giveMemoryBack() {
        if judged.isSparse { numbers.moveJudged(to: judged.compact()) }
        if waiting.isSparse { moveWaiting(to: waiting.compact()) }
        if ledger.isSparse { moveFlows(to: ledger.compact()) }
    }

    private mutating func moveWaiting(to places: [UInt32]) {
        transit = TransitTable()
        numbers.moveWaiting(to: places)
        for place in numbers.judgedPlaces {
            guard let former = judged[place].waitingPlace else { continue }
            judged[place].waitingPlace = places[Int(former)]
        }
    }

    private mutating func moveFlows(to moved: MovedFlows) {
        numbers.moveReported(to: moved)
        for place in numbers.judgedPlaces {
            if let own = judged[place].own { judged[place].own = own.moved(moved) }
            if let mirror = judged[place].mirror { judged[place].mirror = mirror.moved(moved) }
        }
    }
}

/// Where flows and groups went, by their former numbers.
struct MovedFlows {
    /// The new numbers of flows.
    let flows: [UInt32]
    /// The new numbers of groups.
    let groups: [UInt32]
}

extension LedgerFlow {
    fileprivate func moved(_ moved: MovedFlows) -> LedgerFlow {
        LedgerFlow(flow: moved.flows[Int(flow)], group: moved.groups[Int(group)], action: action, isNews: isNews)
    }
}
