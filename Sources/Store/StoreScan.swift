import FlowModel

/// A batch of rows for a query: records, or sums of records.
package struct ScanRows {
    /// The number of rows.
    package let count: Int
    /// The number of each row's flow key.
    package let keys: [Int32]
    /// Start of each row's interval, Unix seconds.
    package let starts: [Int64]
    /// End of each row's interval, Unix seconds.
    package let ends: [Int64]
    /// The number of records in each row; empty if each row is one record.
    package let records: [UInt64]
    /// Counters by their index in ``StoreFields/counters``; a counter is empty if all its values are 0.
    package let counters: [[UInt64]]
    private let details: [UInt8]
    private let bucket: Int64?
    private let offsets: [Int]

    init(_ rows: BlockRows, bucket: Int64?) {
        (count, keys, starts, ends) = (rows.count, rows.keys, rows.starts, rows.ends)
        (records, counters, details) = (rows.records, rows.counters, rows.details)
        self.bucket = bucket
        var offsets: [Int] = []
        if !rows.detailLengths.isEmpty {
            offsets.reserveCapacity(rows.count + 1)
            var offset = 0
            for length in rows.detailLengths {
                offsets.append(offset)
                offset += Int(length)
            }
            offsets.append(offset)
        }
        self.offsets = offsets
    }

    /// Returns the time that assigns a row to a point of a series.
    package func pointTime(_ row: Int) -> Int64 { bucket ?? max(0, ends[row] - 1) }

    /// Returns the detail of a row: values of ``StoreFields/detail`` with separators; empty if it has none.
    package func detail(_ row: Int) -> [UInt8] {
        offsets.isEmpty ? [] : Array(details[offsets[row]..<offsets[row + 1]])
    }

    /// Whether a row has a detail.
    package func hasDetail(_ row: Int) -> Bool { !offsets.isEmpty && offsets[row] < offsets[row + 1] }

    /// Appends some values of a row's detail, each followed by a separator.
    ///
    /// - Parameters:
    ///   - row: the row.
    ///   - wanted: the indices of the values in ``StoreFields/detail``, ascending.
    ///   - bytes: the buffer to append to.
    package func appendDetail(_ row: Int, values wanted: [Int], to bytes: inout [UInt8]) {
        guard hasDetail(row) else { return }
        var (value, next) = (0, 0)
        for index in offsets[row]..<offsets[row + 1] where next < wanted.count {
            let byte = details[index]
            if value == wanted[next] { bytes.append(byte) }
            guard byte == StoreFields.separator else { continue }
            if value == wanted[next] { next += 1 }
            value += 1
        }
    }

    /// Returns the line of a row, as it was written.
    package func line(_ row: Int, _ key: StoredKey) -> [UInt8] {
        RecordJoiner.line(
            key: key.bytes,
            detail: detail(row),
            start: starts[row],
            end: ends[row],
            counters: counters.map { $0.isEmpty ? 0 : $0[row] }
        )
    }
}

/// The columns and the resolution that a scan needs.
package struct ScanNeeds: Sendable {
    /// Whether sums can replace records: only flow keys and summed counters are needed.
    package var takesSums = true
    /// The length of the points of a series, seconds; nil without a series.
    package var interval: Int64?
    /// The needed counters by their index in ``StoreFields/counters``; nil for all columns.
    package var counters: [Int]?
    /// Whether details are read, unless all columns are.
    package var details = false

    /// Takes all members.
    package init(takesSums: Bool, interval: Int64? = nil, counters: [Int]?, details: Bool = false) {
        (self.takesSums, self.interval, self.counters, self.details) = (takesSums, interval, counters, details)
    }
}

extension StoreSnapshot {
    /// Iterates over all rows whose interval ends within a range, in time order.
    ///
    /// Blocks of sums replace records if they cover the same time. For times without records, the sums that begin within the
    /// range are used.
    package func scan(
        after since: Int64,
        upTo until: Int64,
        _ needs: ScanNeeds,
        _ body: (ScanRows) throws -> Void
    ) throws {
        guard since < until else { return }
        let minutes = try access.blocks(.minute, from: since / 60 * 60, before: until)
        let oldest = try access.bounds(.minute)?.first ?? .max
        var sums: [StoreAccess.Block] = []
        if needs.takesSums {
            sums = try sumBlocks(since, until, needs, oldest)
        }
        let covered = sums.map { $0.id.start..<($0.id.start + $0.id.span.seconds) }
        var place = 0
        let columns = Self.columns(needs)
        let all =
            (sums
            + minutes.filter { minute in
                while place < covered.count, covered[place].upperBound <= minute.id.start { place += 1 }
                return place >= covered.count || !covered[place].contains(minute.id.start)
            }).sorted { ($0.id.start, $0.id.rowID) < ($1.id.start, $1.id.rowID) }
        for block in all {
            let rows = try access.rows(block, columns: columns)
            try checkKeys(of: rows)
            let isSum = block.id.span != .minute
            let isWhole = isSum || (block.id.start >= since && block.id.start + 60 <= until)
            let wanted = isWhole ? rows : rows.filter { $0 > since && $0 <= until }
            if wanted.count > 0 { try body(ScanRows(wanted, bucket: isSum ? block.id.start : nil)) }
        }
    }

    /// Returns the blocks of sums to use, in order; they do not overlap.
    private func sumBlocks(
        _ since: Int64,
        _ until: Int64,
        _ needs: ScanNeeds,
        _ oldest: Int64
    ) throws -> [StoreAccess.Block] {
        var result: [StoreAccess.Block] = []
        for span in [BlockID.Span.hour, .fiveMinutes] {
            if let interval = needs.interval, interval % span.seconds != 0 { continue }
            let blocks = try access.blocks(span, from: since / span.seconds * span.seconds, before: until)
            result += blocks.filter { block in
                let (start, end) = (block.id.start, block.id.start + span.seconds)
                // Before the oldest record, there are only sums.
                let isWithin = start >= since && (end <= until || end <= oldest)
                return isWithin && !result.contains { $0.id.start <= start && start < $0.id.start + $0.id.span.seconds }
            }
        }
        return result.sorted { $0.id.start < $1.id.start }
    }

    private static func columns(_ needs: ScanNeeds) -> [Int]? {
        guard let counters = needs.counters else { return nil }
        let details = needs.details ? [StoreColumn.detailLength, StoreColumn.detail] : []
        return [StoreColumn.duration, StoreColumn.records] + details + counters.map { StoreColumn.counters + $0 }
    }
}

extension BlockRows {
    /// Returns the rows whose end is selected.
    func filter(_ isWanted: (Int64) -> Bool) -> BlockRows {
        var result = BlockRows()
        var offset = 0
        for row in 0..<count {
            let length = detailLengths.isEmpty ? 0 : Int(detailLengths[row])
            defer { offset += length }
            guard isWanted(ends[row]) else { continue }
            result.append(
                key: Int(keys[row]),
                start: starts[row],
                end: ends[row],
                counters: counters.map { $0.isEmpty ? 0 : $0[row] },
                detail: Array(details[offset..<(offset + length)])
            )
            if !records.isEmpty { result.records.append(records[row]) }
        }
        return result
    }
}
