import FlowModel
import Testing

@testable import FlowLog

/// Flows that resume a connection whose flow ended before.
@Suite struct ResumedFlowTests {
    private static func birth(_ number: UInt32, resumed: Bool) -> FlowBirth {
        var birth = AggregatorFixture.birth(number)
        birth.resumed = resumed
        return birth
    }

    @Test func resumedFlowWithinIntervalIsOneFlow() {
        var fixture = AggregatorFixture()
        fixture.births(Self.birth(0, resumed: false))
        for number in 1...3 as ClosedRange<UInt32> {
            fixture.ends(number - 1)
            fixture.births(Self.birth(number, resumed: true))
        }
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 0)])
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 0)])
        fixture.ends(3)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
        #expect(fixture.flushCounts().isEmpty)
        #expect(fixture.aggregator.statistics == FlowAggregator.Statistics())
    }

    /// The log reports the end of a connection only once.
    @Test func resumedFlowAcrossIntervalsStartsAndEndsOnce() {
        var fixture = AggregatorFixture()
        fixture.births(Self.birth(0, resumed: false))
        fixture.ends(0)
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 1)])
        fixture.births(Self.birth(1, resumed: true))
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 0)])
        fixture.ends(1)
        fixture.births(Self.birth(2, resumed: true))
        fixture.ends(2)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 0)])
        #expect(fixture.flushCounts().isEmpty)
        #expect(fixture.aggregator.statistics == FlowAggregator.Statistics())
    }

    /// The same ports, and another connection.
    @Test func newConnectionAfterResumedOneCounts() {
        var fixture = AggregatorFixture()
        fixture.births(Self.birth(0, resumed: false))
        fixture.ends(0)
        _ = fixture.flush()
        fixture.births(Self.birth(1, resumed: true))
        fixture.ends(1)
        fixture.births(Self.birth(2, resumed: false))
        fixture.ends(2)
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 1)])
    }
}
