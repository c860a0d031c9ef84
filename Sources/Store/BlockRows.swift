/// The rows of a block, stored in columns.
struct BlockRows {
    /// The number of each row's flow key.
    var keys: [Int32] = []
    /// Start of each row's interval, Unix seconds.
    var starts: [Int64] = []
    /// End of each row's interval, Unix seconds; in roll-ups, the end of the last record's interval.
    var ends: [Int64] = []
    /// In roll-ups, the number of records in each row; otherwise empty.
    var records: [UInt64] = []
    /// Counters by their index in ``StoreFields/counters``; empty if all are 0.
    var counters = [[UInt64]](repeating: [], count: StoreFields.counters.count)
    /// The details of all rows, concatenated.
    var details: [UInt8] = []
    /// The number of bytes of each row's detail; empty if no row has one.
    var detailLengths: [UInt64] = []

    /// The number of rows.
    var count: Int { keys.count }

    /// Adds a record.
    mutating func append(key: Int, start: Int64, end: Int64, counters values: [UInt64], detail: [UInt8]) {
        let row = keys.count
        keys.append(Int32(key))
        starts.append(start)
        ends.append(end)
        for index in values.indices {
            let value = values[index]
            if counters[index].isEmpty {
                if value == 0 { continue }
                counters[index] = [UInt64](repeating: 0, count: row)
            }
            counters[index].append(value)
        }
        if detailLengths.isEmpty {
            if detail.isEmpty { return }
            detailLengths = [UInt64](repeating: 0, count: row)
        }
        detailLengths.append(UInt64(detail.count))
        details.append(contentsOf: detail)
    }

    /// Adds the rows of another block of the same kind.
    mutating func append(_ other: BlockRows) {
        let (before, added) = (count, other.count)
        keys += other.keys
        starts += other.starts
        ends += other.ends
        records += other.records
        for index in counters.indices {
            Self.append(other.counters[index], added, to: &counters[index], before)
        }
        Self.append(other.detailLengths, added, to: &detailLengths, before)
        details += other.details
    }

    private static func append(_ other: [UInt64], _ added: Int, to column: inout [UInt64], _ before: Int) {
        if other.isEmpty, column.isEmpty { return }
        if column.isEmpty { column = [UInt64](repeating: 0, count: before) }
        column += other.isEmpty ? [UInt64](repeating: 0, count: added) : other
    }

    /// Replaces the numbers of flow keys.
    mutating func renumberKeys(_ number: (Int) -> Int) {
        for row in keys.indices { keys[row] = Int32(number(Int(keys[row]))) }
    }

    /// Returns the rows ordered by key, then time; equal numbers next to each other compress well.
    func sorted() -> BlockRows {
        let order = keys.indices.map { UInt64(UInt32(bitPattern: keys[$0])) << 32 | UInt64($0) }.sorted()
            .map { Int(truncatingIfNeeded: $0 & 0xffff_ffff) }
        var result = BlockRows()
        result.keys = order.map { keys[$0] }
        result.starts = order.map { starts[$0] }
        result.ends = order.map { ends[$0] }
        if !records.isEmpty { result.records = order.map { records[$0] } }
        for index in counters.indices where !counters[index].isEmpty {
            let column = counters[index]
            result.counters[index] = order.map { column[$0] }
        }
        guard !detailLengths.isEmpty else { return result }
        var offsets = [0]
        for length in detailLengths { offsets.append(offsets[offsets.count - 1] + Int(length)) }
        result.detailLengths = order.map { detailLengths[$0] }
        result.details.reserveCapacity(details.count)
        for row in order { result.details.append(contentsOf: details[offsets[row]..<offsets[row + 1]]) }
        return result
    }
}

// MARK: - Columns

extension BlockRows {
    /// Returns the columns as blobs, without empty columns.
    ///
    /// - Parameter start: the block's start, Unix seconds; no row ends earlier.
    /// - Returns: the columns and their blobs.
    func packed(start: Int64) -> [(column: Int, blob: [UInt8])] {
        // Differences of keys that do not ascend wrap around; decoding reverses that.
        let keyNumbers = keys.map { UInt64($0) }
        var columns = [
            (StoreColumn.key, ColumnCodec.pack(keyNumbers, isAscending: true)),
            (StoreColumn.end, ColumnCodec.pack(ends.map { UInt64(clamping: $0 - start) })),
            (StoreColumn.duration, ColumnCodec.pack(zip(starts, ends).map { UInt64(clamping: $1 - $0) })),
        ]
        if !records.isEmpty { columns.append((StoreColumn.records, ColumnCodec.pack(records))) }
        if !detailLengths.isEmpty {
            columns.append((StoreColumn.detailLength, ColumnCodec.pack(detailLengths)))
            columns.append((StoreColumn.detail, ColumnCodec.pack(details)))
        }
        for (index, values) in counters.enumerated() where !values.isEmpty {
            columns.append((StoreColumn.counters + index, ColumnCodec.pack(values)))
        }
        return columns
    }

    /// Decodes columns.
    ///
    /// - Parameters:
    ///   - columns: the blobs by column; missing counters are 0.
    ///   - count: the number of rows in the block.
    ///   - start: the block's start, Unix seconds.
    /// - Throws: `StoreError` if the columns are not those of a block.
    init(_ columns: [Int: [UInt8]], count: Int, start: Int64) throws(StoreError) {
        guard let keyBlob = columns[StoreColumn.key], let endBlob = columns[StoreColumn.end] else {
            throw .corrupt("a block has no keys or times")
        }
        for number in try ColumnCodec.unpack(keyBlob, count: count, isAscending: true) {
            guard let key = Int32(exactly: number) else { throw .corrupt("a flow key has no such number") }
            keys.append(key)
        }
        ends = try Self.times(endBlob, count).map { start + $0 }
        starts = ends
        if let blob = columns[StoreColumn.duration] {
            let durations = try Self.times(blob, count)
            for row in starts.indices { starts[row] = ends[row] - durations[row] }
        }
        if let blob = columns[StoreColumn.records] { records = try ColumnCodec.unpack(blob, count: count) }
        for index in counters.indices {
            guard let blob = columns[StoreColumn.counters + index] else { continue }
            counters[index] = try ColumnCodec.unpack(blob, count: count)
        }
        guard let lengths = columns[StoreColumn.detailLength], let blob = columns[StoreColumn.detail] else { return }
        detailLengths = try ColumnCodec.unpack(lengths, count: count)
        details = try ColumnCodec.unpack(blob)
        var total: UInt64 = 0
        for length in detailLengths {
            guard length <= UInt64(StoreFields.maximumTextBytes) else { throw .corrupt("a detail is too long") }
            total += length
        }
        guard total == UInt64(details.count) else { throw .corrupt("details do not have the length of their block") }
    }

    /// Decodes a column of times, which are not later than any that is stored.
    private static func times(_ blob: [UInt8], _ count: Int) throws(StoreError) -> [Int64] {
        let values = try ColumnCodec.unpack(blob, count: count)
        guard values.allSatisfy({ $0 <= BlockID.latest }) else { throw .corrupt("a record has no Unix time") }
        return values.map { Int64($0) }
    }
}
