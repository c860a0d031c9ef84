import Policy
import Testing

/// The parser and the printer of hits in all formats.
struct PolicyHitTests {
    @Test(arguments: [
        "0|tier|gnp:name|allow|0", "1|tier|sgnp:name.with.dots|deny|2", "0|kube-admin|kcnp:name|deny|1",
        "3|kube-baseline|kcnp:name.with.dots|pass|4", "0|tier|np:namespace/tier.name|allow|1",
        "0|default|knp:namespace/name|allow|2", "1|tier|snp:namespace/name.with.dots|deny|0",
        "1|default|sknp:namespace/name|deny|3", "1|__PROFILE__|pro:kns.default|allow|0",
        "1|__PROFILE__|pro:ksa.svcacct|allow|0", "0|tier1|np:ns1/tier1.policy1|deny|-1",
        "2|kube-admin|gnp:kube-admin.policy1|allow|-1", "0|tier2|snp:default/np2-1|deny|-1",
        "0|__PROFILE__|pro:__NO_MATCH__|deny|0", "2|__PROFILE__|pro:__PROFILE__|deny|-1", "0|t|np:ns/t.p|allow|-2",
    ])
    func parsesAndPrintsNewerHits(_ text: String) throws {
        #expect(try PolicyHit(text).text(.calico332) == text)
    }

    @Test(arguments: [
        "0|tier|tier.name|allow|0", "1|tier|tier.staged:name.with.dots|deny|2",
        "0|adminnetworkpolicy|adminnetworkpolicy.name|deny|1", "0|tier|namespace/tier.name|allow|1",
        "0|default|namespace/knp.default.name|allow|2", "1|tier|namespace/tier.staged:name|deny|0",
        "1|default|namespace/staged:knp.default.name|deny|3",
        "3|adminnetworkpolicy|kanp.adminnetworkpolicy.name|pass|4",
        "3|baselineadminnetworkpolicy|kbanp.baselineadminnetworkpolicy.name|pass|4",
        "1|__PROFILE__|__PROFILE__.kns.default|allow|0", "0|tier1|ns1/tier1.policy1|deny|-1",
        "0|default|default/default.policy|allow", "0|__PROFILE__|__PROFILE__.__NO_MATCH__|deny|0",
    ])
    func parsesAndPrintsOlderHits(_ text: String) throws {
        #expect(try PolicyHit(text).text(.enterprise) == text)
    }

    @Test(arguments: [
        ("0|t|ns/staged:t.name|deny|1", "0|t|ns/t.staged:name|deny|1"),
        ("0|t|staged:t.name|pass|1", "0|t|t.staged:name|pass|1"),
    ])
    func parsesOldestFormOfStagedHits(_ text: String, _ written: String) throws {
        #expect(try PolicyHit(text).text(.enterprise) == written)
    }

    @Test(arguments: [
        "1|tier|sgnp:tier.name|deny|notInt", "notint|kube-baseline|kcnp:name|deny|2",
        "0|tier|gnp:tier.name|allow|0|extra",
        "1|tier|gnp:invalid-ch@aracter|deny|2", "1|_|snp:namespace/tier.name|deny|0",
        "0|@kube-baseline|kcnp:policy1|allow|-1", "0|kube-admin|kcnp:name|badaction|1", "0||np:namespace/name|allow|1",
        "0|tier1|np:namespace/|pass|0", "1|___PROFILE__|pro:kns.default|allow|0",
        "1|__PROFILE__|pro:PSA.svcacct|allow|0",
        "1|tier|tier2.name|allow|0", "0|tier|namespace/knp.default.name|allow|2",
        "0|adminnetworkpolicy|kanp.foobar.policy1|allow|-1", "0|tier1|default/|pass|0",
        "1|tier|namespace/knp.default|deny|3",
        "0|tier|np:name|allow|0", "0|tier|gnp:ns/name|allow|0", "0|tier|knp:ns/name|allow|0", "0|tier|tier.|allow|0",
        "",
        "0|tier|gnp:name", "-1|tier|gnp:name|allow|0", "0|tier|gnp:name|allow|-3", "0|tier|gnp:name|allow|+1",
        "0|__PROFILE__|gnp:name|allow|0", "99999999999999999999|tier|gnp:name|allow|0", "0|tier|pro:kns.a|allow|0",
        "0|tier|eot:__NO_MATCH__|deny|-1", "0|tier|np:a/b/c|allow|0",
    ])
    func rejectsInvalidHits(_ text: String) {
        #expect(throws: PolicyHitError.self) { try PolicyHit(text) }
    }

    @Test
    func parsesMembersOfHit() throws {
        let hit = try PolicyHit("3|application|yaobank/application.staged:allow|deny|-1")
        #expect(hit.index == 3 && hit.tier == "application" && hit.kind == .stagedNetworkPolicy)
        #expect(hit.namespace == "yaobank" && hit.name == "application.allow" && hit.action == .deny)
        #expect(hit.isEndOfTier && hit.kind.isStaged)
        #expect(hit.text(.calico332) == "3|application|snp:yaobank/application.allow|deny|-1")
        #expect(try PolicyHit("0|default|np:a/b|allow|0").text(.enterprise) == "0|default|a/default.b|allow|0")
    }

    @Test(arguments: [
        (
            "3|application|yaobank/application.allow|deny|-1",
            "tier application: NetworkPolicy yaobank/application.allow: no rule matched, and the tier's default action denied"
        ),
        (
            "0|default|sknp:a/b|allow|2",
            "tier default: StagedKubernetesNetworkPolicy a/b (staged, not in force): rule 2 allowed"
        ),
        (
            "1|security|security.x|pass",
            "tier security: GlobalNetworkPolicy security.x: a rule that is not named left it to the next tier"
        ),
        ("0|__PROFILE__|pro:kns.a|allow|0", "no tier decided, and profile kns.a: allowed"),
        ("0|__PROFILE__|pro:__NO_MATCH__|deny|0", "no tier decided, and none of the profiles: denied"),
    ])
    func describesHitsInWords(_ text: String, _ words: String) throws {
        #expect(try PolicyHit(text).words == words)
    }
}
