public import FlowModel

/// Turns what the datapath counted into flow records: correlates its numbers to flows, folds flows into groups, and
/// reports every group once per interval.
///
/// One flow is one 5-tuple as one reporting endpoint sees it. Which end reports and which end began is decided when the
/// flow begins and holds until it ends; so does the name of its endpoints. Batches and flushes come from one thread.
public struct FlowAggregator: ~Copyable {
    private var resolver: any EndpointResolver
    private var intervalStart: Int64

    private var numbers = NumberTable()
    private var flows = FlowTable()
    private var groups = GroupTable()
    private var folding: Folding
    /// The conversations of numbers that are not reported, because neither end is the host.
    private var waiting = Slab<Conversation>()
    private var unknownNumbers: UInt64 = 0

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - configuration: how much detail is kept.
    ///   - resolver: who owns an address, until ``use(_:)`` says otherwise.
    ///   - startTime: start of the first interval, Unix seconds.
    public init(configuration: FlowLogConfiguration, resolver: any EndpointResolver, startTime: Int64) {
        folding = Folding(configuration: configuration)
        self.resolver = resolver
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
        for index in batch.deltas.indices { add(batch.deltas[index]) }
        for index in batch.ends.indices { end(batch.ends[index]) }
    }

    /// Ends the interval: emits a record for every group that had a flow in it, and begins the next interval.
    ///
    /// - Parameters:
    ///   - endTime: end of the interval, Unix seconds; taken for its start if it is before that.
    ///   - emit: called with each record, groups in the order of their numbers, which is that of their first flows unless numbers are used again.
    public mutating func flush(at endTime: Int64, emit: (borrowing FlowRecord) -> Void) {
        let interval = intervalStart...max(endTime, intervalStart)
        for group in 0..<groups.limit {
            guard let report = groups.endInterval(of: group) else { continue }
            emit(folding.record(of: report, in: interval))
            if report.isLast { folding.release(report.key) }
        }
        while let tuple = flows.forgetNext() { folding.release(tuple) }
        folding.beginInterval()
        intervalStart = interval.upperBound
    }
}

// MARK: - Numbers

extension FlowAggregator {
    private mutating func begin(_ birth: FlowBirth) {
        if numbers[birth.number].isReported || numbers[birth.number].isWaiting { end(birth.number) }
        let conversation = Conversation(birth)
        if let localEnd = birth.key.localEnd(on: birth.role, by: resolver) {
            report(conversation, as: birth.number, localEnd: localEnd)
        } else {
            numbers[birth.number] = NumberedFlow(waitingAt: waiting.insert(conversation), generation: generation)
        }
    }

    private mutating func add(_ delta: FlowDelta) {
        var numbered = numbers[delta.number]
        if !numbered.isReported {
            numbered = reconsidered(delta.number)
            guard numbered.isReported else { return }
        }
        let localIsNear = numbered.localEnd == .near
        groups.add(
            inbound: localIsNear ? delta.egress : delta.ingress,
            outbound: localIsNear ? delta.ingress : delta.egress,
            to: numbered.group
        )
    }

    private mutating func end(_ number: UInt32) {
        let numbered = numbers[number]
        if numbered.isReported {
            release(numbered.flow)
        } else if numbered.isWaiting {
            waiting.remove(numbered.place)
        } else {
            unknownNumbers += 1
        }
        numbers[number] = .unused
    }

    /// Looks again at a number that is not reported, if there is reason to.
    private mutating func reconsidered(_ number: UInt32) -> NumberedFlow {
        let numbered = numbers[number]
        guard numbered.isWaiting else {
            unknownNumbers += 1
            return numbered
        }
        guard numbered.generation != generation else { return numbered }
        let conversation = waiting[numbered.place]
        if let localEnd = Conversation.hostEnd(near: conversation.near, far: conversation.far, by: resolver) {
            waiting.remove(numbered.place)
            report(conversation, as: number, localEnd: localEnd)
        } else {
            numbers[number] = NumberedFlow(waitingAt: numbered.place, generation: generation)
        }
        return numbers[number]
    }

    /// As much of the resolver's generation as a number remembers.
    private var generation: UInt32 { UInt32(truncatingIfNeeded: resolver.generation) }
}

// MARK: - Flows

extension FlowAggregator {
    /// Lets a number count for the flow of a conversation, which begins unless it is running under another number.
    private mutating func report(_ conversation: Conversation, as number: UInt32, localEnd: InterfaceEnd) {
        let flow = flow(of: conversation, localEnd: localEnd)
        let group = flows[flow].group
        if flows.addNumber(to: flow) {
            let isNews = flows.count(.started, of: flow)
            groups.count(in: group) { counts in
                counts.live += 1
                if isNews { counts.started += 1 }
            }
        }
        numbers[number] = NumberedFlow(flow: flow, group: group, localEnd: localEnd)
    }

    /// The flow of a conversation: the active one, the one that ended in this interval in the same group, or a new one.
    private mutating func flow(of conversation: Conversation, localEnd: InterfaceEnd) -> UInt32 {
        let tuple = folding.tuple(of: conversation, localEnd: localEnd)
        let hash = HashIndex.hash(of: tuple)
        if let active = flows.active(tuple, hash: hash) {
            folding.release(tuple)
            return active
        }
        let group = group(of: tuple, conversation, localEnd: localEnd)
        if let ended = flows.ended(tuple, hash: hash, in: group) {
            folding.release(tuple)
            return ended
        }
        groups.count(in: group) { $0.total += 1 }
        return flows.insert(tuple, hash: hash, in: group)
    }

    /// The group that the flow of a conversation is to count for, made if need be.
    private mutating func group(
        of tuple: FlowTuple,
        _ conversation: Conversation,
        localEnd: InterfaceEnd
    ) -> UInt32 {
        let key = folding.key(
            of: tuple,
            local: resolver.endpoint(at: conversation.address(of: localEnd)),
            remote: resolver.endpoint(at: conversation.address(of: localEnd.other)),
            reporter: conversation.initiator == localEnd ? .source : .destination,
            action: .allow
        )
        let group = groups.group(of: key)
        if !group.isNew { folding.release(key) }
        return group.number
    }

    /// Takes a number from a flow, which ends with the last one.
    private mutating func release(_ flow: UInt32) {
        guard flows.removeNumber(from: flow) else { return }
        let isNews = flows.count(.completed, of: flow)
        groups.count(in: flows[flow].group) { counts in
            counts.live -= 1
            if isNews { counts.completed += 1 }
        }
    }
}

// MARK: - Statistics

extension FlowAggregator {
    /// How much is kept, and what went wrong.
    public struct Statistics: Sendable, Equatable {
        /// Active flows that are reported.
        public var liveFlows: Int
        /// Groups that a record is due for at the next flush.
        public var groups: Int
        /// Numbers of the datapath that are not reported, because neither end is the host.
        public var unreportedFlows: Int
        /// Flows that ended in this interval and are kept until its end.
        public var endedFlows: Int
        /// Deltas and ends of numbers that were never born, since the beginning.
        public var unknownNumbers: UInt64
    }

    /// How many addresses and endpoint identities flows and groups name.
    var nameCounts: (addresses: Int, identities: Int) { folding.counts }

    /// How much is kept now; O(1).
    public var statistics: Statistics {
        Statistics(
            liveFlows: flows.live,
            groups: groups.count,
            unreportedFlows: waiting.count,
            endedFlows: flows.count - flows.live,
            unknownNumbers: unknownNumbers
        )
    }
}
