import FoundationEssentials
import GRDB

/// Reads and writes blocks and flow keys within a transaction.
struct StoreAccess {
    let db: Database

    /// Takes the database of a transaction.
    init(_ db: Database) {
        self.db = db
    }

    /// A block without its rows.
    struct Block {
        var id: BlockID
        var rows: Int
        var records: Int
    }

    // MARK: Blocks

    /// Returns the blocks of a span that begin in a range of time, in order.
    func blocks(_ span: BlockID.Span, from start: Int64, before end: Int64) throws -> [Block] {
        guard start < end else { return [] }
        let first = BlockID(span: span, start: min(max(0, start), BlockID.latest)).rowID
        let last = BlockID.end(of: span, before: end)
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT id, rows, records FROM block WHERE id >= ? AND id < ? ORDER BY id"),
            arguments: [first, last]
        )
        var blocks: [Block] = []
        while let row = try rows.next() {
            guard let id = BlockID(rowID: row[0]) else { throw StoreError.corrupt("a block has no valid number") }
            let (rows, records): (Int, Int) = (row[1], row[2])
            // Bounded, so that sums of damaged numbers do not overflow.
            blocks.append(Block(id: id, rows: min(max(rows, -1), 1 << 32), records: min(max(records, 0), 1 << 32)))
        }
        return blocks
    }

    /// A summary of the blocks of minutes: another one if any was added, joined or deleted.
    struct Outline: Equatable {
        var blocks = 0
        var rows = 0.0
        var numbers: Int64 = 0
    }

    /// Returns the summary of the blocks of minutes, which takes less time than reading their list.
    func outline() throws -> Outline {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT count(*), total(rows), coalesce(sum(id), 0) FROM block WHERE id >= 0 AND id < ?
                    """
            ),
            arguments: [BlockID.end(of: .minute, before: .max)]
        )
        return row.map { Outline(blocks: $0[0], rows: $0[1], numbers: $0[2]) } ?? Outline()
    }

    /// Returns the beginning of the first block of a span, and of the last one.
    func bounds(_ span: BlockID.Span) throws -> (first: Int64, last: Int64)? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT min(id), max(id) FROM block WHERE id >= ? AND id < ?"),
            arguments: [span.rawValue << 40, (span.rawValue + 1) << 40]
        )
        guard let row, let first: Int64 = row[0], let last: Int64 = row[1], let low = BlockID(rowID: first),
            let high = BlockID(rowID: last)
        else { return nil }
        return (low.start, high.start)
    }

    /// Returns the beginning of the last minute with records that begins at a time at the latest.
    func lastMinute(upTo end: Int64) throws -> Int64? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT max(id) FROM block WHERE id >= 0 AND id < ?"),
            arguments: [BlockID.end(of: .minute, before: end + 1)]
        )
        .flatMap { BlockID(rowID: $0)?.start }
    }

    /// The numbers of rows that a block may have.
    private static let rowCounts = 0...2_000_000

    /// Reads some columns of a block's rows; key and times are always read.
    func rows(_ block: Block, columns: [Int]? = nil) throws -> BlockRows {
        var blobs: [Int: [UInt8]] = [:]
        if let columns {
            let statement = try db.cachedStatement(sql: "SELECT packed FROM col WHERE id = ?")
            for column in Set(columns + [StoreColumn.key, StoreColumn.end]) {
                guard let data = try Data.fetchOne(statement, arguments: [block.id.columnID(column)]) else { continue }
                blobs[column] = [UInt8](data)
            }
        } else {
            let cursor = try Row.fetchCursor(
                db.cachedStatement(sql: "SELECT id, packed FROM col WHERE id >= ? AND id < ?"),
                arguments: [block.id.columnID(0), block.id.columnID(StoreColumn.limit)]
            )
            while let row = try cursor.next() {
                let data: Data = row[1]
                let number: Int64 = row[0]
                blobs[Int(number & 63)] = [UInt8](data)
            }
        }
        guard Self.rowCounts.contains(block.rows) else { throw StoreError.corrupt("a block has \(block.rows) rows") }
        return try BlockRows(blobs, count: block.rows, start: block.id.start)
    }

    /// Writes a block; replaces an existing one.
    func write(_ rows: BlockRows, as id: BlockID) throws {
        try delete(id)
        let records = rows.records.isEmpty ? rows.count : rows.records.reduce(0) { $0 &+ Int(clamping: $1) }
        try db.cachedStatement(sql: "INSERT INTO block(id, span_seconds, start, rows, records) VALUES (?, ?, ?, ?, ?)")
            .execute(arguments: [id.rowID, id.span.seconds, id.start, rows.count, records])
        let insert = try db.cachedStatement(sql: "INSERT INTO col(id, packed) VALUES (?, ?)")
        for (column, blob) in rows.packed(start: id.start) {
            try insert.execute(arguments: [id.columnID(column), Data(blob)])
        }
    }

    /// Deletes a block if it exists.
    func delete(_ id: BlockID) throws {
        try delete(id.rowID, id.rowID + 1)
    }

    /// Deletes all blocks of a span that begin before a time.
    ///
    /// - Returns: whether there were any.
    func delete(_ span: BlockID.Span, before end: Int64) throws -> Bool {
        try delete(span.rawValue << 40, BlockID.end(of: span, before: end))
        return db.changesCount > 0
    }

    private func delete(_ first: Int64, _ end: Int64) throws {
        try db.cachedStatement(sql: "DELETE FROM col WHERE id >= ? AND id < ?")
            .execute(arguments: [first << 6, end << 6])
        try db.cachedStatement(sql: "DELETE FROM block WHERE id >= ? AND id < ?").execute(arguments: [first, end])
    }

    // MARK: Keys

    /// Adds a flow key with its number.
    func write(key: [UInt8], number: Int) throws {
        try db.cachedStatement(sql: "INSERT INTO flow_key(id, fields) VALUES (?, ?)")
            .execute(arguments: [number, StoredKey.json(key)])
    }

    /// Reads the flow keys of a range of numbers, in order, as JSON objects.
    func keys(from number: Int, before end: Int = .max, _ body: (Int, String) throws -> Void) throws {
        let cursor = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT id, fields FROM flow_key WHERE id >= ? AND id < ? ORDER BY id"),
            arguments: [number, end]
        )
        while let row = try cursor.next() { try body(row[0], row[1]) }
    }

    /// Deletes a flow key.
    func deleteKey(_ number: Int) throws {
        try db.cachedStatement(sql: "DELETE FROM flow_key WHERE id = ?").execute(arguments: [number])
    }

    /// Returns the blocks that refer to each number of a flow key; a damaged block refers to none: it cannot be read.
    func keyUses(below end: Int) throws -> [KeyUse] {
        var uses = [KeyUse](repeating: .none, count: end)
        let oldest = try bounds(.minute)?.first ?? .max
        let cursor = try Row.fetchCursor(
            db,
            sql: """
                SELECT block.id, block.rows, col.packed
                FROM block JOIN col ON col.id = block.id * 64 + \(StoreColumn.key)
                """
        )
        while let row = try cursor.next() {
            let (rowID, count, data): (Int64, Int, Data) = (row[0], row[1], row[2])
            guard let id = BlockID(rowID: rowID), Self.rowCounts.contains(count),
                let numbers = try? ColumnCodec.unpack([UInt8](data), count: count, isAscending: true)
            else { continue }
            let use = id.start / 3600 * 3600 + 3600 <= oldest && id.span != .minute ? KeyUse(hourOf: id.start) : .many
            for number in numbers where number < end { uses[Int(number)].add(use) }
        }
        return uses
    }

    /// Gives rows of an hour's sums a common flow key.
    ///
    /// - Parameters:
    ///   - hour: the beginning of the hour.
    ///   - common: the number of the common key.
    ///   - isWanted: whether a number is to be replaced.
    /// - Returns: false if sums are damaged; then none is changed.
    /// - Throws: errors of the database.
    func fold(hour: Int64, into common: Int, _ isWanted: (Int) -> Bool) throws -> Bool {
        var folded: [(BlockID, BlockRows)] = []
        for span in [BlockID.Span.fiveMinutes, .hour] {
            for block in try blocks(span, from: hour, before: hour + 3600) {
                do {
                    var rows = try rows(block)
                    rows.renumberKeys { isWanted($0) ? common : $0 }
                    var sums = RollUp()
                    sums.add(rows)
                    folded.append((block.id, sums.rows))
                } catch StoreError.corrupt {
                    return false
                }
            }
        }
        for (id, rows) in folded { try write(rows, as: id) }
        return true
    }

    /// Returns the state of the numbers of flow keys.
    func keyState() throws -> KeyState {
        let isKept = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 >= 3
        // Earlier versions number keys without holes, and delete none.
        let numbered = "(SELECT coalesce(max(id), -1) + 1 AS keys FROM flow_key)"
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: isKept ? "SELECT sweeps, next, keys FROM key_state" : "SELECT 0, keys, keys FROM \(numbered)"
            )
        )
        guard let row else { throw StoreError.corrupt("the number of flow keys is missing") }
        return KeyState(sweeps: row[0], next: row[1], count: row[2])
    }

    /// Writes the state of the numbers of flow keys.
    func set(keyState state: KeyState) throws {
        try db.cachedStatement(sql: "UPDATE key_state SET sweeps = ?, next = ?, keys = ?")
            .execute(arguments: [state.sweeps, state.next, state.count])
    }

    // MARK: Size

    /// The number of used bytes of the file.
    func usedBytes() throws -> Int {
        let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        return (pages - free) * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
    }

    /// Returns free pages to the system; each step frees one page.
    func giveBack(pages: Int) throws {
        let cursor = try Row.fetchCursor(db, sql: "PRAGMA incremental_vacuum(\(pages))")
        while try cursor.next() != nil {}
    }
}
