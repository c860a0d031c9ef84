import ClusterModel
import Policy
import Testing

/// Objects of Calico that Calico refuses.
///
/// A row has the object, the path of the violation (nil: accepted) and a part of its reason.
struct CalicoValidationTests {
    private typealias Case = ValidationCase

    @Test(arguments: [
        Case(.calico, "{}", "metadata.name", "NAME or TIER.NAME", metadata: #""name":"a.b.c""#),
        Case(.global, "{}", "metadata.name", "NAME or TIER.NAME", metadata: #""name":"A""#),
        Case(.calico, "{}", nil, metadata: #""name":"knp.default.a.b""#),
        Case(.global, "{}", nil, metadata: #""name":"security.base""#),
        Case(.calico, #"{"selector":"app = 'a'"}"#, "spec.selector", "expected =="),
        Case(.calico, #"{"selector":"global()"}"#, "spec.selector", "namespaceSelector of a rule"),
        Case(.calico, #"{"serviceAccountSelector":"global()"}"#, "spec.serviceAccountSelector", "global()"),
        Case(.global, #"{"namespaceSelector":"a == 'b' || global()"}"#, "spec.namespaceSelector", "global()"),
        Case(.calico, #"{"types":["ingress"]}"#, "spec.types[0]", "write Ingress"),
        Case(.calico, #"{"types":["Ingress","Ingress"]}"#, "spec.types[1]", "twice"),
        Case(.calico, #"{"order":"10"}"#, "spec.order", "without quotes"),
        Case(.calico, #"{"doNotTrack":true}"#, "spec.doNotTrack", "no such field"),
        Case(.calico, #"{"namespaceSelector":"all()"}"#, "spec.namespaceSelector", "no such field"),
        Case(.global, #"{"doNotTrack":true,"preDNAT":true,"applyOnForward":true}"#, "spec.preDNAT", "exclude"),
        Case(.global, #"{"doNotTrack":true}"#, "spec.applyOnForward", "need applyOnForward"),
        Case(
            .global,
            #"{"preDNAT":true,"applyOnForward":true,"egress":[{"action":"Allow"}]}"#,
            "spec.egress",
            "no egress"
        ),
        Case(.global, #"{"preDNAT":true,"applyOnForward":true,"types":["Egress"]}"#, "spec.types[0]", "ingress only"),
        Case(.global, #"{"preDNAT":true,"applyOnForward":true,"types":["Ingress"]}"#, nil),
        Case(.global, #"{"preDNAT":"yes"}"#, "spec.preDNAT", "true or false"),
        Case(.staged, #"{"stagedAction":"delete"}"#, "spec.stagedAction", "write Delete"),
        Case(.staged, #"{"stagedAction":"Delete","tier":"a","selector":"all()"}"#, "spec.selector", "leave this out"),
        Case(.stagedGlobal, #"{"stagedAction":"Delete","tier":"a"}"#, nil),
        Case(.stagedGlobal, #"{"stagedAction":"Delete","tier":"a","doNotTrack":false,"types":null}"#, nil),
        Case(.staged, #"{"stagedAction":"Delete","order":0}"#, "spec.order", "leave this out"),
        Case(.stagedKubernetes, #"{"stagedAction":"Delete","podSelector":{}}"#, nil),
        Case(.calico, "null", "spec", "from 3.32 on").doubtful,
        Case(.storedPolicy, "{}", nil),
        Case(.oldCalico, "{}", "apiVersion", "write projectcalico.org/v3"),
        Case(.calico, #"{"types":[]}"#, "spec.types", "leave it out").doubtful,
        Case(.calico, #"{"types":[null]}"#, "spec.types[0]", "missing"),
        Case(.stagedKubernetes, #"{"policyTypes":[]}"#, "spec.policyTypes", "leave it out").doubtful,
        Case(.stagedKubernetes, #"{"policyTypes":["Egress","Egress"]}"#, "spec.policyTypes[1]", "twice"),
        Case(.calico, #"{"performanceHints":["AssumeNeededOnEveryNode"]}"#, nil),
        Case(.calico, #"{"performanceHints":["assumeNeededOnEveryNode"]}"#, "spec.performanceHints[0]", "write Assume"),
        Case(.global, #"{"performanceHints":["Fast"]}"#, "spec.performanceHints[0]", "AssumeNeededOnEveryNode"),
        Case(.staged, #"{"performanceHints":[null]}"#, "spec.performanceHints[0]", "missing"),
        Case(
            .stagedGlobal,
            #"{"performanceHints":["AssumeNeededOnEveryNode","AssumeNeededOnEveryNode"]}"#,
            "spec.performanceHints[1]",
            "twice"
        ),
        // The validators look for the text, also in a string.
        Case(.calico, #"{"selector":"a == 'global()'"}"#, "spec.selector", "namespaceSelector of a rule"),
        Case(.stagedKubernetes, #"{"stagedAction":"Delete","egress":[{}]}"#, "spec.egress", "leave this out"),
        Case(
            .stagedKubernetes,
            #"{"podSelector":{},"ingress":[{"ports":[{"port":"80"}]}]}"#,
            "spec.ingress[0].ports[0].port",
            "without quotes"
        ),
        Case(.tier, #"{"order":1}"#, nil, metadata: #""name":"security""#),
        Case(.tier, #"{"order":1}"#, "metadata.name", "no dot", metadata: #""name":"a.b""#),
        Case(.tier, #"{"order":1,"defaultAction":"pass"}"#, "spec.defaultAction", "write Pass"),
        Case(.tier, #"{"order":1}"#, "spec.order", "must be 1000000", metadata: #""name":"default""#),
        Case(
            .tier,
            #"{"order":5,"defaultAction":"Pass"}"#,
            "spec.order",
            "must be 1000",
            metadata: #""name":"kube-admin""#
        ),
        Case(.tier, #"{"order":1000}"#, "spec.defaultAction", "must be Pass", metadata: #""name":"kube-admin""#),
        Case(
            .tier,
            #"{"order":10000000}"#,
            "spec.defaultAction",
            "must be Pass",
            metadata: #""name":"kube-baseline""#
        ),
        Case(.tier, #"{"order":1000000}"#, nil, metadata: #""name":"default""#),
        // The tiers of versions before 3.32 are others in later ones.
        Case(.tier, #"{"order":5}"#, "spec.order", "before 3.32", metadata: #""name":"adminnetworkpolicy""#).doubtful,
        Case(.tier, #"{"order":1000,"defaultAction":"Deny"}"#, nil, metadata: #""name":"adminnetworkpolicy""#),
        Case(
            .tier,
            #"{"order":1000,"defaultAction":"Deny"}"#,
            "spec.defaultAction",
            "must be Pass",
            metadata: #""name":"kube-admin""#
        ),
        Case(.networkSet, #"{"nets":["10.0.0.0/8","10.1.2.3/24","10.0.0.1","fd00::/8"]}"#, nil),
        Case(.networkSet, #"{"nets":["10.0.0.0/33"]}"#, "spec.nets[0]", "neither a range"),
        Case(.networkSet, #"{"allowedEgressDomains":["db.com","*.db.com","a.*.db.com","a.*","A.b."]}"#, nil),
        Case(.networkSet, #"{"allowedEgressDomains":["*.*.db.com"]}"#, "spec.allowedEgressDomains[0]", "several"),
        Case(.globalNetworkSet, #"{"allowedEgressDomains":["a","g*.com"]}"#, "spec.allowedEgressDomains[1]", "whole"),
        Case(.globalNetworkSet, #"{"allowedEgressDomains":[null]}"#, "spec.allowedEgressDomains[0]", "empty label"),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","destination":{"domains":["a.com","*.a.com"],"ports":[443]},"protocol":"TCP"}]}"#,
            nil
        ),
        Case(
            .global,
            #"{"egress":[{"action":"Deny","destination":{"domains":["a.com"]}}]}"#,
            "spec.egress[0].destination.domains",
            "action Allow only"
        ),
        Case(
            .calico,
            #"{"ingress":[{"action":"Allow","destination":{"domains":["a.com"]}}]}"#,
            "spec.ingress[0].destination.domains",
            "egress rules only"
        ),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","source":{"domains":["a.com"]}}]}"#,
            "spec.egress[0].source.domains",
            "destination of egress"
        ),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","destination":{"domains":["a.com"],"nets":["10.0.0.0/8"],"selector":"all()"}}]}"#,
            "spec.egress[0].destination.domains",
            "nets and selector"
        ),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","destination":{"domains":["https://a.com"]}}]}"#,
            "spec.egress[0].destination.domains[0]",
            "other characters"
        ),
        Case(.globalNetworkSet, #"{"nets":"10.0.0.0/8"}"#, "spec.nets", "a list"),
        Case(.globalNetworkSet, #"{"net":[]}"#, "spec.net", "'nets'"),
        Case(
            .networkSet,
            "{}",
            #"metadata.labels["projectcalico.org/namespace"]"#,
            "another key",
            metadata: #""name":"a","labels":{"projectcalico.org/namespace":"b"}"#
        ),
        Case(.networkSet, #"{"nets":[null]}"#, "spec.nets[0]", "neither a range"),
        Case(.networkSet, #"{"nets":["10.0.0.1","10.0.0.1"]}"#, "spec.nets[1]", "from 3.32 on").doubtful,
        Case(.hostEndpoint, #"{"node":"n","expectedIPs":[null]}"#, "spec.expectedIPs[0]", "no address"),
        Case(.hostEndpoint, #"{"node":"n","interfaceName":"a","profiles":[null]}"#, "spec.profiles[0]", "no name"),
        Case(.hostEndpoint, #"{"node":"n","interfaceName":"a","ports":[null]}"#, "spec.ports[0]", "empty"),
        Case(.hostEndpoint, #"{"node":"n","interfaceName":"eth0"}"#, nil),
        Case(.hostEndpoint, #"{"node":"n","expectedIPs":["10.0.0.1","fd00::1"],"interfaceName":"*"}"#, nil),
        Case(.hostEndpoint, #"{"interfaceName":"eth0"}"#, "spec.node", "missing"),
        Case(.hostEndpoint, #"{"node":"n"}"#, "spec", "needs one of them"),
        Case(.hostEndpoint, #"{"node":"n","expectedIPs":["10.0.0.0/8"]}"#, "spec.expectedIPs[0]", "no address"),
        Case(.hostEndpoint, #"{"node":"n","interfaceName":"a-name-of-16-byt"}"#, "spec.interfaceName", "15 letters"),
        Case(
            .hostEndpoint,
            #"{"node":"n","interfaceName":"a","ports":[{"name":"a","protocol":"ICMP","port":1}]}"#,
            "spec.ports[0].protocol",
            "TCP, UDP or SCTP"
        ),
        Case(
            .hostEndpoint,
            #"{"node":"n","interfaceName":"a","ports":[{"protocol":"TCP","port":0}]}"#,
            "spec.ports[0].port",
            "1 to 65535"
        ),
    ])
    fileprivate func validatesObjects(_ test: ValidationCase) throws {
        #expect(try test.outcome == test.expected, test.comment)
    }

    @Test(arguments: [
        Case.rule(#"{"source":{}}"#, "", "no action"),
        .rule("null", "", "the rule is empty"),
        .rule(#"{"action":"allow"}"#, "action", "write Allow"),
        .rule(#"{"action":"Reject"}"#, "action", "Allow, Deny, Log or Pass"),
        .rule(#"{"action":"Allow","soruce":{}}"#, "soruce", "'source'"),
        .rule(#"{"action":"Allow","ipVersion":5}"#, "ipVersion", "4 or 6"),
        .rule(#"{"action":"Allow","protocol":"tcp"}"#, "protocol", "write TCP"),
        .rule(#"{"action":"Allow","protocol":"GRE"}"#, "protocol", "UDPLite"),
        .rule(#"{"action":"Allow","protocol":0}"#, "protocol", "1 to 255"),
        .rule(#"{"action":"Allow","protocol":256}"#, "protocol", "1 to 255"),
        .rule(#"{"action":"Allow","notProtocol":"udp"}"#, "notProtocol", "write UDP"),
        .rule(#"{"action":"Allow","protocol":47},{"action":"Allow","protocol":"6","destination":{"ports":[1]}}"#, nil),
        .rule(#"{"action":"Allow","icmp":{"type":8}}"#, "icmp", "need protocol ICMP"),
        .rule(#"{"action":"Allow","protocol":"TCP","icmp":{"type":8}}"#, "icmp", "found TCP"),
        .rule(#"{"action":"Allow","protocol":"ICMP","icmp":{"code":1}}"#, "icmp.code", "needs a type"),
        .rule(#"{"action":"Allow","protocol":"ICMP","icmp":{"type":255}}"#, "icmp.type", "0 to 254"),
        .rule(#"{"action":"Allow","protocol":"ICMP","notICMP":{"type":8,"code":256}}"#, "notICMP.code", "0 to 255"),
        // Before 3.33 Calico compares protocols with their names.
        Case.rule(#"{"action":"Allow","protocol":1,"icmp":{"type":8}}"#, "icmp", "write protocol: ICMP").doubtful,
        Case.rule(#"{"action":"Allow","protocol":58,"icmp":{"type":8}}"#, "icmp", "write protocol: ICMPv6").doubtful,
        Case.rule(#"{"action":"Allow","protocol":"58","icmp":{"type":8}}"#, "icmp", "before 3.33").doubtful,
        .rule(#"{"action":"Allow","protocol":6,"icmp":{"type":8}}"#, "icmp", "need protocol ICMP"),
        Case.rule(#"{"action":"Allow","protocol":1,"ipVersion":6}"#, "protocol", "from 3.33 on").doubtful,
        Case.rule(#"{"action":"Allow","notProtocol":58,"ipVersion":4}"#, "notProtocol", "ipVersion: 6").doubtful,
        Case.rule(#"{"action":"Allow","protocol":6,"http":{"methods":["GET"]}}"#, "protocol", "write TCP").doubtful,
        .rule(#"{"action":"Allow","protocol":17,"http":{"methods":["GET"]}}"#, "protocol", "http needs protocol TCP"),
        .rule(#"{"action":"Allow","protocol":"+6"}"#, "protocol", "UDPLite"),
        Case.rule(#"{"action":"Allow","destination":{"ports":["http","dns"]}}"#, "destination.ports", "before 3.32")
            .doubtful,
        .rule(#"{"action":"Allow","destination":{"ports":["http",80]}}"#, "destination.ports", "no protocol is named"),
        .rule(#"{"action":"Allow","protocol":"ICMP","source":{"ports":["http"]}}"#, "source.ports", "found ICMP"),
        // Null in a list counts as an empty text, or 0.
        .rule(#"{"action":"Allow","source":{"nets":[null]}}"#, "source.nets[0]", "no range"),
        .rule(#"{"action":"Allow","destination":{"notNets":[null]}}"#, "destination.notNets[0]", "no range"),
        .rule(#"{"action":"Allow","protocol":"TCP","source":{"ports":[null]}}"#, "source.ports[0]", "no port"),
        .rule(#"{"action":"Allow","http":{"paths":[null]}}"#, "http.paths[0]", "either"),
        Case.rule(#"{"action":"Allow","http":{"methods":[null]}}"#, "http.methods[0]", "from 3.32 on").doubtful,
        Case.rule(
            #"{"action":"Allow","source":{"serviceAccounts":{"names":[null]}}}"#,
            "source.serviceAccounts.names[0]",
            "from 3.32 on"
        ).doubtful,
        Case.rule(
            #"{"action":"Allow","source":{"serviceAccounts":{"names":["a","a"]}}}"#,
            "source.serviceAccounts.names[1]",
            "twice"
        ).doubtful,
        Case.rule(
            #"{"action":"Allow","source":{"nets":["10.0.0.0/8","10.0.0.0/8"]}}"#,
            "source.nets[1]",
            "twice"
        ).doubtful,
        .rule(#"{"action":"Allow","source":{"notNets":["0.0.0.0/0"]}}"#, "source.notNets[0]", "match nothing"),
        .rule(#"{"action":"Allow","destination":{"notNets":["::/0"]}}"#, "destination.notNets[0]", "of IPv6"),
        .rule(#"{"action":"Allow","source":{"nets":["0.0.0.0/0"],"notNets":["10.0.0.0/8"]}}"#, nil),
        .rule(#"{"action":"Allow","metadata":{"annotations":{"a":null}}}"#, nil),
        .rule(#"{"action":"Allow","metadata":{"labels":{"a":"b"}}}"#, "metadata.labels", "no such field"),
        .rule(#"{"action":"Allow","metadata":{"name":"a"}}"#, "metadata.name", "no such field"),
        Case.rule(#"{"action":"Allow","source":{"notSelector":"global()"}}"#, "source.notSelector", "every endpoint")
            .doubtful,
        .rule(
            #"{"action":"Allow","source":{"namespaceSelector":"(global())"}}"#,
            "source.namespaceSelector",
            "be used alone"
        ),
        .rule(#"{"action":"Allow","protocol":"ICMPv6","ipVersion":4}"#, "protocol", "ipVersion: 6"),
        .rule(#"{"action":"Allow","notProtocol":"ICMP","ipVersion":6}"#, "notProtocol", "ipVersion: 4"),
        .rule(#"{"action":"Allow","destination":{"ports":[80]}}"#, "destination.ports", "no protocol is named"),
        .rule(#"{"action":"Allow","protocol":"UDPLite","source":{"notPorts":[80]}}"#, "source.notPorts", "UDPLite"),
        .rule(#"{"action":"Allow","protocol":"TCP","destination":{"ports":[0]}}"#, "destination.ports[0]", "65535"),
        .rule(
            #"{"action":"Allow","protocol":"TCP","destination":{"ports":["90:80"]}}"#,
            "destination.ports[0]",
            "ends"
        ),
        .rule(
            #"{"action":"Allow","protocol":"TCP","destination":{"ports":["80-90"]}}"#,
            "destination.ports[0]",
            "8080:8090"
        ),
        .rule(
            #"{"action":"Allow","protocol":"TCP","destination":{"ports":["70000"]}}"#,
            "destination.ports[0]",
            "65535"
        ),
        .rule(#"{"action":"Allow","protocol":"SCTP","destination":{"ports":["80","81:90","http",9]}}"#, nil),
        .rule(#"{"action":"Allow","source":{"nets":["10.0.0.1"]}}"#, "source.nets[0]", "10.0.0.1/32"),
        .rule(#"{"action":"Allow","source":{"nets":["10.0.0.1/8"]}}"#, "source.nets[0]", "write 10.0.0.0/8"),
        .rule(#"{"action":"Allow","source":{"notNets":["x"]}}"#, "source.notNets[0]", "no range"),
        .rule(
            #"{"action":"Allow","source":{"nets":["10.0.0.0/8","fd00::/8"]}}"#,
            "source.nets[1]",
            "same rule of IPv4"
        ),
        .rule(
            #"{"action":"Allow","source":{"nets":["10.0.0.0/8"]},"destination":{"notNets":["fd00::/8"]}}"#,
            "destination.notNets[0]",
            "make a rule for each"
        ),
        .rule(
            #"{"action":"Allow","ipVersion":6,"source":{"nets":["10.0.0.0/8"]}}"#,
            "source.nets[0]",
            "ipVersion is 6"
        ),
        .rule(#"{"action":"Allow","source":{"selector":"global()"}}"#, "source.selector", "namespaceSelector"),
        .rule(#"{"action":"Allow","source":{"notSelector":"a =="}}"#, "source.notSelector", "expected"),
        .rule(
            #"{"action":"Allow","source":{"namespaceSelector":"global() || has(a)"}}"#,
            "source.namespaceSelector",
            "be used alone"
        ),
        .rule(#"{"action":"Allow","source":{"namespaceSelector":" global( ) ","selector":"all()"}}"#, nil),
        .rule(
            #"{"action":"Allow","source":{"serviceAccounts":{"selector":"a !"}}}"#,
            "source.serviceAccounts.selector",
            "expected"
        ),
        .rule(
            #"{"action":"Allow","source":{"serviceAccounts":{"names":[1]}}}"#,
            "source.serviceAccounts.names[0]",
            "a string"
        ),
        .rule(#"{"action":"Allow","source":{"services":{}}}"#, "source.services", "no name"),
        .rule(#"{"action":"Allow","source":{"services":{"name":"A"}}}"#, "source.services.name", "name of a service"),
        .rule(
            #"{"action":"Allow","destination":{"services":{"name":"a"}}}"#,
            "destination.services",
            "source of ingress"
        ),
        .rule(
            #"{"action":"Allow","source":{"services":{"name":"a"},"selector":"all()"}}"#,
            "source.services",
            "beside selector"
        ),
        .rule(
            #"{"action":"Allow","source":{"services":{"name":"a"},"nets":["10.0.0.0/8"],"serviceAccounts":{}}}"#,
            "source.services",
            "beside nets, serviceAccounts"
        ),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","protocol":"TCP","destination":{"services":{"name":"a"},"ports":[1]}}]}"#,
            "spec.egress[0].destination.services",
            "beside ports"
        ),
        Case(
            .calico,
            #"{"egress":[{"action":"Allow","source":{"services":{"name":"a"}}}]}"#,
            "spec.egress[0].source.services",
            "destination of egress"
        ),
        Case(
            .global,
            #"{"egress":[{"action":"Allow","destination":{"services":{"name":"a"}}}]}"#,
            "spec.egress[0].destination.services",
            "namespace of a service"
        ),
        Case(.global, #"{"egress":[{"action":"Allow","destination":{"services":{"name":"a","namespace":"b"}}}]}"#, nil),
        Case(.calico, #"{"egress":[{"action":"Allow","http":{"methods":["GET"]}}]}"#, "spec.egress[0].http", "ingress"),
        .rule(#"{"action":"Deny","http":{"methods":["GET"]}}"#, "http", "action Allow"),
        .rule(
            #"{"action":"Allow","protocol":"UDP","http":{"methods":["GET"]}}"#,
            "protocol",
            "http needs protocol TCP"
        ),
        .rule(#"{"action":"Allow","http":{"methods":["GET","GET"]}}"#, "http.methods[1]", "twice"),
        .rule(#"{"action":"Allow","http":{"paths":[{"exact":"/a","prefix":"/b"}]}}"#, "http.paths[0]", "either"),
        .rule(#"{"action":"Allow","http":{"paths":[{"exact":"a"}]}}"#, "http.paths[0].exact", "begins with /"),
        .rule(#"{"action":"Allow","protocol":"TCP","http":{"paths":[{"prefix":"/a"}]}}"#, nil),
        .rule(#"{"action":"Allow","metadata":{"annotations":{"a b":"c"}}}"#, #"metadata.annotations["a b"]"#, "no key"),
    ])
    fileprivate func validatesRules(_ test: ValidationCase) throws {
        #expect(try test.outcome == test.expected, test.comment)
    }

    @Test
    func longSelectorsAreDoubtful() throws {
        let selector = (0..<60).map { "label-\($0) == 'value-\($0)'" }.joined(separator: " || ")
        let long = Case(.calico, #"{"selector":"\#(selector)"}"#, "spec.selector", "3.33").doubtful
        #expect(try long.outcome == long.expected, long.comment)
        // A selector of service accounts has no limit.
        let accounts = Case.rule(#"{"action":"Allow","source":{"serviceAccounts":{"selector":"\#(selector)"}}}"#, nil)
        #expect(try accounts.outcome == accounts.expected, accounts.comment)
    }

    /// The limits of CRDs, which Calico has from 3.32 or 3.33 on.
    @Test(arguments: [
        (1_024, "ingress", #"{"action":"Allow"}"#), (256, "source.nets", #""fd00:N::/32""#),
        (256, "destination.notNets", #""fd00:N::/32""#), (50, "source.ports", "1N"), (50, "destination.notPorts", "1N"),
        (20, "http.methods", #""N""#), (20, "http.paths", #"{"exact":"/N"}"#),
    ])
    func longListsAreDoubtful(_ limit: Int, _ member: String, _ element: String) throws {
        for count in [limit, limit + 1] {
            let elements = (0..<count).map { element.replacing("N", with: "\($0)") }.joined(separator: ",")
            let parts = member.split(separator: ".").map(String.init)
            let path = parts.count == 1 ? "spec.\(member)" : "spec.ingress[0].\(member)"
            let rule =
                #"{"action":"Allow","protocol":"TCP","\#(parts[0])":{"\#(parts[parts.count - 1])":[\#(elements)]}}"#
            let spec = parts.count == 1 ? #"{"ingress":[\#(elements)]}"# : #"{"ingress":[\#(rule)]}"#
            let test = Case(.calico, spec, count > limit ? path : nil, "more than \(limit) from 3.3").doubtful
            #expect(try test.outcome == test.expected, test.comment)
        }
    }

    /// All violations are reported at once, with the decoder's fault, in the order of the text, up to a limit.
    @Test
    func reportsAllFindingsOfObject() throws {
        let rule = #"{"action":"allow","protocol":"tcp","destination":{"nets":["x"]},"sorce":{}}"#
        let found = try Case(.calico, #"{"ingress":[\#(rule)],"selector":"a"}"#, "").violations
        #expect(
            found.map { PathComponent.text($0.path) } == [
                "spec.ingress[0].action", "spec.ingress[0].protocol", "spec.ingress[0].destination.nets[0]",
                "spec.ingress[0].sorce", "spec.selector",
            ]
        )
        let many = [String](repeating: rule, count: 1_000).joined(separator: ",")
        let violations = try Case(.calico, #"{"ingress":[\#(many)]}"#, "").violations
        #expect(violations.count == 101)
        #expect(violations.count { $0.reason.contains("no such field") } == UnknownFields.limit)
        #expect(violations.last?.reason == "992 more fields that do not exist")
    }
}
