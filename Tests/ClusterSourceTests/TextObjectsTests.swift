import ClusterModel
import Testing

@testable import ClusterSource

/// Objects of a text in memory.
struct TextObjectsTests {
    private func read(_ text: String) throws(FileFault) -> TextObjects {
        try TextObjects(Array(text.utf8), name: "change")
    }

    @Test func readsYAMLAndJSON() throws {
        let yaml = """
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop}
            ---
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Namespace, metadata: {name: bank}}
            - {apiVersion: example.org/v1, kind: Other, metadata: {name: x}}
            """
        #expect(try read(yaml).objects.map(\.reference.name) == ["shop", "bank"])
        let json = #"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}"#
        #expect(try read(json).objects.map(\.reference.name) == ["shop"])
        #expect(try read("").objects.isEmpty)
        #expect(try read("---\n# nothing\n---\n").objects.isEmpty)
    }

    @Test func reportsLineOfUnusableObject() throws {
        let text = try read(
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: x, namespace: y}
            spec:
              podSelector: {}
              ingress: 7
            """
        )
        #expect(text.objects.isEmpty)
        let finding = try #require(text.findings.first)
        #expect(finding.severity == .error)
        #expect(finding.line == 6, "\(finding)")
        let fault = #expect(throws: FileFault.self) { try read("a: 1\nb: [\n") }
        #expect(fault?.line != nil)
    }

    /// Texts that need unbounded memory or depth are rejected; a long text alone is not.
    @Test func rejectsHostileTexts() throws {
        let laughs = (0..<12).map { level in
            "a\(level): &a\(level) ["
                + Array(repeating: level == 0 ? "x" : "*a\(level - 1)", count: 10).joined(separator: ", ") + "]"
        }.joined(separator: "\n")
        #expect(throws: FileFault.self) { try read("kind: X\napiVersion: v1\n" + laughs + "\n") }
        #expect(throws: FileFault.self) { try read(String(repeating: "[", count: 100_000)) }
        #expect(throws: FileFault.self) { try read("{" + String(repeating: "\"a\":{", count: 100_000)) }
        #expect(throws: FileFault.self) { try TextObjects([0, 0xff, 0xfe, 0x80, 0x0a], name: "change") }
        let long =
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n# " + String(repeating: "x", count: 700_000)
        #expect(try read(long).objects.count == 1)
    }
}
