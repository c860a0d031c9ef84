import Glibc
import Lab

/// Traffic that is sent and need not arrive.
struct Attempt: Sendable, Hashable {
    /// The protocol above IP.
    enum Proto: String, Sendable, CaseIterable {
        case udp
        case tcp
        case icmp
    }

    var proto: Proto
    var isIPv6: Bool

    /// Each protocol in each family.
    static let all = Proto.allCases.flatMap { proto in
        [false, true].map { Attempt(proto: proto, isIPv6: $0) }
    }

    /// The port that is called.
    static let port: UInt16 = 2000
    private static let sourcePort: UInt16 = 3000
    private static let identifier: UInt16 = 77

    /// A name of its own, such as `tcp6`.
    var name: String { proto.rawValue + (isIPv6 ? "6" : "4") }

    /// The name of the protocol in records.
    var protocolName: String { proto == .icmp && isIPv6 ? "icmp6" : proto.rawValue }

    /// The called port in records: null for ICMP, type and code for ICMPv6.
    var recordedPort: Int? {
        switch (proto, isIPv6) {
        case (.icmp, false): nil
        case (.icmp, true): 128 << 8
        default: Int(Self.port)
        }
    }

    /// The number of its flows: TCP tries a second time, from another port.
    var flows: Int { proto == .tcp ? 2 : 1 }

    /// The nftables expression that matches its packets, and no answers to them.
    var match: String {
        switch (proto, isIPv6) {
        case (.icmp, false): "icmp type echo-request"
        case (.icmp, true): "icmpv6 type echo-request"
        default: "meta l4proto \(proto.rawValue) th dport \(Self.port)"
        }
    }

    /// Sends it; the error from a firewall that refuses it on its way out is no failure here.
    ///
    /// - Returns: the packets and IP bytes that are sent if nothing refuses them, by arithmetic.
    @discardableResult
    func make(
        from source: PolicyNode.Place,
        to destination: PolicyNode.Place,
        in lab: PolicyNode
    ) throws -> Count {
        let path = TrafficPath(
            from: try lab.namespace(of: source),
            to: try lab.namespace(of: destination),
            at: try lab.address(of: destination, isIPv6: isIPv6, towards: source),
            timeout: .milliseconds(20)
        )
        let header: UInt64 = isIPv6 ? 40 : 20
        switch proto {
        case .udp:
            try Self.unless(EPERM) {
                _ = try path.udp(count: 30, size: 100, port: Self.port, sourcePort: Self.sourcePort)
            }
            return Count(30, 30 * (header + 8 + 100))
        case .tcp:
            for _ in 0..<flows { try Self.unless(EPERM) { _ = try path.tcpAttempt(port: Self.port) } }
            // A SYN with options: MSS, SACK permitted, timestamps, window scale.
            return Count(UInt64(flows), UInt64(flows) * (header + 40))
        case .icmp:
            try Self.unless(EPERM) { _ = try path.ping(count: 20, size: 56, identifier: Self.identifier) }
            return Count(20, 20 * (header + 8 + 56))
        }
    }

    private static func unless(_ tolerated: Int32, _ body: () throws -> Void) throws {
        do { try body() } catch LabError.system(_, tolerated) {}
    }
}
