import FlowModel
package import Records

/// A stored flow key: the values of ``StoreFields/key``.
package struct StoredKey: Sendable {
    /// The values with separators between them.
    let bytes: [UInt8]
    /// The key as a record without other values.
    package let record: ReadRecord

    /// The key of a number that has none.
    static let none = StoredKey()

    /// Whether it is that of a number that has none.
    var isNone: Bool { bytes.isEmpty }

    private init() {
        (bytes, record) = ([], .empty)
    }

    /// Decodes the JSON object in the database.
    init(json: String) throws(StoreError) {
        do throws(RecordError) {
            record = try ReadRecord(Array(json.utf8))
        } catch {
            throw .corrupt("a flow key is no JSON object: \(error)")
        }
        var bytes: [UInt8] = []
        for (index, field) in StoreFields.key.enumerated() {
            if index > 0 { bytes.append(StoreFields.separator) }
            bytes += record.jsonBytes(field)
        }
        self.bytes = bytes
    }

    /// Encodes the key as a JSON object with field names.
    static func json(_ key: [UInt8]) -> String {
        let values = key.split(separator: StoreFields.separator, omittingEmptySubsequences: false)
        let members = zip(StoreFields.key, values).map { field, value in
            "\"\(field.description.name)\":\(String(decoding: value, as: UTF8.self))"
        }
        return "{\(members.joined(separator: ","))}"
    }
}
