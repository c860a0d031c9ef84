import ClusterModel

extension AuditEvent {
    /// Whether a request was a trial run, decided as the API server decides it.
    ///
    /// A request asks for one by the query parameter `dryRun=All`. A deletion has its options in its body, if it has one; the
    /// query does not count then. An eviction may have them in both. Of a deletion whose body is not in the event (level
    /// `Metadata`, truncated) it is not known, and it counts as a deletion.
    ///
    /// - Parameters:
    ///   - places: the members of the event.
    ///   - bytes: what the event is in.
    /// - Returns: false also of what is no request for an object.
    func isDryRun(at places: AuditPlaces, in bytes: Span<UInt8>) -> Bool {
        guard let target else { return false }
        let isRemoval = verb == "delete" || verb == "deletecollection" || target.subresource == "eviction"
        guard isRemoval else { return Self.asksForDryRun(wholeURI(at: places, in: bytes)) }
        let sent = places[.requestObject].flatMap { ObjectValue(in: bytes, $0) }
        if verb == "create" {
            return sent?["deleteOptions"].map(Self.asksForDryRun) == true
                || Self.asksForDryRun(wholeURI(at: places, in: bytes))
        }
        if let sent { return Self.asksForDryRun(sent) }
        let isBodyKnown = level >= .request && places[.requestObject] == nil && !Self.isTruncated(places, bytes)
        return isBodyKnown && Self.asksForDryRun(wholeURI(at: places, in: bytes))
    }

    /// Path and query, also what ``requestURI`` leaves out.
    private func wholeURI(at places: AuditPlaces, in bytes: Span<UInt8>) -> String {
        guard requestURI.utf8.suffix(3).elementsEqual("…".utf8), let place = places[.requestURI] else {
            return requestURI
        }
        var reader = JSONReader(bytes.extracting(place))
        return (try? reader.string()) ?? ""
    }

    /// Whether the API server left the objects out (`--audit-webhook-truncate-enabled`).
    private static func isTruncated(_ places: AuditPlaces, _ bytes: Span<UInt8>) -> Bool {
        places[.annotations].flatMap { ObjectValue(in: bytes, $0) }?["audit.k8s.io/truncated"] != nil
    }

    /// Whether options have `dryRun: [All]`.
    private static func asksForDryRun(_ options: ObjectValue) -> Bool {
        options["dryRun"]?.strings.contains("All") ?? false
    }

    /// Whether a query has `dryRun=All`, as Go's `url.ParseQuery` reads it: percent escapes are resolved; a pair with a semicolon or
    /// a wrong escape is dropped.
    private static func asksForDryRun(_ uri: String) -> Bool {
        guard let question = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return false }
        let query = uri.utf8[question...].dropFirst()
        // Whatever its escapes, the pair has this letter, or an escape of it.
        guard query.contains(where: { $0 == UInt8(ascii: "R") || $0 == UInt8(ascii: "%") }) else { return false }
        return query.split(separator: UInt8(ascii: "&")).contains { pair in
            guard !pair.contains(UInt8(ascii: ";")) else { return false }
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 && unescaped(parts[0]) == "dryRun" && unescaped(parts[1]) == "All"
        }
    }

    /// The text that a part of a query stands for; nil if an escape is wrong.
    private static func unescaped(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
