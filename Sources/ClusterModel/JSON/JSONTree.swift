/// A complete JSON value, for checks that need more of an object than the fields that Weir uses.
public struct JSONTree: Sendable, Hashable {
    /// A value with its type.
    public enum Value: Sendable, Hashable {
        /// Null.
        case null
        /// True or false.
        case bool(Bool)
        /// A number in its original form.
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
        /// The key of the member.
        public var key: String
        /// The value of the member.
        public var value: JSONTree
    }

    /// The value.
    public var value: Value
    /// The offset of the value, in bytes from the beginning of the text.
    public var offset: Int
}

extension JSONTree {
    /// The value for a message: a string or number itself, or the type of another value.
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

/// The complete JSON tree of an object.
public struct ObjectTree: Sendable {
    /// The kind of the object.
    public var kind: ObjectKind
    /// A reference to the object; nil if its name is unreadable.
    public var reference: ObjectReference?
    /// The path to the object in its text, as in `items[3]`.
    public var path: [PathComponent]
    /// The tree of the object.
    public var root: JSONTree
}

extension JSONReader {
    /// Reads a complete value; its depth is at most ``depthLimit``.
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
