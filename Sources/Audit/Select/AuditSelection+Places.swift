import ClusterModel

extension AuditSelection {
    /// Whether the selection may match a line's event, by the bytes of the relevant members; nothing is decoded.
    ///
    /// Returns false only if ``matches(_:)`` would. Texts that cannot be compared byte by byte (with escapes, not ASCII,
    /// truncated) may match.
    ///
    /// - Parameters:
    ///   - places: the members of the line.
    ///   - bytes: the buffer that contains the line.
    /// - Returns: whether the event must be decoded.
    package func mayMatch(_ places: AuditPlaces, in bytes: Span<UInt8>) -> Bool {
        let verb = QuickText(places[.verb], in: bytes)
        if writesOnly, !verb.mayBe(oneOf: Self.writes, in: bytes) { return false }
        if !verbs.isEmpty, !verb.mayBe(oneOf: verbs, in: bytes) { return false }
        if !stages.isEmpty, !mayMatchStage(places, bytes) { return false }
        return mayMatchTarget(places, bytes) && (users.isEmpty || mayMatchUser(places, bytes))
    }

    /// An unknown stage counts as the last one, as in decoded events.
    private func mayMatchStage(_ places: AuditPlaces, _ bytes: Span<UInt8>) -> Bool {
        let text = QuickText(places[.stage], in: bytes)
        if text.mayBe(oneOf: stages.map(\.rawValue), in: bytes) { return true }
        return stages.contains(.responseComplete) && !text.mayBe(oneOf: AuditStage.allCases.map(\.rawValue), in: bytes)
    }

    private func mayMatchTarget(_ places: AuditPlaces, _ bytes: Span<UInt8>) -> Bool {
        guard writesOnly || !namespaces.isEmpty || !resources.isEmpty else { return true }
        guard let target = places[.objectRef].flatMap({ QuickTarget(at: $0, in: bytes) }) else { return false }
        if !namespaces.isEmpty, !target.namespace.mayBe(oneOf: namespaces, in: bytes) {
            guard target.resource.mayBe("namespaces", in: bytes), target.name.mayBe(oneOf: namespaces, in: bytes) else {
                return false
            }
        }
        return resources.isEmpty
            || resources.contains { target.resource.mayBe($0, in: bytes) || target.mayBe(resource: $0, in: bytes) }
    }

    private func mayMatchUser(_ places: AuditPlaces, _ bytes: Span<UInt8>) -> Bool {
        let name = places[.user].flatMap { QuickText(nameOfUserAt: $0, in: bytes) } ?? .empty
        let other = places[.impersonatedUser].flatMap { QuickText(nameOfUserAt: $0, in: bytes) }
        return users.contains { pattern in
            name.mayMatch(pattern: pattern, in: bytes) || other?.mayMatch(pattern: pattern, in: bytes) ?? false
        }
    }
}

/// A text value in a line, without decoding.
private enum QuickText {
    /// The bytes are the text: ASCII without escapes, not longer than the texts of an event.
    case plain(Range<Int>)
    /// The value must be decoded.
    case unknown

    /// Not a text.
    static let empty = QuickText.plain(0..<0)

    /// Takes the place of a valid JSON value; nil for none.
    init(_ place: Range<Int>?, in bytes: Span<UInt8>) {
        guard let place, bytes[place.lowerBound] == UInt8(ascii: "\"") else {
            self = .empty
            return
        }
        let text = place.lowerBound + 1..<place.upperBound - 1
        guard text.count <= AuditEvent.textLimit else {
            self = .unknown
            return
        }
        for index in text where bytes[index] >= 0x80 || bytes[index] == UInt8(ascii: "\\") {
            self = .unknown
            return
        }
        self = .plain(text)
    }

    /// Takes the member `username` of a user; nil if the value is not an object.
    init?(nameOfUserAt place: Range<Int>, in bytes: Span<UInt8>) {
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return nil }
        self = .empty
        while let key = try? reader.nextKey() {
            let isName = "username" ~= key
            let start = reader.offset
            guard (try? reader.skip()) != nil else { return }
            guard isName else { continue }
            self = QuickText(place.lowerBound + start..<place.lowerBound + reader.offset, in: bytes)
        }
    }

    /// Whether it may equal a text.
    func mayBe(_ text: some StringProtocol, in bytes: Span<UInt8>) -> Bool {
        mayEqual(text.utf8, in: bytes, isPrefix: false)
    }

    /// Whether it may equal one of several texts.
    func mayBe(oneOf texts: [String], in bytes: Span<UInt8>) -> Bool { texts.contains { mayBe($0, in: bytes) } }

    /// Whether it may equal a name, or begin with it if the name ends in `*`.
    func mayMatch(pattern: String, in bytes: Span<UInt8>) -> Bool {
        guard pattern.hasSuffix("*") else { return mayBe(pattern, in: bytes) }
        return mayEqual(pattern.utf8.dropLast(), in: bytes, isPrefix: true)
    }

    /// Whether it may equal a text, or begin with it.
    func mayEqual(_ text: some Collection<UInt8>, in bytes: Span<UInt8>, isPrefix: Bool) -> Bool {
        guard case .plain(let place) = self else { return true }
        var index = place.lowerBound
        var isEqual = true
        for byte in text {
            // Texts that are not ASCII can be equal with different bytes.
            guard byte < 0x80 else { return true }
            isEqual = isEqual && index < place.upperBound && bytes[index] == byte
            index += 1
        }
        return isEqual && (isPrefix || index == place.upperBound)
    }
}

/// The members of `objectRef` that a selection compares, without decoding.
private struct QuickTarget {
    var resource = QuickText.empty
    var group = QuickText.empty
    var namespace = QuickText.empty
    var name = QuickText.empty

    /// Finds the members; nil if the value is not an object.
    init?(at place: Range<Int>, in bytes: Span<UInt8>) {
        var reader = JSONReader(bytes.extracting(place))
        guard (try? reader.enterObject()) == true else { return nil }
        while let key = try? reader.nextKey() {
            let member: Member? =
                switch key {
                case "resource": .resource
                case "apiGroup": .group
                case "namespace": .namespace
                case "name": .name
                default: nil
                }
            let start = reader.offset
            guard (try? reader.skip()) != nil else { return }
            guard let member else { continue }
            set(member, QuickText(place.lowerBound + start..<place.lowerBound + reader.offset, in: bytes))
        }
    }

    private enum Member {
        case resource, group, namespace, name
    }

    private mutating func set(_ member: Member, _ text: QuickText) {
        switch member {
        case .resource: resource = text
        case .group: group = text
        case .namespace: namespace = text
        case .name: name = text
        }
    }

    /// Whether it may be a resource, possibly with its group: `networkpolicies.projectcalico.org`.
    func mayBe(resource text: String, in bytes: Span<UInt8>) -> Bool {
        guard case .plain(let place) = resource, case .plain = group else { return true }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return true }
        let rest = text.utf8.dropFirst(place.count)
        guard rest.first == UInt8(ascii: ".") else { return false }
        return resource.mayEqual(text.utf8.prefix(place.count), in: bytes, isPrefix: false)
            && group.mayEqual(rest.dropFirst(), in: bytes, isPrefix: false)
    }
}
