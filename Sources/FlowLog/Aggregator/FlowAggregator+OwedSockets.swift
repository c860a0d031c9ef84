import FlowModel

/// Statistics of sockets whose flows have denied packets.
///
/// They belong to the connection's record of allowed packets, else to that of denied packets. Which of them the interval has is
/// known at its end, so they are kept until then; and until a later interval if it has neither.
extension FlowAggregator {
    /// Keeps the statistics of a socket; the process that owns it is known at once.
    mutating func keep(_ socket: FlowSocket, at place: UInt32) {
        let flow = deniedFlows[place]
        guard flow.isReported, (flow.localEnd == .near) == socket.isNear else { return }
        if let process = socket.process {
            deniedFlows[place].process = process
            if let own = flow.own { addProcess(to: own, at: place) }
        }
        guard socket.hasNumbers else { return }
        guard owedSockets[flow.flowID] == nil else {
            owedSockets[flow.flowID]?.add(socket)
            return
        }
        charge(DetailCost.owed, to: flow.share)
        owedSockets[flow.flowID] = socket
    }

    /// Adds the kept statistics to the records of the interval, where the interval has a record of the connection.
    ///
    /// - Parameter isLast: whether no interval follows: then records are made for the rest.
    mutating func settleOwedSockets(isLast: Bool) {
        guard !owedSockets.isEmpty else { return }
        for flowID in owedSockets.keys.sorted() {
            if case .denied(let place) = states[flowID] { settleOwedSocket(at: place, isLast: isLast) }
        }
    }

    /// Adds the kept statistics of a flow to a record of the interval.
    ///
    /// If the interval has none and the flow ends, a record is made.
    mutating func settleOwedSocket(at place: UInt32, isLast: Bool) {
        let flow = deniedFlows[place]
        guard !owedSockets.isEmpty, let socket = owedSockets[flow.flowID] else { return }
        // An allowed flow has a record in each interval.
        let own = flow.own.flatMap { $0.action == .allow || isLast ? $0.flow : nil }
        guard let chosen = flow.counted(in: intervalNumber) ?? own ?? (isLast ? beginDenied(flow) : nil) else { return }
        owedSockets[flow.flowID] = nil
        release(DetailCost.owed, from: flow.share)
        ledger.add(socket, to: chosen)
    }

    /// Records a connection as denied for its own end, without packets.
    ///
    /// Its packets were denied before they were counted for this end, and are in the record of the other end.
    private mutating func beginDenied(_ flow: DeniedFlow) -> UInt32 {
        let connection = flow.withVerdict(.deny, by: flow.connection.reporter)
        let begun = ledger.begin(connection, as: flow.flowID, for: flow.share)
        ledger.end(begun.flow)
        return begun.flow
    }
}

extension FlowSocket {
    /// Whether it has statistics, a handshake or lookups beside the process.
    fileprivate var hasNumbers: Bool {
        handshake != nil || lookups != nil || statistics.map { $0 != TCPStatistics() } == true
    }
}
