import Filter
import FlowModel
import Query
import Records
import Store

/// The lines of `/api/v1/live`: which records a client wants, and how they are written.
package struct LiveLines: Sendable {
    private let filter: Filter
    private let explains: Bool

    /// Reads what is wanted.
    ///
    /// - Throws: `APIError` if a parameter means nothing.
    package init(_ request: APIRequest) throws(APIError) {
        try request.allow(["filter", "explain"])
        filter = try request.filter()
        explains = try request.word("explain", ["false", "true"]) == "true"
    }

    /// The lines of those records of a batch that are wanted.
    ///
    /// - Parameter batch: records as lines of JSON.
    /// - Returns: the lines.
    package func text(of batch: [UInt8]) -> [UInt8] {
        var lines: [UInt8] = []
        for line in batch.split(separator: UInt8(ascii: "\n")) {
            guard let record = try? ReadRecord(line), filter.matches(record) else { continue }
            lines += Self.line(record, id: nil, explains: explains)
        }
        return lines
    }

    /// The line of a record; without an id where it is in no store.
    static func line(_ record: ReadRecord, id: StoredRecordID?, explains: Bool) -> [UInt8] {
        Array("{\"record\":".utf8) + RecordObject.bytes(record, id: id, explains: explains) + Array("}\n".utf8)
    }

    /// The line that says how many records are missing; nothing if none are.
    package static func lost(_ count: Int) -> [UInt8] { count > 0 ? Array("{\"lost\":\(count)}\n".utf8) : [] }

    /// The line that says that the stream lives.
    package static func heartbeat(_ now: Int64) -> [UInt8] { Array("{\"time\":\(now)}\n".utf8) }
}
