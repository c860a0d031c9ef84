import ClusterModel
package import FlowModel

/// A flow record that was read from a line of JSON, written by Weir or by Calico.
///
/// A field that the line lacks, or whose value has another type, has its empty value (``FlowField``).
package struct ReadRecord: Sendable {
    /// The line, without its end.
    package let bytes: [UInt8]
    private let places: RecordPlaces

    /// Parses a line.
    ///
    /// - Throws: the reason why the line is not a record.
    package init(_ bytes: some Collection<UInt8>) throws(RecordError) {
        let line = Array(bytes)
        var places = RecordPlaces()
        try places.find(in: line.span, 0..<line.count)
        places.forgetOrder()
        self.bytes = line
        self.places = places
    }

    private init() {
        (bytes, places) = ([], RecordPlaces())
    }

    /// A record without fields.
    package static let empty = ReadRecord()

    /// Returns the JSON value of a field; its empty value if the line does not have the field.
    package func json(_ field: FlowField) -> String {
        guard let place = places[field] else { return field.description.emptyJSON }
        return String(decoding: bytes[place], as: UTF8.self)
    }

    /// Returns the bytes of ``json(_:)``.
    package func jsonBytes(_ field: FlowField) -> ArraySlice<UInt8> {
        places[field].map { bytes[$0] } ?? Array(field.description.emptyJSON.utf8)[...]
    }

    /// Returns the text of a field; nil if it is null or not a text.
    package func text(_ field: FlowField) -> String? {
        guard let place = places[field] else {
            let empty = field.description.emptyJSON
            return empty.hasPrefix("\"") ? String(empty.dropFirst().dropLast()) : nil
        }
        var reader = JSONReader(bytes.span, at: place.lowerBound)
        return try? reader.string()
    }

    /// Returns the text of a field; nil if it is null or `-`.
    package func name(_ field: FlowField) -> String? {
        guard let text = text(field), text != "-", !text.isEmpty else { return nil }
        return text
    }

    /// Returns the integer of a field; 0 if it is not an integer, or negative.
    package func integer(_ field: FlowField) -> UInt64 {
        number(field) ?? 0
    }

    /// Returns the integer of a field; nil if it is null or not an integer.
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

    /// Returns the address of a field; nil if it has none.
    package func address(_ field: FlowField) -> IPAddress? {
        text(field).flatMap { IPAddress($0) }
    }

    /// Returns the texts of a list; those of the field's empty value if it is missing, null or empty.
    package func texts(_ field: FlowField) -> [String] {
        guard let place = places[field] else { return field.unknownTexts }
        var reader = JSONReader(bytes.span, at: place.lowerBound)
        let texts = (try? reader.strings()) ?? []
        return texts.isEmpty ? field.unknownTexts : texts
    }

    /// Returns the `key=value` texts of the labels of an end.
    package func labels(_ field: FlowField) -> [String] {
        lists(field)["labels"] ?? []
    }

    /// Returns the lists of an object of lists (`policies`, labels) by name.
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
    /// The hits of the enforced policies.
    package var enforcedHits: [String] { lists(.policies)["enforced_policies"] ?? [] }

    /// The hits as if staged policies were enforced.
    package var pendingHits: [String] { lists(.policies)["pending_policies"] ?? [] }

    /// Whether the packets were denied.
    package var isDenied: Bool { text(.action) == FlowAction.deny.rawValue }

    /// The texts in `reporter`: one, or several that Calico Enterprise joins, as in `dst,fwd` or `dst, fwd`.
    var reporters: [String] {
        guard let text = text(.reporter) else { return [] }
        guard text.utf8.contains(UInt8(ascii: ",")) else { return [text] }
        return text.split(separator: ",").map { $0.filter { $0 != " " } }
    }

    /// The reporter: an end if one reports, even if a host endpoint reports, too; the source if none is known.
    package var reporter: FlowReporter {
        let known = reporters.compactMap { FlowReporter(rawValue: $0) }
        return known.first { $0 != .forward } ?? known.first ?? .source
    }

    /// Whether the destination is the reporter.
    package var isDestinationReported: Bool { reporter == .destination }

    /// Whether only a host endpoint reports, of connections that it forwards; their traffic is also counted at their ends.
    package var isForwarded: Bool { reporter == .forward }

    /// The hits of host endpoints' policies for forwarded traffic.
    package var transitHits: [String] { lists(.policies)["transit_policies"] ?? [] }

    /// The hits that led to the verdict: of host endpoints for forwarded connections, else of the reporting end.
    package var decidingHits: [String] { isForwarded ? transitHits : enforcedHits }

    /// The verdict as if staged policies were enforced; nil if no policies are known.
    package var pendingAction: FlowAction? { pendingHits.last.flatMap(Self.action(ofHit:)) }

    /// Whether staged policies would change the verdict.
    package var isPendingDifferent: Bool {
        guard let pending = pendingAction, let enforced = enforcedHits.last.flatMap(Self.action(ofHit:)) else {
            return false
        }
        return pending != enforced
    }

    /// Returns the action of a hit's text (`index|tier|policy|action|rule`); nil if it does not decide or is malformed.
    package static func action(ofHit text: String) -> FlowAction? {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        return parts.count >= 4 ? FlowAction(rawValue: String(parts[3])) : nil
    }
}
