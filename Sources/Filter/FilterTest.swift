import FlowModel

/// A condition, ready to be asked.
enum FilterTest: Sendable {
    case present
    case equalsOne(String)
    case equalsAny(Set<String>)
    case contains([UInt8])
    case startsWith([UInt8])
    case endsWith([UInt8])
    case numberIn(ClosedRange<UInt64>)
    case numberInAny([ClosedRange<UInt64>])
    case addressIn([IPPrefix])

    /// Prepares a condition.
    init(_ condition: FilterCondition) {
        self =
            switch condition {
            case .present: .present
            case .equals(let texts): texts.count == 1 ? .equalsOne(texts[0]) : .equalsAny(Set(texts))
            case .contains(let text): .contains(Array(text.utf8))
            case .startsWith(let text): .startsWith(Array(text.utf8))
            case .endsWith(let text): .endsWith(Array(text.utf8))
            case .numbers(let ranges): ranges.count == 1 ? .numberIn(ranges[0]) : .numberInAny(ranges)
            case .addresses(let ranges): .addressIn(ranges)
            }
    }

    /// Whether it holds for a value; for one of several elements, whether for any.
    func holds(_ value: FieldValue) -> Bool {
        switch value {
        case .absent: false
        case .text(let text): holds(text)
        case .number(let number): holds(number)
        case .address(let address): holds(address)
        case .ports(let ports): ports.contains { holds(UInt64($0)) }
        case .texts(let texts): holds(any: texts)
        case .labels(let set): holds(any: set.labels)
        case .hits(let enforced, let pending): holds(any: enforced) || holds(any: pending)
        }
    }

    /// Whether it holds for any of several texts.
    func holds(any texts: [String]) -> Bool {
        texts.contains { holds($0) }
    }

    private func holds(_ text: String) -> Bool {
        switch self {
        case .present: text != "-"
        case .equalsOne(let wanted): text == wanted
        case .equalsAny(let wanted): wanted.contains(text)
        case .contains(let part): text.holds(part, from: 0, .anywhere)
        case .startsWith(let part): text.holds(part, from: 0, .atStart)
        case .endsWith(let part): text.holds(part, from: 0, .atEnd)
        case .numberIn, .numberInAny, .addressIn: false
        }
    }

    private func holds(_ number: UInt64) -> Bool {
        switch self {
        case .present: true
        case .numberIn(let range): range.contains(number)
        case .numberInAny(let ranges): ranges.contains { $0.contains(number) }
        default: false
        }
    }

    private func holds(_ address: IPAddress) -> Bool {
        switch self {
        case .present: true
        case .addressIn(let ranges): ranges.contains { $0.contains(address) }
        default: false
        }
    }
}

/// A question about the value of the label with one key.
struct FilterLabel: Sendable {
    /// `key=`: what the label begins with.
    private let head: String
    /// The whole labels that fit, where the value is known.
    private let wanted: [String]?
    private let part: [UInt8]
    private let place: TextPlace

    /// Prepares a condition about texts.
    init(key: String, _ condition: FilterCondition) {
        head = key + "="
        switch condition {
        case .equals(let texts): (wanted, part, place) = (texts.map { "\(key)=\($0)" }, [], .atStart)
        case .contains(let text): (wanted, part, place) = (nil, Array(text.utf8), .anywhere)
        case .endsWith(let text): (wanted, part, place) = (nil, Array(text.utf8), .atEnd)
        case .startsWith(let text): (wanted, part, place) = (nil, Array(text.utf8), .atStart)
        // What is there begins with nothing.
        case .present, .numbers, .addresses: (wanted, part, place) = (nil, [], .atStart)
        }
    }

    /// Whether a label of the set fits.
    func holds(_ set: LabelSet) -> Bool {
        // In order of the texts, the labels of a key follow each other from where `key=` would stand.
        guard let label = Self.first(in: set.labels, notBefore: head), label.hasBytes(head) else { return false }
        guard let wanted else { return label.holds(part, from: head.utf8.count, place) }
        return wanted.contains(label)
    }

    private static func first(in labels: [String], notBefore text: String) -> String? {
        var (low, high) = (0, labels.count)
        while low < high {
            let middle = (low + high) / 2
            if labels[middle] < text { low = middle + 1 } else { high = middle }
        }
        return low < labels.count ? labels[low] : nil
    }
}

/// Where in a text a part of it is looked for.
enum TextPlace: Sendable {
    case anywhere
    case atStart
    case atEnd
}

extension String {
    /// Whether the text begins with the bytes of another one.
    fileprivate func hasBytes(_ head: String) -> Bool { utf8.starts(with: head.utf8) }

    /// Whether bytes are in the text, from a byte of it on; bytes are compared, not characters.
    fileprivate func holds(_ part: [UInt8], from start: Int, _ place: TextPlace) -> Bool {
        let found = utf8.withContiguousStorageIfAvailable { bytes in
            Self.find(part, in: UnsafeBufferPointer(rebasing: bytes.dropFirst(start)), place)
        }
        if let found { return found }
        return Array(utf8).withUnsafeBufferPointer {
            Self.find(part, in: UnsafeBufferPointer(rebasing: $0.dropFirst(start)), place)
        }
    }

    private static func find(_ part: [UInt8], in text: UnsafeBufferPointer<UInt8>, _ place: TextPlace) -> Bool {
        guard let first = part.first else { return true }
        let last = text.count - part.count
        guard last >= 0 else { return false }
        switch place {
        case .atStart: return text.prefix(part.count).elementsEqual(part)
        case .atEnd: return text.suffix(part.count).elementsEqual(part)
        case .anywhere:
            for start in 0...last where text[start] == first {
                if text[start..<(start + part.count)].elementsEqual(part) { return true }
            }
            return false
        }
    }
}
