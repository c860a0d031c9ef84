import Datapath
import Encoding
import Export
import Foundation
import Testing

@testable import Agent

/// Losses are logged at once, then in growing pauses, with totals; by a clock that the tests move.
struct LossLogTests {
    private static let second: Int64 = 1_000_000_000

    private static let counters = [
        LossCounter("lost_packets", "packets", "packets are lost", advice: "buy memory") { $0.datapath.packets },
        LossCounter("lost_detail", "names", isMissing: false, "names are cut off") { $0.shortened.names },
        LossCounter(
            "output_records",
            "records",
            "records are dropped",
            each: { reading in
                reading.outputs.map { .init(total: UInt64($0.drops.total), labels: ["output": $0.name]) }
            }
        ),
    ]

    /// The log of a counter that has these totals at these times, in seconds.
    struct Course: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var totals: [(time: Int64, total: UInt64)]
        var said: [(time: Int64, packets: UInt64, total: UInt64)]
    }

    @Test(arguments: [
        Course(testDescription: "nothing is lost", totals: [(0, 0), (1, 0), (9999, 0)], said: []),
        Course(testDescription: "the first loss at once", totals: [(5, 0), (6, 3), (7, 3)], said: [(6, 3, 3)]),
        Course(
            testDescription: "a steady loss in growing pauses, and nothing of it is left out",
            totals: (0...200).map { ($0, UInt64($0 + 1) * 10) },
            said: [(0, 10, 10), (10, 100, 110), (30, 200, 310), (70, 400, 710), (150, 800, 1510)]
        ),
        Course(
            testDescription: "pauses end at ten minutes",
            totals: stride(from: 0, through: 3600, by: 10).map { ($0, UInt64($0 + 10)) },
            said: [
                (0, 10, 10), (10, 10, 20), (30, 20, 40), (70, 40, 80), (150, 80, 160), (310, 160, 320),
                (630, 320, 640), (1230, 600, 1240), (1830, 600, 1840), (2430, 600, 2440), (3030, 600, 3040),
            ]
        ),
        Course(
            testDescription: "what came within a pause is said after it, without more",
            totals: [(0, 1), (1, 2), (9, 2), (10, 2)],
            said: [(0, 1, 1), (10, 1, 2)]
        ),
        Course(
            testDescription: "after a quiet time a loss is news, and its pauses begin anew",
            totals: [(0, 1), (10, 2), (30, 3), (500, 3), (501, 4), (511, 5), (531, 6)],
            said: [(0, 1, 1), (10, 1, 2), (30, 1, 3), (501, 1, 4), (511, 1, 5), (531, 1, 6)]
        ),
    ])
    func logsLossesAtOnceThenInGrowingPauses(_ course: Course) {
        let recorder = LogRecorder()
        var log = LossLog(recorder.logger, counters: Self.counters)
        var said: [String] = []
        for (time, total) in course.totals {
            var reading = LossReading()
            reading.datapath.packets = total
            log.note(reading, now: 77 + time * Self.second)
            said += recorder.take().map { "\(time): \($0)" }
        }
        #expect(
            said
                == course.said.map { line in
                    "\(line.time): error packets are lost; buy memory packets=\(line.packets) total=\(line.total)"
                }
        )
    }

    @Test func countersAndOutputsHaveSeparatePauses() {
        let recorder = LogRecorder()
        var log = LossLog(recorder.logger, counters: Self.counters)
        var reading = LossReading()
        reading.datapath.packets = 1
        reading.outputs = [("stdout", OutputDrops(queueFull: 2)), ("udp:[::1]:1", OutputDrops())]
        log.note(reading, now: 0)
        reading.shortened.names = 5
        reading.outputs[1].drops.refused = 3
        reading.outputs[0].drops.queueFull = 9
        log.note(reading, now: Self.second)
        #expect(
            recorder.take() == [
                "error packets are lost; buy memory packets=1 total=1",
                "error records are dropped output=stdout records=2 total=2",
                "warning names are cut off names=5 total=5",
                "error records are dropped output=udp:[::1]:1 records=3 total=3",
            ]
        )
        log.summarize(reading)
        #expect(
            recorder.take() == [
                "error in this run: packets are lost lost_packets=1",
                "warning in this run: names are cut off lost_detail=5",
                "error in this run: records are dropped output=stdout output_records=9",
                "error in this run: records are dropped output=udp:[::1]:1 output_records=3",
            ]
        )
    }

    // MARK: The table

    @Test func counterNamesAreUniqueAndWellFormed() {
        let counters = LossCounter.all
        #expect(Set(counters.map(\.name)).count == counters.count)
        for counter in counters {
            #expect(counter.name.allSatisfy { $0.isLowercase || $0 == "_" }, "\(counter.name)")
            #expect(!counter.message.isEmpty && counter.message.last != ".", "\(counter.name)")
            // An empty run has lost nothing.
            #expect(counter.values(in: LossReading()).allSatisfy { $0.total == 0 }, "\(counter.name)")
        }
    }

    /// With a different number in every counter of a reading, each row of the table reports its own number.
    @Test func everyCounterOfReadingHasRow() {
        var reading = LossReading()
        (reading.datapath.packets, reading.datapath.deniedPackets) = (101, 102)
        (reading.datapath.missedDrops, reading.datapath.unparsedDrops) = (103, 104)
        (reading.verdicts.lost, reading.verdicts.crowdedOut) = (105, 106)
        // A part of the packets in remainders has a counter of its own.
        reading.datapath.unwrittenPackets = 130
        (reading.remainderPackets, reading.unrecordedDenials) = (130 + 107, 108)
        (reading.shortened.labelSets, reading.shortened.names, reading.shortened.policyTraces) = (109, 110, 111)
        (reading.unaskedFlows, reading.reducedFlows, reading.conntrackFailures) = (112, 113, 114)
        (reading.delayedBatches, reading.abandonedBatches) = (115, 116)
        (reading.foldedFlows, reading.coarseFlows) = (121, 122)
        (reading.skippedQuestions, reading.datapath.foldedFlows) = (124, 125)
        (reading.datapath.missedSockets, reading.unlinkedRecords) = (126, 127)
        (reading.datapath.missedDNS, reading.refusedNames) = (128, 129)
        reading.untracedForwards = 131
        let drops = OutputDrops(queueFull: 117, tooLong: 118, refused: 119, rejected: 123, unsent: 120, damaged: 132)
        reading.outputs = [("a", drops)]
        let totals = LossCounter.all.flatMap { $0.values(in: reading) }.map(\.total)
        #expect(totals.sorted() == Array(101...132))
    }

    @Test func manualListsEveryCounter() throws {
        let manual = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../docs/operations.md"),
            encoding: .utf8
        )
        for counter in LossCounter.all {
            #expect(manual.contains("| `\(counter.name)` | \(counter.message) |"), "\(counter.name)")
        }
    }
}
