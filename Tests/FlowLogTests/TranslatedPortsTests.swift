import FlowModel
import Testing

@testable import FlowLog

@Suite struct TranslatedPortsTests {
    @Test(
        arguments: [
            ([], [], []),
            ([], [9, 8, 8, 7], [7, 8, 9]),
            ([5], [], [5]),
            ([5, 5, 5], [5], [5]),
            // Active ones first, then the lowest of those that ended.
            ([500], [9, 8, 7], [7, 8, 500]),
            ([500, 400], [1, 2, 400], [1, 400, 500]),
            ([500, 400, 300, 200], [1], [200, 300, 400]),
            ([65535], [65535, 65534], [65534, 65535]),
        ] as [([UInt16], [UInt16], [UInt16])]
    )
    func selectsActiveThenLowestPorts(active: [UInt16], ended: [UInt16], expected: [UInt16]) {
        var ports = TranslatedPorts()
        for port in ended { ports.add(port, isActive: false) }
        for port in active { ports.add(port, isActive: true) }
        #expect(ports.selection == expected)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func keepsLowestPorts(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var lowest = LowestPorts()
        var all: Set<UInt16> = []
        for _ in 0..<50 {
            let port = UInt16.random(in: 1...20, using: &random)
            lowest.add(port)
            all.insert(port)
            #expect(
                (0..<lowest.count).map { lowest[$0] } == Array(all.sorted().prefix(FlowRecord.natOutgoingPortLimit))
            )
        }
    }
}
