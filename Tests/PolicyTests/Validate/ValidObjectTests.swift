import ClusterModel
import Foundation
import Policy
import Testing

/// Objects that API servers have accepted have no findings.
struct ValidObjectTests {
    /// Lists that were recorded from API servers.
    private static let recordings: [URL] = {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = tests.appending(path: "ClusterModelTests/Fixtures/list")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
    }()

    @Test(arguments: recordings)
    func recordedObjectsAreValid(_ file: URL) throws {
        var findings: [ObjectIssue] = []
        var trees: [ObjectTree] = []
        let text = [UInt8](try Data(contentsOf: file))
        _ = try ObjectDecoder.objects(
            in: text.span,
            keeping: ObjectValidation.kinds,
            findings: &findings,
            trees: &trees
        )
        for tree in trees {
            let violations = ObjectValidation.violations(tree).map { "\(PathComponent.text($0.path)): \($0.reason)" }
            #expect(violations.isEmpty, "\(tree.reference?.description ?? "?")")
        }
    }

    @Test
    func recordingsHaveObjectsToCheck() throws {
        let names = Self.recordings.map(\.lastPathComponent)
        #expect(names.contains("networkpolicies.json") && names.contains("calico-globalnetworkpolicies.json"))
    }
}
