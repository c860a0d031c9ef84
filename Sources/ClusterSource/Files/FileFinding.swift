package import ClusterModel

/// Something that is wrong in a file of objects.
package struct FileFinding: Sendable, Hashable {
    /// The severity of a finding.
    package enum Severity: String, Sendable, Hashable, Codable {
        /// The file, or an object, cannot be used.
        case error
        /// The object can be used, but probably not as it was meant.
        case warning
    }

    /// The file.
    package var path: String
    /// The line, from 1; nil if it is not of one line.
    package var line: Int?
    /// The severity.
    package var severity: Severity
    /// The object, where it is of one whose kind and name are known.
    package var object: ObjectReference?
    /// The field, as in `spec.ingress[0].ports`, where it is of one.
    package var field: String?
    /// The length of the readable part of the field's text, in bytes; nil where that does not apply.
    package var position: Int?
    /// The fault, in words.
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

    /// The path, and the line where that is known.
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

/// The reason why the files of an inventory cannot be used at all.
package struct FileSourceError: Error, Sendable, Hashable {
    /// The findings, one for each file or folder that is missing or broken.
    package var findings: [FileFinding]

    /// Takes what was found.
    package init(findings: [FileFinding]) {
        self.findings = findings
    }
}

extension FileSourceError: CustomStringConvertible {
    /// A text such as `pods.yaml:12: not YAML: …`, and how many more there are.
    package var description: String {
        guard let first = findings.first else { return "no files" }
        let more = findings.count > 1 ? " (and \(findings.count - 1) more; see: weir inventory check)" : ""
        return "\(first.place): \(first.message)\(more)"
    }
}
