/// Finds the end of a JSON value that arrives in pieces.
///
/// It examines only strings and brackets; the decoder validates the value.
struct ValueScanner: Sendable {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// Begins before a value.
    init() {}

    /// Searches a piece for the end of the value.
    ///
    /// - Parameters:
    ///   - bytes: a piece of the text.
    ///   - start: the offset at which the value begins or continues.
    /// - Returns: the offset after the value; nil if it does not end in this piece.
    mutating func end(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            if isInString {
                index = passString(in: bytes, from: index)
                if !isInString, depth == 0 { return index }
                continue
            }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // At depth 0 the bracket belongs to the container of a number or literal.
                if depth == 0 { return index }
                depth &-= 1
                if depth == 0 { return index &+ 1 }
            case UInt8(ascii: ","), 0x20, 0x0a, 0x0d, 0x09:
                if depth == 0 { return index }
            default:
                break
            }
            index &+= 1
        }
        return nil
    }

    /// Goes to the end of the string or of the piece.
    private mutating func passString(in bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        if isEscaped {
            isEscaped = false
            index &+= 1
        }
        while index < bytes.count {
            index = JSONReader.nextSpecial(in: bytes, from: index)
            guard index < bytes.count else { break }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                isInString = false
                return index &+ 1
            case UInt8(ascii: "\\"):
                if index &+ 1 == bytes.count { isEscaped = true }
                index &+= 2
            default:
                index &+= 1
            }
        }
        return bytes.count
    }
}
