import ClusterModel
import Foundation
import Testing

/// Recorded lists, compared with Foundation's reading of the same bytes.
struct RecordedListTests {
    static let paths = Fixture.paths(in: "list")

    @Test func recordingsArePresent() {
        #expect(Self.paths.count > 20)
    }

    @Test(arguments: paths) func decodesWholeList(_ path: String) throws {
        let bytes = try Fixture.bytes(path)
        let kind = try Fixture.kind(of: path)
        let reference = try Reference.object(bytes)
        let expected = reference.objects("items").map { Reference.facts(of: $0, kind: kind) }
        #expect(!expected.isEmpty)

        var findings: [ObjectIssue] = []
        let decoded = try ObjectDecoder.objects(in: bytes.span, findings: &findings)
        #expect(try decoded.map { try $0.get().facts } == expected)
        #expect(findings == [])

        let outcome = ListOutcome([bytes], kind: kind)
        #expect(try outcome.items.map { try $0.get().facts } == expected)
        let metadata = reference.object("metadata")
        let end = ListEnd(
            resourceVersion: metadata.text("resourceVersion"),
            continueToken: metadata.text("continue"),
            remainingItemCount: metadata["remainingItemCount"] as? Int
        )
        #expect(outcome.end == .success(end))
    }

    @Test(arguments: paths) func decodesItemsWithGivenOrOwnKind(_ path: String) throws {
        let kind = try Fixture.kind(of: path)
        let reference = try Reference.object(try Fixture.bytes(path))
        for item in reference.objects("items") {
            let text = try Reference.text(item)
            #expect(try ObjectDecoder.object(from: text.span, as: kind)?.kind == kind)
            var named = item
            named["apiVersion"] = reference["apiVersion"]
            named["kind"] = (reference["kind"] as? String)?.replacingOccurrences(of: "List", with: "")
            let namedText = try Reference.text(named)
            #expect(try ObjectDecoder.object(from: namedText.span, as: nil)?.kind == kind)
        }
    }

    @Test(arguments: [
        "list/pods.page1.json", "list/pods.page3.json", "list/calico-networksets.json", "list/services.json",
        "expired/pods.list-continue.json", "errors/504-list-future-rv.json",
    ]) func decodesIndependentlyOfChunks(_ path: String) throws {
        let bytes = try Fixture.bytes(path)
        let kind: ObjectKind = path.contains("services") ? .service : path.contains("sets") ? .networkSet : .pod
        let expected = ListOutcome([bytes], kind: kind).text
        for chunking in [Chunking.each(1), .each(7), .random(seed: 3, most: 40), .random(seed: 4, most: 3000)] {
            #expect(ListOutcome(chunking.pieces(of: bytes), kind: kind).text == expected, "\(chunking)")
        }
    }

    /// The output of `kubectl get pods,ns,services -A -o json`.
    @Test func decodesListOfSeveralKindsAndLists() throws {
        var items: [[String: Any]] = []
        var expected: [String] = []
        for (name, kind) in [("pods", ObjectKind.pod), ("namespaces", .namespace), ("calico-v3-tiers", .tier)] {
            let list = try Reference.object(try Fixture.bytes("list/\(name).json"))
            expected += list.objects("items").map { "\(kind.rawValue) \($0.object("metadata").text("name") ?? "")" }
            items.append(list)
        }
        items.insert(["apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "x"]], at: 1)
        items.append(["apiVersion": "apps/v1", "kind": "DeploymentList", "items": [["metadata": ["name": "y"]]]])
        let text = try Reference.text(["apiVersion": "v1", "kind": "List", "items": items])
        let objects = try ObjectDecoder.objects(in: text.span)
        #expect(try objects.map { "\(try $0.get().kind.rawValue) \(try $0.get().metadata.name)" } == expected)
    }
}
