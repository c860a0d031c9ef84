import Filter
import Query
import Records
package import Store

/// New records of the store as JSON lines, in chunks.
package struct LiveRecords: Sendable {
    private let reader: StoreReader
    private let filter: Filter
    private let explains: Bool
    private var newest: Int64

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
        newest = try reader.read { try Self.newestEnd($0) } ?? 0
    }

    /// Returns the lines of the records stored since the last call; empty if there are none.
    package mutating func next() throws -> [UInt8] {
        let (since, limit) = (newest, Self.limit)
        var lines: [[UInt8]] = []
        var lost = 0
        var last = newest
        try reader.read { snapshot in
            try snapshot.records(after: since, upTo: .max / 4, newestFirst: false) { id, record in
                last = max(last, id.end)
                guard filter.matches(record) else { return true }
                if lines.count >= 2 * limit {
                    lines.removeFirst(limit)
                    lost += limit
                }
                lines.append(LiveLines.line(record, id: id, explains: explains))
                return true
            }
        }
        newest = last
        if lines.count > limit {
            lost += lines.count - limit
            lines.removeFirst(lines.count - limit)
        }
        return LiveLines.lost(lost) + lines.joined()
    }

    private static func newestEnd(_ snapshot: StoreSnapshot) throws -> Int64? {
        guard let minute = try snapshot.extent().newest else { return nil }
        var end: Int64?
        try snapshot.records(after: minute - 60, upTo: minute, newestFirst: true) { id, _ in
            end = id.end
            return false
        }
        return end
    }
}
