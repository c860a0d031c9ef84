import FlowModel
import Glibc
import Testing

/// The text of addresses, compared with that of the C library.
struct IPAddressTests {
    /// Returns the result of `inet_ntop` for 16 bytes in network order.
    private static func reference(_ bytes: [UInt8], family: Int32) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "inet_ntop failed" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func bytes(high: UInt64, low: UInt64) -> [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
    }

    /// Returns the C library's text, changed in the two forms in which it differs from Weir's: mapped addresses are
    /// IPv4 here, and `::a.b.c.d` (the abandoned IPv4-compatible form) has no dotted tail.
    private static func expected(high: UInt64, low: UInt64) -> String {
        let bytes = bytes(high: high, low: low)
        if high == 0, low >> 32 == 0xffff { return reference(Array(bytes[12...]), family: AF_INET) }
        let text = reference(bytes, family: AF_INET6)
        guard text.contains(".") else { return text }
        let groups = (String(low >> 16, radix: 16), String(low & 0xffff, radix: 16))
        return "::\(groups.0):\(groups.1)"
    }

    @Test(arguments: [
        (0, 0), (0, 1), (0, 0x1_0000), (0, 0x0102_0304), (0, 0xffff_0102_0304), (0, 0xffff_ffff_ffff),
        (0, 0xffff_0000_0000), (0, 0xfffe_0102_0304), (0x2001_0db8_0000_0000, 1), (0xfe80 << 48, 0xff_fe00_0001),
        (0x2001_0db8_0000_0001, 0x0000_0000_0000_0001), (0x2001_0000_0000_0001, 0x0000_0000_0001_0000),
        (0x2001_0db8_0000_0000, 0x0001_0000_0000_0001), (0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
        (0x0001_0002_0003_0000, 0x0005_0006_0007_0008), (0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
        (0x0000_0002_0003_0004, 0x0005_0006_0007_0008), (0x0000_0000_0003_0004, 0x0005_0006_0000_0000),
        (UInt64.max, UInt64.max), (0x1 << 48, 0), (0x0064_ff9b_0000_0000, 0x0a00_0001), (0xff02 << 48, 0xfb),
    ])
    func formatsNotableAddresses(high: UInt64, low: UInt64) {
        let address = IPAddress(ipv6High: high, low: low)
        #expect(address.description == Self.expected(high: high, low: low))
    }

    /// Groups are zero half of the time, so that runs of zeros of every length and place occur.
    @Test func formatsRandomAddresses() {
        var random = SplitMix64(state: 20_260_801)
        for _ in 0..<100_000 {
            let mask = random.next()
            var words = [random.next(), random.next()]
            for group in 0..<8 where mask >> UInt64(group) & 1 == 0 {
                words[group / 4] &= ~(0xffff << UInt64(48 - 16 * (group % 4)))
            }
            if mask >> 8 & 7 == 0 { words = [0, 0xffff << 32 | words[1] & 0xffff_ffff] }
            let text = IPAddress(ipv6High: words[0], low: words[1]).description
            let expected = Self.expected(high: words[0], low: words[1])
            guard text != expected else { continue }
            Issue.record("\(text) instead of \(expected)")
            return
        }
    }

    @Test func initializersOfIPv4AddressAreEquivalent() {
        let address = IPAddress(192, 0, 2, 200)
        #expect(address == IPAddress(ipv4: 0xc000_02c8))
        #expect(address == IPAddress(ipv6High: 0, low: 0xffff_c000_02c8))
        #expect(address.isIPv4)
        #expect(address.ipv4 == 0xc000_02c8)
        #expect(address.description == "192.0.2.200")
        #expect(IPAddress(ipv6High: 0, low: 1).ipv4 == nil)
    }

    /// The order of the datapath's keys: byte 0 of the address is the first byte in memory.
    @Test func wordsHaveBytesInMemoryOrder() {
        let address = IPAddress(1, 2, 3, 4)
        let words = [address.word0, address.word1]
        words.withUnsafeBytes { bytes in
            #expect(Array(bytes) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4])
        }
    }
}

/// A small generator whose numbers are the same in every run (Steele, Lea, Flood 2014).
private struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
