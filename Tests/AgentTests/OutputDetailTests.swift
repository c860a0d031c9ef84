import Encoding
import Export
import FlowLog
import FlowModel
import Foundation
import Lab
import Testing

@testable import Agent

/// Outputs of one run, each with its own levels, parts, verdicts and intervals.
struct OutputDetailTests {
    private static func pod(_ name: String) -> Endpoint {
        Endpoint(
            kind: .workload,
            name: name,
            aggregatedName: "web-*",
            namespace: "shop",
            labels: LabelSet(sorted: ["app=web"])
        )
    }

    private static let trace = PolicyTrace(action: .allow, enforced: ["0|t|p|allow|0"], pending: [])

    private static func record(_ flush: Int64, _ source: Endpoint, port: UInt16, _ action: FlowAction) -> FlowRecord {
        FlowRecord(
            startTime: flush * 10,
            endTime: flush * 10 + 10,
            level: .none,
            source: .init(address: IPAddress(10, 0, 0, 1), port: port, endpoint: source, labels: source.labels),
            destination: .init(address: IPAddress(10, 0, 0, 2), port: 80, endpoint: .unknown, labels: nil),
            service: ServicePort(namespace: "shop", name: "db", portName: nil, port: 80),
            proto: .tcp,
            action: action,
            reporter: .source,
            policies: .init(enforced: trace, pending: trace),
            inbound: .zero,
            outbound: TrafficCounters(packets: 1, bytes: 60),
            flows: FlowCounts(total: 1, started: 1, completed: 1)
        )
    }

    /// Writes six flushes of eight records to each of the outputs, and returns the records of their files.
    private func written(_ options: [String]) throws -> [[[String: Any]]] {
        let folder = try TemporaryFolder()
        let configurations = try options.indices.map { index in
            try OutputConfiguration(
                parsing: "file:\(folder.file("\(index)"))" + (options[index].isEmpty ? "" : ";" + options[index])
            )
        }
        let run = RecordDetail(allowed: .podPrefix, denied: .sourcePort)
        let selections = configurations.map { $0.selection.completed(by: run) }
        let outputs = try configurations.map { try Output($0.specification, logger: LogRecorder().logger) }
        let writer = RecordWriter(
            zip(outputs, selections).map { ($0, $1) },
            of: RecordDetail(allowed: .none, denied: .none),
            patience: .seconds(10),
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits()
        )
        for flush in 0..<6 as Range<Int64> {
            writer.beginFlush()
            for port in 1...4 as ClosedRange<UInt16> {
                let source = Self.pod("web-\(port % 2)")
                writer.write(Self.record(flush, source, port: port, .allow))
                writer.write(Self.record(flush, source, port: port, .deny))
            }
            writer.endFlush(flush == 5 ? nil : flush * 10...flush * 10 + 10)
        }
        for output in outputs { #expect(output.finish(within: .seconds(30)).dropped == 0) }
        return try options.indices.map { index in
            try folder.lines("\(index)").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
    }

    private func sums(_ records: [[String: Any]], _ action: String) -> [Int] {
        let chosen = records.filter { $0["action"] as? String == action }
        return [chosen.count]
            + ["bytes_out", "num_flows", "num_flows_started"].map { key in
                chosen.reduce(0) { $0 + ($1[key] as? Int ?? 0) }
            }
    }

    @Test func eachOutputHasItsOwnLevels() throws {
        let files = try written([
            "aggregation-allowed=0;aggregation-denied=0", "", "aggregation-allowed=1;aggregation-denied=3",
            "record-allowed=off", "aggregation-denied=2;filter=num_flows > 2",
        ])
        let all = [6 * 4 * 60, 24, 24]
        #expect(sums(files[0], "allow") == [24] + all && sums(files[0], "deny") == [24] + all)
        // By pair of aggregated names; by pod.
        #expect(sums(files[1], "allow") == [6] + all && sums(files[1], "deny") == [12] + all)
        #expect(sums(files[2], "allow") == [12] + all && sums(files[2], "deny") == [6] + all)
        #expect(sums(files[3], "allow") == [0, 0, 0, 0] && sums(files[3], "deny") == [12] + all)
        // A filter applies to the sums.
        #expect(sums(files[4], "allow") == [6] + all && sums(files[4], "deny") == [6] + all)
        #expect(files[1].allSatisfy { $0["source_port"] is NSNull })
    }

    @Test func eachOutputHasItsOwnParts() throws {
        let files = try written(["include-labels=off", "include-policies=off;include-service=off", ""])
        #expect(files[0].allSatisfy { $0["source_labels"] is NSNull && $0["policies"] is [String: Any] })
        #expect(files[1].allSatisfy { $0["source_labels"] is [String: Any] && $0["policies"] is NSNull })
        #expect(files[1].allSatisfy { $0["dest_service_name"] as? String == "-" })
        #expect(files[2].allSatisfy { $0["dest_service_name"] as? String == "db" })
        #expect(files[0].count == files[2].count)
    }

    /// Intervals end at multiples of their length, and with the run.
    @Test func eachVerdictHasItsOwnInterval() throws {
        let files = try written(["interval-allowed=40s;interval-denied=20s"])
        let times = files[0].map { record in
            "\(record["action"] ?? "") \(record["start_time"] ?? 0)-\(record["end_time"] ?? 0) \(record["num_flows"] ?? 0)"
        }
        #expect(
            times.sorted() == [
                "allow 0-40 16", "allow 40-60 8", "deny 0-20 4", "deny 0-20 4", "deny 20-40 4", "deny 20-40 4",
                "deny 40-60 4", "deny 40-60 4",
            ]
        )
    }

    /// An output that is behind gets a coarser level with each flush, and its own level again after it has caught up.
    ///
    /// The sums of the written records stay complete.
    @Test func slowOutputGetsCoarserRecords() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("socket")
        let output = try Output(.unix(path: path), logger: LogRecorder().logger)
        var selection = try OutputConfiguration(parsing: "stdout;dynamic-aggregation=1K").selection
        selection.levelForAllowed = AggregationLevel.none
        let log = LogRecorder()
        let writer = RecordWriter(
            [(output, selection.completed(by: RecordDetail()))],
            patience: .zero,
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits(),
            logger: log.logger
        )
        func flush(_ number: Int64) {
            writer.beginFlush()
            for port in 1...40 as ClosedRange<UInt16> {
                writer.write(Self.record(number, Self.pod("web-\(port % 4)"), port: port, .allow))
            }
            writer.endFlush(number * 10...number * 10 + 10)
        }
        for number in 0..<5 as Range<Int64> { flush(number) }
        #expect(output.statistics.raisedLevels == 3 && output.statistics.raises == 1)
        #expect(log.take().count { $0.contains("the output is behind") } == 1)
        let listener = try RecordListener(path)
        let reading = try listener.readOne()
        let start = ContinuousClock.now
        while output.waitingBytes > 0, ContinuousClock.now - start < .seconds(60) { usleep(1_000) }
        var number: Int64 = 5
        while output.statistics.raisedLevels > 0, number < 30 {
            flush(number)
            number += 1
            while output.waitingBytes > 0, ContinuousClock.now - start < .seconds(60) { usleep(1_000) }
        }
        #expect(number == 8 && log.has("the output has caught up"))
        flush(number)
        let statistics = output.finish(within: .seconds(30))
        let lines = try reading.value().split(separator: "\n").map(String.init)
        #expect(statistics.dropped == 0 && lines.count == statistics.delivered)
        let flows = lines.reduce(0) { sum, line in
            sum + (line.components(separatedBy: "\"num_flows\":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0)
        }
        #expect(flows == 40 * Int(number + 1))
    }

    @Test func readsPositionFileOfTailer() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("flows.log")
        try Data(repeating: 0x61, count: 1_000).write(to: URL(fileURLWithPath: path))
        let file = try #require(WrittenFile(at: path))
        func unread(_ text: String) throws -> Int? {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file("pos")))
            return OutputEasing.unread(of: path, by: folder.file("pos"))
        }
        let inode = String(file.inode, radix: 16)
        #expect(try unread("/other\t10\t1\n\(path)\t00000000000003e0\t\(inode)\n") == 1_000 - 0x3e0)
        #expect(try unread("\(path)\tffffffffffffffff\t\(inode)\n") == 0)
        // The file was rotated since: the position is in another file.
        #expect(try unread("\(path)\t0000000000000300\t1\n") == 1_000)
        #expect(try unread("\(path)\tx\ty\n") == nil && unread("") == nil)
        #expect(OutputEasing.unread(of: path, by: folder.file("nothing")) == nil)
    }
}
