import FlowModel
import Filter
import Foundation
import Query
import Store

/// Measures the store: writing records at level 2, and the queries of the overview.
package enum StoreBenchmark {
    /// 1,667 groups of connections every ten seconds are 10,000 records a minute.
    private static let keys = 1_667
    private static let start: Int64 = 1_790_000_000 / 86_400 * 86_400

    /// Writes records into a new store in a temporary folder, and queries it.
    ///
    /// - Parameters:
    ///   - hours: the hours of records.
    ///   - report: takes the results.
    /// - Throws: the errors of the store.
    package static func run(hours: Int, report: (Measurement) -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("flows.db").path
        let flushes = hours * 360
        let records = Double(flushes * keys)
        var limits = StoreLimits()
        limits.bytes = .max
        let writer = try StoreWriter(path: path, limits: limits)
        var (lines, stored) = (0.0, 0.0)
        // CPU time, because the time that a flush waits for the disk depends on the disk, and occurs once in ten seconds.
        var (linesCPU, storedCPU) = (0.0, 0.0)
        for flush in 0..<flushes {
            var batch: [UInt8] = []
            let before = processTime()
            lines += fastest(of: 1) { batch = flushLines(flush) }
            let between = processTime()
            stored += fastest(of: 1) {
                writer.take(batch)
                writer.commit()
            }
            linesCPU += between - before
            storedCPU += processTime() - between
        }
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        report(
            Measurement(
                "store/write",
                unit: "records/s",
                value: records / storedCPU * 1e9,
                baseline: records / linesCPU * 1e9,
                against: "making the lines; in CPU time of one core"
            )
        )
        report(
            Measurement(
                "store/write-and-sync",
                unit: "records/s",
                value: records / stored * 1e9,
                baseline: records / lines * 1e9,
                against: "making the lines; \(flushes) flushes, each waits for the disk"
            )
        )
        report(
            Measurement(
                "store/share",
                unit: "% of a core",
                value: storedCPU / records * 10_000 / 10e9 * 100,
                baseline: 0,
                against: "10,000 records in ten seconds"
            )
        )
        report(
            Measurement(
                "store/size",
                unit: "B/record",
                value: Double(size) / records,
                baseline: Double(flushLines(0).count) / Double(keys),
                against: "the JSON line"
            )
        )
        try ask(path, hours, report)
    }

    private static func ask(_ path: String, _ hours: Int, _ report: (Measurement) -> Void) throws {
        let reader = try StoreReader(path: path)
        let end = start + Int64(hours) * 3600
        let all = try Filter("")
        func pairs(_ since: Int64) throws -> Int {
            var count = 0
            try reader.read {
                try KeyTotals(FlowScan($0, since: since, until: end, filter: all), interval: 3600)
                    .forEachPair { _ in count += 1 }
            }
            return count
        }
        func records(_ since: Int64) throws -> UInt64 {
            var query = FlowQuery(since: since, until: end, filter: all, groupBy: [], sums: [Measure(.bytes)])
            query.interval = 60
            return try reader.read { try query.run($0) }.total[0]
        }
        let overview = try fastest(of: 3) { _ = try pairs(start) }
        let scan = try fastest(of: 3) { _ = try records(start) }
        report(
            Measurement(
                "store/overview-\(hours)h",
                unit: "ms",
                value: overview / 1e6,
                baseline: scan / 1e6,
                against: "the same time, record by record"
            )
        )
        let hour = try fastest(of: 3) { _ = try pairs(end - 3600 + 60) }
        report(
            Measurement(
                "store/overview-ragged-hour",
                unit: "ms",
                value: hour / 1e6,
                baseline: scan / 1e6,
                against: "all records, one by one"
            )
        )
    }

    /// CPU time of the process so far, ns.
    private static func processTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// The lines of a flush.
    private static func flushLines(_ flush: Int) -> [UInt8] {
        let end = start + Int64(flush + 1) * 10
        var text: [UInt8] = []
        text.reserveCapacity(keys * 1_600)
        for key in 0..<keys {
            let spread = UInt64(key &* 1_000 &+ flush) &* 0x9e37_79b9_7f4a_7c15
            text += head
            text += Array("\(end - 10),\"end_time\":\(end)".utf8)
            text += middles[key]
            text += Array(
                "\"bytes_in\":\(spread >> 44),\"bytes_out\":\(spread >> 46),\"num_flows\":\(spread >> 60),"
                    .utf8
            )
            text += Array(
                "\"num_flows_started\":\(spread >> 61),\"num_flows_completed\":\(spread >> 61),\"packets_in\":\(spread >> 54),\"packets_out\":\(spread >> 55)"
                    .utf8
            )
            text += tail
        }
        return text
    }

    private static let head = Array("{\"start_time\":".utf8)

    private static let middles: [[UInt8]] = (0..<keys).map { key in
        var values: [FlowField: String] = [
            .sourceNameAggr: "\"client-\(key % 211)-*\"", .sourceNamespace: "\"team-\(key % 17)\"",
            .sourceType: "\"wep\"",
            .sourceLabels: "{\"labels\":[\"app=client-\(key % 211)\",\"tier=front\",\"version=v1.24.\(key % 5)\"]}",
            .destNameAggr: "\"server-\(key % 50)-*\"", .destNamespace: "\"shop\"", .destPort: "\(8000 + key % 9)",
            .destType: "\"wep\"", .destLabels: "{\"labels\":[\"app=server-\(key % 50)\",\"tier=back\"]}",
            .destServiceNamespace: "\"shop\"", .destServiceName: "\"server-\(key % 50)\"", .proto: "\"tcp\"",
            .action: key % 8 == 0 ? "\"deny\"" : "\"allow\"", .reporter: key % 2 == 0 ? "\"src\"" : "\"dst\"",
        ]
        let hit = "3|default|shop/knp.default.allow-service-\(key % 50)|\(key % 8 == 0 ? "deny|-1" : "allow|0")"
        values[.policies] =
            "{\"enforced_policies\":[\"0|platform|platform.pass|pass|1\",\"\(hit)\"],\"pending_policies\":[\"\(hit)\"]}"
        let fields = FlowField.standard.filter {
            $0.rawValue > FlowField.endTime.rawValue && $0.rawValue < FlowField.bytesIn.rawValue
        }
        let text = fields.map { "\"\($0.description.name)\":\(values[$0] ?? $0.description.emptyJSON)" }
        return Array(("," + text.joined(separator: ",") + ",").utf8)
    }

    private static let tail: [UInt8] = {
        let fields = FlowField.standard.filter { $0.rawValue > FlowField.packetsOut.rawValue }
        let text = fields.map { "\"\($0.description.name)\":\($0.description.emptyJSON)" }
        return Array(("," + text.joined(separator: ",") + "}\n").utf8)
    }()
}
