import FlowModel
import Foundation

/// A line as Weir writes it, with some fields set to JSON values and all others empty.
func recordLine(_ fields: [FlowField: String] = [:]) -> String {
    let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
    return "{\(members.joined(separator: ","))}"
}

/// A temporary folder that is removed at the end of the test.
final class Folder {
    /// Its path.
    let path: String

    /// Makes it.
    init() {
        var template = Array("/tmp/weir-store-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    }

    deinit {
        guard path != "/tmp", let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { return }
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// Returns lines of generated records: every ten seconds one for each flow key.
func generatedLines(keys: Int, flushes: Int, from start: Int64, detail: Bool = false) -> [String] {
    var lines: [String] = []
    for flush in 0..<flushes {
        for key in 0..<keys {
            let end = start + Int64(flush + 1) * 10
            var fields: [FlowField: String] = [
                .startTime: "\(end - 10)", .endTime: "\(end)", .sourceType: "\"wep\"",
                .sourceNamespace: "\"ns\(key % 7)\"",
                .sourceNameAggr: "\"client-\(key)-*\"", .destNamespace: "\"bank\"", .destType: "\"wep\"",
                .destNameAggr: "\"api-\(key % 5)-*\"", .destPort: "\(8000 + key % 3)", .proto: "\"tcp\"",
                .action: key % 10 == 0 ? "\"deny\"" : "\"allow\"", .reporter: key % 2 == 0 ? "\"src\"" : "\"dst\"",
                .bytesIn: "\(key * 100 + flush)", .bytesOut: "\(key * 17)", .packetsIn: "\(key)",
                .transitBytesIn: "\(key * 3 + flush)", .transitPacketsOut: "\(key % 5)",
                .numFlows: "\(key % 4 + 1)",
                .numFlowsStarted: "\(key % 4)",
            ]
            if detail {
                fields[.sourceIP] = "\"10.0.\(key / 256).\(key % 256)\""
                fields[.sourcePort] = "\(30_000 + flush)"
                fields[.sourceName] = "\"client-\(key)-x\""
            }
            lines.append(recordLine(fields))
        }
    }
    return lines
}
