import FlowModel

/// Verdicts that rules of the packet filter logged: the kernel reports the rule that decided.
extension FlowAggregator {
    /// Returns the decision at the reporting end of a connection: of the logged rules, or else of the policies.
    mutating func trace(of connection: ResolvedFlow) -> PolicyTrace? {
        let traces = traces(of: connection)
        return logged(connection.reporter == .source ? traces.egress : traces.ingress, of: connection)
    }

    /// Returns the policies' verdict, unless a logged rule decided otherwise.
    mutating func logged(_ engine: PolicyTrace?, of connection: ResolvedFlow) -> PolicyTrace? {
        guard !logged.isEmpty else { return engine }
        let key = LoggedVerdicts.Key(packets: connection.packets, reporter: connection.reporter)
        return logged.trace(of: key, engine: engine)
    }

    /// Notes the logged verdicts of a batch.
    ///
    /// - Returns: the connections that the entries belong to, each once.
    mutating func note(_ verdicts: borrowing [LoggedVerdict]) -> Set<LoggedVerdicts.Key> {
        var keys: Set<LoggedVerdicts.Key> = []
        for index in verdicts.indices {
            let key = logged.note(verdicts[index], countsDenied: recordsLoggedDenials) {
                resolver.isLocalWorkload($0) || resolver.isOwn($0)
            }
            if let key { keys.insert(key) }
        }
        return keys
    }

    /// Applies the logged verdicts of a connection: a flow that began under other rules begins again.
    mutating func takeIn(_ key: LoggedVerdicts.Key) {
        guard let flowID = flowID(of: key) else { return }
        if recordsLoggedDenials { deny(logged.takeDenied(key), of: flowID) }
        correct(flowID)
    }

    /// Whether a connection that begins should wait for its log entries.
    func awaitsLog(_ conversation: Conversation, _ localEnd: InterfaceEnd?) -> Bool {
        guard readsLoggedVerdicts, let localEnd else { return false }
        let connection = self.flow(of: conversation, from: localEnd)
        return !logged.contains(LoggedVerdicts.Key(packets: connection.packets, reporter: connection.reporter))
    }

    /// Settles the flows whose wait is over.
    mutating func settleAwaited() {
        guard !awaiting.isEmpty else { return }
        for flowID in awaiting.nextBatch() {
            guard case .held(let place, _) = states[flowID] else { continue }
            if !isUnnamed(held[place].conversation) { settleHeld(at: place) }
        }
    }

    /// Whether logging rules alone show that a connection that begins is denied.
    func isDeniedByLog(_ conversation: Conversation, _ localEnd: InterfaceEnd) -> Bool {
        guard recordsLoggedDenials, !logged.isEmpty else { return false }
        let connection = self.flow(of: conversation, from: localEnd)
        return [.source, .destination].contains { (reporter: FlowReporter) in
            logged.hasDenied(LoggedVerdicts.Key(packets: connection.packets, reporter: reporter))
        }
    }

    /// Adds the denials that were logged before the flow began.
    mutating func takeInLogged(of flowID: UInt32) {
        guard case .denied(let place) = states[flowID] else { return }
        let packets = deniedFlows[place].connection.packets
        for reporter in [.source, .destination] as [FlowReporter] {
            deny(logged.takeDenied(LoggedVerdicts.Key(packets: packets, reporter: reporter)), of: flowID)
        }
    }

    /// Returns the identifier of the active flow of a logged connection; nil if there is none.
    private func flowID(of key: LoggedVerdicts.Key) -> UInt32? {
        let packets = key.packets
        let owners = resolver.endpoints(source: packets.source, destination: packets.destination)
        let connection = ResolvedFlow(
            local: FlowEndpoint(address: packets.source, owner: owners.source, by: resolver),
            remote: FlowEndpoint(address: packets.destination, owner: owners.destination, by: resolver),
            localPort: packets.sourcePort,
            remotePort: packets.destinationPort,
            proto: packets.proto,
            reporter: .source,
            service: nil,
            natPort: 0
        )
        return ledger.flowID(of: connection.seen(by: key.reporter)) { stands($0, for: $1) }
    }

    /// Adds logged denied packets to a flow, if no other source reports them.
    private mutating func deny(_ denied: TrafficCounters, of flowID: UInt32) {
        guard denied != .zero, let place = deniedPlace(of: flowID) else { return }
        if deniedFlows[place].initiator == .near {
            deniedFlows[place].changes.forward.counted += denied
        } else {
            deniedFlows[place].changes.forward.uncounted += denied
        }
        list(place)
        decide(at: place)
    }

    /// Begins a flow again if it began under other rules than the logged ones.
    private mutating func correct(_ flowID: UInt32) {
        switch states[flowID] {
        case .denied(let place):
            deniedFlows[place].evaluation = nil
            decide(at: place)
        case .reported(let flow):
            correct(flow, as: flowID)
        case .waiting, .held, .folded, .unused:
            break
        }
    }

    private mutating func correct(_ flow: ReportedFlow, as flowID: UInt32) {
        let running = ledger.resolved(flow.flow)
        let trace = trace(of: running)
        guard trace?.enforced != running.policies?.enforced else { return }
        let (share, process) = (ledger.share(of: flow.flow), ledger.processes.process(of: flow.flow))
        ledger.end(flow.flow)
        let begun = ledger.begin(running.withVerdict(running.action, by: trace), as: flowID, for: share)
        states[flowID] = .reported(ReportedFlow(flow: begun.flow, group: begun.group, localEnd: flow.localEnd))
        handOn(process, to: flowID, localEnd: flow.localEnd)
    }
}
