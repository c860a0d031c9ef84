import ClusterModel

/// A field of an object under validation: its value and its location.
struct CheckedField {
    /// The value; nil if the field is absent or null, which API servers treat alike.
    let value: JSONTree.Value?
    /// The path from the object.
    let path: [PathComponent]
    /// The offset in the text; for an absent field, the offset of the object that should contain it.
    let offset: Int
    private let tree: JSONTree?
    private let report: ViolationReport

    /// The root field, which is the object itself.
    init(_ tree: JSONTree, _ report: ViolationReport) {
        self.init(tree, path: [], parent: tree.offset, report)
    }

    private init(_ tree: JSONTree?, path: [PathComponent], parent: Int, _ report: ViolationReport) {
        value = tree.flatMap { $0.value == .null ? nil : $0.value }
        self.path = path
        offset = tree?.offset ?? parent
        self.tree = tree
        self.report = report
    }

    /// Whether the field has a value.
    var isPresent: Bool { value != nil }

    /// Whether the field is absent, or an empty string, list or object.
    var isEmpty: Bool {
        switch value {
        case nil: true
        case .string(let text): text.isEmpty
        case .list(let elements): elements.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }

    /// Whether the value is the default of the API for an absent field.
    var isZero: Bool { isEmpty || value == .bool(false) }

    /// An excerpt of the value, for a message.
    var excerpt: String { tree?.excerpt ?? "nothing" }

    // MARK: - Findings

    /// Reports that an API server or Calico rejects the value.
    func refuse(_ reason: String, position: Int? = nil) {
        add(.refused, reason, position)
    }

    /// Reports that not all versions accept the value.
    func doubt(_ reason: String) {
        add(.doubtful, reason, nil)
    }

    private func add(_ severity: ObjectViolation.Severity, _ reason: String, _ position: Int?) {
        report.add(
            ObjectViolation(severity: severity, path: path, offset: offset, position: position, reason: reason)
        )
    }

    private func refuseType(_ expected: String) {
        refuse("expected \(expected), found \(excerpt)")
    }

    // MARK: - Members and elements

    /// The path component of a key; very long keys are truncated.
    private static func component(_ key: String) -> PathComponent {
        let shown = key.utf8.prefix(64)
        return .key(shown.count < key.utf8.count ? String(decoding: shown, as: UTF8.self) + "…" : key)
    }

    /// A member of the object in this field.
    subscript(_ key: String) -> CheckedField {
        guard case .object(let members)? = value else {
            return CheckedField(nil, path: path + [.key(key)], parent: offset, report)
        }
        // API servers use the last of several members with the same key.
        let member = members.last { $0.key == key }
        return CheckedField(member?.value, path: path + [.key(key)], parent: offset, report)
    }

    /// The members of the object in this field, as keys and values.
    ///
    /// - Parameter fields: the members that the API defines; nil for any.
    /// - Returns: the members in the order of the text.
    func members(_ fields: FieldSet? = nil) -> [(key: String, field: CheckedField)] {
        switch value {
        case nil: return []
        case .object(let members):
            return members.map { member in
                let path = path + [Self.component(member.key)]
                if let fields, !fields.contains(member.key) {
                    report.addUnknown(path, fields, offset: member.value.offset)
                }
                return (member.key, CheckedField(member.value, path: path, parent: offset, report))
            }
        default:
            refuseType("an object")
            return []
        }
    }

    /// Checks that the value, if present, is an object with only the members that the API defines.
    @discardableResult
    func expectObject(_ fields: FieldSet) -> Bool {
        _ = members(fields)
        if case .object? = value { return true }
        return false
    }

    /// The elements of the list in this field.
    func elements() -> [CheckedField] {
        switch value {
        case nil: return []
        case .list(let elements):
            return elements.enumerated().map { index, element in
                CheckedField(element, path: path + [.index(index)], parent: offset, report)
            }
        default:
            refuseType("a list")
            return []
        }
    }

    /// Reports duplicate elements of a list.
    ///
    /// - Parameter version: the first version of Calico that refuses them; nil if all versions do.
    func checkRepetitions(since version: String? = nil) {
        var seen: Set<String> = []
        for element in elements() {
            guard case .string(let text)? = element.value, !seen.insert(text).inserted else { continue }
            let reason = "\(element.excerpt) is listed twice"
            if let version {
                element.doubt("\(reason), which Calico refuses from \(version) on; list it once")
            } else {
                element.refuse("\(reason); list it once")
            }
        }
    }

    /// Reports a list with more elements than Calico accepts.
    ///
    /// - Parameters:
    ///   - limit: the most elements that Calico accepts.
    ///   - version: the first version with this limit.
    func checkCount(upTo limit: Int, since version: String) {
        guard case .list(let elements)? = value, elements.count > limit else { return }
        doubt("there are \(elements.count); Calico refuses more than \(limit) from \(version) on")
    }

    // MARK: - Values

    /// The string in this element of a list; null is an empty string, as in API servers.
    func element() -> String? {
        isPresent ? string() : ""
    }

    /// The string in this field; nil if there is none.
    func string() -> String? {
        switch value {
        case nil: return nil
        case .string(let text): return text
        default:
            refuseType("a string")
            return nil
        }
    }

    /// The string in this field; nil if it is absent or empty, which is usually equivalent.
    func nonEmptyString() -> String? {
        string().flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The integer in this field, which must be in a range; nil if there is none.
    func integer(in range: ClosedRange<Int>) -> Int? {
        switch value {
        case nil: return nil
        case .number(let text):
            guard let number = Int(text) else {
                refuseType("a whole number")
                return nil
            }
            guard range.contains(number) else {
                refuse("\(number) is out of range; it is a number from \(range.lowerBound) to \(range.upperBound)")
                return nil
            }
            return number
        case .string(let text) where Int(text) != nil:
            refuse("\(excerpt) is a text; write the number \(text) without quotes")
            return nil
        default:
            refuseType("a whole number")
            return nil
        }
    }

    /// The number in this field; nil if there is none.
    func number() -> Double? {
        switch value {
        case nil: return nil
        case .number(let text): return Double(text)
        case .string(let text) where Double(text) != nil:
            refuse("\(excerpt) is a text; write the number \(text) without quotes")
            return nil
        default:
            refuseType("a number")
            return nil
        }
    }

    /// The Boolean in this field; false if there is none.
    func flag() -> Bool {
        switch value {
        case nil: return false
        case .bool(let value): return value
        default:
            refuseType("true or false")
            return false
        }
    }

    /// Returns a word that must be one of the given ones; case is significant.
    ///
    /// - Parameters:
    ///   - words: the words.
    ///   - isRequired: whether the field must be present.
    /// - Returns: the word; nil if the field is absent or has another value.
    @discardableResult
    func word(of words: [String], isRequired: Bool = false) -> String? {
        let list = words.dropLast().joined(separator: ", ") + (words.count > 1 ? " or " : "") + (words.last ?? "")
        guard isPresent, !isEmpty else {
            if isRequired { refuse("it is missing; it is \(list)") }
            return nil
        }
        guard let text = string(), !words.contains(text) else { return string() }
        if let meant = words.first(where: { $0.lowercased() == text.lowercased() }) {
            refuse("expected \(list), found \(excerpt); case is significant: write \(meant)")
        } else {
            refuse("expected \(list), found \(excerpt)")
        }
        return nil
    }
}
