import ClusterModel

/// The events of an `EventList` (audit.k8s.io/v1), the body of a request of an API server's webhook backend.
///
/// The whole text is checked to be JSON. Items that are not events are detected when they are read (``line(_:in:to:)``).
package struct AuditEventList {
    /// The maximum number of events in a list; an API server sends 400 by default.
    package static let limit = 65_536

    /// The places of the items in the text.
    package private(set) var items: [Range<Int>] = []
    private var kind = ""
    private var version = ""

    /// Finds the items.
    ///
    /// - Parameter bytes: the text.
    /// - Throws: the reason why the text is not a list, and the place.
    package init(in bytes: Span<UInt8>) throws(AuditError) {
        do throws(JSONError) {
            var reader = JSONReader(bytes)
            try find(&reader)
        } catch {
            throw AuditError(error)
        }
        guard kind == "EventList", AuditPlaces.versions.contains(version) else {
            throw AuditError("not an EventList of audit.k8s.io")
        }
        guard items.count <= Self.limit else { throw AuditError("more than \(Self.limit) events") }
    }

    private mutating func find(_ reader: inout JSONReader) throws(JSONError) {
        guard try reader.enterObject() else { return }
        while let key = try reader.nextKey() {
            switch key {
            case "kind": kind = try reader.string() ?? ""
            case "apiVersion": version = try reader.string() ?? ""
            case "items": try findItems(&reader)
            default: try reader.skip()
            }
        }
        try reader.expectEnd()
    }

    private mutating func findItems(_ reader: inout JSONReader) throws(JSONError) {
        items = []
        guard try reader.enterArray() else { return }
        while try reader.nextElement() {
            let start = reader.offset
            try reader.skip()
            if items.count <= Self.limit { items.append(start..<reader.offset) }
        }
    }

    /// The kind of an item.
    package enum Item: Sendable, Hashable {
        /// An event, whose line was appended; the key identifies the stage of the request.
        case event(key: Int)
        /// An event about credentials.
        case secret
        /// Not an event.
        case malformed
    }

    /// Appends an item in the form of an API server's log: a line with kind and version, which items of lists lack.
    ///
    /// - Parameters:
    ///   - item: the place of the item.
    ///   - bytes: the text of the list.
    ///   - lines: the buffer for complete lines.
    /// - Returns: the kind of the item; nothing is appended if it is not an event, is about credentials, or is too long for a
    ///   line.
    package func line(_ item: Range<Int>, in bytes: [UInt8], to lines: inout [UInt8]) -> Item {
        guard item.count < AuditLines.limit - Self.prefix.count,
            let places = try? AuditPlaces(in: bytes.span, item, isItem: true)
        else { return .malformed }
        guard !AuditEvent(at: places, in: bytes.span).isSecret else { return .secret }
        let start = lines.count
        if places[.kind] == nil || places[.apiVersion] == nil {
            lines += Self.prefix
            lines += bytes[item.dropFirst()]
        } else {
            lines += bytes[item]
        }
        // Line ends within JSON are white space between values.
        for index in start..<lines.count where lines[index] == 0x0a || lines[index] == 0x0d { lines[index] = 0x20 }
        lines.append(0x0a)
        return .event(key: places.key(in: bytes))
    }

    private static let prefix = Array(#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#.utf8)
}

extension AuditPlaces {
    /// The hash of audit ID, stage and time of reception, seeded for this process.
    ///
    /// The client can choose the audit ID.
    package func key(in bytes: [UInt8]) -> Int {
        var hasher = Hasher()
        for member in [Member.auditID, .stage, .requestReceivedTimestamp] {
            let place = self[member] ?? 0..<0
            hasher.combine(place.count)
            bytes[place].withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }
}
