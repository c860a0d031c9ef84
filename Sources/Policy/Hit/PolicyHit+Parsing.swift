/// The reason why a text is not a policy hit.
public struct PolicyHitError: Error, Hashable, CustomStringConvertible {
    /// The error message, with the invalid text.
    public var description: String
}

extension PolicyHit {
    /// Parses a hit of any format.
    ///
    /// The formats are `kind:[namespace/]name` from Calico 3.32 on, and `[namespace/]tier.name` with its staged forms
    /// before. Hits from before 2021 have only four parts.
    ///
    /// - Throws: an error that names the invalid part and the reason.
    public init(_ text: String) throws(PolicyHitError) {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5 || parts.count == 4 else {
            throw PolicyHitError(description: "a hit has 5 parts between |, or 4 before 2021; here are \(parts.count)")
        }
        guard let index = Self.decimal(parts[0]) else {
            throw PolicyHitError(description: "the index '\(parts[0])' is not a number from 0")
        }
        guard let action = Action(rawValue: parts[3]) else {
            throw PolicyHitError(description: "the action '\(parts[3])' is not allow, deny or pass")
        }
        let tier = parts[1]
        guard tier == Self.profileTier || Self.isName(tier) else {
            throw PolicyHitError(description: "'\(tier)' is not the name of a tier")
        }
        var ruleIndex: Int?
        if parts.count == 5 {
            guard let rule = Self.rule(parts[4]) else {
                throw PolicyHitError(description: "the rule index '\(parts[4])' is not a number from -2")
            }
            ruleIndex = rule
        }
        let policy = try Self.policy(parts[2], tier: tier)
        self.init(
            index: index,
            tier: tier,
            kind: policy.kind,
            namespace: policy.namespace,
            name: policy.name,
            action: action,
            ruleIndex: ruleIndex
        )
    }

    private typealias Policy = (kind: Kind, namespace: String?, name: String)

    private static func policy(_ part: String, tier: String) throws(PolicyHitError) -> Policy {
        let colon = part.firstIndex(of: ":")
        let kind = colon.flatMap { colon in Kind.allCases.first { $0.abbreviation == part[..<colon] } }
        var policy: Policy
        if let kind, let colon {
            policy = newer(kind, part[part.index(after: colon)...])
        } else {
            policy = try older(part, tier: tier)
        }
        try check(policy, part, tier)
        if policy.kind.isStaged, kind == nil, policy.kind != .stagedKubernetesNetworkPolicy {
            policy.name = "\(tier).\(policy.name)"
        }
        return policy
    }

    private static func newer(_ kind: Kind, _ rest: Substring) -> Policy {
        let (namespace, name) = splitNamespace(rest)
        return (kind, namespace, String(name))
    }

    /// Parses the older form of a policy.
    ///
    /// The forms are `[namespace/]tier.name`, `[namespace/]tier.staged:name`, `[namespace/]staged:tier.name`,
    /// `namespace/[staged:]knp.default.name`, `kanp.`, `kbanp.` or `kcnp.tier.name`, or `__PROFILE__.name`.
    private static func older(_ part: String, tier: String) throws(PolicyHitError) -> Policy {
        let (namespace, name) = splitNamespace(part[...])
        let special: [(String, Kind)] = [
            ("staged:knp.\(tier).", .stagedKubernetesNetworkPolicy), ("knp.\(tier).", .kubernetesNetworkPolicy),
            ("kanp.\(tier).", .adminNetworkPolicy), ("kbanp.\(tier).", .baselineAdminNetworkPolicy),
            ("kcnp.\(tier).", .clusterNetworkPolicy),
        ]
        for (prefix, kind) in special where name.hasPrefix(prefix) {
            return (kind, namespace, String(name.dropFirst(prefix.count)))
        }
        if tier == profileTier, name.hasPrefix("\(tier).") {
            return (.profile, namespace, String(name.dropFirst(tier.count + 1)))
        }
        for prefix in ["\(tier).staged:", "staged:\(tier)."] where name.hasPrefix(prefix) {
            let kind = namespace == nil ? Kind.stagedGlobalNetworkPolicy : .stagedNetworkPolicy
            return (kind, namespace, String(name.dropFirst(prefix.count)))
        }
        guard name.hasPrefix("\(tier)."), name.count > tier.count + 1 else {
            throw PolicyHitError(description: "'\(part)' does not name a policy of tier '\(tier)'")
        }
        return (namespace == nil ? .globalNetworkPolicy : .networkPolicy, namespace, String(name))
    }

    private static func check(_ policy: Policy, _ part: String, _ tier: String) throws(PolicyHitError) {
        guard policy.kind.tiers?.contains(tier) ?? (tier != profileTier) else {
            throw PolicyHitError(description: "a \(policy.kind.rawValue) cannot be in tier '\(tier)'")
        }
        guard (policy.namespace != nil) == policy.kind.isNamespaced else {
            let need = policy.kind.isNamespaced ? "needs a namespace" : "is in no namespace"
            throw PolicyHitError(description: "a \(policy.kind.rawValue) \(need): '\(part)'")
        }
        let isSpecial = policy.kind == .profile && (policy.name == noMatch || policy.name == profileTier)
        guard isSpecial || isName(policy.name), policy.namespace.map(isName) ?? true else {
            throw PolicyHitError(description: "'\(part)' has no valid name")
        }
    }

    // MARK: - Parts

    private static func splitNamespace(_ text: Substring) -> (String?, Substring) {
        guard let slash = text.firstIndex(of: "/") else { return (nil, text) }
        return (String(text[..<slash]), text[text.index(after: slash)...])
    }

    /// Whether a text is a valid object name: an RFC 1123 subdomain.
    private static func isName(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8?) -> Bool {
            byte.map { 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 } ?? false
        }
        return text.utf8.count <= 253 && isAlphanumeric(text.utf8.first) && isAlphanumeric(text.utf8.last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    private static func decimal(_ text: String) -> Int? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return Int(text)
    }

    private static func rule(_ text: String) -> Int? {
        switch text {
        case "-1": endOfTier
        case "-2": unknownRule
        default: decimal(text)
        }
    }
}
