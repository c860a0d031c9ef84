package import ClusterModel

/// Checks of objects in files beyond the errors that make them unusable.
package struct FileValidation {
    /// Something that is wrong with an object.
    package struct Issue: Sendable, Hashable {
        /// The severity.
        package var severity: FileFinding.Severity
        /// The object, where its kind and name are known.
        package var object: ObjectReference?
        /// The path of the field, from the object or the list around it.
        package var path: [PathComponent]
        /// The same place in bytes from the beginning of the text.
        package var offset: Int
        /// The length of the readable part of the field's text, in bytes; nil where that does not apply.
        package var position: Int?
        /// The fault, in words.
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

    /// The kinds of objects that it is about.
    package var kinds: Set<ObjectKind>
    /// Says what is wrong with an object.
    package var issues: (ObjectTree) -> [Issue]

    /// Takes all members.
    package init(kinds: Set<ObjectKind>, issues: @escaping (ObjectTree) -> [Issue]) {
        self.kinds = kinds
        self.issues = issues
    }
}

extension FileValidation.Issue {
    /// Creates a finding from what the decoder found.
    init(_ error: ObjectIssue, _ severity: FileFinding.Severity) {
        self.init(
            severity: severity,
            object: error.reference,
            path: error.path,
            offset: error.offset,
            reason: error.reason
        )
    }

    /// Whether it is about the same place of the same object as another one, or about a part of that.
    func covers(_ other: Self) -> Bool {
        object == other.object && (severity == .error || other.severity == .warning) && !other.path.isEmpty
            && path.starts(with: other.path)
    }
}
