import FlowModel
import Foundation
import Query
import Records
import Store

/// Formats a record as a JSON object in a response.
enum RecordObject {
    private struct Words: Encodable {
        var now: String
        var pending: String?
    }

    /// Returns the record as it was written; its id, if it has one, comes first.
    static func bytes(_ record: ReadRecord, id: StoredRecordID?, explains: Bool) -> [UInt8] {
        var bytes = Array((id.map { "{\"id\":\"\($0)\"," } ?? "{").utf8)
        if explains, record.isDenied || record.isPendingDifferent {
            let words = VerdictWords(record)
            bytes += Array("\"explanation\":".utf8) + API.json(Words(now: words.now, pending: words.pending)).body
            bytes.append(UInt8(ascii: ","))
        }
        // A stored record is a JSON object with members and without leading white space.
        return bytes + record.bytes.dropFirst()
    }
}
