import FlowModel
import Foundation
import Records
import Store
import Testing

/// Flow keys that no record has any more, and the numbers of those that follow.
@Suite struct StoreKeyTests {
    private let folder = Folder()
    private var path: String { folder.path + "/flows.db" }
    private let start: Int64 = 1_764_338_400 / 3600 * 3600

    /// Limits with which records and sums are gone after ten minutes.
    private func limits(keys: Int) -> StoreLimits {
        var limits = StoreLimits()
        limits.keys = keys
        (limits.recordAge, limits.fiveMinuteAge, limits.hourAge) = (600, 600, 600)
        return limits
    }

    private func line(_ name: String, end: Int64, labels: Int = 0) -> String {
        var fields: [FlowField: String] = [.endTime: "\(end)", .startTime: "\(end - 10)"]
        fields[.sourceNameAggr] = "\"\(name)\""
        if labels > 0 { fields[.sourceLabels] = "{\"labels\":[\"\(name)=\(String(repeating: "x", count: labels))\"]}" }
        return recordLine(fields)
    }

    private func write(_ lines: [String], to writer: StoreWriter) {
        for line in lines { writer.take(Array((line + "\n").utf8)) }
        #expect(writer.commit() == nil)
    }

    private func lines(_ snapshot: StoreSnapshot) throws -> [String] {
        var lines: [String] = []
        try snapshot.records(after: 0, upTo: 1 << 36, newestFirst: false) { _, record in
            lines.append(String(decoding: record.bytes, as: UTF8.self))
            return true
        }
        return lines.sorted()
    }

    /// After a flood of keys the writer has room for new ones once the flood's records are gone, also after a restart.
    @Test(arguments: [false, true], [false, true])
    func roomReturnsAfterFlood(_ restarts: Bool, _ byBytes: Bool) throws {
        var limits = limits(keys: byBytes ? 500_000 : 100)
        // An eighth is for keys.
        if byBytes { limits.bytes = 8 * 60_000 }
        var writer: StoreWriter? = try StoreWriter(path: path, limits: limits)
        let reader = try StoreReader(path: path)
        write((0..<300).map { line("flood\($0)", end: start + 10) }, to: try #require(writer))
        #expect(try #require(writer).statistics.withoutKey > 100)
        let flooded = try reader.read { try $0.extent().keys }
        #expect(byBytes || flooded == 101)
        if restarts {
            writer = nil
            writer = try StoreWriter(path: path, limits: limits)
        }
        let again = try #require(writer)
        #expect(again.setAside == nil)
        let late = start + 7200
        // The commit of the first one deletes the flood's records and keys.
        write([line("first", end: late + 10)], to: again)
        let before = again.statistics.withoutKey
        let named = (0..<80).map { line("late\($0)", end: late + 20) }
        write(named, to: again)
        #expect(again.statistics.withoutKey == before)
        #expect(try named.allSatisfy { try reader.read { try lines($0) }.contains($0) })
        let (keys, numbers) = try reader.read { (try $0.extent().keys, $0.keys.count) }
        #expect(keys <= 82)
        // Numbers are used again.
        #expect(numbers <= flooded)
        #expect(try StoreReader(path: path).read { $0.keys.count } == numbers)
    }

    /// Sums of a flood, which are kept for two years, do not keep its keys once its records are gone.
    @Test func sumsOfFloodKeepNoKeys() throws {
        var limits = StoreLimits()
        (limits.keys, limits.recordAge) = (100, 600)
        let writer = try StoreWriter(path: path, limits: limits)
        func names(_ count: Int, _ prefix: String, end: Int64) -> [String] {
            (0..<count).map { line("\(prefix)\($0)", end: end) }
        }
        // One key has records of two hours, the other ones of the flood.
        write(names(5, "always", end: start + 10) + names(300, "flood", end: start + 10), to: writer)
        write(names(5, "always", end: start + 3610), to: writer)
        let before = writer.statistics.withoutKey
        #expect(before == 205)
        write(names(5, "always", end: start + 4 * 3600), to: writer)
        write(names(60, "late", end: start + 4 * 3600 + 10), to: writer)
        #expect(writer.statistics.withoutKey == before)
        let reader = try StoreReader(path: path)
        var records: [String: UInt64] = [:]
        try reader.read { snapshot in
            try snapshot.scan(after: 0, upTo: 1 << 36, ScanNeeds(takesSums: true, counters: [0])) { rows in
                for row in 0..<rows.count {
                    let name = snapshot.keys[Int(rows.keys[row])].record.text(.sourceNameAggr) ?? ""
                    records[name, default: 0] += rows.records.isEmpty ? 1 : rows.records[row]
                }
            }
        }
        // All records count, and of those of the flood none has a name.
        let sum: UInt64 = records.values.reduce(0) { $0 + $1 }
        #expect(sum == 375)
        #expect(records.filter { $0.key.hasPrefix("flood") }.isEmpty)
        #expect((0..<5).allSatisfy { records["always\($0)"] == 3 })
        #expect(try reader.read { try $0.extent().keys } <= 67)
    }

    /// A reader that stays open, one that is new and one in the middle of a read never take a number for another key.
    @Test func readersSeeKeysOfTheirRecords() throws {
        let writer = try StoreWriter(path: path, limits: limits(keys: 150))
        let (reader, middle) = (try StoreReader(path: path), try StoreReader(path: path))
        var written: Set<String> = []
        var next = 0
        func round(_ round: Int) {
            var lines: [String] = []
            for _ in 0..<15 {
                lines.append(line("key\(next)", end: start + Int64(round) * 610 + 10))
                next += 1
            }
            // One key that each round has keeps its number or gets another one.
            lines.append(line("always", end: start + Int64(round) * 610 + 10))
            written.formUnion(lines)
            write(lines, to: writer)
        }
        var most = 0
        for number in 0..<20 {
            try middle.read { snapshot in
                let before = try lines(snapshot)
                for part in 0..<3 {
                    round(number * 3 + part)
                    #expect(try lines(snapshot) == before)
                }
            }
            let stored = try reader.read { try lines($0) }
            #expect(stored.count >= 16)
            #expect(Set(stored).subtracting(written).isEmpty)
            #expect(try StoreReader(path: path).read { try lines($0) } == stored)
            #expect(try middle.read { try lines($0) } == stored)
            most = max(most, try reader.read { $0.keys.count })
        }
        #expect(writer.statistics.withoutKey == 0)
        #expect(next == 900 && most <= 151)
    }

    /// Keys of long labels leave the limit of bytes to records of more than the last minute.
    @Test func keysLeaveRoomForRecords() throws {
        var limits = StoreLimits()
        limits.bytes = 1 << 20
        let writer = try StoreWriter(path: path, limits: limits)
        let reader = try StoreReader(path: path)
        for minute in 0..<40 {
            var lines = [line("quiet", end: start + Int64(minute) * 60 + 10)]
            for key in 0..<50 {
                lines.append(line("k\(minute)-\(key)", end: start + Int64(minute) * 60 + 10, labels: 1500))
            }
            write(lines, to: writer)
            #expect(try reader.read { try $0.extent().bytes } < 3 << 19)
        }
        #expect(try reader.read { try lines($0) }.filter { $0.contains("quiet") }.count >= 20)
    }

    /// A sweep that fails leaves keys, numbers and records as they were.
    @Test func failedSweepLeavesAllAsItWas() throws {
        let writer = try StoreWriter(path: path, limits: limits(keys: 100))
        write((0..<90).map { line("old\($0)", end: start + 10) }, to: writer)
        try writer.execute(
            "CREATE TRIGGER stop BEFORE UPDATE ON key_state WHEN NEW.sweeps > OLD.sweeps BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        writer.take(Array((line("new", end: start + 7200) + "\n").utf8))
        #expect(writer.commit() != nil)
        let reader = try StoreReader(path: path)
        #expect(try reader.read { try lines($0) }.count == 90)
        try writer.execute("DROP TRIGGER stop")
        let last = (0..<5).map { line("last\($0)", end: start + 7210) }
        write(last, to: writer)
        #expect(try reader.read { try lines($0) } == last.sorted())
        #expect(try reader.read { try $0.extent().keys } <= 6)
    }

    /// A file of the version before is read, and written on.
    @Test func takesFileOfEarlierVersion() throws {
        try {
            let writer = try StoreWriter(path: path)
            write((0..<5).map { line("a\($0)", end: start + 10) }, to: writer)
            try writer.execute("DROP TABLE key_state; PRAGMA user_version = 2")
        }()
        let reader = try StoreReader(path: path)
        #expect(try reader.read { try lines($0) }.count == 5)
        let writer = try StoreWriter(path: path)
        #expect(writer.setAside == nil)
        write((3..<8).map { line("a\($0)", end: start + 20) }, to: writer)
        #expect(try reader.read { try lines($0) }.count == 10)
        #expect(try reader.read { try $0.extent().keys } == 8)
    }

    /// Keys and numbers that no writer leaves.
    @Test(arguments: [
        "DELETE FROM flow_key WHERE id = 4", "DELETE FROM flow_key WHERE id = 2", "UPDATE key_state SET keys = 4",
        "UPDATE flow_key SET id = -1 WHERE id = 0", "UPDATE flow_key SET id = 9223372036854775807 WHERE id = 4",
        "UPDATE flow_key SET id = 4194304 WHERE id = 4", "DELETE FROM key_state",
    ])
    func damagedKeysAreFound(_ sql: String) throws {
        try {
            let writer = try StoreWriter(path: path)
            write((0..<5).map { line("a\($0)", end: start + 10) }, to: writer)
            try writer.execute(sql)
        }()
        #expect(throws: StoreError.self) { try StoreReader(path: path).read { try lines($0) } }
        #expect(try StoreWriter(path: path).setAside != nil)
    }
}
