import FlowModel
import Inventory
import Policy

/// Compares the verdicts of policies for recorded connections before and after a change.
struct PolicyPreview {
    /// The verdict for a connection.
    enum Verdict: String, Sendable {
        case allow
        case deny
        /// The records do not contain enough information.
        case unknown = "?"
    }

    /// Connections between the same workloads on the same port whose verdict changes in the same way.
    struct Change {
        var source: String
        var destination: String
        var port: String
        var before: Verdict
        var after: Verdict
        /// The deciding hits before and after the change; empty if unknown.
        var beforeRule: String
        var afterRule: String
        /// The reason why the verdict cannot be determined; empty if it can.
        var reason: String
        var connections: UInt64
        var bytes: UInt64
        var lastSeen: Int64
        /// The filter that selects the records.
        var filter: String
    }

    /// A number of pairs and connections.
    struct Count {
        var pairs = 0
        var connections: UInt64 = 0

        mutating func add(_ more: UInt64) {
            pairs += 1
            connections &+= more
        }
    }

    /// Connections whose verdict changes or cannot be determined.
    private(set) var changes: [Change] = []
    /// Connections whose verdict stays the same.
    private(set) var kept = Count()

    private var before: PolicyTracer
    private var after: PolicyTracer
    private let enforcesStaged: Bool
    /// Whether the pending hits of a trace deny, by the number of the trace.
    private var pendingDenials: [UInt64: Bool] = [:]
    private let members: WorkloadMembers

    /// Takes the policies before and after the change.
    ///
    /// - Parameters:
    ///   - before: the current policies.
    ///   - after: the changed policies.
    ///   - enforcesStaged: whether staged policies are enforced after the change.
    init(before: PolicyTracer, after: PolicyTracer, enforcesStaged: Bool) {
        (self.before, self.after, self.enforcesStaged) = (before, after, enforcesStaged)
        members = WorkloadMembers(before)
    }

    /// Evaluates recorded connections.
    ///
    /// - Parameters:
    ///   - connections: the recorded connections.
    ///   - deadline: the time limit; nil for none.
    /// - Returns: whether all connections were evaluated.
    @discardableResult
    mutating func judge(_ connections: [RecordedConnection], by deadline: ContinuousClock.Instant? = nil) -> Bool {
        var ends = PreviewEnds(members, after.policies)
        var found: [PairKey: Change] = [:]
        var keptPairs: [PairKey: UInt64] = [:]
        for (index, connection) in connections.enumerated() {
            if let deadline, index % 8 == 0, ContinuousClock.now > deadline { return false }
            let source = ends.number(connection.source, &before)
            let destination = ends.number(connection.destination, &before)
            let (one, other, reason) = verdicts(connection, ends[source], ends[destination])
            let key = PairKey(
                source: ends[source].text,
                destination: ends[destination].text,
                port: connection.port,
                proto: connection.proto,
                before: one.verdict,
                after: other.verdict
            )
            if one.verdict == other.verdict, one.verdict != .unknown {
                keptPairs[key, default: 0] &+= connection.connections
                continue
            }
            found[key, default: Change(connection, one, other, reason)].add(connection)
        }
        for connections in keptPairs.values { kept.add(connections) }
        changes = found.values.sorted(by: Self.precedes)
        return true
    }

    /// Orders newly denied before newly allowed before undetermined; within each, the most connections come first.
    private static func precedes(_ left: Change, _ right: Change) -> Bool {
        func rank(_ change: Change) -> Int { change.after == .deny ? 0 : change.after == .allow ? 1 : 2 }
        let (one, other) = (rank(left), rank(right))
        if one != other { return one < other }
        if left.connections != right.connections { return left.connections > right.connections }
        return (left.source, left.destination, left.port) < (right.source, right.destination, right.port)
    }

    /// The key of connections that are displayed as one: the numbers of the displayed ends, the port, and the verdicts.
    private struct PairKey: Hashable {
        var source: Int32
        var destination: Int32
        var port: UInt16?
        var proto: IPProtocol
        var before: Verdict
        var after: Verdict
    }

    // MARK: Verdicts

    private typealias Decision = (verdict: Verdict, rule: String)

    private mutating func verdicts(
        _ connection: RecordedConnection,
        _ source: PreviewEnds.Entry,
        _ destination: PreviewEnds.Entry
    ) -> (before: Decision, after: Decision, reason: String) {
        let unknown: Decision = (.unknown, "")
        guard let from = source.candidates, let to = destination.candidates else {
            let end = source.candidates == nil ? connection.source : connection.destination
            return (unknown, unknown, "the records name no address of \(end.text), and no pod of the inventory is it")
        }
        guard !connection.proto.hasPorts || connection.port != nil else {
            return (unknown, unknown, "the port is folded away (level 3)")
        }
        var one: Decision?
        var other: Decision?
        // Between two workloads, one pod of each kind is evaluated. Within one workload, pods call each other: a connection of
        // a pod to itself is not recorded, unless it is the only pod.
        let isWithin = from.kinds.contains { kind in to.kinds.contains { $0.name == kind.name } }
        let isAlone = from.first.count == 1 && to.first.count == 1
        for from in isWithin ? from.first : from.kinds {
            for to in isWithin ? to.first : to.kinds {
                var asked = PolicyConnection(source: from.name, destination: to.name, proto: connection.proto)
                asked.port = connection.port
                asked.domains = connection.domains.isEmpty ? nil : connection.domains
                guard let question = before.question(asked, from: from.end, to: to.end),
                    !isWithin || question.exemption != .itself || isAlone
                else { continue }
                let traces = (before: before.traces(question), after: after.traces(question))
                let (now, then) = (
                    decision(traces.before, isPending: false),
                    decision(traces.after, isPending: enforcesStaged)
                )
                if question.domains == .unknown {
                    if traces.before.egress?.dependsOnDomains == true { return (unknown, unknown, Self.lacksDomains) }
                    if traces.after.egress?.dependsOnDomains == true { return (now, unknown, Self.lacksDomains) }
                }
                if let known = one, known.verdict != now.verdict {
                    return (unknown, unknown, "pods of the same workload are decided differently")
                }
                if let known = other, known.verdict != then.verdict {
                    return (now, unknown, "pods of the same workload would be decided differently")
                }
                (one, other) = (one ?? now, other ?? then)
            }
        }
        guard let one, let other else { return (unknown, unknown, "the ends are not in the inventory any more") }
        return (one, other, "")
    }

    private static let lacksDomains = "a rule requires the destination's domain name, and the records have none"

    private mutating func decision(_ traces: PolicyTracer.Traces, isPending: Bool) -> Decision {
        var last = ""
        if let trace = traces.egress, isDenied(trace, isPending, &last) { return (.deny, last) }
        if let trace = traces.ingress, isDenied(trace, isPending, &last) { return (.deny, last) }
        return (.allow, last)
    }

    /// Whether a trace denies; sets the deciding hit if there is one.
    private mutating func isDenied(_ trace: PolicyTrace, _ isPending: Bool, _ last: inout String) -> Bool {
        guard isPending else {
            if let hit = trace.enforced.last { last = hit }
            return trace.action == .deny
        }
        if let hit = trace.pending.last { last = hit }
        if let known = pendingDenials[trace.id] { return known }
        let isDenied = trace.pending.last.flatMap(PolicyHit.action) == .deny
        pendingDenials[trace.id] = isDenied
        return isDenied
    }
}

extension PolicyPreview.Change {
    /// A change without connections.
    fileprivate init(
        _ connection: RecordedConnection,
        _ before: (verdict: PolicyPreview.Verdict, rule: String),
        _ after: (verdict: PolicyPreview.Verdict, rule: String),
        _ reason: String
    ) {
        self.init(
            source: connection.source.text,
            destination: connection.destination.text,
            port: connection.portText,
            before: before.verdict,
            after: after.verdict,
            beforeRule: before.rule,
            afterRule: after.rule,
            reason: reason,
            connections: 0,
            bytes: 0,
            lastSeen: 0,
            filter: connection.filter
        )
    }

    /// Adds the totals of a recorded connection.
    fileprivate mutating func add(_ connection: RecordedConnection) {
        connections &+= connection.connections
        bytes &+= connection.bytes
        lastSeen = max(lastSeen, connection.lastSeen)
    }
}

extension PolicyHit {
    /// The action of a hit; nil if the text cannot be parsed.
    fileprivate static func action(_ text: String) -> Action? { (try? PolicyHit(text))?.action }
}

extension RecordedConnection {
    /// The port and the protocol, as in `2379/tcp`; only the protocol if there is no port.
    var portText: String { PortName.text(port.map { UInt64($0) }, proto.name) }
}
