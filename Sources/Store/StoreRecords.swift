package import Records

/// The identifier of a stored record, and its position in time order.
///
/// It is stable after the end of the record's minute; until then, blocks may be joined.
package struct StoredRecordID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// End of the interval, Unix seconds.
    package let end: Int64
    let block: Int64
    let row: Int

    init(end: Int64, block: Int64, row: Int) {
        (self.end, self.block, self.row) = (end, block, row)
    }

    /// Parses an identifier; nil for other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let end = Int64(parts[0]), let block = Int64(parts[1]), let row = Int(parts[2]),
            0...BlockID.latest ~= end, block >= 0, row >= 0
        else { return nil }
        (self.end, self.block, self.row) = (end, block, row)
    }

    /// Time, block and row.
    package var description: String { "\(end)-\(block)-\(row)" }

    /// Compares by time.
    package static func < (left: StoredRecordID, right: StoredRecordID) -> Bool {
        (left.end, left.block, left.row) < (right.end, right.block, right.row)
    }
}

extension StoreSnapshot {
    /// Iterates over records in time order until the body returns false.
    ///
    /// - Parameters:
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - newestFirst: the order.
    ///   - cursor: the record after which the iteration starts.
    ///   - isWanted: whether to build the record of a row.
    ///   - body: receives a record; returning false stops the iteration.
    /// - Throws: `StoreError` if the store cannot be read, and errors of the body.
    package func records(
        after since: Int64,
        upTo until: Int64,
        newestFirst: Bool,
        behind cursor: StoredRecordID? = nil,
        isWanted: (ScanRows, Int) throws -> Bool = { _, _ in true },
        _ body: (StoredRecordID, ReadRecord) throws -> Bool
    ) throws {
        var minutes: [[StoreAccess.Block]] = []
        for block in try access.blocks(.minute, from: since / 60 * 60, before: until) {
            if minutes.last?.last?.id.start == block.id.start {
                minutes[minutes.count - 1].append(block)
            } else {
                minutes.append([block])
            }
        }
        if newestFirst { minutes.reverse() }
        for minute in minutes {
            if let cursor, let start = minute.first?.id.start {
                // Minutes before the cursor in this order are skipped without reading them.
                if newestFirst ? start >= cursor.end : start + 60 < cursor.end { continue }
            }
            guard try visit(minute, since, until, newestFirst, cursor, isWanted, body) else { return }
        }
    }

    private func visit(
        _ minute: [StoreAccess.Block],
        _ since: Int64,
        _ until: Int64,
        _ newestFirst: Bool,
        _ cursor: StoredRecordID?,
        _ isWanted: (ScanRows, Int) throws -> Bool,
        _ body: (StoredRecordID, ReadRecord) throws -> Bool
    ) throws -> Bool {
        var ids: [StoredRecordID] = []
        var blocks: [Int64: ScanRows] = [:]
        for block in minute {
            let rows = try scan(block)
            blocks[block.id.rowID] = rows
            for row in 0..<rows.count where rows.ends[row] > since && rows.ends[row] <= until {
                guard try isWanted(rows, row) else { continue }
                ids.append(StoredRecordID(end: rows.ends[row], block: block.id.rowID, row: row))
            }
        }
        ids.sort(by: newestFirst ? { $0 > $1 } : { $0 < $1 })
        for id in ids {
            if let cursor, newestFirst ? id >= cursor : id <= cursor { continue }
            guard let rows = blocks[id.block] else { continue }
            guard try body(id, try record(id, rows)) else { return false }
        }
        return true
    }

    /// Reads all rows of a block.
    func scan(_ block: StoreAccess.Block) throws -> ScanRows {
        let rows = try access.rows(block)
        try checkKeys(of: rows)
        return ScanRows(rows, bucket: nil)
    }

    /// Returns the record of a row.
    func record(_ id: StoredRecordID, _ rows: ScanRows) throws -> ReadRecord {
        let line = rows.line(id.row, keys[Int(rows.keys[id.row])])
        guard let record = try? ReadRecord(line) else { throw StoreError.corrupt("a record cannot be read back") }
        return record
    }

    /// Returns the record with an id; nil if it no longer exists.
    package func record(_ id: StoredRecordID) throws -> ReadRecord? {
        var found: ReadRecord?
        try records(after: id.end - 1, upTo: id.end, newestFirst: false) { other, record in
            if other == id { found = record }
            return found == nil
        }
        return found
    }
}
