import FlowModel
import Testing

@Suite struct PortNameTests {
    /// Types and names are those of RFC 4443, section 4; `Tests/Browser/unit/names.test.mjs` has the same.
    @Test(arguments: [
        (UInt64(53), "udp", "53/udp"), (nil, "icmp", "icmp"), (7, "icmp", "icmp"), (nil, "47", "47"),
        (128 << 8, "icmp6", "echo request/icmp6"), (129 << 8, "icmp6", "echo reply/icmp6"),
        (34048, "icmp6", "type 133/icmp6"), (260, "icmp6", "type 1 code 4/icmp6"),
        (32769, "icmp6", "type 128 code 1/icmp6"), (65536, "icmp6", "65536/icmp6"), (nil, "icmp6", "icmp6"),
    ])
    func formatsPortWithProtocolOrMessageName(_ port: UInt64?, _ proto: String, _ expected: String) {
        #expect(PortName.text(port, proto) == expected)
    }

    /// The names are unique, so that groups by the text equal groups by port and protocol.
    @Test func messageNamesAreUnique() {
        let names = Set((UInt64(0)...65_536).map { PortName.text($0, "icmp6") })
        #expect(names.count == 65_537)
    }
}
