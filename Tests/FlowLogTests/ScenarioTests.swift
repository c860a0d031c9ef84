import Encoding
import FlowModel
import Foundation
import Testing

@testable import FlowLog

/// Every folder of Scenarios: the events of `input.jsonl` must give exactly the lines of `expected.jsonl`.
///
/// `UPDATE_GOLDEN=1` rewrites the expected lines next to the source.
@Suite struct ScenarioTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")

    /// The names of all scenarios.
    private static let names: [String] = {
        let entries = try? FileManager.default.contentsOfDirectory(atPath: folder.path())
        return (entries ?? []).filter { !$0.hasPrefix(".") }.sorted()
    }()

    @Test func findsAllScenarios() {
        #expect(Self.names.count >= 63)
    }

    @Test(arguments: names)
    func producesExpectedLines(name: String) throws {
        let folder = Self.folder.appending(path: name)
        #expect(FileManager.default.fileExists(atPath: folder.appending(path: "README.md").path()))
        let lines = try Scenario(folder: folder).run()
        let expected = folder.appending(path: "expected.jsonl")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try Data(lines.utf8).write(to: expected)
        }
        #expect(try lines == String(contentsOf: expected, encoding: .utf8))
    }
}
