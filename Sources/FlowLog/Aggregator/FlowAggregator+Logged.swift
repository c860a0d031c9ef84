import FlowModel

/// Verdicts that rules of the packet filter logged: the kernel's own report of the rule that decided.
extension FlowAggregator {
    /// What decides at the reporting end of a connection: rules that were logged, else policies.
    mutating func trace(of connection: ResolvedFlow) -> PolicyTrace? {
        let traces = traces(of: connection)
        return logged(connection.reporter == .source ? traces.egress : traces.ingress, of: connection)
    }

    /// The policies' verdict, unless a logged rule decided otherwise.
    mutating func logged(_ engine: PolicyTrace?, of connection: ResolvedFlow) -> PolicyTrace? {
        guard !logged.isEmpty else { return engine }
        let key = LoggedVerdicts.Key(packets: connection.packets, reporter: connection.reporter)
        return logged.trace(of: key, engine: engine)
    }

    /// Notes what was logged.
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

    /// Takes in what was logged of a connection: a flow that began under other rules begins anew.
    mutating func takeIn(_ key: LoggedVerdicts.Key) {
        guard let number = number(of: key) else { return }
        if recordsLoggedDenials { deny(logged.takeDenied(key), of: number) }
        correct(number)
    }

    /// Whether it is worth waiting for what is logged of a connection that begins.
    func awaitsLog(_ conversation: Conversation, _ localEnd: InterfaceEnd?) -> Bool {
        guard readsLoggedVerdicts, let localEnd else { return false }
        let connection = conversation.flow(from: localEnd, by: resolver)
        return !logged.knows(LoggedVerdicts.Key(packets: connection.packets, reporter: connection.reporter))
    }

    /// Settles the numbers that have waited long enough.
    mutating func settleAwaited() {
        guard readsLoggedVerdicts else { return }
        for number in awaiting.nextBatch() where numbers[number].isHeld {
            let place = numbers[number].place
            if !isUnnamed(held[place].conversation) { settleHeld(at: place) }
        }
    }

    /// Whether a connection that begins is known to be denied from logging rules alone.
    func isDeniedByLog(_ conversation: Conversation, _ localEnd: InterfaceEnd) -> Bool {
        guard recordsLoggedDenials, !logged.isEmpty else { return false }
        let connection = conversation.flow(from: localEnd, by: resolver)
        return [.source, .destination].contains { (reporter: FlowReporter) in
            logged.hasDenied(LoggedVerdicts.Key(packets: connection.packets, reporter: reporter))
        }
    }

    /// Takes in what was logged of a judged number before it was born.
    mutating func takeInLogged(of number: UInt32) {
        let packets = judged[numbers[number].place].connection.packets
        for reporter in [.source, .destination] as [FlowReporter] {
            deny(logged.takeDenied(LoggedVerdicts.Key(packets: packets, reporter: reporter)), of: number)
        }
    }

    /// The number of a running flow.
    private func number(of key: LoggedVerdicts.Key) -> UInt32? {
        let packets = key.packets
        let owners = resolver.endpoints(source: packets.source, destination: packets.destination)
        let connection = ResolvedFlow(
            local: Party(address: packets.source, owner: owners.source, by: resolver),
            remote: Party(address: packets.destination, owner: owners.destination, by: resolver),
            localPort: packets.sourcePort,
            remotePort: packets.destinationPort,
            proto: packets.proto,
            reporter: .source,
            service: nil,
            natPort: 0
        )
        return ledger.number(of: connection.seen(by: key.reporter)) { stands($0, for: $1) }
    }

    /// Takes in denied packets that were logged, where no other source reports them.
    private mutating func deny(_ denied: TrafficCounters, of number: UInt32) {
        guard denied != .zero, let place = judgedPlace(of: number) else { return }
        if judged[place].initiator == .near {
            judged[place].news.forward.counted += denied
        } else {
            judged[place].news.forward.uncounted += denied
        }
        list(place)
        decide(at: place)
    }

    /// Begins the flow of a number anew if it began under other rules than were logged.
    private mutating func correct(_ number: UInt32) {
        let numbered = numbers[number]
        if numbered.isJudged {
            judged[numbered.place].evaluation = nil
            return decide(at: numbered.place)
        }
        guard numbered.isReported else { return }
        let running = ledger.resolved(numbered.flow)
        let trace = trace(of: running)
        guard trace?.enforced != running.policies?.enforced else { return }
        ledger.end(numbered.flow)
        let share = ledger.share(of: numbered.flow)
        let begun = ledger.begin(running.judged(running.action, by: trace), as: number, for: share)
        numbers[number] = NumberedFlow(flow: begun.flow, group: begun.group, localEnd: numbered.localEnd)
    }
}
