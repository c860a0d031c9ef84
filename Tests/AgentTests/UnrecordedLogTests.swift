import FlowLog
import FlowModel
import Testing

@testable import Agent

@Suite struct UnrecordedLogTests {
    private static let second: Int64 = 1_000_000_000

    /// Traffic of flows without a local end, of 100 bytes a packet.
    private static func transit(_ packets: UInt64) -> UnrecordedTraffic {
        var traffic = UnrecordedTraffic()
        traffic.transit = TrafficCounters(packets: packets, bytes: packets * 100)
        return traffic
    }

    private static func recorded(_ packets: UInt64) -> TrafficCounters {
        TrafficCounters(packets: packets, bytes: packets * 100)
    }

    @Test func logsAmountAndAdvice() {
        let recorder = LogRecorder()
        var log = UnrecordedLog(recorder.logger, hasInventory: false)
        log.note(Self.transit(300), recorded: Self.recorded(100), now: 0)
        let lines = recorder.take()
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("warning traffic is in no record") == true)
        #expect(lines.first?.contains("--workload-interface") == true)
        #expect(lines.first?.hasSuffix("bytes=30000 packets=300 percent_of_interval=75") == true)
    }

    /// Few packets, or a small part of all, are no reason to warn, unless there is not much else.
    @Test(
        arguments: [
            (20, 0, false), (21, 0, true), (100, 100, false), (101, 101, true), (101, 10_000, false),
            (200, 10_000, true),
        ] as [(UInt64, UInt64, Bool)]
    )
    func warnsAboveThreshold(transit: UInt64, recorded: UInt64, warns: Bool) {
        let recorder = LogRecorder()
        var log = UnrecordedLog(recorder.logger, hasInventory: true)
        log.note(Self.transit(transit), recorded: Self.recorded(recorded), now: 0)
        #expect(recorder.take().count == (warns ? 1 : 0))
    }

    /// At once, after a minute, after two, four, …; each line has the traffic since the line before.
    @Test func pausesBetweenWarningsDouble() {
        let recorder = LogRecorder()
        var log = UnrecordedLog(recorder.logger, hasInventory: true)
        var said: [Int64] = []
        for interval in 0..<60 as Range<Int64> {
            log.note(Self.transit(UInt64(interval + 1) * 1_000), recorded: .zero, now: interval * 10 * Self.second)
            for line in recorder.take() {
                let since = said.last.map { interval - $0 } ?? interval + 1
                #expect(line.contains(" packets=\(since * 1_000) "), "\(line)")
                said.append(interval)
            }
        }
        #expect(said == [0, 6, 18, 42])
    }
}
