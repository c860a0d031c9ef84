/// A parsed selector, as a tree.
///
/// The depth of the tree is limited to ``Selector/maximumDepth``, so recursion over it is safe.
indirect enum SelectorExpression: Sendable, Hashable {
    /// A comparison of one label's value.
    enum Comparison: UInt8, Sendable, Hashable {
        case equals
        case contains
        case startsWith
        case endsWith
    }

    /// Always true: `all()`, and `global()` outside of namespace selectors.
    case all
    /// `global()`.
    case global
    /// `has(key)`.
    case has(key: String)
    /// A comparison with one value; false if the label is absent.
    case compare(key: String, Comparison, value: String)
    /// `key in {…}`; false if the label is absent.
    ///
    /// The values are sorted and unique.
    case among(key: String, values: [String])
    /// A negation; so `!=` and `not in` are true if the label is absent.
    case not(SelectorExpression)
    /// A conjunction; its parts are not conjunctions themselves.
    case and([SelectorExpression])
    /// A disjunction; its parts are not disjunctions themselves.
    case or([SelectorExpression])
}

extension SelectorExpression {
    /// The conjunction of parts, without `all()` and without nested `and`.
    static func conjunction(_ parts: [SelectorExpression]) -> SelectorExpression {
        var flat: [SelectorExpression] = []
        for part in parts {
            switch part {
            case .all: continue
            case .and(let inner): flat += inner
            default: flat.append(part)
            }
        }
        if flat.count == 1 { return flat[0] }
        return flat.isEmpty ? .all : .and(flat)
    }

    /// The disjunction of parts, without nested `or`.
    static func disjunction(_ parts: [SelectorExpression]) -> SelectorExpression {
        if parts.count == 1 { return parts[0] }
        var flat: [SelectorExpression] = []
        for part in parts {
            if case .or(let inner) = part { flat += inner } else { flat.append(part) }
        }
        return .or(flat)
    }

    /// The negation, without double `not`.
    var negated: SelectorExpression {
        if case .not(let inner) = self { return inner }
        return .not(self)
    }

    /// Whether the expression matches labels; `label` returns the value of a label, or nil if it is absent.
    func holds(_ label: (String) -> String?) -> Bool {
        switch self {
        case .all, .global: true
        case .has(let key): label(key) != nil
        case .compare(let key, let comparison, let value): label(key).map { comparison.holds($0, value) } ?? false
        case .among(let key, let values): label(key).map { values.contains($0) } ?? false
        case .not(let inner): !inner.holds(label)
        case .and(let parts): parts.allSatisfy { $0.holds(label) }
        case .or(let parts): parts.contains { $0.holds(label) }
        }
    }

    /// Replaces every leaf of the tree.
    func mapLeaves(_ change: (SelectorExpression) -> SelectorExpression) -> SelectorExpression {
        switch self {
        case .not(let inner): .not(inner.mapLeaves(change))
        case .and(let parts): .and(parts.map { $0.mapLeaves(change) })
        case .or(let parts): .or(parts.map { $0.mapLeaves(change) })
        default: change(self)
        }
    }
}

extension SelectorExpression.Comparison {
    /// Whether the comparison is true for the value of a label.
    ///
    /// Compares bytes rather than characters, like Calico.
    func holds(_ text: String, _ value: String) -> Bool {
        switch self {
        case .equals: text == value
        case .startsWith: text.utf8.starts(with: value.utf8)
        case .endsWith:
            text.utf8.count >= value.utf8.count && text.utf8.suffix(value.utf8.count).elementsEqual(value.utf8)
        case .contains: Self.contains(Array(text.utf8), Array(value.utf8))
        }
    }

    private static func contains(_ text: [UInt8], _ value: [UInt8]) -> Bool {
        guard let first = value.first else { return true }
        guard text.count >= value.count else { return false }
        for start in 0...(text.count - value.count) where text[start] == first {
            if text[start..<(start + value.count)].elementsEqual(value) { return true }
        }
        return false
    }
}

// MARK: - Canonical text

extension SelectorExpression {
    /// Appends the canonical text: one space around operators, and parentheses only where required.
    func write(to text: inout String) {
        switch self {
        case .all: text += "all()"
        case .global: text += "global()"
        case .has(let key): text += "has(\(key))"
        case .compare(let key, let comparison, let value): text += "\(key) \(comparison.text) \(Self.quoted(value))"
        case .among(let key, let values): text += "\(key) in \(Self.list(values))"
        case .not(.compare(let key, .equals, let value)): text += "\(key) != \(Self.quoted(value))"
        case .not(.among(let key, let values)): text += "\(key) not in \(Self.list(values))"
        case .not(let inner):
            text += "!"
            inner.writeOperand(to: &text, parenthesized: !inner.isTerm)
        case .and(let parts): Self.write(parts, " && ", to: &text)
        case .or(let parts): Self.write(parts, " || ", to: &text)
        }
    }

    private static func write(_ parts: [SelectorExpression], _ joint: String, to text: inout String) {
        for (index, part) in parts.enumerated() {
            if index > 0 { text += joint }
            switch part {
            case .and, .or: part.writeOperand(to: &text, parenthesized: true)
            default: part.write(to: &text)
            }
        }
    }

    private func writeOperand(to text: inout String, parenthesized: Bool) {
        if parenthesized { text += "(" }
        write(to: &text)
        if parenthesized { text += ")" }
    }

    /// Whether the expression needs no parentheses after `!`.
    private var isTerm: Bool {
        switch self {
        case .all, .global, .has: true
        default: false
        }
    }

    private static func list(_ values: [String]) -> String {
        "{" + values.map(quoted).joined(separator: ", ") + "}"
    }

    /// A value in quotes of the kind that the value does not contain; the grammar has no escapes.
    private static func quoted(_ value: String) -> String {
        value.utf8.contains(UInt8(ascii: "\"")) ? "'\(value)'" : "\"\(value)\""
    }
}

extension SelectorExpression.Comparison {
    /// The operator in the notation of the grammar.
    fileprivate var text: String {
        switch self {
        case .equals: "=="
        case .contains: "contains"
        case .startsWith: "starts with"
        case .endsWith: "ends with"
        }
    }
}
