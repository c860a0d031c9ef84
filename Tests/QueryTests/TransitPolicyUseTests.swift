import Filter
import FlowModel
import Policy
import Query
import Records
import Store
import Testing

/// The use of policies that decide about forwarded connections.
@Suite struct TransitPolicyUseTests {
    /// Hits of records, and the state that the gateway's policy and its rules have.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// The rules of the inventory's policy that allow, such as `ingress 0`; nil without an inventory.
        var listed: [String]?
        var appliesOnForward = true
        /// The rules that decided a connection at the destination.
        var ends: [String] = ["default.other|allow|0"]
        /// The rules that decided forwarded connections, for each record; a record has 5 connections.
        var transit: [[String]] = []
        var state: String
        /// Allowed and denied connections of the policy.
        var connections: (allow: UInt64, deny: UInt64) = (0, 0)
        var rules: [String]
    }

    private static func hits(_ rules: [String]) -> String {
        let hits = rules.enumerated().map { "\"\($0)|default|\($1)\"" }
        return "[\(hits.joined(separator: ","))]"
    }

    private static func line(_ reporter: String, _ policies: String, _ number: Int) -> String {
        recordLine([
            .endTime: "\(bankStart + 10)", .reporter: "\"\(reporter)\"", .destPort: "\(80 + number)",
            .numFlowsStarted: "5", .policies: policies,
        ])
    }

    private static func lines(_ test: Case) -> [String] {
        test.ends.enumerated().map { number, rule in
            line("dst", "{\"enforced_policies\":\(hits([rule])),\"pending_policies\":\(hits([rule]))}", number)
        }
            + test.transit.enumerated().map { number, rules in
                let lists = "{\"enforced_policies\":[],\"pending_policies\":[],\"transit_policies\":\(hits(rules))}"
                return line("fwd", lists, number)
            }
    }

    private static func catalogue(_ test: Case) -> PolicyCatalogue? {
        test.listed.map { listed in
            let rules = listed.map { rule in
                let words = rule.split(separator: " ")
                return PolicyCatalogue.Rule(
                    isIngress: words[0] == "ingress",
                    index: Int(words[1]) ?? -1,
                    action: .allow,
                    text: "everything"
                )
            }
            let policy = PolicyCatalogue.Policy(
                kind: .globalNetworkPolicy,
                namespace: nil,
                name: "default.gateway",
                id: "default.gateway",
                selector: "all()",
                rules: rules,
                appliesOnForward: test.appliesOnForward
            )
            return PolicyCatalogue(tiers: [.init(name: "default", defaultAction: .deny, policies: [policy])])
        }
    }

    @Test(arguments: [
        Case(
            testDescription: "a hit of the only rule with its number",
            listed: ["ingress 0", "egress 1"],
            transit: [["default.gateway|allow|0"]],
            state: "used",
            connections: (5, 0),
            rules: ["ingress 0 used 5", "egress 1 unused 0"]
        ),
        Case(
            testDescription: "a hit that may be of either rule",
            listed: ["ingress 0", "ingress 10", "egress 0"],
            ends: ["default.gateway|allow|0"],
            transit: [["default.gateway|allow|0"]],
            state: "used",
            connections: (10, 0),
            rules: ["ingress 0 used 10", "ingress 10 unused 0", "egress 0 used 5"]
        ),
        Case(
            testDescription: "a hit at each interface, and the end of the tier",
            listed: ["ingress 0", "egress 0"],
            transit: [
                ["default.gateway|allow|0", "default.gateway|allow|0"],
                ["default.gateway|allow|0", "default.gateway|deny|-1"],
            ],
            state: "used",
            connections: (5, 5),
            rules: ["ingress 0 used 10", "egress 0 used 10", "transit -1 used 5"]
        ),
        Case(
            testDescription: "not used, with records of forwarded traffic",
            listed: ["ingress 0"],
            transit: [["default.early|allow|0"]],
            state: "unused",
            rules: ["ingress 0 unused 0"]
        ),
        Case(
            testDescription: "not used, without records of forwarded traffic",
            listed: ["ingress 0"],
            state: "unknown",
            rules: ["ingress 0 unknown 0"]
        ),
        Case(
            testDescription: "used at an end, without records of forwarded traffic",
            listed: ["ingress 0", "ingress 1"],
            ends: ["default.gateway|allow|0"],
            state: "used",
            connections: (5, 0),
            rules: ["ingress 0 used 5", "ingress 1 unknown 0"]
        ),
        Case(
            testDescription: "no policy for forwarded traffic",
            listed: ["ingress 0"],
            appliesOnForward: false,
            state: "unused",
            rules: ["ingress 0 unused 0"]
        ),
        Case(
            testDescription: "without an inventory",
            ends: ["default.gateway|allow|0"],
            transit: [["default.gateway|allow|0"]],
            state: "used",
            connections: (10, 0),
            rules: ["ingress 0 used 5", "transit 0 used 5"]
        ),
    ])
    func transitHitsUsePolicies(_ test: Case) throws {
        let (reader, _) = try store(Self.lines(test))
        let use = try reader.read {
            let scan = FlowScan($0, since: bankStart, until: bankStart + 60, filter: try Filter(""))
            return PolicyUse(try KeyTotals(scan), Self.catalogue(test))
        }
        let policy = try #require(use.tiers.flatMap(\.policies).first { $0.name == "default.gateway" })
        #expect(policy.state.rawValue == test.state && use.hasEnforcedHits)
        #expect(policy.allow.connections == test.connections.allow && policy.deny.connections == test.connections.deny)
        #expect(
            policy.rules.map { "\($0.direction) \($0.index) \($0.state.rawValue) \($0.connections)" } == test.rules
        )
        let filters = policy.rules.map { ($0.filter, $0.connections) }
        for (filter, connections) in filters + [(policy.filter, policy.allow.connections + policy.deny.connections)] {
            let query = FlowQuery(
                since: bankStart,
                until: bankStart + 60,
                filter: try Filter(filter),
                groupBy: [],
                sums: [Measure(.connections)]
            )
            #expect(try reader.read { try query.run($0) }.total == [connections], "\(filter)")
        }
    }
}
