import Foundation
import Testing

/// `weir policy check` on files with usual mistakes: each finding has place, object, field and correction.
@Suite struct PolicyCheckCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var text: String
        /// The expected findings, each beginning with the line and severity.
        var findings: [String]

        init(_ name: String, _ text: String, _ findings: String...) {
            (testDescription, self.text, self.findings) = (name, text, findings)
        }

        /// A GlobalNetworkPolicy p whose spec begins in line 5.
        init(_ name: String, spec: String, _ findings: String...) {
            let head = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n"
            (testDescription, text, self.findings) = (name, head + spec, findings)
        }
    }

    private static let passedOver = "It counts for nothing; an API server refuses or drops it"

    static let cases: [Case] = [
        Case(
            "misspelt fields",
            spec:
                "  ingress:\n  - action: Allow\n    soruce: {selector: a == 'b'}\n  - {action: Deny, destination: {prots: [80]}}\n",
            "1: warning: GlobalNetworkPolicy p: spec.ingress[1]: never reached: spec.ingress[0] matches everything",
            "7: error: GlobalNetworkPolicy p: spec.ingress[0].soruce: no such field here; did you mean 'source'? \(passedOver)",
            "8: error: GlobalNetworkPolicy p: spec.ingress[1].destination.prots: no such field here; did you mean 'ports'? \(passedOver)"
        ),
        Case(
            "a misspelt action",
            spec: "  ingress:\n  - acton: Deny\n",
            "6: error: GlobalNetworkPolicy p: spec.ingress[0]: the rule has no action; it needs Allow, Deny, Log or Pass",
            "6: error: GlobalNetworkPolicy p: spec.ingress[0].acton: no such field here; did you mean 'action'? \(passedOver)"
        ),
        Case(
            "misspelt metadata",
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\n  name: p\n  lables: {a: b}\nspec: {}\n",
            "5: error: GlobalNetworkPolicy p: metadata.lables: no such field here; did you mean 'labels'? \(passedOver)"
        ),
        Case(
            "lists with nothing in them, and a rule's labels",
            spec: "  ingress:\n  - action: Allow\n    source: {nets: [~]}\n    metadata: {labels: {a: b}}\n",
            "7: error: GlobalNetworkPolicy p: spec.ingress[0].source.nets[0]: this is no range of addresses; "
                + "write one as in 10.0.0.0/8",
            "8: error: GlobalNetworkPolicy p: spec.ingress[0].metadata.labels: no such field here. \(passedOver)"
        ),
        Case(
            "numbers of protocols",
            spec: "  ingress:\n  - {action: Allow, protocol: 1, icmp: {type: 8}}\n",
            "6: warning: GlobalNetworkPolicy p: spec.ingress[0].icmp: Calico before 3.33 refuses it with the number of a "
                + "protocol; write protocol: ICMP"
        ),
        Case(
            "an egress rule with from",
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: p, namespace: shop}
            spec:
              podSelector: {}
              egress:
              - from: [{podSelector: {}}]
            """,
            "7: error: NetworkPolicy shop/p: spec.egress[0].from: no such field here; did you mean 'to'? \(passedOver)"
        ),
        Case(
            "a tier and a host endpoint",
            """
            {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: t}, spec: {defaultaction: Pass}}
            ---
            {apiVersion: projectcalico.org/v3, kind: HostEndpoint, metadata: {name: h}, spec: {node: n, expectedIP: [10.0.0.1]}}
            """,
            "1: error: Tier t: spec.defaultaction: no such field here; did you mean 'defaultAction'? \(passedOver)",
            "3: error: HostEndpoint h: spec: it has neither interfaceName nor expectedIPs; it needs one of them",
            "3: error: HostEndpoint h: spec.expectedIP: no such field here; did you mean 'expectedIPs'? \(passedOver)"
        ),
        Case(
            "failsafe ports",
            """
            apiVersion: projectcalico.org/v3
            kind: FelixConfiguration
            metadata: {name: default}
            spec:
              bpfEnabled: true
              failsafeInboundHostPorts:
              - {protocol: TCP, port: 22}
              - {protocol: ICMP, port: 8}
              failsafeOutboundHostPorts:
              - {protocol: UDP, net: 10.0.0.0/33}
            """,
            "8: error: FelixConfiguration default: spec.failsafeInboundHostPorts[1].protocol: a failsafe port needs protocol TCP, "
                + "UDP or SCTP; found ICMP",
            "10: error: FelixConfiguration default: spec.failsafeOutboundHostPorts[0].port: the number of the port is missing",
            "10: error: FelixConfiguration default: spec.failsafeOutboundHostPorts[0].net: this is neither a range as in "
                + "10.0.0.0/8 nor an address"
        ),
        Case(
            "a port that is none",
            spec: "  ingress:\n  - {action: Allow, protocol: TCP, destination: {ports: [70000]}}\n",
            "6: error: GlobalNetworkPolicy p: spec.ingress[0].destination.ports[0]: 70000 is out of range; it is a number from 1 to 65535"
        ),
        Case(
            "a selector with one =",
            spec: "  selector: app = 'web'\n",
            "5: error: GlobalNetworkPolicy p: spec.selector: position 4: expected ==, !=, in, not in, contains, starts with or ends with"
        ),
        Case(
            "10,000 parentheses",
            spec: "  selector: \(String(repeating: "(", count: 10_000))\n",
            "5: error: GlobalNetworkPolicy p: spec.selector: position 101: more than 100 parentheses within each other"
        ),
        Case(
            "a key of 600 characters",
            spec: "  selector: has(\(String(repeating: "k", count: 600)))\n",
            "5: error: GlobalNetworkPolicy p: spec.selector: position 4: the key has 600 bytes, more than 512"
        ),
        Case("a key of 500 characters", spec: "  selector: has(\(String(repeating: "k", count: 500)))\n"),
        Case(
            "a field of 500 characters",
            spec: "  \(String(repeating: "k", count: 500)): 1\n",
            "5: error: GlobalNetworkPolicy p: spec.\(String(repeating: "k", count: 64))…: no such field here. \(passedOver)"
        ),
        Case(
            "what an API server refuses",
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: p, namespace: shop}
            spec:
              podSelector: {}
              ingress:
              - from:
                - podSelector: {}
                  ipBlock:
                    cidr: 10.0.0.0/8
                    except: [11.0.0.0/16]
                ports:
                - {port: "8000", protocol: tcp}
            """,
            "8: error: NetworkPolicy shop/p: spec.ingress[0].from[0]: ipBlock is used beside podSelector; a peer has addresses or pods, so make two peers of it",
            "11: error: NetworkPolicy shop/p: spec.ingress[0].from[0].ipBlock.except[0]: 11.0.0.0/16 must be within the range 10.0.0.0/8 and smaller than it",
            #"13: error: NetworkPolicy shop/p: spec.ingress[0].ports[0].port: "8000" is a text, which is taken for a port's name; write 8000 without quotes"#,
            #"13: error: NetworkPolicy shop/p: spec.ingress[0].ports[0].protocol: expected TCP, UDP or SCTP, found "tcp"; case is significant: write TCP"#
        ),
        Case(
            "what Calico refuses",
            spec: """
                  selector: global()
                  ingress:
                  - action: allow
                    source: {services: {name: web}, nets: [10.0.0.0/8, "fd00::/8"]}
                    destination: {ports: [80]}
                """,
            "5: error: GlobalNetworkPolicy p: spec.selector: global() is accepted in the namespaceSelector of a rule's source or destination only",
            #"7: error: GlobalNetworkPolicy p: spec.ingress[0].action: expected Allow, Deny, Log or Pass, found "allow"; case is significant: write Allow"#,
            "8: error: GlobalNetworkPolicy p: spec.ingress[0].source.services: a global policy must name the namespace of a service",
            "8: error: GlobalNetworkPolicy p: spec.ingress[0].source.services: services are used beside nets; a service is used alone, and means the addresses and ports of its pods",
            "8: error: GlobalNetworkPolicy p: spec.ingress[0].source.nets[1]: fd00::/8 is of IPv6 and 10.0.0.0/8 of the same rule of IPv4; make a rule for each",
            "9: error: GlobalNetworkPolicy p: spec.ingress[0].destination.ports: ports need protocol TCP, UDP or SCTP; no protocol is named"
        ),
        Case(
            "a namespace that does not exist",
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shopp}, spec: {podSelector: {}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}
            """,
            "3: error: NetworkPolicy shopp/p: metadata.namespace: there is no namespace 'shopp', so that an API server refuses the object; create it first",
            "5: warning: NetworkPolicy default/p: metadata: no namespace is named; it counts as of default"
        ),
        Case(
            "tabs",
            spec: "\tingress:\n\t- action: Allow\n",
            "5: error: not YAML: a tab, or another character that no value begins with: indent with spaces, or quote the text, while scanning for the next token from line 5"
        ),
        Case(
            "a tier that does not exist",
            spec: "  tier: nowhere\n",
            "1: error: GlobalNetworkPolicy p: spec.tier: there is no tier 'nowhere'; the policy is not in force"
        ),
        Case(
            "no name",
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {}\nspec: {}\n",
            "1: error: the object has no name: metadata.name is missing"
        ),
    ]

    @Test(arguments: cases) func reportsFindingsWithLineObjectAndField(_ test: Case) throws {
        let path = folder.file("policy.yaml")
        try Data(test.text.utf8).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess([WeirProgram.path, "policy", "check", path], keepingIn: folder)
        let isError = test.findings.contains { $0.contains(": error: ") }
        #expect(process.wait() == (isError ? 1 : 0), "\(process.errors)")
        #expect(process.errors == "")
        let lines = process.output.split(separator: "\n").dropLast().map(String.init)
        #expect(lines == test.findings.map { "\(path):\($0)" })
    }

    /// Deep nesting in both languages, in a part of the object that is used.
    @Test(arguments: ["policy.yaml", "policy.json"]) func reportsDeepNesting(_ name: String) throws {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let text = #"""
            {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "p"},
             "spec": {"ingress": \#(deep)}}
            """#
        let path = folder.file(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess([WeirProgram.path, "policy", "check", "--inventory", path], keepingIn: folder)
        #expect(process.wait() == 1)
        #expect(process.output.contains("nest") || process.output.contains("levels deep"), "\(process.output)")
        #expect(process.output.hasSuffix("1 file, 0 policies: 1 error, 0 warnings\n"), "\(process.output)")
    }

    /// 10 MB of rules, each with an unknown field: a few findings, and the number of the others.
    @Test(.timeLimit(.minutes(5))) func limitsAndCountsUnknownFields() throws {
        let rules = (0..<160_000).map { #"{"action":"Allow","soruce\#($0)":{"selector":"a"},"unknown":1}"# }
        let head = #"{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy","metadata":{"name":"p"},"#
        let text = head + #""spec":{"ingress":[\#(rules.joined(separator: ","))]}}"#
        #expect(text.utf8.count > 9_000_000)
        let path = folder.file("policy.json")
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess([WeirProgram.path, "policy", "check", "--inventory", path], keepingIn: folder)
        #expect(process.wait() == 1)
        let lines = process.output.split(separator: "\n")
        #expect(lines.count < 130)
        #expect(
            lines.contains { $0.hasSuffix("spec: 319992 more fields that do not exist") },
            "\(process.output.suffix(600))"
        )
    }

    @Test func jsonHasFieldAndLine() throws {
        struct Line: Decodable, Equatable {
            var line: Int?
            var severity: String?
            var field: String?
            var reason: String?
        }
        let path = folder.file("policy.yaml")
        try Data((Self.cases.first?.text ?? "").utf8).write(to: URL(fileURLWithPath: path))
        let arguments = [WeirProgram.path, "policy", "check", "--json", "--inventory", path]
        let process = try ChildProcess(arguments, keepingIn: folder)
        #expect(process.wait() == 1)
        let lines = try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        let reason = "no such field here; did you mean 'source'? \(Self.passedOver)"
        #expect(
            lines.contains(Line(line: 7, severity: "error", field: "spec.ingress[0].soruce", reason: reason)),
            "\(lines)"
        )
    }
}
