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
        /// Selects the records.
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
        var found: [PairKey: Change] = [:]
        var keptPairs: [PairKey: UInt64] = [:]
        for (index, connection) in connections.enumerated() {
            if let deadline, index % 64 == 0, ContinuousClock.now > deadline { return false }
            let (one, other, reason) = verdicts(connection)
            let key = PairKey(connection, one.verdict, other.verdict)
            if one.verdict == other.verdict, one.verdict != .unknown {
                keptPairs[key, default: 0] &+= connection.connections
                continue
            }
            var change =
                found[key]
                ?? Change(
                    source: connection.source.text,
                    destination: connection.destination.text,
                    port: connection.portText,
                    before: one.verdict,
                    after: other.verdict,
                    beforeRule: one.rule,
                    afterRule: other.rule,
                    reason: reason,
                    connections: 0,
                    bytes: 0,
                    lastSeen: 0,
                    filter: connection.filter
                )
            change.connections &+= connection.connections
            change.bytes &+= connection.bytes
            change.lastSeen = max(change.lastSeen, connection.lastSeen)
            found[key] = change
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

    private struct PairKey: Hashable {
        var source: String
        var destination: String
        var port: String
        var before: Verdict
        var after: Verdict

        init(_ connection: RecordedConnection, _ before: Verdict, _ after: Verdict) {
            (source, destination) = (connection.source.text, connection.destination.text)
            (port, self.before, self.after) = (connection.portText, before, after)
        }
    }

    // MARK: Verdicts

    private typealias Decision = (verdict: Verdict, rule: String)

    private mutating func verdicts(
        _ connection: RecordedConnection
    ) -> (before: Decision, after: Decision, reason: String) {
        let nobody: Decision = (.unknown, "")
        guard let sources = members.names(connection.source), let targets = members.names(connection.destination) else {
            let end = members.names(connection.source) == nil ? connection.source : connection.destination
            return (nobody, nobody, "the records name no address of \(end.text), and no pod of the inventory is it")
        }
        guard !connection.proto.hasPorts || connection.port != nil else {
            return (nobody, nobody, "the port is folded away (level 3)")
        }
        var one: Decision?
        var other: Decision?
        for source in sources {
            for target in targets {
                var asked = PolicyConnection(source: source, destination: target, proto: connection.proto)
                asked.port = connection.port
                guard let question = try? before.question(asked) else { continue }
                let (now, then) = (
                    decision(before, question, isPending: false), decision(after, question, isPending: enforcesStaged)
                )
                if let known = one, known.verdict != now.verdict {
                    return (nobody, nobody, "pods of the same workload are decided differently")
                }
                if let known = other, known.verdict != then.verdict {
                    return (now, nobody, "pods of the same workload would be decided differently")
                }
                (one, other) = (one ?? now, other ?? then)
            }
        }
        guard let one, let other else { return (nobody, nobody, "the ends are not in the inventory any more") }
        return (one, other, "")
    }

    private func decision(_ tracer: PolicyTracer, _ question: PolicyTracer.Question, isPending: Bool) -> Decision {
        let traces = tracer.traces(question)
        var last = ""
        for trace in [traces.egress, traces.ingress].compactMap(\.self) {
            let hits = isPending ? trace.pending : trace.enforced
            last = hits.last ?? last
            let isDenied = isPending ? hits.last.flatMap(PolicyHit.action) == .deny : trace.action == .deny
            if isDenied { return (.deny, last) }
        }
        return (.allow, last)
    }
}

extension PolicyHit {
    /// The action of a hit; nil if the text cannot be parsed.
    fileprivate static func action(_ text: String) -> Action? { (try? PolicyHit(text))?.action }
}

extension RecordedConnection {
    /// `2379/tcp`, or the protocol where there is no port.
    var portText: String { port.map { "\($0)/\(proto.name)" } ?? proto.name }
}

/// Pods by the workload name in records.
struct WorkloadMembers {
    private var pods: [String: [String]] = [:]
    /// Pods by the name of the workload without its version.
    private var versions: [String: [String]] = [:]
    private let directory: PolicyDirectory

    /// The maximum number of pods evaluated per workload.
    private static let limit = 3

    /// Groups the pods of the inventory by their aggregated names.
    init(_ tracer: PolicyTracer) {
        directory = tracer.directory
        for (name, pod) in tracer.directory.allPods where !pod.hasEnded && !pod.usesHostNetwork {
            guard let address = pod.addresses.first else { continue }
            let endpoint = tracer.inventory.endpoint(at: address)
            guard endpoint.kind == .workload else { continue }
            let scope = endpoint.namespace ?? "default"
            pods["\(scope)/\(endpoint.aggregatedName)", default: []].append(name)
            versions["\(scope)/\(WorkloadSelectors.workload(endpoint.aggregatedName))", default: []].append(name)
        }
        for key in pods.keys { pods[key]?.sort() }
        for key in versions.keys { versions[key]?.sort() }
    }

    /// The endpoints to evaluate for an end; nil if none is known.
    func names(_ end: RecordedConnection.End) -> [PolicyEndName]? {
        if end.type == "wep" {
            let scope = end.namespace ?? "default"
            if let name = end.name, directory.pod("\(scope)/\(name)")?.hasEnded == false {
                return [.named("\(scope)/\(name)")]
            }
            let workload = WorkloadSelectors.workload(end.aggregatedName)
            // If the version no longer exists, pods of other versions are used: old addresses may be reassigned.
            if let known = pods["\(scope)/\(end.aggregatedName)"] ?? versions["\(scope)/\(workload)"] {
                return known.prefix(Self.limit).map { .named($0) }
            }
        }
        return end.address.map { [.address($0)] }
    }
}
