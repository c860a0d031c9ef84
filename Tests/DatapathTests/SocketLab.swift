import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// Two pods behind a node, and a host beyond its uplink.
struct SocketNode {
    let lab: LabNetwork
    let outside: NetworkNamespace

    init(pods: [String] = ["a", "b"]) throws {
        lab = try LabNetwork(pods: pods)
        outside = try NetworkNamespace()
        _ = try VethPair(
            VethEnd(lab.node, interface: "up0", addresses: ["192.0.2.1/24"]),
            VethEnd(outside, addresses: ["192.0.2.2/24"])
        )
    }

    func monitor(collects: Collected = .tcp) throws -> Monitor {
        var configuration = DatapathConfiguration(
            interfaces: InterfaceSelection(include: ["cali*", "up0"], workload: ["cali*"]),
            tableSlots: 32768
        )
        configuration.collects = collects
        return try Monitor(in: lab.node, configuration)
    }

    /// Pod a calls pod b.
    func connection(ipv6: Bool = false, port: UInt16) throws -> HeldConnection {
        let (a, b) = try (lab.pod("a"), lab.pod("b"))
        let place = HeldConnection.Place(ipv6 ? b.ipv6 : b.ipv4, port)
        return try HeldConnection(.tcp, from: a.namespace, to: place, answeredIn: b.namespace, at: place)
    }
}

/// The output of ss about the socket with a local port.
struct ListedSocket {
    private let words: [Substring]

    init(in namespace: NetworkNamespace, localPort: UInt16) throws {
        let text = try namespace.command(["ss", "-Htino", "sport = :\(localPort)"])
        words = text.split { $0 == " " || $0 == "\n" || $0 == "\t" }
        try #require(words.contains { $0.hasPrefix("cwnd:") }, "\(text)")
    }

    private func value(_ name: String) -> Substring? {
        words.first { $0.hasPrefix(name + ":") }?.dropFirst(name.count + 1)
    }

    /// Timeouts since anything was acknowledged; 0 if there are none.
    var backoff: UInt64 { value("backoff").flatMap { UInt64($0) } ?? 0 }
    /// Segments that were sent again since the connection began.
    var retransmissions: UInt64 {
        value("retrans").flatMap { $0.split(separator: "/").last }.flatMap { UInt64($0) } ?? 0
    }

    var window: UInt32? { value("cwnd").flatMap { UInt32($0) } }
    var mss: UInt32? { value("mss").flatMap { UInt32($0) } }
    /// Microseconds; ss has milliseconds.
    var rtt: UInt32? { value("rtt").flatMap { Self.microseconds($0.prefix { $0 != "/" }) } }
    var minRTT: UInt32? { value("minrtt").flatMap { Self.microseconds($0) } }

    private static func microseconds(_ text: Substring) -> UInt32? {
        Double(text).map { UInt32(($0 * 1000).rounded()) }
    }
}

extension Monitor {
    /// The statistics of the flow that an interface sees with a port at either end.
    func sockets(
        on interface: String,
        port: UInt16
    ) throws -> (near: TCPStatistics?, far: TCPStatistics?)? {
        let index = try namespace.run { if_nametoindex(interface) }
        return sockets.first {
            $0.key.interfaceIndex == index && ($0.key.nearPort == port || $0.key.farPort == port)
        }?.value
    }

    /// Returns the times of the handshake of the flow that an interface sees with a port at either end.
    func handshakes(
        on interface: String,
        port: UInt16
    ) throws -> (near: HandshakeTimes?, far: HandshakeTimes?)? {
        let index = try namespace.run { if_nametoindex(interface) }
        return handshakes.first {
            $0.key.interfaceIndex == index && ($0.key.nearPort == port || $0.key.farPort == port)
        }?.value
    }

    /// The processes of the flow that an interface sees with a port at either end.
    func processes(
        on interface: String,
        port: UInt16
    ) throws -> (near: FlowProcesses?, far: FlowProcesses?)? {
        let index = try namespace.run { if_nametoindex(interface) }
        return processes.first {
            $0.key.interfaceIndex == index && ($0.key.nearPort == port || $0.key.farPort == port)
        }?.value
    }
}
