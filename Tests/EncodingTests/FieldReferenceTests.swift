import Encoding
import Foundation
import Testing

/// The committed reference of fields is what the catalogue says.
struct FieldReferenceTests {
    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/fields.md").standardizedFileURL

    @Test func committedFileIsUpToDate() throws {
        let generated = FieldReference.markdown()
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try Data(generated.utf8).write(to: Self.file)
        }
        let committed = try String(contentsOf: Self.file, encoding: .utf8)
        #expect(committed == generated, "run the tests once with UPDATE_GOLDEN=1 and look at the difference")
    }

    @Test func saysWhatThereIsToSayOfAField() {
        let lines = FieldReference.markdown().split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("| ") && $0.contains(" | `") }.count == 58)
        let port = "| 8 | `source_port` | port |  | `null` | yes | level 1 | port of the source; "
        #expect(lines.contains { $0.hasPrefix(port) })
        #expect(lines.contains { $0.hasPrefix("| 26 | `policies` | policies |  | `null` | no |  | ") })
    }
}
