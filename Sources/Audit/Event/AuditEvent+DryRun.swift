import ClusterModel

extension AuditEvent {
    /// Whether a request was a dry run, by the same rules as in the API server.
    ///
    /// The query parameter `dryRun=All` requests a dry run. If a deletion has a body, the options in the body count, and the
    /// query does not. For an eviction, both count. A deletion whose body is not in the event (level `Metadata`, truncated)
    /// counts as a deletion, because its options are not known.
    ///
    /// - Parameters:
    ///   - places: the members of the event.
    ///   - bytes: the buffer that contains the event.
    /// - Returns: whether it was a dry run; false if the request is not for an object.
    func isDryRun(at places: AuditPlaces, in bytes: Span<UInt8>) -> Bool {
        guard let target else { return false }
        let isRemoval = verb == "delete" || verb == "deletecollection" || target.subresource == "eviction"
        guard isRemoval else { return Self.requestsDryRun(at: places, in: bytes) }
        let sent = places[.requestObject].flatMap { ObjectValue(in: bytes, $0) }
        if verb == "create" {
            return sent?["deleteOptions"].map(Self.requestsDryRun) == true
                || Self.requestsDryRun(at: places, in: bytes)
        }
        if let sent { return Self.requestsDryRun(sent) }
        let isBodyKnown = level >= .request && places[.requestObject] == nil && !Self.isTruncated(places, bytes)
        return isBodyKnown && Self.requestsDryRun(at: places, in: bytes)
    }

    /// Whether the query requests a dry run; the whole URI is read, including the part that ``requestURI`` omits.
    private static func requestsDryRun(at places: AuditPlaces, in bytes: Span<UInt8>) -> Bool {
        guard let place = places[.requestURI] else { return false }
        var reader = JSONReader(bytes.extracting(place))
        guard mayRequestDryRun(bytes.extracting(place)), let uri = try? reader.string() else { return false }
        return requestsDryRun(uri)
    }

    /// Whether a text contains the letter R of `dryRun`, or may contain an escape of it: `%52`, `\u0052`.
    private static func mayRequestDryRun(_ text: Span<UInt8>) -> Bool {
        for index in text.indices.dropFirst() {
            switch text[index] {
            case UInt8(ascii: "R"): return true
            case UInt8(ascii: "2") where text[index - 1] == UInt8(ascii: "5"): return true
            // API servers escape the ampersand, and no digits.
            case UInt8(ascii: "\\") where !AuditPlaces.isAt(index + 1, "u0026", in: text): return true
            default: continue
            }
        }
        return false
    }

    /// Whether the API server omitted the objects (`--audit-webhook-truncate-enabled`).
    private static func isTruncated(_ places: AuditPlaces, _ bytes: Span<UInt8>) -> Bool {
        places[.annotations].flatMap { ObjectValue(in: bytes, $0) }?["audit.k8s.io/truncated"] != nil
    }

    /// Whether options contain `dryRun: [All]`.
    private static func requestsDryRun(_ options: ObjectValue) -> Bool {
        options["dryRun"]?.strings.contains("All") ?? false
    }

    /// Whether a query contains `dryRun=All`, as Go's `url.ParseQuery` reads it.
    ///
    /// Percent escapes are decoded; a pair with a semicolon or an invalid escape is ignored.
    private static func requestsDryRun(_ uri: String) -> Bool {
        guard let question = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return false }
        let query = uri.utf8[question...].dropFirst()
        return query.split(separator: UInt8(ascii: "&")).contains { pair in
            guard !pair.contains(UInt8(ascii: ";")) else { return false }
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 && unescaped(parts[0]) == "dryRun" && unescaped(parts[1]) == "All"
        }
    }

    /// Decodes a part of a query; nil if an escape is invalid.
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
