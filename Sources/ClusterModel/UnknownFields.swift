/// A member of an object that its API does not have, such as `soruce` of a policy's rule.
///
/// The object is as without it: an API server refuses the object, or drops the member.
public struct UnknownField: Sendable, Hashable {
    /// The path in the object, as in `spec.ingress[0].soruce`; long keys are cut.
    public var path: String
    /// The member that is probably meant; nil if none has a name like it.
    public var suggestion: String?

    /// Takes all members.
    public init(path: String, suggestion: String? = nil) {
        self.path = path
        self.suggestion = suggestion
    }

    /// The fault, in words.
    public var reason: String {
        let hint = suggestion.map { "; did you mean '\($0)'?" } ?? "."
        return "no such field here\(hint) It counts for nothing; an API server refuses or drops it"
    }
}

/// The members of an object that its API does not have, up to a limit.
public struct UnknownFields: Sendable, Hashable {
    /// The number of fields that are kept of one object.
    public static let limit = 8

    /// The first ones, in the order of the text.
    public var fields: [UnknownField]
    /// The number of further fields.
    public var omitted: Int

    /// Takes all members; none is the rule.
    public init(_ fields: [UnknownField] = [], omitted: Int = 0) {
        self.fields = fields
        self.omitted = omitted
    }

    /// Whether there are none.
    public var isEmpty: Bool { fields.isEmpty }
}
