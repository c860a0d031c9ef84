import FlowModel

/// How flows begin: their ends behind address translation, and the flow that the number counts for from then on.
extension FlowAggregator {
    /// Flows whose questions to connection tracking go together: as many as stay in the processor's cache.
    private static let beginningsAtOnce = 512

    /// Takes in flows that were born.
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
                conversations.append(conversation)
            }
            ask(of: &conversations)
            for offset in conversations.indices {
                begin(conversations[offset], as: births[start + offset].number, drops)
            }
        }
    }

    private mutating func begin(
        _ conversation: consuming Conversation,
        as number: UInt32,
        _ drops: borrowing [FlowDrop]
    ) {
        if numbers[number].isInUse { end(number) }
        let denial = denials[number]
        if let destination = denial.flatMap({ drops[$0].destination }) { conversation.redirect(to: destination) }
        // What turns out to be forwarded is reported where its workload is, and not here.
        let localEnd = conversation.localEnd(by: resolver)
        if !hasRoom(for: conversation.share) { return fold(conversation, as: number, localEnd: localEnd) }
        // Where neither end is this node's, the near one may yet prove to be one of its workloads.
        let isUndecided = localEnd == nil ? conversation.nearMayBecomeLocal(by: resolver) : isUnnamed(conversation)
        let isAwaited = !isUndecided && awaitsLog(conversation, localEnd)
        if isAwaited { awaiting.append(number) }
        if isUndecided || isAwaited {
            charge(DetailCost.held, to: conversation.share)
            let place = held.insert(HeldFlow(number: number, conversation: conversation))
            numbers[number] = NumberedFlow(heldAt: place, generation: generation)
        } else if let localEnd, denial != nil {
            // Nothing is reported before it is known how much of it was denied.
            judge(conversation, as: number, localEnd: localEnd)
        } else if let localEnd, isDeniedByLog(conversation, localEnd) {
            judge(conversation, as: number, localEnd: localEnd)
            takeInLogged(of: number)
        } else {
            settle(conversation, as: number, localEnd: localEnd)
        }
    }

    /// Makes a number count for the flow of a conversation, or wait if neither end belongs to this node.
    mutating func settle(_ conversation: Conversation, as number: UInt32, localEnd: InterfaceEnd?) {
        if let localEnd {
            let flow = conversation.flow(from: localEnd, by: resolver)
            report(flow, as: number, localEnd: localEnd, for: conversation.share)
        } else {
            charge(DetailCost.waiting, to: conversation.share)
            numbers[number] = NumberedFlow(waitingAt: waiting.insert(conversation), generation: generation)
        }
    }

    /// Makes a number count for a flow that is allowed, as far as is known.
    mutating func report(
        _ connection: ResolvedFlow,
        as number: UInt32,
        localEnd: InterfaceEnd,
        for share: UInt16
    ) {
        let resolved = connection.judged(.allow, by: trace(of: connection))
        let begun = ledger.begin(resolved, as: number, for: share)
        if begun.isNews { compare(resolved, reason: nil) }
        numbers[number] = NumberedFlow(flow: begun.flow, group: begun.group, localEnd: localEnd)
    }
}

// MARK: - Connection tracking

extension FlowAggregator {
    /// Asks connection tracking for those of some conversations for which its answer may be new.
    private func ask(of conversations: inout [Conversation]) {
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
        for (index, answer) in zip(asked, answers) { conversations[index].take(answer) }
    }

    /// The end that this node reports for, behind address translation; connection tracking is asked at most once.
    func localEnd(of conversation: inout Conversation) -> InterfaceEnd? {
        if let tracker, let question = question(for: conversation) {
            conversation.take(tracker.connections(of: [question]).first ?? nil)
        }
        return conversation.localEnd(by: resolver)
    }

    /// The tuple to query connection tracking for; nil where the answer would not be new.
    private func question(for conversation: Conversation) -> TrackedConnection.Tuple? {
        // What a workload sends is its own, whatever was translated: flows that are only counted are not asked for.
        if conversation.role == .workload, !hasRoom(for: conversation.share) { return nil }
        guard !conversation.isTracked, let localEnd = conversation.localEnd(by: resolver),
            conversation.isWorthAsking(localEnd: localEnd, by: resolver)
        else { return nil }
        return conversation.trackedPackets
    }
}
