/// The destination port of a flow as text: `2379/tcp`, `echo request/icmp6`, `type 133/icmp6`, `icmp`.
///
/// The page's `portText` (`Sources/Page/Web/names.js`) writes the same texts.
package enum PortName {
    /// The messages that begin conversations, by `type << 8 | code` (RFC 4443, section 4).
    package static let messages: [(port: UInt64, name: String)] = [
        (128 << 8, "echo request"), (129 << 8, "echo reply"),
    ]

    /// Returns the port with its protocol; the protocol alone if it has no port.
    ///
    /// - Parameters:
    ///   - port: the value of `dest_port`, which is `type << 8 | code` of ICMPv6 messages.
    ///   - proto: the value of `proto`.
    /// - Returns: the text.
    package static func text(_ port: UInt64?, _ proto: String) -> String {
        guard let port, proto != IPProtocol.icmp.name else { return proto }
        return proto == IPProtocol.icmp6.name && port <= UInt64(UInt16.max)
            ? "\(message(port))/\(proto)" : "\(port)/\(proto)"
    }

    private static func message(_ port: UInt64) -> String {
        if let known = messages.first(where: { $0.port == port }) { return known.name }
        return "type \(port >> 8)" + (port & 0xff == 0 ? "" : " code \(port & 0xff)")
    }
}
