import FlowModel
import Policy
import Testing

/// The contents of log prefixes, and the hits that are made of them.
struct LogPrefixTests {
    /// A prefix, and its hit without the index in both formats.
    struct Case: Sendable, CustomTestStringConvertible {
        let prefix: String
        let direction: LoggedRule.Direction?
        let enterprise: String
        let calico332: String

        init(_ prefix: String, _ direction: LoggedRule.Direction?, _ enterprise: String, _ calico332: String) {
            self.prefix = prefix
            self.direction = direction
            self.enterprise = enterprise
            self.calico332 = calico332
        }

        var testDescription: String { prefix }
    }

    static let newer = [
        Case(
            "APE0|gnp/default.ep1-1-allow-all",
            .egress,
            "default|default.ep1-1-allow-all|allow|0",
            "default|gnp:default.ep1-1-allow-all|allow|0"
        ),
        Case(
            "PPI0|np/default/tier1.np1-1",
            .ingress,
            "tier1|default/tier1.np1-1|pass|0",
            "tier1|np:default/tier1.np1-1|pass|0"
        ),
        Case("DPI12|np/ns/plain", .ingress, "default|ns/default.plain|deny|12", "default|np:ns/plain|deny|12"),
        Case("DPE3|knp/ns/web.v2", .egress, "default|ns/knp.default.web.v2|deny|3", "default|knp:ns/web.v2|deny|3"),
        Case("DPI0|kcnp/x", .ingress, "kube-admin|kcnp.kube-admin.x|deny|0", "kube-admin|kcnp:x|deny|0"),
        Case(
            "DPI0|kcnp/kube-baseline.x",
            .ingress,
            "kube-baseline|kcnp.kube-baseline.kube-baseline.x|deny|0",
            "kube-baseline|kcnp:kube-baseline.x|deny|0"
        ),
        Case(
            "API1|kanp/x",
            .ingress,
            "adminnetworkpolicy|kanp.adminnetworkpolicy.x|allow|1",
            "adminnetworkpolicy|kanp:x|allow|1"
        ),
        Case(
            "ARE0|pro/kns.default",
            .egress,
            "__PROFILE__|__PROFILE__.kns.default|allow|0",
            "__PROFILE__|pro:kns.default|allow|0"
        ),
        // A namespace may be called like a kind.
        Case("API1|np/tier.name", .ingress, "tier|np/tier.name|allow|1", "tier|np:np/tier.name|allow|1"),
    ]

    static let older = [
        Case(
            "API0|hipstershop/app-hipstershop.checkoutservice",
            .ingress,
            "app-hipstershop|hipstershop/app-hipstershop.checkoutservice|allow|0",
            "app-hipstershop|np:hipstershop/app-hipstershop.checkoutservice|allow|0"
        ),
        Case("PPE2|security.base", .egress, "security|security.base|pass|2", "security|gnp:security.base|pass|2"),
        Case("DPI1|ns/knp.default.web", .ingress, "default|ns/knp.default.web|deny|1", "default|knp:ns/web|deny|1"),
        Case(
            "DPI1|kanp.adminnetworkpolicy.x",
            .ingress,
            "adminnetworkpolicy|kanp.adminnetworkpolicy.x|deny|1",
            "adminnetworkpolicy|kanp:x|deny|1"
        ),
        Case(
            "ARI0|kns.yaobank",
            .ingress,
            "__PROFILE__|__PROFILE__.kns.yaobank|allow|0",
            "__PROFILE__|pro:kns.yaobank|allow|0"
        ),
        Case(
            "ARE0|ksa.ns.sa",
            .egress,
            "__PROFILE__|__PROFILE__.ksa.ns.sa|allow|0",
            "__PROFILE__|pro:ksa.ns.sa|allow|0"
        ),
        Case("API7|plain", .ingress, "default|default.plain|allow|7", "default|gnp:default.plain|allow|7"),
        Case("API7|ns/plain", .ingress, "default|ns/default.plain|allow|7", "default|np:ns/default.plain|allow|7"),
    ]

    static let ends = [
        Case("DPI|default", .ingress, "default|default.end-of-tier|deny|-1", "default|gnp:default.end-of-tier|deny|-1"),
        Case(
            "PPE|security",
            .egress,
            "security|security.end-of-tier|pass|-1",
            "security|gnp:security.end-of-tier|pass|-1"
        ),
        Case("DRI", .ingress, "__PROFILE__|__PROFILE__.__NO_MATCH__|deny|0", "__PROFILE__|pro:__NO_MATCH__|deny|0"),
        Case("DRE", .egress, "__PROFILE__|__PROFILE__.__NO_MATCH__|deny|0", "__PROFILE__|pro:__NO_MATCH__|deny|0"),
    ]

    /// 42 characters of a hash in base64.
    private static let hash = "kz1-Jv_QeR0aXc8WmTbN3uLyPfHd5sGo7iAqZ2x4Bw"

    static let others = [
        // The hit has the rule and the action; its name is the text with the hash.
        Case(
            "APE0|gnp/d\(hash)_llow-egres",
            .egress,
            "nflog|nflog.gnp-dkz1-jv-qer0axc8wmtbn3ulypfhd5sgo7iaqz2x4bw-llow-egres|allow|0",
            "nflog|gnp:nflog.gnp-dkz1-jv-qer0axc8wmtbn3ulypfhd5sgo7iaqz2x4bw-llow-egres|allow|0"
        ),
        Case(
            "DPI41|shop\(hash)_checkout-a",
            .ingress,
            "nflog|nflog.shopkz1-jv-qer0axc8wmtbn3ulypfhd5sgo7iaqz2x4bw-checkout-a|deny|41",
            "nflog|gnp:nflog.shopkz1-jv-qer0axc8wmtbn3ulypfhd5sgo7iaqz2x4bw-checkout-a|deny|41"
        ),
        // Names that no policy has.
        Case("API0|What is it?", .ingress, "nflog|nflog.what-is-it|allow|0", "nflog|gnp:nflog.what-is-it|allow|0"),
        Case("API0|..", .ingress, "nflog|nflog.unnamed|allow|0", "nflog|gnp:nflog.unnamed|allow|0"),
        Case("DPI|Tier 1", .ingress, "nflog|nflog.tier-1|deny|-1", "nflog|gnp:nflog.tier-1|deny|-1"),
        // Prefixes of other firewalls.
        Case("[UFW BLOCK] ", nil, "nflog|nflog.ufw-block|deny|-2", "nflog|gnp:nflog.ufw-block|deny|-2"),
        Case(
            "filter_FWD_public_REJECT: ",
            nil,
            "nflog|nflog.filter-fwd-public-reject|deny|-2",
            "nflog|gnp:nflog.filter-fwd-public-reject|deny|-2"
        ),
        Case(
            "Shorewall:net2fw:DROP:",
            nil,
            "nflog|nflog.shorewall-net2fw-drop|deny|-2",
            "nflog|gnp:nflog.shorewall-net2fw-drop|deny|-2"
        ),
        Case("ACCEPT", nil, "nflog|nflog.accept|allow|-2", "nflog|gnp:nflog.accept|allow|-2"),
        Case(
            "permit|dns v1.2",
            nil,
            "nflog|nflog.permit-dns-v1.2|allow|-2",
            "nflog|gnp:nflog.permit-dns-v1.2|allow|-2"
        ),
        Case("dénied denied", nil, "nflog|nflog.d-nied-denied|deny|-2", "nflog|gnp:nflog.d-nied-denied|deny|-2"),
        // Calico's letters, but not its grammar.
        Case("APX0|drop", nil, "nflog|nflog.apx0-drop|deny|-2", "nflog|gnp:nflog.apx0-drop|deny|-2"),
    ]

    private func rule(_ prefix: String, _ format: PolicyFormat = .enterprise) -> LoggedRule? {
        if case .rule(let rule) = LogPrefixMeaning(of: prefix, format) { rule } else { nil }
    }

    @Test(arguments: newer + older + ends + others)
    func convertsPrefixesToHits(_ example: Case) throws {
        let rules = (rule(example.prefix), rule(example.prefix, .calico332))
        #expect(rules.0?.hit == example.enterprise)
        #expect(rules.1?.hit == example.calico332)
        let parsed = try PolicyHit("0|\(example.enterprise)")
        let other = try PolicyHit("0|\(example.calico332)")
        #expect(parsed.action == other.action && parsed.ruleIndex == other.ruleIndex && parsed.kind == other.kind)
        #expect(rules.0?.action.rawValue == parsed.action.rawValue)
        #expect(rules.0?.direction == example.direction)
        #expect(rules.0?.prefix == example.prefix)
    }

    @Test(arguments: [
        "DPI0|ns/tier.staged:web", "DPI0|snp/ns/web", "API3|sgnp/web", "DPI|ns/tier.staged:web", "DPE|snp/ns/tier.web",
        "DPI|tier.staged:web", "DPI|sgnp/tier.web", "API0|ns/staged:knp.default.web", "DPI0|sknp/ns/web",
        "DPI0|staged:tier.web",
        // Long ones.
        "DPI0|snp/n\(hash)_checkout-a", "DPI10|sgnp\(hash)_checkout-a", "DPI|ns/tie\(hash)_checkout-a",
    ])
    func stagedPrefixesGiveNoVerdict(_ prefix: String) {
        guard case .staged = LogPrefixMeaning(of: prefix, .enterprise) else {
            Issue.record("\(LogPrefixMeaning(of: prefix, .enterprise))")
            return
        }
    }

    @Test(arguments: [
        "", " ", "IN=eth0 OUT=", "firewall", "blocklist", "dropbox", "allow-or-deny", "not accepted: drop", "API",
        "DPI", "ARI",
        "APE|default", "DRI|x", "API0|", "API0", "APEx|y", "API99999999999999999999|a.b", "[UFW AUDIT] ", "\u{fffd}",
    ])
    func prefixesWithoutActionGiveNoVerdict(_ prefix: String) {
        guard case .noVerdict = LogPrefixMeaning(of: prefix, .enterprise) else {
            Issue.record("\(LogPrefixMeaning(of: prefix, .enterprise))")
            return
        }
    }

    @Test
    func parsesMembersOfPrefix() throws {
        let rule = try #require(LogPrefix("PPE12|np/ns/tier.name"))
        #expect(rule.action == .pass && rule.owner == .policy && rule.direction == .egress)
        #expect(rule.subject == .rule(12, id: "np/ns/tier.name") && !rule.isHashed && !rule.isStaged)
        #expect(LogPrefix("ARI0|kns.a")?.owner == .profile)
        #expect(LogPrefix("DRE")?.subject == .noProfile)
        #expect(LogPrefix("DPI|tier")?.subject == .endOfTier("tier"))
        #expect(LogPrefix("DPI|ns/staged:tier.p")?.subject == .stagedPolicy(id: "ns/staged:tier.p"))
        #expect(LogPrefix("APE0|gnp/d\(Self.hash)_llow-egres")?.isHashed == true)
        // As long, but without a hash.
        let long = "APE0|gnp/" + String(repeating: "a", count: 54)
        #expect(long.utf8.count == 63 && LogPrefix(long)?.isHashed == false)
    }

    /// If a prefix gives a hit, the hit is valid and has the prefix's action.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func anyPrefixGivesValidHitOrNone(_ seed: UInt64) throws {
        var numbers = RandomNumbers(seed: seed)
        let pieces = [
            "A", "D", "P", "P", "R", "I", "E", "0", "12", "|", "|", "/", ".", ":", "_", "-", " ", "np/", "gnp/", "knp.",
            "snp/",
            "kcnp/", "staged:", "default", "kube-admin.", "__PROFILE__", "ns", "tier", "drop", "allow", "X", "é",
            "\u{0}", "@",
        ]
        var rules = 0
        for _ in 0..<20_000 {
            var prefix = numbers.once(in: 2) ? numbers.pick(["API0|", "DPE3|", "PPI|", "DPE|", "ARI0|", "DRE"]) : ""
            prefix += numbers.some(0...8) { $0.pick(pieces) }.joined()
            if numbers.once(in: 20) { prefix = String((prefix + Self.hash + Self.hash).prefix(52)) + "_0123456789" }
            for format in PolicyFormat.allCases {
                guard let rule = rule(prefix, format) else { continue }
                rules += 1
                let hit = try PolicyHit("0|\(rule.hit)")
                #expect(hit.text(format) == "0|\(rule.hit)")
                #expect(hit.action.rawValue == rule.action.rawValue)
                #expect(!hit.kind.isStaged)
            }
        }
        #expect(rules > 10_000)
    }
}
