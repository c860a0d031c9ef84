import FlowModel

/// Verdicts: how the traffic of a flow with denied packets is divided between records.
extension FlowAggregator {
    /// Records the batch's changes of flows with denied packets.
    mutating func settleListed() {
        guard !listed.isEmpty else { return }
        for place in listed { settle(at: place) }
        listed.removeAll(keepingCapacity: true)
        if !unsettledForwards.isEmpty { unsettledForwards.removeAll(keepingCapacity: true) }
    }

    private mutating func settle(at place: UInt32) {
        decide(at: place)
        let changes = deniedFlows[place].changes
        // A drop that is reported before its count is recorded later, with its own reason.
        deniedFlows[place].changes = DeniedFlow.Changes(reason: changes.reason)
        let isNear = deniedFlows[place].initiator == .near
        let sent = isNear ? changes.ingress : changes.egress
        let denials = changes.forward.counted + changes.forward.uncounted
        let isDenied = deniedFlows[place].isDenied
        switch deniedFlows[place].decider {
        case .nobody, .otherInterface: unrecordedDenials += denials.packets
        case .own, .otherEnd, .entryInterface: deniedFlows[place].forward.deny(changes.forward.counted)
        }
        // If the flow was allowed before, the denied packets are the last ones; if it was denied before, the first ones.
        let later = deniedFlows[place].own?.action == .allow && isNear ? changes.later : .zero
        var (allowed, denied) = deniedFlows[place].forward.split(sent, isDenied: isDenied, later: later)
        if let reporter = deniedFlows[place].otherEndReporter {
            let isOver = allowed.packets > 0 && denied.packets == 0
            recordAtOtherEnd(denials, for: reporter, changes.reason, isOver: isOver, at: place)
            (allowed, denied) = (sent, .zero)
        } else {
            denied += changes.forward.uncounted
        }
        if !deniedFlows[place].isReported {
            // The receiving end never got these packets.
            unrecordedDenials += changes.backward.counted.packets + changes.backward.uncounted.packets
            if let place = deniedFlows[place].waitingPlace {
                addToTransit(ingress: changes.ingress, egress: changes.egress, at: place)
            }
        } else {
            record(allowed, denied, answers: isNear ? changes.egress : changes.ingress, changes, at: place)
        }
        closeIfOver(place)
    }

    /// Records the traffic that the flow's own end sent and received.
    private mutating func record(
        _ allowed: TrafficCounters,
        _ denied: TrafficCounters,
        answers: TrafficCounters,
        _ changes: DeniedFlow.Changes,
        at place: UInt32
    ) {
        deniedFlows[place].backward.deny(changes.backward.counted)
        let (answers, countedDenials) = deniedFlows[place].backward.split(answers, isDenied: false)
        let deniedAnswers = countedDenials + changes.backward.uncounted
        switch (allowed.packets > 0, denied != .zero) {
        case (false, false):
            // Answers alone do not show the verdict. Without packets and without a denial there is nothing to record.
            if deniedFlows[place].own == nil {
                let isAtOtherEnd = deniedFlows[place].otherEndReporter != nil
                if isAtOtherEnd, allowed == .zero, answers == .zero { break }
                setVerdict(
                    isAtOtherEnd || deniedFlows[place].forward.owed == .zero ? .allow : .deny,
                    changes.reason,
                    at: place
                )
            }
            add(sent: allowed, answers, at: place)
        case (true, false):
            setVerdict(.allow, nil, at: place)
            add(sent: allowed, answers, at: place)
        case (false, true):
            setVerdict(.deny, changes.reason, at: place)
            add(sent: denied + allowed, answers, at: place)
            addDrop(sent: denied.packets, changes.reason, at: place)
        case (true, true):
            if deniedFlows[place].own?.action == .deny {
                recordOnce(.allow, sent: allowed, answers, nil, at: place)
            } else {
                setVerdict(.allow, nil, at: place)
                add(sent: allowed, answers, at: place)
            }
            setVerdict(.deny, changes.reason, at: place)
            add(sent: denied, .zero, at: place)
            addDrop(sent: denied.packets, changes.reason, at: place)
        }
        if deniedAnswers != .zero { recordOnce(.deny, sent: .zero, deniedAnswers, changes.reason, at: place) }
    }

    /// Records denied packets for the end that the flow is not reported for.
    private mutating func recordAtOtherEnd(
        _ denied: TrafficCounters,
        for reporter: FlowReporter,
        _ reason: DropReason?,
        isOver: Bool,
        at place: UInt32
    ) {
        if denied == .zero {
            if isOver { endOtherEnd(at: place) }
            return
        }
        let connection = deniedFlows[place].withVerdict(.deny, by: reporter)
        if let running = deniedFlows[place].otherEnd, !ledger.isRunning(connection, as: running.flow) {
            endOtherEnd(at: place)
        }
        let running = deniedFlows[place].otherEnd ?? begin(connection, reason, at: place)
        deniedFlows[place].otherEnd = running
        ledger.noteTry(of: running.flow)
        // A host endpoint that forwards has the view of the responder.
        let isInbound = reporter != .source
        ledger.add(
            inbound: isInbound ? denied : .zero,
            outbound: isInbound ? .zero : denied,
            to: running.flow,
            in: running.group
        )
        guard let reason else { return }
        ledger.drop(
            inbound: isInbound ? denied.packets : 0,
            outbound: isInbound ? 0 : denied.packets,
            reason,
            of: running.flow,
            in: running.group
        )
    }

    mutating func endOtherEnd(at place: UInt32) {
        guard let running = deniedFlows[place].otherEnd else { return }
        ledger.end(running.flow)
        deniedFlows[place].otherEnd = nil
    }
}

// MARK: - The flow of the reporting end

extension FlowAggregator {
    private mutating func begin(_ connection: ResolvedFlow, _ reason: DropReason?, at place: UInt32) -> LedgerFlow {
        let begun = ledger.begin(connection, as: deniedFlows[place].flowID, for: deniedFlows[place].share)
        if begun.isNew { compare(connection, reason: reason) }
        if connection.reporter == deniedFlows[place].connection.reporter { addProcess(to: begun, at: place) }
        return begun
    }

    /// Assigns a flow of the reporting end to the process that owns the end's socket, if that is known.
    mutating func addProcess(to flow: LedgerFlow, at place: UInt32) {
        let denied = deniedFlows[place]
        guard let process = denied.process else { return }
        let isNear = denied.localEnd == .near
        let owner = FlowSocket(flowID: denied.flowID, isNear: isNear, statistics: nil, process: process)
        ledger.add(owner, to: flow.flow, in: flow.group)
    }

    /// Sets the verdict under which the datapath flow counts; a flow with another verdict ends.
    ///
    /// Denied packets are evaluated against the current policies; so is the first packet after denied packets. An allowed flow
    /// keeps the trace of its beginning.
    private mutating func setVerdict(_ action: FlowAction, _ reason: DropReason?, at place: UInt32) {
        if action == .allow { trackAgain(at: place) }
        decide(at: place)
        let own = deniedFlows[place].own
        if own?.action == action, action == .allow || deniedFlows[place].isOwnCurrent { return }
        let connection = deniedFlows[place].withVerdict(action, by: deniedFlows[place].connection.reporter)
        if let own {
            let isRunning = own.action == action && ledger.isRunning(connection, as: own.flow)
            deniedFlows[place].isOwnCurrent = isRunning
            if isRunning { return }
            if connection.reporter == .forward, let moved = ledger.moveUnused(own.flow, to: connection) {
                deniedFlows[place].own = moved
                deniedFlows[place].isOwnCurrent = true
                return
            }
            ledger.end(own.flow)
        }
        deniedFlows[place].own = begin(connection, reason, at: place)
        deniedFlows[place].isOwnCurrent = true
    }

    /// Records traffic under another verdict without changing the flow's verdict.
    private mutating func recordOnce(
        _ action: FlowAction,
        sent: TrafficCounters,
        _ answers: TrafficCounters,
        _ reason: DropReason?,
        at place: UInt32
    ) {
        let reporter = deniedFlows[place].connection.reporter
        let begun = begin(deniedFlows[place].withVerdict(action, by: reporter), reason, at: place)
        deniedFlows[place].noteCounted(for: begun, in: intervalNumber)
        ledger.noteTry(of: begun.flow)
        let isSource = reporter == .source
        ledger.add(
            inbound: isSource ? answers : sent,
            outbound: isSource ? sent : answers,
            to: begun.flow,
            in: begun.group
        )
        if action == .deny, let reason {
            ledger.drop(
                inbound: isSource ? answers.packets : sent.packets,
                outbound: isSource ? sent.packets : answers.packets,
                reason,
                of: begun.flow,
                in: begun.group
            )
        }
        ledger.end(begun.flow)
    }

    private mutating func add(sent: TrafficCounters, _ answers: TrafficCounters, at place: UInt32) {
        guard let own = deniedFlows[place].own else { return }
        if sent.packets + answers.packets > 0 { deniedFlows[place].noteCounted(for: own, in: intervalNumber) }
        if sent != .zero || answers != .zero { ledger.noteTry(of: own.flow) }
        let isSource = deniedFlows[place].connection.reporter == .source
        ledger.add(inbound: isSource ? answers : sent, outbound: isSource ? sent : answers, to: own.flow, in: own.group)
    }

    private mutating func addDrop(sent packets: UInt64, _ reason: DropReason?, at place: UInt32) {
        guard let own = deniedFlows[place].own, let reason else { return }
        let isSource = deniedFlows[place].connection.reporter == .source
        ledger.drop(
            inbound: isSource ? 0 : packets,
            outbound: isSource ? packets : 0,
            reason,
            of: own.flow,
            in: own.group
        )
    }

    /// Queries connection tracking again for a connection's destination; there is no entry while packets are denied.
    private mutating func trackAgain(at place: UInt32) {
        guard let called = deniedFlows[place].called, deniedFlows[place].connection.reporter == .source else { return }
        deniedFlows[place].called = nil
        var packets = deniedFlows[place].connection.packets
        packets.destination = called.address
        packets.destinationPort = called.port
        guard let reply = tracker?.connection(of: packets)?.reply else { return }
        let destination = FlowDrop.Destination(address: reply.source, port: reply.sourcePort)
        deniedFlows[place].connection.redirect(to: destination, by: resolver)
        deniedFlows[place].evaluation = nil
    }

    /// Counts packets that were dropped without a decision.
    mutating func addFailures(_ drops: borrowing [FlowDrop]) {
        for index in drops.indices {
            guard let reason = drops[index].failureReason else { continue }
            let failures = drops[index].failures
            let localEnd: InterfaceEnd
            let (flow, group): (UInt32, UInt32)
            switch states[drops[index].flowID] {
            case .reported(let reported):
                (localEnd, flow, group) = (reported.localEnd, reported.flow, reported.group)
            case .denied(let place):
                guard let own = deniedFlows[place].own else { continue }
                (localEnd, flow, group) = (deniedFlows[place].localEnd, own.flow, own.group)
                ledger.noteTry(of: flow)
            case .folded(let folded):
                let isNear = folded.localEnd == .near
                remainders[folded.place].drop(
                    sent: isNear ? failures.ingress : failures.egress,
                    got: isNear ? failures.egress : failures.ingress,
                    reason
                )
                continue
            case .waiting, .held, .unused:
                continue
            }
            let isNear = localEnd == .near
            ledger.drop(
                inbound: isNear ? failures.egress : failures.ingress,
                outbound: isNear ? failures.ingress : failures.egress,
                reason,
                of: flow,
                in: group
            )
        }
    }
}

// MARK: - End

extension FlowAggregator {
    /// Stops tracking a flow that has no denied packets any more.
    private mutating func closeIfOver(_ place: UInt32) {
        let flow = deniedFlows[place]
        guard flow.otherEnd == nil, flow.forward.owed == .zero, flow.backward.owed == .zero else { return }
        if let waitingPlace = flow.waitingPlace {
            // The ends were not compared with the current addresses of this node while denials were tracked.
            states[flow.flowID] = .waiting(place: waitingPlace, generation: generation &- 1)
        } else if let own = flow.own, own.action == .allow {
            states[flow.flowID] = .reported(ReportedFlow(flow: own.flow, group: own.group, localEnd: flow.localEnd))
        } else {
            return
        }
        settleOwedSocket(at: place, isLast: true)
        release(DetailCost.denied, from: flow.share)
        deniedFlows.remove(place)
    }

    /// Ends a flow with denied packets.
    mutating func endDenied(at place: UInt32) {
        settleOwedSocket(at: place, isLast: true)
        let flow = deniedFlows[place]
        if let own = flow.own { ledger.end(own.flow) }
        endOtherEnd(at: place)
        if let waitingPlace = flow.waitingPlace { removeWaiting(at: waitingPlace) }
        if flow.otherEndReporter == nil { unrecordedDenials += flow.forward.owed.packets }
        unrecordedDenials += flow.backward.owed.packets
        release(DetailCost.denied, from: flow.share)
        deniedFlows.remove(place)
    }

    /// Ends the ledger's flows of a flow with denied packets if an end was unknown when they began and is known now.
    ///
    /// - Returns: the connection under its new names.
    mutating func endRenamed(deniedAt place: UInt32) -> ResolvedFlow? {
        let flow = deniedFlows[place]
        guard let running = flow.own ?? flow.otherEnd, let renamed = ledger.renamed(running.flow, by: resolver) else {
            return nil
        }
        if let own = flow.own { ledger.end(own.flow) }
        deniedFlows[place].resumedAction = flow.own?.action
        deniedFlows[place].own = nil
        endOtherEnd(at: place)
        var connection = renamed.seen(by: flow.connection.reporter)
        // The record of denied packets has the decision at the interface that they do not reach, too.
        if connection.reporter == .forward { connection.policies = flow.connection.policies }
        return connection
    }

    /// Continues a flow with denied packets under other names.
    mutating func rename(deniedAt place: UInt32, to connection: ResolvedFlow) {
        deniedFlows[place].connection = connection
        deniedFlows[place].evaluation = nil
        decide(at: place)
        guard let action = deniedFlows[place].resumedAction else { return }
        deniedFlows[place].resumedAction = nil
        if action == .deny, deniedFlows[place].otherEndReporter != nil { return }
        setVerdict(action, nil, at: place)
    }
}
