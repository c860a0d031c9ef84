import FlowModel

/// Connections that this host forwards, where policies of a host endpoint govern them.
///
/// Neither end is this host's: the host endpoint reports, at the interface through which the packets of the end that began
/// enter, or else at the one through which they leave. Policies are asked once, when the connection begins.
extension FlowAggregator {
    /// The end that a host endpoint reports for: the one that was called; nil if no policies govern it at this interface, or
    /// it is reported at the other one.
    ///
    /// Sets what the policies decide. Costs nothing where ``hostInterface`` is nil.
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
        conversation.transit = index
        let connection = self.flow(of: conversation, from: end)
        let other = ledger.flowID(of: connection) { candidate, flow in
            candidate != flowID && stands(candidate, for: flow)
        }
        guard let other else { return end }
        conversation.transit = 0
        extend(other, by: trace, at: direction)
        return nil
    }

    /// The flow of a conversation as one of its ends sees it, with what a host endpoint's policies decide of it.
    func flow(of conversation: Conversation, from localEnd: InterfaceEnd) -> ResolvedFlow {
        var flow = conversation.flow(from: localEnd, by: resolver)
        guard let trace = forwardTraces[conversation.transit] else { return flow }
        if flow.reporter == .destination { flow.reporter = .forward }
        flow.policies = trace
        return flow
    }

    /// Adds the hits of the other interface to a connection that is reported: its flow begins anew.
    private mutating func extend(
        _ flowID: UInt32,
        by trace: PolicyTrace,
        at direction: ForwardedConnection.Direction
    ) {
        guard case .reported(let flow) = states[flowID], !trace.transit.isEmpty else { return }
        let running = ledger.resolved(flow.flow)
        guard let known = running.policies else { return }
        let whole = direction == .entering ? trace.followed(by: known) : known.followed(by: trace)
        let share = ledger.share(of: flow.flow)
        ledger.end(flow.flow)
        let begun = ledger.begin(running.withVerdict(running.action, by: whole), as: flowID, for: share)
        states[flowID] = .reported(ReportedFlow(flow: begun.flow, group: begun.group, localEnd: flow.localEnd))
    }
}

/// The traces of forwarded connections, each stored once.
///
/// A conversation keeps the number of its trace (4 bytes).
struct ForwardTraces {
    /// The maximum number of traces; connections with further ones are not recorded.
    static let limit = 1 << 16

    /// Connections that are not recorded, because there are too many traces.
    private(set) var refused: UInt64 = 0
    private var traces: [PolicyTrace] = []
    private var indices: [UInt64: UInt32] = [:]

    /// The number of a trace, from 1 on; nil if there are too many.
    mutating func index(of trace: PolicyTrace) -> UInt32? {
        if let index = indices[trace.id] { return index }
        guard traces.count < Self.limit else {
            refused += 1
            return nil
        }
        traces.append(trace)
        indices[trace.id] = UInt32(traces.count)
        return UInt32(traces.count)
    }

    /// The trace of a number; nil for 0.
    subscript(index: UInt32) -> PolicyTrace? { index == 0 ? nil : traces[Int(index) - 1] }
}

extension PolicyTrace {
    /// The trace of a forwarded connection at the interface that it enters through, and then at the one that it leaves by.
    fileprivate func followed(by other: PolicyTrace) -> PolicyTrace {
        let later = other.transit.enumerated().map { index, hit in
            "\(transit.count + index)\(hit.drop { $0 != "|" })"
        }
        let isDenied = action == .deny || other.action == .deny
        return PolicyTrace(action: isDenied ? .deny : .allow, transit: transit + later)
    }
}
