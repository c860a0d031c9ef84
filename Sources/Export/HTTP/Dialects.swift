import FlowModel
import Foundation
import Glibc

/// Unchanged lines of JSON.
struct LinesDialect: HTTPDialect {
    let contentType = "application/x-ndjson"
    let compresses = false

    func path(for group: LineGroup) -> String { "" }

    func body(of group: LineGroup) -> [UInt8] {
        var body: [UInt8] = []
        for line in group.lines { body += line + [UInt8(ascii: "\n")] }
        return body
    }

    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict { verdict(of: status, body) }
}

/// Inserts into ClickHouse (`INSERT INTO table FORMAT JSONEachRow`), with a deduplication token.
struct ClickHouseDialect: HTTPDialect {
    let contentType = "application/x-ndjson"
    let compresses = true
    let table: String

    func path(for group: LineGroup) -> String {
        // A field that the table lacks must cause an error: by default ClickHouse drops it silently.
        let parameters = [
            ("query", "INSERT INTO \(table) FORMAT JSONEachRow"), ("input_format_skip_unknown_fields", "0"),
            ("input_format_null_as_default", "1"), ("date_time_input_format", "best_effort"), ("async_insert", "0"),
            ("insert_deduplicate", "1"), ("insert_deduplication_token", group.token),
            // The roll-up by minutes must not count a repeated insert twice either.
            ("deduplicate_blocks_in_dependent_materialized_views", "1"),
        ]
        let query = parameters.map { "\($0.0)=\(Self.escaped($0.1))" }.joined(separator: "&")
        return "/?" + query
    }

    private static func escaped(_ text: String) -> String {
        let kept = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        return text.addingPercentEncoding(withAllowedCharacters: kept) ?? text
    }

    func body(of group: LineGroup) -> [UInt8] { LinesDialect().body(of: group) }

    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict {
        // An exception occurred after the headers were sent.
        if status == 200, body.starts(with: "Code:".utf8) { return .later(Self.excerpt(body)) }
        // Depending on the version, unreadable values cause status 400 or 500; the exception code decides.
        if status >= 500, let code = Self.code(of: body), Self.flaws.contains(code) {
            return .refused("\(status) \(Self.excerpt(body))")
        }
        return verdict(of: status, body)
    }

    /// Returns the code of an exception (`Code: 27. DB::Exception: …`); nil if the response is not an exception.
    private static func code(of body: [UInt8]) -> Int? {
        guard body.starts(with: "Code: ".utf8) else { return nil }
        return Int(String(decoding: body.dropFirst(6).prefix { 0x30...0x39 ~= $0 }, as: UTF8.self))
    }

    /// Codes of values that a column does not accept (`src/Common/ErrorCodes.cpp`).
    ///
    /// They are texts, quotes, dates, numbers, types, arrays, ranges, nulls, Booleans and addresses that cannot be parsed.
    private static let flaws: Set<Int> = [6, 25, 26, 27, 38, 41, 53, 69, 72, 117, 130, 321, 349, 467, 675, 676]
}

/// Loki's push interface: one stream for each action and reporter of this host; the timestamp is the end of the interval.
struct LokiDialect: HTTPDialect {
    let contentType = "application/json"
    let compresses = true
    let hostName: String

    func path(for group: LineGroup) -> String { "/loki/api/v1/push" }

    func body(of group: LineGroup) -> [UInt8] {
        var streams: [String: [[String]]] = [:]
        for line in group.lines {
            let value = ["\(LineTime.end(of: line))000000000", String(decoding: line, as: UTF8.self)]
            streams[Self.kind(of: line), default: []].append(value)
        }
        let all: [[String: Any]] = streams.sorted { $0.key < $1.key }.map { kind, values in
            let words = kind.split(separator: " ").map(String.init)
            let labels = ["job": "weir", "host": hostName, "action": words[0], "reporter": words[1]]
            return ["stream": labels, "values": values]
        }
        let data = try? JSONSerialization.data(withJSONObject: ["streams": all], options: [.sortedKeys])
        return Array(data ?? Data())
    }

    /// Returns action and reporter: at most nine streams, regardless of the records' values.
    private static func kind(of line: ArraySlice<UInt8>) -> String {
        let text = String(decoding: line, as: UTF8.self)
        let action = FlowAction.allCases.first { text.contains("\"action\":\"\($0.rawValue)\"") }?.rawValue ?? "unknown"
        let reporter = FlowReporter.allCases.first { text.contains("\"reporter\":\"\($0.rawValue)\"") } ?? .destination
        return "\(action) \(reporter.rawValue)"
    }

    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict { verdict(of: status, body) }
}
