extension ChangeRecord {
    /// The record as a JSON object, as `JSONEncoder` writes it with its members in order, and many times as fast.
    ///
    /// Without ``verdictsChanged``, which are kept beside it.
    package var json: String {
        var object = JSONMembers()
        object.add("auditID", auditID)
        object.add("basis", basis)
        object.add("changes", changes) { $0.add($1) }
        object.add("code", code)
        object.add("dryRun", dryRun)
        object.add("finalizers", finalizers)
        object.add("group", group)
        object.add("impersonatedUser", impersonatedUser)
        object.add("isRemoval", isRemoval)
        object.add("kind", kind)
        object.add("message", message)
        object.add("moreChanges", moreChanges)
        object.add("name", name)
        object.add("names", names)
        object.add("namespace", namespace)
        object.add("outcome", outcome)
        object.add("receivedAt", receivedAt)
        object.add("remaining", remaining)
        object.add("resource", resource)
        object.add("resourceVersion", resourceVersion)
        object.add("role", role?.rawValue)
        object.add("state", state)
        object.add("subresource", subresource)
        object.add("summary", summary)
        object.add("time", time)
        object.add("user", user)
        object.add("verb", verb)
        return object.text
    }
}

/// Writes the members of a JSON object one after the other; those that are nil are left out.
private struct JSONMembers {
    private var bytes = [UInt8(ascii: "{")]

    init() {
        bytes.reserveCapacity(1024)
    }

    /// The whole object.
    var text: String { String(decoding: bytes + CollectionOfOne(UInt8(ascii: "}")), as: UTF8.self) }

    mutating func add(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        begin(name)
        quote(value)
    }

    mutating func add(_ name: StaticString, _ value: Int?) {
        guard let value else { return }
        begin(name)
        bytes += "\(value)".utf8
    }

    mutating func add(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        begin(name)
        bytes += (value ? "true" : "false").utf8
    }

    mutating func add(_ name: StaticString, _ value: Double?) {
        guard let value else { return }
        begin(name)
        let digits = "\(value)"
        bytes += (digits.hasSuffix(".0") ? digits.dropLast(2) : digits[...]).utf8
    }

    mutating func add(_ name: StaticString, _ value: [String]?) {
        guard let value else { return }
        add(name, value) { $0.quote($1) }
    }

    mutating func add<Element>(
        _ name: StaticString,
        _ elements: [Element],
        _ element: (inout JSONMembers, Element) -> Void
    ) {
        begin(name)
        bytes.append(UInt8(ascii: "["))
        for (place, one) in elements.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            element(&self, one)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// Writes a difference as an element of a list.
    mutating func add(_ difference: ChangeRecord.Difference) {
        bytes.append(UInt8(ascii: "{"))
        add("after", difference.after)
        add("before", difference.before)
        add("path", difference.path)
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func begin(_ name: StaticString) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes += "\":".utf8
    }

    /// Writes a text with quotes; pieces without anything to escape are copied whole (RFC 8259, section 7).
    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { source in
            var start = 0
            for place in source.indices {
                let byte = source[place]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: source[start..<place])
                start = place + 1
                escape(byte)
            }
            bytes.append(contentsOf: source[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0c: bytes.append(UInt8(ascii: "f"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        default:
            let digits = String(byte, radix: 16)
            bytes += (digits.utf8.count < 2 ? "u000" : "u00").utf8
            bytes += digits.utf8
        }
    }
}
