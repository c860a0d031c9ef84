import FlowModel
import Foundation
import Query
import Records
import Store

/// Formats a record as a JSON object of an answer.
enum RecordObject {
    private struct Words: Encodable {
        var now: String
        var pending: String?
    }

    /// The record as it was written; its id, if it has one, comes first.
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

/// Records as comma-separated values (RFC 4180), with the names of fields in the first line.
enum RecordCSV {
    /// The line with the names of fields.
    static let head = FlowField.standard.map(\.description.name).joined(separator: ",") + "\r\n"

    /// The line of a record.
    static func line(_ record: ReadRecord) -> String {
        FlowField.standard.map { cell(record, $0) }.joined(separator: ",") + "\r\n"
    }

    private static func cell(_ record: ReadRecord, _ field: FlowField) -> String {
        let json = record.json(field)
        let text = record.text(field) ?? (json == "null" ? "" : json)
        guard text.utf8.contains(where: { $0 == 0x2c || $0 == 0x22 || $0 == 0x0a || $0 == 0x0d }) else { return text }
        return "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\""
    }
}
