import FlowModel

/// Finds contradictory conjunctions, which make a selector match nothing.
enum SelectorCheck {
    /// The conditions on one label.
    private struct Demand {
        var isPresent = false
        var isAbsent = false
        /// The allowed values; nil for all.
        var values: Set<String>?
        var excluded: Set<String> = []

        mutating func allow(_ others: some Sequence<String>) {
            isPresent = true
            values = values.map { $0.intersection(others) } ?? Set(others)
        }
    }

    /// The reason why a selector can never match; nil if it can match.
    static func reason(_ expression: SelectorExpression) -> String? {
        guard case .and(let parts) = expression else {
            switch expression {
            case .not(.all): return "it requires the opposite of all()"
            case .among(let key, []): return "it leaves no value for label \(name(key))"
            default: return nil
            }
        }
        guard hasKeyTwice(parts) else { return nil }
        var demands: [String: Demand] = [:]
        for part in parts {
            switch part {
            case .has(let key): demands[key, default: Demand()].isPresent = true
            case .compare(let key, .equals, let value):
                if let reason = otherValue(value, key, demands) { return reason }
                demands[key, default: Demand()].allow([value])
            case .compare(let key, _, _): demands[key, default: Demand()].isPresent = true
            case .among(let key, let values): demands[key, default: Demand()].allow(values)
            case .not(.has(let key)): demands[key, default: Demand()].isAbsent = true
            case .not(.compare(let key, .equals, let value)): demands[key, default: Demand()].excluded.insert(value)
            case .not(.among(let key, let values)): demands[key, default: Demand()].excluded.formUnion(values)
            case .not(.all): return "it requires the opposite of all()"
            default: break
            }
        }
        return demands.sorted { $0.key < $1.key }.lazy.compactMap { reason($1, name($0)) }.first
    }

    /// Whether several parts may test the same label, or a single part may be false for all labels.
    ///
    /// It is fast for the small number of parts that selectors usually have.
    private static func hasKeyTwice(_ parts: [SelectorExpression]) -> Bool {
        guard parts.count <= 8 else { return true }
        for (index, part) in parts.enumerated() {
            guard let key = key(part) else { return true }
            for other in parts[..<index] where Self.key(other) == key { return true }
        }
        return false
    }

    /// The label that a part tests; nil if it tests several, or if it may be false for all labels.
    private static func key(_ part: SelectorExpression) -> String? {
        switch part {
        case .has(let key), .compare(let key, _, _): key
        case .among(let key, let values): values.isEmpty ? nil : key
        case .not(let inner): key(inner)
        case .all, .global, .and, .or: nil
        }
    }

    /// Whether one selector excludes all labels that another one matches.
    static func excludes(_ excluded: SelectorExpression, _ expression: SelectorExpression) -> Bool {
        if case .all = excluded { return true }
        return Set(parts(excluded)).isSubset(of: parts(expression))
    }

    private static func parts(_ expression: SelectorExpression) -> [SelectorExpression] {
        if case .and(let parts) = expression { parts } else { [expression] }
    }

    private static func otherValue(_ value: String, _ key: String, _ demands: [String: Demand]) -> String? {
        guard let values = demands[key]?.values, values.count == 1, let other = values.first, other != value else {
            return nil
        }
        return "it requires label \(name(key)) to be both \(other) and \(value)"
    }

    private static func reason(_ demand: Demand, _ name: String) -> String? {
        if demand.isPresent, demand.isAbsent { return "it requires label \(name) to be present and to be absent" }
        if let values = demand.values, values.isSubset(of: demand.excluded) {
            return "it leaves no value for label \(name)"
        }
        return nil
    }

    /// The key in the notation of the policy.
    private static func name(_ key: String) -> String {
        for (prefix, owner) in [
            (CalicoLabel.namespacePrefix, "namespace"), (CalicoLabel.serviceAccountPrefix, "service account"),
        ] where key.hasPrefix(prefix) {
            return "\(key.dropFirst(prefix.count)) of the \(owner)"
        }
        return key
    }
}
