import FlowModel

/// Connections that this host forwards, and that policies of a host endpoint govern.
///
/// Neither end belongs to this host. The host endpoint reports at the interface through which the initiator's packets enter; if
/// no policies govern them there, it reports at the interface through which they leave. Policies are evaluated once, when the
/// connection begins; where denied packets would leave, they are evaluated with each change of policies or names.
extension FlowAggregator {
    /// Returns the end that a host endpoint reports for, which is the responder.
    ///
    /// Returns nil if no policies govern the connection at this interface, or if it is reported at the other interface. Also
    /// sets the decision of the policies. Costs nothing if ``hostInterface`` is nil.
    mutating func forwardEnd(of conversation: inout Conversation, as flowID: UInt32) -> InterfaceEnd? {
        guard let hostInterface, let evaluator, conversation.role == .host,
            let interface = hostInterface(ledger.budget.interfaceIndex(of: conversation.share))
        else { return nil }
        let end = conversation.initiator.other
        let flow = conversation.flow(from: end, by: resolver)
        guard !flow.isBeyondPolicies else { return nil }
        let direction: ForwardedConnection.Direction = conversation.initiator == .near ? .entering : .leaving
        let trace = evaluator.transit(
            of: ForwardedConnection(
                packets: flow.packets,
                called: (conversation.called, conversation.calledPort),
                source: flow.source.owner,
                destination: flow.destination.owner,
                interface: interface,
                direction: direction
            )
        )
        guard let trace, let index = forwardTraces.index(of: trace) else { return nil }
        let joined = conversation.joinedFlow
        conversation.transit = index
        let connection = self.flow(of: conversation, from: end)
        guard let other = forwardedFlow(of: connection, beside: flowID, conversation, end) else { return end }
        conversation.joinedFlow = other
        // The flow is evaluated again whenever names change.
        if joined != other { extend(other, by: trace, at: direction) }
        return nil
    }

    /// Returns the flow that is reported for the other interface of a forwarded connection.
    private func forwardedFlow(
        of connection: ResolvedFlow,
        beside flowID: UInt32,
        _ conversation: Conversation,
        _ end: InterfaceEnd
    ) -> UInt32? {
        let known = ledger.flowID(of: connection) { candidate, flow in
            guard candidate != flowID, stands(candidate, for: flow) else { return false }
            // Two flows of one interface may contain the same packets.
            return reportedEnd(of: candidate) != end || ledger.share(of: flow) != conversation.share
        }
        if let known { return known }
        guard let unsettled = unsettledForwards[connection.packets], unsettled != flowID,
            case .denied(let place) = states[unsettled],
            deniedFlows[place].localEnd != end || deniedFlows[place].share != conversation.share
        else { return nil }
        return unsettled
    }

    /// Moves denied packets to the flow that is reported for the other interface.
    ///
    /// Packets that were denied on their way out were counted at the interface through which they entered.
    mutating func moveToOtherInterface(from place: UInt32) {
        let flow = deniedFlows[place]
        let connection = flow.connection.seen(by: .forward)
        let known = ledger.flowID(of: connection) { candidate, number in
            candidate != flow.flowID && stands(candidate, for: number)
        }
        guard let otherID = known ?? unsettledForwards[connection.packets], let other = deniedPlace(of: otherID),
            other != place
        else { return }
        moveForward(from: place, to: other, areCounted: flow.initiator == .far)
    }

    /// Returns the flow of a conversation as one of its ends sees it, with the decision of the host endpoint's policies.
    func flow(of conversation: Conversation, from localEnd: InterfaceEnd) -> ResolvedFlow {
        var flow = conversation.flow(from: localEnd, by: resolver)
        guard let trace = forwardTraces[conversation.transit] else { return flow }
        if flow.reporter == .destination { flow.reporter = .forward }
        flow.policies = trace
        return flow
    }

    /// Returns the decision of a host endpoint of this node that denies a connection, whatever the interface; nil if none does.
    ///
    /// The interface through which dropped packets would have left is not known.
    func transitDenial(
        of connection: ResolvedFlow,
        _ direction: ForwardedConnection.Direction
    ) -> PolicyTrace? {
        guard let evaluator, let node else { return nil }
        return evaluator.transitDenial(
            of: ForwardedConnection(
                packets: connection.packets,
                called: (connection.packets.destination, connection.packets.destinationPort),
                source: connection.source.owner,
                destination: connection.destination.owner,
                interface: HostInterface(node: node, name: "", addresses: []),
                direction: direction
            )
        )
    }

    /// Returns the decision of host endpoints on denied packets that this host does not send on; nil if none governs them.
    ///
    /// Where they enter, policies were evaluated when the connection began. Where they would leave, policies are evaluated now,
    /// because no flow begins at an interface that the packets do not reach. Forwarded packets that were allowed before have
    /// reached it.
    func transitDecision(on flow: DeniedFlow) -> PolicyTrace? {
        let isForwarded = flow.connection.reporter == .forward
        let known = isForwarded ? flow.connection.policies : nil
        guard known?.action != .deny, !isForwarded || flow.own?.action != .allow, isToBeForwarded(flow),
            let denial = transitDenial(of: flow.connection, .leaving)
        else { return known }
        return known?.joined(with: denial, at: .leaving) ?? denial
    }

    /// Whether a flow's denied packets entered this host, and are for another one.
    private func isToBeForwarded(_ flow: DeniedFlow) -> Bool {
        let (connection, destination) = (flow.connection, flow.connection.destination)
        guard let hostInterface, flow.initiator == .near, !connection.isBeyondPolicies,
            !destination.address.isMulticast, !isLocal(destination), !resolver.isOwn(connection.source.address)
        else { return false }
        let interface = hostInterface(ledger.budget.interfaceIndex(of: flow.share))
        return interface?.broadcasts.contains(destination.address) != true
    }

    /// Whether this host may forward a connection, and evaluates policies for it.
    func mayBeForwarded(_ conversation: Conversation) -> Bool {
        hostInterface != nil && evaluator != nil && conversation.role == .host
    }

    /// Whether a flow that has ended is to end with the interval: one that is held back, and that this host may forward.
    ///
    /// Only the running flow of the other interface is found when it is settled, and a scan may end the one before the other.
    mutating func endsWithInterval(_ flowID: UInt32) -> Bool {
        guard evaluator != nil, heldForwards.contains(flowID) else { return false }
        heldEnds.insert(flowID)
        return true
    }

    /// Decides how to report the held flows that may be those of the other interface, because the identifier of the one flow is
    /// used again.
    ///
    /// Each time looks at all held flows that may be forwarded; after some times in an interval, all of these are settled. Flows
    /// of workloads stay held.
    mutating func settleOtherInterface(of conversation: Conversation) {
        earlySettlements += 1
        let isExhausted = earlySettlements > Self.earlySettlementLimit
        let candidates = heldForwards.filter { flowID in
            guard case .held(let place, _) = states[flowID] else { return false }
            return isExhausted || held[place].conversation.mayBeOtherInterface(of: conversation)
        }
        for flowID in candidates.sorted() {
            if case .held(let place, _) = states[flowID] { settleHeld(at: place) }
        }
    }

    private static let earlySettlementLimit = 32

    /// Returns the end that a flow is reported for; with the interface, it determines whether packets enter or leave.
    private func reportedEnd(of flowID: UInt32) -> InterfaceEnd? {
        switch states[flowID] {
        case .reported(let flow): flow.localEnd
        case .denied(let place): deniedFlows[place].localEnd
        case .waiting, .held, .folded, .unused: nil
        }
    }

    /// Adds the hits of the other interface to a connection that is reported.
    ///
    /// Moves its flow to the group with the hits of both interfaces. If that is not possible, the flow begins again in that
    /// group.
    private mutating func extend(
        _ flowID: UInt32,
        by trace: PolicyTrace,
        at direction: ForwardedConnection.Direction
    ) {
        guard !trace.transit.isEmpty else { return }
        if case .denied(let place) = states[flowID], let known = deniedFlows[place].connection.policies {
            deniedFlows[place].connection.policies = known.joined(with: trace, at: direction)
            deniedFlows[place].evaluation = nil
        }
        guard case .reported(let flow) = states[flowID] else { return }
        let running = ledger.resolved(flow.flow)
        guard let known = running.policies else { return }
        let other = running.withVerdict(running.action, by: known.joined(with: trace, at: direction))
        let moved = ledger.move(flow.flow, to: other) ?? begin(other, insteadOf: flow.flow, as: flowID)
        states[flowID] = .reported(ReportedFlow(flow: moved.flow, group: moved.group, localEnd: flow.localEnd))
    }

    private mutating func begin(_ other: ResolvedFlow, insteadOf flow: UInt32, as flowID: UInt32) -> LedgerFlow {
        var resumed = other
        resumed.origin.insert(.resumed)
        let share = ledger.share(of: flow)
        ledger.end(flow)
        return ledger.begin(resumed, as: flowID, for: share)
    }
}

extension FlowAggregator {
    /// Forgets traces that no conversation has, once half of the numbers are in use; called at the beginning of an interval.
    mutating func forgetTraces() {
        guard forwardTraces.count > ForwardTraces.limit / 2 else { return }
        var used: Set<UInt32> = []
        for place in 0..<waiting.limit { used.insert(waiting[place].transit) }
        for place in 0..<held.limit { used.insert(held[place].conversation.transit) }
        forwardTraces.forget(except: used)
    }
}

extension Conversation {
    /// Whether both may be one connection at two interfaces: at least one end is the same, behind address translation or not.
    fileprivate func mayBeOtherInterface(of other: Conversation) -> Bool {
        guard proto == other.proto else { return false }
        let isNear = near == other.far && (nearPort == other.farPort || proto.isICMP)
        let isFar = far == other.near && (farPort == other.nearPort || proto.isICMP)
        return isNear || isFar
    }
}

/// The traces of forwarded connections, each stored once.
///
/// A conversation keeps the number of its trace (4 bytes). Changed policies have new traces, also for the hits of former ones:
/// traces with equal hits have one number.
struct ForwardTraces {
    private struct Hits: Hashable {
        let action: FlowAction
        let transit: [String]

        init(_ trace: PolicyTrace) { (action, transit) = (trace.action, trace.transit) }
    }

    /// The maximum number of traces; connections with further traces are not recorded.
    static let limit = 1 << 16

    /// The number of connections that are not recorded because there are too many traces.
    private(set) var refused: UInt64 = 0
    private var traces: [PolicyTrace?] = []
    private var indices: [Hits: UInt32] = [:]
    /// Numbers that may be reused.
    private var free: [UInt32] = []

    /// The number of traces.
    var count: Int { indices.count }

    /// Returns the number of a trace, from 1 on; nil if there are too many.
    mutating func index(of trace: PolicyTrace) -> UInt32? {
        let hits = Hits(trace)
        if let index = indices[hits] { return index }
        guard count < Self.limit else {
            refused += 1
            return nil
        }
        let index: UInt32
        if let former = free.popLast() {
            index = former
            traces[Int(index) - 1] = trace
        } else {
            traces.append(trace)
            index = UInt32(traces.count)
        }
        indices[hits] = index
        return index
    }

    /// The trace with a number in use; nil for 0.
    subscript(index: UInt32) -> PolicyTrace? { index == 0 ? nil : traces[Int(index) - 1] }

    /// Forgets traces whose numbers are not in use.
    mutating func forget(except used: Set<UInt32>) {
        for (hits, index) in indices.filter({ !used.contains($1) }) {
            indices[hits] = nil
            traces[Int(index) - 1] = nil
            free.append(index)
        }
    }
}

extension PolicyTrace {
    /// Returns this trace joined with the trace of the interface through which the connection enters or leaves.
    fileprivate func joined(with other: PolicyTrace, at direction: ForwardedConnection.Direction) -> PolicyTrace {
        direction == .entering ? other.followed(by: self) : followed(by: other)
    }

    private func followed(by other: PolicyTrace) -> PolicyTrace {
        let later = other.transit.enumerated().map { index, hit in
            "\(transit.count + index)\(hit.drop { $0 != "|" })"
        }
        let isDenied = action == .deny || other.action == .deny
        return PolicyTrace(action: isDenied ? .deny : .allow, transit: transit + later)
    }
}
