public import FlowModel

/// The meaning of a log prefix for the packets that are logged with it.
public enum LogPrefixMeaning: Sendable {
    /// A verdict.
    case rule(LoggedRule)
    /// The verdict of a staged policy, which has no effect.
    case staged
    /// No verdict: the prefix contains no word for one, or words for both.
    case noVerdict

    /// Parses a prefix: Calico's (``LogPrefix``), or any other that contains a word for the action of its rule.
    ///
    /// Words are separated by characters other than letters and digits; case is ignored. The hit of such a prefix is a
    /// GlobalNetworkPolicy of the tier `nflog` with the rule index -2. Its name is the prefix, reduced to the characters
    /// of object names.
    ///
    /// - Parameters:
    ///   - prefix: the prefix as the kernel reports it.
    ///   - format: the format of the hit.
    public init(of prefix: String, _ format: PolicyFormat) {
        if let known = LogPrefix(prefix) {
            self = known.isStaged ? .staged : .rule(LoggedRule(prefix, known.direction, known.hit, format))
            return
        }
        guard let action = Self.action(of: prefix) else {
            self = .noVerdict
            return
        }
        let hit = PolicyHit.logged(as: prefix, action, rule: PolicyHit.unknownRule)
        self = .rule(LoggedRule(prefix, nil, hit, format))
    }

    private static let denying: Set<String> = [
        "drop", "dropped", "deny", "denied", "reject", "rejected", "block", "blocked",
    ]
    private static let allowing: Set<String> = ["accept", "accepted", "allow", "allowed", "permit", "permitted"]

    private static func action(of prefix: String) -> PolicyHit.Action? {
        let words = prefix.lowercased().split { !PolicyHit.isAlphanumeric($0) }.map(String.init)
        let denies = words.contains(where: denying.contains)
        let allows = words.contains(where: allowing.contains)
        guard denies != allows else { return nil }
        return denies ? .deny : .allow
    }
}

extension LoggedRule {
    fileprivate convenience init(_ prefix: String, _ direction: Direction?, _ hit: PolicyHit, _ format: PolicyFormat) {
        let action: Action =
            switch hit.action {
            case .allow: .allow
            case .deny: .deny
            case .pass: .pass
            }
        // The index is left out, because the position in the trace is unknown.
        let text = hit.text(format).split(separator: "|", maxSplits: 1).last ?? ""
        self.init(prefix: prefix, direction: direction, action: action, hit: String(text))
    }
}

extension PolicyHit {
    /// The hit of an unknown policy's rule, named after the name in its log prefix.
    static func logged(as text: String, _ action: Action, rule: Int) -> PolicyHit {
        PolicyHit(
            index: 0,
            tier: logTier,
            kind: .globalNetworkPolicy,
            name: "\(logTier).\(reduced(text))",
            action: action,
            ruleIndex: rule
        )
    }

    /// The text reduced to the characters of object names.
    ///
    /// Letters in lower case and digits stay; other characters between them become a single `-` or `.`.
    private static func reduced(_ text: String) -> String {
        var name = ""
        var separator: Character?
        for character in text.lowercased() {
            if isAlphanumeric(character) {
                if let separator, !name.isEmpty { name.append(separator) }
                separator = nil
                name.append(character)
            } else if separator == nil {
                separator = character == "." ? "." : "-"
            }
        }
        return name.isEmpty ? "unnamed" : name
    }

    /// Whether a character is a lower-case ASCII letter or a digit.
    static func isAlphanumeric(_ character: Character) -> Bool {
        character.asciiValue.map { 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 } ?? false
    }
}
