import Filter
import FlowModel
import Query
import Records
import Store

/// The lines of `/api/v1/live`: selects the records for a client and formats them.
package struct LiveLines: Sendable {
    private let filter: Filter
    private let explains: Bool

    /// Parses the filter and the format from a request.
    ///
    /// - Throws: `APIError` if a parameter is invalid.
    package init(_ request: APIRequest) throws(APIError) {
        try request.allow(.live)
        filter = try request.filter()
        explains = try request.word("explain", of: .live) == "true"
    }

    /// Returns the lines for the matching records in a batch.
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

    /// Returns the line of a record; without an id if the record is not in a store.
    static func line(_ record: ReadRecord, id: StoredRecordID?, explains: Bool) -> [UInt8] {
        Array("{\"record\":".utf8) + RecordObject.bytes(record, id: id, explains: explains) + Array("}\n".utf8)
    }

    /// Returns the line that reports the number of missing records; empty if there are none.
    package static func lost(_ count: Int) -> [UInt8] { count > 0 ? Array("{\"lost\":\(count)}\n".utf8) : [] }

    /// Returns the heartbeat line of an idle stream.
    package static func heartbeat(_ now: Int64) -> [UInt8] { Array("{\"time\":\(now)}\n".utf8) }
}
