import FlowModel
import Testing

/// Kubernetes' own cases of reachability under NetworkPolicies, from every pod to every other one.
///
/// The cases are those of the conformance tests of Kubernetes (`test/e2e/network/netpol`), written anew from their
/// descriptions.
struct ReachabilityTests {
    typealias Step = ProbeMatrix.Step
    typealias Probe = ProbeMatrix.Probe

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var steps: [Step]

        init(_ name: String, _ steps: Step...) {
            testDescription = name
            self.steps = steps
        }

        /// Creates a case of one policy in namespace x.
        init(_ name: String, _ spec: String, _ probes: Probe...) {
            self.init(name, Step(policies: ["x/policy": spec], probes: probes))
        }
    }

    @Test(arguments: ingress + egress + ports + several + changes)
    func reachabilityMatchesKubernetes(_ test: Case) throws {
        var matrix = ProbeMatrix()
        for (index, step) in test.steps.enumerated() {
            let differences = try matrix.differences(step)
            #expect(differences.isEmpty, "step \(index): \(differences.prefix(5)), \(differences.count) in all")
        }
    }

    /// The matrix itself can be wrong: it must report differences if a policy denies connections that are expected.
    @Test func matrixReportsUnexpectedDenials() throws {
        var matrix = ProbeMatrix()
        let denial = Step(policies: ["x/deny": #"{"podSelector":{}}"#], probes: [Probe()])
        #expect(try matrix.differences(denial).count == 3 * 8)
    }

    private static let podA = #""podSelector":{"matchLabels":{"pod":"a"}}"#

    // MARK: - Peers of ingress

    private static let ingress: [Case] = [
        Case("no policy", Step(policies: [:], probes: [Probe()])),
        Case(
            "default deny of ingress",
            #"{"podSelector":{},"ingress":[]}"#,
            Probe(into: ["x/*": []]),
            Probe(proto: .udp, into: ["x/*": []]),
            Probe(proto: .sctp, port: 81, into: ["x/*": []])
        ),
        Case(
            "default deny of both directions",
            #"{"podSelector":{},"policyTypes":["Ingress","Egress"]}"#,
            Probe(into: ["x/*": []], outOf: ["x/*": []])
        ),
        Case("allow all", #"{"podSelector":{},"ingress":[{}]}"#, Probe(), Probe(proto: .udp, port: 81)),
        Case(
            "pods of the server's namespace by label",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}]}"#,
            Probe(into: ["x/a": ["x/b"]])
        ),
        Case(
            "any pod of the server's namespace",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{}}]}]}"#,
            Probe(into: ["x/a": ["x/*"]])
        ),
        Case(
            "deny from pods of other namespaces",
            #"{"podSelector":{},"ingress":[{"from":[{"podSelector":{}}]}]}"#,
            Probe(into: ["x/*": ["x/*"]])
        ),
        Case(
            "another namespace by label",
            #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}]}]}"#,
            Probe(into: ["x/a": ["y/*"]])
        ),
        Case(
            "another namespace by its name",
            #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"z"}}}]}]}"#,
            Probe(into: ["x/a": ["z/*"]])
        ),
        Case(
            "pods by expression",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["b"]}]}}]}]}"#,
            Probe(into: ["x/a": ["x/b"]])
        ),
        Case(
            "namespaces by expression",
            #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"NotIn","values":["x","y"]}]}}]}]}"#,
            Probe(into: ["x/a": ["z/*"]])
        ),
        Case(
            "two peers: pods or namespaces",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}},{"namespaceSelector":{"matchLabels":{"ns":"y"}}}]}]}"#,
            Probe(into: ["x/a": ["x/b", "y/*"]])
        ),
        Case(
            "one peer: pods and namespaces",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}},"namespaceSelector":{"matchLabels":{"ns":"y"}}}]}]}"#,
            Probe(into: ["x/a": ["y/b"]])
        ),
        Case(
            "several pods and namespaces in one peer",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["b","c"]}]},"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"NotIn","values":["x"]}]}}]}]}"#,
            Probe(into: ["x/a": ["y/b", "y/c", "z/b", "z/c"]])
        ),
        Case(
            "any pod of any namespace",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{},"namespaceSelector":{}}]}]}"#,
            Probe()
        ),
        Case(
            "range of addresses with a hole",
            #"{\#(podA),"ingress":[{"from":[{"ipBlock":{"cidr":"10.1.0.0/16","except":["10.1.0.2/32"]}}]}]}"#,
            Probe(into: ["x/a": ["y/a", "y/c"]])
        ),
        Case(
            "pods that are selected by expression",
            #"{"podSelector":{"matchExpressions":[{"key":"pod","operator":"Exists"},{"key":"pod","operator":"NotIn","values":["c"]}]}}"#,
            Probe(into: ["x/a": [], "x/b": []])
        ),
    ]

    // MARK: - Peers of egress

    private static let egress: [Case] = [
        Case(
            "default deny of egress",
            #"{"podSelector":{},"policyTypes":["Egress"]}"#,
            Probe(outOf: ["x/*": []]),
            Probe(proto: .udp, port: 81, outOf: ["x/*": []])
        ),
        Case("allow all egress", #"{"podSelector":{},"policyTypes":["Egress"],"egress":[{}]}"#, Probe()),
        Case(
            "to a pod of another namespace",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{"matchLabels":{"ns":"y"}},"podSelector":{"matchLabels":{"pod":"b"}}}]}]}"#,
            Probe(outOf: ["x/a": ["y/b"]])
        ),
        Case(
            "to a range of one address",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"10.2.0.2/32"}}]}]}"#,
            Probe(outOf: ["x/a": ["z/b"]])
        ),
        Case(
            "to a range but for one address",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"10.2.0.0/24","except":["10.2.0.2/32"]}}]}]}"#,
            Probe(outOf: ["x/a": ["z/a", "z/c"]])
        ),
        Case(
            "an address that one policy excepts and another one allows",
            Step(
                policies: [
                    "x/except":
                        #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"10.2.0.0/24","except":["10.2.0.2/32"]}}]}]}"#,
                    "x/allow":
                        #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"ipBlock":{"cidr":"10.2.0.2/32"}}]}]}"#,
                ],
                probes: [Probe(outOf: ["x/a": ["z/*"]])]
            )
        ),
        Case(
            "both directions in one policy",
            #"{\#(podA),"policyTypes":["Ingress","Egress"],"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}],"egress":[{"to":[{"namespaceSelector":{"matchLabels":{"ns":"z"}}}]}]}"#,
            Probe(into: ["x/a": ["x/b"]], outOf: ["x/a": ["z/*"]])
        ),
        Case(
            "egress rules without types govern both directions",
            #"{\#(podA),"egress":[{"to":[{"podSelector":{}}]}]}"#,
            Probe(into: ["x/a": []], outOf: ["x/a": ["x/*"]])
        ),
    ]

    // MARK: - Ports and protocols

    private static let ports: [Case] = [
        Case(
            "one port",
            #"{\#(podA),"ingress":[{"ports":[{"port":81}]}]}"#,
            Probe(port: 81),
            Probe(into: ["x/a": []]),
            Probe(proto: .udp, port: 81, into: ["x/a": []])
        ),
        Case(
            "one port from one namespace",
            #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":80,"protocol":"TCP"}]}]}"#,
            Probe(into: ["x/a": ["y/*"]]),
            Probe(port: 81, into: ["x/a": []])
        ),
        Case(
            "two rules: either's peers at its own port only",
            #"{\#(podA),"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":80}]},{"from":[{"namespaceSelector":{"matchLabels":{"ns":"z"}}}],"ports":[{"port":81}]}]}"#,
            Probe(into: ["x/a": ["x/*"]]),
            Probe(port: 81, into: ["x/a": ["z/*"]])
        ),
        Case(
            "a port by its name",
            #"{\#(podA),"ingress":[{"ports":[{"port":"serve-81-tcp"}]}]}"#,
            Probe(port: 81),
            Probe(into: ["x/a": []]),
            Probe(proto: .udp, port: 81, into: ["x/a": []])
        ),
        Case(
            "a port by its name from one namespace",
            #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"x"}}}],"ports":[{"port":"serve-80-tcp"}]}]}"#,
            Probe(into: ["x/a": ["x/*"]]),
            Probe(port: 81, into: ["x/a": []])
        ),
        Case(
            "egress to a port by its name",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"ports":[{"port":"serve-80-tcp"}]}]}"#,
            Probe(),
            Probe(port: 81, outOf: ["x/a": []])
        ),
        Case(
            "a name that the protocol does not have",
            #"{\#(podA),"ingress":[{"ports":[{"port":"serve-80-tcp","protocol":"UDP"}]}]}"#,
            Probe(into: ["x/a": []]),
            Probe(proto: .udp, into: ["x/a": []])
        ),
        Case(
            "UDP only",
            #"{\#(podA),"ingress":[{"ports":[{"port":80,"protocol":"UDP"}]}]}"#,
            Probe(proto: .udp),
            Probe(into: ["x/a": []]),
            Probe(proto: .sctp, into: ["x/a": []])
        ),
        Case(
            "SCTP is not TCP",
            #"{\#(podA),"ingress":[{"ports":[{"port":81,"protocol":"SCTP"}]}]}"#,
            Probe(proto: .sctp, port: 81),
            Probe(proto: .sctp, into: ["x/a": []]),
            Probe(into: ["x/a": []]),
            Probe(port: 81, into: ["x/a": []])
        ),
        Case(
            "any port of one protocol",
            #"{\#(podA),"ingress":[{"ports":[{"protocol":"UDP"}]}]}"#,
            Probe(proto: .udp),
            Probe(proto: .udp, port: 81),
            Probe(into: ["x/a": []])
        ),
        Case(
            "egress to any port of one protocol in one namespace",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"protocol":"TCP"}]}]}"#,
            Probe(outOf: ["x/a": ["y/*"]]),
            Probe(port: 81, outOf: ["x/a": ["y/*"]]),
            Probe(proto: .udp, outOf: ["x/a": []])
        ),
        Case(
            "a range of ports",
            #"{\#(podA),"ingress":[{"ports":[{"port":81,"endPort":90}]}]}"#,
            Probe(port: 81),
            Probe(port: 90),
            Probe(port: 91, into: ["x/a": []]),
            Probe(into: ["x/a": []])
        ),
        Case(
            "egress to a range of ports",
            #"{\#(podA),"policyTypes":["Egress"],"egress":[{"ports":[{"port":70,"endPort":80,"protocol":"TCP"}]}]}"#,
            Probe(),
            Probe(port: 81, outOf: ["x/a": []])
        ),
        Case(
            "several ports and protocols",
            #"{\#(podA),"ingress":[{"ports":[{"port":80,"protocol":"TCP"},{"port":81,"protocol":"UDP"}]}]}"#,
            Probe(),
            Probe(proto: .udp, port: 81),
            Probe(port: 81, into: ["x/a": []]),
            Probe(proto: .udp, into: ["x/a": []])
        ),
    ]

    // MARK: - Several policies

    private static let several: [Case] = [
        Case(
            "stacked policies allow what either allows",
            Step(
                policies: [
                    "x/80":
                        #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"x"}}}],"ports":[{"port":80}]}]}"#,
                    "x/81":
                        #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}],"ports":[{"port":81}]}]}"#,
                ],
                probes: [Probe(into: ["x/a": ["x/*"]]), Probe(port: 81, into: ["x/a": ["y/*"]])]
            )
        ),
        Case(
            "policies whose pods overlap",
            Step(
                policies: [
                    "x/deny": #"{"podSelector":{}}"#,
                    "x/allow":
                        #"{"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["a","b"]}]},"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"c"}}}]}]}"#,
                ],
                probes: [Probe(into: ["x/a": ["x/c"], "x/b": ["x/c"], "x/c": []])]
            )
        ),
        Case(
            "an allow-all of ingress beside others",
            Step(
                policies: [
                    "x/some": #"{"podSelector":{},"ingress":[{"from":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}]}"#,
                    "x/all": #"{"podSelector":{},"ingress":[{}]}"#,
                ],
                probes: [Probe()]
            )
        ),
        Case(
            "an allow-all of egress beside others",
            Step(
                policies: [
                    "x/some": #"{"podSelector":{},"policyTypes":["Egress"],"egress":[{"ports":[{"port":80}]}]}"#,
                    "x/all": #"{"podSelector":{},"policyTypes":["Egress"],"egress":[{}]}"#,
                ],
                probes: [Probe(), Probe(port: 81)]
            )
        ),
        Case(
            "ingress and egress each on its own",
            Step(
                policies: [
                    "x/in": #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"ns":"y"}}}]}]}"#,
                    "x/out":
                        #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"podSelector":{"matchLabels":{"pod":"b"}}}]}]}"#,
                ],
                probes: [Probe(into: ["x/a": ["y/*"]], outOf: ["x/a": ["x/b"]])]
            )
        ),
        Case(
            "policies of both ends",
            Step(
                policies: [
                    "x/in": #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{}}]}]}"#,
                    "y/out":
                        #"{\#(podA),"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{"matchLabels":{"ns":"z"}}}]}]}"#,
                ],
                probes: [Probe(outOf: ["y/a": ["z/*"]])]
            )
        ),
    ]

    // MARK: - Changes

    private static let changes: [Case] = [
        Case(
            "a policy that is changed, and deleted",
            Step(policies: ["x/policy": #"{"podSelector":{}}"#], probes: [Probe(into: ["x/*": []])]),
            Step(
                policies: ["x/policy": #"{"podSelector":{},"ingress":[{"ports":[{"port":81}]}]}"#],
                probes: [Probe(into: ["x/*": []]), Probe(port: 81)]
            ),
            Step(policies: ["x/policy": #"{"podSelector":{},"ingress":[{}]}"#], probes: [Probe(), Probe(port: 81)]),
            Step(policies: ["x/policy": #"{\#(podA)}"#], probes: [Probe(into: ["x/a": []])]),
            Step(policies: [:], probes: [Probe(), Probe(port: 81)])
        ),
        Case(
            "a namespace that gets a label, and loses it",
            Step(policies: ["x/policy": ofTeam], probes: [Probe(into: ["x/a": []])]),
            Step(
                policies: ["x/policy": ofTeam],
                namespaceLabels: ["y": ["team": "one"]],
                probes: [Probe(into: ["x/a": ["y/*"]])]
            ),
            Step(policies: ["x/policy": ofTeam], probes: [Probe(into: ["x/a": []])])
        ),
        Case(
            "a caller that gets a label",
            Step(policies: ["x/policy": fromPod], probes: [Probe(into: ["x/a": []])]),
            Step(
                policies: ["x/policy": fromPod],
                podLabels: ["x/b": ["new": "yes"], "y/b": ["new": "yes"]],
                probes: [Probe(into: ["x/a": ["x/b"]])]
            )
        ),
        Case(
            "a server that gets a label",
            Step(policies: ["x/policy": ofNew], probes: [Probe()]),
            Step(
                policies: ["x/policy": ofNew],
                podLabels: ["x/a": ["new": "yes"]],
                probes: [Probe(into: ["x/a": []])]
            ),
            Step(policies: ["x/policy": ofNew], podLabels: ["x/a": ["new": "no"]], probes: [Probe()])
        ),
    ]

    private static let ofTeam =
        #"{\#(podA),"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"one"}}}]}]}"#
    private static let fromPod = #"{\#(podA),"ingress":[{"from":[{"podSelector":{"matchLabels":{"new":"yes"}}}]}]}"#
    private static let ofNew = #"{"podSelector":{"matchLabels":{"new":"yes"}}}"#
}
