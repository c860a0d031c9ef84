import FlowModel

/// The minimal rules for a namespace that keep all recorded connections allowed.
struct PolicySuggestion {
    /// A rule that allows one peer on the recorded ports.
    struct Rule {
        /// The peer at the other end.
        enum Peer: Hashable {
            /// Pods with these labels in a namespace; nil is the policy's own namespace.
            case pods(namespace: String?, labels: [Label])
            /// A single address.
            case address(IPAddress)
        }

        /// A port and its evidence.
        struct Port: Hashable {
            var proto: IPProtocol
            var port: UInt16?
        }

        var peer: Peer
        /// The names of the peer in records.
        var names: Set<String> = []
        var ports: [Port: Evidence] = [:]
    }

    /// The recorded connections that a rule is based on.
    struct Evidence {
        var connections: UInt64 = 0
        var lastSeen: Int64 = 0

        mutating func add(_ connection: RecordedConnection) {
            connections &+= connection.connections
            lastSeen = max(lastSeen, connection.lastSeen)
        }
    }

    /// The rules for one workload.
    struct Workload {
        var name: String
        var selector: WorkloadSelectors.Selector
        var ingress: [Rule.Peer: Rule] = [:]
        var egress: [Rule.Peer: Rule] = [:]
    }

    /// A recorded connection that no rule covers, with the reason.
    struct LeftOut: Hashable {
        var what: String
        var reason: String
    }

    /// The recorded workloads of the namespace, by their names without version.
    private(set) var workloads: [String: Workload] = [:]
    /// The connections that no rule covers, with their evidence.
    private(set) var leftOut: [LeftOut: Evidence] = [:]
    /// The connections of the namespace that rules are derived from.
    private(set) var used: [RecordedConnection] = []

    private let namespace: String
    private let selectors: WorkloadSelectors
    private let hasICMP: Bool

    /// Creates a suggestion without rules.
    ///
    /// - Parameters:
    ///   - namespace: the namespace of the suggested policies.
    ///   - selectors: the selectors of workloads.
    ///   - hasICMP: whether the policies support rules for ICMP.
    init(_ namespace: String, _ selectors: WorkloadSelectors, hasICMP: Bool) {
        (self.namespace, self.selectors, self.hasICMP) = (namespace, selectors, hasICMP)
    }

    /// Adds an allowed connection.
    mutating func add(_ connection: RecordedConnection) {
        let isFrom = isOwn(connection.source), isTo = isOwn(connection.destination)
        guard isFrom || isTo else { return }
        used.append(connection)
        if isFrom { add(connection, of: connection.source, with: connection.destination, \.egress) }
        if isTo { add(connection, of: connection.destination, with: connection.source, \.ingress) }
    }

    private func isOwn(_ end: RecordedConnection.End) -> Bool {
        end.type == Endpoint.Kind.workload.rawValue && end.namespace == namespace
    }

    private mutating func add(
        _ connection: RecordedConnection,
        of end: RecordedConnection.End,
        with other: RecordedConnection.End,
        _ side: WritableKeyPath<Workload, [Rule.Peer: Rule]>
    ) {
        let name = WorkloadSelectors.workload(end.aggregatedName)
        guard let selector = workloads[name]?.selector ?? selectors.selector(namespace, name) else {
            return leave(connection, "\(end.text)", "none of its pods is in the inventory with a label that stays")
        }
        if workloads[name] == nil { workloads[name] = Workload(name: name, selector: selector) }
        let isTo = side == \.ingress
        let what = isTo ? "\(other.text) to \(end.text)" : "\(end.text) to \(other.text)"
        guard let port = port(connection) else {
            let reason =
                connection.proto.hasPorts && connection.port == nil
                ? "the port is folded away (level 3)"
                : "policies of this kind have no rule for \(connection.proto.name); those of --kind calico have them for ICMP"
            return leave(connection, "\(what), \(connection.portText)", reason)
        }
        switch peer(other) {
        case .success(let peer):
            workloads[name]?[keyPath: side][peer, default: Rule(peer: peer)].names.insert(other.text)
            workloads[name]?[keyPath: side][peer]?.ports[port, default: Evidence()].add(connection)
        case .failure(let failure): leave(connection, "\(what), \(connection.portText)", failure.reason)
        }
    }

    private mutating func leave(_ connection: RecordedConnection, _ what: String, _ reason: String) {
        leftOut[LeftOut(what: what, reason: reason), default: Evidence()].add(connection)
    }

    private func port(_ connection: RecordedConnection) -> Rule.Port? {
        if [.tcp, .udp, .sctp].contains(connection.proto) {
            return connection.port.map { Rule.Port(proto: connection.proto, port: $0) }
        }
        return hasICMP && [.icmp, .icmp6].contains(connection.proto)
            ? Rule.Port(proto: connection.proto, port: nil) : nil
    }

    private struct NoPeer: Error {
        var reason: String
    }

    private func peer(_ end: RecordedConnection.End) -> Result<Rule.Peer, NoPeer> {
        if end.type == Endpoint.Kind.workload.rawValue {
            let scope = end.namespace ?? "default"
            guard let selector = selectors.selector(scope, WorkloadSelectors.workload(end.aggregatedName)) else {
                return .failure(
                    NoPeer(reason: "none of the pods of \(end.text) is in the inventory with a label that stays")
                )
            }
            return .success(.pods(namespace: scope == namespace ? nil : scope, labels: selector.labels))
        }
        guard let address = end.address else {
            return .failure(
                NoPeer(reason: "the records name no address (weir run --aggregation-allowed 1 keeps it)")
            )
        }
        return .success(.address(address))
    }
}

extension IPProtocol {
    /// The name of the protocol in policies.
    var policyName: String { self == .icmp6 ? "ICMPv6" : name.uppercased() }
}
