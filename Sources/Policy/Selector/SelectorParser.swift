/// Parses the text of a selector by recursive descent; only parentheses recurse.
struct SelectorParser {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Parses the whole text.
    static func parse(_ text: String) throws(SelectorError) -> SelectorExpression {
        let length = text.utf8.count
        guard length <= Selector.maximumLength else {
            throw SelectorError(
                position: Selector.maximumLength,
                reason: "the selector has \(length) bytes, more than \(Selector.maximumLength)"
            )
        }
        var parser = SelectorParser(Array(text.utf8))
        parser.skipSpace()
        if parser.atEnd { return .all }
        let expression = try parser.expression(depth: 0)
        guard parser.atEnd else { throw parser.failure("expected && or || or the end") }
        return expression
    }

    // MARK: - Expressions

    private mutating func expression(depth: Int) throws(SelectorError) -> SelectorExpression {
        var parts = [try conjunction(depth: depth)]
        while take("||") { parts.append(try conjunction(depth: depth)) }
        return .disjunction(parts)
    }

    private mutating func conjunction(depth: Int) throws(SelectorError) -> SelectorExpression {
        let first = try operation(depth: depth)
        guard take("&&") else { return first }
        var parts = [first]
        repeat { parts.append(try operation(depth: depth)) } while take("&&")
        // SelectorExpression.conjunction would remove all(), which has a different meaning in a namespace selector.
        var flat: [SelectorExpression] = []
        for part in parts {
            if case .and(let inner) = part { flat += inner } else { flat.append(part) }
        }
        return .and(flat)
    }

    private mutating func operation(depth: Int) throws(SelectorError) -> SelectorExpression {
        var isNegated = false
        while take("!") { isNegated.toggle() }
        let operand: SelectorExpression
        if take("(") {
            guard depth < Selector.maximumDepth else {
                throw failure("more than \(Selector.maximumDepth) parentheses within each other")
            }
            operand = try expression(depth: depth + 1)
            guard take(")") else { throw failure("expected )") }
        } else {
            operand = try term()
        }
        return isNegated ? operand.negated : operand
    }

    // MARK: - Terms

    private mutating func term() throws(SelectorError) -> SelectorExpression {
        let start = position
        let key = try label()
        if current == UInt8(ascii: "("), let function = try call(key, at: start) { return function }
        skipSpace()
        return try comparison(of: key)
    }

    /// Parses `all()`, `global()` or `has(…)` after the word; throws for any other word.
    private mutating func call(_ name: String, at start: Int) throws(SelectorError) -> SelectorExpression? {
        guard ["all", "global", "has"].contains(name) else {
            position = start
            throw failure("there is no function \(name)()")
        }
        position += 1
        skipSpace()
        var result = name == "all" ? SelectorExpression.all : .global
        if name == "has" { result = .has(key: try label()) }
        skipSpace()
        guard take(")") else { throw failure("expected )") }
        return result
    }

    private mutating func comparison(of key: String) throws(SelectorError) -> SelectorExpression {
        if take("==") { return .compare(key: key, .equals, value: try string()) }
        if take("!=") { return .not(.compare(key: key, .equals, value: try string())) }
        let start = position
        switch word() {
        case "in": return .among(key: key, values: try values())
        case "notin": return .not(.among(key: key, values: try values()))
        case "not" where word() == "in": return .not(.among(key: key, values: try values()))
        case "contains": return .compare(key: key, .contains, value: try string())
        case "startswith": return .compare(key: key, .startsWith, value: try string())
        case "starts" where word() == "with": return .compare(key: key, .startsWith, value: try string())
        case "endswith": return .compare(key: key, .endsWith, value: try string())
        case "ends" where word() == "with": return .compare(key: key, .endsWith, value: try string())
        default:
            position = start
            throw failure("expected ==, !=, in, not in, contains, starts with or ends with")
        }
    }

    /// Parses `{'a', 'b'}`; a trailing comma is allowed.
    private mutating func values() throws(SelectorError) -> [String] {
        guard take("{") else { throw failure("expected {") }
        var values: [String] = []
        while !take("}") {
            values.append(try string())
            if !take(","), current != UInt8(ascii: "}") { throw failure("expected , or }") }
        }
        values.sort()
        return values.reduce(into: []) { unique, value in
            if unique.last != value { unique.append(value) }
        }
    }

    // MARK: - Tokens

    private var atEnd: Bool { position == bytes.count }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ reason: String) -> SelectorError {
        SelectorError(position: position, reason: reason)
    }

    private mutating func skipSpace() {
        while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { position += 1 }
    }

    /// Consumes a token and the white space after it, if it comes next.
    private mutating func take(_ token: StaticString) -> Bool {
        let count = token.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        let matches = token.withUTF8Buffer { token in
            for index in 0..<count where unsafe token[index] != bytes[position + index] { return false }
            return true
        }
        // The `!` of `!=` is not a negation.
        guard matches else { return false }
        if count == 1, bytes[position] == UInt8(ascii: "!"), position + 1 < bytes.count,
            bytes[position + 1] == UInt8(ascii: "=")
        {
            return false
        }
        position += count
        skipSpace()
        return true
    }

    /// Consumes the next run of label characters and the white space after it; empty if there is none.
    private mutating func word() -> String {
        let start = position
        while let byte = current, Self.isLabelByte(byte) { position += 1 }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        skipSpace()
        return word
    }

    private mutating func label() throws(SelectorError) -> String {
        let start = position
        while let byte = current, Self.isLabelByte(byte) { position += 1 }
        guard position > start else { throw failure("expected the key of a label") }
        guard position - start <= Selector.maximumKeyLength else {
            let length = position - start
            position = start
            throw failure("the key has \(length) bytes, more than \(Selector.maximumKeyLength)")
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Consumes a string in single or double quotes; there are no escapes.
    private mutating func string() throws(SelectorError) -> String {
        guard let quote = current, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw failure("expected a string in quotes")
        }
        let start = position + 1
        guard let end = bytes[start...].firstIndex(of: quote) else { throw failure("the quote is not closed") }
        position = end + 1
        skipSpace()
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
