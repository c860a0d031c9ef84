import FlowModel

/// Verdicts: what becomes of flows of which something is denied.
///
/// A number of which something is denied is kept in `judged`, beside the numbers that need no second look, until all of
/// it is allowed again or it ends. A batch lists what it says of such a number, and settles it at its end:
///
///     drops ──> takeIn ── who decided? ──> listed ── deltas ──> settle ── shares ──> ledger
///
/// Of the packets of the end that began, those that were denied are recorded as denied, by the end whose policies denied
/// them: its own record, where the number is reported for it; else a record beside it, the *mirror*, while the number's
/// own record stays as it is.
extension FlowAggregator {
    /// Notes of which numbers a batch says that something was denied.
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

    /// Takes in what was denied of one number.
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

    /// Where a number is judged, from now on if it was not before; nil if it is not in use, and if it is or has to be folded.
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

    /// Leads a connection to where its denied packets were on their way to.
    private mutating func follow(_ destination: FlowDrop.Destination?, at place: UInt32) {
        let flow = judged[place]
        let present = FlowDrop.Destination(
            address: flow.connection.destination.address,
            port: flow.connection.packets.destinationPort
        )
        // What a denied packet that entered was called by says nothing of the end that it came from.
        guard let destination, destination != present, flow.connection.reporter == .source, flow.initiator == .near
        else { return }
        if flow.called == nil { judged[place].called = present }
        judged[place].connection.redirect(to: destination, by: resolver)
        judged[place].evaluation = nil
    }
}

// MARK: - Whose denial

extension FlowAggregator {
    /// Finds out whose denial it is, again if policies or what is local may have changed since.
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

    /// Names ends anew that were unknown, as long as no flow has begun under their names.
    private mutating func learnNames(at place: UInt32) {
        let flow = judged[place]
        guard flow.own == nil, flow.mirror == nil else { return }
        judged[place].connection.learnNames(by: resolver)
    }

    /// Ends a denial that is another end's to record by now.
    private mutating func endOthersDenial(at place: UInt32) {
        if judged[place].mirroringReporter == nil {
            endMirror(at: place)
        } else if let own = judged[place].own, own.action == .deny {
            ledger.end(own.flow)
            judged[place].own = nil
        }
    }

    /// Whose denial it is when packets of the end that began are denied.
    ///
    /// Policies are asked where both ends are local: the source's come first. An end that is not local has decided
    /// elsewhere, or not at all; so has a local workload of which packets come out of its interface (it let them in).
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

    /// Hands what was denied on the way out to the number of the interface through which it came in, where it was counted.
    ///
    /// What finds none, as what this host itself sends, stays and is mirrored.
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

    /// Hands it to the remainder of the workload that sent it, if flows of the workload are folded: it was counted there.
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
