public import ClusterModel

/// Something in an object that an API server or Calico refuses, or that newer ones do.
public struct ObjectViolation: Sendable, Hashable {
    /// What it means for the object.
    public enum Severity: Sendable, Hashable {
        /// The object is refused.
        case refused
        /// It is accepted, but not by all versions, or not as it is probably meant.
        case doubtful
    }

    /// What it means for the object.
    public var severity: Severity
    /// Where it is, from the object.
    public var path: [PathComponent]
    /// The same place in bytes from the beginning of the text.
    public var offset: Int
    /// How far into the field's text it can be read, in bytes; nil where that says nothing.
    public var position: Int?
    /// What is wrong, and how it is written.
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

/// Collects what is wrong with one object, as much of it as anybody reads.
final class ViolationReport {
    /// How many are kept of one object.
    private static let limit = 100

    private var violations: [ObjectViolation] = []
    private var unknownFields = 0

    /// What was found, in the order of the text.
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

    /// Takes one.
    func add(_ violation: ObjectViolation) {
        guard violations.count < Self.limit, !violations.contains(violation) else { return }
        violations.append(violation)
    }

    /// Takes a member that the API does not have; of many of an object the first ones.
    func addUnknown(_ path: [PathComponent], _ fields: FieldSet, offset: Int) {
        unknownFields += 1
        guard unknownFields <= UnknownFields.limit else { return }
        let reason = UnknownField(path: path, among: fields).reason
        add(ObjectViolation(severity: .refused, path: path, offset: offset, reason: reason))
    }
}
