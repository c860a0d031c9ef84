/// A JSON value with all that is in it, for checks that need the whole of an object and not only what Weir uses.
public struct JSONTree: Sendable, Hashable {
    /// A value with its type.
    public enum Value: Sendable, Hashable {
        /// Null.
        case null
        /// True or false.
        case bool(Bool)
        /// A number, as it is written.
        case number(String)
        /// A string.
        case string(String)
        /// The elements of a list.
        case list([JSONTree])
        /// The members of an object, in the order of the text.
        case object([Member])
    }

    /// A member of an object.
    public struct Member: Sendable, Hashable {
        /// Its key.
        public var key: String
        /// Its value.
        public var value: JSONTree
    }

    /// The value.
    public var value: Value
    /// The place of the value, in bytes from the beginning of the text.
    public var offset: Int
}

extension JSONTree {
    /// The value, short enough for a message: a string or number itself, of others the type.
    public var excerpt: String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let text): text
        case .string(let text):
            text.utf8.count > 80 ? "\"\(String(text.prefix(80)).printable)…\"" : "\"\(text.printable)\""
        case .list: "a list"
        case .object: "an object"
        }
    }
}

/// An object with all that it says.
public struct ObjectTree: Sendable {
    /// Its kind.
    public var kind: ObjectKind
    /// Its name; nil if it has none that can be read.
    public var reference: ObjectReference?
    /// The path in its text, as in `items[3]`.
    public var path: [PathComponent]
    /// The value of the whole text.
    public var root: JSONTree
}

extension JSONReader {
    /// A value with all that is in it; no deeper than ``depthLimit``.
    mutating func tree() throws(JSONError) -> JSONTree {
        switch peek() {
        case UInt8(ascii: "{"):
            let start = offset
            return JSONTree(value: try treeMembers(), offset: start)
        case UInt8(ascii: "["):
            let start = offset
            return JSONTree(value: try treeElements(), offset: start)
        case UInt8(ascii: "\""):
            let start = offset
            return JSONTree(value: try string().map { .string($0) } ?? .null, offset: start)
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            let start = offset
            return JSONTree(value: try bool().map { .bool($0) } ?? .null, offset: start)
        default:
            let (start, isNumber) = (offset, isAtNumber)
            try skip()
            let text = isNumber ? JSONText(bytes.extracting(start..<offset), hasEscapes: false).string : ""
            return JSONTree(value: isNumber ? .number(text) : .null, offset: start)
        }
    }

    private mutating func treeMembers() throws(JSONError) -> JSONTree.Value {
        var members: [JSONTree.Member] = []
        guard try enterObject() else { return .null }
        while let key = try nextKey() {
            let name = key.string
            members.append(JSONTree.Member(key: name, value: try tree()))
        }
        return .object(members)
    }

    private mutating func treeElements() throws(JSONError) -> JSONTree.Value {
        var elements: [JSONTree] = []
        guard try enterArray() else { return .null }
        while try nextElement() { elements.append(try tree()) }
        return .list(elements)
    }
}
