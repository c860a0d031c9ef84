import Glibc

/// How one kind of server is spoken to: what a request says, and what an answer means.
protocol HTTPDialect: Sendable {
    /// The type of bodies.
    var contentType: String { get }
    /// Whether bodies are compressed where nothing else is said.
    var compresses: Bool { get }
    /// Headers that this kind of server wants to see.
    var headers: [(String, String)] { get }
    /// What stands behind the URL of the destination.
    func path(for group: LineGroup) -> String
    /// The body with the lines of a group.
    func body(of group: LineGroup) -> [UInt8]
    /// What an answer means.
    func judge(_ status: Int, _ body: [UInt8], _ group: LineGroup) -> HTTPVerdict

    /// How to ask whether lines that the server took are safe there: what stands behind the URL, and the body.
    func question(of receipt: Int) -> (path: String, body: [UInt8])
    /// Whether they are; nil where the answer is none.
    func isSafe(_ receipt: Int, _ status: Int, _ body: [UInt8]) -> Bool?
}

/// Lines of one request, whole and without their newlines.
struct LineGroup {
    /// The number of the batch that they are of, the same whenever it is sent.
    let batch: UInt64
    /// Their places in the batch, ascending.
    let places: [Int]
    /// The lines.
    let lines: [ArraySlice<UInt8>]

    /// A number for the line at a place that no other record of any node has.
    func identifier(_ index: Int) -> String { "\(hexadecimal)-\(places[index])" }

    /// A text for all lines that no other group has.
    var token: String { "\(hexadecimal)-\(places.first ?? 0)-\(places.last ?? 0)-\(places.count)" }

    private var hexadecimal: String {
        let text = String(batch, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

/// What an answer means for the lines of a request.
enum HTTPVerdict: Equatable {
    /// All are there.
    case delivered
    /// The server has taken all, and says later that they are safe, under this number.
    case taken(receipt: Int)
    /// Some are not: these may be sent again, those never will be taken, and why.
    case items(again: [Int], refused: [Int: String])
    /// The server does not take the request as it is, and why; single lines of it may be to blame.
    case refused(String)
    /// The request is too large.
    case tooLarge
    /// Nothing is wrong with the lines: the same later.
    case later(String)
}

extension HTTPDialect {
    var headers: [(String, String)] { [] }

    func question(of receipt: Int) -> (path: String, body: [UInt8]) { ("", []) }

    func isSafe(_ receipt: Int, _ status: Int, _ body: [UInt8]) -> Bool? { nil }

    /// What a status means wherever the body says nothing else.
    func verdict(of status: Int, _ body: [UInt8]) -> HTTPVerdict {
        let excerpt = Self.excerpt(body)
        return switch status {
        case 200..<300: .delivered
        case 400, 422: .refused("\(status) \(excerpt)")
        case 413: .tooLarge
        case 401, 403: .later("the server does not take the credentials (\(status)) \(excerpt)")
        case 404: .later("the server does not know the place (404) \(excerpt)")
        case 300..<400: .later("the server redirects (\(status)), which is not followed: give the URL itself")
        case 429: .later("the server asks to wait (429)")
        default: .later("the server fails (\(status)) \(excerpt)")
        }
    }

    /// The beginning of what a server said, on one line.
    static func excerpt(_ body: [UInt8]) -> String {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        return String(text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 })
    }
}

/// What a record's line says at its beginning.
enum LineTime {
    /// The end of a record's interval, or the time of an audit event, Unix seconds; 0 where a line is none of them.
    static func end(of line: ArraySlice<UInt8>) -> Int64 {
        // {"start_time":1700000000,"end_time":1700000010,…
        let head = line.prefix(64)
        guard let comma = head.firstIndex(of: UInt8(ascii: ",")) else { return 0 }
        let rest = head[(comma + 1)...]
        guard rest.starts(with: "\"end_time\":".utf8) else { return timestamp(of: line) }
        return rest.dropFirst(11).prefix { 0x30...0x39 ~= $0 }.reduce(0) { $0 &* 10 &+ Int64($1 - 0x30) }
    }
    /// The time of an audit event, whose line ends with `"@timestamp":"2026-11-28T14:00:00.123456Z"}`; 0 where it does not.
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
