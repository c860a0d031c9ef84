import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// The findings of `weir inventory check`.
@Suite struct FilesCheckTests {
    private let folder: FilesFolder

    init() throws {
        folder = try FilesFolder()
    }

    /// Objects and the expected findings in them: line, severity, and words of the reason.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var yaml: String
        var findings: [(line: Int, severity: FileFinding.Severity, reason: String)]

        init(_ name: String, _ yaml: String, _ findings: (Int, FileFinding.Severity, String)...) {
            self.name = name
            self.yaml = yaml
            self.findings = findings
        }

        var testDescription: String { name }
    }

    static let cases = [
        Case(
            "nothing is wrong",
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a.b-1, namespace: shop}, status: {podIP: 10.0.0.1}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: done, namespace: shop}, status: {podIP: 10.0.0.1, phase: Failed}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: h, namespace: n}, spec: {hostNetwork: true}, status: {podIP: 10.0.0.1}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}, spec: {clusterIP: None}}
            ---
            {apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: x, namespace: a}, spec: {nets: [10.0.0.0/8]}}
            ---
            {apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: x, namespace: b}, spec: {nets: [10.0.0.0/8]}}
            ---
            {apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: x}, spec: {nets: [10.0.0.0/8]}}
            """
        ),
        Case(
            "an object is there twice",
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            """,
            (3, .warning, "Namespace shop: defined twice; the other one is in ")
        ),
        Case(
            "two pods have an address",
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: s}, status: {podIPs: [{ip: 10.0.0.1}, {ip: fd00::1}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: shop}, status: {podIP: fd00::1}}
            """,
            (3, .warning, "fd00::1 is an address of Pod s/a in ")
        ),
        Case(
            "a service has no ports",
            "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}, spec: {clusterIP: 10.96.0.1}}",
            (1, .warning, "Service shop/s: it has no ports")
        ),
        Case(
            "network sets are empty or the same",
            """
            {apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: b, namespace: x}, spec: {nets: [10.0.0.0/8]}}
            ---
            {apiVersion: projectcalico.org/v3, kind: NetworkSet, metadata: {name: a, namespace: x}, spec: {nets: [10.0.0.1/8]}}
            ---
            {apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: c}, spec: {nets: []}}
            ---
            {apiVersion: projectcalico.org/v3, kind: GlobalNetworkSet, metadata: {name: d}, spec: {nets: [fd00::/8, fd00::/8]}}
            """,
            (3, .warning, "10.0.0.0/8 is in NetworkSet x/b in "),
            (5, .warning, "GlobalNetworkSet c: it is empty"),
            (7, .warning, "fd00::/8 is in it twice")
        ),
        Case(
            "names that are none",
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: Shop}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: a.b}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a..b, namespace: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: 'a "b"', namespace: 'x/y'}}
            """,
            (1, .warning, "no API server accepts this name"),
            (3, .warning, "no API server accepts this name"),
            (5, .warning, "no API server accepts this name"),
            (7, .warning, "no API server accepts this name"),
            (7, .warning, "no API server accepts this namespace")
        ),
        Case(
            "a broken end",
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\na: [",
            (3, .error, "not YAML")
        ),
        Case("no kind", "a: b\n---\n\nx: y\n", (1, .error, "without kind"), (4, .error, "without kind")),
    ]

    @Test(arguments: cases)
    func reportsFindingsWithLineAndSeverity(_ one: Case) throws {
        let path = try folder.write(one.yaml, to: "a.yaml")
        let report = FileCheck.run([path])
        let lines = report.findings.map { "\($0.line ?? 0) \($0.severity)" }
        #expect(lines == one.findings.map { "\($0.line) \($0.severity)" }, "\(report.findings)")
        for (finding, expected) in zip(report.findings, one.findings) {
            #expect(finding.message.contains(expected.reason), "\(finding)")
            #expect(finding.description.hasPrefix("\(path):\(expected.line): \(expected.severity): "))
        }
    }

    @Test func usesFirstSetByNameForDuplicateRange() throws {
        let path = try folder.write(try #require(Self.cases.first { $0.name.contains("sets") }).yaml, to: "a.yaml")
        #expect(FileCheck.run([path]).findings.first?.reason.hasSuffix("too; a is used, the first by name") == true)
    }

    @Test(arguments: ["", "---\n---\n", "# nothing\n", "{kind: List, apiVersion: v1, items: []}"])
    func warnsAboutFileWithoutObjects(text: String) throws {
        let path = try folder.write(text, to: "empty.yaml")
        let report = FileCheck.run([path])
        #expect(report.findings.map(\.reason) == ["there are no objects in it"])
        #expect(report.findings.map(\.severity) == [.warning])
    }

    @Test func warnsAboutFolderWithoutInventoryFiles() throws {
        _ = try folder.write("x", to: "notes.txt")
        #expect(
            FileCheck.run([folder.path]).findings.map(\.reason) == [
                "there is no *.yaml, *.yml or *.json in this folder"
            ]
        )
    }

    @Test func countsObjectsByKind() throws {
        let paths = try ["pods.yaml", "services.json", "calico-globalnetworksets.yaml"].map { try filesFixture($0) }
        let other = try folder.write("{apiVersion: v1, kind: Secret, metadata: {name: s}}", to: "a.yaml")
        let report = FileCheck.run(paths + [other, folder.file("none.yaml")])
        #expect(report.files == 4)
        #expect(report.objects == [.pod: 3, .service: 6, .globalNetworkSet: 1])
        #expect(report.otherObjects == 1)
        #expect(report.count(.error) == 1)
        #expect(report.count(.warning) == 0, "\(report.findings)")
        #expect(report.findings.first?.description == "\(folder.file("none.yaml")): error: no such file or folder")
    }
}
