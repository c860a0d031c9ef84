import ClusterModel
import FlowModel
import Policy
import Testing

/// Reachability under Kubernetes NetworkPolicies: three namespaces of three pods each, every pair.
struct KubernetesPolicyTests {
    private static let pods: [(name: String, address: String, endpoint: Endpoint)] = ["x", "y", "z"].enumerated()
        .flatMap {
            index,
            namespace in
            ["a", "b", "c"].enumerated().map { number, pod in
                let endpoint = Make.pod(
                    pod,
                    namespace,
                    ["pod": pod],
                    ports: [NamedPort(name: "serve-80", port: 80), NamedPort(name: "dns", port: 53, proto: .udp)]
                )
                return ("\(namespace)/\(pod)", "10.\(index).0.\(number)", endpoint)
            }
        }

    private static let namespaces = ["x", "y", "z"].map { Make.namespace($0, ["ns": $0]) }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var spec: NetworkPolicySpec
        /// The pods that still reach x/a at TCP 80.
        var reaches: [String]
    }

    private static func labels(_ key: String, _ value: String) -> LabelSelector {
        LabelSelector(labels: [Label(key: key, value: value)])
    }

    private static let all = pods.map(\.name)

    private static func from(_ peers: [NetworkPolicyPeer]?, _ ports: [PolicyPort]? = nil) -> NetworkPolicySpec {
        NetworkPolicySpec(podSelector: labels("pod", "a"), ingress: [NetworkPolicyRule(peers: peers, ports: ports)])
    }

    private static func tcp(_ port: PortMatch?) -> [PolicyPort] { [PolicyPort(proto: .tcp, port: port)] }

    static let ingress: [Case] = [
        Case(testDescription: "default deny", spec: NetworkPolicySpec(), reaches: []),
        Case(
            testDescription: "another pod's policy",
            spec: NetworkPolicySpec(podSelector: labels("pod", "b")),
            reaches: all
        ),
        Case(
            testDescription: "egress only",
            spec: NetworkPolicySpec(directions: .egress),
            reaches: all.filter { !$0.hasPrefix("x/") }
        ),
        Case(testDescription: "peers absent", spec: from(nil), reaches: all),
        Case(testDescription: "peers empty", spec: from([]), reaches: all),
        Case(
            testDescription: "pods of the own namespace",
            spec: from([.pods(namespaces: nil, pods: LabelSelector())]),
            reaches: ["x/a", "x/b", "x/c"]
        ),
        Case(
            testDescription: "pod selector",
            spec: from([.pods(namespaces: nil, pods: labels("pod", "b"))]),
            reaches: ["x/b"]
        ),
        Case(
            testDescription: "namespace selector",
            spec: from([.pods(namespaces: labels("ns", "y"), pods: nil)]),
            reaches: ["y/a", "y/b", "y/c"]
        ),
        Case(
            testDescription: "all namespaces",
            spec: from([.pods(namespaces: LabelSelector(), pods: labels("pod", "c"))]),
            reaches: ["x/c", "y/c", "z/c"]
        ),
        Case(
            testDescription: "both in one peer: and",
            spec: from([.pods(namespaces: labels("ns", "y"), pods: labels("pod", "a"))]),
            reaches: ["y/a"]
        ),
        Case(
            testDescription: "two peers: or",
            spec: from([
                .pods(namespaces: labels("ns", "y"), pods: nil), .pods(namespaces: nil, pods: labels("pod", "a")),
            ]),
            reaches: ["x/a", "y/a", "y/b", "y/c"]
        ),
        Case(
            testDescription: "expressions",
            spec: from([
                .pods(
                    namespaces: LabelSelector(requirements: [
                        .init(key: "ns", comparison: .notIn, values: ["x"]), .init(key: "ns", comparison: .exists),
                    ]),
                    pods: LabelSelector(requirements: [
                        .init(key: "pod", comparison: .in, values: ["a", "b"]),
                        .init(key: "none", comparison: .doesNotExist),
                    ])
                )
            ]),
            reaches: ["y/a", "y/b", "z/a", "z/b"]
        ),
        Case(
            testDescription: "range",
            spec: from([.block(IPBlock(range: Make.net("10.1.0.0/16")))]),
            reaches: ["y/a", "y/b", "y/c"]
        ),
        Case(
            testDescription: "range with hole",
            spec: from([
                .block(
                    IPBlock(range: Make.net("10.0.0.0/8"), except: [Make.net("10.1.0.0/16"), Make.net("10.2.0.1/32")])
                )
            ]),
            reaches: ["x/a", "x/b", "x/c", "z/a", "z/c"]
        ),
        Case(testDescription: "range that cannot be read", spec: from([.block(IPBlock(range: nil))]), reaches: []),
        Case(testDescription: "ports empty", spec: from(nil, []), reaches: all),
        Case(testDescription: "port 80", spec: from(nil, tcp(.range(80...80))), reaches: all),
        Case(testDescription: "port 81", spec: from(nil, tcp(.range(81...81))), reaches: []),
        Case(testDescription: "port range", spec: from(nil, tcp(.range(79...81))), reaches: all),
        Case(testDescription: "named port", spec: from(nil, tcp(.name("serve-80"))), reaches: all),
        Case(testDescription: "named port of UDP", spec: from(nil, tcp(.name("dns"))), reaches: []),
        Case(testDescription: "all ports of TCP", spec: from(nil, tcp(nil)), reaches: all),
        Case(testDescription: "all ports of UDP", spec: from(nil, [PolicyPort(proto: .udp, port: nil)]), reaches: []),
        Case(
            testDescription: "port without protocol is TCP",
            spec: from(nil, [PolicyPort(proto: nil, port: .range(80...80))]),
            reaches: all
        ),
        Case(
            testDescription: "port that is nothing is everything",
            spec: from(nil, tcp(.range(81...81)) + [PolicyPort(proto: nil, port: nil)]),
            reaches: all
        ),
    ]

    @Test(arguments: ingress)
    func ingressRulesSelectPeersAndPorts(_ test: Case) throws {
        let policy = NetworkPolicy(metadata: Make.metadata("policy", "x"), spec: test.spec)
        let snapshot = Make.snapshot(Self.namespaces + [.networkPolicy(policy)])
        let target = try #require(Self.pods.first)
        let reaches = Self.pods.filter { pod in
            let tuple = Make.tuple(pod.address, target.address)
            let (egress, ingress) = snapshot.traces(of: tuple, source: pod.endpoint, destination: target.endpoint)
            return egress?.action == .allow && ingress?.action == .allow
        }
        #expect(reaches.map(\.name) == test.reaches)
    }

    @Test
    func allowsEgressToDNSOnly() throws {
        let dns = NetworkPolicyRule(
            peers: [.pods(namespaces: Self.labels("ns", "z"), pods: nil)],
            ports: [PolicyPort(proto: .udp, port: .range(53...53)), PolicyPort(proto: .tcp, port: .range(53...53))]
        )
        let spec = NetworkPolicySpec(directions: .egress, egress: [dns])
        let policy = NetworkPolicy(metadata: Make.metadata("dns", "x"), spec: spec)
        let snapshot = Make.snapshot(Self.namespaces + [.networkPolicy(policy)], .enterprise)
        func hit(_ destination: Int, _ proto: IPProtocol, _ port: UInt16) -> String? {
            let (source, target) = (Self.pods[0], Self.pods[destination])
            let tuple = Make.tuple(source.address, target.address, proto, to: port)
            return snapshot.traces(of: tuple, source: source.endpoint, destination: target.endpoint).egress?.enforced
                .last
        }
        // TCP comes before UDP, also if UDP is written first.
        #expect(hit(6, .tcp, 53) == "0|default|x/knp.default.dns|allow|0")
        #expect(hit(6, .udp, 53) == "0|default|x/knp.default.dns|allow|1")
        #expect(hit(6, .udp, 54) == "0|default|x/knp.default.dns|deny|-1")
        #expect(hit(3, .udp, 53) == "0|default|x/knp.default.dns|deny|-1")
        #expect(hit(6, .icmp, 8 << 8) == "0|default|x/knp.default.dns|deny|-1")
    }

    /// Rule numbers count one rule per protocol and peer; adjacent ranges are merged.
    @Test
    func expandsRulesByProtocolAndPeer() throws {
        let ports = [
            PolicyPort(proto: .udp, port: .range(53...53)), PolicyPort(proto: .tcp, port: .range(81...90)),
            PolicyPort(proto: .tcp, port: .range(80...80)), PolicyPort(proto: .sctp, port: nil),
        ]
        let peers = ["a", "b"].map { NetworkPolicyPeer.pods(namespaces: nil, pods: Self.labels("pod", $0)) }
        let first = NetworkPolicyRule(peers: peers, ports: ports)
        let second = NetworkPolicyRule(peers: [.pods(namespaces: LabelSelector(), pods: nil)])
        let spec = NetworkPolicySpec(ingress: [first, second])
        let policy = NetworkPolicy(metadata: Make.metadata("p", "x"), spec: spec)
        let snapshot = Make.snapshot(Self.namespaces + [.networkPolicy(policy)])
        func rule(_ source: Int, _ proto: IPProtocol, _ port: UInt16) throws -> Int? {
            let tuple = Make.tuple(Self.pods[source].address, Self.pods[2].address, proto, to: port)
            let traces = snapshot.traces(
                of: tuple,
                source: Self.pods[source].endpoint,
                destination: Self.pods[2].endpoint
            )
            return try PolicyHit(#require(traces.ingress?.enforced.last)).ruleIndex
        }
        #expect(try rule(0, .sctp, 9) == 0 && rule(1, .sctp, 9) == 1)
        #expect(try rule(0, .tcp, 80) == 2 && rule(1, .tcp, 90) == 3)
        #expect(try rule(0, .udp, 53) == 4 && rule(1, .udp, 53) == 5)
        #expect(try rule(0, .tcp, 91) == 6 && rule(4, .tcp, 80) == 6)
    }
}
