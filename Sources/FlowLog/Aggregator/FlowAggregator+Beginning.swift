import FlowModel

/// The beginning of flows: finds the ends behind address translation, and the ledger's flow that each datapath flow counts for.
extension FlowAggregator {
    /// The number of flows for which connection tracking is queried together; they fit into the processor's cache.
    private static let beginningsAtOnce = 512

    /// Registers the flows of a batch that begin.
    mutating func begin(_ births: borrowing [FlowBirth], _ drops: borrowing [FlowDrop]) {
        guard !births.isEmpty else { return }
        let guess = ServerGuess(births, by: resolver)
        var conversations: [Conversation] = []
        conversations.reserveCapacity(min(births.count, Self.beginningsAtOnce))
        for start in stride(from: 0, to: births.count, by: Self.beginningsAtOnce) {
            conversations.removeAll(keepingCapacity: true)
            for index in start..<min(start + Self.beginningsAtOnce, births.count) {
                var conversation = Conversation(births[index], initiator: guess.initiator(of: births[index]))
                conversation.share = ledger.budget.share(of: births[index].key.interfaceIndex)
                noteForgery(births[index], &conversation)
                conversations.append(conversation)
            }
            ask(of: &conversations)
            for offset in conversations.indices {
                begin(conversations[offset], as: births[start + offset].flowID, drops)
            }
        }
    }

    private mutating func begin(
        _ conversation: consuming Conversation,
        as flowID: UInt32,
        _ drops: borrowing [FlowDrop]
    ) {
        if states[flowID] != .unused { end(flowID) }
        let denial = denials[flowID]
        if let destination = denial.flatMap({ drops[$0].destination }) { conversation.redirect(to: destination) }
        // A forwarded flow is reported at the interface of its workload, not at this one.
        var localEnd = conversation.localEnd(by: resolver)
        if !hasRoom(for: conversation.share) { return fold(conversation, as: flowID, localEnd: localEnd) }
        // If neither end belongs to this node, the near end may later be identified as one of its workloads.
        let flow = localEnd.map { self.flow(of: conversation, from: $0) }
        let isUndecided = flow?.isUnnamed ?? conversation.nearMayBecomeLocal(by: resolver)
        if localEnd == nil, !isUndecided { localEnd = forwardEnd(of: &conversation, as: flowID) }
        let isAwaited = !isUndecided && (awaitsLog(conversation, localEnd) || awaitsOpening(conversation))
        if isAwaited { awaiting.append(flowID) }
        if isUndecided || isAwaited {
            charge(DetailCost.held, to: conversation.share)
            if hostInterface != nil, conversation.role == .host { heldForwards.insert(flowID) }
            let place = held.insert(HeldFlow(flowID: flowID, conversation: conversation))
            states[flowID] = .held(place: place, generation: generation)
        } else if let localEnd, denial != nil {
            // The flow is reported when the number of its denied packets is known.
            trackDenials(of: conversation, as: flowID, localEnd: localEnd)
        } else if let localEnd, isDeniedByLog(conversation, localEnd) {
            trackDenials(of: conversation, as: flowID, localEnd: localEnd)
            takeInLogged(of: flowID)
        } else {
            settle(conversation, as: flowID, localEnd: localEnd, flow)
        }
    }

    /// Counts a datapath flow for the flow of its conversation; the datapath flow waits if neither end belongs to this node.
    ///
    /// - Parameters:
    ///   - conversation: the conversation.
    ///   - flowID: the datapath's identifier.
    ///   - localEnd: the end that this node reports for; nil for none.
    ///   - known: the flow as the local end sees it, if the caller has resolved it already.
    mutating func settle(
        _ conversation: Conversation,
        as flowID: UInt32,
        localEnd: InterfaceEnd?,
        _ known: ResolvedFlow? = nil
    ) {
        if let localEnd {
            let flow = known ?? self.flow(of: conversation, from: localEnd)
            report(flow, as: flowID, localEnd: localEnd, for: conversation.share)
        } else {
            charge(DetailCost.waiting, to: conversation.share)
            states[flowID] = .waiting(place: waiting.insert(conversation), generation: generation)
        }
    }

    /// Counts a datapath flow for a flow that is allowed, as far as known.
    mutating func report(
        _ connection: ResolvedFlow,
        as flowID: UInt32,
        localEnd: InterfaceEnd,
        for share: UInt16
    ) {
        let resolved = connection.withVerdict(.allow, by: trace(of: connection))
        let begun = ledger.begin(resolved, as: flowID, for: share)
        if begun.isNew { compare(resolved, reason: nil) }
        states[flowID] = .reported(ReportedFlow(flow: begun.flow, group: begun.group, localEnd: localEnd))
    }
}

// MARK: - Connection tracking

extension FlowAggregator {
    /// Queries connection tracking for the conversations for which the result may be new.
    private mutating func ask(of conversations: inout [Conversation]) {
        guard let tracker else { return }
        var questions: [TrackedConnection.Tuple] = []
        var asked: [Int] = []
        for index in conversations.indices {
            guard let question = question(for: conversations[index]) else { continue }
            questions.append(question)
            asked.append(index)
        }
        guard !questions.isEmpty else { return }
        let answers = tracker.connections(of: questions)
        for (index, answer) in zip(asked, answers) { take(answer, in: &conversations[index]) }
    }

    private mutating func take(_ answer: TrackedConnection?, in conversation: inout Conversation) {
        conversation.take(answer)
        guard let answer else { return }
        hasTracked = true
        // If the destination was translated, the tuple at the interface differs from the tuple of the connection.
        guard conversation.initiator == .far, !conversation.origin.contains(.unsolicited) else { return }
        if forged.contains(answer.original) { conversation.noteForgedFar() }
    }

    /// Returns the end that this node reports for, behind address translation; queries connection tracking at most once.
    mutating func localEnd(of conversation: inout Conversation) -> InterfaceEnd? {
        if let tracker, let question = question(for: conversation) {
            take(tracker.connections(of: [question]).first ?? nil, in: &conversation)
        }
        return conversation.localEnd(by: resolver)
    }

    /// Returns the tuple for the query of connection tracking; nil if the result would not be new.
    private func question(for conversation: Conversation) -> TrackedConnection.Tuple? {
        // A workload is the sender of the packets from its interface, with or without translation. Flows that are only counted
        // need no query.
        if conversation.role == .workload, !hasRoom(for: conversation.share) { return nil }
        guard !conversation.isTracked else { return nil }
        if let localEnd = conversation.localEnd(by: resolver) {
            guard conversation.isWorthAsking(localEnd: localEnd, by: resolver) else { return nil }
        } else if !mayBeForwarded(conversation) {
            return nil
        }
        return conversation.trackedPackets
    }
}

// MARK: - Forged source addresses

extension FlowAggregator {
    /// Recognizes packets with a forged source address where they leave, and their answers where they arrive.
    private func noteForgery(_ birth: FlowBirth, _ conversation: inout Conversation) {
        guard !forged.isEmpty else { return }
        if forged.hasForgedFar(birth.key) { conversation.noteForgedFar() }
        guard !birth.marks.showsNear(of: birth.key.proto), [.unknown, .behind].contains(conversation.nearStanding),
            forged.hasForgedNear(birth.key)
        else { return }
        conversation.becomeUnsolicited()
    }

    /// Whether only an answer was seen, and its opening may still be found at another interface.
    ///
    /// A scan may read the flow of the answer before the flow of the opening.
    func awaitsOpening(_ conversation: Conversation) -> Bool {
        conversation.isLoneAnswer && !conversation.origin.contains(.unsolicited)
    }

    /// Decides whether a lone answer at a workload's interface belongs to a forged opening.
    ///
    /// The workload's interface did not carry the opening while it was watched. Either the workload sent it earlier or on
    /// another path; then connection tracking has the connection, if it tracks any. Or another sender used the workload's
    /// address, here or on another host.
    mutating func settleAnswer(_ conversation: inout Conversation) {
        guard awaitsOpening(conversation) else { return }
        let isForged = forged.contains(conversation.nearPackets)
        let isNobodys = hasTracked && conversation.isTracked && !conversation.isInTable
        if isForged || forged.isIncomplete || isNobodys { conversation.becomeUnsolicited() }
    }
}
