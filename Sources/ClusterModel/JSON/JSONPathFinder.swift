/// Finds the path to an offset in a text, after the text was read.
///
/// Paths are rarely needed, and a reader that tracked them would do so for every value of every object.
struct JSONPathFinder: ~Escapable {
    /// An enclosing object or array.
    private enum Level {
        /// An object, with the key of the current member, and whether a key comes next.
        case object(key: Range<Int>?, isAtKey: Bool)
        /// An array, with the index of the current element.
        case array(index: Int)
    }

    /// The most bytes of a key in a path.
    private static let longestKey = 64
    /// The longest path, in steps; deeply nested text could have a path of hundreds.
    private static let longestPath = 32

    private let bytes: Span<UInt8>
    private var offset: Int
    private var levels: [Level] = []

    /// Begins at the value from which paths are counted.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, from start: Int) {
        self.bytes = bytes
        offset = start
    }

    /// The path to an offset, which must not be less than the previous one.
    mutating func path(to target: Int) -> [PathComponent] {
        while offset < min(target, bytes.count) {
            let end = endOfToken()
            if end > target { break }
            pass(offset..<end)
            offset = end
        }
        return levels.prefix(Self.longestPath).compactMap { level in
            switch level {
            case .array(let index): .index(index)
            case .object(let key?, _): .key(text(of: key))
            case .object: nil
            }
        }
    }

    private func text(of key: Range<Int>) -> String {
        let shown = key.prefix(Self.longestKey)
        let text = JSONText(bytes.extracting(shown), hasEscapes: true).string
        return shown.count < key.count ? "\(text)…" : text
    }

    /// The end of the token at the current offset: a string, or a single byte.
    private func endOfToken() -> Int {
        guard bytes[offset] == UInt8(ascii: "\"") else { return offset + 1 }
        var end = offset + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
            end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(end + 1, bytes.count)
    }

    private mutating func pass(_ token: Range<Int>) {
        switch bytes[token.lowerBound] {
        case UInt8(ascii: "{"):
            levels.append(.object(key: nil, isAtKey: true))
        case UInt8(ascii: "["):
            levels.append(.array(index: 0))
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            if !levels.isEmpty { levels.removeLast() }
        case UInt8(ascii: ","):
            guard let level = levels.popLast() else { return }
            switch level {
            case .array(let index): levels.append(.array(index: index + 1))
            case .object: levels.append(.object(key: nil, isAtKey: true))
            }
        case UInt8(ascii: "\""):
            guard case .object(_, isAtKey: true)? = levels.last, token.count >= 2 else { return }
            levels[levels.count - 1] = .object(key: token.lowerBound + 1..<token.upperBound - 1, isAtKey: false)
        default:
            break
        }
    }
}

extension JSONReader {
    /// Returns the value at an offset for a message: a string or number itself, or the type of another value.
    static func excerpt(at offset: Int, in bytes: Span<UInt8>) -> String? {
        var reader = JSONReader(bytes, at: min(max(offset, 0), bytes.count))
        switch reader.peek() {
        case UInt8(ascii: "{"): return "an object"
        case UInt8(ascii: "["): return "a list"
        case 0: return reader.offset >= bytes.count ? "the end of the text" : nil
        default: break
        }
        let start = reader.offset
        guard (try? reader.skip()) != nil else { return nil }
        let text = JSONText(bytes.extracting(start..<min(reader.offset, start + 80)), hasEscapes: false).string
        return reader.offset > start + 80 ? "\(text)…" : text
    }
}
