/// The protocol above IP, by its IANA number.
public struct IPProtocol: RawRepresentable, Hashable, Sendable {
    /// The IANA protocol number.
    public let rawValue: UInt8

    /// Takes an IANA protocol number.
    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// ICMP, 1.
    public static let icmp = IPProtocol(rawValue: 1)
    /// TCP, 6.
    public static let tcp = IPProtocol(rawValue: 6)
    /// UDP, 17.
    public static let udp = IPProtocol(rawValue: 17)
    /// ICMPv6, 58.
    public static let icmp6 = IPProtocol(rawValue: 58)
    /// SCTP, 132.
    public static let sctp = IPProtocol(rawValue: 132)

    /// Whether the protocol has ports; ICMP has an identifier, type and code instead, and other protocols nothing.
    @inlinable
    public var hasPorts: Bool {
        self == .tcp || self == .udp || self == .sctp
    }

    /// The name in the `proto` field; the decimal number if the format has no name for the protocol.
    public var name: String {
        switch rawValue {
        case 1: "icmp"
        case 4: "ipip"
        case 6: "tcp"
        case 17: "udp"
        case 50: "esp"
        case 58: "icmp6"
        case 132: "sctp"
        default: String(rawValue)
        }
    }
}
