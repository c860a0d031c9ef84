import FlowModel

/// Verdicts: how flows with denied packets are recorded.
///
/// A datapath flow with denied packets stays in `deniedFlows` until all of its packets are allowed again, or it ends. Changes
/// of such a flow are collected during a batch, and settled at the end of the batch:
///
///     drops ──> takeIn ── who decided? ──> listed ── deltas ──> settle ── shares ──> ledger
///
/// Denied packets of the initiator are recorded as denied by the end, or the host endpoint, whose policies denied them. If the
/// flow is reported for that end, the flow's own record contains them. Otherwise a second record, of the *other end* or of the
/// host endpoint, contains them, and the flow's own record does not change.
extension FlowAggregator {
    /// Notes which flows of a batch have denied packets.
    mutating func noteDenials(_ drops: borrowing [FlowDrop]) {
        if !denials.isEmpty { denials.removeAll(keepingCapacity: true) }
        for index in drops.indices where drops[index].isDenied && denials[drops[index].flowID] == nil {
            denials[drops[index].flowID] = index
        }
    }

    /// Begins a flow with denied packets; it is reported when the number of its denied packets is known.
    mutating func trackDenials(of conversation: Conversation, as flowID: UInt32, localEnd: InterfaceEnd) {
        let flow = DeniedFlow(
            flowID: flowID,
            connection: self.flow(of: conversation, from: localEnd),
            localEnd: localEnd,
            isReported: true,
            waitingPlace: nil,
            share: conversation.share,
            called: conversation.calledElsewhere
        )
        charge(DetailCost.denied, to: flow.share)
        let place = deniedFlows.insert(flow)
        states[flowID] = .denied(place: place)
        if flow.connection.reporter == .forward { unsettledForwards[flow.connection.packets] = flowID }
    }

    /// Adds the denied packets of a batch to their flows.
    mutating func takeIn(_ drops: borrowing [FlowDrop]) {
        for index in drops.indices where drops[index].isDenied { takeIn(drops[index]) }
    }

    /// Adds the denied packets of one flow.
    mutating func takeIn(_ drop: FlowDrop) {
        if let place = deniedPlace(of: drop.flowID) { return takeIn(drop, at: place) }
        switch states[drop.flowID] {
        case .held(let place, _): held[place].add(drop)
        // This includes flows that were folded just now for lack of memory.
        case .folded(let flow): takeIn(drop, of: flow)
        case .unused, .reported, .waiting, .denied: unknownFlowIDs += 1
        }
    }

    private mutating func takeIn(_ drop: FlowDrop, at place: UInt32) {
        deniedFlows[place].add(drop)
        list(place)
        follow(drop.destination, at: place)
        decide(at: place)
        switch deniedFlows[place].decider {
        case .entryInterface: moveToEntryInterface(from: place)
        case .otherInterface: moveToOtherInterface(from: place)
        case .own, .otherEnd, .nobody: break
        }
    }

    /// Adds a flow with denied packets to the list of flows to settle at the end of the batch.
    mutating func list(_ place: UInt32) {
        guard !deniedFlows[place].changes.isListed else { return }
        deniedFlows[place].changes.isListed = true
        listed.append(place)
    }

    /// Returns the place of a flow with denied packets, and creates it if necessary.
    ///
    /// Returns nil if the identifier is not in use, or if the flow is held back, folded, or folded now for lack of memory.
    mutating func deniedPlace(of flowID: UInt32) -> UInt32? {
        let flow: DeniedFlow
        switch states[flowID] {
        case .denied(let place):
            return place
        case .reported(let reported):
            let share = ledger.share(of: reported.flow)
            guard hasRoom(for: share) else {
                fold(reported, as: flowID)
                return nil
            }
            let own = LedgerFlow(flow: reported.flow, group: reported.group, action: .allow)
            var tracked = DeniedFlow(
                flowID: flowID,
                connection: ledger.resolved(reported.flow),
                localEnd: reported.localEnd,
                isReported: true,
                waitingPlace: nil,
                share: share,
                own: own
            )
            tracked.process = ledger.processes.process(of: reported.flow)
            tracked.noteCounted(for: own, in: intervalNumber)
            flow = tracked
        case .waiting(let place, _):
            let conversation = waiting[place]
            guard hasRoom(for: conversation.share) else {
                fold(waitingAt: place, as: flowID)
                return nil
            }
            flow = DeniedFlow(
                flowID: flowID,
                connection: self.flow(of: conversation, from: conversation.initiator),
                localEnd: conversation.initiator,
                isReported: false,
                waitingPlace: place,
                share: conversation.share
            )
        case .held, .folded, .unused:
            return nil
        }
        charge(DetailCost.denied, to: flow.share)
        let place = deniedFlows.insert(flow)
        states[flowID] = .denied(place: place)
        return place
    }

    /// Redirects a connection to the destination of its denied packets.
    private mutating func follow(_ destination: FlowDrop.Destination?, at place: UInt32) {
        let flow = deniedFlows[place]
        let present = FlowDrop.Destination(
            address: flow.connection.destination.address,
            port: flow.connection.packets.destinationPort
        )
        // The destination of a denied packet that entered does not apply to flows that are reported for another end than its
        // sender.
        guard let destination, destination != present, flow.connection.reporter == .source, flow.initiator == .near
        else { return }
        if flow.called == nil { deniedFlows[place].called = present }
        deniedFlows[place].connection.redirect(to: destination, by: resolver)
        deniedFlows[place].evaluation = nil
    }
}

// MARK: - The deciding end

extension FlowAggregator {
    /// Determines the record that denied packets belong to; called again when policies or local addresses may have changed.
    mutating func decide(at place: UInt32) {
        let generations = (policies: evaluator?.generation ?? 0, resolver: resolver.generation)
        if let known = deniedFlows[place].evaluation, known.generations == generations { return }
        learnNames(at: place)
        let connection = deniedFlows[place].connection
        let isForwarded = connection.reporter == .forward
        let traces = traces(of: isForwarded ? connection.seen(by: .destination) : connection)
        let egress = logged(traces.egress, of: connection.seen(by: .source))
        let isDecided = !isForwarded && egress?.action == .deny
        let evaluation = VerdictEvaluation(
            egress: egress,
            ingress: logged(traces.ingress, of: connection.seen(by: .destination)),
            transit: isDecided ? nil : transitDecision(on: deniedFlows[place]),
            generations: generations
        )
        deniedFlows[place].evaluation = evaluation
        deniedFlows[place].decide(decider(of: deniedFlows[place], evaluation))
        endOthersDenial(at: place)
    }

    /// Sets the names of ends that were unknown, as long as no flow was recorded under the old names.
    private mutating func learnNames(at place: UInt32) {
        let flow = deniedFlows[place]
        guard flow.own == nil, flow.otherEnd == nil else { return }
        deniedFlows[place].connection.learnNames(by: resolver)
    }

    /// Ends the record of the other end if denied packets no longer belong to it.
    private mutating func endOthersDenial(at place: UInt32) {
        if deniedFlows[place].otherEndReporter == nil {
            endOtherEnd(at: place)
        } else if let own = deniedFlows[place].own, own.action == .deny {
            ledger.end(own.flow)
            deniedFlows[place].own = nil
        }
    }

    /// Returns the record that denied packets of the initiator belong to.
    ///
    /// If both ends are local, the policies of the source are evaluated first. A remote end decides on its own node, or has no
    /// policies. The egress of a local workload was allowed if its packets come out of its interface. A host endpoint's policies
    /// are evaluated before those of a workload behind it, and after those of a workload that sends through it.
    private func decider(of flow: DeniedFlow, _ evaluation: VerdictEvaluation) -> DeniedFlow.Decider {
        let connection = flow.connection
        let isForwarded = connection.reporter == .forward
        if evaluation.transit?.action == .deny, evaluation.egress?.action != .deny {
            return isForwarded ? .own : .otherEnd(.forward)
        }
        let isDestinationLocal = isLocal(connection.destination)
        let isDestinations =
            isDestinationLocal && evaluation.egress?.action != .deny && evaluation.ingress?.action == .deny
        if flow.isReported, connection.reporter == .destination {
            return resolver.isOwn(connection.source.address) && !isDestinations ? .otherEnd(.source) : .own
        }
        if flow.isReported, !isForwarded { return isDestinations ? .otherEnd(.destination) : .own }
        if isLocal(connection.source), !isDestinations { return .entryInterface }
        if isDestinationLocal { return .otherEnd(.destination) }
        if isForwarded { return .own }
        return hostInterface == nil ? .nobody : .otherInterface
    }

    func isLocal(_ endpoint: FlowEndpoint) -> Bool {
        resolver.isLocalWorkload(endpoint.address) || resolver.isOwn(endpoint.address)
    }

    /// Moves packets that were denied on their way out to the flow of the interface through which they entered.
    ///
    /// That flow counted them. Packets without such a flow, such as packets of this host, stay in the record of the other end.
    private mutating func moveToEntryInterface(from place: UInt32) {
        let flowID = deniedFlows[place].flowID
        let entryID = ledger.flowID(of: deniedFlows[place].connection.seen(by: .source)) { candidate, flow in
            candidate != flowID && stands(candidate, for: flow)
        }
        guard let entryID, let other = deniedPlace(of: entryID) else { return moveToRemainder(from: place) }
        guard other != place else { return }
        moveForward(from: place, to: other, areCounted: true)
    }

    /// Moves denied packets of the initiator to another flow.
    ///
    /// - Parameters:
    ///   - place: the flow for which they were reported.
    ///   - other: the flow whose record is to contain them.
    ///   - areCounted: whether the other flow has counted them.
    mutating func moveForward(from place: UInt32, to other: UInt32, areCounted: Bool) {
        let denied = deniedFlows[place].changes.forward
        let all = denied.counted + denied.uncounted
        deniedFlows[place].changes.forward = (.zero, .zero)
        if areCounted {
            deniedFlows[other].changes.forward.counted += all
        } else {
            deniedFlows[other].changes.forward.uncounted += all
        }
        deniedFlows[other].changes.reason = deniedFlows[place].changes.reason
        list(other)
        decide(at: other)
    }

    /// Moves them to the remainder of the workload that sent them, if the workload's flows are folded: the remainder counted
    /// them.
    private mutating func moveToRemainder(from place: UInt32) {
        let source = deniedFlows[place].connection.source
        guard resolver.isLocalWorkload(source.address), let remainder = remainders.place(ofFolded: source) else {
            return
        }
        let denied = deniedFlows[place].changes.forward
        deniedFlows[place].changes.forward = (.zero, .zero)
        remainders[remainder].deny(
            counted: denied.counted + denied.uncounted,
            uncounted: .zero,
            .source,
            deniedFlows[place].changes.reason
        )
    }

    /// Whether a datapath flow counts for a given flow of the ledger.
    func stands(_ flowID: UInt32, for flow: UInt32) -> Bool {
        switch states[flowID] {
        case .reported(let reported): reported.flow == flow
        case .denied(let place): deniedFlows[place].own?.flow == flow
        case .waiting, .held, .folded, .unused: false
        }
    }
}
