import Audit
import FlowModel
import Policy
import Query

/// Compares the access that the current policies allow with the access recorded in a range of time.
struct NetworkAccess {
    /// A source, a destination, and a port.
    struct Key: Hashable {
        var source: String
        var destination: String
        var port: String
    }

    /// The possible and the recorded access.
    struct Access {
        /// `allow` or `deny`; `mixed` if the pods of a workload differ.
        ///
        /// `domain` if it depends on an unknown domain name of the destination; empty if no end can be evaluated.
        var could = ""
        /// The deciding hit.
        var rule = ""
        /// Recorded connections by reporter.
        var allowed: [String: UInt64] = [:]
        var denied: [String: UInt64] = [:]
        /// The hits that decided the recorded connections.
        var rules: Set<String> = []
        var firstSeen: Int64 = .max
        var lastSeen: Int64 = 0
        /// The results under earlier policies, each with its beginning (Unix µs), if they differ.
        var earlier: [(time: Int64, could: String, rule: String)] = []
    }

    /// The names of the internet, and of private networks, as ends.
    static let internet = "(internet)"
    /// The result if it depends on the destination's domain name.
    static let dependsOnDomain = "domain"
    private static let privateNetwork = "(private network)"
    /// A documentation address (RFC 5737), which represents most of the internet to policies.
    private static let someone = IPAddress(192, 0, 2, 1)
    /// The maximum number of evaluations.
    static let mostQuestions = 1_000_000

    private(set) var accesses: [Key: Access] = [:]
    private var tracer: PolicyTracer
    private let workloads: Workloads
    private let namespaces: Set<String>

    /// Takes the policies and the inventory.
    ///
    /// - Parameters:
    ///   - tracer: evaluates the policies.
    ///   - namespaces: one end must be in one of these namespaces; empty for all.
    init(_ tracer: PolicyTracer, namespaces: Set<String>) {
        self.tracer = tracer
        self.namespaces = namespaces
        workloads = Workloads(tracer)
    }

    // MARK: Possible access

    /// Evaluates access from every workload and the internet to each service port and to the internet.
    ///
    /// - Parameter scope: evaluates only pairs with an end in it.
    /// - Throws: `CommandFailure` if this exceeds the maximum number of evaluations.
    mutating func askAll(_ scope: PolicyHistory.Scope = .all) throws {
        guard questions(scope) <= Self.mostQuestions else {
            throw CommandFailure(
                description:
                    "\(workloads.all.count) workloads have too many pairs for one report; restrict it with --namespace"
            )
        }
        forEachPair(scope) { source, destination in
            for port in destination.ports { ask(source, destination, port) }
        }
    }

    /// Returns the number of evaluations of ``askAll(_:)``.
    func questions(_ scope: PolicyHistory.Scope) -> Int {
        var count = 0
        forEachPair(scope) { count += $1.ports.count }
        return count
    }

    private static let outside = Workloads.Workload(
        name: internet,
        namespace: "",
        pods: [.address(someone)],
        ports: [NamedPort(port: 443)]
    )

    private func forEachPair(
        _ scope: PolicyHistory.Scope,
        _ body: (Workloads.Workload, Workloads.Workload) -> Void
    ) {
        for source in workloads.all + [Self.outside] {
            for destination in workloads.all + [Self.outside] where isWanted(source, destination) {
                if case .namespaces(let names) = scope {
                    guard names.contains(source.namespace) || names.contains(destination.namespace) else { continue }
                }
                body(source, destination)
            }
        }
    }

    private func isWanted(_ source: Workloads.Workload, _ destination: Workloads.Workload) -> Bool {
        if source.name == Self.internet, destination.name == Self.internet { return false }
        return namespaces.isEmpty || namespaces.contains(source.namespace) || namespaces.contains(destination.namespace)
    }

    private mutating func ask(_ source: Workloads.Workload, _ destination: Workloads.Workload, _ port: NamedPort) {
        let key = Key(source: source.name, destination: destination.name, port: "\(port.port)/\(port.proto.name)")
        var access = Access()
        decide(&access, source.pods, destination.pods, port.proto, port.port)
        accesses[key] = access
    }

    private mutating func decide(
        _ access: inout Access,
        _ sources: [PolicyEndName],
        _ destinations: [PolicyEndName],
        _ proto: IPProtocol,
        _ port: UInt16?
    ) {
        for source in sources {
            for destination in destinations {
                var connection = PolicyConnection(source: source, destination: destination, proto: proto)
                connection.port = port
                guard let question = try? tracer.question(connection), question.exemption != .itself else { continue }
                let (could, rule) = decision(question)
                if access.could.isEmpty {
                    (access.could, access.rule) = (could, rule)
                } else if access.could != could {
                    guard access.could != Self.dependsOnDomain, could != Self.dependsOnDomain else {
                        (access.could, access.rule) = (Self.dependsOnDomain, "")
                        continue
                    }
                    access.could = "mixed"
                    return
                }
            }
        }
    }

    /// The verdict and the deciding hit; no hit if another one might decide.
    private func decision(_ question: PolicyTracer.Question) -> (could: String, rule: String) {
        let traces = tracer.traces(question)
        if question.domains == .unknown, traces.egress?.dependsOnDomains == true {
            guard let ingress = traces.ingress, ingress.action == .deny else { return (Self.dependsOnDomain, "") }
            return (FlowAction.deny.rawValue, ingress.enforced.last ?? "")
        }
        var rule = ""
        for trace in [traces.egress, traces.ingress].compactMap(\.self) {
            rule = trace.enforced.last ?? rule
            if trace.action == .deny { return (FlowAction.deny.rawValue, rule) }
        }
        for end in tracer.transit(question) where end.action == .deny {
            return (FlowAction.deny.rawValue, end.hits.last?.text ?? "")
        }
        return (FlowAction.allow.rawValue, rule)
    }

    /// Continues with the policies of a later time.
    ///
    /// - Parameters:
    ///   - other: the results under these policies, for the pairs that may have changed.
    ///   - time: the time from which they were in force, Unix µs.
    mutating func go(to other: NetworkAccess, at time: Int64) {
        tracer = other.tracer
        for (key, access) in other.accesses {
            var now = accesses[key] ?? access
            (now.could, now.rule) = (access.could, access.rule)
            if now.earlier.last?.could != access.could || now.earlier.last?.rule != access.rule {
                now.earlier.append((time, access.could, access.rule))
            }
            accesses[key] = now
        }
    }

    // MARK: Recorded access

    /// The names to group a query by for ``add(_:)``.
    static let groupBy = RecordedConnection.groupBy + [.field(.action), .field(.reporter), .rule(isPending: false)]
    /// The measures that the query sums.
    static let sums = RecordedConnection.sums

    /// Adds recorded connections.
    mutating func add(_ groups: [FlowQueryResult.Group]) {
        let members = WorkloadMembers(tracer)
        for group in groups {
            guard let connection = RecordedConnection(group), isWanted(connection) else { continue }
            let key = Key(
                source: Self.text(connection.source),
                destination: Self.text(connection.destination),
                port: connection.portText
            )
            var access = accesses[key] ?? asked(connection, members)
            let reporter = group.values[13] ?? ""
            guard reporter != FlowReporter.forward.rawValue else { continue }
            if group.values[12] == FlowAction.deny.rawValue {
                access.denied[reporter, default: 0] &+= connection.connections
            } else {
                access.allowed[reporter, default: 0] &+= connection.connections
            }
            if let rule = group.values[14], !rule.isEmpty, rule != "-" { access.rules.insert(rule) }
            access.firstSeen = min(access.firstSeen, group.firstSeen)
            access.lastSeen = max(access.lastSeen, group.lastSeen)
            accesses[key] = access
        }
    }

    private mutating func asked(_ connection: RecordedConnection, _ members: WorkloadMembers) -> Access {
        var access = Access()
        if let sources = members.names(connection.source), let destinations = members.names(connection.destination) {
            decide(&access, sources, destinations, connection.proto, connection.port)
        }
        return access
    }

    private func isWanted(_ connection: RecordedConnection) -> Bool {
        namespaces.isEmpty
            || [connection.source.namespace, connection.destination.namespace].contains {
                $0.map(namespaces.contains) ?? false
            }
    }

    private static func text(_ end: RecordedConnection.End) -> String {
        guard end.type == "net" else { return end.text }
        return end.aggregatedName == "pvt"
            ? privateNetwork : end.aggregatedName == "pub" ? internet : end.aggregatedName
    }
}

extension NetworkAccess {
    /// The report of allowed and recorded access; pairs that are neither allowed nor recorded are left out.
    var table: ReportTable {
        var table = ReportTable(columns: [
            "source", "destination", "port", "couldReach", "rule", "allowedConnections", "deniedConnections",
            "rulesInForce", "firstSeen", "lastSeen", "couldReachOverTime",
        ])
        let rows = accesses.sorted {
            ($0.key.destination, $0.key.port, $0.key.source) < ($1.key.destination, $1.key.port, $1.key.source)
        }
        for (key, access) in rows where access.couldEver || access.lastSeen > 0 {
            table.rows.append([
                .text(key.source), .text(key.destination), .text(key.port), .text(access.could), .text(access.rule),
                .number(access.allowedOnce), .number(access.deniedOnce), .texts(access.rules.sorted()),
                .text(Self.time(access.firstSeen)), .text(Self.time(access.lastSeen)),
                .texts(access.overTime),
            ])
        }
        return table
    }

    /// A time in RFC 3339 format; empty if there is none.
    static func time(_ seconds: Int64) -> String { seconds > 0 && seconds < .max ? ReportTime.text(seconds) : "" }
}

extension NetworkAccess.Access {
    /// Whether policies allow it, or may allow it, now or at a time in the range.
    var couldEver: Bool {
        let all = earlier.isEmpty ? [could] : earlier.map(\.could)
        return all.contains { ["allow", "mixed", NetworkAccess.dependsOnDomain].contains($0) }
    }

    /// The results with their beginnings; empty if the result never changed.
    var overTime: [String] {
        guard earlier.count > 1 else { return [] }
        return earlier.map { entry in
            let rule = entry.rule.isEmpty ? "" : " by \(entry.rule)"
            return "\(AuditEnvelope.text(entry.time) ?? "0") \(entry.could)\(rule)"
        }
    }

    /// Denied connections; a connection that either end denies counts as denied, even if the other end allows it.
    var deniedOnce: UInt64 { denied.values.reduce(0, &+) }

    /// Allowed connections, counted once although both ends may report them.
    var allowedOnce: UInt64 {
        let totals = Set(allowed.keys).union(denied.keys).map { (allowed[$0] ?? 0) &+ (denied[$0] ?? 0) }
        let total = totals.max() ?? 0
        return total > deniedOnce ? total - deniedOnce : 0
    }
}
