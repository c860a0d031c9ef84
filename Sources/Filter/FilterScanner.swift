/// Splits the text of a filter into words, signs and values, and skips the white space after each.
struct FilterScanner {
    private let bytes: [UInt8]
    /// The number of bytes that are consumed.
    private(set) var position = 0

    /// Skips leading white space.
    init(_ text: String) {
        bytes = Array(text.utf8)
        skipSpace()
    }

    /// Whether the whole text is consumed.
    var isAtEnd: Bool { position == bytes.count }

    /// Whether the rest begins with a sign.
    func isNext(_ sign: String) -> Bool {
        bytes[position...].starts(with: sign.utf8)
    }

    /// Consumes a sign if it is next; consumes `!` only if `=` does not follow.
    mutating func take(_ sign: String) -> Bool {
        guard isNext(sign), sign != "!" || !isNext("!=") else { return false }
        position += sign.utf8.count
        skipSpace()
        return true
    }

    /// Consumes a sequence of words if it is next.
    mutating func takeWords(_ words: [String]) -> Bool {
        let start = position
        for expected in words {
            guard word() == expected else {
                position = start
                return false
            }
        }
        return true
    }

    /// Consumes a word of letters, digits, `_`, `.`, `-`, `/` and `@` that begins with a letter or `_`; nil if there is none.
    mutating func word() -> String? {
        guard position < bytes.count, Self.isLetter(bytes[position]) else { return nil }
        return run { Self.isLetter($0) || 0x30...0x39 ~= $0 || "_.-/@".utf8.contains($0) }
    }

    /// Consumes decimal digits; nil if there are none.
    mutating func digits() -> String? {
        guard position < bytes.count, 0x30...0x39 ~= bytes[position] else { return nil }
        return run { 0x30...0x39 ~= $0 }
    }

    /// Consumes a text in double or single quotes; nil if there is none, or if its closing quote is missing.
    ///
    /// A doubled quote within the text stands for one quote.
    mutating func string() -> String? {
        guard position < bytes.count, bytes[position] == 0x22 || bytes[position] == 0x27 else { return nil }
        let quote = bytes[position]
        var text: [UInt8] = []
        var start = position + 1
        while let end = bytes[start...].firstIndex(of: quote) {
            text += bytes[start..<end]
            guard end + 1 < bytes.count, bytes[end + 1] == quote else {
                position = end + 1
                skipSpace()
                return String(decoding: text, as: UTF8.self)
            }
            text.append(quote)
            start = end + 2
        }
        return nil
    }

    private mutating func run(while condition: (UInt8) -> Bool) -> String {
        let taken = bytes[position...].prefix(while: condition)
        position = taken.endIndex
        skipSpace()
        return String(decoding: taken, as: UTF8.self)
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        0x41...0x5a ~= byte || 0x61...0x7a ~= byte || byte == UInt8(ascii: "_")
    }
}
