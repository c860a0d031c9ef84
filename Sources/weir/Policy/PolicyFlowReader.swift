import FlowModel

/// Parses a connection from a line with one JSON object of strings and numbers.
struct PolicyFlowReader {
    /// The value of a member.
    enum Value {
        case null
        case text(String)
        case number(Int)
        /// A value that no member can have.
        case other(String)
    }

    private let bytes: [UInt8]
    private let start: Int
    private let end: Int
    private var index: Int

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        (start, end, index) = (range.lowerBound, range.upperBound, range.lowerBound)
    }

    /// Whether a line contains only white space.
    static func isBlank(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        !bytes[range].contains { !isSpace($0) }
    }

    /// The content of a line.
    enum Line {
        /// A connection to evaluate.
        case connection(PolicyConnection)
        /// A record that stands for several connections and cannot be evaluated, with the reason.
        case untraceable(String)
    }

    /// Parses a line with a question or a record.
    ///
    /// - Throws: an error if the line is not such an object, or does not specify both endpoints.
    static func line(_ bytes: [UInt8], _ range: Range<Int>) throws(PolicyQuestionError) -> Line {
        var reader = PolicyFlowReader(bytes, range)
        return try reader.line()
    }

    private mutating func line() throws(PolicyQuestionError) -> Line {
        var members = Members()
        var isRecord = false
        var unknown: String?
        try expect("{", "an object")
        if !skip("}") {
            repeat {
                let key = try string()
                try expect(":", "a colon")
                if !isRecord, Members.names.contains(key) {
                    try members.take(key, try value())
                } else {
                    isRecord = isRecord || PolicyRecordReader.isField(key)
                    unknown = unknown ?? key
                    _ = try anyValue()
                }
            } while skip(",")
            try expect("}", "a comma or the end of the object")
        }
        skipSpace()
        guard index == end else { throw wrong("the end of the line") }
        if isRecord { return try PolicyRecordReader.line(bytes[start..<end]) }
        if let unknown {
            throw PolicyQuestionError(
                description: "'\(unknown)' is not one of \(Members.names.joined(separator: ", "))"
            )
        }
        return .connection(try members.connection())
    }

    // MARK: Members

    private struct Members {
        static let names = ["from", "to", "protocol", "port", "source_port", "icmp_type", "icmp_code"]

        var from: String?
        var to: String?
        var proto = IPProtocol.tcp
        var port: Int?
        var sourcePort: Int?
        var icmpType: Int?
        var icmpCode: Int?

        mutating func take(_ key: String, _ value: Value) throws(PolicyQuestionError) {
            switch key {
            case "from": from = try Self.text(key, value)
            case "to": to = try Self.text(key, value)
            case "protocol": proto = try Self.proto(value)
            case "port": port = try Self.number(key, value, to: 65_535)
            case "source_port": sourcePort = try Self.number(key, value, to: 65_535)
            case "icmp_type": icmpType = try Self.number(key, value, to: 255)
            case "icmp_code": icmpCode = try Self.number(key, value, to: 255)
            default: break
            }
        }

        func connection() throws(PolicyQuestionError) -> PolicyConnection {
            guard let from else { throw PolicyQuestionError(description: "'from' is missing") }
            guard let to else { throw PolicyQuestionError(description: "'to' is missing") }
            return PolicyConnection(
                source: try PolicyEndName(from),
                destination: try PolicyEndName(to),
                proto: proto,
                port: port.map { UInt16($0) },
                sourcePort: sourcePort.map { UInt16($0) },
                icmpType: icmpType.map { UInt8($0) },
                icmpCode: icmpCode.map { UInt8($0) }
            )
        }

        private static func text(_ key: String, _ value: Value) throws(PolicyQuestionError) -> String? {
            switch value {
            case .text(let text): return text
            case .null: return nil
            default: throw PolicyQuestionError(description: "'\(key)' must be a text")
            }
        }

        private static func number(
            _ key: String,
            _ value: Value,
            to maximum: Int
        ) throws(PolicyQuestionError) -> Int? {
            switch value {
            case .number(let number) where 0...maximum ~= number: return number
            case .null: return nil
            default: throw PolicyQuestionError(description: "'\(key)' must be a number from 0 to \(maximum)")
            }
        }

        private static func proto(_ value: Value) throws(PolicyQuestionError) -> IPProtocol {
            switch value {
            case .null: return .tcp
            case .text(let text):
                if let proto = IPProtocol(policyText: text) { return proto }
            case .number(let number):
                if let number = UInt8(exactly: number), number > 0 { return IPProtocol(rawValue: number) }
            case .other: break
            }
            throw PolicyQuestionError(
                description: "'protocol' must be tcp, udp, sctp, icmp, icmp6 or a number from 1 to 255"
            )
        }
    }

    // MARK: JSON

    private mutating func value() throws(PolicyQuestionError) -> Value {
        skipSpace()
        guard index < end else { throw wrong("a value") }
        switch bytes[index] {
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "-"), 0x30...0x39: return number()
        case UInt8(ascii: "n") where word("null"): return .null
        case UInt8(ascii: "t") where word("true"): return .other("true")
        case UInt8(ascii: "f") where word("false"): return .other("false")
        default: throw wrong("a text or a number")
        }
    }

    /// A value of any type; the contents of lists and objects are skipped.
    private mutating func anyValue() throws(PolicyQuestionError) -> Value {
        skipSpace()
        guard index < end, bytes[index] == UInt8(ascii: "{") || bytes[index] == UInt8(ascii: "[") else {
            return try value()
        }
        var depth = 0
        repeat {
            guard index < end else { throw wrong("the end of a list or object") }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                _ = try string()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            index += 1
        } while depth > 0
        return .other("")
    }

    private mutating func number() -> Value {
        let first = index
        while index < end, Self.isOfNumber(bytes[index]) { index += 1 }
        let text = String(decoding: bytes[first..<index], as: UTF8.self)
        return Int(text).map { .number($0) } ?? .other(text)
    }

    private mutating func word(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        let isThere = word.withUTF8Buffer { index + count <= end && bytes[index..<(index + count)].elementsEqual($0) }
        if isThere { index += count }
        return isThere
    }

    private mutating func string() throws(PolicyQuestionError) -> String {
        try expect("\"", "a text")
        let first = index
        while index < end, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\"), bytes[index] >= 0x20
        {
            index += 1
        }
        guard index < end else { throw wrong("the end of a text") }
        if bytes[index] == UInt8(ascii: "\"") {
            index += 1
            return String(decoding: bytes[first..<(index - 1)], as: UTF8.self)
        }
        return try escapedString(Array(bytes[first..<index]))
    }

    private mutating func escapedString(_ beginning: [UInt8]) throws(PolicyQuestionError) -> String {
        var text = beginning
        while index < end {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += Array(try escape().utf8)
            case ..<0x20:
                index -= 1
                throw wrong("a text without control characters")
            default: text.append(byte)
            }
        }
        throw wrong("the end of a text")
    }

    private mutating func escape() throws(PolicyQuestionError) -> String {
        guard index < end else { throw wrong("an escape") }
        index += 1
        switch bytes[index - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default:
            index -= 1
            throw wrong("an escape")
        }
    }

    private mutating func unicode() throws(PolicyQuestionError) -> String {
        var units = [try codeUnit()]
        if UTF16.isLeadSurrogate(units[0]), index + 1 < end, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        {
            index += 2
            units.append(try codeUnit())
        }
        return String(decoding: units, as: UTF16.self)
    }

    private mutating func codeUnit() throws(PolicyQuestionError) -> UInt16 {
        let digits = bytes[index..<min(index + 4, end)]
        guard digits.count == 4, !digits.contains(UInt8(ascii: "+")),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw wrong("four hexadecimal digits") }
        index += 4
        return unit
    }

    // MARK: Bytes

    private mutating func expect(_ byte: Unicode.Scalar, _ what: String) throws(PolicyQuestionError) {
        guard skip(byte) else { throw wrong(what) }
    }

    /// Skips white space, and then the byte if it is next.
    private mutating func skip(_ byte: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < end, bytes[index] == UInt8(ascii: byte) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < end, Self.isSpace(bytes[index]) { index += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
            || byte | 0x20 == UInt8(ascii: "e")
    }

    private func wrong(_ expected: String) -> PolicyQuestionError {
        PolicyQuestionError(description: "column \(index - start + 1): \(expected) is expected")
    }
}
