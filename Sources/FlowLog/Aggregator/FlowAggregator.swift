public import FlowModel

/// Makes flow records of the datapath's counts: maps flow identifiers to connections, folds flows into groups, and reports
/// every group once per interval.
///
/// A flow is one 5-tuple as one reporting endpoint sees it, behind address translation. The reporting end and the initiator are
/// determined when the flow begins, and stay the same until it ends. So do the names of its endpoints, with one exception: a
/// name that is not known yet may be set later (``flush(at:emit:)``). Denied packets of a flow make a second flow
/// (FlowAggregator+Denials.swift). Batches and flushes must come from one thread.
public struct FlowAggregator: ~Copyable {
    var resolver: any EndpointResolver
    var evaluator: (any PolicyEvaluator)?
    /// Looks up domain names of destinations; nil if they are not collected.
    public var domains: (any DomainResolver)?
    /// Finds an interface of this host by its index; nil if policies of forwarded traffic are not evaluated.
    public var hostInterface: ((UInt32) -> HostInterface?)?
    /// Whether policies became known after the last flush.
    var gotPolicies = false
    let tracker: (any ConnectionTracker)?
    private var intervalStart: Int64

    var states = FlowStateTable()
    var ledger: FlowLedger
    /// The conversations of flows that are not reported because neither end belongs to this node.
    var waiting = Slab<Conversation>()
    /// Flows that will be reported, but whose names are not known yet.
    var held = Slab<HeldFlow>()
    /// Those of ``held`` that are not at a workload's interface, if policies of forwarded connections are evaluated: the datapath's
    /// identifiers.
    var heldForwards: Set<UInt32> = []
    /// Flows that were in ``heldForwards`` when they ended: their ends are noted when the interval ends.
    var heldEnds: Set<UInt32> = []
    /// How often identifiers of these were used again in this interval.
    var earlySettlements = 0
    /// Flows with denied packets.
    var deniedFlows = Slab<DeniedFlow>()
    /// The places in ``deniedFlows`` that change in the current batch.
    var listed: [UInt32] = []
    /// The indices of denials in the current batch, by flow identifier.
    var denials: [UInt32: Int] = [:]
    var mismatches = VerdictMismatches()
    /// DNS lookups of flows that are about to begin, by the datapath's identifier: at most those of one scan.
    var earlyLookups: [UInt32: [FlowLookup]] = [:]
    /// Workloads that send packets with source addresses of other endpoints.
    var foreign = ForeignSenders()
    var settled = SettledWorld()
    /// Tuples of packets with forged source addresses.
    var forged = ForgedTuples()
    /// Whether connection tracking has ever returned a connection.
    var hasTracked = false
    /// Verdicts that rules of the packet filter logged.
    var logged = LoggedVerdicts()
    /// Whether rules log their verdicts.
    let readsLoggedVerdicts: Bool
    /// Whether only logging rules report denied packets.
    let recordsLoggedDenials: Bool
    /// The name of this host's node; nil if it is not known.
    let node: String?
    /// Flows that are held back for a few batches, until the log entry of their first packet or the flow that they answer may
    /// arrive.
    var awaiting = AwaitedFlows()
    /// The traffic of the flows of ``waiting`` in this interval.
    var transit = TransitTable()
    /// Decisions of host endpoints' policies for forwarded connections.
    var forwardTraces = ForwardTraces()
    /// Denied forwarded flows that are not recorded before the batch ends: the datapath's identifiers, by tuple.
    var unsettledForwards: [TrackedConnection.Tuple: UInt32] = [:]
    var unrecorded = UnrecordedTraffic()
    /// Whether any workload interface has been watched.
    var hasWorkloadInterfaces = false
    /// Traffic of endpoints that is recorded without the other end.
    var remainders = RemainderTable()
    private var levels: FlowLogConfiguration
    /// The levels of the next interval, if they differ.
    var nextLevels: FlowLogConfiguration?
    /// Traffic that the datapath counted in no flow, since the beginning.
    var uncountedFlows = TrafficCounters.zero
    /// The traffic of folded flows, and their number, since the beginning.
    var folded = TrafficCounters.zero
    var foldedFlows: UInt64 = 0
    var unknownFlowIDs: UInt64 = 0
    var unrecordedDenials: UInt64 = 0
    /// The number of intervals that have ended; wraps.
    var intervalNumber: UInt32 = 0
    /// Statistics of sockets whose flows have denied packets, until an interval has a record that they belong to.
    var owedSockets: [UInt32: FlowSocket] = [:]

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - configuration: the detail of records.
    ///   - resolver: resolves addresses, until ``use(_:)-(EndpointResolver)`` replaces it.
    ///   - tracker: returns translated tuples; nil for none: addresses are then used as seen at the interface.
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
        node = configuration.node
        self.resolver = resolver
        self.tracker = tracker
        intervalStart = startTime
    }

    /// Resolves addresses with another snapshot from now on.
    ///
    /// Reported flows keep their names; unreported flows are resolved again with their next delta.
    public mutating func use(_ resolver: any EndpointResolver) {
        self.resolver = resolver
    }

    /// Evaluates these policies from now on; nil if none are known.
    ///
    /// Reported flows keep the enforced policies of their beginning until their verdict changes. Flows that began without known
    /// policies begin again with the next interval.
    public mutating func use(_ evaluator: (any PolicyEvaluator)?) {
        if self.evaluator == nil, evaluator != nil { gotPolicies = true }
        self.evaluator = evaluator
        if let evaluator { settled.begin(with: (resolver, evaluator)) }
    }

    /// Folds records to these levels from the next interval on.
    ///
    /// Running connections continue at the new level and do not count as started again. Their end counts once, in the interval
    /// in which they end. Denied flows keep their level until they end.
    ///
    /// - Parameters:
    ///   - allowed: the level of records of allowed flows.
    ///   - denied: the level of records of denied flows.
    public mutating func setLevels(allowed: AggregationLevel, denied: AggregationLevel) {
        var next = levels
        next.levelForAllowed = allowed
        next.levelForDenied = denied
        nextLevels = (allowed, denied) == (levels.levelForAllowed, levels.levelForDenied) ? nil : next
    }

    /// Returns the workload interfaces, found since the last call, that sent packets with source addresses of other endpoints.
    public mutating func takeForeignSenders() -> [ForeignSender] {
        foreign.take(by: resolver)
    }

    /// Processes a batch of the datapath.
    ///
    /// Changes of unknown flow identifiers are ignored and counted (``Statistics/unknownFlowIDs``). If a flow begins with an
    /// identifier in use, the former flow ends first.
    public mutating func process(_ batch: borrowing FlowBatch) {
        if !batch.births.isEmpty {
            noteDenials(batch.drops)
            if !hasWorkloadInterfaces { hasWorkloadInterfaces = batch.births.contains { $0.role == .workload } }
        }
        let logged = note(batch.verdicts)
        if !batch.births.isEmpty { forged.note(batch.births) }
        forged.note(batch.remainders)
        settleAwaited()
        // Flows whose identifiers are used again end with their own flags.
        for index in batch.births.indices where heldEnds.contains(batch.births[index].flowID) {
            end(batch.births[index].flowID)
        }
        for index in batch.births.indices {
            ledger.beginFlags(TCPFlags(batch.births[index]), of: batch.births[index].flowID)
        }
        begin(batch.births, batch.drops)
        add(batch.flags)
        takeEarlyLookups(of: batch.births)
        for index in batch.births.indices { foreign.begin(batch.births[index], by: resolver) }
        foreign.count(batch.deltas)
        takeIn(batch.drops)
        add(batch.deltas)
        for key in logged { takeIn(key) }
        settleListed()
        addFailures(batch.drops)
        add(batch.sockets)
        takeIn(batch.remainders)
        for index in batch.ends.indices where !endsWithInterval(batch.ends[index]) { end(batch.ends[index]) }
        foreign.end(batch.ends)
    }

    /// Ends the interval, emits a record for every group with a flow in it and for every remainder, and begins the next one.
    ///
    /// Flows that were held back for names are reported in this interval, with the names that are known now. Flows that began
    /// without a name that is known now end in this interval under the old name, and begin again in the next one.
    ///
    /// - Parameters:
    ///   - endTime: end of the interval, Unix seconds; the start of the interval if it is earlier than that.
    ///   - emit: called with each record: first groups, ordered by number (the order of their first flows, unless numbers are
    ///     reused), then remainders, in no order.
    public mutating func flush(at endTime: Int64, emit: (borrowing FlowRecord) -> Void) {
        flush(intervalStart...max(endTime, intervalStart), emit: emit)
    }

    /// Does the same as ``flush(at:emit:)``, with both ends of the interval.
    ///
    /// The given start replaces the stored one, because the clock may have been set.
    ///
    /// - Parameters:
    ///   - interval: the seconds of the interval.
    ///   - hasTime: whether there is time for more records. If given, the interval is the last one, and records of interfaces with
    ///     few records come first; the groups that are left when it returns false are counted in the remainders of their local
    ///     ends.
    ///   - emit: called with each record.
    public mutating func flush(
        _ interval: ClosedRange<Int64>,
        while hasTime: (() -> Bool)? = nil,
        emit: (borrowing FlowRecord) -> Void
    ) {
        settleHeld()
        settleOwedSockets(isLast: hasTime != nil)
        confirmMismatches(after: interval.upperBound - interval.lowerBound)
        let renamed = endRenamed()
        endTransitInterval()
        let resolver = resolver
        func emitNamed(_ record: borrowing FlowRecord) {
            guard let container = record.processes?.container,
                let name = resolver.containerName(of: container)
            else { return emit(record) }
            var named = copy record
            named.namedContainer = name
            emit(named)
        }
        let domains = domains.map { ledger.domains(by: $0, isOwn: resolver.isOwn) } ?? []
        if let hasTime {
            let late = ledger.endLastInterval(
                interval,
                policies: evaluator,
                names: names,
                domains: domains,
                while: hasTime,
                emit: emitNamed
            )
            for group in late { takeIn(group) }
        } else {
            ledger.endInterval(interval, policies: evaluator, names: names, domains: domains, emit: emitNamed)
        }
        let levels = levels
        let leftovers = remainders.endInterval(
            level: { levels.level(for: $0) },
            resolver: resolver,
            interval: interval,
            emit: emitNamed
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
        intervalNumber &+= 1
        logged.endInterval()
        earlyLookups.removeAll()
        earlySettlements = 0
        for flow in renamed { begin(flow) }
        giveMemoryBack()
    }
}

// MARK: - Datapath flows

extension FlowAggregator {
    /// Adds the deltas of a batch; the hot path, in its own function so that it can use all registers.
    @inline(never)
    private mutating func add(_ deltas: borrowing [FlowDelta]) {
        for index in deltas.indices {
            let delta = deltas[index]
            if let reported = states.reported(delta.flowID) {
                count(ingress: delta.ingress, egress: delta.egress, for: reported)
            } else {
                // Fields are passed one by one: a delta whose address is taken would be written to memory.
                addToUnreported(delta.flowID, ingress: delta.ingress, egress: delta.egress)
            }
        }
    }

    mutating func count(ingress: TrafficCounters, egress: TrafficCounters, for flow: ReportedFlow) {
        let localIsNear = flow.localEnd == .near
        ledger.add(
            inbound: localIsNear ? egress : ingress,
            outbound: localIsNear ? ingress : egress,
            to: flow.flow,
            in: flow.group
        )
    }

    mutating func end(_ flowID: UInt32) {
        let isLate = !heldEnds.isEmpty && heldEnds.remove(flowID) != nil
        if case .held(let place, _) = states[flowID] {
            let conversation = held[place].conversation
            settleHeld(at: place)
            if isLate { settleOtherInterface(of: conversation) }
            settleListed()
        }
        switch states[flowID] {
        case .reported(let flow): ledger.end(flow.flow)
        case .denied(let place): endDenied(at: place)
        case .waiting(let place, _): removeWaiting(at: place)
        case .folded(let flow): end(flow)
        case .held, .unused: unknownFlowIDs += 1
        }
        states[flowID] = .unused
    }

    /// Begins a flow again under its new name, with its former verdict.
    private mutating func begin(_ renamed: RenamedFlow) {
        defer { handOn(renamed.process, to: renamed.flowID, localEnd: renamed.localEnd) }
        if case .denied(let place) = states[renamed.flowID] {
            rename(deniedAt: place, to: renamed.resolved)
        } else {
            report(renamed.resolved, as: renamed.flowID, localEnd: renamed.localEnd, for: renamed.share)
        }
    }

    /// Whether an end of a conversation has no name yet, and may get one soon.
    func isUnnamed(_ conversation: Conversation) -> Bool {
        conversation.mayBecomeKnown(by: resolver)
    }

    /// The part of the resolver's generation that is stored in a flow's state.
    var generation: UInt32 { UInt32(truncatingIfNeeded: resolver.generation) }
}

// MARK: - Flows that are not reported, or not yet

extension FlowAggregator {
    /// Adds traffic to a flow that is not reported, and resolves it again if names have changed.
    private mutating func addToUnreported(_ flowID: UInt32, ingress: TrafficCounters, egress: TrafficCounters) {
        switch states[flowID] {
        case .held(let place, let known):
            held[place].add(ingress: ingress, egress: egress)
            guard known != generation else { return }
            if isUnnamed(held[place].conversation) {
                states[flowID] = .held(place: place, generation: generation)
            } else {
                settleHeld(at: place)
            }
        case .denied(let place):
            addToDenied(at: place, ingress: ingress, egress: egress)
        case .waiting(let place, let known):
            if known != generation { reconsider(flowID, at: place) }
            if let reported = states.reported(flowID) {
                count(ingress: ingress, egress: egress, for: reported)
            } else {
                addToTransit(ingress: ingress, egress: egress, at: place)
            }
        case .folded(let flow):
            add(ingress: ingress, egress: egress, to: flow)
        case .reported(let flow):
            count(ingress: ingress, egress: egress, for: flow)
        case .unused:
            unknownFlowIDs += 1
            unrecorded.unknown += ingress + egress
        }
    }

    private mutating func addToDenied(at place: UInt32, ingress: TrafficCounters, egress: TrafficCounters) {
        deniedFlows[place].changes.ingress += ingress
        deniedFlows[place].changes.egress += egress
        list(place)
    }

    /// Resolves a waiting flow again.
    private mutating func reconsider(_ flowID: UInt32, at place: UInt32) {
        var conversation = waiting[place]
        if let localEnd = localEnd(of: &conversation) ?? forwardEnd(of: &conversation, as: flowID) {
            removeWaiting(at: place)
            settle(conversation, as: flowID, localEnd: localEnd)
        } else {
            waiting[place] = conversation
            states[flowID] = .waiting(place: place, generation: generation)
        }
    }

    /// Decides how to report a flow that was held back, with the current inventory.
    ///
    /// A flow with denied packets is added to the list and settled at the end of the batch; denials of other flows may be
    /// incomplete until then.
    mutating func settleHeld(at place: UInt32) {
        let flow = held[place]
        held.remove(place)
        heldForwards.remove(flow.flowID)
        release(DetailCost.held, from: flow.conversation.share)
        var conversation = flow.conversation
        var localEnd = localEnd(of: &conversation)
        settleAnswer(&conversation)
        if let destination = flow.drops.lazy.compactMap(\.destination).first {
            conversation.redirect(to: destination)
            localEnd = conversation.localEnd(by: resolver)
        }
        localEnd = localEnd ?? forwardEnd(of: &conversation, as: flow.flowID)
        if let localEnd, !flow.drops.isEmpty || isDeniedByLog(conversation, localEnd) {
            trackDenials(of: conversation, as: flow.flowID, localEnd: localEnd)
            takeInLogged(of: flow.flowID)
        } else {
            settle(conversation, as: flow.flowID, localEnd: localEnd)
        }
        for drop in flow.drops { takeIn(drop) }
        defer { for socket in flow.sockets { add(socket) } }
        switch states[flow.flowID] {
        case .reported(let reported):
            count(ingress: flow.ingress, egress: flow.egress, for: reported)
        case .denied(let place):
            addToDenied(at: place, ingress: flow.ingress, egress: flow.egress)
        case .waiting(let place, _):
            addToTransit(ingress: flow.ingress, egress: flow.egress, at: place)
        case .folded(let folded):
            add(ingress: flow.ingress, egress: flow.egress, to: folded)
        case .held, .unused:
            break
        }
    }

    /// Decides how to report all flows that are held back, in the order of their numbers.
    mutating func settleHeld() {
        guard held.count > 0 || !heldEnds.isEmpty else { return }
        let candidates = (0..<held.limit).map { (place: $0, flowID: held[$0].flowID) }
        for (place, flowID) in candidates.sorted(by: { $0.flowID < $1.flowID }) {
            if case .held(place, _) = states[flowID] { settleHeld(at: place) }
        }
        settleListed()
        // Frees the memory: so many flows may never be held back again.
        held = Slab()
        heldForwards = []
        for flowID in heldEnds.sorted() { end(flowID) }
    }
}
