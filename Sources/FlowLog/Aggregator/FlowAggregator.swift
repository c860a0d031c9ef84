public import FlowModel

/// Turns what the datapath counted into flow records: correlates its numbers to flows, folds flows into groups, and
/// reports every group once per interval.
///
/// One flow is one 5-tuple as one reporting endpoint sees it, behind address translation. Which end reports and which end
/// began is decided when the flow begins and holds until it ends; so does the name of its endpoints, with one exception:
/// a name that is not known yet may come late (``flush(at:emit:)``). What is denied of a flow makes another flow of it
/// (FlowAggregator+Judging.swift). Batches and flushes come from one thread.
public struct FlowAggregator: ~Copyable {
    var resolver: any EndpointResolver
    var evaluator: (any PolicyEvaluator)?
    /// Whether policies are known since the last flush, and were not before.
    private var gotPolicies = false
    let tracker: (any ConnectionTracker)?
    private var intervalStart: Int64

    var numbers = NumberTable()
    var ledger: FlowLedger
    /// The conversations of numbers that are not reported, because neither end is this node's.
    var waiting = Slab<Conversation>()
    /// Flows that are going to be reported, but under which names is not known yet.
    var held = Slab<HeldFlow>()
    /// Flows with denied packets.
    var judged = Slab<JudgedFlow>()
    /// The places of those in ``judged`` that change in the batch.
    var listed: [UInt32] = []
    /// The places of denials in the batch, by number.
    var denials: [UInt32: Int] = [:]
    var mismatches = VerdictMismatches()
    /// Senders under addresses of others.
    var foreign = ForeignSenders()
    var settled = SettledWorld()
    /// Entries that rules of the packet filter logged.
    var logged = LoggedVerdicts()
    /// Whether rules are logged at all.
    let readsLoggedVerdicts: Bool
    /// Whether denied packets are known from logging rules alone.
    let recordsLoggedDenials: Bool
    /// Numbers that are held back for a few batches, because what is logged of their first packet comes later than they do.
    var awaiting = AwaitedNumbers()
    /// What the numbers of ``waiting`` carried in this interval.
    var transit = TransitTable()
    var unrecorded = UnrecordedTraffic()
    /// Whether interfaces of workloads have been watched.
    var hasWorkloadInterfaces = false
    /// Traffic of endpoints without the other end.
    var remainders = RemainderTable()
    private var levels: FlowLogConfiguration
    /// The levels of the next interval, if they are others.
    private var nextLevels: FlowLogConfiguration?
    /// What the datapath counted in no flow, since the beginning.
    var uncountedFlows = TrafficCounters.zero
    /// What numbers carried that count for a remainder, since the beginning, and how many they were.
    var folded = TrafficCounters.zero
    var foldedFlows: UInt64 = 0
    var unknownNumbers: UInt64 = 0
    var unrecordedDenials: UInt64 = 0

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - configuration: how much detail is kept.
    ///   - resolver: resolves addresses, until ``use(_:)-(EndpointResolver)`` replaces it.
    ///   - tracker: has translated tuples; nil if there is none: addresses are then taken as they were seen.
    ///   - startTime: start of the first interval, Unix seconds.
    public init(
        configuration: FlowLogConfiguration,
        resolver: any EndpointResolver,
        tracker: (any ConnectionTracker)?,
        startTime: Int64
    ) {
        ledger = FlowLedger(configuration: configuration)
        levels = configuration
        readsLoggedVerdicts = configuration.readsLoggedVerdicts
        recordsLoggedDenials = configuration.recordsLoggedDenials
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

    /// Evaluates these policies from now on; nil if none are known.
    ///
    /// Flows that are reported keep the enforced policies of their beginning until their verdict changes; those that
    /// began without known policies begin anew with the next interval.
    public mutating func use(_ evaluator: (any PolicyEvaluator)?) {
        if self.evaluator == nil, evaluator != nil { gotPolicies = true }
        self.evaluator = evaluator
        if let evaluator { settled.begin(with: (resolver, evaluator)) }
    }

    /// Folds records to these levels from the next interval on.
    ///
    /// Connections that are running go on under the new level. They do not count as begun again; their end, which counts
    /// once, is counted in the interval that ends. What is denied keeps its level until it ends.
    ///
    /// - Parameters:
    ///   - allowed: the level of records of allowed flows.
    ///   - denied: that of denied ones.
    public mutating func setLevels(allowed: AggregationLevel, denied: AggregationLevel) {
        var next = levels
        next.levelForAllowed = allowed
        next.levelForDenied = denied
        nextLevels = (allowed, denied) == (levels.levelForAllowed, levels.levelForDenied) ? nil : next
    }

    /// Workloads' interfaces with packets from addresses of others, found since the last call.
    public mutating func takeForeignSenders() -> [ForeignSender] {
        foreign.take(by: resolver)
    }

    /// Takes in a batch of the datapath.
    ///
    /// Changes of numbers that were never born are ignored and counted (``Statistics/unknownNumbers``); the birth of a
    /// number that has not ended ends it first.
    public mutating func process(_ batch: borrowing FlowBatch) {
        if !batch.births.isEmpty {
            noteDenials(batch.drops)
            if !hasWorkloadInterfaces { hasWorkloadInterfaces = batch.births.contains { $0.role == .workload } }
        }
        let logged = note(batch.verdicts)
        settleAwaited()
        begin(batch.births, batch.drops)
        for index in batch.births.indices { foreign.begin(batch.births[index], by: resolver) }
        foreign.count(batch.deltas)
        takeIn(batch.drops)
        add(batch.deltas)
        for key in logged { takeIn(key) }
        settleListed()
        addTrouble(batch.drops)
        add(batch.sockets)
        takeIn(batch.remainders)
        for index in batch.ends.indices { end(batch.ends[index]) }
        foreign.end(batch.ends)
    }

    /// Ends the interval: emits a record for every group that had a flow in it, and for every remainder, and begins the
    /// next interval.
    ///
    /// Flows whose names were waited for are reported in it with what is known now. Flows that began under no name, and
    /// whose names are known by now, end in it under the old name; they begin anew in the next one.
    ///
    /// - Parameters:
    ///   - endTime: end of the interval, Unix seconds; taken for its start if it is before that.
    ///   - emit: called with each record, groups in the order of their numbers, which is that of their first flows unless numbers are used again,
    ///     then remainders in no order.
    public mutating func flush(at endTime: Int64, emit: (borrowing FlowRecord) -> Void) {
        flush(intervalStart...max(endTime, intervalStart), emit: emit)
    }

    /// As ``flush(at:emit:)``, with both ends of the interval: the start replaces the noted one, as the clock may have
    /// been set.
    ///
    /// - Parameters:
    ///   - interval: the seconds it was.
    ///   - hasTime: whether there is time for more records. If given, records of interfaces with few come first; the groups that are left when
    ///     it returns false are in the remainders of their local ends.
    ///   - emit: called with each record.
    public mutating func flush(
        _ interval: ClosedRange<Int64>,
        while hasTime: (() -> Bool)? = nil,
        emit: (borrowing FlowRecord) -> Void
    ) {
        settleHeld()
        confirmMismatches(after: interval.upperBound - interval.lowerBound)
        let renamed = endRenamed()
        endTransitInterval()
        if let hasTime {
            for group in ledger.endLastInterval(interval, policies: evaluator, while: hasTime, emit: emit) {
                takeIn(group)
            }
        } else {
            ledger.endInterval(interval, policies: evaluator, emit: emit)
        }
        let levels = levels
        let leftovers = remainders.endInterval(
            level: { levels.level(for: $0) },
            resolver: resolver,
            interval: interval,
            emit: emit
        )
        if let nextLevels {
            self.levels = nextLevels
            ledger.folding.use(nextLevels)
            self.nextLevels = nil
        }
        unrecordedDenials += leftovers.denials
        unrecorded.transit += leftovers.transit
        unrecorded.elsewhere += leftovers.elsewhere
        intervalStart = interval.upperBound
        logged.endInterval()
        for flow in renamed { begin(flow) }
        giveMemoryBack()
    }
}

// MARK: - Numbers

extension FlowAggregator {
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

    mutating func count(ingress: TrafficCounters, egress: TrafficCounters, for numbered: NumberedFlow) {
        let localIsNear = numbered.localEnd == .near
        ledger.add(
            inbound: localIsNear ? egress : ingress,
            outbound: localIsNear ? ingress : egress,
            to: numbered.group
        )
    }

    mutating func end(_ number: UInt32) {
        if numbers[number].isHeld {
            settleHeld(at: numbers[number].place)
            settleListed()
        }
        let numbered = numbers[number]
        if numbered.isReported {
            ledger.end(numbered.flow)
        } else if numbered.isJudged {
            endJudged(at: numbered.place)
        } else if numbered.isWaiting {
            removeWaiting(at: numbered.place)
        } else if numbered.isFolded {
            endFolded(numbered)
        } else {
            unknownNumbers += 1
        }
        numbers[number] = .unused
    }

    /// Makes a number count for its flow under its new name, with the verdict that it had.
    private mutating func begin(_ renamed: RenamedFlow) {
        let place = numbers[renamed.number].place
        if numbers[renamed.number].isJudged {
            rename(judgedAt: place, to: renamed.resolved)
        } else {
            report(renamed.resolved, as: renamed.number, localEnd: renamed.localEnd, for: renamed.share)
        }
    }

    /// Whether an end of a conversation has no name, and may get one soon.
    func isUnnamed(_ conversation: Conversation) -> Bool {
        conversation.mayBecomeKnown(by: resolver)
    }

    /// As much of the resolver's generation as a number remembers.
    var generation: UInt32 { UInt32(truncatingIfNeeded: resolver.generation) }
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
        } else if numbered.isJudged {
            judged[numbered.place].news.ingress += ingress
            judged[numbered.place].news.egress += egress
            list(numbered.place)
        } else if numbered.isWaiting {
            if numbered.generation != generation { reconsider(number) }
            let now = numbers[number]
            if now.isReported {
                count(ingress: ingress, egress: egress, for: now)
            } else {
                addToTransit(ingress: ingress, egress: egress, at: now.place)
            }
        } else if numbered.isFolded {
            addToFolded(numbered, ingress: ingress, egress: egress)
        } else {
            unknownNumbers += 1
            unrecorded.unknown += ingress + egress
        }
    }

    /// Looks again at a number that waits.
    private mutating func reconsider(_ number: UInt32) {
        let place = numbers[number].place
        var conversation = waiting[place]
        if let localEnd = localEnd(of: &conversation) {
            removeWaiting(at: place)
            settle(conversation, as: number, localEnd: localEnd)
        } else {
            waiting[place] = conversation
            numbers[number] = NumberedFlow(waitingAt: place, generation: generation)
        }
    }

    /// Decides what becomes of a flow that was held back, with what is known now.
    ///
    /// A flow with denied packets is listed, and settled with the rest of the batch: denials of other numbers may be
    /// incomplete until then.
    mutating func settleHeld(at place: UInt32) {
        let flow = held[place]
        held.remove(place)
        release(DetailCost.held, from: flow.conversation.share)
        var conversation = flow.conversation
        var localEnd = localEnd(of: &conversation)
        if let destination = flow.drops.lazy.compactMap(\.destination).first {
            conversation.redirect(to: destination)
            localEnd = conversation.localEnd(by: resolver)
        }
        if let localEnd, !flow.drops.isEmpty || isDeniedByLog(conversation, localEnd) {
            judge(conversation, as: flow.number, localEnd: localEnd)
            takeInLogged(of: flow.number)
        } else {
            settle(conversation, as: flow.number, localEnd: localEnd)
        }
        for drop in flow.drops { takeIn(drop) }
        defer { for socket in flow.sockets { add(socket) } }
        let numbered = numbers[flow.number]
        if numbered.isReported {
            count(ingress: flow.ingress, egress: flow.egress, for: numbered)
        } else if numbered.isJudged {
            judged[numbered.place].news.ingress += flow.ingress
            judged[numbered.place].news.egress += flow.egress
            list(numbered.place)
        } else if numbered.isWaiting {
            addToTransit(ingress: flow.ingress, egress: flow.egress, at: numbered.place)
        }
    }

    /// Decides it for all of them, in the order of their numbers.
    private mutating func settleHeld() {
        guard held.count > 0 else { return }
        let candidates = (0..<held.limit).map { (place: $0, number: held[$0].number) }
        for (place, number) in candidates.sorted(by: { $0.number < $1.number }) {
            let numbered = numbers[number]
            if numbered.isHeld, numbered.place == place { settleHeld(at: place) }
        }
        settleListed()
        // As many may never come again.
        held = Slab()
    }
}

// MARK: - Late names

extension FlowAggregator {
    /// A number whose flow is to begin anew under other names or policies.
    private struct RenamedFlow {
        let number: UInt32
        let localEnd: InterfaceEnd
        let resolved: ResolvedFlow
        let share: UInt16
    }

    /// Ends flows with an end or policies that were unknown and are known by now, and flows of other levels than
    /// the next interval's.
    ///
    /// This is the only time that a running flow changes its name, and it happens once: the name that it gets is kept.
    /// It costs a look at every party, and at every number only if any of them became known, or the levels change.
    private mutating func endRenamed() -> [RenamedFlow] {
        let gotNames = ledger.refresh(by: resolver)
        guard gotNames || gotPolicies || nextLevels != nil else { return [] }
        defer { gotPolicies = false }
        var renamed: [RenamedFlow] = []
        for number in 0..<numbers.limit {
            let numbered = numbers[number]
            if numbered.isJudged, let resolved = endRenamed(judgedAt: numbered.place) {
                let (localEnd, share) = (judged[numbered.place].localEnd, judged[numbered.place].share)
                renamed.append(RenamedFlow(number: number, localEnd: localEnd, resolved: resolved, share: share))
            }
            guard numbered.isReported else { continue }
            var resolved = ledger.renamed(numbered.flow, by: resolver)
            if gotPolicies, resolved == nil, let unexplained = ledger.unexplained(numbered.flow) {
                resolved = trace(of: unexplained) == nil ? nil : unexplained
            }
            if let nextLevels, resolved == nil { resolved = ledger.refolded(numbered.flow, to: nextLevels) }
            guard let resolved else { continue }
            let share = ledger.share(of: numbered.flow)
            renamed.append(
                RenamedFlow(number: number, localEnd: numbered.localEnd, resolved: resolved, share: share)
            )
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
        /// Deltas, drops and ends of numbers that were never born, since the beginning.
        public var unknownNumbers: UInt64 = 0
        /// Numbers of the datapath with denied packets.
        public var judgedFlows = 0
        /// Denied packets that are in no record, since the beginning: neither end was this node's, or the packets that were
        /// counted were fewer than those that were denied.
        public var unrecordedDenials: UInt64 = 0
        /// What the datapath counted in no flow, since the beginning: it is in records without its other end.
        public var remainder = TrafficCounters.zero
        /// Flows that were counted in the remainder of their endpoint for lack of memory, since the beginning.
        public var foldedFlows: UInt64 = 0
        /// What they carried.
        public var folded = TrafficCounters.zero
        /// Flows in records with less detail than their level, for lack of memory, since the beginning.
        public var coarseFlows: UInt64 = 0
        /// The bytes that all that is kept is counted to take.
        public var memory = 0
        /// Traffic that is in no record, since the beginning; of flows that go on, until the last flush.
        public var unrecorded = UnrecordedTraffic()
        /// Connections that policies allow and the datapath denied, since the beginning.
        public var unexpectedDenials: UInt64 = 0
        /// Connections that policies deny and the datapath allowed, since the beginning.
        public var unexpectedAllowances: UInt64 = 0
        /// Packets that workloads sent under addresses of others, since the beginning.
        public var foreignPackets: UInt64 = 0
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
            unknownNumbers: unknownNumbers,
            judgedFlows: judged.count,
            unrecordedDenials: unrecordedDenials + logged.lost,
            remainder: uncountedFlows,
            foldedFlows: foldedFlows,
            folded: folded,
            coarseFlows: ledger.coarseFlows,
            memory: usedMemory,
            unrecorded: unrecorded,
            unexpectedDenials: mismatches.denied,
            unexpectedAllowances: mismatches.allowed,
            foreignPackets: foreign.packets
        )
    }
}
