import Foundation
import Glibc

/// The bulk interface of Elasticsearch and OpenSearch: `create` with an identifier, so that repeated records are not stored
/// twice.
struct BulkDialect: HTTPDialect {
    let contentType = "application/x-ndjson"
    let compresses = true
    /// The data stream or index; `{date}` in it is the record's day.
    let index: String

    func path(for group: LineGroup) -> String { "/_bulk" }

    func body(of group: LineGroup) -> [UInt8] {
        var body: [UInt8] = []
        for (number, line) in group.lines.enumerated() {
            let action = "{\"create\":{\"_index\":\"\(name(for: line))\",\"_id\":\"\(group.identifier(number))\"}}\n"
            body += Array(action.utf8) + line + [UInt8(ascii: "\n")]
        }
        return body
    }

    private func name(for line: ArraySlice<UInt8>) -> String {
        guard index.contains("{date}") else { return index }
        var time = time_t(LineTime.end(of: line))
        var parts = tm()
        gmtime_r(&time, &parts)
        let day = (Int(parts.tm_year) + 1900) * 10_000 + (Int(parts.tm_mon) + 1) * 100 + Int(parts.tm_mday)
        return index.replacingOccurrences(of: "{date}", with: String(day))
    }

    private struct Answer: Decodable {
        let errors: Bool
        let items: [[String: Item]]
    }

    private struct Item: Decodable {
        struct Failure: Decodable {
            let type: String?
            let reason: String?
        }

        let status: Int
        let error: Failure?
    }

    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict {
        guard status == 200 else { return verdict(of: status, body) }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else {
            return .later("the response is not that of a bulk request: \(Self.excerpt(body))")
        }
        let items = answer.items.map { $0.values.first }
        guard items.count == group.lines.count else {
            return .later("the answer has \(items.count) items for \(group.lines.count) records")
        }
        guard answer.errors else { return .delivered }
        var again: [Int] = []
        var (barred, refused): ([Int: String], [Int: String]) = ([:], [:])
        for (number, item) in items.enumerated() {
            let status = item?.status ?? 500
            let reason = "\(status) \(item?.error?.type ?? "") \(item?.error?.reason ?? "")"
            switch status {
            // 409: the record is already stored.
            case 200..<300, 409: break
            // 403: the index is blocked, as on a full disk, or the user lacks a right; 404: there is no such index.
            case 401, 403, 404: barred[number] = reason
            case 408, 429: again.append(number)
            case 400..<500: refused[number] = reason
            default: again.append(number)
            }
        }
        let isDelivered = again.isEmpty && barred.isEmpty && refused.isEmpty
        return isDelivered ? .delivered : .items(again: again, barred: barred, refused: refused)
    }
}
