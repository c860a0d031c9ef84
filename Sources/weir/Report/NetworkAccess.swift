import FlowModel
import Policy
import Query

/// Who could reach whom under the policies as they are, and who did in a range of time.
struct NetworkAccess {
    /// From whom to a port of whom.
    struct Key: Hashable {
        var source: String
        var destination: String
        var port: String
    }

    /// What is known of it.
    struct Access {
        /// `allow` or `deny`; `mixed` where pods of a workload differ, and empty where nobody can be asked.
        var could = ""
        /// The hit that decides.
        var rule = ""
        /// Connections that were recorded, by the reporter.
        var allowed: [String: UInt64] = [:]
        var denied: [String: UInt64] = [:]
        /// The hits that decided then.
        var rules: Set<String> = []
        var firstSeen: Int64 = .max
        var lastSeen: Int64 = 0
    }

    /// The internet, and networks that nobody outside routes, as ends.
    static let internet = "(internet)"
    private static let privateNetwork = "(private network)"
    /// An address that nobody has (RFC 5737): what policies say of it they say of most of the internet.
    private static let someone = IPAddress(192, 0, 2, 1)
    /// The most questions.
    static let mostQuestions = 1_000_000

    private(set) var accesses: [Key: Access] = [:]
    private var tracer: PolicyTracer
    private let workloads: Workloads
    private let namespaces: Set<String>

    /// Takes the policies and whom they are about.
    ///
    /// - Parameters:
    ///   - tracer: answers.
    ///   - namespaces: of which one end must be; empty for all.
    init(_ tracer: PolicyTracer, namespaces: Set<String>) {
        self.tracer = tracer
        self.namespaces = namespaces
        workloads = Workloads(tracer)
    }

    // MARK: Could

    /// Asks of every workload, and of the internet, whether it could reach each port that services lead to, and the internet.
    ///
    /// - Throws: `CommandFailure` if these are too many questions.
    mutating func askAll() throws {
        let ports = workloads.all.reduce(0) { $0 + $1.ports.count + 1 }
        guard ports * (workloads.all.count + 1) <= Self.mostQuestions || !namespaces.isEmpty else {
            throw CommandFailure(
                description:
                    "\(workloads.all.count) workloads have too many pairs for one report; restrict it with --namespace"
            )
        }
        let outside = Workloads.Workload(
            name: Self.internet,
            namespace: "",
            pods: [.address(Self.someone)],
            ports: [NamedPort(port: 443)]
        )
        for source in workloads.all + [outside] {
            for destination in workloads.all + [outside] where isWanted(source, destination) {
                for port in destination.ports { ask(source, destination, port) }
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
                let (verdict, rule) = decision(question)
                if access.could.isEmpty {
                    (access.could, access.rule) = (verdict.rawValue, rule)
                } else if access.could != verdict.rawValue {
                    access.could = "mixed"
                    return
                }
            }
        }
    }

    private func decision(_ question: PolicyTracer.Question) -> (FlowAction, String) {
        let traces = tracer.traces(question)
        var rule = ""
        for trace in [traces.egress, traces.ingress].compactMap(\.self) {
            rule = trace.enforced.last ?? rule
            if trace.action == .deny { return (.deny, rule) }
        }
        return (.allow, rule)
    }

    // MARK: Did

    /// What a query groups by for ``add(_:)``.
    static let groupBy = RecordedConnection.groupBy + [.field(.action), .field(.reporter), .rule(isPending: false)]
    /// What it sums.
    static let sums = RecordedConnection.sums

    /// Adds what was recorded.
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
    /// The report: who could, and who did or tried; pairs that may not and did not are left out.
    var table: ReportTable {
        var table = ReportTable(columns: [
            "source", "destination", "port", "couldReach", "rule", "allowedConnections", "deniedConnections",
            "rulesInForce", "firstSeen", "lastSeen",
        ])
        let rows = accesses.sorted {
            ($0.key.destination, $0.key.port, $0.key.source) < ($1.key.destination, $1.key.port, $1.key.source)
        }
        for (key, access) in rows where access.could == "allow" || access.could == "mixed" || access.lastSeen > 0 {
            table.rows.append([
                .text(key.source), .text(key.destination), .text(key.port), .text(access.could), .text(access.rule),
                .number(access.allowedOnce), .number(access.deniedOnce), .texts(access.rules.sorted()),
                .text(Self.time(access.firstSeen)), .text(Self.time(access.lastSeen)),
            ])
        }
        return table
    }

    /// A time as RFC 3339; empty where there is none.
    static func time(_ seconds: Int64) -> String { seconds > 0 && seconds < .max ? ReportTime.text(seconds) : "" }
}

extension NetworkAccess.Access {
    /// Denied connections: of those that one end allows and the other one denies, the second one is right.
    var deniedOnce: UInt64 { denied.values.reduce(0, &+) }

    /// Allowed ones: both ends may have recorded a connection.
    var allowedOnce: UInt64 {
        let totals = Set(allowed.keys).union(denied.keys).map { (allowed[$0] ?? 0) &+ (denied[$0] ?? 0) }
        let total = totals.max() ?? 0
        return total > deniedOnce ? total - deniedOnce : 0
    }
}
