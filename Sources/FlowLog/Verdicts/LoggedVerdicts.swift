import FlowModel

/// The verdicts that rules of the packet filter logged for connections, from before their flows begin until some time after.
///
/// The rules that match a packet are logged in order, one in each tier. A newer rule of a tier replaces the tier's former rule
/// and all rules after it.
struct LoggedVerdicts {
    /// A connection at one of its ends.
    struct Key: Hashable {
        /// The packets of the initiator, behind destination NAT.
        let packets: TrackedConnection.Tuple
        /// The end whose policies were logged.
        let reporter: FlowReporter
    }

    fileprivate struct Entry {
        var rules: [LoggedRule] = []
        /// The trace of the rules; nil if they have changed.
        var trace: PolicyTrace?
        /// Denied packets that were not taken yet.
        var denied = TrafficCounters.zero
        /// The number of intervals that have ended since the last packet.
        var age = 0
    }

    /// The maximum number of kept connections; denials of further ones are only counted.
    private static let limit = 1 << 16
    /// The number of intervals after which log entries are removed.
    private static let maximumAge = 2

    private var entries: [Key: Entry] = [:]
    /// Denied packets of connections that were not kept, or that have no flow.
    private(set) var lost: UInt64 = 0

    /// Whether there are no recent entries.
    var isEmpty: Bool { entries.isEmpty }

    /// Adds packets that matched a rule.
    ///
    /// - Parameters:
    ///   - verdict: the packets and the rule.
    ///   - countsDenied: whether denied packets are counted here; otherwise the kernel reports them, too.
    ///   - isSourceLocal: whether an address belongs to this node; used for rules that do not name their end.
    /// - Returns: the connection; nil if the packets are answers, or if there is no room.
    mutating func note(
        _ verdict: LoggedVerdict,
        countsDenied: Bool,
        isSourceLocal: (IPAddress) -> Bool
    ) -> Key? {
        guard let packets = verdict.forwardPackets else { return nil }
        let reporter: FlowReporter =
            switch verdict.rule.direction {
            case .egress: .source
            case .ingress: .destination
            case nil: isSourceLocal(packets.source) ? .source : .destination
            }
        let key = Key(packets: packets, reporter: reporter)
        let isDenied = countsDenied && verdict.rule.action == .deny
        guard entries[key] != nil || entries.count < Self.limit else {
            if isDenied { lost += verdict.traffic.packets }
            return nil
        }
        var entry = entries[key] ?? Entry()
        entry.add(verdict.rule)
        if isDenied { entry.denied += verdict.traffic }
        entry.age = 0
        entries[key] = entry
        return key
    }

    /// Returns the trace of the logged rules; the policy engine's trace if both agree, or if the rules do not decide.
    mutating func trace(of key: Key, engine: PolicyTrace?) -> PolicyTrace? {
        guard let last = entries[key]?.rules.last, last.action != .pass else { return engine }
        if let engine, let hit = engine.enforced.last, last.isSame(as: hit) { return engine }
        if let trace = entries[key]?.trace { return trace }
        let trace = entries[key]?.makeTrace()
        entries[key]?.trace = trace
        return trace
    }

    /// Whether there is an entry for a connection.
    func contains(_ key: Key) -> Bool { entries[key] != nil }

    /// Whether a connection has denied packets that were not taken yet.
    func hasDenied(_ key: Key) -> Bool {
        entries[key].map { $0.denied != .zero } ?? false
    }

    /// Takes and resets the denied packets of a connection.
    mutating func takeDenied(_ key: Key) -> TrafficCounters {
        guard let denied = entries[key]?.denied, denied != .zero else { return .zero }
        entries[key]?.denied = .zero
        return denied
    }

    /// Removes entries without packets in the last intervals.
    mutating func endInterval() {
        for (key, entry) in entries {
            if entry.age >= Self.maximumAge {
                lost += entry.denied.packets
                entries[key] = nil
            } else {
                entries[key]?.age += 1
            }
        }
    }
}

fileprivate extension LoggedVerdicts.Entry {
    mutating func add(_ rule: LoggedRule) {
        if rules.contains(where: { $0 === rule }) { return }
        if let same = rules.firstIndex(where: { $0.tier == rule.tier }) { rules.removeSubrange(same...) }
        rules.append(rule)
        trace = nil
    }

    func makeTrace() -> PolicyTrace {
        let hits = rules.enumerated().map { "\($0)|\($1.hit)" }
        return PolicyTrace(action: rules.last?.action == .deny ? .deny : .allow, enforced: hits, pending: hits)
    }
}

extension LoggedRule {
    /// The tier of the hit.
    fileprivate var tier: Substring { hit.prefix { $0 != "|" } }

    /// Whether a hit of the policy engine is from this rule.
    ///
    /// The engine's hit of a default action names a policy of the tier; the logged hit does not.
    fileprivate func isSame(as engine: String) -> Bool {
        let mine = hit.split(separator: "|", omittingEmptySubsequences: false)
        let other = engine.split(separator: "|", omittingEmptySubsequences: false).dropFirst()
        guard mine.count == 4, other.count == 4 else { return false }
        let isDefault = mine[3] == "-1"
        return zip(mine, other).enumerated().allSatisfy { $0 == 1 && isDefault || $1.0 == $1.1 }
    }
}

extension LoggedVerdict {
    /// The packets as the initiator sends them, behind destination NAT; nil if they are answers.
    fileprivate var forwardPackets: TrackedConnection.Tuple? {
        guard let connection else { return packets }
        guard packets != connection.reply else { return nil }
        var forward = connection.original
        forward.destination = connection.reply.source
        if forward.proto.hasPorts { forward.destinationPort = connection.reply.sourcePort }
        return forward
    }
}
