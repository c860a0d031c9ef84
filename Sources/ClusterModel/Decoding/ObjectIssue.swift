/// A step from a JSON value to a value within it.
public enum PathComponent: Sendable, Hashable {
    /// A member of an object, by its key.
    case key(String)
    /// An element of an array, counted from 0.
    case index(Int)
}

extension PathComponent {
    /// A path as text, as in `spec.nets[0]`; empty for the value itself.
    public static func text(_ path: [PathComponent]) -> String {
        var text = ""
        for component in path {
            switch component {
            case .index(let index):
                text += "[\(index)]"
            case .key(let key):
                // A key with a dot or a bracket, as in labels, would look like several steps.
                let isPlain =
                    !key.isEmpty && key.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !".[]\"".utf8.contains($0) }
                if isPlain {
                    text += text.isEmpty ? key : ".\(key)"
                } else {
                    text += "[\(key.debugDescription)]"
                }
            }
        }
        return text
    }
}

/// A fault in an object.
///
/// It is thrown if the object is unusable. In a list of findings, the faulty part was skipped and the object is usable
/// without it.
public struct ObjectIssue: Error, Sendable, Hashable {
    /// The object; nil if its kind or name is unknown.
    public var reference: ObjectReference?
    /// The path to the fault from the decoded value.
    public var path: [PathComponent]
    /// The offset of the fault in bytes from the beginning of the text; in a stream, from the beginning of the body.
    public var offset: Int
    /// The reason, as a text for people.
    public var reason: String

    /// Takes all members.
    public init(reference: ObjectReference? = nil, path: [PathComponent] = [], offset: Int = 0, reason: String) {
        self.reference = reference
        self.path = path
        self.offset = offset
        self.reason = reason
    }
}

extension ObjectIssue: CustomStringConvertible {
    /// A text such as `NetworkSet shop/partners: spec.nets[0]: … (byte 1034)`.
    public var description: String {
        var parts: [String] = []
        if let reference { parts.append(reference.description) }
        if !path.isEmpty { parts.append(PathComponent.text(path)) }
        parts.append("\(reason) (byte \(offset))")
        return parts.joined(separator: ": ")
    }
}
