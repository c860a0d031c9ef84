import FlowModel

/// Ports on which Felix lets a host endpoint's traffic through before policies (`failsafeInboundHostPorts`,
/// `failsafeOutboundHostPorts` of its configuration).
struct FailsafePorts: Sendable {
    /// A protocol and a port.
    struct Port: Sendable, Hashable {
        /// The protocol.
        var proto: IPProtocol
        /// The destination port.
        var number: UInt16
    }

    /// To the host.
    var inbound: Set<Port>
    /// From the host.
    var outbound: Set<Port>

    /// Felix' defaults: SSH, DHCP, DNS, BGP, etcd, Typha and the Kubernetes API.
    static let standard = FailsafePorts(
        inbound: Set(
            [.init(proto: .udp, number: 68)] + ([22] + cluster).map { Port(proto: .tcp, number: $0) }
        ),
        outbound: Set(
            [53, 67].map { Port(proto: .udp, number: $0) } + cluster.map { Port(proto: .tcp, number: $0) }
        )
    )

    private static let cluster: [UInt16] = [179, 2379, 2380, 5473, 6443, 6666, 6667]

    /// Whether packets in a direction are let through.
    func contains(_ packets: TrackedConnection.Tuple, _ direction: FlowDirection) -> Bool {
        let port = Port(proto: packets.proto, number: packets.destinationPort)
        return direction == .ingress ? inbound.contains(port) : outbound.contains(port)
    }
}
