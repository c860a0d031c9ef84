import ClusterModel
import FlowModel
import Glibc
import Testing

/// Members that the API of an object does not have: the decoder reports them in policies and related kinds.
struct UnknownFieldTests {
    private static func text(_ spec: String, of kind: ObjectKind) -> String {
        #"{"apiVersion":"a","kind":"b","metadata":{"name":"a","namespace":"n","extra":1},"spec":{\#(spec)},"status":{"x":1}}"#
    }

    private static func unknown(_ spec: String, of kind: ObjectKind) throws -> UnknownFields {
        let object = try ObjectDecoder.object(text(spec, of: kind), as: kind)
        return try #require(object).unknownFields
    }

    // MARK: - Unknown members

    @Test(
        arguments: [
            (
                .calicoNetworkPolicy, #""ingress":[{"action":"Allow","soruce":{"selector":"x"}}]"#,
                ["spec.ingress[0].soruce": "source"]
            ),
            (
                .globalNetworkPolicy, #""selectr":"x","Order":1,"egres":[]"#,
                ["spec.selectr": "selector", "spec.Order": "order", "spec.egres": "egress"]
            ),
            (
                .stagedGlobalNetworkPolicy,
                #""egress":[{"action":"Deny"},{"action":"Deny","destination":{"prots":[1],"notports":[2],"netss":[],"foo":{"a":[]}}}]"#,
                [
                    "spec.egress[1].destination.prots": "ports", "spec.egress[1].destination.notports": "notPorts",
                    "spec.egress[1].destination.netss": "nets", "spec.egress[1].destination.foo": nil,
                ]
            ),
            (
                .stagedNetworkPolicy,
                #""ingress":[{"action":"Deny","icmp":{"typ":8},"http":{"method":["GET"],"paths":[{"exakt":"/"}]}}]"#,
                [
                    "spec.ingress[0].icmp.typ": "type", "spec.ingress[0].http.method": "methods",
                    "spec.ingress[0].http.paths[0].exakt": "exact",
                ]
            ),
            (
                .calicoNetworkPolicy,
                #""ingress":[{"action":"Deny","source":{"serviceAccounts":{"name":["a"]},"services":{"name":"a","ns":"b"}}}]"#,
                ["spec.ingress[0].source.serviceAccounts.name": "names", "spec.ingress[0].source.services.ns": nil]
            ),
            // Members that only global policies or staged policies have.
            (
                .calicoNetworkPolicy, #""namespaceSelector":"x","doNotTrack":true,"stagedAction":"Set""#,
                ["spec.namespaceSelector": nil, "spec.doNotTrack": nil, "spec.stagedAction": nil]
            ),
            (
                .globalNetworkPolicy, #""stagedAction":"Set","policyTypes":["Ingress"]"#,
                ["spec.stagedAction": nil, "spec.policyTypes": "types"]
            ),
            (
                .networkPolicy, #""podSelector":{"matchLables":{"a":"b"}},"policyType":[]"#,
                ["spec.podSelector.matchLables": "matchLabels", "spec.policyType": "policyTypes"]
            ),
            (
                .networkPolicy, #""egress":[{"from":[],"port":[]}],"ingress":[{"to":[]}]"#,
                ["spec.egress[0].from": "to", "spec.egress[0].port": "ports", "spec.ingress[0].to": "from"]
            ),
            (
                .networkPolicy,
                #""ingress":[{"from":[{"ipBlock":{"cidr":"::/0","exept":[]},"podselector":{}}],"ports":[{"port":1,"endport":2}]}]"#,
                [
                    "spec.ingress[0].from[0].ipBlock.exept": "except",
                    "spec.ingress[0].from[0].podselector": "podSelector",
                    "spec.ingress[0].ports[0].endport": "endPort",
                ]
            ),
            (
                .networkPolicy, #""podSelector":{"matchExpressions":[{"key":"a","operator":"In","value":["b"]}]}"#,
                ["spec.podSelector.matchExpressions[0].value": "values"]
            ),
            (.stagedKubernetesNetworkPolicy, #""stagedAktion":"Set""#, ["spec.stagedAktion": "stagedAction"]),
            (.networkPolicy, #""stagedAction":"Set""#, ["spec.stagedAction": nil]),
            (
                .adminNetworkPolicy,
                #""prio":1,"tier":"Admin","subject":{"namespace":{}},"ingress":[{"action":"Deny","form":[],"ports":[{"portNumbr":{"port":1},"portNumber":{"prot":"TCP","port":1}}]}]"#,
                [
                    "spec.prio": "priority", "spec.tier": nil, "spec.subject.namespace": "namespaces",
                    "spec.ingress[0].form": "from",
                    "spec.ingress[0].ports[0].portNumbr": "portNumber",
                    "spec.ingress[0].ports[0].portNumber.prot": "protocol",
                ]
            ),
            // Members that only policies of other kinds have, or only rules of the other direction.
            (.baselineAdminNetworkPolicy, #""priority":1"#, ["spec.priority": nil]),
            (
                .baselineAdminNetworkPolicy, #""egress":[{"action":"Deny","to":[{"domainNames":["a.b"]}]}]"#,
                ["spec.egress[0].to[0].domainNames": nil]
            ),
            (
                .adminNetworkPolicy,
                #""ingress":[{"action":"Deny","from":[{"networks":["::/0"],"nodes":{}}],"protocols":[]}]"#,
                [
                    "spec.ingress[0].from[0].networks": nil, "spec.ingress[0].from[0].nodes": "pods",
                    "spec.ingress[0].protocols": nil,
                ]
            ),
            (
                .adminNetworkPolicy,
                #""egress":[{"action":"Deny","ports":[{"portNumber":{"port":1,"start":1}},{"portRange":{"port":1,"start":1,"end":2}}]}]"#,
                [
                    "spec.egress[0].ports[0].portNumber.start": nil, "spec.egress[0].ports[1].portRange.port": nil,
                ]
            ),
            (
                .clusterNetworkPolicy, #""tier":"Admin","egress":[{"action":"Deny","ports":[]}]"#,
                ["spec.egress[0].ports": nil]
            ),
            (
                .clusterNetworkPolicy,
                #""tier":"Admin","egress":[{"action":"Deny","to":[{"network":["::/0"],"pods":{"podSelector":{"x":1}}}],"protocols":[{"tcpp":{},"tcp":{"port":1,"destinationPort":{"numbr":1}}}]}]"#,
                [
                    "spec.egress[0].to[0].network": "networks", "spec.egress[0].to[0].pods.podSelector.x": nil,
                    "spec.egress[0].protocols[0].tcpp": "tcp", "spec.egress[0].protocols[0].tcp.port": nil,
                    "spec.egress[0].protocols[0].tcp.destinationPort.numbr": "number",
                ]
            ),
            (.tier, #""defaultaction":"Pass","name":"x""#, ["spec.defaultaction": "defaultAction", "spec.name": nil]),
            (.networkSet, #""net":["::/0"]"#, ["spec.net": "nets"]),
            (.globalNetworkSet, #""nets ":["::/0"]"#, [#"spec["nets "]"#: "nets"]),
            (
                .hostEndpoint, #""expectedIP":[],"interfaceNam":"eth0","ports":[{"name":"a","port":1,"proto":"TCP"}]"#,
                [
                    "spec.expectedIP": "expectedIPs", "spec.interfaceNam": "interfaceName",
                    "spec.ports[0].proto": "protocol",
                ]
            ),
        ] as [(ObjectKind, String, [String: String?])]
    ) func reportsUnknownMembers(_ kind: ObjectKind, _ spec: String, _ expected: [String: String?]) throws {
        let unknown = try Self.unknown(spec, of: kind)
        let found = Dictionary(uniqueKeysWithValues: unknown.fields.map { ($0.path, $0.suggestion) })
        #expect(found == expected)
        #expect(unknown.omitted == 0)
    }

    @Test func reportsUnknownMembersOfObjectItself() throws {
        let text = #"{"metadata":{"name":"a"},"sepc":{"selector":"a == 'b'"}}"#
        let object = try #require(try ObjectDecoder.object(text, as: .globalNetworkPolicy))
        #expect(object.unknownFields.fields == [UnknownField(path: "sepc", suggestion: "spec")])
    }

    // MARK: - Known members

    private static let calicoRule = #"""
        {"action":"Allow","ipVersion":4,"protocol":"TCP","notProtocol":"UDP","icmp":{"type":1,"code":1},"notICMP":{"type":2},
        "http":{"methods":[],"paths":[{"exact":"a"},{"prefix":"b"}],"headers":[{"x":1}]},"metadata":{"annotations":{"a":"b"}},
        "source":{"nets":["::/0"],"notNets":["::/0"],"selector":"a","notSelector":"a","namespaceSelector":"a","ports":[1],
        "notPorts":[1],"serviceAccounts":{"names":["a"],"selector":"a"},"domains":["a"]},
        "destination":{"services":{"name":"a","namespace":"b"}}}
        """#
    private static let calicoSpec = #"""
        "tier":"a","order":1,"selector":"a","serviceAccountSelector":"a","types":["Ingress"],
        "performanceHints":["AssumeNeededOnEveryNode"],"ingress":[\#(calicoRule)],"egress":[\#(calicoRule)]
        """#
    private static let globalSpec =
        #"\#(calicoSpec),"namespaceSelector":"a","doNotTrack":false,"preDNAT":false,"applyOnForward":true"#
    private static let labels =
        #"{"matchLabels":{"any":"a","spec":"b"},"matchExpressions":[{"key":"a","operator":"In","values":[]}]}"#
    private static let kubernetesSpec = #"""
        "podSelector":\#(labels),"policyTypes":["Ingress"],
        "ingress":[{"from":[{"podSelector":\#(labels),"namespaceSelector":\#(labels)},{"ipBlock":{"cidr":"::/0","except":[]}}],
        "ports":[{"protocol":"TCP","port":1,"endPort":2}]}],
        "egress":[{"to":[{"podSelector":{}}],"ports":[]}]
        """#
    private static let namespacedPods = #"{"namespaceSelector":\#(labels),"podSelector":\#(labels)}"#
    private static let adminRules = #"""
        "subject":{"pods":\#(namespacedPods)},
        "ingress":[{"name":"a","action":"Deny","from":[{"namespaces":\#(labels)},{"pods":\#(namespacedPods)}],"ports":[
        {"portNumber":{"protocol":"TCP","port":1}},{"portRange":{"protocol":"TCP","start":1,"end":2}},{"namedPort":"a"}]}],
        "egress":[{"name":"a","action":"Deny","to":[{"nodes":\#(labels)},{"networks":["::/0"]},{"domainNames":["a"]}],
        "ports":[]}]
        """#
    private static let baselineRules = adminRules.replacing(#",{"domainNames":["a"]}"#, with: "")
    private static let clusterRules = #"""
        "subject":{"namespaces":\#(labels)},
        "ingress":[{"name":"a","action":"Deny","from":[{"namespaces":\#(labels)},{"pods":\#(namespacedPods)}],"protocols":[]}],
        "egress":[{"name":"a","action":"Deny","to":[{"nodes":\#(labels)},{"networks":["::/0"]},{"domainNames":["a"]}],
        "protocols":[{"tcp":{"destinationPort":{"number":1}}},{"udp":{"destinationPort":{"range":{"start":1,"end":2}}}},
        {"sctp":{}},{"destinationNamedPort":"a"}]}]
        """#

    /// Each kind with every member that its API has.
    @Test(
        arguments: [
            (.calicoNetworkPolicy, calicoSpec), (.stagedNetworkPolicy, #"\#(calicoSpec),"stagedAction":"Set""#),
            (.globalNetworkPolicy, globalSpec), (.stagedGlobalNetworkPolicy, #"\#(globalSpec),"stagedAction":"Set""#),
            (.networkPolicy, kubernetesSpec),
            (.stagedKubernetesNetworkPolicy, #"\#(kubernetesSpec),"stagedAction":"Set""#),
            (.adminNetworkPolicy, #""priority":1,\#(adminRules)"#), (.baselineAdminNetworkPolicy, baselineRules),
            (.clusterNetworkPolicy, #""tier":"Admin","priority":1,\#(clusterRules)"#),
            (.tier, #""order":1,"defaultAction":"Pass""#), (.networkSet, #""nets":[],"allowedEgressDomains":[]"#),
            (.globalNetworkSet, #""nets":[],"allowedEgressDomains":[]"#),
            (
                .hostEndpoint,
                #""node":"a","interfaceName":"b","expectedIPs":[],"profiles":[],"ports":[{"name":"a","protocol":"TCP","port":1}]"#
            ),
            // Unknown members of other kinds are not reported.
            (.pod, #""soruce":1"#), (.service, #""soruce":1"#), (.namespace, #""soruce":1"#),
        ] as [(ObjectKind, String)]
    ) func acceptsMembersOfAPI(_ kind: ObjectKind, _ spec: String) throws {
        #expect(try Self.unknown(spec, of: kind) == UnknownFields())
    }

    @Test func recordedObjectsHaveNoUnknownMembers() throws {
        for path in Fixture.paths(in: "list") where path.hasSuffix(".json") {
            let bytes = try Fixture.bytes(path)
            for case .success(let object) in try ObjectDecoder.objects(in: bytes.span) {
                #expect(object.unknownFields.isEmpty, "\(path) \(object.reference): \(object.unknownFields)")
            }
        }
    }

    /// In metadata, unknown members are reported for written objects of every kind, and not for those of an API server.
    @Test(
        arguments: [
            (.pod, #""lables":{"a":"b"}"#, ["metadata.lables": "labels"]),
            (
                .namespace, #""annotation":{},"Name":"b""#,
                ["metadata.annotation": "annotations", "metadata.Name": "name"]
            ),
            (.networkPolicy, #""foo":1"#, ["metadata.foo": nil]),
            (
                .service,
                #""namespace":"a","labels":{},"annotations":{},"generateName":"a-","uid":"a","resourceVersion":"1","generation":1,"creationTimestamp":null,"deletionTimestamp":null,"deletionGracePeriodSeconds":1,"ownerReferences":[],"finalizers":[],"managedFields":[],"selfLink":"a""#,
                [:]
            ),
        ] as [(ObjectKind, String, [String: String?])]
    )
    func reportsUnknownMembersOfMetadata(
        _ kind: ObjectKind,
        _ members: String,
        _ expected: [String: String?]
    ) throws {
        let text = #"{"apiVersion":"a","kind":"b","metadata":{"name":"a",\#(members)},"spec":{}}"#
        var findings: [ObjectIssue] = []
        _ = try ObjectDecoder.object(from: Array(text.utf8).span, as: kind, findings: &findings)
        let unknown = findings.filter { $0.reason.hasPrefix("no such field") }
        let expectedReasons = expected.map { path, suggestion in
            ObjectIssue(path: [], reason: UnknownField(path: path, suggestion: suggestion).reason).reason
        }
        #expect(Set(unknown.map { PathComponent.text($0.path) }) == Set(expected.keys))
        #expect(unknown.map(\.reason).sorted() == expectedReasons.sorted())
        #expect(try ObjectDecoder.object(text, as: kind)?.unknownFields.isEmpty == true)
    }

    // MARK: - Limits

    @Test func keepsFirstUnknownMembersAndCountsOthers() throws {
        let keys = (0..<20).map { #""k\#($0)":{"selector":1}"# }.joined(separator: ",")
        let unknown = try Self.unknown(keys, of: .globalNetworkPolicy)
        #expect(unknown.fields.map(\.path) == (0..<UnknownFields.limit).map { "spec.k\($0)" })
        #expect(unknown.omitted == 12)
        // The next object begins without unknown members.
        let bad = #"{"kind":"Tier","apiVersion":"projectcalico.org/v3","metadata":{"name":"a"},"spec":{"x":1}}"#
        let good = #"{"kind":"Tier","apiVersion":"projectcalico.org/v3","metadata":{"name":"b"},"spec":{}}"#
        let unusable = #"{"kind":"Tier","apiVersion":"projectcalico.org/v3","metadata":{},"spec":{"y":1}}"#
        let objects = try ObjectDecoder.objects(in: Array((bad + good + unusable + good).utf8).span)
        #expect(objects.compactMap { try? $0.get().unknownFields.fields.count } == [1, 0, 0])
    }

    @Test(arguments: ["k", "é", #"\u0041"#, "\u{202e}", " ", #"\""#]) func truncatesLongKeys(_ letter: String) throws {
        for count in [500, 100_000] {
            let key = String(repeating: letter, count: count)
            let unknown = try Self.unknown(#""\#(key)":1"#, of: .globalNetworkPolicy)
            let path = try #require(unknown.fields.first).path
            #expect(path.utf8.count <= 400, "\(path)")
            #expect(path.hasPrefix("spec") && unknown.fields.first?.suggestion == nil)
        }
    }

    /// Ten times the unknown members take about ten times as long, not a hundred times.
    @Test func decodesManyUnknownMembersInLinearTime() throws {
        func seconds(_ count: Int) throws -> Double {
            let rules = (0..<count).map { #"{"action":"Allow","soruce\#($0)":{"selector":"a"},"dest":[1]}"# }
            let bytes = Array(
                Self.text(#""ingress":[\#(rules.joined(separator: ","))]"#, of: .globalNetworkPolicy).utf8
            )
            return try (0..<3).map { _ in
                let start = Self.processorSeconds
                var findings: [ObjectIssue] = []
                let objects = try ObjectDecoder.object(from: bytes.span, as: .globalNetworkPolicy, findings: &findings)
                // One more is in the metadata.
                #expect(objects?.unknownFields.omitted == count * 2 + 1 - UnknownFields.limit)
                #expect(findings.count == UnknownFields.limit)
                return Self.processorSeconds - start
            }.min() ?? 0
        }
        let few = try seconds(2_000)
        #expect(try seconds(20_000) < few * 40)
    }

    /// The processor time of this thread.
    private static var processorSeconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    // MARK: - Reports

    /// The decoder also reports them for an unusable object: the misspelt member may be the cause.
    @Test func reportsUnknownMembersBesideError() throws {
        let text = #"""
            {"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy","metadata":{"name":"a"},
             "spec":{"ingress":[{"acton":"Allow"}]}}
            """#
        var findings: [ObjectIssue] = []
        let objects = try ObjectDecoder.objects(in: Array(text.utf8).span, findings: &findings)
        guard case .failure(let error)? = objects.first else { return #expect(Bool(false)) }
        #expect(error.reason == "the rule has no action; it needs Allow, Deny, Log or Pass")
        let reason =
            "no such field here; did you mean 'action'? It counts for nothing; an API server refuses or drops it"
        #expect(findings.map { "\(PathComponent.text($0.path)): \($0.reason)" } == ["spec.ingress[0].acton: \(reason)"])
        #expect(findings.first.map { Array(Array(text.utf8)[$0.offset...].prefix(7)) } == Array(#""Allow""#.utf8))
    }

    @Test func streamsKeepUnknownMembers() throws {
        let item = #"{"metadata":{"name":"a"},"spec":{"x":1,"order":2}}"#
        let list = ListOutcome(
            [Array(#"{"kind":"TierList","apiVersion":"v3","metadata":{},"items":[\#(item)]}"#.utf8)],
            kind: .tier
        )
        let expected = [UnknownField(path: "spec.x")]
        #expect(try list.items.first?.get().unknownFields.fields == expected)
        let watch = WatchOutcome([Array(#"{"type":"ADDED","object":\#(item)}"#.utf8 + [0x0a])], kind: .tier)
        guard case .upsert(let object, _)? = watch.events.first else { return #expect(Bool(false)) }
        #expect(object.unknownFields.fields == expected)
    }
}
