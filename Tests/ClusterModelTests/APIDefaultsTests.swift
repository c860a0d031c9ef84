import ClusterModel
import FlowModel
import Testing

/// Defaults that API servers add to objects are added to files too; objects of an API server are not changed.
@Suite struct APIDefaultsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var kind: ObjectKind
        /// The object as a person writes it.
        var written: String
        /// The object as an API server stores it.
        var served: String

        var testDescription: String { "\(kind.rawValue) \(written)" }
    }

    private static let cases: [Case] = [
        // Names.
        Case(kind: .namespace, written: #"{"metadata":{"name":"a"}}"#, served: namespace(#""labels":{NAME}"#)),
        Case(
            kind: .namespace,
            written: namespace(#""labels":{"a":"b","z":"y"}"#),
            served: namespace(#""labels":{"a":"b",NAME,"z":"y"}"#)
        ),
        Case(
            kind: .namespace,
            written: namespace(#""labels":{"kubernetes.io/metadata.name":"other"}"#),
            served: namespace(#""labels":{NAME}"#)
        ),
        Case(kind: .namespace, written: namespace(#""labels":null"#), served: namespace(#""labels":{NAME}"#)),
        Case(
            kind: .pod,
            written: #"{"metadata":{"name":"a"},"spec":{"serviceAccountName":"x"}}"#,
            served: #"{"metadata":{"name":"a","namespace":"default"},"spec":{"serviceAccountName":"x"}}"#
        ),
        // Pods.
        Case(
            kind: .pod,
            written: pod(#"{"nodeName":"n"}"#),
            served: pod(#"{"nodeName":"n","serviceAccount":"default","serviceAccountName":"default"}"#)
        ),
        Case(kind: .pod, written: pod(#"{"serviceAccount":"x"}"#), served: pod(#"{"serviceAccountName":"x"}"#)),
        Case(kind: .pod, written: pod("null"), served: pod(#"{"serviceAccountName":"default"}"#)),
        Case(
            kind: .pod,
            written: pod(#"{"containers":[{"ports":[{"name":"p","containerPort":1}]}]}"#),
            served: pod(
                #"{"serviceAccountName":"default","containers":[{"ports":[{"name":"p","containerPort":1,"protocol":"TCP"}]}]}"#
            )
        ),
        Case(
            kind: .pod,
            written: pod("null", #"{"podIP":"10.0.0.1"}"#),
            served: pod("null", #"{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}]}"#)
        ),
        Case(
            kind: .pod,
            written: pod("null", #"{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.2"},{"ip":"fd00::1"}]}"#),
            served: pod("null", #"{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}]}"#)
        ),
        Case(
            kind: .node,
            written: #"{"metadata":{"name":"a"},"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.1.0/24"]}}"#,
            served: #"{"metadata":{"name":"a"},"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]}}"#
        ),
        // Services and their endpoints.
        Case(
            kind: .service,
            written: spec(#"{"clusterIP":"10.96.0.1","ports":[{"port":80}]}"#),
            served: spec(
                #"{"type":"ClusterIP","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ports":[{"port":80,"targetPort":80,"protocol":"TCP"}]}"#
            )
        ),
        Case(
            kind: .endpointSlice,
            written: slice(#"{"port":80}"#, #"{"addresses":["10.0.0.1"]}"#),
            served: slice(
                #"{"name":"","port":80,"protocol":"TCP"}"#,
                #"{"addresses":["10.0.0.1"],"conditions":{"ready":true}}"#
            )
        ),
        Case(
            kind: .endpoints,
            written: #"{"metadata":{"name":"a"},"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80}]}]}"#,
            served:
                #"{"metadata":{"name":"a","namespace":"default"},"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":80,"protocol":"TCP"}]}]}"#
        ),
        // Policies.
        Case(
            kind: .networkPolicy,
            written: spec(#"{"podSelector":{},"ingress":[{"ports":[{}]}]}"#),
            served: spec(
                #"{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{"ports":[{"protocol":"TCP"}]}]}"#
            )
        ),
        Case(
            kind: .networkPolicy,
            written: spec(#"{"egress":[{"ports":[{"port":53},{"port":53,"protocol":"UDP"}]}]}"#),
            served: spec(
                #"{"podSelector":{},"policyTypes":["Ingress","Egress"],"egress":[{"ports":[{"protocol":"TCP","port":53},{"port":53,"protocol":"UDP"}]}]}"#
            )
        ),
        Case(
            kind: .networkPolicy,
            written: spec(#"{"policyTypes":[],"egress":[]}"#),
            served: spec(#"{"podSelector":{},"policyTypes":["Ingress"]}"#)
        ),
        Case(
            kind: .adminNetworkPolicy,
            written: spec(
                #"{"priority":1,"subject":{"namespaces":{}},"ingress":[{"action":"Deny","from":[{"namespaces":{}}],"ports":[{"portNumber":{"port":80}}]}]}"#
            ),
            served: spec(
                #"{"priority":1,"subject":{"namespaces":{}},"ingress":[{"action":"Deny","from":[{"namespaces":{}}],"ports":[{"portNumber":{"port":80,"protocol":"TCP"}}]}]}"#
            )
        ),
        Case(
            kind: .calicoNetworkPolicy,
            written: spec(#"{"egress":[{"action":"Allow"}]}"#),
            served: spec(#"{"tier":"default","types":["Egress"],"egress":[{"action":"Allow"}]}"#)
        ),
        Case(
            kind: .globalNetworkPolicy,
            written: spec("{}"),
            served: spec(#"{"tier":"default","types":["Ingress"]}"#)
        ),
        Case(
            kind: .globalNetworkPolicy,
            written: spec(#"{"ingress":[{"action":"Allow"}],"egress":[{"action":"Allow"}]}"#),
            served: spec(
                #"{"types":["Ingress","Egress"],"ingress":[{"action":"Allow"}],"egress":[{"action":"Allow"}]}"#
            )
        ),
        Case(kind: .tier, written: spec("{}"), served: spec(#"{"defaultAction":"Deny"}"#)),
        Case(
            kind: .stagedNetworkPolicy,
            written: spec("{}"),
            served: spec(#"{"tier":"default","stagedAction":"Set","types":["Ingress"]}"#)
        ),
    ]

    @Test(arguments: cases) func addsDefaultsOfAPIServer(_ test: Case) throws {
        let (written, _) = try ObjectDecoder.withFindings(test.written, as: test.kind)
        let (served, findings) = try ObjectDecoder.withFindings(test.served, as: test.kind)
        #expect("\(try #require(written))" == "\(try #require(served))")
        #expect(findings.filter { !$0.contains("no namespace") } == [])
    }

    /// No API server adds defaults to the rules of a StagedKubernetesNetworkPolicy of Calico.
    @Test func doesNotDefaultPortOfStagedPolicy() throws {
        let text = Self.spec(#"{"podSelector":{},"ingress":[{"ports":[{}]}]}"#)
        let (object, _) = try ObjectDecoder.withFindings(text, as: .stagedKubernetesNetworkPolicy)
        guard case .stagedKubernetesPolicy(let policy)? = object else { return #expect(Bool(false)) }
        #expect(policy.spec.ingress.first?.ports == [PolicyPort(proto: nil, port: nil)])
    }

    /// A pod that a kubelet runs from a file has no service account, in an API server either.
    @Test func doesNotAddServiceAccountToMirrorPod() throws {
        let text = #"{"metadata":{"name":"a","annotations":{"kubernetes.io/config.mirror":"1"}},"spec":{}}"#
        let (object, _) = try ObjectDecoder.withFindings(text, as: .pod)
        guard case .pod(let pod)? = object else { return #expect(Bool(false)) }
        #expect(pod.serviceAccount == nil)
    }

    private static func namespace(_ labels: String) -> String {
        let labels = labels.split(separator: "NAME", omittingEmptySubsequences: false)
            .joined(separator: #""kubernetes.io/metadata.name":"a""#)
        return #"{"metadata":{"name":"a",\#(labels)}}"#
    }

    private static func pod(_ spec: String, _ status: String = "{}") -> String {
        #"{"metadata":{"name":"a","namespace":"n"},"spec":\#(spec),"status":\#(status)}"#
    }

    private static func spec(_ spec: String) -> String {
        #"{"metadata":{"name":"a","namespace":"n"},"spec":\#(spec)}"#
    }

    private static func slice(_ port: String, _ endpoint: String) -> String {
        #"{"metadata":{"name":"a","namespace":"n","labels":{"kubernetes.io/service-name":"s"}},"addressType":"IPv4","ports":[\#(port)],"endpoints":[\#(endpoint)]}"#
    }
}
