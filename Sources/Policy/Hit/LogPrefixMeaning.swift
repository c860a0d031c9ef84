public import FlowModel

/// What a log prefix says of the packets that are logged with it.
public enum LogPrefixMeaning: Sendable {
    /// A verdict.
    case rule(LoggedRule)
    /// What a staged policy would do: it decides nothing.
    case staged
    /// Nothing of a verdict: it has no word for one, or words for both.
    case noVerdict

    /// Reads a prefix: Calico's (``LogPrefix``), or any other whose words say what its rule does.
    ///
    /// Words are what stands between characters that are neither letters nor digits, in any case. The hit of such a prefix
    /// is a GlobalNetworkPolicy of the tier `nflog`, by the name of the prefix in the characters of a name, with rule -2.
    ///
    /// - Parameters:
    ///   - prefix: the prefix as the kernel reports it.
    ///   - format: the generation that the hit is written in.
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
        // Without the index: the place in a trace is not known.
        let text = hit.text(format).split(separator: "|", maxSplits: 1).last ?? ""
        self.init(prefix: prefix, direction: direction, action: action, hit: String(text))
    }
}

extension PolicyHit {
    /// The hit of a rule of an unknown policy, named by the name in its log prefix.
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

    /// A text in the characters that the name of an object may have: small letters and digits, with one `-` or `.` between
    /// them for whatever else there is.
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

    /// Whether a character is a small letter or a digit of ASCII.
    static func isAlphanumeric(_ character: Character) -> Bool {
        character.asciiValue.map { 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 } ?? false
    }
}
