import Filter
import Query
import Records
package import Store

/// New records of the store as JSON lines, in chunks.
package struct LiveRecords: Sendable {
    private let reader: StoreReader
    private let filter: Filter
    private let explains: Bool
    private var position: StorePosition

    /// The maximum number of records in a chunk; if there are more, the newest are kept, and the others are counted as lost.
    private static let limit = 20_000

    /// Starts after the records that are stored now.
    ///
    /// - Throws: `APIError` if a parameter is invalid, `StoreError` if the store cannot be read.
    package init(_ reader: StoreReader, _ request: APIRequest) throws {
        try request.allow(.live)
        self.reader = reader
        filter = try request.filter()
        explains = try request.word("explain", of: .live) == "true"
        position = try reader.read { try $0.position() }
    }

    /// Returns the lines of the records stored since the last call; empty if there are none.
    package mutating func next() throws -> [UInt8] {
        let limit = Self.limit
        var lines: [[UInt8]] = []
        var lost = 0
        try reader.read { snapshot in
            try snapshot.records(storedAfter: &position) { id, record in
                guard filter.matches(record) else { return }
                if lines.count >= 2 * limit {
                    lines.removeFirst(limit)
                    lost += limit
                }
                lines.append(LiveLines.line(record, id: id, explains: explains))
            }
        }
        if lines.count > limit {
            lost += lines.count - limit
            lines.removeFirst(lines.count - limit)
        }
        return LiveLines.lost(lost) + lines.joined()
    }
}
