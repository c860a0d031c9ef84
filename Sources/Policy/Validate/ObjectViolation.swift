public import ClusterModel

/// A part of an object that an API server or Calico rejects, or that only some versions reject.
public struct ObjectViolation: Sendable, Hashable {
    /// The effect on the object.
    public enum Severity: Sendable, Hashable {
        /// The object is rejected.
        case refused
        /// The object is accepted, but not by all versions, or probably not with the intended meaning.
        case doubtful
    }

    /// The effect on the object.
    public var severity: Severity
    /// The path from the object.
    public var path: [PathComponent]
    /// The offset of the location in the text, in bytes.
    public var offset: Int
    /// The offset of the error in the field's text, in bytes; nil if it does not apply.
    public var position: Int?
    /// The error and the expected form.
    public var reason: String

    /// Takes all members.
    public init(
        severity: Severity,
        path: [PathComponent],
        offset: Int = 0,
        position: Int? = nil,
        reason: String
    ) {
        self.severity = severity
        self.path = path
        self.offset = offset
        self.position = position
        self.reason = reason
    }
}

/// Collects the violations of one object, up to a limit.
final class ViolationReport {
    /// The maximum number of violations kept for an object.
    private static let limit = 100

    private var violations: [ObjectViolation] = []
    private var unknownFields = 0

    /// The violations, in the order of the text.
    var all: [ObjectViolation] {
        var all = violations.enumerated().sorted {
            ($0.element.offset, $0.offset) < ($1.element.offset, $1.offset)
        }.map(\.element)
        let omitted = unknownFields - UnknownFields.limit
        if omitted > 0 {
            let reason = "\(omitted) more fields that do not exist"
            all.append(ObjectViolation(severity: .refused, path: [.key("spec")], reason: reason))
        }
        return all
    }

    /// Adds a violation.
    func add(_ violation: ObjectViolation) {
        guard violations.count < Self.limit, !violations.contains(violation) else { return }
        violations.append(violation)
    }

    /// Adds a member that the API does not define; only the first ones of an object are kept.
    func addUnknown(_ path: [PathComponent], _ fields: FieldSet, offset: Int) {
        unknownFields += 1
        guard unknownFields <= UnknownFields.limit else { return }
        let reason = UnknownField(path: path, among: fields).reason
        add(ObjectViolation(severity: .refused, path: path, offset: offset, reason: reason))
    }
}
