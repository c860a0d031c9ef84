import FlowModel

/// A connection to evaluate: its endpoints by name, and its protocol and ports.
struct PolicyConnection {
    /// The type and code of an ICMP message if both are unknown: no rule can match type 255.
    private static let unknownMessage: UInt16 = 0xffff

    /// The endpoint that opens the connection.
    var source: PolicyEndName
    /// The endpoint that receives the connection.
    var destination: PolicyEndName
    /// The protocol above IP.
    var proto = IPProtocol.tcp
    /// The destination port; nil if unknown.
    var port: UInt16?
    /// The name of the destination port, of a service or a pod; nil if the port is a number or unknown.
    var portName: String?
    /// Whether the connection comes from a record.
    var isOfRecord = false
    /// The source port; nil if unknown.
    var sourcePort: UInt16?
    /// The ICMP type; nil if unknown.
    var icmpType: UInt8?
    /// The ICMP code; nil for 0 if there is a type.
    var icmpCode: UInt8?
    /// The domain names of the destination; nil if unknown.
    var domains: [String]?

    /// The tuple of the connection between two addresses.
    ///
    /// An unknown port is 0; fields that the protocol does not have are ignored.
    func packets(from source: IPAddress, to destination: IPAddress) -> TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: source,
            destination: destination,
            sourcePort: proto.hasPorts ? sourcePort ?? 0 : 0,
            destinationPort: proto.isICMP ? message : proto.hasPorts ? port ?? 0 : 0,
            proto: proto
        )
    }

    private var message: UInt16 {
        guard let icmpType else { return Self.unknownMessage }
        return UInt16(icmpType) << 8 | UInt16(icmpCode ?? 0)
    }
}

extension IPProtocol {
    /// Whether messages have a type and a code instead of ports.
    var isICMP: Bool { self == .icmp || self == .icmp6 }

    /// Parses a protocol name, or a number from 1 to 255; nil for other text.
    init?(policyText text: String) {
        switch text.lowercased() {
        case "tcp": self = .tcp
        case "udp": self = .udp
        case "sctp": self = .sctp
        case "icmp": self = .icmp
        case "icmp6", "icmpv6": self = .icmp6
        case "udplite": self.init(rawValue: 136)
        default:
            guard text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = UInt8(text), number > 0 else { return nil }
            self.init(rawValue: number)
        }
    }
}
