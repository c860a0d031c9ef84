import ClusterModel

/// A JSON value for comparisons.
///
/// Members that are not compared are left out, and values that are too large are rejected.
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
    init?(_ members: [ObjectOutline.Member], in object: Span<UInt8>) {
        var budget = Budget()
        self.init(members, in: object) { member, reader, depth in budget.value(&reader, depth: depth) }
    }

    /// Reads members of an object before and after a change; a list element that is identical at the same index is read
    /// once.
    ///
    /// - Parameters:
    ///   - before: the members before.
    ///   - old: the object's bytes before.
    ///   - after: the members after.
    ///   - new: the object's bytes after.
    /// - Returns: both states; a state is nil under the conditions of ``init(_:in:)``.
    static func states(
        _ before: [ObjectOutline.Member],
        in old: Span<UInt8>,
        _ after: [ObjectOutline.Member],
        in new: Span<UInt8>
    ) -> (before: ObjectValue?, answered: ObjectValue?) {
        var lists: [(member: ObjectOutline.Member, elements: [Budget.Element])] = []
        var budget = Budget()
        let earlier = ObjectValue(before, in: old) { member, reader, depth in
            guard reader.peek() == UInt8(ascii: "[") else { return budget.value(&reader, depth: depth) }
            guard let elements = budget.elements(&reader, depth: depth, like: [], in: old) else { return nil }
            lists.append((member, elements))
            return .list(elements.map(\.value))
        }
        budget = Budget()
        let later = ObjectValue(after, in: new) { member, reader, depth in
            let other = lists.first { $0.member.isNamed(as: member, in: old, new) }
            guard let other, reader.peek() == UInt8(ascii: "[") else { return budget.value(&reader, depth: depth) }
            let text = old.extracting(other.member.value)
            return budget.elements(&reader, depth: depth, like: other.elements, in: text).map { .list($0.map(\.value)) }
        }
        return (earlier, later)
    }

    private init?(
        _ members: [ObjectOutline.Member],
        in object: Span<UInt8>,
        _ read: (ObjectOutline.Member, inout JSONReader, _ depth: Int) -> ObjectValue?
    ) {
        var (root, metadata, spec, status): ([Member], [Member], [Member], [Member]) = ([], [], [], [])
        metadata.reserveCapacity(8)
        spec.reserveCapacity(8)
        root.reserveCapacity(8)
        for member in members {
            let key = Self.text(object.extracting(member.key))
            var reader = JSONReader(object.extracting(member.value))
            guard let value = read(member, &reader, member.part == .root ? 1 : 2) else { return nil }
            let part = Member(key: key, value: value)
            switch member.part {
            case .root: root.append(part)
            case .metadata: metadata.append(part)
            case .spec: spec.append(part)
            case .status: status.append(part)
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

    /// An element of a list, and its place in the list's text.
    struct Element {
        let place: Range<Int>
        let value: ObjectValue
    }

    /// Reads a list at the beginning of a text; reuses elements of another list that are identical at the same index.
    ///
    /// - Parameters:
    ///   - reader: a reader at the list.
    ///   - depth: the nesting depth of the list.
    ///   - others: the elements of the other list, at the same depth.
    ///   - text: the other list's text.
    /// - Returns: the elements; nil if the value is not a list, or exceeds the limits of a comparison.
    mutating func elements(
        _ reader: inout JSONReader,
        depth: Int,
        like others: [Element],
        in text: Span<UInt8>
    ) -> [Element]? {
        var elements: [Element] = []
        do throws(JSONError) {
            guard try reader.enterArray() else { return nil }
            while try reader.nextElement() {
                let start = reader.offset
                let same = elements.count < others.count ? others[elements.count] : nil
                if let same, reader.isAt(text.extracting(same.place)) {
                    reader.offset += same.place.count
                    elements.append(Element(place: start..<reader.offset, value: same.value))
                } else {
                    guard let value = value(&reader, depth: depth + 1) else { return nil }
                    elements.append(Element(place: start..<reader.offset, value: value))
                }
            }
        } catch {
            return nil
        }
        return elements
    }

    private mutating func list(_ reader: inout JSONReader, depth: Int) -> ObjectValue? {
        var elements: [ObjectValue] = []
        elements.reserveCapacity(4)
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

extension JSONReader {
    /// Whether the bytes of the next list element are equal to those of another value.
    fileprivate func isAt(_ value: Span<UInt8>) -> Bool {
        let end = offset + value.count
        guard end < bytes.count, bytes[end] == UInt8(ascii: ",") || bytes[end] == UInt8(ascii: "]") else {
            return false
        }
        return ObjectOutline.isSame(offset..<end, 0..<value.count, bytes, value)
    }
}
