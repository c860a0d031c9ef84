import FlowModel

/// A connection that is asked about: its ends by name, and what its packets say.
struct PolicyConnection {
    /// Type and code that stand for an ICMP message of which neither is known: no rule can ask for type 255.
    private static let unknownMessage: UInt16 = 0xffff

    /// Who begins.
    var source: PolicyEndName
    /// Who is called.
    var destination: PolicyEndName
    /// The protocol above IP.
    var proto = IPProtocol.tcp
    /// The port that is called; nil if it is not known.
    var port: UInt16?
    /// The port of the end that begins; nil if it is not known.
    var sourcePort: UInt16?
    /// The type of an ICMP message; nil if it is not known.
    var icmpType: UInt8?
    /// The code of an ICMP message; nil for 0, if there is a type.
    var icmpCode: UInt8?

    /// Its packets between two addresses.
    ///
    /// A port that is not known is 0; what is not of the protocol is passed over.
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
    /// Whether it has messages with type and code in place of ports.
    var isICMP: Bool { self == .icmp || self == .icmp6 }

    /// Reads a name, or a number from 1 to 255; nil for other text.
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
