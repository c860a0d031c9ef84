import ClusterModel
import ClusterSource
import Foundation

extension FileCheckReport {
    /// One line per finding, in the format of compiler messages, and one line with the counts.
    var lines: [String] {
        findings.map(\.description) + [summary]
    }

    /// As in `2 files, 120 objects (100 Pod, 20 Service), 4 of other kinds: 1 error, 2 warnings`.
    private var summary: String {
        let kinds = kindCounts.map { "\($0.count) \($0.kind)" }.joined(separator: ", ")
        let total = objects.values.reduce(0, +)
        var text = "\(Self.counted(files, "file")), \(Self.counted(total, "object"))"
        if !kinds.isEmpty { text += " (\(kinds))" }
        if otherObjects > 0 { text += ", \(otherObjects) of other kinds" }
        return text + ": \(Self.counted(count(.error), "error")), \(Self.counted(count(.warning), "warning"))"
    }

    private var kindCounts: [(kind: String, count: Int)] {
        ObjectKind.allCases.compactMap { kind in objects[kind].map { (kind.rawValue, $0) } }
    }

    static func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    // MARK: JSON

    private struct FindingLine: Encodable {
        var path: String
        var line: Int?
        var severity: FileFinding.Severity
        var kind: String?
        var namespace: String?
        var name: String?
        var field: String?
        var position: Int?
        var reason: String
    }

    private struct SummaryLine: Encodable {
        var files: Int
        var objects: [String: Int]
        var otherObjects: Int
        var errors: Int
        var warnings: Int
    }

    /// The same as JSON.
    func jsonLines() throws -> [String] {
        let encoder = JSONEncoder.forLines
        let lines = try findings.map { finding in
            try encoder.line(
                FindingLine(
                    path: finding.path,
                    line: finding.line,
                    severity: finding.severity,
                    kind: finding.object?.kind.rawValue,
                    namespace: finding.object?.namespace,
                    name: finding.object?.name,
                    field: finding.field,
                    position: finding.position,
                    reason: finding.reason
                )
            )
        }
        let summary = SummaryLine(
            files: files,
            objects: Dictionary(uniqueKeysWithValues: kindCounts.map { ($0.kind, $0.count) }),
            otherObjects: otherObjects,
            errors: count(.error),
            warnings: count(.warning)
        )
        return lines + [try encoder.line(summary)]
    }
}

extension JSONEncoder {
    /// An encoder that writes objects on one line, with a stable order of keys.
    static var forLines: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }

    /// A value as one line, without the line end.
    func line(_ value: some Encodable) throws -> String {
        String(decoding: try encode(value), as: UTF8.self)
    }
}
