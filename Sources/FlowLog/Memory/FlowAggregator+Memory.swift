import FlowModel

/// Memory: how flows are counted for which there is no memory.
///
/// A flow that begins at an interface that has used up its share is *folded*: it counts for the remainder of its endpoint
/// (``RemainderTable``), which exists anyway. No other state is kept for it. Its records have no other end, no ports and no
/// policies, but all of its traffic.
extension FlowAggregator {
    /// The estimated memory of flows, groups and names, bytes.
    var usedMemory: Int {
        ledger.usedMemory + deniedFlows.count * DetailCost.denied + held.count * DetailCost.held
            + waiting.count * DetailCost.waiting + owedSockets.count * DetailCost.owed
    }

    /// Whether there is memory for a flow that begins, or for more state of a flow.
    func hasRoom(for share: UInt16) -> Bool {
        ledger.budget.detail(for: share, used: usedMemory) != .none
    }

    /// Counts a flow for the remainder of its local end from now on; as unrecorded traffic if it has no local end.
    mutating func fold(_ conversation: Conversation, as flowID: UInt32, localEnd: InterfaceEnd?) {
        let interface = ledger.budget.interfaceIndex(of: conversation.share)
        let place: UInt32
        if let localEnd {
            let local = conversation.flow(from: localEnd, by: resolver).local
            place = remainders.place(of: local, on: interface, isAddressCertain: false)
        } else {
            place = remainders.place(ofUnreported: isReportedElsewhere(conversation) ? .elsewhere : .transit)
        }
        setFolded(flowID, at: place, localEnd: localEnd ?? .near)
    }

    /// Ends a reported flow; its further traffic counts for the remainder of its local end.
    mutating func fold(_ reported: ReportedFlow, as flowID: UInt32) {
        let connection = ledger.resolved(reported.flow)
        let interface = ledger.budget.interfaceIndex(of: ledger.share(of: reported.flow))
        ledger.end(reported.flow)
        if connection.reporter == .forward {
            return setFolded(flowID, at: remainders.place(ofUnreported: .transit), localEnd: .near)
        }
        let local = connection.local
        let place = remainders.place(of: local, on: interface, isAddressCertain: false)
        setFolded(flowID, at: place, localEnd: reported.localEnd)
    }

    /// Removes the conversation of a flow that is not reported; its traffic counts as unrecorded from now on.
    mutating func fold(waitingAt place: UInt32, as flowID: UInt32) {
        let destination: RemainderTable.Unreported = isReportedElsewhere(waiting[place]) ? .elsewhere : .transit
        removeWaiting(at: place)
        setFolded(flowID, at: remainders.place(ofUnreported: destination), localEnd: .near)
    }

    private mutating func setFolded(_ flowID: UInt32, at place: UInt32, localEnd: InterfaceEnd) {
        remainders[place].flowCount += 1
        foldedFlows += 1
        states[flowID] = .folded(FoldedFlow(place: place, localEnd: localEnd))
    }

    /// Counts the traffic of a folded flow.
    mutating func add(ingress: TrafficCounters, egress: TrafficCounters, to folded: FoldedFlow) {
        let isNear = folded.localEnd == .near
        remainders[folded.place].add(sent: isNear ? ingress : egress, got: isNear ? egress : ingress)
        self.folded += ingress + egress
    }

    /// Counts packets of a folded flow that were denied, or dropped for another reason.
    mutating func takeIn(_ drop: FlowDrop, of folded: FoldedFlow) {
        let isNear = folded.localEnd == .near
        let counted = drop.isIngressCounted ? drop.deniedIngress : .zero
        let uncounted = drop.isIngressCounted ? .zero : drop.deniedIngress
        let (ingress, egress): (FlowReporter, FlowReporter) = isNear ? (.source, .destination) : (.destination, .source)
        remainders[folded.place].deny(counted: counted, uncounted: uncounted, ingress, drop.decision)
        remainders[folded.place].deny(counted: .zero, uncounted: drop.deniedEgress, egress, drop.decision)
    }

    /// Removes a folded flow from its remainder.
    mutating func end(_ folded: FoldedFlow) {
        remainders[folded.place].flowCount -= 1
    }
}

// MARK: - Interval

extension FlowAggregator {
    /// The minimum number of ended flows for an early end of the interval.
    private static let fewFlows = 10_000

    /// Whether ended flows use so much memory that the interval should end now, so that details are kept.
    ///
    /// Ended flows are kept until the interval ends. An early end frees their memory before flows must be folded. For a single
    /// interface, folding begins at half of the limit.
    public var isIntervalFull: Bool {
        guard let limit = ledger.budget.limit, ledger.endedFlows > Self.fewFlows else { return false }
        return usedMemory > limit / 3 && ledger.endedFlows > ledger.liveFlows
    }

    /// Changes the number of bytes that flows may use; existing flows stay.
    ///
    /// - Parameters:
    ///   - bytes: the limit.
    ///   - reserve: the bytes that are divided equally among interfaces first, even if the limit is lower.
    public mutating func setMemoryLimit(_ bytes: Int, reserve: Int) {
        ledger.budget.limit = bytes
        ledger.budget.reserve = reserve
    }

    /// Charges the memory of a flow's state (one of ``DetailCost``) to its interface's share.
    mutating func charge(_ bytes: Int, to share: UInt16) {
        ledger.budget.charge(bytes, to: share)
    }

    /// Releases the memory of a flow's state.
    mutating func release(_ bytes: Int, from share: UInt16) {
        ledger.budget.release(bytes, from: share)
    }

    /// Frees memory that a flood has used and that is not needed any more; called at the beginning of an interval.
    mutating func giveMemoryBack() {
        if deniedFlows.isSparse { moveDenied(to: deniedFlows.compact()) }
        if waiting.isSparse { moveWaiting(to: waiting.compact()) }
        if ledger.isSparse { moveFlows(to: ledger.compact()) }
        forgetTraces()
    }

    private mutating func moveDenied(to places: [UInt32]) {
        states.move { state in
            guard case .denied(let place) = state else { return state }
            return .denied(place: places[Int(place)])
        }
    }

    private mutating func moveWaiting(to places: [UInt32]) {
        transit = TransitTable()
        states.move { state in
            guard case .waiting(let place, let generation) = state else { return state }
            return .waiting(place: places[Int(place)], generation: generation)
        }
        for place in states.deniedPlaces {
            guard let former = deniedFlows[place].waitingPlace else { continue }
            deniedFlows[place].waitingPlace = places[Int(former)]
        }
    }

    private mutating func moveFlows(to moved: MovedFlows) {
        states.move { state in
            guard case .reported(let flow) = state else { return state }
            return .reported(
                ReportedFlow(
                    flow: moved.flows[Int(flow.flow)],
                    group: moved.groups[Int(flow.group)],
                    localEnd: flow.localEnd
                )
            )
        }
        for place in states.deniedPlaces {
            if let own = deniedFlows[place].own { deniedFlows[place].own = own.moved(moved) }
            if let otherEnd = deniedFlows[place].otherEnd { deniedFlows[place].otherEnd = otherEnd.moved(moved) }
        }
    }
}

/// The new numbers of flows and groups, by former number.
struct MovedFlows {
    /// The new numbers of flows.
    let flows: [UInt32]
    /// The new numbers of groups.
    let groups: [UInt32]
}

extension LedgerFlow {
    fileprivate func moved(_ moved: MovedFlows) -> LedgerFlow {
        LedgerFlow(flow: moved.flows[Int(flow)], group: moved.groups[Int(group)], action: action, isNew: isNew)
    }
}
