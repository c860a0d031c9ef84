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

    @Test func recordsHaveTheProcessesOfTheReportingEnd() throws {
        var fixture = AggregatorFixture(level: .podPrefix)
        fixture.births(AggregatorFixture.birth(1), AggregatorFixture.birth(2, nearPort: 40001))
        func socket(_ number: UInt32, isNear: Bool = false, _ id: UInt32, _ name: String) -> FlowSocket {
            let process = FlowProcess(id: id, name: ProcessName(Array(name.utf8)))
            return FlowSocket(number: number, isNear: isNear, statistics: nil, process: process)
        }
        fixture.batch {
            $0.sockets = [socket(1, 7, "curl"), socket(1, isNear: true, 9, "nginx"), socket(1, 7, "curl")]
        }
        let one = try #require(fixture.flush().first)
        #expect(one.tcp == nil)
        #expect(one.processes == FlowProcesses(FlowProcess(id: 7, name: ProcessName(Array("curl".utf8)))))
        fixture.batch { $0.sockets = [socket(1, 7, "curl"), socket(2, 8, "curl")] }
        let two = try #require(fixture.flush(at: 300).first?.processes)
        #expect(two.name?.text == "curl" && two.id == nil && two.nameCount == 1 && two.count == 2)
        fixture.batch { batch in batch.sockets = (1...40).map { socket(2, $0, "worker \($0)") } }
        let many = try #require(fixture.flush(at: 600).first?.processes)
        #expect(many.name == nil && many.nameCount == FlowProcesses.limit && many.count == FlowProcesses.limit)
    }

    /// A flow that waits for a name keeps the processes apart, and no more than a record tells apart.
    @Test func processesOfAFlowWithoutANameAreKept() throws {
        var fixture = AggregatorFixture()
        let range = try #require(IPPrefix(IPAddress(10, 2, 0, 0), length: 16))
        fixture.learn { $0.workloadRanges = [range] }
        fixture.births(AggregatorFixture.birth(1, near: IPAddress(10, 2, 0, 5)))
        for id in 1...40 as ClosedRange<UInt32> {
            fixture.batch {
                let process = FlowProcess(id: id, name: ProcessName(Array("sh".utf8)))
                $0.sockets = [FlowSocket(number: 1, isNear: false, statistics: nil, process: process)]
            }
        }
        let processes = try #require(fixture.flush().first?.processes)
        #expect(processes.name?.text == "sh" && processes.count == FlowProcesses.limit)
    }

    /// What a process calls itself is cut at the first 0 and at the kernel's length, and is text in any case.
    @Test(
        arguments: [
            ([0x61, 0x62, 0, 0x63], "ab"), ([], ""), (Array(repeating: 0x78, count: 20), "xxxxxxxxxxxxxxx"),
            ([0xff, 0x0a, 0x22], "\u{fffd}\n\""),
        ] as [([UInt8], String)]
    )
    func processNamesAreText(bytes: [UInt8], text: String) {
        #expect(ProcessName(bytes).text == text)
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
