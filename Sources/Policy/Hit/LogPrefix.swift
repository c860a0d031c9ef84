public import FlowModel

/// A rule's log prefix in Calico's grammar, up to 63 bytes long.
///
///     rule             <A|D|P><P|R><I|E><rule>|<id>    APE0|gnp/default.web   PPI2|shop/security.base
///     end of a tier    <D|P>P<I|E>|<tier>              DPI|default
///     no profile       DR<I|E>                         DRE
///     staged, no rule  DP<I|E>|<id>                    DPI|shop/security.staged:web
///
/// The first letter is the action: allow, deny, pass; the second the owner: a policy or a profile; the third the direction:
/// ingress, egress. The id of a policy is `kind/[namespace/]name` from Calico 3.32 on and `[namespace/]tier.name` before;
/// that of a profile its name.
public struct LogPrefix: Hashable, Sendable {
    /// The owner of the rule.
    public enum Owner: Sendable, Hashable {
        /// A policy.
        case policy
        /// A profile.
        case profile
    }

    /// The subject that decided about the packet.
    public enum Subject: Sendable, Hashable {
        /// A rule of the policy or profile with this id; rules are counted from 0.
        case rule(Int, id: String)
        /// The default action of this tier, because no rule of its policies matched.
        case endOfTier(String)
        /// No profile has a matching rule.
        case noProfile
        /// No rule of this staged policy matched.
        case stagedPolicy(id: String)
    }

    /// The action for the packet.
    public var action: PolicyHit.Action
    /// The owner of the rule.
    public var owner: Owner
    /// The direction of the packets that it applies to.
    public var direction: LoggedRule.Direction
    /// The subject that decided about the packet.
    public var subject: Subject
    /// Whether the prefix was too long for the kernel, so that Calico replaced the middle by a hash.
    ///
    /// The action, owner, direction and rule are unchanged; the name cannot be recovered.
    public var isHashed: Bool

    /// Parses a prefix; nil if it does not follow this grammar.
    public init?(_ text: String) {
        var rest = Substring(text)
        switch rest.popFirst() {
        case "A": action = .allow
        case "D": action = .deny
        case "P": action = .pass
        default: return nil
        }
        switch rest.popFirst() {
        case "P": owner = .policy
        case "R": owner = .profile
        default: return nil
        }
        switch rest.popFirst() {
        case "I": direction = .ingress
        case "E": direction = .egress
        default: return nil
        }
        isHashed = Self.isHashed(text)
        guard let subject = Self.subject(rest, action, owner) else { return nil }
        self.subject = subject
    }

    private static func subject(_ text: Substring, _ action: PolicyHit.Action, _ owner: Owner) -> Subject? {
        if text.isEmpty { return owner == .profile && action == .deny ? .noProfile : nil }
        let number = text.prefix { $0.isASCII && $0.isNumber }
        let rest = text.dropFirst(number.count)
        guard rest.first == "|", rest.count > 1 else { return nil }
        let id = String(rest.dropFirst())
        guard number.isEmpty else {
            guard number.utf8.count <= 9, let rule = Int(number) else { return nil }
            return .rule(rule, id: id)
        }
        guard owner == .policy, action != .allow else { return nil }
        // The name of a tier contains no `/` or `:`.
        let isPolicy = action == .deny && (id.contains("/") || id.contains(":"))
        return isPolicy ? .stagedPolicy(id: id) : .endOfTier(id)
    }

    // MARK: Hashed prefixes

    /// The length of a hashed prefix: the first 10 bytes of the original, 42 of a hash, `_`, and the last 10.
    private static let hashedLength = 63
    /// The position of the `_`, which does not occur in names of policies and namespaces.
    private static let hashedMark = 52
    private static let hashedHead = 10

    private static func isHashed(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.count == hashedLength
            && bytes[bytes.index(bytes.startIndex, offsetBy: hashedMark)] == UInt8(ascii: "_")
    }

    // MARK: Hit

    /// Whether the rule is staged, so that it shows the effect of a staged policy and has none itself.
    public var isStaged: Bool {
        if case .stagedPolicy = subject { return true }
        return isHashed ? isStagedHead : hit.kind.isStaged
    }

    /// Whether the part of the id before the hash matches the start of a staged policy's id.
    private var isStagedHead: Bool {
        guard case .rule(let rule, let id) = subject else {
            // Names of tiers are rarely that long, so a hashed prefix with a denial is treated as a staged policy's.
            if case .endOfTier = subject { return action == .deny }
            return false
        }
        let head = id.prefix(max(0, Self.hashedHead - 4 - String(rule).utf8.count))
        return head.utf8.count >= 3 && ["snp/", "sgnp/", "sknp/"].contains { $0.hasPrefix(head) || head.hasPrefix($0) }
    }

    /// The hit with index 0 that the prefix describes.
    ///
    /// The tier is the part of the name before the first dot; without a dot it is `default`. The end of a tier names no
    /// policy; its hit has the GlobalNetworkPolicy `end-of-tier`. A hashed or invalid id becomes a GlobalNetworkPolicy in
    /// the tier `nflog` that is named after the id in the prefix.
    public var hit: PolicyHit {
        switch subject {
        case .rule(let rule, let id): hit(of: id, rule: rule, owner == .profile ? Self.profiles(id) : Self.policies(id))
        case .stagedPolicy(let id): hit(of: id, rule: PolicyHit.endOfTier, Self.policies(id))
        case .endOfTier(let tier):
            hit(of: tier, rule: PolicyHit.endOfTier, [(tier, "gnp:\(tier).\(PolicyHit.unknownEndOfTier)")])
        case .noProfile: hit(of: PolicyHit.noMatch, rule: 0, Self.profiles(PolicyHit.noMatch))
        }
    }

    /// The possible meanings of an id as tier and name part of a hit, the most likely first.
    private typealias Candidates = [(tier: String, part: String)]

    private func hit(of id: String, rule: Int, _ candidates: Candidates) -> PolicyHit {
        for (tier, part) in candidates where !isHashed {
            if let hit = try? PolicyHit("0|\(tier)|\(part)|\(action.rawValue)|\(rule)") { return hit }
        }
        return .logged(as: id, action, rule: rule)
    }

    private static func profiles(_ id: String) -> Candidates {
        let name = id.hasPrefix("pro/") ? id.dropFirst(4) : id[...]
        return [(PolicyHit.profileTier, "pro:\(name)")]
    }

    private static func policies(_ id: String) -> Candidates {
        let name = id.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        var candidates: Candidates = []
        if let slash = id.firstIndex(of: "/") {
            let kind = id[..<slash]
            candidates.append((tier(ofKind: kind, name), "\(kind):\(id[id.index(after: slash)...])"))
        }
        let words = name.split(separator: ".", omittingEmptySubsequences: false)
        let first = words.first ?? ""
        switch first {
        case "knp", "staged:knp", "kanp", "kbanp", "kcnp":
            candidates.append((words.dropFirst().first.map(String.init) ?? "", id))
        case _ where first.hasPrefix("staged:"): candidates.append((String(first.dropFirst("staged:".count)), id))
        case _ where words.count == 1:
            candidates.append((BuiltInTier.defaultTier, "\(id.dropLast(name.count))\(BuiltInTier.defaultTier).\(name)"))
        default: candidates.append((String(first), id))
        }
        return candidates
    }

    private static func tier(ofKind kind: Substring, _ name: Substring) -> String {
        switch kind {
        case "knp", "sknp": return BuiltInTier.defaultTier
        case "kanp": return BuiltInTier.admin
        case "kbanp": return BuiltInTier.baselineAdmin
        // Both tiers of this kind are possible.
        case "kcnp":
            return name.hasPrefix("\(BuiltInTier.kubeBaseline).") ? BuiltInTier.kubeBaseline : BuiltInTier.kubeAdmin
        default:
            guard let dot = name.firstIndex(of: ".") else { return BuiltInTier.defaultTier }
            return String(name[..<dot])
        }
    }
}
