extension ByteBuffer {
    /// Appends a text as a JSON string (RFC 8259 section 7), with quotes.
    ///
    /// The quote, the backslash and the control characters are escaped; all other characters stay UTF-8.
    package mutating func appendJSON(_ text: String) {
        reserve(text.utf8.count + 2)
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0..<0x20:
                appendEscape(ofControl: byte)
            default:
                append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }

    /// Appends a text as a JSON string with a maximum number of bytes, without counting quotes.
    ///
    /// A longer text is truncated between characters and ends in `…`.
    ///
    /// - Returns: whether it was truncated.
    mutating func appendJSON(_ text: String, limit: Int) -> Bool {
        let begin = count
        if text.utf8.count <= limit {
            appendJSON(text)
            if count - begin <= limit + 2 { return false }
            truncate(to: begin)
        }
        let ellipsis = "…"
        var room = limit - ellipsis.utf8.count
        let kept = text.unicodeScalars.prefix { scalar in
            room -= scalar.lengthInJSON
            return room >= 0
        }
        appendJSON(String(kept) + ellipsis)
        return true
    }

    /// Appends policy hits as a JSON array of strings with a maximum number of bytes, without counting brackets.
    ///
    /// If not all hits fit, the first ones and the last one, which decided, are kept; the indices in the hits show the gap.
    ///
    /// - Returns: the number of hits that were left out.
    mutating func appendHits(_ hits: [String], limit: Int) -> Int {
        append(UInt8(ascii: "["))
        defer { append(UInt8(ascii: "]")) }
        let begin = count
        let omitted = appendElements(hits, limit: limit)
        guard omitted > 0, let last = hits.last else { return omitted }
        truncate(to: begin)
        appendJSON(last)
        let lastCount = count - begin
        truncate(to: begin)
        guard lastCount <= limit else { return appendElements(hits, limit: limit) }
        let others = appendElements(hits.dropLast(), limit: limit - lastCount - 1)
        if count > begin { append(UInt8(ascii: ",")) }
        appendJSON(last)
        return others
    }

    /// Appends texts as the elements of a JSON array, without its brackets, with a maximum number of bytes.
    ///
    /// Texts that do not fit are left out whole.
    ///
    /// - Returns: the number of texts that were left out.
    mutating func appendElements(_ texts: some Sequence<String>, limit: Int) -> Int {
        let begin = count
        var omitted = 0
        for text in texts {
            let before = count
            // A text that cannot fit is skipped without being read.
            if before - begin + text.utf8.count + 2 <= limit {
                if before > begin { append(UInt8(ascii: ",")) }
                appendJSON(text)
                if count - begin <= limit { continue }
                truncate(to: before)
            }
            omitted += 1
        }
        return omitted
    }

    private mutating func appendEscape(ofControl byte: UInt8) {
        switch byte {
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0a: append("\\n")
        case 0x0c: append("\\f")
        case 0x0d: append("\\r")
        default:
            append(byte < 0x10 ? "\\u000" : "\\u001")
            let digit = byte & 0xf
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension Unicode.Scalar {
    /// The number of bytes of the character in a JSON string.
    fileprivate var lengthInJSON: Int {
        switch value {
        case 0x22, 0x5c, 0x08, 0x09, 0x0a, 0x0c, 0x0d: 2
        case ..<0x20: 6
        default: UTF8.width(self)
        }
    }
}
