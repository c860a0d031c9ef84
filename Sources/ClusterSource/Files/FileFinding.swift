package import ClusterModel

/// A fault in a file of objects.
package struct FileFinding: Sendable, Hashable {
    /// The severity of a finding.
    package enum Severity: String, Sendable, Hashable, Codable {
        /// The file or an object is unusable.
        case error
        /// The object is usable, but probably not as intended.
        case warning
    }

    /// The file.
    package var path: String
    /// The line, counted from 1; nil if the fault has no single line.
    package var line: Int?
    /// The severity.
    package var severity: Severity
    /// The object; nil if the fault is not in an object, or its kind or name is unknown.
    package var object: ObjectReference?
    /// The field, as in `spec.ingress[0].ports`; nil if the fault is not in a field.
    package var field: String?
    /// The length of the readable part of the field's text, in bytes; nil if it does not apply.
    package var position: Int?
    /// The reason, as a text for people.
    package var reason: String

    /// Takes all members.
    package init(
        path: String,
        line: Int?,
        severity: Severity,
        object: ObjectReference? = nil,
        field: String? = nil,
        position: Int? = nil,
        reason: String
    ) {
        self.path = path
        self.line = line
        self.severity = severity
        self.object = object
        self.field = field
        self.position = position
        self.reason = reason
    }

    /// The path, and the line if it is known.
    package var place: String {
        line.map { "\(path):\($0)" } ?? path
    }

    /// The object, the field and the reason.
    package var message: String {
        [object?.description, field, position.map { "position \($0)" }, reason].compactMap(\.self)
            .joined(separator: ": ")
    }

    init(path: String, _ fault: FileFault) {
        self.init(path: path, line: fault.line, severity: .error, reason: fault.reason)
    }
}

extension FileFinding: CustomStringConvertible {
    /// The finding in the form of compiler messages: `pods.yaml:12: error: Pod shop/cart-1: …`.
    package var description: String {
        "\(place): \(severity.rawValue): \(message)"
    }
}

/// The reason why the files of an inventory are unusable.
package struct FileSourceError: Error, Sendable, Hashable {
    /// The findings, one for each missing or broken file or folder.
    package var findings: [FileFinding]

    /// Takes the findings.
    package init(findings: [FileFinding]) {
        self.findings = findings
    }
}

extension FileSourceError: CustomStringConvertible {
    /// A text such as `pods.yaml:12: not YAML: …`, with the number of further findings.
    package var description: String {
        guard let first = findings.first else { return "no files" }
        let more = findings.count > 1 ? " (and \(findings.count - 1) more; see: weir inventory check)" : ""
        return "\(first.place): \(first.message)\(more)"
    }
}
