import ClusterModel

/// The reason why a line is not an audit event.
package struct AuditError: Error, CustomStringConvertible {
    /// The place of the error, in bytes from the beginning of the line.
    package var offset: Int
    /// The error as text.
    package var reason: String

    /// Takes an error of the JSON reader.
    init(_ error: JSONError) {
        offset = error.offset
        reason = "\(error.reason)"
    }

    init(_ reason: String) {
        offset = 0
        self.reason = reason
    }

    /// The reason and the place.
    package var description: String { offset == 0 ? reason : "\(reason) at byte \(offset)" }
}

/// The places of an event's members in its line; lines that are not selected are not decoded further.
///
/// The whole line is checked to be JSON. The last of several equal members counts.
package struct AuditPlaces: Sendable {
    /// A member that is read.
    enum Member: Int, CaseIterable {
        // The case names are the names of the members.
        case kind, apiVersion, level, auditID, stage, requestURI, verb, user, impersonatedUser, sourceIPs, userAgent
        case objectRef, responseStatus, requestObject, responseObject, requestReceivedTimestamp, stageTimestamp
        case annotations
    }

    private var places = InlineArray<18, Range<Int>>(repeating: 0..<0)

    /// Reads a line.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that contains the line.
    ///   - line: the range of the line in the buffer.
    ///   - isItem: whether it is an item of a list, which may lack kind and version.
    /// - Throws: the reason why the line is not an event, and the place.
    package init(in bytes: Span<UInt8>, _ line: Range<Int>, isItem: Bool = false) throws(AuditError) {
        do throws(JSONError) {
            var reader = JSONReader(bytes.extracting(line))
            try find(&reader, base: line.lowerBound)
        } catch {
            throw AuditError(error)
        }
        guard isItem && self[.kind] == nil || text(.kind, is: "Event", in: bytes),
            isItem && self[.apiVersion] == nil || hasEventVersion(in: bytes)
        else {
            throw AuditError("not an Event of audit.k8s.io")
        }
        guard self[.auditID] != nil, self[.stage] != nil, self[.verb] != nil else {
            throw AuditError("an event without auditID, stage or verb")
        }
    }

    /// Returns the place of a member's value in the buffer; nil if the line does not have the member.
    subscript(_ member: Member) -> Range<Int>? {
        let place = places[member.rawValue]
        return place.isEmpty ? nil : place
    }

    private mutating func find(_ reader: inout JSONReader, base: Int) throws(JSONError) {
        guard reader.peek() == UInt8(ascii: "{"), try reader.enterObject() else {
            throw .syntax("expected an object", at: reader.offset)
        }
        while let key = try reader.nextKey() {
            let member = Self.member(key)
            let start = reader.offset
            try reader.skip()
            if let member { places[member.rawValue] = base + start..<base + reader.offset }
        }
        try reader.expectEnd()
    }

    /// Returns the member of a key, found by length and first byte, which at most two members share.
    private static func member(_ key: borrowing JSONText) -> Member? {
        guard !key.isEmpty else { return nil }
        if key.hasEscapes {
            // API servers do not write such keys, but JSON allows escapes in them.
            let name = key.string
            return Member.allCases.first { "\($0)" == name }
        }
        switch (key.bytes.count, key.bytes[0]) {
        case (4, UInt8(ascii: "k")): return "kind" ~= key ? .kind : nil
        case (4, UInt8(ascii: "v")): return "verb" ~= key ? .verb : nil
        case (4, UInt8(ascii: "u")): return "user" ~= key ? .user : nil
        case (5, UInt8(ascii: "l")): return "level" ~= key ? .level : nil
        case (5, UInt8(ascii: "s")): return "stage" ~= key ? .stage : nil
        case (7, UInt8(ascii: "a")): return "auditID" ~= key ? .auditID : nil
        case (9, UInt8(ascii: "s")): return "sourceIPs" ~= key ? .sourceIPs : nil
        case (9, UInt8(ascii: "u")): return "userAgent" ~= key ? .userAgent : nil
        case (9, UInt8(ascii: "o")): return "objectRef" ~= key ? .objectRef : nil
        case (10, UInt8(ascii: "a")): return "apiVersion" ~= key ? .apiVersion : nil
        case (10, UInt8(ascii: "r")): return "requestURI" ~= key ? .requestURI : nil
        case (11, UInt8(ascii: "a")): return "annotations" ~= key ? .annotations : nil
        case (13, UInt8(ascii: "r")): return "requestObject" ~= key ? .requestObject : nil
        case (14, UInt8(ascii: "s")): return "stageTimestamp" ~= key ? .stageTimestamp : nil
        case (14, UInt8(ascii: "r")):
            return "responseObject" ~= key ? .responseObject : "responseStatus" ~= key ? .responseStatus : nil
        case (16, UInt8(ascii: "i")): return "impersonatedUser" ~= key ? .impersonatedUser : nil
        case (24, UInt8(ascii: "r")): return "requestReceivedTimestamp" ~= key ? .requestReceivedTimestamp : nil
        default: return nil
        }
    }

    /// The accepted versions of events.
    static let versions = ["audit.k8s.io/v1", "audit.k8s.io/v1beta1"]

    private func hasEventVersion(in bytes: Span<UInt8>) -> Bool {
        text(.apiVersion, is: "audit.k8s.io/v1", in: bytes) || text(.apiVersion, is: "audit.k8s.io/v1beta1", in: bytes)
    }

    /// Returns a word if a member's value is that word; nil otherwise.
    func word<Word: RawRepresentable<String>>(_ member: Member, _ word: Word, in bytes: Span<UInt8>) -> Word? {
        text(member, is: word.rawValue, in: bytes) ? word : nil
    }

    /// Whether a member's value is a given text.
    func text(_ member: Member, is text: String, in bytes: Span<UInt8>) -> Bool {
        guard let place = self[member] else { return false }
        return Self.value(at: place, is: text, in: bytes)
    }

    /// Whether a value is a given text.
    static func value(at place: Range<Int>, is text: String, in bytes: Span<UInt8>) -> Bool {
        place.count == text.utf8.count + 2 && bytes[place.lowerBound] == UInt8(ascii: "\"")
            && isAt(place.lowerBound + 1, text, in: bytes)
    }

    /// Whether a text begins at a place.
    static func isAt(_ place: Int, _ text: String, in bytes: Span<UInt8>) -> Bool {
        guard place + text.utf8.count <= bytes.count else { return false }
        var index = place
        for byte in text.utf8 {
            guard bytes[index] == byte else { return false }
            index += 1
        }
        return true
    }
}
