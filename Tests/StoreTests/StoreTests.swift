import FlowModel
import Foundation
import Records
import Store
import Testing

@Suite struct StoreTests {
    private func write(_ lines: [String], to writer: StoreWriter, commitEvery: Int = .max) {
        for (index, line) in lines.enumerated() {
            writer.take(Array((line + "\n").utf8))
            if index % commitEvery == commitEvery - 1 { writer.commit() }
        }
        writer.commit()
    }

    private func all(_ reader: StoreReader, after since: Int64 = 0, upTo until: Int64 = 1 << 36) throws -> [String] {
        try reader.read { snapshot in
            var lines: [String] = []
            try snapshot.scan(after: since, upTo: until, ScanNeeds(takesSums: false, counters: nil)) { rows in
                for row in 0..<rows.count {
                    lines.append(String(decoding: rows.line(row, snapshot.keys[Int(rows.keys[row])]), as: UTF8.self))
                }
            }
            return lines
        }
    }

    private func sum(_ reader: StoreReader, _ counter: Int, after since: Int64, upTo until: Int64, sums: Bool) throws
        -> UInt64
    {
        try reader.read { snapshot in
            var total: UInt64 = 0
            try snapshot.scan(after: since, upTo: until, ScanNeeds(takesSums: sums, counters: [counter])) { rows in
                total += rows.counters[counter].reduce(0, +)
            }
            return total
        }
    }

    @Test(arguments: [false, true]) func readsBackRecordsByteForByte(_ detail: Bool) throws {
        let folder = Folder()
        let lines = generatedLines(keys: 40, flushes: 30, from: 1_764_338_400, detail: detail)
        let writer = try StoreWriter(path: folder.path + "/flows.db")
        write(lines, to: writer, commitEvery: 40)
        #expect(writer.statistics.stored == lines.count)
        let reader = try StoreReader(path: folder.path + "/flows.db")
        #expect(try all(reader).sorted() == lines.sorted())
        #expect(try all(reader, after: 1_764_338_425, upTo: 1_764_338_450).count == 3 * 40)
    }

    @Test func rangeExcludesStartAndIncludesEnd() throws {
        let writer = try StoreWriter.inMemory()
        write(generatedLines(keys: 3, flushes: 60, from: 1_764_338_400), to: writer)
        let reader = StoreReader(of: writer)
        #expect(try all(reader, after: 1_764_338_410, upTo: 1_764_338_440).count == 9)
        #expect(try all(reader, after: 1_764_338_409, upTo: 1_764_338_440).count == 12)
        #expect(try all(reader, after: 1_764_338_460, upTo: 1_764_338_460).isEmpty)
    }

    @Test func sumsEqualThoseOfRecords() throws {
        let folder = Folder()
        let start: Int64 = 1_764_338_400 / 3600 * 3600
        let lines = generatedLines(keys: 20, flushes: 900, from: start)
        let writer = try StoreWriter(path: folder.path + "/flows.db")
        write(lines, to: writer, commitEvery: 700)
        let reader = try StoreReader(path: folder.path + "/flows.db")
        for (since, until) in [
            (start, start + 9000), (start + 125, start + 8000), (start + 300, start + 3900), (start + 59, start + 61),
        ] {
            for counter in 0..<StoreFields.summed {
                let records = try sum(reader, counter, after: since, upTo: until, sums: false)
                #expect(try sum(reader, counter, after: since, upTo: until, sums: true) == records)
            }
        }
        // A late record counts in sums that were made before.
        writer.take(Array((lines[3] + "\n").utf8))
        writer.commit()
        #expect(
            try sum(reader, 0, after: start, upTo: start + 9000, sums: true)
                == sum(reader, 0, after: start, upTo: start + 9000, sums: false)
        )
    }

    /// The writer does not rename a device or a FIFO at the path.
    @Test func rejectsPathThatIsNotRegularFile() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(throws: StoreError.unavailable("\(path) is no regular file; choose another path")) {
            try StoreWriter(path: path)
        }
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    }

    @Test func rejectsSecondWriterAndContinuesAfterRestart() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let lines = generatedLines(keys: 5, flushes: 40, from: 1_764_338_400)
        try {
            let writer = try StoreWriter(path: path)
            #expect(throws: StoreError.isLocked(path: path)) { try StoreWriter(path: path) }
            write(Array(lines[..<100]), to: writer, commitEvery: 5)
        }()
        write(Array(lines[100...]), to: try StoreWriter(path: path), commitEvery: 5)
        #expect(try all(StoreReader(path: path)).sorted() == lines.sorted())
    }

    @Test(arguments: [
        "this is no database, and long enough to be looked at as one: " + String(repeating: "x", count: 8192),
        "foreign", "version -1", "version 0",
    ])
    func setsForeignFileAside(_ content: String) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let changes = [
            "foreign": "PRAGMA application_id = 7",
            // The tables of a format before the first released version.
            "version 0": "ALTER TABLE block RENAME TO blocks; PRAGMA user_version = 0",
            "version -1": "PRAGMA user_version = -1",
        ]
        if let change = changes[content] {
            let other = try StoreWriter(path: path)
            write(generatedLines(keys: 1, flushes: 1, from: 1_764_338_400), to: other)
            try other.execute(change)
            if content != "foreign" { #expect(throws: StoreError.self) { try StoreReader(path: path) } }
        } else {
            let file = try #require(fopen(path, "w"))
            fputs(content, file)
            fclose(file)
        }
        let writer = try StoreWriter(path: path)
        let aside = try #require(writer.setAside)
        #expect(access(aside, F_OK) == 0)
        write(generatedLines(keys: 1, flushes: 1, from: 1_764_338_400), to: writer)
        #expect(try all(StoreReader(path: path)).count == 1)
    }

    @Test func rejectsStoreOfNewerVersion() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        try StoreWriter(path: path).execute("PRAGMA user_version = 99")
        #expect(throws: StoreError.newer(version: 99)) { try StoreWriter(path: path) }
        #expect(throws: StoreError.newer(version: 99)) { try StoreReader(path: path) }
    }

    /// The table of counters is for other readers of the file, so it names those that a newer version writes.
    @Test func namesNewCountersInFileOfEarlierVersion() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let counter = try #require(StoreFields.counters.last).description.name
        try StoreWriter(path: path).execute("DELETE FROM counter WHERE field = '\(counter)'")
        let writer = try StoreWriter(path: path)
        #expect(writer.setAside == nil)
        // The column is the primary key: a copy of a row is refused.
        #expect(throws: (any Error).self) {
            try writer.execute("INSERT INTO counter SELECT col, field FROM counter WHERE field = '\(counter)'")
        }
    }

    @Test func limitsAgeAndBytesOfRecords() throws {
        let folder = Folder()
        var limits = StoreLimits()
        limits.recordAge = 600
        let writer = try StoreWriter(path: folder.path + "/age.db", limits: limits)
        write(generatedLines(keys: 10, flushes: 300, from: 1_764_338_400), to: writer, commitEvery: 60)
        let reader = try StoreReader(path: folder.path + "/age.db")
        let newest = Int64(1_764_338_400 + 3000)
        #expect(try all(reader, after: 0, upTo: newest - 720).isEmpty)
        #expect(try !all(reader, after: newest - 300, upTo: newest).isEmpty)
        writer.take(Array((recordLine([.endTime: "1764338400"]) + "\n").utf8))
        #expect(writer.statistics.tooOld == 1)

        limits = StoreLimits()
        limits.bytes = 600_000
        let small = try StoreWriter(path: folder.path + "/bytes.db", limits: limits)
        write(generatedLines(keys: 300, flushes: 300, from: 1_764_338_400, detail: true), to: small, commitEvery: 1800)
        let extent = try StoreReader(path: folder.path + "/bytes.db").read { try $0.extent() }
        #expect(extent.bytes < 900_000)
        #expect(extent.records > 0)
        #expect(extent.records < 90_000)
    }

    /// Of one record an hour for more than two years, the store keeps the sums of two years, also after a restart.
    @Test func keepsSumsOfTwoYears() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let limits = StoreLimits()
        let newest = Int64(Date().timeIntervalSince1970) / 3600 * 3600
        let hours: Int64 = 800 * 24
        try {
            let writer = try StoreWriter(path: path, limits: limits)
            for hour in 0...hours {
                let end = newest - (hours - hour) * 3600 + 10
                let fields: [FlowField: String] = [.startTime: "\(end - 10)", .endTime: "\(end)", .bytesIn: "3"]
                writer.take(Array((recordLine(fields) + "\n").utf8))
                if hour % 100 == 0 { #expect(writer.commit() == nil) }
            }
            #expect(writer.commit() == nil)
            #expect(writer.statistics.stored == Int(hours) + 1)
        }()
        _ = try StoreWriter(path: path, limits: limits)
        let reader = try StoreReader(path: path)
        let kept = UInt64(limits.hourAge / 3600 + 1)
        #expect(try sum(reader, 0, after: 0, upTo: newest + 3600, sums: true) == 3 * kept)
        #expect(try sum(reader, 0, after: newest - 365 * 86_400, upTo: newest + 3600, sums: true) == 3 * (365 * 24 + 1))
        #expect(try reader.read { try $0.extent().records } == 7 * 24 + 1)
    }

    @Test func countsUnreadableLinesAndStoresOthers() throws {
        let writer = try StoreWriter.inMemory()
        writer.take(
            Array(
                "nonsense\n{}\n\(recordLine([.endTime: "1764338400"]))\n[1]\n{\"end_time\":999999999999999999}\n".utf8
            )
        )
        writer.commit()
        #expect(writer.statistics.stored == 1)
        #expect(writer.statistics.unreadable == 4)
    }
}

/// Hostile lines, damaged files, a wrong clock, a full disk and a killed writer.
@Suite struct StoreDamageTests {
    private func line(_ name: String, end: Int64) -> [UInt8] {
        Array((recordLine([.endTime: "\(end)", .sourceNameAggr: "\"\(name)\""]) + "\n").utf8)
    }

    @Test func repairsInvalidUTF8NamesAndOpensAgain() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        try {
            let writer = try StoreWriter(path: path)
            for byte in [UInt8(0xff), 0xfe, 0xc3] {
                var line = line("x#y", end: 1_764_338_400)
                line = line.map { $0 == UInt8(ascii: "#") ? byte : $0 }
                writer.take(line)
            }
            #expect(writer.commit() == nil)
        }()
        let writer = try StoreWriter(path: path)
        #expect(writer.setAside == nil)
        #expect(try StoreReader(path: path).read { $0.keys.count } == 1)
    }

    @Test(arguments: [
        "UPDATE flow_key SET fields = 'x'", "UPDATE flow_key SET fields = (SELECT fields FROM flow_key LIMIT 1)",
        "DELETE FROM flow_key WHERE id = 0",
    ])
    func setsFileWithBrokenFlowKeysAside(_ sql: String) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        try {
            let writer = try StoreWriter(path: path)
            for name in ["a", "b", "c"] { writer.take(line(name, end: 1_764_338_400)) }
            writer.commit()
            try writer.execute(sql)
        }()
        #expect(try StoreWriter(path: path).setAside != nil)
    }

    @Test(arguments: [
        "UPDATE col SET packed = x''", "UPDATE col SET packed = x'01ffffffff0f'", "UPDATE col SET packed = x'0001ff'",
        "UPDATE col SET packed = x'0180808080808080808001'", "DELETE FROM col",
        "UPDATE block SET rows = 9223372036854775807",
        "UPDATE block SET rows = -1", "UPDATE block SET rows = rows + 1", "UPDATE col SET packed = x'01e80700'",
    ])
    func brokenBlockFailsReadersButNotWriter(_ sql: String) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let writer = try StoreWriter(path: path)
        writer.take(line("a", end: 1_764_338_400))
        writer.commit()
        try writer.execute(sql)
        let reader = try StoreReader(path: path)
        #expect(throws: StoreError.self) {
            try reader.read {
                try $0.scan(after: 0, upTo: 1 << 36, ScanNeeds(takesSums: false, counters: nil)) { _ in }
            }
        }
        for minute in 1...70 {
            writer.take(line("a", end: 1_764_338_400 + Int64(minute) * 60))
            #expect(writer.commit() == nil)
        }
        #expect(writer.statistics.stored == 71)
    }

    /// Numbers of a damaged file that are as large or as small as they can be are added to nothing without a check.
    @Test(arguments: [
        "UPDATE block SET rows = 9223372036854775807, records = 9223372036854775807",
        "UPDATE block SET rows = -9223372036854775808, records = -9223372036854775808",
        "UPDATE col SET packed = x'000affffffffffffffffff01' WHERE id & 63 = 1",
        "UPDATE col SET packed = x'000affffffffffffffffff01' WHERE id & 63 = 2",
        "UPDATE col SET packed = x'000a80808080808080808001' WHERE id & 63 IN (1, 2)",
        "UPDATE col SET packed = x'000affffffffffffffffff01' WHERE id & 63 > 2",
        "UPDATE col SET packed = x'000affffffffffffffffff01' WHERE id & 63 = 0",
    ])
    func damagedNumbersEndNoProcess(_ sql: String) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let writer = try StoreWriter(path: path)
        func write(_ ends: [Int64]) {
            for end in ends {
                writer.take(Array((recordLine([.endTime: "\(end)", .bytesIn: "7"]) + "\n").utf8))
                #expect(writer.commit() == nil)
            }
        }
        let start: Int64 = 1_764_338_400
        write([start + 10, start + 20, start + 70, start + 80])
        try writer.execute(sql)
        let reader = try StoreReader(path: path)
        for takesSums in [false, true] {
            // Some of these throw: what is read is not what was written.
            _ = try? reader.read { snapshot in
                _ = try snapshot.extent()
                try snapshot.scan(after: 0, upTo: 1 << 36, ScanNeeds(takesSums: takesSums, counters: nil)) {
                    for row in 0..<$0.count { _ = ($0.pointTime(row), $0.ends[row] - $0.starts[row]) }
                }
                try snapshot.records(after: 0, upTo: 1 << 36, newestFirst: true) { _, _ in true }
            }
        }
        write((2..<70).map { start + $0 * 60 })
        #expect(writer.statistics.stored == 72)
    }

    /// A minute with a damaged part keeps its other parts, whichever part is damaged.
    @Test(arguments: [0, 1, 2]) func damagedPartOfMinuteLeavesOthers(_ part: Int64) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let writer = try StoreWriter(path: path)
        let minute: Int64 = 1_764_338_400
        for second in [10, 20, 30] as [Int64] {
            writer.take(line("a", end: minute + second))
            #expect(writer.commit() == nil)
        }
        let block = (minute / 60) << 8 | part
        try writer.execute("UPDATE col SET packed = x'01ffffffff0f' WHERE id = \(block << 6)")
        writer.take(line("a", end: minute + 70))
        #expect(writer.commit() == nil)
        try writer.execute("DELETE FROM col WHERE id >> 6 = \(block); DELETE FROM block WHERE id = \(block)")
        #expect(try count(path) == 3)
    }

    /// The pages of the file that are damaged, by what they are.
    enum DamagedPages: CaseIterable {
        /// The root of `col`, which each block needs.
        case root
        /// The leaves of `col`: a block that is summed or deleted.
        case leaves
    }

    /// Overwrites pages of a closed file, whose first eleven pages have the roots of its tables.
    private func damage(_ path: String, _ pages: DamagedPages) throws {
        let size = 8192
        var content = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        var damaged = 0
        for page in 4..<content.count / size where pages == .root ? page == 4 : page > 10 {
            let bytes = content[page * size..<(page + 1) * size]
            // 13 is the leaf of a table; those with names are flow keys, which are read at the start.
            let isLeaf = bytes.first == 13 && !bytes.contains(Array("source_name".utf8))
            guard pages == .root || isLeaf else { continue }
            for byte in bytes.indices { content[byte] = 0xa5 }
            damaged += 1
        }
        #expect(damaged > 0)
        try Data(content).write(to: URL(fileURLWithPath: path))
    }

    /// A damaged page that a run finds while it writes is no reason to store nothing more.
    @Test(arguments: DamagedPages.allCases) func damagedPagesAreSetAsideWhileWriting(_ pages: DamagedPages) throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let lines = generatedLines(keys: 20, flushes: 400, from: 1_764_338_400, detail: true)
        func write(_ flushes: Range<Int>, to writer: StoreWriter) {
            for flush in flushes {
                for line in lines[flush * 20..<(flush + 1) * 20] { writer.take(Array((line + "\n").utf8)) }
                #expect(writer.commit() == nil)
            }
        }
        try write(0..<200, to: StoreWriter(path: path))
        try damage(path, pages)
        let writer = try StoreWriter(path: path)
        #expect(writer.setAside == nil)
        let reader = try StoreReader(path: path)
        write(200..<400, to: writer)
        let aside = try #require(writer.setAside)
        #expect(access(aside, F_OK) == 0)
        #expect(writer.statistics.stored == 200 * 20)
        #expect(writer.statistics.failed == 0)
        // Readers that were open before read the new file.
        let records = try reader.read { try $0.extent().records }
        #expect(try records == count(path))
        // Without the records that were in the old file before it was found damaged.
        #expect(records > 0 && records <= 200 * 20)
        #expect(pages == .leaves || records == 200 * 20)
    }

    private func count(_ path: String, after since: Int64 = 0, upTo until: Int64 = 1 << 36) throws -> Int {
        try StoreReader(path: path).read { snapshot in
            var records = 0
            try snapshot.scan(after: since, upTo: until, ScanNeeds(takesSums: false, counters: nil)) {
                records += $0.count
            }
            return records
        }
    }

    /// The clock was years ahead for a while and is right again, also after a restart.
    @Test func acceptsRecordsAfterClockWasAhead() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let now = Int64(Date().timeIntervalSince1970)
        var limits = StoreLimits()
        limits.recordAge = 3600
        try {
            let writer = try StoreWriter(path: path, limits: limits)
            for end in [now, now + 20 * 365 * 86_400, now + 10] {
                writer.take(line("a", end: end))
                #expect(writer.commit() == nil)
            }
            #expect(writer.statistics.stored == 3 && writer.statistics.tooOld == 0)
        }()
        let writer = try StoreWriter(path: path, limits: limits)
        #expect(writer.setAside == nil)
        writer.take(line("a", end: now + 20))
        writer.take(line("a", end: now - 2 * 86_400))
        #expect(writer.commit() == nil)
        #expect(writer.statistics.stored == 1 && writer.statistics.tooOld == 1)
        #expect(try count(path, after: now - 60, upTo: now + 3600) == 3)
    }

    /// A record of the future changes nothing for others: their sums are made once, and none is too old after a restart.
    @Test func futureRecordLeavesOthersAsTheyAre() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let future = Int64(Date().timeIntervalSince1970) + 20 * 365 * 86_400
        func sums(_ reader: StoreReader, after since: Int64, upTo until: Int64) throws -> Int {
            try reader.read { snapshot in
                var sums = 0
                try snapshot.scan(after: since, upTo: until, ScanNeeds(takesSums: true, counters: [0])) {
                    if !$0.records.isEmpty { sums += 1 }
                }
                return sums
            }
        }
        // Two hours ago until five minutes ago, with a stop in the middle of a bucket.
        let from = Int64(Date().timeIntervalSince1970) / 3600 * 3600 - 2 * 3600
        let until = Int64(Date().timeIntervalSince1970) - 300
        let stop = (from + 3600 + 600) + 150
        var end = from + 30
        for limit in [stop, until] {
            let writer = try StoreWriter(path: path)
            #expect(writer.setAside == nil)
            writer.take(line("a", end: future))
            #expect(writer.commit() == nil)
            while end <= limit {
                writer.take(line("a", end: end))
                #expect(writer.commit() == nil)
                end += 30
            }
            let reader = try StoreReader(path: path)
            // The bucket at hand has no sum: it would be made again at each flush.
            let last = end - 30 - 1
            #expect(try sums(reader, after: last / 300 * 300, upTo: last / 300 * 300 + 300) == 0)
            #expect(writer.statistics.tooOld == 0)
        }
        // All complete buckets have one, those that were open at the stop too.
        let reader = try StoreReader(path: path)
        for bucket in stride(from: from, to: (end - 30 - 1) / 300 * 300, by: 300) {
            #expect(try sums(reader, after: bucket, upTo: bucket + 300) == 1, "\(bucket)")
        }
        #expect(try sums(reader, after: from, upTo: from + 3600) == 1)
    }

    /// Where only sums and a record of the future are left, new records are not too old.
    @Test func futureRecordExpiresNoOthersAfterRestart() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let now = Int64(Date().timeIntervalSince1970)
        var limits = StoreLimits()
        limits.recordAge = 86_400
        try {
            let writer = try StoreWriter(path: path, limits: .none)
            for minute in 0..<130 { writer.take(line("a", end: now - 3 * 86_400 + Int64(minute) * 60)) }
            #expect(writer.commit() == nil)
        }()
        try {
            let writer = try StoreWriter(path: path, limits: limits)
            writer.take(line("a", end: now + 20 * 365 * 86_400))
            #expect(writer.commit() == nil)
        }()
        let writer = try StoreWriter(path: path, limits: limits)
        writer.take(line("a", end: now))
        #expect(writer.commit() == nil)
        #expect(writer.statistics.tooOld == 0 && writer.statistics.stored == 1)
    }

    /// On a full disk, the writer counts lost records, keeps stored ones, and continues once there is room.
    @Test func fullDiskLosesOnlyUnwrittenRecords() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let writer = try StoreWriter(path: path)
        writer.take(line("a", end: 1_764_338_400))
        #expect(writer.commit() == nil)
        // The file may have no more pages: SQLite fails as on a full disk.
        try writer.execute("PRAGMA max_page_count = 1")
        var taken = 1
        var failure: StoreError?
        while failure == nil, taken < 5000 {
            writer.take(line("a\(taken)", end: 1_764_338_400 + Int64(taken) * 60))
            failure = writer.commit()
            taken += 1
        }
        #expect(failure != nil)
        #expect(writer.statistics.failed == 1 && writer.statistics.stored == taken - 1)
        try writer.execute("PRAGMA max_page_count = 1000000")
        writer.take(line("late", end: 1_764_338_400 + Int64(taken) * 60))
        #expect(writer.commit() == nil)
        #expect(try count(path) == writer.statistics.stored)
    }

    @Test func killedWriterKeepsCommittedRecords() throws {
        let folder = Folder()
        let path = folder.path + "/flows.db"
        let writer = try StoreWriter(path: path)
        for flush in 1...20 {
            writer.take(line("a", end: 1_764_338_400 + Int64(flush) * 10))
            writer.commit()
        }
        // A killed process leaves the file and its write-ahead log, without a last checkpoint.
        let copy = folder.path + "/copy.db"
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        let again = try StoreWriter(path: copy)
        #expect(again.setAside == nil)
        var records = 0
        try StoreReader(path: copy).read { snapshot in
            try snapshot.scan(after: 0, upTo: 1 << 36, ScanNeeds(takesSums: false, counters: nil)) {
                records += $0.count
            }
        }
        #expect(records == 20)
    }
}
