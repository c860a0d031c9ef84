import Glibc

/// The raw text of a JSON string between its quotes; only ``string`` copies it.
package struct JSONText: ~Escapable {
    /// The bytes between the quotes.
    package let bytes: Span<UInt8>
    /// Whether the bytes contain escapes.
    package let hasEscapes: Bool

    /// Takes the bytes that a reader has found.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, hasEscapes: Bool) {
        self.bytes = bytes
        self.hasEscapes = hasEscapes
    }

    /// Whether the string is empty.
    package var isEmpty: Bool { bytes.isEmpty }

    /// The text with escapes resolved (RFC 8259 section 7).
    ///
    /// U+FFFD replaces invalid UTF-8 and unpaired surrogates.
    package var string: String {
        if hasEscapes { return String(decoding: unescaped, as: UTF8.self) }
        return unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// The text; nil if it is empty.
    var nonEmptyString: String? { isEmpty ? nil : string }

    /// Whether the text equals a literal; a `switch` can match keys and words without creating strings.
    ///
    /// It is inlined so that the comparison with a literal takes only a few instructions.
    @inline(__always)
    package static func ~= (pattern: StaticString, text: JSONText) -> Bool {
        if text.hasEscapes { return text.isEqualUnescaped(pattern) }
        guard text.bytes.count == pattern.utf8CodeUnitCount else { return false }
        return unsafe text.bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return true }
            return unsafe memcmp(start, pattern.utf8Start, pattern.utf8CodeUnitCount) == 0
        }
    }

    private func isEqualUnescaped(_ pattern: StaticString) -> Bool {
        string == pattern.description
    }
}

// MARK: - Escapes

extension JSONText {
    /// The bytes with escapes resolved; the reader has already validated the escapes.
    private var unescaped: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
                var end = index + 1
                while end < bytes.count, bytes[end] != UInt8(ascii: "\\") { end += 1 }
                unsafe bytes.extracting(index..<end).withUnsafeBufferPointer { unsafe result.append(contentsOf: $0) }
                index = end
                continue
            }
            let escape = bytes[index + 1]
            if escape == UInt8(ascii: "u") {
                appendCodePoint(at: &index, to: &result)
            } else {
                result.append(Self.byte(of: escape))
                index += 2
            }
        }
        return result
    }

    /// Resolves `\uXXXX`, together with the second half of a surrogate pair.
    private func appendCodePoint(at index: inout Int, to result: inout [UInt8]) {
        var value = codeUnit(at: index) ?? 0xfffd
        index += 6
        if 0xd800...0xdbff ~= value, let low = codeUnit(at: index), 0xdc00...0xdfff ~= low {
            value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            index += 6
        }
        // An unpaired surrogate is not a Unicode scalar.
        let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
        result.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    }

    /// The code unit of the `\uXXXX` that begins at an index; nil if there is none.
    private func codeUnit(at index: Int) -> UInt32? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var value: UInt32 = 0
        for place in index + 2..<index + 6 {
            guard let digit = JSONReader.hexadecimalDigit(bytes[place]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Returns the byte that a backslash and a letter stand for.
    private static func byte(of escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }
}

// MARK: - Writing

extension JSONText {
    /// A text as a JSON string with its quotes (RFC 8259 section 7); quotes, backslashes and control characters are escaped.
    ///
    /// It is for short texts; the encoder of records appends to its buffer without a `String`.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\0"..<" ": result += (scalar.value < 16 ? "\\u000" : "\\u00") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
