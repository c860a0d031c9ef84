package import Records

/// How much of the store a reader has seen, by what was stored and not by the records' times.
package struct StorePosition: Sendable {
    /// What was seen of a minute.
    fileprivate struct Seen {
        /// The number of its last block.
        var part: Int64
        /// The number of its records.
        var rows: Int
    }

    fileprivate var minutes: [Int64: Seen] = [:]
    fileprivate let outline: StoreAccess.Outline
}

extension StoreSnapshot {
    /// Returns the position after all records.
    package func position() throws -> StorePosition {
        var position = StorePosition(outline: try access.outline())
        for minute in try minutes() {
            position.minutes[minute[0].id.start] = .init(part: minute[minute.count - 1].id.part, rows: minute.rows)
        }
        return position
    }

    /// Calls a body for the records that were stored after a position, whatever their times are.
    ///
    /// Of a minute whose blocks were joined after records were added, those with the latest times are taken. A writer joins
    /// blocks one flush later at the earliest, so a reader that looks more often than that takes the right ones.
    ///
    /// - Parameters:
    ///   - position: the position; moves behind the records.
    ///   - body: receives a record; those of a minute are in time order.
    /// - Throws: `StoreError` if the store cannot be read, and errors of the body.
    package func records(
        storedAfter position: inout StorePosition,
        _ body: (StoredRecordID, ReadRecord) throws -> Void
    ) throws {
        guard try access.outline() != position.outline else { return }
        for minute in try minutes() {
            guard let seen = position.minutes[minute[0].id.start] else {
                try visit(minute, newest: minute.rows, body)
                continue
            }
            let added = minute.filter { $0.id.part > seen.part }
            let isAppended = minute.rows - added.rows == seen.rows
            try visit(isAppended ? added : minute, newest: max(0, minute.rows - seen.rows), body)
        }
        position = try self.position()
    }

    /// Returns the blocks of each minute.
    private func minutes() throws -> [[StoreAccess.Block]] {
        try access.blocks(.minute, from: 0, before: .max).reduce(into: []) { minutes, block in
            if minutes.last?.last?.id.start == block.id.start {
                minutes[minutes.count - 1].append(block)
            } else {
                minutes.append([block])
            }
        }
    }

    /// Calls a body for the newest records of blocks.
    private func visit(
        _ blocks: [StoreAccess.Block],
        newest count: Int,
        _ body: (StoredRecordID, ReadRecord) throws -> Void
    ) throws {
        guard count > 0 else { return }
        var ids: [StoredRecordID] = []
        var scans: [Int64: ScanRows] = [:]
        for block in blocks {
            let rows = try scan(block)
            scans[block.id.rowID] = rows
            ids += (0..<rows.count).map { StoredRecordID(end: rows.ends[$0], block: block.id.rowID, row: $0) }
        }
        for id in ids.sorted().suffix(count) {
            guard let rows = scans[id.block] else { continue }
            try body(id, try record(id, rows))
        }
    }
}

extension [StoreAccess.Block] {
    /// The number of rows of all blocks.
    fileprivate var rows: Int { reduce(0) { $0 + $1.rows } }
}
