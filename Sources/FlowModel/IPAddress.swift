import Glibc

/// An IPv4 or IPv6 address: 16 bytes in network order, IPv4 mapped to `::ffff:a.b.c.d`.
///
/// The two words contain the bytes in memory order. The address of an IPv6 packet can be `::ffff:a.b.c.d`, too, and any host
/// can send one: ``init(ipv6Word0:word1:)`` distinguishes it from the IPv4 address.
public struct IPAddress: Hashable, Sendable {
    /// Bytes 0 to 7, in memory order.
    public let word0: UInt64
    /// Bytes 8 to 15, in memory order.
    public let word1: UInt64

    /// Takes the two words of an address as the datapath stores them.
    @inlinable
    public init(word0: UInt64, word1: UInt64) {
        self.word0 = word0
        self.word1 = word1
    }

    /// Creates the IPv4 address `a.b.c.d`.
    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        let value = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
        self.init(ipv4: value)
    }

    /// Creates an IPv4 address from its value in host order, such as `0x7f000001` for 127.0.0.1.
    public init(ipv4 value: UInt32) {
        self.init(word0: 0, word1: (0xffff << 32 | UInt64(value)).bigEndian)
    }

    /// Creates an IPv6 address from its two halves in host order.
    public init(ipv6High high: UInt64, low: UInt64) {
        self.init(word0: high.bigEndian, word1: low.bigEndian)
    }

    /// Creates the address of an IPv6 packet from its 16 bytes in memory order.
    ///
    /// `::ffff:a.b.c.d` in an IPv6 packet never equals an address from text or from an IPv4 packet, so no endpoint owns it. It
    /// is stored in a range of reserved multicast addresses that are never forwarded (`ff00::ffff:0:0/96`, RFC 4291 section
    /// 2.7), and written as `::ffff:a.b.c.d`.
    @inlinable
    public init(ipv6Word0 word0: UInt64, word1: UInt64) {
        let isMapped = word0 == 0 && UInt64(bigEndian: word1) >> 32 == 0xffff
        self.init(word0: isMapped ? Self.mappedWord0 : word0, word1: word1)
    }

    /// Whether this is `::ffff:a.b.c.d` in an IPv6 packet, which is not the IPv4 address `a.b.c.d`.
    @inlinable
    public var isMappedIPv6: Bool {
        word0 == Self.mappedWord0 && UInt64(bigEndian: word1) >> 32 == 0xffff
    }

    /// The 16 bytes as in an IPv6 packet, in memory order.
    @inlinable
    public var ipv6Words: (UInt64, UInt64) { (isMappedIPv6 ? 0 : word0, word1) }

    /// The first word of an address with ``isMappedIPv6``.
    @usableFromInline
    static var mappedWord0: UInt64 { (0xff00_0000_0000_0000 as UInt64).bigEndian }

    /// Creates an address from its 16 bytes in host order, IPv4 mapped to `::ffff:a.b.c.d`.
    @inlinable
    public init(value: UInt128) {
        self.init(
            word0: UInt64(truncatingIfNeeded: value >> 64).bigEndian,
            word1: UInt64(truncatingIfNeeded: value).bigEndian
        )
    }

    /// All 16 bytes in host order, so that ranges of addresses are ranges of numbers.
    @inlinable
    public var value: UInt128 {
        UInt128(UInt64(bigEndian: word0)) << 64 | UInt128(UInt64(bigEndian: word1))
    }

    /// Whether this is an IPv4 address.
    @inlinable
    public var isIPv4: Bool {
        word0 == 0 && UInt64(bigEndian: word1) >> 32 == 0xffff
    }

    /// The IPv4 address in host order; nil for IPv6.
    @inlinable
    public var ipv4: UInt32? {
        isIPv4 ? UInt32(truncatingIfNeeded: UInt64(bigEndian: word1)) : nil
    }

    /// The eight groups of the address in host order (RFC 4291 section 2.2).
    @inlinable
    func group(_ index: Int) -> UInt16 {
        let word = UInt64(bigEndian: index < 4 ? word0 : word1)
        return UInt16(truncatingIfNeeded: word >> UInt64(48 - 16 * (index & 3)))
    }
}

// MARK: - Text

extension IPAddress {
    /// Parses an address in dotted decimal or in a form of RFC 4291 section 2.2, as inet_pton(3) does; nil for other text.
    public init?(_ text: String) {
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        if text.utf8.contains(UInt8(ascii: ":")) {
            var address = in6_addr()
            guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
            let words = unsafe unsafeBitCast(address, to: (UInt64, UInt64).self)
            self.init(word0: words.0, word1: words.1)
        } else {
            var address = in_addr()
            guard unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
            self.init(ipv4: UInt32(bigEndian: address.s_addr))
        }
    }

    /// The maximum length of an address as text, in bytes.
    public static let maximumTextLength = 39

    /// Writes the address as text and returns the number of bytes written.
    ///
    /// IPv4 is written in dotted decimal, IPv6 in the canonical form of RFC 5952: lower case, no leading zeros, the first of
    /// the longest runs of two or more zero groups as `::`. An address with ``isMappedIPv6`` is written as `::ffff:a.b.c.d`.
    ///
    /// - Parameter buffer: room for at least ``maximumTextLength`` bytes.
    /// - Returns: the number of bytes written.
    @unsafe
    public func writeText(to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        var text = unsafe TextCursor(buffer)
        if let value = ipv4 {
            Self.writeIPv4(value, to: &text)
        } else if isMappedIPv6 {
            for byte in "::ffff:".utf8 { text.byte(byte) }
            Self.writeIPv4(UInt32(truncatingIfNeeded: UInt64(bigEndian: word1)), to: &text)
        } else {
            writeIPv6(to: &text)
        }
        return text.count
    }

    private static func writeIPv4(_ value: UInt32, to text: inout TextCursor) {
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            text.decimal(UInt8(truncatingIfNeeded: value >> shift))
            if shift > 0 { text.byte(UInt8(ascii: ".")) }
        }
    }

    private func writeIPv6(to text: inout TextCursor) {
        let gap = longestZeroRun
        var index = 0
        while index < 8 {
            if index == gap.lowerBound, gap.count > 1 {
                text.byte(UInt8(ascii: ":"))
                text.byte(UInt8(ascii: ":"))
                index = gap.upperBound
                continue
            }
            if index > 0, index != gap.upperBound || gap.count < 2 { text.byte(UInt8(ascii: ":")) }
            text.hexadecimal(group(index))
            index += 1
        }
    }

    /// The first of the longest runs of zero groups; empty if there is none.
    private var longestZeroRun: Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || group(index) != 0 {
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best
    }
}

/// Writes bytes, decimal and hexadecimal numbers in sequence.
///
/// `@safe`: private to this file; `writeText` writes at most ``IPAddress/maximumTextLength`` bytes, for which its caller
/// guarantees room.
@safe
private struct TextCursor {
    private let buffer: UnsafeMutablePointer<UInt8>
    private(set) var count = 0

    init(_ buffer: UnsafeMutablePointer<UInt8>) {
        unsafe self.buffer = buffer
    }

    mutating func byte(_ value: UInt8) {
        unsafe buffer[count] = value
        count += 1
    }

    mutating func decimal(_ value: UInt8) {
        if value >= 100 { byte(UInt8(ascii: "0") + value / 100) }
        if value >= 10 { byte(UInt8(ascii: "0") + value / 10 % 10) }
        byte(UInt8(ascii: "0") + value % 10)
    }

    mutating func hexadecimal(_ value: UInt16) {
        var started = false
        for shift in stride(from: UInt16(12), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> shift & 0xf)
            guard started || digit != 0 || shift == 0 else { continue }
            started = true
            byte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The address as text, in the form of ``writeText(to:)``.
    public var description: String {
        unsafe String(unsafeUninitializedCapacity: Self.maximumTextLength) { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe writeText(to: base)
        }
    }
}
