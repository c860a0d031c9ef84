import FlowModel
import Testing

@Suite("ranges of addresses")
struct IPPrefixTests {
    @Test(
        "text becomes a range in its shortest form",
        arguments: [
            ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"), ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.168.1.255/31", "192.168.1.254/31"), ("fd00::1/64", "fd00::/64"), ("::/0", "::/0"),
            ("fd00::1", "fd00::1/128"),
        ]
    )
    func parsesRange(text: String, expected: String) throws {
        #expect(try #require(IPPrefix(text)).description == expected)
    }

    @Test(
        "an invalid range is rejected",
        arguments: [
            "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08x", "10.0.0/8",
            "fd00::/129",
            "fd00::/8/8", "10.0.0.0/ 8", "ten/8", "10.0.0.0/٣",
        ]
    )
    func rejectsInvalidRange(text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test(
        "a range contains its addresses, and none of another family",
        arguments: [
            ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "fd00::1", false), ("::/0", "203.0.113.1", false), ("::/0", "fd00::1", true),
            ("fd00::/127", "fd00::1", true), ("fd00::/127", "fd00::2", false), ("10.1.2.3", "10.1.2.3", true),
        ]
    )
    func containsAddressesOfItsFamily(range: String, address: String, expected: Bool) throws {
        #expect(try #require(IPPrefix(range)).contains(try #require(IPAddress(address))) == expected)
    }

    @Test("the last address has all host bits set")
    func lastAddressHasAllHostBitsSet() throws {
        #expect(try #require(IPPrefix("10.1.0.0/16")).last == IPAddress("10.1.255.255"))
        #expect(try #require(IPPrefix("fd00::/120")).last == IPAddress("fd00::ff"))
        #expect(try #require(IPPrefix("0.0.0.0/0")).last == IPAddress("255.255.255.255"))
    }
}

@Suite("addresses from text")
struct IPAddressTextTests {
    @Test(
        "the text of an address round-trips",
        arguments: ["0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "fd00::a:1", "2001:db8::8:800:200c:417a"]
    )
    func roundTripsAddress(text: String) throws {
        #expect(try #require(IPAddress(text)).description == text)
    }

    @Test(
        "an invalid address is rejected",
        arguments: [
            "", "1", "10.1.2", "10.1.2.256", "10.1.2.3 ", " 10.1.2.3", "010.1.2.3.4", "::g", "fe80::1%eth0",
            "10.1.2.3\0", "localhost",
        ]
    )
    func rejectsInvalidAddress(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("the value in host order round-trips")
    func roundTripsHostOrderValue() {
        for text in ["10.1.2.3", "fd00::1", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            let address = IPAddress(text)
            #expect(address.map { IPAddress(value: $0.value) } == address)
        }
        #expect(IPAddress("::1:0")?.value == 65536)
    }
}

@Suite("label sets")
struct LabelSetTests {
    @Test(
        "an intersection has the labels of both sets",
        arguments: [
            (["a=1", "b=2"], ["a=1", "b=2"], ["a=1", "b=2"]), (["a=1", "b=2"], ["a=1", "b=3"], ["a=1"]),
            (["a=1"], ["b=1"], []), ([], ["a=1"], []), (["a=1", "c=3"], ["a=1", "b=2", "c=3"], ["a=1", "c=3"]),
        ]
    )
    func intersectsLabels(left: [String], right: [String], expected: [String]) {
        let sets = (LabelSet(sorted: left), LabelSet(sorted: right))
        #expect(sets.0.intersection(sets.1).labels == expected)
        #expect(sets.1.intersection(sets.0).labels == expected)
        #expect(Set(left).intersection(right).sorted() == expected)
    }

    @Test("an intersection that equals a set is that set itself")
    func intersectionReturnsEqualSetItself() {
        let small = LabelSet(sorted: ["a=1"])
        let large = LabelSet(sorted: ["a=1", "b=2"])
        #expect(small.intersection(large) === small)
        #expect(large.intersection(small) === small)
        #expect(large.intersection(large) === large)
        #expect(large.intersection(LabelSet(sorted: ["z=1"])) === LabelSet.empty)
    }
}
