import FlowModel

/// The least that policies of a namespace must allow so that what was seen stays allowed.
struct PolicySuggestion {
    /// What is allowed: one peer, and the ports that were seen.
    struct Rule {
        /// Who is at the other end.
        enum Peer: Hashable {
            /// Pods: their namespace, nil for the policy's own, and their labels.
            case pods(namespace: String?, labels: [Label])
            /// One address.
            case address(IPAddress)
        }

        /// A port, and what was seen there.
        struct Port: Hashable {
            var proto: IPProtocol
            var port: UInt16?
        }

        var peer: Peer
        /// How records call the peer.
        var names: Set<String> = []
        var ports: [Port: Evidence] = [:]
    }

    /// What was seen.
    struct Evidence {
        var connections: UInt64 = 0
        var lastSeen: Int64 = 0

        mutating func add(_ connection: RecordedConnection) {
            connections &+= connection.connections
            lastSeen = max(lastSeen, connection.lastSeen)
        }
    }

    /// What one workload needs.
    struct Workload {
        var name: String
        var selector: WorkloadSelectors.Selector
        var ingress: [Rule.Peer: Rule] = [:]
        var egress: [Rule.Peer: Rule] = [:]
    }

    /// Something that was seen and is in no rule.
    struct LeftOut: Hashable {
        var what: String
        var reason: String
    }

    /// The workloads of the namespace that were seen, by their names in all their versions.
    private(set) var workloads: [String: Workload] = [:]
    /// What is in no rule, and how much of it was seen.
    private(set) var leftOut: [LeftOut: Evidence] = [:]
    /// Connections of the namespace that rules are made of.
    private(set) var used: [RecordedConnection] = []

    private let namespace: String
    private let selectors: WorkloadSelectors
    private let hasICMP: Bool

    /// Begins with no rules.
    ///
    /// - Parameters:
    ///   - namespace: whose policies are suggested.
    ///   - selectors: how workloads are selected.
    ///   - hasICMP: whether policies have rules for ICMP.
    init(_ namespace: String, _ selectors: WorkloadSelectors, hasICMP: Bool) {
        (self.namespace, self.selectors, self.hasICMP) = (namespace, selectors, hasICMP)
    }

    /// Takes in a connection that was allowed.
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
    /// How policies call the protocol.
    var policyName: String { self == .icmp6 ? "ICMPv6" : name.uppercased() }
}
