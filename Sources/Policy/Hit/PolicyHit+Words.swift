extension PolicyHit {
    /// The hit as a sentence.
    ///
    /// For example `tier application: NetworkPolicy yaobank/application.allow: no rule matched, and the tier's default action
    /// denied`.
    public var words: String {
        "\(subject): \(decision)"
    }

    private var subject: String {
        if kind == .profile {
            switch name {
            case Self.noMatch: return "no tier decided, and none of the profiles"
            case Self.profileTier: return "no tier decided, and the endpoint has no profile"
            default: return "no tier decided, and profile \(name)"
            }
        }
        if tier == Self.logTier { return "a logging rule that names no policy (\(name))" }
        if name == "\(tier).\(Self.unknownEndOfTier)" || name == Self.unknownEndOfTier { return "tier \(tier)" }
        let owner = namespace.map { "\($0)/" } ?? ""
        return "tier \(tier): \(kind.rawValue) \(owner)\(name)\(kind.isStaged ? " (staged, not in force)" : "")"
    }

    private var decision: String {
        let does =
            switch action {
            case .allow: "allowed"
            case .deny: "denied"
            case .pass: "left it to the next tier"
            }
        switch ruleIndex {
        case _ where kind == .profile: return does
        case Self.endOfTier: return "no rule matched, and the tier's default action \(does)"
        case _ where tier == Self.logTier: return does
        case Self.unknownRule, nil: return "a rule that is not named \(does)"
        case .some(let rule): return "rule \(rule) \(does)"
        }
    }
}
