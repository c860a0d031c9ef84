public import FlowModel

/// Turns what the datapath counted into flow records: correlates its numbers to flows, folds flows into groups, and
/// reports every group once per interval.
///
/// One flow is one 5-tuple as one reporting endpoint sees it, behind address translation. Which end reports and which end
/// began is decided when the flow begins and holds until it ends; so does the name of its endpoints, with one exception:
/// a name that is not known yet may come late (``flush(at:emit:)``). Batches and flushes come from one thread.
public struct FlowAggregator: ~Copyable {
    private var resolver: any EndpointResolver
    private let tracker: (any ConnectionTracker)?
    private var intervalStart: Int64

    private var numbers = NumberTable()
    private var ledger: FlowLedger
    /// The conversations of numbers that are not reported, because neither end is this node's.
    private var waiting = Slab<Conversation>()
    /// Flows that are going to be reported, but under which names is not known yet.
    private var held = Slab<HeldFlow>()
    private var unknownNumbers: UInt64 = 0

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - configuration: how much detail is kept.
    ///   - resolver: who owns an address, until ``use(_:)`` says otherwise.
    ///   - tracker: knows what was translated; nil where nobody does: addresses are then taken as they were seen.
    ///   - startTime: start of the first interval, Unix seconds.
    public init(
        configuration: FlowLogConfiguration,
        resolver: any EndpointResolver,
        tracker: (any ConnectionTracker)?,
        startTime: Int64
    ) {
        ledger = FlowLedger(configuration: configuration)
        self.resolver = resolver
        self.tracker = tracker
        intervalStart = startTime
    }

    /// Resolves what comes from now on against another snapshot.
    ///
    /// Flows that are reported keep their names; flows that are not are looked at again with their next delta.
    public mutating func use(_ resolver: any EndpointResolver) {
        self.resolver = resolver
    }

    /// Takes in what the datapath saw.
    ///
    /// What is said of numbers that were never born is ignored and counted (``Statistics/unknownNumbers``); the birth of
    /// a number that has not ended ends it first.
    public mutating func process(_ batch: borrowing FlowBatch) {
        for index in batch.births.indices { begin(batch.births[index]) }
        add(batch.deltas)
        for index in batch.ends.indices { end(batch.ends[index]) }
    }

    /// Ends the interval: emits a record for every group that had a flow in it, and begins the next interval.
    ///
    /// Flows whose names were waited for are reported in it with what is known now. Flows that began under no name, and
    /// whose names are known by now, end in it under the old name; they begin anew in the next one.
    ///
    /// - Parameters:
    ///   - endTime: end of the interval, Unix seconds; taken for its start if it is before that.
    ///   - emit: called with each record, groups in the order of their numbers, which is that of their first flows unless numbers are used again.
    public mutating func flush(at endTime: Int64, emit: (borrowing FlowRecord) -> Void) {
        settleHeld()
        let renamed = endRenamed()
        let interval = intervalStart...max(endTime, intervalStart)
        ledger.endInterval(interval, emit: emit)
        intervalStart = interval.upperBound
        for flow in renamed { report(flow.resolved, as: flow.number, localEnd: flow.localEnd) }
    }
}

// MARK: - Numbers

extension FlowAggregator {
    private mutating func begin(_ birth: FlowBirth) {
        if numbers[birth.number].isInUse { end(birth.number) }
        var conversation = Conversation(birth)
        let localEnd = localEnd(of: &conversation)
        // Where neither end is this node's, the near one may yet prove to be one of its workloads.
        let isUndecided = localEnd == nil ? resolver.mayBecomeKnown(conversation.near) : isUnnamed(conversation)
        if isUndecided {
            let place = held.insert(HeldFlow(number: birth.number, conversation: conversation))
            numbers[birth.number] = NumberedFlow(heldAt: place, generation: generation)
        } else {
            settle(conversation, as: birth.number, localEnd: localEnd)
        }
    }

    /// Takes in what was counted: the hot path, in a function of its own that leaves the registers to it.
    @inline(never)
    private mutating func add(_ deltas: borrowing [FlowDelta]) {
        for index in deltas.indices {
            let delta = deltas[index]
            let numbered = numbers[delta.number]
            if numbered.isReported {
                count(ingress: delta.ingress, egress: delta.egress, for: numbered)
            } else {
                // In parts: a delta that had an address would be written to memory for all others too.
                addToUnreported(delta.number, ingress: delta.ingress, egress: delta.egress)
            }
        }
    }

    private mutating func count(ingress: TrafficCounters, egress: TrafficCounters, for numbered: NumberedFlow) {
        let localIsNear = numbered.localEnd == .near
        ledger.add(
            inbound: localIsNear ? egress : ingress,
            outbound: localIsNear ? ingress : egress,
            to: numbered.group
        )
    }

    private mutating func end(_ number: UInt32) {
        if numbers[number].isHeld { settleHeld(at: numbers[number].place) }
        let numbered = numbers[number]
        if numbered.isReported {
            ledger.end(numbered.flow)
        } else if numbered.isWaiting {
            waiting.remove(numbered.place)
        } else {
            unknownNumbers += 1
        }
        numbers[number] = .unused
    }

    /// Lets a number count for the flow of a conversation, or wait if neither end is this node's.
    private mutating func settle(_ conversation: Conversation, as number: UInt32, localEnd: InterfaceEnd?) {
        if let localEnd {
            report(conversation.flow(from: localEnd, by: resolver), as: number, localEnd: localEnd)
        } else {
            numbers[number] = NumberedFlow(waitingAt: waiting.insert(conversation), generation: generation)
        }
    }

    private mutating func report(_ resolved: ResolvedFlow, as number: UInt32, localEnd: InterfaceEnd) {
        let (flow, group) = ledger.begin(resolved)
        numbers[number] = NumberedFlow(flow: flow, group: group, localEnd: localEnd)
    }

    /// The end that this node reports for, behind address translation; connection tracking is asked at most once.
    private func localEnd(of conversation: inout Conversation) -> InterfaceEnd? {
        guard let end = conversation.localEnd(by: resolver) else { return nil }
        guard let tracker, !conversation.isTracked, conversation.mayBeTranslated(localEnd: end, by: resolver) else {
            return end
        }
        conversation.translate(by: tracker)
        // What turns out to be forwarded is reported where its workload is, and not here.
        return conversation.localEnd(by: resolver)
    }

    /// Whether an end of a conversation has no name, and may get one soon.
    private func isUnnamed(_ conversation: Conversation) -> Bool {
        resolver.mayBecomeKnown(conversation.near) || resolver.mayBecomeKnown(conversation.far)
    }

    /// As much of the resolver's generation as a number remembers.
    private var generation: UInt32 { UInt32(truncatingIfNeeded: resolver.generation) }
}

// MARK: - Flows that are not reported, or not yet

extension FlowAggregator {
    /// Takes in the traffic of a number that is not reported, and looks at it again if there is reason to.
    private mutating func addToUnreported(_ number: UInt32, ingress: TrafficCounters, egress: TrafficCounters) {
        let numbered = numbers[number]
        if numbered.isHeld {
            held[numbered.place].add(ingress: ingress, egress: egress)
            guard numbered.generation != generation else { return }
            if isUnnamed(held[numbered.place].conversation) {
                numbers[number] = NumberedFlow(heldAt: numbered.place, generation: generation)
            } else {
                settleHeld(at: numbered.place)
            }
        } else if numbered.isWaiting {
            guard numbered.generation != generation else { return }
            reconsider(number)
            if numbers[number].isReported { count(ingress: ingress, egress: egress, for: numbers[number]) }
        } else {
            unknownNumbers += 1
        }
    }

    /// Looks again at a number that waits.
    private mutating func reconsider(_ number: UInt32) {
        let place = numbers[number].place
        var conversation = waiting[place]
        if let localEnd = localEnd(of: &conversation) {
            waiting.remove(place)
            settle(conversation, as: number, localEnd: localEnd)
        } else {
            waiting[place] = conversation
            numbers[number] = NumberedFlow(waitingAt: place, generation: generation)
        }
    }

    /// Decides what becomes of a flow that was held back, with what is known now.
    private mutating func settleHeld(at place: UInt32) {
        let flow = held[place]
        held.remove(place)
        var conversation = flow.conversation
        let localEnd = localEnd(of: &conversation)
        settle(conversation, as: flow.number, localEnd: localEnd)
        if localEnd != nil { count(ingress: flow.ingress, egress: flow.egress, for: numbers[flow.number]) }
    }

    /// Decides it for all of them, in the order of their numbers.
    private mutating func settleHeld() {
        guard held.count > 0 else { return }
        let candidates = (0..<held.limit).map { (place: $0, number: held[$0].number) }
        for (place, number) in candidates.sorted(by: { $0.number < $1.number }) {
            let numbered = numbers[number]
            if numbered.isHeld, numbered.place == place { settleHeld(at: place) }
        }
        // As many may never come again.
        held = Slab()
    }
}

// MARK: - Late names

extension FlowAggregator {
    /// A number whose flow is to begin anew under other names.
    private struct RenamedFlow {
        let number: UInt32
        let localEnd: InterfaceEnd
        let resolved: ResolvedFlow
    }

    /// Ends the flows of which an end was unknown and is known by now.
    ///
    /// This is the only time that a running flow changes its name, and it happens once: the name that it gets is kept.
    /// It costs a look at every party, and at every number only if any of them became known.
    private mutating func endRenamed() -> [RenamedFlow] {
        guard ledger.refresh(by: resolver) else { return [] }
        var renamed: [RenamedFlow] = []
        for number in 0..<numbers.limit {
            let numbered = numbers[number]
            guard numbered.isReported, let resolved = ledger.renamed(numbered.flow, by: resolver) else { continue }
            renamed.append(RenamedFlow(number: number, localEnd: numbered.localEnd, resolved: resolved))
            ledger.end(numbered.flow)
        }
        return renamed
    }
}

// MARK: - Statistics

extension FlowAggregator {
    /// How much is kept, and what went wrong.
    public struct Statistics: Sendable, Equatable {
        /// Active flows that are reported.
        public var liveFlows = 0
        /// Groups that a record is due for at the next flush.
        public var groups = 0
        /// Numbers of the datapath that are not reported, because neither end is this node's.
        public var unreportedFlows = 0
        /// Numbers of the datapath that are held back until the next flush at the latest, because a name may become known.
        public var heldFlows = 0
        /// Flows that ended in this interval and are kept until its end.
        public var endedFlows = 0
        /// Deltas and ends of numbers that were never born, since the beginning.
        public var unknownNumbers: UInt64 = 0
    }

    /// How many names flows and groups need.
    var nameCounts: NameCounts { ledger.nameCounts }

    /// How much is kept now; O(1).
    public var statistics: Statistics {
        Statistics(
            liveFlows: ledger.liveFlows,
            groups: ledger.groupCount,
            unreportedFlows: waiting.count,
            heldFlows: held.count,
            endedFlows: ledger.endedFlows,
            unknownNumbers: unknownNumbers
        )
    }
}
