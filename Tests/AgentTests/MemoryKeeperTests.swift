import Testing

@testable import Agent

@Suite struct MemoryKeeperTests {
    private static let second: Int64 = 1_000_000_000
    private static let plan = MemoryPlan(limit: 384 << 20)

    @Test func sumOfPartsIsBelowLimit() {
        for limit in [MemoryPlan.smallestLimit, MemoryPlan.defaultLimit, 4 << 30] {
            let plan = MemoryPlan(limit: limit)
            let sum = plan.mailbox + plan.overflow + plan.queue(of: 3) * 3 + plan.flows(beside: 40 << 20) + (40 << 20)
            #expect(sum < limit)
            #expect(plan.flows(beside: 40 << 20) > MemoryPlan.fewestFlowBytes)
        }
        #expect(Self.plan.flows(beside: 1 << 30) == MemoryPlan.fewestFlowBytes)
    }

    /// Memory that a flood leaves in queues, and free memory that is not yet given back, do not count as the program's need.
    @Test func floodDoesNotShrinkFlowBudget() {
        var keeper = MemoryKeeper(Self.plan)
        let quiet = keeper.decide(resident: 40 << 20, counted: 0, now: 0)
        let flooded = keeper.decide(resident: 300 << 20, counted: 150 << 20, now: 10 * Self.second)
        #expect(flooded.flows == quiet.flows)
        // An inventory that has grown does.
        _ = keeper.decide(resident: 190 << 20, counted: 0, now: 40 * Self.second)
        let grown = keeper.decide(resident: 190 << 20, counted: 0, now: 80 * Self.second)
        #expect(grown.flows <= quiet.flows - (100 << 20))
    }

    /// Near the limit no new flows are kept, whatever was planned, except of interfaces with few flows.
    @Test func stopsGrowthNearLimit() {
        var keeper = MemoryKeeper(Self.plan)
        let quiet = keeper.decide(resident: 40 << 20, counted: 0, now: 0)
        let decision = keeper.decide(resident: 370 << 20, counted: 100 << 20, now: Self.second)
        #expect(decision.flows == 50 << 20)
        #expect(decision.reserve == quiet.flows / 4)
        #expect(decision.trims)
    }

    @Test func trimsFreeMemoryWithPauses() {
        var keeper = MemoryKeeper(Self.plan)
        #expect(!keeper.decide(resident: 40 << 20, counted: 0, now: 0).trims)
        #expect(keeper.decide(resident: 200 << 20, counted: 0, now: Self.second).trims)
        keeper.noteTrimmed(resident: 42 << 20, counted: 0)
        #expect(!keeper.decide(resident: 42 << 20, counted: 0, now: 2 * Self.second).trims)
        #expect(!keeper.decide(resident: 50 << 20, counted: 0, now: 20 * Self.second).trims)
        #expect(keeper.decide(resident: 200 << 20, counted: 0, now: 21 * Self.second).trims)
        // The memory is in use: the keeper trims again when there is more of it, and not at once.
        keeper.noteTrimmed(resident: 200 << 20, counted: 0)
        #expect(!keeper.decide(resident: 200 << 20, counted: 0, now: 40 * Self.second).trims)
        #expect(keeper.decide(resident: 230 << 20, counted: 0, now: 41 * Self.second).trims)
    }

    @Test func endsStartOnce() {
        var keeper = MemoryKeeper(Self.plan)
        let ends = (0..<6).map { keeper.decide(resident: 40 << 20, counted: 0, now: $0 * Self.second).endsStart }
        #expect(ends == [false, false, true, false, false, false])
    }

    @Test func isDueOncePerSecond() {
        var keeper = MemoryKeeper(Self.plan)
        #expect([0, 1, 999_999_999, 1_000_000_000].map { keeper.isDue($0) } == [true, false, false, true])
    }
}
