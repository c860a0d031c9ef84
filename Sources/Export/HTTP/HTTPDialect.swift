import Glibc

/// The protocol of one kind of server: makes requests and interprets responses.
protocol HTTPDialect: Sendable {
    /// The content type of request bodies.
    var contentType: String { get }
    /// Whether bodies are compressed by default.
    var compresses: Bool { get }
    /// Additional headers for this kind of server.
    var headers: [(String, String)] { get }
    /// Returns the path that is appended to the URL of the destination.
    func path(for group: LineGroup) -> String
    /// Returns the body for the lines of a group.
    func body(of group: LineGroup) -> [UInt8]
    /// Interprets a response.
    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict

    /// Returns the request that confirms a receipt: the path that is appended to the URL, and the body.
    func question(of receipt: Int) -> (path: String, body: [UInt8])
    /// Whether a response confirms a receipt; nil if the response cannot be interpreted.
    func isSafe(_ receipt: Int, _ status: Int, _ body: [UInt8]) -> Bool?
}

/// The complete lines of one request, without newlines.
struct LineGroup {
    /// The identifier of the batch, the same in each repetition.
    let batch: UInt64
    /// The indices of the lines in the batch, ascending.
    let places: [Int]
    /// The lines.
    let lines: [ArraySlice<UInt8>]

    /// Returns the identifier of a line: the batch, the index in it, and a checksum of the line, which has the interval and the
    /// node.
    ///
    /// A repetition has the same identifier, also if a later process sends it from the spool. Equal lines differ in their
    /// indices; lines of nodes whose batches have the same number differ in their checksums.
    func identifier(_ index: Int) -> String {
        "\(Self.hexadecimal(batch, 16))-\(places[index])-\(Self.checksum(lines[index...index]))"
    }

    /// The identifier of the group, made like those of lines.
    var token: String {
        let range = "\(places.first ?? 0)-\(places.last ?? 0)-\(places.count)"
        return "\(Self.hexadecimal(batch, 16))-\(range)-\(Self.checksum(lines[...]))"
    }

    private static func checksum(_ lines: ArraySlice<ArraySlice<UInt8>>) -> String {
        let sum = lines.reduce(UInt32(0)) { SpoolEntry.checksum($1, after: $0) }
        return hexadecimal(UInt64(sum), 8)
    }

    private static func hexadecimal(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }
}

/// The meaning of a response for the lines of a request.
enum HTTPVerdict: Equatable {
    /// The server has stored all lines.
    case delivered
    /// The server has accepted all lines, and will confirm under this receipt when they are stored.
    case taken(receipt: Int)
    /// Some lines are not stored, by their indices.
    ///
    /// `again` is sent again; so is `barred`, because the lack of a right, an index or room can be mended; `refused` is rejected
    /// permanently. The texts are the server's reasons.
    case items(again: [Int], barred: [Int: String], refused: [Int: String])
    /// The server rejects the request, with the reason; single lines may be at fault.
    case refused(String)
    /// The request is too large.
    case tooLarge
    /// A temporary failure: send the same lines later.
    case later(String)
}

extension HTTPDialect {
    var headers: [(String, String)] { [] }

    func question(of receipt: Int) -> (path: String, body: [UInt8]) { ("", []) }

    func isSafe(_ receipt: Int, _ status: Int, _ body: [UInt8]) -> Bool? { nil }

    /// Returns the meaning of a status code, regardless of the body.
    func verdict(of status: Int, _ body: [UInt8]) -> HTTPVerdict {
        let excerpt = Self.excerpt(body)
        return switch status {
        case 200..<300: .delivered
        case 400, 422: .refused("\(status) \(excerpt)")
        case 413: .tooLarge
        case 401, 403: .later("the server does not take the credentials (\(status)) \(excerpt)")
        case 404: .later("the server has no such path (404) \(excerpt)")
        case 300..<400: .later("the server redirects (\(status)), which is not followed: give the URL itself")
        case 429: .later("the server asks to wait (429)")
        default: .later("the server fails (\(status)) \(excerpt)")
        }
    }

    /// Returns the beginning of a response body, on one line.
    static func excerpt(_ body: [UInt8]) -> String {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        return String(text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 })
    }
}

/// Reads the time in a record's line.
enum LineTime {
    /// Returns the end of a record's interval, or the time of an audit event, in Unix seconds; 0 for other lines.
    static func end(of line: ArraySlice<UInt8>) -> Int64 {
        // {"start_time":1700000000,"end_time":1700000010,…
        let head = line.prefix(64)
        guard let comma = head.firstIndex(of: UInt8(ascii: ",")) else { return 0 }
        let rest = head[(comma + 1)...]
        guard rest.starts(with: "\"end_time\":".utf8) else { return timestamp(of: line) }
        return rest.dropFirst(11).prefix { 0x30...0x39 ~= $0 }.reduce(0) { $0 &* 10 &+ Int64($1 - 0x30) }
    }
    /// Returns the time of an audit event, whose line ends with `"@timestamp":"2026-11-28T14:00:00.123456Z"}`; 0 for other
    /// lines.
    private static func timestamp(of line: ArraySlice<UInt8>) -> Int64 {
        let tail = Array(line.suffix(43))
        guard tail.count == 43, tail.starts(with: "\"@timestamp\":\"".utf8) else { return 0 }
        let number = { (start: Int, count: Int) in
            tail[start..<start + count].reduce(Int32(0)) { $0 * 10 + Int32($1 & 0xf) }
        }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (number(14, 4) - 1900, number(19, 2) - 1, number(22, 2))
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (number(25, 2), number(28, 2), number(31, 2))
        return Int64(timegm(&parts))
    }
}
