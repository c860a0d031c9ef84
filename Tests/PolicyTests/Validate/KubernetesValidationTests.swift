import ClusterModel
import Policy
import Testing

/// NetworkPolicies and the cluster's own policies that an API server refuses.
///
/// A row has the object, the path of the violation (nil: accepted) and a part of its reason.
struct KubernetesValidationTests {
    private typealias Case = ValidationCase

    @Test(arguments: [
        Case(.networkPolicy, "{}", "metadata.name", "accepts this name", metadata: #""name":"Web""#),
        Case(.networkPolicy, "{}", "metadata.name", "accepts this name", metadata: #""name":"a_b""#),
        Case(.networkPolicy, "{}", "metadata.name", "", metadata: #""name":"-a""#),
        Case(.networkPolicy, "{}", nil, metadata: #""name":"a.b-c.1""#),
        Case(.networkPolicy, "{}", "metadata.namespace", "a-z", metadata: #""name":"a","namespace":"a.b""#),
        Case(.networkPolicy, "{}", #"metadata.labels["a b"]"#, "no key", metadata: #""name":"a","labels":{"a b":"c"}"#),
        Case(.networkPolicy, "{}", "metadata.labels.a", "no value", metadata: #""name":"a","labels":{"a":"b c"}"#),
        Case(.networkPolicy, "{}", "metadata.labels.a", "found true", metadata: #""name":"a","labels":{"a":true}"#),
        Case(.networkPolicy, "{}", nil, metadata: #""name":"a","labels":{"a.io/B_c":"","d":"E.f-1"}"#),
        Case(.oldNetworkPolicy, "{}", "apiVersion", "no API server has a NetworkPolicy in extensions/v1beta1"),
        Case(.newNetworkPolicy, "{}", "apiVersion", "write networking.k8s.io/v1"),
        // A label that is null has an empty value.
        Case(.networkPolicy, "{}", nil, metadata: #""name":"a","labels":{"a":null},"annotations":{"b":null}"#),
        Case(.networkPolicy, #"{"podSelector":{"matchLabels":{"a":null}}}"#, nil),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"In","values":[null]}]}}"#,
            nil
        ),
        Case(.networkPolicy, "{}", "metadata.lables", "'labels'", metadata: #""name":"a","lables":{}"#),
        Case(.calico, "{}", "metadata.annotation", "'annotations'", metadata: #""name":"a","annotation":{}"#),
        Case(.networkPolicy, "{}", "metadata.generateName", "beginning", metadata: #""generateName":"A_b-""#),
        Case(.networkPolicy, "{}", nil, metadata: #""generateName":"a-","creationTimestamp":null,"generation":1"#),
        Case(
            .networkPolicy,
            "{}",
            "metadata.finalizers[0]",
            "finalizer",
            metadata: #""name":"a","finalizers":["a b"]"#
        ),
        Case(
            .networkPolicy,
            "{}",
            "metadata.ownerReferences[0].uid",
            "missing",
            metadata: #""name":"a","ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"b"}]"#
        ),
        Case(
            .networkPolicy,
            "{}",
            #"metadata.annotations["a b"]"#,
            "",
            metadata: #""name":"a","annotations":{"a b":"c"}"#
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchLabels":{"-a":"b"}}}"#,
            "spec.podSelector.matchLabels.-a",
            "no key"
        ),
        Case(.networkPolicy, #"{"podSelector":{"matchLabels":{"a":1}}}"#, "spec.podSelector.matchLabels.a", "a string"),
        Case(.networkPolicy, #"{"podSelector":{"matchlabels":{}}}"#, "spec.podSelector.matchlabels", "'matchLabels'"),
        Case(.networkPolicy, #"{"podSelector":{"app":"a"}}"#, "spec.podSelector.app", "no such field"),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"in","values":["b"]}]}}"#,
            "spec.podSelector.matchExpressions[0].operator",
            "write In"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"In"}]}}"#,
            "spec.podSelector.matchExpressions[0].values",
            "need values"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"NotIn","values":[]}]}}"#,
            "spec.podSelector.matchExpressions[0].values",
            "need values"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]}}"#,
            "spec.podSelector.matchExpressions[0].values",
            "have no values"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"operator":"Exists"}]}}"#,
            "spec.podSelector.matchExpressions[0].key",
            "needs the key"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a/b/c","operator":"Exists"}]}}"#,
            "spec.podSelector.matchExpressions[0].key",
            "no key"
        ),
        Case(
            .networkPolicy,
            #"{"podSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b c"]}]}}"#,
            "spec.podSelector.matchExpressions[0].values[0]",
            "no value"
        ),
        Case(.networkPolicy, #"{"policyTypes":["ingress"]}"#, "spec.policyTypes[0]", "write Ingress"),
        Case(.networkPolicy, #"{"policyTypes":["Both"]}"#, "spec.policyTypes[0]", "Ingress or Egress"),
        Case(.networkPolicy, #"{"policyTypes":["Egress","Ingress","Egress"]}"#, "spec.policyTypes", "two types"),
        Case(.networkPolicy, #"{"policyTypes":"Egress"}"#, "spec.policyTypes", "a list"),
        Case(.networkPolicy, #"{"ingres":[]}"#, "spec.ingres", "'ingress'"),
        Case(.networkPolicy, #"{"ingress":{}}"#, "spec.ingress", "expected a list, found an object"),
        Case(.networkPolicy, #"{"egress":[{"from":[]}]}"#, "spec.egress[0].from", "'to'"),
    ])
    fileprivate func validatesObjectsSelectorsAndTypes(_ test: ValidationCase) throws {
        #expect(try test.outcome == test.expected, test.comment)
    }

    @Test(arguments: [
        Case.ingress(#"{"from":[{}]}"#, "from[0]", "the peer is empty"),
        .ingress(#"{"from":[null]}"#, "from[0]", "the peer is empty"),
        .ingress(#"{"from":[{"podSelector":null}]}"#, "from[0]", "the peer is empty"),
        .ingress(#"{"from":[{"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]}"#, "from[0]", "beside podSelector"),
        .ingress(
            #"{"from":[{"namespaceSelector":{},"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]}"#,
            "from[0]",
            "beside podSelector and namespaceSelector"
        ),
        .ingress(#"{"from":[{"podSelector":{},"namespaceSelector":{}}]}"#, nil),
        .ingress(#"{"from":[{"ipBlock":{}}]}"#, "from[0].ipBlock.cidr", "missing"),
        .ingress(#"{"from":[{"ipBlock":{"cidr":"::/0","except":[null]}}]}"#, "from[0].ipBlock.except[0]", "no range"),
        Case.ingress(#"{"from":[{"ipBlock":{"cidr":"10.0.0.0/08"}}]}"#, "from[0].ipBlock.cidr", "10.0.0.0/8").doubtful,
        .ingress(#"{"ports":[null]},null"#, nil),
        .ingress(#"{"from":[{"ipBlock":{"cidr":"10.0.0.0/33"}}]}"#, "from[0].ipBlock.cidr", "no range"),
        .ingress(#"{"from":[{"ipBlock":{"cidr":"10.0.0.1"}}]}"#, "from[0].ipBlock.cidr", "10.0.0.1/32"),
        .ingress(#"{"from":[{"ipBlock":{"cidr":"fd00::1"}}]}"#, "from[0].ipBlock.cidr", "fd00::1/128"),
        .ingress(#"{"from":[{"ipBlock":{"cidr":"web.example/8"}}]}"#, "from[0].ipBlock.cidr", "no range"),
        Case.ingress(#"{"from":[{"ipBlock":{"cidr":"10.1.2.3/24"}}]}"#, "from[0].ipBlock.cidr", "10.1.2.0/24").doubtful,
        Case.ingress(#"{"from":[{"ipBlock":{"cidr":"::ffff:10.0.0.0/104"}}]}"#, "from[0].ipBlock.cidr", "10.0.0.0/8")
            .doubtful,
        .ingress(#"{"from":[{"ipBlock":{"cidr":"::/0","except":["fd00::/8"]}}]}"#, nil),
        .ingress(
            #"{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]}"#,
            "from[0].ipBlock.except[0]",
            "within the range 10.0.0.0/8"
        ),
        .ingress(
            #"{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.0.0.0/8"]}}]}"#,
            "from[0].ipBlock.except[0]",
            "smaller"
        ),
        .ingress(
            #"{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["fd00::/8"]}}]}"#,
            "from[0].ipBlock.except[0]",
            "within"
        ),
        .ingress(
            #"{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0"]}}]}"#,
            "from[0].ipBlock.except[0]",
            "no range"
        ),
        .ingress(#"{"ports":[{"protocol":"tcp","port":80}]}"#, "ports[0].protocol", "write TCP"),
        .ingress(#"{"ports":[{"protocol":"ICMP"}]}"#, "ports[0].protocol", "TCP, UDP or SCTP"),
        .ingress(#"{"ports":[{"protocol":6}]}"#, "ports[0].protocol", "a string, found 6"),
        .ingress(#"{"ports":[{"port":"8000"}]}"#, "ports[0].port", "write 8000 without quotes"),
        .ingress(#"{"ports":[{"port":0}]}"#, "ports[0].port", "from 1 to 65535"),
        .ingress(#"{"ports":[{"port":65536}]}"#, "ports[0].port", "from 1 to 65535"),
        .ingress(#"{"ports":[{"port":80.5}]}"#, "ports[0].port", "whole number"),
        .ingress(#"{"ports":[{"port":"HTTP"}]}"#, "ports[0].port", "name of a port"),
        .ingress(#"{"ports":[{"port":"a--b"}]}"#, "ports[0].port", "name of a port"),
        .ingress(#"{"ports":[{"port":"sixteen-letters-"}]}"#, "ports[0].port", "name of a port"),
        .ingress(#"{"ports":[{"port":"http-8"},{"port":80,"protocol":"SCTP","endPort":80},{}]}"#, nil),
        .ingress(#"{"ports":[{"port":90,"endPort":80}]}"#, "ports[0].endPort", "below port 90"),
        .ingress(#"{"ports":[{"port":90,"endPort":70000}]}"#, "ports[0].endPort", "65535"),
        .ingress(#"{"ports":[{"port":90,"endPort":"91"}]}"#, "ports[0].endPort", "without quotes"),
        .ingress(#"{"ports":[{"port":"http","endPort":90}]}"#, "ports[0].endPort", "a number"),
        .ingress(#"{"ports":[{"endPort":90}]}"#, "ports[0].endPort", "needs a port"),
        .ingress(#"{"ports":[80]}"#, "ports[0]", "expected an object, found 80"),
    ])
    fileprivate func validatesPeersAndPorts(_ test: ValidationCase) throws {
        #expect(try test.outcome == test.expected, test.comment)
    }

    private static func admin(_ rule: String, _ path: String?, _ reason: String = "") -> Case {
        Case(
            .admin,
            #"{"priority":1,"subject":{"namespaces":{}},"egress":[\#(rule)]}"#,
            path.map { $0.isEmpty ? "spec.egress[0]" : "spec.egress[0].\($0)" },
            reason
        )
    }

    private static func cluster(_ protocols: String, _ path: String?, _ reason: String = "") -> Case {
        let rule = #"{"action":"Accept","from":[{"namespaces":{}}],"protocols":\#(protocols)}"#
        return Case(
            .cluster,
            #"{"tier":"Admin","priority":1,"subject":{"namespaces":{}},"ingress":[\#(rule)]}"#,
            path.map { "spec.ingress[0].protocols\($0)" },
            reason
        )
    }

    @Test(arguments: [
        Case(.admin, #"{"subject":{"namespaces":{}}}"#, "spec.priority", "missing"),
        Case(.admin, #"{"priority":1001,"subject":{"namespaces":{}}}"#, "spec.priority", "0 to 1000"),
        Case(.admin, #"{"priority":1}"#, "spec.subject", "exactly one of namespaces, pods; it has none"),
        Case(
            .admin,
            #"{"priority":1,"subject":{"namespaces":{},"pods":{"namespaceSelector":{},"podSelector":{}}}}"#,
            "spec.subject",
            "namespaces and pods"
        ),
        Case(
            .admin,
            #"{"priority":1,"subject":{"pods":{"podSelector":{}}}}"#,
            "spec.subject.pods.namespaceSelector",
            "missing"
        ),
        admin(#"{"action":"Accept","to":[{"namespaces":{}}]}"#, "action", "Allow, Deny or Pass"),
        admin(#"{"action":"allow","to":[{"namespaces":{}}]}"#, "action", "write Allow"),
        admin(#"{"to":[{"namespaces":{}}]}"#, "", "no action"),
        admin(#"{"action":"Deny","to":[]}"#, "to", "needs a peer"),
        admin(#"{"action":"Deny"}"#, "to", "needs a peer"),
        admin(#"{"action":"Deny","to":[{}]}"#, "to[0]", "exactly one of"),
        admin(#"{"action":"Deny","to":[{"networks":["10.0.0.0"]}]}"#, "to[0].networks[0]", "10.0.0.0/32"),
        admin(#"{"action":"Deny","to":[{"networks":["::ffff:10.0.0.0/104"]}]}"#, "to[0].networks[0]", "IPv4"),
        admin(#"{"action":"Deny","to":[{"networks":[]}]}"#, "to[0].networks", "1 to 25"),
        admin(#"{"action":"Deny","to":[{"nodes":{}}],"ports":[{"namedPort":"web"}]}"#, "ports[0].namedPort", "nodes"),
        admin(#"{"action":"Deny","to":[{"namespaces":{}}],"ports":[{}]}"#, "ports[0]", "exactly one of portNumber"),
        admin(
            #"{"action":"Deny","to":[{"namespaces":{}}],"ports":[{"portNumber":{"protocol":"tcp","port":1}}]}"#,
            "ports[0].portNumber.protocol",
            "case is significant"
        ).doubtful,
        admin(
            #"{"action":"Deny","to":[{"namespaces":{}}],"ports":[{"portRange":{"start":9,"end":9}}]}"#,
            "ports[0].portRange",
            "above the start"
        ).doubtful,
        admin(
            #"{"action":"Deny","to":[{"namespaces":{}}],"ports":[{"namedPort":"Web"}]}"#,
            "ports[0].namedPort",
            "accepts this"
        ).doubtful,
        admin(#"{"action":"Deny","to":[{"namespaces":{}}],"ports":[]}"#, "ports", "1 to 100"),
        admin(#"{"action":"Deny","to":[{"namespaces":{}}],"protocols":[]}"#, "protocols", "no such field"),
        admin(#"{"action":"Deny","to":[{"networks":[null]}]}"#, "to[0].networks[0]", "no range"),
        admin(#"{"action":"Deny","to":[{"networks":["10.1.2.3/24"]}]}"#, nil),
        admin(#"{"action":"Deny","to":[{"networks":["10.0.0.0/08"]}]}"#, "to[0].networks[0]", "no range"),
        admin(#"{"action":"Deny","to":[{"networks":["::/0","::/0"]}]}"#, "to[0].networks[1]", "twice"),
        admin(#"{"action":"Allow","to":[{"domainNames":["*.a.example.com.","a_1.b"]}]}"#, nil),
        admin(#"{"action":"Allow","to":[{"domainNames":["localhost"]}]}"#, "to[0].domainNames[0]", "no domain"),
        admin(#"{"action":"Allow","to":[{"domainNames":["a.*.com"]}]}"#, "to[0].domainNames[0]", "no domain"),
        admin(#"{"action":"Allow","to":[{"domainNames":["-a.com"]}]}"#, "to[0].domainNames[0]", "no domain"),
        admin(#"{"action":"Allow","to":[{"domainNames":[null]}]}"#, "to[0].domainNames[0]", "no domain"),
        admin(
            #"{"action":"Deny","to":[{"namespaces":{"matchLabels":{"a":null}}}]}"#,
            nil
        ),
        admin(
            #"{"action":"Deny","to":[{"namespaces":{"matchExpressions":[{"key":"a","operator":"In","values":[null]}]}}]}"#,
            "to[0].namespaces.matchExpressions[0].values[0]",
            "no value"
        ),
        Case(
            .admin,
            #"{"priority":1,"subject":{"namespaces":{}},"ingress":[{"action":"Deny","from":[{"namespaces":{},"nodes":{}}]}]}"#,
            "spec.ingress[0].from[0].nodes",
            "no such field"
        ),
        admin(
            #"{"action":"Pass","to":[{"nodes":{}},{"networks":["fd00::/8"]}],"ports":[{"portRange":{"start":1,"end":9}}]}"#,
            nil
        ),
        Case(
            .baseline,
            #"{"subject":{"namespaces":{}},"ingress":[{"action":"Pass","from":[{"namespaces":{}}]}]}"#,
            "spec.ingress[0].action",
            "Allow or Deny"
        ),
        Case(
            .baseline,
            #"{"subject":{"namespaces":{}},"ingress":[{"action":"Deny","from":[{"nodes":{}}]}]}"#,
            "spec.ingress[0].from[0]",
            "ingress rule"
        ),
        Case(.baseline, #"{"subject":{"namespaces":{}}}"#, "metadata.name", "called default", metadata: #""name":"b""#),
        Case(.cluster, #"{"tier":"admin","priority":1,"subject":{"namespaces":{}}}"#, "spec.tier", "write Admin"),
        Case(.cluster, #"{"priority":1,"subject":{"namespaces":{}}}"#, "spec.tier", "missing"),
        cluster("[]", "", "1 to 25"),
        cluster("[{}]", "[0]", "exactly one of tcp"),
        cluster(#"[{"tcp":{"destinationPort":{}}}]"#, "[0].tcp.destinationPort", "exactly one of number, range"),
        cluster(#"[{"tcp":{"destinationPort":{"number":0}}}]"#, "[0].tcp.destinationPort.number", "1 to 65535"),
        cluster(
            #"[{"udp":{"destinationPort":{"range":{"start":9,"end":8}}}}]"#,
            "[0].udp.destinationPort.range",
            "above"
        ),
        cluster(
            #"[{"tcp":{"destinationPort":{"number":1}}},{"udp":{"destinationPort":{"range":{"start":1,"end":8}}}},{"destinationNamedPort":"web"}]"#,
            nil
        ),
        cluster(#"[{"tcp":{}}]"#, "[0].tcp", "needs a destinationPort"),
        Case(.cluster, #"{"tier":"Admin","priority":1,"subject":{"pods":{"podSelector":{}}}}"#, nil),
        Case(
            .cluster,
            #"{"tier":"Admin","priority":1,"subject":{"pods":{"namespaceSelector":{}}}}"#,
            "spec.subject.pods.podSelector",
            "missing"
        ),
    ])
    fileprivate func validatesAdminPolicies(_ test: ValidationCase) throws {
        #expect(try test.outcome == test.expected, test.comment)
    }
}
