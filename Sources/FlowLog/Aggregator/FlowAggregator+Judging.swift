import FlowModel

/// Verdicts: how flows with denied packets are recorded.
///
/// A number with denied packets is kept in `judged`, beside the numbers that need no second look, until all of its
/// packets are allowed again or it ends. Changes of such a number are collected during a batch, and settled at its end:
///
///     drops ──> takeIn ── who decided? ──> listed ── deltas ──> settle ── shares ──> ledger
///
/// Denied packets of the initiator are recorded as denied by the end whose policies denied them: in the number's own
/// record if the number is reported for that end; otherwise in a second record, the *mirror*, and the own record stays
/// as it is.
extension FlowAggregator {
    /// Notes the numbers with denied packets in a batch.
    mutating func noteDenials(_ drops: borrowing [FlowDrop]) {
        if !denials.isEmpty { denials.removeAll(keepingCapacity: true) }
        for index in drops.indices where drops[index].isDenied && denials[drops[index].number] == nil {
            denials[drops[index].number] = index
        }
    }

    /// Keeps a number from being reported until it is known how much of it was denied.
    mutating func judge(_ conversation: Conversation, as number: UInt32, localEnd: InterfaceEnd) {
        let flow = JudgedFlow(
            number: number,
            connection: conversation.flow(from: localEnd, by: resolver),
            localEnd: localEnd,
            isReported: true,
            waitingPlace: nil,
            share: conversation.share,
            called: conversation.calledElsewhere
        )
        charge(DetailCost.judged, to: flow.share)
        numbers[number] = NumberedFlow(judgedAt: judged.insert(flow))
    }

    /// Takes in what was denied.
    mutating func takeIn(_ drops: borrowing [FlowDrop]) {
        for index in drops.indices where drops[index].isDenied { takeIn(drops[index]) }
    }

    /// Takes in the denied packets of one number.
    mutating func takeIn(_ drop: FlowDrop) {
        let numbered = numbers[drop.number]
        if numbered.isHeld { return held[numbered.place].add(drop) }
        if numbered.isFolded { return takeIn(drop, ofFolded: numbered) }
        guard let place = judgedPlace(of: drop.number) else {
            let now = numbers[drop.number]
            if now.isFolded { return takeIn(drop, ofFolded: now) }
            unknownNumbers += 1
            return
        }
        judged[place].add(drop)
        list(place)
        follow(drop.destination, at: place)
        decide(at: place)
        if case .entrance = judged[place].decider { sendToEntrance(from: place) }
    }

    /// Puts a judged number into the list of those to look at.
    mutating func list(_ place: UInt32) {
        guard !judged[place].news.isListed else { return }
        judged[place].news.isListed = true
        listed.append(place)
    }

    /// The place of a judged number, made if need be; nil if the number is not in use, or is or must be folded.
    mutating func judgedPlace(of number: UInt32) -> UInt32? {
        let numbered = numbers[number]
        if numbered.isJudged { return numbered.place }
        let flow: JudgedFlow
        if numbered.isReported {
            let share = ledger.share(of: numbered.flow)
            guard hasRoom(for: share) else {
                fold(reported: number)
                return nil
            }
            flow = JudgedFlow(
                number: number,
                connection: ledger.resolved(numbered.flow),
                localEnd: numbered.localEnd,
                isReported: true,
                waitingPlace: nil,
                share: share,
                own: LedgerFlow(flow: numbered.flow, group: numbered.group, action: .allow)
            )
        } else if numbered.isWaiting {
            let conversation = waiting[numbered.place]
            guard hasRoom(for: conversation.share) else {
                fold(waiting: number)
                return nil
            }
            flow = JudgedFlow(
                number: number,
                connection: conversation.flow(from: conversation.initiator, by: resolver),
                localEnd: conversation.initiator,
                isReported: false,
                waitingPlace: numbered.place,
                share: conversation.share
            )
        } else {
            return nil
        }
        charge(DetailCost.judged, to: flow.share)
        let place = judged.insert(flow)
        numbers[number] = NumberedFlow(judgedAt: place)
        return place
    }

    /// Redirects a connection to the destination that its denied packets had.
    private mutating func follow(_ destination: FlowDrop.Destination?, at place: UInt32) {
        let flow = judged[place]
        let present = FlowDrop.Destination(
            address: flow.connection.destination.address,
            port: flow.connection.packets.destinationPort
        )
        // The destination of a denied packet that entered says nothing about the end that sent it.
        guard let destination, destination != present, flow.connection.reporter == .source, flow.initiator == .near
        else { return }
        if flow.called == nil { judged[place].called = present }
        judged[place].connection.redirect(to: destination, by: resolver)
        judged[place].evaluation = nil
    }
}

// MARK: - Whose denial

extension FlowAggregator {
    /// Determines the record that a denial belongs to; again if policies or local addresses may have changed.
    mutating func decide(at place: UInt32) {
        let generations = (policies: evaluator?.generation, resolver: resolver.generation)
        if let known = judged[place].evaluation, known.generations == generations { return }
        learnNames(at: place)
        let connection = judged[place].connection
        let traces = traces(of: connection)
        let evaluation = VerdictEvaluation(
            egress: logged(traces.egress, of: connection.seen(by: .source)),
            ingress: logged(traces.ingress, of: connection.seen(by: .destination)),
            generations: generations
        )
        judged[place].evaluation = evaluation
        judged[place].decide(decider(of: judged[place], evaluation))
        endOthersDenial(at: place)
    }

    /// Renames ends that were unknown, as long as no flow has begun under their names.
    private mutating func learnNames(at place: UInt32) {
        let flow = judged[place]
        guard flow.own == nil, flow.mirror == nil else { return }
        judged[place].connection.learnNames(by: resolver)
    }

    /// Ends a denial that belongs to another end's record by now.
    private mutating func endOthersDenial(at place: UInt32) {
        if judged[place].mirroringReporter == nil {
            endMirror(at: place)
        } else if let own = judged[place].own, own.action == .deny {
            ledger.end(own.flow)
            judged[place].own = nil
        }
    }

    /// The record that denied packets of the initiator belong to.
    ///
    /// Policies are asked where both ends are local: the source's come first. An end that is not local has decided
    /// elsewhere, or not at all; so has a local workload if packets come out of its interface (it let them in).
    private func decider(of flow: JudgedFlow, _ evaluation: VerdictEvaluation) -> JudgedFlow.Decider {
        let connection = flow.connection
        let isDestinationLocal = isLocal(connection.destination)
        let isDestinations =
            isDestinationLocal && evaluation.egress?.action != .deny && evaluation.ingress?.action == .deny
        if flow.isReported, connection.reporter == .destination {
            return resolver.isOwn(connection.source.address) && !isDestinations ? .mirror(.source) : .own
        }
        if flow.isReported { return isDestinations ? .mirror(.destination) : .own }
        if isLocal(connection.source), !isDestinations { return .entrance }
        return isDestinationLocal ? .mirror(.destination) : .nobody
    }

    private func isLocal(_ party: Party) -> Bool {
        resolver.isLocalWorkload(party.address) || resolver.isOwn(party.address)
    }

    /// Moves packets that were denied on their way out to the number of the interface that they entered by.
    ///
    /// They were counted there. Packets without such a number, as those that this host sends, stay and are mirrored.
    private mutating func sendToEntrance(from place: UInt32) {
        let number = judged[place].number
        let entrance = ledger.number(of: judged[place].connection.seen(by: .source)) { candidate, flow in
            candidate != number && stands(candidate, for: flow)
        }
        guard let entrance, let other = judgedPlace(of: entrance) else { return sendToRemainder(from: place) }
        guard other != place else { return }
        let denied = judged[place].news.forward
        judged[place].news.forward = (.zero, .zero)
        judged[other].news.forward.counted += denied.counted + denied.uncounted
        judged[other].news.reason = judged[place].news.reason
        list(other)
        decide(at: other)
    }

    /// Moves them to the remainder of the workload that sent them, if its flows are folded: they were counted there.
    private mutating func sendToRemainder(from place: UInt32) {
        let source = judged[place].connection.source
        guard resolver.isLocalWorkload(source.address), let remainder = remainders.place(ofFolded: source) else {
            return
        }
        let denied = judged[place].news.forward
        judged[place].news.forward = (.zero, .zero)
        remainders[remainder].deny(
            counted: denied.counted + denied.uncounted,
            uncounted: .zero,
            .source,
            judged[place].news.reason
        )
    }

    /// Whether a number counts for a flow.
    func stands(_ number: UInt32, for flow: UInt32) -> Bool {
        let numbered = numbers[number]
        if numbered.isJudged { return judged[numbered.place].own?.flow == flow }
        return numbered.isReported && numbered.flow == flow
    }
}
