/// The JSON text of an object during its conversion from YAML.
struct YAMLObjectText {
    /// The text so far.
    var json: [UInt8] = []
    private var marks: [ObjectText.Mark] = []

    /// Whether nothing has been written.
    var isEmpty: Bool { json.isEmpty }

    /// Clears the text.
    mutating func restart() {
        json.removeAll(keepingCapacity: true)
        marks.removeAll(keepingCapacity: true)
    }

    /// Returns the text and clears it.
    mutating func take() -> ObjectText {
        defer { (json, marks) = ([], []) }
        return ObjectText(json: json, line: marks.first?.line ?? 1, marks: marks)
    }

    /// Removes and returns the text from an offset on.
    mutating func cut(from start: Int) -> ArraySlice<UInt8> {
        let rest = Array(json[start...])
        json.removeSubrange(start...)
        marks.removeAll { $0.offset >= start }
        return rest[...]
    }

    /// Records that the following text comes from a line.
    mutating func mark(_ line: Int) {
        guard marks.last?.line != line else { return }
        marks.append(ObjectText.Mark(offset: json.count, line: line))
    }

    /// Writes a scalar with the given text in the file.
    mutating func append(_ value: YAMLScalar, _ bytes: UnsafeBufferPointer<UInt8>) {
        switch value {
        case .null: json += "null".utf8
        case .bool(let value): json += (value ? "true" : "false").utf8
        case .number: json += bytes
        case .integer(let number): json += String(number).utf8
        case .string: appendString(bytes)
        }
    }

    /// Writes a string with the escapes that JSON requires (RFC 8259, section 7).
    private mutating func appendString(_ bytes: UnsafeBufferPointer<UInt8>) {
        json.append(UInt8(ascii: "\""))
        var start = 0
        for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5c {
            json += bytes[start..<index]
            start = index + 1
            if byte < 0x20 {
                json += "\\u00".utf8
                json.append(Self.digit(byte >> 4))
                json.append(Self.digit(byte & 0xf))
            } else {
                json.append(UInt8(ascii: "\\"))
                json.append(byte)
            }
        }
        json += bytes[start...]
        json.append(UInt8(ascii: "\""))
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// The keys of a mapping, to find duplicates.
struct KeySet {
    private var few: [Range<Int>] = []
    private var many: Set<[UInt8]> = []

    /// Adds a key that is a range of a text; false if it is a duplicate.
    mutating func insert(_ key: Range<Int>, of text: [UInt8]) -> Bool {
        if many.isEmpty {
            if few.contains(where: { text[$0] == text[key] }) { return false }
            few.append(key)
            if few.count > 16 { many = Set(few.map { Array(text[$0]) }) }
            return true
        }
        return many.insert(Array(text[key])).inserted
    }
}
