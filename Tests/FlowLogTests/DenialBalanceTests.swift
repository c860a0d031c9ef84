import FlowModel
import Testing

@testable import FlowLog

@Suite struct DenialBalanceTests {
    /// One step: the reported denials, the counted packets, and the denied part of those.
    struct Step: Sendable, CustomStringConvertible {
        var told: (packets: UInt64, bytes: UInt64)
        var counted: (packets: UInt64, bytes: UInt64)
        var isDenied = false
        var denied: (packets: UInt64, bytes: UInt64)
        var description: String { "told \(told), counted \(counted) → \(denied)" }
    }

    /// The steps of a flow, and the denials that are left after them.
    struct Row: Sendable, CustomStringConvertible {
        var description: String
        var steps: [Step]
        var owed: (packets: UInt64, bytes: UInt64) = (0, 0)
    }

    @Test(arguments: [
        Row(description: "nothing denied", steps: [Step(told: (0, 0), counted: (5, 500), denied: (0, 0))]),
        Row(description: "all denied", steps: [Step(told: (5, 500), counted: (5, 500), denied: (5, 500))]),
        Row(
            description: "all packets denied: the count knows their size best",
            steps: [Step(told: (5, 480), counted: (5, 500), denied: (5, 500))]
        ),
        Row(description: "some denied", steps: [Step(told: (2, 120), counted: (5, 500), denied: (2, 120))]),
        Row(
            description: "denied bytes are never more than were counted",
            steps: [Step(told: (2, 900), counted: (5, 500), denied: (2, 500))]
        ),
        Row(
            description: "told early",
            steps: [
                Step(told: (2, 120), counted: (0, 0), denied: (0, 0)),
                Step(told: (0, 0), counted: (3, 300), denied: (2, 120)),
                Step(told: (0, 0), counted: (1, 100), denied: (0, 0)),
            ]
        ),
        Row(
            description: "told early, counted in two parts",
            steps: [
                Step(told: (3, 180), counted: (1, 60), denied: (1, 60)),
                Step(told: (0, 0), counted: (1, 60), isDenied: true, denied: (1, 60)),
            ],
            owed: (1, 60)
        ),
        Row(
            description: "told late: owed to the next packets",
            steps: [
                Step(told: (0, 0), counted: (1, 60), denied: (0, 0)),
                Step(told: (1, 60), counted: (0, 0), denied: (0, 0)),
                Step(told: (1, 60), counted: (1, 60), denied: (1, 60)),
            ],
            owed: (1, 60)
        ),
        Row(
            description: "half of a packet goes where the flow stands",
            steps: [
                Step(told: (0, 0), counted: (0, 60), denied: (0, 0)),
                Step(told: (0, 0), counted: (0, 60), isDenied: true, denied: (0, 60)),
                Step(told: (1, 60), counted: (0, 60), denied: (0, 60)),
            ],
            owed: (1, 60)
        ),
    ])
    func splitsCountedPacketsIntoAllowedAndDenied(_ row: Row) {
        var balance = DenialBalance()
        for step in row.steps {
            let counted = TrafficCounters(packets: step.counted.packets, bytes: step.counted.bytes)
            balance.deny(TrafficCounters(packets: step.told.packets, bytes: step.told.bytes))
            let (allowed, denied) = balance.split(counted, isDenied: step.isDenied)
            #expect(denied == TrafficCounters(packets: step.denied.packets, bytes: step.denied.bytes), "\(step)")
            #expect(allowed + denied == counted, "\(step)")
        }
        #expect(balance.owed == TrafficCounters(packets: row.owed.packets, bytes: row.owed.bytes))
    }

    /// Both parts always sum to the counted packets, and the denied ones never exceed the reported denials.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func partsSumToCountedPackets(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var balance = DenialBalance()
        var (told, found) = (0 as UInt64, 0 as UInt64)
        for _ in 0..<1000 {
            let denial = UInt64.random(in: 0..<4, using: &random)
            balance.deny(TrafficCounters(packets: denial, bytes: denial * UInt64.random(in: 1..<2000, using: &random)))
            told += denial
            let counted = TrafficCounters(
                packets: UInt64.random(in: 0..<4, using: &random),
                bytes: UInt64.random(in: 0..<4000, using: &random)
            )
            let (allowed, denied) = balance.split(counted, isDenied: .random(using: &random))
            #expect(allowed + denied == counted)
            #expect(allowed.packets <= counted.packets && allowed.bytes <= counted.bytes)
            found += denied.packets
            #expect(found + balance.owed.packets == told)
        }
    }
}
