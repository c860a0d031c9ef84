import FlowModel

/// Verdicts: how the traffic of a judged number is divided among records.
extension FlowAggregator {
    /// Records the batch's changes of judged numbers.
    mutating func settleListed() {
        guard !listed.isEmpty else { return }
        for place in listed { settle(at: place) }
        listed.removeAll(keepingCapacity: true)
    }

    private mutating func settle(at place: UInt32) {
        decide(at: place)
        let news = judged[place].news
        // A drop that is reported early is recorded later, with its own reason.
        judged[place].news = JudgedFlow.News(reason: news.reason)
        let isNear = judged[place].initiator == .near
        let sent = isNear ? news.ingress : news.egress
        let denials = news.forward.counted + news.forward.uncounted
        let isDenied = judged[place].isDenied
        if case .nobody = judged[place].decider {
            unrecordedDenials += denials.packets
        } else {
            judged[place].forward.deny(news.forward.counted)
        }
        // Of a flow that was allowed so far the last packets are the denied ones; of one that was denied, the first.
        let later = judged[place].own?.action == .allow && isNear ? news.later : .zero
        var (allowed, denied) = judged[place].forward.split(sent, isDenied: isDenied, later: later)
        if let reporter = judged[place].mirroringReporter {
            let isOver = allowed.packets > 0 && denied.packets == 0
            mirror(denials, for: reporter, news.reason, isOver: isOver, at: place)
            (allowed, denied) = (sent, .zero)
        } else {
            denied += news.forward.uncounted
        }
        if !judged[place].isReported {
            // The end that they were on their way to never saw them.
            unrecordedDenials += news.backward.counted.packets + news.backward.uncounted.packets
            if let place = judged[place].waitingPlace {
                addToTransit(ingress: news.ingress, egress: news.egress, at: place)
            }
        } else {
            record(allowed, denied, answers: isNear ? news.egress : news.ingress, news, at: place)
        }
        closeIfOver(place)
    }

    /// Records what the number's own end sent and got.
    private mutating func record(
        _ allowed: TrafficCounters,
        _ denied: TrafficCounters,
        answers: TrafficCounters,
        _ news: JudgedFlow.News,
        at place: UInt32
    ) {
        judged[place].backward.deny(news.backward.counted)
        let (answers, countedDenials) = judged[place].backward.split(answers, isDenied: false)
        let deniedAnswers = countedDenials + news.backward.uncounted
        switch (allowed.packets > 0, denied != .zero) {
        case (false, false):
            // Answers alone do not show the verdict; without packets and without a denial there is nothing to record.
            if judged[place].own == nil {
                let isMirrored = judged[place].mirroringReporter != nil
                if isMirrored, allowed == .zero, answers == .zero { break }
                turn(isMirrored || judged[place].forward.owed == .zero ? .allow : .deny, news.reason, at: place)
            }
            add(sent: allowed, answers, at: place)
        case (true, false):
            turn(.allow, nil, at: place)
            add(sent: allowed, answers, at: place)
        case (false, true):
            turn(.deny, news.reason, at: place)
            add(sent: denied + allowed, answers, at: place)
            addDrop(sent: denied.packets, news.reason, at: place)
        case (true, true):
            if judged[place].own?.action == .deny {
                visit(.allow, sent: allowed, answers, nil, at: place)
            } else {
                turn(.allow, nil, at: place)
                add(sent: allowed, answers, at: place)
            }
            turn(.deny, news.reason, at: place)
            add(sent: denied, .zero, at: place)
            addDrop(sent: denied.packets, news.reason, at: place)
        }
        if deniedAnswers != .zero { visit(.deny, sent: .zero, deniedAnswers, news.reason, at: place) }
    }

    /// Records what was denied for an end that the number is not reported for.
    private mutating func mirror(
        _ denied: TrafficCounters,
        for reporter: FlowReporter,
        _ reason: DropReason?,
        isOver: Bool,
        at place: UInt32
    ) {
        if denied == .zero {
            if isOver { endMirror(at: place) }
            return
        }
        let connection = judged[place].judged(.deny, by: reporter)
        if let running = judged[place].mirror, !ledger.isRunning(connection, as: running.flow) { endMirror(at: place) }
        let running = judged[place].mirror ?? begin(connection, reason, at: place)
        judged[place].mirror = running
        let isInbound = reporter == .destination
        ledger.add(inbound: isInbound ? denied : .zero, outbound: isInbound ? .zero : denied, to: running.group)
        guard let reason else { return }
        ledger.drop(
            inbound: isInbound ? denied.packets : 0,
            outbound: isInbound ? 0 : denied.packets,
            reason,
            of: running.group
        )
    }

    mutating func endMirror(at place: UInt32) {
        guard let running = judged[place].mirror else { return }
        ledger.end(running.flow)
        judged[place].mirror = nil
    }
}

// MARK: - The number's own flow

extension FlowAggregator {
    private mutating func begin(_ connection: ResolvedFlow, _ reason: DropReason?, at place: UInt32) -> LedgerFlow {
        let begun = ledger.begin(connection, as: judged[place].number, for: judged[place].share)
        if begun.isNews { compare(connection, reason: reason) }
        return begun
    }

    /// Makes the number count for a flow with a verdict; a flow with another verdict ends.
    ///
    /// A denied packet is evaluated against the present policies; so is the first packet after denied ones. An allowed
    /// flow keeps the trace of its beginning.
    private mutating func turn(_ action: FlowAction, _ reason: DropReason?, at place: UInt32) {
        if action == .allow { trackAgain(at: place) }
        decide(at: place)
        let own = judged[place].own
        if own?.action == action, action == .allow || judged[place].isOwnCurrent { return }
        let connection = judged[place].judged(action, by: judged[place].connection.reporter)
        if let own {
            let isRunning = own.action == action && ledger.isRunning(connection, as: own.flow)
            judged[place].isOwnCurrent = isRunning
            if isRunning { return }
            ledger.end(own.flow)
        }
        judged[place].own = begin(connection, reason, at: place)
        judged[place].isOwnCurrent = true
    }

    /// Makes the number count for a flow with another verdict temporarily.
    private mutating func visit(
        _ action: FlowAction,
        sent: TrafficCounters,
        _ answers: TrafficCounters,
        _ reason: DropReason?,
        at place: UInt32
    ) {
        let reporter = judged[place].connection.reporter
        let visited = begin(judged[place].judged(action, by: reporter), reason, at: place)
        let isSource = reporter == .source
        ledger.add(inbound: isSource ? answers : sent, outbound: isSource ? sent : answers, to: visited.group)
        if action == .deny, let reason {
            ledger.drop(
                inbound: isSource ? answers.packets : sent.packets,
                outbound: isSource ? sent.packets : answers.packets,
                reason,
                of: visited.group
            )
        }
        ledger.end(visited.flow)
    }

    private mutating func add(sent: TrafficCounters, _ answers: TrafficCounters, at place: UInt32) {
        guard let own = judged[place].own else { return }
        let isSource = judged[place].connection.reporter == .source
        ledger.add(inbound: isSource ? answers : sent, outbound: isSource ? sent : answers, to: own.group)
    }

    private mutating func addDrop(sent packets: UInt64, _ reason: DropReason?, at place: UInt32) {
        guard let own = judged[place].own, let reason else { return }
        let isSource = judged[place].connection.reporter == .source
        ledger.drop(inbound: isSource ? 0 : packets, outbound: isSource ? packets : 0, reason, of: own.group)
    }

    /// Asks connection tracking for a connection's destination; it has no entry while packets are denied.
    private mutating func trackAgain(at place: UInt32) {
        guard let called = judged[place].called, judged[place].connection.reporter == .source else { return }
        judged[place].called = nil
        var packets = judged[place].connection.packets
        packets.destination = called.address
        packets.destinationPort = called.port
        guard let reply = tracker?.connection(of: packets)?.reply else { return }
        let destination = FlowDrop.Destination(address: reply.source, port: reply.sourcePort)
        judged[place].connection.redirect(to: destination, by: resolver)
        judged[place].evaluation = nil
    }

    /// Counts packets that were dropped by no decision.
    mutating func addTrouble(_ drops: borrowing [FlowDrop]) {
        for index in drops.indices {
            guard let reason = drops[index].troubleReason else { continue }
            let trouble = drops[index].trouble
            let numbered = numbers[drops[index].number]
            let localEnd: InterfaceEnd
            let group: UInt32
            if numbered.isReported {
                (localEnd, group) = (numbered.localEnd, numbered.group)
            } else if numbered.isFolded {
                let isNear = numbered.localEnd == .near
                remainders[numbered.place].drop(
                    sent: isNear ? trouble.ingress : trouble.egress,
                    got: isNear ? trouble.egress : trouble.ingress,
                    reason
                )
                continue
            } else if numbered.isJudged, let own = judged[numbered.place].own {
                (localEnd, group) = (judged[numbered.place].localEnd, own.group)
            } else {
                continue
            }
            let isNear = localEnd == .near
            ledger.drop(
                inbound: isNear ? trouble.egress : trouble.ingress,
                outbound: isNear ? trouble.ingress : trouble.egress,
                reason,
                of: group
            )
        }
    }
}

// MARK: - The end

extension FlowAggregator {
    /// Stops judging a number without denied packets.
    private mutating func closeIfOver(_ place: UInt32) {
        let flow = judged[place]
        guard flow.mirror == nil, flow.forward.owed == .zero, flow.backward.owed == .zero else { return }
        if let waitingPlace = flow.waitingPlace {
            // While it was judged, its ends were not compared with the present addresses of this node.
            numbers[flow.number] = NumberedFlow(waitingAt: waitingPlace, generation: generation &- 1)
        } else if let own = flow.own, own.action == .allow {
            numbers[flow.number] = NumberedFlow(flow: own.flow, group: own.group, localEnd: flow.localEnd)
        } else {
            return
        }
        release(DetailCost.judged, from: flow.share)
        judged.remove(place)
    }

    /// Ends what a judged number stands for.
    mutating func endJudged(at place: UInt32) {
        let flow = judged[place]
        if let own = flow.own { ledger.end(own.flow) }
        endMirror(at: place)
        if let waitingPlace = flow.waitingPlace { removeWaiting(at: waitingPlace) }
        if flow.mirroringReporter == nil { unrecordedDenials += flow.forward.owed.packets }
        unrecordedDenials += flow.backward.owed.packets
        release(DetailCost.judged, from: flow.share)
        judged.remove(place)
    }

    /// Ends the flows of a judged number if an end of it was unknown when they began and is known by now.
    ///
    /// - Returns: the connection under its new names.
    mutating func endRenamed(judgedAt place: UInt32) -> ResolvedFlow? {
        let flow = judged[place]
        guard let running = flow.own ?? flow.mirror, let renamed = ledger.renamed(running.flow, by: resolver) else {
            return nil
        }
        if let own = flow.own { ledger.end(own.flow) }
        judged[place].resumedAction = flow.own?.action
        judged[place].own = nil
        endMirror(at: place)
        return renamed.seen(by: flow.connection.reporter)
    }

    /// Continues a judged number under other names.
    mutating func rename(judgedAt place: UInt32, to connection: ResolvedFlow) {
        judged[place].connection = connection
        judged[place].evaluation = nil
        decide(at: place)
        guard let action = judged[place].resumedAction else { return }
        judged[place].resumedAction = nil
        if action == .deny, judged[place].mirroringReporter != nil { return }
        turn(action, nil, at: place)
    }
}
