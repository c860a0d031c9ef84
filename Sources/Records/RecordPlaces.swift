import ClusterModel
package import FlowModel

/// The places of the values of a record's fields in its JSON object; one value is reused for all records.
package struct RecordPlaces: Sendable {
    /// The maximum size of a record, in bytes.
    package static let maximumBytes = 1 << 20

    private var starts = [Int32](repeating: -1, count: FlowField.allCases.count)
    private var ends = [Int32](repeating: -1, count: FlowField.allCases.count)
    /// The field that followed each field in the last record; the first entry is the first field.
    ///
    /// For any constant order of members, each name is compared with one field name only.
    private var followers = RecordPlaces.formatOrder
    private static let formatOrder = FlowField.allCases.indices.map { Int32($0) } + [-1]
    /// The number of members of the last record that are not fields.
    package private(set) var unknownMembers = 0

    /// Creates an empty value.
    package init() {}

    /// Returns the place of a field's JSON value; nil where the record does not have the field.
    package subscript(_ field: FlowField) -> Range<Int>? {
        let start = Int(starts[field.rawValue])
        return start < 0 ? nil : start..<Int(ends[field.rawValue])
    }

    /// Forgets the order of the fields of the last record, which only the next one needs.
    mutating func forgetOrder() { followers = Self.formatOrder }

    /// Finds the fields of a JSON object; members may be in any order, and the last of several equal members counts.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that contains the object.
    ///   - range: the range of the object in the buffer, with white space around it.
    /// - Throws: an error if the text is not JSON, or is not an object with at least one field of a record.
    package mutating func find(in bytes: Span<UInt8>, _ range: Range<Int>) throws(RecordError) {
        for index in starts.indices { starts[index] = -1 }
        unknownMembers = 0
        guard range.count <= Self.maximumBytes else {
            throw RecordError(offset: 0, reason: "a record of more than \(Self.maximumBytes) bytes")
        }
        var found = 0
        do throws(JSONError) {
            found = try read(bytes.extracting(0..<range.upperBound), from: range.lowerBound)
        } catch {
            throw RecordError(offset: error.offset - range.lowerBound, reason: error.reason.description)
        }
        guard found > 0 else { throw RecordError(offset: 0, reason: "no field of a flow record is in it") }
    }

    private mutating func read(_ bytes: Span<UInt8>, from start: Int) throws(JSONError) -> Int {
        var reader = JSONReader(bytes, at: start)
        guard reader.peek() == UInt8(ascii: "{"), try reader.enterObject() else {
            throw .syntax("expected an object", at: reader.offset)
        }
        var place = 0
        var found = 0
        while let key = try reader.nextKey() {
            let field = RecordFieldNames.field(key.bytes, expected: Int(followers[place]))
            let valueStart = reader.offset
            try reader.skip()
            guard let field else {
                unknownMembers += 1
                continue
            }
            starts[field] = Int32(valueStart)
            ends[field] = Int32(reader.offset)
            if followers[place] != Int32(field) { followers[place] = Int32(field) }
            place = field + 1
            found += 1
        }
        try reader.expectEnd()
        return found
    }
}

/// The reason why a text is not a record.
package struct RecordError: Error, Hashable, CustomStringConvertible {
    /// The place of the error, in bytes from the beginning of the text.
    package let offset: Int
    /// The reason.
    package let reason: String

    /// Takes both members.
    package init(offset: Int, reason: String) {
        (self.offset, self.reason) = (offset, reason)
    }

    /// The place and the reason.
    package var description: String { "column \(offset + 1): \(reason)" }
}

/// The names of fields as bytes.
enum RecordFieldNames {
    private static let names = FlowField.allCases.map { Array($0.description.name.utf8) }
    private static let byName: [[UInt8]: Int] = Dictionary(
        uniqueKeysWithValues: names.enumerated().map { ($0.element, $0.offset) }
    )

    /// Returns the field of a key; compares the expected field first, if there is one.
    static func field(_ key: Span<UInt8>, expected: Int) -> Int? {
        if names.indices.contains(expected), isEqual(key, names[expected]) { return expected }
        var text: [UInt8] = []
        text.reserveCapacity(key.count)
        for index in key.indices { text.append(key[index]) }
        return byName[text]
    }

    private static func isEqual(_ key: Span<UInt8>, _ name: [UInt8]) -> Bool {
        guard key.count == name.count else { return false }
        for index in key.indices where key[index] != name[index] { return false }
        return true
    }
}
