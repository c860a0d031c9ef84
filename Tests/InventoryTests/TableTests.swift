import FlowModel
import Testing

@testable import Inventory

@Suite struct TableTests {
    /// Random changes, compared with a dictionary; copies must keep their contents.
    @Test(arguments: [10, 300, 20_000])
    func matchesDictionary(universe: Int) {
        var generator = SeededGenerator(state: UInt64(universe))
        var table = ShardedTable<IPAddress, Int>()
        var reference: [IPAddress: Int] = [:]
        var copies: [(table: ShardedTable<IPAddress, Int>, reference: [IPAddress: Int])] = []
        for step in 0..<60_000 {
            let key = IPAddress(ipv4: UInt32.random(in: 0..<UInt32(universe), using: &generator))
            // Grows first, then shrinks.
            let isRemoval = Int.random(in: 0..<10, using: &generator) < (step < 40_000 ? 3 : 8)
            table[key] = isRemoval ? nil : step
            reference[key] = isRemoval ? nil : step
            if step.isMultiple(of: 15_000) { copies.append((table, reference)) }
        }
        copies.append((table, reference))
        for copy in copies {
            #expect(copy.table.count == copy.reference.count)
            for number in 0..<UInt32(universe) {
                let key = IPAddress(ipv4: number)
                #expect(copy.table[key] == copy.reference[key])
                #expect(copy.table.contains(key) == (copy.reference[key] != nil))
            }
            var seen: [IPAddress: Int] = [:]
            copy.table.forEach { seen[$0] = $1 }
            #expect(seen == copy.reference)
        }
    }

    @Test func longestPrefixMatchesLinearSearch() throws {
        var generator = SeededGenerator(state: 7)
        for _ in 0..<200 {
            let count = Int.random(in: 0...40, using: &generator)
            let prefixes = (0..<count).compactMap { value -> (prefix: IPPrefix, value: Int32)? in
                let (address, bits) = Self.address(&generator)
                let length = Int.random(in: 0...8, using: &generator) * bits / 8
                return IPPrefix(address, length: length).map { ($0, Int32(value)) }
            }
            let index = PrefixIndex(prefixes)
            #expect(index.count == Set(prefixes.map(\.prefix)).count)
            let edges = prefixes.flatMap { [$0.prefix.address, $0.prefix.last] }
            for address in edges + (0..<60).map({ _ in Self.address(&generator).0 }) {
                let longest = prefixes.filter { $0.prefix.contains(address) }
                    .max { ($0.prefix.length, $1.value) < ($1.prefix.length, $0.value) }
                #expect(index.value(at: address) == (longest?.value).map(Int.init), "\(address) in \(prefixes)")
            }
        }
    }

    @Test(
        arguments: [
            (["0.0.0.0/0"], "255.255.255.255", 0), (["0.0.0.0/0"], "0.0.0.0", 0), (["0.0.0.0/0"], "::1", nil),
            (["::/0"], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0), (["::/0"], "1.2.3.4", nil),
            (["0.0.0.0/0", "255.255.255.255/32"], "255.255.255.255", 1),
            (["0.0.0.0/0", "255.255.255.255/32"], "255.255.255.254", 0),
            (["128.0.0.0/1", "255.0.0.0/8", "255.255.0.0/16"], "255.254.0.0", 1),
            (["1.2.3.4/32", "1.2.3.4/32"], "1.2.3.4", 0),
        ] as [([String], String, Int?)]
    )
    func findsEdgesOfAddressFamilies(prefixes: [String], address: String, expected: Int?) {
        let index = PrefixIndex(
            prefixes.enumerated().compactMap { number, text in net(text).map { ($0, Int32(number)) } }
        )
        #expect(index.value(at: ip(address)) == expected)
    }

    /// Makes an address of few different bits, so that ranges contain one another.
    private static func address(_ generator: inout SeededGenerator) -> (IPAddress, bits: Int) {
        let byte = { (generator: inout SeededGenerator) in UInt8.random(in: 0...2, using: &generator) * 127 }
        if Bool.random(using: &generator) {
            return (IPAddress(byte(&generator), byte(&generator), byte(&generator), byte(&generator)), 32)
        }
        let high = (0..<8).reduce(UInt64(0)) { value, _ in value << 8 | UInt64(byte(&generator)) }
        return (IPAddress(ipv6High: high | 1 << 61, low: high), 128)
    }
}

/// Random numbers that are the same in each run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
