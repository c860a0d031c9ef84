/// A range of addresses: an address and the length of its prefix in bits (CIDR, RFC 4632 section 3.1).
public struct IPPrefix: Hashable, Sendable {
    /// The first address of the range.
    public let address: IPAddress
    /// The length of the prefix of the 128-bit address; at least 96 for IPv4, which is mapped to `::ffff:0:0/96`.
    public let length: UInt8

    /// Creates a range; address bits after the prefix are cleared.
    ///
    /// - Parameters:
    ///   - address: any address of the range.
    ///   - length: the length of the prefix in the address's family: 0 to 32 for IPv4, 0 to 128 for IPv6; nil for other
    ///     lengths.
    public init?(_ address: IPAddress, length: Int) {
        let bits = address.isIPv4 ? 32 : 128
        guard 0...bits ~= length else { return nil }
        let total = 128 - bits + length
        let value = address.value & Self.mask(total)
        self.address = IPAddress(value: value)
        self.length = UInt8(total)
    }

    /// Parses `address/length`, or an address alone, which is a range of one address; nil for other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.isIPv4 ? 32 : 128)
            return
        }
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
            let length = Int(parts[1])
        else { return nil }
        self.init(address, length: length)
    }

    /// Whether an address is in the range.
    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == isIPv4 && other.value & Self.mask(Int(length)) == address.value
    }

    /// Whether the range contains IPv4 addresses.
    public var isIPv4: Bool { length >= 96 && address.isIPv4 }

    /// The last address of the range.
    public var last: IPAddress { IPAddress(value: address.value | ~Self.mask(Int(length))) }

    private static func mask(_ length: Int) -> UInt128 {
        length == 0 ? 0 : UInt128.max << UInt128(128 - length)
    }
}

extension IPPrefix: CustomStringConvertible {
    /// The range as CIDR text, with the length of the prefix in the address's family.
    public var description: String {
        "\(address)/\(isIPv4 ? length - 96 : length)"
    }
}
