/// The JSON value of a YAML scalar.
enum YAMLScalar: Hashable {
    case null
    case bool(Bool)
    /// A number whose text is a JSON number.
    case number
    /// An integer in a notation that JSON does not have.
    case integer(Int64)
    case string

    /// Resolves a scalar without a tag as Kubernetes does (go-yaml, `resolve.go`), with one exception.
    ///
    /// The words yes, no, on, off, y and n are strings, as in YAML 1.2: Weir reads no Boolean field in these words, but a
    /// label may have such a value.
    init(plain text: some Collection<UInt8>) {
        guard let first = text.first else {
            self = .null
            return
        }
        switch first {
        case UInt8(ascii: "~"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "t"), UInt8(ascii: "T"),
            UInt8(ascii: "f"), UInt8(ascii: "F"):
            self = Self.words.first { $0.word.elementsEqual(text) }?.value ?? .string
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"):
            self = Self.isNumber(text) ? .number : Self.integer(text).map { .integer($0) } ?? .string
        default:
            self = .string
        }
    }

    /// Resolves a scalar of a file.
    ///
    /// - Parameters:
    ///   - text: the text of the scalar.
    ///   - isPlain: whether it has no quotes.
    ///   - tag: its tag; nil if there is none.
    ///   - line: its line, for the error.
    /// - Throws: an error if the tag is not one of JSON's types, or the text is not of that type.
    init(_ text: some Collection<UInt8>, isPlain: Bool, tag: String?, at line: Int) throws(FileFault) {
        guard let tag else {
            self = isPlain ? YAMLScalar(plain: text) : .string
            return
        }
        let value = YAMLScalar(plain: text)
        switch (tag, value) {
        case ("!", _), (YAMLTag.prefix + "str", _): self = .string
        case (YAMLTag.prefix + "null", .null), (YAMLTag.prefix + "bool", .bool), (YAMLTag.prefix + "float", .number),
            (YAMLTag.prefix + "int", .integer):
            self = value
        case (YAMLTag.prefix + "int", .number) where text.allSatisfy({ Self.isDigit($0) || $0 == UInt8(ascii: "-") }):
            self = value
        default:
            let scalar = String(decoding: text.prefix(40), as: UTF8.self)
            throw FileFault(line: line, reason: "the tag \(YAMLTag.short(tag)) is not supported for '\(scalar)'")
        }
    }

    private static let words: [(word: [UInt8], value: YAMLScalar)] =
        ["~", "null", "Null", "NULL"].map { (Array($0.utf8), .null) }
        + ["true", "True", "TRUE"].map { (Array($0.utf8), .bool(true)) }
        + ["false", "False", "FALSE"].map { (Array($0.utf8), .bool(false)) }

    /// Whether a text is a JSON number (RFC 8259, section 6).
    private static func isNumber(_ text: some Collection<UInt8>) -> Bool {
        var rest = text[...]
        func digits() -> Int {
            let count = rest.prefix { isDigit($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let count = digits()
        guard count == 1 || (count > 1 && !startsWithZero) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// Parses an integer with a plus sign or underscores, or in hexadecimal, octal (`0o17`, `017`) or binary notation.
    private static func integer(_ text: some Collection<UInt8>) -> Int64? {
        guard text.count <= 80 else { return nil }
        let digits = String(decoding: text.lazy.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        let isNegative = digits.hasPrefix("-")
        let unsigned = isNegative || digits.hasPrefix("+") ? digits.dropFirst() : digits[...]
        guard unsigned.utf8.first.map(isDigit) == true else { return nil }
        let (prefix, radix) =
            switch unsigned.prefix(2).lowercased() {
            case "0x": (2, 16)
            case "0o": (2, 8)
            case "0b": (2, 2)
            case let start: start.hasPrefix("0") && unsigned.utf8.count > 1 ? (1, 8) : (0, 10)
            }
        let number = unsigned.dropFirst(prefix)
        guard number.utf8.first.map({ isDigit($0) || radix == 16 }) == true, number.first != "+", number.first != "-"
        else { return nil }
        return Int64((isNegative ? "-" : "") + number, radix: radix)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
}

/// Tags of YAML (YAML 1.2.2, section 10).
enum YAMLTag {
    /// The prefix that `!!` abbreviates.
    static let prefix = "tag:yaml.org,2002:"

    /// The tag in its usual short form.
    static func short(_ tag: String) -> String {
        tag.hasPrefix(prefix) ? "!!" + tag.dropFirst(prefix.count) : tag
    }
}
