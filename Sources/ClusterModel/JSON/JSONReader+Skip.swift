extension JSONReader {
    /// Skips a value of any type; validates its syntax as when a value is read.
    package mutating func skip() throws(JSONError) {
        switch peek() {
        case UInt8(ascii: "\""):
            offset = try scanString(from: offset &+ 1).end &+ 1
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            try skipContainer()
        case UInt8(ascii: "t"):
            try skipLiteral("true")
        case UInt8(ascii: "f"):
            try skipLiteral("false")
        case UInt8(ascii: "n"):
            try skipLiteral("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try skipNumber()
        default:
            throw .syntax("expected a value", at: offset)
        }
    }

    /// Skips a value that was validated before; in objects and arrays, only brackets and strings are
    /// examined.
    package mutating func skipKnown() throws(JSONError) {
        guard peek() == UInt8(ascii: "{") || peek() == UInt8(ascii: "[") else { return try skip() }
        var levels = 0
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""): offset = try scanString(from: offset &+ 1).end
            case UInt8(ascii: "{"), UInt8(ascii: "["): levels &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): levels &-= 1
            default: break
            }
            offset &+= 1
            if levels == 0 { return }
        }
        throw .syntax("a value does not end", at: offset)
    }

    /// Reads a string; the reader is at its opening quote.
    @_lifetime(copy self)
    mutating func readText() throws(JSONError) -> JSONText {
        let start = offset &+ 1
        let string = try scanString(from: start)
        offset = string.end &+ 1
        return JSONText(bytes.extracting(start..<string.end), hasEscapes: string.hasEscapes)
    }

    // MARK: - Objects and arrays

    /// Skips an object or array in one loop; one bit for each level distinguishes objects from arrays.
    private mutating func skipContainer() throws(JSONError) {
        var levels = LevelStack()
        let limit = Self.depthLimit &- depth
        value: while true {
            let byte = peek()
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                let isObject = byte == UInt8(ascii: "{")
                guard levels.count < limit else { throw .syntax("too deeply nested", at: offset) }
                offset &+= 1
                levels.push(isObject)
                let next = peek()
                if next != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject { try skipKey() }
                    continue value
                }
            } else if byte == UInt8(ascii: "\"") {
                offset = try scanString(from: offset &+ 1).end &+ 1
            } else {
                try skip()
            }
            // The value has ended; or the object or array is empty, and its closing bracket comes next.
            while true {
                let next = peek()
                if next == UInt8(ascii: ",") {
                    offset &+= 1
                    if levels.isObject { try skipKey() }
                    continue value
                }
                guard next == (levels.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw .syntax(levels.isObject ? "expected , or }" : "expected , or ]", at: offset)
                }
                offset &+= 1
                levels.pop()
                if levels.count == 0 { return }
            }
        }
    }

    @inline(__always)
    private mutating func skipKey() throws(JSONError) {
        guard peek() == UInt8(ascii: "\"") else { throw .syntax("expected a key", at: offset) }
        offset = try scanString(from: offset &+ 1).end &+ 1
        guard peek() == UInt8(ascii: ":") else { throw .syntax("expected :", at: offset) }
        offset &+= 1
    }

    // MARK: - Strings

    /// Finds the end of a string from the offset after its opening quote.
    ///
    /// Returns the offset of the closing quote, and whether there are escapes before it.
    @inline(__always)
    private func scanString(from start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
        var index = start
        var hasEscapes = false
        while true {
            index = Self.nextSpecial(in: bytes, from: index)
            guard index < bytes.count else { throw .syntax("a string does not end", at: start &- 1) }
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") { return (index, hasEscapes) }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                index = try endOfEscape(at: index)
            } else if byte < 0x20 {
                throw .syntax("a control character in a string", at: index)
            } else {
                index &+= 1
            }
        }
    }

    /// The offset of the next byte that may be a quote, a backslash or a control character; searches eight bytes at a time.
    ///
    /// In the last seven bytes of a text, the offset of the next byte is returned, whatever the byte is.
    @inline(__always)
    static func nextSpecial(in bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index &+ 8 <= bytes.count {
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let special = specialBytes(of: UInt64(littleEndian: word))
            if special != 0 { return index &+ special.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        return index
    }

    /// Sets the highest bit of each of eight bytes that is a quote, a backslash or a control character.
    ///
    /// The lowest set bit is exact; higher bits may be false positives, from the borrow of the subtraction.
    @inline(__always)
    package static func specialBytes(of word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let found =
            (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- (ones &* 0x20)) & ~word
        return found & (ones &* 0x80)
    }

    /// The offset after an escape (RFC 8259 section 7).
    private func endOfEscape(at index: Int) throws(JSONError) -> Int {
        guard index &+ 1 < bytes.count else { throw .syntax("a string does not end", at: index) }
        switch bytes[index &+ 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return index &+ 2
        case UInt8(ascii: "u"):
            for place in index &+ 2..<index &+ 6 {
                guard place < bytes.count, Self.hexadecimalDigit(bytes[place]) != nil else {
                    throw .syntax("\\u without four hexadecimal digits", at: index)
                }
            }
            return index &+ 6
        default:
            throw .syntax("an unknown escape sequence", at: index)
        }
    }

    /// The value of a hexadecimal digit; nil for other bytes.
    static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }

    // MARK: - Numbers and literals

    /// Skips a number (RFC 8259 section 6).
    mutating func skipNumber() throws(JSONError) {
        if byteHere == UInt8(ascii: "-") { offset &+= 1 }
        if byteHere == UInt8(ascii: "0") {
            offset &+= 1
            if Self.isDigit(byteHere) { throw .syntax("a number with a leading zero", at: offset &- 1) }
        } else {
            try skipDigits()
        }
        if byteHere == UInt8(ascii: ".") {
            offset &+= 1
            try skipDigits()
        }
        if byteHere | 0x20 == UInt8(ascii: "e") {
            offset &+= 1
            if byteHere == UInt8(ascii: "+") || byteHere == UInt8(ascii: "-") { offset &+= 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONError) {
        guard Self.isDigit(byteHere) else { throw .syntax("expected a digit", at: offset) }
        while Self.isDigit(byteHere) { offset &+= 1 }
    }

    /// The byte at the current offset; 0 at the end of the text.
    @inline(__always)
    private var byteHere: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    /// Whether a byte is a decimal digit.
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
        let end = offset &+ literal.utf8CodeUnitCount
        guard end <= bytes.count,
            literal ~= JSONText(bytes.extracting(offset..<end), hasEscapes: false)
        else { throw .syntax("expected a value", at: offset) }
        offset = end
    }
}

/// A stack with one bit for each level of nesting, set for objects; it has room for ``JSONReader/depthLimit`` levels.
private struct LevelStack {
    private var words = InlineArray<8, UInt64>(repeating: 0)
    private(set) var count = 0

    /// Whether the innermost level is an object.
    var isObject: Bool {
        let level = count &- 1
        return words[level &>> 6] &>> UInt64(level & 63) & 1 == 1
    }

    mutating func push(_ isObject: Bool) {
        let bit: UInt64 = 1 &<< UInt64(count & 63)
        if isObject { words[count &>> 6] |= bit } else { words[count &>> 6] &= ~bit }
        count &+= 1
    }

    mutating func pop() {
        count &-= 1
    }
}
