import Filter
import Query
import Records
import Store

/// Records as JSON lines or CSV, read in parts: reading all at once would need gigabytes.
package struct RecordDownload: Sendable {
    /// `Content-Type`.
    package let type: String
    private let isCSV: Bool
    private let reader: StoreReader
    private let since: Int64
    private let until: Int64
    private let filter: Filter
    private let newestFirst: Bool
    /// The maximum number of records that may follow.
    private var rest: Int
    private var cursor: StoredRecordID?
    private var hasBegun = false

    /// The maximum number of records of a download.
    static let limit = 1_000_000
    /// The number of records of a part.
    private static let part = 2_000

    fileprivate init(_ request: APIRequest, _ reader: StoreReader, isCSV: Bool) throws(APIError) {
        self.isCSV = isCSV
        self.reader = reader
        type = isCSV ? "text/csv; charset=utf-8" : "application/x-ndjson"
        (since, until) = try request.range()
        filter = try request.filter()
        newestFirst = try request.word("order", of: .records) == "newest"
        rest = try request.number("limit", default: Self.limit, upTo: Self.limit)
        cursor = try request.cursor()
    }

    /// Returns the next part; nil after the last one.
    ///
    /// - Throws: the errors of ``Query/RecordList``.
    package mutating func next() throws -> [UInt8]? {
        guard rest > 0 else { return nil }
        let list = try reader.read { snapshot in
            try RecordList(
                snapshot,
                since: since,
                until: until,
                filter: filter,
                newestFirst: newestFirst,
                limit: min(rest, Self.part),
                cursor: cursor
            )
        }
        var bytes = isCSV && !hasBegun ? Self.line(CommaSeparated.names) : []
        for one in list.records {
            bytes += isCSV ? Self.line(CommaSeparated.cells(of: one.record)) : one.record.bytes + [0x0a]
        }
        hasBegun = true
        cursor = list.records.last?.id
        rest = list.hasMore ? rest - list.records.count : 0
        return bytes
    }

    private static func line(_ cells: [String]) -> [UInt8] { Array("\(CommaSeparated.line(cells))\r\n".utf8) }
}

extension API {
    /// Returns the download that a request for records selects; nil if it requests a page of JSON.
    ///
    /// - Throws: `APIError` if a parameter is invalid.
    package func download(_ request: APIRequest) throws(APIError) -> RecordDownload? {
        try request.allow(.records)
        let format = try request.word("format", of: .records)
        _ = try request.word("explain", of: .records)
        return format == "json" ? nil : try RecordDownload(request, reader, isCSV: format == "csv")
    }
}
