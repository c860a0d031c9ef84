import ClusterModel
package import FlowModel

/// A flow record that was read back from a line of JSON: Weir's own, or Calico's.
///
/// A field that the line does not have, or has with a value of another type, has its empty value (``FlowField``).
package struct ReadRecord: Sendable {
    /// The line, without its end.
    package let bytes: [UInt8]
    private let places: RecordPlaces

    /// Reads a line.
    ///
    /// - Throws: why the line is not a record.
    package init(_ bytes: some Collection<UInt8>) throws(RecordError) {
        let line = Array(bytes)
        var places = RecordPlaces()
        try places.find(in: line.span, 0..<line.count)
        self.bytes = line
        self.places = places
    }

    /// The JSON value of a field in the line; its empty value if the line does not have the field.
    package func json(_ field: FlowField) -> String {
        guard let place = places[field] else { return field.description.emptyJSON }
        return String(decoding: bytes[place], as: UTF8.self)
    }

    /// The bytes of ``json(_:)``.
    package func jsonBytes(_ field: FlowField) -> ArraySlice<UInt8> {
        places[field].map { bytes[$0] } ?? Array(field.description.emptyJSON.utf8)[...]
    }

    /// The text of a field; nil where it is null or no text.
    package func text(_ field: FlowField) -> String? {
        guard let place = places[field] else {
            let empty = field.description.emptyJSON
            return empty.hasPrefix("\"") ? String(empty.dropFirst().dropLast()) : nil
        }
        var reader = JSONReader(bytes.span, at: place.lowerBound)
        return try? reader.string()
    }

    /// The text of a field, unless it is null or `-`.
    package func name(_ field: FlowField) -> String? {
        guard let text = text(field), text != "-", !text.isEmpty else { return nil }
        return text
    }

    /// The whole number of a field; 0 where it is none, or negative.
    package func integer(_ field: FlowField) -> UInt64 {
        number(field) ?? 0
    }

    /// The whole number of a field; nil where it is null or none.
    package func number(_ field: FlowField) -> UInt64? {
        guard let place = places[field], !place.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in bytes[place] {
            guard 0x30...0x39 ~= byte else { return nil }
            let (product, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
            guard !over, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// The address of a field.
    package func address(_ field: FlowField) -> IPAddress? {
        text(field).flatMap { IPAddress($0) }
    }

    /// The texts of a list; none where it is null.
    package func texts(_ field: FlowField) -> [String] {
        guard let place = places[field] else { return [] }
        var reader = JSONReader(bytes.span, at: place.lowerBound)
        return (try? reader.strings()) ?? []
    }

    /// The `key=value` texts of the labels of an end.
    package func labels(_ field: FlowField) -> [String] {
        lists(field)["labels"] ?? []
    }

    /// The lists of an object of lists (`policies`, labels) by their names.
    package func lists(_ field: FlowField) -> [String: [String]] {
        guard let place = places[field] else { return [:] }
        var reader = JSONReader(bytes.span, at: place.lowerBound)
        return (try? Self.lists(&reader)) ?? [:]
    }

    private static func lists(_ reader: inout JSONReader) throws(JSONError) -> [String: [String]] {
        var lists: [String: [String]] = [:]
        guard reader.peek() == UInt8(ascii: "{"), try reader.enterObject() else { return lists }
        while let key = try reader.nextKey() {
            let name = key.string
            lists[name] = try reader.strings()
        }
        return lists
    }
}

extension ReadRecord {
    /// Hits of the policies that were in force.
    package var enforcedHits: [String] { lists(.policies)["enforced_policies"] ?? [] }

    /// Hits if staged policies were enforced.
    package var pendingHits: [String] { lists(.policies)["pending_policies"] ?? [] }

    /// Whether the record is of denied packets.
    package var isDenied: Bool { text(.action) == FlowAction.deny.rawValue }

    /// Whether it is the destination that reports.
    package var isDestinationReported: Bool { text(.reporter) == FlowReporter.destination.rawValue }

    /// Whether a host endpoint reports that it forwards the connections: what they carried is counted for their ends, too.
    package var isForwarded: Bool { text(.reporter) == FlowReporter.forward.rawValue }

    /// Hits of host endpoints' policies for forwarded traffic.
    package var transitHits: [String] { lists(.policies)["transit_policies"] ?? [] }

    /// The verdict if staged policies were enforced; nil where no policies are known.
    package var pendingAction: FlowAction? { pendingHits.last.flatMap(Self.action(ofHit:)) }

    /// Whether staged policies would decide otherwise.
    package var isPendingDifferent: Bool {
        guard let pending = pendingAction, let enforced = enforcedHits.last.flatMap(Self.action(ofHit:)) else {
            return false
        }
        return pending != enforced
    }

    /// Returns the action of a hit, from its text (`index|tier|policy|action|rule`); nil where it passed, or is not readable.
    package static func action(ofHit text: String) -> FlowAction? {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        return parts.count >= 4 ? FlowAction(rawValue: String(parts[3])) : nil
    }
}
