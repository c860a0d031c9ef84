import ClusterModel
import FlowModel
import Testing

/// Kinds, hollow objects, wrong types, errors and findings.
struct ObjectDecoderTests {
    @Test(
        arguments: [
            ("v1", "Pod", ObjectKind.pod), ("v1", "Namespace", .namespace), ("v1", "Node", .node),
            ("v1", "Service", .service),
            ("v1", "ServiceAccount", .serviceAccount), ("v1", "Endpoints", .endpoints),
            ("discovery.k8s.io/v1", "EndpointSlice", .endpointSlice),
            ("discovery.k8s.io/v1beta1", "EndpointSlice", .endpointSlice),
            ("networking.k8s.io/v1", "NetworkPolicy", .networkPolicy),
            ("extensions/v1beta1", "NetworkPolicy", .networkPolicy),
            ("projectcalico.org/v3", "NetworkPolicy", .calicoNetworkPolicy),
            ("crd.projectcalico.org/v1", "NetworkPolicy", .calicoNetworkPolicy),
            ("crd.projectcalico.org/v1", "GlobalNetworkPolicy", .globalNetworkPolicy),
            ("projectcalico.org/v3", "StagedNetworkPolicy", .stagedNetworkPolicy),
            ("projectcalico.org/v3", "StagedGlobalNetworkPolicy", .stagedGlobalNetworkPolicy),
            ("projectcalico.org/v3", "StagedKubernetesNetworkPolicy", .stagedKubernetesNetworkPolicy),
            ("projectcalico.org/v3", "Tier", .tier), ("projectcalico.org/v3", "NetworkSet", .networkSet),
            ("crd.projectcalico.org/v1", "GlobalNetworkSet", .globalNetworkSet),
            ("projectcalico.org/v3", "HostEndpoint", .hostEndpoint),
            ("projectcalico.org/v3", "FelixConfiguration", .felixConfiguration),
            ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", .adminNetworkPolicy),
            ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", .baselineAdminNetworkPolicy),
            ("apps/v1", "Deployment", nil), ("v1", "NetworkPolicy", nil), ("networking.k8s.io/v1", "Pod", nil),
            ("crd.antrea.io/v1beta1", "Tier", nil), ("v1", "Secret", nil), ("v1", "Status", nil),
        ] as [(String, String, ObjectKind?)]
    ) func decodesKindByGroupAndName(_ version: String, _ kind: String, _ expected: ObjectKind?)
        throws
    {
        let members = [
            #""apiVersion":"\#(version)""#, #""kind":"\#(kind)""#, #""metadata":{"name":"a","namespace":"n"}"#,
        ]
        for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0]] {
            let text = "{\(order.map { members[$0] }.joined(separator: ","))}"
            let object = try ObjectDecoder.object(text, as: nil)
            #expect(object?.kind == expected)
            #expect(object?.reference.namespace == (expected?.isNamespaced == true ? "n" : nil))
        }
    }

    @Test(
        arguments: [
            (
                "networking.k8s.io/v1", "NetworkPolcy",
                "networking.k8s.io/v1 has no kind NetworkPolcy; did you mean NetworkPolicy?"
            ),
            (
                "projectcalico.org/v3", "globalnetworkpolicy",
                "projectcalico.org/v3 has no kind globalnetworkpolicy; did you mean GlobalNetworkPolicy?"
            ),
            ("v1", "NetworkPolicy", "v1 has no kind NetworkPolicy; write networking.k8s.io/v1 or projectcalico.org/v3"),
            ("v1", "pod", "v1 has no kind pod; did you mean Pod?"),
            ("networking.k8s.io/v1", "Ingress", nil), ("networking.k8s.io/v1", "IPAddress", nil),
            ("projectcalico.org/v3", "IPPool", nil), ("projectcalico.org/v3", "Profile", nil), ("v1", "Secret", nil),
            ("example.org/v1", "NetworkPolcy", nil),
        ] as [(String, String, String?)]
    ) func rejectsMisspelledKinds(_ version: String, _ kind: String, _ reason: String?) throws {
        let text = #"{"apiVersion":"\#(version)","kind":"\#(kind)","metadata":{"name":"a"}}"#
        let results = try ObjectDecoder.objects(in: Array(text.utf8).span)
        #expect(
            results.map { result in if case .failure(let error) = result { error.reason } else { "" } }
                == [reason].compactMap(\.self)
        )
    }

    @Test(arguments: ObjectKind.allCases) func decodesHollowObject(_ kind: ObjectKind) throws {
        let members = ["spec", "status", "endpoints", "subsets", "ports", "addressType", "annotations"]
        for value in ["null", "{}", "[]", #""""#, "0", "true", "[null]", "[{}]", #"{"ports":null,"ingress":null}"#] {
            for member in members {
                let text = #"{"metadata":{"name":"a","labels":null},"\#(member)":\#(value)}"#
                // The decoder may reject a policy, with its name in the error.
                do throws(ObjectIssue) {
                    #expect(try ObjectDecoder.object(text, as: kind)?.metadata.name == "a")
                } catch {
                    #expect(error.reference?.name == "a")
                    #expect(member == "spec")
                }
            }
        }
    }

    @Test(arguments: ObjectKind.allCases) func rejectsObjectWithoutName(_ kind: ObjectKind) {
        for text in [
            "{}", #"{"metadata":null}"#, #"{"metadata":{"name":""}}"#, #"{"metadata":{"name":7}}"#, "7", "null", "[]",
        ] {
            #expect(throws: ObjectIssue.self) { try ObjectDecoder.object(text, as: kind) }
        }
    }

    @Test func decodesMetadata() throws {
        let text = #"""
            {"metadata":{"name":"a","name":"b","namespace":"","uid":"","generateName":"b-","resourceVersion":"7",
            "labels":{"z":"1","a":"2","z":"3","n":4,"m":null},"deletionTimestamp":"2026-11-21T11:50:07Z"}}
            """#
        let (object, findings) = try ObjectDecoder.withFindings(text, as: .pod)
        let expected = ObjectMetadata(
            name: "b",
            namespace: "default",
            generateName: "b-",
            labels: [Label(key: "a", value: "2"), Label(key: "m", value: ""), Label(key: "z", value: "3")],
            resourceVersion: "7",
            isDeleting: true
        )
        #expect(object?.metadata == expected)
        #expect(
            findings == [
                "metadata: no namespace is named; it counts as of default",
                "metadata.labels.n: expected a string, found 4",
            ]
        )
    }

    @Test(arguments: [
        ("", 0, "", "expected a value"), ("{", 1, "", "expected a key"),
        (#"{"metadata":{"name":"a"}"#, 24, "metadata", "expected , or }"),
        (#"{"metadata":{"name":"a"}} x"#, 26, "", "more text"),
        (
            #"{"metadata":{"name":"a"},"spec":{"containers":[{},{"ports":[tru]}]}}"#, 60, "spec.containers[1].ports[0]",
            "expected a value"
        ),
        (#"{"metadata":{"name":"a"},"spec":{"nodeName":"\q"}}"#, 45, "spec.nodeName", "an unknown escape sequence"),
        (#"{"metadata":{"name":"a","x":[[[01]]]}}"#, 31, "metadata.x[0][0][0]", "a number with a leading zero"),
    ]) func reportsPlaceOfSyntaxError(_ text: String, _ offset: Int, _ path: String, _ reason: String) throws {
        let error = try #require(throws: ObjectIssue.self) { try ObjectDecoder.object(text, as: .pod) }
        #expect(error.offset == offset)
        #expect(PathComponent.text(error.path) == path)
        #expect(error.reason.contains(reason), "\(error.reason)")
    }

    @Test func describesError() throws {
        let text = #"{"metadata":{"name":"a","namespace":"n"},"spec":{"ingress":[{"action":"Permit"}]}}"#
        let error = try #require(throws: ObjectIssue.self) { try ObjectDecoder.object(text, as: .calicoNetworkPolicy) }
        let expected =
            "Calico NetworkPolicy n/a: spec.ingress[0].action: expected Allow, Deny, Log or Pass, "
            + "found \"Permit\" (byte 70)"
        #expect("\(error)" == expected)
    }

    @Test func reportsOffsetOfValueInIndentedText() throws {
        let text =
            "{ \"metadata\" : { \"name\" : \"a\" } ,\n  \"spec\" : {\n    \"nets\" : [ \"::/0\" ,\n      7 , \"x\" ]\n  }\n}"
        let bytes = Array(text.utf8)
        var findings: [ObjectIssue] = []
        _ = try ObjectDecoder.object(from: bytes.span, as: .globalNetworkSet, findings: &findings)
        #expect(findings.map { PathComponent.text($0.path) } == ["spec.nets[1]", "spec.nets[2]"])
        #expect(findings.map { bytes[$0.offset] } == [UInt8(ascii: "7"), UInt8(ascii: "\"")])
    }

    // MARK: - Several objects

    @Test func reportsPathsFromRootOfText() throws {
        let set =
            #"{"kind":"NetworkSet","apiVersion":"projectcalico.org/v3","metadata":{"name":"s","namespace":"n"},"#
            + #""spec":{"nets":["10.0.0.0/8","10.0.0.0/99"]}}"#
        let nameless = set.replacingOccurrences(of: #""name":"s","#, with: "")
        let list =
            #"{"kind":"List","apiVersion":"v1","items":[\#(set),{"kind":"List","items":[7,\#(nameless),\#(set)]}]}"#
        let bytes = Array((list + "\n" + set).utf8)
        var findings: [ObjectIssue] = []
        let objects = try ObjectDecoder.objects(in: bytes.span, findings: &findings)
        #expect(objects.count == 5)
        #expect(
            findings.map { PathComponent.text($0.path) } == [
                "items[0].spec.nets[1]", "items[1].items[1].spec.nets[1]", "items[1].items[2].spec.nets[1]",
                "spec.nets[1]",
            ]
        )
        #expect(findings.map { $0.reference?.name } == ["s", nil, "s", "s"])
        for finding in findings {
            #expect(finding.reason == #"expected a range of addresses as in 10.0.0.0/8, found "10.0.0.0/99""#)
            #expect(Array(bytes[finding.offset...].prefix(5)) == Array(#""10.0"#.utf8))
        }
        let errors = objects.compactMap { object in
            if case .failure(let error) = object { PathComponent.text(error.path) + ": " + error.reason } else { nil }
        }
        #expect(
            errors == [
                "items[1].items[0]: expected an object with a kind, found 7",
                "items[1].items[1]: the object has no name: metadata.name is missing",
            ]
        )
    }

    @Test(arguments: [
        "", " \n", "\u{feff}", #"{"kind":"List","apiVersion":"v1","items":null}"#,
        #"{"kind":"PodList","apiVersion":"v1"}"#, #"{"kind":"List","items":{}}"#,
        #"{"kind":"SecretList","apiVersion":"v1","items":[{"metadata":{}}]}"#,
    ])
    func decodesTextWithoutObjects(_ text: String) throws {
        #expect(try ObjectDecoder.objects(in: Array(text.utf8).span).isEmpty)
    }

    @Test(arguments: ["{", "[1,", #"{"kind":"List","items":[{]}"#, #"{"kind":"Pod","apiVersion":"v1"} }"#, "junk"])
    func rejectsTextThatIsNotJSON(_ text: String) {
        #expect(throws: ObjectIssue.self) { try ObjectDecoder.objects(in: Array(text.utf8).span) }
    }

    @Test func rejectsDeeplyNestedLists() {
        let open = #"{"kind":"List","items":["#
        let deep = String(repeating: open, count: 400) + String(repeating: "]}", count: 400)
        #expect(throws: ObjectIssue.self) { try ObjectDecoder.objects(in: Array(deep.utf8).span) }
    }

    @Test func limitsFindings() throws {
        let nets = Array(repeating: #""x""#, count: 5000).joined(separator: ",")
        let text = #"{"metadata":{"name":"a"},"spec":{"nets":[\#(nets)]}}"#
        let (object, findings) = try ObjectDecoder.withFindings(text, as: .globalNetworkSet)
        #expect(object?.metadata.name == "a")
        #expect(findings.count == 100)
        #expect(findings.last == #"spec.nets[99]: expected a range of addresses as in 10.0.0.0/8, found "x""#)
    }
}

extension String {
    /// Replaces each occurrence of a text.
    fileprivate func replacingOccurrences(of text: String, with replacement: String) -> String {
        split(separator: text, omittingEmptySubsequences: false).joined(separator: replacement)
    }
}
