import FlowModel
import Testing

@testable import FlowLog

/// What sockets said, in records.
struct SocketRecordTests {
    /// What a socket says that has a window and a round-trip time, and sent one segment again.
    private static func socket(_ number: UInt32, isNear: Bool, window: UInt32, rtt: UInt32) -> FlowSocket {
        var statistics = TCPStatistics()
        statistics.window = TCPStatistics.Gauge(window)
        statistics.rtt = TCPStatistics.Gauge(rtt)
        statistics.retransmissions = 1
        return FlowSocket(number: number, isNear: isNear, statistics: statistics)
    }

    @Test func recordsHaveWhatTheReportingEndsSocketsSaid() throws {
        var fixture = AggregatorFixture(level: .podPrefix)
        fixture.births(AggregatorFixture.birth(1), AggregatorFixture.birth(2, nearPort: 40001))
        fixture.batch {
            // The host is the far end of what its uplink carries.
            $0.sockets = [
                Self.socket(1, isNear: false, window: 10, rtt: 300),
                Self.socket(2, isNear: false, window: 21, rtt: 100),
                Self.socket(1, isNear: true, window: 1, rtt: 9999),
                Self.socket(77, isNear: false, window: 1, rtt: 9999),
            ]
        }
        let records = fixture.flush()
        let tcp = try #require(records.first?.tcp)
        #expect(records.count == 1)
        #expect(tcp.window.mean == 15 && tcp.window.smallest == 10)
        #expect(tcp.rtt.mean == 200 && tcp.rtt.largest == 300)
        #expect(tcp.retransmissions == 2)
        // The next interval begins with nothing.
        #expect(fixture.flush(at: 300).first?.tcp == nil)
    }

    @Test func whatIsSaidOfAFlowWithoutANameIsKept() throws {
        var fixture = AggregatorFixture()
        let range = try #require(IPPrefix(IPAddress(10, 2, 0, 0), length: 16))
        fixture.learn { $0.workloadRanges = [range] }
        fixture.births(AggregatorFixture.birth(1, near: IPAddress(10, 2, 0, 5)))
        #expect(fixture.aggregator.statistics.heldFlows == 1)
        fixture.batch { $0.sockets = [Self.socket(1, isNear: false, window: 10, rtt: 300)] }
        fixture.batch { $0.sockets = [Self.socket(1, isNear: false, window: 4, rtt: 500)] }
        let tcp = try #require(fixture.flush().first?.tcp)
        #expect(tcp.window.smallest == 4 && tcp.rtt.mean == 400)
    }

    @Test func gaugesWithoutAValueSayNothing() {
        var gauge = TCPStatistics.Gauge(0)
        #expect(gauge.mean == 0 && gauge.smallest == 0 && gauge.count == 0)
        gauge.add(TCPStatistics.Gauge(7))
        gauge.add(TCPStatistics.Gauge())
        gauge.add(TCPStatistics.Gauge(10))
        #expect(gauge.mean == 8 && gauge.smallest == 7 && gauge.largest == 10 && gauge.count == 2)
    }
}
