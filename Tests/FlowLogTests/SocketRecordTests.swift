import FlowModel
import Testing

@testable import FlowLog

/// The statistics of sockets, in records.
struct SocketRecordTests {
    /// Returns a socket with a window and a round-trip time that sent one segment again.
    private static func socket(_ flowID: UInt32, isNear: Bool, window: UInt32, rtt: UInt32) -> FlowSocket {
        var statistics = TCPStatistics()
        statistics.window = TCPStatistics.Gauge(window)
        statistics.rtt = TCPStatistics.Gauge(rtt)
        statistics.retransmissions = 1
        return FlowSocket(flowID: flowID, isNear: isNear, statistics: statistics)
    }

    @Test func recordHasSocketStatisticsOfReportingEnd() throws {
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

    @Test func heldFlowKeepsSocketStatistics() throws {
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

    /// The reports of a flow that waits for a name add up, in any order, whatever each of them has.
    @Test(arguments: [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 1, 0, 4, 2], [2, 3, 4, 0, 1]], [false, true])
    func heldFlowAddsUpReports(order: [Int], hasProcess: Bool) throws {
        let process = hasProcess ? FlowProcess(id: 7, name: ProcessName(Array("curl".utf8))) : nil
        func report(
            _ statistics: TCPStatistics?,
            _ handshake: HandshakeTimes? = nil,
            lookups: UInt32? = nil
        ) -> FlowSocket {
            let lookups = lookups.map { TCPStatistics.Gauge($0) }
            return FlowSocket(
                flowID: 1,
                isNear: false,
                statistics: statistics,
                process: process,
                handshake: handshake,
                lookups: lookups
            )
        }
        let statistics = Self.socket(1, isNear: false, window: 10, rtt: 300).statistics
        let reports = [
            report(nil), report(statistics), report(statistics, HandshakeTimes(connect: 90, answer: 30)),
            report(nil, lookups: 20), report(nil, lookups: 40),
        ]
        var fixture = AggregatorFixture(dividesProcesses: true)
        let range = try #require(IPPrefix(IPAddress(10, 2, 0, 0), length: 16))
        fixture.learn { $0.workloadRanges = [range] }
        fixture.births(AggregatorFixture.birth(1, near: IPAddress(10, 2, 0, 5)))
        for index in order { fixture.batch { $0.sockets = [reports[index]] } }
        #expect(fixture.aggregator.statistics.heldFlows == 1)
        let record = try #require(fixture.flush().first)
        #expect(record.tcp?.retransmissions == 2 && record.tcp?.window.count == 2)
        #expect(record.handshakes?.connect.mean == 90 && record.lookups?.mean == 30 && record.lookups?.count == 2)
        #expect(record.processes?.id == process?.id)
    }

    @Test func recordsHaveTheProcessesOfTheReportingEnd() throws {
        var fixture = AggregatorFixture(level: .podPrefix, dividesProcesses: true)
        fixture.births(AggregatorFixture.birth(1), AggregatorFixture.birth(2, nearPort: 40001))
        func socket(_ flowID: UInt32, isNear: Bool = false, _ id: UInt32, _ name: String) -> FlowSocket {
            let process = FlowProcess(id: id, name: ProcessName(Array(name.utf8)))
            return FlowSocket(flowID: flowID, isNear: isNear, statistics: nil, process: process)
        }
        fixture.batch {
            $0.sockets = [socket(1, 7, "curl"), socket(1, isNear: true, 9, "nginx"), socket(2, 7, "curl")]
        }
        let one = fixture.flush()
        #expect(one.count == 1 && one.first?.tcp == nil)
        #expect(one.first?.processes == FlowProcesses(FlowProcess(id: 7, name: ProcessName(Array("curl".utf8)))))
        fixture.batch { $0.sockets = [socket(2, 8, "curl")] }
        let two = try #require(fixture.flush(at: 300).first?.processes)
        #expect(two.name?.text == "curl" && two.id == nil && two.nameCount == 1 && two.count == 2)
        // A flow counts for the process that has its socket last.
        fixture.batch { batch in batch.sockets = (1...10).map { socket(2, $0, "worker \($0)") } }
        let many = fixture.flush(at: 600)
        #expect(many.map(\.flows.total) == [1, 1])
        #expect(many.map { $0.processes?.nameCount } == [1, 1] && many.map { $0.processes?.id } == [7, 10])
    }

    @Test func recordsHaveTheHandshakesOfTheReportingEnd() throws {
        var fixture = AggregatorFixture(level: .podPrefix)
        fixture.births(AggregatorFixture.birth(1), AggregatorFixture.birth(2, nearPort: 40001))
        func handshake(_ flowID: UInt32, isNear: Bool = false, connect: UInt32, answer: UInt32) -> FlowSocket {
            let times = HandshakeTimes(connect: connect, answer: answer)
            return FlowSocket(flowID: flowID, isNear: isNear, statistics: nil, handshake: times)
        }
        fixture.batch {
            $0.sockets = [
                handshake(1, connect: 100, answer: 30), handshake(1, isNear: true, connect: 9999, answer: 9999),
                // After a retransmission.
                handshake(2, connect: 1_000_300, answer: 1_000_100),
            ]
        }
        let record = try #require(fixture.flush().first)
        #expect(record.handshakes?.connect.mean == 500_200 && record.handshakes?.connect.count == 2)
        #expect(record.handshakes?.rtt.mean == 30 && record.handshakes?.rtt.count == 1)
        // No socket reports a better value.
        #expect(record.tcp == nil && record.minRTT.mean == 30)
        var better = TCPStatistics()
        better.minRTT = TCPStatistics.Gauge(20)
        fixture.batch {
            $0.sockets = [
                handshake(1, connect: 100, answer: 30), FlowSocket(flowID: 1, isNear: false, statistics: better),
            ]
        }
        #expect(try #require(fixture.flush(at: 300).first).minRTT.mean == 20)
        #expect(fixture.flush(at: 600).first?.handshakes == nil)
    }

    /// Flags are those that connections have had since they began, in the records of all intervals.
    @Test(arguments: [false, true])
    func recordsHaveTheFlagsOfTheirConnections(dividesProcesses: Bool) throws {
        var fixture = AggregatorFixture(level: .podPrefix, dividesProcesses: dividesProcesses)
        let (syn, ack, fin, rst) = (0x02, 0x10, 0x01, 0x04) as (UInt32, UInt32, UInt32, UInt32)
        func birth(_ flowID: UInt32, port: UInt16, _ flags: UInt32) -> FlowBirth {
            var marks = FlowMarks.openedIngress
            marks.rawValue |= flags
            return AggregatorFixture.birth(flowID, nearPort: port, marks: marks)
        }
        fixture.births(birth(1, port: 40000, syn), birth(2, port: 40001, syn | ack << 8))
        #expect(fixture.flush().map(\.tcpFlags.texts) == [["SYN", "ACK"]])
        fixture.batch {
            $0.flags = [FlowFlags(flowID: 1, flags: TCPFlags(rawValue: UInt8(syn | rst)))]
            $0.ends = [1]
        }
        #expect(fixture.flush(at: 300).map(\.tcpFlags.texts) == [["SYN", "RST", "ACK"]])
        // The connection that was reset has ended.
        #expect(fixture.flush(at: 600).map(\.tcpFlags.texts) == [["SYN", "ACK"]])
        // Another flow uses its identifier and its flow's number.
        fixture.batch { $0.ends = [2] }
        _ = fixture.flush(at: 900)
        fixture.births(birth(1, port: 40002, syn | fin))
        #expect(fixture.flush(at: 1200).map(\.tcpFlags.texts) == [["FIN", "SYN"]])
    }

    /// A flow that is held back because an end has no name yet has the flags of its beginning.
    @Test func heldFlowKeepsTCPFlags() throws {
        var fixture = AggregatorFixture()
        let range = try #require(IPPrefix(IPAddress(10, 2, 0, 0), length: 16))
        fixture.learn { $0.workloadRanges = [range] }
        fixture.births(AggregatorFixture.birth(1, near: IPAddress(10, 2, 0, 5)))
        fixture.batch { $0.flags = [FlowFlags(flowID: 1, flags: TCPFlags(rawValue: 0x12))] }
        #expect(fixture.aggregator.statistics.heldFlows == 1)
        #expect(fixture.flush().first?.tcpFlags.texts == ["SYN", "ACK"])
    }

    /// A lookup belongs to its flow, which may begin after it.
    @Test func recordsHaveTheLatencyOfLookups() throws {
        var fixture = AggregatorFixture(level: .podPrefix)
        func birth(_ flowID: UInt32, port: UInt16) -> FlowBirth {
            AggregatorFixture.birth(
                flowID,
                nearPort: 53,
                farPort: port,
                proto: .udp,
                marks: .firstEgress
            )
        }
        func lookup(_ flowID: UInt32, port: UInt16, _ latency: UInt32) -> FlowLookup {
            FlowLookup(flowID: flowID, isNear: false, clientPort: port, latency: latency)
        }
        fixture.births(birth(1, port: 50000))
        // The third is of a flow with another port, the fourth of one that never begins.
        fixture.aggregator.add([
            lookup(1, port: 50000, 100), lookup(2, port: 50001, 300), lookup(3, port: 50009, 9999),
            lookup(4, port: 50003, 9999),
        ])
        fixture.births(birth(2, port: 50001), birth(3, port: 50002))
        let records = fixture.flush()
        #expect(records.compactMap(\.lookups?.count) == [2] && records.compactMap(\.lookups?.mean) == [200])
        fixture.births(birth(4, port: 50003))
        #expect(fixture.flush(at: 300).allSatisfy { $0.lookups == nil })
    }

    /// Lookups make flows of their own, some of which never begin; each scan begins those that it can.
    @Test(arguments: [0, 400] as [UInt32]) func anyNumberOfFlowsHasLookups(neverBegun: UInt32) {
        var fixture = AggregatorFixture(level: .podPrefix)
        let (scans, flows) = (50 as UInt32, 600 as UInt32)
        func port(_ flowID: UInt32) -> UInt16 { UInt16(2000 + flowID) }
        for scan in 0..<scans {
            let first = 1 + scan % 2 * flows
            let begun = first..<first + flows
            // Numbers that flows get in a later scan have other lookups then.
            let lost = begun.upperBound..<begun.upperBound + neverBegun
            fixture.aggregator.add(
                (Array(begun) + lost).map {
                    FlowLookup(
                        flowID: $0,
                        isNear: false,
                        clientPort: port($0),
                        latency: begun.contains($0) ? 100 : 9999
                    )
                }
            )
            fixture.batch { batch in
                batch.births = begun.map {
                    AggregatorFixture.birth($0, nearPort: 53, farPort: port($0), proto: .udp, marks: .firstEgress)
                }
            }
            fixture.batch { $0.ends = Array(begun) }
        }
        let records = fixture.flush()
        #expect(records.reduce(0) { $0 + ($1.lookups?.count ?? 0) } == UInt64(scans * flows))
        #expect(records.allSatisfy { $0.lookups?.largest == 100 })
    }

    /// A flow that waits for a name keeps as many processes as a record distinguishes, and the statistics of all.
    @Test func heldFlowKeepsProcesses() throws {
        var fixture = AggregatorFixture(dividesProcesses: true)
        let range = try #require(IPPrefix(IPAddress(10, 2, 0, 0), length: 16))
        fixture.learn { $0.workloadRanges = [range] }
        fixture.births(AggregatorFixture.birth(1, near: IPAddress(10, 2, 0, 5)))
        for id in 1...40 as ClosedRange<UInt32> {
            fixture.batch {
                let process = FlowProcess(id: id, name: ProcessName(Array("sh".utf8)))
                var socket = Self.socket(1, isNear: false, window: 10, rtt: 300)
                socket.process = process
                $0.sockets = [socket]
            }
        }
        let record = try #require(fixture.flush().first)
        #expect(record.tcp?.retransmissions == 40)
        let processes = try #require(record.processes)
        #expect(processes.name?.text == "sh" && processes.id == 40, "the last one has the socket")
    }

    /// A process's name ends at the first 0 and at the kernel's length, and is text in any case.
    @Test(
        arguments: [
            ([0x61, 0x62, 0, 0x63], "ab"), ([], ""), (Array(repeating: 0x78, count: 20), "xxxxxxxxxxxxxxx"),
            ([0xff, 0x0a, 0x22], "\u{fffd}\n\""),
        ] as [([UInt8], String)]
    )
    func decodesProcessNameAsText(bytes: [UInt8], text: String) {
        #expect(ProcessName(bytes).text == text)
    }

    @Test func ignoresGaugesWithoutValue() {
        var gauge = TCPStatistics.Gauge(0)
        #expect(gauge.mean == 0 && gauge.smallest == 0 && gauge.count == 0)
        gauge.add(TCPStatistics.Gauge(7))
        gauge.add(TCPStatistics.Gauge())
        gauge.add(TCPStatistics.Gauge(10))
        #expect(gauge.mean == 8 && gauge.smallest == 7 && gauge.largest == 10 && gauge.count == 2)
    }
}
