import ClusterModel
import ClusterSource
import Foundation

extension FileCheckReport {
    /// A line for each finding, in the format of compiler messages, and one with the counts.
    var lines: [String] {
        findings.map(\.description) + [summary]
    }

    /// A text such as `2 files, 120 objects (100 Pod, 20 Service), 4 of other kinds: 1 error, 2 warnings`.
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
        let lines = try findings.map { try encoder.line(FindingLine($0)) }
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
