/// The fields of a line that is a JSON object, located in one pass without parsing the values.
struct LineFields {
    private let line: ArraySlice<UInt8>
    private var values: [String: Range<Int>] = [:]

    /// Takes a line, with or without its newline; a line that is not a JSON object has no fields.
    init(_ line: ArraySlice<UInt8>) {
        self.line = line
        var place = line.startIndex
        guard take(UInt8(ascii: "{"), &place) else { return }
        while let key = string(&place), take(UInt8(ascii: ":"), &place), let end = valueEnd(place) {
            values[String(decoding: line[key], as: UTF8.self)] = place..<end
            place = end
            guard take(UInt8(ascii: ","), &place) else { return }
        }
    }

    /// Returns the text or number of a field; nil if it is absent, null, `-`, or not a plain text.
    func text(_ key: String) -> String? {
        guard let range = values[key], let first = line[range].first else { return nil }
        switch first {
        case UInt8(ascii: "\""):
            let text = line[(range.lowerBound + 1)..<(range.upperBound - 1)]
            // Names have no escapes; values with escapes are only in the message.
            guard !text.isEmpty, !text.contains(UInt8(ascii: "\\")), text.elementsEqual("-".utf8) == false else {
                return nil
            }
            return String(decoding: text, as: UTF8.self)
        case 0x30...0x39: return String(decoding: line[range], as: UTF8.self)
        default: return nil
        }
    }

    /// Returns the fields of a field that is an object; nil for other values.
    func object(_ key: String) -> LineFields? {
        guard let range = values[key], line[range].first == UInt8(ascii: "{") else { return nil }
        return LineFields(line[range])
    }

    private func take(_ byte: UInt8, _ place: inout Int) -> Bool {
        guard place < line.endIndex, line[place] == byte else { return false }
        place += 1
        return true
    }

    /// Reads a text between quotes; nil if there is none.
    private func string(_ place: inout Int) -> Range<Int>? {
        guard take(UInt8(ascii: "\""), &place) else { return nil }
        let start = place
        while place < line.endIndex {
            switch line[place] {
            case UInt8(ascii: "\""):
                place += 1
                return start..<(place - 1)
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        return nil
    }

    /// Returns the end of the value that begins at a place.
    private func valueEnd(_ start: Int) -> Int? {
        var (place, depth) = (start, 0)
        while place < line.endIndex {
            switch line[place] {
            case UInt8(ascii: "\""):
                guard string(&place) != nil else { return nil }
                if depth == 0 { return place }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return place }
                depth -= 1
                if depth == 0 { return place + 1 }
            case UInt8(ascii: ",") where depth == 0: return place
            default: break
            }
            place += 1
        }
        return nil
    }
}
