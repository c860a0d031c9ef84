import Encoding
import Foundation
import Testing

/// The committed field reference matches the field catalogue.
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

    @Test func fieldRowHasTypeEmptyValueAndLevel() {
        let lines = FieldReference.markdown().split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("| ") && $0.contains(" | `") }.count == 68)
        let port = "| 8 | `source_port` | port |  | `null` | yes | level 1 | port of the source; "
        #expect(lines.contains { $0.hasPrefix(port) })
        #expect(lines.contains { $0.hasPrefix("| 22 | `dest_domains` | strings |  | `null` | yes |  | ") })
        let addresses = "| 46 | `original_source_ips` | addresses |  | `null` | no |  | "
        #expect(lines.contains { $0.hasPrefix(addresses) })
        #expect(lines.contains { $0.hasPrefix("| 26 | `policies` | policies |  | `null` | yes |  | ") })
    }

    /// Weir's own fields are in a separate table, so that the other table has exactly the fields of the format.
    @Test func listsExtensionsInSeparateTable() throws {
        let parts = FieldReference.markdown().split(separator: "## Weir's own fields")
        try #require(parts.count == 2)
        #expect(parts[0].contains("all 58 fields") && parts[0].contains("\n| 58 | `tcp_unrecovered_to` | "))
        #expect(!parts[0].contains("`drop_reason`") && !parts[1].contains("`tcp_unrecovered_to`"))
        #expect(parts[1].contains("\n| 59 | `dropped_packets_in` | integer | packets | `0` | yes |  | "))
        #expect(parts[1].contains("\n| 61 | `drop_reason` | name |  | `null` | yes |  | "))
        #expect(parts[1].contains("\n| 62 | `caused_by` | strings |  | `null` | yes |  | "))
        #expect(parts[1].contains("\n| 63 | `connect_time_us` | integer | microseconds | `0` | yes |  | "))
        #expect(parts[1].contains("\n| 64 | `rtt_us` | integer | microseconds | `0` | yes |  | "))
        #expect(parts[1].contains("\n| 65 | `tcp_flags` | strings |  | `null` | yes |  | "))
        #expect(parts[1].contains("\n| 66 | `dns_latency_us` | integer | microseconds | `0` | yes |  | "))
        #expect(parts[1].contains("\n| 67 | `container_id` | string |  | `\"-\"` | yes |  | "))
        #expect(parts[1].contains("\n| 68 | `container_name` | string |  | `\"-\"` | yes |  | "))
    }
}
