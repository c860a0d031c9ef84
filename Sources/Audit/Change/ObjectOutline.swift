import ClusterModel
import Glibc

/// The places of the members of an object that are compared, found in one pass without decoding.
///
/// Places are relative to the beginning of the object, so that they are valid in a copy of it.
struct ObjectOutline: Sendable {
    /// A part of an object.
    enum Part: Sendable {
        case root, metadata, spec, status
    }

    /// A member of a part.
    struct Member: Sendable {
        let part: Part
        private let places: (UInt16, UInt16, UInt16, UInt16)

        init(part: Part, key: Range<Int>, value: Range<Int>) {
            self.part = part
            places = (
                UInt16(key.lowerBound), UInt16(key.upperBound), UInt16(value.lowerBound), UInt16(value.upperBound)
            )
        }

        /// The place of the key, without its quotes.
        var key: Range<Int> { Int(places.0)..<Int(places.1) }
        var value: Range<Int> { Int(places.2)..<Int(places.3) }

        /// Whether a member of another object is in the same part and has the same key.
        func isNamed(as other: Member, in object: Span<UInt8>, _ otherObject: Span<UInt8>) -> Bool {
            part == other.part && ObjectOutline.isSame(key, other.key, object, otherObject)
        }
    }

    /// The members, except managed fields and most of the status, which are not compared.
    private(set) var members: [Member] = []
    private var hasSpec = false
    /// Whether the comparison of a member depends on other members, so that all members must be read.
    private var isWhole = false

    /// The maximum size of an object with an outline, bytes; such an object is never too large for an ``ObjectValue``.
    static let longest = 32 << 10

    /// The maximum number of members: each is compared with all others.
    private static let mostMembers = 256

    /// Finds the members; nil if the object must be read as a whole.
    ///
    /// An outline cannot represent long objects, lists, objects with repeated members or with escapes in keys, and the API
    /// server's `Status`.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that contains the object, which must be valid JSON.
    ///   - place: the range of the object in the buffer.
    init?(in bytes: Span<UInt8>, _ place: Range<Int>) {
        guard place.count <= Self.longest else { return nil }
        let object = bytes.extracting(place)
        var reader = JSONReader(object)
        members.reserveCapacity(32)
        guard (try? readRoot(&reader)) == true, members.count <= Self.mostMembers, !hasRepeatedKeys(in: object) else {
            return nil
        }
    }

    // MARK: - Reading

    /// Reads an object; returns false if an outline cannot represent it.
    private mutating func readRoot(_ reader: inout JSONReader) throws(JSONError) -> Bool {
        var parts = 0
        guard reader.peek() == UInt8(ascii: "{"), try reader.enterObject() else { return false }
        while let key = try reader.nextKey() {
            guard !key.hasEscapes, !ObjectValue.isLeftOut(key) else { return false }
            let part: Part?
            switch key {
            case "metadata": part = .metadata
            case "spec": part = .spec
            case "status": part = .status
            default: part = nil
            }
            guard let part else {
                let isKind = "kind" ~= key
                if Self.isOfSelector(key) { isWhole = true }
                let member = try Self.member(of: .root, key, &reader)
                if isKind {
                    let kind = reader.bytes.extracting(member.value)
                    guard kind.count > 2, !Self.isStatus(kind) else { return false }
                } else if !("apiVersion" ~= key) {
                    members.append(member)
                }
                continue
            }
            // Each part may occur once.
            let bit = part == .metadata ? 1 : part == .spec ? 2 : 4
            guard parts & bit == 0, try readPart(part, &reader) else { return false }
            parts |= bit
        }
        hasSpec = parts & 2 != 0
        // A member outside of the spec takes precedence over a member of the spec with the same name.
        if hasSpec, members.contains(where: { $0.part == .root }) { isWhole = true }
        return parts & 1 != 0
    }

    private mutating func readPart(_ part: Part, _ reader: inout JSONReader) throws(JSONError) -> Bool {
        guard reader.peek() == UInt8(ascii: "{"), try reader.enterObject() else { return false }
        while let key = try reader.nextKey() {
            guard !key.hasEscapes else { return false }
            let isWanted =
                switch part {
                case .metadata: Self.isOfMetadata(key)
                case .status: Self.isPlace(key)
                case .spec, .root: !ObjectValue.isLeftOut(key)
                }
            if isWanted {
                if part == .spec, Self.isOfSelector(key) { isWhole = true }
                members.append(try Self.member(of: part, key, &reader))
            } else {
                try reader.skipKnown()
            }
        }
        return true
    }

    /// Skips the value of a member, and returns the places of key and value.
    private static func member(
        of part: Part,
        _ key: borrowing JSONText,
        _ reader: inout JSONReader
    ) throws(JSONError) -> Member {
        let start = reader.offset
        // Between a key and its value there are only a quote, a colon and white space.
        var end = start - 1
        while reader.bytes[end] != UInt8(ascii: "\"") { end -= 1 }
        let count = key.bytes.count
        try reader.skipKnown()
        return Member(part: part, key: end - count..<end, value: start..<reader.offset)
    }

    private static func isOfMetadata(_ key: borrowing JSONText) -> Bool {
        switch key.bytes.count {
        case 3: "uid" ~= key
        case 4: "name" ~= key
        case 6: "labels" ~= key
        case 10: "finalizers" ~= key
        case 11: "annotations" ~= key
        case 15: "resourceVersion" ~= key
        case 17: "deletionTimestamp" ~= key
        case 26: "deletionGracePeriodSeconds" ~= key
        default: false
        }
    }

    /// Whether a member of a status has addresses or locations (``ObjectComparison/places``).
    private static func isPlace(_ key: borrowing JSONText) -> Bool {
        switch key.bytes.count {
        case 5: "phase" ~= key
        case 6: "podIPs" ~= key || "hostIP" ~= key
        case 9: "addresses" ~= key
        case 12: "loadBalancer" ~= key
        default: false
        }
    }

    private static func isOfSelector(_ key: borrowing JSONText) -> Bool {
        "matchLabels" ~= key || "matchExpressions" ~= key
    }

    /// Whether a kind is `Status`, or may be.
    private static func isStatus(_ kind: Span<UInt8>) -> Bool {
        AuditPlaces.value(at: 0..<kind.count, is: "Status", in: kind)
            || kind.withUnsafeBufferPointer { $0.contains(UInt8(ascii: "\\")) }
    }

    private func hasRepeatedKeys(in object: Span<UInt8>) -> Bool {
        for index in members.indices.dropFirst() {
            let member = members[index]
            for other in members[..<index] where other.part == member.part && other.key.count == member.key.count {
                if Self.isSame(other.key, member.key, object, object) { return true }
            }
        }
        return false
    }

    // MARK: - Members

    /// The value of a member; nil if the object does not have it.
    func value(of part: Part, _ name: StaticString, in object: Span<UInt8>) -> Range<Int>? {
        members.first {
            $0.part == part && $0.key.count == name.utf8CodeUnitCount && Self.isText($0.key, name, object)
        }?
        .value
    }

    /// Whether both objects have a member with the same bytes, or neither has the member.
    func isSame(
        _ part: Part,
        _ name: StaticString,
        in object: Span<UInt8>,
        as other: ObjectOutline,
        in otherObject: Span<UInt8>
    ) -> Bool {
        switch (value(of: part, name, in: object), other.value(of: part, name, in: otherObject)) {
        case (nil, nil): true
        case (let value?, let otherValue?): Self.isSame(value, otherValue, object, otherObject)
        default: false
        }
    }

    /// Returns the integer in a text value, such as a version; nil if there is none.
    func number(of part: Part, _ name: StaticString, in object: Span<UInt8>) -> UInt64? {
        guard let place = value(of: part, name, in: object), 3...21 ~= place.count else { return nil }
        var number: UInt64 = 0
        for index in place.dropFirst().dropLast() {
            guard 0x30...0x39 ~= object[index] else { return nil }
            number = number * 10 + UInt64(object[index] - 0x30)
        }
        return number
    }

    /// Returns the members that are also read for other purposes than comparison: the metadata and the spec's finalizers.
    func identity(in object: Span<UInt8>) -> [Member] {
        members.filter { $0.part == .metadata || $0.part == .spec && Self.isText($0.key, "finalizers", object) }
    }

    /// Returns the members that differ from those of another object, and the members that are also read for other purposes.
    ///
    /// Returns all members if the comparison of one depends on the others.
    func differing(in object: Span<UInt8>, from other: ObjectOutline, in otherObject: Span<UInt8>) -> [Member] {
        guard !isWhole, !other.isWhole else { return members }
        return members.filter { member in
            guard isOnlyCompared(member, with: other, object) else { return true }
            return !other.members.contains {
                $0.isNamed(as: member, in: otherObject, object)
                    && Self.isSame($0.value, member.value, otherObject, object)
            }
        }
    }

    private func isOnlyCompared(_ member: Member, with other: ObjectOutline, _ object: Span<UInt8>) -> Bool {
        switch member.part {
        case .status: true
        case .metadata: Self.isText(member.key, "labels", object) || Self.isText(member.key, "annotations", object)
        // Namespaces have finalizers in their spec.
        case .spec: hasSpec && other.hasSpec && !Self.isText(member.key, "finalizers", object)
        case .root: !hasSpec && !other.hasSpec
        }
    }

    private static func isText(_ place: Range<Int>, _ text: StaticString, _ bytes: Span<UInt8>) -> Bool {
        guard place.count == text.utf8CodeUnitCount else { return false }
        return bytes.extracting(place).withUnsafeBytes { bytes in
            bytes.baseAddress.map { memcmp($0, text.utf8Start, bytes.count) == 0 } ?? true
        }
    }

    /// Whether the bytes at two places are the same.
    static func isSame(_ place: Range<Int>, _ other: Range<Int>, _ bytes: Span<UInt8>, _ others: Span<UInt8>)
        -> Bool
    {
        guard place.count == other.count else { return false }
        return bytes.extracting(place).withUnsafeBytes { left in
            others.extracting(other).withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return memcmp(left, right, place.count) == 0
            }
        }
    }
}
