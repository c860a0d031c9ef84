package import ClusterModel

/// Checks of objects in files beyond the errors that make them unusable.
package struct FileValidation {
    /// A fault in an object.
    package struct Issue: Sendable, Hashable {
        /// The severity.
        package var severity: FileFinding.Severity
        /// The object; nil if its kind or name is unknown.
        package var object: ObjectReference?
        /// The path of the field, from the object or its enclosing list.
        package var path: [PathComponent]
        /// The offset of the field, in bytes from the beginning of the text.
        package var offset: Int
        /// The length of the readable part of the field's text, in bytes; nil if it does not apply.
        package var position: Int?
        /// The reason, as a text for people.
        package var reason: String

        /// Takes all members.
        package init(
            severity: FileFinding.Severity,
            object: ObjectReference?,
            path: [PathComponent],
            offset: Int,
            position: Int? = nil,
            reason: String
        ) {
            self.severity = severity
            self.object = object
            self.path = path
            self.offset = offset
            self.position = position
            self.reason = reason
        }
    }

    /// The kinds of objects that are validated.
    package var kinds: Set<ObjectKind>
    /// Returns the faults of an object.
    package var issues: (ObjectTree) -> [Issue]

    /// Takes all members.
    package init(kinds: Set<ObjectKind>, issues: @escaping (ObjectTree) -> [Issue]) {
        self.kinds = kinds
        self.issues = issues
    }
}

extension FileValidation.Issue {
    /// Creates an issue from an issue of the decoder.
    init(_ error: ObjectIssue, _ severity: FileFinding.Severity) {
        self.init(
            severity: severity,
            object: error.reference,
            path: error.path,
            offset: error.offset,
            reason: error.reason
        )
    }

    /// Whether it replaces another issue: it is at the same place of the same object or within it, and not less severe.
    func covers(_ other: Self) -> Bool {
        object == other.object && (severity == .error || other.severity == .warning) && !other.path.isEmpty
            && path.starts(with: other.path)
    }
}
