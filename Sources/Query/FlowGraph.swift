import FlowModel
import Records

/// What the nodes of a graph represent.
package enum GraphLevel: String, Sendable, CaseIterable {
    /// Namespaces; an endpoint without a namespace is a node of its own.
    case namespace
    /// Workloads, hosts, network sets, and networks.
    case workload
    /// Workloads as sources, and services as destinations.
    case service
}

/// A graph of the traffic between nodes.
package struct FlowGraph: Sendable, Encodable {
    /// A node: the source or destination of edges.
    package struct Node: Sendable, Encodable {
        package var id: String
        package var kind: String
        package var namespace: String?
        package var name: String
        package var sent = Amount()
        package var received = Amount()
        package var denied = Amount()
    }

    /// The traffic from one node to another.
    package struct Edge: Sendable, Encodable {
        /// One destination port of the edge.
        package struct Port: Sendable, Encodable {
            package var dest_port: UInt64?
            package var proto: String
            package var allowed: UInt64
            package var denied: UInt64
        }

        package var source: String
        package var dest: String
        package var allowed = Amount()
        package var denied = Amount()
        package var pending = PendingChange()
        package var ports: [Port] = []
        package var last_seen: Int64 = 0
        package var filter: String
    }

    /// The edges that are left out.
    package struct Rest: Sendable, Encodable {
        package var edges = 0
        package var allowed = Amount()
        package var denied = Amount()
    }

    /// Sums.
    package struct Total: Sendable, Encodable {
        package var allowed = Amount()
        package var denied = Amount()
    }

    package var nodes: [Node] = []
    package var edges: [Edge] = []
    package var other = Rest()
    package var total = Total()

    /// The maximum number of ports listed for an edge.
    private static let maximumPorts = 10

    /// Builds a graph from pairs.
    ///
    /// - Parameters:
    ///   - pairs: the traffic.
    ///   - level: what the nodes represent.
    ///   - focus: the id of a node; only edges at this node are kept. nil keeps all edges.
    ///   - limit: the maximum number of edges; those with denied connections come first, then those with the most.
    package init(_ pairs: [FlowPair], by level: GraphLevel, focus: String?, limit: Int) {
        var places: [String: Int] = [:]
        var all: [Edge] = []
        var known: [String: Node] = [:]
        for pair in pairs {
            let source = Self.node(pair.source, level, .source, nil)
            let destination = Self.node(pair.destination, level, .destination, pair.service)
            guard focus == nil || source.node.id == focus || destination.node.id == focus else { continue }
            known[source.node.id] = source.node
            known[destination.node.id] = destination.node
            let key = "\(source.node.id)\u{0}\(destination.node.id)"
            let place = places[key] ?? all.count
            if place == all.count {
                places[key] = place
                all.append(
                    Edge(
                        source: source.node.id,
                        dest: destination.node.id,
                        filter: "\(source.filter) && \(destination.filter)"
                    )
                )
            }
            all[place].allowed += pair.allowed
            all[place].denied += pair.denied
            all[place].pending += pair.pending
            all[place].last_seen = max(all[place].last_seen, pair.lastSeen)
            all[place].add(pair)
            total.allowed += pair.allowed
            total.denied += pair.denied
        }
        all.sort(by: Self.precedes)
        edges = Array(all.prefix(limit))
        for edge in all.dropFirst(limit) {
            other.edges += 1
            other.allowed += edge.allowed
            other.denied += edge.denied
        }
        for index in edges.indices {
            edges[index].ports.sort { $0.allowed &+ $0.denied > $1.allowed &+ $1.denied }
            edges[index].ports = Array(edges[index].ports.prefix(Self.maximumPorts))
        }
        nodes = Self.nodes(edges, known)
    }

    private static func precedes(_ left: Edge, _ right: Edge) -> Bool {
        let (one, other) = (left.denied.connections > 0, right.denied.connections > 0)
        if one != other { return one }
        let (mine, theirs) = (
            left.allowed.connections &+ left.denied.connections, right.allowed.connections &+ right.denied.connections
        )
        return mine != theirs ? mine > theirs : (left.source, left.dest) < (right.source, right.dest)
    }

    private static func nodes(_ edges: [Edge], _ known: [String: Node]) -> [Node] {
        var nodes: [String: Node] = [:]
        for edge in edges {
            if var node = nodes[edge.source] ?? known[edge.source] {
                node.sent += edge.allowed
                node.denied += edge.denied
                nodes[edge.source] = node
            }
            if var node = nodes[edge.dest] ?? known[edge.dest] {
                node.received += edge.allowed
                if edge.source != edge.dest { node.denied += edge.denied }
                nodes[edge.dest] = node
            }
        }
        return nodes.values.sorted { $0.id < $1.id }
    }

    private static func node(
        _ end: FlowNode,
        _ level: GraphLevel,
        _ which: RecordEnd,
        _ service: (namespace: String?, name: String?)?
    ) -> (node: Node, filter: String) {
        switch level {
        case .namespace:
            guard let namespace = end.namespace else { break }
            let node = Node(id: "namespace:\(namespace)", kind: "namespace", namespace: namespace, name: namespace)
            return (node, "\(which.namespace.description.name) == \(FilterText.quoted(namespace))")
        case .service:
            guard let name = service?.name else { break }
            let scope = service?.namespace
            let id = "service:\(scope.map { "\($0)/" } ?? "")\(name)"
            let text = scope.map { "dest_service_namespace == \(FilterText.quoted($0)) && " } ?? ""
            return (
                Node(id: id, kind: "service", namespace: scope, name: name),
                "\(text)dest_service_name == \(FilterText.quoted(name))"
            )
        case .workload: break
        }
        return (Node(id: end.id, kind: kind(end), namespace: end.namespace, name: end.name), end.filter(which))
    }

    private static func kind(_ end: FlowNode) -> String {
        switch end.type {
        case "wep": "workload"
        case "hep": "host"
        case "ns": "network_set"
        default: end.name == "-" ? "unknown" : "network"
        }
    }
}

extension FlowGraph.Edge {
    fileprivate mutating func add(_ pair: FlowPair) {
        let (allowed, denied) = (pair.allowed.connections, pair.denied.connections)
        if let place = ports.firstIndex(where: { $0.dest_port == pair.port && $0.proto == pair.proto }) {
            ports[place].allowed &+= allowed
            ports[place].denied &+= denied
        } else if ports.count < 100 {
            ports.append(Port(dest_port: pair.port, proto: pair.proto, allowed: allowed, denied: denied))
        }
    }
}
