import Filter
import FlowModel
import Query
import Store
import Testing

/// A store with records of more time than its longest retention.
@Suite struct TwoYearsTests {
    private static let day: Int64 = 86_400
    /// 26 months.
    private static let days: Int64 = 790
    /// The start of a day, with all records in the past, since the store takes one in the future for a wrong clock's.
    private static let start: Int64 = 1_600_000_000 / day * day
    /// Records of a day.
    private static let slots: Int64 = 6
    private static let end = start + days * day

    /// Stores six records for each day in turn, with 7 connections and 1,000 bytes each; every eleventh is denied.
    private func makeStore(_ limits: StoreLimits = StoreLimits()) throws -> (reader: StoreReader, writer: StoreWriter) {
        let writer = try StoreWriter.inMemory(limits)
        for day in 0..<Self.days {
            for slot in 0..<Self.slots {
                let end = Self.start + day * Self.day + slot * 14_400 + 60
                let line = recordLine([
                    .startTime: "\(end - 10)", .endTime: "\(end)", .numFlowsStarted: "7", .bytesIn: "1000",
                    .action: (day * Self.slots + slot) % 11 == 0 ? "\"deny\"" : "\"allow\"", .destPort: "\(80 + slot)",
                ])
                writer.take(Array((line + "\n").utf8))
            }
            #expect(writer.commit() == nil)
        }
        #expect(writer.statistics.stored == UInt64(Self.days * Self.slots))
        return (StoreReader(of: writer), writer)
    }

    private func sums(_ reader: StoreReader, since: Int64, until: Int64 = end) throws -> [UInt64] {
        try reader.read { snapshot in
            try FlowQuery(
                since: since,
                until: until,
                filter: try Filter(""),
                groupBy: [],
                sums: [Measure(.connections), Measure(.bytes), Measure(.records)]
            ).run(snapshot).total
        }
    }

    /// Whole days within the retention have exact sums; the store has removed older ones.
    @Test func keepsExactTotalsOfTwoYears() throws {
        let (reader, writer) = try makeStore()
        for days: Int64 in [1, 7, 30, 60, 365, 730] {
            let records = UInt64(days * Self.slots)
            #expect(
                try sums(reader, since: Self.end - days * Self.day) == [records * 7, records * 1000, records],
                "\(days)"
            )
        }
        let extent = try reader.read { try $0.extent() }
        let oldest = try #require(extent.oldest)
        #expect(oldest >= Self.end - StoreLimits().hourAge - 2 * Self.day && oldest < Self.end - 730 * Self.day)
        let oldestRecord = try #require(extent.oldestRecord)
        #expect(oldestRecord >= Self.end - 9 * Self.day && oldestRecord < Self.end - 6 * Self.day)
        // A filter of the key, a year ago.
        let denied = try reader.read { snapshot in
            try FlowQuery(
                since: Self.start + 100 * Self.day,
                until: Self.start + 200 * Self.day,
                filter: try Filter("action == \"deny\""),
                groupBy: [],
                sums: [Measure(.records)]
            ).run(snapshot).total[0]
        }
        #expect(denied == UInt64((100 * Self.slots..<200 * Self.slots).count { $0 % 11 == 0 }))
        withExtendedLifetime(writer) {}
    }

    /// A store with too few bytes for two years keeps exact sums of the newest days.
    @Test func byteLimitAppliesToSums() throws {
        let whole = try makeStore()
        let bytes = try whole.reader.read { try $0.extent().bytes }
        var limits = StoreLimits()
        limits.bytes = bytes / 2
        let (reader, writer) = try makeStore(limits)
        let extent = try reader.read { try $0.extent() }
        #expect(extent.bytes <= bytes * 3 / 4, "\(extent.bytes) of \(bytes)")
        let oldest = try #require(extent.oldest)
        #expect(oldest > Self.end - 730 * Self.day)
        let first = (oldest / Self.day + 1) * Self.day
        let records = UInt64((Self.end - first) / Self.day * Self.slots)
        #expect(records > UInt64(Self.slots) * 30)
        #expect(try sums(reader, since: first) == [records * 7, records * 1000, records])
        withExtendedLifetime((whole.writer, writer)) {}
    }
}
