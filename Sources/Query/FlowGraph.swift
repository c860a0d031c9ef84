import FlowModel
import Records

/// The objects that the nodes of a graph represent.
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
        /// A destination port of the edge.
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

    /// The sums of edges that are left out.
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

    /// An edge with its nodes.
    private struct Link {
        var edge: Edge
        var source: Node
        var destination: Node
    }

    /// Builds a graph from the sums of a range.
    ///
    /// Edges within the limit are held in memory, at most twice as many; other edges only while their pairs are summed.
    ///
    /// - Parameters:
    ///   - totals: the sums.
    ///   - level: the objects that the nodes represent.
    ///   - focus: the id of a node, of which only the edges are kept; nil keeps all edges.
    ///   - limit: the maximum number of edges; edges with denied connections come first, then those with the most connections.
    package init(_ totals: KeyTotals, by level: GraphLevel, focus: String?, limit: Int) {
        func ends(_ pair: FlowPair) -> (source: (node: Node, filter: String), destination: (node: Node, filter: String))
        {
            (
                Self.node(pair.source, level, .source, nil),
                Self.node(pair.destination, level, .destination, pair.service)
            )
        }
        var links = FirstOf<Link>(limit) { Self.precedes($0.edge, $1.edge) }
        // The edges whose pairs are being added: usually one, and rarely others with the same hash.
        var open: [Link] = []
        var last: Int?
        func close() {
            for link in open { for rest in links.add(link) { other.add(rest.edge) } }
            open.removeAll(keepingCapacity: true)
        }
        totals.forEachPair(
            by: {
                let ends = ends($0)
                return "\(ends.source.node.id)\u{0}\(ends.destination.node.id)"
            },
            { pair, group in
                let (source, destination) = ends(pair)
                guard focus == nil || source.node.id == focus || destination.node.id == focus else { return }
                if last != group { close() }
                last = group
                let place =
                    open.firstIndex { $0.source.id == source.node.id && $0.destination.id == destination.node.id }
                    ?? open.count
                if place == open.count {
                    let edge = Edge(
                        source: source.node.id,
                        dest: destination.node.id,
                        filter: "\(source.filter) && \(destination.filter)"
                    )
                    open.append(Link(edge: edge, source: source.node, destination: destination.node))
                }
                open[place].edge.add(pair)
                total.allowed += pair.allowed
                total.denied += pair.denied
            }
        )
        close()
        for rest in links.cut() { other.add(rest.edge) }
        let found = links.sorted
        edges = found.map { link in
            var edge = link.edge
            edge.ports.sort { $0.allowed &+ $0.denied > $1.allowed &+ $1.denied }
            edge.ports = Array(edge.ports.prefix(Self.maximumPorts))
            return edge
        }
        nodes = Self.nodes(found)
    }

    private static func precedes(_ left: Edge, _ right: Edge) -> Bool {
        let (one, other) = (left.denied.connections > 0, right.denied.connections > 0)
        if one != other { return one }
        let (mine, theirs) = (
            left.allowed.connections &+ left.denied.connections, right.allowed.connections &+ right.denied.connections
        )
        return mine != theirs ? mine > theirs : (left.source, left.dest) < (right.source, right.dest)
    }

    private static func nodes(_ links: [Link]) -> [Node] {
        var nodes: [String: Node] = [:]
        for link in links {
            nodes[link.source.id, default: link.source].sent += link.edge.allowed
            nodes[link.source.id, default: link.source].denied += link.edge.denied
            nodes[link.destination.id, default: link.destination].received += link.edge.allowed
            if link.source.id != link.destination.id {
                nodes[link.destination.id, default: link.destination].denied += link.edge.denied
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
        self.allowed += pair.allowed
        self.denied += pair.denied
        pending += pair.pending
        last_seen = max(last_seen, pair.lastSeen)
        let (allowed, denied) = (pair.allowed.connections, pair.denied.connections)
        if let place = ports.firstIndex(where: { $0.dest_port == pair.port && $0.proto == pair.proto }) {
            ports[place].allowed &+= allowed
            ports[place].denied &+= denied
        } else if ports.count < 100 {
            ports.append(Port(dest_port: pair.port, proto: pair.proto, allowed: allowed, denied: denied))
        }
    }
}

extension FlowGraph.Rest {
    fileprivate mutating func add(_ edge: FlowGraph.Edge) {
        edges += 1
        allowed += edge.allowed
        denied += edge.denied
    }
}
