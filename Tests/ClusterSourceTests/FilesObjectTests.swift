import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// The objects of a file in every supported form.
@Suite struct FilesObjectTests {
    private let folder: FilesFolder

    init() throws {
        folder = try FilesFolder()
    }

    private func entries(_ text: String, _ name: String = "a.yaml") throws -> FilesEntries {
        try FilesEntries(folder.write(text, to: name))
    }

    // MARK: Forms

    /// Lists as recorded from a kube-apiserver 1.36, and the same as kubectl prints them in YAML: without managed fields.
    @Test(arguments: [
        "pods", "services", "namespaces", "nodes", "endpointslices", "serviceaccounts", "networkpolicies",
        "calico-networksets", "calico-globalnetworksets", "calico-v3-networkpolicies",
    ])
    func yamlDecodesToSameObjectsAsJSON(_ name: String) throws {
        let json = try FilesEntries(filesFixture(name + ".json"))
        let yaml = try FilesEntries(filesFixture(name + ".yaml"))
        #expect(!json.objects.isEmpty)
        let withoutManagedFields = json.dump.map {
            $0.replacingOccurrences(of: "lastWrite: Optional(ClusterModel.LastWrite)", with: "lastWrite: nil")
        }
        #expect(yaml.dump == withoutManagedFields)
        #expect(json.findings.isEmpty, "\(json.findings)")
        #expect(yaml.findings.isEmpty, "\(yaml.findings)")
    }

    @Test func readsYAMLListWithKindAfterItems() throws {
        let entries = try FilesEntries(filesFixture("recorded-networkpolicies.yaml"))
        let names = entries.objects.map { $0.object.reference.description }
        #expect(names.count == 3)
        #expect(names.first == "NetworkPolicy monitoring/allow-all-ingress")
        #expect(entries.objects.first?.line == 3)
        #expect(entries.findings.isEmpty, "\(entries.findings)")
    }

    /// A pod in each form that a list may have.
    @Test(arguments: [
        (
            "a.json",
            #"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a","namespace":"n"}}]}"#
        ),
        (
            "a.json",
            #"{"apiVersion":"v1","items":[{"metadata":{"name":"a","namespace":"n"}}],"kind":"PodList"}"#
        ),
        (
            "a.json",
            #"{"items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n"}}],"kind":"List"}"#
        ),
        ("a.json", #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n"}}"#),
        ("a", #"  {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n"}}"#),
        ("a.yml", #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n"}}"#),
        ("a", "kind: Pod\napiVersion: v1\nmetadata: {name: a, namespace: n}\n"),
        ("a.yaml", "items:\n- metadata: {name: a, namespace: n}\nkind: PodList\napiVersion: v1\n"),
        ("a.yaml", "kind: PodList\napiVersion: v1\nitems: [{metadata: {name: a, namespace: n}}]\n"),
    ])
    func readsPodInEveryListForm(_ name: String, _ text: String) throws {
        let entries = try entries(text, name)
        #expect(entries.objects.map { $0.object.reference.description } == ["Pod n/a"])
        #expect(entries.findings.isEmpty, "\(entries.findings)")
        #expect(entries.otherKinds == 0)
    }

    @Test func countsObjectsOfOtherKinds() throws {
        let entries = try entries(
            """
            {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: n}, data: {x: y}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: n}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: n}}
            ---
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: n}}
            - {apiVersion: v1, kind: Node, metadata: {name: m}}
            """
        )
        #expect(entries.objects.map { $0.object.reference.description } == ["Namespace n", "Node m"])
        #expect(entries.objects.map(\.line) == [5, 11])
        #expect(entries.otherKinds == 3)
        #expect(entries.findings.isEmpty, "\(entries.findings)")
    }

    // MARK: Findings

    @Test func reportsUnusableObjectsWithLinesAndKeepsOthers() throws {
        let entries = try entries(
            """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: v1
              kind: Pod
              metadata:
                namespace: shop
            - apiVersion: v1
              kind: Pod
              metadata: {name: good, namespace: shop}
            ---
            metadata: {name: nothing}
            ---
            apiVersion: crd.projectcalico.org/v1
            kind: GlobalNetworkSet
            metadata: {name: partners}
            spec:
              nets:
              - 10.0.0.0/8
              - 10.0.0.0/99
            """
        )
        let names = entries.objects.map { $0.object.reference.description }
        #expect(names == ["Pod shop/good", "GlobalNetworkSet partners"])
        let findings = entries.findings.map { "\($0.line ?? 0) \($0.severity)" }
        #expect(Set(findings).isSuperset(of: ["12 error", "20 warning"]), "\(entries.findings)")
        let nameless = try #require(entries.findings.first)
        #expect(nameless.severity == .error)
        #expect((4...7).contains(nameless.line ?? 0), "\(nameless)")
    }

    @Test func findingsInJSONHaveLinesOfFields() throws {
        let entries = try entries(
            """
            {
              "kind": "GlobalNetworkSetList",
              "items": [
                {
                  "metadata": {"name": "one"},
                  "spec": {"nets": ["10.0.0.0/8"]}
                },
                {
                  "metadata": {"name": "two"},
                  "spec": {
                    "nets": [
                      "10.1.0.0/16",
                      "here"
                    ]
                  }
                }
              ],
              "apiVersion": "projectcalico.org/v3"
            }
            """,
            "a.json"
        )
        #expect(entries.objects.map(\.line) == [4, 8])
        #expect(entries.findings.map(\.line) == [13], "\(entries.findings)")
        #expect(entries.findings.map(\.place) == ["\(folder.file("a.json")):13"])
    }

    @Test(arguments: ["a.yaml", "a.json"])
    func rejectsTruncatedFile(_ name: String) throws {
        let whole = try String(contentsOfFile: filesFixture("services.json"), encoding: .utf8)
        let path = try folder.write(String(whole.dropLast(400)), to: name)
        #expect(throws: FileFault.self) { try ObjectFile(path) }
    }

    @Test func rejectsMissingAndIrregularFiles() throws {
        #expect(throws: FileFault(reason: "No such file or directory")) { try ObjectFile(folder.file("none.yaml")) }
        #expect(throws: FileFault(reason: "not a regular file")) { try ObjectFile(folder.path) }
        #expect(throws: FileFault(reason: "not a regular file")) { try ObjectFile("/dev/null") }
        try #require(mkfifo(folder.file("pipe.yaml"), 0o600) == 0)
        #expect(throws: FileFault(reason: "not a regular file")) { try ObjectFile(folder.file("pipe.yaml")) }
    }

    // MARK: Hostile input

    /// No mutation of a file ends the program, and every finding has a line of the file.
    @Test(arguments: ["pods.yaml", "services.json", "endpointslices.yaml", "calico-v3-networkpolicies.yaml"])
    func mutatedFilesAreReadOrRejected(_ name: String) throws {
        var random = FilesRandom(UInt64(name.count))
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: filesFixture(name))).prefix(5000))
        var (read, refused) = (0, 0)
        for _ in 0..<400 {
            let bytes = random.mutate(original)
            let path = try folder.write(bytes, to: name)
            let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
            do {
                let entries = try FilesEntries(path)
                read += 1
                #expect(entries.findings.allSatisfy { 1...lines ~= $0.line ?? 0 }, "\(entries.findings)")
            } catch let fault as FileFault {
                refused += 1
                #expect(1...lines ~= fault.line ?? 0, "\(fault)")
                #expect(!fault.reason.isEmpty)
            }
        }
        #expect(read + refused == 400)
        #expect(refused > 0)
    }
}
