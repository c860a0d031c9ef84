import ClusterModel

/// A JSON value for comparisons.
///
/// Texts that are not compared are left out, and values that are too large are rejected.
package enum ObjectValue: Sendable, Hashable {
    /// Null.
    case null
    /// True or false.
    case bool(Bool)
    /// A number as written in the JSON text.
    case number(String)
    /// A text.
    case text(String)
    /// The elements of a list.
    case list([ObjectValue])
    /// The members of an object.
    case object(Members)

    /// Reads a value; nil if it exceeds the limits of a comparison: 20,000 values, 1 MiB of text, 64 levels.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that contains the value.
    ///   - place: the range of the value in the buffer.
    package init?(in bytes: Span<UInt8>, _ place: Range<Int>) {
        guard place.upperBound <= bytes.count, place.count <= 2 << 20 else { return nil }
        var reader = JSONReader(bytes.extracting(place))
        var budget = Budget()
        guard let value = budget.value(&reader, depth: 0) else { return nil }
        self = value
    }

    /// Reads some members of an object by its outline; nil if one exceeds the limits of a comparison.
    ///
    /// - Parameters:
    ///   - members: the members to read.
    ///   - object: the object's bytes.
    init?(_ members: some Sequence<ObjectOutline.Member>, in object: Span<UInt8>) {
        var budget = Budget()
        var (root, metadata, spec, status): ([Member], [Member], [Member], [Member]) = ([], [], [], [])
        for member in members {
            let key = Self.text(object.extracting(member.key))
            var reader = JSONReader(object.extracting(member.value))
            guard let value = budget.value(&reader, depth: member.part == .root ? 1 : 2) else { return nil }
            let read = Member(key: key, value: value)
            switch member.part {
            case .root: root.append(read)
            case .metadata: metadata.append(read)
            case .spec: spec.append(read)
            case .status: status.append(read)
            }
        }
        for (key, part) in [("metadata", metadata), ("spec", spec), ("status", status)] {
            root.append(Member(key: key, value: .object(Members(part))))
        }
        self = .object(Members(root))
    }

    /// Whether a member is left out: managed fields, and copies of the object.
    static func isLeftOut(_ key: borrowing JSONText) -> Bool {
        "managedFields" ~= key || "kubectl.kubernetes.io/last-applied-configuration" ~= key
    }

    /// Decodes bytes as text.
    fileprivate static func text(_ bytes: Span<UInt8>) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    /// The members of an object; empty for other values.
    package var members: Members {
        if case .object(let members) = self { members } else { [:] }
    }

    /// The elements of a list; empty for other values.
    package var elements: [ObjectValue] {
        if case .list(let elements) = self { elements } else { [] }
    }

    /// The content of a text; nil for other values.
    package var string: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// A member of an object.
    package subscript(_ key: String) -> ObjectValue? { members[key] }

    /// The elements of a list that are texts.
    package var strings: [String] { elements.compactMap(\.string) }

    /// Whether the value is neither a list nor an object.
    var isScalar: Bool {
        switch self {
        case .list, .object: false
        default: true
        }
    }
}

/// The remaining part of the limits while a value is read.
private struct Budget {
    private static let longestText = 1 << 16
    private static let deepest = 64
    private var values = 20_000
    private var bytes = 1 << 20

    mutating func value(_ reader: inout JSONReader, depth: Int) -> ObjectValue? {
        values -= 1
        guard values > 0, depth < Self.deepest else { return nil }
        switch reader.peek() {
        case UInt8(ascii: "{"): return object(&reader, depth: depth)
        case UInt8(ascii: "["): return list(&reader, depth: depth)
        case UInt8(ascii: "\""):
            guard let text = try? reader.text(), take(text.bytes.count) else { return nil }
            return .text(text.string)
        case UInt8(ascii: "t"): return (try? reader.skip()).map { .bool(true) }
        case UInt8(ascii: "f"): return (try? reader.skip()).map { .bool(false) }
        case UInt8(ascii: "n"): return (try? reader.skip()).map { .null }
        default:
            let start = reader.offset
            guard (try? reader.skip()) != nil, take(reader.offset - start) else { return nil }
            return .number(ObjectValue.text(reader.bytes.extracting(start..<reader.offset)))
        }
    }

    private mutating func take(_ count: Int) -> Bool {
        bytes -= count
        return count <= Self.longestText && bytes > 0
    }

    private mutating func object(_ reader: inout JSONReader, depth: Int) -> ObjectValue? {
        var members: [ObjectValue.Member] = []
        members.reserveCapacity(4)
        do throws(JSONError) {
            guard try reader.enterObject() else { return nil }
            while let key = try reader.nextKey() {
                guard take(key.bytes.count) else { return nil }
                if ObjectValue.isLeftOut(key) {
                    try reader.skip()
                    continue
                }
                let name = key.string
                guard let value = value(&reader, depth: depth + 1) else { return nil }
                members.append(ObjectValue.Member(key: name, value: value))
            }
        } catch {
            return nil
        }
        return .object(ObjectValue.Members(members))
    }

    private mutating func list(_ reader: inout JSONReader, depth: Int) -> ObjectValue? {
        var elements: [ObjectValue] = []
        do throws(JSONError) {
            guard try reader.enterArray() else { return nil }
            while try reader.nextElement() {
                guard let value = value(&reader, depth: depth + 1) else { return nil }
                elements.append(value)
            }
        } catch {
            return nil
        }
        return .list(elements)
    }
}
