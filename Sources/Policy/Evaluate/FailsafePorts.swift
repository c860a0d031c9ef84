import ClusterModel
import FlowModel

/// The failsafe ports of host endpoints, on which Felix allows traffic before it evaluates policies.
///
/// They are `failsafeInboundHostPorts` and `failsafeOutboundHostPorts` of the FelixConfiguration.
struct FailsafePorts: Sendable {
    /// A protocol and a destination port.
    private struct Port: Sendable, Hashable {
        var proto: IPProtocol
        var number: UInt16
    }

    /// Ports with the addresses of the other end: numbers of ``RuleTables/prefixes``, ascending; nil for all addresses.
    private typealias Ports = [Port: [UInt32]?]

    /// Ports of traffic to the host.
    private var inbound: Ports
    /// Ports of traffic from the host.
    private var outbound: Ports

    /// Felix's defaults: SSH, DHCP, DNS, BGP, etcd, Typha and the Kubernetes API.
    static let standard = FailsafePorts(
        inbound: ports(tcp: [22] + cluster, udp: [68]),
        outbound: ports(tcp: cluster, udp: [53, 67])
    )

    private static let cluster: [UInt16] = [179, 2379, 2380, 5473, 6443, 6666, 6667]

    private static func ports(tcp: [UInt16], udp: [UInt16]) -> Ports {
        var ports: Ports = [:]
        for number in tcp { ports[Port(proto: .tcp, number: number)] = .some(nil) }
        for number in udp { ports[Port(proto: .udp, number: number)] = .some(nil) }
        return ports
    }

    /// A copy with the lists that a configuration sets.
    func overridden(by configuration: FelixConfiguration?, _ tables: inout RuleTables) -> FailsafePorts {
        var ports = self
        if let inbound = configuration?.failsafeInbound { ports.inbound = Self.ports(inbound, &tables) }
        if let outbound = configuration?.failsafeOutbound { ports.outbound = Self.ports(outbound, &tables) }
        return ports
    }

    private static func ports(_ list: [FelixConfiguration.FailsafePort], _ tables: inout RuleTables) -> Ports {
        var ports: Ports = [:]
        for (port, entries) in Dictionary(grouping: list, by: { Port(proto: $0.proto, number: $0.port) }) {
            let nets = entries.compactMap(\.net)
            ports[port] = nets.count < entries.count ? .some(nil) : Set(nets.map { tables.number(of: $0) }).sorted()
        }
        return ports
    }

    /// Whether packets in a direction are allowed.
    func contains(_ query: PolicyQuery, _ direction: FlowDirection, _ addresses: AddressClasses) -> Bool {
        let port = Port(proto: query.packets.proto, number: query.packets.destinationPort)
        guard let nets = (direction == .ingress ? inbound : outbound)[port] else { return false }
        guard let nets else { return true }
        return addresses.isIn(nets, direction == .ingress ? query.sourceClass : query.destinationClass)
    }
}

/// The failsafe ports of the host endpoints of each node.
///
/// The FelixConfiguration `default` applies to all nodes; one named `node.` and the name of a node overrides its lists there.
struct HostFailsafePorts: Sendable {
    private var all: FailsafePorts
    private var nodes: [String: FailsafePorts] = [:]

    /// Felix's defaults on all nodes.
    static let standard = HostFailsafePorts(all: .standard)

    private init(all: FailsafePorts) { self.all = all }

    /// Takes configurations by their names.
    init(_ configurations: [String: FelixConfiguration], _ tables: inout RuleTables) {
        all = FailsafePorts.standard.overridden(by: configurations["default"], &tables)
        for (name, configuration) in configurations where name.hasPrefix(Self.nodePrefix) {
            nodes[String(name.dropFirst(Self.nodePrefix.count))] = all.overridden(by: configuration, &tables)
        }
    }

    private static let nodePrefix = "node."

    /// Returns the ports of a node; nil is an unknown node, which has the ports of all nodes.
    subscript(node: String?) -> FailsafePorts { node.flatMap { nodes[$0] } ?? all }
}
