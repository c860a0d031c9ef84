import FlowModel

/// A compiled condition: a trivial type whose operands are in ``FilterOperands``.
enum FilterTest: Sendable, Hashable {
    case present
    case equalsOne(TextRange)
    case equalsAny(TextRange)
    case contains(TextRange)
    case startsWith(TextRange)
    case endsWith(TextRange)
    case numberIn(UInt64, UInt64)
    case numberInAny(TextRange)
    case addressIn(TextRange)

    /// Compiles a condition, and adds its operands.
    init(_ condition: FilterCondition, _ operands: inout FilterOperands) {
        self =
            switch condition {
            case .present: .present
            case .equals(let texts):
                texts.count == 1 ? .equalsOne(operands.add(texts[0])) : .equalsAny(operands.add(texts))
            case .contains(let text): .contains(operands.add(text))
            case .startsWith(let text): .startsWith(operands.add(text))
            case .endsWith(let text): .endsWith(operands.add(text))
            case .numbers(let ranges):
                ranges.count == 1
                    ? .numberIn(ranges[0].lowerBound, ranges[0].upperBound) : .numberInAny(operands.add(ranges))
            case .addresses(let ranges): .addressIn(operands.add(ranges))
            }
    }

    /// Whether the condition holds for a value; for a value with several elements, whether it holds for any of them.
    @inline(__always)
    func holds(_ value: FieldValue, _ operands: FilterOperands) -> Bool {
        switch value {
        case .absent: false
        case .text(let text): holds(text, operands)
        case .number(let number): holds(number, operands)
        case .address(let address): holds(address, operands)
        case .ports(let ports): ports.contains { holds(UInt64($0), operands) }
        case .texts(let texts): holds(any: texts, operands)
        case .labels(let set): holds(any: set.labels, operands)
        case .hits(let enforced, let pending, let transit):
            holds(any: enforced, operands) || holds(any: pending, operands) || holds(any: transit, operands)
        }
    }

    /// Whether the condition holds for any of several texts.
    func holds(any texts: [String], _ operands: FilterOperands) -> Bool {
        texts.contains { holds($0, operands) }
    }

    /// Whether the condition holds for the value of the first label that begins with `key=`.
    func holds(labelsOf set: LabelSet, head: TextRange, _ operands: FilterOperands) -> Bool {
        for label in set.labels {
            let value: Bool? = label.withBytes { bytes in
                guard operands.isHead(head, of: bytes) else { return nil }
                return holds(UnsafeBufferPointer(rebasing: bytes[Int(head.count)...]), operands)
            }
            if let value { return value }
        }
        return false
    }

    /// Whether the condition holds for a text.
    @inline(__always)
    func holds(_ text: String, _ operands: FilterOperands) -> Bool {
        text.withBytes { holds($0, operands) }
    }

    @inline(__always)
    private func holds(_ text: UnsafeBufferPointer<UInt8>, _ operands: FilterOperands) -> Bool {
        switch self {
        case .present: text.count != 1 || text[0] != UInt8(ascii: "-")
        case .equalsOne(let wanted): operands.isText(wanted, text)
        case .equalsAny(let wanted): operands.contains(text, in: wanted)
        case .contains(let part): operands.isPart(part, of: text)
        case .startsWith(let part): operands.isHead(part, of: text)
        case .endsWith(let part): operands.isTail(part, of: text)
        // An element of a list of addresses; records contain such lists as texts.
        case .addressIn(let ranges):
            IPAddress(String(decoding: text, as: UTF8.self)).map { operands.contains($0, in: ranges) } ?? false
        case .numberIn, .numberInAny: false
        }
    }

    /// Whether the condition holds for a number.
    @inline(__always)
    func holds(_ number: UInt64, _ operands: FilterOperands) -> Bool {
        switch self {
        case .present: true
        case .numberIn(let low, let high): low <= number && number <= high
        case .numberInAny(let ranges): operands.contains(number, in: ranges)
        default: false
        }
    }

    private func holds(_ address: IPAddress, _ operands: FilterOperands) -> Bool {
        switch self {
        case .present: true
        case .addressIn(let ranges): operands.contains(address, in: ranges)
        default: false
        }
    }
}

extension String {
    /// Calls a body with the bytes of the text; comparisons use bytes, not characters.
    @inline(__always)
    fileprivate func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable(body) { return result }
        return Array(utf8).withUnsafeBufferPointer(body)
    }
}
