import ClusterModel
import Testing

/// Messages about malformed policies: object, place, fault and correct form.
struct PolicyMessageTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var kind: ObjectKind
        var spec: String
        /// Path and reason of the error; nil if the object is usable.
        var error: String?
        /// Path and reason of each finding.
        var findings: [String]

        init(_ kind: ObjectKind, _ spec: String, error: String? = nil, _ findings: String...) {
            (self.kind, self.spec, self.error, self.findings) = (kind, spec, error, findings)
        }

        var testDescription: String { "\(kind.rawValue) \(spec)" }
    }

    private static let range = "expected a range of addresses as in 10.0.0.0/8"

    @Test(arguments: [
        // Rules and actions.
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"protocol":"TCP"}]"#,
            error: "spec.ingress[0]: the rule has no action; it needs Allow, Deny, Log or Pass"
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Permit"}]"#,
            error: #"spec.ingress[0].action: expected Allow, Deny, Log or Pass, found "Permit""#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[null]"#,
            error: "spec.ingress[0]: the rule is empty; it needs an action at least"
        ),
        Case(.globalNetworkPolicy, #""ingress":{}"#, error: "spec.ingress: expected a list, found an object"),
        Case(
            .globalNetworkPolicy,
            #""ingress":["Allow"]"#,
            error: #"spec.ingress[0]: expected an object, found "Allow""#
        ),
        Case(
            .adminNetworkPolicy,
            #""ingress":[{"action":"Log"}]"#,
            error: #"spec.ingress[0].action: expected Accept (Allow in v1alpha1), Deny or Pass, found "Log""#
        ),
        Case(
            .adminNetworkPolicy,
            #""ingress":[{"from":[]}]"#,
            error: "spec.ingress[0]: the rule has no action; it needs Accept, Deny or Pass"
        ),
        // Wrong types.
        Case(.globalNetworkPolicy, #""order":"high""#, error: #"spec.order: expected a number, found "high""#),
        Case(.globalNetworkPolicy, #""order":1e999"#, error: "spec.order: the number is too large"),
        Case(.globalNetworkPolicy, #""selector":["a"]"#, error: "spec.selector: expected a string, found a list"),
        Case(
            .globalNetworkPolicy,
            #""doNotTrack":"yes""#,
            error: #"spec.doNotTrack: expected true or false, found "yes""#
        ),
        Case(
            .globalNetworkPolicy,
            #""types":["Both"]"#,
            error: #"spec.types[0]: expected Ingress or Egress, found "Both""#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","ipVersion":"4"}]"#,
            error: #"spec.ingress[0].ipVersion: expected a number, found "4""#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","icmp":{"type":300}}]"#,
            error: "spec.ingress[0].icmp.type: expected a number from 0 to 255, found 300"
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","source":{"services":{}}}]"#,
            error: "spec.ingress[0].source.services: the service has no name"
        ),
        Case(.tier, #""defaultAction":"Allow""#, error: #"spec.defaultAction: expected Deny or Pass, found "Allow""#),
        Case(
            .stagedNetworkPolicy,
            #""stagedAction":"Do""#,
            error: #"spec.stagedAction: expected Set, Delete, Learn or Ignore, found "Do""#
        ),
        Case(
            .clusterNetworkPolicy,
            #""priority":1"#,
            error: "spec: a ClusterNetworkPolicy needs a tier, Admin or Baseline; it has none"
        ),
        Case(
            .clusterNetworkPolicy,
            #""tier":"admin""#,
            error: #"spec.tier: expected Admin or Baseline, found "admin""#
        ),
        Case(
            .networkPolicy,
            #""podSelector":{"matchExpressions":[{"key":"a","operator":"Is"}]}"#,
            error:
                #"spec.podSelector.matchExpressions[0].operator: expected In, NotIn, Exists or DoesNotExist, found "Is""#
        ),
        Case(
            .networkPolicy,
            #""podSelector":{"matchExpressions":[{"key":"a"}]}"#,
            error: "spec.podSelector.matchExpressions[0]: the expression needs a key and an operator"
        ),
        // Ports, ranges and protocols.
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","destination":{"ports":[70000,"9:1","a:b",-1,"",80]}}]"#,
            "spec.ingress[0].destination.ports[0]: expected a port, 0 to 65535, found 70000",
            #"spec.ingress[0].destination.ports[1]: expected a port, its name, or a range as in 8080:8090, found "9:1""#,
            #"spec.ingress[0].destination.ports[2]: expected a port, its name, or a range as in 8080:8090, found "a:b""#,
            "spec.ingress[0].destination.ports[3]: expected a port, 0 to 65535, found -1",
            #"spec.ingress[0].destination.ports[4]: expected a port, its name, or a range as in 8080:8090, found """#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","destination":{"ports":[80.5]}}]"#,
            error: "spec.ingress[0].destination.ports[0]: expected a whole number, found 80.5"
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","source":{"nets":["10.0.0.0/33","nonsense"],"notNets":["::/129"]}}]"#,
            #"spec.ingress[0].source.nets[0]: \#(range), found "10.0.0.0/33""#,
            #"spec.ingress[0].source.nets[1]: \#(range), found "nonsense""#,
            #"spec.ingress[0].source.notNets[0]: \#(range), found "::/129""#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","source":{"nets":"10.0.0.0/8"}}]"#,
            error: #"spec.ingress[0].source.nets: expected a list, found "10.0.0.0/8""#
        ),
        Case(
            .globalNetworkPolicy,
            #""ingress":[{"action":"Deny","protocol":"TPC"}]"#,
            "spec.ingress[0].protocol: expected a protocol: TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or 1 to 255, "
                + #"found "TPC""#
        ),
        Case(
            .networkPolicy,
            #""ingress":[{"from":[{}],"ports":[{"port":80,"endPort":70},{"port":""}]}]"#,
            "spec.ingress[0].from[0]: the peer names neither pods nor namespaces nor an ipBlock: it matches nothing",
            "spec.ingress[0].ports[0]: endPort needs a port that is a number and not above it: the port matches nothing",
            #"spec.ingress[0].ports[1].port: expected a port or its name, found """#
        ),
        Case(
            .adminNetworkPolicy,
            #""subject":{},"ingress":[{"action":"Deny","from":[{}],"ports":[{}]}]"#,
            "spec.subject: the subject names neither namespaces nor pods, so it selects nothing",
            "spec.ingress[0].from[0]: the peer names nothing that is known: namespaces, pods, nodes, networks or domainNames",
            "spec.ingress[0].ports[0]: the port is of no kind that is known: it matches nothing"
        ),
    ]) func reportsErrorsAndFindings(_ test: Case) throws {
        let namespace = test.kind.isNamespaced ? #","namespace":"n""# : ""
        let version = test.kind == .networkPolicy ? "networking.k8s.io/v1" : "projectcalico.org/v3"
        let group = test.kind.rawValue.hasSuffix("ClusterNetworkPolicy") || test.kind == .adminNetworkPolicy
        let text = #"""
            {"apiVersion":"\#(group ? "policy.networking.k8s.io/v1alpha1" : version)","kind":"\#(test.kind.rawValue)",
             "metadata":{"name":"a"\#(namespace)},"spec":{\#(test.spec)}}
            """#
        var findings: [ObjectIssue] = []
        let results = try ObjectDecoder.objects(in: Array(text.utf8).span, findings: &findings)
        #expect(results.count == 1)
        let errors = results.compactMap { result in
            if case .failure(let error) = result { "\(PathComponent.text(error.path)): \(error.reason)" } else { nil }
        }
        #expect(errors == [test.error].compactMap(\.self))
        #expect(findings.map { "\(PathComponent.text($0.path)): \($0.reason)" } == test.findings)
    }

    @Test func identifiesUnnamedObjectsByPlace() throws {
        let text =
            #"{"apiVersion":"v1","kind":"List","items":[{"kind":"Tier","apiVersion":"projectcalico.org/v3"},{}]}"#
        let results = try ObjectDecoder.objects(in: Array(text.utf8).span)
        let errors = results.compactMap { result in
            if case .failure(let error) = result { "\(error)" } else { nil }
        }
        #expect(
            errors == [
                "items[0]: the object has no name: metadata.name is missing (byte 42)",
                "items[1]: expected an object with a kind, found an object (byte 94)",
            ]
        )
    }
}
