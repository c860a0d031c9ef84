/// The values of the merge keys (`<<`) of a mapping, whose members are added unless the mapping has their key.
///
/// As in YAML 1.1 and go-yaml, the value is a mapping or a list of mappings, and for duplicate keys the first one counts.
struct YAMLMerge {
    /// A member of a mapping as JSON, with its key in quotes.
    struct Member {
        var key: ArraySlice<UInt8>
        var value: ArraySlice<UInt8>
    }

    /// The message for a value of the wrong type.
    static let expectation = "the value of << must be a mapping, or a list of mappings"

    /// The members, in order of precedence.
    private(set) var members: [Member] = []

    /// Adds a mapping or a list of mappings, as JSON without white space; false if it is neither.
    mutating func add(_ json: ArraySlice<UInt8>) -> Bool {
        switch json.first {
        case UInt8(ascii: "{"):
            members += Self.parts(json).map { part in
                let key = Self.endOfString(part)
                return Member(key: part[..<key], value: part[(key + 1)...])
            }
            return true
        case UInt8(ascii: "["):
            let parts = Self.parts(json)
            return parts.allSatisfy { $0.first == UInt8(ascii: "{") } && parts.allSatisfy { add($0) }
        default:
            return false
        }
    }

    /// The members of an object, or the elements of an array.
    private static func parts(_ json: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        let inner = json.dropFirst().dropLast()
        var parts: [ArraySlice<UInt8>] = []
        var (start, index, depth) = (inner.startIndex, inner.startIndex, 0)
        while index < inner.endIndex {
            switch inner[index] {
            case UInt8(ascii: "\""):
                index = endOfString(inner[index...])
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ",") where depth == 0:
                parts.append(inner[start..<index])
                start = index + 1
            default: break
            }
            index += 1
        }
        if start < inner.endIndex { parts.append(inner[start...]) }
        return parts
    }

    /// The index after the string at the beginning of a text.
    private static func endOfString(_ text: ArraySlice<UInt8>) -> Int {
        var index = text.startIndex + 1
        while index < text.endIndex, text[index] != UInt8(ascii: "\"") {
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(index + 1, text.endIndex)
    }
}
