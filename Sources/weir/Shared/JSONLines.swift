import ClusterModel
import ClusterSource
import Foundation

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

/// The form in which `weir inventory check` and `weir policy check` print a finding with `--json`.
struct FindingLine: Encodable {
    private let path: String
    private let line: Int?
    private let severity: FileFinding.Severity
    private let kind: String?
    private let namespace: String?
    private let name: String?
    private let field: String?
    private let position: Int?
    private let reason: String

    init(_ finding: FileFinding) {
        path = finding.path
        line = finding.line
        severity = finding.severity
        kind = finding.object?.kind.rawValue
        namespace = finding.object?.namespace
        name = finding.object?.name
        field = finding.field
        position = finding.position
        reason = finding.reason
    }
}
